"""After the award: facts that changed are shown to those who teach, who decide about them.

A review opens when a grade was lowered or deleted, when somebody left, when a course was reset, and when a
gate that a badge rests on let everybody through. It closes by itself when things are as they were. A
revocation waits some hours in which it can be undone; then the reconcile pass carries it out, unless what was
decided about is gone by then. Nothing is taken back by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.domain.awarding import Candidate, decide_award
from lti_tool.domain.criteria import Criterion, Finding
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound
from lti_tool.services import Hints
from lti_tool.services.doubting import Doubting, Ground, Standing, add_criteria, read_evidence
from lti_tool.services.form_problems import FormProblem, Problem, check_form, text_problems
from lti_tool.services.launching import SessionView
from lti_tool.services.overview import Page
from lti_tool.services.revoking import REASON_LENGTH, Revoking
from lti_tool.services.rights import configured_course, viewed_course
from lti_tool.store import audit
from lti_tool.store import reviews as store
from lti_tool.store.database import Database
from lti_tool.store.doubts import ASKED, KEPT, OPEN, REVOKED, SETTLED, Evidenced, evidence_of
from lti_tool.store.reviews import ReviewFilter, ReviewRow
from lti_tool.telemetry import REVIEWS, get_logger

QUESTION_LENGTH: Final = 2000
ANSWER_LENGTH: Final = 2000
MOST_AT_ONCE: Final = 200
"""Reviews that are decided with one reason."""
SPARED_IS_NEWS: Final = timedelta(days=14)
"""For so long those who teach are told that a badge was not revoked after all."""

DECISIONS: Final = ("kept", "revoked", "undone", "reopened", "spared")
"""What settles, or opens again, what somebody decided, as the audit log has it."""

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ReviewList:
    """One page of a course's reviews."""

    page: Page[ReviewRow]
    wanted: ReviewFilter
    undecided: int
    can_decide: bool
    spared: int = 0
    """Badges that were to be revoked lately, and were not: their facts are good again."""


@dataclass(frozen=True, slots=True)
class Facts:
    """How each criterion stood at a time."""

    finding: Finding
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class ReviewView:
    """One review with the facts then and now."""

    review: ReviewRow
    then: Facts | None
    """At the award; ``None`` where it cannot be read any more."""
    now: Facts | None
    """As read last; ``None`` where nothing was decided about the same criteria since."""
    undo_hours: int
    can_decide: bool
    can_undo: bool
    decided_by_name: str | None
    is_good_again: bool = False
    """It is to be revoked, and what was decided about is gone: it will not be, if that stays so."""
    cannot_be_told: bool = False
    """It is to be revoked, and nobody knows any more whether what was decided about is so: it is going to be
    asked once more."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What would happen to the ticked ones; nothing has."""

    reviews: tuple[ReviewRow, ...]
    """Those that would be decided, by name."""
    settled: tuple[ReviewRow, ...]
    """Those somebody has decided meanwhile: nothing happens to them."""
    takes_effect_at: datetime


@dataclass(frozen=True, slots=True)
class Question:
    """What a learner was asked about a badge of theirs."""

    review: ReviewRow
    can_answer: bool


@dataclass(frozen=True, slots=True)
class Desk:
    """Where somebody decides, and who."""

    organisation_id: str
    actor: str
    """As the audit log names them."""
    context_id: str | None = None
    """The only course they decide about; ``None`` for every course of the organisation."""
    learner_id: str | None = None
    """About whom they do not decide: themselves."""

    @classmethod
    def of_teacher(cls, session: SessionView) -> Desk:
        """Where the person of a session decides.

        :raises NotAllowed: unless they may configure the course's badges.
        """
        organisation_id, context_id = configured_course(session)
        return cls(organisation_id, _actor(session), context_id, session.learner_id)


@dataclass(frozen=True)
class Reviews:
    """Shows reviews to those who teach, who decide them, and asks learners."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints
    revoking: Revoking
    doubting: Doubting
    undo: timedelta
    """How long a revocation can be undone."""

    # -- what those who teach see

    def listed(
        self, session: SessionView, wanted: ReviewFilter, *, page: int = 1, per_page: int = 50
    ) -> ReviewList:
        """One page of the course's reviews.

        :param page: from 1; beyond the last page is the last page.
        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``context_not_found`` for a launch without a course.
        """
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            waiting = store.waiting(reading, organisation_id, context_id, self.clock() - SPARED_IS_NEWS)
            total = store.count(reading, organisation_id, context_id, wanted)
            pages = max(1, -(-total // per_page))
            number = min(max(1, page), pages)
            rows = store.page(
                reading,
                organisation_id,
                context_id,
                wanted,
                offset=(number - 1) * per_page,
                limit=per_page,
            )
        page_ = Page(rows, number, pages, total)
        return ReviewList(page_, wanted, waiting.undecided, _may_decide(session), waiting.spared)

    def listed_at(
        self, desk: Desk, wanted: ReviewFilter, *, after: ReviewRow | None = None, limit: int = MOST_AT_ONCE
    ) -> tuple[ReviewRow, ...]:
        """Some reviews of a desk's courses, by when they were opened; those that follow ``after``."""
        with self.database.read() as reading:
            return store.following(
                reading, desk.organisation_id, desk.context_id, wanted, after=after, limit=limit
            )

    def view(self, session: SessionView, review_id: str) -> ReviewView:
        """One review of the course.

        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: NOT_FOUND, also for another course's.
        """
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            review = _own(store.some(reading, organisation_id, context_id, [review_id]))
        standing = None
        if review.is_pending or (review.is_undecided and review.decision_now_id is None):
            standing = self.doubting.standing(organisation_id, context_id, review.learner_id, review_id)
        then_id = review.decision_then_id
        now_id = review.decision_now_id if standing is None else standing.decision_id
        with self.database.read() as reading:
            made = evidence_of(reading, organisation_id, [id_ for id_ in (then_id, now_id) if id_])
            criteria: dict[str, Criterion | None] = {}
            add_criteria(reading, made.values(), criteria)
            actors = [review.decided_by] if review.decided_by else []
            names = audit.actor_names(reading, organisation_id, actors)
        now = self.clock()
        facts_now = _facts(review.learner_id, made.get(now_id or ""), criteria)
        if standing is not None and standing.finding is not None:
            facts_now = Facts(standing.finding, now)
        return ReviewView(
            review,
            _facts(review.learner_id, made.get(then_id or ""), criteria),
            facts_now,
            int(self.undo.total_seconds() // 3600),
            _may_decide(session),
            review.is_pending and review.takes_effect_at is not None and review.takes_effect_at > now,
            names.get(review.decided_by or ""),
            review.is_pending and standing is not None and standing.ground in (Ground.GONE, Ground.OTHER),
            review.is_pending and standing is not None and standing.ground is Ground.UNTOLD,
        )

    # -- what they decide

    def keep(self, session: SessionView, review_id: str, reason: str, seen: str) -> None:
        """Let the badge stay; it is not asked again about the same facts.

        :param reason: 1 to 500 characters; those who teach see it.
        :param seen: the digest of the facts that the person saw.
        :raises NotAllowed: unless the person may configure the course's badges; also about themselves.
        :raises NotFound: NOT_FOUND, also for another course's.
        :raises RequestInvalid: FORM_INVALID with ``problems``: ``reason``.
        :raises Conflict: somebody decided meanwhile, or the facts are others now.
        """
        self._decide_one(session, review_id, reason, seen, is_kept=True)

    def revoke(self, session: SessionView, review_id: str, reason: str, seen: str) -> None:
        """Have the badge revoked when the time for undoing it is over; as :meth:`keep`.

        :param reason: 1 to 500 characters; its learner and whoever looks at the badge see it.
        """
        self._decide_one(session, review_id, reason, seen, is_kept=False)

    def _decide_one(
        self, session: SessionView, review_id: str, reason: str, seen: str, *, is_kept: bool
    ) -> None:
        decided = self.decide_many(session, {review_id: seen}, reason, is_kept=is_kept)
        if not decided:
            raise Conflict(ErrorCode.CONFLICT, f"review {review_id}")

    def plan(self, session: SessionView, review_ids: Collection[str]) -> Plan:
        """What would happen to some reviews, were they decided now.

        :raises NotAllowed, NotFound: as :meth:`keep`.
        :raises RequestInvalid: FORM_INVALID with ``problems``: ``review_id`` for none, or too many.
        """
        return self.plan_at(Desk.of_teacher(session), review_ids)

    def plan_at(self, desk: Desk, review_ids: Collection[str]) -> Plan:
        """As :meth:`plan`, for whoever decides somewhere else."""
        _require_some(review_ids)
        with self.database.read() as reading:
            rows = store.some(reading, desk.organisation_id, desk.context_id, review_ids)
        _require_all(desk, rows, review_ids)
        return Plan(
            tuple(row for row in rows if row.is_undecided),
            tuple(row for row in rows if not row.is_undecided),
            self.clock() + self.undo,
        )

    def decide_many(
        self, session: SessionView, seen: Mapping[str, str], reason: str, *, is_kept: bool
    ) -> tuple[str, ...]:
        """Decide some reviews with one reason; the ids of those that were.

        One that somebody decided meanwhile, or whose facts are others now, is left as it is. Whoever sends
        the same twice has decided once, and is told the same.

        :param seen: the digests of the facts that the person saw, by review.
        :raises NotAllowed, NotFound, RequestInvalid: as :meth:`keep` and :meth:`plan`; then none is decided.
        """
        return self.decide_at(Desk.of_teacher(session), seen, reason, is_kept=is_kept)

    def decide_at(
        self, desk: Desk, seen: Mapping[str, str], reason: str, *, is_kept: bool
    ) -> tuple[str, ...]:
        """As :meth:`decide_many`, for whoever decides somewhere else."""
        reason = " ".join(reason.split())
        check_form(text_problems("reason", reason, REASON_LENGTH))
        _require_some(seen)
        now = self.clock()
        values: dict[str, Any] = {
            "status": KEPT if is_kept else REVOKED,
            "decided_by": desk.actor,
            "decided_at": now,
            "reason": reason,
            "takes_effect_at": None if is_kept else now + self.undo,
            "spared_at": None,
        }
        decided: list[str] = []
        repeated: list[str] = []
        with self.database.write() as writing:
            rows = store.some(writing, desk.organisation_id, desk.context_id, seen.keys())
            _require_all(desk, rows, seen)
            # In one order, so that two who decide about the same ones do not wait for each other.
            for row in sorted(rows, key=lambda row: row.id):
                still = (store.is_undecided(seen[row.id]), store.is_not_revoked())
                if store.change(writing, desk.organisation_id, row.id, *still, **values):
                    decided.append(row.id)
                    _record(writing, desk, now, "kept" if is_kept else "revoked", row)
            others = [id_ for id_ in seen if id_ not in decided]
            # Read once more: two presses at once have both seen it undecided.
            for row in store.some(writing, desk.organisation_id, desk.context_id, others) if others else ():
                said = (row.status, row.decided_by, row.reason, row.digest)
                if said == (values["status"], desk.actor, reason, seen[row.id]):
                    repeated.append(row.id)
        REVIEWS.labels("kept" if is_kept else "revoked").inc(len(decided))
        # Of those that were not, some badge may have been revoked in another way: it says so at once.
        left = [row for row in rows if row.id not in decided and row.id not in repeated]
        for context_id in {row.context_id for row in left}:
            learner_ids = [row.learner_id for row in left if row.context_id == context_id]
            self.doubting.look(desk.organisation_id, context_id, learner_ids)
        if not is_kept and not self.undo:
            for review_id in decided:
                self.hints.offer("carry_out_review", review_id=review_id)
        return (*decided, *repeated)

    def take_back(self, session: SessionView, review_id: str) -> None:
        """Undo a revocation that was not carried out yet: the review is open again. Twice is once.

        :raises NotAllowed, NotFound: as :meth:`keep`.
        :raises Conflict: its time is over, or somebody else has undone it.
        """
        self.take_back_at(Desk.of_teacher(session), review_id)

    def take_back_at(self, desk: Desk, review_id: str) -> None:
        """As :meth:`take_back`, for whoever decides somewhere else."""
        now = self.clock()
        with self.database.write() as writing:
            rows = store.some(writing, desk.organisation_id, desk.context_id, [review_id])
            _require_all(desk, rows, [review_id])
            (row,) = rows
            undone = store.change(
                writing,
                desk.organisation_id,
                review_id,
                store.can_be_undone(now),
                store.is_not_revoked(),
                **_undone(row),
            )
            if not undone:
                if _last(writing, desk, review_id, DECISIONS) == (desk.actor, "undone"):
                    return
                raise Conflict(ErrorCode.CONFLICT, f"review {review_id}")
            _record(writing, desk, now, "undone", row)
        self.doubting.look(desk.organisation_id, row.context_id, [row.learner_id])

    def ask(self, session: SessionView, review_id: str, question: str) -> None:
        """Ask the learner; the question stands in their wallet, and they answer once. Twice is once.

        :param question: 1 to 2,000 characters.
        :raises NotAllowed, NotFound: as :meth:`keep`.
        :raises RequestInvalid: FORM_INVALID with ``problems``: ``question``.
        :raises Conflict: somebody asked already, or decided.
        """
        desk = Desk.of_teacher(session)
        question = question.replace("\r\n", "\n").strip()
        check_form(text_problems("question", question, QUESTION_LENGTH))
        now = self.clock()
        with self.database.write() as writing:
            rows = store.some(writing, desk.organisation_id, desk.context_id, [review_id])
            _require_all(desk, rows, [review_id])
            asked = store.change(
                writing,
                desk.organisation_id,
                review_id,
                store.is_open(),
                status=ASKED,
                asked_at=now,
                question=question,
            )
            if not asked:
                (row,) = store.some(writing, desk.organisation_id, desk.context_id, [review_id])
                is_own = _last(writing, desk, review_id, ("asked",)) == (desk.actor, "asked")
                if is_own and (row.status, row.question) == (ASKED, question):
                    return
                raise Conflict(ErrorCode.CONFLICT, f"review {review_id}")
            _record(writing, desk, now, "asked", rows[0])

    # -- what the learner says

    def question(self, session: SessionView, review_id: str) -> Question:
        """What the person of this session was asked.

        :raises NotFound: NOT_FOUND, also for somebody else's.
        """
        with self.database.read() as reading:
            review = store.asked(reading, session.organisation_id, session.learner_id, review_id)
        if review is None or session.is_anonymous:
            raise NotFound(ErrorCode.NOT_FOUND, "no question")
        waits = review.status == ASKED and review.answered_at is None
        return Question(review, waits and not session.is_read_only)

    def answer(self, session: SessionView, review_id: str, text: str) -> None:
        """Say something about one's own badge; once, and the same once more is no other.

        :param text: 1 to 2,000 characters.
        :raises NotAllowed: while somebody else looks as the learner.
        :raises NotFound: as :meth:`question`.
        :raises RequestInvalid: FORM_INVALID with ``problems``: ``answer``.
        :raises Conflict: it was answered already, or decided.
        """
        if session.is_read_only:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "acting as somebody else")
        asked = self.question(session, review_id)
        text = text.replace("\r\n", "\n").strip()
        check_form(text_problems("answer", text, ANSWER_LENGTH))
        now = self.clock()
        with self.database.write() as writing:
            answered = store.change(
                writing,
                session.organisation_id,
                review_id,
                store.is_unanswered(),
                answered_at=now,
                answer=text,
            )
            if not answered:
                there = store.asked(writing, session.organisation_id, session.learner_id, review_id)
                if there is not None and there.answer == text:
                    return
                raise Conflict(ErrorCode.CONFLICT, f"review {review_id}")
            desk = Desk(session.organisation_id, _actor(session))
            _record(writing, desk, now, "answered", asked.review)

    # -- carrying out

    def due(self, limit: int) -> tuple[str, ...]:
        """Revocations whose time has come."""
        with self.database.read() as session:
            return store.due(session, self.clock(), limit)

    def carry_out(self, review_id: str) -> bool:
        """Revoke the badge, if its time has come and nobody has undone it; whether it was done now.

        Where what was decided about is gone meanwhile (the grade is good again, who had left is back), the
        badge stays and the review is closed; what else there is to be said against it opens another. Where a
        next version was published meanwhile, so that nobody can tell any more, the review is open again.
        """
        now = self.clock()
        with self.database.read() as session:
            wanted = store.revocation(session, review_id, now)
        if wanted is None:
            return False
        standing = self.doubting.standing(
            wanted.organisation_id, wanted.context_id, wanted.learner_id, review_id
        )
        if standing is not None and standing.ground is not Ground.HOLDS:
            self._spare(wanted, review_id, standing, now)
            return False

        def claim(session: Session) -> None:
            still = store.can_be_carried_out(now)
            if not store.change(session, wanted.organisation_id, review_id, still, carried_out_at=now):
                raise Conflict(ErrorCode.CONFLICT, f"review {review_id} was undone, or is carried out")

        try:
            self.revoking.revoke_many(
                wanted.organisation_id,
                [wanted.credential_id],
                wanted.reason,
                wanted.decided_by,
                together_with=claim,
            )
        except Conflict:
            return False
        REVIEWS.labels("carried_out").inc()
        return True

    def _spare(self, wanted: store.Revocation, review_id: str, standing: Standing, now: datetime) -> None:
        """Revoke nothing: close the review, or have it decided once more by what is known now."""
        is_reopened = standing.ground is Ground.UNTOLD
        what = "reopened" if is_reopened else "spared"
        with self.database.write() as session:
            values: dict[str, Any] = {"status": SETTLED}
            if is_reopened:
                (row,) = store.some(session, wanted.organisation_id, wanted.context_id, [review_id])
                values = {**_undone(row), "digest": standing.digest}
            is_spared = store.change(
                session,
                wanted.organisation_id,
                review_id,
                store.can_be_carried_out(now),
                **values,
                spared_at=now,
                decision_now_id=standing.decision_id,
            )
            if is_spared:
                audit.record(
                    session,
                    wanted.organisation_id,
                    at=now,
                    actor="rule",
                    action=f"review.{what}",
                    subject_kind="review",
                    subject_id=review_id,
                    detail={
                        "placement": wanted.placement_id,
                        "credential": wanted.credential_id,
                        "cause": wanted.cause,
                    },
                )
        REVIEWS.labels(what).inc(is_spared)
        self.doubting.look(wanted.organisation_id, wanted.context_id, [wanted.learner_id])


def _undone(row: ReviewRow) -> dict[str, Any]:
    """What a review is before anybody has decided it."""
    return {
        "status": OPEN if row.asked_at is None else ASKED,
        "decided_by": None,
        "decided_at": None,
        "reason": None,
        "takes_effect_at": None,
    }


def _may_decide(session: SessionView) -> bool:
    return session.can_configure and not session.is_read_only


def _actor(session: SessionView) -> str:
    return f"{audit.LEARNER}{session.learner_id}"


def _own(rows: Sequence[ReviewRow]) -> ReviewRow:
    if not rows:
        raise NotFound(ErrorCode.NOT_FOUND, "no review of this course")
    return rows[0]


def _require_some(review_ids: Collection[str]) -> None:
    if not review_ids:
        check_form([Problem("review_id", FormProblem.NOTHING_CHOSEN)])
    if len(review_ids) > MOST_AT_ONCE:
        check_form([Problem("review_id", FormProblem.TOO_MANY, {"limit": MOST_AT_ONCE})])


def _require_all(desk: Desk, rows: Sequence[ReviewRow], wanted: Collection[str]) -> None:
    """Every one is a review of this course, or organisation, and about somebody else.

    :raises NotFound: NOT_FOUND. :raises NotAllowed: about oneself.
    """
    if len(rows) != len(set(wanted)):
        raise NotFound(ErrorCode.NOT_FOUND, "no review of this course")
    if any(row.learner_id == desk.learner_id for row in rows):
        raise NotAllowed(ErrorCode.NOT_ALLOWED, "nobody decides about themselves")


def _record(writing: Session, desk: Desk, at: datetime, what: str, row: ReviewRow) -> None:
    audit.record(
        writing,
        desk.organisation_id,
        at=at,
        actor=desk.actor,
        action=f"review.{what}",
        subject_kind="review",
        subject_id=row.id,
        # Reasons, questions and answers may name the learner: they stay with them, where they can be erased.
        detail={"placement": row.placement_id, "credential": row.credential_id, "cause": row.cause},
    )


def _last(writing: Session, desk: Desk, review_id: str, what: Iterable[str]) -> tuple[str, str] | None:
    """Who did one of these with a review last, and which of them."""
    last = audit.newest(writing, desk.organisation_id, "review", review_id, [f"review.{one}" for one in what])
    return None if last is None else (last.actor, last.action.removeprefix("review."))


def _facts(learner_id: str, made: Evidenced | None, criteria: Mapping[str, Criterion | None]) -> Facts | None:
    """A decision made again from what was stored with it."""
    if made is None:
        return None
    criterion, evidence = criteria.get(made.micromodule_version_id), read_evidence(made.evidence)
    if criterion is None or evidence is None:
        return None
    decision = decide_award(criterion, Candidate(learner_id, evidence), made.decided_at)
    return Facts(decision.finding, made.decided_at)
