"""From when to when anything can count for a badge at all: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from lti_tool.domain.criteria import LEAVES, Criterion, Within


@dataclass(frozen=True, slots=True)
class Window:
    """A span of time, both ends included; an end that is ``None`` is open."""

    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def __bool__(self) -> bool:
        return self.starts_at is not None or self.ends_at is not None


def window_of(criterion: Criterion) -> Window:
    """The window outside which nothing that a criterion asks for counts; open where its dates do not say so.

    Not "by when the badge has to be earned": somebody who did everything in time gets it later, too, when
    the last grade comes in.
    """
    if isinstance(criterion, LEAVES):
        return Window()
    if isinstance(criterion, Within):
        inner = window_of(criterion.part)
        starts_at = _latest(criterion.starts_at, inner.starts_at)
        ends_at = _earliest(criterion.ends_at, inner.ends_at)
        if starts_at is not None and ends_at is not None and starts_at > ends_at:
            return Window()  # dates that exclude each other: there is no window to tell anybody
        return Window(starts_at, ends_at)
    parts = [window_of(part) for part in criterion.parts]
    # A part without a date keeps the whole open: what it asks can be done at any time.
    starts = [part.starts_at for part in parts if part.starts_at is not None]
    ends = [part.ends_at for part in parts if part.ends_at is not None]
    return Window(
        min(starts) if parts and len(starts) == len(parts) else None,
        max(ends) if parts and len(ends) == len(parts) else None,
    )


def _latest(one: datetime | None, other: datetime | None) -> datetime | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _earliest(one: datetime | None, other: datetime | None) -> datetime | None:
    return min((at for at in (one, other) if at is not None), default=None)
