"""How writing awards back stands, as an instructor is shown it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import exists, func, select
from sqlalchemy.orm import Session

from lti_tool.domain.scoring import ScoreState
from lti_tool.store.tables import Award, Learner, LineItem, MicromoduleVersion, Placement, Score


class GivenUp(NamedTuple):
    """A score that the platform does not take."""

    placement_id: str
    learner_id: str
    name: str | None
    error_code: str
    has_badge: bool


def given_up(
    session: Session, organisation_id: str, line_item_ids: Sequence[str], limit: int
) -> tuple[GivenUp, ...]:
    """The scores that a platform does not take, of people who have their badge, by name."""
    holds = exists(
        select(Award.id)
        .where(
            Award.learner_id == Score.learner_id,
            Award.achievement_version_id == MicromoduleVersion.achievement_version_id,
        )
        .correlate(Score, MicromoduleVersion)
    )
    rows = session.execute(
        select(LineItem.placement_id, Learner.id, Learner.name, Score.error_code, holds)
        .join(LineItem, LineItem.id == Score.line_item_id)
        .join(Placement, Placement.id == LineItem.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Learner, Learner.id == Score.learner_id)
        .where(
            Score.organisation_id == organisation_id,
            Score.line_item_id.in_(line_item_ids),
            Score.state.in_((ScoreState.REFUSED.value, ScoreState.WAITING.value)),
            Score.error_code.is_not(None),
        )
        .order_by(func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
        .limit(limit)
    )
    return tuple(GivenUp(row[0], row[1], row[2], str(row[3]), row[4]) for row in rows)


def counts(
    session: Session, organisation_id: str, line_item_ids: Sequence[str]
) -> dict[str, dict[ScoreState, int]]:
    """How many scores of each column stand how."""
    found: dict[str, dict[ScoreState, int]] = {id_: {} for id_ in line_item_ids}
    rows = session.execute(
        select(Score.line_item_id, Score.state, func.count())
        .where(Score.organisation_id == organisation_id, Score.line_item_id.in_(line_item_ids))
        .group_by(Score.line_item_id, Score.state)
    )
    for line_item_id, state, number in rows:
        found[line_item_id][ScoreState(state)] = number
    return found
