"""An instructor adds a badge by deep linking: nothing typed is lost, criteria are said in words (T1 S8)."""

from __future__ import annotations

import pytest

from tests.journeys.campus import Campus, credential_of
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.gradebook import GradeItem
from tests.simulator.lms import Activity

NOBODY_KNOWN = "Nobody of this course is known yet."


def rule(number: int, label: str, channel: str, threshold: str, **more: str) -> dict[str, str]:
    """The fields of one row of the criteria."""
    values = {"unit": "percent", "purpose": "summative", "group": ""} | more
    values |= {"label": label, "channel": channel, "threshold": threshold}
    return {f"criteria-{number}-{name}": value for name, value in values.items()}


def open_form(campus: Campus, teacher: Person) -> Page:
    return teacher.to_form(teacher.deep_link(campus.course))


def lti_activities(campus: Campus) -> list[Activity]:
    return [activity for activity in campus.lms.in_course(campus.course) if activity.module == "lti"]


def columns(campus: Campus) -> dict[str, GradeItem]:
    """The tool's evidence columns by their tag and name."""
    return {
        f"{item.service.tag} {item.label}": item
        for item in campus.lms.gradebook.of_course(campus.course.id)
        if item.service is not None and item.service.tag in ("mirror", "attest")
    }


def simulate(campus: Campus, teacher: Person) -> str:
    """What the form says to "Who would earn it now?"."""
    form = open_form(campus, teacher)
    return teacher.submit(form, campus.form_fields(), form="micromodules/new", button="simulate").words


def test_criteria_are_tried_on_the_course_before_anything_is_saved(campus: Campus) -> None:
    """Moodle's first request of a course brings no participants, and the page says so."""
    teacher = campus.browser(campus.teacher)
    assert NOBODY_KNOWN in simulate(campus, teacher)

    first = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.take_quiz("ben", 30)
    for username in ("ada", "ben"):
        campus.open_wallet(username, first)
    campus.read_now()

    said = simulate(campus, teacher)
    assert NOBODY_KNOWN not in said
    assert "Would earn it now: 1 Ada Learner" in said
    assert "Ben Learner Quiz 1: 30 of 100 points" in said
    assert len(lti_activities(campus)) == 1, "nothing was placed by trying"


def test_cancelling_keeps_what_was_typed_for_the_next_time(campus: Campus) -> None:
    teacher = campus.browser(campus.teacher)
    typed = campus.form_fields() | {"name": "Half a thought", "description": ""}
    cancelled = teacher.submit(open_form(campus, teacher), typed, form="micromodules/new", button="cancel")
    assert teacher.save_selected(cancelled) == []

    picker = teacher.deep_link(campus.course)
    assert "Continue your unfinished badge" in picker.words
    assert "Half a thought" not in picker.words, "nothing was made of it"
    form = teacher.to_form(picker)
    kept = form.form("micromodules/new").fields
    assert {name: kept[name] for name in typed} == typed

    placed = teacher.submit(
        form,
        {"name": campus.form_fields()["name"], "description": campus.form_fields()["description"]},
        form="micromodules/new",
        button="place",
    )
    (activity,) = teacher.save_selected(placed)
    assert activity.name == campus.form_fields()["name"]
    assert "New badge" in teacher.deep_link(campus.course).words


@pytest.mark.parametrize("refusal", ["server error", "session over"])
def test_when_the_lms_refuses_the_selection_the_micromodule_waits_in_the_list(
    campus: Campus, refusal: str
) -> None:
    teacher = campus.browser(campus.teacher)
    sent = teacher.submit(
        open_form(campus, teacher), campus.form_fields(), form="micromodules/new", button="place"
    )
    if refusal == "server error":
        campus.lms.chaos.switch_on("status", path=campus.lms.selection_path, value=503, times=1)
    else:
        campus.lms.sessions.clear()
    with pytest.raises(LookupError):
        teacher.save_selected(sent)
    assert lti_activities(campus) == []
    teacher.sign_in()

    picker = teacher.deep_link(campus.course)
    assert campus.form_fields()["name"] in picker.words
    answer = teacher.submit(picker, form=0, button="Add to the course")
    (activity,) = teacher.save_selected(answer)
    campus.set_up(activity)
    campus.publish(activity)
    campus.take_quiz("ada", 85)
    wallet = campus.open_wallet("ada", activity)

    assert credential_of(wallet)
    assert campus.holders() == ["Ada Learner"]
    assert len(campus.evidence()) == 1, "the link that was never saved made no column"


def test_a_form_with_mistakes_keeps_every_field_and_names_what_to_mend(campus: Campus) -> None:
    """The picture too: too pale to see, it is not made."""
    teacher = campus.browser(campus.teacher)
    wrong = campus.form_fields() | {"name": "", "background": "#ffffff", "criteria-0-threshold": "sixty"}
    page = teacher.submit(open_form(campus, teacher), wrong, form="micromodules/new", button="place")

    assert page.status == 422
    assert "Enter a number." in page.words
    assert "Please fill this in." in page.words
    kept = page.form("micromodules/new").fields
    assert {name: kept[name] for name in wrong} == wrong

    page = teacher.submit(
        page,
        {"name": campus.form_fields()["name"], "criteria-0-threshold": "60"},
        form="micromodules/new",
        button="place",
    )
    assert page.status == 422
    assert "too similar to tell apart" in page.words
    assert "Contrast 1 to 1: too weak" in page.words

    page = teacher.submit(
        page, {"background": campus.form_fields()["background"]}, form="micromodules/new", button="place"
    )
    (activity,) = teacher.save_selected(page)
    wallet = campus.open_wallet("ada", activity)
    (image,) = wallet.soup.find_all("img", alt=campus.form_fields()["image_alt"])
    picture = campus.browser(campus.learner("ada")).get(str(image["src"]), page=wallet)
    assert picture.status == 200
    assert picture.headers["Content-Type"].startswith("image/")


def test_nested_rules_over_several_columns_are_said_explained_and_decided(campus: Campus) -> None:
    """All of: Quiz 1, one of (Essay, Project), and two of (Talk, Review, Quiz 1 again for practice)."""
    fields = campus.form_fields() | {
        **rule(0, "Quiz 1", campus.channel, "60"),
        **rule(1, "Essay", "attest", "50", group="A"),
        **rule(2, "Project", "attest", "7", unit="points", group="A"),
        **rule(3, "Talk", "attest", "50", group="B"),
        **rule(4, "Review", "attest", "50", purpose="formative", group="B"),
        **rule(5, "Quiz 1", campus.channel, "90", purpose="formative", group="B"),
        "combination": "all",
        "group-A-combination": "any",
        "group-B-combination": "at_least",
        "group-B-count": "2",
    }
    teacher = campus.browser(campus.teacher)
    form = open_form(campus, teacher)
    spoken = teacher.submit(form, fields, form="micromodules/new", button="Try it")
    for said in (
        "All of these:",
        "Quiz 1: at least 60 %",
        "One of these:",
        "Project: at least 7 points",
        "At least 2 of these:",
        "Review (practice): at least 50 %",
        "Quiz 1 (practice): at least 90 %",
    ):
        assert said in spoken.words
    placed = teacher.submit(spoken, fields, form="micromodules/new", button="place")
    (badge,) = teacher.save_selected(placed)
    campus.set_up(badge)
    campus.publish(badge)
    made = columns(campus)
    assert len(made) == 5, "a quiz that two rules ask about has one column"

    campus.learner("ada")
    campus.read_now()

    def attest(assessment: str, score: float) -> None:
        (item,) = (item for name, item in made.items() if name.startswith(f"attest {assessment}"))
        campus.lms.set_grade(campus.learner("ada"), item, score)

    campus.take_quiz("ada", 70)
    wallet = campus.open_wallet("ada", badge)
    assert "Quiz 1 (practice): at least 90 %" in wallet.words
    assert "70 of 100 points, 20 points more are needed" in wallet.words
    assert "1 of 4 steps" in wallet.words
    for assessment, score, done in (("Project", 8, "2 of 4 steps"), ("Talk", 50, "3 of 4 steps")):
        attest(assessment, score)
        wallet = campus.open_wallet("ada", badge)
        assert done in wallet.words
        assert campus.holders() == []
    attest("Review", 49)
    assert "49 of 100 points, 1 point more is needed" in campus.open_wallet("ada", badge).words
    assert campus.holders() == []
    attest("Review", 50)

    assert credential_of(campus.open_wallet("ada", badge))
    assert campus.holders() == ["Ada Learner"]


def test_an_existing_micromodule_is_placed_in_a_second_course_and_earned_once(campus: Campus) -> None:
    first = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", first)
    second = campus.another_course("MM2", "Micromodule 2: Open Data again", "ada")
    teacher = campus.browser(campus.teacher)

    picker = teacher.deep_link(second)
    (activity,) = teacher.save_selected(teacher.submit(picker, form=0, button="Add to the course"))
    wallet = campus.open_wallet("ada", activity)

    assert credential_of(wallet), "the badge of the other course is in the wallet"
    assert "In progress" not in wallet.words, "who holds it is not asked again"
    assert campus.holders() == ["Ada Learner"]


# -- the shortest way


def test_a_teacher_sets_up_quiz_gate_and_word_with_one_typed_word_and_three_clicks(
    moodle_campus: Campus,
) -> None:
    """Everything else has a default: the name is the course's, the thresholds and labels are guessed."""
    campus = moodle_campus
    teacher = campus.browser(campus.teacher)
    form = open_form(campus, teacher)
    assert campus.course.full_name == "Micromodule 1: Open Data", "a badge bears no number of a course"
    assert form.form("micromodules/new").fields["name"] == "Open Data"
    page = teacher.submit(
        form, {"criteria-0-label": "Quiz 1"}, form="micromodules/new", button="Activities done"
    )
    page = teacher.submit(page, form="micromodules/new", button="Teacher confirms")
    sent = teacher.submit(page, form="micromodules/new", button="Add to the course")
    badge, gate = teacher.save_selected(sent)

    assert badge.name == "Open Data"
    assert gate.name == "Activities done · Open Data"
    assert len(lti_activities(campus)) == 2
    wallet = campus.open_wallet("ada", badge)
    assert campus.holders() == []
    assert "credential" not in wallet.text


def test_a_recipe_brings_its_rules_and_what_to_do_in_the_lms(moodle_campus: Campus) -> None:
    campus = moodle_campus
    teacher = campus.browser(campus.teacher)
    page = teacher.submit(
        open_form(campus, teacher),
        {"criteria-0-label": "Quiz 1", "recipe": "project"},
        form="micromodules/new",
        button="add_recipe",
    )
    fields = page.form("micromodules/new").fields
    assert (fields["criteria-1-kind"], fields["criteria-2-kind"]) == ("evidence", "attested")
    assert "Learners hand in on the badge's page" in page.words
    page = teacher.submit(page, {"recipe": "forum"}, form="micromodules/new", button="add_recipe")
    assert page.form("micromodules/new").fields["criteria-3-label"] == "Took part in the forum"
    assert "restrict the gate activity to those who completed it" in page.words
    kept = teacher.to_form(teacher.deep_link(campus.course)).form("micromodules/new")
    assert kept.fields["criteria-3-recipe"] == "forum", "drafts hold every kind of rule"


def test_the_columns_of_two_badges_on_one_quiz_can_be_told_apart(campus: Campus) -> None:
    campus.set_up(campus.place_badge(name="Open Data Basics"))
    campus.set_up(campus.place_badge(name="Open Data for Teachers"))
    names = {str(item.label) for item in campus.evidence()}
    assert names == {"Quiz 1 · Open Data Basics", "Quiz 1 · Open Data for Teachers"}


# -- changing a draft, and taking its rules along


def test_a_draft_is_changed_until_it_is_published(campus: Campus) -> None:
    badge = campus.place_badge()
    teacher = campus.browser(campus.teacher)
    course = teacher.launch(badge.id)
    (link,) = (one for one in course.soup.find_all("a", href=True) if str(one["href"]).endswith("/edit"))
    form = teacher.get(str(link["href"]), page=course)
    assert form.form("/edit").fields["criteria-0-label"] == "Quiz 1"
    form = teacher.submit(form, {"recipe": "project"}, form="/edit", button="add_recipe")
    course = teacher.submit(form, {"criteria-0-threshold": "80"}, form="/edit", button="Save")
    assert "Quiz 1: at least 80 %" in course.words
    assert "Group project" in course.words

    address = form.form("/edit").action
    campus.publish(badge)
    course = teacher.launch(badge.id)
    assert not course.soup.find_all("a", href=lambda href: href and href.endswith("/edit"))
    refused = teacher.get(address, page=course)
    assert refused.status == 409
    assert "It is published: learners work by what it says." in refused.words


def test_rules_are_exported_and_imported_into_another_badge(campus: Campus) -> None:
    badge = campus.place_badge(**{"criteria-0-threshold": "85"})
    teacher = campus.browser(campus.teacher)
    course = teacher.launch(badge.id)
    file = teacher.follow(course, "criteria.json")
    assert file.headers["Content-Disposition"].startswith("attachment")

    another = campus.another_course("MM2", "Micromodule 2: Open Data again")
    form = teacher.to_form(teacher.deep_link(another))
    imported = teacher.submit(form, {"criteria_json": file.text}, form="micromodules/new", button="import")
    fields = imported.form("micromodules/new").fields
    assert (fields["criteria-0-label"], fields["criteria-0-threshold"]) == ("Quiz 1", "85")
    assert fields["name"] == "Open Data again", "only the rules are replaced"
    (copy,) = teacher.save_selected(teacher.submit(imported, form="micromodules/new", button="place"))
    assert copy.name == "Open Data again"
