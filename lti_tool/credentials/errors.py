"""What can go wrong with a credential.

The classes of this room; their codes are those of :mod:`lti_tool.errors`. Each carries ``params`` with at
least ``reason`` (a stable word) and, where a member of the document is to blame, ``pointer`` (JSON Pointer,
RFC 6901).
"""

from __future__ import annotations

from lti_tool.errors import CredentialInvalid, ErrorCode, RequestInvalid

__all__ = [
    "ArtworkInvalid",
    "ContextNotVendored",
    "CredentialInvalid",
    "FetchFailed",
    "ImageInvalid",
    "NotACredential",
    "TooComplex",
    "date_invalid",
    "property_uncovered",
    "text_invalid",
]


class ContextNotVendored(CredentialInvalid):
    """A document names a JSON-LD context that is not shipped with the tool; contexts are never fetched."""

    def __init__(self, url: str) -> None:
        super().__init__(
            ErrorCode.CONTEXT_NOT_VENDORED, url[:200], reason="context_not_vendored", url=url[:200]
        )
        self.url = url


class NotACredential(CredentialInvalid):
    """Bytes that are no credential at all: neither JSON with a credential in it, nor a JWT, nor a baked
    picture.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.CREDENTIAL_NOT_RECOGNISED, reason, reason=reason)
        self.reason = reason


class TooComplex(CredentialInvalid):
    """Too large, too deep or too symmetric to be judged in reasonable time."""

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.CREDENTIAL_TOO_COMPLEX, reason, reason=reason)
        self.reason = reason


class ImageInvalid(CredentialInvalid):
    """A picture that is broken, too large, or does not hold exactly one credential."""

    def __init__(self, reason: str) -> None:
        super().__init__(ErrorCode.IMAGE_INVALID, reason, reason=reason)
        self.reason = reason


class ArtworkInvalid(RequestInvalid):
    """A badge picture that cannot be drawn as asked: colour, contrast, text, or an unknown shape or icon."""

    def __init__(self, reason: str, field: str, **params: object) -> None:
        super().__init__(
            ErrorCode.ARTWORK_INVALID, f"{field}: {reason}", reason=reason, field=field, **params
        )
        self.reason = reason
        self.field = field


class FetchFailed(Exception):
    """A document that a verification needs could not be had; raised by :class:`Fetcher` implementations.

    :param reason: one stable word for the report: ``unreachable``, ``refused``, ``not_found``, ``too_large``.
    """

    def __init__(self, reason: str = "unreachable") -> None:
        super().__init__(reason)
        self.reason = reason


def property_uncovered(pointer: str, reason: str = "term_unknown") -> CredentialInvalid:
    """A member whose value the signature would not cover."""
    return CredentialInvalid(
        ErrorCode.CREDENTIAL_PROPERTY_UNCOVERED, f"{pointer}: {reason}", pointer=pointer, reason=reason
    )


def text_invalid(pointer: str, reason: str) -> CredentialInvalid:
    """A value that must not stand in a signed document."""
    return CredentialInvalid(
        ErrorCode.CREDENTIAL_TEXT_INVALID, f"{pointer}: {reason}", pointer=pointer, reason=reason
    )


def date_invalid(pointer: str, reason: str) -> CredentialInvalid:
    """A date without a time zone, or none at all."""
    return CredentialInvalid(
        ErrorCode.CREDENTIAL_DATE_INVALID, f"{pointer}: {reason}", pointer=pointer, reason=reason
    )
