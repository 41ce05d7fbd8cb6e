"""What was seen of a service, added up; and when it is called unwell."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lti_tool.domain.certification import CASES, cases_of
from lti_tool.domain.connection_health import (
    FAILURES_UNWELL,
    SKEW_SAMPLES,
    Seen,
    permissions_of,
)
from lti_tool.domain.identity import CourseContext, Launch, PlatformUser
from lti_tool.domain.roles import Rights
from tests.factories import NOW

GOOD = Seen(succeeded_at=NOW, facts={"keys": 2})
BAD = Seen(failed_at=NOW, failures=1, code="platform_timed_out", detail="too slow")
SCOPES = ("a/lineitem", "a/score")


def test_a_success_ends_the_failures_and_leaves_the_reason_of_the_last_to_be_read() -> None:
    seen = BAD.then(BAD).then(GOOD)
    assert (seen.failures, seen.is_failing, seen.code) == (0, False, "platform_timed_out")
    assert seen.then(BAD).failures == 1


def test_adding_up_in_two_places_comes_to_the_same_as_in_one() -> None:
    """One process writes what it gathered to what another one stored."""
    steps = [BAD, GOOD, BAD, BAD, GOOD, BAD]
    at_once = Seen()
    for step in steps:
        at_once = at_once.then(step)
    for cut in range(len(steps) + 1):
        first, second = Seen(), Seen()
        for step in steps[:cut]:
            first = first.then(step)
        for step in steps[cut:]:
            second = second.then(step)
        assert first.then(second) == at_once


def test_one_failure_is_not_unwell_and_several_in_a_row_are() -> None:
    seen = GOOD
    for number in range(1, FAILURES_UNWELL + 1):
        seen = seen.then(BAD)
        assert seen.is_unwell == (number == FAILURES_UNWELL)


def test_what_never_worked_is_unwell_at_once() -> None:
    assert BAD.is_unwell
    assert not Seen().is_unwell


def test_one_odd_token_does_not_move_the_clock() -> None:
    seen = Seen(facts={"skew": [0]})
    for skew in (0, 0, 7200, 0):
        seen = seen.then(Seen(facts={"skew": [skew]}))
    assert seen.skew_seconds == 0
    for _ in range(SKEW_SAMPLES):
        seen = seen.then(Seen(facts={"skew": [45]}))
    assert seen.skew_seconds == 45
    assert len(seen.facts["skew"]) == SKEW_SAMPLES


def test_cases_are_counted_and_the_newest_time_stays() -> None:
    one = Seen(facts={"cases": {"normal": [2, "2026-01-02T00:00:00+00:00"]}})
    two = Seen(facts={"cases": {"normal": [1, "2026-01-01T00:00:00+00:00"], "no_role": [1, "x"]}})
    assert one.then(two).facts["cases"] == {
        "normal": [3, "2026-01-02T00:00:00+00:00"],
        "no_role": [1, "x"],
    }


def test_a_permission_is_missing_where_anything_seen_says_so() -> None:
    launched = Seen(facts={"granted": ["a/lineitem", "a/score"]})
    asked = Seen(facts={"scopes": {"a/score": "refused", "a/lineitem": "granted"}})
    line_item, score = permissions_of(SCOPES, launched, asked)
    assert (line_item.is_granted, line_item.is_missing) == (True, False)
    assert (score.is_granted, score.is_missing, score.name) == (False, True, "score")
    unknown = permissions_of(SCOPES, None, None)[0]
    assert (unknown.is_granted, unknown.is_missing) == (False, False)
    assert permissions_of(SCOPES, Seen(facts={"granted": []}), None)[0].is_missing


@pytest.mark.parametrize(
    "changes, cases",
    [
        ({}, ("normal",)),
        ({"roles": ("Learner",)}, ("short_role",)),
        ({"roles": ()}, ("no_role",)),
        ({"roles": ("http://example.org/unknown#Role",)}, ("unknown_role",)),
        ({"context": None}, ("no_context",)),
        ({"user": PlatformUser("1", email="a@example.edu")}, ("email_only",)),
        ({"user": PlatformUser("1", name="Ada")}, ("names_only",)),
        ({"user": PlatformUser("1")}, ("no_personal_data",)),
    ],
)
def test_a_launch_is_named_by_its_cases(changes, cases) -> None:
    usual = Launch(
        registration_id="registration-1",
        issuer="https://moodle.example.edu",
        client_id="client",
        product="moodle",
        deployment_id="3",
        message_type="LtiResourceLinkRequest",
        user=PlatformUser("1", name="Ada", email="a@example.edu"),
        rights=Rights(),
        roles=("http://purl.imsglobal.org/vocab/lis/v2/membership#Learner",),
        nonce="nonce",
        issued_at=NOW,
        expires_at=NOW,
        target_link_uri="https://badges.example.edu/lti/launch",
        context=CourseContext("2"),
    )
    assert cases_of(replace(usual, **changes)) == cases


def test_the_table_holds_the_whole_suite() -> None:
    """Twelve refusals, nine launches twice (teacher, student), and one line for each service."""
    assert sum(case.is_refused for case in CASES) == 12
    assert sum(case.section == "6.1.2, 6.1.3" for case in CASES) == 9
    assert len({case.key for case in CASES}) == len(CASES)


def test_later_times_win() -> None:
    later = replace(GOOD, succeeded_at=NOW + timedelta(minutes=1))
    assert GOOD.then(later).succeeded_at == NOW + timedelta(minutes=1)
