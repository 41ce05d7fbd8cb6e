"""What an LMS is told about this tool when it is connected.

One of the three places where a product's name may be compared. What a person types into a form is on the
page ``/lti/connect``; here is what an LMS reads by itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from lti_tool.lti import claims, grades, memberships
from lti_tool.lti.observing import GROUPS_SCOPE, NOTICES_SCOPE
from lti_tool.lti.oidc import LAUNCH_PATH
from lti_tool.lti.registering import TOOL_CONFIGURATION, PlatformConfiguration
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
"""What the tool needs: columns, the grades in them, the award's score, the roster."""
OFFERED_SCOPES: Final = (GROUPS_SCOPE, NOTICES_SCOPE)
"""What is asked for as well where a platform's configuration offers it: course groups, notices."""
PERSONAL_CLAIMS: Final = ("name", "given_name", "family_name", "email")
"""Whose badge it is, and the address that its recipient's salted hash is made from."""

CANVAS: Final = "canvas.instructure.com"
"""Canvas's own name in a developer key's ``extensions``."""
CANVAS_TOOL_ID: Final = "lti-badges"
CANVAS_PRIVACY: Final = "public"
"""Name and e-mail address: whose badge it is, and the salted hash by which a backpack knows its owner."""
CANVAS_WALLET: Final = "course_navigation"
CANVAS_FRAME: Final = {"selection_width": 900, "selection_height": 700}
"""Pixels of the window in which a teacher chooses a micromodule."""


@dataclass(frozen=True, slots=True)
class ToolTexts:
    """How the tool is called in an LMS, in the language of whoever connects it."""

    title: str
    description: str
    choose: str
    """The button or menu entry by which a teacher places a badge."""
    wallet: str
    """The entry of a course's menu by which learners reach their badges."""


@dataclass(frozen=True, slots=True)
class Placement:
    """One place of an LMS where the tool stands, and what a click there opens."""

    name: str
    message_type: str
    entry: Literal["choose", "wallet"]
    """Which of :class:`ToolTexts` its button or menu entry is called by."""

    def label(self, texts: ToolTexts) -> str:
        """The words of its button or menu entry."""
        return texts.choose if self.entry == "choose" else texts.wallet


PLACEMENTS: Final = (
    Placement("assignment_selection", claims.DEEP_LINKING_REQUEST, "choose"),
    Placement("link_selection", claims.DEEP_LINKING_REQUEST, "choose"),
    Placement("editor_button", claims.DEEP_LINKING_REQUEST, "choose"),
    Placement("course_assignments_menu", claims.DEEP_LINKING_REQUEST, "choose"),
    Placement("module_index_menu_modal", claims.DEEP_LINKING_REQUEST, "choose"),
    Placement("module_menu_modal", claims.DEEP_LINKING_REQUEST, "choose"),
    Placement("course_navigation", claims.RESOURCE_LINK_REQUEST, "wallet"),
)
"""Where a Canvas shows the tool: its developer key and Dynamic Registration ask for the same."""
CANVAS_CHOOSING: Final = tuple(one.name for one in PLACEMENTS if one.entry == "choose")
"""Where a teacher places a badge: an assignment, a module item, a link in a page; several at once in the
menus of assignments and modules."""
STANDARD_PLACEMENTS: Final = (Placement("ContentArea", claims.DEEP_LINKING_REQUEST, "choose"),)
"""The one that Dynamic Registration 1.0 §5.4 names which takes links, and which Moodle offers."""


def canvas_configuration(base_url: str, texts: ToolTexts, icon_url: str) -> dict[str, Any]:
    """The JSON configuration of a Canvas developer key (Canvas, doc/api/lti_dev_key_config.md).

    :param base_url: this installation's origin.
    """
    launch_url = base_url + LAUNCH_PATH
    placements = [
        {
            "placement": one.name,
            "message_type": one.message_type,
            "target_link_uri": launch_url,
            "text": one.label(texts),
            "icon_url": icon_url,
            **(CANVAS_FRAME if one.entry == "choose" else {"default": "enabled", "visibility": "members"}),
        }
        for one in PLACEMENTS
    ]
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
                    "placements": placements,
                },
            }
        ],
    }


def custom_parameters(product: str) -> Mapping[str, str]:
    """The custom parameters that an LMS of this product is asked to send: name, and its variable."""
    return platform_for(product).custom_parameters


def scopes_to_ask(configuration: PlatformConfiguration) -> tuple[str, ...]:
    """The permissions that a platform is asked for: what it says it has not is not asked for."""
    offered = configuration.scopes
    if offered is None:
        return SCOPES
    return tuple(scope for scope in (*SCOPES, *OFFERED_SCOPES) if scope in offered)


def placements_to_ask(configuration: PlatformConfiguration) -> tuple[Placement, ...]:
    """Where the tool asks to stand, of what the platform names."""
    return tuple(
        one
        for one in (*STANDARD_PLACEMENTS, *PLACEMENTS)
        if one.name in configuration.messages.get(one.message_type, ())
    )


def registration_request(
    configuration: PlatformConfiguration, base_url: str, texts: ToolTexts, icon_url: str
) -> dict[str, Any]:
    """The client registration that the tool sends (LTI Dynamic Registration 1.0 §3.5).

    :param base_url: this installation's origin.
    """
    launch_url = base_url + LAUNCH_PATH
    tool: dict[str, Any] = {
        # Moodle compares the two (400 domain_targetlinkuri_mismatch), port included.
        "domain": urlsplit(base_url).netloc,
        "target_link_uri": launch_url,
        "description": texts.description,
        "custom_parameters": dict(custom_parameters(configuration.product)),
        "claims": ["iss", "sub", *PERSONAL_CLAIMS],
        "messages": _messages(configuration, launch_url, texts, icon_url),
    }
    if configuration.product == "canvas":
        tool[f"https://{CANVAS}/lti/privacy_level"] = CANVAS_PRIVACY
        tool[f"https://{CANVAS}/lti/tool_id"] = CANVAS_TOOL_ID
    return {
        "application_type": "web",
        "response_types": ["id_token"],
        "grant_types": ["implicit", "client_credentials"],
        "initiate_login_uri": base_url + LOGIN_PATH,
        "redirect_uris": [launch_url],
        "client_name": texts.title,
        "jwks_uri": base_url + KEYS_PATH,
        "logo_uri": icon_url,
        "client_uri": base_url,
        "token_endpoint_auth_method": "private_key_jwt",
        "scope": " ".join(scopes_to_ask(configuration)),
        TOOL_CONFIGURATION: tool,
    }


def _messages(
    configuration: PlatformConfiguration, launch_url: str, texts: ToolTexts, icon_url: str
) -> list[dict[str, Any]]:
    """One message for each kind of entry: its words stand once for all of its placements."""
    asked = placements_to_ask(configuration)
    messages = []
    for type_, entry in ((claims.DEEP_LINKING_REQUEST, "choose"), (claims.RESOURCE_LINK_REQUEST, "wallet")):
        if configuration.messages and type_ not in configuration.messages:
            continue
        here = [one for one in asked if (one.message_type, one.entry) == (type_, entry)]
        message: dict[str, Any] = {"type": type_, "target_link_uri": launch_url}
        if here:
            message |= {
                "label": here[0].label(texts),
                "icon_uri": icon_url,
                "placements": [one.name for one in here],
                "roles": [],
            }
        if any(one.name == CANVAS_WALLET for one in here):
            message |= {
                f"https://{CANVAS}/lti/course_navigation/default_enabled": True,
                f"https://{CANVAS}/lti/visibility": "members",
            }
        messages.append(message)
    # What no menu entry opens: the gradebook, and whoever looks after people's data.
    unplaced = (claims.SUBMISSION_REVIEW_REQUEST, claims.DATA_PRIVACY_REQUEST)
    offered = [type_ for type_ in unplaced if type_ in configuration.messages]
    return [*messages, *({"type": type_, "target_link_uri": launch_url} for type_ in offered)]
