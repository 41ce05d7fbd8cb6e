"""Earning again a badge that ends: from when to when, and with what. Pure.

What renews a badge is that its criteria are met again by what happened since its window opened, and after it
was earned last. What the platform does not date counts as of when it was first seen to be so: the same result
once more is then nothing new.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from lti_tool.domain.criteria import Finding, MeanAtLeast, State, Term, Within
from lti_tool.domain.evaluation import within
from lti_tool.domain.validity import ends_after, no_later_than
from lti_tool.domain.windows import Window

LEAST_MONTH: Final = 28
"""Days of the shortest month: a window opens later than a badge begins."""

CLOCKS_APART: Final = timedelta(days=1)
"""By how much a platform's clock may be ahead of ours, and what it dates still counts."""


@dataclass(frozen=True, slots=True)
class RenewalTerms:
    """How the badges of a version are renewed."""

    months: int
    """For how long each time."""
    opens_days: int
    """How many days before the end what happens counts."""
    closes_days: int | None
    """Until how many days after the end; ``None``: at any time later."""
    latest: datetime | None = None
    """When all badges of the version end."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """How long somebody has a badge: until when, and since which success."""

    ends_at: datetime
    met_at: datetime
    """When its criteria were met last, for the award or for a renewal."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """A badge was earned again."""

    finding: Finding
    """Of the criteria, with what does not count as not met."""
    met_at: datetime
    ends_at: datetime


def terms_of(
    months: int | None, opens_days: int | None, closes_days: int | None, latest: datetime | None = None
) -> RenewalTerms | None:
    """The terms of a version; ``None`` where its badges do not end, or are not renewed."""
    if months is None or opens_days is None:
        return None
    return RenewalTerms(months, opens_days, closes_days, latest)


def renewal_window(ends_at: datetime, terms: RenewalTerms) -> Window | None:
    """From when to when a badge that ends then is earned again; ``None`` where its version ends with it, so
    that there is nothing to gain.

    :param ends_at: aware.
    """
    if terms.latest is not None and terms.latest.replace(microsecond=0) <= ends_at:
        return None
    closes_at = None if terms.closes_days is None else _days_after(ends_at, terms.closes_days)
    return Window(ends_at - timedelta(days=terms.opens_days), closes_at)


def renewed(finding: Finding, tenure: Tenure, terms: RenewalTerms, now: datetime) -> Renewed | None:
    """Whether a badge is renewed by what is known, and until when.

    It goes on from its end where it was earned again before, so that nobody loses by being early; else from
    the success. Asking again with the same facts renews nothing, since they are not later than this success.

    :param finding: how its criteria stand, whenever that came about. :param now: aware UTC.
    """
    window = renewal_window(tenure.ends_at, terms)
    if window is None or window.starts_at is None or window.starts_at > now:
        return None
    again = within(asked_in(finding, window, tenure.met_at, now), finding)
    if again.state is not State.MET or again.met_at is None:
        return None
    # A clock ahead of ours must not keep a badge for longer.
    met_at = min(again.met_at, now)
    ends_at = ends_after(max(tenure.ends_at, met_at.replace(microsecond=0)), terms.months)
    if terms.latest is not None:
        ends_at = no_later_than(ends_at, terms.latest, met_at)
    if ends_at is None or ends_at <= tenure.ends_at:
        return None
    return Renewed(again, met_at, ends_at)


def asked_in(finding: Finding, window: Window, met_at: datetime, now: datetime) -> Within:
    """The criteria of ``finding`` as a renewal asks for them: by what is new, and within the window.

    What is dated far ahead does not count yet: it would renew the badge each time again.
    """
    criterion = finding.criterion
    assert not isinstance(criterion, Term)
    after, before = met_at + timedelta(microseconds=1), now + CLOCKS_APART
    return Within(
        criterion,
        after if window.starts_at is None else max(window.starts_at, after),
        before if window.ends_at is None else min(window.ends_at, before),
    )


def undated(finding: Finding) -> frozenset[str]:
    """The evidence keys of what is met, and nobody says since when: not every platform dates its grades."""
    if finding.parts:
        return frozenset().union(*(undated(part) for part in finding.parts))
    is_undated = finding.state is State.MET and finding.met_at is None
    key = getattr(finding.criterion, "key", None)
    return frozenset({key}) if is_undated and key is not None else frozenset()


def dated_as_seen(finding: Finding, seen: Mapping[str, datetime]) -> Finding:
    """``finding`` with the dates at which values were first seen, where they have none of their own.

    Of a combination only the parts are dated: :func:`within` dates it by these.

    :param seen: by evidence key.
    """
    if finding.parts:
        parts = tuple(dated_as_seen(part, seen) for part in finding.parts)
        finding = finding._replace(parts=parts)
        if isinstance(finding.criterion, MeanAtLeast) and finding.state is State.MET:
            dates = [part.met_at for part in parts if part.met_at is not None]
            return finding._replace(met_at=max(dates) if len(dates) == len(parts) else None)
        return finding
    if finding.state is not State.MET or finding.met_at is not None:
        return finding
    return finding._replace(met_at=seen.get(getattr(finding.criterion, "key", "")))


# -- reminders


class Nearness(StrEnum):
    """How near the end of a badge is."""

    MONTHS = "months"
    """In 60 days or less."""
    WEEKS = "weeks"
    """In 30 days or less."""
    DAYS = "days"
    """In 7 days or less."""
    OVER = "over"


REMINDED_DAYS: Final = 60
"""So many days before its end a badge begins to say so."""
_NEAR: Final = ((7, Nearness.DAYS), (30, Nearness.WEEKS), (REMINDED_DAYS, Nearness.MONTHS))


@dataclass(frozen=True, slots=True)
class Ending:
    """What somebody is told whose badge ends soon, or has ended."""

    ends_at: datetime
    nearness: Nearness
    window: Window | None
    """From when to when it is earned again; ``None``: it is not renewed."""
    is_open: bool
    """Whether what happens now renews it."""

    @property
    def is_missed(self) -> bool:
        """Whether it could have been renewed, and cannot any more."""
        return self.window is not None and self.nearness is Nearness.OVER and not self.is_open

    @property
    def is_over_for_good(self) -> bool:
        """Whether it has ended and never could be renewed."""
        return self.window is None and self.nearness is Nearness.OVER


def ending_of(ends_at: datetime | None, terms: RenewalTerms | None, now: datetime) -> Ending | None:
    """What to tell of a badge that ends then; ``None`` as long as there is nothing to tell.

    :param now: aware UTC.
    """
    if ends_at is None:
        return None
    if ends_at <= now:
        nearness = Nearness.OVER
    else:
        found = (word for days, word in _NEAR if ends_at - now <= timedelta(days=days))
        near = next(found, None)
        if near is None:
            return None
        nearness = near
    window = None if terms is None else renewal_window(ends_at, terms)
    is_open = (
        window is not None
        and (window.starts_at is None or window.starts_at <= now)
        and (window.ends_at is None or now <= window.ends_at)
    )
    return Ending(ends_at, nearness, window, is_open)


def renewal_progress(finding: Finding, window: Window) -> Finding:
    """How the criteria of ``finding`` stand for a renewal, for its holder to see."""
    criterion = finding.criterion
    assert not isinstance(criterion, Term)
    return within(Within(criterion, window.starts_at, window.ends_at), finding)


def _days_after(at: datetime, days: int) -> datetime | None:
    try:
        return at + timedelta(days=days)
    except OverflowError:
        return None
