"""Pages: the public badge as a page and as JSON, the wallet, the instructor's list."""

from __future__ import annotations

import http.client
import itertools
import json
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import jinja2
import sqlalchemy as sa
from flask import Flask

from lti_tool.app import create_app
from lti_tool.bootstrap import Tool, build_tool, make_keys
from lti_tool.settings import load_settings
from lti_tool.store import tables
from tests import factories
from tests.bench.measuring import Figure, at_least, at_most, figure, no_more_than
from tests.bench.schools import Grounds, Place, school
from tests.bench.serving import Server, free_port, load, served
from tests.factories import Course

COUNT, ROUNDS, CONCURRENCY = 800, 3, 32
TOKEN = "a token that only the benchmark knows"
UNSEEN = 600
"""Badges asked for in turn: more than the pages that a process keeps."""
BADGES, COURSE = 200, 10_000
MOST_QUERIES = 6.0
_tokens = itertools.count(1)


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``page_…`` on each database."""
    for kind in grounds.kinds:
        ending = "" if kind == "sqlite" else f"_{kind}"
        with ExitStack() as stack:
            place = stack.enter_context(grounds.place(kind))
            port = free_port()
            environment = {
                "LTI_TOOL_ENV": "development",
                "LTI_TOOL_BASE_URL": f"http://127.0.0.1:{port}",
                "LTI_TOOL_DATABASE_URL": place.url,
                "LTI_TOOL_DATA_DIR": str(grounds.folder / f"pages-{kind}"),
                "LTI_TOOL_LOG_LEVEL": "warning",
            }
            tool = build_tool(load_settings(environment))
            stack.callback(tool.close)
            make_keys(tool.keyring)
            yield from _public(stack, grounds, place, tool, environment, port, ending)
            yield from _framed(place, tool, ending)


def _public(
    stack: ExitStack, grounds: Grounds, place: Place, tool: Tool, environment: dict[str, str], port: int,
    ending: str,
) -> Iterator[Figure]:  # fmt: skip
    paths = [f"/credentials/{id_}" for id_ in _shared_badges(place, tool, 1 + UNSEEN)]
    path = paths[0]
    ours = stack.enter_context(served("lti_tool.app:create_app", environment, grounds.folder, port=port))
    bare = stack.enter_context(
        served("tests.bench.reference_apps:bare_page", {"BENCH_DATABASE_URL": place.url}, grounds.folder)
    )
    etags = {server.port: _etag(server, f"{path}.json") for server in (ours, bare)}
    asked: dict[str, tuple[str, Callable[[Server], dict[str, str]], int]] = {
        "page_public": (path, lambda _: {"Accept": "text/html"}, 200),
        "page_public_unseen": (path, lambda _: {"Accept": "text/html"}, 200),
        "page_json": (f"{path}.json", lambda _: {}, 200),
        "page_json_304": (f"{path}.json", lambda server: {"If-None-Match": etags[server.port]}, 304),
    }
    cpu: dict[str, dict[str, float]] = {}
    for name, (url, headers, status) in asked.items():
        taken: dict[str, list[float]] = {"ours": [], "bare": []}
        for number in range(ROUNDS + 1):
            for way, server in (("ours", ours), ("bare", bare)):
                urls = paths[1:] if name == "page_public_unseen" else [url]
                operation = _get(urls, headers(server), status)
                done = load(server, operation, count=COUNT, concurrency=CONCURRENCY)
                if number:
                    taken[way].append(done.cpu_seconds)
        cpu[name] = {way: statistics.median(seconds) for way, seconds in taken.items()}
    for name, seconds in cpu.items():
        yield figure(
            f"{name}{ending}", 1 / seconds["ours"], "per CPU s", "the same badge on bare Flask + Core",
            1 / seconds["bare"], at_least(0.7),
        )  # fmt: skip
    yield figure(
        f"page_json_304{ending}_vs_200", 1 / cpu["page_json_304"]["ours"], "per CPU s", "its own 200",
        1 / cpu["page_json"]["ours"], at_least(1.0),
    )  # fmt: skip


def _get(
    paths: Sequence[str], headers: dict[str, str], status: int
) -> Callable[[http.client.HTTPConnection, int], None]:
    def operation(connection: http.client.HTTPConnection, number: int) -> None:
        connection.request("GET", paths[number % len(paths)], headers=headers)
        answer = connection.getresponse()
        answer.read()
        if answer.status != status:
            raise RuntimeError(f"{paths[number % len(paths)]} answered {answer.status}")

    return operation


def _etag(server: Server, path: str) -> str:
    connection = server.connection()
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.getheader("ETag") or ""


def _shared_badges(place: Place, tool: Tool, count: int) -> list[str]:
    course = factories.course(place.database)
    placed = factories.placed(place.database, course)
    learner_ids = factories.enrol(place.database, course, count)
    award_ids = [factories.award(place.database, course, placed, id_) for id_ in learner_ids]
    issued = tool.issuing.issue_for(award_ids)
    with place.database.write() as session:
        session.execute(sa.update(tables.Credential).values(is_public=True))
    return list(issued.values())


def _framed(place: Place, tool: Tool, ending: str) -> Iterator[Figure]:
    app = create_app(tool=tool)
    for badges in (1, BADGES):
        course = factories.course(place.database)
        (learner_id,) = factories.enrol(place.database, course)
        award_ids = []
        for number in range(badges):
            placed = factories.placed(place.database, course, status="active" if number < 5 else "removed")
            award_ids.append(factories.award(place.database, course, placed, learner_id))
        tool.issuing.issue_for(award_ids)
        queries, seconds = _visit(app, tool, course, learner_id, "wallet", is_teacher=False)
        if badges == 1:
            few = seconds
    yield figure(
        f"page_wallet_{BADGES}{ending}_queries", queries, "statements", "the most allowed",
        MOST_QUERIES, no_more_than(MOST_QUERIES),
    )  # fmt: skip
    yield figure(
        f"page_wallet_{BADGES}{ending}", seconds * 1000, "CPU ms", "the wallet of one badge",
        few * 1000, at_most(BADGES),
    )  # fmt: skip
    large = school(place.database, size=COURSE, micromodules=3)
    tool.awarding.decide_context(large.course.organisation_id, large.course.context_id)
    queries, seconds = _visit(app, tool, large.course, large.learner_ids[0], "course", is_teacher=True)
    yield figure(
        f"page_course_{COURSE}{ending}", seconds * 1000, "CPU ms", f"a limit; {queries:.0f} statements",
        100, no_more_than(100),
    )  # fmt: skip
    placement_id = large.placed[0].placement_id
    matrix = f"course/placements/{placement_id}/matrix?sort=badge"
    queries, seconds = _visit(app, tool, large.course, large.learner_ids[0], matrix, is_teacher=True)
    yield figure(
        f"page_matrix_{COURSE}{ending}", seconds * 1000, "CPU ms",
        f"its rows by one statement and a bare template; ours {queries:.0f}",
        _bare_matrix(place, placement_id) * 1000, no_more_than(MATRIX),
    )  # fmt: skip


BARE_MATRIX = """<table>{% for row in rows %}<tr><th>{{ row.name }}</th><td>{{ row.verdict }}</td>
{% for one in row.leaves %}<td>{{ one.state }} {{ one.value }}</td>{% endfor %}</tr>{% endfor %}</table>"""
MATRIX = 100.0
"""CPU ms. Beside the bare table, ours decides about each row anew and says in words how each criterion is."""


def _bare_matrix(place: Place, placement_id: str) -> float:
    """CPU seconds of the same page of learners from what was decided last: one statement, one template."""
    template = jinja2.Environment(autoescape=True).from_string(BARE_MATRIX)
    listed = sa.text(
        "SELECT l.name, d.verdict, d.leaf_states, d.evidence FROM memberships m"
        " JOIN learners l ON l.id = m.learner_id JOIN decisions d ON d.learner_id = l.id"
        " AND d.placement_id = :placement AND d.is_latest"
        " ORDER BY d.verdict, lower(l.name), l.id LIMIT 50"
    )

    def read() -> None:
        rows = []
        with place.database.read() as session:
            for name, verdict, letters, stored in session.execute(listed, {"placement": placement_id}):
                evidence = json.loads(stored) if isinstance(stored, str) else stored
                scores = list(evidence.get("scores", {}).values())
                cells = [
                    {"state": letter, "value": score.get("value") if isinstance(score, dict) else score}
                    for letter, score in itertools.zip_longest(letters, scores)
                ]
                rows.append({"name": name, "verdict": verdict, "leaves": cells})
        assert len(rows) == 50
        assert len(template.render(rows=rows)) > 5000

    read()
    seconds = []
    for _ in range(5):
        started = time.process_time()
        read()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def _visit(
    app: Flask, tool: Tool, course: Course, learner_id: str, page: str, *, is_teacher: bool
) -> tuple[float, float]:
    """Statements (without those that only begin a transaction) and CPU seconds of a page in a session."""
    now = datetime.now(UTC)
    token = f"{TOKEN} {next(_tokens)}"
    session_id = factories.launch_session(
        tool.database,
        course,
        learner_id,
        token_hash=tool.launching._hash(token),
        can_view_progress=is_teacher,
        is_learner=not is_teacher,
        is_cookie_bound=True,
        created_at=now,
        expires_at=now + timedelta(hours=1),
    )
    client = app.test_client()
    base_url = tool.settings.base_url.replace("http:", "https:")
    client.set_cookie(f"lti_session_{session_id}", token, domain="127.0.0.1", path=f"/l/{session_id}/")

    def visit() -> None:
        answer = client.get(f"/l/{session_id}/{page}", base_url=base_url)
        assert answer.status_code == 200, answer.get_data(as_text=True)[:2000]

    visit()
    with tool.database.statements() as statements:
        visit()
    seconds = []
    for _ in range(5):
        started = time.process_time()
        visit()
        seconds.append(time.process_time() - started)
    asked = [statement for statement in statements if not statement.startswith("BEGIN")]
    return float(len(asked)), statistics.median(seconds)
