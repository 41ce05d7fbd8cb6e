"""Forms that were left unfinished: one row for each person in each course, with the form of a new badge and
those of placed drafts that were being changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from lti_tool.store.dialects import upsert
from lti_tool.store.tables import Draft, new_id

EDITS = "edits"
"""The key of what is being changed, by placement, beside the fields of the new badge's form."""
MAXIMUM_EDITS = 5
"""The oldest give way: a draft that was deleted since leaves its form behind."""


def draft(session: Session, organisation_id: str, context_id: str, learner_id: str) -> dict[str, Any] | None:
    """The form of a new badge that somebody left unfinished in a course."""
    stored = _stored(session, organisation_id, context_id, learner_id)
    return {name: value for name, value in stored.items() if name != EDITS} or None


def edit(
    session: Session, organisation_id: str, context_id: str, learner_id: str, placement_id: str
) -> dict[str, Any] | None:
    """The form of a placed badge that somebody left unfinished."""
    edits: dict[str, dict[str, Any]] = _stored(session, organisation_id, context_id, learner_id).get(
        EDITS, {}
    )
    return edits.get(placement_id)


def save(
    session: Session,
    organisation_id: str,
    context_id: str,
    learner_id: str,
    form: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep the form of a new badge; a later one replaces it."""
    edits = _stored(session, organisation_id, context_id, learner_id, locked=True).get(EDITS)
    fields = {**form, EDITS: edits} if edits else dict(form)
    _keep(session, organisation_id, context_id, learner_id, fields, now)


def save_edit(
    session: Session,
    organisation_id: str,
    context_id: str,
    learner_id: str,
    placement_id: str,
    form: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep the form of a placed badge; a later one of the same badge replaces it."""
    stored = _stored(session, organisation_id, context_id, learner_id, locked=True)
    edits = {key: kept for key, kept in stored.get(EDITS, {}).items() if key != placement_id}
    newest = {key: edits[key] for key in list(edits)[-(MAXIMUM_EDITS - 1) :]}
    fields = {**stored, EDITS: {**newest, placement_id: dict(form)}}
    _keep(session, organisation_id, context_id, learner_id, fields, now)


def remove(session: Session, organisation_id: str, context_id: str, learner_id: str) -> None:
    """Forget the form of a badge that was placed."""
    edits = _stored(session, organisation_id, context_id, learner_id, locked=True).get(EDITS)
    _rewrite(session, organisation_id, context_id, learner_id, {EDITS: edits} if edits else {})


def remove_edit(
    session: Session, organisation_id: str, context_id: str, learner_id: str, placement_id: str
) -> None:
    """Forget the form of a placed badge that was saved."""
    stored = _stored(session, organisation_id, context_id, learner_id, locked=True)
    edits = stored.get(EDITS, {})
    if placement_id not in edits:
        return
    left = {key: kept for key, kept in edits.items() if key != placement_id}
    fields = {name: value for name, value in stored.items() if name != EDITS}
    _rewrite(session, organisation_id, context_id, learner_id, {**fields, EDITS: left} if left else fields)


def _stored(
    session: Session, organisation_id: str, context_id: str, learner_id: str, *, locked: bool = False
) -> dict[str, Any]:
    found = select(Draft.form).where(*_theirs(organisation_id, context_id, learner_id))
    return dict(session.execute(found.with_for_update() if locked else found).scalar_one_or_none() or {})


def _keep(
    session: Session,
    organisation_id: str,
    context_id: str,
    learner_id: str,
    form: Mapping[str, Any],
    now: datetime,
) -> None:
    row = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "context_id": context_id,
        "learner_id": learner_id,
        "form": dict(form),
        "updated_at": now,
    }
    upsert(session, Draft, row, on=("context_id", "learner_id"), update=("form", "updated_at"))


def _rewrite(
    session: Session, organisation_id: str, context_id: str, learner_id: str, form: Mapping[str, Any]
) -> None:
    """What is left of a row; nothing left, no row."""
    theirs = _theirs(organisation_id, context_id, learner_id)
    session.execute(
        update(Draft).where(*theirs).values(form=dict(form)) if form else delete(Draft).where(*theirs)
    )


def _theirs(organisation_id: str, context_id: str, learner_id: str) -> tuple[Any, ...]:
    return (
        Draft.organisation_id == organisation_id,
        Draft.context_id == context_id,
        Draft.learner_id == learner_id,
    )
