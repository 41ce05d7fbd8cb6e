"""From a validated launch to a session: what is recorded, and of whom."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.domain.identity import (
    CourseContext,
    GradeService,
    Launch,
    LinkOnPlatform,
    MembershipService,
    PlatformUser,
)
from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.services.launching import AcceptedLaunch
from lti_tool.store import tables
from tests import factories
from tests.unit.lti.tokens import INSTRUCTOR, LEARNER, NOW
from tests.unit.services.launches import World, keyed

ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
SYSTEM_ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/system/person#Administrator"
COURSE_ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Administrator"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
GRADER = "http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#Grader"


# -- the nonce


def test_a_launch_counts_once(world: World) -> None:
    launch = world.launch()
    world.launching.accept_launch(launch)
    refused = world.refused(launch)
    assert refused.code is ErrorCode.LAUNCH_REPLAYED
    assert refused.fresh_launch_url == f"{launch.issuer}/mod/lti/launch.php?id=6"
    assert len(world.rows(tables.LaunchSession)) == 1


def test_of_eight_posts_of_one_token_exactly_one_counts(world: World) -> None:
    launch = world.launch()
    start = threading.Barrier(8)
    outcomes: list[object] = []

    def post() -> None:
        start.wait()
        try:
            outcomes.append(world.launching.accept_launch(launch))
        except LaunchRefused as refused:
            outcomes.append(refused.code)

    threads = [threading.Thread(target=post) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(isinstance(outcome, AcceptedLaunch) for outcome in outcomes) == 1
    assert outcomes.count(ErrorCode.LAUNCH_REPLAYED) == 7
    assert len(world.rows(tables.LaunchSession)) == 1
    assert len(world.rows(tables.Learner)) == 1


def test_a_class_that_opens_a_new_course_together_makes_one_of_everything(world: World) -> None:
    context = CourseContext("brand new", "N", "New")
    opened = [world.launch(context=context, sub=str(number % 4)) for number in range(8)]
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def post(launch: Launch) -> None:
        start.wait()
        try:
            world.launching.accept_launch(launch)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=post, args=(launch,)) for launch in opened]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(world.rows(tables.Context, id_on_platform="brand new")) == 1
    assert len(world.rows(tables.ResourceLink)) == 1
    assert len(world.rows(tables.Learner)) == len(world.rows(tables.Membership)) == 4
    assert len(world.rows(tables.LaunchSession)) == 8


def test_a_failed_transaction_does_not_use_up_the_nonce(
    small: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = small.launch()
    with monkeypatch.context() as broken:
        broken.setattr("lti_tool.services.launching.launches.add_session", _fail)
        with pytest.raises(OSError, match="disk"):
            small.launching.accept_launch(launch)
    assert small.rows(tables.Nonce) == []
    assert small.launching.accept_launch(launch).token


def _fail(*_: object) -> None:
    raise OSError("disk full")


def test_a_nonce_is_kept_for_longer_than_its_state_lives(small: World) -> None:
    small.accept()
    assert small.row(tables.Nonce).expires_at >= NOW + timedelta(minutes=11)


# -- what is recorded


def test_a_first_launch_records_course_link_and_person(world: World) -> None:
    scopes = frozenset({"https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly"})
    view = world.accept(
        context=CourseContext("77", "OD", "Open Data"),
        link=LinkOnPlatform("9", "Wallet"),
        grades=GradeService(scopes, "https://ags.example:8443/77/lineitems?type_id=1", None),
        memberships=MembershipService("https://lms.example/77/memberships"),
    ).session
    context = world.row(tables.Context, id_on_platform="77")
    assert (context.id, context.organisation_id) == (view.context_id, world.course.organisation_id)
    assert (context.label, context.title) == ("OD", "Open Data")
    assert context.memberships_url == "https://lms.example/77/memberships"
    assert context.line_items_url == "https://ags.example:8443/77/lineitems?type_id=1"
    assert context.ags_scopes == sorted(scopes)
    assert context.last_launched_at == NOW
    assert context.sync_due_at is None, "nothing in this course asks for evidence"
    link = world.row(tables.ResourceLink, id_on_platform="9")
    assert (link.id, link.role, link.course_module_id) == (view.resource_link_id, "wallet", "6")
    learner = world.row(tables.Learner, sub="5")
    assert (learner.id, learner.name, learner.email) == (view.learner_id, "Stu 5", "s5@example.test")
    membership = world.row(tables.Membership)
    assert (membership.is_learner, membership.is_staff, membership.is_active) == (True, False, True)
    deployment = world.row(tables.Deployment)
    assert {"ags.example:8443", "lms.example"} <= set(deployment.service_hosts)
    assert view.is_learner
    assert view.link_role == "wallet"
    assert view.frame_origins == ("https://lms.example",)
    assert view.expires_at == NOW + timedelta(hours=1)


def test_claims_that_are_missing_take_nothing_away(world: World) -> None:
    before = world.row(tables.Context)
    world.accept()
    known = world.row(tables.Learner)
    world.accept(
        user=PlatformUser(sub="5"),
        context=CourseContext(before.id_on_platform),
        grades=None,
        memberships=None,
    )
    after = world.row(tables.Context)
    assert (after.memberships_url, after.line_items_url) == (before.memberships_url, before.line_items_url)
    assert (after.title, after.ags_scopes) == (before.title, before.ags_scopes)
    assert (world.row(tables.Learner).name, world.row(tables.Learner).email) == (known.name, known.email)


def test_a_launch_without_context_or_link_opens_a_wallet(world: World) -> None:
    accepted = world.accept(context=None, link=None, user=PlatformUser(sub="5"))
    view = accepted.session
    assert world.launching.open_session_by_token(accepted.token) == view
    assert (view.context_id, view.resource_link_id, view.placement_id) == (None, None, None)
    assert view.learner_name is None
    assert view.link_role == "wallet"
    assert world.rows(tables.Membership) == []


def test_a_launch_that_tells_nothing_new_costs_three_statements(small: World) -> None:
    small.accept()
    launch = small.launch()
    with small.database.statements() as statements:
        small.launching.accept_launch(launch)
    assert [each.split()[0] for each in statements if each != "BEGIN IMMEDIATE"] == [
        "SELECT",
        "INSERT",
        "INSERT",
    ]


def test_visits_are_noted_once_a_minute(small: World) -> None:
    small.accept()
    small.clock.move(seconds=59)
    small.accept()
    assert small.row(tables.Membership).seen_at == NOW
    small.clock.move(seconds=1)
    small.accept()
    assert small.row(tables.Membership).seen_at == NOW + timedelta(seconds=60)
    assert small.row(tables.Learner).last_launched_at == NOW + timedelta(seconds=60)
    assert small.row(tables.Context).last_launched_at == NOW + timedelta(seconds=60)


def test_somebody_who_was_missing_from_the_roster_is_back_at_once(small: World) -> None:
    small.accept()
    small.change(tables.Membership, is_active=False, left_at=NOW)
    small.clock.move(seconds=1)
    small.accept()
    membership = small.row(tables.Membership)
    assert membership.is_active
    assert membership.left_at is None
    assert membership.seen_at == NOW + timedelta(seconds=1)


# -- who is a learner


@pytest.mark.parametrize(
    "roles, is_learner, sees_progress, configures",
    [
        ((LEARNER,), True, False, False),
        ((INSTRUCTOR,), False, True, True),
        ((LEARNER, INSTRUCTOR), False, True, True),
        ((INSTRUCTOR, GRADER), False, True, False),
        ((ADMINISTRATOR, LEARNER), True, False, False),
        ((ADMINISTRATOR,), False, False, False),
        ((), False, False, False),
    ],
    ids=str,
)
def test_rights_come_from_the_roles_of_this_course(
    small: World, roles: tuple[str, ...], is_learner: bool, sees_progress: bool, configures: bool
) -> None:
    view = small.accept(roles=roles).session
    assert (view.is_learner, view.can_view_progress, view.can_configure) == (
        is_learner,
        sees_progress,
        configures,
    )


@pytest.mark.parametrize(
    "roles, is_administrator",
    [
        ((LEARNER, ADMINISTRATOR), True),
        ((LEARNER, SYSTEM_ADMINISTRATOR), True),
        ((COURSE_ADMINISTRATOR,), False),
        ((INSTRUCTOR,), False),
        ((LEARNER,), False),
    ],
)
def test_a_session_knows_whether_an_administrator_of_the_lms_came(
    small: World, roles: tuple[str, ...], is_administrator: bool
) -> None:
    """A course's own administrator is none: anybody who may create a course can be that."""
    begun = small.accept(roles=roles)
    opened = small.launching.open_session_by_token(begun.token)
    assert begun.session.is_administrator is opened.is_administrator is is_administrator


@pytest.mark.parametrize("changes", [{"is_masquerading": True}, {"roles": (SYSTEM_ADMINISTRATOR, TEST_USER)}])
def test_who_acts_as_an_administrator_is_none(small: World, changes: dict[str, Any]) -> None:
    begun = small.accept(**{"roles": (SYSTEM_ADMINISTRATOR,), **changes})
    assert begun.session.is_administrator is False


def test_who_ever_came_as_staff_is_no_learner_of_that_course_again(world: World) -> None:
    world.accept(roles=[INSTRUCTOR])
    later = world.accept(roles=[LEARNER]).session
    assert not later.is_learner
    assert not later.can_view_progress, "what staff may see is this launch's, not the past's"
    assert world.row(tables.Membership).is_staff
    elsewhere = world.accept(roles=[LEARNER], context=CourseContext("another course")).session
    assert elsewhere.is_learner


def test_a_launch_without_roles_does_not_unmake_a_learner(small: World) -> None:
    small.accept(roles=[LEARNER])
    assert not small.accept(roles=[]).session.is_learner
    assert small.row(tables.Membership).is_learner


def test_a_masquerader_leaves_no_trace_on_the_person(small: World) -> None:
    placed = factories.placed(small.database, small.course, status="draft")
    small.accept()
    small.clock.move(minutes=5)
    view = small.accept(
        is_masquerading=True,
        user=PlatformUser("5", "Admin as Stu"),
        roles=[LEARNER, INSTRUCTOR],
        **keyed(placed),
    ).session
    assert view.is_read_only
    assert not view.is_learner
    assert not view.can_configure
    learner = small.row(tables.Learner)
    assert (learner.name, learner.last_launched_at, learner.is_test_user) == ("Stu 5", NOW, False)
    membership = small.row(tables.Membership)
    assert (membership.is_staff, membership.seen_at) == (False, NOW)
    assert small.row(tables.Placement).status == "draft"


def test_a_test_user_is_never_a_learner(small: World) -> None:
    view = small.accept(roles=[LEARNER, TEST_USER]).session
    assert view.is_read_only
    assert not view.is_learner
    assert small.row(tables.Learner).is_test_user
    assert small.rows(tables.Membership) == []
    small.accept(roles=[LEARNER])
    assert small.row(tables.Learner).is_test_user, "a test account stays one"


# -- who is proved to be a learner


def test_a_learners_launch_proves_what_the_roster_cannot(small: World) -> None:
    (learner_id,) = factories.enrol(small.database, small.course, proof="none")
    sub = small.row(tables.Learner, id=learner_id).sub
    small.accept(sub=sub)
    membership = small.row(tables.Membership, learner_id=learner_id)
    assert (membership.learner_proof, membership.proved_at) == ("launch", NOW)
    # The first proof keeps its date, and its kind.
    small.clock.move(days=1)
    small.accept(sub=sub)
    assert small.row(tables.Membership, learner_id=learner_id).proved_at == NOW


def test_a_first_launch_proves_at_once(small: World) -> None:
    small.accept()
    membership = small.row(tables.Membership)
    assert (membership.learner_proof, membership.proved_at) == ("launch", NOW)


@pytest.mark.parametrize("proof,becomes", [("refused", "launch"), ("score", "score"), ("staff", "staff")])
def test_a_launch_overrules_a_refused_score_only(small: World, proof: str, becomes: str) -> None:
    (learner_id,) = factories.enrol(small.database, small.course, proof=proof)
    small.accept(sub=small.row(tables.Learner, id=learner_id).sub)
    assert small.row(tables.Membership, learner_id=learner_id).learner_proof == becomes


@pytest.mark.parametrize("roles", [(INSTRUCTOR,), (LEARNER, INSTRUCTOR), (GRADER,), (ADMINISTRATOR,), ()])
def test_no_other_launch_proves_a_learner(small: World, roles: tuple[str, ...]) -> None:
    (learner_id,) = factories.enrol(small.database, small.course, proof="none")
    small.accept(sub=small.row(tables.Learner, id=learner_id).sub, roles=roles)
    membership = small.row(tables.Membership, learner_id=learner_id)
    assert (membership.learner_proof, membership.proved_at) == ("none", None)


def test_who_once_launched_as_an_instructor_proves_nothing_as_a_learner(small: World) -> None:
    small.accept(roles=(INSTRUCTOR,))
    small.accept(roles=(LEARNER,))
    membership = small.row(tables.Membership)
    assert (membership.is_staff, membership.learner_proof) == (True, "none")


def test_neither_a_test_user_nor_a_masquerader_proves_anything(small: World) -> None:
    (learner_id,) = factories.enrol(small.database, small.course, proof="none")
    sub = small.row(tables.Learner, id=learner_id).sub
    small.accept(sub=sub, roles=(LEARNER, TEST_USER))
    small.accept(sub=sub, is_masquerading=True)
    assert small.row(tables.Membership, learner_id=learner_id).learner_proof == "none"


def test_a_launch_tells_whether_there_is_anything_to_look_at(world: World) -> None:
    assert not world.accept().has_placements
    factories.placed(world.database, factories.course(world.database, NOW))
    factories.placed(world.database, world.course, status="removed")
    assert not world.accept().has_placements
    factories.placed(world.database, world.course, status="draft")
    assert world.accept().has_placements


def test_a_launch_tells_whether_a_gate_may_wait_for_this_person(world: World) -> None:
    """Most courses have none: their visits cost no statement more for it."""
    placed = factories.placed(world.database, world.course)
    elsewhere = factories.course(world.database, NOW)
    factories.gate(world.database, elsewhere, factories.placed(world.database, elsewhere), "page")
    assert not world.accept().has_gates
    factories.gate(world.database, world.course, placed, "page")
    assert world.accept().has_gates


@pytest.mark.parametrize("roles", [[LEARNER], [INSTRUCTOR]])
def test_no_launch_publishes_a_draft(world: World, roles: list[str]) -> None:
    placed = factories.placed(world.database, world.course, status="draft")
    view = world.accept(roles=roles, **keyed(placed)).session
    assert view.placement_id == placed.placement_id
    row = world.row(tables.Placement)
    assert (row.status, row.activated_at, row.published_at) == ("draft", None, None)


def test_the_first_launch_of_a_link_has_its_course_read_at_once_and_the_second_does_not(
    world: World,
) -> None:
    """A draft too: whoever sets one up needs values."""
    placed = factories.placed(world.database, world.course, status="draft")
    world.accept(link=LinkOnPlatform("new", "Badge"), **keyed(placed))
    assert world.row(tables.Context).sync_due_at == NOW
    world.change(tables.Context, sync_due_at=None)
    world.clock.move(minutes=1)
    world.accept(**keyed(placed))
    first = world.row(tables.Context).sync_due_at
    assert first is not None
    world.clock.move(minutes=1)
    world.accept(link=LinkOnPlatform("new", "Badge"), **keyed(placed))
    assert world.row(tables.Context).sync_due_at == first


# -- gates


def gate_link(key: str) -> dict[str, Any]:
    return {
        "link": LinkOnPlatform("gate link", "Check"),
        "custom": {"badge_link_key": key, "badge_link_role": "gate"},
    }


def test_a_gates_link_is_no_badge_link_and_knows_the_badge_beside_it(world: World) -> None:
    placed = factories.placed(world.database, world.course)
    factories.placed(world.database, world.course)
    gate_id = factories.gate(world.database, world.course, placed, "page", link_key="the gate")
    accepted = world.accept(roles=[LEARNER], **gate_link("the gate"))
    view = accepted.session
    assert (view.gate_id, view.placement_id, view.link_role) == (gate_id, placed.placement_id, "gate")
    assert not view.is_copied_link
    assert world.launching.open_session(view.id, accepted.token) == view
    badge = world.accept(**keyed(placed)).session
    assert (badge.gate_id, badge.placement_id) == (None, placed.placement_id)


def test_a_gate_of_a_removed_badge_is_nothing(world: World) -> None:
    placed = factories.placed(world.database, world.course, status="removed")
    factories.gate(world.database, world.course, placed, "page", link_key="the gate")
    accepted = world.accept(**gate_link("the gate"))
    view = accepted.session
    assert (view.gate_id, view.placement_id) == (None, None)
    assert world.launching.open_session(view.id, accepted.token) == view


def test_a_gates_key_in_a_copied_course_is_a_copied_link(world: World) -> None:
    placed = factories.placed(world.database, world.course)
    factories.gate(world.database, world.course, placed, "page", link_key="the gate")
    accepted = world.accept(context=CourseContext("copy"), **gate_link("the gate"))
    view = accepted.session
    assert (view.gate_id, view.placement_id, view.is_copied_link) == (None, None, True)
    assert world.launching.open_session(view.id, accepted.token) == view


def test_a_gate_of_another_organisation_is_none(world: World) -> None:
    elsewhere = factories.course(world.database, NOW)
    placed = factories.placed(world.database, elsewhere)
    factories.gate(world.database, elsewhere, placed, "page", link_key="the gate")
    view = world.accept(**gate_link("the gate")).session
    assert (view.gate_id, view.placement_id, view.is_copied_link) == (None, None, False)


def test_a_launch_of_a_gate_that_tells_nothing_new_takes_three_statements(world: World) -> None:
    placed = factories.placed(world.database, world.course)
    factories.gate(world.database, world.course, placed, "page", link_key="the gate")
    world.accept(**gate_link("the gate"))
    again = world.launch(**gate_link("the gate"))
    with world.database.statements() as statements:
        world.launching.accept_launch(again)
    assert len([each for each in statements if not each.startswith("BEGIN")]) == 3


def test_a_launch_that_tells_nothing_new_takes_three_statements(world: World) -> None:
    world.accept()
    again = world.launch()
    with world.database.statements() as statements:
        world.launching.accept_launch(again)
    assert [statement.split()[0] for statement in statements if not statement.startswith("BEGIN")] == [
        "SELECT",
        "INSERT",
        "INSERT",
    ]
