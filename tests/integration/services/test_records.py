"""What other systems are handed of an organisation's records."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from lti_tool.services import records as module
from lti_tool.services.records import COLUMNS, RecordKind, Records
from lti_tool.store import tables
from lti_tool.web.record_files import pieces
from tests import factories
from tests.factories import NOW
from tests.integration.services.school import BASE_URL, School


def records(school: School) -> Records:
    return Records(school.database, school.clock, school.urls)


def test_an_award_is_one_flat_row(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    credential_id = school.issued(course, placed, learner)
    (row,) = records(school).take(course.organisation_id, RecordKind.AWARDS, "cli")
    assert tuple(row) == COLUMNS[RecordKind.AWARDS]
    assert row["credential_url"] == f"{BASE_URL}/credentials/{credential_id}"
    assert (row["platform"], row["course_id"]) == (course.platform_issuer, row["course_id"])
    assert (row["state"], row["awarded_at"]) == ("active", NOW)
    school.revoking.revoke(credential_id, "By mistake", "cli")
    (revoked,) = records(school).take(course.organisation_id, RecordKind.AWARDS, "cli")
    assert (revoked["state"], revoked["revocation_reason"]) == ("revoked", "By mistake")


def test_a_completion_needs_no_badge(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    with school.database.write() as session:
        session.add(
            tables.Completion(
                organisation_id=course.organisation_id,
                micromodule_version_id=school_version(school),
                learner_id=learner,
                context_id=course.context_id,
                met_at=NOW,
                recorded_at=NOW,
            )
        )
    (row,) = records(school).take(course.organisation_id, RecordKind.COMPLETIONS, "cli")
    assert tuple(row) == COLUMNS[RecordKind.COMPLETIONS]
    assert (row["learner_id"], row["criteria_met_at"]) == (learner, NOW)
    assert placed.achievement_version_id is not None
    assert records(school).counts(course.organisation_id) == {"awards": 0, "completions": 1}


def school_version(school: School) -> str:
    (version,) = school.rows(tables.MicromoduleVersion)
    return str(version.id)


def test_another_organisation_is_handed_nothing_of_it(school: School) -> None:
    course, other = school.course(), school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    school.issued(course, placed, learner)
    for kind in RecordKind:
        assert list(records(school).take(other.organisation_id, kind, "cli")) == []
        assert records(school).counts(other.organisation_id)[kind] == 0


def test_what_is_new_since_a_day_includes_what_was_revoked_since(small_school: School) -> None:
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course)
    one, other = factories.enrol(school.database, course, 2)
    ids = [school.issued(course, placed, learner) for learner in (one, other)]
    day_after = NOW + timedelta(days=1)
    assert list(records(school).take(course.organisation_id, RecordKind.AWARDS, "cli", day_after)) == []
    school.clock.now = day_after + timedelta(hours=1)
    school.revoking.revoke(ids[0], "By mistake", "cli")
    (row,) = records(school).take(course.organisation_id, RecordKind.AWARDS, "cli", day_after)
    assert (row["credential_id"], row["state"]) == (ids[0], "revoked")


def test_the_end_of_a_pause_is_told_to_whoever_was_told_of_the_pause(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    school.change(tables.AchievementVersion, status_purpose="suspension")
    ids = [school.issued(course, placed, learner) for learner in factories.enrol(school.database, course, 2)]
    school.clock.now = NOW + timedelta(days=1)
    school.revoking.suspend(ids[0], "It is being looked into", "cli")
    since = NOW + timedelta(days=2)
    taken = partial(records(school).take, course.organisation_id, RecordKind.AWARDS, "cli", since)
    assert list(taken()) == []
    school.clock.now = since + timedelta(hours=1)
    school.revoking.resume(ids[0], "cli")
    (row,) = taken()
    assert (row["credential_id"], row["state"]) == (ids[0], "active")


def test_what_has_expired_says_so_and_was_not_revoked(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    school.change(
        tables.AchievementVersion,
        validity_months=1,
        credits=Decimal("2.50"),
        credit_unit="ects",
        human_code="G1",
    )
    (learner,) = factories.enrol(school.database, course)
    credential_id = school.issued(course, placed, learner)
    taken = partial(records(school).take, course.organisation_id, RecordKind.AWARDS, "cli")
    (row,) = taken()
    end = row["valid_until"]
    assert (row["state"], row["credits"], row["credit_unit"], row["human_code"]) == (
        "active",
        2.5,
        "ects",
        "G1",
    )
    assert row["issuer_id"] == course.issuer_id
    school.clock.now = end - timedelta(seconds=1)
    assert [row["state"] for row in taken()] == ["active"]
    assert list(taken(NOW + timedelta(days=1))) == []
    school.clock.now = end
    (expired,) = taken(NOW + timedelta(days=1))
    assert (expired["state"], expired["revoked_at"]) == ("expired", None)
    assert list(taken(end + timedelta(seconds=1))) == [], "it expired before"
    school.revoking.revoke(credential_id, "By mistake", "cli")
    assert [row["state"] for row in taken()] == ["revoked"]


def test_many_are_read_a_page_at_a_time(small_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course)
    learners = factories.enrol(school.database, course, 5)
    ids = {factories.award(school.database, course, placed, learner) for learner in learners}
    monkeypatch.setattr(module, "AT_ONCE", 2)
    rows = list(records(school).take(course.organisation_id, RecordKind.AWARDS, "cli"))
    assert [row["award_id"] for row in rows] == sorted(ids)


def test_who_took_them_is_recorded(small_school: School) -> None:
    course = small_school.course()
    records(small_school).take(course.organisation_id, RecordKind.AWARDS, "staff:1", NOW)
    (event,) = small_school.rows(tables.AuditEvent)
    assert (event.action, event.actor, event.organisation_id) == (
        "records.exported",
        "staff:1",
        course.organisation_id,
    )
    assert event.detail == {"kind": "awards", "since": NOW.isoformat()}


def test_a_name_that_a_spreadsheet_would_calculate_is_shown_instead(
    small_school: School, tmp_path: Path
) -> None:
    school = small_school
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    evil = '=HYPERLINK("https://evil.example";"Ada")'
    school.change(tables.Learner, tables.Learner.id == learner, name=evil)
    factories.award(school.database, course, placed, learner)

    def file(format_: str) -> str:
        rows = records(school).take(course.organisation_id, RecordKind.AWARDS, "cli")
        return "".join(pieces(RecordKind.AWARDS, format_, rows))

    (row,) = csv.DictReader(io.StringIO(file("csv").removeprefix("\ufeff"), newline=""))
    assert row["name"].startswith("'=")
    assert row["awarded_at"] == f"{NOW:%Y-%m-%dT%H:%M:%SZ}"
    assert row["revoked_at"] == ""
    (exact,) = json.loads(file("json"))
    assert (exact["name"], exact["revoked_at"], exact["version"]) == (evil, None, 1)
