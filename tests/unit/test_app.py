"""The application as a whole, where no journey looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import request

from lti_tool.app import create_app
from lti_tool.settings import load_settings


@pytest.mark.parametrize(
    "proxies, forwarded, seen",
    [
        (0, "203.0.113.9", "127.0.0.1"),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.1, 203.0.113.9", "203.0.113.9"),
        (2, "192.0.2.66, 198.51.100.1, 203.0.113.9", "198.51.100.1"),
        (2, "203.0.113.9", "127.0.0.1"),
    ],
)
def test_a_visitor_cannot_choose_the_address_that_limits_are_counted_by(
    tmp_path: Path, proxies: int, forwarded: str, seen: str
) -> None:
    app = create_app(
        load_settings({"LTI_TOOL_ENV": "development"}, data_dir=tmp_path, trusted_proxies=proxies)
    )
    app.add_url_rule("/seen", view_func=lambda: str(request.remote_addr))
    answer = app.test_client().get(
        "/seen", headers={"X-Forwarded-For": forwarded, "X-Forwarded-Host": "evil.example"}
    )
    assert answer.text == seen
