"""The next version of a published micromodule: who may, what it shows, what it changes, and two at once."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, cast

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    Attested,
    Channel,
    Criterion,
    GatePassed,
    HoldsAchievement,
    ScoreAtLeast,
)
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Answer, Author, Fate, Policy, Prospect
from lti_tool.services.versions import Versions
from lti_tool.store import audit, copies, privacy, schedule, tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School, session_of
from tests.integration.services.test_configuring import configuring, teacher

TEACHER = {"can_view_progress": True, "can_configure": True, "is_learner": False}
ARTWORK = {"shape": "circle", "icon": "award", "background": "#0b6a5d", "foreground": "#ffffff", "text": ""}


@dataclass
class Deciding:
    """Notes for which courses it was asked to decide."""

    asked: list[tuple[Any, ...]] = field(default_factory=list)

    def decide(self, *about: Any) -> None:
        self.asked.append(about)


def narrate(criterion: Criterion, language: str) -> str:
    return f"What is asked ({language}): {criterion!r}"


def problems_of(error: RequestInvalid) -> list[tuple[str, FormProblem]]:
    problems = cast("tuple[Problem, ...]", error.params["problems"])
    return [(problem.field, problem.code) for problem in problems]


def quiz(threshold: int = 80) -> ScoreAtLeast:
    return ScoreAtLeast("quiz-1", "Quiz 1", Decimal(threshold), channel=Channel.MIRROR)


@dataclass
class Desk:
    """A published micromodule and what prepares its next version."""

    school: School
    course: Course
    placed: Placed
    micromodule_id: str
    deciding: Deciding = field(default_factory=Deciding)

    @property
    def versions(self) -> Versions:
        school = self.school
        return Versions(school.database, school.clock, school.hints, self.deciding, school.awarding)

    @property
    def staff(self) -> Author:
        return Author(self.course.organisation_id, "staff:anna", None)

    def teacher(self, **changes: Any) -> Author:
        teacher_id = factories.enrol(self.school.database, self.course)[0]
        return Author.teaching(session_of(self.course, teacher_id, **{**TEACHER, **changes}))

    def prepare(self, author: Author, fields: Mapping[str, str] | None = None, **changes: str) -> None:
        """Type what is published, and these changes."""
        view = self.versions.begin(author, self.micromodule_id)
        typed = {**view.form.to_fields(), **ARTWORK, **(fields or {}), **changes}
        self.versions.save(author, self.micromodule_id, typed, revision=view.revision, draft=view.draft)

    def compare(self, author: Author) -> Any:
        return self.versions.compare(author, self.micromodule_id, narrate, language="en")

    def publish(self, author: Author, answer: Answer | None = None, seen: str | None = None) -> Any:
        return self.versions.publish(
            author,
            self.micromodule_id,
            answer or Answer("Ninety instead of eighty."),
            narrate,
            language="en",
            seen=self.compare(author).mark if seen is None else seen,
        )


def desk(school: School, criterion: Criterion | None = None, **placed: Any) -> Desk:
    course = school.course()
    criterion = criterion or AllOf((quiz(),))
    made = factories.placed(school.database, course, criterion=criterion, **placed)
    if made.achievement_version_id is not None:
        words = narrate(criterion, "en")
        school.change(
            tables.AchievementVersion,
            tables.AchievementVersion.id == made.achievement_version_id,
            criteria_narrative=words,
        )
    school.change(tables.LineItem, tables.LineItem.id == made.line_item_id, evidence_key="quiz-1")
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == made.micromodule_version_id
    )
    return Desk(school, course, made, version.micromodule_id)


def also_in(
    school: School, one: Desk, *, status: str = "active", key: str = "elsewhere"
) -> tuple[Course, str]:
    """The same micromodule in another course of the organisation; the course and its placement's id."""
    (beside,) = factories.courses_beside(school.database, one.course, 1)
    with school.database.write() as session:
        row = tables.Placement(
            organisation_id=beside.organisation_id,
            context_id=beside.context_id,
            badge_link_key=key,
            micromodule_version_id=one.placed.micromodule_version_id,
            status=status,
            created_at=NOW,
            published_at=NOW if status == "active" else None,
        )
        session.add(row)
    return beside, row.id


def stricter(one: Desk, author: Author, answer: Answer | None = None) -> Any:
    one.prepare(author, {"criteria-0-threshold": "90"})
    one.school.clock.forward(hours=1)
    return one.publish(author, answer)


# -- who


def test_a_teacher_of_the_only_course_publishes_the_next_version(school: School) -> None:
    one = desk(school)
    teacher = one.teacher()
    made = stricter(one, teacher)
    assert made.number == 2
    (placement,) = school.rows(tables.Placement, tables.Placement.id == one.placed.placement_id)
    assert placement.micromodule_version_id == made.version_id
    (version,) = school.rows(tables.MicromoduleVersion, tables.MicromoduleVersion.id == made.version_id)
    assert parse_criteria(version.criteria) == AllOf((quiz(90),))
    (badge,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == made.achievement_version_id
    )
    assert (badge.number, badge.whats_new, badge.published_by) == (
        2,
        "Ninety instead of eighty.",
        teacher.actor,
    )
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "micromodule.version_published")
    assert event.actor == teacher.actor
    assert event.detail["changes"] == ["criteria"]
    assert school.rows(tables.VersionDraft) == []
    assert one.deciding.asked == [
        (one.course.organisation_id, one.course.context_id, None, "publish"),
    ]
    (context,) = school.rows(tables.Context, tables.Context.id == one.course.context_id)
    assert context.sync_due_at == school.clock()


def test_where_another_course_has_it_staff_is_asked(small_school: School) -> None:
    one = desk(small_school)
    teacher = one.teacher()
    one.prepare(teacher, {"criteria-0-threshold": "90"})
    also_in(small_school, one)
    for refused in (
        lambda: one.versions.begin(teacher, one.micromodule_id),
        lambda: one.versions.save(teacher, one.micromodule_id, {}),
        lambda: one.compare(teacher),
        lambda: one.publish(teacher, seen="whatever"),
    ):
        with pytest.raises(NotAllowed) as error:
            refused()
        assert error.value.code is ErrorCode.VERSION_NEEDS_STAFF
    assert one.publish(one.staff).number == 2


def test_a_draft_in_another_course_asks_for_nobody_else_and_follows(small_school: School) -> None:
    one = desk(small_school)
    _, placement_id = also_in(small_school, one, status="draft")
    made = stricter(one, one.teacher())
    (draft,) = small_school.rows(tables.Placement, tables.Placement.id == placement_id)
    assert (draft.status, draft.micromodule_version_id) == ("draft", made.version_id)


@pytest.mark.parametrize("changes", [{"can_configure": False}, {"is_read_only": True}])
def test_nobody_without_the_right_is_an_author(small_school: School, changes: dict[str, Any]) -> None:
    one = desk(small_school)
    with pytest.raises(NotAllowed):
        one.teacher(**changes)


def test_another_courses_teacher_and_another_organisation_find_nothing(small_school: School) -> None:
    one = desk(small_school)
    (beside,) = factories.courses_beside(small_school.database, one.course, 1)
    stranger = small_school.course()
    authors = (
        replace(one.teacher(), context_id=beside.context_id),
        Author(stranger.organisation_id, "staff:eve", None),
        Author(stranger.organisation_id, "learner:eve", stranger.context_id, "moodle"),
    )
    for author in authors:
        for refused in (
            lambda author=author: one.versions.begin(author, one.micromodule_id),
            lambda author=author: one.versions.save(author, one.micromodule_id, {"name": "Mine"}),
            lambda author=author: one.versions.discard(author, one.micromodule_id),
            lambda author=author: one.compare(author),
            lambda author=author: one.versions.holders(author, one.micromodule_id, narrate, language="en"),
            lambda author=author: one.publish(author, seen="whatever"),
        ):
            with pytest.raises(NotFound):
                refused()
    assert small_school.rows(tables.VersionDraft) == []


def test_a_draft_that_nobody_published_has_no_next_version(small_school: School) -> None:
    one = desk(small_school, status="draft")
    with pytest.raises(NotFound):
        one.versions.begin(one.teacher(), one.micromodule_id)


# -- what is shown and refused


def test_what_was_typed_is_there_the_next_time_and_can_be_forgotten(school: School) -> None:
    one = desk(school)
    teacher = one.teacher()
    published = one.versions.begin(teacher, one.micromodule_id)
    assert (published.number, published.is_unsaved) == (2, False)
    one.prepare(teacher, name="Another name")
    view = one.versions.begin(teacher, one.micromodule_id)
    assert (view.form.name, view.is_unsaved) == ("Another name", True)
    assert one.versions.begin(teacher, one.micromodule_id, discards=True).form == published.form
    one.versions.discard(teacher, one.micromodule_id)
    assert not one.versions.begin(teacher, one.micromodule_id).is_unsaved


def test_a_version_that_says_the_same_is_refused(small_school: School) -> None:
    one = desk(small_school)
    small_school.change(
        tables.AchievementVersion,
        artwork=ARTWORK,
        image_alt=small_school.rows(tables.MicromoduleVersion)[0].name,
    )
    teacher = one.teacher()
    one.prepare(teacher)
    with pytest.raises(RequestInvalid) as error:
        one.compare(teacher)
    assert problems_of(error.value) == [("criteria", FormProblem.NOTHING_NEW)]


@pytest.mark.parametrize(
    "answer, field_name, code",
    [
        (Answer(""), "whats_new", FormProblem.REQUIRED),
        (Answer("x" * 2001), "whats_new", FormProblem.TOO_LONG),
        (Answer("a\u202eb"), "whats_new", FormProblem.CONTROL_CHARACTER),
        (Answer("New.", "burn"), "policy", FormProblem.UNKNOWN_CHOICE),
        (Answer("New.", "date"), "expires_on", FormProblem.REQUIRED),
        (Answer("New.", "date", "soon"), "expires_on", FormProblem.NOT_A_DATE),
        (Answer("New.", "date", "2001-01-01"), "expires_on", FormProblem.NOT_IN_FUTURE),
        (Answer("New.", "date", "2099-01-01"), "expires_on", FormProblem.NOT_IN_FUTURE),
    ],
)
def test_holders_are_told_something_that_can_be_carried_out(
    small_school: School, answer: Answer, field_name: str, code: FormProblem
) -> None:
    one = desk(small_school)
    teacher = one.teacher()
    one.prepare(teacher, {"criteria-0-threshold": "90"})
    with pytest.raises(RequestInvalid) as error:
        one.publish(teacher, answer)
    assert problems_of(error.value) == [(field_name, code)]
    assert len(small_school.rows(tables.MicromoduleVersion)) == 1


def test_nobody_publishes_what_they_did_not_see(small_school: School) -> None:
    one = desk(small_school)
    teacher, colleague = one.teacher(), one.teacher()
    one.prepare(teacher, {"criteria-0-threshold": "90"})
    seen = one.compare(teacher).mark
    one.prepare(colleague, {"criteria-0-threshold": "10"})
    with pytest.raises(Conflict):
        one.publish(teacher, seen=seen)
    assert len(small_school.rows(tables.MicromoduleVersion)) == 1


def test_what_was_prepared_before_another_publication_is_not_written_over_it(small_school: School) -> None:
    one = desk(small_school)
    stricter(one, one.staff)
    with small_school.database.write() as session:
        session.add(
            tables.VersionDraft(
                organisation_id=one.course.organisation_id,
                micromodule_id=one.micromodule_id,
                based_on_id=one.placed.micromodule_version_id,
                kind="version",
                content={"fields": MicromoduleForm(name="Old").to_fields()},
                updated_by="staff:bert",
                updated_at=NOW,
            )
        )
    assert one.versions.begin(one.staff, one.micromodule_id).is_outdated
    with pytest.raises(Conflict):
        one.compare(one.staff)


# -- what follows


def test_both_courses_get_it_with_their_columns_and_gates(school: School) -> None:
    gate, word = GatePassed("gate:activities", "Activities"), Attested("attested:the-talk", "The talk")
    one = desk(school, AllOf((quiz(), gate, word)))
    factories.gate(school.database, one.course, one.placed, "gate:activities", label="Activities")
    (linked,) = school.rows(tables.Gate)
    learner_id = factories.enrol(school.database, one.course)[0]
    factories.attestation(school.database, one.course, one.placed, "attested:the-talk", learner_id)
    _, other_id = also_in(school, one)
    one.prepare(
        one.staff,
        {
            "criteria-0-threshold": "90",
            **factories.rule_fields(3, kind="score", label="Quiz 2", threshold="50", channel="mirror"),
            **factories.rule_fields(4, kind="gate", label="Second gate"),
        },
    )
    made = one.publish(one.staff)
    for placement_id in (one.placed.placement_id, other_id):
        (placement,) = school.rows(tables.Placement, tables.Placement.id == placement_id)
        assert placement.micromodule_version_id == made.version_id
        columns = school.rows(tables.LineItem, tables.LineItem.placement_id == placement_id)
        assert {row.label.partition(" · ")[0] for row in columns} == {"Quiz 1", "Quiz 2"}
        gates = school.rows(tables.Gate, tables.Gate.placement_id == placement_id)
        assert {row.label for row in gates} == {"Activities", "Second gate"}
    (kept,) = school.rows(tables.LineItem, tables.LineItem.id == one.placed.line_item_id)
    assert kept.id_on_platform == one.placed.line_item_url
    (same,) = school.rows(tables.Gate, tables.Gate.id == linked.id)
    assert (same.state, same.link_key) == (linked.state, linked.link_key)
    assert [row.evidence_key for row in school.rows(tables.Attestation)] == ["attested:the-talk"]


def test_nobodys_word_for_one_thing_counts_for_another(small_school: School) -> None:
    one = desk(small_school, Attested("attested:the-talk", "The talk"))
    learner_id = factories.enrol(small_school.database, one.course)[0]
    factories.attestation(small_school.database, one.course, one.placed, "attested:the-talk", learner_id)
    one.prepare(one.staff, {"criteria-0-label": "The thesis"})
    made = one.publish(one.staff)
    small_school.awarding.decide_context(one.course.organisation_id, one.course.context_id)
    assert made.achievement_version_id not in {
        row.achievement_version_id for row in small_school.rows(tables.Award)
    }


def test_who_meets_the_new_version_gets_its_badge_and_nobody_loses_the_old_one(school: School) -> None:
    one = desk(school)
    low, high = factories.enrol(school.database, one.course, 2)
    factories.grade(school.database, one.course, one.placed, [low], Decimal(85))
    factories.grade(school.database, one.course, one.placed, [high], Decimal(95))
    school.awarding.decide_context(one.course.organisation_id, one.course.context_id)
    assert len(school.rows(tables.Award)) == 2
    made = stricter(one, one.staff)
    assert not any(row.is_latest for row in school.rows(tables.Decision)), "decided by rules of before"
    report = school.awarding.decide_context(one.course.organisation_id, one.course.context_id)
    assert report.awarded == 1
    assert school.awarding.decide_context(one.course.organisation_id, one.course.context_id).awarded == 0
    awards = {(row.achievement_version_id, row.learner_id) for row in school.rows(tables.Award)}
    old = one.placed.achievement_version_id
    assert awards == {(old, low), (old, high), (made.achievement_version_id, high)}


def test_what_was_read_before_the_publication_awards_nobody_after_it(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = desk(school)
    learner_id = factories.enrol(school.database, one.course)[0]
    factories.grade(school.database, one.course, one.placed, [learner_id], Decimal(85))
    awarding = school.awarding
    read = type(awarding)._read_from

    def slowly(self: Any, *args: Any, **kwargs: Any) -> Any:
        for one_read in read(self, *args, **kwargs):
            if not school.rows(tables.MicromoduleVersion, tables.MicromoduleVersion.number == 2):
                stricter(one, one.staff)
            yield one_read

    monkeypatch.setattr(type(awarding), "_read_from", slowly)
    assert awarding.decide_context(one.course.organisation_id, one.course.context_id).awarded == 0
    assert school.rows(tables.Award) == []


@pytest.mark.parametrize(
    "answer, ends",
    [
        (Answer("New.", Policy.KEEP), None),
        (Answer("New.", Policy.NOW), NOW + timedelta(hours=1)),
        (Answer("New.", Policy.DATE, "2027-03-01"), "2027-03-01T23:59:59+00:00"),
    ],
)
def test_the_versions_before_end_as_was_said(small_school: School, answer: Answer, ends: Any) -> None:
    school = small_school
    one = desk(school)
    made = stricter(one, one.staff, answer)
    by_number = {row.number: row for row in school.rows(tables.AchievementVersion)}
    at = by_number[1].expires_at
    if isinstance(ends, str):
        assert at.isoformat() == ends
    else:
        assert at == ends
    assert by_number[2].expires_at is None
    assert by_number[2].id == made.achievement_version_id


def test_an_end_is_never_put_off_by_a_later_version(small_school: School) -> None:
    one = desk(small_school)
    stricter(one, one.staff, Answer("Second.", Policy.DATE, "2027-03-01"))
    one.prepare(one.staff, {"criteria-0-threshold": "95"})
    one.publish(one.staff, Answer("Third.", Policy.DATE, "2028-03-01"))
    ends = {row.number: row.expires_at for row in small_school.rows(tables.AchievementVersion)}
    assert (ends[1].year, ends[2].year, ends[3]) == (2027, 2028, None)


def test_a_badge_that_is_over_is_not_held_but_its_micromodule_stays_completed(school: School) -> None:
    one = desk(school)
    learner_id = factories.enrol(school.database, one.course)[0]
    factories.grade(school.database, one.course, one.placed, [learner_id], Decimal(85))
    school.awarding.decide_context(one.course.organisation_id, one.course.context_id)
    (achievement,) = school.rows(tables.Achievement)
    holds = HoldsAchievement(achievement.id, "The badge")

    def state() -> str:
        tried = school.awarding.simulate(one.course.organisation_id, one.course.context_id, holds)
        return tried.decisions[0].state.value

    assert state() == "met"
    stricter(one, one.staff, Answer("New.", Policy.DATE, "2027-03-01"))
    assert state() == "met", "it is in force until then"
    school.change(tables.AchievementVersion, tables.AchievementVersion.number == 1, expires_at=NOW)
    assert state() == "not_met"
    assert len(school.rows(tables.Completion)) == 1


# -- holders


def test_the_dry_run_says_what_becomes_of_each_badge(school: School) -> None:
    one = desk(school)
    low, high, gone = factories.enrol(school.database, one.course, 3)
    factories.grade(school.database, one.course, one.placed, [low], Decimal(85))
    factories.grade(school.database, one.course, one.placed, [high, gone], Decimal(95))
    school.awarding.decide_context(one.course.organisation_id, one.course.context_id)
    school.change(tables.Membership, tables.Membership.learner_id == gone, is_active=False)
    one.prepare(one.staff, {"criteria-0-threshold": "90"})
    one.versions.answer(one.staff, one.micromodule_id, Answer("New.", Policy.NOW))
    page = one.versions.holders(one.staff, one.micromodule_id, narrate, language="en")
    assert (page.shown, page.others, page.counts.badges, page.counts.open_ended) == (3, 0, 3, 3)
    assert {one.row.learner_id: (one.fate, one.prospect) for one in page.holders} == {
        low: (Fate.ENDS, Prospect.NOT_YET),
        high: (Fate.ENDS, Prospect.MEETS),
        gone: (Fate.ENDS, Prospect.NOT_HERE),
    }
    assert len(school.rows(tables.MicromoduleVersion)) == 1
    assert len(school.rows(tables.Award)) == 3


def test_a_teacher_is_shown_whom_their_course_awarded_and_told_of_the_others(small_school: School) -> None:
    one = desk(small_school)
    here = factories.enrol(small_school.database, one.course)[0]
    factories.award(small_school.database, one.course, one.placed, here)
    (beside,) = factories.courses_beside(small_school.database, one.course, 1)
    there = factories.enrol(small_school.database, beside)[0]
    factories.award(small_school.database, beside, one.placed, there)
    teacher = one.teacher()
    one.prepare(teacher, {"criteria-0-threshold": "90"})
    page = one.versions.holders(teacher, one.micromodule_id, narrate, language="en")
    assert [one.row.learner_id for one in page.holders] == [here]
    assert (page.shown, page.others) == (1, 1)


# -- afterwards


def test_courses_are_told_for_a_month(small_school: School) -> None:
    one = desk(small_school)
    beside, _ = also_in(small_school, one)
    stricter(one, one.staff)
    (told,) = one.versions.news(beside.organisation_id, beside.context_id)
    assert (told.number, told.whats_new) == (2, "Ninety instead of eighty.")
    stranger = small_school.course()
    assert one.versions.news(stranger.organisation_id, beside.context_id) == ()
    small_school.clock.forward(days=31)
    assert one.versions.news(beside.organisation_id, beside.context_id) == ()


def test_of_two_who_publish_at_once_one_wins_and_the_other_is_told(school: School) -> None:
    one = desk(school)
    one.prepare(one.staff, {"criteria-0-threshold": "90"})
    seen = one.compare(one.staff).mark
    start = threading.Barrier(2)
    answers: list[Any] = []

    def press() -> None:
        start.wait()
        try:
            answers.append(one.publish(one.staff, seen=seen).number)
        except (Conflict, NotFound) as error:
            answers.append(error.code)

    people = [threading.Thread(target=press) for _ in range(2)]
    for person in people:
        person.start()
    for person in people:
        person.join()
    assert 2 in answers
    assert set(answers) - {2} <= {ErrorCode.CONFLICT, ErrorCode.MICROMODULE_NOT_FOUND}
    assert len(answers) == 2
    assert [row.number for row in school.rows(tables.MicromoduleVersion)].count(2) == 1
    assert (
        len(school.rows(tables.AuditEvent, tables.AuditEvent.action == "micromodule.version_published")) == 1
    )


def test_actors_are_named_as_the_audit_log_names_them(small_school: School) -> None:
    assert desk(small_school).teacher().actor.startswith(audit.LEARNER)


def test_an_author_who_is_erased_is_named_no_longer(school: School) -> None:
    one = desk(school)
    teacher = one.teacher()
    stricter(one, teacher)
    one.prepare(teacher, {"criteria-0-threshold": "95"})
    learner_id = teacher.actor.removeprefix(audit.LEARNER)
    with school.database.write() as session:
        counts = privacy.counts(session, learner_id)
        assert (counts["versions_prepared"], counts["versions_published"]) == (1, 1)
        (kind,) = [kind for kind in privacy.KINDS if kind.name == "versions_published"]
        (told,) = privacy.records(session, kind, learner_id)
        assert told["number"] == 2
        privacy.erase(session, learner_id, school.clock())
    assert [row.updated_by for row in school.rows(tables.VersionDraft)] == [audit.LEARNER]
    assert {row.published_by for row in school.rows(tables.AchievementVersion)} == {None, audit.LEARNER}


def test_a_course_that_was_copied_meanwhile_gets_the_new_version(school: School) -> None:
    """Whoever comes first: a copy is never left with rules that everybody else has left."""
    one = desk(school)
    (beside,) = factories.courses_beside(school.database, one.course, 1)
    one.prepare(one.staff, {"criteria-0-threshold": "90"})
    seen = one.compare(one.staff).mark
    start = threading.Barrier(2)
    failed: list[Exception] = []

    def copy() -> None:
        start.wait()
        try:
            with school.database.write() as session:
                ids = [one.placed.placement_id]
                copies.clone(session, one.course.organisation_id, beside.context_id, ids, NOW)
        except Exception as error:
            failed.append(error)

    copying = threading.Thread(target=copy)
    copying.start()
    start.wait()
    made = one.publish(one.staff, seen=seen)
    copying.join()
    assert failed == []
    placed = school.rows(tables.Placement)
    assert {row.micromodule_version_id for row in placed} == {made.version_id}
    assert len(placed) == 2


def test_a_list_that_was_opened_before_places_no_former_version(small_school: School) -> None:
    one = desk(small_school)
    (beside,) = factories.courses_beside(small_school.database, one.course, 1)
    made = stricter(one, one.staff)
    by = teacher(small_school, beside)
    with pytest.raises(Conflict):
        configuring(small_school).place(by, one.placed.micromodule_version_id)
    configuring(small_school).place(by, made.version_id)
    placed = small_school.rows(tables.Placement)
    assert {row.micromodule_version_id for row in placed} == {made.version_id}


def test_a_micromodule_without_a_badge_has_versions_that_ask_nothing_about_holders(
    small_school: School,
) -> None:
    one = desk(small_school, has_badge=False)
    made = stricter(one, one.staff, Answer())
    assert (made.number, made.achievement_version_id) == (2, None)
    assert small_school.rows(tables.AchievementVersion) == []


def test_a_reading_that_was_under_way_learns_of_the_next_version(school: School) -> None:
    """It decided by the former rules, which is dropped: the course is to be read again at once."""
    one = desk(school)
    since = school.clock()
    organisation_id, context_id = one.course.organisation_id, one.course.context_id
    with school.database.read() as session:
        assert not schedule.was_published(session, organisation_id, context_id, since)
    stricter(one, one.staff)
    with school.database.read() as session:
        assert schedule.was_published(session, organisation_id, context_id, since)
        assert not schedule.was_published(session, organisation_id, context_id, school.clock())
