"""Invitations, and registrations by them, in each state that a page shows."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.lti.registering import PlatformConfiguration
from lti_tool.lti.registration import OFFERED_SCOPES, PLACEMENTS, SCOPES
from lti_tool.platforms import ConnectionGuidance, ConnectionSteps
from lti_tool.services.inviting import InvitationLink, Offer, Standing
from lti_tool.store.invitations import InvitationView, StandingRow
from tests.unit.web.sample_views import BASE_URL, NOW

INVITE, TICKET, DONE = "good-invitation", "sealed-ticket", "sealed-done"
MOODLE = "https://moodle.example.edu"
CANVAS = "https://canvas.instructure.com"

INVITATION = InvitationView(
    id="invitation-1",
    organisation_id="organisation-1",
    organisation_name="Example University",
    name="Our Moodle",
    approves=True,
    created_by="staff:member-1",
    created_at=NOW - timedelta(days=1),
    expires_at=NOW + timedelta(days=6),
    claimed_until=None,
    used_at=None,
    withdrawn_at=None,
    registration_id=None,
    registration_name=None,
)
USED = replace(
    INVITATION, id="invitation-2", used_at=NOW, registration_id="registration-1", registration_name="Moodle"
)
INVITATIONS = (
    INVITATION,
    USED,
    replace(INVITATION, id="invitation-3", name="", expires_at=NOW - timedelta(days=1), approves=False),
    replace(INVITATION, id="invitation-4", withdrawn_at=NOW),
)
LINK = InvitationLink(f"{BASE_URL}/lti/register?invite={INVITE}", INVITATION)

CONFIGURATIONS = {
    "moodle": PlatformConfiguration(
        issuer=MOODLE,
        auth_url=f"{MOODLE}/mod/lti/auth.php",
        token_url=f"{MOODLE}/mod/lti/token.php",
        jwks_url=f"{MOODLE}/mod/lti/certs.php",
        registration_url=f"{MOODLE}/mod/lti/openid-registration.php",
        product="moodle",
        version="4.4 (Build: 20240422)",
        scopes=frozenset(SCOPES),
        messages={"LtiResourceLinkRequest": (), "LtiDeepLinkingRequest": ("ContentArea",)},
    ),
    "canvas": PlatformConfiguration(
        issuer=CANVAS,
        auth_url="https://sso.canvaslms.com/api/lti/authorize_redirect",
        token_url="https://sso.canvaslms.com/login/oauth2/token",
        jwks_url="https://sso.canvaslms.com/api/lti/security/jwks",
        registration_url="https://example.instructure.com/api/lti/registrations",
        product="canvas",
        version="vCloud",
        account_name="Example University",
        scopes=frozenset((*SCOPES, *OFFERED_SCOPES)),
        messages={
            "LtiResourceLinkRequest": ("course_navigation",),
            "LtiDeepLinkingRequest": tuple(one.name for one in PLACEMENTS),
        },
    ),
    "other": PlatformConfiguration(
        issuer="https://lms.example.org",
        auth_url="https://lms.example.org/auth",
        token_url="https://lms.example.org/token",
        jwks_url="https://lms.example.org/jwks",
        registration_url="https://lms.example.org/register",
        product="other",
    ),
}
OFFERS = {
    "moodle": Offer(INVITATION, CONFIGURATIONS["moodle"], TICKET),
    "canvas": Offer(replace(INVITATION, approves=False), CONFIGURATIONS["canvas"], TICKET),
    "update": Offer(
        replace(INVITATION, registration_id="registration-1", registration_name="Moodle"),
        CONFIGURATIONS["other"],
        TICKET,
    ),
}

_ROW = StandingRow(
    registration_id="registration-1",
    name="Our Moodle",
    product="moodle",
    issuer=MOODLE,
    status="approved",
    configured_at=NOW - timedelta(minutes=2),
    deployments=1,
    approved_deployments=1,
    approves_deployments=False,
    last_launched_at=None,
    refused_code=None,
)
_TOOLS = ConnectionGuidance(f"{MOODLE}/mod/lti/toolconfigure.php")
_APPS = ConnectionGuidance("https://example.instructure.com/accounts/self/settings/configurations")
WAITING = Standing(_ROW, ConnectionSteps.ACTIVATE, _TOOLS)
WORKING = Standing(
    replace(_ROW, last_launched_at=NOW - timedelta(minutes=1)), ConnectionSteps.ACTIVATE, _TOOLS
)
STANDINGS = {
    "waiting": WAITING,
    "refused": Standing(
        replace(_ROW, refused_code=ErrorCode.LAUNCH_KEYS_UNREACHABLE.value), ConnectionSteps.ACTIVATE, _TOOLS
    ),
    "pending": Standing(
        replace(_ROW, product="canvas", status="pending", approved_deployments=0, deployments=0),
        ConnectionSteps.ENABLE,
        _APPS,
    ),
    "unknown-steps": Standing(replace(_ROW, product="other"), ConnectionSteps.UNKNOWN, None),
    "working": WORKING,
}


class SampleInviting:
    """One good invitation; what pages show of it is what a test put in."""

    def __init__(self, record: Any) -> None:
        self.record = record
        self.offer_view = OFFERS["moodle"]
        self.standing_view = STANDINGS["waiting"]
        self.staff_view: Standing | None = None
        self.invitations: tuple[InvitationView, ...] = INVITATIONS

    def look(self, token: str) -> InvitationView:
        if token == "used-invitation":
            raise NotAllowed(ErrorCode.INVITATION_USED)
        if token != INVITE:
            raise NotFound(ErrorCode.INVITATION_UNKNOWN)
        return INVITATION

    def offer(self, token: str, url: str, registration_token: str) -> Offer:
        self.look(token)
        self.record("offer", url, registration_token)
        return self.offer_view

    def register(self, ticket: str, texts: object, icon_url: str) -> str:
        self.record("register", ticket)
        return DONE

    def standing(self, done: str) -> Standing:
        return self.standing_view

    def standing_of(self, by: object, registration_id: str) -> Standing | None:
        return self.staff_view

    def list(self, by: object) -> tuple[InvitationView, ...]:
        return self.invitations

    def invite(self, by: object, **given: Any) -> InvitationLink:
        self.record("invite_platform", given)
        return LINK

    def withdraw(self, by: object, invitation_id: str) -> InvitationView:
        self.record("withdraw_invitation", invitation_id)
        return INVITATION
