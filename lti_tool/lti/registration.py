"""What an LMS is told about this tool when it is connected.

One of the three places where a product's name may be compared. What a person types into a form is on the
page ``/lti/connect``; here is what an LMS reads by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from lti_tool.lti import claims, grades, memberships
from lti_tool.lti.oidc import LAUNCH_PATH
from lti_tool.platforms import platform_for

LOGIN_PATH: Final = "/lti/login"
KEYS_PATH: Final = "/lti/jwks.json"
CANVAS_PATH: Final = "/lti/canvas.json"

SCORE_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
SCOPES: Final = (
    grades.LINE_ITEM_SCOPE,
    grades.LINE_ITEM_READ_SCOPE,
    grades.RESULT_SCOPE,
    SCORE_SCOPE,
    memberships.SCOPE,
)
"""Everything that the tool ever asks for: columns, the grades in them, the award's score, the roster."""

CANVAS: Final = "canvas.instructure.com"
"""Canvas's own name in a developer key's ``extensions``."""
CANVAS_TOOL_ID: Final = "lti-badges"
CANVAS_PRIVACY: Final = "public"
"""Name and e-mail address: whose badge it is, and the salted hash by which a backpack knows its owner."""
CANVAS_FRAME: Final = {"selection_width": 900, "selection_height": 700}
"""Pixels of the window in which a teacher chooses a micromodule."""
CANVAS_CHOOSING: Final = ("assignment_selection", "link_selection", "editor_button")
"""Where a teacher places a badge: an assignment, a module item, a link in a page."""
CANVAS_WALLET: Final = "course_navigation"


@dataclass(frozen=True, slots=True)
class ToolTexts:
    """How the tool is called in an LMS, in the language of whoever connects it."""

    title: str
    description: str
    choose: str
    """The button or menu entry by which a teacher places a badge."""
    wallet: str
    """The entry of a course's menu by which learners reach their badges."""


def canvas_configuration(base_url: str, texts: ToolTexts, icon_url: str) -> dict[str, Any]:
    """The JSON configuration of a Canvas developer key (Canvas, doc/api/lti_dev_key_config.md).

    :param base_url: this installation's origin.
    """
    launch_url = base_url + LAUNCH_PATH
    choosing = [
        {
            "placement": placement,
            "message_type": claims.DEEP_LINKING_REQUEST,
            "target_link_uri": launch_url,
            "text": texts.choose,
            "icon_url": icon_url,
            **CANVAS_FRAME,
        }
        for placement in CANVAS_CHOOSING
    ]
    wallet: dict[str, Any] = {
        "placement": CANVAS_WALLET,
        "message_type": claims.RESOURCE_LINK_REQUEST,
        "target_link_uri": launch_url,
        "text": texts.wallet,
        "icon_url": icon_url,
        "default": "enabled",
        "visibility": "members",
    }
    return {
        "title": texts.title,
        "description": texts.description,
        "oidc_initiation_url": base_url + LOGIN_PATH,
        "target_link_uri": launch_url,
        "redirect_uris": [launch_url],
        "scopes": list(SCOPES),
        "public_jwk_url": base_url + KEYS_PATH,
        "custom_fields": dict(custom_parameters("canvas")),
        "extensions": [
            {
                "platform": CANVAS,
                "domain": urlsplit(base_url).netloc,
                "tool_id": CANVAS_TOOL_ID,
                "privacy_level": CANVAS_PRIVACY,
                "settings": {
                    "text": texts.title,
                    "icon_url": icon_url,
                    **CANVAS_FRAME,
                    "placements": [*choosing, wallet],
                },
            }
        ],
    }


def custom_parameters(product: str) -> Mapping[str, str]:
    """The custom parameters that an LMS of this product is asked to send: name, and its variable."""
    return platform_for(product).custom_parameters
