"""The versions of an achievement, told wherever a badge is shown."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from lti_tool.keyring import Keyring
from lti_tool.services.hosting import Hosting
from lti_tool.services.public import PublicRecords
from lti_tool.services.wallet import EarnedBadge, Wallet
from lti_tool.store import chains, tables
from tests import factories
from tests.factories import NOW
from tests.integration.services.office import Office
from tests.integration.services.school import BASE_URL, School, session_of

DAY = timedelta(days=1)


class Chain:
    """An achievement of three versions, of which a learner has some."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.course = school.course()
        self.placed = factories.placed(school.database, self.course)
        assert self.placed.achievement_version_id is not None
        (self.first,) = school.rows(
            tables.AchievementVersion, tables.AchievementVersion.id == self.placed.achievement_version_id
        )
        self.ids = [self.first.id, *(self._next(number) for number in (2, 3))]
        (self.learner,) = factories.enrol(school.database, self.course)

    def _next(self, number: int) -> str:
        given = {
            column.key: getattr(self.first, column.key)
            for column in tables.AchievementVersion.__table__.columns
            if column.key != "id"
        }
        with self.school.database.write() as session:
            row = tables.AchievementVersion(
                **given
                | {"number": number, "whats_new": f"New in {number}.", "created_at": NOW + number * DAY}
            )
            session.add(row)
            session.flush()
            return row.id

    def give(self, number: int) -> str:
        """The award of a version."""
        with self.school.database.write() as session:
            row = tables.Award(
                organisation_id=self.course.organisation_id,
                achievement_version_id=self.ids[number - 1],
                learner_id=self.learner,
                context_id=self.course.context_id,
                met_at=NOW,
                awarded_at=NOW + number * DAY,
            )
            session.add(row)
            session.flush()
            award_id = row.id
        self.school.issuing.issue_credential(award_id)
        return award_id

    def wallet(self) -> dict[int, EarnedBadge]:
        """What the learner's wallet shows, by version."""
        school = self.school
        wallet = Wallet(school.database, school.awarding, school.urls, school.ages, lambda *_: ())
        view = wallet.view(session_of(self.course, self.learner))
        return {badge.place.version.number: badge for badge in view.earned if badge.place is not None}

    @property
    def records(self) -> PublicRecords:
        return PublicRecords(
            self.school.database, self.school.issuing, self.school.urls, Keyring(self.school.keys_dir)
        )


@pytest.fixture
def chain(school: School) -> Chain:
    return Chain(school)


def test_each_version_knows_those_before_and_after_it(chain: Chain) -> None:
    with chain.school.database.read_rows() as connection:
        found = chains.places(connection, chain.ids)
        assert chains.places(connection, []) == {}
        assert chains.place(connection, "none") is None
    told = {
        place.version.number: ([one.number for one in place.earlier], [one.number for one in place.later])
        for place in found.values()
    }
    assert told == {1: ([], [2, 3]), 2: ([1], [3]), 3: ([2, 1], [])}
    assert found[chain.ids[1]].newest.id == chain.ids[2]
    assert [one.number for one in found[chain.ids[1]].others] == [3, 1]
    assert found[chain.ids[0]].later[0].whats_new == "New in 2."


def test_another_achievement_is_no_part_of_the_chain(chain: Chain) -> None:
    other = Chain(chain.school)
    with chain.school.database.read_rows() as connection:
        found = chains.places(connection, [chain.ids[0], other.ids[0]])
    assert {one.id for one in found[chain.ids[0]].others} == set(chain.ids[1:])


def test_a_badge_of_a_later_version_stands_in_the_place_of_earlier_ones(chain: Chain) -> None:
    chain.give(1)
    second = chain.give(2)
    found = chain.wallet()
    assert (found[1].replaced_by, found[2].replaced_by) == (second, None)


def test_a_revoked_badge_stands_in_nobodys_place(chain: Chain) -> None:
    chain.give(1)
    second = chain.give(2)
    (row,) = chain.school.rows(tables.Credential, tables.Credential.award_id == second)
    chain.school.revoking.revoke(row.id, "By mistake.", "cli")
    assert chain.wallet()[1].replaced_by is None


def test_nobody_is_told_to_get_a_later_badge_that_was_revoked(chain: Chain) -> None:
    chain.give(1)
    second, third = chain.give(2), chain.give(3)
    for award_id in (second, third):
        (row,) = chain.school.rows(tables.Credential, tables.Credential.award_id == award_id)
        chain.school.revoking.revoke(row.id, "By mistake.", "cli")
    assert chain.wallet()[1].has_later


def test_what_was_revoked_keeps_nobody_from_a_badge_that_is_newer_still(chain: Chain) -> None:
    chain.give(1)
    (row,) = chain.school.rows(tables.Credential, tables.Credential.award_id == chain.give(2))
    chain.school.revoking.revoke(row.id, "By mistake.", "cli")
    assert not chain.wallet()[1].has_later


def test_the_wallet_leads_to_the_course_s_own_way_to_the_later_version(chain: Chain) -> None:
    chain.give(1)
    assert chain.wallet()[1].regained_by is None
    chain.school.change(
        tables.MicromoduleVersion,
        tables.MicromoduleVersion.id == chain.placed.micromodule_version_id,
        achievement_version_id=chain.ids[2],
    )
    assert chain.wallet()[1].regained_by == chain.placed.placement_id


def test_the_public_page_of_a_badge_and_of_its_achievement_tell_the_chain(chain: Chain) -> None:
    award_id = chain.give(2)
    (row,) = chain.school.rows(tables.Credential, tables.Credential.award_id == award_id)
    chain.school.change(tables.Credential, tables.Credential.id == row.id, is_public=True)
    badge = chain.records.credential(row.id)
    assert badge is not None
    assert badge.place is not None
    assert [one.number for one in badge.place.others] == [3, 1]
    achievement = chain.records.achievement(chain.ids[1])
    assert achievement is not None
    assert achievement.place == badge.place


def test_the_achievement_s_document_names_later_versions_which_no_signed_badge_can(chain: Chain) -> None:
    award_id = chain.give(2)
    (row,) = chain.school.rows(tables.Credential, tables.Credential.award_id == award_id)
    signed = json.loads(row.document)["credentialSubject"]["achievement"]
    urls = [f"{BASE_URL}/achievements/{id_}" for id_ in chain.ids]
    assert (signed["version"], [one["id"] for one in signed["related"]]) == ("2", [urls[0]])
    found = chain.records.achievement(chain.ids[1])
    assert found is not None
    document = json.loads(found.document.body)
    assert [(one["id"], one["version"]) for one in document["related"]] == [(urls[2], "3"), (urls[0], "1")]
    assert {**document, "related": []} == {"@context": document["@context"], **signed, "related": []}


def test_the_badge_class_of_2_0_names_them_too(chain: Chain) -> None:
    hosting = Hosting(chain.school.database, chain.school.issuing, chain.school.urls)
    text = hosting.badge_class(chain.ids[1])
    assert text is not None
    related = [one["id"] for one in json.loads(text)["related"]]
    assert related == [f"{BASE_URL}/ob2/badges/{chain.ids[2]}", f"{BASE_URL}/ob2/badges/{chain.ids[0]}"]


def test_staff_see_which_version_a_holder_has(chain: Chain) -> None:
    office = Office(chain.school.database, chain.school.keys_dir)
    chain.give(1)
    view = office.overview.holder(chain.course.organisation_id, chain.learner)
    (badge,) = view.badges
    assert view.places[badge.achievement_version_id].newest.number == 3
