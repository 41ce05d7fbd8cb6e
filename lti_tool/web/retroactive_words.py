"""Words for switching a badge on: why somebody gets none, where a date is from, how far awarding is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask
from flask_babel import gettext as _

from lti_tool.domain.retroactive import DateSource, Withheld

if TYPE_CHECKING:
    from lti_tool.store.runs import RunView


def register(app: Flask) -> None:
    """Let templates say them."""
    app.jinja_env.globals.update(
        withheld_sentence=withheld_sentence,
        dated_sentence=dated_sentence,
        awarding_sentence=awarding_sentence,
    )


def withheld_sentence(withheld: Withheld | str) -> str:
    """Why somebody gets no badge."""
    words: dict[str, str] = {
        Withheld.HELD: _("has a badge of it already"),
        Withheld.ENDED: _("the badges of that version are over"),
        Withheld.TEST_USER: _("test user"),
        Withheld.STAFF: _("teaches the course"),
        Withheld.NOT_A_LEARNER: _("is not in the course as a learner"),
        Withheld.NOT_A_STUDENT: _("the platform takes no score"),
        Withheld.UNPROVED: _("not proved to be a learner"),
    }
    return words[str(withheld)]


def dated_sentence(source: DateSource | str) -> str:
    """Where a date is from."""
    words: dict[str, str] = {
        DateSource.TOLD: _("as the platform or a teacher dated it"),
        DateSource.SEEN: _("when it was seen here; nobody told a date"),
    }
    return words[str(source)]


def awarding_sentence(run: RunView) -> str:
    """How awarding stands."""
    if run.is_paused:
        return _(
            "Paused. Who has the badge keeps it; the others wait, or get it when their course is read next."
        )
    words = {
        "waiting": _("Awarding is about to begin."),
        "running": _("Badges are being awarded."),
        "done": _("Everybody who completed it has been looked at."),
        "failed": _("Awarding was broken off."),
    }
    return words[run.status]
