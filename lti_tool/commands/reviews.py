"""``reviews``: badges whose facts changed after the award, and what is decided about them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lti_tool.commands import DONE, FAILED, Answer, Call, table
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.reviews import MOST_AT_ONCE, Desk
from lti_tool.store.reviews import ReviewFilter, ReviewRow
from lti_tool.store.staging import chunks

COLUMNS = ("id", "context_id", "learner_id", "micromodule", "cause", "status", "opened_at", "takes_effect_at")


def list_(call: Call) -> Answer:
    """Badges of an organisation that wait for a decision because their facts changed, the oldest first."""
    arguments = call.arguments
    desk = _desk(call, arguments.course)
    wanted = ReviewFilter(status=arguments.state, cause=arguments.cause)
    rows = [_shown(row) for row in _every(call, desk, wanted)]
    return Answer(rows, table(rows, COLUMNS))


def decide(call: Call) -> Answer:
    """Keep badges, or have them revoked once the time for undoing is over. Without --yes nothing happens."""
    arguments = call.arguments
    desk = _desk(call, None)
    is_kept = arguments.what == "keep"
    reviews = call.tool.reviews
    rows: list[dict[str, Any]] = []
    for ids in chunks(_ids(call), MOST_AT_ONCE):
        plan = reviews.plan_at(desk, ids)
        decided: frozenset[str] = frozenset()
        if arguments.yes:
            seen = {row.id: row.digest for row in plan.reviews}
            decided = frozenset(
                reviews.decide_at(desk, seen, arguments.reason, is_kept=is_kept) if seen else ()
            )
        rows += [{**_shown(row), "is_decided": row.id in decided} for row in (*plan.reviews, *plan.settled)]
        call.progress.say(f"{len(rows)} looked at")
    call.progress.clear()
    lines = table(rows, ("id", "learner_id", "micromodule", "cause", "status", "is_decided"))
    if not arguments.yes:
        lines += ["", f"Nothing was decided: repeat it with --yes to {arguments.what} what is open or asked."]
    is_done = not arguments.yes or all(row["is_decided"] for row in rows)
    return Answer(rows, lines, DONE if is_done else FAILED)


def undo(call: Call) -> Answer:
    """Undo a revocation that was decided and not carried out yet: its review is open again."""
    desk = _desk(call, None)
    call.tool.reviews.take_back_at(desk, call.arguments.review)
    plan = call.tool.reviews.plan_at(desk, [call.arguments.review])
    # Where everything is as it should be by now, nobody has to decide it any more.
    (row,) = (*plan.reviews, *plan.settled)
    again = " again" if row.is_undecided else ""
    return Answer(_shown(row), [f"undone: the badge was not revoked, its review is {row.status}{again}"])


def _desk(call: Call, context_id: str | None) -> Desk:
    by = call.tool.staffing.operator(call.arguments.organisation)
    return Desk(by.organisation_id, by.actor, context_id)


def _every(call: Call, desk: Desk, wanted: ReviewFilter) -> Iterator[ReviewRow]:
    last: ReviewRow | None = None
    while rows := call.tool.reviews.listed_at(desk, wanted, after=last):
        yield from rows
        last = rows[-1]


def _shown(row: ReviewRow) -> dict[str, Any]:
    """Ids and facts; neither names nor what people wrote to each other."""
    return {
        "id": row.id,
        "context_id": row.context_id,
        "learner_id": row.learner_id,
        "credential_id": row.credential_id,
        "micromodule": row.micromodule,
        "cause": row.cause,
        "status": row.status,
        "is_answered": row.answered_at is not None,
        "awarded_at": row.awarded_at,
        "opened_at": row.opened_at,
        "decided_at": row.decided_at,
        "takes_effect_at": row.takes_effect_at,
        "carried_out_at": row.carried_out_at,
        "spared_at": row.spared_at,
    }


def _ids(call: Call) -> list[str]:
    """Which reviews are meant.

    :raises RequestInvalid: none.
    """
    ids = list(call.arguments.review)
    name = call.arguments.file
    if name:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
        ids += [line.strip() for line in text.splitlines() if line.strip()]
    if not ids:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, "name reviews, or give --file")
    return list(dict.fromkeys(ids))
