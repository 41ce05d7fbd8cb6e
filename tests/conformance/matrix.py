"""Which verifier is asked about what, and the tables that come of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.conformance import judges
from tests.conformance.judges import Answer, Judge, Question
from tests.conformance.product import BASE_URL, Issued, Product
from tests.conformance.tampering import TAMPERINGS, Tampering, decoded, remember_keys

KINDS: Mapping[str, str] = {
    "badge": "badge, Open Badges 3.0",
    "badge-full": "the same with everything that can be said",
    "endorsement": "endorsement",
    "status-list": "status list",
    "record": "learner record, CLR 2.0",
    "token": "badge as a token, RS256",
    "token-es256": "badge as a token, ES256",
    "record-token": "learner record as a token",
    "hosted": "badge, Open Badges 2.0, hosted",
    "hosted-full": "the same with everything that 2.0 can say",
}
LINKED = frozenset({"badge", "badge-full", "endorsement", "status-list", "record"})
TOKENS = frozenset({"token", "token-es256", "record-token"})
HOSTED = frozenset({"hosted", "hosted-full"})
PICTURES: Mapping[str, str] = {
    "png": "PNG, Open Badges 3.0",
    "svg": "SVG, Open Badges 3.0",
    "png-2": "PNG, Open Badges 2.0",
    "svg-2": "SVG, Open Badges 2.0",
}


@dataclass(frozen=True)
class JudgeInfo:
    """A verifier as the page tells of it."""

    title: str
    kinds: frozenset[str]
    """Of credentials, which it judges."""
    sees_proofs: bool = True
    """False for what looks at the form alone."""


JUDGES: Mapping[str, JudgeInfo] = {
    "ours": JudgeInfo("ours", (LINKED | TOKENS) - {"status-list"}),
    "digitalbazaar": JudgeInfo("@digitalbazaar/vc", LINKED),
    "verifier-core": JudgeInfo("verifier-core", LINKED),
    "openbadgeslib": JudgeInfo("openbadgeslib", LINKED | {"token", "token-es256"}),
    "jose": JudgeInfo("jose", TOKENS),
    "openbadges": JudgeInfo("openbadges", HOSTED),
    "schema": JudgeInfo("JSON Schemas", LINKED - {"status-list"}, sees_proofs=False),
}
NOT_NOTICED: Mapping[tuple[str, str, str], str] = {
    **{
        ("badge-full", "a false proof is beside the true one", name): (
            f"{title} asks whether one of several proofs is right; what the badge says is then proven all "
            "the same."
        )
        for name, title in (("digitalbazaar", "@digitalbazaar/vc"), ("verifier-core", "verifier-core"))
    },
    (
        "badge-full",
        "its status list was changed",
        "openbadgeslib",
    ): "openbadgeslib takes the proof of a status list as a token only, and else looks at the bits alone.",
    (
        "badge-full",
        "its status list is somebody else's",
        "openbadgeslib",
    ): "openbadgeslib asks whose list it is only of a token.",
    (
        "badge-full",
        "its status list is somebody else's",
        "verifier-core",
    ): (
        "verifier-core takes a status list whose proof is right from any issuer: whoever can answer at the "
        "list's address, which the badge names under its proof, decides."
    ),
    (
        "state",
        "an endorsement that was withdrawn",
        "openbadgeslib",
    ): "openbadgeslib is asked for the proof of an endorsement alone: it has no other door for one.",
}
"""What an outside verifier lets pass, and why: by kind (or ``state``), line and verifier."""


@dataclass(frozen=True)
class State:
    """What became of a true credential, and the world then."""

    kind: str
    counts: bool
    """Whether it still counts."""
    question: Question


@dataclass(frozen=True)
class Matrix:
    """Asks everybody about everything, once."""

    product: Product
    node: Path
    python: Path
    folder: Path

    def judge(self, name: str) -> Judge:
        """A verifier by its name in :data:`JUDGES`."""
        return {
            "ours": judges.ours,
            "digitalbazaar": judges.by_node(self.node, "digitalbazaar"),
            "verifier-core": judges.by_node(self.node, "verifier-core"),
            "openbadgeslib": judges.by_openbadgeslib,
            "jose": judges.by_node(self.node, "jose"),
            "schema": judges.by_schema,
            "openbadges": judges.by_1edtech(self.python),
        }[name]

    @cached_property
    def questions(self) -> Mapping[str, Question]:
        """One of each kind, in the world as it is."""
        product = self.product
        full = product.issued(f"/credentials/{product.full_badge_id}.json")
        found = {
            "badge": product.issued(f"/credentials/{product.badge_id}.json"),
            "badge-full": full,
            "endorsement": product.issued(f"/endorsements/{product.endorsement_id}"),
            "status-list": product.status_list(full.document),
            "record": product.record(),
            "token": product.issued(f"/credentials/{product.badge_id}.jwt"),
            "token-es256": product.issued(f"/credentials/{product.full_badge_id}.jwt"),
            "record-token": product.record("jwt"),
            "hosted": product.issued(f"/ob2/assertions/{product.badge_id}"),
            "hosted-full": product.issued(f"/ob2/assertions/{product.full_badge_id}"),
        }
        return {kind: self._question(kind, issued) for kind, issued in found.items()}

    @cached_property
    def states(self) -> Mapping[str, State]:
        """What becomes of true credentials, by its line.

        Each happens in the product, one after the other, after everything else was asked.
        """
        product, before = self.product, self.questions
        found: dict[str, State] = {}

        def look(line: str, kind: str, path: str, *, counts: bool) -> None:
            found[line] = State(kind, counts, self._question(kind, product.issued(path)))

        id_ = product.revoked()
        look("a badge that was revoked", "badge", f"/credentials/{id_}.json", counts=False)
        address = f"/ob2/assertions/{id_}"
        gone = Issued(product.served(address, status=410), f"{BASE_URL}{address}")
        line = "a hosted badge that was revoked"
        found[line] = State("hosted", False, self._question("hosted", gone))
        id_ = product.expired()
        look("a badge that expired", "badge-full", f"/credentials/{id_}.json", counts=False)
        look("the token of a badge that expired", "token-es256", f"/credentials/{id_}.jwt", counts=False)
        look("a hosted badge that expired", "hosted-full", f"/ob2/assertions/{id_}", counts=False)
        id_ = product.suspended()
        look("a badge that is suspended", "badge-full", f"/credentials/{id_}.json", counts=False)
        product.resume(id_)
        look("the same, given back", "badge-full", f"/credentials/{id_}.json", counts=True)
        product.withdraw_endorsement()
        endorsement = before["endorsement"].issued
        line = "an endorsement that was withdrawn"
        found[line] = State("endorsement", False, self._question("endorsement", endorsement))
        path = f"/credentials/{product.full_badge_id}.json"
        look("a badge whose endorsement was withdrawn", "badge-full", path, counts=True)
        path = f"/credentials/{product.badge_id}.json"
        product.rotate()
        look("a badge signed by a key that was replaced since", "badge", path, counts=True)
        old = before["badge"].issued
        product.compromise(old.document["proof"][0]["verificationMethod"])
        look("a badge signed anew after its key was seen by others", "badge", path, counts=True)
        line = "the old copy of it"
        found[line] = State("badge", False, self._question("badge", old))
        return found

    @cached_property
    def judged_states(self) -> Mapping[tuple[str, str], Answer]:
        """By line and verifier, what is made of it."""
        assert self.tampered, "everything else is asked before the product is changed"
        found = {}
        for name, info in JUDGES.items():
            if not info.sees_proofs:
                continue
            asked = [line for line, state in self.states.items() if state.kind in info.kinds]
            answers = self.judge(name)([self.states[line].question for line in asked])
            found.update({(line, name): answer for line, answer in zip(asked, answers, strict=True)})
        return found

    @cached_property
    def extracted(self) -> Mapping[str, Mapping[str, tuple[str, str]]]:
        """By picture and reader, what was found in it and what stands in it."""
        product = self.product
        signed = product.served(f"/credentials/{product.full_badge_id}.json").decode()
        hosted = f"{BASE_URL}/ob2/assertions/{product.full_badge_id}"
        found: dict[str, dict[str, tuple[str, str]]] = {}
        for kind in PICTURES:
            form, _, edition = kind.partition("-")
            path = (
                f"/ob2/assertions/{product.full_badge_id}"
                if edition
                else f"/credentials/{product.full_badge_id}"
            )
            picture = product.served(f"{path}.{form}", "*/*")
            expected = hosted if edition else signed
            readers = judges.READERS_2 if edition else judges.READERS_3
            found[kind] = {name: (read(form, picture), expected) for name, read in readers.items()}
            if edition:
                file = self.folder / f"badge.{form}"
                file.write_bytes(picture)
                found[kind]["openbadges-bakery"] = judges.extracted_by_bakery(self.python, file), expected
        return found

    def _question(self, kind: str, issued: Issued) -> Question:
        more = [issued.address] if kind in HOSTED else []
        named = _read(issued)
        documents = self.product.documents(named, more)
        remember_keys(documents)
        pictures = self.product.pictures(documents) if kind in HOSTED else {}
        return Question(issued, documents, pictures)

    @cached_property
    def accepted(self) -> Mapping[tuple[str, str], Answer]:
        """By kind and verifier, what is made of a true credential."""
        found = {}
        for name, info in JUDGES.items():
            asked = [kind for kind in KINDS if kind in info.kinds]
            if name == "schema" and not judges.has_schemas():
                continue
            answers = self.judge(name)([self.questions[kind] for kind in asked])
            found.update({(kind, name): answer for kind, answer in zip(asked, answers, strict=True)})
        return found

    @cached_property
    def tampered(self) -> Mapping[tuple[Tampering, str], Answer]:
        """By tampering and verifier, what is made of it."""
        found = {}
        for name, info in JUDGES.items():
            if not info.sees_proofs:
                continue
            asked = [one for one in TAMPERINGS if one.of in info.kinds]
            answers = self.judge(name)([one.make(self.questions[one.of]) for one in asked])
            found.update({(one, name): answer for one, answer in zip(asked, answers, strict=True)})
        return found


def _read(issued: Issued) -> bytes:
    """What names the documents that a verifier needs: of a token its header and claims."""
    if issued.data.lstrip().startswith(b"{"):
        return issued.data
    return json.dumps(decoded(issued.data)).encode()
