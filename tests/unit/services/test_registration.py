"""Registrations: adding twice is harmless, a status is never lowered, problems come all at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.registrations import DeploymentStatus, RegistrationStatus, RegistrationView
from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services.registration import REMEMBERED_FOR, Registrations
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.unit.lti.tokens import Clock

MOODLE: dict[str, Any] = {
    "issuer": "https://moodle.example",
    "client_id": "client-1",
    "auth_url": "https://moodle.example/mod/lti/auth.php",
    "token_url": "https://moodle.example/mod/lti/token.php",
    "jwks_url": "https://moodle.example/mod/lti/certs.php",
    "product": "moodle",
}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def registrations(sqlite_database: Database, clock: Clock) -> Registrations:
    return Registrations(sqlite_database, clock)


def add(registrations: Registrations, **changes: Any) -> RegistrationView:
    return registrations.add(**{**MOODLE, **changes})


def count(registrations: Registrations, table: type[tables.Base]) -> int:
    with registrations.database.read() as session:
        return session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_a_registration_is_pending_until_it_is_approved(database: Database, clock: Clock) -> None:
    registrations = Registrations(database, clock)
    view = add(registrations)
    assert (view.status, view.name, view.product) == (RegistrationStatus.PENDING, "moodle.example", "moodle")
    assert not view.is_approved
    assert registrations.approve(view.id).is_approved
    assert registrations.lookup("https://moodle.example", "client-1") == registrations.by_id(view.id)
    assert registrations.list() == (registrations.by_id(view.id),)


def test_adding_twice_is_harmless(database: Database, clock: Clock) -> None:
    registrations = Registrations(database, clock)
    first = add(registrations, deployments=["1", "2"], approve=True, name="Campus", organisation="University")
    again = add(registrations, deployments=["1", "2"], approve=True, name="Campus", organisation="University")
    assert again == first
    assert count(registrations, tables.Registration) == count(registrations, tables.Organisation) == 1
    assert count(registrations, tables.Issuer) == 1
    detail = registrations.show(first.id)
    assert [each.id_on_platform for each in detail.deployments] == ["1", "2"]
    assert {each.status for each in detail.deployments} == {DeploymentStatus.APPROVED}
    assert {each.organisation_id for each in detail.deployments} == {first.default_organisation_id}


def test_adding_again_changes_what_is_given_and_keeps_the_rest(registrations: Registrations) -> None:
    view = add(registrations, name="Campus", token_audience="audience", approve=True, deployments=["1"])
    changed = add(registrations, jwks_url="https://moodle.example/new-certs")
    assert changed.jwks_url == "https://moodle.example/new-certs"
    assert (changed.id, changed.name, changed.token_audience) == (view.id, "Campus", "audience")
    assert changed.is_approved, "a status is never lowered"
    assert registrations.show(view.id).deployments[0].status is DeploymentStatus.APPROVED


def test_a_deployment_named_without_approval_is_held(registrations: Registrations) -> None:
    view = add(registrations, deployments=["1"])
    (held,) = registrations.show(view.id).deployments
    assert (held.status, held.organisation_id) == (DeploymentStatus.HELD, None)


def test_the_only_organisation_is_the_default_of_later_registrations(registrations: Registrations) -> None:
    organisation = registrations.ensure_organisation("University")
    assert registrations.ensure_organisation(" University ") == organisation
    assert add(registrations).default_organisation_id == organisation.id
    other = add(registrations, client_id="client-2", organisation="College")
    assert other.default_organisation_id == registrations.ensure_organisation("College").id
    assert other.default_organisation_id != organisation.id


def test_where_there_are_several_organisations_nobody_guesses_whose_a_new_lms_is(
    registrations: Registrations,
) -> None:
    alpha = registrations.ensure_organisation("Alpha")
    beta = registrations.ensure_organisation("Beta")
    theirs = add(registrations, issuer="https://lms.gamma.example", deployments=["1"], approve=True)
    own = registrations.ensure_organisation("lms.gamma.example")
    assert theirs.default_organisation_id == own.id
    assert own.id not in (alpha.id, beta.id)
    (deployment,) = registrations.show(theirs.id).deployments
    assert deployment.organisation_id == own.id
    again = add(registrations, issuer="https://lms.gamma.example", deployments=["1"], approve=True)
    assert again == theirs, "repeating it changes nothing"


def test_an_organisation_that_happens_to_be_called_so_is_not_taken_for_that_of_a_new_lms(
    registrations: Registrations,
) -> None:
    registrations.ensure_organisation("Alpha")
    registrations.ensure_organisation("Beta")
    with pytest.raises(RequestInvalid) as refused:
        add(registrations, name="Beta", deployments=["1"], approve=True)
    assert "one called 'Beta' too" in str(refused.value.params["problems"])
    assert registrations.list() == ()


def test_an_issuer_alone_names_a_registration_only_where_it_has_one(registrations: Registrations) -> None:
    view = add(registrations)
    assert registrations.lookup("https://moodle.example", None) == view
    add(registrations, client_id="client-2")
    registrations.approve(view.id)
    assert registrations.lookup("https://moodle.example", None) is None
    assert registrations.lookup("https://moodle.example/", "client-1") is None
    assert registrations.lookup("https://moodle.example", "unknown") is None


def test_a_registration_added_now_works_at_once(registrations: Registrations) -> None:
    assert registrations.lookup("https://moodle.example", "client-1") is None
    elsewhere = Registrations(registrations.database, registrations.clock)
    view = add(elsewhere)
    assert registrations.lookup("https://moodle.example", "client-1") == view
    assert registrations.by_id("unknown") is None


def test_a_change_made_in_another_process_is_seen_within_seconds(
    registrations: Registrations, clock: Clock
) -> None:
    view = add(registrations, approve=True)
    assert registrations.by_id(view.id) == view
    Registrations(registrations.database, clock).disable(view.id)
    with registrations.database.statements() as statements:
        assert registrations.by_id(view.id) == view
    assert statements == [], "many logins, one question"
    clock.move(seconds=REMEMBERED_FOR.total_seconds())
    found = registrations.by_id(view.id)
    assert found is not None
    assert found.status is RegistrationStatus.DISABLED


def test_a_change_made_here_is_seen_at_once(registrations: Registrations) -> None:
    view = add(registrations, approve=True)
    assert registrations.by_id(view.id) == view
    assert registrations.disable(view.id) == registrations.by_id(view.id)


@pytest.mark.parametrize(
    "changes, problem",
    [
        ({"issuer": "moodle.example"}, "issuer"),
        ({"auth_url": "http://moodle.example/auth"}, "auth_url"),
        ({"token_url": "javascript:alert(1)"}, "token_url"),
        ({"jwks_url": "https://user:pass@moodle.example/"}, "jwks_url"),
        ({"jwks_url": "file:///etc/passwd"}, "jwks_url"),
        ({"client_id": ""}, "client_id"),
        ({"client_id": "x" * 256}, "client_id"),
        ({"client_id": "é"}, "client_id"),
        ({"product": "blackboard"}, "product"),
        ({"name": "  "}, "name"),
        ({"name": "x" * 201}, "name"),
        ({"token_audience": ""}, "token_audience"),
        ({"frame_origins": ["https://lms.example/path"]}, "frame_origins"),
        ({"frame_origins": ["*"]}, "frame_origins"),
        ({"deployments": [""]}, "deployments"),
        ({"deployments": ["1", "x" * 256]}, "deployments"),
    ],
    ids=str,
)
def test_a_registration_that_cannot_work_is_refused(
    registrations: Registrations, changes: dict[str, Any], problem: str
) -> None:
    with pytest.raises(RequestInvalid) as refused:
        add(registrations, **changes)
    assert refused.value.code is ErrorCode.REGISTRATION_INVALID
    (only,) = refused.value.params["problems"]  # type: ignore[misc]
    assert only.startswith(problem + ":")
    assert count(registrations, tables.Registration) == 0


def test_all_problems_are_told_at_once(registrations: Registrations) -> None:
    with pytest.raises(RequestInvalid) as refused:
        add(registrations, issuer="x", client_id="", product="none")
    assert len(refused.value.params["problems"]) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1:9000", "[::1]:9000", "lms.localhost"])
def test_plain_http_is_for_this_machine_only(registrations: Registrations, host: str) -> None:
    base = f"http://{host}"
    view = add(registrations, issuer=base, auth_url=base, token_url=base, jwks_url=base)
    assert view.issuer == base


def test_a_registration_that_was_never_used_can_be_removed(registrations: Registrations) -> None:
    view = add(registrations, deployments=["1"])
    registrations.remove(view.id)
    assert registrations.list() == ()
    assert registrations.by_id(view.id) is None
    with pytest.raises(NotFound):
        registrations.remove(view.id)


def test_a_registration_with_courses_is_never_removed(registrations: Registrations) -> None:
    course = factories.course(registrations.database)
    with pytest.raises(Conflict):
        registrations.remove(course.registration_id)
    assert count(registrations, tables.Context) == 1


def test_what_is_unknown_is_not_found(registrations: Registrations) -> None:
    for attempt in (
        lambda: registrations.show("x"),
        lambda: registrations.approve("x"),
        lambda: registrations.disable("x"),
        lambda: registrations.approve_deployment("x", "1"),
        lambda: registrations.deployment("x"),
        lambda: registrations.disable_deployment("x"),
    ):
        with pytest.raises(NotFound) as missing:
            attempt()
        assert missing.value.code is ErrorCode.REGISTRATION_UNKNOWN


def test_a_held_deployment_is_given_to_an_organisation(database: Database, clock: Clock) -> None:
    registrations = Registrations(database, clock)
    view = add(registrations, deployments=["1"], organisation="University")
    approved = registrations.approve_deployment(view.id, "1", "College")
    assert approved.status is DeploymentStatus.APPROVED
    assert approved.organisation_id == registrations.ensure_organisation("College").id
    assert registrations.approve_deployment(view.id, "1") == approved, "what it has it keeps"
    with pytest.raises(Conflict):
        registrations.approve_deployment(view.id, "1", "University")
    assert registrations.deployment(approved.id) == approved


def test_a_disabled_deployment_returns_to_its_own_organisation(registrations: Registrations) -> None:
    view = add(registrations, deployments=["1"], approve=True, organisation="University")
    (deployment,) = registrations.show(view.id).deployments
    assert registrations.disable_deployment(deployment.id).status is DeploymentStatus.DISABLED
    registrations.ensure_organisation("College")
    again = add(registrations, deployments=["1"], approve=True, organisation="College")
    (kept,) = registrations.show(again.id).deployments
    assert (kept.status, kept.organisation_id) == (DeploymentStatus.APPROVED, deployment.organisation_id)


def test_every_deed_leaves_a_trace(registrations: Registrations) -> None:
    view = add(registrations, deployments=["1"])
    registrations.approve(view.id)
    registrations.approve_deployment(view.id, "1")
    registrations.disable(view.id)
    with registrations.database.read() as session:
        actions = set(session.scalars(sa.select(tables.AuditEvent.action)))
    assert actions == {
        "registration_added",
        "registration_approved",
        "deployment_approved",
        "registration_disabled",
    }


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_a_file_of_registrations_is_imported_and_may_be_again(
    registrations: Registrations, tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"registrations{suffix}"
    entry = {**MOODLE, "deployments": ["1"], "approve": True, "organisation": "University"}
    if suffix == ".json":
        path.write_text(json.dumps({"registrations": [entry]}))
    else:
        lines = "\n".join(f"{name} = {json.dumps(value)}" for name, value in entry.items())
        path.write_text(f"[[registrations]]\n{lines}\n")
    (view,) = registrations.import_file(path)
    assert view.is_approved
    assert registrations.import_file(path) == (view,)


@pytest.mark.parametrize(
    "content, problem",
    [
        ("", "a list of tables is needed"),
        ("{", "neither TOML nor JSON"),
        ("[" * 3000, "neither TOML nor JSON"),
        ('{"registrations": []}', "a list of tables is needed"),
        ('{"registrations": ["x"]}', "a table is needed"),
        ('{"registrations": [{"issuer": 5}]}', "issuer: has the wrong type"),
        ('{"registrations": [{"isuer": "x"}]}', "isuer: is no setting"),
    ],
    ids=range(7),
)
def test_an_unusable_file_is_refused_with_reasons(
    registrations: Registrations, tmp_path: Path, content: str, problem: str
) -> None:
    path = tmp_path / ("r.json" if content else "r.toml")
    path.write_text(content)
    with pytest.raises(RequestInvalid) as refused:
        registrations.import_file(path)
    assert refused.value.code is ErrorCode.REGISTRATION_INVALID
    assert problem in " ".join(refused.value.params["problems"])  # type: ignore[arg-type]


def test_a_file_with_one_problem_adds_nothing(registrations: Registrations, tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text(json.dumps({"registrations": [MOODLE, {**MOODLE, "client_id": ""}]}))
    with pytest.raises(RequestInvalid):
        registrations.import_file(path)
    assert registrations.list() == ()
    with pytest.raises(RequestInvalid, match=r"missing\.json cannot be read: No such file"):
        registrations.import_file(tmp_path / "missing.json")


@pytest.mark.parametrize("name", ["", "   ", "x" * 201])
def test_an_organisation_needs_a_name(registrations: Registrations, name: str) -> None:
    with pytest.raises(RequestInvalid):
        registrations.ensure_organisation(name)
