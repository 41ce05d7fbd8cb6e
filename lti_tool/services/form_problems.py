"""What can be wrong with one field of a form, as codes: the page has one sentence for each."""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lti_tool.errors import ErrorCode, RequestInvalid

BIDI_CONTROLS = "".join(map(chr, (*range(0x202A, 0x202F), *range(0x2066, 0x206A))))
"""Invisible characters that turn a text around; a badge's name would read otherwise than it is written."""


class FormProblem(StrEnum):
    """What is wrong with one field; the page has one sentence for each."""

    REQUIRED = "required"
    TOO_LONG = "too_long"
    TOO_MANY = "too_many"
    NOT_A_NUMBER = "not_a_number"
    OUT_OF_RANGE = "out_of_range"
    CONTROL_CHARACTER = "control_character"
    UNKNOWN_CHOICE = "unknown_choice"
    NO_LONGER_EARNED = "no_longer_earned"
    """A rule asks for a badge or micromodule, by its ``name``, that was retired or put aside since."""
    LABEL_USED_TWICE = "label_used_twice"
    CONTRAST_TOO_LOW = "contrast_too_low"
    COLOUR_INVALID = "colour_invalid"
    CHARACTERS_NOT_IN_FONT = "characters_not_in_font"
    NAME_TAKEN = "name_taken"
    NOT_A_URL = "not_a_url"
    NOT_AN_ADDRESS = "not_an_address"
    NOT_AN_ORIGIN = "not_an_origin"
    NOT_A_DATE = "not_a_date"
    DATES_SWAPPED = "dates_swapped"
    NOTHING_ACCEPTED = "nothing_accepted"
    TERM_UNREADABLE = "term_unreadable"
    """A line of a mean that is no "assessment; weight"."""
    TERM_TWICE = "term_twice"
    GROUP_IN_ITSELF = "group_in_itself"
    TOO_DEEP = "too_deep"
    NEEDS_ITSELF = "needs_itself"
    """A micromodule, or its badge, that could only be earned by whoever has it already."""
    ASKS_IN_CIRCLE = "asks_in_circle"
    """The same by way of others, whose ``names`` are told."""
    COLUMN_TOO_LOW = "column_too_low"
    """More points than the gradebook column holds that is made already."""
    WORDS_LOST = "words_lost"
    """Learners whom people confirmed for a rule that is gone now."""
    CHANGED_MEANWHILE = "changed_meanwhile"
    NOTHING_NEW = "nothing_new"
    """A next version that says what the published one says."""
    NOT_IN_FUTURE = "not_in_future"
    NOT_USABLE = "not_usable"
    """Rules that cannot stand together, for no reason that one field shows."""
    PICTURE_MISSING = "picture_missing"
    """No file was chosen."""
    PICTURE_EMPTY = "picture_empty"
    PICTURE_TOO_LARGE = "picture_too_large"
    PICTURE_TOO_MANY_PIXELS = "picture_too_many_pixels"
    PICTURE_TYPE = "picture_type"
    PICTURE_BROKEN = "picture_broken"
    PICTURE_BLANK = "picture_blank"
    PICTURE_NOT_PLAIN = "picture_not_plain"
    """An SVG with entities, without a size, or that is no XML."""
    PICTURE_TOO_COMPLEX = "picture_too_complex"
    PICTURE_LETTERS = "picture_letters"
    PICTURE_BUSY = "picture_busy"
    PICTURE_TOO_MANY = "picture_too_many"
    NOT_COLOURS = "not_colours"
    NOTHING_TO_ENDORSE = "nothing_to_endorse"
    """An address that leads to no achievement and no issuer of this installation."""
    ENDORSES_ITSELF = "endorses_itself"
    ENDORSED_ALREADY = "endorsed_already"
    ENDORSED_TOO_OFTEN = "endorsed_too_often"
    TOO_MANY_WAIT = "too_many_wait"
    NOT_SIGNABLE = "not_signable"
    NO_ENDORSEMENT = "no_endorsement"
    """A file with another credential in it, or none."""
    ENDORSEMENT_NOT_GENUINE = "endorsement_not_genuine"
    ENDORSEMENT_NOT_OURS = "endorsement_not_ours"
    """Of something that this organisation has not."""
    ENDORSEMENT_NOT_EMBEDDABLE = "endorsement_not_embeddable"
    NOTHING_CHOSEN = "nothing_chosen"
    CHANGES_MEANING = "changes_meaning"
    """A correction that would change what a badge stands for: that is a new version's."""
    NOTHING_CHANGED = "nothing_changed"
    CATEGORY_EMPTY = "category_empty"
    CATEGORY_TOO_LARGE = "category_too_large"
    """Its micromodules are listed, and are more than criteria hold: ``limit``, ``number``."""
    NOT_OF_MILESTONES = "not_of_milestones"
    """Criteria that ask for what one course alone knows; ``names`` of these rules."""
    NOT_THERE = "not_there"
    """Criteria that ask by id for what is not here, or not any more; ``names`` of these rules."""
    COUNT_OF_ONE = "count_of_one"
    """A number where one thing is asked for."""
    CODE_UNKNOWN = "code_unknown"
    """None that is open here: never was, is over, was entered, or is another organisation's. All are one, so
    that nobody learns which codes there are."""
    CODE_OWN = "code_own"
    CODE_JOINED = "code_joined"
    CODE_SAME_LMS = "code_same_lms"
    """Two accounts of one LMS are two people to it."""
    IMPORT_EMPTY = "import_empty"
    IMPORT_TOO_LARGE = "import_too_large"
    IMPORT_NOT_JSON = "import_not_json"
    IMPORT_NOT_CRITERIA = "import_not_criteria"
    IMPORT_NOT_SHOWN = "import_not_shown"


@dataclass(frozen=True, slots=True)
class Problem:
    """One field's problem, with the values that its sentence needs."""

    field: str
    code: FormProblem
    params: Mapping[str, object] = dataclasses.field(default_factory=dict)


def check_form(problems: Iterable[Problem]) -> None:
    """Refuse a form that has problems.

    :raises RequestInvalid: FORM_INVALID, with them as ``problems``.
    """
    found = tuple(problems)
    if found:
        raise RequestInvalid(
            ErrorCode.FORM_INVALID, ", ".join(f"{one.field}: {one.code}" for one in found), problems=found
        )


def text_problems(name: str, value: str, limit: int) -> Iterator[Problem]:
    """What keeps a text from being shown, stored and signed.

    :param limit: characters at most.
    """
    if not value:
        yield Problem(name, FormProblem.REQUIRED)
    else:
        yield from optional_text_problems(name, value, limit)


def optional_text_problems(name: str, value: str, limit: int) -> Iterator[Problem]:
    """The same of a text that may be empty."""
    if len(value) > limit:
        yield Problem(name, FormProblem.TOO_LONG, {"limit": limit})
    elif value and is_unprintable(value):
        yield Problem(name, FormProblem.CONTROL_CHARACTER)


def sort_alike(texts: Iterable[str]) -> bool:
    """Whether verifiers agree on the order of these texts; a badge on which they do not is never signed
    (``lti_tool.credentials.linting.lint_order``).
    """
    return sorted(texts) == sorted(texts, key=lambda text: text.encode("utf-16-be", "surrogatepass"))


def is_unprintable(text: str) -> bool:
    """Whether it shows nothing at all, holds characters that must not be signed, or some that would turn it
    around on other people's pages.
    """
    if all(unicodedata.category(character)[0] in "CZ" for character in text):
        return True
    return any(
        (unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") and character not in "\n\t")
        or character in BIDI_CONTROLS
        for character in text
    )
