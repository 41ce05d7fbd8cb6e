"""Signing anew what is signed already: the same badge under the same id, as of now.

``validFrom`` moves forward, which makes the new text the current one of the two (Open Badges 3.0, equality
and comparison). Whoever works through many keeps the texts with :func:`lti_tool.store.reissues.replace`,
which leaves alone what somebody else has signed meanwhile.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from lti_tool.credentials.documents import format_time
from lti_tool.credentials.signing import Signer, sign_credential
from lti_tool.errors import CredentialInvalid
from lti_tool.services.addresses import PublicUrls
from lti_tool.store.reissues import Renewed, Signed

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


def sign_anew(
    keys: ActiveKeys,
    urls: PublicUrls,
    rows: Iterable[Signed],
    change: Callable[[Document], Document | None],
    now: datetime,
) -> SignedAnew:
    """Sign texts anew with their issuers' active keys; nothing is stored.

    :param change: what each is to say; it stays as it is where that is ``None``.
    :raises ConfigurationInvalid: ``key_…`` where a key cannot be used.
    """
    signers: dict[str, Signer] = {}
    found = SignedAnew()
    for row in rows:
        document = change(json.loads(row.document))
        if document is None:
            continue
        if row.issuer_id not in signers:
            signers[row.issuer_id] = keys.signer(row.issuer_id, urls.did(row.issuer_id))
        try:
            text = sign_credential(later(document, now), signers[row.issuer_id], now).text
        except CredentialInvalid as error:
            found.refused[row.id] = error
        else:
            found.renewed.append(Renewed(row.id, row.document, text, end_of(document)))
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
