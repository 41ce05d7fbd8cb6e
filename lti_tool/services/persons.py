"""One person, several LMSs: learners are joined by a code that their person carries from one to the other.

Nothing is ever guessed from a name or an address, which an LMS can have wrong. In one wallet a code is taken,
in the other it is entered; both say what is to be joined, and each has to be told yes. Whoever joined may
leave again from either side; what was awarded stays with the learner who has it.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.errors import Conflict, ErrorCode, LimitReached, NotAllowed, NotFound
from lti_tool.services import Hints
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.form_problems import FormProblem, Problem, check_form
from lti_tool.services.launching import SessionView
from lti_tool.services.wallet import EarnedBadge, earned_badge
from lti_tool.store import audit, milestones, organisations, wallets
from lti_tool.store import persons as store
from lti_tool.store.audit import LEARNER, EventFilter
from lti_tool.store.database import Database
from lti_tool.store.persons import Account

CODE_LASTS: Final = timedelta(minutes=10)
"""Until a code has to be entered, and then until the other side has to say yes."""
TRIES: Final = 5
"""Wrong codes that one learner may enter within :data:`CODE_LASTS`."""
CODES: Final = 10
"""Codes that one learner may take within :data:`CODE_LASTS`."""
LETTERS: Final = "23456789ABCDEFGHJKMNPQRSTVWXYZ"
"""What a code consists of: nothing that is mistaken for something else when it is copied by hand."""
CODE_LENGTH: Final = 10
"""30 ** 10 is 6e14: with :data:`TRIES`, thirty thousand learners who guess together for a year find none."""

TAKEN, REFUSED, ENTERED = "person.code_taken", "person.code_refused", "person.code_entered"
DECLINED, JOINED, LEFT = "person.declined", "person.joined", "person.left"


@dataclass(frozen=True, slots=True)
class Offered:
    """What would be joined: the accounts of this side, and those of the other."""

    own: tuple[Account, ...]
    """The learner of this wallet first."""
    other: tuple[Account, ...]
    """Who took the code, or entered it, first."""

    @property
    def mark(self) -> str:
        """Another one once either side is joined with others than were shown."""
        sides = ["+".join(sorted(account.learner_id for account in side)) for side in (self.own, self.other)]
        return sha256("|".join(sorted(sides)).encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class PersonView:
    """The page of the learner's own accounts."""

    accounts: tuple[Account, ...]
    """This wallet's first."""
    waiting: Offered | None
    """Somebody entered the code that this learner took: joined as soon as the learner says yes."""
    asked: Account | None
    """Whose code this learner entered; that account's wallet has to say yes."""
    can_change: bool


@dataclass(frozen=True, slots=True)
class JoinedBadge:
    """A badge of another account that the learner joined with the one at hand."""

    platform: str
    """The LMS whose account has it; there it is shared and taken along."""
    badge: EarnedBadge


@dataclass(frozen=True, slots=True)
class Code:
    """A code, shown once."""

    text: str
    expires_at: datetime

    @property
    def grouped(self) -> str:
        """As it is read and copied most easily."""
        half = len(self.text) // 2
        return f"{self.text[:half]}-{self.text[half:]}"


@dataclass(frozen=True)
class Persons:
    """Joins learners of one organisation whom one person said to be the same.

    :param secret: the installation's secret key; a code taken under another one opens nothing.
    """

    database: Database
    clock: Callable[[], datetime]
    secret: bytes
    hints: Hints
    urls: PublicUrls

    # -- looking

    def view(self, session: SessionView) -> PersonView:
        """With whom the learner of this wallet is joined, and what waits for a yes.

        :raises NotAllowed: where nobody is named.
        """
        if session.is_anonymous:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "an anonymous session has no accounts")
        organisation_id, learner_id, now = session.organisation_id, session.learner_id, self.clock()
        with self.database.read() as reading:
            own = _found(store.accounts(reading, organisation_id, learner_id))
            if session.is_read_only:
                # Whoever looks as somebody else is of one LMS: the other accounts are none of their business.
                return PersonView(own[:1], None, None, can_change=False)
            code = store.entered_code(reading, organisation_id, learner_id, now)
            waiting = None
            if code is not None and code.used_by_id is not None:
                other = store.accounts(reading, organisation_id, code.used_by_id)
                waiting = Offered(own, other) if other else None
            sent = store.sent_code(reading, organisation_id, learner_id, now)
            asked = store.accounts(reading, organisation_id, sent.learner_id)[:1] if sent is not None else ()
        return PersonView(own, waiting, asked[0] if asked else None, can_change=not own[0].is_test_user)

    def elsewhere(self, session: SessionView) -> tuple[JoinedBadge, ...]:
        """The badges of the other accounts of this session's person, by LMS, the newest first in each.

        Whoever looks as somebody else is of one LMS, and has no business with what is in another one.
        """
        if session.is_read_only or session.is_anonymous:
            return ()
        organisation_id, now = session.organisation_id, self.clock()
        with self.database.read() as reading:
            return tuple(
                JoinedBadge(platform, earned_badge(view, self.urls, now))
                for learner_id, platform in store.joined(reading, organisation_id, session.learner_id)
                for view in wallets.earned_by(reading, organisation_id, learner_id)
            )

    # -- the side that takes a code

    def take_code(self, session: SessionView) -> Code:
        """A new code for the learner of this session; an earlier one is worth nothing any more.

        :raises NotAllowed: in somebody else's name, for nobody, and for a test user.
        :raises LimitReached: RATE_LIMITED.
        """
        text = "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))
        now = self.clock()
        expires_at = now + CODE_LASTS
        with self.database.write() as writing:
            own = self._own(writing, session)
            self._require_patience(writing, session, TAKEN, CODES, now)
            store.add_code(
                writing, session.organisation_id, own[0].learner_id, self._hash(text), now, expires_at
            )
            self._record(writing, session, TAKEN, session.learner_id)
        return Code(text, expires_at)

    def answer(self, session: SessionView, mark: str, *, is_yes: bool) -> None:
        """Say whether who entered one's code is oneself. Yes joins both, and everybody joined with them.

        :param mark: of what was shown.
        :raises NotAllowed: as :meth:`take_code`.
        :raises Conflict: CONFLICT where nobody waits any more, or something else would be joined.
        """
        now = self.clock()
        with self.database.write() as writing:
            store.lock(writing, session.organisation_id)
            own = self._own(writing, session)
            code = store.entered_code(writing, session.organisation_id, session.learner_id, now)
            if code is None or code.used_by_id is None:
                raise Conflict(ErrorCode.CONFLICT, "nobody waits for an answer")
            store.drop_code(writing, code.id)
            if not is_yes:
                self._record(writing, session, DECLINED, session.learner_id, with_=code.used_by_id)
                return
            offered = Offered(own, store.accounts(writing, session.organisation_id, code.used_by_id))
            if not hmac.compare_digest(offered.mark.encode(), mark.encode()):
                raise Conflict(ErrorCode.CONFLICT, "not what was shown")
            if _trouble(offered) is not None:
                raise Conflict(ErrorCode.CONFLICT, "cannot be joined any more")
            everybody = [account.learner_id for account in (*offered.own, *offered.other)]
            person_id = store.join(writing, session.organisation_id, everybody, now)
            self._record(
                writing, session, JOINED, session.learner_id, with_=code.used_by_id, person=person_id
            )
        self._decide_milestones(session.organisation_id)

    # -- the side that enters it

    def look(self, session: SessionView, text: str) -> Offered:
        """What would be joined by a code; nothing is yet.

        :raises NotAllowed: as :meth:`take_code`.
        :raises RequestInvalid: FORM_INVALID for a code that is none (any more), one's own, of an account
            that is joined already, or of another account in the same LMS.
        :raises LimitReached: RATE_LIMITED after :data:`TRIES` wrong ones.
        """
        now = self.clock()
        with self.database.write() as writing:
            own = self._own(writing, session)
            if not text.strip():
                check_form([Problem("code", FormProblem.REQUIRED)])
            self._require_patience(writing, session, REFUSED, TRIES, now)
            code = store.open_code(writing, session.organisation_id, self._hash(_plain(text)), now)
            other = () if code is None else store.accounts(writing, session.organisation_id, code.learner_id)
            offered = Offered(own, other)
            problem = _trouble(offered)
            if problem is FormProblem.CODE_UNKNOWN:
                self._record(writing, session, REFUSED, session.learner_id)
        if problem is not None:
            check_form([Problem("code", problem)])
        return offered

    def enter(self, session: SessionView, text: str, mark: str) -> Account:
        """Say that whoever took this code is oneself; who that is, whose wallet has to say yes now.

        :param mark: of what was shown.
        :raises NotAllowed, RequestInvalid, LimitReached: as :meth:`look`.
        :raises Conflict: CONFLICT where something else would be joined than was shown.
        """
        offered = self.look(session, text)
        if not hmac.compare_digest(offered.mark.encode(), mark.encode()):
            raise Conflict(ErrorCode.CONFLICT, "not what was shown")
        now = self.clock()
        with self.database.write() as writing:
            store.lock(writing, session.organisation_id)
            own = self._own(writing, session)
            # Of two that enter it at once the second finds it used; and others may have joined meanwhile.
            code = store.open_code(writing, session.organisation_id, self._hash(_plain(text)), now)
            if code is None:
                raise Conflict(ErrorCode.CONFLICT, "the code was used meanwhile")
            other = store.accounts(writing, session.organisation_id, code.learner_id)
            if Offered(own, other).mark != offered.mark:
                raise Conflict(ErrorCode.CONFLICT, "not what was shown")
            store.use_code(writing, code.id, session.learner_id, now, now + CODE_LASTS)
            self._record(writing, session, ENTERED, session.learner_id, with_=code.learner_id)
        return offered.other[0]

    # -- either side

    def leave(self, session: SessionView) -> None:
        """Let the account of this wallet be by itself again; what was awarded stays where it is.

        :raises NotAllowed: as :meth:`take_code`.
        :raises Conflict: CONFLICT where it is joined with nobody.
        """
        with self.database.write() as writing:
            store.lock(writing, session.organisation_id)
            self._own(writing, session)
            store.drop_codes(writing, session.organisation_id, session.learner_id)
            others = store.leave(writing, session.organisation_id, session.learner_id)
            if not others:
                raise Conflict(ErrorCode.CONFLICT, "joined with nobody")
            self._record(writing, session, LEFT, session.learner_id, with_=",".join(others))
        self._decide_milestones(session.organisation_id)

    # -- what all need

    @cached_property
    def _code_key(self) -> bytes:
        return hmac.digest(self.secret, b"person code v1", "sha256")

    def _hash(self, text: str) -> str:
        """A code as it is stored: whoever reads the database cannot enter it."""
        return hmac.digest(self._code_key, text.encode(errors="replace"), "sha256").hex()

    def _own(self, writing: Session, session: SessionView) -> tuple[Account, ...]:
        """The accounts of this session's person, who is there as themselves."""
        if session.is_read_only or session.is_anonymous:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "a read-only session joins nobody")
        own = _found(store.accounts(writing, session.organisation_id, session.learner_id))
        if own[0].is_test_user:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "a test user is nobody")
        return own

    def _require_patience(
        self, writing: Session, session: SessionView, action: str, most: int, now: datetime
    ) -> None:
        """Count what the learner did lately: the trail is kept for every process of the installation."""
        organisations.lock(writing, session.organisation_id)
        wanted = EventFilter(action=action, actor=f"{LEARNER}{session.learner_id}", since=now - CODE_LASTS)
        if audit.count(writing, session.organisation_id, wanted) >= most:
            raise LimitReached(ErrorCode.RATE_LIMITED, action, retry_after=int(CODE_LASTS.total_seconds()))

    def _decide_milestones(self, organisation_id: str) -> None:
        """Completions of several learners count as one person's now, or do no more."""
        with self.database.read() as reading:
            active = milestones.active(reading, organisation_id)
        for version in active:
            self.hints.offer("decide_milestone", milestone_id=version.milestone_id)

    def _record(
        self, writing: Session, session: SessionView, action: str, subject_id: str, **detail: Any
    ) -> None:
        audit.record(
            writing,
            session.organisation_id,
            at=self.clock(),
            actor=f"{LEARNER}{session.learner_id}",
            action=action,
            subject_kind="learner",
            subject_id=subject_id,
            detail={name.rstrip("_"): value for name, value in detail.items()},
        )


def _found(accounts: tuple[Account, ...]) -> tuple[Account, ...]:
    if not accounts:
        raise NotFound(ErrorCode.LEARNER_NOT_FOUND)
    return accounts


def _trouble(offered: Offered) -> FormProblem | None:
    """What keeps two sides from being joined."""
    if not offered.other or any(account.is_test_user for account in offered.other):
        return FormProblem.CODE_UNKNOWN
    own = {account.learner_id for account in offered.own}
    if offered.other[0].learner_id == offered.own[0].learner_id:
        return FormProblem.CODE_OWN
    if not own.isdisjoint(account.learner_id for account in offered.other):
        return FormProblem.CODE_JOINED
    if not _registrations(offered.own).isdisjoint(_registrations(offered.other)):
        return FormProblem.CODE_SAME_LMS
    return None


def _registrations(accounts: Sequence[Account]) -> set[str]:
    return {account.registration_id for account in accounts}


def _plain(text: str) -> str:
    """A code as somebody typed it, with or without the hyphen, in whatever case."""
    return "".join(character for character in text[:100].upper() if character in LETTERS)[: CODE_LENGTH + 1]
