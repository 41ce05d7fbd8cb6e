"""The ``lti-tool`` command: answers, exit statuses, one clear sentence for each failure."""

from __future__ import annotations

import argparse
import base64
import io
import json
import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

from lti_tool import cli
from lti_tool.bootstrap import Tool, build_tool
from lti_tool.commands import doctor
from lti_tool.domain.registrations import DeploymentStatus, DeploymentView
from lti_tool.lti.access import ServiceAccess, host_of
from lti_tool.services.reissuing import Reissuing
from lti_tool.store import tables
from lti_tool.store.tables import Registration
from tests import factories
from tests.integration.cli.conftest import CommandLine
from tests.integration.jobs.small_lms import PASSING

MOODLE = (
    *("--issuer", "https://moodle.example", "--client-id", "abc", "--product", "moodle"),
    *("--auth-url", "https://moodle.example/mod/lti/auth.php"),
    *("--token-url", "https://moodle.example/mod/lti/token.php"),
    *("--jwks-url", "https://moodle.example/mod/lti/certs.php"),
)

KEY_SET = {
    "keys": [
        {"kty": "RSA", "kid": "k", "e": "AQAB", "n": base64.urlsafe_b64encode(b"\xc1" * 256).decode("ascii")}
    ]
}


def every_command(parser: argparse.ArgumentParser, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    groups = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for group in groups:
        for name, sub in group.choices.items():
            yield from every_command(sub, (*path, name))
    if not groups:
        yield path


# -- the command itself


def test_the_commands_of_the_public_interface_are_there() -> None:
    commands = {" ".join(path) for path in every_command(cli.build_parser())}
    assert commands >= {
        *("serve", "worker", "doctor", "sync", "award", "verify"),
        *(f"db {name}" for name in ("upgrade", "downgrade", "check")),
        *(f"keys {name}" for name in ("generate", "rotate", "compromised", "encrypt", "decrypt", "list")),
        *("issuers add", "issuers list", "credentials reissue"),
        *(
            f"registrations {name}"
            for name in ("add", "list", "show", "approve", "disable", "remove", "import")
        ),
        *(f"staff {name}" for name in ("invite", "list", "disable")),
        *(f"contexts {name}" for name in ("list", "show")),
        *(f"credentials {name}" for name in ("issue", "revoke", "show", "list")),
    }


@pytest.mark.parametrize("path", list(every_command(cli.build_parser())), ids=" ".join)
def test_every_command_explains_itself_and_takes_json(path: tuple[str, ...], lti_tool: CommandLine) -> None:
    said = lti_tool(*path, "--help")
    assert said.status == 0
    assert "--json" in said.out
    assert re.search(r"\n\n[A-Z][^\n]{8,}", said.out), "a sentence says what it does"


@pytest.mark.parametrize(
    "arguments", [(), ("nonsense",), ("keys",), ("registrations", "show"), ("serve", "--port", "x")]
)
def test_wrong_usage_exits_with_2(arguments: tuple[str, ...], lti_tool: CommandLine) -> None:
    said = lti_tool(*arguments)
    assert said.status == 2
    assert said.err.startswith("usage: lti-tool")
    assert said.out == ""


def test_wrong_settings_are_all_named(monkeypatch: pytest.MonkeyPatch, lti_tool: CommandLine) -> None:
    monkeypatch.setenv("LTI_TOOL_BASE_URL", "ftp://x")
    monkeypatch.setenv("LTI_TOOL_NONSENSE", "1")
    said = lti_tool("doctor")
    assert said.status == 1
    assert "settings_invalid" in said.err
    assert "base_url" in said.err
    assert "LTI_TOOL_NONSENSE" in said.err
    assert "Traceback" not in said.err


def test_an_unmigrated_database_is_one_sentence_with_the_mend(empty: Path, lti_tool: CommandLine) -> None:
    said = lti_tool("registrations", "list")
    assert said.status == 1
    assert "run: lti-tool db upgrade (database_not_migrated)" in said.err
    assert said.out == ""


def test_errors_are_json_where_json_was_asked_for(installed: Path, lti_tool: CommandLine) -> None:
    said = lti_tool("registrations", "show", "0" * 32, "--json")
    assert said.status == 1
    assert said.json["error"]["code"] == "registration_unknown"


def test_a_database_that_fails_in_between_leaks_no_values(
    tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with tool.database.write() as session:
        session.connection().exec_driver_sql("ALTER TABLE registrations RENAME TO elsewhere")
    said = lti_tool("registrations", "list")
    assert said.status == 1
    assert said.err.startswith("lti-tool: OperationalError: no such table: registrations (internal)\n")
    assert "-> lti-tool doctor" in said.err
    assert said.err.count("\n") == 2
    assert lti_tool("registrations", "list", "--json").json["error"]["code"] == "internal"


@pytest.mark.parametrize(
    "arguments,sentence,next_step",
    [
        (("registrations", "show", "x"), "registration unknown: x", "lti-tool registrations list"),
        (("registrations", "remove", "x"), "registration unknown: x", "lti-tool registrations list"),
        (("deployments", "disable", "x"), "deployment x", "deployments list"),
        (("contexts", "show", "x"), "no course x", "lti-tool contexts list"),
        (("sync", "x"), "no course x", "lti-tool contexts list"),
        (("credentials", "show", "x"), "no credential x", "lti-tool credentials list"),
        (
            ("credentials", "revoke", "x", "--reason", "r"),
            "no credential x",
            "lti-tool credentials list",
        ),
        (("verify", "http://badges.example/x"), "verify url unreachable: refused", "lti-tool verify FILE"),
        (("verify", __file__), "credential not recognised: not_json", "baked PNG"),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_a_failure_is_a_sentence_with_a_next_step(
    installed: Path, lti_tool: CommandLine, arguments: tuple[str, ...], sentence: str, next_step: str
) -> None:
    said = lti_tool(*arguments)
    assert said.status == 1
    happened, mend = said.err.splitlines()
    assert happened.startswith(f"lti-tool: {sentence}")
    assert mend.startswith("  -> ")
    assert next_step in mend


# -- db and keys


def test_migrating_up_and_down(empty: Path, lti_tool: CommandLine) -> None:
    assert lti_tool("db", "check").status == 1
    assert lti_tool("db", "upgrade", "--json").json["before"] is None
    assert lti_tool("db", "check").status == 0
    assert lti_tool("db", "upgrade").status == 0
    assert lti_tool("db", "downgrade", "base", "--json").json["after"] is None
    assert lti_tool("db", "downgrade").status == 2, "nobody empties a database by leaving a word out"


@pytest.mark.parametrize("command", ["upgrade", "downgrade"])
def test_a_revision_that_this_release_does_not_know_is_one_sentence(
    installed: Path, lti_tool: CommandLine, command: str
) -> None:
    said = lti_tool("db", command, "9999")
    assert said.status == 1
    assert "'9999'; this release knows revisions up to" in said.err
    assert said.err.splitlines()[0].endswith("(database_not_migrated)")


def test_a_database_of_a_newer_release_is_one_sentence(tool: Tool, lti_tool: CommandLine) -> None:
    with tool.database.write() as session:
        session.connection().exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    said = lti_tool("db", "upgrade")
    assert said.status == 1
    assert "a database beyond them needs the release that migrated it" in said.err


def test_rotating_an_issuers_key_needs_a_migrated_database(empty: Path, lti_tool: CommandLine) -> None:
    said = lti_tool("keys", "rotate", "0" * 32)
    assert said.status == 1
    assert "run: lti-tool db upgrade (database_not_migrated)" in said.err
    assert lti_tool("keys", "rotate").status == 0, "the tool's own key needs no database"


def test_keys_are_made_once_and_rotated(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    made = lti_tool("keys", "generate", "--json").json
    assert {key["purpose"] for key in made} == {"lti", f"issuers/{course.issuer_id}"}
    assert lti_tool("keys", "generate", "--json").json == made
    (rotated,) = lti_tool("keys", "rotate", "--json").json
    assert rotated["kid"] not in {key["kid"] for key in made}
    assert lti_tool("keys", "rotate", course.issuer_id).status == 0
    kept = len(lti_tool("keys", "list", "--json").json)
    assert lti_tool("keys", "rotate", "nobody").status == 1
    assert len(lti_tool("keys", "list", "--json").json) == kept
    listed = lti_tool("keys", "list", "--json").json
    assert sorted(key["state"] for key in listed) == ["active", "active", "retired", "retired"]
    assert "PRIVATE" not in lti_tool("keys", "list").out


def test_an_issuers_keys_for_tokens_are_rotated_apart(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    tool.keyring.ensure(f"issuers/{course.issuer_id}")
    tokens = tool.keyring.ensure(f"issuers/{course.issuer_id}/tokens", "ES256")
    (rotated,) = lti_tool("keys", "rotate", tokens.purpose, "--json").json
    assert (rotated["purpose"], rotated["algorithm"]) == (tokens.purpose, "ES256")
    assert rotated["kid"] != tokens.kid
    assert len(tool.keyring.of(f"issuers/{course.issuer_id}")) == 1


def test_a_key_that_was_seen_is_given_up_and_its_badges_are_signed_anew(
    tool: Tool, lti_tool: CommandLine
) -> None:
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    learners = factories.enrol(tool.database, course, 2)
    awards = [factories.award(tool.database, course, placed, learner) for learner in learners]
    tool.issuing.issue_for(awards)
    stolen = tool.keyring.signer(f"issuers/{course.issuer_id}").kid
    said = lti_tool("keys", "compromised", course.issuer_id, stolen)
    assert said.status == 0
    assert said.out.startswith("2 badges signed anew\n")
    assert "In two minutes the worker looks" in said.out
    states = {key["kid"]: key["state"] for key in lti_tool("keys", "list", "--json").json}
    assert states.pop(stolen) == "compromised"
    assert set(states.values()) == {"active"}
    document = tool.issuing.did_document(course.issuer_id)
    assert document is not None
    assert stolen not in document.body.decode()
    for wrong in ((course.issuer_id, "nobody"), ("nobody", stolen)):
        refused = lti_tool("keys", "compromised", *wrong)
        assert (refused.status, refused.out) == (1, "")


@pytest.mark.parametrize("purpose", ["issuers/{}", "issuers/{}/tokens", "{}/tokens", "{}"])
def test_a_key_of_tokens_is_given_up_by_whichever_name_it_is_shown_or_rotated(
    tool: Tool, lti_tool: CommandLine, purpose: str
) -> None:
    course = factories.course(tool.database)
    stolen = tool.keyring.rotate(f"issuers/{course.issuer_id}/tokens", tool.clock()).kid
    said = lti_tool("keys", "compromised", purpose.format(course.issuer_id), stolen)
    assert said.status == 0, said.err
    states = {key["kid"]: key["state"] for key in lti_tool("keys", "list", "--json").json}
    assert states[stolen] == "compromised"


def test_a_key_of_badges_is_not_given_up_as_one_of_tokens(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    signs = tool.keyring.rotate(f"issuers/{course.issuer_id}", tool.clock()).kid
    refused = lti_tool("keys", "compromised", f"issuers/{course.issuer_id}/tokens", signs)
    assert (refused.status, refused.out) == (1, "")
    states = {key["kid"]: key["state"] for key in lti_tool("keys", "list", "--json").json}
    assert states[signs] == "active"


def test_whoever_asks_is_told_that_the_worker_was_quicker(
    tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    (learner,) = factories.enrol(tool.database, course, 1)
    credential_id = tool.issuing.issue_credential(factories.award(tool.database, course, placed, learner))
    stolen = tool.keyring.signer(f"issuers/{course.issuer_id}").kid
    monkeypatch.setattr(Reissuing, "work", lambda *_: None)
    said = lti_tool("credentials", "reissue", str(credential_id), "--reason", "Again").out
    assert said == "0 signed anew; the worker goes on with the others\n"
    said = lti_tool("keys", "compromised", course.issuer_id, stolen).out
    assert said.startswith("0 badges signed anew\n")
    assert "The worker was quicker to take it" in said
    assert "In two minutes" not in said


def test_a_badge_is_signed_anew_on_request(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    (learner,) = factories.enrol(tool.database, course, 1)
    credential_id = tool.issuing.issue_credential(factories.award(tool.database, course, placed, learner))
    assert credential_id is not None
    before = lti_tool("credentials", "show", credential_id, "--json").json["document"]
    assert lti_tool("credentials", "reissue", credential_id, "--reason", "Again").out == "1 signed anew\n"
    assert lti_tool("credentials", "show", credential_id, "--json").json["document"] != before
    assert lti_tool("credentials", "reissue", "nobody", "--reason", "Again").status == 1


def test_a_further_issuer_is_added_and_may_be_the_default(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    added = lti_tool(
        "issuers",
        "add",
        course.organisation_id,
        "Faculty",
        "--default",
        "--token-algorithm",
        "ES256",
        "--json",
    ).json
    assert added["did"].endswith(f":issuers:{added['id']}")
    listed = {one["id"]: one["is_default"] for one in lti_tool("issuers", "list", "--json").json}
    assert listed == {course.issuer_id: False, added["id"]: True}
    assert lti_tool("issuers", "add", course.organisation_id, "Faculty").status == 1
    assert lti_tool("issuers", "add", "nobody", "Faculty").status == 1


def test_a_key_is_announced_once_and_only_the_tools_own(tool: Tool, lti_tool: CommandLine) -> None:
    active = tool.keyring.signer("lti").kid
    (announced,) = lti_tool("keys", "rotate", "--announce", "--json").json
    assert (announced["state"], tool.keyring.signer("lti").kid) == ("next", active)
    assert lti_tool("keys", "rotate", "--announce", "--json").json[0]["kid"] == announced["kid"]
    course = factories.course(tool.database)
    assert lti_tool("keys", "rotate", "--announce", course.issuer_id).status == 1


def test_keys_are_encrypted_and_opened_again_on_command(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kid = tool.keyring.signer("lti").kid
    said = lti_tool("keys", "encrypt")
    assert said.status == 1
    assert "(key_passphrase_missing)" in said.err
    passphrase = tmp_path / "passphrase"
    passphrase.touch(0o600)
    passphrase.write_text("a passphrase of more than 32 characters\n")
    monkeypatch.setenv("LTI_TOOL_KEYS_PASSPHRASE_FILE", str(passphrase))
    warned = [each for each in lti_tool("doctor", "--json").json if each["part"] == "keys"]
    assert [(each["state"], each["mend"]) for each in warned] == [
        ("ok", ""),
        ("warn", "lti-tool keys encrypt"),
    ]
    (encrypted,) = lti_tool("keys", "encrypt", "--json").json
    assert (encrypted["kid"], encrypted["is_encrypted"]) == (kid, True)
    assert lti_tool("keys", "encrypt").out == "none\n"
    monkeypatch.delenv("LTI_TOOL_KEYS_PASSPHRASE_FILE")
    said = lti_tool("keys", "list")
    assert said.status == 1
    assert "set LTI_TOOL_KEYS_PASSPHRASE_FILE" in said.err
    monkeypatch.setenv("LTI_TOOL_KEYS_PASSPHRASE", "another passphrase of more than 32 characters")
    said = lti_tool("keys", "rotate")
    assert said.status == 1
    assert "(key_passphrase_wrong)" in said.err
    passphrase.chmod(0o644)
    monkeypatch.delenv("LTI_TOOL_KEYS_PASSPHRASE")
    monkeypatch.setenv("LTI_TOOL_KEYS_PASSPHRASE_FILE", str(passphrase))
    said = lti_tool("keys", "decrypt")
    assert said.status == 1
    assert "can be read by others" in said.err
    passphrase.chmod(0o600)
    assert lti_tool("keys", "decrypt", "--json").json[0]["is_encrypted"] is False


# -- registrations


def test_a_registration_is_added_once_and_approved(tool: Tool, lti_tool: CommandLine) -> None:
    first = lti_tool("registrations", "add", *MOODLE, "--json").json
    assert first["status"] == "pending"
    again = lti_tool(
        "registrations", "add", *MOODLE, "--deployment-id", "1", "--deployment-id", "2", "--approve", "--json"
    ).json
    assert (again["id"], again["status"]) == (first["id"], "approved")
    assert {(each["id_on_platform"], each["status"]) for each in again["deployments"]} == {
        ("1", "approved"),
        ("2", "approved"),
    }
    assert len(lti_tool("registrations", "list", "--json").json) == 1
    assert lti_tool("registrations", "disable", first["id"], "--json").json["status"] == "disabled"
    assert lti_tool("registrations", "approve", first["id"], "--json").json["status"] == "approved"
    (third,) = lti_tool("deployments", "approve", first["id"], "3", "--json").json
    assert third["organisation_id"] is not None
    (ended,) = lti_tool("deployments", "disable", third["id"], "--json").json
    assert ended["status"] == "disabled"
    assert lti_tool("registrations", "remove", first["id"]).status == 0
    assert lti_tool("registrations", "list").out == "none\n"


def test_every_problem_of_a_registration_is_told(installed: Path, lti_tool: CommandLine) -> None:
    bad = [value.replace("https://moodle.example/", "ftp://x/") for value in MOODLE]
    said = lti_tool("registrations", "add", *bad)
    assert said.status == 1
    assert "3 problems (registration_invalid)" in said.err


def test_registrations_are_imported_from_a_file(
    installed: Path, tmp_path: Path, lti_tool: CommandLine
) -> None:
    path = tmp_path / "registrations.toml"
    path.write_text(
        "[[registrations]]\n"
        + "\n".join(
            f'{name.removeprefix("--").replace("-", "_")} = "{value}"'
            for name, value in zip(MOODLE[::2], MOODLE[1::2], strict=True)
        ),
        encoding="utf-8",
    )
    assert [row["client_id"] for row in lti_tool("registrations", "import", str(path), "--json").json] == [
        "abc"
    ]
    assert lti_tool("registrations", "import", str(tmp_path / "missing.toml")).status == 1


def test_organisations_and_issuers(installed: Path, lti_tool: CommandLine) -> None:
    made = lti_tool("organisations", "add", "Open Learning", "--json").json
    assert lti_tool("organisations", "add", "Open Learning", "--json").json == made
    assert [row["name"] for row in lti_tool("organisations", "list", "--json").json] == ["Open Learning"]
    (issuer,) = lti_tool("issuers", "list", "--json").json
    assert issuer["did"] == f"did:web:localhost%3A8000:issuers:{made['issuer_id']}"


# -- courses and badges


@pytest.fixture
def graded(tool: Tool) -> factories.Course:
    """A course of three, of whom two have what the badge asks for."""
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    first, second, third = factories.enrol(tool.database, course, 3)
    factories.grade(tool.database, course, placed, [first, second], Decimal(85))
    factories.grade(tool.database, course, placed, [third], 20)
    return course


def test_a_dry_run_writes_nothing(graded: factories.Course, lti_tool: CommandLine) -> None:
    (would,) = lti_tool("award", "--dry-run", graded.context_id, "--json").json
    assert would["verdicts"] == {"award": 2, "not_yet": 1}
    assert [each["name"][:7] for each in would["would_earn"]] == ["Learner", "Learner"]
    assert lti_tool("credentials", "list", "--json").json == []


def test_awards_are_decided_issued_listed_and_revoked(
    graded: factories.Course, tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    (report,) = lti_tool("award", "--json").json
    assert (report["awarded"], report["issued"]) == (2, 2)
    (again,) = lti_tool("award", "--json").json
    assert (again["awarded"], again["issued"]) == (0, 0)

    listed = lti_tool("credentials", "list", "--json").json
    assert len(listed) == 2
    assert {(each["status"], each["is_public"]) for each in listed} == {("issued", False)}
    assert listed[0]["url"] == f"http://localhost:8000/credentials/{listed[0]['id']}"

    shown = lti_tool("credentials", "show", listed[0]["id"], "--json").json
    path = tmp_path / "badge.json"
    path.write_text(shown["document"], encoding="utf-8")
    assert lti_tool("verify", str(path)).status == 0

    assert lti_tool("credentials", "list", "--ending-within", "36500", "--json").json == []
    with tool.database.write() as session:
        session.execute(
            sa.update(tables.Credential)
            .where(tables.Credential.id == listed[0]["id"])
            .values(valid_until=tool.clock() + timedelta(days=20))
        )
    assert lti_tool("credentials", "list", "--ending-within", "19", "--json").json == []
    ending = lti_tool("credentials", "list", "--ending-within", "21", "--json").json
    assert [each["id"] for each in ending] == [listed[0]["id"]]
    assert "valid_until" in lti_tool("credentials", "list", "--ending-within", "21").out
    for refused in ("0", "36501", "-1", "x", "9" * 5000):
        assert lti_tool("credentials", "list", "--ending-within", refused).status == 2

    read_by_people = lti_tool("credentials", "show", listed[0]["id"]).out
    assert '\n  "credentialSubject": {\n' in read_by_people, "one line of JSON is for programs"
    assert json.loads(read_by_people[read_by_people.index("{") :]) == json.loads(shown["document"])

    assert lti_tool("credentials", "revoke", listed[0]["id"]).status == 2, "a reason is needed"
    assert lti_tool("credentials", "revoke", listed[0]["id"], "--reason", "Given by mistake").status == 0
    revoked = lti_tool("verify", str(path), "--json")
    assert (revoked.status, revoked.json["verdict"]) == (3, "invalid")
    statuses = {each["id"]: each["status"] for each in lti_tool("credentials", "list", "--json").json}
    assert statuses == {listed[0]["id"]: "revoked", listed[1]["id"]: "issued"}
    paused = lti_tool("credentials", "suspend", listed[1]["id"], "--reason", "Being looked into")
    assert paused.status == 1, "its status list says what is revoked"
    both = [each["id"] for each in listed]
    again = lti_tool("credentials", "revoke", *both, "--reason", "Another reason", "--json")
    assert [each["revocation_reason"] for each in again.json] == ["Given by mistake", "Another reason"]


def test_awards_that_wait_are_issued(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    first, second = factories.enrol(tool.database, course, 2)
    award_id = factories.award(tool.database, course, placed, first)
    factories.award(tool.database, course, placed, second)
    assert list(lti_tool("credentials", "issue", award_id, "--json").json["issued"]) == [award_id]
    assert len(lti_tool("credentials", "issue", "--json").json["issued"]) == 1
    assert lti_tool("credentials", "issue", "0" * 32).status == 1


def test_courses_are_listed_and_shown(graded: factories.Course, lti_tool: CommandLine) -> None:
    (listed,) = lti_tool("contexts", "list", "--json").json
    assert (listed["id"], listed["micromodules"]) == (graded.context_id, 1)
    shown = lti_tool("contexts", "show", graded.context_id, "--json").json
    assert (shown["learners"], len(shown["placements"]), len(shown["columns"])) == (3, 1, 1)
    assert "Quiz 1" in lti_tool("contexts", "show", graded.context_id).out
    assert lti_tool("contexts", "show", "0" * 32).status == 1
    assert lti_tool("contexts", "list", "--organisation", "0" * 32, "--json").json == []


def test_a_sync_reads_decides_and_issues(tool: Tool, lms: None, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database, tool.clock())
    factories.placed(tool.database, course, tool.clock())
    with tool.database.write() as session:  # an LMS whose roster tells learners from staff
        session.get_one(Registration, course.registration_id).product = "other"
    (row,) = lti_tool("sync", "--all", "--json").json
    assert (row["context"], row["status"]) == (course.context_id, "done")
    assert row["counts"]["awarded"] == row["counts"]["issued"] == PASSING
    assert len(lti_tool("credentials", "list", "--json").json) == PASSING
    assert lti_tool("sync", "--json").json == [], "nothing is due so soon again"


def test_a_sync_that_cannot_reach_the_lms_fails_and_says_so(
    graded: factories.Course, no_lms: None, lti_tool: CommandLine
) -> None:
    said = lti_tool("sync", graded.context_id, "--json")
    assert said.status == 1
    (row,) = said.json
    assert (row["context"], row["status"]) == (graded.context_id, "failed")
    assert row["error_code"] == "platform_unreachable"
    assert lti_tool("sync", "0" * 32).status == 1
    assert lti_tool("sync", graded.context_id, "--all").status == 2


# -- verify


@pytest.mark.parametrize(
    "content, code",
    [(b"", "credential_not_recognised"), (b"{}", "credential_not_recognised"), (b"\x89PNG\r\n\x1a\n", "")],
)
def test_what_is_no_credential_is_a_failure(
    installed: Path, tmp_path: Path, lti_tool: CommandLine, content: bytes, code: str
) -> None:
    path = tmp_path / "thing"
    path.write_bytes(content)
    said = lti_tool("verify", str(path))
    assert said.status == 1
    assert code in said.err
    assert lti_tool("verify", str(tmp_path / "missing")).status == 1


def test_a_badge_is_read_from_standard_input(
    graded: factories.Course, tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    lti_tool("award")
    document = lti_tool(
        "credentials", "show", lti_tool("credentials", "list", "--json").json[0]["id"], "--json"
    ).json["document"]
    changed = document.replace("Badge", "Bodge", 1)
    for text, status in ((document, 0), (changed, 3)):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        assert lti_tool("verify", "-").status == status


UNSIGNED = {
    "@context": [
        "https://www.w3.org/ns/credentials/v2",
        "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json",
    ],
    "type": ["VerifiableCredential", "OpenBadgeCredential"],
}


@pytest.mark.parametrize("named", [{}, {"LTI_TOOL_DATA_DIR": "data"}], ids=["nothing", "an image's folder"])
def test_a_badge_is_verified_without_an_installation(
    graded: factories.Course,
    tool: Tool,
    lti_tool: CommandLine,
    no_lms: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    named: dict[str, str],
) -> None:
    lti_tool("award")
    listed = lti_tool("credentials", "list", "--json").json
    document = lti_tool("credentials", "show", listed[0]["id"], "--json").json["document"]
    for name in [name for name in os.environ if name.startswith("LTI_TOOL_")]:
        monkeypatch.delenv(name)
    for name, value in named.items():
        monkeypatch.setenv(name, value)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    path = tmp_path / "badge.json"

    for text, status, words in (
        (document, 4, "could not check"),  # whose issuer does not answer
        (json.dumps(UNSIGNED), 3, "invalid"),
        ("no badge", 1, "credential_not_recognised"),
    ):
        path.write_text(text, encoding="utf-8")
        said = lti_tool("verify", str(path))
        assert (said.status, words in said.out + said.err) == (status, True), said
        assert "settings_invalid" not in said.err
    assert lti_tool("verify", "https://badges.example/1").err.startswith("lti-tool: verify url unreachable")
    assert list(elsewhere.iterdir()) == [], "nothing is left on disk"


def test_settings_that_are_half_given_are_wrong_for_verify_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lti_tool: CommandLine
) -> None:
    for name in [name for name in os.environ if name.startswith("LTI_TOOL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LTI_TOOL_BASE_URL", "https://badges.example")
    said = lti_tool("verify", str(tmp_path / "badge.json"))
    assert (said.status, "settings_invalid" in said.err) == (1, True)


# -- doctor


def test_the_doctor_names_what_to_mend(empty: Path, lti_tool: CommandLine) -> None:
    said = lti_tool("doctor")
    assert said.status == 1
    assert "fail  database" in said.out
    assert "-> lti-tool db upgrade" in said.out
    assert "-> lti-tool keys generate" in said.out


def test_the_doctor_finds_a_well_installation_well(tool: Tool, lti_tool: CommandLine) -> None:
    said = lti_tool("doctor", "--json")
    assert said.status == 0
    states = {(each["part"], each["state"]) for each in said.json}
    assert {("database", "ok"), ("queue", "ok"), ("keys", "ok"), ("registrations", "warn")} <= states


def test_the_doctor_says_what_is_late_and_why(
    tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering = doctor.Finding("platform", "ok", "its key set can be read")
    monkeypatch.setattr(doctor, "_key_set", lambda *_: answering)
    now = tool.clock()
    course = factories.course(tool.database, sync_due_at=now - timedelta(minutes=20), roster_read_at=None)
    factories.course(tool.database, sync_due_at=now + timedelta(hours=2, minutes=5), roster_read_at=now)
    view = next(one for one in tool.registrations.list() if one.id == course.registration_id)
    deployment = DeploymentView(course.deployment_id, view.id, "1", None, DeploymentStatus.APPROVED)
    access = ServiceAccess(view, deployment)
    tool.call_budgets.slow_down(access, 2990.0)
    said = lti_tool("doctor")
    assert "warn  schedule: 1 courses are owed a read, the first since 20 min ago" in said.out
    platform = f"{view.name}, {host_of(view.token_url)}"
    assert f"warn  call budget: {platform}: asked to be left alone for 29" in said.out
    listed = lti_tool("contexts", "list").out
    assert "never" in listed
    assert "20 min ago" in listed
    assert "in 2 h" in listed


def test_the_doctor_says_how_far_calls_may_go(tool: Tool, lti_tool: CommandLine) -> None:
    found = {each["part"]: each["text"] for each in lti_tool("doctor", "--json").json}
    assert found["outbound"] == "https to public addresses, and for platforms also to this machine"


def test_the_doctor_sees_exposed_keys_and_dead_platforms(
    tool: Tool, no_lms: None, lti_tool: CommandLine
) -> None:
    added = lti_tool("registrations", "add", *MOODLE, "--approve", "--json").json
    for path in Path(tool.settings.keys_dir).rglob("*.pem"):
        path.chmod(0o644)
    found = {each["part"]: each for each in lti_tool("doctor", "--json").json}
    assert found["keys"]["state"] == "fail"
    assert "chmod" in found["keys"]["mend"]
    assert found[f"registration {added['name']}"]["state"] == "fail"


class OneAnswer(BaseAdapter):
    """A platform that answers everything with the same."""

    def __init__(self, status: int, body: object, date: datetime | None) -> None:
        super().__init__()
        self._status, self._body, self._date = status, body, date

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Answer."""
        response = Response()
        response.status_code, response.url, response.request = self._status, str(request.url), request
        response._content = json.dumps(self._body).encode()
        if self._date is not None:
            response.headers["Date"] = format_datetime(self._date, usegmt=True)
        return response

    def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    "status,body,behind,state,text",
    [
        (200, KEY_SET, 0, "ok", "its key set can be read, the clocks agree"),
        (200, KEY_SET, None, "ok", "approved, its key set can be read"),
        (200, KEY_SET, 30, "warn", "seconds apart"),
        (200, KEY_SET, 300, "fail", "seconds apart"),
        (404, KEY_SET, 0, "fail", "the key set answered 404"),
        (200, "log in", 0, "fail", "what answers is no key set"),
        (200, {"keys": []}, 0, "fail", "no RSA key"),
    ],
    ids=["well", "no-date", "clock-off", "clock-far-off", "not-found", "another-page", "no-keys"],
)
def test_the_doctor_reads_key_sets_as_a_launch_does(
    tool: Tool,
    lti_tool: CommandLine,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    body: object,
    behind: int | None,
    state: str,
    text: str,
) -> None:
    added = lti_tool("registrations", "add", *MOODLE, "--approve", "--json").json
    date = None if behind is None else datetime.now(UTC) - timedelta(seconds=behind)
    platform = OneAnswer(status, body, date)
    monkeypatch.setattr(cli, "build_tool", partial(build_tool, mounts={"https://": platform}))
    found = {each["part"]: each for each in lti_tool("doctor", "--json").json}
    finding = found[f"registration {added['name']}"]
    assert finding["state"] == state
    assert text in finding["text"]
    assert ("clocks agree" in finding["text"]) == (behind == 0 and state == "ok")
    assert bool(finding["mend"]) == (state != "ok")


def test_a_reader_that_goes_away_is_no_error(
    graded: factories.Course, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``lti-tool contexts list | head -1``."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        assert cli.main(["contexts", "list"]) == 0
