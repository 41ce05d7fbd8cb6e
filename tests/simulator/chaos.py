"""Faults that a test switches on one by one.

A knob applies to requests whose path contains `Fault.path`, `times` times (None: until `Chaos.calm`). Drawn
values come from the seed of the LMS, so a failing test fails again.
"""

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flask import Response

Kind = Literal[
    "latency",
    "status",
    "rate_limit",
    "truncate",
    "paging_loop",
    "foreign_next",
    "endless_next",
    "over_long",
    "content_type",
    "expired_token",
    "lower_case_link",
    "not_json",
]


@dataclass
class Fault:
    """One switched-on fault; `value` is seconds, a status, bytes, a URL or a media type, as `kind` needs
    it.
    """

    kind: Kind
    path: str
    value: Any = None
    times: int | None = None
    chance: float = 1.0


class Chaos:
    """The fault switchboard of one LMS; everything is off at the start."""

    def __init__(self, seed: int, services: str, rate_limited: Callable[[Any], Response]) -> None:
        """`services` is the path of faults that name none; `rate_limited` gives the site's own answer."""
        self._services, self._rate_limited = services, rate_limited
        self.random = random.Random(seed)
        self.faults: list[Fault] = []
        self.clock_skew_seconds = 0
        self.sleep: Callable[[float], None] = time.sleep

    def calm(self) -> None:
        """Switch everything off."""
        self.faults.clear()
        self.clock_skew_seconds = 0

    def switch_on(
        self,
        kind: Kind,
        *,
        path: str | None = None,
        value: Any = None,
        times: int | None = None,
        chance: float = 1.0,
    ) -> Fault:
        """Switch a fault on; returns it, so that a test can look at what is left of `times`."""
        fault = Fault(kind, path or self._services, value, times, chance)
        self.faults.append(fault)
        return fault

    def shift_claims(self, claims: Mapping[str, Any]) -> dict[str, Any]:
        """The claims as a platform signs them whose clock is `clock_skew_seconds` off (positive: ahead)."""
        shifted = dict(claims)
        for name in ("iat", "exp"):
            if name in shifted:
                shifted[name] += self.clock_skew_seconds
        return shifted

    def _strike(self, path: str, *kinds: Kind) -> list[Fault]:
        struck = []
        for fault in self.faults:
            if fault.kind not in kinds or fault.path not in path or fault.times == 0:
                continue
            if self.random.random() < fault.chance:
                fault.times = None if fault.times is None else fault.times - 1
                struck.append(fault)
        return struck

    def before(self, path: str) -> Response | None:
        """Delays a request, or answers it in the place of the site."""
        for fault in self._strike(path, "latency"):
            self.sleep(float(fault.value or 0.1))
        for fault in self._strike(path, "status", "rate_limit"):
            if fault.kind == "status":
                return Response("<h1>Service error</h1>", int(fault.value or 503), mimetype="text/html")
            return self._rate_limited(fault.value)
        for _ in self._strike(path, "expired_token"):
            return Response('{"status":401,"reason":"Unauthorized"}', 401, mimetype="application/json")
        return None

    def after(self, path: str, url: str, response: Response) -> Response:
        """Spoils an answer."""
        for fault in self._strike(path, "content_type"):
            response.headers["Content-Type"] = fault.value or "text/html; charset=utf-8"
        for fault in self._strike(path, "paging_loop", "foreign_next", "endless_next"):
            target = {
                "paging_loop": url,
                "foreign_next": fault.value or "https://elsewhere.example/memberships?from=1",
                "endless_next": f"{url.split('?')[0]}?limit=1&from={self.random.randrange(10**9)}",
            }[fault.kind]
            response.headers["Link"] = f'<{target}>; rel="next"'
        for fault in self._strike(path, "over_long"):
            response.set_data(response.get_data() + b" " * int(fault.value or 64 * 2**20))
        for _ in self._strike(path, "not_json"):
            response.set_data(b"<!DOCTYPE html><title>Maintenance</title>")
        for _ in self._strike(path, "truncate"):
            data = response.get_data()
            response.set_data(data[: len(data) // 2])
        if "Link" in response.headers and self._strike(path, "lower_case_link"):
            link = response.headers.pop("Link")
            response.headers["link"] = link.replace('rel="next"', "rel=NEXT")
        return response
