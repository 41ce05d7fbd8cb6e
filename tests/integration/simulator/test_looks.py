"""People look at the demo: every page of both products finds its style sheet."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.simulator.app import application
from tests.simulator.canvas.lms import Canvas, Cloud
from tests.simulator.lms import Lms
from tests.simulator.moodle.lms import Moodle


def moodle() -> Lms:
    return Moodle("https://moodle.example.edu", name="Moodle", short_name="moodle")


def canvas() -> Lms:
    return Canvas("https://canvas.example.edu", Cloud("https://sso.example.com"), name="North")


@pytest.mark.parametrize("make", [moodle, canvas])
def test_the_style_sheet_is_there(make: Callable[[], Lms]) -> None:
    lms = make()
    client = application(lms).test_client()
    assert "/theme/styles.css" in client.get("/", follow_redirects=True).text
    answer = client.get("/theme/styles.css")
    assert (answer.status_code, answer.mimetype) == (200, "text/css")
    assert len(answer.data) > 1000
