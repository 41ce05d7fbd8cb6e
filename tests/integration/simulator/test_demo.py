"""The demo's content and the control API behind it."""

from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from tests.integration.simulator.conftest import LMS_URL, Site
from tests.simulator.app import application
from tests.simulator.control import HEADER
from tests.simulator.lms import Lms
from tests.simulator.moodle.lms import Moodle
from tests.simulator.seed import seed_demo


def _control(
    lms: Lms, path: str, body: Any = None, *, header: bool = True, address: str = "127.0.0.1"
) -> TestResponse:
    client = Client(application(lms))
    headers = {HEADER: "1"} if header else {}
    method = "GET" if body is None else "POST"
    environ = {"REMOTE_ADDR": address}
    return client.open(
        "/_control" + path, method=method, json=body, headers=headers, environ_overrides=environ
    )


def test_five_micromodules_thirty_learners_and_grades_that_differ() -> None:
    lms = Moodle(LMS_URL, seed=1)
    demo = seed_demo(lms)
    assert len(demo.courses) == 5
    assert len(demo.learners) == 30
    assert len({user.name for user in demo.learners}) == 30
    first = lms.gradebook.by_id_number(demo.courses[0].id, "quiz1")
    assert first is not None
    scores = [row.final for row in lms.gradebook.rows(first) if row.final is not None]
    assert min(scores) < 60 <= max(scores)
    assert len(scores) < 30


def test_the_same_seed_gives_the_same_demo() -> None:
    def grades() -> list[tuple[int, int, float | None]]:
        lms = Moodle(LMS_URL, seed=3)
        seed_demo(lms)
        return [
            (i.id, r.user_id, r.final) for i in lms.gradebook.items.values() for r in lms.gradebook.rows(i)
        ]

    assert grades() == grades()


def test_nothing_is_placed_by_the_seed() -> None:
    lms = Moodle(LMS_URL)
    seed_demo(lms)
    assert [a for a in lms.activities.values() if a.module == "lti"] == []


def test_the_control_api_lists_and_drives(site: Site) -> None:
    item = site.create_line_item(tag="mirror")
    listed = _control(site.lms, "/ids").get_json()
    assert {course["short_name"] for course in listed["courses"]} == {"probe", "MM1"}
    formula = {"course": "MM1", "item": "mirror", "formula": "=[[quiz1]]"}
    assert _control(site.lms, "/formulas", formula).status_code == 200
    attempt = {"course": "MM1", "user": "student1", "item": "quiz1", "score": 90}
    assert _control(site.lms, "/attempts", attempt).status_code == 200
    assert site.scores_by_user(item) == {"5": 90}
    grade = {"course": 2, "user": 5, "item": "quiz1", "value": 40}
    assert _control(site.lms, "/grades", grade).status_code == 200
    assert site.scores_by_user(item) == {"5": 40}
    bad = _control(site.lms, "/formulas", {**formula, "formula": "=[[nosuch]]"})
    assert (bad.status_code, bad.get_json()) == (400, {"error": "Invalid formula"})


def test_a_registration_by_control_can_be_repeated(site: Site) -> None:
    body = {"tool_url": "http://localhost:8000", "client_id": "demo"}
    first, second = (_control(site.lms, "/tools", body).get_json() for _ in range(2))
    assert first == second
    assert first["auth_url"] == LMS_URL + "/mod/lti/auth.php"


@pytest.mark.parametrize("header, address", [(False, "127.0.0.1"), (True, "192.0.2.7")])
def test_strangers_do_not_control(site: Site, header: bool, address: str) -> None:
    assert _control(site.lms, "/ids", header=header, address=address).status_code == 403


def test_logging_in_by_a_click_leads_back_where_one_wanted_to_go(site: Site) -> None:
    client = Client(application(site.lms))
    asked = client.get("/course/view.php?id=2")
    assert asked.headers["Location"] == "/login/index.php?wantsurl=/course/view.php%3Fid%3D2"
    form = {"user": "5", "wantsurl": "/course/view.php?id=2"}
    assert client.post("/login/index.php", data=form).headers["Location"] == "/course/view.php?id=2"
    assert client.get("/course/view.php?id=2").status_code == 200
    form["wantsurl"] = "//attacker.example/"
    assert client.post("/login/index.php", data=form).headers["Location"] == "/my/courses.php"


@pytest.mark.parametrize("username", ["teacher1", "noneditor1", "student1", "admin"])
def test_every_page_has_one_heading_labels_and_unique_ids(site: Site, username: str) -> None:
    site.create_line_item(tag="mirror")
    person = site.person(username)
    paths = [
        "/my/courses.php",
        "/course/view.php?id=2",
        "/login/index.php",
        "/grade/report/user/index.php?id=2",
    ]
    paths += [f"/mod/{a.module}/view.php?id={a.id}" for a in site.lms.activities.values()]
    if username in ("teacher1", "admin"):
        paths += [
            "/grade/report/grader/index.php?id=2",
            "/grade/edit/tree/index.php?id=2",
            "/grade/edit/tree/calculation.php?courseid=2&id=5",
            "/grade/edit/tree/item.php?courseid=2&id=5",
            "/course/modedit.php?add=lti&course=2&section=0&return=0&typeid=1",
            f"/course/modedit.php?update={site.quiz1.id}&return=1&showonly=availabilityconditionsheader",
        ]
    if username == "admin":
        paths.append("/mod/lti/toolconfigure.php")
    for path in paths:
        page = person.get(path)
        assert (path, page.status) == (path, 200)
        assert (path, len(page.soup.find_all("h1"))) == (path, 1)
        ids = [str(element["id"]) for element in page.soup.find_all(id=True)]
        assert len(ids) == len(set(ids)), path
        for control in page.soup.select("input:not([type=hidden]), select, textarea"):
            name = control.get("id")
            labelled = control.has_attr("aria-label") or control.find_parent("label") is not None
            assert labelled or page.soup.select(f'label[for="{name}"]'), (path, str(control))


def test_a_gate_is_set_on_moodles_own_page(site: Site) -> None:
    site.probe.content_items = [{"type": "ltiResourceLink", "title": "Gate"}]
    (gate,) = site.place(*site.probe.content_items)
    teacher = site.person("teacher1")
    page = teacher.get(f"/course/modedit.php?update={gate.id}&return=1&showonly=availabilityconditionsheader")
    fields = {f"completion_{site.quiz1.id}": "2", f"completion_{site.forum.id}": "1"}
    teacher.submit(page, dict(fields), form="modedit", button="Save and return to course")
    site.lms.take_quiz(site.users["student1"], site.quiz1, 90)
    site.lms.complete(site.users["student1"], site.forum)
    members = site.call("GET", f"/CourseSection/2/bindings/1/memberships?rlid={gate.instance}").json()[
        "members"
    ]
    assert [m["user_id"] for m in members] == ["3", "5", "4"]
