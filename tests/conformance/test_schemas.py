"""1EdTech's JSON Schemas, both families, over everything that we build."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest

from lti_tool.credentials.documents import Evidence, Result
from tests import needs
from tests.unit.credentials import test_endorsements as endorsements
from tests.unit.credentials.badges import ACHIEVEMENT, NOW, RESULT_ID, badge, full_badge, signed

BADGES = {
    "everything": full_badge(),
    "full": badge(
        refresh_url="https://badges.example.edu/r", narrative="n", valid_until=NOW.replace(year=2030)
    ),
    "plain": badge(evidence=[], results=[], status=None),
    "with-a-did": badge(
        subject_id="did:key:z6MkA", evidence=[Evidence(id="https://x.example/1", genre="Essay")]
    ),
    "with-a-status": badge(results=[Result(RESULT_ID, "85", "Completed")]),
}


@pytest.mark.parametrize("name", BADGES)
@pytest.mark.parametrize(
    "schema",
    ["ob_v3p0_achievementcredential_schema.json", "json-ld_ob_v3p0_achievementcredential_schema.json"],
)
def test_our_badges_are_of_the_schema(name: str, schema: str) -> None:
    checker = validator(schema)
    assert [error.message for error in checker.iter_errors(signed(BADGES[name]))] == []


def test_our_endorsements_are_of_the_schema() -> None:
    checker = validator("ob_v3p0_endorsementcredential_schema.json")
    assert [error.message for error in checker.iter_errors(endorsements.signed())] == []
    assert list(checker.iter_errors(endorsements.signed() | {"issuer": 1}))


@pytest.mark.parametrize("of", ["achievement", "issuer", "credential"])
@pytest.mark.parametrize(
    "schema",
    ["ob_v3p0_achievementcredential_schema.json", "json-ld_ob_v3p0_achievementcredential_schema.json"],
)
def test_an_endorsed_badge_is_of_the_schema(of: str, schema: str) -> None:
    document = endorsements.carrying(endorsements.signed(), of=of)
    assert [error.message for error in validator(schema).iter_errors(document)] == []


@pytest.mark.parametrize(
    "path,value",
    [
        (("credentialSubject", "achievement", "achievementType"), "Nonsense"),
        (("credentialSubject", "identifier", 0, "identityType"), "shoeSize"),
        (("credentialSubject", "result", 0, "value"), 85),
        (("issuer", "image"), "https://x.example/logo.png"),
        (("credentialStatus",), [{"id": "https://x.example/", "type": "BitstringStatusListEntry"}]),
    ],
)
def test_the_schema_would_have_said_so(path: tuple[Any, ...], value: Any) -> None:
    document = signed(BADGES["full"])
    place: Any = document
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    assert list(validator("ob_v3p0_achievementcredential_schema.json").iter_errors(document))


def validator(schema: str) -> jsonschema.Draft201909Validator:
    content = json.loads(needs.reference(f"data/schemas/{schema}").read_text("utf-8"))
    return jsonschema.Draft201909Validator(
        content, format_checker=jsonschema.Draft201909Validator.FORMAT_CHECKER
    )


def test_every_member_of_an_achievement_is_in_the_example() -> None:
    # so that the schemas see what the builder can write
    missing = {name for name, value in vars(ACHIEVEMENT).items() if value in (None, (), "")}
    assert missing == {"criteria_url", "endorsements"}, "these are in the full badge"
