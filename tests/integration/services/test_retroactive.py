"""Switching a badge on: who gets it, with which date, once; and what may come in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from lti_tool.domain.criteria import Criterion
from lti_tool.domain.retroactive import DateSource, Withheld
from lti_tool.domain.staff import Permission
from lti_tool.errors import ConfigurationInvalid, Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services import retroactive_run
from lti_tool.services.leases import LEASE_SECONDS
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Author
from lti_tool.services.retroactive import DryRun, Retroactive
from lti_tool.store import retroactive as people_store
from lti_tool.store import runs, tables
from lti_tool.store.database import Database
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.school import School

FORM = {
    "name": "Reading maps",
    "description": "Finding one's way.",
    "skills": "Map reading",
    "shape": "circle",
    "icon": "award",
    "background": "#113355",
    "foreground": "#ffffff",
    "credits": "2",
}


def narrate(criterion: Criterion) -> str:
    return f"Pass: {criterion}"[:80]


@dataclass
class Office:
    """A micromodule without a badge in a course, with people who completed it."""

    school: School
    course: Course
    placed: Placed

    def __post_init__(self) -> None:
        (version,) = self.school.rows(
            tables.MicromoduleVersion, tables.MicromoduleVersion.id == self.placed.micromodule_version_id
        )
        self.micromodule_id: str = version.micromodule_id
        self.offered: list[str] = []
        self.service = Retroactive(
            self.school.database, self.school.clock, self.school.hints, self.school.issuing, self
        )

    def offer_due(self, organisation_id: str, context_id: str, learner_id: str | None = None, /) -> None:
        self.offered.append(context_id)

    @property
    def author(self) -> Author:
        return Author(self.course.organisation_id, "learner:teacher", self.course.context_id, "moodle")

    @property
    def staff(self) -> Author:
        return Author(self.course.organisation_id, "staff:ada", None)

    def people(self, count: int, score: int = 90, **changes: Any) -> list[str]:
        """Who completes it now."""
        ids = factories.enrol(self.school.database, self.course, count)
        factories.grade(
            self.school.database,
            self.course,
            self.placed,
            ids,
            score,
            self.school.clock() - timedelta(days=3),
        )
        self.school.awarding.decide_context(self.course.organisation_id, self.course.context_id)
        for id_ in ids if changes else ():
            self.school.change(tables.Membership, tables.Membership.learner_id == id_, **changes)
        return ids

    def described(self, author: Author | None = None, **changes: str) -> DryRun:
        author = author or self.author
        form = MicromoduleForm.from_fields({**FORM, **changes})
        kept = self.service.begin(author, self.micromodule_id)
        self.service.save(author, self.micromodule_id, form, draft=kept.draft)
        return self.service.dry_run(author, self.micromodule_id, narrate)

    def switched_on(self, author: Author | None = None) -> runs.RunView:
        author = author or self.author
        seen = self.described(author).mark
        return self.service.switch_on(author, self.micromodule_id, narrate, language="en", seen=seen)

    def run(self, id_: str) -> runs.RunView:
        return self.service.run(self.course.organisation_id, id_)

    def awards(self) -> Sequence[Any]:
        return self.school.rows(tables.Award)


@pytest.fixture
def office(school: School) -> Office:
    course = school.course()
    return Office(school, course, factories.placed(school.database, course, has_badge=False))


@pytest.fixture
def small_office(small_school: School) -> Office:
    course = small_school.course()
    return Office(small_school, course, factories.placed(small_school.database, course, has_badge=False))


def test_everybody_who_completed_it_gets_the_badge_once_with_the_date_of_then(office: Office) -> None:
    ids = office.people(3)
    completions = {one.learner_id: one for one in office.school.rows(tables.Completion)}
    office.school.clock.now += timedelta(days=30)
    run = office.switched_on()
    assert office.awards() == []
    office.service.work(run.id)
    awards = {one.learner_id: one for one in office.awards()}
    assert sorted(awards) == sorted(ids)
    for id_, award in awards.items():
        assert award.met_at == completions[id_].met_at
        assert award.awarded_at == office.school.clock()
        assert (award.context_id, award.decision_id) == (
            office.course.context_id,
            completions[id_].decision_id,
        )
    signed = office.school.rows(tables.Credential)
    assert len(signed) == 3
    assert all(one.document for one in signed)
    assert office.offered == [office.course.context_id]
    done = office.run(run.id)
    assert (done.status, done.counts, done.done, done.total) == ("done", {"awarded": 3, "withheld": {}}, 3, 3)
    # Twice changes nothing: the same message again, a second run, a reading of the course.
    office.service.work(run.id)
    again = office.service.again(office.course.organisation_id, "cli", office.micromodule_id)
    office.service.work(again.id)
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    assert {one.id for one in office.awards()} == {one.id for one in awards.values()}
    assert office.run(again.id).counts == {"awarded": 0, "withheld": {"held": 3}}
    actions = [one.action for one in office.school.rows(tables.AuditEvent)]
    assert actions.count("badge.switched_on") == 1
    assert actions.count("badge.awarded_retroactively") == 2


def test_a_reading_that_comes_first_dates_the_award_as_the_completion(office: Office) -> None:
    (ada,) = office.people(1)
    (completion,) = office.school.rows(tables.Completion)
    office.school.change(
        tables.Result, tables.Result.learner_id == ada, graded_at=office.school.clock() + timedelta(days=1)
    )
    office.school.clock.now += timedelta(days=2)
    run = office.switched_on()
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    office.service.work(run.id)
    (award,) = office.awards()
    assert (award.met_at, award.decision_id) == (completion.met_at, completion.decision_id)


def test_who_is_not_awarded_is_said_and_who_left_is_awarded(office: Office) -> None:
    plain, left, teacher, other, refused, nobody, tester = office.people(7)
    change, membership = office.school.change, tables.Membership.learner_id
    change(tables.Membership, membership == left, is_active=False)
    change(tables.Membership, membership == teacher, is_staff=True)
    change(tables.Membership, membership == other, is_learner=False)
    change(tables.Membership, membership == refused, learner_proof="refused")
    change(tables.Membership, membership == nobody, learner_proof="none")
    change(tables.Learner, tables.Learner.id == tester, is_test_user=True)
    seen = office.described()
    assert seen.totals.awarded == 2
    assert seen.totals.left == 1
    assert seen.totals.withheld == {
        Withheld.TEST_USER: 1,
        Withheld.STAFF: 1,
        Withheld.NOT_A_LEARNER: 1,
        Withheld.NOT_A_STUDENT: 1,
        Withheld.UNPROVED: 1,
    }
    told = {one.row.learner_id: one.withheld for one in seen.people}
    assert told[plain] is None
    assert told[left] is None
    assert told[nobody] is Withheld.UNPROVED
    run = office.switched_on()
    office.service.work(run.id)
    # What was looked at is what is awarded, with the same dates.
    assert {(one.learner_id, one.met_at) for one in office.awards()} == {
        (one.row.learner_id, one.row.met_at) for one in seen.people if one.withheld is None
    }
    assert {one.learner_id for one in office.awards()} == {plain, left}
    assert office.run(run.id).counts == {
        "awarded": 2,
        "withheld": {"test_user": 1, "staff": 1, "not_a_learner": 1, "not_a_student": 1, "unproved": 1},
    }
    # What was missing came: an ordinary reading awards, and so does asking again.
    change(tables.Membership, membership == nobody, learner_proof="staff")
    again = office.service.again(office.course.organisation_id, "cli", office.micromodule_id)
    office.service.work(again.id)
    assert {one.learner_id for one in office.awards()} == {plain, left, nobody}


def test_the_dry_run_says_name_course_reason_and_where_the_date_is_from(office: Office) -> None:
    (told,) = office.people(1)
    office.school.change(tables.Learner, tables.Learner.id == told, name="Ada")
    (seen,) = factories.enrol(office.school.database, office.course)
    factories.grade(office.school.database, office.course, office.placed, [seen], 95)
    office.school.change(tables.Result, tables.Result.learner_id == seen, graded_at=None)
    office.school.change(tables.Learner, tables.Learner.id == seen, name="bob")
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    before = len(office.school.rows(tables.AuditEvent))
    dry = office.service.dry_run(office.author, office.micromodule_id)
    first, second = dry.people
    assert (first.row.name, first.source) == ("Ada", DateSource.TOLD)
    assert (second.row.name, second.source) == ("bob", DateSource.SEEN)
    assert dry.totals.seen == 1
    assert first.row.course is not None
    assert first.finding is not None
    assert first.finding.score is not None
    assert first.finding.score.value == 90
    assert list(office.service.people(office.author, office.micromodule_id)) == sorted(
        dry.people, key=lambda one: one.row.learner_id
    )
    assert office.awards() == []
    assert len(office.school.rows(tables.AuditEvent)) == before


def test_a_grade_that_was_lowered_since_is_told_and_the_completion_stands(office: Office) -> None:
    (ada,) = office.people(1)
    office.school.regrade(office.placed, ada, 10)
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    (one,) = office.described().people
    assert one.row.is_doubted
    assert one.withheld is None
    office.service.work(office.switched_on().id)
    assert [award.learner_id for award in office.awards()] == [ada]


def test_a_paused_run_stops_after_the_batch_in_hand_and_goes_on_from_there(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retroactive_run, "BATCH", 2)
    office.people(5)
    run = office.switched_on()

    def pause(done: int, total: int | None) -> None:
        if done == 2:
            office.service.pause(office.author, office.micromodule_id)

    office.service.work(run.id, pause)
    # The batch that was in hand when somebody paused is done; each batch is signed.
    assert len(office.awards()) == 4
    assert len(office.school.rows(tables.Credential)) == 4
    paused = office.run(run.id)
    assert (paused.is_paused, paused.status, paused.done, paused.total) == (True, "running", 4, 5)
    assert office.service.due(10) == ()
    office.service.work(run.id)
    assert len(office.awards()) == 4
    office.service.resume(office.author, office.micromodule_id)
    assert office.service.due(10) == (run.id,)
    office.service.work(run.id)
    assert len(office.awards()) == 5
    assert office.run(run.id).status == "done"
    assert {one.action for one in office.school.rows(tables.AuditEvent)} >= {"run.paused", "run.resumed"}


class Killed(BaseException):
    """As nobody catches it."""


@pytest.mark.parametrize("where", ["issue_for", "offer_due"])
def test_who_takes_over_from_a_killed_worker_loses_and_doubles_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setattr(retroactive_run, "BATCH", 2)
    ids = office.people(5)
    run = office.switched_on()

    class Dying:
        def issue_for(self, award_ids: Sequence[str], /) -> dict[str, str]:
            if where == "issue_for":
                raise Killed
            return office.school.issuing.issue_for(award_ids)

        def offer_due(self, *_: Any) -> None:
            raise Killed

    dying: Any = Dying()
    with pytest.raises(Killed):
        replace(office.service, issuing=dying, scoring=dying).work(run.id)
    assert office.run(run.id).status == "running"
    if where == "issue_for":
        assert len(office.awards()) == 2
        assert office.school.rows(tables.Credential) == []
    office.service.work(run.id)
    assert sorted(one.learner_id for one in office.awards()) == sorted(ids)
    assert len(office.school.rows(tables.Credential)) == 5
    assert office.run(run.id).counts == {"awarded": 5, "withheld": {}}


@dataclass
class Mortal:
    """A database whose process is killed as soon as it would begin one more transaction."""

    database: Database
    left: int

    @contextmanager
    def _until_killed(self, kind: str) -> Iterator[Any]:
        if self.left <= 0:
            raise Killed
        self.left -= 1
        with getattr(self.database, kind)() as session:
            yield session

    def read(self) -> AbstractContextManager[Any]:
        return self._until_killed("read")

    def write(self) -> AbstractContextManager[Any]:
        return self._until_killed("write")


def test_a_worker_that_is_killed_at_whatever_step_loses_and_doubles_nothing(
    small_school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever transaction is its last: each badge, each signature, and what follows from them, once."""
    monkeypatch.setattr(retroactive_run, "BATCH", 2)
    steps = 0
    while True:
        course = small_school.course()
        office = Office(
            small_school, course, factories.placed(small_school.database, course, has_badge=False)
        )
        ids = office.people(3)
        run = office.switched_on()
        followed: set[str] = set()

        def go_on(
            organisation_id: str, learner_ids: Sequence[str], told: set[str] = followed
        ) -> tuple[str, ...]:
            told.update(learner_ids)
            return ()

        whole = replace(office.service, go_on=go_on)
        mortal: Any = Mortal(small_school.database, steps)

        def dying(
            organisation_id: str, learner_ids: Sequence[str], database: Any = mortal
        ) -> tuple[str, ...]:
            with database.read():
                return go_on(organisation_id, learner_ids)

        killed = replace(
            whole,
            database=mortal,
            go_on=dying,
            issuing=replace(small_school.issuing, database=mortal),
        )
        try:
            killed.work(run.id)
        except Killed:
            steps += 1
        else:
            break
        small_school.clock.now += timedelta(seconds=LEASE_SECONDS + 1)
        # Only who dies with nothing left but to give the lease back has finished it.
        assert (run.id in whole.due(100)) is office.run(run.id).is_open, steps
        whole.work(run.id)
        done = office.run(run.id)
        awards = small_school.rows(tables.Award, tables.Award.organisation_id == course.organisation_id)
        signed = small_school.rows(
            tables.Credential, tables.Credential.organisation_id == course.organisation_id
        )
        assert sorted(one.learner_id for one in awards) == sorted(ids), steps
        assert sorted(str(one.award_id) for one in signed if one.document) == sorted(one.id for one in awards)
        assert (done.status, done.counts, done.done, done.total) == (
            "done",
            {"awarded": 3, "withheld": {}},
            3,
            3,
        ), steps
        assert followed == set(ids), steps
        assert set(office.offered) == {course.context_id}, steps
    assert steps > 10


def test_a_worker_whose_lease_another_one_took_awards_nothing_and_moves_no_place(
    small_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retroactive_run, "BATCH", 1)
    small_office.people(3)
    run = small_office.switched_on()
    real = people_store.batch
    slept: list[int] = []

    def batch(*arguments: Any, **named: Any) -> Any:
        rows = real(*arguments, **named)
        if not slept:
            slept.append(1)
            # Its machine stood still, and somebody else did the whole run meanwhile.
            small_office.school.clock.now += timedelta(seconds=LEASE_SECONDS + 1)
            small_office.service.work(run.id)
        return rows

    monkeypatch.setattr(people_store, "batch", batch)
    small_office.service.work(run.id)
    assert small_office.run(run.id).counts == {"awarded": 3, "withheld": {}}
    assert len(small_office.awards()) == 3
    actions = [one.action for one in small_office.school.rows(tables.AuditEvent)]
    assert actions.count("badge.awarded_retroactively") == 1


def test_a_milestone_that_cannot_be_decided_keeps_nobodys_badge_waiting(
    small_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retroactive_run, "BATCH", 1)
    small_office.people(2)
    run = small_office.switched_on()

    def refuses(_organisation_id: str, _learner_ids: Sequence[str]) -> tuple[str, ...]:
        raise RequestInvalid(ErrorCode.CRITERIA_INVALID, "of another release")

    with capture_logs() as logs:
        replace(small_office.service, go_on=refuses).work(run.id)
    assert {one["event"] for one in logs} >= {"milestones_not_decided"}
    done = small_office.run(run.id)
    assert (done.status, done.counts["awarded"]) == ("done", 2)


def test_a_key_that_cannot_be_used_keeps_nobody_elses_badge_waiting(
    small_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one of its own issuer nor one of a milestone's that follows from it."""
    monkeypatch.setattr(retroactive_run, "BATCH", 1)
    small_office.people(2)
    issuing, milestone = small_office.school.issuing, "a milestone's award"
    run = small_office.switched_on()

    class KeylessMilestones:
        def issue_for(self, award_ids: Sequence[str], /) -> Mapping[str, str]:
            if milestone in award_ids:
                raise ConfigurationInvalid(ErrorCode.KEY_FILE_EXPOSED, "others can read it")
            return issuing.issue_for(award_ids)

    service = replace(small_office.service, issuing=KeylessMilestones(), go_on=lambda *_: (milestone,))
    with capture_logs() as logs:
        service.work(run.id)
    assert [one["event"] for one in logs].count("credential_not_issued") == 2
    done = small_office.run(run.id)
    assert (done.status, done.counts["awarded"]) == ("done", 2)
    assert all(one.document for one in small_office.school.rows(tables.Credential))


def test_somebody_who_is_erased_in_between_keeps_nobody_else_waiting(office: Office) -> None:
    gone, ada = office.people(2)
    run = office.switched_on()
    real = people_store.batch
    erased: list[str] = []

    def batch(*arguments: Any, **named: Any) -> Any:
        rows = real(*arguments, **named)
        if not erased:
            erased.append(gone)
            with office.school.database.write() as session:
                session.execute(sa.delete(tables.Learner).where(tables.Learner.id == gone))
        return rows

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(people_store, "batch", batch)
        office.service.work(run.id)
    assert erased
    assert [one.learner_id for one in office.awards()] == [ada]
    assert office.run(run.id).counts == {"awarded": 1, "withheld": {}}


def next_version(office: Office) -> None:
    """It asks for another thing in the same column, and is in the place of the first one."""
    (version,) = office.school.rows(tables.MicromoduleVersion)
    with office.school.database.write() as session:
        later = tables.MicromoduleVersion(
            organisation_id=office.course.organisation_id,
            micromodule_id=office.micromodule_id,
            number=2,
            name="Maps, anew",
            description="",
            skills=[],
            criteria=version.criteria | {"rule": version.criteria["rule"] | {"label": "Quiz 2"}},
            achievement_version_id=None,
            created_at=office.school.clock(),
        )
        session.add(later)
        session.flush()
        later_id = later.id
    office.school.change(
        tables.Placement, tables.Placement.id == office.placed.placement_id, micromodule_version_id=later_id
    )


def test_somebody_whom_a_reading_awards_at_that_very_moment_is_counted_once(
    small_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_office.people(2)
    run = small_office.switched_on()
    real, course = people_store.batch, small_office.course

    def batch(*arguments: Any, **named: Any) -> Any:
        rows = real(*arguments, **named)
        small_office.school.awarding.decide_context(course.organisation_id, course.context_id)
        return rows

    monkeypatch.setattr(people_store, "batch", batch)
    small_office.service.work(run.id)
    assert len(small_office.awards()) == 2
    done = small_office.run(run.id)
    assert (done.counts, done.done) == ({"awarded": 0, "withheld": {"held": 2}}, 2)


def test_looking_at_many_asks_no_more_than_looking_at_few(small_school: School) -> None:
    asked = {}
    for size in (2, 49):
        course = small_school.course()
        placed = factories.placed(small_school.database, course, has_badge=False)
        office = Office(small_school, course, placed)
        office.people(size)
        office.described()
        with small_school.database.statements() as statements:
            dry = office.service.dry_run(office.author, office.micromodule_id, narrate)
        assert len(dry.people) == size
        asked[size] = len([one for one in statements if not one.startswith("BEGIN")])
    assert asked[2] == asked[49] <= 12


def test_each_version_gets_a_badge_that_says_what_it_asked_for(office: Office) -> None:
    (first, both) = office.people(2)
    next_version(office)
    office.school.change(tables.Membership, tables.Membership.learner_id == first, is_active=False)
    office.school.clock.now += timedelta(days=1)
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    dry = office.described()
    assert {one.row.learner_id: one.row.number for one in dry.people} == {first: 1, both: 2}
    office.service.work(office.switched_on().id)
    badges = {one.id: one for one in office.school.rows(tables.AchievementVersion)}
    assert {badges[one.achievement_version_id].number for one in office.awards()} == {1, 2}
    assert len(office.awards()) == 2
    assert {one.achievement_id for one in badges.values()} == {office.school.rows(tables.Achievement)[0].id}
    texts = {one.number: one.criteria_narrative for one in badges.values()}
    assert "Quiz 1" in texts[1]
    assert "Quiz 2" in texts[2]


def test_the_badge_of_a_version_that_is_over_is_given_to_nobody_else(office: Office) -> None:
    """A next version may have ended the badges of the one before: on a day, or at once."""
    late, both = office.people(2)
    next_version(office)
    change, clock, membership = office.school.change, office.school.clock, tables.Membership
    change(membership, membership.learner_id == late, is_active=False, learner_proof="none")
    clock.now += timedelta(days=1)
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    office.service.work(office.switched_on().id)
    assert [one.learner_id for one in office.awards()] == [both]
    change(membership, membership.learner_id == late, learner_proof="staff")
    version = tables.AchievementVersion
    change(version, version.number == 1, expires_at=clock.now)
    told = {
        one.row.learner_id: one.withheld for one in office.service.people(office.staff, office.micromodule_id)
    }
    assert told == {late: Withheld.ENDED, both: Withheld.HELD}
    again = office.service.again(office.course.organisation_id, "cli", office.micromodule_id)
    office.service.work(again.id)
    assert [one.learner_id for one in office.awards()] == [both]
    assert office.run(again.id).counts == {"awarded": 0, "withheld": {"ended": 1, "held": 1}}
    # Until its day it is given, and ends with all the others.
    change(version, version.number == 1, expires_at=clock.now + timedelta(days=1))
    office.service.work(office.service.again(office.course.organisation_id, "cli", office.micromodule_id).id)
    assert {one.learner_id for one in office.awards()} == {late, both}


def test_a_version_that_is_ended_while_the_run_rests_is_given_to_nobody_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retroactive_run, "BATCH", 1)
    office.people(4)
    run = office.switched_on()

    def pause(_done: int, _total: int | None) -> None:
        office.service.pause(office.author, office.micromodule_id)

    office.service.work(run.id, pause)
    assert len(office.awards()) == 2
    office.school.change(
        tables.AchievementVersion, tables.AchievementVersion.number == 1, expires_at=office.school.clock.now
    )
    office.service.resume(office.author, office.micromodule_id)
    office.service.work(run.id)
    assert len(office.awards()) == 2
    assert office.run(run.id).counts == {"awarded": 2, "withheld": {"ended": 2}}


def test_who_has_a_former_versions_badge_and_completed_a_newer_one_gets_that_too(office: Office) -> None:
    """As every reading of the course would have it: a badge for the version that one completed."""
    (ada,) = office.people(1)
    office.service.work(office.switched_on().id)
    next_version(office)
    office.school.clock.now += timedelta(days=1)
    office.school.awarding.decide_context(office.course.organisation_id, office.course.context_id)
    (first,) = office.school.rows(tables.AchievementVersion)
    with office.school.database.write() as session:
        second = tables.AchievementVersion(
            **{
                column.name: getattr(first, column.name)
                for column in tables.AchievementVersion.__table__.columns
                if column.name not in ("id", "number")
            },
            number=2,
        )
        session.add(second)
        session.flush()
        session.execute(
            sa.update(tables.MicromoduleVersion)
            .where(tables.MicromoduleVersion.number == 2)
            .values(achievement_version_id=second.id)
        )
    run = office.service.again(office.course.organisation_id, "cli", office.micromodule_id)
    office.service.work(run.id)
    assert [(one.learner_id, one.achievement_version_id) for one in office.awards()] == [
        (ada, one.achievement_version_id) for one in office.awards()
    ]
    assert len(office.awards()) == 2
    assert office.run(run.id).counts == {"awarded": 1, "withheld": {}}


def test_a_date_that_is_only_when_a_gate_was_seen_to_open_is_called_so(office: Office) -> None:
    (ada, bob) = office.people(2)
    completions = {one.learner_id: one.met_at for one in office.school.rows(tables.Completion)}
    with office.school.database.write() as session:
        gate = tables.Gate(
            organisation_id=office.course.organisation_id,
            context_id=office.course.context_id,
            placement_id=office.placed.placement_id,
            evidence_key="gate",
            label="Gate",
            link_key="gate",
            state="confirmed",
        )
        session.add(gate)
        session.flush()
        session.add(
            tables.GatePass(
                organisation_id=office.course.organisation_id,
                gate_id=gate.id,
                learner_id=ada,
                is_passed=True,
                since=completions[ada],
                read_at=office.school.clock(),
                source="roster",
            )
        )
    dry = office.described()
    assert {one.row.learner_id: one.source for one in dry.people} == {
        ada: DateSource.SEEN,
        bob: DateSource.TOLD,
    }
    assert dry.totals.seen == 1


def test_only_what_was_looked_at_is_switched_on_and_only_once(office: Office) -> None:
    office.people(1)
    seen = office.described().mark
    office.described(name="Something else")
    with pytest.raises(Conflict) as changed:
        office.service.switch_on(office.author, office.micromodule_id, narrate, language="en", seen=seen)
    assert changed.value.code is ErrorCode.CONFLICT
    office.switched_on()
    with pytest.raises(Conflict) as on:
        office.service.switch_on(office.author, office.micromodule_id, narrate, language="en", seen=seen)
    assert on.value.code is ErrorCode.BADGE_IS_ON
    with pytest.raises(Conflict):
        office.service.begin(office.author, office.micromodule_id)
    assert len(office.school.rows(tables.AchievementVersion)) == 1


def test_of_two_who_press_at_once_one_switches_it_on_and_the_other_is_told(office: Office) -> None:
    office.people(1)
    seen = office.described().mark
    together = Barrier(2)

    def press(_: int) -> str:
        together.wait(timeout=30)
        try:
            return office.service.switch_on(
                office.author, office.micromodule_id, narrate, language="en", seen=seen
            ).status
        except Conflict as error:
            return error.code.value

    with ThreadPoolExecutor(2) as both:
        assert sorted(both.map(press, range(2))) == ["badge_is_on", "waiting"]
    assert len(office.school.rows(tables.AchievementVersion)) == 1
    assert len(office.school.rows(tables.Run, tables.Run.kind == "retroactive")) == 1


def test_the_badge_is_checked_before_anything_is_switched_on(small_office: Office) -> None:
    with pytest.raises(RequestInvalid):
        small_office.described(credits="many")
    kept = small_office.service.begin(small_office.author, small_office.micromodule_id)
    assert kept.is_unsaved
    assert kept.form.details.credits == "many"
    small_office.service.discard(small_office.author, small_office.micromodule_id, draft=kept.draft)
    assert not small_office.service.begin(small_office.author, small_office.micromodule_id).is_unsaved


def test_where_other_courses_have_it_too_it_is_for_the_staff(office: Office) -> None:
    (beside,) = factories.courses_beside(office.school.database, office.course, 1)
    with office.school.database.write() as session:
        session.add(
            tables.Placement(
                organisation_id=office.course.organisation_id,
                context_id=beside.context_id,
                badge_link_key="elsewhere",
                micromodule_version_id=office.placed.micromodule_version_id,
                status="active",
                created_at=office.school.clock(),
            )
        )
    with pytest.raises(NotAllowed) as refused:
        office.described()
    assert refused.value.code is ErrorCode.VERSION_NEEDS_STAFF
    assert office.described(office.staff).mark


def test_another_courses_or_organisations_micromodule_is_not_there(office: Office) -> None:
    office.people(1)
    stranger = office.school.course()
    (beside,) = factories.courses_beside(office.school.database, office.course, 1)
    run, service = office.switched_on(), office.service
    for author in (
        Author(stranger.organisation_id, "staff:x", None),
        Author(office.course.organisation_id, "learner:x", beside.context_id),
    ):
        for call in (service.begin, service.people, service.run_of, service.pause, service.resume):
            with pytest.raises(NotFound):
                call(author, office.micromodule_id)
        with pytest.raises(NotFound):
            service.dry_run(author, office.micromodule_id)
        with pytest.raises(NotFound):
            service.discard(author, office.micromodule_id)
        with pytest.raises(NotFound):
            service.save(author, office.micromodule_id, MicromoduleForm())
    assert not office.run(run.id).is_paused
    with pytest.raises(NotFound):
        office.service.run(stranger.organisation_id, run.id)
    with pytest.raises(NotFound):
        office.service.again(stranger.organisation_id, "cli", office.micromodule_id)


def test_the_rules_that_are_published_stay_whatever_a_form_says(small_office: Office) -> None:
    before = small_office.school.rows(tables.MicromoduleVersion)[0].criteria
    small_office.people(1)
    form = MicromoduleForm.from_fields({**FORM, **factories.rule_fields(0, label="Easy"), "no_badge": "on"})
    small_office.service.save(small_office.author, small_office.micromodule_id, form)
    seen = small_office.service.dry_run(small_office.author, small_office.micromodule_id, narrate).mark
    small_office.service.switch_on(
        small_office.author, small_office.micromodule_id, narrate, language="en", seen=seen
    )
    (version,) = small_office.school.rows(tables.MicromoduleVersion)
    assert version.criteria == before
    assert version.achievement_version_id is not None


def test_staff_without_the_right_prepare_nothing() -> None:
    class Reader:
        organisation_id, actor = "o", "staff:x"

        def require(self, permission: Permission) -> None:
            raise NotAllowed(ErrorCode.STAFF_NOT_ALLOWED, permission.value)

    with pytest.raises(NotAllowed):
        Author.on_staff(Reader())
