"""How an answer is handed to the web server."""

from __future__ import annotations

from collections.abc import Iterable
from wsgiref.types import WSGIEnvironment

from flask import Response


class Answer(Response):
    """An answer that is there already is handed over as a list, one that is streamed as an iterator.

    Werkzeug hands over iterators only. granian (2.8) sends a list as it is, and pulls an iterator through a
    channel, a piece at a time: that costs more than the body that a 304 saves.
    """

    def get_app_iter(self, environ: WSGIEnvironment) -> Iterable[bytes]:
        """What is sent (PEP 3333); nothing where the status or HEAD allow no body."""
        pieces = super().get_app_iter(environ)
        # With something to be closed after sending, it has to stay Werkzeug's iterator, which does that.
        return list(pieces) if self.is_sequence and not self._on_close else pieces
