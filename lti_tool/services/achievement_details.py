"""What a badge says beside its name, picture and rules: read from the form's fields, checked, made storable.

As in the rest of the form, what was typed is kept as typed, also where it cannot be used.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Final
from urllib.parse import urlsplit

from lti_tool.domain.criteria import Criterion, MeanAtLeast, ScoreAtLeast, Unit, leaves
from lti_tool.domain.renewal import LEAST_MONTH
from lti_tool.services.badge_contents import link_iri
from lti_tool.services.criteria_rows import one_line, parse_number, plain
from lti_tool.services.form_problems import FormProblem, Problem, optional_text_problems, text_problems
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, ResultDescriptionView

ACHIEVEMENT_TYPES: Final = (
    "Achievement",
    "ApprenticeshipCertificate",
    "Assessment",
    "Assignment",
    "AssociateDegree",
    "Award",
    "Badge",
    "BachelorDegree",
    "Certificate",
    "CertificateOfCompletion",
    "Certification",
    "CoCurricular",
    "CommunityService",
    "Competency",
    "Course",
    "Degree",
    "Diploma",
    "DoctoralDegree",
    "Fieldwork",
    "GeneralEducationDevelopment",
    "JourneymanCertificate",
    "LearningProgram",
    "License",
    "MasterCertificate",
    "MasterDegree",
    "Membership",
    "MicroCredential",
    "ProfessionalDoctorate",
    "QualityAssuranceCredential",
    "ResearchDoctorate",
    "SecondarySchoolDiploma",
)
"""Open Badges 3.0, AchievementType; ``ext:`` and a name is allowed beside these."""
ALIGNMENT_TYPES: Final = (
    "CFItem",
    "CFRubric",
    "CFRubricCriterion",
    "CFRubricCriterionLevel",
    "CTDL",
    "ceasn:Competency",
    "ceterms:Credential",
)
"""Open Badges 3.0, AlignmentTargetType; ``ext:`` and a name likewise."""
CREDIT_UNITS: Final = ("ects", "hours", "other")
DEFAULT_TYPE: Final = "MicroCredential"
DEFAULT_UNIT: Final = "ects"
MAXIMUM_ALIGNMENTS = 20
MAXIMUM_CREDITS = 9999
MAXIMUM_MONTHS = 600
MAXIMUM_DAYS = 3650
"""Of the window in which a badge is renewed, on either side of its end."""
TARGET_NAME_LENGTH = 500
TARGET_URL_LENGTH = 2000
FRAMEWORK_LENGTH = 200
CODE_LENGTH = 100
FIELD_OF_STUDY_LENGTH = 200
_CREDIT_PLACES = Decimal("0.01")
_EXTENSION = re.compile(r"ext:[A-Za-z0-9._-]{1,50}")
_URL = re.compile(r"https?://[^\s<>\"{}|\\^`]+")
_ALIGNMENT = re.compile(r"alignment-([0-9]{1,3})-(?:name|url|framework|code|type)")


@dataclass(frozen=True, slots=True)
class AlignmentFields:
    """A skill of a framework, as typed or picked."""

    name: str = ""
    url: str = ""
    framework: str = ""
    code: str = ""
    type: str = ""
    """Of Open Badges' words; empty where nobody picked the skill from a framework."""

    @property
    def is_blank(self) -> bool:
        """Whether nobody typed anything: the row is there, and says nothing."""
        return not (self.name or self.url or self.framework or self.code)


@dataclass(frozen=True, slots=True)
class DetailsForm:
    """Everything that the section "What the badge says" holds, as typed."""

    achievement_type: str = DEFAULT_TYPE
    credits: str = ""
    credit_unit: str = DEFAULT_UNIT
    human_code: str = ""
    field_of_study: str = ""
    validity_months: str = ""
    renewal_opens_days: str = ""
    renewal_closes_days: str = ""
    shows_results: str = ""
    """``on`` where it is ticked, as of every box."""
    shows_evidence: str = ""
    may_suspend: str = ""
    issuer_id: str = ""
    """Empty: whoever signs already, or the organisation's default issuer."""
    alignments: tuple[AlignmentFields, ...] = ()

    @classmethod
    def from_fields(cls, posted: Mapping[str, str]) -> DetailsForm:
        """Read the HTML field names of the page; what is missing is empty, numbers with gaps close up."""
        numbers = sorted(
            {int(found[1]) for name in posted if (found := _ALIGNMENT.fullmatch(name)) is not None}
        )
        return cls(
            **{name: one_line(posted.get(name, "")) or beginning for name, beginning in _TEXTS.items()},
            alignments=tuple(
                AlignmentFields(
                    *(one_line(posted.get(f"alignment-{number}-{part}", "")) for part in _ALIGNMENT_PARTS)
                )
                for number in numbers
            ),
        )

    def to_fields(self) -> dict[str, str]:
        """The same as HTML fields; :meth:`from_fields` reads them back. What says nothing is left out."""
        written = {
            name: value for name, beginning in _TEXTS.items() if (value := getattr(self, name)) != beginning
        }
        for number, row in enumerate(self.alignments):
            written[f"alignment-{number}-name"] = row.name
            for part in _ALIGNMENT_PARTS[1:]:
                if getattr(row, part):
                    written[f"alignment-{number}-{part}"] = getattr(row, part)
        return written

    @classmethod
    def from_details(cls, details: AchievementDetails, issuer_id: str = "") -> DetailsForm:
        """What would be typed to get these details."""
        return cls(
            details.achievement_type,
            "" if details.credits is None else plain(details.credits),
            details.credit_unit or DEFAULT_UNIT,
            details.human_code or "",
            details.field_of_study or "",
            "" if details.validity_months is None else str(details.validity_months),
            "" if details.renewal_opens_days is None else str(details.renewal_opens_days),
            "" if details.renewal_closes_days is None else str(details.renewal_closes_days),
            "on" if details.shows_results else "",
            "on" if details.shows_evidence else "",
            "on" if details.status_purpose == "suspension" else "",
            issuer_id,
            tuple(
                AlignmentFields(
                    one.target_name,
                    one.target_url,
                    one.target_framework or "",
                    one.target_code or "",
                    one.target_type or "",
                )
                for one in details.alignments
            ),
        )

    def problems(self) -> Iterator[Problem]:
        """What keeps the details from being stored and signed; not whether the issuer may be chosen."""
        if self.achievement_type not in ACHIEVEMENT_TYPES and not _EXTENSION.fullmatch(self.achievement_type):
            yield Problem("achievement_type", FormProblem.UNKNOWN_CHOICE)
        yield from self._number_problems()
        yield from optional_text_problems("human_code", self.human_code, CODE_LENGTH)
        yield from optional_text_problems("field_of_study", self.field_of_study, FIELD_OF_STUDY_LENGTH)
        counted = [(number, row) for number, row in enumerate(self.alignments) if not row.is_blank]
        for number, row in counted:
            yield from _alignment_problems(f"alignment-{number}", row)
        if len(counted) > MAXIMUM_ALIGNMENTS:
            yield Problem("alignments", FormProblem.TOO_MANY, {"limit": MAXIMUM_ALIGNMENTS})

    def _number_problems(self) -> Iterator[Problem]:
        if self.credits:
            number = parse_number(self.credits)
            if number is None:
                yield Problem("credits", FormProblem.NOT_A_NUMBER)
            elif not _CREDIT_PLACES <= number <= MAXIMUM_CREDITS or number % _CREDIT_PLACES:
                limits = {"low": str(_CREDIT_PLACES), "high": MAXIMUM_CREDITS}
                yield Problem("credits", FormProblem.OUT_OF_RANGE, limits)
        if self.credit_unit not in CREDIT_UNITS:
            yield Problem("credit_unit", FormProblem.UNKNOWN_CHOICE)
        found = list(_whole_number_problems("validity_months", self.validity_months, 1, MAXIMUM_MONTHS))
        yield from found
        # A window as long as a badge is valid would renew it by what it was earned with.
        days = LEAST_MONTH * int(self.validity_months) - 2 if self.validity_months and not found else None
        most = MAXIMUM_DAYS if days is None else min(days, MAXIMUM_DAYS)
        yield from _whole_number_problems("renewal_opens_days", self.renewal_opens_days, 0, most)
        yield from _whole_number_problems("renewal_closes_days", self.renewal_closes_days, 0, MAXIMUM_DAYS)
        if self.renewal_opens_days and not self.validity_months:
            yield Problem("validity_months", FormProblem.REQUIRED)
        if self.renewal_closes_days and not self.renewal_opens_days:
            yield Problem("renewal_opens_days", FormProblem.REQUIRED)

    def to_details(self, criterion: Criterion) -> AchievementDetails:
        """What is stored; only of a form without problems.

        :param criterion: what the badge asks for, from which the descriptions of its results follow.
        """
        number = parse_number(self.credits)
        alignments: dict[str, AlignmentView] = {}
        for row in self.alignments:
            if not row.is_blank:
                one = _alignment(row)
                alignments.setdefault(one.target_url, one)
        return AchievementDetails(
            achievement_type=self.achievement_type,
            alignments=tuple(alignments.values()),
            credits=number,
            credit_unit=self.credit_unit if number is not None else None,
            human_code=self.human_code or None,
            field_of_study=self.field_of_study or None,
            validity_months=_whole_number(self.validity_months),
            renewal_opens_days=_whole_number(self.renewal_opens_days),
            renewal_closes_days=_whole_number(self.renewal_closes_days),
            shows_results=self.shows_results == "on",
            shows_evidence=self.shows_evidence == "on",
            result_descriptions=result_descriptions(criterion),
            status_purpose="suspension" if self.may_suspend == "on" else "revocation",
        )


_TEXTS: Final = {
    field.name: str(field.default) for field in fields(DetailsForm) if field.name != "alignments"
}
"""HTML name of each field but the skills', and with what it begins."""
_ALIGNMENT_PARTS: Final = tuple(field.name for field in fields(AlignmentFields))
DETAIL_FIELDS: Final = frozenset(_TEXTS)
"""HTML names of the section's fields, those of the skills apart."""


def _whole_number(text: str) -> int | None:
    return int(text) if text else None


def _whole_number_problems(name: str, text: str, low: int, high: int) -> Iterator[Problem]:
    if not text:
        return
    if not (text.isascii() and text.isdigit()):
        yield Problem(name, FormProblem.NOT_A_NUMBER)
    elif len(text) > 4 or not low <= int(text) <= high:
        yield Problem(name, FormProblem.OUT_OF_RANGE, {"low": low, "high": high})


def _alignment_problems(name: str, row: AlignmentFields) -> Iterator[Problem]:
    yield from text_problems(f"{name}-name", row.name, TARGET_NAME_LENGTH)
    if not row.url:
        yield Problem(f"{name}-url", FormProblem.REQUIRED)
    elif len(row.url) > TARGET_URL_LENGTH:
        yield Problem(f"{name}-url", FormProblem.TOO_LONG, {"limit": TARGET_URL_LENGTH})
    elif not is_web_address(row.url):
        yield Problem(f"{name}-url", FormProblem.NOT_A_URL)
    yield from optional_text_problems(f"{name}-framework", row.framework, FRAMEWORK_LENGTH)
    yield from optional_text_problems(f"{name}-code", row.code, CODE_LENGTH)
    if row.type and row.type not in ALIGNMENT_TYPES and not _EXTENSION.fullmatch(row.type):
        yield Problem(f"{name}-type", FormProblem.UNKNOWN_CHOICE)


def is_web_address(url: str) -> bool:
    """Whether it can be followed as a link on other people's pages, and names nobody's password.

    ``http`` too: ESCO's own addresses begin so.
    """
    if not _URL.fullmatch(url):
        return False
    try:
        parts = urlsplit(url)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    is_plain = bool(host) and parts.username is None and str(host).isascii()
    return is_plain and link_iri(url) is not None


def _alignment(row: AlignmentFields) -> AlignmentView:
    return AlignmentView(
        row.name,
        # Other people's validators take a URI, which is ASCII; what is escaped already stays so.
        link_iri(row.url) or row.url,
        row.framework or None,
        row.code or None,
        row.type or None,
    )


def result_descriptions(criterion: Criterion) -> tuple[ResultDescriptionView, ...]:
    """What the scores of a criterion mean, each once, in the order of the tree.

    In percent; where points are asked for in points, since how many there are is the platform's to say. What
    is asked for twice, with two thresholds, has none here.
    """
    found: dict[str, ResultDescriptionView] = {}
    for leaf in leaves(criterion):
        if not isinstance(leaf, ScoreAtLeast | MeanAtLeast):
            continue
        required: str | None = plain(leaf.threshold)
        is_points = isinstance(leaf, ScoreAtLeast) and leaf.unit is Unit.POINTS
        known = found.get(leaf.key)
        kind = "RawScore" if is_points else "Percent"
        if known is not None and (known.result_type, known.required_value) != (kind, required):
            required, kind = None, known.result_type
        found[leaf.key] = ResultDescriptionView(
            key=leaf.key,
            name=leaf.label if known is None else known.name,
            result_type=kind,
            required_value=required,
            value_min="0",
            value_max=None if kind == "RawScore" else "100",
        )
    return tuple(found.values())
