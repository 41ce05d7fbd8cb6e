"""Badges as tokens (VC-JWT): made from what is signed already, each time somebody asks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from lti_tool.credentials.tokens import TokenSigner, as_token, issue_token
from lti_tool.errors import ErrorCode, NotFound
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.launching import SessionView
from lti_tool.services.public import SignedDocument, ending
from lti_tool.services.sharing import Sharing
from lti_tool.store import credentials, transcripts
from lti_tool.store.database import Database
from lti_tool.store.transcripts import TokenIssuer


class TokenKeys(Protocol):
    """The keys of issuers' tokens, as the keyring keeps them."""

    def token_signer(self, issuer_id: str, did: str, algorithm: str) -> TokenSigner:
        """The active key of a kind, made if the issuer has none yet."""


@dataclass(frozen=True)
class Tokens:
    """Hands out badges as tokens, to those who may have the signed badge.

    Nothing is stored: keys sign equal texts alike, so that the same badge is the same token until the badge
    or the key changes.
    """

    database: Database
    keys: TokenKeys
    urls: PublicUrls
    sharing: Sharing

    def public(self, credential_id: str) -> SignedDocument | None:
        """A shared badge as a token; ``None`` for a private one just as for none at all."""
        with self.database.read() as session:
            found = credentials.public_document(session.connection(), credential_id)
            issuer = transcripts.issuer_of(session, credential_id)
        if found is None or issuer is None:
            return None
        signer = self.signer(issuer)
        text = self._token(credential_id, found.document.encode(), signer, issuer.badge_ends_at)
        return SignedDocument(text, self._etag(found.etag, signer, issuer))

    def etag(self, credential_id: str) -> str | None:
        """The ETag of :meth:`public`, for which nothing is signed."""
        with self.database.read() as session:
            found = credentials.public_state(session.connection(), credential_id)
            issuer = transcripts.issuer_of(session, credential_id)
        if found is None or issuer is None:
            return None
        return self._etag(found.etag, self.signer(issuer), issuer)

    def own(self, session: SessionView, credential_id: str) -> bytes:
        """One's own badge as a token, shared or not.

        :raises NotFound: ``credential_not_found`` for anybody else's badge, or one not signed yet.
        :raises NotAllowed: for a masquerader or a student view.
        """
        document = self.sharing.own_document(session, credential_id)
        with self.database.read() as reading:
            issuer = transcripts.issuer_of(reading, credential_id)
        if issuer is None:
            raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND)
        return self._token(credential_id, document, self.signer(issuer), issuer.badge_ends_at)

    def signer(self, issuer: TokenIssuer) -> TokenSigner:
        """The key that an issuer's tokens are signed with from now on."""
        return self.keys.token_signer(issuer.id, self.urls.did(issuer.id), issuer.algorithm)

    def _token(
        self, credential_id: str, document: bytes, signer: TokenSigner, ends_at: datetime | None
    ) -> bytes:
        where = self.urls.credential(f"{credential_id}.jwt")
        return issue_token(as_token(ending(json.loads(document), ends_at), where), signer).encode()

    def _etag(self, etag: str, signer: TokenSigner, issuer: TokenIssuer) -> str:
        ends = "" if issuer.badge_ends_at is None else f"-{issuer.badge_ends_at.timestamp():.0f}"
        return f"{etag}-{signer.verification_method.rpartition('#')[2][:16]}{ends}"
