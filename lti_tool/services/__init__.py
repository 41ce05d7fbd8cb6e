"""One module per journey. Services own transactions; they hand frozen views to the web and the CLI."""

from __future__ import annotations

from typing import Protocol


class Hints(Protocol):
    """Tells the queue that there is work; a lost hint costs only time (the reconcile pass finds the work)."""

    def offer(self, task: str, **ids: str) -> None:
        """Announce one task: ids in, nothing out. Called after the commit that made the work."""
