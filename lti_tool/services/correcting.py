"""Corrections: what a badge says is put right where its meaning stays, also in the badges that people hold.

A misspelt name, a clumsy sentence, a picture that cannot be made out: nobody should need a new version for
these, and no holder should keep the mistake. The version's row changes in place, the audit log keeps what
stood there, and every badge of it is signed anew under its id
(:meth:`~lti_tool.services.reissuing.Reissuing.work`). What people relied on when they earned the badge
(criteria, credits, validity, kind, skills of frameworks) is not corrected: that is the next version's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services import Hints
from lti_tool.services.describing import drawn, own_description, picture_problems, summary_of
from lti_tool.services.form_problems import FormProblem, Problem, check_form, text_problems
from lti_tool.services.micromodule_form import ALT_LENGTH, MicromoduleForm
from lti_tool.services.reissuing import REASON_LENGTH
from lti_tool.services.staffing import Acting
from lti_tool.store import audit, corrections, micromodules, pictures, reissues, versions
from lti_tool.store.corrections import Carried, Words
from lti_tool.store.database import Database
from lti_tool.store.micromodules import AchievementVersionView
from lti_tool.store.runs import RunView

NARRATIVE: Final = "criteria_narrative"
NARRATIVE_LENGTH: Final = 10_000
PICTURE_FIELDS: Final = ("shape", "icon", "background", "foreground", "text", "picture_id")
FIELDS: Final = ("name", "description", NARRATIVE, "skills", "image_alt", *PICTURE_FIELDS)
"""HTML names of everything that a correction may touch."""
WHOLE: Final = "correction"
"""Names the form as a whole in a problem."""
CORRECTED, SUBJECT = "achievement.corrected", "achievement_version"
"""What the audit log calls it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One text as it is, and as it is to be."""

    field: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class CorrectionView:
    """A version with all that a person sees before correcting it."""

    version: AchievementVersionView
    fields: Mapping[str, str]
    """The form, by :data:`FIELDS`: as recorded, or as typed."""
    carried: Carried
    mark: str
    """Of what is recorded: a correction of something else is not made."""
    is_newest: bool
    run: RunView | None
    """The latest correction's, with how far its badges are."""
    micromodule_id: str | None = None
    differences: tuple[Difference, ...] = ()
    is_picture_new: bool = False


@dataclass(frozen=True, slots=True)
class _Change:
    """What is to stand there, and the picture where it is drawn anew."""

    former: Words
    new: Words
    picture: tuple[str, bytes] | None

    @property
    def differences(self) -> tuple[Difference, ...]:
        pairs = (
            ("name", self.former.name, self.new.name),
            ("description", self.former.description, self.new.description),
            (NARRATIVE, self.former.criteria_narrative, self.new.criteria_narrative),
            ("skills", "\n".join(self.former.skills), "\n".join(self.new.skills)),
            ("image_alt", self.former.image_alt, self.new.image_alt),
        )
        return tuple(Difference(*pair) for pair in pairs if pair[1] != pair[2])

    @property
    def is_picture_new(self) -> bool:
        return _look(self.former) != _look(self.new)


@dataclass(frozen=True)
class Correcting:
    """Corrects achievement versions, for whoever may edit the organisation's micromodules."""

    database: Database
    clock: Callable[[], datetime]
    hints: Hints

    def open(self, staff: Acting, version_id: str) -> CorrectionView:
        """A version as it is recorded.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND, also for another organisation's.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            return _view(session, staff.organisation_id, version_id)

    def preview(self, staff: Acting, version_id: str, typed: Mapping[str, str]) -> CorrectionView:
        """The same with what would change; nothing is changed.

        :param typed: by :data:`FIELDS`.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems``: ``changes_meaning`` for what no correction may
            touch, ``nothing_changed`` of :data:`WHOLE`.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.read() as session:
            view = _view(session, staff.organisation_id, version_id)
            change = _change(session, staff.organisation_id, version_id, typed)
        return replace(
            view,
            fields=_typed_fields(typed),
            differences=change.differences,
            is_picture_new=change.is_picture_new,
        )

    def correct(
        self, staff: Acting, version_id: str, typed: Mapping[str, str], *, reason: str, mark: str
    ) -> str:
        """Let a version say what was typed, and begin to sign its badges anew; the id of the run.

        The same sent twice by one person is done once, and gives the same run.

        :param reason: for the audit log, 1 to 500 characters.
        :param mark: of what the person had before them, as :meth:`open` told it.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: as :meth:`preview`, and for the ``reason``.
        :raises Conflict: CONFLICT where somebody else corrected it meanwhile.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        organisation_id, reason = staff.organisation_id, reason.strip()
        check_form(text_problems("reason", reason, REASON_LENGTH))
        sent = _digest([mark, dict(typed), reason])
        with self.database.read() as session:
            own = _own(session, organisation_id, version_id)
            if _mark(own) != mark:
                return _repeated(session, staff, version_id, own, sent)
            # Drawing takes longer than anybody may hold the lock.
            change = _change(session, organisation_id, version_id, typed)
        now = self.clock()
        with self.database.write() as session:
            micromodule_id = corrections.micromodule_of(session, version_id)
            if micromodule_id is not None:
                # In everybody's order: whoever publishes its next version locks these before the badge's.
                versions.lock(session, organisation_id, micromodule_id)
            former = corrections.words(session, organisation_id, version_id, for_change=True)
            if former is None:
                raise _changed(version_id)
            if _mark(former) != mark:
                return _repeated(session, staff, version_id, former, sent)
            corrections.rewrite(
                session,
                organisation_id,
                version_id,
                former,
                change.new,
                own_descriptions=(_own_description(former), _own_description(change.new)),
                picture=change.picture,
            )
            task = {
                "version_id": version_id,
                "moved_at": now.isoformat(),
                "is_picture_new": change.is_picture_new,
                "reason": reason,
                "actor": staff.actor,
            }
            run_id = reissues.open_run(session, organisation_id, task, now)
            audit.record(
                session,
                organisation_id,
                at=now,
                actor=staff.actor,
                action=CORRECTED,
                subject_kind=SUBJECT,
                subject_id=version_id,
                detail={
                    "reason": reason,
                    "run": run_id,
                    "sent": sent,
                    "became": _mark(change.new),
                    "from": {one.field: one.before for one in change.differences}
                    | ({"artwork": dict(former.artwork)} if change.is_picture_new else {}),
                    "to": {one.field: one.after for one in change.differences}
                    | ({"artwork": dict(change.new.artwork)} if change.is_picture_new else {}),
                },
            )
        self.hints.offer("reissue", run_id=run_id)
        return run_id

    def draw(self, staff: Acting, fields: Mapping[str, str]) -> str | None:
        """The picture that these fields ask for, as SVG; ``None`` where it cannot be drawn.

        :raises NotAllowed: without the right.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        form = MicromoduleForm.from_fields({**fields, "image_alt": "…", "name": "…"})
        with self.database.read() as session:
            uploaded = pictures.picture(session, staff.organisation_id, form.picture_id)
        if picture_problems(form, uploaded):
            return None
        return drawn(form, uploaded)[0]


def fields_of(words: Words) -> dict[str, str]:
    """What would be typed to get these words; what stands for an empty field is left out again."""
    artwork = {name: str(words.artwork.get(name, "")) for name in PICTURE_FIELDS}
    is_named = words.image_alt == words.name[:ALT_LENGTH] and not artwork["picture_id"]
    return {
        "name": words.name,
        "description": _own_description(words),
        NARRATIVE: words.criteria_narrative,
        "skills": "\n".join(words.skills),
        "image_alt": "" if is_named else words.image_alt,
        **artwork,
    }


def _view(session: Session, organisation_id: str, version_id: str) -> CorrectionView:
    words = _own(session, organisation_id, version_id)
    version = micromodules.achievement_versions(session, [version_id])[version_id]
    newest = micromodules.public_achievement(session, version.achievement_id)
    return CorrectionView(
        version,
        fields_of(words),
        corrections.carried(session, organisation_id, version_id),
        _mark(words),
        newest is None or newest.id == version_id,
        corrections.newest_run(session, organisation_id, version_id),
        corrections.micromodule_of(session, version_id),
    )


def _own(session: Session, organisation_id: str, version_id: str) -> Words:
    words = corrections.words(session, organisation_id, version_id)
    if words is None:
        raise NotFound(ErrorCode.NOT_FOUND, f"no achievement version {version_id}")
    return words


def _changed(version_id: str) -> Conflict:
    return Conflict(ErrorCode.CONFLICT, f"achievement version {version_id} was corrected meanwhile")


def _repeated(session: Session, staff: Acting, version_id: str, words: Words, sent: str) -> str:
    """The run of the very correction that is asked for once more: the button was pressed twice.

    :param words: as they are now. :param sent: a mark of all that the person sent.
    :raises Conflict: CONFLICT where somebody, or something else, corrected it last.
    """
    last = audit.newest(session, staff.organisation_id, SUBJECT, version_id, (CORRECTED,))
    if last is None or (last.actor, last.detail.get("sent")) != (staff.actor, sent):
        raise _changed(version_id)
    if last.detail["became"] != _mark(words):
        raise _changed(version_id)
    return str(last.detail["run"])


def _mark(words: Words) -> str:
    said = (words.name, words.description, words.criteria_narrative, words.skills, words.image_alt)
    return _digest([*said, dict(words.artwork)])


def _digest(said: object) -> str:
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def _own_description(words: Words) -> str:
    return own_description(words.description, words.criteria_narrative)


def _look(words: Words) -> dict[str, str]:
    return {name: str(words.artwork.get(name, "")) for name in PICTURE_FIELDS}


def _typed_fields(typed: Mapping[str, str]) -> dict[str, str]:
    form = MicromoduleForm.from_fields(typed).to_fields()
    return {name: _narrative(typed) if name == NARRATIVE else form[name] for name in FIELDS}


def _narrative(typed: Mapping[str, str]) -> str:
    return typed.get(NARRATIVE, "").replace("\r\n", "\n").strip("\n").rstrip()


def _change(session: Session, organisation_id: str, version_id: str, typed: Mapping[str, str]) -> _Change:
    """What the fields ask for.

    :raises RequestInvalid: FORM_INVALID.
    """
    former = _own(session, organisation_id, version_id)
    form, narrative = MicromoduleForm.from_fields(typed), _narrative(typed)
    if narrative == former.criteria_narrative.strip("\n").rstrip():
        narrative = former.criteria_narrative
    if not form.picture_id:
        form = replace(form, image_alt=form.image_alt or form.name[:ALT_LENGTH])
    new = Words(
        form.name,
        form.description or summary_of(narrative),
        narrative,
        form.skill_list,
        form.image_alt,
        former.artwork,
    )
    is_picture_new = any(
        value != str(former.artwork.get(name, "")) for name, value in form.artwork().items() if name != "alt"
    )
    # A picture holds its words, for those who cannot see it.
    is_drawn = is_picture_new or (new.image_alt != former.image_alt and bool(_any_look(former)))
    uploaded = pictures.picture(session, organisation_id, form.picture_id) if form.picture_id else None
    check_form(
        (
            *form.word_problems(),
            *text_problems(NARRATIVE, narrative, NARRATIVE_LENGTH),
            *_meaning_problems(typed, former, new),
            *(picture_problems(form, uploaded) if is_drawn else ()),
        )
    )
    if is_drawn:
        new = replace(new, artwork=form.artwork())
    change = _Change(former, new, drawn(form, uploaded) if is_drawn else None)
    if not change.differences and not change.is_picture_new:
        check_form([Problem(WHOLE, FormProblem.NOTHING_CHANGED)])
    return change


def _any_look(words: Words) -> str:
    return "".join(_look(words).values())


def _meaning_problems(typed: Mapping[str, str], former: Words, new: Words) -> Iterator[Problem]:
    """What would change what the badge stands for. Spelling a skill otherwise does not; one more would."""
    for name in typed:
        if name not in FIELDS:
            yield Problem(name, FormProblem.CHANGES_MEANING)
    if len(new.skills) != len(former.skills):
        yield Problem("skills", FormProblem.CHANGES_MEANING)
