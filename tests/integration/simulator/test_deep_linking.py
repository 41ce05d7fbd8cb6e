"""Deep linking: the tool's answer fills a form, and only Save makes anything (MOODLE.md §3)."""

from typing import Any

import pytest

from tests.integration.simulator.conftest import LMS_URL, TOOL_URL, Site
from tests.simulator.claims import CLAIM_AGS, CLAIM_NRPS

BADGE: dict[str, Any] = {
    "type": "ltiResourceLink",
    "title": "Badge: Data Basics",
    "text": "Intro <b>text</b>",
    "url": TOOL_URL + "/launch?badge=7",
    "custom": {"badge_id": "7", "Mixed-Case Key": "x=y=z", "ctx": "$Context.id", "unknown": "$Foo.bar"},
    "lineItem": {"scoreMaximum": 10, "label": "LI label", "resourceId": "badge-7", "tag": "badge"},
}
WALLET: dict[str, Any] = {"type": "ltiResourceLink", "title": "Wallet", "custom": {"view": "wallet"}}


def test_nothing_exists_before_save(site: Site) -> None:
    site.probe.content_items = [BADGE]
    teacher = site.person("teacher1")
    picker = teacher.deep_link(site.course)
    before = set(site.lms.activities)
    returned = teacher.return_selected(picker)
    assert returned.status == 200
    assert "Successfully fetched tool configuration" in returned.words
    assert set(site.lms.activities) == before
    assert [a.name for a in teacher.save_selected(picker)] == ["Badge: Data Basics"]


def test_the_first_request_in_a_course_brings_no_roster(site: Site) -> None:
    site.place(BADGE)
    assert CLAIM_NRPS not in site.probe.claims
    assert CLAIM_AGS in site.probe.claims
    site.place(BADGE)
    assert CLAIM_NRPS in site.probe.claims


def test_the_grade_item_takes_the_title_not_the_label(site: Site) -> None:
    (badge,) = site.place(BADGE)
    item = site.lms.item_of(badge)
    assert item is not None
    assert (item.label, item.maximum) == ("Badge: Data Basics", 10)
    assert item.service is not None
    assert (item.service.resource_id, item.service.tag) == ("badge-7", "badge")


def test_several_items_become_several_activities_whatever_their_type(site: Site) -> None:
    link = {"type": "link", "title": "A plain link", "url": "https://elsewhere.example/"}
    placed = site.place(BADGE, WALLET, link)
    assert [a.name for a in placed] == ["Badge: Data Basics", "Wallet", "A plain link"]
    assert [site.lms.item_of(a) is not None for a in placed] == [True, False, False]
    assert [a.tool_type_id for a in placed] == [1, 1, 1]


def test_a_link_without_line_item_has_no_lineitem_claim(site: Site) -> None:
    (wallet,) = site.place(WALLET)
    site.person("student1").launch(wallet.id)
    assert "lineitem" not in site.probe.claims[CLAIM_AGS]


def test_an_empty_selection_closes_silently(site: Site) -> None:
    assert site.place() == []


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({"iss": "somebody"}, "Consumer key is incorrect."),
        ({"exp": 1}, "Exception - Expired token"),
    ],
)
def test_a_bad_response_is_moodles_error_page(site: Site, overrides: dict[str, Any], message: str) -> None:
    site.probe.content_items, site.probe.response_overrides = [BADGE], overrides
    teacher = site.person("teacher1")
    page = teacher.return_selected(teacher.deep_link(site.course))
    assert page.status == 404
    assert message in page.words


def test_audience_nonce_and_deployment_of_a_response_are_not_checked(site: Site) -> None:
    """Moodle is kinder than the standard here, so the tool's own tests must check what it sends."""
    site.probe.content_items = [BADGE]
    site.probe.response_overrides = {
        "aud": "https://wrong",
        "https://purl.imsglobal.org/spec/lti/claim/deployment_id": "99",
    }
    teacher = site.person("teacher1")
    picker = teacher.deep_link(site.course)
    assert len(teacher.save_selected(picker)) == 1
    assert len(teacher.save_selected(picker)) == 1


def test_nested_custom_values_crash_moodles_page(site: Site) -> None:
    site.probe.content_items = [{**BADGE, "custom": {"nested": {"a": 1}}}]
    teacher = site.person("teacher1")
    page = teacher.return_selected(teacher.deep_link(site.course))
    assert page.status == 404
    assert "could not be converted to string" in page.words


def test_a_newline_in_a_custom_value_starts_another_parameter(site: Site) -> None:
    (badge,) = site.place({**BADGE, "custom": {"badge_id": "7\nrole=Instructor"}})
    site.person("student1").launch(badge.id)
    custom = site.probe.claims["https://purl.imsglobal.org/spec/lti/claim/custom"]
    assert custom["badge_id"] == "7"
    assert custom["role"] == "Instructor"


def test_an_error_message_is_shown_and_nothing_selected(site: Site) -> None:
    site.probe.content_items = [BADGE]
    site.probe.response_overrides = {"https://purl.imsglobal.org/spec/lti-dl/claim/errormsg": "Tool says no"}
    teacher = site.person("teacher1")
    picker = teacher.deep_link(site.course)
    assert "Tool says no" in teacher.return_selected(picker).words
    assert teacher.save_selected(picker) == []


def test_only_those_who_manage_activities_reach_the_picker(site: Site) -> None:
    for username in ("noneditor1", "student1"):
        page = site.person(username).deep_link(site.course)
        assert page.status == 404
        assert page.url.startswith(LMS_URL)
    assert site.probe.launches == []


def test_moodle_looks_at_the_activitys_url_when_it_is_saved(site: Site) -> None:
    fetched: list[str] = []
    read = site.lms.fetch

    def fetch(url: str) -> bytes:
        fetched.append(url)
        return read(url)

    site.lms.fetch = fetch
    site.place(BADGE)
    assert fetched == [TOOL_URL + "/jwks", TOOL_URL + "/launch?badge=7"]
