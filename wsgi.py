"""The WSGI entry for any server: ``granian --interface wsgi wsgi:app``, ``gunicorn wsgi:app``."""

from lti_tool.app import create_app

app = create_app()
