"""Milestones: two courses of an LMS, one badge of the organisation for both."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

from tests.journeys.campus import TOOL_URL, Campus
from tests.journeys.test_staff import owner_of
from tests.simulator.lms import Activity


def second_course(campus: Campus) -> tuple[Campus, Activity]:
    """Another course with a badge of its own, which the same learner takes part in."""
    course = campus.another_course("MM2", "Micromodule 2: Statistics", "ada", "bob")
    quiz = campus.lms.add_quiz(course, "Quiz 1", id_number="quiz1", pass_grade=60)
    beside = replace(campus, course=course, quiz=quiz)
    activity = beside.place_badge(name="Statistics")
    beside.set_up(activity)
    beside.publish(activity)
    return beside, activity


def test_what_was_completed_in_two_courses_gives_one_badge_of_the_organisation(campus: Campus) -> None:
    first = campus.placed_badge()
    beside, second = second_course(campus)
    campus.open_wallet("ada", first)
    campus.open_wallet("bob", second)

    # Ada completes the first micromodule before there is any milestone.
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", first)
    campus.read_now()
    completed_at = campus.clock.now

    # Staff describe the ready template, look at who would get it, and let it begin.
    owner, home = owner_of(campus, "Open Learning")
    milestones = owner.follow(home, "Milestones")
    form = owner.follow(milestones, "Micromodule Explorer")
    wrong = owner.submit(form, {"name": ""}, form="/staff/milestones")
    assert (wrong.status, "Please fill this in." in wrong.words) == (422, True)
    page = owner.submit(form, {"name": "Two of everything", "count": "2"}, form="/staff/milestones")
    assert "Draft" in page.words
    assert "At least 2 different micromodules of “Open Learning” completed" in page.words
    assert "Nobody has reached it yet." in owner.follow(page, "Who would get it now").words
    assert "Two of everything" not in campus.open_wallet("ada", first).words
    page = owner.submit(page, form="/activate")
    assert "Active since" in page.words
    campus.run_jobs()

    # She sees in the wallet of the other course how far she is.
    wallet = beside.open_wallet("ada", second)
    assert "Two of everything" in wallet.words
    assert "1 of 2 steps" in wallet.words

    # The completion in the other course makes it, whoever reads that course.
    campus.clock.move(days=3)
    beside.take_quiz("ada", 90)
    beside.open_wallet("ada", second)
    beside.read_now()
    campus.run_jobs()
    wallet = campus.open_wallet("ada", first)
    assert "You have earned 3 badges." in wallet.words
    assert "Milestones across your courses" not in wallet.words
    owner, home = owner_of(campus, "Open Learning")
    run = owner.follow(owner.follow(home, "Milestones"), "Two of everything")
    assert "1 person has it." in run.words
    reached = owner.follow(run, "Who has reached it")
    assert "Ada Learner" in reached.words
    assert "Statistics" in reached.words
    assert "Bob" not in reached.words

    # The badge is like any other: signed, dated by the completion, verified by anybody.
    learner = campus.browser(campus.learner("ada"))
    wallet = learner.launch(first.id)
    badge = next(
        article for article in wallet.soup.select("article.badge-card") if "Two of everything" in article.text
    )
    credential_id = str(badge["id"]).removeprefix("badge-")
    document = learner.follow(wallet, f"/credentials/{credential_id}.json").text
    signed = json.loads(document)
    assert signed["id"].endswith(credential_id)
    assert signed["awardedDate"] >= (completed_at + timedelta(days=2)).strftime("%Y-%m-%d")
    verdict = owner.submit(owner.get(f"{TOOL_URL}/verify"), {"text": document}, form="/verify")
    assert "Two of everything" in verdict.words

    # A reader of the log sees who let it begin.
    log = owner.submit(
        owner.follow(home, "Audit log"), {"action": "milestone.activated"}, form="/staff/audit"
    )
    assert "Olga Owner Milestone activated" in log.words


def test_a_next_version_asks_for_more_and_tells_who_has_the_badge(campus: Campus) -> None:
    activity = campus.placed_badge()
    campus.open_wallet("ada", activity)
    owner, home = owner_of(campus, "Open Learning")
    form = owner.follow(owner.follow(home, "Milestones"), "Criteria of your own")
    form = owner.submit(form, {"name": "Wanderer"}, form="/staff/milestones", button="More rules")
    wrong = owner.submit(form, form="/staff/milestones")
    assert wrong.status == 422
    rule = {"rule-0-what": "organisation", "rule-0-count": "1"}
    page = owner.submit(wrong, rule, form="/staff/milestones")
    assert "At least 1 micromodule of “Open Learning” completed" in page.words
    owner.submit(page, form="/activate")
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", activity)
    campus.read_now()
    campus.run_jobs()
    assert "You have earned 2 badges." in campus.open_wallet("ada", activity).words

    # The next version is looked at in two tabs; what the second one saw is no more, unless it says the same.
    page = owner.follow(owner.follow(home, "Milestones"), "Wanderer")
    form = owner.follow(page, "Prepare version 2")
    changes = owner.submit(form, {"rule-0-count": "2"}, form="/version")
    for said in (
        "1 person has the badge in some version.",
        "0 people would get the new version's badge now.",
    ):
        assert said in changes.words
    unsaid = owner.submit(changes, form="/publish", button="Publish version 2")
    assert (unsaid.status, "Please fill this in." in unsaid.words) == (422, True)
    answer = {"whats_new": "It takes two now.", "policy": "now"}
    page = owner.submit(unsaid, answer, form="/publish", button="Publish version 2")
    assert "Version 2." in page.words
    other = answer | {"whats_new": "Another word."}
    late = owner.submit(changes, other, form="/publish", button="Publish version 2")
    assert (late.status, "Another word." in late.text) == (409, True)
    again = owner.submit(changes, answer, form="/publish", button="Publish version 2")
    assert (again.status, "Version 2." in again.words) == (200, True)
    campus.run_jobs()
    campus.pass_time(minutes=5)

    # Who has it is told what is new, how far they are, and that theirs has ended.
    wallet = campus.open_wallet("ada", activity).words
    assert "It takes two now." in wallet
    assert "Yours of version 1 has ended with it." in wallet
    assert "1 of 2 steps" in wallet
    log = owner.submit(
        owner.follow(home, "Audit log"), {"action": "milestone.version_published"}, form="/staff/audit"
    )
    assert "Next version of a milestone published" in log.words


def test_the_neighbours_see_nothing_of_it(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    owner, home = owner_of(campus, "Open Learning")
    form = owner.follow(owner.follow(home, "Milestones"), "Micromodule Explorer")
    page = owner.submit(form, {"name": "Ours alone", "count": "1"}, form="/staff/milestones")
    page = owner.submit(page, form="/activate")
    address = page.url.partition("?")[0]
    assert campus.neighbour is not None
    stranger, _home = owner_of(campus.neighbour, "Neighbour College")
    assert "Ours alone" not in stranger.get(f"{TOOL_URL}/staff/milestones").words
    for path in ("", "/dry-run", "/edit"):
        assert stranger.get(f"{address}{path}").status == 404
    theirs = campus.neighbour.placed_badge()
    campus.neighbour.take_quiz("ada", 85)
    campus.neighbour.open_wallet("ada", theirs)
    campus.neighbour.read_now()
    campus.run_jobs()
    wallet = campus.neighbour.open_wallet("ada", theirs)
    assert "You have earned 1 badge." in wallet.words
    assert "Ours alone" not in wallet.words
