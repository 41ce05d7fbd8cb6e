"""Corrections in words: what is wrong with one, and what its fields are called."""

from __future__ import annotations

from flask_babel import gettext as _


def correction_problem(code: str) -> str | None:
    """Why a correction is not made; ``None`` for other problems."""
    return {
        "changes_meaning": _(
            "This would change what the badge stands for, and those who have it relied on that. "
            "Publish a new version instead."
        ),
        "nothing_changed": _("Nothing here differs from what is recorded."),
        "corrected_meanwhile": _(
            "Somebody else corrected this badge meanwhile. Look at what it says now, and try again."
        ),
    }.get(code)


def correction_label(name: str) -> str | None:
    """What a field of the page is called."""
    return {
        "criteria_narrative": _("Criteria in words"),
        "correction": _("Correction"),
    }.get(name)
