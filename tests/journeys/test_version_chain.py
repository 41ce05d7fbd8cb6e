"""A badge got a new version: whoever looks at one of the two is told of the other; nobody is looked up."""

from __future__ import annotations

import json

from tests.journeys.campus import TOOL_URL, Campus
from tests.journeys.test_issuers import shared, verdict_of
from tests.journeys.test_staff import owner_of
from tests.journeys.test_versions import next_version, prepare

NEWS = "Ninety per cent are asked for now."


def test_the_chain_is_told_to_its_holder_to_employers_and_to_programs(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 70)
    campus.open_wallet("ada", badge)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"))
    first = shared(learner, learner.launch(badge.id))
    copy = learner.get(f"{first}.json").text
    assert "version 1" not in learner.launch(badge.id).words  # there is no other yet

    teacher, form = next_version(campus, badge)
    review = prepare(teacher, form, **{"criteria-0-threshold": "90"})
    answer = {"policy": "now", "whats_new": NEWS}
    teacher.submit(review, answer, form="/version/review", button="publish")

    # Her badge is over at once, wherever anybody asks, also before the worker has signed that into it.
    assert "This badge has expired." in learner.get(first).words
    hosted = first.replace("/credentials/", "/ob2/assertions/")
    assert "expires" in json.loads(learner.get(hosted, headers={"Accept": "application/ld+json"}).text)
    assert "validUntil" not in json.loads(learner.get(f"{first}.json").text)
    assert verdict_of(learner, copy) == "invalid"
    assert "expired" in learner.launch(badge.id).words.lower()
    campus.run_jobs()
    campus.pass_time(minutes=4)
    assert "validUntil" in json.loads(learner.get(f"{first}.json").text)

    # Her wallet: what is new, that hers has ended, and the way to the new one, which stands on the same page.
    wallet = learner.launch(badge.id)
    assert "There is version 2 of this badge" in wallet.words
    assert "Yours of version 1 has ended with it." in wallet.words
    assert f"New in version 2: {NEWS}" in wallet.words
    (way,) = wallet.soup.select(".newer-version a")
    assert wallet.soup.select_one(str(way["href"])) is not None

    # Employers: the badge's page and that of what it stands for lead to the newer version, and say no news.
    public = learner.get(first)
    assert "version 2 is newer" in public.words
    assert "Version 1 (this one)" in public.words
    assert NEWS not in public.words
    newer = learner.follow(public, "version 2 is newer")
    assert "Version 2 (this one)" in newer.words
    assert "There is a newer version." not in newer.words

    # Programs: the old achievement's document names the new one, and so does Open Badges 2.0.
    achievement = json.loads(copy)["credentialSubject"]["achievement"]
    document = json.loads(learner.get(achievement["id"], headers={"Accept": "application/ld+json"}).text)
    new_id = newer.url
    assert [(one["id"], one["version"]) for one in document["related"]] == [(new_id, "2")]
    hosted = achievement["id"].replace("/achievements/", "/ob2/badges/")
    assert new_id.rpartition("/")[2] in learner.get(hosted, headers={"Accept": "application/ld+json"}).text

    # She meets what it asks for: the new badge stands first, the old one folded below it.
    campus.take_quiz("ada", 95)
    campus.pass_time(minutes=10)
    campus.read_now()
    campus.pass_time(minutes=2)
    wallet = learner.launch(badge.id)
    assert "There is version" not in wallet.words
    (card,) = wallet.soup.select("ul.badges > li > article")
    assert "version 2" in card.text
    (earlier,) = wallet.soup.select("details.earlier-versions article")
    assert "version 1" in earlier.text

    # The new badge names the old one, in what is signed; the verifier says so, of any badge alike.
    wallet = learner.submit(wallet, form=str(card.select("form")[0]["action"]))
    identifier = str(card["id"]).removeprefix("badge-")
    text = learner.get(f"{TOOL_URL}/credentials/{identifier}.json").text
    signed = json.loads(text)["credentialSubject"]["achievement"]
    assert (signed["version"], signed["related"][0]["id"]) == ("2", achievement["id"])
    assert verdict_of(learner, text) == "valid"
    verdict = learner.submit(learner.get(f"{TOOL_URL}/verify"), {"text": text}, form="/verify")
    assert "Earlier or related: version 1" in verdict.words
    # Of a copy from before the verifier knows that its version has ended; of later ones its page tells.
    former = learner.submit(learner.get(f"{TOOL_URL}/verify"), {"text": copy}, form="/verify")
    assert former.soup.select_one(".verdict-invalid")
    assert "version 2" not in former.words
    assert any(link["href"] == achievement["id"] for link in former.soup.select("dl.facts a"))

    # Staff see which is which.
    owner, home = owner_of(campus, "Open Learning")
    found = owner.submit(owner.follow(home, "Holders"), {"q": "ada"}, form="/staff/holders")
    person = owner.follow(found, "Ada Learner")
    assert "version 1 (version 2 is newer)" in person.words
