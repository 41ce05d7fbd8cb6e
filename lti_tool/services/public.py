"""What anybody may read: shared badges, achievements, issuers, pictures."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from lti_tool.credentials.baking import bake_png, bake_svg
from lti_tool.credentials.open_badges_2 import has_recipient
from lti_tool.services.describing import own_description
from lti_tool.services.issuing import Issuing, PublicUrls, PublishedDocument
from lti_tool.store import credentials as store
from lti_tool.store import micromodules
from lti_tool.store.credentials import IssuerView
from lti_tool.store.database import Database
from lti_tool.store.micromodules import AchievementVersionView


@dataclass(frozen=True, slots=True)
class PublicCredential:
    """A badge whose learner shared it."""

    id: str
    url: str
    name: str
    description: str
    criteria_narrative: str
    skills: tuple[str, ...]
    image_alt: str
    achievement_id: str
    achievement_version_id: str
    issuer_id: str
    issuer_name: str
    awarded_at: datetime
    met_at: datetime
    is_revoked: bool
    revoked_at: datetime | None
    revocation_reason: str | None
    document: bytes
    """The signed JSON, byte for byte."""
    hosted_url: str | None
    """Where the same badge stands as Open Badges 2.0; null where the LMS told no e-mail address."""

    @property
    def own_description(self) -> str:
        """What somebody wrote; empty where the criteria stand for it, which the page says anyway."""
        return own_description(self.description, self.criteria_narrative)


@dataclass(frozen=True, slots=True)
class SignedDocument:
    """The signed JSON of a shared badge, byte for byte."""

    body: bytes
    etag: str
    """Changes with the document and with a revocation."""


@dataclass(frozen=True, slots=True)
class PublicAchievement:
    """What a badge stands for, with its machine-readable form."""

    view: AchievementVersionView
    document: PublishedDocument

    @property
    def own_description(self) -> str:
        """As of :class:`PublicCredential`."""
        return own_description(self.view.description, self.view.criteria_narrative)


@dataclass(frozen=True, slots=True)
class PublicIssuer:
    """An issuer with what it awards."""

    view: IssuerView
    did: str
    achievements: tuple[AchievementVersionView, ...]
    document: PublishedDocument


@dataclass(frozen=True)
class PublicRecords:
    """Reads public things; nothing here needs a session, and nothing private passes."""

    database: Database
    issuing: Issuing
    urls: PublicUrls

    def document(self, credential_id: str) -> SignedDocument | None:
        """The signed JSON of a shared badge; ``None`` for a private one just as for none at all."""
        with self.database.read_rows() as connection:
            found = store.public_document(connection, credential_id)
        return None if found is None else SignedDocument(found.document.encode(), found.etag)

    def is_erased(self, credential_id: str) -> bool:
        """Whether it was erased with its learner; of what is merely not shared, nothing is said."""
        with self.database.read_rows() as connection:
            return store.is_erased(connection, credential_id)

    def etag(self, credential_id: str) -> str | None:
        """The ETag of :meth:`document`, which need not be read for it."""
        with self.database.read_rows() as connection:
            found = store.public_state(connection, credential_id)
        return None if found is None else found.etag

    def credential(self, credential_id: str) -> PublicCredential | None:
        """A shared badge; ``None`` for a private one just as for none at all."""
        with self.database.read_rows() as connection:
            view = store.public_credential(connection, credential_id)
        if view is None or view.document is None:
            return None
        return PublicCredential(
            view.id,
            self.urls.credential(view.id),
            view.name,
            view.description,
            view.criteria_narrative,
            view.skills,
            view.image_alt,
            view.achievement_id,
            view.achievement_version_id,
            view.issuer_id,
            view.issuer_name,
            view.awarded_at,
            view.met_at,
            view.revoked_at is not None,
            view.revoked_at,
            view.revocation_reason,
            view.document.encode(),
            self.urls.hosted("assertions", view.id) if has_recipient(json.loads(view.document)) else None,
        )

    def baked_png(self, credential_id: str) -> bytes | None:
        """The badge's picture with the signed credential inside."""
        found = self._with_image(credential_id, "png")
        return None if found is None else bake_png(found[1], found[0])

    def baked_svg(self, credential_id: str) -> bytes | None:
        """As :meth:`baked_png`, as a drawing."""
        found = self._with_image(credential_id, "svg")
        return None if found is None else bake_svg(found[1].decode(), found[0]).encode()

    def _with_image(self, credential_id: str, kind: str) -> tuple[str, bytes] | None:
        with self.database.read() as session:
            view = store.public_credential(session.connection(), credential_id)
            if view is None or view.document is None:
                return None
            image = micromodules.image(session, view.achievement_version_id, kind)
        return None if image is None else (view.document, image)

    def achievement(self, id_: str) -> PublicAchievement | None:
        """An achievement version by its id, or the newest by the achievement's id."""
        with self.database.read() as session:
            view = micromodules.public_achievement(session, id_)
        return None if view is None else PublicAchievement(view, self.issuing.achievement_document(view))

    def image(self, achievement_version_id: str, kind: str) -> bytes | None:
        """The picture of an achievement version, ``svg`` or ``png``."""
        with self.database.read() as session:
            return micromodules.image(session, achievement_version_id, kind)

    def newest_image(self, achievement_id: str, kind: str) -> bytes | None:
        """The picture of an achievement as it is now, ``svg`` or ``png``."""
        with self.database.read() as session:
            return micromodules.newest_image(session, achievement_id, kind)

    def issuer(self, issuer_id: str) -> PublicIssuer | None:
        """An issuer and the achievements it awards."""
        with self.database.read() as session:
            view = store.issuer(session, issuer_id)
            if view is None:
                return None
            achievements = micromodules.achievements_of_issuer(session, issuer_id)
        return PublicIssuer(view, self.urls.did(issuer_id), achievements, self.issuing.issuer_document(view))
