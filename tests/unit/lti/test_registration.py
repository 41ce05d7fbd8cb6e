"""The configuration of a Canvas developer key, held against Canvas's own description of it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from lti_tool.lti.claims import DEEP_LINKING_REQUEST, KEPT_CUSTOM, RESOURCE_LINK_REQUEST
from lti_tool.lti.registration import ToolTexts, canvas_configuration, custom_parameters
from lti_tool.platforms import PLATFORMS

BASE = "https://badges.example:8443"
TEXTS = ToolTexts("Badges", "Open Badges.", "Add a badge", "My badges")
DOCUMENTED = {
    "title",
    "description",
    "oidc_initiation_url",
    "oidc_initiation_urls",
    "target_link_uri",
    "redirect_uris",
    "scopes",
    "extensions",
    "public_jwk",
    "public_jwk_url",
    "custom_fields",
}
"""Canvas, doc/api/lti_dev_key_config.md; of an unknown name, a spelling mistake, Canvas says nothing."""
IN_EXTENSION = {"domain", "tool_id", "platform", "privacy_level", "settings"}
IN_SETTINGS = {"text", "icon_url", "selection_width", "selection_height", "placements"}
IN_PLACEMENT = {
    "placement",
    "message_type",
    "target_link_uri",
    "text",
    "icon_url",
    "selection_width",
    "selection_height",
    "required_permissions",
    "custom_fields",
    "windowTarget",
    "display_type",
    "default",
    "visibility",
    "enabled",
}
ALLOWED_SCOPES = {
    "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
    "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly",
    "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
    "https://purl.imsglobal.org/spec/lti-ags/scope/score",
    "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
}
CHOOSING = {
    "assignment_selection",
    "link_selection",
    "editor_button",
    "course_assignments_menu",
    "module_index_menu_modal",
    "module_menu_modal",
}
"""Placements whose deep linking request takes an ltiResourceLink (Canvas, deep_linking_request.rb)."""


@pytest.fixture
def configuration() -> dict[str, Any]:
    made = canvas_configuration(BASE, TEXTS, f"{BASE}/favicon.ico")
    read: dict[str, Any] = json.loads(json.dumps(made))
    return read


def test_every_name_is_one_that_canvas_reads(configuration: dict[str, Any]) -> None:
    assert configuration.keys() <= DOCUMENTED
    (extension,) = configuration["extensions"]
    assert extension.keys() == IN_EXTENSION
    assert extension["settings"].keys() == IN_SETTINGS
    for placement in extension["settings"]["placements"]:
        assert placement.keys() <= IN_PLACEMENT


def test_what_canvas_requires_is_there(configuration: dict[str, Any]) -> None:
    assert configuration["title"] == "Badges"
    assert configuration["description"] == "Open Badges."
    assert configuration["oidc_initiation_url"] == f"{BASE}/lti/login"
    assert configuration["target_link_uri"] == f"{BASE}/lti/launch"
    assert configuration["redirect_uris"] == [f"{BASE}/lti/launch"]
    assert configuration["public_jwk_url"] == f"{BASE}/lti/jwks.json"
    (extension,) = configuration["extensions"]
    assert extension["platform"] == "canvas.instructure.com"
    assert extension["privacy_level"] == "public"
    assert extension["domain"] == "badges.example:8443"
    assert extension["settings"]["icon_url"] == f"{BASE}/favicon.ico"


def test_it_asks_for_exactly_what_the_tool_uses(configuration: dict[str, Any]) -> None:
    assert set(configuration["scopes"]) == ALLOWED_SCOPES
    assert len(configuration["scopes"]) == len(ALLOWED_SCOPES)


def test_each_placement_sends_the_message_that_it_can(configuration: dict[str, Any]) -> None:
    placements = {
        placement["placement"]: placement
        for placement in configuration["extensions"][0]["settings"]["placements"]
    }
    assert placements.keys() == {*CHOOSING, "course_navigation"}
    for name, placement in placements.items():
        wanted = DEEP_LINKING_REQUEST if name in CHOOSING else RESOURCE_LINK_REQUEST
        assert placement["message_type"] == wanted, name
        assert placement["target_link_uri"] == f"{BASE}/lti/launch"
        assert placement["text"]


def test_the_custom_fields_are_the_public_ones(configuration: dict[str, Any]) -> None:
    assert configuration["custom_fields"] == {
        "context_history": "$Context.id.history",
        "link_history": "$ResourceLink.id.history",
        "locale": "$Message.locale",
        "student_view": "$com.instructure.User.student_view",
        "masquerade": "$Canvas.masqueradingUser.id",
        "link_id": "$ResourceLink.id",
        "assignment_id": "$Canvas.assignment.id",
    }


@pytest.mark.parametrize("product", PLATFORMS)
def test_every_custom_parameter_that_is_asked_for_is_read(product: str) -> None:
    assert custom_parameters(product).keys() <= KEPT_CUSTOM
    assert all(value.startswith("$") for value in custom_parameters(product).values())
