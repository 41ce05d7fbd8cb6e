"""``make run``: the tool and a demo LMS with a seeded course, on two loopback sites, until Ctrl-C.

One process watches everything: it serves the demo LMS itself, starts ``lti-tool serve`` (which runs its own
worker), and then walks the demo's set-up as its people would do it in a browser: the teacher places
micromodules by deep linking, makes the columns and types their formulas (Moodle) or grades (Canvas); learners
open their wallets, and one of them shares a badge. Nothing is written past the tool's own doors.
``LMS=canvas`` shows two institutions of one cloud, each an organisation of its own.

The LMS lives in memory. Each start registers it anew and disables the registration of the one before;
whatever else is in the development database stays.
"""

from __future__ import annotations

import logging
import os
import secrets
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from werkzeug.serving import make_server

from lti_tool.bootstrap import NOT_READY, Tool, build_tool
from lti_tool.domain.currency import day_of
from lti_tool.lti.registration import custom_parameters
from lti_tool.services.currency import CareForm
from lti_tool.settings import load_settings
from lti_tool.store import micromodules
from lti_tool.store.currency import CareFilter
from tests.simulator.app import applications
from tests.simulator.browser import Form, Page
from tests.simulator.canvas.lms import Canvas, Cloud
from tests.simulator.client import Person
from tests.simulator.gradebook import GradeItem
from tests.simulator.lms import Activity, Course, User
from tests.simulator.moodle.lms import Moodle
from tests.simulator.seed import Demo, seed_demo

ROOT = Path(__file__).resolve().parents[2]
ORGANISATION = "Open Learning"
NEIGHBOUR = "Neighbour University"
CATEGORY = "Open Data"
STARTING_SECONDS = 180.0
SEEDING_SECONDS = 300.0
Wait = Callable[[Callable[[], bool], float], None]
"""Waits for a condition, so many seconds at most; ends when somebody wants all to end."""
HOP_BY_HOP = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding"})


@dataclass(frozen=True)
class Recipe:
    """What the demo's teacher types for one micromodule."""

    short_name: str
    name: str
    description: str
    skills: str
    shape: str
    icon: str
    background: str
    text: str
    rows: tuple[tuple[str, str], ...]
    """(assessment, percent needed)."""
    combination: str = "all"
    gate: str = ""
    """What a rule of the forum is called, in an LMS that takes its link along with the badge's."""


RECIPES = (
    Recipe(
        "MM1",
        "Open Data Basics",
        "Finds, judges and reuses open data for a question of their own.",
        "Finding open data\nJudging data quality\nReusing open data",
        "hexagon",
        "database",
        "#0b4f6c",
        "Open Data",
        (("Quiz 1", "60"),),
    ),
    Recipe(
        "MM2",
        "Data Privacy Basics",
        "Handles personal data with care: consent, purpose and anonymisation.",
        "Data protection\nAnonymisation",
        "shield",
        "shield-check",
        "#5b2a86",
        "Data Privacy",
        (("Quiz 1", "60"), ("Quiz 2", "50")),
        gate="Took part in the discussion",
    ),
    Recipe(
        "MM3",
        "Honest Charts",
        "Draws charts that tell the truth and reads those that do not.",
        "Data visualisation\nCritical reading of charts",
        "circle",
        "chart-line",
        "#8a3b12",
        "Honest Charts",
        (("Quiz 1", "70"),),
    ),
    Recipe(
        "MM4",
        "Data Ethics",
        "Weighs whom data helps and whom it harms before using it.",
        "Ethical reasoning\nImpact assessment",
        "octagon",
        "scale",
        "#14532d",
        "Data Ethics",
        (("Quiz 1", "60"), ("Essay", "50")),
        "any",
    ),
    Recipe(
        "MM5",
        "Open Licences",
        "Chooses and reads an open licence for data, text and code.",
        "Licensing\nCopyright basics",
        "rosette",
        "handshake",
        "#7f1d1d",
        "Open Licences",
        (("Quiz 1", "60"),),
    ),
)

REVIEWS = {RECIPES[0].name: timedelta(days=21), RECIPES[1].name: timedelta(days=150)}
"""So long from the start of the demo these are looked at again."""
REVIEW = CareForm(contact="Teaching Development", review_every_months="12")


@dataclass(frozen=True)
class Site:
    """One LMS of the demo, and the organisation that it belongs to."""

    lms: Moodle | Canvas
    demo: Demo
    organisation: str
    recipes: tuple[Recipe, ...]


def sites_of(product: str, lms_port: int) -> list[Site]:
    """As Moodle one site; as Canvas two institutions of one cloud, on this port and the next two."""
    first, second = (f"http://127.0.0.1:{lms_port + offset}" for offset in (0, 1))
    if product == "moodle":
        moodle = Moodle(first, seed=7)
        return [Site(moodle, seed_demo(moodle), ORGANISATION, RECIPES)]
    cloud = Cloud(f"http://127.0.0.1:{lms_port + 2}", client_id=secrets.randbelow(10**9))
    ours = Canvas(first, cloud, seed=7, name="Open University")
    theirs = Canvas(second, cloud, seed=8, name="Neighbour University")
    return [
        Site(ours, seed_demo(ours), ORGANISATION, tuple(replace(one, gate="") for one in RECIPES)),
        Site(theirs, seed_demo(theirs), NEIGHBOUR, RECIPES[:1]),
    ]


def main() -> int:
    """Start everything, seed it, and wait for a signal; returns the exit status."""
    port, lms_port = int(os.environ.get("PORT", "8000")), int(os.environ.get("LMS_PORT", "9000"))
    product = os.environ.get("LMS", "moodle")
    if product not in ("moodle", "canvas"):
        sys.stderr.write("The demo LMS is LMS=moodle or LMS=canvas.\n")
        return 2
    tool_url = f"http://localhost:{port}"
    environment = {**os.environ, "LTI_TOOL_ENV": "development", "LTI_TOOL_BASE_URL": tool_url}
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    tool = build_tool(load_settings(environment))
    tool.database.upgrade()
    tool.keyring.ensure("lti")
    marker = seeding_marker(tool)
    marker.parent.mkdir(parents=True, exist_ok=True)
    marker.write_text("The demo is being seeded.\n")
    sites = sites_of(product, lms_port)
    served = {url: app for site in sites for url, app in applications(site.lms).items()}
    servers = [_serve(app, urlsplit(url).port or 0) for url, app in served.items()]
    serving = subprocess.Popen(
        [sys.executable, "-m", "lti_tool.cli", "serve", "--host", "127.0.0.1", "--port", str(port)],
        cwd=ROOT,
        env=environment,
    )

    def wait(condition: Callable[[], bool], seconds: float) -> None:
        if stopping.is_set():
            raise _Stopped(0)
        _wait(condition, seconds, stopping, serving)

    try:
        wait(lambda: _answers(f"{tool_url}/healthz"), STARTING_SECONDS)
        register(tool, sites, tool_url)
        learners = sum(len(site.demo.learners) for site in sites)
        say(f"Seeding the demo ({len(RECIPES)} micromodules, {learners} learners) …")
        for site in sites:
            seed(tool, site, tool_url, wait)
        marker.unlink(missing_ok=True)
        wait(lambda: _answers(f"{tool_url}/readyz"), STARTING_SECONDS)
        _announce(tool_url, sites)
        while not stopping.wait(0.5):
            if serving.poll() is not None:
                sys.stderr.write("The tool has stopped; see its messages above.\n")
                return 1
        return 0
    except _Stopped as stopped:
        return stopped.status
    finally:
        marker.unlink(missing_ok=True)
        _stop(serving)
        for server in servers:
            server.shutdown()
        tool.database.dispose()


class _Stopped(Exception):
    """Somebody asked to stop, or a process ended, while the demo was starting."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


def say(text: str) -> None:
    """One line to whoever started this, at once also where it goes into a file."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def seeding_marker(tool: Tool) -> Path:
    """While this file is there, ``/readyz`` says no: the demo is not complete yet."""
    return tool.settings.data_dir / NOT_READY


def register(tool: Tool, sites: Sequence[Site], tool_url: str) -> None:
    """Connect the fresh LMS with the tool, as ``lti-tool registrations add`` and the LMS's own form do."""
    issuers = {site.lms.endpoints["issuer"] for site in sites}
    for known in tool.registrations.list():
        if known.issuer in issuers:
            tool.registrations.disable(known.id)
    for site in sites:
        lms = site.lms
        if isinstance(lms, Canvas):
            configuration = requests.get(f"{tool_url}/lti/canvas.json", timeout=30).json()
            side = lms.install(configuration, client_id=lms.cloud.shared_client_id)
        else:
            side = lms.register_tool(
                tool_url,
                client_id=secrets.token_urlsafe(11).replace("-", "x").replace("_", "y"),
                custom=custom_parameters(lms.product),
            )
        tool.registrations.add(
            name=f"Demo {lms.product.title()}",
            **lms.endpoints,
            client_id=side.client_id,
            product=lms.product,
            deployments=[lms.deployment_id(side)],
            organisation=site.organisation,
            approve=True,
        )


def seed(tool: Tool, site: Site, tool_url: str, wait: Wait) -> None:
    """Walk the demo's set-up as its people would; every step goes through the tool's own pages."""
    lms, demo = site.lms, site.demo
    browser = over_http(tool_url)
    teacher = Person(lms, browser, demo.teacher)
    placed: dict[str, Activity] = {}
    for recipe in site.recipes:
        wait(lambda: True, 0)  # somebody may want it to stop
        course = next(course for course in demo.courses if course.short_name == recipe.short_name)
        placed[recipe.short_name], *gates = place(teacher, course, recipe)
        page = teacher.launch(placed[recipe.short_name].id)
        if isinstance(lms, Canvas):
            teacher.submit(page, form="columns")
        fill_columns(teacher, site, course, placed[recipe.short_name], wait)
        for gate in gates:
            open_gate(teacher, course, gate, wait)
        teacher.submit(teacher.launch(placed[recipe.short_name].id), form="/publish")
    gather(tool, site.organisation)
    date_reviews(tool, site.organisation)
    first = placed[site.recipes[0].short_name]
    passed = _passed(site, demo.courses[0])
    for learner in passed[:2]:
        Person(lms, browser, learner).launch(first.id)
    sharer = Person(lms, browser, passed[0])
    wallet = sharer.launch(first.id)
    share_first_badge(sharer, wallet)


def gather(tool: Tool, name: str) -> None:
    """Put the demo's micromodules into one category, as the organisation's staff would."""
    organisation = tool.registrations.ensure_organisation(name)
    named = {recipe.name for recipe in RECIPES}
    with tool.database.read() as session:
        versions = micromodules.current_versions(session, organisation.id)
    tool.configuring.categorise(
        organisation.id, CATEGORY, [version.id for version in versions if version.name in named]
    )


def date_reviews(tool: Tool, name: str) -> None:
    """Say of two of the demo's micromodules when they are looked at again, as the operator would.

    One is due soon, the other in order. What a former start or somebody else said stays.
    """
    operator, today = tool.staffing.operator(name), day_of(tool.clock())
    for row in list(tool.currency.rows(operator, CareFilter())):
        if row.name in REVIEWS and row.revision == 0:
            care = replace(REVIEW, review_on=(today + REVIEWS[row.name]).isoformat())
            tool.currency.change(operator, row.kind, row.id, care, revision=row.revision)


def open_gate(teacher: Person, course: Course, gate: Activity, wait: Wait) -> None:
    """What the teacher does for a gate: restricts it by the forum, looks who passes, and confirms that."""
    forum = next(activity for activity in teacher.lms.in_course(course) if activity.module == "forum")
    settings = f"/course/modedit.php?update={gate.id}&return=1&showonly=availabilityconditionsheader"
    restriction: dict[str, str | list[str] | None] = {f"completion_{forum.id}": "1"}
    teacher.submit(teacher.get(settings), restriction, form="modedit", button="Save and return to course")
    page = teacher.launch(gate.id)

    def confirming() -> list[Form]:
        shown = teacher.get(page.url, page=page)
        return [form for form in shown.forms if any("confirm" in button for button in form.buttons)]

    wait(lambda: bool(confirming()), SEEDING_SECONDS)
    teacher.submit(page, form=confirming()[0], button="confirm")


def place(teacher: Person, course: Course, recipe: Recipe) -> list[Activity]:
    """Deep linking: the micromodule from the library if an earlier run left it there, else a new one.

    Gives the badge, and its gates behind it.
    """
    picker = teacher.deep_link(course)
    known = _version_called(picker, recipe.name)
    if known is not None:
        form = next(form for form in picker.forms if any(known in button for button in form.buttons))
        answer = teacher.submit(picker, form=form, button=known)
    else:
        page = teacher.to_form(picker)
        fields = {
            "name": recipe.name,
            "description": recipe.description,
            "skills": recipe.skills,
            "combination": recipe.combination,
            "shape": recipe.shape,
            "icon": recipe.icon,
            "background": recipe.background,
            "foreground": "#ffffff",
            "text": recipe.text,
            "image_alt": f"Badge “{recipe.name}”",
        }
        for _ in recipe.rows[1:]:
            page = teacher.submit(page, fields, form="micromodule", button="add_score")
        for number, (label, percent) in enumerate(recipe.rows):
            fields |= {
                f"criteria-{number}-label": label,
                f"criteria-{number}-threshold": percent,
                f"criteria-{number}-channel": "mirror" if teacher.lms.product == "moodle" else "attest",
            }
        if recipe.gate:
            number = len(recipe.rows)
            fields |= {f"criteria-{number}-kind": "gate", f"criteria-{number}-label": recipe.gate}
        answer = teacher.submit(page, fields, form="micromodule", button="place")
    return teacher.save_selected(answer)


def _version_called(picker: Page, name: str) -> str | None:
    """The micromodule version that the picker offers under ``name``."""
    for heading in picker.soup.find_all("h3"):
        if heading.get_text(" ").strip() == name:
            return str(heading.get("id", "")).removeprefix("name-")
    return None


def fill_columns(teacher: Person, site: Site, course: Course, activity: Activity, wait: Wait) -> None:
    """What the teacher does for the columns: Moodle's formulas, or grades typed; then a sync."""
    items = site.lms.gradebook.of_course(course.id)
    natives = [item for item in items if item.module in ("quiz", "assign")]
    columns = [item for item in items if item.service and item.service.tag in ("mirror", "attest")]
    pairs = [(c, n) for c in columns for n in natives if n.label and n.label in str(c.label)]
    if isinstance(site.lms, Canvas):
        _type_grades(teacher, site, site.lms, activity, pairs, wait)
    else:
        for column, native in pairs:
            if not native.id_number:
                native.id_number = str(native.label).lower().replace(" ", "")
            site.lms.set_formula(column, f"=[[{native.id_number}]]")
            column.weight, column.is_hidden = 0.0, True
    read_now(teacher, activity, wait)


def read_now(teacher: Person, activity: Activity, wait: Wait) -> None:
    """Have the course read, once no earlier reading is on its way: until then there is no button for it."""

    shown: list[Page] = []

    def offered() -> bool:
        shown[:] = [teacher.launch(activity.id)]
        return any("sync" in form.action for form in shown[0].forms)

    wait(offered, SEEDING_SECONDS)
    teacher.submit(shown[0], form="sync")


def _type_grades(
    teacher: Person,
    site: Site,
    lms: Canvas,
    activity: Activity,
    pairs: Sequence[tuple[GradeItem, GradeItem]],
    wait: Wait,
) -> None:
    """Once the tool has opened the results: Canvas lists nothing that was typed before."""
    read_now(teacher, activity, wait)
    keys = {(column.id, learner.id) for column, _ in pairs for learner in site.demo.learners}
    wait(lambda: keys <= lms.results.keys(), SEEDING_SECONDS)
    for column, native in pairs:
        for learner in site.demo.learners:
            grade = lms.gradebook.final(native, learner.id)
            if grade is not None:
                lms.set_grade(learner, column, grade * column.maximum / native.maximum)


def share_first_badge(learner: Person, wallet: Page) -> None:
    """The learner makes one badge public."""
    learner.submit(wallet, form="/sharing")


def _passed(site: Site, course: Course) -> list[User]:
    """Learners whose first quiz in ``course`` reaches 60 percent."""
    gradebook = site.lms.gradebook
    quiz = next(item for item in gradebook.of_course(course.id) if item.id_number == "quiz1")
    return [
        learner
        for learner in site.demo.learners
        if (grade := gradebook.final(quiz, learner.id)) is not None and grade >= 60
    ]


def over_http(base_url: str) -> Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """A WSGI application that hands every request to a server; so ``Person`` can use the real one."""
    session = requests.Session()

    def app(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        query = f"?{environ['QUERY_STRING']}" if environ.get("QUERY_STRING") else ""
        headers = {
            name[5:].replace("_", "-").title(): str(value)
            for name, value in environ.items()
            if name.startswith("HTTP_") and name != "HTTP_HOST"
        }
        if environ.get("CONTENT_TYPE"):
            headers["Content-Type"] = str(environ["CONTENT_TYPE"])
        length = int(environ.get("CONTENT_LENGTH") or 0)
        answer = session.request(
            str(environ["REQUEST_METHOD"]),
            f"{base_url}{environ['PATH_INFO']}{query}",
            headers=headers,
            data=environ["wsgi.input"].read(length) if length else None,
            allow_redirects=False,
            timeout=30,
        )
        session.cookies.clear()
        sent = [(n, v) for n, v in answer.raw.headers.items() if n.lower() not in HOP_BY_HOP]
        start_response(f"{answer.status_code} {answer.reason}", sent)
        return [answer.content]

    return app


def _serve(app: Flask, port: int) -> Any:
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    server = make_server("127.0.0.1", port, app, threaded=True)
    threading.Thread(target=server.serve_forever, name=f"demo-lms-{port}", daemon=True).start()
    return server


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code == 200
    except requests.RequestException:
        return False


def _wait(
    condition: Callable[[], bool], seconds: float, stopping: threading.Event, serving: subprocess.Popen[bytes]
) -> None:
    ends = time.monotonic() + seconds
    while not condition():
        if stopping.wait(0.2):
            raise _Stopped(0)
        if serving.poll() is not None:
            sys.stderr.write("The tool did not start; see its messages above.\n")
            raise _Stopped(1)
        if time.monotonic() > ends:
            sys.stderr.write(f"Nothing answered within {seconds:.0f} seconds.\n")
            raise _Stopped(1)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _announce(tool_url: str, sites: Sequence[Site]) -> None:
    # The tool's address is part of every badge: a command on this data has to be told one of another port,
    # and in another shell where the data is.
    said = "" if tool_url == "http://localhost:8000" else f"LTI_TOOL_BASE_URL={tool_url} "
    if folder := os.environ.get("LTI_TOOL_DATA_DIR"):
        said += f"LTI_TOOL_DATA_DIR={shlex.quote(folder)} "
    lines = ["", "Ready."]
    for site in sites:
        lms, course = site.lms, site.demo.courses[0]
        path = f"courses/{course.id}" if lms.product == "canvas" else f"course/view.php?id={course.id}"
        lines += [
            f"  Demo LMS   {lms.base_url}/          {lms.name}: log in by clicking a name",
            f"  Course     {lms.base_url}/{path}",
        ]
    demo = sites[0].demo
    learner, others = demo.learners[0], len(demo.learners) - 1
    lines += [
        f"  The tool   {tool_url}/",
        f"  Verify     {tool_url}/verify",
        "",
        f"  teacher    {demo.teacher.name} (teacher): places badges, sees who is how far",
        f"  learner    {learner.name} ({learner.username}), and {others} more: the badge wallet",
    ]
    if len(sites) > 1:
        lines += ["", "  Both institutions share an issuer and a client_id, and see nothing of each other."]
    lines += [
        "",
        f"  {said}LTI_TOOL_ENV=development .venv/bin/lti-tool credentials list     works on this data",
        "  Ctrl-C ends all.",
        "",
    ]
    say("\n".join(lines))


if __name__ == "__main__":
    sys.exit(main())
