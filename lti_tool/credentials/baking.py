"""Baked badges: the credential inside its picture (OB 3.0 "Document Formats", PNG and SVG).

PNG: exactly one ``iTXt`` chunk ``openbadgecredential``, not compressed, before the image data. SVG: exactly
one ``openbadges:credential`` element. The readers take strangers' files: sizes, counts and checksums are
checked, and XML is read without entities or document types that fetch.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from lti_tool.credentials.errors import ImageInvalid

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
SVG_NAMESPACE: Final = "https://purl.imsglobal.org/ob/v3p0"
_KEYWORD: Final = b"openbadgecredential"
_KEYWORD_2: Final = b"openbadges"
_MAXIMUM_TEXT: Final = 256 * 1024
_MAXIMUM_CHUNKS: Final = 10_000
MAXIMUM_SVG_BYTES: Final = 1024 * 1024
_MAXIMUM_SVG_DEPTH: Final = 100
_MAXIMUM_SVG_ELEMENTS: Final = 20_000
"""A drawing has a few hundred; the XML reader takes 10 microseconds for each, and nesting grows the stack."""


def bake_png(image: bytes, credential: str) -> bytes:
    """``image`` with ``credential`` (JSON text or compact JWT) in it, replacing one that is there.

    :raises ImageInvalid: if the picture is no sound PNG, or the credential is too long.
    """
    text = credential.encode()
    if len(text) > _MAXIMUM_TEXT:
        raise ImageInvalid("credential_too_large")
    # keyword, compression flag and method, language tag, translated keyword, text
    chunk = _chunk(b"iTXt", _KEYWORD + b"\0" + b"\0\0" + b"\0" + b"\0" + text)
    parts = [PNG_SIGNATURE]
    baked = False
    for kind, body in _chunks(image):
        if kind == b"iTXt" and body.split(b"\0", 1)[0] == _KEYWORD:
            continue
        if kind == b"IDAT" and not baked:
            parts.append(chunk)
            baked = True
        parts.append(_chunk(kind, body))
    if not baked:
        raise ImageInvalid("no_image_data")
    return b"".join(parts)


def unbake_png(image: bytes) -> str:
    """The text of the credential in a baked PNG.

    :raises ImageInvalid: if the picture is broken, or holds none, several, or one that is no text.
    """
    found = []
    for kind, body in _chunks(image):
        keyword = body.split(b"\0", 1)[0]
        if kind == b"iTXt" and keyword == _KEYWORD:
            found.append(_international_text(body))
        elif kind in (b"iTXt", b"tEXt") and keyword == _KEYWORD_2:
            raise ImageInvalid("open_badges_2_image")
    return _exactly_one(found)


def unbake_svg(image: bytes) -> str:
    """The text of the credential in a baked SVG.

    :raises ImageInvalid: if the picture is broken or dangerous XML, or holds none or several.
    """
    found = []
    for element in _svg_credentials(_parse_svg(image)):
        text = (element.text or "").strip()
        found.append(text or element.get("verify", ""))
    return _exactly_one(found)


def _exactly_one(found: list[str]) -> str:
    if not found or not found[0]:
        raise ImageInvalid("no_credential_in_image")
    if len(found) > 1:
        raise ImageInvalid("credential_repeated")
    return found[0]


def _chunks(image: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The chunks of a PNG, each with its checksum checked, up to and with IEND."""
    if not image.startswith(PNG_SIGNATURE):
        raise ImageInvalid("not_png")
    at = len(PNG_SIGNATURE)
    for _ in range(_MAXIMUM_CHUNKS):
        if at + 12 > len(image):
            raise ImageInvalid("cut_off")
        length, kind = struct.unpack_from(">I4s", image, at)
        end = at + 12 + length
        if end > len(image):
            raise ImageInvalid("cut_off")
        body = image[at + 8 : end - 4]
        if zlib.crc32(kind + body) != struct.unpack_from(">I", image, end - 4)[0]:
            raise ImageInvalid("checksum_wrong")
        yield kind, body
        if kind == b"IEND":
            return
        at = end
    raise ImageInvalid("too_many_chunks")


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _international_text(body: bytes) -> str:
    """The text of an ``iTXt`` chunk (PNG §11.3.4.5); compressed ones are read, with a limit, but never
    written.
    """
    _, rest = body.split(b"\0", 1)
    if len(rest) < 4 or rest[0] > 1 or rest[1] != 0 or rest[2:].count(b"\0") < 2:
        raise ImageInvalid("chunk_broken")
    _, _, text = rest[2:].split(b"\0", 2)
    if rest[0] == 1:
        reader = zlib.decompressobj()
        try:
            text = reader.decompress(text, _MAXIMUM_TEXT + 1)
        except zlib.error:
            raise ImageInvalid("chunk_broken") from None
    if len(text) > _MAXIMUM_TEXT:
        raise ImageInvalid("credential_too_large")
    try:
        return text.decode()
    except UnicodeDecodeError:
        raise ImageInvalid("chunk_broken") from None


class _Bounded(TreeBuilder):
    """Builds the tree of a stranger's XML until it is too deep or too large."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = self._elements = 0

    def start(self, tag: Any, attrs: Any, /) -> Element:
        self._depth += 1
        self._elements += 1
        if self._depth > _MAXIMUM_SVG_DEPTH or self._elements > _MAXIMUM_SVG_ELEMENTS:
            raise ImageInvalid("too_large")
        return super().start(tag, attrs)

    def end(self, tag: Any, /) -> Element:
        self._depth -= 1
        return super().end(tag)


def _parse_svg(image: bytes) -> Element:
    if len(image) > MAXIMUM_SVG_BYTES:
        raise ImageInvalid("too_large")
    # a document type is common in SVG and harmless; entities and anything external are not
    parser = DefusedXMLParser(target=_Bounded(), forbid_dtd=False, forbid_entities=True, forbid_external=True)
    try:
        parser.feed(image)
        root: Element = parser.close()
    except (ParseError, DefusedXmlException, ValueError, LookupError):
        raise ImageInvalid("not_svg") from None
    if root.tag.rpartition("}")[2] != "svg":
        raise ImageInvalid("not_svg")
    return root


def _svg_credentials(root: Element) -> list[Element]:
    return root.findall(f".//{{{SVG_NAMESPACE}}}credential")
