"""Sample views of personal data: somebody with everything, somebody with nearly nothing."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import IO

from lti_tool.services.privacy import PersonView
from lti_tool.store.privacy import CREDENTIALS, FILES, KINDS, Subject
from tests.unit.web.sample_views import LONG_WORD, NOW, session

SUBJECT = Subject(
    id="learner-2",
    organisation_id="organisation-1",
    registration_id="registration-1",
    platform="Moodle of Example University",
    issuer="https://moodle.example.edu",
    sub="8d7f2a9c-1b7e-4b5e-9a8a-0d2f4a0c8b11",
    name="Ada Lovelace",
    email="ada@example.edu",
    is_test_user=False,
    created_at=NOW - timedelta(days=90),
    last_launched_at=NOW - timedelta(days=2),
)
NAMES = (*(kind.name for kind in KINDS), FILES, CREDENTIALS)
PEOPLE: Mapping[str, PersonView] = {
    "usual": PersonView(SUBJECT, {name: 3 * number for number, name in enumerate(NAMES, 1)}, 2),
    "little": PersonView(
        replace(SUBJECT, name=None, email=None), dict.fromkeys(NAMES, 0) | {"courses": 1}, 0
    ),
    "long": PersonView(
        replace(
            SUBJECT,
            name=LONG_WORD,
            platform=LONG_WORD,
            sub="s" * 255,
            email=f"{'a' * 60}@{'b' * 200}.example",
        ),
        dict.fromkeys(NAMES, 1_234_567),
        1,
    ),
}
ADMINISTRATOR = session(
    purpose="privacy",
    subject_id="learner-2",
    is_administrator=True,
    is_learner=False,
    context_id=None,
    context_title=None,
    resource_link_id=None,
    placement_id=None,
    link_role="wallet",
)


def archive() -> IO[bytes]:
    """An export; its content is for the real service."""
    return io.BytesIO(b"PK\x05\x06" + bytes(18))
