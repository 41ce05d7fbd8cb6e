"""Accounts of one person as the pages show them, with a stranger's letters in every name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from lti_tool.services.persons import Code, JoinedBadge, Offered, PersonView
from lti_tool.store.persons import Account
from tests.unit.web.sample_views import NOW, earned, revoked

OWN = Account("learner-1", "registration-1", "Moodle of the Academy", "Ada Lovelace", None, False, 3, 4)
OTHER = Account(
    "learner-9",
    "registration-2",
    "Canvas <b>of</b> the Summer School",
    "<script>alert(1)</script> أدا",
    None,
    False,
    1,
    1,
)
THIRD = Account("learner-8", "registration-3", "Corporate Campus " + "x" * 60, None, None, False, 0, 0)
OFFERED = Offered((OWN,), (OTHER, THIRD))
PERSONS = {
    "alone": PersonView((OWN,), None, None, can_change=True),
    "waiting": PersonView((OWN,), OFFERED, None, can_change=True),
    "asked": PersonView((OWN,), None, OTHER, can_change=True),
    "joined": PersonView((OWN, OTHER, THIRD), None, None, can_change=True),
    "read-only": PersonView((OWN, OTHER), None, None, can_change=False),
}
ELSEWHERE = (
    JoinedBadge(OTHER.platform, replace(earned(1), award_id="award-91", credential_id="credential-91")),
    JoinedBadge(OTHER.platform, replace(revoked(1), award_id="award-92", credential_id="credential-92")),
)


def sample_persons(called: Callable[..., Any]) -> SimpleNamespace:
    """The service, with nobody joined."""
    return SimpleNamespace(
        view=lambda _session: PERSONS["alone"],
        elsewhere=lambda _session: (),
        take_code=called("take_code", Code("KLMNP34567", NOW)),
        look=called("look", OFFERED),
        enter=called("enter", OTHER),
        answer=called("answer"),
        leave=called("leave"),
    )
