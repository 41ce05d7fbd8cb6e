"""Endorsements: who says what of whose achievement or issuer, and what became of it.

A row belongs to the organisation that is endorsed; an endorser of this installation finds its own by its
issuer. The public, and whatever is signed, sees accepted ones only.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import ColumnElement, Select, func, insert, or_, select, update
from sqlalchemy.orm import Session, aliased

from lti_tool.store.tables import AchievementVersion, Endorsement, Issuer, Organisation, new_id


@dataclass(frozen=True, slots=True)
class EndorsementView:
    """One endorsement, with the names of what and whom it is about."""

    id: str
    organisation_id: str
    """Who is endorsed."""
    organisation_name: str
    achievement_version_id: str | None
    achievement_name: str | None
    endorsed_issuer_id: str | None
    endorsed_issuer_name: str | None
    endorser_id: str | None
    """Null where it was imported."""
    endorser_name: str
    endorser_url: str
    """The endorser's ``issuer.id``."""
    comment: str
    document: str | None
    status: str
    status_list_id: str | None
    status_index: int | None
    offered_at: datetime
    decided_at: datetime | None
    withdrawn_at: datetime | None

    @property
    def endorsed_id(self) -> str:
        """Of the achievement version or of the issuer."""
        return self.achievement_version_id or self.endorsed_issuer_id or ""

    @property
    def endorsed_name(self) -> str:
        """The achievement's or the issuer's."""
        return self.achievement_name or self.endorsed_issuer_name or ""

    @property
    def is_imported(self) -> bool:
        """Whether its endorser is no issuer of this installation."""
        return self.endorser_id is None


_endorsed = aliased(Issuer)


def _views() -> Select[Any]:
    query = (
        select(
            Endorsement.id,
            Endorsement.organisation_id,
            Organisation.name.label("organisation_name"),
            Endorsement.achievement_version_id,
            AchievementVersion.name.label("achievement_name"),
            Endorsement.endorsed_issuer_id,
            _endorsed.name.label("endorsed_issuer_name"),
            Endorsement.endorser_id,
            Endorsement.endorser_name,
            Endorsement.endorser_url,
            Endorsement.comment,
            Endorsement.document,
            Endorsement.status,
            Endorsement.status_list_id,
            Endorsement.status_index,
            Endorsement.offered_at,
            Endorsement.decided_at,
            Endorsement.withdrawn_at,
        )
        .join(Organisation, Organisation.id == Endorsement.organisation_id)
        .outerjoin(AchievementVersion, AchievementVersion.id == Endorsement.achievement_version_id)
        .outerjoin(_endorsed, _endorsed.id == Endorsement.endorsed_issuer_id)
    )
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("Select[Any]", query)


def _view(row: Any) -> EndorsementView:
    return EndorsementView(**row._mapping)


def _is_given_by(organisation_id: str) -> ColumnElement[bool]:
    own = select(Issuer.id).where(Issuer.organisation_id == organisation_id)
    return Endorsement.endorser_id.in_(own)


def offer(session: Session, values: Mapping[str, Any]) -> str:
    """A new endorsement; its id."""
    id_ = new_id()
    session.execute(insert(Endorsement).values(id=id_, **values))
    return id_


def store_document(session: Session, endorsement_id: str, document: str) -> None:
    """Keep the signed text; one that is there already stays."""
    session.execute(
        update(Endorsement)
        .where(Endorsement.id == endorsement_id, Endorsement.document.is_(None))
        .values(document=document)
        .execution_options(synchronize_session=False)
    )


def earlier(
    session: Session, endorser_id: str, *, achievement_version_id: str | None, issuer_id: str | None
) -> tuple[str, ...]:
    """The states of all that an endorser ever said of an achievement version or an issuer."""
    return tuple(
        session.scalars(
            select(Endorsement.status).where(
                Endorsement.endorser_id == endorser_id,
                Endorsement.achievement_version_id == achievement_version_id,
                Endorsement.endorsed_issuer_id == issuer_id,
            )
        )
    )


def waiting_from(session: Session, endorsing_organisation_id: str, organisation_id: str) -> int:
    """How many that one organisation gave wait for another's decision."""
    query = select(func.count()).select_from(Endorsement)
    return (
        session.scalar(
            query.where(
                _is_given_by(endorsing_organisation_id),
                Endorsement.organisation_id == organisation_id,
                Endorsement.status == "offered",
            )
        )
        or 0
    )


def is_imported(session: Session, organisation_id: str, document: str) -> bool:
    """Whether an organisation has accepted exactly this file already."""
    found = session.scalars(
        select(Endorsement.document).where(
            Endorsement.organisation_id == organisation_id,
            Endorsement.endorser_id.is_(None),
            Endorsement.status == "accepted",
        )
    )
    return document in set(found)


def received(session: Session, organisation_id: str) -> tuple[EndorsementView, ...]:
    """What is said of an organisation's achievements and issuers: what waits for a decision first, and of
    what its endorser withdrew before that nothing."""
    rows = session.execute(
        _views()
        .where(
            Endorsement.organisation_id == organisation_id,
            or_(Endorsement.status != "withdrawn", Endorsement.decided_at.is_not(None)),
        )
        .order_by(Endorsement.status != "offered", Endorsement.offered_at.desc(), Endorsement.id)
    )
    return tuple(_view(row) for row in rows)


def given(session: Session, organisation_id: str) -> tuple[EndorsementView, ...]:
    """What an organisation's issuers say of others, the newest first."""
    rows = session.execute(
        _views().where(_is_given_by(organisation_id)).order_by(Endorsement.offered_at.desc(), Endorsement.id)
    )
    return tuple(_view(row) for row in rows)


def received_one(session: Session, organisation_id: str, endorsement_id: str) -> EndorsementView | None:
    """One of :func:`received`."""
    row = session.execute(
        _views().where(Endorsement.organisation_id == organisation_id, Endorsement.id == endorsement_id)
    ).one_or_none()
    return None if row is None else _view(row)


def given_one(session: Session, organisation_id: str, endorsement_id: str) -> EndorsementView | None:
    """One of :func:`given`."""
    row = session.execute(
        _views().where(_is_given_by(organisation_id), Endorsement.id == endorsement_id)
    ).one_or_none()
    return None if row is None else _view(row)


def unsigned(session: Session, endorsement_id: str) -> EndorsementView | None:
    """Any endorsement of this installation that has its place and no signature yet."""
    row = session.execute(
        _views().where(
            Endorsement.id == endorsement_id,
            Endorsement.document.is_(None),
            Endorsement.status_index.is_not(None),
        )
    ).one_or_none()
    return None if row is None else _view(row)


def decide(
    session: Session,
    organisation_id: str,
    endorsement_id: str,
    status: str,
    *,
    among: Collection[str],
    actor: str,
    now: datetime,
) -> bool:
    """Accept or refuse what is said of an organisation; False in no state of ``among``."""
    found = session.execute(
        update(Endorsement)
        .where(
            Endorsement.organisation_id == organisation_id,
            Endorsement.id == endorsement_id,
            Endorsement.status.in_(among),
        )
        .values(status=status, decided_by=actor, decided_at=now)
        .returning(Endorsement.id)
        .execution_options(synchronize_session=False)
    )
    return found.scalar_one_or_none() is not None


def withdraw(session: Session, organisation_id: str, endorsement_id: str, now: datetime) -> bool:
    """Take back what an organisation's issuer said; its bit is set with the next signature of its list. False
    where it was withdrawn already."""
    found = session.execute(
        update(Endorsement)
        .where(
            _is_given_by(organisation_id),
            Endorsement.id == endorsement_id,
            # Also one that was taken off: badges from before carry it.
            Endorsement.status != "withdrawn",
        )
        .values(status="withdrawn", withdrawn_at=now)
        .returning(Endorsement.id)
        .execution_options(synchronize_session=False)
    )
    return found.scalar_one_or_none() is not None


def count_accepted(session: Session, view: EndorsementView) -> int:
    """How many others stand accepted for what ``view`` is about."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Endorsement)
            .where(
                Endorsement.organisation_id == view.organisation_id,
                Endorsement.achievement_version_id == view.achievement_version_id,
                Endorsement.endorsed_issuer_id == view.endorsed_issuer_id,
                Endorsement.status == "accepted",
                Endorsement.id != view.id,
            )
        )
        or 0
    )


def waiting(session: Session, organisation_id: str) -> int:
    """How many wait for an organisation's decision."""
    query = select(func.count()).select_from(Endorsement)
    return (
        session.scalar(
            query.where(Endorsement.organisation_id == organisation_id, Endorsement.status == "offered")
        )
        or 0
    )


# -- what the public sees, and what is signed along


def public_endorsement(session: Session, endorsement_id: str) -> EndorsementView | None:
    """An accepted endorsement; any other does not exist for strangers."""
    row = session.execute(_accepted().where(Endorsement.id == endorsement_id)).one_or_none()
    return None if row is None else _view(row)


def accepted(
    session: Session, version_ids: Collection[str] = (), issuer_ids: Collection[str] = ()
) -> dict[str, tuple[EndorsementView, ...]]:
    """The accepted endorsements of achievement versions and issuers, by the ids of these; in the order of
    their acceptance. One query for all."""
    rows = session.execute(
        _accepted()
        .where(
            or_(
                Endorsement.achievement_version_id.in_(version_ids),
                Endorsement.endorsed_issuer_id.in_(issuer_ids),
            )
        )
        .order_by(Endorsement.decided_at, Endorsement.id)
    )
    found: dict[str, tuple[EndorsementView, ...]] = {}
    for row in rows:
        view = _view(row)
        found[view.endorsed_id] = (*found.get(view.endorsed_id, ()), view)
    return found


def _accepted() -> Select[Any]:
    return _views().where(Endorsement.status == "accepted", Endorsement.document.is_not(None))
