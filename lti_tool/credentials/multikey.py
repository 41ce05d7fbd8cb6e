"""Base58btc and Multikey: how keys and signatures are written in Data Integrity.

W3C Controlled Identifiers 1.0 §2.2.2 (Multikey) and §2.4 (multibase). One multicodec prefix is all that
is needed here, so no multiformats library is pulled in.
"""

from __future__ import annotations

from typing import Final

_ALPHABET: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_VALUES: Final = {character: value for value, character in enumerate(_ALPHABET)}
_PAIRS: Final = tuple(high + low for high in _ALPHABET for low in _ALPHABET)

ED25519_PUBLIC: Final = b"\xed\x01"
MAXIMUM_LENGTH: Final = 512
"""Longest multibase text that is decoded; decoding is quadratic and the text may come from a stranger."""


def encode_base58(data: bytes) -> str:
    """``data`` in base58btc, without a multibase prefix."""
    number = int.from_bytes(data, "big")
    fours: list[str] = []
    while number:
        # Four digits at a time: dividing by what fits into one "digit" of Python's integers is fastest.
        number, four = divmod(number, 11316496)
        fours.append(_PAIRS[four // 3364] + _PAIRS[four % 3364])
    fours.reverse()
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "1" * zeros + "".join(fours).lstrip("1")


def decode_base58(text: str) -> bytes:
    """The bytes that ``text`` stands for.

    :raises ValueError: for a foreign character or more than :data:`MAXIMUM_LENGTH` characters.
    """
    if len(text) > MAXIMUM_LENGTH:
        raise ValueError("base58 text is too long")
    number = 0
    for character in text:
        try:
            number = number * 58 + _VALUES[character]
        except KeyError:
            raise ValueError("not base58btc") from None
    zeros = len(text) - len(text.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def decode_multibase(text: str) -> bytes:
    """The bytes of a multibase text with prefix ``z`` (base58btc), the one Data Integrity uses here.

    :raises ValueError: for any other base, or a broken text.
    """
    if not text.startswith("z"):
        raise ValueError("not multibase base58btc")
    return decode_base58(text[1:])


def encode_ed25519(public_key: bytes) -> str:
    """The Multikey text (``z6Mk…``) of a raw 32 byte Ed25519 public key.

    :raises ValueError: for another length.
    """
    if len(public_key) != 32:
        raise ValueError("an Ed25519 public key has 32 bytes")
    return "z" + encode_base58(ED25519_PUBLIC + public_key)


def decode_ed25519(text: str) -> bytes:
    """The raw 32 byte public key of a ``z6Mk…`` text.

    :raises ValueError: for another kind of key or a broken text.
    """
    data = decode_multibase(text)
    if len(data) != 34 or not data.startswith(ED25519_PUBLIC):
        raise ValueError("not an Ed25519 public key")
    return data[2:]
