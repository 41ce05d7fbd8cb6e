from __future__ import annotations

import io
import json
import struct
import time
import zlib

import pytest
from PIL import Image

from lti_tool.credentials.artwork import Artwork, render_png, render_svg
from lti_tool.credentials.baking import (
    OPEN_BADGES_2,
    SVG_NAMESPACE,
    bake_png,
    bake_svg,
    unbake_png,
    unbake_svg,
)
from lti_tool.credentials.errors import ImageInvalid
from tests.unit.credentials.badges import baked_svg

ART = Artwork("shield", "award", "#0b3d63", "#ffffff", "Basics", "A blue shield")
SVG = render_svg(ART)
PNG = render_png(SVG, 64)
CREDENTIAL = json.dumps({"name": 'Üñí "x" ]]> </svg> &amp; 😀', "at": "\\]]>"}, ensure_ascii=False)
JWT = "eyJh.eyJi.c2ln"


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def with_chunk(image: bytes, added: bytes) -> bytes:
    at = image.index(b"IDAT") - 4
    return image[:at] + added + image[at:]


@pytest.mark.parametrize("text", [CREDENTIAL, JWT])
def test_what_is_baked_into_a_png_comes_out(text: str) -> None:
    baked = bake_png(PNG, text)
    assert unbake_png(baked) == text
    # an independent reader accepts the file, and finds the text under the keyword of the specification
    with Image.open(io.BytesIO(baked)) as picture:
        picture.load()
        assert picture.text["openbadgecredential"] == text
        assert picture.tobytes() == Image.open(io.BytesIO(PNG)).tobytes()


def test_what_is_baked_into_a_drawing_comes_out_and_the_drawing_stays() -> None:
    baked = bake_svg(SVG, CREDENTIAL)
    assert json.loads(unbake_svg(baked.encode())) == json.loads(CREDENTIAL)
    assert baked.count("<![CDATA[") == 1, "1EdTech's reader takes the first run of characters only"
    assert render_png(baked, 64) == PNG


def test_the_edition_before_has_names_of_its_own() -> None:
    """Open Badges 2.0 "Badge Baking": keyword ``openbadges``, and the address in ``verify``."""
    where = "https://badges.example/ob2/assertions/1"
    both = bake_png(bake_png(PNG, CREDENTIAL), '{"type":"Assertion"}', OPEN_BADGES_2)
    with Image.open(io.BytesIO(both)) as picture:
        picture.load()
        assert picture.text["openbadges"] == '{"type":"Assertion"}'
        assert picture.text["openbadgecredential"] == CREDENTIAL
    drawing = bake_svg(SVG, '{"type":"Assertion"}', OPEN_BADGES_2, verify=where)
    assert f'xmlns:openbadges="http://openbadges.org" verify="{where}"><![CDATA[' in drawing
    assert unbake_svg(drawing.encode()) == '{"type":"Assertion"}'
    assert unbake_png(bake_png(PNG, CREDENTIAL, OPEN_BADGES_2)) == CREDENTIAL
    assert unbake_png(with_chunk(PNG, chunk(b"tEXt", b"openbadges\0" + where.encode()))) == where
    for image, unbake in ((both, unbake_png), (bake_svg(drawing, CREDENTIAL).encode(), unbake_svg)):
        with pytest.raises(ImageInvalid, match="credential_repeated"):
            unbake(image)


@pytest.mark.parametrize(
    "image,credential,verify",
    [
        ('<!-- <svg x="1"> --><svg xmlns="http://www.w3.org/2000/svg"></svg>', CREDENTIAL, None),
        ('<svg xmlns="http://www.w3.org/2000/svg"/>', CREDENTIAL, None),
        ("no drawing", CREDENTIAL, None),
        (SVG, '"><script>', None),
        (SVG, CREDENTIAL, 'https://badges.example/"><script>'),
        (SVG, '{"a": "' + "a" * 300_000 + '"}', None),
        (bake_svg(SVG, CREDENTIAL), CREDENTIAL, None),
    ],
    ids=["comment", "empty", "text", "no-json", "verify", "huge", "twice"],
)
def test_only_credentials_are_baked_into_drawings(image: str, credential: str, verify: str | None) -> None:
    with pytest.raises(ImageInvalid):
        bake_svg(image, credential, verify=verify)


def test_the_chunk_stands_before_the_image_data_and_is_not_compressed() -> None:
    baked = bake_png(PNG, JWT)
    assert baked.index(b"iTXt") < baked.index(b"IDAT")
    assert b"iTXtopenbadgecredential\0\0\0\0\0" + JWT.encode() in baked


def test_baking_again_replaces() -> None:
    assert unbake_png(bake_png(bake_png(PNG, "old.old.old"), JWT)) == JWT


@pytest.mark.parametrize(
    "image,reason",
    [
        (b"GIF89a", "not_png"),
        (PNG[:50], "cut_off"),
        (PNG[:-12], "cut_off"),
        (PNG.replace(b"IDAT", b"IDAX", 1), "checksum_wrong"),
        (PNG, "no_credential_in_image"),
        (
            with_chunk(bake_png(PNG, JWT), chunk(b"iTXt", b"openbadgecredential\0\0\0\0\0x")),
            "credential_repeated",
        ),
        (with_chunk(PNG, chunk(b"iTXt", b"openbadges\0")), "chunk_broken"),
        (with_chunk(PNG, chunk(b"iTXt", b"openbadgecredential\0")), "chunk_broken"),
        (with_chunk(PNG, chunk(b"iTXt", b"openbadgecredential\0\0\0\0\0\xff\xfe")), "chunk_broken"),
        (with_chunk(PNG, chunk(b"iTXt", b"openbadgecredential\0\1\0\0\0not zlib")), "chunk_broken"),
        (
            with_chunk(
                PNG, chunk(b"iTXt", b"openbadgecredential\0\1\0\0\0" + zlib.compress(b"a" * 50_000_000))
            ),
            "credential_too_large",
        ),
        (with_chunk(PNG, chunk(b"aaAa", b"") * 20_000), "too_many_chunks"),
        (PNG[:8] + struct.pack(">I4s", 0xFFFFFFFF, b"IHDR"), "cut_off"),
    ],
)
def test_broken_and_hostile_pngs_are_refused(image: bytes, reason: str) -> None:
    with pytest.raises(ImageInvalid) as refused:
        unbake_png(image)
    assert refused.value.reason == reason


def test_a_compressed_text_is_read() -> None:
    body = b"openbadgecredential\0\1\0en\0key\0" + zlib.compress(CREDENTIAL.encode())
    assert unbake_png(with_chunk(PNG, chunk(b"iTXt", body))) == CREDENTIAL


def test_a_png_without_image_data_cannot_be_baked() -> None:
    with pytest.raises(ImageInvalid):
        bake_png(PNG[:8] + chunk(b"IHDR", PNG[16:29]) + chunk(b"IEND", b""), JWT)


def test_a_huge_credential_cannot_be_baked() -> None:
    with pytest.raises(ImageInvalid, match="credential_too_large"):
        bake_png(PNG, "a" * 300_000)


def test_what_is_baked_into_an_svg_comes_out() -> None:
    escaped = CREDENTIAL.replace("]]>", "\\u005d]>")
    assert json.loads(unbake_svg(baked_svg(SVG, f"<![CDATA[{escaped}]]>"))) == json.loads(CREDENTIAL)
    assert unbake_svg(baked_svg(SVG, "", f' verify="{JWT}"')) == JWT


def test_signs_that_no_xml_may_hold_are_baked_as_escapes() -> None:
    name = "a\ufffeb\uffff\\\uffff]]>"  # a pasted name; an endorsement that strangers signed
    baked = bake_svg(SVG, json.dumps({"name": name}, ensure_ascii=False))
    assert json.loads(unbake_svg(baked.encode())) == {"name": name}


BOMB = '<!DOCTYPE svg [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><svg xmlns="http://www.w3.org/2000/svg">&b;</svg>'
FILE = '<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&a;</svg>'


@pytest.mark.parametrize(
    "image,reason",
    [
        ("<svg", "not_svg"),
        ("<html/>", "not_svg"),
        (BOMB, "not_svg"),
        (FILE, "not_svg"),
        (SVG, "no_credential_in_image"),
        (
            f'<svg xmlns:o="{SVG_NAMESPACE}"><o:credential verify="a"/><o:credential verify="b"/></svg>',
            "credential_repeated",
        ),
        ('<?xml version="1.0" encoding="nonsense"?><svg/>', "not_svg"),
        ("<svg>" + "<g>" * 200_000, "too_large"),
        ("<svg>" + "<g/>" * 200_000, "too_large"),
        ("<svg>" + "<g>" * 600_000 + "</g>" * 600_000 + "</svg>", "too_large"),
        ("<svg>" + " " * 1024 * 1024 + "</svg>", "too_large"),
    ],
    ids=["cut-off", "html", "bomb", "file", "plain", "two", "encoding", "deep", "wide", "megabytes", "blank"],
)
def test_broken_and_hostile_svgs_are_refused(image: str, reason: str) -> None:
    began = time.thread_time()
    with pytest.raises(ImageInvalid) as refused:
        unbake_svg(image.encode())
    assert refused.value.reason == reason
    # A bound on the work, far above what a full garbage collection in between takes.
    assert time.thread_time() - began < 20
