"""Which course a session may look into, or change: the first line of everything that staff do."""

from __future__ import annotations

from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.launching import SessionView


def viewed_course(session: SessionView) -> tuple[str, str]:
    """Organisation and context of somebody who may see everybody's progress.

    :raises NotAllowed: for anybody else.
    :raises NotFound: ``context_not_found`` for a launch without a course.
    """
    if not session.can_view_progress:
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "no right to see progress")
    if session.context_id is None:
        raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)
    return session.organisation_id, session.context_id


def configured_course(session: SessionView) -> tuple[str, str]:
    """Organisation and context of somebody who may change the course's badges.

    :raises NotAllowed: for anybody else, and while they look as somebody else.
    """
    if not session.can_configure or session.is_read_only or session.context_id is None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "configuring needs an editing role in a course")
    return session.organisation_id, session.context_id
