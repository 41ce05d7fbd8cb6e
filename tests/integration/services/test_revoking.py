"""Revoking, suspending, and the status lists that say so."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from lti_tool.errors import ConfigurationInvalid, Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services import status_lists as services
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW
from tests.integration.services.badges import awards, badge, bits, credential
from tests.integration.services.school import School


def test_a_revocation_sets_its_bit_and_keeps_every_other(school: School) -> None:
    course, placed = badge(school)
    issued = list(school.issuing.issue_for(awards(school, course, placed, 4)).values())
    rows = {row.id: row for row in school.rows(tables.Credential)}
    list_id = rows[issued[0]].status_list_id
    assert not any(bits(school, list_id)[rows[id_].status_index] for id_ in issued)
    signed_before = school.status_lists.sign(list_id)
    for revoked in (issued[1], issued[3]):
        school.clock.forward(minutes=1)
        view = school.revoking.revoke(revoked, "  Awarded by mistake. ", "cli")
        assert (view.revoked_at, view.revocation_reason) == (school.clock.now, "Awarded by mistake.")
    published = bits(school, list_id)
    assert [published[rows[id_].status_index] for id_ in issued] == [False, True, False, True]
    assert sum(published[index] for index in range(len(published))) == 2
    assert school.status_lists.sign(list_id) != signed_before
    assert {row.id: row.document for row in school.rows(tables.Credential)} == {
        id_: row.document for id_, row in rows.items()
    }
    assert ("sign_status_list", {"status_list_id": list_id}) in school.hints.offered


def test_a_revocation_is_written_into_the_audit_trail_once(school: School) -> None:
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    school.revoking.revoke(credential_id, "Mistake", "cli")
    school.clock.forward(days=1)
    again = school.revoking.revoke(credential_id, "Another reason", "cli")
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
        small_school.revoking.revoke(credential_id, reason, "cli")
    assert credential(small_school, credential_id).revoked_at is None


def test_what_does_not_exist_is_not_revoked(small_school: School) -> None:
    with pytest.raises(NotFound):
        small_school.revoking.revoke("0" * 32, "Mistake", "cli")
    assert small_school.rows(tables.AuditEvent) == []


def test_a_badge_revoked_before_it_was_signed_is_revoked_once_it_is(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    school = small_school
    course, placed = badge(school)
    (award_id,) = awards(school, course, placed, 1)
    factories.credential(school.database, course, award_id)
    (row,) = school.rows(tables.Credential)
    school.revoking.revoke(row.id, "Mistake", "cli")
    assert school.issuing.issue_credential(award_id) == row.id
    assert bits(school, row.status_list_id)[row.status_index]
    published = school.status_lists.published(row.status_list_id)
    assert published is not None
    assert published.max_age <= 60, "a revocation shows everywhere within a minute"


def test_a_revocation_while_the_list_is_being_signed_is_not_lost(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where both fall into one tick of the clock."""
    course, placed = badge(school)
    first, second = school.issuing.issue_for(awards(school, course, placed, 2)).values()
    school.revoking.revoke(first, "Mistake", "cli")
    list_id = credential(school, first).status_list_id
    really = services.sign_credential
    interruptions = [second]

    def sign_slowly(*arguments: Any) -> Any:
        while interruptions:
            school.revoking.revoke(interruptions.pop(), "Mistake too", "cli")
        return really(*arguments)

    monkeypatch.setattr(services, "sign_credential", sign_slowly)
    published = bits(school, list_id)
    assert [published[credential(school, id_).status_index] for id_ in (first, second)] == [True, True]


def test_two_machines_that_sign_a_list_agree_on_the_text(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    both_have_signed = threading.Barrier(2, timeout=100)
    really = services.sign_credential

    def sign_and_wait(*arguments: Any) -> Any:
        school.clock.forward(seconds=1)  # each would write another date
        signed = really(*arguments)
        both_have_signed.wait()
        return signed

    monkeypatch.setattr(services, "sign_credential", sign_and_wait)
    with ThreadPoolExecutor(2) as pool:
        machines = [school.status_lists for _ in range(2)]
        futures = [pool.submit(machine.sign, list_id) for machine in machines]
        one, other = [future.result() for future in futures]
    assert one is not None
    assert one == other
    assert [row.document for row in school.rows(tables.StatusList)] == [one]


def test_lists_that_wait_for_their_signature_are_found(school: School) -> None:
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    assert school.status_lists.unsigned() == (list_id,)
    school.status_lists.sign(list_id)
    assert school.status_lists.unsigned() == ()
    school.revoking.revoke(credential_id, "Mistake", "cli")
    assert school.status_lists.unsigned() == (list_id,)


def test_a_status_list_is_signed_again_before_it_grows_old(small_school: School) -> None:
    school = small_school
    course, placed = badge(school)
    (credential_id,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    list_id = credential(school, credential_id).status_list_id
    signed = school.status_lists.sign(list_id)
    assert signed is not None
    ends_at = datetime.fromisoformat(json.loads(signed)["validUntil"])
    assert timedelta(days=1) < ends_at - school.clock() <= timedelta(days=7)

    school.clock.forward(hours=23)
    assert school.status_lists.sign(list_id) == signed
    school.clock.forward(hours=2)

    assert school.status_lists.unsigned() == (list_id,)
    renewed = school.status_lists.sign(list_id)
    assert renewed is not None
    assert datetime.fromisoformat(json.loads(renewed)["validUntil"]) > ends_at


# -- many at once


def test_a_batch_of_revocations_is_one_signature(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    course, placed = badge(school)
    issued = list(school.issuing.issue_for(awards(school, course, placed, 12)).values())
    list_id = credential(school, issued[0]).status_list_id
    school.status_lists.sign(list_id)
    signed: list[object] = []
    really = services.sign_credential

    def sign_and_count(*arguments: Any) -> Any:
        signed.append(arguments)
        return really(*arguments)

    monkeypatch.setattr(services, "sign_credential", sign_and_count)
    school.hints.offered.clear()
    revoked = school.revoking.revoke_many(
        course.organisation_id, issued[:10], "A whole course by mistake", "cli"
    )
    assert sorted(revoked) == sorted(issued[:10])
    assert school.hints.offered == [("sign_status_list", {"status_list_id": list_id})]
    for _reader in range(5):
        published = bits(school, list_id)
    assert len(signed) == 1
    assert [published[credential(school, id_).status_index] for id_ in issued] == [True] * 10 + [False] * 2
    events = school.rows(tables.AuditEvent, tables.AuditEvent.action == "credential.revoked")
    assert sorted(event.subject_id for event in events) == sorted(issued[:10])


def test_many_are_revoked_all_or_none(school: School) -> None:
    course, placed = badge(school)
    (own,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    (strangers,) = school.issuing.issue_for(awards(school, *badge(school), 1)).values()
    with pytest.raises(NotFound):
        school.revoking.revoke_many(course.organisation_id, [own, strangers], "Mistake", "cli")
    assert credential(school, own).revoked_at is None
    assert credential(school, strangers).revoked_at is None


# -- suspending


def suspendable(school: School) -> str:
    """A signed badge whose institution may pause it."""
    course, placed = badge(school)
    school.change(
        tables.AchievementVersion,
        tables.AchievementVersion.id == placed.achievement_version_id,
        status_purpose="suspension",
    )
    (id_,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    return id_


def test_a_badge_is_paused_and_goes_on(school: School) -> None:
    id_ = suspendable(school)
    row = credential(school, id_)
    signed = json.loads(row.document or "")["credentialStatus"]
    assert signed["statusPurpose"] == "suspension"

    school.revoking.suspend(id_, " Identity is being checked. ", "staff:1")
    assert bits(school, row.status_list_id)[row.status_index]
    assert credential(school, id_).suspension_reason == "Identity is being checked."
    with pytest.raises(Conflict):
        school.revoking.suspend(id_, "Once more", "staff:1")

    school.revoking.resume(id_, "staff:1")
    assert not bits(school, row.status_list_id)[row.status_index]
    with pytest.raises(Conflict):
        school.revoking.resume(id_, "staff:1")
    events = school.rows(tables.AuditEvent, tables.AuditEvent.subject_id == id_)
    assert sorted(event.action for event in events) == ["credential.resumed", "credential.suspended"]


def test_a_paused_badge_can_be_revoked_for_good(school: School) -> None:
    id_ = suspendable(school)
    row = credential(school, id_)
    school.revoking.suspend(id_, "Being looked into", "cli")
    school.revoking.revoke(id_, "It was not hers", "cli")
    assert bits(school, row.status_list_id)[row.status_index]
    with pytest.raises(Conflict):
        school.revoking.resume(id_, "cli")
    assert bits(school, row.status_list_id)[row.status_index]


def test_a_badge_whose_list_says_what_is_revoked_is_never_suspended(school: School) -> None:
    (id_,) = school.issuing.issue_for(awards(school, *badge(school), 1)).values()
    with pytest.raises(Conflict) as refused:
        school.revoking.suspend(id_, "Being looked into", "cli")
    assert refused.value.code is ErrorCode.NOT_SUSPENDABLE
    assert credential(school, id_).suspended_at is None


def test_the_two_purposes_never_share_a_list(school: School) -> None:
    course, placed = badge(school)
    (first,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    school.change(
        tables.AchievementVersion,
        tables.AchievementVersion.id == placed.achievement_version_id,
        status_purpose="suspension",
    )
    (second,) = school.issuing.issue_for(awards(school, course, placed, 1)).values()
    purposes = {row.id: row.purpose for row in school.rows(tables.StatusList)}
    assert purposes[credential(school, first).status_list_id] == "revocation"
    assert purposes[credential(school, second).status_list_id] == "suspension"


# -- served stale


def test_a_list_that_cannot_be_signed_is_served_as_it_was(school: School) -> None:
    (id_,) = school.issuing.issue_for(awards(school, *badge(school), 1)).values()
    list_id = credential(school, id_).status_list_id
    fresh = school.status_lists.published(list_id)
    assert fresh is not None
    school.revoking.revoke(id_, "Mistake", "cli")
    hidden = school.keys_dir.rename(school.keys_dir.with_name("elsewhere"))
    school.keys_dir.write_text("no folder")  # a key can neither be read nor made

    with capture_logs() as logs:
        stale = school.status_lists.published(list_id)
    assert stale is not None
    assert stale.body == fresh.body
    assert stale.max_age < fresh.max_age
    assert [entry["event"] for entry in logs] == ["status_list_served_stale"]
    assert school.status_lists.unsigned() == (list_id,)

    school.clock.forward(days=8)  # by now it says itself that it is over
    with pytest.raises((ConfigurationInvalid, OSError)):
        school.status_lists.published(list_id)

    school.keys_dir.unlink()
    hidden.rename(school.keys_dir)
    assert bits(school, list_id)[credential(school, id_).status_index]


def test_a_list_that_was_never_signed_is_not_made_up(school: School) -> None:
    (id_,) = school.issuing.issue_for(awards(school, *badge(school), 1)).values()
    list_id = credential(school, id_).status_list_id
    school.keys_dir.rename(school.keys_dir.with_name("elsewhere"))
    school.keys_dir.write_text("no folder")
    with pytest.raises((ConfigurationInvalid, OSError)):
        school.status_lists.published(list_id)


def test_who_asks_in_the_moment_after_a_change_waits_for_one_signature(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    (id_,) = school.issuing.issue_for(awards(school, *badge(school), 1)).values()
    list_id = credential(school, id_).status_list_id
    lists = school.status_lists
    signed: list[object] = []
    really = services.sign_credential

    def sign_and_count(*arguments: Any) -> Any:
        signed.append(arguments)
        return really(*arguments)

    monkeypatch.setattr(services, "sign_credential", sign_and_count)
    with ThreadPoolExecutor(4) as pool:
        answers = [future.result() for future in [pool.submit(lists.published, list_id) for _ in range(8)]]
    assert len(signed) == 1
    assert len({answer.body for answer in answers if answer is not None}) == 1
