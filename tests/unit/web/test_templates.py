"""What is looked for in the templates themselves, whichever page shows them."""

from __future__ import annotations

import re
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


# -- names that people typed

NAME = re.compile(r"\{\{-?\s*([\w.]*(?:name|title|label|micromodule))(?:\s+or\s+[^{}]*?)?\s*-?\}\}")
OURS = {
    ("components/fields.html", "label"),
    ("components/parts.html", "label"),
    ("components/parts.html", "title"),
    ("pages/configure/rules.html", "one.title"),
    ("pages/error.html", "text.title"),
    ("pages/lti/connect.html", "field.label"),
    ("pages/lti/register_refused.html", "text.title"),
    ("pages/staff/health_parts.html", "one.name"),
    ("pages/staff/records.html", "title"),
    ("pages/versions/form.html", "title"),
}
"""What we wrote ourselves, or what stands in the language of a standard."""
BEGINS = re.compile(r"(<\w[^<]*>|\{% block \w+ %\}|\{% call \w+\([^%]*\) %\})\s*$")
ENDS = re.compile(r"\s*(</|\{% end(block|call))")


def bare_names(source: str) -> list[str]:
    """Names that are all there is of a heading, a cell, a link: each has a direction of its own, which the
    page's is not. ``bdi`` gives it that; to an ``option``, which takes no elements, ``dir`` does."""
    found = []
    for match in NAME.finditer(source):
        begins = BEGINS.search(source[: match.start()][-600:])
        if not (begins and ENDS.match(source, match.end())):
            continue
        if not re.match(r'<bdi|<[^<]*(dir="auto"|class="unseen")', begins[1]):
            found.append(match[1])
    return found


@pytest.mark.parametrize("name", EVERY)
def test_a_name_that_stands_alone_has_a_direction_of_its_own(name: str) -> None:
    found = bare_names((TEMPLATES / name).read_text(encoding="utf-8"))
    assert [one for one in found if (name, one) not in OURS] == []


def test_every_exception_is_still_there() -> None:
    for name, one in OURS:
        assert one in bare_names((TEMPLATES / name).read_text(encoding="utf-8")), (name, one)


@pytest.mark.parametrize(
    "source, found",
    [
        ("<h2>{{ one.name }}</h2>", ["one.name"]),
        ('<a href="{{ url_for("x", id=1) }}">\n  {{ one.name or _("None") }}</a>', ["one.name"]),
        ("{% block heading %}{{ name }}{% endblock heading %}", ["name"]),
        ('{% call cell(_("Who")) %}{{ one.learner_name }}{% endcall %}', ["one.learner_name"]),
        ("<option {% if a %}selected{% endif %}>{{ name }}</option>", ["name"]),
        ('<option dir="auto" value="1">{{ name }}</option>', []),
        ("<h2><bdi>{{ one.name }}</bdi></h2>", []),
        ('<h2 dir="auto">{{ one.name }}</h2>', []),
        ('<span class="unseen">{{ one.name }}</span>', []),
        ('<input value="{{ one.name }}">', []),
        ('<span class="unseen">: {{ one.name }}</span>', []),
    ],
)
def test_a_bare_name_is_found(source: str, found: list[str]) -> None:
    assert bare_names(source) == found
