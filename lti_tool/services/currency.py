"""Keeping badges up to date: when somebody looks whether one is still right, and who answers for it.

Nothing happens to a badge whose review is overdue; people are told, on every staff page, until somebody says
that it is still right or publishes its next version. Micromodules that issue no badge yet are looked after,
too: one that is switched on later rests on what they say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.domain.currency import LAST_DAY, MOST_MONTHS, date_from, day_of
from lti_tool.domain.staff import Permission
from lti_tool.errors import Conflict, ErrorCode, NotFound
from lti_tool.services.form_problems import FormProblem, Problem, check_form, optional_text_problems
from lti_tool.services.staffing import Acting
from lti_tool.store import audit
from lti_tool.store import currency as store
from lti_tool.store import staff as members_store
from lti_tool.store.currency import NOBODY, CareCounts, CareFilter, CareRow
from lti_tool.store.database import Database
from lti_tool.store.staff import MemberView
from lti_tool.store.tables import AchievementCare
from lti_tool.telemetry import ACHIEVEMENTS_STALE

PER_PAGE: Final = 50
AT_ONCE: Final = 500
"""Rows read with one statement for a file of any length."""
MOST_CHOSEN: Final = 200
"""Changed by one form; a page shows fewer."""
CONTACT_LENGTH: Final = 200
NOTE_LENGTH: Final = 500
CHOSEN: Final = "chosen"
"""Names the ticked ones in a problem."""
CHANGED, REVIEWED = "currency.changed", "currency.reviewed"
"""What the audit log calls it."""


@dataclass(frozen=True, slots=True)
class CarePage:
    """One page of the list."""

    rows: tuple[CareRow, ...]
    number: int
    """From 1."""
    pages: int
    total: int
    """What the whole filter finds."""
    counts: CareCounts
    """What it finds of each state."""
    wanted: CareFilter
    members: tuple[MemberView, ...]
    """Who may answer."""
    today: date


@dataclass(frozen=True, slots=True)
class CareDetail:
    """One of them by itself."""

    row: CareRow
    members: tuple[MemberView, ...]
    """Who may answer; whoever answers now is among them, disabled or not."""
    reviewer: str | None
    """The name of whoever looked last, where it is a person who is known."""
    today: date


@dataclass(frozen=True, slots=True)
class CareForm:
    """How one is to be looked after, as typed."""

    answerable_id: str = ""
    contact: str = ""
    review_every_months: str = ""
    review_on: str = ""

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> CareForm:
        """Read the HTML field names of the page."""
        return cls(
            fields.get("answerable_id", "").strip(),
            " ".join(fields.get("contact", "").split()),
            fields.get("review_every_months", "").strip(),
            fields.get("review_on", "").strip(),
        )

    @classmethod
    def of(cls, row: CareRow) -> CareForm:
        """As it is."""
        return cls(
            row.answerable_id or "",
            row.contact,
            "" if row.review_every_months is None else str(row.review_every_months),
            "" if row.review_on is None else row.review_on.isoformat(),
        )

    def to_fields(self) -> dict[str, str]:
        """The same as HTML fields."""
        return {
            "answerable_id": self.answerable_id,
            "contact": self.contact,
            "review_every_months": self.review_every_months,
            "review_on": self.review_on,
        }


@dataclass(frozen=True, slots=True)
class Chosen:
    """One of several that are changed together."""

    kind: str
    id: str
    revision: int | None = None
    """As it was seen; ``None``: whatever it is now."""

    @classmethod
    def read(cls, text: str) -> Chosen | None:
        """``kind:id:revision`` of a ticked box; ``None`` for anything else."""
        kind, _, rest = text.partition(":")
        id_, _, revision = rest.partition(":")
        if kind not in (store.MICROMODULE, store.MILESTONE) or not id_ or not _is_number(revision):
            return None
        return cls(kind, id_, int(revision))


@dataclass(frozen=True)
class Currency:
    """Lists what is overdue, and lets staff say when, who, and that something is still right."""

    database: Database
    clock: Callable[[], datetime]

    # -- looking

    def page(self, staff: Acting, wanted: CareFilter, *, page: int = 1, per_page: int = PER_PAGE) -> CarePage:
        """One page of what a filter finds, what waits longest first.

        :raises NotAllowed: without the right.
        """
        staff.require(Permission.VIEW)
        today = self._today()
        with self.database.read() as session:
            counts = store.counts(session, staff.organisation_id, wanted, today)
            total = counts.of(wanted.state)
            pages = max(1, -(-total // per_page))
            number = min(max(1, page), pages)
            rows = store.page(
                session,
                staff.organisation_id,
                wanted,
                today,
                offset=(number - 1) * per_page,
                limit=per_page,
            )
            members = _active(session, staff.organisation_id)
        return CarePage(rows, number, pages, total, counts, wanted, members, today)

    def rows(self, staff: Acting, wanted: CareFilter) -> Iterator[CareRow]:
        """All that a filter finds, in the same order, some read at a time; for a file.

        :raises NotAllowed: without the right.
        """
        staff.require(Permission.VIEW)
        return self._rows(staff.organisation_id, wanted)

    def _rows(self, organisation_id: str, wanted: CareFilter) -> Iterator[CareRow]:
        offset, today = 0, self._today()
        while True:
            with self.database.read() as session:
                some = store.page(session, organisation_id, wanted, today, offset=offset, limit=AT_ONCE)
            yield from some
            if len(some) < AT_ONCE:
                return
            offset += AT_ONCE

    def one(self, staff: Acting, kind: str, id_: str) -> CareDetail:
        """A micromodule or a milestone, also one that is retired.

        :raises NotAllowed: without the right.
        :raises NotFound: NOT_FOUND, also for another organisation's, and for a milestone's draft.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            row = _own(session, staff.organisation_id, kind, id_)
            every = members_store.members(session, staff.organisation_id)
            actors = [row.reviewed_by] if row.reviewed_by else []
            names = audit.actor_names(session, staff.organisation_id, actors)
        members = tuple(one for one in every if one.is_active or one.id == row.answerable_id)
        return CareDetail(row, members, names.get(row.reviewed_by or ""), self._today())

    def find(self, staff: Acting, ids: Sequence[str]) -> tuple[CareRow, ...]:
        """Those with these ids, in this order, whichever they are; for the command line.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND where one is missing.
        """
        staff.require(Permission.VIEW)
        with self.database.read() as session:
            found = {row.id: row for row in store.these(session, staff.organisation_id, ids)}
        for id_ in ids:
            if id_ not in found:
                raise _missing(id_)
        return tuple(found[id_] for id_ in dict.fromkeys(ids))

    def count_stale(self, organisation_id: str) -> int:
        """How many are overdue; quick, since every staff page asks."""
        with self.database.read() as session:
            return store.count_stale(session, self._today(), organisation_id)

    def measure(self) -> None:
        """Set the metric of overdue reviews, over all organisations."""
        with self.database.read() as session:
            ACHIEVEMENTS_STALE.set(store.count_stale(session, self._today()))

    # -- changing

    def change(self, staff: Acting, kind: str, id_: str, form: CareForm, *, revision: int) -> None:
        """Say who answers, and when it is looked at next; the same sent twice by one person is said once.

        Where an interval is given and no day, the day is counted from the last review or publication.

        :param revision: of the row that the person saw.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems``.
        :raises Conflict: CONFLICT where somebody changed it meanwhile.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        with self.database.write() as session:
            row, care = self._held(session, staff, kind, id_)
            last = self._repeated(session, staff, CHANGED, [Chosen(kind, id_, revision)], {id_: care}).get(
                id_
            )
            if last is None and revision != care.revision:
                raise _changed(kind, id_)
            check_form(self._problems(session, staff, form, row))
            months = _months(form)
            values = {
                "answerable_id": form.answerable_id or None,
                "contact": form.contact,
                "review_every_months": months,
                "review_on": date_from(row.looked_at, months, _day(form.review_on)),
            }
            if last is not None and _differs(care, values):
                raise _changed(kind, id_)
            self._write(session, staff, row, care, **values)

    def change_many(self, staff: Acting, chosen: Iterable[Chosen], form: CareForm) -> int:
        """The same for several; what is empty in the form stays as it is with each. How many changed.

        ``answerable_id`` :data:`~lti_tool.store.currency.NOBODY` takes away whoever of the staff answers. A
        new interval without a day counts each one's day from its own last review or publication. All or none;
        the same sent twice by one person is done once.

        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND where one is not there (any more).
        :raises RequestInvalid: FORM_INVALID with ``problems``; of :data:`CHOSEN` where none is ticked, too
            many are, or one was changed since it was seen.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        wanted = {one.id: one for one in chosen}
        with self.database.write() as session:
            check_form(_problems_of_choice(wanted, form))
            check_form(self._problems(session, staff, form, None))
            rows = {row.id: row for row in store.these(session, staff.organisation_id, wanted)}
            for id_, one in wanted.items():
                if id_ not in rows or rows[id_].kind != one.kind:
                    raise _missing(id_)
            held = store.hold(session, staff.organisation_id, [(one.kind, one.id) for one in wanted.values()])
            values = {id_: _asked_of_all(form, row) for id_, row in sorted(rows.items())}
            repeated = self._repeated(session, staff, CHANGED, wanted.values(), held)
            for id_, one in wanted.items():
                care = held[id_]
                if one.revision not in (None, care.revision) and (
                    _differs(care, values[id_]) or not repeated.get(id_)
                ):
                    check_form([Problem(CHOSEN, FormProblem.CHANGED_MEANWHILE)])
            return sum(
                self._write(session, staff, rows[id_], held[id_], **new) for id_, new in values.items()
            )

    def review(
        self, staff: Acting, kind: str, id_: str, *, note: str = "", next_on: str = "", revision: int | None
    ) -> None:
        """Say that it is still right; the same sent twice by one person is said once.

        It is looked at next after its interval from today, or on a day.

        :param next_on: ISO 8601, or empty. :param revision: of the row that the person saw.
        :raises NotAllowed: without the right. :raises NotFound: NOT_FOUND.
        :raises RequestInvalid: FORM_INVALID with ``problems``.
        :raises Conflict: CONFLICT where somebody changed or reviewed it meanwhile.
        """
        staff.require(Permission.EDIT_MICROMODULES)
        now, note, next_on = self.clock(), note.replace("\r\n", "\n").strip(), next_on.strip()
        check_form(
            (
                *optional_text_problems("note", note, NOTE_LENGTH),
                *_day_problems("next_on", next_on, day_of(now), None),
            )
        )
        with self.database.write() as session:
            _row, care = self._held(session, staff, kind, id_)
            said = {name: text for name, text in (("note", note), ("asked_on", next_on)) if text}
            if revision not in (None, care.revision):
                chosen = [Chosen(kind, id_, revision)]
                last = self._repeated(session, staff, REVIEWED, chosen, {id_: care}).get(id_)
                if last is None or said != {
                    name: last[name] for name in ("note", "asked_on") if name in last
                }:
                    raise _changed(kind, id_)
                return
            store.note_review(care, actor=staff.actor, now=now, note=note, next_on=_day(next_on))
            detail = {"next_on": _plain(care.review_on), **said, "revision": care.revision}
            self._record(session, staff, REVIEWED, kind, id_, detail)

    # -- parts

    def _today(self) -> date:
        return day_of(self.clock())

    def _held(self, session: Session, staff: Acting, kind: str, id_: str) -> tuple[CareRow, AchievementCare]:
        row = _own(session, staff.organisation_id, kind, id_)
        return row, store.hold(session, staff.organisation_id, [(kind, id_)])[id_]

    def _repeated(
        self,
        session: Session,
        staff: Acting,
        action: str,
        chosen: Iterable[Chosen],
        held: Mapping[str, AchievementCare],
    ) -> dict[str, Mapping[str, Any]]:
        """What the log says of the last change, by the id of those where this very person made it from the
        state that they saw, in this way: then the button may have been pressed twice.

        :param chosen: with the revision that the person saw. :param held: what is there now, by id.
        """
        subjects = [
            (one.kind, one.id)
            for one in chosen
            if one.revision is not None and held[one.id].revision == one.revision + 1
        ]
        if not subjects:
            return {}
        last = audit.newest_of_each(session, staff.organisation_id, subjects, (CHANGED, REVIEWED))
        return {
            id_: event.detail
            for (_kind, id_), event in last.items()
            # Publishing a version changes the row, too, and is another event.
            if (event.action, event.actor) == (action, staff.actor)
            and event.detail.get("revision") == held[id_].revision
        }

    def _problems(
        self, session: Session, staff: Acting, form: CareForm, row: CareRow | None
    ) -> Iterator[Problem]:
        """What is wrong with what was typed; what stands there already may stay."""
        kept_id = None if row is None else row.answerable_id
        if form.answerable_id not in ("", kept_id) and not (row is None and form.answerable_id == NOBODY):
            active = _active(session, staff.organisation_id)
            if form.answerable_id not in [member.id for member in active]:
                yield Problem("answerable_id", FormProblem.UNKNOWN_CHOICE)
        yield from optional_text_problems("contact", form.contact, CONTACT_LENGTH)
        if form.review_every_months:
            if not _is_number(form.review_every_months):
                yield Problem("review_every_months", FormProblem.NOT_A_NUMBER)
            elif not 1 <= int(form.review_every_months) <= MOST_MONTHS:
                limits = {"low": 1, "high": MOST_MONTHS}
                yield Problem("review_every_months", FormProblem.OUT_OF_RANGE, limits)
        kept_on = None if row is None else row.review_on
        yield from _day_problems("review_on", form.review_on, self._today(), kept_on)

    def _write(
        self, session: Session, staff: Acting, row: CareRow, care: AchievementCare, **values: Any
    ) -> bool:
        """Write what differs, and tell it in the log; names of people stay out of that."""
        if not _differs(care, values):
            return False
        before = {name: getattr(care, name) for name in values}
        for name, value in values.items():
            setattr(care, name, value)
        care.revision += 1
        differing = [name for name in values if values[name] != before[name] and name != "contact"]
        detail: dict[str, Any] = {
            "from": {name: _plain(before[name]) for name in differing},
            "to": {name: _plain(values[name]) for name in differing},
        }
        if "contact" in values and values["contact"] != before["contact"]:
            detail["contact_changed"] = True
        self._record(session, staff, CHANGED, row.kind, row.id, {**detail, "revision": care.revision})
        return True

    def _record(
        self, session: Session, staff: Acting, action: str, kind: str, id_: str, detail: Mapping[str, Any]
    ) -> None:
        audit.record(
            session,
            staff.organisation_id,
            at=self.clock(),
            actor=staff.actor,
            action=action,
            subject_kind=kind,
            subject_id=id_,
            detail=detail,
        )


def _active(session: Session, organisation_id: str) -> tuple[MemberView, ...]:
    return tuple(one for one in members_store.members(session, organisation_id) if one.is_active)


def _own(session: Session, organisation_id: str, kind: str, id_: str) -> CareRow:
    found = next((row for row in store.these(session, organisation_id, [id_]) if row.kind == kind), None)
    if found is None:
        raise _missing(id_)
    return found


def _missing(id_: str) -> NotFound:
    return NotFound(ErrorCode.NOT_FOUND, f"no micromodule or milestone {id_}")


def _changed(kind: str, id_: str) -> Conflict:
    return Conflict(ErrorCode.CONFLICT, f"the review of {kind} {id_} was changed meanwhile")


def _differs(care: AchievementCare, values: Mapping[str, Any]) -> bool:
    return any(getattr(care, name) != value for name, value in values.items())


def _problems_of_choice(wanted: Mapping[str, Chosen], form: CareForm) -> Iterator[Problem]:
    if not wanted:
        yield Problem(CHOSEN, FormProblem.NOTHING_CHOSEN)
    elif len(wanted) > MOST_CHOSEN:
        yield Problem(CHOSEN, FormProblem.TOO_MANY, {"limit": MOST_CHOSEN})
    elif form == CareForm():
        yield Problem(CHOSEN, FormProblem.NOTHING_CHANGED)


def _asked_of_all(form: CareForm, row: CareRow) -> dict[str, Any]:
    """What a form for several asks of one of them."""
    values: dict[str, Any] = {}
    if form.answerable_id:
        values["answerable_id"] = None if form.answerable_id == NOBODY else form.answerable_id
    if form.contact:
        values["contact"] = form.contact
    months, day = _months(form), _day(form.review_on)
    if months is not None:
        values["review_every_months"] = months
    if months is not None or day is not None:
        values["review_on"] = date_from(row.looked_at, months, day)
    return values


def _is_number(text: str) -> bool:
    return text.isdecimal() and len(text) <= 9


def _months(form: CareForm) -> int | None:
    return int(form.review_every_months) if form.review_every_months else None


def _day(text: str) -> date | None:
    """A day as a date field sends it; ``None`` for anything else."""
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-30") else None
    except ValueError:
        return None


def _day_problems(name: str, text: str, today: date, kept: date | None) -> Iterator[Problem]:
    if not text:
        return
    day = _day(text)
    if day is None:
        yield Problem(name, FormProblem.NOT_A_DATE)
    elif day != kept and not today <= day <= today + LAST_DAY:
        yield Problem(name, FormProblem.NOT_IN_FUTURE)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
