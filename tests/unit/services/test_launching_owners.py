"""Whose a launch is: the placement that its link names, and the deployment that it comes from."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from lti_tool.domain.identity import (
    CourseContext,
    MembershipService,
)
from lti_tool.errors import ErrorCode
from lti_tool.store import copies, tables
from tests import factories
from tests.unit.lti.tokens import NOW
from tests.unit.services.launches import World, keyed

# -- placements


def test_a_launch_finds_its_draft_and_leaves_it_one(world: World) -> None:
    placed = factories.placed(world.database, world.course, status="draft")
    accepted = world.accept(**keyed(placed))
    assert accepted.session.placement_id == placed.placement_id
    assert accepted.session.link_role == "badge"
    assert world.row(tables.Placement).status == "draft"
    assert world.row(tables.Context).sync_due_at == NOW
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


def test_a_visit_brings_the_next_sync_near_but_never_puts_it_off(small: World) -> None:
    placed = factories.placed(small.database, small.course)
    small.change(tables.Context, sync_due_at=NOW + timedelta(hours=9))
    small.accept(**keyed(placed))
    due_at = small.row(tables.Context).sync_due_at
    assert NOW <= due_at <= NOW + timedelta(minutes=2)
    small.clock.move(minutes=1)
    small.accept(**keyed(placed))
    assert small.row(tables.Context).sync_due_at == due_at


def test_a_removed_placement_is_none(small: World) -> None:
    placed = factories.placed(small.database, small.course, status="removed")
    accepted = small.accept(**keyed(placed))
    assert accepted.session.placement_id is None
    assert small.launching.open_session_by_token(accepted.token).placement_id is None


def test_a_copied_course_is_recognised_and_gets_nobody_s_configuration(world: World) -> None:
    placed = factories.placed(world.database, world.course)
    accepted = world.accept(context=CourseContext("the copy"), **keyed(placed))
    assert accepted.session.is_copied_link
    assert accepted.session.placement_id is None
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


def test_a_key_of_another_organisation_opens_nothing(world: World) -> None:
    """The key is not secret enough to be a right: only within its own course does it name a placement."""
    other = factories.course(world.database)
    theirs = factories.placed(world.database, other, status="draft")
    accepted = world.accept(**keyed(theirs))
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (None, False)
    assert world.launching.open_session_by_token(accepted.token) == accepted.session
    assert world.row(tables.Placement).status == "draft"


def test_a_key_of_another_organisation_on_the_same_registration_is_no_copy(world: World) -> None:
    placed = factories.placed(world.database, world.course)
    organisation_id = world.share_registration("2")
    accepted = world.accept(deployment_id="2", **keyed(placed))
    assert accepted.session.organisation_id == organisation_id
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (None, False)
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


def test_a_key_from_another_lms_of_the_same_organisation_gets_nothing_by_itself(world: World) -> None:
    """No LMS copies from another by its own means: somebody typed the key, and is asked."""
    other = factories.course(world.database)
    placed = factories.placed(world.database, other)
    for table in (tables.Deployment, tables.Context, tables.Placement):
        world.change(table, organisation_id=world.course.organisation_id)
    accepted = world.accept(**keyed(placed))
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (None, True)
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


def test_what_was_left_behind_here_is_no_copy_any_more(world: World) -> None:
    placed = factories.placed(world.database, world.course)
    copy, *_ = factories.courses_beside(world.database, world.course, 1)
    with world.database.write() as session:
        original = session.get_one(tables.Placement, placed.placement_id)
        session.add(
            tables.Placement(
                organisation_id=copy.organisation_id,
                context_id=copy.context_id,
                badge_link_key=placed.badge_link_key,
                micromodule_version_id=original.micromodule_version_id,
                status="removed",
                created_at=NOW,
                copied_from_id=original.id,
            )
        )
    accepted = world.accept(copy, **keyed(placed))
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (None, False)
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


@pytest.mark.parametrize("is_confirmed, is_copied", [(False, True), (True, False)])
def test_a_copied_badge_is_one_until_somebody_takes_it_over(
    world: World, *, is_confirmed: bool, is_copied: bool
) -> None:
    placed = factories.placed(world.database, world.course)
    copy, *_ = factories.courses_beside(world.database, world.course, 1)
    with world.database.write() as session:
        (copied_id,) = copies.clone(
            session, copy.organisation_id, copy.context_id, [placed.placement_id], NOW
        )
        if is_confirmed:
            copies.decide(session, copy.organisation_id, copy.context_id, [copied_id], [copied_id], NOW)
    accepted = world.accept(copy, **keyed(placed))
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (copied_id, is_copied)
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


def test_the_same_ids_in_two_organisations_are_two_of_everything(world: World) -> None:
    other = factories.course(world.database)
    ours = world.accept(context=CourseContext("1")).session
    theirs = world.accept(other, context=CourseContext("1")).session
    assert ours.organisation_id != theirs.organisation_id
    assert ours.context_id != theirs.context_id
    assert ours.learner_id != theirs.learner_id
    assert ours.resource_link_id != theirs.resource_link_id


def test_two_deployments_of_one_registration_may_belong_to_two_organisations(world: World) -> None:
    organisation_id = world.share_registration("2")
    first = world.accept(context=CourseContext("1")).session
    second = world.accept(context=CourseContext("1"), deployment_id="2").session
    assert second.organisation_id == organisation_id
    assert (first.context_id, first.learner_id) != (second.context_id, second.learner_id)
    assert first.learner_id != second.learner_id


# -- deployments


def test_an_unknown_deployment_is_recorded_and_held(world: World) -> None:
    launch = world.launch(deployment_id="new", context=CourseContext("secret course"))
    refused = world.refused(launch)
    assert (refused.code, refused.status) == (ErrorCode.DEPLOYMENT_HELD, 403)
    assert refused.params["deployment_id"] == "new"
    held = world.row(tables.Deployment, id_on_platform="new")
    assert (held.status, held.organisation_id, held.first_seen_at) == ("held", None, NOW)
    assert world.row(tables.AuditEvent).action == "deployment_held"
    assert world.rows(tables.LaunchSession) == []
    assert world.rows(tables.Context, id_on_platform="secret course") == []
    assert world.rows(tables.Learner) == []
    assert world.refused(launch).code is ErrorCode.LAUNCH_REPLAYED
    assert world.refused(replace(launch, nonce="again")).code is ErrorCode.DEPLOYMENT_HELD
    assert len(world.rows(tables.AuditEvent)) == 1


def test_a_held_deployment_teaches_us_no_hosts(small: World) -> None:
    small.change(tables.Deployment, service_hosts=["lms.example"])
    memberships = MembershipService("https://unknown.example/x")
    small.refused(small.launch(deployment_id="new", memberships=memberships))
    assert small.row(tables.Deployment, id_on_platform="new").service_hosts == []
    assert small.row(tables.Deployment, id=small.course.deployment_id).service_hosts == ["lms.example"]


def test_a_rule_approves_new_deployments_into_the_default_organisation(world: World) -> None:
    world.change(
        tables.Registration, approves_deployments=True, default_organisation_id=world.course.organisation_id
    )
    view = world.accept(deployment_id="new").session
    assert view.organisation_id == world.course.organisation_id
    assert world.row(tables.Deployment, id_on_platform="new").status == "approved"
    assert world.row(tables.AuditEvent).action == "deployment_approved"


def test_the_rule_without_an_organisation_holds(small: World) -> None:
    small.change(tables.Registration, approves_deployments=True)
    assert small.refused(small.launch(deployment_id="new")).code is ErrorCode.DEPLOYMENT_HELD


def test_a_default_organisation_without_the_rule_holds(small: World) -> None:
    small.change(tables.Registration, default_organisation_id=small.course.organisation_id)
    assert small.refused(small.launch(deployment_id="new")).code is ErrorCode.DEPLOYMENT_HELD


def test_a_disabled_deployment_is_refused_also_by_rule(small: World) -> None:
    small.change(
        tables.Registration, approves_deployments=True, default_organisation_id=small.course.organisation_id
    )
    small.change(tables.Deployment, status="disabled")
    assert small.refused(small.launch()).code is ErrorCode.DEPLOYMENT_DISABLED


@pytest.mark.parametrize("status", ["pending", "disabled"])
def test_a_registration_disabled_since_the_login_is_refused(small: World, status: str) -> None:
    launch = small.launch()
    small.change(tables.Registration, status=status)
    assert small.refused(launch).code is ErrorCode.REGISTRATION_NOT_APPROVED


def test_a_registration_removed_since_the_login_is_refused(small: World) -> None:
    launch = replace(small.launch(), registration_id="gone")
    assert small.refused(launch).code is ErrorCode.REGISTRATION_UNKNOWN


def test_a_launch_cannot_make_the_list_of_hosts_grow_without_end(small: World) -> None:
    for number in range(0, 130, 10):
        for host in range(number, number + 10):
            memberships = MembershipService(f"https://h{host}.example/m")
            small.accept(memberships=memberships)
    assert len(small.row(tables.Deployment).service_hosts) == 100
