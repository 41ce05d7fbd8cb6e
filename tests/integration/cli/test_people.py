"""``lti-tool export person`` and ``lti-tool erase``."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import sqlalchemy as sa

from lti_tool.bootstrap import Tool
from lti_tool.store.tables import AuditEvent, Learner
from tests import factories
from tests.integration.cli.conftest import CommandLine


def learners(tool: Tool) -> set[str]:
    with tool.database.read() as session:
        return set(session.scalars(sa.select(Learner.id)))


def test_a_person_is_written_into_a_file_that_nobody_else_reads(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    course = factories.course(tool.database)
    (learner_id,) = factories.enrol(tool.database, course)
    target = tmp_path / "ada.zip"
    said = lti_tool("export", "person", "--learner", learner_id, "--output", str(target), "--json")
    assert (said.status, said.json["learner"], said.json["counts"]["courses"]) == (0, learner_id, 1)
    assert target.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(target) as archive:
        assert json.loads(archive.read("data.json"))["person"]["id"] == learner_id
        assert "What is stored about you" in archive.read("data.html").decode()
    again = lti_tool("export", "person", "--learner", learner_id, "--output", str(target))
    assert again.status == 1
    assert "is there already" in again.err


def test_nothing_is_erased_without_yes(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    learner_id, other_id = factories.enrol(tool.database, course, 2)
    said = lti_tool("erase", "--learner", learner_id)
    assert said.status == 0
    assert "--yes" in said.out
    assert "still lists them" in said.out
    assert learners(tool) == {learner_id, other_id}
    (row,) = lti_tool("erase", "--learner", learner_id, "--yes", "--json").json
    assert (row["is_erased"], row["counts"]["courses"]) == (True, 1)
    assert learners(tool) == {other_id}
    with tool.database.read() as session:
        assert session.scalars(sa.select(AuditEvent.actor)).all() == ["cli"]
    gone = lti_tool("erase", "--learner", learner_id, "--yes")
    assert gone.status == 1
    assert "learner_not_found" in gone.err


def test_a_platforms_own_id_finds_the_person(tool: Tool, lti_tool: CommandLine) -> None:
    course = factories.course(tool.database)
    (learner_id,) = factories.enrol(tool.database, course)
    with tool.database.read() as session:
        sub = session.scalars(sa.select(Learner.sub)).one()
    (row,) = lti_tool("erase", "--registration", course.registration_id, "--sub", sub, "--json").json
    assert (row["learner"], row["is_erased"]) == (learner_id, False)
    assert lti_tool("erase", "--registration", course.registration_id, "--sub", "x", "--json").status == 1
    for wrong in (["--sub", sub], ["--registration", course.registration_id], []):
        assert "request_invalid" in lti_tool("erase", *wrong).err


def test_after_a_back_up_was_put_back_the_list_erases_them_again(
    tool: Tool, lti_tool: CommandLine, tmp_path: Path
) -> None:
    course = factories.course(tool.database)
    learner_id, other_id = factories.enrol(tool.database, course, 2)
    with tool.database.read() as session:
        before = session.get_one(Learner, learner_id)
        kept = {column.name: getattr(before, column.name) for column in Learner.__table__.columns}
    assert lti_tool("erase", "--learner", learner_id, "--yes").status == 0
    listed = lti_tool("erase", "--list")
    assert listed.out.split() == [learner_id]
    assert lti_tool("erase", "--list", "--since", "2999-01-01").out.split() == []
    assert "request_invalid" in lti_tool("erase", "--list", "--since", "yesterday").err
    with tool.database.write() as session:
        session.execute(sa.insert(Learner).values(**kept))
    file = tmp_path / "erased.txt"
    file.write_text(listed.out + "0" * 32 + "\n", encoding="utf-8")
    said = lti_tool("erase", "--file", str(file), "--yes", "--json")
    assert said.status == 0
    assert [row["is_erased"] for row in said.json] == [True, False]
    assert learners(tool) == {other_id}
