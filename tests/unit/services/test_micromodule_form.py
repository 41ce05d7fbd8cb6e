"""The form that describes a micromodule: nothing typed is lost, nothing unusable is saved."""

from __future__ import annotations

import unicodedata
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.credentials.documents import (
    AchievementDocument,
    IssuerProfile,
    SubjectIdentity,
    build_credential,
)
from lti_tool.credentials.signing import sign_credential
from lti_tool.domain import criteria as domain
from lti_tool.domain import criteria_problems
from lti_tool.services.criteria_format import dump_criteria, parse_criteria
from lti_tool.services.micromodule_form import (
    GROUPS,
    MAXIMUM_ROWS,
    Combination,
    CriteriaRow,
    FormProblem,
    MicromoduleForm,
    Problem,
    evidence_key,
    parse_number,
)
from tests.factories import rule_fields
from tests.properties.criteria_strategies import NOW

GOOD = {
    "name": "Reading maps",
    "description": "Finding one's way.",
    "skills": "Map reading\nOrientation",
    "combination": "all",
    "at_least_count": "1",
    **rule_fields(0, label="Quiz 1"),
    "shape": "circle",
    "icon": "award",
    "background": "#113355",
    "foreground": "#ffffff",
    "text": "Maps",
    "image_alt": "A round badge with a map",
}


def form(*rows: dict[str, str], **changes: str) -> MicromoduleForm:
    fields = {**GOOD, **changes}
    for one in rows:
        fields.update(one)
    return MicromoduleForm.from_fields(fields)


def problems(*rows: dict[str, str], **changes: str) -> list[tuple[str, FormProblem]]:
    return [(problem.field, problem.code) for problem in form(*rows, **changes).problems()]


# -- round trips

NAMES = sorted(
    {
        *GOOD,
        *rule_fields(1),
        *rule_fields(30),
        "group-A-combination",
        "group-A-count",
        "group-E-count",
        "csrf",
    }
)
typed = st.text(max_size=30) | st.sampled_from(["A", "B", "at_least", "any", "percent", "mirror", "2", "60"])
any_fields = st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=20), typed)


@given(any_fields)
def test_what_was_read_survives_every_further_round(fields: dict[str, str]) -> None:
    read = MicromoduleForm.from_fields(fields)
    assert MicromoduleForm.from_fields(read.to_fields()) == read


@given(any_fields)
def test_any_input_gets_an_answer(fields: dict[str, str]) -> None:
    read = MicromoduleForm.from_fields(fields)
    if not read.problems():
        assert criteria_problems.problems(read.criterion()) == ()


def test_every_field_is_kept() -> None:
    fields = {**GOOD, **rule_fields(1, group="B", threshold="not a number"), **rule_fields(2, group="B")}
    fields |= {"group-B-combination": "at_least", "group-B-count": "two"}
    assert MicromoduleForm.from_fields(fields).to_fields() == fields


@given(
    st.lists(
        st.builds(
            CriteriaRow,
            st.text(min_size=1).map(str.strip),
            st.text(max_size=8).map(str.strip),
            st.text(max_size=8).map(str.strip),
            st.text(max_size=8).map(str.strip),
            st.text(max_size=8).map(str.strip),
            st.sampled_from(("", *GROUPS)),
        ),
        min_size=1,
        max_size=60,
    ).map(tuple)
)
def test_every_row_is_kept_in_order(rows: tuple[CriteriaRow, ...]) -> None:
    groups = {row.group: Combination("any", "1") for row in rows if row.group}
    written = MicromoduleForm(rows=rows, groups=groups)
    assert MicromoduleForm.from_fields(written.to_fields()).rows == rows


def test_rows_keep_their_order_by_number_and_gaps_close() -> None:
    read = form(rule_fields(12, label="Last"), rule_fields(3, label="Middle"))
    assert [one.label for one in read.rows] == ["Quiz 1", "Middle", "Last"]
    assert read.to_fields()["criteria-2-label"] == "Last"


def test_a_row_beyond_the_limit_is_kept_and_named() -> None:
    read = form(*(rule_fields(number) for number in range(MAXIMUM_ROWS + 1)))
    assert len(read.rows) == MAXIMUM_ROWS + 1
    assert Problem(f"criteria-{MAXIMUM_ROWS}-label", FormProblem.TOO_MANY, {"limit": MAXIMUM_ROWS}) in (
        read.problems()
    )
    assert form(*(rule_fields(number) for number in range(MAXIMUM_ROWS))).problems() == ()


@pytest.mark.parametrize(
    "name", ["criteria-1000-label", "criteria--1-label", "criteria-٣-label", "criteria-x"]
)
def test_names_that_the_page_never_makes_are_ignored(name: str) -> None:
    assert form({name: "Quiz 9"}) == form()


def test_line_ends_of_browsers_are_those_of_python() -> None:
    read = form(description="One.\r\nTwo.", skills="Maps\r\n\r\n  Compass \r\nMaps")
    assert read.description == "One.\nTwo."
    assert read.skill_list == ("Maps", "Compass")
    assert read.problems() == ()


# -- problems


def test_a_good_form_has_none() -> None:
    assert form().problems() == ()


@pytest.mark.parametrize(
    "changes,field,code",
    [
        ({"name": ""}, "name", FormProblem.REQUIRED),
        ({"name": " \t "}, "name", FormProblem.REQUIRED),
        ({"name": "n" * 201}, "name", FormProblem.TOO_LONG),
        ({"name": "nul\x00"}, "name", FormProblem.CONTROL_CHARACTER),
        ({"name": "\u200b\u2060"}, "name", FormProblem.CONTROL_CHARACTER),
        ({"description": "one\u2028two"}, "description", FormProblem.CONTROL_CHARACTER),
        ({"description": "d" * 2001}, "description", FormProblem.TOO_LONG),
        ({"description": "half \ud83d"}, "description", FormProblem.CONTROL_CHARACTER),
        ({"image_alt": "a" * 301}, "image_alt", FormProblem.TOO_LONG),
        ({"skills": "\n".join(map(str, range(21)))}, "skills", FormProblem.TOO_MANY),
        ({"skills": "s" * 101}, "skills", FormProblem.TOO_LONG),
        ({"skills": "a\rb"}, "skills", FormProblem.CONTROL_CHARACTER),
        ({"combination": "most"}, "combination", FormProblem.UNKNOWN_CHOICE),
        (
            {"combination": "at_least", "at_least_count": ""},
            "at_least_count",
            FormProblem.NOT_A_NUMBER,
        ),
        (
            {"combination": "at_least", "at_least_count": "-1"},
            "at_least_count",
            FormProblem.NOT_A_NUMBER,
        ),
        ({"combination": "at_least", "at_least_count": "0"}, "at_least_count", FormProblem.OUT_OF_RANGE),
        ({"combination": "at_least", "at_least_count": "2"}, "at_least_count", FormProblem.OUT_OF_RANGE),
        ({"criteria-0-label": ""}, "criteria-0-label", FormProblem.REQUIRED),
        ({"criteria-0-label": "l" * 201}, "criteria-0-label", FormProblem.TOO_LONG),
        ({"criteria-0-label": "bell\x07"}, "criteria-0-label", FormProblem.CONTROL_CHARACTER),
        ({"criteria-0-threshold": ""}, "criteria-0-threshold", FormProblem.NOT_A_NUMBER),
        ({"criteria-0-threshold": "1e3"}, "criteria-0-threshold", FormProblem.NOT_A_NUMBER),
        ({"criteria-0-threshold": "NaN"}, "criteria-0-threshold", FormProblem.NOT_A_NUMBER),
        ({"criteria-0-threshold": "-5"}, "criteria-0-threshold", FormProblem.NOT_A_NUMBER),
        ({"criteria-0-threshold": "0"}, "criteria-0-threshold", FormProblem.OUT_OF_RANGE),
        ({"criteria-0-threshold": "100.1"}, "criteria-0-threshold", FormProblem.OUT_OF_RANGE),
        (
            {"criteria-0-unit": "points", "criteria-0-threshold": "100001"},
            "criteria-0-threshold",
            FormProblem.OUT_OF_RANGE,
        ),
        ({"criteria-0-channel": "award"}, "criteria-0-channel", FormProblem.UNKNOWN_CHOICE),
        ({"criteria-0-unit": ""}, "criteria-0-unit", FormProblem.UNKNOWN_CHOICE),
        ({"criteria-0-purpose": "fun"}, "criteria-0-purpose", FormProblem.UNKNOWN_CHOICE),
    ],
)
def test_each_problem_is_shown_at_its_field(changes: dict[str, str], field: str, code: FormProblem) -> None:
    found = MicromoduleForm.from_fields({**GOOD, **changes}).problems()
    assert [(problem.field, problem.code) for problem in found] == [(field, code)]


def test_a_group_that_does_not_exist_is_refused() -> None:
    # The row stands in no group and not alone either, so nothing at all is left to combine.
    found = problems(rule_fields(0, group="ZZ"))
    assert ("criteria-0-group", FormProblem.UNKNOWN_CHOICE) in found


def test_a_group_is_counted_by_itself() -> None:
    grouped = (rule_fields(1, group="A"), rule_fields(2, group="A"))
    fits = {"group-A-combination": "at_least", "group-A-count": "2"}
    assert problems(*grouped, fits) == []
    assert problems(*grouped, fits | {"group-A-count": "3"}) == [("group-A-count", FormProblem.OUT_OF_RANGE)]
    assert problems(*grouped, {"group-A-combination": "none"}) == [
        ("group-A-combination", FormProblem.UNKNOWN_CHOICE)
    ]
    # Two things stand side by side: the first row, and the group.
    assert problems(*grouped, combination="at_least", at_least_count="2") == []
    assert problems(*grouped, combination="at_least", at_least_count="3") == [
        ("at_least_count", FormProblem.OUT_OF_RANGE)
    ]


def test_one_assessment_reaches_the_tool_in_one_way() -> None:
    assert problems(rule_fields(1, label="quiz  1", channel="attest")) == [
        ("criteria-1-label", FormProblem.LABEL_USED_TWICE)
    ]
    assert problems(rule_fields(1, label="quiz  1", threshold="80")) == []


def test_every_problem_is_told_at_once() -> None:
    fields = {problem.field for problem in MicromoduleForm().problems()}
    assert fields == {"name", "criteria-0-label"}


# -- text that would not be what it seems


@pytest.mark.parametrize(
    "mark", ["\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068", "\u2069"]
)
@pytest.mark.parametrize("field", ["name", "description", "skills", "image_alt", "criteria-0-label"])
def test_text_that_turns_its_neighbours_around_is_refused(field: str, mark: str) -> None:
    assert problems({field: f"Doctor{mark}gnp.exe"}) == [(field, FormProblem.CONTROL_CHARACTER)]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "{{ 7 * 7 }}",
        "%(name)s {0}",
        "=cmd|' /C calc'!A0",
        "قراءة الخرائط",
        "地图阅读",
        "👩‍🚀 Astronaut",
        "Ünïcödé e\u0301",
    ],
)
def test_text_is_kept_as_typed_whatever_it_looks_like(text: str) -> None:
    read = MicromoduleForm.from_fields(
        {name: text if name in ("name", "description") else value for name, value in GOOD.items()}
    )
    assert (read.name, read.description) == (text, text)
    assert read.problems() == ()


@pytest.mark.parametrize(
    "skills",
    [
        # A verifier of npm sorts these by UTF-16 unit and would refuse the signed badge.
        "\U0001f600\n\uff21",
        "\U0001f600 one\n\ufdfa two",
    ],
)
def test_skills_that_verifiers_would_sort_differently_are_refused(skills: str) -> None:
    assert problems(skills=skills) == [("skills", FormProblem.CONTROL_CHARACTER)]


class FakeSigner:
    verification_method = "did:web:badges.example:issuers:1#key-1"

    def sign(self, data: bytes) -> bytes:
        return data[:64]


characters = st.characters(codec="utf-8") | st.sampled_from(
    "\uff21\U0001f600\x00\x85\u2028\u200b\ufffe\r\n\t"
)
texts = st.text(characters, min_size=1, max_size=12)


@given(texts, texts, st.lists(texts, max_size=5), texts, texts)
def test_what_the_form_takes_can_be_signed(
    name: str, description: str, skills: list[str], alt: str, label: str
) -> None:
    read = form(
        {"criteria-0-label": label},
        name=name,
        description=description,
        skills="\n".join(skills),
        image_alt=alt,
    )
    if read.problems():
        return
    document = build_credential(
        credential_url="https://badges.example/credentials/1",
        issuer=IssuerProfile("did:web:badges.example:issuers:1", "School"),
        achievement=AchievementDocument(
            id="https://badges.example/achievements/1",
            name=read.name,
            description=read.description,
            criteria_narrative=f"At least 60 % in {next(domain.leaves(read.criterion())).label}.",
            image_url="https://badges.example/achievements/1.png",
            image_caption=read.image_alt,
            tags=read.skill_list,
        ),
        subject=SubjectIdentity.from_lti_user_id("7"),
        valid_from=NOW,
        awarded_at=NOW,
        status=None,
    )
    assert sign_credential(document, FakeSigner(), NOW).document["name"] == read.name
    assert parse_criteria(dump_criteria(read.criterion())) == read.criterion()


# -- what the rows mean


def leaf(label: str, threshold: str = "60", **changes: object) -> domain.ScoreAtLeast:
    return domain.ScoreAtLeast(evidence_key(label), label, Decimal(threshold), **changes)  # type: ignore[arg-type]


def test_one_row_is_still_a_combination() -> None:
    assert form().criterion() == domain.AllOf((leaf("Quiz 1"),))


def test_rows_and_groups_become_a_tree_in_which_a_group_stands_where_it_begins() -> None:
    read = form(
        rule_fields(0, label="Essay", group="B", channel="attest", purpose="formative"),
        rule_fields(1, label="Quiz 1", threshold="62,5"),
        rule_fields(2, label="Talk", group="B", channel="attest", unit="points", threshold="8"),
        rule_fields(3, label="Forum", group="A"),
        {"group-B-combination": "any", "group-A-combination": "at_least", "group-A-count": "1"},
        combination="at_least",
        at_least_count="2",
    )
    assert read.problems() == ()
    attest = domain.Channel.ATTEST
    assert read.criterion() == domain.AtLeast(
        2,
        (
            domain.AnyOf(
                (
                    leaf("Essay", channel=attest, purpose=domain.Purpose.FORMATIVE),
                    leaf("Talk", "8", channel=attest, unit=domain.Unit.POINTS),
                )
            ),
            leaf("Quiz 1", "62.5"),
            domain.AtLeast(1, (leaf("Forum"),)),
        ),
    )


def test_one_assessment_asked_for_twice_has_one_label() -> None:
    criterion = form(rule_fields(1, label=" QUIZ  1", threshold="80")).criterion()
    assert [leaf.label for leaf in domain.leaves(criterion)] == ["Quiz 1", "Quiz 1"]
    assert criteria_problems.problems(criterion) == ()


def test_artwork_is_what_was_chosen() -> None:
    assert form().artwork() == {
        "shape": "circle",
        "icon": "award",
        "background": "#113355",
        "foreground": "#ffffff",
        "text": "Maps",
        "alt": "A round badge with a map",
    }


# -- numbers and keys


@pytest.mark.parametrize(
    "text,number",
    [
        ("60", "60"),
        (" 62.5 ", "62.5"),
        ("62,5", "62.5"),
        ("0.00001", "0.00001"),
        ("٦٠", "60"),
        ("60%", None),
        ("6 0", None),
        ("1_000", None),
        ("1.000,5", None),
        ("0.00000001", "0.00000001"),
        ("0.000000001", None),
        ("+5", None),
        ("²", None),
        (".5", None),
        ("5.", None),
        ("0x10", None),
        ("9999999999", None),
        ("", None),
    ],
)
def test_numbers_as_people_type_them(text: str, number: str | None) -> None:
    assert parse_number(text) == (None if number is None else Decimal(number))


@pytest.mark.parametrize(
    "label,key",
    [("Quiz 1", "quiz-1"), ("  QUIZ   1 ", "quiz-1"), ("Quiz １", "quiz-1"), ("Essay", "essay")],
)
def test_plain_labels_make_readable_keys(label: str, key: str) -> None:
    assert evidence_key(label) == key


@pytest.mark.parametrize(
    "one,other",
    [
        ("C", "C++"),
        ("C#", "C++"),
        ("Quiz 1", "Quiz-1"),
        ("Quiz 1", "Quiz (1)"),
        ("Test 1.1", "Test 1-1"),
        ("Évaluation", "valuation"),
        ("Évaluation", "Èvaluation"),
        ("测验一", "测验二"),
        ("q" * 80, "q" * 81),
        ("!", "?"),
        ("測驗", evidence_key("測驗")),
        ("Quiz É", evidence_key("Quiz É")),
    ],
)
def test_different_labels_never_meet_in_one_column(one: str, other: str) -> None:
    assert evidence_key(one) != evidence_key(other)


@given(texts, texts)
def test_keys_are_equal_only_for_labels_that_read_alike(one: str, other: str) -> None:
    def folded(label: str) -> str:
        return " ".join(unicodedata.normalize("NFKC", label).casefold().split())

    assert (evidence_key(one) == evidence_key(other)) is (folded(one) == folded(other))
    assert 1 <= len(evidence_key(one)) <= 64


@pytest.mark.parametrize("label", ["", " ", "\t\n", "\u3000"])
def test_no_label_leads_to_the_key_of_the_award_column(label: str) -> None:
    assert evidence_key(label)


def test_rows_with_labels_that_only_look_alike_are_columns_of_their_own() -> None:
    read = form(
        rule_fields(0, label="C++"), rule_fields(1, label="C#", channel="attest"), rule_fields(2, label="C")
    )
    assert read.problems() == ()
    assert len({leaf.key for leaf in domain.leaves(read.criterion())}) == 3
