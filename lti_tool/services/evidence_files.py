"""Files that learners hand in: what they are is read from their bytes, never believed.

Nothing is unpacked, decoded or drawn. Of office documents, which are ZIP archives, the list of their parts
is read, and the one part that says what the others are, at most :data:`TYPES_BYTES` of it. What is accepted
here is still a stranger's file: it is only ever handed out as a download (``lti_tool.web.people``).

An own check, since none of the libraries on PyPI answers the question: they guess a type from the first
bytes, where what matters is that a file is nothing but what its name says, from its first byte to its last.
"""

from __future__ import annotations

import io
import re
import unicodedata
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

NAME_LENGTH: Final = 150
TYPES_BYTES: Final = 256 * 1024
MOST_PARTS: Final = 2_000
"""Parts of an office document; a long one with hundreds of pictures has fewer."""
MOST_PIECES: Final = 20_000
"""Chunks or segments of a picture: they are looked at one by one."""
MOST_LIST_BYTES: Final = 1024 * 1024
MOST_UNPACKED_BYTES: Final = 200 * 1024 * 1024
"""What all parts say they come to: whoever opens the document later has to hold it."""
_STEM: Final = "file"
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])", re.IGNORECASE)
"""Names that Windows keeps for itself."""
_UNSEEN: Final = ("Cc", "Cf", "Cs", "Co", "Cn")
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0e-\x1f\x7f]")


class FileProblem(StrEnum):
    """Why a file is not taken; the page has a sentence for each."""

    EMPTY = "file_empty"
    TOO_LARGE = "file_too_large"
    TYPE_REFUSED = "file_type_refused"
    """The name's ending is none of those taken."""
    CONTENT_DIFFERS = "file_content_differs"
    """The content is not what the name says, or goes on after its end."""
    ENCODING_REFUSED = "file_encoding_refused"
    """Text that is not UTF-8."""
    MACROS_REFUSED = "file_macros_refused"
    ENCRYPTED = "file_encrypted"
    TOO_COMPLEX = "file_too_complex"


class FileRefused(Exception):
    """A file that is not taken."""

    def __init__(self, problem: FileProblem) -> None:
        super().__init__(problem.value)
        self.problem = problem


@dataclass(frozen=True, slots=True)
class CheckedFile:
    """A file whose content is what it says."""

    name: str
    media_type: str
    content: bytes


def check_file(name: str, content: bytes, most_bytes: int) -> CheckedFile:
    """The file with a name that can be stored anywhere and the type that its bytes have.

    :param name: as the browser sent it; some send a path.
    :param most_bytes: how large it may be.
    :raises FileRefused: with what is wrong.
    """
    if not content:
        raise FileRefused(FileProblem.EMPTY)
    if len(content) > most_bytes:
        raise FileRefused(FileProblem.TOO_LARGE)
    name = clean_name(name)
    ending = name.rpartition(".")[2].lower()
    kind = _KINDS.get(ending)
    if kind is None:
        raise FileRefused(FileProblem.TYPE_REFUSED)
    media_type, check = kind
    check(content)
    return CheckedFile(name, media_type, content)


def endings() -> tuple[str, ...]:
    """Of the names that are taken, without dots."""
    return tuple(_KINDS)


def clean_name(name: str) -> str:
    """A file name without a path, without characters that no system takes, that nobody sees or that turn
    the text around ("cod.exe" shown as "exe.doc"), and not longer than :data:`NAME_LENGTH`.
    """
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(
        " " if character.isspace() else character
        for character in name
        if character not in '<>:"|?*;%' and unicodedata.category(character) not in _UNSEEN
    )
    stem, dot, ending = " ".join(name.split()).rpartition(".")
    if not dot:
        stem, ending = ending, ""
    stem = stem.strip(". ") or _STEM
    if _RESERVED.fullmatch(stem.partition(".")[0].strip()):
        stem = f"{_STEM}-{stem}"
    ending = ending.strip()
    if not ending:
        return stem[:NAME_LENGTH]
    room = max(1, NAME_LENGTH - len(ending) - 1)
    return f"{stem[:room].strip()}.{ending}"[:NAME_LENGTH]


def _require(is_so: bool) -> None:
    if not is_so:
        raise FileRefused(FileProblem.CONTENT_DIFFERS)


def _check_pdf(content: bytes) -> None:
    # ISO 32000-1 §7.5.2 and §7.5.5: the header begins the file; readers look for the end in the last 1,024.
    _require(re.match(rb"%PDF-[12]\.[0-9]", content) is not None)
    _require(b"%%EOF" in content[-1024:])


def _check_png(content: bytes) -> None:
    # PNG §5.2, §5.3: chunks of length, type, data and CRC from IHDR to IEND, and nothing after it.
    _require(content.startswith(b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"))
    at = 8
    for _ in range(MOST_PIECES):
        length = int.from_bytes(content[at : at + 4], "big")
        kind = content[at + 4 : at + 8]
        at += 12 + length
        _require(len(kind) == 4 and kind.isalpha() and at <= len(content))
        if kind == b"IEND":
            _require(at == len(content))
            return
    raise FileRefused(FileProblem.TOO_COMPLEX)


def _check_jpeg(content: bytes) -> None:
    # ITU T.81 §B.1: segments up to the first scan. Telephones put more pictures behind the end: it is not
    # looked for.
    _require(content.startswith(b"\xff\xd8\xff"))
    at = 2
    for _ in range(MOST_PIECES):
        _require(at + 4 <= len(content) and content[at] == 0xFF)
        marker = content[at + 1]
        if marker == 0xFF:  # padding
            at += 1
            continue
        length = int.from_bytes(content[at + 2 : at + 4], "big")
        _require(0xC0 <= marker <= 0xFE and not 0xD0 <= marker <= 0xD9 and length >= 2)
        at += 2 + length
        if marker == 0xDA:
            _require(content.find(b"\xff\xd9", at) > 0)
            return
    raise FileRefused(FileProblem.TOO_COMPLEX)


def _check_webp(content: bytes) -> None:
    # RFC 9649 §2.4: the RIFF header says how long the file is.
    _require(content[:4] == b"RIFF" and content[8:15] == b"WEBPVP8" and content[15:16] in b" LX")
    _require(8 + int.from_bytes(content[4:8], "little") == len(content))


def _check_text(content: bytes) -> None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise FileRefused(FileProblem.ENCODING_REFUSED) from None
    _require(_CONTROL.search(text) is None)


def _archive(content: bytes) -> zipfile.ZipFile:
    """The list of an archive's parts, its size known before it is read.

    :raises FileRefused: for one with anything before, between (as far as the list says) or after its parts.
    """
    # APPNOTE.TXT §4.3.16: the end record is the last 22 bytes where there is no comment.
    end = content[-22:]
    _require(content.startswith(b"PK\x03\x04") and end[:4] == b"PK\x05\x06" and end[20:] == b"\0\0")
    disks = end[4:8]
    here, parts = int.from_bytes(end[8:10], "little"), int.from_bytes(end[10:12], "little")
    size, start = int.from_bytes(end[12:16], "little"), int.from_bytes(end[16:20], "little")
    _require(disks == b"\0\0\0\0" and here == parts and start + size + 22 == len(content))
    if parts > MOST_PARTS or size > MOST_LIST_BYTES:
        raise FileRefused(FileProblem.TOO_COMPLEX)
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeDecodeError):
        raise FileRefused(FileProblem.CONTENT_DIFFERS) from None
    listed = archive.infolist()
    _require(len(listed) == parts and len({part.filename for part in listed}) == parts)
    if any(part.flag_bits & 0x1 for part in listed):
        raise FileRefused(FileProblem.ENCRYPTED)
    if sum(part.file_size for part in listed) > MOST_UNPACKED_BYTES:
        raise FileRefused(FileProblem.TOO_COMPLEX)
    return archive


def _part(archive: zipfile.ZipFile, content: bytes, name: str) -> bytes:
    """The beginning of one part; what it unpacks to beyond :data:`TYPES_BYTES` is never unpacked."""
    try:
        listed = archive.getinfo(name)
    except KeyError:
        raise FileRefused(FileProblem.CONTENT_DIFFERS) from None
    at = listed.header_offset
    header = content[at : at + 30]
    _require(len(header) == 30 and header[:4] == b"PK\x03\x04")
    at += 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
    packed = content[at : at + listed.compress_size]
    if listed.compress_type == zipfile.ZIP_STORED:
        return packed[:TYPES_BYTES]
    _require(listed.compress_type == zipfile.ZIP_DEFLATED)
    try:
        found = zlib.decompressobj(-15).decompress(packed, TYPES_BYTES)
    except zlib.error:
        raise FileRefused(FileProblem.CONTENT_DIFFERS) from None
    if len(found) == TYPES_BYTES:
        raise FileRefused(FileProblem.TOO_COMPLEX)
    return found


def _open_document(media_type: str) -> Callable[[bytes], None]:
    """OpenDocument 1.3 part 2 §3.3: the first part is called mimetype, is not packed, and holds the type."""

    def check(content: bytes) -> None:
        archive = _archive(content)
        first = min(archive.infolist(), key=lambda part: part.header_offset)
        _require(first.filename == "mimetype" and first.compress_type == zipfile.ZIP_STORED)
        _require(_part(archive, content, "mimetype").strip() == media_type.encode())
        names = archive.namelist()
        _require("META-INF/manifest.xml" in names)
        if any(name.startswith(("Basic/", "Scripts/")) and not name.endswith("/") for name in names):
            raise FileRefused(FileProblem.MACROS_REFUSED)
        # §4.8.4: a part that needs a password is described so in the manifest.
        if b"encryption-data" in _part(archive, content, "META-INF/manifest.xml"):
            raise FileRefused(FileProblem.ENCRYPTED)

    return check


def _office_open_xml(folder: str, main: str) -> Callable[[bytes], None]:
    """ECMA-376 part 2 §10.1.2.2: the part ``[Content_Types].xml`` says what each of the others is."""

    def check(content: bytes) -> None:
        archive = _archive(content)
        names = {name.lower() for name in archive.namelist()}
        _require("_rels/.rels" in names and any(name.startswith(f"{folder}/") for name in names))
        types = _part(archive, content, "[Content_Types].xml")
        # UTF-16 is allowed, too; without its NULs it reads the same.
        types = types.replace(b"\0", b"").lower()
        is_macro = b"macroenabled" in types or b"vbaproject" in types or b"activex" in types
        if is_macro or any("vbaproject" in name or "/activex/" in name for name in names):
            raise FileRefused(FileProblem.MACROS_REFUSED)
        _require(f"{main}.main+xml".encode() in types)

    return check


_ODF: Final = "application/vnd.oasis.opendocument."
_OOXML: Final = "application/vnd.openxmlformats-officedocument."
_KINDS: Final[Mapping[str, tuple[str, Callable[[bytes], None]]]] = {
    "pdf": ("application/pdf", _check_pdf),
    "png": ("image/png", _check_png),
    "jpg": ("image/jpeg", _check_jpeg),
    "jpeg": ("image/jpeg", _check_jpeg),
    "webp": ("image/webp", _check_webp),
    "txt": ("text/plain", _check_text),
    "md": ("text/plain", _check_text),
    **{
        ending: (f"{_ODF}{kind}", _open_document(f"{_ODF}{kind}"))
        for ending, kind in (("odt", "text"), ("ods", "spreadsheet"), ("odp", "presentation"))
    },
    **{
        ending: (f"{_OOXML}{main}", _office_open_xml(folder, main))
        for ending, folder, main in (
            ("docx", "word", "wordprocessingml.document"),
            ("xlsx", "xl", "spreadsheetml.sheet"),
            ("pptx", "ppt", "presentationml.presentation"),
        )
    },
}
"""Media type and check by the ending of the name."""
