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
from lti_tool.errors import ToolError
from lti_tool.keyring import LTI
from lti_tool.store import audit, runs, schedule

log = telemetry.get_logger(__name__)

EVERY_SECONDS = 20
"""A context that fell due is offered at most so much later: part of the two minutes' promise."""

LEASE_SECONDS = 45.0
"""Longer than the pause between two passes, so that one worker keeps making them."""

BACKLOG = 500
"""No more is offered than brings the queue to this length: what is due stays due, the queue stays short."""

PATIENCE = timedelta(minutes=2)
"""How long an offered message is left alone before this process offers the same work again."""

SIGNING_PATIENCE = timedelta(seconds=EVERY_SECONDS)
"""Of an organisation's renewed badges: more of them come while the last message is worked on."""

SYNC_PATIENCE = timedelta(seconds=2 * EVERY_SECONDS)
"""Shorter for a course's scheduled sync: it may be done, and rightly due again, within the minute. None at
all once the queue is empty: a message that is gone was done, or is owed again."""

FIRST_PORTION = 100
"""Scheduled syncs that a first pass offers. The next offers twice as many where all were worked off, half as
many where they were too many: nobody waits behind a queue that takes minutes."""
LEAST_PORTION = 10

PURGE_SECONDS = 3600.0

MILESTONES_SECONDS = 300.0
"""Between two searches for people about whom a milestone is not decided. It looks at what was recorded in the
last hours, and finds only what a worker that was killed has left: completions are decided about as they
come."""

KEYS_SECONDS = 3600.0
"""Between two looks at whether a key is due: on one of many machines, which share the folder of keys."""

SCORES_SECONDS = 60.0
"""Between two searches for awards that are not written back. It looks at every award, and finds only what
was put off or whose hint was lost: decisions give one."""

CURRENCY_SECONDS = 300.0
"""Between two counts of the reviews of content that are overdue, for the metrics."""

HEALTH_SECONDS = 60.0
"""Between two counts of connections that are not well, for the metrics."""


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
        self._portion = FIRST_PORTION

    def run(self) -> int:
        """Make one pass; returns how much was offered, 0 also where another worker makes the passes."""
        now = self._tool.clock()
        with self._tool.database.write() as session:
            if not runs.take_lease(session, "reconcile", self._holder, now, LEASE_SECONDS):
                return 0
            # Kept, not given back: who takes it next finds an hour gone by.
            is_purge_due = runs.take_lease(session, "purge", uuid.uuid4().hex, now, PURGE_SECONDS)
            is_tending_due = runs.take_lease(session, "keys", uuid.uuid4().hex, now, KEYS_SECONDS)
            is_counting_due = runs.take_lease(session, "currency", uuid.uuid4().hex, now, CURRENCY_SECONDS)
            is_measuring_due = runs.take_lease(session, "health", uuid.uuid4().hex, now, HEALTH_SECONDS)
        if is_purge_due:
            with self._tool.database.write() as session:
                log.info("purged", **runs.purge(session, now), recalled=schedule.recall_lost(session, now))
            log.info("refusals_pruned", rows=self._tool.health.prune(now))
            self._tool.database.forget_deleted()
        self._tool.health.flush_quietly()
        if is_measuring_due:
            self._tool.health.measure()
        if is_counting_due:
            self._tool.currency.measure()
        if is_tending_due:
            self._tend_keys(now)
        # Both ways: after a clock was set back, nothing waits for it to come there again.
        self._offered = {offer: at for offer, at in self._offered.items() if abs(now - at) < offer.patience}
        waiting = self._tool.queue.length()
        room = BACKLOG - waiting
        self._weigh(waiting)
        self._measure(now)
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

    def _tend_keys(self, now: datetime) -> None:
        """Rotate the key that LMSs know, where it is time; a keyring in disorder stops nothing else."""
        days = self._tool.settings.key_rotation_days
        try:
            tended = self._tool.keyring.tend(LTI, now, timedelta(days=days) if days else None)
        except (ToolError, OSError) as error:
            log.error("keys_not_tended", error=str(error))
            return
        deeds = (
            ("key_announced", tended.announced),
            ("key_activated", tended.activated),
            ("key_removed", tended.removed),
        )
        with self._tool.database.write() as session:
            for action, kids in deeds:
                for kid in kids:
                    log.info(action, kid=kid)
                    audit.record(
                        session, None, at=now, actor="rule", action=action, subject_kind="key", subject_id=kid
                    )

    def _weigh(self, waiting: int) -> None:
        if waiting == 0:
            self._portion = min(BACKLOG, self._portion * 2)
            self._offered = {
                offer: at for offer, at in self._offered.items() if offer.patience != SYNC_PATIENCE
            }
        elif waiting > self._portion // 2:
            self._portion = max(LEAST_PORTION, self._portion // 2)

    def _measure(self, now: datetime) -> None:
        owed = self._tool.syncing.arrears(now)
        telemetry.CONTEXTS_DUE.set(owed.due)
        waits = (now - owed.oldest_due_at).total_seconds() if owed.oldest_due_at else 0.0
        telemetry.OLDEST_DUE_SECONDS.set(waits)
        self._tool.call_budgets.measure()

    def stop(self) -> None:
        """Let another worker make the passes at once, instead of after the lease."""
        with self._tool.database.write() as session:
            runs.release_lease(session, "reconcile", self._holder)

    def _is_turn(self, search: str, now: datetime, seconds: float) -> bool:
        """Whether this process searches now. Asked when it comes to the search and not before: a full queue
        puts none off."""
        with self._tool.database.write() as session:
            return runs.take_lease(session, search, uuid.uuid4().hex, now, seconds)

    def _due(self, now: datetime, limit: int) -> Iterator[Offer]:
        """Everything that is owed: what is quick and what people wait for first."""
        tool = self._tool
        if limit == 0:
            return
        for status_list_id in tool.status_lists.unsigned(limit):
            yield Offer("sign_status_list", (("status_list_id", status_list_id),))
        for run_id in tool.reissuing.due(limit):
            yield Offer("reissue", (("run_id", run_id),))
        for review_id in tool.reviews.due(limit):
            yield Offer("carry_out_review", (("review_id", review_id),))
        for organisation_id in tool.renewing.due(limit):
            yield Offer("sign_renewals", (("organisation_id", organisation_id),), SIGNING_PATIENCE)
        for version_id in tool.expiring.due(limit):
            yield Offer("end_badges", (("achievement_version_id", version_id),))
        for run_id in tool.retroactive.due(limit):
            yield Offer("award_retroactively", (("run_id", run_id),))
        for award_id in tool.issuing.awards_without_credential(limit):
            yield Offer("issue_credential", (("award_id", award_id),))
        with tool.database.read() as session:
            lost = runs.lost_runs(session, now, now - PATIENCE, limit)
        for run in lost:
            if run.kind == "sync" and run.context_id is not None:
                yield Offer("sync_context", (("context_id", run.context_id), ("run_id", run.id)))
        if self._is_turn("milestones", now, MILESTONES_SECONDS):
            for milestone_id in tool.milestones.due(limit):
                yield Offer("decide_milestone", (("milestone_id", milestone_id),))
        if self._is_turn("scores", now, SCORES_SECONDS):
            for line_item_id in tool.scoring.columns_due(now, limit):
                yield Offer(
                    "write_scores", (("line_item_id", line_item_id),), timedelta(seconds=SCORES_SECONDS)
                )
        for notice_id in tool.notices.waiting(limit):
            yield Offer("act_on_notice", (("notice_id", notice_id),))
        for deployment_id in tool.notices.handlers_due(limit):
            yield Offer("look_after_notices", (("deployment_id", deployment_id),))
        watched = {run.context_id for run in lost}
        for context in tool.syncing.contexts_due(now, min(limit, self._portion + len(self._offered))):
            if context.context_id in watched:
                continue  # its run reads it; two tasks for one course would get in each other's way
            yield Offer("sync_context", (("context_id", context.context_id),), SYNC_PATIENCE)
