"""Pages of evidence that people decide over: confirming by hand, handing in, judging, and the files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, cast
from urllib.parse import quote

from flask import Response, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, NotAllowed, RequestInvalid
from lti_tool.services import evidence
from lti_tool.services.attesting import REASON_LENGTH
from lti_tool.services.evidence import GivenFile, HandIn, Judgement, Trouble
from lti_tool.services.evidence_files import endings
from lti_tool.services.form_problems import Problem
from lti_tool.store import attestations, submissions
from lti_tool.store.attestations import LearnerFilter
from lti_tool.store.submissions import SubmissionFilter
from lti_tool.web.errors import answer_tool_error
from lti_tool.web.people_words import trouble_sentence
from lti_tool.web.session import SessionBlueprint, current_session, current_tool, expired_session
from lti_tool.web.wording import problem_sentence

blueprint = SessionBlueprint("people", __name__)

PER_PAGE = 50
QUERY_LENGTH = 200
FORM_BYTES = 512 * 1024
"""Of a form beside its files."""
DOWNLOAD_POLICY = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""Of a stranger's file: should a browser show it after all, nothing in it runs or loads."""


@blueprint.url_value_preprocessor
def _take_files(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let this one form be as large as its files; the limit stands before the CSRF token is looked for."""
    if endpoint == f"{blueprint.name}.{submit.__name__}" and request.method == "POST":
        most = current_tool().submissions.max_file_bytes
        request.max_content_length = evidence.MOST_FILES * most + FORM_BYTES


@dataclass(frozen=True, slots=True)
class Sent:
    """A form as it was sent, with a sentence for each field that has a problem."""

    values: Mapping[str, str] = field(default_factory=dict)
    chosen: frozenset[str] = frozenset()
    """What was ticked."""
    sentences: Mapping[str, str] = field(default_factory=dict)
    focus: str = ""

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")


# -- confirming by hand


@blueprint.page("/course/placements/<placement_id>/attest/<key>", methods=["GET"])
def attest(placement_id: str, key: str) -> str:
    """The learners of the course, to be chosen; ``?chosen=page`` ticks everybody on this page."""
    return _attest_page(placement_id, key, Sent(), chooses_all=request.args.get("chosen") == "page")


def _attest_page(placement_id: str, key: str, form: Sent, *, chooses_all: bool = False) -> str:
    wanted = _wanted_learners()
    view = current_tool().attesting.learners(
        current_session(), placement_id, key, wanted, page=_number_of_page(), per_page=PER_PAGE
    )
    return render_template(
        "pages/people/attest.html", view=view, form=form, chooses_all=chooses_all, most=REASON_LENGTH
    )


def _wanted_learners() -> LearnerFilter:
    state = request.args.get("state", "")
    return LearnerFilter(
        query=request.args.get("q", "").strip()[:QUERY_LENGTH],
        state=state if state in attestations.STATES else None,
    )


@blueprint.page("/course/placements/<placement_id>/attest/<key>", methods=["POST"])
def confirm(placement_id: str, key: str) -> AnyResponse:
    """Confirm the chosen, or take it back."""
    chosen = request.form.getlist("learner_id")
    reason = request.form.get("reason", "")
    is_attested = request.form.get("action") != "withdraw"
    try:
        count = current_tool().attesting.attest(
            current_session(), placement_id, key, chosen, reason, is_attested=is_attested
        )
    except RequestInvalid as error:
        sentences: dict[str, str] = {}
        for problem in cast("tuple[Problem, ...]", error.params.get("problems", ())):
            is_nobody = problem.field == "learner_id" and problem.code == "required"
            sentence = problem_sentence(problem.code, dict(problem.params))
            sentences.setdefault(
                problem.field, gettext("Choose at least one learner.") if is_nobody else sentence
            )
        form = Sent({"reason": reason}, frozenset(chosen), sentences)
        return make_response(_attest_page(placement_id, key, form), 422)
    wanted = _wanted_learners()
    page = url_for(
        "people.attest",
        placement_id=placement_id,
        key=key,
        q=wanted.query or None,
        state=wanted.state,
        page=_number_of_page(),
        done="attested" if is_attested else "unattested",
        count=count,
    )
    return redirect(page, 303)


@blueprint.page("/course/placements/<placement_id>/attest/<key>/column", methods=["POST"])
def make_column(placement_id: str, key: str) -> AnyResponse:
    """Make the gradebook column in which full points count as well."""
    current_tool().attesting.make_column(current_session(), placement_id, key)
    return redirect(url_for("people.attest", placement_id=placement_id, key=key, _anchor="column"), 303)


# -- handing in


@blueprint.page("/evidence/<placement_id>/<key>", methods=["GET"])
def hand_in(placement_id: str, key: str) -> str:
    """What is asked for, the form, and what was handed in before."""
    view = current_tool().submissions.view(current_session(), placement_id, key)
    form = Sent()
    if view.may_hand_in and view.latest is not None:
        latest = view.latest
        chosen = frozenset(file.id for file in latest.files)
        form = Sent({"text": latest.text, "url": latest.url}, chosen)
    return _evidence_page(view, form)


def _evidence_page(view: evidence.EvidenceView, form: Sent) -> str:
    return render_template(
        "pages/people/evidence.html",
        view=view,
        form=form,
        limits={"text": evidence.TEXT_LENGTH, "url": evidence.URL_LENGTH, "files": evidence.MOST_FILES},
        accepted_endings=",".join(f".{ending}" for ending in endings()),
    )


@blueprint.page("/evidence/<placement_id>/<key>", methods=["POST"])
def submit(placement_id: str, key: str) -> AnyResponse:
    """Hand in, or take back what waits."""
    service, session = current_tool().submissions, current_session()
    if request.form.get("action") == "withdraw":
        service.withdraw(session, placement_id, key)
        return redirect(_back("withdrawn", placement_id, key), 303)
    given = HandIn(
        request.form.get("text", ""),
        request.form.get("url", ""),
        _files(service.max_file_bytes),
        tuple(request.form.getlist("keep")),
    )
    try:
        service.hand_in(session, placement_id, key, given)
    except RequestInvalid as error:
        sentences = _sentences(error, service.max_file_bytes)
        form = Sent({"text": given.text, "url": given.url}, frozenset(given.kept), sentences)
        return make_response(_evidence_page(service.view(session, placement_id, key), form), 422)
    return redirect(_back("handed-in", placement_id, key), 303)


def _back(done: str, placement_id: str, key: str) -> str:
    return url_for("people.hand_in", placement_id=placement_id, key=key, done=done)


def _files(max_bytes: int) -> tuple[GivenFile, ...]:
    """What was attached; of more files than may be, and of more bytes than a file may have, one more is read
    to tell. An empty field of a form comes as a file without a name.
    """
    attached = (file for file in request.files.getlist("files") if file.filename)
    return tuple(
        GivenFile(file.filename or "", file.stream.read(max_bytes + 1))
        for file in islice(attached, evidence.MOST_FILES + 1)
    )


def _sentences(error: RequestInvalid, max_file_bytes: int) -> dict[str, str]:
    """A sentence for each field; several files may each have a problem of its own."""
    found: dict[str, str] = {}
    for trouble in cast("tuple[Trouble, ...]", error.params.get("troubles", ())):
        sentence = trouble_sentence(trouble, max_file_bytes)
        before = found.get(trouble.field)
        found[trouble.field] = f"{before}\n{sentence}" if before and trouble.name else before or sentence
    return found


@blueprint.errorhandler(NotAllowed)
def keep_what_was_typed(error: NotAllowed) -> AnyResponse:
    """Whoever hands in when the session is over gets back what they wrote, to take it along."""
    if error.code is ErrorCode.SESSION_EXPIRED and request.endpoint == f"{blueprint.name}.{submit.__name__}":
        try:
            text, url = request.form.get("text", ""), request.form.get("url", "")
        except RequestEntityTooLarge:
            return answer_tool_error(error)
        if expired_session() is not None and (text or url):
            page = render_template("pages/people/kept.html", text=text[: 2 * evidence.TEXT_LENGTH], url=url)
            return make_response(page, 403)
    return answer_tool_error(error)


# -- judging


@blueprint.page("/course/placements/<placement_id>/submissions", methods=["GET"], endpoint="submissions")
def show_submissions(placement_id: str) -> str:
    """What was handed in, what waits for a person first."""
    state = request.args.get("state", "")
    wanted = SubmissionFilter(
        query=request.args.get("q", "").strip()[:QUERY_LENGTH],
        state=state if state in submissions.STATES else None,
    )
    view = current_tool().submissions.listed(
        current_session(), placement_id, wanted, page=_number_of_page(), per_page=PER_PAGE
    )
    return render_template("pages/people/submissions.html", view=view)


@blueprint.page("/course/submissions/<submission_id>", methods=["GET"])
def submission(submission_id: str) -> str:
    """One submission, with the form that judges it."""
    view = current_tool().submissions.submission(current_session(), submission_id)
    # Who accepts after all decides about the words of before, too.
    return _submission_page(view, Sent({"comment": view.submission.comment} if view.may_still_accept else {}))


def _submission_page(view: evidence.JudgeView, form: Sent) -> str:
    return render_template("pages/people/submission.html", view=view, form=form, most=evidence.COMMENT_LENGTH)


@blueprint.page("/course/submissions/<submission_id>", methods=["POST"])
def judge(submission_id: str) -> AnyResponse:
    """Accept it, or give it back; then on to what waits longest."""
    service, session = current_tool().submissions, current_session()
    judgement = Judgement(
        request.form.get("action") == "accept",
        request.form.get("comment", ""),
        tuple(request.form.getlist("item")),
        was_returned=request.form.get("was") == submissions.RETURNED,
    )
    view = service.submission(session, submission_id)
    try:
        next_id = service.judge(session, submission_id, judgement)
    except RequestInvalid as error:
        sentences = _sentences(error, service.max_file_bytes)
        form = Sent({"comment": judgement.comment}, frozenset(judgement.ticked), sentences)
        return make_response(_submission_page(view, form), 422)
    done = "accepted" if judgement.is_accepted else "returned"
    if next_id is not None:
        return redirect(url_for("people.submission", submission_id=next_id, done=done), 303)
    back = url_for("people.submissions", placement_id=view.placement.id, done=done)
    return redirect(back, 303)


# -- files


@blueprint.page("/evidence/files/<file_id>", methods=["GET"])
def download(file_id: str) -> Response:
    """A file, always as a download: what a stranger sent is shown by no page of ours."""
    found = current_tool().submissions.file(current_session(), file_id)
    response = make_response(found.content)
    response.mimetype = found.media_type
    plain = "".join(one if one.isascii() and (one.isalnum() or one in "-_. ") else "_" for one in found.name)
    response.headers["Content-Disposition"] = (
        f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(found.name, safe='')}"
    )
    response.headers["Content-Security-Policy"] = DOWNLOAD_POLICY
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _number_of_page() -> int:
    return max(1, request.args.get("page", 1, type=int))
