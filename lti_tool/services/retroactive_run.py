"""A run that awards a badge to all who completed its micromodule, some at a time, from where it stopped.

Place and awards are kept in one transaction; signing, and milestones that follow, come after. Whoever goes on
after a worker that was killed begins with them for the last who were awarded: both are nothing new where they
were done.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from lti_tool.domain.retroactive import Withheld
from lti_tool.errors import ConfigurationInvalid, CredentialInvalid, ToolError
from lti_tool.services.completers import sure_products
from lti_tool.services.deciding import IssuingPort, ScoringPort
from lti_tool.services.leases import Hold, LeaseLost, held
from lti_tool.store import audit, runs, schedule, versions
from lti_tool.store import retroactive as store
from lti_tool.store.database import Database
from lti_tool.telemetry import AWARDS, get_logger

log = get_logger(__name__)

KIND: Final = "retroactive"
BATCH: Final = 1000
"""Completions per transaction: short enough that nobody waits for the write lock."""
ORIGIN: Final = "retroactive"
"""What the awards are counted under."""
_TRIES: Final = 3

Say = Callable[[int, int | None], None]
GoOn = Callable[[str, Sequence[str]], tuple[str, ...]]


@dataclass(frozen=True)
class RetroactiveRuns:
    """Does what is left of runs; :class:`~lti_tool.services.retroactive.Retroactive` opens them."""

    database: Database
    clock: Callable[[], datetime]
    issuing: IssuingPort
    scoring: ScoringPort | None
    go_on: GoOn | None

    def work(self, run_id: str, say: Say | None) -> None:
        """As :meth:`Retroactive.work <lti_tool.services.retroactive.Retroactive.work>`."""
        with held(self.database, self.clock, runs.RUN_LEASE + run_id) as lease:
            if lease is None:
                return
            # Not before: who had the lease until now may have gone on since.
            with self.database.write() as session:
                found = runs.task(session, KIND, run_id)
                if found is None:
                    return
                organisation_id, task = found
                runs.begin(session, organisation_id, run_id, self.clock())
            _Work(self, organisation_id, run_id, lease, task, say).do()


@dataclass
class _Work:
    """One process's work on one run."""

    service: RetroactiveRuns
    organisation_id: str
    run_id: str
    lease: Hold
    task: dict[str, Any]
    say: Say | None

    def do(self) -> None:
        if "total" not in self.task:
            with self.service.database.read() as reading:
                self.task["total"] = store.count(reading, self.organisation_id, self.task["micromodule_id"])
        self._follow_up()
        while self.task["at"] < len(self.task["versions"]):
            version_id, badge_id = self.task["versions"][self.task["at"]]
            self._award(version_id, badge_id)
        self._sign_what_is_left()
        self._offer_scores()
        self._finish()

    def _award(self, version_id: str, badge_id: str) -> None:
        """Award everybody who completed one version, some at a time; sign each time."""
        while True:
            is_last, awarded = self._batch(version_id, badge_id)
            AWARDS.labels(ORIGIN).inc(len(awarded))
            self._follow([award.id for award in awarded], [award.learner_id for award in awarded])
            if self.say is not None:
                self.say(self.task["done"], self.task["total"])
            if not self._goes_on:
                raise LeaseLost
            if is_last:
                return

    def _follow_up(self) -> None:
        """What follows from the last awards: a worker that was killed may not have come to it."""
        if "latest" not in self.task:
            return
        with self.service.database.read() as reading:
            found = store.holders_between(reading, self.organisation_id, *self.task["latest"])
        self._follow([award_id for award_id, _ in found], [learner_id for _, learner_id in found])

    def _follow(self, award_ids: Sequence[str], learner_ids: Sequence[str]) -> None:
        """Sign, and have decided what these badges bring with them."""
        self._sign(award_ids)
        if self.service.go_on is None or not learner_ids:
            return
        try:
            more = self.service.go_on(self.organisation_id, learner_ids)
        except ToolError as error:
            # Nobody else's badge waits for it; the reconcile pass looks for milestones that are owed.
            log.warning("milestones_not_decided", error=str(error))
            return
        self._sign(more)

    def _batch(self, version_id: str, badge_id: str) -> tuple[bool, tuple[store.NewAward, ...]]:
        """Award some; whether they were the last, and the awards that are new. Place and awards are kept
        together."""
        for tries_left in reversed(range(_TRIES)):
            with self.service.database.read() as reading:
                batch = store.batch(
                    reading,
                    self.organisation_id,
                    self.task["micromodule_id"],
                    sure_products(),
                    self.service.clock(),
                    version_id=version_id,
                    after=self.task["after"],
                    limit=BATCH,
                )
            try:
                return batch.is_last, self._keep(badge_id, batch)
            except IntegrityError:
                # Somebody was erased since they were read: the next reading does not find them.
                if not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    def _keep(self, badge_id: str, batch: store.Batch) -> tuple[store.NewAward, ...]:
        now = self.service.clock()
        task = dict(self.task)
        withheld = dict(task["withheld"])
        for row in batch.people:
            if row.withheld is not None:
                withheld[row.withheld] = withheld.get(row.withheld, 0) + 1
        new = [store.new_award(row) for row in batch.people if row.withheld is None]
        with self.service.database.write() as writing:
            if not self.lease.renew(writing):
                raise LeaseLost
            added = store.store_awards(writing, self.organisation_id, badge_id, new, now)
            if len(added) < len(new):
                # A reading of their course came first.
                has_it = Withheld.HELD.value
                withheld[has_it] = withheld.get(has_it, 0) + len(new) - len(added)
            task |= {
                "withheld": withheld,
                "awarded": task["awarded"] + len(added),
                "done": task["done"] + len(batch.people),
                "after": batch.last,
                "latest": [badge_id, task["after"], batch.last],
            }
            # Who completes it meanwhile is looked at, too.
            task["total"] = max(task["total"], task["done"])
            if batch.is_last:
                task |= {"at": task["at"] + 1, "after": ""}
            self._goes_on = runs.save(writing, self.run_id, "awards", task["done"], task["total"], task)
        self.task = task
        return added

    _goes_on: bool = True

    def _sign(self, award_ids: Sequence[str]) -> None:
        if not award_ids:
            return
        try:
            self.service.issuing.issue_for(award_ids)
        except (CredentialInvalid, ConfigurationInvalid) as error:
            # The award stays, nobody else's waits for it, and the reconcile pass offers it again.
            log.warning("credential_not_issued", error=str(error))
            self.task["error_code"] = error.code.value

    def _sign_what_is_left(self) -> None:
        """What a worker awarded that was killed before it signed."""
        last = ""
        badge_ids = [badge_id for _, badge_id in self.task["versions"]]
        while True:
            with self.service.database.read() as reading:
                ids = store.unsigned(reading, self.organisation_id, badge_ids, last, BATCH)
            if not ids:
                return
            self._sign(ids)
            last = ids[-1]
            with self.service.database.write() as writing:
                goes_on = self.lease.renew(writing) and runs.save(
                    writing, self.run_id, "credentials", self.task["done"], self.task["total"], self.task
                )
            if not goes_on:
                raise LeaseLost

    def _offer_scores(self) -> None:
        if self.service.scoring is None:
            return
        with self.service.database.read() as reading:
            context_ids = store.contexts(
                reading, self.organisation_id, [version_id for version_id, _ in self.task["versions"]]
            )
        for context_id in context_ids:
            self.service.scoring.offer_due(self.organisation_id, context_id)

    def _finish(self) -> None:
        now = self.service.clock()
        counts = {"awarded": self.task["awarded"], "withheld": self.task["withheld"]}
        micromodule_id = self.task["micromodule_id"]
        with self.service.database.write() as writing:
            if not self.lease.renew(writing):
                raise LeaseLost
            # Who was erased meanwhile was counted, and is no longer to be looked at.
            done = self.task["done"]
            if not runs.save(writing, self.run_id, "credentials", done, done, self.task):
                raise LeaseLost
            runs.finish(
                writing,
                self.organisation_id,
                self.run_id,
                now,
                counts,
                error_code=self.task.get("error_code"),
            )
            # Not before: a reading awards those who are still there, paused or not.
            placed = versions.placed(writing, self.organisation_id, micromodule_id)
            for context_id in sorted({one.context_id for one in placed if one.status == "active"}):
                schedule.schedule_sync(writing, self.organisation_id, context_id, now)
            record(
                writing,
                self.organisation_id,
                self.task["actor"],
                "badge.awarded_retroactively",
                micromodule_id,
                now,
                run=self.run_id,
                **counts,
            )


def open_run(
    writing: Session,
    organisation_id: str,
    actor: str,
    micromodule_id: str,
    bound: Sequence[Sequence[str]],
    now: datetime,
) -> str:
    """A run for (version, its badge) pairs, the newest first; its id."""
    task = {
        "micromodule_id": micromodule_id,
        "versions": [list(pair) for pair in bound],
        "actor": actor,
        "at": 0,
        "after": "",
        "done": 0,
        "awarded": 0,
        "withheld": {},
    }
    return runs.open_task(writing, organisation_id, KIND, task, now)


def record(
    session: Session,
    organisation_id: str,
    actor: str,
    action: str,
    micromodule_id: str,
    now: datetime,
    **detail: Any,
) -> None:
    """Into the audit log, beside the micromodule."""
    audit.record(
        session,
        organisation_id,
        at=now,
        actor=actor,
        action=action,
        subject_kind="micromodule",
        subject_id=micromodule_id,
        detail=detail,
    )
