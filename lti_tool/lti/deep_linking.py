"""The answer to a deep linking request (Deep Linking 2.0 §4.5): content to add to the course.

Only what the platform said it takes is ever sent, and never more than it takes. The words in an item are
somebody's: on the way into the answer they become one line each, and inside HTML they are escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import escape
from typing import ClassVar, Final

from pylti1p3.deep_link import DeepLink
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.registration import Registration

from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.domain.registrations import RegistrationView
from lti_tool.domain.windows import Window
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.lti import claims
from lti_tool.lti.grades import LineItemSpec
from lti_tool.lti.signing import SigningKey

LIFETIME: Final = timedelta(minutes=5)
"""The form is posted by the page at once; a slow click still counts."""
RESOURCE_LINK_TYPE: Final = "ltiResourceLink"
REVIEWABLE: Final = ("None", "InProgress", "Submitted", "Completed")
"""Whatever the learner did, there is how each criterion stands to look at (Submission Review 1.0)."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A square picture at an absolute URL."""

    url: str
    size: int
    """Pixels of a side."""

    def in_json(self) -> dict[str, object]:
        """As icon or thumbnail (Deep Linking 2.0 §3.1)."""
        return {"url": self.url, "width": self.size, "height": self.size}


@dataclass(frozen=True, slots=True)
class LinkItem:
    """An LTI link to add; the only kind whose opening is a launch."""

    type: ClassVar[str] = RESOURCE_LINK_TYPE
    title: str
    text: str
    url: str
    custom: Mapping[str, str] = field(default_factory=dict)
    line_item: LineItemSpec | None = None
    """The column that the platform couples to the link."""
    is_reviewable: bool = False
    """Whether one learner's work can be opened from that column."""
    icon: Picture | None = None
    submission: Window = field(default_factory=Window)
    """From when to when what counts for it has to happen; an open one is not sent. ``available`` never is: a
    learner whose time is over still wants to see the badge."""

    def in_json(self, settings: DeepLinkingSettings) -> dict[str, object]:
        """Deep Linking 2.0 §3.1.4."""
        item = {**_described(self.title, self.text, self.icon), "url": self.url}
        # Moodle keeps custom parameters as lines of text: a line break in a value would add another one.
        item["custom"] = {name: _one_line(value) for name, value in self.custom.items()}
        if self.line_item is not None and settings.accept_line_item is not False:
            item["lineItem"] = _line_item(self.line_item, is_reviewable=self.is_reviewable)
        if self.submission:
            item["submission"] = _window(self.submission)
        if "window" in settings.accept_targets and "iframe" not in settings.accept_targets:
            item["window"] = {"targetName": "_blank"}
        return item


@dataclass(frozen=True, slots=True)
class PageItem:
    """A plain link to a page for everybody."""

    type: ClassVar[str] = "link"
    title: str
    text: str
    url: str
    icon: Picture | None = None

    def in_json(self, settings: DeepLinkingSettings) -> dict[str, object]:
        """Deep Linking 2.0 §3.1.1."""
        item = {**_described(self.title, self.text, self.icon), "url": self.url}
        if "window" in settings.accept_targets:
            # The page refuses to be framed as little as any; a page of its own is what a link promises.
            item["window"] = {"targetName": "_blank"}
        return item


@dataclass(frozen=True, slots=True)
class ImageItem:
    """A picture to show in a page."""

    type: ClassVar[str] = "image"
    title: str
    picture: Picture

    def in_json(self, _settings: DeepLinkingSettings) -> dict[str, object]:
        """Deep Linking 2.0 §3.1.5."""
        return {**_described(self.title, "", None), **self.picture.in_json()}


@dataclass(frozen=True, slots=True)
class HtmlItem:
    """A picture and what it stands for, as HTML to show in a page."""

    type: ClassVar[str] = "html"
    title: str
    text: str
    url: str
    picture: Picture
    image_alt: str

    def in_json(self, _settings: DeepLinkingSettings) -> dict[str, object]:
        """Deep Linking 2.0 §3.1.3: each text escaped, nothing but paragraph, link and picture."""
        picture = (
            f'<img src="{_escaped(self.picture.url)}" alt="{_escaped(self.image_alt)}" '
            f'width="{SHOWN}" height="{SHOWN}">'
        )
        text = f"<br>{_escaped(self.text)}" if self.text else ""
        name = f"<strong>{_escaped(self.title)}</strong>"
        return {
            **_described(self.title, "", None),
            "html": f'<p><a href="{_escaped(self.url)}">{picture}<br>{name}</a>{text}</p>',
        }


SHOWN: Final = 128
"""Pixels of the picture inside HTML."""

ContentItem = LinkItem | PageItem | ImageItem | HtmlItem


@dataclass(frozen=True, slots=True)
class Words:
    """Plain text that goes along with an answer (Deep Linking 2.0 §4.5); the platform may show the first and
    the third to the person, and may log the others."""

    message: str | None = None
    log: str | None = None
    error: str | None = None
    error_log: str | None = None


def takes(settings: DeepLinkingSettings, type_: str) -> bool:
    """Whether a platform that sent these settings takes an item of this type, shown as it has to be shown."""
    if type_ not in settings.accept_types:
        return False
    if type_ in _EMBEDDED and settings.accept_targets and "embed" not in settings.accept_targets:
        return False
    return type_ not in _MEDIA or _takes_media(settings, _MEDIA[type_])


_EMBEDDED: Final = frozenset({"image", "html"})
_MEDIA: Final = {"image": "image/png", "html": "text/html"}


def _takes_media(settings: DeepLinkingSettings, media_type: str) -> bool:
    if settings.accept_media_types is None:
        return True
    wanted = {media_type, media_type.partition("/")[0] + "/*", "*/*"}
    return any(named.partition(";")[0].strip().lower() in wanted for named in settings.accept_media_types)


def build_response(
    registration: RegistrationView,
    deployment_id: str,
    settings: DeepLinkingSettings,
    items: Sequence[ContentItem],
    key: SigningKey,
    now: datetime,
    words: Words | None = None,
) -> str:
    """The signed message that a form posts to ``settings.return_url`` as ``JWT``.

    :param deployment_id: the platform's id of the deployment that asked.
    :param items: what to add; empty when the person cancelled, or it failed.
    :raises RequestInvalid: DEEP_LINKING_TYPE_REFUSED where the platform takes no item of a type, or only one.
    """
    for item in items:
        if not takes(settings, item.type):
            raise RequestInvalid(ErrorCode.DEEP_LINKING_TYPE_REFUSED, f"the platform takes no {item.type}")
    if len(items) > 1 and not settings.accept_multiple:
        raise RequestInvalid(ErrorCode.DEEP_LINKING_TYPE_REFUSED, "the platform takes one item only")
    response = _Response(registration, deployment_id, settings, key, now, words or Words())
    return response.get_response_jwt([_Resource(item, settings) for item in items])


class _Response(DeepLink):
    """PyLTI1p3's response with its gaps closed.

    ``data`` is echoed only if it was sent (PyLTI1p3 sends null), ``aud`` is a string (Moodle's own form),
    the clock is ours, and the key id is the key set's, not one computed from a PEM.
    """

    def __init__(
        self,
        registration: RegistrationView,
        deployment_id: str,
        settings: DeepLinkingSettings,
        key: SigningKey,
        now: datetime,
        words: Words,
    ) -> None:
        known = _Registration(key.kid)
        known.set_issuer(registration.issuer).set_client_id(registration.client_id)
        known.set_tool_private_key(key.private_pem)
        super().__init__(known, deployment_id, {"deep_link_return_url": settings.return_url})
        self._settings = settings
        self._issuer = registration.issuer
        self._now = now
        self._words = words

    def get_message_jwt(self, resources: Sequence[DeepLinkResource]) -> dict[str, object]:
        body = super().get_message_jwt(resources)
        body["aud"] = self._issuer
        body["iat"] = int(self._now.timestamp())
        body["exp"] = int((self._now + LIFETIME).timestamp())
        if self._settings.data is None:
            del body[claims.DEEP_LINKING_DATA]
        else:
            body[claims.DEEP_LINKING_DATA] = self._settings.data
        words = self._words
        for claim, text in (
            (claims.DEEP_LINKING_MESSAGE, words.message),
            (claims.DEEP_LINKING_LOG, words.log),
            (claims.DEEP_LINKING_ERROR, words.error),
            (claims.DEEP_LINKING_ERROR_LOG, words.error_log),
        ):
            if text:
                body[claim] = _one_line(text)
        return body


class _Registration(Registration):
    """PyLTI1p3's registration with the key id that the tool's key set publishes."""

    def __init__(self, kid: str) -> None:
        self._kid = kid

    def get_kid(self) -> str:
        return self._kid


class _Resource(DeepLinkResource):
    """An item of ours where PyLTI1p3 expects one of its own, which knows neither text, window nor type."""

    def __init__(self, item: ContentItem, settings: DeepLinkingSettings) -> None:
        self._item = item
        self._settings = settings

    def to_dict(self) -> dict[str, object]:
        return {"type": self._item.type, **self._item.in_json(self._settings)}


def _described(title: str, text: str, icon: Picture | None) -> dict[str, object]:
    described: dict[str, object] = {"title": _one_line(title)}
    if text:
        described["text"] = text
    if icon is not None:
        described["icon"] = described["thumbnail"] = icon.in_json()
    return described


def _line_item(spec: LineItemSpec, *, is_reviewable: bool) -> dict[str, object]:
    line_item: dict[str, object] = {
        "label": _one_line(spec.label),
        "scoreMaximum": spec.maximum_in_json,
        "resourceId": spec.resource_id,
        "tag": spec.tag,
    }
    if is_reviewable:
        line_item["submissionReview"] = {"reviewableStatus": list(REVIEWABLE)}
    return line_item


def _window(window: Window) -> dict[str, object]:
    ends = {"startDateTime": window.starts_at, "endDateTime": window.ends_at}
    return {
        name: at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        for name, at in ends.items()
        if at is not None
    }


def _one_line(value: str) -> str:
    return claims.text(value, claims.URL_LENGTH) or ""


def _escaped(value: str) -> str:
    return escape(_one_line(value), quote=True)
