"""How the channel of each criterion is doing: the worst of its parts, and whether it can tell anything."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.criteria import (
    AllOf,
    Attested,
    Completed,
    EvidenceAccepted,
    GatePassed,
    HoldsAchievement,
    MeanAtLeast,
    ScoreAtLeast,
    Term,
    leaves,
)
from lti_tool.errors import ErrorCode
from lti_tool.services.evidence_channels import ChannelState, ChannelView, channels_of
from lti_tool.store.matrix import GateReading
from lti_tool.store.results import EvidenceColumn
from tests.factories import NOW

QUIZ = ScoreAtLeast("quiz", "Quiz", Decimal(60))
GATE = GatePassed("gate", "Forum")


def column(key: str = "quiz", **changes: Any) -> EvidenceColumn:
    """A column that works."""
    plain = EvidenceColumn(
        id="column",
        placement_id="placement",
        badge_link_key="key",
        tag="mirror",
        evidence_key=key,
        label=key,
        url="https://lms.example/lineitems/1",
        score_maximum=Decimal(100),
        first_value_at=NOW,
        read_at=NOW,
        is_complete=True,
        trouble=None,
    )
    return plain._replace(**changes)


def gate(state: str = "confirmed", **changes: Any) -> GateReading:
    return GateReading(
        **{
            "id": "gate-1",
            "evidence_key": "gate",
            "state": state,
            "read_at": NOW,
            "is_complete": True,
            "trouble": None,
            **changes,
        }
    )


def of_quiz(*columns: EvidenceColumn) -> ChannelView:
    (found,) = channels_of(QUIZ, columns, ())
    return found


@pytest.mark.parametrize(
    "changes, state, is_known",
    [
        ({}, ChannelState.READ, True),
        ({"url": None}, ChannelState.NOT_CREATED, False),
        ({"first_value_at": None}, ChannelState.WAITING, False),
        ({"first_value_at": None, "read_at": None}, ChannelState.UNREAD, False),
        ({"trouble": "platform_busy"}, ChannelState.TROUBLE, True),
        ({"trouble": "platform_busy", "read_at": None}, ChannelState.TROUBLE, False),
        ({"trouble": "column_missing", "url": None}, ChannelState.NOT_CREATED, False),
    ],
)
def test_of_a_column(changes: dict[str, Any], state: ChannelState, is_known: bool) -> None:
    found = of_quiz(column(**changes))
    assert (found.state, found.is_known, found.kind) == (state, is_known, "score")
    assert found.needs_somebody is (state is not ChannelState.READ)
    assert found.trouble == (ErrorCode(changes["trouble"]) if "trouble" in changes else None)


def test_a_column_that_nobody_planned_is_not_created() -> None:
    assert of_quiz().state is ChannelState.NOT_CREATED


@pytest.mark.parametrize(
    "found, state, is_known",
    [
        (None, ChannelState.GATE_MISSING, False),
        (gate("waiting", read_at=None), ChannelState.GATE_MISSING, False),
        (gate("open"), ChannelState.GATE_OPEN, False),
        (gate("open", trouble="platform_busy"), ChannelState.GATE_OPEN, False),
        (gate("confirmed"), ChannelState.READ, True),
        (gate("confirmed", read_at=None), ChannelState.UNREAD, False),
        (gate("doubted"), ChannelState.GATE_DOUBTED, True),
        (gate("confirmed", trouble="platform_busy"), ChannelState.TROUBLE, True),
        (gate("doubted", trouble="platform_busy"), ChannelState.TROUBLE, True),
    ],
)
def test_of_a_gate(found: GateReading | None, state: ChannelState, is_known: bool) -> None:
    (channel,) = channels_of(GATE, (), [found] if found else [])
    assert (channel.state, channel.is_known, channel.kind) == (state, is_known, "gate")
    assert channel.gate_id == (found.id if found else None)


def test_a_mean_is_as_bad_as_its_worst_column_and_as_old_as_its_oldest() -> None:
    mean = MeanAtLeast("mean", "Mean", (Term("a", "A"), Term("b", "B")), Decimal(60))
    earlier = NOW - timedelta(hours=1)

    def state_of(*columns: EvidenceColumn) -> ChannelView:
        (found,) = channels_of(mean, columns, ())
        return found

    works = state_of(column("a"), column("b", read_at=earlier, is_complete=False))
    assert (works.state, works.read_at, works.is_complete) == (ChannelState.READ, earlier, False)
    assert state_of(column("a"), column("b", first_value_at=None)).state is ChannelState.WAITING
    missing = state_of(column("a"))
    assert (missing.state, missing.read_at, missing.is_known) == (ChannelState.NOT_CREATED, None, False)
    troubled = state_of(column("a", first_value_at=None), column("b", trouble="platform_refused"))
    assert (troubled.state, troubled.trouble) == (ChannelState.TROUBLE, ErrorCode.PLATFORM_REFUSED)


def test_what_people_say_and_what_the_tool_records_is_always_known() -> None:
    tree = AllOf(
        (
            Attested("a", "Lab"),
            EvidenceAccepted("e", "Report"),
            Completed("m", "Module"),
            HoldsAchievement("h", "Badge"),
        )
    )
    for channel in channels_of(tree, (), ()):
        assert (channel.state, channel.is_known, channel.read_at) == (ChannelState.OWN, True, None)


def test_an_attest_column_in_trouble_is_shown_and_spoils_nothing() -> None:
    (channel,) = channels_of(Attested("a", "Lab"), [column("a", tag="attest", trouble="platform_busy")], ())
    assert (channel.state, channel.is_known) == (ChannelState.TROUBLE, True)


def test_channels_stand_in_the_order_of_the_tree() -> None:
    tree = AllOf((GATE, AllOf((QUIZ, Attested("a", "Lab"))), GATE))
    found = channels_of(tree, [column()], [gate()])
    assert [one.leaf for one in found] == list(leaves(tree))
    assert [one.index for one in found] == [0, 1, 2, 3]
