"""What holds whatever happens to a badge: versions, ends, renewals, lowered grades, copies, in any order.

The rules do what an LMS, its teachers, staff and time do, through the services on a real database. Beside
them runs a model of what must have come of it, made from the grades alone; it asks no service.
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
from lti_tool.services.deciding import Deciding
from lti_tool.services.doubting import Doubting
from lti_tool.services.next_version import Author, Policy
from lti_tool.services.replaying import Replaying
from lti_tool.services.reviews import Reviews
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.store import tables
from tests import factories
from tests.databases import BOTH_DATABASES
from tests.factories import Course, Placed
from tests.integration.laws import OPENS_DAYS, Laws, publish_next, run_laws
from tests.integration.services.school import session_of

SCORES: Final = (95, 75, 55, None)
THRESHOLDS: Final = ("50", "70", "90")
TEACHER: Final = {"can_view_progress": True, "can_configure": True, "is_learner": False}


class Told(NamedTuple):
    """A decision as it was when it was first seen."""

    decision: tables.Decision
    met_at: datetime | None
    facts: tuple[Any, ...]


class Progression(Laws):
    """One micromodule in two courses with three learners, one of them in both."""

    def __init__(self) -> None:
        super().__init__()
        self.doubting = Doubting(self.school.database, self.school.clock)

    def teardown(self) -> None:
        """At the end everything owed is done, and every badge says what it should to anybody who checks."""
        try:
            self.settle()
            self.verify_all()
        finally:
            self.open.close()

    @initialize(months=st.sampled_from((1, None)))
    def begin(self, months: int | None) -> None:
        """Both learners of the first course have earned the badge of version 1."""
        school = self.school
        course = school.course()
        quiz = ScoreAtLeast("quiz-1", "Quiz 1", Decimal(50), channel=Channel.MIRROR)
        placed = factories.placed(school.database, course, criterion=AllOf((quiz,)))
        school.change(tables.LineItem, tables.LineItem.id == placed.line_item_id, evidence_key="quiz-1")
        (version,) = school.rows(tables.MicromoduleVersion)
        self.micromodule_id = version.micromodule_id
        (beside,) = factories.courses_beside(school.database, course, 1)
        teacher_id, here, both = factories.enrol(school.database, course, 3)
        (there,) = factories.enrol(school.database, beside)
        with school.database.write() as session:
            session.add(
                tables.Membership(
                    organisation_id=beside.organisation_id,
                    context_id=beside.context_id,
                    learner_id=both,
                    is_learner=True,
                    learner_proof="launch",
                    seen_at=school.clock(),
                )
            )
        school.change(
            tables.Membership, tables.Membership.learner_id == teacher_id, is_staff=True, is_learner=False
        )
        self.teacher_id = teacher_id
        self.courses: list[tuple[Course, Placed]] = [(course, placed)]
        self.beside = beside
        self.learners = {course.context_id: [here, both], beside.context_id: [there, both]}
        self.scores: dict[tuple[str, str], tuple[int | None, datetime]] = {}
        self.left: set[tuple[str, str]] = set()
        self.thresholds = [50]
        self.version_ids = [placed.achievement_version_id]
        self.ends: list[datetime | None] = [None]
        self.expected: dict[tuple[str, int], datetime] = {}
        """(learner, version number) of every award that must be there, and when it was met."""
        self.seen: dict[str, tuple[Any, ...]] = {}
        self.told: dict[str, Told] = {}
        self.badge_of = {version.id: placed.achievement_version_id}
        """The achievement version of each version of the micromodule."""
        self.revoked: set[str] = set()
        school.change(
            tables.AchievementVersion,
            validity_months=months,
            renewal_opens_days=OPENS_DAYS if months else None,
        )
        for learner_id in self.learners[course.context_id]:
            self.type(course, placed, learner_id, 95)
        self.sync(course)

    # -- what happens

    def drawn_course(self, data: st.DataObject) -> tuple[Course, Placed]:
        return self.courses[data.draw(st.integers(0, len(self.courses) - 1), "course")]

    def drawn_learner(self, data: st.DataObject, course: Course) -> str:
        return self.learners[course.context_id][data.draw(st.integers(0, 1), "learner")]

    @rule(data=st.data(), score=st.sampled_from(SCORES), is_read=st.booleans())
    def grade(self, data: st.DataObject, score: int | None, is_read: bool) -> None:
        """The teacher types, lowers or deletes a grade; mostly a sync follows."""
        course, placed = self.drawn_course(data)
        self.type(course, placed, self.drawn_learner(data, course), score)
        if is_read:
            self.sync(course)

    def type(self, course: Course, placed: Placed, learner_id: str, score: int | None) -> None:
        self.school.clock.forward(minutes=1)
        now = self.school.clock()
        values = {
            "score": None if score is None else Decimal(score),
            "graded_at": None if score is None else now,
            "read_at": now,
        }
        if (course.context_id, learner_id) in self.scores:
            self.school.change(
                tables.Result,
                tables.Result.line_item_id == placed.line_item_id,
                tables.Result.learner_id == learner_id,
                **values,
            )
        else:
            factories.grade(self.school.database, course, placed, [learner_id], score, now)
        self.scores[course.context_id, learner_id] = (score, now)

    @rule(score=st.sampled_from(SCORES), days=st.sampled_from((25, 40)))
    def a_term(self, score: int | None, days: int) -> None:
        """Time goes by, everybody takes the quiz again, and all is read and done."""
        self.school.clock.forward(days=days)
        for course, placed in self.courses:
            for learner_id in self.learners[course.context_id]:
                self.type(course, placed, learner_id, score)
            self.sync(course)
        self.work()

    @rule(data=st.data())
    def leave_or_return(self, data: st.DataObject) -> None:
        """A complete roster has somebody no more, or again."""
        course, _ = self.drawn_course(data)
        learner_id = self.drawn_learner(data, course)
        pair = (course.context_id, learner_id)
        self.left ^= {pair}
        self.school.change(
            tables.Membership,
            tables.Membership.context_id == course.context_id,
            tables.Membership.learner_id == learner_id,
            is_active=pair not in self.left,
            left_at=self.school.clock() if pair in self.left else None,
        )

    @rule(data=st.data())
    def decide(self, data: st.DataObject) -> None:
        """A sync of one course."""
        self.sync(self.drawn_course(data)[0])

    def sync(self, course: Course) -> None:
        now = self.school.clock()
        number = len(self.thresholds)
        Deciding(self.school.awarding, self.school.issuing, None, self.doubting).decide(
            course.organisation_id, course.context_id, None, "sync"
        )
        for learner_id in self.learners[course.context_id]:
            score, graded_at = self.scores.get((course.context_id, learner_id), (None, now))
            is_met = score is not None and score >= self.thresholds[-1]
            if is_met and (course.context_id, learner_id) not in self.left:
                self.expected.setdefault((learner_id, number), graded_at)

    @precondition(lambda self: len(self.thresholds) < 4)
    @rule(
        threshold=st.sampled_from(THRESHOLDS),
        months=st.sampled_from(("1", "")),
        policy=st.sampled_from((Policy.DATE, Policy.NOW, Policy.KEEP)),
        days=st.integers(1, 90),
    )
    def publish(self, threshold: str, months: str, policy: Policy, days: int) -> None:
        """Staff publish the next version in all its courses."""
        author = Author(self.courses[0][0].organisation_id, "staff:anna", None)
        answer = self.answer(policy, days)
        new = publish_next(
            self.school, author, self.micromodule_id, threshold=threshold, months=months, answer=answer
        )
        now = self.school.clock()
        assert new.number == len(self.thresholds) + 1
        end = answer.ends_at(now)
        if end is not None:
            self.ends = [end if old is None else min(old, end) for old in self.ends]
        self.thresholds.append(int(threshold))
        self.version_ids.append(new.achievement_version_id)
        self.badge_of[new.version_id] = new.achievement_version_id
        self.ends.append(None)

    @precondition(lambda self: len(self.courses) == 1)
    @rule()
    def copy(self) -> None:
        """The course is copied in the LMS, and the teacher of the copy confirms its badge."""
        school = self.school
        _, placed = self.courses[0]
        (former,) = school.rows(tables.Placement)
        with school.database.write() as session:
            row = tables.Placement(
                organisation_id=self.beside.organisation_id,
                context_id=self.beside.context_id,
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
                organisation_id=self.beside.organisation_id,
                context_id=self.beside.context_id,
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
            self.courses.append((self.beside, replace(placed, placement_id=row.id, line_item_id=column.id)))

    @rule(days=st.sampled_from((25, 1, 40)))
    def pass_time(self, days: int) -> None:
        self.school.clock.forward(days=days)

    @rule()
    def work(self) -> None:
        """What the reconcile pass offers is done."""
        for version_id in self.school.expiring.due():
            self.school.expiring.work(version_id)
        for organisation_id in self.school.renewing.due():
            self.school.renewing.work(organisation_id)
        reviews = self.reviews
        for review_id in reviews.due(100):
            if reviews.carry_out(review_id):
                (review,) = self.school.rows(tables.Review, tables.Review.id == review_id)
                self.revoked.add(review.award_id)
                self.check_ground(review)

    def check_ground(self, review: tables.Review) -> None:
        """Nothing is revoked whose facts are good by now, as far as they were read."""
        pair = (review.context_id, review.learner_id)
        if pair in self.left:
            return
        (then,) = self.school.rows(tables.Decision, tables.Decision.id == review.decision_then_id)
        since = self.school.rows(
            tables.Decision,
            tables.Decision.placement_id == then.placement_id,
            tables.Decision.learner_id == review.learner_id,
        )
        newest = max(since, key=lambda one: one.decided_at)
        if newest.micromodule_version_id == then.micromodule_version_id:
            assert newest.state != "met"
            return
        # By a version that is not decided about any more, the grades tell.
        score, _ = self.scores.get(pair, (None, None))
        number = self.version_ids.index(self.badge_of[then.micromodule_version_id]) + 1
        assert score is None or score < self.thresholds[number - 1]

    @rule(is_kept=st.booleans())
    def review(self, is_kept: bool) -> None:
        """The teacher of the first course decides about one review."""
        course, _ = self.courses[0]
        waiting = self.school.rows(
            tables.Review, tables.Review.status == "open", tables.Review.context_id == course.context_id
        )
        if not waiting:
            return
        session = session_of(course, self.teacher_id, **TEACHER)
        one = min(waiting, key=lambda row: row.id)
        seen = self.reviews.view(session, one.id).review.digest
        decide = self.reviews.keep if is_kept else self.reviews.revoke
        decide(session, one.id, "Looked at.", seen)

    # -- what holds

    @invariant()
    def no_award_is_lost_doubled_or_made_up(self) -> None:
        numbers = {version_id: number for number, version_id in enumerate(self.version_ids, 1)}
        awards = self.school.rows(tables.Award)
        found = {(one.learner_id, numbers[one.achievement_version_id]): one.met_at for one in awards}
        assert len(found) == len(awards)
        assert found == self.expected

    @invariant()
    def a_badge_keeps_its_id_place_and_dates(self) -> None:
        credentials = self.school.rows(tables.Credential)
        places = {(one.status_list_id, one.status_index) for one in credentials}
        assert len(places) == len(credentials) == len({one.award_id for one in credentials})
        for one in credentials:
            document = json.loads(one.document)
            facts = (
                one.award_id,
                one.status_list_id,
                one.status_index,
                document["id"],
                document["awardedDate"],
                document["credentialSubject"]["achievement"]["id"],
            )
            assert self.seen.setdefault(one.id, facts) == facts
            ends_at = document.get("validUntil")
            assert one.valid_until == (None if ends_at is None else datetime.fromisoformat(ends_at))
        assert self.seen.keys() == {one.id for one in credentials}

    @invariant()
    def only_people_revoke(self) -> None:
        revoked = {one.award_id for one in self.school.rows(tables.Credential) if one.revoked_at is not None}
        assert revoked == self.revoked

    def read_history(self) -> None:
        """No decision is rewritten or forgotten; each comes out the same when it is made again from what was
        stored with it."""
        history = self.school.rows(tables.Decision)
        replaying = Replaying(self.school.database)
        for one in history:
            facts = (
                (one.placement_id, one.micromodule_version_id, one.learner_id, one.decided_at),
                (one.verdict, one.state, one.digest),
                (one.finding, one.evidence),
            )
            if one.id not in self.told:
                replay = replaying.replay(one.id)
                assert replay.is_same
                assert replay.replayed is not None
                self.told[one.id] = Told(one, replay.replayed.met_at, facts)
            assert self.told[one.id].facts == facts
        assert self.told.keys() == {one.id for one in history}
        latest = {(one.placement_id, one.learner_id): one for one in history if one.is_latest}
        assert len(latest) == sum(one.is_latest for one in history)
        for one in history:
            newest = latest.get((one.placement_id, one.learner_id))
            # None is the latest where the placement went on to another version and nobody has looked since.
            assert newest is None or one.decided_at <= newest.decided_at

    @invariant()
    def every_award_is_explained(self) -> None:
        """By a decision of its own about its own version, made when it was given; and none gave nothing."""
        self.read_history()
        awards = {one.id: one for one in self.school.rows(tables.Award)}
        for award in awards.values():
            decision, met_at, _ = self.told[award.decision_id]
            assert (decision.verdict, decision.state) == ("award", "met")
            assert (decision.learner_id, decision.decided_at) == (award.learner_id, award.awarded_at)
            assert self.badge_of[decision.micromodule_version_id] == award.achievement_version_id
            assert met_at == award.met_at
        gave = [id_ for id_, told in self.told.items() if told.decision.verdict == "award"]
        assert sorted(gave) == sorted(award.decision_id for award in awards.values())
        for credential in self.school.rows(tables.Credential):
            award = awards[credential.award_id]
            assert credential.issued_at >= award.awarded_at
            awarded = datetime.fromisoformat(json.loads(credential.document)["awardedDate"])
            assert awarded == award.met_at.replace(microsecond=0)
        for completion in self.school.rows(tables.Completion):
            decision, met_at, _ = self.told[completion.decision_id]
            assert (decision.state, met_at) == ("met", completion.met_at)
            assert decision.learner_id == completion.learner_id
            assert decision.micromodule_version_id == completion.micromodule_version_id
        explains: dict[str, set[str]] = {award.id: {award.decision_id} for award in awards.values()}
        for renewal in self.school.rows(tables.Renewal):
            decision = self.told[renewal.decision_id].decision
            assert decision.decided_at <= renewal.renewed_at
            assert decision.learner_id == awards[renewal.award_id].learner_id
            assert renewal.finding["state"] == "met"
            explains[renewal.award_id].add(renewal.decision_id)
        for review in self.school.rows(tables.Review):
            assert review.decision_then_id in explains[review.award_id]
            if review.decision_now_id is not None:
                assert self.told[review.decision_now_id].decision.learner_id == review.learner_id

    @invariant()
    def nothing_is_renewed_twice_or_by_old_facts(self) -> None:
        awards = {one.id: one for one in self.school.rows(tables.Award)}
        last: dict[str, tuple[int, datetime, datetime]] = {}
        for one in sorted(self.school.rows(tables.Renewal), key=lambda row: (row.award_id, row.number)):
            number, met_at, ends_at = last.get(one.award_id, (0, awards[one.award_id].met_at, None))
            assert one.number == number + 1
            assert one.met_at > met_at
            if ends_at is not None:
                assert one.met_at >= ends_at - timedelta(days=OPENS_DAYS)
                assert one.valid_until > ends_at
            last[one.award_id] = (one.number, one.met_at, one.valid_until)

    @invariant()
    def one_review_at_a_time(self) -> None:
        waiting = [one.award_id for one in self.school.rows(tables.Review) if one.status in ("open", "asked")]
        assert len(waiting) == len(set(waiting))

    # -- at the end

    @property
    def reviews(self) -> Reviews:
        school = self.school
        undo = timedelta(hours=1)
        return Reviews(school.database, school.clock, school.hints, school.revoking, self.doubting, undo)

    def settle(self) -> None:
        for _ in range(2):
            self.work()
            self.school.clock.now += LAST_LOOK_AFTER + timedelta(hours=2)
        self.work()
        assert self.school.expiring.due() == ()
        assert self.school.renewing.due() == ()
        for version_id, end in zip(self.version_ids, self.ends, strict=True):
            self.require_end(version_id, end)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BOTH_DATABASES)
def test_no_badge_is_lost_doubled_or_unexplained(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    run_laws(Progression, kind, request, tmp_path)
