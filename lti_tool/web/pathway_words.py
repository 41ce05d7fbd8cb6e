"""Sentences of pathways that the map and the list share."""

from __future__ import annotations

from collections.abc import Callable

from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.services.pathways import StepNeed
from lti_tool.web.i18n import number


def set_words(*, is_personal: bool) -> Callable[[StepNeed], str]:
    """What is said of a need that is no step of the way: of a set to choose from how much of it is done,
    where the page is somebody's; of what is not there any more its name."""

    def called(need: StepNeed) -> str:
        if not need.is_set:
            return need.name
        if is_personal:
            return _(
                "%(done)s of %(least)s micromodules: %(name)s",
                done=number(need.reached),
                least=number(need.least),
                name=need.name,
            )
        return ngettext(
            "%(num)s micromodule: %(name)s", "%(num)s micromodules: %(name)s", need.least, name=need.name
        )

    return called


def map_words(*, is_personal: bool) -> Callable[[StepNeed], str]:
    """The same, short enough for a box of the drawing."""

    def called(need: StepNeed) -> str:
        if not need.is_set:
            return need.name
        if is_personal:
            done, least = number(need.reached), number(need.least)
            return _("%(done)s of %(least)s: %(name)s", done=done, least=least, name=need.name)
        return _("Any %(number)s: %(name)s", number=number(need.least), name=need.name)

    return called
