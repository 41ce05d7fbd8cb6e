"""Is this badge real, current, and whose? Judged from the bytes alone.

Every check is a step with its own outcome; ``could_not_check`` is told apart from ``failed``. ``invalid``
means that something was checked and is false (or there is no proof), ``inconclusive`` that something could
not be checked, ``valid`` that everything that applies passed. OB 3.0 "Verification", VCDM 2.0 §7.1, Bitstring
Status List §3.2. Nothing is looked up in our own tables: our badges are judged like anybody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from lti_tool.credentials.contexts import CREDENTIALS_V1, CREDENTIALS_V2
from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid, NotACredential, TooComplex
from lti_tool.credentials.jsonld import walk
from lti_tool.credentials.linting import SURROGATE, parse_date
from lti_tool.credentials.proofs import (
    Canonicalise,
    Fetcher,
    ProofContext,
    Refuted,
    Unchecked,
    check_proofs,
    fetch_json,
    issuer_id,
)
from lti_tool.credentials.reading import (
    EXCESSES,
    Ambiguous,
    Found,
    as_list,
    is_open_badges_2,
    one_object,
    read_credential,
    strings,
)
from lti_tool.credentials.sandbox import Canonicaliser
from lti_tool.credentials.status_list import MAXIMUM_ENTRIES, StatusList
from lti_tool.credentials.tokens import check_token

__all__ = ["CredentialSummary", "Fetcher", "NotACredential", "Outcome", "Report", "Step", "Verdict", "verify"]

BADGE_TYPES: Final = frozenset(
    {"OpenBadgeCredential", "AchievementCredential", "EndorsementCredential", "ClrCredential"}
)
_VOCABULARY: Final = "https://www.w3.org/2018/credentials#"
_GUARDED_MEMBERS: Final = (
    "validFrom",
    "validUntil",
    "issuanceDate",
    "expirationDate",
    "issuer",
    "credentialStatus",
    "credentialSubject",
)
_VALUE_KEYWORDS: Final = frozenset({"@context", "@value", "@language", "@direction", "@type"})
_ACCEPT_CREDENTIAL: Final = (
    "application/vc+ld+json, application/vc, application/ld+json;q=0.9, application/json;q=0.8"
)
_MAXIMUM_STATUS_BYTES: Final = MAXIMUM_ENTRIES // 4


class Outcome(StrEnum):
    """How a step ended."""

    PASSED = "passed"
    FAILED = "failed"
    COULD_NOT_CHECK = "could_not_check"
    SKIPPED = "skipped"


class Verdict(StrEnum):
    """What all steps say together."""

    VALID = "valid"
    INVALID = "invalid"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Step:
    """One check.

    :param name: ``read``, ``structure``, ``contexts``, ``proof``, ``validity``, ``status``, ``endorsements``.
    :param detail: a stable word, e.g. ``revoked``; ``params`` are values for its translated text.
    """

    name: str
    outcome: Outcome
    detail: str
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True)
class CredentialSummary:
    """What the credential says; claims of its author, to be shown as such unless the verdict is valid."""

    id: str | None
    name: str | None
    description: str | None
    issuer_id: str | None
    issuer_name: str | None
    issuer_url: str | None
    achievement_id: str | None
    achievement_name: str | None
    achievement_description: str | None
    criteria_narrative: str | None
    image_url: str | None
    image_caption: str | None
    skills: tuple[str, ...]
    valid_from: str | None
    valid_until: str | None
    awarded_at: str | None


@dataclass(frozen=True)
class Report:
    """The verdict, every step in order, and what the credential says (None if it could not be read)."""

    verdict: Verdict
    steps: tuple[Step, ...]
    credential: CredentialSummary | None
    document: Mapping[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """What programs are told: ``{"verdict", "steps": [{"name", "outcome", "detail"}], "credential"}``."""
        return {
            "verdict": self.verdict.value,
            "steps": [
                {"name": step.name, "outcome": step.outcome.value, "detail": step.detail}
                for step in self.steps
            ],
            "credential": None if self.credential is None else asdict(self.credential),
        }


_default_canonicaliser = Canonicaliser()


def verify(
    data: bytes | Mapping[str, Any],
    *,
    fetch: Fetcher,
    now: datetime,
    canonicaliser: Canonicaliser = _default_canonicaliser,
) -> Report:
    """Judge a credential.

    :param data: the file, baked picture or token as bytes, or a credential that is JSON already.
    :param fetch: gets controller documents and status lists; nothing else is ever asked of it.
    :param now: aware.
    :raises NotACredential: if ``data`` is no credential at all.
    """
    try:
        if isinstance(data, bytes):
            found = read_credential(data)
        else:
            found = read_credential(json.dumps(data, ensure_ascii=True).encode())
    except Ambiguous as error:
        reason = str(error.args[0])
        outcome = Outcome.COULD_NOT_CHECK if reason in EXCESSES else Outcome.FAILED
        return _report([Step("read", outcome, reason)], None)
    return _Verification(found, fetch, now, canonicaliser).report()


class _Verification:
    """One run over one document; each step appends itself."""

    def __init__(self, found: Found, fetch: Fetcher, now: datetime, canonicaliser: Canonicaliser) -> None:
        self._found = found
        self._document = found.document
        self._now = now
        self._context = ProofContext(fetch, canonicaliser.canonicalise, now)
        self._steps: list[Step] = []

    def report(self) -> Report:
        self._steps.append(Step("read", Outcome.PASSED, f"read_{self._found.container}"))
        if is_open_badges_2(self._document):
            self._steps.append(Step("structure", Outcome.COULD_NOT_CHECK, "open_badges_2_unsupported"))
            return _report(self._steps, self._document)
        if self._step("structure", self._structure) and self._step("contexts", self._contexts):
            genuine = self._step("proof", self._proof)
        else:
            genuine = False
            missing = not self._found.jwt and not self._document.get("proof")
            self._skip_or_fail_proof(missing)
        self._step("validity", self._validity)
        if genuine:
            self._step("status", self._status)
        else:
            # a pointer that nobody signed says nothing, and is not worth a request
            self._steps.append(Step("status", Outcome.SKIPPED, "not_reached"))
        if any(key in ("endorsement", "endorsementJwt") for key in _keys(self._document)):
            self._steps.append(Step("endorsements", Outcome.SKIPPED, "endorsements_not_checked"))
        return _report(self._steps, self._document)

    def _skip_or_fail_proof(self, missing: bool) -> None:
        if missing:
            self._steps.append(Step("proof", Outcome.FAILED, "proof_missing"))
        else:
            self._steps.append(Step("proof", Outcome.SKIPPED, "not_reached"))

    def _step(self, name: str, check: Any) -> bool:
        try:
            outcome, (detail, params) = Outcome.PASSED, check()
            if detail == "no_status":
                outcome = Outcome.SKIPPED
        except Refuted as refuted:
            outcome, detail, params = Outcome.FAILED, refuted.reason, refuted.params
        except Unchecked as unchecked:
            outcome, detail, params = Outcome.COULD_NOT_CHECK, unchecked.reason, unchecked.params
        self._steps.append(Step(name, outcome, detail, MappingProxyType(dict(params))))
        return outcome is Outcome.PASSED

    def _structure(self) -> tuple[str, dict[str, str]]:
        document = self._document
        contexts = document.get("@context")
        first = contexts[0] if isinstance(contexts, list) and contexts else contexts
        if first not in (CREDENTIALS_V1, CREDENTIALS_V2):
            raise Refuted("first_context_wrong")
        types = strings(document.get("type"))
        if "VerifiableCredential" not in types:
            raise Refuted("type_missing", type="VerifiableCredential")
        if not BADGE_TYPES.intersection(types):
            raise Refuted("not_an_open_badge")
        if not isinstance(document.get("id"), str):
            raise Refuted("id_missing")
        if issuer_id(document) is None:
            raise Refuted("issuer_missing")
        subject = document.get("credentialSubject")
        subject = subject[0] if isinstance(subject, list) and len(subject) == 1 else subject
        if not isinstance(subject, dict):
            raise Refuted("subject_missing" if not isinstance(subject, list) else "several_subjects")
        if not subject.get("id") and not subject.get("identifier"):
            raise Refuted("subject_not_identified")
        if "EndorsementCredential" not in types and "ClrCredential" not in types:
            achievement = subject.get("achievement")
            if "AchievementSubject" not in strings(subject.get("type")):
                raise Refuted("type_missing", type="AchievementSubject")
            if not isinstance(achievement, dict) or "Achievement" not in strings(achievement.get("type")):
                raise Refuted("achievement_missing")
        return "structure_sound", {}

    def _contexts(self) -> tuple[str, dict[str, str]]:
        if self._found.jwt:
            require_plain_members(self._document)
            return "contexts_not_needed", {}
        check_contexts(self._document, self._context.canonicalise)
        return "contexts_known", {}

    def _proof(self) -> tuple[str, dict[str, str]]:
        if self._found.jwt:
            check_token(self._found.jwt, self._document, self._context)
            return "signature_right", {"suite": "jwt"}
        suite, method = check_proofs(self._document, self._context)
        return "signature_right", {"suite": suite, "method": method}

    def _validity(self) -> tuple[str, dict[str, str]]:
        return check_validity(self._document, self._now)

    def _status(self) -> tuple[str, dict[str, str]]:
        entries = as_list(self._document.get("credentialStatus"))
        if not entries:
            return "no_status", {}
        for entry in entries:
            check_status(entry, self._document, self._context)
        return "not_revoked", {}


def require_plain_members(document: Mapping[str, Any]) -> None:
    """Refuse members that state something under a name that a reader of JSON does not look for.

    :raises Refuted: for such a name, or a text that is no Unicode.
    :raises Unchecked: for an inline context, which may give any name any meaning.
    """
    for pointer, value in walk(document):
        if isinstance(value, str) and SURROGATE.search(value):
            raise Refuted("lone_surrogate", pointer=pointer)
        if not isinstance(value, dict):
            continue
        if any(isinstance(context, dict) for context in as_list(value.get("@context"))):
            raise Unchecked("context_inline", pointer=pointer)
        for key in value:
            # an absolute IRI or a JSON-LD keyword as a member name states the same as the plain name and
            # is seen by nobody who reads the JSON: an expired badge would look as if it had no end
            if SURROGATE.search(key) or ":" in key or (key.startswith("@") and key not in _VALUE_KEYWORDS):
                raise Refuted("member_name_disguised", pointer=f"{pointer}/{key}"[:300])


def check_contexts(document: Mapping[str, Any], canonicalise: Canonicalise) -> None:
    """Check that the JSON of a credential (a badge, a status list) says what its RDF, which is signed, says.

    :raises Refuted: if it says less, or is no JSON-LD.
    :raises Unchecked: if a context is unknown, or it is too complex.
    """
    require_plain_members(document)
    unsecured = {key: value for key, value in document.items() if key != "proof"}
    try:
        (canonical,) = canonicalise([unsecured])
    except ContextNotVendored as error:
        raise Unchecked("context_unknown", url=error.url) from None
    except TooComplex as error:
        raise Unchecked(error.reason) from None
    except CredentialInvalid as error:
        params = {key: str(value) for key, value in error.params.items() if key != "reason"}
        raise Refuted(str(error.params.get("reason")), **params) from None
    _require_nothing_hidden(document, canonical)


def _require_nothing_hidden(document: Mapping[str, Any], canonical: str) -> None:
    """Refuse a document whose JSON shows less about the credential than its RDF states.

    JSON-LD merges all objects with the same ``id``. ``validUntil`` can be moved away from the credential into
    any other object that names it, without touching the signature; a reader of JSON would not see it.
    """
    root = re.escape(f"<{document['id']}>")
    for member in _GUARDED_MEMBERS:
        stated = len(re.findall(rf"^{root} <{_VOCABULARY}{member}> ", canonical, re.MULTILINE))
        if stated != len(as_list(document.get(member))):
            raise Refuted("member_hidden", pointer=f"/{member}")
    for index, entry in enumerate(as_list(document.get("credentialStatus"))):
        if not isinstance(entry, dict) or not isinstance(entry.get("type"), str | list):
            raise Refuted("status_malformed", pointer=f"/credentialStatus/{index}")


def check_validity(document: Mapping[str, Any], now: datetime) -> tuple[str, dict[str, str]]:
    """Whether ``now`` is within the dates of a credential (VCDM 2.0 §4.9, VCDM 1.1 §4.6).

    :raises Refuted: if not, or a date is none.
    """
    times: dict[str, datetime] = {}
    for start, end in (("validFrom", "validUntil"), ("issuanceDate", "expirationDate")):
        for member in (start, end):
            if member in document:
                try:
                    times[member] = parse_date(document[member])
                except ValueError:
                    raise Refuted("date_malformed", pointer=f"/{member}") from None
        if start in times and times[start] > now:
            raise Refuted("not_yet_valid", date=str(document[start]))
        if end in times and times[end] <= now:
            raise Refuted("expired", date=str(document[end]))
    if "validFrom" not in times and "issuanceDate" not in times:
        raise Refuted("date_missing")
    return "within_dates", {}


def check_status(entry: Any, document: Mapping[str, Any], context: ProofContext) -> None:
    """Ask whether the credential is revoked or suspended.

    :raises Refuted: ``revoked``, ``suspended``, or a list that does not speak for this credential.
    :raises Unchecked: if the list could not be had, or is of an unknown kind.
    """
    if not isinstance(entry, dict):
        raise Refuted("status_malformed")
    kinds = strings(entry.get("type"))
    if "1EdTechRevocationList" in kinds:
        _check_revocation_list(entry, document, context)
    elif "BitstringStatusListEntry" in kinds:
        _check_bit(entry, document, context, "BitstringStatusListCredential", "BitstringStatusList")
    elif "StatusList2021Entry" in kinds:
        _check_bit(entry, document, context, "StatusList2021Credential", "StatusList2021")
    else:
        raise Unchecked("status_kind_unknown", type=str(entry.get("type"))[:100])


def _check_bit(
    entry: Mapping[str, Any],
    document: Mapping[str, Any],
    context: ProofContext,
    credential_type: str,
    subject_type: str,
) -> None:
    purpose, url, index = (
        entry.get(name) for name in ("statusPurpose", "statusListCredential", "statusListIndex")
    )
    if not isinstance(purpose, str) or not isinstance(url, str) or not re.fullmatch(r"\d{1,10}", str(index)):
        raise Refuted("status_malformed")
    if purpose not in ("revocation", "suspension"):
        raise Unchecked("status_purpose_unknown", purpose=purpose[:100])
    if entry.get("statusSize", 1) != 1:
        raise Unchecked("status_size_unsupported")
    listed = fetch_json(url, _ACCEPT_CREDENTIAL, context.fetch, "status", _MAXIMUM_STATUS_BYTES)
    if credential_type not in strings(listed.get("type")) or listed.get("id") != url:
        raise Refuted("status_list_wrong")
    if issuer_id(listed) is None or issuer_id(listed) != issuer_id(document):
        raise Refuted("status_list_of_another_issuer")
    # a list's encodedList is one literal: the document is small in RDF, whatever its size in bytes
    try:
        check_contexts(listed, context.canonicalise)
        check_proofs(listed, context)
        check_validity(listed, context.now)
    except Refuted as refuted:
        raise Refuted("status_list_invalid", why=refuted.reason) from None
    subject = listed.get("credentialSubject")
    if not isinstance(subject, dict) or subject_type not in strings(subject.get("type")):
        raise Refuted("status_list_wrong")
    if purpose not in strings(subject.get("statusPurpose")):
        raise Refuted("status_purpose_differs")
    try:
        bits = StatusList.decode(str(subject.get("encodedList")))
        is_set = bits[int(str(index))]
    except (ValueError, IndexError):
        raise Refuted("status_list_invalid", why="encoded_list") from None
    if is_set:
        raise Refuted("revoked" if purpose == "revocation" else "suspended")


def _check_revocation_list(
    entry: Mapping[str, Any], document: Mapping[str, Any], context: ProofContext
) -> None:
    """1EdTechRevocationList: unsigned, so it counts only from where the signed entry points."""
    url = entry.get("id")
    if not isinstance(url, str) or not url.startswith("https://"):
        raise Refuted("status_malformed")
    listed = fetch_json(url, "application/json", context.fetch, "status", _MAXIMUM_STATUS_BYTES)
    if listed.get("issuer") not in (None, issuer_id(document)):
        raise Refuted("status_list_of_another_issuer")
    for revoked in as_list(listed.get("revokedCredential")):
        if (
            isinstance(revoked, dict)
            and revoked.get("id") == document.get("id")
            and revoked.get("revoked", True)
        ):
            raise Refuted("revoked", why=str(revoked.get("revocationReason", ""))[:300])


def _report(steps: list[Step], document: Mapping[str, Any] | None) -> Report:
    outcomes = {step.outcome for step in steps}
    if Outcome.FAILED in outcomes:
        verdict = Verdict.INVALID
    elif Outcome.COULD_NOT_CHECK in outcomes:
        verdict = Verdict.INCONCLUSIVE
    else:
        verdict = Verdict.VALID
    return Report(verdict, tuple(steps), _summary(document) if document is not None else None, document)


def _summary(document: Mapping[str, Any]) -> CredentialSummary:
    subject = one_object(document.get("credentialSubject"))
    achievement = one_object(subject.get("achievement"))
    issuer = one_object(document.get("issuer"))
    image = one_object(document.get("image")) or one_object(achievement.get("image"))
    alignments = [one_object(entry) for entry in as_list(achievement.get("alignment"))]
    return CredentialSummary(
        id=_text(document.get("id")),
        name=_text(document.get("name")) or _text(achievement.get("name")),
        description=_text(document.get("description")),
        issuer_id=issuer_id(document),
        issuer_name=_text(issuer.get("name")),
        issuer_url=_text(issuer.get("url")),
        achievement_id=_text(achievement.get("id")),
        achievement_name=_text(achievement.get("name")),
        achievement_description=_text(achievement.get("description")),
        criteria_narrative=_text(one_object(achievement.get("criteria")).get("narrative")),
        image_url=_text(image.get("id")),
        image_caption=_text(image.get("caption")),
        skills=tuple(name for entry in alignments if (name := _text(entry.get("targetName")))),
        valid_from=_text(document.get("validFrom")) or _text(document.get("issuanceDate")),
        valid_until=_text(document.get("validUntil")) or _text(document.get("expirationDate")),
        awarded_at=_text(document.get("awardedDate")),
    )


def _text(value: Any) -> str | None:
    """A text, also one in a language map or value object; None where there is none, or more than one."""
    if isinstance(value, list):
        value = value[0] if len(value) == 1 else None
    if isinstance(value, dict):
        value = value.get("@value", next(iter(value.values()), None) if len(value) == 1 else None)
    return value if isinstance(value, str) else None


def _keys(document: Mapping[str, Any]) -> Iterator[str]:
    for _, value in walk(document):
        if isinstance(value, dict):
            yield from value
