"""Open Badges 2.0, hosted: JSON for verifiers and backpacks; a person is shown the badge's page."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.errors import ErrorCode, NotFound
from lti_tool.web.headers import cacheable
from lti_tool.web.public import ASK_FIRST, SHORT, baked, existing, say_what_was_erased
from lti_tool.web.session import current_tool

blueprint = Blueprint("hosted", __name__, url_prefix="/ob2")
blueprint.register_error_handler(NotFound, say_what_was_erased)

JSON_LD = "application/ld+json"


def _json(body: str, max_age: int) -> Response:
    asked = request.accept_mimetypes.best_match([JSON_LD, "application/json"], JSON_LD)
    response = cacheable(body, asked, max_age=max_age)
    response.vary.update(["Accept"])
    return response


def _is_person() -> bool:
    """Whether a page is wanted above all; who accepts anything is a program here."""
    accept = request.accept_mimetypes
    return accept["text/html"] > max(accept[JSON_LD], accept["application/json"])


def _page(url: str) -> AnyResponse:
    response = redirect(url, 303)
    response.vary.update(["Accept"])
    return response


@blueprint.get("/assertions/<credential_id>")
def assertion(credential_id: str) -> AnyResponse:
    """A shared badge's Assertion; 410 with the reason once it was revoked, without one once it was erased."""
    found = existing(current_tool().hosting.assertion(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    if _is_person():
        return _page(url_for("public.credential", credential_id=credential_id))
    response = _json(found.body, ASK_FIRST)
    if found.is_revoked:
        response = Response(found.body, 410, headers=response.headers)
    return response


@blueprint.get("/assertions/<credential_id>.<any(png, svg):kind>")
def picture(credential_id: str, kind: str) -> Response:
    """The badge's picture with the Assertion baked in."""
    hosting = current_tool().hosting
    bake = hosting.baked_png if kind == "png" else hosting.baked_svg
    image = existing(bake(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    return baked(image, kind, f"badge-{credential_id[:8]}-2.0")


@blueprint.get("/badges/<version_id>")
def badge_class(version_id: str) -> AnyResponse:
    """The BadgeClass of an achievement version."""
    body = existing(current_tool().hosting.badge_class(version_id))
    if _is_person():
        return _page(url_for("public.achievement", achievement_id=version_id))
    return _json(body, SHORT)


@blueprint.get("/issuers/<issuer_id>")
def issuer(issuer_id: str) -> AnyResponse:
    """An issuer's profile."""
    body = existing(current_tool().hosting.issuer(issuer_id))
    if _is_person():
        return _page(url_for("public.issuer", issuer_id=issuer_id))
    return _json(body, SHORT)
