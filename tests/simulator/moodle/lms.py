"""A Moodle site as a model: its endpoints, numbers, restrictions, and the activity form."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode

from flask import Response

from tests.simulator.gradebook import GradeItem, ServiceRecord
from tests.simulator.lms import (
    Activity,
    Course,
    Endpoints,
    JsonObject,
    LaunchTicket,
    Lms,
    Opening,
    Session,
    ToolType,
    User,
    fetch_over_http,
    utc_now,
)

COMPLETION_WORDS = {
    0: "is incomplete",
    1: "is marked complete",
    2: "is complete and passed",
    3: "is complete and failed",
}


def completed(activity: Activity, state: int = 1) -> JsonObject:
    """ "Activity completion": 1 complete, 0 not, 2 with pass grade, 3 with fail grade."""
    return {"type": "completion", "cm": activity.id, "e": state}


def grade_from(item: GradeItem, percent: float) -> JsonObject:
    """ "Grade": at least so many percent of a native activity's."""
    return {"type": "grade", "id": item.id, "min": percent}


def since(at: datetime) -> JsonObject:
    """ "Date": from then on."""
    return {"type": "date", "d": ">=", "t": at.timestamp()}


def matching(*conditions: JsonObject, joiner: str = "&") -> JsonObject:
    """ "Restriction set": all (``&``) or any (``|``) of these."""
    return {"op": joiner, "c": list(conditions)}


@dataclass(frozen=True)
class ContentForm:
    """Moodle's activity form as a deep linking response fills it; nothing exists until
    `Moodle.save_activity`.
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
    review_url: str = ""


class Moodle(Lms):
    """One Moodle site; ids that tools see are the site's own small numbers."""

    product: ClassVar[Literal["moodle", "canvas"]] = "moodle"
    session_cookie = "MoodleSession"
    templates: ClassVar[str] = "moodle/templates"
    login_path: ClassVar[str] = "/login/index.php"
    service_path: ClassVar[str] = "/mod/lti/services.php"
    roster_path: ClassVar[str] = "/memberships"
    columns_path: ClassVar[str] = "/lineitems"
    token_path: ClassVar[str] = "/mod/lti/token.php"
    selection_path: ClassVar[str] = "contentitem_return.php"
    reviews_leave_out_link = False
    """Reviews name the column alone, as the standard allows and no Moodle does."""
    reviews_leave_out_custom = False
    """Reviews name the link without its parameters; so does no Moodle either."""

    def __init__(
        self,
        base_url: str,
        *,
        clock: Callable[[], datetime] = utc_now,
        fetch: Callable[[str], bytes] = fetch_over_http,
        seed: int = 0,
        name: str = "Demo Moodle",
        short_name: str = "demo",
    ) -> None:
        super().__init__(base_url, clock=clock, fetch=fetch, seed=seed, name=name, short_name=short_name)

    def open_site(self) -> None:
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

    def sub(self, user: User) -> str:
        return str(user.id)

    def deployment_id(self, tool: ToolType) -> str:
        return str(tool.id)

    def page_of(self, activity: Activity) -> str:
        return f"{self.base_url}/mod/{activity.module}/view.php?id={activity.id}"

    def opening_of_link(self, activity: Activity) -> Opening:
        return Opening(
            self.page_of(activity),
            f"{self.base_url}/mod/lti/launch.php?id={activity.id}&triggerview=0",
        )

    def opening_of_selection(
        self, course: Course, tool: ToolType, session: Session, placement: str | None
    ) -> Opening:
        base, form = self.base_url, f"add=lti&course={course.id}&section=0&return=0&typeid={tool.id}"
        return Opening(
            f"{base}/course/modedit.php?{form}",
            f"{base}/mod/lti/contentitem.php?id={tool.id}&course={course.id}&sesskey={session.sesskey}",
        )

    def registration_path(self, session: Session, tool_url: str) -> str:
        query = urlencode({"url": tool_url, "sesskey": session.sesskey})
        return f"/mod/lti/startltiadvregistration.php?{query}"

    def rate_limited(self, value: Any) -> Response:
        """As a web server in front of Moodle does: Moodle itself limits nobody."""
        return Response("Too many requests", 429, {"Retry-After": str(value or 1)}, mimetype="text/plain")

    def new_client_id(self) -> str:
        """Fifteen letters and digits, as Moodle makes them."""
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghkmnpqrstuvwxyz23456789"
        return "".join(self.random.choices(letters, k=15))

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
                item.service = ServiceRecord(
                    tool.id, form.resource_id, form.tag, activity.instance, form.review_url
                )
            course.is_regrade_shown = course.is_regrade_shown or form.is_graded
            return activity

    def unenrol(self, user: User, course: Course) -> None:
        """The grades go along."""
        with self.lock:
            super().unenrol(user, course)
            self.gradebook.forget(course.id, user.id)

    def launch_url(self, activity: Activity) -> str:
        tool = self.tools[activity.tool_type_id or 0]
        return activity.url or tool.url

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

    def restrict(self, activity: Activity, *conditions: JsonObject, joiner: str = "&") -> None:
        """ "Restrict access", as the teacher saves it: :func:`completed`, :func:`grade_from`, :func:`since`,
        :func:`matching`; none takes the restriction off.
        """
        with self.lock:
            activity.availability = matching(*conditions, joiner=joiner) if conditions else None

    def words_of(self, condition: Mapping[str, Any]) -> str:
        """What Moodle tells a learner of a restriction."""
        if "op" in condition:
            how = {"&": "all", "|": "any", "!&": "not all", "!|": "none"}[condition["op"]]
            parts = [self.words_of(child) for child in condition["c"]]
            return parts[0] if len(parts) == 1 and how in ("all", "any") else f"{how} of: {'; '.join(parts)}"
        match condition["type"]:
            case "completion":
                found = self.activities.get(condition["cm"])
                name = found.name if found else "(missing activity)"
                return f"The activity {name} {COMPLETION_WORDS[condition['e']]}"
            case "grade":
                item = self.gradebook.items.get(condition["id"])
                return f"You achieve higher than a certain score in {item.label if item else '(missing)'}"
            case _:
                return f"It is {'after' if condition['d'] == '>=' else 'before'} a certain date"

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
                subject = self.activities.get(condition["cm"])
                if subject is None:
                    return False  # deleted since: nobody meets it (C availability/condition/completion)
                state = self.completion_state(user, subject)
                # A failed activity (3) counts as not complete (recording nrps_rlid_availability2).
                wanted = {0: (0, 3), 1: (1, 2)}.get(condition["e"], (condition["e"],))
                return state in wanted
            case "grade":
                item = self.gradebook.items.get(condition["id"])
                row = self.gradebook.row(item, user.id) if item else None
                if item is None or row is None or row.final is None:
                    return False
                percent = 100.0 * row.final / item.maximum
                return float(condition.get("min", 0.0)) <= percent < float(condition.get("max", float("inf")))
            case "date":
                now = self.clock().timestamp()
                return bool(now >= condition["t"] if condition["d"] == ">=" else now < condition["t"])
            case unknown:
                raise ValueError(f"no such restriction: {unknown}")
