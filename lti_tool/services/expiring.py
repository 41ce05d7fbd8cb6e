"""The end of a version's badges: what its next version's author decided is signed into each of them.

A badge that ends earlier than it said is signed anew under the same id and place, with ``validUntil`` and a
newer ``validFrom``. Its address, its status page and ``refreshService`` serve that; who holds a copy from
before, and asks nobody, is not told by the copy.

What is owed follows from the tables (a version with an end that is not noted as signed), so nothing is lost
by a worker that was killed. Whoever issues or signs anew at that very moment with what they had read before
is found by a last look some minutes later; only then the end is noted as signed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from lti_tool.credentials.documents import format_time
from lti_tool.domain.validity import no_later_than
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.leases import Hold, LeaseLost, held
from lti_tool.services.signing_anew import (
    LAST_LOOK_AFTER,
    ActiveKeys,
    Document,
    end_of,
    sign_anew,
    start_of,
)
from lti_tool.store import audit, reissues
from lti_tool.store import endings as store
from lti_tool.store.database import Database
from lti_tool.store.endings import VersionEnd
from lti_tool.telemetry import CREDENTIALS_SIGNED

BATCH: Final = 500
"""Badges per transaction: short enough that nobody waits for the write lock."""


@dataclass(frozen=True)
class Expiring:
    """Signs ends of versions into their badges."""

    database: Database
    keys: ActiveKeys
    clock: Callable[[], datetime]
    urls: PublicUrls

    def due(self, limit: int = 1000) -> tuple[str, ...]:
        """Ids of the achievement versions whose end is still owed to a badge, whoever owns them."""
        with self.database.read() as session:
            return store.owed_versions(session, self.clock(), limit)

    def left(self, organisation_id: str, version_id: str, expires_at: datetime) -> int:
        """How many badges of a version would have to be signed anew to end then."""
        with self.database.read() as session:
            return store.count_ending_later(session, organisation_id, version_id, expires_at)

    def work(self, version_id: str, say: Callable[[int], None] | None = None) -> int:
        """Sign the end of a version into its badges; how many were signed. Repeating it is a no-op.

        :param say: told how many are done, after each batch.
        What cannot be signed, for want of its issuer's key for instance, stays owed.
        """
        done = 0
        with held(self.database, self.clock, store.LEASE + version_id) as lease:
            with self.database.read() as session:
                end = store.version_end(session, version_id)
            if lease is not None and end is not None:
                done = self._sign_all(version_id, end, lease, say)
        return done

    def _sign_all(
        self, version_id: str, end: VersionEnd, lease: Hold, say: Callable[[int], None] | None
    ) -> int:
        # Taken before the look: what is signed with another end from now on had read this one.
        is_last_look = end.set_at + LAST_LOOK_AFTER <= self.clock()
        done, after, is_whole = 0, "", True
        keyless: set[str] = set()
        while True:
            with self.database.read() as session:
                rows = store.ending_later(session, version_id, end.expires_at, after, BATCH, keyless)
            if not rows:
                break
            now = self.clock()
            signed = sign_anew(self.keys, self.urls, rows, _ending(end.expires_at), now)
            keyless.update(signed.keyless)
            with self.database.write() as session:
                count = reissues.replace(session, signed.renewed, now)
                is_ours = lease.renew(session)
            CREDENTIALS_SIGNED.labels("credential").inc(count)
            # One that somebody else signed meanwhile may say what they had read before.
            is_signed = not signed.refused and not signed.waiting and count == len(signed.renewed)
            is_whole = is_whole and is_signed
            done, after = done + count, rows[-1].place
            if say is not None:
                say(done)
            if not is_ours:
                raise LeaseLost
        if is_last_look and is_whole:
            self._settle(version_id, end)
        return done

    def _settle(self, version_id: str, end: VersionEnd) -> None:
        with self.database.write() as session:
            if not store.settle(session, version_id, end.expires_at):
                return
            audit.record(
                session,
                end.organisation_id,
                at=self.clock(),
                actor="rule",
                action="credentials.ended",
                subject_kind="achievement_version",
                subject_id=version_id,
                detail={"expires_at": end.expires_at.isoformat()},
            )


def _ending(expires_at: datetime) -> Callable[[Document], Document | None]:
    """A badge's text with this end, unless it ends earlier by itself."""

    def change(document: Document) -> Document | None:
        had = end_of(document)
        end = no_later_than(had, expires_at, start_of(document))
        return None if end == had else {**document, "validUntil": format_time(end, "/validUntil")}

    return change
