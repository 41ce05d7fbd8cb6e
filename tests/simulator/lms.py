"""What every LMS has: people, courses, enrolments, activities, a gradebook, external tools, sessions.

`Lms` is the Python API of the simulator, and each product makes it behave as itself: `moodle.lms.Moodle`,
`canvas.lms.Canvas`. The web pages, the services and the control API are thin layers over it. Numbers are
counted per table, so an LTI activity and a quiz may share one; what a tool gets to see of them is the
product's business. All methods take `Lms.lock`, because the demo serves it from several threads.
"""

import itertools
import json
import random
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, ClassVar, Literal, TypedDict

import requests
from flask import Flask, Response

from tests.simulator.chaos import Chaos
from tests.simulator.gradebook import Gradebook, GradeItem, Module
from tests.simulator.keys import PlatformKeys

JsonObject = dict[str, Any]

GRADES_NONE, GRADES_SYNC, GRADES_MANAGE = 0, 1, 2
TOKEN_LIFE = timedelta(seconds=3600)

AGS = "https://purl.imsglobal.org/spec/lti-ags/scope/"
SCOPE_LINEITEM = AGS + "lineitem"
SCOPE_LINEITEM_READONLY = AGS + "lineitem.readonly"
SCOPE_RESULT = AGS + "result.readonly"
SCOPE_SCORE = AGS + "score"
SCOPE_MEMBERSHIPS = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
SCOPE_TOOL_SETTING = "https://purl.imsglobal.org/spec/lti-ts/scope/toolsetting"
SCOPE_BASIC_OUTCOME = "https://purl.imsglobal.org/spec/lti-bo/scope/basicoutcome"


def utc_now() -> datetime:
    return datetime.now(UTC)


def fetch_over_http(url: str) -> bytes:
    """How the LMS reads a tool's key set in the demo; journey tests inject `client.fetch_in_process`."""
    answer = requests.get(url, timeout=10)
    answer.raise_for_status()
    return answer.content


class Role(StrEnum):
    """Course roles by Moodle's short names; the last three exist in Canvas alone."""

    EDITING_TEACHER = "editingteacher"
    TEACHER = "teacher"
    """Moodle's non-editing teacher, Canvas's teaching assistant."""
    STUDENT = "student"
    DESIGNER = "designer"
    OBSERVER = "observer"
    TEST_STUDENT = "teststudent"
    """The course's "Test Student", whom a teacher becomes by "View as student"."""


@dataclass(frozen=True)
class User:
    id: int
    username: str
    given_name: str
    family_name: str
    email: str
    id_number: str = ""
    is_admin: bool = False

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}"


@dataclass
class Enrolment:
    role: Role
    is_suspended: bool = False
    ends_at: datetime | None = None

    def is_active(self, now: datetime) -> bool:
        return not self.is_suspended and (self.ends_at is None or now < self.ends_at)


@dataclass
class Course:
    id: int
    short_name: str
    full_name: str
    id_number: str
    description: str
    starts_at: datetime
    ends_at: datetime
    history: tuple[int, ...] = ()
    enrolments: dict[int, Enrolment] = field(default_factory=dict)
    is_regrade_shown: bool = False


@dataclass
class Activity:
    """A course module: `id` is the cmid, `instance` the number in its module's own table."""

    id: int
    course_id: int
    module: Module
    instance: int
    name: str
    description: str = ""
    is_visible: bool = True
    availability: JsonObject | None = None
    completed_by: set[int] = field(default_factory=set)
    tool_type_id: int | None = None
    url: str = ""
    custom: str = ""
    icon_url: str = ""
    resource_key: str = ""
    history: tuple[int, ...] = ()
    """Of the activities that it was copied from, the nearest first."""


@dataclass
class ToolType:
    """An external tool as an administrator registered it; `custom` holds one ``name=value`` a line."""

    id: int
    name: str
    client_id: str
    url: str
    initiate_login_url: str
    redirect_uris: tuple[str, ...]
    jwks_url: str = ""
    public_key: str = ""
    deep_linking_url: str = ""
    custom: str = ""
    grade_service: int = GRADES_MANAGE
    has_memberships: bool = True
    has_tool_settings: bool = False
    sends_name: bool = True
    sends_email: bool = True
    accepts_grades: bool = True
    description: str = ""
    icon_url: str = ""
    has_deep_linking: bool = True
    is_active: bool = True
    is_in_chooser: bool = True
    container: Literal["iframe", "window"] = "iframe"
    cached_jwks: JsonObject | None = None
    course_id: int | None = None
    """Deployed in this course alone; None: in the whole site."""
    placements: tuple[str, ...] = ()
    """Where a Canvas shows the tool."""
    key_scopes: tuple[str, ...] | None = None
    """What a Canvas developer key allows; None: what the settings above come to."""

    @property
    def scopes(self) -> list[str]:
        """The service scopes this tool may ask a token for, in Moodle's order."""
        if self.key_scopes is not None:
            return list(self.key_scopes)
        scopes = []
        if self.grade_service == GRADES_MANAGE:
            scopes.append(SCOPE_LINEITEM)
        if self.grade_service != GRADES_NONE:
            scopes += [SCOPE_LINEITEM_READONLY, SCOPE_RESULT, SCOPE_SCORE]
        if self.has_memberships:
            scopes.append(SCOPE_MEMBERSHIPS)
        if self.has_tool_settings:
            scopes.append(SCOPE_TOOL_SETTING)
        if self.accepts_grades:
            scopes.append(SCOPE_BASIC_OUTCOME)
        return scopes


class Endpoints(TypedDict):
    """What an administrator tells the tool about the site, by the names the tool has for it."""

    issuer: str
    auth_url: str
    token_url: str
    jwks_url: str


@dataclass(frozen=True)
class AccessToken:
    tool_type_id: int
    scopes: frozenset[str]
    expires_at: datetime


@dataclass(frozen=True)
class LaunchTicket:
    """What Moodle remembers between login initiation and its auth page; good for one use."""

    message_type: Literal[
        "basic-lti-launch-request", "ContentItemSelectionRequest", "LtiSubmissionReviewRequest"
    ]
    tool_type_id: int
    course_id: int
    cmid: int | None = None
    for_user: int | None = None
    """Whose work a review is about."""


@dataclass
class Session:
    """A signed-in browser: the session cookie's value leads here."""

    user_id: int
    sesskey: str
    tickets: dict[str, LaunchTicket] = field(default_factory=dict)
    masquerader_id: int | None = None
    """Who acts as `user_id` (Canvas: "Act as user")."""


@dataclass(frozen=True)
class Opening:
    """How a browser comes to a tool: the page it stands in, and what opens the login there."""

    host_page: str
    frame_url: str | None = None
    """What the page's frame shows; None where the page's own form posts into it."""


class Lms:
    """One site. `base_url` has no trailing slash; `clock` gives aware UTC times."""

    product: ClassVar[Literal["moodle", "canvas"]]
    session_cookie: str
    session_same_site: ClassVar[Literal["Lax", "None"]] = "Lax"
    templates: ClassVar[str]
    """Folder of the product's pages, below this package."""
    login_path: ClassVar[str]
    service_path: ClassVar[str]
    """A part of every service's path, and of no other's; the next four are of one service each."""
    roster_path: ClassVar[str]
    columns_path: ClassVar[str]
    token_path: ClassVar[str]
    selection_path: ClassVar[str]
    """Where deep linking responses arrive."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        fetch: Callable[[str], bytes] = fetch_over_http,
        seed: int = 0,
        name: str,
        short_name: str = "demo",
        keys: PlatformKeys | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.clock = clock
        self.fetch = fetch
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.admin: User
        self.site_course: Course
        self.keys = keys or PlatformKeys(self.base_url)
        self.chaos = Chaos(seed, self.service_path, self.rate_limited)
        self.gradebook = Gradebook(clock)
        self.users: dict[int, User] = {}
        self.courses: dict[int, Course] = {}
        self.activities: dict[int, Activity] = {}
        self.tools: dict[int, ToolType] = {}
        self.tokens: dict[str, AccessToken] = {}
        self.sessions: dict[str, Session] = {}
        self.requests: list[tuple[str, str, int]] = []
        self.application: Flask | None = None
        self._counters: dict[str, itertools.count[int]] = {}
        self.name, self.short_name = name, short_name
        self.open_site()

    # What each product does its own way

    def open_site(self) -> None:
        """Put into the empty site what is there from its first day; sets `admin` and `site_course`."""
        raise NotImplementedError

    @property
    def endpoints(self) -> Endpoints:
        """What an administrator tells the tool about the site."""
        raise NotImplementedError

    def new_client_id(self) -> str:
        """A client id of the product's shape."""
        raise NotImplementedError

    def sub(self, user: User) -> str:
        """The user's id as tools see it."""
        raise NotImplementedError

    def deployment_id(self, tool: ToolType) -> str:
        """The deployment's id as tools see it."""
        raise NotImplementedError

    def page_of(self, activity: Activity) -> str:
        """The address of an activity's own page."""
        raise NotImplementedError

    def opening_of_link(self, activity: Activity) -> Opening:
        """How a person opens an activity of a tool."""
        raise NotImplementedError

    def opening_of_selection(
        self, course: Course, tool: ToolType, session: Session, placement: str | None
    ) -> Opening:
        """How a teacher opens a tool's picker; `placement` is Canvas's."""
        raise NotImplementedError

    def registration_path(self, session: Session, tool_url: str) -> str:
        """Where the administrator's page sends its frame, once a tool's registration URL is given."""
        raise NotImplementedError

    def enable(self, tool: ToolType) -> None:
        """What the administrator still does with a tool that registered itself, so that teachers have it."""
        tool.is_active = tool.is_in_chooser = True

    def opening_of_change(self, activity: Activity, tool: ToolType) -> Opening:
        """How a teacher changes what a tool's activity opens; Moodle knows no such thing."""
        raise NotImplementedError

    def rate_limited(self, value: Any) -> Response:
        """What the site answers whoever asks too often; `value` is the fault's."""
        raise NotImplementedError

    @property
    def storage_frame(self) -> tuple[str, str] | None:
        """Origin and name of the frame that is the platform's storage; None where there is none."""
        return None

    def number(self, table: str) -> int:
        """The next number of a table."""
        return next(self._counters.setdefault(table, itertools.count(1)))

    # People and courses

    def add_user(
        self,
        username: str,
        given_name: str,
        family_name: str,
        *,
        email: str | None = None,
        id_number: str = "",
        is_admin: bool = False,
    ) -> User:
        with self.lock:
            address = email or f"{username}@example.test"
            user = User(self.number("user"), username, given_name, family_name, address, id_number, is_admin)
            self.users[user.id] = user
            return user

    def add_course(
        self,
        short_name: str,
        full_name: str,
        *,
        id_number: str = "",
        description: str = "",
        history: tuple[int, ...] = (),
    ) -> Course:
        with self.lock:
            start = self.clock().replace(microsecond=0) - timedelta(days=10)
            ends = start + timedelta(days=70)
            course = Course(
                self.number("course"),
                short_name,
                full_name,
                id_number,
                description,
                start,
                ends,
                history=history,
            )
            self.courses[course.id] = course
            return course

    def enrol(
        self,
        user: User,
        course: Course,
        role: Role = Role.STUDENT,
        *,
        is_suspended: bool = False,
        ends_at: datetime | None = None,
    ) -> None:
        """Enrol (or change the enrolment of) `user`."""
        with self.lock:
            course.enrolments[user.id] = Enrolment(role, is_suspended, ends_at)

    def unenrol(self, user: User, course: Course) -> None:
        with self.lock:
            course.enrolments.pop(user.id, None)

    def suspend(self, user: User, course: Course) -> None:
        with self.lock:
            course.enrolments[user.id].is_suspended = True

    def role_in(self, user: User, course: Course) -> Role | None:
        """The role of an active enrolment."""
        enrolment = course.enrolments.get(user.id)
        return enrolment.role if enrolment and enrolment.is_active(self.clock()) else None

    def may_view(self, user: User, course: Course) -> bool:
        return user.is_admin or course is self.site_course or self.role_in(user, course) is not None

    def may_manage(self, user: User, course: Course) -> bool:
        """May add activities (``moodle/course:manageactivities``): editing teachers and administrators."""
        return user.is_admin or self.role_in(user, course) is Role.EDITING_TEACHER

    def may_grade(self, user: User, course: Course) -> bool:
        return user.is_admin or self.role_in(user, course) in (Role.EDITING_TEACHER, Role.TEACHER)

    def is_gradable(self, user_id: int, course: Course) -> bool:
        """Holds a gradebook role (student); a suspended enrolment still counts."""
        enrolment = course.enrolments.get(user_id)
        return enrolment is not None and enrolment.role is Role.STUDENT

    def members(self, course: Course) -> list[User]:
        """Active enrolments in Moodle's order (family name, given name); in the site's own course
        everybody.
        """
        if course is self.site_course:
            users = list(self.users.values())
        else:
            users = [u for u in self.users.values() if self.role_in(u, course) is not None]
        return sorted(users, key=lambda u: (u.family_name, u.given_name, u.id))

    # Activities

    def add_activity(self, course: Course, module: Module, name: str, **more: Any) -> Activity:
        activity = Activity(
            self.number("course_modules"), course.id, module, self.number(module), name, **more
        )
        self.activities[activity.id] = activity
        return activity

    def add_twin(self, activity: Activity, copy: Course, **changes: Any) -> Activity:
        """The activity once more, in a copy of its course: under ids of its own, and nobody has done it."""
        fresh = self.add_activity(copy, activity.module, activity.name)
        own = {"id": fresh.id, "course_id": copy.id, "instance": fresh.instance}
        twin = replace(activity, **own, completed_by=set(), availability=None, **changes)
        self.activities[twin.id] = twin
        return twin

    def add_quiz(
        self, course: Course, name: str, *, id_number: str = "", maximum: float = 100, pass_grade: float = 0
    ) -> Activity:
        with self.lock:
            quiz = self.add_activity(course, "quiz", name)
            self._couple(quiz, maximum, id_number=id_number, pass_grade=pass_grade)
            return quiz

    def add_assignment(
        self, course: Course, name: str, *, id_number: str = "", maximum: float = 100, pass_grade: float = 0
    ) -> Activity:
        with self.lock:
            assignment = self.add_activity(course, "assign", name)
            self._couple(assignment, maximum, id_number=id_number, pass_grade=pass_grade)
            return assignment

    def add_forum(self, course: Course, name: str) -> Activity:
        """An ungraded discussion forum: it has no grade item, so no formula can name it."""
        with self.lock:
            return self.add_activity(course, "forum", name)

    def add_page(self, course: Course, name: str, text: str = "") -> Activity:
        with self.lock:
            return self.add_activity(course, "page", name, description=text)

    def _couple(
        self, activity: Activity, maximum: float, *, id_number: str = "", pass_grade: float = 0
    ) -> GradeItem:
        return self.gradebook.add_item(
            activity.course_id,
            "mod",
            activity.name,
            maximum,
            module=activity.module,
            instance=activity.instance,
            id_number=id_number,
            pass_grade=pass_grade,
        )

    def in_course(self, course: Course) -> list[Activity]:
        return [a for a in self.activities.values() if a.course_id == course.id]

    def activity(self, module: Module, instance: int) -> Activity | None:
        return next(
            (a for a in self.activities.values() if a.module == module and a.instance == instance), None
        )

    def item_of(self, activity: Activity) -> GradeItem | None:
        """The grade item coupled to an activity; None when it is not graded or its column was deleted."""
        return self.gradebook.of_activity(activity.module, activity.instance)

    def complete(self, user: User, activity: Activity) -> None:
        """Post in the forum, view the page: what completes an ungraded activity."""
        with self.lock:
            activity.completed_by.add(user.id)

    def completion_state(self, user: User, activity: Activity) -> int:
        """Moodle's completion state: 0 incomplete, 1 complete, 2 complete with pass, 3 complete with fail."""
        item = self.item_of(activity)
        if item is None:
            return 1 if user.id in activity.completed_by else 0
        row = self.gradebook.row(item, user.id)
        if row is None or row.final is None:
            return 0
        if not item.pass_grade:
            return 1
        return 2 if row.final >= item.pass_grade else 3

    def take_quiz(self, user: User, quiz: Activity, score: float) -> None:
        """An attempt worth `score` points; the best attempt counts, as Moodle's default has it."""
        with self.lock:
            item = self.item_of(quiz)
            if item is None:
                raise LookupError(f"{quiz.name} is not graded")
            row = self.gradebook.row(item, user.id)
            best = max(score, row.raw or 0.0) if row else score
            self.gradebook.report_raw(item, user.id, best)

    def set_grade(
        self, user: User, item: GradeItem, value: float | None, *, feedback: str | None = None
    ) -> None:
        """A teacher types a grade into the gradebook: an override where the column has another source."""
        with self.lock:
            self.gradebook.set_final(item, user.id, value, feedback=feedback)

    def set_formula(self, item: GradeItem, formula: str) -> None:
        with self.lock:
            self.gradebook.set_formula(item, formula)

    def is_available(self, user: User, activity: Activity) -> bool:
        """Whether `user` may open the activity as far as conditions or assignments go."""
        raise NotImplementedError

    # External tools

    def register_tool(
        self,
        tool_url: str,
        *,
        name: str = "LTI Badges",
        client_id: str | None = None,
        login_path: str = "/lti/login",
        launch_path: str = "/lti/launch",
        jwks_path: str = "/lti/jwks.json",
        custom: Mapping[str, str] | None = None,
        **more: Any,
    ) -> ToolType:
        """An administrator's manual registration; `more` are fields of `ToolType`."""
        with self.lock:
            base = tool_url.rstrip("/")
            key = client_id or self.new_client_id()
            settings: dict[str, Any] = {
                "url": base + launch_path,
                "initiate_login_url": base + login_path,
                "redirect_uris": (base + launch_path,),
                "jwks_url": base + jwks_path,
                "custom": "\n".join(f"{k}={v}" for k, v in (custom or {}).items()),
            }
            settings.update(more)
            tool = ToolType(self.number("lti_types"), name, key, **settings)
            self.tools[tool.id] = tool
            return tool

    def tool_by_client(self, client_id: str) -> ToolType | None:
        return next((tool for tool in self.tools.values() if tool.client_id == client_id), None)

    def delete_activity(self, activity: Activity) -> None:
        """Delete an activity with its coupled column; columns the tool made for it by AGS stay, dangling."""
        with self.lock:
            del self.activities[activity.id]
            item = self.item_of(activity)
            if item is not None:
                self.gradebook.delete_item(item)

    # Sessions and tokens

    def sign_in(self, user: User) -> str:
        """A new session; returns the value of its cookie."""
        with self.lock:
            token = secrets.token_hex(16)
            self.sessions[token] = Session(user.id, secrets.token_urlsafe(8)[:10])
            return token

    def issue_token(self, tool: ToolType, scopes: list[str]) -> str:
        with self.lock:
            token = secrets.token_hex(16)
            self.tokens[token] = AccessToken(tool.id, frozenset(scopes), self.clock() + TOKEN_LIFE)
            return token

    def tool_jwks(self, tool: ToolType, *, fresh: bool) -> JsonObject:
        """The tool's key set: cached per tool, downloaded again when `fresh`.

        Raises whatever fetching or decoding raises.
        """
        if fresh or tool.cached_jwks is None:
            tool.cached_jwks = json.loads(self.fetch(tool.jwks_url))
        return tool.cached_jwks
