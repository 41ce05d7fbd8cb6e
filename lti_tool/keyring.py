"""The tool's signing keys, as files that only its own user can read.

::

    <keys_dir>/lti/{active,retired}/<kid>.pem                  RSA 2048: messages to LMSs (RS256)
    <keys_dir>/issuers/<issuer id>/{active,retired}/<kid>.pem  Ed25519: credentials and status lists

A *purpose* is ``lti`` or ``issuers/<issuer id>``. ``<kid>`` is the RFC 7638 thumbprint of the public key, so
a file cannot be mistaken for another key. Folders are 0700, files 0600 and unencrypted PKCS #8; a file that
others can read is refused rather than used. Rotating makes a new active key and retires the old ones: they
sign nothing any more, but stay in the JWKS and DID documents, so that what they signed still verifies.

Keys are kept in memory and the folders looked at before each use, so that a key which ``lti-tool keys
rotate`` makes is used by a running server at once.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import re
import secrets
import stat
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from lti_tool.errors import ConfigurationInvalid, ErrorCode

LTI: Final = "lti"
"""Purpose of the key pair that LMSs know from ``/lti/jwks.json``."""

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey
KeyState = Literal["active", "retired"]
STATES: Final[tuple[KeyState, ...]] = ("active", "retired")
RSA_BITS: Final = 2048
"""What RS256 asks for at least (RFC 7518 §3.3)."""

_PURPOSE: Final = re.compile(r"lti|issuers/[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


def issuer_purpose(issuer_id: str) -> str:
    """The purpose of one issuer's keys.

    :raises ConfigurationInvalid: ``key_missing`` for an id that is no plain name.
    """
    return _checked_purpose(f"issuers/{issuer_id}")


@dataclass(frozen=True)
class KeyView:
    """What may be shown of a key."""

    purpose: str
    kid: str
    state: KeyState
    algorithm: Literal["RS256", "EdDSA"]
    made_at: datetime


@dataclass(frozen=True)
class Signer:
    """A private key in use, and what others need to check its signatures.

    :ivar kid: RFC 7638 thumbprint.
    :ivar private_key: for libraries that sign themselves.
    """

    purpose: str
    kid: str
    state: KeyState
    private_key: PrivateKey

    @property
    def algorithm(self) -> Literal["RS256", "EdDSA"]:
        """The JWA name."""
        return "RS256" if isinstance(self.private_key, rsa.RSAPrivateKey) else "EdDSA"

    @property
    def public_key(self) -> rsa.RSAPublicKey | ed25519.Ed25519PublicKey:
        """The verification key."""
        return self.private_key.public_key()

    @property
    def raw_public_key(self) -> bytes:
        """The 32 bytes of an Ed25519 public key, as a Multikey wants them.

        :raises TypeError: for the RSA key, which has no raw form.
        """
        if not isinstance(self.private_key, ed25519.Ed25519PrivateKey):
            raise TypeError("only Ed25519 keys have a raw form")
        return self.private_key.public_key().public_bytes_raw()

    @property
    def private_pem(self) -> str:
        """PKCS #8, for libraries that take text only."""
        return _pem(self.private_key).decode("ascii")

    def public_jwk(self) -> dict[str, str]:
        """The public key as a JWK (RFC 7517), with ``kid``, ``alg`` and ``use``."""
        return {**_thumbprint_members(self.private_key), "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, message: bytes) -> bytes:
        """Sign with RSASSA-PKCS1-v1_5 and SHA-256, or with pure Ed25519 (RFC 8032)."""
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        return self.private_key.sign(message)


class Keyring:
    """All keys of one installation. Shared by threads.

    :param keys_dir: made on the first :meth:`generate`.
    """

    def __init__(self, keys_dir: Path) -> None:
        self._keys_dir = keys_dir
        self._lock = threading.Lock()
        self._loaded: dict[Path, tuple[tuple[int, int, int], PrivateKey]] = {}

    def signer(self, purpose: str) -> Signer:
        """The active key of a purpose, the newest where there are several.

        :raises ConfigurationInvalid: ``key_missing``, ``key_file_exposed``.
        """
        active = self._signers(purpose, ("active",))
        if not active:
            raise ConfigurationInvalid(ErrorCode.KEY_MISSING, f"no active key for {purpose}", purpose=purpose)
        return active[0]

    def verification_keys(self, purpose: str) -> tuple[Signer, ...]:
        """Every key whose signatures still count: the active ones first, then the retired, newest first.

        :raises ConfigurationInvalid: ``key_file_exposed``.
        """
        return self._signers(purpose, STATES)

    def jwks(self, purpose: str = LTI) -> dict[str, list[dict[str, str]]]:
        """The JWK Set to publish (RFC 7517 §5): active and retired keys.

        :raises ConfigurationInvalid: ``key_file_exposed``.
        """
        return {"keys": [signer.public_jwk() for signer in self.verification_keys(purpose)]}

    def generate(self, purpose: str) -> KeyView:
        """Make an active key; those that exist stay as they are.

        :raises ConfigurationInvalid: ``key_missing`` where the purpose is none.
        """
        purpose = _checked_purpose(purpose)
        key: PrivateKey
        if purpose == LTI:
            key = rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
        else:
            key = ed25519.Ed25519PrivateKey.generate()
        kid = thumbprint(key)
        path = self._folder(purpose, "active") / f"{kid}.pem"
        _make_private_folders(self._keys_dir, path.parent)
        _write_private_file(path, _pem(key))
        return self._view(Signer(purpose, kid, "active", key))

    def ensure(self, purpose: str) -> KeyView:
        """The active key of a purpose, made if there is none; repeating it changes nothing.

        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        active = self._signers(purpose, ("active",))
        return self._view(active[0]) if active else self.generate(purpose)

    def rotate(self, purpose: str) -> KeyView:
        """Make a new active key, then retire the ones before it; at no moment is there none.

        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        before = self._signers(purpose, ("active",))
        made = self.generate(purpose)
        for signer in before:
            retired = self._folder(purpose, "retired") / f"{signer.kid}.pem"
            _make_private_folders(self._keys_dir, retired.parent)
            with contextlib.suppress(FileNotFoundError):  # another rotation retired it meanwhile
                (self._folder(purpose, "active") / retired.name).rename(retired)
        return made

    def list(self) -> tuple[KeyView, ...]:
        """Every key of every purpose.

        :raises ConfigurationInvalid: ``key_file_exposed``.
        """
        issuers = self._keys_dir / "issuers"
        purposes = [LTI] if (self._keys_dir / LTI).is_dir() else []
        if issuers.is_dir():
            names = sorted(entry.name for entry in issuers.iterdir() if entry.is_dir())
            purposes += [f"issuers/{name}" for name in names if _PURPOSE.fullmatch(f"issuers/{name}")]
        return tuple(self._view(signer) for purpose in purposes for signer in self.verification_keys(purpose))

    def of(self, purpose: str) -> tuple[KeyView, ...]:
        """Every key of one purpose: the active ones first, then the retired, newest first.

        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        return tuple(self._view(signer) for signer in self.verification_keys(purpose))

    def _folder(self, purpose: str, state: KeyState) -> Path:
        return self._keys_dir / purpose / state

    def _view(self, signer: Signer) -> KeyView:
        written = (self._folder(signer.purpose, signer.state) / f"{signer.kid}.pem").stat().st_mtime
        made_at = datetime.fromtimestamp(written, UTC)
        return KeyView(signer.purpose, signer.kid, signer.state, signer.algorithm, made_at)

    def _signers(self, purpose: str, states: tuple[KeyState, ...]) -> tuple[Signer, ...]:
        purpose = _checked_purpose(purpose)
        found: dict[str, Signer] = {}
        for state in states:
            entries: list[tuple[int, Path]] = []
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for entry in os.scandir(self._folder(purpose, state)):
                    if entry.name.endswith(".pem") and not entry.name.startswith("."):
                        with contextlib.suppress(FileNotFoundError):  # retired between listing and looking
                            entries.append((entry.stat().st_mtime_ns, Path(entry.path)))
            for _, path in sorted(entries, reverse=True):
                with contextlib.suppress(FileNotFoundError):
                    found.setdefault(path.stem, Signer(purpose, path.stem, state, self._load(path)))
        return tuple(found.values())

    def _load(self, path: Path) -> PrivateKey:
        """A key from memory if its file is the same as before, else from the file, checked."""
        state = path.stat()
        if stat.S_IMODE(state.st_mode) & 0o077:
            raise ConfigurationInvalid(
                ErrorCode.KEY_FILE_EXPOSED,
                f"{path} can be read by others: chmod 600 it, and rotate if somebody may have",
                path=str(path),
            )
        version = (state.st_ino, state.st_mtime_ns, state.st_size)
        with self._lock:
            loaded = self._loaded.get(path)
        if loaded is not None and loaded[0] == version:
            return loaded[1]
        try:
            key = serialization.load_pem_private_key(path.read_bytes(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{path} is no private key: {type(error).__name__}", path=str(path)
            ) from None
        wanted = rsa.RSAPrivateKey if path.is_relative_to(self._keys_dir / LTI) else ed25519.Ed25519PrivateKey
        if not isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) or not isinstance(key, wanted):
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{path} is of the wrong kind for its purpose", path=str(path)
            )
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS:
            raise ConfigurationInvalid(ErrorCode.KEY_MISSING, f"{path} is too short", path=str(path))
        if thumbprint(key) != path.stem:
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{path} is named after another key", path=str(path)
            )
        with self._lock:
            self._loaded[path] = (version, key)
        return key


def thumbprint(key: PrivateKey) -> str:
    """RFC 7638 thumbprint of the public key, SHA-256, base64url."""
    members = json.dumps(_thumbprint_members(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(members.encode("ascii")).digest())


def _thumbprint_members(key: PrivateKey) -> dict[str, str]:
    """The required members of the public JWK (RFC 7638 §3.2; RFC 8037 §2 for Ed25519)."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"e": _base64url_integer(numbers.e), "kty": "RSA", "n": _base64url_integer(numbers.n)}
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(key.public_key().public_bytes_raw())}


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _base64url_integer(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _pem(key: PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _checked_purpose(purpose: str) -> str:
    if not _PURPOSE.fullmatch(purpose):
        raise ConfigurationInvalid(ErrorCode.KEY_MISSING, f"no such purpose: {purpose!r}", purpose=purpose)
    return purpose


def _make_private_folders(keys_dir: Path, folder: Path) -> None:
    """Make `folder` and those above it up to `keys_dir`, for this user alone."""
    missing = [
        path for path in (folder, *folder.parents) if path.is_relative_to(keys_dir) and not path.exists()
    ]
    keys_dir.parent.mkdir(parents=True, exist_ok=True)
    for path in reversed(missing):
        path.mkdir(mode=0o700, exist_ok=True)


def _write_private_file(path: Path, content: bytes) -> None:
    """Write whole or not at all, never readable by others, not even for a moment."""
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)
