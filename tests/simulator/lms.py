"""The LMS as a model: people, courses, enrolments, activities, external tools, sessions.

`Lms` is the Python API of the simulator; the web pages, the services and the control API are thin layers over
it. Identifiers are small integers counted as Moodle counts them (one sequence per table), so an LTI activity
and a quiz may share a number. All methods take `Lms.lock`, because the demo serves it from several threads.
"""

import itertools
import json
import random
import secrets
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, TypedDict

import requests
from flask import Flask

from tests.simulator.chaos import Chaos
from tests.simulator.gradebook import Gradebook, GradeItem, Module, ServiceRecord
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
    answer = requests.get(url, timeout=10, headers={"User-Agent": "MoodleBot/4.4"})
    answer.raise_for_status()
    return answer.content


class Role(StrEnum):
    """Course roles by Moodle's short names."""

    EDITING_TEACHER = "editingteacher"
    TEACHER = "teacher"
    STUDENT = "student"


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

    @property
    def scopes(self) -> list[str]:
        """The service scopes this tool may ask a token for, in Moodle's order."""
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

    message_type: Literal["basic-lti-launch-request", "ContentItemSelectionRequest"]
    tool_type_id: int
    course_id: int
    cmid: int | None = None


@dataclass
class Session:
    """A signed-in browser: the MoodleSession cookie's value leads here."""

    user_id: int
    sesskey: str
    tickets: dict[str, LaunchTicket] = field(default_factory=dict)


@dataclass(frozen=True)
class ContentForm:
    """Moodle's activity form as a deep linking response fills it; nothing exists until
    `Lms.save_activity`.
    """

    name: str
    description: str = ""
    url: str = ""
    custom: str = ""
    icon_url: str = ""
    is_graded: bool = False
    maximum: float = 100.0
    resource_id: str = ""
    tag: str = ""


class Lms:
    """One Moodle site. `base_url` has no trailing slash; `clock` gives aware UTC times."""

    def __init__(
        self,
        base_url: str,
        *,
        product: Literal["moodle"] = "moodle",
        clock: Callable[[], datetime] = utc_now,
        fetch: Callable[[str], bytes] = fetch_over_http,
        seed: int = 0,
        name: str = "Demo Moodle",
        short_name: str = "demo",
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.product = product
        self.clock = clock
        self.fetch = fetch
        self.lock = threading.RLock()
        self.random = random.Random(seed)
        self.keys = PlatformKeys(self.base_url)
        self.chaos = Chaos(seed)
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
        self.add_user("guest", "Guest user", " ", email="root@localhost")
        self.admin = self.add_user("admin", "Admin", "User", is_admin=True)
        self.site_course = self.add_course(self.short_name, self.name)

    @property
    def endpoints(self) -> Endpoints:
        base = f"{self.base_url}/mod/lti"
        return {
            "issuer": self.base_url,
            "auth_url": f"{base}/auth.php",
            "token_url": f"{base}/token.php",
            "jwks_url": f"{base}/certs.php",
        }

    def _number(self, table: str) -> int:
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
            user = User(self._number("user"), username, given_name, family_name, address, id_number, is_admin)
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
                self._number("course"),
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
        """``moodle/course:manageactivities``: editing teachers and administrators."""
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
            self._number("course_modules"), course.id, module, self._number(module), name, **more
        )
        self.activities[activity.id] = activity
        return activity

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
        """Whether "Restrict access" lets `user` in; editing teachers and administrators always."""
        course = self.courses[activity.course_id]
        if self.may_grade(user, course):
            # Non-editing teachers pass too (MOODLE.md §7B), though NRPS calls them Learner.
            return True
        return activity.availability is None or self._is_met(activity.availability, user)

    def _is_met(self, condition: Mapping[str, Any], user: User) -> bool:
        if "op" in condition:
            met = [self._is_met(child, user) for child in condition["c"]]
            result = any(met) if condition["op"].endswith("|") else all(met)
            return not result if condition["op"].startswith("!") else result
        match condition["type"]:
            case "completion":
                state = self.completion_state(user, self.activities[condition["cm"]])
                # A failed activity (3) counts as not complete (recording nrps_rlid_availability2).
                wanted = {0: (0, 3), 1: (1, 2)}.get(condition["e"], (condition["e"],))
                return state in wanted
            case "grade":
                item = self.gradebook.items[condition["id"]]
                row = self.gradebook.row(item, user.id)
                if row is None or row.final is None:
                    return False
                percent = 100.0 * row.final / item.maximum
                return float(condition.get("min", 0.0)) <= percent < float(condition.get("max", float("inf")))
            case "date":
                now = self.clock().timestamp()
                return bool(now >= condition["t"] if condition["d"] == ">=" else now < condition["t"])
            case unknown:
                raise ValueError(f"no such restriction: {unknown}")

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
            tool = ToolType(self._number("lti_types"), name, key, **settings)
            self.tools[tool.id] = tool
            return tool

    def new_client_id(self) -> str:
        """Fifteen letters and digits, as Moodle makes them."""
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz23456789"
        return "".join(self.random.choices(letters, k=15))

    def tool_by_client(self, client_id: str) -> ToolType | None:
        return next((tool for tool in self.tools.values() if tool.client_id == client_id), None)

    def is_used_in(self, tool: ToolType, course: Course) -> bool:
        """Whether the course already holds an activity of the tool: only then launches carry the NRPS
        claim.
        """
        return any(a.tool_type_id == tool.id for a in self.in_course(course))

    def save_activity(self, tool: ToolType, course: Course, form: ContentForm) -> Activity:
        """The teacher pressed Save on the activity form: the link, and its grade item if graded, come into
        being.
        """
        with self.lock:
            activity = self.add_activity(
                course,
                "lti",
                form.name,
                description=form.description,
                tool_type_id=tool.id,
                url=form.url,
                custom=form.custom,
                icon_url=form.icon_url,
            )
            if form.is_graded:
                item = self._couple(activity, form.maximum)
                item.service = ServiceRecord(tool.id, form.resource_id, form.tag, activity.instance)
            course.is_regrade_shown = course.is_regrade_shown or form.is_graded
            return activity

    def delete_activity(self, activity: Activity) -> None:
        """Delete an activity with its coupled column; columns the tool made for it by AGS stay, dangling."""
        with self.lock:
            del self.activities[activity.id]
            item = self.item_of(activity)
            if item is not None:
                self.gradebook.delete_item(item)

    def launch_url(self, activity: Activity) -> str:
        tool = self.tools[activity.tool_type_id or 0]
        return activity.url or tool.url

    # Sessions and tokens

    def sign_in(self, user: User) -> str:
        """A new session; returns the value of the MoodleSession cookie."""
        with self.lock:
            token = secrets.token_hex(16)
            self.sessions[token] = Session(user.id, secrets.token_urlsafe(8)[:10])
            return token

    def issue_ticket(self, session: Session, ticket: LaunchTicket) -> str:
        """Remember a launch about to happen; returns the one-use launch id for ``lti_message_hint``."""
        with self.lock:
            # Moodle writes "ltilaunch<instance>_<number>" for links and "ltilaunch_<type><number>" for
            # selections.
            link = self.activities[ticket.cmid].instance if ticket.cmid is not None else None
            lead = f"ltilaunch{link}_" if link is not None else f"ltilaunch_{ticket.message_type}"
            launch_id = f"{lead}{self.random.randrange(2**31)}"
            session.tickets[launch_id] = ticket
            return launch_id

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
