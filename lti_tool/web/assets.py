"""Static files: named by their content, so that browsers keep them for good and never show an old one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from flask import Blueprint, Flask, Response, abort, send_from_directory, url_for

FOLDER = Path(__file__).parent / "static"
YEAR = 365 * 24 * 3600

blueprint = Blueprint("assets", __name__)


def register(app: Flask) -> None:
    """Serve ``static/`` and give templates ``asset_url(name)``."""
    digests = {
        path.relative_to(FOLDER).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        for path in FOLDER.rglob("*")
        if path.is_file()
    }

    def asset_url(name: str) -> str:
        return url_for("assets.show", digest=digests[name], name=name)

    app.register_blueprint(blueprint)
    app.jinja_env.globals["asset_url"] = asset_url


@blueprint.get("/static/<digest>/<path:name>")
def show(digest: str, name: str) -> Response:
    """One file. A digest of another release gets the file of this one, and is not kept."""
    path = FOLDER / name
    if not path.resolve().is_relative_to(FOLDER.resolve()) or not path.is_file():
        abort(404)
    response = send_from_directory(FOLDER, name)
    is_current = hashlib.sha256(path.read_bytes()).hexdigest()[:12] == digest
    response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable" if is_current else "no-cache"
    return response
