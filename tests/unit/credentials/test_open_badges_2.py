"""Open Badges 2.0 made from a signed credential; outside verifiers judge it in tests/conformance."""

from __future__ import annotations

from datetime import timedelta

from lti_tool.credentials.open_badges_2 import build_assertion
from tests.unit.credentials.badges import NOW, badge


def test_a_badge_that_was_signed_anew_was_still_awarded_when_it_was() -> None:
    renewed = badge(awarded_at=NOW, valid_from=NOW + timedelta(days=40))
    where = "https://badges.example.edu/ob2/assertions/5"
    hosted = build_assertion(renewed, id_=where, badge="https://b.example/1", image="i", image_caption="c")
    assert hosted["issuedOn"] == "2025-11-22T09:30:00Z"
