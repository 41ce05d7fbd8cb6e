"""What the builder of criteria calls its fields, and what is wrong with one of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.services.persons import CODE_LASTS, TRIES
from lti_tool.web.i18n import number


def builder_problem(code: str, params: Mapping[str, object]) -> str | None:
    """The sentence of a problem that only the builder has."""
    given, maximum = params.get("given", ""), params.get("maximum")
    return {
        "not_a_date": _("Enter a date such as 2026-11-30."),
        "dates_swapped": _("This is earlier than the first date."),
        "nothing_accepted": _("Tick what learners may hand in."),
        "term_unreadable": _(
            "Write the assessment, a semicolon and its weight; this is not so: %(given)s", given=given
        ),
        "term_twice": _("This assessment is there twice: %(given)s", given=given),
        "group_in_itself": _("A group cannot stand inside itself."),
        "too_deep": _("Groups stand inside each other too deeply, dates included."),
        "column_too_low": _(
            "Its gradebook column holds %(maximum)s points at most, so nobody could reach this. Ask for "
            "fewer, or raise the column’s maximum in the gradebook and have the course read first.",
            maximum=number(maximum) if isinstance(maximum, Decimal) else "",
        ),
        "words_lost": ngettext(
            "A rule is gone for which %(num)s learner was confirmed. Save again, and that is forgotten.",
            "A rule is gone for which %(num)s learners were confirmed. Save again, and that is forgotten.",
            lost if isinstance(lost := params.get("number"), int) else 0,
        ),
        "nothing_new": _("Nothing differs from what is published. Change something first."),
        "not_in_future": _("Choose a day from today on, within the next twenty years."),
        "changed_meanwhile": _("Somebody else changed this meanwhile. Save again to replace their change."),
        "not_usable": _("These rules cannot stand together as they are."),
        "needs_itself": _("Nobody could ever earn this: it asks for itself."),
        "no_longer_earned": _(
            "Nobody can earn “%(name)s” any more: it was retired or put aside. Ask for something else.",
            name=f"\u2068{params.get('name', '')}\u2069",
        ),
        "asks_in_circle": circle_sentence(params.get("names", ())),
        "import_empty": _("Choose a file, or paste criteria."),
        "import_too_large": _("This is too large: at most %(limit)s kB.", limit=params.get("limit", "")),
        "import_not_json": _("This is no JSON. Nothing was changed."),
        "import_not_criteria": _unusable_sentence(params),
        "not_of_milestones": _(
            "Only completed micromodules and badges can be asked for here: what a course knows stays in it. "
            "These rules ask for it: %(names)s.",
            names=", ".join(_quoted(params.get("names", ()))),
        ),
        "not_there": _(
            "What these rules ask for by its id is not in your organisation, or cannot be earned any more: "
            "%(names)s.",
            names=", ".join(_quoted(params.get("names", ()))),
        ),
        "import_not_shown": _(
            "Nothing was changed, since these criteria say more than rules and groups of this form can show."
        ),
    }.get(code)


def circle_sentence(names: object) -> str:
    """Which badges ask for each other, all the way round."""
    # Names of two writings in one sentence: each is set apart, or what asks for what would read backwards.
    around = [f"\u2068{name}\u2069" for name in names] if isinstance(names, tuple) else []
    if not around:
        return _("Nobody could ever earn this: it asks for itself.")
    steps = [
        _("“%(badge)s” asks for “%(next)s”", badge=badge, next=around[(number + 1) % len(around)])
        for number, badge in enumerate(around)
    ]
    return _(
        "Nobody could ever earn this, since it goes round in a circle: %(steps)s.", steps="; ".join(steps)
    )


def _codes(params: Mapping[str, object]) -> tuple[str, ...]:
    problems = params.get("problems", ())
    return tuple(str(problem) for problem in problems) if isinstance(problems, tuple) else ()


def _unusable_sentence(params: Mapping[str, object]) -> str:
    found = ", ".join(_criteria_problem(code) for code in _codes(params))
    if params.get("at"):
        return _(
            "Nothing was changed, since these criteria cannot be used: %(problems)s. Look at %(place)s.",
            problems=found,
            place=f"\u2066{params['at']}\u2069",
        )
    return _("Nothing was changed, since these criteria cannot be used: %(problems)s.", problems=found)


def _criteria_problem(code: str) -> str:
    return {
        "schema": _("they are not in the format of an export"),
        "nothing_asked": _("something is empty"),
        "count_out_of_range": _("a number is larger than what it counts"),
        "threshold_out_of_range": _("a threshold is out of range"),
        "weight_out_of_range": _("a weight is out of range"),
        "label_missing": _("a name is missing"),
        "key_not_unique": _("one key stands for two things"),
        "dates_missing": _("dates are missing"),
        "dates_out_of_order": _("an end is before its beginning"),
        "date_without_zone": _("a date has no time zone"),
        "checklist_too_long": _("a checklist is too long"),
        "checklist_invalid": _("a line of a checklist is empty, too long or there twice"),
        "text_too_long": _("a text is too long"),
        "nothing_accepted": _("nothing may be handed in"),
        "too_deep": _("they are nested too deeply"),
        "too_many": _("they are too many"),
    }.get(code, code)


def builder_label(name: str) -> str | None:
    """What a field of a rule or group is called, for the list of problems at the top of the page."""
    if name == "criteria":
        return _("What earns it")
    if name == "criteria_json":
        return _("Import")
    if (found := re.fullmatch(r"criteria-(\d+)-([a-z]+)", name)) is not None:
        part = {
            "label": _("Name"),
            "threshold": _("At least"),
            "unit": _("Unit"),
            "channel": _("How the grade is read"),
            "purpose": _("Purpose"),
            "group": _("Group"),
            "instructions": _("What to hand in"),
            "checklist": _("Checklist"),
            "text": _("Accepted"),
            "choice": _("Which one"),
            "terms": _("Assessments and weights"),
            "after": _("Not before"),
            "before": _("Not after"),
        }.get(found[2], found[2])
        return _("Rule %(number)s, %(part)s", number=number(int(found[1]) + 1), part=part)
    if (found := re.fullmatch(r"group-([A-Z])-[a-z]+", name)) is not None:
        return _("Group %(letter)s", letter=found[1])
    return None


def not_editable_sentence(reason: str) -> str:
    """Why a badge cannot be changed any more."""
    return {
        "published": _("It is published: learners work by what it says."),
        "placed_elsewhere": _("It was placed elsewhere, too."),
        "earned": _("Somebody has earned it already."),
        "has_newer": _("There is a newer version of it."),
        "not_shown": _("Its rules say more than the form can show."),
    }.get(reason, "")


def code_problem(code: str) -> str | None:
    """What is wrong with the code that joins two accounts."""
    return {
        "code_unknown": _(
            "There is no such code, or it is over. Check it, or take a new one in the other platform. After "
            "%(tries)s wrong ones you have to wait for %(minutes)s minutes.",
            tries=TRIES,
            minutes=int(CODE_LASTS.total_seconds() // 60),
        ),
        "code_own": _(
            "This is the code of this very account. Enter it in the other learning platform, or enter here "
            "the one that you take there."
        ),
        "code_joined": _("These accounts are joined already."),
        "code_same_lms": _(
            "This code is of another account in the same learning platform. Accounts are joined across "
            "platforms only: one of each."
        ),
    }.get(code)


def counted_sentence(names: object) -> str:
    """Which milestones ask for a category."""
    quoted = _quoted(names)
    return ngettext(
        "This milestone gives its badge for micromodules in the category: %(names)s. So it has to stay.",
        "These milestones give their badges for micromodules in the category: %(names)s. So it has to stay.",
        len(quoted),
        names=", ".join(quoted),
    )


def asked_for_sentence(names: object) -> str:
    """What asks for a milestone by name."""
    quoted = _quoted(names)
    return ngettext(
        "This asks for the milestone's badge: %(names)s. So it has to stay.",
        "These ask for the milestone's badge: %(names)s. So it has to stay.",
        len(quoted),
        names=", ".join(quoted),
    )


def _quoted(names: object) -> list[str]:
    return [f"“\u2068{name}\u2069”" for name in names] if isinstance(names, tuple) else []
