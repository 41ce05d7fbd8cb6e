"""Next versions of milestones, criteria typed without JSON; nobody publishes what they did not see."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from threading import Thread

import pytest
import sqlalchemy as sa

from lti_tool.domain.criteria import (
    AllOf,
    AtLeast,
    Completed,
    Criterion,
    HoldsAchievement,
    MicromodulesCompleted,
    Within,
)
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_rules import Rule, Rules, rules_of
from lti_tool.services.milestone_versions import MilestoneComparison, MilestoneVersions
from lti_tool.services.next_version import Answer
from lti_tool.services.staffing import StaffView
from lti_tool.store import milestones as store
from lti_tool.store import persons, tables
from tests.factories import NOW
from tests.integration.services.milestone_campus import EXPLORER, Campus, office, plain, problems_of
from tests.integration.services.school import School

NEWS = Answer("It takes three now.")


def versions(campus: Campus) -> MilestoneVersions:
    return MilestoneVersions(campus.school.database, campus.school.clock, campus.school.hints)


def compared(campus: Campus, milestone_id: str, form: MilestoneForm, answer: Answer) -> MilestoneComparison:
    return versions(campus).compare(campus.staff, milestone_id, form, answer, plain, "en")


def published(campus: Campus, milestone_id: str, form: MilestoneForm, answer: Answer = NEWS) -> int:
    """As somebody does who has just looked at it."""
    seen = compared(campus, milestone_id, form, answer).mark
    return versions(campus).publish(campus.staff, milestone_id, form, answer, plain, "en", seen=seen)


# -- activating what was seen


def changed_draft(campus: Campus, milestone_id: str, form: MilestoneForm) -> None:
    campus.milestones.change(campus.staff, milestone_id, replace(form, description="Other."), plain, "en")


def grown_category(campus: Campus, milestone_id: str, form: MilestoneForm) -> None:
    office(campus.school).set_categories(campus.staff, campus.micromodule(2), [form.category_id])


@pytest.mark.parametrize("policy", ["keep", "next_version"])
@pytest.mark.parametrize("change", [changed_draft, grown_category])
def test_nobody_activates_what_they_did_not_see(
    school: School, policy: str, change: Callable[[Campus, str, MilestoneForm], None]
) -> None:
    campus = Campus(school)
    form = MilestoneForm("learner", "Data", category_id=campus.category(0, 1), addition_policy=policy)
    milestone_id = campus.milestones.create(campus.staff, form, plain, "en")
    seen = campus.milestones.dry_run(campus.staff, milestone_id).mark
    assert seen == campus.milestones.one(campus.staff, milestone_id).mark
    change(campus, milestone_id, form)
    with pytest.raises(Conflict):
        campus.milestones.activate(campus.staff, milestone_id, plain, seen=seen)
    assert campus.milestones.one(campus.staff, milestone_id).view.status == "draft"
    campus.activate(milestone_id)
    assert campus.milestones.one(campus.staff, milestone_id).view.status == "active"


def test_the_dry_run_of_a_draft_asks_what_it_would_ask_if_it_began_now(small_school: School) -> None:
    """A list is taken from the category when it begins, and not when somebody described it."""
    campus = Campus(small_school)
    category_id = campus.category(0)
    form = MilestoneForm("learner", "Data", category_id=category_id, addition_policy="next_version")
    ada = campus.learner()
    campus.complete(ada, 0)
    milestone_id = campus.milestones.create(campus.staff, form, plain, "en")
    assert [row.learner_id for row in campus.milestones.dry_run(campus.staff, milestone_id).rows] == [ada]
    grown_category(campus, milestone_id, form)
    assert not campus.milestones.dry_run(campus.staff, milestone_id).rows


# -- next versions


def test_a_next_version_asks_anew_and_holders_keep_what_they_have(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada, bob = campus.learner(), campus.learner()
    for number in range(3):
        campus.complete(ada, number, NOW - timedelta(days=9 - number))
    for number in range(2):
        campus.complete(bob, number, NOW - timedelta(days=9 - number))
    assert len(campus.awards()) == 2
    form = MilestoneForm(name="Explorer", count="3")
    found = compared(campus, milestone_id, form, NEWS)
    assert (found.number, found.holders) == (2, 2)
    assert (found.tally.meeting, found.tally.holders, found.tally.holders_meeting) == (1, 2, 1)
    assert found.differences.changes_criteria
    assert published(campus, milestone_id, form) == 2
    assert ("decide_milestone", {"milestone_id": milestone_id}) in school.hints.offered
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1
    assert sorted(award.learner_id for award in campus.awards()) == sorted([ada, ada, bob])
    # The badge of before stays, and says that there is a newer one; the new one is dated by the third.
    page = campus.milestones.one(campus.staff, milestone_id)
    assert (page.view.number, page.form.count) == (2, "3")
    newest = next(one for one in campus.awards() if one.met_at == NOW - timedelta(days=7))
    assert newest.learner_id == ada
    (version,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == page.view.achievement_version_id
    )
    assert (version.number, version.whats_new, version.published_by) == (2, NEWS.whats_new, "cli")
    assert school.rows(tables.AuditEvent, tables.AuditEvent.action == "milestone.version_published")


def test_badges_of_the_version_before_may_end(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada = campus.learner()
    for number in range(2):
        campus.complete(ada, number)
    school.clock.forward(days=1)
    published(campus, milestone_id, MilestoneForm(name="Explorer", count="3"), Answer("Three.", "now"))
    first, second = sorted(
        school.rows(
            tables.AchievementVersion,
            tables.AchievementVersion.achievement_id
            == campus.milestones.one(campus.staff, milestone_id).view.achievement_id,
        ),
        key=lambda version: version.number,
    )
    assert (first.expires_at, second.expires_at) == (school.clock(), None)
    assert school.expiring.due(10) == (first.id,)


def test_a_list_of_a_category_is_taken_anew(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0)
    form = MilestoneForm("learner", "Data", category_id=category_id, addition_policy="next_version")
    milestone_id = campus.active(form)
    grown_category(campus, milestone_id, form)
    published(campus, milestone_id, form)
    ada = campus.learner()
    campus.complete(ada, 0)
    assert not campus.awards()
    campus.complete(ada, 2)
    assert len(campus.awards()) == 1


def test_nobody_publishes_what_they_did_not_see_nor_nothing(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    form = MilestoneForm(name="Explorer", count="3")
    seen = compared(campus, milestone_id, form, NEWS).mark
    publish = versions(campus).publish
    with pytest.raises(Conflict):
        publish(campus.staff, milestone_id, replace(form, count="4"), NEWS, plain, "en", seen=seen)
    publish(campus.staff, milestone_id, form, NEWS, plain, "en", seen=seen)
    with pytest.raises(Conflict):
        publish(campus.staff, milestone_id, form, NEWS, plain, "en", seen=seen)
    with pytest.raises(RequestInvalid) as refused:
        published(campus, milestone_id, form)
    assert [one.code for one in problems_of(refused.value)] == [FormProblem.NOTHING_CHANGED]
    with pytest.raises(RequestInvalid) as refused:
        published(campus, milestone_id, EXPLORER, Answer(""))
    assert [one.field for one in problems_of(refused.value)] == ["whats_new"]
    campus.milestones.retire(campus.staff, milestone_id)
    with pytest.raises(Conflict):
        versions(campus).begin(campus.staff, milestone_id)


def test_of_two_who_publish_at_once_one_is_refused(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    form = MilestoneForm(name="Explorer", count="3")
    seen = compared(campus, milestone_id, form, NEWS).mark
    refused: list[Conflict] = []

    def publish() -> None:
        try:
            versions(campus).publish(campus.staff, milestone_id, form, NEWS, plain, "en", seen=seen)
        except Conflict as error:
            refused.append(error)

    workers = [Thread(target=publish) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(refused) == 2
    assert campus.milestones.one(campus.staff, milestone_id).view.number == 2


def test_who_decides_about_the_version_before_meanwhile_gives_it_to_nobody(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada = campus.learner()
    campus.complete(ada, 0)
    decide = type(campus.milestones)._decide

    def once_published(self: object, *about: object) -> tuple[str, ...]:
        monkeypatch.undo()
        published(campus, milestone_id, MilestoneForm(name="Explorer", count="3"))
        return decide(self, *about)  # type: ignore[arg-type]

    monkeypatch.setattr(type(campus.milestones), "_decide", once_published)
    campus.complete(ada, 1)
    assert not campus.awards()
    assert campus.milestones.due(10) == (milestone_id,)


def test_next_versions_are_for_editors_of_the_organisation(small_school: School) -> None:
    campus, others = Campus(small_school, 1), Campus(small_school, 1)
    milestone_id = campus.active(MilestoneForm(name="Explorer", count="1"))
    reader = StaffView("s", campus.organisation_id, "O", "staff:r", "R", StaffRole.READER, None, NOW)
    service = versions(campus)
    for staff, error in ((reader, NotAllowed), (others.staff, NotFound)):
        with pytest.raises(error):
            service.begin(staff, milestone_id)
        with pytest.raises(error):
            service.compare(staff, milestone_id, EXPLORER, NEWS, plain, "en")
        with pytest.raises(error):
            service.publish(staff, milestone_id, EXPLORER, NEWS, plain, "en", seen="")


def test_joined_accounts_are_one_person_in_the_counts(small_school: School) -> None:
    campus = Campus(small_school)
    milestone_id = campus.active()
    ada, ada_elsewhere = campus.learner(), campus.learner()
    with small_school.database.write() as session:
        persons.join(session, campus.organisation_id, [ada, ada_elsewhere], NOW)
    for learner_id, number in ((ada, 0), (ada_elsewhere, 1), (ada_elsewhere, 2)):
        campus.complete(learner_id, number)
    found = compared(campus, milestone_id, MilestoneForm(name="Explorer", count="3"), NEWS)
    assert (found.tally.meeting, found.tally.holders, found.tally.holders_meeting) == (1, 1, 1)


# -- criteria without JSON


def test_rules_without_json_ask_for_what_they_say(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0, 1, 2)
    (first,) = [campus.active(MilestoneForm(name="First", count="1"))]
    achievement_id = campus.milestones.one(campus.staff, first).view.achievement_id
    fields = {
        "kind": "own",
        "name": "Expert",
        "way": "at_least",
        "needed": "2",
        "rule-0-what": f"category:{category_id}",
        "rule-0-count": "2",
        "rule-2-what": f"holds:{achievement_id}",
        "rule-3-what": f"completed:{campus.micromodule(2)}",
    }
    milestone_id = campus.active(MilestoneForm.from_fields(fields))
    view = campus.milestones.one(campus.staff, milestone_id).view
    criterion = parse_criteria(view.criteria)
    assert isinstance(criterion, AtLeast)
    assert [type(part) for part in criterion.parts] == [MicromodulesCompleted, HoldsAchievement, Completed]
    assert criterion.parts[1] == HoldsAchievement(achievement_id, "First")
    # The form says again what was typed, and a rule of another organisation's is none.
    form = campus.milestones.one(campus.staff, milestone_id).form
    assert (form.rules.way, form.rules.needed, form.criteria_json) == ("at_least", "2", "")
    assert form.rules.rules[0] == Rule(f"category:{category_id}", "2")
    ada = campus.learner()
    campus.complete(ada, 0)
    assert len(campus.awards()) == 1
    campus.complete(ada, 1)
    assert len(campus.awards()) == 2
    others = Campus(school, 1)
    with pytest.raises(RequestInvalid) as refused:
        others.milestones.create(others.staff, MilestoneForm.from_fields(fields), plain, "en")
    assert {one.code for one in problems_of(refused.value)} == {FormProblem.UNKNOWN_CHOICE}


@pytest.mark.parametrize(
    "criterion",
    [
        Within(MicromodulesCompleted("O", 2), NOW),
        AllOf((AllOf((Completed("m", "M"),)), Completed("n", "N"))),
        MicromodulesCompleted("List", 1, ("m", "n")),
    ],
)
def test_what_rules_cannot_say_stays_json(criterion: Criterion) -> None:
    assert rules_of(criterion) is None


def test_rules_say_what_was_said_in_json(small_school: School) -> None:
    criterion = AllOf((MicromodulesCompleted("O", 2), Completed("m", "M")))
    assert rules_of(criterion) == Rules((Rule("organisation", "2"), Rule("completed:m")))
    assert rules_of(MicromodulesCompleted("O")) == Rules((Rule("organisation"),))


def test_a_milestone_cannot_ask_for_itself_by_a_rule(small_school: School) -> None:
    campus = Campus(small_school)
    form = MilestoneForm.from_fields({"kind": "own", "name": "Own", "rule-0-what": "organisation"})
    milestone_id = campus.milestones.create(campus.staff, form, plain, "en")
    own = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    assert own not in dict(campus.milestones.choices(campus.staff, milestone_id).achievements)
    wrong = replace(form, rules=Rules((Rule(f"holds:{own}"),)))
    with pytest.raises(RequestInvalid):
        campus.milestones.change(campus.staff, milestone_id, wrong, plain, "en")


def test_a_retired_version_is_no_newest(small_school: School) -> None:
    campus = Campus(small_school)
    milestone_id = campus.active()
    published(campus, milestone_id, MilestoneForm(name="Explorer", count="3"))
    with small_school.database.read() as session:
        (active,) = store.active(session, campus.organisation_id)
        numbers = session.scalars(sa.select(tables.MilestoneVersion.number)).all()
    assert sorted(numbers) == [1, 2]
    assert json.dumps(active.criteria).count('"count": 3') == 1
