"""The least of an LMS that a sync meets: a token, a roster in two pages, one column of grades.

The simulator is the LMS of the journeys; here what counts is where a worker is killed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from requests import PreparedRequest, Response
from requests.adapters import BaseAdapter

LEARNERS, PASSING = 6, 4
"""Who is in the course, and how many of them have 90 of 100 points; the others have 10."""

ROLE = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


class SmallLms(BaseAdapter):
    """Answers every request in process.

    :param before: told what is asked for before it is answered: ``token``, ``roster``, ``results``…
    """

    def __init__(self, before: Callable[[str], None] = lambda what: None) -> None:
        super().__init__()
        self._before = before
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
