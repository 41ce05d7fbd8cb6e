"""Hints are offered and run once; failures come back later; nothing in a message runs code."""

from __future__ import annotations

import pickle
import sqlite3
import threading
from datetime import datetime
from pathlib import Path

import pytest

from lti_tool import queue as module
from lti_tool import telemetry
from lti_tool.errors import ConfigurationInvalid, ErrorCode, NotFound, PlatformFailed
from lti_tool.queue import LONGEST_WAIT_SECONDS, RETRIES, Queue, retry_wait


def drain(queue: Queue) -> int:
    ran = 0
    while queue.run_one():
        ran += 1
    return ran


def test_a_task_gets_its_ids_once(queue: Queue) -> None:
    seen: list[dict[str, str]] = []
    queue.register("sync_context", lambda **ids: seen.append(ids))
    queue.offer("sync_context", context_id="c1", run_id="r1")
    queue.offer("sync_context", context_id="c2")
    assert queue.length() == 2
    assert drain(queue) == 2
    assert seen == [{"context_id": "c1", "run_id": "r1"}, {"context_id": "c2"}]
    assert queue.length() == 0


def test_another_process_offers_without_knowing_the_function(queue: Queue, queue_url: str) -> None:
    """The web processes offer; only the worker registers what tasks do."""
    seen: list[str] = []
    queue.register("reconcile", lambda: seen.append("ran"))
    web = Queue(queue_url)
    web.offer("reconcile")
    web.close()
    drain(queue)
    assert seen == ["ran"]


def test_of_many_workers_one_runs_a_message(queue_url: str) -> None:
    seen: list[str] = []
    workers = [Queue(queue_url) for _ in range(4)]
    for worker in workers:
        worker.register("issue_credential", lambda award_id: seen.append(award_id))
    for number in range(40):
        workers[0].offer("issue_credential", award_id=str(number))
    threads = [threading.Thread(target=drain, args=(worker,)) for worker in workers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for worker in workers:
        worker.close()
    assert sorted(seen, key=int) == [str(number) for number in range(40)]


def test_a_failure_that_may_pass_comes_back_later(queue: Queue) -> None:
    def busy() -> None:
        raise PlatformFailed(ErrorCode.PLATFORM_BUSY, retryable=True, retry_after=90)

    queue.register("sync_context", busy)
    queue.offer("sync_context")
    assert drain(queue) == 1
    assert (queue.length(), queue.put_off()) == (0, 1)


@pytest.mark.parametrize(
    "error",
    [NotFound(ErrorCode.CONTEXT_NOT_FOUND), PlatformFailed(ErrorCode.PLATFORM_REFUSED, retryable=False)],
)
def test_a_failure_that_stays_is_dropped(queue: Queue, error: Exception) -> None:
    """It would fail again; the domain's tables still say what is due."""

    def failing() -> None:
        raise error

    queue.register("sync_context", failing)
    queue.offer("sync_context")
    drain(queue)
    assert (queue.length(), queue.put_off()) == (0, 0)


def test_retries_end(sqlite_queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_OFF_SECONDS", 0.0)
    tried: list[int] = []

    def failing() -> None:
        tried.append(1)
        raise RuntimeError("a bug")

    sqlite_queue.register("sync_context", failing)
    sqlite_queue.offer("sync_context")
    for _ in range(RETRIES + 3):
        drain(sqlite_queue)
        for task in sqlite_queue._huey.read_schedule(datetime(2100, 1, 1)):  # noqa: DTZ001 - Huey's are naive
            sqlite_queue._huey.enqueue(task)
    assert len(tried) == RETRIES + 1
    assert (sqlite_queue.length(), sqlite_queue.put_off()) == (0, 0)


@pytest.mark.parametrize(
    "error, outcome",
    [
        (None, "done"),
        (PlatformFailed(ErrorCode.PLATFORM_BUSY, retryable=True), "retried"),
        (PlatformFailed(ErrorCode.PLATFORM_REFUSED, retryable=False), "failed"),
    ],
)
def test_each_job_is_counted_once_under_what_became_of_it(
    sqlite_queue: Queue, error: Exception | None, outcome: str
) -> None:
    def task() -> None:
        if error is not None:
            raise error

    def counted() -> dict[str, float]:
        jobs = telemetry.JOBS
        return {each: jobs.labels("counted", each)._value.get() for each in ("done", "retried", "failed")}

    before = counted()
    sqlite_queue.register("counted", task)
    sqlite_queue.offer("counted")
    drain(sqlite_queue)
    assert counted() == {**before, outcome: before[outcome] + 1}


def test_an_unknown_task_is_passed_over(queue: Queue) -> None:
    queue.offer("from_the_future", anything="1")
    assert drain(queue) == 1
    assert queue.length() == 0


def test_a_worker_outlives_a_task_that_fails(queue: Queue) -> None:
    seen: list[str] = []
    queue.register("bad", lambda: {}["missing"])
    queue.register("good", lambda: seen.append("ran"))
    queue.offer("bad")
    queue.offer("good")
    drain(queue)
    assert seen == ["ran"]


def test_offering_never_fails(tmp_path: Path) -> None:
    """A launch must not fail because the queue does: the reconcile pass finds the work."""
    path = tmp_path / "queue.sqlite3"
    queue = Queue(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE task")
    queue.offer("sync_context", context_id="c1")
    with pytest.raises(ConfigurationInvalid):
        queue.length()
    queue.close()


class Exploit:
    """What a pickle can do to whoever reads it."""

    ran = False

    def __reduce__(self) -> tuple[object, tuple[()]]:
        return (mark, ())


def mark() -> None:
    Exploit.ran = True


def test_a_pickle_in_the_queue_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "queue.sqlite3"
    queue = Queue(f"sqlite:///{path}")
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO task (queue, data) VALUES (?, ?)", (module.NAME, pickle.dumps(Exploit()))
        )
    with pytest.raises(ValueError, match=r"codec|JSON|Expecting"):
        queue.run_one()
    assert Exploit.ran is False
    assert queue.length() == 0, "what cannot be read does not come back"
    queue.close()


@pytest.mark.parametrize("url", ["mysql://localhost/x", "", "postgresql://nobody:hunter2@127.0.0.1:1/none"])
def test_a_queue_that_cannot_be_opened_is_a_plain_error(url: str) -> None:
    with pytest.raises(ConfigurationInvalid) as refusal:
        Queue(url)
    assert refusal.value.code is ErrorCode.SETTINGS_INVALID
    assert "hunter2" not in str(refusal.value)


def test_pauses_grow_and_heed_the_platform() -> None:
    passing = PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT, retryable=True)
    pauses = [retry_wait(passing, attempt) for attempt in range(4)]
    assert [5 <= (pauses[0] or 0) <= 6, 20 <= (pauses[1] or 0) <= 24, 80 <= (pauses[2] or 0) <= 96] == [
        True
    ] * 3
    assert retry_wait(PlatformFailed(ErrorCode.PLATFORM_BUSY, retryable=True, retry_after=120), 0) == 120
    forever = PlatformFailed(ErrorCode.PLATFORM_BUSY, retryable=True, retry_after=10**9)
    assert retry_wait(forever, 0) == LONGEST_WAIT_SECONDS
    assert retry_wait(NotFound(ErrorCode.NOT_FOUND), 0) is None
    assert retry_wait(KeyError("a bug"), 0) is not None


@pytest.fixture
def sqlite_queue(tmp_path: Path) -> Queue:
    return Queue(f"sqlite:///{tmp_path}/queue.sqlite3")
