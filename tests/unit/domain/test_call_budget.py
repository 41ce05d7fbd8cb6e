"""How many calls a platform is sent: never more than its rate, and neither side starves the other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.call_budget import (
    BUCKET_SECONDS,
    CLOCKS_APART,
    LEAST_PACE,
    LONGEST_REST,
    RECOVERY,
    CallBudget,
    cost_of,
)

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
RATE = 600
BUCKET = RATE / 60 * BUCKET_SECONDS


def after(budget: CallBudget, seconds: float, rate: float = RATE) -> CallBudget:
    return budget.at(budget.counted_at + timedelta(seconds=seconds), rate)


def spend_visits(budget: CallBudget) -> CallBudget:
    left, granted = budget.visited(10_000)
    assert granted == int(budget.visit_calls_left)
    return left


def test_a_platform_never_asked_has_both_buckets_full():
    budget = CallBudget.full(RATE, NOW)
    assert (budget.calls_left, budget.visit_calls_left, budget.pace) == (BUCKET, BUCKET, 1.0)
    assert after(budget, 3600).calls_left == BUCKET, "and holds no more an hour later"


def test_the_schedule_cannot_use_up_what_is_kept_for_visits():
    budget = CallBudget.full(RATE, NOW).spent(1_000_000, RATE)
    assert budget.visit_calls_left == BUCKET
    assert budget.visited(5)[1] == 5
    assert after(budget, 60).calls_left < 0, "in debt"


def test_visits_cannot_use_up_what_is_kept_for_the_schedule():
    budget = spend_visits(CallBudget.full(RATE, NOW).spent(BUCKET, RATE))
    storm = after(budget, 10)
    assert storm.calls_left == pytest.approx(10 * RATE / 120)
    assert storm.visit_calls_left == pytest.approx(10 * RATE / 120)


def test_what_the_one_side_does_not_need_flows_to_the_other():
    night = CallBudget.full(RATE, NOW).spent(BUCKET, RATE)
    assert after(night, 12).calls_left == pytest.approx(12 * RATE / 60), "nobody visits: the whole rate"
    storm = spend_visits(CallBudget.full(RATE, NOW))
    assert after(storm, 12).visit_calls_left == pytest.approx(12 * RATE / 60)


def test_a_visit_gets_whole_calls_or_none():
    budget = CallBudget(0.0, 1.9, 1.0, NOW)
    left, granted = budget.visited(3)
    assert granted == 1
    assert left.visited(3)[1] == 0
    assert left.wait_for_visit(NOW, RATE) == pytest.approx(0.1 / (RATE / 120))


def test_a_platform_that_is_too_busy_is_left_alone_and_then_asked_at_half_the_pace():
    budget = CallBudget.full(RATE, NOW).slowed(NOW, 60)
    assert (budget.calls_left, budget.visit_calls_left, budget.pace) == (0, 0, 0.5)
    assert budget.rests(NOW) == 60
    assert budget.at(NOW + timedelta(seconds=59), RATE) == budget, "nothing flows in while it rests"
    awake = after(budget, 10)
    assert awake.calls_left == pytest.approx(10 * RATE / 120 * 0.5, rel=0.05)


def test_calls_that_hear_the_same_at_once_slow_down_once():
    budget = CallBudget.full(RATE, NOW).slowed(NOW, 60)
    again = budget.slowed(NOW + timedelta(seconds=1), 60)
    assert again.pace == budget.pace
    assert again.rests(NOW) == 61, "the later wish counts"
    assert again.slowed(NOW + timedelta(seconds=2), 5).counted_at == again.counted_at


def test_the_pace_has_a_floor_and_comes_back_by_itself():
    budget = CallBudget.full(RATE, NOW)
    for _ in range(20):
        budget = budget.slowed(budget.counted_at, 30)
        assert budget.pace >= LEAST_PACE
    assert budget.pace == LEAST_PACE
    assert after(budget, RECOVERY).pace == 1.0


def test_a_debt_is_paid_or_forgiven_within_minutes():
    budget = CallBudget.full(RATE, NOW).spent(1e9, RATE)
    assert budget.wait_for_schedule(NOW, RATE) < 60 * 60
    assert after(budget, 60 * 20 + 1).calls_left > 0


def test_a_slow_call_costs_more():
    assert cost_of(0.05) == cost_of(2.0) == 1.0
    assert cost_of(30.0) == 15.0


def test_a_lowered_rate_counts_at_once():
    budget = after(CallBudget.full(6_000, NOW), 1, rate=60)
    assert budget.calls_left == 60 / 60 * BUCKET_SECONDS


def test_a_clock_that_goes_backwards_gives_nothing_and_takes_nothing():
    """What was counted an hour ahead counts from now on; nobody waits for the clock to come back there."""
    budget = CallBudget.full(RATE, NOW).spent(10, RATE)
    earlier = NOW - timedelta(hours=1)
    set_back = budget.at(earlier, RATE)
    assert (set_back.calls_left, set_back.visit_calls_left) == (budget.calls_left, budget.visit_calls_left)
    assert set_back.rests(earlier) == 0
    assert set_back.at(earlier + timedelta(seconds=1), RATE).calls_left > budget.calls_left


def test_clocks_that_are_a_little_apart_are_no_wish_for_rest():
    """Another machine counted a moment ahead of ours: it is counted on, and nothing flows in twice."""
    budget = CallBudget.full(RATE, NOW).spent(10, RATE)
    behind = NOW - timedelta(seconds=CLOCKS_APART)
    assert budget.at(behind, RATE) == budget
    assert budget.rests(behind) == 0


def test_no_rest_outlasts_the_longest_whatever_was_asked_for_or_happens_to_the_clock():
    budget = CallBudget.full(RATE, NOW).slowed(NOW, 1e9)
    assert budget.rests(NOW) == LONGEST_REST
    year_back = NOW - timedelta(days=365)
    assert budget.at(year_back, RATE).rests(year_back) == 0


steps = st.lists(
    st.tuples(
        st.sampled_from(["schedule", "visit", "wait", "slowed", "warned"]), st.floats(0, 300, allow_nan=False)
    ),
    max_size=40,
)


@given(steps=steps, rate=st.integers(10, 100_000))
def test_no_more_is_sent_than_flows_in_and_was_kept(steps, rate):
    """Whatever happens in whichever order; a debt counts as what was sent of the time to come."""
    now = NOW
    budget = CallBudget.full(rate, now)
    bucket = rate / 60 * BUCKET_SECONDS
    sent = 0.0
    for step, amount in steps:
        budget = budget.at(now, rate)
        resting = budget.rests(now) > 0
        if step == "wait":
            now += timedelta(seconds=amount)
        elif step == "slowed":
            budget = budget.slowed(now, amount)
        elif step == "warned":
            budget = budget.warned()
        elif step == "visit" and not resting:
            budget, granted = budget.visited(int(amount))
            sent += granted
        elif step == "schedule" and not resting and budget.calls_left >= 1:
            spent = min(amount, budget.calls_left)
            budget = budget.spent(spent, rate)
            sent += spent
        assert LEAST_PACE <= budget.pace <= 1.0
        assert budget.calls_left <= bucket + 1e-6
        assert 0 <= budget.visit_calls_left <= bucket + 1e-6
    assert sent <= 2 * bucket + rate / 60 * (now - NOW).total_seconds() + 1e-3 * (1 + rate)
