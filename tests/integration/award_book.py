"""A gradebook that takes scores as Moodle does (reference: ``ags_scores_results``), and is rude on demand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lti_tool.lti.grades import RESULT_SCOPE, SCORE_SCOPE
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests.factories import NOW, Course
from tests.integration.gradebook import Gradebook, Reply

LINE_ITEM_SCOPE = "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem"
WRITING = [LINE_ITEM_SCOPE, RESULT_SCOPE, SCORE_SCOPE]
LINK = "link-7"
"""The platform's id of the badge link."""


@dataclass
class AwardBook(Gradebook):
    """Columns with scores: ``values[column URL][sub]`` is the grade, ``times`` when it was given."""

    values: dict[str, dict[str, float | None]] = field(default_factory=dict)
    times: dict[str, dict[str, datetime]] = field(default_factory=dict)
    staff: set[str] = field(default_factory=set)
    """Who has no student's role: no score for them."""
    scores: list[dict[str, Any]] = field(default_factory=list)
    """Every score that arrived, taken or not."""
    taken: list[str] = field(default_factory=list)
    """``sub`` of each score that was taken."""
    instead: list[Reply | Callable[[dict[str, Any]], Reply | None]] = field(default_factory=list)
    """What the next scores are answered, one after the other; after that as usual."""
    uncoupled: int | None = None
    """The status by which a column for a link is refused, if it is."""

    def award_column(self, key: str, *, tag: str = "award", maximum: float = 1, link: str = LINK) -> str:
        """The column that the platform made with the link."""
        url = f"{self.course.platform_issuer}/lineitems/{len(self.columns) + 900}/lineitem"
        self.columns.append(
            {
                "id": url,
                "label": "Badge",
                "scoreMaximum": maximum,
                "tag": tag,
                "resourceId": key,
                "resourceLinkId": link,
            }
        )
        return url

    def answer(self, request: Any) -> Reply:
        path = request.url.partition("?")[0]
        if request.method == "POST" and path.endswith("/scores"):
            self.asked.append(f"POST {path}")
            return self._score(path.removesuffix("/scores"), json.loads(request.body))
        return super().answer(request)

    def _results(self, column_url: str, query: dict[str, str]) -> Reply:
        column = next((one for one in self.columns if one["id"] == column_url), None)
        if column is None:
            return super()._results(column_url, query)
        rows = [
            {"userId": sub, "resultScore": value, "resultMaximum": column["scoreMaximum"]}
            for sub, value in self.values.get(column_url, {}).items()
            if value is not None and query.get("user_id", sub) == sub
        ]
        return 200, {}, json.dumps(rows)

    def _score(self, column_url: str, score: dict[str, Any]) -> Reply:
        self.scores.append(score)
        if self.instead:
            reply = self.instead.pop(0)
            if callable(reply):
                made = reply(score)
                if made is not None:
                    return made
            else:
                return reply
        return self.take(column_url, score)

    def take(self, column_url: str, score: dict[str, Any]) -> Reply:
        """As Moodle: 400 for staff, 409 within the second, clearing whatever is not fully graded."""
        columns = {column["id"]: column for column in self.columns}
        if column_url not in columns:
            return 404, {}, "[]"
        sub, at = str(score["userId"]), datetime.fromisoformat(score["timestamp"]).replace(microsecond=0)
        if sub in self.staff:
            return 400, {}, "[]"
        times = self.times.setdefault(column_url, {})
        if sub in times and at <= times[sub]:
            return 409, {}, "[]"
        times[sub] = at
        graded = score["gradingProgress"] == "FullyGraded" and score.get("scoreGiven") is not None
        part = score["scoreGiven"] / score["scoreMaximum"] if graded else None
        column = columns[column_url]
        self.values.setdefault(column_url, {})[sub] = part and part * column["scoreMaximum"]
        self.taken.append(sub)
        return 200, {}, ""

    def _create(self, spec: dict[str, Any]) -> Reply:
        if spec.get("resourceLinkId") is not None and self.uncoupled is not None:
            return self.uncoupled, {}, ""
        return super()._create(spec)


def link(database: Database, course: Course, badge_link_key: str, *, id_on_platform: str = LINK) -> None:
    """The badge link was launched."""
    with database.write() as session:
        session.add(
            tables.ResourceLink(
                organisation_id=course.organisation_id,
                context_id=course.context_id,
                id_on_platform=id_on_platform,
                badge_link_key=badge_link_key,
                role="badge",
                created_at=NOW,
            )
        )


def grant(database: Database, course: Course, *scopes: str) -> None:
    """What the last launch said that the tool may do."""
    with database.write() as session:
        session.execute(
            sa.update(tables.Context)
            .where(tables.Context.id == course.context_id)
            .values(ags_scopes=list(scopes or WRITING))
        )
