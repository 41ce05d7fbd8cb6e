"""Launches: login and id_token, eight browsers at once, each launch a new browser."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from urllib.parse import parse_qs, urlencode, urlsplit

import sqlalchemy as sa

from lti_tool.bootstrap import Tool, build_tool, make_keys
from lti_tool.settings import load_settings
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.bench.measuring import Figure, Stopwatch, at_least, at_most, figure
from tests.bench.schools import Grounds, Place
from tests.bench.serving import Server, documents, free_port, load, served
from tests.factories import Course
from tests.unit.lti.tokens import LEARNER, LTI, jwk, rsa_key, sign

COUNT, ROUNDS, CONCURRENCY = 300, 3, 8
LEARNERS = 150
CLIENT = "client-of-the-bench"
BADGE_LINK_KEY = "0123456789abcdef"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True)
class Way:
    """One application that takes launches, and how much CPU it has used with everything it stands on."""

    server: Server
    stopwatch: Stopwatch
    place: Place | None = None
    """Of the tool: its database."""


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``launch…`` on each database, beside the ceiling without one and PyLTI1p3."""
    key = rsa_key("bench")
    jwks = {"keys": [jwk(key, "key-1")]}
    with ExitStack() as stack:
        issuer = stack.enter_context(documents({"/certs": jwks}))
        environment = {"BENCH_JWKS": json.dumps(jwks), "BENCH_ISSUER": issuer, "BENCH_CLIENT": CLIENT}
        folder = grounds.folder
        ways: dict[str, Way] = {}
        for name in ("bare_launch", "pylti1p3_launch"):
            server = stack.enter_context(served(f"tests.bench.reference_apps:{name}", environment, folder))
            ways[name] = Way(server, server.cpu)
        for kind in grounds.kinds:
            ways[kind] = _tool(stack, grounds, kind, issuer)
        measured: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(ROUNDS + 1):
            for name, way in ways.items():
                taken = _launch(way, issuer, key, COUNT if number else LEARNERS)
                if number:
                    measured[name].append(taken)
                elif way.place is not None:
                    # The first round was for caches, and made the course and every learner known.
                    _place_badge(way.place.database)
        rates = {name: statistics.median(rate for rate, _ in taken) for name, taken in measured.items()}
        cpu = {name: statistics.median(ms for _, ms in taken) for name, taken in measured.items()}
    for kind in grounds.kinds:
        name = "launch" if kind == "sqlite" else f"launch_{kind}"
        yield figure(
            f"{name}_rate", rates[kind], "launches/s", "bare Flask + verify, no database",
            rates["bare_launch"], at_least(0.6),
        )  # fmt: skip
        yield figure(
            f"{name}_cpu", cpu[kind], "CPU ms/launch", "PyLTI1p3 2.0.0, cookie session",
            cpu["pylti1p3_launch"], at_most(1.0),
        )  # fmt: skip
        yield figure(
            f"{name}_cpu_of_ceiling", cpu[kind], "CPU ms/launch", "bare Flask + verify, no database",
            cpu["bare_launch"], at_most(1 / 0.6),
        )  # fmt: skip


def _tool(stack: ExitStack, grounds: Grounds, kind: str, issuer: str) -> Way:
    """The tool as it is served, with a course, its placement, and a platform that answers nothing else."""
    place = stack.enter_context(grounds.place(kind))
    port = free_port()
    base_url = f"http://127.0.0.1:{port}"
    data_dir = grounds.folder / f"data-{port}"
    environment = {
        "LTI_TOOL_ENV": "development",
        "LTI_TOOL_BASE_URL": base_url,
        "LTI_TOOL_DATABASE_URL": place.url,
        "LTI_TOOL_DATA_DIR": str(data_dir),
        "LTI_TOOL_LOG_LEVEL": "warning",
    }
    tool = build_tool(load_settings(environment))
    make_keys(tool.keyring)
    register(tool, issuer)
    tool.close()
    server = stack.enter_context(served("lti_tool.app:create_app", environment, grounds.folder, port=port))
    stack.callback(shutil.rmtree, data_dir, ignore_errors=True)
    if kind == "sqlite":
        return Way(server, server.cpu, place)
    # place.stopwatch counts this process and the backends; only the backends belong to the tool
    return Way(server, lambda: server.cpu() + place.stopwatch() - time.process_time(), place)


def _place_badge(database: Database) -> None:
    """Put a micromodule behind the link that is launched; its column is not created in the LMS yet, so that
    a launch reads nothing from there.
    """
    with database.read() as session:
        found = session.scalars(sa.select(tables.Context)).one()
        issuer_id = session.scalars(sa.select(tables.Issuer.id)).one()
    course = Course(
        found.organisation_id, issuer_id, found.registration_id, found.deployment_id, found.id, "https://lms"
    )
    placed = factories.placed(database, course)
    with database.write() as session:
        session.execute(sa.update(tables.LineItem).values(id_on_platform=None))
        session.execute(
            sa.update(tables.Placement)
            .where(tables.Placement.id == placed.placement_id)
            .values(badge_link_key=BADGE_LINK_KEY)
        )


def register(tool: Tool, issuer: str) -> None:
    """Connect the platform at ``issuer``."""
    tool.registrations.add(
        name="LMS",
        issuer=issuer,
        client_id=CLIENT,
        auth_url=f"{issuer}/auth",
        token_url=f"{issuer}/token",
        jwks_url=f"{issuer}/certs",
        product="moodle",
        deployments=["1"],
        organisation="Bench",
        approve=True,
    )


def _launch(way: Way, issuer: str, key: object, count: int) -> tuple[float, float]:
    """Launches per second and CPU milliseconds per launch.

    All logins first, then the tokens are signed with the clock stopped, then all launches: the platform's
    work is not the tool's.
    """
    target = f"http://127.0.0.1:{way.server.port}/lti/launch"
    begun: list[tuple[dict[str, str], str]] = [({}, "")] * count
    tokens = [""] * count

    def login(connection: http.client.HTTPConnection, number: int) -> None:
        form = {
            "iss": issuer,
            "login_hint": str(number % LEARNERS),
            "target_link_uri": target,
            "client_id": CLIENT,
            "lti_message_hint": '{"cmid":6,"launchid":"ltilaunch1_155"}',
            "lti_deployment_id": "1",
        }
        connection.request("POST", "/lti/login", urlencode(form), FORM)
        answer = connection.getresponse()
        body = answer.read()
        location = answer.getheader("Location") or ""
        if answer.status != 302:
            raise RuntimeError(f"login answered {answer.status}: {body[:500]!r}")
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        cookies = [
            value.partition(";")[0] for name, value in answer.getheaders() if name.lower() == "set-cookie"
        ]
        begun[number] = (query, "; ".join(cookies))

    def launch(connection: http.client.HTTPConnection, number: int) -> None:
        query, cookie = begun[number]
        form = urlencode({"id_token": tokens[number], "state": query["state"]})
        connection.request("POST", "/lti/launch", form, {**FORM, "Cookie": cookie})
        answer = connection.getresponse()
        body = answer.read()
        if answer.status not in (200, 302, 303):
            raise RuntimeError(f"launch answered {answer.status}: {body[:1500]!r}")

    used = way.stopwatch()
    first = load(way.server, login, count=count, concurrency=CONCURRENCY)
    for number, (query, _) in enumerate(begun):
        header = {"typ": "JWT", "alg": "RS256", "kid": "key-1"}
        tokens[number] = sign(key, header, _claims(issuer, target, query["nonce"], number % LEARNERS))  # type: ignore[arg-type]
    second = load(way.server, launch, count=count, concurrency=CONCURRENCY)
    return 1 / (1 / first.per_second + 1 / second.per_second), (way.stopwatch() - used) / count * 1000


def _claims(issuer: str, target: str, nonce: str, learner: int) -> Mapping[str, object]:
    """What Moodle sends at a learner's launch, 2 to 3 kB as a token."""
    now = int(time.time())
    services = f"{issuer}/mod/lti/services.php"
    return {
        "iss": issuer,
        "aud": CLIENT,
        "sub": str(learner),
        "iat": now,
        "exp": now + 60,
        "nonce": nonce,
        "name": f"Learner {learner}",
        "given_name": "Learner",
        "family_name": str(learner),
        "email": f"learner{learner}@school.example",
        LTI + "version": "1.3.0",
        LTI + "message_type": "LtiResourceLinkRequest",
        LTI + "deployment_id": "1",
        LTI + "target_link_uri": target,
        LTI + "resource_link": {"id": "1", "title": "Badge: Data Basics"},
        LTI + "roles": [LEARNER],
        LTI + "context": {"id": "2", "label": "MM1", "title": "Open Data", "type": ["CourseSection"]},
        LTI + "custom": {"badge_link_key": BADGE_LINK_KEY, "locale": "en"},
        LTI + "launch_presentation": {
            "locale": "en",
            "document_target": "iframe",
            "return_url": f"{issuer}/mod/lti/return.php?course=2&launch_container=3&instanceid=1",
        },
        LTI + "tool_platform": {
            "product_family_code": "moodle",
            "version": "2024042200",
            "guid": "0123456789abcdef0123456789abcdef",
            "name": "Campus",
            "url": issuer,
        },
        "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint": {
            "scope": [
                "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem",
                "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
                "https://purl.imsglobal.org/spec/lti-ags/scope/score",
            ],
            "lineitems": f"{services}/2/lineitems?type_id=1",
        },
        "https://purl.imsglobal.org/spec/lti-nrps/claim/namesroleservice": {
            "context_memberships_url": f"{services}/CourseSection/2/bindings/1/memberships",
            "service_versions": ["1.0", "2.0"],
        },
    }
