"""A learner's record: all badges in one signed credential (CLR 2.0), made each time somebody asks."""

from __future__ import annotations

import json
import threading
import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final, Literal

from lti_tool.credentials.clr import MAXIMUM_BADGE_BYTES, MAXIMUM_BADGES, build_record
from lti_tool.credentials.documents import Document
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.tokens import as_token, issue_token
from lti_tool.errors import ErrorCode, LimitReached, NotAllowed, NotFound
from lti_tool.services.issuing import Issuing, subject_of
from lti_tool.services.launching import SessionView
from lti_tool.services.tokens import Tokens
from lti_tool.store import audit, credentials, transcripts
from lti_tool.store.database import Database
from lti_tool.store.transcripts import HeldBadge, Holder, TokenIssuer
from lti_tool.telemetry import CREDENTIALS_SIGNED

RecordFormat = Literal["json", "jwt"]
RECORDS_AT_ONCE: Final = 10
WITHIN: Final = timedelta(minutes=1)
"""Records that one learner gets in a time from one process: each is signed, which takes 0.01 s a badge."""
_REMEMBERED: Final = 10_000


class Pace:
    """Counts what each learner asked for lately, in this process."""

    def __init__(self, most: int = RECORDS_AT_ONCE, within: timedelta = WITHIN) -> None:
        self._most = most
        self._within = within
        self._lock = threading.Lock()
        self._asked: OrderedDict[str, list[datetime]] = OrderedDict()

    def pass_through(self, learner_id: str, now: datetime) -> None:
        """Note that a learner asks.

        :raises LimitReached: ``rate_limited``, if that is once too often.
        """
        with self._lock:
            lately = [at for at in self._asked.pop(learner_id, []) if at > now - self._within]
            self._asked[learner_id] = lately
            while len(self._asked) > _REMEMBERED:
                self._asked.popitem(last=False)
            if len(lately) >= self._most:
                seconds = (lately[0] + self._within - now).total_seconds()
                raise LimitReached(ErrorCode.RATE_LIMITED, "learner records", retry_after=int(seconds) + 1)
            lately.append(now)


@dataclass(frozen=True)
class Transcripts:
    """Makes records: of what is signed already, so that a record never says more than the badges in it."""

    database: Database
    clock: Callable[[], datetime]
    issuing: Issuing
    tokens: Tokens
    pace: Pace = field(default_factory=Pace)

    def own(self, session: SessionView, format_: RecordFormat) -> bytes:
        """The record of whoever this session is of.

        :raises NotAllowed: for a masquerader or a student view.
        :raises NotFound: ``credential_not_found`` without a badge that holds.
        :raises LimitReached: ``rate_limited``.
        """
        if session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "read-only session")
        self.pace.pass_through(session.learner_id, self.clock())
        return self._record(session.organisation_id, session.learner_id, format_)

    def of_learner(self, organisation_id: str, learner_id: str, format_: RecordFormat, actor: str) -> bytes:
        """The record of a learner of this organisation, for its student system; the audit log says who took
        it.

        :param actor: ``cli`` or ``staff:<id>``.
        :raises NotFound: ``learner_not_found``; ``credential_not_found`` as of :meth:`own`.
        """
        made = self._record(organisation_id, learner_id, format_)
        with self.database.write() as session:
            audit.record(
                session,
                organisation_id,
                at=self.clock(),
                actor=actor,
                action="learner_record.exported",
                subject_kind="learner",
                subject_id=learner_id,
            )
        return made

    def _record(self, organisation_id: str, learner_id: str, format_: RecordFormat) -> bytes:
        now = self.clock()
        with self.database.read() as session:
            holder = transcripts.holder(session, organisation_id, learner_id)
            if holder is None:
                raise NotFound(ErrorCode.LEARNER_NOT_FOUND)
            held = transcripts.held_badges(session, organisation_id, learner_id, now, MAXIMUM_BADGES)
            badges = tuple(_that_fit(held))
            if not badges:
                raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, "no badge for a record")
            won = transcripts.badges_won(session, organisation_id, learner_id)
            issuer = transcripts.default_issuer(session, organisation_id)
            issuer = issuer or transcripts.issuer_of(session, badges[0].credential_id)
            view = None if issuer is None else credentials.issuer(session, issuer.id)
        if issuer is None or view is None:
            raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, "nobody to sign a record")
        document = build_record(
            id_=self._id(holder),
            name=f"Learner record: {view.organisation_name}",
            issuer=self.issuing.profile(view),
            subject=subject_of(holder.email, holder.sub),
            valid_from=now,
            badges=[json.loads(badge.document) for badge in badges],
            replacements=tuple(self._replacements(badges)),
            is_partial=len(badges) < won,
        )
        signed = self._signed(document, holder, issuer, format_, now)
        CREDENTIALS_SIGNED.labels("record").inc()
        return signed.encode()

    def _signed(
        self, document: Document, holder: Holder, issuer: TokenIssuer, format_: RecordFormat, now: datetime
    ) -> str:
        if format_ == "jwt":
            return issue_token(as_token(document, self._id(holder, "jwt")), self.tokens.signer(issuer))
        signer = self.issuing.keys.signer(issuer.id, self.issuing.urls.did(issuer.id))
        return sign_credential(document, signer, now).text

    def _id(self, holder: Holder, kind: str = "json") -> str:
        """The same for every record of a learner, so that a newer one replaces it; nothing is served."""
        name = f"{self.issuing.urls.base_url}/learners/{holder.id}/record.{kind}"
        return uuid.uuid5(uuid.NAMESPACE_URL, name).urn

    def _replacements(self, badges: Iterable[HeldBadge]) -> Iterator[tuple[str, str]]:
        """Ids of achievements, an older version and the next one that the learner has."""
        versions: dict[str, list[HeldBadge]] = defaultdict(list)
        for badge in badges:
            versions[badge.achievement_id].append(badge)
        for held in versions.values():
            for old, new in pairwise(sorted(held, key=lambda badge: badge.number)):
                urls = self.issuing.urls
                yield (
                    urls.achievement(old.achievement_version_id),
                    urls.achievement(new.achievement_version_id),
                )


def _that_fit(badges: Iterable[HeldBadge]) -> Iterator[HeldBadge]:
    """The first of ``badges`` that a record has room for: endorsements make some of them large."""
    room = MAXIMUM_BADGE_BYTES
    for badge in badges:
        room -= len(badge.document.encode()) + 1  # and a comma
        if room < 0:
            return
        yield badge
