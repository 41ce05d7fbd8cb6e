"""Insert-if-absent, of one row and of many, and upsert, alike on both databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.store.database import Database
from lti_tool.store.dialects import (
    COPY_FROM_ROWS,
    insert_all_if_absent,
    insert_if_absent,
    insert_rows,
    one_of,
    upsert,
)
from lti_tool.store.tables import Category, ExactDecimal, Nonce, Organisation, Run

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FEW, MANY = 3, COPY_FROM_ROWS * 2
"""Below and above the number from which PostgreSQL gets a COPY."""


@pytest.fixture
def organisation_id(database: Database) -> str:
    with database.write() as session:
        organisation = Organisation(name="Open Learning", created_at=NOW)
        session.add(organisation)
    return organisation.id


def runs(organisation_id: str, count: int, **changes: Any) -> list[dict[str, Any]]:
    """Rows with every type that a column may have."""
    return [
        {
            "id": f"{number:032}",
            "organisation_id": organisation_id,
            "kind": "sync",
            "status": "waiting",
            "step": "tabs\tand\nlines \\ and 'quotes' ü",
            "done": number,
            "total": None,
            "counts": {"learners": number},
            "created_at": NOW,
            "started_at": None,
            **changes,
        }
        for number in range(count)
    ]


def test_a_row_is_inserted_once(database: Database) -> None:
    values = {"value_hash": "a" * 64, "expires_at": NOW}
    with database.write() as session:
        assert insert_if_absent(session, Nonce, values, on=("value_hash",)) is True
    with database.write() as session:
        assert insert_if_absent(session, Nonce, values, on=("value_hash",)) is False


def test_defaults_are_filled_in(database: Database, organisation_id: str) -> None:
    with database.write() as session:
        values = {"organisation_id": organisation_id, "name": "Digital skills"}
        assert insert_if_absent(session, Category, values, on=("organisation_id", "name"))
    with database.read() as session:
        assert len(session.scalars(sa.select(Category.id)).one()) == 32


def test_of_many_that_try_at_once_one_wins(database: Database) -> None:
    won: list[bool] = []
    start = threading.Barrier(6)

    def consume() -> None:
        start.wait()
        with database.write() as session:
            won.append(
                insert_if_absent(
                    session, Nonce, {"value_hash": "b" * 64, "expires_at": NOW}, on=("value_hash",)
                )
            )

    threads = [threading.Thread(target=consume) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 5 + [True]


@pytest.mark.parametrize("count", [0, 1, FEW, MANY])
def test_rows_that_are_there_stay_as_they_are(database: Database, organisation_id: str, count: int) -> None:
    rows = runs(organisation_id, count)
    with database.write() as session:
        assert insert_all_if_absent(session, Run, rows, on=("id",)) == count
    with database.write() as session:
        again = runs(organisation_id, count + 1, step="later")
        assert insert_all_if_absent(session, Run, again, on=("id",)) == 1
    with database.read() as session:
        kept = session.execute(sa.select(Run.done, Run.step).order_by(Run.done)).all()
    assert [tuple(row) for row in kept] == [(row["done"], row["step"]) for row in rows] + [(count, "later")]


@pytest.mark.parametrize("count", [FEW, MANY])
def test_every_type_survives_the_way(database: Database, organisation_id: str, count: int) -> None:
    rows = runs(organisation_id, count)
    with database.write() as session:
        assert insert_all_if_absent(session, Run, iter(rows), on=["id"]) == count
    with database.read() as session:
        last = session.get_one(Run, f"{count - 1:032}")
    assert last.step == "tabs\tand\nlines \\ and 'quotes' ü"
    assert last.counts == {"learners": count - 1}
    assert last.total is None
    assert last.created_at == NOW


@pytest.mark.parametrize("count", [FEW, MANY])
def test_a_key_that_comes_twice_is_no_error_and_the_first_row_stays(
    database: Database, organisation_id: str, count: int
) -> None:
    rows = runs(organisation_id, count, step="first")
    rows.append({**rows[0], "step": "second"})
    with database.write() as session:
        assert insert_all_if_absent(session, Run, rows, on=["id"]) == count
    with database.read() as session:
        assert session.get_one(Run, f"{0:032}").step == "first"
        assert session.scalar(sa.select(sa.func.count()).select_from(Run)) == count


@pytest.mark.parametrize("count", [FEW, MANY])
def test_two_of_them_fit_into_one_transaction(database: Database, organisation_id: str, count: int) -> None:
    with database.write() as session:
        assert insert_all_if_absent(session, Run, runs(organisation_id, count), on=["id"]) == count
        assert insert_all_if_absent(session, Run, runs(organisation_id, count * 2), on=["id"]) == count


def test_two_that_add_the_same_rows_in_opposite_orders_do_not_lock_each_other_out(
    database: Database, organisation_id: str
) -> None:
    """Two courses award one badge to the same learners; each waits for rows that the other has added."""
    failures: list[BaseException] = []
    start = threading.Barrier(2)

    def add(rows: list[dict[str, Any]]) -> None:
        try:
            start.wait(30)
            with database.write() as session:
                insert_all_if_absent(session, Run, rows, on=["id"])
        except Exception as error:
            failures.append(error)

    rows = runs(organisation_id, 4_000)
    threads = [threading.Thread(target=add, args=(part,)) for part in (rows, rows[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_an_upsert_adds_a_row_and_then_changes_what_it_is_to_change(
    database: Database, organisation_id: str
) -> None:
    (row,) = runs(organisation_id, 1, step="roster")
    later = {**row, "step": "results", "counts": {"learners": 7}, "created_at": NOW + timedelta(days=1)}
    for values in (row, later):
        with database.write() as session:
            upsert(session, Run, values, on=["id"], update=["step", "counts"])
    with database.read() as session:
        (kept,) = session.scalars(sa.select(Run)).all()
    assert (kept.step, kept.counts, kept.created_at) == ("results", {"learners": 7}, NOW)


def test_rows_with_other_columns_are_refused(database: Database, organisation_id: str) -> None:
    rows = runs(organisation_id, FEW)
    del rows[2]["total"]

    def uneven() -> None:
        with database.write() as session:
            insert_all_if_absent(session, Run, rows, on=["id"])

    with pytest.raises(ValueError, match="same columns"):
        uneven()


def test_a_long_roster_is_passed_on_in_pieces(database: Database, organisation_id: str) -> None:
    """SQLite gets thousands of rows a statement, not all; PostgreSQL's COPY holds none."""
    rows: Iterator[dict[str, Any]] = iter(runs(organisation_id, 6_000))
    with database.write() as session, database.statements() as statements:
        assert insert_all_if_absent(session, Run, rows, on=["id"]) == 6_000
    inserts = [text for text in statements if "INSERT INTO runs" in text]
    assert len(inserts) == (3 if database.dialect == "sqlite" else 1)


def test_decimals_stay_exact(database: Database) -> None:
    """0.1 + 0.2 through a float would not be 0.3: grades are compared with thresholds."""
    table = sa.Table(
        "exact",
        sa.MetaData(),
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("grade", ExactDecimal),
    )
    grades = [Decimal("0.30000000"), Decimal("66.66666667"), Decimal("123456789012.12345678")]
    with database.write() as session:
        table.create(session.connection())
        insert_all_if_absent(
            session, table, [{"id": n, "grade": grade} for n, grade in enumerate(grades)], on=["id"]
        )
    with database.read() as session:
        assert list(session.scalars(sa.select(table.c.grade).order_by(table.c.id))) == grades


# -- many rows that share most of what they say

HOSTILE = (
    "",
    "\\N",
    "\\",
    "a\tb",
    "a\nb",
    "a\rb",
    "100 %s %(x)s",
    "'; --",
    "\x0b\x7f\u2028",
    "\U0001f600",
    "\\.",
)


def written(database: Database, organisation_id: str, count: int, **shared: Any) -> int:
    rows = [
        (
            f"{number:032}",
            HOSTILE[number % len(HOSTILE)],
            None if number % 2 else NOW,
            {"said": HOSTILE[number % 11]},
        )
        for number in range(count)
    ]
    values = {
        "organisation_id": organisation_id,
        "kind": "sync",
        "status": "waiting",
        "done": 7,
        "created_at": NOW,
    }
    with database.write() as session:
        return insert_rows(
            session,
            Run,
            ("id", "step", "started_at", "counts"),
            rows,
            shared={**values, **shared},
            unless=("id",),
        )


@pytest.mark.parametrize("count", [FEW, MANY])
def test_rows_that_share_most_of_themselves_come_back_as_they_were_given(
    database: Database, organisation_id: str, count: int
) -> None:
    kind = "\t\\N %s\n"
    assert written(database, organisation_id, count, kind=kind) == count
    assert written(database, organisation_id, count + 1, kind=kind) == 1, "those that are there stay"
    with database.read() as session:
        found = session.scalars(sa.select(Run).order_by(Run.id)).all()
    for number, row in enumerate(found):
        said = HOSTILE[number % len(HOSTILE)]
        assert (row.step, row.counts) == (said, {"said": said})
        assert row.started_at == (None if number % 2 else NOW)
        assert (row.kind, row.done, row.created_at, row.organisation_id) == (kind, 7, NOW, organisation_id)


@pytest.mark.parametrize("count", [FEW, MANY])
def test_without_a_way_out_a_key_that_is_there_is_an_error_and_nothing_is_written(
    database: Database, organisation_id: str, count: int
) -> None:
    rows = [(f"{number % (count - 1):032}", "Twice") for number in range(count)]
    with pytest.raises(sa.exc.IntegrityError), database.write() as session:
        insert_rows(session, Organisation, ("id", "name"), rows, shared={"created_at": NOW})
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).where(Organisation.name == "Twice")) == 0


@pytest.mark.parametrize("count", [FEW, MANY])
def test_keys_are_given_and_times_have_a_zone(database: Database, count: int) -> None:
    names = [(f"Name {number}",) for number in range(count)]
    with pytest.raises(ValueError, match="need their id"), database.write() as session:
        insert_rows(session, Organisation, ("name",), names, shared={"created_at": NOW})
    ids = [(f"{number:032}",) for number in range(count)]
    naive = {"name": "x", "created_at": NOW.replace(tzinfo=None)}
    with pytest.raises((ValueError, sa.exc.StatementError)), database.write() as session:
        insert_rows(session, Organisation, ("id",), ids, shared=naive)


def test_one_of_many_means_each_of_them_and_nothing_else(database: Database) -> None:
    names = [*HOSTILE, "{}", "a,b", '"', '\\"', "NULL", "null", "plain"]
    with database.write() as session:
        session.add_all(Organisation(name=name, created_at=NOW) for name in names)
    with database.read() as session:
        for name in names:
            found = session.scalars(
                sa.select(Organisation.name).where(one_of(session, Organisation.name, [name]))
            )
            assert found.all() == [name]
        everything = sa.select(Organisation.name).where(one_of(session, Organisation.name, names))
        assert sorted(session.scalars(everything)) == sorted(names)
        for others in ([], ["a"], ["a", "b"], ["plain "]):
            assert (
                session.scalars(
                    sa.select(Organisation.id).where(one_of(session, Organisation.name, others))
                ).all()
                == []
            )
