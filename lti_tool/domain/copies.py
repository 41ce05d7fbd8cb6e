"""Which course a copied link came from, and whether that is believed (LTI Core §E.2, E.3: id histories).

A copied course keeps the ``badge_link_key`` of its links, since LMSs copy custom parameters. The key alone is
no proof: whoever edits a link can type another one. What the platform says of the course's past decides
whether its badges are set up silently, as drafts, or only on an instructor's word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

MOST_IN_HISTORY: Final = 1_000
"""Canvas names no more, and then says ``truncated``."""
TRUNCATED: Final = "truncated"


class Doubt(StrEnum):
    """Why a link's badge is not taken over without being asked for."""

    OTHER_PLATFORM = "other_platform"
    """It is of a course on another LMS of the organisation: no LMS copies from another."""
    HISTORY_CONTRADICTS = "history_contradicts"
    """The platform names the courses that this one was copied from, and it is none of them."""
    REMOVED = "removed"
    """It was removed in the course that it came from."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A placement elsewhere in the organisation that has the key of a link."""

    placement_id: str
    context_id: str
    context_id_on_platform: str
    registration_id: str
    is_active: bool
    is_removed: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of a course's past."""

    registration_id: str
    context_history: tuple[str, ...] | None
    """The platform's ids of the courses before it, the nearest first; ``None`` where it says nothing."""
    is_truncated: bool = False
    """There are more than the platform names."""
    link_contexts: frozenset[str] = frozenset()
    """Our ids of contexts in which a link of the platform's link history was launched."""
    noted_origin_id: str | None = None
    """Our id of the context that an earlier launch or a notice named."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a link came from."""

    candidate: Candidate
    doubt: Doubt | None
    is_whole_course: bool
    """The platform says that the course itself was copied from there, and not this link alone."""


def read_history(value: str | None) -> tuple[tuple[str, ...] | None, bool]:
    """Ids of a history variable, each once, and whether the platform cut the list off.

    ``None`` where it says nothing: an empty value says that there is no past, or that it is not known; a
    link brought into a course by itself gives that course none (Moodle's "Import").
    """
    ids = [part.strip() for part in (value or "").split(",")]
    is_truncated = TRUNCATED in ids
    known = tuple(dict.fromkeys(part for part in ids if part and part != TRUNCATED))
    return known[:MOST_IN_HISTORY] or None, is_truncated or len(known) > MOST_IN_HISTORY


def choose_origin(candidates: Iterable[Candidate], past: Past) -> Origin | None:
    """The course that a link most probably came from; the order of ``candidates`` is irrelevant.

    What is confirmed by the platform comes first, of that the nearest; then what nothing speaks against.
    Among equals a published badge comes before a draft, and what is newer before what is older.
    """
    best = min(candidates, key=lambda one: _rank(one, past), default=None)
    if best is None:
        return None
    is_whole = _is_of_past(best, past)
    return Origin(best, _doubt(best, past), is_whole and best.registration_id == past.registration_id)


def _rank(one: Candidate, past: Past) -> tuple[bool, bool, int, int, bool, float, str]:
    doubt = _doubt(one, past)
    return (
        doubt is not None,
        doubt is Doubt.OTHER_PLATFORM,
        _distance(one, past),
        0 if one.context_id in past.link_contexts else 1,
        not one.is_active,
        -one.created_at.timestamp(),
        one.placement_id,
    )


def _distance(one: Candidate, past: Past) -> int:
    """How far back in the course's history; a course that is not in it comes last."""
    if one.registration_id != past.registration_id:
        return MOST_IN_HISTORY + 1
    history: Sequence[str] = past.context_history or ()
    if one.context_id_on_platform in history:
        return history.index(one.context_id_on_platform)
    return 0 if one.context_id == past.noted_origin_id else MOST_IN_HISTORY


def _is_of_past(one: Candidate, past: Past) -> bool:
    history: Collection[str] = past.context_history or ()
    return one.context_id_on_platform in history or one.context_id == past.noted_origin_id


def _doubt(one: Candidate, past: Past) -> Doubt | None:
    if one.registration_id != past.registration_id:
        return Doubt.OTHER_PLATFORM
    if one.is_removed:
        return Doubt.REMOVED
    if _is_of_past(one, past) or one.context_id in past.link_contexts:
        return None
    if past.context_history is not None and not past.is_truncated:
        return Doubt.HISTORY_CONTRADICTS
    return None


RESET_LEAST: Final = 3
"""As many learners or grades have to vanish before it can be a reset."""
RESET_SHARE: Final = 0.8


def looks_reset(vanished: int, left: int) -> bool:
    """Whether a complete reading looks as if the course had been reset: nearly everybody, or every grade, of
    those who were there is gone.

    :param vanished: learners (or grades) that were there before and are not any more.
    :param left: those that were there before and still are.
    """
    return vanished >= RESET_LEAST and vanished >= RESET_SHARE * (vanished + left)
