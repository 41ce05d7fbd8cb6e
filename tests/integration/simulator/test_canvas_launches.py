"""The simulated Canvas at login and launch, in deep linking, and at its token endpoint."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.integration.simulator.cloud import SSO, Institution
from tests.integration.simulator.cloud import institutions as institutions
from tests.integration.simulator.cloud import north as north
from tests.integration.simulator.conftest import SCOPES, TOOL_URL
from tests.simulator.browser import origin_of
from tests.simulator.canvas.messages import PLACEMENTS
from tests.simulator.claims import (
    CLAIM_AGS,
    CLAIM_CONTEXT,
    CLAIM_CUSTOM,
    CLAIM_DEEP_LINKING,
    CLAIM_DEPLOYMENT,
    CLAIM_RESOURCE_LINK,
    CLAIM_ROLES,
    TEST_USER,
)
from tests.simulator.lms import Role

Both = tuple[Institution, Institution]


def link(place: Institution) -> str:
    """The page of an assignment of the tool."""
    (activity,) = place.place({"title": "Badge", "lineItem": {"scoreMaximum": 10, "tag": "award"}})
    return f"/courses/{place.course.id}/assignments/{activity.id}"


# Tenancy


def test_institutions_share_issuer_keys_and_client_and_little_else(institutions: Both) -> None:
    north, south = institutions
    assert north.lms.endpoints["issuer"] == south.lms.endpoints["issuer"] == SSO
    assert north.lms.keys is south.lms.keys
    assert north.tool.client_id == south.tool.client_id
    assert north.lms.endpoints["token_url"] != south.lms.endpoints["token_url"]
    assert north.lms.deployment_id(north.tool) != south.lms.deployment_id(south.tool)
    assert north.lms.guid != south.lms.guid


def test_ids_are_opaque(north: Institution) -> None:
    claims = north.claims_at(link(north))
    uuid4 = r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    assert re.fullmatch(uuid4, claims["sub"])
    assert re.fullmatch(uuid4, claims[CLAIM_RESOURCE_LINK]["id"])
    assert re.fullmatch(r"[0-9a-f]{40}", claims[CLAIM_CONTEXT]["id"])
    assert re.fullmatch(r"\d+:[0-9a-f]{40}", claims[CLAIM_DEPLOYMENT])
    assert re.fullmatch(r"1\d{13}", claims["aud"])


def test_a_course_has_a_deployment_of_its_own(north: Institution) -> None:
    own = north.lms.register_tool(
        TOOL_URL, client_id=north.tool.client_id, login_path="/login", launch_path="/launch",
        jwks_path="/jwks", course_id=north.course.id,
    )  # fmt: skip
    claims = north.claims_at(f"/courses/{north.course.id}/external_tools/{own.id}")
    assert claims["aud"] == north.tool.client_id
    assert claims[CLAIM_DEPLOYMENT] != north.lms.deployment_id(north.tool)
    elsewhere = north.lms.add_course("MM2", "Another")
    north.lms.enrol(north.learners[0], elsewhere)
    page = north.person(north.learners[0]).get(f"/courses/{elsewhere.id}/external_tools/{own.id}")
    assert page.status == 404


# Login and launch


def test_the_login_names_the_deployment_and_the_storage_frame(north: Institution) -> None:
    north.claims_at(link(north))
    sent = north.probe.logins[-1]
    assert sent["iss"] == SSO
    assert sent["lti_storage_target"] == "post_message_forwarding"
    assert sent["deployment_id"] == sent["lti_deployment_id"] == north.lms.deployment_id(north.tool)
    assert sent["canvas_environment"] == "prod"
    assert re.fullmatch(r"[0-9a-f]{40}", sent["login_hint"])
    assert north.probe.launches[-1]["lti_storage_target"] == "post_message_forwarding"


def test_the_way_back_leads_over_the_shared_host(north: Institution) -> None:
    page = north.person(north.learners[0]).open(link(north))
    assert page.status == 200
    learner = north.person(north.learners[0])
    opened = learner.get(link(north))
    auth = learner.submit(opened)
    assert [origin_of(url) for _, url in auth.history] == [TOOL_URL, SSO]
    assert auth.url.startswith(f"{north.lms.base_url}/api/lti/authorize?")


def test_a_launch_is_consumed_once_and_what_is_wrong_is_told_to_the_tool(north: Institution) -> None:
    learner = north.person(north.learners[0])
    auth = learner.submit(learner.get(link(north)))
    assert "id_token" in auth.form().fields
    again = learner.get(auth.url)
    assert again.form().fields["error"] == "launch_no_longer_valid"
    stranger = north.person(north.learners[1]).get(auth.url)
    assert stranger.form().fields["error"] == "login_required"
    assert again.form().action == TOOL_URL + "/launch"


def test_a_hint_ends_after_five_minutes(north: Institution) -> None:
    learner = north.person(north.learners[0])
    opened = learner.get(link(north))
    north.clock.tick(301)
    assert learner.submit(opened).status == 400


def test_an_address_nobody_registered_is_told_nothing(north: Institution) -> None:
    path, learner = link(north), north.person(north.learners[0])
    north.probe.auth_overrides = {"redirect_uri": "http://localhost:9001/elsewhere"}
    assert learner.submit(learner.get(path)).status == 400


def test_objects_in_a_message_carry_canvas_own_members(north: Institution) -> None:
    claims = north.claims_at(link(north))
    assert claims["errors"] == {"errors": {}}
    for claim in (CLAIM_CONTEXT, CLAIM_RESOURCE_LINK, CLAIM_AGS):
        assert claims[claim]["errors"] == {"errors": {}}
        assert claims[claim]["validation_context"] is None


def test_roles_of_the_course_the_institution_and_the_system_come_together(north: Institution) -> None:
    roles = north.claims_at(link(north))[CLAIM_ROLES]
    assert roles == sorted(roles)
    assert [role.rsplit("/", 1)[-1] for role in roles] == [
        "person#Student",
        "membership#Learner",
        "person#User",
    ]


def test_variables_without_a_value_stay_as_they_were_written(north: Institution) -> None:
    custom = north.claims_at(link(north))[CLAIM_CUSTOM]
    assert custom["masquerade"] == "$Canvas.masqueradingUser.id"
    assert custom["unheard_of"] == "$Canvas.no.such.thing"
    assert custom["sis"] == "$Person.sourcedId"


def test_variables_come_as_numbers_and_booleans(north: Institution) -> None:
    custom = north.claims_at(link(north))[CLAIM_CUSTOM]
    assert custom["student_view"] is False
    assert custom["canvas_user"] == north.learners[0].id


def test_the_links_parameters_win_over_the_tools(north: Institution) -> None:
    (activity,) = north.place({"title": "Badge", "custom": {"sis": "own", "badge_link_key": "k"}})
    custom = north.claims_at(f"/courses/{north.course.id}/assignments/{activity.id}")[CLAIM_CUSTOM]
    assert (custom["sis"], custom["badge_link_key"]) == ("own", "k")


def test_the_test_student_has_a_role_that_says_so(north: Institution) -> None:
    path = link(north)
    teacher = north.person(north.teacher)
    teacher.submit(teacher.get(f"/courses/{north.course.id}"), form="student_view")
    teacher.open(path)
    assert TEST_USER in north.probe.claims[CLAIM_ROLES]
    assert north.probe.claims[CLAIM_CUSTOM]["student_view"] is True


def test_acting_as_somebody_shows_in_one_variable_only(north: Institution) -> None:
    path = link(north)
    admin = north.person(north.lms.admin)
    admin.session.masquerader_id, admin.session.user_id = admin.user.id, north.learners[0].id
    admin.open(path)
    claims = north.probe.claims
    assert claims["sub"] == north.lms.sub(north.learners[0])
    assert claims[CLAIM_CUSTOM]["masquerade"] == north.lms.admin.id


def test_course_navigation_has_the_course_for_a_link(north: Institution) -> None:
    claims = north.claims_at(f"/courses/{north.course.id}/external_tools/{north.tool.id}")
    assert claims[CLAIM_RESOURCE_LINK]["id"] == claims[CLAIM_CONTEXT]["id"]
    assert claims["https://www.instructure.com/placement"] == "course_navigation"
    assert "lineitem" not in claims[CLAIM_AGS]


def test_links_in_a_page_have_the_course_for_a_link(north: Institution) -> None:
    placed = [
        *north.place({"title": "One"}, {"title": "Two", "custom": {"no": "2"}}, placement="editor_button")
    ]
    found = [north.claims_at(north.lms.page_of(activity)) for activity in placed]
    assert {claims[CLAIM_RESOURCE_LINK]["id"] for claims in found} == {found[0][CLAIM_CONTEXT]["id"]}
    assert [claims[CLAIM_CUSTOM].get("no") for claims in found] == [None, "2"]
    (item,) = north.place({"title": "Three"}, placement="link_selection")
    claims = north.claims_at(north.lms.page_of(item))
    assert claims[CLAIM_RESOURCE_LINK]["id"] != claims[CLAIM_CONTEXT]["id"]


# The storage frame


def test_a_tools_page_has_the_storage_frame_beside_the_tool(north: Institution) -> None:
    page = north.person(north.learners[0]).get(link(north))
    frames = [frame["name"] for frame in page.soup.find_all("iframe")]
    assert frames == ["tool_content", "post_message_forwarding"]
    forwarding = north.person(north.learners[0]).get("/post_message_forwarding")
    assert origin_of(forwarding.url) == SSO
    assert forwarding.headers["Content-Security-Policy"] == f"frame-ancestors 'self' {north.lms.base_url}"


# Deep linking


@pytest.mark.parametrize("placement", PLACEMENTS)
def test_each_placement_says_what_it_takes(north: Institution, placement: str) -> None:
    north.person(north.teacher).deep_link(north.course, tool=north.tool, placement=placement)
    settings = north.probe.claims[CLAIM_DEEP_LINKING]
    types, multiple, creates, *_ = PLACEMENTS[placement]
    assert settings["accept_types"] == list(types)
    assert (settings["accept_multiple"], settings["auto_create"]) == (multiple, creates)
    assert "accept_lineitem" not in settings
    assert "data" not in settings
    assert "data=" in settings["deep_link_return_url"]


@pytest.mark.parametrize(
    "placement, graded",
    [
        ("assignment_selection", True),
        ("module_index_menu_modal", True),
        ("course_assignments_menu", True),
        ("link_selection", False),
        ("editor_button", False),
    ],
)
def test_a_line_item_counts_where_assignments_are_made(
    north: Institution, placement: str, graded: bool
) -> None:
    (activity,) = north.place(
        {"title": "Badge", "lineItem": {"scoreMaximum": 10, "tag": "award"}}, placement=placement
    )
    item = north.lms.item_of(activity)
    assert (item is not None) == graded
    if item is not None and item.service is not None:
        assert (item.maximum, item.service.tag) == (10, "award")


@pytest.mark.parametrize("placement, made", [("assignment_selection", 1), ("module_menu_modal", 2)])
def test_more_items_than_a_placement_takes_are_dropped(north: Institution, placement: str, made: int) -> None:
    items: list[dict[str, Any]] = [{"title": "One"}, {"title": "Two"}, {"title": "Page", "type": "html"}]
    assert len(north.place(*items, placement=placement)) == made


def test_a_return_url_is_good_once(north: Institution) -> None:
    north.place()
    teacher = north.person(north.teacher)
    picker = teacher.deep_link(north.course, tool=north.tool)
    assert teacher.return_selected(picker).status == 200
    assert teacher.return_selected(picker).status == 400


@pytest.mark.parametrize(
    "wrong", [{"aud": "https://elsewhere.example"}, {CLAIM_DEPLOYMENT: "1:0"}, {"nonce": ""}], ids=str
)
def test_a_response_for_somebody_else_is_refused(north: Institution, wrong: dict[str, Any]) -> None:
    north.place()
    north.probe.response_overrides |= wrong
    teacher = north.person(north.teacher)
    with pytest.raises(LookupError):
        teacher.save_selected(teacher.deep_link(north.course, tool=north.tool))


def test_learners_choose_nothing(north: Institution) -> None:
    page = north.person(north.learners[0]).deep_link(north.course, tool=north.tool)
    assert page.status == 401
    north.lms.enrol(north.learners[0], north.course, Role.DESIGNER)
    assert north.person(north.learners[0]).deep_link(north.course, tool=north.tool).status == 200


# Tokens


def test_an_assertion_is_for_one_institution(institutions: Both) -> None:
    north, south = institutions
    assert north.ask_token().status_code == 200
    refused = north.ask_token(at=south.lms.base_url, aud=north.lms.endpoints["token_url"])
    assert refused.status_code == 400
    assert "aud" in refused.json()["error_description"]


def test_a_token_opens_nothing_at_the_other_institution(institutions: Both) -> None:
    north, south = institutions
    token = str(north.ask_token().json()["access_token"])
    answer = south.call("GET", "/names_and_roles", token=token)
    assert answer.status_code == 401
    assert answer.json()["errors"]["type"] == "unauthorized"


def test_one_scope_too_many_and_there_is_no_token(north: Institution) -> None:
    answer = north.ask_token(scope=SCOPES + " https://canvas.instructure.com/lti/data_services/scope/show")
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_scope")
