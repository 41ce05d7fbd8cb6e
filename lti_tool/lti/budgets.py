"""How many calls a platform may be sent: what the connector asks before each call, and tells afterwards."""

from __future__ import annotations

from typing import Protocol

from lti_tool.lti.access import ServiceAccess


class CallBudget(Protocol):
    """What a platform may still be sent, by whichever process."""

    def spend(self, access: ServiceAccess) -> None:
        """Take one call.

        :raises PlatformFailed: PLATFORM_BUSY, PLATFORM_CALLS_SPENT where it may not be made.
        """

    def note_answer(self, access: ServiceAccess, seconds: float) -> None:
        """A call took so long."""

    def slow_down(self, access: ServiceAccess, rest: float) -> None:
        """The platform refused because it is too busy, and gets so many seconds of rest."""

    def heed_warning(self, access: ServiceAccess) -> None:
        """The platform says that it will soon refuse."""


class NoBudget:
    """As many calls as anybody likes: tests, and commands that ask once."""

    def spend(self, access: ServiceAccess) -> None:
        """Nothing is counted."""

    def note_answer(self, access: ServiceAccess, seconds: float) -> None:
        """Nothing is counted."""

    def slow_down(self, access: ServiceAccess, rest: float) -> None:
        """Nobody remembers."""

    def heed_warning(self, access: ServiceAccess) -> None:
        """There is nothing to slow down."""
