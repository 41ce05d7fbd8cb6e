"""``criteria`` and ``decisions``: the language of criteria, and what was decided by it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lti_tool.commands import DONE, FAILED, Answer, Call, table, to_json
from lti_tool.domain import criteria as domain
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_schema import criteria_schema
from lti_tool.services.replaying import Difference, Replay
from lti_tool.store import inventory
from lti_tool.store import past_decisions as store

# -- criteria


def schema(call: Call) -> Answer:
    """The JSON Schema of criteria, as the tool publishes it."""
    value = criteria_schema(call.tool.settings.base_url)
    return Answer(value, [to_json(value)])


def check(call: Call) -> Answer:
    """Whether criteria can be imported, and what they ask for; every problem if not."""
    try:
        criterion = parse_criteria(_read_json(call.arguments.file))
    except RequestInvalid as error:
        problems = list(_problems(error))
        value = {"is_usable": False, "problems": problems, "asks": []}
        return Answer(value, [f"{each['at']}: {each['problem']}" for each in problems], FAILED)
    asks = [
        {"kind": _KINDS[type(leaf)], "key": leaf.key, "label": leaf.label}
        for leaf in domain.leaves(criterion)
    ]
    return Answer(
        {"is_usable": True, "problems": [], "asks": asks},
        ["these criteria can be used; they ask for", *table(asks, ("kind", "key", "label"))],
    )


_KINDS: dict[type[domain.Leaf], str] = {
    domain.ScoreAtLeast: "score",
    domain.MeanAtLeast: "mean",
    domain.GatePassed: "gate",
    domain.Attested: "attested",
    domain.EvidenceAccepted: "evidence",
    domain.Completed: "completed",
    domain.HoldsAchievement: "holds",
    domain.MicromodulesCompleted: "micromodules",
}


def _read_json(source: str) -> Any:
    try:
        raw = sys.stdin.buffer.read() if source == "-" else Path(source).read_bytes()
    except OSError as error:
        raise RequestInvalid(
            ErrorCode.REQUEST_INVALID, f"{source} cannot be read: {error.strerror or type(error).__name__}"
        ) from error
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(ErrorCode.REQUEST_INVALID, f"{source} is not JSON: {error}") from error


def _problems(error: RequestInvalid) -> Iterator[dict[str, str]]:
    """Where the shape is not the schema's, each place; else what keeps the tree from being used."""
    cause = error.__cause__
    if isinstance(cause, ValidationError):
        for each in cause.errors(include_url=False, include_input=False):
            yield {
                "at": ".".join(str(step) for step in each["loc"]) or "the document",
                "problem": each["msg"],
            }
        return
    if error.code is not ErrorCode.CRITERIA_INVALID:
        raise error
    codes = error.params.get("problems", ())
    for code in codes if isinstance(codes, tuple) else ():
        yield {"at": "the criteria", "problem": error.detail if code == "schema" else str(code)}


# -- decisions


def decisions_list(call: Call) -> Answer:
    """The latest decisions of a course; of one learner all of them, the newest first."""
    context_id = call.arguments.context
    with call.tool.database.read() as session:
        _require_context(inventory.owner_of_context(session, context_id), context_id)
        rows = store.list_decisions(session, context_id, call.arguments.learner)
    columns = ("id", "micromodule", "learner", "learner_id", "verdict", "state", "decided_at", "is_latest")
    return Answer(rows, table(rows, columns))


def decisions_replay(call: Call) -> Answer:
    """Make decisions again from the evidence stored with them; exit status 1 where an answer differs."""
    arguments = call.arguments
    if arguments.decision:
        replay = call.tool.replaying.replay(arguments.decision)
        return Answer(
            {**_told(replay), "is_same": replay.is_same, "reasons": _reasons(replay)},
            [*_lines(replay), *(f"  {line}" for line in _reasons(replay))],
            DONE if replay.is_same else FAILED,
        )
    if arguments.context_id:
        with call.tool.database.read() as session:
            owner_id = inventory.owner_of_context(session, arguments.context_id)
        _require_context(owner_id, arguments.context_id)
    replayed = 0
    differing = []
    for replay in call.tool.replaying.replay_all(arguments.context_id):
        replayed += 1
        if not replay.is_same:
            differing.append(replay)
        if replayed % 500 == 0:
            call.progress.say(f"{replayed} replayed, {len(differing)} differ")
    call.progress.clear()
    return Answer(
        {"replayed": replayed, "differing": [_told(replay) for replay in differing]},
        [
            *(line for replay in differing for line in _lines(replay)),
            f"{replayed} replayed, {len(differing)} differ",
        ],
        FAILED if differing else DONE,
    )


def _require_context(owner_id: str | None, context_id: str) -> None:
    if owner_id is None:
        raise NotFound(ErrorCode.CONTEXT_NOT_FOUND, f"no course {context_id}")


def _told(replay: Replay) -> dict[str, Any]:
    stored = replay.stored
    return {
        "id": stored.id,
        "context": stored.context_id,
        "placement": stored.placement_id,
        "learner": stored.learner_id,
        "decided_at": stored.decided_at,
        "verdict": stored.verdict,
        "state": stored.state,
        "differences": [
            {"what": each.what, "stored": each.stored, "replayed": each.replayed}
            for each in replay.differences
        ],
    }


def _lines(replay: Replay) -> Iterator[str]:
    stored = replay.stored
    outcome = "the same" if replay.is_same else "DIFFERENT"
    at = stored.decided_at.isoformat(timespec="seconds")
    yield f"{stored.id}  {outcome}: {stored.verdict}, {stored.state}, decided {at}"
    yield from (f"  {_said(each)}" for each in replay.differences)


def _said(difference: Difference) -> str:
    stored, replayed = (
        json.dumps(value, ensure_ascii=False) for value in (difference.stored, difference.replayed)
    )
    return f"{difference.what}: stored {stored}, replayed {replayed}"


def _reasons(replay: Replay) -> list[str]:
    """Every leaf as it came out, for a single decision."""
    if replay.replayed is None:
        return []
    return [
        f"{leaf.criterion.label}: {leaf.state.value}, {leaf.reason.value}"
        for leaf in replay.replayed.finding.leaves()
        if isinstance(leaf.criterion, domain.LEAVES)
    ]
