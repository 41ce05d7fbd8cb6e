"""What came with a copied course, and a draft that is to be removed, in each of their states."""

from __future__ import annotations

from dataclasses import replace

from lti_tool.domain.copies import Doubt
from lti_tool.domain.criteria import Channel
from lti_tool.domain.gates import GateState
from lti_tool.services.copying import (
    CopiedBadge,
    CopiedColumnView,
    CopiedGateView,
    CopyQuestion,
    CopyState,
    CopyView,
)
from lti_tool.services.own_columns import OwnColumn, RemovalView
from tests.unit.web.sample_views import LONG_WORD, NOW

MIRROR, ATTEST = Channel.MIRROR, Channel.ATTEST
BADGE = CopiedBadge(
    placement_id="placement-1",
    name="Open Data Basics",
    achievement_version_id="version-data",
    image_alt="Hexagonal badge with a database symbol",
    origin_title="Research Data 2025",
    is_left_behind=False,
    is_confirmed=False,
    is_opened=True,
    columns=(
        CopiedColumnView("Quiz 1 · Open Data Basics", MIRROR, True, True, False),
        CopiedColumnView("Talk · Open Data Basics", ATTEST, True, False, False),
    ),
    gates=(CopiedGateView("gate-1", "Took part in the forum", GateState.WAITING),),
)
EVERY_PART = replace(
    BADGE,
    placement_id="placement-2",
    name="Data Protection",
    is_opened=False,
    columns=(
        CopiedColumnView("Quiz 2 · Data Protection", MIRROR, True, True, True),
        CopiedColumnView("Quiz 3 · Data Protection", MIRROR, True, False, False),
        CopiedColumnView("Essay · Data Protection", ATTEST, False, False, False),
    ),
    gates=(
        CopiedGateView("gate-2", "Read the page", GateState.OPEN),
        CopiedGateView("gate-3", "Handed in", GateState.CONFIRMED),
    ),
)
QUESTION = CopyQuestion(Doubt.HISTORY_CONTRADICTS, "Open Data Basics", "Research Data 2025", "Campus Moodle")

COPIES = {
    "usual": CopyView((BADGE,), None, False),
    "every-part": CopyView(
        (
            BADGE,
            EVERY_PART,
            replace(
                BADGE, placement_id="placement-3", name="Citing", is_left_behind=True, columns=(), gates=()
            ),
            replace(BADGE, placement_id="placement-4", name="Licences", is_confirmed=True, gates=()),
        ),
        None,
        False,
    ),
    "of-several-courses": CopyView(
        (
            BADGE,
            replace(EVERY_PART, origin_title=None, name=LONG_WORD),
            replace(BADGE, placement_id="placement-5", origin_title=f"Course {LONG_WORD}"),
        ),
        None,
        False,
    ),
    "asked": CopyView((), QUESTION, False),
    "asked-of-another-platform": CopyView((BADGE,), replace(QUESTION, doubt=Doubt.OTHER_PLATFORM), False),
    "asked-of-a-removed-one": CopyView((), replace(QUESTION, doubt=Doubt.REMOVED, origin_title=None), False),
    "gone": CopyView((), None, True),
    "nothing": CopyView((), None, False),
}

COPY_STATES = {"waiting": CopyState(waiting=3), "reset": CopyState(emptied_at=NOW)}

COLUMNS = (OwnColumn("Quiz 1 · Open Data Basics", True), OwnColumn(f"Talk {LONG_WORD}", False))
REMOVALS = {
    "usual": RemovalView("placement-1", "Open Data Basics", COLUMNS, True),
    "read-only-columns": RemovalView("placement-1", "Open Data Basics", COLUMNS, False),
    "no-columns": RemovalView("placement-1", "Open Data Basics", (), True),
}
