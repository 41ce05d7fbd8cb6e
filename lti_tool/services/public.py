"""What anybody may read: shared badges, achievements, issuers, pictures."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lti_tool.credentials.baking import bake_png, bake_svg
from lti_tool.credentials.documents import format_time
from lti_tool.credentials.open_badges_2 import has_recipient
from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.validity import no_later_than
from lti_tool.services.achievement_details import is_web_address
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.describing import own_description
from lti_tool.services.issuer_keys import IssuerKey, KeyViews, keys_of
from lti_tool.services.issuing import Issuing, PublishedDocument
from lti_tool.services.signing_anew import end_of, start_of
from lti_tool.store import chains, endorsements, micromodules
from lti_tool.store import credentials as store
from lti_tool.store.chains import Place
from lti_tool.store.credentials import IssuerView
from lti_tool.store.database import Database
from lti_tool.store.endorsements import EndorsementView
from lti_tool.store.micromodules import AchievementDetails, AchievementVersionView


@dataclass(frozen=True, slots=True)
class ShownResult:
    """What a badge says that its learner reached."""

    name: str
    value: str
    is_percent: bool


@dataclass(frozen=True, slots=True)
class ShownWork:
    """Work of its learner that a badge links to."""

    name: str
    url: str


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
    state: BadgeState
    """At the moment of asking."""
    valid_until: datetime | None
    suspension_reason: str | None
    """Null unless it is suspended."""
    hosted_url: str | None
    """Where the same badge stands as Open Badges 2.0; null where the LMS told no e-mail address, and while it
    is revoked or suspended: then 410 is answered there."""
    details: AchievementDetails = field(default_factory=AchievementDetails)
    results: tuple[ShownResult, ...] = ()
    work: tuple[ShownWork, ...] = ()
    reissued_at: datetime | None = None
    """When it was signed anew."""
    place: Place | None = None
    """Where its version stands among those of the achievement."""

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
    endorsements: tuple[EndorsementView, ...] = ()
    place: Place | None = None

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
    endorsements: tuple[EndorsementView, ...] = ()
    keys: tuple[IssuerKey, ...] = ()
    """The active one first; also those that are trusted no more."""


@dataclass(frozen=True)
class PublicRecords:
    """Reads public things; nothing here needs a session, and nothing private passes."""

    database: Database
    issuing: Issuing
    urls: PublicUrls
    keys: KeyViews

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
            details = micromodules.details_of(connection, [view.achievement_version_id])
            place = chains.place(connection, view.achievement_version_id)
        document = json.loads(view.document)
        is_hosted = has_recipient(document) and view.revoked_at is None and view.suspended_at is None
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
            view.state(self.issuing.clock()),
            view.valid_until,
            view.suspension_reason if view.suspended_at is not None else None,
            self.urls.hosted("assertions", view.id) if is_hosted else None,
            details[view.achievement_version_id],
            shown_results(document),
            shown_work(document),
            view.reissued_at,
            place,
        )

    def version_ends_at(self, version_id: str) -> datetime | None:
        """When all badges of an achievement version end, which its page tells everybody."""
        with self.database.read_rows() as connection:
            place = chains.place(connection, version_id)
        return None if place is None else place.version.expires_at

    def endorsement(self, endorsement_id: str) -> bytes | None:
        """The signed text of an accepted endorsement; ``None`` for any other just as for none at all."""
        with self.database.read() as session:
            found = endorsements.public_endorsement(session, endorsement_id)
        return None if found is None or found.document is None else found.document.encode()

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
            if view is None:
                return None
            endorsed = endorsements.accepted(session, [view.id]).get(view.id, ())
            place = chains.place(session.connection(), view.id)
        document = self.issuing.achievement_document(view, endorsed, place.others if place else ())
        return PublicAchievement(view, document, endorsed, place)

    def image(self, achievement_version_id: str, kind: str) -> bytes | None:
        """The picture of an achievement version, ``svg`` or ``png``."""
        with self.database.read() as session:
            return micromodules.image(session, achievement_version_id, kind)

    def newest_image(self, achievement_id: str, kind: str) -> bytes | None:
        """The picture of an achievement as it is now, ``svg`` or ``png``."""
        with self.database.read() as session:
            return micromodules.newest_image(session, achievement_id, kind)

    def issuer_image(self, issuer_id: str) -> bytes | None:
        """The PNG picture of an issuer, if it has one."""
        with self.database.read() as session:
            return store.issuer_picture(session, issuer_id)

    def issuer(self, issuer_id: str) -> PublicIssuer | None:
        """An issuer and the achievements it awards."""
        with self.database.read() as session:
            view = store.issuer(session, issuer_id)
            if view is None:
                return None
            achievements = micromodules.achievements_of_issuer(session, issuer_id)
            endorsed = endorsements.accepted(session, issuer_ids=[issuer_id]).get(issuer_id, ())
        document = self.issuing.issuer_document(view, endorsed)
        keys = keys_of(self.keys, issuer_id) or ()
        return PublicIssuer(view, self.urls.did(issuer_id), achievements, document, endorsed, keys)


def ending(document: dict[str, Any], ends_at: datetime | None) -> dict[str, Any]:
    """What is signed, with the end that is recorded where that is earlier: it is signed into the badge only
    later."""
    had = end_of(document)
    if ends_at is None or (had is not None and had <= ends_at):
        return document
    end = no_later_than(had, ends_at, start_of(document))
    return {**document, "validUntil": format_time(end, "/validUntil")}


def shown_results(document: Mapping[str, Any]) -> tuple[ShownResult, ...]:
    """What a badge of ours says that its learner reached, as it was signed."""
    subject = document["credentialSubject"]
    described = {one["id"]: one for one in subject["achievement"].get("resultDescription", ())}
    return tuple(
        ShownResult(
            described[result["resultDescription"]]["name"],
            result["value"],
            described[result["resultDescription"]]["resultType"] == "Percent",
        )
        for result in subject.get("result", ())
        if result.get("resultDescription") in described and "value" in result
    )


def shown_work(document: Mapping[str, Any]) -> tuple[ShownWork, ...]:
    """The work of its learner that a badge of ours links to; what is no address of a page is left out."""
    return tuple(
        ShownWork(one.get("name", one["id"]), one["id"])
        for one in document.get("evidence", ())
        if is_web_address(one.get("id", ""))
    )
