"""Two owners and a badge: one endorses, the other accepts, an employer reads it, and it ends."""

from __future__ import annotations

import json
from typing import Any

from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.journeys.test_quiz_earns_badge import verdict
from tests.journeys.test_staff import owner_of

COMMENT = "We ask this of everybody who begins here."


def shared_badge(campus: Campus, username: str, activity: Any) -> dict[str, Any]:
    """What somebody's badge says, once earned and shared."""
    campus.take_quiz(username, 85)
    campus.open_wallet(username, activity)
    campus.read_now()
    learner = campus.browser(campus.learner(username))
    wallet = learner.launch(activity.id)
    learner.submit(wallet, form="/sharing")
    document: dict[str, Any] = json.loads(
        learner.get(f"{TOOL_URL}/credentials/{credential_of(wallet)}.json").text
    )
    return document


def test_an_endorsement_is_offered_accepted_read_and_withdrawn(campus: Campus) -> None:
    assert campus.neighbour is not None
    activity = campus.placed_badge()
    before = shared_badge(campus, "ada", activity)
    achievement = before["credentialSubject"]["achievement"]
    assert "endorsement" not in achievement

    # The neighbour's owner signs and offers; an address that leads nowhere comes back with a sentence.
    neighbour, home = owner_of(campus.neighbour, "Neighbour College")
    page = neighbour.follow(home, "Endorsements")
    form = next(one for one in page.forms if one.action.endswith("/staff/endorsements"))
    refused = neighbour.submit(page, {"address": "https://x.example/", "comment": COMMENT}, form=form)
    assert (refused.status, "This leads to no badge" in refused.words) == (422, True)
    form = next(one for one in refused.forms if one.action.endswith("/staff/endorsements"))
    offered = neighbour.submit(refused, {"address": achievement["id"]}, form=form)
    assert "Waits for a decision" in offered.words
    assert COMMENT not in neighbour.get(achievement["id"]).words

    # The endorsed owner is told on the first page, and accepts.
    owner, home = owner_of(campus, "Open Learning")
    assert "1 endorsement waits for your decision." in home.words
    page = owner.follow(home, "Look at endorsements")
    assert COMMENT in page.words
    accepted = owner.submit(page, form="/decision", button="accept")
    assert "Accepted." in accepted.words
    public = owner.get(achievement["id"])
    assert COMMENT in public.words
    assert "Neighbour College" in public.words
    signed = owner.follow(public, "Signed endorsement")
    assert verdict(campus, signed.text.encode())["verdict"] == "valid"

    # Badges from now on carry it, and an employer's verifier says what it is worth.
    after = shared_badge(campus, "ben", activity)
    assert after["credentialSubject"]["achievement"]["endorsement"] == [json.loads(signed.text)]
    report: Any = verdict(campus, json.dumps(after).encode())
    assert report["verdict"] == "valid"
    assert [(one["standing"], one["comment"]) for one in report["endorsements"]] == [("genuine", COMMENT)]

    # The endorser takes it back: the page forgets it, the badge stays valid and its verifier says so.
    ask = neighbour.follow(neighbour.get(f"{TOOL_URL}/staff/endorsements"), "Withdraw")
    assert "The badge stays valid." in ask.words
    assert "Withdrawn" in neighbour.submit(ask, form="/withdraw").words
    campus.run_jobs()
    campus.pass_time(minutes=2)
    assert COMMENT not in owner.get(achievement["id"]).words
    assert owner.get(signed.url).status == 404
    report = verdict(campus, json.dumps(after).encode())
    assert report["verdict"] == "valid"
    assert [one["standing"] for one in report["endorsements"]] == ["ended"]

    # Both logs tell.
    for person, sentence in ((owner, "Endorsement accepted"), (neighbour, "Endorsement withdrawn")):
        assert sentence in person.get(f"{TOOL_URL}/staff/audit").words
