"""What ``/lti/connect`` shows: every value that an LMS asks for, under the name that the LMS gives it.

Labels are the LMS's own, in English, as they stand in its forms; what is said about them is translated.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from flask_babel import gettext

from lti_tool.lti import registration
from lti_tool.lti.oidc import LAUNCH_PATH


@dataclass(frozen=True, slots=True)
class ConnectField:
    """One field of a platform's form."""

    label: str
    value: str
    hint: str = ""
    choice: bool = False
    """Chosen from a list there, so that there is nothing to copy."""


@dataclass(frozen=True, slots=True)
class ScopeReason:
    """One permission, under the names that the platforms give it, and what it is for."""

    scope: str
    reason: str


def tool_texts() -> registration.ToolTexts:
    """How the tool is called in an LMS."""
    return registration.ToolTexts(
        title=gettext("Badges"),
        description=gettext("Open Badges for finished micromodules, issued and shown inside the course."),
        choose=gettext("Add a badge"),
        wallet=gettext("Badges"),
    )


def moodle_fields(base_url: str) -> tuple[ConnectField, ...]:
    """Moodle's form "configure a tool manually", in the order of its fields (seen on 4.4)."""
    return (
        ConnectField("Tool name", gettext("Badges")),
        ConnectField("Tool URL", base_url + LAUNCH_PATH),
        ConnectField("LTI version", "LTI 1.3", choice=True),
        ConnectField("Public key type", "Keyset URL", choice=True),
        ConnectField("Public keyset", base_url + registration.KEYS_PATH),
        ConnectField("Initiate login URL", base_url + registration.LOGIN_PATH),
        ConnectField("Redirection URI(s)", base_url + LAUNCH_PATH),
        ConnectField("Custom parameters", _parameters("moodle")),
        ConnectField(
            "Tool configuration usage", "Show in activity chooser and as a preconfigured tool", choice=True
        ),
        ConnectField("Default launch container", "Embed, without blocks", choice=True),
        ConnectField("Supports Deep Linking (Content-Item Message)", "✓", choice=True),
        ConnectField("Content Selection URL", base_url + LAUNCH_PATH),
        ConnectField(
            "IMS LTI Assignment and Grade Services",
            "Use this service for grade sync and column management",
            choice=True,
        ),
        ConnectField(
            "IMS LTI Names and Role Provisioning",
            "Use this service to retrieve members' information as per privacy settings",
            choice=True,
        ),
        ConnectField("Share launcher's name with tool", "Always", choice=True),
        ConnectField("Share launcher's email with tool", "Always", _about_addresses(), choice=True),
        ConnectField("Accept grades from the tool", "Delegate to teacher", choice=True),
    )


def canvas_fields(base_url: str) -> tuple[ConnectField, ...]:
    """Canvas's form for an LTI key with the method "Manual Entry", in the order of its fields."""
    texts = tool_texts()
    services = (
        "Can create and view assignment data in the gradebook associated with the tool.",
        "Can view assignment data in the gradebook associated with the tool.",
        "Can view submission data for assignments associated with the tool.",
        "Can create and update submission results for assignments associated with the tool.",
        "Can retrieve user data associated with the context the tool is installed in.",
    )
    return (
        ConnectField("Key Name", texts.title),
        ConnectField("Redirect URIs", base_url + LAUNCH_PATH),
        ConnectField("Method", "Manual Entry", choice=True),
        ConnectField("Title", texts.title),
        ConnectField("Description", texts.description),
        ConnectField("Target Link URI", base_url + LAUNCH_PATH),
        ConnectField("OpenID Connect Initiation Url", base_url + registration.LOGIN_PATH),
        ConnectField("JWK Method", "Public JWK URL", choice=True),
        ConnectField("Public JWK URL", base_url + registration.KEYS_PATH),
        *(ConnectField("LTI Advantage Services", service, choice=True) for service in services),
        ConnectField("Custom Fields", _parameters("canvas")),
        ConnectField("Privacy Level", "Public", _about_addresses(), choice=True),
        ConnectField(
            "Placements",
            "Assignment Selection, Link Selection, Editor Button, Course Navigation",
            gettext(
                "Message type: LtiDeepLinkingRequest for the first three, LtiResourceLinkRequest for Course "
                "Navigation."
            ),
            choice=True,
        ),
    )


def scope_reasons(scopes: Iterable[str] = registration.SCOPES) -> tuple[ScopeReason, ...]:
    """Permissions that the tool asks for, and why; none of them reaches other tools' columns."""
    reasons = (
        gettext("makes the columns in which you grade what earns a badge, in your own gradebook"),
        gettext("finds the columns it made before, so that a copied course gets none twice"),
        gettext("reads the grades in its own columns, and in no others"),
        gettext("writes the award into the badge's own column, so that the course can go on from there"),
        gettext("knows who is in the course, so that a badge arrives without a visit"),
        gettext("knows which groups the course has, so that you can look at one of them"),
        gettext("hears when a course is copied, so that the copy does not begin from nothing"),
    )
    known = (*registration.SCOPES, *registration.OFFERED_SCOPES)
    of = dict(zip(known, reasons, strict=True))
    return tuple(ScopeReason(scope, of[scope]) for scope in scopes)


def placement_words(placements: Iterable[registration.Placement]) -> tuple[str, ...]:
    """Where the tool will stand, in words."""
    words = {
        "ContentArea": gettext("where teachers add activities"),
        "assignment_selection": gettext("in assignments"),
        "link_selection": gettext("in modules"),
        "editor_button": gettext("in the editor of pages"),
        "course_assignments_menu": gettext("in the menu of the list of assignments"),
        "module_index_menu_modal": gettext("in the menu of the list of modules"),
        "module_menu_modal": gettext("in the menu of each module"),
        "course_navigation": gettext("in the menu of each course, as everybody's own badges"),
    }
    return tuple(words.get(placement.name, placement.name) for placement in placements)


def _parameters(product: str) -> str:
    """As both products take them: one to a line."""
    return "\n".join(f"{name}={value}" for name, value in registration.custom_parameters(product).items())


def _about_addresses() -> str:
    return gettext("The address is never published: badges carry a salted hash of it, or nothing.")
