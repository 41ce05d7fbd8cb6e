"""How well an LMS and the tool get on: what is kept of each service, and when it is called unwell.

What one process saw and what is stored are of one kind, a :class:`Seen`: the later is added to the earlier,
in memory and in the database alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final

KEPT_FOR: Final = timedelta(days=30)
"""How long a refused login or launch is remembered."""
SKEW_SAMPLES: Final = 9
"""Clocks are compared by the median of so many launches: one odd token moves nothing."""
SKEW_TOLD: Final = 30
"""Seconds. Moodle's tokens live sixty, so half of that leaves no room for a slow network."""
FAILURES_UNWELL: Final = 3
"""In a row; fewer are a restart or a lost packet."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of one service of one deployment."""

    succeeded_at: datetime | None = None
    failed_at: datetime | None = None
    failures: int = 0
    """Since it last answered well."""
    code: str | None = None
    """Why it failed last, and in a line for the operator."""
    detail: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Plain JSON: ``keys``, ``scopes``, ``granted``, ``roster``, ``skew``, ``cases``."""

    def then(self, later: Seen) -> Seen:
        """This, and what was seen after it."""
        has_failed = later.failed_at is not None
        return Seen(
            succeeded_at=later.succeeded_at or self.succeeded_at,
            failed_at=later.failed_at or self.failed_at,
            failures=later.failures + (0 if later.succeeded_at else self.failures),
            code=later.code if has_failed else self.code,
            detail=later.detail if has_failed else self.detail,
            facts=merged_facts(self.facts, later.facts),
        )

    @property
    def is_failing(self) -> bool:
        """The last call of it failed."""
        return self.failures > 0

    @property
    def is_unwell(self) -> bool:
        """It failed several times in a row, or never did anything else."""
        return self.failures >= FAILURES_UNWELL or (self.is_failing and self.succeeded_at is None)

    @property
    def skew_seconds(self) -> int | None:
        """By how much the platform's clock is ahead (behind: negative); ``None`` before any launch."""
        samples = self.facts.get("skew")
        return round(median(samples)) if samples else None

    @property
    def granted(self) -> frozenset[str] | None:
        """The scopes that the last launch out of a course granted; ``None`` before any."""
        found = self.facts.get("granted")
        return None if found is None else frozenset(found)


def merged_facts(earlier: Mapping[str, Any], later: Mapping[str, Any]) -> dict[str, Any]:
    """Facts added up: samples follow each other, cases are counted, everything else is replaced."""
    merged = dict(earlier)
    for name, value in later.items():
        before = earlier.get(name)
        if name == "skew":
            merged[name] = [*(before or ()), *value][-SKEW_SAMPLES:]
        elif name == "scopes":
            merged[name] = {**(before or {}), **value}
        elif name == "cases":
            merged[name] = _counted(before or {}, value)
        else:
            merged[name] = value
    return merged


def _counted(earlier: Mapping[str, Sequence[Any]], later: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    counted = {case: list(value) for case, value in earlier.items()}
    for case, (count, last_at) in later.items():
        before = counted.get(case, (0, ""))
        counted[case] = [before[0] + count, max(before[1], last_at)]
    return counted


@dataclass(frozen=True, slots=True)
class Permission:
    """A scope that the tool needs, and whether it has it."""

    scope: str
    by_launch: bool | None
    """Whether the last launch granted it; ``None`` where none has said."""
    by_token: bool | None
    """Whether the token endpoint gave it when it was last asked for."""

    @property
    def name(self) -> str:
        """The last part of the scope, as the platforms' own pages have it."""
        return self.scope.rsplit("/", 1)[-1]

    @property
    def is_missing(self) -> bool:
        """Something that was seen says so."""
        return self.by_launch is False or self.by_token is False

    @property
    def is_granted(self) -> bool:
        """Something that was seen says so, and nothing says otherwise."""
        return not self.is_missing and (self.by_launch is True or self.by_token is True)


def permissions_of(needed: Sequence[str], launch: Seen | None, token: Seen | None) -> tuple[Permission, ...]:
    """What is had of ``needed``, by the last launch and the last answers of the token endpoint."""
    granted = launch.granted if launch is not None else None
    scopes: Mapping[str, str] = token.facts.get("scopes", {}) if token is not None else {}
    return tuple(
        Permission(
            scope,
            None if granted is None else scope in granted,
            {"granted": True, "refused": False}.get(scopes.get(scope, "")),
        )
        for scope in needed
    )
