"""Learners of several LMSs whom one person joined, and the codes by which they did.

Whoever changes who belongs together holds the lock of the organisation (:func:`lock`) meanwhile: of two that
join at once the second sees what the first has left.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from lti_tool.store import milestone_dues, milestones, organisations
from lti_tool.store.tables import (
    Award,
    Completion,
    Learner,
    MicromoduleVersion,
    MilestoneDecision,
    Person,
    PersonCode,
    Registration,
    new_id,
)


@dataclass(frozen=True, slots=True)
class Account:
    """A learner as one LMS knows them."""

    learner_id: str
    registration_id: str
    platform: str
    """What the LMS is called here."""
    name: str | None
    """As that LMS says."""
    person_id: str | None
    is_test_user: bool
    badges: int
    micromodules: int
    """Completed ones, each once."""


@dataclass(frozen=True, slots=True)
class CodeRow:
    """A code that somebody took."""

    id: str
    learner_id: str
    expires_at: datetime
    used_by_id: str | None


# -- accounts


def _accounts(organisation_id: str) -> sa.Select[Any]:
    return (
        sa.select(
            Learner.id.label("learner_id"),
            Learner.registration_id,
            Registration.name.label("platform"),
            Learner.name,
            Learner.person_id,
            Learner.is_test_user,
            sa.select(sa.func.count())
            .select_from(Award)
            .where(Award.learner_id == Learner.id)
            .scalar_subquery()
            .label("badges"),
            sa.select(sa.func.count(MicromoduleVersion.micromodule_id.distinct()))
            .select_from(Completion)
            .join(MicromoduleVersion, MicromoduleVersion.id == Completion.micromodule_version_id)
            .where(Completion.learner_id == Learner.id)
            .scalar_subquery()
            .label("micromodules"),
        )
        .join(Registration, Registration.id == Learner.registration_id)
        .where(Learner.organisation_id == organisation_id)
        .order_by(Registration.name, Learner.id)
    )


def accounts(session: Session, organisation_id: str, learner_id: str) -> tuple[Account, ...]:
    """A learner and everybody joined with them, the learner first; empty where there is none such."""
    person_id = (
        sa.select(Learner.person_id)
        .where(Learner.organisation_id == organisation_id, Learner.id == learner_id)
        .scalar_subquery()
    )
    rows = session.execute(
        _accounts(organisation_id).where(sa.or_(Learner.id == learner_id, Learner.person_id == person_id))
    )
    found = [Account(**row._mapping) for row in rows]
    return tuple(sorted(found, key=lambda account: account.learner_id != learner_id))


def joined(session: Session, organisation_id: str, learner_id: str) -> tuple[tuple[str, str], ...]:
    """(learner, name of their LMS) of the others who are the same person, by LMS."""
    own = sa.select(Learner.person_id).where(
        Learner.organisation_id == organisation_id, Learner.id == learner_id, Learner.person_id.is_not(None)
    )
    rows = session.execute(
        sa.select(Learner.id, Registration.name)
        .join(Registration, Registration.id == Learner.registration_id)
        .where(
            Learner.organisation_id == organisation_id,
            Learner.person_id == own.scalar_subquery(),
            Learner.id != learner_id,
        )
        .order_by(Registration.name, Learner.id)
    )
    return tuple((row[0], row[1]) for row in rows)


# -- joining and leaving


def lock(session: Session, organisation_id: str) -> None:
    """Let nobody else change who belongs together, nor decide about milestones meanwhile."""
    organisations.lock(session, organisation_id)
    active = milestones.active(session, organisation_id)
    milestones.lock(session, organisation_id, [version.id for version in active])


def join(session: Session, organisation_id: str, learner_ids: Collection[str], now: datetime) -> str:
    """Make these learners one person, whoever they were before; the person's id. Under :func:`lock`."""
    former = _persons_of(session, organisation_id, learner_ids)
    person_id = min(former) if former else new_id()
    if not former:
        session.add(Person(id=person_id, organisation_id=organisation_id, created_at=now))
        session.flush()
    _set_person(session, organisation_id, learner_ids, person_id)
    session.execute(sa.delete(Person).where(Person.id.in_(former - {person_id})))
    decide_again(session, organisation_id, learner_ids)
    return person_id


def leave(session: Session, organisation_id: str, learner_id: str) -> tuple[str, ...]:
    """Let a learner be alone again; those who were joined with them. Under :func:`lock`.

    Of two that were joined none is joined any more. The reasons of milestones of them all go, which tell of
    each other: whoever is erased later would be left in those of the others.
    """
    others = tuple(other for other, _platform in joined(session, organisation_id, learner_id))
    former = _persons_of(session, organisation_id, [learner_id])
    alone = [learner_id] if len(others) > 1 else [learner_id, *others]
    _set_person(session, organisation_id, alone, None)
    if len(others) <= 1:
        session.execute(sa.delete(Person).where(Person.id.in_(former)))
    _forget_reasons(session, organisation_id, [learner_id, *others])
    return others


def _persons_of(session: Session, organisation_id: str, learner_ids: Collection[str]) -> set[str]:
    found = session.scalars(
        sa.select(Learner.person_id).where(
            Learner.organisation_id == organisation_id,
            Learner.id.in_(learner_ids),
            Learner.person_id.is_not(None),
        )
    )
    return {id_ for id_ in found if id_ is not None}


def _set_person(
    session: Session, organisation_id: str, learner_ids: Collection[str], person_id: str | None
) -> None:
    session.execute(
        sa.update(Learner)
        .where(Learner.organisation_id == organisation_id, Learner.id.in_(learner_ids))
        .values(person_id=person_id)
        .execution_options(synchronize_session=False)
    )


def decide_again(session: Session, organisation_id: str, learner_ids: Collection[str]) -> None:
    """Let milestones be decided anew about these learners: without a latest decision they are owed one."""
    milestone_dues.unsettle(session, organisation_id)
    session.execute(
        sa.update(MilestoneDecision)
        .where(
            MilestoneDecision.organisation_id == organisation_id,
            MilestoneDecision.learner_id.in_(learner_ids),
            MilestoneDecision.is_latest.is_(True),
        )
        .values(is_latest=False)
        .execution_options(synchronize_session=False)
    )


def forget_with(session: Session, organisation_id: str, learner_id: str) -> None:
    """Forget the reasons of milestones of everybody joined with a learner who is erased, which tell of both;
    they are decided about anew, by what is left. Under :func:`lock`."""
    others = [other_id for other_id, _platform in joined(session, organisation_id, learner_id)]
    if not others:
        return
    _forget_reasons(session, organisation_id, others)


def _forget_reasons(session: Session, organisation_id: str, learner_ids: Collection[str]) -> None:
    """Forget why milestones were decided as they were about these learners; they are owed a decision anew."""
    milestone_dues.unsettle(session, organisation_id)
    session.execute(
        sa.delete(MilestoneDecision)
        .where(
            MilestoneDecision.organisation_id == organisation_id,
            MilestoneDecision.learner_id.in_(learner_ids),
        )
        .execution_options(synchronize_session=False)
    )


def tidy(session: Session, organisation_id: str) -> None:
    """Remove persons of whom one learner or none is left, as others were erased. Under :func:`lock`."""
    alone = (
        sa.select(Person.id)
        .outerjoin(Learner, Learner.person_id == Person.id)
        .where(Person.organisation_id == organisation_id)
        .group_by(Person.id)
        .having(sa.func.count(Learner.id) < 2)
    )
    ids = list(session.scalars(alone))
    if ids:
        session.execute(sa.delete(Person).where(Person.id.in_(ids)))


# -- codes


def add_code(
    session: Session,
    organisation_id: str,
    learner_id: str,
    code_hash: str,
    now: datetime,
    expires_at: datetime,
) -> str:
    """Keep a learner's new code, and no earlier one of theirs; its id."""
    drop_codes(session, organisation_id, learner_id)
    row = PersonCode(
        id=new_id(),
        organisation_id=organisation_id,
        learner_id=learner_id,
        code_hash=code_hash,
        created_at=now,
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row.id


def drop_codes(session: Session, organisation_id: str, learner_id: str) -> None:
    """Forget every code that a learner took."""
    session.execute(
        sa.delete(PersonCode).where(
            PersonCode.organisation_id == organisation_id, PersonCode.learner_id == learner_id
        )
    )


def open_code(session: Session, organisation_id: str, code_hash: str, now: datetime) -> CodeRow | None:
    """The code of this hash, unless it is over or somebody entered it."""
    return _code(
        session,
        PersonCode.organisation_id == organisation_id,
        PersonCode.code_hash == code_hash,
        PersonCode.expires_at > now,
        PersonCode.used_by_id.is_(None),
        PersonCode.used_at.is_(None),
    )


def entered_code(session: Session, organisation_id: str, learner_id: str, now: datetime) -> CodeRow | None:
    """The code that this learner took and another one entered, while it waits for the learner's word."""
    return _code(
        session,
        PersonCode.organisation_id == organisation_id,
        PersonCode.learner_id == learner_id,
        PersonCode.expires_at > now,
        PersonCode.used_by_id.is_not(None),
    )


def sent_code(session: Session, organisation_id: str, used_by_id: str, now: datetime) -> CodeRow | None:
    """The code that this learner entered, while it waits for the word of who took it."""
    return _code(
        session,
        PersonCode.organisation_id == organisation_id,
        PersonCode.used_by_id == used_by_id,
        PersonCode.expires_at > now,
    )


def _code(session: Session, *where: sa.ColumnElement[bool]) -> CodeRow | None:
    row = session.execute(
        sa.select(PersonCode.id, PersonCode.learner_id, PersonCode.expires_at, PersonCode.used_by_id)
        .where(*where)
        .order_by(PersonCode.created_at.desc(), PersonCode.id)
        .limit(1)
    ).one_or_none()
    return None if row is None else CodeRow(*row)


def use_code(session: Session, code_id: str, used_by_id: str, now: datetime, expires_at: datetime) -> None:
    """Note who entered a code; what else that learner entered is withdrawn by it."""
    session.execute(sa.delete(PersonCode).where(PersonCode.used_by_id == used_by_id))
    session.execute(
        sa.update(PersonCode)
        .where(PersonCode.id == code_id)
        .values(used_by_id=used_by_id, used_at=now, expires_at=expires_at)
    )


def drop_code(session: Session, code_id: str) -> None:
    """Forget a code: it did what it was for, or was refused."""
    session.execute(sa.delete(PersonCode).where(PersonCode.id == code_id))
