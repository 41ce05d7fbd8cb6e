"""Categories: the order that staff gives them and what is in them, and what came and went."""

from __future__ import annotations

from pathlib import Path
from threading import Barrier, Thread

import pytest

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import NotAllowed, NotFound
from lti_tool.store import micromodules, tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import NOW
from tests.integration.services.office import Office


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


@pytest.fixture
def small_office(sqlite_database: Database, tmp_path: Path) -> Office:
    return Office(sqlite_database, tmp_path / "keys")


def names(office: Office) -> list[str]:
    return [one.name for one in office.overview.categories(office.ours.id)]


def add(office: Office, *new: str) -> list[str]:
    return [office.administering.add_category(office.ours.staff(), name) for name in new]


def put(office: Office, count: int) -> list[str]:
    """Micromodules in our category, in their order; they are all called the same."""
    ours = office.ours
    for _ in range(count):
        factories.placed(office.database, ours.course)
    rows = office.school.rows(tables.Micromodule, tables.Micromodule.organisation_id == ours.id)
    for row in rows:
        office.administering.set_categories(ours.staff(), row.id, [ours.category_id])
    return within(office)


def within(office: Office) -> list[str]:
    return [one.id for one in office.overview.category(office.ours.id, office.ours.category_id).micromodules]


def test_categories_stand_by_name_until_somebody_moves_one(office: Office) -> None:
    first, _second = add(office, "alpha", "Zeta")
    assert names(office) == ["alpha", "Ours", "Zeta"]
    office.administering.move_category(office.ours.staff(), first, 1)
    assert names(office) == ["Ours", "alpha", "Zeta"]
    # From then on a new one stands behind the others, and a new name moves nothing.
    add(office, "Aaa")
    office.administering.rename_category(office.ours.staff(), first, "Yet another")
    assert names(office) == ["Ours", "Yet another", "Zeta", "Aaa"]
    office.administering.move_category(office.ours.staff(), first, -1)
    assert names(office) == ["Yet another", "Ours", "Zeta", "Aaa"]


def test_nothing_moves_beyond_an_end(small_office: Office) -> None:
    first, last = add(small_office, "alpha", "Zeta")
    small_office.administering.move_category(small_office.ours.staff(), first, -1)
    small_office.administering.move_category(small_office.ours.staff(), last, 1)
    assert names(small_office) == ["alpha", "Ours", "Zeta"]
    assert "category.moved" not in small_office.actions(small_office.ours)


def test_what_is_in_a_category_has_an_order_of_its_own(office: Office) -> None:
    before, ours = put(office, 2), office.ours
    assert len(before) == 3
    office.administering.move_micromodule(ours.staff(), ours.category_id, before[0], 1)
    assert within(office) == [before[1], before[0], before[2]]
    office.administering.move_micromodule(ours.staff(), ours.category_id, before[2], -1)
    assert within(office) == [before[1], before[2], before[0]]
    # One put aside is passed over, and comes back behind the others.
    office.administering.archive_micromodule(ours.staff(), before[2], True)
    office.administering.move_micromodule(ours.staff(), ours.category_id, before[0], -1)
    assert within(office) == [before[0], before[1]]
    office.administering.archive_micromodule(ours.staff(), before[2], False)
    assert within(office) == [before[0], before[1], before[2]]
    # Deep linking offers them in the same order.
    with office.database.read() as session:
        (offered,) = micromodules.categories(session, ours.id)
    assert sorted(offered.places, key=lambda id_: offered.places[id_]) == within(office)
    assert office.actions(ours).count("category.reordered") == 3


def test_moves_at_once_lose_nothing(office: Office) -> None:
    ids = add(office, "alpha", "beta", "gamma")
    barrier = Barrier(len(ids))

    def move(id_: str) -> None:
        barrier.wait()
        office.administering.move_category(office.ours.staff(), id_, 1)

    threads = [Thread(target=move, args=(id_,)) for id_ in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(names(office)) == ["Ours", "alpha", "beta", "gamma"]
    rows = office.school.rows(tables.Category, tables.Category.organisation_id == office.ours.id)
    assert sorted(row.position for row in rows) == [1, 2, 3, 4]


def test_only_editors_of_this_organisation_order(office: Office) -> None:
    ours, theirs = office.ours, office.theirs
    (micromodule_id,) = put(office, 0)
    for reader in (StaffRole.READER, StaffRole.REVIEWER):
        with pytest.raises(NotAllowed):
            office.administering.move_category(ours.staff(reader), ours.category_id, 1)
        with pytest.raises(NotAllowed):
            office.administering.move_micromodule(ours.staff(reader), ours.category_id, micromodule_id, 1)
    for category_id, other in ((ours.category_id, micromodule_id), (theirs.category_id, micromodule_id)):
        with pytest.raises(NotFound):
            office.administering.move_category(theirs.staff(), ours.category_id, 1)
        with pytest.raises(NotFound):
            office.administering.move_micromodule(theirs.staff(), category_id, other, 1)
    with pytest.raises(NotFound):
        office.overview.category(theirs.id, ours.category_id)


def test_what_came_and_went_is_kept_with_who_and_when(office: Office) -> None:
    ours, clock = office.ours, office.school.clock
    (second,) = add(office, "Second")
    for chosen in ([ours.category_id, second], [second], [second], []):
        office.administering.set_categories(ours.staff(), ours.micromodule_id, chosen)
        clock.forward(days=1)
    history = office.overview.category(ours.id, ours.category_id).changes
    assert [(one.action, one.actor) for one in history.rows] == [
        ("removed", "staff:somebody"),
        ("added", "staff:somebody"),
    ]
    assert [(clock.now - one.at).days for one in history.rows] == [3, 4]
    assert history.rows[0].micromodule_id == ours.micromodule_id
    assert [one.action for one in office.overview.category(ours.id, second).changes.rows] == [
        "removed",
        "added",
    ]


def test_a_long_history_is_leafed_through(small_office: Office) -> None:
    ours = small_office.ours
    for number in range(60):
        chosen = [ours.category_id] if number % 2 == 0 else []
        small_office.administering.set_categories(ours.staff(), ours.micromodule_id, chosen)
    pages = [small_office.overview.category(ours.id, ours.category_id, page).changes for page in (1, 2, 99)]
    assert [(len(one.rows), one.number, one.pages) for one in pages] == [(50, 1, 2), (10, 2, 2), (10, 2, 2)]


def test_what_a_deleted_category_held_stands_in_the_audit_log(office: Office) -> None:
    ours = office.ours
    office.administering.set_categories(ours.staff(), ours.micromodule_id, [ours.category_id])
    office.administering.delete_category(ours.staff(), ours.category_id)
    (event,) = office.school.rows(tables.AuditEvent, tables.AuditEvent.action == "category.deleted")
    assert event.detail == {"micromodules": [ours.micromodule_id]}
    assert office.school.rows(tables.CategoryChange) == []


def test_what_the_operator_sorts_is_kept_too(small_office: Office) -> None:
    ours = small_office.ours
    with small_office.database.write() as session:
        id_ = micromodules.put_in_category(session, ours.id, ours.micromodule_id, "Data", "cli", NOW)
        assert micromodules.put_in_category(session, ours.id, ours.micromodule_id, "Data", "cli", NOW) == id_
    (change,) = small_office.overview.category(ours.id, id_).changes.rows
    assert (change.actor, change.action) == ("cli", "added")
