"""What the staff of an organisation changes, on both databases: by right, its own only, on record."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from lti_tool.domain.staff import Permission, StaffRole, permits
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.form_problems import FormProblem
from lti_tool.store import credentials, micromodules, tables
from lti_tool.store.audit import EventFilter
from lti_tool.store.database import Database
from tests.factories import NOW
from tests.integration.services.office import Office, Organisation


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


@pytest.fixture
def small_office(sqlite_database: Database, tmp_path: Path) -> Office:
    """Where the kind of database does not matter."""
    return Office(sqlite_database, tmp_path / "keys")


PROFILE = {
    "name": "College",
    "url": "https://www.example.edu",
    "email": "a@example.edu",
    "description": "Us.",
}

CHANGES: dict[str, tuple[Permission, Callable[[Office, Any, Organisation], object]]] = {
    "rename_organisation": (
        Permission.MANAGE_ORGANISATION,
        lambda office, staff, _: office.administering.rename_organisation(staff, "Renamed"),
    ),
    "approve_registration": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.approve_registration(staff, of.course.registration_id),
    ),
    "disable_registration": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.disable_registration(staff, of.course.registration_id),
    ),
    "set_administrator_role": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.set_administrator_role(
            staff, of.course.registration_id, StaffRole.READER
        ),
    ),
    "allow_anonymous": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.allow_anonymous(
            staff, of.course.registration_id, allowed=True
        ),
    ),
    "approve_deployment": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.approve_deployment(staff, of.course.deployment_id),
    ),
    "disable_deployment": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.disable_deployment(staff, of.course.deployment_id),
    ),
    "set_frame_origins": (
        Permission.MANAGE_REGISTRATIONS,
        lambda office, staff, of: office.administering.set_frame_origins(
            staff, of.course.deployment_id, "https://lms.example.edu"
        ),
    ),
    "add_issuer": (Permission.EDIT_ISSUERS, lambda office, staff, _: office.issuers.add(staff, PROFILE)),
    "change_issuer": (
        Permission.EDIT_ISSUERS,
        lambda office, staff, of: office.issuers.change(staff, of.course.issuer_id, PROFILE),
    ),
    "add_category": (
        Permission.EDIT_MICROMODULES,
        lambda office, staff, _: office.administering.add_category(staff, "New"),
    ),
    "rename_category": (
        Permission.EDIT_MICROMODULES,
        lambda office, staff, of: office.administering.rename_category(staff, of.category_id, "Renamed"),
    ),
    "delete_category": (
        Permission.EDIT_MICROMODULES,
        lambda office, staff, of: office.administering.delete_category(staff, of.category_id),
    ),
    "set_categories": (
        Permission.EDIT_MICROMODULES,
        lambda office, staff, of: office.administering.set_categories(staff, of.micromodule_id, []),
    ),
    "archive_micromodule": (
        Permission.EDIT_MICROMODULES,
        lambda office, staff, of: office.administering.archive_micromodule(staff, of.micromodule_id, True),
    ),
    "revoke_credential": (
        Permission.REVOKE,
        lambda office, staff, of: office.administering.revoke_credential(
            staff, of.credential_id, "By mistake."
        ),
    ),
}
"""Every change: what it asks for, and how it is made."""
OF_NOBODY_ELSE = ("rename_organisation", "add_category", "add_issuer")
"""Changes that name no id."""


def everything_stored(office: Office) -> str:
    with office.database.read() as session:
        return repr(
            [
                sorted(map(repr, session.execute(table.select())))
                for table in tables.Base.metadata.sorted_tables
            ]
        )


@pytest.mark.parametrize("change", CHANGES)
def test_a_role_changes_what_it_permits_and_nothing_else(change: str, small_office: Office) -> None:
    permission, make = CHANGES[change]
    ours = small_office.ours
    before = everything_stored(small_office)
    refused = [role for role in StaffRole if permission not in permits(role)]
    assert refused
    for role in refused:
        with pytest.raises(NotAllowed) as caught:
            make(small_office, ours.staff(role), ours)
        assert caught.value.code is ErrorCode.STAFF_NOT_ALLOWED
        assert everything_stored(small_office) == before
    permitted = next(role for role in reversed(StaffRole) if permission in permits(role))
    make(small_office, ours.staff(permitted), ours)
    (event,) = small_office.school.rows(tables.AuditEvent, tables.AuditEvent.organisation_id == ours.id)
    assert event.actor == "staff:somebody"
    assert event.subject_id


@pytest.mark.parametrize("change", [name for name in CHANGES if name not in OF_NOBODY_ELSE])
def test_an_owner_of_another_organisation_changes_nothing_here(change: str, office: Office) -> None:
    _, make = CHANGES[change]
    before = everything_stored(office)
    with pytest.raises(NotFound) as caught:
        make(office, office.theirs.staff(), office.ours)
    assert caught.value.code is ErrorCode.NOT_FOUND
    assert everything_stored(office) == before


# -- registrations and deployments


def test_a_disabled_registration_is_known_as_such_at_once(office: Office) -> None:
    ours = office.ours
    assert office.registrations.by_id(ours.course.registration_id).is_approved  # type: ignore[union-attr]
    office.administering.disable_registration(ours.staff(), ours.course.registration_id)
    assert not office.registrations.by_id(ours.course.registration_id).is_approved  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "change", ["approve_registration", "disable_registration", "set_administrator_role", "allow_anonymous"]
)
def test_a_registration_that_others_use_is_the_operators(change: str, office: Office) -> None:
    ours, theirs = office.ours, office.theirs
    office.deployment(ours.course, "approved", organisation_id=theirs.id)
    for organisation in (ours, theirs):
        with pytest.raises(NotAllowed):
            CHANGES[change][1](office, organisation.staff(), ours)


def test_a_deployment_that_nobody_owns_becomes_ours(office: Office) -> None:
    ours = office.ours
    held = office.deployment(ours.course)
    office.administering.approve_deployment(ours.staff(), held)
    row = office.row(tables.Deployment, held)
    assert (row.status, row.organisation_id) == ("approved", ours.id)


def test_nobody_takes_a_deployment_of_a_registration_that_others_use(office: Office) -> None:
    """Canvas shares one client_id between institutions: the next one's people are not ours to let in."""
    ours, theirs = office.ours, office.theirs
    office.deployment(ours.course, "approved", organisation_id=theirs.id)
    held = office.deployment(ours.course)
    for organisation in (ours, theirs):
        with pytest.raises(NotFound):
            office.administering.approve_deployment(organisation.staff(), held)
    assert office.row(tables.Deployment, held).organisation_id is None


def test_whose_a_new_deployment_in_a_cloud_is_the_operator_says(office: Office) -> None:
    """The next institution may launch before anybody knows that the registration is shared."""
    ours = office.ours
    office.school.change(
        tables.Registration, tables.Registration.id == ours.course.registration_id, product="canvas"
    )
    held = office.deployment(ours.course)
    with pytest.raises(NotFound):
        office.administering.approve_deployment(ours.staff(), held)
    view = office.overview.registration(ours.id, ours.course.registration_id)
    row = view.registration
    assert (row.is_shared, row.is_own, row.held) == (False, False, 0)
    assert [one.id for one in view.deployments] == [ours.course.deployment_id]
    # Their own they still close and open.
    office.administering.disable_deployment(ours.staff(), ours.course.deployment_id)
    office.administering.approve_deployment(ours.staff(), ours.course.deployment_id)


def test_who_administers_a_cloud_the_operator_lets_in(office: Office) -> None:
    """The next institution's administrators would be owners there because the first one's owner said so."""
    ours = office.ours
    office.school.change(
        tables.Registration, tables.Registration.id == ours.course.registration_id, product="canvas"
    )
    with pytest.raises(NotAllowed):
        office.administering.set_administrator_role(
            ours.staff(), ours.course.registration_id, StaffRole.OWNER
        )
    with pytest.raises(NotAllowed):
        office.administering.allow_anonymous(ours.staff(), ours.course.registration_id, allowed=True)
    row = office.row(tables.Registration, ours.course.registration_id)
    assert (row.administrator_role, row.allows_anonymous) == (None, False)


CLOSED_BY_OPERATOR: dict[str, tuple[Callable[..., object], Callable[..., object]]] = {
    "registration": (
        lambda by, course: by.disable(course.registration_id),
        lambda by, course: by.approve(course.registration_id),
    ),
    "deployment": (
        lambda by, course: by.disable_deployment(course.deployment_id),
        lambda by, course: by.approve_deployment(
            course.registration_id, by.deployment(course.deployment_id).id_on_platform
        ),
    ),
}
"""How the operator disables it, and approves it again."""


@pytest.mark.parametrize("is_disabled_already", [False, True])
@pytest.mark.parametrize("what", CLOSED_BY_OPERATOR)
def test_what_the_operator_disabled_the_operator_alone_approves_again(
    what: str, is_disabled_already: bool, office: Office
) -> None:
    ours, (close, reopen) = office.ours, CLOSED_BY_OPERATOR[what]

    def change(verb: str) -> None:
        CHANGES[f"{verb}_{what}"][1](office, ours.staff(), ours)

    def shown() -> tuple[str, bool]:
        view = office.overview.registration(ours.id, ours.course.registration_id)
        row = view.registration if what == "registration" else view.deployments[0]
        return row.status, row.is_disabled_by_operator

    if is_disabled_already:
        change("disable")
    close(office.registrations, ours.course)
    before = everything_stored(office)
    # Disabling it oneself must not make it one's own to approve.
    for verb in ("disable", "approve"):
        with pytest.raises(NotAllowed) as caught:
            change(verb)
        assert caught.value.code is ErrorCode.STAFF_OPERATOR_DECIDES
    assert everything_stored(office) == before
    assert shown() == ("disabled", True)
    reopen(office.registrations, ours.course)
    assert shown() == ("approved", False)
    change("disable")
    assert shown() == ("disabled", False)
    change("approve")
    assert shown() == ("approved", False)


def test_a_script_of_the_operator_approves_what_the_operator_disabled(small_office: Office) -> None:
    course, registrations = small_office.ours.course, small_office.registrations
    view = registrations.disable(course.registration_id)
    deployment = registrations.disable_deployment(course.deployment_id)
    said = {
        name: getattr(view, name) for name in ("issuer", "client_id", "auth_url", "token_url", "jwks_url")
    }
    registrations.add(**said)
    assert not registrations.show(view.id).registration.is_approved
    registrations.add(**said, deployments=[deployment.id_on_platform], approve=True)
    assert small_office.row(tables.Registration, view.id).is_disabled_by_operator is False
    assert small_office.row(tables.Deployment, deployment.id).is_disabled_by_operator is False


def test_nobody_takes_a_new_deployment_that_the_operator_disabled(small_office: Office) -> None:
    ours = small_office.ours
    held = small_office.deployment(ours.course)
    small_office.registrations.disable_deployment(held)
    with pytest.raises(NotAllowed):
        small_office.administering.approve_deployment(ours.staff(), held)
    row = small_office.row(tables.Deployment, held)
    assert (row.status, row.organisation_id) == ("disabled", None)


def test_what_the_operator_does_to_a_platform_stands_in_its_organisations_log(office: Office) -> None:
    ours, registrations = office.ours, office.registrations
    registrations.disable(ours.course.registration_id)
    registrations.approve(ours.course.registration_id)
    registrations.disable_deployment(ours.course.deployment_id)
    assert sorted(office.actions(ours)) == [
        "deployment_disabled",
        "registration_approved",
        "registration_disabled",
    ]
    assert office.actions(office.theirs) == []


def test_whose_platform_is_changed_reads_it_before_anybody_launched(office: Office) -> None:
    """Rights that were given, and keys that were exchanged, while there was no deployment yet."""
    ours, registrations = office.ours, office.registrations
    with office.database.write() as session:
        session.get_one(tables.Organisation, ours.id).name = "Our college"
    endpoints = {
        "issuer": "https://new.example",
        "client_id": "new",
        "auth_url": "https://new.example/auth",
        "token_url": "https://new.example/token",
        "jwks_url": "https://new.example/keys",
    }
    added = registrations.add(**endpoints, organisation="Our college")
    registrations.let_administrators(added.id, StaffRole.OWNER)
    registrations.approve(added.id)
    registrations.add(**{**endpoints, "jwks_url": "https://new.example/other-keys"})
    registrations.remove(added.id)
    assert sorted(office.actions(ours)) == [
        "registration.administrator_role_changed",
        "registration_added",
        "registration_approved",
        "registration_changed",
        "registration_removed",
    ]
    assert office.actions(office.theirs) == []


def test_a_stranger_takes_no_deployment(office: Office) -> None:
    held = office.deployment(office.ours.course)
    with pytest.raises(NotFound):
        office.administering.approve_deployment(office.theirs.staff(), held)


def test_frame_origins_are_kept_as_browsers_write_them(office: Office) -> None:
    ours = office.ours
    typed = "https://LMS.example.edu/course/1\n\n https://lms.example.edu \nhttps://other.example.edu:8443/\n"
    office.administering.set_frame_origins(ours.staff(), ours.course.deployment_id, typed)
    assert office.row(tables.Deployment, ours.course.deployment_id).frame_origins == [
        "https://lms.example.edu",
        "https://other.example.edu:8443",
    ]
    office.administering.set_frame_origins(ours.staff(), ours.course.deployment_id, "")
    assert office.row(tables.Deployment, ours.course.deployment_id).frame_origins == []


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*",
        "http://lms.example.edu",
        "lms.example.edu",
        "javascript:alert(1)",
        "https://a.example;script-src *",
        "https://user@lms.example.edu",
        "'self'",
    ],
)
def test_what_is_no_origin_never_gets_into_a_header(origin: str, small_office: Office) -> None:
    ours = small_office.ours
    with pytest.raises(RequestInvalid) as caught:
        small_office.administering.set_frame_origins(ours.staff(), ours.course.deployment_id, origin)
    assert [problem.field for problem in caught.value.params["problems"]] == ["frame_origins"]  # type: ignore[attr-defined]


def test_a_deployment_names_a_bounded_number_of_origins(small_office: Office) -> None:
    ours = small_office.ours
    many = "\n".join(f"https://lms{number}.example.edu" for number in range(21))
    with pytest.raises(RequestInvalid):
        small_office.administering.set_frame_origins(ours.staff(), ours.course.deployment_id, many)


# -- issuers, categories, micromodules


@pytest.mark.parametrize(
    "changes, field, code",
    [
        ({"name": " "}, "name", FormProblem.REQUIRED),
        ({"name": "x" * 201}, "name", FormProblem.TOO_LONG),
        ({"name": "Col\u202elege"}, "name", FormProblem.CONTROL_CHARACTER),
        ({"url": "http://www.example.edu"}, "url", FormProblem.NOT_A_URL),
        ({"url": "javascript:alert(1)"}, "url", FormProblem.NOT_A_URL),
        ({"url": "https://www.example.edu/\u202efdp.exe"}, "url", FormProblem.CONTROL_CHARACTER),
        ({"url": "https://www.example.edu/\u2066x"}, "url", FormProblem.CONTROL_CHARACTER),
        ({"url": "https://www.example.edu/\u2028x"}, "url", FormProblem.CONTROL_CHARACTER),
        ({"url": "https://www.example.edu/\nx"}, "url", FormProblem.NOT_A_URL),
        ({"url": "https://www.example.edu/" + "x" * 2000}, "url", FormProblem.TOO_LONG),
        ({"email": "nobody"}, "email", FormProblem.NOT_AN_ADDRESS),
        ({"email": "a@b.example\nBcc: c@d.example"}, "email", FormProblem.NOT_AN_ADDRESS),
        ({"description": "x" * 2001}, "description", FormProblem.TOO_LONG),
    ],
)
def test_an_issuers_profile_is_checked_field_by_field(
    changes: dict[str, str], field: str, code: FormProblem, small_office: Office
) -> None:
    ours = small_office.ours
    with pytest.raises(RequestInvalid) as caught:
        small_office.issuers.change(ours.staff(), ours.course.issuer_id, PROFILE | changes)
    problems: Any = caught.value.params["problems"]
    assert [(problem.field, problem.code) for problem in problems] == [(field, code)]


def test_an_empty_field_of_an_issuer_is_none(office: Office) -> None:
    ours = office.ours
    office.issuers.change(
        ours.staff(), ours.course.issuer_id, {"name": "  New   name ", "url": "", "email": " "}
    )
    row = office.row(tables.Issuer, ours.course.issuer_id)
    assert (row.name, row.url, row.email, row.description) == ("New name", None, None, None)


def test_the_log_says_what_was_changed_and_nothing_where_nothing_was(office: Office) -> None:
    """Badges carry these names and addresses: somebody will ask who changed which."""
    ours = office.ours

    def change() -> None:
        office.administering.rename_organisation(ours.staff(), "Renamed")
        office.issuers.change(ours.staff(), ours.course.issuer_id, PROFILE)

    former = office.row(tables.Organisation, ours.id).name
    change()
    change()
    office.issuers.change(ours.staff(), ours.course.issuer_id, PROFILE | {"url": ""})
    events = office.school.rows(tables.AuditEvent, tables.AuditEvent.organisation_id == ours.id)
    assert sorted((event.action, *sorted(map(str, event.detail.values()))) for event in events) == [
        ("issuer.changed", "['name', 'url', 'email', 'description']"),
        ("issuer.changed", "['url']"),
        ("organisation.renamed", *sorted((former, "Renamed"))),
    ]


def test_two_categories_never_have_one_name(office: Office) -> None:
    ours = office.ours
    first = office.administering.add_category(ours.staff(), "Data")
    for attempt in (
        lambda: office.administering.add_category(ours.staff(), " Data "),
        lambda: office.administering.rename_category(ours.staff(), ours.category_id, "Data"),
    ):
        with pytest.raises(RequestInvalid) as caught:
            attempt()
        problems: Any = caught.value.params["problems"]
        assert [problem.code for problem in problems] == [FormProblem.NAME_TAKEN]
    office.administering.rename_category(ours.staff(), first, "Data")
    office.administering.add_category(office.theirs.staff(), "Data")


def test_a_micromodule_is_in_the_categories_that_were_ticked(office: Office) -> None:
    ours = office.ours
    second = office.administering.add_category(ours.staff(), "Second")
    for chosen in ([ours.category_id, second], [second], []):
        office.administering.set_categories(ours.staff(), ours.micromodule_id, chosen)
        assert office.overview.micromodule(ours.id, ours.micromodule_id).chosen == frozenset(chosen)


def test_a_category_of_another_organisation_is_not_ticked(office: Office) -> None:
    ours = office.ours
    with pytest.raises(NotFound):
        office.administering.set_categories(
            ours.staff(), ours.micromodule_id, [ours.category_id, office.theirs.category_id]
        )
    assert office.overview.micromodule(ours.id, ours.micromodule_id).chosen == frozenset()


def test_a_deleted_category_leaves_its_micromodules(office: Office) -> None:
    ours = office.ours
    office.administering.set_categories(ours.staff(), ours.micromodule_id, [ours.category_id])
    office.administering.delete_category(ours.staff(), ours.category_id)
    assert office.overview.categories(ours.id) == ()
    assert [row.id for row in office.overview.micromodules(ours.id).micromodules] == [ours.micromodule_id]


def test_an_archived_micromodule_is_offered_to_no_course_and_stays_where_it_is(office: Office) -> None:
    ours = office.ours
    office.administering.archive_micromodule(ours.staff(), ours.micromodule_id, True)
    with office.database.read() as session:
        assert micromodules.current_versions(session, ours.id) == ()
    assert office.overview.micromodules(ours.id, is_archived=True).micromodules[0].courses == 1
    office.administering.archive_micromodule(ours.staff(), ours.micromodule_id, False)
    with office.database.read() as session:
        assert len(micromodules.current_versions(session, ours.id)) == 1


# -- revocation


def test_a_badge_is_revoked_with_its_reason(office: Office) -> None:
    ours = office.ours
    learner_id = office.administering.revoke_credential(ours.staff(), ours.credential_id, " By mistake.\r\n ")
    assert learner_id == ours.learner_id
    with office.database.read() as session:
        found = credentials.credential(session, ours.credential_id)
    assert found is not None
    assert found.revoked_at is not None
    assert found.revocation_reason == "By mistake."
    assert office.actions(ours) == ["credential.revoked"]


@pytest.mark.parametrize("reason", ["", "  \n ", "x" * 501, "turned \u202e around"])
def test_no_badge_is_revoked_without_a_reason_to_show(reason: str, small_office: Office) -> None:
    ours = small_office.ours
    with pytest.raises(RequestInvalid):
        small_office.administering.revoke_credential(ours.staff(), ours.credential_id, reason)
    assert small_office.row(tables.Credential, ours.credential_id).revoked_at is None


def test_a_revoked_badge_is_not_revoked_again(small_office: Office) -> None:
    ours = small_office.ours
    small_office.administering.revoke_credential(ours.staff(), ours.credential_id, "By mistake.")
    with pytest.raises(Conflict):
        small_office.administering.revoke_credential(ours.staff(), ours.credential_id, "Another reason.")
    assert small_office.row(tables.Credential, ours.credential_id).revocation_reason == "By mistake."


def test_of_two_who_revoke_at_once_the_second_learns_it(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both see a badge in force; one reason stands, and the other reviewer must not believe in theirs."""
    ours = office.ours
    both_have_read = threading.Barrier(2, timeout=100)
    really = credentials.credential
    waited = threading.local()

    def read_and_wait(*arguments: Any) -> Any:
        found = really(*arguments)
        if not getattr(waited, "once", False):
            waited.once = True
            both_have_read.wait()
        return found

    def revoke(reason: str) -> str | ErrorCode:
        try:
            office.administering.revoke_credential(ours.staff(), ours.credential_id, reason)
        except Conflict as error:
            return error.code
        return reason

    monkeypatch.setattr(credentials, "credential", read_and_wait)
    with ThreadPoolExecutor(2) as pool:
        told = list(pool.map(revoke, ["One reason.", "Another reason."]))
    (stands,) = (one for one in told if one is not ErrorCode.CONFLICT)
    assert told.count(ErrorCode.CONFLICT) == 1
    assert office.row(tables.Credential, ours.credential_id).revocation_reason == stands
    assert office.actions(ours) == ["credential.revoked"]


# -- the audit log


def test_who_takes_the_log_away_stands_in_it(office: Office) -> None:
    ours = office.ours
    office.administering.record_download(ours.staff(StaffRole.READER), EventFilter())
    (event,) = office.school.rows(tables.AuditEvent, tables.AuditEvent.organisation_id == ours.id)
    assert (event.actor, event.action, event.detail) == ("staff:somebody", "audit_log.downloaded", {})
    assert (event.subject_kind, event.subject_id) == ("organisation", ours.id)
    assert office.actions(office.theirs) == []


def test_the_log_says_which_part_was_taken_away_in_few_words(small_office: Office) -> None:
    ours = small_office.ours
    wanted = EventFilter(action="x" * 9000, actor="cli", since=NOW)
    small_office.administering.record_download(ours.staff(), wanted)
    (event,) = small_office.school.rows(tables.AuditEvent, tables.AuditEvent.organisation_id == ours.id)
    assert event.detail == {"action": "x" * 60, "actor": "cli", "since": NOW.isoformat()}
