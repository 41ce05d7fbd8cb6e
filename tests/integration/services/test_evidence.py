"""What learners hand in: its way through the states, and everybody who must not come near it."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid, ToolError
from lti_tool.services import evidence
from lti_tool.services.evidence import EvidenceProblem, GivenFile, HandIn, Judgement, clean_text, host_of_link
from lti_tool.services.evidence_files import FileProblem
from lti_tool.services.launching import SessionView
from lti_tool.store import tables
from lti_tool.store.submissions import SubmissionFilter
from tests import factories
from tests.integration.services.people import BOTH, LIMIT, LINKS_ONLY, PORTFOLIO, People, people
from tests.integration.services.school import School, session_of
from tests.unit.services.evidence_samples import DOCX, HTML, PDF, SVG, png

ACCEPT = Judgement(is_accepted=True, comment="Well done.", ticked=PORTFOLIO.checklist)
RETURN = Judgement(is_accepted=False, comment="Name your sources.", ticked=PORTFOLIO.checklist[1:])


def states(course: People, number: int = 0) -> list[tuple[int, str]]:
    view = course.submissions.view(course.learner(number), course.placement_id, "portfolio")
    return [(one.number, one.state) for one in view.history]


def codes(caught: pytest.ExceptionInfo[RequestInvalid]) -> list[tuple[str, str, str]]:
    assert caught.value.code is ErrorCode.FORM_INVALID
    troubles: Any = caught.value.params["troubles"]
    return [(one.field, one.code.value, one.name) for one in troubles]


# -- the way of a submission


def test_handed_in_returned_handed_in_again_and_accepted_it_earns_the_badge(school: School) -> None:
    course = people(school, PORTFOLIO)
    first = course.hand_in()
    assert states(course) == [(1, "submitted")]
    course.submissions.judge(course.teacher(), first, RETURN)
    assert states(course) == [(1, "returned")]
    assert course.holders() == set()
    second = course.hand_in(text="My portfolio, with sources")
    assert states(course) == [(2, "submitted"), (1, "returned")]
    course.submissions.judge(course.grader(), second, ACCEPT)
    assert states(course) == [(2, "accepted"), (1, "returned")]
    assert course.holders() == {course.learners[0]}
    assert course.actions() == [
        "submission.handed_in",
        "submission.returned",
        "submission.handed_in",
        "submission.accepted",
    ]
    # What was written stays where it can be erased.
    assert "sources" not in str([event.detail for event in school.rows(tables.AuditEvent)])
    (old,) = (one for one in school.rows(tables.Submission) if one.number == 1)
    assert (old.comment, old.checklist, old.is_latest) == ("Name your sources.", ["Is understandable"], False)


def test_both_people_and_evidence_are_needed_where_both_are_asked(school: School) -> None:
    course = people(school, BOTH)
    course.submissions.judge(course.teacher(), course.hand_in(), ACCEPT)
    assert course.holders() == set()
    course.attest(0, 1)
    assert course.holders() == {course.learners[0]}


def test_taken_back_while_it_waits_another_one_follows(school: School) -> None:
    course = people(school, PORTFOLIO)
    course.hand_in()
    course.submissions.withdraw(course.learner(), course.placement_id, "portfolio")
    assert states(course) == [(1, "withdrawn")]
    listed = course.submissions.listed(course.teacher(), course.placement_id, SubmissionFilter())
    assert (listed.page.rows, listed.waiting) == ((), 0)
    course.hand_in()
    assert states(course) == [(2, "submitted"), (1, "withdrawn")]


def test_one_waits_at_a_time_and_accepted_stays_accepted(school: School) -> None:
    course = people(school, PORTFOLIO)
    first = course.hand_in()
    with pytest.raises(Conflict) as caught:
        course.hand_in(text="again")
    assert caught.value.code is ErrorCode.EVIDENCE_WAITING
    course.submissions.judge(course.teacher(), first, ACCEPT)
    with pytest.raises(Conflict) as caught:
        course.hand_in(text="again")
    assert caught.value.code is ErrorCode.EVIDENCE_ACCEPTED
    for judgement in (RETURN, ACCEPT):
        with pytest.raises(Conflict) as caught:
            course.submissions.judge(course.teacher(), first, judgement)
        assert caught.value.code is ErrorCode.EVIDENCE_JUDGED
    with pytest.raises(Conflict):
        course.submissions.withdraw(course.learner(), course.placement_id, "portfolio")
    assert states(course) == [(1, "accepted")]


def test_what_was_taken_back_meanwhile_is_not_judged(school: School) -> None:
    course = people(school, PORTFOLIO)
    first = course.hand_in()
    course.submissions.withdraw(course.learner(), course.placement_id, "portfolio")
    course.hand_in(text="better")
    with pytest.raises(Conflict):
        course.submissions.judge(course.teacher(), first, ACCEPT)
    assert states(course) == [(2, "submitted"), (1, "withdrawn")]
    assert course.submissions.submission(course.teacher(), first).newer_id is not None


def test_what_was_given_back_is_accepted_by_who_knows_it_and_as_long_as_nothing_followed(
    school: School,
) -> None:
    course = people(school, PORTFOLIO)
    after_all = replace(ACCEPT, was_returned=True)
    first = course.hand_in()
    with pytest.raises(Conflict):
        course.submissions.judge(course.teacher(), first, after_all)
    course.submissions.judge(course.teacher(), first, RETURN)
    for stale in (ACCEPT, RETURN, replace(RETURN, was_returned=True)):
        with pytest.raises(Conflict):
            course.submissions.judge(course.grader(), first, stale)
    own = course.teacher(learner_id=course.learners[0])
    assert not course.submissions.submission(own, first).may_still_accept
    second = course.hand_in(text="better")
    with pytest.raises(Conflict):
        course.submissions.judge(course.teacher(), first, after_all)
    assert not course.submissions.submission(course.teacher(), first).may_still_accept
    course.submissions.judge(course.teacher(), second, RETURN)
    course.submissions.judge(course.teacher(), second, after_all)
    assert states(course) == [(2, "accepted"), (1, "returned")]
    assert course.holders() == {course.learners[0]}


def test_two_who_judge_at_once_are_told_who_was_quicker(school: School) -> None:
    course = people(school, PORTFOLIO)
    first = course.hand_in()
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def judge(judgement: Judgement) -> None:
        together.wait()
        try:
            course.submissions.judge(course.teacher(), first, judgement)
            outcomes.append("kept")
        except Conflict as error:
            outcomes.append(error.code.value)

    threads = [threading.Thread(target=judge, args=(judgement,)) for judgement in (ACCEPT, RETURN)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["evidence_judged", "kept"]


def test_a_form_sent_twice_at_once_is_handed_in_once(school: School) -> None:
    course = people(school, PORTFOLIO)
    together = threading.Barrier(3)
    outcomes: list[str] = []

    def send() -> None:
        together.wait()
        try:
            course.hand_in()
            outcomes.append("kept")
        except Conflict as error:
            outcomes.append(error.code.value)

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["evidence_waiting", "evidence_waiting", "kept"]
    assert states(course) == [(1, "submitted")]
    assert len(school.rows(tables.SubmissionFile)) == 1


def test_files_of_before_are_handed_in_again_without_being_sent(school: School) -> None:
    course = people(school, PORTFOLIO)
    files = (GivenFile("report.pdf", PDF), GivenFile("shot.png", png()))
    first = course.hand_in(files=files)
    course.submissions.judge(course.teacher(), first, RETURN)
    view = course.submissions.view(course.learner(), course.placement_id, "portfolio")
    assert view.latest is not None
    keep = next(file.id for file in view.latest.files if file.name == "shot.png")
    course.hand_in(text="now with sources", kept=(keep,))
    view = course.submissions.view(course.learner(), course.placement_id, "portfolio")
    assert view.latest is not None
    (file,) = view.latest.files
    assert (file.name, file.media_type) == ("shot.png", "image/png")
    assert file.id != keep
    assert course.submissions.file(course.learner(), file.id).content == png()


def test_somebody_elses_files_are_not_handed_in_again(school: School) -> None:
    course = people(school, PORTFOLIO)
    course.hand_in(1)
    (stolen,) = school.rows(tables.SubmissionFile)
    first = course.hand_in(0, text="mine")
    course.submissions.judge(course.teacher(), first, RETURN)
    course.hand_in(0, text="theirs", kept=(stolen.id,))
    assert len(school.rows(tables.SubmissionFile)) == 1


# -- what is not taken


def test_what_is_wrong_is_said_of_each_part_and_nothing_is_kept(school: School) -> None:
    course = people(school, PORTFOLIO)
    files = (
        GivenFile("page.html", HTML),
        GivenFile("drawing.png", SVG),
        GivenFile("large.pdf", PDF + b"x" * LIMIT),
    )
    with pytest.raises(RequestInvalid) as caught:
        course.hand_in(text="x" * 10_001, url="javascript:alert(1)", files=files)
    assert codes(caught) == [
        ("text", EvidenceProblem.TOO_LONG, ""),
        ("url", EvidenceProblem.NOT_A_LINK, ""),
        ("files", FileProblem.TYPE_REFUSED, "page.html"),
        ("files", FileProblem.CONTENT_DIFFERS, "drawing.png"),
        ("files", FileProblem.TOO_LARGE, "large.pdf"),
    ]
    assert not school.rows(tables.Submission)


@pytest.mark.parametrize("given", [{"text": ""}, {"text": " \n\u202e\0 "}, {"url": "  "}])
def test_nothing_is_nothing(given: dict[str, Any], small_school: School) -> None:
    course = people(small_school, PORTFOLIO)
    with pytest.raises(RequestInvalid) as caught:
        course.hand_in(**given)
    assert codes(caught) == [("text", EvidenceProblem.NOTHING, "")]


def test_a_rule_takes_what_it_asks_for_only(small_school: School) -> None:
    course = people(small_school, LINKS_ONLY)
    with pytest.raises(RequestInvalid) as caught:
        course.hand_in(text="words", files=(GivenFile("report.pdf", PDF),))
    assert [(name, code) for name, code, _ in codes(caught)] == [
        ("text", EvidenceProblem.NOT_ACCEPTED),
        ("files", EvidenceProblem.NOT_ACCEPTED),
    ]
    with pytest.raises(RequestInvalid) as caught:
        course.hand_in(text=" ")
    assert codes(caught) == [("url", EvidenceProblem.NOTHING, "")]
    course.hand_in(url="https://example.org/work")


def test_four_files_are_too_many_also_with_those_of_before(small_school: School) -> None:
    course = people(small_school, PORTFOLIO)
    three = tuple(GivenFile(f"{number}.pdf", PDF) for number in range(3))
    with pytest.raises(RequestInvalid) as caught:
        course.hand_in(files=(*three, GivenFile("4.docx", DOCX)))
    assert codes(caught) == [("files", EvidenceProblem.TOO_MANY_FILES, "")]
    course.submissions.judge(course.teacher(), course.hand_in(files=three), RETURN)
    view = course.submissions.view(course.learner(), course.placement_id, "portfolio")
    assert view.latest is not None
    kept = tuple(file.id for file in view.latest.files)
    with pytest.raises(RequestInvalid):
        course.hand_in(files=three[:1], kept=kept)
    course.hand_in(files=three[:1], kept=kept[1:])


def test_a_learner_hands_in_so_often_and_so_much(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = people(small_school, PORTFOLIO)
    monkeypatch.setattr(evidence, "MOST_SUBMISSIONS", 2)
    monkeypatch.setattr(evidence, "MOST_FILE_SIZES", 2)
    large = GivenFile("large.pdf", PDF.replace(b"<<>>", b"<<" + b" " * (LIMIT - 200) + b">>", 1))
    course.submissions.judge(course.teacher(), course.hand_in(files=(large,)), RETURN)
    with pytest.raises(Conflict) as caught:
        course.hand_in(files=(large, large))
    assert caught.value.code is ErrorCode.EVIDENCE_LIMIT_REACHED
    assert states(course) == [(1, "returned")]
    course.submissions.judge(course.teacher(), course.hand_in(text="words"), RETURN)
    with pytest.raises(Conflict) as caught:
        course.hand_in(text="words")
    assert caught.value.code is ErrorCode.EVIDENCE_LIMIT_REACHED
    assert course.hand_in(1, text="another learner's")
    # The way out that the page names.
    last = course.submissions.view(course.learner(), course.placement_id, "portfolio").history[0]
    assert course.submissions.submission(course.teacher(), last.id).may_still_accept
    course.submissions.judge(course.teacher(), last.id, replace(ACCEPT, was_returned=True))
    assert states(course) == [(2, "accepted"), (1, "returned")]


def test_what_was_taken_back_uses_nothing_up(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looked at it: a learner who wavers must still be able to hand in."""
    course = people(school, PORTFOLIO)
    monkeypatch.setattr(evidence, "MOST_SUBMISSIONS", 2)
    monkeypatch.setattr(evidence, "MOST_FILE_SIZES", 2)
    large = GivenFile("large.pdf", PDF.replace(b"<<>>", b"<<" + b" " * (LIMIT - 200) + b">>", 1))
    course.submissions.judge(course.teacher(), course.hand_in(text="a first one"), RETURN)
    for _ in range(4):
        course.hand_in(files=(large,))
        course.submissions.withdraw(course.learner(), course.placement_id, "portfolio")
    assert states(course) == [(5, "withdrawn"), (4, "withdrawn"), (1, "returned")], "the others are gone"
    assert len(school.rows(tables.SubmissionFile)) == 2
    view = course.submissions.view(course.learner(), course.placement_id, "portfolio")
    assert view.latest is not None
    course.hand_in(text="this one", kept=tuple(file.id for file in view.latest.files))
    assert states(course) == [(6, "submitted"), (5, "withdrawn"), (1, "returned")]
    assert len(school.rows(tables.SubmissionFile)) == 2
    latest = course.submissions.view(course.learner(), course.placement_id, "portfolio").history[0]
    course.submissions.judge(course.teacher(), latest.id, RETURN)
    with pytest.raises(Conflict) as caught:
        course.hand_in(text="one more than is kept")
    assert caught.value.code is ErrorCode.EVIDENCE_LIMIT_REACHED


def test_what_others_took_back_stays(school: School) -> None:
    course = people(school, PORTFOLIO)
    for _ in range(2):
        course.hand_in(1)
        course.submissions.withdraw(course.learner(1), course.placement_id, "portfolio")
    for _ in range(3):
        course.hand_in()
        course.submissions.withdraw(course.learner(), course.placement_id, "portfolio")
    assert len(school.rows(tables.Submission, tables.Submission.learner_id == course.learners[1])) == 2


def test_texts_are_kept_without_what_nobody_sees() -> None:
    assert clean_text(" a\r\nb\x0bc\u2028d\0\x1b\u202ee\u2066f\t ") == "a\nb\nc\nde" + "f"
    assert (
        clean_text("שלום עולם \u200f\U0001f469\u200d\U0001f52c")
        == "שלום עולם \u200f\U0001f469\u200d\U0001f52c"
    )


@pytest.mark.parametrize(
    "url,host",
    [
        ("https://example.org/a?b=c#d", "example.org"),
        ("HTTP://Example.org:8080", "example.org"),
        ("https://bücher.example/", "xn--bcher-kva.example"),
        ("https://[2001:db8::1]/", "2001:db8::1"),
        ("javascript:alert(1)", None),
        ("JavaScript://example.org/%0aalert(1)", None),
        ("data:text/html,<script>", None),
        ("file:///etc/passwd", None),
        ("//example.org", None),
        ("example.org", None),
        ("https://", None),
        ("https://bank.example@evil.example/", None),
        ("https:\\\\evil.example", None),
        ("https://evil.example/\u202egpj.exe", None),
        ("https://ex ample.org", None),
        ("https://example.org/\n", None),
        ("java\nscript:alert(1)", None),
        ("https://example.org:99999/", None),
        ("https://" + "a." * 1000 + "example", None),
    ],
)
def test_links_lead_to_web_pages(url: str, host: str | None) -> None:
    assert host_of_link(url) == host


# -- judging


def test_accepting_needs_every_item_and_returning_a_comment(small_school: School) -> None:
    course = people(small_school, PORTFOLIO)
    first = course.hand_in()
    with pytest.raises(RequestInvalid) as caught:
        course.submissions.judge(
            course.teacher(), first, replace(ACCEPT, ticked=("Is understandable", "Forged"))
        )
    assert codes(caught) == [("item-0", EvidenceProblem.ITEMS_OPEN, "")]
    assert caught.value.params["troubles"][0].items == ("Names its sources",)  # type: ignore[index]
    with pytest.raises(RequestInvalid) as caught:
        course.submissions.judge(course.teacher(), first, replace(RETURN, comment=" \0"))
    assert codes(caught) == [("comment", EvidenceProblem.COMMENT_MISSING, "")]
    with pytest.raises(RequestInvalid) as caught:
        course.submissions.judge(course.teacher(), first, replace(ACCEPT, comment="x" * 2001))
    assert codes(caught) == [("comment", EvidenceProblem.TOO_LONG, "")]
    assert states(course) == [(1, "submitted")]


def test_what_waits_comes_first_the_longest_waiting_before_the_others(school: School) -> None:
    course = people(school, PORTFOLIO, learners=5)
    ids = []
    for number in range(5):
        ids.append(course.hand_in(number))
        school.clock.forward(minutes=1)
    for number, judgement in ((0, ACCEPT), (3, RETURN)):
        assert course.submissions.judge(course.teacher(), ids[number], judgement) == ids[1]
        school.clock.forward(minutes=1)

    def listed(**more: Any) -> list[int]:
        wanted = SubmissionFilter(more.pop("query", ""), more.pop("state", None))
        view = course.submissions.listed(course.grader(), course.placement_id, wanted, **more)
        return [ids.index(row.id) for row in view.page.rows]

    assert listed() == [1, 2, 4, 3, 0]
    assert listed(per_page=2) == [1, 2]
    assert listed(per_page=2, page=2) == [4, 3]
    assert listed(per_page=2, page=9) == [0]
    assert listed(state="returned") == [3]
    school.change(tables.Learner, tables.Learner.id == course.learners[2], name="Øyvind 100%")
    assert listed(query="øyv") == listed(query="100%") == [2]
    assert course.submissions.waiting(course.teacher(), [course.placement_id]) == {course.placement_id: 3}


# -- who must not


def refused(call: Any, error: type[ToolError], code: ErrorCode) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.code is code


def test_only_learners_who_act_as_themselves_hand_in(school: School) -> None:
    course, other = people(school, PORTFOLIO), people(school, PORTFOLIO)
    beside = factories.courses_beside(school.database, course.course, 1)[0]

    def tries(by: SessionView, error: type[ToolError], code: ErrorCode, key: str = "portfolio") -> None:
        for call in (
            lambda: course.submissions.hand_in(by, course.placement_id, key, HandIn("mine")),
            lambda: course.submissions.withdraw(by, course.placement_id, key),
        ):
            refused(call, error, code)

    tries(course.teacher(), NotAllowed, ErrorCode.NOT_ALLOWED)
    tries(course.learner(is_read_only=True), NotAllowed, ErrorCode.NOT_ALLOWED)
    tries(course.learner(is_learner=False), NotAllowed, ErrorCode.NOT_ALLOWED)
    tries(other.learner(), NotFound, ErrorCode.PLACEMENT_NOT_FOUND)
    tries(session_of(beside, course.learners[0]), NotFound, ErrorCode.PLACEMENT_NOT_FOUND)
    tries(course.learner(context_id=None), NotFound, ErrorCode.PLACEMENT_NOT_FOUND)
    tries(course.learner(), NotFound, ErrorCode.EVIDENCE_NOT_FOUND, key="talk")
    assert not school.rows(tables.Submission)


def test_nothing_is_handed_in_for_a_draft(small_school: School) -> None:
    course = people(small_school, PORTFOLIO, status="draft")
    view = course.submissions.view(course.learner(), course.placement_id, "portfolio")
    assert (view.is_draft, view.may_hand_in) == (True, False)
    refused(course.hand_in, NotFound, ErrorCode.PLACEMENT_NOT_FOUND)


def test_only_those_who_teach_here_and_act_as_themselves_look_and_judge(school: School) -> None:
    course, other = people(school, PORTFOLIO), people(school, PORTFOLIO)
    beside = factories.courses_beside(school.database, course.course, 1)[0]
    first = course.hand_in()
    staff = {"can_view_progress": True, "can_configure": True, "is_learner": False}
    neighbour = session_of(beside, course.teacher_id, **staff)
    forged = replace(other.teacher(), context_id=course.course.context_id)
    for by, code in (
        (course.learner(), ErrorCode.NOT_ALLOWED),
        (course.learner(1), ErrorCode.NOT_ALLOWED),
        (other.teacher(), ErrorCode.EVIDENCE_NOT_FOUND),
        (forged, ErrorCode.EVIDENCE_NOT_FOUND),
        (neighbour, ErrorCode.EVIDENCE_NOT_FOUND),
    ):
        error = NotAllowed if code is ErrorCode.NOT_ALLOWED else NotFound
        refused(lambda by=by: course.submissions.judge(by, first, ACCEPT), error, code)
        refused(lambda by=by: course.submissions.submission(by, first), error, code)
    for by in (course.teacher(is_read_only=True), course.teacher(learner_id=course.learners[0])):
        refused(lambda by=by: course.submissions.judge(by, first, ACCEPT), NotAllowed, ErrorCode.NOT_ALLOWED)
        assert not course.submissions.submission(by, first).may_judge
    wanted = SubmissionFilter()
    refused(
        lambda: course.submissions.listed(course.learner(), course.placement_id, wanted),
        NotAllowed,
        ErrorCode.NOT_ALLOWED,
    )
    refused(
        lambda: course.submissions.listed(neighbour, course.placement_id, wanted),
        NotFound,
        ErrorCode.PLACEMENT_NOT_FOUND,
    )
    refused(lambda: course.submissions.waiting(course.learner(), []), NotAllowed, ErrorCode.NOT_ALLOWED)
    assert course.submissions.waiting(neighbour, [course.placement_id]) == {course.placement_id: 0}
    assert states(course) == [(1, "submitted")]


def test_a_file_is_its_learners_and_that_of_those_who_teach_the_course(school: School) -> None:
    course, other = people(school, PORTFOLIO), people(school, PORTFOLIO)
    course.hand_in()
    (file,) = school.rows(tables.SubmissionFile)
    beside = factories.courses_beside(school.database, course.course, 1)[0]
    for by in (course.learner(), course.teacher(), course.grader(), course.teacher(is_read_only=True)):
        found = course.submissions.file(by, file.id)
        assert (found.name, found.media_type, found.content) == ("report.pdf", "application/pdf", PDF)
    strangers = (
        course.learner(1),
        other.teacher(),
        other.learner(),
        replace(other.teacher(), context_id=course.course.context_id),
        session_of(beside, course.teacher_id, can_view_progress=True),
        session_of(beside, course.learners[0]),
        course.learner(context_id=None),
    )
    for by in strangers:
        refused(lambda by=by: course.submissions.file(by, file.id), NotFound, ErrorCode.EVIDENCE_NOT_FOUND)
    refused(
        lambda: course.submissions.file(course.teacher(), "nothing"), NotFound, ErrorCode.EVIDENCE_NOT_FOUND
    )


def test_one_learner_sees_nothing_of_anothers(school: School) -> None:
    course = people(school, PORTFOLIO)
    course.hand_in(0)
    assert course.submissions.view(course.learner(1), course.placement_id, "portfolio").history == ()
    assert course.submissions.view(course.teacher(), course.placement_id, "portfolio").history == ()


def test_erasing_a_learner_takes_what_was_handed_in_along(school: School) -> None:
    course = people(school, PORTFOLIO)
    course.hand_in()
    with school.database.write() as session:
        learner = session.get_one(tables.Learner, course.learners[0])
        session.delete(learner)
    assert not school.rows(tables.Submission)
    assert not school.rows(tables.SubmissionFile)


def test_the_list_costs_as_many_statements_for_many_as_for_few(small_school: School) -> None:
    costs = []
    for learners in (1, 12):
        course = people(small_school, PORTFOLIO, learners=learners)
        for number in range(learners):
            course.hand_in(number)
        with small_school.database.statements() as statements:
            course.submissions.listed(course.teacher(), course.placement_id, SubmissionFilter())
        assert not any("submission_files.content" in one for one in statements), "no list reads files"
        costs.append(len(statements))
    assert costs[0] == costs[1] <= 8
