"""Imported skills frameworks of an organisation, and the search in them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import case, delete, func, select, update
from sqlalchemy.orm import Session

from lti_tool.store.dialects import insert_all_if_absent, insert_if_absent
from lti_tool.store.staging import chunks
from lti_tool.store.tables import Framework, FrameworkItem, new_id

_CONTENT = ("url", "code", "name", "description", "target_type", "words")


@dataclass(frozen=True, slots=True)
class FrameworkView:
    """A framework as it was imported last."""

    id: str
    kind: str
    """``esco`` or ``case``."""
    url: str
    name: str
    version: str | None
    language: str | None
    items: int
    imported_by: str
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class SkillView:
    """A skill of a framework, as an alignment takes it."""

    id: str
    name: str
    url: str
    code: str | None
    description: str | None
    target_type: str
    framework: str
    version: str | None
    language: str | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """What an import changed, in items."""

    added: int
    changed: int
    removed: int
    unchanged: int


def list_frameworks(session: Session, organisation_id: str) -> tuple[FrameworkView, ...]:
    """All of an organisation, by name."""
    rows = session.execute(
        _frameworks(organisation_id).order_by(Framework.name, Framework.language, Framework.id)
    )
    return tuple(FrameworkView(*row) for row in rows)


def framework(session: Session, organisation_id: str, framework_id: str) -> FrameworkView | None:
    """One of this organisation."""
    row = session.execute(_frameworks(organisation_id).where(Framework.id == framework_id)).one_or_none()
    return None if row is None else FrameworkView(*row)


def _frameworks(organisation_id: str) -> Any:
    return select(
        Framework.id,
        Framework.kind,
        Framework.url,
        Framework.name,
        Framework.version,
        Framework.language,
        Framework.items,
        Framework.imported_by,
        Framework.imported_at,
    ).where(Framework.organisation_id == organisation_id)


def save(
    session: Session, organisation_id: str, values: Mapping[str, Any], *, actor: str, now: datetime
) -> str:
    """Add a framework, or renew the one with this URL; its id.

    :param values: ``kind``, ``url``, ``name``, ``version``, ``language``.
    """
    complete = {**values, "imported_by": actor, "imported_at": now}
    row = {"id": new_id(), "organisation_id": organisation_id, "items": 0, **complete}
    insert_if_absent(session, Framework, row, on=("organisation_id", "url"))
    # Whoever imports the same at this moment waits here, then renews what the other one left.
    id_: str = session.scalars(
        select(Framework.id)
        .where(Framework.organisation_id == organisation_id, Framework.url == values["url"])
        .with_for_update()
    ).one()
    session.execute(
        update(Framework)
        .where(Framework.organisation_id == organisation_id, Framework.id == id_)
        .values(**complete)
    )
    return id_


def replace_items(
    session: Session, organisation_id: str, framework_id: str, items: Iterable[Mapping[str, Any]]
) -> Renewal:
    """Keep exactly these items of a framework.

    :param items: each with ``url``, ``code``, ``name``, ``description``, ``target_type`` and ``words``; no
        URL twice.
    """
    own = (FrameworkItem.organisation_id == organisation_id, FrameworkItem.framework_id == framework_id)
    columns = [getattr(FrameworkItem, name) for name in _CONTENT]
    known = {row[0]: row[1:] for row in session.execute(select(FrameworkItem.id, *columns).where(*own))}
    given = {item_id(framework_id, item["url"]): item for item in items}
    gone = [id_ for id_ in known if id_ not in given]
    changed = {
        id_
        for id_, item in given.items()
        if id_ in known and known[id_] != tuple(item[name] for name in _CONTENT)
    }
    # What changed is written anew under its id, which nothing refers to: a statement for each of 14,000 would
    # keep every other writer of SQLite waiting for longer than it waits.
    for chunk in chunks([*gone, *changed]):
        session.execute(delete(FrameworkItem).where(*own, FrameworkItem.id.in_(chunk)))
    written = insert_all_if_absent(
        session,
        FrameworkItem,
        (
            {"id": id_, "organisation_id": organisation_id, "framework_id": framework_id}
            | {name: item[name] for name in _CONTENT}
            for id_, item in given.items()
            if id_ not in known or id_ in changed
        ),
        on=("id",),
    )
    session.execute(
        update(Framework)
        .where(Framework.organisation_id == organisation_id, Framework.id == framework_id)
        .values(items=len(given))
    )
    added = written - len(changed)
    return Renewal(added, len(changed), len(gone), len(given) - written)


def item_id(framework_id: str, url: str) -> str:
    """The same for the same item whenever it is imported."""
    return hashlib.sha256(f"{framework_id}\n{url}".encode()).hexdigest()[:32]


def remove(session: Session, organisation_id: str, framework_id: str) -> bool:
    """Remove a framework with its items; whether there was one. Badges keep what they are aligned to."""
    own = (Framework.organisation_id == organisation_id, Framework.id == framework_id)
    if session.scalar(select(Framework.id).where(*own)) is None:
        return False
    session.execute(
        delete(FrameworkItem).where(
            FrameworkItem.organisation_id == organisation_id, FrameworkItem.framework_id == framework_id
        )
    )
    session.execute(delete(Framework).where(*own))
    return True


def has_items(session: Session, organisation_id: str) -> bool:
    """Whether there is anything to search in."""
    found = session.scalar(
        select(Framework.id).where(Framework.organisation_id == organisation_id, Framework.items > 0).limit(1)
    )
    return found is not None


def search(
    session: Session, organisation_id: str, text: str, words: Sequence[str], *, language: str, limit: int
) -> tuple[SkillView, ...]:
    """The items that hold every one of ``words``, the likeliest first.

    :param text: the whole search, folded; a name that is it, or begins with it, comes first.
    :param words: folded.
    :param language: frameworks in this language come before others.
    """
    held = FrameworkItem.words
    rank = case(
        (held.startswith(f"{text}\n", autoescape=True), 0),
        (held.startswith(text, autoescape=True), 1),
        (held.startswith(text.split(" ")[0], autoescape=True), 2),
        else_=3,
    )
    rows = session.execute(
        _skills()
        .where(
            FrameworkItem.organisation_id == organisation_id,
            *(held.contains(word, autoescape=True) for word in words),
        )
        .order_by(
            rank,
            case((Framework.language == language, 0), else_=1),
            func.length(FrameworkItem.name),
            FrameworkItem.name,
            FrameworkItem.id,
        )
        .limit(limit)
    )
    return tuple(SkillView(*row) for row in rows)


def skill(session: Session, organisation_id: str, item_id: str) -> SkillView | None:
    """One item of this organisation."""
    row = session.execute(
        _skills().where(FrameworkItem.organisation_id == organisation_id, FrameworkItem.id == item_id)
    ).one_or_none()
    return None if row is None else SkillView(*row)


def _skills() -> Any:
    return select(
        FrameworkItem.id,
        FrameworkItem.name,
        FrameworkItem.url,
        FrameworkItem.code,
        FrameworkItem.description,
        FrameworkItem.target_type,
        Framework.name,
        Framework.version,
        Framework.language,
    ).join(Framework, Framework.id == FrameworkItem.framework_id)
