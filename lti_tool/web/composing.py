"""The picture's part of the micromodule form: the composer, its templates, and pictures of one's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from flask import current_app, request

from lti_tool.credentials.artwork import (
    MINIMUM_GRAPHIC_CONTRAST,
    MINIMUM_TEXT_CONTRAST,
    SHAPES,
    contrast_ratio,
    icon_names,
    needed_contrast,
)
from lti_tool.credentials.designs import in_colours, pairs, readable_on
from lti_tool.credentials.uploads import MAXIMUM_BYTES, MEDIA_TYPES
from lti_tool.errors import CredentialInvalid, RequestInvalid
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.web import writing
from lti_tool.web.picture_words import design_word
from lti_tool.web.wording import icon_word, shape_word

FIELDS = ("shape", "icon", "background", "foreground", "text", "image_alt", "picture_id")
FILE = "picture"
SIZES = (128, 64, 32)
"""Pixels in which badges are shown: in backpacks, in lists, beside names."""
DEFAULT_SHAPE = "hexagon"
DEFAULT_ICON = "award"
DEFAULT_BACKGROUND = "#0b6a5d"
DEFAULT_FOREGROUND = "#ffffff"
DESIGN = "design-"
COLOURS = "colours-"
COMPOSE = "compose"
SHOW = "picture"
UPLOAD = "upload"
"""What the buttons of this part are called; of a template or pair of colours its name follows."""
FILE_BYTES = 16 * 1024 * 1024
"""What a form may be larger by when a file is sent along: a telephone's photograph is larger than what is
taken, and whoever chose one is told so beside everything else they typed."""


@dataclass(frozen=True, slots=True)
class Choice:
    """A button that changes several fields at once."""

    action: str
    word: str
    picture_url: str
    fields: Mapping[str, str]


def make_room(endpoint: str | None, room: str, *views: Callable[..., Any]) -> None:
    """Let a form of ``room``, a blueprint as endpoints name it, come with a file where one of ``views`` takes
    it.

    For a blueprint's ``url_value_preprocessor``: that runs before anything reads the body.
    """
    if request.method == "POST" and endpoint in {f"{room}.{view.__name__}" for view in views}:
        request.max_content_length = current_app.config["MAX_CONTENT_LENGTH"] + FILE_BYTES


def picture_address(artwork: Mapping[str, Any]) -> str:
    """Where a picture is drawn that nothing shows yet."""
    look = {name: str(value) for name, value in artwork.items() if value and name != "alt"}
    return writing.preview_address(**look)


def with_artwork(form: MicromoduleForm, palette: Sequence[str] = ()) -> MicromoduleForm:
    """The form with something to draw where there is no choice yet, in the organisation's first colour."""
    if form.picture_id:
        return form
    background = form.background or (palette[0] if palette else DEFAULT_BACKGROUND)
    foreground = form.foreground
    if not foreground:
        foreground = DEFAULT_FOREGROUND if background == DEFAULT_BACKGROUND else _readable_on(background)
    return replace(
        form,
        shape=form.shape or DEFAULT_SHAPE,
        icon=form.icon or DEFAULT_ICON,
        background=background,
        foreground=foreground,
    )


def _readable_on(background: str) -> str:
    try:
        return readable_on(background)
    except RequestInvalid:
        return DEFAULT_FOREGROUND


def artwork_of(fields: Mapping[str, str]) -> dict[str, str]:
    """The picture's fields among others."""
    return {name: fields[name] for name in FIELDS if name in fields}


def sent_file() -> bytes | None:
    """The picture that was sent along with this request; ``None`` where none was chosen."""
    file = request.files.get(FILE)
    if file is None or not file.filename:
        return None
    content: bytes = file.read(MAXIMUM_BYTES + 1)
    return content


def press(form: MicromoduleForm, action: str, palette: Sequence[str]) -> tuple[MicromoduleForm, str] | None:
    """Do what one of this part's buttons says.

    :returns: the form, and the id of the field to go on with; ``None`` for the other parts' buttons.
    """
    if action == COMPOSE:
        return with_artwork(replace(form, picture_id=""), palette), "shape"
    if action in (SHOW, UPLOAD):
        return form, "image_alt" if form.picture_id else "shape"
    for choice in (*_designs(palette), *_colours(form, palette)):
        if choice.action == action:
            fields = {**form.to_fields(), "picture_id": "", **choice.fields}
            return MicromoduleForm.from_fields(fields), "shape"
    return None


def _designs(palette: Sequence[str]) -> list[Choice]:
    found = []
    for name, design in in_colours(palette).items():
        fields: dict[str, Any] = {
            "shape": design.shape,
            "icon": design.icon,
            "background": design.background,
            "foreground": design.foreground,
        }
        picture = writing.preview_address(**fields)
        found.append(Choice(DESIGN + name, design_word(name), picture, fields))
    return found


def _colours(form: MicromoduleForm, palette: Sequence[str]) -> list[Choice]:
    found = []
    for background, foreground in pairs(palette):
        fields: dict[str, Any] = {"background": background, "foreground": foreground}
        drawn = {"shape": form.shape, "icon": form.icon, **fields}
        picture = writing.preview_address(**drawn)
        found.append(Choice(COLOURS + background.removeprefix("#"), background, picture, fields))
    return found


def composer(form: MicromoduleForm, palette: Sequence[str] = ()) -> dict[str, Any]:
    """What this part of the page needs: lists, the picture's address, the contrast."""
    chosen: dict[str, Any] = {name: getattr(form, name) for name in FIELDS if name != "image_alt"}
    if form.picture_id:
        chosen = {"picture_id": form.picture_id}
    try:
        # Never rounded up: what is too weak must not look like enough.
        contrast = Decimal(math.floor(contrast_ratio(form.background, form.foreground) * 10)) / 10
    except (CredentialInvalid, RequestInvalid):
        contrast = None
    return {
        "shapes": [(name, shape_word(name)) for name in SHAPES],
        "icons": sorted(((name, icon_word(name)) for name in icon_names()), key=lambda choice: choice[1]),
        "artwork_preview": writing.preview_address(),
        "artwork_url": writing.preview_address(**{k: v for k, v in chosen.items() if v}),
        "contrast": contrast,
        "contrast_needed": Decimal(str(needed_contrast(form.text))),
        "minimum_graphic_contrast": MINIMUM_GRAPHIC_CONTRAST,
        "minimum_text_contrast": MINIMUM_TEXT_CONTRAST,
        "picture_sizes": SIZES,
        "picture_types": ",".join(MEDIA_TYPES),
        "picture_megabytes": MAXIMUM_BYTES // 1024**2,
        "designs": _designs(palette),
        "palette": palette,
        "palette_choices": _colours(form, palette),
    }
