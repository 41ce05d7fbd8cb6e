"""Reading who passes a gate, confirming it, and launching it: on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from lti_tool.domain.criteria import GatePassed, State
from lti_tool.domain.gates import GateState
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.outbound import is_transaction_open
from lti_tool.services.awarding import Awarding
from lti_tool.services.call_budgets import CallBudgets
from lti_tool.services.deciding import Deciding
from lti_tool.services.gating import Gating
from lti_tool.services.launching import SessionView
from lti_tool.services.syncing import Syncing
from lti_tool.store import gates, runs
from lti_tool.store.database import Database
from lti_tool.store.tables import (
    AuditEvent,
    Award,
    Context,
    Gate,
    GatePass,
    Learner,
    LineItem,
    Membership,
    Placement,
    Registration,
    ResourceLink,
    Run,
)
from tests import factories
from tests.integration.gradebook import Clock, Gradebook, Hints, Issued, gradebook, rows
from tests.integration.services.school import session_of

GATE, BADGE = "5", "4"
"""The links, as the platform calls them."""


@dataclass
class World:
    """A course whose badge asks for one gate, its platform, and the services under test."""

    database: Database
    course: factories.Course
    placed: factories.Placed
    gate_id: str
    book: Gradebook
    clock: Clock
    hints: Hints
    syncing: Syncing
    gating: Gating
    awarding: Awarding

    def sync(self) -> runs.RunView:
        run = self.syncing.start_sync(self.course.organisation_id, self.course.context_id)
        self.syncing.sync_context(self.course.context_id, run.id)
        self.clock.forward(minutes=2)
        return self.syncing.run(self.course.organisation_id, run.id)

    def sync_cut_off(self, page_size: int) -> None:
        """As :meth:`sync`; of the list behind a gate only the first page comes."""

        def cut(_path: str) -> None:
            if [one for one in self.book.asked[asked:] if "rlid" in one and "from=" in one]:
                self.book.failing = {"/memberships/": (500, {}, "broken")}

        asked = len(self.book.asked)
        self.book.before, self.book.page_size = cut, page_size
        self.sync()
        self.book.before, self.book.failing = (lambda _path: None), {}

    def link(self, name: str = GATE, *, role: str = "gate") -> str:
        """A link of the platform, launched before; our key of it."""
        with self.database.write() as session:
            known = session.scalar(select(ResourceLink).where(ResourceLink.id_on_platform == name))
            if known is not None:
                return known.id
            row = ResourceLink(
                organisation_id=self.course.organisation_id,
                context_id=self.course.context_id,
                id_on_platform=name,
                badge_link_key="gate-key",
                role=role,
                course_module_id="17",
                created_at=self.clock.now,
            )
            session.add(row)
            session.flush()
            return row.id

    def person(self, sub: object, **rights: Any) -> SessionView:
        """The session of somebody who launched the gate's link."""
        learner_id = self.learner(sub)
        given = {"gate_id": self.gate_id, "link_role": "gate", "resource_link_id": self.link(), **rights}
        return session_of(self.course, learner_id, **given)

    def teacher(self, **changes: Any) -> SessionView:
        rights = {"can_view_progress": True, "can_configure": True, "is_learner": False}
        return self.person("teacher", **{**rights, **changes})

    def learner(self, sub: object) -> str:
        with self.database.read() as session:
            found = session.scalar(select(Learner.id).where(Learner.sub == str(sub)))
        if found is None:
            with self.database.write() as session:
                row = Learner(
                    organisation_id=self.course.organisation_id,
                    registration_id=self.course.registration_id,
                    sub=str(sub),
                    created_at=self.clock.now,
                )
                session.add(row)
                session.flush()
                found = row.id
        return found

    def check(self) -> None:
        """The instructor opens the gate's link, and it is read."""
        self.gating.record_launch(self.teacher())
        self.sync()

    def confirmed(self, *passing: object) -> None:
        """A gate that the instructor has confirmed, with these behind it."""
        self.book.let_pass(GATE, "teacher", *passing)
        self.check()
        self.gating.confirm(self.teacher(), self.gate_id)
        self.sync()

    @property
    def gate(self) -> gates.GateView:
        with self.database.read() as session:
            found = gates.gate(session, self.course.organisation_id, self.gate_id)
        assert found is not None
        return found

    def passes(self) -> set[str]:
        with self.database.read() as session:
            query = select(Learner.sub).join(GatePass, GatePass.learner_id == Learner.id)
            return set(session.scalars(query.where(GatePass.is_passed)))

    def holders(self) -> set[str]:
        with self.database.read() as session:
            return set(session.scalars(select(Learner.sub).join(Award, Award.learner_id == Learner.id)))

    def actions(self) -> list[str]:
        return [event.action for event in sorted(rows(self.database, AuditEvent), key=lambda one: one.at)]


@pytest.fixture
def world(database: Database) -> Iterator[World]:
    course = factories.course(database, sync_due_at=factories.NOW)
    with database.write() as session:  # a platform whose roster calls no teacher a learner
        session.execute(update(Registration).values(product="other"))
    placed = factories.placed(database, course, criterion=GatePassed("forum", "Forum"))
    with database.write() as session:
        session.execute(delete(LineItem))
    gate_id = factories.gate(
        database,
        course,
        placed,
        "forum",
        link_key="gate-key",
        state="waiting",
        confirmed_at=None,
        read_at=None,
        is_complete=False,
    )
    with gradebook(course) as book:
        clock, hints, issued = Clock(), Hints(), Issued()
        awarding = Awarding(database, clock)
        budgets = CallBudgets(database, clock)
        syncing = Syncing(database, book.network.connector, clock, hints, awarding, issued, budgets)
        gating = Gating(database, clock, syncing, Deciding(awarding, issued))
        book.enrol("teacher", role="Instructor")
        book.enrol(*range(1, 13))
        yield World(database, course, placed, gate_id, book, clock, hints, syncing, gating, awarding)


# -- from the first launch to a badge


def test_a_gate_is_read_from_the_instructors_launch_on(world: World) -> None:
    world.sync()
    assert world.book.calls("rlid") == []
    world.book.let_pass(GATE, "teacher", 1, 2, 3)
    world.check()
    gate = world.gate
    assert (gate.state, gate.link_id_on_platform, gate.course_module_id) == (GateState.OPEN, GATE, "17")
    assert (gate.listed, gate.learners, gate.is_complete, gate.trouble) == (3, 12, True, None)
    assert world.passes() == {"1", "2", "3"}
    assert world.holders() == set(), "nobody has said that it is a gate"
    view = world.gating.view(world.teacher(), world.gate_id)
    assert [row.name for row in view.passing.named] == ["Name 1", "Name 2", "Name 3"]
    assert view.failing.total == 9
    assert not view.needs_tick


def test_confirmed_it_earns_the_badge(world: World) -> None:
    world.confirmed(1, 2)
    assert world.holders() == {"1", "2"}
    world.book.let_pass(GATE, "teacher", 1, 2, 7)
    world.sync()
    assert world.holders() == {"1", "2", "7"}
    assert world.actions() == ["gate.linked", "gate.confirmed"]
    assert world.gate.confirmed_at is not None


def test_who_does_not_pass_any_more_keeps_the_badge(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", 2)
    world.sync()
    assert world.passes() == {"2"}
    assert world.holders() == {"1", "2"}


def test_a_second_read_of_the_same_list_writes_no_pass(world: World) -> None:
    world.confirmed(1, 2)
    before = {row.id: row.read_at for row in rows(world.database, GatePass)}
    run = world.sync()
    assert run.counts["passes"] == 2
    assert run.counts["passes_changed"] == 0
    assert {row.id: row.read_at for row in rows(world.database, GatePass)} == before


def test_no_transaction_is_open_while_the_platform_answers(world: World) -> None:
    open_ones: list[str] = []
    world.book.before = lambda path: open_ones.append(path) if is_transaction_open() else None
    world.confirmed(1)
    assert open_ones == []


def test_a_draft_is_read_and_awards_nothing(world: World) -> None:
    with world.database.write() as session:
        session.execute(update(Placement).values(status="draft"))
    world.confirmed(1, 2)
    assert world.passes() == {"1", "2"}
    assert world.holders() == set()


# -- what is not believed


def test_a_link_that_lets_everybody_pass_needs_so_many_words(world: World) -> None:
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.check()
    assert world.gating.view(world.teacher(), world.gate_id).needs_tick
    with pytest.raises(Conflict) as refused:
        world.gating.confirm(world.teacher(), world.gate_id)
    assert (refused.value.code, refused.value.params["problem"]) == (
        ErrorCode.GATE_NOT_CONFIRMABLE,
        "everybody",
    )
    assert world.gate.state is GateState.OPEN
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    assert world.gate.allows_everybody
    world.sync()
    assert len(world.holders()) == 12


def test_a_restriction_that_is_removed_lets_nobody_new_pass(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    gate = world.gate
    assert (gate.state, gate.listed, gate.newly) == (GateState.DOUBTED, 12, 10)
    assert world.passes() == world.holders() == {"1", "2"}
    assert world.actions()[-1] == "gate.doubted"
    # Put back: still nobody new, until a person has looked.
    world.book.let_pass(GATE, "teacher", 1, 2, 3)
    world.sync()
    assert world.gate.state is GateState.DOUBTED
    assert world.holders() == {"1", "2"}
    world.gating.confirm(world.teacher(), world.gate_id)
    world.sync()
    assert world.holders() == {"1", "2", "3"}
    assert world.actions().count("gate.doubted") == 1


def test_what_passed_before_counts_while_it_is_doubted(world: World) -> None:
    world.confirmed(1, 2)
    with world.database.write() as session:
        session.execute(delete(Award))
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    assert world.gate.state is GateState.DOUBTED
    assert world.holders() == {"1", "2"}


def test_a_doubt_that_was_wrong_is_ended_by_a_tick(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    with pytest.raises(Conflict):
        world.gating.confirm(world.teacher(), world.gate_id)
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    world.sync()
    assert len(world.holders()) == 12
    world.sync()
    assert world.gate.state is GateState.CONFIRMED


def test_a_tick_beside_a_gate_that_some_do_not_pass_says_nothing(world: World) -> None:
    world.book.let_pass(GATE, "teacher", 1)
    world.check()
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    assert not world.gate.allows_everybody


def test_a_tick_before_anybody_learns_here_is_no_leave_for_everybody(world: World) -> None:
    learners = world.book.members[1:]
    world.book.members = world.book.members[:1]
    world.book.let_pass(GATE, "teacher")
    world.check()
    assert world.gate.learners == 0
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    world.sync()
    assert (world.gate.state, world.gate.allows_everybody) == (GateState.CONFIRMED, False)
    # Nothing was restricted: the first one comes, by a launch and then in a list of her own.
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.book.members += learners[:1]
    world.gating.record_launch(world.person(1))
    assert world.holders() == set()
    world.sync()
    assert world.gate.state is GateState.DOUBTED
    world.book.members += learners[1:]
    world.sync()
    assert world.holders() == set()


def test_a_gate_confirmed_before_anybody_learned_here_counts_once_it_keeps_somebody_out(world: World) -> None:
    learners = world.book.members[1:]
    world.book.members = world.book.members[:1]
    world.book.let_pass(GATE, "teacher")
    world.check()
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    world.book.members += learners
    world.book.let_pass(GATE, "teacher", 1)
    world.sync()
    assert (world.gate.state, world.holders()) == (GateState.CONFIRMED, {"1"})
    world.gating.record_launch(world.person(4))
    assert world.holders() == {"1", "4"}


def test_a_leave_for_everybody_ends_when_the_gate_keeps_somebody_out(world: World) -> None:
    """One had come, and passed; with that said of her, a restriction removed in a full course is news."""
    learners = world.book.members[1:]
    world.book.members = world.book.members[:2]
    world.book.let_pass(GATE, "teacher", 1)
    world.check()
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    world.sync()
    seen = [world.gate.allows_everybody]
    world.book.members += learners[1:]
    world.sync()
    seen.append(world.gate.allows_everybody)
    assert seen == [True, False]
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    assert (world.gate.state, world.holders()) == (GateState.DOUBTED, {"1"})


def test_confirmed_after_a_doubt_nobody_is_said_to_fail_before_it_is_read_again(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    world.gating.confirm(world.teacher(), world.gate_id, everybody=True)
    (made,) = world.awarding.preview(
        world.course.organisation_id, world.course.context_id, [world.learner(5)]
    )
    assert made.decisions[0].state is State.UNKNOWN
    world.sync()
    assert "5" in world.holders()


def test_a_gate_that_was_never_read_cannot_be_confirmed(world: World) -> None:
    for everybody in (False, True):
        with pytest.raises(Conflict):
            world.gating.confirm(world.teacher(), world.gate_id, everybody=everybody)
    world.gating.record_launch(world.teacher())
    with pytest.raises(Conflict):
        world.gating.confirm(world.teacher(), world.gate_id, everybody=True)


def test_staff_and_test_users_are_in_no_number(world: World) -> None:
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    with world.database.write() as session:
        ids = {sub: id_ for id_, sub in session.execute(select(Learner.id, Learner.sub))}
        membership = update(Membership)
        session.execute(membership.where(Membership.learner_id == ids["1"]).values(is_staff=True))
        session.execute(membership.where(Membership.learner_id == ids["2"]).values(learner_proof="refused"))
        session.execute(update(Learner).where(Learner.id == ids["3"]).values(is_test_user=True))
    world.check()
    assert (world.gate.listed, world.gate.learners) == (9, 9)
    assert world.passes() == {str(sub) for sub in range(4, 13)}


# -- trouble


def test_a_list_that_was_cut_off_adds_and_takes_nothing_away(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", 3, 4, 5)
    before = world.gate
    world.sync_cut_off(2)
    assert world.passes() == {"1", "2", "3"}
    assert world.gate.trouble == "platform_unreachable"
    assert (world.gate.listed, world.gate.read_at) == (before.listed, before.read_at)
    world.book.page_size = 1_000
    world.sync()
    assert world.passes() == {"3", "4", "5"}


def test_the_beginning_of_an_unrestricted_list_gives_nobody_a_badge(world: World) -> None:
    """Its first page looks like the list of a restricted link."""
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync_cut_off(7)
    assert world.passes() == world.holders() == {"1", "2"}
    assert (world.gate.state, world.gate.trouble) == (GateState.CONFIRMED, "platform_unreachable")
    world.book.page_size = 1_000
    world.sync()
    assert world.gate.state is GateState.DOUBTED
    assert world.holders() == {"1", "2"}


def test_the_beginning_of_a_list_that_nobody_was_shown_is_not_confirmed(world: World) -> None:
    world.book.let_pass(GATE, "teacher", 1, 2)
    world.check()
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync_cut_off(7)
    world.gating.confirm(world.teacher(), world.gate_id)
    world.book.page_size = 1_000
    world.sync()
    assert (world.gate.state, world.holders()) == (GateState.DOUBTED, {"1", "2"})


def test_the_beginning_of_a_list_does_not_hide_that_everybody_passed(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.sync()
    world.sync_cut_off(4)
    assert (world.gate.listed, world.gate.learners) == (12, 12)
    with pytest.raises(Conflict):
        world.gating.confirm(world.teacher(), world.gate_id)
    assert world.gate.state is GateState.DOUBTED


def test_a_list_that_was_cut_off_is_doubted_all_the_same(world: World) -> None:
    world.confirmed(1, 2)
    world.book.let_pass(GATE, "teacher", *range(1, 13))
    world.book.members.append({"roles": ["Learner"]})  # of no shape, so the list is not whole
    world.book.behind[GATE] |= {""}
    world.book.members[-1]["user_id"] = ""
    world.sync()
    assert world.gate.state is GateState.DOUBTED
    assert world.passes() == {"1", "2"}


def test_a_link_that_was_deleted_is_said_to_be_gone_and_can_be_replaced(world: World) -> None:
    world.confirmed(1, 2)
    del world.book.behind[GATE]
    run = world.sync()
    assert world.gate.trouble == "gate_link_missing"
    assert world.gate.is_missing
    assert run.status == "done", "the roster was read"
    assert world.passes() == {"1", "2"}
    with world.database.write() as session:
        session.execute(update(Gate).values(state="doubted"))
    with pytest.raises(Conflict):
        world.gating.confirm(world.teacher(), world.gate_id)
    other = world.link("6")
    world.book.let_pass("6", "teacher", 9)
    world.gating.record_launch(world.teacher(resource_link_id=other))
    world.sync()
    assert (world.gate.state, world.gate.link_id_on_platform) == (GateState.OPEN, "6")
    assert world.passes() == {"9"}
    assert world.holders() == {"1", "2"}


def test_a_busy_platform_stops_at_the_first_gate(world: World) -> None:
    world.confirmed(1)
    world.book.failing = {"/memberships/": (429, {"Retry-After": "60"}, "")}
    calls = len(world.book.asked)
    run = world.sync()
    assert run.error_code == "platform_busy"
    assert len(world.book.asked) == calls + 1
    assert world.gate.listed == 1


def test_nobody_at_all_is_an_answer_gone_wrong(world: World) -> None:
    world.confirmed(1, 2)
    world.book.behind[GATE] = set()
    world.sync()
    assert world.gate.trouble == "platform_answer_invalid"
    assert world.passes() == {"1", "2"}


def test_nobody_passes_in_a_course_without_staff(world: World) -> None:
    world.book.members = [one for one in world.book.members if one["user_id"] != "teacher"]
    world.book.let_pass(GATE)
    world.check()
    assert (world.gate.trouble, world.gate.listed, world.gate.learners) == (None, 0, 12)


def test_a_course_without_a_roster_says_so(world: World) -> None:
    world.gating.record_launch(world.teacher())
    with world.database.write() as session:
        session.execute(update(Context).values(memberships_url=None))
    world.sync()
    assert world.gate.trouble == "platform_scope_missing"


def test_one_gate_of_several_that_fails_keeps_no_other_from_being_read(world: World) -> None:
    second = factories.gate(
        world.database, world.course, world.placed, "page", state="open", resource_link_id=world.link("7")
    )
    world.confirmed(1)
    world.book.let_pass("7", "teacher", 8)
    del world.book.behind[GATE]
    world.sync()
    with world.database.read() as session:
        other = gates.gate(session, world.course.organisation_id, second)
    assert other is not None
    assert (other.listed, other.trouble) == (1, None)
    assert world.gate.trouble == "gate_link_missing"


def test_a_gate_of_two_thousand(world: World) -> None:
    world.book.page_size = 500
    world.book.enrol(*range(100, 2_088))
    world.confirmed(*range(100, 1_300))
    assert (world.gate.listed, world.gate.learners) == (1_200, 2_000)
    assert len(world.holders()) == 1_200
    view = world.gating.view(world.teacher(), world.gate_id)
    assert (len(view.passing.named), view.passing.total, view.passing.unnamed) == (50, 1_200, 1_150)
    assert view.failing.total == 800


# -- launches


def test_a_learners_launch_of_a_confirmed_gate_counts_at_once(world: World) -> None:
    world.confirmed(1)
    calls = len(world.book.asked)
    world.gating.record_launch(world.person(4))
    assert world.holders() == {"1", "4"}
    assert len(world.book.asked) == calls
    (row,) = [row for row in rows(world.database, GatePass) if row.learner_id == world.learner(4)]
    assert (row.source, row.is_passed) == ("launch", True)
    world.gating.record_launch(world.person(4))
    assert len(rows(world.database, GatePass)) == 2


def test_a_list_that_began_before_a_launch_does_not_undo_it(world: World) -> None:
    world.confirmed(1)

    def come(path: str) -> None:
        if world.book.calls("rlid")[-1:] and "4" not in world.passes():
            world.clock.forward(seconds=1)
            world.gating.record_launch(world.person(4))

    world.book.before = come
    world.sync()
    world.book.before = lambda _path: None
    assert world.passes() == {"1", "4"}


@pytest.mark.parametrize("state", ["waiting", "open", "doubted"])
def test_a_launch_of_a_gate_that_is_not_confirmed_is_no_pass(world: World, state: str) -> None:
    world.confirmed(1)
    with world.database.write() as session:
        session.execute(update(Gate).values(state=state))
    world.gating.record_launch(world.person(4))
    assert world.passes() == {"1"}


@pytest.mark.parametrize(
    "changes",
    [
        {"is_read_only": True},
        {"is_learner": False},
        {"is_learner": False, "can_view_progress": True},
        {"link_role": "badge"},
        {"gate_id": None, "link_role": "badge"},
        {"context_id": None},
        {"context_id": "another"},
        {"organisation_id": "another"},
    ],
)
def test_who_does_not_come_as_a_learner_through_the_gate_itself_does_not_pass(
    world: World, changes: dict[str, Any]
) -> None:
    world.confirmed(1)
    world.gating.record_launch(world.person(4, **changes))
    assert world.passes() == {"1"}
    assert world.holders() == {"1"}


def test_a_duplicate_of_the_gate_is_none(world: World) -> None:
    """Moodle duplicates an activity with its key; the copy may be open to everybody."""
    world.confirmed(1)
    duplicate = world.link("8")
    world.gating.record_launch(world.person(4, resource_link_id=duplicate))
    assert world.passes() == {"1"}
    world.gating.record_launch(world.teacher(resource_link_id=duplicate))
    assert world.gate.link_id_on_platform == GATE
    view = world.gating.view(world.teacher(resource_link_id=duplicate), world.gate_id)
    assert not view.is_this_link


def test_a_duplicate_takes_the_place_of_a_gate_that_was_just_deleted(world: World) -> None:
    """Opening it has the course read, which finds out that the first one is gone."""
    world.confirmed(1)
    del world.book.behind[GATE]
    world.book.let_pass("8", "teacher", 1)
    duplicate = world.teacher(resource_link_id=world.link("8"))
    runs_before = len(rows(world.database, Run))
    world.gating.record_launch(duplicate)
    assert len(rows(world.database, Run)) == runs_before + 1
    world.sync()
    world.gating.record_launch(duplicate)
    assert (world.gate.link_id_on_platform, world.gate.state) == ("8", GateState.OPEN)


def test_a_masqueraders_launch_teaches_no_link(world: World) -> None:
    world.gating.record_launch(world.teacher(is_read_only=True, can_configure=False))
    assert world.gate.state is GateState.WAITING


def test_a_learner_before_a_gate_that_is_shut_has_the_course_read_once_a_minute(world: World) -> None:
    world.confirmed(1)
    world.hints.offered.clear()
    visit = world.person(4, gate_id=None, link_role="badge")
    world.gating.record_launch(visit)
    assert [task for task, _ in world.hints.offered] == ["sync_context"]
    world.hints.offered.clear()
    world.gating.record_launch(world.person(1, gate_id=None, link_role="badge"))
    assert world.hints.offered == [], "who has passed waits for nothing"
    world.syncing.sync_context(world.course.context_id)
    world.gating.record_launch(visit)
    assert world.hints.offered == [], "it was read just now"


def test_a_platform_has_peace_for_as_long_as_its_course_took_to_read(world: World) -> None:
    factories.gate(
        world.database, world.course, world.placed, "page", state="open", resource_link_id=world.link("7")
    )
    world.book.let_pass("7", "teacher", 8)
    world.confirmed(1)

    def slow(path: str) -> None:
        if "/memberships/" in path:
            world.clock.forward(minutes=3)

    world.book.before = slow
    run = world.syncing.start_sync(world.course.organisation_id, world.course.context_id)
    world.syncing.sync_context(world.course.context_id, run.id)
    world.book.before = lambda _path: None
    visit = world.person(4, gate_id=None, link_role="badge")
    world.hints.offered.clear()
    for minutes in (1, 1, 0):  # the last list took three minutes, the roster and the first one six
        world.gating.record_launch(visit)
        assert world.hints.offered == []
        world.clock.forward(minutes=minutes)
    world.clock.forward(minutes=2)
    world.gating.record_launch(visit)
    assert [task for task, _ in world.hints.offered] == ["sync_context"]


def test_visits_do_not_ask_a_platform_that_does_not_answer(world: World) -> None:
    world.confirmed(1)
    world.book.failing = {"/memberships/": (500, {}, "broken")}
    world.sync()
    world.hints.offered.clear()
    with world.database.read() as session:
        due_before = session.scalar(select(Context.sync_due_at))
    world.gating.record_launch(world.person(4, gate_id=None, link_role="badge"))
    with world.database.read() as session:
        assert session.scalar(select(Context.sync_due_at)) == due_before
    assert world.hints.offered == []


@pytest.mark.parametrize(
    "table, values",
    [
        (Placement, {"status": "draft"}),
        (Placement, {"status": "removed"}),
        (Gate, {"trouble": "gate_link_missing"}),
    ],
)
def test_nobody_waits_at_a_gate_that_gives_nothing(world: World, table: Any, values: dict[str, str]) -> None:
    world.confirmed(1)
    with world.database.write() as session:
        session.execute(update(table).values(**values))
    world.hints.offered.clear()
    world.gating.record_launch(world.person(4, gate_id=None, link_role="badge"))
    assert world.hints.offered == []


# -- rights


def test_only_who_may_configure_changes_a_gate(world: World) -> None:
    world.book.let_pass(GATE, "teacher", 1)
    world.check()
    for session in (
        world.teacher(can_configure=False),
        world.teacher(is_read_only=True),
        world.person(1),
    ):
        with pytest.raises(NotAllowed):
            world.gating.confirm(session, world.gate_id)
        with pytest.raises(NotAllowed):
            world.gating.read(session, world.gate_id)
    with pytest.raises(NotAllowed):
        world.gating.view(world.person(1), world.gate_id)
    world.gating.view(world.teacher(can_configure=False), world.gate_id)


@pytest.mark.parametrize(
    "changes", [{"context_id": "another"}, {"organisation_id": "another"}, {"context_id": None}]
)
def test_a_gate_of_another_course_or_organisation_is_not_there(world: World, changes: dict[str, Any]) -> None:
    world.book.let_pass(GATE, "teacher", 1)
    world.check()
    session = world.teacher(**changes)
    for call in (world.gating.view, world.gating.read, world.gating.confirm):
        with pytest.raises(NotFound) as missing:
            call(session, world.gate_id)
        assert missing.value.code is ErrorCode.GATE_NOT_FOUND
    assert world.gate.state is GateState.OPEN


def test_a_gate_whose_badge_was_removed_is_not_there_and_not_read(world: World) -> None:
    world.confirmed(1)
    with world.database.write() as session:
        session.execute(update(Placement).values(status="removed"))
    with pytest.raises(NotFound):
        world.gating.view(world.teacher(), world.gate_id)
    calls = len(world.book.calls("rlid"))
    world.sync()
    assert len(world.book.calls("rlid")) == calls
