"""Verifiers: ours, and those of others, each asked the same: is it genuine, and does it hold at this moment?

Each gets the file and the documents that it would fetch, nothing else; and the same time.
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest.mock import patch
from xml.etree import ElementTree as ET

import jsonschema

from lti_tool.credentials.errors import FetchFailed, NotACredential
from lti_tool.credentials.verification import Verdict, verify
from tests import needs
from tests.conformance.product import EMAIL, Issued

PURL = "https://purl.imsglobal.org/spec/"
SCHEMAS = {
    "OpenBadgeCredential": "ob_v3p0_achievementcredential_schema.json",
    "EndorsementCredential": "ob_v3p0_endorsementcredential_schema.json",
    "ClrCredential": "clr_v2p0_clrcredential_schema.json",
}


@dataclass(frozen=True)
class Question:
    """Something that claims to be a credential, and the world it is judged in."""

    issued: Issued
    documents: Mapping[str, str]
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def fetch(self, url: str, _accept: str = "") -> bytes:
        """A document of this world."""
        try:
            return self.documents[url].encode()
        except KeyError:
            raise FetchFailed("unreachable") from None


@dataclass(frozen=True)
class Answer:
    """What a verifier made of it.

    :param accepts: it raised no objection: signed by whom it names, unchanged, neither expired nor withdrawn.
    """

    accepts: bool
    detail: str = ""


Judge = Callable[[Sequence[Question]], list[Answer]]


def ours(questions: Sequence[Question]) -> list[Answer]:
    """The verifier of this project."""
    answers = []
    for question in questions:
        try:
            report = verify(question.issued.data, fetch=question, now=question.now)
        except NotACredential as error:
            answers.append(Answer(False, str(error)))
            continue
        wrong = [f"{step.name}: {step.detail}" for step in report.steps if step.outcome.value == "failed"]
        doubtful = [
            f"{step.name}: {step.detail}" for step in report.steps if step.outcome.value == "could_not_check"
        ]
        answers.append(Answer(report.verdict is Verdict.VALID, "; ".join(wrong or doubtful)))
    return answers


# -- npm


def by_node(folder: Path, verifier: str) -> Judge:
    """A verifier of npm, asked in processes of its own."""

    def judge(questions: Sequence[Question]) -> list[Answer]:
        return [answer for world in _worlds(questions) for answer in _asked_of_node(folder, verifier, world)]

    return judge


def _worlds(questions: Sequence[Question]) -> Iterator[list[Question]]:
    """The questions in batches in which nobody's keys change: verifier-core remembers DID documents."""
    batch: list[Question] = []
    keys: dict[str, str] = {}
    for question in questions:
        own = {url: text for url, text in question.documents.items() if url.endswith("/did.json")}
        if any(keys.get(url, text) != text for url, text in own.items()):
            yield batch
            batch, keys = [], {}
        batch.append(question)
        keys |= own
    if batch:
        yield batch


def _asked_of_node(folder: Path, verifier: str, questions: Sequence[Question]) -> list[Answer]:
    asked = [
        {
            "documents": _with_schemas(question.documents),
            "now": question.now.isoformat(),
            **_as_json_or_token(question.issued),
        }
        for question in questions
    ]
    done = subprocess.run(
        [needs.node(), "matrix.mjs"],
        cwd=folder,
        input=json.dumps({"verifier": verifier, "questions": asked}).encode(),
        capture_output=True,
        check=True,
        timeout=500,
    )
    return [_answer(told) for told in json.loads(done.stdout.splitlines()[-1])]


def _as_json_or_token(issued: Issued) -> dict[str, Any]:
    if issued.data.lstrip().startswith(b"{"):
        return {"credential": json.loads(issued.data)}
    return {"token": issued.data.decode().strip()}


def _answer(told: Mapping[str, Any]) -> Answer:
    accepts = (
        told["signature"] is True
        and told.get("valid") is not False
        and told["status"] is not False
        and told["schema"] is not False
        and told["error"] is None
    )
    return Answer(accepts, told["error"] or "")


def _with_schemas(documents: Mapping[str, str]) -> dict[str, str]:
    """verifier-core judges by 1EdTech's schema too, which it fetches."""
    folder = needs.REFERENCE / "data" / "schemas"
    name = SCHEMAS["OpenBadgeCredential"]
    found = dict(documents)
    if (folder / name).exists():
        found[f"{PURL}ob/v3p0/schema/json/{name}"] = (folder / name).read_text("utf-8")
    return found


# -- PyPI


def by_openbadgeslib(questions: Sequence[Question]) -> list[Answer]:
    """openbadgeslib: badges with a proof and as tokens in full; of other credentials the proof."""
    return [_by_openbadgeslib(question) for question in questions]


def _by_openbadgeslib(question: Question) -> Answer:
    from openbadgeslib import ob3
    from openbadgeslib.errors import LibOpenBadgesException

    try:
        with _at(question.now):
            _judge_by_openbadgeslib(ob3, question)
    except LibOpenBadgesException as error:
        return Answer(False, str(error))
    return Answer(True)


@contextmanager
def _at(moment: datetime) -> Iterator[None]:
    """Let openbadgeslib, which takes no other time than the machine's, look at ``moment``."""

    class Kind(type):
        def __instancecheck__(cls, other: object) -> bool:
            return isinstance(other, datetime)

    class Shown(datetime, metaclass=Kind):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return moment.astimezone(tz)

    names = ("ob3.credential", "ob3.ldp", "ob3.status", "ob3.verifier")
    modules = [import_module(f"openbadgeslib.{name}") for name in names] + [import_module("jwt.api_jwt")]
    with ExitStack() as stack:
        for module in modules:
            stack.enter_context(patch.object(module, "datetime", Shown))
        yield


def _judge_by_openbadgeslib(ob3: Any, question: Question) -> None:
    fetch = question.fetch
    if not question.issued.data.lstrip().startswith(b"{"):
        token = question.issued.data.decode().strip()
        issuer = json.loads(_segment(token))["iss"]
        verifier = ob3.OB3Verifier.for_issuer_did(issuer, download=fetch)
        ob3.check_credential_status(verifier.verify(token), download=fetch)
        return
    document = json.loads(question.issued.data)
    issuer = document["issuer"] if isinstance(document["issuer"], str) else document["issuer"]["id"]
    if "OpenBadgeCredential" in document["type"]:
        verifier = ob3.OB3LdpVerifier.for_issuer_did(issuer, download=fetch)
        # Not with check_status: then it takes the proof of a status list as a token alone.
        ob3.check_credential_status(verifier.verify(document, download=fetch), download=fetch)
        return
    # It knows neither endorsements with a proof inside nor records as such; their proof it does.
    proof = document["proof"][0] if isinstance(document.get("proof"), list) else document.get("proof") or {}
    method = str(proof.get("verificationMethod"))
    if method.partition("#")[0] != issuer:
        raise ob3.OB3VerificationError("the key is not of the issuer")
    key = ob3.resolve_verification_method(method, download=fetch)
    ob3.verify_data_integrity_proof(document, key, extra_contexts=ob3.bundled_clr_contexts())


def _segment(token: str) -> bytes:
    payload = token.split(".")[1]
    return base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))


def has_schemas() -> bool:
    """Whether 1EdTech's schemas, which are not ours to ship, are at hand."""
    return (needs.REFERENCE / "data" / "schemas").is_dir()


def by_schema(questions: Sequence[Question]) -> list[Answer]:
    """1EdTech's JSON Schemas: form alone, no proof."""
    answers = []
    for question in questions:
        document = json.loads(question.issued.data)
        name = next(SCHEMAS[kind] for kind in document["type"] if kind in SCHEMAS)
        content = json.loads(needs.reference(f"data/schemas/{name}").read_text("utf-8"))
        checker = jsonschema.Draft201909Validator(
            content, format_checker=jsonschema.Draft201909Validator.FORMAT_CHECKER
        )
        problems = [error.message for error in checker.iter_errors(document)]
        answers.append(Answer(not problems, "; ".join(problems)[:300]))
    return answers


# -- pictures


def _extracted_by_openbadgeslib(edition: str) -> Callable[[str, bytes], str]:
    def read(form: str, picture: bytes) -> str:
        ob3, ob2 = import_module("openbadgeslib.ob3"), import_module("openbadgeslib.ob2")
        reader = ob3.OB3Verifier if edition == "3.0" else ob2.OB2Verifier
        extract = reader.extract_token_from_png if form == "png" else reader.extract_token_from_svg
        return _address(extract(picture))

    return read


def _plainly(edition: str) -> Callable[[str, bytes], str]:
    """What a reader of PNG chunks, and one of XML, find: Pillow and the standard library."""
    keyword = "openbadgecredential" if edition == "3.0" else "openbadges"

    def read(form: str, picture: bytes) -> str:
        if form == "png":
            from PIL import Image

            with Image.open(io.BytesIO(picture)) as image:
                image.load()
                return _address(str(image.text[keyword]))  # type: ignore[attr-defined]
        root = ET.fromstring(picture)
        space, name = (
            ("https://purl.imsglobal.org/ob/v3p0", "credential")
            if edition == "3.0"
            else ("http://openbadges.org", "assertion")
        )
        (element,) = root.iter(f"{{{space}}}{name}")
        return _address(element.get("verify") or (element.text or "").strip())

    return read


def _address(told: str) -> str:
    """Of an assertion of 2.0 its address, whichever way it is written."""
    if told.lstrip().startswith("{"):
        document = json.loads(told)
        if document["@context"] == "https://w3id.org/openbadges/v2":
            address: str = document["id"]
            return address
    return told


READERS_3: Mapping[str, Callable[[str, bytes], str]] = {
    "openbadgeslib": _extracted_by_openbadgeslib("3.0"),
    "Pillow, ElementTree": _plainly("3.0"),
}
READERS_2: Mapping[str, Callable[[str, bytes], str]] = {
    "openbadgeslib": _extracted_by_openbadgeslib("2.0"),
    "Pillow, ElementTree": _plainly("2.0"),
}


# -- Open Badges 2.0


def by_1edtech(python: Path) -> Judge:
    """1EdTech's validator of Open Badges 2.0, in an environment of its own."""
    script = Path(__file__).parent / "open_badges_2" / "verify.py"

    def judge(questions: Sequence[Question]) -> list[Answer]:
        answers = []
        for question in questions:
            documents = {
                url: _response(text.encode(), "application/ld+json")
                for url, text in question.documents.items()
            }
            for url, picture in question.pictures.items():
                documents[url] = _response(picture, "image/png" if url.endswith("png") else "image/svg+xml")
            asked = {"input": question.issued.address, "recipient": {"email": EMAIL}, "documents": documents}
            done = subprocess.run(
                [python, script],
                input=json.dumps(asked).encode(),
                capture_output=True,
                check=True,
                timeout=120,
                env={"PATH": os.environ["PATH"]},
            )
            report = json.loads(done.stdout)["report"]
            told = "; ".join(str(message["result"]) for message in report["messages"])
            answers.append(Answer(report["valid"] and not report["messages"], told[:300]))
        return answers

    return judge


def _response(body: bytes, content_type: str) -> dict[str, Any]:
    return {"status": 200, "type": content_type, "body": base64.b64encode(body).decode()}


def extracted_by_bakery(python: Path, picture: Path) -> str:
    """What openbadges-bakery finds in a picture of Open Badges 2.0."""
    script = (
        "import sys; from openbadges_bakery import unbake\n"
        "told = unbake(open(sys.argv[1], 'rb'))\n"
        "print(told.decode() if isinstance(told, bytes) else told)"
    )
    done = subprocess.run(
        [python, "-c", script, picture], capture_output=True, check=True, timeout=120, text=True
    )
    return _address(done.stdout.strip())
