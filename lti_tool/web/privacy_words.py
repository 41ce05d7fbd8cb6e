"""How the kinds of personal data are called, on pages and in the file that a person takes along."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask
from flask_babel import gettext as _


def register(app: Flask) -> None:
    """Give the words to templates."""
    app.jinja_env.globals.update(
        personal_data_word=personal_data_word, personal_data_kinds=lambda: tuple(kind_words())
    )


def personal_data_word(kind: str) -> str:
    """What one kind of record is, in plain words."""
    return kind_words().get(kind, kind)


def kind_words() -> dict[str, str]:
    """Every kind, in the order in which pages list them."""
    return {
        "courses": _("Courses the person takes part in or teaches"),
        "groups": _("Groups within courses"),
        "grades": _("Grades read from the learning platform"),
        "scores": _("Points written into the gradebook for a badge"),
        "gates": _("Activities seen as done"),
        "confirmations": _("Criteria that a teacher confirmed"),
        "submissions": _("Evidence handed in"),
        "files": _("Files handed in"),
        "decisions": _("Decisions about badges, with their reasons"),
        "milestones": _("Decisions about milestones, with their reasons"),
        "completions": _("Micromodules completed"),
        "badges": _("Badges awarded"),
        "credentials": _("Signed badges"),
        "reviews": _("Badges looked at again after the award, with what was asked and answered"),
        "codes": _("Codes taken to join accounts of other learning platforms"),
        "drafts": _("Half-filled forms"),
        "visits": _("Visits to this tool in the last days"),
        "staff_visits": _("Visits to the staff pages"),
        "looked_up": _("Times that somebody opened this person's work or data"),
        "placed": _("Badges placed in courses, as a teacher"),
        "published": _("Badges published, as a teacher"),
        "gates_confirmed": _("Gates confirmed, as a teacher"),
        "confirmed": _("Criteria confirmed for others, as a teacher"),
        "judged": _("Evidence of others judged, as a teacher"),
        "codes_entered": _("Codes of other accounts entered to join them"),
        "versions_prepared": _("Next versions of badges prepared"),
        "versions_published": _("Next versions of badges published"),
        "reviews_decided": _("Badges of others looked at again, as a teacher"),
        "currency_reviewed": _("Badges looked at and found up to date, for an institution"),
        "pictures": _("Pictures brought for badges"),
        "frameworks": _("Skills frameworks imported"),
        "endorsements": _("Endorsements given, for an institution"),
        "endorsements_decided": _("Endorsements accepted or refused, for an institution"),
    }


def export_words() -> Mapping[str, str]:
    """The headings of the readable page of an export."""
    return kind_words() | {
        "title": _("What is stored about you"),
        "person": _("The person"),
        "platform": _("Learning platform"),
        "joined_accounts": _("Accounts joined with this one"),
        "name": _("Name"),
        "email": _("E-mail address"),
        "exported_at": _("Time of this export"),
        "service": _("Badge service"),
        "course": _("Course"),
        "micromodule": _("Micromodule"),
        "badge": _("Badge"),
        "credential": _("Signed badge"),
        "renewals": _("Earned again"),
        "valid_until": _("Valid until"),
        "files": _("Files handed in"),
        "score": _("Points"),
        "maximum": _("Points at most"),
        "comment": _("Comment"),
        "reason": _("Reason"),
        "yes": _("Yes"),
        "no": _("No"),
    }
