"""Every word that a verification step may end with has a sentence for the person who reads it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask

from lti_tool import credentials
from lti_tool.credentials.verification import Outcome
from lti_tool.web.verification_words import step_sentence

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
