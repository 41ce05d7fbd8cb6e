"""What a badge says beside its rules, in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from flask import Flask
from flask_babel import gettext as _
from flask_babel import ngettext

from lti_tool.domain.badge_states import BadgeState
from lti_tool.services.achievement_details import is_web_address
from lti_tool.store.micromodules import AchievementDetails
from lti_tool.web.i18n import number
from lti_tool.web.session import current_tool

_FIELD = re.compile(r"alignment-([0-9]{1,3})-([a-z]+)")


def register(app: Flask) -> None:
    """Give the words to templates."""
    app.jinja_env.globals.update(
        credit_words=credit_words,
        duration_words=duration_words,
        achievement_type_word=achievement_type_word,
        type_choices=type_choices,
        unit_choices=unit_choices,
        shown_words=shown_words,
        reached=reached,
        is_link=is_web_address,
        state_of=state_of,
    )


class _Stateful(Protocol):
    @property
    def state(self) -> BadgeState | Callable[[datetime], BadgeState]: ...


def state_of(badge: _Stateful) -> BadgeState:
    """What a badge is worth at this moment; what was made for one page knows it already."""
    state = badge.state
    return state if isinstance(state, BadgeState) else state(current_tool().clock())


def type_choices(chosen: str) -> tuple[tuple[str, str], ...]:
    """(word of Open Badges, word for people) of the kinds that a micromodule may have, and of ``chosen``."""
    offered = [name for name in _types() if name != chosen]
    names = [chosen, *offered] if chosen not in _types() else list(_types())
    return tuple((name, achievement_type_word(name)) for name in names)


def achievement_type_word(name: str) -> str:
    """A kind of achievement; what has no word here is called as Open Badges calls it."""
    word = _types().get(name)
    return name.removeprefix("ext:") if word is None else word()


def _types() -> dict[str, Callable[[], str]]:
    return {
        "MicroCredential": lambda: _("Microcredential"),
        "Badge": lambda: _("Badge"),
        "Course": lambda: _("Course"),
        "Assessment": lambda: _("Assessment"),
        "Assignment": lambda: _("Assignment"),
        "Award": lambda: _("Award"),
        "Certificate": lambda: _("Certificate"),
        "CertificateOfCompletion": lambda: _("Certificate of completion"),
        "Competency": lambda: _("Competency"),
        "LearningProgram": lambda: _("Learning programme"),
        "CoCurricular": lambda: _("Beside the curriculum"),
        "CommunityService": lambda: _("Community service"),
        "Fieldwork": lambda: _("Fieldwork"),
        "Membership": lambda: _("Membership"),
    }


def unit_choices() -> tuple[tuple[str, str], ...]:
    """(unit of credits, word) to choose from."""
    return (("ects", _("ECTS credits")), ("hours", _("hours")), ("other", _("other credits")))


def credit_words(amount: Decimal, unit: str | None) -> str:
    """How much a badge counts: "2.5 ECTS credits"."""
    said = number(amount)
    if unit == "ects":
        return _("%(number)s ECTS", number=said)
    if unit == "hours":
        return _("1 hour") if amount == 1 else _("%(number)s hours", number=said)
    return _("1 credit") if amount == 1 else _("%(number)s credits", number=said)


def duration_words(months: int) -> str:
    """A number of months, in years where they are whole."""
    if months % 12 == 0:
        return ngettext("%(num)s year", "%(num)s years", months // 12)
    return ngettext("%(num)s month", "%(num)s months", months)


def reached(value: str, is_percent: bool) -> str:
    """A result as it was signed: "92.5 %"."""
    try:
        said = number(Decimal(value))
    except ArithmeticError:
        said = value
    return _("%(number)s %%", number=said) if is_percent else said


def shown_words(details: AchievementDetails | None) -> tuple[str, ...]:
    """What a badge of these details shows of its learner, one sentence each."""
    if details is None:
        return ()
    said = []
    if details.shows_results and details.result_descriptions:
        names = ", ".join(one.name for one in details.result_descriptions)
        said.append(_("Your results: %(names)s", names=names))
    if details.shows_evidence:
        said.append(_("Links that you handed in and that were accepted"))
    return tuple(said)


def detail_label(name: str) -> str | None:
    """What a field of the section is called, for the list of problems at the top of the page."""
    if (found := _FIELD.fullmatch(name)) is not None:
        part = {
            "name": _("Name"),
            "url": _("Web address"),
            "framework": _("Framework"),
            "code": _("Code"),
        }.get(found[2], _("Kind"))
        return _("Skill %(number)s, %(part)s", number=number(int(found[1]) + 1), part=part)
    return {
        "alignments": _("Skills of a framework"),
        "achievement_type": _("Kind of badge"),
        "credits": _("Credits"),
        "credit_unit": _("Counted in"),
        "human_code": _("Code"),
        "field_of_study": _("Field of study"),
        "validity_months": _("Valid for, in months"),
        "renewal_opens_days": _("Renewed by new results, from so many days before its end"),
        "renewal_closes_days": _("Until so many days after its end"),
        "issuer_id": _("Signed by"),
    }.get(name)
