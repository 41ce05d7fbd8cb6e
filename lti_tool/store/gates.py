"""Gates: links behind restrictions of the LMS, what was read behind them, and who passes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Proof
from lti_tool.domain.gates import GateReading, GateState
from lti_tool.errors import ErrorCode
from lti_tool.store.copies import is_unconfirmed
from lti_tool.store.dialects import insert_all_if_absent, insert_if_absent, is_of
from lti_tool.store.rosters import ContextPlan
from lti_tool.store.staging import chunks
from lti_tool.store.tables import (
    Gate,
    GatePass,
    Learner,
    Membership,
    MicromoduleVersion,
    Placement,
    ResourceLink,
    new_id,
)

READ_STATUSES = ("draft", "active")
"""Placements whose gates are read: a draft is set up, and simulated, before it is published."""


@dataclass(frozen=True, slots=True)
class GateView:
    """One gate, with the badge that it stands beside and the link that it is on the platform."""

    id: str
    organisation_id: str
    context_id: str
    placement_id: str
    name: str
    """Of the micromodule."""
    evidence_key: str
    label: str
    link_key: str
    resource_link_id: str | None
    """Our key of the link; null until an instructor opened it."""
    link_id_on_platform: str | None
    course_module_id: str | None
    state: GateState
    allows_everybody: bool
    confirmed_at: datetime | None
    read_at: datetime | None
    is_complete: bool
    trouble: str | None
    listed: int
    learners: int
    newly: int

    @property
    def is_missing(self) -> bool:
        """Whether the platform has no link for it, as far as is known: never opened, or gone since."""
        return self.resource_link_id is None or self.trouble == ErrorCode.GATE_LINK_MISSING

    @property
    def reading(self) -> GateReading | None:
        """What was read last; ``None`` before the first time."""
        if self.read_at is None:
            return None
        return GateReading(self.listed, self.learners, self.newly, self.is_complete)


@dataclass(frozen=True, slots=True)
class PassRow:
    """One learner behind a gate."""

    learner_id: str
    name: str | None


def ensure(
    session: Session,
    organisation_id: str,
    context_id: str,
    placement_id: str,
    wanted: Iterable[tuple[str, str, str]],
) -> None:
    """Have exactly these gates beside a placement; one that is there keeps its link and what was read.

    :param wanted: (evidence key, label, link key) of each; where another gate of the course has that link
        key, since it was called so before, a new one gets one of its own.
    """
    wanted = tuple(wanted)
    taken = _taken(session, organisation_id, context_id, [link_key for _key, _label, link_key in wanted])
    keys = set()
    for evidence_key, label, link_key in wanted:
        keys.add(evidence_key)
        is_new = insert_if_absent(
            session,
            Gate,
            {
                "id": new_id(),
                "organisation_id": organisation_id,
                "context_id": context_id,
                "placement_id": placement_id,
                "evidence_key": evidence_key,
                "label": label,
                "link_key": link_key if taken.get(link_key, evidence_key) == evidence_key else new_id(),
                "state": GateState.WAITING.value,
            },
            on=("placement_id", "evidence_key"),
        )
        if not is_new:
            session.execute(
                update(Gate)
                .where(*_of(organisation_id, placement_id), Gate.evidence_key == evidence_key)
                .values(label=label)
                .execution_options(synchronize_session=False)
            )
    session.execute(
        sa.delete(Gate)
        .where(*_of(organisation_id, placement_id), Gate.evidence_key.not_in(keys))
        .execution_options(synchronize_session=False)
    )


def _taken(
    session: Session, organisation_id: str, context_id: str, link_keys: Sequence[str]
) -> Mapping[str, str]:
    """The evidence keys of the gates of a course that have one of these link keys."""
    rows = session.execute(
        select(Gate.link_key, Gate.evidence_key).where(
            Gate.organisation_id == organisation_id,
            Gate.context_id == context_id,
            Gate.link_key.in_(link_keys),
        )
    )
    return {row.link_key: row.evidence_key for row in rows}


def rename(session: Session, organisation_id: str, placement_id: str, names: Mapping[str, str]) -> None:
    """Let gates keep their link under another evidence key; who confirmed them did so for the old one.

    :param names: new key by old key.
    """
    for old, new in names.items():
        session.execute(
            update(Gate)
            .where(*_of(organisation_id, placement_id), Gate.evidence_key == old)
            .values(
                evidence_key=new,
                state=sa.case(
                    (Gate.state == GateState.WAITING.value, GateState.WAITING.value),
                    else_=GateState.OPEN.value,
                ),
                allows_everybody=False,
                confirmed_at=None,
                confirmed_by_id=None,
            )
            .execution_options(synchronize_session=False)
        )


def link_keys(
    session: Session, organisation_id: str, context_id: str, badge_link_key: str
) -> Mapping[str, str]:
    """The link keys of the gates beside a badge link of a course, by evidence key."""
    rows = session.execute(
        select(Gate.evidence_key, Gate.link_key)
        .join(Placement, Placement.id == Gate.placement_id)
        .where(
            Gate.organisation_id == organisation_id,
            Gate.context_id == context_id,
            Placement.badge_link_key == badge_link_key,
        )
    )
    return {row.evidence_key: row.link_key for row in rows}


def _of(organisation_id: str, placement_id: str) -> tuple[ColumnElement[bool], ...]:
    return (Gate.organisation_id == organisation_id, Gate.placement_id == placement_id)


def of_placement(session: Session, organisation_id: str, placement_id: str) -> tuple[GateView, ...]:
    """The gates beside a placement, in the order of their labels."""
    return _views(session, *_of(organisation_id, placement_id))


def of_context(session: Session, organisation_id: str, context_id: str) -> tuple[GateView, ...]:
    """The gates of a course that are there to be read."""
    return _views(
        session,
        Gate.organisation_id == organisation_id,
        Gate.context_id == context_id,
        Placement.status.in_(READ_STATUSES),
    )


def without_link(
    session: Session, organisation_id: str, context_id: str, limit: int
) -> tuple[tuple[str, str, str], ...]:
    """(id, label, name of the badge) of gates that nobody has opened yet, or whose link is gone.

    Those of the newest placements first.
    """
    rows = session.execute(
        select(Gate.id, Gate.label, MicromoduleVersion.name)
        .join(Placement, Placement.id == Gate.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .where(
            Gate.organisation_id == organisation_id,
            Gate.context_id == context_id,
            sa.or_(Gate.resource_link_id.is_(None), Gate.trouble == ErrorCode.GATE_LINK_MISSING.value),
            Placement.status.in_(READ_STATUSES),
            # Of a copied course the links came along, as long as nobody has looked.
            sa.not_(is_unconfirmed()),
        )
        .order_by(Placement.created_at.desc(), Gate.label, Gate.id)
        .limit(limit)
    )
    return tuple((row.id, row.label, row.name) for row in rows)


def gate(session: Session, organisation_id: str, gate_id: str) -> GateView | None:
    """A gate of this organisation whose placement was not removed."""
    found = _views(
        session,
        Gate.organisation_id == organisation_id,
        Gate.id == gate_id,
        Placement.status.in_(READ_STATUSES),
    )
    return found[0] if found else None


def locked_gate(session: Session, organisation_id: str, gate_id: str) -> GateView | None:
    """As :func:`gate`; nobody else changes it until the caller's transaction ends."""
    session.execute(
        select(Gate.id)
        .where(Gate.organisation_id == organisation_id, Gate.id == gate_id)
        .with_for_update(key_share=True)
    )
    return gate(session, organisation_id, gate_id)


def _views(session: Session, *where: ColumnElement[bool]) -> tuple[GateView, ...]:
    rows = session.execute(
        cast(
            "sa.Select[Any]",
            select(
                Gate.id,
                Gate.organisation_id,
                Gate.context_id,
                Gate.placement_id,
                MicromoduleVersion.name,
                Gate.evidence_key,
                Gate.label,
                Gate.link_key,
                Gate.resource_link_id,
                ResourceLink.id_on_platform.label("link_id_on_platform"),
                ResourceLink.course_module_id,
                Gate.state,
                Gate.allows_everybody,
                Gate.confirmed_at,
                Gate.read_at,
                Gate.is_complete,
                Gate.trouble,
                Gate.listed,
                Gate.learners,
                Gate.newly,
            ),
        )
        .join(Placement, Placement.id == Gate.placement_id)
        .join(MicromoduleVersion, MicromoduleVersion.id == Placement.micromodule_version_id)
        .outerjoin(
            ResourceLink,
            sa.and_(ResourceLink.id == Gate.resource_link_id, ResourceLink.context_id == Gate.context_id),
        )
        .where(*where)
        .order_by(Gate.label, Gate.id)
    )
    return tuple(GateView(**{**row._mapping, "state": GateState(row.state)}) for row in rows)


# -- what is kept


def change(session: Session, organisation_id: str, gate_id: str, **values: Any) -> None:
    """Set columns of one gate."""
    session.execute(
        update(Gate)
        .where(Gate.organisation_id == organisation_id, Gate.id == gate_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def adopt_link(session: Session, gate: GateView, resource_link_id: str) -> None:
    """Let a link of the platform be this gate's; what another link showed before is forgotten."""
    session.execute(
        sa.delete(GatePass)
        .where(GatePass.organisation_id == gate.organisation_id, GatePass.gate_id == gate.id)
        .execution_options(synchronize_session=False)
    )
    change(
        session,
        gate.organisation_id,
        gate.id,
        resource_link_id=resource_link_id,
        state=GateState.OPEN.value,
        allows_everybody=False,
        confirmed_at=None,
        confirmed_by_id=None,
        read_at=None,
        is_complete=False,
        trouble=None,
        listed=0,
        learners=0,
        newly=0,
    )


@dataclass(frozen=True, slots=True)
class Comparison:
    """A list that was read, beside the learners of the course and what was known of them."""

    reading: GateReading
    new: tuple[str, ...]
    """Ids of learners who are listed, and of whom nothing was known."""
    again: tuple[str, ...]
    """Of those who are listed, and were known not to pass any more."""
    lost: tuple[str, ...]
    """Of those who passed, and are not in the list."""


def compare(
    session: Session, plan: ContextPlan, gate: GateView, subs: Collection[str], *, is_complete: bool
) -> Comparison:
    """Count a list of those who may open a gate.

    :param subs: the platform's ids of the active people in it.
    """
    # SQLAlchemy does not type what an outer join leaves null.
    known: Sequence[Any] = session.execute(
        select(Learner.id, Learner.sub, GatePass.id, GatePass.is_passed)
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .outerjoin(GatePass, sa.and_(GatePass.gate_id == gate.id, GatePass.learner_id == Learner.id))
        .where(*_learns(plan.organisation_id, plan.id))
        .order_by(Learner.id)
    ).all()
    wanted = frozenset(subs)
    new: list[str] = []
    again: list[str] = []
    lost: list[str] = []
    listed = 0
    for learner_id, sub, pass_id, is_passed in known:
        if sub in wanted:
            listed += 1
            if not is_passed:
                (new if pass_id is None else again).append(learner_id)
        elif is_passed:
            lost.append(learner_id)
    reading = GateReading(listed, len(known), len(new) + len(again), is_complete)
    return Comparison(reading, tuple(new), tuple(again), tuple(lost))


def keep_passes(session: Session, gate: GateView, compared: Comparison, read_at: datetime) -> int:
    """Store who passes; and who does no more, where the list is whole. How many rows that changed.

    Who never passed has no row: not being in a whole list says the same. A launch since the list was begun
    is newer than the list.

    :param read_at: when the reading began.
    """
    seen = {"since": read_at, "read_at": read_at, "source": "roster"}
    rows = (
        {
            "organisation_id": gate.organisation_id,
            "gate_id": gate.id,
            "learner_id": learner_id,
            "is_passed": True,
            **seen,
        }
        for learner_id in compared.new
    )
    changed = insert_all_if_absent(session, GatePass, rows, on=("gate_id", "learner_id"))
    for is_passed, ids in ((True, compared.again), (False, compared.lost)):
        if not is_passed and not compared.reading.is_complete:
            continue
        for chunk in chunks(ids):
            changed += (
                session.connection()
                .execute(
                    update(_passes)
                    .where(
                        is_of(_passes.c.organisation_id, gate.organisation_id),
                        _passes.c.gate_id == gate.id,
                        _passes.c.learner_id.in_(chunk),
                        _passes.c.read_at < read_at,
                    )
                    .values(is_passed=is_passed, **seen)
                )
                .rowcount
            )
    return changed


_passes = cast(sa.Table, GatePass.__table__)


def _learns(organisation_id: str, context_id: str) -> tuple[ColumnElement[bool], ...]:
    """Who counts behind a gate: whoever teaches passes each, whatever the roster calls them."""
    return (
        is_of(Membership.organisation_id, organisation_id),
        Membership.context_id == context_id,
        Membership.is_learner.is_(True),
        Membership.is_active.is_(True),
        Membership.is_staff.is_(False),
        Membership.learner_proof != Proof.REFUSED.value,
        Learner.is_test_user.is_(False),
    )


def keep_launch(session: Session, gate: GateView, learner_id: str, now: datetime) -> bool:
    """The platform let this learner in: a pass; whether that is news."""
    values = {"is_passed": True, "since": now, "read_at": now, "source": "launch"}
    owner = {"organisation_id": gate.organisation_id, "gate_id": gate.id, "learner_id": learner_id}
    if insert_if_absent(session, GatePass, {"id": new_id(), **owner, **values}, on=("gate_id", "learner_id")):
        return True
    changed = session.connection().execute(
        update(_passes)
        .where(
            is_of(_passes.c.organisation_id, gate.organisation_id),
            _passes.c.gate_id == gate.id,
            _passes.c.learner_id == learner_id,
            _passes.c.is_passed.is_(False),
        )
        .values(**values)
    )
    return changed.rowcount == 1


# -- who passes


def people(
    session: Session, gate: GateView, *, is_passed: bool, limit: int
) -> tuple[tuple[PassRow, ...], int]:
    """Learners who pass as last stored, or who do not, by name; and how many they are in all."""
    query = (
        select(Learner.id, Learner.name)
        .select_from(Membership)
        .join(Learner, Learner.id == Membership.learner_id)
        .outerjoin(GatePass, sa.and_(GatePass.gate_id == gate.id, GatePass.learner_id == Learner.id))
        .where(
            *_learns(gate.organisation_id, gate.context_id),
            func.coalesce(GatePass.is_passed, sa.false()) == (sa.true() if is_passed else sa.false()),
        )
    )
    total = session.execute(select(func.count()).select_from(query.subquery())).scalar_one()
    rows = session.execute(query.order_by(func.lower(Learner.name), Learner.id).limit(limit))
    return tuple(PassRow(row.id, row.name) for row in rows), total


def has_staff(session: Session, plan: ContextPlan) -> bool:
    """Whether somebody teaches in the course, who would stand in every list."""
    return session.execute(
        select(
            sa.exists().where(
                Membership.organisation_id == plan.organisation_id,
                Membership.context_id == plan.id,
                Membership.is_staff.is_(True),
                Membership.is_active.is_(True),
            )
        )
    ).scalar_one()


def last_read_at(session: Session, organisation_id: str, context_id: str) -> datetime | None:
    """When the reading of the gate of a course began that was read last."""
    return session.execute(
        select(func.max(Gate.read_at)).where(
            Gate.organisation_id == organisation_id, Gate.context_id == context_id
        )
    ).scalar_one()


def awaits_pass(session: Session, organisation_id: str, context_id: str, learner_id: str) -> bool:
    """Whether a confirmed gate of a published badge of the course, as far as it can be read, is not known to
    let this learner through yet."""
    passed = (
        sa.exists()
        .where(
            GatePass.gate_id == Gate.id,
            GatePass.learner_id == learner_id,
            GatePass.is_passed.is_(True),
        )
        .correlate(Gate)
    )
    return session.execute(
        select(
            sa.exists().where(
                Gate.organisation_id == organisation_id,
                Gate.context_id == context_id,
                Gate.state == GateState.CONFIRMED.value,
                sa.or_(Gate.trouble.is_(None), Gate.trouble != ErrorCode.GATE_LINK_MISSING.value),
                Placement.id == Gate.placement_id,
                Placement.status == "active",
                ~passed,
            )
        )
    ).scalar_one()
