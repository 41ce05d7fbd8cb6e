"""A micromodule that records completions and issues no badge yet: described, changed, earned."""

from __future__ import annotations

from lti_tool.store import tables
from tests import factories
from tests.integration.services.school import School
from tests.integration.services.test_configuring import FIELDS
from tests.integration.services.test_editing import drafted, editing, save

NONE = {"no_badge": "on"}
PICTURE = {name: FIELDS[name] for name in ("shape", "icon", "background", "foreground", "text")}
"""As the page fills it in for what has none."""


def versions(school: School) -> list[tuple[str | None, int]]:
    """(achievement version, how many there are in all) of each micromodule version."""
    badges = school.rows(tables.AchievementVersion)
    return [(one.achievement_version_id, len(badges)) for one in school.rows(tables.MicromoduleVersion)]


def test_what_is_described_so_has_no_badge(school: School) -> None:
    session, placement_id = drafted(school, **NONE)
    assert versions(school) == [(None, 0)]
    assert school.rows(tables.Achievement) == []
    assert editing(school).open(session, placement_id).form.no_badge == "on"


def test_as_long_as_it_is_a_draft_the_badge_comes_and_goes(school: School) -> None:
    session, placement_id = drafted(school, **NONE)
    save(school, session, placement_id, no_badge="", **PICTURE)
    ((first, count),) = versions(school)
    assert first is not None
    assert count == 1
    save(school, session, placement_id, no_badge="on", name="Open Data")
    assert versions(school) == [(None, 0)]
    save(school, session, placement_id, no_badge="gone", **PICTURE)
    ((second, count),) = versions(school)
    assert second not in (None, first)
    assert count == 1
    # One micromodule, one achievement, however often it was switched on.
    (achievement,) = school.rows(tables.Achievement)
    (badge,) = school.rows(tables.AchievementVersion)
    assert (badge.achievement_id, badge.number, badge.name) == (achievement.id, 1, "Open Data")


def test_who_meets_it_completes_it_and_gets_no_award(school: School) -> None:
    course = school.course()
    quiz = factories.placed(school.database, course, has_badge=False)
    (ada,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, quiz, [ada], 80)
    report = school.awarding.decide_context(course.organisation_id, course.context_id)
    assert report.award_ids == ()
    (completion,) = school.rows(tables.Completion)
    assert completion.learner_id == ada
    assert school.rows(tables.Award) == []
