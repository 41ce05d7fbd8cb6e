"""Review dates: what is overdue, who answers, what counts as a review, and what nobody may do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any, cast

import pytest

from lti_tool.domain.currency import ReviewState
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.correcting import Correcting, fields_of
from lti_tool.services.currency import CareForm, CarePage, Chosen, Currency
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestones import Milestones
from lti_tool.services.staffing import Operator, StaffView
from lti_tool.store import corrections, privacy, tables
from lti_tool.store.currency import MICROMODULE, MILESTONE, NOBODY, CareFilter, CareRow, count_as_review
from lti_tool.telemetry import ACHIEVEMENTS_STALE
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.school import School
from tests.integration.services.test_versions import Desk, desk

TODAY = NOW.date()
ALL = CareFilter()


def service(school: School) -> Currency:
    return Currency(school.database, school.clock)


def staff_of(course: Course, role: StaffRole = StaffRole.EDITOR, member_id: str = "somebody") -> StaffView:
    return StaffView(
        session_id="session",
        organisation_id=course.organisation_id,
        organisation_name="Open Learning",
        actor=f"staff:{member_id}",
        name="Somebody",
        role=role,
        registration_id=None,
        expires_at=NOW + timedelta(hours=1),
    )


def member(school: School, course: Course, name: str = "Anna", *, is_active: bool = True) -> str:
    with school.database.write() as session:
        row = tables.StaffMember(
            organisation_id=course.organisation_id,
            name=name,
            email=f"{name.lower()}@example.edu",
            role="reader",
            is_active=is_active,
            created_at=NOW,
        )
        session.add(row)
    return row.id


def micromodule(school: School, course: Course, *, status: str = "active", **changes: Any) -> str:
    """A published micromodule; its id."""
    placed = factories.placed(school.database, course, status=status, **changes)
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
    )
    return str(version.micromodule_id)


def published_at(school: School, micromodule_id: str, at: datetime) -> None:
    school.change(
        tables.MicromoduleVersion, tables.MicromoduleVersion.micromodule_id == micromodule_id, created_at=at
    )


def care_of(school: School, course: Course, id_: str, **columns: Any) -> None:
    """How it is looked after, behind the service's back."""
    with school.database.write() as session:
        session.add(
            tables.AchievementCare(
                organisation_id=course.organisation_id, **{"micromodule_id": id_, "revision": 1, **columns}
            )
        )


def milestone(school: School, course: Course, status: str = "active") -> str:
    milestones = Milestones(school.database, school.clock, school.issuing, school.hints)
    staff = Operator(course.organisation_id)
    id_ = milestones.create(staff, MilestoneForm(name=f"Explorer {status}"), str, "en")
    if status != "draft":
        school.change(tables.Milestone, tables.Milestone.id == id_, status=status)
    return id_


def one(school: School, course: Course, id_: str, kind: str = MICROMODULE) -> CareRow:
    return service(school).one(staff_of(course), kind, id_).row


def ids(page: CarePage) -> list[str]:
    return [row.id for row in page.rows]


def problems_of(action: Callable[[], object]) -> list[tuple[str, FormProblem]]:
    with pytest.raises(RequestInvalid) as refused:
        action()
    assert refused.value.code is ErrorCode.FORM_INVALID
    problems = cast("tuple[Problem, ...]", refused.value.params["problems"])
    return [(problem.field, problem.code) for problem in problems]


# -- the list


def test_what_waits_longest_comes_first(school: School) -> None:
    course = school.course()
    made = {
        name: micromodule(school, course)
        for name in ("later", "new", "old", "soon", "today", "yesterday", "long")
    }
    published_at(school, made["old"], NOW - timedelta(days=900))
    for name, days in {"later": 61, "soon": 60, "today": 0, "yesterday": -1, "long": -400}.items():
        care_of(school, course, made[name], review_on=TODAY + timedelta(days=days))
    page = service(school).page(staff_of(course, StaffRole.READER), ALL)
    assert ids(page) == [made[name] for name in ("long", "yesterday", "today", "soon", "old", "new", "later")]
    counts = page.counts
    assert (counts.stale, counts.soon, counts.undated, counts.later, counts.nobody) == (2, 2, 2, 1, 7)
    assert [row.state(TODAY) for row in page.rows][:3] == [
        ReviewState.STALE,
        ReviewState.STALE,
        ReviewState.SOON,
    ]
    for state in ReviewState:
        found = service(school).page(staff_of(course), replace(ALL, state=state))
        assert len(found.rows) == found.total == counts.of(state)
        assert {row.state(TODAY) for row in found.rows} == {state}


def test_milestones_and_micromodules_without_a_badge_are_looked_after_too(school: School) -> None:
    course = school.course()
    bare = micromodule(school, course, has_badge=False)
    active = milestone(school, course)
    draft, retired = milestone(school, course, "draft"), milestone(school, course, "retired")
    for id_ in (active, retired):
        care_of(
            school, course, id_, micromodule_id=None, milestone_id=id_, review_on=TODAY - timedelta(days=1)
        )
    page = service(school).page(staff_of(course), ALL)
    assert [(row.kind, row.id) for row in page.rows] == [(MILESTONE, active), (MICROMODULE, bare)]
    assert page.rows[1].achievement_version_id is None
    assert page.rows[0].achievement_version_id is not None
    assert service(school).count_stale(course.organisation_id) == 1
    assert not one(school, course, retired, MILESTONE).is_in_use
    with pytest.raises(NotFound):
        one(school, course, draft, MILESTONE)


def test_what_was_put_aside_counts_as_long_as_a_course_gives_it(school: School) -> None:
    course = school.course()
    given, gone = micromodule(school, course), micromodule(school, course, status="removed")
    for id_ in (given, gone):
        care_of(school, course, id_, review_on=TODAY - timedelta(days=1))
    school.change(
        tables.Micromodule,
        tables.Micromodule.organisation_id == course.organisation_id,
        archived_at=NOW,
    )
    assert ids(service(school).page(staff_of(course), ALL)) == [given]
    assert service(school).count_stale(course.organisation_id) == 1
    assert not one(school, course, gone).is_in_use


def test_a_filter_finds_names_and_who_answers(school: School) -> None:
    course = school.course()
    anna, gone = member(school, course), member(school, course, "Otto", is_active=False)
    first, second, third, fourth = (micromodule(school, course) for _ in range(4))
    school.change(
        tables.MicromoduleVersion, tables.MicromoduleVersion.micromodule_id == first, name="100 % Daten"
    )
    care_of(school, course, first, answerable_id=anna)
    care_of(school, course, second, answerable_id=gone)
    care_of(school, course, third, answerable_id=gone, contact="Dean's office")
    currency, staff = service(school), staff_of(course)
    assert ids(currency.page(staff, CareFilter(query="% daten"))) == [first]
    assert ids(currency.page(staff, CareFilter(answerable=anna))) == [first]
    nobody = currency.page(staff, CareFilter(answerable=NOBODY))
    assert set(ids(nobody)) == {second, fourth}
    assert nobody.counts.total == 2
    assert currency.page(staff, ALL).counts.nobody == 2
    assert [name.name for name in nobody.members] == ["Anna"]
    rows = {row.id: row for row in currency.rows(staff, ALL)}
    assert [rows[id_].answers for id_ in (first, second, third, fourth)] == [
        "Anna",
        None,
        "Dean's office",
        None,
    ]


def test_whoever_is_removed_answers_no_more_and_the_rest_stays(school: School) -> None:
    course = school.course()
    anna, id_ = member(school, course), micromodule(school, course)
    care_of(school, course, id_, answerable_id=anna, review_on=TODAY)
    assert one(school, course, id_).answers == "Anna"
    with school.database.write() as session:
        session.delete(session.get_one(tables.StaffMember, anna))
    found = one(school, course, id_)
    assert (found.answers, found.answerable_id, found.review_on) == (None, None, TODAY)


def test_the_newest_version_names_it_and_says_since_when(school: School) -> None:
    at = desk(school)
    school.clock.now = NOW + timedelta(days=10)
    at.prepare(at.staff, name="Data, second edition")
    at.publish(at.staff)
    (row,) = service(school).page(staff_of(at.course), ALL).rows
    assert (row.name, row.version) == ("Data, second edition", 2)
    assert row.looked_at == TODAY + timedelta(days=10)


# -- changing


def test_saying_who_when_and_how_often(school: School) -> None:
    course = school.course()
    anna, id_ = member(school, course), micromodule(school, course)
    published_at(school, id_, datetime(2024, 2, 29, 23, 0, tzinfo=NOW.tzinfo))
    currency, staff = service(school), staff_of(course)
    currency.change(staff, MICROMODULE, id_, CareForm(anna, "", "12", ""), revision=0)
    found = one(school, course, id_)
    assert (found.answers, found.review_every_months, found.revision) == ("Anna", 12, 1)
    assert found.review_on == date(2025, 2, 28)
    day = (TODAY + timedelta(days=90)).isoformat()
    currency.change(staff, MICROMODULE, id_, CareForm("", "dean@example.edu", "", day), revision=1)
    found = one(school, course, id_)
    assert (found.answers, found.review_every_months) == ("dean@example.edu", None)
    assert found.review_on == TODAY + timedelta(days=90)
    currency.change(staff, MICROMODULE, id_, CareForm(), revision=2)
    assert (one(school, course, id_).answers, one(school, course, id_).review_on) == (None, None)
    first, second, third = school.rows(
        tables.AuditEvent, tables.AuditEvent.action == "currency.changed", tables.AuditEvent.subject_id == id_
    )
    assert (first.actor, first.subject_kind) == ("staff:somebody", MICROMODULE)
    told = next(event for event in (first, second, third) if event.detail["to"].get("review_every_months"))
    assert told.detail["to"] == {
        "answerable_id": anna,
        "review_every_months": 12,
        "review_on": "2025-02-28",
    }
    assert "dean@example.edu" not in str([event.detail for event in (first, second, third)])


def test_what_changes_nothing_leaves_no_trace(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    care_of(school, course, id_, review_on=TODAY - timedelta(days=5), contact="Office")
    before = one(school, course, id_)
    service(school).change(staff_of(course), MICROMODULE, id_, CareForm.of(before), revision=1)
    assert one(school, course, id_) == before
    assert not school.rows(tables.AuditEvent, tables.AuditEvent.action == "currency.changed")


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"review_every_months": "0"}, FormProblem.OUT_OF_RANGE),
        ({"review_every_months": "121"}, FormProblem.OUT_OF_RANGE),
        ({"review_every_months": "9" * 5000}, FormProblem.NOT_A_NUMBER),
        ({"review_every_months": "-1"}, FormProblem.NOT_A_NUMBER),
        ({"review_every_months": "1.5"}, FormProblem.NOT_A_NUMBER),
        ({"review_every_months": "²"}, FormProblem.NOT_A_NUMBER),
        ({"review_on": (TODAY - timedelta(days=1)).isoformat()}, FormProblem.NOT_IN_FUTURE),
        ({"review_on": "9999-12-31"}, FormProblem.NOT_IN_FUTURE),
        ({"review_on": "2027-02-29"}, FormProblem.NOT_A_DATE),
        ({"review_on": "20270101"}, FormProblem.NOT_A_DATE),
        ({"review_on": "0000-00-00"}, FormProblem.NOT_A_DATE),
        ({"contact": "x" * 201}, FormProblem.TOO_LONG),
        ({"contact": "a\u202eb"}, FormProblem.CONTROL_CHARACTER),
        ({"contact": "a\x00b"}, FormProblem.CONTROL_CHARACTER),
        ({"answerable_id": "nobody"}, FormProblem.UNKNOWN_CHOICE),
        ({"answerable_id": "x"}, FormProblem.UNKNOWN_CHOICE),
        ({"answerable_id": "a\x00"}, FormProblem.UNKNOWN_CHOICE),
    ],
)
def test_what_cannot_be_meant_is_refused_by_its_field(
    school: School, changes: dict[str, str], problem: FormProblem
) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    form = CareForm.from_fields(changes)
    ((field, code),) = problems_of(lambda: currency.change(staff, MICROMODULE, id_, form, revision=0))
    assert (field, code) == (next(iter(changes)), problem)
    assert school.rows(tables.AchievementCare) == []


def test_a_leap_day_and_twenty_years_can_be_meant(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    currency.change(staff, MICROMODULE, id_, CareForm(review_on="2028-02-29"), revision=0)
    assert one(school, course, id_).review_on == date(2028, 2, 29)
    school.clock.now = datetime(2028, 2, 29, 12, tzinfo=NOW.tzinfo)
    currency.change(
        staff, MICROMODULE, id_, CareForm(review_every_months="12", review_on="2028-02-29"), revision=1
    )
    currency.review(staff, MICROMODULE, id_, revision=2)
    assert one(school, course, id_).review_on == date(2029, 2, 28)


def test_a_day_that_is_over_may_stay_where_something_else_is_changed(school: School) -> None:
    course = school.course()
    id_, day = micromodule(school, course), TODAY - timedelta(days=30)
    care_of(school, course, id_, review_on=day)
    form = CareForm(contact="Office", review_on=day.isoformat())
    service(school).change(staff_of(course), MICROMODULE, id_, form, revision=1)
    assert (one(school, course, id_).contact, one(school, course, id_).review_on) == ("Office", day)


def test_whoever_is_disabled_may_stay_and_cannot_be_chosen_anew(school: School) -> None:
    course = school.course()
    otto = member(school, course, "Otto", is_active=False)
    id_, other = micromodule(school, course), micromodule(school, course)
    care_of(school, course, id_, answerable_id=otto)
    currency, staff = service(school), staff_of(course)
    currency.change(staff, MICROMODULE, id_, CareForm(otto, "", "6"), revision=1)
    assert one(school, course, id_).answerable_id == otto
    assert [each.id for each in currency.one(staff, MICROMODULE, id_).members] == [otto]
    assert currency.one(staff, MICROMODULE, other).members == ()
    refused = problems_of(lambda: currency.change(staff, MICROMODULE, other, CareForm(otto), revision=0))
    assert refused == [("answerable_id", FormProblem.UNKNOWN_CHOICE)]


# -- what counts as a review


def test_still_right_counts_the_interval_from_today(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    care_of(school, course, id_, review_on=TODAY - timedelta(days=400), review_every_months=6)
    service(school).review(staff_of(course), MICROMODULE, id_, note=" Law of 2026 read. ", revision=1)
    detail = service(school).one(staff_of(course), MICROMODULE, id_)
    assert detail.row.review_on == date(
        TODAY.year + (TODAY.month + 6 > 12), (TODAY.month + 5) % 12 + 1, TODAY.day
    )
    assert (detail.row.reviewed_at, detail.row.reviewed_by) == (NOW, "staff:somebody")
    assert detail.row.note == "Law of 2026 read."
    assert service(school).count_stale(course.organisation_id) == 0
    (event,) = school.rows(tables.AuditEvent, tables.AuditEvent.action == "currency.reviewed")
    assert event.detail["note"] == "Law of 2026 read."


def test_a_review_of_what_nobody_looked_after_is_kept_without_a_next_one(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    service(school).review(staff_of(course), MICROMODULE, id_, revision=0)
    found = one(school, course, id_)
    assert (found.review_on, found.reviewed_at, found.looked_at) == (None, NOW, TODAY)
    day = TODAY + timedelta(days=100)
    service(school).review(staff_of(course), MICROMODULE, id_, next_on=day.isoformat(), revision=1)
    assert one(school, course, id_).review_on == day
    for next_on, problem in (("soon", FormProblem.NOT_A_DATE), ("2020-01-01", FormProblem.NOT_IN_FUTURE)):
        action = lambda next_on=next_on: service(school).review(  # noqa: E731
            staff_of(course), MICROMODULE, id_, next_on=next_on, note="x" * 501, revision=2
        )
        assert problems_of(action) == [("note", FormProblem.TOO_LONG), ("next_on", problem)]


def test_publishing_the_next_version_is_a_review_and_a_correction_is_none(school: School) -> None:
    at = desk(school)
    overdue = TODAY - timedelta(days=30)
    care_of(school, at.course, at.micromodule_id, review_on=overdue, review_every_months=12, note="Before.")
    correct(school, at)
    assert one(school, at.course, at.micromodule_id).review_on == overdue
    assert service(school).count_stale(at.course.organisation_id) == 1
    at.prepare(at.staff, name="Data, second edition")
    at.publish(at.staff)
    found = one(school, at.course, at.micromodule_id)
    assert found.review_on == date(TODAY.year + 1, TODAY.month, TODAY.day)
    assert (found.reviewed_by, found.note, found.revision) == ("staff:anna", "", 2)
    with pytest.raises(Conflict):
        service(school).review(staff_of(at.course), MICROMODULE, at.micromodule_id, revision=1)


def correct(school: School, at: Desk) -> None:
    correcting = Correcting(school.database, school.clock, school.hints)
    (version,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.organisation_id == at.course.organisation_id
    )
    with school.database.read() as session:
        words = corrections.words(session, at.course.organisation_id, version.id)
    assert words is not None
    staff = staff_of(at.course)
    typed = {**fields_of(words), "name": "Spelt rightly"}
    correcting.correct(
        staff, version.id, typed, reason="A spelling.", mark=correcting.open(staff, version.id).mark
    )


def test_publishing_what_nobody_looks_after_and_what_others_look_after_changes_no_row(
    school: School,
) -> None:
    at = desk(school)
    other = milestone(school, at.course)
    day = TODAY - timedelta(days=3)
    care_of(school, at.course, other, micromodule_id=None, milestone_id=other, review_on=day)
    at.prepare(at.staff, name="Data, second edition")
    at.publish(at.staff)
    (row,) = school.rows(tables.AchievementCare)
    assert (row.milestone_id, row.review_on, row.revision) == (other, day, 1)


# -- several at once


def test_several_get_what_was_filled_in_and_keep_the_rest(school: School) -> None:
    course = school.course()
    anna, first, second = member(school, course), micromodule(school, course), micromodule(school, course)
    third = milestone(school, course)
    published_at(school, first, NOW - timedelta(days=800))
    care_of(school, course, second, contact="Office", review_on=TODAY + timedelta(days=3))
    currency, staff = service(school), staff_of(course)
    chosen = [Chosen(MICROMODULE, first, 0), Chosen(MICROMODULE, second, 1), Chosen(MILESTONE, third, 0)]
    assert currency.change_many(staff, chosen, CareForm(anna)) == 3
    assert one(school, course, second).contact == "Office"
    assert one(school, course, second).review_on == TODAY + timedelta(days=3)
    again = [replace(each, revision=None) for each in chosen]
    assert currency.change_many(staff, again, CareForm(anna)) == 0
    assert currency.change_many(staff, again, CareForm(review_every_months="12")) == 3
    assert one(school, course, first).state(TODAY) is ReviewState.STALE
    assert one(school, course, second).state(TODAY) is ReviewState.LATER
    assert currency.change_many(staff, again, CareForm(answerable_id=NOBODY)) == 3
    assert [row.answers for row in currency.find(staff, [first, second, third])] == [None, "Office", None]


def test_of_several_none_is_changed_where_one_was_changed_meanwhile(school: School) -> None:
    course = school.course()
    first, second = micromodule(school, course), micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    currency.review(staff, MICROMODULE, second, revision=0)
    chosen = [Chosen(MICROMODULE, first, 0), Chosen(MICROMODULE, second, 0)]
    form = CareForm(review_every_months="6")
    assert problems_of(lambda: currency.change_many(staff, chosen, form)) == [
        ("chosen", FormProblem.CHANGED_MEANWHILE)
    ]
    assert one(school, course, first).review_every_months is None


@pytest.mark.parametrize(
    "number, form, problem",
    [
        (0, CareForm(contact="Office"), FormProblem.NOTHING_CHOSEN),
        (201, CareForm(contact="Office"), FormProblem.TOO_MANY),
        (1, CareForm(), FormProblem.NOTHING_CHANGED),
    ],
)
def test_a_form_for_several_that_asks_for_nothing_or_too_much(
    small_school: School, number: int, form: CareForm, problem: FormProblem
) -> None:
    course = small_school.course()
    chosen = [Chosen(MICROMODULE, f"m{each}", 0) for each in range(number)]
    refused = problems_of(lambda: service(small_school).change_many(staff_of(course), chosen, form))
    assert refused == [("chosen", problem)]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "micromodule",
        "micromodule::1",
        "course:a:1",
        "micromodule:a:x",
        "micromodule:a:-1",
        "micromodule:a:²",
    ],
)
def test_a_ticked_box_of_somebody_elses_making_is_none(text: str) -> None:
    assert Chosen.read(text) is None


def test_a_ticked_box_says_what_and_which_state_of_it() -> None:
    assert Chosen.read("milestone:a1:12") == Chosen(MILESTONE, "a1", 12)


# -- who may, and whose


def test_nobody_without_the_right_changes_anything(small_school: School) -> None:
    course = small_school.course()
    id_ = micromodule(small_school, course)
    currency = service(small_school)
    for role in (StaffRole.READER, StaffRole.REVIEWER):
        staff = staff_of(course, role)
        for action in (
            lambda staff=staff: currency.change(staff, MICROMODULE, id_, CareForm(), revision=0),
            lambda staff=staff: currency.review(staff, MICROMODULE, id_, revision=0),
            lambda staff=staff: currency.change_many(staff, [Chosen(MICROMODULE, id_)], CareForm("x")),
        ):
            with pytest.raises(NotAllowed):
                action()
        assert len(currency.page(staff, ALL).rows) == 1
    assert small_school.rows(tables.AchievementCare) == []


def test_other_organisations_things_and_people_are_not_found(school: School) -> None:
    ours, theirs = school.course(), school.course()
    own, foreign = micromodule(school, ours), micromodule(school, theirs)
    foreign_milestone, stranger = milestone(school, theirs), member(school, theirs)
    care_of(school, theirs, foreign, review_on=TODAY - timedelta(days=9), contact="Their office")
    currency, staff = service(school), staff_of(ours, StaffRole.OWNER)
    for kind, id_ in ((MICROMODULE, foreign), (MILESTONE, foreign_milestone), (MILESTONE, own), ("x", own)):
        for action in (
            lambda kind=kind, id_=id_: currency.one(staff, kind, id_),
            lambda kind=kind, id_=id_: currency.change(staff, kind, id_, CareForm(), revision=0),
            lambda kind=kind, id_=id_: currency.review(staff, kind, id_, revision=None),
            lambda kind=kind, id_=id_: currency.change_many(
                staff,
                [Chosen(MICROMODULE, own), Chosen(kind, id_)],
                CareForm(contact="Ours"),
            ),
        ):
            with pytest.raises(NotFound):
                action()
    assert problems_of(lambda: currency.change(staff, MICROMODULE, own, CareForm(stranger), revision=0)) == [
        ("answerable_id", FormProblem.UNKNOWN_CHOICE)
    ]
    assert ids(currency.page(staff, ALL)) == [own]
    assert currency.page(staff, CareFilter(answerable=stranger)).rows == ()
    assert currency.count_stale(ours.organisation_id) == 0
    assert currency.count_stale(theirs.organisation_id) == 1
    (row,) = school.rows(tables.AchievementCare)
    assert row.contact == "Their office"


def test_characters_that_no_database_keeps_find_nothing(school: School) -> None:
    course = school.course()
    micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    for wanted in (CareFilter(answerable="a\x00"), CareFilter(query="\x00", answerable="é")):
        assert currency.page(staff, wanted).rows == ()
    assert currency.page(staff, CareFilter(query="\x00")).total == 1
    with pytest.raises(NotFound):
        currency.one(staff, MICROMODULE, "a\x00")


def test_of_two_tabs_the_second_is_told(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    currency.change(staff, MICROMODULE, id_, CareForm(contact="First"), revision=0)
    for action in (
        lambda: currency.change(staff, MICROMODULE, id_, CareForm(contact="Second"), revision=0),
        lambda: currency.review(staff, MICROMODULE, id_, revision=0),
    ):
        with pytest.raises(Conflict):
            action()
    assert one(school, course, id_).contact == "First"


# -- the same button, pressed twice


def traces(school: School, action: str) -> int:
    return len(school.rows(tables.AuditEvent, tables.AuditEvent.action == action))


def test_who_presses_save_twice_is_not_told_of_somebody_else(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    published_at(school, id_, NOW - timedelta(days=100))
    form = CareForm(contact="Registrar", review_every_months="12")
    for _ in range(2):
        currency.change(staff, MICROMODULE, id_, form, revision=0)
    assert (one(school, course, id_).revision, traces(school, "currency.changed")) == (1, 1)
    with pytest.raises(Conflict):  # another choice
        currency.change(staff, MICROMODULE, id_, replace(form, contact="Library"), revision=0)
    with pytest.raises(Conflict):  # another person, of the same mind
        currency.change(staff_of(course, member_id="bert"), MICROMODULE, id_, form, revision=0)
    currency.change(staff, MICROMODULE, id_, replace(form, contact="Library"), revision=1)
    currency.change(staff, MICROMODULE, id_, form, revision=2)
    with pytest.raises(Conflict):  # it says the same again, and is not what that page showed
        currency.change(staff, MICROMODULE, id_, form, revision=0)
    assert traces(school, "currency.changed") == 3


def test_who_says_twice_that_it_is_right_has_said_it_once(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    care_of(school, course, id_, review_every_months=6)
    currency, staff = service(school), staff_of(course)
    day = (TODAY + timedelta(days=30)).isoformat()
    for _ in range(2):
        currency.review(staff, MICROMODULE, id_, note="Law read. ", next_on=day, revision=1)
        school.clock.forward(minutes=1)
    found = one(school, course, id_)
    assert (found.revision, found.reviewed_at, traces(school, "currency.reviewed")) == (2, NOW, 1)
    for note, next_on in (("Law unread.", day), ("", day), ("Law read.", "")):
        with pytest.raises(Conflict):
            currency.review(staff, MICROMODULE, id_, note=note, next_on=next_on, revision=1)
    with pytest.raises(Conflict):
        currency.review(
            staff_of(course, member_id="bert"), MICROMODULE, id_, note="Law read.", next_on=day, revision=1
        )
    currency.change(staff, MICROMODULE, id_, CareForm(contact="Library"), revision=2)
    with pytest.raises(Conflict):  # something else came after it
        currency.review(staff, MICROMODULE, id_, note="Law read.", next_on=day, revision=1)


def test_several_that_are_changed_twice_are_changed_once(school: School) -> None:
    course = school.course()
    first, second = micromodule(school, course), micromodule(school, course)
    care_of(school, course, second, contact="Registrar")
    currency, staff = service(school), staff_of(course)
    # The second one says so already: its revision stays.
    chosen = [Chosen(MICROMODULE, first, 0), Chosen(MICROMODULE, second, 1)]
    assert currency.change_many(staff, chosen, CareForm(contact="Registrar")) == 1
    assert currency.change_many(staff, chosen, CareForm(contact="Registrar")) == 0
    assert traces(school, "currency.changed") == 1
    for who, contact in ((staff, "Library"), (staff_of(course, member_id="bert"), "Registrar")):
        assert problems_of(
            lambda who=who, contact=contact: currency.change_many(  # type: ignore[misc]
                who, chosen, CareForm(contact=contact)
            )
        ) == [("chosen", FormProblem.CHANGED_MEANWHILE)]


def test_many_that_are_changed_twice_ask_the_log_no_more_often_than_few(school: School) -> None:
    course = school.course()
    currency, staff = service(school), staff_of(course)
    counted = []
    for size in (2, 12):
        chosen = [Chosen(MICROMODULE, micromodule(school, course), 0) for _ in range(size)]
        chosen.append(Chosen(MILESTONE, milestone(school, course), 0))
        assert currency.change_many(staff, chosen, CareForm(contact="Registrar")) == size + 1
        with school.database.statements() as statements:
            assert currency.change_many(staff, chosen, CareForm(contact="Registrar")) == 0
        counted.append(len([each for each in statements if "audit_events" in each]))
    assert counted == [1, 1]


def test_of_many_at_once_one_saves(school: School) -> None:
    course = school.course()
    id_ = micromodule(school, course)
    currency, staff = service(school), staff_of(course)
    outcomes: list[str] = []

    def save(name: str) -> None:
        try:
            currency.change(staff, MICROMODULE, id_, CareForm(contact=name), revision=0)
            outcomes.append(name)
        except Conflict:
            outcomes.append("refused")

    threads = [threading.Thread(target=save, args=(f"Office {number}",)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes)[1:] == ["refused"] * 3
    assert one(school, course, id_).contact == sorted(outcomes)[0]


def test_an_erased_administrator_is_named_no_more_and_the_review_stays(school: School) -> None:
    course = school.course()
    (learner_id,) = factories.enrol(school.database, course)
    id_ = micromodule(school, course)
    staff = replace(staff_of(course), actor=f"learner:{learner_id}")
    service(school).review(staff, MICROMODULE, id_, revision=0)
    with school.database.read() as session:
        assert privacy.counts(session, learner_id)["currency_reviewed"] == 1
    assert service(school).one(staff, MICROMODULE, id_).reviewer is not None
    with school.database.write() as session:
        privacy.erase(session, learner_id, NOW)
    detail = service(school).one(staff, MICROMODULE, id_)
    assert (detail.row.reviewed_by, detail.reviewer) == ("learner:", None)
    assert detail.row.reviewed_at == NOW


# -- how much it costs


def test_ten_thousand_cost_the_same_statements_as_ten(school: School) -> None:
    counted = []
    for number in (10, 10_000):
        course = school.course()
        many(school, course, number)
        currency, staff = service(school), staff_of(course)
        with school.database.statements() as statements:
            page = currency.page(staff, CareFilter(query="Badge"), page=2, per_page=5)
        assert (page.total, len(page.rows)) == (number, 5)
        assert currency.count_stale(course.organisation_id) == number // 2
        with school.database.statements() as more:
            currency.count_stale(course.organisation_id)
            changed = currency.change_many(
                staff, [Chosen(row.kind, row.id, row.revision) for row in page.rows], CareForm(contact="O")
            )
        assert changed == 5
        counted.append(
            [len([each for each in asked if not each.startswith("BEGIN")]) for asked in (statements, more)]
        )
    assert counted[0] == counted[1]
    assert counted[0][0] == 3
    assert len(list(service(school).rows(staff, ALL))) == 10_000


def many(school: School, course: Course, number: int) -> None:
    """Micromodules, half of them overdue."""
    micromodule_ids = [tables.new_id() for _ in range(number)]
    own = {"organisation_id": course.organisation_id}
    with school.database.write() as session:
        connection = session.connection()
        connection.execute(
            tables.Micromodule.__table__.insert(),
            [{"id": id_, **own, "created_at": NOW} for id_ in micromodule_ids],
        )
        connection.execute(
            tables.MicromoduleVersion.__table__.insert(),
            [
                {
                    "id": tables.new_id(),
                    **own,
                    "micromodule_id": id_,
                    "number": 1,
                    "name": f"Badge {place:05}",
                    "description": "",
                    "skills": [],
                    "criteria": {},
                    "created_at": NOW,
                }
                for place, id_ in enumerate(micromodule_ids)
            ],
        )
        connection.execute(
            tables.AchievementCare.__table__.insert(),
            [
                {
                    "id": tables.new_id(),
                    **own,
                    "micromodule_id": id_,
                    "contact": "",
                    "note": "",
                    "revision": 1,
                    "review_on": TODAY + timedelta(days=-1 if place % 2 else 1),
                }
                for place, id_ in enumerate(micromodule_ids)
            ],
        )


def test_the_metric_counts_every_organisation(small_school: School) -> None:
    for _ in range(2):
        course = small_school.course()
        care_of(small_school, course, micromodule(small_school, course), review_on=date(2020, 1, 1))
    service(small_school).measure()
    assert ACHIEVEMENTS_STALE._value.get() == 2


def test_a_milestones_next_version_moves_its_own_date_and_no_other(school: School) -> None:
    course = school.course()
    first, second, id_ = milestone(school, course), milestone(school, course), micromodule(school, course)
    day = TODAY - timedelta(days=3)
    for each in (first, second):
        care_of(school, course, each, micromodule_id=None, milestone_id=each, review_on=day)
    care_of(school, course, id_, review_on=day)
    stranger = school.course().organisation_id
    with school.database.write() as session:
        for organisation_id in (stranger, course.organisation_id):
            count_as_review(session, organisation_id, actor="staff:anna", now=NOW, kind=MILESTONE, id_=first)
    assert (
        one(school, course, first, MILESTONE).review_on,
        one(school, course, first, MILESTONE).revision,
    ) == (None, 2)
    assert one(school, course, second, MILESTONE).review_on == day
    assert one(school, course, id_).review_on == day
