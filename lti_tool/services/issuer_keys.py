"""What may be shown of an issuer's keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from lti_tool.errors import ConfigurationInvalid
from lti_tool.keyring import KeyState, KeyView, issuer_purpose

SHOWN: Final[tuple[KeyState, ...]] = ("active", "retired", "compromised")
"""States of issuers' keys: none is announced."""


class KeyViews(Protocol):
    """What may be shown of keys, as the keyring gives it."""

    def of(self, purpose: str, states: tuple[KeyState, ...], /) -> Sequence[KeyView]:
        """The keys of a purpose that are in these states, in their order."""


@dataclass(frozen=True, slots=True)
class IssuerKey:
    """A public key of an issuer."""

    kid: str
    state: KeyState
    made_at: datetime
    retired_at: datetime | None
    """Since when it signs nothing; of keys that an earlier release retired, when the next one was made."""


def keys_of(keys: KeyViews, issuer_id: str) -> tuple[IssuerKey, ...] | None:
    """The keys with which an issuer signs badges, or did; None where a key file is unusable: the operator's
    log says which."""
    try:
        return dated(keys.of(issuer_purpose(issuer_id), SHOWN))
    except ConfigurationInvalid:
        return None


def dated(keys: Sequence[KeyView]) -> tuple[IssuerKey, ...]:
    """Keys with the time of their retirement: as it was written down, else when the next one was made."""
    made = sorted(key.made_at for key in keys)
    return tuple(
        IssuerKey(
            key.kid,
            key.state,
            key.made_at,
            None
            if key.state == "active"
            else key.retired_at or next((at for at in made if at > key.made_at), None),
        )
        for key in keys
    )
