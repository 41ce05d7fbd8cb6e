"""Keys that somebody else has seen are given up, and nobody loses a badge by it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.bootstrap import IssuerKeyring, IssuerSigner
from lti_tool.credentials.errors import text_invalid
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.verification import Report, Verdict, verify
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import ConfigurationInvalid, NotAllowed, NotFound, RequestInvalid
from lti_tool.keyring import Keyring, Signer, issuer_purpose
from lti_tool.services import reissuing as reissuing_module
from lti_tool.services import signing_anew as signing_module
from lti_tool.services import status_lists as status_lists_module
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.endorsing import Endorsing
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.services.staffing import Operator
from lti_tool.store import credentials as store
from lti_tool.store import reissues as reissues_store
from lti_tool.store import status_lists as status_lists_store
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.office import Office
from tests.integration.services.school import BASE_URL, School

SECOND = timedelta(seconds=1)


@dataclass(frozen=True)
class Published:
    """What this installation publishes."""

    school: School

    def fetch(self, url: str, accept: str) -> bytes:
        found = self.school.own_documents.published(url.removeprefix(BASE_URL))
        assert found is not None, url
        return found.body


class Badges:
    """A course with badges, their issuer's key, and what everybody can read of them."""

    def __init__(self, school: School, count: int = 3) -> None:
        self.school = school
        self.course: Course = school.course()
        self.placed: Placed = factories.placed(school.database, self.course)
        learners = factories.enrol(school.database, self.course, count)
        self.ids = sorted(school.issued(self.course, self.placed, learner) for learner in learners)
        self.keyring = Keyring(school.keys_dir)
        self.stolen: Signer = self.keyring.signer(self.purpose)

    @property
    def purpose(self) -> str:
        return issuer_purpose(self.course.issuer_id)

    @property
    def operator(self) -> Operator:
        return Operator(self.course.organisation_id)

    def row(self, id_: str) -> Any:
        (row,) = self.school.rows(tables.Credential, tables.Credential.id == id_)
        return row

    def text(self, id_: str) -> str:
        return str(self.row(id_).document)

    def document(self, id_: str) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.text(id_))
        return loaded

    def judge(self, text: str) -> Report:
        """As everybody judges it, who reads what this installation publishes."""
        return verify(text.encode(), fetch=Published(self.school), now=self.now)

    @property
    def now(self) -> datetime:
        return self.school.clock()

    def give_up(self) -> str:
        """The key was seen; the id of the run."""
        run = self.school.reissuing.compromise(self.operator, self.course.issuer_id, self.stolen.kid)
        return run.id

    def kid_of(self, id_: str) -> str:
        method: str = self.document(id_)["proof"][0]["verificationMethod"]
        return method.partition("#")[2]

    def finish(self, run_id: str) -> Any:
        self.school.reissuing.work(run_id)
        self.school.clock.now += LAST_LOOK_AFTER
        self.school.reissuing.work(run_id)
        return self.school.reissuing.run(self.course.organisation_id, run_id)


@pytest.fixture
def badges(school: School) -> Badges:
    return Badges(school)


@pytest.fixture
def small_badges(small_school: School) -> Badges:
    """Where the kind of database does not matter."""
    return Badges(small_school)


def forged(badges: Badges, id_: str) -> str:
    """What a thief makes with the key: a badge of ours about somebody else."""
    document = badges.document(id_)
    del document["proof"]
    document["id"] = f"{BASE_URL}/credentials/forged"
    did = badges.school.urls.did(badges.course.issuer_id)
    return sign_credential(document, IssuerSigner(badges.stolen, did), badges.now).text


def test_at_once_nothing_that_the_key_signed_verifies(badges: Badges) -> None:
    thiefs = forged(badges, badges.ids[0])
    assert badges.judge(thiefs).verdict is Verdict.VALID
    badges.give_up()
    assert badges.judge(thiefs).verdict is Verdict.INVALID
    assert badges.judge(badges.text(badges.ids[0])).verdict is Verdict.INVALID


def test_every_badge_is_signed_anew_under_its_id_and_place_and_says_what_it_said(badges: Badges) -> None:
    before = {id_: badges.document(id_) for id_ in badges.ids}
    issued = {id_: badges.row(id_).issued_at for id_ in badges.ids}
    badges.school.clock.now += timedelta(days=40)
    run = badges.finish(badges.give_up())
    assert (run.status, run.done, run.total, run.counts["reissued"]) == ("done", 3, 3, 3)
    for id_ in badges.ids:
        former, written, row = before[id_], badges.document(id_), badges.row(id_)
        assert badges.judge(badges.text(id_)).verdict is Verdict.VALID
        assert badges.kid_of(id_) != badges.stolen.kid
        assert written["validFrom"] > former["validFrom"]
        assert datetime.fromisoformat(written["validFrom"]) == row.reissued_at
        for changed in ("validFrom", "proof"):
            del former[changed], written[changed]
        assert written == former  # awardedDate, recipient and status place among it
        assert row.issued_at == issued[id_]


def test_a_thiefs_badge_stays_false_when_ours_are_good_again(badges: Badges) -> None:
    thiefs, copy = forged(badges, badges.ids[0]), badges.text(badges.ids[0])
    badges.finish(badges.give_up())
    assert badges.judge(thiefs).verdict is Verdict.INVALID
    assert badges.judge(copy).verdict is Verdict.INVALID  # a download from before: the address has a new one


def test_whoever_asks_again_gets_the_new_text(badges: Badges) -> None:
    school, id_ = badges.school, badges.ids[0]
    school.change(tables.Credential, tables.Credential.id == id_, is_public=True)
    with school.database.read_rows() as connection:
        before = store.public_document(connection, id_)
    school.clock.now += SECOND
    badges.finish(badges.give_up())
    with school.database.read_rows() as connection:
        after, state = store.public_document(connection, id_), store.public_state(connection, id_)
    assert before is not None
    assert after is not None
    assert state is not None
    assert after.document != before.document
    assert after.etag == state.etag != before.etag


def test_revoked_badges_stay_revoked_and_are_known_as_such(badges: Badges) -> None:
    badges.school.revoking.revoke(badges.ids[0], "By mistake.", "cli")
    badges.finish(badges.give_up())
    outcomes = [badges.judge(badges.text(id_)).verdict for id_ in badges.ids]
    assert outcomes == [Verdict.INVALID, Verdict.VALID, Verdict.VALID]
    status = {step.name: step.outcome.value for step in badges.judge(badges.text(badges.ids[0])).steps}
    assert (status["proof"], status["status"]) == ("passed", "failed")


def test_what_has_expired_stays_expired(badges: Badges, small_school: School) -> None:
    badges.school.change(tables.AchievementVersion, validity_months=1)
    (learner,) = factories.enrol(badges.school.database, badges.course, 1)
    id_ = badges.school.issued(badges.course, badges.placed, learner)
    former = badges.document(id_)
    badges.school.clock.now += timedelta(days=90)
    badges.finish(badges.give_up())
    written = badges.document(id_)
    assert written["validUntil"] == former["validUntil"]
    assert former["validFrom"] < written["validFrom"] < written["validUntil"]
    steps = {step.name: step.outcome.value for step in badges.judge(badges.text(id_)).steps}
    assert steps["proof"] == "passed"
    assert badges.judge(badges.text(id_)).verdict is Verdict.INVALID


def test_other_issuers_badges_are_left_alone(badges: Badges) -> None:
    other = Badges(badges.school, 1)
    before = other.text(other.ids[0])
    badges.finish(badges.give_up())
    assert other.text(other.ids[0]) == before
    assert other.judge(before).verdict is Verdict.VALID


def test_badges_of_a_key_retired_before_are_left_alone(badges: Badges) -> None:
    badges.keyring.rotate(badges.purpose, badges.now)
    (learner,) = factories.enrol(badges.school.database, badges.course, 1)
    later = badges.school.issued(badges.course, badges.placed, learner)
    before = badges.text(later)
    badges.finish(badges.give_up())
    assert badges.text(later) == before
    kids = {badges.kid_of(id_) for id_ in (*badges.ids, later)}
    assert kids == {badges.keyring.signer(badges.purpose).kid}
    assert all(badges.judge(badges.text(id_)).verdict is Verdict.VALID for id_ in (*badges.ids, later))


def test_a_run_that_was_killed_goes_on_from_where_it_was(
    badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", 1)
    run_id = badges.give_up()
    said: list[int] = []

    class Killed(Exception):
        pass

    def die(done: int, _: int | None) -> None:
        said.append(done)
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        badges.school.reissuing.work(run_id, die)
    run = badges.school.reissuing.run(badges.course.organisation_id, run_id)
    assert (run.status, run.step, run.done, run.total) == ("running", "credentials", 2, 3)
    texts = [badges.text(id_) for id_ in badges.ids[:2]]
    assert badges.school.reissuing.due(10) == (run_id,)
    assert badges.finish(run_id).counts["reissued"] == 3
    assert [badges.text(id_) for id_ in badges.ids[:2]] == texts  # not a second time
    assert said == [1, 2]
    assert badges.school.reissuing.due(10) == ()


def test_a_process_that_died_before_the_key_was_moved_leaves_it_to_the_worker(
    badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*_: object) -> str:
        raise OSError("no more")

    with monkeypatch.context() as patched:
        patched.setattr("lti_tool.bootstrap.IssuerKeyring.compromise", die)
        with pytest.raises(OSError, match="no more"):
            badges.give_up()
    (run_id,) = badges.school.reissuing.due(10)
    assert badges.finish(run_id).status == "done"
    assert {badges.kid_of(id_) for id_ in badges.ids} == {badges.keyring.signer(badges.purpose).kid}


def test_what_was_being_signed_at_that_moment_is_found_by_the_last_look(badges: Badges) -> None:
    school, late = badges.school, badges.ids[0]
    former = badges.text(late)
    run_id = badges.give_up()
    school.reissuing.work(run_id)
    # Somebody had read the key before it was moved, and stores the badge only now.
    school.change(tables.Credential, tables.Credential.id == late, document=former)
    assert school.reissuing.due(10) == ()
    school.reissuing.work(run_id)  # too early: nothing happens
    assert badges.text(late) == former
    school.clock.now += LAST_LOOK_AFTER
    assert school.reissuing.due(10) == (run_id,)
    school.reissuing.work(run_id)
    assert badges.judge(badges.text(late)).verdict is Verdict.VALID
    assert school.reissuing.run(badges.course.organisation_id, run_id).status == "done"


def test_telling_it_twice_joins_the_run_and_telling_it_later_finds_nothing(badges: Badges) -> None:
    run_id = badges.give_up()
    assert badges.give_up() == run_id
    badges.finish(run_id)
    active = badges.keyring.signer(badges.purpose).kid
    again = badges.give_up()
    assert again != run_id
    assert badges.finish(again).counts["reissued"] == 0
    assert badges.keyring.signer(badges.purpose).kid == active


def test_a_learner_who_is_erased_meanwhile_stays_erased(
    badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", 1)
    gone = badges.ids[-1]
    run_id = badges.give_up()

    def erase(done: int, _: int | None) -> None:
        if done == 1:
            badges.school.change(
                tables.Credential, tables.Credential.id == gone, document=None, award_id=None
            )

    badges.school.reissuing.work(run_id, erase)
    assert badges.row(gone).document is None
    assert badges.row(gone).reissued_at is None


def test_one_text_that_cannot_be_signed_stops_no_other_and_is_told(
    small_badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = small_badges.ids[1]
    real = sign_credential

    def sign(document: Any, signer: Any, created: datetime) -> Any:
        if document["id"].endswith(bad):
            raise text_invalid("/name", "control_character")
        return real(document, signer, created)

    monkeypatch.setattr(signing_module, "sign_credential", sign)
    run = small_badges.finish(small_badges.give_up())
    assert run.counts["reissued"] == 2
    assert run.counts["failures"] == [bad]
    assert run.error_code == "credential_text_invalid"


def test_status_lists_are_signed_with_the_new_key_before_any_badge(badges: Badges) -> None:
    (list_,) = badges.school.rows(tables.StatusList, tables.StatusList.issuer_id == badges.course.issuer_id)
    badges.school.status_lists.sign(list_.id)
    run_id = badges.give_up()
    badges.school.reissuing.work(run_id)
    published = badges.school.status_lists.published(list_.id)
    assert published is not None
    assert badges.stolen.kid not in published.body.decode()


def test_a_list_that_was_being_signed_when_its_key_was_given_up_is_signed_again(
    badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever signed it with the old key must not keep it after the run has looked at it."""
    (list_,) = badges.school.rows(tables.StatusList, tables.StatusList.issuer_id == badges.course.issuer_id)
    sign, waiting = status_lists_module.sign_credential, [True]

    def sign_slowly(*arguments: Any) -> Any:
        signed = sign(*arguments)
        if waiting:
            waiting.clear()
            badges.school.clock.now += SECOND
            with badges.school.database.write() as session:
                badges.keyring.compromise(badges.purpose, badges.stolen.kid, badges.now)
                status_lists_store.mark_issuer_changed(session, badges.course.issuer_id, badges.now)
        return signed

    monkeypatch.setattr(status_lists_module, "sign_credential", sign_slowly)
    badges.school.status_lists.sign(list_.id)
    published = badges.school.status_lists.published(list_.id)
    assert published is not None
    assert badges.stolen.kid not in published.body.decode()


def test_two_processes_never_work_on_one_run(badges: Badges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", 1)
    run_id = badges.give_up()
    inner: list[int] = []

    def meanwhile(done: int, _: int | None) -> None:
        if done == 1:
            badges.school.reissuing.work(run_id, lambda *_: inner.append(1))

    badges.school.reissuing.work(run_id, meanwhile)
    assert inner == []


def test_what_became_of_a_key_is_found_among_many_corrections(badges: Badges) -> None:
    run_id = badges.give_up()
    for _ in range(101):
        badges.school.clock.now += SECOND
        badges.school.reissuing.reissue(badges.operator, badges.ids[:1], "The name was wrong")
    found = badges.school.reissuing.newest_of(badges.course.organisation_id, badges.course.issuer_id)
    assert found is not None
    assert found.id == run_id
    with badges.school.database.statements() as asked:
        assert badges.give_up() == run_id
    assert sum("FROM runs" in one for one in asked) <= 3, "however many corrections there were"


# -- on request


def test_chosen_badges_are_signed_anew_and_older_copies_stay_valid(badges: Badges) -> None:
    first, *others = badges.ids
    copies = {id_: badges.text(id_) for id_ in badges.ids}
    badges.school.clock.now += timedelta(days=1)
    run = badges.school.reissuing.reissue(badges.operator, [first, first], "A correction.")
    badges.school.reissuing.work(run.id)
    assert badges.school.reissuing.run(badges.course.organisation_id, run.id).counts["reissued"] == 1
    assert badges.text(first) != copies[first]
    assert all(badges.text(id_) == copies[id_] for id_ in others)
    assert badges.judge(badges.text(first)).verdict is Verdict.VALID
    assert badges.judge(copies[first]).verdict is Verdict.VALID


def test_a_correction_says_what_is_recorded_now_about_the_same_person(badges: Badges) -> None:
    school, id_ = badges.school, badges.ids[0]
    before, others = badges.document(id_), [badges.text(other) for other in badges.ids[1:]]
    school.change(tables.Issuer, tables.Issuer.id == badges.course.issuer_id, name="Renamed University")
    school.change(tables.AchievementVersion, validity_months=6)
    school.clock.now += timedelta(days=10)
    run = school.reissuing.reissue(badges.operator, [id_], "The issuer was renamed.", as_recorded=True)
    school.reissuing.work(run.id)
    after, row = badges.document(id_), badges.row(id_)
    assert after["issuer"]["name"] == "Renamed University"
    assert (
        datetime.fromisoformat(after["validUntil"]) == row.valid_until == datetime(2026, 9, 1, 12, tzinfo=UTC)
    )
    assert datetime.fromisoformat(after["validFrom"]) == school.clock()
    for kept in ("id", "awardedDate", "credentialStatus"):
        assert after[kept] == before[kept]
    assert after["credentialSubject"]["identifier"] == before["credentialSubject"]["identifier"]
    assert badges.judge(badges.text(id_)).verdict is Verdict.VALID
    assert [badges.text(other) for other in badges.ids[1:]] == others


def test_a_correction_is_made_though_another_run_signs_the_same_badge_meanwhile(
    badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    badges.school.change(tables.Issuer, tables.Issuer.id == badges.course.issuer_id, name="Corrected school")
    run = badges.school.reissuing.reissue(badges.operator, badges.ids, "The name was wrong", as_recorded=True)
    read, waiting = reissues_store.signed, [True]

    def read_slowly(*arguments: Any) -> Any:
        found = read(*arguments)
        if waiting:
            waiting.clear()
            badges.school.clock.now += SECOND
            badges.school.reissuing.work(badges.give_up())
        return found

    monkeypatch.setattr(reissues_store, "signed", read_slowly)
    badges.school.reissuing.work(run.id)
    assert {badges.document(id_)["issuer"]["name"] for id_ in badges.ids} == {"Corrected school"}
    badges.school.clock.now += SECOND
    assert {badges.judge(badges.text(id_)).verdict for id_ in badges.ids} == {Verdict.VALID}
    assert badges.school.reissuing.run(badges.course.organisation_id, run.id).done == len(badges.ids)


def test_two_corrections_in_one_second_are_told_apart(badges: Badges) -> None:
    moments = []
    for _ in range(2):
        run = badges.school.reissuing.reissue(badges.operator, badges.ids[:1], "Again.")
        badges.school.reissuing.work(run.id)
        moments.append(badges.document(badges.ids[0])["validFrom"])
    assert moments[0] < moments[1]


@pytest.mark.parametrize("ids, reason", [([], "Why."), (["own"], " "), (["own"], "x" * 501)])
def test_a_request_names_badges_and_a_reason(ids: list[str], reason: str, small_badges: Badges) -> None:
    chosen = [small_badges.ids[0] if id_ == "own" else id_ for id_ in ids]
    with pytest.raises(RequestInvalid):
        small_badges.school.reissuing.reissue(small_badges.operator, chosen, reason)


# -- who may


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


Attempt = Callable[[Office, Any], object]
ATTEMPTS: dict[str, Attempt] = {
    "compromise": lambda office, staff: office.school.reissuing.compromise(
        staff, office.ours.course.issuer_id, kid_of(office)
    ),
    "rotate": lambda office, staff: office.school.reissuing.rotate(staff, office.ours.course.issuer_id),
    "reissue": lambda office, staff: office.school.reissuing.reissue(
        staff, [office.ours.credential_id], "Why."
    ),
}


def kid_of(office: Office) -> str:
    return office.keyring.signer(issuer_purpose(office.ours.course.issuer_id)).kid


@pytest.mark.parametrize("attempt", ATTEMPTS)
def test_nobody_gives_up_another_organisations_keys(attempt: str, office: Office) -> None:
    kid = kid_of(office)
    with pytest.raises(NotFound):
        ATTEMPTS[attempt](office, office.theirs.staff())
    for role in (StaffRole.EDITOR, StaffRole.READER):
        with pytest.raises(NotAllowed):
            ATTEMPTS[attempt](office, office.ours.staff(role))
    assert kid_of(office) == kid
    assert office.school.rows(tables.Run) == []


def test_another_issuers_key_is_no_key_of_this_one(office: Office) -> None:
    theirs = office.keyring.signer(issuer_purpose(office.theirs.course.issuer_id)).kid
    for kid in (theirs, "../../lti", ""):
        with pytest.raises(NotFound):
            office.school.reissuing.compromise(office.ours.staff(), office.ours.course.issuer_id, kid)
    assert office.keyring.signer(issuer_purpose(office.theirs.course.issuer_id)).kid == theirs


def test_a_run_is_seen_by_its_own_organisation_only(office: Office) -> None:
    run = office.school.reissuing.compromise(
        office.ours.staff(), office.ours.course.issuer_id, kid_of(office)
    )
    assert office.school.reissuing.newest_of(office.ours.id, office.ours.course.issuer_id) == run
    assert office.school.reissuing.newest_of(office.theirs.id, office.ours.course.issuer_id) is None
    with pytest.raises(NotFound):
        office.school.reissuing.run(office.theirs.id, run.id)


def test_a_key_that_cannot_be_read_leaves_the_run_to_be_done_later(small_badges: Badges) -> None:
    run_id = small_badges.give_up()
    folder = small_badges.school.keys_dir / small_badges.purpose / "active"
    for path in folder.glob("*.pem"):
        path.chmod(0o644)
    with pytest.raises(ConfigurationInvalid):
        small_badges.school.reissuing.work(run_id)
    for path in folder.glob("*.pem"):
        path.chmod(0o600)
    assert small_badges.school.reissuing.due(10) == (run_id,)
    assert small_badges.finish(run_id).status == "done"


@pytest.mark.parametrize("batch", [1, 500])
def test_an_issuer_without_a_usable_key_keeps_no_other_issuers_badges_waiting(
    batch: int, small_badges: Badges, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", batch)
    badges, school = small_badges, small_badges.school
    issuer_id = school.another_issuer(badges.course.organisation_id)
    learners = factories.enrol(school.database, badges.course, 2)
    theirs = [school.issued(badges.course, badges.placed, learner) for learner in learners]
    before = {id_: badges.text(id_) for id_ in (*badges.ids, *theirs)}
    school.clock.now += SECOND
    run = school.reissuing.reissue(badges.operator, list(before), "Signed by mistake.")
    school.expose_key(issuer_id)
    with pytest.raises(ConfigurationInvalid):
        school.reissuing.work(run.id)
    signed = {id_: badges.text(id_) for id_ in badges.ids}
    assert all(signed[id_] != before[id_] for id_ in badges.ids)
    assert all(badges.text(id_) == before[id_] for id_ in theirs)
    assert school.reissuing.due(10) == (run.id,)
    school.expose_key(issuer_id, is_exposed=False)
    school.clock.now += SECOND
    school.reissuing.work(run.id)
    done = school.reissuing.run(badges.course.organisation_id, run.id)
    assert (done.status, done.counts["reissued"]) == ("done", 5)
    assert all(badges.text(id_) != before[id_] for id_ in theirs)
    assert {id_: badges.text(id_) for id_ in badges.ids} == signed, "none is signed twice"


# -- what verifiers read


def test_a_key_that_is_given_up_is_forgotten_by_caches_within_a_minute(small_badges: Badges) -> None:
    document = small_badges.school.issuing.did_document(small_badges.course.issuer_id)
    assert document is not None
    assert document.max_age <= 60


def test_nothing_verifies_as_the_host_itself(small_badges: Badges) -> None:
    """The host has a DID document of its own, and no key in it: it lends its name to no issuer."""
    document = small_badges.school.own_documents.published("/.well-known/did.json")
    assert document is not None
    did = "did:web:badges.example"
    read = json.loads(document.body)
    assert (read["id"], read["verificationMethod"], read["assertionMethod"]) == (did, [], [])
    badge = small_badges.document(small_badges.ids[0])
    del badge["proof"]
    badge["issuer"]["id"] = did
    forged = sign_credential(badge, IssuerSigner(small_badges.stolen, did), small_badges.now).text
    assert small_badges.judge(forged).verdict is Verdict.INVALID


def test_an_installation_below_a_path_speaks_for_no_host(small_school: School) -> None:
    below = replace(small_school, urls=PublicUrls("https://www.example.edu/badges"))
    assert below.own_documents.published("/.well-known/did.json") is None


# -- endorsements


@dataclass
class Endorsed:
    """Their badges carry an endorsement that our issuer signed with the key that was seen."""

    office: Office

    def __post_init__(self) -> None:
        school, ours, theirs = self.office.school, self.office.ours, self.office.theirs
        keys = IssuerKeyring(self.office.keyring)
        self.endorsing = Endorsing(
            school.database, school.clock, keys, school.urls, school.hints, NoVerifier()
        )
        address = school.urls.achievement(str(theirs.placed.achievement_version_id))
        self.id = self.endorsing.endorse(ours.staff(), ours.course.issuer_id, address, "We count it.")
        self.endorsing.accept(theirs.staff(), self.id)
        (learner,) = factories.enrol(school.database, theirs.course, 1)
        self.badge = school.issued(theirs.course, theirs.placed, learner)
        self.stolen = kid_of(self.office)

    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.office.row(tables.Credential, self.badge).document)
        return loaded

    def carried(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.document()["credentialSubject"]["achievement"].get(
            "endorsement", []
        )
        return found

    def give_up(self) -> None:
        school, ours = self.office.school, self.office.ours
        run = school.reissuing.compromise(ours.staff(), ours.course.issuer_id, self.stolen)
        school.reissuing.work(run.id)


class NoVerifier:
    """Nothing is imported here."""

    def verify(self, data: bytes) -> Report:
        raise AssertionError(data)


def test_badges_of_others_that_carry_an_endorsement_of_the_key_carry_a_good_one_again(office: Office) -> None:
    endorsed = Endorsed(office)
    before = endorsed.document()
    theirs = before["proof"][0]["verificationMethod"]
    (carried,) = endorsed.carried()
    assert carried["proof"][0]["verificationMethod"].endswith(endorsed.stolen)
    office.school.clock.now += timedelta(days=1)
    endorsed.give_up()
    (renewed,) = endorsed.carried()
    assert renewed["proof"][0]["verificationMethod"].endswith(kid_of(office))
    assert renewed["id"] == carried["id"]
    assert json.loads(office.row(tables.Endorsement, endorsed.id).document) == renewed
    assert endorsed.document()["proof"][0]["verificationMethod"] == theirs  # its own key was seen by nobody
    text = office.row(tables.Credential, endorsed.badge).document
    report = verify(text.encode(), fetch=Published(office.school), now=office.school.clock())
    assert report.verdict is Verdict.VALID
    outcomes = {step.name: step.outcome.value for step in report.steps}
    assert outcomes["endorsements"] == "passed"


def test_an_endorsement_that_is_gone_is_not_carried_on(office: Office) -> None:
    endorsed = Endorsed(office)
    with office.database.write() as session:
        session.execute(sa.delete(tables.Endorsement))
    endorsed.give_up()
    assert endorsed.carried() == []
