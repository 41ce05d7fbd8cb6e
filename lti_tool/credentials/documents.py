"""Building an Open Badges 3.0 credential out of plain facts.

OB 3.0 with VCDM 2.0: contexts in the order the specification fixes, every repeatable property as an array
(the only form that both of 1EdTech's schema families take), ``credentialStatus`` as one object (their schema
refuses an array), nothing null or empty. What is built here is signed by :mod:`lti_tool.credentials.signing`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, lru_cache
from typing import Any, Final, Self

from lti_tool.credentials.contexts import CREDENTIALS_V2, OPEN_BADGES_3_0_3, OPEN_BADGES_EXTENSIONS
from lti_tool.credentials.errors import date_invalid, text_invalid

Document = dict[str, Any]

_HTTPS: Final = re.compile(r"https://[^\s/]+/\S*|http://(localhost|127\.0\.0\.1)(:\d+)?/\S*")
_SALT_BYTES: Final = 16
ACHIEVEMENT_SCHEMA: Final = (
    "https://purl.imsglobal.org/spec/ob/v3p0/schema/json/ob_v3p0_achievementcredential_schema.json"
)
"""Where 1EdTech serves the JSON Schema of an AchievementCredential."""
TERMS_TYPE: Final = "http://purl.org/dc/terms/Policy"
"""Terms of use need a type, and neither Open Badges nor VCDM 2.0 defines one. As an absolute IRI it needs no
context of its own, so every verifier signs and reads the same."""


@dataclass(frozen=True)
class IssuerProfile:
    """The organisation whose key signs (OB 3.0 Profile).

    :param id: its did:web.
    :param name: shown by every wallet.
    :param url: its home page.
    """

    id: str
    name: str
    url: str | None = None
    email: str | None = None
    description: str | None = None
    image_url: str | None = None
    endorsements: tuple[Document, ...] = ()
    """Signed EndorsementCredentials about it, as they came: a changed one would not verify."""

    @cached_property
    def document(self) -> Document:
        """:func:`build_profile`, once for all badges. Each badge has a copy; its parts are never changed."""
        return build_profile(self)


@dataclass(frozen=True)
class Alignment:
    """A skill or standard that an achievement answers to (OB 3.0 Alignment).

    :param target_type: a word of the specification, e.g. ``CFItem``, ``ceasn:Competency``, or ``ext:…``.
    """

    target_name: str
    target_url: str
    target_framework: str | None = None
    target_code: str | None = None
    target_description: str | None = None
    target_type: str | None = None


@dataclass(frozen=True)
class ResultDescription:
    """What a :class:`Result` means; ``result_type`` is a word of the specification, e.g. ``Percent``."""

    id: str
    name: str
    result_type: str
    value_min: str | None = None
    value_max: str | None = None
    required_value: str | None = None


@dataclass(frozen=True)
class RelatedAchievement:
    """Another edition of an achievement: its previous version, or the same in another language."""

    id: str
    version: str | None = None
    in_language: str | None = None


@dataclass(frozen=True)
class AchievementDocument:
    """What a badge stands for (OB 3.0 Achievement); never changes once a badge with it is signed.

    :param id: HTTPS URL of this version's public page.
    :param criteria_narrative: what a learner did to earn it, Markdown.
    :param image_url: the unbaked picture; its ``image_caption`` is the text alternative.
    :param achievement_type: a word of the specification, or ``ext:Name``.
    :param tags: free words; :param alignments: skills of a framework.
    :param in_language: BCP 47.
    :param credits_available: in a unit that Open Badges has no member for.
    :param human_code: what people call it, e.g. a course code.
    :param endorsements: as of :class:`IssuerProfile`.
    """

    id: str
    name: str
    description: str
    criteria_narrative: str
    criteria_url: str | None = None
    image_url: str | None = None
    image_caption: str | None = None
    achievement_type: str | None = "MicroCredential"
    tags: tuple[str, ...] = ()
    alignments: tuple[Alignment, ...] = ()
    version: str | None = None
    in_language: str | None = None
    creator: IssuerProfile | None = None
    result_descriptions: tuple[ResultDescription, ...] = ()
    related: tuple[RelatedAchievement, ...] = ()
    credits_available: int | float | None = None
    human_code: str | None = None
    field_of_study: str | None = None
    endorsements: tuple[Document, ...] = ()

    @cached_property
    def document(self) -> Document:
        """:func:`build_achievement`, as of :class:`IssuerProfile`."""
        return build_achievement(self)


@dataclass(frozen=True)
class SubjectIdentity:
    """Who earned it, as a salted hash that only somebody who knows the identity can match (IdentityObject).

    ``identity_hash`` is ``sha256$`` and the hex SHA-256 of the UTF-8 identity with the salt appended. A
    hashed e-mail can be guessed, so every badge has a salt of its own of at least 16 random bytes.
    """

    identity_type: str
    identity_hash: str
    salt: str

    def document(self) -> Document:
        """The IdentityObject."""
        return {
            "type": "IdentityObject",
            "hashed": True,
            "identityHash": self.identity_hash,
            "identityType": self.identity_type,
            "salt": self.salt,
        }

    @classmethod
    def from_email(cls, email: str, salt: str | None = None) -> Self:
        """The identity of a learner whose e-mail the LMS told; lower-cased, as verifiers compare it.

        :raises CredentialInvalid: for no e-mail address, or a salt of less than 16 bytes.
        """
        address = email.strip().lower()
        if address.count("@") != 1 or address.startswith("@") or address.endswith("@"):
            raise text_invalid("/credentialSubject/identifier", "not_an_email")
        return cls._hashed("emailAddress", address, salt)

    @classmethod
    def from_lti_user_id(cls, user_id: str, salt: str | None = None) -> Self:
        """The identity of a learner of whom only the LTI ``sub`` is known.

        :raises CredentialInvalid: for an empty id, or a salt of less than 16 bytes.
        """
        if not user_id:
            raise text_invalid("/credentialSubject/identifier", "empty")
        return cls._hashed("ltiUserId", user_id, salt)

    @classmethod
    def _hashed(cls, identity_type: str, identity: str, salt: str | None) -> Self:
        salt = secrets.token_hex(_SALT_BYTES) if salt is None else salt
        if len(salt) < 2 * _SALT_BYTES:
            raise text_invalid("/credentialSubject/identifier", "salt_too_short")
        digest = hashlib.sha256((identity + salt).encode()).hexdigest()
        return cls(identity_type, f"sha256${digest}", salt)


@dataclass(frozen=True)
class Evidence:
    """Something that shows the achievement (OB 3.0 Evidence); ``id`` is a URL if it can be visited."""

    id: str | None = None
    name: str | None = None
    narrative: str | None = None
    description: str | None = None
    genre: str | None = None


@dataclass(frozen=True)
class Result:
    """A result with its description's ``id``; ``value`` is a text, as the specification wants."""

    result_description: str | None = None
    value: str | None = None
    status: str | None = None


@dataclass(frozen=True)
class StatusEntry:
    """The place of a credential in a Bitstring Status List.

    :param status_list_url: where the list credential is served.
    :param index: bit number, from 0.
    :param purpose: ``revocation`` (final) or ``suspension``.
    """

    status_list_url: str
    index: int
    purpose: str = "revocation"

    def document(self) -> Document:
        """The ``BitstringStatusListEntry`` (Bitstring Status List v1.0 §2.1)."""
        return {
            "id": f"{self.status_list_url}#{self.index}",
            "type": "BitstringStatusListEntry",
            "statusPurpose": self.purpose,
            "statusListIndex": str(self.index),
            "statusListCredential": self.status_list_url,
        }


@lru_cache(maxsize=1024)
def format_time(moment: datetime, pointer: str = "") -> str:
    """``moment`` as ``xsd:dateTime`` in UTC, to the second.

    :raises CredentialInvalid: ``credential_date_invalid`` for a naive time.
    """
    if moment.tzinfo is None or moment.utcoffset() is None:
        raise date_invalid(pointer, "naive")
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def build_profile(profile: IssuerProfile) -> Document:
    """The OB 3.0 Profile object."""
    return _present(
        {
            "id": profile.id,
            "type": ["Profile"],
            "name": profile.name,
            "url": profile.url,
            "email": profile.email,
            "description": profile.description,
            "image": {"id": profile.image_url, "type": "Image"} if profile.image_url else None,
            "endorsement": list(profile.endorsements),
        }
    )


def build_achievement(achievement: AchievementDocument) -> Document:
    """The OB 3.0 Achievement object."""
    image = None
    if achievement.image_url:
        image = _present(
            {"id": achievement.image_url, "type": "Image", "caption": achievement.image_caption or None}
        )
    return _present(
        {
            "id": achievement.id,
            "type": ["Achievement"],
            "achievementType": achievement.achievement_type,
            "name": achievement.name,
            "description": achievement.description,
            "criteria": _present(
                {"id": achievement.criteria_url, "narrative": achievement.criteria_narrative}
            ),
            "image": image,
            "inLanguage": achievement.in_language,
            "version": achievement.version,
            "creator": build_profile(achievement.creator) if achievement.creator else None,
            "humanCode": achievement.human_code,
            "fieldOfStudy": achievement.field_of_study,
            "creditsAvailable": _plain_number(achievement.credits_available),
            "tag": list(achievement.tags),
            "alignment": [_alignment(alignment) for alignment in achievement.alignments],
            "resultDescription": [
                _present(
                    {
                        "id": described.id,
                        "type": ["ResultDescription"],
                        "name": described.name,
                        "resultType": described.result_type,
                        "valueMin": described.value_min,
                        "valueMax": described.value_max,
                        "requiredValue": described.required_value,
                    }
                )
                for described in achievement.result_descriptions
            ],
            "related": [
                _present(
                    {
                        "id": other.id,
                        "type": ["Related"],
                        "inLanguage": other.in_language,
                        "version": other.version,
                    }
                )
                for other in achievement.related
            ],
            "endorsement": list(achievement.endorsements),
        }
    )


def build_credential(
    *,
    credential_url: str,
    issuer: IssuerProfile,
    achievement: AchievementDocument,
    subject: SubjectIdentity,
    valid_from: datetime,
    awarded_at: datetime,
    status: StatusEntry | None,
    valid_until: datetime | None = None,
    subject_id: str | None = None,
    evidence: Sequence[Evidence] = (),
    results: Sequence[Result] = (),
    narrative: str | None = None,
    refresh_url: str | None = None,
    terms_url: str | None = None,
    names_schema: bool = False,
) -> Document:
    """An unsigned OpenBadgeCredential.

    :param credential_url: its ``id``, the HTTPS URL under which the credential is served; stays the same when
        it is corrected.
    :param valid_from: moves forward with each correction; :param awarded_at: never does.
    :param status: where its revocation is published; None only for what is never revoked.
    :param subject_id: the learner's DID, where one is known; beside the hashed identity, never instead of it.
    :param refresh_url: where a newer copy is served (``1EdTechCredentialRefresh``); whoever knows it can read
        it.
    :param terms_url: under which terms it may be used.
    :param names_schema: name 1EdTech's JSON Schema, which verifiers then hold the document against.
    :raises CredentialInvalid: for an id that is not HTTPS, a naive time, or an end before the beginning.
    """
    if not _HTTPS.fullmatch(credential_url):
        raise text_invalid("/id", "not_https")
    if valid_until is not None and valid_until <= valid_from:
        raise date_invalid("/validUntil", "before_valid_from")
    contexts = [CREDENTIALS_V2, OPEN_BADGES_3_0_3]
    if refresh_url or names_schema:
        contexts.append(OPEN_BADGES_EXTENSIONS)  # 1EdTech* types are defined nowhere else
    return _present(
        {
            "@context": contexts,
            "id": credential_url,
            "type": ["VerifiableCredential", "OpenBadgeCredential"],
            "name": achievement.name,
            "issuer": dict(issuer.document),
            "validFrom": format_time(valid_from, "/validFrom"),
            "validUntil": format_time(valid_until, "/validUntil") if valid_until else None,
            "awardedDate": format_time(awarded_at, "/awardedDate"),
            "credentialSubject": _present(
                {
                    "id": subject_id,
                    "type": ["AchievementSubject"],
                    "identifier": [subject.document()],
                    "achievement": dict(achievement.document),
                    "narrative": narrative,
                    "result": [
                        _present(
                            {
                                "type": ["Result"],
                                "resultDescription": result.result_description,
                                "value": result.value,
                                "status": result.status,
                            }
                        )
                        for result in results
                    ],
                }
            ),
            "evidence": [
                _present(
                    {
                        "id": shown.id,
                        "type": ["Evidence"],
                        "name": shown.name,
                        "narrative": shown.narrative,
                        "description": shown.description,
                        "genre": shown.genre,
                    }
                )
                for shown in evidence
            ],
            "credentialStatus": status.document() if status else None,
            "refreshService": {"id": refresh_url, "type": "1EdTechCredentialRefresh"}
            if refresh_url
            else None,
            "credentialSchema": [{"id": ACHIEVEMENT_SCHEMA, "type": "1EdTechJsonSchemaValidator2019"}]
            if names_schema
            else None,
            "termsOfUse": [{"id": terms_url, "type": TERMS_TYPE}] if terms_url else None,
        }
    )


def _alignment(alignment: Alignment) -> Document:
    return _present(
        {
            "type": ["Alignment"],
            "targetName": alignment.target_name,
            "targetUrl": alignment.target_url,
            "targetFramework": alignment.target_framework,
            "targetCode": alignment.target_code,
            "targetDescription": alignment.target_description,
            "targetType": alignment.target_type,
        }
    )


def _plain_number(number: int | float | None) -> int | float | None:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _present(members: Document) -> Document:
    """``members`` without those that say nothing; OB 3.0 wants them left out."""
    # what is true is decided first: most is, and comparing takes longer
    return {
        key: value
        for key, value in members.items()
        if value or (value is not None and value != [] and value != "")
    }
