"""Static files: named by their content, so that browsers keep them for good and never show an old one."""

from __future__ import annotations

import hashlib
import mimetypes
from dataclasses import dataclass
from pathlib import Path

from flask import Blueprint, Flask, Response, make_response, url_for

from lti_tool.errors import ErrorCode, NotFound

FOLDER = Path(__file__).parent / "static"
YEAR = 365 * 24 * 3600

blueprint = Blueprint("assets", __name__)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file, read once: there are few, and they are small."""

    body: bytes
    digest: str
    content_type: str


def _read(path: Path) -> Asset:
    body = path.read_bytes()
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    is_text = kind.startswith("text/")
    return Asset(body, hashlib.sha256(body).hexdigest()[:12], f"{kind}; charset=utf-8" if is_text else kind)


ASSETS = {path.relative_to(FOLDER).as_posix(): _read(path) for path in FOLDER.rglob("*") if path.is_file()}


def register(app: Flask) -> None:
    """Serve ``static/`` and give templates ``asset_url(name)``."""
    app.register_blueprint(blueprint)
    app.jinja_env.globals["asset_url"] = asset_url


def asset_url(name: str) -> str:
    """The address of a file of this release."""
    return url_for("assets.show", digest=ASSETS[name].digest, name=name)


@blueprint.get("/static/<digest>/<path:name>")
def show(digest: str, name: str) -> Response:
    """One file. The digest of another release gets the file of this one, and is not kept."""
    asset = ASSETS.get(name)
    if asset is None:
        raise NotFound(ErrorCode.NOT_FOUND)
    response = make_response(asset.body)
    response.headers["Content-Type"] = asset.content_type
    response.headers["Cache-Control"] = (
        f"public, max-age={YEAR}, immutable" if digest == asset.digest else "no-cache"
    )
    return response
