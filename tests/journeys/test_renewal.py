"""Badges that end: the holder is told, earns them again, and keeps them at the same address."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.journeys.test_versions import next_version, prepare
from tests.simulator.lms import Activity

ENDING = {"validity_months": "12", "renewal_opens_days": "60", "renewal_closes_days": "30"}


def earned(campus: Campus, *usernames: str) -> Activity:
    """A badge that is valid for a year, and who has earned it."""
    badge = campus.place_badge(**ENDING)
    campus.set_up(badge)
    campus.publish(badge)
    for username in usernames:
        campus.take_quiz(username, 85)
    campus.read_now()
    assert len(campus.holders()) == len(usernames)
    return badge


def shared(campus: Campus, username: str, badge: Activity) -> str:
    """The id of the learner's badge, which everybody can see from now on."""
    browser = campus.browser(campus.learner(username))
    wallet = browser.launch(badge.id)
    credential_id = credential_of(wallet)
    browser.submit(wallet, form=f"{credential_id}/sharing")
    return credential_id


def public(campus: Campus, credential_id: str) -> dict[str, Any]:
    answer = campus.app.test_client().get(f"/credentials/{credential_id}.json", base_url=TOOL_URL)
    document: dict[str, Any] = json.loads(answer.data)
    return document


def test_a_badge_is_renewed_under_its_address_and_one_that_is_not_ends(campus: Campus) -> None:
    badge = earned(campus, "ada", "ben")
    credential_id = shared(campus, "ada", badge)
    first = public(campus, credential_id)
    end = datetime.fromisoformat(first["validUntil"])
    assert "Ends in" not in campus.open_wallet("ada", badge).words

    campus.clock.now = end - timedelta(days=25)
    wallet = campus.open_wallet("ada", badge)
    assert "Ends in 25 days" in wallet.words
    assert "Meet its criteria again" in wallet.words
    teacher = campus.browser(campus.teacher)
    listed = teacher.follow(teacher.launch(badge.id), "Badges that end soon")
    assert "Ada Learner" in listed.words
    assert "Ben Learner" in listed.words

    campus.take_quiz("ada", 95)
    campus.read_now()
    campus.pass_time(seconds=60)
    second = public(campus, credential_id)
    assert datetime.fromisoformat(second["validUntil"]) == end.replace(year=end.year + 1)
    assert second["validFrom"] > first["validFrom"]
    for changed in ("validFrom", "validUntil", "proof"):
        del first[changed], second[changed]
    assert second == first
    assert "Ends in" not in campus.open_wallet("ada", badge).words

    # Reading the course again and again renews nothing more.
    campus.read_now()
    campus.pass_time(seconds=60)
    assert datetime.fromisoformat(public(campus, credential_id)["validUntil"]).year == end.year + 1

    campus.clock.now = end + timedelta(days=5)
    ended = campus.open_wallet("ben", badge)
    assert "Expired" in ended.words
    assert "Then it is valid again." in ended.words
    campus.clock.now = end + timedelta(days=31)
    assert "Ask those who give it how you can get a new one." in campus.open_wallet("ben", badge).words
    assert len(campus.holders()) == 2


def test_a_badge_that_is_over_is_valid_again_once_it_is_earned_again(campus: Campus) -> None:
    badge = earned(campus, "ada")
    credential_id = shared(campus, "ada", badge)
    end = datetime.fromisoformat(public(campus, credential_id)["validUntil"])
    campus.clock.now = end + timedelta(days=10)
    stranger = campus.app.test_client()
    page = stranger.get(f"/credentials/{credential_id}", base_url=TOOL_URL).get_data(as_text=True)
    assert "It was valid until" in page
    campus.take_quiz("ada", 90)
    campus.read_now()
    campus.pass_time(seconds=60)
    renewed = datetime.fromisoformat(public(campus, credential_id)["validUntil"])
    assert renewed.date() == (end + timedelta(days=10)).replace(year=end.year + 1).date()
    page = stranger.get(f"/credentials/{credential_id}", base_url=TOOL_URL).get_data(as_text=True)
    assert "It was valid until" not in page


def test_the_end_that_a_new_version_sets_is_signed_into_the_badges_of_the_former_one(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 70)
    campus.read_now()
    credential_id = shared(campus, "ada", badge)
    first = public(campus, credential_id)
    assert "validUntil" not in first
    campus.clock.move(days=40)
    teacher, form = next_version(campus, badge)
    review = prepare(teacher, form, **{"criteria-0-threshold": "90"})
    answer = {"policy": "now", "whats_new": "Ninety per cent are asked for now."}
    teacher.submit(review, answer, form="/version/review", button="publish")
    campus.pass_time(minutes=3)
    second = public(campus, credential_id)
    assert datetime.fromisoformat(second["validUntil"]) <= campus.clock.now
    assert second["validFrom"] > first["validFrom"]
    assert second["credentialStatus"] == first["credentialStatus"]
    page = campus.app.test_client().get(f"/credentials/{credential_id}", base_url=TOOL_URL)
    assert "It was valid until" in page.get_data(as_text=True)
    # Once that is done, nothing is looked for again.
    assert campus.tool.expiring.due() == ()
