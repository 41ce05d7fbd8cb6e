"""A misspelt badge is put right: on the staff pages once, and in what every learner holds (S15)."""

from __future__ import annotations

import json

from tests.journeys.campus import TOOL_URL, Campus
from tests.journeys.test_issuers import shared, verdict_of
from tests.journeys.test_staff import owner_of

OLD, NEW = "Open Data Basics", "Open Data: The Basics"


def test_a_misspelling_is_put_right_in_what_everybody_holds(campus: Campus) -> None:
    badge = campus.placed_badge()
    for username in ("ada", "bela"):
        campus.take_quiz(username, 85)
        campus.open_wallet(username, badge)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"))
    address = shared(learner, learner.launch(badge.id))
    before = learner.get(f"{address}.json")
    former = json.loads(before.text)
    assert former["name"] == OLD

    # The old stands beside the new, with how many hold it; nothing happens before a reason is given.
    owner, home = owner_of(campus, "Open Learning")
    micromodule = owner.follow(owner.follow(home, "Micromodules"), OLD)
    form = owner.follow(micromodule, "Correct a mistake")
    assert "To change these, publish a new version." in form.words
    nothing = owner.submit(form, form="/correct", button="Show what changes")
    assert (nothing.status, "Nothing here differs" in nothing.words) == (422, True)
    more = owner.submit(
        form, {"skills": "One\nTwo\nThree\nFour\nFive"}, form="/correct", button="Show what changes"
    )
    assert (more.status, "Publish a new version instead." in more.words) == (422, True)
    asked = owner.submit(form, {"name": NEW}, form="/correct", button="Show what changes")
    assert "2 badges are signed anew" in asked.words
    assert "1 of them is shared." in asked.words
    refused = owner.submit(asked, {"reason": ""}, form="/correct", button="correct")
    assert (refused.status, "Please fill this in." in refused.words) == (422, True)
    assert owner.get(f"{address}.json").text == before.text
    done = owner.submit(refused, {"reason": "A misspelling."}, form="/correct", button="correct")
    assert "Badges are being signed anew." in done.words
    again = owner.submit(refused, {"reason": "A misspelling."}, form="/correct", button="correct")
    assert (again.status, "Badges are being signed anew." in again.words) == (200, True), "pressed twice"

    # Somebody whose page is older is told, and nothing they typed goes over it.
    late = owner.submit(asked, {"reason": "Mine."}, form="/correct", button="correct")
    assert (late.status, "Somebody else corrected this badge meanwhile." in late.words) == (409, True)

    # Who earns it amid the work has it right from the start.
    campus.take_quiz("cem", 85)
    campus.open_wallet("cem", badge)
    campus.read_now()
    campus.pass_time(minutes=4)
    finished = owner.get(done.url)
    assert "2 badges were signed anew." in finished.words
    for username in ("ada", "bela", "cem"):
        wallet = campus.open_wallet(username, badge)
        assert NEW in wallet.words
        assert OLD not in wallet.words

    # Under its address stands the same badge, newer: same id, same place in the list, same date of award.
    text = learner.get(f"{address}.json").text
    corrected = json.loads(text)
    assert (corrected["name"], corrected["id"]) == (NEW, former["id"])
    assert corrected["credentialSubject"]["achievement"]["name"] == NEW
    assert corrected["validFrom"] > former["validFrom"]
    for kept in ("credentialStatus", "awardedDate", "issuer"):
        assert corrected[kept] == former[kept]
    assert corrected["credentialSubject"]["identifier"] == former["credentialSubject"]["identifier"]
    assert (verdict_of(owner, text), verdict_of(owner, before.text)) == ("valid", "valid")
    assert NEW in owner.get(address).words

    # The log keeps what stood there.
    log = owner.submit(
        owner.follow(finished, "Audit log"), {"action": "achievement.corrected"}, form="/staff/audit"
    )
    assert "1 event" in log.words
    assert "Words or picture of a badge corrected" in log.words


def test_nobody_else_corrects_it(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    owner, home = owner_of(campus, "Open Learning")
    micromodule = owner.follow(owner.follow(home, "Micromodules"), OLD)
    path = owner.follow(micromodule, "Correct a mistake").url
    assert campus.neighbour is not None
    stranger, _ = owner_of(campus.neighbour, "Neighbour College")
    assert stranger.get(path).status == 404
    learner = campus.browser(campus.learner("ada"))
    wallet = learner.launch(badge.id)
    assert learner.get(path).url == f"{TOOL_URL}/staff/sign-in"
    assert OLD in wallet.words
