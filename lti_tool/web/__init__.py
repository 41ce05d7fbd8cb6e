"""Everything a person sees, and every address that a program asks.

Views read a form, call one service and render one page; rules live in services and below.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from lti_tool.web import (
    accounts,
    answers,
    assets,
    badge_details,
    configure,
    copies,
    course,
    criteria_words,
    ending_words,
    errors,
    gates,
    headers,
    hosted,
    i18n,
    insight,
    insight_words,
    lti,
    notices,
    ops,
    people,
    people_words,
    privacy,
    privacy_words,
    public,
    registering,
    retroactive,
    retroactive_words,
    returning,
    review_words,
    reviewing,
    reviews,
    session,
    staff,
    verification_words,
    verify,
    version_words,
    versions,
    wallet,
    wording,
    writing,
)

if TYPE_CHECKING:
    from lti_tool.bootstrap import Tool

LARGEST_BODY = 512 * 1024
"""Bytes of a request body; only the verifier takes more."""


def register(app: Flask, tool: Tool) -> None:
    """Put pages, headers, errors and languages onto the application."""
    app.extensions["lti_tool"] = tool
    app.response_class = answers.Answer
    app.config["MAX_CONTENT_LENGTH"] = app.config["MAX_FORM_MEMORY_SIZE"] = LARGEST_BODY
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    headers.register(app)
    i18n.register(app)
    session.register(app)
    errors.register(app)
    returning.register(app)
    assets.register(app)
    wording.register(app)
    badge_details.register(app)
    ending_words.register(app)
    criteria_words.register(app)
    writing.register(app)
    version_words.register(app)
    retroactive_words.register(app)
    people_words.register(app)
    review_words.register(app)
    accounts.register(app)
    privacy_words.register(app)
    insight_words.register(app)
    verification_words.register(app)
    verify.register(app)
    staff.register(app)
    for room in (
        lti,
        registering,
        notices,
        wallet,
        accounts,
        course,
        copies,
        gates,
        people,
        privacy,
        insight,
        reviewing,
        reviews,
        configure,
        versions,
        retroactive,
        public,
        hosted,
        ops,
    ):
        app.register_blueprint(room.blueprint)
