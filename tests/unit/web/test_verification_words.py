"""Every word that a verification step may end with has a sentence for the person who reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from lti_tool import credentials
from lti_tool.credentials.verification import Outcome
from lti_tool.web.verification_words import endorsement_sentence, step_sentence

RAISED = re.compile(r"\b(?:Refuted|Unchecked|TooComplex)\(\s*\"([a-z_0-9]+)\"")
ROOM = Path(credentials.__file__).parent


def details() -> list[str]:
    """The words as the code of the verifier has them."""
    return sorted({word for path in ROOM.glob("*.py") for word in RAISED.findall(path.read_text())})


def test_the_words_are_found_in_the_code() -> None:
    assert {"signature_wrong", "revoked", "expired", "busy"} <= set(details())


@pytest.mark.parametrize("detail", details())
def test_a_step_that_did_not_pass_says_why(app: Flask, detail: str) -> None:
    with app.test_request_context("/verify"):
        sentence = step_sentence(Outcome.FAILED.value, detail, {})
    assert sentence.endswith(".")


@pytest.mark.parametrize("what", ["key", "status"])
@pytest.mark.parametrize("reason", ["unreachable", "refused", "not_found", "too_large", "malformed"])
def test_what_could_not_be_fetched_is_named(app: Flask, what: str, reason: str) -> None:
    with app.test_request_context("/verify"):
        sentence = step_sentence("could_not_check", f"{what}_{reason}", {"url": "https://issuer.example/1"})
    is_told_apart = f"{what}_{reason}" == "status_malformed"  # so is an entry that cannot be read
    assert is_told_apart or "https://issuer.example/1" in sentence
    assert sentence


def test_of_an_endorsement_that_ended_its_endorser_is_named_not_the_issuer(app: Flask) -> None:
    with app.test_request_context("/verify"):
        assert endorsement_sentence("ended", "revoked", {}) == "The endorser has withdrawn it."
        assert endorsement_sentence("false", "signature_wrong", {}).startswith("The signature")
        assert endorsement_sentence("genuine", "signature_right", {}) == ""
