"""Roles, states and deeds of the staff pages in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, g, request, url_for
from flask_babel import format_datetime
from flask_babel import gettext as _

from lti_tool.domain.staff import Permission, StaffRole
from lti_tool.store.audit import LEARNER, STAFF
from lti_tool.web.session import current_tool


def register(app: Flask) -> None:
    """Give the words to templates."""
    app.jinja_env.globals.update(
        role_word=role_word,
        role_sentence=role_sentence,
        roles=tuple(StaffRole),
        may=may,
        status_word=status_word,
        status_kind=status_kind,
        invitation_word=invitation_word,
        invitation_kind=invitation_kind,
        product_word=product_word,
        action_word=action_word,
        action_words=action_words,
        actor_word=actor_word,
        subject_word=subject_word,
        subject_url=subject_url,
        column_word=column_word,
        done_sentence=done_sentence,
        opens_staff_pages=opens_staff_pages,
        moment=moment,
    )

    @app.context_processor
    def _staff() -> dict[str, Any]:
        return {"staff": g.get("staff")}


def may(permission: str) -> bool:
    """Whether whoever reads this page may do something; a control that would be refused is not shown."""
    staff = g.get("staff")
    return staff is not None and staff.can(Permission(permission))


def opens_staff_pages() -> bool:
    """Whether whoever is in the frame, as their LMS's administrator, may open the staff pages."""
    session = g.get("session")
    if session is None or not session.is_administrator:
        return False
    return current_tool().staffing.administrator_role(session) is not None


def moment(at: datetime) -> str:
    """A date with its time, UTC, as the reader's language writes it."""
    return str(format_datetime(at.astimezone(UTC), "medium"))  # type: ignore[no-untyped-call]


def role_word(role: StaffRole | str) -> str:
    """A role in a word."""
    return {
        StaffRole.OWNER: _("Owner"),
        StaffRole.EDITOR: _("Editor"),
        StaffRole.REVIEWER: _("Reviewer"),
        StaffRole.READER: _("Reader"),
    }[StaffRole(role)]


def role_sentence(role: StaffRole | str) -> str:
    """What a role permits."""
    return {
        StaffRole.OWNER: _("May do everything: members, registrations, issuers, micromodules, revocation."),
        StaffRole.EDITOR: _("Looks after micromodules, categories and issuers."),
        StaffRole.REVIEWER: _("May revoke badges, and take files of records."),
        StaffRole.READER: _("Sees everything and changes nothing."),
    }[StaffRole(role)]


def status_word(status: str) -> str:
    """The state of a registration, deployment or placement."""
    return {
        "pending": _("Waits for approval"),
        "held": _("Waits for approval"),
        "approved": _("Approved"),
        "disabled": _("Disabled"),
        "draft": _("Not published yet"),
        "active": _("In use"),
        "removed": _("Removed"),
    }.get(status, status)


def status_kind(status: str) -> str:
    """The pill that goes with :func:`status_word`."""
    return {"approved": "good", "active": "good", "pending": "wait", "held": "wait", "disabled": "bad"}.get(
        status, "plain"
    )


def invitation_word(state: str) -> str:
    """What has become of a registration link."""
    return {
        "open": _("Works"),
        "used": _("Used"),
        "expired": _("Too old"),
        "withdrawn": _("Taken back"),
    }[state]


def invitation_kind(state: str) -> str:
    """The pill that goes with :func:`invitation_word`."""
    return {"open": "wait", "used": "good"}.get(state, "plain")


def product_word(product: str) -> str:
    """Which LMS it is."""
    return _("Another platform") if product == "other" else product.title()


def column_word(tag: str) -> str:
    """What a gradebook column is for."""
    return {
        "award": _("The badge, written by the tool"),
        "attest": _("Filled in by teachers"),
        "mirror": _("Mirrors an activity's grade"),
    }.get(tag, tag)


def action_word(action: str) -> str:
    """What was done, for the audit log; the log's own name where there is no word for it."""
    return action_words().get(action, action)


def action_words() -> dict[str, str]:
    """Everything that the audit log tells, in words."""
    return {
        "registration_added": _("Registration added"),
        "registration_changed": _("Registration changed"),
        "registration_approved": _("Registration approved"),
        "registration_disabled": _("Registration disabled"),
        "registration_removed": _("Registration removed"),
        "registration.administrator_role_changed": _("Rights of LMS administrators changed"),
        "registration.anonymous_changed": _("Visitors without a name allowed or refused"),
        "key_announced": _("New key of the tool published"),
        "key_activated": _("New key of the tool in use"),
        "key_removed": _("Old key of the tool removed"),
        "records.exported": _("Records of badges and completions taken as a file"),
        "invitation.made": _("Registration link made"),
        "invitation.used": _("Registration link used"),
        "invitation.withdrawn": _("Registration link taken back"),
        "deployment_approved": _("Deployment approved"),
        "deployment_disabled": _("Deployment disabled"),
        "deployment_held": _("Deployment seen for the first time"),
        "deployment.frame_origins_changed": _("Websites that may show the tool changed"),
        "organisation.renamed": _("Organisation renamed"),
        "issuer.changed": _("Issuer changed"),
        "category.created": _("Category made"),
        "category.renamed": _("Category renamed"),
        "category.deleted": _("Category deleted"),
        "micromodule.created": _("Micromodule described"),
        "micromodule.placed": _("Micromodule placed in a course"),
        "course.copied": _("Badges of a copied course set up as drafts"),
        "course.copy_confirmed": _("Badges of a copied course taken over"),
        "course.reset_noticed": _("Course seen to have been reset"),
        "course.reset_acknowledged": _("Reset of a course acknowledged"),
        "placement.removed": _("Draft of a micromodule taken out of a course"),
        "columns.renamed": _("Gradebook columns renamed"),
        "columns.deleted": _("Gradebook columns deleted"),
        "placement.changed": _("Draft of a micromodule changed"),
        "placement.published": _("Micromodule published in a course"),
        "micromodule.categories_changed": _("Categories of a micromodule changed"),
        "micromodule.archived": _("Micromodule archived"),
        "micromodule.restored": _("Micromodule taken back into use"),
        "credential.revoked": _("Badge revoked"),
        "credential.shared": _("Badge shared"),
        "credential.unshared": _("Badge no longer shared"),
        "learner.confirmed": _("Person confirmed as a learner"),
        "learner.attested": _("Criterion confirmed by hand"),
        "learner.attestation_withdrawn": _("Confirmation of a criterion taken back"),
        "submission.handed_in": _("Evidence handed in"),
        "submission.withdrawn": _("Evidence taken back"),
        "submission.accepted": _("Evidence accepted"),
        "submission.returned": _("Evidence given back"),
        "gate.linked": _("Gate opened by an instructor"),
        "gate.confirmed": _("Gate confirmed"),
        "gate.doubted": _("Gate in doubt: suddenly everybody passed"),
        "award_column.asked_again": _("Writing into the gradebook asked for again"),
        "staff_invited": _("Member invited"),
        "staff_role_changed": _("Role of a member changed"),
        "staff_renamed": _("Name of a member changed"),
        "staff_enabled": _("Member let in again"),
        "staff_disabled": _("Member disabled"),
        "staff_link_made": _("Sign-in link made"),
        "staff_signed_in": _("Signed in to the staff pages"),
        "staff_sign_in_refused": _("Sign-in link refused"),
        "audit_log.downloaded": _("Audit log downloaded"),
        "learner.exported": _("Personal data handed out"),
        "learner.erased": _("Person erased"),
    }


def actor_word(actor: str, name: str | None) -> str:
    """Who did it."""
    if actor.startswith((STAFF, LEARNER)):
        return name or _("Name not known")
    return {
        "cli": _("The operator, by command"),
        "job": _("The tool, by itself"),
        "rule": _("The tool, by a rule"),
    }.get(actor, actor)


def subject_word(kind: str) -> str:
    """What it was done to."""
    return {
        "registration": _("Registration"),
        "deployment": _("Deployment"),
        "invitation": _("Registration link"),
        "organisation": _("Organisation"),
        "issuer": _("Issuer"),
        "category": _("Category"),
        "micromodule": _("Micromodule"),
        "micromodule_version": _("Micromodule"),
        "credential": _("Badge"),
        "learner": _("Person"),
        "staff_member": _("Member"),
        "placement": _("Micromodule in a course"),
        "context": _("Course"),
        "gate": _("Gate"),
    }.get(kind, kind)


def subject_url(kind: str, subject_id: str) -> str | None:
    """The staff page of a thing, where it has one."""
    match kind:
        case "registration":
            return url_for("staff.connections.registration", registration_id=subject_id)
        case "deployment":
            return url_for("staff.connections.deployment", deployment_id=subject_id)
        case "invitation":
            return url_for("staff.invitations.show")
        case "issuer":
            return url_for("staff.catalogue.issuer", issuer_id=subject_id)
        case "micromodule":
            return url_for("staff.catalogue.micromodule", micromodule_id=subject_id)
        case "context":
            return url_for("staff.connections.course", context_id=subject_id)
        case "credential":
            return url_for("staff.holders.credential", credential_id=subject_id)
        case "learner":
            return url_for("staff.holders.holder", learner_id=subject_id)
        case "organisation" | "staff_member":
            return url_for("staff.home.organisation")
    return None


def done_sentence() -> str:
    """What the page before this one did, said once (``?done=``); empty for anything else."""
    return {
        "approved": _("Approved. People can use it from now on."),
        "disabled": _("Disabled. Nobody gets in any more; badges stay valid."),
        "enabled": _("Let in again. Give them a new sign-in link."),
        "saved": _("Saved."),
        "withdrawn": _("Taken back. Nobody gets in by that link any more."),
        "renamed": _("Renamed."),
        "created": _("Made."),
        "deleted": _("Deleted."),
        "role": _("The role was changed. It counts from the next click on."),
        "archived": _("Archived. It is offered to no further course."),
        "restored": _("Taken back into use."),
        "revoked": _("Revoked. Whoever verifies the badge learns it from now on."),
        "erased": _("Erased. Signed badges of the person are withdrawn within minutes."),
    }.get(request.args.get("done", ""), "")
