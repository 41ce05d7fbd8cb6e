"""``contexts``, ``sync`` and ``award``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, fields, since, table, write_rows
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.awarding import PlacementDecisions
from lti_tool.services.completers import Completer
from lti_tool.services.next_version import Author
from lti_tool.store import inventory, retroactive
from lti_tool.store.runs import RunView

POLL_SECONDS = 0.5
PATIENCE_SECONDS = 900.0
"""How long ``sync`` waits for a worker that is already at the course."""

# -- contexts


def contexts_list(call: Call) -> Answer:
    """Every course that was launched from, with how long ago it was read, and when it is read next."""
    now = call.tool.clock()
    with call.tool.database.read() as session:
        rows = inventory.contexts(session, call.arguments.organisation)
    shown = [
        {
            **row,
            "read": since(row["roster_read_at"], now, "never"),
            "next": since(row["sync_due_at"], now, "not read"),
        }
        for row in rows
    ]
    return Answer(rows, table(shown, ("id", "title", "platform", "micromodules", "read", "next", "trouble")))


def contexts_show(call: Call) -> Answer:
    """One course with its micromodules and columns."""
    with call.tool.database.read() as session:
        row = inventory.context(session, call.arguments.context)
    if row is None:
        raise NotFound(ErrorCode.CONTEXT_NOT_FOUND, f"no course {call.arguments.context}")
    plain = {name: value for name, value in row.items() if name not in ("placements", "columns")}
    lines = [
        *fields(plain),
        "",
        *table(row["placements"], ("id", "name", "status", "badge_link_key")),
        "",
        *table(row["columns"], ("label", "tag", "first_value_at", "read_at", "is_complete", "trouble")),
    ]
    return Answer(row, lines)


# -- sync


def sync(call: Call) -> Answer:
    """Read courses from their LMSs now, decide, and issue what was earned."""
    rows = []
    chosen = _chosen_for_sync(call)
    for number, (organisation_id, context_id) in enumerate(chosen, 1):
        run = _sync_one(call, organisation_id, context_id, f"{number}/{len(chosen)}")
        rows.append(
            {
                "context": context_id,
                "run": run.id,
                "status": run.status,
                "error_code": run.error_code,
                "counts": dict(run.counts),
            }
        )
    call.progress.clear()
    is_good = all(row["status"] == "done" for row in rows)
    return Answer(
        rows, table(rows, ("context", "status", "error_code", "counts")), DONE if is_good else FAILED
    )


def _chosen_for_sync(call: Call) -> list[tuple[str, str]]:
    if call.arguments.context or call.arguments.all:
        return _chosen(call, is_placed=False)
    due = call.tool.syncing.contexts_due(call.tool.clock(), 10_000, within_budget=False)
    return [(context.organisation_id, context.context_id) for context in due]


def _sync_one(call: Call, organisation_id: str, context_id: str, position: str) -> RunView:
    tool = call.tool
    call.progress.say(f"{position} {context_id}: reading")
    run = tool.syncing.start_sync(organisation_id, context_id)
    # A worker may have been quicker; then this returns at once, and the run tells when it is done.
    tool.syncing.sync_context(context_id, run.id)
    ends = time.monotonic() + PATIENCE_SECONDS
    run = tool.syncing.run(organisation_id, run.id)
    while run.is_open and time.monotonic() < ends:
        call.progress.say(f"{position} {context_id}: {run.step} {run.done}/{run.total or '?'}")
        time.sleep(POLL_SECONDS)
        run = tool.syncing.run(organisation_id, run.id)
    return run


# -- award


def award(call: Call) -> Answer:
    """Decide from what is stored, and issue what was earned; with ``--dry-run`` only say what would be."""
    if call.arguments.retroactive:
        return _award_retroactively(call, call.arguments.retroactive)
    chosen = _chosen(call, is_placed=True)
    if call.arguments.dry_run:
        return _dry_run(call, chosen)
    rows = []
    for number, (organisation_id, context_id) in enumerate(chosen, 1):
        call.progress.say(f"{number}/{len(chosen)} {context_id}: deciding")
        report = call.tool.awarding.decide_context(organisation_id, context_id)
        call.progress.say(f"{number}/{len(chosen)} {context_id}: signing {len(report.award_ids)}")
        issued = call.tool.issuing.issue_for(report.award_ids)
        rows.append(
            {
                "context": context_id,
                "decided": report.decided,
                "changed": report.changed,
                "awarded": report.awarded,
                "issued": len(issued),
            }
        )
    call.progress.clear()
    return Answer(rows, table(rows, ("context", "decided", "changed", "awarded", "issued")))


def _award_retroactively(call: Call, micromodule_id: str) -> Answer:
    """Everybody who completed a micromodule: who they are, or the badge that has been switched on."""
    service = call.tool.retroactive
    with call.tool.database.read() as session:
        organisation_id = retroactive.owner(session, micromodule_id)
    if organisation_id is None:
        raise NotFound(ErrorCode.MICROMODULE_NOT_FOUND, f"no micromodule {micromodule_id}")
    author = Author(organisation_id, CLI, None)
    if call.arguments.dry_run:
        return write_rows(
            call,
            lambda: map(_told, service.people(author, micromodule_id)),
            ("name", "course", "met_at", "dated", "not_awarded"),
        )
    run = service.again(organisation_id, CLI, micromodule_id)
    if run.is_paused:
        service.resume(author, micromodule_id)
    service.work(run.id, lambda done, total: call.progress.say(f"{done} of {total}"))
    call.progress.clear()
    run = service.run(organisation_id, run.id)
    value = {
        "run": run.id,
        "status": "paused" if run.is_paused else run.status,
        "done": run.done,
        "total": run.total,
        **run.counts,
    }
    # One that another process works on goes on without us.
    return Answer(value, fields(value), DONE if run.error_code is None else FAILED)


def _told(one: Completer) -> dict[str, Any]:
    return {
        "learner": one.row.learner_id,
        "name": one.row.name,
        "course": one.row.course,
        "version": one.row.number,
        "met_at": one.row.met_at,
        "dated": one.source.value,
        "has_left": one.row.has_left,
        "facts_changed": one.row.is_doubted,
        "not_awarded": one.withheld.value if one.withheld is not None else None,
    }


CLI = "cli"
"""As the audit log names whoever runs commands."""


def _dry_run(call: Call, chosen: Sequence[tuple[str, str]]) -> Answer:
    value: list[dict[str, Any]] = []
    lines: list[str] = []
    for organisation_id, context_id in chosen:
        for made in call.tool.awarding.dry_run(organisation_id, context_id):
            entry = _would_be(call, context_id, made)
            value.append(entry)
            verdicts = ", ".join(f"{count} {verdict}" for verdict, count in entry["verdicts"].items())
            lines.append(
                f"{made.placement.name} ({context_id}): {verdicts or 'nobody is in this course yet'}"
            )
            lines += [f"  would earn it: {each['name'] or each['learner']}" for each in entry["would_earn"]]
    return Answer(value, lines or ["no course has a micromodule"])


def _would_be(call: Call, context_id: str, made: PlacementDecisions) -> dict[str, Any]:
    earning = [decision for decision in made.decisions if decision.verdict.value == "award"]
    with call.tool.database.read() as session:
        names = inventory.learner_names(session, [decision.learner_id for decision in earning])
    return {
        "context": context_id,
        "placement": made.placement.id,
        "name": made.placement.name,
        "verdicts": dict(Counter(decision.verdict.value for decision in made.decisions)),
        "would_earn": [
            {
                "learner": decision.learner_id,
                "name": names.get(decision.learner_id),
                "met_at": decision.met_at,
            }
            for decision in earning
        ],
    }


def _chosen(call: Call, *, is_placed: bool) -> list[tuple[str, str]]:
    """The course that was named, or all.

    :raises NotFound: CONTEXT_NOT_FOUND.
    """
    wanted = call.arguments.context
    with call.tool.database.read() as session:
        if not wanted:
            return inventory.context_keys(session, is_placed=is_placed)
        organisation_id = inventory.owner_of_context(session, wanted)
    if organisation_id is None:
        raise NotFound(ErrorCode.CONTEXT_NOT_FOUND, f"no course {wanted}")
    return [(organisation_id, wanted)]
