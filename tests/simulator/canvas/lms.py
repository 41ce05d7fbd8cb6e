"""A Canvas as a model: the cloud that institutions share, and one institution with its opaque ids."""

import hashlib
import secrets
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit

from flask import Flask, Response

from tests.simulator.gradebook import GradeItem, ServiceRecord
from tests.simulator.keys import PlatformKeys
from tests.simulator.lms import (
    SCOPE_MEMBERSHIPS,
    Activity,
    Course,
    Endpoints,
    JsonObject,
    Lms,
    Opening,
    Role,
    Session,
    ToolType,
    User,
    fetch_over_http,
    utc_now,
)

STORAGE_FRAME = "post_message_forwarding"
FIRST_CLIENT_ID = 10_000_000_000_000
"""Developer keys have global ids: the shard's number in front of their own."""
BUCKET_HOLDS, OUTFLOW = 600.0, 10.0
"""What calls of one key may cost before they are refused, and what runs out of the bucket each second."""


MOST_IN_HISTORY = 1_000


class Cloud:
    """What all institutions share: issuer, keys, and the host that logins and the storage frame go by."""

    def __init__(self, base_url: str, *, clock: Callable[[], datetime] = utc_now, client_id: int = 0) -> None:
        """`client_id`: number of the last developer key before this cloud's first."""
        self.base_url = base_url.rstrip("/")
        self.issuer = self.base_url
        self.clock = clock
        self.keys = PlatformKeys(self.issuer)
        self.secret = secrets.token_bytes(32)
        """Signs what the hosts of the cloud tell each other through the browser."""
        self.institutions: dict[str, Canvas] = {}
        """By domain."""
        self.application: Flask | None = None
        self._client_ids = FIRST_CLIENT_ID + client_id
        self.shared_client_id = self.new_client_id()
        """A developer key that every institution may switch on."""

    def new_client_id(self) -> str:
        """The global id of a new developer key."""
        self._client_ids += 1
        return str(self._client_ids)


@dataclass
class LtiResult:
    """What a tool has said of one learner in one column (table ``lti_results``); made by its first score."""

    id: int
    item_id: int
    user_id: int
    score: float | None
    maximum: float | None
    comment: str | None
    updated_at: datetime
    extensions: JsonObject
    points: float | None
    """What the score was worth on the column's scale; another grade there now is a person's."""


@dataclass
class Bucket:
    """The leaky bucket of one developer key (``RequestThrottle::LeakyBucket``)."""

    level: float
    at: datetime

    def leak(self, now: datetime) -> None:
        """Lose what has run out since the last look."""
        seconds = max(0.0, (now - self.at).total_seconds())
        self.level, self.at = max(0.0, self.level - OUTFLOW * seconds), now


class Canvas(Lms):
    """One institution, with a domain, deployments and a token endpoint of its own."""

    product: ClassVar[Literal["moodle", "canvas"]] = "canvas"
    # In production Secure; SameSite=None: the way back from the tool leads through the frame.
    session_same_site: ClassVar[Literal["Lax", "None"]] = "None"
    templates: ClassVar[str] = "canvas/templates"
    login_path: ClassVar[str] = "/login/canvas"
    service_path: ClassVar[str] = "/api/lti/courses/"
    roster_path: ClassVar[str] = "/names_and_roles"
    columns_path: ClassVar[str] = "/line_items"
    token_path: ClassVar[str] = "/login/oauth2/token"
    selection_path: ClassVar[str] = "/deep_linking_response"

    def __init__(
        self,
        base_url: str,
        cloud: Cloud,
        *,
        clock: Callable[[], datetime] = utc_now,
        fetch: Callable[[str], bytes] = fetch_over_http,
        seed: int = 0,
        name: str = "Demo University",
        short_name: str = "canvas",
        id_space: str | None = None,
        second_url: str | None = None,
    ) -> None:
        """`id_space`: two institutions with the same one give the same people and courses the same ids.

        `second_url`: another domain of the institution, at which everything answers too.
        """
        self.cloud = cloud
        self.second_url = second_url
        self.id_space = id_space or base_url
        # Cookies know no port, and the demo's institutions share a host; Canvas's own is canvas_session.
        self.session_cookie = f"canvas_session_{urlsplit(base_url).port or 0}"
        self.launches: dict[str, JsonObject] = {}
        """Messages made at the login, by verifier; each goes out once."""
        self.results: dict[tuple[int, int], LtiResult] = {}
        """By column and user."""
        self.attempts: dict[tuple[int, int], int] = {}
        """Submissions by column and user: what a learner sees as "attempt 2"."""
        self.allowed_attempts: dict[int, int] = {}
        self.concluded: set[int] = set()
        self.embedded: set[int] = set()
        """Links that stand inside a page, by their activity."""
        self.service_base_url = base_url.rstrip("/")
        """The domain that addresses of services begin with; the account's people may use another."""
        self.call_cost = 0.0173
        """What each call of a service costs."""
        self.buckets: dict[str, Bucket] = {}
        """By client_id."""
        self.notice_handlers: dict[tuple[int, str], str] = {}
        """Where notices go, by tool and type."""
        self.outbox: list[tuple[str, str]] = []
        """Notices that were not sent yet: handler and signed token."""
        self.due_dates: dict[int, str] = {}
        """When assignments are due, by their activity."""
        self.page_contents: list[JsonObject] = []
        """Content items other than links that a teacher put into a page."""
        self.selections: dict[str, str] = {}
        """Return URLs handed out, by their nonce; each is good once."""
        super().__init__(
            base_url, clock=clock, fetch=fetch, seed=seed, name=name, short_name=short_name, keys=cloud.keys
        )
        cloud.institutions[self.domain] = self

    def open_site(self) -> None:
        self.admin = self.add_user("admin", "Admin", "User", is_admin=True)
        self.site_course = Course(0, self.short_name, self.name, "", "", self.clock(), self.clock())

    # Names that tools see

    def _opaque(self, kind: str, number: int) -> str:
        """Forty hexadecimal digits (``lti_context_id``)."""
        return hashlib.sha1(f"{self.id_space} {kind} {number}".encode(), usedforsecurity=False).hexdigest()

    def _uuid(self, kind: str, number: int) -> str:
        return str(uuid.UUID(self._opaque(kind, number)[:32], version=4))

    @property
    def domain(self) -> str:
        return urlsplit(self.base_url).netloc

    @property
    def guid(self) -> str:
        """The root account's ``lti_guid``."""
        return f"{self._opaque('account', 1)[:24]}.{self.domain}"

    @property
    def endpoints(self) -> Endpoints:
        return {
            "issuer": self.cloud.issuer,
            "auth_url": f"{self.cloud.base_url}/api/lti/authorize_redirect",
            "token_url": f"{self.base_url}{self.token_path}",
            "jwks_url": f"{self.cloud.base_url}/api/lti/security/jwks",
        }

    @property
    def storage_frame(self) -> tuple[str, str] | None:
        return self.cloud.base_url, STORAGE_FRAME

    def sub(self, user: User) -> str:
        return self._uuid("user", user.id)

    def login_hint(self, user: User) -> str:
        return self._opaque("user", user.id)

    def context_id(self, course: Course) -> str:
        return self._opaque("course", course.id)

    def context_history(self, course: Course) -> list[str]:
        """``$Context.id.history``: at most a thousand, and then a word that says so."""
        names = [self._opaque("course", number) for number in course.history]
        return names if len(names) <= MOST_IN_HISTORY else [*names[:MOST_IN_HISTORY], "truncated"]

    def link_history(self, activity: Activity) -> list[str]:
        """``$ResourceLink.id.history``."""
        return [self._uuid("resource link", number) for number in activity.history]

    def resource_link_id(self, activity: Activity) -> str:
        return self._uuid("resource link", activity.id)

    def deployment_id(self, tool: ToolType) -> str:
        """``<number of the tool>:<opaque id of the account or course that it is deployed in>``."""
        kind = f"account of {self.base_url}" if tool.course_id is None else "course"
        owner = self._opaque(kind, tool.course_id or 1)
        return f"{tool.id}:{owner}"

    def new_client_id(self) -> str:
        return self.cloud.new_client_id()

    # Who may what

    def may_manage(self, user: User, course: Course) -> bool:
        """Teachers, their assistants and designers add content."""
        return user.is_admin or self.role_in(user, course) in (
            Role.EDITING_TEACHER,
            Role.TEACHER,
            Role.DESIGNER,
        )

    def is_gradable(self, user_id: int, course: Course) -> bool:
        """``user_is_student?``: an active enrolment as student; the Test Student is none."""
        return self.role_in(self.users[user_id], course) is Role.STUDENT

    def members(self, course: Course) -> list[User]:
        """Active enrolments, the Test Student's included, in the order of the accounts' numbers."""
        return sorted(
            (u for u in self.users.values() if self.role_in(u, course) is not None), key=lambda u: u.id
        )

    def is_available(self, user: User, activity: Activity) -> bool:
        """Whether the activity is assigned to this student ("Assign to"); others see everything."""
        course = self.courses[activity.course_id]
        if self.role_in(user, course) not in (Role.STUDENT, Role.TEST_STUDENT):
            return True
        return activity.availability is None or user.id in activity.availability["assigned_to"]

    def assign_to(self, activity: Activity, *users: User) -> None:
        """Assign it to these students alone."""
        with self.lock:
            activity.availability = {"assigned_to": [user.id for user in users]}

    def assign_to_everyone(self, activity: Activity) -> None:
        """As every new assignment is."""
        with self.lock:
            activity.availability = None

    def test_student(self, course: Course) -> User:
        """The course's "Test Student", made when first asked for."""
        with self.lock:
            for user_id, enrolment in course.enrolments.items():
                if enrolment.role is Role.TEST_STUDENT:
                    return self.users[user_id]
            user = self.add_user(f"test-student-{course.id}", "Test", "Student")
            self.enrol(user, course, Role.TEST_STUDENT)
            return user

    # Tools and what they add

    def page_of(self, activity: Activity) -> str:
        kind = "modules/items" if self.item_of(activity) is None else "assignments"
        return f"{self.base_url}/courses/{activity.course_id}/{kind}/{activity.id}"

    def opening_of_link(self, activity: Activity) -> Opening:
        return Opening(self.page_of(activity))

    def opening_of_selection(
        self, course: Course, tool: ToolType, session: Session, placement: str | None
    ) -> Opening:
        asked = placement or "assignment_selection"
        page = "assignments/new" if asked == "assignment_selection" else "modules"
        base = f"{self.base_url}/courses/{course.id}"
        return Opening(
            f"{base}/{page}", f"{base}/external_tools/{tool.id}/resource_selection?placement={asked}"
        )

    def opening_of_change(self, activity: Activity, tool: ToolType) -> Opening:
        """How a teacher changes what the link of an assignment opens."""
        base = f"{self.base_url}/courses/{activity.course_id}"
        query = f"placement=assignment_selection&assignment_id={activity.id}"
        return Opening(
            f"{base}/assignments/{activity.id}/external_tool",
            f"{base}/external_tools/{tool.id}/resource_selection?{query}",
        )

    def install(
        self, configuration: JsonObject, *, client_id: str | None = None, course: Course | None = None
    ) -> ToolType:
        """A developer key from its JSON configuration, switched on here; `course`: in that course alone."""
        (extension,) = configuration["extensions"]
        privacy, settings = extension["privacy_level"], extension["settings"]
        return self.register_tool(
            "",
            name=str(configuration["title"]),
            client_id=client_id,
            custom={str(k): str(v) for k, v in configuration["custom_fields"].items()},
            url=str(configuration["target_link_uri"]),
            initiate_login_url=str(configuration["oidc_initiation_url"]),
            redirect_uris=tuple(configuration["redirect_uris"]),
            jwks_url=str(configuration["public_jwk_url"]),
            sends_name=privacy in ("public", "name_only"),
            sends_email=privacy in ("public", "email_only"),
            key_scopes=tuple(configuration["scopes"]),
            has_memberships=SCOPE_MEMBERSHIPS in configuration["scopes"],
            placements=tuple(one["placement"] for one in settings["placements"]),
            course_id=course.id if course else None,
        )

    def save_link(
        self,
        tool: ToolType,
        course: Course,
        name: str,
        *,
        url: str,
        custom: Mapping[str, Any],
        points: float | None = None,
        record: Mapping[str, str] | None = None,
    ) -> Activity:
        """A resource link: of an assignment with `points`, or of a module item; `record`: resourceId, tag."""
        with self.lock:
            lines = "\n".join(f"{key}={value}" for key, value in custom.items())
            activity = self.add_activity(course, "lti", name, tool_type_id=tool.id, url=url, custom=lines)
            if points is not None:
                item = self._couple(activity, points)
                kept = record or {}
                item.service = ServiceRecord(
                    tool.id, kept.get("resourceId", ""), kept.get("tag", ""), activity.instance
                )
            return activity

    def link_of(self, item: GradeItem) -> Activity | None:
        """The resource link of a column, if it has one."""
        number = item.service.link_id if item.service else item.instance
        return None if number is None else self.activity("lti", number)

    def find_link(self, resource_link_id: str) -> Activity | None:
        return next(
            (
                activity
                for activity in self.activities.values()
                if activity.module == "lti" and self.resource_link_id(activity) == resource_link_id
            ),
            None,
        )

    def find_user(self, name: str) -> User | None:
        """By the LTI id, or by Canvas's own number."""
        if name.isdigit():
            return self.users.get(int(name))
        return next((user for user in self.users.values() if self.sub(user) == name), None)

    def bucket(self, client_id: str) -> Bucket:
        """The key's bucket as it stands now."""
        bucket = self.buckets.setdefault(client_id, Bucket(0.0, self.clock()))
        bucket.leak(self.clock())
        return bucket

    def registration_path(self, session: Session, tool_url: str) -> str:
        return f"/api/lti/register?{urlencode({'registration_url': tool_url})}"

    def rate_limited(self, value: Any) -> Response:
        """The leaky bucket is full: 403 until October 2025, 429 since (`value`); no ``Retry-After``."""
        status = int(value or 429)
        reason = {403: "Forbidden", 429: "Too Many Requests"}[status]
        return Response(
            f"{status} {reason} (Rate Limit Exceeded)\n",
            status,
            {"X-Rate-Limit-Remaining": "0.0"},
            content_type="text/plain; charset=utf-8",
        )
