"""Each error code as people and programs meet it: what happened, what to do, the code, a way on."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool import errors
from lti_tool.errors import ErrorCode, ToolError
from lti_tool.web.error_texts import TEXTS
from tests.gallery.pages import MEMBER, refusing
from tests.unit.web.samples import Sample

ROOT = Path(__file__).parents[3]
WALLET = f"{MEMBER}/wallet"
LONGEST = 230
"""Characters of a part: two sentences, three at most."""

CLASSES = {
    name: one for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, ToolError)
}
OF_THE_TRADE = re.compile(
    r"[a-z]_[a-z]|%\(|\b(HTTP|JSON-LD|JWT|JWKS|NRPS|AGS|OIDC|exception|null|None|invalid)\b"
)
"""What no page says to somebody who came for a badge."""


def documented() -> dict[str, set[int]]:
    """Code → the HTTP statuses that the reference gives for it."""
    text = (ROOT / "docs" / "reference" / "errors.md").read_text(encoding="utf-8")
    found = re.findall(r"^`([a-z_]+)` \(([\d, ]+)\)$", text, re.MULTILINE)
    return {code: {int(status) for status in statuses.split(",")} for code, statuses in found}


def raised() -> dict[str, set[int]]:
    """Code → the statuses that the program gives it, wherever error and code stand in one call."""
    found: dict[str, set[int]] = {}
    for path in (ROOT / "lti_tool").rglob("*.py"):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
                continue
            kind = CLASSES.get(call.func.id)
            codes = [
                one.attr
                for one in call.args[:1]
                if isinstance(one, ast.Attribute) and ast.unparse(one.value) == "ErrorCode"
            ]
            if kind is None or not codes:
                continue
            given = [
                one.value.value
                for one in call.keywords
                if one.arg == "status" and isinstance(one.value, ast.Constant)
            ]
            found.setdefault(ErrorCode[codes[0]].value, set()).add(int((given or [kind.status])[0]))
    return found


def test_the_reference_gives_the_status_that_the_program_answers_with() -> None:
    reference, program = documented(), raised()
    assert set(reference) == {code.value for code in ErrorCode}
    assert len(program) > 60, "the search finds the places where errors are raised"
    assert {code: statuses for code, statuses in program.items() if not statuses <= reference[code]} == {}


def error_of(code: ErrorCode) -> ToolError:
    """An error with this code, of a class that has its status."""
    error = ToolError(code)
    error.status = min(documented()[code.value])
    return error


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_person_reads_what_happened_and_what_to_do(
    code: ErrorCode, member: FlaskClient, tool: Sample
) -> None:
    error = error_of(code)
    refusing(error)(tool)
    answer = member.get(WALLET)
    assert answer.status_code == error.status
    page = BeautifulSoup(answer.text, "html5lib")
    title = page.h1.get_text(strip=True)
    happened = page.select_one(".page-head .lead").get_text(" ", strip=True)
    advice = page.select_one(".error-body p").get_text(" ", strip=True)
    assert not title.endswith("."), title
    for part in (title, happened, advice):
        assert 5 < len(part) < LONGEST, part
        assert OF_THE_TRADE.search(part) is None, part
    for sentences in (happened, advice):
        assert sentences[0].isupper(), sentences
        assert sentences.endswith("."), sentences
    assert len({title, happened, advice}) == 3
    assert page.select_one(".code-line code").get_text() == code.value
    (button,) = page.select(".error-body a.button")
    leads_to = TEXTS[code].leads_to
    if leads_to is None:
        assert button["href"] == f"{tool.launching.view.return_url}&lti_errorlog={code.value}"
        assert button["target"] == "_top"
    else:
        assert button.get_text(" ", strip=True).startswith(str(leads_to[1]))


@pytest.mark.parametrize("code", list(ErrorCode))
def test_a_program_reads_the_same_as_problem_details(
    code: ErrorCode, member: FlaskClient, tool: Sample
) -> None:
    error = error_of(code)
    refusing(error)(tool)
    answer = member.get(WALLET, headers={"Accept": "application/json"})
    assert (answer.status_code, answer.mimetype) == (error.status, "application/problem+json")
    problem = answer.get_json()
    assert (problem["status"], problem["code"]) == (error.status, code.value)
    assert (problem["title"], problem["detail"]) == (str(TEXTS[code].title), str(TEXTS[code].happened))


def test_two_errors_never_read_alike() -> None:
    """Whoever reads a page aloud on the telephone says enough to be understood."""
    said = [(str(text.title), str(text.happened)) for text in TEXTS.values()]
    assert len(set(said)) == len(said)


def test_nobody_is_sent_back_to_where_the_same_happens_again(app: Flask) -> None:
    """What opening the activity again cannot mend is not answered with "open the activity again"."""
    again = "open the activity again"
    with app.test_request_context():
        for code in (
            ErrorCode.PLACEMENT_NOT_FOUND,
            ErrorCode.MICROMODULE_NOT_FOUND,
            ErrorCode.DEPLOYMENT_HELD,
        ):
            assert again not in str(TEXTS[code].advice), code
