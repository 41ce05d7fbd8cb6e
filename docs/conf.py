"""Sphinx, with Markdown by MyST; a warning is an error (``make docs``)."""

from __future__ import annotations

from lti_tool import __version__

project = "LTI Badges"
author = "The LTI Badges contributors"
copyright = "The LTI Badges contributors, Apache-2.0"
release = __version__
version = __version__

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nitpicky = True
exclude_patterns: list[str] = []

html_theme = "furo"
html_title = "LTI Badges"
html_show_copyright = False
html_copy_source = False
