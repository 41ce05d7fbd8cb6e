"""The components page shows every macro of ``templates/components``, and the product does not have it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import nodes

from lti_tool.settings import packaged_folder
from lti_tool.web.assets import FOLDER
from tests.gallery import components
from tests.gallery.app import gallery_app
from tests.unit.web.samples import Sample

COMPONENTS = packaged_folder("templates") / "components"
PAGE = Path(components.__file__).parent / "templates" / "components.html"


@pytest.fixture(scope="module")
def gallery() -> Flask:
    return gallery_app()


def parsed(gallery: Flask, path: Path) -> nodes.Template:
    return gallery.jinja_env.parse(path.read_text(encoding="utf-8"))


def called(tree: nodes.Node) -> Iterator[str]:
    """Names of what is called, by whatever module it was imported."""
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name):
            yield call.node.name
        elif isinstance(call.node, nodes.Getattr):
            yield call.node.attr


def unseen(gallery: Flask, page: nodes.Node, folder: Path = COMPONENTS) -> set[str]:
    """Macros that the page calls neither itself nor through another macro."""
    macros: dict[str, set[str]] = {}
    for path in folder.glob("*.html"):
        for macro in parsed(gallery, path).find_all(nodes.Macro):
            assert macro.name not in macros, f"two macros are called {macro.name}"
            macros[macro.name] = set(called(macro))
    assert macros, "no components found"
    reached: set[str] = set()
    waiting = set(called(page)) & set(macros)
    while waiting:
        name = waiting.pop()
        reached.add(name)
        waiting |= (macros[name] & set(macros)) - reached
    return set(macros) - reached


def test_every_macro_is_shown(gallery: Flask) -> None:
    assert unseen(gallery, parsed(gallery, PAGE)) == set()


def test_a_macro_that_is_not_shown_is_noticed(gallery: Flask, tmp_path: Path) -> None:
    (tmp_path / "new.html").write_text("{% macro meter(value) %}{{ value }}{% endmacro %}", encoding="utf-8")
    assert unseen(gallery, parsed(gallery, PAGE), tmp_path) == {"meter"}


def test_every_kind_and_icon_is_shown(gallery: Flask) -> None:
    gallery.extensions["lti_tool"] = Sample()
    page = BeautifulSoup(gallery.test_client().get("/_components").text, "html5lib")
    shown = {name for element in page.find_all(class_=True) for name in element["class"]}
    sheet = (FOLDER / "style.css").read_text(encoding="utf-8")
    kinds = set(re.findall(r"\.((?:pill|notice|button)-[a-z]+)\b", sheet))
    icons = re.findall(r'name == "([a-z_]+)"', (COMPONENTS / "parts.html").read_text(encoding="utf-8"))
    assert kinds - shown == set()
    assert {f"icon-{name}" for name in icons} - shown == set()


@pytest.mark.parametrize("is_development", [True, False])
def test_the_product_does_not_have_it(is_development: bool, client: FlaskClient, tool: Sample) -> None:
    tool.settings.is_development = is_development
    assert client.get("/_components").status_code == 404
