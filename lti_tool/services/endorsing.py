"""Endorsements: an issuer speaks for another's achievement or issuer, and the endorsed one has the last word.

An owner offers; the endorsement is signed by the issuer they speak for, with a place in that issuer's status
list. Nobody but the two organisations sees it until an owner of the endorsed one accepts it: then it stands
on the public pages, and badges that are signed from then on carry it. Taking it off is the endorsed one's,
withdrawing it (its bit is set) the endorser's. Badges that carry it keep it; verifiers tell that it ended.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy.orm import Session

from lti_tool.credentials.documents import Document, IssuerProfile, StatusEntry
from lti_tool.credentials.endorsements import build_endorsement, require_embeddable
from lti_tool.credentials.errors import NotACredential
from lti_tool.credentials.reading import strings
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.verification import Outcome, Report, Verdict
from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, CredentialInvalid, ErrorCode, NotFound
from lti_tool.services import Hints
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.form_problems import FormProblem, Problem, check_form, text_problems
from lti_tool.services.issuing import IssuerKeys
from lti_tool.services.staffing import Acting
from lti_tool.store import audit, credentials, issuers, micromodules, organisations, status_lists
from lti_tool.store import endorsements as store
from lti_tool.store.credentials import IssuerView
from lti_tool.store.database import Database
from lti_tool.store.endorsements import EndorsementView
from lti_tool.store.issuers import IssuerRow
from lti_tool.telemetry import CREDENTIALS_SIGNED

COMMENT_LENGTH: Final = 2000
ADDRESS_LENGTH: Final = 2000
FILE_BYTES: Final = 256 * 1024
ACCEPTED: Final = 5
"""Of one achievement version, and of one issuer: a badge carries both, and no more than ten are judged."""
OFFERS: Final = 5
"""That one issuer may make for one thing, those refused and withdrawn included: nobody is pestered."""
WAITING: Final = 20
"""Of one organisation's endorsements for another's decision."""
_NAME_LENGTH: Final = 200


class Judge(Protocol):
    """Who checks a file that somebody brings."""

    def verify(self, data: bytes) -> Report:
        """:raises NotACredential: for bytes that are no credential at all."""


@dataclass(frozen=True, slots=True)
class EndorsementsView:
    """An organisation's endorsements, on both sides."""

    received: tuple[EndorsementView, ...]
    given: tuple[EndorsementView, ...]
    issuers: tuple[IssuerRow, ...]
    """On whose behalf it may endorse."""


@dataclass(frozen=True, slots=True)
class _Target:
    organisation_id: str
    version_id: str | None
    issuer_id: str | None
    id: str
    """As badges carry it."""
    name: str
    signed_by: str
    """The issuer that signs what is endorsed, or that is."""

    @property
    def columns(self) -> dict[str, str | None]:
        return {"achievement_version_id": self.version_id, "issuer_id": self.issuer_id}


@dataclass(frozen=True)
class Endorsing:
    """Offers, accepts, refuses, withdraws and imports endorsements."""

    database: Database
    clock: Callable[[], datetime]
    keys: IssuerKeys
    urls: PublicUrls
    hints: Hints
    judge: Judge

    # -- reading

    def of_organisation(self, staff: Acting) -> EndorsementsView:
        """What is said of an organisation, and what its issuers say of others.

        :raises NotAllowed: without the right.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            own = issuers.issuers(session, staff.organisation_id)
            return EndorsementsView(
                store.received(session, staff.organisation_id),
                store.given(session, staff.organisation_id),
                tuple(one for one in own if one.retired_at is None),
            )

    def waiting(self, organisation_id: str) -> int:
        """How many wait for an organisation's decision."""
        with self.database.read() as session:
            return store.waiting(session, organisation_id)

    def received(self, staff: Acting, endorsement_id: str) -> EndorsementView:
        """One that is about the organisation.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            return self._received(session, staff, endorsement_id)

    def given(self, staff: Acting, endorsement_id: str) -> EndorsementView:
        """One that the organisation gave.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            return _existing(store.given_one(session, staff.organisation_id, endorsement_id))

    # -- the endorser's side

    def endorse(self, staff: Acting, issuer_id: str, address: str, comment: str) -> str:
        """Sign an endorsement and offer it to whom it is about; its id.

        :param issuer_id: of the organisation; who endorses.
        :param address: of the public page of an achievement or issuer of this installation.
        :param comment: 1 to 2,000 characters; signed and, once accepted, public.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND for an issuer that is not theirs.
        :raises RequestInvalid: FORM_INVALID.
        """
        staff.require(Permission.ENDORSE)
        address, comment = address.strip(), comment.replace("\r\n", "\n").strip()
        check_form(
            [
                *text_problems("address", address, ADDRESS_LENGTH),
                *text_problems("comment", comment, COMMENT_LENGTH),
            ]
        )
        now = self.clock()
        with self.database.read() as session:
            endorser = credentials.issuer(session, issuer_id)
            row = issuers.issuer(session, staff.organisation_id, issuer_id)
            target = self._target(session, address)
        if endorser is None or row is None:
            raise NotFound(ErrorCode.NOT_FOUND, f"issuer {issuer_id}")
        if row.retired_at is not None:
            check_form([Problem("issuer_id", FormProblem.UNKNOWN_CHOICE)])
        if target is None:
            check_form([Problem("address", FormProblem.NOTHING_TO_ENDORSE)])
        assert target is not None
        if target.signed_by == issuer_id:
            check_form([Problem("address", FormProblem.ENDORSES_ITSELF)])
        draft = self._document(
            "0" * 32,
            endorser,
            target.id,
            target.name,
            comment,
            now,
            StatusEntry(self.urls.status_list("0" * 32), 0),
        )
        try:
            require_embeddable(draft)
        except CredentialInvalid:
            check_form([Problem("comment", FormProblem.NOT_SIGNABLE)])
        with self.database.write() as session:
            # Its lock on the issuer is what makes looking for an earlier one safe.
            list_id, index = status_lists.draw_place(session, issuer_id, staff.organisation_id, now)
            states = store.earlier(session, issuer_id, **target.columns)
            if {"offered", "accepted"} & set(states):
                check_form([Problem("address", FormProblem.ENDORSED_ALREADY)])
            if store.waiting_from(session, staff.organisation_id, target.organisation_id) >= WAITING:
                check_form([Problem("address", FormProblem.TOO_MANY_WAIT, {"limit": WAITING})])
            if len(states) >= OFFERS:
                check_form([Problem("address", FormProblem.ENDORSED_TOO_OFTEN)])
            endorsement_id = store.offer(
                session,
                {
                    "organisation_id": target.organisation_id,
                    "achievement_version_id": target.version_id,
                    "endorsed_issuer_id": target.issuer_id,
                    "endorser_id": issuer_id,
                    "endorser_name": endorser.name,
                    "endorser_url": self.urls.did(issuer_id),
                    "comment": comment,
                    "status": "offered",
                    "status_list_id": list_id,
                    "status_index": index,
                    "offered_by": staff.actor,
                    "offered_at": now,
                },
            )
            self._record(session, staff, staff.organisation_id, "endorsement.offered", endorsement_id)
            if target.organisation_id != staff.organisation_id:
                # Whose they are sees in their own log that somebody offered, not who of whom did.
                self._record(session, None, target.organisation_id, "endorsement.received", endorsement_id)
        self._sign(endorsement_id)
        return endorsement_id

    def withdraw(self, staff: Acting, endorsement_id: str) -> None:
        """Take back what the organisation said: no page shows it, and verifiers are told that it ended.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT where it was withdrawn before.
        """
        staff.require(Permission.ENDORSE)
        now = self.clock()
        with self.database.write() as session:
            found = _existing(store.given_one(session, staff.organisation_id, endorsement_id))
            if not store.withdraw(session, staff.organisation_id, endorsement_id, now):
                raise Conflict(ErrorCode.CONFLICT, f"endorsement {endorsement_id} is {found.status}")
            if found.status_list_id is not None:
                status_lists.mark_changed(session, [found.status_list_id], now)
            self._record(session, staff, staff.organisation_id, "endorsement.withdrawn", endorsement_id)
        if found.status_list_id is not None:
            self.hints.offer("sign_status_list", status_list_id=found.status_list_id)

    # -- the side of whom it is about

    def accept(self, staff: Acting, endorsement_id: str) -> None:
        """Let an endorsement show, and be carried by badges signed from now on; also one refused before.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT where it is accepted already, or withdrawn;
            ENDORSEMENTS_TOO_MANY where :data:`ACCEPTED` others stand.
        :raises CredentialInvalid: where no badge could carry it beside the others.
        """
        staff.require(Permission.ENDORSE)
        self.received(staff, endorsement_id)
        self._sign(endorsement_id)
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            found = self._received(session, staff, endorsement_id)
            self._require_room(session, found)
            now = self.clock()
            if not store.decide(
                session,
                staff.organisation_id,
                endorsement_id,
                "accepted",
                among=("offered", "refused"),
                actor=staff.actor,
                now=now,
            ):
                raise Conflict(ErrorCode.CONFLICT, f"endorsement {endorsement_id} is {found.status}")
            self._record(session, staff, staff.organisation_id, "endorsement.accepted", endorsement_id)

    def refuse(self, staff: Acting, endorsement_id: str) -> None:
        """Let an endorsement not show, or no longer.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT where it is refused already, or withdrawn.
        """
        staff.require(Permission.ENDORSE)
        with self.database.write() as session:
            found = self._received(session, staff, endorsement_id)
            if not store.decide(
                session,
                staff.organisation_id,
                endorsement_id,
                "refused",
                among=("offered", "accepted"),
                actor=staff.actor,
                now=self.clock(),
            ):
                raise Conflict(ErrorCode.CONFLICT, f"endorsement {endorsement_id} is {found.status}")
            self._record(session, staff, staff.organisation_id, "endorsement.refused", endorsement_id)

    def import_file(self, staff: Acting, data: bytes) -> str:
        """Take an endorsement that somebody elsewhere signed; its id. Whoever brings it accepts it.

        It is judged as any visitor's file is, must be about an achievement version or an issuer of the
        organisation, and must fit into a badge.

        :raises NotAllowed: without the right. :raises RequestInvalid: FORM_INVALID.
        :raises Busy: ``verifier_busy``. :raises Conflict: as :meth:`accept`.
        """
        staff.require(Permission.ENDORSE)
        document, report = self._judged(data)
        said = report.credential
        assert said is not None
        own = document["id"].startswith(f"{self.urls.base_url}/")
        with self.database.read() as session:
            target = self._target(session, said.endorsed_id or "")
        if target is None or target.organisation_id != staff.organisation_id or target.id != said.endorsed_id:
            check_form(
                [Problem("file", FormProblem.ENDORSEMENT_NOT_OURS, {"about": (said.endorsed_id or "")[:200]})]
            )
        assert target is not None
        endorser_id = said.issuer_id or ""
        if len(endorser_id) > ADDRESS_LENGTH:
            check_form([Problem("file", FormProblem.ENDORSEMENT_NOT_EMBEDDABLE, {"why": "too_large"})])
        try:
            # Before it is stored: what may not be signed cannot always be kept (U+0000 in PostgreSQL).
            require_embeddable(document)
        except CredentialInvalid as error:
            _refuse_file(error)
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        now = self.clock()
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            if own or store.is_imported(session, staff.organisation_id, text):
                # One of this installation's is accepted, not imported: its endorser can still withdraw it.
                check_form([Problem("file", FormProblem.ENDORSED_ALREADY)])
            endorsement_id = store.offer(
                session,
                {
                    "organisation_id": staff.organisation_id,
                    "achievement_version_id": target.version_id,
                    "endorsed_issuer_id": target.issuer_id,
                    "endorser_name": (said.issuer_name or endorser_id)[:_NAME_LENGTH],
                    "endorser_url": endorser_id,
                    "comment": said.endorsement_comment or "",
                    "document": text,
                    "status": "offered",
                    "offered_by": staff.actor,
                    "offered_at": now,
                },
            )
            found = self._received(session, staff, endorsement_id)
            try:
                self._require_room(session, found)
            except CredentialInvalid as error:
                _refuse_file(error)
            store.decide(
                session,
                staff.organisation_id,
                endorsement_id,
                "accepted",
                among=("offered",),
                actor=staff.actor,
                now=now,
            )
            self._record(session, staff, staff.organisation_id, "endorsement.imported", endorsement_id)
        return endorsement_id

    def _judged(self, data: bytes) -> tuple[dict[str, Any], Report]:
        if not data:
            check_form([Problem("file", FormProblem.REQUIRED)])
        if len(data) > FILE_BYTES:
            check_form([Problem("file", FormProblem.IMPORT_TOO_LARGE, {"limit": FILE_BYTES // 1024})])
        try:
            report = self.judge.verify(data)
        except NotACredential:
            check_form([Problem("file", FormProblem.NO_ENDORSEMENT)])
            raise
        document = report.document
        is_token = any(step.detail == "contexts_not_needed" for step in report.steps)
        kinds = strings(document.get("type")) if document is not None else []
        if report.credential is None or "EndorsementCredential" not in kinds:
            check_form([Problem("file", FormProblem.NO_ENDORSEMENT)])
        if report.verdict is not Verdict.VALID:
            step = next(
                one
                for outcome in (Outcome.FAILED, Outcome.COULD_NOT_CHECK)
                for one in report.steps
                if one.outcome is outcome
            )
            params = {"outcome": step.outcome.value, "detail": step.detail, "params": dict(step.params)}
            check_form([Problem("file", FormProblem.ENDORSEMENT_NOT_GENUINE, params)])
        if is_token:
            # Verifiers of the DCC know no endorsementJwt: a badge that carries one fails there as a whole.
            check_form([Problem("file", FormProblem.ENDORSEMENT_NOT_EMBEDDABLE, {"why": "token"})])
        assert document is not None
        return dict(document), report

    # -- what they share

    def _received(self, session: Session, staff: Acting, endorsement_id: str) -> EndorsementView:
        return _existing(store.received_one(session, staff.organisation_id, endorsement_id))

    def _require_room(self, session: Session, view: EndorsementView) -> None:
        if store.count_accepted(session, view) >= ACCEPTED:
            raise Conflict(ErrorCode.ENDORSEMENTS_TOO_MANY, f"{ACCEPTED} stand", limit=ACCEPTED)
        others = store.accepted(session, [view.endorsed_id], [view.endorsed_id]).get(view.endorsed_id, ())
        if view.document is None:
            raise Conflict(ErrorCode.CONFLICT, f"endorsement {view.id} is not signed")
        require_embeddable(
            json.loads(view.document),
            [json.loads(one.document or "{}") for one in others if one.id != view.id],
        )

    def _target(self, session: Session, address: str) -> _Target | None:
        """What an address or an identifier of this installation stands for."""
        place = address.partition("#")[0].partition("?")[0].rstrip("/")
        achievements, profiles = self.urls.achievement(""), self.urls.issuer("")
        if place.startswith(achievements):
            version = micromodules.public_achievement(session, place.removeprefix(achievements))
            if version is None:
                return None
            id_ = self.urls.achievement(version.id)
            return _Target(version.organisation_id, version.id, None, id_, version.name, version.issuer_id)
        issuer_id = place.removeprefix(profiles) if place.startswith(profiles) else address.rpartition(":")[2]
        issuer = credentials.issuer(session, issuer_id) if "/" not in issuer_id else None
        if issuer is None or (not place.startswith(profiles) and address != self.urls.did(issuer_id)):
            return None
        did = self.urls.did(issuer.id)
        return _Target(issuer.organisation_id, None, issuer.id, did, issuer.name, issuer.id)

    def _sign(self, endorsement_id: str) -> None:
        """Sign one that has no signature; if it was killed before, whoever wants to accept it has it done."""
        with self.database.read() as session:
            view = store.unsigned(session, endorsement_id)
        if view is not None:
            text = self._signed(view, view.offered_at)
            with self.database.write() as session:
                store.store_document(session, endorsement_id, text)

    def _signed(self, view: EndorsementView, valid_from: datetime) -> str:
        if view.endorser_id is None or view.status_list_id is None or view.status_index is None:
            raise RuntimeError("only what an issuer of this installation says is signed here")
        with self.database.read() as session:
            endorser = credentials.issuer(session, view.endorser_id)
        if endorser is None:
            raise RuntimeError("an issuer that endorses cannot be deleted")
        if view.achievement_version_id is not None:
            endorsed_id = self.urls.achievement(view.achievement_version_id)
        else:
            endorsed_id = self.urls.did(view.endorsed_issuer_id or "")
        status = StatusEntry(self.urls.status_list(view.status_list_id), view.status_index)
        document = self._document(
            view.id, endorser, endorsed_id, view.endorsed_name, view.comment, valid_from, status
        )
        signer = self.keys.signer(endorser.id, self.urls.did(endorser.id))
        text = sign_credential(document, signer, self.clock()).text
        CREDENTIALS_SIGNED.labels("endorsement").inc()
        return text

    def _document(
        self,
        endorsement_id: str,
        endorser: IssuerView,
        endorsed_id: str,
        endorsed_name: str,
        comment: str,
        valid_from: datetime,
        status: StatusEntry,
    ) -> Document:
        return build_endorsement(
            endorsement_url=self.urls.endorsement(endorsement_id),
            endorser=IssuerProfile(
                id=self.urls.did(endorser.id),
                name=endorser.name,
                url=endorser.url or self.urls.issuer(endorser.id),
            ),
            endorsed_id=endorsed_id,
            endorsed_name=endorsed_name,
            comment=comment,
            valid_from=valid_from,
            status=status,
        )

    def _record(
        self, session: Session, staff: Acting | None, organisation_id: str, action: str, endorsement_id: str
    ) -> None:
        audit.record(
            session,
            organisation_id,
            at=self.clock(),
            actor="job" if staff is None else staff.actor,
            action=action,
            subject_kind="endorsement",
            subject_id=endorsement_id,
        )


def _refuse_file(error: CredentialInvalid) -> None:
    why = str(error.params.get("reason", ""))
    check_form([Problem("file", FormProblem.ENDORSEMENT_NOT_EMBEDDABLE, {"why": why})])


def _existing(found: EndorsementView | None) -> EndorsementView:
    if found is None:
        raise NotFound(ErrorCode.NOT_FOUND, "no such endorsement")
    return found
