"""Pathways: everything of the organisation that asks for something or is asked for, as maps and as lists."""

from __future__ import annotations

from flask import Blueprint, Response, request
from flask_babel import get_locale

from lti_tool.web.pathway_map import draw
from lti_tool.web.pathway_words import map_words
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import current_staff, number_of_page, page

blueprint = Blueprint("pathways", __name__)


@blueprint.get("/pathways")
def show() -> Response:
    """Every pathway, or what leads to one badge and what comes after it."""
    view = current_tool().pathways.every(
        current_staff(), page=number_of_page(), around=request.args.get("around", "").strip()
    )
    locale = get_locale()
    is_rtl = locale is not None and locale.text_direction == "rtl"
    called = map_words(is_personal=False)
    maps = [draw(one, called, is_rtl=is_rtl) for one in view.pathways]
    return page("pathways", view=view, maps=maps)
