"""From a validated launch to a session: what is recorded, what is refused, whose is what."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from lti_tool.domain.identity import (
    CourseContext,
    DeepLinkingSettings,
    GradeService,
    Launch,
    LinkOnPlatform,
    MembershipService,
    PlatformUser,
)
from lti_tool.domain.roles import rights_of
from lti_tool.errors import ErrorCode, LaunchRefused, NotAllowed
from lti_tool.services.launching import AcceptedLaunch, Launching
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import Course, Placed
from tests.unit.lti.tokens import INSTRUCTOR, LEARNER, NOW, Clock

ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"
TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"
GRADER = "http://purl.imsglobal.org/vocab/lis/v2/membership/Instructor#Grader"


class World:
    """A course on the platform, and launches from it."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.clock = Clock()
        self.launching = Launching(database, self.clock, b"secret")
        self.course: Course = factories.course(database, NOW - timedelta(days=1))
        self._nonces = 0

    def launch(
        self,
        course: Course | None = None,
        *,
        roles: Sequence[str] = (LEARNER,),
        sub: str = "5",
        **changes: Any,
    ) -> Launch:
        """A launch that passed every check but the last."""
        course = course or self.course
        self._nonces += 1
        with self.database.read() as session:
            registration = session.get_one(tables.Registration, course.registration_id)
            deployment = session.get_one(tables.Deployment, course.deployment_id)
            context = session.get_one(tables.Context, course.context_id)
        launch = Launch(
            registration_id=course.registration_id,
            issuer=registration.issuer,
            client_id=registration.client_id,
            product=registration.product,
            deployment_id=deployment.id_on_platform,
            message_type="LtiResourceLinkRequest",
            user=PlatformUser(sub=sub, name=f"Stu {sub}", email=f"s{sub}@example.test"),
            rights=rights_of(roles),
            roles=tuple(roles),
            nonce=f"nonce-{self._nonces}",
            issued_at=self.clock(),
            expires_at=self.clock() + timedelta(seconds=60),
            target_link_uri="https://badges.example/lti/launch",
            context=CourseContext(context.id_on_platform, context.label, context.title),
            link=LinkOnPlatform("link-1", "Badge"),
            course_module_id="6",
            frame_origins=("https://lms.example",),
            locale="de",
        )
        return replace(launch, **changes)

    def accept(self, course: Course | None = None, **changes: Any) -> AcceptedLaunch:
        return self.launching.accept_launch(self.launch(course, **changes))

    def refused(self, launch: Launch) -> LaunchRefused:
        with pytest.raises(LaunchRefused) as refused:
            self.launching.accept_launch(launch)
        assert 400 <= refused.value.status < 500
        return refused.value

    def rows(self, table: type[tables.Base], **by: Any) -> list[Any]:
        with self.database.read() as session:
            return list(session.scalars(sa.select(table).filter_by(**by)))

    def row(self, table: type[tables.Base], **by: Any) -> Any:
        (only,) = self.rows(table, **by)
        return only

    def change(self, table: type[tables.Base], **values: Any) -> None:
        with self.database.write() as session:
            session.execute(sa.update(table).values(**values))


def keyed(placed: Placed) -> dict[str, Any]:
    return {"custom": {"badge_link_key": placed.badge_link_key, "badge_link_role": "badge"}}


@pytest.fixture
def world(database: Database) -> World:
    return World(database)


@pytest.fixture
def small(sqlite_database: Database) -> World:
    """Where the kind of database does not matter."""
    return World(sqlite_database)


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
    registration = world.row(tables.Registration)
    assert {"ags.example:8443", "lms.example"} <= set(registration.service_hosts)
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
    small.change(tables.Membership, is_active=False)
    small.clock.move(seconds=1)
    small.accept()
    membership = small.row(tables.Membership)
    assert membership.is_active
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


# -- placements


def test_the_first_launch_activates_the_placement_and_makes_its_course_due(world: World) -> None:
    placed = factories.placed(world.database, world.course, status="draft")
    accepted = world.accept(**keyed(placed))
    assert accepted.session.placement_id == placed.placement_id
    assert accepted.session.link_role == "badge"
    placement = world.row(tables.Placement)
    assert (placement.status, placement.activated_at) == ("active", NOW)
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
    with world.database.write() as session:
        organisation_id, _ = factories.organisation(session)
        session.add(
            tables.Deployment(
                registration_id=world.course.registration_id,
                id_on_platform="2",
                organisation_id=organisation_id,
                status="approved",
                first_seen_at=NOW,
            )
        )
    accepted = world.accept(deployment_id="2", **keyed(placed))
    assert accepted.session.organisation_id == organisation_id
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (None, False)
    assert world.launching.open_session_by_token(accepted.token) == accepted.session


def test_a_key_from_another_lms_of_the_same_organisation_is_no_copy(world: World) -> None:
    """A course cannot be copied from one LMS into another by their own means: somebody typed the key."""
    other = factories.course(world.database)
    placed = factories.placed(world.database, other)
    for table in (tables.Deployment, tables.Context, tables.Placement):
        world.change(table, organisation_id=world.course.organisation_id)
    accepted = world.accept(**keyed(placed))
    assert (accepted.session.placement_id, accepted.session.is_copied_link) == (None, False)
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
    with world.database.write() as session:
        organisation_id, _ = factories.organisation(session)
        session.add(
            tables.Deployment(
                registration_id=world.course.registration_id,
                id_on_platform="2",
                organisation_id=organisation_id,
                status="approved",
                first_seen_at=NOW,
            )
        )
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
    before = small.row(tables.Registration).service_hosts
    memberships = MembershipService("https://unknown.example/x")
    small.refused(small.launch(deployment_id="new", memberships=memberships))
    assert small.row(tables.Registration).service_hosts == before


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
    assert len(small.row(tables.Registration).service_hosts) == 100


# -- sessions


def test_a_session_opens_only_with_its_token(world: World) -> None:
    one, other = world.accept(), world.accept(sub="6")
    assert world.launching.open_session(one.session.id, one.token) == one.session
    for session_id, token in (
        (one.session.id, other.token),
        (one.session.id, one.token[:-1]),
        (one.session.id, ""),
        (one.session.id, "x" * 10_000),
        (one.session.id, "é\x00"),
        ("", one.token),
    ):
        with pytest.raises(NotAllowed) as refused:
            world.launching.open_session(session_id, token)
        assert refused.value.code is ErrorCode.SESSION_MISSING


def test_the_token_itself_is_nowhere_in_the_database(small: World) -> None:
    accepted = small.accept()
    row = small.row(tables.LaunchSession)
    stored = " ".join(str(getattr(row, column.name)) for column in tables.LaunchSession.__table__.columns)
    assert accepted.token not in stored


def test_a_session_ends_after_an_hour(small: World) -> None:
    accepted = small.accept()
    small.clock.move(minutes=59, seconds=59)
    assert small.launching.open_session_by_token(accepted.token) == accepted.session
    small.clock.move(seconds=1)
    with pytest.raises(NotAllowed) as refused:
        small.launching.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_EXPIRED


DEEP_LINKING = DeepLinkingSettings(
    return_url="https://lms.example/return",
    accept_types=("ltiResourceLink",),
    accept_multiple=False,
    accept_line_item=True,
    data=None,
)


def test_a_form_that_is_worked_on_stays_open_for_up_to_eight_hours(world: World) -> None:
    accepted = world.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    for _ in range(9):
        world.clock.move(minutes=50)
        world.launching.open_session_by_token(accepted.token)
    world.clock.move(minutes=29, seconds=59)
    last = world.launching.open_session(accepted.session.id, accepted.token)
    assert last.expires_at == NOW + timedelta(hours=8), "the launch is too old for more"
    world.clock.move(seconds=1)
    with pytest.raises(NotAllowed) as refused:
        world.launching.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_EXPIRED


def test_a_form_left_alone_for_an_hour_is_closed(small: World) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(minutes=60)
    for _ in range(2):
        with pytest.raises(NotAllowed) as refused:
            small.launching.open_session_by_token(accepted.token)
        assert refused.value.code is ErrorCode.SESSION_EXPIRED


def test_requests_that_follow_each_other_prolong_once_a_minute(small: World) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(seconds=59)
    with small.database.statements() as statements:
        small.launching.open_session_by_token(accepted.token)
    assert [each for each in statements if each.startswith("UPDATE")] == []
    small.clock.move(seconds=1)
    with small.database.statements() as statements:
        view = small.launching.open_session_by_token(accepted.token)
    assert len([each for each in statements if each.startswith("UPDATE")]) == 1
    assert view.expires_at == small.row(tables.LaunchSession).expires_at == NOW + timedelta(minutes=61)


def test_a_database_that_is_busy_refuses_no_page(small: World, monkeypatch: pytest.MonkeyPatch) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(minutes=10)

    def locked(*_: object) -> None:
        raise OperationalError("UPDATE", {}, Exception("database is locked"))

    monkeypatch.setattr("lti_tool.services.launching.launches.prolong_session", locked)
    view = small.launching.open_session_by_token(accepted.token)
    assert view.expires_at == NOW + timedelta(hours=1)


def test_an_expired_session_opens_only_where_it_is_asked_for(small: World) -> None:
    accepted = small.accept(roles=[INSTRUCTOR], link=None, deep_linking=DEEP_LINKING)
    small.clock.move(hours=2)
    view = small.launching.open_session(accepted.session.id, accepted.token, even_expired=True)
    assert view == accepted.session, "and is prolonged by nothing"
    with pytest.raises(NotAllowed):
        small.launching.open_session_by_token("another", even_expired=True)
    small.change(tables.Registration, status="disabled")
    with pytest.raises(NotAllowed):
        small.launching.open_session_by_token(accepted.token, even_expired=True)


def test_another_secret_key_ends_all_sessions(small: World) -> None:
    accepted = small.accept()
    restarted = Launching(small.database, small.clock, b"another secret")
    with pytest.raises(NotAllowed) as refused:
        restarted.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_MISSING


def test_who_writes_into_the_database_makes_no_session(small: World) -> None:
    """A hash that needs no key could be put there for a token of one's own."""
    small.accept()
    small.change(tables.LaunchSession, token_hash=hashlib.sha256(b"mine").hexdigest())
    with pytest.raises(NotAllowed):
        small.launching.open_session_by_token("mine")


@pytest.mark.parametrize("table", [tables.Registration, tables.Deployment])
def test_disabling_an_lms_ends_its_sessions(small: World, table: type[tables.Base]) -> None:
    accepted = small.accept()
    small.change(table, status="disabled")
    with pytest.raises(NotAllowed) as refused:
        small.launching.open_session_by_token(accepted.token)
    assert refused.value.code is ErrorCode.SESSION_MISSING


def test_csrf_tokens_belong_to_one_session(small: World) -> None:
    one, other = small.accept(), small.accept()
    csrf = small.launching.csrf_token
    assert csrf(one.token) == csrf(one.token)
    assert csrf(one.token) != csrf(other.token)
    assert one.token not in csrf(one.token)


def test_deep_linking_settings_survive_in_the_session(world: World) -> None:
    settings = DeepLinkingSettings(
        return_url="https://lms.example/return?a=1&b=2",
        accept_types=("ltiResourceLink",),
        accept_multiple=True,
        accept_line_item=None,
        data="",
    )
    accepted = world.accept(roles=[INSTRUCTOR], link=None, deep_linking=settings)
    view = world.launching.open_session_by_token(accepted.token)
    assert view.deep_linking == settings
    assert view == accepted.session
    assert world.launching.open_session_by_token(world.accept().token).deep_linking is None


def test_a_deep_linking_request_activates_nothing(small: World) -> None:
    placed = factories.placed(small.database, small.course, status="draft")
    small.accept(roles=[INSTRUCTOR], link=None, **keyed(placed))
    assert small.row(tables.Placement).status == "draft"


def test_frames_are_allowed_to_the_signed_and_the_registered_origins(small: World) -> None:
    small.change(tables.Registration, frame_origins=["https://portal.example"], product="canvas")
    assert small.accept().session.frame_origins == (
        "https://lms.example",
        "https://portal.example",
        "https://*.instructure.com",
    )
    bare = small.accept(frame_origins=()).session
    assert bare.frame_origins[0] == small.course.platform_issuer
