"""After the award: grades fall, people leave, and nothing is taken back before somebody has decided."""

from __future__ import annotations

from lti_tool.store.tables import AuditEvent, Credential, Review
from tests.journeys.campus import Campus, credential_of
from tests.journeys.test_gates import Gated
from tests.simulator.browser import Form, Page
from tests.simulator.client import Person
from tests.simulator.lms import Activity
from tests.simulator.resetting import reset_course


def earn(campus: Campus, *usernames: str) -> Activity:
    """A published badge that these learners have earned."""
    badge = campus.placed_badge()
    for username in usernames:
        campus.take_quiz(username, 85)
    campus.pass_time(seconds=200)
    assert len(campus.holders()) == len(usernames)
    return badge


def regrade(campus: Campus, username: str, points: float | None) -> None:
    """The teacher types another grade for the quiz; in Canvas, into the tool's column as well."""
    user = campus.people[username]
    native = campus.lms.item_of(campus.quiz)
    assert native is not None
    campus.lms.set_grade(user, native, points)
    if campus.product == "canvas":
        for column in campus.evidence():
            typed = None if points is None else points * column.maximum / native.maximum
            campus.lms.set_grade(user, column, typed)


def look(campus: Campus, badge: Activity) -> tuple[Person, Page]:
    """The teacher opens the badge, and goes on to what waits for them."""
    teacher = campus.browser(campus.teacher)
    return teacher, teacher.follow(teacher.launch(badge.id), "Look at them")


def form_with(page: Page, field: str) -> Form:
    """The form of a page that has this field."""
    return next(form for form in page.forms if field in form.fields)


def revoked(campus: Campus) -> list[str | None]:
    """The reasons of badges that are revoked."""
    with campus.tool.database.read() as session:
        return [one.revocation_reason for one in session.query(Credential) if one.revoked_at is not None]


def actions(campus: Campus) -> list[str]:
    with campus.tool.database.read() as session:
        events = sorted(session.query(AuditEvent), key=lambda one: (one.at, one.id))
    return [one.action for one in events if one.action.startswith("review.")]


def status_of(campus: Campus) -> list[str]:
    with campus.tool.database.read() as session:
        return sorted(one.status for one in session.query(Review))


def test_a_lowered_grade_is_looked_at_asked_about_and_revoked_in_time(campus: Campus) -> None:
    badge = earn(campus, "ada", "ben")
    wallet = campus.open_wallet("ada", badge)
    stored = credential_of(wallet)
    regrade(campus, "ada", 20)
    campus.pass_time(seconds=200)
    assert revoked(campus) == []

    teacher, listed = look(campus, badge)
    assert "1 badge waits for you." in listed.words
    assert "Ben" not in listed.words
    review = teacher.follow(listed, "Ada Learner")
    assert "85 of 100 points" in review.words
    assert "20 of 100 points" in review.words

    for _twice in range(2):
        asked = teacher.submit(
            review, {"question": "What happened in the second attempt?"}, form=form_with(review, "question")
        )
        assert "The question stands in the learner's wallet" in asked.words
    ada = campus.browser(campus.people["ada"])
    wallet = ada.launch(badge.id)
    assert "Your teacher has a question about this badge." in wallet.words
    question = ada.follow(wallet, "/wallet/questions/")
    assert "What happened in the second attempt?" in question.words
    for _twice in range(2):
        answered = ada.submit(question, {"answer": "My sister sat it."}, form="/wallet/questions/")
        assert "Your teacher reads it" in answered.words
    assert "has a question" not in ada.launch(badge.id).words
    assert "has a question" not in campus.open_wallet("ben", badge).words

    teacher, listed = look(campus, badge)
    review = teacher.follow(listed, "Ada Learner")
    assert "My sister sat it." in review.words
    done = teacher.submit(
        review, {"reason": "Not her own work."}, form=form_with(review, "reason"), button="revoke"
    )
    assert "The badge is going to be revoked." in done.words

    campus.clock.move(hours=23)
    campus.pass_time(seconds=60)
    assert revoked(campus) == []
    campus.clock.move(hours=1)
    campus.pass_time(seconds=60)
    assert revoked(campus) == ["Not her own work."]
    public = campus.open_wallet("ada", badge)
    assert "Not her own work." in public.words
    with campus.tool.database.read() as session:
        (credential,) = [one for one in session.query(Credential) if one.revoked_at is not None]
        assert credential.id == stored
    assert campus.holders() == ["Ada Learner", "Ben Learner"], "what was decided stays on record"
    assert actions(campus) == ["review.asked", "review.answered", "review.revoked"]


def test_a_good_grade_settles_it_and_a_kept_badge_stays_kept(campus: Campus) -> None:
    badge = earn(campus, "ada", "ben")
    regrade(campus, "ada", 20)
    campus.pass_time(seconds=200)
    assert status_of(campus) == ["open"]
    regrade(campus, "ada", 90)
    campus.pass_time(seconds=200)
    assert status_of(campus) == ["settled"], "nobody had to do anything"

    regrade(campus, "ben", 30)
    campus.pass_time(seconds=200)
    teacher, listed = look(campus, badge)
    review = teacher.follow(listed, "Ben Learner")
    refused = teacher.submit(review, {"reason": ""}, form=form_with(review, "reason"), button="keep")
    assert refused.status == 422
    other = campus.browser(campus.teacher)
    beside = other.follow(other.follow(other.launch(badge.id), "Look at them"), "Ben Learner")
    for _twice in range(2):
        kept = teacher.submit(
            review, {"reason": "A mistake of ours."}, form=form_with(review, "reason"), button="keep"
        )
        assert (kept.status, "The badge stays." in kept.words) == (200, True)
    late = other.submit(beside, {"reason": "Copied."}, form=form_with(beside, "reason"), button="revoke")
    assert late.status == 409
    assert "Somebody else was faster" in late.words
    campus.pass_time(seconds=400)
    assert status_of(campus) == ["kept", "settled"]
    assert revoked(campus) == []


def test_who_leaves_keeps_the_badge_until_many_are_decided_together_and_one_is_undone(campus: Campus) -> None:
    badge = earn(campus, "ada", "ben", "cleo")
    for username in ("ada", "ben"):
        campus.lms.unenrol(campus.people[username], campus.course)
    campus.clock.move(hours=1)  # a launch of a minute ago is newer than a roster
    campus.pass_time(seconds=60)
    assert status_of(campus) == ["open", "open"]

    teacher, listed = look(campus, badge)
    only_left = teacher.submit(listed, {"cause": "left"}, form=form_with(listed, "cause"))
    assert "Ada Learner" in only_left.words
    assert "Ben Learner" in only_left.words
    chosen = teacher.follow(listed, "Choose all on this page")
    plan = teacher.submit(chosen, form=form_with(chosen, "review_id"), button="revoke")
    assert "Nothing has happened yet." in plan.words
    assert "Ada Learner" in plan.words
    assert "Ben Learner" in plan.words
    assert status_of(campus) == ["open", "open"]
    for _twice in range(2):
        done = teacher.submit(plan, {"reason": "Were never enrolled."}, form="/course/review-decisions")
        assert "2 badges are going to be revoked." in done.words

    pending = teacher.follow(done, "Look again, or undo")
    review = teacher.follow(pending, "Ada Learner")
    for _twice in range(2):
        undone = teacher.submit(review, form=form_with(review, "csrf_token"), button="undo")
        assert "Undone. The badge was not revoked." in undone.words
    campus.clock.move(hours=24)
    campus.pass_time(seconds=60)
    assert revoked(campus) == ["Were never enrolled."]
    assert status_of(campus) == ["open", "revoked"]
    assert actions(campus) == ["review.revoked", "review.revoked", "review.undone"]


def test_nothing_is_revoked_once_the_grade_is_good_again(campus: Campus) -> None:
    badge = earn(campus, "ada", "ben")
    regrade(campus, "ada", 20)
    campus.pass_time(seconds=200)
    teacher, listed = look(campus, badge)
    review = teacher.follow(listed, "Ada Learner")
    teacher.submit(review, {"reason": "Copied."}, form=form_with(review, "reason"), button="revoke")
    campus.clock.move(minutes=20)
    regrade(campus, "ada", 85)
    campus.read_now()
    pending = teacher.get(review.url, page=review)
    assert "If that stays so, the badge is not revoked." in pending.words
    campus.clock.move(hours=24)
    campus.pass_time(seconds=60)
    assert revoked(campus) == []
    assert status_of(campus) == ["settled"]
    assert actions(campus) == ["review.revoked", "review.spared"]
    course = campus.browser(campus.teacher)
    told = course.launch(badge.id)
    assert "1 badge was not revoked after all" in told.words
    settled = course.follow(course.follow(told, "Look at what settled"), "Ada Learner")
    assert "It was to be revoked, and was not" in settled.words
    assert "Copied." in settled.words


def test_a_gate_that_opens_is_looked_at_and_settles_with_its_confirmation(campus: Campus) -> None:
    gated = Gated(campus)
    gated.post("ada")
    gated.live()
    assert gated.holders() == ["ada"]
    restriction, gated.gate.availability = gated.gate.availability, None
    campus.browser(campus.teacher).launch(gated.badge.id)
    campus.pass_time(seconds=300)
    assert gated.state() == "doubted"
    teacher, listed = look(campus, gated.badge)
    assert "An activity was open to everybody" in listed.words
    review = teacher.follow(listed, "Ada Learner")
    assert "confirm it again: then this settles by itself" in review.words
    assert revoked(campus) == []

    gated.gate.availability = restriction
    campus.clock.move(minutes=2)
    gated.open_gate()
    assert gated.press_confirm().status == 200
    campus.browser(campus.teacher).launch(gated.badge.id)
    campus.pass_time(seconds=300)
    assert status_of(campus) == ["settled"]
    assert revoked(campus) == []


def test_a_deleted_grade_is_shown_as_what_it_is(campus: Campus) -> None:
    badge = earn(campus, "ada", "ben")
    regrade(campus, "ada", None)
    campus.pass_time(seconds=200)
    teacher, listed = look(campus, badge)
    review = teacher.follow(listed, "Ada Learner")
    assert "Results changed" in review.words
    assert "85 of 100 points" in review.words
    assert revoked(campus) == []
    regrade(campus, "ada", 85)
    campus.pass_time(seconds=200)
    assert status_of(campus) == ["settled"], "it was put in again"


def test_a_reset_course_says_so_and_takes_nothing(campus: Campus) -> None:
    usernames = [f"learner{number}" for number in range(12)]
    badge = earn(campus, *usernames)
    reset_course(campus.lms, campus.course)
    campus.clock.move(hours=1)
    campus.pass_time(seconds=60)
    _, listed = look(campus, badge)
    assert "12 badges wait for you." in listed.words
    assert "The course was reset" in listed.words
    assert revoked(campus) == []


def test_a_neighbour_and_a_learner_find_nothing(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = earn(campus, "ada", "ben")
    regrade(campus, "ada", 20)
    campus.pass_time(seconds=200)
    teacher, listed = look(campus, badge)
    url = teacher.follow(listed, "Ada Learner").url
    path = url[url.index("/course/reviews/") :]

    ben = campus.browser(campus.people["ben"])
    wallet = ben.launch(badge.id)
    assert "Look at them" not in wallet.words
    base = wallet.url[: wallet.url.index("/wallet")]
    assert ben.get(base + path, page=wallet).status == 403
    assert ben.get(f"{base}/course/reviews", page=wallet).status == 403
    assert ben.get(f"{base}/wallet/questions/{path.rsplit('/', 1)[-1]}", page=wallet).status == 404

    assert campus.neighbour is not None
    stranger = campus.neighbour.browser(campus.neighbour.teacher)
    theirs = stranger.launch(campus.neighbour.placed_badge().id)
    base = theirs.url[: theirs.url.index("/course")]
    assert stranger.get(base + path, page=theirs).status == 404
    assert "Ada" not in stranger.get(f"{base}/course/reviews", page=theirs).words
