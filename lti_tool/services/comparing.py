"""What a version says, as far as it is compared with the next."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

from lti_tool.domain.criteria import AllOf, Criterion
from lti_tool.domain.differences import Differences, Said, differences
from lti_tool.services.criteria_checks import row_problems
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_rows import plain
from lti_tool.services.describing import own_description
from lti_tool.services.micromodule_form import ALT_LENGTH, MicromoduleForm
from lti_tool.services.next_version import Narrate
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, NewMicromodule
from lti_tool.store.milestones import MilestoneView

Published = DescribedVersion | MilestoneView


def revision_of(published: Published) -> str:
    """A mark of what is published: another as soon as a version follows, or anything of it is corrected."""
    text = json.dumps(asdict(published), sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def carried_on(published: Published, narrate: Narrate, language: str) -> Callable[[Criterion], str]:
    """Writes the next version's criteria in words: as long as nothing else is asked for, the words that stand
    there, which somebody may have corrected."""
    before = parse_criteria(published.criteria)

    def write(criterion: Criterion) -> str:
        if criterion == before and published.criteria_narrative:
            return published.criteria_narrative
        return narrate(criterion, language)

    return write


def alt_of(form: MicromoduleForm, published: DescribedVersion) -> str:
    """The words for the next version's picture: what was typed; where nothing was, what stands there, with
    the new name in the place of the old one."""
    if form.image_alt or form.picture_id or published.name not in published.image_alt:
        return form.image_alt
    return renamed_alt(published, form.name)


def changes(published: DescribedVersion, new: NewMicromodule, narrate: Narrate) -> Differences:
    """What the next version says otherwise.

    The criteria in words are compared only where they say more than the rules: then they were corrected.
    """
    before, after = parse_criteria(published.criteria), parse_criteria(new.criteria)
    if published.achievement_version_id is None:
        # Without a badge there is nothing else that anybody sees or keeps.
        return differences(
            Said(_words(published), {"skills": published.skills}, "", before),
            Said(_words(new), {"skills": new.skills}, "", after),
        )
    was, then = badge_words(published, new, narrate)
    return differences(
        Said(
            was | _details(published),
            _lists(published.skills, published),
            picture_of(published.artwork),
            before,
        ),
        Said(then | _details(new), _lists(new.skills, new), picture_of(new.artwork), after),
    )


def badge_words(
    published: Published, new: NewMicromodule, narrate: Narrate
) -> tuple[dict[str, str], dict[str, str]]:
    """The texts that a correction can put right, as they are and as they would be, as far as compared."""
    was, then = _words(published), _words(new)
    was["image_alt"], then["image_alt"] = published.image_alt, new.image_alt
    if "picture_id" not in new.artwork and renamed_alt(published, new.name) == new.image_alt:
        # It follows the name, which is told.
        then["image_alt"] = published.image_alt
    before = parse_criteria(published.criteria)
    is_retold = published.criteria_narrative != new.criteria_narrative
    if is_retold and published.criteria_narrative != narrate(before, new.language):
        was["criteria_narrative"] = published.criteria_narrative
        then["criteria_narrative"] = new.criteria_narrative
    return was, then


def form_changes(before: MicromoduleForm, after: MicromoduleForm, *, has_badge: bool) -> Differences:
    """The same of two forms, as far as they can be read: what is typed wrong is not compared."""
    both = (before, after)
    reads_rules = not any(list(row_problems(form.rules)) for form in both)
    reads_details = has_badge and not any(list(form.details.problems()) for form in both)
    said = []
    for form in both:
        criterion = form.criterion() if reads_rules else _NOTHING
        texts = {"name": form.name, "description": form.description}
        if before.image_alt and after.image_alt:
            # Where nothing is typed the name stands for them, or what stands there already.
            texts["image_alt"] = form.image_alt
        lists: dict[str, tuple[str, ...]] = {"skills": form.skill_list}
        if reads_details:
            details = form.details.to_details(criterion)
            texts |= _details(details)
            lists = _lists(form.skill_list, details)
        said.append(Said(texts, lists, picture_of(form.artwork()) if has_badge else "", criterion))
    return differences(*said)


_NOTHING = AllOf(())


def _words(version: Published | NewMicromodule) -> dict[str, str]:
    described = own_description(version.description, version.criteria_narrative)
    return {"name": version.name, "description": described}


def renamed_alt(published: Published, name: str) -> str:
    """The words for a picture that stays, with the badge's new name in the place of the old one."""
    return published.image_alt.replace(published.name, name)[:ALT_LENGTH]


def _lists(skills: tuple[str, ...], details: AchievementDetails) -> dict[str, tuple[str, ...]]:
    return {"skills": skills, "alignments": tuple(_alignment(one) for one in details.alignments)}


def _details(details: AchievementDetails) -> dict[str, str]:
    """The details as comparable texts; the page says those that are codes in words."""
    texts = {
        "credits": "" if details.credits is None else f"{plain(details.credits)} {details.credit_unit}",
        "validity": "" if details.validity_months is None else str(details.validity_months),
    }
    for name in details.names():
        value = getattr(details, name)
        if name not in _DETAILS_APART:
            # Zero days are something else than none.
            texts[name] = "" if value is None or value is False else "yes" if value is True else str(value)
    return texts


_DETAILS_APART = frozenset(
    # The descriptions of results follow from the criteria.
    ("credits", "credit_unit", "validity_months", "alignments", "result_descriptions")
)


def _alignment(one: AlignmentView) -> str:
    """Everything that the form has of it."""
    more = (one.target_framework, one.target_code, one.target_type)
    return " · ".join((f"{one.target_name} ({one.target_url})", *(part for part in more if part)))


def picture_of(artwork: Mapping[str, Any]) -> str:
    """Equal for pictures that are drawn alike; their words in other words are compared as a text."""
    drawn = {name: value for name, value in artwork.items() if name != "alt" and value}
    return json.dumps(drawn, sort_keys=True)
