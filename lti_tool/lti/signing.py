"""The tool's own keys as this package needs them; ``lti_tool.keyring`` has them."""

from __future__ import annotations

from typing import Protocol


class SigningKey(Protocol):
    """A key of the tool's key set, at this moment."""

    @property
    def kid(self) -> str:
        """Its id in the tool's key set."""
        ...

    @property
    def private_pem(self) -> str:
        """The RSA key: PEM, PKCS #8."""
        ...


class SigningKeys(Protocol):
    """Gives the key of a purpose, so that a rotated one is used at once."""

    def signer(self, purpose: str, /) -> SigningKey:
        """The active key of ``purpose``."""
        ...
