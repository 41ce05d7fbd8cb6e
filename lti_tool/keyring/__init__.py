"""The tool's signing keys, as files that only its own user can read.

::

    <keys_dir>/lti/{next,active,retired}/<kid>.pem             RSA 2048: messages to LMSs (RS256)
    <keys_dir>/issuers/<issuer id>/{active,retired}/<kid>.pem  Ed25519: credentials and status lists
    <keys_dir>/issuers/<issuer id>/tokens/{active,retired}/    RSA 2048 or P-256: credentials as tokens
    <keys_dir>/<purpose>/compromised/<kid>.pem                 seen by somebody else: published nowhere

A *purpose* is ``lti``, ``issuers/<issuer id>`` or ``issuers/<issuer id>/tokens``. ``<kid>`` is the RFC 7638
thumbprint of the public key, so a file cannot be mistaken for another key. Folders are 0700, files 0600
PKCS #8, encrypted where a passphrase is configured. A file that others can read, a folder that others can
write to, a link and another user's file are refused rather than used.

A key is published before it signs (``next``) where there is time for it: platforms keep the key set that they
fetched. Rotating makes a new active key and retires the old ones: they sign nothing any more, but stay in the
JWKS and DID documents, so that what they signed still verifies. What the ``lti`` key signs lives for minutes,
so its retired keys are removed after :data:`OVERLAP`; badges live for decades, so an issuer's stay.

Keys are kept in memory and the folders looked at before each use, so that a key which ``lti-tool keys
rotate`` makes is used by a running server at once.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.keyring.keys import (
    RSA_BITS,
    Algorithm,
    KeyState,
    PrivateKey,
    Signer,
    algorithm_of,
    generate,
    own_kind,
    pem,
    thumbprint,
)

__all__ = [
    "LTI",
    "OVERLAP",
    "PUBLISHED_AHEAD",
    "STATES",
    "Algorithm",
    "KeyState",
    "KeyView",
    "Keyring",
    "Signer",
    "Tended",
    "issuer_purpose",
    "thumbprint",
    "token_purpose",
]

LTI: Final = "lti"
"""Purpose of the key pair that LMSs know from ``/lti/jwks.json``."""

STATES: Final[tuple[KeyState, ...]] = ("active", "next", "retired")
"""Of keys whose signatures count, in the order in which they are shown; a compromised key's do not."""
PUBLISHED_AHEAD: Final = timedelta(days=1)
"""How long a key of the schedule is in the JWKS before it signs: every platform has asked for it by then."""
OVERLAP: Final = timedelta(days=14)
"""How long a retired ``lti`` key stays in the JWKS. Its last signature is over within the hour; the rest is
for platforms and caches that stood still meanwhile."""
LARGEST_FILE: Final = 64 * 1024

_ENCRYPTED: Final = b"-----BEGIN ENCRYPTED PRIVATE KEY-----"
_RETIRED: Final = re.compile(rb"\ARetired: ([0-9T:+.-]{20,40})\n")
"""A line before the key (RFC 7468 §2 allows it) that survives copies and backups; a file's times do not."""

_PURPOSE: Final = re.compile(r"lti|issuers/[A-Za-z0-9][A-Za-z0-9_-]{0,99}(/tokens)?")


def issuer_purpose(issuer_id: str) -> str:
    """The purpose of one issuer's keys.

    :raises ConfigurationInvalid: ``key_missing`` for an id that is no plain name.
    """
    return _checked_purpose(f"issuers/{issuer_id}")


def token_purpose(issuer_id: str) -> str:
    """The purpose of the keys of one issuer's VC-JWTs: validators take no Ed25519 there.

    :raises ConfigurationInvalid: ``key_missing`` for an id that is no plain name.
    """
    return _checked_purpose(f"issuers/{issuer_id}/tokens")


@dataclass(frozen=True)
class KeyView:
    """What may be shown of a key."""

    purpose: str
    kid: str
    state: KeyState
    algorithm: Algorithm
    made_at: datetime
    is_encrypted: bool
    """Whether its file asks for a passphrase."""
    retired_at: datetime | None = None
    """Since when it signs nothing; null also where an earlier release did not write it down."""


@dataclass(frozen=True)
class Tended:
    """What a look at one purpose's keys came to; key ids."""

    announced: tuple[str, ...] = ()
    """Made, and published from now on."""
    activated: tuple[str, ...] = ()
    """Sign from now on."""
    removed: tuple[str, ...] = ()
    """Retired long ago, and published no more."""


@dataclass(frozen=True)
class _Loaded:
    """A key file, read and checked."""

    version: tuple[int, int, int]
    key: PrivateKey
    is_encrypted: bool
    retired_at: datetime | None


class Keyring:
    """All keys of one installation. Shared by threads.

    :param keys_dir: made on the first :meth:`generate`.
    :param passphrase: opens encrypted files, and encrypts what is written; without one nothing is encrypted.
    """

    def __init__(self, keys_dir: Path, passphrase: bytes | None = None) -> None:
        self._keys_dir = keys_dir
        self._passphrase = passphrase
        self._lock = threading.Lock()
        self._loaded: dict[Path, dict[Path, _Loaded]] = {}
        """By folder and file; of files that are gone nothing is kept (:meth:`_forget_gone`)."""

    def signer(self, purpose: str, algorithm: Algorithm | None = None) -> Signer:
        """The active key of a purpose, the newest where there are several.

        :param algorithm: of the key, where a purpose has keys of several kinds.
        :raises ConfigurationInvalid: ``key_missing``, ``key_file_exposed``, ``key_passphrase_missing``,
            ``key_passphrase_wrong``; so do all methods that read keys.
        """
        active = self._active(purpose, algorithm)
        if not active:
            raise ConfigurationInvalid(ErrorCode.KEY_MISSING, f"no active key for {purpose}", purpose=purpose)
        return active[0]

    def verification_keys(self, purpose: str) -> tuple[Signer, ...]:
        """Every key whose signatures count: the active ones, those to come, the retired; each newest first.

        :raises ConfigurationInvalid: ``key_file_exposed``.
        """
        return self._trusted(purpose, STATES)

    def jwks(self, purpose: str = LTI) -> dict[str, list[dict[str, str]]]:
        """The JWK Set to publish (RFC 7517 §5): active, coming and retired keys.

        :raises ConfigurationInvalid: ``key_file_exposed``.
        """
        return {"keys": [signer.public_jwk() for signer in self.verification_keys(purpose)]}

    def _active(self, purpose: str, algorithm: Algorithm | None) -> tuple[Signer, ...]:
        active = self._trusted(purpose, ("active",))
        return tuple(one for one in active if algorithm is None or one.algorithm == algorithm)

    def _trusted(self, purpose: str, states: tuple[KeyState, ...]) -> tuple[Signer, ...]:
        """Without compromised keys of which a copy is left: by a process that died while it moved one, by one
        that retired it at that moment, by a back-up that was put back."""
        given_up = {signer.kid for signer in self._signers(purpose, ("compromised",))}
        return tuple(one for one in self._signers(purpose, states) if one.kid not in given_up)

    def generate(self, purpose: str, algorithm: Algorithm | None = None) -> KeyView:
        """Make an active key; those that exist stay as they are.

        :param algorithm: of the key, where the purpose allows several; the first of them unless given.
        :raises ConfigurationInvalid: ``key_missing`` where the purpose is none, or signs otherwise.
        """
        return self._make(purpose, "active", algorithm=algorithm)

    def _make(
        self,
        purpose: str,
        state: KeyState,
        now: datetime | None = None,
        algorithm: Algorithm | None = None,
    ) -> KeyView:
        purpose = _checked_purpose(purpose)
        allowed = _algorithms(purpose)
        if algorithm is not None and algorithm not in allowed:
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{purpose} does not sign with {algorithm}", purpose=purpose
            )
        key = generate(algorithm or allowed[0])
        signer = Signer(purpose, thumbprint(key), state, key)
        self._write(signer, state, at=None if now is None else int(now.timestamp()) * 10**9)
        return self._view(signer)

    def ensure(self, purpose: str, algorithm: Algorithm | None = None) -> KeyView:
        """The active key of a purpose, made if there is none; repeating it changes nothing.

        :param algorithm: as of :meth:`generate`.
        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        active = self._active(purpose, algorithm)
        return self._view(active[0]) if active else self.generate(purpose, algorithm)

    def rotate(self, purpose: str, now: datetime) -> KeyView:
        """Make a new active key, then retire the ones before it; at no moment is there none.

        A key that was announced is thrown away: whoever may have seen the active one may have seen it too.

        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        before = self._signers(purpose, ("active",))
        made = self.generate(purpose, before[0].algorithm if before else None)
        self._retire(before, now)
        for signer in self._signers(purpose, ("next",)):
            self._unlink(self._path(signer))
        return made

    def compromise(self, purpose: str, kid: str, now: datetime) -> KeyView:
        """Trust a key that somebody else has seen no more: from here on nothing it signed verifies.

        Where it is the one that signs, a new one is made first. Repeating it changes nothing.

        :returns: the key that signs from now on.
        :raises ConfigurationInvalid: ``key_missing`` where there is no such key; ``key_file_exposed``.
        """
        found = [one for one in self._signers(purpose, (*STATES, "compromised")) if one.kid == kid]
        if not found:
            raise ConfigurationInvalid(ErrorCode.KEY_MISSING, f"no key {kid} of {purpose}", purpose=purpose)
        if found[0].state == "active":
            self.rotate(purpose, now)
        for signer in self._signers(purpose, STATES):
            if signer.kid == kid:
                self._move(signer, "compromised", retired_at=self._load(self._path(signer)).retired_at or now)
        return self.ensure(purpose)

    def announce(self, purpose: str, now: datetime) -> KeyView:
        """The key that :meth:`tend` lets sign once it was published for :data:`PUBLISHED_AHEAD`; made unless
        there is one already.

        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        coming = self._signers(purpose, ("next",))
        return self._view(coming[0]) if coming else self._make(purpose, "next", now)

    def tend(self, purpose: str, now: datetime, every: timedelta | None = None) -> Tended:
        """Announce, activate and remove what is due; repeating it changes nothing. One process at a time.

        :param every: how old the newest key gets before the next one is made; ``None``: rotated by hand.
        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        active, coming = self.of(purpose, ("active",)), self.of(purpose, ("next",))
        announced: tuple[str, ...] = ()
        if every is not None and active and not coming and active[0].made_at + every <= now:
            announced = (self.announce(purpose, now).kid,)
        ripe = [view.kid for view in coming if view.made_at + PUBLISHED_AHEAD <= now][:1]
        for signer in self._signers(purpose, ("next",)):
            if signer.kid in ripe:
                before = self._signers(purpose, ("active",))
                self._move(signer, "active")
                self._retire(before, now)
        return Tended(announced, tuple(ripe), self._remove_retired(purpose, now))

    def _remove_retired(self, purpose: str, now: datetime) -> tuple[str, ...]:
        if purpose != LTI:
            return ()
        removed = []
        for signer in self._signers(purpose, ("retired",)):
            path = self._path(signer)
            retired_at = self._load(path).retired_at
            if retired_at is None:  # by a release that did not write it down: its time begins now
                self._move(signer, "retired", retired_at=now)
            elif retired_at + OVERLAP <= now:
                self._unlink(path)
                removed.append(signer.kid)
        return tuple(removed)

    def rewrite(self, *, encrypted: bool) -> tuple[KeyView, ...]:
        """Write every key anew, with or without encryption; those that are so already stay as they are.

        :returns: the keys that were written.
        :raises ConfigurationInvalid: ``key_passphrase_missing`` where there is none to encrypt with;
            ``key_file_exposed``, ``key_passphrase_wrong``: then nothing was written.
        """
        if encrypted and self._passphrase is None:
            raise ConfigurationInvalid(ErrorCode.KEY_PASSPHRASE_MISSING, "no passphrase to encrypt keys with")
        changed = [view for view in self.list() if view.is_encrypted != encrypted]
        for view in changed:
            for signer in self._signers(view.purpose, (view.state,)):
                if signer.kid == view.kid:
                    kept = self._load(self._path(signer)).retired_at
                    self._move(signer, view.state, retired_at=kept, encrypted=encrypted)
        return tuple(replace(view, is_encrypted=encrypted) for view in changed)

    def list(self) -> tuple[KeyView, ...]:
        """Every key of every purpose, also those that are compromised.

        :raises ConfigurationInvalid: ``key_file_exposed``.
        """
        issuers = self._keys_dir / "issuers"
        purposes = [LTI] if (self._keys_dir / LTI).is_dir() else []
        if issuers.is_dir():
            names = sorted(entry.name for entry in issuers.iterdir() if entry.is_dir())
            for name in names:
                if _PURPOSE.fullmatch(f"issuers/{name}"):
                    purposes.append(f"issuers/{name}")
                    if (issuers / name / "tokens").is_dir():
                        purposes.append(token_purpose(name))
        every = (*STATES, "compromised")
        return tuple(self._view(signer) for purpose in purposes for signer in self._signers(purpose, every))

    def of(self, purpose: str, states: tuple[KeyState, ...] = STATES) -> tuple[KeyView, ...]:
        """The keys of one purpose: the active ones, those to come, the retired; each newest first.

        :raises ConfigurationInvalid: ``key_file_exposed``; ``key_missing`` where the purpose is none.
        """
        return tuple(self._view(signer) for signer in self._signers(purpose, states))

    def _folder(self, purpose: str, state: KeyState) -> Path:
        return self._keys_dir / purpose / state

    def _path(self, signer: Signer) -> Path:
        return self._folder(signer.purpose, signer.state) / f"{signer.kid}.pem"

    def _view(self, signer: Signer) -> KeyView:
        path = self._path(signer)
        made_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        loaded = self._load(path)
        return KeyView(
            signer.purpose,
            signer.kid,
            signer.state,
            signer.algorithm,
            made_at,
            loaded.is_encrypted,
            loaded.retired_at,
        )

    def _retire(self, signers: Iterable[Signer], now: datetime) -> None:
        for signer in signers:
            with contextlib.suppress(FileNotFoundError):  # another rotation retired it meanwhile
                self._move(signer, "retired", retired_at=now)

    def _move(
        self,
        signer: Signer,
        state: KeyState,
        *,
        retired_at: datetime | None = None,
        encrypted: bool | None = None,
    ) -> None:
        """Write a key into another folder (or anew into its own), then remove the file that it was in.

        Whoever looks meanwhile finds it twice, never not at all.
        """
        path = self._path(signer)
        written_at = path.stat().st_mtime_ns
        self._write(signer, state, at=written_at, retired_at=retired_at, encrypted=encrypted)
        if state != signer.state:
            self._unlink(path)

    def _write(
        self,
        signer: Signer,
        state: KeyState,
        *,
        at: int | None = None,
        retired_at: datetime | None = None,
        encrypted: bool | None = None,
    ) -> None:
        """A key's file, encrypted where there is a passphrase unless ``encrypted`` says otherwise."""
        passphrase = None if encrypted is False else self._passphrase
        content = pem(signer.private_key, passphrase)
        if retired_at is not None:
            content = f"Retired: {retired_at.isoformat(timespec='seconds')}\n".encode() + content
        path = self._folder(signer.purpose, state) / f"{signer.kid}.pem"
        _make_private_folders(self._keys_dir, path.parent)
        _write_private_file(path, content, self._keys_dir, at)

    def _signers(self, purpose: str, states: tuple[KeyState, ...]) -> tuple[Signer, ...]:
        purpose = _checked_purpose(purpose)
        found: dict[str, Signer] = {}
        self._check_folders(self._keys_dir, *(self._keys_dir / part for part in _parts(purpose)))
        for state in states:
            folder = self._folder(purpose, state)
            self._check_folders(folder)
            entries: list[tuple[int, Path]] = []
            with contextlib.suppress(FileNotFoundError, NotADirectoryError):
                for entry in os.scandir(folder):
                    if entry.name.endswith(".pem") and not entry.name.startswith("."):
                        with contextlib.suppress(FileNotFoundError):  # retired between listing and looking
                            status = entry.stat(follow_symlinks=False)
                            entries.append((status.st_mtime_ns, Path(entry.path)))
            self._forget_gone(folder, {path for _, path in entries})
            for _, path in sorted(entries, reverse=True):
                with contextlib.suppress(FileNotFoundError):
                    found.setdefault(path.stem, Signer(purpose, path.stem, state, self._load(path).key))
        return tuple(found.values())

    def _unlink(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with self._lock:
            self._loaded.get(path.parent, {}).pop(path, None)

    def _forget_gone(self, folder: Path, left: set[Path]) -> None:
        """A key that was retired, removed or given up is not to be found in memory where it was used."""
        with self._lock:
            loaded = self._loaded.get(folder, {})
            for path in loaded.keys() - left:
                del loaded[path]

    def _check_folders(self, *folders: Path) -> None:
        """Whoever can write to a folder can put a key of their own there, which the tool would sign with."""
        for folder in folders:
            try:
                # Where the keys are may be a link, which the operator made; below it there is none.
                status = folder.stat() if folder == self._keys_dir else folder.lstat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            if stat.S_ISLNK(status.st_mode):
                raise _exposed(folder, "is a link: put the folder itself there")
            if stat.S_IMODE(status.st_mode) & 0o022:
                raise _exposed(folder, "can be written to by others: chmod 700 it")
            self._check_owner(folder, status)

    def _check_owner(self, path: Path, status: os.stat_result) -> None:
        """This user's own, or root's; root itself works on the files of whom the folder belongs to."""
        own = os.geteuid()
        trusted = {own, 0} if own else {0, self._keys_dir.stat().st_uid}
        if status.st_uid not in trusted:
            raise _exposed(path, "belongs to another user, who can read and change it")

    def _check_file(self, path: Path, status: os.stat_result) -> None:
        if not stat.S_ISREG(status.st_mode):
            raise _exposed(path, "is a link or no file: put the file itself there")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise _exposed(path, "can be read by others: chmod 600 it, and rotate if somebody may have")
        self._check_owner(path, status)

    def _load(self, path: Path) -> _Loaded:
        """A key from memory if its file is the same as before, else from the file, checked."""
        status = path.lstat()
        self._check_file(path, status)
        with self._lock:
            loaded = self._loaded.get(path.parent, {}).get(path)
        if loaded is not None and loaded.version == _version(status):
            return loaded
        try:
            with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
                status = os.fstat(file.fileno())
                self._check_file(path, status)  # it may be another by now
                content = file.read(LARGEST_FILE)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{path} cannot be read: {type(error).__name__}", path=str(path)
            ) from None
        purpose = path.relative_to(self._keys_dir).parent.parent.as_posix()
        key = _required(purpose, self._opened(path, content), path)
        if isinstance(key, rsa.RSAPrivateKey) and key.key_size < RSA_BITS:
            raise ConfigurationInvalid(ErrorCode.KEY_MISSING, f"{path} is too short", path=str(path))
        if thumbprint(key) != path.stem:
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{path} is named after another key", path=str(path)
            )
        loaded = _Loaded(_version(status), key, _ENCRYPTED in content, _retired_at(content))
        with self._lock:
            self._loaded.setdefault(path.parent, {})[path] = loaded
        return loaded

    def _opened(self, path: Path, content: bytes) -> object:
        is_encrypted = _ENCRYPTED in content
        if is_encrypted and self._passphrase is None:
            raise ConfigurationInvalid(
                ErrorCode.KEY_PASSPHRASE_MISSING, f"{path} is encrypted", path=str(path)
            )
        try:
            return serialization.load_pem_private_key(
                content, password=self._passphrase if is_encrypted else None
            )
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            if is_encrypted:
                raise ConfigurationInvalid(
                    ErrorCode.KEY_PASSPHRASE_WRONG, f"the passphrase does not open {path}", path=str(path)
                ) from None
            raise ConfigurationInvalid(
                ErrorCode.KEY_MISSING, f"{path} is no private key: {type(error).__name__}", path=str(path)
            ) from None


def _retired_at(content: bytes) -> datetime | None:
    found = _RETIRED.match(content)
    try:
        return datetime.fromisoformat(found[1].decode()).astimezone(UTC) if found else None
    except ValueError:
        return None


def _version(status: os.stat_result) -> tuple[int, int, int]:
    return status.st_ino, status.st_mtime_ns, status.st_ctime_ns


def _exposed(path: Path, what: str) -> ConfigurationInvalid:
    return ConfigurationInvalid(ErrorCode.KEY_FILE_EXPOSED, f"{path} {what}", path=str(path))


def _parts(purpose: str) -> tuple[str, ...]:
    """The folders of a purpose: ``issuers``, ``issuers/1`` and ``issuers/1/tokens``."""
    names = purpose.split("/")
    return tuple("/".join(names[: count + 1]) for count in range(len(names)))


def _algorithms(purpose: str) -> tuple[Algorithm, ...]:
    """What the keys of a purpose may sign with; the first where nobody chooses."""
    if purpose == LTI:
        return ("RS256",)
    return ("RS256", "ES256") if purpose.endswith("/tokens") and purpose.count("/") == 2 else ("EdDSA",)


def _required(purpose: str, key: object, path: Path) -> PrivateKey:
    """``key``, where it is of a kind that the purpose signs with."""
    known = own_kind(key)
    if known is None or algorithm_of(known) not in _algorithms(purpose):
        raise ConfigurationInvalid(
            ErrorCode.KEY_MISSING, f"{path} is of the wrong kind for its purpose", path=str(path)
        )
    return known


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
        if path != keys_dir:
            _give_to_owner(path, keys_dir)


def _write_private_file(path: Path, content: bytes, keys_dir: Path, at: int | None) -> None:
    """Write whole or not at all, never readable by others, not even for a moment.

    :param at: when the file was written, in nanoseconds, where that is another's time.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        _give_to_owner(fresh, keys_dir)
        if at is not None:
            os.utime(fresh, ns=(at, at))
        fresh.rename(path)
    finally:
        fresh.unlink(missing_ok=True)


def _give_to_owner(path: Path, keys_dir: Path) -> None:
    """What root makes for another user's installation is that user's, who could not read it otherwise."""
    owner = keys_dir.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.chown(path, owner.st_uid, owner.st_gid)
