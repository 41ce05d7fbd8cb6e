"""What is compared of two versions, beside what a correction may touch."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from lti_tool.domain.criteria import GatePassed
from lti_tool.services.comparing import changes
from lti_tool.services.correcting import FIELDS
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, NewMicromodule

OTHERWISE: dict[str, Any] = {
    "achievement_type": "Badge",
    "alignments": (AlignmentView("Writing", "https://skills.example/writing"),),
    "credits": Decimal(2),
    "human_code": "W-1",
    "field_of_study": "Letters",
    "validity_months": 12,
    "renewal_opens_days": 30,
    "renewal_closes_days": 10,
    "shows_results": True,
    "shows_evidence": True,
    "status_purpose": "suspension",
}
TOLD_WITH_OTHERS = {"credit_unit", "result_descriptions"}
WORDS: dict[str, Any] = {
    "name": "Writing",
    "description": "",
    "skills": (),
    "criteria": dump_criteria(GatePassed("gate:forum", "Forum")),
    "criteria_narrative": "Forum",
    "artwork": {},
    "image_alt": "Writing",
    "credit_unit": "ects",
    "language": "en",
}
BEFORE = DescribedVersion(
    version_id="v",
    micromodule_id="m",
    number=1,
    achievement_id="a",
    achievement_version_id="b",
    **WORDS,
)
AFTER = NewMicromodule(summary="Forum", image_svg="", image_png=b"", issuer_id="i", **WORDS)


def told(after: NewMicromodule) -> Any:
    return changes(BEFORE, after, lambda *_: "Forum")


def test_every_detail_is_tried() -> None:
    assert OTHERWISE.keys() | TOLD_WITH_OTHERS == set(AchievementDetails.names())
    assert told(AFTER).is_empty


@pytest.mark.parametrize("name", OTHERWISE)
def test_a_detail_that_no_correction_may_touch_changes_the_meaning(name: str) -> None:
    assert name not in FIELDS
    assert told(replace(AFTER, **{name: OTHERWISE[name]})).changes_meaning


@pytest.mark.parametrize("words", [{"name": "Writings"}, {"description": "It is."}, {"image_alt": "A pen"}])
def test_words_that_a_correction_may_touch_do_not(words: dict[str, Any]) -> None:
    assert words.keys() <= set(FIELDS)
    assert not told(replace(AFTER, **words)).changes_meaning
