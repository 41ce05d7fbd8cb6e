"""Issuers of one organisation: who signs its badges, and with what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, func, insert, select, update
from sqlalchemy.orm import Session

from lti_tool.store.tables import Achievement, Credential, Issuer, new_id


@dataclass(frozen=True, slots=True)
class IssuerRow:
    """Who signs, what its badges carry of it, and how much of it there is."""

    id: str
    name: str
    url: str | None
    email: str | None
    description: str | None
    created_at: datetime
    achievements: int
    credentials: int
    picture_id: str | None = None
    is_default: bool = False
    retired_at: datetime | None = None
    terms_url: str | None = None
    names_schema: bool = False
    offers_refresh: bool = False
    token_algorithm: str = "RS256"


def _issuers(organisation_id: str) -> Select[Any]:
    query = select(
        Issuer.id,
        Issuer.name,
        Issuer.url,
        Issuer.email,
        Issuer.description,
        Issuer.created_at,
        select(func.count())
        .select_from(Achievement)
        .where(Achievement.issuer_id == Issuer.id)
        .scalar_subquery()
        .label("achievements"),
        select(func.count())
        .select_from(Credential)
        .where(Credential.issuer_id == Issuer.id, Credential.document.is_not(None))
        .scalar_subquery()
        .label("credentials"),
        Issuer.picture_id,
        Issuer.is_default,
        Issuer.retired_at,
        Issuer.terms_url,
        Issuer.names_schema,
        Issuer.offers_refresh,
        Issuer.token_algorithm,
    ).where(Issuer.organisation_id == organisation_id)
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("Select[Any]", query)


def issuers(session: Session, organisation_id: str) -> tuple[IssuerRow, ...]:
    """Every issuer: the default one, then the others in use, then the retired; each oldest first."""
    rows = session.execute(
        _issuers(organisation_id).order_by(
            Issuer.retired_at.is_not(None), Issuer.is_default.is_(False), Issuer.created_at, Issuer.id
        )
    )
    return tuple(IssuerRow(**row._mapping) for row in rows)


def issuer(session: Session, organisation_id: str, issuer_id: str) -> IssuerRow | None:
    """One issuer of this organisation."""
    row = session.execute(_issuers(organisation_id).where(Issuer.id == issuer_id)).one_or_none()
    return None if row is None else IssuerRow(**row._mapping)


def is_named(session: Session, organisation_id: str, name: str, *, but: str | None = None) -> bool:
    """Whether another issuer of this organisation has this name."""
    query = select(Issuer.id).where(Issuer.organisation_id == organisation_id, Issuer.name == name)
    return session.scalar(query.where(Issuer.id != (but or "")).limit(1)) is not None


def add(session: Session, organisation_id: str, values: Mapping[str, Any], now: datetime) -> str:
    """A further issuer; the first one of an organisation is its default."""
    has_default = session.scalar(
        select(Issuer.id).where(Issuer.organisation_id == organisation_id, Issuer.is_default.is_(True))
    )
    id_ = new_id()
    session.execute(
        insert(Issuer).values(
            id=id_,
            organisation_id=organisation_id,
            is_default=has_default is None,
            created_at=now,
            **values,
        )
    )
    return id_


def change(session: Session, organisation_id: str, issuer_id: str, values: Mapping[str, Any]) -> None:
    """Change what an issuer says of itself, or how it signs: for what is signed from now on."""
    session.execute(
        update(Issuer)
        .where(Issuer.organisation_id == organisation_id, Issuer.id == issuer_id)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


def make_default(session: Session, organisation_id: str, issuer_id: str) -> None:
    """Let new badges be signed by this issuer unless somebody chooses another."""
    for id_matches, is_default in ((Issuer.id != issuer_id, False), (Issuer.id == issuer_id, True)):
        session.execute(
            update(Issuer)
            .where(
                Issuer.organisation_id == organisation_id, id_matches, Issuer.is_default.is_not(is_default)
            )
            .values(is_default=is_default)
            .execution_options(synchronize_session=False)
        )
