"""Is it current: dates, revocation, and status lists that somebody else could have made."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.credentials.documents import StatusEntry
from lti_tool.credentials.status_list import StatusList
from lti_tool.credentials.verification import Outcome, Verdict
from tests.unit.credentials.badges import (
    DATE,
    DID,
    NOW,
    STATUS_URL,
    STRANGER,
    Key,
    badge,
    details,
    judge,
    publish_status,
    published,
    signed,
)

# -- dates


@pytest.mark.parametrize(
    "now,verdict,detail",
    [
        (NOW - timedelta(seconds=1), Verdict.INVALID, "not_yet_valid"),
        (NOW, Verdict.VALID, "within_dates"),
        (NOW + timedelta(days=1, seconds=-1), Verdict.VALID, "within_dates"),
        (NOW + timedelta(days=1), Verdict.INVALID, "expired"),
    ],
)
def test_dates_are_kept_to_the_second(now: Any, verdict: Verdict, detail: str) -> None:
    report = judge(signed(badge(valid_until=NOW + timedelta(days=1), status=None)), now=now)
    assert (report.verdict, details(report)["validity"]) == (verdict, detail)


# -- status


def test_a_revoked_badge_is_invalid_and_its_neighbours_are_not() -> None:
    web = published(revoked=(5,))
    report = judge(signed(badge(5)), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["status"] == "revoked"
    assert details(report)["proof"] == "signature_right"
    for neighbour in (4, 6):
        assert judge(signed(badge(neighbour)), web).verdict is Verdict.VALID


def test_an_unreachable_status_list_leaves_it_open() -> None:
    web = published()
    del web.documents[STATUS_URL]
    report = judge(signed(), web)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["status"] == "status_unreachable"


def test_a_list_of_another_issuer_does_not_count() -> None:
    web = published()
    did = f"did:key:{STRANGER.public}"
    publish_status(web, Key(f"{did}#{STRANGER.public}", STRANGER.private), issuer=did)
    assert details(judge(signed(), web))["status"] == "status_list_of_another_issuer"


def test_a_list_signed_by_a_stranger_does_not_count() -> None:
    web = published()
    publish_status(web, STRANGER)
    report = judge(signed(badge()), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["status"] == "status_list_invalid"


def test_a_list_with_a_flipped_bit_does_not_count() -> None:
    web = published(revoked=(5,))
    document = json.loads(web.documents[STATUS_URL])
    document["credentialSubject"]["encodedList"] = StatusList.empty().encode()
    web.publish(STATUS_URL, document)
    assert details(judge(signed(), web))["status"] == "status_list_invalid"


@pytest.mark.parametrize(
    "changes,detail",
    [
        ({"id": "https://badges.example.edu/status/2"}, "status_list_wrong"),
        ({"type": ["VerifiableCredential"]}, "status_list_wrong"),
        ({"validUntil": "2025-11-22T09:00:00Z"}, "status_list_invalid"),
    ],
)
def test_a_list_must_be_the_current_one_that_was_named(changes: dict[str, Any], detail: str) -> None:
    web = published()
    publish_status(web, Key(), **changes)
    assert details(judge(signed(), web))["status"] == detail


@pytest.mark.parametrize("change", ["moved", "disguised"])
def test_the_end_of_an_old_list_cannot_be_hidden(change: str) -> None:
    # some issuers give list and subject one id; who keeps an old list, without the bit, could serve it on
    web = published()
    subject = json.loads(web.documents[STATUS_URL])["credentialSubject"]
    subject |= {"id": STATUS_URL, "type": ["BitstringStatusList", "VerifiableCredential"]}
    end = "2025-11-22T09:00:00Z"
    publish_status(web, Key(), credentialSubject=subject, validUntil=end)
    document = json.loads(web.documents[STATUS_URL])
    del document["validUntil"]
    if change == "moved":
        document["credentialSubject"]["validUntil"] = end
    else:
        document["https://www.w3.org/2018/credentials#validUntil"] = {"@type": DATE, "@value": end}
    web.publish(STATUS_URL, document)
    report = judge(signed(), web)
    assert report.verdict is Verdict.INVALID
    assert details(report)["status"] == "status_list_invalid"
    why = {"moved": "member_hidden", "disguised": "member_name_disguised"}[change]
    assert report.steps[-1].params["why"] == why


def test_a_list_in_an_unknown_vocabulary_leaves_it_open() -> None:
    web = published()
    document = json.loads(web.documents[STATUS_URL])
    document["@context"].append("https://example.org/more.json")
    web.publish(STATUS_URL, document)
    report = judge(signed(), web)
    assert report.verdict is Verdict.INCONCLUSIVE
    assert details(report)["status"] == "context_unknown"


def test_a_list_for_another_purpose_does_not_count() -> None:
    web = published()
    subject = json.loads(web.documents[STATUS_URL])["credentialSubject"]
    publish_status(web, Key(), credentialSubject=subject | {"statusPurpose": "suspension"})
    assert details(judge(signed(), web))["status"] == "status_purpose_differs"


def test_an_index_outside_the_list_is_no_all_clear() -> None:
    assert (
        details(judge(signed(badge(status=StatusEntry(STATUS_URL, 131_072)))))["status"]
        == "status_list_invalid"
    )


def test_suspended_is_told_apart_from_revoked() -> None:
    web = published(revoked=(5,))
    subject = json.loads(web.documents[STATUS_URL])["credentialSubject"]
    publish_status(web, Key(), credentialSubject=subject | {"statusPurpose": "suspension"})
    document = signed(badge(status=StatusEntry(STATUS_URL, 5, "suspension")))
    assert details(judge(document, web))["status"] == "suspended"


def test_without_a_status_entry_nothing_is_asked() -> None:
    web = published()
    report = judge(signed(badge(status=None)), web)
    assert report.verdict is Verdict.VALID
    assert report.steps[-1].outcome is Outcome.SKIPPED
    assert STATUS_URL not in web.asked


def test_the_list_of_1edtech_is_understood() -> None:
    document = badge(refresh_url="https://badges.example.edu/r")
    url = "https://badges.example.edu/revocations"
    document["credentialStatus"] = {"id": url, "type": "1EdTechRevocationList"}
    web = published()
    assert judge(signed(document), web).verdict is Verdict.INCONCLUSIVE
    web.publish(url, {"id": url, "issuer": DID, "revokedCredential": []})
    assert judge(signed(document), web).verdict is Verdict.VALID
    web.publish(
        url, {"id": url, "issuer": DID, "revokedCredential": [{"id": document["id"], "revoked": True}]}
    )
    assert details(judge(signed(document), web))["status"] == "revoked"
