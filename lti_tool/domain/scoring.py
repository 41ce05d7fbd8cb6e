"""Writing an award back as a score: when, over which value, and when again. Pure.

The tool gives one score only, all the points of its column, and only where there is none: a value that is not
its own is a teacher's, and stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

MOST_TRIES: Final = 10
"""Answered refusals after which a score is given up, until a person asks for it again; four days or so."""
LONGEST_WAIT: Final = timedelta(days=1)


class ScoreState(StrEnum):
    """What became of one learner's score."""

    WAITING = "waiting"
    """Tried, and to be tried again."""
    WRITTEN = "written"
    KEPT = "kept"
    """A value that is not the tool's stands there, and is left alone for good."""
    REFUSED = "refused"
    """The platform does not take it."""


def meaning_of(points: Decimal | None, maximum: Decimal, *, was_sent: bool) -> ScoreState | None:
    """What the value in the column means for a score that is due; ``None`` where there is none to respect.

    :param points: ``None`` where the person is not graded, which is not zero.
    :param was_sent: whether a score was sent before and its answer lost: then full points are our own.
    """
    if points is None:
        return None
    return ScoreState.WRITTEN if was_sent and 0 < maximum <= points else ScoreState.KEPT


def timestamp_after(sent_at: datetime | None, read_at: datetime) -> datetime:
    """When the column was read, to the millisecond, but later than the last timestamp sent (AGS §3.4.4)."""
    at = read_at.replace(microsecond=read_at.microsecond // 1000 * 1000)
    return at if sent_at is None or at > sent_at else sent_at + timedelta(milliseconds=1)


def next_try_at(tries: int, now: datetime) -> datetime | None:
    """When a refused score is tried again: after 1, 4, 16 … minutes, daily at last; ``None``: not any more.

    :param tries: how often the platform has refused it by now, from 1.
    """
    if tries >= MOST_TRIES:
        return None
    return now + min(timedelta(minutes=4 ** (min(tries, 8) - 1)), LONGEST_WAIT)
