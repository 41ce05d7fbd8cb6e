"""Status lists: places in them, what is set in them, and their signed texts.

A place is a bit of a list. It is drawn at random, belongs to one credential or one endorsement, and is never
given twice, so that a position tells neither when nor for whom something was issued.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, NamedTuple

from sqlalchemy import exists, or_, select, union_all, update
from sqlalchemy.orm import Session

from lti_tool.store.dialects import for_each
from lti_tool.store.raw_rows import raw
from lti_tool.store.tables import Credential, Endorsement, Issuer, StatusList, new_id

LIST_SIZE = 131_072
"""Entries of a status list: the least that keeps single learners hidden (Bitstring Status List §6.1)."""

Purpose = Literal["revocation", "suspension"]
"""What a set bit means (Bitstring Status List §2.1): gone for good, or not valid for the time being."""


@dataclass(frozen=True, slots=True)
class StatusListView:
    """A status list of an issuer."""

    id: str
    organisation_id: str
    issuer_id: str
    purpose: str
    size: int
    document: str | None
    """As signed last; null before the first time."""
    is_pending: bool
    """A change waits for its signature."""
    fresh_until: datetime | None
    changed_at: datetime

    def is_current(self, now: datetime) -> bool:
        """Whether the signed text says what is known: nothing changed since, and it is not too old."""
        return (
            self.document is not None
            and not self.is_pending
            and self.fresh_until is not None
            and self.fresh_until > now
        )


class OpenList(NamedTuple):
    """A list that takes further entries, locked until the end of the transaction."""

    id: str
    size: int
    free: int
    """How many more entries it takes before it is half full."""


def open_list(
    session: Session, issuer_id: str, organisation_id: str, purpose: str, now: datetime
) -> OpenList:
    """The issuer's open list of a purpose, made if there is none; there is room for at least one entry."""
    # The issuer's row is the lock: it exists before the first list does.
    session.execute(select(Issuer.id).where(Issuer.id == issuer_id).with_for_update(key_share=True))
    while True:
        found = session.execute(
            select(StatusList).where(
                StatusList.issuer_id == issuer_id,
                StatusList.organisation_id == organisation_id,
                StatusList.purpose == purpose,
                StatusList.is_open.is_(True),
            ),
            # Entries are counted behind the session's back.
            execution_options={"populate_existing": True},
        ).scalar_one_or_none()
        if found is None:
            found = StatusList(
                id=new_id(),
                organisation_id=organisation_id,
                issuer_id=issuer_id,
                purpose=purpose,
                size=LIST_SIZE,
                is_open=True,
                changed_at=now,
            )
            session.add(found)
            session.flush()
        free = found.size // 2 - found.entries
        if free > 0:
            return OpenList(found.id, found.size, free)
        found.is_open = False
        session.flush()


def free_indices(session: Session, list_id: str, size: int, entries: int, count: int) -> list[int]:
    """``count`` random places of a list that nobody has; it is at most half full, so few draws collide.

    :param entries: about how many of its ``size`` places somebody has.
    """
    chosen: dict[int, None] = {}
    while len(chosen) < count:
        # As many as it will take, and some more: each further round asks the database twice.
        needed = (count - len(chosen)) * size // max(1, size - entries)
        drawn = dict.fromkeys(_draws(size, needed + needed // 16 + 8))
        gone = taken(session, list_id, drawn.keys())
        chosen.update(dict.fromkeys(index for index in drawn if index not in gone))
    return list(chosen)[:count]  # in the order in which they were drawn, which says nothing


def _draws(size: int, count: int) -> Iterator[int]:
    """``count`` numbers below ``size`` or fewer, each as likely as any other."""
    limit = 2**32 - 2**32 % size
    for drawn in memoryview(secrets.token_bytes(4 * count)).cast("I"):
        if drawn < limit:  # else the first few numbers would come more often
            yield drawn % size


def propose(
    session: Session, issuer_id: str, organisation_id: str, purpose: str, count: int
) -> tuple[str, list[int]] | None:
    """Random places in the issuer's open list that nobody has now: (id of the list, indices).

    Nothing is locked and nothing is taken: whoever keeps one asks :func:`taken` once the list is locked.
    ``None`` where no list is open.
    """
    found = session.execute(
        select(StatusList.id, StatusList.size, StatusList.entries).where(
            StatusList.issuer_id == issuer_id,
            StatusList.organisation_id == organisation_id,
            StatusList.purpose == purpose,
            StatusList.is_open.is_(True),
        )
    ).one_or_none()
    if found is None:
        return None
    # More than it takes may be asked for while a list is small; it is at most half full when it is open.
    count = min(count, found.size // 2)
    return found.id, free_indices(session, found.id, found.size, found.entries, count)


def taken(session: Session, list_id: str, indices: Collection[int]) -> frozenset[int]:
    """Those of some places that somebody has."""
    place: Any = Credential.status_index
    of_list = select(place).where(Credential.status_list_id == list_id)
    found = {index for (index,) in raw(session, for_each(session, of_list, place, indices), {})}
    if session.scalar(select(exists().where(Endorsement.status_list_id == list_id))):  # in few lists
        place = Endorsement.status_index
        of_list = select(place).where(Endorsement.status_list_id == list_id)
        found.update(session.scalars(for_each(session, of_list, place, indices)))
    return frozenset(found)


def count_entries(session: Session, list_id: str, new: int) -> None:
    """Note how many more places of a locked list were given; in the transaction that gives them."""
    session.execute(
        update(StatusList)
        .where(StatusList.id == list_id)
        .values(entries=StatusList.entries + new)
        .execution_options(synchronize_session=False)
    )


def draw_place(session: Session, issuer_id: str, organisation_id: str, now: datetime) -> tuple[str, int]:
    """A place for one endorsement: (id of the list, index).

    :param organisation_id: of the endorsing issuer, who owns the list.
    """
    found = open_list(session, issuer_id, organisation_id, "revocation", now)
    count_entries(session, found.id, 1)
    entries = found.size // 2 - found.free
    return found.id, free_indices(session, found.id, found.size, entries, 1)[0]


def status_list(session: Session, status_list_id: str) -> StatusListView | None:
    """A status list; it is public."""
    row = session.execute(
        select(
            StatusList.id,
            StatusList.organisation_id,
            StatusList.issuer_id,
            StatusList.purpose,
            StatusList.size,
            StatusList.document,
            StatusList.is_pending,
            StatusList.fresh_until,
            StatusList.changed_at,
        ).where(StatusList.id == status_list_id)
    ).one_or_none()
    return None if row is None else StatusListView(**row._mapping)


def unsigned(session: Session, now: datetime, limit: int) -> tuple[str, ...]:
    """Ids of the status lists to be signed: a change waits for it, or the signed text grows old."""
    is_old = StatusList.fresh_until.is_(None) | (StatusList.fresh_until <= now)
    is_due = StatusList.document.is_(None) | StatusList.is_pending.is_(True) | is_old
    return tuple(session.execute(select(StatusList.id).where(is_due).limit(limit)).scalars())


def mark_changed(session: Session, list_ids: Iterable[str], now: datetime) -> None:
    """Note that lists have to be signed anew. It comes after what was changed, in the same transaction."""
    session.execute(
        update(StatusList)
        .where(StatusList.id.in_(sorted(set(list_ids))))
        .values(is_pending=True, changed_at=now)
        .execution_options(synchronize_session=False)
    )


def mark_issuer_changed(session: Session, issuer_id: str, now: datetime) -> tuple[str, ...]:
    """Have every list of an issuer signed anew, whose key is another one now; their ids."""
    ids = tuple(session.scalars(select(StatusList.id).where(StatusList.issuer_id == issuer_id)))
    mark_changed(session, ids, now)
    return ids


def set_indices(session: Session, status_list_id: str) -> tuple[int, ...]:
    """The bits that are set: what was revoked or withdrawn; in a list of that purpose, what is suspended."""
    is_suspending = select(StatusList.purpose).where(StatusList.id == status_list_id).scalar_subquery()
    return tuple(
        session.execute(
            union_all(
                select(Credential.status_index).where(
                    Credential.status_list_id == status_list_id,
                    or_(
                        Credential.revoked_at.is_not(None),
                        Credential.suspended_at.is_not(None) & (is_suspending == "suspension"),
                    ),
                ),
                select(Endorsement.status_index).where(
                    Endorsement.status_list_id == status_list_id, Endorsement.withdrawn_at.is_not(None)
                ),
            )
        ).scalars()
    )


def store_signed(
    session: Session,
    seen: StatusListView,
    indices: Collection[int],
    document: str,
    now: datetime,
    fresh_until: datetime,
) -> bool:
    """Keep a list signed over ``indices``, unless somebody changed or signed it meanwhile; True if kept.

    A revocation first marks its credential and then the list as changed, so with the list's row locked it is
    either seen here or about to mark what is kept here. That the issuer's key was given up changes no index:
    what was marked since ``seen`` is signed again.
    """
    session.execute(select(StatusList.id).where(StatusList.id == seen.id).with_for_update())
    current = status_list(session, seen.id)
    if current is None or current.is_current(now) or current.changed_at != seen.changed_at:
        return False
    if set(set_indices(session, seen.id)) != set(indices):
        return False
    session.execute(
        update(StatusList)
        .where(StatusList.id == seen.id)
        .values(document=document, is_pending=False, fresh_until=fresh_until)
        .execution_options(synchronize_session=False)
    )
    return True
