"""What the staff of an organisation changes on its pages; who may change what is asked here, not there.

Every change is one transaction with its line in the audit log. What belongs to another organisation is not
found, whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.domain.registrations import RegistrationStatus
from lti_tool.domain.staff import Permission, StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.lti.claims import origin_of
from lti_tool.services.circles import refuse_new_circles
from lti_tool.services.form_problems import FormProblem, Problem, check_form, text_problems
from lti_tool.services.milestone_form import asking_for
from lti_tool.services.registration import Registrations
from lti_tool.services.revoking import Revoking
from lti_tool.services.staffing import Acting
from lti_tool.store import (
    audit,
    catalogue,
    categories,
    credentials,
    milestone_dues,
    milestones,
    organisations,
    oversight,
    versions,
)
from lti_tool.store import registrations as store
from lti_tool.store.audit import ACTION_LENGTH, ACTOR_LENGTH, EventFilter
from lti_tool.store.credentials import CredentialView
from lti_tool.store.database import Database
from lti_tool.store.oversight import DeploymentRow, RegistrationRow

NAME_LENGTH: Final = 200
REASON_LENGTH: Final = 500
FRAME_ORIGINS: Final = 20
"""More domains of its own than any institution frames the tool from."""


@dataclass(frozen=True)
class Administering:
    """Changes an organisation's own things, for whoever has the right to it."""

    database: Database
    clock: Callable[[], datetime]
    registrations: Registrations
    revoking: Revoking

    # -- the organisation

    def rename_organisation(self, staff: Acting, name: str) -> None:
        """Call the organisation something else.

        :raises NotAllowed: without the right.
        :raises RequestInvalid: FORM_INVALID.
        """
        staff.require(Permission.MANAGE_ORGANISATION)
        name = _one_line(name)
        check_form(text_problems("name", name, NAME_LENGTH))
        with self.database.write() as session:
            former = catalogue.organisation_name(session, staff.organisation_id)
            if former == name:
                return
            catalogue.rename_organisation(session, staff.organisation_id, name)
            names = {"from": former, "to": name}
            self._record(
                session, staff, "organisation.renamed", "organisation", staff.organisation_id, **names
            )

    # -- registrations and deployments

    def approve_registration(self, staff: Acting, registration_id: str) -> None:
        """Let people of this LMS launch.

        :raises NotAllowed: without the right; STAFF_OPERATOR_DECIDES where the registration serves other
            organisations too, or the operator disabled it.
        :raises NotFound: NOT_FOUND.
        """
        self._set_registration(staff, registration_id, RegistrationStatus.APPROVED)

    def disable_registration(self, staff: Acting, registration_id: str) -> None:
        """Let nobody of this LMS launch, and end every session; badges stay valid.

        :raises NotAllowed: as :meth:`approve_registration`. :raises NotFound: NOT_FOUND.
        """
        self._set_registration(staff, registration_id, RegistrationStatus.DISABLED)

    def _set_registration(self, staff: Acting, registration_id: str, status: RegistrationStatus) -> None:
        with self.database.write() as session:
            self._own_registration(session, staff, registration_id)
            if not store.set_registration_status(session, registration_id, status):
                raise _operators(f"the operator disabled registration {registration_id}")
            self._record(session, staff, f"registration_{status.value}", "registration", registration_id)
        self.registrations.forget()

    def set_administrator_role(self, staff: Acting, registration_id: str, role: StaffRole | None) -> None:
        """Say what administrators of this LMS may be on the staff pages; ``None``: nothing.

        :raises NotAllowed: as :meth:`approve_registration`, and where institutions can share such a
            registration: the next one's administrators would be what this one said.
        :raises NotFound: NOT_FOUND.
        """
        with self.database.write() as session:
            if not self._own_registration(session, staff, registration_id).is_own:
                raise _operators(f"registration {registration_id} can be shared")
            store.set_administrator_role(session, registration_id, role.value if role else None)
            self._record(
                session,
                staff,
                "registration.administrator_role_changed",
                "registration",
                registration_id,
                role=role.value if role else None,
            )
        self.registrations.forget()

    def allow_anonymous(self, staff: Acting, registration_id: str, *, allowed: bool) -> None:
        """Say whether a launch that names nobody gets a page to read; else it is refused.

        :raises NotAllowed: as :meth:`set_administrator_role`. :raises NotFound: NOT_FOUND.
        """
        with self.database.write() as session:
            if not self._own_registration(session, staff, registration_id).is_own:
                raise _operators(f"registration {registration_id} can be shared")
            store.change_registration(session, registration_id, {"allows_anonymous": allowed})
            self._record(
                session,
                staff,
                "registration.anonymous_changed",
                "registration",
                registration_id,
                allowed=allowed,
            )
        self.registrations.forget()

    def _own_registration(self, session: Session, staff: Acting, registration_id: str) -> RegistrationRow:
        staff.require(Permission.MANAGE_REGISTRATIONS)
        found = oversight.registration(session, staff.organisation_id, registration_id)
        if found is None:
            raise NotFound(ErrorCode.NOT_FOUND, registration_id)
        if found.is_shared:
            raise _operators(f"registration {registration_id} is shared")
        return found

    def approve_deployment(self, staff: Acting, deployment_id: str) -> DeploymentRow:
        """Let the people of a deployment in; one that nobody owned becomes this organisation's.

        :raises NotAllowed: without the right; STAFF_OPERATOR_DECIDES where the operator disabled it.
        :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT where another organisation took it meanwhile.
        """
        with self.database.write() as session:
            found = self._own_deployment(session, staff, deployment_id)
            if not store.approve_deployment(session, deployment_id, staff.organisation_id, self.clock()):
                raise _operators(f"the operator disabled deployment {deployment_id}")
            taken = store.deployment(session, deployment_id)
            if taken is None or taken.organisation_id != staff.organisation_id:
                raise Conflict(ErrorCode.CONFLICT, f"deployment {deployment_id} was taken")
            self._record(session, staff, "deployment_approved", "deployment", deployment_id)
        return found

    def disable_deployment(self, staff: Acting, deployment_id: str) -> DeploymentRow:
        """Let nobody in from a deployment, and end its sessions; badges stay valid.

        :raises NotAllowed: as :meth:`approve_deployment`. :raises NotFound: NOT_FOUND.
        """
        with self.database.write() as session:
            found = self._own_deployment(session, staff, deployment_id)
            if not store.disable_deployment(session, deployment_id):
                raise _operators(f"the operator disabled deployment {deployment_id}")
            self._record(session, staff, "deployment_disabled", "deployment", deployment_id)
        return found

    def set_frame_origins(self, staff: Acting, deployment_id: str, text: str) -> DeploymentRow:
        """Say which websites of the institution may show the tool in a frame, beside the signed ones.

        :param text: one address a line; of each its origin is kept.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID.
        """
        origins = dict.fromkeys(line.strip() for line in text.splitlines() if line.strip())
        with self.database.write() as session:
            found = self._own_deployment(session, staff, deployment_id)
            if found.organisation_id != staff.organisation_id:
                raise NotFound(ErrorCode.NOT_FOUND, f"deployment {deployment_id} is not owned yet")
            check_form(_origin_problems(list(origins)))
            kept = list(dict.fromkeys(str(origin_of(origin)) for origin in origins))
            store.set_frame_origins(session, deployment_id, kept)
            self._record(
                session, staff, "deployment.frame_origins_changed", "deployment", deployment_id, origins=kept
            )
        return found

    def _own_deployment(self, session: Session, staff: Acting, deployment_id: str) -> DeploymentRow:
        staff.require(Permission.MANAGE_REGISTRATIONS)
        found = oversight.deployment(session, staff.organisation_id, deployment_id)
        if found is None:
            raise NotFound(ErrorCode.NOT_FOUND, f"deployment {deployment_id}")
        return found

    # -- categories and micromodules

    def add_category(self, staff: Acting, name: str) -> str:
        """A new category; its id.

        :raises NotAllowed: without the right. :raises RequestInvalid: FORM_INVALID, also for a taken name.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        name = _one_line(name)
        check_form(text_problems("name", name, NAME_LENGTH))
        with self.database.write() as session:
            category_id = catalogue.add_category(session, staff.organisation_id, name)
            if category_id is None:
                check_form(iter([Problem("name", FormProblem.NAME_TAKEN)]))
            assert category_id is not None
            self._record(session, staff, "category.created", "category", category_id)
        return category_id

    def rename_category(self, staff: Acting, category_id: str, name: str) -> None:
        """Call a category something else.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID, also for a taken name.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        name = _one_line(name)
        with self.database.write() as session:
            self._own_category(session, staff, category_id)
            check_form(text_problems("name", name, NAME_LENGTH))
            if not catalogue.rename_category(session, staff.organisation_id, category_id, name):
                check_form(iter([Problem("name", FormProblem.NAME_TAKEN)]))
            self._record(session, staff, "category.renamed", "category", category_id)

    def delete_category(self, staff: Acting, category_id: str) -> None:
        """Delete a category; the micromodules that were in it stay.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CATEGORY_COUNTED where a draft or active milestone asks for it, with ``names``, and
            (id, name) of each as ``milestones``.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            self._own_category(session, staff, category_id)
            organisations.lock(session, staff.organisation_id)
            asking = asking_for(session, staff.organisation_id, category_id)
            if asking:
                detail, names = f"category {category_id} is asked for", tuple(name for _id, name in asking)
                raise Conflict(ErrorCode.CATEGORY_COUNTED, detail, names=names, milestones=asking)
            milestones.release_category(session, staff.organisation_id, category_id)
            was_in = catalogue.micromodules_in(session, staff.organisation_id, category_id)
            catalogue.delete_category(session, staff.organisation_id, category_id)
            # Its history goes with it; what was in it last is said here.
            self._record(session, staff, "category.deleted", "category", category_id, micromodules=was_in)

    def _own_category(self, session: Session, staff: Acting, category_id: str) -> None:
        if catalogue.category(session, staff.organisation_id, category_id) is None:
            raise NotFound(ErrorCode.NOT_FOUND)

    def set_categories(self, staff: Acting, micromodule_id: str, category_ids: Collection[str]) -> None:
        """Put a micromodule into these categories and no others.

        :raises NotAllowed: without the right.
        :raises NotFound: NOT_FOUND, also for a category that is not there any more.
        :raises Conflict: PATHWAY_CIRCLE where a milestone would ask for what asks for it.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session, refuse_new_circles(session, staff.organisation_id):
            self._own_micromodule(session, staff, micromodule_id)
            known = {one.id for one in catalogue.categories(session, staff.organisation_id)}
            if not known.issuperset(category_ids):
                raise NotFound(ErrorCode.NOT_FOUND)
            milestone_dues.unsettle(session, staff.organisation_id)
            added, removed = catalogue.set_categories(
                session, staff.organisation_id, micromodule_id, category_ids
            )
            categories.note(
                session,
                staff.organisation_id,
                micromodule_id,
                added=added,
                removed=removed,
                actor=staff.actor,
                now=self.clock(),
            )
            self._record(session, staff, "micromodule.categories_changed", "micromodule", micromodule_id)

    def move_category(self, staff: Acting, category_id: str, step: int) -> None:
        """Let a category change places with the one before it (-1) or after it (1); at the end it stays.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            self._own_category(session, staff, category_id)
            if categories.move(session, staff.organisation_id, category_id, step):
                self._record(session, staff, "category.moved", "category", category_id, step=step)

    def move_micromodule(self, staff: Acting, category_id: str, micromodule_id: str, step: int) -> None:
        """The same of a micromodule within a category.

        :raises NotAllowed: without the right.
        :raises NotFound: NOT_FOUND, also for a micromodule that is not in the category (any more).
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            organisations.lock(session, staff.organisation_id)
            self._own_category(session, staff, category_id)
            if category_id not in catalogue.categories_of(session, staff.organisation_id, micromodule_id):
                raise NotFound(ErrorCode.NOT_FOUND)
            if categories.move_within(session, staff.organisation_id, category_id, micromodule_id, step):
                self._record(
                    session,
                    staff,
                    "category.reordered",
                    "category",
                    category_id,
                    micromodule=micromodule_id,
                    step=step,
                )

    def archive_micromodule(self, staff: Acting, micromodule_id: str, is_archived: bool) -> None:
        """Offer a micromodule to no further course, or offer it again; where it stands, it stays.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: PATHWAY_CIRCLE where a milestone would ask for what asks for it: what is taken back
            belongs to its categories again.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            # In everybody's order: whoever publishes its next version locks it before the organisation.
            versions.lock(session, staff.organisation_id, micromodule_id)
            with refuse_new_circles(session, staff.organisation_id):
                self._own_micromodule(session, staff, micromodule_id)
                milestone_dues.unsettle(session, staff.organisation_id)
                # Not before: whoever decided about milestones meanwhile did so before it.
                now = self.clock()
                catalogue.set_archived(
                    session, staff.organisation_id, micromodule_id, now if is_archived else None
                )
                action = "micromodule.archived" if is_archived else "micromodule.restored"
                self._record(session, staff, action, "micromodule", micromodule_id)

    def _own_micromodule(self, session: Session, staff: Acting, micromodule_id: str) -> None:
        if catalogue.micromodule(session, staff.organisation_id, micromodule_id) is None:
            raise NotFound(ErrorCode.NOT_FOUND)

    # -- credentials

    def revoke_credential(self, staff: Acting, credential_id: str, reason: str) -> str:
        """Revoke a badge for good; the id of the learner who had it.

        :param reason: the learner and everybody who verifies the badge reads it.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID. :raises Conflict: CONFLICT where it is revoked already.
        """
        found = self._own_credential(staff, credential_id)
        if found.revoked_at is not None:
            raise Conflict(ErrorCode.CONFLICT, f"credential {credential_id} is revoked already")
        self.revoking.revoke(credential_id, _checked_reason(reason), staff.actor, is_repeatable=False)
        return found.learner_id

    def suspend_credential(self, staff: Acting, credential_id: str, reason: str) -> str:
        """Pause a badge; the id of the learner who has it.

        :param reason: as of :meth:`revoke_credential`.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID.
        :raises Conflict: NOT_SUSPENDABLE; CONFLICT where it is revoked, or suspended already.
        """
        found = self._own_credential(staff, credential_id)
        self.revoking.suspend(credential_id, _checked_reason(reason), staff.actor)
        return found.learner_id

    def resume_credential(self, staff: Acting, credential_id: str) -> str:
        """End the pause of a badge; the id of the learner who has it.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises Conflict: CONFLICT where it is not suspended, or revoked.
        """
        found = self._own_credential(staff, credential_id)
        self.revoking.resume(credential_id, staff.actor)
        return found.learner_id

    def _own_credential(self, staff: Acting, credential_id: str) -> CredentialView:
        staff.require(Permission.REVOKE)
        with self.database.read() as session:
            found = credentials.credential(session, credential_id)
        if found is None or found.organisation_id != staff.organisation_id:
            raise NotFound(ErrorCode.NOT_FOUND)
        return found

    # -- the audit log

    def record_download(self, staff: Acting, wanted: EventFilter) -> None:
        """Say in the audit log who takes its names away, and which part of it.

        :raises NotAllowed: without the right.
        """
        staff.require(Permission.VIEW)
        asked = {
            "action": wanted.action and wanted.action[:ACTION_LENGTH],
            "actor": wanted.actor and wanted.actor[:ACTOR_LENGTH],
            "since": wanted.since and wanted.since.isoformat(),
            "until": wanted.until and wanted.until.isoformat(),
        }
        detail = {name: value for name, value in asked.items() if value}
        with self.database.write() as session:
            self._record(
                session, staff, "audit_log.downloaded", "organisation", staff.organisation_id, **detail
            )

    def _record(
        self, session: Session, staff: Acting, event: str, kind: str, subject_id: str, **detail: Any
    ) -> None:
        audit.record(
            session,
            staff.organisation_id,
            at=self.clock(),
            actor=staff.actor,
            action=event,
            subject_kind=kind,
            subject_id=subject_id,
            detail=detail,
        )


def _operators(why: str) -> NotAllowed:
    return NotAllowed(ErrorCode.STAFF_OPERATOR_DECIDES, why)


def _checked_reason(reason: str) -> str:
    reason = reason.replace("\r\n", "\n").strip()
    check_form(text_problems("reason", reason, REASON_LENGTH))
    return reason


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _origin_problems(origins: Collection[str]) -> Iterator[Problem]:
    if len(origins) > FRAME_ORIGINS:
        yield Problem("frame_origins", FormProblem.TOO_MANY, {"limit": FRAME_ORIGINS})
        return
    for origin in origins:
        if origin_of(origin) is None or not origin.startswith("https://"):
            yield Problem("frame_origins", FormProblem.NOT_AN_ORIGIN, {"given": origin[:80]})
            return
