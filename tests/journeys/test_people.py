"""Evidence that people decide over: attested, handed in and judged, in Moodle and in Canvas (S6 S9)."""

from __future__ import annotations

import pytest
from bs4 import BeautifulSoup

from tests.factories import rule_fields
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.simulator.browser import Form, Page, Value
from tests.simulator.client import Person
from tests.simulator.lms import Activity, User
from tests.unit.services.evidence_samples import HTML, PDF

TALK = {"kind": "attested", "label": "Gave a talk"}
PORTFOLIO = {
    "kind": "evidence",
    "label": "Portfolio",
    "instructions": "Show what you did.",
    "checklist": "Names its sources\nIs understandable",
    "text": "on",
    "link": "on",
    "file": "on",
}
TICKED = ["Names its sources", "Is understandable"]


def placed(campus: Campus, **rule: str) -> Activity:
    """A published badge for one rule that people decide over."""
    badge = campus.place_badge(**rule_fields(0, **rule))
    campus.browser(campus.teacher).launch(badge.id)
    campus.publish(badge)
    return badge


def known(campus: Campus, badge: Activity, *names: str) -> None:
    """Learners who opened the activity once: they learn here, and are listed."""
    for name in names:
        campus.open_wallet(name, badge)


def opened(campus: Campus, badge: Activity, user: User, *links: str) -> tuple[Person, Page]:
    """The page behind some links of the activity."""
    person = campus.browser(user)
    page = person.launch(badge.id)
    for link in links:
        page = person.follow(page, link)
    return person, page


def values_of(page: Page, *names: str) -> list[str]:
    """What the checkboxes of these learners send."""
    soup: BeautifulSoup = page.soup
    found = []
    for name in names:
        label = next(label for label in soup.find_all("label") if name in label.get_text())
        found.append(str(soup.find(id=str(label["for"]))["value"]))  # type: ignore[index]
    return found


def attest(
    campus: Campus, badge: Activity, by: User, *names: str, button: str = "Confirm for the chosen"
) -> Page:
    teacher, page = opened(campus, badge, by, "/attest/")
    chosen: dict[str, Value | None] = {
        "learner_id": list(values_of(page, *names)),
        "reason": "gave the talk on 3 May",
    }
    return teacher.submit(page, chosen, form=post_form(page), button=button)


def post_form(page: Page) -> Form:
    """The form that confirms; the first one searches."""
    return next(form for form in page.forms if form.method == "POST" and "/attest/" in form.action)


# -- attested


def test_one_who_is_attested_has_the_badge_and_nobody_else(campus: Campus) -> None:
    badge = placed(campus, **TALK)
    known(campus, badge, "ada", "bob")

    page = attest(campus, badge, campus.teacher, "Ada")

    assert "1 learner confirmed" in page.words
    assert "gave the talk on 3 May" in page.words
    assert campus.holders() == ["Ada Learner"]
    assert credential_of(campus.open_wallet("ada", badge))
    bob = campus.open_wallet("bob", badge)
    assert "sharing" not in str(bob.soup)
    assert "3 May" not in bob.words, "a reason is for those who teach"


def test_many_are_attested_at_once_by_a_teacher_who_may_not_edit(campus: Campus) -> None:
    badge = placed(campus, **TALK)
    names = ("ada", "bob", "cleo")
    known(campus, badge, *names)
    tutor, page = opened(campus, badge, campus.tutor, "/attest/")
    assert "Noel" not in [label.get_text() for label in page.soup.find_all("label")]

    page = tutor.follow(page, "Choose everybody on this page")
    page = tutor.submit(
        page, {"reason": "all of them spoke"}, form=post_form(page), button="Confirm for the chosen"
    )

    assert "3 learners confirmed" in page.words
    assert campus.holders() == ["Ada Learner", "Bob Learner", "Cleo Learner"]


def test_a_word_taken_back_takes_no_badge_and_is_needed_again_by_the_next(campus: Campus) -> None:
    badge = placed(campus, **TALK)
    known(campus, badge, "ada")
    attest(campus, badge, campus.teacher, "Ada")

    page = attest(campus, badge, campus.teacher, "Ada", button="Take back for the chosen")

    assert "Taken back for 1 learner" in page.words
    assert "0 of 1 learners confirmed" in page.words
    assert campus.holders() == ["Ada Learner"]


def test_before_it_is_published_a_word_is_kept_and_awards_nothing(campus: Campus) -> None:
    badge = campus.place_badge(**rule_fields(0, **TALK))
    campus.browser(campus.teacher).launch(badge.id)
    known(campus, badge, "ada")

    page = attest(campus, badge, campus.teacher, "Ada")
    assert "not published yet" in page.words
    assert campus.holders() == []

    campus.publish(badge)
    campus.run_jobs()
    assert campus.holders() == ["Ada Learner"]


def test_full_points_in_the_gradebook_are_a_word_too(campus: Campus) -> None:
    badge = placed(campus, **TALK)
    known(campus, badge, "ada", "bob")
    teacher, page = opened(campus, badge, campus.teacher, "/attest/")
    assert "It counts towards the" in page.words, "what it does to the total is told first"

    page = teacher.submit(page, form="/column")
    assert "Full points (1 of 1)" in page.words
    (column,) = campus.evidence()
    assert column.service is not None
    assert (column.service.tag, column.maximum) == ("attest", 1)
    campus.read_now()
    campus.lms.set_grade(campus.learner("ada"), column, 1)
    campus.lms.set_grade(campus.learner("bob"), column, 0.5)
    campus.clock.move(minutes=5)
    campus.read_now()

    assert campus.holders() == ["Ada Learner"]
    _, page = opened(campus, badge, campus.teacher, "/attest/")
    # Moodle's roster lists the tutor among the learners.
    assert "1 of 3 learners confirmed" in page.words or "1 of 2 learners confirmed" in page.words
    assert "in the gradebook" in page.words


# -- handed in


def hand_in(person: Person, page: Page, text: str, name: str = "report.pdf", content: bytes = PDF) -> Page:
    files = {"files": (name, content, "application/pdf")}
    return person.submit(page, {"text": text}, form="/evidence/", files=files, button="Hand in")


def judge(campus: Campus, badge: Activity, by: User, button: str, **fields: str | list[str]) -> Page:
    teacher, page = opened(campus, badge, by, "/submissions")
    page = teacher.follow(page, "/course/submissions/")
    return teacher.submit(page, fields, form="/course/submissions/", button=button)


def test_evidence_is_given_back_handed_in_again_and_accepted(campus: Campus) -> None:
    badge = placed(campus, **PORTFOLIO)
    ada, page = opened(campus, badge, campus.learner("ada"), "/evidence/")
    assert "Show what you did." in page.words

    page = hand_in(ada, page, "My portfolio", "page.pdf", HTML)
    assert page.status == 422
    assert "not what its name says" in page.words
    assert page.form("/evidence/").fields["text"] == "My portfolio", "nothing that was typed is lost"
    page = hand_in(ada, page, "My portfolio")
    assert "Waits for a teacher" in page.words
    assert "waits" in opened(campus, badge, campus.teacher)[1].words

    page = judge(campus, badge, campus.teacher, "Give back", comment="Please name your sources.")
    assert "Given back. The learner reads your comment." in page.words
    assert campus.holders() == []

    ada, page = opened(campus, badge, campus.learner("ada"), "/evidence/")
    assert "Please name your sources." in page.words
    assert page.form("/evidence/").fields["text"] == "My portfolio"
    assert "keep" in page.form("/evidence/").fields, "the file need not be sent again"
    page = ada.submit(page, {"text": "My portfolio, with sources"}, form="/evidence/", button="Hand in")
    assert "Handed in. A teacher looks at it next." in page.words

    page = judge(campus, badge, campus.tutor, "Accept", item=TICKED[:1])
    assert page.status == 422
    assert "Not ticked: Is understandable" in page.words
    page = judge(campus, badge, campus.tutor, "Accept", item=TICKED, comment="Well done.")
    assert "Accepted. The learner sees it." in page.words

    assert campus.holders() == ["Ada Learner"]
    assert credential_of(campus.open_wallet("ada", badge))


def test_a_file_reaches_its_learner_and_those_who_teach_and_nobody_else(campus: Campus) -> None:
    badge = placed(campus, **PORTFOLIO)
    ada, page = opened(campus, badge, campus.learner("ada"), "/evidence/")
    page = hand_in(ada, page, "", "../../Über mich.pdf")
    url = page.link("Über mich.pdf")

    own = ada.get(url, page=page)
    assert (own.status, own.body) == (200, PDF)
    assert own.headers["Content-Disposition"].startswith("attachment;")
    assert "sandbox" in own.headers["Content-Security-Policy"]
    assert own.headers["X-Content-Type-Options"] == "nosniff"

    teacher, page = opened(campus, badge, campus.teacher, "/submissions", "/course/submissions/")
    assert teacher.get(page.link("Über mich.pdf"), page=page).body == PDF

    tail = url.partition("/evidence/files/")[2]
    for user in (campus.learner("bob"),):
        person, page = opened(campus, badge, user, "/evidence/")
        stolen = person.get(page.url.partition("/evidence/")[0] + f"/evidence/files/{tail}", page=page)
        assert stolen.status == 404
        assert PDF not in stolen.body
    stranger = campus.app.test_client().get(f"/evidence/files/{tail}", base_url=TOOL_URL)
    assert stranger.status_code == 404


def test_staff_of_another_course_and_another_organisation_see_and_judge_nothing(campus: Campus) -> None:
    badge = placed(campus, **PORTFOLIO)
    ada, page = opened(campus, badge, campus.learner("ada"), "/evidence/")
    hand_in(ada, page, "My portfolio")
    _, page = opened(campus, badge, campus.teacher, "/submissions", "/course/submissions/")
    tail = page.url.partition("/course/submissions/")[2]
    placement = next(form for form in page.forms if "/course/submissions/" in form.action)

    assert campus.neighbour is not None
    theirs = placed(campus.neighbour, **PORTFOLIO)
    other, page = opened(campus.neighbour, theirs, campus.neighbour.teacher)
    base = page.url.partition("/course")[0]
    assert other.get(f"{base}/course/submissions/{tail}", page=page).status == 404
    own = next(form for form in page.forms if form.method == "POST")
    forged = Form(
        f"{base}/course/submissions/{tail}",
        "POST",
        "",
        "",
        placement.encoding,
        {"csrf_token": own.fields["csrf_token"], "action": "accept", "item": TICKED},
        (),
    )
    assert other.submit(page, form=forged).status == 404
    assert campus.holders() == []


def test_a_learner_calls_what_is_for_those_who_teach(campus: Campus) -> None:
    badge = placed(campus, **TALK)
    known(campus, badge, "ada", "bob")
    _, page = opened(campus, badge, campus.teacher, "/attest/")
    (ada_id,) = values_of(page, "Ada")
    path = page.url.partition("/course/")[2].partition("?")[0]

    ada, wallet = opened(campus, badge, campus.learner("ada"))
    base = wallet.url.partition("/wallet")[0]
    assert ada.get(f"{base}/course/{path}", page=wallet).status == 403
    # Her own CSRF token, from a form of her own.
    token = next(
        (str(field["value"]) for field in wallet.soup.find_all("input", attrs={"name": "csrf_token"})), ""
    )
    fields = {"csrf_token": token, "learner_id": ada_id, "reason": "I did", "action": "confirm"}
    forged = Form(
        f"{base}/course/{path}", "POST", "", "", "application/x-www-form-urlencoded", {**fields}, ()
    )
    assert ada.submit(wallet, form=forged).status in (400, 403)
    assert campus.holders() == []


def test_who_only_looks_as_somebody_else_hands_nothing_in(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = placed(campus, **PORTFOLIO)
    known(campus, badge, "ada")
    # A teacher on the learner's page: shown, with nothing to send.
    teacher, page = opened(campus, badge, campus.teacher)
    placement_id = page.text.partition('id="placement-')[2].partition('"')[0]
    base = page.url.partition("/course")[0]
    _, learners = opened(campus, badge, campus.learner("ada"), "/evidence/")
    tail = learners.url.partition("/evidence/")[2]
    assert placement_id in tail
    shown = teacher.get(f"{base}/evidence/{tail}", page=page)
    assert "This is what learners see." in shown.words
    assert not [form for form in shown.forms if "/evidence/" in form.action]
    token = next(str(form.fields["csrf_token"]) for form in page.forms if "csrf_token" in form.fields)
    forged = Form(f"{base}/evidence/{tail}", "POST", "", "", "", {"csrf_token": token, "text": "mine"}, ())
    assert teacher.submit(page, form=forged).status == 403


@pytest.mark.parametrize("cookies", ["partitioned_only", "none"])
def test_it_works_with_and_without_cookies(cookies: str, sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = placed(campus, **PORTFOLIO)
    # Moodle has no platform storage: without any cookie its learners open a window.
    in_frame = cookies != "none" or campus.product == "canvas"
    ada = campus.browser(campus.learner("ada"), cookies=cookies, in_frame=in_frame)  # type: ignore[arg-type]
    page = ada.follow(ada.launch(badge.id), "/evidence/")
    page = hand_in(ada, page, "My portfolio")
    assert "Waits for a teacher" in page.words
    if "/s/" in page.url:
        assert page.headers["Referrer-Policy"] == "no-referrer"
    assert ada.get(page.link("report.pdf"), page=page).body == PDF
