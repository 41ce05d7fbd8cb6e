"""What the dry run of a next version says is what then happens, to every badge, whatever else befalls it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from lti_tool.domain.criteria import AllOf, Criterion
from lti_tool.services.next_version import Answer, Fate, Policy
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.store import privacy, tables
from tests import factories
from tests.integration.services.school import School
from tests.integration.services.test_versions import Desk, desk, narrate, quiz

KINDS = ("plain", "suspended", "revoked", "sooner", "over", "unsigned", "elsewhere", "erased")


class Class:
    """One holder of each kind, by their learner's id."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.one: Desk = desk(school, criterion())
        school.change(tables.AchievementVersion, status_purpose="suspension")
        one = self.one
        (beside,) = factories.courses_beside(school.database, one.course, 1)
        self.learners: dict[str, str] = {}
        self.awards: dict[str, str] = {}
        for kind in KINDS:
            course = beside if kind == "elsewhere" else one.course
            (learner,) = factories.enrol(school.database, course)
            self.learners[kind] = learner
            self.awards[kind] = factories.award(school.database, course, one.placed, learner)
            if kind != "unsigned":
                self.befall(kind, str(school.issuing.issue_credential(self.awards[kind])))

    def befall(self, kind: str, credential_id: str) -> None:
        school, now = self.school, self.school.clock()
        ends = {"sooner": now + timedelta(days=1), "over": now - timedelta(days=1)}
        if kind == "suspended":
            school.revoking.suspend(credential_id, "Looked into.", "cli")
        elif kind == "revoked":
            school.revoking.revoke(credential_id, "By mistake.", "cli")
        elif kind == "erased":
            with school.database.write() as session:
                privacy.erase(session, self.learners[kind], now)
        elif kind in ends:
            school.change(tables.Credential, tables.Credential.id == credential_id, valid_until=ends[kind])

    def ends(self) -> dict[str, datetime | None]:
        """When badges that are signed and not revoked end, as recorded with each."""
        rows = self.school.rows(tables.Credential, tables.Credential.revoked_at.is_(None))
        kinds = {award_id: kind for kind, award_id in self.awards.items()}
        return {kinds[row.award_id]: row.valid_until for row in rows if row.award_id}


def criterion() -> Criterion:
    return AllOf((quiz(),))


@pytest.mark.parametrize("policy", list(Policy))
def test_the_dry_run_is_what_happens(small_school: School, policy: Policy) -> None:
    group = Class(small_school)
    one, school = group.one, small_school
    one.prepare(one.staff, {"criteria-0-threshold": "90"})
    answer = Answer("New.", policy, "2026-03-20" if policy is Policy.DATE else "")
    one.versions.answer(one.staff, one.micromodule_id, answer)
    page = one.versions.holders(one.staff, one.micromodule_id, narrate, language="en")
    kinds = {award_id: kind for kind, award_id in group.awards.items()}
    said = {kinds[holder.row.award_id]: holder for holder in page.holders}
    assert set(said) == {"plain", "suspended", "sooner", "unsigned", "elsewhere"}
    assert page.counts.badges == len(said) == page.shown
    ending = {kind for kind, holder in said.items() if holder.fate is Fate.ENDS}
    if policy is not Policy.KEEP:
        assert page.counts.open_ended == len(ending)

    before = group.ends()
    one.publish(one.staff, answer)
    at = answer.ends_at(school.clock())
    school.issuing.issue_credential(group.awards["unsigned"])
    for _look in range(2):
        for version_id in school.expiring.due():
            school.expiring.work(version_id)
        school.clock.now += LAST_LOOK_AFTER
    after = group.ends()
    assert after["over"] == before["over"], "what was over stays over since then"
    for kind, holder in said.items():
        if holder.fate is Fate.ENDS:
            assert at is not None
            # In whole seconds; what was issued at that very moment is over a second later.
            assert abs(after[kind] - at) <= timedelta(seconds=1), kind  # type: ignore[operator]
        else:
            assert after[kind] == before.get(kind) == holder.ends_at, kind
    (gone,) = school.rows(tables.Credential, tables.Credential.award_id.is_(None))
    assert gone.revoked_at is not None
    (revoked,) = school.rows(tables.Credential, tables.Credential.award_id == group.awards["revoked"])
    assert "validUntil" not in json.loads(revoked.document), "nobody signs anew what was taken back"
