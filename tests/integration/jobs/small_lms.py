"""The least of an LMS that a worker meets: a token, a roster in two pages, columns of grades and of awards.

The simulator is the LMS of the journeys; here what counts is where a worker is killed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

LEARNERS, PASSING = 6, 4
"""Who is in the course, and how many of them have 90 of 100 points; the others have 10."""

ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


AWARD_COLUMN = "/lineitems/900/lineitem"
LINK = "link-1"
"""The badge link, to which the award column belongs."""


class SmallLms(BaseAdapter):
    """Answers every request in process.

    :param before: told what is asked for before it is answered: ``token``, ``roster``, ``results``, ``score``
        and, when the score is in the book and not answered yet, ``taken``.
    :param book: a file that outlives the process: who has a score, in order.
    """

    def __init__(self, before: Callable[[str], None] = lambda what: None, book: Path | None = None) -> None:
        super().__init__()
        self._before = before
        self._book = book
        self.asked: list[str] = []

    def send(self, request: PreparedRequest, *_: Any, **__: Any) -> Response:
        """Answer one request."""
        url = urlsplit(str(request.url))
        if url.path == "/token":
            return self._answer(
                request, "token", {"access_token": "t", "token_type": "Bearer", "expires_in": 3600}
            )
        if url.path.startswith("/memberships"):
            half = LEARNERS // 2
            if "page=2" in url.query:
                return self._answer(request, "roster 2", {"members": _members(half, LEARNERS)})
            following = f'<{url.scheme}://{url.netloc}{url.path}?page=2>; rel="next"'
            return self._answer(request, "roster", {"members": _members(0, half)}, {"Link": following})
        if url.path.startswith("/lineitems/") and url.path.count("/") == 2:
            column = {"id": f"{url.scheme}://{url.netloc}{AWARD_COLUMN}", "label": "Badge", "scoreMaximum": 1}
            return self._answer(request, "line items", [{**column, "resourceLinkId": LINK}])
        if url.path == f"{AWARD_COLUMN}/results":
            wanted = parse_qs(url.query).get("user_id")
            given = [sub for sub in self.scores() if wanted is None or sub in wanted]
            rows = [{"userId": sub, "resultScore": 1, "resultMaximum": 1} for sub in given]
            return self._answer(request, "award results", rows)
        if url.path == f"{AWARD_COLUMN}/scores":
            return self._take_score(request)
        if url.path.endswith("/results"):
            return self._answer(
                request,
                "results",
                [
                    {
                        "id": f"{number}",
                        "userId": f"user-{number}",
                        "resultScore": 90 if number < PASSING else 10,
                        "resultMaximum": 100,
                    }
                    for number in range(LEARNERS)
                ],
            )
        return self._answer(request, "unknown", {}, status=404)

    def scores(self) -> list[str]:
        """Whose scores have arrived, in order."""
        return self._book.read_text().split() if self._book is not None and self._book.exists() else []

    def _take_score(self, request: PreparedRequest) -> Response:
        self._before("score")
        assert self._book is not None
        with self._book.open("a") as book:
            book.write(json.loads(request.body or b"")["userId"] + "\n")
            book.flush()
            os.fsync(book.fileno())
        return self._answer(request, "taken", "")

    def close(self) -> None:
        """Nothing is open."""

    def _answer(
        self,
        request: PreparedRequest,
        what: str,
        body: Any,
        headers: dict[str, str] | None = None,
        *,
        status: int = 200,
    ) -> Response:
        self.asked.append(what)
        self._before(what)
        response = Response()
        response.status_code = status
        response.url = str(request.url)
        response.request = request
        response._content = json.dumps(body).encode()
        response.headers.update({"Content-Type": "application/json", **(headers or {})})
        return response


def _members(start: int, end: int) -> list[dict[str, Any]]:
    return [
        {"user_id": f"user-{number}", "roles": [ROLE], "name": f"Learner {number}", "status": "Active"}
        for number in range(start, end)
    ]
