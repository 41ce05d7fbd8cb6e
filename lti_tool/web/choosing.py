"""The picker of deep linking: what its form says was chosen, and the words that go back with it."""

from __future__ import annotations

from flask_babel import gettext as _
from werkzeug.datastructures import MultiDict

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.services.configuring import Choice, LinkWords

_ROLES = frozenset({"wallet", "dashboard"})
"""As ``action`` of forms that were open before a release: the same as ``role``."""


def choice_of(form: MultiDict[str, str]) -> Choice:
    """What was ticked, and what was pressed beside it: a button adds itself to what is ticked.

    :raises RequestInvalid: ``request_invalid`` for a form that no page of ours has.
    """
    embedded = []
    for value in form.getlist("embedded_id"):
        type_, colon, version_id = value.partition(":")
        if not colon:
            raise RequestInvalid(ErrorCode.REQUEST_INVALID, "embedded_id names no type")
        embedded.append((type_, version_id))
    action = form.get("action", "")
    return Choice(
        version_ids=_ids(form, "micromodule_version_id"),
        category_id=form.get("category") or None,
        gate_ids=_ids(form, "gate_id"),
        roles=tuple(form.getlist("role")) + ((action,) if action in _ROLES else ()),
        embedded=tuple(embedded),
    )


def _ids(form: MultiDict[str, str], name: str) -> tuple[str, ...]:
    return tuple(value for value in form.getlist(name) if value)


def is_nothing(choice: Choice) -> bool:
    """Whether nothing was ticked."""
    return choice == Choice()


def link_words() -> LinkWords:
    """In the language of the page."""
    return LinkWords(
        {"wallet": _("Badges"), "dashboard": _("Badge progress")},
        gates_left=_(
            "One link was added. The gates of this badge are links of their own: open the selection again "
            "and add each."
        ),
    )
