"""LTI Badges: an LTI 1.3 Advantage tool that turns finished micromodules into Open Badges."""

__version__ = "0.1.0"
