"""Switching a badge on for a micromodule that only recorded completions: what is bound, and who completed it.

Everything goes from learner to learner in the order of their ids, or a page at a time: fifty thousand
completions are never in memory together.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

import sqlalchemy as sa
from sqlalchemy import and_, case, exists, func, select
from sqlalchemy.orm import Session, aliased

from lti_tool.domain.retroactive import PROVING, Withheld
from lti_tool.store.dialects import insert_rows, is_of
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Completion,
    Context,
    Credential,
    Decision,
    Learner,
    Membership,
    Micromodule,
    MicromoduleVersion,
    Placement,
    Registration,
    new_id,
)


class BareVersion(NamedTuple):
    """A version of a micromodule that issues no badge."""

    id: str
    number: int
    name: str
    criteria: dict[str, Any]


@dataclass(frozen=True, slots=True)
class CompleterRow:
    """Somebody who completed it, by the newest version that they completed."""

    learner_id: str
    name: str | None
    user_id: str
    """As the platform names them."""
    context_id: str | None
    course: str | None
    """Null where the course is gone, or has no name."""
    number: int
    """Of the version."""
    version_id: str
    met_at: datetime
    recorded_at: datetime
    decision_id: str | None
    has_left: bool
    is_doubted: bool
    """Facts changed since: they would not complete it now."""
    withheld: str | None
    """A :class:`~lti_tool.domain.retroactive.Withheld`."""


class Batch(NamedTuple):
    """Some of those who completed one version."""

    people: tuple[CompleterRow, ...]
    """Without those who completed a newer version, too."""
    last: str
    """The learner after whom the next ones come."""
    is_last: bool


class Tally(NamedTuple):
    """How many of those who completed it are alike."""

    withheld: str | None
    has_left: bool
    is_seen: bool
    """Their date is when the tool saw it."""
    people: int


class NewAward(NamedTuple):
    """An award for a completion."""

    id: str
    learner_id: str
    context_id: str | None
    decision_id: str | None
    met_at: datetime


def owner(session: Session, micromodule_id: str) -> str | None:
    """The organisation whose micromodule it is."""
    return session.scalar(select(Micromodule.organisation_id).where(Micromodule.id == micromodule_id))


def bare_versions(session: Session, organisation_id: str, micromodule_id: str) -> tuple[BareVersion, ...]:
    """The versions of a micromodule that issue no badge, the newest first."""
    rows = session.execute(
        select(
            MicromoduleVersion.id,
            MicromoduleVersion.number,
            MicromoduleVersion.name,
            MicromoduleVersion.criteria,
        )
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
            MicromoduleVersion.achievement_version_id.is_(None),
        )
        .order_by(MicromoduleVersion.number.desc())
    )
    return tuple(BareVersion(*row) for row in rows)


def badged_versions(session: Session, organisation_id: str, micromodule_id: str) -> list[list[str]]:
    """(version, its achievement version) of those that issue a badge, the newest first."""
    rows = session.execute(
        select(MicromoduleVersion.id, MicromoduleVersion.achievement_version_id)
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
            MicromoduleVersion.achievement_version_id.is_not(None),
        )
        .order_by(MicromoduleVersion.number.desc())
    )
    return [[row[0], str(row[1])] for row in rows]


def bind(session: Session, organisation_id: str, version_id: str, achievement_version_id: str) -> bool:
    """Let a version issue this badge; whether it issued none before."""
    bound = session.connection().execute(
        sa.update(MicromoduleVersion)
        .where(
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.id == version_id,
            MicromoduleVersion.achievement_version_id.is_(None),
        )
        .values(achievement_version_id=achievement_version_id)
    )
    return bound.rowcount == 1


def placements(
    session: Session, organisation_id: str, context_id: str, micromodule_ids: Collection[str]
) -> tuple[tuple[str, str], ...]:
    """(placement, micromodule) of those of these micromodules that are published in a course."""
    rows = session.execute(
        select(Placement.id, MicromoduleVersion.micromodule_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(
            Placement.organisation_id == organisation_id,
            Placement.context_id == context_id,
            Placement.status == "active",
            MicromoduleVersion.micromodule_id.in_(micromodule_ids),
        )
    )
    return tuple((row[0], row[1]) for row in rows)


# -- who completed it


_other = aliased(Completion)
_other_version = aliased(MicromoduleVersion)


def _is_newest(micromodule_id: str) -> Any:
    """Nobody is listed twice: the newest version that they completed is the one that counts."""
    return ~exists(
        select(_other.id)
        .join(_other_version, _other_version.id == _other.micromodule_version_id)
        .where(
            _other.learner_id == Completion.learner_id,
            _other_version.micromodule_id == micromodule_id,
            _other_version.number > MicromoduleVersion.number,
        )
        .correlate(Completion, MicromoduleVersion)
    )


def _holds(micromodule_id: str) -> Any:
    return exists(
        select(Award.id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .where(Award.learner_id == Completion.learner_id, Achievement.micromodule_id == micromodule_id)
        .correlate(Completion)
    )


def _withheld(micromodule_id: str, sure_products: Collection[str]) -> Any:
    """Why somebody gets none; null where they do. What is not known of somebody keeps nothing from them."""
    is_here = Membership.is_active.is_(True)
    return case(
        (_holds(micromodule_id), Withheld.HELD.value),
        (Learner.is_test_user.is_(True), Withheld.TEST_USER.value),
        (Membership.is_staff.is_(True), Withheld.STAFF.value),
        (and_(is_here, Membership.is_learner.is_(False)), Withheld.NOT_A_LEARNER.value),
        (Membership.learner_proof == "refused", Withheld.NOT_A_STUDENT.value),
        (
            and_(
                Registration.product.not_in(list(sure_products)),
                Membership.learner_proof.not_in([proof.value for proof in PROVING]),
            ),
            Withheld.UNPROVED.value,
        ),
        else_=sa.null(),
    )


def _has_left() -> Any:
    return func.coalesce(Membership.is_active, sa.false()).is_(sa.false())


def _completers(query: Any, organisation_id: str, micromodule_id: str) -> Any:
    return (
        query.select_from(Completion)
        .join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
        .join(Learner, Learner.id == Completion.learner_id)
        .join(Registration, Registration.id == Learner.registration_id)
        .outerjoin(Context, Context.id == Completion.context_id)
        .outerjoin(
            Membership,
            and_(
                Membership.learner_id == Completion.learner_id,
                Membership.context_id == Completion.context_id,
            ),
        )
        .where(
            is_of(Completion.organisation_id, organisation_id),
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
        )
    )


def _rows(organisation_id: str, micromodule_id: str, sure_products: Collection[str]) -> Any:
    doubted = exists(
        select(Decision.id)
        .where(
            Decision.learner_id == Completion.learner_id,
            Decision.micromodule_version_id == Completion.micromodule_version_id,
            Decision.is_latest.is_(True),
            Decision.verdict == "review",
        )
        .correlate(Completion)
    )
    query = select(
        Completion.learner_id,
        Learner.name,
        Learner.sub.label("user_id"),
        Completion.context_id,
        Context.title.label("course"),
        MicromoduleVersion.number,
        MicromoduleVersion.id.label("version_id"),
        Completion.met_at,
        Completion.recorded_at,
        Completion.decision_id,
        _has_left().label("has_left"),
        doubted.label("is_doubted"),
        _withheld(micromodule_id, sure_products).label("withheld"),
    )
    return _completers(query, organisation_id, micromodule_id).where(_is_newest(micromodule_id))


def tallies(
    session: Session, organisation_id: str, micromodule_id: str, sure_products: Collection[str]
) -> tuple[Tally, ...]:
    """How many completed it, by what becomes of them."""
    each = _completers(
        select(
            _withheld(micromodule_id, sure_products).label("withheld"),
            _has_left().label("has_left"),
            (Completion.met_at >= Completion.recorded_at).label("is_seen"),
        ),
        organisation_id,
        micromodule_id,
    )
    found = each.where(_is_newest(micromodule_id)).subquery()
    columns = (found.c.withheld, found.c.has_left, found.c.is_seen)
    rows = session.execute(select(*columns, func.count()).group_by(*columns))
    return tuple(Tally(row[0], bool(row[1]), bool(row[2]), row[3]) for row in rows)


def page(
    session: Session,
    organisation_id: str,
    micromodule_id: str,
    sure_products: Collection[str],
    *,
    offset: int,
    limit: int,
) -> tuple[CompleterRow, ...]:
    """Those who completed it, by name."""
    by_name = (func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
    rows = session.execute(
        _rows(organisation_id, micromodule_id, sure_products).order_by(*by_name).offset(offset).limit(limit)
    )
    return tuple(_completer(row) for row in rows)


def batch(
    session: Session,
    organisation_id: str,
    micromodule_id: str,
    sure_products: Collection[str],
    *,
    version_id: str,
    after: str,
    limit: int,
) -> Batch:
    """Those who completed one version, in the order of their ids: who follows the learner ``after``.

    First whose turn it is, which the unique key alone answers; asked at once, PostgreSQL joined and sorted
    all the fifty thousand that were left, each time.
    """
    found = session.execute(
        select(Completion.id, Completion.learner_id)
        .where(Completion.micromodule_version_id == version_id, Completion.learner_id > after)
        .order_by(Completion.learner_id)
        .limit(limit)
    ).all()
    if not found:
        return Batch((), "", is_last=True)
    rows = session.execute(
        _rows(organisation_id, micromodule_id, sure_products)
        .where(Completion.id.in_([row.id for row in found]))
        .order_by(Completion.learner_id)
    )
    people = tuple(_completer(row) for row in rows)
    return Batch(people, found[-1].learner_id, is_last=len(found) < limit)


def version_ids(session: Session, organisation_id: str, micromodule_id: str) -> tuple[str, ...]:
    """The versions of a micromodule, the newest first."""
    return tuple(
        session.scalars(
            select(MicromoduleVersion.id)
            .where(
                MicromoduleVersion.organisation_id == organisation_id,
                MicromoduleVersion.micromodule_id == micromodule_id,
            )
            .order_by(MicromoduleVersion.number.desc())
        )
    )


def _completer(row: Any) -> CompleterRow:
    values = dict(row._mapping)
    values["has_left"], values["is_doubted"] = bool(values["has_left"]), bool(values["is_doubted"])
    return CompleterRow(**values)


def decisions(
    session: Session, organisation_id: str, decision_ids: Collection[str]
) -> dict[str, dict[str, Any]]:
    """The stored evidence of decisions, by their ids."""
    rows = session.execute(
        select(Decision.id, Decision.evidence).where(
            Decision.organisation_id == organisation_id, Decision.id.in_(decision_ids)
        )
    )
    return {row.id: row.evidence for row in rows}


def criteria(session: Session, organisation_id: str, version_ids: Collection[str]) -> dict[str, Any]:
    """The stored criteria of versions, by their ids."""
    rows = session.execute(
        select(MicromoduleVersion.id, MicromoduleVersion.criteria).where(
            MicromoduleVersion.organisation_id == organisation_id, MicromoduleVersion.id.in_(version_ids)
        )
    )
    return {row.id: row.criteria for row in rows}


# -- awarding


_COLUMNS: Final = NewAward._fields


def store_awards(
    session: Session,
    organisation_id: str,
    achievement_version_id: str,
    new: Sequence[NewAward],
    now: datetime,
) -> tuple[NewAward, ...]:
    """Record awards; those that were really added. Who was awarded meanwhile stays as they are."""
    added = insert_rows(
        session,
        Award,
        _COLUMNS,
        new,
        shared={
            "organisation_id": organisation_id,
            "achievement_version_id": achievement_version_id,
            "awarded_at": now,
        },
        unless=("achievement_version_id", "learner_id"),
    )
    if added == len(new):
        return tuple(new)
    kept = {
        id_
        for chunk in chunks([award.id for award in new])
        for id_ in session.scalars(select(Award.id).where(Award.id.in_(chunk)))
    }
    return tuple(award for award in new if award.id in kept)


def unsigned(
    session: Session, organisation_id: str, achievement_version_ids: Collection[str], after: str, limit: int
) -> tuple[str, ...]:
    """Ids of awards of these achievement versions that have no signed credential, from the one after
    ``after`` on."""
    return tuple(
        session.scalars(
            select(Award.id)
            .outerjoin(Credential, Credential.award_id == Award.id)
            .where(
                is_of(Award.organisation_id, organisation_id),
                Award.achievement_version_id.in_(achievement_version_ids),
                Credential.document.is_(None),
                Award.id > after,
            )
            .order_by(Award.id)
            .limit(limit)
        )
    )


def contexts(session: Session, organisation_id: str, version_ids: Collection[str]) -> tuple[str, ...]:
    """The courses in which these versions were completed."""
    return tuple(
        session.scalars(
            select(Completion.context_id)
            .where(
                is_of(Completion.organisation_id, organisation_id),
                Completion.micromodule_version_id.in_(version_ids),
                Completion.context_id.is_not(None),
            )
            .distinct()
            .order_by(Completion.context_id)
        )
    )


def new_award(row: CompleterRow) -> NewAward:
    """The award for a completion, dated as this was."""
    return NewAward(new_id(), row.learner_id, row.context_id, row.decision_id, row.met_at)
