"""A teacher tidies up the gradebook and deletes our column: the page leads back to grades that arrive."""

from __future__ import annotations

from sqlalchemy import select

from lti_tool.store.tables import LineItem, Result
from tests.journeys.campus import Campus, row_of
from tests.simulator.browser import Page


def has_button(page: Page) -> bool:
    return any(form.action.endswith("/columns") for form in page.forms)


def test_a_deleted_column_is_made_again_from_the_page_and_its_grades_arrive(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.take_quiz("bob", 40)
    teacher = campus.browser(campus.teacher)
    assert not has_button(teacher.launch(badge.id))
    campus.pass_time(seconds=200)
    assert campus.holders() == ["Ada Learner"]

    (deleted,) = campus.evidence()
    campus.lms.gradebook.delete_item(deleted)
    campus.pass_time(seconds=400)
    page = teacher.launch(badge.id)
    assert "The column was deleted in the learning platform" in page.words
    assert "Grades arrive" not in page.words

    page = teacher.submit(page, form="/columns")
    (made,) = campus.evidence()
    assert made.id != deleted.id
    assert not has_button(page)
    assert "Waiting for values" in page.words
    assert "Values arrive" not in page.words, "nothing was ever in the new column"
    assert "No data yet" in row_of(page, "Bob"), "what the old column said is not known any more"
    assert "Earned" in row_of(page, "Ada")

    campus.pass_time(seconds=200)
    page = teacher.submit(teacher.launch(badge.id), form="/columns/poll")
    assert "Waiting for values" in page.words, "its formula, or the grades, are still to be typed"
    campus.fill_columns()
    campus.take_quiz("bob", 90)
    campus.pass_time(seconds=20)
    page = teacher.submit(page, form="/columns/poll")
    assert "Grades arrive" in page.words

    campus.pass_time(seconds=60)
    assert campus.holders() == ["Ada Learner", "Bob Learner"]
    assert "Earned" in row_of(teacher.launch(badge.id), "Bob")


def test_while_the_lms_will_not_make_it_the_page_says_why_and_keeps_the_button(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.browser(campus.teacher).launch(badge.id)
    campus.pass_time(seconds=200)
    (deleted,) = campus.evidence()
    campus.lms.gradebook.delete_item(deleted)
    campus.pass_time(seconds=400)

    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    campus.lms.chaos.switch_on("status", value=403, path=campus.lms.columns_path)
    page = teacher.submit(page, form="/columns")
    assert has_button(page)
    assert "platform_refused" in page.words

    campus.lms.chaos.calm()
    page = teacher.submit(page, form="/columns")
    assert "Waiting for values" in page.words
    with campus.tool.database.read() as session:
        (column,) = session.execute(select(LineItem).where(LineItem.tag == campus.channel)).scalars()
        assert column.trouble is None
        assert not session.execute(select(Result.id)).scalars().all()
