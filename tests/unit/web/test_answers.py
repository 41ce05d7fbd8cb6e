"""Headers and errors: what every answer carries, and what a refusal says."""

from __future__ import annotations

import pytest
import structlog
from flask import Flask, abort, g
from flask.testing import FlaskClient

from lti_tool.errors import ErrorCode, LaunchRefused, NotFound, ToolError
from lti_tool.telemetry import SECRET_FIELDS
from lti_tool.web.error_texts import TEXTS
from lti_tool.web.headers import origin_of
from tests.unit.web.sample_views import session
from tests.unit.web.samples import SECRET, Sample


@pytest.mark.parametrize("code", list(ErrorCode))
def test_every_code_has_a_page(code: ErrorCode, app: Flask) -> None:
    def refuse() -> str:
        raise ToolError(code, "a detail for the log")

    app.add_url_rule("/refuse", view_func=refuse)
    answer = app.test_client().get("/refuse", headers={"Accept": "text/html"})
    assert answer.status_code == 500
    assert code.value in answer.text
    assert "a detail for the log" not in answer.text
    with app.test_request_context():
        assert str(TEXTS[code].title)
        assert str(TEXTS[code].happened)
        assert str(TEXTS[code].advice)


def test_a_bug_shows_a_number_and_no_trace(app: Flask, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> str:
        raise KeyError("a secret in a message")

    app.add_url_rule("/fail", view_func=fail)
    answer = app.test_client().get("/fail")
    assert answer.status_code == 500
    assert "a secret" not in answer.text
    assert "KeyError" not in answer.text


def test_the_log_says_why_somebody_was_refused(app: Flask) -> None:
    def refuse() -> str:
        raise NotFound(ErrorCode.CONTEXT_NOT_FOUND)

    app.add_url_rule("/refuse", view_func=refuse)
    with structlog.testing.capture_logs() as logged:
        app.test_client().get("/refuse")
    (line,) = (line for line in logged if line["event"] == "request_refused")
    assert "context_not_found" in line.values()
    # ``code`` is masked in every line: it is also what OAuth calls an authorisation code.
    assert not line.keys() & SECRET_FIELDS


@pytest.mark.parametrize(
    "address",
    [
        "/credentials/a%00",
        "/issuers/%00/did.json",
        "/l/a%00/wallet",
        "/staff/holders?q=%00",
        "/lti/login?iss=%00",
    ],
)
def test_an_address_with_a_character_that_no_database_compares_is_refused(
    address: str, client: FlaskClient
) -> None:
    """PostgreSQL fails over NUL: whoever typed it would see a bug, and the operator would be woken by it."""
    answer = client.get(address)
    assert answer.status_code == 400
    assert "request_invalid" in answer.text


def test_a_percent_sign_before_zeros_is_no_such_character(client: FlaskClient) -> None:
    assert client.get("/credentials/a%2500?q=%2500").status_code == 404


def test_programs_get_problem_json(client: FlaskClient) -> None:
    for path, headers in (
        ("/credentials/unknown.json", {}),
        ("/credentials/unknown", {"Accept": "application/json"}),
        ("/status/unknown", {}),
        ("/api/unknown", {}),
    ):
        answer = client.get(path, headers=headers)
        assert answer.status_code == 404
        assert answer.mimetype == "application/problem+json"
        assert answer.get_json()["code"] in ("not_found", "credential_not_found")
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_people_get_a_page(client: FlaskClient) -> None:
    answer = client.get(
        "/credentials/unknown", headers={"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    )
    assert answer.status_code == 404
    assert answer.mimetype == "text/html"


def test_a_page_that_the_advice_speaks_of_is_one_click_away(app: Flask) -> None:
    def refuse() -> str:
        raise LaunchRefused(ErrorCode.REGISTRATION_UNKNOWN)

    app.add_url_rule("/lti/refuse", view_func=refuse)
    assert 'href="/lti/connect"' in app.test_client().get("/lti/refuse").text


def test_a_wrong_method_says_which_are_right(client: FlaskClient) -> None:
    answer = client.delete("/verify")
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


def test_a_body_that_is_too_large_is_refused(client: FlaskClient, tool: Sample) -> None:
    assert client.post("/lti/launch", data={"id_token": "x" * 600_000}).status_code == 413
    assert tool.calls == []


class TestHeaders:
    """The same on every page, set in one place."""

    def test_public_pages_are_framed_by_nobody(self, client: FlaskClient) -> None:
        for path in ("/verify", "/credentials/credential-2", "/lti/connect", "/nothing"):
            policy = client.get(path).headers["Content-Security-Policy"]
            assert "frame-ancestors 'none'" in policy
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy

    def test_a_sessions_pages_are_framed_by_its_platform(self, member: FlaskClient, tool: Sample) -> None:
        tool.launching.view = session(
            frame_origins=(
                "https://moodle.example.edu",
                "https://*.instructure.com",
                "https://evil; script-src *",
            )
        )
        policy = member.get("/l/session-1/wallet").headers["Content-Security-Policy"]
        assert "frame-ancestors 'self' https://moodle.example.edu https://*.instructure.com;" in policy
        assert "https://evil" not in policy
        assert "script-src *" not in policy

    def test_each_answer_has_its_own_nonce(self, client: FlaskClient) -> None:
        policies = {client.get("/lti/connect").headers["Content-Security-Policy"] for _ in range(3)}
        assert len(policies) == 3

    def test_common_headers(self, client: FlaskClient) -> None:
        headers = client.get("/verify").headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
        assert headers["Strict-Transport-Security"].startswith("max-age=")
        assert "camera=()" in headers["Permissions-Policy"]

    def test_plain_http_promises_no_https(self, client: FlaskClient, tool: Sample) -> None:
        tool.settings.base_url = "http://localhost:8000"
        assert "Strict-Transport-Security" not in client.get("/verify").headers

    def test_a_picture_runs_nothing(self, client: FlaskClient) -> None:
        answer = client.get("/achievements/version-writing.svg")
        assert answer.mimetype == "image/svg+xml"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "script" not in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "url, origin",
    [
        ("https://moodle.example.edu/course/view.php?id=2", "https://moodle.example.edu"),
        ("https://moodle.example.edu:8443/x", "https://moodle.example.edu:8443"),
        ("http://[::1]:9000/x", "http://[::1]:9000"),
        ("javascript:alert(1)", None),
        ("https://", None),
        ("https://a b/", None),
        ("https://a;script-src/", None),
        ("https://a,b/", None),
        ("https://münchen.example/", None),
        ("https://a:99999/", None),
        ("//a.example/", None),
    ],
)
def test_origins(url: str, origin: str | None) -> None:
    assert origin_of(url) == origin


class TestBackToTheCourse:
    """The way back leads only where the signed launch came from."""

    @pytest.mark.parametrize(
        "return_url, is_offered",
        [
            ("https://moodle.example.edu/course/view.php?id=2", True),
            ("https://evil.example/", False),
            ("https://moodle.example.edu@evil.example/", False),
            ("https://user:pw@moodle.example.edu/", False),
            ("javascript:alert(1)", False),
            (None, False),
        ],
    )
    def test_leads_to_a_signed_origin(
        self, return_url: str | None, is_offered: bool, app: Flask, tool: Sample
    ) -> None:
        tool.launching.view = session(return_url=return_url)

        def refuse() -> str:
            g.session = tool.launching.open_session_by_token(SECRET)
            raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)

        app.add_url_rule("/l/refuse", view_func=refuse)
        page = app.test_client().get("/l/refuse").text
        assert ("Back to the course" in page) is is_offered
        assert "evil.example" not in page
        assert "javascript:" not in page


def test_limits_answer_429(app: Flask) -> None:
    app.add_url_rule("/busy", view_func=lambda: abort(429))
    answer = app.test_client().get("/busy")
    assert answer.status_code == 429
    assert "rate_limited" in answer.text
