"""Each knob of the fault switchboard does what it says, as often as it was told."""

from datetime import timedelta

import pytest
import requests

from tests.integration.simulator.conftest import LMS_URL, Site
from tests.simulator.moodle.lms import ContentForm

TOKEN = "/mod/lti/token.php"
CERTS = "/mod/lti/certs.php"

ROSTER = "/CourseSection/2/bindings/1/memberships"


def _read(site: Site, query: str = "") -> requests.Response:
    return site.call("GET", ROSTER + query)


def test_everything_is_off_at_the_start(site: Site) -> None:
    assert _read(site).status_code == 200


def test_a_burst_of_errors_ends(site: Site) -> None:
    site.lms.chaos.switch_on("status", value=503, times=2)
    assert [_read(site).status_code for _ in range(3)] == [503, 503, 200]


def test_too_many_requests_says_when_to_come_back(site: Site) -> None:
    site.lms.chaos.switch_on("rate_limit", value=7, times=1)
    answer = _read(site)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_latency_waits_through_the_given_sleep(site: Site) -> None:
    slept: list[float] = []
    site.lms.chaos.sleep = slept.append
    site.lms.chaos.switch_on("latency", path=TOKEN, value=3.0)
    _read(site)
    assert slept == [3.0]


@pytest.mark.parametrize("kind", ["truncate", "not_json"])
def test_a_body_that_is_no_json(site: Site, kind: str) -> None:
    site.lms.chaos.switch_on(kind)  # type: ignore[arg-type]
    with pytest.raises(requests.JSONDecodeError):
        _read(site).json()


def test_a_page_that_is_its_own_next_page(site: Site) -> None:
    site.lms.chaos.switch_on("paging_loop")
    answer = _read(site, "?limit=2")
    assert answer.links["next"]["url"] == LMS_URL + "/mod/lti/services.php" + ROSTER + "?limit=2"


def test_a_next_page_on_a_foreign_host(site: Site) -> None:
    site.lms.chaos.switch_on("foreign_next", value="https://attacker.example/roster")
    assert _read(site).links["next"]["url"] == "https://attacker.example/roster"


def test_pages_without_end(site: Site) -> None:
    site.lms.chaos.switch_on("endless_next")
    urls = {_read(site).links["next"]["url"] for _ in range(3)}
    assert len(urls) == 3


def test_an_over_long_answer(site: Site) -> None:
    site.lms.chaos.switch_on("over_long", value=1000)
    assert len(_read(site).content) > 2000


def test_another_content_type(site: Site) -> None:
    site.lms.chaos.switch_on("content_type", value="text/plain")
    assert _read(site).headers["Content-Type"] == "text/plain"


def test_a_token_that_died_early(site: Site) -> None:
    site.lms.chaos.switch_on("expired_token", times=1)
    assert [_read(site).status_code for _ in range(2)] == [401, 200]


def test_a_link_header_in_odd_letters(site: Site) -> None:
    site.lms.chaos.switch_on("lower_case_link")
    assert "rel=NEXT" in _read(site, "?limit=2").headers["link"]


def test_a_broken_key_set(site: Site) -> None:
    site.lms.chaos.switch_on("status", path=CERTS, value=500, times=1)
    assert site.session().get(LMS_URL + "/mod/lti/certs.php").status_code == 500


def test_a_platform_whose_clock_is_ahead(site: Site) -> None:
    cmid = site.lms.save_activity(site.tool, site.course, ContentForm("Badge")).id
    site.lms.chaos.clock_skew_seconds = 120
    site.person("student1").launch(cmid)
    issued = site.clock.now + timedelta(seconds=120)
    assert site.probe.claims["iat"] == int(issued.timestamp())
    site.lms.chaos.calm()
    site.person("student1").launch(cmid)
    assert site.probe.claims["iat"] == int(site.clock.now.timestamp())


def test_faults_by_chance_repeat_with_the_seed(site: Site) -> None:
    def run() -> list[int]:
        site.lms.chaos.calm()
        site.lms.chaos.random.seed(5)
        site.lms.chaos.switch_on("status", value=500, chance=0.5)
        return [_read(site).status_code for _ in range(12)]

    first = run()
    assert set(first) == {200, 500}
    assert run() == first
