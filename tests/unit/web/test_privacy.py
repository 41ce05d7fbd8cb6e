"""Personal data: who may look, that nothing is erased by accident, and what the pages say."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ErrorCode, NotAllowed
from lti_tool.store.privacy import CREDENTIALS, FILES, KINDS
from lti_tool.web.privacy_words import kind_words
from tests.unit.web import staff_views
from tests.unit.web.privacy_views import ADMINISTRATOR, PEOPLE
from tests.unit.web.sample_views import WALLETS
from tests.unit.web.samples import SECRET, Sample

FRAME, STAFF = "/l/session-1/privacy", "/staff/holders/learner-2/data"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}


@pytest.fixture
def browser(app: Flask, tool: Sample) -> FlaskClient:
    """Of an administrator in a privacy launch, who is an owner as well."""
    tool.launching.view = ADMINISTRATOR
    browser = app.test_client()
    browser.set_cookie("lti_session_session-1", SECRET, path="/l/session-1/", domain="localhost")
    browser.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    return browser


def called(tool: Sample, name: str) -> list[tuple[Any, ...]]:
    return [call for call in tool.calls if call[0] == name]


def test_every_kind_has_its_word() -> None:
    assert set(kind_words()) == {kind.name for kind in KINDS} | {FILES, CREDENTIALS}


def test_the_page_says_who_is_meant_and_how_much_there_is(browser: FlaskClient) -> None:
    page = browser.get(FRAME).get_data(as_text=True)
    assert "Ada Lovelace" in page
    assert "Grades read from the learning platform" in page
    assert f"{FRAME}/export" in page


def test_nothing_is_erased_without_the_tick_or_without_the_forms_token(
    browser: FlaskClient, tool: Sample
) -> None:
    assert browser.get(f"{FRAME}/erase").status_code == 200
    assert browser.post(f"{FRAME}/erase", data=CSRF).status_code == 422
    assert browser.post(f"{FRAME}/erase", data={"confirm": "yes"}).status_code == 400
    assert browser.post(f"{STAFF}/erase", data={"confirm": "yes"}).status_code == 400
    assert not called(tool, "erase")
    seen = PEOPLE["usual"].digest
    done = browser.post(f"{FRAME}/erase", data={**CSRF, "confirm": "yes", "seen": seen})
    assert "Everything about this person was erased" in done.get_data(as_text=True)
    (call,) = called(tool, "erase")
    assert call[1:3] == (PEOPLE["usual"], f"learner:{ADMINISTRATOR.learner_id}")


@pytest.mark.parametrize(
    "method, path",
    [("GET", FRAME), ("POST", f"{FRAME}/export"), ("GET", f"{FRAME}/erase"), ("POST", f"{FRAME}/erase")],
)
def test_who_may_not_look_neither_exports_nor_erases(
    browser: FlaskClient, tool: Sample, method: str, path: str
) -> None:
    def refuse(*_: Any) -> None:
        raise NotAllowed(ErrorCode.PRIVACY_NOT_ALLOWED)

    tool.privacy.person_of_launch = refuse
    answer = browser.open(path, method=method, data={**CSRF, "confirm": "yes"} if method == "POST" else None)
    assert answer.status_code == 403
    assert "privacy_not_allowed" in answer.get_data(as_text=True)
    assert not called(tool, "erase")
    assert not called(tool, "export")


@pytest.mark.parametrize("role", [StaffRole.EDITOR, StaffRole.REVIEWER, StaffRole.READER])
def test_only_owners_see_personal_data_on_the_staff_pages(
    browser: FlaskClient, tool: Sample, role: StaffRole
) -> None:
    tool.staffing.view = staff_views.staff(role)
    for method, path in (("GET", ""), ("POST", "/export"), ("GET", "/erase"), ("POST", "/erase")):
        fields = {**CSRF, "confirm": "yes"} if method == "POST" else None
        assert browser.open(STAFF + path, method=method, data=fields).status_code == 403
    assert not called(tool, "erase")
    assert not called(tool, "export")
    assert "Export or erase" not in browser.get("/staff/holders/learner-1").get_data(as_text=True)


@pytest.mark.parametrize("path", [f"{FRAME}/export", f"{STAFF}/export", "/l/session-1/wallet/export"])
def test_an_export_is_a_file_that_nobody_keeps(browser: FlaskClient, path: str) -> None:
    answer = browser.post(path, data=CSRF)
    assert answer.status_code == 200
    assert answer.mimetype == "application/zip"
    assert answer.headers["Content-Disposition"].startswith("attachment; filename=personal-data-")
    assert answer.headers["Cache-Control"] == "no-store"


def test_owners_go_back_to_the_list_of_holders(browser: FlaskClient, tool: Sample) -> None:
    done = browser.post(f"{STAFF}/erase", data={**CSRF, "confirm": "yes", "seen": "x"})
    assert done.status_code == 303
    assert done.headers["Location"].startswith("/staff/holders?done=erased")
    assert called(tool, "erase")[0][2].startswith("staff:")


def test_the_wallet_offers_ones_own_data_to_nobody_who_acts_as_somebody(
    browser: FlaskClient, tool: Sample
) -> None:
    assert "/wallet/export" in browser.get("/l/session-1/wallet").get_data(as_text=True)
    for state in ("read-only", "anonymous"):
        tool.wallet_view = WALLETS[state]
        assert "/wallet/export" not in browser.get("/l/session-1/wallet").get_data(as_text=True)


@pytest.mark.parametrize(
    "path",
    [
        *(f"/credentials/erased{suffix}" for suffix in ("", ".json", ".png", ".svg")),
        *(f"/ob2/assertions/erased{suffix}" for suffix in ("", ".png", ".svg")),
    ],
)
def test_an_erased_badge_is_gone_and_any_other_unknown_one_is_not_found(
    browser: FlaskClient, path: str
) -> None:
    for method in ("GET", "HEAD"):
        for headers in ({}, {"If-None-Match": '"kept"'}):
            answer = browser.open(path, method=method, headers=headers)
            assert answer.status_code == 410
            assert answer.headers["Cache-Control"] == "no-store"
            unknown = browser.open(path.replace("erased", "nobody"), method=method, headers=headers)
            assert unknown.status_code == 404
