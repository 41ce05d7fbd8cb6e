"""What keeps rows and groups from becoming criteria, each problem at its field."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lti_tool.domain import criteria as domain
from lti_tool.domain.criteria_problems import (
    MAXIMUM_CHECKLIST,
    MAXIMUM_CHECKLIST_LINE,
    MAXIMUM_INSTRUCTIONS,
    MAXIMUM_LEAVES,
    MAXIMUM_POINTS,
    MAXIMUM_WEIGHT,
    CriteriaProblem,
    problems,
)
from lti_tool.services.criteria_rows import (
    GROUPS,
    LABEL_LENGTH,
    MAXIMUM_ROWS,
    Combination,
    CriteriaRow,
    RowKind,
    Rules,
    ancestors,
    parse_moment,
    parse_number,
    terms_of,
)
from lti_tool.services.criteria_tree import evidence_key, key_of, labels_of, leaf_of, to_criterion
from lti_tool.services.form_problems import FormProblem, Problem, optional_text_problems, text_problems


def row_problems(rules: Rules) -> Iterator[Problem]:
    """Everything that keeps rows and groups from becoming criteria, each at its field."""
    if len(rules.rows) > MAXIMUM_ROWS:
        yield Problem(f"criteria-{MAXIMUM_ROWS}-label", FormProblem.TOO_MANY, {"limit": MAXIMUM_ROWS})
        return
    found = [*_each_row(rules), *_each_group(rules)]
    yield from found
    if not found:
        yield from _tree_problems(rules)


def _each_row(rules: Rules) -> Iterator[Problem]:
    channels: dict[str, str] = {}
    for number, row in rules.counted:
        yield from _row_problems(f"criteria-{number}", row)
        for part, label in _assessments(row):
            if channels.setdefault(evidence_key(label), row.channel) != row.channel:
                # One assessment reaches the tool in one way: two columns of one name confuse everybody.
                yield Problem(f"criteria-{number}-{part}", FormProblem.LABEL_USED_TWICE)
                break


def _assessments(row: CriteriaRow) -> Iterator[tuple[str, str]]:
    """(part, label) of each assessment whose grade a row reads."""
    if row.kind == RowKind.SCORE and row.label:
        yield "label", row.label
    elif row.kind == RowKind.MEAN:
        yield from (("terms", label) for label, weight in terms_of(row.terms) if label and weight is not None)


def _row_problems(prefix: str, row: CriteriaRow) -> Iterator[Problem]:
    if row.kind in (RowKind.COMPLETED, RowKind.HOLDS):
        if not row.choice:
            yield Problem(f"{prefix}-choice", FormProblem.REQUIRED)
        yield from optional_text_problems(f"{prefix}-label", row.label, LABEL_LENGTH)
    else:
        yield from text_problems(f"{prefix}-label", row.label, LABEL_LENGTH)
    if row.kind in (RowKind.SCORE, RowKind.MEAN):
        yield from _threshold_problems(prefix, row)
        yield from _choice_problems(prefix, row)
    if row.kind == RowKind.MEAN:
        yield from _term_problems(f"{prefix}-terms", row)
    elif row.kind == RowKind.EVIDENCE:
        yield from _evidence_problems(prefix, row)
    elif row.kind not in tuple(RowKind):
        yield Problem(f"{prefix}-kind", FormProblem.UNKNOWN_CHOICE)
    if row.group and row.group not in GROUPS:
        yield Problem(f"{prefix}-group", FormProblem.UNKNOWN_CHOICE)
    yield from _date_problems(prefix, row.after, row.before)


def _threshold_problems(prefix: str, row: CriteriaRow) -> Iterator[Problem]:
    threshold = parse_number(row.threshold)
    is_share = row.kind == RowKind.MEAN or row.unit == domain.Unit.PERCENT
    if threshold is None:
        yield Problem(f"{prefix}-threshold", FormProblem.NOT_A_NUMBER)
    elif threshold <= 0 or threshold > (100 if is_share else MAXIMUM_POINTS):
        limit = 100 if is_share else int(MAXIMUM_POINTS)
        yield Problem(f"{prefix}-threshold", FormProblem.OUT_OF_RANGE, {"low": 0, "high": limit})


def _choice_problems(prefix: str, row: CriteriaRow) -> Iterator[Problem]:
    choices: list[tuple[str, tuple[str, ...]]] = [
        ("channel", tuple(domain.Channel)),
        ("purpose", tuple(domain.Purpose)),
    ]
    if row.kind == RowKind.SCORE:
        choices.append(("unit", tuple(domain.Unit)))
    for part, allowed in choices:
        if getattr(row, part) not in allowed:
            yield Problem(f"{prefix}-{part}", FormProblem.UNKNOWN_CHOICE)


def _term_problems(name: str, row: CriteriaRow) -> Iterator[Problem]:
    terms = list(terms_of(row.terms))
    if not terms:
        yield Problem(name, FormProblem.REQUIRED)
    if len(terms) > MAXIMUM_LEAVES:
        yield Problem(name, FormProblem.TOO_MANY, {"limit": MAXIMUM_LEAVES})
        return
    seen: set[str] = set()
    for label, weight in terms:
        if weight is None or not 0 < weight <= MAXIMUM_WEIGHT or not label:
            given = f"{label[:40]}" if weight is None else f"{label[:40]}; {weight}"
            yield Problem(name, FormProblem.TERM_UNREADABLE, {"given": given})
            return
        problem = next(text_problems(name, label, LABEL_LENGTH), None)
        if problem is None and evidence_key(label) in seen:
            problem = Problem(name, FormProblem.TERM_TWICE, {"given": label[:40]})
        if problem is not None:
            yield problem
            return
        seen.add(evidence_key(label))


def _evidence_problems(prefix: str, row: CriteriaRow) -> Iterator[Problem]:
    yield from optional_text_problems(f"{prefix}-instructions", row.instructions, MAXIMUM_INSTRUCTIONS)
    if len(row.checklist_items) > MAXIMUM_CHECKLIST:
        yield Problem(f"{prefix}-checklist", FormProblem.TOO_MANY, {"limit": MAXIMUM_CHECKLIST})
    for item in row.checklist_items[:MAXIMUM_CHECKLIST]:
        problem = next(text_problems(f"{prefix}-checklist", item, MAXIMUM_CHECKLIST_LINE), None)
        if problem is not None:
            yield problem
            break
    if not row.accepts:
        yield Problem(f"{prefix}-text", FormProblem.NOTHING_ACCEPTED)


def _date_problems(prefix: str, after: str, before: str) -> Iterator[Problem]:
    starts_at, ends_at = parse_moment(after), parse_moment(before, is_end=True)
    if after and starts_at is None:
        yield Problem(f"{prefix}-after", FormProblem.NOT_A_DATE)
    if before and ends_at is None:
        yield Problem(f"{prefix}-before", FormProblem.NOT_A_DATE)
    if starts_at is not None and ends_at is not None and ends_at < starts_at:
        yield Problem(f"{prefix}-before", FormProblem.DATES_SWAPPED)


def _each_group(rules: Rules) -> Iterator[Problem]:
    members: dict[str, int] = {}
    for _number, row in rules.counted:
        members[row.group] = members.get(row.group, 0) + 1
    for combination in rules.groups.values():
        members[combination.parent] = members.get(combination.parent, 0) + 1
    yield from _combination_problems("combination", "at_least_count", rules.combination, members.get("", 0))
    for letter, combination in rules.groups.items():
        prefix = f"group-{letter}"
        yield from _combination_problems(
            f"{prefix}-combination", f"{prefix}-count", combination, members.get(letter, 0)
        )
        if combination.parent and combination.parent not in GROUPS:
            yield Problem(f"{prefix}-parent", FormProblem.UNKNOWN_CHOICE)
        elif letter in ancestors(rules.groups, letter):
            yield Problem(f"{prefix}-parent", FormProblem.GROUP_IN_ITSELF)
        yield from _date_problems(prefix, combination.after, combination.before)


def _combination_problems(
    name: str, count_name: str, combination: Combination, parts: int
) -> Iterator[Problem]:
    if combination.kind not in ("all", "any", "at_least"):
        yield Problem(name, FormProblem.UNKNOWN_CHOICE)
    elif combination.kind == "at_least":
        if not re.fullmatch(r"[0-9]{1,3}", combination.count):
            yield Problem(count_name, FormProblem.NOT_A_NUMBER)
        elif not 1 <= int(combination.count) <= parts:
            yield Problem(count_name, FormProblem.OUT_OF_RANGE, {"low": 1, "high": parts})


_TREE_PROBLEMS = {
    CriteriaProblem.TOO_DEEP: FormProblem.TOO_DEEP,
    CriteriaProblem.TOO_MANY: FormProblem.TOO_MANY,
    CriteriaProblem.KEY_NOT_UNIQUE: FormProblem.LABEL_USED_TWICE,
}


def _tree_problems(rules: Rules) -> Iterator[Problem]:
    """What only the whole shows; named at the first field that can be blamed, else at the criteria."""
    for problem in problems(to_criterion(rules)):
        name = "criteria"
        if problem is CriteriaProblem.TOO_DEEP and rules.groups:
            deepest = max(rules.groups, key=lambda letter: len(ancestors(rules.groups, letter)))
            name = f"group-{deepest}-parent"
        elif problem is CriteriaProblem.KEY_NOT_UNIQUE:
            name = _twice_used(rules)
        params = {"limit": MAXIMUM_LEAVES} if problem is CriteriaProblem.TOO_MANY else {}
        yield Problem(name, _TREE_PROBLEMS.get(problem, FormProblem.NOT_USABLE), params)


def _twice_used(rules: Rules) -> str:
    labels = labels_of(rules)
    known: dict[str, domain.Criterion] = {}
    for number, row in rules.counted:
        leaf = leaf_of(row, labels)
        if row.kind != RowKind.SCORE and known.setdefault(key_of(row), leaf) != leaf:
            return f"criteria-{number}-label"
    return "criteria"
