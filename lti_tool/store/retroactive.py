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
from sqlalchemy import and_, case, exists, func, or_, select
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
    GatePass,
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
    is_seen: bool
    """The date is when the tool saw it; nobody told another."""
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


def _is_newest(done: Any, micromodule_id: str) -> Any:
    """Nobody is listed twice: the newest version that they completed is the one that counts."""
    return ~exists(
        select(_other.id)
        .join(_other_version, _other_version.id == _other.micromodule_version_id)
        .where(
            _other.learner_id == done.learner_id,
            _other_version.micromodule_id == micromodule_id,
            _other_version.number > MicromoduleVersion.number,
        )
        .correlate(done, MicromoduleVersion)
    )


_held_version = aliased(AchievementVersion)
_own_badge = aliased(AchievementVersion)
"""The badge of the version that is completed, where it has one."""


def _holds(done: Any, micromodule_id: str) -> Any:
    """A badge of this version or a newer one: who has a former one's and met another's criteria since gets
    that, too."""
    return exists(
        select(Award.id)
        .join(_held_version, _held_version.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == _held_version.achievement_id)
        .where(
            Award.learner_id == done.learner_id,
            Achievement.micromodule_id == micromodule_id,
            or_(
                _own_badge.id.is_(None),
                _held_version.achievement_id != _own_badge.achievement_id,
                _held_version.number >= _own_badge.number,
            ),
        )
        .correlate(done, _own_badge)
    )


def _withheld(done: Any, micromodule_id: str, sure_products: Collection[str], now: datetime) -> Any:
    """Why somebody gets none; null where they do. What is not known of somebody keeps nothing from them."""
    is_here = Membership.is_active.is_(True)
    return case(
        (_holds(done, micromodule_id), Withheld.HELD.value),
        (_own_badge.expires_at <= now, Withheld.ENDED.value),
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


def _is_seen(done: Any) -> Any:
    """Whether nobody told the date: it is the decision's own, or that of a gate which was seen to be open."""
    by_gate = exists(
        select(GatePass.id)
        .where(GatePass.learner_id == done.learner_id, GatePass.since == done.met_at)
        .correlate(done)
    )
    decided_at = (
        select(Decision.decided_at).where(Decision.id == done.decision_id).correlate(done).scalar_subquery()
    )
    return or_(done.met_at >= func.coalesce(decided_at, done.recorded_at), by_gate)


def _has_left() -> Any:
    return func.coalesce(Membership.is_active, sa.false()).is_(sa.false())


def _completers(query: Any, done: Any, organisation_id: str, micromodule_id: str) -> Any:
    return (
        query.select_from(done)
        .join(MicromoduleVersion, MicromoduleVersion.id == done.micromodule_version_id)
        .outerjoin(_own_badge, _own_badge.id == MicromoduleVersion.achievement_version_id)
        .join(Learner, Learner.id == done.learner_id)
        .join(Registration, Registration.id == Learner.registration_id)
        .outerjoin(Context, Context.id == done.context_id)
        .outerjoin(
            Membership,
            and_(
                Membership.learner_id == done.learner_id,
                Membership.context_id == done.context_id,
            ),
        )
        .where(
            is_of(done.organisation_id, organisation_id),
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
        )
    )


def _rows(
    done: Any, organisation_id: str, micromodule_id: str, sure_products: Collection[str], now: datetime
) -> Any:
    doubted = exists(
        select(Decision.id)
        .where(
            Decision.learner_id == done.learner_id,
            Decision.micromodule_version_id == done.micromodule_version_id,
            Decision.is_latest.is_(True),
            Decision.verdict == "review",
        )
        .correlate(done)
    )
    query = select(
        done.learner_id,
        Learner.name,
        Learner.sub.label("user_id"),
        done.context_id,
        Context.title.label("course"),
        MicromoduleVersion.number,
        MicromoduleVersion.id.label("version_id"),
        done.met_at,
        done.recorded_at,
        done.decision_id,
        _is_seen(done).label("is_seen"),
        _has_left().label("has_left"),
        doubted.label("is_doubted"),
        _withheld(done, micromodule_id, sure_products, now).label("withheld"),
    )
    return _completers(query, done, organisation_id, micromodule_id)


def tallies(
    session: Session, organisation_id: str, micromodule_id: str, sure_products: Collection[str], now: datetime
) -> tuple[Tally, ...]:
    """How many completed it, by what becomes of them."""
    each = _completers(
        select(
            _withheld(Completion, micromodule_id, sure_products, now).label("withheld"),
            _has_left().label("has_left"),
            _is_seen(Completion).label("is_seen"),
        ),
        Completion,
        organisation_id,
        micromodule_id,
    )
    found = each.where(_is_newest(Completion, micromodule_id)).subquery()
    columns = (found.c.withheld, found.c.has_left, found.c.is_seen)
    rows = session.execute(select(*columns, func.count()).group_by(*columns))
    return tuple(Tally(row[0], bool(row[1]), bool(row[2]), row[3]) for row in rows)


def count(session: Session, organisation_id: str, micromodule_id: str) -> int:
    """How many completed it: everybody of :func:`tallies`, without asking what becomes of them."""
    found = (
        select(func.count(Completion.learner_id.distinct()))
        .join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
        .where(
            is_of(Completion.organisation_id, organisation_id),
            MicromoduleVersion.organisation_id == organisation_id,
            MicromoduleVersion.micromodule_id == micromodule_id,
        )
    )
    return session.scalar(found) or 0


def page(
    session: Session,
    organisation_id: str,
    micromodule_id: str,
    sure_products: Collection[str],
    now: datetime,
    *,
    offset: int,
    limit: int,
) -> tuple[CompleterRow, ...]:
    """Those who completed it, by name."""
    by_name = (func.lower(func.coalesce(Learner.name, Learner.sub)), Learner.id)
    rows = session.execute(
        _rows(Completion, organisation_id, micromodule_id, sure_products, now)
        .where(_is_newest(Completion, micromodule_id))
        .order_by(*by_name)
        .offset(offset)
        .limit(limit)
    )
    return tuple(_completer(row) for row in rows)


def batch(
    session: Session,
    organisation_id: str,
    micromodule_id: str,
    sure_products: Collection[str],
    now: datetime,
    *,
    version_id: str,
    after: str,
    limit: int,
) -> Batch:
    """Those who completed one version, in the order of their ids: who follows the learner ``after``.

    Whose turn it is comes first, as a table of its own, which the unique key alone answers. Asked for
    together with the rest, PostgreSQL looked at all the fifty thousand each time.
    """
    turn = (
        select(Completion)
        .where(Completion.micromodule_version_id == version_id, Completion.learner_id > after)
        .order_by(Completion.learner_id)
        .limit(limit)
        .subquery("turn")
    )
    done = aliased(Completion, turn)
    found = session.execute(
        _rows(done, organisation_id, micromodule_id, sure_products, now)
        .add_columns(_is_newest(done, micromodule_id).label("is_newest"))
        .order_by(done.learner_id)
    ).all()
    if not found:
        return Batch((), "", is_last=True)
    people = tuple(_completer(row) for row in found if row.is_newest)
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
    values = {name: value for name, value in row._mapping.items() if name != "is_newest"}
    for name in ("is_seen", "has_left", "is_doubted"):
        values[name] = bool(values[name])
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


def holders_between(
    session: Session, organisation_id: str, achievement_version_id: str, after: str, last: str
) -> tuple[tuple[str, str], ...]:
    """(award, learner) of those who have a badge, from the learner after ``after`` to ``last``."""
    rows = session.execute(
        select(Award.id, Award.learner_id)
        .where(
            is_of(Award.organisation_id, organisation_id),
            Award.achievement_version_id == achievement_version_id,
            Award.learner_id > after,
            Award.learner_id <= last,
        )
        .order_by(Award.learner_id)
    )
    return tuple((row[0], row[1]) for row in rows)


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
