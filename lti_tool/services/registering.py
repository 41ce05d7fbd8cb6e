"""Storing what came of an invitation: a registration, new or changed, with the invitation's end.

An LMS that registers itself names its own addresses, and with them the keys that its launches are believed
by. So what a registration may become depends on who made the invitation, and what people rely on already is
never changed in passing.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from lti_tool.domain.registrations import RegistrationStatus, RegistrationView
from lti_tool.errors import Conflict, ErrorCode
from lti_tool.lti.registering import PlatformConfiguration, RegistrationAnswer
from lti_tool.store import audit, registrations
from lti_tool.store import invitations as store
from lti_tool.store.invitations import InvitationView

SENSITIVE: Final = ("client_id", "product", "auth_url", "token_url", "jwks_url", "token_audience")
"""By what people of a platform are believed, and where the tool's own proofs go."""


def require_changeable(
    session: Session, invitation: InvitationView, configuration: PlatformConfiguration
) -> None:
    """Refuse before the platform is asked what would be refused after it.

    :raises Conflict: REGISTRATION_PROTECTED, REGISTRATION_CHANGE_UNAPPROVED.
    """
    if invitation.registration_id is not None:
        meant = registrations.registration(session, invitation.registration_id)
        if meant is not None:
            _check_change(session, invitation, meant, _values(configuration))


def store_registration(
    session: Session,
    invitation: InvitationView,
    configuration: PlatformConfiguration,
    answer: RegistrationAnswer,
    *,
    read_from: str,
    claimed_until: datetime,
    now: datetime,
) -> str:
    """Add the registration, or bring the one that is meant to these values, and use the invitation up.

    :param read_from: the address of the configuration, without its query.
    :param claimed_until: the claim under which the platform was asked.
    :returns: the registration's id.
    :raises Conflict: REGISTRATION_PROTECTED, REGISTRATION_CHANGE_UNAPPROVED; INVITATION_BUSY where the claim
        is over.
    """
    known = _meant(session, invitation, configuration.issuer, answer.client_id)
    values = _values(configuration) | {"client_id": answer.client_id}
    if known is not None:
        _check_change(session, invitation, known, values)
    values |= {
        "configuration_url": read_from,
        "configured_at": now,
        "platform_version": configuration.version,
    }
    if invitation.approves:
        values["status"] = RegistrationStatus.APPROVED.value
    if known is None:
        name = invitation.name or configuration.account_name or str(urlsplit(configuration.issuer).hostname)
        # Canvas names no deployment before its administrator enables the tool. The client_id was made for
        # this account a moment ago, so whatever comes by it is this organisation's.
        by_rule = invitation.approves and answer.deployment_id is None
        values |= {
            "name": name,
            "default_organisation_id": invitation.organisation_id,
            "approves_deployments": by_rule,
        }
        registration_id, is_new = registrations.save_registration(session, values, now, name=name)
        if not is_new:
            raise Conflict(ErrorCode.REGISTRATION_PROTECTED, "registered at the same moment")
    else:
        registration_id = known.id
        registrations.change_registration(session, registration_id, values)
    if not store.use(session, invitation.id, now, claimed_until, registration_id):
        raise Conflict(ErrorCode.INVITATION_BUSY, f"the claim on invitation {invitation.id} is over")
    _record(session, invitation, now, "invitation.used", "invitation", invitation.id)
    action = "registration_added" if known is None else "registration_changed"
    _record(session, invitation, now, action, "registration", registration_id)
    if answer.deployment_id is not None:
        _store_deployment(session, invitation, registration_id, answer.deployment_id, now)
    return registration_id


def _meant(
    session: Session, invitation: InvitationView, issuer: str, client_id: str
) -> RegistrationView | None:
    """The registration that the invitation names, else the one of this (issuer, client_id)."""
    found = registrations.find_registrations(session, issuer, client_id)
    same = found[0] if found else None
    if invitation.registration_id is None:
        return same
    meant = registrations.registration(session, invitation.registration_id)
    if meant is not None and same is not None and same.id != meant.id:
        raise Conflict(ErrorCode.REGISTRATION_PROTECTED, f"registration {same.id} has this client_id")
    return meant or same


def _check_change(
    session: Session, invitation: InvitationView, known: RegistrationView, values: dict[str, Any]
) -> None:
    """Whether this invitation may bring a registration to these values.

    :raises Conflict: REGISTRATION_PROTECTED: another organisation's, or one that others share, or a disabled
        one, or another issuer's. REGISTRATION_CHANGE_UNAPPROVED: people get in by it, and nobody would look
        at where its keys come from now. It is not made pending instead: whoever finds a link could keep a
        university out by that.
    """
    own = invitation.organisation_id
    changes = [name for name in SENSITIVE if name in values and values[name] != getattr(known, name)]
    protected = None
    if known.default_organisation_id != own:
        protected = "it is another organisation's"
    elif known.issuer != values["issuer"]:
        protected = "the issuer differs"
    elif known.status is RegistrationStatus.DISABLED:
        protected = "it is disabled"
    elif changes and not registrations.owners(session, known.id) <= {own}:
        protected = "other organisations share it"
    if protected is not None:
        raise Conflict(ErrorCode.REGISTRATION_PROTECTED, f"registration {known.id}: {protected}")
    if changes and known.is_approved and not invitation.approves:
        raise Conflict(
            ErrorCode.REGISTRATION_CHANGE_UNAPPROVED, f"registration {known.id}: {', '.join(changes)}"
        )


def _store_deployment(
    session: Session, invitation: InvitationView, registration_id: str, named: str, now: datetime
) -> None:
    own = invitation.organisation_id
    deployment = registrations.save_deployment(session, registration_id, named, now)
    if deployment.organisation_id not in (None, own):
        raise Conflict(
            ErrorCode.REGISTRATION_PROTECTED, f"deployment {deployment.id} is another organisation's"
        )
    if invitation.approves and registrations.approve_deployment(session, deployment.id, own, now):
        _record(session, invitation, now, "deployment_approved", "deployment", deployment.id)


def _values(configuration: PlatformConfiguration) -> dict[str, Any]:
    """A configuration as the columns of a registration, but for its client_id."""
    values: dict[str, Any] = {
        "issuer": configuration.issuer,
        "product": configuration.product,
        "auth_url": configuration.auth_url,
        "token_url": configuration.token_url,
        "jwks_url": configuration.jwks_url,
    }
    if configuration.token_audience is not None:
        # What was typed in for a platform that does not say it stays.
        values["token_audience"] = configuration.token_audience
    return values


def _record(
    session: Session, invitation: InvitationView, now: datetime, action: str, kind: str, subject_id: str
) -> None:
    audit.record(
        session,
        invitation.organisation_id,
        at=now,
        actor=invitation.created_by,
        action=action,
        subject_kind=kind,
        subject_id=subject_id,
        detail={"invitation": invitation.id, "is_approved": invitation.approves},
    )
