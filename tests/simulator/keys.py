"""The platform's signing keys and the JWS it makes with them, good ones and, for attacks, bad ones."""

import base64
import functools
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa


@functools.cache
def rsa_key(purpose: str) -> rsa.RSAPrivateKey:
    """A 2,048-bit key for `purpose`, made once per process: making keys would dominate the tests' time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def b64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def b64url_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def public_pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def key_id(key: rsa.RSAPrivateKey) -> str:
    """Twenty hexadecimal digits, as Moodle's key ids are."""
    return hashlib.sha256(public_pem(key)).hexdigest()[:20]


def public_jwk(key: rsa.RSAPrivateKey, kid: str | None = None) -> dict[str, str]:
    """The public JWK with the members Moodle publishes."""
    numbers = key.public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    return {
        "kty": "RSA",
        "alg": "RS256",
        "kid": kid or key_id(key),
        "e": b64url(numbers.e.to_bytes(3, "big")),
        "n": b64url(numbers.n.to_bytes(size, "big")),
        "use": "sig",
    }


def signing_input(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    encode = functools.partial(json.dumps, separators=(",", ":"))
    return b64url(encode(header).encode()) + "." + b64url(encode(claims).encode())


def sign_rs256(key: rsa.RSAPrivateKey, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """A compact JWS over exactly this header (nothing added, so that a forger can leave things out)."""
    text = signing_input(header, claims)
    return text + "." + b64url(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))


class PlatformKeys:
    """The keys of one site: `current` signs, all of `published` stand in the key set."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._generation = 0
        self.current = self._make()
        self.published: list[dict[str, str]] = [public_jwk(self.current)]

    def _make(self) -> rsa.RSAPrivateKey:
        return rsa_key(f"{self._base_url}#{self._generation}")

    @property
    def kid(self) -> str:
        return key_id(self.current)

    def rotate(self, *, keep_old: bool = False) -> str:
        """Sign with a new key from now on; the old one leaves the key set unless kept. Returns the new
        kid.
        """
        self._generation += 1
        self.current = self._make()
        self.published = (self.published if keep_old else []) + [public_jwk(self.current)]
        return self.kid

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        return {"keys": list(self.published)}

    def sign(self, claims: Mapping[str, Any]) -> str:
        """A JWS as Moodle makes it: header members typ, alg, kid in this order."""
        return sign_rs256(self.current, {"typ": "JWT", "alg": "RS256", "kid": self.kid}, claims)
