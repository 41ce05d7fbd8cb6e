"""Learner records: whose badges they hold, which, and that they verify."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import jwt
import pytest

from lti_tool.credentials.verification import Verdict
from lti_tool.errors import ErrorCode, LimitReached, NotAllowed, NotFound
from lti_tool.services.launching import SessionView
from lti_tool.services.transcripts import RECORDS_AT_ONCE, RecordFormat, Transcripts
from lti_tool.store import tables
from tests import factories
from tests.factories import Course
from tests.integration.services.school import School, session_of
from tests.integration.services.test_verifying import verifying


@dataclass(frozen=True)
class Collector:
    """A learner with some badges."""

    school: School
    course: Course
    session: SessionView
    credential_ids: tuple[str, ...]

    @property
    def transcripts(self) -> Transcripts:
        return self.school.transcripts

    def record(self) -> dict[str, Any]:
        made: dict[str, Any] = json.loads(self.transcripts.own(self.session, "json"))
        return made

    def ids(self) -> set[str]:
        """Of the credentials in the record."""
        held = self.record()["credentialSubject"]["verifiableCredential"]
        return {badge["id"].rpartition("/")[2] for badge in held}

    def change(self, credential_id: str, **values: Any) -> None:
        self.school.change(tables.Credential, tables.Credential.id == credential_id, **values)


@pytest.fixture
def collector(school: School) -> Collector:
    course = school.course()
    (learner,) = factories.enrol(school.database, course)
    placed = [factories.placed(school.database, course) for _ in range(3)]
    ids = tuple(school.issued(course, one, learner) for one in placed)
    return Collector(school, course, session_of(course, learner), ids)


@pytest.mark.parametrize("format_", ["json", "jwt"])
def test_a_record_holds_all_badges_and_verifies(collector: Collector, format_: RecordFormat) -> None:
    made = collector.transcripts.own(collector.session, format_)
    report = verifying(collector.school).verify(made)
    assert report.verdict is Verdict.VALID, report.steps
    assert len(report.credentials) == 3
    assert {one.verdict for one in report.credentials} == {Verdict.VALID}
    assert collector.record()["partial"] is False


def test_each_badge_is_in_it_byte_for_byte(collector: Collector) -> None:
    kept = {
        row.id: json.loads(row.document) for row in collector.school.rows(tables.Credential) if row.document
    }
    for badge in collector.record()["credentialSubject"]["verifiableCredential"]:
        assert badge == kept[badge["id"].rpartition("/")[2]]


def test_it_names_nobody_in_clear(collector: Collector) -> None:
    (row,) = collector.school.rows(tables.Learner, tables.Learner.id == collector.session.learner_id)
    for format_ in ("json", "jwt"):
        made = collector.transcripts.own(collector.session, format_)
        text = json.dumps(jwt.decode(made, options={"verify_signature": False})) if format_ == "jwt" else ""
        for known in (row.name, row.email, row.id):
            assert known
            assert known not in made.decode() + text


def test_a_newer_record_replaces_the_older_and_a_token_neither(collector: Collector) -> None:
    first = collector.record()
    collector.school.clock.forward(minutes=5)
    second = collector.record()
    assert first["id"] == second["id"]
    assert first["validFrom"] < second["validFrom"]
    token = jwt.decode(
        collector.transcripts.own(collector.session, "jwt"), options={"verify_signature": False}
    )
    assert token["jti"] == token["id"] != first["id"]
    assert token["sub"] == token["credentialSubject"]["id"] != token["jti"]


@pytest.mark.parametrize("member", ["revoked_at", "suspended_at", "valid_until"])
def test_what_does_not_hold_now_is_left_out(collector: Collector, member: str) -> None:
    gone, *kept = collector.credential_ids
    collector.change(gone, **{member: collector.school.clock()})
    assert collector.ids() == set(kept)
    # A badge that was taken back is none that the record lacks.
    assert collector.record()["partial"] is (member != "revoked_at")


def test_a_badge_that_is_not_signed_yet_makes_the_record_partial(collector: Collector) -> None:
    placed = factories.placed(collector.school.database, collector.course)
    factories.award(collector.school.database, collector.course, placed, collector.session.learner_id)
    assert collector.record()["partial"] is True
    assert len(collector.ids()) == 3


@pytest.mark.parametrize("format_", ["json", "jwt"])
def test_large_badges_fill_a_record_that_our_verifier_still_reads(
    collector: Collector, format_: RecordFormat, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = max(len(row.document or "") for row in collector.school.rows(tables.Credential))
    monkeypatch.setattr("lti_tool.services.transcripts.MAXIMUM_BADGE_BYTES", 2 * size + 100)
    made = collector.transcripts.own(collector.session, format_)
    assert len(collector.ids()) == 2
    assert collector.record()["partial"] is True
    report = verifying(collector.school).verify(made)
    assert (report.verdict, len(report.credentials)) == (Verdict.VALID, 2)


def test_nobody_elses_badges_are_in_it(collector: Collector) -> None:
    school, course = collector.school, collector.course
    (other,) = factories.enrol(school.database, course)
    with pytest.raises(NotFound) as refusal:
        collector.transcripts.own(session_of(course, other), "json")
    assert refusal.value.code is ErrorCode.CREDENTIAL_NOT_FOUND
    school.issued(course, factories.placed(school.database, course), other)
    assert collector.ids() == set(collector.credential_ids)


def test_another_organisation_gets_none_of_it(collector: Collector) -> None:
    elsewhere = collector.school.course()
    session = session_of(elsewhere, collector.session.learner_id)
    with pytest.raises(NotFound):
        collector.transcripts.own(session, "json")
    with pytest.raises(NotFound) as refusal:
        collector.transcripts.of_learner(
            elsewhere.organisation_id, collector.session.learner_id, "json", "staff:1"
        )
    assert refusal.value.code is ErrorCode.LEARNER_NOT_FOUND
    assert not collector.school.rows(tables.AuditEvent)


def test_who_looks_as_somebody_else_gets_none(collector: Collector) -> None:
    masked = session_of(collector.course, collector.session.learner_id, is_read_only=True)
    with pytest.raises(NotAllowed):
        collector.transcripts.own(masked, "json")


def test_that_staff_took_one_is_written_down(collector: Collector) -> None:
    made = collector.transcripts.of_learner(
        collector.course.organisation_id, collector.session.learner_id, "json", "staff:7"
    )
    assert verifying(collector.school).verify(made).verdict is Verdict.VALID
    (event,) = collector.school.rows(tables.AuditEvent)
    assert (event.action, event.actor) == ("learner_record.exported", "staff:7")
    assert (event.subject_kind, event.subject_id) == ("learner", collector.session.learner_id)


def test_a_learner_gets_so_many_in_a_minute_and_others_do_not_wait(collector: Collector) -> None:
    transcripts = collector.transcripts
    for _ in range(RECORDS_AT_ONCE):
        transcripts.own(collector.session, "jwt")
    with pytest.raises(LimitReached) as refusal:
        transcripts.own(collector.session, "jwt")
    assert (refusal.value.status, refusal.value.retry_after) == (429, 61)
    (other,) = factories.enrol(collector.school.database, collector.course)
    with pytest.raises(NotFound):
        transcripts.own(session_of(collector.course, other), "jwt")
    collector.school.clock.forward(seconds=61)
    transcripts.own(collector.session, "jwt")


def test_without_a_default_issuer_the_issuer_of_the_newest_badge_signs(collector: Collector) -> None:
    collector.school.change(tables.Issuer, tables.Issuer.id == collector.course.issuer_id, is_default=False)
    assert collector.record()["issuer"]["id"] == collector.school.urls.did(collector.course.issuer_id)


def test_a_later_version_replaces_an_earlier_one(collector: Collector) -> None:
    school = collector.school
    versions = school.rows(tables.AchievementVersion)
    old, new = sorted(versions, key=lambda version: version.id)[:2]
    school.change(
        tables.AchievementVersion,
        tables.AchievementVersion.id == new.id,
        achievement_id=old.achievement_id,
        number=old.number + 1,
    )
    assert collector.record()["credentialSubject"]["association"] == [
        {
            "type": "Association",
            "associationType": "replacedBy",
            "sourceId": school.urls.achievement(old.id),
            "targetId": school.urls.achievement(new.id),
        }
    ]
    made = collector.transcripts.own(collector.session, "json")
    assert verifying(school).verify(made).verdict is Verdict.VALID


def test_a_badge_revoked_after_the_record_was_made_is_named(collector: Collector) -> None:
    made = collector.transcripts.own(collector.session, "json")
    collector.school.revoking.revoke(collector.credential_ids[0], "A mistake", "cli")
    collector.school.clock.forward(minutes=1)
    report = verifying(collector.school).verify(made)
    assert report.verdict is Verdict.INVALID
    assert [step.detail for step in report.steps if step.name == "credentials"] == ["credential_invalid"]
    assert [one.verdict for one in report.credentials].count(Verdict.INVALID) == 1
