"""Reading who passes a gate: the roster of its link, counted, weighed, and stored if it is believed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from lti_tool.domain.gates import GateOutcome, GateState, weigh_reading
from lti_tool.errors import ErrorCode
from lti_tool.lti import memberships
from lti_tool.lti.connector import PlatformConnector, is_silent
from lti_tool.services.columns import service_access
from lti_tool.store import audit, gates
from lti_tool.store.database import Database
from lti_tool.store.gates import GateView
from lti_tool.store.rosters import ContextPlan
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

GATE_SECONDS: Final = 90.0
"""For one gate of any size: a sync must not lose its lease over it."""


@dataclass(frozen=True, slots=True)
class GateRead:
    """How one read of one gate went."""

    listed: int = 0
    """Learners who pass."""
    changed: int = 0
    """Passes that are new, or gone."""
    was_read: bool = False
    """Whether the platform gave anything at all."""
    is_doubted: bool = False
    """Nothing of it counts: suddenly everybody passes."""
    trouble: ErrorCode | None = None
    retry_after: float | None = None
    is_silent: bool = False
    """The platform as a whole did not answer: asking it for another gate would meet the same."""


def read_gate(
    database: Database,
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    plan: ContextPlan,
    gate: GateView,
) -> GateRead:
    """Read who passes a gate and store it; no transaction is open while the platform answers.

    A list that was read whole also tells who does not pass (any more); one that was cut off only adds.
    """
    started_at = clock()
    access = service_access(plan)
    rlid = access.platform.roster_link_id(gate.link_id_on_platform or "")
    if gate.link_id_on_platform is None or plan.memberships_url is None or not rlid:
        trouble = (
            ErrorCode.PLATFORM_SCOPE_MISSING if plan.memberships_url is None else ErrorCode.GATE_LINK_NAMELESS
        )
        if gate.link_id_on_platform is not None:
            _keep_trouble(database, gate, trouble)
        return GateRead(trouble=trouble)
    # Unfiltered: whoever teaches is in the list of every gate, so an empty one can be told from a mishap.
    read = memberships.roster_pages(
        connector,
        access,
        plan.memberships_url,
        resource_link_id=rlid,
        deadline=connector.deadline_in(GATE_SECONDS),
    )
    subs: set[str] = set()
    for page in read:
        subs.update(member.user.sub for member in page if member.is_active)
    trouble_found, is_complete = memberships.link_trouble(access, read), read.is_complete
    if read.pages_read == 0:
        _keep_trouble(database, gate, trouble_found)
        failure = read.failure
        return GateRead(
            trouble=trouble_found,
            retry_after=failure.retry_after if failure else None,
            is_silent=is_silent(failure),
        )
    if is_complete and not subs:
        with database.read() as session:
            has_staff = gates.has_staff(session, plan)
        if has_staff:
            trouble_found, is_complete = ErrorCode.PLATFORM_ANSWER_INVALID, False
    stored = _store(database, clock, plan, gate, subs, started_at, trouble_found, is_complete=is_complete)
    return GateRead(
        listed=stored.listed,
        changed=stored.changed,
        was_read=True,
        is_doubted=stored.is_doubted,
        trouble=trouble_found,
        retry_after=read.failure.retry_after if read.failure else None,
        is_silent=is_silent(read.failure),
    )


def _keep_trouble(database: Database, gate: GateView, trouble: ErrorCode | None) -> None:
    with database.write() as session:
        gates.change(session, gate.organisation_id, gate.id, trouble=trouble and trouble.value)


def _store(
    database: Database,
    clock: Callable[[], datetime],
    plan: ContextPlan,
    gate: GateView,
    subs: set[str],
    started_at: datetime,
    trouble: ErrorCode | None,
    *,
    is_complete: bool,
) -> GateRead:
    with database.write() as session:
        now = gates.locked_gate(session, gate.organisation_id, gate.id)
        if now is None or now.resource_link_id != gate.resource_link_id:
            return GateRead()  # removed, or another link since: the list is another one's
        compared = gates.compare(session, plan, now, subs, is_complete=is_complete)
        counted = compared.reading
        outcome = weigh_reading(
            now.state,
            counted,
            allows_everybody=now.allows_everybody,
            was_empty=now.read_at is not None and now.learners == 0,
        )
        changed = 0
        if outcome in (GateOutcome.SHOW, GateOutcome.COUNT):
            changed = gates.keep_passes(session, now, compared, started_at)
        values: dict[str, Any] = {"trouble": trouble and trouble.value}
        # The numbers are shown and confirmed: those of a list that was cut off would be wrong ones, unless
        # everybody is in it all the same.
        if is_complete or (outcome is GateOutcome.DOUBT and counted.is_everybody):
            values |= {
                "read_at": started_at,
                "is_complete": is_complete,
                "listed": counted.listed,
                "learners": counted.learners,
                "newly": counted.newly,
            }
        if outcome is GateOutcome.COUNT and is_complete and counted.learners and not counted.is_everybody:
            # It keeps people out after all: should everybody pass later, that is news.
            values["allows_everybody"] = False
        if outcome is GateOutcome.DOUBT and now.state is not GateState.DOUBTED:
            values["state"] = GateState.DOUBTED.value
            audit.record(
                session,
                gate.organisation_id,
                at=clock(),
                actor="job",
                action="gate.doubted",
                subject_kind="gate",
                subject_id=gate.id,
                detail={"listed": counted.listed, "learners": counted.learners, "newly": counted.newly},
            )
            log.warning("gate_doubted", gate_id=gate.id, context_id=gate.context_id)
        gates.change(session, gate.organisation_id, gate.id, **values)
    return GateRead(counted.listed, changed, is_doubted=outcome is GateOutcome.DOUBT)
