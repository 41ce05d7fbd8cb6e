"""What badges say beside their rules, on the pages that show it and in the form that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.badge_states import BadgeState
from lti_tool.services.achievement_details import ACHIEVEMENT_TYPES, CREDIT_UNITS, DETAIL_FIELDS
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.store.micromodules import AchievementDetails
from lti_tool.web import badge_details
from lti_tool.web.wording import field_label
from tests.unit.web.detail_views import DETAILS, FORM_DETAILS, ISSUER_CHOICES
from tests.unit.web.form_views import FORM, PICKERS
from tests.unit.web.sample_views import NOW, PICKING, WALLETS
from tests.unit.web.samples import SECRET, Sample
from tests.unit.web.staff_views import HOLDERS

NEW = "/l/session-1/micromodules/new"
CSRF = f"csrf-of-{SECRET}"
BOXES = {"shows_results", "shows_evidence", "may_suspend"}
"""No value of a box is ever refused."""


@pytest.fixture
def speaking(app: Flask) -> Iterator[None]:
    """Within a request, which has a language."""
    with app.test_request_context():
        yield


@pytest.fixture
def picking(tool: Sample, member: FlaskClient) -> FlaskClient:
    """A teacher who adds a badge, in an organisation with several issuers."""
    tool.launching.view = PICKING
    tool.picker_view = replace(PICKERS["usual"], issuer_choices=ISSUER_CHOICES)
    return member


def soup_of(text: str) -> BeautifulSoup:
    return BeautifulSoup(text, "html5lib")


# -- words


@pytest.mark.parametrize(
    "amount, unit, words",
    [
        ("2.50", "ects", "2.5 ECTS"),
        ("30", "hours", "30 hours"),
        ("1", "hours", "1 hour"),
        ("1.0", "other", "1 credit"),
        ("0.5", "other", "0.5 credits"),
        ("3", None, "3 credits"),
    ],
)
def test_credits_are_counted_in_their_unit(speaking: None, amount: str, unit: str | None, words: str) -> None:
    assert badge_details.credit_words(Decimal(amount), unit) == words


@pytest.mark.parametrize(
    "months, words", [(1, "1 month"), (12, "1 year"), (18, "18 months"), (24, "2 years"), (600, "50 years")]
)
def test_whole_years_are_called_so(speaking: None, months: int, words: str) -> None:
    assert badge_details.duration_words(months) == words


def test_every_field_has_a_name_and_every_choice_a_word(speaking: None) -> None:
    named = {name: field_label(name) for name in (*DETAIL_FIELDS - BOXES, "alignments")}
    assert all(label != name for name, label in named.items())
    assert field_label("alignment-11-url") == "Skill 12, Web address"
    assert {unit for unit, _word in badge_details.unit_choices()} == set(CREDIT_UNITS)
    offered = dict(badge_details.type_choices("MicroCredential"))
    assert set(offered) <= set(ACHIEVEMENT_TYPES)
    assert len(set(offered.values())) == len(offered)


@pytest.mark.parametrize("chosen", ["BachelorDegree", "ext:Workshop"])
def test_a_kind_that_is_not_offered_stays_chosen(speaking: None, chosen: str) -> None:
    choices = badge_details.type_choices(chosen)
    assert choices[0] == (chosen, chosen.removeprefix("ext:"))


def test_only_what_is_shown_is_said(speaking: None) -> None:
    assert badge_details.shown_words(None) == badge_details.shown_words(AchievementDetails()) == ()
    assert badge_details.shown_words(replace(DETAILS, shows_evidence=False)) == (
        "Your results: Quiz 1, Essay",
    )
    nothing_graded = replace(DETAILS, result_descriptions=(), shows_evidence=False)
    assert badge_details.shown_words(nothing_graded) == (), "no result, nothing to tell"


@pytest.mark.parametrize("value, words", [("92.50", "92.5 %"), ("pass", "pass %"), ("NaN", "NaN %")])
def test_a_result_is_shown_whatever_it_says(speaking: None, value: str, words: str) -> None:
    assert badge_details.reached(value, is_percent=True) == words


# -- pages


def test_skills_lead_to_their_frameworks_and_nowhere_else(client: FlaskClient) -> None:
    page = soup_of(client.get("/credentials/detailed").text)
    chips = page.select(".chips .chip")
    assert [chip.get_text(" ", strip=True) for chip in chips][:2] == [
        "Revising",
        "Writing (opens in a new tab)",
    ]
    links = {str(link["href"]): link for link in page.select(".chips a")}
    assert set(links) == {one.target_url for one in DETAILS.alignments[:3]}
    for link in links.values():
        assert {"noopener", "noreferrer", "nofollow"} <= set(link["rel"])
    assert "javascript:" not in str(page)


def test_the_public_page_shows_what_was_signed_of_the_learner(client: FlaskClient) -> None:
    words = soup_of(client.get("/credentials/detailed").text).get_text(" ", strip=True)
    for shown in (
        "What was reached",
        "Quiz 1 92.5 %",
        "Essay 14",
        "Data management plan",
        "2.5 ECTS",
        "2 years",
    ):
        assert shown in words
    assert "What was reached" not in client.get("/credentials/credential-2").text


def test_learners_are_told_before_they_share(tool: Sample, member: FlaskClient) -> None:
    tool.wallet_view = WALLETS["details"]
    page = soup_of(member.get("/l/session-1/wallet").text)
    (private,) = (one for one in page.select("details.sharing") if "Only you" in one.get_text())
    words = private.get_text(" ", strip=True)
    assert words.index("Your results: Quiz 1, Essay") < words.index("Share this badge")
    assert "The badge will show whoever sees it:" in page.get_text()


def test_a_record_is_offered_where_a_badge_holds_only(app: Flask, tool: Sample, member: FlaskClient) -> None:
    """It holds none that has expired, is suspended or waits: the link would lead to nothing."""
    over = tuple(one for one in WALLETS["expired"].earned if one.state is not BadgeState.ACTIVE)
    waiting = (replace(over[0], award_id="award-9", credential_id=None, state=BadgeState.UNSIGNED),)
    detail = HOLDERS["usual"]
    past = tuple(one for one in detail.badges if one.state(NOW) is not BadgeState.ACTIVE)
    assert (len(over), len(past)) == (2, 4)
    tool.wallet_view = WALLETS["expired"]
    assert "/wallet/record.json" in member.get("/l/session-1/wallet").text
    tool.wallet_view = replace(WALLETS["expired"], earned=over + waiting)
    assert "/wallet/record." not in member.get("/l/session-1/wallet").text

    staff = app.test_client()
    staff.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    page = "/staff/holders/learner-1"
    assert f"{page}/record.json" in staff.get(page).text
    tool.overview.holder = lambda organisation_id, id_: replace(detail, badges=past)
    assert f"{page}/record." not in staff.get(page).text


# -- the form


def test_everything_typed_comes_back(picking: FlaskClient) -> None:
    typed = {**FORM, **FORM_DETAILS}
    page = soup_of(picking.post(NEW, data={**typed, "action": "preview", "csrf_token": CSRF}).text)
    form = page.select_one("form.describe")
    assert form is not None
    sent: dict[str, str] = {}
    for field in form.select("input[name], textarea[name]"):
        if field.get("type") != "checkbox" or field.has_attr("checked"):
            sent[str(field["name"])] = str(field.get("value", field.get_text().removeprefix("\n")))
    for select in form.select("select"):
        option = select.select_one("option[selected]") or select.select_one("option")
        assert option is not None
        sent[str(select["name"])] = str(option["value"])
    assert MicromoduleForm.from_fields(sent).details == MicromoduleForm.from_fields(typed).details


def test_who_signs_is_asked_only_where_there_is_a_choice(tool: Sample, picking: FlaskClient) -> None:
    assert 'name="issuer_id"' in picking.get(NEW).text
    tool.picker_view = replace(PICKERS["usual"], issuer_choices=ISSUER_CHOICES[:1])
    assert 'name="issuer_id"' not in picking.get(NEW).text


def test_the_section_is_closed_until_it_needs_somebody(picking: FlaskClient) -> None:
    page = soup_of(picking.get(NEW).text)
    assert not any(one.has_attr("open") for one in page.select("form.describe .panel > details"))
