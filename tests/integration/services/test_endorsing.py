"""Endorsing: offered by one organisation, decided by the other, carried by badges, ended by its endorser."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.credentials import signing
from lti_tool.credentials.did import did_document, did_web_url
from lti_tool.credentials.errors import FetchFailed
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.credentials.verification import Report, Verdict, verify
from lti_tool.domain.staff import Permission, StaffRole, permits
from lti_tool.errors import Conflict, CredentialInvalid, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services import endorsing as services
from lti_tool.services.endorsing import Endorsing
from lti_tool.services.form_problems import Problem
from lti_tool.services.public import PublicRecords
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.integration.services.badges import bits
from tests.integration.services.office import Office, Organisation
from tests.integration.services.school import BASE_URL
from tests.integration.services.test_verifying import verifying
from tests.unit.credentials.badges import Web
from tests.unit.credentials.test_endorsements import ENDORSER, ENDORSER_KEY, LIST_URL, endorsement, token

COMMENT = "What our members ask of beginners."


class Judge:
    """The verifier with a web of its own: what this installation publishes, and the endorser elsewhere."""

    def __init__(self, office: Office) -> None:
        self.office = office
        self.web = Web()
        self.web.publish(
            did_web_url(ENDORSER.id), did_document(ENDORSER.id, [("key-1", ENDORSER_KEY.public)])
        )
        self.withdraw()

    def withdraw(self, *indices: int) -> None:
        """Publish the list of the endorser elsewhere."""
        document = build_status_list_credential(
            list_url=LIST_URL,
            issuer=ENDORSER,
            bits=StatusList.of(indices),
            valid_from=factories.NOW - timedelta(days=9),
        )
        self.web.documents[LIST_URL] = sign_credential(document, ENDORSER_KEY, factories.NOW).text.encode()

    def fetch(self, url: str, accept: str) -> bytes:
        if not url.startswith(f"{BASE_URL}/"):
            return self.web.fetch(url, accept)
        found = self.office.school.own_documents.published(url.removeprefix(f"{BASE_URL}/"))
        if found is None:
            raise FetchFailed("not_found")
        return found.body

    def verify(self, data: bytes) -> Report:
        return verify(data, fetch=self, now=self.office.school.clock())


class Endorsements:
    """Both organisations, and the service."""

    def __init__(self, office: Office) -> None:
        self.office, self.judge = office, Judge(office)
        self.ours, self.theirs = office.ours, office.theirs
        school = office.school
        keys = IssuerKeyring(office.keyring)
        self.service = Endorsing(office.database, school.clock, keys, school.urls, school.hints, self.judge)
        self.records = PublicRecords(office.database, school.issuing, school.urls, office.keyring)

    def version_of(self, organisation: Organisation) -> str:
        (version,) = self.office.school.rows(
            tables.AchievementVersion, tables.AchievementVersion.organisation_id == organisation.id
        )
        assert isinstance(version, tables.AchievementVersion)
        return version.id

    def offer(self, of: str = "achievement", comment: str = COMMENT) -> str:
        """Theirs endorses what is ours."""
        if of == "achievement":
            address = f"{BASE_URL}/achievements/{self.version_of(self.ours)}"
        else:
            address = f"{BASE_URL}/issuers/{self.ours.course.issuer_id}"
        return self.service.endorse(self.theirs.staff(), self.theirs.course.issuer_id, address, comment)

    def row(self, id_: str) -> tables.Endorsement:
        found = self.office.row(tables.Endorsement, id_)
        assert isinstance(found, tables.Endorsement)
        return found

    def issue(self) -> dict[str, Any]:
        """A further badge of ours, as it is signed now."""
        school, ours = self.office.school, self.ours
        (learner_id,) = factories.enrol(self.office.database, ours.course)
        credential_id = school.issued(ours.course, ours.placed, learner_id)
        document: dict[str, Any] = json.loads(self.office.row(tables.Credential, credential_id).document)
        return document

    def brought(self, **changes: Any) -> bytes:
        """What somebody elsewhere signed about our achievement."""
        about = f"{BASE_URL}/achievements/{self.version_of(self.ours)}"
        arguments = {"endorsed_id": about, "valid_from": factories.NOW - timedelta(days=9), **changes}
        document = endorsement(**arguments)
        return sign_credential(document, ENDORSER_KEY, factories.NOW).text.encode()


@pytest.fixture
def endorsements(database: Database, tmp_path: Path) -> Endorsements:
    return Endorsements(Office(database, tmp_path))


def listed(refused: pytest.ExceptionInfo[RequestInvalid]) -> tuple[Problem, ...]:
    assert refused.value.code is ErrorCode.FORM_INVALID
    return cast("tuple[Problem, ...]", refused.value.params["problems"])


def problems(refused: pytest.ExceptionInfo[RequestInvalid]) -> list[tuple[str, str]]:
    return [(one.field, one.code.value) for one in listed(refused)]


# -- offering and deciding


@pytest.mark.parametrize("of", ["achievement", "issuer"])
def test_an_accepted_endorsement_is_public_and_carried_by_the_next_badge(
    endorsements: Endorsements, of: str
) -> None:
    id_ = endorsements.offer(of)
    before = endorsements.issue()
    endorsements.service.accept(endorsements.ours.staff(), id_)
    after = endorsements.issue()
    owner = after["issuer"] if of == "issuer" else after["credentialSubject"]["achievement"]
    document = endorsements.row(id_).document
    assert document is not None
    assert owner["endorsement"] == [json.loads(document)]
    assert "endorsement" not in json.dumps(before)
    report = endorsements.judge.verify(json.dumps(after).encode())
    assert report.verdict is Verdict.VALID, report.steps
    assert [(one.standing.value, one.comment) for one in report.endorsements] == [("genuine", COMMENT)]
    published = endorsements.records.endorsement(id_)
    assert published == document.encode()
    assert json.loads(published)["id"] == f"{BASE_URL}/endorsements/{id_}"
    assert endorsements.judge.verify(published).verdict is Verdict.VALID
    if of == "issuer":
        shown: Any = endorsements.records.issuer(endorsements.ours.course.issuer_id)
    else:
        shown = endorsements.records.achievement(endorsements.version_of(endorsements.ours))
    assert [one.id for one in shown.endorsements] == [id_]
    assert json.loads(shown.document.body)["endorsement"] == [json.loads(document)]


def test_its_address_can_be_given_to_our_verifier_once_it_is_accepted(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    address = f"{BASE_URL}/endorsements/{id_}"
    page = verifying(endorsements.office.school)
    with pytest.raises(RequestInvalid) as refused:
        page.verify_url(address)
    assert refused.value.code is ErrorCode.VERIFY_URL_UNREACHABLE
    endorsements.service.accept(endorsements.ours.staff(), id_)
    assert page.verify_url(address).verdict is Verdict.VALID


def test_nobody_sees_an_endorsement_before_it_is_accepted(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    assert endorsements.records.endorsement(id_) is None
    shown = endorsements.records.achievement(endorsements.version_of(endorsements.ours))
    assert shown is not None
    assert shown.endorsements == ()
    assert endorsements.service.waiting(endorsements.ours.id) == 1
    assert endorsements.service.waiting(endorsements.theirs.id) == 0


def test_both_sides_find_it_and_nobody_else(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    ours = endorsements.service.of_organisation(endorsements.ours.staff())
    theirs = endorsements.service.of_organisation(endorsements.theirs.staff())
    assert ([one.id for one in ours.received], ours.given) == ([id_], ())
    assert ([one.id for one in theirs.given], theirs.received) == ([id_], ())
    stranger = endorsements.office.settle("Third")
    third = endorsements.service.of_organisation(stranger.staff())
    assert (third.received, third.given) == ((), ())


def test_one_that_was_taken_off_shows_no_longer_and_badges_keep_it(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    staff = endorsements.ours.staff()
    endorsements.service.accept(staff, id_)
    carrying = endorsements.issue()
    endorsements.service.refuse(staff, id_)
    assert endorsements.records.endorsement(id_) is None
    assert "endorsement" not in json.dumps(endorsements.issue())
    report = endorsements.judge.verify(json.dumps(carrying).encode())
    assert [one.standing.value for one in report.endorsements] == ["genuine"]
    endorsements.service.accept(staff, id_)
    assert endorsements.records.endorsement(id_) is not None


def test_a_withdrawal_sets_the_bit_and_leaves_the_badge_valid(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    endorsements.service.accept(endorsements.ours.staff(), id_)
    carrying = endorsements.issue()
    row = endorsements.row(id_)
    assert row.status_list_id is not None
    assert row.status_index is not None
    school = endorsements.office.school
    assert not bits(school, row.status_list_id)[row.status_index]
    school.clock.forward(minutes=1)
    endorsements.service.withdraw(endorsements.theirs.staff(), id_)
    assert ("sign_status_list", {"status_list_id": row.status_list_id}) in school.hints.offered
    assert bits(school, row.status_list_id)[row.status_index]
    report = endorsements.judge.verify(json.dumps(carrying).encode())
    assert report.verdict is Verdict.VALID
    assert [(one.standing.value, one.detail) for one in report.endorsements] == [("ended", "revoked")]
    assert endorsements.records.endorsement(id_) is None
    assert "endorsement" not in json.dumps(endorsements.issue())
    for again in (endorsements.service.accept, endorsements.service.refuse):
        with pytest.raises(Conflict):
            again(endorsements.ours.staff(), id_)
    with pytest.raises(Conflict):
        endorsements.service.withdraw(endorsements.theirs.staff(), id_)


def test_one_that_was_taken_off_can_still_be_withdrawn(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    endorsements.service.accept(endorsements.ours.staff(), id_)
    carrying = endorsements.issue()
    endorsements.service.refuse(endorsements.ours.staff(), id_)
    endorsements.service.withdraw(endorsements.theirs.staff(), id_)
    report = endorsements.judge.verify(json.dumps(carrying).encode())
    assert [one.standing.value for one in report.endorsements] == ["ended"]
    with pytest.raises(Conflict):
        endorsements.service.accept(endorsements.ours.staff(), id_)


def test_nobody_is_flooded_with_offers(endorsements: Endorsements, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "WAITING", 1)
    id_ = endorsements.offer()
    with pytest.raises(RequestInvalid) as refused:
        endorsements.offer("issuer")
    assert problems(refused) == [("address", "too_many_wait")]
    endorsements.service.accept(endorsements.ours.staff(), id_)
    endorsements.offer("issuer")


def test_its_place_is_in_a_list_of_the_endorser_and_no_badge_has_it(endorsements: Endorsements) -> None:
    row = endorsements.row(endorsements.offer())
    school = endorsements.office.school
    (listed,) = school.rows(tables.StatusList, tables.StatusList.id == row.status_list_id)
    assert listed.issuer_id == endorsements.theirs.course.issuer_id
    taken = school.rows(tables.Credential, tables.Credential.status_list_id == row.status_list_id)
    assert row.status_index not in {one.status_index for one in taken}


def test_what_was_killed_before_its_signature_is_signed_when_it_is_accepted(
    endorsements: Endorsements,
) -> None:
    id_ = endorsements.offer()
    endorsements.office.school.change(tables.Endorsement, tables.Endorsement.id == id_, document=None)
    endorsements.service.accept(endorsements.ours.staff(), id_)
    published = endorsements.records.endorsement(id_)
    assert published is not None
    assert endorsements.judge.verify(published).verdict is Verdict.VALID


def test_everything_is_in_the_logs_of_both(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    endorsements.service.accept(endorsements.ours.staff(), id_)
    endorsements.service.refuse(endorsements.ours.staff(), id_)
    ours, theirs = (endorsements.office.actions(one) for one in (endorsements.ours, endorsements.theirs))
    assert sorted(one for one in ours if one.startswith("endorsement")) == [
        "endorsement.accepted",
        "endorsement.received",
        "endorsement.refused",
    ]
    assert [one for one in theirs if one.startswith("endorsement")] == ["endorsement.offered"]


# -- who may what


DEEDS: dict[str, Callable[[Endorsements, Any, str], object]] = {
    "endorse": lambda all_, staff, _: all_.service.endorse(
        staff, all_.theirs.course.issuer_id, f"{BASE_URL}/issuers/{all_.ours.course.issuer_id}", COMMENT
    ),
    "accept": lambda all_, staff, id_: all_.service.accept(staff, id_),
    "refuse": lambda all_, staff, id_: all_.service.refuse(staff, id_),
    "withdraw": lambda all_, staff, id_: all_.service.withdraw(staff, id_),
    "import_file": lambda all_, staff, _: all_.service.import_file(staff, all_.brought()),
}


@pytest.mark.parametrize("deed", DEEDS)
@pytest.mark.parametrize("role", [role for role in StaffRole if Permission.ENDORSE not in permits(role)])
def test_only_an_owner_speaks_for_an_organisation(
    endorsements: Endorsements, deed: str, role: StaffRole
) -> None:
    id_ = endorsements.offer()
    staff = (endorsements.theirs if deed in ("endorse", "withdraw") else endorsements.ours).staff(role)
    with pytest.raises(NotAllowed):
        DEEDS[deed](endorsements, staff, id_)
    assert endorsements.row(id_).status == "offered"


@pytest.mark.parametrize("deed", ["accept", "refuse"])
def test_only_the_endorsed_decide(endorsements: Endorsements, deed: str) -> None:
    id_ = endorsements.offer()
    for organisation in (endorsements.theirs, endorsements.office.settle("Third")):
        with pytest.raises(NotFound):
            DEEDS[deed](endorsements, organisation.staff(), id_)
    assert endorsements.row(id_).status == "offered"


def test_only_the_endorser_withdraws(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    for organisation in (endorsements.ours, endorsements.office.settle("Third")):
        with pytest.raises(NotFound):
            endorsements.service.withdraw(organisation.staff(), id_)
        with pytest.raises(NotFound):
            endorsements.service.given(organisation.staff(), id_)
    assert endorsements.row(id_).status == "offered"


def test_nobody_speaks_for_an_issuer_that_is_not_theirs(endorsements: Endorsements) -> None:
    address = f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.ours)}"
    ours, theirs = endorsements.ours, endorsements.theirs
    with pytest.raises(NotFound):
        endorsements.service.endorse(ours.staff(), theirs.course.issuer_id, address, COMMENT)
    with pytest.raises(NotFound):
        endorsements.service.endorse(ours.staff(), "0" * 32, address, COMMENT)
    assert endorsements.office.school.rows(tables.Endorsement) == []


# -- what is refused


@pytest.mark.parametrize(
    "address",
    [
        "https://elsewhere.example/achievements/{version}",
        BASE_URL,
        BASE_URL + "/achievements/",
        BASE_URL + "/achievements/" + "0" * 32,
        BASE_URL + "/issuers/" + "0" * 32,
        BASE_URL + "/credentials/{credential}",
        "{issuer}",
        "did:web:elsewhere.example:issuers:{issuer}",
        "achievements/{version}",
    ],
)
def test_what_leads_nowhere_cannot_be_endorsed(endorsements: Endorsements, address: str) -> None:
    ours, theirs = endorsements.ours, endorsements.theirs
    address = address.format(
        version=endorsements.version_of(ours),
        credential=ours.credential_id,
        issuer=ours.course.issuer_id,
    )
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.endorse(theirs.staff(), theirs.course.issuer_id, address, COMMENT)
    assert problems(refused) == [("address", "nothing_to_endorse")]


@pytest.mark.parametrize("form", ["{url}", " {url}/?from=mail#top ", "{did}"])
def test_an_issuer_is_found_by_its_page_and_by_its_identity(endorsements: Endorsements, form: str) -> None:
    ours, theirs = endorsements.ours, endorsements.theirs
    urls = endorsements.office.school.urls
    issuer_id = ours.course.issuer_id
    address = form.format(url=urls.issuer(issuer_id), did=urls.did(issuer_id))
    id_ = endorsements.service.endorse(theirs.staff(), theirs.course.issuer_id, address, COMMENT)
    assert endorsements.row(id_).endorsed_issuer_id == issuer_id


def test_an_achievement_is_endorsed_as_it_is_now(endorsements: Endorsements) -> None:
    version_id = endorsements.version_of(endorsements.ours)
    achievement_id = endorsements.office.row(tables.AchievementVersion, version_id).achievement_id
    theirs = endorsements.theirs
    id_ = endorsements.service.endorse(
        theirs.staff(), theirs.course.issuer_id, f"{BASE_URL}/achievements/{achievement_id}", COMMENT
    )
    assert endorsements.row(id_).achievement_version_id == version_id


def test_an_issuer_does_not_praise_itself(endorsements: Endorsements) -> None:
    ours = endorsements.ours
    for page in (f"achievements/{endorsements.version_of(ours)}", f"issuers/{ours.course.issuer_id}"):
        with pytest.raises(RequestInvalid) as refused:
            endorsements.service.endorse(ours.staff(), ours.course.issuer_id, f"{BASE_URL}/{page}", COMMENT)
        assert problems(refused) == [("address", "endorses_itself")]


@pytest.mark.parametrize(
    "comment,problem",
    [("", "required"), (" \n", "required"), ("x" * 2001, "too_long"), ("a\x07b", "control_character")],
)
def test_a_comment_that_cannot_be_signed_is_refused(
    endorsements: Endorsements, comment: str, problem: str
) -> None:
    with pytest.raises(RequestInvalid) as refused:
        endorsements.offer(comment=comment)
    assert problems(refused) == [("comment", problem)]
    assert endorsements.office.school.rows(tables.Endorsement) == []


def test_a_retired_issuer_endorses_nothing(endorsements: Endorsements) -> None:
    endorsements.office.school.change(
        tables.Issuer,
        tables.Issuer.id == endorsements.theirs.course.issuer_id,
        is_default=False,
        retired_at=factories.NOW,
    )
    with pytest.raises(RequestInvalid) as refused:
        endorsements.offer()
    assert problems(refused) == [("issuer_id", "unknown_choice")]


def test_the_same_is_offered_once_and_not_for_ever(
    endorsements: Endorsements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "OFFERS", 2)
    id_ = endorsements.offer()
    with pytest.raises(RequestInvalid) as refused:
        endorsements.offer()
    assert problems(refused) == [("address", "endorsed_already")]
    endorsements.service.refuse(endorsements.ours.staff(), id_)
    second = endorsements.offer()
    endorsements.service.refuse(endorsements.ours.staff(), second)
    with pytest.raises(RequestInvalid) as refused:
        endorsements.offer()
    assert problems(refused) == [("address", "endorsed_too_often")]


def test_no_more_are_accepted_than_a_badge_can_carry(
    endorsements: Endorsements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "ACCEPTED", 1)
    endorsements.service.import_file(endorsements.ours.staff(), endorsements.brought())
    id_ = endorsements.offer()
    with pytest.raises(Conflict) as refused:
        endorsements.service.accept(endorsements.ours.staff(), id_)
    assert refused.value.code is ErrorCode.ENDORSEMENTS_TOO_MANY
    assert endorsements.row(id_).status == "offered"
    # Of the issuer one may still stand.
    endorsements.service.accept(endorsements.ours.staff(), endorsements.offer("issuer"))


# -- from elsewhere


def test_an_endorsement_from_elsewhere_is_taken_over_as_it_was_signed(endorsements: Endorsements) -> None:
    data = endorsements.brought()
    id_ = endorsements.service.import_file(endorsements.ours.staff(), data)
    row = endorsements.row(id_)
    assert (row.status, row.endorser_id, row.endorser_name, row.endorser_url) == (
        "accepted",
        None,
        ENDORSER.name,
        ENDORSER.id,
    )
    badge = endorsements.issue()
    assert badge["credentialSubject"]["achievement"]["endorsement"] == [json.loads(data)]
    report = endorsements.judge.verify(json.dumps(badge).encode())
    assert report.verdict is Verdict.VALID, report.steps
    assert [one.endorser_id for one in report.endorsements] == [ENDORSER.id]
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), data)
    assert problems(refused) == [("file", "endorsed_already")]


def test_one_that_has_run_out_is_carried_no_longer(endorsements: Endorsements) -> None:
    about = f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.ours)}"
    document = endorsement(endorsed_id=about, valid_from=factories.NOW - timedelta(days=9))
    ends_at = endorsements.office.school.clock() + timedelta(days=30)
    document["validUntil"] = ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    signed = sign_credential(document, ENDORSER_KEY, factories.NOW).text
    endorsements.service.import_file(endorsements.ours.staff(), signed.encode())
    assert "endorsement" in endorsements.issue()["credentialSubject"]["achievement"]
    endorsements.office.school.clock.forward(days=31)
    assert "endorsement" not in endorsements.issue()["credentialSubject"]["achievement"]


def test_a_forged_file_is_refused(endorsements: Endorsements) -> None:
    document = json.loads(endorsements.brought())
    document["credentialSubject"]["endorsementComment"] = "The best there is."
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), json.dumps(document).encode())
    assert problems(refused) == [("file", "endorsement_not_genuine")]
    (problem,) = listed(refused)
    assert problem.params["detail"] == "signature_wrong"


def test_one_that_was_withdrawn_elsewhere_is_refused(endorsements: Endorsements) -> None:
    endorsements.judge.withdraw(4)
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), endorsements.brought())
    (problem,) = listed(refused)
    assert (problem.code.value, problem.params["detail"]) == ("endorsement_not_genuine", "revoked")


@pytest.mark.parametrize("whose", ["theirs", "nobody"])
def test_a_file_about_somebody_else_is_refused(endorsements: Endorsements, whose: str) -> None:
    about = (
        f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.theirs)}"
        if whose == "theirs"
        else "https://elsewhere.example/achievements/1"
    )
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), endorsements.brought(endorsed_id=about))
    assert problems(refused) == [("file", "endorsement_not_ours")]


def test_a_file_about_another_spelling_of_our_address_fits_into_no_badge(
    endorsements: Endorsements,
) -> None:
    about = f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.ours)}?x=1"
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), endorsements.brought(endorsed_id=about))
    assert problems(refused) == [("file", "endorsement_not_ours")]


@pytest.mark.parametrize(
    "data,problem",
    [
        (b"", "required"),
        (b"not it", "no_endorsement"),
        (b"{}", "no_endorsement"),
        (b"x" * 300_000, "import_too_large"),
    ],
)
def test_what_is_no_endorsement_is_refused(endorsements: Endorsements, data: bytes, problem: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), data)
    assert problems(refused) == [("file", problem)]


def test_a_badge_is_no_endorsement(endorsements: Endorsements) -> None:
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), json.dumps(endorsements.issue()).encode())
    assert problems(refused) == [("file", "no_endorsement")]


def test_a_token_whose_key_nobody_knows_is_refused(endorsements: Endorsements) -> None:
    about = f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.ours)}"
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), token(endorsed_id=about).encode())
    assert problems(refused) == [("file", "endorsement_not_genuine")]


def test_an_offer_cannot_be_accepted_by_bringing_it_as_a_file(endorsements: Endorsements) -> None:
    id_ = endorsements.offer()
    document = endorsements.row(id_).document
    assert document is not None
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), document.encode())
    assert problems(refused) == [("file", "endorsed_already")]


def test_a_large_endorsement_fits_into_no_badge(endorsements: Endorsements) -> None:
    data = endorsements.brought(comment="x" * 40_000)
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), data)
    (problem,) = listed(refused)
    assert (problem.code.value, problem.params["why"]) == ("endorsement_not_embeddable", "too_large")
    assert endorsements.office.school.rows(tables.Endorsement) == []


@pytest.mark.parametrize("field", ["comment", "name"])
def test_what_no_database_keeps_is_refused_before_it_is_stored(
    endorsements: Endorsements, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    about = f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.ours)}"
    document = endorsement(endorsed_id=about, valid_from=factories.NOW - timedelta(days=9))
    if field == "comment":
        document["credentialSubject"]["endorsementComment"] = "fine\0"
    else:
        document["issuer"]["name"] = "An Association\0"
    with monkeypatch.context() as careless:  # an issuer elsewhere, who looks at nothing before signing
        careless.setattr(signing, "lint_credential", lambda document: None)
        careless.setattr(signing, "_fill", signing._fill_in_full)
        data = sign_credential(document, ENDORSER_KEY, factories.NOW).text.encode()
    with pytest.raises(RequestInvalid) as refused:
        endorsements.service.import_file(endorsements.ours.staff(), data)
    (problem,) = listed(refused)
    assert (problem.code.value, problem.params["why"]) == ("endorsement_not_embeddable", "control_character")
    assert endorsements.office.school.rows(tables.Endorsement) == []


def test_comments_that_verifiers_would_sort_differently_stand_not_together(
    endorsements: Endorsements,
) -> None:
    # U+FF5E and U+1F600: in one order by code point, in the other by UTF-16 unit.
    endorsements.service.accept(endorsements.ours.staff(), endorsements.offer(comment="\uff5e fine"))
    third = endorsements.office.settle("Third")
    address = f"{BASE_URL}/achievements/{endorsements.version_of(endorsements.ours)}"
    id_ = endorsements.service.endorse(third.staff(), third.course.issuer_id, address, "\U0001f600 fine")
    with pytest.raises(CredentialInvalid) as refused:
        endorsements.service.accept(endorsements.ours.staff(), id_)
    assert refused.value.params["reason"] == "sorted_differently_by_node"
    assert endorsements.row(id_).status == "offered"
    endorsements.issue()
