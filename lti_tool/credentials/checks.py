"""The checks that every kind of credential passes through: a badge, a status list, an endorsement.

Each says nothing where all is well, and raises what :mod:`lti_tool.credentials.proofs` knows: ``Refuted`` for
what was checked and is false, ``Unchecked`` for what could not be checked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from lti_tool.credentials.errors import ContextNotVendored, CredentialInvalid, TooComplex
from lti_tool.credentials.jsonld import walk
from lti_tool.credentials.linting import SURROGATE, parse_date
from lti_tool.credentials.proofs import (
    Canonicalise,
    ProofContext,
    Refuted,
    Unchecked,
    check_proofs,
    fetch_json,
    issuer_id,
)
from lti_tool.credentials.reading import as_list, strings
from lti_tool.credentials.status_list import MAXIMUM_ENTRIES, StatusList

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
