"""No two names for one statement: what a reader of the JSON sees is what was signed under that name."""

from __future__ import annotations

from typing import Any

import pytest

from lti_tool.credentials import contexts


def aliases(terms: dict[str, Any], outer: dict[str, str]) -> list[tuple[str, str]]:
    names = dict(outer)
    found = []
    for term, definition in terms.items():
        iri = definition.get("@id") if isinstance(definition, dict) else definition
        if term.startswith("@") or not isinstance(iri, str):
            continue
        if names.setdefault(iri, term) != term:
            found.append((names[iri], term))
    for definition in terms.values():
        scoped = definition.get("@context") if isinstance(definition, dict) else None
        if isinstance(scoped, dict):
            found += aliases(scoped, names)
    return found


@pytest.mark.parametrize("row", contexts.REGISTRY.values(), ids=lambda row: row.file)
def test_no_context_has_two_names_for_one_member(row: contexts.VendoredContext) -> None:
    documents = row.document["@context"]
    for terms in documents if isinstance(documents, list) else [documents]:
        # a class and a member may share an IRI (OB 3.0.2: Image and image); two members may not
        assert [pair for pair in aliases(terms, {}) if pair[0][0].islower() == pair[1][0].islower()] == []
