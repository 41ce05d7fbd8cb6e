"""Several issuers in one organisation: made, changed, chosen and retired, by whoever may."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services import issuers as issuers_module
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.issuers import Issuers
from lti_tool.services.staffing import StaffView
from lti_tool.store import micromodules, tables
from lti_tool.store.database import Database
from tests.factories import NOW
from tests.integration.services.office import Office

NEW = {"name": "Faculty of Data", "url": "https://data.example.edu"}

Change = Callable[[Issuers, StaffView, str], None]
CHANGES: dict[str, Change] = {
    "change": lambda issuers, staff, id_: issuers.change(staff, id_, {"name": "Changed"}),
    "default": lambda issuers, staff, id_: issuers.make_default(staff, id_),
    "retire": lambda issuers, staff, id_: issuers.retire(staff, id_, is_retired=True),
    "restore": lambda issuers, staff, id_: issuers.retire(staff, id_, is_retired=False),
}


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


@pytest.fixture
def small_office(sqlite_database: Database, tmp_path: Path) -> Office:
    """Where the kind of database does not matter."""
    return Office(sqlite_database, tmp_path / "keys")


def choices(office: Office) -> list[str]:
    with office.database.read() as session:
        return [id_ for id_, _ in micromodules.issuer_choices(session, office.ours.id)]


def problems(error: RequestInvalid) -> list[tuple[str, FormProblem]]:
    found: Any = error.params["problems"]
    return [(problem.field, problem.code) for problem in found]


def test_a_further_issuer_is_offered_after_the_default_one_and_has_a_did_of_its_own(office: Office) -> None:
    ours = office.ours
    added = office.issuers.add(ours.staff(StaffRole.EDITOR), NEW | {"offers_refresh": "on"})
    assert choices(office) == [ours.course.issuer_id, added]
    first, second = office.overview.issuers(ours.id)
    assert (first.id, first.is_default, second.id, second.is_default) == (
        ours.course.issuer_id,
        True,
        added,
        False,
    )
    assert (second.offers_refresh, second.names_schema, second.token_algorithm) == (True, False, "RS256")
    assert office.overview.issuer(ours.id, added).did != office.overview.issuer(ours.id, first.id).did
    assert office.actions(ours) == ["issuer.created"]


def test_another_default_signs_new_badges_and_the_former_one_can_be_retired(office: Office) -> None:
    ours, former = office.ours, office.ours.course.issuer_id
    added = office.issuers.add(ours.staff(), NEW)
    with pytest.raises(Conflict):
        office.issuers.retire(ours.staff(), former, is_retired=True)
    for _ in range(2):  # repeating it is harmless, and no event
        office.issuers.make_default(ours.staff(), added)
        office.issuers.retire(ours.staff(), former, is_retired=True)
    assert choices(office) == [added]
    assert office.row(tables.Issuer, former).retired_at == NOW
    with pytest.raises(Conflict):
        office.issuers.make_default(ours.staff(), former)
    office.issuers.retire(ours.staff(), former, is_retired=False)
    assert choices(office) == [added, former]
    assert sorted(office.actions(ours)) == [
        "issuer.created",
        "issuer.made_default",
        "issuer.restored",
        "issuer.retired",
    ]


def test_what_a_retired_issuer_signed_stays_and_it_goes_on_signing_its_own_badges(office: Office) -> None:
    ours, former = office.ours, office.ours.course.issuer_id
    office.issuers.make_default(ours.staff(), office.issuers.add(ours.staff(), NEW))
    office.issuers.retire(ours.staff(), former, is_retired=True)
    assert office.school.issuing.did_document(former) is not None
    assert office.row(tables.Credential, ours.credential_id).revoked_at is None
    award_id = office.row(tables.Credential, ours.credential_id).award_id
    assert office.school.issuing.issue_credential(award_id) == ours.credential_id


def test_two_who_choose_a_default_at_once_leave_one(office: Office) -> None:
    ours = office.ours
    added = [office.issuers.add(ours.staff(), {"name": f"Issuer {number}"}) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda id_: office.issuers.make_default(ours.staff(), id_), added))
    assert sum(issuer.is_default for issuer in office.overview.issuers(ours.id)) == 1


@pytest.mark.parametrize("change", CHANGES)
def test_only_owners_and_editors_change_issuers_and_only_their_own(change: str, office: Office) -> None:
    ours, make = office.ours, CHANGES[change]
    added = office.issuers.add(ours.staff(), NEW)
    office.issuers.retire(ours.staff(), added, is_retired=change == "restore")
    before = office.overview.issuer(ours.id, added)
    for role in (StaffRole.REVIEWER, StaffRole.READER):
        with pytest.raises(NotAllowed):
            make(office.issuers, ours.staff(role), added)
    with pytest.raises(NotFound):
        make(office.issuers, office.theirs.staff(), added)
    assert office.overview.issuer(ours.id, added) == before
    make(office.issuers, ours.staff(StaffRole.EDITOR), added)
    assert office.overview.issuer(ours.id, added) != before


def test_readers_make_no_issuer(small_office: Office) -> None:
    with pytest.raises(NotAllowed):
        small_office.issuers.add(small_office.ours.staff(StaffRole.READER), NEW)
    assert len(small_office.overview.issuers(small_office.ours.id)) == 1


@pytest.mark.parametrize(
    "typed, field, code",
    [
        ({"terms_url": "http://example.edu/terms"}, "terms_url", FormProblem.NOT_A_URL),
        ({"terms_url": "javascript:alert(1)"}, "terms_url", FormProblem.NOT_A_URL),
        ({"terms_url": "https://example.edu/\u202eterms"}, "terms_url", FormProblem.CONTROL_CHARACTER),
        ({"token_algorithm": "none"}, "token_algorithm", FormProblem.UNKNOWN_CHOICE),
        ({"name": " \n "}, "name", FormProblem.REQUIRED),
    ],
)
def test_what_cannot_be_signed_makes_no_issuer(
    typed: dict[str, str], field: str, code: FormProblem, small_office: Office
) -> None:
    with pytest.raises(RequestInvalid) as caught:
        small_office.issuers.add(small_office.ours.staff(), NEW | typed)
    assert problems(caught.value) == [(field, code)]
    assert len(small_office.overview.issuers(small_office.ours.id)) == 1


def test_two_issuers_of_an_organisation_never_have_one_name(small_office: Office) -> None:
    staff = small_office.ours.staff()
    added = small_office.issuers.add(staff, NEW)
    other = small_office.issuers.add(staff, {"name": "Library"})
    for attempt in (
        lambda: small_office.issuers.add(staff, {"name": " Faculty  of Data "}),
        lambda: small_office.issuers.change(staff, other, NEW),
    ):
        with pytest.raises(RequestInvalid) as caught:
            attempt()
        assert problems(caught.value) == [("name", FormProblem.NAME_TAKEN)]
    small_office.issuers.change(staff, added, NEW | {"description": "Its own name may stay."})
    small_office.issuers.add(small_office.theirs.staff(), NEW)  # another organisation's names are its own


def test_an_organisation_has_not_more_issuers_than_it_can_look_after(
    small_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(issuers_module, "ISSUERS", 2)
    small_office.issuers.add(small_office.ours.staff(), NEW)
    with pytest.raises(RequestInvalid) as caught:
        small_office.issuers.add(small_office.ours.staff(), {"name": "One too many"})
    assert problems(caught.value) == [("name", FormProblem.TOO_MANY)]


def test_ticks_that_are_missing_are_taken_away_and_an_algorithm_stays(small_office: Office) -> None:
    staff = small_office.ours.staff()
    id_ = small_office.issuers.add(staff, NEW | {"names_schema": "on", "token_algorithm": "ES256"})
    small_office.issuers.change(staff, id_, NEW)
    row = small_office.row(tables.Issuer, id_)
    assert (row.names_schema, row.token_algorithm) == (False, "ES256")
    with pytest.raises(NotFound) as caught:
        small_office.issuers.change(staff, "nobody", NEW)
    assert caught.value.code is ErrorCode.NOT_FOUND


# -- pictures


def drawing(colour: str = "teal") -> bytes:
    shape = f'<circle cx="8" cy="8" r="7" fill="{colour}"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">{shape}</svg>'.encode()


def test_an_issuer_gets_a_picture_and_loses_it_again(office: Office) -> None:
    ours, staff = office.ours, office.ours.staff(StaffRole.EDITOR)
    for _ in range(2):  # the same picture twice is one change
        office.issuers.change_picture(staff, ours.course.issuer_id, drawing())
    picture_id = office.row(tables.Issuer, ours.course.issuer_id).picture_id
    assert office.row(tables.Picture, picture_id).organisation_id == ours.id
    office.issuers.change_picture(staff, ours.course.issuer_id, None)
    assert office.row(tables.Issuer, ours.course.issuer_id).picture_id is None
    assert sorted(office.actions(ours)) == [*["issuer.picture_changed"] * 2, "picture.uploaded"]


def test_nobody_else_uploads_an_issuers_picture(office: Office) -> None:
    ours = office.ours
    for staff, refusal in (
        (ours.staff(StaffRole.READER), NotAllowed),
        (ours.staff(StaffRole.REVIEWER), NotAllowed),
        (office.theirs.staff(), NotFound),
    ):
        with pytest.raises(refusal):
            office.issuers.change_picture(staff, ours.course.issuer_id, drawing())
    assert office.school.rows(tables.Picture) == []


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<svg/>"])
def test_what_is_no_picture_is_said_beside_the_file(content: bytes, small_office: Office) -> None:
    with pytest.raises(RequestInvalid) as caught:
        small_office.issuers.change_picture(
            small_office.ours.staff(), small_office.ours.course.issuer_id, content
        )
    assert [field for field, _ in problems(caught.value)] == ["picture"]
    assert small_office.school.rows(tables.Picture) == []
