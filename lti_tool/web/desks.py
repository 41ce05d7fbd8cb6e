"""Pages about a published micromodule that serve somebody who teaches, from the course, and the
organisation's staff alike; a :class:`Desk` says whose they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for

from lti_tool.services.next_version import Author
from lti_tool.services.staffing import Acting
from lti_tool.web.session import current_session, current_tool


@dataclass(frozen=True, slots=True)
class Desk:
    """Whose pages these are, and where they stand."""

    author: Author
    micromodule_id: str
    room: str
    """The blueprint, as endpoints name it."""
    values: Mapping[str, Any]
    """What its addresses name."""
    layout: str
    home: str
    """Where to go back to."""

    def address(self, page: str, /, **more: Any) -> str:
        """Of one of these pages."""
        return url_for(f"{self.room}.{page}", **self.values, **more)


def teaching(room: str, placement_id: str) -> Desk:
    """The pages of a placement's micromodule, for somebody who teaches in this course.

    :raises NotAllowed: unless they may configure it. :raises NotFound: ``placement_not_found``.
    """
    author = Author.teaching(current_session())
    return Desk(
        author,
        current_tool().versions.micromodule_of(author, placement_id),
        room,
        {"placement_id": placement_id},
        "layouts/frame.html",
        url_for("course.show"),
    )


def on_staff(room: str, micromodule_id: str, staff: Acting) -> Desk:
    """The same pages for the organisation's staff.

    :raises NotAllowed: without the right to edit micromodules.
    """
    return Desk(
        Author.on_staff(staff),
        micromodule_id,
        f"staff.{room}",
        {"micromodule_id": micromodule_id},
        "layouts/staff.html",
        url_for("staff.catalogue.micromodule", micromodule_id=micromodule_id),
    )
