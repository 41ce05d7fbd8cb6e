"""State machines over a real database: what each of them needs, whatever its laws are about."""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, Final

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis.stateful import RuleBasedStateMachine
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy.engine import make_url

from lti_tool.credentials.verification import verify
from lti_tool.domain.criteria import Criterion
from lti_tool.services.next_version import Answer, Author, Policy
from lti_tool.services.versions import Versions
from lti_tool.store import tables
from lti_tool.store.database import Database
from lti_tool.store.versions import NewVersion
from tests.databases import postgres_database, postgres_server_url
from tests.integration.services.school import BASE_URL, School

ARTWORK: Final = {
    "shape": "circle",
    "icon": "award",
    "background": "#0b6a5d",
    "foreground": "#ffffff",
    "text": "",
}
OPENS_DAYS: Final = 10
"""Before its end a badge can be renewed, where it has one of its own."""


def narrate(_criterion: Criterion, _language: str) -> str:
    return "What is asked."


class Laws(RuleBasedStateMachine):
    """A school on a database of its own, and what holds for the badges of every school."""

    fresh: ClassVar[Callable[[], Any]]
    """Opens a database of its own, as a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        database = self.open.enter_context(type(self).fresh())
        self.school = School(database, Path(self.open.enter_context(tempfile.TemporaryDirectory())))

    def answer(self, policy: Policy, days: int) -> Answer:
        """What is said beside a next version that is published a minute from now."""
        self.school.clock.forward(minutes=1)
        day = (self.school.clock() + timedelta(days=days)).date()
        return Answer("It was brought up to date.", policy.value, day.isoformat())

    def require_end(self, achievement_version_id: str, end: datetime | None) -> None:
        """No badge of this version goes on after ``end``, as it is signed."""
        with self.school.database.read() as session:
            held = session.execute(
                sa.select(tables.Credential.valid_until)
                .join(tables.Award, tables.Award.id == tables.Credential.award_id)
                .where(
                    tables.Award.achievement_version_id == achievement_version_id,
                    tables.Credential.revoked_at.is_(None),
                )
            ).scalars()
            for valid_until in held:
                assert end is None or (valid_until is not None and valid_until <= end)

    def verify_all(self) -> None:
        """Every badge says what it should to anybody who checks."""
        school, now = self.school, self.school.clock()
        for status_list_id in {one.status_list_id for one in school.rows(tables.Credential)}:
            school.status_lists.sign(status_list_id)
        for one in school.rows(tables.Credential):
            report = verify(one.document.encode(), fetch=self, now=now)
            is_good = one.revoked_at is None and (one.valid_until is None or one.valid_until > now)
            assert report.verdict.value == ("valid" if is_good else "invalid"), report.steps

    def fetch(self, url: str, accept: str) -> bytes:
        """As the verifier asks for what the school publishes."""
        found = self.school.own_documents.published(url.removeprefix(BASE_URL))
        assert found is not None, url
        return found.body


def publish_next(
    school: School, author: Author, micromodule_id: str, *, threshold: str, months: str, answer: Answer
) -> NewVersion:
    """Staff publish the next version of a micromodule in all its courses."""
    versions = Versions(school.database, school.clock, school.hints, _Nobody(), school.awarding)
    view = versions.begin(author, micromodule_id)
    fields = {
        **view.form.to_fields(),
        **ARTWORK,
        "criteria-0-threshold": threshold,
        "validity_months": months,
        "renewal_opens_days": str(OPENS_DAYS) if months else "",
        "description": f"Version {view.number}.",
    }
    versions.save(author, micromodule_id, fields, revision=view.revision)
    seen = versions.compare(author, micromodule_id, narrate, language="en").mark
    return versions.publish(author, micromodule_id, answer, narrate, language="en", seen=seen)


class _Nobody:
    """Publishing as staff decides about nobody at once."""

    def decide(self, *_about: Any) -> None:
        raise AssertionError


def run_laws(
    laws: type[Laws], kind: str, request: pytest.FixtureRequest, tmp_path: Path, *, steps: int = 30
) -> None:
    """Try many ways through ``laws``; how many goes by the profile of hypothesis.

    :param kind: of :data:`tests.databases.BOTH_DATABASES`.
    :param steps: of one way, at most.
    """
    template = request.getfixturevalue(f"{'sqlite' if kind == 'sqlite' else 'postgres'}_template")

    @contextmanager
    def fresh() -> Iterator[Database]:
        if kind == "sqlite":
            path = tmp_path / f"{uuid.uuid4().hex}.sqlite3"
            shutil.copyfile(template, path)
            database = Database(f"sqlite:///{path}")
            try:
                yield database
            finally:
                database.dispose()
                path.unlink()
            return
        with postgres_database(postgres_server_url(), template=str(make_url(template).database)) as url:
            database = Database(url)
            try:
                yield database
            finally:
                database.dispose()

    machine = type(laws.__name__, (laws,), {"fresh": staticmethod(fresh)})
    default = hypothesis.settings.default
    assert default is not None
    examples = max(5, default.max_examples // (8 if kind == "sqlite" else 25))
    run_machine(
        machine,
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
