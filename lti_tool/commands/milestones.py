"""``milestones``: badges over what people completed in a whole organisation."""

from __future__ import annotations

from lti_tool.commands import Answer, Call, table


def list_(call: Call) -> Answer:
    """The milestones of an organisation."""
    by = call.tool.staffing.operator(call.arguments.organisation)
    rows = [
        {
            "id": row.view.id,
            "name": row.view.name,
            "kind": row.view.kind,
            "status": row.view.status,
            "version": row.view.number,
            "holders": row.holders,
            "activated_at": row.view.activated_at,
        }
        for row in call.tool.milestones.every(by)
    ]
    return Answer(rows, table(rows, ("id", "name", "kind", "status", "version", "holders", "activated_at")))


def decide(call: Call) -> Answer:
    """Decide now about everybody about whom a milestone is not decided yet, and sign what they earned."""
    by = call.tool.staffing.operator(call.arguments.organisation)
    found = call.tool.milestones.one(by, call.arguments.milestone)
    awarded = call.tool.milestones.work(found.view.id)
    progress = call.tool.milestones.one(by, found.view.id).progress
    value = {
        "id": found.view.id,
        "status": found.view.status,
        "awarded": awarded,
        "decided": progress.decided,
        "learners": progress.learners,
        "holders": progress.holders,
    }
    far = f"{progress.decided} of {progress.learners} people decided about, {progress.holders} have it"
    return Answer(value, [f"{found.view.name}: {awarded} new badges; {far}"])
