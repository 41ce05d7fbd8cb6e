"""Signing anew what is signed already: the same badge under the same id, as of now.

``validFrom`` moves forward, which makes the new text the current one of the two (Open Badges 3.0, equality
and comparison). Whoever works through many keeps the texts with :func:`lti_tool.store.reissues.replace`,
which leaves alone what somebody else has signed meanwhile.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from lti_tool.credentials.documents import format_time
from lti_tool.credentials.signing import Signer, sign_credential
from lti_tool.errors import ConfigurationInvalid, CredentialInvalid
from lti_tool.services.addresses import PublicUrls
from lti_tool.store.reissues import Renewed, Signed
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

Document = dict[str, Any]

LAST_LOOK_AFTER: Final = timedelta(minutes=2)
"""Longer than anybody signs a batch: who looks so much later finds what was being signed when something
changed."""


class ActiveKeys(Protocol):
    """The keys that issuers sign with now."""

    def signer(self, issuer_id: str, did: str) -> Signer:
        """The active key, made if the issuer has none yet."""


@dataclass(frozen=True)
class SignedAnew:
    """What became of some texts."""

    renewed: list[Renewed] = field(default_factory=list)
    refused: dict[str, CredentialInvalid] = field(default_factory=dict)
    """Why a text could not be signed, by id; it stays as it was."""
    keyless: dict[str, ConfigurationInvalid] = field(default_factory=dict)
    """Why issuers' keys cannot be used, by issuer; all that is theirs waits."""
    waiting: set[str] = field(default_factory=set)
    """Ids of what waits for such a key."""


def sign_anew(
    keys: ActiveKeys,
    urls: PublicUrls,
    rows: Iterable[Signed],
    change: Callable[[Document], Document | None],
    now: datetime,
) -> SignedAnew:
    """Sign texts anew with their issuers' active keys; nothing is stored.

    One issuer's key that cannot be used keeps nobody else's badges from being signed.

    :param change: what each is to say; it stays as it is where that is ``None``.
    """
    signers: dict[str, Signer] = {}
    found = SignedAnew()
    waiting: Counter[str] = Counter()
    for row in rows:
        document = change(json.loads(row.document))
        if document is None:
            continue
        if row.issuer_id not in signers and row.issuer_id not in found.keyless:
            try:
                signers[row.issuer_id] = keys.signer(row.issuer_id, urls.did(row.issuer_id))
            except ConfigurationInvalid as error:
                found.keyless[row.issuer_id] = error
        if row.issuer_id in found.keyless:
            found.waiting.add(row.id)
            waiting[row.issuer_id] += 1
            continue
        try:
            text = sign_credential(later(document, now), signers[row.issuer_id], now).text
        except CredentialInvalid as error:
            found.refused[row.id] = error
        else:
            found.renewed.append(Renewed(row.id, row.document, text, end_of(document)))
    for id_, refusal in found.refused.items():
        log.warning("credential_not_signed_anew", credential_id=id_, error=str(refusal))
    for issuer_id, trouble in found.keyless.items():
        log.error("issuer_key_unusable", issuer_id=issuer_id, error=str(trouble), waiting=waiting[issuer_id])
    return found


def end_of(document: Document) -> datetime | None:
    """When a signed text says that it ends."""
    text = document.get("validUntil")
    return datetime.fromisoformat(text) if text else None


def start_of(document: Document) -> datetime:
    """From when on a signed text says that it is valid."""
    return datetime.fromisoformat(document["validFrom"])


def later(document: Document, now: datetime) -> Document:
    """The same, unsigned, as of now; what has expired stays expired."""
    former = start_of(document)
    moment = max(now.replace(microsecond=0), former + timedelta(seconds=1))
    end = end_of(document)
    if end is not None and moment >= end:
        moment = max(former, min(former + timedelta(seconds=1), end - timedelta(seconds=1)))
    unsigned = {name: value for name, value in document.items() if name != "proof"}
    return {**unsigned, "validFrom": format_time(moment, "/validFrom")}
