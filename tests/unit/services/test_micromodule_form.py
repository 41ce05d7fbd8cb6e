"""The form that describes a micromodule: nothing typed is lost, nothing unusable is saved."""

from __future__ import annotations

import dataclasses
import itertools
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
from lti_tool.services.criteria_rows import (
    GROUPS,
    MAXIMUM_ROWS,
    Combination,
    CriteriaRow,
    parse_moment,
    parse_number,
)
from lti_tool.services.criteria_tree import CriteriaNotShown, evidence_key, from_criterion, to_criterion
from lti_tool.services.form_problems import FormProblem, Problem
from lti_tool.services.micromodule_form import MicromoduleForm
from tests.factories import rule_fields
from tests.properties.criteria_strategies import NOW, usable_criteria

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
    assert MicromoduleForm.from_fields(fields).to_fields() == {**fields, "picture_id": ""}


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


# -- rules of every kind

GATE = {"criteria-1-kind": "gate", "criteria-1-label": "Took part"}
PERSON = {"criteria-2-kind": "attested", "criteria-2-label": "Talk given"}
EVIDENCE = {
    "criteria-3-kind": "evidence",
    "criteria-3-label": "Plan",
    "criteria-3-instructions": "Your own.\r\nAt most two pages.",
    "criteria-3-checklist": "Names a licence\r\n\r\n  Names a  licence\r\nNames a place ",
    "criteria-3-link": "on",
    "criteria-3-file": "on",
}
COMPLETED = {"criteria-4-kind": "completed", "criteria-4-choice": "m1", "criteria-4-label": "Maps I"}
HOLDS = {"criteria-5-kind": "holds", "criteria-5-choice": "a1", "criteria-5-label": "Maps badge"}
MEAN = {
    "criteria-6-kind": "mean",
    "criteria-6-label": "Mean",
    "criteria-6-channel": "mirror",
    "criteria-6-threshold": "70",
    "criteria-6-purpose": "summative",
    "criteria-6-terms": "quiz  1; 40\r\nEssay: part 1; 2; 60,5\r\n",
}
EVERY = (GATE, PERSON, EVIDENCE, COMPLETED, HOLDS, MEAN)


def test_every_kind_of_rule_becomes_its_leaf() -> None:
    read = form(*EVERY)
    assert read.problems() == ()
    kind = domain.EvidenceKind
    essay = evidence_key("Essay: part 1; 2")
    assert list(domain.leaves(read.criterion())) == [
        leaf("Quiz 1"),
        domain.GatePassed("gate:took-part", "Took part"),
        domain.Attested("attested:talk-given", "Talk given"),
        domain.EvidenceAccepted(
            "evidence:plan",
            "Plan",
            "Your own.\nAt most two pages.",
            ("Names a licence", "Names a place"),
            (kind.LINK, kind.FILE),
        ),
        domain.Completed("m1", "Maps I"),
        domain.HoldsAchievement("a1", "Maps badge"),
        domain.MeanAtLeast(
            "mean:mean",
            "Mean",
            (
                domain.Term("quiz-1", "Quiz 1", Decimal(40)),
                domain.Term(essay, "Essay: part 1; 2", Decimal("60.5")),
            ),
            Decimal(70),
        ),
    ]
    assert parse_criteria(dump_criteria(read.criterion())) == read.criterion()


def test_drafts_of_before_there_were_kinds_still_open() -> None:
    read = MicromoduleForm.from_fields({"name": "Old", **rule_fields(0), "group-A-combination": "any"})
    assert [row.kind for row in read.rows] == ["score"]
    assert read.rows[0] == CriteriaRow("Quiz 0")


@pytest.mark.parametrize(
    "rule,changes,field,code",
    [
        (GATE, {"label": ""}, "label", FormProblem.REQUIRED),
        (GATE, {"kind": "gate2"}, "kind", FormProblem.UNKNOWN_CHOICE),
        (GATE, {"group": "AA"}, "group", FormProblem.UNKNOWN_CHOICE),
        (GATE, {"after": "tomorrow"}, "after", FormProblem.NOT_A_DATE),
        (GATE, {"after": "2026-02-30"}, "after", FormProblem.NOT_A_DATE),
        (GATE, {"after": "0001-01-01T00:00+14:00"}, "after", FormProblem.NOT_A_DATE),
        (GATE, {"before": "9999-12-31T23:59-14:00"}, "before", FormProblem.NOT_A_DATE),
        (GATE, {"before": "20261122"}, "before", FormProblem.NOT_A_DATE),
        (GATE, {"after": "2026-11-02", "before": "2026-11-01"}, "before", FormProblem.DATES_SWAPPED),
        (PERSON, {"label": "x\u202ey"}, "label", FormProblem.CONTROL_CHARACTER),
        (PERSON, {"label": "nul\x00"}, "label", FormProblem.CONTROL_CHARACTER),
        (EVIDENCE, {"link": "", "file": "no"}, "text", FormProblem.NOTHING_ACCEPTED),
        (EVIDENCE, {"instructions": "i" * 2001}, "instructions", FormProblem.TOO_LONG),
        (EVIDENCE, {"checklist": "c" * 201}, "checklist", FormProblem.TOO_LONG),
        (EVIDENCE, {"checklist": "a\u2066b"}, "checklist", FormProblem.CONTROL_CHARACTER),
        (EVIDENCE, {"checklist": "\n".join(map(str, range(21)))}, "checklist", FormProblem.TOO_MANY),
        (COMPLETED, {"choice": ""}, "choice", FormProblem.REQUIRED),
        (HOLDS, {"choice": ""}, "choice", FormProblem.REQUIRED),
        (MEAN, {"terms": ""}, "terms", FormProblem.REQUIRED),
        (MEAN, {"terms": "Quiz 1"}, "terms", FormProblem.TERM_UNREADABLE),
        (MEAN, {"terms": "; 40"}, "terms", FormProblem.TERM_UNREADABLE),
        (MEAN, {"terms": "Quiz 1; 0"}, "terms", FormProblem.TERM_UNREADABLE),
        (MEAN, {"terms": "Quiz 1; 1001"}, "terms", FormProblem.TERM_UNREADABLE),
        (MEAN, {"terms": "Quiz 1; 1e9"}, "terms", FormProblem.TERM_UNREADABLE),
        (MEAN, {"terms": "Quiz 1; 1\nquiz  1; 2"}, "terms", FormProblem.TERM_TWICE),
        (MEAN, {"terms": "\n".join(f"Q{n}; 1" for n in range(51))}, "terms", FormProblem.TOO_MANY),
        (MEAN, {"terms": "Q\u202e; 1"}, "terms", FormProblem.CONTROL_CHARACTER),
        (MEAN, {"channel": "attest"}, "terms", FormProblem.LABEL_USED_TWICE),
        (MEAN, {"threshold": "101"}, "threshold", FormProblem.OUT_OF_RANGE),
        (MEAN, {"threshold": "9" * 5000}, "threshold", FormProblem.NOT_A_NUMBER),
        (MEAN, {"purpose": "award"}, "purpose", FormProblem.UNKNOWN_CHOICE),
    ],
)
def test_each_problem_of_each_kind_is_shown_at_its_field(
    rule: dict[str, str], changes: dict[str, str], field: str, code: FormProblem
) -> None:
    prefix = next(iter(rule)).rpartition("-")[0]
    changed = {**rule, **{f"{prefix}-{part}": value for part, value in changes.items()}}
    assert problems(changed) == [(f"criteria-1-{field}", code)]


def test_one_name_stands_for_one_thing_of_its_kind() -> None:
    other = {name.replace("-3-", "-7-"): value for name, value in EVIDENCE.items()}
    assert problems(EVIDENCE, other) == []
    assert problems(EVIDENCE, other | {"criteria-7-instructions": "Another."}) == [
        ("criteria-2-label", FormProblem.LABEL_USED_TWICE)
    ]
    # A gate, a person's word and a grade of one name are three things.
    alike = {"criteria-1-label": "Quiz 1", "criteria-2-label": "Quiz 1"}
    assert problems(GATE, PERSON, alike) == []


def test_the_empty_rule_of_a_new_form_asks_nothing_once_there_is_another() -> None:
    empty = rule_fields(0, label="")
    assert problems(empty) == [("criteria-0-label", FormProblem.REQUIRED)]
    assert form(empty, GATE).criterion() == domain.AllOf((domain.GatePassed("gate:took-part", "Took part"),))
    assert problems(empty, GATE) == problems(rule_fields(0, label="", channel="attest"), GATE) == []
    # Something was typed into it: it is not thrown away.
    assert problems(rule_fields(0, label="", threshold="70"), GATE) == [
        ("criteria-0-label", FormProblem.REQUIRED)
    ]


# -- dates


@pytest.mark.parametrize(
    "text,is_end,said",
    [
        ("2026-11-30", False, "2026-11-30T00:00:00+00:00"),
        ("2026-11-30", True, "2026-11-30T23:59:59+00:00"),
        ("2026-11-30T12:30", True, "2026-11-30T12:30:00+00:00"),
        ("2026-11-30 12:30:15", False, "2026-11-30T12:30:15+00:00"),
        ("2026-11-30T12:30Z", False, "2026-11-30T12:30:00+00:00"),
        ("2026-11-30T12:30+02:00", False, "2026-11-30T10:30:00+00:00"),
        ("1999-12-31", False, None),
        ("2200-01-01", False, None),
        ("2026-W48-1", False, None),
        ("٢٠٢٦-11-30", False, None),
        ("", False, None),
    ],
)
def test_dates_are_utc(text: str, is_end: bool, said: str | None) -> None:
    moment = parse_moment(text, is_end=is_end)
    assert (None if moment is None else moment.isoformat()) == said


def test_dates_stand_around_rules_and_groups() -> None:
    read = form(
        GATE | {"criteria-1-after": "2026-11-01", "criteria-1-group": "A"},
        PERSON | {"criteria-2-group": "A"},
        {"group-A-combination": "all", "group-A-before": "2026-11-30"},
    )
    assert read.problems() == ()
    start, end = parse_moment("2026-11-01"), parse_moment("2026-11-30", is_end=True)
    gate = domain.GatePassed("gate:took-part", "Took part")
    person = domain.Attested("attested:talk-given", "Talk given")
    assert read.criterion() == domain.AllOf(
        (leaf("Quiz 1"), domain.Within(domain.AllOf((domain.Within(gate, start), person)), None, end))
    )


# -- groups in groups


def test_groups_stand_in_groups_where_their_first_rule_stands() -> None:
    read = form(
        rule_fields(0, label="One", group="C"),
        rule_fields(1, label="Two", group="B"),
        rule_fields(2, label="Three"),
        rule_fields(3, label="Four", group="C"),
        {"group-C-combination": "all", "group-C-parent": "B"},
        {"group-B-combination": "at_least", "group-B-count": "2", "group-B-parent": ""},
        combination="any",
    )
    assert read.problems() == ()
    assert read.criterion() == domain.AnyOf(
        (
            domain.AtLeast(2, (domain.AllOf((leaf("One"), leaf("Four"))), leaf("Two"))),
            leaf("Three"),
        )
    )


@pytest.mark.parametrize("parents", [{"A": "A"}, {"A": "B", "B": "A"}, {"A": "B", "B": "C", "C": "A"}])
def test_no_group_stands_in_itself(parents: dict[str, str]) -> None:
    rows = [rule_fields(n, label=f"Q{n}", group=letter) for n, letter in enumerate(parents)]
    read = form(*rows, {f"group-{one}-parent": other for one, other in parents.items()})
    found = [(problem.field, problem.code) for problem in read.problems()]
    assert found == [(f"group-{letter}-parent", FormProblem.GROUP_IN_ITSELF) for letter in parents]
    assert MicromoduleForm.from_fields(read.to_fields()) == read
    with pytest.raises(ValueError, match="group"):
        read.criterion()


def test_a_group_in_one_that_has_no_rules_of_its_own_is_kept() -> None:
    read = form(rule_fields(0, group="A"), {"group-A-parent": "D", "group-D-combination": "all"})
    assert set(read.groups) == {"A", "D"}
    assert read.problems() == ()
    assert form(rule_fields(0, group="A"), {"group-A-parent": "ä"}).problems() == (
        Problem("group-A-parent", FormProblem.UNKNOWN_CHOICE),
    )


def test_nesting_has_an_end() -> None:
    letters = GROUPS[:6]
    parents = {f"group-{one}-parent": other for one, other in itertools.pairwise(letters)}
    read = form(rule_fields(0, group="A"), parents)
    (problem,) = read.problems()
    assert (problem.field, problem.code) == ("group-A-parent", FormProblem.TOO_DEEP)


def test_rules_and_terms_together_have_a_limit() -> None:
    terms = "\n".join(f"T{number}; 1" for number in range(30))
    many = [rule_fields(number) for number in range(10, 35)]
    (problem,) = form(MEAN | {"criteria-6-terms": terms}, *many).problems()
    assert (problem.field, problem.code) == ("criteria", FormProblem.TOO_MANY)


def test_ten_thousand_rows_get_an_answer() -> None:
    fields = {f"criteria-{number}-{part}": "x" for number in range(10_000) for part in ("label", "group")}
    read = MicromoduleForm.from_fields(fields)
    assert len(read.rows) == 1000
    assert [problem.code for problem in read.problems() if problem.field.startswith("criteria")] == [
        FormProblem.TOO_MANY
    ]


# -- a tree as rows


@given(usable_criteria)
def test_a_tree_is_shown_exactly_or_not_at_all(tree: domain.Criterion) -> None:
    if criteria_problems.problems(tree):
        return
    try:
        rules = from_criterion(tree)
    except CriteriaNotShown:
        return
    written = MicromoduleForm().with_rules(rules)
    assert MicromoduleForm.from_fields(written.to_fields()).rules == rules
    shown = dump_criteria(to_criterion(rules))
    again = dump_criteria(to_criterion(from_criterion(to_criterion(rules))))
    assert shown == again
    said, asked = list(domain.leaves(to_criterion(rules))), list(domain.leaves(tree))
    assert [replace_ids(one) for one in said] == [replace_ids(one) for one in asked]


def replace_ids(one: domain.Criterion) -> object:
    """A leaf without its evidence keys, which follow from the labels."""
    if isinstance(one, domain.MeanAtLeast):
        return dataclasses.replace(one, key="", terms=tuple(replace_key(term) for term in one.terms))
    if isinstance(one, domain.Completed | domain.HoldsAchievement):
        return (type(one), one.key)
    if isinstance(one, domain.EvidenceAccepted):
        return dataclasses.replace(one, key="", accepts=tuple(sorted(one.accepts)))
    return replace_key(one)


def replace_key(one: object) -> object:
    return dataclasses.replace(one, key="")  # type: ignore[type-var]


@pytest.mark.parametrize(
    "tree",
    [
        domain.AllOf((leaf("Quiz"), dataclasses.replace(leaf("Quiz"), key="other"))),
        domain.Within(domain.Within(leaf("Quiz"), NOW), None, NOW),
        domain.AllOf((leaf("Quiz  1"),)),
        domain.AllOf((domain.MeanAtLeast("m", "M", (domain.Term("a", "A; B\n"),), Decimal(50)),)),
        domain.AllOf(
            (
                domain.MeanAtLeast(
                    "m",
                    "M",
                    (domain.Term("a", "A"), domain.Term("b", "B", channel=domain.Channel.ATTEST)),
                    Decimal(50),
                ),
            )
        ),
        domain.AllOf((domain.EvidenceAccepted("e", "E", " indented"),)),
    ],
)
def test_what_rows_would_say_differently_is_refused(tree: domain.Criterion) -> None:
    with pytest.raises(CriteriaNotShown):
        from_criterion(tree)


def test_every_form_without_problems_comes_back_from_its_tree() -> None:
    read = form(
        *EVERY,
        {
            "criteria-1-group": "A",
            "criteria-2-group": "B",
            "group-B-parent": "A",
            "group-B-after": "2026-11-01",
        },
    )
    assert to_criterion(from_criterion(read.criterion())) == read.criterion()


def test_a_single_rule_is_put_into_a_combination() -> None:
    assert to_criterion(from_criterion(leaf("Quiz"))) == domain.AllOf((leaf("Quiz"),))
    dated = domain.Within(domain.AnyOf((leaf("A"), leaf("B"))), parse_moment("2026-11-01"))
    assert to_criterion(from_criterion(dated)) == domain.AllOf((dated,))
