"""What a version says, as far as it is compared with the next."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from lti_tool.domain.differences import Said
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_rows import plain
from lti_tool.services.describing import own_description
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, NewMicromodule


def said(published: DescribedVersion) -> Said:
    """What is published."""
    return Said(
        {
            "name": published.name,
            "description": own_description(published.description, published.criteria_narrative),
            "image_alt": published.image_alt,
            **_details(published),
        },
        {"skills": published.skills, "alignments": _alignments(published.alignments)},
        _picture(published.artwork),
        parse_criteria(published.criteria),
    )


def said_by(new: NewMicromodule) -> Said:
    """What is prepared."""
    return Said(
        {
            "name": new.name,
            "description": own_description(new.description, new.criteria_narrative),
            "image_alt": new.image_alt,
            **_details(new),
        },
        {"skills": new.skills, "alignments": _alignments(new.alignments)},
        _picture(new.artwork),
        parse_criteria(new.criteria),
    )


def _details(details: AchievementDetails) -> dict[str, str]:
    """The details as comparable texts; the page says those that are codes in words."""
    texts = {
        "credits": "" if details.credits is None else f"{plain(details.credits)} {details.credit_unit}",
        "validity": "" if details.validity_months is None else str(details.validity_months),
    }
    for name in details.names():
        value = getattr(details, name)
        if name not in _DETAILS_APART:
            texts[name] = "yes" if value is True else str(value or "")
    return texts


_DETAILS_APART = frozenset(
    # The descriptions of results follow from the criteria.
    ("credits", "credit_unit", "validity_months", "alignments", "result_descriptions")
)


def _alignments(alignments: Sequence[AlignmentView]) -> tuple[str, ...]:
    return tuple(f"{one.target_name} ({one.target_url})" for one in alignments)


def _picture(artwork: Mapping[str, Any]) -> str:
    """Equal for pictures that are drawn alike; their words in other words are compared as a text."""
    return json.dumps({name: value for name, value in artwork.items() if name != "alt"}, sort_keys=True)
