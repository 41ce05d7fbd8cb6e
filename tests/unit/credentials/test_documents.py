from __future__ import annotations

import copy
import hashlib
from datetime import UTC, datetime, timedelta, timezone

import pytest

from lti_tool.credentials.documents import Evidence, StatusEntry, SubjectIdentity, format_time
from lti_tool.credentials.errors import CredentialInvalid
from lti_tool.credentials.jsonld import canonicalise
from lti_tool.credentials.shapes import Shape
from tests.unit.credentials.badges import NOW, badge, full_badge


def test_repeatable_members_are_arrays_and_the_status_is_one_object() -> None:
    document = badge()
    achievement = document["credentialSubject"]["achievement"]
    for value in (
        document["type"],
        document["evidence"],
        document["issuer"]["type"],
        document["credentialSubject"]["identifier"],
        document["credentialSubject"]["result"],
        achievement["alignment"],
        achievement["tag"],
        achievement["resultDescription"],
    ):
        assert isinstance(value, list)
    assert document["credentialStatus"] == {
        "id": "https://badges.example.edu/status/1#5",
        "type": "BitstringStatusListEntry",
        "statusPurpose": "revocation",
        "statusListIndex": "5",
        "statusListCredential": "https://badges.example.edu/status/1",
    }


def test_the_extensions_context_is_named_only_where_it_is_needed() -> None:
    assert len(badge()["@context"]) == 2
    for changes in ({"refresh_url": "https://badges.example.edu/refresh/x"}, {"names_schema": True}):
        assert badge(**changes)["@context"][2].endswith("/extensions.json")


def test_nothing_is_null_or_empty() -> None:
    document = badge(evidence=[Evidence(narrative="x")], results=[], narrative="", status=None)
    assert "result" not in document["credentialSubject"]
    assert "narrative" not in document["credentialSubject"]
    assert "credentialStatus" not in document
    assert document["evidence"] == [{"type": ["Evidence"], "narrative": "x"}]


def test_times_are_written_in_utc() -> None:
    assert (
        format_time(datetime(2026, 1, 2, 3, 4, 5, 999, tzinfo=timezone(timedelta(hours=2))))
        == "2026-01-02T01:04:05Z"
    )


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(CredentialInvalid) as refused:
        badge(valid_from=datetime(2026, 1, 1))  # noqa: DTZ001
    assert refused.value.params == {"pointer": "/validFrom", "reason": "naive"}


def test_an_end_before_the_beginning_is_refused() -> None:
    with pytest.raises(CredentialInvalid) as refused:
        badge(valid_until=NOW)
    assert refused.value.params["reason"] == "before_valid_from"


@pytest.mark.parametrize(
    "url", ["http://badges.example.edu/1", "urn:uuid:1", "/1", "https://", "javascript:1"]
)
def test_a_credential_lives_under_https(url: str) -> None:
    with pytest.raises(CredentialInvalid) as refused:
        badge(credential_url=url)
    assert refused.value.params["reason"] == "not_https"


def test_development_servers_have_no_certificate() -> None:
    assert badge(credential_url="http://localhost:8000/credentials/1")["id"].startswith("http://localhost")


def test_the_email_is_lower_cased_and_salted() -> None:
    identity = SubjectIdentity.from_email(" Ann@Example.EDU ", "ab" * 16)
    expected = hashlib.sha256(("ann@example.edu" + "ab" * 16).encode()).hexdigest()
    assert identity.identity_hash == f"sha256${expected}"


def test_two_badges_of_one_learner_cannot_be_linked() -> None:
    one, other = SubjectIdentity.from_email("ann@example.edu"), SubjectIdentity.from_email("ann@example.edu")
    assert one.salt != other.salt
    assert one.identity_hash != other.identity_hash
    assert len(bytes.fromhex(one.salt)) >= 16


def test_a_learner_without_email_is_known_by_the_lti_user_id() -> None:
    identity = SubjectIdentity.from_lti_user_id("User-7")
    assert identity.identity_type == "ltiUserId"
    expected = hashlib.sha256(f"User-7{identity.salt}".encode()).hexdigest()
    assert identity.identity_hash == f"sha256${expected}", "a user id's case counts"


@pytest.mark.parametrize("email", ["", "ann", "@example.edu", "a@b@c", "ann@"])
def test_what_is_no_email_is_refused(email: str) -> None:
    with pytest.raises(CredentialInvalid):
        SubjectIdentity.from_email(email)


def test_a_short_salt_is_refused() -> None:
    with pytest.raises(CredentialInvalid):
        SubjectIdentity.from_email("ann@example.edu", "salt")


def test_a_status_entry_counts_from_zero() -> None:
    assert StatusEntry("https://x.example/s", 0).document()["statusListIndex"] == "0"
    assert format_time(NOW.astimezone(UTC)) == "2025-11-22T09:30:00Z"


def test_a_badge_can_say_everything_and_is_signed_by_either_route() -> None:
    shape = Shape(full_badge(1))
    document = full_badge(2)
    filled = shape.fill(document)
    assert filled is not None
    assert filled.canonical == canonicalise(document)
    subject, achievement = document["credentialSubject"], document["credentialSubject"]["achievement"]
    assert subject["result"][0]["resultDescription"] == achievement["resultDescription"][0]["id"]
    assert achievement["humanCode"] == "DP-101"
    assert achievement["fieldOfStudy"] == "Law"
    assert achievement["related"] == [
        {"id": "https://badges.example.edu/achievements/6", "type": ["Related"], "version": "2"}
    ]
    assert [one["credentialSubject"]["id"] for one in achievement["endorsement"]] == 2 * [achievement["id"]]
    assert document["issuer"]["endorsement"][0]["credentialSubject"]["id"] == document["issuer"]["id"]
    assert document["credentialSchema"][0]["id"].endswith("/ob_v3p0_achievementcredential_schema.json")
    assert document["termsOfUse"] == [
        {"id": "https://badges.example.edu/terms", "type": "http://purl.org/dc/terms/Policy"}
    ]


def test_the_signature_covers_the_embedded_endorsements() -> None:
    document = full_badge()
    changed = copy.deepcopy(document)
    changed["credentialSubject"]["achievement"]["endorsement"][0]["credentialSubject"][
        "endorsementComment"
    ] = "We count it twice."
    assert canonicalise(changed) != canonicalise(document)
