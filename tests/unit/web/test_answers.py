"""How answers are handed to the web server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask, Response, redirect
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response as AnyResponse

from lti_tool.web.answers import Answer


@pytest.fixture
def app() -> Flask:
    app = Flask("answers")
    app.response_class = Answer

    @app.get("/text")
    def text() -> str:
        return "grüß Gott"

    @app.get("/made")
    def made() -> Response:
        return Response([b"one", b"two"])

    @app.get("/known")
    def known() -> Response:
        return Response(status=304)

    @app.get("/on")
    def on() -> AnyResponse:
        return redirect("/text", 303)

    return app


def handed_over(app: Flask, path: str, method: str = "GET") -> object:
    environ = EnvironBuilder(path=path, method=method).get_environ()
    return app.wsgi_app(environ, lambda _status, _headers, _exc_info=None: lambda _piece: None)


def test_what_is_there_is_handed_over_whole(app: Flask) -> None:
    assert handed_over(app, "/text") == ["grüß Gott".encode()]
    assert handed_over(app, "/made") == [b"one", b"two"]
    assert handed_over(app, "/known") == []
    assert handed_over(app, "/text", "HEAD") == []
    assert isinstance(handed_over(app, "/on"), list)


def test_head_still_tells_the_length(app: Flask) -> None:
    assert app.test_client().head("/text").headers["Content-Length"] == str(len("grüß Gott".encode()))


def test_a_stream_stays_one(app: Flask) -> None:
    read: list[int] = []

    def pieces() -> Iterator[bytes]:
        for number in range(3):
            read.append(number)
            yield b"x"

    app.add_url_rule("/stream", view_func=lambda: Response(pieces()), endpoint="stream")
    answer = handed_over(app, "/stream")
    assert not isinstance(answer, list)
    assert read == []


def test_what_has_to_be_closed_is_closed_after_sending(app: Flask) -> None:
    closed: list[str] = []

    def view() -> Response:
        response = Response(b"x")
        response.call_on_close(lambda: closed.append("closed"))
        return response

    app.add_url_rule("/close", view_func=view, endpoint="close")
    answer = handed_over(app, "/close")
    assert closed == []
    answer.close()  # type: ignore[attr-defined]
    assert closed == ["closed"]
