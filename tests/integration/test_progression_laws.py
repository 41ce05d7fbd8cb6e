"""What holds whatever happens to a badge: versions, ends, renewals, lowered grades, copies, in any order.

The rules do what an LMS, its teachers, staff and time do, through the services on a real database. Beside
them runs a model of what must have come of it, made from the grades alone; it asks no service.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine
from sqlalchemy.engine import make_url

from lti_tool.credentials.verification import verify
from lti_tool.domain.criteria import AllOf, Channel, Criterion, ScoreAtLeast
from lti_tool.services.deciding import Deciding
from lti_tool.services.doubting import Doubting
from lti_tool.services.next_version import Answer, Author, Policy
from lti_tool.services.replaying import Replaying
from lti_tool.services.reviews import Reviews
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.services.versions import Versions
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.databases import BOTH_DATABASES, postgres_database, postgres_server_url
from tests.factories import Course, Placed
from tests.integration.services.school import BASE_URL, School, session_of

ARTWORK: Final = {
    "shape": "circle",
    "icon": "award",
    "background": "#0b6a5d",
    "foreground": "#ffffff",
    "text": "",
}
OPENS_DAYS: Final = 10
SCORES: Final = (95, 75, 55, None)
THRESHOLDS: Final = ("50", "70", "90")
TEACHER: Final = {"can_view_progress": True, "can_configure": True, "is_learner": False}


def narrate(_criterion: Criterion, _language: str) -> str:
    return "What is asked."


class Progression(RuleBasedStateMachine):
    """One micromodule in two courses with three learners, one of them in both."""

    fresh: Callable[[], Any]
    """Opens a database of its own, as a context manager."""

    def __init__(self) -> None:
        super().__init__()
        self.open = ExitStack()
        database = self.open.enter_context(type(self).fresh())
        self.school = School(database, Path(self.open.enter_context(tempfile.TemporaryDirectory())))
        self.doubting = Doubting(database, self.school.clock)

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
        school = self.school
        versions = Versions(school.database, school.clock, school.hints, _Nobody(), school.awarding)
        author = Author(self.courses[0][0].organisation_id, "staff:anna", None)
        view = versions.begin(author, self.micromodule_id)
        fields = {
            **view.form.to_fields(),
            **ARTWORK,
            "criteria-0-threshold": threshold,
            "validity_months": months,
            "renewal_opens_days": str(OPENS_DAYS) if months else "",
            "description": f"Version {view.number}.",
        }
        versions.save(author, self.micromodule_id, fields, revision=view.revision)
        school.clock.forward(minutes=1)
        now = school.clock()
        day = (now + timedelta(days=days)).date()
        answer = Answer("It was brought up to date.", policy.value, day.isoformat())
        seen = versions.compare(author, self.micromodule_id, narrate, language="en").mark
        new = versions.publish(author, self.micromodule_id, answer, narrate, language="en", seen=seen)
        assert new.number == len(self.thresholds) + 1
        end = answer.ends_at(now)
        if end is not None:
            self.ends = [end if old is None else min(old, end) for old in self.ends]
        self.thresholds.append(int(threshold))
        self.version_ids.append(new.achievement_version_id)
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
        (then,) = self.school.rows(tables.Decision, tables.Decision.id == review.decision_then_id)
        latest = self.school.rows(
            tables.Decision,
            tables.Decision.placement_id == then.placement_id,
            tables.Decision.learner_id == review.learner_id,
            tables.Decision.micromodule_version_id == then.micromodule_version_id,
            tables.Decision.is_latest.is_(True),
        )
        has_left = (review.context_id, review.learner_id) in self.left
        assert has_left or not any(one.state == "met" for one in latest)

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

    @invariant()
    def every_award_is_explained(self) -> None:
        replaying = Replaying(self.school.database)
        for award in self.school.rows(tables.Award):
            replay = replaying.replay(award.decision_id)
            assert replay.is_same
            assert replay.stored.learner_id == award.learner_id
            assert (replay.stored.verdict, replay.stored.state) == ("award", "met")

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
            with self.school.database.read() as session:
                held = session.execute(
                    sa.select(tables.Credential.valid_until)
                    .join(tables.Award, tables.Award.id == tables.Credential.award_id)
                    .where(
                        tables.Award.achievement_version_id == version_id,
                        tables.Credential.revoked_at.is_(None),
                    )
                ).scalars()
                for valid_until in held:
                    assert end is None or (valid_until is not None and valid_until <= end)

    def verify_all(self) -> None:
        school, now = self.school, self.school.clock()
        for status_list_id in {one.status_list_id for one in school.rows(tables.Credential)}:
            school.status_lists.sign(status_list_id)
        for one in school.rows(tables.Credential):
            report = verify(one.document.encode(), fetch=self, now=now)
            is_good = one.revoked_at is None and (one.valid_until is None or one.valid_until > now)
            assert report.verdict.value == ("valid" if is_good else "invalid"), report.steps

    def fetch(self, url: str, accept: str) -> bytes:
        found = self.school.own_documents.published(url.removeprefix(BASE_URL))
        assert found is not None, url
        return found.body


class _Nobody:
    """Publishing as staff decides about nobody at once."""

    def decide(self, *_about: Any) -> None:
        raise AssertionError


@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", BOTH_DATABASES)
def test_no_badge_is_lost_doubled_or_unexplained(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    template = request.getfixturevalue(f"{'sqlite' if kind == 'sqlite' else 'postgres'}_template")

    @contextmanager
    def fresh() -> Iterator[Database]:
        if kind == "sqlite":
            path = tmp_path / f"{uuid.uuid4().hex}.sqlite3"
            shutil.copyfile(template, path)
            database = Database(f"sqlite:///{path}")
            try:
                yield database
            finally:
                database.dispose()
                path.unlink()
            return
        with postgres_database(postgres_server_url(), template=str(make_url(template).database)) as url:
            database = Database(url)
            try:
                yield database
            finally:
                database.dispose()

    machine = type("Progressing", (Progression,), {"fresh": staticmethod(fresh)})
    default = hypothesis.settings.default
    assert default is not None
    examples = max(5, default.max_examples // (8 if kind == "sqlite" else 25))
    run_machine(
        machine,
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=30,
            deadline=None,
            phases=[hypothesis.Phase.explicit, hypothesis.Phase.reuse, hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )
