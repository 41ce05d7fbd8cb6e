"""Institutions that share one issuer and client_id, as all of Canvas's cloud does."""

from __future__ import annotations

from typing import Any, cast

import pytest
import sqlalchemy as sa

from lti_tool.domain.identity import CourseContext, MembershipService
from lti_tool.domain.registrations import DeploymentStatus, DeploymentView, token_url_of
from lti_tool.errors import Conflict, ErrorCode, RequestInvalid
from lti_tool.services.registration import Registrations, has_token_url
from lti_tool.store import oversight, rosters, tables
from lti_tool.store import registrations as store
from lti_tool.store.database import Database
from tests.unit.lti.tokens import NOW, Clock
from tests.unit.services.launches import World

CANVAS: dict[str, Any] = {
    "issuer": "https://canvas.instructure.com",
    "client_id": "10000000000001",
    "auth_url": "https://sso.canvaslms.com/api/lti/authorize_redirect",
    "jwks_url": "https://sso.canvaslms.com/api/lti/security/jwks",
    "product": "canvas",
}
NORTH = "https://north.instructure.com/login/oauth2/token"
SOUTH = "https://south.instructure.com/login/oauth2/token"


@pytest.fixture
def registrations(database: Database) -> Registrations:
    return Registrations(database, Clock())


def north(registrations: Registrations, **changes: Any) -> str:
    return registrations.add(
        **{
            **CANVAS,
            "token_url": NORTH,
            "name": "Canvas",
            "deployments": ["1:north"],
            "organisation": "North",
            "approve": True,
            **changes,
        }
    ).id


def south(registrations: Registrations, **changes: Any) -> str:
    return registrations.add(
        **{
            **CANVAS,
            "token_url": SOUTH,
            "deployments": ["2:south"],
            "organisation": "South",
            "approve": True,
            **changes,
        }
    ).id


def deployment(registrations: Registrations, registration_id: str, id_on_platform: str) -> DeploymentView:
    (found,) = (
        each
        for each in registrations.show(registration_id).deployments
        if each.id_on_platform == id_on_platform
    )
    return found


def token_url(registrations: Registrations, registration_id: str, id_on_platform: str) -> str | None:
    registration = registrations.show(registration_id).registration
    found = deployment(registrations, registration_id, id_on_platform)
    return token_url_of(registration, found, per_institution=True)


def problem(refused: pytest.ExceptionInfo[RequestInvalid]) -> str:
    assert refused.value.code is ErrorCode.REGISTRATION_INVALID
    problems = cast("tuple[str, ...]", refused.value.params["problems"])
    assert len(problems) == 1
    return problems[0]


# -- the same command for each institution


def test_a_further_institution_is_added_like_the_first_and_takes_nothing_from_it(
    registrations: Registrations,
) -> None:
    first = north(registrations)
    before = registrations.show(first).registration
    assert south(registrations, name="Another name", frame_origins=["https://lms.south.example"]) == first
    assert registrations.show(first).registration == before
    assert token_url(registrations, first, "1:north") == NORTH
    assert token_url(registrations, first, "2:south") == SOUTH
    organisations = {name: registrations.ensure_organisation(name).id for name in ("North", "South")}
    theirs = deployment(registrations, first, "2:south")
    assert (theirs.organisation_id, theirs.status) == (organisations["South"], DeploymentStatus.APPROVED)
    assert theirs.frame_origins == ("https://lms.south.example",)
    ours = deployment(registrations, first, "1:north")
    assert (ours.organisation_id, ours.frame_origins) == (organisations["North"], ())


def test_adding_both_again_changes_nothing(registrations: Registrations) -> None:
    first = north(registrations)
    south(registrations)
    before = registrations.show(first)
    north(registrations)
    south(registrations)
    assert registrations.show(first) == before


def test_a_further_institution_has_to_name_its_deployments(registrations: Registrations) -> None:
    first = north(registrations)
    with pytest.raises(RequestInvalid) as refused:
        south(registrations, deployments=[])
    assert problem(refused).startswith("deployments: ")
    assert registrations.show(first).registration.token_url == NORTH


def test_a_further_institution_cannot_name_the_first_ones_deployment(registrations: Registrations) -> None:
    """Its token URL would then be the other's: every assertion of that deployment would go there."""
    first = north(registrations)
    with pytest.raises(Conflict):
        south(registrations, deployments=["1:north"])
    assert token_url(registrations, first, "1:north") == NORTH
    assert deployment(registrations, first, "1:north").token_url is None


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks_url": "https://south.example/jwks"},
        {"auth_url": "https://south.example/auth"},
        {"product": "other"},
        {"product": "moodle"},
        {"token_audience": "https://south.example/token"},
        {"approves_deployments": True},
    ],
)
def test_a_further_institution_changes_nothing_that_all_share(
    registrations: Registrations, changes: dict[str, Any]
) -> None:
    """With a key set of its own it could sign the first one's launches; as another product its token URL
    would be everybody's. The operator types what its administrator sent."""
    first = north(registrations)
    before = registrations.show(first)
    with pytest.raises(RequestInvalid) as refused:
        south(registrations, **changes)
    assert problem(refused).startswith(f"{next(iter(changes))}: ")
    assert registrations.show(first) == before


def test_without_an_organisation_a_registration_stays_with_its_own(registrations: Registrations) -> None:
    """Not the installation's first one: that is another institution."""
    north(registrations)
    moodle: dict[str, Any] = {
        **CANVAS,
        "product": "moodle",
        "issuer": "https://moodle.south.example",
        "token_url": "https://moodle.south.example/token",
        "approve": True,
    }
    made = registrations.add(**moodle, organisation="South", deployments=["1"])
    registrations.add(**moodle, deployments=["1", "2"])
    (south_id,) = {each.organisation_id for each in registrations.show(made.id).deployments}
    assert south_id == registrations.ensure_organisation("South").id
    canvas = registrations.add(
        **{**CANVAS, "client_id": "2", "token_url": SOUTH, "organisation": "South", "approve": True},
        deployments=["5:x"],
    )
    again = registrations.add(**{**CANVAS, "client_id": "2", "token_url": NORTH}, deployments=["5:x"])
    assert (again.id, again.token_url) == (canvas.id, NORTH), "a correction of its own address"


def test_the_first_institution_corrects_its_own_address(registrations: Registrations) -> None:
    first = north(registrations, token_url="https://nroth.instructure.com/login/oauth2/token")
    south(registrations)
    north(registrations)
    assert token_url(registrations, first, "1:north") == NORTH
    assert token_url(registrations, first, "2:south") == SOUTH


# -- deployments one by one


def test_a_deployment_of_another_institution_needs_a_token_url_of_its_own(
    registrations: Registrations,
) -> None:
    first = north(registrations)
    with pytest.raises(RequestInvalid) as refused:
        registrations.approve_deployment(first, "2:south", "South")
    assert problem(refused).startswith("token_url: ")
    assert [each.id_on_platform for each in registrations.show(first).deployments] == ["1:north"]
    approved = registrations.approve_deployment(
        first, "2:south", "South", token_url=SOUTH, frame_origins=["https://lms.south.example"]
    )
    assert (approved.token_url, approved.frame_origins) == (SOUTH, ("https://lms.south.example",))
    again = registrations.approve_deployment(first, "2:south")
    assert again == approved, "what is not given keeps its value"


def test_a_further_deployment_of_the_first_institution_needs_none(registrations: Registrations) -> None:
    first = north(registrations)
    approved = registrations.approve_deployment(first, "3:course", "North")
    assert approved.token_url is None
    assert token_url(registrations, first, "3:course") == NORTH


def test_nobody_guesses_whose_a_new_deployment_is(registrations: Registrations) -> None:
    """The first institution's organisation would get the people of another, and its token their hosts."""
    first = north(registrations)
    for attempt in (
        lambda: registrations.approve_deployment(first, "2:south"),
        lambda: registrations.approve_deployment(first, "2:south", token_url=SOUTH),
        lambda: south(registrations, organisation=None),
    ):
        with pytest.raises(RequestInvalid) as refused:
            attempt()
        assert problem(refused).startswith("organisation: ")
    assert registrations.show(first).registration.token_url == NORTH
    assert [each.id_on_platform for each in registrations.show(first).deployments] == ["1:north"]
    north(registrations, organisation=None)
    assert registrations.approve_deployment(first, "1:north").organisation_id is not None


@pytest.mark.parametrize(
    "url", ["http://south.example/token", "javascript:alert(1)", "", "https://u@x.example/"]
)
def test_a_token_url_is_an_https_address(registrations: Registrations, url: str) -> None:
    first = north(registrations)
    with pytest.raises(RequestInvalid) as refused:
        registrations.approve_deployment(first, "2:south", "South", token_url=url)
    assert problem(refused).startswith("token_url: ")


@pytest.mark.parametrize("origin", ["https://*.example", "https://lms.example/path", "*", "'self'"])
def test_a_frame_origin_is_one_site(registrations: Registrations, origin: str) -> None:
    first = north(registrations)
    with pytest.raises(RequestInvalid) as refused:
        registrations.approve_deployment(first, "1:north", frame_origins=[origin])
    assert problem(refused).startswith("frame_origins: ")


def test_a_moodle_has_one_token_url_whoever_owns_its_deployments(registrations: Registrations) -> None:
    moodle = north(registrations, product="moodle")
    approved = registrations.approve_deployment(moodle, "2", "South")
    assert has_token_url(registrations.show(moodle).registration, approved)


def test_a_deployment_approved_without_an_address_gets_no_token_of_another(
    registrations: Registrations,
) -> None:
    """Staff may take a deployment on their pages, where no token URL is asked for."""
    first = north(registrations)
    owner = registrations.ensure_organisation("South").id
    with registrations.database.write() as session:
        held = store.save_deployment(session, first, "2:south", NOW)
        store.approve_deployment(session, held.id, owner, NOW)
    assert token_url(registrations, first, "2:south") is None
    assert not has_token_url(
        registrations.show(first).registration, deployment(registrations, first, "2:south")
    )


def test_staff_of_one_institution_cannot_take_what_may_be_anothers(world: World) -> None:
    """Its id is in a signed launch, but whose it is nobody has said; staff see it, and take it, elsewhere."""
    world.change(tables.Registration, default_organisation_id=world.course.organisation_id)
    world.refused(world.launch(deployment_id="new"))
    for product, seen in (("moodle", 2), ("canvas", 1)):
        world.change(tables.Registration, product=product)
        with world.database.read() as session:
            found = oversight.deployments(session, world.course.organisation_id, world.course.registration_id)
            row = oversight.registration(session, world.course.organisation_id, world.course.registration_id)
        assert len(found) == seen, product
        assert row is not None
        assert row.held == seen - 1, product


def test_staff_of_one_institution_are_not_told_where_the_other_is(registrations: Registrations) -> None:
    first = north(registrations)
    south(registrations)
    seen: dict[str, str | None] = {}
    with registrations.database.read() as session:
        for name in ("North", "South"):
            owner = store.find_organisation(session, name)
            assert owner is not None
            row = oversight.registration(session, owner.id, first)
            assert row is not None
            assert row.is_shared
            seen[name] = row.token_url
    assert seen == {"North": NORTH, "South": SOUTH}


# -- launches


def test_the_rule_for_new_deployments_ends_where_another_institution_joins(world: World) -> None:
    world.change(
        tables.Registration, approves_deployments=True, default_organisation_id=world.course.organisation_id
    )
    assert world.accept(deployment_id="a course").session.organisation_id == world.course.organisation_id
    world.share_registration("2:south")
    assert world.refused(world.launch(deployment_id="another")).code is ErrorCode.DEPLOYMENT_HELD


def test_hosts_and_frames_of_one_institution_are_not_the_others(world: World) -> None:
    world.change(tables.Registration, product="canvas")
    owner = world.share_registration("2:south")
    with world.database.write() as session:
        session.execute(
            sa.update(tables.Deployment)
            .where(tables.Deployment.id_on_platform == "2:south")
            .values(frame_origins=["https://lms.south.example"])
        )
    roster = MembershipService("https://lms.south.example/api/lti/courses/1/names_and_roles")
    theirs = world.accept(deployment_id="2:south", context=CourseContext("1"), memberships=roster).session
    ours = world.accept(context=CourseContext("1")).session
    assert theirs.organisation_id == owner
    assert "https://lms.south.example" in theirs.frame_origins
    assert "https://lms.south.example" not in ours.frame_origins
    hosts = {row.id_on_platform: row.service_hosts for row in world.rows(tables.Deployment)}
    assert hosts.pop("2:south") == ["lms.south.example"]
    (others,) = hosts.values()
    assert "lms.south.example" not in others


def test_a_plan_of_one_institution_opens_no_course_of_the_other(world: World) -> None:
    owner = world.share_registration("2:south")
    theirs = world.accept(deployment_id="2:south", context=CourseContext("1")).session
    assert theirs.context_id is not None
    with world.database.read() as session:
        assert rosters.context_plan(session, world.course.organisation_id, theirs.context_id) is None
        plan = rosters.context_plan(session, owner, theirs.context_id)
        assert plan is not None
        assert plan.deployment.id_on_platform == "2:south"
        assert rosters.context_plan(session, owner, world.course.context_id) is None


def test_who_forgets_the_product_hands_no_institution_to_another(registrations: Registrations) -> None:
    """Taken for another product, the registration would become the joining institution's, tokens and all."""
    view = registrations.show(north(registrations))
    said = {name: value for name, value in CANVAS.items() if name != "product"}
    registrations.add(**said, token_url=SOUTH, deployments=["2:south"], organisation="South", approve=True)
    again = registrations.show(view.registration.id)
    assert again.registration == view.registration
    assert token_url(registrations, again.registration.id, "1:north") == NORTH
    assert token_url(registrations, again.registration.id, "2:south") == SOUTH
