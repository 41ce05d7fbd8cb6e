"""The WSGI application."""

from __future__ import annotations

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from lti_tool import telemetry, web
from lti_tool.bootstrap import Tool, build_tool
from lti_tool.settings import Settings, load_settings


def create_app(settings: Settings | None = None, *, tool: Tool | None = None) -> Flask:
    """Build the application; it starts no thread and calls nobody.

    :param settings: read from the environment unless given.
    :param tool: built from the settings unless given (tests share theirs with the application).
    :raises ConfigurationInvalid: SETTINGS_INVALID.
    """
    if tool is None:
        settings = settings or load_settings()
        telemetry.configure_logging(settings.log_format, settings.log_level)
        tool = build_tool(settings)
    app = Flask("lti_tool", template_folder=str(tool.settings.templates_path), static_folder=None)
    proxies = tool.settings.trusted_proxies
    if proxies:
        # Believed as far as the operator's proxies reach: what is further left, a visitor may have written.
        fixed = ProxyFix(app.wsgi_app, x_for=proxies, x_proto=proxies, x_host=0)
        app.wsgi_app = fixed  # type: ignore[method-assign]
    web.register(app, tool)
    return app
