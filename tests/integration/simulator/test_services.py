"""Traits of Moodle's services that a client trips over (MOODLE.md §4, §5, §6)."""

from datetime import timedelta
from typing import Any

import pytest

from tests.integration.simulator.conftest import LMS_URL, Site
from tests.simulator.lms import GRADES_SYNC, Activity
from tests.simulator.moodle.backup import copy_course
from tests.simulator.moodle.lms import ContentForm, completed, grade_from, matching, since

NRPS = "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
ROSTER = "/CourseSection/2/bindings/1/memberships"


def _badge(site: Site, **more: Any) -> int:
    settings = {"is_graded": True, "maximum": 10.0, **more}
    activity = site.lms.save_activity(site.tool, site.course, ContentForm("Badge", **settings))
    item = site.lms.item_of(activity)
    assert item is not None
    return item.id


def _members(site: Site, query: str = "") -> list[dict[str, Any]]:
    answer = site.call("GET", ROSTER + query)
    assert answer.status_code == 200, answer.text
    members: list[dict[str, Any]] = answer.json()["members"]
    return members


def test_rosters_carry_short_roles_and_a_non_editing_teacher_is_a_learner(site: Site) -> None:
    roles = {member["user_id"]: member["roles"] for member in _members(site)}
    assert roles["3"] == ["Instructor"]
    assert roles["4"] == ["Learner"]


def test_suspended_and_ended_enrolments_are_absent(site: Site) -> None:
    site.lms.enrol(site.users["student1"], site.course, ends_at=site.clock.now - timedelta(days=1))
    assert {m["user_id"] for m in _members(site)} == {"3", "4", "6", "7", "8", "9"}


def test_the_next_link_loses_the_role_filter(site: Site) -> None:
    answer = site.call("GET", ROSTER + "?role=Learner&limit=2")
    assert answer.links["next"]["url"] == f"{LMS_URL}/mod/lti/services.php{ROSTER}?limit=2&from=2"
    following = site.call("GET", answer.links["next"]["url"]).json()["members"]
    assert [m["user_id"] for m in following] == ["6", "7"]


def test_an_unknown_role_filter_is_ignored(site: Site) -> None:
    assert len(_members(site, "?role=Mentor")) == 7


def test_rlid_leaves_out_who_may_not_enter_the_activity(site: Site) -> None:
    site.lms.take_quiz(site.users["student1"], site.quiz1, 90)
    gate = site.lms.save_activity(site.tool, site.course, ContentForm("Gate"))
    assert len(_members(site, f"?rlid={gate.instance}")) == 7
    gate.availability = {"op": "&", "c": [{"type": "completion", "cm": site.quiz1.id, "e": 2}]}
    assert [m["user_id"] for m in _members(site, f"?rlid={gate.instance}")] == ["3", "5", "4"]


def test_a_learner_who_fails_the_restriction_gets_no_id_token(site: Site) -> None:
    gate = site.lms.save_activity(site.tool, site.course, ContentForm("Gate"))
    gate.availability = {"op": "&", "c": [{"type": "completion", "cm": site.quiz1.id, "e": 2}]}
    assert site.person("student1").launch(gate.id).status == 404
    assert site.probe.logins == []
    site.lms.take_quiz(site.users["student1"], site.quiz1, 90)
    assert site.person("student1").launch(gate.id).status == 200


def _passes(site: Site, gate: Activity) -> set[str]:
    teachers = {"3", "4"}
    return {m["user_id"] for m in _members(site, f"?rlid={gate.instance}&role=Learner")} - teachers


def test_restrictions_nest_and_a_deleted_subject_is_met_by_nobody(site: Site) -> None:
    lms, one, two = site.lms, site.users["student1"], site.users["student2"]
    gate = lms.save_activity(site.tool, site.course, ContentForm("Gate"))
    item = lms.item_of(site.quiz1)
    assert item is not None
    lms.take_quiz(one, site.quiz1, 90)
    lms.complete(two, site.forum)
    passed, posted, high = completed(site.quiz1, 2), completed(site.forum), grade_from(item, 80)
    tomorrow = since(lms.clock() + timedelta(days=1))
    everybody = _passes(site, gate)
    for conditions, joiner, expected in (
        ((passed, posted), "&", set()),
        ((passed, posted), "|", {str(one.id), str(two.id)}),
        ((high,), "&", {str(one.id)}),
        ((matching(passed, tomorrow, joiner="|"), high), "&", {str(one.id)}),
        ((tomorrow,), "&", set()),
        ((completed(site.forum, 0),), "&", everybody - {str(two.id)}),
        ((), "&", everybody),
    ):
        lms.restrict(gate, *conditions, joiner=joiner)
        assert _passes(site, gate) == expected, conditions
    lms.restrict(gate, posted, high, joiner="|")
    lms.delete_activity(site.forum)
    assert _passes(site, gate) == {str(one.id)}


def test_a_learner_reads_what_a_restriction_asks_for(site: Site) -> None:
    gate = site.lms.save_activity(site.tool, site.course, ContentForm("Gate"))
    site.lms.restrict(gate, completed(site.forum))
    page = site.person("student1").get(f"/course/view.php?id={site.course.id}")
    assert f"Not available unless: The activity {site.forum.name} is marked complete" in page.words
    with pytest.raises(LookupError):
        page.link(f"/mod/lti/view.php?id={gate.id}")


@pytest.mark.parametrize("accept", ["application/json", f"{NRPS}, application/json"])
def test_another_accept_header_finds_no_handler(site: Site, accept: str) -> None:
    answer = site.call("GET", ROSTER, accept=accept)
    assert answer.status_code == 400
    assert "No handler found" in answer.json()["reason"]


def test_the_roster_of_a_course_without_the_tool_is_readable(site: Site) -> None:
    course = site.lms.add_course("MM2", "Another")
    site.lms.enrol(site.users["student1"], course)
    answer = site.call("GET", f"/CourseSection/{course.id}/bindings/1/memberships")
    assert [m["user_id"] for m in answer.json()["members"]] == ["5"]


def test_names_stay_out_of_the_roster_without_privacy_consent(site: Site) -> None:
    site.tool.sends_name = site.tool.sends_email = False
    assert set(_members(site)[0]) == {"status", "roles", "user_id", "lis_person_sourcedid"}


def test_a_token_of_another_tool_is_refused(site: Site) -> None:
    other = site.lms.register_tool("http://localhost:9001", jwks_path="/jwks")
    assertion = site.probe.assertion(other.client_id, site.clock.now)
    token = site.ask_token(client_assertion=assertion).json()["access_token"]
    assert site.call("GET", ROSTER, token=token).status_code == 401
    assert site.call("GET", "/2/lineitems?type_id=1", token=token).status_code == 401
    answer = site.call("GET", f"/2/lineitems/{_badge(site)}/lineitem/results?type_id={other.id}", token=token)
    assert (answer.status_code, answer.json()["reason"]) == (403, "Invalid LTI id supplied.")


def test_a_token_lives_an_hour(site: Site) -> None:
    token = site.ask_token().json()["access_token"]
    site.clock.tick(3599)
    assert site.call("GET", ROSTER, token=token).status_code == 200
    site.clock.tick(1)
    assert site.call("GET", ROSTER, token=token).status_code == 401


def test_the_token_answer_calls_itself_html(site: Site) -> None:
    answer = site.ask_token()
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.json()["token_type"] == "Bearer"


def test_scopes_not_permitted_are_dropped_in_silence(site: Site) -> None:
    score = "https://purl.imsglobal.org/spec/lti-ags/scope/score"
    assert site.ask_token(scope=f"{score} https://example/unknown").json()["scope"] == score
    refused = site.ask_token(scope="https://example/unknown")
    assert (refused.status_code, refused.json()) == (400, {"error": "invalid_scope"})
    site.tool.grade_service = GRADES_SYNC
    assert "scope/lineitem " not in site.ask_token().json()["scope"]


def test_the_tools_key_set_is_cached_and_read_again_when_a_signature_fails(site: Site) -> None:
    read: list[str] = []
    fetch = site.lms.fetch

    def count(url: str) -> bytes:
        read.append(url)
        return fetch(url)

    site.lms.fetch = count
    site.ask_token()
    site.ask_token()
    assert len(read) == 1
    site.probe.key_name = "rotated"
    assert site.ask_token().status_code == 200
    assert len(read) == 2


def test_own_columns_only(site: Site) -> None:
    badge = _badge(site)
    listed = site.call("GET", "/2/lineitems?type_id=1").json()
    assert [item["id"] for item in listed] == [
        f"{LMS_URL}/mod/lti/services.php/2/lineitems/{badge}/lineitem?type_id=1"
    ]


def test_duplicates_are_created_without_a_word(site: Site) -> None:
    first, second = (site.create_line_item(tag="mirror", resourceId="k") for _ in range(2))
    assert first != second


def test_the_link_header_of_line_items_cannot_be_parsed(site: Site) -> None:
    for _ in range(3):
        site.create_line_item()
    answer = site.call("GET", "/2/lineitems?type_id=1&limit=1")
    assert len(answer.json()) == 1
    assert "next" not in answer.links
    assert "&amp;" in answer.headers["Link"]


def test_limit_on_results_is_moodles_error_page(site: Site) -> None:
    answer = site.call("GET", f"/2/lineitems/{_badge(site)}/lineitem/results?type_id=1&limit=2")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_foreign_column_answers_when_numbers_collide(site: Site) -> None:
    site.lms.take_quiz(site.users["student1"], site.quiz1, 90)
    url = "/2/lineitems/2/lineitem/results?type_id=1"
    assert site.call("GET", url).status_code == 404
    _badge(site)  # link 1, as quiz 1 is quiz number 1
    assert site.call("GET", url).json()[0]["resultScore"] == 90


@pytest.mark.parametrize(
    "changes", [{"gradingProgress": "Pending"}, {"scoreGiven": None}, {"gradingProgress": "PendingManual"}]
)
def test_anything_but_a_full_grade_clears(site: Site, changes: dict[str, Any]) -> None:
    item = _badge(site)
    site.score(item, 5, 8)
    assert site.scores_by_user(item) == {"5": 8}
    site.clock.tick(2)
    assert site.score(item, 5, 8, **changes).status_code == 200
    assert site.scores_by_user(item) == {}


def test_two_scores_within_a_second_conflict(site: Site) -> None:
    item = _badge(site)
    assert site.score(item, 5, 8).status_code == 200
    site.clock.tick(0.5)
    refused = site.score(item, 5, 9)
    assert (refused.status_code, refused.json()) == (409, [])
    assert "earlier timestamp" in refused.reason


def test_a_future_time_on_an_own_column_blocks_later_scores(site: Site) -> None:
    own, coupled = site.create_line_item(), _badge(site)
    ahead = (site.clock.now + timedelta(hours=1)).isoformat()
    for item in (own, coupled):
        site.score(item, 5, 8, timestamp=ahead)
    site.clock.tick(60)
    assert site.score(own, 5, 9).status_code == 409
    assert site.score(coupled, 5, 9).status_code == 200


@pytest.mark.parametrize("username, status", [("teacher1", 400), ("noneditor1", 400), ("suspended1", 200)])
def test_only_learners_hold_scores_suspended_ones_too(site: Site, username: str, status: int) -> None:
    assert site.score(_badge(site), site.users[username].id, 5).status_code == status


def test_a_user_id_that_is_no_number_is_a_bad_gateway(site: Site) -> None:
    assert site.score(_badge(site), "abc", 5).status_code == 502


def test_scores_are_rescaled_and_capped(site: Site) -> None:
    item = site.create_line_item()
    site.score(item, 5, 5)
    site.score(item, 6, 15)
    assert site.scores_by_user(item) == {"5": 50, "6": 100}


def test_comments_come_back_raw_and_vanish_with_the_next_score(site: Site) -> None:
    item = _badge(site)
    site.score(item, 5, 5, comment="Well <b>done</b>")
    assert site.results(item)[0]["comment"] == "Well <b>done</b>"
    site.clock.tick(2)
    site.score(item, 5, 6)
    assert "comment" not in site.results(item)[0]


def test_deleting_the_coupled_column_takes_the_lineitem_claim_away(site: Site) -> None:
    item = _badge(site)
    assert site.call("DELETE", f"/2/lineitems/{item}/lineitem?type_id=1").status_code == 204
    site.person("student1").launch(max(site.lms.activities))
    endpoint = site.probe.claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert "lineitem" not in endpoint


def test_a_second_column_on_the_link_takes_the_lineitem_claim_away(site: Site) -> None:
    _badge(site)
    site.create_line_item(resourceLinkId="1")
    site.person("student1").launch(max(site.lms.activities))
    endpoint = site.probe.claims["https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"]
    assert "lineitem" not in endpoint


def test_a_copied_course_keeps_keys_and_formulas_under_new_numbers(site: Site) -> None:
    form = ContentForm("Badge", custom="badge_link_key=k1", is_graded=True, resource_id="k1", tag="award")
    badge = site.lms.save_activity(site.tool, site.course, form)
    mirror = site.lms.gradebook.items[site.create_line_item(tag="mirror", resourceId="k1")]
    site.lms.set_formula(mirror, "=[[quiz1]]")
    copy = copy_course(site.lms, site.course, "MM1-copy", "Copy")
    twin = next(a for a in site.lms.in_course(copy) if a.module == "lti")
    assert twin.instance != badge.instance
    assert twin.custom == badge.custom
    items = site.call("GET", f"/{copy.id}/lineitems?type_id=1").json()
    assert [(i["resourceId"], i["tag"]) for i in items] == [("k1", "award"), ("k1", "mirror")]
    assert [i.formula for i in site.lms.gradebook.of_course(copy.id) if i.formula] == ["=[[quiz1]]"]
    site.tool.custom = "history=$Context.id.history"
    site.lms.enrol(site.users["student1"], copy)
    site.person("student1").launch(twin.id)
    assert site.probe.claims["https://purl.imsglobal.org/spec/lti/claim/custom"]["history"] == "2"
