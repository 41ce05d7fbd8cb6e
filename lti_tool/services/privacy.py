"""What is stored about a person: shown, handed out as files, erased (GDPR articles 15, 17 and 20).

Who may ask: an administrator of the platform, about whom its privacy launch names; an owner of the
organisation; the operator; and everybody about themselves, to look and to take along.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import IO, Any, Final

from sqlalchemy.orm import Session

from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import Conflict, ErrorCode, LimitReached, NotAllowed, NotFound
from lti_tool.services import Hints
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.launching import SessionView
from lti_tool.services.privacy_page import readable_page
from lti_tool.store import audit, persons, renewals
from lti_tool.store import privacy as store
from lti_tool.store.database import Database
from lti_tool.store.privacy import KINDS, Subject
from lti_tool.telemetry import get_logger

log = get_logger(__name__)

FORMAT: Final = "lti-badges/personal-data"
VERSION: Final = 1
EXPORTS_AN_HOUR: Final = 10
"""Of one person's data by themselves: each reads everything there is."""
IN_MEMORY: Final = 4 * 1024 * 1024
"""Bytes of an export that are not put onto the disk meanwhile."""


@dataclass(frozen=True, slots=True)
class PersonView:
    """A person, and how much is stored about them."""

    subject: Subject
    counts: Mapping[str, int]
    """By kind: :data:`~lti_tool.store.privacy.KINDS`, ``files`` and ``credentials``."""
    active_courses: int
    """In which the platform lists the person: its next roster brings name and address back."""

    @property
    def erased(self) -> Mapping[str, int]:
        """What erasing deletes, what there is none of left out."""
        kept = {kind.name for kind in KINDS if kind.is_kept}
        return {name: count for name, count in self.counts.items() if count and name not in kept}

    @property
    def kept(self) -> Mapping[str, int]:
        """What erasing leaves for others' sake, without saying who it was."""
        kept = {kind.name for kind in KINDS if kind.is_kept}
        return {name: count for name, count in self.counts.items() if count and name in kept}

    @property
    def digest(self) -> str:
        """Another one once anything was added or taken away: nobody erases what they did not see."""
        # Visits begin and end by themselves, that of whoever looks at this page too.
        seen = {name: count for name, count in self.counts.items() if name not in _PASSING}
        text = json.dumps([self.subject.id, sorted(seen.items())])
        return hashlib.sha256(text.encode()).hexdigest()[:32]


_PASSING: Final = frozenset({"visits", "staff_visits", "looked_up", "codes", "codes_entered"})


@dataclass(frozen=True)
class Privacy:
    """Shows, hands out and erases what is stored about a person."""

    database: Database
    clock: Callable[[], datetime]
    urls: PublicUrls
    hints: Hints

    # -- whom it is about

    def person_of_launch(self, session: SessionView) -> PersonView | None:
        """Whom a privacy launch is about; ``None`` where nothing is stored about them.

        :raises NotAllowed: unless an administrator of the platform came by such a launch, as themselves.
        """
        if session.purpose != "privacy" or not session.is_administrator or session.is_read_only:
            raise NotAllowed(ErrorCode.PRIVACY_NOT_ALLOWED, f"session {session.id}")
        if session.subject_id is None:
            return None
        with self.database.read() as reading:
            found = store.subject(reading, session.organisation_id, session.subject_id)
            if found is None or found.registration_id != session.registration_id:
                return None
            return _view(reading, found)

    def person(self, organisation_id: str, learner_id: str) -> PersonView:
        """A learner of this organisation.

        :raises NotFound: LEARNER_NOT_FOUND.
        """
        with self.database.read() as reading:
            return _view(reading, _found(store.subject(reading, organisation_id, learner_id), learner_id))

    def person_by_id(self, learner_id: str) -> PersonView:
        """Any learner; for the operator.

        :raises NotFound: LEARNER_NOT_FOUND.
        """
        with self.database.read() as reading:
            return _view(reading, _found(store.subject_by_id(reading, learner_id), learner_id))

    def people_by_sub(self, registration: RegistrationView, sub: str) -> tuple[PersonView, ...]:
        """Whom a platform names so, once for each organisation that shares the registration.

        :raises NotFound: LEARNER_NOT_FOUND.
        """
        with self.database.read() as reading:
            found = store.subjects_by_sub(reading, registration.id, sub)
            if not found:
                raise NotFound(ErrorCode.LEARNER_NOT_FOUND, f"nobody of that sub on {registration.id}")
            return tuple(_view(reading, one) for one in found)

    # -- handing out

    def export_own(self, session: SessionView, words: Mapping[str, str], language: str) -> IO[bytes]:
        """Everything about the person of this session, for themselves.

        :raises NotAllowed: in somebody else's name. :raises LimitReached: RATE_LIMITED.
        """
        if session.is_read_only:
            raise NotAllowed(ErrorCode.PRIVACY_NOT_ALLOWED, f"session {session.id} is read only")
        since = self.clock() - timedelta(hours=1)
        with self.database.read() as reading:
            if store.noted_since(reading, session.learner_id, "export", since) >= EXPORTS_AN_HOUR:
                raise LimitReached(
                    ErrorCode.RATE_LIMITED, f"exports of {session.learner_id}", retry_after=3600
                )
        person = self.person(session.organisation_id, session.learner_id)
        return self.export(person, f"learner:{session.learner_id}", words, language)

    def export(
        self, person: PersonView, actor: str, words: Mapping[str, str], language: str = "en"
    ) -> IO[bytes]:
        """A ZIP of ``data.json``, the same to read as ``data.html``, files and credentials.

        :param words: headings of ``data.html``; what is not among them stands there by its name.
        :returns: an open file at its beginning; who reads it closes it.
        """
        subject = person.subject
        target = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - handed out
        with (
            self.database.read() as reading,
            zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            document = self._document(reading, subject)
            contents = [
                (file["path"], file.pop("id"))
                for submission in document["submissions"]
                for file in submission["files"]
            ]
            text = json.dumps(document, ensure_ascii=False, indent=2, default=_plain)
            archive.writestr("data.json", text)
            archive.writestr("data.html", readable_page(json.loads(text), words, language))
            for path, file_id in contents:
                archive.writestr(path, store.file_content(reading, file_id))
            for row in store.own_credentials(reading, subject.id):
                if row.document is not None:
                    archive.writestr(_credential_path(row.id), row.document)
        with self.database.write() as session:
            now = self.clock()
            store.note(session, subject, kind="export", actor=actor, at=now, counts=person.counts)
            _trace(session, subject, "learner.exported", actor, now)
        target.seek(0)
        return target

    def _document(self, reading: Session, subject: Subject) -> dict[str, Any]:
        document: dict[str, Any] = {
            "format": FORMAT,
            "version": VERSION,
            "exported_at": self.clock(),
            "service": self.urls.base_url,
            "person": {
                "id": subject.id,
                "platform": subject.platform,
                "platform_issuer": subject.issuer,
                "id_on_platform": subject.sub,
                "name": subject.name,
                "email": subject.email,
                "is_test_user": subject.is_test_user,
                "known_since": subject.created_at,
                "last_launched_at": subject.last_launched_at,
            },
        }
        joined = persons.joined(reading, subject.organisation_id, subject.id)
        document["joined_accounts"] = [{"platform": platform} for _learner_id, platform in joined]
        for kind in KINDS:
            document[kind.name] = list(store.records(reading, kind, subject.id))
        files: dict[str, list[dict[str, Any]]] = {}
        for number, file in enumerate(store.files(reading, subject.id), 1):
            name = file.name.replace("/", "_").replace("\\", "_")
            files.setdefault(file.submission_id, []).append(
                {
                    "id": file.id,
                    "name": file.name,
                    "media_type": file.media_type,
                    "size": file.size,
                    "sha256": file.sha256,
                    "path": f"files/{number:03}-{name}",
                }
            )
        for submission in document["submissions"]:
            submission["files"] = files.get(submission["id"], [])
        credentials = {row.award_id: row for row in store.own_credentials(reading, subject.id)}
        renewed: dict[str, list[dict[str, Any]]] = {}
        for renewal in renewals.of_learner(reading, subject.id):
            said = renewal._asdict()
            renewed.setdefault(said.pop("award_id"), []).append(said)
        for badge in document["badges"]:
            badge["renewals"] = renewed.get(badge["id"], [])
            row = credentials.get(badge["id"])
            badge["credential"] = None
            if row is not None:
                badge["credential"] = {
                    "id": row.id,
                    "path": _credential_path(row.id) if row.document is not None else None,
                    "issued_at": row.issued_at,
                    "revoked_at": row.revoked_at,
                    "revocation_reason": row.revocation_reason,
                    "suspended_at": row.suspended_at,
                    "suspension_reason": row.suspension_reason,
                    "valid_until": row.valid_until,
                    "reissued_at": row.reissued_at,
                    "is_public": row.is_public,
                    "url": self.urls.credential(row.id) if row.is_public else None,
                }
        return document

    # -- erasing

    def erase(self, person: PersonView, actor: str, *, seen: str | None = None) -> Mapping[str, int]:
        """Erase a person for good, in one transaction.

        :param seen: the digest of what was shown; without one whatever there is.
        :returns: how much of each kind there was.
        :raises Conflict: CONFLICT where something changed since. :raises NotFound: LEARNER_NOT_FOUND.
        """
        now = self.clock()
        with self.database.write() as session:
            subject = person.subject
            current = _view(
                session, _found(store.subject(session, subject.organisation_id, subject.id), subject.id)
            )
            if seen is not None and seen != current.digest:
                raise Conflict(ErrorCode.CONFLICT, f"learner {subject.id}")
            lists = store.erase(session, subject.id, now)
            store.note(session, subject, kind="erase", actor=actor, at=now, counts=current.counts)
            _trace(session, subject, "learner.erased", actor, now)
        self.database.forget_deleted()
        # The id leads to nobody any more, but in a back-up, where it says whom to erase again.
        log.warning("learner_erased", learner_id=subject.id, organisation_id=subject.organisation_id)
        for status_list_id in lists:
            self.hints.offer("sign_status_list", status_list_id=status_list_id)
        return current.counts

    def erased(self, since: datetime | None = None) -> tuple[tuple[str, datetime, str], ...]:
        """Our keys of those who were erased, when and by whom; for a back-up that is put back."""
        with self.database.read() as reading:
            return store.erased(reading, since)


def _found(subject: Subject | None, learner_id: str) -> Subject:
    if subject is None:
        raise NotFound(ErrorCode.LEARNER_NOT_FOUND, learner_id)
    return subject


def _view(session: Session, subject: Subject) -> PersonView:
    return PersonView(subject, store.counts(session, subject.id), store.active_courses(session, subject.id))


def _trace(session: Session, subject: Subject, action: str, actor: str, now: datetime) -> None:
    audit.record(
        session,
        subject.organisation_id,
        at=now,
        actor=actor,
        action=action,
        subject_kind="learner",
        subject_id=subject.id,
    )


def _credential_path(credential_id: str) -> str:
    return f"credentials/{credential_id}.json"


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal):
        return format(value, "f")
    return str(value)
