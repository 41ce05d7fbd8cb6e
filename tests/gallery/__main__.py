"""``make gallery``: look at every page in every state, without a database and without an LMS."""

from __future__ import annotations

import os
import sys

from flask import Response, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from tests.gallery.app import gallery_app, put
from tests.gallery.pages import COOKIES, PAGES
from tests.unit.web.samples import Sample


def main() -> int:
    """Serve until Ctrl-C; templates and the style sheet are read anew on a restart."""
    port = int(os.environ.get("PORT", "8800"))
    url = f"http://localhost:{port}"
    app = gallery_app(RATELIMIT_ENABLED=False)

    @app.get("/_gallery")
    def index() -> str:
        app.extensions["lti_tool"] = Sample()
        return render_template("gallery.html", pages=PAGES)

    @app.get("/_gallery/<int:number>")
    def show(number: int) -> AnyResponse:
        page = PAGES[number]
        put(app, page, base_url=url)
        if page.fields is not None:
            answer: AnyResponse = Response(render_template("gallery_form.html", page=page))
        else:
            answer = redirect(page.path)
        for cookie in COOKIES:
            answer.set_cookie(cookie["name"], cookie["value"], path=cookie["path"])
        return answer

    sys.stdout.write(f"Every page in every state: {url}/_gallery\n")
    sys.stdout.flush()
    app.run("localhost", port, threaded=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
