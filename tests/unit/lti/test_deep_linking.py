"""The deep linking response, as a platform reads it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from html.parser import HTMLParser
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.domain.windows import Window
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.lti import claims
from lti_tool.lti.deep_linking import (
    ContentItem,
    HtmlItem,
    ImageItem,
    LinkItem,
    PageItem,
    Picture,
    Words,
    build_response,
    takes,
)
from lti_tool.lti.grades import LineItemSpec
from lti_tool.lti.registration import CANVAS_CHOOSING
from tests.unit.lti.tokens import LTI, MOODLE, NOW, rsa_key

DL = "https://purl.imsglobal.org/spec/lti-dl/claim/"
SETTINGS = DeepLinkingSettings(
    return_url="https://moodle.example/return",
    accept_types=("ltiResourceLink",),
    accept_multiple=True,
    accept_line_item=None,
    data=None,
)
BADGE = LinkItem(
    title="Open Data",
    text="Read, then take the quiz.",
    url="https://badges.example/lti/launch",
    custom={"badge_link_key": "k-1", "badge_link_role": "badge"},
    line_item=LineItemSpec("Open Data", Decimal(1), "k-1", "award"),
)


@dataclass(frozen=True)
class Key:
    kid: str = "tool-1"

    @property
    def private_pem(self) -> str:
        return (
            rsa_key("tool")
            .private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
            .decode()
        )


def read(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and body of a token whose signature holds."""
    signed, _, signature = token.rpartition(".")
    raw = base64.urlsafe_b64decode(signature + "==")
    rsa_key("tool").public_key().verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
    header, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in signed.split("."))
    return header, body


def answer(*items: ContentItem, words: Words | None = None, **settings: Any) -> dict[str, Any]:
    token = build_response(MOODLE, "1", replace(SETTINGS, **settings), items, Key(), NOW, words)
    return read(token)[1]


def test_the_response_is_signed_and_addressed() -> None:
    header, body = read(build_response(MOODLE, "1", SETTINGS, [BADGE], Key(), NOW))
    assert (header["alg"], header["kid"]) == ("RS256", "tool-1")
    nonce = body.pop("nonce")
    assert len(nonce) >= 32
    assert body == {
        "iss": "client-1",
        "aud": "https://moodle.example",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 300,
        LTI + "deployment_id": "1",
        LTI + "message_type": "LtiDeepLinkingResponse",
        LTI + "version": "1.3.0",
        DL + "content_items": [
            {
                "type": "ltiResourceLink",
                "title": "Open Data",
                "text": "Read, then take the quiz.",
                "url": "https://badges.example/lti/launch",
                "custom": {"badge_link_key": "k-1", "badge_link_role": "badge"},
                "lineItem": {"label": "Open Data", "scoreMaximum": 1, "resourceId": "k-1", "tag": "award"},
            }
        ],
    }


@pytest.mark.parametrize("data", ["", "opaque", "a&b=c"])
def test_data_is_echoed_if_and_only_if_it_was_sent(data: str) -> None:
    assert answer(BADGE, data=data)[DL + "data"] == data
    assert DL + "data" not in answer(BADGE, data=None)


def test_a_cancelled_request_is_answered_with_nothing_and_a_word() -> None:
    body = answer(words=Words(message="Nothing was\nadded.", log="cancelled"))
    assert body[DL + "content_items"] == []
    assert (body[DL + "msg"], body[DL + "log"]) == ("Nothing was added.", "cancelled")
    assert not {DL + name for name in ("msg", "log", "errormsg", "errorlog")} & answer().keys()


def test_what_failed_is_told_to_the_person_and_to_the_log() -> None:
    body = answer(words=Words(error="It was changed\r\nmeanwhile.", error_log="conflict"))
    assert (body[DL + "errormsg"], body[DL + "errorlog"]) == ("It was changed meanwhile.", "conflict")
    assert DL + "msg" not in body


def test_no_more_items_than_the_platform_takes() -> None:
    assert len(answer(BADGE, BADGE)[DL + "content_items"]) == 2
    with pytest.raises(RequestInvalid) as refused:
        answer(BADGE, BADGE, accept_multiple=False)
    assert refused.value.code is ErrorCode.DEEP_LINKING_TYPE_REFUSED
    assert len(answer(BADGE, accept_multiple=False)[DL + "content_items"]) == 1


def test_no_type_that_the_platform_does_not_take() -> None:
    with pytest.raises(RequestInvalid) as refused:
        answer(BADGE, accept_types=("html", "link"))
    assert refused.value.code is ErrorCode.DEEP_LINKING_TYPE_REFUSED
    assert answer(accept_types=("html",))[DL + "content_items"] == []


def test_a_custom_value_cannot_smuggle_in_another_parameter() -> None:
    """Moodle keeps custom parameters as lines "name=value"."""
    item = replace(BADGE, custom={"badge_link_key": "k\nroles=Instructor\r\nx=y\u2028z=1"})
    (sent,) = answer(item)[DL + "content_items"]
    assert sent["custom"] == {"badge_link_key": "k roles=Instructor x=y z=1"}


def test_titles_and_labels_are_one_line() -> None:
    item = replace(BADGE, title="A\nB", line_item=LineItemSpec("A\tB", Decimal("2.5"), "k", "award"))
    (sent,) = answer(item)[DL + "content_items"]
    assert sent["title"] == "A B"
    assert (sent["lineItem"]["label"], sent["lineItem"]["scoreMaximum"]) == ("A B", 2.5)


def test_a_column_is_left_out_where_the_platform_takes_none() -> None:
    assert "lineItem" not in answer(BADGE, accept_line_item=False)[DL + "content_items"][0]
    assert "lineItem" in answer(BADGE, accept_line_item=True)[DL + "content_items"][0]
    assert "lineItem" not in answer(replace(BADGE, line_item=None))[DL + "content_items"][0]


CANVAS = {
    "assignment_selection": (("ltiResourceLink",), False),
    "link_selection": (("ltiResourceLink",), True),
    "editor_button": (("link", "file", "html", "ltiResourceLink", "image"), True),
    "course_assignments_menu": (("ltiResourceLink",), True),
    "module_index_menu_modal": (("ltiResourceLink",), True),
    "module_menu_modal": (("ltiResourceLink",), True),
}
"""What Canvas says it takes at each placement (lib/lti/messages/deep_linking_request.rb)."""


def test_the_placements_of_the_canvas_key_are_those_that_take_a_link() -> None:
    assert set(CANVAS_CHOOSING) == CANVAS.keys()


@pytest.mark.parametrize("placement", CANVAS)
def test_canvas_gets_one_link_with_its_column_wherever_it_asks(placement: str) -> None:
    """It sends neither accept_lineitem nor data: the column goes along, dropped where it has no use."""
    types, accepts_several = CANVAS[placement]
    body = answer(BADGE, accept_types=types, accept_multiple=accepts_several)
    (item,) = body[DL + "content_items"]
    assert item["type"] == "ltiResourceLink"
    assert item["url"] == BADGE.url
    assert item["custom"]["badge_link_key"] == "k-1"
    assert (item["lineItem"]["resourceId"], item["lineItem"]["tag"]) == ("k-1", "award")
    assert DL + "data" not in body


def test_what_is_empty_is_left_out() -> None:
    (sent,) = answer(replace(BADGE, text=""))[DL + "content_items"]
    assert "text" not in sent
    assert "icon" not in sent


def test_every_response_has_a_nonce_of_its_own() -> None:
    assert len({answer()["nonce"] for _ in range(5)}) == 5


# -- what else a link carries


def test_a_link_carries_its_badges_picture() -> None:
    picture = Picture("https://badges.example/achievements/a-1.png", 512)
    (sent,) = answer(replace(BADGE, icon=picture))[DL + "content_items"]
    assert sent["icon"] == sent["thumbnail"] == {"url": picture.url, "width": 512, "height": 512}


def test_dates_are_a_window_of_submission_with_a_zone_and_never_one_of_availability() -> None:
    """Whoever is late still opens the link, to see the badge or to read why there is none."""
    start = datetime(2027, 3, 1, 9, 0, tzinfo=timezone(timedelta(hours=1)))
    item = replace(BADGE, submission=Window(start, datetime(2027, 4, 1, 22, 30, tzinfo=UTC)))
    (sent,) = answer(item)[DL + "content_items"]
    assert sent["submission"] == {
        "startDateTime": "2027-03-01T08:00:00Z",
        "endDateTime": "2027-04-01T22:30:00Z",
    }
    assert "available" not in sent
    (open_end,) = answer(replace(BADGE, submission=Window(start)))[DL + "content_items"]
    assert open_end["submission"] == {"startDateTime": "2027-03-01T08:00:00Z"}
    assert "submission" not in answer(BADGE)[DL + "content_items"][0]


def test_a_column_says_that_one_learners_work_can_be_opened_from_it() -> None:
    (sent,) = answer(replace(BADGE, is_reviewable=True))[DL + "content_items"]
    assert "Completed" in sent["lineItem"]["submissionReview"]["reviewableStatus"]
    assert "submissionReview" not in answer(BADGE)[DL + "content_items"][0]["lineItem"]


@pytest.mark.parametrize(
    "targets, window",
    [
        ((), None),
        (("frame", "iframe", "window"), None),
        (("iframe",), None),
        (("window",), {"targetName": "_blank"}),
        (("embed",), None),
    ],
)
def test_a_link_is_opened_in_what_the_platform_has(targets: tuple[str, ...], window: Any) -> None:
    (sent,) = answer(BADGE, accept_targets=targets)[DL + "content_items"]
    assert sent.get("window") == window


# -- what stands in a page

PICTURE = Picture("https://badges.example/achievements/a-1.png", 512)
HOSTILE = "Maps\"><script>alert(1)</script>\r\n<b x='y' & more"
EDITOR = {
    "accept_types": ("link", "file", "html", "ltiResourceLink", "image"),
    "accept_targets": ("embed", "iframe", "window"),
    "accept_media_types": ("image/*", "text/html", "application/vnd.ims.lti.v1.ltilink", "*/*"),
}


class _Elements(HTMLParser):
    """What a browser makes of a text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: dict[str, str | None] = {}
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes |= {f"{tag}.{name}": value for name, value in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_holds_nothing_but_what_this_tool_put_there() -> None:
    """Names and descriptions are anybody's: a colleague's editor shows them to a whole course."""
    item = HtmlItem(HOSTILE, HOSTILE, 'https://badges.example/achievements/a-1?"x', PICTURE, HOSTILE)
    (sent,) = answer(item, **EDITOR)[DL + "content_items"]
    shown = _Elements(sent["html"])
    assert shown.tags == ["p", "a", "img", "br", "strong", "br"]
    assert shown.attributes.keys() == {"a.href", "img.src", "img.alt", "img.width", "img.height"}
    plain = HOSTILE.replace("\r\n", " ")
    assert shown.attributes["img.alt"] == plain
    assert shown.text == plain * 2
    assert (sent["type"], sent["title"]) == ("html", plain)


def test_a_page_and_a_picture_are_told_by_their_addresses() -> None:
    page = PageItem("Open Data", "For open data.", "https://badges.example/achievements/a-1", PICTURE)
    body = answer(page, ImageItem("Open Data", PICTURE), **EDITOR)
    link, image = body[DL + "content_items"]
    assert link == {
        "type": "link",
        "title": "Open Data",
        "text": "For open data.",
        "url": "https://badges.example/achievements/a-1",
        "icon": PICTURE.in_json(),
        "thumbnail": PICTURE.in_json(),
        "window": {"targetName": "_blank"},
    }
    assert image == {"type": "image", "title": "Open Data", "url": PICTURE.url, "width": 512, "height": 512}


@pytest.mark.parametrize("type_", ["link", "image", "html"])
def test_moodle_takes_none_of_these(type_: str) -> None:
    assert not takes(SETTINGS, type_)


@pytest.mark.parametrize(
    "type_, settings, expected",
    [
        ("image", EDITOR, True),
        ("html", EDITOR, True),
        ("image", {**EDITOR, "accept_targets": ("iframe", "window")}, False),
        ("html", {**EDITOR, "accept_targets": ("iframe", "window")}, False),
        ("link", {**EDITOR, "accept_targets": ("iframe", "window")}, True),
        ("image", {**EDITOR, "accept_media_types": ("text/html",)}, False),
        ("image", {**EDITOR, "accept_media_types": ("IMAGE/PNG; q=1",)}, True),
        ("html", {**EDITOR, "accept_media_types": ("image/*",)}, False),
        ("image", {**EDITOR, "accept_media_types": None, "accept_targets": ()}, True),
        ("link", {**EDITOR, "accept_types": ("html",)}, False),
        ("ltiResourceLink", {**EDITOR, "accept_media_types": ("image/*",)}, True),
    ],
)
def test_types_media_and_targets_are_heeded(type_: str, settings: dict[str, Any], expected: bool) -> None:
    assert takes(replace(SETTINGS, **settings), type_) is expected


def test_one_item_that_is_not_taken_refuses_them_all() -> None:
    with pytest.raises(RequestInvalid) as refused:
        answer(BADGE, ImageItem("Open Data", PICTURE))
    assert refused.value.code is ErrorCode.DEEP_LINKING_TYPE_REFUSED


# -- what the request says

REQUEST = {
    "deep_link_return_url": "https://lms.example/return",
    "accept_types": ["ltiResourceLink", 5, None],
    "accept_presentation_document_targets": ["iframe", "embed"],
}


def read_request(custom: dict[str, str] | None = None, /, **more: Any) -> DeepLinkingSettings:
    link = more.pop("resource_link", None)
    body = {claims.DEEP_LINKING_SETTINGS: {**REQUEST, **more}}
    return claims.read_deep_linking_settings(body | ({claims.RESOURCE_LINK: link} if link else {}), custom)


def test_a_request_is_read_to_its_end() -> None:
    settings = read_request(accept_media_types="image/*, text/html", accept_multiple="true", data="opaque")
    assert settings.accept_types == ("ltiResourceLink",)
    assert settings.accept_targets == ("iframe", "embed")
    assert settings.accept_media_types == ("image/*", "text/html")
    assert (settings.accept_multiple, settings.accept_line_item, settings.data) == (True, None, "opaque")
    assert (settings.edited_link, settings.edited_activity) == (None, None)
    assert read_request(accept_media_types=["image/*"]).accept_media_types is None


def test_a_request_may_be_about_a_link_that_is_there() -> None:
    settings = read_request({"link_id": "uuid-1", "assignment_id": "77"})
    assert (settings.edited_link, settings.edited_activity) == ("uuid-1", "77")
    assert read_request(resource_link={"id": "uuid-2"}).edited_link == "uuid-2"
    assert read_request({"link_id": ""}).edited_link is None
