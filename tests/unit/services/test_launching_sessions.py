"""The session that a launch begins: who opens it, how long, and what it tells."""

from __future__ import annotations

import hashlib
from datetime import timedelta

import pytest
from sqlalchemy.exc import OperationalError

from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.errors import ErrorCode, NotAllowed
from lti_tool.services.launching import Launching
from lti_tool.store import tables
from tests import factories
from tests.unit.lti.tokens import INSTRUCTOR, NOW
from tests.unit.services.launches import World, keyed


def test_a_session_opens_only_with_its_token(world: World) -> None:
    one, other = world.accept(), world.accept(sub="6")
    assert world.launching.open_session(one.session.id, one.token) == one.session
    for session_id, token in (
        (one.session.id, other.token),
        (one.session.id, one.token[:-1]),
        (one.session.id, ""),
        (one.session.id, "x" * 10_000),
        (one.session.id, "é\x00"),
        ("", one.token),
    ):
        with pytest.raises(NotAllowed) as refused:
            world.launching.open_session(session_id, token)
        assert refused.value.code is ErrorCode.SESSION_MISSING


def test_the_token_itself_is_nowhere_in_the_database(small: World) -> None:
    accepted = small.accept()
    row = small.row(tables.LaunchSession)
    stored = " ".join(str(getattr(row, column.name)) for column in tables.LaunchSession.__table__.columns)
    assert accepted.token not in stored


def test_a_session_ends_after_an_hour(small: World) -> None:
    accepted = small.accept()
    small.clock.move(minutes=59, seconds=59)
    assert small.launching.open_session_by_token(accepted.token) == accepted.session
    small.clock.move(seconds=1)
    with pytest.raises(NotAllowed) as refused:
        small.launching.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_EXPIRED


DEEP_LINKING = DeepLinkingSettings(
    return_url="https://lms.example/return",
    accept_types=("ltiResourceLink",),
    accept_multiple=False,
    accept_line_item=True,
    data=None,
)


def test_a_form_that_is_worked_on_stays_open_for_up_to_eight_hours(world: World) -> None:
    accepted = world.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    for _ in range(9):
        world.clock.move(minutes=50)
        world.launching.open_session_by_token(accepted.token)
    world.clock.move(minutes=29, seconds=59)
    last = world.launching.open_session(accepted.session.id, accepted.token)
    assert last.expires_at == NOW + timedelta(hours=8), "the launch is too old for more"
    world.clock.move(seconds=1)
    with pytest.raises(NotAllowed) as refused:
        world.launching.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_EXPIRED


def test_a_form_left_alone_for_an_hour_is_closed(small: World) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(minutes=60)
    for _ in range(2):
        with pytest.raises(NotAllowed) as refused:
            small.launching.open_session_by_token(accepted.token)
        assert refused.value.code is ErrorCode.SESSION_EXPIRED


def test_requests_that_follow_each_other_prolong_once_a_minute(small: World) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(seconds=59)
    with small.database.statements() as statements:
        small.launching.open_session_by_token(accepted.token)
    assert [each for each in statements if each.startswith("UPDATE")] == []
    small.clock.move(seconds=1)
    with small.database.statements() as statements:
        view = small.launching.open_session_by_token(accepted.token)
    assert len([each for each in statements if each.startswith("UPDATE")]) == 1
    assert view.expires_at == small.row(tables.LaunchSession).expires_at == NOW + timedelta(minutes=61)


def test_a_database_that_is_busy_refuses_no_page(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(minutes=10)

    def locked(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    monkeypatch.setattr("lti_tool.services.launching.launches.prolong_session", locked)
    view = small.launching.open_session_by_token(accepted.token)
    assert view.expires_at == NOW + timedelta(hours=1)


def test_an_expired_session_opens_only_where_it_is_asked_for(small: World) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(hours=2)
    view = small.launching.open_session(accepted.session.id, accepted.token, even_expired=True)
    assert view == accepted.session, "and is prolonged by nothing"
    with pytest.raises(NotAllowed):
        small.launching.open_session_by_token("another", even_expired=True)
    small.change(tables.Registration, status="disabled")
    with pytest.raises(NotAllowed):
        small.launching.open_session_by_token(accepted.token, even_expired=True)


def test_another_secret_key_ends_all_sessions(small: World) -> None:
    accepted = small.accept()
    restarted = Launching(small.database, small.clock, b"another secret")
    with pytest.raises(NotAllowed) as refused:
        restarted.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_MISSING


def test_who_writes_into_the_database_makes_no_session(small: World) -> None:
    """A hash that needs no key could be put there for a token of one's own."""
    small.accept()
    small.change(tables.LaunchSession, token_hash=hashlib.sha256(b"mine").hexdigest())
    with pytest.raises(NotAllowed):
        small.launching.open_session_by_token("mine")


@pytest.mark.parametrize("table", [tables.Registration, tables.Deployment])
def test_disabling_an_lms_ends_its_sessions(small: World, table: type[tables.Base]) -> None:
    accepted = small.accept()
    small.change(table, status="disabled")
    with pytest.raises(NotAllowed) as refused:
        small.launching.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_MISSING


def test_csrf_tokens_belong_to_one_session(small: World) -> None:
    one, other = small.accept(), small.accept()
    csrf = small.launching.csrf_token
    assert csrf(one.token) == csrf(one.token)
    assert csrf(one.token) != csrf(other.token)
    assert one.token not in csrf(one.token)


def test_deep_linking_settings_survive_in_the_session(world: World) -> None:
    settings = DeepLinkingSettings(
        return_url="https://lms.example/return?a=1&b=2",
        accept_types=("ltiResourceLink",),
        accept_multiple=True,
        accept_line_item=None,
        data="",
    )
    accepted = world.accept(roles=[INSTRUCTOR], link=None, deep_linking=settings)
    view = world.launching.open_session_by_token(accepted.token)
    assert view.deep_linking == settings
    assert view == accepted.session
    assert world.launching.open_session_by_token(world.accept().token).deep_linking is None


def test_a_deep_linking_request_activates_nothing(small: World) -> None:
    placed = factories.placed(small.database, small.course, status="draft")
    small.accept(roles=[INSTRUCTOR], link=None, **keyed(placed))
    assert small.row(tables.Placement).status == "draft"


def test_frames_are_allowed_to_the_signed_and_the_registered_origins(small: World) -> None:
    small.change(tables.Registration, frame_origins=["https://portal.example"], product="canvas")
    assert small.accept().session.frame_origins == (
        "https://lms.example",
        "https://portal.example",
        "https://*.instructure.com",
    )
    bare = small.accept(frame_origins=()).session
    assert bare.frame_origins[0] == small.course.platform_issuer
