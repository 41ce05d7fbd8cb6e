"""The form that describes a micromodule: read from HTML fields, checked, turned into the domain's words.

Whatever was typed survives every round trip, also when it cannot be used: the form keeps the raw text beside
what it means.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lti_tool.credentials.artwork import MAXIMUM_ALT
from lti_tool.domain import criteria as domain
from lti_tool.services.achievement_details import DetailsForm
from lti_tool.services.criteria_checks import row_problems
from lti_tool.services.criteria_rows import (
    Combination,
    CriteriaRow,
    Rules,
    one_line,
    read_rows,
    write_rows,
)
from lti_tool.services.criteria_tree import to_criterion
from lti_tool.services.form_problems import (
    FormProblem,
    Problem,
    is_unprintable,
    optional_text_problems,
    sort_alike,
    text_problems,
)

NAME_LENGTH = 200
DESCRIPTION_LENGTH = 2000
SKILL_LENGTH = 100
MAXIMUM_SKILLS = 20
ALT_LENGTH = MAXIMUM_ALT
KEY_LENGTH = 32


@dataclass(frozen=True, slots=True)
class MicromoduleForm:
    """Everything a person typed to describe a micromodule."""

    name: str = ""
    description: str = ""
    """May stay empty: then the criteria in words stand for it."""
    skills: str = ""
    combination: Combination = dataclasses.field(default_factory=Combination)
    rows: tuple[CriteriaRow, ...] = (CriteriaRow(),)
    groups: Mapping[str, Combination] = dataclasses.field(default_factory=dict)
    shape: str = ""
    icon: str = ""
    background: str = ""
    foreground: str = ""
    text: str = ""
    image_alt: str = ""
    """May stay empty: then the badge's name stands for it. An uploaded picture needs it."""
    picture_id: str = ""
    """Of an uploaded picture; then nothing is composed."""
    details: DetailsForm = dataclasses.field(default_factory=DetailsForm)
    no_badge: str = ""
    """``on``: completions are recorded, and no badge is issued until somebody switches one on."""

    @classmethod
    def from_fields(cls, fields: Mapping[str, str]) -> MicromoduleForm:
        """Read the HTML field names of the page; missing fields are empty, unknown ones are ignored."""
        rules = read_rows(fields)
        picture_id = one_line(fields.get("picture_id", ""))[:KEY_LENGTH]

        def line(name: str) -> str:
            return one_line(fields.get(name, ""))

        def area(name: str) -> str:
            return fields.get(name, "").replace("\r\n", "\n").strip()

        shape, icon, background, foreground, text = (
            "" if picture_id else line(name) for name in ("shape", "icon", "background", "foreground", "text")
        )
        return cls(
            line("name"),
            area("description"),
            area("skills"),
            rules.combination,
            rules.rows,
            rules.groups,
            shape,
            icon,
            background,
            foreground,
            text,
            line("image_alt"),
            picture_id,
            details=DetailsForm.from_fields(fields),
            no_badge="on" if line("no_badge") else "",
        )

    def to_fields(self) -> dict[str, str]:
        """The same form as HTML fields, for a draft; :meth:`from_fields` reads it back."""
        return {
            "name": self.name,
            "description": self.description,
            "skills": self.skills,
            "shape": self.shape,
            "icon": self.icon,
            "background": self.background,
            "foreground": self.foreground,
            "text": self.text,
            "image_alt": self.image_alt,
            "picture_id": self.picture_id,
            **({"no_badge": self.no_badge} if self.no_badge else {}),
            **self.details.to_fields(),
            **write_rows(self.rules),
        }

    @property
    def rules(self) -> Rules:
        """Rows and groups by themselves."""
        return Rules(self.rows, self.groups, self.combination)

    def with_rules(self, rules: Rules) -> MicromoduleForm:
        """The same form with other criteria."""
        return dataclasses.replace(self, rows=rules.rows, groups=rules.groups, combination=rules.combination)

    @property
    def issues_badge(self) -> bool:
        """Whether whoever completes it gets a badge."""
        return self.no_badge != "on"

    @property
    def skill_list(self) -> tuple[str, ...]:
        """One skill a line, each once, in the order typed."""
        return tuple(dict.fromkeys(line.strip() for line in self.skills.split("\n") if line.strip()))

    def problems(self) -> tuple[Problem, ...]:
        """Everything that keeps the form from being saved, the picture's colours excepted."""
        return (*self.word_problems(), *row_problems(self.rules), *self.details.problems())

    def badge_problems(self) -> tuple[Problem, ...]:
        """The same of a form whose rules stand elsewhere: the badge of something published."""
        return (*self.word_problems(), *self.details.problems())

    def word_problems(self) -> Iterator[Problem]:
        """What keeps name, description, skills and the words of the picture from being shown and signed."""
        yield from text_problems("name", self.name, NAME_LENGTH)
        yield from optional_text_problems("description", self.description, DESCRIPTION_LENGTH)
        alt_problems = text_problems if self.picture_id else optional_text_problems
        yield from alt_problems("image_alt", self.image_alt, ALT_LENGTH)
        if len(self.skill_list) > MAXIMUM_SKILLS:
            yield Problem("skills", FormProblem.TOO_MANY, {"limit": MAXIMUM_SKILLS})
        for skill in self.skill_list:
            if len(skill) > SKILL_LENGTH:
                yield Problem("skills", FormProblem.TOO_LONG, {"limit": SKILL_LENGTH})
            elif is_unprintable(skill):
                yield Problem("skills", FormProblem.CONTROL_CHARACTER)
        if not sort_alike(self.skill_list):
            yield Problem("skills", FormProblem.CONTROL_CHARACTER)

    def criterion(self) -> domain.Criterion:
        """What the rows ask for; only for a form without problems.

        A group stands where its first row stands.
        """
        return to_criterion(self.rules)

    def artwork(self) -> dict[str, Any]:
        """The composer's choices, or whose uploaded picture it is."""
        if self.picture_id:
            return {"picture_id": self.picture_id, "alt": self.image_alt}
        return {
            "shape": self.shape,
            "icon": self.icon,
            "background": self.background,
            "foreground": self.foreground,
            "text": self.text,
            "alt": self.image_alt,
        }
