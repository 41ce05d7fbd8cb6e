"""What is looked for in the templates themselves, whichever page shows them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from jinja2 import Environment, nodes

from lti_tool.settings import packaged_folder

TEMPLATES = packaged_folder("templates")
PARSER = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
EVERY = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))


def parsed(source: str) -> nodes.Template:
    return PARSER.parse(source)


def template(name: str) -> nodes.Template:
    return parsed((TEMPLATES / name).read_text(encoding="utf-8"))


def imported(tree: nodes.Template) -> Iterator[str]:
    """The names that a template imports, as it calls them."""
    for one in tree.find_all(nodes.FromImport):
        yield from (name if isinstance(name, str) else name[1] for name in one.names)
    yield from (one.target for one in tree.find_all(nodes.Import))


def unused(tree: nodes.Template) -> list[str]:
    names = loaded(tree)
    return [name for name in imported(tree) if name not in names]


def loaded(tree: nodes.Template) -> set[str]:
    """The names that a template uses. What it includes sees what it imports; what it extends does not."""
    names = {name.name for name in tree.find_all(nodes.Name) if name.ctx == "load"}
    for one in tree.find_all(nodes.Include):
        assert isinstance(one.template, nodes.Const)
        included = template(one.template.value)
        names |= loaded(included) - set(imported(included))
    return names


@pytest.mark.parametrize("name", EVERY)
def test_whatever_is_imported_is_used(name: str) -> None:
    assert unused(template(name)) == []


def test_an_import_that_nobody_uses_is_found() -> None:
    source = '{% from "a.html" import one, two as three, four %}{% import "b.html" as five %}{{ one() }}'
    tree = parsed(source + "{% call four() %}{{ two }}{% endcall %}{% set five = 1 %}")
    assert unused(tree) == ["three", "five"]
