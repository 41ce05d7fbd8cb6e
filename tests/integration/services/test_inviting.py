"""Invitations, and what an invited administrator, or whoever found the link, would try."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import sqlalchemy as sa
from requests.adapters import BaseAdapter

from lti_tool.domain.registrations import DeploymentStatus, RegistrationStatus, RegistrationView
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid, ToolError
from lti_tool.lti.registering import PLATFORM_CONFIGURATION, TOOL_CONFIGURATION
from lti_tool.lti.registration import ToolTexts
from lti_tool.outbound import Outbound, OutboundPolicy
from lti_tool.outbound import connection as connection_module
from lti_tool.services.inviting import CLAIM, FORM_LIFETIME, Inviting
from lti_tool.services.registration import Registrations
from lti_tool.services.staffing import Operator, Staffing, StaffView
from lti_tool.store import invitations as store
from lti_tool.store.connections import Invitation, RefusedLaunch
from lti_tool.store.database import Database
from lti_tool.store.tables import AuditEvent, Deployment, Registration, new_id
from tests.factories import NOW

BASE = "https://badges.example"
MOODLE = "https://moodle.example.edu"
URL = f"{MOODLE}/mod/lti/openid-configuration.php"
TOKEN = "eyJhbGciOiJSUzI1NiJ9.c2VjcmV0LXJlZ2lzdHJhdGlvbi10b2tlbg.c2lnbmF0dXJl"
TEXTS = ToolTexts("Badges", "Open Badges.", "Add a badge", "My badges")
ICON = f"{BASE}/icon.svg"
PRODUCTION = OutboundPolicy.of((), is_development=False, base_url=BASE)
SENSITIVE = ("auth_url", "token_url", "jwks_url")


class Platform(BaseAdapter):
    """An LMS that registers tools, as far as a test does not say otherwise."""

    def __init__(self, base: str = MOODLE) -> None:
        super().__init__()
        self.base = base
        self.configuration: dict[str, Any] = {
            "issuer": base,
            "authorization_endpoint": f"{base}/auth",
            "token_endpoint": f"{base}/token",
            "jwks_uri": f"{base}/certs",
            "registration_endpoint": f"{base}/register",
            PLATFORM_CONFIGURATION: {"product_family_code": "moodle", "version": "4.4"},
        }
        self.client_id = "client-1"
        self.deployment_id: str | None = "1"
        self.refuses: tuple[int, bytes] | None = None
        self.before_answering: Callable[[], None] = lambda: None
        self.requests: list[requests.PreparedRequest] = []

    def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
        self.requests.append(request)
        status, body = 200, json.dumps(self.configuration).encode()
        if request.method == "POST":
            self.before_answering()
            tool = {} if self.deployment_id is None else {"deployment_id": self.deployment_id}
            status, body = self.refuses or (
                200,
                json.dumps({"client_id": self.client_id, TOOL_CONFIGURATION: tool}).encode(),
            )
        response = requests.Response()
        response.status_code, response.url, response.raw = status, str(request.url), io.BytesIO(body)
        return response

    def close(self) -> None:
        """Nothing is open."""


class Desk:
    """The service with one LMS before it, for two organisations."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.platform = Platform()
        self.registrations = Registrations(database, self.clock)
        outbound = Outbound(PRODUCTION, mounts={MOODLE: self.platform}, refuse_in_transaction=True)
        self.inviting = Inviting(database, self.clock, outbound, self.registrations, b"s" * 32, BASE)
        self.ours = Operator(self.registrations.ensure_organisation("Ours").id)
        self.theirs = Operator(self.registrations.ensure_organisation("Theirs").id)

    def clock(self) -> Any:
        return self.now

    def invite(self, by: Operator | None = None, **given: Any) -> str:
        """The token of a new link."""
        link = self.inviting.invite(by or self.ours, **given)
        return parse_qs(urlsplit(link.url).query)["invite"][0]

    def ticket(self, token: str) -> str:
        return self.inviting.offer(token, URL, TOKEN).ticket

    def register(self, token: str) -> str:
        return self.inviting.register(self.ticket(token), TEXTS, ICON)

    def state(self, token: str) -> str:
        """Whether the link still works, or why not."""
        try:
            self.inviting.look(token)
        except ToolError as error:
            return error.code.value
        return "open"

    def stored(self) -> tuple[RegistrationView, ...]:
        return self.registrations.list()

    def rows(self, table: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(table)))


@pytest.fixture
def desk(sqlite_database: Database) -> Desk:
    return Desk(sqlite_database)


@pytest.fixture
def each_desk(database: Database) -> Desk:
    """For what a database does its own way."""
    return Desk(database)


def refusal(act: Callable[[], object]) -> ErrorCode:
    with pytest.raises(ToolError) as caught:
        act()
    return caught.value.code


# -- what an invitation is


@pytest.mark.parametrize("approves", [True, False])
def test_one_link_makes_one_registration_with_its_deployment(each_desk: Desk, approves: bool) -> None:
    token = each_desk.invite(name="Our Moodle", approves=approves)
    standing = each_desk.inviting.standing(each_desk.register(token))
    (made,) = each_desk.stored()
    assert (made.name, made.issuer, made.client_id, made.product) == (
        "Our Moodle",
        MOODLE,
        "client-1",
        "moodle",
    )
    assert made.default_organisation_id == each_desk.ours.organisation_id
    assert not made.approves_deployments
    (deployment,) = each_desk.registrations.show(made.id).deployments
    assert deployment.id_on_platform == "1"
    if approves:
        assert (made.status, deployment.status) == (RegistrationStatus.APPROVED, DeploymentStatus.APPROVED)
        assert deployment.organisation_id == each_desk.ours.organisation_id
    else:
        assert (made.status, deployment.status) == (RegistrationStatus.PENDING, DeploymentStatus.HELD)
        assert deployment.organisation_id is None
    assert standing.is_approved is approves
    assert not standing.is_working
    assert {event.action for event in each_desk.rows(AuditEvent)} >= {"invitation.used", "registration_added"}


def test_without_a_name_it_is_called_as_the_platform_is(desk: Desk) -> None:
    desk.register(desk.invite())
    assert desk.stored()[0].name == "moodle.example.edu"


def test_an_lms_that_names_no_deployment_yet_gets_the_rule(desk: Desk) -> None:
    desk.platform.deployment_id = None
    desk.register(desk.invite(approves=True))
    assert desk.stored()[0].approves_deployments


def test_without_approval_no_rule_is_made(desk: Desk) -> None:
    desk.platform.deployment_id = None
    desk.register(desk.invite())
    assert not desk.stored()[0].approves_deployments


def test_the_token_is_stored_hashed_and_by_no_other_secret(desk: Desk) -> None:
    token = desk.invite()
    (row,) = desk.rows(Invitation)
    assert token not in "".join(str(value) for value in vars(row).values())
    other = Inviting(desk.database, desk.clock, desk.inviting.outbound, desk.registrations, b"t" * 32, BASE)
    assert refusal(lambda: other.look(token)) is ErrorCode.INVITATION_UNKNOWN


@pytest.mark.parametrize("token", ["", "x", "x" * 101, "x" * 100_000, "\udcff", "ä" * 40])
def test_a_made_up_token_opens_nothing(desk: Desk, token: str) -> None:
    desk.invite()
    assert refusal(lambda: desk.inviting.look(token)) is ErrorCode.INVITATION_UNKNOWN


def test_an_invitation_ends(desk: Desk) -> None:
    token = desk.invite(days=2)
    ticket = desk.ticket(token)
    desk.now += timedelta(days=2)
    assert desk.state(token) == "invitation_expired"
    assert refusal(lambda: desk.inviting.register(ticket, TEXTS, ICON)) is ErrorCode.REGISTRATION_FORM_INVALID
    assert desk.stored() == ()


def test_a_form_ends_before_its_invitation_does(desk: Desk) -> None:
    ticket = desk.ticket(desk.invite())
    desk.now += FORM_LIFETIME
    assert refusal(lambda: desk.inviting.register(ticket, TEXTS, ICON)) is ErrorCode.REGISTRATION_FORM_INVALID


def test_a_withdrawn_invitation_lets_nobody_in(each_desk: Desk) -> None:
    token = each_desk.invite()
    ticket = each_desk.ticket(token)
    (view,) = each_desk.inviting.list(each_desk.ours)
    each_desk.inviting.withdraw(each_desk.ours, view.id)
    assert each_desk.state(token) == "invitation_withdrawn"
    assert refusal(lambda: each_desk.inviting.register(ticket, TEXTS, ICON)) is ErrorCode.INVITATION_WITHDRAWN
    each_desk.inviting.withdraw(each_desk.ours, view.id)
    assert [one.method for one in each_desk.platform.requests] == ["GET"]


def test_what_was_used_is_not_withdrawn(desk: Desk) -> None:
    desk.register(desk.invite())
    (view,) = desk.inviting.list(desk.ours)
    assert refusal(lambda: desk.inviting.withdraw(desk.ours, view.id)) is ErrorCode.CONFLICT


def test_nobody_sees_or_withdraws_another_organisations(desk: Desk) -> None:
    token = desk.invite()
    (view,) = desk.inviting.list(desk.ours)
    assert desk.inviting.list(desk.theirs) == ()
    with pytest.raises(NotFound):
        desk.inviting.withdraw(desk.theirs, view.id)
    assert desk.state(token) == "open"


@pytest.mark.parametrize("role", [StaffRole.EDITOR, StaffRole.REVIEWER, StaffRole.READER])
def test_only_an_owner_makes_and_withdraws(desk: Desk, role: StaffRole) -> None:
    staff = StaffView(
        "s", desk.ours.organisation_id, "Ours", "staff:x", "X", role, None, NOW + timedelta(hours=1)
    )
    desk.invite()
    (view,) = desk.inviting.list(staff)
    with pytest.raises(NotAllowed):
        desk.inviting.invite(staff)
    with pytest.raises(NotAllowed):
        desk.inviting.withdraw(staff, view.id)


@pytest.mark.parametrize("leaves", [True, False], ids=["disabled", "reader"])
def test_who_may_connect_no_platform_any_more_has_no_link_either(each_desk: Desk, leaves: bool) -> None:
    staffing = Staffing(each_desk.database, each_desk.clock, b"secret", BASE)
    staffing.invite(each_desk.ours, StaffRole.OWNER, name="Ola")
    ada = staffing.invite(each_desk.ours, StaffRole.OWNER, name="Ada").member
    made = Operator(each_desk.ours.organisation_id, f"staff:{ada.id}")
    used, unused, kept = each_desk.invite(made), each_desk.invite(made), each_desk.invite()
    each_desk.register(used)
    if leaves:
        staffing.disable(each_desk.ours, ada.id)
    else:
        staffing.change_role(each_desk.ours, ada.id, StaffRole.READER)
    assert each_desk.state(used) == "invitation_used"
    assert each_desk.state(unused) == "invitation_withdrawn"
    assert each_desk.state(kept) == "open"
    (event,) = [row for row in each_desk.rows(AuditEvent) if row.action == "invitation.withdrawn"]
    assert (event.actor, event.organisation_id) == ("cli", each_desk.ours.organisation_id)


def test_a_link_for_a_registration_that_is_gone_adds_none(each_desk: Desk) -> None:
    each_desk.register(each_desk.invite())
    (registration,) = each_desk.stored()
    token = each_desk.invite(registration_id=registration.id, approves=True)
    ticket = each_desk.ticket(token)
    each_desk.registrations.remove(registration.id)
    assert each_desk.state(token) == "invitation_withdrawn"
    assert refusal(lambda: each_desk.inviting.register(ticket, TEXTS, ICON)) is (
        ErrorCode.INVITATION_WITHDRAWN
    )
    assert each_desk.stored() == ()


@pytest.mark.parametrize("given", [{"days": 0}, {"days": 31}, {"name": "x" * 201}, {"name": "a\0b"}])
def test_what_cannot_be_is_refused(desk: Desk, given: dict[str, Any]) -> None:
    with pytest.raises(RequestInvalid):
        desk.inviting.invite(desk.ours, **given)


# -- a link is used once, and only by what succeeds


def test_a_replayed_invitation_is_refused(each_desk: Desk) -> None:
    token = each_desk.invite()
    ticket = each_desk.ticket(token)
    each_desk.inviting.register(ticket, TEXTS, ICON)
    assert each_desk.state(token) == "invitation_used"
    asked = len(each_desk.platform.requests)
    assert refusal(lambda: each_desk.inviting.register(ticket, TEXTS, ICON)) is ErrorCode.INVITATION_USED
    assert refusal(lambda: each_desk.ticket(token)) is ErrorCode.INVITATION_USED
    assert len(each_desk.platform.requests) == asked, "nobody is asked for a link that is used up"
    assert len(each_desk.stored()) == 1


@pytest.mark.parametrize(
    "refuses, code",
    [
        ((401, b"token_already_used"), ErrorCode.REGISTRATION_TOKEN_REFUSED),
        ((400, b"domain_targetlinkuri_mismatch"), ErrorCode.REGISTRATION_REFUSED),
        ((500, b""), ErrorCode.REGISTRATION_REFUSED),
        ((302, b""), ErrorCode.REGISTRATION_REFUSED),
        ((200, b"not json"), ErrorCode.REGISTRATION_ANSWER_INVALID),
        ((200, b"x" * 300_000), ErrorCode.REGISTRATION_ENDPOINT_UNREACHABLE),
    ],
)
def test_a_failed_registration_does_not_burn_the_link(
    desk: Desk, refuses: tuple[int, bytes], code: ErrorCode
) -> None:
    token = desk.invite()
    desk.platform.refuses = refuses
    assert refusal(lambda: desk.register(token)) is code
    assert desk.stored() == ()
    assert desk.state(token) == "open"
    desk.platform.refuses = None
    desk.register(token)
    assert len(desk.stored()) == 1


def test_of_two_who_use_one_link_at_once_one_is_told_before_its_lms_is_asked(each_desk: Desk) -> None:
    token = each_desk.invite()
    first, second = each_desk.ticket(token), each_desk.ticket(token)
    seen: list[ErrorCode] = []

    def meanwhile() -> None:
        each_desk.platform.before_answering = lambda: None
        seen.append(refusal(lambda: each_desk.inviting.register(second, TEXTS, ICON)))

    each_desk.platform.before_answering = meanwhile
    each_desk.inviting.register(first, TEXTS, ICON)
    assert seen == [ErrorCode.INVITATION_BUSY]
    assert [one.method for one in each_desk.platform.requests].count("POST") == 1
    assert len(each_desk.stored()) == 1


def test_a_process_that_died_keeps_others_out_for_a_minute_only(each_desk: Desk) -> None:
    token = each_desk.invite()
    first, second = each_desk.ticket(token), each_desk.ticket(token)

    def meanwhile() -> None:
        # The first one hangs for longer than its claim; the second takes over and comes through.
        each_desk.platform.before_answering = lambda: None
        each_desk.now += CLAIM + timedelta(seconds=1)
        each_desk.platform.client_id = "client-2"
        each_desk.inviting.register(second, TEXTS, ICON)
        each_desk.platform.client_id = "client-1"

    each_desk.platform.before_answering = meanwhile
    assert refusal(lambda: each_desk.inviting.register(first, TEXTS, ICON)) is ErrorCode.INVITATION_BUSY
    assert [one.client_id for one in each_desk.stored()] == ["client-2"]


def test_a_claim_that_is_over_uses_nothing(each_desk: Desk) -> None:
    """The platform was slow; meanwhile somebody else is at it, and has not come back yet."""
    desk = each_desk
    desk.invite()
    desk.register(desk.invite())
    (made,) = desk.stored()
    (invitation, _) = sorted(desk.inviting.list(desk.ours), key=lambda one: one.used_at is not None)
    first, second = desk.now + CLAIM, desk.now + 2 * CLAIM
    with desk.database.write() as session:
        assert store.claim(session, invitation.id, desk.now, first)
        assert not store.claim(session, invitation.id, desk.now, second)
        assert store.claim(session, invitation.id, first, second)
        assert not store.use(session, invitation.id, first, first, made.id)
        store.release(session, invitation.id, first)
        assert store.use(session, invitation.id, first, second, made.id)


def test_many_threads_get_one_registration(each_desk: Desk) -> None:
    token = each_desk.invite()
    tickets = [each_desk.ticket(token) for _ in range(6)]
    outcomes: list[str] = []
    begin = threading.Barrier(len(tickets))

    def register(ticket: str) -> None:
        begin.wait()
        try:
            each_desk.inviting.register(ticket, TEXTS, ICON)
        except ToolError as error:
            outcomes.append(error.code.value)
        else:
            outcomes.append("registered")

    threads = [threading.Thread(target=register, args=(ticket,)) for ticket in tickets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count("registered") == 1
    assert set(outcomes) <= {"registered", "invitation_busy", "invitation_used"}
    assert len(each_desk.stored()) == 1


@pytest.mark.parametrize("change", ["x", "-payload", "-signature", "done"])
def test_a_form_that_was_not_made_here_registers_nothing(desk: Desk, change: str) -> None:
    ticket = desk.ticket(desk.invite())
    payload, _, signature = ticket.rpartition(".")
    forged = {
        "x": "x",
        "-payload": f"{payload[:-2]}AA.{signature}",
        "-signature": f"{payload}.{'0' * len(signature)}",
        "done": desk.register(desk.invite()),
    }[change]
    before = len(desk.stored())
    code = refusal(lambda: desk.inviting.register(forged, TEXTS, ICON))
    assert code is ErrorCode.REGISTRATION_FORM_INVALID
    assert len(desk.stored()) == before


def test_a_form_is_no_address_of_the_page_that_waits(desk: Desk) -> None:
    assert (
        refusal(lambda: desk.inviting.standing(desk.ticket(desk.invite())))
        is ErrorCode.REGISTRATION_FORM_INVALID
    )


# -- taking over


def existing(desk: Desk, **given: Any) -> RegistrationView:
    values = {
        "issuer": MOODLE,
        "client_id": "client-1",
        "auth_url": f"{MOODLE}/auth",
        "token_url": f"{MOODLE}/token",
        "jwks_url": f"{MOODLE}/certs",
        "product": "moodle",
        "organisation": "Ours",
        "approve": True,
    }
    return desk.registrations.add(**{**values, **given})


@pytest.mark.parametrize("approves", [True, False])
@pytest.mark.parametrize("deployments", [(), ("7",)], ids=["nobody launched yet", "in use"])
def test_a_foreign_organisations_registration_is_not_taken_over(
    each_desk: Desk, approves: bool, deployments: tuple[str, ...]
) -> None:
    before = existing(each_desk, organisation="Theirs", deployments=deployments)
    each_desk.platform.configuration["jwks_uri"] = f"{MOODLE}/attackers-keys"
    token = each_desk.invite(approves=approves)
    assert refusal(lambda: each_desk.register(token)) is ErrorCode.REGISTRATION_PROTECTED
    assert each_desk.stored() == (before,)
    assert len(each_desk.registrations.show(before.id).deployments) == len(deployments)
    assert each_desk.state(token) == "open"


def test_a_foreign_organisations_deployment_is_not_taken_over(desk: Desk) -> None:
    before = existing(desk)
    desk.registrations.approve_deployment(before.id, "1", "Theirs")
    assert refusal(lambda: desk.register(desk.invite(approves=True))) is ErrorCode.REGISTRATION_PROTECTED
    (deployment,) = desk.registrations.show(before.id).deployments
    assert deployment.organisation_id == desk.theirs.organisation_id


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint", "jwks_uri"])
def test_keys_of_an_approved_registration_change_with_approval_only(desk: Desk, name: str) -> None:
    before = existing(desk, deployments=["1"])
    desk.platform.configuration[name] = f"{MOODLE}/new"
    token = desk.invite()
    assert refusal(lambda: desk.register(token)) is ErrorCode.REGISTRATION_CHANGE_UNAPPROVED
    assert desk.stored() == (before,), "and nobody is kept out meanwhile"
    desk.register(desk.invite(approves=True))
    (after,) = desk.stored()
    assert after.id == before.id
    assert [getattr(after, each) for each in SENSITIVE].count(f"{MOODLE}/new") == 1
    assert after.is_approved


def test_the_product_of_an_approved_registration_changes_with_approval_only(desk: Desk) -> None:
    """A Canvas that called itself something else would have masqueraders taken for learners."""
    existing(desk, product="canvas", deployments=["1"])
    assert refusal(lambda: desk.register(desk.invite())) is ErrorCode.REGISTRATION_CHANGE_UNAPPROVED


def test_registering_again_renews_what_harms_nobody(desk: Desk) -> None:
    before = existing(desk, deployments=["1"], name="As it was called")
    desk.platform.configuration[PLATFORM_CONFIGURATION]["version"] = "5.0"
    desk.register(desk.invite(name="Another name"))
    (after,) = desk.stored()
    assert (after.id, after.name, after.status) == (
        before.id,
        "As it was called",
        RegistrationStatus.APPROVED,
    )
    (row,) = desk.rows(Registration)
    assert (row.platform_version, row.configuration_url) == ("5.0", URL)


def test_a_token_audience_typed_by_hand_stays(desk: Desk) -> None:
    existing(desk, token_audience="https://audience.example/", deployments=["1"])
    desk.register(desk.invite())
    assert desk.stored()[0].token_audience == "https://audience.example/"


def test_a_pending_registration_may_be_renewed_and_stays_pending(desk: Desk) -> None:
    existing(desk, approve=False, deployments=["1"])
    desk.platform.configuration["jwks_uri"] = f"{MOODLE}/new"
    desk.register(desk.invite())
    (after,) = desk.stored()
    assert (after.jwks_url, after.status) == (f"{MOODLE}/new", RegistrationStatus.PENDING)


def test_a_disabled_registration_is_enabled_by_no_link(desk: Desk) -> None:
    before = existing(desk, deployments=["1"])
    desk.registrations.disable(before.id)
    assert refusal(lambda: desk.register(desk.invite(approves=True))) is ErrorCode.REGISTRATION_PROTECTED
    assert desk.stored()[0].status is RegistrationStatus.DISABLED


def test_a_deployment_that_the_operator_disabled_stays_disabled(desk: Desk) -> None:
    before = existing(desk, deployments=["1"])
    (deployment,) = desk.registrations.show(before.id).deployments
    desk.registrations.disable_deployment(deployment.id)
    desk.register(desk.invite(approves=True))
    (deployment,) = desk.registrations.show(before.id).deployments
    assert deployment.status is DeploymentStatus.DISABLED


def test_others_share_it_so_its_keys_are_not_changed(desk: Desk) -> None:
    before = existing(desk, deployments=["1"])
    desk.registrations.approve_deployment(before.id, "2", "Theirs")
    desk.platform.configuration["jwks_uri"] = f"{MOODLE}/new"
    assert refusal(lambda: desk.register(desk.invite(approves=True))) is ErrorCode.REGISTRATION_PROTECTED


# -- an invitation that names a registration


def test_a_tool_that_was_deleted_and_added_again_keeps_its_courses(each_desk: Desk) -> None:
    before = existing(each_desk, deployments=["1"])
    each_desk.platform.client_id, each_desk.platform.deployment_id = "client-2", "2"
    each_desk.register(each_desk.invite(approves=True, registration_id=before.id))
    (after,) = each_desk.stored()
    assert (after.id, after.client_id) == (before.id, "client-2")
    assert [one.id_on_platform for one in each_desk.registrations.show(after.id).deployments] == ["1", "2"]


def test_an_update_that_would_be_refused_is_refused_before_the_lms_is_asked(desk: Desk) -> None:
    before = existing(desk)
    desk.platform.configuration["jwks_uri"] = f"{MOODLE}/new"
    token = desk.invite(registration_id=before.id)
    assert refusal(lambda: desk.register(token)) is ErrorCode.REGISTRATION_CHANGE_UNAPPROVED
    assert [one.method for one in desk.platform.requests] == ["GET"]


def test_another_issuer_does_not_become_the_registration(desk: Desk) -> None:
    before = existing(desk, issuer="https://other.example.edu")
    token = desk.invite(approves=True, registration_id=before.id)
    assert refusal(lambda: desk.register(token)) is ErrorCode.REGISTRATION_PROTECTED
    assert desk.stored() == (before,)


def test_it_does_not_take_the_client_id_of_a_third(desk: Desk) -> None:
    meant = existing(desk, client_id="client-9")
    existing(desk, client_id="client-1", organisation="Theirs")
    token = desk.invite(approves=True, registration_id=meant.id)
    assert refusal(lambda: desk.register(token)) is ErrorCode.REGISTRATION_PROTECTED


def test_nobody_is_invited_to_change_another_organisations(desk: Desk) -> None:
    theirs = existing(desk, organisation="Theirs")
    with pytest.raises(NotFound):
        desk.inviting.invite(desk.ours, registration_id=theirs.id)


def test_nobody_is_invited_to_change_what_others_share(desk: Desk) -> None:
    ours = existing(desk, deployments=["1"])
    desk.registrations.approve_deployment(ours.id, "2", "Theirs")
    with pytest.raises(NotAllowed):
        desk.inviting.invite(desk.ours, registration_id=ours.id)


# -- where the tool can be sent


@pytest.mark.loopback
@pytest.mark.parametrize(
    "url",
    [
        "http://moodle.example.edu/mod/lti/openid-configuration.php",
        "http://127.0.0.1/configuration",
        "https://127.0.0.1/configuration",
        "https://[::1]/configuration",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.7/configuration",
        "https://2130706433/configuration",
        "file:///etc/passwd",
        "gopher://moodle.example.edu/",
        "https://user:secret@moodle.example.edu/",
        "https://moodle.example.edu/\r\nX: y",
        "//moodle.example.edu/",
        "x",
        "https://moodle.example.edu/" + "x" * 5000,
    ],
)
def test_a_configuration_url_leads_to_no_private_place(desk: Desk, url: str) -> None:
    token = desk.invite()
    code = refusal(lambda: desk.inviting.offer(token, url, TOKEN))
    assert code in (ErrorCode.CONFIGURATION_UNREACHABLE, ErrorCode.CONFIGURATION_INVALID)
    assert desk.platform.requests == []
    assert desk.state(token) == "open"


def test_a_name_that_leads_home_after_it_was_looked_up_is_refused(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """DNS rebinding: the address that is connected to is the one that is judged."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append(host)
        return [(2, 1, 6, "", ("10.0.0.7", port))]

    monkeypatch.setattr(connection_module.socket, "getaddrinfo", getaddrinfo)
    code = refusal(
        lambda: desk.inviting.offer(desk.invite(), "https://rebinding.example/configuration", TOKEN)
    )
    assert code is ErrorCode.CONFIGURATION_UNREACHABLE
    assert asked == ["rebinding.example"]


def test_the_registration_endpoint_is_judged_at_the_moment_it_is_asked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The configuration was read from a public address; by now the same name leads into the campus."""
    ticket = desk.ticket(desk.invite())
    desk.inviting.outbound._sessions["platform"].adapters.pop(MOODLE)
    monkeypatch.setattr(
        connection_module.socket,
        "getaddrinfo",
        lambda host, port, **_: [(2, 1, 6, "", ("127.0.0.1", port))],
    )
    code = refusal(lambda: desk.inviting.register(ticket, TEXTS, ICON))
    assert code is ErrorCode.REGISTRATION_ENDPOINT_UNREACHABLE
    assert desk.stored() == ()


@pytest.mark.parametrize(
    "name", ["jwks_uri", "token_endpoint", "authorization_endpoint", "registration_endpoint"]
)
def test_an_address_of_this_network_in_the_configuration_is_not_called(desk: Desk, name: str) -> None:
    """What is stored is judged again whenever it is called; what is called at once is refused at once."""
    desk.platform.configuration[name] = "https://10.0.0.7/x"
    token = desk.invite()
    if name == "registration_endpoint":
        assert refusal(lambda: desk.register(token)) is ErrorCode.CONFIGURATION_FOREIGN
    else:
        desk.register(token)
    assert all(str(one.url).startswith(MOODLE) for one in desk.platform.requests)


def test_a_redirect_is_followed_nowhere(desk: Desk) -> None:
    class Redirecting(Platform):
        def send(self, request: requests.PreparedRequest, **_: Any) -> requests.Response:  # type: ignore[override]
            response = super().send(request)
            response.request, response.status_code = request, 302
            response.headers["Location"] = "https://elsewhere.example/"
            return response

    platform = Redirecting()
    desk.inviting.outbound._sessions["platform"].mount(MOODLE, platform)
    assert refusal(lambda: desk.ticket(desk.invite())) is ErrorCode.CONFIGURATION_UNREACHABLE
    assert len(platform.requests) == 1


def test_an_endless_configuration_is_cut(desk: Desk) -> None:
    desk.platform.configuration["filling"] = "x" * 300_000
    assert refusal(lambda: desk.ticket(desk.invite())) is ErrorCode.CONFIGURATION_UNREACHABLE


def test_nothing_of_an_answer_is_repeated(desk: Desk) -> None:
    desk.platform.configuration = {"secret": "of the campus network"}
    with pytest.raises(ToolError) as caught:
        desk.ticket(desk.invite())
    assert "campus" not in f"{caught.value} {caught.value.params}"


def test_a_copy_of_a_platform_is_refused_at_once(desk: Desk) -> None:
    beta = "https://canvas.beta.instructure.com"
    platform = Platform(beta)
    platform.configuration[PLATFORM_CONFIGURATION]["product_family_code"] = "canvas"
    desk.inviting.outbound._sessions["platform"].mount(beta, platform)
    code = refusal(lambda: desk.inviting.offer(desk.invite(), f"{beta}/configuration", TOKEN))
    assert code is ErrorCode.REGISTRATION_OF_COPY


# -- the registration token


def test_the_registration_token_goes_to_the_platform_and_nowhere_else(
    desk: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    token = desk.invite()
    offer = desk.inviting.offer(token, f"{URL}?registration_token={TOKEN}", TOKEN)
    done = desk.inviting.register(offer.ticket, TEXTS, ICON)
    assert {one.headers["Authorization"] for one in desk.platform.requests} == {f"Bearer {TOKEN}"}
    stored = [
        str(value)
        for table in (Registration, Invitation, Deployment, AuditEvent)
        for row in desk.rows(table)
        for value in vars(row).values()
    ]
    written = caplog.text + "".join(capsys.readouterr())
    for secret in (TOKEN, token):
        assert secret not in done
        assert secret not in "".join(stored)
        assert secret not in written


def test_a_token_that_would_break_a_header_does_not(desk: Desk) -> None:
    desk.inviting.offer(desk.invite(), URL, "a\r\nX-Evil: 1")
    (request,) = desk.platform.requests
    assert "X-Evil" not in request.headers
    assert "\n" not in request.headers["Authorization"]


def test_without_a_token_none_is_sent(desk: Desk) -> None:
    desk.inviting.offer(desk.invite(), URL, "")
    assert "Authorization" not in desk.platform.requests[0].headers


# -- how far it is


def test_a_refused_launch_is_said_until_one_works(each_desk: Desk) -> None:
    done = each_desk.register(each_desk.invite(approves=True))
    (made,) = each_desk.stored()
    each_desk.now += timedelta(minutes=1)
    with each_desk.database.write() as session:
        session.add(
            RefusedLaunch(
                id=new_id(),
                registration_id=made.id,
                code="launch_keys_unreachable",
                day=each_desk.now.date(),
                count=1,
                first_at=each_desk.now,
                last_at=each_desk.now,
                detail="",
                deployment="1",
            )
        )
    assert each_desk.inviting.standing(done).registration.refused_code == "launch_keys_unreachable"


def test_only_its_organisation_sees_how_far_it_is(desk: Desk) -> None:
    desk.register(desk.invite())
    (made,) = desk.stored()
    assert desk.inviting.standing_of(desk.ours, made.id) is not None
    with pytest.raises(NotFound):
        desk.inviting.standing_of(desk.theirs, made.id)


def test_one_that_was_typed_in_waits_for_nothing(desk: Desk) -> None:
    made = existing(desk)
    assert desk.inviting.standing_of(desk.ours, made.id) is None
