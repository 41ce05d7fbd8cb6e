"""A course is copied in the LMS: its badges come along as drafts that an instructor takes over."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from lti_tool.store.tables import Award, Context, LineItem, Placement
from tests.journeys.campus import Campus
from tests.simulator.browser import Page
from tests.simulator.canvas import copying as canvas_copying
from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import Activity, Course, Role
from tests.simulator.moodle import backup
from tests.simulator.resetting import reset_course

PREPARED = "This badge is being prepared."


class Copied:
    """The course of a campus with its published badge, and a copy of it in which the same people teach."""

    def __init__(self, campus: Campus, *learners: str, course: Course | None = None) -> None:
        self.campus = campus
        self.original = course or campus.course
        self.course = copy_of(campus, self.original, *learners)

    def twin(self, activity: Activity) -> Activity:
        (found,) = [one for one in self.campus.lms.in_course(self.course) if one.name == activity.name]
        return found

    def move_in(self) -> None:
        """What the campus does from now on, it does in the copy."""
        self.campus.quiz = self.twin(self.campus.quiz)
        self.campus.course = self.course

    def launch(self, activity: Activity) -> Page:
        return self.campus.browser(self.campus.teacher).launch(self.twin(activity).id)

    def take_over(self, activity: Activity, **fields: str) -> Page:
        teacher = self.campus.browser(self.campus.teacher)
        page = teacher.launch(self.twin(activity).id)
        return teacher.submit(page, dict(fields), form="/course/copy", button="confirm")

    def placements(self) -> list[Placement]:
        return placements(self.campus, self.campus.lms, self.course)


def copy_of(campus: Campus, course: Course, *learners: str) -> Course:
    """A copy as the product makes it, with the teacher and some learners."""
    name = f"{course.short_name}-{len(campus.lms.courses)}"
    if isinstance(campus.lms, Canvas):
        copy = canvas_copying.copy_course(campus.lms, course, name, f"{course.full_name} {name}")
    else:
        copy = backup.copy_course(campus.lms, course, name, f"{course.full_name} {name}")
    campus.lms.enrol(campus.teacher, copy, Role.EDITING_TEACHER)
    for username in learners:
        campus.lms.enrol(campus.learner(username), copy)
    return copy


def context_id(lms: object, course: Course) -> str:
    return lms.context_id(course) if isinstance(lms, Canvas) else str(course.id)


def placements(campus: Campus, lms: object, course: Course) -> list[Placement]:
    with campus.tool.database.read() as session:
        query = (
            select(Placement)
            .join(Context, Context.id == Placement.context_id)
            .where(Context.id_on_platform == context_id(lms, course))
        )
        return list(session.scalars(query))


def everything_of(campus: Campus, course: Course) -> list[tuple[object, ...]]:
    """Placements and columns of a course, as stored."""
    with campus.tool.database.read() as session:
        own = select(Context.id).where(Context.id_on_platform == context_id(campus.lms, course))
        return [
            tuple(row)
            for table in (Placement, LineItem)
            for row in session.execute(
                select(*table.__table__.c).where(table.context_id.in_(own)).order_by(table.id)
            )
        ]


def test_a_copied_course_gets_its_badge_as_a_draft_that_the_teacher_takes_over_and_publishes(
    campus: Campus,
) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 90)
    campus.open_wallet("ada", badge)
    assert campus.holders() == ["Ada Learner"]
    before = everything_of(campus, campus.course)
    copied = Copied(campus, "ben")

    early = campus.browser(campus.learner("ben")).launch(copied.twin(badge).id)
    assert PREPARED in early.words
    assert copied.placements() == [], "a learner sets nothing up"

    page = copied.launch(badge)
    assert "This course was copied from “Micromodule 1: Open Data”" in page.words
    assert "Open Data Basics" in page.words
    (draft,) = copied.placements()
    assert (draft.status, draft.confirmed_at) == ("draft", None)
    assert PREPARED in campus.browser(campus.learner("ben")).launch(copied.twin(badge).id).words

    course_page = copied.take_over(badge)
    assert "/course" in course_page.url
    assert "Draft" in course_page.words
    (draft,) = copied.placements()
    assert draft.status == "draft"
    assert draft.confirmed_at is not None
    assert everything_of(campus, copied.original) == before, "the old course is as it was"

    copied.move_in()
    twin = copied.twin(badge)
    if campus.product == "canvas":
        campus.set_up(twin)
    (column,) = campus.evidence()
    if campus.product == "moodle":
        assert column.formula == "=[[quiz1]]", "it came along, and was not made again"
    campus.publish(twin)
    campus.take_quiz("ben", 80)
    campus.open_wallet("ben", twin)
    campus.pass_time(seconds=120)
    assert campus.holders() == ["Ada Learner", "Ben Learner"]
    assert len(campus.evidence()) == 1


def test_nothing_that_was_earned_in_the_old_course_is_evidence_in_the_copy(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 90)
    copied = Copied(campus, "ada")
    copied.take_over(badge)
    copied.move_in()
    twin = copied.twin(badge)
    if campus.product == "canvas":
        campus.set_up(twin)
    campus.publish(twin)
    campus.open_wallet("ada", twin)
    campus.pass_time(seconds=120)
    with campus.tool.database.read() as session:
        held = session.scalars(select(Award.context_id)).all()
        old = placements(campus, campus.lms, copied.original)[0].context_id
    assert set(held) <= {old}


def test_two_launches_at_once_and_ten_more_make_one_copy(campus: Campus) -> None:
    badge = campus.placed_badge()
    copied = Copied(campus)
    for _ in range(3):
        copied.launch(badge)
    (draft,) = copied.placements()
    copied.take_over(badge)
    copied.launch(badge)
    assert [one.id for one in copied.placements()] == [draft.id]
    with campus.tool.database.read() as session:
        assert (
            session.scalar(
                select(func.count()).where(LineItem.placement_id == draft.id, LineItem.tag != "award")
            )
            == 1
        )


def test_what_is_not_ticked_is_left_behind_and_can_be_had_after_all(campus: Campus) -> None:
    badge = campus.placed_badge()
    copied = Copied(campus, "ben")
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(copied.twin(badge).id)
    form = page.form("/course/copy")
    left = type(form)(
        form.action,
        form.method,
        "",
        "",
        form.encoding,
        {name: form.fields[name] for name in ("csrf_token", "shown_id")} | {"action": "confirm"},
        (),
    )
    teacher.submit(page, form=left)
    assert [one.status for one in copied.placements()] == ["removed"]
    again = teacher.launch(copied.twin(badge).id)
    assert "/course/copy" not in again.url
    assert PREPARED not in campus.browser(campus.learner("ben")).launch(copied.twin(badge).id).words
    assert [one.status for one in copied.placements()] == ["removed"], "it stays as the teacher said"

    page = teacher.get(again.url.rpartition("/")[0] + "/course/copy", page=again)
    assert "Left behind" in page.words
    (gone,) = copied.placements()
    teacher.submit(page, {"placement_id": gone.id}, form="/course/copy", button="confirm")
    assert [one.status for one in copied.placements()] == ["draft"]


def test_a_copy_of_a_copy_comes_from_the_nearest(campus: Campus) -> None:
    badge = campus.placed_badge()
    second = Copied(campus)
    second.take_over(badge)
    third = Copied(campus, course=second.course)
    third.launch(badge)
    (draft,) = third.placements()
    (middle,) = second.placements()
    assert draft.copied_from_id == middle.id
    assert draft.micromodule_version_id == middle.micromodule_version_id


def test_a_copy_of_a_copy_that_nobody_opened_comes_from_the_first(campus: Campus) -> None:
    badge = campus.placed_badge()
    (first,) = placements(campus, campus.lms, campus.course)
    between = copy_of(campus, campus.course)
    third = Copied(campus, course=between)
    third.launch(badge)
    assert [one.copied_from_id for one in third.placements()] == [first.id]


def test_the_platforms_first_question_for_content_brings_the_copy_along(campus: Campus) -> None:
    """A teacher who goes to "add an activity" first is told as well."""
    campus.placed_badge()
    copied = Copied(campus)
    teacher = campus.browser(campus.teacher)
    page = teacher.deep_link(copied.course)
    assert "1 badge came with the copied course" in page.words
    href = next(str(a["href"]) for a in page.soup.find_all("a", href=True) if "/course/copy" in a["href"])
    assert "Open Data Basics" in teacher.get(href, page=page).words
    (draft,) = copied.placements()
    assert (draft.status, draft.confirmed_at) == ("draft", None)


def test_who_may_not_configure_sets_nothing_up(campus: Campus) -> None:
    badge = campus.placed_badge()
    copied = Copied(campus)
    designer = campus.lms.add_user("olga", "Olga", "Outsider")
    campus.lms.enrol(designer, copied.course)
    page = campus.browser(designer).launch(copied.twin(badge).id)
    assert PREPARED in page.words
    root = "/".join(page.url.split("/")[:5])
    assert campus.browser(designer).get(f"{root}/course/copy", page=page).status == 403
    assert copied.placements() == []


def test_a_second_activity_of_the_same_link_in_one_course_is_no_copy(campus: Campus) -> None:
    badge = campus.placed_badge()
    lms = campus.lms
    twin = lms.add_activity(campus.course, "lti", "Again", tool_type_id=badge.tool_type_id)
    twin.custom, twin.url = badge.custom, badge.url
    page = campus.browser(campus.teacher).launch(twin.id)
    assert "/course/copy" not in page.url
    assert page.words.count("Draft") == 0
    assert len(placements(campus, lms, campus.course)) == 1


def test_another_organisations_key_shows_nothing_of_it(campus: Campus) -> None:
    badge = campus.placed_badge()
    neighbour = campus.neighbour
    assert neighbour is not None
    forged = neighbour.lms.add_activity(neighbour.course, "lti", "Stolen", tool_type_id=neighbour.lms_side.id)
    history = "\n".join(
        [badge.custom, f"context_history={context_id(campus.lms, campus.course)}", "link_history=x"]
    )
    forged.custom, forged.url = history, badge.url
    for person in (neighbour.teacher, neighbour.learner("eve")):
        page = neighbour.browser(person).launch(forged.id)
        assert page.status == 200
        assert "Open Data Basics" not in page.words
        assert "Micromodule 1" not in page.words.replace(neighbour.course.full_name, "")
        assert PREPARED not in page.words
    root = "/".join(page.url.split("/")[:5])
    assert neighbour.browser(neighbour.teacher).get(f"{root}/course/copy", page=page).status in (
        401,
        403,
        404,
    )
    with campus.tool.database.read() as session:
        assert session.scalar(select(func.count()).select_from(Placement)) == 1


def test_a_forged_history_brings_nothing_but_what_the_organisation_has_anyway(campus: Campus) -> None:
    """Canvas lets a link's parameters win over the tool's: a history is a hint, and its copy a draft."""
    badge = campus.placed_badge()
    other = campus.another_course("MM2", "Another course")
    forged = campus.lms.add_activity(other, "lti", "Forged", tool_type_id=badge.tool_type_id)
    forged.custom = badge.custom + f"\ncontext_history={context_id(campus.lms, campus.course)}"
    forged.url = badge.url
    campus.browser(campus.teacher).launch(forged.id)
    made = placements(campus, campus.lms, other)
    assert [one.status for one in made] == ["draft"]
    campus.pass_time(seconds=120)
    assert campus.holders() == []


def test_a_history_that_names_other_courses_asks_first(campus: Campus) -> None:
    badge = campus.placed_badge()
    elsewhere = campus.another_course("MM0", "Something else")
    copy = copy_of(campus, elsewhere, "ben")
    moved = campus.lms.add_activity(copy, "lti", "Brought here", tool_type_id=badge.tool_type_id)
    moved.custom, moved.url = badge.custom, badge.url
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(moved.id)
    assert "Is this badge wanted here?" in page.words
    assert "does not say that this course was copied from there" in page.words
    assert placements(campus, campus.lms, copy) == []
    page = teacher.submit(page, form="/course/copy", button="take_over_link")
    assert "Open Data Basics" in page.words
    (draft,) = placements(campus, campus.lms, copy)
    assert (draft.status, draft.confirmed_at) == ("draft", None)


def test_a_reset_course_is_noticed_and_takes_nothing_away(campus: Campus) -> None:
    badge = campus.placed_badge()
    names = ("ada", "ben", "cleo", "dora")
    for name in names:
        campus.take_quiz(name, 90)
    campus.read_now()
    campus.pass_time(seconds=180)
    assert len(campus.holders()) == len(names)
    reset_course(campus.lms, campus.course)
    campus.read_now()
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    assert "This course seems to have been reset" in page.words
    assert len(campus.holders()) == len(names)
    tutor = campus.browser(campus.tutor).launch(badge.id)
    assert "This course seems to have been reset" in tutor.words
    page = teacher.submit(page, form="/course/reset")
    assert "This course seems to have been reset" not in page.words
    campus.read_now()
    assert "This course seems to have been reset" not in teacher.launch(badge.id).words


@pytest.mark.parametrize("gone", ["ada", ""])
def test_one_who_left_or_a_course_without_learners_is_no_reset(sqlite_campus: Campus, gone: str) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    if gone:
        for name in ("ada", "ben", "cleo", "dora"):
            campus.take_quiz(name, 90)
        campus.read_now()
        campus.lms.unenrol(campus.learner("ada"), campus.course)
    campus.read_now()
    assert "seems to have been reset" not in campus.browser(campus.teacher).launch(badge.id).words
