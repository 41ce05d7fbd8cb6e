"""``registrations health`` and ``registrations check``: how connections to LMSs do."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, since, table
from lti_tool.services.health import ConnectionHealth, ServiceHealth
from lti_tool.store.health import Refusals


def show(call: Call) -> Answer:
    """What was seen of a registration; without one, which are unwell, and what nobody known was refused."""
    if call.arguments.registration is None:
        return _overview(call)
    health = call.tool.health.for_operator(call.arguments.registration)
    now = call.tool.clock()
    rows = list(_services(health))
    missing = [
        {"deployment": deployment.id_on_platform, "permission": one.name}
        for deployment in health.deployments
        for one in deployment.missing
    ]
    refused = [_refusal(one) for one in health.refusals]
    value = {
        "registration_id": health.registration_id,
        "name": health.name,
        "is_unwell": health.is_unwell,
        "skew_seconds": health.skew_seconds,
        "services": rows,
        "missing_permissions": missing,
        "refused": refused,
    }
    lines = [
        f"{health.name}: {'unwell' if health.is_unwell else 'well'}",
        f"clock: {'not compared yet' if health.skew_seconds is None else f'{health.skew_seconds:+} s'}",
        "",
        *table([_said(row, now) for row in rows], ("deployment", "service", "worked", "failures", "code")),
    ]
    if missing:
        lines += ["", "permissions missing:", *table(missing, ("deployment", "permission"))]
    lines += ["", "refused in the last 30 days:", *_refused(refused, now)]
    return Answer(value, lines, FAILED if health.is_unwell else DONE)


def _overview(call: Call) -> Answer:
    now = call.tool.clock()
    unwell = [
        {
            "registration_id": one.registration_id,
            "name": one.name,
            "services": [service.value for service in one.services],
            "missing_permissions": list(one.missing),
            "skew_seconds": one.skew_seconds,
        }
        for one in call.tool.health.unwell(None)
    ]
    nobody = [_refusal(one) for one in call.tool.health.of_nobody()]
    lines = ["unwell:" if unwell else "every connection that was used is well"]
    if unwell:
        columns = ("registration_id", "name", "services", "missing_permissions", "skew_seconds")
        lines += table(unwell, columns)
    lines += ["", "refused in the last 30 days, of no registration that is known:", *_refused(nobody, now)]
    return Answer({"unwell": unwell, "refused_of_nobody": nobody}, lines, FAILED if unwell else DONE)


def check(call: Call) -> Answer:
    """Try a connection now; writes nothing to the LMS, and fails where a step does."""
    report = call.tool.checking.check(call.arguments.registration)
    rows = [
        {
            "deployment": step.deployment,
            "step": step.service.value
            if step.wanted is None
            else f"{step.service.value} {step.wanted.value}",
            "outcome": "ok" if step.code is None else "failed",
            "code": step.code,
            "rows": step.rows,
        }
        for step in report.steps
    ]
    lines = table(rows, ("deployment", "step", "outcome", "code", "rows"))
    if report.unchecked:
        lines.append(f"{report.unchecked} further deployments were not tried")
    value = {"registration_id": report.registration_id, "steps": rows, "unchecked": report.unchecked}
    return Answer(value, lines, DONE if report.is_good else FAILED)


def _services(health: ConnectionHealth) -> Iterator[dict[str, Any]]:
    yield _service(None, health.key_set)
    for deployment in health.deployments:
        for one in deployment.services:
            yield _service(deployment.id_on_platform, one)


def _service(deployment: str | None, one: ServiceHealth) -> dict[str, Any]:
    seen = one.seen
    return {
        "deployment": deployment,
        "service": one.service.value,
        "worked": seen.succeeded_at,
        "failed": seen.failed_at,
        "failures": seen.failures,
        "code": seen.code if seen.is_failing else None,
        "detail": seen.detail if seen.is_failing else None,
    }


def _refusal(one: Refusals) -> dict[str, Any]:
    return {
        "code": one.code,
        "count": one.count,
        "first": one.first_at,
        "last": one.last_at,
        "deployment": one.deployment,
        "detail": one.detail,
    }


def _refused(rows: list[dict[str, Any]], now: datetime) -> list[str]:
    said = [{**row, "last": since(row["last"], now, "never")} for row in rows]
    return table(said, ("code", "count", "last", "deployment", "detail"))


def _said(row: dict[str, Any], now: datetime) -> dict[str, Any]:
    return {**row, "worked": since(row["worked"], now, "never")}
