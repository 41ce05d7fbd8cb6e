"""The pages on which an administrator connects a learning platform, each in its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lti_tool.errors import ErrorCode, PlatformFailed, RequestInvalid, ToolError
from tests.unit.web.connection_views import DONE, INVITE, OFFERS, STANDINGS, TICKET
from tests.unit.web.samples import Sample

REGISTER = "/lti/register"
CONFIGURATION = "https%3A%2F%2Fmoodle.example.edu%2Fmod%2Flti%2Fopenid-configuration.php"
OFFERED = f"{REGISTER}?invite={INVITE}&openid_configuration={CONFIGURATION}&registration_token=a.b.c"


@dataclass(frozen=True, slots=True)
class RegisteringPage:
    """One of these pages in one state."""

    name: str
    path: str
    set_up: Callable[[Sample], None] = lambda _tool: None
    fields: Mapping[str, str] | None = None
    status: int = 200


def _shows(name: str, view: object) -> Callable[[Sample], None]:
    return lambda tool: setattr(tool.inviting, name, view)


def _refuses(method: str, error: ToolError) -> Callable[[Sample], None]:
    def refused(*_: object, **__: object) -> None:
        raise error

    return lambda tool: setattr(tool.inviting, method, refused)


UNREADABLE = RequestInvalid(
    ErrorCode.CONFIGURATION_INVALID,
    problems=("token_endpoint: an https address is needed", "id_token_signing_alg_values_supported: RS256"),
)
UNREACHABLE = PlatformFailed(
    ErrorCode.CONFIGURATION_UNREACHABLE, host="moodle.example.edu", reason="platform_timed_out"
)
REFUSED = PlatformFailed(ErrorCode.REGISTRATION_REFUSED, reason="domain_targetlinkuri_mismatch")


def registering_pages() -> Iterator[RegisteringPage]:
    """All of them."""
    yield RegisteringPage("register/paste", f"{REGISTER}?invite={INVITE}")
    yield RegisteringPage("register/unknown", f"{REGISTER}?invite=another", status=404)
    yield RegisteringPage("register/used", f"{REGISTER}?invite=used-invitation", status=403)
    for state, offer in OFFERS.items():
        yield RegisteringPage(f"register/offer-{state}", OFFERED, _shows("offer_view", offer))
    for state, standing in STANDINGS.items():
        path = f"{REGISTER}/done?of={DONE}"
        yield RegisteringPage(f"register/done-{state}", path, _shows("standing_view", standing))
    yield RegisteringPage("register/unreadable", OFFERED, _refuses("offer", UNREADABLE), status=400)
    yield RegisteringPage("register/unreachable", OFFERED, _refuses("offer", UNREACHABLE), status=502)
    yield RegisteringPage(
        "register/refused", REGISTER, _refuses("register", REFUSED), {"ticket": TICKET}, status=502
    )
