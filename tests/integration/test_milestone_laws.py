"""What holds for milestones: versions, ends, lowered grades, copies, joined accounts, in any order.

Beside the rules runs a model that is made from the grades alone. What somebody completed is decided about at
once, or when what is owed is worked on: the model knows which badges there may be, and which there must be.
"""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from lti_tool.domain.criteria import AllOf, Channel, ScoreAtLeast
from lti_tool.domain.evaluation import evaluate
from lti_tool.services.awarding import Awarding
from lti_tool.services.criteria_format import parse_criteria, parse_evidence
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_versions import MilestoneVersions
from lti_tool.services.milestones import Milestones
from lti_tool.services.next_version import Author, Policy
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.services.staffing import Operator
from lti_tool.store import persons, tables
from tests import factories
from tests.databases import BOTH_DATABASES
from tests.factories import Course, Placed
from tests.integration.laws import Laws, publish_next, run_laws
from tests.integration.services.milestone_campus import plain

SCORES: Final = (95, 75, 55, None, 90)
THRESHOLDS: Final = ("50", "70", "90")
ACCOUNTS: Final = 3
MODULES: Final = 3
POLICIES: Final = (Policy.KEEP, Policy.DATE, Policy.NOW)


class Told(NamedTuple):
    """A decision as it was when it was first seen."""

    decision: tables.MilestoneDecision
    met_at: datetime | None
    facts: tuple[Any, ...]


class Given(NamedTuple):
    """A milestone's badge."""

    learner_id: str
    number: int
    """Of the milestone's version."""
    met_at: datetime


class MilestoneLaws(Laws):
    """Three micromodules in courses of their own, three accounts, and a milestone that counts."""

    def teardown(self) -> None:
        """At the end everything owed is done, and every badge says what it should to anybody who checks."""
        try:
            for _ in range(2):
                self.work()
                self.school.clock.now += LAST_LOOK_AFTER + timedelta(hours=2)
            self.work()
            self.every_badge_there_must_be_is_there()
            for badge_id, end in zip(self.badge_ids, self.ends, strict=True):
                self.require_end(badge_id, end)
            assert self.school.expiring.due() == ()
            self.verify_all()
        finally:
            self.open.close()

    @initialize(count=st.integers(1, MODULES))
    def begin(self, count: int) -> None:
        """The milestone is active; nobody has done anything."""
        school = self.school
        first = school.course()
        self.organisation_id = first.organisation_id
        courses = [first, *factories.courses_beside(school.database, first, MODULES - 1)]
        quiz = ScoreAtLeast("quiz-1", "Quiz 1", Decimal(50), channel=Channel.MIRROR)
        self.slots: list[tuple[Course, Placed, int]] = []
        """Where something can be completed: a course, a placement, and which micromodule that is."""
        self.module_ids: list[str] = []
        self.badge_of: dict[str, tuple[int, int]] = {}
        """(micromodule, its version) by the achievement version that completing it gives."""
        for module, course in enumerate(courses):
            placed = factories.placed(school.database, course, criterion=AllOf((quiz,)))
            school.change(tables.LineItem, tables.LineItem.id == placed.line_item_id, evidence_key="quiz-1")
            (version,) = school.rows(
                tables.MicromoduleVersion, tables.MicromoduleVersion.id == placed.micromodule_version_id
            )
            self.module_ids.append(version.micromodule_id)
            self.badge_of[version.achievement_version_id] = (module, 1)
            self.slots.append((course, placed, module))
        self.accounts = factories.enrol(school.database, first, ACCOUNTS)
        with school.database.write() as session:
            session.add_all(
                tables.Membership(
                    organisation_id=course.organisation_id,
                    context_id=course.context_id,
                    learner_id=learner_id,
                    is_learner=True,
                    learner_proof="launch",
                    seen_at=school.clock(),
                )
                for course in courses[1:]
                for learner_id in self.accounts
            )
        self.people = [frozenset({learner_id}) for learner_id in self.accounts]
        self.thresholds = [[50] for _ in courses]
        self.scores: dict[tuple[str, str], tuple[int | None, datetime]] = {}
        """By placement and learner."""
        self.completed: dict[tuple[str, int, int], datetime] = {}
        """By learner, micromodule and version."""
        self.revoked: set[tuple[str, int, int]] = set()
        self.staff = Operator(self.organisation_id)
        self.milestone_id = self.milestones.create(self.staff, form_of(count), plain, "en")
        seen = self.milestones.one(self.staff, self.milestone_id).mark
        self.milestones.activate(self.staff, self.milestone_id, plain, seen=seen)
        self.counts = [count]
        self.badge_ids = [self.milestones.one(self.staff, self.milestone_id).view.achievement_version_id]
        self.ends: list[datetime | None] = [None]
        self.may: set[Given] = set()
        self.must: set[tuple[frozenset[str], int]] = set()
        self.given: set[Given] = set()
        self.told: dict[str, Told] = {}
        self.signed: dict[str, tuple[Any, ...]] = {}

    @property
    def milestones(self) -> Milestones:
        school = self.school
        return Milestones(school.database, school.clock, school.issuing, school.hints)

    # -- what happens

    @rule(
        slot=st.integers(0, MODULES),
        account=st.integers(0, ACCOUNTS - 1),
        score=st.sampled_from(SCORES),
        is_told=st.booleans(),
    )
    def grade(self, slot: int, account: int, score: int | None, is_told: bool) -> None:
        """The teacher types, lowers or deletes a grade, and a sync reads it; at times its worker dies before
        milestones are told."""
        course, placed, _ = self.slots[slot % len(self.slots)]
        learner_id = self.accounts[account]
        self.type(course, placed, learner_id, score)
        go_on = self.milestones.decide if is_told else None
        report = Awarding(self.school.database, self.school.clock, go_on).decide_learner(
            course.organisation_id, course.context_id, learner_id
        )
        self.school.issuing.issue_for(report.award_ids)
        before = len(self.completed)
        for one, there, module in self.slots:
            typed, graded_at = self.scores.get((there.placement_id, learner_id), (None, None))
            version = len(self.thresholds[module])
            if one == course and typed is not None and typed >= self.thresholds[module][-1]:
                assert graded_at is not None
                self.completed.setdefault((learner_id, module, version), graded_at)
        self.look([learner_id] if is_told and len(self.completed) > before else [])
        self.read_history()

    @rule(
        account=st.integers(0, ACCOUNTS - 1),
        scores=st.tuples(*[st.sampled_from(SCORES)] * MODULES),
        is_told=st.booleans(),
    )
    def a_term(self, account: int, scores: tuple[int | None, ...], is_told: bool) -> None:
        """Somebody takes every quiz."""
        for slot, score in enumerate(scores):
            self.grade(slot, account, score, is_told)

    def type(self, course: Course, placed: Placed, learner_id: str, score: int | None) -> None:
        self.school.clock.forward(minutes=1)
        now = self.school.clock()
        if (placed.placement_id, learner_id) in self.scores:
            self.school.change(
                tables.Result,
                tables.Result.line_item_id == placed.line_item_id,
                tables.Result.learner_id == learner_id,
                score=None if score is None else Decimal(score),
                graded_at=None if score is None else now,
                read_at=now,
            )
        else:
            factories.grade(self.school.database, course, placed, [learner_id], score, now)
        self.scores[placed.placement_id, learner_id] = (score, now)

    def look(self, learner_ids: list[str]) -> None:
        """What the milestone comes to by now: there may be its badges, and of whom it was decided must be."""
        number = len(self.counts)
        for person in self.people:
            best: dict[int, tuple[datetime, str]] = {}
            for (learner_id, module, version), at in self.completed.items():
                is_theirs = learner_id in person and (learner_id, module, version) not in self.revoked
                if is_theirs and (module not in best or (at, learner_id) < best[module]):
                    best[module] = (at, learner_id)
            counted = sorted(best.values())
            if len(counted) >= self.counts[-1]:
                met_at, learner_id = counted[self.counts[-1] - 1]
                self.may.add(Given(learner_id, number, met_at))
                if not person.isdisjoint(learner_ids):
                    self.must.add((person, number))

    @precondition(lambda self: len(self.people) == ACCOUNTS)
    @rule()
    def join(self) -> None:
        """Somebody shows that two accounts are theirs."""
        both = self.accounts[:2]
        with self.school.database.write() as session:
            persons.lock(session, self.organisation_id)
            persons.join(session, self.organisation_id, both, self.school.clock())
        self.people = [frozenset(both), *(frozenset({one}) for one in self.accounts[2:])]
        self.look([])

    @precondition(lambda self: len(self.counts) < 4)
    @rule(count=st.integers(1, MODULES), policy=st.sampled_from(POLICIES), days=st.integers(1, 90))
    def publish(self, count: int, policy: Policy, days: int) -> None:
        """Staff publish the next version of the milestone."""
        if count == self.counts[-1]:
            return
        versions = MilestoneVersions(self.school.database, self.school.clock, self.school.hints)
        answer = self.answer(policy, days)
        about = (self.staff, self.milestone_id, form_of(count), answer, plain, "en")
        assert versions.publish(*about, seen=versions.compare(*about).mark) == len(self.counts) + 1
        # Nobody gets a former version's badge any more.
        self.may = self.found()
        end = answer.ends_at(self.school.clock())
        if end is not None:
            self.ends = [end if old is None else min(old, end) for old in self.ends]
        self.counts.append(count)
        self.badge_ids.append(self.milestones.one(self.staff, self.milestone_id).view.achievement_version_id)
        self.ends.append(None)
        self.look([])

    @precondition(lambda self: any(len(each) < 3 for each in self.thresholds))
    @rule(
        module=st.integers(0, MODULES - 1),
        threshold=st.sampled_from(THRESHOLDS),
        policy=st.sampled_from(POLICIES),
        days=st.integers(1, 90),
    )
    def publish_micromodule(self, module: int, threshold: str, policy: Policy, days: int) -> None:
        """Staff publish the next version of something that is counted: both versions count as one."""
        if len(self.thresholds[module]) == 3:
            return
        author = Author(self.organisation_id, "staff:anna", None)
        answer = self.answer(policy, days)
        new = publish_next(
            self.school, author, self.module_ids[module], threshold=threshold, months="", answer=answer
        )
        self.thresholds[module].append(int(threshold))
        assert new.achievement_version_id is not None
        self.badge_of[new.achievement_version_id] = (module, new.number)

    @precondition(lambda self: len(self.slots) == MODULES)
    @rule()
    def copy(self) -> None:
        """The first course's badge is copied into the second: the same micromodule, once more."""
        school = self.school
        (_, placed, _), (course, _, _) = self.slots[:2]
        (former,) = school.rows(tables.Placement, tables.Placement.id == placed.placement_id)
        with school.database.write() as session:
            row = tables.Placement(
                organisation_id=course.organisation_id,
                context_id=course.context_id,
                badge_link_key=former.badge_link_key,
                micromodule_version_id=former.micromodule_version_id,
                status="active",
                created_at=school.clock(),
                published_at=school.clock(),
                activated_at=school.clock(),
                copied_from_id=former.id,
            )
            session.add(row)
            session.flush()
            column = tables.LineItem(
                organisation_id=course.organisation_id,
                context_id=course.context_id,
                placement_id=row.id,
                tag="mirror",
                evidence_key="quiz-1",
                label="Quiz 1",
                id_on_platform=f"{placed.line_item_url}-copy",
                score_maximum=Decimal(100),
                created_at=school.clock(),
            )
            session.add(column)
            session.flush()
            self.slots.append((course, replace(placed, placement_id=row.id, line_item_id=column.id), 0))

    @rule(which=st.integers(0, 8))
    def revoke(self, which: int) -> None:
        """Staff revoke one badge of a micromodule: whoever had it did not complete that after all."""
        awards = {one.id: one for one in self.school.rows(tables.Award, tables.Award.context_id.is_not(None))}
        standing = sorted(
            (awards[one.award_id].awarded_at, one.id, one.award_id)
            for one in self.school.rows(tables.Credential, tables.Credential.revoked_at.is_(None))
            if one.award_id in awards
        )
        if not standing:
            return
        _, credential_id, award_id = standing[which % len(standing)]
        self.school.revoking.revoke(credential_id, "Copied.", "staff:anna")
        award = awards[award_id]
        self.revoked.add((award.learner_id, *self.badge_of[award.achievement_version_id]))
        self.look([])

    @rule(days=st.sampled_from((1, 25, 40)))
    def pass_time(self, days: int) -> None:
        self.school.clock.forward(days=days)

    @rule()
    def work(self) -> None:
        """What the reconcile pass offers is done."""
        self.school.clock.forward(minutes=1)
        for milestone_id in self.milestones.due(10):
            self.milestones.work(milestone_id)
        for version_id in self.school.expiring.due():
            self.school.expiring.work(version_id)
        self.look(self.accounts)

    # -- what holds

    def found(self) -> set[Given]:
        numbers = {badge_id: number for number, badge_id in enumerate(self.badge_ids, 1)}
        rows = self.school.rows(tables.Award, tables.Award.context_id.is_(None))
        found = {Given(one.learner_id, numbers[one.achievement_version_id], one.met_at) for one in rows}
        assert len(found) == len(rows)
        return found

    @invariant()
    def every_badge_there_must_be_is_there(self) -> None:
        found = self.found()
        assert self.given <= found <= self.may
        for person, number in self.must:
            assert any(one.number == number and one.learner_id in person for one in found)
        for one in found - self.given:
            (person,) = (each for each in self.people if one.learner_id in each)
            assert [other.number for other in found if other.learner_id in person].count(one.number) == 1
        self.given = found

    @invariant()
    def no_completion_is_lost_doubled_or_made_up(self) -> None:
        rows = self.school.rows(tables.Award, tables.Award.context_id.is_not(None))
        found = {(one.learner_id, *self.badge_of[one.achievement_version_id]): one.met_at for one in rows}
        assert len(found) == len(rows)
        assert found == self.completed

    def read_history(self) -> dict[str, str]:
        """No decision is rewritten or forgotten; each comes out the same when it is made again from what was
        stored with it. Only until when it was looked at is moved on.

        :returns: the achievement version of each version of the milestone.
        """
        versions = {one.id: one for one in self.school.rows(tables.MilestoneVersion)}
        history = self.school.rows(tables.MilestoneDecision)
        for one in history:
            facts = (one.milestone_version_id, one.learner_id, one.verdict, one.state)
            facts += (one.finding, one.evidence)
            if one.id not in self.told:
                criterion = parse_criteria(versions[one.milestone_version_id].criteria)
                finding = evaluate(criterion, parse_evidence(one.evidence))
                assert finding.state.value == one.state
                self.told[one.id] = Told(one, finding.met_at, facts)
            assert self.told[one.id].facts == facts
        assert self.told.keys() == {one.id for one in history}
        latest = [(one.milestone_version_id, one.learner_id) for one in history if one.is_latest]
        assert len(latest) == len(set(latest))
        return {one.id: one.achievement_version_id for one in versions.values()}

    @invariant()
    def every_award_is_explained(self) -> None:
        """By a decision that gave it when it was given; and none gave nothing."""
        badges = self.read_history()
        awards = self.school.rows(tables.Award, tables.Award.context_id.is_(None))
        gave = {
            (badges[decision.milestone_version_id], decision.learner_id): (
                decision.state,
                decision.decided_at,
                met_at,
            )
            for decision, met_at, _ in self.told.values()
            if decision.verdict == "award"
        }
        assert gave == {
            (one.achievement_version_id, one.learner_id): ("met", one.awarded_at, one.met_at)
            for one in awards
        }

    @invariant()
    def a_badge_keeps_its_id_place_and_dates_and_only_people_revoke(self) -> None:
        awards = {one.id: one for one in self.school.rows(tables.Award)}
        credentials = self.school.rows(tables.Credential)
        places = {(one.status_list_id, one.status_index) for one in credentials}
        assert len(places) == len(credentials) == len({one.award_id for one in credentials})
        for one in credentials:
            document = json.loads(one.document)
            said = (one.award_id, one.status_list_id, one.status_index, document["id"])
            assert self.signed.setdefault(one.id, said) == said
            awarded = datetime.fromisoformat(document["awardedDate"])
            assert awarded == awards[one.award_id].met_at.replace(microsecond=0)
        assert self.signed.keys() == {one.id for one in credentials}
        revoked = [awards[one.award_id] for one in credentials if one.revoked_at is not None]
        assert self.revoked == {
            (one.learner_id, *self.badge_of[one.achievement_version_id]) for one in revoked
        }


def form_of(count: int) -> MilestoneForm:
    return MilestoneForm(name="Explorer", count=str(count))


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BOTH_DATABASES)
def test_no_milestone_is_lost_doubled_or_unexplained(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run_laws(MilestoneLaws, kind, request, tmp_path, steps=20)
