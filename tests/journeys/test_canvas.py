"""What only a Canvas asks of the tool: the storage frame, ids and hosts that institutions share or do not."""

from __future__ import annotations

from tests.journeys.campus import TOOL_URL, Campus


def test_a_launch_reaches_the_wallet_with_and_without_cookies(canvas_campus: Campus) -> None:
    """Without any cookie the secret of the login lies in Canvas's storage frame."""
    badge = canvas_campus.place_badge()
    for cookies in ("all", "partitioned_only", "none"):
        wallet = canvas_campus.open_wallet("ada", badge, cookies=cookies)
        assert wallet.status == 200
        assert wallet.url.startswith(TOOL_URL)
        assert "Quiz 1: at least 60" in wallet.words
