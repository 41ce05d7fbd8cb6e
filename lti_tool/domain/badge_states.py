"""What a badge is worth at a moment: signed or not, valid, paused, over, or taken back."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Protocol


class BadgeState(StrEnum):
    """The one word for it; where several would fit, the gravest."""

    UNSIGNED = "unsigned"
    ACTIVE = "active"
    EXPIRED = "expired"
    SUSPENDED = "suspended"
    REVOKED = "revoked"


def badge_state(
    now: datetime,
    *,
    is_signed: bool,
    valid_until: datetime | None,
    suspended_at: datetime | None,
    revoked_at: datetime | None,
) -> BadgeState:
    """The state at ``now``.

    An end of validity is no withdrawal (Open Badges 3.0 wants the two told apart), and a badge that was
    revoked stays so, whatever else happened to it. All times are aware.
    """
    if revoked_at is not None:
        return BadgeState.REVOKED
    if suspended_at is not None:
        return BadgeState.SUSPENDED
    if not is_signed:
        return BadgeState.UNSIGNED
    if valid_until is not None and valid_until <= now:
        return BadgeState.EXPIRED
    return BadgeState.ACTIVE


class Dated:
    """A view of a badge that knows all that decides about its state."""

    __slots__ = ()

    def state(self: _Moments, now: datetime) -> BadgeState:
        """What it is worth at ``now``."""
        return badge_state(
            now,
            is_signed=self.is_signed,
            valid_until=self.valid_until,
            suspended_at=self.suspended_at,
            revoked_at=self.revoked_at,
        )

    def counts(self: _Moments, now: datetime) -> bool:
        """Whether it counts at ``now`` where something asks for it: neither revoked nor over.

        One that is paused counts meanwhile (:mod:`lti_tool.store.counting`).
        """
        return self.revoked_at is None and (self.valid_until is None or self.valid_until > now)


class _Moments(Protocol):
    @property
    def is_signed(self) -> bool: ...
    @property
    def valid_until(self) -> datetime | None: ...
    @property
    def suspended_at(self) -> datetime | None: ...
    @property
    def revoked_at(self) -> datetime | None: ...
