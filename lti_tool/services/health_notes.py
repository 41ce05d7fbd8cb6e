"""What the edges to an LMS tell about it, gathered and written by nobody's request.

A launch asks the database nothing more for it, and whoever sends a million forged logins makes this process
count, not write. A row is written when its state turns, and otherwise once a minute. A process that ends
writes what it has left; of one that is killed, a minute at most is lost.
"""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.exc import SQLAlchemyError

from lti_tool.domain.certification import cases_of
from lti_tool.domain.connection_health import Seen
from lti_tool.domain.identity import Launch
from lti_tool.errors import LaunchRefused, ToolError
from lti_tool.lti import memberships
from lti_tool.lti.observing import Service
from lti_tool.lti.registration import SCOPES
from lti_tool.store import health
from lti_tool.store.database import Database
from lti_tool.store.health import CheckKey, RefusalKey, Refusals
from lti_tool.telemetry import get_logger, mask_text

log = get_logger(__name__)

FLUSH_SECONDS: Final = 10.0
"""After the first thing told, a process writes; so it does at most once in so many seconds."""
ROW_PAUSE: Final = timedelta(minutes=1)
"""Between two writes of one row whose state is the same."""
DETAIL_LENGTH: Final = 300
DEPLOYMENT_LENGTH: Final = 255


@dataclass(slots=True)
class _Gathered:
    """What this process was told and has not written yet."""

    checks: dict[CheckKey, Seen] = field(default_factory=dict)
    refusals: dict[RefusalKey, Refusals] = field(default_factory=dict)

    @property
    def is_empty(self) -> bool:
        return not self.checks and not self.refusals


class HealthNotes:
    """Gathers and writes. Shared by threads; satisfies the connector's ``ServiceObserver``.

    :param writes_by_itself: whether a timer writes what was gathered; tests call :meth:`flush`.
    """

    def __init__(
        self, database: Database, clock: Callable[[], datetime], *, writes_by_itself: bool = True
    ) -> None:
        self._database = database
        self._clock = clock
        self._writes_by_itself = writes_by_itself
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._gathered = _Gathered()
        self._written: dict[CheckKey | RefusalKey, tuple[datetime, bool]] = {}
        self._timer: threading.Timer | None = None
        self._closes_at_exit = False
        self._is_closed = False

    # -- being told

    def note_service(
        self,
        registration_id: str,
        deployment_id: str | None,
        service: Service,
        failure: ToolError | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """A service answered well, or failed; see :class:`~lti_tool.lti.observing.ServiceObserver`."""
        now = self._clock()
        known = _facts_of(service, facts or {})
        if failure is None:
            seen = Seen(succeeded_at=now, facts=known)
        else:
            seen = Seen(None, now, 1, failure.code.value, _cleaned(failure.detail, DETAIL_LENGTH), known)
        self._add_check(CheckKey(registration_id, deployment_id, service.value), seen)

    def note_launch(self, launch: Launch, deployment_id: str) -> None:
        """A launch was accepted: what it granted, which cases it was, and how the clocks differ.

        :param deployment_id: our key.
        """
        now = self._clock()
        self._add_skew(launch.registration_id, launch.clock_skew)
        at = now.isoformat(timespec="seconds")
        facts: dict[str, Any] = {"cases": {case: [1, at] for case in cases_of(launch)}}
        # A launch without a course has no services, and Moodle's first deep linking request no roster.
        if launch.context is not None and launch.deep_linking is None:
            granted = set(launch.grades.scopes & frozenset(SCOPES)) if launch.grades else set()
            if launch.memberships is not None:
                granted.add(memberships.SCOPE)
            facts["granted"] = sorted(granted)
        key = CheckKey(launch.registration_id, deployment_id, Service.LAUNCH.value)
        self._add_check(key, Seen(succeeded_at=now, facts=facts))

    def note_refusal(self, refused: LaunchRefused) -> None:
        """A login or launch was refused."""
        now = self._clock()
        deployment = refused.deployment_id_on_platform
        one = Refusals(
            refused.registration_id,
            refused.code.value,
            1,
            now,
            now,
            _cleaned(refused.detail, DETAIL_LENGTH),
            None if deployment is None else _cleaned(deployment, DEPLOYMENT_LENGTH),
        )
        key = RefusalKey(refused.registration_id, one.code, now.date())
        with self._lock:
            before = self._gathered.refusals.get(key)
            self._gathered.refusals[key] = one if before is None else before.then(one)
        if refused.registration_id is not None and refused.clock_skew is not None:
            self._add_skew(refused.registration_id, refused.clock_skew)
        self._write_soon()

    def _add_skew(self, registration_id: str, seconds: float) -> None:
        """Of the platform as a whole: its clock is one, however many deployments it has."""
        facts = {"skew": [round(seconds)]}
        self._add_check(CheckKey(registration_id, None, Service.LAUNCH.value), Seen(facts=facts))

    def _add_check(self, key: CheckKey, seen: Seen) -> None:
        with self._lock:
            before = self._gathered.checks.get(key)
            self._gathered.checks[key] = seen if before is None else before.then(seen)
        self._write_soon()

    # -- writing

    def _write_soon(self) -> None:
        if not self._writes_by_itself or self._has_timer():
            return
        with self._lock:
            if self._is_closed or self._has_timer():
                return
            if not self._closes_at_exit:
                # A web process is ended by its server: nobody closes the tool there.
                self._closes_at_exit = True
                atexit.register(self.close)
            self._timer = threading.Timer(FLUSH_SECONDS, self._on_time)
            self._timer.daemon = True
            self._timer.start()

    def _has_timer(self) -> bool:
        return self._timer is not None

    def _on_time(self) -> None:
        self._timer = None
        self.flush_quietly(all_of_it=False)
        with self._lock:
            is_empty = self._gathered.is_empty
        if not is_empty:
            self._write_soon()

    def flush_quietly(self, *, all_of_it: bool = True) -> None:
        """The same where nobody should fail for it: what could not be written is gathered still."""
        try:
            self.flush(all_of_it=all_of_it)
        except SQLAlchemyError as error:  # SQLite: "database is locked"
            log.warning("health_not_written", error=type(error).__name__)

    def flush(self, *, all_of_it: bool = True) -> int:
        """Write what was gathered; how many rows.

        :param all_of_it: also rows that were written less than a minute ago and whose state is the same.
        """
        with self._writing:
            now = self._clock()
            taken = self._take(now, all_of_it)
            if taken.is_empty:
                return 0
            try:
                with self._database.write() as session:
                    there = health.known_to(session, taken.checks, taken.refusals)
                    checks = {key: seen for key, seen in taken.checks.items() if _is_known(key, *there)}
                    refused = {
                        key: each
                        for key, each in taken.refusals.items()
                        if key.registration_id is None or key.registration_id in there[0]
                    }
                    health.add_checks(session, checks)
                    health.add_refusals(session, refused)
            except SQLAlchemyError:
                self._give_back(taken)
                raise
            for key, seen in checks.items():
                self._written[key] = (now, seen.is_failing)
            for refusal_key in refused:
                self._written[refusal_key] = (now, True)
            self._forget_written(now)
            return len(checks) + len(refused)

    def _take(self, now: datetime, all_of_it: bool) -> _Gathered:
        with self._lock:
            gathered, self._gathered = self._gathered, _Gathered()
            if all_of_it:
                return gathered
            taken = _Gathered()
            for key, seen in gathered.checks.items():
                is_due = self._is_due(key, is_failing=seen.is_failing, now=now)
                (taken if is_due else self._gathered).checks[key] = seen
            for refusal_key, refused in gathered.refusals.items():
                is_due = self._is_due(refusal_key, is_failing=True, now=now)
                (taken if is_due else self._gathered).refusals[refusal_key] = refused
            return taken

    def _is_due(self, key: CheckKey | RefusalKey, *, is_failing: bool, now: datetime) -> bool:
        at, was_failing = self._written.get(key, (None, is_failing))
        return at is None or was_failing != is_failing or abs(now - at) >= ROW_PAUSE

    def _give_back(self, taken: _Gathered) -> None:
        with self._lock:
            for key, seen in taken.checks.items():
                later = self._gathered.checks.get(key)
                self._gathered.checks[key] = seen if later is None else seen.then(later)
            for refusal_key, refused in taken.refusals.items():
                later_refused = self._gathered.refusals.get(refusal_key)
                self._gathered.refusals[refusal_key] = (
                    refused if later_refused is None else refused.then(later_refused)
                )

    def _forget_written(self, now: datetime) -> None:
        self._written = {key: it for key, it in self._written.items() if abs(now - it[0]) < ROW_PAUSE}

    def close(self) -> None:
        """Write what is left, and start no timer any more."""
        with self._lock:
            self._is_closed = True
            timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        atexit.unregister(self.close)
        self.flush_quietly()


def _is_known(key: CheckKey, known: frozenset[str], deployments: frozenset[str]) -> bool:
    return key.registration_id in known and (key.deployment_id is None or key.deployment_id in deployments)


def _facts_of(service: Service, facts: Mapping[str, Any]) -> dict[str, Any]:
    if service is not Service.TOKEN:
        return dict(facts)
    refused = dict.fromkeys(facts.get("refused", ()), "refused")
    return {"scopes": refused | dict.fromkeys(facts.get("granted", ()), "granted")}


def _cleaned(text: str, length: int) -> str:
    """A line that may be kept and shown: no token, nothing that moves a cursor, no longer than that."""
    masked = mask_text(text[: 4 * length])
    return "".join(mark if mark.isprintable() else " " for mark in masked)[:length].strip()
