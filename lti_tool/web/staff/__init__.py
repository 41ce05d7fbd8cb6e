"""The staff pages: an organisation's people look after its platforms, issuers, micromodules and badges."""

from __future__ import annotations

from flask import Flask

from lti_tool.web import currency_words
from lti_tool.web.staff import (
    catalogue,
    connections,
    corrections,
    currency,
    endorsements,
    frameworks,
    gate,
    handover,
    health,
    health_words,
    holders,
    home,
    invitations,
    issuers,
    milestones,
    pathways,
    personal_data,
    records,
    retroactive,
    trail,
    versions,
    words,
)

for _room in (
    home,
    connections,
    health,
    invitations,
    catalogue,
    milestones,
    pathways,
    currency,
    corrections,
    versions,
    retroactive,
    issuers,
    endorsements,
    frameworks,
    holders,
    personal_data,
    records,
    trail,
):
    gate.blueprint.register_blueprint(_room.blueprint)


def register(app: Flask) -> None:
    """Mount every staff page, and the door to them inside the frame."""
    words.register(app)
    health_words.register(app)
    currency_words.register(app)
    app.register_blueprint(gate.blueprint)
    app.register_blueprint(handover.blueprint)
