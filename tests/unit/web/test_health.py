"""The page of a connection: who may look, who may check; what a platform says stays text."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode
from tests.unit.web import staff_views as views
from tests.unit.web.health_views import HEALTHS, refusal
from tests.unit.web.samples import SECRET, Sample
from tests.unit.web.test_staff import staff as staff

PATH = "/staff/registrations/registration-1/health"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}


@pytest.mark.parametrize("role", list(StaffRole))
def test_everybody_on_the_staff_looks_and_owners_check(
    staff: FlaskClient, tool: Sample, role: StaffRole
) -> None:
    tool.staffing.view = views.staff(role)
    shown = staff.get(PATH)
    assert shown.status_code == 200
    is_owner = role is StaffRole.OWNER
    assert ("Check now" in shown.text) == is_owner
    assert staff.post(PATH, data=CSRF).status_code == (200 if is_owner else 403)


def test_a_check_without_the_form_s_token_is_refused(staff: FlaskClient, tool: Sample) -> None:
    tool.checking.check = lambda *_: pytest.fail("checked")
    assert staff.post(PATH).status_code == 400


def test_nobody_else_looks(client: FlaskClient) -> None:
    assert client.get(PATH).status_code == 303
    assert client.post(PATH, data=CSRF).status_code == 403


def test_what_a_stranger_wrote_stays_text(staff: FlaskClient, tool: Sample) -> None:
    poison = "<script>alert(1)</script>"
    health = replace(
        HEALTHS["unwell"], refusals=(refusal(ErrorCode.DEPLOYMENT_HELD, detail=poison, deployment=poison),)
    )
    tool.health.of_registration = lambda *_: health
    page = staff.get(PATH).text
    assert poison not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 2


def test_a_state_is_told_in_words_beside_its_colour(staff: FlaskClient, tool: Sample) -> None:
    tool.health.of_registration = lambda *_: HEALTHS["unwell"]
    page = staff.get(PATH).text
    for words in ("Does not work", "Failed the last time", "Works", "Not used yet", "Missing", "Granted"):
        assert words in page
    assert "Failed 41 times in a row" in page


def test_a_code_of_an_earlier_release_does_no_harm(staff: FlaskClient, tool: Sample) -> None:
    old = replace(refusal(ErrorCode.DEPLOYMENT_HELD), code="launch_gone_since")
    tool.health.of_registration = lambda *_: replace(HEALTHS["unwell"], refusals=(old,))
    assert "launch_gone_since" in staff.get(PATH).text


def test_of_a_cloud_s_thousand_deployments_those_that_need_a_look_are_shown(
    staff: FlaskClient, tool: Sample
) -> None:
    well, unwell = HEALTHS["well"], HEALTHS["unwell"].deployments[0]
    many = [replace(well.deployments[0], id=f"d{n}", id_on_platform=f"quiet-{n}") for n in range(300)]
    last = replace(unwell, id="last", id_on_platform="in-trouble")
    assert last.is_unwell
    tool.health.of_registration = lambda *_: replace(well, deployments=(*many, last))
    shown = staff.get(PATH).text
    assert "in-trouble" in shown
    assert shown.count('<section aria-labelledby="deployment-') == 20
    assert "20 of 301 deployments" in shown
