"""The end of a version is signed into every badge of it, once, whoever is killed or in between."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.credentials.verification import Verdict, verify
from lti_tool.services import expiring as expiring_module
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.services.staffing import Operator
from lti_tool.store import runs, tables
from lti_tool.store.endings import LEASE
from tests import factories
from tests.integration.services.school import BASE_URL, School

DAY = timedelta(days=1)


class Published:
    """What this installation publishes."""

    def __init__(self, school: School) -> None:
        self.school = school

    def fetch(self, url: str, accept: str) -> bytes:
        found = self.school.own_documents.published(url.removeprefix(BASE_URL))
        assert found is not None, url
        return found.body


class Held:
    """A course with badges of one version."""

    def __init__(self, school: School, count: int = 3, **version: Any) -> None:
        self.school = school
        self.course = school.course()
        self.placed = factories.placed(school.database, self.course)
        if version:
            self.change_version(**version)
        learners = factories.enrol(school.database, self.course, count)
        self.ids = [school.issued(self.course, self.placed, learner) for learner in learners]

    @property
    def version_id(self) -> str:
        assert self.placed.achievement_version_id is not None
        return self.placed.achievement_version_id

    def change_version(self, **values: Any) -> None:
        self.school.change(
            tables.AchievementVersion,
            tables.AchievementVersion.id == self.placed.achievement_version_id,
            **values,
        )

    def end(self, after: timedelta) -> datetime:
        """A later version asks for it; the end."""
        ends_at = self.school.clock() + after
        self.change_version(expires_at=ends_at)
        return ends_at

    def row(self, id_: str) -> Any:
        (row,) = self.school.rows(tables.Credential, tables.Credential.id == id_)
        return row

    def document(self, id_: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.row(id_).document)
        return loaded

    def texts(self) -> list[str]:
        return [self.row(id_).document for id_ in self.ids]

    def verdict(self, id_: str) -> Verdict:
        report = verify(
            self.row(id_).document.encode(), fetch=Published(self.school), now=self.school.clock()
        )
        return report.verdict

    def work(self) -> int:
        return self.school.expiring.work(self.version_id)

    def settle(self) -> None:
        self.work()
        self.school.clock.now += LAST_LOOK_AFTER
        self.work()
        assert self.school.expiring.due() == ()


@pytest.fixture
def held(school: School) -> Held:
    return Held(school)


@pytest.fixture
def small_held(small_school: School) -> Held:
    """Where the kind of database does not matter."""
    return Held(small_school)


def written(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_every_badge_of_the_version_says_the_end_and_all_else_as_before(held: Held) -> None:
    other = Held(held.school, 1)
    others, before = other.texts(), {id_: held.document(id_) for id_ in held.ids}
    held.school.clock.now += 40 * DAY
    ends_at = held.end(30 * DAY)
    assert held.school.expiring.due() == (held.version_id,)
    assert held.school.expiring.left(held.course.organisation_id, held.version_id, ends_at) == 3
    assert held.work() == 3
    for id_ in held.ids:
        document, row = held.document(id_), held.row(id_)
        assert held.verdict(id_) is Verdict.VALID
        assert written(document["validUntil"]) == row.valid_until == ends_at.replace(microsecond=0)
        assert document["validFrom"] > before[id_]["validFrom"]
        for changed in ("validFrom", "validUntil", "proof"):
            document.pop(changed)
            before[id_].pop(changed, None)
        assert document == before[id_]  # id, place, recipient and awardedDate among it
    assert held.school.expiring.left(held.course.organisation_id, held.version_id, ends_at) == 0
    held.school.clock.now += 31 * DAY
    assert [held.verdict(id_) for id_ in held.ids] == [Verdict.INVALID] * 3
    assert other.texts() == others


def test_a_version_without_an_end_owes_nothing(held: Held) -> None:
    texts = held.texts()
    assert held.school.expiring.due() == ()
    assert held.work() == 0
    assert held.texts() == texts


def test_ending_at_once_ends_badges_at_once_and_revokes_none(held: Held) -> None:
    held.school.clock.now += DAY
    ends_at = held.end(timedelta(0))
    held.school.clock.now += timedelta(seconds=20)
    assert held.work() == 3
    for id_ in held.ids:
        document = held.document(id_)
        assert written(document["validFrom"]) < written(document["validUntil"]) <= ends_at
        assert held.verdict(id_) is Verdict.INVALID
        assert held.row(id_).revoked_at is None


def test_a_badge_that_ends_earlier_by_itself_keeps_its_end(school: School) -> None:
    held = Held(school, 1, validity_months=1)
    text = held.texts()
    held.end(90 * DAY)
    held.settle()
    assert held.texts() == text


def test_an_end_is_never_moved_to_later(held: Held) -> None:
    early = held.end(10 * DAY)
    held.settle()
    texts = held.texts()
    held.end(90 * DAY)
    held.settle()
    assert held.texts() == texts
    assert held.row(held.ids[0]).valid_until == early.replace(microsecond=0)


def test_an_earlier_end_is_owed_again(held: Held) -> None:
    held.end(90 * DAY)
    held.settle()
    early = held.end(10 * DAY)
    assert held.school.expiring.due() == (held.version_id,)
    held.settle()
    assert {held.row(id_).valid_until for id_ in held.ids} == {early.replace(microsecond=0)}


def test_revoked_badges_are_left_alone_and_suspended_ones_end(held: Held) -> None:
    revoked, suspended, _ = held.ids
    held.school.change(tables.Credential, tables.Credential.id == revoked, revoked_at=held.school.clock())
    held.school.change(tables.Credential, tables.Credential.id == suspended, suspended_at=held.school.clock())
    held.end(DAY)
    held.settle()
    assert held.row(revoked).valid_until is None
    assert held.row(suspended).valid_until is not None


def test_a_worker_that_was_killed_loses_nothing_and_nothing_is_signed_twice(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring_module, "BATCH", 1)
    held.end(DAY)

    class Killed(Exception):
        pass

    def die(done: int) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        held.school.expiring.work(held.version_id, die)
    signed = [id_ for id_ in held.ids if held.row(id_).valid_until is not None]
    texts = [held.row(id_).document for id_ in signed]
    assert len(signed) == 2
    assert held.school.expiring.due() == (held.version_id,)
    assert held.work() == 1
    assert [held.row(id_).document for id_ in signed] == texts


def test_two_workers_do_not_do_the_same(held: Held) -> None:
    held.end(DAY)
    with held.school.database.write() as session:
        assert runs.take_lease(session, LEASE + held.version_id, "other", held.school.clock(), 120)
    assert held.school.expiring.due() == ()
    assert held.work() == 0
    held.school.clock.now += timedelta(minutes=3)  # the other one died
    assert held.work() == 3


def test_whoever_loses_the_lease_stops(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring_module, "BATCH", 1)
    held.end(DAY)
    school = held.school

    def rob(done: int) -> None:
        school.clock.now += timedelta(minutes=5)
        with school.database.write() as session:
            assert runs.take_lease(session, LEASE + held.version_id, "other", school.clock(), 600)

    school.expiring.work(held.version_id, rob)
    # The second batch was kept, whose turn came before it was noticed; the third was not begun.
    assert sum(held.row(id_).valid_until is not None for id_ in held.ids) == 2
    (lease,) = school.rows(tables.Lease, tables.Lease.name == LEASE + held.version_id)
    assert lease.holder == "other"


def test_what_was_being_signed_when_the_end_was_set_is_found_by_the_last_look(held: Held) -> None:
    late = held.ids[1]
    former = held.row(late).document
    held.end(DAY)
    assert held.work() == 3
    # Somebody had read the version before it got its end, and keeps what they signed only now.
    held.school.change(tables.Credential, tables.Credential.id == late, document=former, valid_until=None)
    assert held.school.expiring.due() == (held.version_id,)
    held.school.clock.now += LAST_LOOK_AFTER
    assert held.work() == 1
    assert held.school.expiring.due() == ()
    assert all(held.row(id_).valid_until is not None for id_ in held.ids)


def test_the_end_is_not_noted_as_signed_while_somebody_else_signs(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    held.end(DAY)
    held.school.clock.now += LAST_LOOK_AFTER
    former, id_ = held.row(held.ids[0]).document, held.ids[0]
    real = IssuerKeyring.signer

    def signer(self: Any, issuer_id: str, did: str) -> Any:
        held.school.change(tables.Credential, tables.Credential.id == id_, document=former + " ")
        return real(self, issuer_id, did)

    with monkeypatch.context() as patched:
        patched.setattr(IssuerKeyring, "signer", signer)
        assert held.work() == 2
    assert held.row(id_).document == former + " "
    assert held.school.expiring.due() == (held.version_id,)
    assert held.work() == 1
    assert held.school.expiring.due() == ()


def test_an_issuer_without_a_usable_key_keeps_no_other_issuers_badges_waiting(
    held: Held, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(expiring_module, "BATCH", 1)
    school = held.school
    issuer_id = school.another_issuer(held.course.organisation_id)
    theirs = [
        school.issued(held.course, held.placed, learner)
        for learner in factories.enrol(school.database, held.course, 2)
    ]
    school.expose_key(issuer_id)
    held.end(DAY)
    school.clock.now += LAST_LOOK_AFTER
    with capture_logs() as logs:
        assert held.work() == 3
    assert [one["issuer_id"] for one in logs if one["event"] == "issuer_key_unusable"] == [issuer_id]
    assert all(held.row(id_).valid_until is not None for id_ in held.ids)
    assert all(held.row(id_).valid_until is None for id_ in theirs)
    assert school.expiring.due() == (held.version_id,), "it is tried again"
    school.expose_key(issuer_id, is_exposed=False)
    assert held.work() == 2
    assert school.expiring.due() == ()


def test_a_learner_who_is_erased_meanwhile_stays_erased(held: Held, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiring_module, "BATCH", 1)
    held.end(DAY)
    gone: list[str] = []

    def erase(_done: int) -> None:
        if not gone:
            gone.append(next(id_ for id_ in held.ids if held.row(id_).valid_until is None))
            held.school.change(
                tables.Credential, tables.Credential.id == gone[0], document=None, award_id=None
            )

    held.school.expiring.work(held.version_id, erase)
    assert held.row(gone[0]).document is None
    assert sum(held.row(id_).valid_until is not None for id_ in held.ids) == 2


def test_new_badges_end_with_their_version_or_before(school: School) -> None:
    held = Held(school, 0)
    ends_at = held.end(45 * DAY)
    for months, expected in ((None, ends_at), (1, None), (12, ends_at)):
        held.change_version(validity_months=months)
        (learner,) = factories.enrol(school.database, held.course, 1)
        row = held.row(school.issued(held.course, held.placed, learner))
        if expected is None:
            assert row.valid_until < ends_at
        else:
            assert row.valid_until == expected.replace(microsecond=0)


def test_an_award_that_comes_after_the_end_is_signed_and_over(small_school: School) -> None:
    held = Held(small_school, 0)
    held.end(-DAY)
    (learner,) = factories.enrol(small_school.database, held.course, 1)
    id_ = small_school.issued(held.course, held.placed, learner)
    small_school.clock.now += timedelta(seconds=2)
    document = held.document(id_)
    assert written(document["validUntil"]) - written(document["validFrom"]) == timedelta(seconds=1)
    assert held.verdict(id_) is Verdict.INVALID
    text = held.row(id_).document
    held.settle()
    assert held.row(id_).document == text


def test_an_end_before_a_badge_began_leaves_it_a_second(small_held: Held) -> None:
    small_held.end(-DAY)
    small_held.settle()
    for id_ in small_held.ids:
        document = small_held.document(id_)
        assert written(document["validFrom"]) < written(document["validUntil"])


def test_what_is_corrected_as_recorded_keeps_the_end(small_held: Held) -> None:
    school = small_held.school
    ends_at = small_held.end(30 * DAY)
    small_held.settle()
    operator = Operator(small_held.course.organisation_id)
    run = school.reissuing.reissue(operator, small_held.ids, "A new name.", as_recorded=True)
    school.reissuing.work(run.id)
    assert {small_held.row(id_).valid_until for id_ in small_held.ids} == {ends_at.replace(microsecond=0)}


def test_that_it_was_done_stands_in_the_audit_log_once(small_held: Held) -> None:
    small_held.end(DAY)
    small_held.settle()
    small_held.work()
    with small_held.school.database.read() as session:
        rows = session.scalars(
            sa.select(tables.AuditEvent).where(tables.AuditEvent.action == "credentials.ended")
        ).all()
    assert [(row.organisation_id, row.subject_id, row.actor) for row in rows] == [
        (small_held.course.organisation_id, small_held.version_id, "rule")
    ]


def test_counting_is_of_the_own_organisation(small_held: Held) -> None:
    other = small_held.school.course()
    now = datetime.now(UTC)
    assert small_held.school.expiring.left(other.organisation_id, small_held.version_id, now) == 0
    assert small_held.school.expiring.left(small_held.course.organisation_id, small_held.version_id, now) == 3
