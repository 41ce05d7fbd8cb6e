"""An issuer with a key, what it publishes, and badges of one achievement."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from lti_tool.credentials.baking import SVG_NAMESPACE
from lti_tool.credentials.contexts import CREDENTIALS_V2, OPEN_BADGES_3_0_3
from lti_tool.credentials.did import did_document, did_web_url
from lti_tool.credentials.documents import (
    AchievementDocument,
    Alignment,
    Evidence,
    IssuerProfile,
    RelatedAchievement,
    Result,
    ResultDescription,
    StatusEntry,
    SubjectIdentity,
    build_credential,
)
from lti_tool.credentials.errors import FetchFailed
from lti_tool.credentials.multikey import encode_ed25519
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.credentials.verification import Report, verify
from lti_tool.keyring import Signer

NOW = datetime(2025, 11, 22, 9, 30, tzinfo=UTC)
DID = "did:web:badges.example.edu"
DID_URL = did_web_url(DID)
STATUS_URL = "https://badges.example.edu/status/1"
DATE = "http://www.w3.org/2001/XMLSchema#dateTime"
RESULT_ID = "urn:uuid:f6ab24cd-86e8-4eaf-b8c6-ded74e8fd41c"
ESCO = "http://data.europa.eu/esco/skill"
ISSUER = IssuerProfile(
    DID,
    "Example University",
    "https://badges.example.edu/",
    "badges@example.edu",
    image_url="https://badges.example.edu/logo.png",
)
ACHIEVEMENT = AchievementDocument(
    id="https://badges.example.edu/achievements/7",
    name="Data Protection Basics",
    description="Knows what personal data is, and when it may be used.",
    criteria_narrative="Scored at least 60 % in *Quiz 1*.",
    image_url="https://badges.example.edu/achievements/7.png",
    image_caption="A blue shield with a lock",
    tags=("privacy", "law"),
    alignments=(
        Alignment(
            "Data protection", "http://data.europa.eu/esco/skill/1", "ESCO", target_type="ceasn:Competency"
        ),
        Alignment(
            "Information ethics", "http://data.europa.eu/esco/skill/2", "ESCO", "S2", "Acts rightly", "CFItem"
        ),
    ),
    version="3",
    in_language="en",
    creator=IssuerProfile(DID, "Example University"),
    result_descriptions=(ResultDescription(RESULT_ID, "Quiz 1", "Percent", "0", "100", "60"),),
    credits_available=0.5,
    human_code="DP-101",
    field_of_study="Law",
    related=(RelatedAchievement("https://badges.example.edu/achievements/6", "2"),),
)


@dataclass
class Key:
    """An Ed25519 key that signs as one verification method, by the way that the tool's keys take."""

    verification_method: str = f"{DID}#key-1"
    private: Ed25519PrivateKey = field(
        default_factory=lambda: Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
    )

    def sign(self, data: bytes) -> bytes:
        return self._signer.sign(data)

    @cached_property
    def _signer(self) -> Signer:
        return Signer("issuers/1", "key-1", "active", self.private)

    @property
    def public(self) -> str:
        return encode_ed25519(self.private.public_key().public_bytes_raw())


STRANGER = Key(private=Ed25519PrivateKey.from_private_bytes(b"\x66" * 32))
"""Whose key no document of the issuer lists."""


@dataclass
class Web:
    """All that is published; counts what is asked for."""

    documents: dict[str, bytes] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def fetch(self, url: str, accept: str) -> bytes:
        self.asked.append(url)
        try:
            return self.documents[url]
        except KeyError:
            raise FetchFailed("unreachable") from None

    def publish(self, url: str, document: Any) -> None:
        self.documents[url] = json.dumps(document).encode()


def published(key: Key | None = None, revoked: tuple[int, ...] = ()) -> Web:
    """A web with the issuer's DID document and status list."""
    key = key or Key()
    web = Web()
    web.publish(did_web_url(DID), did_document(DID, [("key-1", key.public)]))
    publish_status(web, key, revoked)
    return web


def publish_status(web: Web, key: Key, revoked: tuple[int, ...] = (), **changes: Any) -> None:
    """Sign and publish the status list; ``changes`` go into the unsigned document."""
    document = build_status_list_credential(
        list_url=STATUS_URL, issuer=ISSUER, bits=StatusList.of(revoked), valid_from=NOW
    )
    document.update(changes)
    web.documents[STATUS_URL] = sign_credential(document, key, NOW).text.encode()


def badge(number: int = 5, **changes: Any) -> dict[str, Any]:
    """The unsigned credential of learner ``number``."""
    arguments: dict[str, Any] = {
        "credential_url": f"https://badges.example.edu/credentials/{number}",
        "issuer": ISSUER,
        "achievement": ACHIEVEMENT,
        "subject": SubjectIdentity.from_email(f"learner{number}@example.edu", f"{number:032x}"),
        "valid_from": NOW,
        "awarded_at": NOW,
        "status": StatusEntry(STATUS_URL, number),
        "evidence": [Evidence(name="Quiz 1", narrative="Passed on the first try")],
        "results": [Result(RESULT_ID, "85")],
    }
    return build_credential(**{**arguments, **changes})


def endorsement(of: str = ACHIEVEMENT.id, number: int = 1, key: Key | None = None) -> dict[str, Any]:
    """A signed EndorsementCredential about ``of``."""
    unsigned = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_3_0_3],
        "id": f"https://badges.example.edu/endorsements/{number}",
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": "Endorsement",
        "issuer": {"id": DID, "type": ["Profile"], "name": "Example University"},
        "validFrom": "2025-11-22T09:30:00Z",
        "credentialSubject": {
            "id": of,
            "type": ["EndorsementSubject"],
            "endorsementComment": f"We count it for our own course {number}.",
        },
        "credentialStatus": StatusEntry("https://badges.example.edu/status/9", number).document(),
    }
    return sign_credential(unsigned, key or Key(), NOW).document


def full_badge(number: int = 5, **changes: Any) -> dict[str, Any]:
    """The unsigned credential of learner ``number`` with everything that an issuer may say here."""
    endorsed = (endorsement(ACHIEVEMENT.id, 1), endorsement(ACHIEVEMENT.id, 2))
    everything: dict[str, Any] = {
        "issuer": replace(ISSUER, description="Teaches.", endorsements=(endorsement(DID, 3),)),
        "achievement": replace(ACHIEVEMENT, criteria_url=f"{ACHIEVEMENT.id}#criteria", endorsements=endorsed),
        "valid_until": NOW.replace(year=2030),
        "narrative": "In good time",
        "refresh_url": f"https://badges.example.edu/credentials/{number}.json",
        "terms_url": "https://badges.example.edu/terms",
        "names_schema": True,
        "evidence": [
            Evidence(name="Quiz 1", narrative="Passed on the first try"),
            Evidence(id=f"https://portfolio.example/{number}", name="Essay", genre="Essay"),
        ],
    }
    return badge(number, **{**everything, **changes})


def signed(document: dict[str, Any] | None = None, key: Key | None = None) -> dict[str, Any]:
    """A signed badge as JSON."""
    return sign_credential(document or badge(), key or Key(), NOW).document


def judge(data: Any, web: Web | None = None, now: datetime = NOW) -> Report:
    """The report on ``data`` (bytes or JSON)."""
    return verify(data, fetch=web or published(), now=now)


def baked_svg(picture: str, text: str, attributes: str = "") -> bytes:
    """``picture`` with a credential as its first element, as OB 3.0 "Document Formats" writes one."""
    name = "openbadges:credential"
    element = f'<{name} xmlns:openbadges="{SVG_NAMESPACE}"{attributes}>{text}</{name}>'
    start = picture.index(">") + 1
    return (picture[:start] + element + picture[start:]).encode()


def details(report: Report) -> dict[str, str]:
    """Step name to detail."""
    return {step.name: step.detail for step in report.steps}
