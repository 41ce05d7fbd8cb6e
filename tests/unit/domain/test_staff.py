"""What the roles of the staff pages permit."""

from __future__ import annotations

import pytest

from lti_tool.domain.staff import Permission, StaffRole, permits

CHANGES = frozenset(Permission) - {Permission.VIEW, Permission.EXPORT_RECORDS}


@pytest.mark.parametrize("role", StaffRole)
def test_every_role_sees_what_there_is(role: StaffRole) -> None:
    assert Permission.VIEW in permits(role)


def test_an_owner_may_do_everything() -> None:
    assert permits(StaffRole.OWNER) == frozenset(Permission)


def test_a_reader_changes_nothing() -> None:
    assert not permits(StaffRole.READER) & CHANGES


def test_an_editor_writes_but_revokes_nothing() -> None:
    assert permits(StaffRole.EDITOR) & CHANGES == {Permission.EDIT_MICROMODULES, Permission.EDIT_ISSUERS}


def test_a_reviewer_revokes_but_writes_nothing() -> None:
    assert permits(StaffRole.REVIEWER) & CHANGES == {Permission.REVOKE}


def test_files_of_everybody_are_for_owners_and_reviewers() -> None:
    taking = {role for role in StaffRole if Permission.EXPORT_RECORDS in permits(role)}
    assert taking == {StaffRole.OWNER, StaffRole.REVIEWER}


@pytest.mark.parametrize("role", [role for role in StaffRole if role is not StaffRole.OWNER])
def test_only_owners_say_who_comes_in(role: StaffRole) -> None:
    """Whoever manages members can make themselves anything, and registrations let whole platforms in."""
    assert not permits(role) & {
        Permission.MANAGE_MEMBERS,
        Permission.MANAGE_REGISTRATIONS,
        Permission.MANAGE_ORGANISATION,
    }
