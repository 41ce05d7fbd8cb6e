"""The gradebook of a Moodle site: grade items, one row per item and learner, calculations, overrides.

Names follow Moodle's tables (``grade_items``, ``grade_grades``, ``ltiservice_gradebookservices``). Values are
points on the item's own scale. Behaviour: reference MOODLE.md §6 and §7A with the recordings ``ags_*`` and
``calc_*``.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from tests.simulator import formulas

ItemKind = Literal["course", "mod", "manual"]
Module = Literal["lti", "quiz", "assign", "forum", "page"]


@dataclass(frozen=True)
class ServiceRecord:
    """What Moodle keeps beside a grade item that a tool may see (table ``ltiservice_gradebookservices``)."""

    tool_type_id: int
    resource_id: str = ""
    tag: str = ""
    link_id: int | None = None
    review_url: str = ""
    """Where a review of one learner's work is opened; ``DEFAULT`` is the link's own address."""


@dataclass
class GradeItem:
    """A column: the course total, an activity's grade (``mod``), or one made by hand or through AGS
    (``manual``).
    """

    id: int
    course_id: int
    kind: ItemKind
    label: str | None
    maximum: float
    module: Module | None = None
    instance: int | None = None
    id_number: str = ""
    pass_grade: float = 0.0
    formula: str | None = None
    weight: float | None = None
    is_hidden: bool = False
    is_locked: bool = False
    service: ServiceRecord | None = None


@dataclass
class GradeRow:
    """One learner's grade in one column. `final` is what everybody sees, `raw` what the activity reported."""

    item_id: int
    user_id: int
    maximum: float
    raw: float | None = None
    final: float | None = None
    feedback: str | None = None
    modified_at: datetime | None = None
    is_overridden: bool = False


class LockedGradeItemError(Exception):
    """The column is locked against changes."""


class CalculationNotAllowedError(ValueError):
    """The column belongs to an activity; Moodle allows no calculation there."""


def _same(left: float | None, right: float | None) -> bool:
    if left is None or right is None:
        return left is right
    return abs(left - right) < 0.000005


class Gradebook:
    """All grade items and rows of the site. Not thread-safe by itself: `Lms.lock` guards it."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._ids = itertools.count(1)
        self._category_ids = itertools.count(1)
        self.items: dict[int, GradeItem] = {}
        self._rows: dict[int, dict[int, GradeRow]] = {}

    # Columns

    def add_item(
        self,
        course_id: int,
        kind: ItemKind,
        label: str | None,
        maximum: float,
        *,
        module: Module | None = None,
        instance: int | None = None,
        id_number: str = "",
        pass_grade: float = 0.0,
        service: ServiceRecord | None = None,
    ) -> GradeItem:
        """Add a column; the course total comes into being with a course's first column, as in Moodle."""
        if kind != "course" and self.total_item(course_id) is None:
            self.add_item(course_id, "course", None, 0.0, instance=next(self._category_ids))
        item = GradeItem(
            next(self._ids),
            course_id,
            kind,
            label,
            maximum,
            module,
            instance,
            id_number,
            pass_grade,
            service=service,
        )
        self.items[item.id] = item
        self._rows[item.id] = {}
        return item

    def delete_item(self, item: GradeItem) -> None:
        """Remove a column with its grades; formulas that named it stop giving grades."""
        del self.items[item.id]
        del self._rows[item.id]
        self.recalculate(item.course_id)

    def empty(self, course_id: int) -> None:
        """Delete every grade of a course; columns and formulas stay."""
        for item in self.of_course(course_id):
            self._rows[item.id].clear()

    def forget(self, course_id: int, user_id: int) -> None:
        """Delete somebody's grades of a course."""
        for item in self.of_course(course_id):
            self._rows[item.id].pop(user_id, None)

    def of_course(self, course_id: int) -> list[GradeItem]:
        """The course's columns without its total, in gradebook order."""
        return [item for item in self.items.values() if item.course_id == course_id and item.kind != "course"]

    def total_item(self, course_id: int) -> GradeItem | None:
        return next((i for i in self.items.values() if i.course_id == course_id and i.kind == "course"), None)

    def of_activity(self, module: Module, instance: int) -> GradeItem | None:
        """The column coupled to an activity, if it is graded."""
        return next((i for i in self.items.values() if i.module == module and i.instance == instance), None)

    def by_id_number(self, course_id: int, id_number: str) -> GradeItem | None:
        return next((i for i in self.of_course(course_id) if i.id_number and i.id_number == id_number), None)

    # Grades

    def row(self, item: GradeItem, user_id: int) -> GradeRow | None:
        if item.kind == "course":
            return next((row for row in self.rows(item) if row.user_id == user_id), None)
        return self._rows[item.id].get(user_id)

    def final(self, item: GradeItem, user_id: int) -> float | None:
        """The grade everybody sees, in points; None when there is none."""
        row = self.row(item, user_id)
        return row.final if row else None

    def rows(self, item: GradeItem) -> list[GradeRow]:
        """All rows of a column, empty ones included; the total's are worked out on the spot."""
        return list(self._totals(item)) if item.kind == "course" else list(self._rows[item.id].values())

    def count_rows(self, course_id: int) -> int:
        """Grade rows of a course, the total's included: over 100 Moodle shows its "Recalculating grades"
        page.
        """
        own = sum(len(self._rows[item.id]) for item in self.of_course(course_id))
        return own + len(
            {row.user_id for item in self.of_course(course_id) for row in self._rows[item.id].values()}
        )

    def _touch(self, item: GradeItem, user_id: int) -> GradeRow:
        return self._rows[item.id].setdefault(user_id, GradeRow(item.id, user_id, item.maximum))

    @staticmethod
    def bounded(item: GradeItem, value: float) -> float:
        """`value` held between 0 and the column's maximum, to five digits as Moodle stores it."""
        return round(max(0.0, min(value, item.maximum)), 5)

    def report_raw(
        self, item: GradeItem, user_id: int, value: float | None, *, feedback: str | None = None
    ) -> GradeRow:
        """A grade that an activity reports (quiz attempt, AGS score on a coupled column), on the column's
        scale.

        An overridden grade keeps the teacher's value. The time stored is the server's, not the sender's.
        Raises `LockedGradeItemError`.
        """
        if item.is_locked:
            raise LockedGradeItemError(item.id)
        row = self._touch(item, user_id)
        new = None if value is None else self.bounded(item, value)
        if _same(row.raw, new) and row.feedback == feedback and row.modified_at is not None:
            # The same grade again changes nothing, not even the time (recording ags_scores_results, "1s
            # later").
            return row
        row.raw, row.maximum = new, item.maximum
        if not row.is_overridden:
            row.final, row.feedback = row.raw, feedback
            row.modified_at = None if value is None else self._clock()
        self.recalculate(item.course_id, user_id)
        return row

    def set_final(
        self,
        item: GradeItem,
        user_id: int,
        value: float | None,
        *,
        feedback: str | None = None,
        modified_at: datetime | None = None,
    ) -> GradeRow:
        """A grade typed by a teacher, or an AGS score on an AGS-created column (which stores the sender's
        time).

        Marks the row overridden where the column has another source: an activity or a calculation. Raises
        `LockedGradeItemError`.
        """
        if item.is_locked:
            raise LockedGradeItemError(item.id)
        row = self._touch(item, user_id)
        if item.kind == "mod" or item.formula is not None:
            row.is_overridden = True
        new = None if value is None else self.bounded(item, value)
        if not _same(row.final, new) or row.feedback != feedback or modified_at is not None:
            row.modified_at = modified_at or self._clock()
        row.final, row.feedback, row.maximum = new, feedback, item.maximum
        self.recalculate(item.course_id, user_id)
        return row

    def remove_override(self, item: GradeItem, user_id: int) -> None:
        """What a teacher does to let the activity's or the formula's grade through again."""
        row = self._touch(item, user_id)
        row.is_overridden = False
        if item.formula is None and item.kind == "mod":
            row.final = row.raw
            row.modified_at = self._clock()
        self.recalculate(item.course_id, user_id)

    def rescale(self, item: GradeItem, maximum: float) -> None:
        """Change a column's maximum as AGS PUT does: every row is rescaled, an empty one becomes 0.

        On an AGS-created column each row is then "overridden", which kills a calculated mirror
        (recording ``calc_mirror``).
        """
        factor = maximum / item.maximum if item.maximum else 0.0
        item.maximum = maximum
        for row in self._rows[item.id].values():
            row.final = round((row.final or 0.0) * factor, 5)
            row.raw = None if row.raw is None else round(row.raw * factor, 5)
            row.maximum, row.modified_at = maximum, self._clock()
            row.is_overridden = row.is_overridden or item.kind == "manual"
        self.recalculate(item.course_id)

    # Calculations

    def set_formula(self, item: GradeItem, text: str) -> None:
        """Save the calculation of a column ("" removes it) and recalculate at once.

        Raises `CalculationNotAllowedError` for activities' columns, `formulas.InvalidFormulaError` for an
        unknown ID number, a reference to itself or a circle, and text that is no formula.
        """
        if item.kind != "manual":
            raise CalculationNotAllowedError("Calculations are not allowed for this item")
        if text.strip():
            for id_number in formulas.references(formulas.parse(text)):
                source = self.by_id_number(item.course_id, id_number)
                if source is None or source is item:
                    raise formulas.InvalidFormulaError("Invalid formula")
                if self._depends(source, item, frozenset()):
                    raise formulas.InvalidFormulaError(
                        "Probably circular reference or broken calculation formula"
                    )
        item.formula = text.strip() or None
        self.recalculate(item.course_id)

    def _sources(self, item: GradeItem) -> dict[str, GradeItem | None]:
        if item.formula is None:
            return {}
        names = formulas.references(formulas.parse(item.formula))
        return {name: self.by_id_number(item.course_id, name) for name in sorted(names)}

    def _depends(self, item: GradeItem, on: GradeItem, seen: frozenset[int]) -> bool:
        if item is on:
            return True
        return item.id not in seen and any(
            source is not None and self._depends(source, on, seen | {item.id})
            for source in self._sources(item).values()
        )

    def recalculate(self, course_id: int, user_id: int | None = None) -> None:
        """Give every calculated column of the course its grades (or one learner's), sources first."""
        waiting = [item for item in self.of_course(course_id) if item.formula is not None]
        done: set[int] = set()
        while waiting:
            ready = [
                item
                for item in waiting
                if all(s is None or s.formula is None or s.id in done for s in self._sources(item).values())
            ]
            for item in ready or waiting:
                self._calculate(item, user_id)
                done.add(item.id)
            waiting = [item for item in waiting if item.id not in done]

    def _calculate(self, item: GradeItem, only: int | None) -> None:
        sources = self._sources(item)
        node = formulas.parse(item.formula or "=0")
        columns = [self._rows[item.id], *(self._rows[source.id] for source in sources.values() if source)]
        if only is None:
            users = {user_id for rows in columns for user_id in rows}
        else:
            users = {only} if any(only in rows for rows in columns) else set()
        for user_id in sorted(users):
            row = self._touch(item, user_id)
            if row.is_overridden or item.is_locked:
                continue
            found = {name: self._rows[s.id].get(user_id) if s else None for name, s in sources.items()}
            values = {
                name: source.final for name, source in found.items() if source and source.final is not None
            }
            new: float | None = None
            if values and None not in sources.values():
                try:
                    new = self.bounded(
                        item, formulas.evaluate(node, {name: values.get(name, 0.0) for name in sources})
                    )
                except formulas.CalculationError:
                    new = None
            if not _same(row.final, new):
                row.final, row.maximum, row.modified_at = new, item.maximum, self._clock()

    # Course total (natural weighting)

    def _totals(self, item: GradeItem) -> Iterator[GradeRow]:
        counted = [i for i in self.of_course(item.course_id) if i.weight is None or i.weight > 0]
        item.maximum = sum(i.maximum for i in counted)
        for user_id in sorted({row.user_id for i in counted for row in self._rows[i.id].values()}):
            graded = [
                row for i in counted if (row := self._rows[i.id].get(user_id)) and row.final is not None
            ]
            if graded:
                modified = max(row.modified_at for row in graded if row.modified_at is not None)
                yield GradeRow(
                    item.id,
                    user_id,
                    sum(row.maximum for row in graded),
                    final=sum(row.final for row in graded if row.final is not None),
                    modified_at=modified,
                )
