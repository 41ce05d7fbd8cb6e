"""A course's roster and gradebook behind mocked HTTP, for tests of reading it.

Smaller and ruder than the simulator: it does what a test tells it to, and counts what it is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qs, urlsplit

import responses

from lti_tool.store.database import Database
from tests.factories import NOW, Course, Placed
from tests.unit.lti.lms import Keys, Lms, lms

Reply = tuple[int, dict[str, str], str]


@dataclass
class Clock:
    """Aware UTC, moved by hand."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **delta: float) -> None:
        self.now += timedelta(**delta)


@dataclass
class Hints:
    """Remembers what was offered to the queue."""

    offered: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def offer(self, task: str, **ids: str) -> None:
        self.offered.append((task, ids))


@dataclass
class Issued:
    """Remembers what was to be issued."""

    award_ids: list[str] = field(default_factory=list)

    def issue_for(self, award_ids: Any) -> dict[str, str]:
        self.award_ids.extend(award_ids)
        return {award_id: f"credential-{award_id}" for award_id in award_ids}


@dataclass
class Gradebook:
    """One platform."""

    network: Lms
    course: Course
    members: list[dict[str, Any]] = field(default_factory=list)
    page_size: int = 1_000
    grades: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Column URL → ``sub`` → score, of 100."""
    columns: list[dict[str, Any]] = field(default_factory=list)
    failing: dict[str, Reply] = field(default_factory=dict)
    """Path part → what is answered there instead."""
    before: Callable[[str], None] = lambda _path: None
    """Called with the path of each request, before it is answered."""
    asked: list[str] = field(default_factory=list)
    """``METHOD path?query`` of every call but those for tokens."""
    creates: bool = True
    behind: dict[str, set[str]] = field(default_factory=dict)
    """Link → who may open it; any other link is unknown."""

    def let_pass(self, link: str, *subs: object) -> None:
        """From now on just these may open the link."""
        self.behind[link] = {str(sub) for sub in subs}

    def enrol(self, *subs: object, role: str = "Learner") -> None:
        self.members += [
            {"user_id": str(sub), "roles": [role], "name": f"Name {sub}", "email": f"{sub}@x.example"}
            for sub in subs
        ]

    def grade(self, placed: Placed, **scores: Any) -> None:
        """``grade(placed, s5=80)``: the learner with sub 5 has 80."""
        given = self.grades.setdefault(placed.line_item_url, {})
        given.update({name.removeprefix("s"): score for name, score in scores.items()})

    def calls(self, part: str) -> list[str]:
        return [call for call in self.asked if part in call]

    # -- answering

    def answer(self, request: Any) -> Reply:
        parts = urlsplit(request.url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/token":
            form = parse_qs(str(request.body))
            body = {"access_token": "t", "expires_in": 3600, "scope": form["scope"][0]}
            return 200, {}, json.dumps(body)
        self.asked.append(f"{request.method} {parts.path}" + (f"?{parts.query}" if parts.query else ""))
        self.before(parts.path)
        for part, reply in self.failing.items():
            if part in parts.path:
                return reply
        if parts.path.startswith("/memberships/"):
            return self._roster(request.url.partition("?")[0], query)
        if parts.path.endswith("/results"):
            return self._results(request.url.partition("?")[0].removesuffix("/results"), query)
        if request.method == "POST":
            return self._create(json.loads(request.body))
        wanted = query.get("resource_id")
        found = [column for column in self.columns if wanted in (None, column.get("resourceId"))]
        return 200, {}, json.dumps(found)

    def _roster(self, url: str, query: dict[str, str]) -> Reply:
        members, kept = self.members, ""
        if "rlid" in query:
            if query["rlid"] not in self.behind:
                return 404, {}, "{}"
            members = [one for one in members if one["user_id"] in self.behind[query["rlid"]]]
            kept = f"&rlid={query['rlid']}"
        start = int(query.get("from", "0"))
        page = members[start : start + self.page_size]
        more = start + self.page_size < len(members)
        headers = {"Link": f'<{url}?from={start + self.page_size}{kept}>; rel="next"'} if more else {}
        return 200, headers, json.dumps({"members": page})

    def _results(self, column_url: str, query: dict[str, str]) -> Reply:
        rows = []
        for sub, score in self.grades.get(column_url, {}).items():
            if query.get("user_id", sub) == sub:
                row: dict[str, Any] = {"userId": sub}
                if score is not None:
                    row |= {"resultScore": score, "resultMaximum": 100, "timestamp": NOW.isoformat()}
                rows.append(row)
        start, headers = int(query.get("from", "0")), {}
        if start + self.page_size < len(rows):
            following = f"{column_url}/results?from={start + self.page_size}"
            headers = {"Link": f'<{following}>; rel="next"'}
        rows = rows[start : start + self.page_size]
        return (
            200,
            headers,
            json.dumps(rows, default=lambda value: float(value) if isinstance(value, Decimal) else value),
        )

    def _create(self, spec: dict[str, Any]) -> Reply:
        url = f"{self.course.platform_issuer}/lineitems/{len(self.columns) + 500}/lineitem"
        column = {**spec, "id": url}
        self.columns.append(column)
        return (201, {}, json.dumps(column)) if self.creates else (504, {}, "")


def answering(book: Gradebook) -> Gradebook:
    """Have ``book`` answer on its network."""
    anything = re.compile(re.escape(book.course.platform_issuer) + "/.*")
    for method in (responses.GET, responses.POST, responses.PUT, responses.DELETE):
        book.network.mock.add_callback(method, anything, book.answer)
    return book


@contextmanager
def gradebook(course: Course, **connector_options: Any) -> Iterator[Gradebook]:
    """The platform of ``course`` on a mocked network."""
    with lms(**connector_options) as network:
        yield answering(Gradebook(network, course))


def rows(database: Database, table: Any) -> list[Any]:
    """Every row of a table."""
    from sqlalchemy import select

    with database.read() as session:
        return list(session.scalars(select(table)))


__all__ = ["Clock", "Gradebook", "Hints", "Issued", "Keys", "answering", "gradebook", "rows"]
