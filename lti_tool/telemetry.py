"""Logs and metrics.

Logs: the event name is constant, everything that varies is a field, and fields carry ids, never names,
addresses or tokens. What a request or job is about (``request_id``, …) is bound once and is on every line
after that. Lines of libraries take the same way. Last of all :func:`mask_secrets` takes out what must not be
there however it got in: id_tokens, states, bearer tokens, and the session segment of ``/s/<token>/`` paths.

Metrics: the names below are public, and each has its entry in ``docs/reference/metrics.md``. Labels come from
closed sets (error codes, task names), never from what somebody sent.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import sys
from collections.abc import Mapping, MutableMapping
from pathlib import Path
from typing import Any, Final, TextIO

import structlog
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from structlog.typing import Processor

# ------------------------------------------------------------------------------------------------ metrics
LAUNCHES: Final = Counter(
    "lti_tool_launches", "Launches, by outcome: accepted, or the error code", ["outcome"]
)
OUTBOUND_CALLS: Final = Counter(
    "lti_tool_outbound_calls",
    "Outgoing HTTP calls, by who named the URL and by outcome",
    ["audience", "outcome"],
)
OUTBOUND_SECONDS: Final = Histogram(
    "lti_tool_outbound_seconds",
    "How long outgoing HTTP calls took",
    ["audience"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 30),
)
JOBS: Final = Counter("lti_tool_jobs", "Jobs that the worker ran, by task and outcome", ["task", "outcome"])
JOB_SECONDS: Final = Histogram(
    "lti_tool_job_seconds", "How long jobs took", ["task"], buckets=(0.05, 0.25, 1, 5, 15, 60, 300, 1800)
)
AWARDS: Final = Counter("lti_tool_awards", "Awards decided, by what decided them", ["origin"])
SCORES: Final = Counter("lti_tool_scores", "Scores of awards that came to something, by what", ["outcome"])
REVIEWS: Final = Counter(
    "lti_tool_reviews", "Reviews of badges whose facts changed, by what became of them", ["event"]
)
CREDENTIALS_SIGNED: Final = Counter("lti_tool_credentials_signed", "Documents signed, by kind", ["kind"])

CONTEXTS_DUE: Final = Gauge(
    "lti_tool_contexts_due", "Courses whose scheduled read is owed", multiprocess_mode="livemostrecent"
)
OLDEST_DUE_SECONDS: Final = Gauge(
    "lti_tool_oldest_due_seconds",
    "For how long the course that waits longest has been owed its read",
    multiprocess_mode="livemostrecent",
)
PLATFORM_CALLS: Final = Counter(
    "lti_tool_platform_calls",
    "Calls to LMSs' services, by who wanted them and what became of them",
    ["wanted_by", "outcome"],
)
BUDGET_LEFT: Final = Gauge(
    "lti_tool_budget_left",
    "Of the platform with the least left: the schedule's share of its calls, 1 for all; below 0 in debt",
    multiprocess_mode="livemostrecent",
)
PLATFORMS_RESTING: Final = Gauge(
    "lti_tool_platforms_resting",
    "Platforms that asked to be left alone for a while",
    multiprocess_mode="livemostrecent",
)
CONNECTIONS_UNWELL: Final = Gauge(
    "lti_tool_connections_unwell",
    "Registrations of which a service fails, a permission is missing or the clock differs",
    multiprocess_mode="livemostrecent",
)
ACHIEVEMENTS_STALE: Final = Gauge(
    "lti_tool_achievements_stale",
    "Micromodules and milestones whose review is overdue",
    multiprocess_mode="livemostrecent",
)

METRICS: Final = (
    LAUNCHES,
    OUTBOUND_CALLS,
    OUTBOUND_SECONDS,
    JOBS,
    JOB_SECONDS,
    AWARDS,
    SCORES,
    REVIEWS,
    CREDENTIALS_SIGNED,
    CONTEXTS_DUE,
    OLDEST_DUE_SECONDS,
    PLATFORM_CALLS,
    BUDGET_LEFT,
    PLATFORMS_RESTING,
    CONNECTIONS_UNWELL,
    ACHIEVEMENTS_STALE,
)
_MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"


def observe_outbound(audience: str, outcome: str, seconds: float) -> None:
    """Count one outgoing call; the shape that ``Outbound(observe=…)`` wants."""
    OUTBOUND_CALLS.labels(audience, outcome).inc()
    OUTBOUND_SECONDS.labels(audience).observe(seconds)


def prepare_metrics_folder(folder: Path) -> None:
    """Let the processes that this one starts afterwards count together.

    Called by ``serve`` before it starts any. The folder is emptied: counters of an earlier run would be added
    to this one's. The processes must be fresh ones (spawned, not forked), since prometheus_client decides at
    its import.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    os.environ[_MULTIPROCESS] = str(folder)


def forget_process(pid: int) -> None:
    """A process that counted has ended: drop what only the living report."""
    if _MULTIPROCESS in os.environ:
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def render_metrics() -> tuple[bytes, str]:
    """Body and content type for ``/metrics``: of all processes together, where there are several."""
    registry = REGISTRY
    if _MULTIPROCESS in os.environ:
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry), CONTENT_TYPE_LATEST


# --------------------------------------------------------------------------------------------------- logs
SECRET_FIELDS: Final = frozenset(
    {
        "access_token",
        "assertion",
        "authorization",
        "body",
        "client_assertion",
        "code",
        "cookie",
        "csrf_token",
        "email",
        "family_name",
        "given_name",
        "id_token",
        "login_hint",
        "lti_message_hint",
        "name",
        "nonce",
        "password",
        "private_key",
        "refresh_token",
        "registration_token",
        "secret",
        "secret_key",
        "state",
        "token",
    }
)
"""Names of fields, and of parameters in URLs, whose values are never logged."""

MASK: Final = "[masked]"
_JWT: Final = re.compile(r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*){0,3}")
_BEARER: Final = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE)
_SESSION_SEGMENT: Final = re.compile(r"/s/[^/\s?#\"'<>]+")
_PARAMETER: Final = re.compile(r"\b(" + "|".join(sorted(SECRET_FIELDS)) + r")=[^&\s\"'<>]+", re.IGNORECASE)
_PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL
)


def mask_text(text: str) -> str:
    """`text` without tokens, states, private keys and session segments."""
    text = _PRIVATE_KEY.sub(MASK, text)
    text = _JWT.sub(MASK, text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    text = _SESSION_SEGMENT.sub("/s/-", text)
    return _PARAMETER.sub(rf"\1={MASK}", text)


def mask_secrets(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: mask every field, whatever its depth."""
    for field, value in event.items():
        if not field.startswith("_"):  # _record and the like are structlog's own
            event[field] = _masked(field, value)
    return event


def _masked(field: str, value: object) -> object:
    if field.lower() in SECRET_FIELDS and value is not None:
        return MASK
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _masked(str(key), inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked("", inner) for inner in value]
    return mask_text(str(value))


def configure_logging(
    log_format: str = "json", log_level: str = "info", stream: TextIO | None = None
) -> None:
    """Set up this process's logging; repeating it replaces what was set up before.

    :param log_format: ``console``: lines for people; ``json``: one object for each.
    :param log_level: the least that is logged.
    :param stream: standard error unless given; commands keep standard output for their answers.
    """
    stream = stream or sys.stderr
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        structlog.processors.StackInfoRenderer(),
    ]
    rendering: list[Processor]
    if log_format == "json":
        rendering = [
            structlog.processors.format_exc_info,
            mask_secrets,
            structlog.processors.JSONRenderer(sort_keys=True),
        ]
    else:
        plain = structlog.dev.ConsoleRenderer(
            colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        rendering = [structlog.processors.format_exc_info, mask_secrets, plain]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *rendering],
    )
    to_stream = logging.StreamHandler(stream)
    to_stream.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [to_stream]
    root.setLevel(log_level.upper())
    # Libraries that tell each request or statement on the info level.
    for name in ("urllib3", "alembic", "huey", "PIL", "fontTools"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger: ``get_logger(__name__).info("launch_accepted", registration_id=…)``."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(name)
    return logger


def bind_context(**ids: str | None) -> None:
    """Put ids on every following line of this request or job; None takes one off."""
    structlog.contextvars.bind_contextvars(**{key: value for key, value in ids.items() if value is not None})
    structlog.contextvars.unbind_contextvars(*(key for key, value in ids.items() if value is None))


def clear_context() -> None:
    """Forget the ids, when a request or job begins or ends."""
    structlog.contextvars.clear_contextvars()
