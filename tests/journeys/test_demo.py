"""What ``make run`` does for the demo's people, where the machine is slower than they are."""

from __future__ import annotations

from collections.abc import Callable

from tests.journeys.campus import Campus
from tests.simulator.run import read_now


def test_a_course_is_read_again_once_an_earlier_reading_is_done(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    activity = campus.placed_badge()
    teacher = campus.browser(campus.teacher)
    teacher.submit(teacher.launch(activity.id), form="sync")
    assert not [form for form in teacher.launch(activity.id).forms if "sync" in form.action]
    turns: list[float] = []

    def wait(condition: Callable[[], bool], seconds: float) -> None:
        while not condition():
            turns.append(seconds)
            assert len(turns) < 3
            campus.run_jobs()

    read_now(teacher, activity, wait)
    assert len(turns) == 1
    assert not [form for form in teacher.launch(activity.id).forms if "sync" in form.action]
