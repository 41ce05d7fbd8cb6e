"""Badges as tokens: whose they are, what they are called, and that they verify."""

from __future__ import annotations

import json
from dataclasses import dataclass

import jwt
import pytest

from lti_tool.credentials.verification import Verdict
from lti_tool.errors import ErrorCode, NotAllowed, NotFound, RequestInvalid
from lti_tool.keyring import Keyring, token_purpose
from lti_tool.services.launching import SessionView
from lti_tool.services.sharing import Sharing
from lti_tool.store import tables
from tests import factories
from tests.factories import Course
from tests.integration.services.school import BASE_URL, School, session_of
from tests.integration.services.test_verifying import verifying


@dataclass(frozen=True)
class Holder:
    """A learner with a badge that is shared."""

    school: School
    course: Course
    session: SessionView
    credential_id: str

    @property
    def address(self) -> str:
        return f"{BASE_URL}/credentials/{self.credential_id}.jwt"

    def share(self, is_public: bool = True) -> None:
        sharing = Sharing(self.school.database, self.school.clock, self.school.urls)
        sharing.set_public(self.session, self.credential_id, is_public)

    def token(self) -> str:
        found = self.school.tokens.public(self.credential_id)
        assert found is not None
        return found.body.decode()


@pytest.fixture
def holder(school: School) -> Holder:
    course = school.course()
    placed = factories.placed(school.database, course)
    (learner,) = factories.enrol(school.database, course)
    made = Holder(school, course, session_of(course, learner), school.issued(course, placed, learner))
    made.share()
    return made


def claims(token: str) -> dict[str, object]:
    said: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return said


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_shared_badges_token_verifies_at_its_address_and_as_a_file(holder: Holder, algorithm: str) -> None:
    holder.school.change(
        tables.Issuer, tables.Issuer.id == holder.course.issuer_id, token_algorithm=algorithm
    )
    token = holder.token()
    assert jwt.get_unverified_header(token)["alg"] == algorithm
    for report in (
        verifying(holder.school).verify(token.encode()),
        verifying(holder.school).verify_url(holder.address),
    ):
        assert report.verdict is Verdict.VALID, report.steps
    assert claims(token)["jti"] == holder.address


def test_a_private_badges_token_is_its_learners_alone(holder: Holder) -> None:
    holder.share(False)
    tokens = holder.school.tokens
    assert tokens.public(holder.credential_id) is None
    assert tokens.etag(holder.credential_id) is None
    with pytest.raises(RequestInvalid) as refusal:
        verifying(holder.school).verify_url(holder.address)
    assert refusal.value.code is ErrorCode.VERIFY_URL_UNREACHABLE
    own = tokens.own(holder.session, holder.credential_id)
    assert verifying(holder.school).verify(own).verdict is Verdict.VALID


def test_nobody_elses_session_gets_it(holder: Holder) -> None:
    (other,) = factories.enrol(holder.school.database, holder.course)
    elsewhere = holder.school.course()
    (stranger,) = factories.enrol(holder.school.database, elsewhere)
    for session in (session_of(holder.course, other), session_of(elsewhere, stranger)):
        with pytest.raises(NotFound):
            holder.school.tokens.own(session, holder.credential_id)
    masked = session_of(holder.course, holder.session.learner_id, is_read_only=True)
    with pytest.raises(NotAllowed):
        holder.school.tokens.own(masked, holder.credential_id)


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_the_same_badge_is_the_same_token_until_its_key_changes(holder: Holder, algorithm: str) -> None:
    holder.school.change(
        tables.Issuer, tables.Issuer.id == holder.course.issuer_id, token_algorithm=algorithm
    )
    tokens = holder.school.tokens
    first, etag = holder.token(), tokens.etag(holder.credential_id)
    assert (holder.token(), tokens.etag(holder.credential_id)) == (first, etag)
    Keyring(holder.school.keys_dir).rotate(token_purpose(holder.course.issuer_id), holder.school.clock())
    assert holder.token() != first
    assert tokens.etag(holder.credential_id) != etag
    # Who kept the old one can go on showing it.
    assert verifying(holder.school).verify(first.encode()).verdict is Verdict.VALID


def test_a_compromised_key_takes_its_tokens_with_it_and_new_ones_are_signed_with_another(
    holder: Holder,
) -> None:
    first = holder.token()
    kid = jwt.get_unverified_header(first)["kid"].partition("#")[2]
    keyring = Keyring(holder.school.keys_dir)
    keyring.compromise(token_purpose(holder.course.issuer_id), kid, holder.school.clock())
    assert verifying(holder.school).verify(first.encode()).verdict is Verdict.INVALID
    assert verifying(holder.school).verify(holder.token().encode()).verdict is Verdict.VALID
    assert holder.school.issuing.token_key(holder.course.issuer_id, kid) is None


def test_a_key_is_published_as_one_jwk_of_public_members(holder: Holder) -> None:
    kid = jwt.get_unverified_header(holder.token())["kid"].partition("#")[2]
    found = holder.school.own_documents.published(f"issuers/{holder.course.issuer_id}/keys/{kid}")
    assert found is not None
    assert set(json.loads(found.body)) == {"kty", "n", "e", "kid", "alg", "use"}
    assert found.content_type == "application/jwk+json"
    elsewhere = holder.school.course()
    assert holder.school.issuing.token_key(elsewhere.issuer_id, kid) is None
    assert holder.school.issuing.token_key("nobody", kid) is None
    assert holder.school.issuing.token_key(holder.course.issuer_id, "other") is None
