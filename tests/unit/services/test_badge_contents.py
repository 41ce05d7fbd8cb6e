"""What a badge says, part by part."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lti_tool.credentials.documents import Evidence, Result
from lti_tool.credentials.jsonld import canonicalise
from lti_tool.domain.criteria import (
    AllOf,
    AnyOf,
    Criterion,
    EvidenceAccepted,
    MeanAtLeast,
    ScoreAtLeast,
    Term,
)
from lti_tool.domain.evidence import Evidence as Facts
from lti_tool.domain.evidence import Fact, Score
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.badge_contents import (
    achievement_of,
    evidence_of,
    link_iri,
    profile_of,
    results_of,
)
from lti_tool.store.grounds import AcceptedLink
from lti_tool.store.micromodules import AchievementVersionView, AlignmentView, ResultDescriptionView
from tests.factories import NOW
from tests.unit.credentials.badges import badge

URLS = PublicUrls("https://badges.example")
QUIZ = ResultDescriptionView("quiz", "Quiz 1", "Percent", "60", "0", "100")
PORTFOLIO = EvidenceAccepted("portfolio", "Portfolio")
NOTHING = AllOf(())
VERSION = AchievementVersionView(
    id="v2",
    organisation_id="o",
    organisation_name="Example University",
    achievement_id="a",
    number=2,
    name="Maps",
    description="Reads maps.",
    criteria_narrative="Quiz 1: at least 60 %",
    skills=("Maps", "Compass"),
    language="en",
    image_alt="A map",
    created_at=NOW,
    issuer_id="i",
    issuer_name="Geography",
    issuer_url=None,
    issuer_email=None,
    issuer_description=None,
    shows_results=True,
    shows_evidence=True,
    result_descriptions=(QUIZ,),
    previous_id="v1",
)


def score(value: Any, maximum: Any = 100) -> Score:
    return Score(None if value is None else Decimal(value), Decimal(maximum), NOW, NOW)


def value_of(
    facts: Facts, described: ResultDescriptionView = QUIZ, criterion: Criterion = NOTHING
) -> str | None:
    version = replace(VERSION, result_descriptions=(described,))
    found = results_of(URLS, version, criterion, facts)
    assert all(one.result_description == "https://badges.example/achievements/v2#result-1" for one in found)
    return found[0].value if found else None


@pytest.mark.parametrize(
    "value,maximum,said",
    [
        (85, 100, "85"),
        ("85.50", 100, "85.5"),
        (100, 100, "100"),
        (0, 100, "0"),
        (2, 3, "66.66"),
        ("59.9999", 100, "59.99"),
        ("1e2", 200, "50"),
        (110, 100, "100"),
        (-5, 100, "0"),
        ("0.001", 100, "0"),
    ],
)
def test_a_share_is_cut_off_to_two_places_and_stays_within_what_its_description_says(
    value: Any, maximum: Any, said: str
) -> None:
    assert value_of(Facts({"quiz": score(value, maximum)})) == said


@pytest.mark.parametrize("facts", [{}, {"quiz": score(None)}, {"quiz": score(5, 0)}, {"other": score(5)}])
def test_what_was_not_known_is_not_said(facts: dict[str, Score]) -> None:
    assert value_of(Facts(facts)) is None


def test_points_are_points() -> None:
    points = ResultDescriptionView("quiz", "Quiz 1", "RawScore", "12")
    assert value_of(Facts({"quiz": score("17.25", 20)}), points) == "17.25"
    assert value_of(Facts({"quiz": score(1000, 20)}), points) == "1000"


def test_a_mean_is_weighed_as_it_was_when_it_was_decided() -> None:
    mean = MeanAtLeast("mean", "Both", (Term("one", "1", Decimal(3)), Term("two", "2")), Decimal(60))
    described = ResultDescriptionView("mean", "Both", "Percent", "60", "0", "100")
    facts = Facts({"one": score(80), "two": score(10, 20)})
    assert value_of(facts, described, AnyOf((mean,))) == "72.5"
    assert value_of(Facts({"one": score(80)}), described, AnyOf((mean,))) is None
    assert value_of(facts, described) is None, "criteria that no longer ask for it"


def test_a_badge_says_nothing_of_its_learner_unless_it_was_chosen_so() -> None:
    silent = replace(VERSION, shows_results=False, shows_evidence=False)
    facts = Facts({"quiz": score(85)}, {"portfolio": Fact(holds=True)})
    quiz = ScoreAtLeast("quiz", "Quiz 1", Decimal(60))
    assert results_of(URLS, silent, quiz, facts) == ()
    assert (
        evidence_of(URLS, silent, PORTFOLIO, facts, [AcceptedLink("portfolio", "https://x.example/")]) == ()
    )
    assert achievement_of(URLS, silent).result_descriptions == ()


# -- accepted work


def shown(*links: tuple[str, str], facts: dict[str, Fact] | None = None) -> tuple[Evidence, ...]:
    known = Facts({}, facts if facts is not None else {"portfolio": Fact(holds=True)})
    return evidence_of(URLS, VERSION, PORTFOLIO, known, [AcceptedLink(*link) for link in links])


def test_accepted_work_is_named_as_the_rule_is() -> None:
    assert shown(("portfolio", "https://x.example/my-maps")) == (
        Evidence(id="https://x.example/my-maps", name="Portfolio"),
    )


@pytest.mark.parametrize("facts", [{}, {"portfolio": Fact(holds=False)}, {"other": Fact(holds=True)}])
def test_work_that_the_decision_did_not_rest_on_is_not_shown(facts: dict[str, Fact]) -> None:
    assert shown(("portfolio", "https://x.example/"), ("other", "https://x.example/2"), facts=facts) == ()


@pytest.mark.parametrize(
    "url",
    [
        "https://badges.example/achievements/v2",
        "https://badges.example/issuers/i",
        "https://badges.example/status/1#5",
        "HTTPS://BADGES.example/achievements/v2",
        "https://badges.example:443/achievements/v2",
        "https://badges.example/%61chievements/v2",
    ],
)
def test_no_link_makes_one_thing_of_a_learners_work_and_something_of_ours(url: str) -> None:
    (one,) = shown(("portfolio", url))
    assert one == Evidence(name="Portfolio", narrative=url)


def test_one_link_for_two_rules_is_one_thing() -> None:
    both = AllOf((PORTFOLIO, EvidenceAccepted("essay", "Essay")))
    known = Facts({}, {"portfolio": Fact(holds=True), "essay": Fact(holds=True)})
    links = [AcceptedLink("essay", "https://x.example"), AcceptedLink("portfolio", "https://x.example/")]
    found = evidence_of(URLS, VERSION, both, known, links)
    assert found == (Evidence(id="https://x.example/", name="Essay"),)


@pytest.mark.parametrize(
    "url,iri",
    [
        ("https://x.example", "https://x.example/"),
        ("HTTP://X.Example:8080/A?b=c&d#e", "http://x.example:8080/A?b=c&d#e"),
        ("https://x.example/Übung 1", "https://x.example/%C3%9Cbung%201"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("https://x.example/100%", "https://x.example/100%25"),
        ("https://x.example/%zz%41", "https://x.example/%25zz%41"),
        ("https://x.example/#a#b", "https://x.example/#a%23b"),
        ("https://x.example?a[0]=1", "https://x.example/?a%5B0%5D=1"),
        ('https://x.example/<"{}|^`\\>', "https://x.example/%3C%22%7B%7D%7C%5E%60%5C%3E"),
        ("https://x.example/\U0001f600", "https://x.example/%F0%9F%98%80"),
        ("https://[::1]/x", None),
        ("https://x.example:port/", None),
        ("https:///x", None),
        ("javascript:alert(1)", None),
        ("ftp://x.example/", None),
        ("", None),
        ("x", None),
    ],
)
def test_links_are_written_so_that_every_reader_takes_them(url: str, iri: str | None) -> None:
    assert link_iri(url) == iri


@given(st.text(max_size=40))
def test_whatever_is_linked_to_can_be_signed_or_is_no_id(rest: str) -> None:
    for url in (rest, f"https://{rest}", f"https://x.example/{rest}"):
        iri = link_iri(url)
        if iri is not None:
            assert f"<{iri}>" in canonicalise(badge(evidence=[Evidence(id=iri, name="n")]))


# -- what is the same for everybody


def test_the_achievement_says_what_is_known_of_it() -> None:
    told = replace(
        VERSION,
        alignments=(
            AlignmentView("Cartography", "https://esco.example/1", "ESCO", "S1", "ceasn:Competency", "Draws"),
        ),
        credits=Decimal("2.50000000"),
        credit_unit="ects",
        human_code="GEO-1",
        field_of_study="Geography",
        achievement_type="Course",
    )
    found = achievement_of(URLS, told)
    (alignment,) = found.alignments
    assert (alignment.target_code, alignment.target_type, alignment.target_description) == (
        "S1",
        "ceasn:Competency",
        "Draws",
    )
    assert found.credits_available == 2.5
    assert (found.human_code, found.field_of_study, found.achievement_type) == (
        "GEO-1",
        "Geography",
        "Course",
    )
    assert found.tags == ("Maps", "Compass", "2.5 ECTS")
    (before,) = found.related
    assert (before.id, before.version) == ("https://badges.example/achievements/v1", "1")
    (described,) = found.result_descriptions
    assert (described.required_value, described.value_min, described.value_max) == ("60", "0", "100")


@pytest.mark.parametrize(
    "amount,unit,number,tag",
    [
        (Decimal(3), "hours", 3, "3 h"),
        (Decimal("3.00000000"), "other", 3, None),
        (Decimal("0.1"), "ects", 0.1, "0.1 ECTS"),
        # of which some verifiers make 8.300000000000001
        (Decimal("8.3"), "ects", None, "8.3 ECTS"),
        (Decimal("0.07"), "other", None, "0.07 credits"),
        (None, None, None, None),
    ],
)
def test_credits_are_a_number_and_their_unit_a_tag(
    amount: Decimal | None, unit: str | None, number: float | None, tag: str | None
) -> None:
    found = achievement_of(URLS, replace(VERSION, credits=amount, credit_unit=unit))
    assert found.credits_available == number
    assert type(found.credits_available) is type(number)
    assert found.tags == (("Maps", "Compass", tag) if tag else ("Maps", "Compass"))


def test_a_skill_that_is_named_like_the_credits_is_written_once() -> None:
    version = replace(VERSION, skills=("2 ECTS", "2 ECTS"), credits=Decimal(2), credit_unit="ects")
    assert achievement_of(URLS, version).tags == ("2 ECTS",)


def test_the_first_version_follows_nothing() -> None:
    assert achievement_of(URLS, replace(VERSION, number=1, previous_id=None)).related == ()


def test_the_issuer_has_a_picture_where_it_has_one() -> None:
    assert profile_of(URLS, VERSION).image_url is None
    pictured = profile_of(URLS, replace(VERSION, issuer_picture_id="p"))
    assert pictured.image_url == "https://badges.example/issuers/i.png"
    assert (pictured.id, pictured.url) == (
        "did:web:badges.example:issuers:i",
        "https://badges.example/issuers/i",
    )


def test_results_are_told_apart_by_their_place() -> None:
    version = replace(VERSION, result_descriptions=(QUIZ, ResultDescriptionView("two", "Quiz 2", "Percent")))
    found = results_of(URLS, version, AllOf(()), Facts({"two": score(9, 10)}))
    assert found == (Result("https://badges.example/achievements/v2#result-2", "90"),)
