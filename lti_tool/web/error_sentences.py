"""What the texts of error codes are made of: their form, and sentences that several of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask_babel import lazy_gettext as _


@dataclass(frozen=True, slots=True)
class ErrorText:
    """Lazily translated sentences."""

    title: Any
    happened: Any
    advice: Any
    advice_alone: Any = None
    """Instead of ``advice`` where the page has no button for a fresh launch."""
    advice_on_staff_pages: Any = None
    """Instead of ``advice`` on a staff page, which no course leads to."""
    leads_to: tuple[str, Any] | None = None
    """Endpoint and words of the page that ``advice`` speaks of, for a button."""


AGAIN = _("Go back to the course page and open the activity again.")
BACK = _("Go back to the page that you came from and load it again. In a course, open the activity again.")
ADMINISTRATOR = _(
    "Please tell the people who look after your learning platform, and give them the code shown here."
)
OPERATOR = _("Please tell the people who run this badge service, and give them the code shown here.")
LATER = _("Nothing is lost. The tool tries again by itself; you can also try again in a few minutes.")
STAFF_AGAIN = _("Go back, load the page again, and repeat what you did.")
NEW_LINK = _("Ask whoever sent it for a new one.")
REGISTER_AGAIN = _("Go back to your learning platform's list of tools, and paste the link again.")
LAUNCH = _("This launch was refused")
PLATFORM = _("The learning platform did not answer as expected")
BADGE = _("This badge could not be made")
