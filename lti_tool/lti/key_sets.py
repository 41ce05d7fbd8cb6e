"""The signing keys of platforms (JWKS), kept as key objects, fetched when a new one appears.

Building a key from its JWK costs more than verifying a signature with it, so keys are kept per
registration. A key id that we do not know makes one request; if that brought nothing, there is none for
:data:`COOL_DOWN_SECONDS`: otherwise anybody could make the tool hammer a platform with made-up ids.
A platform that really has a new key finds it taken at once, however often it changes keys.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import RSAKey

from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import ErrorCode, LaunchRefused, PlatformFailed, ToolError
from lti_tool.lti.observing import NoObserver, Service, ServiceObserver

COOL_DOWN_SECONDS: Final = 30
MAX_AGE_SECONDS: Final = 3600
"""After an hour the set is read again: a key that the platform withdrew stops counting."""
GRACE_SECONDS: Final = 86_400
"""How long known keys serve while the platform's key set cannot be read."""
MIN_KEY_BITS: Final = 2048
MAX_KEY_BITS: Final = 8192
"""Beyond it one signature costs more than a whole launch."""
MAX_KEYS: Final = 50


@dataclass(slots=True)
class _Entry:
    """What is known of one key set."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    keys: dict[str, tuple[RSAKey, ...]] = field(default_factory=dict)
    read_at: datetime | None = None
    disappointed_at: datetime | None = None
    """When a request last failed, or did not bring the key that it was made for."""


class KeySets:
    """Every platform's public keys, shared by all threads of a process.

    :param fetch: reads a JWKS URL under the outgoing HTTP policy; raises a :class:`ToolError`.
    :param clock: aware UTC now.
    :param observer: is told how each reading of a key set went.
    """

    def __init__(
        self,
        fetch: Callable[[str], bytes],
        clock: Callable[[], datetime],
        observer: ServiceObserver | None = None,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._observer = observer or NoObserver()
        self._entries: dict[tuple[str, str], _Entry] = {}
        self._lock = threading.Lock()

    def keys(self, registration: RegistrationView, kid: str) -> tuple[RSAKey, ...]:
        """The keys that the platform publishes under ``kid``.

        More than one where a platform gave two keys one id (SEC §6.3 forbids it): the signature then
        says which was meant.

        :raises LaunchRefused: LAUNCH_KEY_UNKNOWN; LAUNCH_KEYS_UNREACHABLE where no key set could be read.
        """
        entry = self._entry(registration)
        now = self._clock()
        found = entry.keys.get(kid)
        if found and _age(entry.read_at, now) < MAX_AGE_SECONDS:
            return found
        # Whoever holds a key that still serves does not wait for somebody else's request.
        if entry.lock.acquire(blocking=not found):
            try:
                self._refresh(entry, registration, kid)
            finally:
                entry.lock.release()
        if _age(entry.read_at, now) > GRACE_SECONDS:
            raise LaunchRefused(
                ErrorCode.LAUNCH_KEYS_UNREACHABLE, "the platform's key set cannot be read", status=502
            )
        found = entry.keys.get(kid)
        if not found:
            raise LaunchRefused(ErrorCode.LAUNCH_KEY_UNKNOWN, "the platform publishes no such key")
        return found

    def _entry(self, registration: RegistrationView) -> _Entry:
        # The URL is part of the key: a registration that was given another one starts afresh.
        key = (registration.id, registration.jwks_url)
        entry = self._entries.get(key)
        if entry is None:
            with self._lock:
                entry = self._entries.setdefault(key, _Entry())
        return entry

    def _refresh(self, entry: _Entry, registration: RegistrationView, kid: str) -> None:
        """Read the key set, unless that was in vain a moment ago; a broken one never replaces a good one."""
        now = self._clock()
        if kid in entry.keys and _age(entry.read_at, now) < MAX_AGE_SECONDS:
            return  # another thread has just read it
        if _age(entry.disappointed_at, now) < COOL_DOWN_SECONDS:
            return
        try:
            keys = self.read(registration)
        except ToolError:
            keys = {}
        if keys:
            entry.keys, entry.read_at = keys, now
        if kid not in keys:
            entry.disappointed_at = now

    def read(self, registration: RegistrationView) -> dict[str, tuple[RSAKey, ...]]:
        """Ask for a platform's keys now, and tell how that went; what is kept for launches stays as it is.

        :raises PlatformFailed: PLATFORM_ANSWER_INVALID for an answer that holds no usable key.
        :raises ToolError: what ``fetch`` raises.
        """
        failure: ToolError | None = None
        keys: dict[str, tuple[RSAKey, ...]] = {}
        try:
            keys = read_key_set(self._fetch(registration.jwks_url))
            if not keys:
                failure = PlatformFailed(ErrorCode.PLATFORM_ANSWER_INVALID, "no usable key in the key set")
        except ValueError as error:
            failure = PlatformFailed(ErrorCode.PLATFORM_ANSWER_INVALID, str(error))
        except ToolError as error:
            failure = error
        facts = None if failure else {"keys": len(keys)}
        self._observer.note_service(registration.id, None, Service.KEY_SET, failure, facts)
        if failure is not None:
            raise failure
        return keys


def read_key_set(body: bytes) -> dict[str, tuple[RSAKey, ...]]:
    """The keys of a JWKS document that may sign RS256: RSA of 2,048 to 8,192 bits, with a ``kid``.

    :raises ValueError: where it is no JWKS document. Keys that do not qualify are left out.
    """
    try:
        document = msgspec.json.decode(body)
    except (ValueError, RecursionError) as error:
        raise ValueError("the key set is no JSON") from error
    jwks = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(jwks, list):
        raise ValueError("the key set has no keys")
    found: dict[str, tuple[RSAKey, ...]] = {}
    for jwk in jwks[:MAX_KEYS]:
        key = _rsa_key(jwk)
        if key is not None:
            found[jwk["kid"]] = (*found.get(jwk["kid"], ()), key)
    return found


def _rsa_key(jwk: Any) -> RSAKey | None:
    if not isinstance(jwk, dict) or jwk.get("kty") != "RSA" or not isinstance(jwk.get("kid"), str):
        return None
    if jwk.get("use", "sig") != "sig" or jwk.get("alg", "RS256") != "RS256":
        return None
    try:
        # Only the public numbers: what else the document says about the key is of no use here.
        modulus, exponent = _integer(jwk["n"]), _integer(jwk["e"])
        if not MIN_KEY_BITS <= modulus.bit_length() <= MAX_KEY_BITS:
            return None
        return RSAKey.import_key(rsa.RSAPublicNumbers(exponent, modulus).public_key())
    except (KeyError, TypeError, ValueError):
        return None


def _integer(encoded: str) -> int:
    """A Base64urlUInt (RFC 7518 §2)."""
    return int.from_bytes(base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))


def _age(at: datetime | None, now: datetime) -> float:
    return float("inf") if at is None else (now - at).total_seconds()
