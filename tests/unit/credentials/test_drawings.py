"""Drawings from strangers: nothing that runs, fetches or never ends is left in what is written anew."""

from __future__ import annotations

import base64
import io
import re

import pytest
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from lti_tool.credentials.baking import bake_svg, unbake_svg
from lti_tool.credentials.drawings import clean_svg
from lti_tool.credentials.errors import ImageInvalid
from lti_tool.credentials.uploads import sanitise, with_alt

SVG = "{http://www.w3.org/2000/svg}"
BOX = '<rect width="100" height="100" fill="#00ff00"/>'


def svg(inside: str, attributes: str = 'viewBox="0 0 100 100"') -> bytes:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f"{attributes}>{inside}</svg>"
    ).encode()


def clean(inside: str, attributes: str = 'viewBox="0 0 100 100"') -> str:
    return sanitise(svg(inside, attributes)).svg


def refused(content: bytes) -> str:
    with pytest.raises(ImageInvalid) as caught:
        sanitise(content)
    return caught.value.reason


def pixel(content: bytes, x: int, y: int) -> tuple[int, ...]:
    picture = Image.open(io.BytesIO(sanitise(content).png)).convert("RGBA")
    found: tuple[int, ...] = picture.getpixel((x, y))
    return found


HOSTILE = [
    "<script>alert(1)</script>",
    '<script href="https://evil.example/x.js"/>',
    '<g onload="alert(1)" onclick="alert(1)"><rect onfocus="x" width="5" height="5"/></g>',
    '<a href="javascript:alert(1)"><rect width="5" height="5"/></a>',
    '<a xlink:href="https://evil.example"><rect width="5" height="5"/></a>',
    '<foreignObject><p xmlns="http://www.w3.org/1999/xhtml">evil.example</p></foreignObject>',
    "<style>@import url(https://evil.example/x.css); rect { fill: url(https://evil.example#x) }</style>",
    "<style>@font-face { font-family: x; src: url(https://evil.example/f.woff) }</style>",
    '<rect width="5" height="5" style="fill:url(https://evil.example#a);behavior:url(#x)"/>',
    '<rect width="5" height="5" style="background:url(//evil.example)"/>',
    '<rect width="5" height="5" fill="url(https://evil.example/x.svg#a)"/>',
    '<rect width="5" height="5" mask="url(//evil.example/x.svg#a)" clip-path="path(\'M0 0\')"/>',
    '<use href="https://evil.example/x.svg#a"/><use xlink:href="data:image/svg+xml,&lt;svg/&gt;#a"/>',
    '<image href="https://evil.example/x.png" width="5" height="5"/>',
    '<image xlink:href="file:///etc/passwd" width="5" height="5"/>',
    '<image href="data:image/svg+xml;base64,PHN2Zy8+" width="5" height="5"/>',
    '<feImage href="https://evil.example/x.png"/><filter id="f"><feImage href="//evil.example"/></filter>',
    '<animate attributeName="href" values="javascript:alert(1)"/>',
    '<set attributeName="onclick" to="alert(1)"/>',
    '<rect width="5" height="5"><animate attributeName="fill" values="red"/></rect>',
    "<metadata>evil.example</metadata><desc>evil.example</desc><title>evil.example</title>",
    '<x:script xmlns:x="http://www.w3.org/2000/svg">alert(1)</x:script>',
    '<h:script xmlns:h="http://www.w3.org/1999/xhtml">alert(1)</h:script>',
    '<h:rect xmlns:h="http://www.w3.org/1999/xhtml" onclick="alert(1)"/>',
    '<handler type="application/ecmascript">alert(1)</handler><listener event="load"/>',
    "<!-- evil.example --><?evil.example alert(1)?>",
    '<text font-family="evil.example">A</text>',
    "<text>]]&gt;&lt;script&gt;alert(1)&lt;/script&gt;</text>",
    '<cursor href="https://evil.example"/><discard/><iframe src="https://evil.example"/>',
    '<rect id="x&quot; onclick=&quot;alert(1)" width="5" height="5"/>',
    '<rect width="5" height="5" fill="&quot; onclick=&quot;alert(1)"/>',
    '<rect width="5" height="5" transform="translate(1) url(https://evil.example)"/>',
    '<openbadges:credential xmlns:openbadges="https://purl.imsglobal.org/ob/v3p0">{}</openbadges:credential>',
    '<openbadges:assertion xmlns:openbadges="http://openbadges.org" verify="https://evil.example"/>',
]
ELEMENTS = frozenset(
    "svg g defs symbol use path rect circle ellipse line polyline polygon text tspan textPath image "
    "linearGradient radialGradient stop clipPath mask pattern".split()
)


@pytest.mark.parametrize("inside", HOSTILE)
def test_nothing_that_runs_or_fetches_is_left(inside: str) -> None:
    written = clean(BOX + inside)
    assert "evil" not in written
    assert "alert(" not in re.sub(r"<text.*?</text>", "", written)
    for element in fromstring(written).iter():
        assert element.tag.removeprefix(SVG) in ELEMENTS
        for name, value in element.attrib.items():
            assert not name.startswith("on")
            assert name != "style"
            if name == "href":
                assert value.startswith(("#", "data:image/png;base64,"))
            assert "url(" not in value.replace("url(#", "")


def test_it_can_be_baked_once_though_it_came_baked() -> None:
    baked = '<openbadges:credential xmlns:openbadges="https://purl.imsglobal.org/ob/v3p0">{"a":1}'
    ours = bake_svg(with_alt(clean(BOX + baked + "</openbadges:credential>"), "Green"), '{"b": 2}')
    assert unbake_svg(ours.encode()) == '{"b": 2}'


@pytest.mark.parametrize(
    "content",
    [
        b'<!DOCTYPE svg [<!ENTITY a "b">]><svg viewBox="0 0 1 1">&a;</svg>',
        b'<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]><svg viewBox="0 0 1 1">&a;</svg>',
        b'<!DOCTYPE svg [<!ENTITY % a SYSTEM "https://evil.example">%a;]><svg viewBox="0 0 1 1"/>',
        b'<!DOCTYPE svg [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><svg>&b;</svg>',
        b"<svg><g></svg>",
        b'<html xmlns="http://www.w3.org/1999/xhtml"/>',
        b'<svg xmlns="https://evil.example" viewBox="0 0 1 1"/>',
    ],
)
def test_entities_and_what_is_no_svg_are_refused(content: bytes) -> None:
    assert refused(content) == "not_svg"


def test_a_document_type_without_entities_is_harmless() -> None:
    doctype = (
        b'<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    )
    assert pixel(doctype + svg(BOX), 256, 256) == (0, 255, 0, 255)


def _doubling(name: str, reference: str) -> str:
    levels = "".join(f'<{name} id="a{n}">{2 * reference.format(f"a{n - 1}")}</{name}>' for n in range(1, 40))
    return (
        f'<defs><{name} id="a0"><rect width="9" height="9"/></{name}>{levels}</defs>{reference.format("a39")}'
    )


@pytest.mark.parametrize(
    "inside",
    [
        _doubling("g", '<use href="#{}"/>'),
        _doubling("symbol", '<use xlink:href="#{}"/>'),
        _doubling("mask", '<rect width="9" height="9" mask="url(#{})"/>'),
        _doubling("clipPath", '<rect width="9" height="9" style="clip-path:url(#{})"/>'),
        _doubling("pattern", '<rect width="9" height="9" fill="url(#{})"/>'),
        '<use id="a" href="#a"/>',
        '<g id="a"><use href="#b"/></g><g id="b"><use href="#a"/></g>',
        '<mask id="m"><rect mask="url(#m)" width="9" height="9"/></mask><rect mask="url(#m)"/>',
        '<linearGradient id="a" href="#b"/><linearGradient id="b" href="#a"/>',
        '<path id="p" d="' + "M0 0" * 20_000 + '"/>' + 300 * '<use href="#p"/>',
        "<style>" + 2_000 * "a{fill:red}" + "</style>",
        450 * f'<g opacity=".5">{BOX}</g>',
        '<mask id="m"/>' + 450 * '<rect width="9" height="9" mask="url(#m)"/>',
        '<pattern id="p"/>' + 450 * '<rect width="9" height="9" fill="url(#p)"/>',
        '<pattern id="p"/><g fill="url(#p)">' + 450 * '<rect width="9" height="9"/>' + "</g>",
        f'<pattern id="p">{100 * BOX}</pattern><g id="g">{20 * BOX}</g>'
        + 10 * '<use href="#g" stroke="url(#p)"/>',
        11 * f'<image href="data:image/png;base64,{base64.b64encode(sanitise(svg(BOX)).png).decode()}"/>',
    ],
)
def test_what_grows_without_end_is_refused(inside: str) -> None:
    assert refused(svg(BOX + inside)) == "too_complex"


def test_depth_and_number_of_elements_are_bounded() -> None:
    assert refused(svg(200 * "<g>" + 200 * "</g>")) == "too_complex"
    assert refused(svg(20_001 * "<g/>")) == "too_complex"


@pytest.mark.parametrize(
    "attributes",
    [
        "",
        'viewBox="0 0 0 5"',
        'viewBox="0 0 1e9 5"',
        'viewBox="0 0 -5 5"',
        'width="100%" height="100%"',
        'viewBox="a"',
    ],
)
def test_what_has_no_size_cannot_be_fitted(attributes: str) -> None:
    assert refused(svg(BOX, attributes)) == "no_size"


@pytest.mark.parametrize(
    "attribute",
    [
        'd="M0 0L1e9 5"',
        'd="M0 0L9.0000000000000e9 5"',
        'd="M0 0L1e0000012 5"',
        'd="M0 0L1e999 5"',
        'd="M0 0 alert(1)"',
        'transform="scale(9999999)"',
        'stroke-dasharray="0.0001"',
        'stroke-dasharray="-1 2"',
        'stroke-width="calc(1px)"',
        'fill="expression(1)"',
        'opacity="1;x"',
        'stroke-linecap="a,b"',
        'href="#x"',
    ],
)
def test_values_that_are_none_are_left_out(attribute: str) -> None:
    name = attribute.partition("=")[0]
    element = fromstring(clean(f"{BOX}<path {attribute}/>")).find(f".//{SVG}path")
    assert element is not None
    assert name not in element.attrib


@pytest.mark.parametrize(
    "value", ["33.333333333333336", "33.33333333333333333333px", "3.3333333333333336e1", "033.3333333333333"]
)
def test_numbers_as_programs_write_them_are_kept(value: str) -> None:
    assert f'width="{value}"' in clean(f'<rect width="{value}" height="9"/>')


def test_it_is_centred_and_whole() -> None:
    wide = svg('<rect width="200" height="100" fill="#00ff00"/>', 'viewBox="0 0 200 100"')
    assert pixel(wide, 256, 60)[3] == 0
    assert pixel(wide, 5, 256) == (0, 255, 0, 255)
    assert pixel(svg('<rect width="2in" height="1in"/>', 'width="2in" height="1in"'), 256, 60)[3] == 0


def test_style_sheets_become_attributes() -> None:
    """As drawing programs export: classes in a style sheet, entities and names beside them."""
    content = svg(
        "<defs><style>/* exported */ .cls-1, .x{fill:#ff0000;} rect{fill:blue} #one.two{fill:red}"
        " @media print{.cls-1{fill:#000}} #late{fill:#00ff00 !important}</style></defs>"
        '<rect class="a cls-1" width="50" height="100"/>'
        '<rect id="late" class="cls-1" x="50" width="50" height="100" fill="black"/>'
    )
    assert pixel(content, 100, 256) == (255, 0, 0, 255)
    assert pixel(content, 400, 256) == (0, 255, 0, 255)
    assert "class" not in sanitise(content).svg


def test_an_honest_drawing_may_have_much_in_it() -> None:
    """Two thousand shapes in gradients, many see-through, some cut out."""
    gradient = (
        '<linearGradient id="g"><stop/></linearGradient><clipPath id="c"><path d="M0 0h50v50z"/></clipPath>'
    )
    shapes = 2_000 * '<path d="M0 0h5v5z" fill="url(#g)"/>' + 500 * '<path d="M0 0h5v5z" opacity=".5"/>'
    cut = 100 * '<g clip-path="url(#c)"><path d="M0 0h5v5z"/></g>'
    assert clean(gradient + shapes + cut + BOX).count("<path") == 2_601


def test_gradients_masks_and_copies_are_kept() -> None:
    content = svg(
        '<defs><linearGradient id="g"><stop offset="0" stop-color="#00ff00"/>'
        '<stop offset="1" style="stop-color:#00ff00"/></linearGradient>'
        '<clipPath id="c"><rect width="100" height="50"/></clipPath></defs>'
        '<g clip-path="url(#c)"><rect id="r" width="40" height="100" fill="url(\'#g\') red"/>'
        '<use xlink:href="#r" x="60"/></g>'
    )
    assert pixel(content, 100, 100) == (0, 255, 0, 255)
    assert pixel(content, 450, 100) == (0, 255, 0, 255)
    assert pixel(content, 256, 100)[3] == 0
    assert pixel(content, 100, 400)[3] == 0


def test_ids_are_of_this_drawing_alone() -> None:
    one, other = (
        re.findall(r' id="([^"]+)"', clean(f'<rect id="Layer_1" width="{n}0" height="9"/>')) for n in (1, 2)
    )
    assert one != other
    assert re.fullmatch(r"d[0-9a-f]{6}-0", one[0])


def test_a_reference_to_nothing_is_left_out() -> None:
    written = clean(
        f'{BOX}<rect width="5" height="5" fill="url(#none)" mask="url(#none)"/><use href="#none"/>'
    )
    assert "#none" not in written


def test_writing_is_set_in_letters_that_we_have() -> None:
    assert "Noto Sans" in clean('<text y="50" font-family="Comic Sans MS" font-size="40">Grüße</text>')
    assert refused(svg('<text y="50">証明</text>')) == "letters_unknown"


def test_pictures_in_it_are_drawn_anew() -> None:
    noted = io.BytesIO()
    Image.new("RGB", (900, 300), (0, 255, 0)).save(noted, "JPEG", comment=b"SECRET")
    address = "data:image/jpeg;base64," + base64.b64encode(noted.getvalue()).decode()
    written = clean(f'<image width="100" height="100" xlink:href="{address}"/>')
    (data,) = re.findall(r'href="data:image/png;base64,([^"]+)"', written)
    inner = Image.open(io.BytesIO(base64.b64decode(data)))
    assert inner.size == (512, 171)
    assert b"SECRET" not in base64.b64decode(data)
    assert refused(svg('<image href="data:image/png;base64,AAAA"/>')) == "type_unknown"


def test_a_drawing_that_is_too_long_is_kept_as_its_pixels() -> None:
    made = sanitise(svg("".join(f'<path d="M{n} 0{"l1 1" * 2000}" stroke="red"/>' for n in range(90))))
    assert made.svg.count("<image") == 1
    assert "<path" not in made.svg


def test_other_encodings_are_read() -> None:
    text = svg(BOX).decode()
    assert pixel(b"\xef\xbb\xbf" + text.encode(), 9, 9) == (0, 255, 0, 255)
    assert pixel(text.encode("utf-16"), 9, 9) == (0, 255, 0, 255)


NAMES = st.sampled_from(
    ["script", "g", "use", "style", "image", "a", "text", "mask", "set", "foreignObject", "rect", "svg"]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["href", "style", "fill", "onload", "id", "mask", "class", "d", "width", "viewBox", "x"]),
    st.sampled_from(
        ["#a", "a", "url(#a)", "url(//e)", "javascript:1", "5", "1e99", "M0 0", "fill:url(//e)", "0 0 9 9"]
    ),
    max_size=4,
)
TREES = st.recursive(
    st.builds(lambda name, said: (name, said, []), NAMES, ATTRIBUTES),
    lambda inner: st.builds(
        lambda name, said, inside: (name, said, inside), NAMES, ATTRIBUTES, st.lists(inner)
    ),
    max_leaves=12,
)


def _text(tree: tuple[str, dict[str, str], list[object]]) -> str:
    name, said, inside = tree
    attributes = "".join(f' {key}="{value}"' for key, value in said.items())
    inner = "".join(_text(one) for one in inside)  # type: ignore[arg-type]
    return f"<{name}{attributes}>{inner}</{name}>"


@given(TREES)
def test_whatever_comes_what_is_written_is_plain_and_stays_as_it_is(
    tree: tuple[str, dict[str, str], list[object]],
) -> None:
    try:
        written = clean_svg(svg(BOX + _text(tree)), 512, lambda _content: b"")
    except ImageInvalid:
        return
    assert not re.search(r"script|onload|//e\b|style=", written)
    assert {element.tag for element in fromstring(written).iter()} <= ELEMENTS
    assert clean_svg(svg(written), 512, lambda _content: b"").count("<") == written.count("<") + 2
