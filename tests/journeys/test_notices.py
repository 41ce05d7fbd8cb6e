"""A Canvas that tells by itself: handlers asked for after a launch, notices heard once, and taken back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa
from werkzeug.test import Client

from lti_tool.services import notifying
from lti_tool.store.tables import Context, Deployment, Notice, Placement
from tests.journeys.campus import TOOL_URL, Campus
from tests.simulator.canvas import notices
from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import ToolType

HANDLER = TOOL_URL + "/lti/notices"


@dataclass
class Copies:
    """Remembers what it is told."""

    told: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)

    def note_copy(
        self, deployment_id: str, context_id_on_platform: str, origin_ids: Sequence[str], at: datetime
    ) -> None:
        assert at.tzinfo is not None
        self.told.append((deployment_id, context_id_on_platform, tuple(origin_ids)))


def canvas(campus: Campus) -> tuple[Canvas, ToolType]:
    assert isinstance(campus.lms, Canvas)
    tool = campus.lms_side
    if notices.SCOPE_NOTICES not in tool.scopes:
        tool.key_scopes = (*tool.scopes, notices.SCOPE_NOTICES)
    return campus.lms, tool


def post(campus: Campus, body: bytes) -> Any:
    return Client(campus.app.wsgi_app).post(HANDLER, data=body, content_type="application/json")


def send(campus: Campus, *tokens: str) -> Any:
    return post(campus, json.dumps({"notices": [{"jwt": token} for token in tokens]}).encode())


def rows(campus: Campus) -> list[Notice]:
    with campus.tool.database.read() as session:
        return list(session.scalars(sa.select(Notice).order_by(Notice.received_at)))


def deployment(campus: Campus) -> Deployment:
    with campus.tool.database.read() as session:
        return session.scalars(
            sa.select(Deployment).where(
                Deployment.id_on_platform == campus.lms.deployment_id(campus.lms_side)
            )
        ).one()


def test_a_launch_makes_the_worker_ask_and_canvas_says_hello(canvas_campus: Campus) -> None:
    campus = canvas_campus
    lms, tool = canvas(campus)
    activity = campus.place_badge()
    campus.browser(campus.teacher).launch(activity.id)
    campus.pass_time(seconds=20)
    wanted = dict.fromkeys(("LtiHelloWorldNotice", "LtiContextCopyNotice"), HANDLER)
    assert {kind: handler for (_, kind), handler in lms.notice_handlers.items()} == wanted
    assert sorted(deployment(campus).notice_types) == sorted(wanted)
    assert notices.deliver(lms, lambda _, body: int(post(campus, body).status_code)) == [202]
    campus.run_jobs()
    (hello,) = rows(campus)
    assert (hello.kind, hello.outcome) == ("LtiHelloWorldNotice", "heard")
    # A week later it looks whether that still holds, and mends it.
    lms.notice_handlers.clear()
    campus.clock.move(days=7, hours=1)
    campus.pass_time(seconds=20)
    assert {kind for (_, kind) in lms.notice_handlers} == set(wanted)
    assert tool.client_id


def test_a_copy_is_noted_once_however_often_the_notice_comes(canvas_campus: Campus) -> None:
    campus = canvas_campus
    lms, tool = canvas(campus)
    copies = Copies()
    object.__setattr__(campus.tool, "notices", replace(campus.tool.notices, copies=copies))
    campus.place_badge()
    copy = lms.add_course("MM2", "The copy")
    token = lms.keys.sign(notices.copy_claims(lms, tool, copy, campus.course))
    unknown = lms.keys.sign(notices.claims(lms, tool, "LtiAssetProcessorSubmissionNotice"))
    assert send(campus, token, unknown, token).status_code == 202
    assert send(campus, token).status_code == 202
    campus.run_jobs()
    campus.pass_time(seconds=40)
    own = deployment(campus).id
    assert copies.told == [(own, lms.context_id(copy), (lms.context_id(campus.course),))]
    assert {(row.kind, row.outcome) for row in rows(campus)} == {
        ("LtiContextCopyNotice", "noted"),
        ("LtiAssetProcessorSubmissionNotice", "ignored"),
    }
    campus.clock.move(days=31)
    campus.pass_time(seconds=20)
    assert not rows(campus), "forgotten after 30 days"
    assert send(campus, token).status_code == 400, "and its token is too old to come again"


def test_a_lost_hint_costs_only_time(canvas_campus: Campus, monkeypatch: pytest.MonkeyPatch) -> None:
    campus = canvas_campus
    lms, tool = canvas(campus)
    campus.place_badge()
    with monkeypatch.context() as lost:
        lost.setattr(campus.tool.queue, "offer", lambda *_args, **_ids: None)
        assert (
            send(campus, lms.keys.sign(notices.claims(lms, tool, "LtiHelloWorldNotice"))).status_code == 202
        )
    assert rows(campus)[0].done_at is None
    campus.pass_time(seconds=20)
    assert rows(campus)[0].outcome == "heard"


def test_what_is_good_is_kept_beside_what_is_forged(canvas_campus: Campus) -> None:
    campus = canvas_campus
    lms, tool = canvas(campus)
    campus.place_badge()
    good = lms.keys.sign(notices.claims(lms, tool, "LtiHelloWorldNotice"))
    head, body, signature = lms.keys.sign(notices.claims(lms, tool, "LtiHelloWorldNotice")).split(".")
    forged = f"{head}.{body}.{'A' * len(signature)}"
    answer = send(campus, forged, good)
    assert (answer.status_code, answer.get_json()["code"]) == (400, "notice_refused")
    assert answer.mimetype == "application/problem+json"
    assert len(rows(campus)) == 1


def test_a_notice_speaks_for_its_own_deployment_only(canvas_campus: Campus) -> None:
    """Two institutions of one cloud share issuer, client_id and keys, and number their courses alike."""
    campus = canvas_campus
    lms, tool = canvas(campus)
    assert campus.neighbour is not None
    copies = Copies()
    object.__setattr__(campus.tool, "notices", replace(campus.tool.notices, copies=copies))
    campus.place_badge()
    neighbour, side = campus.neighbour.lms, campus.neighbour.lms_side
    assert isinstance(neighbour, Canvas)
    foreign = notices.copy_claims(neighbour, side, neighbour.add_course("MM2", "Theirs"), campus.course)
    assert send(campus, lms.keys.sign(foreign)).status_code == 202
    campus.run_jobs()
    ((told, _, _),) = copies.told
    assert told != deployment(campus).id, "the neighbour's, where that course is theirs"
    # A deployment that nobody launched from is not made known, and a disabled one is not heard.
    unknown = notices.claims(lms, tool, "LtiHelloWorldNotice")
    unknown["https://purl.imsglobal.org/spec/lti/claim/deployment_id"] = "99:of-nobody"
    assert send(campus, lms.keys.sign(unknown)).status_code == 400
    campus.tool.registrations.disable_deployment(deployment(campus).id)
    late = send(campus, lms.keys.sign(notices.claims(lms, tool, "LtiHelloWorldNotice")))
    assert late.status_code == 400
    assert len(rows(campus)) == 1


def test_who_may_no_longer_launch_is_no_longer_listened_to(canvas_campus: Campus) -> None:
    campus = canvas_campus
    lms, _ = canvas(campus)
    activity = campus.place_badge()
    campus.browser(campus.teacher).launch(activity.id)
    campus.pass_time(seconds=20)
    campus.tool.registrations.disable_deployment(deployment(campus).id)
    campus.clock.move(days=8)
    campus.pass_time(seconds=20)
    assert set(lms.notice_handlers.values()) == {""}
    assert deployment(campus).notice_types == []
    asked = len(lms.requests)
    campus.pass_time(minutes=5)
    assert not [one for one in lms.requests[asked:] if "notice-handlers" in one[1]], "it is done with"


def test_a_platform_that_refuses_is_left_alone_for_a_day(canvas_campus: Campus) -> None:
    campus = canvas_campus
    lms, tool = canvas(campus)
    activity = campus.place_badge()
    campus.browser(campus.teacher).launch(activity.id)
    assert tool.key_scopes is not None
    tool.key_scopes = tuple(scope for scope in tool.key_scopes if scope != notices.SCOPE_NOTICES)
    campus.pass_time(minutes=10)
    tokens = [one for one in lms.requests if one[1].startswith("/login/oauth2/token") and one[2] >= 400]
    assert len(tokens) == 1
    assert not deployment(campus).notice_types


def test_a_flood_of_good_notices_fills_no_table(
    canvas_campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = canvas_campus
    lms, tool = canvas(campus)
    campus.place_badge()
    monkeypatch.setattr(notifying, "MOST_AN_HOUR", 3)
    tokens = [lms.keys.sign(notices.claims(lms, tool, "LtiHelloWorldNotice")) for _ in range(6)]
    answer = send(campus, *tokens)
    assert (answer.status_code, answer.get_json()["code"]) == (429, "rate_limited")
    assert int(answer.headers["Retry-After"]) > 0
    assert len(rows(campus)) == 3
    campus.clock.move(hours=1, minutes=1)
    assert send(campus, lms.keys.sign(notices.claims(lms, tool, "LtiHelloWorldNotice"))).status_code == 202


def test_an_oversized_body_is_not_read(canvas_campus: Campus) -> None:
    answer = post(canvas_campus, b"x" * (600 * 1024))
    assert (answer.status_code, answer.get_json()["code"]) == (413, "request_too_large")


def test_a_moodle_has_none_and_is_asked_for_none(moodle_campus: Campus) -> None:
    activity = moodle_campus.place_badge()
    moodle_campus.browser(moodle_campus.teacher).launch(activity.id)
    moodle_campus.pass_time(seconds=40)
    with moodle_campus.tool.database.read() as session:
        assert set(session.scalars(sa.select(Deployment.notices_url))) == {None}
    assert not moodle_campus.tool.notices.handlers_due()


def test_a_copied_course_is_prepared_before_anybody_opens_it(canvas_campus: Campus) -> None:
    """The whole way: Canvas tells of the copy, and the worker makes the drafts."""
    campus = canvas_campus
    lms, tool = canvas(campus)
    activity = campus.place_badge()
    campus.browser(campus.teacher).launch(activity.id)
    campus.pass_time(seconds=20)
    copy = lms.add_course("MM2", "The copy")
    notices.send(lms, tool, "LtiContextCopyNotice", notices.copy_claims(lms, tool, copy, campus.course))
    lms.outbox = [one for one in lms.outbox if one is lms.outbox[-1]]
    assert notices.deliver(lms, lambda _, body: int(post(campus, body).status_code)) == [202]
    campus.run_jobs()
    with campus.tool.database.read() as session:
        drafts = session.execute(
            sa.select(Placement.status, Placement.copied_from_id, Context.id_on_platform)
            .join(Context, Context.id == Placement.context_id)
            .where(Placement.copied_from_id.is_not(None))
        ).all()
    assert [(status, context) for status, _, context in drafts] == [("draft", lms.context_id(copy))]
