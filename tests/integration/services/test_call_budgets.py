"""Call budgets across processes: nobody overdraws them, and what slows us down slows everybody."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import update

from lti_tool.domain.call_budget import BUCKET_SECONDS
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.jobs.reconcile import EVERY_SECONDS
from lti_tool.lti.connector import ServiceAccess
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.columns import service_access
from lti_tool.store import rosters, tables
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
    assert budgets.room(access.registration) == BUCKET
    assert spend_all(budgets, access, 200) == 200, "a read that was begun is not cut off"
    assert budgets.room(access.registration) == 0
    assert budgets.reads({access.registration.id: "moodle"}) == {access.registration.id: 0}
    clock.forward(minutes=2)
    assert budgets.room(access.registration) > 0


def test_slow_answers_cost_more(database):
    access, clock = access_to(database), Clock()
    budgets = CallBudgets(database, clock, RATE)
    budgets.spend(access)
    left = budgets.standing(access.registration).calls_left
    budgets.note_answer(access, 1.5)
    assert budgets.standing(access.registration).calls_left == left
    budgets.note_answer(access, 30.0)
    assert budgets.standing(access.registration).calls_left == left - 14


def test_a_warning_is_heeded_once_in_a_while(database):
    access, clock = access_to(database), Clock()
    budgets = CallBudgets(database, clock, RATE)
    for _ in range(5):
        budgets.heed_warning(access)
    assert budgets.standing(access.registration).pace == 0.5
    clock.forward(seconds=31)
    budgets.heed_warning(access)
    assert budgets.standing(access.registration).pace < 0.5


def test_a_platform_that_wants_rest_is_left_alone_by_everybody(database):
    access, clock = access_to(database), Clock()
    CallBudgets(database, clock, RATE).slow_down(access, 600)
    other_process = CallBudgets(database, clock, RATE)
    assert other_process.standing(access.registration).rests(clock.now) == 600
    with pytest.raises(PlatformFailed) as raised:
        other_process.spend(access)
    assert (raised.value.code, raised.value.retry_after) == (ErrorCode.PLATFORM_BUSY, 600)


def test_a_process_whose_clock_is_a_little_behind_is_not_told_to_wait(database):
    access, ahead, behind = access_to(database), Clock(), Clock()
    ahead.forward(seconds=0.5)
    CallBudgets(database, ahead, RATE).spend(access)
    CallBudgets(database, behind, RATE).spend(access)


@pytest.mark.parametrize("is_first", [True, False])
def test_an_institution_that_shares_a_registration_speaks_for_itself(database, is_first):
    """The others are not left alone for what it said, be it for ever, and keep half of their pace; also where
    it is the first, whose token URL is the registration's."""
    first, clock = access_to(database), Clock()
    other = factories.course(database)
    with database.write() as session:
        session.execute(
            update(tables.Registration)
            .where(tables.Registration.id == first.registration.id)
            .values(product="canvas")
        )
        session.execute(
            update(tables.Deployment)
            .where(tables.Deployment.id == other.deployment_id)
            .values(
                registration_id=first.registration.id,
                id_on_platform="2:south",
                token_url="https://south.example/token",
            )
        )
    canvas = replace(first.registration, product="canvas")
    own_url = None if is_first else "https://south.example/token"
    busy = replace(first, registration=canvas, deployment=replace(first.deployment, token_url=own_url))
    budgets = CallBudgets(database, clock, RATE)
    for _ in range(40):
        budgets.slow_down(busy, 600)
        budgets.heed_warning(busy)
        clock.forward(seconds=31)
    assert budgets.standing(canvas).rests(clock.now) == 0
    assert budgets.standing(canvas).pace >= 0.5
    budgets.spend(replace(first, registration=canvas))


def test_products_have_rates_of_their_own_unless_the_operator_says_otherwise(sqlite_database):
    assert CallBudgets(sqlite_database, Clock()).per_minute("moodle") == 600
    assert CallBudgets(sqlite_database, Clock()).per_minute("canvas") == 1_200
    assert CallBudgets(sqlite_database, Clock(), 50).per_minute("canvas") == 50
    assert BUCKET_SECONDS > EVERY_SECONDS, "a bucket outlasts the pause between two passes"
