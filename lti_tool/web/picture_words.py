"""Pictures in words: what is wrong with an upload, and what the composer's templates are for."""

from __future__ import annotations

from collections.abc import Mapping

from flask_babel import gettext as _


def picture_problem(code: str, params: Mapping[str, object]) -> str | None:
    """Why an uploaded picture, or a colour of an organisation, is not taken; ``None`` for other problems."""
    sentences = {
        "picture_missing": _("Choose a file first."),
        "picture_empty": _("This file is empty. Choose another one."),
        "picture_too_large": _(
            "This file is too large: at most %(megabytes)s MB.", megabytes=params.get("megabytes", "")
        ),
        "picture_too_many_pixels": _(
            "This picture has too many pixels: at most %(megapixels)s million. Make it smaller first.",
            megapixels=params.get("megapixels", ""),
        ),
        "picture_type": _("This is no picture that can be used. Choose a PNG, JPEG, WebP, GIF or SVG file."),
        "picture_broken": _("This file is damaged: it cannot be read to its end."),
        "picture_blank": _("Nothing is to be seen in this picture."),
        "picture_not_plain": _(
            "This drawing cannot be read. Export it as plain SVG with a size, or as PNG, and choose that."
        ),
        "picture_too_complex": _("This picture is too complex. Simplify it, or export it as PNG."),
        "picture_letters": _(
            "This drawing has letters that cannot be shown. Turn its text into paths, or export it as PNG."
        ),
        "picture_busy": _("Too many pictures are being read just now. Try again in a few seconds."),
        "picture_too_many": _(
            "You have uploaded %(limit)s pictures within a day. Go on tomorrow.",
            limit=params.get("limit", ""),
        ),
        "not_colours": _(
            "Enter one colour on each line, such as #0b6a5d: %(given)s is none.",
            given=params.get("given", ""),
        ),
    }
    return sentences.get(code)


def design_word(name: str) -> str:
    """A template of the composer, by the kind of skill that it is for."""
    return {
        "general": _("General"),
        "data": _("Data"),
        "digital": _("Digital skills"),
        "programming": _("Programming"),
        "research": _("Research"),
        "mathematics": _("Mathematics"),
        "languages": _("Languages"),
        "writing": _("Writing"),
        "teamwork": _("Teamwork"),
        "leadership": _("Leadership"),
        "teaching": _("Teaching"),
        "health": _("Health"),
        "safety": _("Safety"),
        "craft": _("Craft"),
        "creativity": _("Creativity"),
        "sustainability": _("Sustainability"),
    }.get(name, name)
