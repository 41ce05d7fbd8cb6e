"""A badge that a quiz of the demo LMS earned, as its learner downloads it, before every outside verifier."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.judges import Question, by_node, by_openbadgeslib, ours
from tests.conformance.product import Issued, served_documents
from tests.conformance.tampering import decoded
from tests.databases import fresh_database_url
from tests.journeys.campus import TOOL_URL, Campus, credential_of, open_campus

pytestmark = [pytest.mark.node, pytest.mark.timeout(600)]  # the first of them installs what the others use


@pytest.fixture(scope="module")
def earned(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Campus, str]]:
    """The campus with a shared badge, and its credential's id."""
    folder = tmp_path_factory.mktemp("campus")
    with (
        fresh_database_url("sqlite", request, folder) as url,
        open_campus(url, folder / "data", "moodle") as campus,
    ):
        badge = campus.placed_badge()
        campus.take_quiz("ada", 85)
        ada = campus.browser(campus.learner("ada"))
        wallet = ada.launch(badge.id)
        credential_id = credential_of(wallet)
        ada.submit(wallet, form="sharing")
        campus.clock.move(minutes=5)
        yield campus, credential_id


def question(earned: tuple[Campus, str], suffix: str) -> Question:
    campus, credential_id = earned
    answer = campus.app.test_client().get(f"/credentials/{credential_id}.{suffix}", base_url=TOOL_URL)
    assert answer.status_code == 200
    data: bytes = answer.data
    named = repr(decoded(data)).encode() if suffix == "jwt" else data
    documents = served_documents(campus.app, TOOL_URL, named)
    # The demo listens without TLS on this machine, where our verifier looks; others know nothing but https.
    for scheme in ("http", "https"):
        documents |= {re.sub("^https?:", f"{scheme}:", url): text for url, text in documents.items()}
    return Question(Issued(data), documents, now=campus.clock.now)


def test_a_badge_made_on_the_demo_lms_is_valid_to_all(
    earned: tuple[Campus, str], node_verifier: Path
) -> None:
    asked = question(earned, "json")
    for name, judge in (
        ("ours", ours),
        ("@digitalbazaar/vc", by_node(node_verifier, "digitalbazaar")),
        ("verifier-core", by_node(node_verifier, "verifier-core")),
        ("openbadgeslib", by_openbadgeslib),
    ):
        (answer,) = judge([asked])
        assert answer.accepts, (name, answer.detail)


def test_so_is_its_token(earned: tuple[Campus, str], node_verifier: Path) -> None:
    asked = question(earned, "jwt")
    for name, judge in (
        ("ours", ours),
        ("jose", by_node(node_verifier, "jose")),
        ("openbadgeslib", by_openbadgeslib),
    ):
        (answer,) = judge([asked])
        assert answer.accepts, (name, answer.detail)


def test_a_character_that_is_changed_is_noticed_by_all(
    earned: tuple[Campus, str], node_verifier: Path
) -> None:
    asked = question(earned, "json")
    changed = Question(
        Issued(asked.issued.data.replace(b"Open Data Basics", b"Open Data Master")),
        asked.documents,
        now=asked.now,
    )
    assert changed.issued.data != asked.issued.data
    for judge in (
        ours,
        by_node(node_verifier, "digitalbazaar"),
        by_node(node_verifier, "verifier-core"),
        by_openbadgeslib,
    ):
        (answer,) = judge([changed])
        assert not answer.accepts
