"""Shared badges as Open Badges 2.0, hosted at addresses of their own; made anew from what is signed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from lti_tool.credentials import open_badges_2
from lti_tool.credentials.baking import OPEN_BADGES_2, bake_png, bake_svg
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.issuing import Issuing
from lti_tool.services.public import ending
from lti_tool.store import chains, micromodules
from lti_tool.store import credentials as store
from lti_tool.store.credentials import CredentialView
from lti_tool.store.database import Database


@dataclass(frozen=True, slots=True)
class HostedAssertion:
    """One learner's badge as it is served."""

    body: str
    is_revoked: bool
    """It is answered with 410, which is how 2.0 says so (OB 2.0 §"Verification")."""


@dataclass(frozen=True)
class Hosting:
    """What stands below ``/ob2``. Nothing private passes, and nothing is stored for it."""

    database: Database
    issuing: Issuing
    urls: PublicUrls

    def assertion(self, credential_id: str) -> HostedAssertion | None:
        """The Assertion of a shared badge; ``None`` for a private one, as for none at all, and where the LMS
        told no e-mail address: 2.0 knows no other name for a learner. One that was erased with its learner is
        a revoked one: who holds a copy must not go on believing it."""
        view = self._shared(credential_id)
        if view is None:
            with self.database.read_rows() as connection:
                is_erased = store.is_erased(connection, credential_id)
            return self._revoked(credential_id, None) if is_erased else None
        if view.revoked_at is not None:
            return self._revoked(view.id, view.revocation_reason)
        if view.suspended_at is not None:
            # 2.0 knows no pause: while it lasts the badge must not be believed; then it stands here again.
            return self._revoked(view.id, view.suspension_reason)
        return HostedAssertion(open_badges_2.to_json(self._assertion(view)), is_revoked=False)

    def baked_png(self, credential_id: str) -> bytes | None:
        """The badge's picture with the Assertion inside; ``None`` like :meth:`assertion`, and where it was
        revoked."""
        found = self._with_image(credential_id, "png")
        return None if found is None else bake_png(found[1], found[0], OPEN_BADGES_2)

    def baked_svg(self, credential_id: str) -> bytes | None:
        """As :meth:`baked_png`."""
        found = self._with_image(credential_id, "svg")
        if found is None:
            return None
        where = self.urls.hosted("assertions", credential_id)
        return bake_svg(found[1].decode(), found[0], OPEN_BADGES_2, verify=where).encode()

    def badge_class(self, achievement_version_id: str) -> str | None:
        """The BadgeClass of an achievement version; public whoever has it."""
        with self.database.read() as session:
            view = micromodules.public_achievement(session, achievement_version_id)
            if view is None or view.id != achievement_version_id:
                return None
            place = chains.place(session.connection(), view.id)
        return open_badges_2.to_json(
            open_badges_2.build_badge_class(
                json.loads(self.issuing.achievement_document(view).body),
                id_=self.urls.hosted("badges", view.id),
                issuer=self.urls.hosted("issuers", view.issuer_id),
                others=[self.urls.hosted("badges", one.id) for one in (place.others if place else ())],
            )
        )

    def issuer(self, issuer_id: str) -> str | None:
        """The profile of an issuer."""
        with self.database.read() as session:
            view = store.issuer(session, issuer_id)
        if view is None:
            return None
        profile = json.loads(self.issuing.issuer_document(view).body)
        where = self.urls.hosted("issuers", issuer_id)
        return open_badges_2.to_json(open_badges_2.build_issuer(profile, id_=where, url=profile["url"]))

    def _shared(self, credential_id: str) -> CredentialView | None:
        with self.database.read_rows() as connection:
            view = store.public_credential(connection, credential_id)
        if view is None or not open_badges_2.has_recipient(_signed(view)):
            return None
        return view

    def _revoked(self, credential_id: str, reason: str | None) -> HostedAssertion:
        gone = open_badges_2.build_revoked(self.urls.hosted("assertions", credential_id), reason)
        return HostedAssertion(open_badges_2.to_json(gone), is_revoked=True)

    def _assertion(self, view: CredentialView) -> dict[str, Any]:
        where = self.urls.hosted("assertions", view.id)
        return open_badges_2.build_assertion(
            ending(_signed(view), view.valid_until),
            id_=where,
            badge=self.urls.hosted("badges", view.achievement_version_id),
            image=f"{where}.png",
            image_caption=view.image_alt,
        )

    def _with_image(self, credential_id: str, kind: str) -> tuple[str, bytes] | None:
        view = self._shared(credential_id)
        if view is None or view.revoked_at is not None or view.suspended_at is not None:
            return None
        with self.database.read() as session:
            image = micromodules.image(session, view.achievement_version_id, kind)
        return None if image is None else (open_badges_2.to_json(self._assertion(view)), image)


def _signed(view: CredentialView) -> dict[str, Any]:
    """What the learner was given; only signed credentials are ever shared."""
    document: dict[str, Any] = json.loads(view.document or "{}")
    return document
