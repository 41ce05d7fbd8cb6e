"""Issuing, revoking and publishing on real databases."""

from __future__ import annotations

import hashlib
import itertools
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.credentials import signing
from lti_tool.errors import ConfigurationInvalid, CredentialInvalid
from lti_tool.keyring import Keyring, issuer_purpose
from lti_tool.services import issuing as issuing_module
from lti_tool.store import credentials as store
from lti_tool.store import issuers, organisations, privacy, status_lists, tables
from tests import factories
from tests.factories import NOW, Placed
from tests.integration.services.badges import awards, badge, credential, document
from tests.integration.services.school import BASE_URL, School

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


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[str, list[int]], object]) -> None:
    """Let something happen once, after places were proposed and before anything is kept."""
    propose = status_lists.propose
    once = [happens]

    def interrupted(*arguments: Any) -> Any:
        found = propose(*arguments)
        if found is not None and once:
            once.pop()(*found)
        return found

    monkeypatch.setattr(status_lists, "propose", interrupted)


def test_an_award_erased_while_it_is_signed_holds_up_nobody(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(school)
    first, second = awards(school, course, placed, 2)
    (row,) = school.rows(tables.Award, tables.Award.id == first)

    def erase(_list_id: str, _indices: list[int]) -> None:
        with school.database.write() as session:
            privacy.erase(session, row.learner_id, NOW)

    meanwhile(monkeypatch, erase)
    assert set(school.issuing.issue_for([first, second])) == {second}
    assert [row.award_id for row in school.rows(tables.Credential)] == [second]


@pytest.mark.parametrize("owner", [tables.Credential, tables.Endorsement])
def test_who_loses_a_place_to_somebody_else_gets_another_one_and_another_text(
    school: School, monkeypatch: pytest.MonkeyPatch, owner: type[tables.Base]
) -> None:
    course, placed = badge(school)
    rival, *award_ids = awards(school, course, placed, 4)
    lost: list[int] = []

    def take(list_id: str, indices: list[int]) -> None:
        lost.append(indices[1])
        values: dict[str, Any] = {
            "organisation_id": course.organisation_id,
            "status_list_id": list_id,
            "status_index": indices[1],
        }
        if owner is tables.Credential:
            values |= {"award_id": rival, "issuer_id": course.issuer_id, "document": "{}"}
        else:
            values |= {
                "endorsed_issuer_id": course.issuer_id,
                "endorser_id": course.issuer_id,
                "endorser_name": "Rival",
                "endorser_url": "https://rival.example",
                "comment": "Good",
                "status": "offered",
                "offered_by": "cli",
                "offered_at": NOW,
            }
        with school.database.write() as session:
            session.add(owner(**values))

    meanwhile(monkeypatch, take)
    issued = school.issuing.issue_for(award_ids)
    assert set(issued) == set(award_ids)
    rows = [credential(school, id_) for id_ in issued.values()]
    assert len({row.status_index for row in rows} | set(lost)) == 4
    for row in rows:
        written = document(school, row.id)
        assert written["id"] == f"{BASE_URL}/credentials/{row.id}"
        assert written["credentialStatus"]["statusListIndex"] == str(row.status_index)
        assert written["credentialStatus"]["statusListCredential"].endswith(row.status_list_id)


def test_a_list_that_is_closed_meanwhile_takes_nobody_in(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(school)
    closed: list[str] = []

    def close(list_id: str, _indices: list[int]) -> None:
        closed.append(list_id)
        school.change(tables.StatusList, tables.StatusList.id == list_id, is_open=False)

    meanwhile(monkeypatch, close)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    assert credential(school, credential_id).status_list_id not in closed


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
    small_school.change(
        tables.Achievement, tables.Achievement.id == _achievement(small_school, other), issuer_id=second.id
    )
    small_school.issuing.issue_for(
        [*awards(small_school, course, placed, 1), *awards(small_school, course, other, 1)]
    )
    lists = {row.id: row.issuer_id for row in small_school.rows(tables.StatusList)}
    assert sorted(lists.values()) == sorted([course.issuer_id, second.id])
    for row in small_school.rows(tables.Credential):
        assert lists[row.status_list_id] == row.issuer_id


def _achievement(school: School, placed: Placed) -> str:
    (version,) = school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == placed.achievement_version_id
    )
    return str(version.achievement_id)


def test_a_list_knows_how_many_places_it_gave(school: School) -> None:
    course, placed = badge(school)
    school.issuing.issue_for(awards(school, course, placed, 3))
    (issued, *_) = school.issuing.issue_for(awards(school, course, placed, 4)).values()
    with school.database.write() as session:
        # As for two endorsements in one transaction.
        for _ in range(2):
            status_lists.draw_place(session, course.issuer_id, course.organisation_id, NOW)
            found = status_lists.open_list(
                session, course.issuer_id, course.organisation_id, "revocation", NOW
            )
    school.revoking.revoke(issued, "Mistake", "cli")
    (row,) = school.rows(tables.StatusList)
    assert row.entries == 9
    assert found.free == row.size // 2 - 9


def test_a_list_closes_when_it_is_half_full(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_lists, "LIST_SIZE", 16)
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
    monkeypatch.setattr(status_lists, "LIST_SIZE", 16)
    small_school.issuing.issue_for(awards(small_school, course, placed, 1))
    monkeypatch.setattr(status_lists, "LIST_SIZE", 1_000_000)
    small_school.issuing.issue_for(awards(small_school, course, placed, 7))
    assert max(row.status_index for row in small_school.rows(tables.Credential)) < 16


def test_a_place_that_was_kept_without_a_text_gets_the_text_for_it(school: School) -> None:
    """As releases before this one left it after a crash."""
    course, placed = badge(school)
    award_ids = awards(school, course, placed, 2)
    places = [factories.credential(school.database, course, award_id) for award_id in award_ids]
    school.change(tables.StatusList, is_open=False)
    before = {row.award_id: row for row in school.rows(tables.Credential)}
    (fresh,) = awards(school, course, placed, 1)
    assert set(school.issuing.awards_without_credential()) == {*award_ids, fresh}
    issued = school.issuing.issue_for([*award_ids, fresh])
    assert [issued[award_id] for award_id in award_ids] == places
    for award_id in award_ids:
        row, was = credential(school, issued[award_id]), before[award_id]
        assert (row.status_list_id, row.status_index) == (was.status_list_id, was.status_index)
        assert document(school, row.id)["credentialStatus"]["statusListIndex"] == str(was.status_index)
    assert school.issuing.awards_without_credential() == ()


@pytest.mark.parametrize("step", ["sign_credential", "store_signed"])
def test_a_crash_before_place_and_text_are_kept_leaves_neither(
    small_school: School, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    course, placed = badge(small_school)
    (award_id,) = awards(small_school, course, placed, 1)

    def die(*_arguments: Any) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(issuing_module if step == "sign_credential" else store, step, die)
        with pytest.raises(RuntimeError, match="killed"):
            small_school.issuing.issue_credential(award_id)
    assert small_school.rows(tables.Credential) == []
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


def test_an_issuer_without_a_usable_key_keeps_no_other_issuers_badges_waiting(school: School) -> None:
    course, placed = badge(school)
    issuer_id = school.another_issuer(course.organisation_id)
    school.issuing.issue_for(awards(school, course, placed, 1))
    theirs = awards(school, course, placed, 2)
    school.change(tables.Achievement, tables.Achievement.issuer_id == issuer_id, issuer_id=course.issuer_id)
    other = factories.placed(school.database, course)
    school.change(
        tables.Achievement, tables.Achievement.id == _achievement(school, other), issuer_id=issuer_id
    )
    waiting = awards(school, course, other, 2)
    school.expose_key(issuer_id)
    with pytest.raises(ConfigurationInvalid):
        school.issuing.issue_for([*waiting, *theirs])
    assert set(school.issuing.awards_without_credential()) == set(waiting)
    school.expose_key(issuer_id, is_exposed=False)
    assert set(school.issuing.issue_for(waiting)) == set(waiting), "they are tried again"


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


# -- publishing


def test_whoever_changes_an_issuer_meanwhile_waits_and_stops_nobody(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is kept of a badge refers to its organisation, which somebody has locked who waits for its issuer:
    PostgreSQL would end one of the two as a deadlock."""
    if school.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    course, placed = badge(school)
    award_ids = awards(school, course, placed, 3)
    has_locked = threading.Event()
    really = status_lists.taken

    def change() -> None:
        with school.database.write() as session:
            organisations.lock(session, course.organisation_id)
            has_locked.set()
            issuers.change(session, course.organisation_id, course.issuer_id, {"description": "New"})

    with ThreadPoolExecutor() as pool:
        changes = []

        def begin_to_change(*arguments: Any) -> Any:
            # By now the issuer is locked, and no badge is written.
            monkeypatch.setattr(status_lists, "taken", really)
            changes.append(pool.submit(change))
            assert has_locked.wait(100)
            return really(*arguments)

        def store_signed(*arguments: Any) -> Any:
            monkeypatch.setattr(status_lists, "taken", begin_to_change)
            return really_store(*arguments)

        really_store = store.store_signed
        monkeypatch.setattr(store, "store_signed", store_signed)
        assert set(school.issuing.issue_for(award_ids)) == set(award_ids)
        (changed,) = changes
        changed.result(timeout=100)
    (issuer,) = school.rows(tables.Issuer, tables.Issuer.id == course.issuer_id)
    assert issuer.description == "New"


def test_only_what_verifiers_need_is_published(small_school: School) -> None:
    school = small_school
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    for path in (f"/issuers/{course.issuer_id}/did.json", f"status/{list_id}", f"/status/{list_id}/"):
        published = school.own_documents.published(path)
        assert published is not None
        assert json.loads(published.body)["id"]
        assert published.etag == school.own_documents.published(path).etag  # type: ignore[union-attr]
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
        assert school.own_documents.published(path) is None, path


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
    assert small_school.status_lists.published("0" * 32) is None
    assert not small_school.keys_dir.exists()


def test_issuing_many_costs_as_many_readings_as_issuing_few(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A place that is drawn twice costs one reading more, which chance does once in some forty runs: not here.
    places = itertools.count()
    monkeypatch.setattr(status_lists.secrets, "randbelow", lambda _size: next(places))
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
