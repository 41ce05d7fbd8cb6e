"""Who has a badge that ends soon, and what the holder is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lti_tool.domain.criteria import State
from lti_tool.domain.renewal import Nearness
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services import ending_soon as ending_module
from lti_tool.services.ending_soon import EndingSoon
from lti_tool.services.wallet import EarnedBadge, Wallet
from lti_tool.store import tables
from tests import factories
from tests.integration.services.school import School, session_of
from tests.integration.services.test_renewing import Term

DAY = timedelta(days=1)


@pytest.fixture
def term(school: School) -> Term:
    return Term(school)


def listing(term: Term) -> EndingSoon:
    return EndingSoon(term.school.database, term.school.clock)


def teacher(term: Term, **changes: Any) -> Any:
    return session_of(term.course, term.learner_id, can_view_progress=True, **changes)


def in_wallet(term: Term) -> EarnedBadge:
    wallet = Wallet(term.school.database, term.school.awarding, term.school.urls, term.school.ages)
    (badge,) = wallet.view(session_of(term.course, term.learner_id)).earned
    return badge


def test_the_list_tells_of_the_end_from_60_days_before_to_30_after(term: Term) -> None:
    for days, listed in ((-61, 0), (-60, 1), (0, 1), (29, 1), (31, 0)):
        term.school.clock.now = term.end + days * DAY
        found = listing(term).of_course(teacher(term))
        assert (days, found.total, len(found.rows)) == (days, listed, listed)
        assert listing(term).of_organisation(term.course.organisation_id).total == listed


def test_a_line_says_who_what_and_whether_it_is_renewed(term: Term) -> None:
    term.school.clock.now = term.end - 5 * DAY
    (row,) = listing(term).of_course(teacher(term)).rows
    assert row.learner_id == term.learner_id
    assert row.learner_name is not None
    assert row.learner_name.startswith("Learner")
    assert row.credential_id == term.credential_id
    assert (row.ending.nearness, row.ending.is_open) == (Nearness.DAYS, True)


def test_who_has_left_is_said_to_have_left_unless_another_course_renews_it(term: Term) -> None:
    """Who takes part nowhere is not renewed anywhere; with whoever comes back it goes on."""
    school, organisation_id = term.school, term.course.organisation_id
    term.school.clock.now = term.end - 5 * DAY
    beside = factories.courses_beside(school.database, term.course, 1)[0]
    here = tables.Membership.context_id == term.course.context_id

    def has_left() -> set[bool]:
        pages = (listing(term).of_course(teacher(term)), listing(term).of_organisation(organisation_id))
        return {row.has_left for page in pages for row in page.rows}

    assert has_left() == {False}
    school.change(tables.Membership, here, is_active=False, left_at=school.clock())
    assert has_left() == {True}
    with school.database.write() as session:
        session.add(
            tables.Membership(
                organisation_id=organisation_id,
                context_id=beside.context_id,
                learner_id=term.learner_id,
                is_learner=True,
                is_staff=False,
                is_active=True,
                seen_at=school.clock(),
            )
        )
    assert has_left() == {True}, "that course gives another badge, or none"
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == term.placed.micromodule_version_id
    )
    with school.database.write() as session:
        session.add(
            tables.Placement(
                organisation_id=organisation_id,
                context_id=beside.context_id,
                badge_link_key="beside",
                micromodule_version_id=version.id,
                status="draft",
                created_at=school.clock(),
            )
        )
    placement = tables.Placement.badge_link_key == "beside"
    for status, expected in (("draft", True), ("active", False), ("removed", True)):
        school.change(tables.Placement, placement, status=status)
        assert has_left() == {expected}, status
    school.change(tables.Membership, here, is_active=True, left_at=None)
    assert has_left() == {False}


@pytest.mark.parametrize("taken", ["revoked_at", "suspended_at"])
def test_a_badge_that_was_taken_back_is_not_listed(term: Term, taken: str) -> None:
    term.school.clock.now = term.end - DAY
    term.school.change(tables.Credential, **{taken: term.end - 2 * DAY})
    assert listing(term).of_course(teacher(term)).total == 0


def test_others_neither_see_nor_are_seen(term: Term) -> None:
    other = Term(term.school)
    beside = factories.courses_beside(term.school.database, term.course, 1)[0]
    term.school.clock.now = term.end - DAY
    (ours,) = listing(term).of_course(teacher(term)).rows
    assert ours.learner_id == term.learner_id
    (theirs,) = listing(term).of_organisation(other.course.organisation_id).rows
    assert theirs.learner_id == other.learner_id
    in_another_course = session_of(beside, term.learner_id, can_view_progress=True)
    assert listing(term).of_course(in_another_course).total == 0
    with pytest.raises(NotAllowed):
        listing(term).of_course(session_of(term.course, term.learner_id))
    with pytest.raises(NotFound) as refused:
        listing(term).of_course(teacher(term, context_id=None))
    assert refused.value.code is ErrorCode.CONTEXT_NOT_FOUND


def test_it_is_leafed_through(term: Term, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ending_module, "PER_PAGE", 2)
    others = factories.enrol(term.school.database, term.course, 4)
    for learner_id in others:
        term.school.clock.now += timedelta(hours=1)
        award_id = factories.award(
            term.school.database, term.course, term.placed, learner_id, term.school.clock()
        )
        term.school.issuing.issue_credential(award_id)
    term.school.clock.now = term.end - DAY
    seen = []
    for number in (1, 2, 3):
        found = listing(term).of_course(teacher(term), page=number)
        assert (found.number, found.pages, found.total) == (number, 3, 5)
        seen += [row.learner_id for row in found.rows]
    assert seen == [term.learner_id, *others]  # the first to end before the others
    assert listing(term).of_course(teacher(term), page=99).number == 3
    assert listing(term).of_course(teacher(term), page=-1).number == 1


def test_the_wallet_reminds_and_says_what_is_missing(term: Term) -> None:
    term.school.clock.now = term.end - 61 * DAY
    assert in_wallet(term).ending is None
    term.school.clock.now = term.end - 50 * DAY
    badge = in_wallet(term)
    assert badge.ending is not None
    assert (badge.ending.nearness, badge.ending.is_open) == (Nearness.MONTHS, True)
    assert badge.renewal is not None
    assert badge.renewal.state is State.NOT_MET  # the grade is from before
    term.change_grade(graded_at=term.end - 49 * DAY)
    badge = in_wallet(term)
    assert badge.renewal is not None
    assert badge.renewal.state is State.MET
    term.retake(term.end - 40 * DAY)
    term.sign()
    badge = in_wallet(term)
    assert (badge.ending, badge.renewal) == (None, None)


def test_after_the_end_the_wallet_says_how_to_regain_it(term: Term) -> None:
    term.school.clock.now = term.end + 10 * DAY
    ending = in_wallet(term).ending
    assert ending is not None
    assert (ending.nearness, ending.is_open, ending.is_missed) == (Nearness.OVER, True, False)
    term.school.clock.now = term.end + 31 * DAY
    badge = in_wallet(term)
    assert badge.ending is not None
    assert (badge.ending.is_missed, badge.renewal) == (True, None)


def test_a_badge_whose_version_ends_says_that_it_is_not_renewed(term: Term) -> None:
    latest = term.end - 100 * DAY
    term.change_version(expires_at=latest)
    term.school.expiring.work(str(term.placed.achievement_version_id))
    term.school.clock.now = latest - DAY
    badge = in_wallet(term)
    assert badge.ending is not None
    assert (badge.ending.window, badge.renewal) == (None, None)


def test_a_badge_that_was_taken_back_reminds_of_nothing(term: Term) -> None:
    term.school.clock.now = term.end - DAY
    term.school.change(tables.Credential, revoked_at=term.end - 2 * DAY)
    badge = in_wallet(term)
    assert (badge.ending, badge.renewal) == (None, None)


def test_what_has_a_later_version_is_not_said_to_be_renewed(term: Term) -> None:
    """Every course stands for the later version: nobody decides about the former one any more."""
    school = term.school
    school.clock.now = term.end - 5 * DAY
    assert in_wallet(term).ending is not None
    (former,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == term.placed.achievement_version_id
    )
    copied = {
        column.key: getattr(former, column.key)
        for column in tables.AchievementVersion.__table__.columns
        if column.key != "id"
    }
    with school.database.write() as session:
        session.add(tables.AchievementVersion(**{**copied, "number": 2}))
    (row,) = listing(term).of_course(teacher(term)).rows
    assert (row.ending.window, row.ending.is_open) == (None, False)
    badge = in_wallet(term)
    assert badge.ending is not None
    assert (badge.ending.window, badge.ending.is_open, badge.renewal) == (None, False, None)
