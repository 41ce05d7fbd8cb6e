"""Changing a draft: who may, until when, and what becomes of its columns and gates."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.criteria import AllOf, GatePassed, ScoreAtLeast
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.criteria_format import dump_criteria, parse_criteria
from lti_tool.services.editing import Editing, Refusal
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.store import tables
from tests import factories
from tests.factories import Course
from tests.integration.services.school import School
from tests.integration.services.test_configuring import (
    FIELDS,
    SETTINGS,
    configuring,
    described,
    items,
    narrate,
    teacher,
)

GATE = {"criteria-2-kind": "gate", "criteria-2-label": "Forum"}


def editing(school: School) -> Editing:
    return Editing(school.database, school.clock)


def drafted(school: School, course: Course | None = None, **changes: str) -> tuple[SessionView, str]:
    """A teacher in the course, not in deep linking, and the placement that they made."""
    session = teacher(school, course or school.course())
    described(school, session, **changes)
    (placement,) = school.rows(tables.Placement, tables.Placement.context_id == session.context_id)
    return replace(session, deep_linking=None), placement.id


def save(
    school: School, session: SessionView, placement_id: str, *, forgets: int = 0, **changes: str
) -> None:
    service = editing(school)
    opened = service.open(session, placement_id)
    fields = {**opened.form.to_fields(), **changes}
    fields = {name: value for name, value in fields.items() if value != "gone"}
    service.save(
        session,
        placement_id,
        MicromoduleForm.from_fields(fields),
        narrate,
        language="en",
        revision=opened.revision,
        forgets=forgets,
    )


def refused(school: School, session: SessionView, placement_id: str) -> Refusal:
    with pytest.raises(Conflict) as opening:
        editing(school).open(session, placement_id)
    with pytest.raises(Conflict) as saving:
        editing(school).save(
            session, placement_id, MicromoduleForm.from_fields(FIELDS), narrate, language="en", revision=""
        )
    for error in (opening.value, saving.value):
        assert error.code is ErrorCode.PLACEMENT_NOT_EDITABLE
    assert opening.value.params == saving.value.params
    return Refusal(str(opening.value.params["reason"]))


def test_a_draft_opens_as_it_was_typed(school: School) -> None:
    session, placement_id = drafted(school, **GATE)
    opened = editing(school).open(session, placement_id)
    typed = MicromoduleForm.from_fields({**FIELDS, **GATE})
    assert opened.form.criterion() == typed.criterion()
    assert replace(opened.form, rows=typed.rows) == typed
    assert opened.micromodule_choices == opened.achievement_choices == (), "not itself"


def test_what_was_filled_in_opens_empty_again(small_school: School) -> None:
    """The description would go on saying the rules of before."""
    session, placement_id = drafted(small_school, description="", image_alt="")
    opened = editing(small_school).open(session, placement_id)
    assert (opened.form.description, opened.form.image_alt) == ("", "")
    save(small_school, session, placement_id, name="Charts")
    (achievement,) = small_school.rows(tables.AchievementVersion)
    (version,) = small_school.rows(tables.MicromoduleVersion)
    assert (achievement.description, version.description) == ("Pass the quiz.", "")


def test_a_draft_of_before_which_repeats_its_criteria_opens_empty(small_school: School) -> None:
    session, placement_id = drafted(small_school, description="")
    small_school.change(tables.MicromoduleVersion, description="Pass the quiz.")
    assert editing(small_school).open(session, placement_id).form.description == ""


def test_a_changed_draft_says_the_new_and_nothing_else_is_made(school: School) -> None:
    session, placement_id = drafted(school)
    (before,) = school.rows(tables.AchievementVersion)
    save(school, session, placement_id, name="Reading charts", **{"criteria-0-threshold": "75"}, **GATE)

    (version,) = school.rows(tables.MicromoduleVersion)
    (achievement,) = school.rows(tables.AchievementVersion)
    criterion = parse_criteria(version.criteria)
    assert isinstance(criterion, AllOf)
    assert criterion.parts[0] == ScoreAtLeast("quiz-1", "Quiz 1", Decimal(75))
    assert criterion.parts[2] == GatePassed("gate:forum", "Forum")
    assert (version.name, achievement.name, version.number, achievement.number) == (
        *("Reading charts",) * 2,
        *(1,) * 2,
    )
    assert version.achievement_version_id == achievement.id != before.id, "browsers keep its old picture"
    (gate,) = school.rows(tables.Gate)
    assert (gate.placement_id, gate.label) == (placement_id, "Forum")
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "placement.changed")
    assert event.actor == f"learner:{session.learner_id}"
    assert (event.subject_id, event.organisation_id) == (placement_id, session.organisation_id)
    assert len(school.rows(tables.Placement)) == len(school.rows(tables.Micromodule)) == 1


def columns(school: School) -> dict[str, Any]:
    return {row.evidence_key: row for row in school.rows(tables.LineItem)}


def test_columns_follow_and_those_that_are_made_keep_their_grades(school: School) -> None:
    session, placement_id = drafted(school)
    made = columns(school)["quiz-1"].id
    school.change(tables.LineItem, tables.LineItem.id == made, id_on_platform="https://lms.example/7")
    save(
        school,
        session,
        placement_id,
        name="Charts",
        **{"criteria-0-threshold": "80", "criteria-1-label": "Essay"},
    )
    found = columns(school)
    assert set(found) == {"quiz-1", "essay"}
    assert (found["quiz-1"].id, found["quiz-1"].label) == (made, "Quiz 1 · Reading maps")
    assert found["essay"].label == "Essay · Charts"


def test_a_column_that_is_not_asked_for_is_forgotten_with_its_grades(school: School) -> None:
    session, placement_id = drafted(school)
    column = columns(school)["quiz-1"]
    school.change(tables.LineItem, tables.LineItem.id == column.id, id_on_platform="https://lms.example/7")
    with school.database.write() as writing:
        writing.add(
            tables.Result(
                organisation_id=session.organisation_id,
                line_item_id=column.id,
                learner_id=session.learner_id,
                score=Decimal(80),
                maximum=Decimal(100),
                read_at=school.clock(),
            )
        )
    save(school, session, placement_id, **{"criteria-0-channel": "attest"})
    found = columns(school)["quiz-1"]
    assert (found.tag, found.id_on_platform) == ("attest", None)
    assert found.id != column.id
    assert school.rows(tables.Result) == []


def one_problem(school: School, session: SessionView, placement_id: str, **changes: str) -> Any:
    with pytest.raises(RequestInvalid) as error:
        save(school, session, placement_id, **changes)
    (problem,) = error.value.params["problems"]  # type: ignore[misc]
    return problem


def test_more_points_than_a_column_that_is_made_can_hold_are_refused(school: School) -> None:
    """The LMS caps its grades at the column's maximum: nobody could ever earn it."""
    session, placement_id = drafted(school)
    points = {"criteria-0-unit": "points"}
    save(school, session, placement_id, **points, **{"criteria-0-threshold": "250"})
    assert columns(school)["quiz-1"].score_maximum == 250, "nobody has made it yet"
    made = columns(school)["quiz-1"].id
    school.change(tables.LineItem, tables.LineItem.id == made, id_on_platform="https://lms.example/7")
    problem = one_problem(school, session, placement_id, **points, **{"criteria-0-threshold": "251"})
    assert (problem.field, problem.code) == ("criteria-0-threshold", FormProblem.COLUMN_TOO_LOW)
    assert problem.params == {"maximum": Decimal(250)}
    (version,) = school.rows(tables.MicromoduleVersion)
    assert "251" not in str(version.criteria), "nothing was changed"
    save(school, session, placement_id, **{"criteria-0-threshold": "250"})
    # Another channel is another column, which is made as large as it has to be.
    save(school, session, placement_id, **{"criteria-0-threshold": "251", "criteria-0-channel": "attest"})
    assert columns(school)["quiz-1"].score_maximum == 251


def test_a_column_that_was_raised_in_the_lms_holds_what_its_grades_say(school: School) -> None:
    session, placement_id = drafted(school)
    made = columns(school)["quiz-1"].id
    school.change(tables.LineItem, tables.LineItem.id == made, id_on_platform="https://lms.example/7")
    with school.database.write() as writing:
        writing.add(
            tables.Result(
                organisation_id=session.organisation_id,
                line_item_id=made,
                learner_id=session.learner_id,
                score=Decimal(80),
                maximum=Decimal(300),
                read_at=school.clock(),
            )
        )
    points = {"criteria-0-unit": "points"}
    save(school, session, placement_id, **points, **{"criteria-0-threshold": "300"})
    problem = one_problem(school, session, placement_id, **points, **{"criteria-0-threshold": "301"})
    assert problem.params == {"maximum": Decimal(300)}


def test_the_column_of_somebodys_word_stays_while_it_is_asked_for(small_school: School) -> None:
    """It is made on request, so no rule lists it among its columns."""
    person = {"criteria-2-kind": "attested", "criteria-2-label": "Talk given"}
    session, placement_id = drafted(small_school, **person)
    with small_school.database.write() as writing:
        writing.add(
            tables.LineItem(
                organisation_id=session.organisation_id,
                context_id=session.context_id,
                placement_id=placement_id,
                tag="attest",
                evidence_key="attested:talk-given",
                label="Talk given",
                score_maximum=Decimal(1),
                created_at=small_school.clock(),
            )
        )
    save(small_school, session, placement_id, name="Charts")
    assert "attested:talk-given" in columns(small_school)
    save(small_school, session, placement_id, **{"criteria-2-label": "Another talk"})
    assert "attested:talk-given" not in columns(small_school)


TALK = {"criteria-2-kind": "attested", "criteria-2-label": "Talk given"}


def attested(school: School, **changes: str) -> tuple[SessionView, str, list[str]]:
    """A draft for which two people were confirmed, one of whom was taken back, and who they are."""
    course = school.course()
    session = teacher(school, course)
    described(school, session, **TALK, **changes)
    (placement,) = school.rows(tables.Placement, tables.Placement.context_id == session.context_id)
    people = factories.enrol(school.database, course, 2)
    with school.database.write() as writing:
        writing.add_all(
            tables.Attestation(
                organisation_id=session.organisation_id,
                placement_id=placement.id,
                evidence_key="attested:talk-given",
                learner_id=person,
                is_attested=number == 0,
                at=school.clock(),
            )
            for number, person in enumerate(people)
        )
    return replace(session, deep_linking=None), placement.id, people


def words(school: School) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in school.rows(tables.Attestation):
        found.setdefault(row.evidence_key, set()).add(row.learner_id)
    return found


def test_somebodys_word_follows_a_rule_that_is_renamed(school: School) -> None:
    session, placement_id, people = attested(school)
    save(school, session, placement_id, **{"criteria-2-label": "Talk held"})
    assert words(school) == {"attested:talk-held": set(people)}
    save(school, session, placement_id, **{"criteria-2-label": "Talk given"})
    assert words(school) == {"attested:talk-given": set(people)}


def test_what_was_confirmed_is_forgotten_only_by_who_knows(school: School) -> None:
    """A rule that is removed and described again must not find people confirmed whom nobody sees."""
    session, placement_id, people = attested(school)
    problem = one_problem(school, session, placement_id, **{"criteria-2-kind": "gate"})
    assert (problem.field, problem.code) == ("criteria", FormProblem.WORDS_LOST)
    assert problem.params == {"number": 1}, "what was taken back is no loss"
    assert words(school) == {"attested:talk-given": set(people)}
    save(school, session, placement_id, forgets=1, **{"criteria-2-kind": "gate"})
    assert words(school) == {}
    events = school.rows(tables.AuditEvent, tables.AuditEvent.action == "placement.changed")
    assert [event.detail["forgotten"] for event in events] == [1]
    save(school, session, placement_id, **TALK)
    assert words(school) == {}


def test_who_was_told_of_fewer_is_told_again(small_school: School) -> None:
    session, placement_id, people = attested(small_school)
    small_school.change(tables.Attestation, is_attested=True)
    with pytest.raises(RequestInvalid):
        save(small_school, session, placement_id, forgets=1, **{"criteria-2-kind": "gate"})
    assert words(small_school) == {"attested:talk-given": set(people)}


def test_words_that_no_rule_asks_for_any_more_do_not_come_back(small_school: School) -> None:
    """Left behind by a version that kept them."""
    session, placement_id, people = attested(small_school)
    small_school.change(
        tables.Attestation,
        tables.Attestation.learner_id == people[1],
        evidence_key="attested:talk-held",
        is_attested=True,
    )
    save(small_school, session, placement_id, **{"criteria-2-label": "Talk held"})
    assert words(small_school) == {"attested:talk-held": {people[0]}}


def test_the_words_for_another_badge_stay(small_school: School) -> None:
    session, placement_id, people = attested(small_school)
    other = factories.placed(small_school.database, small_school.course())
    small_school.change(
        tables.Attestation,
        tables.Attestation.learner_id == people[1],
        placement_id=other.placement_id,
        is_attested=True,
    )
    save(small_school, session, placement_id, forgets=1, **{"criteria-2-kind": "gate"})
    assert words(small_school) == {"attested:talk-given": {people[1]}}


def test_a_gate_that_is_not_asked_for_goes_and_one_that_stays_keeps_its_link(small_school: School) -> None:
    session, placement_id = drafted(small_school, **GATE)
    (before,) = small_school.rows(tables.Gate)
    save(small_school, session, placement_id, name="Charts")
    (kept,) = small_school.rows(tables.Gate)
    assert (kept.id, kept.link_key) == (before.id, before.link_key)
    save(small_school, session, placement_id, **{"criteria-2-kind": "attested"})
    assert small_school.rows(tables.Gate) == []


def confirmed_gate(school: School, session: SessionView) -> Any:
    """The only gate, opened and confirmed, with everybody let through."""
    with school.database.write() as writing:
        link = tables.ResourceLink(
            organisation_id=session.organisation_id,
            context_id=session.context_id,
            id_on_platform="9",
            role="gate",
            created_at=school.clock(),
        )
        writing.add(link)
    school.change(
        tables.Gate,
        state="confirmed",
        allows_everybody=True,
        confirmed_at=school.clock(),
        confirmed_by_id=session.learner_id,
        resource_link_id=link.id,
        read_at=school.clock(),
    )
    (gate,) = school.rows(tables.Gate)
    return gate


def test_a_renamed_gate_keeps_its_link_and_asks_to_be_confirmed_again(school: School) -> None:
    """Its activity stands in the LMS: under another key its launch would open nothing."""
    session, placement_id = drafted(school, **GATE)
    before = confirmed_gate(school, session)
    save(school, session, placement_id, **{"criteria-2-label": "Wiki"})
    (gate,) = school.rows(tables.Gate)
    assert (gate.id, gate.link_key, gate.resource_link_id) == (
        before.id,
        before.link_key,
        before.resource_link_id,
    )
    assert (gate.evidence_key, gate.label, gate.state) == ("gate:wiki", "Wiki", "open")
    assert (gate.allows_everybody, gate.confirmed_at, gate.confirmed_by_id) == (False, None, None)
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "placement.changed")
    assert event.detail["renamed"] == {"gate:forum": "gate:wiki"}


def test_a_gate_that_is_only_spelt_differently_stays_confirmed(small_school: School) -> None:
    session, placement_id = drafted(small_school, **GATE)
    confirmed_gate(small_school, session)
    save(small_school, session, placement_id, **{"criteria-2-label": "FORUM"})
    (gate,) = small_school.rows(tables.Gate)
    assert (gate.evidence_key, gate.label, gate.state) == ("gate:forum", "FORUM", "confirmed")


def test_a_renamed_gate_that_nobody_opened_waits_on(small_school: School) -> None:
    session, placement_id = drafted(small_school, **GATE)
    (before,) = small_school.rows(tables.Gate)
    save(small_school, session, placement_id, **{"criteria-2-label": "Wiki"})
    (gate,) = small_school.rows(tables.Gate)
    assert (gate.id, gate.link_key, gate.state) == (before.id, before.link_key, "waiting")


def test_a_gate_that_is_called_as_another_was_gets_a_link_of_its_own(school: School) -> None:
    session, placement_id = drafted(school, **GATE)
    save(school, session, placement_id, **{"criteria-2-label": "Wiki"})
    (wiki,) = school.rows(tables.Gate)
    save(school, session, placement_id, **{"criteria-3-kind": "gate", "criteria-3-label": "Forum"})
    found = {gate.label: gate for gate in school.rows(tables.Gate)}
    assert set(found) == {"Wiki", "Forum"}
    assert found["Wiki"].id == wiki.id
    assert found["Forum"].link_key not in ("", wiki.link_key)
    kept = found["Forum"].link_key
    save(school, session, placement_id, name="Charts")
    assert {gate.label: gate.link_key for gate in school.rows(tables.Gate)}["Forum"] == kept


def test_two_gates_that_are_renamed_at_once_are_told_apart_by_their_places(small_school: School) -> None:
    more = {"criteria-3-kind": "gate", "criteria-3-label": "Page"}
    session, placement_id = drafted(small_school, **GATE, **more)
    before = {gate.label: gate.id for gate in small_school.rows(tables.Gate)}
    save(small_school, session, placement_id, **{"criteria-2-label": "Wiki", "criteria-3-label": "Book"})
    after = {gate.label: gate.id for gate in small_school.rows(tables.Gate)}
    assert after == {"Wiki": before["Forum"], "Book": before["Page"]}


def test_placed_again_a_renamed_gate_is_offered_with_the_link_that_it_has(school: School) -> None:
    session, placement_id = drafted(school, **GATE)
    save(school, session, placement_id, **{"criteria-2-label": "Wiki"})
    (gate,) = school.rows(tables.Gate)
    (version,) = school.rows(tables.MicromoduleVersion)
    picking = replace(session, deep_linking=teacher(school, school.course()).deep_linking)
    answer = configuring(school).place(picking, version.id)
    offered = {item["custom"]["badge_link_key"] for item in items(answer)}
    assert gate.link_key in offered
    assert len(offered) == 2


# -- until when


def test_what_is_published_is_not_changed(school: School) -> None:
    session, placement_id = drafted(school)
    school.change(tables.Placement, status="active")
    assert refused(school, session, placement_id) is Refusal.PUBLISHED


def test_what_another_course_uses_is_not_changed(small_school: School) -> None:
    course = small_school.course()
    session = teacher(small_school, course)
    described(small_school, session)
    (placement,) = small_school.rows(tables.Placement)
    (version,) = small_school.rows(tables.MicromoduleVersion)
    (sibling,) = factories.courses_beside(small_school.database, course, 1)
    configuring(small_school).place(teacher(small_school, sibling), version.id)
    own = replace(session, deep_linking=None)
    assert refused(small_school, own, placement.id) is Refusal.PLACED_ELSEWHERE


def test_what_was_placed_again_since_the_lms_kept_no_link_can_be_changed(school: School) -> None:
    """A teacher cancels the LMS's own form, and later takes the badge from the list."""
    session, placement_id = drafted(school, **GATE)
    (before,) = school.rows(tables.Placement)
    (version,) = school.rows(tables.MicromoduleVersion)
    picking = replace(session, deep_linking=teacher(school, school.course()).deep_linking)
    configuring(school).place(picking, version.id)
    (placement,) = school.rows(tables.Placement)
    assert (placement.id, placement.badge_link_key) == (placement_id, before.badge_link_key)
    save(school, session, placement_id, name="Charts")


def test_what_was_placed_twice_and_opened_stands_twice(small_school: School) -> None:
    session, _placement_id = drafted(small_school)
    (before,) = small_school.rows(tables.Placement)
    (version,) = small_school.rows(tables.MicromoduleVersion)
    with small_school.database.write() as writing:
        writing.add(
            tables.ResourceLink(
                organisation_id=session.organisation_id,
                context_id=session.context_id,
                id_on_platform="5",
                badge_link_key=before.badge_link_key,
                role="badge",
                created_at=small_school.clock(),
            )
        )
    picking = replace(session, deep_linking=teacher(small_school, small_school.course()).deep_linking)
    configuring(small_school).place(picking, version.id)
    assert len(small_school.rows(tables.Placement)) == 2


@pytest.mark.parametrize("what", ["completion", "award"])
def test_what_somebody_earned_is_not_changed(school: School, what: str) -> None:
    session, placement_id = drafted(school)
    (version,) = school.rows(tables.MicromoduleVersion)
    common = {
        "organisation_id": session.organisation_id,
        "learner_id": session.learner_id,
        "context_id": session.context_id,
    }
    now = school.clock()
    row: tables.Base = (
        tables.Completion(**common, micromodule_version_id=version.id, met_at=now, recorded_at=now)
        if what == "completion"
        else tables.Award(
            **common, achievement_version_id=version.achievement_version_id, met_at=now, awarded_at=now
        )
    )
    with school.database.write() as writing:
        writing.add(row)
    assert refused(school, session, placement_id) is Refusal.EARNED


def test_criteria_that_the_form_cannot_show_are_not_touched(small_school: School) -> None:
    session, placement_id = drafted(small_school)
    one = ScoreAtLeast("a", "Quiz", Decimal(60))
    hidden = dump_criteria(AllOf((one, replace(one, key="b"))))
    small_school.change(tables.MicromoduleVersion, criteria=hidden)
    with pytest.raises(Conflict) as error:
        editing(small_school).open(session, placement_id)
    assert error.value.params["reason"] is Refusal.NOT_SHOWN
    assert editing(small_school).export(session, placement_id).stored == hidden


def test_a_change_is_not_saved_over_somebody_elses(school: School) -> None:
    session, placement_id = drafted(school)
    opened = editing(school).open(session, placement_id)
    save(school, session, placement_id, name="Theirs")
    with pytest.raises(Conflict) as error:
        editing(school).save(
            session, placement_id, opened.form, narrate, language="en", revision=opened.revision
        )
    assert error.value.code is ErrorCode.CONFLICT
    (version,) = school.rows(tables.MicromoduleVersion)
    assert version.name == "Theirs"


@pytest.mark.parametrize("kind", ["completed", "holds"])
def test_nothing_asks_for_itself(small_school: School, kind: str) -> None:
    session, placement_id = drafted(small_school)
    (version,) = small_school.rows(tables.MicromoduleVersion)
    (achievement,) = small_school.rows(tables.Achievement)
    choice = version.micromodule_id if kind == "completed" else achievement.id
    with pytest.raises(RequestInvalid) as error:
        save(
            small_school,
            session,
            placement_id,
            **{"criteria-2-kind": kind, "criteria-2-choice": choice},
        )
    (problem,) = error.value.params["problems"]  # type: ignore[misc]
    assert (problem.field, problem.code) == ("criteria-2-choice", FormProblem.NEEDS_ITSELF)  # type: ignore[has-type]


# -- who may


@pytest.mark.parametrize(
    "changes", [{"can_configure": False}, {"is_read_only": True}, {"context_id": None}], ids=str
)
def test_only_who_configures_changes(small_school: School, changes: dict[str, Any]) -> None:
    session, placement_id = drafted(small_school)
    other = replace(session, **changes)
    with pytest.raises(NotAllowed):
        editing(small_school).open(other, placement_id)
    with pytest.raises(NotAllowed):
        editing(small_school).save(
            other, placement_id, MicromoduleForm.from_fields(FIELDS), narrate, language="en", revision=""
        )


@pytest.mark.parametrize("whose", ["another course", "another organisation"])
def test_the_draft_of_another_course_is_not_there(school: School, whose: str) -> None:
    course = school.course()
    described(school, teacher(school, course))
    (placement,) = school.rows(tables.Placement)
    (sibling,) = factories.courses_beside(school.database, course, 1)
    stranger = teacher(school, sibling if whose == "another course" else school.course(), deep_linking=None)
    for attempt in (editing(school).open, editing(school).export):
        with pytest.raises(NotFound) as error:
            attempt(stranger, placement.id)
        assert error.value.code is ErrorCode.PLACEMENT_NOT_FOUND
    with pytest.raises(NotFound):
        editing(school).save(
            stranger, placement.id, MicromoduleForm.from_fields(FIELDS), narrate, language="en", revision=""
        )


def test_a_learner_exports_nothing(small_school: School) -> None:
    session, placement_id = drafted(small_school)
    learner = replace(session, can_view_progress=False, can_configure=False)
    with pytest.raises(NotAllowed):
        editing(small_school).export(learner, placement_id)
    grader = replace(session, can_configure=False)
    assert editing(small_school).export(grader, placement_id).name == "Reading maps"


def test_what_was_typed_and_not_saved_waits_for_whoever_typed_it(school: School) -> None:
    course = school.course()
    session, placement_id = drafted(school, course)
    service = editing(school)
    opened = service.open(session, placement_id)
    assert not opened.is_unsaved
    service.save_draft(session, placement_id, {**opened.form.to_fields(), "name": "Half"}, opened.revision)
    again = service.open(session, placement_id)
    assert (again.form.name, again.revision, again.is_unsaved) == ("Half", opened.revision, True)
    assert service.open(session, placement_id, discards=True) == opened
    colleague = teacher(school, course, deep_linking=None)
    assert service.open(colleague, placement_id) == opened
    save(school, session, placement_id, description="Saved")
    assert not service.open(session, placement_id).is_unsaved
    assert school.rows(tables.Draft) == []


def test_typing_over_somebody_elses_change_is_noticed_when_it_is_saved(school: School) -> None:
    course = school.course()
    session, placement_id = drafted(school, course)
    service = editing(school)
    opened = service.open(session, placement_id)
    service.save_draft(session, placement_id, {**opened.form.to_fields(), "name": "Half"}, opened.revision)
    colleague = teacher(school, course, deep_linking=None)
    save(school, colleague, placement_id, name="Whole")
    mine = service.open(session, placement_id)
    with pytest.raises(Conflict) as caught:
        service.save(session, placement_id, mine.form, narrate, language="en", revision=mine.revision)
    assert caught.value.code is ErrorCode.CONFLICT


def test_a_new_badge_and_changes_of_placed_ones_are_kept_side_by_side(school: School) -> None:
    session, placement_id = drafted(school)
    service, new = editing(school), replace(session, deep_linking=SETTINGS)
    opened = service.open(session, placement_id)
    service.save_draft(session, placement_id, {**opened.form.to_fields(), "name": "Half"}, opened.revision)
    configuring(school).save_draft(new, {"name": "Brand new"})
    service.save_draft(session, placement_id, {**opened.form.to_fields(), "name": "More"}, opened.revision)
    (row,) = school.rows(tables.Draft)
    assert row.form["name"] == "Brand new"
    assert service.open(session, placement_id).form.name == "More"
    described(school, new)
    assert service.open(session, placement_id).form.name == "More", "placing forgets the new form alone"
    (row,) = school.rows(tables.Draft)
    assert "name" not in row.form


def test_drafts_of_another_course_or_of_those_who_may_not_change_are_not_kept(school: School) -> None:
    session, placement_id = drafted(school)
    fields = editing(school).open(session, placement_id).form.to_fields()
    elsewhere = replace(teacher(school, school.course()), deep_linking=None)
    with pytest.raises(NotFound):
        editing(school).save_draft(elsewhere, placement_id, fields, "")
    for changes in ({"can_configure": False}, {"is_read_only": True}):
        with pytest.raises(NotAllowed):
            editing(school).save_draft(replace(session, **changes), placement_id, fields, "")
    assert school.rows(tables.Draft) == []
