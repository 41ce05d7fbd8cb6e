"""What happens at the edges to an LMS, told to whoever looks after the connection.

Each edge tells it in one place: the connector each call to a service, the key sets each reading of a
platform's keys. What is told names ids, codes, hosts and permissions; never a token, an answer or a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol

from lti_tool.errors import ErrorCode, ToolError

NRPS_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-nrps/scope/contextmembership.readonly"
GROUPS_SCOPE: Final = "https://purl.imsglobal.org/spec/lti-gs/scope/contextgroup.readonly"
NOTICES_SCOPE: Final = "https://purl.imsglobal.org/spec/lti/scope/noticehandlers"
_AGS: Final = "https://purl.imsglobal.org/spec/lti-ags/scope/"


class Service(StrEnum):
    """What of a connection works, or does not."""

    LAUNCH = "launch"
    KEY_SET = "key_set"
    TOKEN = "token"
    ROSTER = "roster"
    LINE_ITEMS = "line_items"
    RESULTS = "results"
    SCORES = "scores"
    GROUPS = "groups"
    NOTICES = "notices"


_OF_SCOPE: Final[Mapping[str, Service]] = {
    _AGS + "lineitem": Service.LINE_ITEMS,
    _AGS + "lineitem.readonly": Service.LINE_ITEMS,
    _AGS + "result.readonly": Service.RESULTS,
    _AGS + "score": Service.SCORES,
    NRPS_SCOPE: Service.ROSTER,
    GROUPS_SCOPE: Service.GROUPS,
    NOTICES_SCOPE: Service.NOTICES,
}
_ABOUT_ONE_THING: Final = frozenset({400, 404, 409, 410, 412, 422})
"""Statuses that speak of one column, link or person: the service itself works."""


class ServiceObserver(Protocol):
    """Who is told how services answer. It must be quick, ask nothing, and raise nothing."""

    def note_service(
        self,
        registration_id: str,
        deployment_id: str | None,
        service: Service,
        failure: ToolError | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """A service answered well, or failed.

        :param deployment_id: our key; ``None`` for what a registration has as a whole, its key set.
        :param facts: what was learnt by it, in plain JSON values.
        """


class NoObserver:
    """Nobody looks: tests, and commands that ask once."""

    def note_service(
        self,
        registration_id: str,
        deployment_id: str | None,
        service: Service,
        failure: ToolError | None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        """Nothing is kept."""


def service_of(scopes: frozenset[str]) -> Service | None:
    """The service that is called with these permissions; ``None`` where it is none that is watched."""
    return next((found for scope in sorted(scopes) if (found := _OF_SCOPE.get(scope)) is not None), None)


def says_nothing(service: Service, method: str, url: str, failure: ToolError) -> bool:
    """Whether a failure is no news of the service: of one column or person, or a call not made."""
    if failure.code in (ErrorCode.PLATFORM_CALLS_SPENT, ErrorCode.PLATFORM_SCOPE_MISSING):
        return True
    if getattr(failure, "http_status", None) not in _ABOUT_ONE_THING:
        return False
    if service in (Service.RESULTS, Service.SCORES):
        return True
    return (service is Service.LINE_ITEMS and method != "GET") or "rlid=" in url
