"""Awards and their credentials: what a wallet shows, what the public sees, what waits for a signature."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, bindparam, func, insert, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from lti_tool.store.staging import IDS_AT_ONCE
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Context,
    Credential,
    Issuer,
    Learner,
    Organisation,
    Registration,
    StatusList,
    new_id,
)


@dataclass(frozen=True, slots=True)
class EarnedView:
    """An award with its credential, as its learner sees it."""

    award_id: str
    learner_id: str
    credential_id: str | None
    is_signed: bool
    achievement_version_id: str
    name: str
    description: str
    skills: tuple[str, ...]
    image_alt: str
    issuer_name: str
    context_title: str | None
    awarded_at: datetime
    met_at: datetime
    revoked_at: datetime | None
    revocation_reason: str | None
    is_public: bool


class Place(NamedTuple):
    """A credential's id and its entry in a status list."""

    credential_id: str
    status_list_id: str
    status_index: int
    is_signed: bool


@dataclass(frozen=True, slots=True)
class AwardToIssue:
    """Everything a credential is built from, and the place that was allocated for it."""

    award_id: str
    organisation_id: str
    learner_id: str
    achievement_version_id: str
    issuer_id: str
    awarded_at: datetime
    met_at: datetime
    email: str | None
    sub: str
    platform_issuer: str
    credential_id: str | None
    status_list_id: str | None
    status_index: int | None
    is_signed: bool


@dataclass(frozen=True, slots=True)
class CredentialView:
    """A credential for the public page, the CLI and revocation."""

    id: str
    organisation_id: str
    organisation_name: str
    award_id: str
    learner_id: str
    issuer_id: str
    issuer_name: str
    achievement_id: str
    achievement_version_id: str
    name: str
    description: str
    criteria_narrative: str
    skills: tuple[str, ...]
    image_alt: str
    status_list_id: str
    status_index: int
    document: str | None
    issued_at: datetime | None
    awarded_at: datetime
    met_at: datetime
    revoked_at: datetime | None
    revocation_reason: str | None
    is_public: bool


class SharedDocument(NamedTuple):
    """The signed text of a shared credential, and when it came to be what it is."""

    id: str
    issued_at: datetime
    revoked_at: datetime | None
    document: str

    @property
    def etag(self) -> str:
        """Another one for another text, which a credential gets once, and after a revocation."""
        moments = (self.issued_at, self.revoked_at)
        return "-".join((self.id, *(f"{at.timestamp():.6f}" for at in moments if at is not None)))


@dataclass(frozen=True, slots=True)
class StatusListView:
    """A status list of an issuer; ``document`` is null while a change waits for its signature."""

    id: str
    organisation_id: str
    issuer_id: str
    purpose: str
    size: int
    document: str | None
    fresh_until: datetime | None
    changed_at: datetime

    def is_current(self, now: datetime) -> bool:
        """Whether the signed text may be served: nothing changed since, and it is not too old."""
        return self.document is not None and self.fresh_until is not None and self.fresh_until > now


def _earned(organisation_id: str) -> Select[Any]:
    return (
        select(
            Award.id.label("award_id"),
            Award.learner_id,
            Credential.id.label("credential_id"),
            Credential.document.is_not(None).label("is_signed"),
            Award.achievement_version_id,
            AchievementVersion.name,
            AchievementVersion.description,
            AchievementVersion.skills,
            AchievementVersion.image_alt,
            Issuer.name.label("issuer_name"),
            Context.title.label("context_title"),
            Award.awarded_at,
            Award.met_at,
            Credential.revoked_at,
            Credential.revocation_reason,
            func.coalesce(Credential.is_public, False).label("is_public"),
        )
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .join(Issuer, Issuer.id == Achievement.issuer_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .outerjoin(Context, Context.id == Award.context_id)
        .where(Award.organisation_id == organisation_id)
    )


def _earned_view(row: Any) -> EarnedView:
    values = dict(row._mapping)
    values["skills"] = tuple(values["skills"])
    values["is_signed"] = bool(values["is_signed"])
    values["is_public"] = bool(values["is_public"])
    return EarnedView(**values)


def earned_by(session: Session, organisation_id: str, learner_id: str) -> tuple[EarnedView, ...]:
    """A learner's awards within an organisation, newest first."""
    rows = session.execute(
        _earned(organisation_id)
        .where(Award.learner_id == learner_id)
        .order_by(Award.awarded_at.desc(), Award.id)
    )
    return tuple(_earned_view(row) for row in rows)


def awards_of_versions(
    session: Session, organisation_id: str, achievement_version_ids: Sequence[str], learner_ids: Sequence[str]
) -> dict[str, dict[str, EarnedView]]:
    """Who of ``learner_ids`` has which achievement version: by version, then by learner."""
    rows = session.execute(
        _earned(organisation_id).where(
            Award.achievement_version_id.in_(achievement_version_ids), Award.learner_id.in_(learner_ids)
        )
    )
    found: dict[str, dict[str, EarnedView]] = {id_: {} for id_ in achievement_version_ids}
    for row in rows:
        found[row.achievement_version_id][row.learner_id] = _earned_view(row)
    return found


def awards_to_issue(session: Session, award_ids: Sequence[str]) -> tuple[AwardToIssue, ...]:
    """Awards with what their credential needs; those already signed are marked so."""
    # In the order of the fields.
    rows: Iterable[Any] = session.connection().execute(
        select(
            Award.id,
            Award.organisation_id,
            Award.learner_id,
            Award.achievement_version_id,
            Achievement.issuer_id,
            Award.awarded_at,
            Award.met_at,
            Learner.email,
            Learner.sub,
            Registration.issuer,
            Credential.id,
            Credential.status_list_id,
            Credential.status_index,
            Credential.document.is_not(None),
        )
        .join(Learner, Learner.id == Award.learner_id)
        .join(Registration, Registration.id == Learner.registration_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Achievement, Achievement.id == AchievementVersion.achievement_id)
        .outerjoin(Credential, Credential.award_id == Award.id)
        .where(Award.id.in_(award_ids))
        .order_by(Award.id)
    )
    return tuple(AwardToIssue(*(*row[:-1], bool(row[-1]))) for row in rows)


def places(session: Session, award_ids: Sequence[str]) -> dict[str, Place]:
    """What was allocated for awards, by award id; those without a place are left out."""
    rows: Iterable[Any] = session.connection().execute(
        select(
            Credential.award_id,
            Credential.id,
            Credential.status_list_id,
            Credential.status_index,
            Credential.document.is_not(None),
        ).where(Credential.award_id.in_(award_ids))
    )
    return {row[0]: Place(row[1], row[2], row[3], is_signed=bool(row[4])) for row in rows}


def awards_without_credential(session: Session, limit: int) -> tuple[str, ...]:
    """Ids of awards that have no signed credential yet, oldest first, whoever owns them."""
    return tuple(
        session.execute(
            select(Award.id)
            .outerjoin(Credential, Credential.award_id == Award.id)
            .where(Credential.document.is_(None))
            .order_by(Award.awarded_at, Award.id)
            .limit(limit)
        ).scalars()
    )


LIST_SIZE = 131_072
"""Entries of a status list: the least that keeps single learners hidden (Bitstring Status List §6.1)."""


def allocate(
    session: Session, issuer_id: str, organisation_id: str, award_ids: Iterable[str], now: datetime
) -> None:
    """Give each award a credential id and a random, unused place in the issuer's open status list.

    Places are never used twice and say nothing about order. The list's row is locked meanwhile, so that
    two machines that issue at once wait for each other; an award that has its place keeps it. One that was
    erased with its learner is passed over.
    """
    missing = list(
        session.scalars(
            select(Award.id)
            .outerjoin(Credential, Credential.award_id == Award.id)
            .where(Award.id.in_(list(award_ids)), Credential.id.is_(None))
            .order_by(Award.id)
            # Whoever erases now waits until the place is given, and then revokes it.
            .with_for_update(of=Award, read=True, key_share=True)
        )
    )
    while missing:
        list_id, size, free = _open_list(session, issuer_id, organisation_id, now)
        # The lock may have let another machine go first.
        taken = set(
            session.execute(select(Credential.award_id).where(Credential.award_id.in_(missing))).scalars()
        )
        missing = [award_id for award_id in missing if award_id not in taken]
        batch, missing = missing[:free], missing[free:]
        if not batch:
            continue
        indices = _free_indices(session, list_id, size, len(batch))
        session.execute(
            insert(Credential),
            [
                {
                    "id": new_id(),
                    "organisation_id": organisation_id,
                    "award_id": award_id,
                    "issuer_id": issuer_id,
                    "status_list_id": list_id,
                    "status_index": index,
                    "is_public": False,
                }
                for award_id, index in zip(batch, indices, strict=True)
            ],
        )


def _open_list(session: Session, issuer_id: str, organisation_id: str, now: datetime) -> tuple[str, int, int]:
    """The issuer's open list, locked; its size, and how many more entries it takes before it is half full."""
    # The issuer's row is the lock: it exists before the first list does.
    session.execute(select(Issuer.id).where(Issuer.id == issuer_id).with_for_update())
    while True:
        found = session.execute(
            select(StatusList).where(
                StatusList.issuer_id == issuer_id,
                StatusList.organisation_id == organisation_id,
                StatusList.purpose == "revocation",
                StatusList.is_open.is_(True),
            )
        ).scalar_one_or_none()
        if found is None:
            found = StatusList(
                id=new_id(),
                organisation_id=organisation_id,
                issuer_id=issuer_id,
                purpose="revocation",
                size=LIST_SIZE,
                is_open=True,
                changed_at=now,
            )
            session.add(found)
            session.flush()
        used = session.execute(
            select(func.count()).select_from(Credential).where(Credential.status_list_id == found.id)
        ).scalar_one()
        free = found.size // 2 - used
        if free > 0:
            return found.id, found.size, free
        found.is_open = False
        session.flush()


def _free_indices(session: Session, list_id: str, size: int, count: int) -> list[int]:
    """``count`` random places nobody has; the list is at most half full, so few draws collide."""
    chosen: set[int] = set()
    while len(chosen) < count:
        drawn = {secrets.randbelow(size) for _ in range(min(IDS_AT_ONCE, count - len(chosen)))} - chosen
        used = session.execute(
            select(Credential.status_index).where(
                Credential.status_list_id == list_id, Credential.status_index.in_(drawn)
            )
        ).scalars()
        chosen |= drawn - set(used)
    return sorted(chosen, key=lambda _: secrets.randbits(32))


def store_documents(session: Session, documents: Iterable[tuple[str, str]], now: datetime) -> None:
    """Keep signed texts by credential id; one that is there already stays, so signing twice is harmless."""
    rows = [{"credential_id": id_, "text": text} for id_, text in documents]
    if rows:
        # One statement for all of them: as a statement each, they cost more than their signatures.
        session.connection().execute(
            update(Credential)
            .where(
                Credential.id == bindparam("credential_id"),
                Credential.document.is_(None),
                # Its learner may have been erased while it was being signed.
                Credential.award_id.is_not(None),
            )
            .values(document=bindparam("text"), issued_at=now),
            rows,
        )


def _credentials() -> Select[Any]:
    query = (
        select(
            Credential.id,
            Credential.organisation_id,
            Organisation.name.label("organisation_name"),
            Credential.award_id,
            Award.learner_id,
            Credential.issuer_id,
            Issuer.name.label("issuer_name"),
            AchievementVersion.achievement_id,
            Award.achievement_version_id,
            AchievementVersion.name,
            AchievementVersion.description,
            AchievementVersion.criteria_narrative,
            AchievementVersion.skills,
            AchievementVersion.image_alt,
            Credential.status_list_id,
            Credential.status_index,
            Credential.document,
            Credential.issued_at,
            Award.awarded_at,
            Award.met_at,
            Credential.revoked_at,
            Credential.revocation_reason,
            Credential.is_public,
        )
        .join(Award, Award.id == Credential.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Issuer, Issuer.id == Credential.issuer_id)
        .join(Organisation, Organisation.id == Credential.organisation_id)
    )
    # SQLAlchemy types a select of more than ten columns by its first ten.
    return cast("Select[Any]", query)


def _credential_view(row: Any) -> CredentialView:
    values = dict(row._mapping)
    values["skills"] = tuple(values["skills"])
    return CredentialView(**values)


def public_credential(connection: Connection, credential_id: str) -> CredentialView | None:
    """A credential that its learner shared; a private one does not exist for strangers."""
    row = connection.execute(_shared(_credentials), {"shared_id": credential_id}).one_or_none()
    return None if row is None else _credential_view(row)


def public_document(connection: Connection, credential_id: str) -> SharedDocument | None:
    """The signed text alone."""
    row = connection.execute(_shared(_documents), {"shared_id": credential_id}).one_or_none()
    return None if row is None else SharedDocument(*row)


def public_state(connection: Connection, credential_id: str) -> SharedDocument | None:
    """What :func:`public_document` gives, without the text."""
    row = connection.execute(_shared(_states), {"shared_id": credential_id}).one_or_none()
    return None if row is None else SharedDocument(row.id, row.issued_at, row.revoked_at, "")


def is_erased(connection: Connection, credential_id: str) -> bool:
    """Whether a credential was erased with its learner: nothing is left but its place, which is revoked."""
    found = connection.execute(
        select(Credential.id).where(Credential.id == credential_id, Credential.award_id.is_(None))
    )
    return found.first() is not None


def _states() -> Any:
    return select(Credential.id, Credential.issued_at, Credential.revoked_at)


def _documents() -> Any:
    return _states().add_columns(Credential.document)


@cache
def _shared(columns: Callable[[], Any]) -> Any:
    """Built once: writing the statement down takes longer than running it."""
    return columns().where(
        Credential.id == bindparam("shared_id"),
        Credential.is_public.is_(True),
        Credential.document.is_not(None),
    )


def credential(session: Session, credential_id: str) -> CredentialView | None:
    """Any credential, for the operator's commands."""
    row = session.execute(_credentials().where(Credential.id == credential_id)).one_or_none()
    return None if row is None else _credential_view(row)


def own_credential(
    session: Session, organisation_id: str, learner_id: str, credential_id: str
) -> CredentialView | None:
    """A credential of one learner of one organisation."""
    row = session.execute(
        _credentials().where(
            Credential.organisation_id == organisation_id,
            Award.learner_id == learner_id,
            Credential.id == credential_id,
        )
    ).one_or_none()
    return None if row is None else _credential_view(row)


def set_public(
    session: Session, organisation_id: str, credential_id: str, is_public: bool, now: datetime
) -> None:
    """Share a credential or take it back."""
    session.execute(
        update(Credential)
        .where(Credential.organisation_id == organisation_id, Credential.id == credential_id)
        .values(is_public=is_public, shared_at=now if is_public else None)
        .execution_options(synchronize_session=False)
    )


def revoke(session: Session, organisation_id: str, credential_id: str, reason: str, now: datetime) -> bool:
    """Revoke a credential; its status list waits for a new signature. False if it was revoked already."""
    revoked = session.execute(
        update(Credential)
        .where(
            Credential.organisation_id == organisation_id,
            Credential.id == credential_id,
            Credential.revoked_at.is_(None),
        )
        .values(revoked_at=now, revocation_reason=reason)
        .returning(Credential.status_list_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if revoked is None:
        return False
    session.execute(
        update(StatusList)
        .where(StatusList.id == revoked)
        .values(document=None, changed_at=now)
        .execution_options(synchronize_session=False)
    )
    return True


def status_list(session: Session, status_list_id: str) -> StatusListView | None:
    """A status list; it is public."""
    row = session.execute(
        select(
            StatusList.id,
            StatusList.organisation_id,
            StatusList.issuer_id,
            StatusList.purpose,
            StatusList.size,
            StatusList.document,
            StatusList.fresh_until,
            StatusList.changed_at,
        ).where(StatusList.id == status_list_id)
    ).one_or_none()
    return None if row is None else StatusListView(**row._mapping)


def unsigned_status_lists(session: Session, now: datetime, limit: int) -> tuple[str, ...]:
    """Ids of the status lists to be signed: a change waits for it, or the signed text grows old."""
    is_old = StatusList.fresh_until.is_(None) | (StatusList.fresh_until <= now)
    is_due = StatusList.document.is_(None) | is_old
    return tuple(session.execute(select(StatusList.id).where(is_due).limit(limit)).scalars())


def revoked_indices(session: Session, status_list_id: str) -> tuple[int, ...]:
    """The set bits of a status list."""
    return tuple(
        session.execute(
            select(Credential.status_index).where(
                Credential.status_list_id == status_list_id, Credential.revoked_at.is_not(None)
            )
        ).scalars()
    )


def store_status_list(
    session: Session,
    seen: StatusListView,
    revoked: Collection[int],
    document: str,
    now: datetime,
    fresh_until: datetime,
) -> bool:
    """Keep a list signed over ``revoked``, unless somebody revoked or signed meanwhile; True if kept.

    A revocation first marks its credential and then takes the signed list away, so with the list's row locked
    it is either seen here or about to take away what is kept here.
    """
    session.execute(select(StatusList.id).where(StatusList.id == seen.id).with_for_update())
    current = status_list(session, seen.id)
    if current is None or current.is_current(now):
        return False
    if set(revoked_indices(session, seen.id)) != set(revoked):
        return False
    session.execute(
        update(StatusList)
        .where(StatusList.id == seen.id)
        .values(document=document, fresh_until=fresh_until)
        .execution_options(synchronize_session=False)
    )
    return True


@dataclass(frozen=True, slots=True)
class IssuerView:
    """An issuer's public face."""

    id: str
    organisation_id: str
    organisation_name: str
    name: str
    url: str | None
    email: str | None
    description: str | None


def issuer(session: Session, issuer_id: str) -> IssuerView | None:
    """An issuer; it is public."""
    row = session.execute(
        select(
            Issuer.id,
            Issuer.organisation_id,
            Organisation.name.label("organisation_name"),
            Issuer.name,
            Issuer.url,
            Issuer.email,
            Issuer.description,
        )
        .join(Organisation, Organisation.id == Issuer.organisation_id)
        .where(Issuer.id == issuer_id)
    ).one_or_none()
    return None if row is None else IssuerView(**row._mapping)
