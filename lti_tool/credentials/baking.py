"""Baked badges: the credential inside its picture (OB 3.0 "Document Formats", OB 2.0 "Badge Baking").

PNG: exactly one ``iTXt`` chunk, not compressed, before the image data. SVG: exactly one element beside the
drawing. Both are named after the edition of the standard (:class:`Edition`). The readers take strangers'
files: sizes, counts and checksums are checked, and XML is read without entities or document types that fetch.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from typing import Any, Final, NamedTuple
from xml.etree.ElementTree import Element, ParseError, TreeBuilder

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

from lti_tool.credentials.errors import ImageInvalid

PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
SVG_NAMESPACE: Final = "https://purl.imsglobal.org/ob/v3p0"


class Edition(NamedTuple):
    """How an edition of Open Badges names what is baked."""

    keyword: bytes
    """Of the PNG chunk."""
    namespace: str
    element: str
    """Of the SVG, in ``namespace``."""


OPEN_BADGES_3: Final = Edition(b"openbadgecredential", SVG_NAMESPACE, "credential")
OPEN_BADGES_2: Final = Edition(b"openbadges", "http://openbadges.org", "assertion")

_MAXIMUM_TEXT: Final = 256 * 1024
_MAXIMUM_CHUNKS: Final = 10_000
MAXIMUM_SVG_BYTES: Final = 1024 * 1024
_MAXIMUM_SVG_DEPTH: Final = 100
_MAXIMUM_SVG_ELEMENTS: Final = 20_000
"""A drawing has a few hundred; the XML reader takes 10 microseconds for each, and nesting grows the stack."""
_SVG_START: Final = re.compile(r"<(?:[A-Za-z_][\w.\-]*:)?svg\b(?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
_URL: Final = re.compile(r"https?://[A-Za-z0-9._~:/\-]+")


def bake_png(image: bytes, credential: str, edition: Edition = OPEN_BADGES_3) -> bytes:
    """``image`` with ``credential`` (JSON text) in it, replacing one of this edition that is there.

    :raises ImageInvalid: if the picture is no sound PNG, or the credential is too long.
    """
    text = credential.encode()
    if len(text) > _MAXIMUM_TEXT:
        raise ImageInvalid("credential_too_large")
    # keyword, compression flag and method, language tag, translated keyword, text
    chunk = _chunk(b"iTXt", edition.keyword + b"\0" + b"\0\0" + b"\0" + b"\0" + text)
    parts = [PNG_SIGNATURE]
    baked = False
    for kind, body in _chunks(image):
        if kind == b"iTXt" and body.split(b"\0", 1)[0] == edition.keyword:
            continue
        if kind == b"IDAT" and not baked:
            parts.append(chunk)
            baked = True
        parts.append(_chunk(kind, body))
    if not baked:
        raise ImageInvalid("no_image_data")
    return b"".join(parts)


def bake_svg(
    image: str, credential: str, edition: Edition = OPEN_BADGES_3, *, verify: str | None = None
) -> str:
    """``image`` with ``credential`` (JSON text) in it, right after the root element's start.

    :param verify: where the badge can be checked; OB 2.0 wants the address of the hosted assertion there.
    :raises ImageInvalid: if the picture is no sound SVG or holds a credential already, the text is too long
        or no JSON object, or ``verify`` no plain address.
    """
    if len(credential.encode()) > _MAXIMUM_TEXT:
        raise ImageInvalid("credential_too_large")
    if not credential.startswith("{") or (verify is not None and not _URL.fullmatch(verify)):
        raise ImageInvalid("credential_unknown")
    if _svg_credentials(parse_svg(image.encode()), edition):
        raise ImageInvalid("credential_repeated")
    start = _SVG_START.search(image)
    if start is None or start[0].endswith("/>"):
        raise ImageInvalid("not_svg")
    # A CDATA section ends at its first "]]>"; in JSON the bracket can be written as an escape. 1EdTech's
    # reader takes the first run of characters only, so it must be one section, not two.
    content = credential.replace("]]>", "\\u005d]>")
    # The two that are Unicode and JSON, and no XML (XML 1.0 §2.2).
    content = content.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")
    name = f"openbadges:{edition.element}"
    attribute = "" if verify is None else f' verify="{verify}"'
    element = f'<{name} xmlns:openbadges="{edition.namespace}"{attribute}><![CDATA[{content}]]></{name}>'
    baked = image[: start.end()] + element + image[start.end() :]
    if len(_svg_credentials(parse_svg(baked.encode()), edition)) != 1:
        raise ImageInvalid("not_svg")  # the start that was found stood in a comment or such
    return baked


def unbake_png(image: bytes) -> str:
    """The text of the credential in a baked PNG: of either edition, but of one only.

    :raises ImageInvalid: if the picture is broken, or holds none, several, or one that is no text.
    """
    found = []
    for kind, body in _chunks(image):
        keyword = body.split(b"\0", 1)[0]
        if kind == b"iTXt" and keyword in (OPEN_BADGES_3.keyword, OPEN_BADGES_2.keyword):
            found.append(_international_text(body))
        elif kind == b"tEXt" and keyword == OPEN_BADGES_2.keyword:  # of 1.0, and of some bakers of 2.0
            found.append(body.partition(b"\0")[2].decode("latin-1"))
    return _exactly_one(found)


def unbake_svg(image: bytes) -> str:
    """The text of the credential in a baked SVG: of either edition, but of one only.

    :raises ImageInvalid: if the picture is broken or dangerous XML, or holds none or several.
    """
    root, found = parse_svg(image), []
    for element in _svg_credentials(root, OPEN_BADGES_3) + _svg_credentials(root, OPEN_BADGES_2):
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


def parse_svg(image: bytes, *, most_bytes: int = MAXIMUM_SVG_BYTES) -> Element:
    """The root of a stranger's SVG, read without entities and not beyond a depth and number of elements.

    :raises ImageInvalid: ``too_large``, ``not_svg``.
    """
    if len(image) > most_bytes:
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


def _svg_credentials(root: Element, edition: Edition) -> list[Element]:
    return root.findall(f".//{{{edition.namespace}}}{edition.element}")
