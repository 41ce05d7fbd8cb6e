"""The simulated Canvas's roster, columns, results and scores."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.integration.simulator.cloud import NORTH_TOO, SUBMISSION, Institution
from tests.integration.simulator.cloud import institutions as institutions
from tests.integration.simulator.cloud import north as north
from tests.simulator.claims import CLAIM_AGS, CLAIM_CUSTOM, TEST_USER
from tests.simulator.lms import Activity, Role


def placed(north: Institution, **line_item: Any) -> Activity:
    (activity,) = north.place({"title": "Badge", "lineItem": {"scoreMaximum": 10, **line_item}})
    return activity


def column_of(north: Institution, activity: Activity) -> int:
    item = north.lms.item_of(activity)
    assert item is not None
    return item.id


# Roster


def test_a_page_has_fifty_members_whatever_is_asked(north: Institution) -> None:
    for number in range(100):
        north.lms.enrol(north.lms.add_user(f"m{number}", "Many", str(number)), north.course)
    first = north.call("GET", "/names_and_roles?limit=1000")
    assert len(first.json()["members"]) == 50
    assert len(north.call("GET", "/names_and_roles?limit=7").json()["members"]) == 7
    seen: list[str] = []
    answer = first
    while True:
        seen += [member["user_id"] for member in answer.json()["members"]]
        if "next" not in answer.links:
            break
        answer = north.call("GET", answer.links["next"]["url"])
    assert len(seen) == len(set(seen)) == 104


def test_link_headers_have_several_relations_and_cursors_in_which_capitals_matter(north: Institution) -> None:
    answer = north.call("GET", "/names_and_roles?limit=2")
    assert list(answer.links) == ["current", "next", "first"]
    url = answer.links["next"]["url"]
    assert "limit" not in url
    assert url != url.lower()
    spoilt = north.call("GET", url.lower())
    assert spoilt.status_code == 400
    assert "next" not in north.call("GET", url).links


def test_members_have_full_roles_and_the_test_student_is_one_of_them(north: Institution) -> None:
    north.lms.test_student(north.course)
    north.lms.enrol(north.learners[2], north.course, is_suspended=True)
    members = north.call("GET", "/names_and_roles").json()["members"]
    assert {member["status"] for member in members} == {"Active"}
    assert all("://" in role for member in members for role in member["roles"])
    assert len(members) == 4
    assert len([member for member in members if TEST_USER in member["roles"]]) == 1
    assert not [m for m in members if any("institution/person" in role for role in m["roles"])]


@pytest.mark.parametrize("level", ["name", "email", "nothing"])
def test_names_depend_on_the_privacy_level(north: Institution, level: str) -> None:
    north.tool.sends_name, north.tool.sends_email = level == "name", level == "email"
    member = north.call("GET", "/names_and_roles").json()["members"][0]
    assert ("name" in member) == (level == "name")
    assert ("email" in member) == (level == "email")


def test_a_link_gives_each_member_its_parameters(north: Institution) -> None:
    activity = placed(north)
    rlid = north.lms.resource_link_id(activity)
    members = north.call("GET", f"/names_and_roles?rlid={rlid}").json()["members"]
    (message,) = members[1]["message"]
    custom = message[CLAIM_CUSTOM]
    assert custom["canvas_user"] == north.learners[0].id
    assert custom["student_view"] == "$com.instructure.User.student_view", "not in the white-list"
    assert "message" not in north.call("GET", "/names_and_roles").json()["members"][0]


def test_a_link_narrows_students_to_those_it_is_assigned_to(north: Institution) -> None:
    activity = placed(north)
    north.lms.assign_to(activity, north.learners[1])
    rlid = north.lms.resource_link_id(activity)
    members = north.call("GET", f"/names_and_roles?rlid={rlid}").json()["members"]
    assert [m["user_id"] for m in members] == [north.lms.sub(u) for u in (north.teacher, north.learners[1])]
    (item,) = north.place({"title": "Module item"}, placement="link_selection")
    north.lms.assign_to(item, north.learners[1])
    rlid = north.lms.resource_link_id(item)
    assert len(north.call("GET", f"/names_and_roles?rlid={rlid}").json()["members"]) == 4


def test_a_teacher_assigns_an_assignment_on_its_own_page(north: Institution) -> None:
    activity = placed(north)
    path = f"/courses/{north.course.id}/assignments/{activity.id}/edit"
    teacher = north.person(north.teacher)
    page = teacher.get(path)
    teacher.submit(page, {"assign_to": "students", "student": str(north.learners[0].id)}, form="assign")
    assert north.lms.is_available(north.learners[0], activity)
    assert not north.lms.is_available(north.learners[1], activity)
    assert north.person(north.learners[1]).get(path.removesuffix("/edit")).status == 401
    assert north.person(north.learners[0]).get(path).status == 401
    teacher.submit(teacher.get(path), {"assign_to": "everyone"}, form="assign")
    assert north.lms.is_available(north.learners[1], activity)


def test_the_course_itself_is_a_link_and_others_are_refused(north: Institution) -> None:
    own = north.call("GET", f"/names_and_roles?rlid={north.lms.context_id(north.course)}")
    assert len(own.json()["members"]) == 4
    for rlid in ("made-up", "00000000-0000-4000-8000-000000000000"):
        assert north.call("GET", f"/names_and_roles?rlid={rlid}").status_code == 400


# Columns


def test_columns_come_ten_a_page_and_only_the_tools_own(north: Institution) -> None:
    north.lms.add_quiz(north.course, "Native quiz")
    for number in range(12):
        north.create_column(label=f"Column {number}")
    first = north.call("GET", "/line_items")
    assert len(first.json()) == 10
    assert list(first.links) == ["current", "next", "first", "last"]
    assert len(north.call("GET", first.links["next"]["url"]).json()) == 2
    assert len(north.call("GET", "/line_items?limit=500").json()) == 12
    assert not [item for item in first.json() if "Native" in item["label"]]


def test_columns_are_found_by_tag_and_resource(north: Institution) -> None:
    north.create_column(tag="attest", resourceId="key")
    north.create_column(tag="attest", resourceId="other")
    assert len(north.call("GET", "/line_items?tag=attest").json()) == 2
    assert len(north.call("GET", "/line_items?tag=attest&resource_id=key").json()) == 1
    assert north.create_column(tag="attest", resourceId="key"), "nobody looks for duplicates"


def test_a_coupled_column_is_not_deleted_and_a_foreign_link_not_found(north: Institution) -> None:
    coupled = column_of(north, placed(north))
    assert north.call("DELETE", f"/line_items/{coupled}").status_code == 401
    own = north.create_column()
    assert north.call("DELETE", f"/line_items/{own}").status_code == 204
    body = {"scoreMaximum": 1, "label": "x", "resourceLinkId": "made-up"}
    refused = north.call("POST", "/line_items", body=body)
    assert refused.status_code == 404
    assert refused.json() == {"errors": [{"message": "The specified resource does not exist."}]}


def test_a_module_item_has_no_column_to_join(north: Institution) -> None:
    (item,) = north.place({"title": "Module item"}, placement="link_selection")
    body = {"scoreMaximum": 1, "label": "x", "resourceLinkId": north.lms.resource_link_id(item)}
    assert north.call("POST", "/line_items", body=body).status_code == 412


def test_extensions_of_columns(north: Institution) -> None:
    activity = placed(north, tag="award", resourceId="key")
    shown = north.call("GET", f"/line_items/{column_of(north, activity)}?include[]=launch_url").json()
    assert shown["https://canvas.instructure.com/lti/launch_url"] == activity.url
    assert shown["resourceLinkId"] == north.lms.resource_link_id(activity)
    wrong = {"https://canvas.instructure.com/lti/submission_type": {"type": "online_upload"}}
    refused = north.call("POST", "/line_items", body={"scoreMaximum": 1, "label": "x", **wrong})
    assert refused.status_code == 400


# Results


def test_results_know_only_whom_the_tool_has_scored(north: Institution) -> None:
    column, learner = north.create_column(), north.learners[0]
    item = north.lms.gradebook.items[column]
    north.lms.set_grade(learner, item, 85)
    assert north.results(column) == []
    north.score(
        column, learner, scoreGiven=None, scoreMaximum=None, gradingProgress="NotReady",
        activityProgress="Initialized", **{SUBMISSION: {"new_submission": False, "preserve_score": True}},
    )  # fmt: skip
    assert north.lms.gradebook.final(item, learner.id) == 85
    (row,) = north.results(column)
    assert "resultScore" not in row, "the row learns of the grade when it changes"
    north.lms.set_grade(learner, item, 86)
    (row,) = north.results(column)
    assert (row["resultScore"], row["resultMaximum"]) == (86, 100)


def test_a_teachers_change_is_rescaled(north: Institution) -> None:
    column, learner = north.create_column(), north.learners[0]
    north.score(column, learner, scoreGiven=1, scoreMaximum=1)
    assert north.lms.gradebook.final(north.lms.gradebook.items[column], learner.id) == 100
    north.lms.set_grade(learner, north.lms.gradebook.items[column], 40)
    (row,) = north.results(column)
    assert (row["resultScore"], row["resultMaximum"]) == (0.4, 1)


def test_results_of_one_person_and_of_nobody(north: Institution) -> None:
    column = north.create_column()
    for learner in north.learners[:2]:
        north.score(column, learner)
    sub = north.lms.sub(north.learners[0])
    assert [row["userId"] for row in north.results(column, f"?user_id={sub}")] == [sub]
    assert len(north.results(column, f"?user_id={north.learners[1].id}")) == 1, "Canvas's own number does too"
    assert north.results(column, f"?user_id={north.lms.sub(north.teacher)}") == []
    assert north.results(column, "?user_id=made-up") == []


# Scores


def test_each_score_is_an_attempt_unless_it_says_no(north: Institution) -> None:
    column, learner = column_of(north, placed(north)), north.learners[0]
    for _ in range(2):
        assert north.score(column, learner).status_code == 200
        north.clock.tick()
    assert north.lms.attempts[column, learner.id] == 2
    for extension in ({"new_submission": False}, {"submission_type": "none"}):
        assert north.score(column, learner, **{SUBMISSION: extension}).status_code == 200
        north.clock.tick()
    assert north.lms.attempts[column, learner.id] == 2
    north.lms.allowed_attempts[column] = 2
    refused = north.score(column, learner)
    assert refused.status_code == 422
    assert "maximum number of allowed attempts" in refused.json()["errors"]["message"]
    assert north.score(column, learner, **{SUBMISSION: {"new_submission": False}}).status_code == 200


def test_an_older_timestamp_is_refused(north: Institution) -> None:
    column, learner = north.create_column(), north.learners[0]
    assert north.score(column, learner).status_code == 200
    assert north.score(column, learner).status_code == 200, "the same instant passes"
    north.clock.tick(-1)
    refused = north.score(column, learner)
    assert refused.status_code == 400
    assert "before last updated timestamp" in refused.json()["errors"]["message"]
    assert north.score(column, learner, timestamp="yesterday").status_code == 400


def test_only_students_are_scored(north: Institution) -> None:
    column = north.create_column()
    north.lms.enrol(north.learners[2], north.course, is_suspended=True)
    others = [north.teacher, north.lms.test_student(north.course), north.learners[2]]
    for user in others:
        refused = north.score(column, user)
        assert refused.status_code == 422
        assert refused.json()["errors"]["message"] == "User not found in course or is not a student"
    north.lms.enrol(north.learners[2], north.course, Role.STUDENT)
    assert north.score(column, north.learners[2]).status_code == 200


@pytest.mark.parametrize("spares", [True, False])
def test_a_teachers_grade_is_replaced_unless_the_score_spares_it(north: Institution, spares: bool) -> None:
    column, learner = north.create_column(), north.learners[0]
    item = north.lms.gradebook.items[column]
    north.lms.set_grade(learner, item, 40)
    north.score(column, learner, **{SUBMISSION: {"prioritize_non_tool_grade": spares}})
    assert north.lms.gradebook.final(item, learner.id) == (40 if spares else 100)


@pytest.mark.parametrize("preserves", [True, False])
def test_a_score_without_points_clears_unless_it_preserves(north: Institution, preserves: bool) -> None:
    column, learner = north.create_column(), north.learners[0]
    item = north.lms.gradebook.items[column]
    north.lms.set_grade(learner, item, 40)
    extension = {SUBMISSION: {"preserve_score": preserves}}
    north.score(column, learner, scoreGiven=None, gradingProgress="Pending", **extension)
    assert north.lms.gradebook.final(item, learner.id) == (40 if preserves else None)


# Refusals


def test_a_concluded_course_has_no_columns(north: Institution) -> None:
    column = north.create_column()
    north.lms.concluded.add(north.course.id)
    assert north.call("GET", "/line_items").status_code == 404
    assert north.call("GET", f"/line_items/{column}/results").status_code == 404
    assert north.call("GET", "/names_and_roles").status_code == 200


@pytest.mark.parametrize("status", [429, 403])
def test_a_full_bucket_answers_in_words_and_without_retry_after(north: Institution, status: int) -> None:
    token = str(north.ask_token().json()["access_token"])
    calm = north.call("GET", "/line_items", token=token)
    assert float(calm.headers["X-Rate-Limit-Remaining"]) > 0
    north.lms.chaos.switch_on("rate_limit", value=status, times=1)
    storm = north.call("GET", "/line_items", token=token)
    assert storm.status_code == status
    assert storm.text.endswith("(Rate Limit Exceeded)\n")
    assert storm.headers["X-Rate-Limit-Remaining"] == "0.0"
    assert "Retry-After" not in storm.headers


def test_the_host_of_a_column_changes_and_its_path_stays(north: Institution) -> None:
    activity = placed(north)
    for _ in range(10):
        north.create_column()
    old = north.call("GET", "/line_items").json()[0]["id"]
    north.lms.service_base_url = NORTH_TOO
    listed = north.call("GET", "/line_items")
    new = listed.json()[0]["id"]
    assert old.startswith(north.lms.base_url)
    assert new == old.replace(north.lms.base_url, NORTH_TOO)
    assert listed.links["next"]["url"].startswith(north.lms.base_url), "pages stay where they were asked for"
    for url in (old, new):
        assert north.call("GET", url).json()["id"] == new
    claims = north.claims_at(north.lms.page_of(activity))
    assert claims[CLAIM_AGS]["lineitem"] == new
    assert claims[CLAIM_AGS]["lineitems"].startswith(NORTH_TOO)


def test_a_bucket_fills_counts_down_refuses_and_runs_out(
    institutions: tuple[Institution, Institution],
) -> None:
    north, south = institutions
    north.lms.call_cost = 200
    token = str(north.ask_token().json()["access_token"])
    answers = [north.call("GET", "/line_items", token=token) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    left = [float(answer.headers["X-Rate-Limit-Remaining"]) for answer in answers]
    assert left == pytest.approx([400, 200, 0, 0])
    assert south.call("GET", "/line_items").status_code == 200, "an institution's bucket is its own"
    north.clock.tick(30)
    assert north.call("GET", "/line_items", token=token).status_code == 200


def refusal(north: Institution, **headers: str) -> requests.Response:
    return north.call("GET", "/line_items", **headers)


def test_who_does_not_say_who_is_asking_is_refused(north: Institution) -> None:
    assert refusal(north, **{"User-Agent": ""}).status_code == 403
    assert refusal(north, Authorization="").json()["errors"]["message"] == "Missing access token"
    assert refusal(north, Authorization="Bearer made-up").status_code == 401
    north.clock.tick(-7200)
    token = str(north.ask_token().json()["access_token"])
    north.clock.tick(7200)
    assert north.call("GET", "/line_items", token=token).json()["errors"]["message"] == "Access token expired"
