"""A data privacy launch (Data Privacy Launch 1.0), from an administrator's page about one person.

No Canvas sends it; it stands here for the platforms that do. Moodle has none either.
"""

from typing import Any

from flask import Blueprint

from tests.simulator.canvas import messages
from tests.simulator.canvas.launching import login_request
from tests.simulator.canvas.lms import Canvas
from tests.simulator.canvas.site import Answer
from tests.simulator.canvas.web import the_lms
from tests.simulator.claims import CLAIM_CONTEXT, CLAIM_MESSAGE_TYPE, CLAIM_ROLES, L
from tests.simulator.lms import Session, ToolType, User
from tests.simulator.web import PageError, page, require_session

blueprint = Blueprint("privacy", __name__)


def privacy_request(lms: Canvas, session: Session, tool: ToolType, about: User) -> dict[str, Any]:
    """The message: no context, no link, no services; roles of institution and system only."""
    claims = messages._common(lms, session, tool, lms.site_course, None, tool.url)
    claims[CLAIM_MESSAGE_TYPE] = "DataPrivacyLaunchRequest"
    del claims[CLAIM_CONTEXT]
    claims[CLAIM_ROLES] = [role for role in claims[CLAIM_ROLES] if "/membership" not in role]
    claims[L + "for_user"] = {"user_id": lms.sub(about), "name": about.name, "email": about.email}
    return claims


@blueprint.get("/users/<int:user_id>/external_tools/<int:tool_id>/personal_data")
def personal_data(user_id: int, tool_id: int) -> Answer:
    """What a tool stores about a person: shown by the tool, to whoever may open this page."""
    lms, session = the_lms(), require_session()
    tool, about = lms.tools.get(tool_id), lms.users.get(user_id)
    if tool is None or about is None:
        raise PageError("Page Not Found", 404)
    with lms.lock:
        message = privacy_request(lms, session, tool, about)
    return page(
        "tool.html",
        course=lms.site_course,
        title="Personal data",
        action=tool.initiate_login_url,
        fields=login_request(lms, session, tool, lms.site_course, message),
        in_window=False,
    )
