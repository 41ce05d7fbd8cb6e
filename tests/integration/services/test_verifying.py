"""Verifying: the bytes decide, with nothing at hand but what everybody else could fetch."""

from __future__ import annotations

import json
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
import responses

from lti_tool.credentials.baking import bake_png
from lti_tool.credentials.errors import FetchFailed
from lti_tool.credentials.verification import Outcome, Report, Verdict
from lti_tool.errors import Busy, CredentialInvalid, ErrorCode, RequestInvalid
from lti_tool.keyring import Keyring
from lti_tool.outbound import Outbound, OutboundPolicy
from lti_tool.services.hosting import Hosting
from lti_tool.services.public import PublicRecords
from lti_tool.services.verifying import FETCH_SECONDS, MAXIMUM_BYTES, Turnstile, Verifying
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests import factories
from tests.databases import fresh_database_url
from tests.factories import PNG
from tests.integration.services.school import BASE_URL, School


def verifying(school: School) -> Verifying:
    outbound = Outbound(
        OutboundPolicy.of((), is_development=False, base_url=BASE_URL), refuse_in_transaction=True
    )
    records = PublicRecords(school.database, school.issuing, school.urls, Keyring(school.keys_dir))
    hosting = Hosting(school.database, school.issuing, school.urls)
    return Verifying(outbound, school.clock, school.own_documents, records, school.tokens, hosting, BASE_URL)


@dataclass(frozen=True)
class Badge:
    """A signed badge, and who issued it."""

    school: School
    credential_id: str
    issuer_id: str
    text: str

    @property
    def row(self) -> tables.Credential:
        (found,) = self.school.rows(tables.Credential, tables.Credential.id == self.credential_id)
        assert isinstance(found, tables.Credential)
        return found


@pytest.fixture
def badge(small_school: School) -> Badge:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    credential_id = small_school.issued(course, placed, learner)
    (row,) = small_school.rows(tables.Credential)
    small_school.status_lists.sign(row.status_list_id)
    return Badge(small_school, credential_id, course.issuer_id, row.document)


@pytest.fixture
def elsewhere(badge: Badge, fresh_url: str) -> School:
    """The tool with an empty database: no award, no credential; only the issuer and its signed list."""
    bare = School(Database(fresh_url), badge.school.keys_dir, badge.school.clock)
    copy(badge, bare, tables.Organisation, tables.Issuer, tables.StatusList)
    return bare


@pytest.fixture
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    with fresh_database_url("sqlite", request, tmp_path) as url:
        return url


def copy(badge: Badge, bare: School, *kinds: type[tables.Base]) -> None:
    for kind in kinds:
        rows = [
            {column.name: getattr(row, column.name) for column in kind.__table__.columns}
            for row in badge.school.rows(kind)
        ]
        with bare.database.write() as session:
            session.add_all(kind(**values) for values in rows)


def outcomes(report: Report) -> dict[str, tuple[Outcome, str]]:
    return {step.name: (step.outcome, step.detail) for step in report.steps}


def test_our_badge_is_valid_where_no_award_or_credential_is_known(badge: Badge, elsewhere: School) -> None:
    for kind in (tables.Award, tables.Credential, tables.Learner, tables.AchievementVersion):
        assert elsewhere.rows(kind) == []
    report = verifying(elsewhere).verify(badge.text.encode())
    assert report.verdict is Verdict.VALID, report.steps
    assert outcomes(report)["proof"] == (Outcome.PASSED, "signature_right")
    assert outcomes(report)["status"] == (Outcome.PASSED, "not_revoked")


def test_a_baked_picture_is_as_good_as_the_text(badge: Badge, elsewhere: School) -> None:
    assert verifying(elsewhere).verify(bake_png(PNG, badge.text)).verdict is Verdict.VALID


@pytest.mark.parametrize(
    "was,becomes",
    [
        ("What it stands for.", "What it stands for!"),
        ('"hashed":true', '"hashed":false'),
        ('"proofValue":"z', '"proofValue":"z1'),
        ('"statusPurpose":"revocation"', '"statusPurpose":"suspension"'),
        ("2026-03-01T12:00:00Z", "2025-03-01T12:00:00Z"),
    ],
)
def test_a_changed_byte_is_invalid(badge: Badge, elsewhere: School, was: str, becomes: str) -> None:
    changed = badge.text.replace(was, becomes, 1)
    assert changed != badge.text
    assert verifying(elsewhere).verify(changed.encode()).verdict is Verdict.INVALID


def test_each_digit_of_the_signature_counts(badge: Badge, elsewhere: School) -> None:
    document = json.loads(badge.text)
    value = document["proof"][0]["proofValue"]
    for place in (1, len(value) // 2, len(value) - 1):
        other = "2" if value[place] != "2" else "3"
        document["proof"][0]["proofValue"] = value[:place] + other + value[place + 1 :]
        assert verifying(elsewhere).verify(json.dumps(document).encode()).verdict is Verdict.INVALID


def test_a_badge_without_its_proof_is_invalid(badge: Badge, elsewhere: School) -> None:
    document = json.loads(badge.text)
    del document["proof"]
    assert verifying(elsewhere).verify(json.dumps(document).encode()).verdict is Verdict.INVALID


def test_a_revoked_badge_is_invalid_as_soon_as_its_list_is_read(badge: Badge) -> None:
    judged = verifying(badge.school)
    assert judged.verify(badge.text.encode()).verdict is Verdict.VALID
    badge.school.clock.forward(minutes=1)
    badge.school.revoking.revoke(badge.credential_id, "Mistake", "cli")
    report = judged.verify(badge.text.encode())
    assert report.verdict is Verdict.INVALID
    assert outcomes(report)["status"] == (Outcome.FAILED, "revoked")


def test_another_badge_of_the_list_stays_valid(badge: Badge) -> None:
    school = badge.school
    course = factories.course(school.database)
    placed = factories.placed(school.database, course)
    one, other = factories.enrol(school.database, course, 2)
    revoked, kept = (school.issued(course, placed, learner) for learner in (one, other))
    school.revoking.revoke(revoked, "Mistake", "cli")
    (row,) = school.rows(tables.Credential, tables.Credential.id == kept)
    assert verifying(school).verify(row.document.encode()).verdict is Verdict.VALID


def test_without_the_status_list_nobody_can_say(badge: Badge, fresh_url: str) -> None:
    bare = School(Database(fresh_url), badge.school.keys_dir, badge.school.clock)
    copy(badge, bare, tables.Organisation, tables.Issuer)
    report = verifying(bare).verify(badge.text.encode())
    assert report.verdict is Verdict.INCONCLUSIVE
    assert outcomes(report)["proof"][0] is Outcome.PASSED
    assert outcomes(report)["status"][0] is Outcome.COULD_NOT_CHECK


def test_without_the_issuer_nobody_can_say(badge: Badge, fresh_url: str) -> None:
    bare = School(Database(fresh_url), badge.school.keys_dir, badge.school.clock)
    report = verifying(bare).verify(badge.text.encode())
    assert report.verdict is Verdict.INCONCLUSIVE
    assert outcomes(report)["proof"][0] is Outcome.COULD_NOT_CHECK


def test_a_key_that_was_taken_out_makes_its_badges_fail(
    badge: Badge, elsewhere: School, tmp_path: Path
) -> None:
    compromised = School(elsewhere.database, tmp_path / "new keys", elsewhere.clock)
    compromised.issuing.keys.signer(badge.issuer_id, compromised.urls.did(badge.issuer_id))
    assert verifying(compromised).verify(badge.text.encode()).verdict is Verdict.INVALID


def test_a_badge_of_tomorrow_is_not_valid_yet(badge: Badge) -> None:
    badge.school.clock.forward(days=-2)
    report = verifying(badge.school).verify(badge.text.encode())
    assert outcomes(report)["validity"] == (Outcome.FAILED, "not_yet_valid")
    badge.school.clock.now += timedelta(days=3)
    assert verifying(badge.school).verify(badge.text.encode()).verdict is Verdict.VALID


def test_a_list_that_was_forged_speaks_for_nobody(badge: Badge, elsewhere: School) -> None:
    (row,) = elsewhere.rows(tables.StatusList)
    listed = json.loads(row.document)
    listed["validFrom"] = "2026-02-01T00:00:00Z"
    elsewhere.change(tables.StatusList, document=json.dumps(listed))
    assert verifying(elsewhere).verify(badge.text.encode()).verdict is Verdict.INVALID


@pytest.mark.parametrize(
    "data", [b"", b"{}", b"[]", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xfe", b"null", b"{" * 9000]
)
def test_what_is_no_credential_is_said_to_be_none(small_school: School, data: bytes) -> None:
    with pytest.raises(CredentialInvalid):
        verifying(small_school).verify(data)


def test_a_file_that_is_too_large_is_not_read(small_school: School) -> None:
    with pytest.raises(RequestInvalid) as refused:
        verifying(small_school).verify(b" " * (MAXIMUM_BYTES + 1))
    assert refused.value.code is ErrorCode.REQUEST_TOO_LARGE


# -- addresses that visitors name


@pytest.mark.parametrize(
    "url",
    [
        "",
        "   ",
        "badge",
        "//badges.example/1",
        "file:///etc/passwd",
        "ftp://badges.example/1",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "javascript:alert(1)",
        "data:application/json,{}",
        "https://",
        "https:///path",
        "http://[",
        "https://[::1",
        "https://[not an address]/",
    ],
)
def test_what_is_no_web_address_is_refused(small_school: School, url: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        verifying(small_school).verify_url(url)
    assert refused.value.code is ErrorCode.VERIFY_URL_INVALID


@pytest.mark.loopback
@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/credentials/1",
        "https://localhost/credentials/1",
        "https://0.0.0.0/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://10.0.0.8/",
        "https://192.168.1.1/",
        "https://172.16.0.1:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[fd00::1]/",
        "https://[fe80::1]/",
        "https://2130706433/",
        "https://0x7f.1/",
        "http://badges.elsewhere.example/1",
        "https://user:secret@badges.elsewhere.example/1",
    ],
)
def test_private_addresses_are_refused_without_a_connection(small_school: School, url: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        verifying(small_school).verify_url(url)
    assert refused.value.code is ErrorCode.VERIFY_URL_UNREACHABLE
    assert refused.value.detail == "refused"


@responses.activate
def test_a_public_address_is_judged_by_what_it_answers(badge: Badge, elsewhere: School) -> None:
    address = "https://portfolio.example/badge.json"
    responses.get(address, body=badge.text, content_type="application/json")
    assert verifying(elsewhere).verify_url(f"  {address}\n").verdict is Verdict.VALID
    assert "application/vc+ld+json" in responses.calls[0].request.headers["Accept"]


@responses.activate
@pytest.mark.parametrize("status", [204, 401, 404, 410, 500, 503])
def test_an_address_that_does_not_answer_is_said_so(small_school: School, status: int) -> None:
    address = "https://portfolio.example/badge.json"
    responses.get(address, status=status)
    with pytest.raises(RequestInvalid) as refused:
        verifying(small_school).verify_url(address)
    assert refused.value.code is ErrorCode.VERIFY_URL_UNREACHABLE
    assert len(responses.calls) == 1


def redirects(count: int, last: str) -> str:
    """An address from which ``count`` redirects lead to ``last``."""
    for step in range(count):
        target = f"https://short.example/{step + 1}" if step < count - 1 else last
        responses.get(f"https://short.example/{step}", status=302, headers={"Location": target})
    return "https://short.example/0"


@responses.activate
def test_three_redirects_are_followed_and_no_fourth(badge: Badge, elsewhere: School) -> None:
    address = "https://portfolio.example/badge.json"
    responses.get(address, body=badge.text, content_type="application/json")
    judged = verifying(elsewhere)
    assert judged.verify_url(redirects(3, address)).verdict is Verdict.VALID
    responses.reset()
    responses.get(address, body=badge.text, content_type="application/json")
    with pytest.raises(RequestInvalid) as refused:
        judged.verify_url(redirects(4, address))
    assert refused.value.code is ErrorCode.VERIFY_URL_UNREACHABLE


@responses.activate
@pytest.mark.loopback
@pytest.mark.parametrize(
    "target", ["https://127.0.0.1/", "https://[::1]/", "https://169.254.169.254/latest/", "http://x.example/"]
)
def test_a_redirect_opens_nothing_that_an_address_would_not(small_school: School, target: str) -> None:
    responses.add_passthru(target)
    with pytest.raises(RequestInvalid) as refused:
        verifying(small_school).verify_url(redirects(1, target))
    assert (refused.value.code, refused.value.detail) == (ErrorCode.VERIFY_URL_UNREACHABLE, "refused")


@responses.activate
@pytest.mark.parametrize("suffix", ["", ".json", ".png", ".svg", ".jwt", "?utm_source=mail", "#top"])
def test_the_address_of_a_shared_badge_of_ours_needs_no_request_to_ourselves(
    badge: Badge, suffix: str
) -> None:
    badge.school.change(tables.Credential, is_public=True)
    report = verifying(badge.school).verify_url(f"{BASE_URL}/credentials/{badge.credential_id}{suffix}")
    assert report.verdict is Verdict.VALID
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize("suffix", ["", ".png", ".svg"])
def test_of_the_older_edition_it_says_that_it_cannot_be_checked_and_not_that_nothing_is_there(
    small_school: School, suffix: str
) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    small_school.change(tables.Learner, tables.Learner.id == learner, email="ada@school.example")
    credential_id = small_school.issued(course, placed, learner)
    small_school.change(tables.Credential, is_public=True)
    report = verifying(small_school).verify_url(f"{BASE_URL}/ob2/assertions/{credential_id}{suffix}")
    assert report.verdict is Verdict.INCONCLUSIVE
    assert report.steps[-1].detail == "open_badges_2_unsupported"
    assert len(responses.calls) == 0


@responses.activate
@pytest.mark.parametrize(
    "path",
    [
        "ob2/assertions/{}",
        "ob2/assertions/{}.png",
        "ob2/badges/{}",
        "credentials/{}",
        "credentials/{}.png",
        "credentials/{}.svg",
        "endorsements/{}",
        "credentials/",
        "credentials/{}/x",
        "",
        "status/1",
        "healthz",
    ],
)
def test_of_our_own_addresses_only_shared_badges_can_be_judged(badge: Badge, path: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        verifying(badge.school).verify_url(f"{BASE_URL}/{path.format(badge.credential_id)}")
    assert (refused.value.code, refused.value.detail) == (ErrorCode.VERIFY_URL_UNREACHABLE, "not_found")
    assert len(responses.calls) == 0


# -- one at a time


def test_one_is_inside_one_waits_and_the_rest_are_refused_at_once() -> None:
    turnstile = Turnstile(wait=120)
    leave = threading.Event()
    entered: queue.Queue[int] = queue.Queue()

    def visit(number: int) -> None:
        with turnstile.pass_through():
            entered.put(number)
            leave.wait(120)

    with ThreadPoolExecutor(2) as pool:
        pool.submit(visit, 1)
        assert entered.get(timeout=60) == 1
        pool.submit(visit, 2)
        until(lambda: turnstile._present._value == 0)
        began = time.monotonic()
        with pytest.raises(Busy) as refused, turnstile.pass_through():
            raise AssertionError("let in")
        assert time.monotonic() - began < 60, "it waited, as the second does"
        assert (refused.value.code, refused.value.status) == (ErrorCode.VERIFIER_BUSY, 503)
        assert entered.empty()
        leave.set()
        assert entered.get(timeout=60) == 2
    with turnstile.pass_through():
        assert entered.empty()


def test_who_waits_in_vain_is_told_so() -> None:
    turnstile = Turnstile(wait=0.05)
    with turnstile.pass_through():
        for _ in range(3):
            with pytest.raises(Busy), turnstile.pass_through():
                raise AssertionError("let in")
    with turnstile.pass_through(), pytest.raises(Busy), turnstile.pass_through():
        raise AssertionError("let in")


def test_who_fails_inside_leaves(small_school: School) -> None:
    judged = verifying(small_school)
    for _ in range(3):
        with pytest.raises(CredentialInvalid):
            judged.verify(b"hello")
        with pytest.raises(RequestInvalid):
            judged.verify_url(f"{BASE_URL}/credentials/none")
    assert judged.turnstile._inside._value == 1
    assert judged.turnstile._present._value == 2


def test_all_that_a_verification_fetches_shares_one_budget(
    badge: Badge, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []

    def fetch(self: Verifying, url: str, accept: str, seconds: float = 0.0) -> bytes:
        asked.append(seconds)
        raise FetchFailed("unreachable")

    monkeypatch.setattr(Verifying, "fetch", fetch)
    judged = verifying(badge.school)
    judged.verify(badge.text.encode())
    assert len(asked) == 1
    assert 0 < asked[0] <= FETCH_SECONDS
    monkeypatch.setattr("lti_tool.services.verifying.READING_SECONDS", 0.0)
    report = judged.verify(badge.text.encode())
    assert outcomes(report)["proof"][0] is Outcome.COULD_NOT_CHECK
    assert len(asked) == 1


def until(happened: Callable[[], bool]) -> None:
    ends = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < ends
        time.sleep(0.01)


@responses.activate
def test_our_own_documents_need_no_request_to_ourselves(badge: Badge) -> None:
    assert verifying(badge.school).verify(badge.text.encode()).verdict is Verdict.VALID
    assert len(responses.calls) == 0


@responses.activate
def test_an_address_that_only_begins_like_ours_is_not_ours(badge: Badge) -> None:
    judged = verifying(badge.school)
    list_path = f"status/{badge.row.status_list_id}"
    assert judged.fetch(f"{BASE_URL}/{list_path}", "*/*")
    for url in (f"{BASE_URL}.evil.example/{list_path}", f"{BASE_URL}@evil.example/{list_path}"):
        with pytest.raises(FetchFailed):
            judged.fetch(url, "*/*")
    with pytest.raises(FetchFailed) as refused:
        judged.fetch(f"{BASE_URL}/credentials/{badge.credential_id}", "*/*")
    assert refused.value.reason == "not_found"
