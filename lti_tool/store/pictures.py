"""Uploaded pictures, and the colours of an organisation."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from lti_tool.store.dialects import insert_if_absent
from lti_tool.store.tables import Organisation, Picture, new_id


@dataclass(frozen=True, slots=True)
class PictureView:
    """A picture of ours, made from what somebody uploaded."""

    id: str
    organisation_id: str
    digest: str
    svg: str
    """Square, without words for those who cannot see it (``lti_tool.credentials.uploads.with_alt``)."""
    png: bytes
    """512 × 512 pixels."""
    uploaded_by: str
    created_at: datetime


def _view(row: Picture) -> PictureView:
    return PictureView(
        row.id, row.organisation_id, row.digest, row.svg, row.png, row.uploaded_by, row.created_at
    )


def picture(session: Session, organisation_id: str, picture_id: str) -> PictureView | None:
    """One picture, if this organisation owns it."""
    row = session.scalar(
        select(Picture).where(Picture.organisation_id == organisation_id, Picture.id == picture_id)
    )
    return None if row is None else _view(row)


def with_digest(session: Session, organisation_id: str, digest: str) -> PictureView | None:
    """The same picture, if somebody of this organisation uploaded it before."""
    row = session.scalar(
        select(Picture).where(Picture.organisation_id == organisation_id, Picture.digest == digest)
    )
    return None if row is None else _view(row)


def uploads_since(session: Session, organisation_id: str, uploaded_by: str, since: datetime) -> int:
    """How many pictures one person uploaded from a moment on."""
    return (
        session.scalar(
            select(func.count())
            .select_from(Picture)
            .where(
                Picture.organisation_id == organisation_id,
                Picture.uploaded_by == uploaded_by,
                Picture.created_at >= since,
            )
        )
        or 0
    )


def add(
    session: Session,
    organisation_id: str,
    *,
    digest: str,
    svg: str,
    png: bytes,
    uploaded_by: str,
    now: datetime,
) -> PictureView:
    """Keep a picture; the one that is there where it was uploaded before."""
    values = {
        "id": new_id(),
        "organisation_id": organisation_id,
        "digest": digest,
        "svg": svg,
        "png": png,
        "uploaded_by": uploaded_by,
        "created_at": now,
    }
    insert_if_absent(session, Picture, values, on=("organisation_id", "digest"))
    kept = with_digest(session, organisation_id, digest)
    assert kept is not None
    return kept


def palette(session: Session, organisation_id: str) -> tuple[str, ...]:
    """The organisation's colours, ``#rrggbb``, in its order."""
    stored = session.scalar(select(Organisation.palette).where(Organisation.id == organisation_id))
    return tuple(stored or ())


def set_palette(session: Session, organisation_id: str, colours: tuple[str, ...]) -> None:
    """Say what the organisation's colours are."""
    session.execute(
        update(Organisation).where(Organisation.id == organisation_id).values(palette=list(colours))
    )
