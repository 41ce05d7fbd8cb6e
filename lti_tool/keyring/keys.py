"""Kinds of keys: what each signs with, and how its public part is written."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from nacl.bindings import crypto_sign, crypto_sign_BYTES

PrivateKey = rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey
PublicKey = rsa.RSAPublicKey | ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey
Algorithm = Literal["RS256", "ES256", "EdDSA"]
KeyState = Literal["next", "active", "retired", "compromised"]
RSA_BITS: Final = 2048
"""What RS256 asks for at least (RFC 7518 §3.3)."""
_P256_OCTETS: Final = 32


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
    def algorithm(self) -> Algorithm:
        """The JWA name."""
        return algorithm_of(self.private_key)

    @property
    def public_key(self) -> PublicKey:
        """The verification key."""
        return self.private_key.public_key()

    @property
    def raw_public_key(self) -> bytes:
        """The 32 bytes of an Ed25519 public key, as a Multikey wants them.

        :raises TypeError: for other keys, which have no raw form.
        """
        if not isinstance(self.private_key, ed25519.Ed25519PrivateKey):
            raise TypeError("only Ed25519 keys have a raw form")
        return self.private_key.public_key().public_bytes_raw()

    @property
    def private_pem(self) -> str:
        """PKCS #8, for libraries that take text only."""
        return pem(self.private_key).decode("ascii")

    def public_jwk(self) -> dict[str, str]:
        """The public key as a JWK (RFC 7517), with ``kid``, ``alg`` and ``use``."""
        return {**_thumbprint_members(self.private_key), "kid": self.kid, "alg": self.algorithm, "use": "sig"}

    def sign(self, message: bytes) -> bytes:
        """Sign with RSASSA-PKCS1-v1_5 and SHA-256, with ECDSA on P-256 and SHA-256 as a JWS writes it
        (RFC 7518 §3.4), or with pure Ed25519 (RFC 8032). Equal messages get equal signatures (ECDSA: RFC
        6979).
        """
        if isinstance(self.private_key, rsa.RSAPrivateKey):
            return self.private_key.sign(message, padding.PKCS1v15(), hashes.SHA256())
        if isinstance(self.private_key, ec.EllipticCurvePrivateKey):
            signed = self.private_key.sign(message, ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
            return b"".join(part.to_bytes(_P256_OCTETS, "big") for part in decode_dss_signature(signed))
        return self._sign_ed25519(message)

    @cached_property
    def _sign_ed25519(self) -> Callable[[bytes], bytes]:
        """Made once, lives as long as this signer, which no cache keeps (a lookup makes a new one)."""
        if not isinstance(self.private_key, ed25519.Ed25519PrivateKey):
            raise TypeError("not an Ed25519 key")
        return _ed25519_by_libsodium(self.private_key)


def _ed25519_by_libsodium(key: ed25519.Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    """``key.sign``, the same bytes (RFC 8032 §5.1.6 leaves no choice) in two thirds of OpenSSL's time.

    The secret is in the function's closure alone: no ``repr`` and no dump of attributes shows it.
    """
    # seed, then the public key that belongs to it: another one's would give the seed away
    secret = key.private_bytes_raw() + key.public_key().public_bytes_raw()

    def sign(message: bytes) -> bytes:
        return crypto_sign(message, secret)[:crypto_sign_BYTES]

    return sign


def generate(algorithm: Algorithm) -> PrivateKey:
    """A fresh key."""
    if algorithm == "RS256":
        return rsa.generate_private_key(public_exponent=65537, key_size=RSA_BITS)
    if algorithm == "ES256":
        return ec.generate_private_key(ec.SECP256R1())
    return ed25519.Ed25519PrivateKey.generate()


def own_kind(key: object) -> PrivateKey | None:
    """``key``, if it is of a kind that this tool signs with."""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return key if isinstance(key.curve, ec.SECP256R1) else None
    return key if isinstance(key, rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey) else None


def algorithm_of(key: PrivateKey) -> Algorithm:
    """What a key signs with (JWA)."""
    if isinstance(key, rsa.RSAPrivateKey):
        return "RS256"
    return "ES256" if isinstance(key, ec.EllipticCurvePrivateKey) else "EdDSA"


def thumbprint(key: PrivateKey) -> str:
    """RFC 7638 thumbprint of the public key, SHA-256, base64url."""
    members = json.dumps(_thumbprint_members(key), sort_keys=True, separators=(",", ":"))
    return _base64url(hashlib.sha256(members.encode("ascii")).digest())


def pem(key: PrivateKey, passphrase: bytes | None = None) -> bytes:
    """PKCS #8. With a passphrase PBES2: AES-256, a key derived by PBKDF2 in few rounds, which is why the
    passphrase has to be long (``settings.py``)."""
    encryption = (
        serialization.NoEncryption()
        if passphrase is None
        else serialization.BestAvailableEncryption(passphrase)
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def _thumbprint_members(key: PrivateKey) -> dict[str, str]:
    """The required members of the public JWK (RFC 7638 §3.2; RFC 8037 §2 for Ed25519)."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"e": _base64url_integer(numbers.e), "kty": "RSA", "n": _base64url_integer(numbers.n)}
    if isinstance(key, ec.EllipticCurvePrivateKey):
        point = key.public_key().public_numbers()
        x, y = (_base64url(number.to_bytes(_P256_OCTETS, "big")) for number in (point.x, point.y))
        return {"crv": "P-256", "kty": "EC", "x": x, "y": y}
    return {"crv": "Ed25519", "kty": "OKP", "x": _base64url(key.public_key().public_bytes_raw())}


def _base64url(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def _base64url_integer(number: int) -> str:
    return _base64url(number.to_bytes((number.bit_length() + 7) // 8, "big"))
