"""Files as learners hand them in, and as attackers do; small, and made here."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

PDF = b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\ntrailer\n<<>>\nstartxref\n9\n%%EOF\n"
HTML = b"<!doctype html><script>alert(document.cookie)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
ODF = "application/vnd.oasis.opendocument."
OOXML = "application/vnd.openxmlformats-officedocument."


def png(extra: bytes = b"") -> bytes:
    """One pixel, with ``extra`` as a text chunk."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
    text = chunk(b"tEXt", b"Comment\0" + extra) if extra else b""
    return b"\x89PNG\r\n\x1a\n" + head + text + chunk(b"IDAT", zlib.compress(b"\0\0")) + chunk(b"IEND", b"")


def jpeg(comment: bytes = b"") -> bytes:
    """The frame of a picture, with a comment."""
    app0 = b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    said = b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment if comment else b""
    scan = b"\xff\xda" + struct.pack(">H", 8) + b"\x01\x01\0\0\x3f\0" + b"\x12\x34"
    return b"\xff\xd8" + app0 + said + scan + b"\xff\xd9"


def webp() -> bytes:
    """A lossless picture's frame."""
    body = b"WEBPVP8L" + struct.pack("<I", 6) + b"\x2f\0\0\0\0\0"
    return b"RIFF" + struct.pack("<I", len(body)) + body


def zipped(parts: dict[str, bytes], *, first_stored: bool = False) -> bytes:
    """A ZIP archive of these parts."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, (name, content) in enumerate(parts.items()):
            stored = zipfile.ZIP_STORED if first_stored and number == 0 else zipfile.ZIP_DEFLATED
            archive.writestr(name, content, stored)
    return target.getvalue()


def open_document(kind: str, **more: bytes) -> bytes:
    """An OpenDocument file."""
    parts = {
        "mimetype": f"{ODF}{kind}".encode(),
        "content.xml": b"<x/>",
        "META-INF/manifest.xml": b"<manifest/>",
        **more,
    }
    return zipped(parts, first_stored=True)


def office(folder: str, main: str, types: bytes = b"", **more: bytes) -> bytes:
    """An Office Open XML file."""
    said = types or f'<Types><Override ContentType="{OOXML}{main}.main+xml"/></Types>'.encode()
    return zipped(
        {"[Content_Types].xml": said, "_rels/.rels": b"<r/>", f"{folder}/document.xml": b"<x/>", **more}
    )


DOCX = office("word", "wordprocessingml.document")
GOOD = {
    "report.pdf": ("application/pdf", PDF),
    "shot.png": ("image/png", png()),
    "photo.jpg": ("image/jpeg", jpeg()),
    "photo.JPEG": ("image/jpeg", jpeg(b"a comment")),
    "picture.webp": ("image/webp", webp()),
    "notes.txt": ("text/plain", "Grüße,\r\n\tपाठ".encode()),
    "notes.md": ("text/plain", b"\xef\xbb\xbf# Notes"),
    "essay.odt": (f"{ODF}text", open_document("text")),
    "trees.ods": (f"{ODF}spreadsheet", open_document("spreadsheet")),
    "talk.odp": (f"{ODF}presentation", open_document("presentation")),
    "essay.docx": (f"{OOXML}wordprocessingml.document", DOCX),
    "trees.xlsx": (f"{OOXML}spreadsheetml.sheet", office("xl", "spreadsheetml.sheet")),
    "talk.pptx": (f"{OOXML}presentationml.presentation", office("ppt", "presentationml.presentation")),
}
"""Media type and content by name, one of each kind."""
