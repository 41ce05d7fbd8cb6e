"""What a session is for, and whom it is about."""

from __future__ import annotations

import pytest

from lti_tool.store import tables
from tests import factories
from tests.unit.lti.tokens import INSTRUCTOR, NOW
from tests.unit.services.launches import World

ADMINISTRATOR = "http://purl.imsglobal.org/vocab/lis/v2/institution/person#Administrator"


@pytest.mark.parametrize(
    "message_type, purpose",
    [("LtiSubmissionReviewRequest", "review"), ("DataPrivacyLaunchRequest", "privacy")],
)
def test_a_session_is_about_the_person_whom_the_message_names(
    world: World, message_type: str, purpose: str
) -> None:
    subject = world.accept(sub="9").session.learner_id
    accepted = world.accept(sub="5", roles=(INSTRUCTOR,), message_type=message_type, for_user="9")
    opened = world.launching.open_session(accepted.session.id, accepted.token)
    for view in (accepted.session, opened):
        assert (view.purpose, view.subject_id) == (purpose, subject)
        assert view.learner_id != subject


def test_who_launches_may_be_the_subject(world: World) -> None:
    view = world.accept(sub="9", message_type="LtiSubmissionReviewRequest", for_user="9").session
    assert view.subject_id == view.learner_id


def test_nobody_is_made_up_for_a_name_the_platform_gives(world: World) -> None:
    view = world.accept(
        roles=(INSTRUCTOR,), message_type="LtiSubmissionReviewRequest", for_user="404"
    ).session
    assert view.subject_id is None
    assert [row.sub for row in world.rows(tables.Learner)] == ["5"]


def test_a_person_of_another_registration_is_nobody_here(world: World) -> None:
    elsewhere = factories.course(world.database, NOW)
    world.accept(elsewhere, sub="9")
    view = world.accept(roles=(INSTRUCTOR,), message_type="DataPrivacyLaunchRequest", for_user="9").session
    assert view.subject_id is None


def test_a_person_of_another_organisation_on_the_same_registration_is_nobody_here(world: World) -> None:
    other = world.share_registration("deployment-of-others")
    with world.database.write() as session:
        session.add(
            tables.Learner(
                organisation_id=other, registration_id=world.course.registration_id, sub="9", created_at=NOW
            )
        )
    view = world.accept(roles=(INSTRUCTOR,), message_type="DataPrivacyLaunchRequest", for_user="9").session
    assert view.subject_id is None


def test_plain_links_and_choosing_are_about_nobody(world: World) -> None:
    view = world.accept().session
    assert (view.purpose, view.subject_id) == ("link", None)
