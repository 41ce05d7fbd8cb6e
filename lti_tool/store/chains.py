"""The versions of achievements one after the other: as public as the achievements themselves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.orm import aliased

from lti_tool.store.tables import AchievementVersion


@dataclass(frozen=True, slots=True)
class VersionStep:
    """One version of an achievement."""

    id: str
    number: int
    name: str
    created_at: datetime
    whats_new: str | None = None
    """What its author tells those who hold an earlier one."""
    expires_at: datetime | None = None
    """When badges of it end because a later version asks for it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a version stands among those of its achievement."""

    version: VersionStep
    earlier: tuple[VersionStep, ...] = ()
    """The nearest first."""
    later: tuple[VersionStep, ...] = ()
    """The nearest first."""

    @property
    def newest(self) -> VersionStep:
        """The version that can be earned now."""
        return self.later[-1] if self.later else self.version

    @property
    def others(self) -> tuple[VersionStep, ...]:
        """All but this one, the newest first."""
        return (*reversed(self.later), *self.earlier)


_ASKED = aliased(AchievementVersion)
# Made once: putting it together takes ten times as long as the database takes to answer, for each page.
_CHAINS = (
    select(
        _ASKED.id.label("asked_id"),
        AchievementVersion.id,
        AchievementVersion.number,
        AchievementVersion.name,
        AchievementVersion.created_at,
        AchievementVersion.whats_new,
        AchievementVersion.expires_at,
    )
    .select_from(_ASKED)
    .join(AchievementVersion, AchievementVersion.achievement_id == _ASKED.achievement_id)
    .where(_ASKED.id.in_(bindparam("version_ids", expanding=True)))
    .order_by(_ASKED.id, AchievementVersion.number)
)


def places(connection: Connection, version_ids: Collection[str]) -> dict[str, Place]:
    """Where each of these versions stands, by its id; one statement for any number."""
    rows = connection.execute(_CHAINS, {"version_ids": list(version_ids)})
    chains: dict[str, list[VersionStep]] = {}
    for row in rows:
        step = row._asdict()
        chains.setdefault(step.pop("asked_id"), []).append(VersionStep(**step))
    return {id_: _place(chain, id_) for id_, chain in chains.items()}


def place(connection: Connection, version_id: str) -> Place | None:
    """Where one version stands."""
    return places(connection, [version_id]).get(version_id)


def _place(chain: list[VersionStep], version_id: str) -> Place:
    at = next(number for number, step in enumerate(chain) if step.id == version_id)
    return Place(chain[at], tuple(reversed(chain[:at])), tuple(chain[at + 1 :]))
