"""Placing a whole category: what is placed in the course already is passed over, and that is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lti_tool.services.choosing import CategoryChoice
from lti_tool.services.configuring import Choice, LinkWords
from lti_tool.services.launching import SessionView
from lti_tool.store import tables
from tests.integration.services.school import School
from tests.integration.services.test_configuring import configuring, described, items, teacher


class Library:
    """Three micromodules in one category, none of them in the teacher's course."""

    def __init__(self, school: School) -> None:
        self.school, self.service = school, configuring(school)
        course = school.course()
        for name in ("One", "Three", "Two"):
            described(school, teacher(school, course), name=name)
        with school.database.write() as session:
            session.query(tables.LineItem).delete()
            session.query(tables.Placement).delete()
        rows = school.rows(tables.MicromoduleVersion)
        self.ids = {row.name: row.id for row in rows}
        self.category_id = self.service.categorise(course.organisation_id, "Data", list(self.ids.values()))
        self.course = course

    def launched(self) -> SessionView:
        """Somebody presses the LMS's button for content, once more."""
        self.school.clock.now += timedelta(minutes=1)
        return replace(teacher(self.school, self.course), began_at=self.school.clock.now)

    def category(self, session: SessionView) -> CategoryChoice:
        (category,) = self.service.picker(session).categories
        return category

    def place_all(self, session: SessionView) -> list[str]:
        """The keys of the badges that the LMS is given for the category."""
        choice = Choice(category_id=self.category_id)
        found = items(self.service.choose(session, choice, LinkWords()))
        return [one["custom"]["badge_link_key"] for one in found]


def test_what_is_placed_and_not_opened_yet_is_passed_over(school: School) -> None:
    library = Library(school)
    first = library.launched()
    chosen = Choice((library.ids["One"], library.ids["Two"]))
    before = items(library.service.choose(first, chosen, LinkWords()))
    later = library.launched()
    offered = library.category(later)
    assert (offered.missing, offered.unopened) == ((library.ids["Three"],), 2)
    (key,) = library.place_all(later)
    assert key not in [one["custom"]["badge_link_key"] for one in before]
    assert len(school.rows(tables.Placement)) == 3
    over = library.category(library.launched())
    assert (over.missing, over.unopened) == ((), 3)


def test_a_link_that_the_lms_never_kept_is_placed_again_by_itself(small_school: School) -> None:
    library = Library(small_school)
    library.place_all(library.launched())
    library.service.choose(library.launched(), Choice((library.ids["One"],)), LinkWords())
    assert len(small_school.rows(tables.Placement)) == 3


def test_the_same_button_pressed_twice_gives_the_same_answer(small_school: School) -> None:
    """What reaches the LMS is the last one: an answer without the badges would lose them."""
    library = Library(small_school)
    session = library.launched()
    assert library.place_all(session) == library.place_all(session)
    assert len(small_school.rows(tables.Placement)) == 3
