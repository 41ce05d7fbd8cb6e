"""Which language a page speaks, and that no sentence escaped the translators."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.web.i18n import best_match
from tests.translations import write_pseudo_locale
from tests.unit.web import ending_views, pathway_views
from tests.unit.web.conftest import LintingClient
from tests.unit.web.form_views import PICKERS
from tests.unit.web.sample_views import (
    COURSES,
    CREDENTIAL,
    LONG_WORD,
    PICKING,
    WALLETS,
    session,
    visitor,
)
from tests.unit.web.samples import SECRET, Sample, sample_app

AVAILABLE = {"en": "en", "de": "de", "pt_BR": "pt_BR", "ar": "ar"}


@pytest.mark.parametrize(
    "tag, language",
    [
        ("de", "de"),
        ("de-AT", "de"),
        ("de_du", "de"),
        ("de_kids", "de"),
        ("en_us_k12", "en"),
        ("pt-br", "pt_BR"),
        ("pt", None),
        ("fr", None),
        ("../../etc", None),
        ("", None),
        ("x" * 5000, None),
        ("zh-Hant-TW-x-very-long", None),
    ],
)
def test_the_nearest_catalogue(tag: str, language: str | None) -> None:
    assert best_match(tag, AVAILABLE) == language


@pytest.fixture(scope="module")
def pseudo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pseudo_locale(tmp_path_factory.mktemp("pseudo"))


@pytest.fixture
def app(tool: Sample, pseudo: Path) -> Flask:
    app = sample_app(tool, RATELIMIT_ENABLED=False, BABEL_TRANSLATION_DIRECTORIES=str(pseudo))
    app.test_client_class = LintingClient
    return app


def test_the_launch_decides_before_the_browser(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(locale="ar")
    page = member.get("/l/session-1/wallet", headers={"Accept-Language": "en"}).text
    assert '<html lang="ar" dir="rtl">' in page


def test_without_a_launch_the_browser_decides(client: FlaskClient) -> None:
    assert '<html lang="ar" dir="rtl">' in client.get("/verify", headers={"Accept-Language": "ar-EG"}).text
    assert '<html lang="en" dir="ltr">' in client.get("/verify", headers={"Accept-Language": "fr"}).text
    assert '<html lang="en" dir="ltr">' in client.get("/verify").text


_SAMPLE_TEXT = re.compile(
    r"Ada Lovelace|Olivia Owner|Alan Turing|Emmy Noether|Katherine Johnson|Mary Jackson"
    r"|Research Data( Management)?"
    r"|Research Ethics|Academic Writing|Example University|Data management|Data skills|FAIR principles"
    r"|Quiz \d"
    r"|Essay|Peer review|Forum and page|Took part in the forum|Forum|Presentation|Field report|Course work"
    r"|Please name your sources\.|The second page is missing"
    r"|Plans, documents and shares research data responsibly|Writes and revises a short academic text"
    r"|Recognises and discusses ethical questions of research|Issued by mistake|Writing|Half a thought"
    r"|Micromodule (Explorer|Learner)|Open Data Basics|Statistics|A compass|A hat"
    r"|manage research data|Of before addresses were checked|Skills of Example|ESCO \d|Under review\."
    r"|Donaudampfschifffahrtsgesellschaftskapitänsausbildungsgrundlagen"
    rf"|{LONG_WORD}|A green hexagon with a database|The badge|[a-z]+(?:_[a-z]+)+|https?://\S+|=\[\[quiz1\]\]"
)


def plain_words(html: str) -> list[str]:
    """Texts of a page that are neither translated nor data."""
    page = BeautifulSoup(html, "html5lib")
    for element in page.find_all(["script", "code"]):
        element.decompose()
    spoken = list(page.stripped_strings)
    spoken += [
        str(element[name])
        for name in ("alt", "aria-label", "placeholder", "title")
        for element in page.find_all(attrs={name: True})
    ]
    # What the pseudo-locale wrote stands in brackets, and may hold data and other brackets.
    found = []
    for text in spoken:
        rest = re.sub(r"⟦.*⟧|⟦.*|.*⟧", "", text)
        if re.search(r"[A-Za-z]{3}", _SAMPLE_TEXT.sub("", rest)):
            found.append(text)
    return found


@pytest.mark.parametrize("state", WALLETS)
def test_the_wallet_speaks_one_language(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(locale="ar")
    tool.wallet_view = WALLETS[state]
    assert plain_words(member.get("/l/session-1/wallet").text) == []


_STEPS = re.compile(
    r"Data (Basics|Ethics|for All)|Caring for( Research)?( Data)?"
    r"|(Research Data )?Steward( of the( University)?)?"
    r"|Part \d of a( long way| crowd| long)?|The end of the crowd|What was deleted|Head of Data|Archives"
    r"|An old one|A badge|at last|^way$|^Data$|Donaudampf\w+"
)


def _without_steps(words: list[str]) -> list[str]:
    return [text for text in words if re.search(r"[A-Za-z]{3}", _STEPS.sub("", _SAMPLE_TEXT.sub("", text)))]


@pytest.mark.parametrize("state", pathway_views.PATHS)
def test_ways_speak_one_language(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(locale="ar")
    tool.path_view = pathway_views.PATHS[state]
    assert _without_steps(plain_words(member.get("/l/session-1/wallet/path/achievement-1").text)) == []


@pytest.mark.parametrize("state", pathway_views.ALL_PATHWAYS)
def test_all_pathways_speak_one_language(state: str, app: Flask, tool: Sample) -> None:
    tool.pathway_page = pathway_views.ALL_PATHWAYS[state]
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    main = client.get("/staff/pathways", headers={"Accept-Language": "ar"}).text
    assert _without_steps(plain_words(main)) == []


@pytest.mark.parametrize("state", pathway_views.WALLETS)
def test_what_badges_open_and_what_gave_none_speaks_one_language(
    state: str, member: FlaskClient, tool: Sample
) -> None:
    tool.launching.view = session(locale="ar")
    tool.wallet_view = pathway_views.WALLETS[state]
    assert _without_steps(plain_words(member.get("/l/session-1/wallet").text)) == []


@pytest.mark.parametrize("state", ending_views.WALLETS)
def test_reminders_speak_one_language(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session(locale="ar")
    tool.wallet_view = ending_views.WALLETS[state]
    assert plain_words(member.get("/l/session-1/wallet").text) == []


def test_the_list_of_badges_that_end_speaks_one_language(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = replace(visitor("usual"), locale="ar")
    assert plain_words(member.get("/l/session-1/course/ending").text) == []


@pytest.mark.parametrize("state", COURSES)
def test_the_course_page_speaks_one_language(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = replace(visitor(state), locale="ar")
    tool.course_view = COURSES[state]
    assert plain_words(member.get("/l/session-1/course").text) == []


@pytest.mark.parametrize("state", PICKERS)
def test_deep_linking_speaks_one_language(state: str, member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = replace(PICKING, locale="ar")
    tool.picker_view = PICKERS[state]
    assert plain_words(member.get("/l/session-1/picker?all=yes").text) == []
    assert plain_words(member.get("/l/session-1/micromodules/new").text) == []


def test_refusals_speak_one_language(client: FlaskClient, tool: Sample) -> None:
    assert plain_words(client.get("/l/other/wallet", headers={"Accept-Language": "ar"}).text) == []
    tool.launching.view = session(locale="ar")
    client.set_cookie("lti_session_session-1", SECRET, path="/l/session-1/", domain="localhost")
    assert plain_words(client.get("/l/session-1/course").text) == []


def test_a_kept_public_page_is_of_one_language(client: FlaskClient) -> None:
    path = f"/credentials/{CREDENTIAL.id}"
    for language in ("ar", "en", "ar"):
        page = client.get(path, headers={"Accept-Language": language}).text
        assert f'<html lang="{language}"' in page
