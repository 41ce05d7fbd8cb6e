"""Badges of a school: made, and looked at as they are stored and published."""

from __future__ import annotations

import json
from typing import Any

from lti_tool.credentials.status_list import StatusList
from lti_tool.store import tables
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.school import School


def badge(school: School) -> tuple[Course, Placed]:
    course = school.course()
    return course, factories.placed(school.database, course)


def awards(school: School, course: Course, placed: Placed, count: int) -> list[str]:
    learners = factories.enrol(school.database, course, count)
    return [factories.award(school.database, course, placed, learner) for learner in learners]


def credential(school: School, credential_id: str) -> tables.Credential:
    (row,) = school.rows(tables.Credential, tables.Credential.id == credential_id)
    assert isinstance(row, tables.Credential)
    return row


def document(school: School, credential_id: str) -> dict[str, Any]:
    text = credential(school, credential_id).document
    assert text is not None
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def bits(school: School, status_list_id: str) -> StatusList:
    published = school.status_lists.published(status_list_id)
    assert published is not None
    return StatusList.decode(json.loads(published.body)["credentialSubject"]["encodedList"])
