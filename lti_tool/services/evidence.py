"""What learners hand in for a rule of a badge, and what those who teach say about it.

A submission waits until somebody accepts or returns it, or its learner takes it back. After that another one
may follow; earlier ones stay readable with what was said about them. Accepted stays accepted.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from urllib.parse import urlsplit

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import EvidenceAccepted, EvidenceKind, leaves
from lti_tool.errors import Conflict, ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.services.attesting import own_placement
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.evidence_files import CheckedFile, FileProblem, FileRefused, check_file
from lti_tool.services.form_problems import BIDI_CONTROLS
from lti_tool.services.launching import SessionView
from lti_tool.services.overview import Page
from lti_tool.services.publishing import DecidingPort
from lti_tool.services.rights import viewed_course
from lti_tool.store import audit, micromodules, placements, submissions
from lti_tool.store.database import Database
from lti_tool.store.submissions import Asked, NewFile, StoredFile, SubmissionFilter, SubmissionRow

TEXT_LENGTH: Final = 10_000
URL_LENGTH: Final = 2_000
COMMENT_LENGTH: Final = 2_000
MOST_FILES: Final = 3
MOST_SUBMISSIONS: Final = 20
"""Of one learner for one rule, those apart that were taken back; each of them stays."""
MOST_FILE_SIZES: Final = 10
"""How many files of the largest size one learner may fill for one rule, all submissions together."""


class EvidenceProblem(StrEnum):
    """What keeps a submission from being handed in, or a judgement from being kept."""

    NOTHING = "nothing"
    TOO_LONG = "too_long"
    NOT_A_LINK = "not_a_link"
    NOT_ACCEPTED = "not_accepted"
    """A text, link or file where the rule takes none."""
    TOO_MANY_FILES = "too_many_files"
    COMMENT_MISSING = "comment_missing"
    ITEMS_OPEN = "items_open"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with one field, and with which file of it."""

    field: str
    code: EvidenceProblem | FileProblem
    name: str = ""
    """Of the file, as it was sent."""
    items: tuple[str, ...] = ()
    """Of the checklist, those that are open."""


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A file as it came in."""

    name: str
    content: bytes
    """Not more than a byte beyond what a file may have."""


@dataclass(frozen=True, slots=True)
class HandIn:
    """What a learner sends."""

    text: str = ""
    url: str = ""
    files: tuple[GivenFile, ...] = ()
    kept: tuple[str, ...] = ()
    """Ids of files of the submission before that are to be handed in again."""


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """A learner's page for one rule."""

    placement: placements.PlacementView
    rule: EvidenceAccepted
    history: tuple[SubmissionRow, ...]
    """Newest first."""
    may_hand_in: bool
    is_draft: bool
    max_file_bytes: int
    shows_links: bool = False
    """The badge shows the address of an accepted page to whoever sees the badge."""

    @property
    def latest(self) -> SubmissionRow | None:
        """What counts."""
        return self.history[0] if self.history else None


@dataclass(frozen=True, slots=True)
class SubmissionList:
    """What was handed in for a placement, one submission of each learner and rule."""

    placement: placements.PlacementView
    page: Page[SubmissionRow]
    wanted: SubmissionFilter
    labels: dict[str, str]
    """What each rule is called, by evidence key."""
    waiting: int


@dataclass(frozen=True, slots=True)
class JudgeView:
    """One submission, as those see it who judge it."""

    placement: placements.PlacementView
    label: str
    instructions: str
    checklist: tuple[str, ...]
    submission: SubmissionRow
    earlier: tuple[SubmissionRow, ...]
    """What the same learner handed in before, newest first."""
    newer_id: str | None
    """The learner's latest, where this one is not it."""
    may_judge: bool
    may_still_accept: bool = False
    """It was given back, and nothing followed: by mistake, or the learner cannot hand in any more."""
    shows_link: bool = False
    """Once this is accepted, the badge shows its address to whoever sees the badge."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What an instructor says about a submission."""

    is_accepted: bool
    comment: str = ""
    ticked: tuple[str, ...] = ()
    """Items of the checklist."""
    was_returned: bool = False
    """Whether the instructor knew that it was given back, and accepts it after all."""


@dataclass(frozen=True)
class Submissions:
    """Takes, shows and judges what learners hand in, in the course that a session is in."""

    database: Database
    clock: Callable[[], datetime]
    deciding: DecidingPort
    max_file_bytes: int

    # -- learners

    def view(self, session: SessionView, placement_id: str, key: str) -> EvidenceView:
        """One's own submissions for a rule; those who teach see the page without any.

        :raises NotFound: ``placement_not_found``; ``evidence_not_found`` for a rule that asks for nothing.
        """
        placement, rule = self._rule(session, placement_id, key)
        with self.database.read() as reading:
            history = submissions.of_learner(reading, _asked(session, placement, key))
            shows_links = _shows_links(reading, placement)
        latest = history[0] if history else None
        is_open = latest is None or latest.state in (submissions.RETURNED, submissions.WITHDRAWN)
        is_draft = placement.status == "draft"
        return EvidenceView(
            placement,
            rule,
            history,
            may_hand_in=_may_hand_in(session) and is_open and not is_draft,
            is_draft=is_draft,
            max_file_bytes=self.max_file_bytes,
            shows_links=EvidenceKind.LINK in rule.accepts and shows_links,
        )

    def hand_in(self, session: SessionView, placement_id: str, key: str, given: HandIn) -> str:
        """Keep a submission; from then on it waits. Its id.

        :raises NotAllowed: for anybody but a learner of the course who acts as themselves.
        :raises NotFound: ``placement_not_found``, also for a draft; ``evidence_not_found``.
        :raises RequestInvalid: FORM_INVALID, with ``troubles`` by field (``text``, ``url``, ``files``).
        :raises Conflict: ``evidence_waiting``, ``evidence_accepted``, ``evidence_limit_reached``.
        """
        if not _may_hand_in(session):
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "handing in is for learners")
        placement, rule = self._rule(session, placement_id, key)
        if placement.status != "active":
            raise NotFound(ErrorCode.PLACEMENT_NOT_FOUND)
        asked = _asked(session, placement, key)
        with self.database.read() as reading:
            history = submissions.of_learner(reading, asked)
        _require_open(history)
        text, url = clean_text(given.text), given.url.strip()
        kept = (
            tuple(one.id for one in (history[0].files if history else ()) if one.id in given.kept)
            if EvidenceKind.FILE in rule.accepts
            else ()
        )
        files, troubles = self._checked(rule, text, url, given.files, len(kept))
        if troubles:
            raise RequestInvalid(ErrorCode.FORM_INVALID, troubles=troubles)
        now = self.clock()
        with self.database.write() as writing:
            placements.lock(writing, asked.organisation_id, asked.placement_id)
            # Looked at once more: two forms may have been sent at once.
            history = submissions.of_learner(writing, asked)
            _require_open(history)
            used = submissions.used(writing, asked)
            again = sum(one.size for one in (history[0].files if history else ()) if one.id in kept)
            size = used.bytes + again + sum(len(one.content) for one in files)
            if used.submissions >= MOST_SUBMISSIONS or size > MOST_FILE_SIZES * self.max_file_bytes:
                raise Conflict(ErrorCode.EVIDENCE_LIMIT_REACHED, f"{used.submissions} for {placement_id}")
            submission_id = submissions.add(
                writing,
                asked,
                number=1 + max((one.number for one in history), default=0),
                text=text,
                url=url,
                files=[NewFile(one.name, one.media_type, one.content) for one in files],
                kept=kept,
                now=now,
            )
            if submission_id is None:
                raise Conflict(ErrorCode.EVIDENCE_WAITING, "handed in twice at once")
            self._record(writing, session, "submission.handed_in", asked, submission_id)
        self.deciding.decide(asked.organisation_id, asked.context_id, [asked.learner_id], "evidence")
        return submission_id

    def withdraw(self, session: SessionView, placement_id: str, key: str) -> None:
        """Take back what waits.

        :raises NotAllowed: as :meth:`hand_in`. :raises NotFound: as :meth:`view`.
        :raises Conflict: ``evidence_judged`` where nothing of it waits any more.
        """
        if not _may_hand_in(session):
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "handing in is for learners")
        placement, _ = self._rule(session, placement_id, key)
        asked = _asked(session, placement, key)
        with self.database.write() as writing:
            latest = next(iter(submissions.of_learner(writing, asked)), None)
            if latest is None or not submissions.withdraw(
                writing, asked.organisation_id, latest.id, asked.learner_id
            ):
                raise Conflict(ErrorCode.EVIDENCE_JUDGED, "nothing waits")
            self._record(writing, session, "submission.withdrawn", asked, latest.id)
        self.deciding.decide(asked.organisation_id, asked.context_id, [asked.learner_id], "evidence")

    # -- those who teach

    def waiting(self, session: SessionView, placement_ids: Sequence[str]) -> dict[str, int]:
        """How many submissions wait for a person, by placement of the session's course.

        :raises NotAllowed: unless the person may see everybody's progress.
        """
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            return submissions.waiting(reading, organisation_id, context_id, placement_ids)

    def listed(
        self,
        session: SessionView,
        placement_id: str,
        wanted: SubmissionFilter,
        *,
        page: int = 1,
        per_page: int = 50,
    ) -> SubmissionList:
        """The latest submission of each learner and rule, those that wait first.

        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``placement_not_found``.
        """
        organisation_id, context_id = viewed_course(session)
        placement = own_placement(self.database, session, placement_id)
        with self.database.read() as reading:
            total = submissions.count(reading, organisation_id, context_id, placement_id, wanted)
            pages = max(1, -(-total // per_page))
            number = min(max(1, page), pages)
            rows = submissions.page(
                reading,
                organisation_id,
                context_id,
                placement_id,
                wanted,
                offset=(number - 1) * per_page,
                limit=per_page,
            )
            waiting = submissions.count(
                reading,
                organisation_id,
                context_id,
                placement_id,
                SubmissionFilter(state=submissions.SUBMITTED),
            )
        labels = {rule.key: rule.label for rule in _rules(placement)}
        return SubmissionList(placement, Page(rows, number, pages, total), wanted, labels, waiting)

    def submission(self, session: SessionView, submission_id: str) -> JudgeView:
        """One submission with what was handed in before.

        :raises NotAllowed: unless the person may see everybody's progress.
        :raises NotFound: ``evidence_not_found``, also for a submission of another course.
        """
        found = self._own_submission(session, submission_id)
        placement = own_placement(self.database, session, found.placement_id)
        asked = _asked_of(session.organisation_id, found)
        with self.database.read() as reading:
            history = submissions.of_learner(reading, asked)
            shows_links = _shows_links(reading, placement)
        rule = next((rule for rule in _rules(placement) if rule.key == found.evidence_key), None)
        is_theirs = found.is_latest and not session.is_read_only and session.learner_id != found.learner_id
        return JudgeView(
            placement,
            rule.label if rule else found.evidence_key,
            rule.instructions if rule else "",
            rule.checklist if rule else (),
            found,
            tuple(one for one in history if one.number < found.number),
            next((one.id for one in history if one.is_latest and one.id != found.id), None),
            may_judge=found.is_waiting and is_theirs,
            may_still_accept=found.state == submissions.RETURNED and is_theirs,
            shows_link=bool(found.url) and rule is not None and shows_links,
        )

    def judge(self, session: SessionView, submission_id: str, judgement: Judgement) -> str | None:
        """Accept or return a submission, then decide about its learner.

        What was given back can still be accepted as long as nothing followed it.

        :returns: the id of the submission of the placement that waits longest now, if any.
        :raises NotAllowed: unless the person may see everybody's progress, and acts as themselves; also for
            one's own.
        :raises NotFound: ``evidence_not_found``.
        :raises RequestInvalid: FORM_INVALID, with ``troubles``: a return needs a comment, accepting needs
            every item of the checklist.
        :raises Conflict: ``evidence_judged`` where somebody was quicker; nothing is changed then.
        """
        found = self._own_submission(session, submission_id)
        if session.is_read_only or session.learner_id == found.learner_id:
            raise NotAllowed(ErrorCode.NOT_ALLOWED, "nobody judges as somebody else, or themselves")
        placement = own_placement(self.database, session, found.placement_id)
        rule = next((rule for rule in _rules(placement) if rule.key == found.evidence_key), None)
        items = rule.checklist if rule else ()
        ticked = tuple(item for item in items if item in judgement.ticked)
        comment = clean_text(judgement.comment)
        if troubles := _judgement_troubles(judgement, comment, items, ticked):
            raise RequestInvalid(ErrorCode.FORM_INVALID, troubles=troubles)
        state = submissions.ACCEPTED if judgement.is_accepted else submissions.RETURNED
        organisation_id, context_id = session.organisation_id, found.context_id
        asked = _asked_of(organisation_id, found)
        with self.database.write() as writing:
            # What was given back may just now be handed in again.
            placements.lock(writing, organisation_id, found.placement_id)
            is_kept = submissions.judge(
                writing,
                organisation_id,
                submission_id,
                state,
                judged_by_id=session.learner_id,
                comment=comment,
                checklist=ticked,
                now=self.clock(),
                before=submissions.RETURNED
                if judgement.was_returned and judgement.is_accepted
                else submissions.SUBMITTED,
            )
            if not is_kept:
                raise Conflict(ErrorCode.EVIDENCE_JUDGED, submission_id)
            self._record(writing, session, f"submission.{state}", asked, submission_id)
        self.deciding.decide(organisation_id, context_id, [found.learner_id], "evidence")
        with self.database.read() as reading:
            return submissions.next_waiting(reading, organisation_id, context_id, found.placement_id)

    # -- files

    def file(self, session: SessionView, file_id: str) -> StoredFile:
        """A file, for its learner and for those who may see the progress of its course.

        :raises NotFound: ``evidence_not_found`` for everybody else.
        """
        with self.database.read() as reading:
            found = submissions.file(reading, session.organisation_id, file_id, session.context_id or "")
        if found is None or not (session.can_view_progress or found.learner_id == session.learner_id):
            raise NotFound(ErrorCode.EVIDENCE_NOT_FOUND)
        return found

    # -- parts

    def _rule(
        self, session: SessionView, placement_id: str, key: str
    ) -> tuple[placements.PlacementView, EvidenceAccepted]:
        placement = own_placement(self.database, session, placement_id)
        for rule in _rules(placement):
            if rule.key == key:
                return placement, rule
        raise NotFound(ErrorCode.EVIDENCE_NOT_FOUND, placement_id)

    def _own_submission(self, session: SessionView, submission_id: str) -> SubmissionRow:
        organisation_id, context_id = viewed_course(session)
        with self.database.read() as reading:
            found = submissions.submission(reading, organisation_id, submission_id)
        if found is None or found.context_id != context_id:
            raise NotFound(ErrorCode.EVIDENCE_NOT_FOUND)
        return found

    def _checked(
        self, rule: EvidenceAccepted, text: str, url: str, files: Sequence[GivenFile], kept: int
    ) -> tuple[tuple[CheckedFile, ...], tuple[Trouble, ...]]:
        """The files that may be stored, and everything that is wrong."""
        troubles: list[Trouble] = []
        given: tuple[tuple[str, EvidenceKind, object], ...] = (
            ("text", EvidenceKind.TEXT, text),
            ("url", EvidenceKind.LINK, url),
            ("files", EvidenceKind.FILE, files),
        )
        troubles += [
            Trouble(name, EvidenceProblem.NOT_ACCEPTED)
            for name, kind, value in given
            if value and kind not in rule.accepts
        ]
        if not (text or url or files or kept):
            first = next(name for name, kind, _ in given if kind in rule.accepts)
            troubles.append(Trouble(first, EvidenceProblem.NOTHING))
        if len(text) > TEXT_LENGTH:
            troubles.append(Trouble("text", EvidenceProblem.TOO_LONG))
        if url and host_of_link(url) is None:
            troubles.append(Trouble("url", EvidenceProblem.NOT_A_LINK))
        if len(files) + kept > MOST_FILES:
            return (), (*troubles, Trouble("files", EvidenceProblem.TOO_MANY_FILES))
        checked = []
        for one in files:
            try:
                checked.append(check_file(one.name, one.content, self.max_file_bytes))
            except FileRefused as refused:
                troubles.append(Trouble("files", refused.problem, one.name))
        return tuple(checked), tuple(troubles)

    def _record(
        self, writing: Session, session: SessionView, action: str, asked: Asked, submission_id: str
    ) -> None:
        audit.record(
            writing,
            session.organisation_id,
            at=self.clock(),
            actor=f"{audit.LEARNER}{session.learner_id}",
            action=action,
            subject_kind="learner",
            subject_id=asked.learner_id,
            # What was written stays with the submission, where it can be erased.
            detail={
                "submission_id": submission_id,
                "placement_id": asked.placement_id,
                "evidence_key": asked.evidence_key,
            },
        )


def clean_text(text: str) -> str:
    """A text as it is kept: lines end with one character, and nothing in it is invisible and acts.

    What word processors put between lines becomes a new line; control characters, and those that turn text
    around, are left out.
    """
    for separator in ("\r\n", "\r", "\x0b", "\x0c", "\x85", "\u2028", "\u2029"):
        text = text.replace(separator, "\n")
    kept = (
        character
        for character in text
        if character in "\n\t"
        or (unicodedata.category(character) not in ("Cc", "Cs") and character not in BIDI_CONTROLS)
    )
    return "".join(kept).strip()


def host_of_link(url: str) -> str | None:
    """The host to which a link leads, in ASCII, as browsers write it; None for what is no such link.

    Only http and https, without a name and password (``https://bank.example@evil.example``), and without
    characters that browsers leave out or read as others.
    """
    if len(url) > URL_LENGTH or "\\" in url:
        return None
    if any(
        character.isspace() or unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")
        for character in url
    ):
        return None
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").encode("idna").decode()
        _ = parts.port
    except ValueError:  # UnicodeError is one
        return None
    if parts.scheme.lower() not in ("http", "https") or not host or "@" in parts.netloc:
        return None
    return host


def _rules(placement: placements.PlacementView) -> tuple[EvidenceAccepted, ...]:
    found = leaves(parse_criteria(placement.criteria))
    return tuple(leaf for leaf in found if isinstance(leaf, EvidenceAccepted))


def _shows_links(reading: Session, placement: placements.PlacementView) -> bool:
    """Whether the badge of this placement shows the addresses of accepted work."""
    version_id = placement.achievement_version_id
    said = micromodules.details_of(reading.connection(), [version_id]) if version_id else {}
    return any(one.shows_evidence for one in said.values())


def _asked(session: SessionView, placement: placements.PlacementView, key: str) -> Asked:
    return Asked(placement.organisation_id, placement.context_id, placement.id, key, session.learner_id)


def _asked_of(organisation_id: str, found: SubmissionRow) -> Asked:
    return Asked(organisation_id, found.context_id, found.placement_id, found.evidence_key, found.learner_id)


def _may_hand_in(session: SessionView) -> bool:
    return session.is_learner and not session.is_read_only and not session.can_view_progress


def _require_open(history: Sequence[SubmissionRow]) -> None:
    """Nothing, if something may be handed in now.

    :raises Conflict: otherwise.
    """
    if any(one.state == submissions.ACCEPTED for one in history):
        raise Conflict(ErrorCode.EVIDENCE_ACCEPTED)
    if any(one.state == submissions.SUBMITTED for one in history):
        raise Conflict(ErrorCode.EVIDENCE_WAITING)


def _judgement_troubles(
    judgement: Judgement, comment: str, items: Sequence[str], ticked: Sequence[str]
) -> tuple[Trouble, ...]:
    troubles = []
    if len(comment) > COMMENT_LENGTH:
        troubles.append(Trouble("comment", EvidenceProblem.TOO_LONG))
    if judgement.is_accepted and len(ticked) < len(items):
        open_items = tuple(item for item in items if item not in ticked)
        troubles.append(Trouble("item-0", EvidenceProblem.ITEMS_OPEN, items=open_items))
    if not judgement.is_accepted and not comment:
        troubles.append(Trouble("comment", EvidenceProblem.COMMENT_MISSING))
    return tuple(troubles)
