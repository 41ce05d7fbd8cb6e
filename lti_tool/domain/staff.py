"""Who works for an organisation on the staff pages, and what each role permits."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class StaffRole(StrEnum):
    """What somebody is in an organisation, the widest first."""

    OWNER = "owner"
    EDITOR = "editor"
    REVIEWER = "reviewer"
    READER = "reader"


class Permission(StrEnum):
    """What a staff page asks for before it shows or changes something."""

    VIEW = "view"
    """See everything of the organisation, holders and the audit log included."""
    EDIT_MICROMODULES = "edit_micromodules"
    """Micromodules and their categories."""
    EDIT_ISSUERS = "edit_issuers"
    """What an issuer's public page says."""
    MANAGE_KEYS = "manage_keys"
    """Give an issuer a new key, and trust one no more that somebody else has seen."""
    ENDORSE = "endorse"
    """Speak for the organisation: endorse others, and say which endorsements by others stand."""
    REVOKE = "revoke"
    """Withdraw a badge, with a reason."""
    EXPORT_RECORDS = "export_records"
    """Take files of everybody's badges and completions, with names and addresses."""
    MANAGE_PERSONAL_DATA = "manage_personal_data"
    """Hand out everything that is stored about a person, and erase it."""
    MANAGE_REGISTRATIONS = "manage_registrations"
    """Say which platforms and deployments may launch, and from where they may be framed."""
    MANAGE_ORGANISATION = "manage_organisation"
    """Its name."""
    MANAGE_MEMBERS = "manage_members"
    """Invite, change and disable staff."""


_PERMITS: Mapping[StaffRole, frozenset[Permission]] = {
    StaffRole.OWNER: frozenset(Permission),
    StaffRole.EDITOR: frozenset({Permission.VIEW, Permission.EDIT_MICROMODULES, Permission.EDIT_ISSUERS}),
    StaffRole.REVIEWER: frozenset({Permission.VIEW, Permission.REVOKE, Permission.EXPORT_RECORDS}),
    StaffRole.READER: frozenset({Permission.VIEW}),
}


def permits(role: StaffRole) -> frozenset[Permission]:
    """Everything that a role permits."""
    return _PERMITS[role]
