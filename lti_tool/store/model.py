"""What every table is made of: keys, times, exact numbers, names of constraints."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar

from sqlalchemy import JSON, DateTime, ForeignKey, MetaData, Numeric, String
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NAMING = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


def new_id() -> str:
    """A key nobody can guess or count: 32 hexadecimal digits."""
    return os.urandom(16).hex()


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time; a naive one is refused, and SQLite gives back what was put in."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ExactDecimal(TypeDecorator[Decimal]):
    """A grade as the platform wrote it: text on SQLite, where a float would round, NUMERIC elsewhere."""

    impl = Numeric(20, 8)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(String(40))
        return dialect.type_descriptor(Numeric(20, 8))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None or dialect.name != "sqlite":
            return value
        return format(value, "f")

    def process_result_value(self, value: Any, _dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value))


class Base(DeclarativeBase):
    """The one metadata, with names for every constraint so that migrations can speak of them."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[Any] = {
        datetime: UtcDateTime,
        Decimal: ExactDecimal,
        dict[str, Any]: JSON,
        list[Any]: JSON,
    }


def key_column() -> Mapped[str]:
    return mapped_column(String(32), primary_key=True, default=new_id)


def owned_by(
    target: str, *, ondelete: str = "CASCADE", nullable: bool = False, index: bool = False
) -> Mapped[Any]:
    return mapped_column(
        String(32), ForeignKey(f"{target}.id", ondelete=ondelete), nullable=nullable, index=index
    )
