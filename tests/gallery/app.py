"""The sample pages as one application that shows whichever page of the table it is told to."""

from __future__ import annotations

from typing import Any

from flask import Flask

from tests.gallery import components
from tests.gallery.pages import SamplePage
from tests.unit.web.samples import Sample, sample_app


def gallery_app(tool: Sample | None = None, **config: Any) -> Flask:
    """The web room on sample services, and the components page beside it."""
    app = sample_app(tool or Sample(), **config)
    components.register(app)
    return app


def put(app: Flask, page: SamplePage, *, locale: str = "en", base_url: str | None = None) -> Sample:
    """Let ``app`` show ``page`` when its path is asked for; the services behind it, fresh."""
    tool = page.tool(locale)
    if base_url is not None:
        tool.settings.base_url = base_url
    app.extensions["lti_tool"] = tool
    return tool
