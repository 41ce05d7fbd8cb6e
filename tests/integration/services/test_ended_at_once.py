"""A badge that ends with its version is over everywhere at once, also before its end is signed into it."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from typing import Any

import pytest

from lti_tool.credentials.verification import Outcome, Verdict
from lti_tool.domain.badge_states import BadgeState
from lti_tool.services.hosting import Hosting
from lti_tool.store import holders, inventory, records, tables
from lti_tool.store.holders import HolderFilter
from tests.integration.services.school import School, session_of
from tests.integration.services.test_chains import Chain
from tests.integration.services.test_verifying import verifying


class Ended(Chain):
    """Of two versions a learner has both; the first ends now, and nothing was signed anew."""

    def __init__(self, school: School) -> None:
        super().__init__(school)
        school.change(tables.Learner, email="ada@school.example")
        self.old, self.new = self.credential(1), self.credential(2)
        school.change(tables.Credential, is_public=True)
        school.clock.forward(days=10)
        self.ends_at = school.clock()
        self.end(1)
        school.clock.forward(seconds=1)

    def credential(self, number: int) -> Any:
        award_id = self.give(number)
        (row,) = self.school.rows(tables.Credential, tables.Credential.award_id == award_id)
        assert "validUntil" not in row.document
        return row

    def end(self, number: int) -> None:
        version = tables.AchievementVersion.id == self.ids[number - 1]
        self.school.change(tables.AchievementVersion, version, expires_at=self.school.clock())


@pytest.fixture
def ended(school: School) -> Ended:
    return Ended(school)


def test_wallet_and_public_page_say_so(ended: Ended) -> None:
    found = ended.wallet()
    assert (found[1].state, found[2].state) == (BadgeState.EXPIRED, BadgeState.ACTIVE)
    assert found[1].valid_until == ended.ends_at
    page = ended.records.credential(ended.old.id)
    assert page is not None
    assert (page.state, page.valid_until) == (BadgeState.EXPIRED, ended.ends_at)


def test_the_signed_file_is_the_former_one_whole_until_it_is_the_new_one_whole(ended: Ended) -> None:
    """What is signed cannot say so before it is signed anew; neither text is ever served under the other's
    mark, and both are genuine."""
    former, mark = ended.records.document(ended.old.id), ended.records.etag(ended.old.id)
    assert former is not None
    assert (former.body, former.etag) == (ended.old.document.encode(), mark)
    (due,) = ended.school.expiring.due()
    assert ended.school.expiring.work(due) == 1
    new = ended.records.document(ended.old.id)
    assert new is not None
    assert new.etag == ended.records.etag(ended.old.id) != mark
    said, before = json.loads(new.body), json.loads(former.body)
    assert said["validUntil"] == ended.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    for changed in ("validUntil", "validFrom", "proof"):
        said.pop(changed, None)
        before.pop(changed, None)
    assert said == before
    for text in (former.body, new.body):
        report = verifying(ended.school).verify(text)
        assert report.doubt is not None
        assert (report.doubt.name, report.doubt.detail) == ("validity", "expired")
        assert {one.name: one.outcome for one in report.steps}["proof"] is Outcome.PASSED


def test_open_badges_2_say_so(ended: Ended) -> None:
    hosting = Hosting(ended.school.database, ended.school.issuing, ended.school.urls)
    told = [hosting.assertion(row.id) for row in (ended.old, ended.new)]
    bodies = [json.loads(one.body) for one in told if one is not None]
    assert bodies[0]["expires"] == ended.ends_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert "expires" not in bodies[1]


def test_a_token_says_so_and_is_another_one_than_before(ended: Ended) -> None:
    tokens = ended.school.tokens
    made = tokens.public(ended.old.id)
    assert made is not None
    claims = made.body.split(b".")[1]
    said = json.loads(base64.urlsafe_b64decode(claims + b"=" * (-len(claims) % 4)))
    assert said["exp"] == int(ended.ends_at.timestamp())
    assert made.etag == tokens.etag(ended.old.id)
    ended.school.change(tables.AchievementVersion, expires_at=None)
    assert tokens.etag(ended.old.id) != made.etag


def test_the_verifier_says_so_of_every_copy(ended: Ended) -> None:
    verifier = verifying(ended.school)
    for number, row, verdict in ((1, ended.old, Verdict.INVALID), (2, ended.new, Verdict.VALID)):
        for report in (
            verifier.verify(row.document.encode()),
            verifier.verify_url(ended.school.urls.credential(row.id)),
        ):
            assert report.verdict is verdict, number
            doubt = report.doubt
            said = None if doubt is None else (doubt.name, doubt.detail)
            assert said == (None if number == 2 else ("validity", "expired"))


def test_the_verifier_asks_only_about_badges_of_our_own_issuers(ended: Ended) -> None:
    """Somebody else's badge that names an achievement of ours ends when they say so."""
    verifier, achievement = verifying(ended.school), ended.school.urls.achievement(ended.ids[0])
    own = ended.school.urls.did(ended.old.issuer_id)
    assert verifier._end_of(own, achievement) == ended.ends_at
    assert verifier._end_of(own, f"{achievement}/x") is None
    assert verifier._end_of("did:web:elsewhere.example:issuers:1", achievement) is None
    assert verifier._end_of(own, "https://elsewhere.example/achievements/1") is None


def test_records_and_lists_say_so(ended: Ended) -> None:
    school, organisation_id = ended.school, ended.course.organisation_id
    made = school.transcripts.own(session_of(ended.course, ended.learner), "json")
    assert [one["id"] for one in json.loads(made)["credentialSubject"]["verifiableCredential"]] == [
        json.loads(ended.new.document)["id"]
    ]
    with school.database.read() as session:
        now = school.clock()
        listed = {row["id"]: row["status"] for row in inventory.credentials(session, organisation_id, now)}
        assert listed == {ended.old.id: "expired", ended.new.id: "issued"}
        assert holders.count(session, organisation_id, HolderFilter(state="expired"), now) == 1
        changed = records.awards(session, organisation_id, since=ended.ends_at, now=now, after="", limit=9)
        assert [row["credential_id"] for row in changed] == [ended.old.id]


def test_a_later_version_that_is_over_hides_no_earlier_one_in_force(school: School) -> None:
    chain = Chain(school)
    chain.give(1)
    second = chain.give(2)
    school.clock.forward(days=10)
    late = tables.AchievementVersion.id == chain.ids[1]
    school.change(tables.AchievementVersion, late, expires_at=school.clock())
    found = chain.wallet()
    assert (found[1].state, found[2].state) == (BadgeState.ACTIVE, BadgeState.EXPIRED)
    assert (found[1].replaced_by, found[2].replaced_by) == (None, None)
    assert found[1].has_later, "nobody is told to get what they were given already"
    early = tables.AchievementVersion.id == chain.ids[0]
    school.change(tables.AchievementVersion, early, expires_at=school.clock() - timedelta(minutes=1))
    assert chain.wallet()[1].replaced_by == second, "of two that are over the later one stands for both"
