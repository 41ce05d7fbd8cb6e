"""Credentials: what waits for a signature, what the public sees, what is shared, paused or taken back."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, cast

from sqlalchemy import Select, bindparam, select, update
from sqlalchemy.engine import Connection
from sqlalchemy.orm import Session

from lti_tool.domain.badge_states import Dated
from lti_tool.store import status_lists
from lti_tool.store.dialects import insert_rows, one_of
from lti_tool.store.raw_rows import moment, raw, same_moment, untyped
from lti_tool.store.tables import (
    Achievement,
    AchievementVersion,
    Award,
    Credential,
    Issuer,
    Learner,
    Organisation,
    Picture,
    Registration,
    StatusList,
)
from lti_tool.store.validity import ends_at


class AwardToIssue(NamedTuple):
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
    status_purpose: str
    credential_id: str | None
    status_list_id: str | None
    status_index: int | None
    is_signed: bool

    def placed(self, credential_id: str, status_list_id: str, status_index: int) -> AwardToIssue:
        """The same with an id and a place; by ``_replace`` it takes four times as long."""
        return AwardToIssue(*self[:11], credential_id, status_list_id, status_index, self[14])


@dataclass(frozen=True, slots=True)
class CredentialView(Dated):
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
    suspended_at: datetime | None = None
    suspension_reason: str | None = None
    valid_until: datetime | None = None
    reissued_at: datetime | None = None
    status_purpose: str = "revocation"

    @property
    def is_signed(self) -> bool:
        """Whether there is a signed text."""
        return self.document is not None


class SharedDocument(NamedTuple):
    """The signed text of a shared credential, and when it came to be what it is."""

    id: str
    issued_at: datetime
    revoked_at: datetime | None
    reissued_at: datetime | None
    document: str

    @property
    def etag(self) -> str:
        """Another one for another text, which a credential gets whenever it is signed, and after a
        revocation."""
        moments = (self.reissued_at or self.issued_at, self.revoked_at)
        return "-".join((self.id, *(f"{at.timestamp():.6f}" for at in moments if at is not None)))


def awards_to_issue(session: Session, award_ids: Sequence[str]) -> tuple[AwardToIssue, ...]:
    """Awards with what their credential needs; those already signed are marked so."""
    rows = raw(
        session,
        # In the order of the fields.
        select(
            Award.id,
            Award.organisation_id,
            Award.learner_id,
            Award.achievement_version_id,
            Achievement.issuer_id,
            untyped(Award.awarded_at),
            untyped(Award.met_at),
            Learner.email,
            Learner.sub,
            Registration.issuer,
            AchievementVersion.status_purpose,
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
        .where(one_of(session, Award.id, award_ids))
        .order_by(Award.id),
        {},
    )
    # mypy counts two stretches of unknown length as more fields than there are.
    make = cast("Callable[..., AwardToIssue]", AwardToIssue)
    return tuple(
        make(*row[:5], same_moment(row[5]), moment(row[6]), *row[7:14], bool(row[14])) for row in rows
    )


def awards_of(session: Session, credential_ids: Sequence[str]) -> tuple[str, ...]:
    """Ids of the awards that these credentials are of."""
    found = session.scalars(select(Credential.award_id).where(Credential.id.in_(credential_ids)))
    return tuple(id_ for id_ in found if id_ is not None)


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


class Whose(NamedTuple):
    """The list that places are in, and whose it is."""

    issuer_id: str
    organisation_id: str
    purpose: str
    status_list_id: str


class NewCredential(NamedTuple):
    """A signed credential with the place that was proposed for it, about to be kept."""

    id: str
    award_id: str
    status_index: int
    document: str
    valid_until: datetime | None


def store_signed(
    session: Session, whose: Whose, signed: Sequence[NewCredential], now: datetime
) -> frozenset[str]:
    """Keep credentials whose places are in one list, each with its place and its text at once.

    The issuer is locked meanwhile, so that two machines that issue at once wait for each other. Passed over
    is whose award was erased with its learner, whose award somebody else has issued, and whose place somebody
    else has got since it was proposed, or is in a list that is closed by now: what was signed for them is
    thrown away before anybody saw it.

    :returns: the awards whose credentials were kept.
    """
    ids = [one.award_id for one in signed]
    held = (
        select(Award.id)
        .where(one_of(session, Award.id, ids))
        .order_by(Award.id)
        # Whoever erases now waits until the credential is kept, and then revokes it.
        .with_for_update(read=True, key_share=True)
    )
    known = {id_ for (id_,) in raw(session, held, {})}
    issuer_id, organisation_id, purpose, list_id = whose
    found = status_lists.open_list(session, issuer_id, organisation_id, purpose, now)
    if found.id != list_id:
        return frozenset()
    # The lock may have let another machine go first.
    issued = select(Credential.award_id).where(one_of(session, Credential.award_id, ids))
    known.difference_update(id_ for (id_,) in raw(session, issued, {}))
    gone = status_lists.taken(session, list_id, [one.status_index for one in signed])
    kept = [one for one in signed if one.award_id in known and one.status_index not in gone][: found.free]
    insert_rows(
        session,
        Credential,
        NewCredential._fields,
        kept,
        shared={
            "organisation_id": organisation_id,
            "issuer_id": issuer_id,
            "status_list_id": list_id,
            "issued_at": now,
            "is_public": False,
        },
    )
    status_lists.count_entries(session, list_id, len(kept))
    return frozenset(one.award_id for one in kept)


class SignedText(NamedTuple):
    """A signed credential about to be kept."""

    credential_id: str
    text: str
    ends_at: datetime | None
    """``validUntil``, as signed."""


def store_documents(session: Session, documents: Iterable[SignedText], now: datetime) -> None:
    """Keep signed texts of credentials that have their place since before; a text that is there stays.

    Places and texts were once kept one after the other, so that a crash left a place alone.
    """
    rows = [document._asdict() for document in documents]
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
            .values(document=bindparam("text"), valid_until=bindparam("ends_at"), issued_at=now),
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
            Credential.suspended_at,
            Credential.suspension_reason,
            ends_at().label("valid_until"),
            Credential.reissued_at,
            StatusList.purpose.label("status_purpose"),
            Credential.is_public,
        )
        .join(Award, Award.id == Credential.award_id)
        .join(AchievementVersion, AchievementVersion.id == Award.achievement_version_id)
        .join(Issuer, Issuer.id == Credential.issuer_id)
        .join(Organisation, Organisation.id == Credential.organisation_id)
        .join(StatusList, StatusList.id == Credential.status_list_id)
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
    return None if row is None else SharedDocument(row.id, row.issued_at, row.revoked_at, row.reissued_at, "")


def is_erased(connection: Connection, credential_id: str) -> bool:
    """Whether a credential was erased with its learner: nothing is left but its place, which is revoked."""
    found = connection.execute(
        select(Credential.id).where(Credential.id == credential_id, Credential.award_id.is_(None))
    )
    return found.first() is not None


def _states() -> Any:
    return select(Credential.id, Credential.issued_at, Credential.revoked_at, Credential.reissued_at)


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


def known(session: Session, organisation_id: str, credential_ids: Collection[str]) -> frozenset[str]:
    """Which of these ids are credentials of this organisation."""
    return frozenset(
        session.scalars(
            select(Credential.id).where(
                Credential.organisation_id == organisation_id, Credential.id.in_(credential_ids)
            )
        )
    )


def revoke(
    session: Session, organisation_id: str, credential_ids: Collection[str], reason: str, now: datetime
) -> dict[str, str]:
    """Revoke credentials; their status lists wait for a new signature.

    :returns: the ids of their status lists, by the ids of those that were not revoked already.
    """
    rows = session.execute(
        update(Credential)
        .where(
            Credential.organisation_id == organisation_id,
            Credential.id.in_(credential_ids),
            Credential.revoked_at.is_(None),
        )
        .values(revoked_at=now, revocation_reason=reason)
        .returning(Credential.id, Credential.status_list_id)
        .execution_options(synchronize_session=False)
    ).all()
    revoked = {row.id: row.status_list_id for row in rows}
    status_lists.mark_changed(session, revoked.values(), now)
    return revoked


def set_suspended(
    session: Session, organisation_id: str, credential_id: str, reason: str | None, now: datetime
) -> bool:
    """Suspend a credential for ``reason``, or with None end that; False where it is in another state."""
    was = Credential.suspended_at.is_(None) if reason is not None else Credential.suspended_at.is_not(None)
    list_id = session.execute(
        update(Credential)
        .where(
            Credential.organisation_id == organisation_id,
            Credential.id == credential_id,
            Credential.revoked_at.is_(None),
            was,
        )
        .values(suspended_at=None if reason is None else now, suspension_reason=reason)
        .returning(Credential.status_list_id)
        .execution_options(synchronize_session=False)
    ).scalar_one_or_none()
    if list_id is None:
        return False
    status_lists.mark_changed(session, [list_id], now)
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
    picture_id: str | None = None
    terms_url: str | None = None


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
            Issuer.picture_id,
            Issuer.terms_url,
        )
        .join(Organisation, Organisation.id == Issuer.organisation_id)
        .where(Issuer.id == issuer_id)
    ).one_or_none()
    return None if row is None else IssuerView(**row._mapping)


def issuer_picture(session: Session, issuer_id: str) -> bytes | None:
    """The PNG picture of an issuer, if it has one; it is public."""
    return session.scalar(
        select(Picture.png)
        .join(Issuer, Issuer.picture_id == Picture.id)
        .where(Issuer.id == issuer_id, Picture.organisation_id == Issuer.organisation_id)
    )
