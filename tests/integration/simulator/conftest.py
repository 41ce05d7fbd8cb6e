"""A site like the recorded one, and a small tool of the tests' own that does what the LMS asks of it."""

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from flask import Flask, Response, jsonify, make_response, redirect, request
from werkzeug.wrappers import Response as WerkzeugResponse

from tests.simulator.client import Person, fetch_in_process, mounts
from tests.simulator.keys import b64url_bytes, public_jwk, rsa_key, sign_rs256
from tests.simulator.lms import Activity, Course, Lms, Role, ToolType, User
from tests.simulator.moodle.lms import Moodle

LMS_URL = "http://127.0.0.1:8080"
TOOL_URL = "http://localhost:9001"
SCOPES = " ".join(
    [
        *(
            f"https://purl.imsglobal.org/spec/lti-ags/scope/{name}"
            for name in ("lineitem", "lineitem.readonly", "result.readonly", "score")
        ),
        "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly",
    ]
)


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 21, 23, 25, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def tick(self, seconds: float = 1.0) -> datetime:
        self.now += timedelta(seconds=seconds)
        return self.now


def decode(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a compact JWS, unverified."""
    header, claims = (json.loads(b64url_bytes(part)) for part in token.split(".")[:2])
    return header, claims


@dataclass
class ProbeTool:
    """Records what it is sent; answers a deep linking request with `content_items`."""

    content_items: list[dict[str, Any]] = field(default_factory=list)
    logins: list[dict[str, str]] = field(default_factory=list)
    launches: list[dict[str, str]] = field(default_factory=list)
    cookies_at_launch: list[dict[str, str]] = field(default_factory=list)
    key_name: str = "probe"
    tool_url: str = TOOL_URL
    response_overrides: dict[str, Any] = field(default_factory=dict)
    auth_overrides: dict[str, str | None] = field(default_factory=dict)

    @property
    def claims(self) -> dict[str, Any]:
        return decode(self.launches[-1]["id_token"])[1]

    def assertion(
        self, client_id: str, now: datetime, *, key_name: str | None = None, **overrides: Any
    ) -> str:
        issued = int(now.timestamp())
        claims: dict[str, Any] = {
            "iss": client_id,
            "sub": client_id,
            "aud": LMS_URL + "/mod/lti/token.php",
            "iat": issued,
            "exp": issued + 60,
            "jti": str(uuid.uuid4()),
        }
        claims |= overrides
        claims = {name: value for name, value in claims.items() if value is not None}
        return sign_rs256(
            rsa_key(key_name or self.key_name), {"alg": "RS256", "kid": self.key_name, "typ": "JWT"}, claims
        )

    def app(self, lms: Callable[[], Lms]) -> Flask:
        app = Flask("probe")

        @app.route("/login", methods=["GET", "POST"])
        def login() -> WerkzeugResponse:
            sent = request.values.to_dict()
            self.logins.append(sent)
            query: dict[str, str | None] = {
                "scope": "openid",
                "response_type": "id_token",
                "response_mode": "form_post",
                "prompt": "none",
                "client_id": sent["client_id"],
                "redirect_uri": self.tool_url + "/launch",
                "login_hint": sent["login_hint"],
                "lti_message_hint": sent["lti_message_hint"],
                "state": "state-" + str(uuid.uuid4()),
                "nonce": str(uuid.uuid4()),
            }
            query |= self.auth_overrides
            given = {name: value for name, value in query.items() if value is not None}
            answer = redirect(lms().endpoints["auth_url"] + "?" + urlencode(given))
            answer.headers.add("Set-Cookie", "plain=1; Path=/")
            answer.headers.add("Set-Cookie", "none=1; Path=/; Secure; HttpOnly; SameSite=None")
            answer.headers.add("Set-Cookie", "part=1; Path=/; Secure; HttpOnly; SameSite=None; Partitioned")
            return answer

        @app.post("/launch")
        def launch() -> Response:
            self.launches.append(request.form.to_dict())
            self.cookies_at_launch.append(request.cookies.to_dict())
            if "id_token" not in request.form:
                return make_response(f"refused: {request.form.get('error')}", 400)
            claims = self.claims
            settings = claims.get("https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings")
            if settings is None:
                return make_response(f"<title>Launched</title><h1>Hello {claims['sub']}</h1>")
            return make_response(self.picker(claims, settings))

        @app.get("/jwks")
        def jwks() -> Response:
            return jsonify({"keys": [public_jwk(rsa_key(self.key_name), self.key_name)]})

        return app

    def picker(self, claims: dict[str, Any], settings: dict[str, Any]) -> str:
        token = self.deep_linking_response(claims["aud"], claims["iss"], lms_time=claims["iat"])
        return (
            f'<form action="{settings["deep_link_return_url"].replace("&", "&amp;")}" method="post">'
            f'<input type="hidden" name="JWT" value="{token}"><button>Add</button></form>'
        )

    def deep_linking_response(self, client_id: str, issuer: str, *, lms_time: int | None = None) -> str:
        issued = lms_time or int(time.time())
        claims: dict[str, Any] = {
            "iss": client_id,
            "aud": issuer,
            "iat": issued,
            "exp": issued + 60,
            "nonce": str(uuid.uuid4()),
            "https://purl.imsglobal.org/spec/lti/claim/deployment_id": "1",
            "https://purl.imsglobal.org/spec/lti/claim/message_type": "LtiDeepLinkingResponse",
            "https://purl.imsglobal.org/spec/lti/claim/version": "1.3.0",
            "https://purl.imsglobal.org/spec/lti-dl/claim/content_items": self.content_items,
        }
        claims |= self.response_overrides
        return sign_rs256(
            rsa_key(self.key_name), {"alg": "RS256", "kid": self.key_name, "typ": "JWT"}, claims
        )


@dataclass
class Site:
    """The recorded site again: the same users, course, activities and tool, with the same numbers."""

    lms: Moodle
    clock: Clock
    probe: ProbeTool
    app: Flask
    tool: ToolType
    course: Course
    users: dict[str, User]
    quiz1: Activity
    quiz2: Activity
    assign1: Activity
    forum: Activity

    def person(self, username: str, **more: Any) -> Person:
        return Person(self.lms, self.app, self.users[username], **more)

    def place(self, *items: dict[str, Any], username: str = "teacher1") -> list[Activity]:
        """Deep-link `items` into the course as the teacher does, Save included."""
        self.probe.content_items = list(items)
        teacher = self.person(username)
        return teacher.save_selected(teacher.deep_link(self.course))

    def session(self) -> requests.Session:
        session = requests.Session()
        session.mount(LMS_URL, mounts(self.lms)[LMS_URL])
        return session

    def ask_token(self, **overrides: Any) -> requests.Response:
        form: dict[str, Any] = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": self.probe.assertion(self.tool.client_id, self.clock.now),
            "scope": SCOPES,
        }
        form |= overrides
        return self.session().post(
            LMS_URL + "/mod/lti/token.php", data={k: v for k, v in form.items() if v is not None}
        )

    def call(
        self,
        method: str,
        path: str,
        *,
        accept: str | None = None,
        content_type: str | None = None,
        body: Any = None,
        token: str | None = "",
    ) -> requests.Response:
        """A service call with a fresh token of all scopes; `token` None sends none."""
        headers: dict[str, str] = {}
        if token is not None:
            headers["Authorization"] = "Bearer " + (token or str(self.ask_token().json()["access_token"]))
        if accept is not None:
            headers["Accept"] = accept
        if content_type is not None:
            headers["Content-Type"] = content_type
        url = path if path.startswith("http") else LMS_URL + "/mod/lti/services.php" + path
        data = None if body is None else json.dumps(body)
        return self.session().request(method, url, headers=headers, data=data)

    def score(self, item_id: int, user_id: object, given: object, **overrides: Any) -> requests.Response:
        """Post a score of 10 at the clock's time; None in `overrides` takes a field out."""
        body: dict[str, Any] = {
            "userId": str(user_id),
            "scoreGiven": given,
            "scoreMaximum": 10,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": self.clock.now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        body |= overrides
        return self.call(
            "POST",
            f"/{self.course.id}/lineitems/{item_id}/lineitem/scores?type_id={self.tool.id}",
            content_type="application/vnd.ims.lis.v1.score+json",
            body={name: value for name, value in body.items() if value is not None},
        )

    def results(self, item_id: int, query: str = "") -> list[dict[str, Any]]:
        answer = self.call("GET", f"/{self.course.id}/lineitems/{item_id}/lineitem/results?type_id=1{query}")
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()
        return found

    def scores_by_user(self, item_id: int) -> dict[str, float | None]:
        return {row["userId"]: row.get("resultScore") for row in self.results(item_id)}

    def create_line_item(self, **body: Any) -> int:
        answer = self.call(
            "POST",
            f"/{self.course.id}/lineitems?type_id={self.tool.id}",
            content_type="application/vnd.ims.lis.v2.lineitem+json",
            body={"scoreMaximum": 100, "label": "Mirror of Quiz 1", **body},
        )
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"].split("/lineitems/")[1].split("/")[0])


@pytest.fixture
def site() -> Site:
    clock, probe = Clock(), ProbeTool()
    app = probe.app(lambda: lms)
    lms = Moodle(LMS_URL, clock=clock, fetch=fetch_in_process(app), name="Probe Moodle", short_name="probe")
    course = lms.add_course("MM1", "Micromodule 1: Open Data", id_number="MM-1", description="Probe course")
    names = [("teacher1", "Tea", "Cher"), ("noneditor1", "Non", "Editor")]
    names += [(f"student{n}", f"Stu{n}", f"Dent{n}") for n in range(1, 6)]
    names += [("outsider", "Out", "Sider"), ("suspended1", "Sus", "Pended")]
    users = {u: lms.add_user(u, given, family, id_number=f"SIS-{u}") for u, given, family in names}
    lms.enrol(users["teacher1"], course, Role.EDITING_TEACHER)
    lms.enrol(users["noneditor1"], course, Role.TEACHER)
    for number in range(1, 6):
        lms.enrol(users[f"student{number}"], course)
    lms.enrol(users["suspended1"], course, is_suspended=True)
    quiz1 = lms.add_quiz(course, "Quiz 1", id_number="quiz1", pass_grade=60)
    quiz2 = lms.add_quiz(course, "Quiz 2", id_number="quiz2")
    assign1 = lms.add_assignment(course, "Assignment 1", id_number="assign1", maximum=50)
    forum = lms.add_forum(course, "Discussion forum")
    tool = lms.register_tool(
        TOOL_URL, name="Probe Dyn", login_path="/login", launch_path="/launch", jwks_path="/jwks"
    )
    users["admin"] = lms.admin
    return Site(lms, clock, probe, app, tool, course, users, quiz1, quiz2, assign1, forum)
