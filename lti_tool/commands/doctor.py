"""``doctor``: what works, what does not, and how to mend it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime

from lti_tool.bootstrap import Tool, ask_for_key_set
from lti_tool.commands import DONE, FAILED, NEXT_STEPS, Answer, Call, since
from lti_tool.domain.registrations import DeploymentStatus, RegistrationView
from lti_tool.errors import ConfigurationInvalid, OutboundRefused, PlatformFailed
from lti_tool.keyring import LTI
from lti_tool.lti.access import host_of
from lti_tool.lti.key_sets import read_key_set
from lti_tool.platforms import SHARED_BY_INSTITUTIONS, platform_for
from lti_tool.services.registration import has_token_url

CLOCK_WARN_SECONDS, CLOCK_FAIL_SECONDS = 10, 60
"""Moodle's id_tokens live 60 seconds: a clock that is further off refuses every launch."""

LATE_SECONDS = 300
"""A course that is owed its read for longer is not only waiting for the next pass."""

LEAST_FREE_BYTES = 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """One checked thing.

    :ivar state: ``ok``, ``warn`` or ``fail``.
    :ivar mend: what to do about it; empty where there is nothing to do.
    """

    part: str
    state: str
    text: str
    mend: str = ""


def doctor(call: Call) -> Answer:
    """Check this installation; fails where something must be mended."""
    findings: list[Finding] = []
    for check in CHECKS:
        call.progress.say(f"checking{check.__name__.replace('_', ' ')}")
        findings += check(call.tool)
    call.progress.clear()
    is_well = all(finding.state != "fail" for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:4}  {finding.part}: {finding.text}")
        if finding.mend:
            lines.append(f"      -> {finding.mend}")
    value = [
        {"part": each.part, "state": each.state, "text": each.text, "mend": each.mend} for each in findings
    ]
    return Answer(value, lines, DONE if is_well else FAILED)


def _settings(tool: Tool) -> Iterator[Finding]:
    settings = tool.settings
    yield Finding("settings", "ok", f"{settings.env}, reached as {settings.base_url}")
    if settings.is_development:
        yield Finding(
            "settings",
            "warn",
            "development settings: plain http and loopback addresses are allowed",
            "set LTI_TOOL_ENV=production for anything that others can reach",
        )
    if tool.database.dialect == "postgresql" and settings.queue_url.startswith("sqlite"):
        yield Finding(
            "settings",
            "warn",
            "the queue is a file on this machine, while the database can be shared",
            "set LTI_TOOL_QUEUE_URL to PostgreSQL or Redis before adding machines",
        )


def _database(tool: Tool) -> Iterator[Finding]:
    try:
        tool.database.require_migrated()
    except ConfigurationInvalid as error:
        yield Finding("database", "fail", error.detail, "lti-tool db upgrade")
        return
    problems = tool.database.check()
    if problems:
        yield Finding(
            "database",
            "fail",
            f"{len(problems)} differences from what the code expects; the first: {problems[0]}",
            "restore the tables from a backup, or ask for help with the output of: lti-tool db check",
        )
        return
    yield Finding("database", "ok", f"{tool.database.dialect}, reachable and migrated")


def _queue(tool: Tool) -> Iterator[Finding]:
    try:
        waiting = tool.queue.length()
    except ConfigurationInvalid as error:
        yield Finding("queue", "fail", error.detail, "check LTI_TOOL_QUEUE_URL and that its server runs")
        return
    if waiting > 400:
        yield Finding("queue", "warn", f"{waiting} tasks wait", "see that a worker runs: lti-tool worker")
    else:
        yield Finding("queue", "ok", f"{tool.settings.queue_url.partition(':')[0]}, {waiting} tasks wait")


def _keys(tool: Tool) -> Iterator[Finding]:
    try:
        signer = tool.keyring.signer(LTI)
        keys = tool.keyring.list()
    except ConfigurationInvalid as error:
        yield Finding("keys", "fail", error.detail, NEXT_STEPS.get(error.code, ""))
        return
    yield Finding("keys", "ok", f"{len(keys)} readable by this user only; LMSs know {signer.kid}")
    open_ones = sum(not key.is_encrypted for key in keys)
    if open_ones and tool.settings.read_keys_passphrase() is not None:
        yield Finding("keys", "warn", f"{open_ones} are not encrypted yet", "lti-tool keys encrypt")


def _disk(tool: Tool) -> Iterator[Finding]:
    free = shutil.disk_usage(tool.settings.data_dir).free
    text = f"{free // (1024 * 1024)} MB free in the data folder"
    if free < LEAST_FREE_BYTES:
        yield Finding("disk", "fail", text, "make room: a full disk stops SQLite and the queue")
    else:
        yield Finding("disk", "ok", text)


def _outbound(tool: Tool) -> Iterator[Finding]:
    settings = tool.settings
    allowed = ", ".join([*settings.outbound_allow, *(["this machine"] if settings.is_development else [])])
    yield Finding(
        "outbound",
        "ok",
        f"https to public addresses{', and for platforms also to ' + allowed if allowed else ' only'}",
    )


def _registrations(tool: Tool) -> Iterator[Finding]:
    try:
        tool.database.require_migrated()
    except ConfigurationInvalid:
        return
    registrations = tool.registrations.list()
    if not registrations:
        yield Finding(
            "registrations",
            "warn",
            "no LMS is connected",
            f"open {tool.settings.base_url}/lti/connect, then: lti-tool registrations add",
        )
    for registration in registrations:
        yield from _registration(tool, registration)


def _staff(tool: Tool) -> Iterator[Finding]:
    """Organisations that nobody can look after but the operator."""
    try:
        tool.database.require_migrated()
    except ConfigurationInvalid:
        return
    for organisation_id, name in tool.staffing.organisations_without_owner():
        yield Finding(
            f"staff of {name}",
            "warn",
            "nobody can sign in as an owner",
            f"lti-tool staff invite {organisation_id} --role owner",
        )


def _registration(tool: Tool, registration: RegistrationView) -> Iterator[Finding]:
    part = f"registration {registration.name}"
    if not registration.is_approved:
        yield Finding(
            part, "warn", f"{registration.status.value}", f"lti-tool registrations approve {registration.id}"
        )
        return
    original = platform_for(registration.product).copied_issuer(registration.issuer)
    if original is not None:
        yield Finding(
            part,
            "warn",
            f"it is a copy of {original}: its launches are refused, and nothing is awarded in it",
            "remove the registration, and connect the original",
        )
    for deployment in tool.registrations.show(registration.id).deployments:
        approve = f"lti-tool deployments approve {registration.id} {deployment.id_on_platform}"
        if deployment.status is DeploymentStatus.HELD:
            if registration.product in SHARED_BY_INSTITUTIONS:
                approve += " --organisation ITS-OWN"
            yield Finding(part, "warn", f"deployment {deployment.id_on_platform} waits for approval", approve)
        elif deployment.status is DeploymentStatus.APPROVED and not has_token_url(registration, deployment):
            yield Finding(
                part,
                "fail",
                f"deployment {deployment.id_on_platform} has no token URL: its courses cannot be read",
                f"{approve} --token-url https://its-own-host/login/oauth2/token",
            )
    yield _key_set(tool, registration, part)
    yield from _health(tool, registration, part)


def _health(tool: Tool, registration: RegistrationView, part: str) -> Iterator[Finding]:
    """What was seen of it lately, beyond what can be tried from here."""
    mend = f"lti-tool registrations health {registration.id}"
    for deployment in tool.health.for_operator(registration.id).deployments:
        where = f"deployment {deployment.id_on_platform}"
        failing = [one.service.value for one in deployment.services if one.seen.is_unwell]
        if failing:
            yield Finding(part, "warn", f"{where}: {', '.join(failing)} does not work", mend)
        if deployment.missing:
            names = ", ".join(one.name for one in deployment.missing)
            yield Finding(part, "warn", f"{where}: the LMS does not grant {names}", mend)


def _schedule(tool: Tool) -> Iterator[Finding]:
    """Whether courses are read when they are to be, and which platforms bear less than they are asked for."""
    try:
        tool.database.require_migrated()
    except ConfigurationInvalid:
        return
    now = tool.clock()
    owed = tool.syncing.arrears(now)
    late = (now - owed.oldest_due_at).total_seconds() if owed.oldest_due_at else 0.0
    text = f"{owed.due} courses are owed a read"
    if late <= LATE_SECONDS:
        yield Finding("schedule", "ok", text)
    else:
        yield Finding(
            "schedule",
            "warn",
            f"{text}, the first since {since(owed.oldest_due_at, now, '')}",
            "see that a worker runs (lti-tool worker), and what the lines about call budgets say",
        )
    for standing in tool.call_budgets.standings():
        budget = standing.budget
        rest = budget.rests(tool.clock())
        if rest > 0:
            text = f"asked to be left alone for {rest:.0f} more seconds"
        elif budget.pace < 1:
            text = f"was too busy lately, and is asked at {budget.pace:.0%} of its rate"
        elif budget.calls_left < 1 and late > LATE_SECONDS:
            text = "its calls are used up"
        else:
            continue
        yield Finding(
            "call budget",
            "warn",
            f"{standing.registration_name}, {host_of(standing.site.token_url)}: {text}",
            "nothing, if it passes; else lower LTI_TOOL_CALLS_PER_MINUTE for a platform that groans, or "
            "raise it for one that bears more",
        )


def _renewals(tool: Tool) -> Iterator[Finding]:
    """Whether badges that were earned again are signed anew; that takes a minute."""
    try:
        tool.database.require_migrated()
    except ConfigurationInvalid:
        return
    now, owed = tool.clock(), tool.renewing.arrears()
    text = f"{owed.renewals} renewed badges wait for their signature"
    if owed.oldest_at is None or (now - owed.oldest_at).total_seconds() <= LATE_SECONDS:
        yield Finding("renewals", "ok", text)
    else:
        yield Finding(
            "renewals",
            "warn",
            f"{text}, the first since {since(owed.oldest_at, now, '')}",
            "see that a worker runs, and which issuer the log calls issuer_key_unusable: lti-tool keys list",
        )


def _key_set(tool: Tool, registration: RegistrationView, part: str) -> Finding:
    """Read the platform's key set as a launch does, and compare its clock with ours on the way."""
    compare = f"compare its address with the LMS's own page: {registration.jwks_url}"
    try:
        answer = ask_for_key_set(tool.outbound, registration.jwks_url)
        keys = read_key_set(answer.body)
    except OutboundRefused as error:
        return Finding(
            part,
            "fail",
            f"the key set's address is refused: {error.detail}",
            "if this platform is on a private network, name its host in LTI_TOOL_OUTBOUND_ALLOW",
        )
    except PlatformFailed as error:
        text = f"the key set cannot be read: {error.detail or error.code.value}"
        if error.http_status is not None:
            return Finding(part, "fail", text, compare)
        return Finding(part, "fail", text, f"see that {registration.jwks_url} answers from this machine")
    except ValueError as error:
        return Finding(part, "fail", f"what answers is no key set: {error}", compare)
    if not keys:
        return Finding(part, "fail", "the key set holds no RSA key of 2,048 bits or more for RS256", compare)
    try:
        theirs = parsedate_to_datetime(answer.headers.get("Date", "")).astimezone(UTC)
    except ValueError:
        return Finding(part, "ok", "approved, its key set can be read")
    apart = abs((tool.clock() - theirs).total_seconds())
    if apart > CLOCK_WARN_SECONDS:
        return Finding(
            part,
            "fail" if apart > CLOCK_FAIL_SECONDS else "warn",
            f"its clock and this machine's are {apart:.0f} seconds apart",
            "let both machines keep time by NTP: launches live for a minute only",
        )
    return Finding(part, "ok", "approved, its key set can be read, the clocks agree")


CHECKS = (
    _settings,
    _database,
    _queue,
    _keys,
    _disk,
    _outbound,
    _registrations,
    _schedule,
    _renewals,
    _staff,
)
"""In the order in which a reader mends what they find."""
