"""Gates beside a badge: the page on which an instructor checks them, and what launches of them tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from lti_tool.domain.gates import (
    ConfirmationProblem,
    GateReading,
    GateState,
    confirmation_problem,
)
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.platforms import GateKind, platform_for
from lti_tool.services.deciding import Deciding
from lti_tool.services.launching import SessionView
from lti_tool.store import audit, gates, runs
from lti_tool.store.database import Database
from lti_tool.store.gates import GateView, PassRow
from lti_tool.store.runs import RunView

NAMES: Final = 50
"""As many are named on each side of a gate; the others are counted."""


class SyncStarter(Protocol):
    """Reads a course; :class:`~lti_tool.services.syncing.Syncing`."""

    def start_sync(self, organisation_id: str, context_id: str, /) -> RunView: ...
    def hasten(self, organisation_id: str, context_id: str, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Side:
    """Learners on one side of a gate."""

    named: tuple[PassRow, ...]
    total: int

    @property
    def unnamed(self) -> int:
        """How many more there are than names."""
        return self.total - len(self.named)


@dataclass(frozen=True, slots=True)
class GateCheck:
    """The page on which an instructor checks a gate."""

    gate: GateView
    kind: GateKind
    settings_url: str | None
    """Where the restriction is set; ``None`` where no address leads there."""
    reading: GateReading | None
    passing: Side
    """As stored: of a doubted gate those who passed before."""
    failing: Side
    problem: ConfirmationProblem | None
    """What keeps it from being confirmed by a click; ``EVERYBODY`` and ``NO_LEARNERS`` ask for a tick."""
    trouble: ErrorCode | None
    run: RunView | None
    is_this_link: bool
    """False where the launch came from another link with the gate's key: a duplicate."""

    @property
    def is_running(self) -> bool:
        """Whether a read is under way."""
        return self.run is not None and self.run.is_open

    @property
    def needs_tick(self) -> bool:
        """Whether confirming takes the words that everybody may pass."""
        return self.problem in (ConfirmationProblem.EVERYBODY, ConfirmationProblem.NO_LEARNERS)


@dataclass(frozen=True)
class Gating:
    """Shows gates, lets instructors confirm them, and counts launches of them."""

    database: Database
    clock: Callable[[], datetime]
    syncing: SyncStarter
    deciding: Deciding

    # -- the page

    def view(self, session: SessionView, gate_id: str) -> GateCheck:
        """What the check page shows.

        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``gate_not_found``, also for another course's.
        """
        if not session.can_view_progress:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "no right to see progress")
        with self.database.read() as reading:
            gate = _own(session, gates.gate(reading, session.organisation_id, gate_id))
            named, passing = gates.people(reading, gate, is_passed=True, limit=NAMES)
            unnamed, failing = gates.people(reading, gate, is_passed=False, limit=NAMES)
            run = runs.newest(reading, gate.organisation_id, gate.context_id)
        platform = platform_for(session.product)
        return GateCheck(
            gate=gate,
            kind=platform.gate_kind,
            settings_url=platform.gate_settings_url(session.issuer, gate.course_module_id),
            reading=gate.reading,
            passing=Side(named, passing),
            failing=Side(unnamed, failing),
            problem=confirmation_problem(gate.reading, everybody=False),
            trouble=ErrorCode(gate.trouble) if gate.trouble else None,
            run=run,
            is_this_link=session.gate_id != gate.id or session.resource_link_id == gate.resource_link_id,
        )

    def read(self, session: SessionView, gate_id: str) -> RunView:
        """Have the course read now, its gates with it; the page watches the run.

        :raises NotAllowed: unless the person may configure the course.
        :raises NotFound: ``gate_not_found``.
        """
        gate = self._changeable(session, gate_id)
        return self.syncing.start_sync(gate.organisation_id, gate.context_id)

    def confirm(self, session: SessionView, gate_id: str, *, everybody: bool = False) -> str:
        """Let a gate be evidence, as its instructor has seen it; once confirmed and not doubted, a no-op.

        :param everybody: the instructor said in so many words that all passing is right.
        :returns: the id of its placement.
        :raises NotAllowed: unless the person may configure the course.
        :raises NotFound: ``gate_not_found``.
        :raises Conflict: ``gate_not_confirmable`` with ``problem``, a :class:`ConfirmationProblem`.
        """
        self._changeable(session, gate_id)
        now = self.clock()
        with self.database.write() as writing:
            gate = _own(session, gates.locked_gate(writing, session.organisation_id, gate_id))
            if gate.state is GateState.CONFIRMED:
                return gate.placement_id
            problem = confirmation_problem(gate.reading, everybody=everybody)
            if gate.state is GateState.WAITING or gate.trouble == ErrorCode.GATE_LINK_MISSING:
                problem = ConfirmationProblem.NOT_READ
            if problem is not None:
                raise Conflict(ErrorCode.GATE_NOT_CONFIRMABLE, f"gate {gate.id}", problem=problem.value)
            reading = gate.reading
            assert reading is not None
            # A tick beside a gate that some do not pass, or before anybody learns here, says nothing: later
            # it is asked for again.
            allows = everybody and reading.is_everybody
            gates.change(
                writing,
                gate.organisation_id,
                gate.id,
                state=GateState.CONFIRMED.value,
                allows_everybody=allows,
                # Nothing was kept of a list that was doubted: who passes is known from the next one on.
                is_complete=gate.is_complete and gate.state is not GateState.DOUBTED,
                confirmed_at=now,
                confirmed_by_id=session.learner_id,
            )
            audit.record(
                writing,
                gate.organisation_id,
                at=now,
                actor=f"{audit.LEARNER}{session.learner_id}",
                action="gate.confirmed",
                subject_kind="gate",
                subject_id=gate.id,
                detail={
                    "placement": gate.placement_id,
                    "listed": reading.listed,
                    "learners": reading.learners,
                    "everybody": allows,
                },
            )
        # Nothing was kept of a doubted list, and deciding over a whole course is no work for a click.
        self.syncing.start_sync(gate.organisation_id, gate.context_id)
        return gate.placement_id

    # -- launches

    def record_launch(self, session: SessionView) -> None:
        """What a launch of a gate tells: an instructor's, which link it is; a learner's, that they pass.

        A learner's launch of any other link has the course read soon, where a gate is still shut for them.
        Nothing follows while somebody looks as somebody else.
        """
        if session.context_id is None or session.is_read_only or session.deep_linking is not None:
            return
        if session.gate_id is None:
            self._hasten(session, session.context_id)
        elif session.link_role != "gate":
            return  # somebody gave another link this gate's key by hand
        elif session.can_configure:
            self._check(session, session.gate_id)
        elif session.is_learner:
            self._let_in(session, session.gate_id)

    def _check(self, session: SessionView, gate_id: str) -> None:
        """An instructor came to look: learn the link, and have it read."""
        link_id = session.resource_link_id
        with self.database.write() as writing:
            gate = gates.locked_gate(writing, session.organisation_id, gate_id)
            if gate is None or gate.context_id != session.context_id or link_id is None:
                return
            if gate.resource_link_id != link_id and gate.is_missing:
                gates.adopt_link(writing, gate, link_id)
                audit.record(
                    writing,
                    gate.organisation_id,
                    at=self.clock(),
                    actor=f"{audit.LEARNER}{session.learner_id}",
                    action="gate.linked",
                    subject_kind="gate",
                    subject_id=gate.id,
                    detail={"resource_link": link_id},
                )
        # Of a duplicate with the same key, too: the first one is the gate, as long as it is there.
        self.syncing.start_sync(gate.organisation_id, gate.context_id)

    def _let_in(self, session: SessionView, gate_id: str) -> None:
        """The platform let a learner in: a pass, if a person has said that this link is a gate."""
        with self.database.write() as writing:
            gate = gates.locked_gate(writing, session.organisation_id, gate_id)
            if (
                gate is None
                or gate.context_id != session.context_id
                or gate.resource_link_id != session.resource_link_id
                or gate.state is not GateState.CONFIRMED
                # Confirmed before anybody learned here: nobody has been seen to be kept out yet.
                or (gate.learners == 0 and not gate.allows_everybody)
            ):
                return
            if platform_for(session.product).roster_link_id(gate.link_id_on_platform or "") is None:
                return
            is_news = gates.keep_launch(writing, gate, session.learner_id, self.clock())
        if is_news:
            self.deciding.decide(gate.organisation_id, gate.context_id, [session.learner_id], "gate")

    def _hasten(self, session: SessionView, context_id: str) -> None:
        if not session.is_learner:
            return
        with self.database.read() as reading:
            awaits = gates.awaits_pass(reading, session.organisation_id, context_id, session.learner_id)
        if awaits:
            self.syncing.hasten(session.organisation_id, context_id)

    def _changeable(self, session: SessionView, gate_id: str) -> GateView:
        if not session.can_configure or session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "configuring needs an editing role in a course")
        with self.database.read() as reading:
            return _own(session, gates.gate(reading, session.organisation_id, gate_id))


def _own(session: SessionView, gate: GateView | None) -> GateView:
    """A gate of the session's own course.

    :raises NotFound: ``gate_not_found``.
    """
    if gate is None or session.context_id is None or gate.context_id != session.context_id:
        raise NotFound(ErrorCode.GATE_NOT_FOUND)
    return gate
