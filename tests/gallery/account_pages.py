"""The pages of a learner's own accounts, each in its states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from lti_tool.errors import Conflict, ErrorCode, LimitReached, RequestInvalid
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.launching import SessionView
from tests.unit.web.account_views import ELSEWHERE, OFFERED, PERSONS
from tests.unit.web.sample_views import session
from tests.unit.web.samples import SECRET, Sample

WALLET = "/l/session-1/wallet"
ACCOUNTS = f"{WALLET}/accounts"
CSRF = {"csrf_token": f"csrf-of-{SECRET}"}
TYPED = {**CSRF, "code": "ABCDE-23456"}


@dataclass(frozen=True, slots=True)
class AccountPage:
    """One of these pages in one state."""

    name: str
    path: str
    set_up: Callable[[Sample], None]
    session: SessionView
    fields: Mapping[str, str] | None = None
    status: int = 200


def _put(**views: object) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        for name, view in views.items():
            setattr(tool.persons, name, lambda *_, view=view: view)

    return put


def _refuse(name: str, error: Exception) -> Callable[[Sample], None]:
    def put(tool: Sample) -> None:
        def refused(*_: object, **__: object) -> None:
            raise error

        setattr(tool.persons, name, refused)

    return put


def account_pages() -> Iterator[AccountPage]:
    """The page in every state, a code, what it would join, and refusals."""
    for state, view in PERSONS.items():
        who = session(is_read_only=True) if state == "read-only" else session()
        yield AccountPage(f"accounts/{state}", ACCOUNTS, _put(view=view), who)
    for done in ("entered", "joined", "declined", "left"):
        view = PERSONS[{"entered": "asked", "joined": "joined"}.get(done, "alone")]
        yield AccountPage(f"accounts/{done}-done", f"{ACCOUNTS}?done={done}", _put(view=view), session())
    yield AccountPage("accounts/code", f"{ACCOUNTS}/code", _put(), session(), CSRF)
    yield AccountPage("accounts/confirm", f"{ACCOUNTS}/look", _put(look=OFFERED), session(), TYPED)
    for problem in (
        FormProblem.REQUIRED,
        FormProblem.CODE_UNKNOWN,
        FormProblem.CODE_OWN,
        FormProblem.CODE_JOINED,
        FormProblem.CODE_SAME_LMS,
    ):
        refusal = RequestInvalid(ErrorCode.FORM_INVALID, problems=(Problem("code", problem),))
        yield AccountPage(
            f"accounts/{problem.value}", f"{ACCOUNTS}/look", _refuse("look", refusal), session(), TYPED, 422
        )
    limit = LimitReached(ErrorCode.RATE_LIMITED, retry_after=600)
    yield AccountPage("accounts/too-often", f"{ACCOUNTS}/look", _refuse("look", limit), session(), TYPED, 429)
    changed = Conflict(ErrorCode.CONFLICT)
    yield AccountPage(
        "accounts/changed", f"{ACCOUNTS}/answer", _refuse("answer", changed), session(), CSRF, 409
    )
    yield AccountPage(
        "accounts/left-twice", f"{ACCOUNTS}/leave", _refuse("leave", changed), session(), CSRF, 409
    )
    used = RequestInvalid(ErrorCode.FORM_INVALID, problems=(Problem("code", FormProblem.CODE_UNKNOWN),))
    yield AccountPage(
        "accounts/used-meanwhile", f"{ACCOUNTS}/enter", _refuse("enter", used), session(), TYPED, 422
    )
    yield AccountPage("wallet/joined", WALLET, _put(elsewhere=ELSEWHERE), session())
