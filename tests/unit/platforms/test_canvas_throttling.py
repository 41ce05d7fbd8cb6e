"""Canvas's leaky bucket: what it says before and when it refuses."""

from __future__ import annotations

import pytest

from lti_tool.platforms import platform_for

canvas, other = platform_for("canvas"), platform_for("other")


@pytest.mark.parametrize(
    "status, headers, is_busy",
    [
        (429, {}, True),
        (503, {}, True),
        (403, {"X-Rate-Limit-Remaining": "0.0"}, True),
        (403, {"X-Rate-Limit-Remaining": "-12.5"}, True),
        (403, {"X-Rate-Limit-Remaining": "412.7"}, False),
        (403, {}, False),
        (403, {"X-Rate-Limit-Remaining": "soon"}, False),
        (403, {"X-Rate-Limit-Remaining": "nan"}, False),
    ],
)
def test_canvas_refuses_by_429_or_an_empty_bucket(status, headers, is_busy):
    assert canvas.is_too_busy(status, headers) is is_busy


@pytest.mark.parametrize(
    "remaining, is_near", [("600", False), ("151", False), ("149.9", True), ("0.0", True), ("x", False)]
)
def test_canvas_tells_beforehand(remaining, is_near):
    assert canvas.is_nearly_too_busy({"X-Rate-Limit-Remaining": remaining}) is is_near


def test_others_do_not_mean_anything_by_it():
    assert not other.is_too_busy(403, {"X-Rate-Limit-Remaining": "0.0"})
    assert not other.is_nearly_too_busy({"X-Rate-Limit-Remaining": "0.0"})
    assert other.is_too_busy(429, {})
    assert canvas.calls_per_minute > other.calls_per_minute
