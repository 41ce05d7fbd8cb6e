"""Response headers, set in one place.

Every page may only run our own scripts, and only inline ones that carry this response's nonce; there is no
inline style and no third party. Who may frame a page is the signed launch's to say.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, g, request
from werkzeug.http import quote_etag

ANYBODY = ("*",)
NOBODY = ("'none'",)
PICTURE_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"
"""Of an SVG, which is a document of its own when somebody opens it: it may run nothing. The pixels of an
uploaded picture stand in its drawing."""


def register(app: Flask) -> None:
    """One ``after_request`` for all; templates get ``nonce()``."""
    app.jinja_env.globals["nonce"] = nonce
    app.after_request(set_headers)


def nonce() -> str:
    """This response's script nonce."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(18)
    return str(g.nonce)


def frame_by_anybody() -> None:
    """For pages that refuse a launch, or stand before one: no session, no control that changes anything."""
    g.frame_ancestors = ANYBODY


def allow_form_to(url: str) -> None:
    """Let the form of this one page go to the origin of ``url`` (deep linking return, launch start)."""
    origin = origin_of(url)
    if origin is not None:
        g.form_targets = (*g.get("form_targets", ()), origin)


def origin_of(url: str) -> str | None:
    """``scheme://host[:port]`` of an http(s) URL; nothing for any other, or one that could break a header."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname
    if parts.scheme not in ("http", "https") or not host or not host.isascii():
        return None
    if any(not (c.isalnum() or c in "-._:[]") for c in host):
        return None
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


def frame_ancestors() -> Iterable[str]:
    """Who may frame this answer."""
    chosen = g.get("frame_ancestors")
    if chosen is not None:
        return tuple(chosen)
    session = g.get("session")
    if session is None:
        return NOBODY
    origins = [origin for origin in session.frame_origins if _is_frame_origin(origin)]
    return ("'self'", *origins)


def _is_frame_origin(origin: str) -> bool:
    """An origin, or one with a wildcard for a host's first label (``https://*.instructure.com``)."""
    scheme, _, host = origin.partition("://")
    return origin_of(f"{scheme}://{host.removeprefix('*.')}") == f"{scheme}://{host.removeprefix('*.')}"


def set_headers(response: Response) -> Response:
    """Add what every answer carries; a view that already chose a header keeps it."""
    headers = response.headers
    if "Content-Security-Policy" not in headers:
        is_page = response.mimetype == "text/html"
        policy = [
            ("default-src", ("'none'",)),
            ("frame-ancestors", frame_ancestors()),
            ("base-uri", ("'none'",)),
        ]
        if is_page:
            policy += [
                ("script-src", ("'self'", f"'nonce-{g.nonce}'") if "nonce" in g else ("'self'",)),
                ("style-src", ("'self'",)),
                ("img-src", ("'self'",)),
                ("font-src", ("'self'",)),
                ("connect-src", ("'self'",)),
                ("form-action", ("'self'", *g.get("form_targets", ()))),
            ]
        headers["Content-Security-Policy"] = "; ".join(f"{name} {' '.join(of)}" for name, of in policy)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", _referrer_policy())
    headers.setdefault(
        "Permissions-Policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=(), browsing-topics=()",
    )
    if _is_personal() or response.status_code >= 400:
        headers["Cache-Control"] = "no-store"
    if current_app.extensions["lti_tool"].settings.base_url.startswith("https:"):
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")
    return response


def _is_personal() -> bool:
    """Whether this answer belongs to one launch or one member of staff, and may be kept nowhere."""
    personal = ("/l/", "/s/", "/lti/login", "/lti/launch", "/lti/register", "/staff/")
    return "session" in g or request.path.startswith(personal)


def _referrer_policy() -> str:
    """An address that carries a token is told to nobody, not even to ourselves."""
    if g.get("session_token") is not None or request.path.startswith(("/s/", "/lti/register")):
        return "no-referrer"
    return "strict-origin-when-cross-origin"


def cacheable(body: bytes | str, content_type: str, *, max_age: int, etag: str | None = None) -> Response:
    """An answer with ETag, ``Cache-Control`` and CORS; 304 where the caller has it already.

    :param max_age: seconds for which it may be shown without asking again; 0: it is asked about each time.
    """
    raw = body.encode() if isinstance(body, str) else body
    value = (etag or hashlib.sha256(raw).hexdigest()[:32]).strip('"')
    if request.if_none_match.contains_weak(value):
        return not_modified(value, content_type, max_age=max_age)
    return Response(raw, headers={"Content-Type": content_type, **_kept(value, max_age)})


def not_modified(etag: str, content_type: str, *, max_age: int) -> Response:
    """What :func:`cacheable` says to a caller who holds the body of this ETag.

    :param content_type: of that body. It is not sent, but the policy follows from it, and browsers put the
        headers of a 304 over those they kept (RFC 9111 §3.2).
    """
    return Response(status=304, headers={"Content-Type": content_type, **_kept(etag, max_age)})


def _kept(etag: str, max_age: int) -> dict[str, str]:
    return {
        "ETag": quote_etag(etag),
        "Cache-Control": f"public, max-age={max_age}" if max_age else "no-cache",
        "Access-Control-Allow-Origin": "*",
    }
