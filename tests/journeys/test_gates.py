"""Native activity through a gate: who did something in the LMS earns the badge, and nobody else."""

from __future__ import annotations

import pytest
from sqlalchemy import delete, select, update

from lti_tool.store.tables import Gate, GatePass, Learner, Membership, Placement
from tests.factories import rule_fields
from tests.journeys.campus import Campus, micromodule_fields
from tests.simulator.browser import Form, Page
from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import Activity, User
from tests.simulator.moodle.backup import copy_course
from tests.simulator.moodle.lms import Moodle, completed, grade_from

RULE = "Took part in the forum"


class Gated:
    """A course with a forum and a badge behind a gate, and what its people do there."""

    def __init__(self, campus: Campus) -> None:
        self.campus = campus
        self.forum = campus.lms.add_forum(campus.course, "Discussion")
        for name in ("ada", "ben", "cleo", "dora"):
            campus.learner(name)
        self.badge, self.gate = self._placed()

    def _placed(self) -> tuple[Activity, Activity]:
        """Both links at once where the LMS takes several; else the picker offers the gate the next time."""
        campus = self.campus
        teacher = campus.browser(campus.teacher)
        form = teacher.to_form(teacher.deep_link(campus.course))
        typed = micromodule_fields("Open Data Talk", "", "60") | rule_fields(0, label=RULE, kind="gate")
        answer = teacher.submit(form, typed, form="micromodules/new", button="place")
        placed = teacher.save_selected(answer)
        if len(placed) == 1:
            picker = teacher.deep_link(campus.course)
            placed += teacher.save_selected(teacher.submit(picker, form="/picker", button="Add its gate"))
        badge, gate = placed
        assert campus.lms.item_of(badge) is not None
        return badge, gate

    # -- what teachers do

    def restrict(self) -> None:
        """In Moodle a rule over the forum; in Canvas the teacher names those who posted."""
        if isinstance(self.campus.lms, Moodle):
            self.campus.lms.restrict(self.gate, completed(self.forum))
        else:
            self._assign()

    def _assign(self) -> None:
        assert isinstance(self.campus.lms, Canvas)
        posted = [user for user in self.campus.lms.users.values() if user.id in self.forum.completed_by]
        self.campus.lms.assign_to(self.gate, *posted)

    def open_gate(self) -> Page:
        """The teacher's launch of the gate, once what it began is done: the page shows who passes."""
        teacher = self.campus.browser(self.campus.teacher)
        teacher.launch(self.gate.id)
        self.campus.run_jobs()
        page = teacher.launch(self.gate.id)
        self.campus.run_jobs()
        return teacher.get(page.url, page=page)

    def press_confirm(self, *, everybody: bool = False) -> Page:
        teacher = self.campus.browser(self.campus.teacher)
        page = teacher.launch(self.gate.id)
        self.campus.run_jobs()
        page = teacher.get(page.url, page=page)
        fields = {"everybody": "yes"} if everybody else {}
        answer = teacher.submit(page, dict(fields), form=confirming(page), button="confirm")
        self.campus.run_jobs()
        return answer

    def live(self) -> None:
        """Restricted, confirmed and published."""
        self.restrict()
        self.open_gate()
        self.press_confirm()
        self.campus.publish(self.badge)
        self.campus.run_jobs()

    # -- what learners do

    def post(self, name: str) -> None:
        """Take part in the forum; in Canvas the teacher sees it and says so."""
        self.campus.lms.complete(self.campus.learner(name), self.forum)
        if isinstance(self.campus.lms, Canvas) and self.gate.availability is not None:
            self._assign()

    def holders(self) -> list[str]:
        return [name.split()[0].lower() for name in self.campus.holders()]

    def state(self) -> str:
        with self.campus.tool.database.read() as session:
            return session.scalars(select(Gate.state)).one()


def confirming(page: Page) -> Form:
    """The form that confirms; the other one reads again."""
    return next(form for form in page.forms if any("confirm" in button for button in form.buttons))


def test_who_took_part_in_the_forum_has_the_badge(campus: Campus) -> None:
    gated = Gated(campus)
    gated.post("ada")
    gated.live()
    assert gated.holders() == ["ada"]

    gated.post("ben")
    campus.browser(campus.teacher).launch(gated.badge.id)
    campus.pass_time(seconds=120)

    assert gated.holders() == ["ada", "ben"]
    assert "Open Data Talk" in campus.open_wallet("ada", gated.badge).words


def test_the_next_visit_of_the_badge_has_it_read_at_once(campus: Campus) -> None:
    gated = Gated(campus)
    gated.live()
    assert gated.holders() == []
    campus.clock.move(minutes=2)
    gated.post("ada")

    campus.open_wallet("ada", gated.badge)
    campus.run_jobs()

    assert gated.holders() == ["ada"]


def test_before_it_is_confirmed_nobody_knows(campus: Campus) -> None:
    gated = Gated(campus)
    gated.post("ada")
    gated.restrict()
    campus.publish(gated.badge)
    gated.open_gate()
    campus.pass_time(seconds=200)

    assert gated.state() == "open"
    assert gated.holders() == []
    campus.browser(campus.learner("ada")).launch(gated.gate.id)
    assert gated.holders() == []


def test_the_check_page_leads_to_the_restriction_and_shows_who_passes(moodle_campus: Campus) -> None:
    gated = Gated(moodle_campus)
    gated.post("ada")
    page = gated.open_gate()
    assert "Everybody passes" in page.words
    settings = page.link("Open “Restrict access”")
    assert settings == (
        f"{moodle_campus.lms.base_url}/course/modedit.php?update={gated.gate.id}&return=1"
        "&showonly=availabilityconditionsheader#id_availabilityconditionsheader"
    )
    teacher = moodle_campus.browser(moodle_campus.teacher)
    form = teacher.get(settings.partition("#")[0])
    typed: dict[str, str | list[str] | None] = {f"completion_{gated.forum.id}": "1"}
    saved = teacher.submit(form, typed, form="modedit", button="Save and display")
    assert saved.url.endswith(f"/mod/lti/view.php?id={gated.gate.id}&forceview=1"), "it opens the tool again"

    page = gated.open_gate()

    assert "Everybody passes" not in page.words
    assert "Ada Learner" in page.words
    assert len(page.soup.find("main").get_text(" ").split()) < 110  # type: ignore[union-attr]


def test_a_gate_without_a_restriction_is_warned_of(campus: Campus) -> None:
    gated = Gated(campus)
    page = gated.open_gate()

    assert "Everybody passes" in page.words
    assert "Probably no restriction is set, or the activity is merely hidden." in page.words
    refused = gated.press_confirm()
    assert refused.status == 409
    assert gated.state() == "open"
    campus.publish(gated.badge)
    campus.pass_time(seconds=200)
    assert gated.holders() == []
    assert gated.press_confirm(everybody=True).status == 200
    assert gated.state() == "confirmed"


def test_a_hidden_activity_is_no_gate(moodle_campus: Campus) -> None:
    gated = Gated(moodle_campus)
    gated.gate.is_visible = False
    assert "or the activity is merely hidden" in gated.open_gate().words
    assert gated.press_confirm().status == 409


def test_a_restriction_that_is_removed_gives_nobody_new_a_badge(campus: Campus) -> None:
    gated = Gated(campus)
    gated.post("ada")
    gated.live()
    gated.gate.availability = None
    campus.browser(campus.teacher).launch(gated.badge.id)
    campus.pass_time(seconds=300)

    assert gated.state() == "doubted"
    assert gated.holders() == ["ada"]
    campus.browser(campus.learner("ben")).launch(gated.gate.id)
    assert gated.holders() == ["ada"]
    page = gated.open_gate()
    assert "Suddenly everybody passes" in page.words
    assert gated.press_confirm().status == 409

    gated.restrict()
    campus.clock.move(minutes=2)
    gated.open_gate()
    assert gated.press_confirm().status == 200
    gated.post("ben")
    campus.browser(campus.teacher).launch(gated.badge.id)
    campus.pass_time(seconds=300)
    assert gated.holders() == ["ada", "ben"]


def test_a_tutor_passes_every_gate_and_is_never_awarded(campus: Campus) -> None:
    """In Moodle's roster the non-editing teacher is a learner whom every gate lists."""
    gated = Gated(campus)
    gated.live()
    campus.pass_time(seconds=300)
    assert gated.holders() == []

    page = campus.browser(campus.tutor).launch(gated.gate.id)
    campus.pass_time(seconds=300)

    assert page.status == 200
    if campus.product == "canvas":
        assert "/gates/" not in page.url, "an assistant may not configure, and sees the course"
    assert gated.holders() == []
    with campus.tool.database.read() as session:
        staff = session.scalars(
            select(Learner.name)
            .join(Membership, Membership.learner_id == Learner.id)
            .where(Membership.is_staff)
        )
        assert "Noel Tutor" in set(staff)


def test_a_learners_launch_of_the_gate_counts_at_once(campus: Campus) -> None:
    gated = Gated(campus)
    gated.live()
    gated.post("ada")

    wallet = campus.browser(campus.learner("ada")).launch(gated.gate.id)

    assert gated.holders() == ["ada"]
    assert wallet.status == 200
    assert "Open Data Talk" in wallet.words
    refused = campus.browser(campus.learner("ben")).launch(gated.gate.id)
    assert not refused.url.startswith("http://localhost:8000"), "the LMS lets nobody else in"
    assert gated.holders() == ["ada"]


def test_who_acts_as_a_learner_passes_no_gate(canvas_campus: Campus) -> None:
    gated = Gated(canvas_campus)
    gated.live()
    gated.post("ada")
    admin = canvas_campus.browser(canvas_campus.lms.admin)
    session = admin.session
    session.masquerader_id, session.user_id = session.user_id, canvas_campus.learner("ada").id

    page = admin.launch(gated.gate.id)

    assert page.status == 200
    assert gated.holders() == []


def test_several_restrictions_are_one_gate(moodle_campus: Campus) -> None:
    """Quiz passed and forum complete, or so many percent: whatever Moodle can say."""
    gated = Gated(moodle_campus)
    lms = moodle_campus.lms
    assert isinstance(lms, Moodle)
    item = lms.item_of(moodle_campus.quiz)
    assert item is not None
    gated.restrict()
    gated.open_gate()
    gated.press_confirm()
    moodle_campus.publish(gated.badge)
    lms.restrict(gated.gate, completed(gated.forum), grade_from(item, 80))
    gated.post("ada")
    gated.post("ben")
    moodle_campus.take_quiz("ada", 85)
    moodle_campus.take_quiz("ben", 70)
    moodle_campus.clock.move(minutes=2)
    moodle_campus.open_wallet("cleo", gated.badge)
    moodle_campus.run_jobs()
    assert gated.holders() == ["ada"]


# -- links that are no gate


def test_the_badges_own_link_is_never_a_gate(campus: Campus) -> None:
    gated = Gated(campus)
    gated.live()
    page = campus.browser(campus.learner("ben")).launch(gated.badge.id)
    assert page.status == 200
    for changed in ("role", "key"):
        lines = dict(line.split("=", 1) for line in gated.badge.custom.splitlines())
        gate_key = dict(line.split("=", 1) for line in gated.gate.custom.splitlines())["badge_link_key"]
        if changed == "role":
            lines["badge_link_role"] = "gate"
        else:
            lines |= {"badge_link_key": gate_key, "badge_link_role": "gate"}
        gated.badge.custom = "\n".join(f"{key}={value}" for key, value in lines.items())
        campus.browser(campus.learner("ben")).launch(gated.badge.id)
        campus.browser(campus.teacher).launch(gated.badge.id)
        campus.browser(campus.learner("ben")).launch(gated.badge.id)
    campus.run_jobs()
    assert gated.holders() == []
    with campus.tool.database.read() as session:
        passing = select(Learner.name).join(GatePass, GatePass.learner_id == Learner.id)
        assert "Ben Learner" not in set(session.scalars(passing.where(GatePass.is_passed)))


def test_a_gate_in_another_course_is_that_courses_own(campus: Campus) -> None:
    """A link of another course with this gate's key, by a copy of the course or by hand: it lets nobody pass
    the gate that it looks like, and for its own course it is a draft."""
    gated = Gated(campus)
    gated.live()
    other = campus.another_course("MM9", "Elsewhere", "ben")
    copied = campus.lms.add_activity(
        other,
        "lti",
        gated.gate.name,
        tool_type_id=gated.gate.tool_type_id,
        url=gated.gate.url,
        custom=gated.gate.custom,
    )

    assert campus.browser(campus.learner("ben")).launch(copied.id).status == 200
    page = campus.browser(campus.teacher).launch(copied.id)
    campus.run_jobs()

    with campus.tool.database.read() as session:
        (own,) = session.scalars(select(Placement).where(Placement.copied_from_id.is_not(None)))
        (copy,) = session.scalars(select(Gate).where(Gate.context_id == own.context_id))
    assert page.url.endswith(f"/course/gates/{copy.id}")
    assert (own.status, copy.placement_id, copy.state) == ("draft", own.id, "open")
    assert gated.holders() == []


def test_a_gate_of_another_organisation_is_none(campus: Campus) -> None:
    gated = Gated(campus)
    gated.live()
    neighbour = campus.neighbour
    assert neighbour is not None
    theirs = neighbour.lms.add_activity(
        neighbour.course,
        "lti",
        gated.gate.name,
        tool_type_id=neighbour.lms_side.id,
        url=gated.gate.url,
        custom=gated.gate.custom,
    )
    assert neighbour.browser(neighbour.learner("ben")).launch(theirs.id).status == 200
    teacher = neighbour.browser(neighbour.teacher)
    page = teacher.launch(theirs.id)
    assert "/course/gates/" not in page.url

    with campus.tool.database.read() as session:
        gate_id = session.scalars(select(Gate.id)).one()
    ours = campus.browser(campus.teacher).launch(gated.gate.id)
    assert f"/course/gates/{gate_id}" in ours.url
    stolen = teacher.get(page.url.rpartition("/wallet")[0] + f"/course/gates/{gate_id}", page=page)
    assert stolen.status in (403, 404)
    assert "Ada" not in stolen.words


def test_a_copied_course_keeps_its_restriction_and_awards_nobody_by_itself(moodle_campus: Campus) -> None:
    gated = Gated(moodle_campus)
    gated.post("ada")
    gated.live()
    lms = moodle_campus.lms
    copy = copy_course(lms, moodle_campus.course, "MM1b", "Next year")
    lms.enrol(moodle_campus.teacher, copy, moodle_campus.course.enrolments[moodle_campus.teacher.id].role)
    lms.enrol(moodle_campus.learner("ben"), copy)
    (twin,) = [one for one in lms.in_course(copy) if one.name == gated.gate.name]
    (forum,) = [one for one in lms.in_course(copy) if one.name == gated.forum.name]
    assert twin.availability == {"op": "&", "c": [completed(forum)]}
    lms.complete(moodle_campus.learner("ben"), forum)

    moodle_campus.browser(moodle_campus.teacher).launch(twin.id)
    moodle_campus.browser(moodle_campus.learner("ben")).launch(twin.id)
    moodle_campus.pass_time(seconds=200)

    assert gated.holders() == ["ada"]


def test_a_gate_whose_rule_was_removed_says_so_to_who_teaches(campus: Campus) -> None:
    gated = Gated(campus)
    gated.open_gate()
    with campus.tool.database.write() as session:
        session.execute(delete(Gate))
    page = campus.browser(campus.teacher).launch(gated.gate.id)
    assert "No badge asks for this activity any more." in page.words
    page = campus.browser(campus.learner("ben")).launch(gated.gate.id)
    assert "No badge asks" not in page.words


def test_a_gate_that_was_deleted_is_offered_again(campus: Campus) -> None:
    gated = Gated(campus)
    gated.post("ada")
    gated.live()
    campus.lms.delete_activity(gated.gate)
    campus.browser(campus.teacher).launch(gated.badge.id)
    campus.pass_time(seconds=300)
    assert gated.holders() == ["ada"]

    teacher = campus.browser(campus.teacher)
    picker = teacher.deep_link(campus.course)
    (again,) = teacher.save_selected(teacher.submit(picker, form="/picker", button="Add its gate"))
    gated.gate = again
    gated.restrict()
    gated.open_gate()
    assert gated.press_confirm().status == 200
    gated.post("ben")
    campus.clock.move(minutes=2)
    campus.open_wallet("ben", gated.badge)
    campus.run_jobs()
    assert gated.holders() == ["ada", "ben"]


@pytest.mark.parametrize("who", ["tutor", "ada"])
def test_nobody_else_confirms_a_gate(canvas_campus: Campus, who: str) -> None:
    """The attack: the form of the page, sent in the session of somebody who may not.

    Moodle calls a tutor an instructor as the editing teacher; Canvas's assistant has rights of their own.
    """
    gated = Gated(canvas_campus)
    gated.post("ada")
    gated.restrict()
    teacher_page = gated.open_gate()
    gate_id = teacher_page.url.rpartition("/")[2]
    user: User = canvas_campus.tutor if who == "tutor" else canvas_campus.learner("ada")
    person = canvas_campus.browser(user)
    page = person.launch(gated.badge.id)
    form = confirming(teacher_page)
    base = page.url[: page.url.index("/", page.url.index("/l/") + 3)]
    token = _csrf_of(page) or ""
    forged = type(form)(
        f"{base}/course/gates/{gate_id}",
        "POST",
        "",
        "",
        form.encoding,
        {"csrf_token": token, "action": "confirm", "everybody": "yes"},
        (),
    )
    assert person.submit(page, form=forged).status in (400, 403)
    assert person.get(f"{base}/course/gates/{gate_id}", page=page).status == (200 if who == "tutor" else 403)
    assert gated.state() == "open"


def _csrf_of(page: Page) -> str | None:
    field = page.soup.find("input", attrs={"name": "csrf_token"})
    return str(field["value"]) if field is not None else None


def test_an_old_reading_is_no_reason_to_confirm(sqlite_campus: Campus) -> None:
    """The page was open while the restriction went: what is confirmed is what is known now."""
    gated = Gated(sqlite_campus)
    gated.post("ada")
    gated.restrict()
    gated.open_gate()
    teacher = sqlite_campus.browser(sqlite_campus.teacher)
    page = teacher.launch(gated.gate.id)
    sqlite_campus.run_jobs()
    page = teacher.get(page.url, page=page)
    with sqlite_campus.tool.database.write() as session:
        session.execute(update(Gate).values(listed=Gate.learners))
    answer = teacher.submit(page, form=confirming(page), button="confirm")
    assert answer.status == 409
    assert "By now everybody passes." in answer.words
