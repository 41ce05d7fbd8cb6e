from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from lti_tool import credentials
from lti_tool.credentials import contexts
from lti_tool.credentials.errors import ContextNotVendored
from tests import needs

FOLDER = Path(credentials.__file__).parent / "contexts"


def test_every_file_in_the_folder_is_registered_with_its_hash() -> None:
    files = {path.name for path in FOLDER.iterdir()} - {"SOURCES.toml"}
    assert files == {row.file for row in contexts.REGISTRY.values()}
    for row in contexts.REGISTRY.values():
        assert hashlib.sha256((FOLDER / row.file).read_bytes()).hexdigest() == row.sha256
        assert row.licence
        assert row.package.startswith(("npm:", "pypi:"))


@pytest.mark.parametrize("row", contexts.REGISTRY.values(), ids=lambda row: row.file)
def test_contexts_say_what_the_specifications_repositories_say(row: contexts.VendoredContext) -> None:
    other = needs.reference(f"data/contexts/{row.file}")
    assert json.loads(other.read_text("utf-8")) == dict(row.document)


def test_the_core_contexts_have_the_bytes_that_the_specifications_print() -> None:
    assert contexts.REGISTRY[contexts.CREDENTIALS_V2].sha256.startswith("59955ced6697d61e")
    assert contexts.REGISTRY[contexts.OPEN_BADGES_3_0_3].sha256.startswith("3d34f4d4ef1bce69")


@pytest.mark.parametrize(
    "url",
    [
        "https://example.org/context.json",
        "file:///etc/passwd",
        "https://www.w3.org/ns/credentials/v2/",
        "https://www.w3.org/ns/credentials/examples/v2",
        "",
    ],
)
def test_any_other_url_is_refused(url: str) -> None:
    with pytest.raises(ContextNotVendored) as refused:
        contexts.document_loader(url, {})
    assert refused.value.url == url


def test_an_altered_file_stops_the_import(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = type("Digest", (), {"hexdigest": lambda self: "0" * 64})
    monkeypatch.setattr(contexts.hashlib, "sha256", lambda content: digest())
    with pytest.raises(RuntimeError, match="altered"):
        contexts._read_registry()
