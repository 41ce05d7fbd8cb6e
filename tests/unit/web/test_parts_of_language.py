"""What people wrote keeps its own language and direction on a page of another (WCAG 3.1.2)."""

from __future__ import annotations

from dataclasses import replace

from bs4 import BeautifulSoup
from flask.testing import FlaskClient

from lti_tool.services.public import PublicAchievement
from tests.unit.web.sample_views import ACHIEVEMENT, DOCUMENT, PICKING
from tests.unit.web.samples import Sample


def test_an_achievement_says_its_language(client: FlaskClient, tool: Sample) -> None:
    arabic = replace(ACHIEVEMENT, language="ar", name="مبادئ البيانات المفتوحة")
    tool.public.achievement = lambda _: PublicAchievement(arabic, DOCUMENT)  # type: ignore[method-assign]
    page = BeautifulSoup(client.get(f"/achievements/{arabic.id}").text, "html5lib")
    assert (page.html["lang"], page.h1["lang"]) == ("en", "ar")
    assert page.select_one(".diploma-description")["lang"] == "ar"
    assert page.select_one(".diploma-description bdi") is not None


def test_fields_follow_what_is_typed(member: FlaskClient, tool: Sample) -> None:
    tool.launching.view = PICKING
    page = BeautifulSoup(member.get("/l/session-1/micromodules/new").text, "html5lib")
    assert [page.select_one(f"#{name}")["dir"] for name in ("name", "description")] == ["auto", "auto"]
