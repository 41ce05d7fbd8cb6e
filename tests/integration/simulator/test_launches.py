"""A launch as Moodle makes it: login initiation, auth page, id_token, cookies in the frame."""

from tests.integration.simulator.conftest import LMS_URL, TOOL_URL, Site, decode
from tests.simulator.lms import ContentForm


def _placed(site: Site, **more: object) -> int:
    form = ContentForm("Badge: Data Basics", url=TOOL_URL + "/launch?badge=7", is_graded=True, maximum=10)
    return site.lms.save_activity(site.tool, site.course, form).id


def test_a_learner_reaches_the_tool_with_a_signed_id_token(site: Site) -> None:
    page = site.person("student1").launch(_placed(site))
    assert (page.status, page.words) == (200, "Launched Hello 5")
    header, claims = decode(site.probe.launches[-1]["id_token"])
    assert header == {"typ": "JWT", "alg": "RS256", "kid": site.lms.keys.kid}
    assert claims["exp"] - claims["iat"] == 60
    assert claims["iss"] == LMS_URL
    assert claims["aud"] == site.tool.client_id


def test_a_token_reads_the_roster(site: Site) -> None:
    answer = site.call("GET", "/CourseSection/2/bindings/1/memberships")
    assert [member["user_id"] for member in answer.json()["members"]] == ["3", "5", "6", "7", "8", "9", "4"]


def test_a_mirror_carries_native_grades(site: Site) -> None:
    mirror = site.create_line_item(tag="mirror")
    site.lms.set_formula(site.lms.gradebook.items[mirror], "=[[quiz1]]")
    site.lms.take_quiz(site.users["student1"], site.quiz1, 80)
    assert site.scores_by_user(mirror) == {"5": 80}
