"""Files that learners hand in are what their bytes say, from the first to the last."""

from __future__ import annotations

import struct
import tracemalloc

import pytest

from lti_tool.services.evidence_files import (
    MOST_PARTS,
    NAME_LENGTH,
    FileProblem,
    FileRefused,
    check_file,
    clean_name,
    endings,
)
from tests.unit.services.evidence_samples import (
    DOCX,
    GOOD,
    HTML,
    ODF,
    PDF,
    SVG,
    jpeg,
    office,
    open_document,
    png,
    webp,
    zipped,
)

LIMIT = 1_000_000
_TYPES_OF_MACROS = 'document.main+xml <a ContentType="application/vnd.ms-office.vbaProject"/>'


def refused(name: str, content: bytes, limit: int = LIMIT) -> FileProblem:
    with pytest.raises(FileRefused) as caught:
        check_file(name, content, limit)
    return caught.value.problem


@pytest.mark.parametrize("name", GOOD)
def test_what_learners_hand_in_is_taken(name: str) -> None:
    media_type, content = GOOD[name]
    checked = check_file(name, content, LIMIT)
    assert (checked.name, checked.media_type, checked.content) == (name, media_type, content)


def test_every_kind_has_a_sample() -> None:
    assert {name.rpartition(".")[2].lower() for name in GOOD} == set(endings())


@pytest.mark.parametrize("ending", sorted(endings()))
@pytest.mark.parametrize("content", [HTML, SVG, b"#!/bin/sh\nrm -rf ~", b"MZ\x90\0" + b"\0" * 60])
def test_a_script_is_no_document_whatever_it_is_called(ending: str, content: bytes) -> None:
    if ending in ("txt", "md") and b"\0" not in content:
        # Text it is, and as text it is handed out.
        assert check_file(f"page.{ending}", content, LIMIT).media_type == "text/plain"
    else:
        refused(f"page.{ending}", content)


@pytest.mark.parametrize(
    "name", ["page.html", "drawing.svg", "run.js", "virus.exe", "archive.zip", "none", "a.pdf.exe", "x.docm"]
)
def test_other_endings_are_refused_whatever_is_inside(name: str) -> None:
    assert refused(name, PDF) is FileProblem.TYPE_REFUSED


@pytest.mark.parametrize("name", GOOD)
def test_what_is_cut_off_or_goes_on_after_its_end_is_refused(name: str) -> None:
    media_type, content = GOOD[name]
    if media_type == "text/plain":
        return
    assert refused(name, content[:-8]) is FileProblem.CONTENT_DIFFERS
    if name.endswith(("g", "G", "pdf")) and not name.endswith("png"):
        return  # Cameras put more behind a JPEG, and readers of PDF look for its end themselves.
    assert refused(name, content + HTML) is FileProblem.CONTENT_DIFFERS


@pytest.mark.parametrize("name", [name for name in GOOD if not name.endswith(("txt", "md"))])
def test_what_begins_with_something_else_is_refused(name: str) -> None:
    assert refused(name, HTML + GOOD[name][1]) is FileProblem.CONTENT_DIFFERS


def test_a_picture_that_is_an_archive_too_is_refused() -> None:
    assert refused("both.png", png() + DOCX) is FileProblem.CONTENT_DIFFERS
    assert refused("both.docx", png() + DOCX) is FileProblem.CONTENT_DIFFERS
    assert refused("both.webp", webp() + DOCX) is FileProblem.CONTENT_DIFFERS


def test_html_in_a_picture_stays_inside_a_picture() -> None:
    """It is a picture for everybody who asks what it is; browsers are told to ask nobody (nosniff)."""
    assert check_file("a.png", png(HTML), LIMIT).media_type == "image/png"
    assert check_file("a.jpg", jpeg(HTML), LIMIT).media_type == "image/jpeg"


def test_one_office_format_is_not_taken_for_another() -> None:
    assert refused("essay.xlsx", DOCX) is FileProblem.CONTENT_DIFFERS
    assert refused("essay.odt", DOCX) is FileProblem.CONTENT_DIFFERS
    assert refused("essay.odt", open_document("spreadsheet")) is FileProblem.CONTENT_DIFFERS
    assert refused("essay.docx", zipped({"evil.html": HTML})) is FileProblem.CONTENT_DIFFERS
    packed = zipped({"mimetype": f"{ODF}text".encode(), "META-INF/manifest.xml": b"<m/>"})
    assert refused("essay.odt", packed) is FileProblem.CONTENT_DIFFERS


@pytest.mark.parametrize(
    "content",
    [
        office("word", "wordprocessingml.document", **{"word/vbaProject.bin": b"x"}),
        office("word", "wordprocessingml.document", **{"word/activeX/activeX1.xml": b"x"}),
        office(
            "word", "", b'<Override ContentType="application/vnd.ms-word.document.macroEnabled.main+xml"/>'
        ),
        office("word", "", _TYPES_OF_MACROS.encode("utf-16")),
    ],
)
def test_macros_are_refused_under_any_name(content: bytes) -> None:
    assert refused("essay.docx", content) is FileProblem.MACROS_REFUSED


def test_macros_of_open_documents_are_refused() -> None:
    content = open_document("text", **{"Basic/Standard/Module1.xml": b"x"})
    assert refused("essay.odt", content) is FileProblem.MACROS_REFUSED


def test_what_needs_a_password_is_refused() -> None:
    content = bytearray(DOCX)
    at = content.index(b"PK\x01\x02")
    content[at + 8] |= 1
    assert refused("essay.docx", bytes(content)) is FileProblem.ENCRYPTED
    manifest = b"<manifest:encryption-data/>"
    locked = open_document("text", **{"META-INF/manifest.xml": manifest})
    assert refused("essay.odt", locked) is FileProblem.ENCRYPTED


def test_a_bomb_is_never_unpacked() -> None:
    bomb = office("word", "wordprocessingml.document", b"A" * 50_000_000)
    assert len(bomb) < 100_000
    tracemalloc.start()
    try:
        assert refused("bomb.docx", bomb) is FileProblem.TOO_COMPLEX
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000


def test_a_document_that_would_fill_the_reader_is_refused() -> None:
    many = {f"word/media/{number}.xml": b"0" * 20_000_000 for number in range(11)}
    assert (
        refused("bomb.docx", office("word", "wordprocessingml.document", **many)) is FileProblem.TOO_COMPLEX
    )


def test_a_list_of_parts_is_not_read_before_its_size_is_known() -> None:
    parts = MOST_PARTS + 1
    said = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, parts, parts, 46 * parts, 4, 0)
    assert refused("list.docx", b"PK\x03\x04" + b"\0" * 46 * parts + said) is FileProblem.TOO_COMPLEX


def test_a_list_that_lies_is_refused() -> None:
    content = bytearray(DOCX)
    content[-14:-12] = content[-12:-10] = struct.pack("<H", 9)
    assert refused("list.docx", bytes(content)) is FileProblem.CONTENT_DIFFERS
    # Two parts of one name: readers disagree on which of them counts.
    twice = office("word", "wordprocessingml.document", **{"word/A.xml": b"a", "word/B.xml": b"b"})
    assert refused("twice.docx", twice.replace(b"B.xml", b"A.xml")) is FileProblem.CONTENT_DIFFERS


def test_a_picture_of_endless_pieces_is_given_up() -> None:
    empty = struct.pack(">I4sI", 0, b"tEXt", 0)
    head = png()[:33]
    assert refused("many.png", head + empty * 20_001, 2_000_000) is FileProblem.TOO_COMPLEX
    assert refused("many.jpg", b"\xff\xd8" + b"\xff\xfe\0\x02" * 20_001, 2_000_000) is FileProblem.TOO_COMPLEX


def test_nothing_and_too_much_are_refused() -> None:
    assert refused("empty.pdf", b"") is FileProblem.EMPTY
    assert refused("large.pdf", PDF, len(PDF) - 1) is FileProblem.TOO_LARGE
    assert check_file("just.pdf", PDF, len(PDF)).media_type == "application/pdf"


@pytest.mark.parametrize("content", [b"Gr\xfc\xdfe", "Grüße".encode("utf-16")])
def test_text_of_another_encoding_is_said_to_be_so(content: bytes) -> None:
    assert refused("notes.txt", content) is FileProblem.ENCODING_REFUSED


def test_text_with_control_characters_is_no_text() -> None:
    assert refused("notes.txt", b"a\x00b") is FileProblem.CONTENT_DIFFERS
    assert refused("notes.txt", b"\x1b]0;title\x07") is FileProblem.CONTENT_DIFFERS


@pytest.mark.parametrize(
    "given,kept",
    [
        ("../../etc/passwd.txt", "passwd.txt"),
        ("C:\\Users\\Ada\\report.pdf", "report.pdf"),
        ("a\x00b\r\n.pdf", "ab.pdf"),
        ("cod\u202efdp.exe", "codfdp.exe"),
        ('say "hi"; x=1.pdf', "say hi x=1.pdf"),
        (".pdf", "file.pdf"),
        ("..", "file"),
        ("con.txt", "file-con.txt"),
        ("  Bericht   über\u00a0Bäume .pdf ", "Bericht über Bäume.pdf"),
        ("e\u0301.png", "\u00e9.png"),
        ("\udcff.txt", "file.txt"),
        ("100%20.pdf", "10020.pdf"),
    ],
)
def test_names_are_made_harmless(given: str, kept: str) -> None:
    assert clean_name(given) == kept


def test_a_long_name_keeps_its_ending() -> None:
    name = clean_name("x" * 5_000 + ".docx")
    assert len(name) == NAME_LENGTH
    assert name.endswith(".docx")
    assert len(clean_name("a." + "x" * 5_000)) <= NAME_LENGTH
