"""Submission review: from a cell of the gradebook to one learner's work, for those who may see it."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, update

from lti_tool.store.tables import Learner, Registration
from tests.factories import rule_fields
from tests.journeys.campus import Campus
from tests.simulator.lms import Activity, Role, User
from tests.simulator.moodle.lms import Moodle


@pytest.fixture
def badge(moodle_campus: Campus) -> Activity:
    """A published badge for Quiz 1 and something that learners hand in."""
    campus = moodle_campus
    activity = campus.place_badge(**rule_fields(1, label="Group project", kind="evidence", text="on"))
    campus.set_up(activity)
    campus.publish(activity)
    return activity


def hand_in(campus: Campus, badge: Activity, username: str, text: str) -> None:
    """A learner writes what the badge asks for."""
    browser = campus.browser(campus.learner(username))
    wallet = browser.launch(badge.id)
    form = browser.follow(wallet, "/evidence/")
    assert browser.submit(form, {"text": text}, form="/evidence/").status == 200


@pytest.mark.parametrize("cookies", ["partitioned_only", "all"])
def test_a_teacher_opens_one_learners_work_out_of_the_gradebook(
    moodle_campus: Campus, badge: Activity, cookies: Any
) -> None:
    campus = moodle_campus
    campus.take_quiz("ada", 85)
    hand_in(campus, badge, "ada", "Our plan for open data")
    campus.take_quiz("ben", 30)
    campus.open_wallet("ben", badge)

    teacher = campus.browser(campus.teacher, cookies=cookies)
    page = teacher.review(badge, campus.people["ada"])
    assert page.status == 200
    assert page.url.endswith("/review")
    assert "Ada Learner" in page.words
    assert "85 of 100 points" in page.words
    assert "Ben" not in page.words
    work = teacher.follow(page, "Look at it: Group project")
    assert "Our plan for open data" in work.words
    assert "30 of 100 points" in teacher.review(badge, campus.people["ben"]).words


def test_a_non_editing_teacher_may_look(moodle_campus: Campus, badge: Activity) -> None:
    campus = moodle_campus
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    assert "Ada Learner" in campus.browser(campus.tutor).review(badge, campus.people["ada"]).words


def test_a_learner_opens_their_own_work_and_nobody_elses(moodle_campus: Campus, badge: Activity) -> None:
    """Moodle asks nobody who they are: the number of the user stands in the address."""
    campus = moodle_campus
    for name in ("ada", "ben"):
        campus.take_quiz(name, 70)
        campus.open_wallet(name, badge)
    ada = campus.browser(campus.people["ada"])
    own = ada.review(badge, campus.people["ada"])
    assert own.status == 200
    assert own.url.endswith("/wallet")
    assert "Quiz 1" in own.words

    foreign = ada.review(badge, campus.people["ben"])
    assert foreign.status == 403
    assert "Ben" not in foreign.words
    assert "70 of 100" not in foreign.words


def test_a_plain_launch_leads_to_no_review(moodle_campus: Campus, badge: Activity) -> None:
    campus = moodle_campus
    campus.open_wallet("ada", badge)
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    assert teacher.get(page.url.replace("/course", "/review"), page=page).status == 404


def test_whoever_is_not_known_here_has_no_work_here(moodle_campus: Campus, badge: Activity) -> None:
    """Somebody new, somebody of another course, and somebody of another organisation with the same number."""
    campus = moodle_campus
    campus.learner("ada")
    elsewhere = campus.another_course("MM2", "Another course")
    stranger = campus.lms.add_user("stranger", "Sam", "Stranger")
    campus.lms.enrol(stranger, elsewhere, Role.STUDENT)
    teacher = campus.browser(campus.teacher)
    (other,) = teacher.save_selected(
        teacher.submit(teacher.deep_link(elsewhere), form=0, button="Add to the course")
    )
    campus.browser(stranger).launch(other.id)
    nobody = User(4711, "nobody", "No", "Body", "nobody@example.test")
    for person in (stranger, nobody):
        page = teacher.review(badge, person)
        assert page.status == 404
        assert "This person is not known in this course" in page.words
        assert "Sam" not in page.words
    with campus.tool.database.read() as session:
        known = session.scalars(select(Learner.sub)).all()
    assert "4711" not in known, "nobody is made up"


def test_a_platform_that_names_the_column_alone_is_understood(moodle_campus: Campus) -> None:
    """The standard lets the resource link be left out; the column says which badge is meant."""
    campus = moodle_campus
    assert isinstance(campus.lms, Moodle)
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.pass_time(minutes=3)
    with campus.tool.database.write() as session:
        session.execute(update(Registration).values(product="other"))
    campus.lms.reviews_leave_out_link = True

    page = campus.browser(campus.teacher).review(badge, campus.people["ada"])
    assert page.status == 200
    assert "85 of 100 points" in page.words


def test_a_review_without_the_links_parameters_takes_nothing_from_the_link(
    moodle_campus: Campus, badge: Activity
) -> None:
    """They are the link's, and a message about its column need not carry them."""
    campus = moodle_campus
    assert isinstance(campus.lms, Moodle)
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.people["ada"])
    wallet = ada.launch(badge.id)
    campus.lms.reviews_leave_out_custom = True
    page = campus.browser(campus.teacher).review(badge, campus.people["ada"])
    assert page.status == 200
    assert "85 of 100 points" in page.words
    assert ada.follow(wallet, "/evidence/").status == 200, "the learner's page still knows its badge"


def test_the_column_of_another_course_opens_nothing(moodle_campus: Campus, badge: Activity) -> None:
    """A link of no badge, and a column that belongs to nothing here."""
    campus = moodle_campus
    teacher = campus.browser(campus.teacher)
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    picker = teacher.deep_link(campus.course)
    (wallet,) = teacher.save_selected(teacher.submit(picker, form=0, button="wallet"))
    campus.lms._couple(wallet, 1.0)
    page = teacher.review(wallet, campus.people["ada"])
    assert page.status == 404
    assert "This column belongs to no badge" in page.words


def test_the_badges_column_says_that_it_can_be_reviewed(moodle_campus: Campus, badge: Activity) -> None:
    item = moodle_campus.lms.item_of(badge)
    assert item is not None
    assert item.service is not None
    assert item.service.review_url == "DEFAULT"
