"""Signing in to the staff pages, on both databases: once, in time, into one's own organisation only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.staff import Permission, StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid, ToolError
from lti_tool.services.registration import Registrations
from lti_tool.services.staffing import (
    HAND_OVER_LIFETIME,
    LINK_LIFETIME,
    SESSION_LIFETIME,
    Operator,
    SignedIn,
    Staffing,
    StaffView,
)
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import NOW

BASE_URL = "https://badges.example"
A_MOMENT = timedelta(microseconds=1)


class House:
    """Two organisations that have nothing to do with each other."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.staffing = Staffing(database, self.clock, b"secret", BASE_URL)
        with database.write() as session:
            ours, _ = factories.organisation(session)
            theirs, _ = factories.organisation(session)
        self.ours, self.theirs = Operator(ours), Operator(theirs)

    def clock(self) -> datetime:
        return self.now

    def token(self, by: Any = None, role: StaffRole = StaffRole.OWNER, **who: str) -> str:
        """Of a new sign-in link."""
        return self.staffing.invite(by or self.ours, role, **who).url.rpartition("#")[2]

    def signed_in(self, role: StaffRole = StaffRole.OWNER, by: Any = None) -> SignedIn:
        return self.staffing.sign_in(self.token(by, role))

    def member_id(self, staff: StaffView) -> str:
        return staff.actor.removeprefix("staff:")

    def events(self, organisation_id: str) -> list[tuple[str, str, str]]:
        with self.database.read() as session:
            rows = session.execute(
                sa.select(
                    tables.AuditEvent.action, tables.AuditEvent.actor, tables.AuditEvent.subject_id
                ).where(tables.AuditEvent.organisation_id == organisation_id)
            )
            return [(action, actor, subject) for action, actor, subject in rows]

    def actions(self) -> list[str]:
        return sorted(action for action, _, _ in self.events(self.ours.organisation_id))

    def stored_text(self) -> str:
        """Everything that the three tables hold."""
        with self.database.read() as session:
            return repr(
                [
                    tuple(row)
                    for table in (
                        tables.StaffMember,
                        tables.StaffLink,
                        tables.StaffSession,
                        tables.AuditEvent,
                    )
                    for row in session.execute(sa.select(table.__table__))
                ]
            )


@pytest.fixture
def house(database: Database) -> House:
    return House(database)


@pytest.fixture
def small_house(sqlite_database: Database) -> House:
    """Where the kind of database does not matter."""
    return House(sqlite_database)


def refused(code: ErrorCode, call: Callable[[], object], kind: type[ToolError] = NotAllowed) -> ToolError:
    with pytest.raises(kind) as caught:
        call()
    assert caught.value.code is code
    return caught.value


# -- links


def test_a_link_signs_its_member_in(house: House) -> None:
    made = house.staffing.invite(house.ours, StaffRole.EDITOR, name="Ada Lovelace", email="ada@example.org")
    assert made.url.startswith(f"{BASE_URL}/staff/sign-in#")
    assert made.expires_at == NOW + timedelta(minutes=15)
    begun = house.staffing.sign_in(made.url.rpartition("#")[2])
    assert begun.staff == house.staffing.open_session(begun.token)
    staff = begun.staff
    assert (staff.organisation_id, staff.role, staff.name) == (
        house.ours.organisation_id,
        StaffRole.EDITOR,
        "Ada Lovelace",
    )
    assert staff.actor == f"staff:{made.member.id}"
    assert staff.registration_id is None
    assert staff.expires_at == NOW + timedelta(hours=12)
    (member,) = house.staffing.members(staff)
    assert member.last_signed_in_at == NOW


def test_the_token_stands_in_the_part_of_the_link_that_no_browser_sends(small_house: House) -> None:
    address, _, token = small_house.staffing.invite(small_house.ours, StaffRole.OWNER).url.partition("#")
    assert address == f"{BASE_URL}/staff/sign-in"
    assert len(token) >= 43, "256 bits"


def test_a_link_works_once(house: House) -> None:
    token = house.token()
    house.staffing.sign_in(token)
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: house.staffing.sign_in(token))


def test_of_many_who_use_a_link_at_once_one_gets_in(house: House) -> None:
    token = house.token()
    start = threading.Barrier(6)
    begun: list[SignedIn] = []
    turned_away: list[ErrorCode] = []

    def sign_in() -> None:
        start.wait()
        try:
            begun.append(house.staffing.sign_in(token))
        except NotAllowed as error:
            turned_away.append(error.code)

    threads = [threading.Thread(target=sign_in) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(begun) == 1
    assert turned_away == [ErrorCode.STAFF_LINK_INVALID] * 5
    with house.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(tables.StaffSession)) == 1


def test_a_link_works_until_its_time_is_over(small_house: House) -> None:
    late, in_time = small_house.token(), small_house.token()
    small_house.now = NOW + LINK_LIFETIME - A_MOMENT
    small_house.staffing.sign_in(in_time)
    small_house.now = NOW + LINK_LIFETIME
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: small_house.staffing.sign_in(late))


def test_a_newer_link_makes_the_one_before_it_worthless(small_house: House) -> None:
    first = small_house.token(email="ada@example.org")
    second = small_house.token(email="ada@example.org")
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: small_house.staffing.sign_in(first))
    assert small_house.staffing.sign_in(second).staff.role is StaffRole.OWNER


@pytest.mark.parametrize("token", ["", "nonsense", "x" * 43, "ü" * 90, "x" * 100_000, "\x00"])
def test_what_is_no_token_signs_nobody_in(small_house: House, token: str) -> None:
    small_house.token()
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: small_house.staffing.sign_in(token))
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: small_house.staffing.open_session(token))
    small_house.staffing.sign_out(token)


def test_tokens_of_links_and_sessions_are_not_interchangeable(small_house: House) -> None:
    token = small_house.token()
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: small_house.staffing.open_session(token))
    begun = small_house.staffing.sign_in(token)
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: small_house.staffing.sign_in(begun.token))


def test_who_reads_the_database_can_sign_in_as_nobody(small_house: House) -> None:
    used = small_house.token()
    begun = small_house.staffing.sign_in(used)
    waiting = small_house.token()
    stored = small_house.stored_text()
    for token in (used, waiting, begun.token):
        assert token not in stored
    with small_house.database.read() as session:
        hashes = [
            *session.scalars(sa.select(tables.StaffLink.token_hash)),
            *session.scalars(sa.select(tables.StaffSession.token_hash)),
        ]
    for stolen in hashes:
        refused(ErrorCode.STAFF_LINK_INVALID, partial(small_house.staffing.sign_in, stolen))
        refused(ErrorCode.STAFF_SIGN_IN_NEEDED, partial(small_house.staffing.open_session, stolen))


def test_another_secret_key_opens_nothing(small_house: House) -> None:
    begun, waiting = small_house.signed_in(), small_house.token()
    other = replace(small_house.staffing, secret=b"another")
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: other.open_session(begun.token))
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: other.sign_in(waiting))


def test_a_forms_token_is_the_sessions_own(small_house: House) -> None:
    one, other = small_house.signed_in(), small_house.signed_in()
    csrf_token = small_house.staffing.csrf_token
    assert csrf_token(one.token) != csrf_token(other.token)
    assert csrf_token(one.token) != one.token


# -- sessions


def test_a_session_ends_after_twelve_hours_however_much_it_is_used(small_house: House) -> None:
    begun = small_house.signed_in()
    for hours in (1, 6, 11):
        small_house.now = NOW + timedelta(hours=hours)
        assert small_house.staffing.open_session(begun.token).expires_at == NOW + SESSION_LIFETIME
    small_house.now = NOW + SESSION_LIFETIME
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: small_house.staffing.open_session(begun.token))


def test_signing_out_ends_this_session_and_no_other(small_house: House) -> None:
    one, other = small_house.signed_in(), small_house.signed_in()
    small_house.staffing.sign_out(one.token)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: small_house.staffing.open_session(one.token))
    assert small_house.staffing.open_session(other.token) == other.staff


def test_signing_in_again_ends_the_session_that_was_there(house: House) -> None:
    """Its cookie is overwritten: nobody could sign out of it, and it would open the pages for hours."""
    former, elsewhere = house.signed_in(), house.signed_in()
    begun = house.staffing.sign_in(house.token(), instead_of=former.token)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: house.staffing.open_session(former.token))
    assert house.staffing.open_session(begun.token) == begun.staff
    assert house.staffing.open_session(elsewhere.token) == elsewhere.staff


@pytest.mark.parametrize("former", ["", "unknown", "é", "x" * 5000])
def test_whatever_was_in_the_cookie_a_link_signs_in(former: str, small_house: House) -> None:
    begun = small_house.staffing.sign_in(small_house.token(), instead_of=former)
    assert small_house.staffing.open_session(begun.token) == begun.staff


def test_a_link_that_does_not_work_ends_no_session(small_house: House) -> None:
    running = small_house.signed_in()
    for token in ("worthless", "a.worthless.hand-over", ""):
        refused(
            ErrorCode.STAFF_LINK_INVALID,
            partial(small_house.staffing.sign_in, token, instead_of=running.token),
        )
    assert small_house.staffing.open_session(running.token) == running.staff


def test_another_role_holds_from_the_next_request_on(house: House) -> None:
    owner, other = house.signed_in(), house.signed_in()
    assert other.staff.can(Permission.MANAGE_MEMBERS)
    house.staffing.change_role(owner.staff, house.member_id(other.staff), StaffRole.READER)
    now = house.staffing.open_session(other.token)
    assert now.role is StaffRole.READER
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: now.require(Permission.MANAGE_MEMBERS))


def test_who_is_disabled_is_out_at_once_and_stays_out(house: House) -> None:
    owner, other = house.signed_in(), house.signed_in()
    member_id = house.member_id(other.staff)
    waiting = house.staffing.link(owner.staff, member_id).url.rpartition("#")[2]
    house.staffing.disable(owner.staff, member_id)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: house.staffing.open_session(other.token))
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: house.staffing.sign_in(waiting))
    refused(ErrorCode.CONFLICT, lambda: house.staffing.link(owner.staff, member_id), Conflict)
    house.staffing.enable(owner.staff, member_id)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: house.staffing.open_session(other.token))
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: house.staffing.sign_in(waiting))
    again = house.staffing.link(owner.staff, member_id).url.rpartition("#")[2]
    assert house.staffing.sign_in(again).staff.actor == other.staff.actor


def test_a_link_of_somebody_disabled_behind_our_backs_does_not_work(small_house: House) -> None:
    token = small_house.token()
    with small_house.database.write() as session:
        session.execute(sa.update(tables.StaffMember).values(is_active=False))
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: small_house.staffing.sign_in(token))
    assert "staff_sign_in_refused" in small_house.actions()


# -- members


def test_whoever_is_invited_again_stays_one_member(house: House) -> None:
    first = house.staffing.invite(house.ours, StaffRole.READER, name="Ada", email="ada@example.org").member
    house.staffing.disable(house.ours, first.id)
    again = house.staffing.invite(house.ours, StaffRole.EDITOR, email=" ADA@example.org ").member
    assert again.id == first.id
    assert (again.name, again.role, again.is_active) == ("Ada", StaffRole.EDITOR, True)
    assert len(house.staffing.members(house.ours)) == 1


def test_the_same_address_in_two_organisations_is_two_members(small_house: House) -> None:
    ours = small_house.staffing.invite(small_house.ours, StaffRole.OWNER, email="ada@example.org").member
    theirs = small_house.staffing.invite(small_house.theirs, StaffRole.READER, email="ada@example.org").member
    assert ours.id != theirs.id
    assert small_house.staffing.members(small_house.ours) == (ours,)


@pytest.mark.parametrize(
    "who, called",
    [
        ({"name": "  Ada   Lovelace "}, "Ada Lovelace"),
        ({"name": " ", "email": "ada@example.org"}, "ada@example.org"),
        ({}, "Owner"),
    ],
)
def test_everybody_is_called_something(small_house: House, who: dict[str, str], called: str) -> None:
    assert small_house.staffing.invite(small_house.ours, StaffRole.OWNER, **who).member.name == called


@pytest.mark.parametrize(
    "who",
    [
        {"name": "x" * 201},
        {"name": "a\u202eb"},
        {"email": "nonsense"},
        {"email": "@example.org"},
        {"email": "ada@"},
        {"email": "ada lovelace@example.org"},
        {"email": "a\x00@example.org"},
        {"email": "a" * 310 + "@example.org"},
    ],
)
def test_what_is_no_name_or_address_invites_nobody(small_house: House, who: dict[str, str]) -> None:
    error = refused(
        ErrorCode.FORM_INVALID,
        lambda: small_house.staffing.invite(small_house.ours, StaffRole.OWNER, **who),
        RequestInvalid,
    )
    assert len(error.params["problems"]) == 1  # type: ignore[arg-type]
    assert small_house.staffing.members(small_house.ours) == ()


@pytest.mark.parametrize("attempt", ["disable", "change_role", "invite"])
def test_the_last_owner_stays(house: House, attempt: str) -> None:
    made = house.staffing.invite(house.ours, StaffRole.OWNER, email="ada@example.org").member
    house.staffing.invite(house.ours, StaffRole.EDITOR)
    former = house.staffing.invite(house.ours, StaffRole.OWNER).member
    house.staffing.disable(house.ours, former.id)
    attempts: dict[str, Callable[[], object]] = {
        "disable": lambda: house.staffing.disable(house.ours, made.id),
        "change_role": lambda: house.staffing.change_role(house.ours, made.id, StaffRole.EDITOR),
        "invite": lambda: house.staffing.invite(house.ours, StaffRole.READER, email="ada@example.org"),
    }
    refused(ErrorCode.STAFF_LAST_OWNER, attempts[attempt], Conflict)
    assert made in house.staffing.members(house.ours)


def test_two_owners_who_remove_each_other_at_once_leave_one(house: House) -> None:
    owners = [house.signed_in().staff, house.signed_in().staff]
    start = threading.Barrier(2)
    kept: list[ErrorCode] = []

    def disable(by: StaffView, other: StaffView) -> None:
        start.wait()
        try:
            house.staffing.disable(by, house.member_id(other))
        except Conflict as error:
            kept.append(error.code)

    threads = [threading.Thread(target=disable, args=pair) for pair in (owners, list(reversed(owners)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert kept == [ErrorCode.STAFF_LAST_OWNER]
    assert [member.is_active for member in house.staffing.members(house.ours)] == [True, False]


# -- one organisation is not another


def test_a_member_sees_and_changes_nobody_of_another_organisation(house: House) -> None:
    owner = house.signed_in().staff
    victim = house.staffing.invite(house.theirs, StaffRole.OWNER, email="grace@example.org")
    house.staffing.invite(house.theirs, StaffRole.OWNER)
    attacks: tuple[Callable[[], object], ...] = (
        lambda: house.staffing.link(owner, victim.member.id),
        lambda: house.staffing.disable(owner, victim.member.id),
        lambda: house.staffing.enable(owner, victim.member.id),
        lambda: house.staffing.change_role(owner, victim.member.id, StaffRole.READER),
    )
    before = house.staffing.members(house.theirs)
    for attack in attacks:
        refused(ErrorCode.STAFF_MEMBER_NOT_FOUND, attack, NotFound)
    house.staffing.invite(owner, StaffRole.READER, email="grace@example.org")
    assert house.staffing.members(house.theirs) == before
    assert victim.member.id not in {member.id for member in house.staffing.members(owner)}
    assert house.staffing.sign_in(victim.url.rpartition("#")[2]).staff.organisation_id == (
        house.theirs.organisation_id
    )


def test_what_one_organisation_does_is_not_in_the_others_log(small_house: House) -> None:
    small_house.signed_in()
    assert small_house.events(small_house.theirs.organisation_id) == []


@pytest.mark.parametrize("role", [role for role in StaffRole if role is not StaffRole.OWNER])
def test_only_an_owner_touches_members(small_house: House, role: StaffRole) -> None:
    small_house.signed_in()
    staff = small_house.signed_in(role).staff
    own_id = small_house.member_id(staff)
    attacks: tuple[Callable[[], object], ...] = (
        lambda: small_house.staffing.invite(staff, StaffRole.OWNER),
        lambda: small_house.staffing.change_role(staff, own_id, StaffRole.OWNER),
        lambda: small_house.staffing.link(staff, own_id),
        lambda: small_house.staffing.disable(staff, own_id),
        lambda: small_house.staffing.enable(staff, own_id),
    )
    before = small_house.staffing.members(staff)
    for attack in attacks:
        refused(ErrorCode.STAFF_NOT_ALLOWED, attack)
    assert small_house.staffing.members(staff) == before


# -- the audit log


def test_the_log_says_who_came_in_and_who_was_changed(house: House) -> None:
    owner, other = house.signed_in().staff, house.signed_in(StaffRole.READER).staff
    member_id = house.member_id(other)
    house.staffing.change_role(owner, member_id, StaffRole.EDITOR)
    house.staffing.disable(owner, member_id)
    house.staffing.enable(owner, member_id)
    events = house.events(owner.organisation_id)
    assert ("staff_signed_in", other.actor, member_id) in events
    for action in ("staff_role_changed", "staff_disabled", "staff_enabled"):
        assert (action, owner.actor, member_id) in events
    assert ("staff_invited", "cli", member_id) in events
    assert ("staff_link_made", "cli", member_id) in events


def test_nobody_gets_another_name_in_secret(house: House) -> None:
    """The log shows what people are called now: with another's name, deeds would seem to be the other's."""
    house.staffing.invite(house.ours, StaffRole.READER, name="Ada", email="ada@example.org")
    again = house.staffing.invite(house.ours, StaffRole.READER, name="Bob", email="ada@example.org").member
    assert again.name == "Bob"
    assert ("staff_renamed", "cli", again.id) in house.events(house.ours.organisation_id)


def test_nothing_changed_is_nothing_logged(small_house: House) -> None:
    owner = small_house.signed_in().staff
    before = small_house.actions()
    small_house.staffing.change_role(owner, small_house.member_id(owner), StaffRole.OWNER)
    small_house.staffing.enable(owner, small_house.member_id(owner))
    assert small_house.actions() == before


def test_a_refused_sign_in_is_in_the_log_of_the_organisation_whose_link_it_was(house: House) -> None:
    token, late = house.token(), house.token()
    house.staffing.sign_in(token)
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: house.staffing.sign_in(token))
    house.now = NOW + LINK_LIFETIME
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: house.staffing.sign_in(late))
    assert house.actions().count("staff_sign_in_refused") == 2


def test_who_tries_tokens_does_not_fill_the_log(small_house: House) -> None:
    small_house.token()
    before = small_house.stored_text()
    for number in range(20):
        refused(
            ErrorCode.STAFF_LINK_INVALID,
            partial(small_house.staffing.sign_in, f"guess-{number}"),
        )
    assert small_house.stored_text() == before


def test_the_log_names_nobody(small_house: House) -> None:
    small_house.staffing.sign_in(small_house.token(name="Ada Lovelace", email="ada@example.org"))
    with small_house.database.read() as session:
        logged = repr([tuple(row) for row in session.execute(sa.select(tables.AuditEvent.__table__))])
    assert "Ada" not in logged
    assert "example.org" not in logged


# -- whoever runs the machine


def test_an_organisation_is_named_by_its_id_or_its_exact_name(small_house: House) -> None:
    with small_house.database.write() as session:
        factories.organisation(session, name="Open Learning")
        twin, _ = factories.organisation(session, name="Twin")
        factories.organisation(session, name="Twin")
    assert small_house.staffing.operator(" Open Learning ").actor == "cli"
    assert small_house.staffing.operator(twin) == Operator(twin)
    for unknown in ("open learning", "Open", "", "%"):
        refused(
            ErrorCode.ORGANISATION_NOT_FOUND,
            partial(small_house.staffing.operator, unknown),
            NotFound,
        )
    error = refused(ErrorCode.ORGANISATION_AMBIGUOUS, lambda: small_house.staffing.operator("Twin"), Conflict)
    assert twin in error.detail


def test_an_organisation_that_is_called_like_anothers_id_does_not_stand_in_for_it(small_house: House) -> None:
    with small_house.database.write() as session:
        factories.organisation(session, name=small_house.ours.organisation_id)
    assert small_house.staffing.operator(small_house.ours.organisation_id) == small_house.ours


def test_organisations_without_an_owner_are_found(house: House) -> None:
    course = factories.course(house.database)

    def lacking() -> set[str]:
        return {id_ for id_, _ in house.staffing.organisations_without_owner()}

    assert lacking() == {house.ours.organisation_id, house.theirs.organisation_id, course.organisation_id}
    house.staffing.invite(house.ours, StaffRole.OWNER)
    house.staffing.invite(house.theirs, StaffRole.EDITOR)
    Registrations(house.database, house.clock).let_administrators(course.registration_id, StaffRole.OWNER)
    assert lacking() == {house.theirs.organisation_id}


# -- administrators of an LMS


@dataclass(frozen=True, slots=True)
class Launched:
    """A launch's session, as the pages know it."""

    id: str


class Campus(House):
    """An LMS whose administrators may be owners here, in the organisation of a course."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.registrations = Registrations(database, self.clock)
        self.course = factories.course(database)
        self.registrations.let_administrators(self.course.registration_id, StaffRole.OWNER)
        (self.learner_id,) = factories.enrol(database, self.course)

    def launched(self, **changes: Any) -> Launched:
        values = {"is_administrator": True, "expires_at": NOW + timedelta(hours=1), **changes}
        learner_id = values.pop("learner_id", self.learner_id)
        return Launched(factories.launch_session(self.database, self.course, learner_id, **values))

    def handed_over(self, launched: Launched | None = None) -> str:
        """The token that takes an administrator out of the frame."""
        return self.staffing.hand_over(launched or self.launched()).url.rpartition("#")[2]

    def signed_in_from(self, launched: Launched | None = None) -> SignedIn:
        return self.staffing.sign_in(self.handed_over(launched))

    def change(self, table: type[tables.Base], **values: Any) -> None:
        with self.database.write() as session:
            session.execute(sa.update(table).values(**values))


@pytest.fixture
def campus(database: Database) -> Campus:
    return Campus(database)


@pytest.fixture
def small_campus(sqlite_database: Database) -> Campus:
    return Campus(sqlite_database)


def test_an_administrator_opens_the_organisation_of_the_launch(campus: Campus) -> None:
    launched = campus.launched()
    assert campus.staffing.administrator_role(launched) is StaffRole.OWNER
    begun = campus.signed_in_from(launched)
    assert begun.staff == campus.staffing.open_session(begun.token)
    assert begun.staff.organisation_id == campus.course.organisation_id
    assert begun.staff.actor == f"learner:{campus.learner_id}"
    assert begun.staff.registration_id == campus.course.registration_id
    assert begun.staff.role is StaffRole.OWNER
    events = campus.events(campus.course.organisation_id)
    assert ("staff_signed_in", begun.staff.actor, campus.learner_id) in events


@pytest.mark.parametrize(
    "changes",
    [
        {"is_administrator": False},
        {"is_administrator": False, "can_configure": True, "can_view_progress": True},
        {"is_read_only": True},
        {"expires_at": NOW},
    ],
    ids=["a learner", "an instructor", "somebody acting as an administrator", "a session that is over"],
)
def test_no_other_launch_opens_anything(small_campus: Campus, changes: dict[str, Any]) -> None:
    launched = small_campus.launched(**changes)
    assert small_campus.staffing.administrator_role(launched) is None
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: small_campus.signed_in_from(launched))


def test_a_launch_session_that_is_not_there_opens_nothing(small_campus: Campus) -> None:
    invented = Launched("0" * 32)
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: small_campus.signed_in_from(invented))


SHUTTING: dict[str, Callable[[Campus], object]] = {
    "administrators are nothing": lambda campus: campus.registrations.let_administrators(
        campus.course.registration_id, None
    ),
    "the registration is disabled": lambda campus: campus.registrations.disable(
        campus.course.registration_id
    ),
    "the deployment is disabled": lambda campus: campus.registrations.disable_deployment(
        campus.course.deployment_id
    ),
}


@pytest.mark.parametrize("shut", list(SHUTTING))
def test_who_is_shut_out_is_out_at_once(campus: Campus, shut: str) -> None:
    launched = campus.launched()
    begun = campus.signed_in_from(launched)
    SHUTTING[shut](campus)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: campus.staffing.open_session(begun.token))
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: campus.signed_in_from(launched))


def test_by_default_administrators_are_nothing(small_campus: Campus) -> None:
    """Also on a second registration: the first one's permission is not its."""
    small_campus.course = factories.course(small_campus.database)
    (small_campus.learner_id,) = factories.enrol(small_campus.database, small_campus.course)
    launched = small_campus.launched()
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: small_campus.signed_in_from(launched))


def test_another_role_for_administrators_holds_at_once(small_campus: Campus) -> None:
    begun = small_campus.signed_in_from()
    small_campus.registrations.let_administrators(small_campus.course.registration_id, StaffRole.READER)
    assert small_campus.staffing.open_session(begun.token).role is StaffRole.READER


def test_who_comes_back_without_the_role_is_out(campus: Campus) -> None:
    begun = campus.signed_in_from()
    campus.launched(is_administrator=False, created_at=NOW + timedelta(minutes=5))
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: campus.staffing.open_session(begun.token))


def test_the_launch_before_it_opens_nothing_to_who_lost_the_role(small_campus: Campus) -> None:
    before = small_campus.launched()
    small_campus.launched(is_administrator=False, created_at=NOW + timedelta(minutes=5))
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: small_campus.signed_in_from(before))


def test_a_look_through_a_students_eyes_takes_the_role_from_nobody(small_campus: Campus) -> None:
    begun = small_campus.signed_in_from()
    small_campus.launched(is_administrator=False, is_read_only=True, created_at=NOW + timedelta(minutes=5))
    assert small_campus.staffing.open_session(begun.token) == begun.staff


def test_the_session_outlives_the_launch_that_opened_it(small_campus: Campus) -> None:
    begun = small_campus.signed_in_from()
    with small_campus.database.write() as session:
        session.execute(sa.delete(tables.LaunchSession))
    small_campus.now = NOW + timedelta(hours=11)
    assert small_campus.staffing.open_session(begun.token) == begun.staff


def test_an_administrator_of_one_institution_opens_nothing_of_another_on_the_same_registration(
    campus: Campus,
) -> None:
    """Canvas: institutions share issuer and client_id, and with them the registration."""
    with campus.database.write() as session:
        neighbour = tables.Deployment(
            registration_id=campus.course.registration_id,
            id_on_platform="neighbour",
            organisation_id=campus.theirs.organisation_id,
            status="approved",
            first_seen_at=NOW,
            approved_at=NOW,
        )
        session.add(neighbour)
        session.flush()
        neighbour_id = neighbour.id
    crossed = campus.launched(deployment_id=neighbour_id)
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: campus.signed_in_from(crossed))
    begun = campus.signed_in_from()
    assert begun.staff.organisation_id == campus.course.organisation_id
    campus.change(tables.StaffSession, organisation_id=campus.theirs.organisation_id)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: campus.staffing.open_session(begun.token))


def test_a_deployment_that_changes_hands_takes_its_administrators_out(small_campus: Campus) -> None:
    begun = small_campus.signed_in_from()
    small_campus.change(tables.Deployment, organisation_id=small_campus.theirs.organisation_id)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: small_campus.staffing.open_session(begun.token))


def test_what_administrators_may_be_stands_in_the_log_of_whom_it_concerns(small_campus: Campus) -> None:
    events = small_campus.events(small_campus.course.organisation_id)
    assert ("registration.administrator_role_changed", "cli", small_campus.course.registration_id) in events
    assert "registration.administrator_role_changed" not in small_campus.actions()


def test_an_unknown_registration_lets_nobody_in(small_campus: Campus) -> None:
    refused(
        ErrorCode.REGISTRATION_UNKNOWN,
        lambda: small_campus.registrations.let_administrators("nonsense", StaffRole.READER),
        NotFound,
    )


# -- out of the frame


def test_a_hand_over_works_once(campus: Campus) -> None:
    token = campus.handed_over()
    assert campus.staffing.sign_in(token).staff.organisation_id == campus.course.organisation_id
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: campus.staffing.sign_in(token))
    events = campus.events(campus.course.organisation_id)
    assert ("staff_sign_in_refused", f"learner:{campus.learner_id}", campus.learner_id) in events


def test_a_hand_over_ends_the_session_that_was_there(campus: Campus) -> None:
    first = campus.staffing.sign_in(campus.handed_over())
    second = campus.staffing.sign_in(campus.handed_over(), instead_of=first.token)
    refused(ErrorCode.STAFF_SIGN_IN_NEEDED, lambda: campus.staffing.open_session(first.token))
    assert campus.staffing.open_session(second.token) == second.staff


def test_of_many_who_use_a_hand_over_at_once_one_gets_in(campus: Campus) -> None:
    token = campus.handed_over()
    start = threading.Barrier(5)
    outcomes: list[bool] = []

    def sign_in() -> None:
        start.wait()
        try:
            campus.staffing.sign_in(token)
            outcomes.append(True)
        except NotAllowed:
            outcomes.append(False)

    threads = [threading.Thread(target=sign_in) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, False, True]


def test_a_hand_over_is_good_for_minutes(small_campus: Campus) -> None:
    late, in_time = small_campus.handed_over(), small_campus.handed_over()
    small_campus.now = NOW + HAND_OVER_LIFETIME - timedelta(seconds=1)
    small_campus.staffing.sign_in(in_time)
    small_campus.now = NOW + HAND_OVER_LIFETIME
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: small_campus.staffing.sign_in(late))
    events = small_campus.events(small_campus.course.organisation_id)
    assert [action for action, _, _ in events].count("staff_sign_in_refused") == 1


def test_nobody_writes_a_hand_over_for_another_launch_or_a_later_hour(small_campus: Campus) -> None:
    other = small_campus.launched(is_administrator=False, learner_id=small_campus.learner_id)
    launched_id, seconds, salt, signature = small_campus.handed_over(small_campus.launched()).split(".")
    later = str(int(seconds) + 86_400)
    before = small_campus.stored_text()
    for forged in (
        f"{other.id}.{seconds}.{salt}.{signature}",
        f"{launched_id}.{later}.{salt}.{signature}",
        f"{launched_id}.{seconds}.x{salt}.{signature}",
        f"{launched_id}.{seconds}.{salt}.{'0' * len(signature)}",
        f"{launched_id}.{seconds}.{salt}.",
        "...",
        ".",
        "\ud800.",
        "a.b.c.ü",
    ):
        refused(ErrorCode.STAFF_LINK_INVALID, partial(small_campus.staffing.sign_in, forged))
    assert small_campus.stored_text() == before


@pytest.mark.parametrize("shut", list(SHUTTING))
def test_a_hand_over_is_worth_what_the_launch_is_worth_when_it_is_used(
    small_campus: Campus, shut: str
) -> None:
    token = small_campus.handed_over()
    SHUTTING[shut](small_campus)
    refused(ErrorCode.STAFF_NOT_ALLOWED, lambda: small_campus.staffing.sign_in(token))


def test_another_secret_key_takes_no_hand_over(small_campus: Campus) -> None:
    other = replace(small_campus.staffing, secret=b"another")
    token = small_campus.handed_over()
    refused(ErrorCode.STAFF_LINK_INVALID, lambda: other.sign_in(token))
