"""What others say of an achievement, an issuer or a badge: building, embedding and judging it.

An EndorsementCredential (OB 3.0) is a credential of its own: the endorser signs it, and may withdraw it. It
stands in the ``endorsement`` member of what it speaks about, so that whoever signs that signs it along.

Judging keeps two things apart. An endorsement that is *false* (not signed by whom it names, or about
something else) was put there by the badge's issuer, and the badge falls with it (OB 3.0 "Verification",
step 6). One that has *ended* since was true when the badge was signed: no endorser can take a badge away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from lti_tool.credentials.checks import check_contexts, check_status, check_validity, require_plain_members
from lti_tool.credentials.contexts import CREDENTIALS_V1, CREDENTIALS_V2, OPEN_BADGES_3_0_3
from lti_tool.credentials.documents import (
    Document,
    IssuerProfile,
    StatusEntry,
    build_profile,
    format_time,
)
from lti_tool.credentials.errors import NotACredential, text_invalid
from lti_tool.credentials.jsonld import canonicalise_quads, require_coverage, screen, to_quads
from lti_tool.credentials.linting import lint_order, lint_values
from lti_tool.credentials.proofs import ProofContext, Refuted, Unchecked, check_proofs, issuer_id
from lti_tool.credentials.reading import Ambiguous, as_list, one_object, read_credential, strings
from lti_tool.credentials.tokens import check_token

MAXIMUM_JUDGED: Final = 10
"""Endorsements of one badge that are judged; each may need two documents of its endorser."""
JUDGING_SECONDS: Final = 6.0
"""For all endorsements of one badge; an honest one takes 0.1 without what is fetched."""
MAXIMUM_EMBEDDED_BYTES: Final = 16 * 1024
"""Of one that is embedded: every badge of the achievement carries it from then on, and a badge with ten of
them is still read, and baked into its picture (:data:`~lti_tool.credentials.reading.MAXIMUM_JSON_BYTES`)."""
_ENDED: Final = frozenset({"revoked", "suspended", "expired"})
_KEY_GONE: Final = frozenset({"key_not_listed", "key_revoked", "key_expired"})
"""Made up, or given up years later: nobody can tell which, and the badge's issuer cannot help the second."""


class Standing(StrEnum):
    """What an endorsement is worth at the moment."""

    GENUINE = "genuine"
    ENDED = "ended"
    """Genuine, and withdrawn or expired since."""
    FALSE = "false"
    UNCHECKED = "could_not_check"


@dataclass(frozen=True)
class EndorsementJudgement:
    """One endorsement that a badge carries, judged.

    :param detail: a stable word, as of a verification's steps; ``params`` are values for its translated text.
    :param endorser_id: and the rest are claims of its author unless ``standing`` is genuine or ended.
    :param endorsed: what it stands in: ``achievement``, ``profile``, ``credential`` or ``other``.
    """

    standing: Standing
    detail: str
    endorser_id: str | None
    endorser_name: str | None
    endorsed: str
    comment: str | None
    valid_from: str | None
    params: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


def build_endorsement(
    *,
    endorsement_url: str,
    endorser: IssuerProfile,
    endorsed_id: str,
    endorsed_name: str,
    comment: str,
    valid_from: datetime,
    status: StatusEntry | None,
) -> Document:
    """An unsigned EndorsementCredential; :func:`~lti_tool.credentials.signing.sign_credential` signs it.

    :param endorsement_url: its ``id``, under which it is served.
    :param endorsed_id: the Achievement's or the Profile's ``id`` exactly as badges carry it.
    :param status: a place in a list of the endorser; None only for what is never withdrawn.
    :raises CredentialInvalid: for a naive time.
    """
    document: Document = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_3_0_3],
        "id": endorsement_url,
        "type": ["VerifiableCredential", "EndorsementCredential"],
        "name": endorsed_name,
        "issuer": build_profile(endorser),
        "validFrom": format_time(valid_from, "/validFrom"),
        "credentialSubject": {
            "id": endorsed_id,
            "type": ["EndorsementSubject"],
            "endorsementComment": comment,
        },
    }
    if status is not None:
        document["credentialStatus"] = status.document()
    return document


def require_embeddable(document: Mapping[str, Any], beside: Sequence[Mapping[str, Any]] = ()) -> None:
    """Refuse an endorsement that no badge of ours could carry and still be signed.

    It was judged before (:mod:`verification`); here it is read the way a badge around it will be.

    :param beside: the endorsements that the badge carries already.
    :raises ContextNotVendored: if a context is not shipped.
    :raises CredentialInvalid: with ``reason``: ``too_large``, ``not_json_ld`` where its contexts and a
        badge's exclude each other (an endorsement of VCDM 1.1 does), or what :mod:`linting` refuses.
    """
    if len(json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")) > MAXIMUM_EMBEDDED_BYTES:
        raise text_invalid("", "too_large")
    lint_values(document)
    around = {
        "@context": [CREDENTIALS_V2, OPEN_BADGES_3_0_3],
        "id": "urn:uuid:00000000-0000-4000-8000-000000000000",
        "type": ["VerifiableCredential", "OpenBadgeCredential"],
        "credentialSubject": {
            "type": ["AchievementSubject"],
            "achievement": {"type": ["Achievement"], "endorsement": [*map(dict, beside), dict(document)]},
        },
    }
    require_coverage(around)
    quads = to_quads(around)
    screen(quads)
    lint_order(canonicalise_quads(quads))


def has_endorsements(document: Mapping[str, Any]) -> bool:
    """Whether anybody endorses anything in ``document``."""
    return next(_carried(document), None) is not None


def endorsement_subject(document: Mapping[str, Any]) -> str:
    """What an EndorsementCredential speaks about: its subject's ``id``.

    :raises Refuted: if it says so of nothing, or of several things.
    """
    subject = one_object(document.get("credentialSubject"))
    if "EndorsementSubject" not in strings(subject.get("type")):
        raise Refuted("type_missing", type="EndorsementSubject")
    endorsed_id = subject.get("id")
    if not isinstance(endorsed_id, str) or not endorsed_id:
        raise Refuted("subject_not_identified")
    return endorsed_id


def judge_endorsements(
    document: Mapping[str, Any], context: ProofContext, seconds: float = JUDGING_SECONDS
) -> tuple[EndorsementJudgement, ...]:
    """Judge every endorsement that a genuine credential carries, wherever in it.

    :param seconds: for all of them; those that are not reached in time are said to be unchecked, and so are
        those beyond :data:`MAXIMUM_JUDGED`.
    """
    ends = time.monotonic() + seconds
    judged: list[EndorsementJudgement] = []
    for owner, raw in _carried(document):
        if len(judged) == MAXIMUM_JUDGED:
            judged.append(_unjudged(owner, raw, "too_many_endorsements"))
            break
        if time.monotonic() >= ends:
            judged.append(_unjudged(owner, raw, "took_too_long"))
        else:
            judged.append(_judge(owner, raw, context))
    return tuple(judged)


def _carried(value: Any) -> Iterator[tuple[Mapping[str, Any], Any]]:
    """Each endorsement with what it stands in; a record's credentials are judged by themselves."""
    if isinstance(value, list):
        for member in value:
            yield from _carried(member)
    elif isinstance(value, dict):
        for raw in as_list(value.get("endorsement")):
            yield value, raw
        for token in as_list(value.get("endorsementJwt")):
            yield value, _Token(token)
        for name, member in value.items():
            if name != "verifiableCredential":
                yield from _carried(member)


@dataclass(frozen=True)
class _Token:
    text: Any


def _judge(owner: Mapping[str, Any], raw: Any, context: ProofContext) -> EndorsementJudgement:
    document: Mapping[str, Any] = raw if isinstance(raw, dict) else {}
    standing, detail, params = Standing.GENUINE, "signature_right", {}
    try:
        document, token = _read(raw)
        _check(owner, document, token, context)
    except Refuted as refuted:
        standing, detail, params = _standing(refuted.reason), refuted.reason, refuted.params
    except Unchecked as unchecked:
        standing, detail, params = Standing.UNCHECKED, unchecked.reason, unchecked.params
    return _judgement(owner, document, standing, detail, params)


def _standing(reason: str) -> Standing:
    if reason in _ENDED:
        return Standing.ENDED
    return Standing.UNCHECKED if reason in _KEY_GONE else Standing.FALSE


def _unjudged(owner: Mapping[str, Any], raw: Any, reason: str) -> EndorsementJudgement:
    return _judgement(owner, raw if isinstance(raw, dict) else {}, Standing.UNCHECKED, reason, {})


def _read(raw: Any) -> tuple[dict[str, Any], str | None]:
    if isinstance(raw, dict):
        return raw, None
    if not isinstance(raw, _Token):
        raise Unchecked("endorsement_elsewhere")  # an address; OB 3.0 embeds the endorsement itself
    try:
        found = read_credential(str(raw.text).encode("utf-8", "replace"))
    except (NotACredential, Ambiguous):
        raise Refuted("token_malformed") from None
    if found.jwt is None:
        raise Refuted("token_malformed")
    return found.document, found.jwt


def _check(
    owner: Mapping[str, Any], document: Mapping[str, Any], token: str | None, context: ProofContext
) -> None:
    contexts = document.get("@context")
    if (contexts[0] if isinstance(contexts, list) and contexts else contexts) not in (
        CREDENTIALS_V1,
        CREDENTIALS_V2,
    ):
        raise Refuted("first_context_wrong")
    for expected in ("VerifiableCredential", "EndorsementCredential"):
        if expected not in strings(document.get("type")):
            raise Refuted("type_missing", type=expected)
    if not isinstance(document.get("id"), str):
        raise Refuted("id_missing")
    if issuer_id(document) is None:
        raise Refuted("issuer_missing")
    if endorsement_subject(document) != owner.get("id"):
        # true of something else, and taken from there
        raise Refuted("endorses_something_else")
    if token is None:
        check_contexts(document, context.canonicalise)
        check_proofs(document, context)
    else:
        require_plain_members(document)
        check_token(token, document, context)
    check_validity(document, context.now)
    for entry in as_list(document.get("credentialStatus")):
        try:
            check_status(entry, document, context)
        except Refuted as refuted:
            if refuted.reason in _ENDED:
                raise
            # A list that ran out or is spoilt is the endorser's doing, long after the badge was signed.
            raise Unchecked(refuted.reason, **refuted.params) from None


def _judgement(
    owner: Mapping[str, Any],
    document: Mapping[str, Any],
    standing: Standing,
    detail: str,
    params: Mapping[str, str],
) -> EndorsementJudgement:
    kinds = strings(owner.get("type"))
    endorsed = next(
        (
            word
            for kind, word in (
                ("Achievement", "achievement"),
                ("Profile", "profile"),
                ("VerifiableCredential", "credential"),
            )
            if kind in kinds
        ),
        "other",
    )
    endorser = one_object(document.get("issuer"))
    comment = one_object(document.get("credentialSubject")).get("endorsementComment")
    since = document.get("validFrom", document.get("issuanceDate"))
    name = endorser.get("name")
    return EndorsementJudgement(
        standing,
        detail,
        issuer_id(document),
        name if isinstance(name, str) else None,
        endorsed,
        comment if isinstance(comment, str) else None,
        since if isinstance(since, str) else None,
        MappingProxyType(dict(params)),
    )
