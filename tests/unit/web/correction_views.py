"""Corrections of a sample badge, in every state."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lti_tool.domain.staff import Permission
from lti_tool.services.correcting import CorrectionView, Difference
from lti_tool.store.corrections import Carried
from tests.unit.web.sample_views import ACHIEVEMENT, PICTURES
from tests.unit.web.staff_views import REISSUES

LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsausbildungsgrundlagen"
LOOK = {
    "shape": "hexagon",
    "icon": "award",
    "background": "#0b6a5d",
    "foreground": "#ffffff",
    "text": "",
    "picture_id": "",
}
PLAIN = CorrectionView(
    version=ACHIEVEMENT,
    fields={
        "name": ACHIEVEMENT.name,
        "description": ACHIEVEMENT.description,
        "criteria_narrative": ACHIEVEMENT.criteria_narrative,
        "skills": "\n".join(ACHIEVEMENT.skills),
        "image_alt": ACHIEVEMENT.image_alt,
        **LOOK,
    },
    carried=Carried(1234, 56),
    mark="a" * 32,
    is_newest=True,
    run=None,
    micromodule_id="micromodule-1",
)
CORRECTIONS = {
    "plain": PLAIN,
    "nobody": replace(PLAIN, carried=Carried(0, 0), micromodule_id=None),
    "own-picture": replace(PLAIN, fields={**PLAIN.fields, "shape": "", "picture_id": "9" * 32}),
    "undrawn": replace(PLAIN, fields={**PLAIN.fields, **dict.fromkeys(LOOK, "")}),
    "older": replace(PLAIN, is_newest=False),
    **{f"signed-{state}": replace(PLAIN, run=run) for state, run in REISSUES.items()},
}
PREVIEW = replace(
    PLAIN,
    differences=(
        Difference("name", "Acadmic writing", ACHIEVEMENT.name),
        Difference(
            "criteria_narrative", "All of these:\n- Quiz 1\n- Essay", f"Both:\n- Quiz 1\n- {LONG_WORD}"
        ),
        Difference("skills", "Writting\nCiting", "Writing\nCiting"),
    ),
    is_picture_new=True,
)


class SampleCorrecting:
    """Corrects nothing; a test may put in other views."""

    def __init__(self, called: Any) -> None:
        self.view = PLAIN
        self.previewed = PREVIEW
        self.correct = called("correct", "run-1")

    def open(self, staff: Any, version_id: str) -> CorrectionView:
        staff.require(Permission.EDIT_MICROMODULES)
        return self.view

    def preview(self, staff: Any, version_id: str, typed: Any) -> CorrectionView:
        staff.require(Permission.EDIT_MICROMODULES)
        return self.previewed

    def draw(self, staff: Any, fields: Any) -> str | None:
        staff.require(Permission.EDIT_MICROMODULES)
        return PICTURES["version-writing"] if fields.get("shape") != "none" else None
