"""Roles of LTI 1.3 and the rights that follow from them.

Rights come from **context** roles only (LTI Core §A.2.3): an institution's administrator who opens a
course as a learner is a learner there. Platforms send full URIs, some send the short names that
LTI Core §A.2.3.1 allows for context roles ("Instructor"; Moodle 4.x does so in rosters), some send
roles nobody knows, some none at all: all of that is fine and gives no right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

_MEMBERSHIP = "http://purl.imsglobal.org/vocab/lis/v2/membership"
_INSTITUTION = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#"
_SYSTEM = "http://purl.imsglobal.org/vocab/lis/v2/system/person#"
_TEST_USER = "http://purl.imsglobal.org/vocab/lti/system/person#TestUser"


class RoleScope(StrEnum):
    """Where a role counts."""

    CONTEXT = "context"
    INSTITUTION = "institution"
    SYSTEM = "system"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Role:
    """One role, parsed: ``membership/Instructor#Grader`` → context, Instructor, Grader."""

    scope: RoleScope
    name: str
    sub_role: str | None
    as_sent: str


@dataclass(frozen=True, slots=True)
class Rights:
    """What somebody may do in one context."""

    is_learner: bool = False
    """Takes part as a learner: may be awarded."""
    can_view_progress: bool = False
    """Sees how far everybody is: any instructor, teaching assistants and graders included, and whoever
    configures, who does it on the page that shows this."""
    can_configure: bool = False
    """Places badges, sets criteria, creates columns, starts a sync."""
    is_administrator: bool = False
    """Administrator of the institution or system; gives no right in a context by itself."""
    is_test_user: bool = False
    """A student view or test account: never awarded."""

    @property
    def is_staff(self) -> bool:
        """Whether the person teaches or runs this context; staff are never awarded in it."""
        return self.can_view_progress or self.can_configure


_CONTEXT_NAMES = frozenset(
    {
        "Administrator",
        "ContentDeveloper",
        "Instructor",
        "Learner",
        "Mentor",
        "Manager",
        "Member",
        "Officer",
    }
)
_VIEW_ONLY_SUB_ROLES = frozenset(
    {
        "TeachingAssistant",
        "TeachingAssistantGroup",
        "TeachingAssistantOffering",
        "TeachingAssistantSection",
        "TeachingAssistantSectionAssociation",
        "TeachingAssistantTemplate",
        "Grader",
        "GuestInstructor",
        "ExternalInstructor",
    }
)


def parse_role(as_sent: str) -> Role:
    """Parse one role string; never raises, an unknown one gets :attr:`RoleScope.UNKNOWN`."""
    if as_sent.startswith(_MEMBERSHIP + "#"):
        return Role(RoleScope.CONTEXT, as_sent[len(_MEMBERSHIP) + 1 :], None, as_sent)
    if as_sent.startswith(_MEMBERSHIP + "/"):
        principal, _, sub_role = as_sent[len(_MEMBERSHIP) + 1 :].partition("#")
        return Role(RoleScope.CONTEXT, principal, sub_role or None, as_sent)
    if as_sent.startswith(_INSTITUTION):
        return Role(RoleScope.INSTITUTION, as_sent[len(_INSTITUTION) :], None, as_sent)
    if as_sent == _TEST_USER:
        return Role(RoleScope.SYSTEM, "TestUser", None, as_sent)
    if as_sent.startswith(_SYSTEM):
        return Role(RoleScope.SYSTEM, as_sent[len(_SYSTEM) :], None, as_sent)
    principal, _, sub_role = as_sent.partition("#")
    principal = principal.removeprefix("urn:lti:role:ims/lis/")
    principal, _, nested = principal.partition("/")
    if principal in _CONTEXT_NAMES:
        return Role(RoleScope.CONTEXT, principal, (sub_role or nested) or None, as_sent)
    return Role(RoleScope.UNKNOWN, as_sent, None, as_sent)


def rights_of(roles: Iterable[str]) -> Rights:
    """The rights that a list of roles gives in the context it was sent for.

    A sub-role that only assists (teaching assistant, grader) views but does not configure, also
    when the platform sends the principal role "Instructor" beside it (LTI Core §A.2.3.2 asks
    platforms to do so): the narrower word wins.
    """
    parsed = [parse_role(role) for role in roles]
    context = [role for role in parsed if role.scope is RoleScope.CONTEXT]
    names = {role.name for role in context}
    instructor_sub_roles = {role.sub_role for role in context if role.name == "Instructor" and role.sub_role}
    only_assists = bool(instructor_sub_roles) and instructor_sub_roles <= _VIEW_ONLY_SUB_ROLES
    configures = bool(names & {"ContentDeveloper", "Administrator"}) or (
        "Instructor" in names and not only_assists
    )
    return Rights(
        is_learner="Learner" in names,
        can_view_progress=configures or "Instructor" in names,
        can_configure=configures,
        is_administrator=any(
            role.scope in (RoleScope.INSTITUTION, RoleScope.SYSTEM)
            and role.name in ("Administrator", "SysAdmin", "AccountAdmin")
            for role in parsed
        ),
        is_test_user=any(role.name == "TestUser" for role in parsed),
    )
