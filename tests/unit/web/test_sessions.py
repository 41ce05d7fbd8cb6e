"""Who may open a page, and who may change something on it."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.errors import ErrorCode, LaunchRefused, PlatformFailed
from lti_tool.lti.oidc import state_cookie_name
from tests.unit.web.sample_views import PICKING, TEACHER, session
from tests.unit.web.samples import NONCE, SECRET, Sample

CSRF = f"csrf-of-{SECRET}"


def test_a_stranger_without_the_cookie_sees_no_wallet(client: FlaskClient) -> None:
    answer = client.get("/l/session-1/wallet")
    assert answer.status_code == 403
    assert "session_missing" in answer.text
    assert "Lovelace" not in answer.text, "three letters may stand in a nonce by chance"


def test_a_cookie_opens_its_own_session_only(member: FlaskClient) -> None:
    member.set_cookie("lti_session_session-2", SECRET, path="/l/session-2/", domain="localhost")
    assert member.get("/l/session-2/wallet").status_code == 403


def test_the_token_of_a_cookie_is_refused_in_a_path(client: FlaskClient) -> None:
    assert client.get(f"/s/{SECRET}/wallet").status_code == 403


def test_a_session_without_cookies_lives_in_its_path(client: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(is_cookie_bound=False)
    answer = client.get(f"/s/{SECRET}/wallet")
    assert answer.status_code == 200
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"
    assert f"/s/{SECRET}/credentials/credential-3/sharing" in answer.text
    assert "/l/" not in answer.text
    assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("sent", [None, "", "csrf-of-another", "ücsrf"])
def test_nothing_changes_without_this_sessions_csrf_token(
    sent: str | None, member: FlaskClient, tool: Sample
) -> None:
    answer = member.post(
        "/l/session-1/credentials/credential-3/sharing",
        data={"is_public": "yes"} | ({} if sent is None else {"csrf_token": sent}),
    )
    assert answer.status_code == 400
    assert "csrf_invalid" in answer.text
    assert tool.calls == []


def test_sharing_goes_back_to_the_badge(member: FlaskClient, tool: Sample) -> None:
    answer = member.post(
        "/l/session-1/credentials/credential-3/sharing", data={"is_public": "yes", "csrf_token": CSRF}
    )
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/wallet?open=credential-3#badge-credential-3")
    assert tool.calls == [("set_public", tool.launching.view, "credential-3", True)]


def test_pages_of_a_session_are_kept_nowhere(member: FlaskClient) -> None:
    assert member.get("/l/session-1/wallet").headers["Cache-Control"] == "no-store"


class TestLaunch:
    """From the posted launch to the page."""

    @pytest.mark.parametrize(
        "view, page",
        [
            (session(), "wallet"),
            (session(context_id=None, context_title=None, placement_id=None), "wallet"),
            (TEACHER, "course"),
            (session(can_view_progress=True, placement_id=None), "wallet"),
            (session(can_view_progress=True, link_role="wallet"), "wallet"),
            (PICKING, "picker"),
        ],
    )
    def test_leads_to_the_right_page(
        self, view: object, page: str, client: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.view = view  # type: ignore[assignment]
        answer = client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"})
        assert answer.status_code == 303
        assert answer.headers["Location"] == f"/l/session-1/{page}"

    def test_sets_a_cookie_for_this_frame_alone(self, client: FlaskClient) -> None:
        answer = client.post("/lti/launch", data={})
        cookie = answer.headers["Set-Cookie"]
        assert cookie.startswith(f"lti_session_session-1={SECRET};")
        for attribute in (
            "Secure",
            "HttpOnly",
            "Path=/l/session-1/",
            "SameSite=None",
            "Partitioned",
            "Max-Age=3600",
        ):
            assert attribute in cookie
        assert SECRET not in answer.headers["Location"]

    def test_without_a_cookie_goes_on_in_the_path(self, client: FlaskClient, tool: Sample) -> None:
        tool.launching.view = session(is_cookie_bound=False)
        answer = client.post("/lti/launch", data={})
        assert answer.headers["Location"] == f"/s/{SECRET}/wallet"
        assert "lti_session_" not in str(answer.headers.getlist("Set-Cookie"))
        assert answer.headers["Referrer-Policy"] == "no-referrer"

    def test_reads_a_learners_grades_and_nobody_elses(self, client: FlaskClient, tool: Sample) -> None:
        client.post("/lti/launch", data={})
        assert ("refresh_learner", tool.launching.view) in tool.calls
        tool.calls.clear()
        for view in (TEACHER, session(is_read_only=True), session(context_id=None), PICKING):
            tool.launching.view = view
            client.post("/lti/launch", data={})
        assert [call for call in tool.calls if call[0] == "refresh_learner"] == []

    @pytest.mark.parametrize(
        "failure",
        [
            PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT),
            OperationalError("UPDATE", {}, Exception("database is locked")),
        ],
    )
    def test_a_reading_that_fails_keeps_nobody_out(
        self, failure: Exception, client: FlaskClient, tool: Sample
    ) -> None:
        """The launch is accepted and its nonce used up: reloading would not help."""
        tool.syncing.refresh_learner = tool._called("refresh_learner", failure)
        assert client.post("/lti/launch", data={}).headers["Location"] == "/l/session-1/wallet"

    def test_a_look_is_cheap_and_harmless(self, client: FlaskClient, tool: Sample) -> None:
        answer = client.get("/lti/launch")
        assert answer.status_code == 200
        assert tool.calls == []
        assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]

    def test_a_refusal_offers_a_fresh_launch_in_a_new_window(self, client: FlaskClient, tool: Sample) -> None:
        url = "https://moodle.example.edu/mod/lti/launch.php?id=7"
        tool.launch_validator.validate = tool._called(
            "validate",
            LaunchRefused(ErrorCode.LAUNCH_STATE_UNBOUND, "no cookie", fresh_launch_url=url),
        )
        answer = client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"})
        assert answer.status_code == 400
        assert f'href="{url}" target="_blank" rel="noopener noreferrer"' in answer.text
        assert "launch_state_unbound" in answer.text
        assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]
        assert "<form" not in answer.text
        assert "Set-Cookie" not in answer.headers

    def test_without_a_button_the_page_says_what_works_without_one(
        self, client: FlaskClient, tool: Sample
    ) -> None:
        """A deep linking request names no activity that a fresh launch could open (Moodle)."""
        tool.launch_validator.validate = tool._called(
            "validate", LaunchRefused(ErrorCode.LAUNCH_STATE_UNBOUND, "no cookie")
        )
        page = client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"}).text
        assert "a window of its own" not in page
        assert "Reload the course page" in page
        assert "allow cookies for this site" in page

    def test_a_fresh_launch_leads_to_the_web_only(self, client: FlaskClient, tool: Sample) -> None:
        tool.launch_validator.validate = tool._called(
            "validate",
            LaunchRefused(ErrorCode.LAUNCH_STATE_UNBOUND, fresh_launch_url="javascript:alert(1)"),
        )
        assert "javascript:" not in client.post("/lti/launch", data={}).text

    def test_only_our_own_page_may_say_what_the_platforms_storage_held(
        self, client: FlaskClient, tool: Sample
    ) -> None:
        form = {"id_token": "a.b.c", "state": "s", "storage_value": "secret"}
        client.post("/lti/launch", data=form, headers={"Origin": "https://evil.example"})
        client.post("/lti/launch", data=form)
        client.post("/lti/launch", data=form, headers={"Origin": "null"})
        client.post("/lti/launch", data=form, headers={"Origin": "https://badges.example.edu"})
        values = [call[3] for call in tool.calls if call[0] == "validate"]
        assert values == [None, None, None, "secret"]
        assert all("storage_value" not in call[1] for call in tool.calls if call[0] == "validate")

    @pytest.mark.parametrize("origin", ["https://badges.example.edu", "https://evil.example", "null", None])
    def test_the_platforms_storage_is_asked_once(
        self, origin: str | None, client: FlaskClient, tool: Sample
    ) -> None:
        """A page that posts itself again and again would never come to an answer."""
        storage = SimpleNamespace(target_origin="https://moodle.example.edu", frame=None, key="k", value=None)
        tool.launch_validator.storage_for = lambda form, cookies: storage
        form = {"id_token": "a.b.c", "state": "s"}
        assert "platform-storage" in client.post("/lti/launch", data=form).text
        tool.launch_validator.validate = tool._called(
            "validate", LaunchRefused(ErrorCode.LAUNCH_STATE_UNBOUND)
        )
        headers = {} if origin is None else {"Origin": origin}
        answer = client.post("/lti/launch", data=form | {"storage_value": ""}, headers=headers)
        assert answer.status_code == 400
        assert "platform-storage" not in answer.text

    def test_the_cookie_of_a_login_that_was_used_goes_and_others_stay(
        self, client: FlaskClient, tool: Sample
    ) -> None:
        used, other = state_cookie_name(NONCE), state_cookie_name("b" * 43)
        for name in (used, other):
            client.set_cookie(name, "secret", path="/lti/launch", domain="localhost")
        answer = client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"})
        (gone,) = [cookie for cookie in answer.headers.getlist("Set-Cookie") if "lti_state_" in cookie]
        assert gone.startswith(f"{used}=;")
        for attribute in ("Max-Age=0", "Path=/lti/launch", "Secure", "SameSite=None", "Partitioned"):
            assert attribute in gone

    def test_an_accepted_launch_is_one_line_of_ids(self, client: FlaskClient) -> None:
        with capture_logs() as lines:
            client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"})
        (line,) = [line for line in lines if line["event"] == "launch_accepted"]
        assert (line["session_id"], line["registration_id"]) == ("session-1", "registration-1")
        assert "Ada" not in str(line)
        assert SECRET not in str(line)

    def test_lines_of_one_request_share_its_id_and_no_other_request_has_it(
        self, client: FlaskClient, tool: Sample
    ) -> None:
        tool.syncing.refresh_learner = tool._called("r", PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT))
        ids = []
        for _ in range(2):
            with capture_logs(processors=[merge_contextvars]) as lines:
                client.post("/lti/launch", data={"id_token": "a.b.c", "state": "s"})
            assert len(lines) == 2
            assert lines[0]["request_id"] == lines[1]["request_id"]
            ids.append(lines[0]["request_id"])
        assert ids[0] != ids[1]


def test_the_answer_of_deep_linking_may_be_posted_to_the_platform_only(
    member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = PICKING
    answer = member.post("/l/session-1/picker", data={"action": "wallet", "csrf_token": CSRF})
    assert answer.status_code == 200
    assert "form-action 'self' https://moodle.example.edu" in answer.headers["Content-Security-Policy"]
    assert 'name="JWT" value="a.b.c"' in answer.text
    page = member.get("/l/session-1/picker")
    assert "form-action 'self'" in page.headers["Content-Security-Policy"]
    assert "form-action 'self' https" not in page.headers["Content-Security-Policy"]


def test_a_deep_linking_session_has_a_return_address() -> None:
    assert isinstance(PICKING.deep_linking, DeepLinkingSettings)


class TestCourse:
    """What an instructor may do, and nobody else."""

    def test_a_learner_sees_nobodys_progress(self, member: FlaskClient) -> None:
        answer = member.get("/l/session-1/course")
        assert answer.status_code == 403
        assert "Turing" not in answer.text
        assert member.get("/l/session-1/course/runs/run-1").status_code == 403

    @pytest.mark.parametrize(
        "path", ["sync", "placements/placement-1/columns", "placements/placement-1/columns/poll"]
    )
    @pytest.mark.parametrize(
        "view",
        [
            session(),
            session(can_view_progress=True),
            session(can_view_progress=True, can_configure=True, is_read_only=True),
            session(can_view_progress=True, can_configure=True, context_id=None),
        ],
    )
    def test_only_those_who_may_edit_change_something(
        self, path: str, view: object, member: FlaskClient, tool: Sample
    ) -> None:
        tool.launching.view = view  # type: ignore[assignment]
        answer = member.post(f"/l/session-1/course/{path}", data={"csrf_token": CSRF})
        assert answer.status_code == 403
        assert tool.calls == []

    def test_a_placement_of_another_course_is_not_found(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.view = TEACHER
        answer = member.post("/l/session-1/course/placements/placement-9/columns", data={"csrf_token": CSRF})
        assert answer.status_code == 404
        assert tool.calls == []

    def test_a_poll_reads_no_progress_to_know_whose_placement_it_is(
        self, member: FlaskClient, tool: Sample
    ) -> None:
        """Every open page asks every few seconds."""
        tool.launching.view = TEACHER
        tool.progress = SimpleNamespace()
        answer = member.post(
            "/l/session-1/course/placements/placement-2/columns/poll",
            data={"csrf_token": CSRF},
            headers={"Accept": "application/json"},
        )
        assert answer.status_code == 200
        assert tool.calls == [("poll", "organisation-1", "placement-2")]

    def test_a_run_of_another_course_is_not_found(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.view = TEACHER
        assert member.get("/l/session-1/course/runs/run-1").status_code == 200
        for context_id in ("context-2", None):
            tool.launching.view = replace(TEACHER, context_id=context_id)
            assert member.get("/l/session-1/course/runs/run-1").status_code == 404

    def test_a_sync_is_started_for_the_sessions_own_course(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.view = TEACHER
        assert member.post("/l/session-1/course/sync", data={"csrf_token": CSRF}).status_code == 303
        assert tool.calls == [("start_sync", "organisation-1", "context-1")]

    def test_the_waiting_page_asks_for_json(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.view = TEACHER
        answer = member.post(
            "/l/session-1/course/placements/placement-1/columns/poll",
            headers={"Accept": "application/json", "X-CSRF-Token": CSRF},
        )
        assert answer.get_json() == {
            "columns": [{"evidence_key": "quiz-1", "tag": "mirror", "label": "Quiz 1", "state": "values"}]
        }
