"""Reading who is in a course: everybody once a day, and in between what changed, where a platform tells that.

What was read whole may say that somebody is gone. A list of changes may say so only of those whom it names
as gone; whom it does not name, it says nothing about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.domain.copies import RESET_LEAST, looks_reset
from lti_tool.errors import ErrorCode
from lti_tool.lti import groups, memberships
from lti_tool.lti.connector import PlatformConnector, is_silent
from lti_tool.lti.memberships import Member, RosterPages
from lti_tool.services.columns import service_access
from lti_tool.store import groups as store
from lti_tool.store import rosters
from lti_tool.store.database import Database
from lti_tool.store.rosters import ContextPlan, RosterEntry

WHOLE_EVERY: Final = timedelta(days=1)
"""Changes are believed for so long: one that a platform forgot to list is noticed by then."""

Advance = Callable[[Session, int], None]


@dataclass(frozen=True, slots=True)
class RosterRead:
    """How one reading went."""

    counts: Mapping[str, int] = field(default_factory=dict)
    was_read: bool = False
    trouble: ErrorCode | None = None
    retry_after: float | None = None
    is_silent: bool = False
    is_reset: bool = False
    """So many are gone at once that the course seems to begin anew."""


def read_roster(
    database: Database,
    connector: PlatformConnector,
    clock: Callable[[], datetime],
    plan: ContextPlan,
    advance: Advance,
) -> RosterRead:
    """Read the roster of a context and store it; no transaction is open while the platform answers.

    Changes that cannot be had, or not wholly, are made good by reading everybody at once, unless the
    platform does not answer at all.

    :param advance: told, inside the transaction that stores them, how many were read so far.
    """
    reading = _Reading(database, connector, clock, plan, advance)
    if reading.asks_for_changes:
        changes = reading.changes()
        if changes.trouble is None or changes.is_silent:
            return changes
    return reading.whole()


class _Reading:
    def __init__(
        self,
        database: Database,
        connector: PlatformConnector,
        clock: Callable[[], datetime],
        plan: ContextPlan,
        advance: Advance,
    ) -> None:
        self.database = database
        self.connector = connector
        self.clock = clock
        self.plan = plan
        self.advance = advance
        self.started_at = clock()
        self.access = service_access(plan)

    @property
    def asks_for_changes(self) -> bool:
        """The platform offered them, the last reading was good, and everybody was read within a day."""
        plan = self.plan
        return (
            plan.roster_differences_url is not None
            and plan.roster_trouble is None
            and plan.roster_whole_at is not None
            and abs(self.started_at - plan.roster_whole_at) < WHOLE_EVERY
        )

    def changes(self) -> RosterRead:
        """What changed since: who is listed as active is stored, who is listed as gone is marked."""
        plan = self.plan
        url = plan.roster_differences_url
        assert url is not None
        read = memberships.differences_pages(self.connector, self.access, url)
        gone: set[str] = set()
        listed = added = changed = 0
        for batch in rosters.batches(read, self.clock, self.database.dialect):
            # In the order of the list: who went and came back is there.
            for member in batch:
                if member.is_active:
                    gone.discard(member.user.sub)
                elif member.is_gone:
                    gone.add(member.user.sub)
            entries = [_entry(member) for member in batch if member.is_active]
            listed += len(batch)
            with self.database.write() as session:
                stored = rosters.store_members(session, plan, entries, self.clock())
                self.advance(session, listed)
            added += stored.added
            changed += stored.changed
        left = 0
        with self.database.write() as session:
            if read.is_complete:
                left = rosters.deactivate_listed(session, plan, gone, self.started_at)
            if read.is_complete or is_silent(read.failure):
                rosters.record_roster(
                    session,
                    plan,
                    read_at=self.started_at if read.is_complete else None,
                    is_complete=read.is_complete,
                    trouble=None if read.trouble is None else read.trouble.value,
                    # Without a new link the old one goes on telling what changed since it was given.
                    differences_url=read.differences_url or url,
                    is_whole=False,
                )
        counts = {"members": listed, "added": added, "changed": changed, "left": left}
        return _outcome(read, counts, was_read=read.is_complete)

    def whole(self) -> RosterRead:
        """Everybody; who is not listed in a list that was read whole is gone."""
        plan = self.plan
        assert plan.memberships_url is not None
        read = memberships.roster_pages(
            self.connector, self.access, plan.memberships_url, with_groups=plan.groups_url is not None
        )
        present: dict[str, bool] = {}
        members: dict[str, set[str]] = {}
        added = changed = 0
        for batch in rosters.batches(read, self.clock, self.database.dialect):
            entries = [_entry(member) for member in batch]
            present.update((entry.sub, entry.is_active) for entry in entries)
            for member in batch:
                for group_id in member.group_ids:
                    members.setdefault(group_id, set()).add(member.user.sub)
            with self.database.write() as session:
                stored = rosters.store_members(session, plan, entries, self.clock())
                self.advance(session, len(present))
            added += stored.added
            changed += stored.changed
        trouble = read.trouble
        is_complete = read.is_complete
        if is_complete and not present:
            # Whoever asks is in the course, or was launched from it: nobody at all is an answer gone wrong.
            trouble, is_complete = ErrorCode.PLATFORM_ANSWER_INVALID, False
        left, is_reset = 0, False
        was_read = bool(present)
        with self.database.write() as session:
            if is_complete:
                left = rosters.deactivate_missing(session, plan, present, self.started_at)
                if left >= RESET_LEAST:
                    stayed = rosters.count_active_learners(session, plan) - added
                    is_reset = looks_reset(left, max(0, stayed))
            rosters.record_roster(
                session,
                plan,
                read_at=self.started_at if was_read else None,
                is_complete=is_complete,
                trouble=None if trouble is None else trouble.value,
                differences_url=read.differences_url if is_complete else None,
            )
        if is_complete and plan.groups_url is not None:
            self._groups(plan.groups_url, members)
        counts = {"members": len(present), "added": added, "changed": changed, "left": left}
        return _outcome(read, counts, was_read=was_read, trouble=trouble, is_reset=is_reset)

    def _groups(self, groups_url: str, members: Mapping[str, set[str]]) -> None:
        """What the groups are called; if that cannot be had, what was read before stands. Nothing is decided
        by groups: the health of the connection says that they fail, and a course is read all the same."""
        read = groups.group_pages(self.connector, self.access, groups_url)
        names = {group.id_on_platform: group.name for page in read for group in page}
        if not read.is_complete:
            return
        with self.database.write() as session:
            store.replace(session, self.plan, names, members, self.clock())


def _outcome(
    read: RosterPages,
    counts: Mapping[str, int],
    *,
    was_read: bool,
    trouble: ErrorCode | None = None,
    is_reset: bool = False,
) -> RosterRead:
    failure = read.failure
    return RosterRead(
        counts,
        was_read,
        trouble or read.trouble,
        failure.retry_after if failure else None,
        is_silent(failure),
        is_reset,
    )


def _entry(member: Member) -> RosterEntry:
    return RosterEntry(
        sub=member.user.sub,
        name=member.user.name or _joined(member.user.given_name, member.user.family_name),
        email=member.user.email,
        is_learner=member.rights.is_learner,
        is_staff=member.rights.is_staff,
        is_test_user=member.rights.is_test_user,
        is_active=member.is_active,
    )


def _joined(*names: str | None) -> str | None:
    return " ".join(name for name in names if name) or None
