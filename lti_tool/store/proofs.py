"""Who is proved to be a learner where a roster does not tell, and whose badge waits or was refused for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import CursorResult, and_, func, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Proof, Verdict
from lti_tool.store.dialects import is_of
from lti_tool.store.scores import takes_part
from lti_tool.store.tables import Decision, Learner, Membership


class Doubted(NamedTuple):
    """Somebody whose badge waits for proof, or was refused for want of it."""

    placement_id: str
    learner_id: str
    name: str | None


def prove(
    session: Session,
    organisation_id: str,
    context_id: str,
    learner_ids: Collection[str],
    proof: Proof,
    now: datetime,
    *,
    instead_of: Collection[Proof] = (Proof.NONE,),
) -> tuple[str, ...]:
    """Keep what shows that people are learners, or are none; the ids of those of whom it was news.

    Who is staff of the context by roster or launch is not a learner, whoever says so.
    """
    proved = []
    for learner_id in sorted(learner_ids):
        changed = session.execute(
            update(Membership)
            .where(
                Membership.organisation_id == organisation_id,
                Membership.context_id == context_id,
                Membership.learner_id == learner_id,
                Membership.learner_proof.in_([one.value for one in instead_of]),
                Membership.is_staff.is_(False),
                Membership.is_learner.is_(True),
                Membership.is_active.is_(True),
            )
            .values(learner_proof=proof.value, proved_at=None if proof is Proof.REFUSED else now)
            .execution_options(synchronize_session=False)
        )
        if cast(CursorResult[Any], changed).rowcount == 1:
            proved.append(learner_id)
    return tuple(proved)


def waiting_for_proof(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str], limit: int
) -> tuple[Doubted, ...]:
    """Whose badge waits for a proof that they are learners, by name."""
    rows = session.execute(
        _doubted(organisation_id, context_id, placement_ids)
        .where(Decision.verdict == Verdict.UNPROVED.value, Membership.learner_proof == Proof.NONE.value)
        .limit(limit)
    )
    return tuple(Doubted(row[0], row[1], row[2]) for row in rows)


def refused_as_staff(
    session: Session, organisation_id: str, context_id: str, placement_ids: Sequence[str], limit: int
) -> tuple[Doubted, ...]:
    """Who met the criteria and got no badge, since the platform says that they are no students."""
    rows = session.execute(
        _doubted(organisation_id, context_id, placement_ids)
        .where(
            Decision.verdict == Verdict.EXCLUDED.value,
            Decision.state == "met",
            Membership.learner_proof == Proof.REFUSED.value,
        )
        .limit(limit)
    )
    return tuple(Doubted(row[0], row[1], row[2]) for row in rows)


def _doubted(
    organisation_id: str, context_id: str, placement_ids: Sequence[str]
) -> sa.Select[str, str, str | None]:
    return (
        select(Decision.placement_id, Learner.id, Learner.name)
        .join(Learner, Learner.id == Decision.learner_id)
        .join(Membership, and_(Membership.learner_id == Learner.id, Membership.context_id == context_id))
        .where(
            is_of(Decision.organisation_id, organisation_id),
            Decision.placement_id.in_(placement_ids),
            Decision.is_latest.is_(True),
            *takes_part(),
        )
        .order_by(func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
    )
