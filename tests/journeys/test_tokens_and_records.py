"""A badge as a token, and all badges as one record: who gets them, and that they verify."""

from __future__ import annotations

import json

import jwt
import pytest

from lti_tool.domain.staff import StaffRole
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.journeys.test_isolation import inside
from tests.journeys.test_quiz_earns_badge import public, verdict
from tests.journeys.test_staff_access import signs_in
from tests.simulator.client import Person


def staff(campus: Campus, role: StaffRole) -> Person:
    """Somebody of the organisation who has just signed in."""
    staffing = campus.tool.staffing
    link = staffing.invite(staffing.operator("Open Learning"), role, name=role.value).url
    person = campus.browser(campus.tutor, in_frame=False)
    signs_in(person, link)
    return person


def test_a_shared_badge_is_a_token_at_an_address_of_its_own(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    path = f"/credentials/{credential_of(wallet)}.jwt"
    own = ada.get(wallet.link(".jwt"), page=wallet)
    assert own.headers["Content-Disposition"].startswith("attachment")
    assert verdict(campus, own.body)["verdict"] == "valid"
    assert public(campus, path)[0] == 404

    ada.submit(wallet, form="sharing")

    client = campus.app.test_client()
    answer = client.get(path, base_url=TOOL_URL)
    assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.data == own.body
    again = client.get(path, base_url=TOOL_URL, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")
    assert verdict(campus, answer.data)["verdict"] == "valid"
    claims = jwt.decode(answer.data, options={"verify_signature": False})
    assert claims["jti"] == f"{TOOL_URL}{path}"
    assert "ada@" not in json.dumps(claims)
    did, _, kid = jwt.get_unverified_header(answer.data)["kid"].partition("#")
    key = client.get(f"/issuers/{did.rpartition(':')[2]}/keys/{kid}", base_url=TOOL_URL)
    assert key.content_type == "application/jwk+json"
    assert jwt.PyJWK(key.get_json()).key_type == "RSA"


def test_a_learner_takes_all_badges_along_in_one_file(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    for kind in ("json", "jwt"):
        record = ada.get(wallet.link(f"/wallet/record.{kind}"), page=wallet)
        assert record.headers["Content-Disposition"] == f'attachment; filename="learner-record.{kind}"'
        assert record.headers["Cache-Control"] == "no-store"
        report = verdict(campus, record.body)
        assert report["verdict"] == "valid"
        assert [one["credential"]["name"] for one in report["credentials"]] == ["Open Data Basics"]  # type: ignore[attr-defined]
        page = campus.app.test_client().post("/verify", data={"text": record.text}, base_url=TOOL_URL)
        assert "every badge in it" in page.get_data(as_text=True)
    assert public(campus, "/wallet/record.json")[0] == 404


def test_nobody_gets_the_record_of_somebody_else(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    bob = campus.browser(campus.learner("bob"))
    wallet = bob.launch(badge.id)
    assert b"/wallet/record" not in wallet.body
    assert bob.get(inside(wallet, "/wallet/record.json"), page=wallet).status == 404


@pytest.mark.parametrize(
    "role,status",
    [(StaffRole.OWNER, 200), (StaffRole.REVIEWER, 200), (StaffRole.EDITOR, 403), (StaffRole.READER, 403)],
)
def test_staff_who_may_export_take_a_persons_record(
    sqlite_campus: Campus, role: StaffRole, status: int
) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    person = staff(campus, role)
    holder = person.follow(person.get(f"{TOOL_URL}/staff/holders"), "Ada Learner")
    address = f"{holder.url.partition('?')[0]}/record.json"
    assert (address.removeprefix(TOOL_URL) in holder.body.decode()) is (status == 200)
    answer = person.get(address)
    assert answer.status == status
    if status == 200:
        assert verdict(campus, answer.body)["verdict"] == "valid"
