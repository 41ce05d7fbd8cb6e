"""Several people describe one milestone before it begins: nobody writes over what they have not seen."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.criteria import Criterion
from lti_tool.domain.differences import Differences
from lti_tool.errors import Conflict, ErrorCode
from lti_tool.services.comparing import carried_on, revision_of
from lti_tool.services.milestone_form import Described, MilestoneForm, asked_now, describe, mark_of
from lti_tool.services.milestone_versions import differences_of
from lti_tool.services.next_version import Narrate
from lti_tool.services.staffing import Acting
from lti_tool.services.version_drafts import UNSEEN, Saved
from lti_tool.store import audit
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.milestones import PUBLISHED, MilestoneView

CHANGES: Final = (
    *(f"milestone.{what}" for what in ("created", "changed", "activated", "retired")),
    PUBLISHED,
)
CORRECTED: Final = ("achievement.corrected",)
"""What the audit log calls the changes of a milestone, and of its badge."""
DISCARDED: Final = "milestone.discarded"
"""What it calls the end of a draft."""


@dataclass(frozen=True, slots=True)
class Beside:
    """What somebody typed, beside what somebody else saved meanwhile."""

    view: MilestoneView
    after: NewMicromodule
    differences: Differences
    saved: Saved | None


def described(
    session: Session,
    view: MilestoneView,
    form: MilestoneForm,
    narrate: Narrate,
    language: str,
    drawn_before: Described | None = None,
) -> Described:
    """A form as it would be stored in a draft: it goes on in its language, and as long as it asks for the
    same with the words for it that somebody corrected.

    :raises RequestInvalid: :raises Conflict: as :func:`describe`.
    """
    language = view.language or language
    told = carried_on(view, narrate, language)
    return describe(
        session, view.organisation_id, form, told, language, before=view, drawn_before=drawn_before
    )


def beside(
    session: Session,
    staff: Acting,
    view: MilestoneView,
    form: MilestoneForm,
    narrate: Narrate,
    language: str,
) -> Beside:
    """What a form says otherwise than the draft by now.

    :raises RequestInvalid: FORM_INVALID with ``problems``.
    """
    new = described(session, view, form, narrate, language).new
    return Beside(view, new, differences_of(view, new, narrate), saved(session, staff, view))


def seen(session: Session, view: MilestoneView) -> tuple[Criterion, str]:
    """What a milestone asks, a draft as of now, and the mark of all that its pages show."""
    criterion = asked_now(session, view.organisation_id, view)
    said = (view.version_id, view.kind, view.name, view.description, view.skills, view.artwork)
    rest = {"said": said, "category": view.category_id, "later": view.addition_policy}
    return criterion, mark_of(session, view.organisation_id, rest, criterion)


def refuse_unseen(view: MilestoneView, revision: str) -> None:
    """Let nobody write over, or throw away, what they have not seen.

    :param revision: of what they have; empty: they were shown none.
    :raises Conflict: CONFLICT, ``reason`` ``unseen``.
    """
    if revision not in ("", revision_of(view)):
        raise unseen(view.id)


def unseen(milestone_id: str) -> Conflict:
    """The error that says so."""
    return Conflict(ErrorCode.CONFLICT, f"milestone {milestone_id} is not what was seen", reason=UNSEEN)


def was_discarded(session: Session, staff: Acting, milestone_id: str) -> bool:
    """Whether there was such a draft, which somebody threw away."""
    return audit.newest(session, staff.organisation_id, "milestone", milestone_id, (DISCARDED,)) is not None


def saved(session: Session, staff: Acting, view: MilestoneView) -> Saved | None:
    """Who changed a milestone last, or corrected its badge."""
    about = (("milestone", view.id, CHANGES), ("achievement_version", view.achievement_version_id, CORRECTED))
    events = [audit.newest(session, staff.organisation_id, *subject) for subject in about]
    last = max((one for one in events if one is not None), key=lambda one: one.at, default=None)
    if last is None:
        return None
    names = audit.actor_names(session, staff.organisation_id, [last.actor])
    return Saved(names.get(last.actor), last.at, is_own=last.actor == staff.actor)
