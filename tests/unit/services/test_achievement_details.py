"""What a badge says beside its rules: what was typed is kept, what cannot be signed is named."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.domain.criteria import AllOf, AnyOf, Attested, MeanAtLeast, ScoreAtLeast, Term, Unit
from lti_tool.services.achievement_details import (
    ACHIEVEMENT_TYPES,
    DETAIL_FIELDS,
    MAXIMUM_ALIGNMENTS,
    AlignmentFields,
    DetailsForm,
    is_web_address,
    result_descriptions,
)
from lti_tool.services.form_problems import FormProblem
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, ResultDescriptionView

QUIZ = ScoreAtLeast("quiz-1", "Quiz 1", Decimal("62.50"))
ESCO = "http://data.europa.eu/esco/skill/869fc2ce-478f-4420-8766-e1f02cec4fb2"
EVERYTHING = {
    "achievement_type": "Course",
    "credits": "2,5",
    "credit_unit": "ects",
    "human_code": "MM-101",
    "field_of_study": "Cartography",
    "validity_months": "24",
    "shows_results": "on",
    "shows_evidence": "on",
    "may_suspend": "on",
    "issuer_id": "1" * 32,
    "alignment-0-name": "Map reading",
    "alignment-0-url": ESCO,
    "alignment-0-framework": "ESCO",
    "alignment-0-code": "S1.2",
    "alignment-0-type": "ceasn:Competency",
    "alignment-1-name": "Orientation",
    "alignment-1-url": "https://skills.example/orientation",
}


def problems(**fields: str) -> list[tuple[str, FormProblem]]:
    typed = {name.replace("__", "-"): value for name, value in fields.items()}
    return [(found.field, found.code) for found in DetailsForm.from_fields(typed).problems()]


def test_everything_that_is_typed_is_stored_and_comes_back() -> None:
    form = DetailsForm.from_fields(EVERYTHING)
    assert list(form.problems()) == []
    details = form.to_details(QUIZ)
    assert details == AchievementDetails(
        achievement_type="Course",
        alignments=(
            AlignmentView("Map reading", ESCO, "ESCO", "S1.2", "ceasn:Competency"),
            AlignmentView("Orientation", "https://skills.example/orientation"),
        ),
        credits=Decimal("2.5"),
        credit_unit="ects",
        human_code="MM-101",
        field_of_study="Cartography",
        validity_months=24,
        shows_results=True,
        shows_evidence=True,
        result_descriptions=(ResultDescriptionView("quiz-1", "Quiz 1", "Percent", "62.5", "0", "100"),),
        status_purpose="suspension",
    )
    again = DetailsForm.from_details(AchievementDetails.from_columns(details.to_columns()), "1" * 32)
    assert again.to_details(QUIZ) == details


def test_nothing_typed_says_nothing() -> None:
    form = DetailsForm.from_fields({})
    assert form == DetailsForm()
    assert form.to_fields() == {}
    assert form.to_details(Attested("seen", "Seen")) == AchievementDetails()


@given(
    st.dictionaries(
        st.sampled_from(sorted(EVERYTHING))
        | st.from_regex(r"alignment-[0-9]{1,3}-(name|url)", fullmatch=True),
        st.text(max_size=20),
    )
)
def test_the_form_survives_every_round_trip(fields: dict[str, str]) -> None:
    once = DetailsForm.from_fields(fields)
    assert DetailsForm.from_fields(once.to_fields()) == once


def test_an_empty_row_waits_to_be_filled_and_is_not_stored() -> None:
    form = DetailsForm.from_fields(
        {"alignment-3-name": "", "alignment-7-name": "Maps", "alignment-7-url": ESCO}
    )
    assert form.alignments == (AlignmentFields(), AlignmentFields("Maps", ESCO))
    assert list(form.problems()) == []
    assert form.to_details(QUIZ).alignments == (AlignmentView("Maps", ESCO),)


def test_a_skill_that_is_there_twice_stands_once_and_first() -> None:
    rows = (AlignmentFields("A", ESCO), AlignmentFields("B", "https://b.example"), AlignmentFields("C", ESCO))
    stored = DetailsForm(alignments=rows).to_details(QUIZ).alignments
    assert [one.target_name for one in stored] == ["A", "B"]


@pytest.mark.parametrize(
    "fields, expected",
    [
        ({"achievement_type": "Nonsense"}, ("achievement_type", FormProblem.UNKNOWN_CHOICE)),
        ({"achievement_type": "ext:"}, ("achievement_type", FormProblem.UNKNOWN_CHOICE)),
        ({"credits": "many", "credit_unit": "ects"}, ("credits", FormProblem.NOT_A_NUMBER)),
        ({"credits": "-1", "credit_unit": "ects"}, ("credits", FormProblem.NOT_A_NUMBER)),
        ({"credits": "0", "credit_unit": "ects"}, ("credits", FormProblem.OUT_OF_RANGE)),
        ({"credits": "10000", "credit_unit": "ects"}, ("credits", FormProblem.OUT_OF_RANGE)),
        ({"credits": "1.005", "credit_unit": "ects"}, ("credits", FormProblem.OUT_OF_RANGE)),
        ({"credits": "5", "credit_unit": "apples"}, ("credit_unit", FormProblem.UNKNOWN_CHOICE)),
        ({"validity_months": "0"}, ("validity_months", FormProblem.OUT_OF_RANGE)),
        (
            {"validity_months": "6", "renewal_opens_days": "x"},
            ("renewal_opens_days", FormProblem.NOT_A_NUMBER),
        ),
        (
            {"validity_months": "6", "renewal_opens_days": "-1"},
            ("renewal_opens_days", FormProblem.NOT_A_NUMBER),
        ),
        (
            {"validity_months": "600", "renewal_opens_days": "3651"},
            ("renewal_opens_days", FormProblem.OUT_OF_RANGE),
        ),
        (
            {"validity_months": "1", "renewal_opens_days": "27"},
            ("renewal_opens_days", FormProblem.OUT_OF_RANGE),
        ),
        (
            {"validity_months": "", "renewal_opens_days": "30"},
            ("validity_months", FormProblem.REQUIRED),
        ),
        ({"renewal_closes_days": "30"}, ("renewal_opens_days", FormProblem.REQUIRED)),
        (
            {"validity_months": "6", "renewal_opens_days": "30", "renewal_closes_days": "9" * 5000},
            ("renewal_closes_days", FormProblem.OUT_OF_RANGE),
        ),
        ({"validity_months": "601"}, ("validity_months", FormProblem.OUT_OF_RANGE)),
        ({"validity_months": "9" * 5000}, ("validity_months", FormProblem.OUT_OF_RANGE)),
        ({"validity_months": "1.5"}, ("validity_months", FormProblem.NOT_A_NUMBER)),
        ({"validity_months": "٣"}, ("validity_months", FormProblem.NOT_A_NUMBER)),
        ({"human_code": "x" * 101}, ("human_code", FormProblem.TOO_LONG)),
        ({"human_code": "A\u202eB"}, ("human_code", FormProblem.CONTROL_CHARACTER)),
        ({"field_of_study": "x" * 201}, ("field_of_study", FormProblem.TOO_LONG)),
        ({"alignment__0__url": ESCO}, ("alignment-0-name", FormProblem.REQUIRED)),
        ({"alignment__0__name": "Maps"}, ("alignment-0-url", FormProblem.REQUIRED)),
        (
            {"alignment__0__name": "Maps", "alignment__0__url": "javascript:alert(1)"},
            ("alignment-0-url", FormProblem.NOT_A_URL),
        ),
        (
            {"alignment__0__name": "M", "alignment__0__url": ESCO, "alignment__0__type": "Skill"},
            ("alignment-0-type", FormProblem.UNKNOWN_CHOICE),
        ),
        (
            {"alignment__0__name": "M", "alignment__0__url": "https://a.example/" + "x" * 2000},
            ("alignment-0-url", FormProblem.TOO_LONG),
        ),
    ],
)
def test_what_cannot_be_stored_or_signed_is_named(
    fields: dict[str, str], expected: tuple[str, FormProblem]
) -> None:
    assert problems(**fields) == [expected]
    name = expected[0]
    assert name in DETAIL_FIELDS or name.startswith("alignment")


def test_there_is_a_limit_to_skills() -> None:
    rows = tuple(
        AlignmentFields("S", f"https://s.example/{number}") for number in range(MAXIMUM_ALIGNMENTS + 1)
    )
    assert [found.field for found in DetailsForm(alignments=rows).problems()] == ["alignments"]
    assert list(DetailsForm(alignments=(*rows[:-1], AlignmentFields())).problems()) == []


@pytest.mark.parametrize("kind", [*ACHIEVEMENT_TYPES, "ext:Micro.Course-2_b"])
def test_every_word_of_the_specification_may_be_chosen(kind: str) -> None:
    assert problems(achievement_type=kind) == []


@pytest.mark.parametrize(
    "url, is_one",
    [
        (ESCO, True),
        ("https://a.example", True),
        ("https://de.wikipedia.example/wiki/Prüfung", True),
        ("https://[2001:db8::1]/skill", False),
        ("https://", False),
        ("https:///skill", False),
        ("//a.example/x", False),
        ("ftp://a.example/x", False),
        ("data:text/html,x", False),
        ("https://user:word@a.example/", False),
        ("https://user@a.example/", False),
        ("https://a.example:port/", False),
        ("https://[::1/", False),
        ("https://a.example/<script>", False),
        ('https://a.example/"onclick', False),
        ("https://exаmple.com/", False),
    ],
)
def test_only_web_addresses_become_links(url: str, is_one: bool) -> None:
    assert is_web_address(url) is is_one


def test_an_address_is_signed_as_the_validators_take_it() -> None:
    rows = (AlignmentFields("Prüfung", "https://a.example/Prüfung[1]?q=a%20b&c=100%#c#d"),)
    assert list(DetailsForm(alignments=rows).problems()) == []
    (stored,) = DetailsForm(alignments=rows).to_details(QUIZ).alignments
    assert stored.target_url == "https://a.example/Pr%C3%BCfung%5B1%5D?q=a%20b&c=100%25#c%23d"
    again = (AlignmentFields("Prüfung", stored.target_url),)
    assert DetailsForm(alignments=again).to_details(QUIZ).alignments == (stored,)


def test_the_descriptions_of_results_follow_the_rules() -> None:
    mean = MeanAtLeast(
        "mean-1", "All quizzes", (Term("quiz-1", "Quiz 1"), Term("quiz-2", "Quiz 2")), Decimal(70)
    )
    points = ScoreAtLeast("essay", "Essay", Decimal(12), Unit.POINTS)
    found = result_descriptions(AllOf((mean, AnyOf((Attested("seen", "Seen"), points)), QUIZ)))
    assert found == (
        ResultDescriptionView("mean-1", "All quizzes", "Percent", "70", "0", "100"),
        ResultDescriptionView("essay", "Essay", "RawScore", "12", "0"),
        ResultDescriptionView("quiz-1", "Quiz 1", "Percent", "62.5", "0", "100"),
    )


def test_what_is_asked_for_twice_has_one_description_and_no_one_threshold() -> None:
    twice = AnyOf((ScoreAtLeast("q", "Quiz", Decimal(60)), ScoreAtLeast("q", "quiz", Decimal(80))))
    assert result_descriptions(twice) == (ResultDescriptionView("q", "Quiz", "Percent", None, "0", "100"),)
    same = AnyOf((ScoreAtLeast("q", "Quiz", Decimal(60)), ScoreAtLeast("q", "Quiz", Decimal("60.0"))))
    assert result_descriptions(same)[0].required_value == "60"


def test_a_window_of_renewal_is_stored_and_read_back() -> None:
    form = DetailsForm.from_fields(
        {"validity_months": "1", "renewal_opens_days": "26", "renewal_closes_days": "0"}
    )
    assert list(form.problems()) == []
    details = form.to_details(ScoreAtLeast("quiz", "Quiz", Decimal(60)))
    assert (details.validity_months, details.renewal_opens_days, details.renewal_closes_days) == (1, 26, 0)
    again = DetailsForm.from_details(details)
    assert DetailsForm.from_fields(again.to_fields()) == again
    assert (again.renewal_opens_days, again.renewal_closes_days) == ("26", "0")
