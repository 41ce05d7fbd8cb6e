from __future__ import annotations

import hashlib
import io
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from defusedxml.ElementTree import fromstring
from PIL import Image, ImageFont

from lti_tool import credentials
from lti_tool.credentials import artwork, typefaces
from lti_tool.credentials.artwork import Artwork, contrast_ratio, icon_names, render_png, render_svg
from lti_tool.credentials.errors import ArtworkInvalid

ART = Artwork(
    "circle", "award", "#0b3d63", "#ffffff", "Data Protection Basics", "A blue circle with a rosette"
)
FOLDER = Path(credentials.__file__).parent


@pytest.mark.parametrize("folder", ["icons", "fonts"])
def test_vendored_files_are_registered_with_their_hashes(folder: str) -> None:
    rows = tomllib.loads((FOLDER / folder / "SOURCES.toml").read_text("utf-8"))["file"]
    files = {path.name for path in (FOLDER / folder).iterdir() if path.suffix in (".svg", ".ttf")}
    assert {row["file"] for row in rows} == files
    for row in rows:
        assert hashlib.sha256((FOLDER / folder / row["file"]).read_bytes()).hexdigest() == row["sha256"]
        assert row["licence"] in ("ISC", "OFL-1.1")
    assert [path.name for path in (FOLDER / folder).iterdir() if path.name.startswith("LICENSE")]


def test_there_is_enough_to_choose_from() -> None:
    assert len(artwork.SHAPES) >= 5
    assert len(icon_names()) >= 30


@pytest.mark.parametrize("shape", artwork.SHAPES)
def test_every_shape_is_drawn_inside_its_square(shape: str) -> None:
    picture = Image.open(io.BytesIO(render_png(render_svg(replace(ART, shape=shape)), 128))).convert("RGBA")
    assert picture.size == (128, 128)
    corners = [picture.getpixel((x, y)) for x in (0, 127) for y in (0, 127)]
    assert all(pixel[3] == 0 for pixel in corners)
    assert picture.getpixel((64, 20))[3] == 255


@pytest.mark.parametrize("icon", icon_names())
def test_every_icon_is_drawn(icon: str) -> None:
    with_icon = render_png(render_svg(replace(ART, icon=icon, text="")), 64)
    assert Image.open(io.BytesIO(with_icon)).convert("L").getextrema()[1] > 200
    assert with_icon != render_png(
        render_svg(replace(ART, icon="award" if icon != "award" else "star", text="")), 64
    )


def test_the_same_artwork_gives_the_same_bytes() -> None:
    assert render_svg(ART) == render_svg(replace(ART, background="#0B3D63"))
    assert render_png(render_svg(ART)) == render_png(render_svg(ART))


def test_the_picture_speaks_and_holds_nothing_foreign() -> None:
    hostile = replace(ART, text='<b>&"', alt="</title><script>alert(1)</script>")
    root = fromstring(render_svg(hostile))
    space = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{space}title") == hostile.alt
    assert root.get("aria-label") == hostile.alt
    assert root.get("role") == "img"
    assert root.findtext(f"{space}text") == '<b>&"'
    kinds = {element.tag.removeprefix(space) for element in root.iter()}
    assert kinds <= {
        "svg",
        "title",
        "path",
        "g",
        "text",
        "circle",
        "ellipse",
        "rect",
        "line",
        "polyline",
        "polygon",
    }
    assert "http" not in render_svg(hostile).replace("http://www.w3.org/2000/svg", "")
    assert not [element for element in root.iter() if element.get("id")]


@pytest.mark.parametrize(
    "text",
    [
        "W" * 60,
        "Donaudampfschifffahrtsgesellschaftskapitänsmützenabzeichen",
        "a " * 29 + "a",
        "إدارة المشاريع الرقمية للمبتدئين والمتقدمين في الجامعات",
        "יסודות הגנת הפרטיות",
        "Το μικρομάθημα της προστασίας",
    ],
)
@pytest.mark.parametrize("shape", artwork.SHAPES)
def test_long_and_right_to_left_texts_fit(text: str, shape: str) -> None:
    lines, size = artwork._set(text, artwork.SHAPES[shape].text_width)
    assert len(lines) <= 4
    assert size >= 14
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(typefaces.width(line, size) <= artwork.SHAPES[shape].text_width for line in lines)
    assert render_png(render_svg(replace(ART, text=text, shape=shape)), 64)


def test_right_to_left_text_says_so() -> None:
    assert 'direction="rtl"' in render_svg(replace(ART, text="123 שלום"))
    assert "direction" not in render_svg(replace(ART, text="12 Basics"))


def test_widths_are_those_of_the_font() -> None:
    font = ImageFont.truetype(typefaces.font_files()[0], 1000)
    for text in ("H", "w", "é", "я"):
        assert typefaces.width(text, 1000) == pytest.approx(font.getlength(text), abs=2)


@pytest.mark.parametrize(
    "change,field,reason",
    [
        ({"shape": "heart"}, "shape", "unknown"),
        ({"icon": "../../etc/passwd"}, "icon", "unknown"),
        ({"background": "red"}, "background", "not_a_colour"),
        ({"background": '#000000" onload="x'}, "background", "not_a_colour"),
        ({"foreground": "#fff"}, "foreground", "not_a_colour"),
        ({"foreground": "#0b3d63"}, "foreground", "contrast_too_low"),
        ({"background": "#777777"}, "foreground", "contrast_too_low"),
        ({"accent": "#0c3e64"}, "accent", "contrast_too_low"),
        ({"text": "x" * 61}, "text", "too_long"),
        ({"text": "a\x07"}, "text", "control_character"),
        ({"text": "a\u202eb"}, "text", "control_character"),
        ({"text": "\ud800"}, "text", "control_character"),
        ({"text": "数据保护"}, "text", "characters_not_in_font"),
        ({"text": "🏅"}, "text", "characters_not_in_font"),
        ({"alt": " "}, "alt", "missing"),
        ({"alt": "x" * 301}, "alt", "too_long"),
    ],
)
def test_what_cannot_be_drawn_read_or_told_apart_is_refused(
    change: dict[str, str], field: str, reason: str
) -> None:
    with pytest.raises(ArtworkInvalid) as refused:
        render_svg(replace(ART, **change))
    assert (refused.value.field, refused.value.reason) == (field, reason)


def test_graphics_alone_need_less_contrast_than_text() -> None:
    weak = replace(ART, background="#888888", text="")
    assert render_svg(weak)
    with pytest.raises(ArtworkInvalid) as refused:
        render_svg(replace(weak, text="x"))
    assert refused.value.params["needed"] == "4.5"


@pytest.mark.parametrize(
    "one,other,ratio", [("#000000", "#ffffff", 21), ("#777777", "#FFFFFF", 4.48), ("#123456", "#123456", 1)]
)
def test_contrast_is_measured_as_wcag_says(one: str, other: str, ratio: float) -> None:
    assert contrast_ratio(one, other) == pytest.approx(ratio, abs=0.01)
    assert contrast_ratio(one, other) == contrast_ratio(other, one)


@pytest.mark.parametrize("size", [0, 15, 4096])
def test_sizes_are_bounded(size: int) -> None:
    with pytest.raises(ArtworkInvalid):
        render_png(render_svg(ART), size)


def test_only_svg_is_rendered() -> None:
    with pytest.raises(ArtworkInvalid):
        render_png("no picture")
