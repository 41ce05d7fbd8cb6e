"""docs/reference/outside-verifiers.md, written from what came out of the matrix."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path

from tests.conformance.conftest import NODE, OPEN_BADGES_2
from tests.conformance.judges import Answer
from tests.conformance.matrix import JUDGES, KINDS, NOT_NOTICED, PICTURES, Matrix
from tests.conformance.tampering import TAMPERINGS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "outside-verifiers.md"

BEGINNING = """\
# What outside verifiers say

<!-- Written by tests/conformance/test_matrix.py with LTI_TOOL_TEST_WRITE=1; a test compares. -->

Whether a badge is good is not ours to say. So every kind of credential that this tool issues is put before
every verifier of others that can be installed and applies, in each run of the tests: awarded, signed and
served by an installation as anybody's, with nothing built for the occasion. Then each is changed in every way
that somebody might try, and must be refused, by this tool's own verifier and by the others.

“Yes” means accepted without an objection. “–” means that the verifier does not judge this kind of credential.
Beside “refused” stands the word that `/api/verify` and `lti-tool verify` give.

## The verifiers
"""

VERIFIERS: Mapping[str, tuple[str, str]] = {
    "ours": (
        "this tool",
        (
            "proof, dates, status, endorsements, and every credential in a record. A status list is judged "
            "with the credential that names it; a badge of 2.0 is for its issuer's host to confirm"
        ),
    ),
    "digitalbazaar": (
        "npm @digitalbazaar/vc",
        "proof (eddsa-rdfc-2022), dates, Bitstring Status List with its proof",
    ),
    "verifier-core": (
        "npm @digitalcredentials/verifier-core",
        (
            "the same and 1EdTech's JSON Schema, as the wallets of the Digital Credentials Consortium and "
            "VerifierPlus do. It is given no registry of issuers"
        ),
    ),
    "openbadgeslib": (
        "PyPI openbadgeslib",
        "badges with a proof and as tokens, dates, status; of other credentials the proof",
    ),
    "jose": (
        "npm jose",
        "tokens: the signature by a key of the issuer's DID document, and the registered claims",
    ),
    "openbadges": (
        "PyPI openbadges, by 1EdTech",
        "badges of Open Badges 2.0 with everything that they name",
    ),
    "schema": (
        "1EdTech's JSON Schemas",
        "the form of Open Badges 3.0 and CLR 2.0 documents; no proof",
    ),
}


def page_of(matrix: Matrix) -> str:
    """The whole page."""
    return "\n".join([BEGINNING, *_body(matrix), ""])


def _body(matrix: Matrix) -> Iterator[str]:
    notes = _Notes()
    yield from _table(("verifier", "version", "judges"), _verifiers())
    names = list(JUDGES)
    titles = [JUDGES[name].title for name in names]
    yield "\n## What is issued\n"
    rows = [[KINDS[kind], *(_accepted(matrix, kind, name) for name in names)] for kind in KINDS]
    yield from _table(["credential", *titles], rows)
    yield EVERYTHING
    yield "## Pictures\n"
    readers = list(dict.fromkeys(name for found in matrix.extracted.values() for name in found))
    yield from _table(
        ["picture with the badge in it", *readers],
        [[title, *(_read(matrix, kind, reader) for reader in readers)] for kind, title in PICTURES.items()],
    )
    seeing = [name for name in names if JUDGES[name].sees_proofs]
    yield "\n## What becomes of them\n"
    yield from _table(
        ["", *(JUDGES[name].title for name in seeing)],
        [[line, *(_state(matrix, line, name, notes) for name in seeing)] for line in matrix.states],
    )
    for kind, title in KINDS.items():
        lines = [one for one in TAMPERINGS if one.of == kind]
        judges = [name for name in seeing if kind in JUDGES[name].kinds]
        if lines:
            yield f"\n## Refused: {title}\n"
            yield from _table(
                ["where", *(JUDGES[name].title for name in judges)],
                [
                    [
                        one.what,
                        *(
                            notes.refused(matrix.tampered[one, name], (one.of, one.what, name))
                            for name in judges
                        ),
                    ]
                    for one in lines
                ],
            )
    yield "\n## What one of them lets pass\n"
    yield from notes.told()
    yield _END


EVERYTHING = """
“Everything” is skills of two frameworks, credits, code, field of study, validity, result, evidence, an
endorsement by another issuer, terms, schema, refresh service, and a status that can be suspended.
"""
_END = """
## Run it

`pytest tests/conformance` installs the verifiers once into `build/`: those of npm by `npm ci` from
`tests/conformance/node/package-lock.json`, 1EdTech's for 2.0 into an environment of its own. They reach no
network: whatever they ask for is what the installation under test answers, and the JSON-LD contexts. CI runs
it with `REQUIRE=all`, so that no verifier is left out in silence.

A badge that a quiz of the demo LMS earned goes the same way, from the learner's wallet
(`test_demo_badge.py`). Beside these, `tests/conformance` holds the W3C vectors of vc-di-eddsa and RDF
canonicalisation, and the samples of 1EdTech's own validator, against our signing and verifying."""


class _Notes:
    """What is not noticed, numbered in the order of the page."""

    def __init__(self) -> None:
        self.numbers: dict[tuple[str, str, str], int] = {}

    def refused(self, answer: Answer, key: tuple[str, str, str]) -> str:
        if not answer.accepts:
            # The reason as programs get it; what others say is theirs to change.
            why = answer.detail.partition(";")[0].rpartition(": ")[2]
            return f"refused, `{why}`" if key[2] == "ours" else "refused"
        number = self.numbers.setdefault(key, len(self.numbers) + 1)
        return f"**not noticed** ({number})"

    def told(self) -> Iterator[str]:
        for key, number in self.numbers.items():
            yield f"{number}. {NOT_NOTICED.get(key, '')}"
        if not self.numbers:
            yield "Nothing."


def _verifiers() -> list[list[str]]:
    package = json.loads((NODE / "package.json").read_text("utf-8"))["dependencies"]
    required = (OPEN_BADGES_2 / "requirements.txt").read_text("utf-8")
    versions: dict[str, Callable[[], str]] = {
        "ours": lambda: "–",
        "digitalbazaar": lambda: str(package["@digitalbazaar/vc"]),
        "verifier-core": lambda: str(package["@digitalcredentials/verifier-core"]),
        "openbadgeslib": lambda: version("openbadgeslib"),
        "jose": lambda: str(package["jose"]),
        "openbadges": lambda: _pinned(required, "openbadges"),
        "schema": lambda: "OB 3.0, CLR 2.0",
    }
    return [[title, versions[name](), what] for name, (title, what) in VERIFIERS.items()]


def _pinned(required: str, name: str) -> str:
    found = re.search(rf"^{name}==(\S+)$", required, re.MULTILINE)
    assert found is not None
    return found[1]


def _accepted(matrix: Matrix, kind: str, name: str) -> str:
    if kind not in JUDGES[name].kinds:
        return "–"
    answer = matrix.accepted.get((kind, name))
    if answer is None:
        return "not at hand"
    return "yes" if answer.accepts else "**no**"


def _read(matrix: Matrix, kind: str, reader: str) -> str:
    if reader not in matrix.extracted[kind]:
        return "–"
    told, expected = matrix.extracted[kind][reader]
    return "yes" if told == expected else "**no**"


def _state(matrix: Matrix, line: str, name: str, notes: _Notes) -> str:
    state = matrix.states[line]
    if state.kind not in JUDGES[name].kinds:
        return "–"
    answer = matrix.judged_states[line, name]
    if state.counts:
        return "yes" if answer.accepts else "**no**"
    return notes.refused(answer, ("state", line, name))


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(row)} |"
