"""Strangers' SVG, written anew: what is known to be harmless is kept, everything else is left out.

A badge's picture is opened in browsers, mail programs and backpacks that nobody here knows. So nothing is
filtered out of the text that came: it is read as XML without entities, and a new text is written from the
elements, attributes and values of an allow-list. Script, event handlers, style sheets (their plain rules
become attributes), foreign objects, animations, links, fonts and everything that is fetched have no place
in it. What a drawing asks for in the end, each copy and mask counted, is bounded (:data:`MAXIMUM_COST`).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Final
from xml.etree.ElementTree import Element

from lti_tool.credentials.baking import parse_svg
from lti_tool.credentials.errors import ImageInvalid
from lti_tool.credentials.typefaces import FAMILIES, unknown_characters

MAXIMUM_COST: Final = 20_000
"""Elements that are drawn in the end, a copied one each time; a detailed coat of arms has 3,000."""
MAXIMUM_COORDINATE: Final = 1_000_000.0
MAXIMUM_IMAGES: Final = 10
_MAXIMUM_STYLE_RULES: Final = 1_000
_MAXIMUM_VALUE: Final = 400_000
"""Characters of one attribute; the outline of a map is long."""
_LAYER: Final = 50
"""What a mask, a clip, a pattern or the opacity of a group costs beside what is in it: a picture of its
own to paint, some four milliseconds."""
_BYTES_PER_COST: Final = 200

_SVG: Final = "http://www.w3.org/2000/svg"
_XLINK_HREF: Final = "{http://www.w3.org/1999/xlink}href"

_KEPT: Final = frozenset(
    "svg g defs symbol use path rect circle ellipse line polyline polygon text tspan textPath image "
    "linearGradient radialGradient stop clipPath mask pattern".split()
)
_AS_GROUP: Final = frozenset({"a", "switch"})
"""Only what is inside them counts: a link leads nowhere, and of a switch the known branch is drawn."""
_WORDS: Final = frozenset({"text", "tspan", "textPath"})

_NUMBER: Final = r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_LENGTH: Final = re.compile(rf"({_NUMBER})(px|pt|pc|mm|cm|in|em|ex|%)?")
_NUMBERS: Final = re.compile(_NUMBER)
_PATH: Final = re.compile(r"[MmZzLlHhVvCcSsQqTtAa0-9eE.,+\-\s]*")
_TRANSFORM: Final = re.compile(
    r"\s*(?:(?:matrix|translate|scale|rotate|skewX|skewY)\s*\([0-9eE.,+\-\s]{1,200}\)[\s,]*){1,20}"
)
_KEYWORD: Final = re.compile(r"[A-Za-z][A-Za-z\-]{0,29}(?: [A-Za-z][A-Za-z\-]{0,29}){0,2}")
_COLOUR: Final = re.compile(
    r"#[0-9A-Fa-f]{3,8}|(?:rgba?|hsla?)\([0-9.,%/\s+\-]{1,60}(?:deg)?[0-9.,%/\s+\-]{0,60}\)|[A-Za-z]{3,30}"
)
_LOCAL_URL: Final = re.compile(r"url\(\s*(['\"]?)#([^'\"()\s]{1,200})\1\s*\)(.*)", re.DOTALL)
_DATA: Final = re.compile(r"\s*data:image/(?:png|jpe?g|gif|webp);base64,([A-Za-z0-9+/=\s]+)\Z")
_COMMENT: Final = re.compile(r"/\*.*?\*/", re.DOTALL)
_RULE: Final = re.compile(r"([^{}]{1,2000})\{([^{}]{0,20000})\}")
_SELECTOR: Final = re.compile(r"(?:svg\s+)?([A-Za-z]{0,20})([.#]?)([A-Za-z_][\w\-]{0,100})?")
_PIXELS: Final = {"": 1.0, "px": 1.0, "pt": 4 / 3, "pc": 16.0, "mm": 96 / 25.4, "cm": 96 / 2.54, "in": 96.0}

_GEOMETRY: Final = frozenset(
    "x y width height rx ry cx cy r x1 y1 x2 y2 fx fy fr dx dy rotate offset viewBox startOffset textLength "
    "stroke-width stroke-miterlimit stroke-dashoffset font-size letter-spacing word-spacing points "
    "fill-opacity stroke-opacity opacity stop-opacity".split()
)
_KEYWORDS: Final = frozenset(
    "fill-rule clip-rule stroke-linecap stroke-linejoin display visibility text-anchor font-style "
    "paint-order gradientUnits spreadMethod patternUnits patternContentUnits clipPathUnits "
    "maskUnits maskContentUnits preserveAspectRatio dominant-baseline direction mask-type "
    "lengthAdjust".split()
)
_PAINTS: Final = frozenset({"fill", "stroke", "color", "stop-color"})
_TRANSFORMS: Final = frozenset({"transform", "gradientTransform", "patternTransform"})
_LAYERS: Final = frozenset({"clip-path", "mask"})
_STYLED: Final = (
    _KEYWORDS
    | _PAINTS
    | _LAYERS
    | frozenset(
        "stroke-width stroke-miterlimit stroke-dasharray stroke-dashoffset font-size font-weight "
        "letter-spacing word-spacing fill-opacity stroke-opacity opacity stop-opacity transform".split()
    )
)
"""What a style sheet or a ``style`` attribute may say."""

Pixels = Callable[[bytes], bytes]
"""Decodes a picture of pixels and gives it back as a PNG of ours; raises :class:`ImageInvalid`."""


@dataclass
class _Node:
    """An element as it will be written."""

    name: str
    attributes: dict[str, str] = field(default_factory=dict)
    children: list[_Node | str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    """Ids that it refers to, as the file calls them."""
    id: str = ""


@dataclass(frozen=True)
class _StyleRule:
    element: str
    kind: str
    name: str
    values: Mapping[str, str]

    @property
    def weight(self) -> int:
        return {"": 0, ".": 10, "#": 100}[self.kind] + (1 if self.element else 0)


@dataclass(frozen=True)
class _Reading:
    rules: tuple[_StyleRule, ...]
    pixels: Pixels
    prefix: str
    ids: dict[str, _Node] = field(default_factory=dict)
    images: list[str] = field(default_factory=list)


def clean_svg(content: bytes, size: int, pixels: Pixels) -> str:
    """The drawing as an element ``svg`` of ``size`` × ``size`` that stands within another, centred, nothing
    cut off.

    :param pixels: re-encodes pictures of pixels that stand in it.
    :raises ImageInvalid: ``not_svg``, ``too_complex``, ``letters_unknown`` where it has writing that our
        fonts do not hold, ``no_size``.
    """
    try:
        root = parse_svg(content, most_bytes=len(content))
    except ImageInvalid as error:
        # Not of bytes, which the caller counts: it is too deep, or has too many elements.
        raise ImageInvalid("too_complex" if error.reason == "too_large" else error.reason) from None
    reading = _Reading(tuple(_style_rules(root)), pixels, f"d{hashlib.sha256(content).hexdigest()[:6]}-")
    node = _read(root, reading)
    if node is None or node.name != "svg":
        raise ImageInvalid("not_svg")
    _resolve(node, reading)
    if _cost(node, reading) > MAXIMUM_COST:
        raise ImageInvalid("too_complex")
    for name in ("x", "y", "transform", "id", "preserveAspectRatio"):
        node.attributes.pop(name, None)
    node.attributes["viewBox"] = _view_box(root)
    node.attributes["width"] = node.attributes["height"] = str(size)
    return _written(node)


def _local(name: object) -> str:
    """The name of an SVG element; empty for those of other vocabularies."""
    if not isinstance(name, str):
        return ""
    space, _, local = name.rpartition("}")
    return local if space in ("", "{" + _SVG) else ""


def _style_rules(root: Element) -> Iterator[_StyleRule]:
    """Plain rules of the style sheets in a drawing; what begins with ``@`` is left out with all it holds."""
    found = 0
    for element in root.iter():
        if _local(element.tag) != "style":
            continue
        text = re.sub(
            r"@[^{};]*(?:;|\{(?:[^{}]*\{[^{}]*\})*[^{}]*\})", " ", _COMMENT.sub(" ", element.text or "")
        )
        for selectors, body in _RULE.findall(text):
            values = _declarations(body)
            for selector in selectors.split(","):
                matched = _SELECTOR.fullmatch(selector.strip())
                found += 1
                if found > _MAXIMUM_STYLE_RULES:
                    raise ImageInvalid("too_complex")
                if matched and bool(matched[2]) == bool(matched[3]):
                    yield _StyleRule(matched[1], matched[2], matched[3] or "", values)


def _declarations(text: str) -> dict[str, str]:
    values = {}
    for one in text.split(";"):
        name, colon, value = one.partition(":")
        name = name.strip().lower()
        if colon and name in _STYLED:
            values[name] = value.replace("!important", "").strip()
    return values


def _read(element: Element, reading: _Reading) -> _Node | None:
    name = _local(element.tag)
    if name in _AS_GROUP:
        name = "g"
    if name not in _KEPT:
        return None
    node = _Node(name)
    _take_attributes(node, element, reading)
    if name == "image" and "href" not in node.attributes:
        return None
    has_words = name in _WORDS
    if has_words:
        node.attributes["font-family"] = ", ".join(f"'{family}'" for family in FAMILIES) + ", sans-serif"
        _add_words(node, element.text)
    for child in element:
        inner = _read(child, reading)
        if inner is not None:
            node.children.append(inner)
        if has_words:
            _add_words(node, child.tail)
    return node


def _add_words(node: _Node, text: str | None) -> None:
    if text:
        if unknown_characters("".join(text.split())):
            raise ImageInvalid("letters_unknown")
        node.children.append(text)


def _take_attributes(node: _Node, element: Element, reading: _Reading) -> None:
    for name, value in _said(node.name, element, reading.rules).items():
        if len(value) <= _MAXIMUM_VALUE:
            _take(node, name, value.strip())
    href = (element.get("href") or element.get(_XLINK_HREF) or "").strip()
    if node.name == "image":
        _take_image(node, href, reading)
    elif href.startswith("#") and node.name in (
        "use",
        "textPath",
        "linearGradient",
        "radialGradient",
        "pattern",
    ):
        node.attributes["href"] = href
        node.names.append(href[1:])
    own = (element.get("id") or "").strip()
    if own and own not in reading.ids:
        reading.ids[own] = node
        node.id = own


def _said(name: str, element: Element, rules: tuple[_StyleRule, ...]) -> dict[str, str]:
    """What is said of an element: by attributes, over them style sheets, over them its ``style``."""
    said = {key: value for key, value in element.attrib.items() if not key.startswith("{")}
    classes = (element.get("class") or "").split()
    matching = [
        rule
        for rule in rules
        if (not rule.element or rule.element == name)
        and (
            not rule.kind
            or (rule.kind == "." and rule.name in classes)
            or (rule.kind == "#" and rule.name == element.get("id"))
        )
    ]
    for rule in sorted(matching, key=lambda one: one.weight):
        said.update(rule.values)
    said.update(_declarations(_COMMENT.sub(" ", said.pop("style", ""))))
    return said


def _take(node: _Node, name: str, value: str) -> None:
    """One attribute, if its name is known and its value is what such a value may be."""
    is_good = False
    if name in _PAINTS or name in _LAYERS:
        local = _LOCAL_URL.fullmatch(value)
        if local and name != "color":
            node.names.append(local[2])
            rest = local[3].strip()
            value = f"url(#{local[2]})" + (f" {rest}" if _COLOUR.fullmatch(rest) else "")
            is_good = True
        else:
            is_good = bool(_COLOUR.fullmatch(value)) and (name in _PAINTS or value == "none")
    elif name in _GEOMETRY:
        is_good = _are_lengths(value)
    elif name == "stroke-dasharray":
        is_good = value == "none" or (_are_lengths(value) and _is_coarse(value))
    elif name == "d":
        is_good = bool(_PATH.fullmatch(value)) and _in_range(value)
    elif name in _TRANSFORMS:
        is_good = bool(_TRANSFORM.fullmatch(value)) and _in_range(value)
    elif name in _KEYWORDS:
        is_good = bool(_KEYWORD.fullmatch(value))
    elif name == "font-weight":
        is_good = (
            value in ("normal", "bold", "bolder", "lighter") or re.fullmatch("[1-9]00", value) is not None
        )
    if is_good:
        node.attributes[name] = value


def _are_lengths(value: str) -> bool:
    parts = [part for part in re.split(r"[\s,]+", value) if part]
    if len(parts) > 1 and not all(_LENGTH.fullmatch(part) for part in parts):
        # points may stand without anything between them: "10-5"
        return bool(re.fullmatch(r"[0-9eE.,+\-\s]*", value)) and _in_range(value)
    return bool(parts) and all(_LENGTH.fullmatch(part) for part in parts) and _in_range(value)


def _in_range(value: str) -> bool:
    return all(abs(float(number)) <= MAXIMUM_COORDINATE for number in _NUMBERS.findall(value))


def _is_coarse(dashes: str) -> bool:
    """Whether dashes are not so fine that a line falls into millions of them."""
    lengths = [float(number) for number in _NUMBERS.findall(dashes)]
    return min(lengths) >= 0 and sum(lengths) >= 0.05 and len(lengths) <= 20


def _take_image(node: _Node, href: str, reading: _Reading) -> None:
    data = _DATA.match(href)
    if data is None:
        return
    if len(reading.images) >= MAXIMUM_IMAGES:
        raise ImageInvalid("too_complex")
    try:
        content = base64.b64decode(data[1], validate=False)
    except (binascii.Error, ValueError):
        raise ImageInvalid("broken") from None
    address = "data:image/png;base64," + base64.b64encode(reading.pixels(content)).decode()
    reading.images.append(address)
    node.attributes["href"] = address


def _resolve(node: _Node, reading: _Reading) -> None:
    """Give ids that no other drawing on the same page has; a reference to nothing is left out."""
    new = {name: f"{reading.prefix}{number}" for number, name in enumerate(reading.ids)}

    def walk(one: _Node) -> None:
        one.names = [name for name in one.names if name in new]
        if one.id:
            one.attributes["id"] = new[one.id]
        for name, value in list(one.attributes.items()):
            if name == "href" and one.name != "image":
                target = new.get(value[1:])
                if target is None:
                    del one.attributes[name]
                else:
                    one.attributes[name] = f"#{target}"
            elif name in _PAINTS or name in _LAYERS:
                local = _LOCAL_URL.fullmatch(value)
                if local is None:
                    continue
                target = new.get(local[2])
                if target is not None:
                    one.attributes[name] = f"url(#{target}){local[3]}"
                elif local[3].strip():
                    one.attributes[name] = local[3].strip()
                else:
                    del one.attributes[name]
        for child in one.children:
            if isinstance(child, _Node):
                walk(child)

    walk(node)


def _cost(root: _Node, reading: _Reading) -> int:
    """What drawing it comes to, with each reference followed.

    :raises ImageInvalid: ``too_complex`` where something refers to itself.
    """
    known: dict[int, tuple[int, int]] = {}
    under_way: set[int] = set()

    def cost(node: _Node) -> tuple[int, int]:
        """And how many shapes are drawn for it: each is filled anew with the pattern of its group."""
        key = id(node)
        if key in known:
            return known[key]
        if key in under_way or len(under_way) > 150:
            raise ImageInvalid("too_complex")
        under_way.add(key)
        total = 1 + sum(len(value) for value in node.attributes.values()) // _BYTES_PER_COST
        shapes = 0
        for child in node.children:
            if isinstance(child, _Node):
                inner, drawn = cost(child)
                total, shapes = total + inner, shapes + drawn
            else:
                total += 1 + len(child) // _BYTES_PER_COST
        total += _LAYER * len(_LAYERS & node.attributes.keys())
        if "opacity" in node.attributes:
            total += _LAYER if node.children or node.name == "use" else _LAYER // 10
        patterns = 0
        for name in node.names:
            inner, drawn = cost(reading.ids[name])
            if reading.ids[name].name == "pattern":
                patterns += inner + _LAYER
            else:
                total, shapes = total + inner, shapes + (drawn if node.name == "use" else 0)
        shapes = max(shapes, 1)
        total += patterns * shapes
        under_way.discard(key)
        known[key] = (total, shapes)
        return known[key]

    return cost(root)[0]


def _view_box(root: Element) -> str:
    """The part of the plane that is shown; its sides where the file names only those."""
    said = [float(number) for number in _NUMBERS.findall(root.get("viewBox") or "")]
    if len(said) != 4:
        said = [0.0, 0.0, *(_side(root.get(name)) for name in ("width", "height"))]
    if not all(math.isfinite(one) and abs(one) <= MAXIMUM_COORDINATE for one in said):
        raise ImageInvalid("no_size")
    if min(said[2:]) < 0.001:
        raise ImageInvalid("no_size")
    return " ".join(f"{one:g}" if one == round(one) else f"{one:.4f}" for one in said)


def _side(text: str | None) -> float:
    length = _LENGTH.fullmatch((text or "").strip())
    if length is None or (length[2] or "") not in _PIXELS:
        raise ImageInvalid("no_size")
    return float(length[1]) * _PIXELS[length[2] or ""]


def _written(node: _Node) -> str:
    attributes = "".join(f' {name}="{escape(value)}"' for name, value in node.attributes.items())
    if not node.children:
        return f"<{node.name}{attributes}/>"
    inner = "".join(
        _written(child) if isinstance(child, _Node) else escape(child, quote=False) for child in node.children
    )
    return f"<{node.name}{attributes}>{inner}</{node.name}>"
