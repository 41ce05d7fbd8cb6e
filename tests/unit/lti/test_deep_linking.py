"""The deep linking response, as a platform reads it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.lti.deep_linking import LinkItem, build_response
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


def answer(*items: LinkItem, message: str | None = None, **settings: Any) -> dict[str, Any]:
    token = build_response(MOODLE, "1", replace(SETTINGS, **settings), items, Key(), NOW, message)
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
    body = answer(message="Nothing was\nadded.")
    assert body[DL + "content_items"] == []
    assert body[DL + "msg"] == "Nothing was added."
    assert DL + "msg" not in answer()


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
