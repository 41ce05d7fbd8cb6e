"""The wallet: what is earned, what is missing, and how fresh the answer is."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa

from lti_tool.domain.awarding import Exclusion, Verdict
from lti_tool.domain.criteria import AllOf, EvidenceAccepted, Reason, ScoreAtLeast, State
from lti_tool.errors import ErrorCode
from lti_tool.services.wallet import Wallet, WalletView
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import BASE_URL, School, session_of


def view(school: School, course: Course, learner: str, **changes: object) -> WalletView:
    wallet = Wallet(school.database, school.awarding, school.urls, school.ages)
    return wallet.view(session_of(course, learner, **changes))


def award_in(school: School, course: Course, placed: Placed, learner: str, **ago: float) -> str:
    at = NOW - timedelta(**ago)
    return factories.award(school.database, course, placed, learner, at)


def test_what_is_earned_and_what_is_missing(school: School) -> None:
    course = school.course()
    earned, open_ = (factories.placed(school.database, course) for _ in range(2))
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, open_, [learner], 79)
    credential_id = school.issued(course, earned, learner)
    shown = view(school, course, learner)
    (badge,) = shown.earned
    (card,) = shown.in_progress
    assert (badge.credential_id, badge.is_public, badge.public_url) == (credential_id, False, None)
    assert badge.achievement_version_id == earned.achievement_version_id
    assert (card.placement_id, card.verdict) == (open_.placement_id, Verdict.NOT_YET)
    assert (card.finding.state, card.finding.reason) == (State.NOT_MET, Reason.SCORE_BELOW)
    assert card.read_at == NOW
    assert shown.issues_badges_here


def test_what_was_finished_without_a_badge_is_said(school: School) -> None:
    course = school.course()
    plain = factories.placed(school.database, course, has_badge=False)
    badge = factories.placed(school.database, course)
    learner, other = factories.enrol(school.database, course, 2)
    for placed in (plain, badge):
        factories.grade(school.database, course, placed, [learner], 90)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    (done,) = view(school, course, learner).finished
    assert done.met_at == NOW
    assert done.context_title == view(school, course, learner).earned[0].context_title
    assert view(school, course, other).finished == ()
    assert view(school, course, learner, is_anonymous=True).finished == ()
    # Its badge was switched on, and given for it: that stands for it now.
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == plain.micromodule_version_id
    )
    achievements = school.rows(tables.Achievement)
    school.change(
        tables.Achievement, tables.Achievement.id == achievements[0].id, micromodule_id=version.micromodule_id
    )
    assert view(school, course, learner).finished == ()


def test_what_came_after_a_version_with_a_badge_is_no_completion_without_one(small_school: School) -> None:
    """Who finished it for a badge has that to look at, whatever a later version gives."""
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    factories.grade(small_school.database, course, placed, [learner], 90)
    small_school.awarding.decide_context(course.organisation_id, course.context_id)
    with small_school.database.write() as session:
        session.execute(sa.delete(tables.Award))
    assert view(small_school, course, learner).finished == ()


def test_a_badge_that_is_being_signed_is_shown_without_its_credential(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    award_in(small_school, course, placed, learner)
    (badge,) = view(small_school, course, learner).earned
    assert (badge.credential_id, badge.public_url, badge.is_revoked) == (None, None, False)


def test_a_shared_and_revoked_badge_says_both(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    credential_id = small_school.issued(course, placed, learner)
    small_school.change(tables.Credential, is_public=True)
    small_school.revoking.revoke(credential_id, "Mistake", "cli")
    (badge,) = view(small_school, course, learner).earned
    assert (badge.is_revoked, badge.revocation_reason) == (True, "Mistake")
    assert badge.public_url == f"{BASE_URL}/credentials/{credential_id}"


def test_badges_of_the_whole_organisation_come_newest_first_and_no_others(school: School) -> None:
    course, foreign = school.course(), school.course()
    learner, classmate = factories.enrol(school.database, course, 2)
    placed = [factories.placed(school.database, course) for _ in range(3)]
    expected = [
        award_in(school, course, one, learner, days=days)
        for days, one in sorted(zip((3, 1, 2), placed, strict=True), key=lambda pair: pair[0])
    ]
    award_in(school, course, placed[0], classmate)
    other = factories.placed(school.database, foreign)
    award_in(school, foreign, other, learner)
    assert [badge.award_id for badge in view(school, course, learner).earned] == expected


def test_a_course_without_a_micromodule_shows_the_wallet_only(small_school: School) -> None:
    course = small_school.course()
    (learner,) = factories.enrol(small_school.database, course)
    shown = view(small_school, course, learner)
    assert (shown.earned, shown.in_progress, shown.issues_badges_here) == ((), (), False)
    factories.placed(small_school.database, course, has_badge=False)
    assert not view(small_school, course, learner).issues_badges_here
    assert len(view(small_school, course, learner).in_progress) == 1


def test_a_draft_is_shown_as_being_prepared_and_counts_what_is_known(small_school: School) -> None:
    course = small_school.course()
    learner, colleague = factories.enrol(small_school.database, course, 2)
    placed = factories.placed(small_school.database, course, status="draft")
    factories.grade(small_school.database, course, placed, [learner], 90)
    shown = view(small_school, course, learner)
    (card,) = shown.in_progress
    assert shown.issues_badges_here
    assert (card.is_draft, card.finding.state, card.verdict) == (True, State.MET, Verdict.AWARD)
    assert card.read_at is not None
    small_school.awarding.decide_context(course.organisation_id, course.context_id)
    assert view(small_school, course, learner).earned == (), "nothing is given before it is published"
    teacher = view(small_school, course, colleague, can_view_progress=True, is_learner=False)
    assert teacher.in_progress == ()


def test_the_teachers_comment_comes_with_what_was_given_back(small_school: School) -> None:
    course = small_school.course()
    learner, classmate = factories.enrol(small_school.database, course, 2)
    report = EvidenceAccepted("report", "Field report")
    placed = factories.placed(small_school.database, course, criterion=report)
    for one, comment in ((learner, "The sources are missing."), (classmate, "Not for your eyes.")):
        with small_school.database.write() as session:
            session.add(
                tables.Submission(
                    organisation_id=course.organisation_id,
                    context_id=course.context_id,
                    placement_id=placed.placement_id,
                    evidence_key="report",
                    learner_id=one,
                    number=1,
                    state="returned",
                    text="My report",
                    submitted_at=NOW,
                    judged_at=NOW,
                    comment=comment,
                )
            )
    shown = view(small_school, course, learner)
    (card,) = shown.in_progress
    assert card.comments == {"report": "The sources are missing."}
    assert (card.is_read, card.read_at, shown.freshness) == (False, None, None), "nothing of it is read"


def test_a_launch_without_a_course_still_has_a_wallet(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    award_in(small_school, course, placed, learner)
    shown = view(small_school, course, learner, context_id=None, context_title=None)
    assert len(shown.earned) == 1
    assert shown.in_progress == ()


def test_staff_see_no_progress_of_their_own(small_school: School) -> None:
    course = small_school.course()
    factories.placed(small_school.database, course)
    (person,) = factories.enrol(small_school.database, course)
    shown = view(small_school, course, person, can_view_progress=True)
    assert (shown.in_progress, shown.is_staff_view) == ((), True)


def test_who_is_never_awarded_is_told_so(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    factories.grade(small_school.database, course, placed, [learner], 100)
    small_school.change(tables.Learner, is_test_user=True)
    (card,) = view(small_school, course, learner, is_read_only=True).in_progress
    assert (card.verdict, card.exclusion) == (Verdict.EXCLUDED, Exclusion.TEST_USER)


@pytest.mark.parametrize("score", [None, 10, 90])
def test_who_holds_it_is_not_asked_again(small_school: School, score: int | None) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    factories.grade(small_school.database, course, placed, [learner], score)
    award_in(small_school, course, placed, learner)
    assert view(small_school, course, learner).in_progress == ()


def test_the_age_shown_is_that_of_the_oldest_reading_and_troubles_are_named(small_school: School) -> None:
    school = small_school
    course = school.course()
    criterion = AllOf(
        (ScoreAtLeast("quiz", "Quiz 1", Decimal(80)), ScoreAtLeast("talk", "Talk", Decimal(50)))
    )
    placed = factories.placed(school.database, course, criterion=criterion)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 90)
    (card,) = view(school, course, learner).in_progress
    assert [leaf.state is State.MET for leaf in card.finding.leaves()].count(True) == 1
    assert (len(card.finding.parts), card.read_at, card.troubles) == (2, None, ())
    older = NOW - timedelta(hours=5)
    read = {"read_at": older, "is_complete": True, "trouble": "platform_timed_out"}
    factories.column(school.database, course, placed, "talk", **read)
    (card,) = view(school, course, learner).in_progress
    assert (card.read_at, card.troubles) == (older, (ErrorCode.PLATFORM_TIMED_OUT,))


def test_two_hundred_badges_cost_as_many_queries_as_one(small_school: School) -> None:
    school = small_school
    course = school.course()
    (learner,) = factories.enrol(school.database, course)
    counted = []
    for count in (1, 60):
        for _ in range(count):
            placed = factories.placed(school.database, course, status="removed")
            award_in(school, course, placed, learner)
        with school.database.statements() as seen:
            shown = view(school, course, learner)
        counted.append(len(seen))
    assert len(shown.earned) == 61
    assert counted[0] == counted[1]


@pytest.mark.parametrize(
    "changes, is_told",
    [
        ({}, True),
        ({"can_view_progress": False}, False),
        ({"gate_id": "gate"}, False),
        ({"is_copied_link": True}, False),
        ({"link_role": "badge"}, False),
    ],
    ids=str,
)
def test_a_gate_that_no_rule_asks_for_is_told_to_staff(
    small_school: School, changes: dict[str, object], is_told: bool
) -> None:
    """Learners can do nothing about it, and a copied course is told that it is one."""
    course = small_school.course()
    (person,) = factories.enrol(small_school.database, course)
    launched = {"link_role": "gate", "can_view_progress": True, **changes}
    assert view(small_school, course, person, **launched).is_forgotten_gate is is_told
