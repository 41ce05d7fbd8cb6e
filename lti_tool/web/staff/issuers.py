"""Issuers: who signs the organisation's badges, what they say of themselves, and their keys."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.credentials.uploads import MAXIMUM_BYTES, MEDIA_TYPES
from lti_tool.domain.staff import Permission
from lti_tool.errors import ErrorCode, NotFound, RequestInvalid
from lti_tool.services import issuers as limits
from lti_tool.services.form_problems import FormProblem
from lti_tool.web.session import current_tool
from lti_tool.web.staff.gate import Typed, current_staff, done, page, problems_of, typed
from lti_tool.web.wording import problem_sentence

blueprint = Blueprint("issuers", __name__)

LIMITS = {
    "name": limits.NAME_LENGTH,
    "url": limits.URL_LENGTH,
    "email": limits.ADDRESS_LENGTH,
    "description": limits.DESCRIPTION_LENGTH,
    "terms_url": limits.URL_LENGTH,
}
FORM_BYTES = 64 * 1024
"""Of the form beside its picture."""
ALGORITHMS = tuple((name, name) for name in limits.TOKEN_ALGORITHMS)


@blueprint.url_value_preprocessor
def _take_file(endpoint: str | None, _values: dict[str, Any] | None) -> None:
    """Let this one form be as large as its file; the limit stands before the CSRF token is looked for."""
    if endpoint == f"staff.{blueprint.name}.{change_picture.__name__}" and request.method == "POST":
        request.max_content_length = MAXIMUM_BYTES + FORM_BYTES


@blueprint.get("/issuers")
def show() -> Response:
    """Who signs this organisation's badges."""
    return page("issuers", issuers=current_tool().overview.issuers(current_staff().organisation_id))


@blueprint.get("/issuers/new")
def ask() -> Response:
    """What a further issuer says of itself."""
    current_staff().require(Permission.EDIT_ISSUERS)
    return _new(Typed({"token_algorithm": limits.TOKEN_ALGORITHMS[0]}))


def _new(form: Typed, status: int = 200) -> Response:
    return page("issuer_new", status, form=form, limits=LIMITS, algorithms=ALGORITHMS)


@blueprint.post("/issuers")
def add() -> AnyResponse:
    """Make a further issuer."""
    values = typed()
    try:
        issuer_id = current_tool().issuers.add(current_staff(), values)
    except RequestInvalid as error:
        return _new(Typed(values, problems_of(error)), 422)
    return done("staff.issuers.issuer", "created", issuer_id=issuer_id)


@blueprint.get("/issuers/<issuer_id>")
def issuer(issuer_id: str) -> Response:
    """One issuer: profile, picture, identity, keys."""
    return _issuer(issuer_id)


def _issuer(issuer_id: str, form: Typed | None = None, status: int = 200) -> Response:
    tool, organisation_id = current_tool(), current_staff().organisation_id
    view = tool.overview.issuer(organisation_id, issuer_id)
    if form is None or form.values.keys() <= {"picture"}:
        kept = {name: getattr(view.issuer, name) or "" for name in (*LIMITS, "token_algorithm")}
        ticked = {name: "on" for name in limits.TICKS if getattr(view.issuer, name)}
        form = Typed(kept | ticked, form.sentences if form else {})
    return page(
        "issuer",
        status,
        view=view,
        form=form,
        limits=LIMITS,
        algorithms=ALGORITHMS,
        run=tool.reissuing.newest_of(organisation_id, issuer_id),
        picture_types=",".join(MEDIA_TYPES),
        picture_megabytes=MAXIMUM_BYTES // 1024**2,
    )


@blueprint.post("/issuers/<issuer_id>")
def change(issuer_id: str) -> AnyResponse:
    """Change what the issuer says of itself, and how it signs."""
    values = typed()
    try:
        current_tool().issuers.change(current_staff(), issuer_id, values)
    except RequestInvalid as error:
        return _issuer(issuer_id, Typed(values, problems_of(error)), 422)
    return done("staff.issuers.issuer", "saved", issuer_id=issuer_id)


@blueprint.post("/issuers/<issuer_id>/status")
def set_status(issuer_id: str) -> AnyResponse:
    """Make it the default, put it aside, or take it back."""
    issuers, staff, action = current_tool().issuers, current_staff(), request.form.get("action")
    match action:
        case "default":
            issuers.make_default(staff, issuer_id)
            what = "saved"
        case "retire" | "restore":
            issuers.retire(staff, issuer_id, is_retired=action == "retire")
            what = "issuer_retired" if action == "retire" else "restored"
        case _:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "no such action")
    return done("staff.issuers.issuer", what, issuer_id=issuer_id)


@blueprint.post("/issuers/<issuer_id>/picture")
def change_picture(issuer_id: str) -> AnyResponse:
    """Give it a picture, or take the picture away."""
    content = None
    if request.form.get("action") != "remove":
        file = request.files.get("picture")
        if not file:
            current_staff().require(Permission.EDIT_ISSUERS)
            sentence = problem_sentence(FormProblem.PICTURE_MISSING, {})
            return _issuer(issuer_id, Typed({}, {"picture": sentence}), 422)
        content = file.read(MAXIMUM_BYTES + 1)
    try:
        current_tool().issuers.change_picture(current_staff(), issuer_id, content)
    except RequestInvalid as error:
        return _issuer(issuer_id, Typed({}, problems_of(error)), 422)
    return done("staff.issuers.issuer", "picture", issuer_id=issuer_id)


@blueprint.errorhandler(RequestEntityTooLarge)
def refuse_large(_error: RequestEntityTooLarge) -> Response:
    """More than any picture: said in the form, not on a page of its own."""
    limit: dict[str, object] = {"megabytes": MAXIMUM_BYTES // 1024**2}
    sentence = problem_sentence(FormProblem.PICTURE_TOO_LARGE, limit)
    return _issuer((request.view_args or {}).get("issuer_id", ""), Typed({}, {"picture": sentence}), 422)


@blueprint.post("/issuers/<issuer_id>/keys")
def rotate(issuer_id: str) -> AnyResponse:
    """Make a new key; what the former ones signed stays valid."""
    current_tool().reissuing.rotate(current_staff(), issuer_id)
    return done("staff.issuers.issuer", "key_rotated", issuer_id=issuer_id)


@blueprint.get("/issuers/<issuer_id>/keys/<kid>/compromised")
def ask_compromised(issuer_id: str, kid: str) -> Response:
    """What it means that somebody else has seen a key."""
    staff = current_staff()
    staff.require(Permission.MANAGE_KEYS)
    view = current_tool().overview.issuer(staff.organisation_id, issuer_id)
    key = next((one for one in view.keys if one.kid == kid), None)
    if key is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"no key {kid}")
    return page("issuer_key", view=view, key=key)


@blueprint.post("/issuers/<issuer_id>/keys/<kid>/compromised")
def compromised(issuer_id: str, kid: str) -> AnyResponse:
    """Trust a key no more, and begin to sign its badges anew."""
    current_tool().reissuing.compromise(current_staff(), issuer_id, kid)
    return done("staff.issuers.issuer", "key_given_up", issuer_id=issuer_id)
