"""The simulator against recordings of a real Moodle 4.4: the same requests in the same order, the answers
compared.

The recordings lie outside the repository (``tests.needs.REFERENCE``); without them these tests are skipped
and say so. Compared are status, reason phrase, media type, Link header and body; only what cannot repeat
(launch numbers, hashes, times, session keys) is reduced to its form.
"""

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.integration.simulator.conftest import LMS_URL, TOOL_URL, Site, decode
from tests.needs import REFERENCE
from tests.simulator.claims import CLAIM_CONTENT_ITEMS
from tests.simulator.lms import GRADES_SYNC, Role
from tests.simulator.moodle.lms import ContentForm
from tests.simulator.moodle.registration import initiation_url

RECORDINGS = REFERENCE / "moodle"

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(),
    reason="no recordings of a real Moodle: the reference material is not at hand",
)


def recording(name: str) -> Any:
    return json.loads((RECORDINGS / f"{name}.json").read_text("utf-8"))


def entries(name: str) -> list[dict[str, Any]]:
    """The requests of a recording that Moodle itself answered in JSON or with an empty body."""
    found: list[dict[str, Any]] = recording(name)
    return found


_FORMS = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00"), "<time>"),
    (re.compile(r"(launchid[\\\"]+:)\d+"), r"\1<number>"),
    (re.compile(r"(hash[\\\"]+:[\\\"]+)[0-9a-f]{64}"), r"\1<hash>"),
    (re.compile(r"sesskey=[\w-]{10}"), "sesskey=<key>"),
    (re.compile(r"<html.*|<!DOCTYPE.*", re.DOTALL), "<page>"),
)


def reduced(value: Any) -> Any:
    """`value` with everything unrepeatable replaced by its form; rows of results in a fixed order."""
    if isinstance(value, str):
        for pattern, form in _FORMS:
            value = pattern.sub(form, value)
        return value
    if isinstance(value, list):
        items = [reduced(item) for item in value]
        if items and all(isinstance(item, dict) and "userId" in item for item in items):
            return sorted(items, key=lambda item: str(item["userId"]))
        return items
    if isinstance(value, dict):
        return {key: reduced(item) for key, item in value.items()}
    return value


def _headers(headers: Mapping[str, str]) -> dict[str, str]:
    kept = {name: headers[name] for name in ("Content-Type", "Link") if name in headers}
    if "Link" in kept:
        # Over a socket the typographic quotes arrive as UTF-8 bytes read as Latin-1.
        kept["Link"] = kept["Link"].encode("latin-1", "ignore").decode("utf-8", "ignore") or kept["Link"]
    return kept


def replay(site: Site, entry: dict[str, Any], *, token: str | None = "") -> None:
    """Ask what was asked and compare the answers."""
    asked = entry["request"]
    headers = asked["headers"]
    answer = site.call(
        asked["method"],
        asked["url"],
        accept=headers.get("Accept"),
        content_type=headers.get("Content-Type"),
        body=asked["body"],
        token=token,
    )
    got: Any = answer.text
    if "json" in answer.headers["Content-Type"] and answer.text:
        got = answer.json()
    expected_headers = {k: v for k, v in entry["headers"].items() if k in ("Content-Type", "Link")}
    label = entry["label"]
    assert (label, answer.status_code) == (label, entry["status"])
    assert (label, (answer.reason or "").strip()) == (label, entry["reason"].strip())
    assert (label, _headers(answer.headers)) == (label, expected_headers)
    if label == "results limit no type_id":
        # Results come in no order, so which users a page holds is chance.
        assert [list(row) for row in got] == [list(row) for row in entry["body"]]
        return
    assert (label, reduced(got)) == (label, reduced(entry["body"]))


def _grade_natively(site: Site) -> None:
    for user, score in (("student1", 100), ("student2", 50), ("student3", 0), ("student5", 100)):
        site.lms.take_quiz(site.users[user], site.quiz1, score)
    item = site.lms.item_of(site.assign1)
    assert item is not None
    for user, score in (("student1", 45), ("student2", 20), ("student3", 30)):
        site.lms.gradebook.report_raw(item, site.users[user].id, score)


def _place_badge(site: Site) -> None:
    form = ContentForm(
        "Badge: Data Basics",
        "Intro <b>text</b>",
        TOOL_URL + "/launch?badge=7",
        is_graded=True,
        maximum=10,
        resource_id="badge-7",
        tag="badge",
    )
    site.lms.save_activity(site.tool, site.course, form)


def _second_course(site: Site) -> None:
    course = site.lms.add_course("MM2", "Micromodule 2: Privacy")
    site.lms.enrol(site.users["teacher1"], course, Role.EDITING_TEACHER)
    site.lms.enrol(site.users["noneditor1"], course, Role.TEACHER)
    for number in (1, 2, 3):
        site.lms.enrol(site.users[f"student{number}"], course)


def _token_for(site: Site, label: str) -> str | None:
    """The token a recorded request was sent with, by its label."""
    scopes = {
        "no token": None,
        "token w/o nrps scope": "https://purl.imsglobal.org/spec/lti-ags/scope/score",
        "no score scope": "https://purl.imsglobal.org/spec/lti-ags/scope/result.readonly",
        "lineitems readonly scope POST": "https://purl.imsglobal.org/spec/lti-ags/scope/lineitem.readonly",
    }
    if label == "bad token":
        return "0123456789abcdef"
    if label not in scopes:
        return ""
    scope = scopes[label]
    return None if scope is None else str(site.ask_token(scope=scope).json()["access_token"])


def test_line_items(site: Site) -> None:
    _second_course(site)
    _grade_natively(site)
    _place_badge(site)
    for entry in entries("ags_lineitems"):
        if entry["label"] == "GET foreign results course total":
            # The recorded rows also sum columns that the recording's own history had filled; the form is
            # compared below.
            continue
        if entry["label"] == "GET foreign course total":
            # Moodle's total follows its own aggregation of odd maxima (0 and -5); only the keys are compared.
            answer = site.call("GET", entry["request"]["url"], accept=entry["request"]["headers"]["Accept"])
            assert set(answer.json()) == set(entry["body"])
            continue
        replay(site, entry, token=_token_for(site, entry["label"]))


def test_rosters(site: Site) -> None:
    _second_course(site)
    _place_badge(site)
    for entry in entries("nrps"):
        if entry["label"] != "link memberships":  # an older resource, which nothing announces usably
            replay(site, entry, token=_token_for(site, entry["label"]))


def _server_time(entry: dict[str, Any], now: datetime) -> datetime:
    """The recording holds no server times: they follow the timestamps sent, where those are not meant to
    be off.
    """
    sent = (entry["request"]["body"] or {}).get("timestamp", "")
    try:
        at = datetime.fromisoformat(sent)
    except ValueError:
        return now
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    arrives = at + timedelta(milliseconds=50)
    return arrives if now < at < now + timedelta(seconds=3) else now + timedelta(milliseconds=80)


def test_scores_and_results(site: Site) -> None:
    site.clock.now = datetime(2026, 11, 21, 23, 28, 45, 970000, tzinfo=UTC)
    _place_badge(site)
    for number in range(6, 13):  # the columns between, so that numbers agree
        site.create_line_item(label=f"filler {number}")
    item = site.lms.gradebook.items[5]
    site.lms.delete_activity(site.lms.activities[max(site.lms.activities)])
    _place_badge(site)
    assert site.lms.gradebook.items[13].label == item.label
    for entry in entries("ags_scores_results"):
        site.clock.now = _server_time(entry, site.clock.now)
        replay(site, entry, token=_token_for(site, entry["label"]))


def test_token_endpoint(site: Site) -> None:
    attempts: dict[str, dict[str, Any]] = {
        "unknown client": {"client_assertion": site.probe.assertion("nobody", site.clock.now)},
        "bad signature": {
            "client_assertion": site.probe.assertion(site.tool.client_id, site.clock.now, key_name="stranger")
        },
        "expired": {
            "client_assertion": site.probe.assertion(site.tool.client_id, site.clock.now - timedelta(hours=1))
        },
        "aud wrong": {
            "client_assertion": site.probe.assertion(site.tool.client_id, site.clock.now, aud="https://x")
        },
        "iss other": {
            "client_assertion": site.probe.assertion(site.tool.client_id, site.clock.now, iss="other")
        },
        "no jti": {"client_assertion": site.probe.assertion(site.tool.client_id, site.clock.now, jti=None)},
        "no exp": {"client_assertion": site.probe.assertion(site.tool.client_id, site.clock.now, exp=None)},
    }
    for entry in entries("token_endpoint"):
        asked, label = entry["request"], entry["label"]
        form = {"scope": asked.get("scope"), "grant_type": asked["grant_type"], **attempts.get(label, {})}
        answer = site.ask_token(**form)
        assert (label, answer.status_code) == (label, entry["status"])
        assert answer.headers["Content-Type"] == entry["headers"]["Content-Type"]
        expected = re.sub(r'"[0-9a-f]{32}"', '"<token>"', entry["body"])
        assert (label, re.sub(r'"[0-9a-f]{32}"', '"<token>"', answer.text)) == (label, expected)


def _recorded_item() -> dict[str, Any]:
    item: dict[str, Any] = recording("deep_linking_response_single")[CLAIM_CONTENT_ITEMS][0]
    return item


def _probe_tool(site: Site) -> None:
    site.tool.custom = "site_course_history=$Context.id.history\ngroups=$Moodle.Person.userGroupIds"
    site.tool.redirect_uris = (TOOL_URL + "/launch", TOOL_URL + "/dl")
    site.tool.deep_linking_url = TOOL_URL + "/dl"


_UNREPEATABLE = {"nonce", "iat", "exp", "aud"}


def _same_claims(got: dict[str, Any], expected: dict[str, Any], *, ignore: set[str]) -> None:
    """The same claims with the same values; times, course dates and the site's own guid by their form."""
    assert list(got) == list(expected)
    for name, value in expected.items():
        if name in _UNREPEATABLE:
            assert type(got[name]) is type(value)
            continue
        ours, theirs = reduced(got[name]), reduced(value)
        if isinstance(theirs, dict):
            assert list(ours) == list(theirs), name
            for key in set(theirs) - ignore:
                if not (isinstance(theirs[key], str) and re.fullmatch(r"\d{10}|[0-9a-f]{32}", theirs[key])):
                    assert (name, key, ours[key]) == (name, key, theirs[key])
        else:
            assert (name, ours) == (name, theirs)


@pytest.mark.parametrize("username", ["student1", "teacher1", "noneditor1", "admin"])
def test_launch_claims(site: Site, username: str) -> None:
    _probe_tool(site)
    (badge,) = site.place(_recorded_item())
    site.person(username).launch(badge.id)
    header, claims = decode(site.probe.launches[-1]["id_token"])
    recorded = recording(f"launch_{username}")
    assert {name: type(value) for name, value in header.items()} == {
        name: type(value) for name, value in recorded["jwt_header"].items()
    }
    assert list(header) == list(recorded["jwt_header"])
    assert sorted(site.probe.launches[-1]) == sorted(recorded["form_keys"])
    _same_claims(claims, recorded["claims"], ignore=set())


def test_launch_claims_without_personal_data(site: Site) -> None:
    recorded = recording("launch_privacy_never_custom_vars")["claims"]
    site.tool.sends_name = site.tool.sends_email = False
    site.tool.grade_service = GRADES_SYNC
    site.tool.custom = "un=$User.username\nnm=$Person.name.full\nem=$Person.email.primary"
    form = ContentForm("PyLTI iframe", is_graded=True)
    badge = site.lms.save_activity(site.tool, site.course, form)
    site.person("student1").launch(badge.id)
    got = site.probe.claims
    assert set(got) == set(recorded)
    ext = "https://purl.imsglobal.org/spec/lti/claim/ext"
    custom = "https://purl.imsglobal.org/spec/lti/claim/custom"
    endpoint = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
    assert got[ext] == recorded[ext]
    assert {n: got[custom][n] for n in ("un", "nm", "em")} == {
        n: recorded[custom][n] for n in ("un", "nm", "em")
    }
    assert got[endpoint]["scope"] == recorded[endpoint]["scope"]


def test_deep_linking_requests(site: Site) -> None:
    _probe_tool(site)
    for name in ("deep_linking_request_teacher", "deep_linking_request_teacher_2nd"):
        recorded = recording(name)
        site.place(_recorded_item())
        _same_claims(_last_deep_linking(site), recorded["claims"], ignore=set())


def _last_deep_linking(site: Site) -> dict[str, Any]:
    name = "https://purl.imsglobal.org/spec/lti-dl/claim/deep_linking_settings"
    claims = [decode(launch["id_token"])[1] for launch in site.probe.launches]
    return [one for one in claims if name in one][-1]


@pytest.mark.parametrize("username", ["student1", "teacher1", "noneditor1", "admin"])
def test_login_initiations(site: Site, username: str) -> None:
    (badge,) = site.place(_recorded_item())
    site.person(username).launch(badge.id)
    got, expected = site.probe.logins[-1], recording(f"login_initiation_{username}")["form"]
    assert list(got) == list(expected)
    assert got["login_hint"] == expected["login_hint"]
    assert got["target_link_uri"] == expected["target_link_uri"]
    assert list(json.loads(got["lti_message_hint"])) == list(json.loads(expected["lti_message_hint"]))
    hint = json.loads(got["lti_message_hint"])
    assert re.fullmatch(r"ltilaunch\d+_\d+", hint["launchid"])


def test_login_initiation_of_deep_linking(site: Site) -> None:
    site.person("teacher1").deep_link(site.course)
    got, expected = site.probe.logins[-1], recording("login_initiation_deeplinking")["form"]
    assert list(got) == list(expected)
    form = re.compile(r'\{"launchid":"ltilaunch_ContentItemSelectionRequest\d+"\}')
    assert form.fullmatch(expected["lti_message_hint"])
    assert form.fullmatch(got["lti_message_hint"])


def test_openid_configuration(site: Site) -> None:
    answer = site.session().get(LMS_URL + "/mod/lti/openid-configuration.php")
    assert answer.json() == recording("openid_configuration")


def _responses() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    item = {"type": "ltiResourceLink", "title": "X", "custom": {"a": 1}}
    dl = "https://purl.imsglobal.org/spec/lti-dl/claim/"
    return {
        "ok minimal (no url/lineItem)": (item, {}),
        "wrong iss": (item, {"iss": "x"}),
        "expired": (item, {"exp": 1}),
        "errormsg": (item, {dl + "errormsg": "Tool says no"}),
        "msg": (item, {dl + "msg": "Badge added!"}),
        "lineItem w/o scoreMaximum": ({**item, "lineItem": {}}, {}),
        "html in title": ({**item, "title": "<script>alert(1)</script>Badge"}, {}),
        "custom with newline": ({**item, "custom": {"a": {"b": 1}}}, {}),
        "url other domain": ({**item, "url": "https://other.example/launch"}, {}),
        "nonce replay n/a, aud wrong": (item, {"aud": "https://x"}),
    }


@pytest.mark.parametrize("case", sorted(_responses()))
def test_deep_linking_edge_cases(site: Site, case: str) -> None:
    item, overrides = _responses()[case]
    recorded = recording("deep_linking_edge_cases_and_auth_errors")[case]
    site.probe.content_items, site.probe.response_overrides = [item], overrides
    teacher = site.person("teacher1")
    page = teacher.return_selected(teacher.deep_link(site.course))
    assert page.status == recorded["status"]
    first = recorded["alerts"][0].split("\u00d7")[0].replace("More information about this error", "").strip()
    assert first.rstrip(".") in page.words.replace(".", "") or first in page.words
    element = page.soup.find(id="contentitem-return")
    if recorded["init"] is None:
        assert element is None
        return
    assert element is not None
    expected, _ = json.JSONDecoder().raw_decode(recorded["init"])
    got = json.loads(element.get_text())
    for values in (got, expected):
        if values:
            values.pop("selectcontentindicator")
            values["typeid"] = str(values["typeid"])
    assert got == expected


_AUTH: dict[str, dict[str, str | None]] = {
    "auth login_hint other user": {"login_hint": "4711"},
    "auth ok": {},
    "auth no prompt": {"prompt": None},
    "auth no response_mode": {"response_mode": None},
}


@pytest.mark.parametrize("case", sorted(_AUTH))
def test_auth_answers(site: Site, case: str) -> None:
    (badge,) = site.place(_recorded_item())
    site.probe.auth_overrides = _AUTH[case]
    site.person("student1").launch(badge.id)
    got, expected = site.probe.launches[-1], recording("deep_linking_edge_cases_and_auth_errors")[case]
    assert sorted(got) == sorted(expected)
    for name in ("error", "error_description"):
        assert got.get(name) == expected.get(name)


def _restricted(site: Site) -> Callable[[dict[str, Any]], None]:
    """The recorded gate: link 5, quiz 2 failed by student 1 (55 %), passed by student 2, a page nobody
    viewed.
    """
    item = site.lms.item_of(site.quiz2)
    assert item is not None
    item.pass_grade = 60
    site.lms.take_quiz(site.users["student1"], site.quiz2, 55)
    site.lms.take_quiz(site.users["student2"], site.quiz2, 100)
    for number in (1, 2, 3):
        site.lms.complete(site.users[f"student{number}"], site.forum)
    page = site.lms.add_page(site.course, "A page")
    links = [site.lms.save_activity(site.tool, site.course, ContentForm(f"Link {n}")) for n in range(1, 6)]
    quiz = {"type": "completion", "cm": site.quiz2.id}
    forum = {"type": "completion", "cm": site.forum.id, "e": 1}
    grade = {"type": "grade", "id": item.id, "min": 50}
    trees: dict[str, dict[str, Any]] = {
        "quiz2 complete with pass (e=2), shown greyed": {"op": "&", "c": [{**quiz, "e": 2}]},
        "quiz2 completed (e=1)": {"op": "&", "c": [{**quiz, "e": 1}]},
        "quiz2 complete with fail (e=3)": {"op": "&", "c": [{**quiz, "e": 3}]},
        "quiz2 not completed (e=0)": {"op": "&", "c": [{**quiz, "e": 0}]},
        "quiz2 grade >=50%": {"op": "&", "c": [grade]},
        "quiz2 grade >=50% AND page viewed": {
            "op": "&",
            "c": [grade, {"type": "completion", "cm": page.id, "e": 1}],
        },
        "OR: quiz2 completed or forum completed": {"op": "|", "c": [{**quiz, "e": 1}, forum]},
        "date in 2100": {"op": "&", "c": [{"type": "date", "d": ">=", "t": 4102444800}]},
        "quiz2 AND forum": {"op": "&", "c": [{**quiz, "e": 1}, forum]},
        "full body": {"op": "&", "c": [{**quiz, "e": 1}, forum]},
    }

    def restrict(entry: dict[str, Any]) -> None:
        links[4].availability = trees[entry["label"]]

    return restrict


def test_gate_by_restrict_access(site: Site) -> None:
    restrict = _restricted(site)
    for entry in entries("nrps_rlid_availability2"):
        restrict(entry)
        replay(site, entry)


def test_a_hidden_activity_gates_nobody(site: Site) -> None:
    (entry,) = entries("nrps_rlid_hidden_activity")
    _restricted(site)
    link = site.lms.activity("lti", 4)
    assert link is not None
    link.is_visible = False
    site.lms.gradebook.add_item(site.course.id, "mod", link.name, 30, module="lti", instance=link.instance)
    replay(site, entry)


@pytest.mark.parametrize("name", ["dynamic_registration", "dynamic_registration_result_readonly"])
def test_dynamic_registration(site: Site, name: str) -> None:
    recorded = recording(name)
    url = initiation_url(site.lms, TOOL_URL + "/register")
    query = parse_qs(urlsplit(url).query)
    assert query["openid_configuration"] == [LMS_URL + "/mod/lti/openid-configuration.php"]
    header, claims = decode(query["registration_token"][0])
    assert list(header) == list(recorded["registration_token_header"])
    assert list(claims) == list(recorded["registration_token_claims"])
    assert claims["exp"] - claims["iat"] == 3600
    endpoint = recording("openid_configuration")["registration_endpoint"]
    token = {"Authorization": "Bearer " + query["registration_token"][0]}
    answer = site.session().post(endpoint, json=recorded["request"], headers=token)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    got, expected = answer.json(), recorded["response"]
    assert got["client_id"] == claims["sub"]
    for one in (got, expected):
        one.pop("client_id")
        one["https://purl.imsglobal.org/spec/lti-tool-configuration"].pop("deployment_id")
    assert got == expected
    again = site.session().post(endpoint, json=recorded["request"], headers=token)
    assert (again.status_code, again.text) == (
        recorded["post_again"]["status"],
        recorded["post_again"]["body"],
    )
    again = site.session().get(endpoint, headers=token)
    assert (again.status_code, again.text) == (recorded["get_again"]["status"], recorded["get_again"]["body"])
