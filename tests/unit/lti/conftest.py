"""What the launch tests share."""

from __future__ import annotations

import pytest

from tests.unit.lti.tokens import Platform


@pytest.fixture
def platform() -> Platform:
    return Platform()
