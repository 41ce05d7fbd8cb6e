"""Confirming, handing in and judging as pages: tokens, sizes, what is sent on, how a file is handed out."""

from __future__ import annotations

import io
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.errors import Conflict, ErrorCode, NotAllowed
from lti_tool.services.evidence import MOST_FILES, GivenFile, HandIn, Judgement
from lti_tool.store.submissions import StoredFile
from lti_tool.web.people import DOWNLOAD_POLICY, FORM_BYTES
from tests.gallery.pages import PAGES
from tests.gallery.people_pages import ATTEST, CSRF, HAND_IN, JUDGE, LISTED
from tests.unit.services.evidence_samples import HTML, PDF
from tests.unit.web.people_views import ATTESTS, EVIDENCE, JUDGING, submission
from tests.unit.web.sample_views import GRADER, TEACHER, session
from tests.unit.web.samples import Sample

FILE = "/l/session-1/evidence/files/file-1"


def names(tool: Sample) -> list[str]:
    return [str(call[0]) for call in tool.calls]


@pytest.mark.parametrize("path", [ATTEST, f"{ATTEST}/column", HAND_IN, JUDGE])
def test_nothing_is_changed_without_the_token(path: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    for fields in ({}, {"csrf_token": "forged"}):
        answer = member.post(
            path, data={**fields, "learner_id": "learner-2", "reason": "why", "text": "mine"}
        )
        assert answer.status_code == 400
        assert "csrf_invalid" in answer.text
    assert not tool.calls


def test_an_id_with_nul_never_reaches_the_database(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    answer = member.post(ATTEST, data={**CSRF, "learner_id": ["learner-2", "a\0b"], "reason": "why"})
    assert answer.status_code == 400
    assert "request_invalid" in answer.text
    assert not tool.calls


def test_a_form_with_files_needs_the_token_too(member: FlaskClient, tool: Sample) -> None:
    sent = {"text": "mine", "files": (io.BytesIO(PDF), "report.pdf")}
    assert member.post(HAND_IN, data=sent, content_type="multipart/form-data").status_code == 400
    assert not tool.calls


def test_the_chosen_are_confirmed_with_one_reason(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = GRADER
    fields = {
        **CSRF,
        "learner_id": ["learner-2", "learner-4"],
        "reason": "gave the talk",
        "action": "confirm",
    }
    answer = member.post(f"{ATTEST}?q=a&state=open&page=3", data=fields)
    assert answer.status_code == 303
    for part in ("q=a", "state=open", "page=3", "done=attested", "count=2"):
        assert part in answer.location
    (call,) = tool.calls
    assert call[2:] == ("placement-1", "talk", ["learner-2", "learner-4"], "gave the talk")


def test_everybody_on_the_page_is_chosen_by_a_link_without_script(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    page = BeautifulSoup(member.get(f"{ATTEST}?state=open&page=1").text, "html.parser")
    link = page.find("a", attrs={"data-choose-all": True})
    assert link is not None
    assert not page.select("input[name=learner_id][checked]")
    chosen = BeautifulSoup(member.get(str(link["href"])).text, "html.parser")
    assert len(chosen.select("input[name=learner_id][checked]")) == len(ATTESTS["usual"].page.rows)


def test_what_was_chosen_and_typed_survives_a_problem(member: FlaskClient, tool: Sample) -> None:
    page = next(page for page in PAGES if page.name == "attest/problems")
    page.set_up(tool)
    tool.launching.view = TEACHER
    answer = member.post(ATTEST, data={**CSRF, "learner_id": "learner-4", "reason": "<b>why</b>"})
    shown = BeautifulSoup(answer.text, "html.parser")
    assert [box["value"] for box in shown.select("input[name=learner_id][checked]")] == ["learner-4"]
    area = shown.find(id="reason")
    assert area is not None
    assert area.get_text().strip() == "<b>why</b>"
    assert "Choose at least one learner." in shown.get_text()


def test_who_looks_as_somebody_else_finds_nothing_to_change(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = replace(TEACHER, is_read_only=True, can_configure=False)
    shown = member.get(ATTEST).text
    assert "Emmy Noether" in shown
    assert 'method="post"' not in shown


@pytest.mark.parametrize("state", ["", "?state=nonsense&page=-4&q=" + "x" * 900, "?page=abc"])
def test_odd_addresses_are_read_as_the_plain_list(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    assert member.get(ATTEST + state).status_code == 200
    assert member.get(LISTED + state).status_code == 200


# -- handing in


def test_text_link_files_and_what_is_handed_in_again_go_on(member: FlaskClient, tool: Sample) -> None:
    sent = {
        **CSRF,
        "action": "hand-in",
        "text": "mine",
        "url": "https://example.org",
        "keep": ["file-1", "file-2"],
        "files": [(io.BytesIO(PDF), "../report.pdf"), (io.BytesIO(HTML), "page.png"), (io.BytesIO(b""), "")],
    }
    answer = member.post(HAND_IN, data=sent, content_type="multipart/form-data")
    assert (answer.status_code, answer.location.rpartition("?")[2]) == (303, "done=handed-in")
    (call,) = tool.calls
    assert call[2:] == (
        "placement-1",
        "portfolio",
        HandIn(
            "mine",
            "https://example.org",
            (GivenFile("../report.pdf", PDF), GivenFile("page.png", HTML)),
            ("file-1", "file-2"),
        ),
    )


def test_a_hundred_files_are_not_read(member: FlaskClient, tool: Sample) -> None:
    files = [(io.BytesIO(PDF), f"{number}.pdf") for number in range(100)]
    member.post(HAND_IN, data={**CSRF, "files": files}, content_type="multipart/form-data")
    (call,) = tool.calls
    assert len(call[4].files) == MOST_FILES + 1


def test_a_file_too_large_is_told_apart_without_being_read_whole(member: FlaskClient, tool: Sample) -> None:
    tool.submissions.max_file_bytes = 1_000
    sent = {**CSRF, "files": (io.BytesIO(PDF + b"x" * 9_000), "large.pdf")}
    member.post(HAND_IN, data=sent, content_type="multipart/form-data")
    (call,) = tool.calls
    assert len(call[4].files[0].content) == 1_001


class Untouched(io.RawIOBase):
    """A body that must not be read."""

    def readable(self) -> bool:
        return True

    def readinto(self, _buffer: Any) -> int:
        raise AssertionError("the body was read")


@pytest.mark.parametrize("length", [MOST_FILES * 5_242_880 + FORM_BYTES + 1, 1 << 30])
def test_a_body_too_large_is_refused_by_what_it_declares(
    length: int, member: FlaskClient, tool: Sample
) -> None:
    answer = member.post(
        HAND_IN,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input": Untouched(), "CONTENT_LENGTH": str(length)},
    )
    assert answer.status_code == 413
    assert "request_too_large" in answer.text
    assert not tool.calls


@pytest.mark.parametrize("path", [ATTEST, JUDGE, HAND_IN.replace("evidence", "credentials")])
def test_other_forms_stay_as_small_as_they_were(path: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    fields = {**CSRF, "reason": "x" * FORM_BYTES}
    assert member.post(path, data=fields).status_code in (404, 413)
    assert not tool.calls


def test_a_stranger_sends_nothing(member: FlaskClient, tool: Sample) -> None:
    """Without a session the body is not looked at: whose it is would not be known."""
    answer = member.post(
        HAND_IN.replace("session-1", "session-2"),
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input": Untouched(), "CONTENT_LENGTH": "5000000"},
    )
    assert answer.status_code == 403


def test_what_waits_can_be_taken_back(member: FlaskClient, tool: Sample) -> None:
    tool.submissions.view = lambda *_: EVIDENCE["waiting"]
    shown = member.get(HAND_IN).text
    assert 'value="withdraw"' in shown
    assert 'id="hand-in"' not in shown
    answer = member.post(HAND_IN, data={**CSRF, "action": "withdraw"})
    assert answer.status_code == 303
    assert names(tool) == ["withdraw"]


@pytest.mark.parametrize(
    "code", ["EVIDENCE_WAITING", "EVIDENCE_ACCEPTED", "EVIDENCE_LIMIT_REACHED", "EVIDENCE_JUDGED"]
)
def test_what_changed_meanwhile_is_said(code: str, member: FlaskClient, tool: Sample) -> None:
    def refuse(*_: object) -> None:
        raise Conflict(ErrorCode[code])

    tool.submissions.hand_in = tool.submissions.judge = refuse
    answer = member.post(HAND_IN, data={**CSRF, "text": "mine"})
    assert answer.status_code == 409
    assert code.lower() in answer.text
    tool.launching.view = TEACHER
    assert member.post(JUDGE, data={**CSRF, "action": "accept"}).status_code == 409


def test_more_than_may_be_sent_is_refused_after_the_visit_too(member: FlaskClient, tool: Sample) -> None:
    tool.launching.is_expired = True
    answer = member.post(
        HAND_IN,
        content_type="multipart/form-data; boundary=x",
        environ_overrides={"wsgi.input": Untouched(), "CONTENT_LENGTH": "500000000"},
    )
    assert answer.status_code == 403
    assert "session_expired" in answer.text


def test_what_was_given_back_can_be_accepted_with_its_comment_at_hand(
    member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = TEACHER
    given: list[Judgement] = []
    tool.submissions.submission = lambda *_: JUDGING["returned"]
    tool.submissions.judge = lambda _session, _id, judgement: given.append(judgement)
    page = BeautifulSoup(member.get(JUDGE).text, "html.parser")
    assert page.select_one("button[value=accept]") is not None
    assert page.select_one("button[value=return]") is None
    area, was = page.select_one("#comment"), page.select_one("input[name=was]")
    assert area is not None
    assert was is not None
    assert area.get_text().strip() == JUDGING["returned"].submission.comment
    member.post(JUDGE, data={**CSRF, "action": "accept", "was": str(was["value"])})
    member.post(JUDGE, data={**CSRF, "action": "accept", "was": "submitted"})
    assert [one.was_returned for one in given] == [True, False]


def test_what_was_written_when_the_visit_ended_is_given_back(member: FlaskClient, tool: Sample) -> None:
    tool.launching.is_expired = True
    fields = {"text": "Two hours of work </textarea><script>", "url": "https://example.org"}
    answer = member.post(HAND_IN, data={**CSRF, **fields})
    assert answer.status_code == 403
    area = BeautifulSoup(answer.text, "html.parser").find(id="kept-text")
    assert area is not None
    assert area.get_text().strip() == fields["text"]
    assert not tool.calls
    # Whose token it is not gets the plain refusal.
    assert "kept-text" not in member.post(HAND_IN, data=fields).text


def test_a_strangers_link_is_text_with_its_host_and_gets_no_referrer(
    member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = TEACHER
    tool.submissions.submission = lambda *_: replace(
        JUDGING["usual"], submission=submission(url='https://bücher.example/?a="><script>alert(1)</script>')
    )
    shown = BeautifulSoup(member.get(JUDGE).text, "html.parser")
    link = shown.select_one(".handed-link a")
    assert link is not None
    assert {"noopener", "noreferrer", "nofollow"} <= set(link["rel"])
    assert "xn--bcher-kva.example" in shown.get_text()
    assert not [script for script in shown.find_all("script") if "alert" in script.get_text()]


# -- judging


@pytest.mark.parametrize(
    "fields,judgement",
    [
        ({"action": "accept", "item": ["a", "b"]}, Judgement(True, "", ("a", "b"))),
        ({"action": "return", "comment": "More."}, Judgement(False, "More.", ())),
        ({"action": "nonsense", "comment": "x"}, Judgement(False, "x", ())),
    ],
)
def test_a_judgement_goes_on_and_leads_to_the_next(
    fields: dict[str, Any], judgement: Judgement, member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = GRADER
    answer = member.post(JUDGE, data={**CSRF, **fields})
    assert answer.status_code == 303
    assert answer.location.partition("?")[0] == LISTED
    assert tool.calls[-1][2:] == ("submission-1", judgement)
    tool.submissions.judge = lambda *_: "submission-7"
    answer = member.post(JUDGE, data={**CSRF, **fields})
    assert answer.location.partition("?")[0] == JUDGE.replace("submission-1", "submission-7")


def test_what_may_not_be_judged_has_no_form(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = TEACHER
    tool.submissions.submission = lambda *_: replace(JUDGING["usual"], may_judge=False)
    assert "<form" not in member.get(JUDGE).text


# -- files


@pytest.mark.parametrize(
    "name,media_type,ascii_name",
    [
        ("Shade report.pdf", "application/pdf", "Shade report.pdf"),
        ("Bäume.txt", "text/plain", "B_ume.txt"),
        ('a"; filename=evil.html; x=".png', "image/png", "a__ filename_evil.html_ x__.png"),
    ],
)
def test_a_file_is_a_download_in_which_nothing_runs(
    name: str, media_type: str, ascii_name: str, member: FlaskClient, tool: Sample
) -> None:
    tool.submissions = SimpleNamespace(
        max_file_bytes=9, file=lambda *_: StoredFile(name, media_type, HTML, "learner-1")
    )
    answer = member.get(FILE)
    headers = answer.headers
    assert (answer.status_code, answer.mimetype, answer.data) == (200, media_type, HTML)
    assert headers["Content-Disposition"].startswith(f'attachment; filename="{ascii_name}"; filename*=UTF-8')
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"] == DOWNLOAD_POLICY
    assert "sandbox" in DOWNLOAD_POLICY
    assert "default-src 'none'" in DOWNLOAD_POLICY
    assert headers["Cache-Control"] == "no-store"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in headers


def test_a_file_needs_its_session(member: FlaskClient, tool: Sample) -> None:
    assert member.get(FILE.replace("session-1", "session-2")).status_code == 403
    assert member.get("/evidence/files/file-1").status_code == 404
    tool.launching.is_expired = True
    assert member.get(FILE).status_code == 403


def test_a_learner_has_no_lists(member: FlaskClient, tool: Sample) -> None:
    """The services refuse; the pages say so."""

    def refuse(*_: object, **__: object) -> None:
        raise NotAllowed(ErrorCode.NOT_ALLOWED)

    tool.launching.view = session()
    tool.attesting.learners = tool.attesting.attest = refuse
    tool.submissions.listed = tool.submissions.submission = refuse
    for path in (ATTEST, LISTED, JUDGE):
        assert member.get(path).status_code == 403
    for path in (ATTEST, JUDGE):
        assert member.post(path, data=CSRF).status_code == 403
