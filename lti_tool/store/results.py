"""Evidence columns and the grades read from them.

The column that the tool writes (tag ``award``) is left out in every query here, at the source: what the
tool writes is never evidence.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple, cast

import sqlalchemy as sa
from sqlalchemy import CursorResult, String, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from lti_tool.store.rosters import CHUNK, EVIDENCE_TAGS, ContextPlan, add_learners, with_learners
from lti_tool.store.staging import Changes, chunks, fresh_id, merge, staged, staging_table
from lti_tool.store.tables import Learner, LineItem, Placement, Result


class EvidenceColumn(NamedTuple):
    """A column that the tool reads and never writes."""

    id: str
    placement_id: str
    badge_link_key: str
    tag: str
    evidence_key: str
    label: str
    url: str | None
    """``None`` until it exists on the platform."""
    score_maximum: Decimal
    first_value_at: datetime | None
    read_at: datetime | None
    is_complete: bool
    trouble: str | None
    adopted_at: datetime | None = None
    """When it was found in a copied course: whatever formula it had came along."""
    is_copied: bool = False
    """Its placement came with a copied course."""


@dataclass(frozen=True, slots=True)
class GradeRow:
    """One grade to be stored."""

    sub: str
    score: Decimal | None
    maximum: Decimal
    graded_at: datetime | None

    @property
    def is_graded(self) -> bool:
        """Whether there is anything to it, and not only a listed person."""
        return self.score is not None or self.graded_at is not None


@dataclass(frozen=True, slots=True)
class StoredGrades:
    """What storing grades did."""

    changed: int
    has_value: bool
    """Whether any of them is a grade, and not only a listed person."""


def evidence_columns(session: Session, organisation_id: str, context_id: str) -> tuple[EvidenceColumn, ...]:
    """The evidence columns of a context, the longest unread first; drafts' too, since whoever sets one
    up has to see that values arrive."""
    rows = session.connection().execute(
        _OF_CONTEXT, {"organisation_id": organisation_id, "context_id": context_id}
    )
    columns = [EvidenceColumn(*row) for row in rows]
    return tuple(sorted(columns, key=lambda column: (column.read_at is not None, column.read_at or 0)))


def columns_of(
    session: Session, organisation_id: str, placement_ids: Sequence[str]
) -> dict[str, tuple[EvidenceColumn, ...]]:
    """The evidence columns of each placement, by placement id, in the order in which they were asked for."""
    rows = session.connection().execute(
        _OF_PLACEMENTS, {"organisation_id": organisation_id, "placement_ids": list(placement_ids)}
    )
    found: dict[str, list[EvidenceColumn]] = {placement_id: [] for placement_id in placement_ids}
    for row in rows:
        column = EvidenceColumn(*row)
        found[column.placement_id].append(column)
    return {placement_id: tuple(columns) for placement_id, columns in found.items()}


# Built once: every launch of a learner asks, and building a statement costs more than running it.
# SQLAlchemy types a select of more than ten columns by its first ten.
_COLUMNS = cast(
    "sa.Select[Any]",
    select(
        LineItem.id,
        LineItem.placement_id,
        Placement.badge_link_key,
        LineItem.tag,
        LineItem.evidence_key,
        LineItem.label,
        LineItem.id_on_platform.label("url"),
        LineItem.score_maximum,
        LineItem.first_value_at,
        LineItem.read_at,
        LineItem.is_complete,
        LineItem.trouble,
        LineItem.adopted_at,
        Placement.copied_from_id.is_not(None),
    )
    .join(Placement, Placement.id == LineItem.placement_id)
    .where(
        LineItem.tag.in_(EVIDENCE_TAGS),
        LineItem.organisation_id == bindparam("organisation_id", type_=String),
    )
    .order_by(LineItem.created_at, LineItem.evidence_key),
)
_OF_CONTEXT = _COLUMNS.where(
    LineItem.context_id == bindparam("context_id", type_=String), Placement.status != "removed"
)
_OF_PLACEMENTS = _COLUMNS.where(
    LineItem.placement_id.in_(bindparam("placement_ids", type_=String, expanding=True))
)


def placement_context(session: Session, organisation_id: str, placement_id: str) -> str | None:
    """The context of a placement of this organisation; a removed placement has none."""
    return session.execute(
        select(Placement.context_id).where(
            Placement.organisation_id == organisation_id,
            Placement.id == placement_id,
            Placement.status != "removed",
        )
    ).scalar_one_or_none()


# -- columns on the platform


def record_created(
    session: Session,
    organisation_id: str,
    line_item_id: str,
    *,
    url: str,
    replacing: str | None,
    now: datetime,
    is_adopted: bool = False,
) -> bool:
    """Keep the URL of a column that now exists on the platform.

    Another column than before is an empty one: what the old one said is forgotten with it.

    :param replacing: the URL it had when the work began; false is returned where another one came first.
    :param is_adopted: it came along with a copied course.
    """
    values: dict[str, Any] = {"id_on_platform": url, "trouble": None}
    if url != replacing:
        values |= {
            "created_on_platform_at": now,
            "first_value_at": None,
            "read_at": None,
            "is_complete": False,
            "adopted_at": now if is_adopted else None,
        }
    stored = session.execute(
        update(LineItem)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.id == line_item_id,
            LineItem.tag.in_(EVIDENCE_TAGS),
            LineItem.id_on_platform.is_(None) if replacing is None else LineItem.id_on_platform == replacing,
        )
        .values(**values)
    )
    if cast(CursorResult[Any], stored).rowcount != 1:
        return False
    if url != replacing:
        session.execute(
            sa.delete(Result)
            .where(Result.organisation_id == organisation_id, Result.line_item_id == line_item_id)
            .execution_options(synchronize_session=False)
        )
    return True


def record_trouble(
    session: Session, organisation_id: str, line_item_ids: Collection[str], trouble: str
) -> None:
    """Keep why columns could not be made; one that was deleted on the platform is none from now on."""
    session.execute(
        update(LineItem)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.id.in_(line_item_ids),
            LineItem.tag.in_(EVIDENCE_TAGS),
        )
        .values(trouble=trouble, id_on_platform=None)
    )


def record_column(
    session: Session,
    column: EvidenceColumn,
    organisation_id: str,
    *,
    read_at: datetime | None,
    is_complete: bool,
    trouble: str | None,
) -> None:
    """Keep how the last read of a column went, unless it has been made again meanwhile.

    :param read_at: when it began; ``None`` where nothing was read, so that the older reading stands.
    """
    values: dict[str, Any] = {"trouble": trouble}
    if read_at is not None:
        values |= {"read_at": read_at, "is_complete": is_complete}
    session.execute(
        update(LineItem)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.id == column.id,
            LineItem.id_on_platform == column.url,
            LineItem.tag.in_(EVIDENCE_TAGS),
        )
        .values(**values)
    )


def record_renamed(session: Session, organisation_id: str, column: EvidenceColumn, label: str) -> None:
    """Keep the name that a column has on the platform now."""
    session.execute(
        update(LineItem)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.id == column.id,
            LineItem.id_on_platform == column.url,
            LineItem.tag.in_(EVIDENCE_TAGS),
        )
        .values(label=label)
    )


def record_deleted(session: Session, organisation_id: str, column: EvidenceColumn) -> None:
    """Keep that a column is no more on the platform, and forget what was read from it."""
    gone = session.connection().execute(
        update(LineItem)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.id == column.id,
            LineItem.id_on_platform == column.url,
            LineItem.tag.in_(EVIDENCE_TAGS),
        )
        .values(id_on_platform=None, first_value_at=None, read_at=None, is_complete=False, trouble=None)
    )
    if gone.rowcount:
        session.execute(
            sa.delete(Result)
            .where(Result.organisation_id == organisation_id, Result.line_item_id == column.id)
            .execution_options(synchronize_session=False)
        )


# -- grades


_STAGED = staging_table(
    "staged_grades",
    {
        "sub": Learner.__table__.c.sub.type,
        "score": Result.__table__.c.score.type,
        "maximum": Result.__table__.c.maximum.type,
        "graded_at": Result.__table__.c.graded_at.type,
    },
)


def _is_current(session: Session, organisation_id: str, column: EvidenceColumn) -> bool:
    """Whether the column is still the one that was read, and not one made in its place since."""
    url = session.execute(
        select(LineItem.id_on_platform).where(
            LineItem.organisation_id == organisation_id, LineItem.id == column.id
        )
    ).scalar_one_or_none()
    return url is not None and url == column.url


def store_grades(
    session: Session,
    plan: ContextPlan,
    column: EvidenceColumn,
    rows: Sequence[GradeRow],
    *,
    read_at: datetime,
    now: datetime,
    touch: bool = False,
) -> StoredGrades:
    """Add and update grades of one column.

    :param read_at: when the read began; a grade that was read later by somebody else is left alone.
    :param touch: also note the time of reading where the grade itself is as it was.
    :returns: nothing stored for a column that has been made again since the read began.
    """
    grades = {row.sub: (row.sub, row.score, row.maximum, row.graded_at) for row in rows}
    if not grades or not _is_current(session, plan.organisation_id, column):
        return StoredGrades(0, has_value=False)
    with staged(session, _STAGED, list(grades.values())):
        add_learners(session, plan, _STAGED, now)
        added, changed = merge(
            session,
            Result,
            {
                "id": fresh_id(session),
                "organisation_id": sa.literal(plan.organisation_id),
                "line_item_id": sa.literal(column.id),
                "learner_id": Learner.id,
                "score": _STAGED.c.score,
                "maximum": _STAGED.c.maximum,
                "graded_at": _STAGED.c.graded_at,
                "read_at": sa.literal(read_at, Result.__table__.c.read_at.type),
            },
            with_learners(plan, _STAGED),
            key=("line_item_id", "learner_id"),
            order=_STAGED.c.sub,
            changes=_touch if touch else _grade_changes,
        )
    has_value = any(score is not None for _, score, _, _ in grades.values())
    if has_value and column.first_value_at is None:
        _record_first_value(session, plan.organisation_id, column.id, read_at)
    return StoredGrades(added + changed, has_value)


def _grade_changes(old: Any, new: Any) -> Changes:
    values, is_older = _touch(old, new)
    differs = sa.or_(
        old.score.is_distinct_from(new.score),
        old.maximum != new.maximum,
        old.graded_at.is_distinct_from(new.graded_at),
    )
    return values, sa.and_(is_older, differs)


def _touch(old: Any, new: Any) -> Changes:
    values = {
        "score": new.score,
        "maximum": new.maximum,
        "graded_at": new.graded_at,
        "read_at": new.read_at,
    }
    return values, old.read_at <= new.read_at


def _record_first_value(session: Session, organisation_id: str, line_item_id: str, at: datetime) -> None:
    session.execute(
        update(LineItem)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.id == line_item_id,
            LineItem.tag.in_(EVIDENCE_TAGS),
            LineItem.first_value_at.is_(None),
        )
        .values(first_value_at=at)
    )


def clear_missing(
    session: Session,
    plan: ContextPlan,
    column: EvidenceColumn,
    present: Mapping[str, bool],
    read_at: datetime,
) -> int:
    """Empty the grades of people whom a column that was read whole does not list any more.

    The row stays, without a score: "not graded" is known, and is not zero.

    :param present: the platform's ids of the people whom it lists, as stored now; true for the graded.
    :returns: how many were emptied.
    """
    of_column = (Result.organisation_id == plan.organisation_id, Result.line_item_id == column.id)
    has_grade = or_(Result.score.is_not(None), Result.graded_at.is_not(None))
    graded, newer = session.execute(
        select(func.count().filter(has_grade), func.count().filter(Result.read_at > read_at)).where(
            *of_column
        )
    ).one()
    # Unless somebody has read later, all that the column lists is among them: as many means the same.
    if not newer and graded == sum(present.values()):
        return 0
    rows = session.execute(
        select(Result.learner_id, Learner.sub)
        .join(Learner, Learner.id == Result.learner_id)
        .where(*of_column, Result.read_at < read_at, has_grade),
        execution_options={"yield_per": CHUNK},
    )
    missing = [learner_id for learner_id, sub in rows if sub not in present]
    for chunk in chunks(missing, CHUNK):
        session.execute(
            update(Result)
            .where(
                Result.organisation_id == plan.organisation_id,
                Result.line_item_id == column.id,
                Result.learner_id.in_(chunk),
                Result.read_at < read_at,
            )
            .values(score=None, graded_at=None, read_at=read_at)
            .execution_options(synchronize_session=False)
        )
    return len(missing)
