"""What the world may see: shared badges, achievements, issuers, status lists and DID documents."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

from flask import Blueprint, Response, current_app, render_template, request
from flask.blueprints import BlueprintSetupState

from lti_tool.errors import ErrorCode, Gone, NotFound
from lti_tool.services.criteria_schema import criteria_schema as schema_of_criteria
from lti_tool.web.errors import answer_tool_error, preferred_to_page
from lti_tool.web.headers import PICTURE_POLICY, cacheable, not_modified
from lti_tool.web.i18n import language_tag
from lti_tool.web.session import current_tool

if TYPE_CHECKING:
    from lti_tool.services.issuing import PublishedDocument

blueprint = Blueprint("public", __name__)

T = TypeVar("T")

CREDENTIAL_TYPE = "application/vc+ld+json"
TOKEN_TYPE = "text/plain; charset=utf-8"
JSON_TYPES = (CREDENTIAL_TYPE, "application/ld+json", "application/json")
ASK_FIRST = 0
"""For what is said of one learner's badge: whoever kept it asks before showing it again, since the learner
may stop sharing at any moment and a revocation has to be seen. The answer to that is a 304 of a few bytes."""
SHORT = 300
"""Seconds for which a page about no learner may be kept: of an achievement, or of an issuer."""
PICTURE = 3600
"""Of the picture of an achievement version, which seldom changes: only a correction draws it anew."""
OUTAGE = 86400
"""Seconds for which caches may show what we cannot answer just now; a status list is valid for a week."""
PAGES_KEPT = 512
"""Rendered pages, of some 10 kB each, in memory."""


def existing(record: T | None, code: ErrorCode = ErrorCode.NOT_FOUND) -> T:
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


def _relied_on(document: PublishedDocument) -> Response:
    """What no badge can be confirmed without. Caches that stand before us go on showing what they have while
    we do not answer (RFC 5861 §4): a day's outage must not make every badge unverifiable."""
    response = _published(document)
    response.headers["Cache-Control"] += f", stale-if-error={OUTAGE}"
    return response


def _page(template: str, *, max_age: int = SHORT, **values: object) -> Response:
    """A public page. Its scripts are files of ours, which need no nonce: one that is kept would be none."""
    base_url = current_tool().settings.base_url
    page = current_app.extensions["lti_tool_pages"](
        template, language_tag(), request.script_root, base_url, **values
    )
    response = cacheable(page, "text/html; charset=utf-8", max_age=max_age)
    del response.headers["Access-Control-Allow-Origin"]  # a page is for people
    response.vary.update(["Accept", "Accept-Language"])
    return response


@blueprint.record_once
def _keep_pages(state: BlueprintSetupState) -> None:
    state.app.extensions["lti_tool_pages"] = lru_cache(maxsize=PAGES_KEPT)(_rendered)


def _rendered(template: str, _language: str, _root: str, base_url: str, **records: object) -> str:
    """A public page follows from its records, which are read anew each time, from the language and from where
    the application stands: what was once written down for these is kept. Nothing in it names one visitor.
    """
    return render_template(template, base_url=base_url, **records)


def _varied(response: Response) -> Response:
    response.vary.update(["Accept"])
    return response


@blueprint.errorhandler(NotFound)
def say_what_was_erased(error: NotFound) -> Response:
    """A badge that went with its learner is gone for good, which whoever has a copy may know."""
    credential_id = (request.view_args or {}).get("credential_id", "")
    if error.code is ErrorCode.CREDENTIAL_NOT_FOUND and current_tool().public.is_erased(credential_id):
        return answer_tool_error(Gone(ErrorCode.CREDENTIAL_ERASED, f"credential {credential_id}"))
    return answer_tool_error(error)


@blueprint.get("/credentials/<credential_id>")
def credential(credential_id: str) -> Response:
    """A shared badge: a page for people, the signed credential for programs."""
    json_type = preferred_to_page(*JSON_TYPES)
    if json_type is not None:
        return _varied(_signed(credential_id, json_type))
    record = existing(current_tool().public.credential(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    return _page("pages/public/credential.html", max_age=ASK_FIRST, badge=record)


@blueprint.get("/credentials/<credential_id>.json")
def credential_json(credential_id: str) -> Response:
    """The signed credential, byte for byte."""
    return _signed(credential_id, CREDENTIAL_TYPE)


def _signed(credential_id: str, content_type: str) -> Response:
    """A shared badge's signed JSON; for a caller that may hold it already it is not even read."""
    public = current_tool().public
    if request.if_none_match:
        etag = existing(public.etag(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
        if request.if_none_match.contains_weak(etag):
            return not_modified(etag, content_type, max_age=ASK_FIRST)
    document = existing(public.document(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    return cacheable(document.body, content_type, max_age=ASK_FIRST, etag=document.etag)


@blueprint.get("/credentials/<credential_id>.jwt")
def credential_token(credential_id: str) -> Response:
    """The same badge as a token (VC-JWT); OB 3.0 "Web Requests" names the content type."""
    tokens = current_tool().tokens
    if request.if_none_match:
        etag = existing(tokens.etag(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
        if request.if_none_match.contains_weak(etag):
            return not_modified(etag, TOKEN_TYPE, max_age=ASK_FIRST)
    token = existing(tokens.public(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND)
    return cacheable(token.body, TOKEN_TYPE, max_age=ASK_FIRST, etag=token.etag)


@blueprint.get("/credentials/<credential_id>.<any(png, svg):kind>")
def credential_picture(credential_id: str, kind: str) -> Response:
    """The badge's picture with the credential baked in."""
    public = current_tool().public
    bake = public.baked_png if kind == "png" else public.baked_svg
    return baked(
        existing(bake(credential_id), ErrorCode.CREDENTIAL_NOT_FOUND), kind, f"badge-{credential_id[:8]}"
    )


def baked(image: bytes, kind: str, name: str) -> Response:
    """A baked picture, under a file name that says whose."""
    response = _picture(image, kind, max_age=ASK_FIRST)
    response.headers["Content-Disposition"] = f'inline; filename="{name}.{kind}"'
    return response


def _picture(image: bytes, kind: str, *, max_age: int) -> Response:
    response = cacheable(image, "image/png" if kind == "png" else "image/svg+xml", max_age=max_age)
    response.headers["Content-Security-Policy"] = PICTURE_POLICY
    return response


@blueprint.get("/achievements/<achievement_id>")
def achievement(achievement_id: str) -> Response:
    """What a badge stands for; public whoever has it."""
    record = existing(current_tool().public.achievement(achievement_id))
    json_type = preferred_to_page(*JSON_TYPES)
    if json_type is not None:
        return _varied(_published(record.document, json_type))
    around = current_tool().pathways.public(achievement_id)
    return _page("pages/public/achievement.html", achievement=record, around=around)


@blueprint.get("/achievements/<version_id>.<any(svg, png):kind>")
def achievement_image(version_id: str, kind: str) -> Response:
    """The unbaked picture of an achievement version; under the achievement's own id that of its newest
    version, for those who keep an address."""
    data, max_age = current_tool().public.image(version_id, kind), PICTURE
    if data is None:
        data, max_age = existing(current_tool().public.newest_image(version_id, kind)), SHORT
    return _picture(data, kind, max_age=max_age)


@blueprint.get("/issuers/<issuer_id>")
def issuer(issuer_id: str) -> Response:
    """Who signs badges here."""
    record = existing(current_tool().public.issuer(issuer_id))
    json_type = preferred_to_page(*JSON_TYPES)
    if json_type is not None:
        return _varied(_published(record.document, json_type))
    return _page("pages/public/issuer.html", issuer=record)


@blueprint.get("/issuers/<issuer_id>.png")
def issuer_image(issuer_id: str) -> Response:
    """An issuer's picture, as badges name it; another one may take its place."""
    return _picture(existing(current_tool().public.issuer_image(issuer_id)), "png", max_age=SHORT)


@blueprint.get("/issuers/<issuer_id>/did.json")
def issuer_did(issuer_id: str) -> Response:
    """The issuer's DID document (did:web)."""
    return _relied_on(existing(current_tool().issuing.did_document(issuer_id)))


@blueprint.get("/.well-known/did.json")
def host_did() -> Response:
    """The DID document of the host, which signs nothing."""
    return _published(existing(current_tool().issuing.host_document()))


@blueprint.get("/issuers/<issuer_id>/keys/<kid>")
def issuer_key(issuer_id: str, kid: str) -> Response:
    """A public key of an issuer's tokens as one JWK."""
    return _published(existing(current_tool().issuing.token_key(issuer_id, kid)))


@blueprint.get("/endorsements/<endorsement_id>")
def endorsement(endorsement_id: str) -> Response:
    """An accepted endorsement, as it was signed."""
    body = existing(current_tool().public.endorsement(endorsement_id))
    etag = hashlib.sha256(body).hexdigest()[:32]
    return cacheable(body, CREDENTIAL_TYPE, max_age=SHORT, etag=etag)


@blueprint.get("/status/<status_list_id>")
def status_list(status_list_id: str) -> Response:
    """A Bitstring Status List credential."""
    return _relied_on(existing(current_tool().status_lists.published(status_list_id)))


@blueprint.get("/schemas/criteria-2.json")
def criteria_schema() -> Response:
    """The JSON Schema of criteria as they are exported and imported; the same for everybody."""
    base_url = current_tool().settings.base_url
    return cacheable(json.dumps(schema_of_criteria(base_url)), "application/schema+json", max_age=SHORT)
