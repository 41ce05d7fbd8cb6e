"""The pages about personal data, each in its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, ErrorCode, NotAllowed
from lti_tool.services.launching import SessionView
from tests.unit.web import staff_views
from tests.unit.web.privacy_views import ADMINISTRATOR, PEOPLE
from tests.unit.web.samples import SECRET, Sample

FRAME = "/l/session-1/privacy"
STAFF = "/staff/holders/learner-2/data"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}
CONFIRMED = {**CSRF, "confirm": "yes", "seen": "x"}


@dataclass(frozen=True, slots=True)
class PrivacyPage:
    """One of these pages in one state."""

    name: str
    path: str
    set_up: Callable[[Sample], None]
    session: SessionView = ADMINISTRATOR
    fields: Mapping[str, str] | None = None
    status: int = 200


def _about(person: Any, role: StaffRole = StaffRole.OWNER, error: Exception | None = None) -> Any:
    def put(tool: Sample) -> None:
        tool.staffing.view = staff_views.staff(role)
        tool.privacy.person_of_launch = tool.privacy.person = lambda *_: person
        if error is not None:

            def refuse(*_: Any, **__: Any) -> None:
                raise error

            tool.privacy.erase = refuse

    return put


def privacy_pages() -> Iterator[PrivacyPage]:
    """An administrator's, and those of owners."""
    changed = Conflict(ErrorCode.CONFLICT)
    for state, person in PEOPLE.items():
        yield PrivacyPage(f"privacy/{state}", FRAME, _about(person))
        yield PrivacyPage(f"privacy/erase-{state}", f"{FRAME}/erase", _about(person))
    usual = PEOPLE["usual"]
    yield PrivacyPage("privacy/nobody", FRAME, _about(None), replace(ADMINISTRATOR, subject_id=None))
    erase = f"{FRAME}/erase"
    yield PrivacyPage("privacy/unconfirmed", erase, _about(usual), fields=CSRF, status=422)
    yield PrivacyPage("privacy/changed", erase, _about(usual, error=changed), fields=CONFIRMED, status=409)
    yield PrivacyPage("privacy/erased", erase, _about(usual), fields=CONFIRMED)

    def refused(tool: Sample) -> None:
        def refuse(*_: Any) -> None:
            raise NotAllowed(ErrorCode.PRIVACY_NOT_ALLOWED)

        tool.privacy.person_of_launch = refuse

    yield PrivacyPage("privacy/refused", FRAME, refused, status=403)
    yield PrivacyPage("privacy/badge-erased", "/credentials/erased", _about(usual), status=410)
    yield PrivacyPage("staff/personal-data", STAFF, _about(usual))
    yield PrivacyPage("staff/personal-data-reader", STAFF, _about(usual, StaffRole.READER), status=403)
    yield PrivacyPage("staff/erase", f"{STAFF}/erase", _about(usual))
    yield PrivacyPage("staff/erase-unconfirmed", f"{STAFF}/erase", _about(usual), fields=CSRF, status=422)
    yield PrivacyPage(
        "staff/erase-changed", f"{STAFF}/erase", _about(usual, error=changed), fields=CONFIRMED, status=409
    )


NO_PRIVACY_PAGES = frozenset(
    {
        ("POST", "notices.receive"),
        ("POST", "privacy.export"),
        ("POST", "privacy.export_own"),
        ("POST", "staff.personal_data.export"),
    }
)
"""What answers with a file, or programs."""
