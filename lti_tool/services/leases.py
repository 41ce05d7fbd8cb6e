"""Work that one process at a time does, batch by batch, and another takes over when that one dies."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.store import runs
from lti_tool.store.database import Database

LEASE_SECONDS: Final = 120.0
"""For one batch; whoever works renews it with each."""


class LeaseLost(Exception):
    """The batch that was kept is the last: another process took the work over, or somebody paused it."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A lease that this process has."""

    name: str
    holder: str
    clock: Callable[[], datetime]

    def renew(self, session: Session) -> bool:
        """Renew it in the transaction that keeps a batch; False where it is in other hands by now."""
        return runs.take_lease(session, self.name, self.holder, self.clock(), LEASE_SECONDS)


@contextlib.contextmanager
def held(database: Database, clock: Callable[[], datetime], name: str) -> Iterator[Hold | None]:
    """Hold a lease while something is done; ``None`` where another process has it.

    Given back at the end. Whoever finds that it is in other hands, or that the work is paused, raises
    :class:`LeaseLost`, which ends the work and nothing else.
    """
    hold = Hold(name, uuid.uuid4().hex, clock)
    with database.write() as session:
        is_ours = hold.renew(session)
    if not is_ours:
        yield None
        return
    try:
        with contextlib.suppress(LeaseLost):
            yield hold
    finally:
        with database.write() as session:
            runs.release_lease(session, name, hold.holder)
