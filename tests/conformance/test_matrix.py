"""Every kind of credential that the product issues, through every outside verifier that applies.

The tables of docs/reference/outside-verifiers.md are written from what comes out here; a test fails where the
page says otherwise. ``LTI_TOOL_TEST_WRITE=1 pytest tests/conformance/test_matrix.py`` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import needs
from tests.conformance.judges import has_schemas
from tests.conformance.matrix import JUDGES, KINDS, NOT_NOTICED, PICTURES, Matrix
from tests.conformance.page import PAGE, page_of
from tests.conformance.product import Product
from tests.conformance.tampering import TAMPERINGS, Tampering
from tests.databases import fresh_database_url

pytestmark = [
    pytest.mark.node,
    pytest.mark.timeout(900),  # the first test installs the verifiers, and asks everybody
]


@pytest.fixture(scope="module")
def matrix(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    node_verifier: Path,
    python: Path,
) -> Iterator[Matrix]:
    folder = tmp_path_factory.mktemp("product")
    with fresh_database_url("sqlite", request, folder) as url:
        product = Product(url, folder)
        yield Matrix(product, node_verifier, python, folder)
        product.close()


@pytest.mark.parametrize("judge", JUDGES)
@pytest.mark.parametrize("kind", KINDS)
def test_what_the_product_issues_is_genuine(matrix: Matrix, kind: str, judge: str) -> None:
    if kind not in JUDGES[judge].kinds:
        pytest.skip("it does not judge this kind")
    if judge == "schema":
        needs.reference("data/schemas")
    answer = matrix.accepted[kind, judge]
    assert answer.accepts, answer.detail


@pytest.mark.parametrize("tampering", TAMPERINGS, ids=lambda one: f"{one.of}: {one.what}")
def test_tampering_is_refused_by_all(matrix: Matrix, tampering: Tampering) -> None:
    judged = [name for name, judge in JUDGES.items() if tampering.of in judge.kinds and judge.sees_proofs]
    assert judged
    for name in judged:
        answer = matrix.tampered[tampering, name]
        is_known = (tampering.of, tampering.what, name) in NOT_NOTICED
        assert answer.accepts == is_known, (name, answer.detail)


def test_ours_refuses_everything_and_says_why(matrix: Matrix) -> None:
    asked = {one: answer for (one, name), answer in matrix.tampered.items() if name == "ours"}
    assert len(asked) > 40
    assert not any(answer.accepts or not answer.detail for answer in asked.values())


def test_what_becomes_of_badges_is_seen_by_all(matrix: Matrix) -> None:
    for (line, name), answer in matrix.judged_states.items():
        counts = matrix.states[line].counts or ("state", line, name) in NOT_NOTICED
        assert answer.accepts == counts, (line, name, answer.detail)


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_hold_the_credential_for_every_reader(matrix: Matrix, kind: str) -> None:
    assert matrix.extracted[kind]
    for reader, (told, expected) in matrix.extracted[kind].items():
        assert told == expected, reader


def test_nothing_is_excused_that_is_not_so(matrix: Matrix) -> None:
    """An outside verifier that learnt to see something is told of in the table."""
    lines = {(one.of, one.what) for one in TAMPERINGS} | {("state", line) for line in matrix.states}
    for of, what, name in NOT_NOTICED:
        assert (of, what) in lines
        assert name in JUDGES
        assert name != "ours"


def test_the_page_shows_these_results(matrix: Matrix) -> None:
    written = page_of(matrix)
    if os.environ.get("LTI_TOOL_TEST_WRITE"):
        needs.reference("data/schemas")
        PAGE.write_text(written, encoding="utf-8")
    shown = PAGE.read_text(encoding="utf-8")
    if not has_schemas():
        # Not ours to ship, so their column was filled elsewhere; all others are compared.
        shown, written = _without_schemas(shown), _without_schemas(written)
    assert shown == written, "LTI_TOOL_TEST_WRITE=1 writes it anew"


def _without_schemas(page: str) -> str:
    before, heading, after = page.partition("## What is issued\n")
    table, end, rest = after.partition("\n“Everything” is")
    assert heading
    assert end
    rows = [line.rsplit("|", 2)[0] if line.startswith("|") else line for line in table.split("\n")]
    return before + heading + "\n".join(rows) + end + rest
