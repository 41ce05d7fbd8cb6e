"""Taking badges back for good, and pausing those whose institution wants that."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from lti_tool.errors import Conflict, ErrorCode, NotFound, RequestInvalid
from lti_tool.services import Hints
from lti_tool.store import audit
from lti_tool.store import credentials as store
from lti_tool.store.credentials import CredentialView
from lti_tool.store.database import Database

REASON_LENGTH = 500


@dataclass(frozen=True)
class Revoking:
    """Marks credentials; their status lists are signed once afterwards, however many were marked."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints

    def revoke(
        self, credential_id: str, reason: str, actor: str, *, is_repeatable: bool = True
    ) -> CredentialView:
        """Revoke a credential for good. One that is revoked already keeps the reason it has.

        :param reason: shown on the public page and to the learner, 1 to 500 characters.
        :param actor: ``cli`` or ``staff:<id>``; kept in the audit trail.
        :param is_repeatable: whether revoking again is harmless; a person who gave a reason must learn that
            another one stands.
        :raises RequestInvalid: without a reason. :raises NotFound: no such credential.
        :raises Conflict: CONFLICT where it is revoked already, and revoking is not repeatable.
        """
        found = self._found(credential_id)
        if not self.revoke_many(found.organisation_id, [credential_id], reason, actor) and not is_repeatable:
            raise Conflict(ErrorCode.CONFLICT, f"credential {credential_id} is revoked already")
        return self._found(credential_id)

    def revoke_many(
        self,
        organisation_id: str,
        credential_ids: Sequence[str],
        reason: str,
        actor: str,
        *,
        together_with: Callable[[Session], None] | None = None,
    ) -> tuple[str, ...]:
        """Revoke credentials of an organisation for good, all or none; the ids of those that were not before.

        :param together_with: done first in the same transaction; what it raises keeps all as it was.
        :raises RequestInvalid: without a reason. :raises NotFound: where one is not this organisation's.
        """
        reason = _reason(reason)
        now = self.clock()
        with self.database.write() as session:
            if together_with is not None:
                together_with(session)
            known = store.known(session, organisation_id, credential_ids)
            for credential_id in credential_ids:
                if credential_id not in known:
                    raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, f"no credential {credential_id}")
            revoked = store.revoke(session, organisation_id, credential_ids, reason, now)
            for credential_id in revoked:
                _record(session, organisation_id, now, actor, "credential.revoked", credential_id)
        self._offer(revoked.values())
        return tuple(revoked)

    def suspend(self, credential_id: str, reason: str, actor: str) -> CredentialView:
        """Pause a badge: verifiers are told that it is not valid for the time being.

        :param reason: as of :meth:`revoke`.
        :raises RequestInvalid: without a reason. :raises NotFound: no such credential.
        :raises Conflict: NOT_SUSPENDABLE where its list says what is revoked: a badge has one purpose for
            good; CONFLICT where it is revoked, or suspended already.
        """
        return self._pause(credential_id, _reason(reason), actor)

    def resume(self, credential_id: str, actor: str) -> CredentialView:
        """End the pause of a badge.

        :raises NotFound: no such credential.
        :raises Conflict: CONFLICT where it is not suspended, or revoked.
        """
        return self._pause(credential_id, None, actor)

    def _pause(self, credential_id: str, reason: str | None, actor: str) -> CredentialView:
        found = self._found(credential_id)
        if reason is not None and found.status_purpose != "suspension":
            raise Conflict(
                ErrorCode.NOT_SUSPENDABLE,
                f"credential {credential_id}: its badge was not made so that it can be suspended",
            )
        now = self.clock()
        with self.database.write() as session:
            if not store.set_suspended(session, found.organisation_id, credential_id, reason, now):
                raise Conflict(ErrorCode.CONFLICT, f"credential {credential_id} is in another state")
            action = "credential.resumed" if reason is None else "credential.suspended"
            _record(session, found.organisation_id, now, actor, action, credential_id)
        self._offer([found.status_list_id])
        return self._found(credential_id)

    def _found(self, credential_id: str) -> CredentialView:
        with self.database.read() as session:
            found = store.credential(session, credential_id)
        if found is None:
            raise NotFound(ErrorCode.CREDENTIAL_NOT_FOUND, f"no credential {credential_id}")
        return found

    def _offer(self, status_list_ids: Iterable[str]) -> None:
        for status_list_id in sorted(set(status_list_ids)):
            self.hints.offer("sign_status_list", status_list_id=status_list_id)


def _reason(reason: str) -> str:
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise RequestInvalid(ErrorCode.FORM_INVALID, f"a reason of 1 to {REASON_LENGTH} characters")
    return reason


def _record(
    session: Session, organisation_id: str, at: datetime, actor: str, action: str, credential_id: str
) -> None:
    audit.record(
        session,
        organisation_id,
        at=at,
        actor=actor,
        action=action,
        subject_kind="credential",
        subject_id=credential_id,
    )
