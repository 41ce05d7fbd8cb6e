"""The page on which an instructor checks a gate, in each of its states."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from lti_tool.domain.gates import GateState, confirmation_problem
from lti_tool.errors import ErrorCode
from lti_tool.platforms import GateKind
from lti_tool.services.gating import GateCheck, Side
from lti_tool.store.gates import GateView, PassRow
from tests.unit.web.sample_views import LONG_WORD, NOW, run

MOODLE_SETTINGS = (
    "https://moodle.example.edu/course/modedit.php?update=17&return=1"
    "&showonly=availabilityconditionsheader#id_availabilityconditionsheader"
)
PASSING = Side((PassRow("learner-1", "Ada Lovelace"), PassRow("learner-2", None)), 4)
FAILING = Side((PassRow("learner-3", "Finn Locke"), PassRow("learner-4", "Ida Sommer")), 8)
NOBODY = Side((), 0)


def check(
    state: GateState = GateState.OPEN, listed: int = 4, learners: int = 12, **changes: Any
) -> GateCheck:
    """A gate that so many of so many pass; further changes are those of the check, or of its gate."""
    gate = GateView(
        id="gate-1",
        organisation_id="organisation-1",
        context_id="context-1",
        placement_id="placement-1",
        name="Research Data",
        evidence_key="forum",
        label="Took part in the forum",
        link_key="gate-key-1",
        resource_link_id="link-2",
        link_id_on_platform="7",
        course_module_id="17",
        state=state,
        allows_everybody=False,
        confirmed_at=None,
        read_at=NOW - timedelta(seconds=20),
        is_complete=True,
        trouble=None,
        listed=listed,
        learners=learners,
        newly=0,
    )
    own = {name: changes.pop(name) for name in list(changes) if name in GateView.__slots__}
    gate = replace(gate, **own)
    plain = GateCheck(
        gate=gate,
        kind=GateKind.RESTRICT_ACCESS,
        settings_url=MOODLE_SETTINGS,
        reading=gate.reading,
        passing=PASSING if listed else NOBODY,
        failing=FAILING if listed < learners else NOBODY,
        problem=confirmation_problem(gate.reading, everybody=False),
        trouble=ErrorCode(gate.trouble) if gate.trouble else None,
        run=None,
        is_this_link=True,
    )
    return replace(plain, **changes)


def unread(**changes: Any) -> GateCheck:
    """A gate behind which nothing was read."""
    return check(listed=0, learners=0, read_at=None, passing=NOBODY, failing=NOBODY, **changes)


GATES = {
    "usual": check(),
    "waiting": unread(
        state=GateState.WAITING, resource_link_id=None, course_module_id=None, settings_url=None
    ),
    "reading": unread(run=run(step="gates", total=1, done=0)),
    "queued": unread(run=run("waiting", total=None)),
    "everybody": check(listed=12),
    "nobody": check(listed=0),
    "empty-course": check(listed=0, learners=0),
    "confirmed": check(GateState.CONFIRMED, confirmed_at=NOW),
    "everybody-confirmed": check(GateState.CONFIRMED, 12, confirmed_at=NOW, allows_everybody=True),
    "doubted": check(GateState.DOUBTED, 12, newly=8, confirmed_at=NOW - timedelta(days=3), failing=FAILING),
    "doubt-over": check(GateState.DOUBTED, newly=0, confirmed_at=NOW - timedelta(days=3)),
    "deleted": check(trouble="gate_link_missing"),
    "failed": check(run=run("failed", error_code="platform_timed_out"), trouble="platform_timed_out"),
    "duplicate": check(is_this_link=False),
    "canvas": check(kind=GateKind.ASSIGNED_TO, settings_url=None),
    "other": check(kind=GateKind.UNKNOWN, settings_url=None),
    "grader": check(listed=12),
    "large": check(
        listed=1_204,
        learners=2_000,
        label=LONG_WORD,
        name=LONG_WORD,
        passing=Side(tuple(PassRow(f"learner-{n}", f"Learner Number {n}") for n in range(50)), 1_204),
        failing=Side((PassRow("learner-9", LONG_WORD),), 796),
    ),
}
"""By name; the grader's is seen by somebody who may not confirm."""
