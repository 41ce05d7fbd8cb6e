"""Another organisation's ids, tried on every page that takes one: "not found", never its data."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from lti_tool.store.tables import (
    Award,
    Context,
    Credential,
    MicromoduleVersion,
    Placement,
    ResourceLink,
    Run,
)
from tests.journeys.campus import Campus, credential_of
from tests.simulator.browser import Page
from tests.simulator.client import Person


@pytest.fixture
def neighbour(campus: Campus) -> Campus:
    """The other organisation, with a badge of its own."""
    assert campus.neighbour is not None
    return campus.neighbour


def ids_of_everything(campus: Campus) -> dict[str, str]:
    """One id of each kind that a URL or a form may name."""
    kinds = (Placement, Credential, MicromoduleVersion, Run, Award, Context, ResourceLink)
    with campus.tool.database.read() as session:
        return {kind.__tablename__: session.execute(select(kind.id)).scalars().all()[0] for kind in kinds}


def victim(campus: Campus) -> dict[str, str]:
    """A badge placed, earned and synced in the first organisation; what a neighbour might have overheard."""
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    teacher = campus.browser(campus.teacher)
    teacher.submit(teacher.launch(badge.id), form="/course/sync")
    campus.run_jobs()
    return ids_of_everything(campus)


def inside(page: Page, path: str) -> str:
    """The address of ``path`` within the session that ``page`` belongs to."""
    root = "/".join(page.url.split("/")[:5])
    return f"{root}{path}"


def posted(person: Person, page: Page, path: str, **fields: str) -> Page:
    """Post to ``path`` as a page of this session would, its CSRF token included."""
    form = next(form for form in page.forms if "csrf_token" in form.fields)
    address = inside(page, path)
    forged = type(form)(
        address, "POST", "", "", form.encoding, {"csrf_token": form.fields["csrf_token"], **fields}, ()
    )
    return person.submit(page, form=forged)


def test_a_neighbouring_teacher_reaches_nothing_by_id(campus: Campus, neighbour: Campus) -> None:
    ids = victim(campus)
    own = neighbour.placed_badge()
    teacher = neighbour.browser(neighbour.teacher)
    page = teacher.launch(own.id)
    assert page.status == 200

    tried = {
        "columns": posted(teacher, page, f"/course/placements/{ids['placements']}/columns"),
        "poll": posted(teacher, page, f"/course/placements/{ids['placements']}/columns/poll"),
        "sharing": posted(teacher, page, f"/credentials/{ids['credentials']}/sharing", is_public="yes"),
        "run": teacher.get(inside(page, f"/course/runs/{ids['runs']}"), page=page),
    }

    assert {name: answer.status for name, answer in tried.items()} == dict.fromkeys(tried, 404)
    assert not any("Ada" in answer.words for answer in tried.values())


def test_a_neighbouring_teacher_can_neither_see_nor_place_a_foreign_micromodule(
    campus: Campus, neighbour: Campus
) -> None:
    ids = victim(campus)
    teacher = neighbour.browser(neighbour.teacher)

    picker = teacher.deep_link(neighbour.course)
    answer = posted(
        teacher, picker, "/picker", action="place", micromodule_version_id=ids["micromodule_versions"]
    )

    assert "Open Data Basics" not in picker.words
    assert answer.status == 404


def test_a_link_key_of_another_organisation_opens_nothing(campus: Campus, neighbour: Campus) -> None:
    """Teachers type custom parameters: an overheard key must not pull foreign configuration."""
    victim(campus)
    with campus.tool.database.read() as session:
        key = session.execute(select(Placement.badge_link_key)).scalars().one()
    own = neighbour.place_badge(name="Neighbour's badge")
    own.custom = f"badge_link_key={key}\nbadge_link_role=badge"

    page = neighbour.browser(neighbour.teacher).launch(own.id)

    assert page.status == 200
    assert "Open Data Basics" not in page.words
    assert "Ada" not in page.words


def test_a_learner_cannot_open_the_instructors_pages(campus: Campus) -> None:
    badge = campus.placed_badge()
    ada = campus.browser(campus.learner("ada"))
    wallet = ada.launch(badge.id)
    with campus.tool.database.read() as session:
        placement_id = session.execute(select(Placement.id)).scalars().one()

    for path in ("/course", "/picker", "/micromodules/new"):
        assert ada.get(inside(wallet, path), page=wallet).status == 403
    campus.take_quiz("ada", 90)
    wallet = ada.launch(badge.id)
    assert posted(ada, wallet, "/course/sync").status == 403
    assert posted(ada, wallet, f"/course/placements/{placement_id}/columns").status == 403


def test_a_learner_cannot_share_another_learners_badge(campus: Campus) -> None:
    badge = campus.placed_badge()
    for name in ("ada", "bob"):
        campus.take_quiz(name, 90)
        campus.open_wallet(name, badge)
    bob = campus.browser(campus.learner("bob"))
    wallet = bob.launch(badge.id)
    mine = credential_of(wallet)
    with campus.tool.database.read() as session:
        everybody = set(session.execute(select(Credential.id)).scalars())
    (of_ada,) = everybody - {mine}

    answer = posted(bob, wallet, f"/credentials/{of_ada}/sharing", is_public="yes")

    assert answer.status == 404
    for kind in ("json", "png"):
        assert bob.get(inside(wallet, f"/credentials/{of_ada}.{kind}"), page=wallet).status == 404
    with campus.tool.database.read() as session:
        assert not session.execute(select(Credential.is_public).where(Credential.id == of_ada)).scalar_one()
