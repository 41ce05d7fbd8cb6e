"""Roles, states and deeds of the staff pages in words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import Flask, g, request, url_for
from flask_babel import format_datetime
from flask_babel import gettext as _

from lti_tool.domain.staff import Permission, StaffRole
from lti_tool.store.audit import LEARNER, STAFF
from lti_tool.web.endorsement_words import endorsement_state_kind, endorsement_state_word
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
        endorsement_state_word=endorsement_state_word,
        endorsement_state_kind=endorsement_state_kind,
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
        StaffRole.OWNER: _("May do everything: members, platforms, issuers, keys, micromodules, revocation."),
        StaffRole.EDITOR: _("Looks after micromodules, categories, skills frameworks, colours and issuers."),
        StaffRole.REVIEWER: _("May revoke and suspend badges, and take files of records."),
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
        "organisation.palette_changed": _("Colours of the organisation changed"),
        "picture.uploaded": _("Picture uploaded"),
        "issuer.created": _("Issuer made"),
        "issuer.changed": _("Issuer changed"),
        "issuer.picture_changed": _("Picture of an issuer changed"),
        "issuer.made_default": _("Another issuer made the default"),
        "issuer.retired": _("Issuer retired"),
        "issuer.restored": _("Issuer taken back into use"),
        "issuer.key_rotated": _("New key of an issuer in use"),
        "issuer.key_compromised": _("Key of an issuer trusted no more"),
        "credentials.reissued": _("Badges signed anew"),
        "credential.renewed": _("Badge renewed"),
        "credentials.ended": _("End of a version signed into its badges"),
        "achievement.corrected": _("Words or picture of a badge corrected"),
        "endorsement.offered": _("Endorsement signed and offered"),
        "endorsement.received": _("Endorsement by another issuer received"),
        "endorsement.accepted": _("Endorsement accepted"),
        "endorsement.refused": _("Endorsement refused or taken off"),
        "endorsement.withdrawn": _("Endorsement withdrawn"),
        "endorsement.imported": _("Endorsement from elsewhere taken over"),
        "framework.imported": _("Skills framework imported"),
        "framework.removed": _("Skills framework removed"),
        "category.created": _("Category made"),
        "category.renamed": _("Category renamed"),
        "category.deleted": _("Category deleted"),
        "category.moved": _("Category moved among others"),
        "category.reordered": _("Order within a category changed"),
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
        "micromodule.version_published": _("Next version of a micromodule published"),
        "badge.switched_on": _("Badge switched on"),
        "badge.awarded_again": _("Awarded retroactively once more"),
        "badge.awarded_retroactively": _("Badge awarded retroactively"),
        "run.paused": _("Awarding paused"),
        "run.resumed": _("Awarding resumed"),
        "micromodule.categories_changed": _("Categories of a micromodule changed"),
        "micromodule.archived": _("Micromodule archived"),
        "micromodule.restored": _("Micromodule taken back into use"),
        "currency.changed": _("Review dates or who answers changed"),
        "currency.reviewed": _("Looked at and found up to date"),
        "milestone.created": _("Milestone described"),
        "milestone.changed": _("Draft of a milestone changed"),
        "milestone.activated": _("Milestone activated"),
        "milestone.version_published": _("Next version of a milestone published"),
        "milestone.retired": _("Milestone retired"),
        "milestone.discarded": _("Draft of a milestone discarded"),
        "credential.revoked": _("Badge revoked"),
        "credential.suspended": _("Badge suspended"),
        "credential.resumed": _("Suspension of a badge ended"),
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
        "person.code_taken": _("Code taken to join accounts"),
        "person.code_refused": _("Wrong code entered to join accounts"),
        "person.code_entered": _("Code entered to join accounts"),
        "person.declined": _("Joining accounts declined"),
        "person.joined": _("Accounts of several learning platforms joined"),
        "person.left": _("Account separated from others"),
        "review.kept": _("Badge kept after a review"),
        "review.revoked": _("Badge to be revoked after a review"),
        "review.undone": _("Revocation after a review undone"),
        "review.spared": _("Badge not revoked after all: its facts are good again"),
        "review.reopened": _("Review opened again: its reason cannot be told any more"),
        "review.asked": _("Learner asked about a badge"),
        "review.answered": _("Learner answered about a badge"),
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
        "learner_record.exported": _("Signed record of a person's badges taken as a file"),
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
        "picture": _("Picture"),
        "issuer": _("Issuer"),
        "category": _("Category"),
        "framework": _("Skills framework"),
        "endorsement": _("Endorsement"),
        "micromodule": _("Micromodule"),
        "micromodule_version": _("Micromodule"),
        "milestone": _("Milestone"),
        "credential": _("Badge"),
        "achievement_version": _("What a badge says"),
        "learner": _("Person"),
        "staff_member": _("Member"),
        "placement": _("Micromodule in a course"),
        "context": _("Course"),
        "gate": _("Gate"),
        "review": _("Review of a badge"),
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
            return url_for("staff.issuers.issuer", issuer_id=subject_id)
        case "micromodule":
            return url_for("staff.catalogue.micromodule", micromodule_id=subject_id)
        case "milestone":
            return url_for("staff.milestones.milestone", milestone_id=subject_id)
        case "context":
            return url_for("staff.connections.course", context_id=subject_id)
        case "credential":
            return url_for("staff.holders.credential", credential_id=subject_id)
        case "achievement_version":
            return url_for("public.achievement", achievement_id=subject_id)
        case "learner":
            return url_for("staff.holders.holder", learner_id=subject_id)
        case "endorsement":
            return url_for("staff.endorsements.show")
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
        "endorsement_offered": _("Signed and offered. It shows once its owner accepts it."),
        "endorsement_accepted": _("Accepted. It shows, and new badges carry it."),
        "endorsement_refused": _("It does not show, and new badges do not carry it."),
        "endorsement_withdrawn": _("Withdrawn. Whoever verifies a badge that carries it learns so."),
        "endorsement_imported": _("Checked and taken over. It shows, and new badges carry it."),
        "framework_removed": _("Removed. Badges keep the skills that were taken from it."),
        "role": _("The role was changed. It counts from the next click on."),
        "milestone_activated": _("Active. Badges of those who have reached it follow within minutes."),
        "milestone_version": _(
            "Published. Badges of those who have reached the new version follow within minutes."
        ),
        "version_published": _("Published. This version is the one that is earned from now on."),
        "milestone_retired": _("Done. Nobody gets it any more; whoever has it keeps it."),
        "archived": _("Archived. It is offered to no further course."),
        "restored": _("Taken back into use."),
        "reviewed": _("Noted: it is up to date."),
        "corrected": _("Corrected. What people hold is being signed anew."),
        "picture": _("Saved. Badges signed from now on name this picture."),
        "key_rotated": _("A new key signs from now on. What the former one signed stays valid."),
        "key_given_up": _("The key is trusted no more. Its badges are being signed anew."),
        "issuer_retired": _("Retired. It is offered for nothing new; what it signed stays valid."),
        "revoked": _("Revoked. Whoever verifies the badge learns it from now on."),
        "suspended": _("Suspended. Whoever verifies the badge learns it from now on."),
        "resumed": _("The suspension has ended. The badge is valid again."),
        "erased": _("Erased. Signed badges of the person are withdrawn within minutes."),
    }.get(request.args.get("done", ""), "")
