"""What people wrote keeps its own language and direction on a page of another (WCAG 3.1.2)."""

from __future__ import annotations

from dataclasses import replace

from bs4 import BeautifulSoup
from flask import Flask
from flask.testing import FlaskClient

from lti_tool.domain.staff import StaffRole
from lti_tool.services.public import PublicAchievement
from tests.gallery.account_pages import ACCOUNTS
from tests.unit.web.account_views import OTHER, PERSONS
from tests.unit.web.sample_views import ACHIEVEMENT, DOCUMENT, PICKING, session
from tests.unit.web.samples import SECRET, Sample
from tests.unit.web.staff_views import staff


def test_an_achievement_says_its_language(client: FlaskClient, tool: Sample) -> None:
    arabic = replace(ACHIEVEMENT, language="ar", name="مبادئ البيانات المفتوحة")
    tool.public.achievement = lambda _: PublicAchievement(arabic, DOCUMENT)  # type: ignore[method-assign]
    page = BeautifulSoup(client.get(f"/achievements/{arabic.id}").text, "html5lib")
    assert (page.html["lang"], page.h1["lang"]) == ("en", "ar")
    assert page.select_one(".diploma-description")["lang"] == "ar"
    assert page.select_one(".diploma-description bdi") is not None


def test_names_of_milestones_and_of_people_have_a_direction_of_their_own(app: Flask, tool: Sample) -> None:
    tool.staffing.view = staff(StaffRole.EDITOR)
    client = app.test_client()
    client.set_cookie("staff_session", SECRET, path="/staff", domain="localhost")
    path = "/staff/milestones/milestone-1"
    page = BeautifulSoup(client.get("/staff/milestones").text, "html5lib")
    links = page.select(f'tbody a[href^="{path}"]')
    assert links
    assert all(link.find("bdi") for link in links)
    page = BeautifulSoup(client.get(path).text, "html5lib")
    assert page.h1.bdi.text == tool.milestones.page.view.name
    assert page.title.text == f"{page.h1.bdi.text} · Badges", "and no tag in the title"
    page = BeautifulSoup(client.get(f"{path}/dry-run").text, "html5lib")
    people = page.select("tbody [role=rowheader], tbody th")
    assert people
    people += [*page.select("tbody summary"), *page.select(".eyebrow")]
    assert all(named.find("bdi") for named in people)


def test_a_platform_in_a_sentence_has_a_direction_of_its_own(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = session()
    tool.persons.view = lambda _session: PERSONS["asked"]
    page = BeautifulSoup(member.get(ACCOUNTS).text, "html5lib")
    (sentence,) = [one for one in page.select("p") if "within" in one.text]
    assert sentence.bdi.text == OTHER.platform


def test_fields_follow_what_is_typed(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = PICKING
    page = BeautifulSoup(member.get("/l/session-1/micromodules/new").text, "html5lib")
    assert [page.select_one(f"#{name}")["dir"] for name in ("name", "description")] == ["auto", "auto"]
