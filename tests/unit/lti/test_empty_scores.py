"""The score without points that opens a result: it grades nobody, clears nothing, makes no attempt."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from lti_tool.lti.grades import EmptyScore, post_score
from tests.unit.lti.lms import COLUMN_URL, ISSUER, access, lms

SCORES_URL = f"{ISSUER}/mod/lti/services.php/2/lineitems/13/lineitem/scores?type_id=1"


def test_it_says_that_nothing_was_done_and_nothing_is_graded() -> None:
    score = EmptyScore("5", datetime(2026, 3, 1, 12, 0, 0, 45_678, tzinfo=UTC))
    with lms() as given:
        given.gives_tokens()
        given.mock.post(SCORES_URL, status=200, body='{"resultUrl":"https://x"}')
        assert post_score(given.connector, access(product="canvas"), COLUMN_URL, score) is None
        (call,) = given.calls("/scores")
    assert json.loads(call.body) == {
        "userId": "5",
        "activityProgress": "Initialized",
        "gradingProgress": "NotReady",
        "timestamp": "2026-03-01T12:00:00.045Z",
        "https://canvas.instructure.com/lti/submission": {
            "new_submission": False,
            "preserve_score": True,
            "prioritize_non_tool_grade": True,
        },
    }
