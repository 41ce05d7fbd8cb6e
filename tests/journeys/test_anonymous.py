"""Whom the platform does not name (LTI Core §5.3.6.1): refused, or shown a page to read where it is allowed.
Nothing is recorded of them, whatever they send."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.errors import ErrorCode
from lti_tool.store import tables
from tests.journeys.campus import TOOL_URL, Campus
from tests.simulator.browser import Page
from tests.simulator.keys import b64url_bytes
from tests.simulator.lms import Activity
from tests.unit.lti.tokens import INSTRUCTOR, MISSING, changed

ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
RECORDS = (
    tables.Context,
    tables.ResourceLink,
    tables.Membership,
    tables.Award,
    tables.Credential,
    tables.Decision,
    tables.GatePass,
    tables.Submission,
)


def nameless(campus: Campus, **changes: Any) -> Callable[[dict[str, str]], dict[str, str]]:
    """The platform's own launch, but without saying who it is."""

    def tamper(fields: dict[str, str]) -> dict[str, str]:
        claims = json.loads(b64url_bytes(fields["id_token"].split(".")[1]))
        return {**fields, "id_token": campus.lms.keys.sign(changed(claims, {"sub": MISSING, **changes}))}

    return tamper


def visit(campus: Campus, activity: Activity, **changes: Any) -> Page:
    return campus.browser(campus.learner("ada")).launch(activity.id, tamper=nameless(campus, **changes))


def allow(campus: Campus, *, allowed: bool = True) -> None:
    campus.tool.registrations.add(
        **campus.lms.endpoints, client_id=campus.lms_side.client_id, allows_anonymous=allowed
    )


def recorded(campus: Campus) -> dict[str, int]:
    with campus.tool.database.read() as session:
        return {
            table.__tablename__: session.scalar(sa.select(sa.func.count()).select_from(table)) or 0
            for table in RECORDS
        }


@pytest.mark.parametrize("sub", [MISSING, "", None])
def test_nobody_is_refused_unless_the_operator_allows_it(sqlite_campus: Campus, sub: object) -> None:
    page = visit(sqlite_campus, sqlite_campus.placed_badge(), sub=sub)
    assert page.status == 400
    assert ErrorCode.LAUNCH_SUBJECT_MISSING.value in page.text


def test_nobody_reads_what_badges_there_are_and_leaves_nothing(campus: Campus) -> None:
    activity = campus.placed_badge()
    allow(campus)
    before = recorded(campus)
    for sub in (MISSING, ""):
        page = visit(campus, activity, sub=sub)
        assert page.status == 200
        assert "did not say who you are" in page.text
        assert "Open Data Basics" in page.text
        assert "Ada" not in page.text
        assert not [form for form in page.forms if form.method == "post"], "nothing can be changed"
    assert recorded(campus) == before
    campus.pass_time(minutes=5)
    assert campus.holders() == []
    with campus.tool.database.read() as session:
        (nobody,) = session.scalars(sa.select(tables.Learner).where(tables.Learner.sub == ""))
        for table in (tables.Membership, tables.Decision, tables.GatePass, tables.Award, tables.Submission):
            assert session.scalars(sa.select(table).where(table.learner_id == nobody.id)).all() == []
        assert (nobody.name, nobody.email, nobody.is_test_user) == (None, None, True)
        assert nobody.last_launched_at is None


def test_nobody_sees_no_badge_of_anybody(campus: Campus) -> None:
    activity = campus.placed_badge()
    allow(campus)
    campus.open_wallet("ada", activity)
    campus.take_quiz("ada", 80)
    campus.pass_time(minutes=5)
    assert campus.holders() == ["Ada Learner"]
    page = visit(campus, activity)
    assert "sharing" not in " ".join(form.action for form in page.forms)
    assert "Ada" not in page.text


def test_a_course_that_only_nobody_opened_is_not_known(sqlite_campus: Campus) -> None:
    activity = sqlite_campus.placed_badge()
    allow(sqlite_campus)
    before = recorded(sqlite_campus)
    page = visit(sqlite_campus, activity, context={"id": "4711", "title": "Never seen"})
    assert page.status == 200
    assert recorded(sqlite_campus) == before


@pytest.mark.parametrize("roles", [[INSTRUCTOR], [ADMINISTRATOR], [INSTRUCTOR, ADMINISTRATOR]])
def test_nobody_teaches_nothing_whatever_roles_came_along(sqlite_campus: Campus, roles: list[str]) -> None:
    activity = sqlite_campus.placed_badge()
    sqlite_campus.open_wallet("ada", activity)
    allow(sqlite_campus)
    visitor = sqlite_campus.browser(sqlite_campus.learner("ada"))
    page = visitor.launch(activity.id, tamper=nameless(sqlite_campus, roles=roles))
    assert page.status == 200
    inside = "/".join(page.url.removeprefix(TOOL_URL).split("/")[:3])
    for path in ("/course", "/course/matrix", "/privacy"):
        assert visitor.get(f"{TOOL_URL}{inside}{path}", page=page).status in (403, 404)


def test_only_a_link_is_opened_for_nobody(sqlite_campus: Campus) -> None:
    activity = sqlite_campus.placed_badge()
    allow(sqlite_campus)
    for message in ("LtiDeepLinkingRequest", "LtiSubmissionReviewRequest", "DataPrivacyLaunchRequest"):
        page = visit(sqlite_campus, activity, message_type=message)
        assert page.status == 400
        assert ErrorCode.LAUNCH_SUBJECT_MISSING.value in page.text


def test_who_is_inside_is_thrown_out_when_it_is_no_longer_allowed(sqlite_campus: Campus) -> None:
    activity = sqlite_campus.placed_badge()
    allow(sqlite_campus)
    visitor = sqlite_campus.browser(sqlite_campus.learner("ada"))
    page = visitor.launch(activity.id, tamper=nameless(sqlite_campus))
    assert visitor.get(page.url, page=page).status == 200
    allow(sqlite_campus, allowed=False)
    assert visitor.get(page.url, page=page).status == 403


def test_a_sub_that_looks_like_nobody_is_somebody(sqlite_campus: Campus) -> None:
    """No real person can come into the row of those whom nobody named."""
    activity = sqlite_campus.placed_badge()
    allow(sqlite_campus)
    subs: tuple[Any, ...] = (" ", "\u200b", 0, ["5"], {"5": 5})
    for sub in subs:
        page = visit(sqlite_campus, activity, sub=sub)
        assert "did not say who you are" not in page.text
