"""Evidence columns on both databases: made once, watched, and never written to."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update

from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services.columns import Columns
from lti_tool.store import runs
from lti_tool.store.database import Database
from lti_tool.store.tables import Context, Deployment, LineItem, Registration, Result
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, gradebook, rows


@dataclass
class World:
    """A course with a mirror and an attest column that do not exist on its platform yet."""

    database: Database
    course: factories.Course
    placed: factories.Placed
    book: Gradebook
    clock: Clock
    columns: Columns
    slept: list[float] = field(default_factory=list)

    def create(self) -> tuple[Any, ...]:
        return self.columns.create_columns(self.course.organisation_id, self.placed.placement_id)

    def poll(self) -> tuple[Any, ...]:
        return self.columns.poll(self.course.organisation_id, self.placed.placement_id)

    def stored(self) -> dict[str, LineItem]:
        return {row.evidence_key: row for row in rows(self.database, LineItem)}

    def posts(self) -> list[str]:
        return self.book.calls("POST")

    def changes(self) -> list[str]:
        return [call for call in self.book.asked if not call.startswith("GET")]


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    course = factories.course(database)
    placed = factories.placed(database, course)
    with database.write() as session:
        session.execute(update(LineItem).values(id_on_platform=None, label="Quiz 1 mirror"))
    factories.column(database, course, placed, "talk", score_maximum=Decimal(1))
    with gradebook(course) as book:
        clock = Clock()
        slept: list[float] = []
        columns = Columns(database, book.network.connector, clock, slept.append)
        yield World(database, course, placed, book, clock, columns, slept)


def test_missing_columns_are_made_without_a_link_and_with_our_key(world):
    states = world.create()
    assert [(state.tag, state.state, state.trouble) for state in states] == [
        ("mirror", "waiting", None),
        ("attest", "waiting", None),
    ]
    mirror, attest = sorted(world.book.columns, key=lambda column: column["tag"], reverse=True)
    assert mirror == {
        "id": mirror["id"],
        "label": "Quiz 1 mirror",
        "scoreMaximum": 100,
        "resourceId": world.placed.badge_link_key,
        "tag": "mirror",
    }
    assert (attest["tag"], attest["scoreMaximum"]) == ("attest", 1)
    assert world.stored()["quiz"].id_on_platform == mirror["id"]
    with world.database.read() as session:
        assert session.get_one(Context, world.course.context_id).sync_due_at == world.clock.now


def test_clicking_again_makes_nothing_more(world):
    world.create()
    asked = len(world.book.asked)
    world.create()
    assert len(world.book.asked) == asked
    assert len(world.book.columns) == 2


def test_two_teachers_who_click_at_once_make_one_column_each_kind(world, monkeypatch):
    # The second waits for the first, however long that takes on a busy machine.
    monkeypatch.setattr("lti_tool.services.columns.LEASE_PATIENCE", 100.0)
    together = threading.Barrier(2)
    first_asked = threading.Event()

    def slowly(_path: str) -> None:
        if not first_asked.is_set():
            first_asked.set()
            threading.Event().wait(0.3)

    world.book.before = slowly
    patient = Columns(world.database, world.book.network.connector, world.clock)

    def click(_number: int) -> int:
        together.wait()
        return len(patient.create_columns(world.course.organisation_id, world.placed.placement_id))

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(click, range(2))) == [2, 2]
    assert len(world.posts()) == 2


def visitor(world: World, **changes: Any) -> Any:
    values = {
        "can_configure": True,
        "is_read_only": False,
        "organisation_id": world.course.organisation_id,
        "placement_id": world.placed.placement_id,
    }
    return SimpleNamespace(**values | {"is_copied_link": False} | changes)


def test_a_visit_of_who_may_configure_makes_the_mirror_and_leaves_other_columns_to_a_click(world):
    world.columns.make_mirrors(visitor(world))
    made = {key: row.id_on_platform is not None for key, row in world.stored().items()}
    assert made == {row.evidence_key: row.tag == "mirror" for row in rows(world.database, LineItem)}
    asked = len(world.book.asked)
    world.columns.make_mirrors(visitor(world))
    assert len(world.book.asked) == asked, "what is there is not asked for again"


@pytest.mark.parametrize(
    "changes", [{"can_configure": False}, {"is_read_only": True}, {"placement_id": None}]
)
def test_nobody_elses_visit_makes_a_column(world, changes):
    world.columns.make_mirrors(visitor(world, **changes))
    assert not world.book.asked


def test_a_visit_tries_nothing_again_that_had_trouble(world):
    world.book.failing["/lineitems"] = (403, {}, "")
    world.columns.make_mirrors(visitor(world))
    asked = len(world.book.asked)
    world.columns.make_mirrors(visitor(world))
    assert len(world.book.asked) == asked


def test_a_click_while_somebody_else_takes_too_long_is_a_conflict(world):
    with world.database.write() as session:
        name = f"columns:{world.placed.placement_id}"
        runs.take_lease(session, name, "somebody", world.clock.now, 60)
    with pytest.raises(Conflict):
        world.create()
    assert 4 < sum(world.slept) < 6
    assert not world.book.asked
    world.clock.forward(seconds=61)
    assert world.create()[0].state == "waiting"


def test_a_column_that_is_there_already_is_adopted(world):
    url = f"{world.course.platform_issuer}/lineitems/77/lineitem?type_id=1"
    world.book.columns.append(
        {
            "id": url,
            "label": "Quiz 1 mirror",
            "scoreMaximum": 100,
            "tag": "mirror",
            "resourceId": world.placed.badge_link_key,
        }
    )
    world.create()
    assert world.stored()["quiz"].id_on_platform == url
    assert len(world.posts()) == 1, "the attest column only"


def test_a_column_named_before_badges_were_told_apart_is_adopted(world):
    """Two of one badge, so that there is a mistaking: "Quiz 1" is meant by "Quiz 1 · Maps"."""
    with world.database.write() as session:
        session.execute(update(LineItem).values(tag="mirror"))
        for key, label in (("quiz", "Quiz 1 · Maps"), ("talk", "Talk · Maps")):
            session.execute(update(LineItem).where(LineItem.evidence_key == key).values(label=label))
    for number, label in ((77, "Talk"), (78, "Quiz 1"), (79, "Quiz 1 · Another")):
        world.book.columns.append(
            {
                "id": f"{world.course.platform_issuer}/lineitems/{number}/lineitem",
                "label": label,
                "tag": "mirror",
                "resourceId": world.placed.badge_link_key,
            }
        )
    world.create()
    found = {key: row.id_on_platform.split("/")[-2] for key, row in world.stored().items()}
    assert found == {"quiz": "78", "talk": "77"}
    assert world.posts() == []


def test_a_column_that_the_teacher_renamed_is_adopted_where_there_is_no_mistaking_it(world):
    url = f"{world.course.platform_issuer}/lineitems/77/lineitem"
    renamed = {"id": url, "label": "My quiz", "tag": "mirror", "resourceId": world.placed.badge_link_key}
    world.book.columns.append(renamed)
    world.create()
    assert world.stored()["quiz"].id_on_platform == url


def test_the_column_of_what_a_changed_draft_asked_before_is_not_taken_for_that_of_now(world):
    """It still copies the quiz of before: "Quiz 2" would be decided by the grades of "Quiz 1"."""
    with world.database.write() as session:
        quiz = LineItem.evidence_key == "quiz"
        session.execute(update(LineItem).where(quiz).values(evidence_key="quiz-2", label="Quiz 2 · Maps"))
    url = f"{world.course.platform_issuer}/lineitems/77/lineitem"
    before = {"id": url, "tag": "mirror", "resourceId": world.placed.badge_link_key}
    world.book.columns.append({**before, "label": "Quiz 1 · Reading maps"})
    world.create()
    assert world.stored()["quiz-2"].id_on_platform not in (None, url)


def test_a_column_whose_name_the_platform_cleaned_is_adopted(world):
    with world.database.write() as session:
        quiz = LineItem.evidence_key == "quiz"
        session.execute(update(LineItem).where(quiz).values(label="Quiz <b>1</b>  & talk · Maps"))
    url = f"{world.course.platform_issuer}/lineitems/77/lineitem"
    before = {"id": url, "tag": "mirror", "resourceId": world.placed.badge_link_key}
    world.book.columns.append({**before, "label": "Quiz 1 & talk · Maps"})
    world.create()
    assert world.stored()["quiz"].id_on_platform == url


def test_a_mirror_is_made_by_a_visit_only_where_the_platform_has_mirrors(world):
    """A badge of the library that was described for Moodle: on Canvas its column is an assignment."""
    with world.database.write() as session:
        session.execute(update(Registration).values(product="canvas"))
    world.columns.make_mirrors(visitor(world))
    assert not world.book.asked


def test_a_visit_waits_for_nobody_who_is_making_the_columns(world):
    with world.database.write() as session:
        name = f"columns:{world.placed.placement_id}"
        runs.take_lease(session, name, "somebody", world.clock.now, 60)
    world.columns.make_mirrors(visitor(world))
    assert not world.slept
    assert not world.book.asked


@pytest.mark.parametrize(
    "stranger",
    [
        {"resourceId": "another-key"},
        {"tag": "award"},
        {"resourceLinkId": "5"},
        {"tag": None},
    ],
)
def test_a_column_that_is_not_ours_is_not_adopted(world, stranger):
    world.book.columns.append(
        {
            "id": f"{world.course.platform_issuer}/lineitems/77/lineitem",
            "label": "Quiz 1 mirror",
            "tag": "mirror",
            "resourceId": world.placed.badge_link_key,
            **stranger,
        }
    )
    world.create()
    assert "/77/" not in world.stored()["quiz"].id_on_platform


def test_a_column_listed_under_another_domain_is_not_taken_for_a_further_one(world):
    """Canvas names an institution's columns by whichever of its domains it prefers at the time."""
    old = "https://school.instructure.com/api/lti/courses/1/line_items/77"
    with world.database.write() as session:
        session.execute(update(Registration).values(product="canvas", default_organisation_id=None))
        session.execute(update(Deployment).values(token_url=f"{world.course.platform_issuer}/token"))
        session.execute(
            update(LineItem).where(LineItem.evidence_key == "talk").values(tag="mirror", id_on_platform=old)
        )
    new = f"{world.course.platform_issuer}/api/lti/courses/1/line_items/77"
    world.book.columns.append(
        {"id": new, "label": "My quiz", "tag": "mirror", "resourceId": world.placed.badge_link_key}
    )
    world.create()
    stored = world.stored()
    assert stored["talk"].id_on_platform == old
    assert stored["quiz"].id_on_platform not in (old, new)


def test_one_column_on_the_platform_is_not_two_of_ours(world):
    with world.database.write() as session:
        session.execute(
            update(LineItem)
            .where(LineItem.evidence_key == "talk")
            .values(tag="mirror", label="Quiz 2 mirror")
        )
    shared = {"tag": "mirror", "resourceId": world.placed.badge_link_key}
    world.book.columns.append(
        {"id": f"{world.course.platform_issuer}/lineitems/77/lineitem", "label": "?", **shared}
    )
    world.create()
    urls = {row.id_on_platform for row in world.stored().values()}
    assert len(urls) == 2
    assert not any("/77/" in url for url in urls), "whose it is cannot be told"


def test_an_answer_that_was_lost_makes_no_second_column(world):
    world.book.creates = False
    states = world.create()
    assert {state.trouble for state in states} == {ErrorCode.PLATFORM_UNREACHABLE}
    assert {state.state for state in states} == {"not_created"}
    made = len(world.book.columns)
    assert made == 2
    world.book.creates = True
    assert {state.state for state in world.create()} == {"waiting"}
    assert len(world.book.columns) == made


def test_half_done_work_resumes(world):
    attempts = []

    def second_fails(path: str) -> None:
        attempts.append(path)
        if len(attempts) == 3:
            world.book.failing["/lineitems/"] = (403, {}, "")

    world.book.before = second_fails
    first = world.create()
    assert sorted(state.state for state in first) == ["not_created", "waiting"]
    world.book.failing.clear()
    assert {state.state for state in world.create()} == {"waiting"}
    assert len(world.book.columns) == 2


def test_a_platform_that_says_409_has_made_it_meanwhile(world):
    conflicts: list[str] = []

    def somebody_else(_path: str) -> None:
        if world.posts() and not conflicts:
            conflicts.append("now")
            world.book._create(
                {"label": "Quiz 1 mirror", "tag": "mirror", "resourceId": world.placed.badge_link_key}
            )
            world.book.failing["/lineitems/"] = (409, {}, "")
        else:
            world.book.failing.clear()

    world.book.before = somebody_else
    world.create()
    assert len([column for column in world.book.columns if column["tag"] == "mirror"]) == 1
    assert world.stored()["quiz"].id_on_platform == world.book.columns[0]["id"]


@pytest.mark.parametrize(
    "context", [{"ags_scopes": []}, {"line_items_url": None}, {"ags_scopes": ["x/lineitem.readonly"]}]
)
def test_a_platform_that_lets_us_only_read_is_told_and_not_asked(world, context):
    with world.database.write() as session:
        session.execute(update(Context).values(**context))
    states = world.create()
    assert {state.trouble for state in states} == {ErrorCode.PLATFORM_SCOPE_MISSING}
    assert {state.state for state in states} == {"not_created"}
    assert not world.book.asked


def test_a_column_on_a_foreign_host_is_not_kept(world):
    foreign = {"id": "https://evil.example/1", "label": "Quiz 1 mirror", "tag": "mirror"}
    world.book.columns.append({**foreign, "resourceId": world.placed.badge_link_key})
    states = world.create()
    assert states[0].trouble is ErrorCode.PLATFORM_HOST_FOREIGN
    assert world.stored()["quiz"].id_on_platform is None


def test_the_teacher_is_led_straight_to_the_column(world):
    course_number = world.course.platform_issuer  # the id of the course stands in the URL that Moodle gives
    with world.database.write() as session:
        session.execute(update(Context).values(id_on_platform="2"))
        session.execute(
            update(LineItem)
            .where(LineItem.evidence_key == "quiz")
            .values(id_on_platform=f"{course_number}/mod/lti/services.php/2/lineitems/13/lineitem?type_id=1")
        )
    mirror, attest = world.columns.column_states(world.course.organisation_id, world.placed.placement_id)
    assert mirror.guidance is not None
    assert "calculation.php?courseid=2&id=13" in mirror.guidance.formula_url
    assert mirror.formula_example == "=[[quiz1mirror]]"
    assert (attest.guidance, attest.formula_example) == (None, None)


# -- watching


def test_values_that_arrive_are_noticed_and_decided_over_soon(world):
    world.create()
    mirror = world.stored()["quiz"].id_on_platform
    with world.database.write() as session:
        session.execute(update(Context).values(sync_due_at=None))
    assert {state.state for state in world.poll()} == {"waiting"}
    world.book.grades[mirror] = {"5": 80, "6": None}
    world.clock.forward(seconds=4)
    states = world.poll()
    assert [state.state for state in states] == ["values", "waiting"]
    assert states[0].first_value_at == world.clock.now
    assert {row.score for row in rows(world.database, Result)} == {Decimal(80), None}
    with world.database.read() as session:
        assert session.get_one(Context, world.course.context_id).sync_due_at == world.clock.now


def test_many_browsers_that_ask_are_one_read(world):
    world.create()
    asked = len(world.book.asked)
    for _ in range(10):
        world.poll()
    assert len(world.book.asked) == asked + 2
    world.clock.forward(seconds=3)
    world.poll()
    assert len(world.book.asked) == asked + 4


def test_two_processes_that_are_asked_are_one_read_too(world):
    world.create()
    other = Columns(world.database, world.book.network.connector, world.clock)
    asked = len(world.book.asked)
    for columns in (world.columns, other, world.columns):
        columns.poll(world.course.organisation_id, world.placed.placement_id)
    assert len(world.book.asked) == asked + 2
    world.clock.forward(seconds=3)
    other.poll(world.course.organisation_id, world.placed.placement_id)
    assert len(world.book.asked) == asked + 4


def test_a_column_that_has_values_is_not_asked_again(world):
    world.create()
    for row in world.stored().values():
        world.book.grades[row.id_on_platform] = {"5": 1}
    world.poll()
    world.clock.forward(minutes=1)
    asked = len(world.book.asked)
    world.poll()
    assert len(world.book.asked) == asked


def test_a_column_that_a_teacher_deleted_is_trouble_and_can_be_made_again(world):
    world.create()
    world.book.failing["/results"] = (404, {}, "<!DOCTYPE html>")
    world.poll()
    states = world.columns.column_states(world.course.organisation_id, world.placed.placement_id)
    assert {(state.state, state.trouble) for state in states} == {("trouble", ErrorCode.COLUMN_MISSING)}
    world.book.failing.clear()
    gone = [column["id"] for column in world.book.columns]
    world.book.columns.clear()
    world.book.columns.append({"id": "https://other.example/0", "label": "x", "tag": "x", "resourceId": "x"})
    assert {state.state for state in world.create()} == {"waiting"}
    assert not {row.id_on_platform for row in world.stored().values()} & set(gone[:1])


def lose(world) -> tuple[str, ...]:
    """Both columns had grades and are deleted on the platform; their URLs."""
    world.create()
    for row in world.stored().values():
        world.book.grades[row.id_on_platform] = {"5": 100}
    world.poll()
    assert {state.state for state in world.create()} == {"values"}
    urls = tuple(column["id"] for column in world.book.columns)
    with world.database.write() as session:
        session.execute(update(LineItem).values(trouble=ErrorCode.COLUMN_MISSING))
    world.book.columns[:] = [{"id": "https://other.example/0", "label": "x", "tag": "x"}] * len(urls)
    return urls


def test_a_column_made_again_has_nothing_of_the_old_one(world):
    urls = lose(world)
    states = world.create()
    assert [(state.state, state.first_value_at, state.read_at) for state in states] == [
        ("waiting", None, None)
    ] * 2
    assert not rows(world.database, Result), "what the old one said is not known any more"
    stored = world.stored().values()
    assert not {row.id_on_platform for row in stored} & set(urls)
    assert not any(row.is_complete for row in stored)
    for row in stored:
        world.book.grades[row.id_on_platform] = {"5": 7}
    world.clock.forward(seconds=4)
    assert {state.state for state in world.poll()} == {"values"}, "and it is watched again"


def test_a_column_that_was_there_all_along_keeps_its_grades(world):
    """An LMS under maintenance says 404 for everything."""
    urls = lose(world)
    world.book.columns[:] = [
        {
            "id": url,
            "label": row.label,
            "tag": row.tag,
            "resourceId": world.placed.badge_link_key,
        }
        for row in world.stored().values()
        for url in urls
        if row.id_on_platform == url
    ]
    assert {state.state for state in world.create()} == {"values"}
    assert len(rows(world.database, Result)) == 2
    assert len(world.posts()) == 2, "none was made again"


def test_a_column_that_could_not_be_made_again_can_be_tried_again(world):
    lose(world)
    world.book.failing["/lineitems/"] = (403, {}, "")
    assert {(state.state, state.trouble) for state in world.create()} == {
        ("not_created", ErrorCode.PLATFORM_REFUSED)
    }
    world.book.failing.clear()
    assert {(state.state, state.trouble) for state in world.create()} == {("waiting", None)}
    assert not rows(world.database, Result)


def test_a_read_that_began_before_the_column_was_made_again_says_nothing_about_it(world):
    lose(world)
    with world.database.write() as session:
        session.execute(update(LineItem).values(first_value_at=None, trouble=None))

    def made_again(path: str) -> None:
        world.book.before = lambda _path: None
        with world.database.write() as session:
            session.execute(update(LineItem).values(trouble=ErrorCode.COLUMN_MISSING))
        world.create()

    world.clock.forward(seconds=4)
    world.book.before = made_again
    world.poll()
    stored = {row.evidence_key: row for row in rows(world.database, LineItem)}
    assert [row.first_value_at for row in stored.values()] == [None, None]
    assert not any(row.is_complete for row in stored.values())
    assert not rows(world.database, Result)


def test_nothing_is_ever_written_to_an_evidence_column(world):
    world.create()
    for row in world.stored().values():
        world.book.grades[row.id_on_platform] = {"5": 1}
    world.poll()
    world.create()
    assert all("/scores" not in call for call in world.book.asked)
    assert len(world.changes()) == 2, "the two creations"
    assert all(call.startswith("POST /lineitems/") for call in world.changes())


# -- other organisations


@pytest.mark.parametrize("action", ["create_columns", "poll", "column_states"])
def test_another_organisations_placement_is_not_found(world, action):
    other = factories.course(world.database)
    with pytest.raises(NotFound):
        getattr(world.columns, action)(other.organisation_id, world.placed.placement_id)
    assert not world.book.asked


def test_a_disabled_registration_is_not_asked(world):
    world.create()
    with world.database.write() as session:
        session.execute(update(Registration).values(status="disabled"))
        session.execute(update(LineItem).values(trouble=ErrorCode.COLUMN_MISSING))
    asked = len(world.book.asked)
    world.poll()
    assert world.create()[0].trouble is ErrorCode.PLATFORM_SCOPE_MISSING
    assert len(world.book.asked) == asked
