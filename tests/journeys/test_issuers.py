"""Several issuers, their faces and their keys: from the staff pages to what employers verify (T2 T8)."""

from __future__ import annotations

import json

from lti_tool.bootstrap import IssuerSigner
from lti_tool.credentials.signing import sign_credential
from lti_tool.keyring import issuer_purpose
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.journeys.test_staff import owner_of
from tests.simulator.browser import Page
from tests.simulator.client import Person

LOGO = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">'
    b'<circle cx="4" cy="4" r="4" fill="#c00"/></svg>'
)
VERDICTS = ("valid", "invalid", "inconclusive")


def verdict_of(person: Person, text: str) -> str:
    """What the verification page says of a pasted badge."""
    page = person.submit(person.get(f"{TOOL_URL}/verify"), {"text": text}, form="/verify")
    (said,) = (word for word in VERDICTS if page.soup.select_one(f".verdict-{word}"))
    return said


def shared(learner: Person, wallet: Page) -> str:
    """The learner shares the badge; its address."""
    learner.submit(wallet, form="/sharing")
    return f"{TOOL_URL}/credentials/{credential_of(wallet)}"


def test_a_faculty_signs_its_own_badges_under_its_own_name_and_picture(campus: Campus) -> None:
    owner, home = owner_of(campus, "Open Learning")
    new = owner.follow(owner.follow(home, "Issuers"), "Add an issuer")
    refused = owner.submit(new, {"name": "", "url": "faculty"}, form="/staff/issuers")
    assert "Please fill this in." in refused.words
    faculty = owner.submit(
        refused, {"name": "Faculty of Data", "url": "https://data.example.edu"}, form="/staff/issuers"
    )
    assert "Made." in faculty.words
    files = {"picture": ("logo.svg", LOGO, "image/svg+xml")}
    faculty = owner.submit(faculty, form="/picture", button="Use this picture", files=files)
    assert "Badges signed from now on name this picture." in faculty.words
    faculty = owner.submit(faculty, form="/status", button="Let it sign new badges")
    assert "New badges are signed by this issuer unless somebody chooses another." in faculty.words

    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"))
    wallet = learner.launch(badge.id)
    assert "Faculty of Data" in wallet.words
    address = shared(learner, wallet)
    issuer = json.loads(owner.get(f"{address}.json").text)["issuer"]
    assert issuer["name"] == "Faculty of Data"
    assert owner.get(issuer["image"]["id"]).body.startswith(b"\x89PNG")
    shown = owner.get(faculty.url.replace("/staff", "").partition("?")[0])
    assert "Faculty of Data" in shown.words
    assert "Active" in shown.words

    # It is the default: another one has to be, before it can go.
    assert not any(form.action.endswith("/status") for form in faculty.forms)
    former = owner.follow(owner.follow(faculty, "Issuers"), "Open Learning")
    retired = owner.submit(former, form="/status", button="Retire")
    assert "what it signed stays valid" in retired.words


def test_after_a_theft_the_thiefs_badges_are_false_and_the_learners_are_good_again(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"))
    wallet = learner.launch(badge.id)
    address = shared(learner, wallet)
    first = learner.get(f"{address}.json")
    document = json.loads(first.text)
    assert "Signed anew" not in wallet.words

    # Somebody copied the file of the key, and makes a badge of ours for themselves.
    did, _, kid = document["proof"][0]["verificationMethod"].partition("#")
    issuer_id = did.rpartition(":")[2]
    stolen = IssuerSigner(campus.tool.keyring.signer(issuer_purpose(issuer_id)), did)
    wanted = {**document, "id": f"{TOOL_URL}/credentials/mine", "name": "Doctor of Everything"}
    del wanted["proof"]
    forged = sign_credential(wanted, stolen, campus.clock()).text
    owner, home = owner_of(campus, "Open Learning")
    assert verdict_of(owner, forged) == "valid"

    # The owner gives the key up; the worker signs anew.
    issuer = owner.follow(owner.follow(home, "Issuers"), "Open Learning")
    ask = owner.follow(issuer, f"/keys/{kid}/compromised")
    assert "It cannot be undone." in ask.words
    done = owner.submit(ask, form="/compromised")
    assert "The key is trusted no more." in done.words
    assert verdict_of(owner, forged) == "invalid"
    campus.pass_time(minutes=3)
    issuer = owner.get(done.url.partition("?")[0])
    assert "1 badge was signed anew." in issuer.words
    assert "Trusted no more" in issuer.words

    # Whoever asks again gets the new text, which is good; the thief's stays false.
    again = learner.get(f"{address}.json")
    assert again.text != first.text
    assert again.headers["ETag"] != first.headers["ETag"]
    assert verdict_of(owner, again.text) == "valid"
    assert verdict_of(owner, forged) == "invalid"
    assert verdict_of(owner, first.text) == "invalid"
    assert "Signed anew" in campus.open_wallet("ada", badge).words
    assert "Signed anew" in owner.get(address).words
    log = owner.submit(
        owner.follow(issuer, "Audit log"), {"action": "issuer.key_compromised"}, form="/staff/audit"
    )
    assert "Olga Owner Key of an issuer trusted no more" in log.words


def test_a_new_key_leaves_every_badge_valid(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"))
    address = shared(learner, learner.launch(badge.id))
    before = learner.get(f"{address}.json").text
    owner, home = owner_of(campus, "Open Learning")
    issuer = owner.follow(owner.follow(home, "Issuers"), "Open Learning")
    done = owner.submit(issuer, form="/keys", button="Make a new key")
    assert "A new key signs from now on." in done.words
    campus.pass_time(minutes=1)
    assert learner.get(f"{address}.json").text == before
    assert verdict_of(owner, before) == "valid"
