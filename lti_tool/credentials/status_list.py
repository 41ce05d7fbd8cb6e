"""Bitstring Status List v1.0: which of an issuer's credentials are revoked, one bit each.

Bit 0 is the most significant bit of the first byte. A list has at least 131,072 entries, so that asking for
it does not tell whose credential is being looked at (§6.1). The encoding is deterministic: same bits, same
text.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final, Self

from lti_tool.credentials.contexts import CREDENTIALS_V2
from lti_tool.credentials.documents import IssuerProfile, format_time

MINIMUM_ENTRIES: Final = 131_072
MAXIMUM_ENTRIES: Final = 8 * 1024 * 1024
"""Largest list that is read; it says how far a stranger's list may unpack (1 MiB)."""
_GZIP_LEVEL: Final = 6


class StatusList:
    """Bits that can be set, read and written as ``encodedList``."""

    def __init__(self, bits: bytearray) -> None:
        self._bits = bits

    @classmethod
    def empty(cls, entries: int = MINIMUM_ENTRIES) -> Self:
        """A list with every bit 0.

        :raises ValueError: for fewer than 131,072 entries, or no multiple of 8.
        """
        if entries < MINIMUM_ENTRIES or entries % 8:
            raise ValueError("a status list has at least 131072 entries, in whole bytes")
        return cls(bytearray(entries // 8))

    @classmethod
    def of(cls, indices: Iterable[int], entries: int = MINIMUM_ENTRIES) -> Self:
        """A list in which the bits at ``indices`` are 1.

        :raises IndexError: for an index outside the list.
        """
        made = cls.empty(entries)
        for index in indices:
            made.set(index)
        return made

    @classmethod
    def decode(cls, encoded: str) -> Self:
        """Read an ``encodedList``: multibase ``u`` (optional, as the 2021 drafts wrote none), base64url,
        gzip.

        :raises ValueError: for a broken text, or one that unpacks to more than :data:`MAXIMUM_ENTRIES` bits.
        """
        text = encoded.removeprefix("u").rstrip("=")
        if len(text) > MAXIMUM_ENTRIES // 4:
            raise ValueError("encoded status list is too long")
        try:
            packed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        except binascii.Error as error:
            raise ValueError("encoded status list is not base64url") from error
        reader = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        try:
            bits = reader.decompress(packed, MAXIMUM_ENTRIES // 8 + 1)
        except zlib.error as error:
            raise ValueError("encoded status list is not gzip") from error
        if len(bits) > MAXIMUM_ENTRIES // 8:
            raise ValueError("status list is too large")
        if not reader.eof or reader.unused_data:
            raise ValueError("encoded status list is cut off, or has more behind it")
        return cls(bytearray(bits))

    def encode(self) -> str:
        """The ``encodedList``: ``u`` and unpadded base64url of the gzip bytes (§3.3)."""
        packed = gzip.compress(bytes(self._bits), compresslevel=_GZIP_LEVEL, mtime=0)
        return "u" + base64.urlsafe_b64encode(packed).decode().rstrip("=")

    def set(self, index: int, value: bool = True) -> None:
        """Set one bit.

        :raises IndexError: outside the list.
        """
        mask = self._mask(index)
        if value:
            self._bits[index >> 3] |= mask
        else:
            self._bits[index >> 3] &= ~mask

    def __getitem__(self, index: int) -> bool:
        return bool(self._bits[index >> 3] & self._mask(index))

    def __len__(self) -> int:
        return len(self._bits) * 8

    def _mask(self, index: int) -> int:
        if not 0 <= index < len(self):
            raise IndexError("status list index out of range")
        return 0x80 >> (index & 7)


def build_status_list_credential(
    *,
    list_url: str,
    issuer: IssuerProfile,
    bits: StatusList,
    valid_from: datetime,
    purpose: str = "revocation",
    valid_until: datetime | None = None,
) -> dict[str, Any]:
    """The unsigned ``BitstringStatusListCredential`` served at ``list_url`` (§2.2).

    :param issuer: the same as of the credentials it speaks about; verifiers compare.
    :param valid_until: after which a verifier must ask again; leave out where the list is signed on change
        only.
    :raises CredentialInvalid: for a naive time.
    """
    document: dict[str, Any] = {
        "@context": [CREDENTIALS_V2],
        "id": list_url,
        "type": ["VerifiableCredential", "BitstringStatusListCredential"],
        "issuer": issuer.id,
        "validFrom": format_time(valid_from, "/validFrom"),
        "credentialSubject": {
            "id": f"{list_url}#list",
            "type": "BitstringStatusList",
            "statusPurpose": purpose,
            "encodedList": bits.encode(),
        },
    }
    if valid_until is not None:
        document["validUntil"] = format_time(valid_until, "/validUntil")
    return document
