"""``registrations health``, ``registrations check`` and what ``doctor`` tells of connections."""

from __future__ import annotations

from datetime import timedelta

import pytest

from lti_tool.bootstrap import Tool
from lti_tool.domain.connection_health import FAILURES_UNWELL
from lti_tool.errors import ErrorCode, LaunchRefused, PlatformFailed
from lti_tool.lti.observing import Service
from lti_tool.store import tables
from tests import factories
from tests.factories import Course
from tests.integration.cli.conftest import CommandLine


def unwell(tool: Tool) -> Course:
    """A connection whose roster is refused, and whose platform does not grant scores."""
    course = factories.course(tool.database, tool.clock())
    failure = PlatformFailed(ErrorCode.PLATFORM_REFUSED, "lms.example answered 403", http_status=403)
    for _ in range(FAILURES_UNWELL):
        tool.health.note_service(course.registration_id, course.deployment_id, Service.ROSTER, failure)
    facts = {"granted": [], "refused": ["https://purl.imsglobal.org/spec/lti-ags/scope/score"]}
    tool.health.note_service(course.registration_id, course.deployment_id, Service.TOKEN, None, facts)
    refused = LaunchRefused(ErrorCode.LAUNCH_KEY_ID_MISSING, "no kid in the header")
    refused.registration_id = course.registration_id
    tool.health.note_refusal(refused)
    tool.health.note_refusal(LaunchRefused(ErrorCode.REGISTRATION_UNKNOWN, "no registration"))
    tool.health.flush()
    return course


def test_what_is_wrong_with_a_connection(lti_tool: CommandLine, tool: Tool) -> None:
    course = unwell(tool)
    said = lti_tool("registrations", "health", course.registration_id, "--json")
    assert said.status == 1
    roster = next(one for one in said.json["services"] if one["service"] == "roster")
    assert (roster["failures"], roster["code"], roster["worked"]) == (3, "platform_refused", None)
    assert said.json["missing_permissions"] == [{"deployment": "1", "permission": "score"}]
    assert [one["code"] for one in said.json["refused"]] == ["launch_key_id_missing"]
    people = lti_tool("registrations", "health", course.registration_id).out
    assert "unwell" in people
    assert "launch_key_id_missing  1" in people


def test_which_are_unwell_and_what_nobody_known_sent(lti_tool: CommandLine, tool: Tool) -> None:
    course = unwell(tool)
    said = lti_tool("registrations", "health", "--json")
    assert [one["registration_id"] for one in said.json["unwell"]] == [course.registration_id]
    assert [one["code"] for one in said.json["refused_of_nobody"]] == ["registration_unknown"]
    assert "registration_unknown" in lti_tool("registrations", "health").out


def test_where_all_is_well_it_says_so(lti_tool: CommandLine, tool: Tool) -> None:
    course = factories.course(tool.database, tool.clock())
    tool.health.note_service(course.registration_id, course.deployment_id, Service.ROSTER, None)
    tool.health.flush()
    said = lti_tool("registrations", "health")
    assert said.status == 0
    assert "every connection that was used is well" in said.out
    assert lti_tool("registrations", "health", course.registration_id).status == 0


def test_a_registration_that_is_none(lti_tool: CommandLine, tool: Tool) -> None:
    assert lti_tool("registrations", "health", "none").status == 1
    assert lti_tool("registrations", "check", "none").status == 1


@pytest.mark.usefixtures("no_lms")
def test_a_check_of_a_platform_that_does_not_answer_says_so(lti_tool: CommandLine, tool: Tool) -> None:
    course = factories.course(tool.database, tool.clock())
    said = lti_tool("registrations", "check", course.registration_id, "--json")
    assert said.status == 1
    assert {step["outcome"] for step in said.json["steps"]} == {"failed"}
    assert [step["step"] for step in said.json["steps"]] == [
        "key_set",
        "token line_items",
        "token results",
        "token scores",
        "token roster",
        "line_items",
        "roster",
    ]


@pytest.mark.usefixtures("no_lms")
def test_the_doctor_says_which_connection_is_unwell(lti_tool: CommandLine, tool: Tool) -> None:
    course = unwell(tool)
    said = lti_tool("doctor").out
    assert "roster does not work" in said
    assert "the LMS does not grant score" in said
    assert f"lti-tool registrations health {course.registration_id}" in said


@pytest.mark.usefixtures("no_lms")
def test_the_doctor_says_that_renewed_badges_wait_for_their_signature(
    lti_tool: CommandLine, tool: Tool
) -> None:
    now = tool.clock()
    course = factories.course(tool.database, now)
    placed = factories.placed(tool.database, course)
    (learner_id,) = factories.enrol(tool.database, course)
    award_id = factories.award(tool.database, course, placed, learner_id)
    with tool.database.write() as session:
        renewal = tables.Renewal(
            organisation_id=course.organisation_id,
            award_id=award_id,
            number=1,
            finding={},
            evidence={},
            met_at=now,
            renewed_at=now,
            valid_until=now + timedelta(days=365),
        )
        session.add(renewal)
        session.flush()
        id_ = renewal.id
    said = {one["part"]: one for one in lti_tool("doctor", "--json").json}["renewals"]
    assert (said["state"], said["text"]) == ("ok", "1 renewed badges wait for their signature")
    with tool.database.write() as session:
        session.get_one(tables.Renewal, id_).renewed_at = now - timedelta(hours=2)
    said = {one["part"]: one for one in lti_tool("doctor", "--json").json}["renewals"]
    assert said["state"] == "warn"
    assert "issuer_key_unusable" in said["mend"]
