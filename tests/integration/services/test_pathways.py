"""What a badge opens, what comes first, and how far a learner is on the way, on both databases."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
)
from lti_tool.domain.pathways import Standing
from lti_tool.errors import NotFound
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.pathways import SHOWN, Pathways
from lti_tool.services.wallet import Wallet, WalletView
from lti_tool.store import facts, persons, placements, tables, wallets
from lti_tool.store import pathways as pathways_store
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.milestone_campus import Campus, plain
from tests.integration.services.school import School, session_of
from tests.integration.services.test_circles import achievement_of, module_of
from tests.integration.services.test_versions import quiz


@dataclass
class Ladder:
    """Three badges of one course, each asking for the one before; and a learner."""

    school: School
    course: Course
    steps: list[Placed]
    learner_id: str

    @property
    def pathways(self) -> Pathways:
        return Pathways(self.school.database, self.school.clock)

    def achievement(self, number: int) -> str:
        return achievement_of(self.school, self.steps[number].achievement_version_id)

    def session(self, **changes: Any) -> Any:
        return session_of(self.course, self.learner_id, **changes)

    def path(self, number: int = 2, **changes: Any) -> Any:
        return self.pathways.path(self.session(**changes), self.achievement(number))

    def wallet(self, **changes: Any) -> WalletView:
        school = self.school
        wallet = Wallet(
            school.database,
            school.awarding,
            school.urls,
            school.ages,
            pathways_of=self.pathways.beside,
        )
        return wallet.view(self.session(**changes))

    def earn(self, number: int) -> str:
        return self.school.issued(self.course, self.steps[number], self.learner_id)


def placed(school: School, course: Course, criterion: Criterion, **changes: Any) -> Placed:
    return factories.placed(school.database, course, criterion=criterion, **changes)


@pytest.fixture
def ladder(school: School) -> Ladder:
    course = school.course()
    first = placed(school, course, quiz())
    asked = HoldsAchievement(achievement_of(school, first.achievement_version_id), "First")
    second = placed(school, course, AllOf((quiz(), asked)))
    third = placed(school, course, Completed(module_of(school, second), "Second"))
    return Ladder(school, course, [first, second, third], factories.enrol(school.database, course)[0])


def test_the_way_says_what_is_done_what_can_be_started_and_what_comes_later(ladder: Ladder) -> None:
    assert [step.standing for step in ladder.path().steps] == [Standing.OPEN, Standing.LATER, Standing.LATER]
    ladder.earn(0)
    way = ladder.path()
    assert [step.standing for step in way.steps] == [Standing.DONE, Standing.OPEN, Standing.LATER]
    assert [step.level for step in way.steps] == [0, 1, 2]
    assert [step.is_goal for step in way.steps] == [False, False, True]
    assert [[need.is_met for need in step.needs] for step in way.steps] == [[], [True], [False]]
    assert way.done == 1
    assert way.opens == ()
    assert [row.name for row in ladder.path(0).opens] == [way.steps[1].row.name]


def test_a_badge_that_is_over_or_revoked_is_no_step_done(ladder: Ladder) -> None:
    credential_id = ladder.earn(0)
    table = tables.Credential
    for change in ({"valid_until": NOW - timedelta(days=1)}, {"valid_until": None, "revoked_at": NOW}):
        ladder.school.change(table, table.id == credential_id, **change)
        assert ladder.path().steps[0].standing is Standing.OPEN


def test_a_badge_that_ended_is_to_be_regained_though_it_was_finished_once(ladder: Ladder) -> None:
    """The second asks for the badge of the first, the third only that the second was finished."""
    school = ladder.school
    factories.grade(school.database, ladder.course, ladder.steps[0], [ladder.learner_id], 90)
    school.change(tables.LineItem, tables.LineItem.id == ladder.steps[0].line_item_id, evidence_key="quiz-1")
    school.awarding.decide_context(ladder.course.organisation_id, ladder.course.context_id)
    (award,) = school.rows(tables.Award)
    credential_id = school.issuing.issue_credential(award.id)
    assert school.rows(tables.Completion)
    assert [step.standing for step in ladder.path().steps][:2] == [Standing.DONE, Standing.OPEN]
    ladder.steps.append(placed(school, ladder.course, Completed(module_of(school, ladder.steps[0]), "First")))
    table = tables.Credential
    # Who only asks that it was finished has that still, unless its badge was revoked.
    for change, is_finished in (
        ({"valid_until": NOW - timedelta(days=1)}, True),
        ({"valid_until": None, "revoked_at": NOW}, False),
    ):
        school.change(table, table.id == credential_id, **change)
        way = ladder.path()
        assert [step.standing for step in way.steps][:2] == [Standing.OPEN, Standing.LATER]
        assert way.steps[0].is_lost
        assert [need.is_met for need in way.steps[1].needs] == [False]
        assert [need.is_met for need in ladder.path(3).steps[-1].needs] == [is_finished]


def test_a_paused_badge_counts_wherever_something_asks_for_it(ladder: Ladder) -> None:
    """Nobody can do anything to get it again, and it is valid afterwards as if nothing had been."""
    school = ladder.school
    credential_id = ladder.earn(0)
    first, second = ladder.wallet().earned[0].achievement_version_id, ladder.steps[1]
    school.change(tables.Credential, tables.Credential.id == credential_id, suspended_at=NOW)
    way = ladder.path()
    assert [step.standing for step in way.steps] == [Standing.DONE, Standing.OPEN, Standing.LATER]
    view = ladder.wallet()
    (badge,) = view.earned
    assert (badge.state, badge.counts) == (BadgeState.SUSPENDED, True)
    assert [row.achievement_version_id for row in view.pathways[first].opens] == [
        second.achievement_version_id
    ]
    # What it opened, once it is earned and paused, is no next step either.
    other_id = ladder.earn(1)
    school.change(tables.Credential, tables.Credential.id == other_id, suspended_at=NOW)
    assert ladder.wallet().pathways[first].opens == ()
    for change in ({"valid_until": NOW}, {"valid_until": None, "revoked_at": NOW}):
        school.change(tables.Credential, tables.Credential.id == other_id, **change)
        assert not ladder.wallet().earned[0].counts or not ladder.wallet().earned[1].counts
        assert len(ladder.wallet().pathways[first].opens) == 1


@pytest.mark.parametrize("is_signed", [True, False])
def test_the_wallet_and_decisions_say_the_same_of_what_counts(school: School, is_signed: bool) -> None:
    """By every combination of what may have become of a badge."""
    course = school.course()
    placed_ = factories.placed(school.database, course)
    past, future = NOW - timedelta(days=1), NOW + timedelta(days=1)
    combinations = list(
        itertools.product(
            *(
                [{name: value} for value in values]
                for name, values in (
                    ("valid_until", (None, past, NOW, future)),
                    ("suspended_at", (None, past)),
                    ("revoked_at", (None, past)),
                )
            )
        )
    )
    learner_ids = factories.enrol(school.database, course, len(combinations))
    for learner_id, changes in zip(learner_ids, combinations, strict=True):
        award_id = factories.award(school.database, course, placed_, learner_id)
        if is_signed:
            factories.credential(school.database, course, award_id)
            of_award = tables.Credential.award_id == award_id
            school.change(tables.Credential, of_award, **{k: v for one in changes for k, v in one.items()})
    achievement_id = achievement_of(school, placed_.achievement_version_id)
    for version_ends_at in (None, past, NOW, future):
        of_version = tables.AchievementVersion.id == placed_.achievement_version_id
        school.change(tables.AchievementVersion, of_version, expires_at=version_ends_at)
        with school.database.read() as session:
            held = facts.holdings(session, course.organisation_id, [achievement_id], learner_ids, NOW)
            for learner_id in learner_ids:
                (view,) = wallets.earned_by(session, course.organisation_id, learner_id)
                (badge,) = pathways_store.had(session, course.organisation_id, learner_id, NOW)
                counts = learner_id in held[achievement_id]
                assert (view.counts(NOW), badge.is_in_force) == (counts, counts)


def test_a_version_that_ended_is_over_as_decisions_see_it(ladder: Ladder) -> None:
    ladder.earn(0)
    table = tables.AchievementVersion
    school, version_id = ladder.school, ladder.steps[0].achievement_version_id
    school.change(table, table.id == version_id, expires_at=NOW - timedelta(days=1))
    assert ladder.path().steps[0].standing is Standing.OPEN


def test_what_was_done_in_another_account_counts_for_milestones_alone(school: School) -> None:
    """Badges of courses are decided about one account: the way must not say more than the criteria do."""
    campus = Campus(school)
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="2"))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    first = Completed(campus.micromodule(0), "First")
    goal = placed(school, campus.courses[0], AllOf((first, HoldsAchievement(badge, "Explorer"))))
    here, elsewhere = campus.learner(), campus.learner(course=1)
    with school.database.write() as session:
        person = tables.Person(organisation_id=campus.organisation_id, created_at=NOW)
        session.add(person)
        session.flush()
        person_id = person.id
    for learner_id in (here, elsewhere):
        school.change(tables.Learner, tables.Learner.id == learner_id, person_id=person_id)
    campus.complete(elsewhere, 0)
    pathways = Pathways(school.database, school.clock)
    achievement_id = achievement_of(school, goal.achievement_version_id)
    way = pathways.path(session_of(campus.courses[0], here), achievement_id)
    by_name = {step.row.name: step for step in way.steps}
    assert by_name["Explorer"].needs[0].reached == 1
    (need,) = [one for one in way.steps[-1].needs if one.step == campus.micromodule(0)]
    assert not need.is_met


def test_nobody_else_s_progress_is_on_the_way(ladder: Ladder) -> None:
    ladder.earn(0)
    (other,) = factories.enrol(ladder.school.database, ladder.course)
    way = ladder.pathways.path(session_of(ladder.course, other), ladder.achievement(2))
    assert way.done == 0
    assert not any(step.is_lost for step in way.steps)


def test_what_is_not_offered_any_more_cannot_be_started(ladder: Ladder) -> None:
    placement = tables.Placement
    ladder.school.change(placement, placement.id == ladder.steps[0].placement_id, status="removed")
    assert ladder.path().steps[0].standing is Standing.LATER


def test_a_category_that_is_needed_whole_is_named_step_by_step(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1, 2)
    # What is being prepared is no part of it yet.
    school.change(tables.Placement, tables.Placement.id == campus.placed[2].placement_id, status="draft")
    form = MilestoneForm(kind="learner", name="All of data", category_id=category_id)
    milestone_id = campus.active(form)
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    learner_id = campus.learner()
    campus.complete(learner_id, 1)
    way = Pathways(school.database, school.clock).path(session_of(campus.courses[0], learner_id), badge)
    assert {step.row.step for step in way.steps} == {badge, campus.micromodule(0), campus.micromodule(1)}
    assert {need.step: need.is_met for need in way.steps[-1].needs} == {
        campus.micromodule(0): False,
        campus.micromodule(1): True,
    }


def test_a_draft_that_was_discarded_is_no_step_and_named_to_nobody(school: School) -> None:
    """As the decision says, which does not ask for it."""
    campus = Campus(school)
    category_id = campus.category(0, 1, 2)
    draft_id = campus.placed[2].placement_id
    school.change(tables.Placement, tables.Placement.id == draft_id, status="draft")
    with school.database.write() as session:
        assert placements.remove(session, campus.organisation_id, campus.courses[2].context_id, draft_id)
    milestone_id = campus.active(MilestoneForm(kind="learner", name="All of data", category_id=category_id))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    learner_id = campus.learner()
    campus.complete(learner_id, 0)
    campus.complete(learner_id, 1)
    assert len(campus.awards()) == 1
    way = Pathways(school.database, school.clock).path(session_of(campus.courses[0], learner_id), badge)
    assert {step.row.step for step in way.steps} == {badge, campus.micromodule(0), campus.micromodule(1)}


def test_what_was_revoked_does_not_count_for_a_milestone_on_the_way_either(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    learner_id, twin_id = campus.learner(), campus.learner()
    school.issuing.issue_for(campus.complete(learner_id, 0))
    (credential,) = school.rows(tables.Credential)
    school.revoking.revoke(credential.id, "A mistake", "staff:1")
    campus.complete(learner_id, 1)
    assert campus.decision(learner_id).verdict != "award"
    pathways = Pathways(school.database, school.clock)
    (need,) = pathways.path(session_of(campus.courses[0], learner_id), badge).steps[-1].needs
    assert (need.reached, need.is_met) == (1, False)
    # Finished once more under another name, it counts again.
    campus.complete(twin_id, 0)
    with school.database.write() as session:
        persons.join(session, campus.organisation_id, [learner_id, twin_id], NOW)
    (need,) = pathways.path(session_of(campus.courses[0], learner_id), badge).steps[-1].needs
    assert (need.reached, need.is_met) == (2, True)


def test_what_was_put_aside_is_no_step_of_a_list_that_is_needed_whole(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1)
    form = MilestoneForm(
        kind="learner", name="All of data", category_id=category_id, addition_policy="next_version"
    )
    milestone_id = campus.active(form)
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    school.change(tables.Micromodule, tables.Micromodule.id == campus.micromodule(0), archived_at=NOW)
    way = Pathways(school.database, school.clock).path(session_of(campus.courses[0], campus.learner()), badge)
    assert [need.step for need in way.steps[-1].needs] == [campus.micromodule(1)]


def test_more_than_there_are_is_not_reached_though_all_are_done(school: School) -> None:
    """As the decision says: five of three are not there yet."""
    campus = Campus(school)
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="5"))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    learner_id = campus.learner()
    for number in range(3):
        campus.complete(learner_id, number)
    school.change(tables.Micromodule, tables.Micromodule.id == campus.micromodule(0), archived_at=NOW)
    way = Pathways(school.database, school.clock).path(session_of(campus.courses[0], learner_id), badge)
    (need,) = way.steps[-1].needs
    assert (need.reached, need.least, need.is_met) == (3, 5, False)


def test_a_long_way_is_named_in_part_and_what_can_be_started_first(small_school: School) -> None:
    course = small_school.course()
    (learner_id,) = factories.enrol(small_school.database, course)
    last = placed(small_school, course, quiz())
    for number in range(SHOWN + 20):
        last = placed(small_school, course, Completed(module_of(small_school, last), f"Step {number}"))
    way = Pathways(small_school.database, small_school.clock).path(
        session_of(course, learner_id), achievement_of(small_school, last.achievement_version_id)
    )
    assert (len(way.steps), way.total) == (SHOWN, SHOWN + 21)
    assert way.steps[0].standing is Standing.OPEN
    assert way.steps[-1].is_goal


def test_the_wallet_says_what_a_badge_opens_and_what_comes_first(ladder: Ladder) -> None:
    before = ladder.wallet()
    cards = {card.placement_id: card.first for card in before.in_progress}
    assert [cards[step.placement_id] for step in ladder.steps] == [(), ("First",), ("Second",)]
    ladder.earn(0)
    after = ladder.wallet()
    version_id = ladder.steps[0].achievement_version_id
    assert version_id is not None
    assert [row.achievement_id for row in after.pathways[version_id].opens] == [ladder.achievement(1)]
    assert {card.placement_id: card.first for card in after.in_progress}[ladder.steps[1].placement_id] == ()
    ladder.earn(1)
    assert ladder.wallet().pathways[version_id].opens == (), "it is in the wallet already"


def test_what_is_being_prepared_is_named_to_nobody(ladder: Ladder) -> None:
    ladder.school.change(
        tables.Placement, tables.Placement.id == ladder.steps[2].placement_id, status="draft"
    )
    assert ladder.path(1).opens == ()
    assert ladder.pathways.public(ladder.achievement(1)).opens == ()
    with pytest.raises(NotFound):
        ladder.path(2)
    assert len(ladder.path(2, can_view_progress=True, is_learner=False).steps) == 3


def test_who_teaches_or_is_not_known_sees_the_way_and_nobody_s_progress(ladder: Ladder) -> None:
    ladder.earn(0)
    for changes in (
        {"can_view_progress": True, "is_learner": False},
        {"is_anonymous": True},
        {"is_read_only": True},
    ):
        way = ladder.path(**changes)
        assert not way.is_personal
        assert way.done == 0


def test_another_organisation_s_achievement_has_no_way_here(ladder: Ladder) -> None:
    other = ladder.school.course()
    (learner_id,) = factories.enrol(ladder.school.database, other)
    with pytest.raises(NotFound):
        ladder.pathways.path(session_of(other, learner_id), ladder.achievement(2))
    # Criteria of theirs that name our badge open nothing here.
    placed(ladder.school, other, HoldsAchievement(ladder.achievement(2), "Theirs"))
    ladder.earn(2)
    assert ladder.path(2).opens == ()
    assert ladder.pathways.public(ladder.achievement(2)).opens == ()
    version_id = ladder.steps[2].achievement_version_id
    assert ladder.pathways.beside(other.organisation_id, [str(version_id)], []) == {}


def test_nobody_s_achievement_has_no_way(ladder: Ladder) -> None:
    with pytest.raises(NotFound):
        ladder.pathways.path(ladder.session(), "0" * 32)
    assert ladder.pathways.public("0" * 32).requires == ()


def test_everybody_is_told_what_a_badge_requires_and_opens(ladder: Ladder) -> None:
    around = ladder.pathways.public(ladder.achievement(1))
    assert [row.achievement_id for row in around.requires] == [ladder.achievement(0)]
    assert [row.achievement_id for row in around.opens] == [ladder.achievement(2)]


def test_one_of_several_ways_is_said_to_be_one(ladder: Ladder) -> None:
    school = ladder.school
    either = AnyOf((Completed(module_of(school, ladder.steps[0]), "First"), quiz()))
    ladder.steps.append(placed(school, ladder.course, either))
    (need,) = ladder.path(3).steps[-1].needs
    assert not need.is_required


def test_a_milestone_stands_on_the_way_with_what_is_reached_of_it(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="2"))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    advanced = placed(school, campus.courses[0], HoldsAchievement(badge, "Explorer"))
    learner_id = campus.learner()
    pathways = Pathways(school.database, school.clock)
    goal = achievement_of(school, advanced.achievement_version_id)
    campus.complete(learner_id, 0)
    way = pathways.path(session_of(campus.courses[0], learner_id), goal)
    assert way.steps[0].row.name == "Explorer"
    (need,) = way.steps[0].needs
    assert (need.reached, need.least, need.step, need.is_met) == (1, 2, None, False)
    own = MilestoneForm(
        kind="own",
        name="Both",
        criteria_json=_stored(AllOf((MicromodulesCompleted("Any", 1), HoldsAchievement(badge, "Explorer")))),
    )
    campus.milestones.create(campus.staff, own, plain, "en")
    opens = pathways.path(session_of(campus.courses[0], learner_id), badge).opens
    assert opens == (way.goal,), "a draft is nobody's business"


def _stored(criterion: Criterion) -> str:
    return json.dumps(dump_criteria(criterion))


def test_a_wallet_asks_the_same_number_of_questions_however_much_is_open(school: School) -> None:
    counts = []
    for size in (1, 30):
        course = school.course()
        (learner_id,) = factories.enrol(school.database, course)
        first = placed(school, course, quiz())
        school.issued(course, first, learner_id)
        asked = HoldsAchievement(achievement_of(school, first.achievement_version_id), "First")
        more = [placed(school, course, asked) for _ in range(size)]
        one = Ladder(school, course, [first, *more], learner_id)
        with school.database.statements() as statements:
            view = one.wallet()
        assert first.achievement_version_id is not None
        assert len(view.pathways[first.achievement_version_id].opens) == size
        with school.database.statements() as on_the_way:
            assert len(one.path(size).steps) == 2
        counts.append((len(statements), len(on_the_way)))
        assert not [one for one in on_the_way if " LIKE " in one]
        with school.database.statements() as beside:
            one.pathways.beside(course.organisation_id, [first.achievement_version_id], [])
        # Begin, the steps of the badges, what is beside them, and the names of these.
        asked = [each for each in beside if each.startswith("SELECT")]
        assert len(asked) == 4
        assert not [each for each in asked if "criteria" in each]
    assert counts[0] == counts[1]
