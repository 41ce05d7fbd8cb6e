"""Two institutions of one Canvas cloud, and the tests' own tool deployed in both."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.integration.simulator.conftest import SCOPES, TOOL_URL, Clock, ProbeTool
from tests.simulator.canvas.lms import Canvas, Cloud
from tests.simulator.claims import CLAIM_DEPLOYMENT
from tests.simulator.client import Person, fetch_in_process, mounts
from tests.simulator.lms import Activity, Course, Role, ToolType, User

NORTH, SOUTH = "http://127.0.0.1:8091", "http://127.0.0.1:8092"
NORTH_TOO = "http://127.0.0.1:8093"
"""North's other domain."""
SSO = "http://127.0.0.1:8090"
SUBMISSION = "https://canvas.instructure.com/lti/submission"
CUSTOM = {
    "context_history": "$Context.id.history",
    "student_view": "$com.instructure.User.student_view",
    "masquerade": "$Canvas.masqueradingUser.id",
    "canvas_user": "$Canvas.user.id",
    "sis": "$Person.sourcedId",
    "unheard_of": "$Canvas.no.such.thing",
}


@dataclass
class Institution:
    """One institution with one course, a teacher and learners."""

    lms: Canvas
    probe: ProbeTool
    app: Any
    tool: ToolType
    course: Course
    teacher: User
    learners: list[User]
    clock: Clock

    def person(self, user: User, **more: Any) -> Person:
        return Person(self.lms, self.app, user, **more)

    def place(self, *items: dict[str, Any], placement: str = "assignment_selection") -> list[Activity]:
        """Deep-link `items` as the teacher does."""
        self.probe.content_items = [{"type": "ltiResourceLink", **item} for item in items]
        self.probe.response_overrides = {CLAIM_DEPLOYMENT: self.lms.deployment_id(self.tool)}
        teacher = self.person(self.teacher)
        return teacher.save_selected(teacher.deep_link(self.course, tool=self.tool, placement=placement))

    def claims_at(self, path: str, user: User | None = None, **more: Any) -> dict[str, Any]:
        """What the tool is told when `user` (the first learner) opens a page with it."""
        self.person(user or self.learners[0], **more).open(path)
        return self.probe.claims

    def ask_token(self, *, at: str | None = None, **overrides: Any) -> requests.Response:
        url = (at or self.lms.base_url) + self.lms.token_path
        assertion = self.probe.assertion(self.tool.client_id, self.clock.now, aud=overrides.pop("aud", url))
        form = {
            "grant_type": "client_credentials",
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": SCOPES,
        }
        return self._session().post(url, data=form | overrides)

    def _session(self) -> requests.Session:
        session = requests.Session()
        for lms in self.lms.cloud.institutions.values():
            for url, adapter in mounts(lms).items():
                session.mount(url, adapter)
        return session

    def call(
        self, method: str, path: str, *, body: Any = None, token: str | None = None, **headers: str
    ) -> requests.Response:
        """A service call with a fresh token of all scopes; `path` below the course, or a whole URL."""
        given = token or str(self.ask_token().json()["access_token"])
        url = (
            path if path.startswith("http") else f"{self.lms.base_url}/api/lti/courses/{self.course.id}{path}"
        )
        data = None if body is None else json.dumps(body)
        sent = {"Authorization": f"Bearer {given}", "Content-Type": "application/json", **headers}
        return self._session().request(method, url, headers=sent, data=data)

    def create_column(self, **body: Any) -> int:
        answer = self.call("POST", "/line_items", body={"scoreMaximum": 100, "label": "Column", **body})
        assert answer.status_code == 201, answer.text
        return int(answer.json()["id"].rsplit("/", 1)[1])

    def score(self, column: int, user: User, **body: Any) -> requests.Response:
        """A full score at the clock's time; None takes a member out."""
        given: dict[str, Any] = {
            "userId": self.lms.sub(user),
            "scoreGiven": 1,
            "scoreMaximum": 1,
            "activityProgress": "Completed",
            "gradingProgress": "FullyGraded",
            "timestamp": self.clock.now.isoformat(timespec="milliseconds"),
        }
        sent = {name: value for name, value in (given | body).items() if value is not None}
        return self.call("POST", f"/line_items/{column}/scores", body=sent)

    def results(self, column: int, query: str = "") -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.call("GET", f"/line_items/{column}/results{query}").json()
        return found


def _settle(lms: Canvas, probe: ProbeTool, app: Any, clock: Clock) -> Institution:
    lms.fetch = fetch_in_process(app)
    course = lms.add_course("MM1", "Micromodule 1: Open Data")
    teacher = lms.add_user("teacher", "Tea", "Cher")
    lms.enrol(teacher, course, Role.EDITING_TEACHER)
    learners = [lms.add_user(f"student{n}", f"Stu{n}", f"Dent{n}") for n in (1, 2, 3)]
    for learner in learners:
        lms.enrol(learner, course)
    tool = lms.register_tool(
        TOOL_URL,
        client_id=lms.cloud.shared_client_id,
        login_path="/login",
        launch_path="/launch",
        jwks_path="/jwks",
        custom=CUSTOM,
    )
    return Institution(lms, probe, app, tool, course, teacher, learners, clock)


@pytest.fixture
def institutions() -> tuple[Institution, Institution]:
    """North and South, which give people and courses of the same number the same ids."""
    clock, probe = Clock(), ProbeTool()
    cloud = Cloud(SSO, clock=clock)
    sites = [
        Canvas(url, cloud, clock=clock, name=name, id_space="same", second_url=second_url)
        for url, name, second_url in ((NORTH, "North", NORTH_TOO), (SOUTH, "South", None))
    ]
    app = probe.app(lambda: sites[0])
    north, south = (_settle(site, probe, app, clock) for site in sites)
    return north, south


@pytest.fixture
def north(institutions: tuple[Institution, Institution]) -> Institution:
    """The first of them."""
    return institutions[0]
