"""A badge that is earned again goes on under the same id, once, whoever is killed or in between."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError
from structlog.testing import capture_logs

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.credentials.verification import Verdict, verify
from lti_tool.domain.validity import ends_after
from lti_tool.services import renewing as renewing_module
from lti_tool.services.renewing import Renewals
from lti_tool.services.staffing import Operator
from lti_tool.store import oversight, privacy, runs, tables
from lti_tool.store import renewals as store
from tests import factories
from tests.integration.services.school import School
from tests.integration.services.test_expiring import Published

DAY = timedelta(days=1)


class Term:
    """A learner with a badge that is valid for a year and renewed from 60 days before its end."""

    def __init__(self, school: School, *, is_dated: bool = True, **version: Any) -> None:
        self.school = school
        self.course = school.course()
        self.placed = factories.placed(school.database, self.course)
        self.change_version(
            **{"validity_months": 12, "renewal_opens_days": 60, "renewal_closes_days": 30, **version}
        )
        (self.learner_id,) = factories.enrol(school.database, self.course)
        factories.grade(school.database, self.course, self.placed, [self.learner_id], 90)
        self.change_grade(graded_at=school.clock() if is_dated else None)
        self.decide()
        (award,) = self.school.rows(tables.Award, tables.Award.learner_id == self.learner_id)
        self.award_id = award.id
        found = school.issuing.issue_credential(award.id)
        assert found is not None
        self.credential_id = found
        self.end: datetime = self.row.valid_until

    def change_version(self, **values: Any) -> None:
        version_id = self.placed.achievement_version_id
        self.school.change(tables.AchievementVersion, tables.AchievementVersion.id == version_id, **values)

    def change_grade(self, **values: Any) -> None:
        self.school.change(
            tables.Result,
            tables.Result.line_item_id == self.placed.line_item_id,
            tables.Result.learner_id == self.learner_id,
            **values,
        )

    def decide(self) -> None:
        self.school.awarding.decide_context(self.course.organisation_id, self.course.context_id)

    def retake(self, at: datetime, score: int = 90) -> None:
        """The quiz is taken again, and a sync reads it."""
        self.school.clock.now = max(at, self.school.clock.now)
        self.change_grade(graded_at=at, score=score)
        self.decide()

    def sign(self) -> int:
        return self.school.renewing.work(self.course.organisation_id)

    @property
    def row(self) -> Any:
        (row,) = self.school.rows(tables.Credential, tables.Credential.id == self.credential_id)
        return row

    @property
    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.row.document)
        return loaded

    @property
    def renewals(self) -> Any:
        return sorted(
            self.school.rows(tables.Renewal, tables.Renewal.award_id == self.award_id),
            key=lambda row: row.number,
        )

    def verdict(self) -> Verdict:
        now = self.school.clock()
        return verify(self.row.document.encode(), fetch=Published(self.school), now=now).verdict


@pytest.fixture
def term(school: School) -> Term:
    return Term(school)


@pytest.fixture
def small_term(small_school: School) -> Term:
    """Where the kind of database does not matter."""
    return Term(small_school)


def test_a_success_in_the_window_renews_the_badge_under_its_id(term: Term) -> None:
    before = term.document
    term.retake(term.end - 10 * DAY)
    (renewal,) = term.renewals
    assert renewal.number == 1
    assert renewal.met_at == term.end - 10 * DAY
    assert renewal.valid_until == ends_after(term.end, 12)
    assert renewal.decision_id is not None
    assert renewal.finding["state"] == "met"
    assert renewal.evidence["scores"]["quiz"]["value"] == "90"
    assert term.school.renewing.due() == (term.course.organisation_id,)
    assert term.sign() == 1
    after = term.document
    assert datetime.fromisoformat(after["validUntil"]) == term.row.valid_until == renewal.valid_until
    assert after["validFrom"] > before["validFrom"]
    for changed in ("validFrom", "validUntil", "proof"):
        del after[changed], before[changed]
    assert after == before
    assert term.school.renewing.due() == ()
    assert len(term.school.rows(tables.Award)) == 1
    assert "credential.renewed" in {row.action for row in term.school.rows(tables.AuditEvent)}


def test_a_badge_that_is_over_is_in_force_again(term: Term) -> None:
    term.school.clock.now = term.end + DAY
    assert term.verdict() is Verdict.INVALID
    term.retake(term.end + 20 * DAY)
    term.sign()
    assert term.verdict() is Verdict.VALID
    assert term.row.valid_until == ends_after(term.end + 20 * DAY, 12)


@pytest.mark.parametrize("after_end", [-61, 31])
def test_outside_the_window_nothing_is_renewed(small_term: Term, after_end: int) -> None:
    small_term.retake(small_term.end + after_end * DAY)
    assert small_term.renewals == []


def test_deciding_again_by_the_same_facts_renews_nothing(term: Term) -> None:
    term.retake(term.end - DAY)
    term.decide()
    term.sign()
    term.school.clock.now += 20 * DAY
    term.decide()
    assert len(term.renewals) == 1
    assert term.school.renewing.due() == ()
    assert term.sign() == 0


def test_years_later_it_is_renewed_again(small_term: Term) -> None:
    for year in (1, 2, 3):
        small_term.retake(small_term.row.valid_until - 5 * DAY)
        small_term.sign()
        assert small_term.row.valid_until == ends_after(small_term.end, 12 * year)
    assert [row.number for row in small_term.renewals] == [1, 2, 3]


def test_it_is_renewed_once_more_before_the_first_was_signed(small_term: Term) -> None:
    small_term.retake(small_term.end - DAY)
    small_term.retake(small_term.renewals[0].valid_until - DAY)
    assert len(small_term.renewals) == 2
    small_term.sign()
    small_term.sign()
    assert small_term.row.valid_until == ends_after(small_term.end, 24)
    assert small_term.school.renewing.due() == ()


@pytest.mark.parametrize(
    "version", [{"renewal_opens_days": None}, {"validity_months": None, "renewal_opens_days": 60}]
)
def test_a_version_without_a_window_or_an_end_renews_nothing(
    small_term: Term, version: dict[str, Any]
) -> None:
    small_term.change_version(**version)
    small_term.retake(small_term.end - DAY)
    assert small_term.renewals == []


def test_a_lower_grade_renews_nothing(small_term: Term) -> None:
    small_term.retake(small_term.end - 2 * DAY, score=10)
    assert small_term.renewals == []


def test_where_the_platform_dates_no_grades_another_one_counts_as_of_when_it_was_seen(
    small_school: School,
) -> None:
    term = Term(small_school, is_dated=False)
    seen_at = term.end - 20 * DAY
    term.school.clock.now = seen_at
    term.decide()
    assert term.renewals == []  # the grade that it was earned with
    term.change_grade(score=95)
    term.decide()
    (renewal,) = term.renewals
    assert renewal.met_at == seen_at
    term.school.clock.now += 10 * DAY
    term.decide()
    assert len(term.renewals) == 1
    term.sign()
    term.school.clock.now = term.row.valid_until - DAY
    term.decide()
    assert len(term.renewals) == 1
    term.change_grade(score=10)
    term.decide()
    term.school.clock.now += timedelta(hours=1)
    term.change_grade(score=95)  # the same as before, and yet a new one
    term.decide()
    assert len(term.renewals) == 2


def test_what_was_seen_before_the_window_opened_renews_nothing(small_school: School) -> None:
    term = Term(small_school, is_dated=False)
    term.school.clock.now = term.end - 70 * DAY
    term.change_grade(score=95)
    term.decide()
    term.school.clock.now = term.end - 10 * DAY
    term.decide()
    assert term.renewals == []


@pytest.mark.parametrize("membership", [{"is_active": False}, {"is_staff": True}, {"is_learner": False}])
def test_who_is_not_awarded_is_not_renewed(small_term: Term, membership: dict[str, Any]) -> None:
    small_term.school.change(
        tables.Membership, tables.Membership.learner_id == small_term.learner_id, **membership
    )
    small_term.retake(small_term.end - DAY)
    assert small_term.renewals == []


@pytest.mark.parametrize("taken", ["revoked_at", "suspended_at"])
def test_a_badge_that_was_taken_back_is_not_renewed(small_term: Term, taken: str) -> None:
    small_term.school.change(
        tables.Credential, tables.Credential.id == small_term.credential_id, **{taken: small_term.end}
    )
    small_term.retake(small_term.end - DAY)
    assert small_term.renewals == []


def test_one_revoked_before_it_was_signed_stays_as_it_is(small_term: Term) -> None:
    small_term.retake(small_term.end - DAY)
    text = small_term.row.document
    small_term.school.revoking.revoke(small_term.credential_id, "By mistake.", "cli")
    assert small_term.sign() == 0
    assert small_term.row.document == text
    assert small_term.school.renewing.due() == ()


def test_it_never_goes_on_beyond_the_end_of_its_version(term: Term) -> None:
    latest = (term.end + 100 * DAY).replace(microsecond=0)
    term.change_version(expires_at=latest)
    term.retake(term.end - DAY)
    term.sign()
    assert term.row.valid_until == latest
    term.retake(latest - DAY)
    assert len(term.renewals) == 1


def test_an_end_of_the_version_that_came_before_the_signature_counts(term: Term) -> None:
    term.retake(term.end - DAY)
    latest = (term.end + 100 * DAY).replace(microsecond=0)
    term.change_version(expires_at=latest)
    term.sign()
    assert term.row.valid_until == latest
    assert term.school.renewing.due() == ()


def test_the_log_tells_of_what_was_renewed_and_until_when(term: Term) -> None:
    def told() -> list[str]:
        found = term.school.rows(
            tables.AuditEvent,
            tables.AuditEvent.action == "credential.renewed",
            tables.AuditEvent.subject_id == term.credential_id,
        )
        return [row.detail["valid_until"] for row in found]

    term.retake(term.end - DAY)
    earlier = (term.end + 100 * DAY).replace(microsecond=0)
    term.change_version(expires_at=earlier)
    assert term.sign() == 1
    assert told() == [earlier.isoformat()]
    term.change_version(expires_at=None)
    term.retake(earlier - DAY)
    term.change_version(expires_at=earlier)
    # Nothing was signed: the version ends when the badge ends already.
    assert term.sign() == 0
    assert term.school.renewing.due() == ()
    assert told() == [earlier.isoformat()]


def test_two_who_decide_at_once_renew_once(term: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    term.school.clock.now = term.end - DAY
    term.change_grade(graded_at=term.school.clock())
    (decided,) = term.school.awarding.preview(
        term.course.organisation_id, term.course.context_id, [term.learner_id]
    )
    both = [Renewals.of(term.school.database, decided.placement, term.school.clock()) for _ in range(2)]
    held = store.held
    rows: list[Any] = []

    def read_before(*args: Any) -> Any:
        if not rows:
            rows.append(held(*args))
        return rows[0]

    monkeypatch.setattr(store, "held", read_before)
    for one in both:
        assert one is not None
        one.look_at(decided.decisions[0])
    assert [one.keep() for one in both if one is not None] == [1, 0]
    assert len(term.renewals) == 1


def test_a_worker_that_was_killed_loses_nothing(term: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    term.retake(term.end - DAY)

    def die(*_: Any) -> Any:
        raise OSError("no more")

    with monkeypatch.context() as patched:
        patched.setattr(store, "settle", die)
        with pytest.raises(OSError, match="no more"):
            term.sign()
    assert term.row.valid_until == term.end  # the text and the note are one step
    assert term.school.renewing.due() == (term.course.organisation_id,)
    assert term.sign() == 1


def test_an_issuer_without_a_usable_key_keeps_no_other_issuers_badges_waiting(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing_module, "BATCH", 1)
    school, organisation_id = term.school, term.course.organisation_id
    issuer_id = school.another_issuer(organisation_id)
    learners = factories.enrol(school.database, term.course, 2)
    factories.grade(school.database, term.course, term.placed, learners, 90)
    school.change(tables.Result, tables.Result.learner_id.in_(learners), graded_at=school.clock())
    term.decide()
    awards = school.rows(tables.Award, tables.Award.learner_id.in_(learners))
    theirs = [school.issuing.issue_credential(award.id) for award in awards]
    school.expose_key(issuer_id)
    school.change(tables.Result, tables.Result.learner_id.in_(learners), graded_at=term.end - DAY)
    term.retake(term.end - DAY)
    with capture_logs() as logs:
        assert term.sign() == 1
    assert [one["issuer_id"] for one in logs if one["event"] == "issuer_key_unusable"] == [issuer_id]
    assert term.row.valid_until > term.end
    assert school.renewing.due() == (organisation_id,), "it is tried again"
    assert school.renewing.arrears() == (2, school.clock())
    with school.database.read() as session:
        assert oversight.counts(session, organisation_id).renewals_unsigned == 2
        assert oversight.counts(session, school.course().organisation_id).renewals_unsigned == 0
    school.expose_key(issuer_id, is_exposed=False)
    assert term.sign() == 2
    for row in school.rows(tables.Credential, tables.Credential.id.in_(theirs)):
        assert row.valid_until > term.end
    assert school.renewing.due() == ()


def test_two_workers_do_not_do_the_same(term: Term) -> None:
    term.retake(term.end - DAY)
    name = store.LEASE + term.course.organisation_id
    with term.school.database.write() as session:
        assert runs.take_lease(session, name, "other", term.school.clock(), 120)
    assert term.school.renewing.due() == ()
    assert term.sign() == 0
    term.school.clock.now += timedelta(minutes=3)
    assert term.sign() == 1


def test_what_somebody_else_signs_meanwhile_is_signed_in_the_next_pass(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    term.retake(term.end - DAY)
    text = term.row.document
    real = IssuerKeyring.signer

    def signer(self: Any, issuer_id: str, did: str) -> Any:
        term.school.change(tables.Credential, tables.Credential.id == term.credential_id, document=text + " ")
        return real(self, issuer_id, did)

    with monkeypatch.context() as patched:
        patched.setattr(IssuerKeyring, "signer", signer)
        assert term.sign() == 0
    assert term.school.renewing.due() == (term.course.organisation_id,)
    assert term.sign() == 1
    assert term.row.valid_until > term.end


def test_a_correction_as_recorded_keeps_the_renewed_end(small_term: Term) -> None:
    small_term.retake(small_term.end - DAY)
    small_term.sign()
    end = small_term.row.valid_until
    reissuing = small_term.school.reissuing
    operator = Operator(small_term.course.organisation_id)
    run = reissuing.reissue(operator, [small_term.credential_id], "A name.", as_recorded=True)
    reissuing.work(run.id)
    assert small_term.row.valid_until == end > small_term.end


def test_only_the_own_organisations_renewals_are_signed(small_school: School) -> None:
    ours, theirs = Term(small_school), Term(small_school)
    ours.retake(ours.end - DAY)
    theirs.retake(theirs.end - DAY)
    assert ours.sign() == 1
    assert theirs.row.valid_until == theirs.end
    assert small_school.renewing.due() == (theirs.course.organisation_id,)
    with small_school.database.read() as session:
        version_id = str(theirs.placed.achievement_version_id)
        late = small_school.clock() + 900 * DAY
        assert store.held(session, ours.course.organisation_id, version_id, [theirs.learner_id], late) == {}
        assert store.terms(session, ours.course.organisation_id, version_id) is None


def test_the_others_are_renewed_where_one_is_erased_meanwhile(
    term: Term, monkeypatch: pytest.MonkeyPatch
) -> None:
    (gone,) = factories.enrol(term.school.database, term.course)
    factories.grade(term.school.database, term.course, term.placed, [gone], 90)
    term.decide()
    (award,) = term.school.rows(tables.Award, tables.Award.learner_id == gone)
    term.school.issuing.issue_credential(award.id)
    real = Renewals._keep

    def erase_first(self: Renewals, met: Any) -> int:
        monkeypatch.setattr(Renewals, "_keep", real)
        with term.school.database.write() as session:
            privacy.erase(session, gone, term.school.clock())
        raise IntegrityError("renewals", {}, Exception("award_id"))

    monkeypatch.setattr(Renewals, "_keep", erase_first)
    term.school.clock.now = term.end - DAY
    term.school.change(tables.Result, graded_at=term.end - DAY)
    (decided,) = term.school.awarding.preview(
        term.course.organisation_id, term.course.context_id, [term.learner_id, gone]
    )
    renewals = Renewals.of(term.school.database, decided.placement, term.school.clock())
    assert renewals is not None
    for decision in decided.decisions:
        renewals.look_at(decision)
    assert len(decided.decisions) == 2
    assert renewals.keep() == 1
    assert len(term.renewals) == 1


def test_a_learner_who_is_erased_takes_renewals_along(small_term: Term) -> None:
    small_term.retake(small_term.end - DAY)
    school = small_term.school
    school.change(tables.Credential, tables.Credential.id == small_term.credential_id, award_id=None)
    with school.database.write() as session:
        session.delete(session.get(tables.Award, small_term.award_id))
    assert school.rows(tables.Renewal) == []
    assert small_term.sign() == 0
