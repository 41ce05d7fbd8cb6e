"""What a launch says about its own link, and what a registration says about itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lti_tool.domain.registrations import RegistrationStatus
from tests.unit.lti.tokens import MOODLE, Platform


@pytest.mark.parametrize(
    "custom, key, role",
    [
        ({}, None, "wallet"),
        ({"badge_link_key": "k"}, "k", "badge"),
        ({"badge_link_key": "k", "badge_link_role": "badge"}, "k", "badge"),
        ({"badge_link_key": "k", "badge_link_role": "gate"}, "k", "gate"),
        ({"badge_link_role": "wallet"}, None, "wallet"),
        ({"badge_link_key": "k", "badge_link_role": "owner"}, "k", "badge"),
        ({"badge_link_role": "owner"}, None, "wallet"),
        ({"badge_link_key": ""}, None, "wallet"),
    ],
    ids=str,
)
def test_a_link_says_what_it_is_for(custom: dict[str, str], key: str | None, role: str) -> None:
    launch = replace(Platform().launch(), custom=custom)
    assert (launch.badge_link_key, launch.badge_link_role) == (key, role)


@pytest.mark.parametrize(
    "status, is_approved",
    [
        (RegistrationStatus.PENDING, False),
        (RegistrationStatus.APPROVED, True),
        (RegistrationStatus.DISABLED, False),
    ],
)
def test_only_an_approved_registration_lets_anybody_in(status: RegistrationStatus, is_approved: bool) -> None:
    assert replace(MOODLE, status=status).is_approved is is_approved
