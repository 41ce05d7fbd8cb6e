"""Two institutions of one Canvas cloud behind one registration: each is read with its own tokens, into its
own rows, and what one of them signs or lists leads nowhere into the other."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import responses
from sqlalchemy import select, update

from lti_tool.domain.freshness import PROMISED, Activity
from lti_tool.errors import ErrorCode
from lti_tool.lti.connector import REST
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.syncing import Syncing
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.integration.gradebook import Clock, Hints, Issued
from tests.unit.lti.lms import Lms, lms

PAGE = 100
RATE = 60


@dataclass
class Institution:
    """A Canvas of its own name: it takes no token that it did not give."""

    host: str
    course: factories.Course
    placed: factories.Placed
    scores: dict[str, float]
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and bearer token of each call."""
    next_roster: str | None = None
    members: int = 0
    """Of a roster in pages of a hundred; 0: who has a score."""
    is_too_busy: bool = False

    @property
    def token(self) -> str:
        return f"token-of-{self.host}"

    def answer(self, request: Any) -> tuple[int, dict[str, str], str]:
        path = urlsplit(request.url).path
        if path == "/login/oauth2/token":
            return 200, {}, json.dumps({"access_token": self.token, "expires_in": 3600})
        self.asked.append((path, request.headers["Authorization"].removeprefix("Bearer ")))
        if self.asked[-1][1] != self.token:
            return 401, {}, "{}"
        if self.is_too_busy:
            return 429, {}, ""
        if path.endswith("/results"):
            listed = [
                {"userId": sub, "resultScore": score, "resultMaximum": 100}
                for sub, score in self.scores.items()
            ]
            return 200, {}, json.dumps(listed)
        if self.members:
            return self._page(request.url)
        headers = {"Link": f'<{self.next_roster}>; rel="next"'} if self.next_roster else {}
        members = [
            {"user_id": sub, "roles": ["Learner"], "name": f"{sub} of {self.host}"} for sub in self.scores
        ]
        return 200, headers, json.dumps({"members": members})

    def _page(self, url: str) -> tuple[int, dict[str, str], str]:
        base, _, query = url.partition("?page=")
        page = int(query or 0)
        following = (page + 1) * PAGE
        headers = {"Link": f'<{base}?page={page + 1}>; rel="next"'} if following < self.members else {}
        members = [{"user_id": str(sub), "roles": ["Learner"]} for sub in range(page * PAGE, following)]
        return 200, headers, json.dumps({"members": members})


@dataclass
class Cloud:
    """Both, with the tool between them."""

    database: Database
    network: Lms
    clock: Clock
    syncing: Syncing
    north: Institution
    south: Institution

    def sync(self, institution: Institution) -> Any:
        course = institution.course
        run = self.syncing.start_sync(course.organisation_id, course.context_id)
        self.syncing.sync_context(course.context_id, run.id)
        return self.syncing.run(course.organisation_id, run.id)

    def people(self, institution: Institution) -> dict[str, str | None]:
        with self.database.read() as session:
            found = session.execute(
                select(tables.Learner.sub, tables.Learner.name).where(
                    tables.Learner.organisation_id == institution.course.organisation_id
                )
            )
            return {row.sub: row.name for row in found}

    def awards(self, institution: Institution) -> set[str]:
        with self.database.read() as session:
            return set(
                session.scalars(
                    select(tables.Learner.sub)
                    .join(tables.Award, tables.Award.learner_id == tables.Learner.id)
                    .where(tables.Award.organisation_id == institution.course.organisation_id)
                )
            )


def _deployed(database: Database, host: str, beside: factories.Course | None) -> factories.Course:
    """A course of the institution at ``host``, on the registration of ``beside``."""
    course = factories.course(
        database,
        memberships_url=f"https://{host}/api/lti/courses/1/names_and_roles",
        line_items_url=f"https://{host}/api/lti/courses/1/line_items",
    )
    registration_id = course.registration_id if beside is None else beside.registration_id
    with database.write() as session:
        session.execute(
            update(tables.Deployment)
            .where(tables.Deployment.id == course.deployment_id)
            .values(
                registration_id=registration_id,
                id_on_platform=f"1:{host}",
                service_hosts=[host],
                token_url=None if beside is None else f"https://{host}/login/oauth2/token",
            )
        )
        session.execute(
            update(tables.Context)
            .where(tables.Context.id == course.context_id)
            .values(registration_id=registration_id, id_on_platform="1")
        )
        if beside is None:
            session.execute(
                update(tables.Registration)
                .where(tables.Registration.id == registration_id)
                .values(
                    product="canvas",
                    issuer="https://canvas.instructure.com",
                    auth_url="https://sso.canvaslms.com/api/lti/authorize_redirect",
                    token_url=f"https://{host}/login/oauth2/token",
                    default_organisation_id=course.organisation_id,
                )
            )
    return replace(course, registration_id=registration_id, platform_issuer=f"https://{host}")


@pytest.fixture
def cloud(database: Database) -> Iterator[Cloud]:
    first = _deployed(database, "north.instructure.com", None)
    second = _deployed(database, "south.instructure.com", first)
    clock = Clock()
    budgets = CallBudgets(database, clock, RATE)
    with lms(budget=budgets) as network:
        made = []
        for course, scores in ((first, {"5": 90.0, "6": 10.0}), (second, {"5": 10.0, "7": 95.0})):
            host = urlsplit(course.platform_issuer).netloc
            one = Institution(host, course, factories.placed(database, course), scores)
            for method in (responses.GET, responses.POST):
                network.mock.add_callback(method, re.compile(rf"https://{host}/.*"), one.answer)
            made.append(one)
        syncing = Syncing(
            database,
            network.connector,
            clock,
            Hints(),
            Awarding(database, clock),
            Issued(),
            budgets,
        )
        yield Cloud(database, network, clock, syncing, *made)


def test_each_is_read_with_its_own_token_into_its_own_rows(cloud: Cloud) -> None:
    for institution in (cloud.north, cloud.south, cloud.north):
        assert cloud.sync(institution).status == "done"
    for institution in (cloud.north, cloud.south):
        assert {token for _, token in institution.asked} == {institution.token}
    assert cloud.people(cloud.north) == {
        "5": "5 of north.instructure.com",
        "6": "6 of north.instructure.com",
    }
    assert cloud.people(cloud.south) == {
        "5": "5 of south.instructure.com",
        "7": "7 of south.instructure.com",
    }
    assert cloud.awards(cloud.north) == {"5"}
    assert cloud.awards(cloud.south) == {"7"}


def test_an_institution_without_an_address_of_its_own_is_not_read_with_the_others_token(
    cloud: Cloud,
) -> None:
    with cloud.database.write() as session:
        session.execute(
            update(tables.Deployment)
            .where(tables.Deployment.id == cloud.south.course.deployment_id)
            .values(token_url=None)
        )
    run = cloud.sync(cloud.south)
    assert (run.status, run.error_code) == ("failed", ErrorCode.PLATFORM_TOKEN_URL_MISSING)
    assert cloud.south.asked == []
    assert cloud.north.asked == []
    assert cloud.network.calls("oauth2") == []


def test_a_roster_that_leads_to_the_other_institution_ends_there(cloud: Cloud) -> None:
    cloud.sync(cloud.north)
    cloud.north.asked.clear()
    cloud.south.next_roster = "https://north.instructure.com/api/lti/courses/1/names_and_roles"
    run = cloud.sync(cloud.south)
    assert run.error_code == ErrorCode.PLATFORM_HOST_FOREIGN
    assert cloud.north.asked == []
    assert cloud.people(cloud.south).keys() == {"5", "7"}


def test_a_launch_that_names_the_others_services_reads_nothing_of_it(cloud: Cloud) -> None:
    """South signs launches whose service URLs are North's: its own token is refused there."""
    with cloud.database.write() as session:
        session.execute(
            update(tables.Deployment)
            .where(tables.Deployment.id == cloud.south.course.deployment_id)
            .values(service_hosts=["north.instructure.com"])
        )
        session.execute(
            update(tables.Context)
            .where(tables.Context.id == cloud.south.course.context_id)
            .values(memberships_url="https://north.instructure.com/api/lti/courses/1/names_and_roles")
        )
        session.execute(
            update(tables.LineItem)
            .where(tables.LineItem.context_id == cloud.south.course.context_id)
            .values(id_on_platform=cloud.north.placed.line_item_url)
        )
    run = cloud.sync(cloud.south)
    assert run.status == "failed"
    assert {token for _, token in cloud.north.asked} == {cloud.south.token}
    assert cloud.people(cloud.south) == {}
    assert cloud.awards(cloud.south) == set()


@pytest.mark.parametrize("is_first_huge", [True, False])
def test_the_attack_of_a_huge_roster_and_a_storm_leaves_the_others_promise_alone(
    cloud: Cloud, is_first_huge: bool
) -> None:
    """Twenty thousand members in two hundred pages, of which the platform's rate bears sixty a minute; then
    nothing but 429. The other institution is in use, and read within its two minutes all the while."""
    pair = (cloud.north, cloud.south)
    huge, small = pair if is_first_huge else pair[::-1]
    huge.members = 20_000
    begin_at = cloud.clock.now
    with cloud.database.write() as session:
        session.execute(
            update(tables.Context).values(
                last_launched_at=begin_at, roster_read_at=begin_at, sync_due_at=begin_at
            )
        )
    for seconds in range(0, 12 * 60, 20):
        cloud.clock.now = begin_at + timedelta(seconds=seconds)
        if seconds == 2 * 60:
            assert len(huge.asked) == 201, "read to its end, with the column, and paid off before the next"
            huge.asked.clear()
            huge.is_too_busy = True
        for due in cloud.syncing.contexts_due(cloud.clock.now, 500):
            cloud.syncing.sync_context(due.context_id)
        with cloud.database.read() as session:
            context = session.get_one(tables.Context, small.course.context_id)
            assert context.roster_read_at is not None
            assert cloud.clock.now - context.roster_read_at <= PROMISED[Activity.ACTIVE]
            assert context.roster_trouble is None
    assert 1 <= len(huge.asked) <= 10 * 60 / REST + 2, "left alone, and tried again"
    assert cloud.people(small).keys() == small.scores.keys()
    assert cloud.awards(small)
