"""Learners by criteria: sorted, narrowed, leafed through; drafts and published ones show the same."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lti_tool.domain.awarding import Standing
from lti_tool.domain.criteria import AllOf, Attested, Channel, ScoreAtLeast
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services import matrix
from lti_tool.services.matrix import Matrix, MatrixView, Order, Wanted
from lti_tool.store import tables
from lti_tool.store.database import Database
from lti_tool.store.matrix import LETTERS
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import School, session_of

QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(80), channel=Channel.MIRROR)
TREE = AllOf((QUIZ, Attested("lab", "Lab")))
NAMES = ("ada", "Ben", "cleo", "Dan", "eve", "Finn", None, "gus", "100 % _\\'", "Ben")


def service(school: School) -> Matrix:
    return Matrix(school.database, school.awarding, school.ages)


def page_of(
    school: School,
    course: Course,
    placed: Placed,
    wanted: Wanted | None = None,
    *,
    page: int = 1,
    per_page: int = 50,
    **changes: Any,
) -> MatrixView:
    by = session_of(course, "0" * 32, **{"can_view_progress": True, "is_learner": False, **changes})
    return service(school).page(by, placed.placement_id, wanted or Wanted(), page=page, per_page=per_page)


def filled(school: School, status: str = "active") -> tuple[Course, Placed, list[str]]:
    """Ten learners in every mixture of grades and attestations, decided about where that is done."""
    course = school.course()
    placed = factories.placed(school.database, course, criterion=TREE, status=status)
    people = factories.enrol(school.database, course, len(NAMES) - 1)
    people += factories.enrol(school.database, course, proof="none")
    factories.grade(school.database, course, placed, [people[8]], None)
    for number, (learner, name) in enumerate(zip(people, NAMES, strict=True)):
        school.change(tables.Learner, tables.Learner.id == learner, name=name)
        if number % 3 and number != 8:
            factories.grade(school.database, course, placed, [learner], 90 if number % 3 == 1 else 10)
        if number % 2:
            factories.attestation(school.database, course, placed, "lab", learner)
    factories.grade(school.database, course, placed, [people[9]], 95)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    return course, placed, people


def names(view: MatrixView) -> list[str | None]:
    return [row.name for row in view.rows]


def test_everybody_is_listed_by_name_with_each_criterion(school: School) -> None:
    course, placed, people = filled(school)
    view = page_of(school, course, placed)
    assert [one.label for one in view.channels] == ["Quiz 1", "Lab"]
    assert (view.found, view.learners, view.pages) == (10, 10, 1)
    assert {row.learner_id for row in view.rows} == set(people)
    by_id = {row.learner_id: row for row in view.rows}
    assert [finding.state.value for finding in by_id[people[1]].findings] == ["met", "met"]
    assert by_id[people[1]].awarded_at == NOW
    assert by_id[people[1]].met == 2
    assert [finding.state.value for finding in by_id[people[0]].findings] == ["unknown", "not_met"]
    named = [name for name in names(view) if name]
    assert named == sorted(named, key=str.lower)


ORDERS = [
    Wanted(order, descending, leaf)
    for order, descending, leaf in (
        *((order, turned, 0) for order in Order for turned in (False, True)),
        (Order.CRITERION, False, 1),
        (Order.CRITERION, True, 1),
    )
]
FILTERS = [
    Wanted(),
    *(Wanted(standing=standing) for standing in Standing),
    *(Wanted(leaf=leaf, leaf_state=state) for leaf in (0, 1) for state in LETTERS),
    Wanted(name="BEN"),
    Wanted(name="%"),
    Wanted(name="_"),
    Wanted(name="\\"),
    Wanted(name="'"),
    Wanted(standing=Standing.NOT_YET, leaf=1, leaf_state="met", order=Order.BADGE),
]


def test_a_draft_is_sorted_and_narrowed_as_what_is_published_is(school: School) -> None:
    """Two ways to the same list: SQL over stored decisions, and decisions made for it."""
    course, placed, _ = filled(school)
    published = {wanted: page_of(school, course, placed, wanted) for wanted in (*ORDERS, *FILTERS)}
    where = tables.Placement.id == placed.placement_id
    with school.database.write() as session:
        session.add(
            tables.ResourceLink(
                organisation_id=course.organisation_id,
                context_id=course.context_id,
                id_on_platform="link",
                badge_link_key=placed.badge_link_key,
                role="badge",
                created_at=NOW,
            )
        )
    school.change(tables.Placement, where, status="draft", published_at=None)
    for wanted, view in published.items():
        draft = page_of(school, course, placed, wanted)
        assert draft.status == "draft"
        assert [row.learner_id for row in draft.rows] == [row.learner_id for row in view.rows], wanted
        assert (draft.found, draft.learners) == (view.found, view.learners) == (len(view.rows), 10)


def test_sorting_puts_the_best_first_and_turns_round(small_school: School) -> None:
    course, placed, _ = filled(small_school)

    def met(wanted: Wanted) -> list[int]:
        return [row.met for row in page_of(small_school, course, placed, wanted).rows]

    assert met(Wanted(Order.MET)) == sorted(met(Wanted()), reverse=True)
    assert met(Wanted(Order.MET, descending=True)) == sorted(met(Wanted()))
    ranked = ["met", "not_met", "unknown"]
    states = [
        ranked.index(row.findings[0].state.value)
        for row in page_of(small_school, course, placed, Wanted(Order.CRITERION)).rows
    ]
    assert states == sorted(states)
    verdicts = [row.verdict.value for row in page_of(small_school, course, placed, Wanted(Order.BADGE)).rows]
    assert verdicts[0] == "held"
    assert verdicts.index("unproved") < verdicts.index("not_yet")


@pytest.mark.parametrize("standing", Standing)
def test_narrowed_by_the_badge(small_school: School, standing: Standing) -> None:
    course, placed, _ = filled(small_school)
    of_it = {
        Standing.EARNED: {("held", "met"), ("review", "not_met")},
        Standing.REVIEW: {("review", "not_met")},
        Standing.WAITING: {("unproved", "met")},
        Standing.NOT_YET: {("not_yet", "not_met")},
        Standing.NO_DATA: {("not_yet", "unknown")},
        Standing.REVOKED: set(),
    }[standing]
    everybody = page_of(small_school, course, placed).rows
    expected = [row.learner_id for row in everybody if (row.verdict.value, row.state.value) in of_it]
    view = page_of(small_school, course, placed, Wanted(standing=standing))
    assert [row.learner_id for row in view.rows] == expected
    assert view.found == len(expected)


def test_who_was_never_decided_about_has_no_data_yet(small_school: School) -> None:
    course, placed, _ = filled(small_school)
    (new,) = factories.enrol(small_school.database, course)
    found = page_of(small_school, course, placed, Wanted(standing=Standing.NO_DATA))
    assert new in {row.learner_id for row in found.rows}
    unknown = page_of(small_school, course, placed, Wanted(leaf=0, leaf_state="unknown"))
    assert new in {row.learner_id for row in unknown.rows}


def test_pages_hold_everybody_once_whatever_the_order(school: School) -> None:
    course, placed, people = filled(school)
    for wanted in ORDERS:
        pages = [page_of(school, course, placed, wanted, page=number, per_page=3) for number in range(1, 5)]
        listed = [row.learner_id for one in pages for row in one.rows]
        assert sorted(listed) == sorted(people), wanted
        assert [one.pages for one in pages] == [4] * 4


@pytest.mark.parametrize("asked,given", [(0, 1), (-5, 1), (99, 4), (10**9, 4), (2, 2)])
@pytest.mark.parametrize("status", ["active", "draft"])
def test_a_page_that_does_not_exist_is_the_nearest(
    small_school: School, asked: int, given: int, status: str
) -> None:
    course, placed, _ = filled(small_school, status)
    assert page_of(small_school, course, placed, page=asked, per_page=3).page == given


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(Order.CRITERION, order_leaf=2),
        Wanted(Order.CRITERION, order_leaf=-1, descending=True),
        Wanted(leaf=2, leaf_state="met"),
        Wanted(leaf=-1, leaf_state="met"),
        Wanted(leaf=0, leaf_state="M"),
        Wanted(leaf=0),
    ],
)
@pytest.mark.parametrize("status", ["active", "draft"])
def test_what_these_criteria_do_not_have_is_not_asked_for(
    small_school: School, wanted: Wanted, status: str
) -> None:
    course, placed, _ = filled(small_school, status)
    view = page_of(small_school, course, placed, wanted)
    assert view.wanted == Wanted()
    assert view.found == 10


def test_rows_are_as_of_now_also_where_nothing_was_decided_since(small_school: School) -> None:
    course, placed, people = filled(small_school)
    small_school.regrade(placed, people[2], 99)
    (row,) = page_of(small_school, course, placed, Wanted(name="cleo")).rows
    assert row.findings[0].state.value == "met"


def test_who_does_not_take_part_is_not_listed(small_school: School) -> None:
    course, placed, people = filled(small_school)
    for person, values in (
        (people[0], {"is_staff": True}),
        (people[1], {"is_active": False}),
        (people[2], {"is_learner": False}),
    ):
        small_school.change(tables.Membership, tables.Membership.learner_id == person, **values)
    small_school.change(tables.Learner, tables.Learner.id == people[3], is_test_user=True)
    view = page_of(small_school, course, placed)
    assert {row.learner_id for row in view.rows} == set(people[4:])
    assert view.learners == 6
    small_school.change(tables.Placement, status="draft")
    with small_school.database.write() as session:
        session.add(
            tables.ResourceLink(
                organisation_id=course.organisation_id,
                context_id=course.context_id,
                id_on_platform="link",
                badge_link_key=placed.badge_link_key,
                role="badge",
                created_at=NOW,
            )
        )
    draft = page_of(small_school, course, placed)
    assert [row.learner_id for row in draft.rows] == [row.learner_id for row in view.rows]


def test_a_revoked_badge_is_shown_as_one(small_school: School) -> None:
    course, placed, people = filled(small_school)
    (award,) = small_school.rows(tables.Award, tables.Award.learner_id == people[1])
    credential_id = small_school.issuing.issue_credential(award.id)
    assert credential_id is not None
    small_school.revoking.revoke(credential_id, "Mistake", "cli")
    rows = {row.learner_id: row for row in page_of(small_school, course, placed).rows}
    assert rows[people[1]].is_revoked
    assert sum(row.is_revoked for row in rows.values()) == 1


@pytest.mark.parametrize("status", ["active", "draft"])
def test_the_file_holds_everybody_once_by_name(
    school: School, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    monkeypatch.setattr(matrix, "AT_ONCE", 3)
    course, placed, _ = filled(school, status)
    by = session_of(course, "0" * 32, can_view_progress=True, is_learner=False)
    file = service(school).everybody(by, placed.placement_id)
    assert [one.label for one in file.channels] == ["Quiz 1", "Lab"]
    listed = [row.learner_id for row in file.rows]
    assert listed == [row.learner_id for row in page_of(school, course, placed).rows]


def test_a_file_of_many_holds_few_at_a_time(small_school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix, "AT_ONCE", 4)
    course, placed, _ = filled(small_school)
    by = session_of(course, "0" * 32, can_view_progress=True, is_learner=False)
    rows = service(small_school).everybody(by, placed.placement_id).rows
    assert len(list(itertools.islice(rows, 2))) == 2
    with small_school.database.statements() as statements:
        assert len(list(itertools.islice(rows, 2))) == 2
    assert statements == []


@pytest.mark.parametrize("status", ["active", "draft"])
def test_a_page_of_many_asks_no_more_than_one_of_few(school: School, status: str) -> None:
    counted: list[Sequence[str]] = []
    for size in (5, 300):
        course = school.course()
        placed = factories.placed(school.database, course, criterion=TREE, status=status)
        people = factories.enrol(school.database, course, size)
        factories.grade(school.database, course, placed, people, 90)
        school.awarding.decide_context(course.organisation_id, course.context_id)
        wanted = Wanted(Order.BADGE, leaf=0, leaf_state="met", name="learner")
        with school.database.statements() as statements:
            view = page_of(school, course, placed, wanted)
        assert (view.found, len(view.rows)) == (size, min(size, 50))
        counted.append([one for one in statements if not one.startswith("BEGIN")])
    assert len(counted[0]) == len(counted[1]) <= MOST_STATEMENTS


MOST_STATEMENTS = 16


def test_sorting_finds_each_learner_s_decision_by_the_learner(
    sqlite_database: Database, tmp_path: Path
) -> None:
    """SQLite once took the index that covers the query: of 10,000 learners it went through 10,000 decisions
    for each, and the page took a minute."""
    school = School(sqlite_database, tmp_path / "keys")
    course, placed, _ = filled(school)
    for wanted in (Wanted(Order.BADGE), Wanted(Order.MET), Wanted(standing=Standing.EARNED)):
        with school.database.statements() as statements:
            page_of(school, course, placed, wanted)
        asked = [one for one in statements if "LEFT OUTER JOIN" in one and "leaf_states" in one]
        assert asked
        with school.database.read() as session:
            for statement in asked:
                plan = session.connection().exec_driver_sql(
                    f"EXPLAIN QUERY PLAN {statement}", (None,) * statement.count("?")
                )
                steps = [str(row[-1]) for row in plan if "decisions" in str(row[-1])]
                assert steps
                assert all("learner_id=?" in step for step in steps), steps


def test_other_badges_of_the_course_cost_no_more(small_school: School) -> None:
    counted = []
    for others in (0, 10):
        course, placed, _ = filled(small_school)
        for _number in range(others):
            factories.placed(small_school.database, course)
        with small_school.database.statements() as statements:
            page_of(small_school, course, placed)
        counted.append(len(statements))
    assert counted[0] == counted[1]


def test_who_may_not_see_progress_sees_no_matrix(small_school: School) -> None:
    course, placed, _ = filled(small_school)
    who: list[dict[str, Any]] = [
        {"can_view_progress": False},
        {"can_view_progress": False, "is_learner": True},
    ]
    for changes in who:
        with pytest.raises(NotAllowed):
            page_of(small_school, course, placed, **changes)
        by = session_of(course, "0" * 32, **changes)
        with pytest.raises(NotAllowed):
            service(small_school).everybody(by, placed.placement_id)


def test_another_course_s_matrix_is_not_found(school: School) -> None:
    course, placed, _ = filled(school)
    (neighbour,) = factories.courses_beside(school.database, course, 1)
    removed = factories.placed(school.database, course, status="removed")
    for of_whom, one in ((school.course(), placed), (neighbour, placed), (course, removed)):
        by = session_of(of_whom, "0" * 32, can_view_progress=True, is_learner=False)
        with pytest.raises(NotFound) as refused:
            page_of(school, of_whom, one)
        assert refused.value.code is ErrorCode.PLACEMENT_NOT_FOUND
        with pytest.raises(NotFound):
            service(school).everybody(by, one.placement_id)
