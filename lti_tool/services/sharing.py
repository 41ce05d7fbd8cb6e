"""Sharing: nothing about a learner is public unless the learner said so, and saying so can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy.orm import Session

from lti_tool.credentials.baking import bake_png, bake_svg
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.launching import SessionView
from lti_tool.services.wallet import EarnedBadge, earned_badge
from lti_tool.store import audit, credentials, micromodules, wallets
from lti_tool.store.database import Database


@dataclass(frozen=True)
class Sharing:
    """Hands a learner's own badge to its learner, and turns its public page on and off."""

    database: Database
    clock: Callable[[], datetime]
    urls: PublicUrls

    def own_document(self, session: SessionView, credential_id: str) -> bytes:
        """One's own badge as signed JSON, shared or not; it is the learner's to keep.

        :raises NotFound: ``credential_not_found`` for anybody else's badge, or one not signed yet.
        :raises NotAllowed: for a masquerader or a student view.
        """
        with self.database.read() as reading:
            return self._own(reading, session, credential_id)[0].encode()

    def own_picture(
        self, session: SessionView, credential_id: str, kind: Literal["png", "svg"] = "png"
    ) -> bytes:
        """The picture of one's own badge with the signed credential inside.

        :raises NotFound, NotAllowed: like :meth:`own_document`.
        """
        with self.database.read() as reading:
            document, version_id = self._own(reading, session, credential_id)
            image = micromodules.image(reading, version_id, kind)
        if image is None:
            raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND)
        return bake_png(image, document) if kind == "png" else bake_svg(image.decode(), document).encode()

    def _own(self, reading: Session, session: SessionView, credential_id: str) -> tuple[str, str]:
        if session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "read-only session")
        own = credentials.own_credential(reading, session.organisation_id, session.learner_id, credential_id)
        if own is None or own.document is None:
            raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND)
        return own.document, own.achievement_version_id

    def set_public(self, session: SessionView, credential_id: str, is_public: bool) -> EarnedBadge:
        """Share one's own badge, or take it back.

        :raises NotAllowed: for a masquerader or a student view.
        :raises NotFound: ``credential_not_found`` for anybody else's badge, or none.
        :raises Conflict: for a badge that is not signed yet, or to share one that was revoked.
        """
        if session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "read-only session")
        now = self.clock()
        with self.database.write() as writing:
            own = credentials.own_credential(
                writing, session.organisation_id, session.learner_id, credential_id
            )
            if own is None:
                raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND)
            if own.document is None:
                raise Conflict(ErrorCode.CONFLICT, "not signed yet")
            if is_public and own.revoked_at is not None:
                raise Conflict(ErrorCode.CONFLICT, "revoked")
            if own.is_public is not is_public:
                credentials.set_public(writing, session.organisation_id, credential_id, is_public, now)
                audit.record(
                    writing,
                    session.organisation_id,
                    at=now,
                    actor=f"learner:{session.learner_id}",
                    action="credential.shared" if is_public else "credential.unshared",
                    subject_kind="credential",
                    subject_id=credential_id,
                )
            version_id = own.achievement_version_id
            earned = wallets.awards_of_versions(
                writing, session.organisation_id, [version_id], [session.learner_id]
            )
        return earned_badge(earned[version_id][session.learner_id], self.urls, now)
