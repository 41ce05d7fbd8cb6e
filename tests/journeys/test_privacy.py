"""Personal data from end to end: an administrator exports and erases, learners take their own along."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.store.tables import Award, Learner, PrivacyRequest
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.simulator.browser import Page
from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import User

APART = {"base_url": TOOL_URL}


def personal_data(campus: Campus, who: User, about: User, **options: Any) -> tuple[Any, Page]:
    """The tool's page about a person, opened from the LMS's."""
    person = campus.browser(who)
    path = f"/users/{about.id}/external_tools/{campus.lms_side.id}/personal_data"
    return person, person.open(path, **options)


def admin_of(campus: Campus) -> User:
    assert isinstance(campus.lms, Canvas)
    return campus.lms.admin


def with_a_badge(campus: Campus) -> tuple[str, bytes]:
    """Ada has earned and shared a badge; its id, and the copy that she gave to somebody."""
    activity = campus.placed_badge()
    campus.take_quiz("ada", 80)
    campus.take_quiz("ben", 20)
    campus.pass_time(minutes=10)
    wallet = campus.open_wallet("ada", activity)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(activity.id)
    credential_id = credential_of(wallet)
    ada.submit(wallet, form="sharing")
    copy = campus.app.test_client().get(f"/credentials/{credential_id}.json", **APART).data
    assert verdict(campus, copy) == "valid"
    return credential_id, copy


def verdict(campus: Campus, document: bytes) -> str:
    answer = campus.app.test_client().post(
        "/api/verify", data=document, content_type="application/vc+ld+json", **APART
    )
    return str(answer.get_json()["verdict"])


def names(campus: Campus) -> set[str | None]:
    with campus.tool.database.read() as session:
        return set(session.scalars(sa.select(Learner.name)))


def unpacked(page: Page) -> dict[str, Any]:
    assert page.status == 200
    assert page.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(page.body)) as archive:
        data: dict[str, Any] = json.loads(archive.read("data.json"))
        return data


def test_an_administrator_exports_and_erases_a_learner(canvas_campus: Campus) -> None:
    campus = canvas_campus
    credential_id, copy = with_a_badge(campus)
    ada = campus.learner("ada")
    admin, page = personal_data(campus, admin_of(campus), ada)
    assert page.status == 200
    assert "Ada Learner" in page.text
    assert "Badges awarded" in page.text
    exported = unpacked(admin.submit(page, form="/privacy/export"))
    assert exported["person"]["name"] == "Ada Learner"
    assert exported["badges"][0]["credential"]["id"] == credential_id
    assert "Ben" not in json.dumps(exported)
    asked = admin.follow(page, "/privacy/erase")
    assert "still lists the person in 1 course" in asked.text
    refused = admin.submit(asked, form="/privacy/erase")
    assert refused.status == 422
    assert "Ada Learner" in names(campus)
    erased = admin.submit(asked, {"confirm": "yes"}, form="/privacy/erase")
    assert erased.status == 200
    assert "Everything about this person was erased" in erased.text
    campus.run_jobs()
    assert "Ada Learner" not in names(campus)
    assert "Ben Learner" in names(campus)
    gone = campus.app.test_client().get(f"/credentials/{credential_id}", **APART)
    assert gone.status_code == 410
    assert "Ada" not in gone.get_data(as_text=True)
    assert campus.app.test_client().get(f"/credentials/{credential_id}.json", **APART).status_code == 410
    assert verdict(campus, copy) == "invalid", "a copy elsewhere is revoked"
    # The same page again: nothing is stored, and nothing can be erased.
    _, page = personal_data(campus, admin_of(campus), ada)
    assert "Nothing is stored about this person" in page.text


def test_the_roster_brings_back_who_was_not_taken_out_of_the_course(canvas_campus: Campus) -> None:
    """As the page says: the platform decides who takes part, and the tool remembers nobody to keep out."""
    campus = canvas_campus
    with_a_badge(campus)
    admin, page = personal_data(campus, admin_of(campus), campus.learner("ada"))
    admin.submit(admin.follow(page, "/privacy/erase"), {"confirm": "yes"}, form="/privacy/erase")
    with campus.tool.database.read() as session:
        known = set(session.scalars(sa.select(Learner.id)))
    campus.pass_time(hours=1)
    with campus.tool.database.read() as session:
        again = session.execute(sa.select(Learner.id).where(Learner.name == "Ada Learner")).scalars().all()
        assert len(again) == 1
        assert not known & set(again), "as somebody new"


@pytest.mark.parametrize("who", ["teacher", "learner"])
def test_nobody_but_an_administrator_looks(canvas_campus: Campus, who: str) -> None:
    campus = canvas_campus
    with_a_badge(campus)
    person = campus.teacher if who == "teacher" else campus.learner("ben")
    browser, page = personal_data(campus, person, campus.learner("ada"))
    assert page.status == 403
    assert "Ada Learner" not in page.text
    # Nor by the address of the page, from an ordinary launch.
    activity = next(one for one in campus.lms.activities.values() if one.module == "lti")
    base = browser.launch(activity.id).url.split("/l/")[1].split("/")[0]
    for path in ("privacy", "privacy/erase"):
        assert browser.get(f"{TOOL_URL}/l/{base}/{path}").status == 403
    with campus.tool.database.read() as session:
        assert not session.scalars(sa.select(PrivacyRequest.id)).all()


def test_an_administrator_of_the_neighbour_sees_nobody_of_here(canvas_campus: Campus) -> None:
    """Both institutions share issuer and client_id, and give the same people the same ids."""
    campus = canvas_campus
    with_a_badge(campus)
    neighbour = campus.neighbour
    assert neighbour is not None
    ada = campus.lms.sub(campus.learner("ada"))
    namesake = next((one for one in neighbour.lms.users.values() if neighbour.lms.sub(one) == ada), None)
    while namesake is None:
        made = neighbour.lms.add_user(f"user{len(neighbour.lms.users)}", "Some", "Body")
        namesake = made if neighbour.lms.sub(made) == ada else None
    _, page = personal_data(neighbour, admin_of(neighbour), namesake)
    assert page.status == 200
    assert "Nothing is stored about this person" in page.text
    with campus.tool.database.read() as session:
        assert session.scalars(sa.select(Award.id)).all()


def test_a_learner_takes_their_own_data_along(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    activity = campus.placed_badge()
    campus.take_quiz("ada", 80)
    campus.pass_time(minutes=10)
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(activity.id)
    data = unpacked(ada.submit(wallet, form="/wallet/export"))
    assert data["person"]["id_on_platform"] == campus.lms.sub(campus.learner("ada"))
    assert data["badges"]
    assert data["decisions"]
    # Another session's address, another person's cookie: nothing.
    stranger = campus.browser(campus.learner("ben"))
    stranger.launch(activity.id)
    stolen = stranger._open(
        "POST", f"{wallet.url.rsplit('/', 1)[0]}/wallet/export", top_url=None, initiator=None
    )
    assert stolen.status == 403
