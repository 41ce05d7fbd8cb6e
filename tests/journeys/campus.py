"""A campus in one process: the demo LMS and the tool, wired to each other, with a clock one can turn.

Journey tests use nothing of the tool but its pages, its public addresses and its queue; what happens in the
LMS happens through the simulator's own doors.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from flask import Flask
from sqlalchemy import select

from lti_tool.app import create_app
from lti_tool.bootstrap import Tool, build_tool
from lti_tool.jobs import tasks
from lti_tool.jobs.reconcile import Reconcile
from lti_tool.platforms import platform_for
from lti_tool.queue import Queue
from lti_tool.settings import load_settings
from lti_tool.store.tables import Award, Learner
from tests.factories import rule_fields
from tests.simulator.browser import CookiePolicy, Form, Page
from tests.simulator.canvas.lms import Canvas, Cloud
from tests.simulator.client import Person, fetch_in_process, mounts
from tests.simulator.gradebook import GradeItem
from tests.simulator.lms import Activity, Course, Role, ToolType, User
from tests.simulator.moodle.lms import Moodle
from tests.simulator.web import COMPILED

TOOL_URL = "http://localhost:8000"
LMS_URL = "http://127.0.0.1:9000"
NEIGHBOUR_URL = "http://127.0.0.1:9001"
CLOUD_URL = "http://127.0.0.1:9002"
"""What institutions of one Canvas share: the issuer, and the host of logins, keys and the storage frame."""
SECOND_URL = "http://127.0.0.1:9003"
"""Another domain of the first institution of a Canvas."""

Product = Literal["moodle", "canvas"]


class Clock:
    """The time of tool and LMS alike; it moves a little by itself, and as much as a test says."""

    def __init__(self) -> None:
        self.now = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
        self._ticks = itertools.count()

    def __call__(self) -> datetime:
        return self.now + timedelta(milliseconds=next(self._ticks))

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Campus:
    """One organisation: its LMS with one course, the tool it shares with others, and people."""

    lms: Moodle | Canvas
    tool: Tool
    app: Flask
    clock: Clock
    lms_side: ToolType
    course: Course
    teacher: User
    tutor: User
    quiz: Activity
    reconcile: Reconcile
    people: dict[str, User] = field(default_factory=dict)
    neighbour: Campus | None = None
    """Another organisation's LMS on the same tool, whose people must see nothing of this one."""

    def learner(self, username: str) -> User:
        """A student of the course, enrolled when first asked for."""
        if username not in self.people:
            given, family = username.title(), "Learner"
            self.people[username] = self.lms.add_user(username, given, family)
            self.lms.enrol(self.people[username], self.course, Role.STUDENT)
        return self.people[username]

    def browser(
        self, user: User, *, cookies: CookiePolicy = "partitioned_only", in_frame: bool = True
    ) -> Person:
        """A browser in front of ``user``, third-party cookies blocked as browsers do by default."""
        return Person(self.lms, self.app.wsgi_app, user, cookies=cookies, in_frame=in_frame)

    def run_jobs(self) -> None:
        """Do everything the queue holds, as the worker would."""
        while self.tool.queue.run_one():
            pass

    def pass_time(self, **by: float) -> None:
        """Let time go by with a worker at work: reconcile passes every 20 seconds, and what they offer."""
        until = self.clock.now + timedelta(**by)
        while self.clock.now < until:
            self.clock.move(seconds=20)
            self.reconcile.run()
            self.run_jobs()

    def another_course(self, short_name: str, full_name: str, *usernames: str) -> Course:
        """A course of the same teacher, with some of the students."""
        course = self.lms.add_course(short_name, full_name)
        self.lms.enrol(self.teacher, course, Role.EDITING_TEACHER)
        for username in usernames:
            self.lms.enrol(self.learner(username), course, Role.STUDENT)
        return course

    # -- what differs between products

    @property
    def product(self) -> Product:
        return self.lms.product

    @property
    def channel(self) -> str:
        """How the grade of a native quiz comes to the tool: Canvas has no formula, a teacher types it."""
        return "mirror" if self.product == "moodle" else "attest"

    def evidence(self) -> list[GradeItem]:
        """The evidence columns that the tool made in the course."""
        return [
            item
            for item in self.lms.gradebook.of_course(self.course.id)
            if item.service is not None and item.service.tag in ("mirror", "attest")
        ]

    # -- what an instructor does

    def place_badge(
        self, *, label: str = "Quiz 1", percent: str = "60", name: str = "Open Data Basics", **fields: str
    ) -> Activity:
        """Deep linking: describe a micromodule that asks for one quiz's score, and save the activity."""
        teacher = self.browser(self.teacher)
        picker = teacher.deep_link(self.course)
        form = teacher.to_form(picker)
        typed = micromodule_fields(name, label, percent, self.channel) | fields
        answer = teacher.submit(form, typed, form="micromodules/new", button="place")
        (activity,) = teacher.save_selected(answer)
        return activity

    def set_up(self, activity: Activity, formula: str = "=[[quiz1]]") -> None:
        """The teacher comes by, which makes Moodle's columns, or creates them; then there is the formula."""
        teacher = self.browser(self.teacher)
        page = teacher.launch(activity.id)
        if any(form.action.endswith("/columns") for form in page.forms):
            teacher.submit(page, form="/columns")
        self.fill_columns(formula)

    def publish(self, activity: Activity) -> None:
        """The teacher has seen what would happen, and publishes: from now on the badge is awarded."""
        teacher = self.browser(self.teacher)
        page = teacher.launch(activity.id)
        drafts = [form for form in page.forms if "/publish" in form.action]
        own = [form for form in drafts if _heading_of(page, form).startswith(activity.name)]
        (form,) = own if len(drafts) > 1 else drafts
        teacher.submit(page, form=form)

    def fill_columns(self, formula: str = "=[[quiz1]]") -> None:
        """What brings grades into the columns: Moodle's formula, else a teacher who types them."""
        for column in self.mirrors():
            self.lms.set_formula(column, formula)
        if self.product == "canvas":
            for user in self.people.values():
                self._type_grades(user)

    def mirrors(self) -> list[GradeItem]:
        return [item for item in self.evidence() if item.service and item.service.tag == "mirror"]

    def form_fields(self) -> dict[str, str]:
        """The form for the badge of Quiz 1, filled in."""
        return micromodule_fields("Open Data Basics", "Quiz 1", "60", self.channel)

    def placed_badge(self) -> Activity:
        """A badge for 60 percent in Quiz 1, placed, set up and published."""
        activity = self.place_badge()
        self.set_up(activity)
        self.publish(activity)
        return activity

    # -- what a learner does

    def open_wallet(
        self, username: str, activity: Activity, *, cookies: CookiePolicy = "partitioned_only"
    ) -> Page:
        return self.browser(self.learner(username), cookies=cookies).launch(activity.id)

    def take_quiz(self, username: str, score: float) -> None:
        """An attempt at the quiz; in Canvas a teacher then types the grade into the tool's column."""
        self.lms.take_quiz(self.learner(username), self.quiz, score)
        if self.product == "canvas":
            self._type_grades(self.learner(username))

    def _type_grades(self, user: User) -> None:
        """A teacher types what the quiz gave, some time after the tool has read who is in the course."""
        native = self.lms.item_of(self.quiz)
        grade = self.lms.gradebook.final(native, user.id) if native else None
        columns = [item for item in self.evidence() if native and str(native.label) in str(item.label)]
        if native is None or grade is None or not columns:
            return
        if isinstance(self.lms, Canvas) and any((c.id, user.id) not in self.lms.results for c in columns):
            self.read_now()
        for column in columns:
            self.lms.set_grade(user, column, grade * column.maximum / native.maximum)

    def read_now(self) -> None:
        """The teacher asks the tool to read the course, and it does."""
        teacher = self.browser(self.teacher)
        badge = next(
            item
            for item in self.lms.gradebook.of_course(self.course.id)
            if item.service is not None and item.service.tag == "award"
        )
        activity = self.lms.activity("lti", badge.instance or 0)
        assert activity is not None
        teacher.submit(teacher.launch(activity.id), form="/course/sync")
        self.run_jobs()

    # -- what came of it

    def holders(self) -> list[str]:
        """The names of those who were awarded, once for each award."""
        with self.tool.database.read() as session:
            awarded = select(Learner.name).join(Award, Award.learner_id == Learner.id)
            return sorted(str(name) for name in session.execute(awarded).scalars())


def row_of(page: Page, name: str) -> str:
    """What the instructor's page says about a learner."""
    return next(
        " ".join(row.get_text(" ").split()) for row in page.soup.find_all("tr") if name in row.get_text()
    )


def _heading_of(page: Page, form: Form) -> str:
    """What the part of the course page that a placement's form stands in is called."""
    placement_id = form.action.partition("/placements/")[2].partition("/")[0]
    heading = page.soup.find(id=f"placement-{placement_id}")
    return " ".join(heading.get_text(" ").split()) if heading is not None else ""


def credential_of(wallet: Page) -> str:
    """The id of the (first) badge that a wallet offers to share."""
    return wallet.form("sharing").action.partition("/credentials/")[2].partition("/")[0]


def micromodule_fields(name: str, label: str, percent: str, channel: str = "mirror") -> dict[str, str]:
    """What the form needs at least."""
    return {
        "name": name,
        "description": "Finds, judges and reuses open data.",
        "skills": "Finding open data\nJudging data quality",
        "combination": "all",
        **rule_fields(0, label=label, threshold=percent, channel=channel),
        "shape": "hexagon",
        "icon": "database",
        "background": "#0b4f6c",
        "foreground": "#ffffff",
        "text": "Open Data",
        "image_alt": "Hexagonal badge with a database symbol",
    }


@contextmanager
def open_campus(
    database_url: str, data_dir: Path, product: Product = "moodle", **settings: str
) -> Iterator[Campus]:
    """Build both sides and connect them; the database at ``database_url`` is migrated already.

    As Canvas, both organisations are institutions of one cloud: one issuer, one client_id, and the same ids
    for people and courses of the same number.
    """
    clock = Clock()
    lms, neighbour = platforms(product, clock)
    sites = ((lms, "Open Learning"), (neighbour, "Neighbour College"))
    with connect(database_url, data_dir, clock, sites, **settings) as made:
        made[0].neighbour = made[1]
        yield made[0]


@contextmanager
def connect(
    database_url: str,
    data_dir: Path,
    clock: Clock,
    sites: Sequence[tuple[Moodle | Canvas, str]],
    **settings: str,
) -> Iterator[list[Campus]]:
    """Build the tool and connect it with each LMS, for the organisation named beside it."""
    environment: Mapping[str, str] = {
        "LTI_TOOL_ENV": "development",
        "LTI_TOOL_BASE_URL": TOOL_URL,
        "LTI_TOOL_DATABASE_URL": database_url,
        "LTI_TOOL_DATA_DIR": str(data_dir),
        **settings,
    }
    tool = build_tool(
        load_settings(environment),
        clock=clock,
        mounts={url: adapter for lms, _organisation in sites for url, adapter in mounts(lms).items()},
        queue=Queue("memory:"),
    )
    tool.keyring.ensure("lti")
    _take_time(tool, clock)
    app = create_app(tool=tool)
    app.jinja_env.bytecode_cache = COMPILED
    reconcile = Reconcile(tool)
    tasks.register(tool, reconcile)
    try:
        yield [_settle(tool, app, clock, reconcile, lms, organisation) for lms, organisation in sites]
    finally:
        tool.database.dispose()


def _take_time(tool: Tool, clock: Clock) -> None:
    """Let visits and clicks wait for the LMS by the clock of journeys, which stands still meanwhile.

    The calls stay in this process; how long they take says how busy the machine is. That a visit ends after
    two seconds is seen in ``test_sync_learner``. A platform's rest then ends when a test lets time go by.
    """
    tool.connector._monotonic = lambda: clock.now.timestamp()


def platforms(product: Product, clock: Clock) -> tuple[Moodle | Canvas, Moodle | Canvas]:
    """Two sites of one product."""
    if product == "moodle":
        return Moodle(LMS_URL, clock=clock), Moodle(NEIGHBOUR_URL, clock=clock)
    cloud = Cloud(CLOUD_URL, clock=clock)
    first, second = (
        Canvas(url, cloud, clock=clock, name=name, id_space="the same ids", second_url=second_url)
        for url, name, second_url in (
            (LMS_URL, "Open University", SECOND_URL),
            (NEIGHBOUR_URL, "Neighbour University", None),
        )
    )
    return first, second


def _settle(
    tool: Tool, app: Flask, clock: Clock, reconcile: Reconcile, lms: Moodle | Canvas, organisation: str
) -> Campus:
    """Connect one LMS with the tool, for one organisation, and give it a course."""
    lms.fetch = fetch_in_process(app.wsgi_app)
    lms_side = lms.register_tool(
        TOOL_URL,
        client_id=lms.cloud.shared_client_id if isinstance(lms, Canvas) else None,
        custom=dict(platform_for(lms.product).custom_parameters),
    )
    tool.registrations.add(
        name=f"{lms.product} of {organisation}",
        **lms.endpoints,
        client_id=lms_side.client_id,
        product=lms.product,
        deployments=[lms.deployment_id(lms_side)],
        organisation=organisation,
        approve=True,
    )
    teacher = lms.add_user("teacher", "Tamara", "Teacher")
    tutor = lms.add_user("tutor", "Noel", "Tutor")
    course = lms.add_course("MM1", "Micromodule 1: Open Data")
    lms.enrol(teacher, course, Role.EDITING_TEACHER)
    lms.enrol(tutor, course, Role.TEACHER)
    quiz = lms.add_quiz(course, "Quiz 1", id_number="quiz1", pass_grade=60)
    return Campus(lms, tool, app, clock, lms_side, course, teacher, tutor, quiz, reconcile)
