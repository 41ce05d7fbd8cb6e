"""Verifiers that are not ours: openbadgeslib (PyPI) and Digital Bazaar's (npm), on what we sign.

Each gets the credential and the documents that it names, nothing else.
"""

from __future__ import annotations

import copy
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lti_tool.credentials.contexts import REGISTRY
from lti_tool.credentials.documents import Evidence, SubjectIdentity
from lti_tool.credentials.signing import sign_credential
from tests import needs
from tests.unit.credentials.badges import DID, NOW, STATUS_URL, Key, Web, badge, published, signed

pytestmark = pytest.mark.timeout(600)  # the first of them installs what the others use

HERE = Path(__file__).parent / "node"
TEXTS = [
    "plain",
    'quotes " and \\ and %s {0}',
    "tab\tnew\nline\r",
    "Ünïcødé ‮ \u2028 😀 数据",
    "</script>]]>&amp;",
]

Judge = Callable[[dict[str, Any], Web], dict[str, Any]]


def by_node(folder: Path, document: dict[str, Any], web: Web) -> dict[str, Any]:
    documents = {url: dict(context.document) for url, context in REGISTRY.items()}
    documents[DID] = json.loads(web.documents["https://badges.example.edu/.well-known/did.json"])
    documents[STATUS_URL] = json.loads(web.documents[STATUS_URL])
    question = {"credential": document, "documents": documents, "now": NOW.isoformat()}
    answer = subprocess.run(
        [needs.node(), "verify.mjs"],
        cwd=folder,
        input=json.dumps(question).encode(),
        capture_output=True,
        check=True,
        timeout=170,
    )
    judged: dict[str, Any] = json.loads(answer.stdout)
    return judged


def by_openbadgeslib(document: dict[str, Any], web: Web) -> dict[str, Any]:
    ob3 = pytest.importorskip("openbadgeslib.ob3")
    ldp = pytest.importorskip("openbadgeslib.ob3.ldp")
    fetch = web.documents.__getitem__
    try:
        verifier = ldp.OB3LdpVerifier.for_issuer_did(DID, download=fetch)
        credential = verifier.verify(document, download=fetch)
    except ob3.OB3VerificationError as error:
        return {"verified": False, "revoked": None, "error": str(error)}
    try:
        ob3.check_credential_status(credential, download=fetch)
    except ob3.OB3VerificationError as error:
        return {"verified": True, "revoked": "'revocation' is set" in str(error), "error": str(error)}
    return {"verified": True, "revoked": False, "error": None}


@pytest.fixture(params=["npm", "openbadgeslib"])
def judge(request: pytest.FixtureRequest) -> Judge:
    if request.param == "openbadgeslib":
        return by_openbadgeslib
    folder: Path = request.getfixturevalue("node_verifier")
    return lambda document, web: by_node(folder, document, web)


@pytest.mark.node
def test_what_we_sign_is_valid_to_others(judge: Judge) -> None:
    assert judge(signed(), published()) == {"verified": True, "revoked": False, "error": None}


@pytest.mark.node
@pytest.mark.parametrize("text", TEXTS, ids=["plain", "quotes", "space", "unicode", "markup"])
def test_both_routes_are_valid_to_others_whatever_the_text(judge: Judge, text: str) -> None:
    for number in (1, 2, 3):
        document = badge(
            number,
            evidence=[Evidence(name=text, narrative=text)],
            subject=SubjectIdentity.from_lti_user_id(f"user {number}"),
            refresh_url=f"https://badges.example.edu/refresh/{number}",
        )
        answer = judge(sign_credential(document, Key(), NOW).document, published())
        assert answer["verified"], answer


@pytest.mark.node
@pytest.mark.parametrize(
    "path",
    [
        ("name",),
        ("credentialSubject", "achievement", "description"),
        ("credentialStatus", "statusListIndex"),
        ("awardedDate",),
    ],
    ids=lambda path: path[-1],
)
def test_a_changed_text_is_invalid_to_others(judge: Judge, path: tuple[str, ...]) -> None:
    document = copy.deepcopy(signed())
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = {"statusListIndex": "6", "awardedDate": "2020-01-01T00:00:00Z"}.get(path[-1], "Other")
    assert not judge(document, published())["verified"]


@pytest.mark.node
def test_a_revoked_badge_is_revoked_to_others(judge: Judge) -> None:
    assert judge(signed(), published(revoked=(5,)))["revoked"] is True
    assert judge(signed(badge(6)), published(revoked=(5,)))["revoked"] is False


def test_the_lock_file_names_no_registry() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text("utf-8"))
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    for entry in packages.values():
        assert "resolved" not in entry
        assert entry["integrity"].startswith("sha512-")
    assert "omit-lockfile-registry-resolved=true" in (HERE / ".npmrc").read_text("utf-8")
