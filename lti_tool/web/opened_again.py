"""Addresses that only take a form, opened by a reload or a bookmark.

After a form was refused (409, 422) the address bar shows where it was sent. Whoever opens that is led to the
page on which the form stands; nothing that was typed goes along.
"""

from __future__ import annotations

from types import MappingProxyType

from flask import current_app, redirect, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

PAGES = MappingProxyType(
    {
        "accounts.answer": "accounts.show",
        "accounts.enter": "accounts.show",
        "accounts.leave": "accounts.show",
        "accounts.look": "accounts.show",
        "accounts.take_code": "accounts.show",
        "copies.acknowledge_reset": "course.show",
        "course.ask_again": "course.show",
        "course.confirm_learners": "course.show",
        "course.create_columns": "course.show",
        "course.poll_columns": "course.show",
        "course.start_sync": "course.show",
        "handover.start": "wallet.show",
        "insight.publish": "course.show",
        "people.make_column": "people.attest",
        "privacy.export": "privacy.show",
        "privacy.export_own": "wallet.show",
        "reviews.decide_many": "reviews.show",
        "staff.catalogue.delete_category": "staff.catalogue.category",
        "staff.catalogue.move_category": "staff.catalogue.categories",
        "staff.catalogue.move_micromodule": "staff.catalogue.category",
        "staff.catalogue.set_categories": "staff.catalogue.micromodule",
        "staff.catalogue.set_micromodule_status": "staff.catalogue.micromodule",
        "staff.connections.allow_anonymous": "staff.connections.registration",
        "staff.connections.set_administrator_role": "staff.connections.registration",
        "staff.connections.set_deployment_status": "staff.connections.deployment",
        "staff.connections.set_frame_origins": "staff.connections.deployment",
        "staff.connections.set_registration_status": "staff.connections.registration",
        "staff.currency.reviewed": "staff.currency.subject",
        "staff.endorsements.decide": "staff.endorsements.show",
        "staff.endorsements.import_file": "staff.endorsements.show",
        "staff.holders.resume": "staff.holders.credential",
        "staff.home.change_role": "staff.home.organisation",
        "staff.home.invite": "staff.home.ask_invitation",
        "staff.home.new_link": "staff.home.organisation",
        "staff.home.set_member_status": "staff.home.organisation",
        "staff.home.set_palette": "staff.home.organisation",
        "staff.invitations.withdraw": "staff.invitations.show",
        "staff.issuers.change_picture": "staff.issuers.issuer",
        "staff.issuers.rotate": "staff.issuers.issuer",
        "staff.issuers.set_status": "staff.issuers.issuer",
        "staff.milestones.activate": "staff.milestones.milestone",
        "staff.milestones.publish_version": "staff.milestones.begin_version",
        "staff.milestones.retire": "staff.milestones.milestone",
        "staff.personal_data.export": "staff.personal_data.show",
        "staff.sign_out": "staff.home.show",
        "wallet.set_sharing": "wallet.show",
    }
)
"""Endpoints that only take a form, with the page on which it stands."""


def page_of_form() -> Response | None:
    """The way to the page of the form that this address takes; ``None`` where it takes none, or was not asked
    for as a page is."""
    if request.method not in ("GET", "HEAD"):
        return None
    adapter = current_app.create_url_adapter(request)
    try:
        endpoint, values = adapter.match(method="POST") if adapter is not None else ("", {})
    except HTTPException:
        return None
    page = PAGES.get(endpoint)
    if page is None:
        return None
    # Of what the form's address names, only what the page's address names, too.
    known = {name for rule in current_app.url_map.iter_rules(page) for name in rule.arguments}
    return redirect(url_for(page, **{name: value for name, value in values.items() if name in known}), 303)
