"""Sharing: one's own badge only, and nothing is public before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import pytest

from lti_tool.credentials.baking import unbake_png, unbake_svg
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.keyring import Keyring
from lti_tool.services.launching import SessionView
from lti_tool.services.public import PublicRecords
from lti_tool.services.sharing import Sharing
from lti_tool.store import credentials as store
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, Course, Placed
from tests.integration.services.school import BASE_URL, School, session_of


@dataclass(frozen=True)
class Holder:
    """A learner with a badge."""

    school: School
    course: Course
    placed: Placed
    session: SessionView
    credential_id: str

    @property
    def sharing(self) -> Sharing:
        return Sharing(self.school.database, self.school.clock, self.school.urls)

    @property
    def public(self) -> PublicRecords:
        return PublicRecords(
            self.school.database, self.school.issuing, self.school.urls, Keyring(self.school.keys_dir)
        )

    @property
    def row(self) -> tables.Credential:
        (found,) = self.school.rows(tables.Credential, tables.Credential.id == self.credential_id)
        assert isinstance(found, tables.Credential)
        return found


@pytest.fixture
def holder(school: School) -> Holder:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    credential_id = school.issued(course, placed, learner)
    return Holder(school, course, placed, session_of(course, learner), credential_id)


def test_ones_own_picture_holds_the_badge_in_either_kind_though_it_is_private(holder: Holder) -> None:
    document = holder.sharing.own_document(holder.session, holder.credential_id).decode()
    png = holder.sharing.own_picture(holder.session, holder.credential_id)
    svg = holder.sharing.own_picture(holder.session, holder.credential_id, "svg")
    assert unbake_png(png) == unbake_svg(svg) == document
    stranger = replace(holder.session, learner_id="somebody-else")
    kinds: tuple[Literal["png", "svg"], ...] = ("png", "svg")
    for kind in kinds:
        with pytest.raises(NotFound):
            holder.sharing.own_picture(stranger, holder.credential_id, kind)


def test_a_badge_is_private_until_its_learner_shares_it_and_again_afterwards(holder: Holder) -> None:
    assert holder.public.credential(holder.credential_id) is None
    assert holder.public.baked_png(holder.credential_id) is None
    shared = holder.sharing.set_public(holder.session, holder.credential_id, True)
    assert shared.is_public
    assert shared.public_url == f"{BASE_URL}/credentials/{holder.credential_id}"
    found = holder.public.credential(holder.credential_id)
    assert found is not None
    assert found.document == str(holder.row.document).encode()
    assert holder.row.shared_at == NOW
    unshared = holder.sharing.set_public(holder.session, holder.credential_id, False)
    assert (unshared.is_public, unshared.public_url) == (False, None)
    assert holder.public.credential(holder.credential_id) is None
    assert holder.row.shared_at is None


def test_each_change_is_written_down_once(holder: Holder) -> None:
    for is_public in (True, True, False, False, True):
        holder.sharing.set_public(holder.session, holder.credential_id, is_public)
    events = holder.school.rows(tables.AuditEvent)
    assert sorted(event.action for event in events) == [
        "credential.shared",
        "credential.shared",
        "credential.unshared",
    ]
    assert {event.actor for event in events} == {f"learner:{holder.session.learner_id}"}


def refused(holder: Holder, session: SessionView, credential_id: str) -> None:
    with pytest.raises(NotFound) as error:
        holder.sharing.set_public(session, credential_id, True)
    assert error.value.code is ErrorCode.CREDENTIAL_NOT_FOUND
    assert not holder.row.is_public
    assert holder.school.rows(tables.AuditEvent) == []


def test_nobody_shares_a_classmates_badge(holder: Holder) -> None:
    (classmate,) = factories.enrol(holder.school.database, holder.course)
    refused(holder, session_of(holder.course, classmate), holder.credential_id)


def test_a_teacher_does_not_share_a_learners_badge(holder: Holder) -> None:
    (person,) = factories.enrol(holder.school.database, holder.course)
    teacher = session_of(holder.course, person, can_configure=True, can_view_progress=True)
    refused(holder, teacher, holder.credential_id)


def test_another_organisation_does_not_find_it(holder: Holder) -> None:
    elsewhere = holder.school.course()
    # Even with the learner's own id: the session's organisation decides.
    refused(holder, session_of(elsewhere, holder.session.learner_id), holder.credential_id)


def test_with_another_organisations_id_nothing_is_written(holder: Holder) -> None:
    """Whatever a caller forgot to ask: the statement itself names the owner."""
    other = factories.course(holder.school.database).organisation_id
    with holder.school.database.write() as session:
        store.set_public(session, other, holder.credential_id, True, NOW)
        assert not store.revoke(session, other, [holder.credential_id], "no reason", NOW)
    assert not holder.row.is_public
    assert holder.row.revoked_at is None


@pytest.mark.parametrize("credential_id", ["", "0" * 32, "' OR 1=1 --"])
def test_what_does_not_exist_is_not_shared(holder: Holder, credential_id: str) -> None:
    refused(holder, holder.session, credential_id)


def test_an_award_is_no_credential(holder: Holder) -> None:
    refused(holder, holder.session, holder.row.award_id)


def test_who_acts_as_somebody_else_changes_nothing(holder: Holder) -> None:
    session = session_of(holder.course, holder.session.learner_id, is_read_only=True)
    with pytest.raises(NotAllowed):
        holder.sharing.set_public(session, holder.credential_id, True)
    assert not holder.row.is_public


def test_a_badge_that_is_not_signed_yet_cannot_be_shared(holder: Holder) -> None:
    (learner,) = factories.enrol(holder.school.database, holder.course)
    award_id = factories.award(holder.school.database, holder.course, holder.placed, learner)
    factories.credential(holder.school.database, holder.course, award_id)
    (waiting,) = holder.school.rows(tables.Credential, tables.Credential.award_id == award_id)
    with pytest.raises(Conflict):
        holder.sharing.set_public(session_of(holder.course, learner), waiting.id, True)


def test_a_revoked_badge_can_be_hidden_but_not_shared(holder: Holder) -> None:
    holder.sharing.set_public(holder.session, holder.credential_id, True)
    holder.school.revoking.revoke(holder.credential_id, "Mistake", "cli")
    shown = holder.public.credential(holder.credential_id)
    assert shown is not None
    assert (shown.is_revoked, shown.revocation_reason) == (True, "Mistake")
    assert not holder.sharing.set_public(holder.session, holder.credential_id, False).is_public
    with pytest.raises(Conflict):
        holder.sharing.set_public(holder.session, holder.credential_id, True)
    assert not holder.row.is_public
