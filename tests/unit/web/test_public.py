"""What strangers and programs get."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import pytest
from bs4 import BeautifulSoup, Tag
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.middleware.proxy_fix import ProxyFix

from lti_tool.credentials.errors import NotACredential
from lti_tool.credentials.verification import ClaimedResult, ClaimedWork, Outcome, Step, Verdict
from lti_tool.errors import Busy, ErrorCode, RequestInvalid
from lti_tool.web.verify import caller_address
from tests.unit.web.sample_views import CREDENTIAL, endorsed_report, record_report
from tests.unit.web.samples import Sample, sample_app

JSON_TYPES = ["application/vc+ld+json", "application/ld+json", "application/json"]


@pytest.mark.parametrize("accept", JSON_TYPES)
def test_programs_get_the_signed_bytes(accept: str, client: FlaskClient) -> None:
    answer = client.get("/credentials/credential-2", headers={"Accept": accept})
    assert answer.mimetype == accept
    assert answer.data == CREDENTIAL.document
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Accept" in answer.headers["Vary"]


def test_the_json_address_needs_no_accept(client: FlaskClient) -> None:
    answer = client.get("/credentials/credential-2.json")
    assert answer.mimetype == "application/vc+ld+json"
    assert answer.data == CREDENTIAL.document


@pytest.mark.parametrize(
    "path",
    [
        "/credentials/credential-2.json",
        "/credentials/credential-2.png",
        "/credentials/credential-2.svg",
        "/credentials/credential-2",
        "/ob2/assertions/credential-2",
        "/ob2/assertions/credential-2.png",
        "/ob2/assertions/credential-2.svg",
        "/ob2/badges/version-writing",
        "/ob2/issuers/issuer-1",
        "/achievements/version-writing",
        "/issuers/issuer-1",
        "/achievements/version-writing.png",
        "/achievements/version-writing.svg",
        "/issuers/issuer-1/did.json",
        "/status/list-1",
        "/schemas/criteria-2.json",
    ],
)
def test_what_was_read_before_is_not_sent_again(path: str, client: FlaskClient) -> None:
    first = client.get(path)
    assert first.status_code == 200
    assert "Cache-Control" in first.headers
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304
    assert again.data == b""
    # Browsers put these headers over those they kept with the body (RFC 9111 section 3.2).
    of_body = {"Content-Type", "Content-Length"}
    assert dict(again.headers) == {
        name: value for name, value in first.headers.items() if name not in of_body
    }


OF_ONE_CREDENTIAL = [
    ("/credentials/credential-2", "text/html"),
    ("/credentials/credential-2", "application/json"),
    ("/credentials/credential-2.json", "*/*"),
    ("/credentials/credential-2.png", "*/*"),
]


@pytest.mark.parametrize("path,accept", OF_ONE_CREDENTIAL)
def test_nobody_shows_a_badge_again_without_asking(
    path: str, accept: str, client: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = client.get(path, headers={"Accept": accept})
    assert first.headers["Cache-Control"] == "no-cache"
    seen = {"Accept": accept, "If-None-Match": first.headers["ETag"]}
    again = client.get(path, headers=seen)
    assert (again.status_code, again.headers["Cache-Control"]) == (304, "no-cache")
    for question in ("credential", "document", "etag", "baked_png"):
        monkeypatch.setattr(tool.public, question, lambda _: None)
    ended = client.get(path, headers=seen)
    assert (ended.status_code, ended.headers["Cache-Control"]) == (404, "no-store")


@pytest.mark.parametrize("path", ["/achievements/version-writing", "/achievements/version-writing.png"])
def test_what_is_about_no_learner_may_be_kept(path: str, client: FlaskClient) -> None:
    assert client.get(path).headers["Cache-Control"].startswith("public, max-age=")


@pytest.mark.parametrize("path", ["/status/list-1", "/issuers/issuer-1/did.json"])
def test_what_every_check_relies_on_outlives_an_outage_of_ours_in_caches(
    path: str, client: FlaskClient
) -> None:
    kept = client.get(path).headers["Cache-Control"]
    assert kept.startswith("public, max-age=")
    assert kept.endswith("stale-if-error=86400")


def test_the_schema_of_criteria_is_for_everybody(client: FlaskClient) -> None:
    answer = client.get("/schemas/criteria-2.json", headers={"Origin": "https://editor.example"})
    assert answer.mimetype == "application/schema+json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cache-Control"].startswith("public, max-age=")
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    schema = answer.get_json(force=True)
    assert schema["$id"].endswith("/schemas/criteria-2.json")
    assert "://" in schema["$id"]


def test_a_page_that_was_seen_is_sent_again_after_a_revocation(
    client: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/credentials/{CREDENTIAL.id}"
    seen = {"If-None-Match": client.get(path).headers["ETag"]}
    revoked = replace(CREDENTIAL, is_revoked=True)
    monkeypatch.setattr(tool.public, "credential", lambda _: revoked)
    answer = client.get(path, headers=seen)
    assert answer.status_code == 200
    assert "This badge was revoked." in answer.text


@pytest.mark.parametrize(
    "id_,said", [("expired", "This badge has expired."), ("suspended", "This badge is suspended.")]
)
def test_what_does_not_count_any_more_says_so_and_can_be_verified(
    id_: str, said: str, client: FlaskClient
) -> None:
    shown = client.get(f"/credentials/{id_}").text
    assert said in shown
    assert "revoked." not in shown
    assert "Verify now" in shown


@pytest.mark.parametrize(
    "path",
    [
        "/credentials/private",
        "/credentials/private.json",
        "/credentials/private.png",
        "/achievements/unknown",
        "/achievements/unknown.png",
        "/issuers/unknown",
        "/issuers/unknown/did.json",
        "/status/unknown",
        "/schemas/criteria-1.json",
        "/schemas/criteria-2",
        "/.well-known/did.jsonld",
        "/credentials/..%2f..%2fetc%2fpasswd",
    ],
)
def test_what_is_not_public_is_not_there(path: str, client: FlaskClient) -> None:
    assert client.get(path).status_code == 404


class TestKeptPages:
    """Public pages are rendered once for what they show."""

    def test_a_kept_page_follows_its_record(
        self, client: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = f"/credentials/{CREDENTIAL.id}"
        first = client.get(path)
        assert client.get(path).data == first.data
        renamed = replace(CREDENTIAL, issuer_name="Another University")
        monkeypatch.setattr(tool.public, "credential", lambda _: renamed)
        assert "Another University" in client.get(path).text
        monkeypatch.setattr(tool.public, "credential", lambda _: None)
        assert client.get(path).status_code == 404

    def test_a_kept_page_holds_no_nonce(self, client: FlaskClient) -> None:
        answer = client.get(f"/credentials/{CREDENTIAL.id}")
        assert "nonce" not in answer.text
        assert "script-src 'self';" in answer.headers["Content-Security-Policy"]


def test_a_revoked_badge_says_so(client: FlaskClient) -> None:
    page = client.get("/credentials/revoked").text
    assert "This badge was revoked." in page
    assert "Issued by mistake." in page


def test_how_long_a_badge_is_valid_is_said_once(
    client: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    details = replace(CREDENTIAL.details, validity_months=24)
    for valid_until, said in ((None, "Valid for"), (CREDENTIAL.awarded_at, "Valid until")):
        badge = replace(CREDENTIAL, details=details, valid_until=valid_until)
        monkeypatch.setattr(tool.public, "credential", lambda _, badge=badge: badge)
        page = BeautifulSoup(client.get(f"/credentials/{CREDENTIAL.id}").text, "html5lib")
        facts = [fact.get_text() for fact in page.select(".facts dt")]
        assert [fact for fact in facts if fact.startswith("Valid")] == [said]


@pytest.mark.parametrize("hosted_url", [CREDENTIAL.hosted_url, None])
def test_older_backpacks_get_a_picture_or_a_drawing(
    client: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch, hosted_url: str | None
) -> None:
    monkeypatch.setattr(tool.public, "credential", lambda _: replace(CREDENTIAL, hosted_url=hosted_url))
    page = BeautifulSoup(client.get(f"/credentials/{CREDENTIAL.id}").text, "html5lib")
    links = [str(link["href"]) for link in page.select('a[href^="/ob2/assertions/"]')]
    assert links == (
        [f"/ob2/assertions/{CREDENTIAL.id}.{kind}" for kind in ("png", "svg")] if hosted_url else []
    )
    assert all(client.get(link).status_code == 200 for link in links)


def test_an_issuer_s_page_says_how_to_reach_it_and_on_what_terms(
    client: FlaskClient, tool: Sample, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = tool.public.issuer("issuer-1")
    assert issuer is not None

    def facts(**changes: str | None) -> dict[str, str]:
        shown = replace(issuer, view=replace(issuer.view, **changes))
        monkeypatch.setattr(tool.public, "issuer", lambda _: shown)
        page = BeautifulSoup(client.get("/issuers/issuer-1").text, "html5lib")
        links = {}
        for fact in page.select(".facts > div"):
            heading, link = fact.find("dt"), fact.find("a")
            if isinstance(heading, Tag) and isinstance(link, Tag):
                links[heading.get_text()] = str(link["href"])
        return links

    said = facts(email="badges@example.edu", terms_url="https://www.example.edu/badge-terms")
    assert said["E-mail address"] == "mailto:badges@example.edu"
    assert said["Terms of use"] == "https://www.example.edu/badge-terms"
    assert not {"E-mail address", "Terms of use"} & facts(email=None, terms_url=None).keys()


class TestVerify:
    """The page and the API give one judgement."""

    def test_api_takes_the_credential_itself(self, client: FlaskClient, tool: Sample) -> None:
        answer = client.post("/api/verify", data=b'{"a": 1}', content_type="application/vc+ld+json")
        assert answer.get_json()["verdict"] == "valid"
        assert answer.get_json()["steps"][0] == {"name": "read", "outcome": "passed", "detail": "read_json"}
        assert answer.get_json()["credential"]["issuer_name"] == "Example University"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        assert tool.calls == [("verify", b'{"a": 1}')]

    @pytest.mark.parametrize("path", ["/verify", "/api/verify"])
    def test_takes_a_file_a_text_or_an_address(self, path: str, client: FlaskClient, tool: Sample) -> None:
        client.post(path, data={"file": (io.BytesIO(b"PNG"), "badge.png")})
        client.post(path, data={"text": " {} "})
        client.post(path, data={"url": "https://issuer.example/1"})
        assert tool.calls == [
            ("verify", b"PNG"),
            ("verify", b"{}"),
            ("verify_url", "https://issuer.example/1"),
        ]

    def test_an_empty_file_field_does_not_hide_the_address(self, client: FlaskClient, tool: Sample) -> None:
        client.post("/verify", data={"file": (io.BytesIO(b""), ""), "url": "https://issuer.example/1"})
        assert tool.calls == [("verify_url", "https://issuer.example/1")]

    def test_nothing_is_no_badge(self, client: FlaskClient) -> None:
        assert client.post("/api/verify", data=b"", content_type="application/json").status_code == 400
        page = client.post("/verify", data={})
        assert page.status_code == 400
        assert "This is not a badge" in page.text

    def test_a_genuine_record_does_not_prove_whose_badges_they_are(
        self, client: FlaskClient, tool: Sample
    ) -> None:
        tool.report = record_report(Verdict.VALID)
        page = client.post("/verify", data={"text": "{}"})
        assert "is the word of who put it together" in page.text

    def test_a_name_without_a_web_address_stands_beside_its_key(
        self, client: FlaskClient, tool: Sample
    ) -> None:
        """Anybody can make a did:key and call it a ministry: the name alone proves nothing."""
        key = "did:key:z6Mki11Bt3TszrQcX7c1GuaNUc3gFh4XLWjCQWXrRis9QQeH"
        judged = endorsed_report().endorsements
        tool.report = replace(
            record_report(Verdict.VALID),
            endorsements=(replace(judged[0], endorser_id=key, endorser_name="Ministry"),),
        )
        held = tool.report.credentials[0]
        assert held.credential is not None
        by_key = replace(held, credential=replace(held.credential, issuer_id=key))
        tool.report = replace(tool.report, credentials=(by_key,))
        page = BeautifulSoup(client.post("/verify", data={"text": "{}"}).text, "html5lib")
        for part in ("endorsements-title", "credentials-title"):
            section = page.select_one(f"section[aria-labelledby={part}]")
            assert section is not None
            assert f"Signed on behalf of {key}" in " ".join(section.get_text().split())

    @pytest.mark.parametrize(
        "details, words",
        [
            (("suspended",), "The issuer has suspended it."),
            (("expired",), "It has expired."),
            (("signature_wrong", "expired"), "At least one check failed."),
            (("signature_wrong",), "At least one check failed."),
        ],
    )
    def test_what_alone_is_wrong_is_said_at_once(
        self, client: FlaskClient, tool: Sample, details: tuple[str, ...], words: str
    ) -> None:
        steps = tuple(Step("status", Outcome.FAILED, detail) for detail in details)
        tool.report = replace(tool.report, verdict=Verdict.INVALID, steps=(*tool.report.steps, *steps))
        lead = BeautifulSoup(client.post("/verify", data={"text": "{}"}).text, "html5lib").select_one(
            ".page-head .lead"
        )
        assert lead is not None
        assert words in lead.get_text()

    def test_results_and_free_words_are_shown(self, client: FlaskClient, tool: Sample) -> None:
        """Whoever gets the file alone sees what its holder was told would be seen."""
        assert tool.report.credential is not None
        results = (ClaimedResult("Quiz 1", "85", is_percent=True), ClaimedResult(None, "A", is_percent=False))
        said = replace(tool.report.credential, tags=("Writing", "2.5 ECTS"), results=results)
        tool.report = replace(tool.report, credential=said)
        page = BeautifulSoup(client.post("/verify", data={"text": "{}"}).text, "html5lib")
        assert [chip.get_text(strip=True) for chip in page.select(".chips .chip")] == ["Writing", "2.5 ECTS"]
        words = " ".join(page.get_text(" ", strip=True).split())
        assert "What was reached: Quiz 1 85 %" in words
        assert "What was reached A" in words

    @pytest.mark.parametrize("verdict, is_linked", [(Verdict.VALID, True), (Verdict.INVALID, False)])
    def test_work_is_shown_and_linked_only_from_what_is_genuine(
        self, client: FlaskClient, tool: Sample, verdict: Verdict, is_linked: bool
    ) -> None:
        assert tool.report.credential is not None
        work = (
            ClaimedWork("https://work.example/essay", "My essay"),
            ClaimedWork("https://work.example/data", None),
            ClaimedWork("javascript:alert(1)", "Not followed"),
        )
        said = replace(tool.report.credential, work=work)
        tool.report = replace(tool.report, verdict=verdict, credential=said)
        page = BeautifulSoup(client.post("/verify", data={"text": "{}"}).text, "html5lib")
        links = page.select('a[href^="https://work.example/"]')
        assert [(str(link["href"]), link.get_text()) for link in links] == (
            [
                ("https://work.example/essay", "My essay"),
                ("https://work.example/data", "https://work.example/data"),
            ]
            if is_linked
            else []
        )
        for link in links:
            assert {"noopener", "noreferrer", "nofollow", "ugc"} <= set(link["rel"])
        words = " ".join(page.get_text(" ", strip=True).split())
        assert "My essay" in words
        assert "https://work.example/data" in words
        assert "Not followed" not in words
        assert "javascript:" not in str(page)

    def test_what_is_no_credential_is_a_4xx(self, client: FlaskClient, tool: Sample) -> None:
        def refuse(data: bytes) -> object:
            raise NotACredential("not_json")

        tool.verifying.verify = refuse
        answer = client.post("/api/verify", data=b"hello", content_type="text/plain")
        assert answer.status_code == 422
        assert json.loads(answer.data)["code"] == "credential_not_recognised"
        assert client.post("/verify", data={"text": "hello"}).status_code == 422

    def test_a_get_never_fetches(self, client: FlaskClient, tool: Sample) -> None:
        assert 'value="https://issuer.example/1"' in client.get("/verify?url=https://issuer.example/1").text
        assert tool.calls == []

    def test_a_picture_of_megabytes_is_taken(self, client: FlaskClient, tool: Sample) -> None:
        data = b"x" * (4 * 1024 * 1024)
        assert client.post("/api/verify", data=data, content_type="image/png").status_code == 200
        page = client.post("/verify", data={"file": (io.BytesIO(data), "badge.png")})
        assert page.status_code == 200
        page.request.environ["wsgi.input"].close()  # werkzeug's test client leaves its spooled file open
        assert client.post("/api/verify", data=data * 2, content_type="image/png").status_code == 413

    def test_any_page_may_ask(self, client: FlaskClient) -> None:
        answer = client.options("/api/verify", headers={"Origin": "https://employer.example"})
        assert answer.status_code == 204
        assert answer.headers["Access-Control-Allow-Headers"] == "Content-Type"

    def test_only_the_verifier_is_limited(self) -> None:
        app = sample_app(Sample(), RATELIMIT_ENABLED=True)
        client = app.test_client()
        answers = [client.post("/api/verify", data=b"{}").status_code for _ in range(70)]
        assert 429 in answers
        assert answers[:50] == [200] * 50
        launches = {client.post("/lti/launch", data={}).status_code for _ in range(200)}
        assert launches == {303}

    @pytest.mark.parametrize(
        "peer, forwarded, limited",
        [
            ("8.8.8.8", None, "8.8.8.8"),
            ("8.8.8.8", "1.1.1.1", "8.8.8.8"),
            ("127.0.0.1", "1.1.1.1, 9.9.9.9", "127.0.0.1"),
            ("10.0.0.7", "", "10.0.0.7"),
            ("", "9.9.9.9", "unknown"),
        ],
    )
    def test_a_stranger_cannot_choose_whom_a_limit_counts(
        self, peer: str, forwarded: str | None, limited: str, app: Flask
    ) -> None:
        headers = {} if forwarded is None else {"X-Forwarded-For": forwarded}
        with app.test_request_context("/verify", environ_base={"REMOTE_ADDR": peer}, headers=headers):
            assert caller_address() == limited

    def test_our_proxy_names_whom_a_limit_counts(self, app: Flask) -> None:
        seen: list[str] = []
        app.before_request(lambda: seen.append(caller_address()))
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=1)  # type: ignore[method-assign]
        app.test_client().get("/verify", headers={"X-Forwarded-For": "1.1.1.1, 9.9.9.9"})
        assert seen == ["9.9.9.9"]

    def test_who_costs_seconds_is_asked_to_wait(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tool = Sample()
        client = sample_app(tool, RATELIMIT_ENABLED=True).test_client()
        now = [0.0]
        monkeypatch.setattr("lti_tool.web.verify.time.monotonic", lambda: now[0])

        def slow(data: bytes) -> object:
            now[0] += 3.0
            return tool.report

        tool.verifying.verify = slow
        statuses = [client.post("/api/verify", data=b"{}").status_code for _ in range(6)]
        assert statuses == [200, 200, 200, 200, 429, 429]
        # one account for both doors, and another for everybody else
        assert client.post("/verify", data={"text": "{}"}).status_code == 429
        other = client.post("/verify", data={"text": "{}"}, environ_base={"REMOTE_ADDR": "8.8.8.8"})
        assert other.status_code == 200

    def test_what_is_refused_costs_its_time_too(self, monkeypatch: pytest.MonkeyPatch) -> None:
        tool = Sample()
        client = sample_app(tool, RATELIMIT_ENABLED=True).test_client()
        now = [0.0]
        monkeypatch.setattr("lti_tool.web.verify.time.monotonic", lambda: now[0])

        def slow(data: bytes) -> object:
            now[0] += 6.0
            raise NotACredential("not_json")

        tool.verifying.verify = slow
        assert [client.post("/api/verify", data=b"x").status_code for _ in range(3)] == [422, 422, 429]

    def test_a_busy_verifier_says_when_to_come_again(self, client: FlaskClient, tool: Sample) -> None:
        def refuse(data: bytes) -> object:
            raise Busy(ErrorCode.VERIFIER_BUSY, retry_after=5)

        tool.verifying.verify = refuse
        answer = client.post("/api/verify", data=b"{}", content_type="application/vc+ld+json")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.mimetype == "application/problem+json"
        assert answer.get_json()["code"] == "verifier_busy"
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        page = client.post("/verify", data={"text": '{"kept": "<b>"}'})
        assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
        assert "Try again in a few seconds." in page.text
        assert "{&#34;kept&#34;: &#34;&lt;b&gt;&#34;}</textarea>" in page.text

    def test_a_bad_address_is_no_matter_of_the_course(self, client: FlaskClient, tool: Sample) -> None:
        def refuse(url: str) -> object:
            raise RequestInvalid(ErrorCode.VERIFY_URL_INVALID)

        tool.verifying.verify_url = refuse
        page = client.post("/verify", data={"url": "foo"})
        assert page.status_code == 400
        assert "This is not a web address" in page.text
        assert "course" not in BeautifulSoup(page.text, "html5lib").main.get_text()  # type: ignore[union-attr]

    def test_verify_now_judges_the_bytes_that_the_page_shows(self, client: FlaskClient, tool: Sample) -> None:
        form = BeautifulSoup(client.get("/credentials/credential-2").text, "html5lib").find(
            "form", class_="verify-now"
        )
        assert isinstance(form, Tag)
        fields = {str(field["name"]): str(field["value"]) for field in form.find_all("input")}
        assert client.post(str(form["action"]), data=fields).status_code == 200
        assert tool.calls == [("verify", CREDENTIAL.document)]

    def test_what_it_says_cannot_become_markup(self, client: FlaskClient, tool: Sample) -> None:
        assert tool.report.credential is not None
        tool.report = replace(
            tool.report, credential=replace(tool.report.credential, issuer_name="<script>alert(1)</script>")
        )
        assert "<script>alert" not in client.post("/verify", data={"text": "{}"}).text


class TestOperations:
    """For whoever runs it."""

    def test_health_and_readiness(self, client: FlaskClient, tool: Sample) -> None:
        assert client.get("/healthz").data == b"ok\n"
        assert client.get("/readyz").get_json() == {"ready": True, "problems": {}}
        tool.readiness = lambda: {"database": "database_not_migrated"}  # type: ignore[assignment]
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert answer.get_json()["problems"] == {"database": "database_not_migrated"}

    def test_metrics(self, client: FlaskClient) -> None:
        client.post("/lti/launch", data={})
        assert b'lti_tool_launches_total{outcome="accepted"}' in client.get("/metrics").data

    def test_assets_are_kept_for_good_and_never_wrong(self, app: Flask, client: FlaskClient) -> None:
        with app.test_request_context():
            address = app.jinja_env.globals["asset_url"]("style.css")  # type: ignore[operator]
        assert "immutable" in client.get(address).headers["Cache-Control"]
        other = client.get("/static/000000000000/style.css")
        assert other.headers["Cache-Control"] == "no-cache"
        assert client.get("/static/0/../session.py").status_code == 404
        assert client.get("/static/0/%2e%2e/session.py").status_code == 404

    def test_keys(self, client: FlaskClient) -> None:
        answer = client.get("/lti/jwks.json")
        assert answer.get_json() == {"keys": []}
        assert answer.headers["Access-Control-Allow-Origin"] == "*"
        again = client.get("/lti/jwks.json", headers={"If-None-Match": answer.headers["ETag"]})
        assert (again.status_code, again.data) == (304, b"")
