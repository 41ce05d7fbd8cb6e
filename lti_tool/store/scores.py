"""The award column, and what became of writing each learner's award into it.

What is due is derived: learners of the course who hold what its link awards, or who would if they were
proved to be learners, and whose score has neither arrived nor been given up. A row of ``scores`` tells about
a try.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, String, and_, exists, func, or_, select, update
from sqlalchemy.orm import Session, aliased

from lti_tool.domain.awarding import Proof, Verdict
from lti_tool.domain.registrations import Site
from lti_tool.domain.scoring import ScoreState
from lti_tool.errors import ErrorCode
from lti_tool.store.dialects import insert_if_absent, upsert
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Completion,
    Context,
    Credential,
    Decision,
    Deployment,
    Learner,
    LineItem,
    Membership,
    MicromoduleVersion,
    Placement,
    Registration,
    ResourceLink,
    Score,
    new_id,
)

AWARD_TAG: Final = "award"
POINTS: Final = Decimal(1)
"""What the column asks for where the tool makes it; a teacher may change it."""
UNTIL_ASKED: Final = (ErrorCode.AWARD_COLUMN_REFUSED.value,)
"""Troubles after which a column is left alone until a person asks for it again."""
WITHOUT_COLUMN: Final = (ErrorCode.COLUMN_MISSING.value, *UNTIL_ASKED)
"""Troubles that a new award cannot change."""
PASSING: Final = (
    ErrorCode.PLATFORM_TIMED_OUT.value,
    ErrorCode.PLATFORM_UNREACHABLE.value,
    ErrorCode.PLATFORM_BUSY.value,
    ErrorCode.PLATFORM_ANSWER_INVALID.value,
)
"""Troubles that may be over in minutes."""
_SCOPES: Final = ("/lti-ags/scope/score", "/lti-ags/scope/result.readonly")
"""Both are needed: what cannot be read must not be overwritten."""


@dataclass(frozen=True, slots=True)
class AwardColumn:
    """The column of a badge link that the tool writes."""

    id: str
    organisation_id: str
    context_id: str
    placement_id: str
    badge_link_key: str
    label: str
    url: str | None
    """``None`` until it was found, or made, on the platform."""
    score_maximum: Decimal
    created_on_platform_at: datetime | None
    """When it was found or made for the first time; kept when it is gone."""
    trouble: str | None
    link_id_on_platform: str | None
    """The platform's id of the badge link, where it was launched."""


class DueScore(NamedTuple):
    """One learner whose award is not in the column yet."""

    learner_id: str
    sub: str
    is_proof: bool
    """Whether nothing but this score may prove that the person is a learner."""
    sent_at: datetime | None
    """The last timestamp that was sent."""
    attempts: int


# -- columns


def add_missing_columns(session: Session, now: datetime, context_id: str | None = None) -> int:
    """Have a row for the award column of each active placement (of one context); how many are new."""
    label, placed = MicromoduleVersion.name, Placement
    query = (
        select(placed.id, placed.organisation_id, placed.context_id, label)
        .join(MicromoduleVersion, MicromoduleVersion.id == placed.micromodule_version_id)
        .outerjoin(LineItem, and_(LineItem.placement_id == placed.id, LineItem.tag == AWARD_TAG))
        .where(placed.status == "active", LineItem.id.is_(None))
        .limit(500)
    )
    if context_id is not None:
        query = query.where(placed.context_id == context_id)
    return sum(
        insert_if_absent(
            session,
            LineItem,
            {
                "id": new_id(),
                "organisation_id": organisation_id,
                "context_id": context,
                "placement_id": placement_id,
                "tag": AWARD_TAG,
                "evidence_key": "",
                "label": name,
                "score_maximum": POINTS,
                "is_complete": False,
                "created_at": now,
            },
            on=("placement_id", "evidence_key"),
        )
        for placement_id, organisation_id, context, name in session.execute(query).all()
    )


def lacks_columns(session: Session, context_id: str | None = None) -> bool:
    """Whether an active placement (of one context) has no row for its award column yet."""
    query = (
        select(Placement.id)
        .outerjoin(LineItem, and_(LineItem.placement_id == Placement.id, LineItem.tag == AWARD_TAG))
        .where(Placement.status == "active", LineItem.id.is_(None))
        .limit(1)
    )
    if context_id is not None:
        query = query.where(Placement.context_id == context_id)
    return session.execute(query).first() is not None


def active_placements(session: Session, organisation_id: str, context_id: str) -> tuple[str, ...]:
    """Ids of the active placements of a context."""
    return tuple(
        session.execute(
            select(Placement.id).where(
                Placement.organisation_id == organisation_id,
                Placement.context_id == context_id,
                Placement.status == "active",
            )
        ).scalars()
    )


def award_column(session: Session, line_item_id: str) -> AwardColumn | None:
    """The award column of an active placement, for work that the tool's own queue hands out.

    No other column is ever returned: evidence is not written.
    """
    row = session.execute(_COLUMN.where(LineItem.id == line_item_id)).one_or_none()
    return None if row is None else AwardColumn(**row._mapping)


def site_of(session: Session, line_item_id: str) -> Site | None:
    """The platform on which an award column is."""
    row = session.execute(
        select(Registration.id, func.coalesce(Deployment.token_url, Registration.token_url))
        .join(Context, Context.registration_id == Registration.id)
        .join(Deployment, Deployment.id == Context.deployment_id)
        .join(LineItem, LineItem.context_id == Context.id)
        .where(LineItem.id == line_item_id, LineItem.tag == AWARD_TAG)
    ).one_or_none()
    return None if row is None else Site(*row)


def award_columns(session: Session, organisation_id: str, context_id: str) -> dict[str, AwardColumn]:
    """The award columns of a context's active placements, by placement."""
    rows = session.execute(
        _COLUMN.where(LineItem.organisation_id == organisation_id, LineItem.context_id == context_id)
    )
    return {row.placement_id: AwardColumn(**row._mapping) for row in rows}


_LINK_ID = (
    select(ResourceLink.id_on_platform)
    .where(
        ResourceLink.context_id == Placement.context_id,
        ResourceLink.badge_link_key == Placement.badge_link_key,
        ResourceLink.role == "badge",
    )
    .order_by(ResourceLink.created_at, ResourceLink.id)
    .limit(1)
    .correlate(Placement)
    .scalar_subquery()
)
# SQLAlchemy types a select of more than ten columns by its first ten.
_COLUMN = cast(
    "sa.Select[Any]",
    select(
        LineItem.id,
        LineItem.organisation_id,
        LineItem.context_id,
        LineItem.placement_id,
        Placement.badge_link_key,
        LineItem.label,
        LineItem.id_on_platform.label("url"),
        LineItem.score_maximum,
        LineItem.created_on_platform_at,
        LineItem.trouble,
        _LINK_ID.label("link_id_on_platform"),
    )
    .join(Placement, Placement.id == LineItem.placement_id)
    .where(LineItem.tag == AWARD_TAG, Placement.status == "active"),
)


def record_found(
    session: Session, column: AwardColumn, *, url: str, score_maximum: Decimal, now: datetime
) -> None:
    """Keep where the column is on the platform.

    It may be another one than before, and empty: scores that arrived are due again, and each is sent only
    where a reading of this one does not find it.
    """
    session.execute(
        update(Score)
        .where(
            Score.organisation_id == column.organisation_id,
            Score.line_item_id == column.id,
            Score.state.in_((ScoreState.WRITTEN.value, ScoreState.KEPT.value)),
        )
        .values(state=ScoreState.WAITING.value, attempts=0, next_try_at=None)
        .execution_options(synchronize_session=False)
    )
    session.execute(
        _of(column).values(
            id_on_platform=url,
            score_maximum=score_maximum,
            trouble=None,
            read_at=now,
            created_on_platform_at=func.coalesce(
                LineItem.created_on_platform_at, sa.literal(now, LineItem.created_at.type)
            ),
        )
    )


def record_outcome(session: Session, column: AwardColumn, trouble: str | None, now: datetime) -> None:
    """Keep how the last work on a column went; one that is gone from the platform is none from now on."""
    values: dict[str, Any] = {"trouble": trouble, "read_at": now}
    if trouble == ErrorCode.COLUMN_MISSING:
        values["id_on_platform"] = None
    session.execute(_of(column).values(**values))


def ask_again(session: Session, column: AwardColumn) -> None:
    """Let everything be tried anew that was given up.

    A column that the platform lost may be made again; timestamps stay later than the last.
    """
    session.execute(_of(column).values(trouble=None, created_on_platform_at=None))
    session.execute(
        update(Score)
        .where(
            Score.organisation_id == column.organisation_id,
            Score.line_item_id == column.id,
            Score.state.in_((ScoreState.REFUSED.value, ScoreState.WAITING.value)),
        )
        .values(state=ScoreState.WAITING.value, attempts=0, next_try_at=None)
        .execution_options(synchronize_session=False)
    )


def _of(column: AwardColumn) -> sa.Update:
    return (
        update(LineItem)
        .where(
            LineItem.organisation_id == column.organisation_id,
            LineItem.id == column.id,
            LineItem.tag == AWARD_TAG,
        )
        .execution_options(synchronize_session=False)
    )


# -- what is due


def columns_due(
    session: Session, now: datetime, unless_since: Mapping[str, datetime], limit: int
) -> tuple[str, ...]:
    """Ids of the award columns into which something is to be written now.

    Institutions take turns: one with thousands of columns, or without a call left, is before nobody's first.

    :param unless_since: ``passing`` and ``lasting``: a column with trouble of that kind is left alone where
        it was looked at since then.
    """
    is_left_alone = or_(
        LineItem.trouble.in_(UNTIL_ASKED),
        and_(LineItem.trouble.in_(PASSING), LineItem.read_at > unless_since["passing"]),
        and_(
            LineItem.trouble.is_not(None),
            LineItem.trouble.not_in(PASSING),
            LineItem.read_at > unless_since["lasting"],
        ),
    )
    longest_ago = (LineItem.read_at.is_not(None), LineItem.read_at, LineItem.id)
    turn = func.row_number().over(
        partition_by=(LineItem.organisation_id, Context.registration_id), order_by=longest_ago
    )
    query = (
        select(LineItem.id)
        .join(Placement, Placement.id == LineItem.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Context, Context.id == LineItem.context_id)
        .join(Registration, Registration.id == Context.registration_id)
        .join(Deployment, Deployment.id == Context.deployment_id)
        .where(
            LineItem.tag == AWARD_TAG,
            LineItem.trouble.is_(None) | sa.not_(is_left_alone),
            *_is_open(),
            *_is_writable(),
            exists(
                select(Membership.id)
                .join(Learner, Learner.id == Membership.learner_id)
                .where(Membership.context_id == LineItem.context_id, *_is_due(now))
                .correlate(LineItem, Placement, MicromoduleVersion)
            ),
        )
        .order_by(turn, *longest_ago)
        .limit(limit)
    )
    return tuple(session.execute(query).scalars())


def columns_due_in(
    session: Session, organisation_id: str, context_id: str, now: datetime, learner_id: str | None = None
) -> tuple[str, ...]:
    """As :func:`columns_due` for one context (and one learner), whatever trouble was passing there."""
    of_learner = () if learner_id is None else (Membership.learner_id == learner_id,)
    query = (
        select(LineItem.id)
        .join(Placement, Placement.id == LineItem.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .join(Context, Context.id == LineItem.context_id)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.context_id == context_id,
            LineItem.tag == AWARD_TAG,
            LineItem.trouble.is_(None) | LineItem.trouble.not_in(WITHOUT_COLUMN),
            Placement.status == "active",
            *_is_writable(),
            exists(
                select(Membership.id)
                .join(Learner, Learner.id == Membership.learner_id)
                .where(Membership.context_id == context_id, *of_learner, *_is_due(now))
                .correlate(LineItem, Placement, MicromoduleVersion)
            ),
        )
    )
    return tuple(session.execute(query).scalars())


def due_scores(
    session: Session, column: AwardColumn, now: datetime, limit: int, learner_id: str | None = None
) -> tuple[DueScore, ...]:
    """Whose score is to be written into a column: those first whose badge waits for it, then the others.

    :param learner_id: whether it is (still) this one's.
    """
    is_proof = and_(Membership.learner_proof.in_(_OPEN), sa.not_(_has_earned()))
    of_learner = () if learner_id is None else (Membership.learner_id == learner_id,)
    query = (
        select(Learner.id, Learner.sub, is_proof, Score.sent_at, func.coalesce(Score.attempts, 0))
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .join(LineItem, LineItem.id == sa.literal(column.id))
        .join(Placement, Placement.id == LineItem.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(Score, and_(Score.line_item_id == LineItem.id, Score.learner_id == Learner.id))
        .where(
            Membership.organisation_id == column.organisation_id,
            Membership.context_id == column.context_id,
            *of_learner,
            *_is_due(now),
        )
        .order_by(sa.not_(is_proof), Score.tried_at.is_not(None), Score.tried_at, Learner.id)
        .limit(limit)
    )
    return tuple(DueScore(*row) for row in session.execute(query))


def _is_open() -> tuple[ColumnElement[bool], ...]:
    return (
        Placement.status == "active",
        Registration.status == "approved",
        Deployment.status == "approved",
    )


def _is_writable() -> tuple[ColumnElement[bool], ...]:
    granted = sa.cast(Context.ags_scopes, String)
    return (Context.line_items_url.is_not(None), *(granted.contains(f'{scope}"') for scope in _SCOPES))


def _is_due(now: datetime) -> tuple[ColumnElement[bool], ...]:
    """Of a membership with its learner, beside a line item, its placement and its micromodule version."""
    tried = aliased(Score)
    is_over = or_(
        tried.state.in_((ScoreState.WRITTEN.value, ScoreState.KEPT.value)),
        and_(
            tried.state == ScoreState.REFUSED.value,
            tried.error_code.is_distinct_from(ErrorCode.SCORE_NOT_A_STUDENT.value),
        ),
        and_(tried.next_try_at > now, sa.not_(_is_proved_since(tried))),
    )
    settled = exists(
        select(tried.id)
        .where(tried.line_item_id == LineItem.id, tried.learner_id == Membership.learner_id, is_over)
        .correlate(LineItem, Membership)
    )
    return (*takes_part(), or_(_has_earned(), _waits_for_proof()), sa.not_(settled))


def _is_proved_since(tried: type[Score]) -> ColumnElement[bool]:
    """Refused as no student, and known to be one since: by a launch, or by the word of staff."""
    return and_(
        tried.error_code.is_not_distinct_from(ErrorCode.SCORE_NOT_A_STUDENT.value),
        Membership.learner_proof.in_((Proof.LAUNCH.value, Proof.STAFF.value)),
        Membership.proved_at.is_not(None),
        Membership.proved_at > tried.tried_at,
    )


def takes_part() -> tuple[ColumnElement[bool], ...]:
    """Of a membership with its learner: an active learner of the context, no staff and no test user."""
    return (
        Membership.is_learner.is_(True),
        Membership.is_staff.is_(False),
        Membership.is_active.is_(True),
        Learner.is_test_user.is_(False),
    )


def _has_earned() -> ColumnElement[bool]:
    revoked = exists(
        select(Credential.id)
        .where(Credential.award_id == Award.id, Credential.revoked_at.is_not(None))
        .correlate(Award)
    )
    awarded = exists(
        select(Award.id)
        .where(
            Award.achievement_version_id == MicromoduleVersion.achievement_version_id,
            Award.learner_id == Membership.learner_id,
            sa.not_(revoked),
        )
        .correlate(MicromoduleVersion, Membership)
    )
    # Earned in this course in any version: what was not written before the next one came is still owed.
    awarded_here = exists(
        select(Award.id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .where(
            Achievement.micromodule_id == MicromoduleVersion.micromodule_id,
            Award.context_id == Placement.context_id,
            Award.learner_id == Membership.learner_id,
            sa.not_(revoked),
        )
        .correlate(MicromoduleVersion, Membership, Placement)
    )
    completed = exists(
        select(Completion.id)
        .where(
            MicromoduleVersion.achievement_version_id.is_(None),
            Completion.micromodule_version_id == MicromoduleVersion.id,
            Completion.learner_id == Membership.learner_id,
        )
        .correlate(MicromoduleVersion, Membership)
    )
    return or_(awarded, awarded_here, completed)


_OPEN: Final = (Proof.NONE.value, Proof.REFUSED.value)
"""Who may yet turn out to be a learner: whoever was refused may have been enrolled since."""


def _waits_for_proof() -> ColumnElement[bool]:
    was_refused = Membership.learner_proof == Proof.REFUSED.value
    return and_(
        Membership.learner_proof.in_(_OPEN),
        exists(
            select(Decision.id)
            .where(
                Decision.placement_id == Placement.id,
                Decision.learner_id == Membership.learner_id,
                Decision.is_latest.is_(True),
                or_(
                    Decision.verdict == Verdict.UNPROVED.value,
                    and_(was_refused, Decision.verdict == Verdict.EXCLUDED.value, Decision.state == "met"),
                ),
            )
            .correlate(Placement, Membership)
        ),
    )


# -- what became of it


def keep_score(
    session: Session,
    column: AwardColumn,
    learner_id: str,
    state: ScoreState,
    *,
    sent_at: datetime | None,
    tried_at: datetime,
    attempts: int,
    next_try_at: datetime | None = None,
    error_code: ErrorCode | None = None,
) -> None:
    """Keep how one learner's score stands; nothing of somebody who was erased while the platform answered."""
    there = select(Learner.id).where(Learner.id == learner_id).with_for_update(read=True, key_share=True)
    if session.scalar(there) is None:
        return
    values = {
        "id": new_id(),
        "organisation_id": column.organisation_id,
        "line_item_id": column.id,
        "learner_id": learner_id,
        "state": state.value,
        "sent_at": sent_at,
        "tried_at": tried_at,
        "attempts": attempts,
        "next_try_at": next_try_at,
        "error_code": error_code.value if error_code is not None else None,
    }
    changing = ("state", "sent_at", "tried_at", "attempts", "next_try_at", "error_code")
    upsert(session, Score, values, on=("line_item_id", "learner_id"), update=changing)
