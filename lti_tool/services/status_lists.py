"""Status lists as everybody reads them: signed once for a batch of changes, served stale rather than not."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lti_tool.credentials.documents import IssuerProfile
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from lti_tool.errors import ToolError
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.issuing import IssuerKeys, PublishedDocument
from lti_tool.store import credentials
from lti_tool.store import status_lists as store
from lti_tool.store.database import Database
from lti_tool.telemetry import CREDENTIALS_SIGNED

MAX_AGE: Final = 60
"""Seconds that caches may keep a list: a revocation shows everywhere within a minute."""
STALE_MAX_AGE: Final = 10
"""The same of a list that ought to have been signed anew."""
RENEWAL: Final = timedelta(days=1)
"""After which a list is signed again without a change."""
VALIDITY: Final = timedelta(days=7)
"""Of a signed list, so that nobody can go on showing one from before a revocation."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class StatusLists:
    """Signs and publishes the lists of every issuer."""

    database: Database
    keys: IssuerKeys
    clock: Callable[[], datetime]
    urls: PublicUrls
    _one_at_a_time: threading.Lock = field(default_factory=threading.Lock)
    """Within a process: many ask for a list in the moment after a change, and it is signed once."""

    def sign(self, status_list_id: str) -> str | None:
        """Sign a list if a change waits for it, or it grew old; the text, None where there is no list.

        However many changes wait, one signature says them all.

        :raises ConfigurationInvalid: ``key_…`` where the issuer's key cannot be used.
        """
        with self._one_at_a_time:
            return self._sign(status_list_id)

    def _sign(self, status_list_id: str) -> str | None:
        while True:
            now = self.clock()
            with self.database.read() as session:
                seen = store.status_list(session, status_list_id)
                if seen is None or seen.is_current(now):
                    return None if seen is None else seen.document
                indices = store.set_indices(session, status_list_id)
                issuer = credentials.issuer(session, seen.issuer_id)
            if issuer is None:
                return None
            did = self.urls.did(issuer.id)
            document = build_status_list_credential(
                list_url=self.urls.status_list(seen.id),
                issuer=IssuerProfile(id=did, name=issuer.name),
                bits=StatusList.of(indices, seen.size),
                valid_from=seen.changed_at,
                valid_until=now + VALIDITY,
                purpose=seen.purpose,
            )
            text = sign_credential(document, self.keys.signer(issuer.id, did), now).text
            with self.database.write() as session:
                is_kept = store.store_signed(session, seen, indices, text, now, now + RENEWAL)
            if is_kept:
                CREDENTIALS_SIGNED.labels("status_list").inc()
                return text
            # Somebody changed, or signed, it meanwhile: look again.

    def unsigned(self, limit: int = 100) -> tuple[str, ...]:
        """Ids of the lists to be signed: a change waits for it, or the signed text grows old."""
        with self.database.read() as session:
            return store.unsigned(session, self.clock(), limit)

    def published(self, status_list_id: str) -> PublishedDocument | None:
        """The list as it is served. A change that waits for its signature is signed now; where that fails (a
        key that cannot be read, a database that takes no writes) the text before it is served for as long as
        it is valid: without any list, none of its badges could be confirmed.

        :raises ConfigurationInvalid: as :meth:`sign`, where there is no text to fall back on.
        """
        with self.database.read() as session:
            seen = store.status_list(session, status_list_id)
        if seen is None:
            return None
        if seen.document is not None and seen.is_current(self.clock()):
            return _document(seen.document, MAX_AGE)
        try:
            text = self.sign(status_list_id)
        except (ToolError, SQLAlchemyError, OSError) as error:
            if seen.document is None or _valid_until(seen.document) <= self.clock():
                raise
            _log.error("status_list_served_stale", status_list_id=status_list_id, reason=type(error).__name__)
            return _document(seen.document, STALE_MAX_AGE)
        return None if text is None else _document(text, MAX_AGE)


def _document(text: str, max_age: int) -> PublishedDocument:
    return PublishedDocument(text.encode(), "application/vc+ld+json", max_age)


def _valid_until(text: str) -> datetime:
    return datetime.fromisoformat(json.loads(text)["validUntil"])
