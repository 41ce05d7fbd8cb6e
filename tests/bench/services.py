"""Rosters and results: reading them, and keeping them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

import sqlalchemy as sa
from pylti1p3.assignments_grades import AssignmentsGradesService
from pylti1p3.names_roles import NamesRolesProvisioningService
from pylti1p3.registration import Registration
from pylti1p3.service_connector import ServiceConnector

from lti_tool.bootstrap import Tool, build_tool, make_keys
from lti_tool.lti.access import ServiceAccess
from lti_tool.lti.grades import read_results
from lti_tool.lti.memberships import roster_pages
from lti_tool.services.awarding import AwardingReport
from lti_tool.settings import load_settings
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.bench.measuring import (
    Figure,
    at_least,
    at_most,
    current_memory,
    figure,
    forget_peak,
    interleave,
    no_more_than,
    peak_memory,
)
from tests.bench.schools import Grounds, Place
from tests.bench.serving import served
from tests.bench.streams import stream_and_copy
from tests.factories import NOW, Course

SIZES = (1_000, 2_000, 20_000)
CONTEXTS = 20
WORKER_THREADS = 8
ORM_SAMPLE = 300
RESULT_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"


class _WithToken(ServiceConnector):
    """PyLTI1p3's connector with a token at hand: only reading is compared."""

    def get_access_token(self, scopes: Any) -> str:
        return "t"


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``roster_…`` and ``results_…``."""
    with ExitStack() as stack:
        environment = {"BENCH_SIZES": " ".join(map(str, SIZES))}
        server = stack.enter_context(
            served("tests.bench.reference_apps:platform", environment, grounds.folder, threads=16)
        )
        origin = f"http://127.0.0.1:{server.port}"
        for kind in grounds.kinds:
            place = stack.enter_context(grounds.place(kind))
            tool = _tool(grounds, place)
            stack.callback(tool.close)
            if kind == "sqlite":
                for size in SIZES[1:]:
                    yield from _reading(tool, origin, size)
            ending = "" if kind == "sqlite" else f"_{kind}"
            yield from _keeping(tool, place, origin, ending)
            yield from _side_by_side(tool, place, origin, ending)


def _tool(grounds: Grounds, place: Place) -> Tool:
    tool = build_tool(
        load_settings(
            {
                "LTI_TOOL_ENV": "development",
                "LTI_TOOL_BASE_URL": "http://localhost:8000",
                "LTI_TOOL_DATABASE_URL": place.url,
                "LTI_TOOL_DATA_DIR": str(grounds.folder / f"services-{place.kind}"),
                # What a platform bears is not what is measured.
                "LTI_TOOL_CALLS_PER_MINUTE": "100000",
            }
        )
    )
    make_keys(tool.keyring)
    return tool


def _reading(tool: Tool, origin: str, size: int) -> Iterator[Figure]:
    registration = tool.registrations.add(
        name=f"LMS {size}",
        issuer=origin,
        client_id=f"client-{size}",
        auth_url=f"{origin}/auth",
        token_url=f"{origin}/token",
        jwks_url=f"{origin}/certs",
        product="other",
        deployments=["1"],
        organisation="Bench",
        approve=True,
    )
    (deployment,) = tool.registrations.show(registration.id).deployments
    access = ServiceAccess(registration, deployment, frozenset({RESULT_SCOPE}))
    members_url, column_url = f"{origin}/members/{size}", f"{origin}/column/{size}"
    theirs = _WithToken(Registration())
    names = NamesRolesProvisioningService(theirs, {"context_memberships_url": members_url})
    grades = AssignmentsGradesService(theirs, {"scope": [RESULT_SCOPE], "lineitem": column_url})

    def roster() -> None:
        read = roster_pages(tool.connector, access, members_url)
        assert len([member for page in read for member in page]) == size
        assert read.is_complete

    def results() -> None:
        read = read_results(tool.connector, access, column_url)
        assert len(read.rows) == size
        assert read.complete

    rounds = 3
    taken = interleave({"ours": roster, "theirs": lambda: names.get_members()}, rounds)
    yield figure(
        f"roster_{size}", taken["ours"] * 1000, "CPU ms", "PyLTI1p3 get_members, pages of 100",
        taken["theirs"] * 1000, at_most(0.8),
    )  # fmt: skip
    taken = interleave({"ours": results, "theirs": lambda: grades.get_grades()}, rounds)
    yield figure(
        f"results_{size}", taken["ours"] * 1000, "CPU ms", "PyLTI1p3 get_grades (plain dicts), one answer",
        taken["theirs"] * 1000, at_most(2),
    )  # fmt: skip


def _side_by_side(tool: Tool, place: Place, origin: str, ending: str) -> Iterator[Figure]:
    """Twenty whole syncs at once, as the worker's threads do them, where a page takes the platform 50 ms; by
    the clock on the wall, since waiting is what is shortened.
    """
    size = SIZES[0]
    syncing = replace(tool.syncing, awarding=_NoAwarding())
    courses = [
        _course(place.database, origin, size, members_url=f"{origin}/courses/{number}/members/{size}")
        for number in range(1, CONTEXTS + 1)
    ]
    theirs = _WithToken(Registration())

    def ours() -> None:
        runs = [syncing.start_sync(one.organisation_id, one.context_id) for one in courses]
        with ThreadPoolExecutor(WORKER_THREADS) as pool:
            list(pool.map(lambda n: syncing.sync_context(courses[n].context_id, runs[n].id), range(CONTEXTS)))
        for one, run in zip(courses, runs, strict=True):
            kept = syncing.run(one.organisation_id, run.id)
            assert kept.error_code is None, kept.error_code

    def one_after_the_other() -> None:
        for number in range(1, CONTEXTS + 1):
            url = f"{origin}/courses/{number}/members/{size}"
            names = NamesRolesProvisioningService(theirs, {"context_memberships_url": url})
            assert len(names.get_members()) == size

    taken = interleave({"ours": ours, "theirs": one_after_the_other}, 2, stopwatch=time.perf_counter)
    yield figure(
        f"roster_{CONTEXTS}_contexts{ending}", 1 / taken["ours"], "x 20 contexts/s",
        "PyLTI1p3 get_members one after the other, not stored", 1 / taken["theirs"], at_least(6),
    )  # fmt: skip


class _NoAwarding:
    """Decisions have figures of their own."""

    def decide_context(self, organisation_id: str, context_id: str) -> AwardingReport:
        """Nothing."""
        return AwardingReport()

    def decide_learner(self, organisation_id: str, context_id: str, learner_id: str) -> AwardingReport:
        """Nothing."""
        return AwardingReport()


def _keeping(tool: Tool, place: Place, origin: str, ending: str) -> Iterator[Figure]:
    size = SIZES[-1]
    course = _course(place.database, origin, size)
    syncing = replace(tool.syncing, awarding=_NoAwarding())

    def sync() -> None:
        run = syncing.start_sync(course.organisation_id, course.context_id)
        syncing.sync_context(course.context_id, run.id)
        kept = syncing.run(course.organisation_id, run.id)
        assert kept.error_code is None, kept.error_code

    forget_peak()
    before = current_memory()
    first = interleave({"ours": sync}, 1, stopwatch=place.stopwatch)["ours"]
    grown = peak_memory() - before
    with place.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(tables.Result)) == size
    other = _course(place.database, origin, size)
    loop = interleave({"orm": partial(_by_orm, place.database, other)}, 1, stopwatch=place.stopwatch)["orm"]
    yield figure(
        f"roster_results_stored_{size}{ending}", size / first, "learners/CPU s",
        f"ORM get-or-create per learner ({ORM_SAMPLE} learners), without reading them",
        ORM_SAMPLE / loop, at_least(30),
    )  # fmt: skip
    if place.kind == "postgresql":
        copied = _course(place.database, origin, size)
        by_copy = partial(
            stream_and_copy,
            place.database,
            copied,
            _column_of(place.database, copied),
            f"{origin}/members/{size}",
            f"{origin}/column/{size}/results",
        )
        stream = interleave({"copy": by_copy}, 1, stopwatch=place.stopwatch)["copy"]
        yield figure(
            f"roster_results_stored_{size}{ending}_vs_copy", first, "CPU s",
            "pages streamed into COPY and an upsert of each kind, nothing checked", stream, at_most(2),
        )  # fmt: skip
    again = interleave({"ours": sync}, 1, stopwatch=place.stopwatch)["ours"]
    yield figure(
        f"roster_results_unchanged_{size}{ending}", again, "CPU s", "the same sync, when all was new",
        first, at_most(1),
    )  # fmt: skip
    yield figure(
        f"roster_results_memory_{size}{ending}", grown, "MB more", "before the sync", before, no_more_than(40)
    )


def _course(database: Database, origin: str, size: int, *, members_url: str | None = None) -> Course:
    """A course whose roster and column the platform at ``origin`` serves."""
    course = factories.course(database, memberships_url=members_url or f"{origin}/members/{size}")
    placed = factories.placed(database, course)
    with database.write() as session:
        session.execute(
            sa.update(tables.Registration)
            .where(tables.Registration.id == course.registration_id)
            .values(token_url=f"{origin}/token", product="other")
        )
        session.execute(
            sa.update(tables.Deployment)
            .where(tables.Deployment.id == course.deployment_id)
            .values(service_hosts=["127.0.0.1"])
        )
        session.execute(
            sa.update(tables.LineItem)
            .where(tables.LineItem.id == placed.line_item_id)
            .values(id_on_platform=f"{origin}/column/{size}")
        )
    return course


def _column_of(database: Database, course: Course) -> str:
    with database.read() as session:
        return session.scalars(
            sa.select(tables.LineItem.id).where(tables.LineItem.context_id == course.context_id)
        ).one()


def _by_orm(database: Database, course: Course) -> None:
    """Look each learner, membership and result up, and make it if it is not there; one transaction each."""
    line_item_id = _column_of(database, course)
    for number in range(ORM_SAMPLE):
        with database.write() as session:
            learner = session.scalars(
                sa.select(tables.Learner).filter_by(
                    organisation_id=course.organisation_id,
                    registration_id=course.registration_id,
                    sub=str(number),
                )
            ).one_or_none()
            if learner is None:
                learner = tables.Learner(
                    organisation_id=course.organisation_id,
                    registration_id=course.registration_id,
                    sub=str(number),
                    name=f"Learner {number}",
                    email=f"learner{number}@school.example",
                    created_at=NOW,
                )
                session.add(learner)
                session.flush()
            keys = {"context_id": course.context_id, "learner_id": learner.id}
            if session.scalars(sa.select(tables.Membership).filter_by(**keys)).one_or_none() is None:
                session.add(
                    tables.Membership(
                        organisation_id=course.organisation_id, is_learner=True, seen_at=NOW, **keys
                    )
                )
            keys = {"line_item_id": line_item_id, "learner_id": learner.id}
            if session.scalars(sa.select(tables.Result).filter_by(**keys)).one_or_none() is None:
                session.add(
                    tables.Result(
                        organisation_id=course.organisation_id,
                        score=Decimal(80),
                        maximum=Decimal(100),
                        graded_at=NOW,
                        read_at=NOW,
                        **keys,
                    )
                )
