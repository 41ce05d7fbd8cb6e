"""The reconcile pass: offers again whatever the database says is still due.

Messages may be lost (a worker killed after it took one off the queue, a queue file deleted); work may not.
One worker at a time makes the pass, under a lease that another takes over when its holder dies.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from lti_tool import telemetry
from lti_tool.bootstrap import Tool
from lti_tool.store import runs

log = telemetry.get_logger(__name__)

EVERY_SECONDS = 20
"""A context that fell due is offered at most so much later: part of the two minutes' promise."""

LEASE_SECONDS = 45.0
"""Longer than the pause between two passes, so that one worker keeps making them."""

BACKLOG = 500
"""No more is offered than brings the queue to this length: what is due stays due, the queue stays short."""

PATIENCE = timedelta(minutes=2)
"""How long an offered message is left alone before this process offers the same work again."""

SYNC_PATIENCE = timedelta(seconds=2 * EVERY_SECONDS)
"""Shorter for a course's scheduled sync: it may be done, and rightly due again, within the minute."""

PURGE_SECONDS = 3600.0


class Offer(NamedTuple):
    """One message."""

    task: str
    ids: tuple[tuple[str, str], ...]
    patience: timedelta = PATIENCE


class Reconcile:
    """Makes the passes of one worker process."""

    def __init__(self, tool: Tool) -> None:
        self._tool = tool
        self._holder = uuid.uuid4().hex
        self._offered: dict[Offer, datetime] = {}

    def run(self) -> int:
        """Make one pass; returns how much was offered, 0 also where another worker makes the passes."""
        now = self._tool.clock()
        with self._tool.database.write() as session:
            if not runs.take_lease(session, "reconcile", self._holder, now, LEASE_SECONDS):
                return 0
            # Kept, not given back: who takes it next finds an hour gone by.
            is_purge_due = runs.take_lease(session, "purge", uuid.uuid4().hex, now, PURGE_SECONDS)
        if is_purge_due:
            with self._tool.database.write() as session:
                log.info("purged", **runs.purge(session, now))
        self._offered = {offer: at for offer, at in self._offered.items() if now - at < offer.patience}
        room = BACKLOG - self._tool.queue.length()
        count = 0
        for offer in self._due(now, max(0, room) + len(self._offered)):
            if count >= room:
                break
            if offer in self._offered:
                continue
            self._tool.queue.offer(offer.task, **dict(offer.ids))
            self._offered[offer] = now
            count += 1
        if count:
            log.info("reconciled", offered=count)
        return count

    def stop(self) -> None:
        """Let another worker make the passes at once, instead of after the lease."""
        with self._tool.database.write() as session:
            runs.release_lease(session, "reconcile", self._holder)

    def _due(self, now: datetime, limit: int) -> Iterator[Offer]:
        """Everything that is owed: what is quick and what people wait for first."""
        tool = self._tool
        if limit == 0:
            return
        for status_list_id in tool.issuing.unsigned_status_lists(limit):
            yield Offer("sign_status_list", (("status_list_id", status_list_id),))
        for award_id in tool.issuing.awards_without_credential(limit):
            yield Offer("issue_credential", (("award_id", award_id),))
        with tool.database.read() as session:
            lost = runs.lost_runs(session, now, now - PATIENCE, limit)
        for run in lost:
            if run.kind == "sync" and run.context_id is not None:
                yield Offer("sync_context", (("context_id", run.context_id), ("run_id", run.id)))
        watched = {run.context_id for run in lost}
        for context in tool.syncing.contexts_due(now, limit):
            if context.context_id in watched:
                continue  # its run reads it; two tasks for one course would get in each other's way
            yield Offer("sync_context", (("context_id", context.context_id),), SYNC_PATIENCE)
