"""Views of connections' health, in each of their states, as the service would give them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lti_tool.domain.certification import CASES
from lti_tool.domain.connection_health import Permission, Seen
from lti_tool.errors import ErrorCode
from lti_tool.lti.observing import Service
from lti_tool.lti.registration import SCOPES
from lti_tool.services.checking import CheckReport, Step
from lti_tool.services.health import (
    CaseEvidence,
    ConnectionHealth,
    DeploymentHealth,
    ServiceHealth,
    Unwell,
)
from lti_tool.store.health import Refusals
from tests.unit.web.sample_views import LONG_WORD, NOW

GOOD = Seen(succeeded_at=NOW - timedelta(minutes=3))
ONCE = Seen(NOW - timedelta(hours=2), NOW - timedelta(minutes=4), 1, "platform_timed_out", "too slow")
FAILING = Seen(
    NOW - timedelta(days=3),
    NOW - timedelta(minutes=4),
    41,
    "platform_refused",
    "registration 4711: moodle.example.edu answered 403",
)
USED = (Service.LAUNCH, Service.TOKEN, Service.ROSTER, Service.LINE_ITEMS, Service.RESULTS, Service.SCORES)


def _services(**seen: Seen) -> tuple[ServiceHealth, ...]:
    return tuple(ServiceHealth(service, seen.get(service.value, GOOD)) for service in USED)


def _permissions(*missing: str) -> tuple[Permission, ...]:
    return tuple(
        Permission(scope, scope.rsplit("/", 1)[-1] not in missing, by_token=None) for scope in SCOPES
    )


def deployment_health(**changes: Any) -> DeploymentHealth:
    """A deployment that works."""
    plain = DeploymentHealth(
        "deployment-1", "3", _services(), _permissions(), launched_at=NOW - timedelta(minutes=5)
    )
    return replace(plain, **changes)


def refusal(code: ErrorCode, count: int = 1, **changes: Any) -> Refusals:
    """Something that was refused."""
    plain = Refusals(
        "registration-1",
        code.value,
        count,
        NOW - timedelta(days=4),
        NOW - timedelta(minutes=20),
        "no kid in the header",
        None,
    )
    return replace(plain, **changes)


REFUSALS = (
    refusal(ErrorCode.LAUNCH_KEY_ID_MISSING, 3),
    refusal(ErrorCode.DEPLOYMENT_HELD, 12, detail="deployment 9 of registration 1", deployment=LONG_WORD),
    refusal(ErrorCode.LAUNCH_STATE_UNBOUND, 1204, detail="this browser holds nothing of that login"),
)


def _cases(*refusals: Refusals) -> tuple[CaseEvidence, ...]:
    by_code = {one.code: one for one in refusals}
    found = []
    for case in CASES:
        seen = [by_code[code.value] for code in case.codes if code.value in by_code]
        count = sum(one.count for one in seen)
        found.append(CaseEvidence(case, count, seen[0].last_at if seen else None))
    return tuple(
        replace(one, count=51, last_at=NOW - timedelta(hours=1)) if one.case.key == "normal" else one
        for one in found
    )


def connection(**changes: Any) -> ConnectionHealth:
    """A connection that works."""
    plain = ConnectionHealth(
        registration_id="registration-1",
        name="Moodle of Example University",
        product="moodle",
        key_set=ServiceHealth(Service.KEY_SET, replace(GOOD, facts={"keys": 2})),
        skew_seconds=0,
        deployments=(deployment_health(),),
        refusals=(),
        tells_refusals=True,
        cases=_cases(),
    )
    return replace(plain, **changes)


HEALTHS = {
    "well": connection(),
    "unwell": connection(
        key_set=ServiceHealth(Service.KEY_SET, replace(FAILING, succeeded_at=None)),
        skew_seconds=-47,
        deployments=(
            deployment_health(
                services=_services(roster=FAILING, results=ONCE, scores=Seen()),
                permissions=_permissions("score", "contextmembership.readonly"),
            ),
        ),
        refusals=REFUSALS,
        cases=_cases(*REFUSALS),
    ),
    "canvas": connection(
        product="canvas", deployments=(deployment_health(permissions=_permissions("lineitem")),)
    ),
    "shared": connection(product="canvas", tells_refusals=False),
    "new": connection(
        key_set=ServiceHealth(Service.KEY_SET, Seen()),
        skew_seconds=None,
        deployments=(
            deployment_health(
                services=_services(**dict.fromkeys((one.value for one in USED), Seen())),
                permissions=tuple(Permission(scope, None, None) for scope in SCOPES),
                launched_at=None,
            ),
        ),
    ),
}
UNWELL = (
    Unwell("registration-1", "Moodle of Example University", (Service.ROSTER,), ("score",), -47),
    Unwell("registration-2", LONG_WORD, (Service.KEY_SET,), (), None),
)
CHECKED = CheckReport(
    "registration-1",
    (
        Step(Service.KEY_SET, None, None, rows=2),
        Step(Service.TOKEN, Service.LINE_ITEMS, "3"),
        Step(Service.TOKEN, Service.SCORES, "3", ErrorCode.PLATFORM_SCOPE_MISSING),
        Step(Service.LINE_ITEMS, None, "3", rows=4),
        Step(Service.ROSTER, None, "3", ErrorCode.PLATFORM_TIMED_OUT),
    ),
    unchecked=2,
)


def sample_health(record: Callable[..., None]) -> SimpleNamespace:
    """The service, which gives the same views to everybody."""
    return SimpleNamespace(
        note_refusal=lambda refused: record("note_refusal", refused.code),
        note_launch=lambda *_: None,
        of_registration=lambda *_: HEALTHS["well"],
        of_deployment=lambda *_: (HEALTHS["well"], HEALTHS["well"].deployments[0]),
        unwell=lambda *_: (),
        missing_in=lambda *_: ("moodle", ()),
    )
