"""When a badge ends, and what can be done about it, in words."""

from __future__ import annotations

from datetime import UTC

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.domain.renewal import Ending, Nearness
from lti_tool.web.i18n import day, now


def register(app: Flask) -> None:
    """Give the words to templates."""
    app.jinja_env.globals.update(
        ending_word=ending_word, ending_advice=ending_advice, renewal_words=renewal_words
    )


def ending_word(ending: Ending) -> str:
    """How near the end is: "Ends in 12 days", by the calendar, as :func:`~lti_tool.web.i18n.day` writes the
    date beside it."""
    if ending.nearness is Nearness.OVER:
        return _("Ended")
    days = (ending.ends_at.astimezone(UTC).date() - now().astimezone(UTC).date()).days
    if days <= 0:
        return _("Ends today")
    if days == 1:
        return _("Ends tomorrow")
    return ngettext("Ends in %(num)s day", "Ends in %(num)s days", days)


def ending_advice(ending: Ending) -> str:
    """What its holder can do."""
    window = ending.window
    if window is None:
        if ending.nearness is Nearness.OVER:
            # A newer version is offered beside it; that it was earned is said with the day.
            return _("It is not renewed.")
        return _("It is not renewed. That you earned it stays true.")
    if ending.is_missed and window.ends_at is not None:
        return _(
            "Until %(closing)s it could be earned again. Ask those who give it how you can get a new one.",
            closing=day(window.ends_at),
        )
    if not ending.is_open and window.starts_at is not None:
        return _("From %(opening)s on you can earn it again, to keep it.", opening=day(window.starts_at))
    opening = day(window.starts_at) if window.starts_at is not None else ""
    if window.ends_at is None:
        sentence = _("Meet its criteria again: what you achieve since %(opening)s counts.", opening=opening)
    else:
        sentence = _(
            "Meet its criteria again: what you achieve from %(opening)s to %(closing)s counts.",
            opening=opening,
            closing=day(window.ends_at),
        )
    outcome = _("Then it is valid again.") if ending.nearness is Nearness.OVER else _("Then it goes on.")
    return f"{sentence} {outcome}"


def renewal_words(ending: Ending, *, has_left: bool = False) -> str:
    """The same to those who look after a badge, in short.

    :param has_left: its holder takes part in no course any more that renews it.
    """
    window = ending.window
    if window is None:
        return _("Not renewed")
    if ending.is_missed:
        return _("Was open until %(closing)s", closing=day(window.ends_at)) if window.ends_at else ""
    if has_left:
        return _("Has left the course, and cannot renew it")
    if not ending.is_open:
        return _("From %(opening)s on", opening=day(window.starts_at)) if window.starts_at else ""
    if window.ends_at is None:
        return _("Open")
    return _("Open until %(closing)s", closing=day(window.ends_at))
