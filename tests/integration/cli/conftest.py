"""The command on an installation of its own; nothing listens, nothing leaves this machine."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from requests import ConnectionError as RequestsConnectionError
from requests import Response
from requests.adapters import BaseAdapter

from lti_tool import cli
from lti_tool.bootstrap import Tool, build_tool, build_verifier, make_keys
from lti_tool.settings import load_settings
from tests.databases import fresh_database_url
from tests.integration.jobs.small_lms import SmallLms


@dataclass(frozen=True)
class Said:
    """What one call answered."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output of a call with ``--json``."""
        return json.loads(self.out)


CommandLine = Callable[..., Said]


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Settings that point at an empty folder."""
    monkeypatch.setenv("LTI_TOOL_ENV", "development")
    monkeypatch.setenv("LTI_TOOL_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def installed(
    empty: Path, tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """The same with a migrated database."""
    with fresh_database_url("sqlite", request, tmp_path) as url:
        monkeypatch.setenv("LTI_TOOL_DATABASE_URL", url)
        yield empty


@pytest.fixture
def tool(installed: Path) -> Iterator[Tool]:
    """The installation that the command sees."""
    opened = build_tool(load_settings())
    make_keys(opened.keyring)
    yield opened
    opened.close()


@pytest.fixture
def lti_tool(capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """Calls the command."""

    def call(*arguments: str) -> Said:
        capsys.readouterr()
        status = cli.main(arguments)
        said = capsys.readouterr()
        return Said(status, said.out, said.err)

    return call


class Unreachable(BaseAdapter):
    """A network in which nobody answers."""

    def send(self, *_: Any, **__: Any) -> Response:
        """Fail as a refused connection does."""
        raise RequestsConnectionError("refused")

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def lms(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every platform is the small LMS."""
    monkeypatch.setattr(cli, "build_tool", partial(build_tool, mounts={"https://": SmallLms()}))


@pytest.fixture
def no_lms(monkeypatch: pytest.MonkeyPatch) -> None:
    """No platform answers."""
    monkeypatch.setattr(cli, "build_tool", partial(build_tool, mounts={"https://": Unreachable()}))
    monkeypatch.setattr(cli, "build_verifier", partial(build_verifier, mounts={"https://": Unreachable()}))
