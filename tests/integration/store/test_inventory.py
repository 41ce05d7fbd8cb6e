"""The operator's lists: the whole installation, or one organisation and nothing of another."""

from __future__ import annotations

import pytest

from lti_tool.store import inventory
from lti_tool.store.database import Database
from tests import factories


@pytest.mark.parametrize("list_", [inventory.issuers, inventory.contexts, inventory.credentials])
def test_an_organisation_lists_only_its_own(database: Database, list_: object) -> None:
    assert callable(list_)
    own, other = factories.course(database), factories.course(database)
    for course in (own, other):
        placed = factories.placed(database, course)
        (learner_id,) = factories.enrol(database, course)
        factories.credential(database, course, factories.award(database, course, placed, learner_id))
    with database.read() as session:
        more = (factories.NOW,) if list_ is inventory.credentials else ()
        everything = list_(session, None, *more)
        listed = list_(session, own.organisation_id, *more)
    assert len(everything) == 2
    assert [row["organisation_id"] for row in listed] == [own.organisation_id]


def test_courses_to_award_in_are_those_with_an_active_micromodule(database: Database) -> None:
    empty, active, draft = (factories.course(database) for _ in range(3))
    factories.placed(database, active)
    factories.placed(database, draft, status="draft")
    with database.read() as session:
        placed = inventory.context_keys(session, is_placed=True)
        every = inventory.context_keys(session)
        assert inventory.owner_of_context(session, active.context_id) == active.organisation_id
        assert inventory.owner_of_context(session, "0" * 32) is None
    assert placed == [(active.organisation_id, active.context_id)]
    assert {context_id for _, context_id in every} == {empty.context_id, active.context_id, draft.context_id}


def test_nobody_is_named_in_the_list_of_credentials(database: Database) -> None:
    course = factories.course(database)
    placed = factories.placed(database, course)
    (learner_id,) = factories.enrol(database, course)
    credential_id = factories.credential(
        database, course, factories.award(database, course, placed, learner_id)
    )
    with database.read() as session:
        (row,) = inventory.credentials(session, None, factories.NOW)
    assert (row["id"], row["status"], row["is_public"]) == (credential_id, "unsigned", False)
    assert not [value for value in row.values() if isinstance(value, str) and value.startswith("Learner")]
