"""What is logged, and above all what is not."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from lti_tool import telemetry

JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
TOKEN = "q2w3e4r5t6z7u8i9o0p1-A_B"


@pytest.fixture
def log(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """What the process logs, as one JSON object a line."""
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    stream = io.StringIO()
    telemetry.clear_context()
    telemetry.configure_logging("json", "info", stream)
    yield stream
    telemetry.clear_context()
    structlog.reset_defaults()
    logging.getLogger().handlers, logging.getLogger().level = handlers, level


def only_line(log: io.StringIO) -> dict[str, Any]:
    (line,) = log.getvalue().splitlines()
    parsed: dict[str, Any] = json.loads(line)
    return parsed


def test_a_line_has_its_event_its_fields_and_what_the_request_is_about(log: io.StringIO) -> None:
    telemetry.bind_context(request_id="r1", registration_id="reg_1", context_id=None)
    telemetry.get_logger("lti_tool.web").info("launch_accepted", learner_id="lrn_1", count=3)
    line = only_line(log)
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "launch_accepted",
        "level": "info",
        "logger": "lti_tool.web",
        "request_id": "r1",
        "registration_id": "reg_1",
        "learner_id": "lrn_1",
        "count": 3,
    }


def test_an_id_that_was_taken_off_is_on_no_later_line(log: io.StringIO) -> None:
    telemetry.bind_context(request_id="r1", registration_id="reg_1")
    telemetry.bind_context(registration_id=None)
    telemetry.get_logger("x").info("e")
    line = only_line(log)
    assert line["request_id"] == "r1"
    assert "registration_id" not in line


@pytest.mark.parametrize("field", sorted(telemetry.SECRET_FIELDS))
def test_a_secret_field_is_masked_at_any_depth(log: io.StringIO, field: str) -> None:
    telemetry.get_logger("x").info("e", **{field: TOKEN, "inner": {"deeper": [{field.upper(): TOKEN}]}})
    assert TOKEN not in log.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        JWT,
        f"bad token {JWT}, refused",
        f"https://tool.example/s/{TOKEN}/wallet",
        f"https://tool.example/s/{TOKEN}?x=1",
        f"GET /s/{TOKEN}",
        f"/lti/launch?id_token={TOKEN}&a=b",
        f"https://lms.example/auth?state={TOKEN}",
        f"Authorization: Bearer {TOKEN}",
        f"-----BEGIN PRIVATE KEY-----\n{TOKEN}\n-----END PRIVATE KEY-----",
        f"-----BEGIN RSA PRIVATE KEY-----\n{TOKEN}",
    ],
)
def test_a_secret_inside_a_text_is_masked_wherever_the_text_is(log: io.StringIO, text: str) -> None:
    logger = telemetry.get_logger("x")
    logger.info(text)
    logger.info("e", url=text, many=[text], inner={"a": text}, thing=ValueError(text))
    logging.getLogger("a.library").warning("said %s", text)
    logging.getLogger("a.library").warning("said", extra={"url": text})
    try:
        raise RuntimeError(text)
    except RuntimeError:
        logger.exception("failed")
        logging.getLogger("a.library").exception("failed")
    assert len(log.getvalue().splitlines()) == 6
    for secret in (TOKEN, JWT, JWT.split(".")[1]):
        assert secret not in log.getvalue()


def test_the_session_segment_is_written_as_a_dash(log: io.StringIO) -> None:
    telemetry.get_logger("x").info("request", path=f"/s/{TOKEN}/wallet")
    assert only_line(log)["path"] == "/s/-/wallet"


def test_ids_and_hosts_stay_readable(log: io.StringIO) -> None:
    telemetry.get_logger("x").info("e", context_id="ctx_1", host="moodle.example", path="/issuers/1/did.json")
    line = only_line(log)
    assert (line["context_id"], line["host"], line["path"]) == (
        "ctx_1",
        "moodle.example",
        "/issuers/1/did.json",
    )


def test_lines_for_people_are_masked_too() -> None:
    stream = io.StringIO()
    handlers, level = logging.getLogger().handlers, logging.getLogger().level
    try:
        telemetry.configure_logging("console", "info", stream)
        telemetry.get_logger("x").info("launch_refused", path=f"/s/{TOKEN}/wallet")
        telemetry.get_logger("x").debug("quiet")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers, logging.getLogger().level = handlers, level
    assert "launch_refused" in stream.getvalue()
    assert TOKEN not in stream.getvalue()
    assert "quiet" not in stream.getvalue()


def test_processes_count_together_and_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    program = f"""
import subprocess, sys
from pathlib import Path
from lti_tool import telemetry
for run in range(2):
    telemetry.prepare_metrics_folder(Path({str(folder)!r}))
    count = "from lti_tool import telemetry; telemetry.LAUNCHES.labels('accepted').inc()"
    for _ in range(3):
        subprocess.run([sys.executable, "-c", count], check=True)
body, content_type = telemetry.render_metrics()
print(body.decode())
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=170
    )
    assert 'lti_tool_launches_total{outcome="accepted"} 3.0' in answer.stdout.splitlines()


def test_an_outgoing_call_is_counted() -> None:
    before = telemetry.OUTBOUND_CALLS.labels("platform", "2xx")._value.get()
    telemetry.observe_outbound("platform", "2xx", 0.2)
    assert telemetry.OUTBOUND_CALLS.labels("platform", "2xx")._value.get() == before + 1
    assert b"lti_tool_outbound_seconds_bucket" in telemetry.render_metrics()[0]
