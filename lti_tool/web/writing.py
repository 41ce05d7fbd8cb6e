"""Who describes a badge in this request: somebody who teaches, in a course, or the organisation's staff.

The form is the same; where it looks skills up, keeps pictures and draws its preview depends on who it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from flask import Flask, g, url_for

from lti_tool.domain.staff import Permission
from lti_tool.web.i18n import language_tag
from lti_tool.web.session import current_session, current_tool

if TYPE_CHECKING:
    from lti_tool.services.frameworks import Found
    from lti_tool.services.staffing import StaffView
    from lti_tool.store.frameworks import SkillView
    from lti_tool.store.pictures import PictureView


def register(app: Flask) -> None:
    """Let the form say where its script searches skills."""
    app.jinja_env.globals.update(skills_address=skills_address)


def editor() -> StaffView | None:
    """Who of the staff describes it; ``None`` for somebody in a course.

    :raises NotAllowed: STAFF_NOT_ALLOWED for staff without the right.
    """
    staff: StaffView | None = g.get("staff")
    if staff is not None:
        staff.require(Permission.EDIT_MICROMODULES)
    return staff


def organisation_id() -> str:
    """Whose badge it is going to be."""
    staff = editor()
    return current_session().organisation_id if staff is None else staff.organisation_id


def preview_address(**fields: Any) -> str:
    """Where the composer's picture is drawn."""
    endpoint = "configure.preview_artwork" if editor() is None else "staff.versions.preview_artwork"
    return url_for(endpoint, **fields)


def skills_address() -> str:
    """Where the script searches skills."""
    return url_for("configure.skill_results" if editor() is None else "staff.versions.skill_results")


def search_skills(text: str) -> Found:
    """Skills of the organisation's frameworks.

    :raises NotAllowed: for anybody who may not describe badges.
    """
    staff, frameworks = editor(), current_tool().frameworks
    if staff is None:
        return frameworks.search_in_course(current_session(), text, language=language_tag())
    return frameworks.search(staff.organisation_id, text, language=language_tag())


def skill(item_id: str) -> SkillView:
    """One skill, to be taken into the badge.

    :raises NotAllowed: as :func:`search_skills`. :raises NotFound: NOT_FOUND.
    """
    staff, frameworks = editor(), current_tool().frameworks
    if staff is None:
        return frameworks.skill(current_session(), item_id)
    return frameworks.skill_of(staff.organisation_id, item_id)


def upload(content: bytes) -> PictureView:
    """Keep a picture of one's own.

    :raises NotAllowed: as :func:`search_skills`. :raises RequestInvalid: ``form_invalid``.
    """
    staff, pictures = editor(), current_tool().pictures
    if staff is None:
        return pictures.upload(current_session(), content)
    return pictures.accept(staff.organisation_id, content, staff.actor)
