"""Gradebook behaviour that a badge tool lives on: mirrors, overrides, maxima (MOODLE.md §6, §7A)."""

from datetime import timedelta

import pytest

from tests.integration.simulator.conftest import LMS_URL, Site
from tests.simulator.formulas import InvalidFormulaError, evaluate, parse
from tests.simulator.gradebook import CalculationNotAllowedError, GradeItem
from tests.simulator.moodle.lms import ContentForm


def _mirror(site: Site, formula: str = "=[[quiz1]]", **body: object) -> GradeItem:
    item = site.lms.gradebook.items[site.create_line_item(**body)]
    site.lms.set_formula(item, formula)
    return item


def _native(site: Site) -> None:
    for user, score in (("student1", 100), ("student2", 50), ("student3", 0), ("student5", 100)):
        site.lms.take_quiz(site.users[user], site.quiz1, score)
    site.lms.take_quiz(site.users["student2"], site.quiz2, 100)


def test_a_mirror_gives_native_grades_and_leaves_the_ungraded_out(site: Site) -> None:
    _native(site)
    assert site.scores_by_user(_mirror(site).id) == {"5": 100, "6": 50, "7": 0, "9": 100}


def test_a_mirror_follows_an_attempt_at_once(site: Site) -> None:
    mirror = _mirror(site)
    site.lms.take_quiz(site.users["student4"], site.quiz1, 80)
    assert site.scores_by_user(mirror.id) == {"8": 80}


def test_a_mirror_follows_a_teachers_override_of_the_native_grade(site: Site) -> None:
    _native(site)
    mirror, quiz = _mirror(site), site.lms.item_of(site.quiz1)
    assert quiz is not None
    site.lms.set_grade(site.users["student2"], quiz, 77)
    site.lms.take_quiz(site.users["student2"], site.quiz1, 100)
    assert site.scores_by_user(mirror.id)["6"] == 77


def test_a_mirror_does_not_date_the_same_result_anew(site: Site) -> None:
    mirror = _mirror(site)
    student = site.users["student1"]

    def date() -> object:
        return site.lms.gradebook.rows(mirror)[0].modified_at

    site.lms.take_quiz(student, site.quiz1, 80)
    first = date()
    site.clock.now += timedelta(days=1)
    site.lms.take_quiz(student, site.quiz1, 80)
    assert date() == first
    site.lms.take_quiz(student, site.quiz1, 90)
    assert date() == site.clock.now


def test_who_is_unenrolled_loses_their_grades(site: Site) -> None:
    mirror = _mirror(site)
    _native(site)
    student = site.users["student1"]
    site.lms.unenrol(student, site.course)
    assert "5" not in site.scores_by_user(mirror.id)
    site.lms.enrol(student, site.course)
    assert site.scores_by_user(mirror.id) == {"6": 50, "7": 0, "9": 100}


def test_a_missing_input_counts_zero_and_no_input_gives_no_grade(site: Site) -> None:
    _native(site)
    mirror = _mirror(site, "=[[quiz1]]*0.5+[[quiz2]]*0.5")
    assert site.scores_by_user(mirror.id) == {"5": 50, "6": 75, "7": 0, "9": 50}


def test_values_are_bounded_to_the_columns_maximum(site: Site) -> None:
    _native(site)
    mirror = _mirror(site, "=[[quiz1]]-20", scoreMaximum=40)
    assert site.scores_by_user(mirror.id) == {"5": 40, "6": 30, "7": 0, "9": 40}


def test_a_formula_can_hold_a_whole_criterion(site: Site) -> None:
    _native(site)
    site.lms.take_quiz(site.users["student1"], site.quiz2, 100)
    mirror = _mirror(site, "=if(and([[quiz1]]>=60,[[quiz2]]>=100),100,0)")
    assert site.scores_by_user(mirror.id) == {"5": 100, "6": 0, "7": 0, "9": 0}


def test_a_row_emptied_by_a_formula_comes_back_without_a_score(site: Site) -> None:
    _native(site)
    mirror = _mirror(site)
    site.lms.set_formula(mirror, "=[[quiz2]]")
    rows = {row["userId"]: row for row in site.results(mirror.id)}
    assert rows["6"]["resultScore"] == 100
    assert set(rows["5"]) == {"id", "userId"}


@pytest.mark.parametrize(
    "formula, message",
    [
        ("=[[unknown]]", "Invalid formula"),
        ("=if([[quiz1]]>=60;100;0)", "Invalid formula"),
        ("=[[quiz1]]+", "Invalid formula"),
        ("=system(1)", "Invalid formula"),
        ("=__import__", "Invalid formula"),
        ("[[quiz1]]", "Formula must start with equal sign"),
        ("=[[own]]", "Invalid formula"),
        ("=if([[quiz1]],1)", "Invalid formula"),
    ],
)
def test_what_moodle_calls_an_invalid_formula(site: Site, formula: str, message: str) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    item.id_number = "own"
    with pytest.raises(InvalidFormulaError, match=message):
        site.lms.set_formula(item, formula)
    assert item.formula is None


def test_a_circle_of_formulas_is_refused(site: Site) -> None:
    first, second = (site.lms.gradebook.items[site.create_line_item(label=name)] for name in ("a", "b"))
    first.id_number, second.id_number = "first", "second"
    site.lms.set_formula(first, "=[[second]]")
    with pytest.raises(InvalidFormulaError, match="circular"):
        site.lms.set_formula(second, "=[[first]]")


def test_an_ungraded_forum_cannot_be_named(site: Site) -> None:
    assert site.lms.item_of(site.forum) is None
    with pytest.raises(InvalidFormulaError):
        _mirror(site, "=[[forum1]]")


def test_the_coupled_column_takes_no_calculation(site: Site) -> None:
    badge = site.lms.save_activity(site.tool, site.course, ContentForm("Badge", is_graded=True))
    item = site.lms.item_of(badge)
    assert item is not None
    with pytest.raises(CalculationNotAllowedError, match="Calculations are not allowed"):
        site.lms.set_formula(item, "=[[quiz1]]")


@pytest.mark.parametrize(
    "formula, value",
    [
        ("=1+2*3^2", 19),
        ("=-(2+3)*2", -10),
        ("=min(100,floor(125/60)*100)", 100),
        ("=max(1,2,3)-sum(1,1)+average(2,4)", 4),
        ("=round(2.5)+mod(7,4)", 6),
        ("=if(or(1>2,2>=2),7,8)", 7),
        ("=ifthenelse(1==2,7,8)", 8),
        ("= 10 / 4", 2.5),
    ],
)
def test_arithmetic(formula: str, value: float) -> None:
    assert evaluate(parse(formula), {}) == pytest.approx(value)


def test_a_division_by_zero_gives_no_grade(site: Site) -> None:
    _native(site)
    mirror = _mirror(site, "=100/([[quiz1]]-100)*-1")
    assert site.scores_by_user(mirror.id) == {"6": 2, "7": 1}


def test_a_score_posted_to_a_mirror_overrides_it_for_good(site: Site) -> None:
    _native(site)
    mirror = _mirror(site)
    site.clock.tick(2)
    assert site.score(mirror.id, 5, 1).status_code == 200
    assert site.scores_by_user(mirror.id)["5"] == 10
    quiz = site.lms.item_of(site.quiz1)
    assert quiz is not None
    site.lms.set_grade(site.users["student1"], quiz, 55)
    assert site.scores_by_user(mirror.id)["5"] == 10
    site.lms.gradebook.remove_override(mirror, 5)
    assert site.scores_by_user(mirror.id)["5"] == 55


def _put(site: Site, item: GradeItem, maximum: float) -> int:
    return site.call(
        "PUT",
        f"/2/lineitems/{item.id}/lineitem?type_id=1",
        content_type="application/vnd.ims.lis.v2.lineitem+json",
        body={"scoreMaximum": maximum, "label": "Mirror renamed"},
    ).status_code


def test_another_maximum_rescales_and_kills_a_mirror(site: Site) -> None:
    _native(site)
    mirror = _mirror(site)
    assert _put(site, mirror, 10) == 200
    assert site.scores_by_user(mirror.id) == {"5": 10, "6": 5, "7": 0, "9": 10}
    site.lms.take_quiz(site.users["student3"], site.quiz1, 100)
    assert site.scores_by_user(mirror.id)["7"] == 0


def test_the_same_maximum_keeps_the_calculation_and_empties_what_is_left_out(site: Site) -> None:
    mirror = _mirror(site, tag="mirror", resourceId="key")
    assert _put(site, mirror, 100) == 200
    site.lms.take_quiz(site.users["student3"], site.quiz1, 90)
    assert site.scores_by_user(mirror.id) == {"7": 90}
    listed = site.call("GET", "/2/lineitems?type_id=1").json()[0]
    assert (listed["label"], listed["tag"], listed["resourceId"]) == ("Mirror renamed", "", "")


def test_a_teachers_override_wins_over_later_scores(site: Site) -> None:
    badge = site.lms.save_activity(site.tool, site.course, ContentForm("Badge", is_graded=True, maximum=10))
    item = site.lms.item_of(badge)
    assert item is not None
    site.score(item.id, 6, 2)
    site.clock.tick(30)
    site.lms.set_grade(site.users["student2"], item, 9.5, feedback="teacher says")
    site.clock.tick(30)
    assert site.score(item.id, 6, 2).status_code == 200
    (row,) = site.results(item.id)
    assert (row["resultScore"], row["comment"]) == (9.5, "teacher says")


def test_a_locked_column_answers_500(site: Site) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    item.is_locked = True
    answer = site.score(item.id, 5, 1)
    assert (answer.status_code, answer.json()) == (500, [])


def test_hidden_and_weightless_columns_are_read_all_the_same(site: Site) -> None:
    _native(site)
    mirror = _mirror(site)
    mirror.is_hidden, mirror.weight = True, 0.0
    assert len(site.results(mirror.id)) == 4
    assert len(site.call("GET", "/2/lineitems?type_id=1").json()) == 1


def test_a_new_column_counts_in_the_course_total_until_its_weight_is_zero(site: Site) -> None:
    _native(site)
    total = site.lms.gradebook.total_item(site.course.id)
    assert total is not None
    site.lms.gradebook.rows(total)
    before = total.maximum
    mirror = _mirror(site)
    site.lms.gradebook.rows(total)
    assert total.maximum == before + 100
    mirror.weight = 0.0
    site.lms.gradebook.rows(total)
    assert total.maximum == before


def test_the_formula_page_saves_lists_and_refuses(site: Site) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    site.lms.gradebook.items[3].id_number = ""
    teacher = site.person("teacher1")
    url = f"{LMS_URL}/grade/edit/tree/calculation.php?courseid=2&id={item.id}"
    page = teacher.get(url)
    assert "[[quiz1]]" in page.words
    assert "Edit calculation" in page.words
    refused = teacher.submit(page, {"calculation": "=[[nosuch]]"}, form="calculation", button="Save changes")
    assert "Invalid formula" in refused.words
    saved = teacher.submit(page, {"calculation": "=[[quiz1]]"}, form="calculation", button="Save changes")
    assert saved.url == f"{LMS_URL}/grade/report/grader/index.php?id=2"
    assert item.formula == "=[[quiz1]]"


def test_adding_id_numbers_throws_an_unsaved_formula_away(site: Site) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    site.lms.gradebook.items[3].id_number = ""
    teacher = site.person("teacher1")
    page = teacher.get(f"{LMS_URL}/grade/edit/tree/calculation.php?courseid=2&id={item.id}")
    page = teacher.submit(page, {"idnumber_3": "second"}, form="idnumbers", button="Add ID numbers")
    assert site.lms.gradebook.items[3].id_number == "second"
    assert item.formula is None
    assert page.form("calculation").fields["calculation"] == ""


def test_the_return_parameters_of_the_formula_page(site: Site) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    teacher = site.person("teacher1")
    query = f"courseid=2&id={item.id}&gpr_type=edit&gpr_plugin=tree&gpr_courseid=2&returnurl=http://localhost:9001/"
    page = teacher.get(f"{LMS_URL}/grade/edit/tree/calculation.php?{query}")
    saved = teacher.submit(page, {"calculation": "=1"}, form="calculation", button="Save changes")
    assert saved.url == f"{LMS_URL}/grade/edit/tree/index.php?id=2"


def test_weight_and_hidden_have_a_page_of_their_own(site: Site) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    teacher = site.person("teacher1")
    page = teacher.get(f"{LMS_URL}/grade/edit/tree/item.php?courseid=2&id={item.id}")
    fields = {"hidden": "1", "weightoverride": "1", "aggregationcoef2": "0"}
    teacher.submit(page, dict(fields), form="item", button="Save changes")
    assert (item.is_hidden, item.weight) == (True, 0)


def test_over_100_grade_rows_moodle_shows_its_recalculating_page_once(site: Site) -> None:
    for number in range(60):
        user = site.lms.add_user(f"more{number}", "More", f"Learner{number}")
        site.lms.enrol(user, site.course)
        site.lms.take_quiz(user, site.quiz1, 50)
    item = site.lms.gradebook.items[site.create_line_item()]
    teacher = site.person("teacher1")
    page = teacher.get(f"{LMS_URL}/grade/edit/tree/calculation.php?courseid=2&id={item.id}")
    page = teacher.submit(page, {"calculation": "=[[quiz1]]"}, form="calculation", button="Save changes")
    assert "Recalculating grades" in page.words
    page = teacher.follow(page, "Continue")
    assert "Grader report" in page.words


def test_only_editing_teachers_set_formulas_and_nobody_without_sesskey(site: Site) -> None:
    item = site.lms.gradebook.items[site.create_line_item()]
    url = f"{LMS_URL}/grade/edit/tree/calculation.php?courseid=2&id={item.id}"
    for username in ("noneditor1", "student1"):
        assert site.person(username).get(url).status == 404
    teacher = site.person("teacher1")
    page = teacher.get(url)
    assert teacher.submit(page, {"calculation": "=1", "sesskey": "wrong"}, form="calculation").status == 404
    assert item.formula is None


def test_typing_a_grade_overrides_only_the_cell_that_changed(site: Site) -> None:
    _native(site)
    teacher = site.person("teacher1")
    page = teacher.get(f"{LMS_URL}/grade/report/grader/index.php?id=2")
    teacher.submit(page, {"grade_6_2": "88"}, form="grader")
    quiz = site.lms.item_of(site.quiz1)
    assert quiz is not None
    rows = {row.user_id: row for row in site.lms.gradebook.rows(quiz)}
    assert (rows[6].final, rows[6].is_overridden) == (88, True)
    assert rows[5].is_overridden is False


def test_a_learner_takes_a_quiz_on_its_page(site: Site) -> None:
    learner = site.person("student4")
    page = learner.get(f"{LMS_URL}/mod/quiz/view.php?id={site.quiz1.id}")
    answers = {"q0": "true", "q1": "false", "q2": "true", "q3": "true", "q4": "true"}
    page = learner.submit(page, dict(answers), form="attempt")
    assert "80.00 out of 100.00" in page.words
