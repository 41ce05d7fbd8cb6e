"""Issuing, revoking and publishing on real databases."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.credentials import signing
from lti_tool.credentials.status_list import StatusList
from lti_tool.errors import CredentialInvalid, NotFound, RequestInvalid
from lti_tool.keyring import Keyring, issuer_purpose
from lti_tool.services import issuing as issuing_module
from lti_tool.store import credentials as store
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import BASE_URL, School


def badge(school: School) -> tuple[Course, Placed]:
    course = school.course()
    return course, factories.placed(school.database, course)


def awards(school: School, course: Course, placed: Placed, count: int) -> list[str]:
    learners = factories.enrol(school.database, course, count)
    return [factories.award(school.database, course, placed, learner) for learner in learners]


def credential(school: School, credential_id: str) -> tables.Credential:
    (row,) = school.rows(tables.Credential, tables.Credential.id == credential_id)
    assert isinstance(row, tables.Credential)
    return row


def document(school: School, credential_id: str) -> dict[str, Any]:
    text = credential(school, credential_id).document
    assert text is not None
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def bits(school: School, status_list_id: str) -> StatusList:
    published = school.issuing.status_list(status_list_id)
    assert published is not None
    return StatusList.decode(json.loads(published.body)["credentialSubject"]["encodedList"])


# -- issuing


def test_an_award_becomes_a_signed_credential(school: School) -> None:
    course, placed = badge(school)
    (award_id,) = awards(school, course, placed, 1)
    credential_id = school.issuing.issue_credential(award_id)
    assert credential_id is not None
    row = credential(school, credential_id)
    written = document(school, credential_id)
    did = f"did:web:badges.example:issuers:{course.issuer_id}"
    assert written["id"] == f"{BASE_URL}/credentials/{credential_id}"
    assert written["issuer"]["id"] == did
    assert written["credentialStatus"]["statusListCredential"] == f"{BASE_URL}/status/{row.status_list_id}"
    assert written["credentialStatus"]["statusListIndex"] == str(row.status_index)
    assert written["proof"][0]["verificationMethod"].startswith(f"{did}#")
    achievement = written["credentialSubject"]["achievement"]
    assert achievement["id"] == f"{BASE_URL}/achievements/{placed.achievement_version_id}"
    assert (row.issued_at, row.is_public, row.revoked_at) == (NOW, False, None)


def test_badges_signed_together_are_byte_for_byte_what_the_full_way_makes_of_each(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [badge(school) for _ in range(2)]
    award_ids = [id_ for course, placed in made for id_ in awards(school, course, placed, 3)]
    issued = school.issuing.issue_for(award_ids)
    assert sorted(issued) == sorted(award_ids)
    monkeypatch.setattr(signing._shapes, "find", lambda _document: None)
    owners: dict[str, set[tuple[str, str]]] = {}
    for credential_id in issued.values():
        row, unsigned = credential(school, credential_id), document(school, credential_id)
        del unsigned["proof"]
        did = unsigned["issuer"]["id"]
        signer = school.issuing.keys.signer(row.issuer_id, did)
        assert signing.sign_credential(unsigned, signer, NOW).text == row.document
        owners.setdefault(row.issuer_id, set()).add((did, unsigned["credentialSubject"]["achievement"]["id"]))
    assert owners == {
        course.issuer_id: {
            (
                f"did:web:badges.example:issuers:{course.issuer_id}",
                f"{BASE_URL}/achievements/{placed.achievement_version_id}",
            )
        }
        for course, placed in made
    }


def test_an_award_erased_while_places_are_given_out_holds_up_nobody(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(small_school)
    first, second = awards(small_school, course, placed, 2)
    places = store.places

    def erased(session: Any, ids: Any) -> dict[str, store.Place]:
        return {id_: place for id_, place in places(session, ids).items() if id_ != first}

    monkeypatch.setattr(store, "places", erased)
    assert set(small_school.issuing.issue_for([first, second])) == {second}


def test_nothing_of_the_learner_stands_in_the_credential(school: School) -> None:
    course, placed = badge(school)
    (learner,) = factories.enrol(school.database, course)
    (row,) = school.rows(tables.Learner, tables.Learner.id == learner)
    text = json.dumps(document(school, school.issued(course, placed, learner)))
    for private in (row.name, row.email, row.id, course.context_id):
        assert private not in text


@pytest.mark.parametrize(
    "email,kind",
    [
        ("Ada@School.example ", "emailAddress"),
        (None, "ltiUserId"),
        ("", "ltiUserId"),
        ("root", "ltiUserId"),
        ("@", "ltiUserId"),
        ("a@b@c", "ltiUserId"),
    ],
)
def test_the_recipient_is_a_salted_hash_of_the_best_identity_known(
    small_school: School, email: str | None, kind: str
) -> None:
    school = small_school
    course, placed = badge(school)
    one, other = factories.enrol(school.database, course, 2)
    school.change(tables.Learner, email=email)
    identities = [
        document(school, school.issued(course, placed, learner))["credentialSubject"]["identifier"][0]
        for learner in (one, other)
    ]
    assert identities[0]["identityHash"] != identities[1]["identityHash"]
    assert identities[0]["salt"] != identities[1]["salt"]
    (row,) = school.rows(tables.Learner, tables.Learner.id == one)
    assert identities[0]["identityType"] == kind
    hashed = "ada@school.example" if kind == "emailAddress" else row.sub
    expected = hashlib.sha256(f"{hashed}{identities[0]['salt']}".encode()).hexdigest()
    assert identities[0]["identityHash"] == f"sha256${expected}"


def test_issuing_again_changes_nothing(school: School) -> None:
    course, placed = badge(school)
    award_ids = awards(school, course, placed, 3)
    first = school.issuing.issue_for(award_ids)
    texts = {row.id: row.document for row in school.rows(tables.Credential)}
    school.clock.forward(hours=1)
    assert school.issuing.issue_for(award_ids * 2) == first
    assert {row.id: row.document for row in school.rows(tables.Credential)} == texts
    assert school.issuing.awards_without_credential() == ()


def test_no_award_no_credential(small_school: School) -> None:
    assert small_school.issuing.issue_credential("0" * 32) is None
    assert small_school.issuing.issue_for([]) == {}


def test_places_are_random_and_never_shared(school: School) -> None:
    course, placed = badge(school)
    school.issuing.issue_for(awards(school, course, placed, 40))
    rows = school.rows(tables.Credential)
    indices = [row.status_index for row in rows]
    assert len(set(indices)) == len({row.id for row in rows}) == 40
    assert len({row.status_list_id for row in rows}) == 1
    assert all(0 <= index < 131_072 for index in indices)
    # In order of ids, places neither rise nor fall, and they are spread over the whole list.
    by_award = [row.status_index for row in sorted(rows, key=lambda row: row.award_id)]
    assert by_award not in (sorted(indices), sorted(indices, reverse=True))
    assert max(indices) - min(indices) > 131_072 // 4


def test_issuers_never_share_a_list(school: School) -> None:
    made = [badge(school) for _ in range(2)]
    award_ids = [awards(school, course, placed, 1)[0] for course, placed in made]
    school.issuing.issue_for(award_ids)
    lists = school.rows(tables.StatusList)
    assert {row.issuer_id for row in lists} == {course.issuer_id for course, _ in made}
    for row in school.rows(tables.Credential):
        (own,) = [one for one in lists if one.id == row.status_list_id]
        assert (own.issuer_id, own.organisation_id) == (row.issuer_id, row.organisation_id)


def test_two_issuers_of_one_organisation_do_not_share_a_list_either(small_school: School) -> None:
    course, placed = badge(small_school)
    other = factories.placed(small_school.database, course)
    with small_school.database.write() as session:
        second = tables.Issuer(organisation_id=course.organisation_id, name="Second", created_at=NOW)
        session.add(second)
    (version,) = small_school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == other.achievement_version_id
    )
    small_school.change(
        tables.Achievement, tables.Achievement.id == version.achievement_id, issuer_id=second.id
    )
    small_school.issuing.issue_for(
        [*awards(small_school, course, placed, 1), *awards(small_school, course, other, 1)]
    )
    lists = {row.id: row.issuer_id for row in small_school.rows(tables.StatusList)}
    assert sorted(lists.values()) == sorted([course.issuer_id, second.id])
    for row in small_school.rows(tables.Credential):
        assert lists[row.status_list_id] == row.issuer_id


def test_a_list_closes_when_it_is_half_full(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LIST_SIZE", 16)
    course, placed = badge(school)
    school.issuing.issue_for(awards(school, course, placed, 5))
    school.issuing.issue_for(awards(school, course, placed, 15))
    used: dict[str, set[int]] = {}
    for row in school.rows(tables.Credential):
        assert 0 <= row.status_index < 16
        used.setdefault(row.status_list_id, set()).add(row.status_index)
    lists = {row.id: row for row in school.rows(tables.StatusList)}
    assert sorted(len(indices) for indices in used.values()) == [4, 8, 8]
    assert {len(used[id_]) for id_, row in lists.items() if not row.is_open} == {8}
    assert [len(used[id_]) for id_, row in lists.items() if row.is_open] == [4]


def test_a_list_keeps_the_size_it_was_made_with(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(small_school)
    monkeypatch.setattr(store, "LIST_SIZE", 16)
    small_school.issuing.issue_for(awards(small_school, course, placed, 1))
    monkeypatch.setattr(store, "LIST_SIZE", 1_000_000)
    small_school.issuing.issue_for(awards(small_school, course, placed, 7))
    assert max(row.status_index for row in small_school.rows(tables.Credential)) < 16


def test_a_crash_between_allocating_and_signing_is_made_good_with_the_same_place(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(school)
    award_ids = awards(school, course, placed, 2)

    def die(*_arguments: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(issuing_module, "sign_credential", die)
        with pytest.raises(RuntimeError, match="killed"):
            school.issuing.issue_for(award_ids)
    before = {row.award_id: row for row in school.rows(tables.Credential)}
    assert [row.document for row in before.values()] == [None, None]
    assert set(school.issuing.awards_without_credential()) == set(award_ids)
    issued = school.issuing.issue_for(award_ids)
    for row in school.rows(tables.Credential):
        was = before[row.award_id]
        assert issued[row.award_id] == row.id == was.id
        assert (row.status_list_id, row.status_index) == (was.status_list_id, was.status_index)
        assert row.document is not None
    assert school.issuing.awards_without_credential() == ()


def test_a_crash_between_signing_and_keeping_leaves_one_text(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(small_school)
    (award_id,) = awards(small_school, course, placed, 1)

    def die(*_arguments: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(store, "store_documents", die)
        with pytest.raises(RuntimeError, match="killed"):
            small_school.issuing.issue_credential(award_id)
    credential_id = small_school.issuing.issue_credential(award_id)
    assert [row.id for row in small_school.rows(tables.Credential)] == [credential_id]


def test_a_badge_that_cannot_be_signed_holds_up_nobody_else(school: School) -> None:
    course, placed = badge(school)
    broken = factories.placed(school.database, course)
    school.change(
        tables.AchievementVersion,
        tables.AchievementVersion.id == broken.achievement_version_id,
        name="bell \x07",
    )
    (unsignable,) = awards(school, course, broken, 1)
    others = awards(school, course, placed, 2)
    with pytest.raises(CredentialInvalid):
        school.issuing.issue_for([unsignable, *others])
    assert school.issuing.awards_without_credential() == (unsignable,)
    assert set(school.issuing.issue_for(others)) == set(others)


def test_two_machines_that_issue_at_once_make_each_credential_once(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = badge(school), badge(school)
    award_ids = [*awards(school, *one, 10), *awards(school, *other, 10)]
    both_have_read = threading.Barrier(2, timeout=100)
    really = store.awards_to_issue
    waited = threading.local()

    def read_and_wait(*arguments: Any) -> Any:
        found = really(*arguments)
        if not getattr(waited, "once", False):
            waited.once = True
            both_have_read.wait()
        return found

    monkeypatch.setattr(store, "awards_to_issue", read_and_wait)
    with ThreadPoolExecutor(2) as pool:
        orders = (award_ids, award_ids[::-1])
        made = [future.result() for future in [pool.submit(school.issuing.issue_for, ids) for ids in orders]]
    assert made[0] == made[1]
    rows = school.rows(tables.Credential)
    assert sorted(row.award_id for row in rows) == sorted(award_ids)
    assert len({(row.status_list_id, row.status_index) for row in rows}) == 20
    assert len(school.rows(tables.StatusList)) == 2
    assert all(row.document for row in rows)


# -- revoking


def test_a_revocation_sets_its_bit_and_keeps_every_other(school: School) -> None:
    course, placed = badge(school)
    issued = list(school.issuing.issue_for(awards(school, course, placed, 4)).values())
    rows = {row.id: row for row in school.rows(tables.Credential)}
    list_id = rows[issued[0]].status_list_id
    assert not any(bits(school, list_id)[rows[id_].status_index] for id_ in issued)
    signed_before = school.issuing.sign_status_list(list_id)
    for revoked in (issued[1], issued[3]):
        school.clock.forward(minutes=1)
        view = school.issuing.revoke_credential(revoked, "  Awarded by mistake. ", "cli")
        assert (view.revoked_at, view.revocation_reason) == (school.clock.now, "Awarded by mistake.")
    published = bits(school, list_id)
    assert [published[rows[id_].status_index] for id_ in issued] == [False, True, False, True]
    assert sum(published[index] for index in range(len(published))) == 2
    assert school.issuing.sign_status_list(list_id) != signed_before
    assert {row.id: row.document for row in school.rows(tables.Credential)} == {
        id_: row.document for id_, row in rows.items()
    }
    assert ("sign_status_list", {"status_list_id": list_id}) in school.hints.offered


def test_a_revocation_is_written_into_the_audit_trail_once(school: School) -> None:
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    school.issuing.revoke_credential(credential_id, "Mistake", "cli")
    school.clock.forward(days=1)
    again = school.issuing.revoke_credential(credential_id, "Another reason", "cli")
    assert (again.revoked_at, again.revocation_reason) == (NOW, "Mistake")
    (event,) = school.rows(tables.AuditEvent)
    assert (event.action, event.actor, event.at) == ("credential.revoked", "cli", NOW)
    assert (event.subject_kind, event.subject_id) == ("credential", credential_id)
    assert event.organisation_id == course.organisation_id


@pytest.mark.parametrize("reason", ["", " \n", "x" * 501])
def test_a_revocation_needs_a_reason_that_can_be_shown(small_school: School, reason: str) -> None:
    course, placed = badge(small_school)
    (credential_id,) = small_school.issuing.issue_for(awards(small_school, course, placed, 1)).values()
    with pytest.raises(RequestInvalid):
        small_school.issuing.revoke_credential(credential_id, reason, "cli")
    assert credential(small_school, credential_id).revoked_at is None


def test_what_does_not_exist_is_not_revoked(small_school: School) -> None:
    with pytest.raises(NotFound):
        small_school.issuing.revoke_credential("0" * 32, "Mistake", "cli")
    assert small_school.rows(tables.AuditEvent) == []


def test_a_badge_revoked_before_it_was_signed_is_revoked_once_it_is(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = small_school
    course, placed = badge(school)
    (award_id,) = awards(school, course, placed, 1)
    with school.database.write() as session:
        store.allocate(session, course.issuer_id, course.organisation_id, [award_id], NOW)
    (row,) = school.rows(tables.Credential)
    school.issuing.revoke_credential(row.id, "Mistake", "cli")
    assert school.issuing.issue_credential(award_id) == row.id
    assert bits(school, row.status_list_id)[row.status_index]
    published = school.issuing.status_list(row.status_list_id)
    assert published is not None
    assert published.max_age <= 60, "a revocation shows everywhere within a minute"


def test_a_revocation_while_the_list_is_being_signed_is_not_lost(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both fall into one tick of the clock."""
    course, placed = badge(school)
    first, second = school.issuing.issue_for(awards(school, course, placed, 2)).values()
    school.issuing.revoke_credential(first, "Mistake", "cli")
    list_id = credential(school, first).status_list_id
    really = issuing_module.sign_credential
    interruptions = [second]

    def sign_slowly(*arguments: Any) -> Any:
        while interruptions:
            school.issuing.revoke_credential(interruptions.pop(), "Mistake too", "cli")
        return really(*arguments)

    monkeypatch.setattr(issuing_module, "sign_credential", sign_slowly)
    published = bits(school, list_id)
    assert [published[credential(school, id_).status_index] for id_ in (first, second)] == [True, True]


def test_two_machines_that_sign_a_list_agree_on_the_text(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    both_have_signed = threading.Barrier(2, timeout=100)
    really = issuing_module.sign_credential

    def sign_and_wait(*arguments: Any) -> Any:
        school.clock.forward(seconds=1)  # each would write another date
        signed = really(*arguments)
        both_have_signed.wait()
        return signed

    monkeypatch.setattr(issuing_module, "sign_credential", sign_and_wait)
    with ThreadPoolExecutor(2) as pool:
        sign: Callable[[str], str | None] = school.issuing.sign_status_list
        one, other = [future.result() for future in [pool.submit(sign, list_id) for _ in range(2)]]
    assert one is not None
    assert one == other
    assert [row.document for row in school.rows(tables.StatusList)] == [one]


def test_lists_that_wait_for_their_signature_are_found(school: School) -> None:
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    assert school.issuing.unsigned_status_lists() == (list_id,)
    school.issuing.sign_status_list(list_id)
    assert school.issuing.unsigned_status_lists() == ()
    school.issuing.revoke_credential(credential_id, "Mistake", "cli")
    assert school.issuing.unsigned_status_lists() == (list_id,)


def test_a_status_list_is_signed_again_before_it_grows_old(small_school: School) -> None:
    school = small_school
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    signed = school.issuing.sign_status_list(list_id)
    assert signed is not None
    ends_at = datetime.fromisoformat(json.loads(signed)["validUntil"])
    assert timedelta(days=1) < ends_at - school.clock() <= timedelta(days=7)

    school.clock.forward(hours=23)
    assert school.issuing.sign_status_list(list_id) == signed
    school.clock.forward(hours=2)

    assert school.issuing.unsigned_status_lists() == (list_id,)
    renewed = school.issuing.sign_status_list(list_id)
    assert renewed is not None
    assert datetime.fromisoformat(json.loads(renewed)["validUntil"]) > ends_at


# -- publishing


def test_only_what_verifiers_need_is_published(small_school: School) -> None:
    school = small_school
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    for path in (f"/issuers/{course.issuer_id}/did.json", f"status/{list_id}", f"/status/{list_id}/"):
        published = school.issuing.published(path)
        assert published is not None
        assert json.loads(published.body)["id"]
        assert published.etag == school.issuing.published(path).etag  # type: ignore[union-attr]
    for path in (
        f"/credentials/{credential_id}",
        f"/achievements/{placed.achievement_version_id}",
        f"/issuers/{course.issuer_id}",
        f"/issuers/{course.issuer_id}/did.json/more",
        f"/issuers/../issuers/{course.issuer_id}/did.json",
        "/issuers//did.json",
        f"/status/{list_id}?x=1",
        f"/status/{credential_id}",
        "/status/",
        "/",
        "",
        "/status/'; DROP TABLE credentials; --",
    ):
        assert school.issuing.published(path) is None, path


def test_retired_keys_stay_in_the_did_document(small_school: School) -> None:
    school = small_school
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    before = document(school, credential_id)["proof"][0]["verificationMethod"]
    Keyring(school.keys_dir).rotate(issuer_purpose(course.issuer_id), school.clock())
    (second,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    after = document(school, second)["proof"][0]["verificationMethod"]
    published = school.issuing.did_document(course.issuer_id)
    assert published is not None
    assert after != before
    assert json.loads(published.body)["assertionMethod"] == [after, before]


def test_an_issuer_that_nobody_knows_has_no_documents(small_school: School) -> None:
    assert small_school.issuing.did_document("0" * 32) is None
    assert small_school.issuing.status_list("0" * 32) is None
    assert not small_school.keys_dir.exists()


def test_issuing_many_costs_as_many_readings_as_issuing_few(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A place that is drawn twice costs one reading more, which chance does once in some forty runs: not here.
    places = itertools.count()
    monkeypatch.setattr(store.secrets, "randbelow", lambda _size: next(places))
    school = small_school
    counted = []
    for count in (2, 60):
        award_ids = awards(school, *badge(school), count)
        with school.database.statements() as seen:
            school.issuing.issue_for(award_ids)
        counted.append(sum(statement.startswith("SELECT") for statement in seen))
    assert counted[0] == counted[1]


def test_the_database_refuses_a_second_credential_for_an_award(school: School) -> None:
    course, placed = badge(school)
    school.issuing.issue_for(awards(school, course, placed, 1))
    (row,) = school.rows(tables.Credential)
    for values in (
        {"award_id": row.award_id, "status_index": (row.status_index + 1) % 131_072},
        {"award_id": awards(school, course, placed, 1)[0], "status_index": row.status_index},
    ):
        with pytest.raises(sa.exc.IntegrityError), school.database.write() as session:
            session.add(
                tables.Credential(
                    organisation_id=row.organisation_id,
                    issuer_id=row.issuer_id,
                    status_list_id=row.status_list_id,
                    **values,
                )
            )
