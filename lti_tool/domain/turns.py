"""Whose turn it is at a platform that bears only so much: organisations alternate. Pure.

Who has five thousand courses due delays nobody who has one; also not where one read at a time is all that may
begin: who was served longest ago comes first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from lti_tool.domain.registrations import Site


@dataclass(frozen=True, slots=True)
class DueContext:
    """A context whose next sync is owed."""

    organisation_id: str
    context_id: str
    site: Site


@dataclass
class Turns:
    """Remembers who was served when, as long as the process lives; forgetting costs one turn."""

    _served: dict[tuple[str, Site], int] = field(default_factory=dict)
    """(organisation, site) → number of the last turn."""
    _turn: int = 0

    def take(
        self, due: Iterable[DueContext], reads: Mapping[Site, int], limit: int
    ) -> tuple[DueContext, ...]:
        """As many as may begin, in turns.

        :param due: what is owed; of each organisation, in the order in which it is owed.
        :param reads: how many may begin on each site; none on one that is not named.
        """
        waiting: dict[str, deque[DueContext]] = {}
        for one in due:
            waiting.setdefault(one.organisation_id, deque()).append(one)
        left = dict(reads)
        taken: list[DueContext] = []
        while waiting:
            for organisation_id in sorted(waiting, key=lambda key: self._last_turn(waiting[key][0])):
                if len(taken) == limit:
                    return tuple(taken)
                turn = _next(waiting[organisation_id], left)
                if turn is not None:
                    left[turn.site] -= 1
                    self._turn += 1
                    self._served[organisation_id, turn.site] = self._turn
                    taken.append(turn)
                if not waiting[organisation_id]:
                    del waiting[organisation_id]
        return tuple(taken)

    def _last_turn(self, one: DueContext) -> int:
        return self._served.get((one.organisation_id, one.site), 0)


def _next(waiting: deque[DueContext], left: Mapping[Site, int]) -> DueContext | None:
    """The first whose platform may still be asked; those before it have to wait for another pass."""
    while waiting:
        one = waiting.popleft()
        if left.get(one.site, 0) > 0:
            return one
    return None
