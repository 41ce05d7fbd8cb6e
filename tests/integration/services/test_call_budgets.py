"""Call budgets across processes: nobody overdraws them, and what slows us down slows everybody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from lti_tool.domain.call_budget import BUCKET_SECONDS, CallBudget
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.jobs.reconcile import EVERY_SECONDS
from lti_tool.lti.access import ServiceAccess
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.columns import service_access
from lti_tool.store import rosters
from lti_tool.store.database import Database
from tests import factories
from tests.integration.gradebook import Clock

RATE = 120
BUCKET = int(RATE / 60 * BUCKET_SECONDS)


def access_to(database: Database, *, is_visit: bool = False) -> ServiceAccess:
    course = factories.course(database)
    with database.read() as session:
        plan = rosters.context_plan_for_job(session, course.context_id)
    assert plan is not None
    return service_access(plan, is_visit=is_visit)


def spend_all(budgets: CallBudgets, access: ServiceAccess, most: int = 1_000) -> int:
    for made in range(most):
        try:
            budgets.spend(access)
        except PlatformFailed as failure:
            if failure.code is not ErrorCode.PLATFORM_CALLS_SPENT or not failure.retry_after:
                raise
            return made
    return most


def test_processes_share_what_there_is(database):
    """Eight of them at once: what one takes, the others do not have."""
    access, clock = access_to(database, is_visit=True), Clock()
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: spend_all(CallBudgets(database, clock, RATE), access), range(8)))
    assert sum(made) == BUCKET


def test_a_new_minute_brings_new_calls(database):
    access, clock = access_to(database, is_visit=True), Clock()
    budgets = CallBudgets(database, clock, RATE)
    assert spend_all(budgets, access) == BUCKET
    clock.forward(seconds=15)
    assert spend_all(budgets, access) == 15 * RATE / 60, "the schedule wants nothing: all of it"


def test_the_schedule_is_counted_and_goes_on(database):
    access, clock = access_to(database), Clock()
    budgets = CallBudgets(database, clock, RATE)
    assert budgets.room(access) == BUCKET
    assert spend_all(budgets, access, 200) == 200, "a read that was begun is not cut off"
    assert budgets.room(access) == 0
    assert budgets.reads({access.site: "moodle"}) == {access.site: 0}
    clock.forward(minutes=2)
    assert budgets.room(access) > 0


def test_slow_answers_cost_more(database):
    access, clock = access_to(database), Clock()
    budgets = CallBudgets(database, clock, RATE)
    budgets.spend(access)
    left = budgets.standing(access).calls_left
    budgets.note_answer(access, 1.5)
    assert budgets.standing(access).calls_left == left
    budgets.note_answer(access, 30.0)
    assert budgets.standing(access).calls_left == left - 14


def test_a_warning_is_heeded_once_in_a_while(database):
    access, clock = access_to(database), Clock()
    budgets = CallBudgets(database, clock, RATE)
    for _ in range(5):
        budgets.heed_warning(access)
    assert budgets.standing(access).pace == 0.5
    clock.forward(seconds=31)
    budgets.heed_warning(access)
    assert budgets.standing(access).pace < 0.5


def test_a_platform_that_wants_rest_is_left_alone_by_everybody(database):
    access, clock = access_to(database), Clock()
    CallBudgets(database, clock, RATE).slow_down(access, 600)
    other_process = CallBudgets(database, clock, RATE)
    assert other_process.standing(access).rests(clock.now) == 600
    with pytest.raises(PlatformFailed) as raised:
        other_process.spend(access)
    assert (raised.value.code, raised.value.retry_after) == (ErrorCode.PLATFORM_BUSY, 600)


def test_a_process_whose_clock_is_a_little_behind_is_not_told_to_wait(database):
    access, ahead, behind = access_to(database), Clock(), Clock()
    ahead.forward(seconds=0.5)
    CallBudgets(database, ahead, RATE).spend(access)
    CallBudgets(database, behind, RATE).spend(access)


SOUTH = "https://south.example/token"


def of_south(access: ServiceAccess, token_url: str | None = SOUTH) -> ServiceAccess:
    """Another institution's deployment on the same registration."""
    return replace(access, deployment=replace(access.deployment, id="south", token_url=token_url))


@pytest.mark.parametrize("is_first", [True, False])
def test_an_institution_that_shares_a_registration_speaks_for_itself(database, is_first):
    """Whatever it says, be it for ever: the others keep their calls and their pace; also where it is the one
    whose token URL is the registration's."""
    first, clock = access_to(database), Clock()
    busy, other = (first, of_south(first)) if is_first else (of_south(first), first)
    budgets = CallBudgets(database, clock, RATE)
    for _ in range(40):
        budgets.slow_down(busy, 600)
        budgets.heed_warning(busy)
        clock.forward(seconds=31)
    budgets.slow_down(busy, 600)
    elsewhere = CallBudgets(database, clock, RATE)
    assert elsewhere.standing(busy).rests(clock.now) > 0, "every process leaves it alone"
    assert elsewhere.room(busy) == 0
    assert elsewhere.standing(other) == CallBudget.full(RATE, clock.now)
    elsewhere.spend(other)
    elsewhere.spend(replace(other, is_visit=True))


def test_what_one_institution_reads_is_not_paid_by_another(database):
    first, clock = access_to(database), Clock()
    south = of_south(first)
    budgets = CallBudgets(database, clock, RATE)
    assert spend_all(budgets, south, 500) == 500
    assert budgets.room(south) == 0
    assert budgets.room(first) == BUCKET
    products = {south.site: "canvas", first.site: "canvas"}
    assert budgets.reads(products) == {south.site: 0, first.site: BUCKET // 2}


def test_deployments_of_one_institution_share_its_budget(database):
    """A course-level placement is a deployment of its own, be the token URL named once more or not."""
    first, clock = access_to(database), Clock()
    again = of_south(first, first.registration.token_url)
    budgets = CallBudgets(database, clock, RATE)
    budgets.slow_down(again, 600)
    for same in (again, first, of_south(first, None)):
        assert budgets.standing(same).rests(clock.now) == 600
    (kept,) = budgets.standings()
    assert kept.site == first.site


def test_products_have_rates_of_their_own_unless_the_operator_says_otherwise(sqlite_database):
    assert CallBudgets(sqlite_database, Clock()).per_minute("moodle") == 600
    assert CallBudgets(sqlite_database, Clock()).per_minute("canvas") == 1_200
    assert CallBudgets(sqlite_database, Clock(), 50).per_minute("canvas") == 50
    assert BUCKET_SECONDS > EVERY_SECONDS, "a bucket outlasts the pause between two passes"
