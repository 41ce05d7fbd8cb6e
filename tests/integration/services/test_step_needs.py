"""Which step asks for which is written down wherever criteria are, and says what these say."""

from __future__ import annotations

import json

from lti_tool.domain.criteria import AllOf, AnyOf, Completed, Criterion, HoldsAchievement, Within
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.store import step_needs, tables
from tests import factories
from tests.factories import NOW
from tests.integration.services.school import School
from tests.integration.services.test_circles import achievement_of, completed, module_of
from tests.integration.services.test_configuring import described, teacher
from tests.integration.services.test_editing import drafted, save
from tests.integration.services.test_milestones import Campus, plain
from tests.integration.services.test_versions import desk, quiz


def edges(school: School, organisation_id: str) -> set[tuple[str, str]]:
    with school.database.read() as session:
        return {tuple(edge) for edge in step_needs.every(session, organisation_id)}


def test_a_new_micromodule_and_a_draft_that_is_changed(school: School) -> None:
    course = school.course()
    first, second = (factories.placed(school.database, course) for _ in range(2))
    before, after = module_of(school, first), module_of(school, second)
    described(school, teacher(school, course), **completed(2, before))
    (new,) = [
        row.micromodule_id for row in school.rows(tables.MicromoduleVersion) if row.name == "Reading maps"
    ]
    assert edges(school, course.organisation_id) == {(new, before)}

    (beside,) = factories.courses_beside(school.database, course, 1)
    session, placement_id = drafted(school, beside, **completed(2, before))
    (draft,) = school.rows(tables.Placement, tables.Placement.id == placement_id)
    (version,) = school.rows(
        tables.MicromoduleVersion, tables.MicromoduleVersion.id == draft.micromodule_version_id
    )
    assert (version.micromodule_id, before) in edges(school, course.organisation_id)
    save(school, session, placement_id, **completed(2, after))
    found = edges(school, course.organisation_id)
    assert (version.micromodule_id, after) in found
    assert (version.micromodule_id, before) not in found


def test_a_next_version_asks_for_what_it_says_and_not_for_what_was_said_before(school: School) -> None:
    first = desk(school)
    old = module_of(school, factories.placed(school.database, first.course))
    new = module_of(school, factories.placed(school.database, first.course))
    for asked in (old, new):
        first.prepare(first.staff, completed(1, asked))
        first.publish(first.staff)
        assert edges(school, first.course.organisation_id) == {(first.micromodule_id, asked)}


def own(criterion: Criterion) -> MilestoneForm:
    return MilestoneForm(kind="own", name="Both", criteria_json=json.dumps(dump_criteria(criterion)))


def test_a_milestone_asks_from_its_draft_on_until_it_is_discarded(school: School) -> None:
    campus = Campus(school)
    asked = [Completed(campus.micromodule(number), "One") for number in range(3)]
    milestone_id = campus.milestones.create(campus.staff, own(asked[0]), plain, "en")
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    assert edges(school, campus.organisation_id) == {(badge, asked[0].micromodule_id)}
    changed = AllOf((AnyOf((asked[1], Within(asked[2], ends_at=NOW))), asked[1]))
    campus.milestones.change(campus.staff, milestone_id, own(changed), plain, "en")
    found = {(badge, one.micromodule_id) for one in asked[1:]}
    assert edges(school, campus.organisation_id) == found
    campus.milestones.retire(campus.staff, milestone_id)
    assert edges(school, campus.organisation_id) == set()


def test_what_is_gone_or_another_organisation_s_is_left_out(school: School) -> None:
    course, other = school.course(), school.course()
    theirs = factories.placed(school.database, other)
    ours = factories.placed(
        school.database,
        course,
        criterion=AllOf(
            (
                quiz(),
                Completed(module_of(school, theirs), "Theirs"),
                HoldsAchievement(achievement_of(school, theirs.achievement_version_id), "Theirs"),
                Completed("0" * 32, "Nobody's"),
                HoldsAchievement("0" * 32, "Nobody's"),
            )
        ),
    )
    assert edges(school, course.organisation_id) == edges(school, other.organisation_id) == set()
    with school.database.read() as session:
        assert step_needs.around(session, other.organisation_id, [module_of(school, ours)]) == ()


def test_what_is_stored_may_be_deeper_than_anything_can_be_called() -> None:
    deep: object = {"type": "completed", "micromodule_id": "at the bottom"}
    for _ in range(10_000):
        deep = {"type": "all", "of": [deep]}
    assert list(step_needs.asked_for(deep)) == [("completed", "at the bottom")]
