"""How many calls an LMS is sent: two buckets of tokens for each platform. Pure arithmetic.

A platform here is an institution's LMS (:class:`~lti_tool.domain.registrations.Site`), also where several
institutions share a registration.

What flows in is the platform's rate. One half fills the bucket of the *schedule*, the other that of *visits*
(a person waits for the answer); what overflows the one flows into the other. So neither starves the other,
and at night, when nobody visits, the schedule has the whole rate.

The schedule may go into debt: a list that was begun is read to its end, since half a list tells nobody who
left; then the platform has rest until the debt is paid. A platform that is too busy empties both buckets, and
is asked at half the pace from then on; within minutes it comes back to its rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

BUCKET_SECONDS: Final = 30.0
"""Each bucket holds what flows in at full rate in so much time: more than one reconcile pass's pause."""
LONGEST_DEBT: Final = 600.0
"""Seconds of the full rate after which even the longest read is forgiven."""
RECOVERY: Final = 600.0
"""Seconds in which a platform's pace grows from nothing to the full rate."""
LEAST_PACE: Final = 1 / 16
LONGEST_REST: Final = 3600.0
"""Seconds for which a platform is left alone at most, whatever it asks for."""
CLOCKS_APART: Final = 2.0
"""Seconds by which the clocks of two machines may differ, or of two calls that take turns at one budget: what
the one counted is ahead of the other's now, and nobody asked for rest."""
SLOW_SECONDS: Final = 2.0
"""A call that takes longer counts for more than one: for as many as this goes into its time."""


@dataclass(frozen=True, slots=True)
class CallBudget:
    """What one platform may still be sent."""

    calls_left: float
    """Of the schedule; negative: in debt."""
    visit_calls_left: float
    pace: float
    """Share of its rate at which the platform is asked at present, 0 < pace ≤ 1."""
    counted_at: datetime
    """Of these counts; further ahead of now than clocks are apart while the platform is left alone."""

    @classmethod
    def full(cls, per_minute: float, now: datetime) -> CallBudget:
        """The budget of a platform that was never asked."""
        bucket = per_minute / 60 * BUCKET_SECONDS
        return cls(bucket, bucket, 1.0, now)

    def rests(self, now: datetime) -> float:
        """Seconds for which the platform is still to be left alone; 0 for none."""
        return max(0.0, (self.counted_at - now).total_seconds() - CLOCKS_APART)

    def at(self, now: datetime, per_minute: float) -> CallBudget:
        """The budget some time later, with what has flowed in since; unchanged while the platform rests."""
        seconds = (now - self.counted_at).total_seconds()
        if seconds <= 0:
            return replace(self, counted_at=now) if self._is_clock_set_back(now) else self
        bucket = per_minute / 60 * BUCKET_SECONDS
        growing = min(seconds, (1 - self.pace) * RECOVERY)
        pace = self.pace + growing / RECOVERY
        inflow = per_minute / 60 * ((self.pace + pace) / 2 * growing + pace * (seconds - growing))
        schedule = self.calls_left + inflow / 2
        visits = self.visit_calls_left + inflow / 2
        spilt = max(0.0, visits - bucket), max(0.0, schedule - bucket)
        return CallBudget(
            # A rate that was lowered since leaves no more than the smaller bucket holds.
            min(bucket, schedule + spilt[0]),
            min(bucket, visits + spilt[1]),
            min(1.0, pace),
            now,
        )

    def _is_clock_set_back(self, now: datetime) -> bool:
        """Whether the counts are of a time that no rest explains: from there on they are those of now."""
        rest = self.rests(now)
        is_left_alone = self.calls_left <= 0 and self.visit_calls_left <= 0
        return rest > (LONGEST_REST if is_left_alone else 0.0)

    def spent(self, calls: float, per_minute: float) -> CallBudget:
        """After so many calls of the schedule, into debt if need be."""
        return replace(self, calls_left=max(self.calls_left - calls, -per_minute / 60 * LONGEST_DEBT))

    def visited(self, calls: int) -> tuple[CallBudget, int]:
        """After a visit that wants so many calls, and how many of them it may make."""
        granted = max(0, min(calls, int(self.visit_calls_left)))
        return replace(self, visit_calls_left=self.visit_calls_left - granted), granted

    def slowed(self, now: datetime, rest: float) -> CallBudget:
        """After the platform said that it is too busy, and is left alone for ``rest`` seconds.

        Several calls under way at once hear the same: the pace is halved once for all of them.
        """
        until = now + timedelta(seconds=min(rest, LONGEST_REST) + CLOCKS_APART)
        if self.rests(now) > 0:
            return replace(self, counted_at=max(self.counted_at, until))
        return CallBudget(min(self.calls_left, 0.0), 0.0, max(LEAST_PACE, self.pace / 2), until)

    def warned(self) -> CallBudget:
        """After the platform said that it will soon be too busy: asked at half the pace."""
        return replace(self, pace=max(LEAST_PACE, self.pace / 2))

    def wait_for_visit(self, now: datetime, per_minute: float) -> float:
        """Seconds until a visit has a call again, at the pace of now."""
        missing = max(0.0, 1 - self.visit_calls_left)
        return self.rests(now) + missing / (per_minute / 120 * self.pace)

    def wait_for_schedule(self, now: datetime, per_minute: float) -> float:
        """Seconds until the schedule may begin another read, at the pace of now; 0: at once."""
        missing = max(0.0, 1 - self.calls_left)
        return self.rests(now) + missing / (per_minute / 120 * self.pace)


def cost_of(seconds: float) -> float:
    """How many calls one counts for that took so long: what is slow for us is work for the platform."""
    return max(1.0, seconds / SLOW_SECONDS)
