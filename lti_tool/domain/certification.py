"""The cases of 1EdTech's LTI Advantage certification, and which of them a launch is.

What proves each in this repository stands in ``docs/reference/certification.md``; what a platform was seen
to send, on the page of its connection.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lti_tool.domain.identity import Launch
from lti_tool.domain.roles import RoleScope, parse_role
from lti_tool.errors import ErrorCode


@dataclass(frozen=True, slots=True)
class Case:
    """One case of the suite (LTI Advantage Conformance Certification Guide 1.3, §6)."""

    key: str
    section: str
    codes: tuple[ErrorCode, ...] = ()
    """What the tool refuses it with; none where it is to be let in or answered."""
    services: tuple[str, ...] = ()
    """The services by whose answers it is seen."""

    @property
    def is_refused(self) -> bool:
        """Whether the tool must say no."""
        return bool(self.codes)


_BAD: Final = "6.1.1"
_GOOD: Final = "6.1.2, 6.1.3"

CASES: Final = (
    Case("no_kid", _BAD, (ErrorCode.LAUNCH_KEY_ID_MISSING,)),
    Case("wrong_kid", _BAD, (ErrorCode.LAUNCH_KEY_UNKNOWN,)),
    Case("wrong_version", _BAD, (ErrorCode.LAUNCH_VERSION_WRONG,)),
    Case("no_version", _BAD, (ErrorCode.LAUNCH_VERSION_WRONG,)),
    Case("no_lti_message", _BAD, (ErrorCode.LAUNCH_ISSUER_WRONG,)),
    Case("no_lti_claims", _BAD, (ErrorCode.LAUNCH_VERSION_WRONG,)),
    Case("wrong_times", _BAD, (ErrorCode.LAUNCH_EXPIRED, ErrorCode.LAUNCH_TIME_INVALID)),
    Case("no_message_type", _BAD, (ErrorCode.LAUNCH_MESSAGE_TYPE_UNKNOWN,)),
    Case("no_roles_claim", _BAD, (ErrorCode.LAUNCH_ROLES_MISSING,)),
    Case("no_deployment", _BAD, (ErrorCode.LAUNCH_DEPLOYMENT_MISSING,)),
    Case("no_resource_link", _BAD, (ErrorCode.LAUNCH_RESOURCE_LINK_MISSING,)),
    Case("no_subject", _BAD, (ErrorCode.LAUNCH_SUBJECT_MISSING,)),
    Case("normal", _GOOD),
    Case("several_roles", _GOOD),
    Case("short_role", _GOOD),
    Case("unknown_role", _GOOD),
    Case("no_role", _GOOD),
    Case("email_only", _GOOD),
    Case("names_only", _GOOD),
    Case("no_personal_data", _GOOD),
    Case("no_context", _GOOD),
    Case("deep_linking", "6.2"),
    Case("names_and_roles", "6.3", services=("roster",)),
    Case("grades", "6.4", services=("line_items", "results", "scores")),
)
"""Every case; those of 6.1.2 (teacher) and 6.1.3 (student) are the same nine."""


def cases_of(launch: Launch) -> tuple[str, ...]:
    """The cases that an accepted launch is an instance of."""
    if launch.deep_linking is not None:
        return ("deep_linking",)
    roles = [parse_role(role) for role in launch.roles]
    user = launch.user
    has_name = bool(user.name or user.given_name or user.family_name)
    is_case = {
        "several_roles": len(roles) > 1,
        "short_role": any(role.scope is RoleScope.CONTEXT and ":" not in role.as_sent for role in roles),
        "unknown_role": any(role.scope is RoleScope.UNKNOWN for role in roles),
        "no_role": not roles,
        "email_only": bool(user.email) and not has_name,
        "names_only": has_name and not user.email,
        "no_personal_data": not has_name and not user.email,
        "no_context": launch.context is None,
    }
    found = tuple(case for case, is_it in is_case.items() if is_it)
    return found or ("normal",)
