"""What the world may see: shared badges, achievements, issuers, status lists and DID documents."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from flask import Blueprint, Response, make_response, render_template

from lti_tool.errors import ErrorCode, NotFound
from lti_tool.web.errors import preferred_to_page
from lti_tool.web.headers import cacheable
from lti_tool.web.session import current_tool

if TYPE_CHECKING:
    from lti_tool.services.issuing import PublishedDocument

blueprint = Blueprint("public", __name__)

T = TypeVar("T")

CREDENTIAL_TYPE = "application/vc+ld+json"
JSON_TYPES = (CREDENTIAL_TYPE, "application/ld+json", "application/json")
SHORT = 300
"""Seconds a public document may be kept: what was revoked or hidden is believed no longer than that."""
LONG = 86400


def _found(record: T | None, code: ErrorCode = ErrorCode.NOT_FOUND) -> T:
    """``record``, where there is one that the public may see.

    :raises NotFound: with ``code``, otherwise.
    """
    if record is None:
        raise NotFound(code)
    return record


def _published(document: PublishedDocument, content_type: str | None = None) -> Response:
    return cacheable(
        document.body, content_type or document.content_type, max_age=document.max_age, etag=document.etag
    )


def _page(template: str, **values: object) -> Response:
    """A public page: kept for a short while only, since its owner may hide it.

    It has no ETag: a 304 would bring a new script nonce to a page that holds an old one.
    """
    response = make_response(render_template(template, base_url=current_tool().settings.base_url, **values))
    response.headers["Cache-Control"] = f"public, max-age={SHORT}"
    response.vary.update(["Accept", "Accept-Language"])
    return response


def _varied(response: Response) -> Response:
    response.vary.update(["Accept"])
    return response


@blueprint.get("/credentials/<credential_id>")
def credential(credential_id: str) -> Response:
    """A shared badge: a page for people, the signed credential for programs."""
    record = _found(current_tool().public.credential(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    json_type = preferred_to_page(*JSON_TYPES)
    if json_type is not None:
        return _varied(cacheable(record.document, json_type, max_age=SHORT, etag=record.etag))
    return _page("pages/public/credential.html", badge=record, document=record.document.decode())


@blueprint.get("/credentials/<credential_id>.json")
def credential_json(credential_id: str) -> Response:
    """The signed credential, byte for byte."""
    record = _found(current_tool().public.credential(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    return cacheable(record.document, CREDENTIAL_TYPE, max_age=SHORT, etag=record.etag)


@blueprint.get("/credentials/<credential_id>.png")
def credential_png(credential_id: str) -> Response:
    """The badge's picture with the credential baked in."""
    data = _found(current_tool().public.baked_png(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    response = cacheable(data, "image/png", max_age=SHORT)
    response.headers["Content-Disposition"] = f'inline; filename="badge-{credential_id[:8]}.png"'
    return response


@blueprint.get("/achievements/<achievement_id>")
def achievement(achievement_id: str) -> Response:
    """What a badge stands for; public whoever has it."""
    record = _found(current_tool().public.achievement(achievement_id))
    json_type = preferred_to_page(*JSON_TYPES)
    if json_type is not None:
        return _varied(_published(record.document, json_type))
    return _page("pages/public/achievement.html", achievement=record)


@blueprint.get("/achievements/<version_id>.<any(svg, png):kind>")
def achievement_image(version_id: str, kind: str) -> Response:
    """The unbaked picture of an achievement version; a version's picture never changes."""
    data = _found(current_tool().public.image(version_id, kind))
    response = cacheable(data, "image/png" if kind == "png" else "image/svg+xml", max_age=LONG)
    # A picture is a document of its own when somebody opens it: it may run nothing.
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
    return response


@blueprint.get("/issuers/<issuer_id>")
def issuer(issuer_id: str) -> Response:
    """Who signs badges here."""
    record = _found(current_tool().public.issuer(issuer_id))
    json_type = preferred_to_page(*JSON_TYPES)
    if json_type is not None:
        return _varied(_published(record.document, json_type))
    return _page("pages/public/issuer.html", issuer=record)


@blueprint.get("/issuers/<issuer_id>/did.json")
def issuer_did(issuer_id: str) -> Response:
    """The issuer's DID document (did:web)."""
    return _published(_found(current_tool().issuing.did_document(issuer_id)))


@blueprint.get("/status/<status_list_id>")
def status_list(status_list_id: str) -> Response:
    """A Bitstring Status List credential."""
    return _published(_found(current_tool().issuing.status_list(status_list_id)))
