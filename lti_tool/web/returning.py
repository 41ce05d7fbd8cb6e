"""The way back into the course, and what the LMS is told with it (LTI Core §5.4.4, ``return_url``).

Only an address that the LMS itself signed is ever linked to: that of the session, of a session that is over,
or of a launch that was refused after its signature had proved good. No visitor chooses it.
"""

from __future__ import annotations

from typing import Protocol
from urllib.parse import urlencode, urlsplit

from flask import Flask, g

from lti_tool.errors import LaunchRefused
from lti_tool.lti.claims import http_url
from lti_tool.platforms import platform_for

LONGEST_MESSAGE = 500
LONGEST_URL = 4000
"""Beyond it servers and browsers give up: then the LMS is told nothing, and the person still gets back."""


class Way(Protocol):
    """What knows the way back: a session, or a launch that was refused."""

    @property
    def return_url(self) -> str | None:
        """As the LMS signed it."""

    @property
    def product(self) -> str | None:
        """Which platform it is."""


def way_back() -> Way | None:
    """Whose way back this request may show: its session's, else that of what was refused."""
    for found in (g.get("session"), g.get("ended_session"), g.get("refused")):
        if found is not None and found.return_url:
            return found  # type: ignore[no-any-return]
    return None


def back_to_course(
    *, message: str = "", log: str = "", error: str = "", error_log: str = "", way: Way | None = None
) -> str | None:
    """The address that leads back to where the launch came from; ``None`` where the LMS signed none.

    :param message: for the person, in the language of the page, about what was done (``lti_msg``).
    :param log: for the LMS's log: a stable name, no sentence (``lti_log``).
    :param error: for the person, about what went wrong (``lti_errormsg``).
    :param error_log: for the log: an error code (``lti_errorlog``).
    """
    way = way or way_back()
    url = http_url(way.return_url) if way is not None else None
    if way is None or url is None:
        return None
    told = {"lti_log": log, "lti_errorlog": error_log}
    if way.product is None or platform_for(way.product).shows_return_message:
        told |= {"lti_msg": message, "lti_errormsg": error}
    return with_told(url, {name: value for name, value in told.items() if value})


def with_told(url: str, told: dict[str, str]) -> str:
    """``url`` with parameters added at the end of its query; what it holds already stays as it stands.

    LMSs put what they need into the query (Moodle: course and ``sesskey``), in their own spelling.
    """
    if not told:
        return url
    parts = urlsplit(url)
    cleaned = {name: " ".join(value.split())[:LONGEST_MESSAGE] for name, value in told.items()}
    query = "&".join(filter(None, (parts.query.strip("&"), urlencode(cleaned))))
    longer = parts._replace(query=query).geturl()
    return longer if len(longer) <= LONGEST_URL else url


def register(app: Flask) -> None:
    """Let pages at the end of something lead back."""
    app.jinja_env.globals["back_to_course"] = back_to_course


def note_refused(error: LaunchRefused) -> None:
    """Let the page about a refused launch speak its language and lead back, as far as it proved genuine."""
    g.refused = error
