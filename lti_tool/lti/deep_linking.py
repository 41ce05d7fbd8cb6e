"""The answer to a deep linking request (Deep Linking 2.0 §4.5): links to add to the course.

Nothing but ``ltiResourceLink`` items is ever sent: Moodle turns a plain link into an LTI activity that
leads nowhere, instead of refusing it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pylti1p3.deep_link import DeepLink
from pylti1p3.deep_link_resource import DeepLinkResource
from pylti1p3.lineitem import LineItem
from pylti1p3.registration import Registration

from lti_tool.domain.identity import DeepLinkingSettings
from lti_tool.domain.registrations import RegistrationView
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.lti import claims
from lti_tool.lti.grades import LineItemSpec
from lti_tool.lti.signing import SigningKey

LIFETIME: Final = timedelta(minutes=5)
"""The form is posted by the page at once; a slow click still counts."""
RESOURCE_LINK_TYPE: Final = "ltiResourceLink"


@dataclass(frozen=True, slots=True)
class LinkItem:
    """One link to add."""

    title: str
    text: str
    url: str
    custom: Mapping[str, str] = field(default_factory=dict)
    line_item: LineItemSpec | None = None
    """The column that the platform couples to the link."""


def build_response(
    registration: RegistrationView,
    deployment_id: str,
    settings: DeepLinkingSettings,
    items: Sequence[LinkItem],
    key: SigningKey,
    now: datetime,
    message: str | None = None,
) -> str:
    """The signed message that a form posts to ``settings.return_url`` as ``JWT``.

    :param deployment_id: the platform's id of the deployment that asked.
    :param items: what to add; empty when the person cancelled.
    :param message: plain text that the platform may show.
    :raises RequestInvalid: DEEP_LINKING_TYPE_REFUSED where links are not accepted, or more than one.
    """
    if items and RESOURCE_LINK_TYPE not in settings.accept_types:
        raise RequestInvalid(ErrorCode.DEEP_LINKING_TYPE_REFUSED, "the platform takes no ltiResourceLink")
    if len(items) > 1 and not settings.accept_multiple:
        raise RequestInvalid(ErrorCode.DEEP_LINKING_TYPE_REFUSED, "the platform takes one item only")
    takes_line_item = settings.accept_line_item is not False
    response = _Response(registration, deployment_id, settings, key, now, message)
    return response.get_response_jwt([_Resource(item, takes_line_item) for item in items])


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
        message: str | None,
    ) -> None:
        known = _Registration(key.kid)
        known.set_issuer(registration.issuer).set_client_id(registration.client_id)
        known.set_tool_private_key(key.private_pem)
        super().__init__(known, deployment_id, {"deep_link_return_url": settings.return_url})
        self._settings = settings
        self._issuer = registration.issuer
        self._now = now
        self._message = message

    def get_message_jwt(self, resources: Sequence[DeepLinkResource]) -> dict[str, object]:
        body = super().get_message_jwt(resources)
        body["aud"] = self._issuer
        body["iat"] = int(self._now.timestamp())
        body["exp"] = int((self._now + LIFETIME).timestamp())
        if self._settings.data is None:
            del body[claims.DEEP_LINKING_DATA]
        else:
            body[claims.DEEP_LINKING_DATA] = self._settings.data
        if self._message:
            body[claims.DEEP_LINKING_MESSAGE] = _one_line(self._message)
        return body


class _Registration(Registration):
    """PyLTI1p3's registration with the key id that the tool's key set publishes."""

    def __init__(self, kid: str) -> None:
        self._kid = kid

    def get_kid(self) -> str:
        return self._kid


class _Resource(DeepLinkResource):
    """PyLTI1p3's item with text, an exact maximum, and custom values that are one line each."""

    def __init__(self, item: LinkItem, takes_line_item: bool) -> None:
        self._item = item
        self.set_title(_one_line(item.title))
        self.set_url(item.url)
        # Moodle keeps custom parameters as lines of text: a line break in a value would add another one.
        self.set_custom_params({name: _one_line(value) for name, value in item.custom.items()})
        if item.line_item is not None and takes_line_item:
            self.set_lineitem(_line_item(item.line_item))

    def to_dict(self) -> dict[str, object]:
        described = super().to_dict()
        if self._item.text:
            described["text"] = self._item.text
        return described


def _line_item(spec: LineItemSpec) -> LineItem:
    line_item = LineItem()
    line_item.set_score_maximum(spec.maximum_in_json).set_label(_one_line(spec.label))
    line_item.set_resource_id(spec.resource_id).set_tag(spec.tag)
    return line_item


def _one_line(value: str) -> str:
    return claims.text(value, claims.URL_LENGTH) or ""
