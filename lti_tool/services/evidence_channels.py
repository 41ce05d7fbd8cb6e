"""How the channel of each criterion is doing: read when, waiting for whom, in trouble over what.

A criterion whose channel gives nothing is not known for anybody; whoever looks at a simulation, a matrix or
one learner is told so together with the way to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lti_tool.domain.criteria import (
    Attested,
    Completed,
    Criterion,
    EvidenceAccepted,
    GatePassed,
    HoldsAchievement,
    Leaf,
    MeanAtLeast,
    MicromodulesCompleted,
    ScoreAtLeast,
    leaves,
)
from lti_tool.domain.gates import GateState
from lti_tool.errors import ErrorCode
from lti_tool.store.matrix import GateReading
from lti_tool.store.results import EvidenceColumn


class ChannelState(StrEnum):
    """How a channel is doing; the page has a sentence and a mend for each."""

    READ = "read"
    """It gave values, and the last reading worked."""
    OWN = "own"
    """What people say in the tool, or the tool's own records: known at any time."""
    NOT_CREATED = "not_created"
    """The column does not exist on the platform."""
    WAITING = "waiting"
    """The column exists; no value has arrived."""
    UNREAD = "unread"
    """Nothing has been read from it yet."""
    GATE_MISSING = "gate_missing"
    """Nobody who teaches has opened the gate yet, so the tool does not know which link it is."""
    GATE_OPEN = "gate_open"
    """Nobody has confirmed yet who passes."""
    GATE_DOUBTED = "gate_doubted"
    """It was confirmed; then everybody passed all of a sudden."""
    TROUBLE = "trouble"


_WORST_FIRST = (
    ChannelState.NOT_CREATED,
    ChannelState.TROUBLE,
    ChannelState.UNREAD,
    ChannelState.WAITING,
    ChannelState.READ,
)
_NEEDS_SETTING_UP = frozenset(
    {
        ChannelState.NOT_CREATED,
        ChannelState.WAITING,
        ChannelState.UNREAD,
        ChannelState.GATE_MISSING,
        ChannelState.GATE_OPEN,
    }
)


@dataclass(frozen=True, slots=True)
class ChannelView:
    """One criterion of a micromodule, and how its channel is doing."""

    index: int
    """Which leaf of the criteria, from 0, in the order of the tree."""
    leaf: Leaf
    kind: str
    """``score``, ``mean``, ``gate``, ``attested``, ``evidence``, ``completed``, ``holds`` or
    ``micromodules``."""
    state: ChannelState
    read_at: datetime | None = None
    """Of several columns the oldest reading; ``None`` where nothing is read from outside."""
    is_complete: bool = True
    """The last reading saw everybody."""
    trouble: ErrorCode | None = None
    gate_id: str | None = None

    @property
    def key(self) -> str:
        """The evidence key."""
        return self.leaf.key

    @property
    def label(self) -> str:
        """What people call it."""
        return self.leaf.label

    @property
    def is_known(self) -> bool:
        """Whether the channel can tell anything: else its criterion is not known for anybody."""
        return self.state not in _NEEDS_SETTING_UP and (
            self.state is not ChannelState.TROUBLE or self.read_at is not None
        )

    @property
    def needs_somebody(self) -> bool:
        """Whether a person has to set up or mend something."""
        return self.state not in (ChannelState.READ, ChannelState.OWN)


def channels_of(
    criterion: Criterion, columns: Iterable[EvidenceColumn], gates: Iterable[GateReading]
) -> tuple[ChannelView, ...]:
    """The channel of every leaf, in the order of the tree."""
    by_key = {column.evidence_key: column for column in columns}
    gate_of = {gate.evidence_key: gate for gate in gates}
    return tuple(_channel(index, leaf, by_key, gate_of) for index, leaf in enumerate(leaves(criterion)))


def _channel(
    index: int, leaf: Leaf, columns: Mapping[str, EvidenceColumn], gates: Mapping[str, GateReading]
) -> ChannelView:
    match leaf:
        case ScoreAtLeast():
            return _of_columns(index, leaf, "score", [columns.get(leaf.key)])
        case MeanAtLeast():
            return _of_columns(index, leaf, "mean", [columns.get(term.key) for term in leaf.terms])
        case GatePassed():
            return _of_gate(index, leaf, gates.get(leaf.key))
        case Attested():
            column = columns.get(leaf.key)
            if column is not None and column.trouble is not None:
                return _of_columns(index, leaf, "attested", [column])
            return ChannelView(index, leaf, "attested", ChannelState.OWN)
        case EvidenceAccepted():
            return ChannelView(index, leaf, "evidence", ChannelState.OWN)
        case Completed():
            return ChannelView(index, leaf, "completed", ChannelState.OWN)
        case HoldsAchievement():
            return ChannelView(index, leaf, "holds", ChannelState.OWN)
        case MicromodulesCompleted():
            return ChannelView(index, leaf, "micromodules", ChannelState.OWN)


def _of_columns(index: int, leaf: Leaf, kind: str, columns: Sequence[EvidenceColumn | None]) -> ChannelView:
    state = min((_state(column) for column in columns), key=_WORST_FIRST.index, default=ChannelState.UNREAD)
    known = [column for column in columns if column is not None]
    readings = [column.read_at for column in known]
    read_at = (
        None if None in readings or len(known) < len(columns) else min(filter(None, readings), default=None)
    )
    trouble = next((column.trouble for column in known if column.trouble is not None), None)
    return ChannelView(
        index,
        leaf,
        kind,
        state,
        read_at,
        all(column.is_complete for column in known),
        ErrorCode(trouble) if trouble is not None else None,
    )


def _state(column: EvidenceColumn | None) -> ChannelState:
    if column is None or column.url is None:
        return ChannelState.NOT_CREATED
    if column.trouble is not None:
        return ChannelState.TROUBLE
    if column.first_value_at is not None:
        return ChannelState.READ
    return ChannelState.UNREAD if column.read_at is None else ChannelState.WAITING


def _of_gate(index: int, leaf: Leaf, gate: GateReading | None) -> ChannelView:
    if gate is None:
        return ChannelView(index, leaf, "gate", ChannelState.GATE_MISSING)
    if gate.state == GateState.WAITING:
        state = ChannelState.GATE_MISSING
    elif gate.state == GateState.OPEN:
        state = ChannelState.GATE_OPEN
    elif gate.trouble is not None:
        state = ChannelState.TROUBLE
    elif gate.state == GateState.DOUBTED:
        state = ChannelState.GATE_DOUBTED
    else:
        state = ChannelState.UNREAD if gate.read_at is None else ChannelState.READ
    return ChannelView(
        index,
        leaf,
        "gate",
        state,
        gate.read_at,
        gate.is_complete,
        ErrorCode(gate.trouble) if gate.trouble is not None else None,
        gate.id,
    )
