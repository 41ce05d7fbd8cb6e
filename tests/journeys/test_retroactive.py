"""A micromodule without a badge is completed; then its badge is switched on for all who finished already."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import select

from lti_tool.services import retroactive_run
from lti_tool.store.tables import Award, Completion, Credential, Placement, VersionDraft
from tests.journeys.campus import TOOL_URL, Campus
from tests.journeys.test_choosing import picker_of, post, version_ids
from tests.journeys.test_staff import owner_of
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import Activity

PICTURE = {"shape": "circle", "icon": "database", "background": "#0b4f6c", "foreground": "#ffffff"}


def without_badge(campus: Campus) -> Activity:
    """A published micromodule that records completions only."""
    activity = campus.place_badge(no_badge="on")
    campus.set_up(activity)
    campus.publish(activity)
    return activity


def completions(campus: Campus) -> dict[str, datetime]:
    """When each learner completed it, as it is recorded."""
    with campus.tool.database.read() as session:
        rows = session.execute(select(Completion.learner_id, Completion.met_at))
        return {row.learner_id: row.met_at for row in rows}


def awards(campus: Campus) -> dict[str, datetime]:
    """When each holder met the criteria, as their badge says."""
    with campus.tool.database.read() as session:
        return {row.learner_id: row.met_at for row in session.execute(select(Award.learner_id, Award.met_at))}


def looked(person: Person, form: Page, **fields: str) -> Page:
    """Describe the badge, and look who would get it."""
    return person.submit(form, {**PICTURE, **fields}, form="/badge", button="people")


def row_of(page: Page, name: str) -> str:
    rows = (" ".join(row.get_text(" ").split()) for row in page.soup.find_all("tr"))
    return next((row for row in rows if row.startswith(name)), "")


def test_a_teacher_switches_the_badge_on_and_those_who_finished_have_it(
    campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retroactive_run, "BATCH", 1)
    activity = without_badge(campus)
    campus.take_quiz("ada", 80)
    campus.take_quiz("bert", 30)
    campus.take_quiz("carl", 95)
    campus.read_now()
    campus.lms.unenrol(campus.learner("carl"), campus.course)
    campus.pass_time(minutes=10)
    campus.read_now()
    then = completions(campus)
    assert len(then) == 2
    assert campus.holders() == []
    campus.clock.move(days=40)

    # The page says that there is no badge yet; its form keeps the rules as they are.
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(activity.id)
    assert "there is no badge yet" in page.words
    form = teacher.follow(page, "Switch a badge on")
    assert "2 learners have completed this." in form.words
    assert not any("criteria-0" in name for one in form.forms for name in one.fields)
    refused = looked(teacher, form, name="")
    assert refused.status == 422

    # The dry run: who, why, when, and where the date is from. Nothing is awarded by looking.
    dry = looked(teacher, refused, name="Open Data, awarded")
    assert "2 learners get this badge." in dry.words
    assert "1 of them has left the course since." in dry.words
    assert "80" in row_of(dry, "Ada")
    assert "has left" in row_of(dry, "Carl")
    assert row_of(dry, "Bert") == ""
    # Canvas tells no date with a result.
    dated = {"moodle": "as the platform or a teacher dated it", "canvas": "nobody told a date"}
    assert dated[campus.product] in row_of(dry, "Ada")
    file = teacher.get(f"{dry.url}.csv", page=dry)
    lines = list(csv.DictReader(io.StringIO(file.text.removeprefix("\ufeff"))))
    assert {(line["name"], line["has_left"], line["not_awarded"]) for line in lines} == {
        ("Ada Learner", "", ""),
        ("Carl Learner", "yes", ""),
    }
    assert awards(campus) == {}

    # Paused before the worker comes, nothing goes on by itself; then it does.
    begun = teacher.submit(dry, form="/badge/people")
    assert "Awarding is about to begin." in begun.words
    # It renews itself while it moves, and says so to those who cannot see it.
    assert [one["id"] for one in begun.soup.find_all(attrs={"data-live": True})] == ["awarding", "steering"]
    paused = teacher.submit(begun, form="/badge/awarding", button="pause")
    assert "Paused." in paused.words
    assert paused.soup.find(attrs={"data-live": True}) is None
    campus.run_jobs()
    assert set(awards(campus)) <= set(then)
    teacher.submit(paused, form="/badge/awarding", button="resume")
    campus.pass_time(minutes=3)
    done = teacher.follow(begun, "Show how far it is now")
    assert "Everybody who completed it has been looked at." in done.words

    # Once each, dated as the completion, signed; in the wallet of who is still there.
    assert awards(campus) == then
    with campus.tool.database.read() as session:
        assert len(session.scalars(select(Credential.document)).all()) == 2
    assert "Open Data, awarded" in campus.open_wallet("ada", activity).words
    assert "there is no badge yet" not in teacher.launch(activity.id).words

    # Whoever completes it from now on gets it, too; and again changes nothing.
    campus.take_quiz("bert", 88)
    campus.pass_time(minutes=10)
    campus.read_now()
    assert "1 badge to look at again" not in teacher.launch(activity.id).words, "going is no news"
    assert campus.holders() == ["Ada Learner", "Bert Learner", "Carl Learner"]
    assert teacher.follow(teacher.launch(activity.id), "Next version").status == 200


def test_where_two_courses_have_it_staff_switches_it_on_for_both(campus: Campus) -> None:
    activity = without_badge(campus)
    campus.take_quiz("ada", 80)
    campus.read_now()
    other = campus.another_course("other", "Another course")
    teacher, page = picker_of(campus, other)
    answer = post(teacher, page, micromodule_version_id=version_ids(campus, "Open Data Basics"))
    (second,) = teacher.save_selected(answer)
    campus.publish(second)
    refused = teacher.follow(teacher.launch(activity.id), "Switch a badge on")
    assert (refused.status, "staff switches it on" in refused.words) == (403, True)

    owner, home = owner_of(campus, "Open Learning")
    micromodule = owner.follow(owner.follow(home, "Micromodules"), "Open Data Basics")
    dry = looked(owner, owner.follow(micromodule, "Switch a badge on"))
    assert "1 learner gets this badge." in dry.words
    begun = owner.submit(dry, form="/badge/people")
    campus.run_jobs()
    assert "Everybody who completed it has been looked at." in owner.get(begun.url, page=begun).words
    assert campus.holders() == ["Ada Learner"]
    log = owner.follow(begun, "Audit log")
    assert "Badge switched on" in log.words
    assert "Badge awarded retroactively" in log.words


def test_a_worker_that_dies_in_between_loses_and_doubles_nothing(
    sqlite_campus: Campus, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = sqlite_campus
    monkeypatch.setattr(retroactive_run, "BATCH", 1)
    activity = without_badge(campus)
    for name in ("ada", "bert", "carl"):
        campus.take_quiz(name, 90)
    campus.read_now()
    teacher = campus.browser(campus.teacher)
    dry = looked(teacher, teacher.follow(teacher.launch(activity.id), "Switch a badge on"))
    teacher.submit(dry, form="/badge/people")
    issue_for = type(campus.tool.issuing).issue_for
    calls: list[int] = []

    class Killed(BaseException):
        """As nobody catches it."""

    def dying(self: object, award_ids: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise Killed
        return issue_for(campus.tool.issuing, award_ids)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(type(campus.tool.issuing), "issue_for", dying)
        with campus.tool.database.read() as session:
            (run_id,) = campus.tool.retroactive.due(10)
        with pytest.raises(Killed):
            campus.tool.retroactive.work(run_id)
    assert len(awards(campus)) == 2
    campus.pass_time(minutes=5)
    assert awards(campus) == completions(campus)
    with campus.tool.database.read() as session:
        assert len([one for one in session.scalars(select(Credential.document)) if one]) == 3


def test_learners_neighbours_and_others_switch_nothing_on(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    activity = without_badge(campus)
    campus.take_quiz("ada", 80)
    campus.read_now()
    with campus.tool.database.read() as session:
        placement_id = session.scalars(select(Placement.id)).one()
    neighbour = campus.neighbour
    assert neighbour is not None
    theirs = neighbour.place_badge(name="Other")
    for one, link, user in (
        (campus, activity, campus.learner("ada")),
        (neighbour, theirs, neighbour.teacher),
    ):
        person = one.browser(user)
        page = person.launch(link.id)
        root = "/".join(page.url.split("/")[:5])
        address = f"{root}/course/placements/{placement_id}/badge"
        for path in (address, f"{address}/people", f"{address}/people.csv", f"{address}/awarding"):
            assert person.get(path, page=page).status in (403, 404), (user, path)
    owner, _home = owner_of(campus, "Open Learning")
    for path in ("", "/people", "/people.csv", "/awarding"):
        assert owner.get(f"{TOOL_URL}/staff/micromodules/{'0' * 32}/badge{path}").status == 404
    with campus.tool.database.read() as session:
        assert session.scalars(select(VersionDraft)).all() == []
    assert awards(campus) == {}


def test_a_platform_that_is_down_and_a_deleted_column_keep_nobodys_badge(campus: Campus) -> None:
    """What is awarded rests on what is recorded: nothing is asked of the platform meanwhile."""
    activity = without_badge(campus)
    for name in ("ada", "bert"):
        campus.take_quiz(name, 90)
    campus.read_now()
    then = completions(campus)
    assert len(then) == 2
    teacher = campus.browser(campus.teacher)
    dry = looked(teacher, teacher.follow(teacher.launch(activity.id), "Switch a badge on"))
    for item in campus.evidence():
        campus.lms.gradebook.delete_item(item)
    campus.lms.chaos.switch_on("status", value=503)
    # Pressed twice: the second is told how far it is.
    begun = teacher.submit(dry, form="/badge/people")
    twice = teacher.submit(dry, form="/badge/people")
    assert "Awarding is about to begin." in twice.words
    campus.run_jobs()
    assert awards(campus) == then
    assert "Everybody who completed it has been looked at." in teacher.get(begun.url, page=begun).words
    campus.lms.chaos.calm()
    campus.pass_time(hours=2)
    assert awards(campus) == then
    with campus.tool.database.read() as session:
        assert len(session.scalars(select(Credential.document)).all()) == 2


def test_a_teaching_assistant_switches_nothing_on(canvas_campus: Campus) -> None:
    """Of Canvas; Moodle sends a non-editing teacher as Instructor, with nothing to tell the two apart."""
    campus = canvas_campus
    activity = without_badge(campus)
    campus.take_quiz("ada", 80)
    campus.read_now()
    teacher, tutor = campus.browser(campus.teacher), campus.browser(campus.tutor)
    dry = looked(teacher, teacher.follow(teacher.launch(activity.id), "Switch a badge on"))
    shown = tutor.launch(activity.id)
    assert "Switch a badge on" not in shown.words
    theirs = "/".join(shown.url.split("/")[:5])
    address = theirs + dry.url.partition("/course/")[1] + dry.url.partition("/course/")[2]
    assert tutor.get(address, page=shown).status == 403
    assert tutor.get(f"{address}.csv", page=shown).status == 403
    forged = replace(dry.form("/badge/people"), action=address)
    assert tutor.submit(shown, form=forged).status in (400, 403)
    campus.run_jobs()
    assert awards(campus) == {}
