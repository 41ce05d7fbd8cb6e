"""Pictures from strangers: what is seen is kept, everything else is gone, and nothing takes long."""

from __future__ import annotations

import base64
import io
import os
import random
import struct
import zlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from lti_tool.credentials import uploads
from lti_tool.credentials.baking import (
    MAXIMUM_SVG_BYTES,
    OPEN_BADGES_2,
    PNG_SIGNATURE,
    bake_png,
    bake_svg,
    unbake_png,
    unbake_svg,
)
from lti_tool.credentials.errors import ImageInvalid
from lti_tool.credentials.uploads import MAXIMUM_BYTES, sanitise, sanitise_apart, with_alt

RED = (200, 20, 20)
DRAWING = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><path d="M1 1h7v7h-7z"/></svg>'


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def plain(width: int = 60, height: int = 30, kind: str = "PNG", **options: Any) -> bytes:
    return encoded(Image.new("RGB", (width, height), RED), kind, **options)


def drawn(content: bytes) -> Image.Image:
    picture = Image.open(io.BytesIO(sanitise(content).png))
    assert (picture.format, picture.size) == ("PNG", (512, 512))
    return picture.convert("RGBA")


def refused(content: bytes) -> str:
    with pytest.raises(ImageInvalid) as caught:
        sanitise(content)
    return caught.value.reason


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_every_kind_becomes_a_square_png(kind: str) -> None:
    picture = drawn(plain(kind=kind))
    assert picture.getpixel((256, 10))[3] == 0, "letterboxed, not stretched or cut"
    red, green, blue, alpha = picture.getpixel((256, 256))
    assert red > 180
    assert max(green, blue) < 60
    assert alpha == 255


def test_the_drawing_of_a_photograph_holds_its_pixels_and_nothing_else() -> None:
    made = sanitise(plain())
    assert made.svg.count("<") == 3
    assert made.svg.count("data:") == made.svg.count("data:image/png;base64,") == 1


def test_where_when_and_by_whom_a_photograph_was_taken_is_gone() -> None:
    exif = Image.Exif()
    exif[0x010E] = "SECRET description"
    exif[0x013B] = "SECRET artist"
    exif.get_ifd(0x8825)[1] = "N"
    photograph = plain(kind="JPEG", exif=exif, icc_profile=b"SECRET profile", comment=b"SECRET comment")
    assert b"SECRET" in photograph
    noted = PngImagePlugin.PngInfo()
    noted.add_text("Author", "SECRET")
    noted.add_itxt("openbadgecredential", "SECRET")
    for content in (photograph, plain(pnginfo=noted), plain() + b"SECRET behind the end"):
        made = sanitise(content)
        assert b"SECRET" not in made.png
        kinds = []
        at = len(PNG_SIGNATURE)
        while at < len(made.png):
            (length,) = struct.unpack_from(">I", made.png, at)
            kinds.append(made.png[at + 4 : at + 8])
            at += 12 + length
        assert set(kinds) <= {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
        assert at == len(made.png)


def test_a_photograph_is_turned_as_the_camera_was_held() -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste(RED, (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned a quarter clockwise
    picture = drawn(encoded(image, "JPEG", exif=exif, quality=95))
    assert picture.getpixel((256, 30))[1] < 60, "what was on the left is at the top"
    assert picture.getpixel((256, 480))[1] > 200
    assert picture.getpixel((30, 256))[3] == 0, "upright"


@pytest.mark.parametrize(
    "tag, kind, count, value",
    [
        (0x0117, 7, 2, b"\x1a\0\0\0"),  # a size that is no number
        (0x010F, 12, 3, b"\x28\0\0\0"),  # a maker whose name is a fraction
        (0x8825, 4, 1, b"\xff\xff\0\0"),  # a place that lies behind the end
    ],
)
def test_a_photograph_whose_other_notes_are_crooked_is_taken_and_turned(
    tag: int, kind: int, count: int, value: bytes
) -> None:
    image = Image.new("RGB", (40, 20), "white")
    image.paste(RED, (0, 0, 10, 20))
    notes = struct.pack("<HHIHH", 0x0112, 3, 1, 6, 0) + struct.pack("<HHI", tag, kind, count) + value
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0" + notes + bytes(40)
    jpeg = encoded(image, "JPEG", quality=95)
    photograph = jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]
    picture = drawn(photograph)
    assert picture.getpixel((256, 30))[1] < 60, "what was on the left is at the top"
    assert picture.getpixel((256, 480))[1] > 200


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_kept(kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), colour) for colour in (RED, (0, 0, 255))]
    content = encoded(frames[0], kind, save_all=True, append_images=frames[1:], duration=50)
    assert drawn(content).getpixel((256, 256))[2] < 60
    assert getattr(Image.open(io.BytesIO(sanitise(content).png)), "n_frames", 1) == 1


def test_sixteen_bits_of_grey_stay_grey() -> None:
    image = Image.new("I;16", (8, 8), 0x8000)
    assert abs(drawn(encoded(image, "PNG")).getpixel((256, 256))[0] - 128) <= 2


def test_what_is_transparent_stays_so() -> None:
    image = Image.new("RGBA", (10, 10), (0, 0, 0, 0))
    image.paste((*RED, 255), (0, 0, 5, 10))
    picture = drawn(encoded(image, "PNG"))
    assert picture.getpixel((100, 256))[3] == 255
    assert picture.getpixel((400, 256))[3] == 0


def test_noise_stays_small_enough_to_be_baked() -> None:
    noise = Image.frombytes("RGB", (700, 700), random.Random(6).randbytes(700 * 700 * 3))
    made = sanitise(encoded(noise, "JPEG", quality=70))
    credential = '{"a": "' + 200_000 * "x" + '"}'
    baked = bake_svg(with_alt(made.svg, "Noise"), credential)
    assert len(baked) < MAXIMUM_SVG_BYTES
    assert unbake_svg(baked.encode()) == credential
    assert unbake_png(bake_png(made.png, credential)) == credential


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty"),
        (b"%PDF-1.7", "type_unknown"),
        (b"BM" + 60 * b"\0", "type_unknown"),
        (b"GIF89a", "type_unknown"),
        (b"MM\0*" + 60 * b"\0", "type_unknown"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "type_unknown"),
        (plain()[:60], "broken"),
        (plain(600, 300, "JPEG")[:-300], "broken"),
        (encoded(Image.new("RGBA", (5, 5)), "PNG"), "blank"),
        (b"<html></html>", "not_svg"),
        (b"<svg", "not_svg"),
        (PNG_SIGNATURE + DRAWING, "type_unknown"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, reason: str) -> None:
    assert refused(content) == reason


def test_a_large_file_is_not_even_looked_at() -> None:
    assert refused(plain() + bytes(MAXIMUM_BYTES)) == "too_large"
    with pytest.raises(ImageInvalid, match="too_large"):
        sanitise_apart(bytes(MAXIMUM_BYTES + 1))


def _header(width: int, height: int) -> bytes:
    """A PNG of a few bytes that says to be as large as this."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    return (
        PNG_SIGNATURE
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(bytes(1000)))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [2_829, 10_000, 60_000, 2**31 - 1])
def test_decompression_bombs_are_refused_by_their_size(side: int) -> None:
    assert refused(_header(side, side)) == "too_many_pixels"
    inside = b'<svg viewBox="0 0 9 9"><image width="9" height="9" href="data:image/png;base64,%s"/></svg>'
    assert refused(inside % base64.b64encode(_header(side, side))) == "too_many_pixels"


def test_eight_million_pixels_are_taken() -> None:
    assert drawn(plain(4_000, 2_000)).getpixel((256, 256))[0] > 180


def test_with_words_it_speaks() -> None:
    spoken = with_alt(sanitise(DRAWING).svg, 'A "black" square\n</title><script>')
    assert "<title>A &quot;black&quot; square &lt;/title&gt;&lt;script&gt;</title>" in spoken
    assert 'role="img" aria-label="A &quot;black&quot;' in spoken
    assert bake_svg(spoken, "{}", OPEN_BADGES_2, verify="https://badges.example/1").count("<svg") == 2


class TestApart:
    def test_it_gives_the_same(self) -> None:
        assert sanitise_apart(DRAWING) == sanitise(DRAWING)

    def test_reasons_come_through(self) -> None:
        with pytest.raises(ImageInvalid, match="type_unknown"):
            sanitise_apart(b"nothing")

    def test_what_hangs_is_ended(self) -> None:
        with pytest.raises(ImageInvalid, match="took_too_long"):
            sanitise_apart(DRAWING, seconds=0.001)

    def test_nobody_waits_for_ever(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(uploads, "_WAIT_SECONDS", 0)
        with uploads._AT_ONCE, uploads._AT_ONCE, pytest.raises(ImageInvalid, match="busy"):
            sanitise_apart(DRAWING)

    def test_the_child_gets_no_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(os.environ, "PYTHONPATH", "/nowhere")
        monkeypatch.setitem(os.environ, "PYTHONINSPECT", "1")
        assert sanitise_apart(DRAWING).png.startswith(PNG_SIGNATURE)


@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from(["PNG", "GIF", "WEBP", "JPEG"]))
def test_damage_anywhere_is_refused_or_drawn(noise: bytes, at: int, kind: str) -> None:
    content = bytearray(plain(20, 20, kind))
    content[at : at + len(noise)] = noise
    try:
        made = sanitise(bytes(content))
    except ImageInvalid:
        return
    assert Image.open(io.BytesIO(made.png)).size == (512, 512)
