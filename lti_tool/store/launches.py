"""What a launch leaves behind: context, link, learner, membership, the nonce, the session.

A launch that tells nothing new costs three statements: one that reads everything it touches, the nonce's
insert and the session's. Rows are written only where they differ, and "last launched" at most once a
minute: a class that opens a course together does not queue up for one row.

Launches are what the tool does most, so the statements here are built once, and rows are read as tuples:
building them anew through the ORM costs more than running them.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import FromClause, Table, and_, bindparam, exists, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection, CursorResult
from sqlalchemy.orm import Session
from sqlalchemy.sql import ColumnElement

from lti_tool.domain.identity import ANONYMOUS
from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import (
    Base,
    Context,
    Deployment,
    Gate,
    LaunchSession,
    Learner,
    LineItem,
    Membership,
    Nonce,
    Placement,
    Registration,
    ResourceLink,
    new_id,
)

TOUCH_INTERVAL: Final = timedelta(minutes=1)
"""How exact ``last_launched_at`` and ``seen_at`` are."""


def _table(mapped: type[Base]) -> Table:
    return cast(Table, mapped.__table__)


_registrations = _table(Registration)
_deployments = _table(Deployment)
_contexts = _table(Context)
_links = _table(ResourceLink)
_learners = _table(Learner)
_memberships = _table(Membership)
_placements = _table(Placement)
_sessions = _table(LaunchSession)
_gates = _table(Gate)


@dataclass(frozen=True, slots=True)
class LaunchKeys:
    """The platform's names of all that a launch touches."""

    registration_id: str
    deployment_id: str
    sub: str
    context_id: str | None
    resource_link_id: str | None
    badge_link_key: str | None


class KnownRegistration(NamedTuple):
    """The columns of a registration that a launch looks at; so with the others."""

    id: str
    name: str
    issuer: str
    product: str
    status: str
    default_organisation_id: str | None
    approves_deployments: bool
    frame_origins: list[str]


class KnownDeployment(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    registration_id: str
    organisation_id: str | None
    status: str
    frame_origins: list[str]
    service_hosts: list[str]
    notices_url: str | None


class KnownContext(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    label: str | None
    title: str | None
    memberships_url: str | None
    line_items_url: str | None
    ags_scopes: list[str]
    last_launched_at: datetime
    sync_due_at: datetime | None
    groups_url: str | None


class KnownLink(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    badge_link_key: str | None
    role: str
    title: str | None
    course_module_id: str | None


class KnownLearner(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    name: str | None
    email: str | None
    is_test_user: bool
    last_launched_at: datetime | None


class KnownMembership(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    is_learner: bool
    is_staff: bool
    is_active: bool
    left_at: datetime | None
    seen_at: datetime
    learner_proof: str
    proved_at: datetime | None


class KnownPlacement(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    status: str
    copied_from_id: str | None
    confirmed_at: datetime | None

    @property
    def is_unconfirmed(self) -> bool:
        """It came with a copied course, and nobody has taken it over yet."""
        return self.status == "draft" and self.copied_from_id is not None and self.confirmed_at is None


class KnownGate(NamedTuple):
    """See :class:`KnownRegistration`."""

    id: str
    placement_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """The rows of ours that a launch touches, as far as they exist."""

    registration: KnownRegistration
    deployment: KnownDeployment | None
    context: KnownContext | None
    link: KnownLink | None
    learner: KnownLearner | None
    membership: KnownMembership | None
    gate: KnownGate | None
    """The gate that this link is."""
    placement: KnownPlacement | None
    """That of the badge link, or the one that the gate stands beside."""
    has_placements: bool
    """Whether there is a micromodule in the context, published or not."""
    has_gates: bool
    """Whether a gate stands beside any of them."""


class SessionRow(NamedTuple):
    """A launch session as stored, but for its token's hash."""

    id: str
    organisation_id: str
    registration_id: str
    deployment_id: str
    learner_id: str
    context_id: str | None
    resource_link_id: str | None
    can_view_progress: bool
    can_configure: bool
    is_learner: bool
    is_read_only: bool
    is_cookie_bound: bool
    locale: str | None
    return_url: str | None
    frame_origins: list[str]
    deep_linking: dict[str, Any] | None
    created_at: datetime
    expires_at: datetime
    is_administrator: bool
    purpose: str
    subject_id: str | None
    placement_id: str | None
    """Of a review that names a column and no link."""


@dataclass(frozen=True, slots=True)
class StoredSession:
    """A launch session joined with what its pages show."""

    session: SessionRow
    learner_name: str | None
    context_title: str | None
    link_role: str | None
    gate_id: str | None
    placement_id: str | None
    is_copied_link: bool
    product: str
    issuer: str
    is_anonymous: bool


# -- the nonce


@functools.cache
def _use_nonce(dialect: str) -> Any:
    table = _table(Nonce)
    if dialect == "postgresql":
        return postgresql.insert(table).on_conflict_do_nothing(index_elements=["value_hash"])
    return sqlite.insert(table).on_conflict_do_nothing(index_elements=["value_hash"])


def consume_nonce(connection: Connection, nonce: str, expires_at: datetime) -> bool:
    """Use a nonce up; False where it was used before. Of two that try at once, one gets True."""
    value_hash = hashlib.sha256(nonce.encode()).hexdigest()
    used = connection.execute(
        _use_nonce(connection.dialect.name),
        {"value_hash": value_hash, "expires_at": expires_at},
        execution_options={"preserve_rowcount": True},
    )
    return cast(CursorResult[Any], used).rowcount == 1


# -- what is known

_PARTS: Final = (
    (_registrations, KnownRegistration),
    (_deployments, KnownDeployment),
    (_contexts, KnownContext),
    (_links, KnownLink),
    (_learners, KnownLearner),
    (_memberships, KnownMembership),
    (_gates, KnownGate),
    (_placements, KnownPlacement),
)


def _is_in_context(table: FromClause, *where: ColumnElement[bool]) -> ColumnElement[bool]:
    return (
        exists()
        .where(
            table.c.context_id == _contexts.c.id,
            table.c.organisation_id == _contexts.c.organisation_id,
            *where,
        )
        .correlate(_contexts)
    )


_placed = _placements.alias("placed")
_HAS_PLACEMENTS: Final = _is_in_context(_placed, _placed.c.status != "removed")
_HAS_GATES: Final = _is_in_context(_gates.alias("gated"))

_FIND_KNOWN: Final = (
    select(*(table.c[name] for table, part in _PARTS for name in part._fields), _HAS_PLACEMENTS, _HAS_GATES)
    .select_from(
        _registrations.outerjoin(
            _deployments,
            and_(
                _deployments.c.registration_id == _registrations.c.id,
                _deployments.c.id_on_platform == bindparam("deployment_id"),
            ),
        )
        .outerjoin(
            _contexts,
            and_(
                _contexts.c.deployment_id == _deployments.c.id,
                _contexts.c.organisation_id == _deployments.c.organisation_id,
                _contexts.c.id_on_platform == bindparam("context_id"),
            ),
        )
        .outerjoin(
            _links,
            and_(
                _links.c.context_id == _contexts.c.id,
                _links.c.id_on_platform == bindparam("resource_link_id"),
            ),
        )
        .outerjoin(
            _learners,
            and_(
                _learners.c.organisation_id == _deployments.c.organisation_id,
                _learners.c.registration_id == _registrations.c.id,
                _learners.c.sub == bindparam("sub"),
            ),
        )
        .outerjoin(
            _memberships,
            and_(_memberships.c.context_id == _contexts.c.id, _memberships.c.learner_id == _learners.c.id),
        )
        .outerjoin(
            _gates,
            and_(
                _gates.c.context_id == _contexts.c.id,
                _gates.c.organisation_id == _deployments.c.organisation_id,
                _gates.c.link_key == bindparam("badge_link_key"),
            ),
        )
        .outerjoin(
            _placements,
            and_(
                _placements.c.context_id == _contexts.c.id,
                _placements.c.organisation_id == _deployments.c.organisation_id,
                or_(
                    _placements.c.id == _gates.c.placement_id,
                    and_(
                        _gates.c.id.is_(None),
                        _placements.c.badge_link_key == bindparam("badge_link_key"),
                    ),
                ),
                _placements.c.status != "removed",
            ),
        )
    )
    .where(_registrations.c.id == bindparam("registration_id"))
)


def find_known(connection: Connection, keys: LaunchKeys) -> Known | None:
    """Everything a launch touches, in one statement; ``None`` where the registration is gone.

    Each row is sought within the one that owns it: a context within its deployment, a learner within the
    deployment's organisation and the registration, a placement or gate within the context.
    """
    row = connection.execute(
        _FIND_KNOWN,
        {
            "registration_id": keys.registration_id,
            "deployment_id": keys.deployment_id,
            "sub": keys.sub,
            "context_id": keys.context_id,
            "resource_link_id": keys.resource_link_id,
            "badge_link_key": keys.badge_link_key,
        },
    ).one_or_none()
    if row is None:
        return None
    parts: list[Any] = []
    start = 0
    for _, part in _PARTS:
        end = start + len(part._fields)
        # An outer join that found nothing gives nulls, the key's included.
        parts.append(None if row[start] is None else part(*row[start:end]))
        start = end
    parts.extend(map(bool, row[start:]))
    return Known(*parts)


def learner_id(session: Session, organisation_id: str, registration_id: str, sub: str) -> str | None:
    """Of somebody whom the platform names and this tool knows."""
    return session.scalar(
        select(Learner.id).where(
            Learner.organisation_id == organisation_id,
            Learner.registration_id == registration_id,
            Learner.sub == sub,
        )
    )


def columns_of(session: Session, organisation_id: str, context_id: str) -> tuple[tuple[str, str], ...]:
    """(URL, placement id) of every column of a context that the platform has given an address."""
    rows = session.execute(
        select(LineItem.id_on_platform, LineItem.placement_id)
        .join(Placement, Placement.id == LineItem.placement_id)
        .where(
            LineItem.organisation_id == organisation_id,
            LineItem.context_id == context_id,
            LineItem.id_on_platform.is_not(None),
            Placement.status != "removed",
        )
    )
    return tuple((str(url), placement_id) for url, placement_id in rows)


# -- what is recorded


def save(
    session: Session,
    table: type[Base],
    row: Any,
    *,
    key: Mapping[str, Any],
    values: Mapping[str, Any],
    created: Mapping[str, Any],
    sticky: tuple[str, ...] = (),
) -> str:
    """Bring one row to ``values``, inserting it if it is not there; only differences are written.

    :param row: the row as :func:`find_known` found it, or ``None``.
    :param key: the columns of its unique constraint.
    :param created: further columns of a new row.
    :param sticky: columns that, once true, stay true whatever ``values`` says.
    :returns: its id.
    """
    columns: Any = table
    if row is None:
        own_id = new_id()
        inserted = insert_if_absent(session, table, {"id": own_id, **key, **values, **created}, on=tuple(key))
        if inserted:
            return own_id
        # Somebody else's launch was a moment faster.
        row = session.scalars(select(table).filter_by(**key)).one()
    changes = {
        name: value
        for name, value in values.items()
        if getattr(row, name) != value and not (name in sticky and getattr(row, name))
    }
    if changes:
        session.execute(
            update(table)
            .where(columns.id == row.id)
            .values(**changes)
            .execution_options(synchronize_session=False)
        )
    return str(row.id)


def touched(before: datetime | None, now: datetime) -> datetime:
    """``now``, or the time before it where that is exact enough."""
    return before if before is not None and now - before < TOUCH_INTERVAL and before <= now else now


def add_session(connection: Connection, row: SessionRow, token_hash: str) -> None:
    """A new launch session."""
    connection.execute(_ADD_SESSION, {**row._asdict(), "token_hash": token_hash})


_ADD_SESSION: Final = insert(_sessions)


# -- sessions


def _is_copied() -> ColumnElement[bool]:
    """Whether a link that stands for nothing here has the key of another course of the organisation."""
    found = []
    for original, own, key in (
        (_placements.alias("original"), _placements.alias("left_behind"), "badge_link_key"),
        (_gates.alias("gate"), _gates.alias("own_gate"), "link_key"),
    ):
        elsewhere = (
            exists()
            .where(
                original.c[key] == _links.c.badge_link_key,
                original.c.organisation_id == _sessions.c.organisation_id,
                original.c.context_id != _sessions.c.context_id,
            )
            .correlate(_links, _sessions)
        )
        # Whoever removed it here does not want it, wherever else it is.
        here = (
            exists()
            .where(own.c[key] == _links.c.badge_link_key, own.c.context_id == _sessions.c.context_id)
            .correlate(_links, _sessions)
        )
        found.append(and_(elsewhere, ~here))
    return or_(*found)


def _is_unconfirmed() -> ColumnElement[bool]:
    return and_(
        _placements.c.status == "draft",
        _placements.c.copied_from_id.is_not(None),
        _placements.c.confirmed_at.is_(None),
    )


_SESSION_BY_TOKEN: Final = (
    select(
        *(_sessions.c[name] for name in SessionRow._fields),
        _learners.c.name,
        _contexts.c.title,
        _links.c.role,
        _gates.c.id,
        _placements.c.id,
        or_(_is_unconfirmed(), and_(_placements.c.id.is_(None), _is_copied())),
        _registrations.c.product,
        _registrations.c.issuer,
        _learners.c.sub == ANONYMOUS.sub,
    )
    .select_from(
        _sessions.join(_registrations, _registrations.c.id == _sessions.c.registration_id)
        .join(_deployments, _deployments.c.id == _sessions.c.deployment_id)
        .join(_learners, _learners.c.id == _sessions.c.learner_id)
        .outerjoin(_contexts, _contexts.c.id == _sessions.c.context_id)
        .outerjoin(_links, _links.c.id == _sessions.c.resource_link_id)
        .outerjoin(
            _gates,
            and_(
                _gates.c.context_id == _sessions.c.context_id,
                _gates.c.organisation_id == _sessions.c.organisation_id,
                _gates.c.link_key == _links.c.badge_link_key,
            ),
        )
        .outerjoin(
            _placements,
            and_(
                _placements.c.context_id == _sessions.c.context_id,
                _placements.c.organisation_id == _sessions.c.organisation_id,
                or_(
                    _placements.c.id == _gates.c.placement_id,
                    and_(_gates.c.id.is_(None), _placements.c.badge_link_key == _links.c.badge_link_key),
                ),
                _placements.c.status != "removed",
            ),
        )
    )
    .where(
        _sessions.c.token_hash == bindparam("token_hash"),
        _registrations.c.status == "approved",
        _deployments.c.status == "approved",
        or_(_learners.c.sub != ANONYMOUS.sub, _registrations.c.allows_anonymous),
    )
)


def prolong_session(session: Session, session_id: str, expires_at: datetime) -> None:
    """Let a session end later; never earlier."""
    session.connection().execute(
        update(_sessions)
        .where(_sessions.c.id == session_id, _sessions.c.expires_at < expires_at)
        .values(expires_at=expires_at)
    )


def session_by_token_hash(connection: Connection, token_hash: str) -> StoredSession | None:
    """The launch session of a token, expired or not; none once its deployment or registration is shut."""
    found = connection.execute(_SESSION_BY_TOKEN, {"token_hash": token_hash}).one_or_none()
    if found is None:
        return None
    end = len(SessionRow._fields)
    learner_name, context_title, link_role, gate_id, placement_id, is_copied, *platform = found[end:]
    product, issuer, is_anonymous = platform
    row = SessionRow(*found[:end])
    return StoredSession(
        session=row,
        learner_name=learner_name,
        context_title=context_title,
        link_role=link_role,
        gate_id=gate_id if placement_id is not None else None,
        placement_id=placement_id or row.placement_id,
        is_copied_link=bool(is_copied),
        product=product,
        issuer=issuer,
        is_anonymous=bool(is_anonymous),
    )


def is_copied_link(session: Session, organisation_id: str, badge_link_key: str, context_id: str) -> bool:
    """Whether the key belongs to a placement or a gate in another context of the organisation, and to none,
    not even a removed one, in this."""
    for table, key in ((Placement, Placement.badge_link_key), (Gate, Gate.link_key)):
        of_key = (table.organisation_id == organisation_id, key == badge_link_key)
        contexts = set(session.scalars(select(table.context_id).where(*of_key).distinct().limit(2)))
        if contexts - {context_id}:
            here = select(table.id).where(*of_key, table.context_id == context_id).limit(1)
            return session.scalar(here) is None
    return False
