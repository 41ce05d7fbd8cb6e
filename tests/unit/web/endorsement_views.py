"""Endorsements as the services would give them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

from lti_tool.services.endorsing import EndorsementsView
from lti_tool.store.endorsements import EndorsementView
from tests.unit.web.sample_views import LONG_WORD, NOW
from tests.unit.web.staff_views import issuer

OFFERED = EndorsementView(
    id="endorsement-1",
    organisation_id="organisation-1",
    organisation_name="Example University",
    achievement_version_id="version-writing",
    achievement_name="Academic Writing",
    endorsed_issuer_id=None,
    endorsed_issuer_name=None,
    endorser_id="issuer-9",
    endorser_name="Chamber of Crafts",
    endorser_url="did:web:badges.example.edu:issuers:issuer-9",
    comment="What our members ask of beginners: plain words, checked sources, and a text that was revised.",
    document="{}",
    status="offered",
    status_list_id="list-1",
    status_index=7,
    offered_at=NOW - timedelta(days=3),
    decided_at=None,
    withdrawn_at=None,
)
ACCEPTED = replace(
    OFFERED,
    id="endorsement-2",
    achievement_version_id=None,
    achievement_name=None,
    endorsed_issuer_id="issuer-1",
    endorsed_issuer_name="Example University",
    status="accepted",
    decided_at=NOW,
)
IMPORTED = replace(
    ACCEPTED,
    id="endorsement-3",
    endorser_id=None,
    endorser_name=f"<b>{LONG_WORD}</b>",
    endorser_url="did:key:z6MkjZRZv3aez3r18pB1RBFJR1kwUVJ5jHt92JmQwXbd5hwi",
    comment="",
)
REFUSED = replace(OFFERED, id="endorsement-4", status="refused", decided_at=NOW)
WITHDRAWN = replace(ACCEPTED, id="endorsement-5", status="withdrawn", withdrawn_at=NOW)
GIVEN = replace(OFFERED, id="endorsement-6", organisation_name="Guild of Writers", endorser_name="Ours")
USUAL = EndorsementsView(
    (OFFERED, ACCEPTED, IMPORTED, REFUSED, WITHDRAWN),
    (GIVEN, replace(GIVEN, id="endorsement-7", status="accepted", decided_at=NOW), WITHDRAWN),
    (issuer(), issuer(id="issuer-2", name=LONG_WORD)),
)
NONE = EndorsementsView((), (), (issuer(),))


def sample_endorsing(called: Any) -> SimpleNamespace:
    """The service; changes are recorded."""
    return SimpleNamespace(
        of_organisation=lambda _staff: USUAL,
        waiting=lambda _organisation_id: 0,
        given=lambda _staff, _endorsement_id: GIVEN,
        endorse=called("endorse", "endorsement-1"),
        accept=called("accept"),
        refuse=called("refuse"),
        withdraw=called("withdraw_endorsement"),
        import_file=called("import_endorsement", "endorsement-3"),
    )
