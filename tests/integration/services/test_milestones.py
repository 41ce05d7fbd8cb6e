"""Milestones: counted across courses and LMSs, once a person, exactly dated, whoever decides at once."""

from __future__ import annotations

import json
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import State
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.awarding import Awarding
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestones import Milestones
from lti_tool.services.staffing import StaffView
from lti_tool.services.wallet import Wallet
from lti_tool.store import persons, privacy, tables
from tests import factories
from tests.factories import NOW
from tests.integration.services.milestone_campus import EXPLORER, Campus, office, plain, problems_of
from tests.integration.services.school import School, session_of


def test_the_completion_that_makes_it_gives_the_badge_of_that_date(school: School) -> None:
    campus = Campus(school)
    campus.active()
    ada = campus.learner()
    assert len(campus.complete(ada, 0, NOW - timedelta(days=9))) == 1
    assert campus.decision(ada).verdict == Verdict.NOT_YET
    given = campus.complete(ada, 1, NOW - timedelta(days=2))
    (award,) = campus.awards()
    assert award.id in given
    assert (award.learner_id, award.met_at, award.decision_id) == (ada, NOW - timedelta(days=2), None)
    decided = campus.decision(ada)
    assert (decided.verdict, decided.state) == (Verdict.AWARD, State.MET)
    assert set(decided.evidence["facts"]) == {f"completed:{campus.micromodule(number)}" for number in (0, 1)}
    school.issuing.issue_for(given)
    (credential,) = school.rows(tables.Credential, tables.Credential.award_id == award.id)
    signed = json.loads(credential.document)
    assert signed["credentialSubject"]["achievement"]["name"] == "Explorer"
    assert signed["awardedDate"].startswith((NOW - timedelta(days=2)).date().isoformat())


def record_of(campus: Campus, award_id: str) -> str:
    """What the signed badge says of how it was earned."""
    campus.school.issuing.issue_for([award_id])
    (credential,) = campus.school.rows(tables.Credential, tables.Credential.award_id == award_id)
    (said,) = json.loads(credential.document)["evidence"]
    assert said["name"] == "Milestone record"
    narrative: str = said["narrative"]
    return narrative


def test_the_badge_says_what_it_rests_on_and_names_no_course(school: School) -> None:
    campus = Campus(school, 4)
    ada = campus.learner()
    for number in range(3):
        school.change(
            tables.MicromoduleVersion,
            tables.MicromoduleVersion.id == campus.placed[number].micromodule_version_id,
            name=f"Part {number}",
        )
        campus.complete(ada, number, NOW - timedelta(days=9 - number))
    milestone_id = campus.active()
    campus.milestones.work(milestone_id)
    (award,) = campus.awards()
    (organisation,) = school.rows(tables.Organisation)
    first, second = ((NOW - timedelta(days=ago)).date().isoformat() for ago in (9, 8))
    assert record_of(campus, award.id) == (
        f"The criteria were met across the courses of {organisation.name}: “Part 0” (completed {first}), "
        f"“Part 1” (completed {second}). The decision is stored with the evidence it rests on."
    )


def test_what_another_account_did_is_counted_and_not_named(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada, ada_elsewhere = campus.learner(), campus.learner()
    with school.database.write() as session:
        persons.join(session, campus.organisation_id, [ada, ada_elsewhere], NOW)
    campus.complete(ada_elsewhere, 0, NOW - timedelta(days=2))
    campus.complete(ada, 1)
    (award,) = campus.awards()
    assert award.learner_id == ada
    said = record_of(campus, award.id)
    assert "), and 1 that the learner has under another account they joined." in said
    assert said.count("“") == 1
    # Where the reasons were forgotten with the other account, nothing is made up.
    with school.database.write() as session:
        privacy.erase(session, ada_elsewhere, school.clock())
    (credential_id,) = [
        row.id for row in school.rows(tables.Credential, tables.Credential.award_id == award.id)
    ]
    (said_now,) = school.issuing.documents_now([credential_id])[credential_id]["evidence"]
    assert "joined" not in said_now["narrative"]
    assert "Data" not in said_now["narrative"]
    assert campus.milestones.work(milestone_id) == 0


def test_one_completion_more_changes_nothing(school: School) -> None:
    campus = Campus(school)
    campus.active()
    ada = campus.learner()
    for number in (0, 1):
        campus.complete(ada, number, NOW - timedelta(days=9 - number))
    before = campus.decision(ada)
    campus.complete(ada, 2)
    assert len(campus.awards()) == 1
    after = campus.decision(ada)
    assert (after.id, after.digest) == (before.id, before.digest)


def test_two_versions_of_one_micromodule_count_once(small_school: School) -> None:
    campus = Campus(small_school)
    campus.active()
    ada = campus.learner()
    campus.complete(ada, 0)
    with small_school.database.write() as session:
        later = tables.MicromoduleVersion(
            organisation_id=campus.organisation_id,
            micromodule_id=campus.micromodule(0),
            number=2,
            name="Anew",
            description="",
            skills=[],
            criteria={},
            created_at=NOW,
        )
        session.add(later)
        session.flush()
        session.add(
            tables.Completion(
                organisation_id=campus.organisation_id,
                micromodule_version_id=later.id,
                learner_id=ada,
                met_at=NOW,
                recorded_at=NOW,
            )
        )
    campus.milestones.decide(campus.organisation_id, [ada])
    assert not campus.awards()


def test_activating_decides_about_everybody_who_completed_before(school: School) -> None:
    campus = Campus(school)
    learners = [campus.learner() for _ in range(5)]
    for learner_id in learners[:3]:
        campus.complete(learner_id, 0)
        campus.complete(learner_id, 1)
    campus.complete(learners[3], 0)
    milestone_id = campus.active()
    assert ("decide_milestone", {"milestone_id": milestone_id}) in school.hints.offered
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 3
    assert {award.learner_id for award in campus.awards()} == set(learners[:3])
    assert len(school.rows(tables.Credential)) == 3  # of milestones: the others wait for the worker
    assert campus.milestones.due(10) == ()
    assert campus.milestones.work(milestone_id) == 0
    page = campus.milestones.one(campus.staff, milestone_id)
    assert page.progress == (4, 4, 3)


def test_what_a_killed_worker_left_is_found(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada = campus.learner()
    campus.complete(ada, 0)
    school.clock.forward(minutes=1)
    # Killed between the completion's commit and the milestone's.
    alone = Awarding(school.database, school.clock)
    factories.grade(school.database, campus.courses[1], campus.placed[1], [ada], 90)
    alone.decide_learner(campus.organisation_id, campus.courses[1].context_id, ada)
    assert not campus.awards()
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1
    assert campus.milestones.due(10) == ()


def test_all_of_a_category_means_what_is_offered_in_it_now(school: School) -> None:
    campus = Campus(school)
    form = MilestoneForm(kind="learner", name="Data", category_id=campus.category(0, 1, 2))
    milestone_id = campus.active(form)
    ada = campus.learner()
    campus.complete(ada, 0)
    campus.complete(ada, 1, NOW - timedelta(days=1))
    assert not campus.awards()
    school.clock.forward(minutes=1)
    office(school).archive_micromodule(campus.staff, campus.micromodule(2), is_archived=True)
    assert campus.milestones.due(10) == (milestone_id,)
    assert campus.milestones.work(milestone_id) == 1
    (award,) = campus.awards()
    assert award.met_at == NOW


def test_a_category_that_grows_takes_no_badge_and_asks_more_of_others(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0)
    campus.active(MilestoneForm(kind="learner", name="Data", category_id=category_id))
    ada, bob = campus.learner(), campus.learner()
    campus.complete(ada, 0)
    with school.database.write() as session:
        campus.put(session, category_id, 1)
    campus.complete(ada, 2)
    campus.complete(bob, 0)
    assert [award.learner_id for award in campus.awards()] == [ada]
    assert campus.decision(ada).verdict == Verdict.AWARD
    assert campus.decision(bob).verdict == Verdict.NOT_YET


def test_what_is_needed_at_the_next_version_is_not_needed_now(school: School) -> None:
    campus = Campus(school)
    category_id = campus.category(0)
    form = MilestoneForm(kind="learner", name="Data", category_id=category_id, addition_policy="next_version")
    campus.active(form)
    with school.database.write() as session:
        campus.put(session, category_id, 1)
    bob = campus.learner()
    campus.complete(bob, 0)
    assert [award.learner_id for award in campus.awards()] == [bob]


def test_joined_learners_count_once_and_get_one_badge(school: School) -> None:
    campus = Campus(school)
    campus.active()
    ada, ada_elsewhere = campus.learner(), campus.learner()
    with school.database.write() as session:
        person = tables.Person(organisation_id=campus.organisation_id, created_at=NOW)
        session.add(person)
        session.flush()
        session.execute(
            sa.update(tables.Learner)
            .where(tables.Learner.id.in_([ada, ada_elsewhere]))
            .values(person_id=person.id)
        )
    campus.complete(ada, 0, NOW - timedelta(days=2))
    campus.complete(ada_elsewhere, 0, NOW - timedelta(days=1))
    assert not campus.awards()
    campus.complete(ada_elsewhere, 1)
    assert [award.learner_id for award in campus.awards()] == [ada_elsewhere]
    campus.complete(ada, 1)
    campus.complete(ada, 2)
    assert len(campus.awards()) == 1
    assert campus.decision(ada).verdict == Verdict.HELD


def test_how_far_deciding_is_counts_those_who_completed_anything_and_no_test_users(school: School) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada, twin, viewer = (campus.learner() for _ in range(3))
    with school.database.write() as session:
        persons.join(session, campus.organisation_id, [ada, twin], NOW)
    campus.complete(viewer, 0)
    school.change(tables.Learner, tables.Learner.id == viewer, is_test_user=True)
    assert campus.milestones.one(campus.staff, milestone_id).progress[:2] == (0, 0)
    campus.complete(ada, 0)
    assert campus.milestones.one(campus.staff, milestone_id).progress[:2] == (1, 1)
    assert campus.milestones.dry_run(campus.staff, milestone_id).learners == 1


def test_erasing_one_account_forgets_what_the_others_rows_told_of_it(school: School) -> None:
    """And the badge that went with the erased account goes to who meets it alone."""
    campus = Campus(school)
    milestone_id = campus.active()
    ada, ada_elsewhere = campus.learner(), campus.learner()
    with school.database.write() as session:
        person = tables.Person(organisation_id=campus.organisation_id, created_at=NOW)
        session.add(person)
        session.flush()
        session.execute(
            sa.update(tables.Learner)
            .where(tables.Learner.id.in_([ada, ada_elsewhere]))
            .values(person_id=person.id)
        )
    campus.complete(ada, 0)
    campus.complete(ada, 1)
    campus.complete(ada_elsewhere, 2)
    assert [award.learner_id for award in campus.awards()] == [ada]
    with school.database.write() as session:
        privacy.erase(session, ada, school.clock())
    assert not school.rows(tables.MilestoneDecision)
    assert campus.milestones.due(10) == (milestone_id,)
    campus.milestones.work(milestone_id)
    assert campus.decision(ada_elsewhere).verdict == Verdict.NOT_YET
    campus.complete(ada_elsewhere, 1)
    assert [award.learner_id for award in campus.awards()] == [ada_elsewhere]


def test_a_completion_whose_badge_was_revoked_counts_no_more(school: School) -> None:
    """And what was given already stays: nothing is ever taken by itself."""
    campus = Campus(school)
    milestone_id = campus.active()
    ada, bob = campus.learner(), campus.learner()
    for learner_id in (ada, bob):
        award_ids = campus.complete(learner_id, 0)
        school.issuing.issue_for(award_ids)
    campus.complete(bob, 1)
    for credential in school.rows(tables.Credential):
        school.revoking.revoke(credential.id, "The grade was another's.", "cli", is_repeatable=False)
    campus.complete(ada, 1)
    assert [award.learner_id for award in campus.awards()] == [bob]
    assert campus.decision(ada).verdict == Verdict.NOT_YET
    assert campus.milestones.due(10) == (milestone_id,)
    campus.milestones.work(milestone_id)
    assert campus.milestones.due(10) == ()
    campus.complete(ada, 2)
    assert sorted(award.learner_id for award in campus.awards()) == sorted([ada, bob])


def test_a_copy_that_nobody_took_over_is_not_offered(small_school: School) -> None:
    """Its link was left out: it stood in no course for anybody."""
    campus = Campus(small_school)
    category_id = campus.category(0, 1)
    campus.active(MilestoneForm(kind="learner", name="Data", category_id=category_id))
    small_school.change(
        tables.Placement,
        tables.Placement.micromodule_version_id == campus.placed[1].micromodule_version_id,
        status="removed",
    )
    ada = campus.learner()
    campus.complete(ada, 0)
    assert [award.learner_id for award in campus.awards()] == [ada]


def test_strangers_of_one_name_are_not_joined(small_school: School) -> None:
    campus = Campus(small_school)
    campus.active()
    one, other = campus.learner(), campus.learner()
    small_school.change(tables.Learner, tables.Learner.id.in_([one, other]), name="Ada", email="a@b.example")
    campus.complete(one, 0)
    campus.complete(other, 1)
    assert not campus.awards()


def test_a_milestone_may_ask_for_another_ones_badge(school: School) -> None:
    campus = Campus(school)
    campus.active()
    (first,) = campus.milestones.every(campus.staff)
    criteria = {
        "version": 2,
        "rule": {
            "type": "all",
            "of": [
                {"type": "holds", "achievement_id": first.view.achievement_id, "label": "Explorer"},
                {"type": "completed", "micromodule_id": campus.micromodule(0), "label": "Basics"},
            ],
        },
    }
    campus.active(MilestoneForm(kind="own", name="Expert", criteria_json=json.dumps(criteria)))
    ada = campus.learner()
    campus.complete(ada, 0)
    campus.complete(ada, 1)
    assert len(campus.awards()) == 2


def test_two_workers_that_decide_at_once_give_one_badge(school: School) -> None:
    campus = Campus(school)
    campus.active()
    ada = campus.learner()
    alone = Awarding(school.database, school.clock)
    for number in (0, 1):
        factories.grade(school.database, campus.courses[number], campus.placed[number], [ada], 90)
        alone.decide_learner(campus.organisation_id, campus.courses[number].context_id, ada)
    workers = [
        Thread(target=campus.milestones.decide, args=(campus.organisation_id, [ada])) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(campus.awards()) == 1
    assert campus.decision(ada).state == State.MET


def test_another_organisations_completions_and_milestones_are_theirs(school: School) -> None:
    campus, others = Campus(school), Campus(school)
    milestone_id = campus.active()
    theirs = others.learner()
    for number in (0, 1, 2):
        others.complete(theirs, number)
    assert campus.milestones.work(milestone_id) == 0
    assert not campus.awards()
    for act in (
        lambda: others.milestones.one(others.staff, milestone_id),
        lambda: others.milestones.activate(others.staff, milestone_id, plain, seen=""),
        lambda: others.milestones.retire(others.staff, milestone_id),
        lambda: others.milestones.dry_run(others.staff, milestone_id),
        lambda: others.milestones.change(others.staff, milestone_id, EXPLORER, plain, "en"),
    ):
        with pytest.raises(NotFound):
            act()
    form = MilestoneForm(kind="learner", name="Stolen", category_id=campus.category(0))
    with pytest.raises(RequestInvalid):
        others.milestones.create(others.staff, form, plain, "en")
    taken = {"type": "completed", "micromodule_id": campus.micromodule(0), "label": "Theirs"}
    form = MilestoneForm(kind="own", name="Stolen", criteria_json=json.dumps({"version": 2, "rule": taken}))
    with pytest.raises(RequestInvalid) as refused:
        others.milestones.create(others.staff, form, plain, "en")
    assert problems_of(refused.value) == (
        Problem("criteria_json", FormProblem.NOT_THERE, {"names": ("Theirs",)}),
    )


def test_readers_look_and_change_nothing(small_school: School) -> None:
    campus = Campus(small_school)
    milestone_id = campus.active()
    reader = StaffView("s", campus.organisation_id, "O", "staff:r", "R", StaffRole.READER, None, NOW)
    assert campus.milestones.one(reader, milestone_id).view.name == "Explorer"
    for act in (
        lambda: campus.milestones.create(reader, EXPLORER, plain, "en"),
        lambda: campus.milestones.change(reader, milestone_id, EXPLORER, plain, "en"),
        lambda: campus.milestones.activate(reader, milestone_id, plain, seen=""),
        lambda: campus.milestones.retire(reader, milestone_id),
    ):
        with pytest.raises(NotAllowed):
            act()


@pytest.mark.parametrize(
    "changes,field,code",
    [
        ({"name": ""}, "name", FormProblem.REQUIRED),
        ({"name": "x" * 201}, "name", FormProblem.TOO_LONG),
        ({"count": "0"}, "count", FormProblem.OUT_OF_RANGE),
        ({"count": "6"}, "count", FormProblem.OUT_OF_RANGE),
        ({"count": "٣"}, "count", FormProblem.OUT_OF_RANGE),
        ({"kind": "other"}, "kind", FormProblem.UNKNOWN_CHOICE),
        ({"kind": "learner"}, "category_id", FormProblem.REQUIRED),
        ({"kind": "learner", "category_id": "0" * 32}, "category_id", FormProblem.UNKNOWN_CHOICE),
        ({"design": "nothing"}, "design", FormProblem.UNKNOWN_CHOICE),
        ({"kind": "own"}, "rule-0-what", FormProblem.REQUIRED),
        ({"kind": "own", "rule-0-what": "completed:x"}, "rule-0-what", FormProblem.UNKNOWN_CHOICE),
        (
            {"kind": "own", "rule-0-what": "organisation", "rule-0-count": "0"},
            "rule-0-count",
            FormProblem.OUT_OF_RANGE,
        ),
        ({"kind": "own", "rule-0-what": "organisation", "way": "most"}, "way", FormProblem.UNKNOWN_CHOICE),
        (
            {"kind": "own", "rule-0-what": "organisation", "way": "at_least", "needed": "2"},
            "needed",
            FormProblem.OUT_OF_RANGE,
        ),
        ({"kind": "own", "criteria_json": "{"}, "criteria_json", FormProblem.IMPORT_NOT_JSON),
        ({"kind": "own", "criteria_json": "[]"}, "criteria_json", FormProblem.IMPORT_NOT_CRITERIA),
        (
            {"kind": "own", "criteria_json": '{"version":2,"rule":{"type":"gate","key":"a","label":"A"}}'},
            "criteria_json",
            FormProblem.NOT_OF_MILESTONES,
        ),
    ],
)
def test_a_form_with_problems_is_refused(
    small_school: School, changes: dict[str, str], field: str, code: FormProblem
) -> None:
    campus = Campus(small_school, 1)
    form = MilestoneForm.from_fields(EXPLORER.to_fields() | changes)
    with pytest.raises(RequestInvalid) as refused:
        campus.milestones.create(campus.staff, form, plain, "en")
    assert refused.value.code is ErrorCode.FORM_INVALID
    assert [(one.field, one.code) for one in problems_of(refused.value)] == [(field, code)]


def test_an_empty_category_can_be_no_milestone(small_school: School) -> None:
    """A list of nothing would read as the whole organisation."""
    campus = Campus(small_school, 1)
    for policy, category_id in (("keep", campus.category()), ("next_version", empty_category(campus))):
        form = MilestoneForm(kind="learner", name="Empty", category_id=category_id, addition_policy=policy)
        with pytest.raises(RequestInvalid) as refused:
            campus.milestones.create(campus.staff, form, plain, "en")
        assert [one.code for one in problems_of(refused.value)] == [FormProblem.CATEGORY_EMPTY]


def empty_category(campus: Campus) -> str:
    """With a draft in it, which nobody can complete."""
    draft = factories.placed(campus.school.database, campus.courses[0], status="draft")
    campus.placed.append(draft)
    return campus.category(len(campus.placed) - 1)


def own_of_category(category_id: str, name: str) -> MilestoneForm:
    rule = {"type": "micromodules", "label": "Data", "count": 1, "category_id": category_id}
    criteria = {"version": 2, "rule": {"type": "any", "of": [rule]}}
    return MilestoneForm(kind="own", name=name, criteria_json=json.dumps(criteria))


def test_a_category_that_a_milestone_asks_for_stays_until_that_is_retired(school: School) -> None:
    campus = Campus(school)
    category_id, other_id = campus.category(0), campus.category(1)
    ready = campus.active(MilestoneForm(kind="learner", name="Ready", category_id=category_id))
    listed = MilestoneForm(
        kind="learner", name="Listed", category_id=category_id, addition_policy="next_version"
    )
    draft = campus.milestones.create(campus.staff, listed, plain, "en")
    own = campus.active(own_of_category(category_id, "Own"))
    for milestone_id, names in (
        (draft, ("Listed", "Own", "Ready")),
        (ready, ("Own", "Ready")),
        (own, ("Own",)),
    ):
        with pytest.raises(Conflict) as refused:
            office(school).delete_category(campus.staff, category_id)
        assert refused.value.code is ErrorCode.CATEGORY_COUNTED
        assert refused.value.params["names"] == names
        called = {draft: "Listed", ready: "Ready", own: "Own"}
        linked = tuple((id_, name) for name in names for id_ in called if called[id_] == name)
        assert refused.value.params["milestones"] == linked
        campus.milestones.retire(campus.staff, milestone_id)
    office(school).delete_category(campus.staff, category_id)
    office(school).delete_category(campus.staff, other_id)
    # Retired ones are still there to be looked at.
    assert {row.view.category_id for row in campus.milestones.every(campus.staff)} == {None}
    assert campus.milestones.one(campus.staff, ready).view.status == "retired"


def test_a_draft_is_changed_and_discarded_and_an_active_one_retired(school: School) -> None:
    campus = Campus(school)
    draft = campus.milestones.create(campus.staff, EXPLORER, plain, "en")
    campus.milestones.change(
        campus.staff, draft, MilestoneForm(name="Wanderer", count="3", description="Of three."), plain, "en"
    )
    page = campus.milestones.one(campus.staff, draft)
    assert (page.view.name, page.form.count, page.form.description) == ("Wanderer", "3", "Of three.")
    campus.milestones.retire(campus.staff, draft)
    assert campus.milestones.every(campus.staff) == ()
    assert not school.rows(tables.Milestone)
    milestone_id = campus.active()
    ada = campus.learner()
    campus.complete(ada, 0)
    with pytest.raises(Conflict):
        campus.milestones.change(campus.staff, milestone_id, EXPLORER, plain, "en")
    campus.activate(milestone_id)
    campus.milestones.retire(campus.staff, milestone_id)
    campus.complete(ada, 1)
    assert not campus.awards()
    assert campus.milestones.work(milestone_id) == 0
    with pytest.raises(Conflict):
        campus.activate(milestone_id)
    actions = [row.action for row in school.rows(tables.AuditEvent) if row.subject_kind == "milestone"]
    assert sorted(actions) == [
        "milestone.activated",
        "milestone.changed",
        "milestone.created",
        "milestone.created",
        "milestone.discarded",
        "milestone.retired",
    ]


def test_a_dry_run_says_who_and_why_and_writes_nothing(school: School) -> None:
    campus = Campus(school)
    learners = [campus.learner() for _ in range(30)]
    for learner_id in learners:
        campus.complete(learner_id, 0, NOW - timedelta(days=3))
    for learner_id in learners[:28]:
        campus.complete(learner_id, 1, NOW - timedelta(days=1))
    milestone_id = campus.milestones.create(campus.staff, EXPLORER, plain, "en")
    first = campus.milestones.dry_run(campus.staff, milestone_id)
    assert (len(first.rows), first.learners) == (25, 30)
    assert first.after is not None
    second = campus.milestones.dry_run(campus.staff, milestone_id, first.after)
    assert (len(second.rows), second.after) == (3, None)
    found = [*first.rows, *second.rows]
    assert {row.learner_id for row in found} == set(learners[:28])
    assert {(row.met_at, row.has_it) for row in found} == {(NOW - timedelta(days=1), False)}
    assert all(row.name and row.finding.state is State.MET for row in found)
    assert not school.rows(tables.MilestoneDecision)
    assert not campus.awards()


def test_deciding_costs_nothing_without_news_and_one_question_without_a_milestone(
    small_school: School,
) -> None:
    campus = Campus(small_school)
    ada = campus.learner()
    plainly = Awarding(small_school.database, small_school.clock)
    counted = {}
    for name, awarding in (("without", plainly), ("with", campus.awarding)):
        bob = campus.learner()
        factories.grade(small_school.database, campus.courses[0], campus.placed[0], [bob], 90)
        for news in (True, False):
            with small_school.database.statements() as statements:
                awarding.decide_learner(campus.organisation_id, campus.courses[0].context_id, bob)
            counted[name, news] = len([one for one in statements if not one.startswith("BEGIN")])
    assert counted["with", False] == counted["without", False]
    assert counted["with", True] == counted["without", True] + 1
    assert ada


def test_a_wallet_shows_how_far_the_milestones_are_in_every_course(school: School) -> None:
    campus = Campus(school)
    ada = campus.learner()
    wallet = Wallet(school.database, campus.awarding, school.urls, school.ages, campus.milestones.of_learner)
    campus.complete(ada, 0)
    asked = []
    for number in range(1, 4):
        campus.active(MilestoneForm(name=f"Explorer {number}", count="2"))
        if number == 1:
            category_id = campus.category(0, 2)
        campus.active(MilestoneForm(kind="learner", name=f"Data {number}", category_id=category_id))
        with school.database.statements() as statements:
            view = wallet.view(session_of(campus.courses[2], ada))
        asked.append(len([one for one in statements if not one.startswith("BEGIN")]))
    assert asked[0] == asked[1] == asked[2]
    explorer = next(card for card in view.milestones if card.name == "Explorer 1")
    assert [part.state for part in explorer.finding.parts] == [State.MET]
    data = next(card for card in view.milestones if card.name == "Data 1")
    assert sorted(part.state for part in data.finding.parts) == [State.MET, State.NOT_MET]
    campus.complete(ada, 1)
    view = wallet.view(session_of(campus.courses[2], ada))
    assert "Explorer 1" not in [card.name for card in view.milestones]
    assert "Explorer 1" in [badge.name for badge in view.earned]


def test_one_that_is_retired_just_before_it_is_decided_about_is_given_to_nobody(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school)
    milestone_id = campus.active()
    ada = campus.learner()
    campus.complete(ada, 0)
    decide = Milestones._decide

    def once_retired(self: Milestones, *about: Any) -> tuple[str, ...]:
        campus.milestones.retire(campus.staff, milestone_id)
        return decide(self, *about)

    monkeypatch.setattr(Milestones, "_decide", once_retired)
    campus.complete(ada, 1)
    assert not campus.awards()
