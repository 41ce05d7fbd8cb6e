"""The picker and the form of a micromodule as services and people would fill them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lti_tool.domain.criteria import AnyOf
from lti_tool.services.choosing import CategoryChoice, EditedLink
from lti_tool.services.configuring import MicromoduleSummary, MissingGate, PickerView
from lti_tool.services.editing import EditView
from lti_tool.services.micromodule_form import MicromoduleForm
from tests.factories import rule_fields
from tests.unit.web.sample_views import ESSAY, LONG_WORD, PEER, TREE


def picker(**changes: Any) -> PickerView:
    """Two micromodules to choose from."""
    plain = PickerView(
        micromodules=(
            MicromoduleSummary(
                "micromodule-1",
                "Research Data",
                "Plans, documents and shares research data responsibly.",
                ("Data management", "FAIR principles"),
                "version-data",
                "A green hexagon with a database",
                TREE,
                is_placed_here=True,
                has_mirror=True,
            ),
            MicromoduleSummary(
                "micromodule-2",
                "Academic Writing",
                "Writes and revises a short academic text.",
                (),
                None,
                "",
                AnyOf((ESSAY, PEER)),
                is_placed_here=False,
            ),
        ),
        draft=None,
        has_roster=True,
        supports_mirror=True,
        supports_gates=True,
        micromodule_choices=(("micromodule-1", "Academic Writing"), ("micromodule-2", "Research Data")),
        achievement_choices=(("achievement-1", "Academic Writing"),),
    )
    return replace(plain, **changes)


def edited(**changes: Any) -> EditedLink:
    """A badge's link that an LMS wants changed."""
    plain = EditedLink(
        "placement-1", "Research Data", "version-data", "A green hexagon with a database", TREE, "draft"
    )
    return replace(plain, **changes)


PICKERS = {
    "usual": picker(),
    "first": picker(micromodules=(), has_roster=False),
    "draft": picker(draft={"name": "Half a thought", "criteria-0-label": "Quiz 7"}),
    "no-mirrors": picker(supports_mirror=False, supports_gates=False),
    "one-at-a-time": picker(accepts_several=False),
    "editor": picker(
        accepts_several=True,
        embeds=("link", "image", "html"),
        categories=(
            CategoryChoice("category-1", "Data skills", 5, ("micromodule-1", "micromodule-2")),
            CategoryChoice("category-2", LONG_WORD, 2, ()),
            CategoryChoice("category-3", "Academic Writing", 4, ("micromodule-3",), 2),
            CategoryChoice("category-4", "Research Ethics", 1, (), 1),
        ),
    ),
    "only-shown": picker(takes_links=False, embeds=("image", "html")),
    "nothing-fits": picker(takes_links=False),
    "edited-draft": picker(edited=edited()),
    "edited-published": picker(edited=edited(status="active")),
    "edited-gate": picker(edited=edited(gate_id="gate-1", gate_label="Took part in the forum")),
    "gates": picker(
        gates=(
            MissingGate("gate-1", "Took part in the forum", "Research Data"),
            MissingGate("gate-2", LONG_WORD, "Academic Writing"),
        )
    ),
}

FORM = {
    "name": "Research Data",
    "description": "Plans, documents and shares research data responsibly.",
    "skills": "Data management\nFAIR principles",
    "combination": "all",
    "at_least_count": "1",
    **rule_fields(0, label="Quiz 1"),
    **rule_fields(
        1, label="Essay", channel="attest", threshold="12", unit="points", purpose="formative", group="A"
    ),
    **rule_fields(2, label="Peer review", channel="attest", threshold="50", group="A"),
    "group-A-combination": "any",
    "group-A-count": "1",
    "shape": "hexagon",
    "icon": "database",
    "background": "#0b6a5d",
    "foreground": "#ffffff",
    "text": "Research Data",
    "image_alt": "A green hexagon with a database",
}

EVERY_KIND = {
    **FORM,
    "criteria-3-kind": "gate",
    "criteria-3-label": "Took part in the forum",
    "criteria-3-recipe": "forum",
    "criteria-3-group": "B",
    "criteria-4-kind": "attested",
    "criteria-4-label": "Talk given",
    "criteria-4-after": "2026-10-01",
    "criteria-4-before": "2026-12-24T12:00",
    "criteria-4-group": "B",
    "criteria-5-kind": "evidence",
    "criteria-5-label": "Data management plan",
    "criteria-5-instructions": "Hand in the plan of your own project.",
    "criteria-5-checklist": "Names a licence\nNames a repository",
    "criteria-5-link": "on",
    "criteria-5-file": "on",
    "criteria-6-kind": "completed",
    "criteria-6-choice": "micromodule-1",
    "criteria-6-label": "Academic Writing",
    "criteria-7-kind": "holds",
    "criteria-7-choice": "achievement-gone",
    "criteria-7-label": "A badge of last year",
    "criteria-8-kind": "mean",
    "criteria-8-label": "Mean of grades",
    "criteria-8-channel": "mirror",
    "criteria-8-threshold": "70",
    "criteria-8-purpose": "summative",
    "criteria-8-terms": "Quiz 1; 40\nQuiz 2; 60",
    "group-B-combination": "all",
    "group-B-count": "1",
    "group-B-parent": "A",
    "group-B-before": "2027-01-31",
}
"""A form with a rule of each kind and a group in a group."""

EDITED = EditView(
    "placement-1",
    MicromoduleForm.from_fields(FORM),
    "revision-1",
    PICKERS["usual"].micromodule_choices,
    PICKERS["usual"].achievement_choices,
    supports_mirror=True,
    supports_gates=True,
    is_known=True,
)
"""A draft whose form is opened again."""
