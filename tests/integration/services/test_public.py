"""What strangers may read: shared badges, and what badges stand for."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from lti_tool.credentials.verification import Verdict, verify
from lti_tool.keyring import Keyring
from lti_tool.services.public import PublicRecords
from lti_tool.services.sharing import Sharing
from lti_tool.services.verifying import Verifying
from lti_tool.store import tables
from tests import factories
from tests.factories import NOW, PNG, Course, Placed
from tests.integration.services.school import BASE_URL, School, session_of
from tests.integration.services.test_verifying import verifying


@pytest.fixture
def course(small_school: School) -> Course:
    return small_school.course()


@pytest.fixture
def placed(small_school: School, course: Course) -> Placed:
    return factories.placed(small_school.database, course)


def records(school: School) -> PublicRecords:
    return PublicRecords(school.database, school.issuing, school.urls, Keyring(school.keys_dir))


def shared(school: School, course: Course, placed: Placed, email: str | None = None) -> str:
    (learner,) = factories.enrol(school.database, course)
    school.change(tables.Learner, tables.Learner.id == learner, email=email)
    credential_id = school.issued(course, placed, learner)
    Sharing(school.database, school.clock, school.urls).set_public(
        session_of(course, learner), credential_id, True
    )
    return credential_id


def test_a_shared_badge_tells_what_it_stands_for(
    small_school: School, course: Course, placed: Placed
) -> None:
    credential_id = shared(small_school, course, placed)
    found = records(small_school).credential(credential_id)
    assert found is not None
    assert found.url == json.loads(found.document)["id"] == f"{BASE_URL}/credentials/{credential_id}"
    assert found.achievement_version_id == placed.achievement_version_id
    assert found.issuer_id == course.issuer_id
    assert (found.skills, found.awarded_at, found.is_revoked) == (("Writing tests",), NOW, False)


@pytest.mark.parametrize("column", ["revoked_at", "suspended_at"])
def test_the_older_edition_is_offered_while_it_stands_there(
    small_school: School, course: Course, placed: Placed, column: str
) -> None:
    """Revoked or paused it answers 410, and its picture 404: nothing for a backpack to take."""
    credential_id = shared(small_school, course, placed, "ada@school.example")
    hosted = f"{BASE_URL}/ob2/assertions/{credential_id}"
    for moment, offered in ((None, hosted), (NOW, None), (None, hosted)):
        small_school.change(tables.Credential, tables.Credential.id == credential_id, **{column: moment})
        found = records(small_school).credential(credential_id)
        assert found is not None
        assert found.hosted_url == offered


def test_what_only_repeats_the_criteria_is_not_said_beside_them(
    small_school: School, course: Course, placed: Placed
) -> None:
    credential_id = shared(small_school, course, placed)
    small_school.change(
        tables.AchievementVersion, description="Pass it; Come", criteria_narrative="Pass it\nCome"
    )
    for description, own in (("Pass it; Come", ""), ("Testing.", "Testing.")):
        small_school.change(tables.AchievementVersion, description=description)
        badge = records(small_school).credential(credential_id)
        assert placed.achievement_version_id is not None
        achievement = records(small_school).achievement(placed.achievement_version_id)
        assert badge is not None
        assert achievement is not None
        assert (badge.own_description, achievement.own_description) == (own, own)
        assert badge.description == achievement.view.description == description, "as signed"


def test_the_page_of_a_badge_changes_its_mark_when_it_is_revoked(
    small_school: School, course: Course, placed: Placed
) -> None:
    credential_id = shared(small_school, course, placed)
    before = records(small_school).document(credential_id)
    small_school.revoking.revoke(credential_id, "Mistake", "cli")
    after = records(small_school).document(credential_id)
    assert before is not None
    assert after is not None
    assert before.etag != after.etag
    assert before.body == after.body
    assert records(small_school).etag(credential_id) == after.etag
    shown = records(small_school).credential(credential_id)
    assert shown is not None
    assert shown.revocation_reason == "Mistake"
    assert shown.document == after.body


def test_whether_a_badge_changed_is_known_without_reading_it(
    small_school: School, course: Course, placed: Placed
) -> None:
    public = records(small_school)
    credential_id = shared(small_school, course, placed)
    with public.database.statements() as statements:
        assert public.etag(credential_id) is not None
    (statement,) = statements
    assert "document IS NOT NULL" in statement
    assert "document," not in statement.partition("FROM")[0]
    with public.database.write() as session:
        session.execute(sa.update(tables.Credential).values(is_public=False))
    assert public.etag(credential_id) is None
    assert public.document(credential_id) is None


def test_the_baked_picture_verifies(small_school: School, course: Course, placed: Placed) -> None:
    baked = records(small_school).baked_png(shared(small_school, course, placed))
    assert baked is not None
    assert baked != PNG
    judged: Verifying = verifying(small_school)
    assert verify(baked, fetch=judged, now=NOW).verdict is Verdict.VALID


def test_an_achievement_is_public_by_its_own_id_and_its_versions(
    small_school: School, course: Course, placed: Placed
) -> None:
    (version,) = small_school.rows(tables.AchievementVersion)
    with small_school.database.write() as session:
        values = {
            column.name: getattr(version, column.name)
            for column in tables.AchievementVersion.__table__.columns
        }
        session.add(tables.AchievementVersion(**{**values, "id": "2" * 32, "number": 2, "name": "Newer"}))
    by_version = records(small_school).achievement(version.id)
    newest = records(small_school).achievement(version.achievement_id)
    assert by_version is not None
    assert newest is not None
    assert (by_version.view.number, newest.view.number, newest.view.name) == (1, 2, "Newer")
    written = json.loads(by_version.document.body)
    assert written["id"] == f"{BASE_URL}/achievements/{version.id}"
    issuer = records(small_school).issuer(course.issuer_id)
    assert issuer is not None
    assert [one.name for one in issuer.achievements] == ["Newer"]
    assert json.loads(issuer.document.body)["id"] == issuer.did


def test_the_achievement_is_published_as_its_badges_embed_it(
    small_school: School, course: Course, placed: Placed
) -> None:
    found = records(small_school).credential(shared(small_school, course, placed))
    assert found is not None
    published = records(small_school).achievement(found.achievement_version_id)
    assert published is not None
    written = json.loads(published.document.body)
    del written["@context"]
    assert written == json.loads(found.document)["credentialSubject"]["achievement"]


def test_pictures_are_public(small_school: School, placed: Placed) -> None:
    assert placed.achievement_version_id is not None
    assert records(small_school).image(placed.achievement_version_id, "png") == PNG
    svg = records(small_school).image(placed.achievement_version_id, "svg")
    assert svg is not None
    assert svg.startswith(b"<svg")


def test_what_does_not_exist_is_nothing(small_school: School) -> None:
    public = records(small_school)
    for unknown in ("", "0" * 32, "' OR 1=1 --"):
        assert public.credential(unknown) is None
        assert public.baked_png(unknown) is None
        assert public.achievement(unknown) is None
        assert public.image(unknown, "png") is None
        assert public.issuer(unknown) is None
        assert small_school.issuing.did_document(unknown) is None
        assert small_school.status_lists.published(unknown) is None
