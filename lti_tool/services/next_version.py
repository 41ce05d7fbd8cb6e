"""The words of a next version: who prepares it, its form, the answer about holders, what is compared.

:mod:`lti_tool.services.versions` is where it happens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Final

from lti_tool.domain.awarding import Decision
from lti_tool.domain.criteria import Criterion, State
from lti_tool.domain.differences import Differences
from lti_tool.domain.staff import Permission
from lti_tool.services.configuring import Choices
from lti_tool.services.criteria_format import parse_criteria
from lti_tool.services.criteria_rows import parse_moment
from lti_tool.services.form_problems import FormProblem, Problem, text_problems
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.rights import configured_course
from lti_tool.services.staffing import Acting
from lti_tool.services.version_drafts import Saved
from lti_tool.store import audit
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.versions import HolderCounts, HolderRow

WHATS_NEW_LENGTH: Final = 2000
LAST_END: Final = timedelta(days=365 * 20)
"""Later ends are typing errors."""

Narrate = Callable[[Criterion, str], str]
"""Criteria in words, in a language (BCP 47)."""


class Policy(StrEnum):
    """What happens to the badges of the versions before."""

    KEEP = "keep"
    DATE = "date"
    NOW = "now"


class Fate(StrEnum):
    """What happens to one badge."""

    STAYS = "stays"
    ENDS = "ends"
    ENDS_EARLIER = "ends_earlier"
    """It ends before that anyway."""


class Prospect(StrEnum):
    """How a holder stands towards the new version, from what is stored."""

    MEETS = "meets"
    NOT_YET = "not_yet"
    UNKNOWN = "unknown"
    NOT_HERE = "not_here"
    """No learner of a course in which the micromodule stands: they do not get it from what is known."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who prepares a version, and where."""

    organisation_id: str
    actor: str
    context_id: str | None
    """The one course of an instructor; null for staff."""
    product: str | None = None
    """Of the course's platform."""

    @classmethod
    def teaching(cls, session: SessionView) -> Author:
        """An instructor in the course of their session.

        :raises NotAllowed: unless the person may configure the course's badges.
        """
        organisation_id, context_id = configured_course(session)
        return cls(organisation_id, f"{audit.LEARNER}{session.learner_id}", context_id, session.product)

    @classmethod
    def on_staff(cls, staff: Acting) -> Author:
        """Somebody of the organisation's staff.

        :raises NotAllowed: without the right to edit micromodules.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        return cls(staff.organisation_id, staff.actor, None)


@dataclass(frozen=True, slots=True)
class VersionForm:
    """The describe form of a next version."""

    micromodule_id: str
    name: str
    """As published."""
    number: int
    """Of the version that is prepared."""
    form: MicromoduleForm
    revision: str
    """Of what is published: of a next version after it, and of any correction, it is another."""
    micromodule_choices: Choices
    achievement_choices: Choices
    supports_mirror: bool
    supports_gates: bool
    is_known: bool
    has_badge: bool
    is_unsaved: bool = False
    """The form is what somebody typed before."""
    is_outdated: bool = False
    """What was typed began from what is published no more: a version followed, or something was corrected."""
    beside: Differences | None = None
    """Where what was typed is outdated: what it says otherwise than what is published now."""
    achievement_version_id: str | None = None
    """Of what is published."""
    language: str = ""
    """Of the badge (BCP 47), and of its next version; empty where it issues none."""
    draft: str = ""
    """The token of what is prepared: nobody writes over what they have not seen. Empty where nothing is."""
    saved: Saved | None = None
    """Who saved it last."""
    issuer_choices: Choices = ()
    """None: whoever signed badges of the versions before signs those of the next."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the author says beside the form, as typed."""

    whats_new: str = ""
    policy: str = Policy.KEEP.value
    expires_on: str = ""

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> Answer:
        """Read the HTML field names of the page."""
        return cls(
            fields.get("whats_new", "").replace("\r\n", "\n").strip(),
            fields.get("policy", Policy.KEEP.value),
            fields.get("expires_on", "").strip(),
        )

    def to_fields(self) -> dict[str, str]:
        """The same as HTML fields."""
        return {"whats_new": self.whats_new, "policy": self.policy, "expires_on": self.expires_on}

    def pressed(self, seen: str) -> str:
        """A mark of everything that is sent to publish: another answer is another press.

        :param seen: the mark of what the person looked at.
        """
        text = json.dumps([seen, self.to_fields()], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:32]

    def problems(self, now: datetime, *, has_badge: bool) -> tuple[Problem, ...]:
        """What keeps it from being published."""
        if not has_badge:
            return ()
        found = list(text_problems("whats_new", self.whats_new, WHATS_NEW_LENGTH))
        if self.policy not in tuple(Policy):
            found.append(Problem("policy", FormProblem.UNKNOWN_CHOICE))
        if self.policy == Policy.DATE:
            at = parse_moment(self.expires_on, is_end=True)
            if not self.expires_on:
                found.append(Problem("expires_on", FormProblem.REQUIRED))
            elif at is None:
                found.append(Problem("expires_on", FormProblem.NOT_A_DATE))
            elif not now < at < now + LAST_END:
                found.append(Problem("expires_on", FormProblem.NOT_IN_FUTURE))
        return tuple(found)

    def ends_at(self, now: datetime) -> datetime | None:
        """When the badges of the versions before end; ``None`` where they stay, or no date was said."""
        if self.policy == Policy.NOW:
            return now
        return parse_moment(self.expires_on, is_end=True) if self.policy == Policy.DATE else None


@dataclass(frozen=True, slots=True)
class Comparison:
    """What is published beside what would be."""

    micromodule_id: str
    before: DescribedVersion
    after: NewMicromodule
    number: int
    differences: Differences
    answer: Answer
    """Empty where nobody has answered yet."""
    has_badge: bool
    courses: int
    """In which it is published."""
    holders: HolderCounts
    """Of the versions before."""
    ends_at: datetime | None
    mark: str
    """Of what is compared: nobody publishes what they did not see."""
    draft: str = ""
    """As of a :class:`VersionForm`; the answer belongs to it."""
    saved: Saved | None = None

    @property
    def before_criterion(self) -> Criterion:
        """What is asked now."""
        return parse_criteria(self.before.criteria)

    @property
    def after_criterion(self) -> Criterion:
        """What would be asked."""
        return parse_criteria(self.after.criteria)


@dataclass(frozen=True, slots=True)
class Holder:
    """One line of the dry run."""

    row: HolderRow
    fate: Fate
    ends_at: datetime | None
    prospect: Prospect


@dataclass(frozen=True, slots=True)
class HoldersPage:
    """Who holds a version before, and what becomes of it."""

    holders: tuple[Holder, ...]
    page: int
    pages: int
    shown: int
    """How many are listed on all pages."""
    others: int
    """Of other courses, whom an instructor is not shown."""
    counts: HolderCounts
    answer: Answer
    ends_at: datetime | None


def fate(row: HolderRow, ends_at: datetime | None, answer: Answer) -> tuple[Fate, datetime | None]:
    """What an answer does to one badge, and when it ends then."""
    if answer.policy == Policy.KEEP or ends_at is None:
        return Fate.STAYS, row.ends_at
    own = row.ends_at.astimezone(UTC) if row.ends_at is not None else None
    return (Fate.ENDS, ends_at) if own is None or own > ends_at else (Fate.ENDS_EARLIER, own)


def prospect(decision: Decision) -> Prospect:
    """What a decision by the new rules would mean for a holder."""
    if decision.exclusion is not None:
        return Prospect.NOT_HERE
    return _PROSPECTS[decision.state]


_PROSPECTS = {State.MET: Prospect.MEETS, State.NOT_MET: Prospect.NOT_YET, State.UNKNOWN: Prospect.UNKNOWN}
