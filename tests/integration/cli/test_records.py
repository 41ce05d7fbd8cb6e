"""``lti-tool export awards`` and ``export completions``."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from lti_tool import cli
from lti_tool.bootstrap import Tool
from lti_tool.services.records import COLUMNS, RecordKind
from lti_tool.store.tables import AuditEvent
from tests import factories
from tests.integration.cli.conftest import CommandLine


def awarded(tool: Tool) -> tuple[str, str, str]:
    """An organisation with one badge held: ids of the organisation, the learner and the award."""
    course = factories.course(tool.database)
    placed = factories.placed(tool.database, course)
    (learner_id,) = factories.enrol(tool.database, course)
    return course.organisation_id, learner_id, factories.award(tool.database, course, placed, learner_id)


def test_awards_are_written_into_a_file_that_nobody_else_reads(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    organisation_id, learner_id, award_id = awarded(tool)
    tool.issuing.issue_credential(award_id)
    target = tmp_path / "awards.csv"
    said = lti_tool("export", "awards", organisation_id, "--output", str(target), "--json")
    assert (said.status, said.json["rows"], said.json["kind"]) == (0, 1, "awards")
    assert target.stat().st_mode & 0o077 == 0
    raw = target.read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf"), "Excel reads UTF-8 by its mark"
    assert b"\r\r" not in raw
    (row,) = csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""))
    assert tuple(row) == COLUMNS[RecordKind.AWARDS]
    assert (row["award_id"], row["learner_id"], row["state"]) == (award_id, learner_id, "active")
    assert row["credential_url"].endswith(f"/credentials/{row['credential_id']}")
    again = lti_tool("export", "awards", organisation_id, "--output", str(target))
    assert (again.status, "is there already" in again.err) == (1, True)
    assert target.read_bytes() == raw
    with tool.database.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.actor == "cli")).all()
    assert actions.count("records.exported") == 1, "the one that wrote nothing took nothing"


def test_the_file_can_go_through_a_pipe(tool: Tool, lti_tool: CommandLine) -> None:
    organisation_id, _learner_id, award_id = awarded(tool)
    said = lti_tool("export", "awards", organisation_id, "--format", "json", "--output", "-")
    (row,) = json.loads(said.out)
    assert (said.status, row["award_id"], row["state"]) == (0, award_id, "unsigned")
    assert (row["credential_url"], row["version"]) == (None, 1)
    none = lti_tool("export", "completions", organisation_id, "--format", "json", "--output", "-")
    assert json.loads(none.out) == []
    both = lti_tool("export", "awards", organisation_id, "--output", "-", "--json")
    assert both.status == 1


def test_whoever_reads_a_pipe_may_stop(
    tool: Tool, lti_tool: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation_id, _learner_id, _award_id = awarded(tool)
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        status = cli.main(["export", "awards", organisation_id, "--output", "-"])
    assert status == 0


def test_an_unknown_organisation_or_time_is_said(tool: Tool, lti_tool: CommandLine) -> None:
    organisation_id, _learner_id, _award_id = awarded(tool)
    assert "organisation_not_found" in lti_tool("export", "awards", "nobody").err
    said = lti_tool("export", "awards", organisation_id, "--since", "yesterday")
    assert (said.status, "no time: yesterday" in said.err) == (1, True)
    assert lti_tool("export", "badges", organisation_id).status == 2


@pytest.mark.parametrize("kind", ["json", "jwt"])
def test_a_persons_badges_are_written_as_one_signed_record(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path, kind: str
) -> None:
    organisation_id, learner_id, award_id = awarded(tool)
    tool.issuing.issue_credential(award_id)
    target = tmp_path / "record"
    said = lti_tool("export", "clr", learner_id, "--format", kind, "--output", str(target), "--json")
    assert (said.status, said.json["learner"], said.json["organisation"]) == (0, learner_id, organisation_id)
    assert target.stat().st_mode & 0o077 == 0
    assert tool.verifying.verify(target.read_bytes()).is_record
    again = lti_tool("export", "clr", learner_id, "--output", str(target))
    assert (again.status, "is there already" in again.err) == (1, True)
    with tool.database.read() as session:
        actions = session.scalars(sa.select(AuditEvent.action).where(AuditEvent.actor == "cli")).all()
    assert actions.count("learner_record.exported") == 1


def test_there_is_no_record_of_somebody_without_a_badge_and_none_of_nobody(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    _organisation_id, learner_id, _award_id = awarded(tool)
    target = tmp_path / "record"
    for somebody in (learner_id, "nobody"):
        assert lti_tool("export", "clr", somebody, "--output", str(target)).status == 1
        assert not target.exists()
