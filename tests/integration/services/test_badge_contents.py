"""What badges say that are awarded here: all that was chosen, of the right learner, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lti_tool.credentials.verification import Report, Verdict
from lti_tool.domain.badge_states import BadgeState
from lti_tool.domain.criteria import AllOf, Channel, ScoreAtLeast
from lti_tool.keyring import Keyring
from lti_tool.services.evidence import Judgement
from lti_tool.services.public import PublicRecords
from lti_tool.store import micromodules, tables
from tests import factories
from tests.conformance.test_schemas import validator
from tests.factories import NOW, Course, Placed
from tests.integration.services.badges import badge, credential, document
from tests.integration.services.people import LINKS_ONLY, PORTFOLIO, people
from tests.integration.services.school import BASE_URL, School
from tests.integration.services.test_verifying import verifying
from tests.unit.credentials.badges import endorsement

QUIZ = ScoreAtLeast("quiz", "Quiz 1", Decimal(80), channel=Channel.MIRROR)
DESCRIBED = {
    "key": "quiz",
    "name": "Quiz 1",
    "result_type": "Percent",
    "required_value": "80",
    "value_min": "0",
    "value_max": "100",
}
SAID: dict[str, Any] = {
    "alignments": [
        {
            "target_name": "read maps",
            "target_url": "http://data.europa.eu/esco/skill/1",
            "target_framework": "ESCO",
            "target_code": "S1.2",
            "target_type": "ceasn:Competency",
        }
    ],
    "credits": Decimal("2.5"),
    "credit_unit": "ects",
    "human_code": "GEO-101",
    "field_of_study": "Geography",
    "validity_months": 12,
    "shows_results": True,
    "shows_evidence": True,
    "result_descriptions": [DESCRIBED],
}
WORK = "https://portfolio.example/ada/maps"
ACCEPT = Judgement(is_accepted=True, comment="", ticked=PORTFOLIO.checklist)


def say(school: School, placed: Placed, **values: Any) -> None:
    school.change(
        tables.AchievementVersion,
        tables.AchievementVersion.id == placed.achievement_version_id,
        **(values or SAID),
    )


def earned(school: School, course: Course, learner_id: str) -> dict[str, Any]:
    """A learner's badge as the course's rules give it."""
    school.issuing.issue_for(
        school.awarding.decide_context(course.organisation_id, course.context_id).award_ids
    )
    (award,) = school.rows(tables.Award, tables.Award.learner_id == learner_id)
    (row,) = school.rows(tables.Credential, tables.Credential.award_id == award.id)
    return document(school, row.id)


def works(written: dict[str, Any]) -> list[dict[str, Any]]:
    return [one for one in written["evidence"] if one["name"] != "Course record"]


def test_everything_that_was_chosen_is_signed(school: School) -> None:
    course = people(school, AllOf((QUIZ, LINKS_ONLY)))
    say(school, course.placed)
    school.change(tables.Issuer, terms_url="https://terms.example/", names_schema=True, offers_refresh=True)
    learner = course.learners[0]
    factories.grade(school.database, course.course, course.placed, [learner], Decimal("87.456"))
    course.submissions.judge(course.teacher(), course.hand_in(url=WORK), ACCEPT)
    written = earned(school, course.course, learner)
    subject, achievement = written["credentialSubject"], written["credentialSubject"]["achievement"]
    (described,) = achievement["resultDescription"]
    assert described == {
        "id": f"{achievement['id']}#result-1",
        "type": ["ResultDescription"],
        "name": "Quiz 1",
        "resultType": "Percent",
        "valueMin": "0",
        "valueMax": "100",
        "requiredValue": "80",
    }
    assert subject["result"] == [{"type": ["Result"], "resultDescription": described["id"], "value": "87.45"}]
    assert works(written) == [{"id": WORK, "type": ["Evidence"], "name": "Portfolio"}]
    assert achievement["alignment"][0]["targetCode"] == "S1.2"
    assert achievement["creditsAvailable"] == 2.5
    assert achievement["tag"] == ["Writing tests", "2.5 ECTS"]
    assert (achievement["humanCode"], achievement["fieldOfStudy"]) == ("GEO-101", "Geography")
    assert written["termsOfUse"][0]["id"] == "https://terms.example/"
    assert written["refreshService"]["id"] == f"{written['id']}.json"
    row = credential(school, written["id"].rpartition("/")[2])
    assert row.valid_until == NOW.replace(year=NOW.year + 1, microsecond=0)
    assert written["validUntil"] == row.valid_until.strftime("%Y-%m-%dT%H:%M:%SZ")
    for schema in (
        "ob_v3p0_achievementcredential_schema.json",
        "json-ld_ob_v3p0_achievementcredential_schema.json",
    ):
        assert [error.message for error in validator(schema).iter_errors(written)] == []


def test_the_reference_lists_every_member_that_is_signed(small_school: School) -> None:
    school = small_school
    course = people(school, AllOf((QUIZ, LINKS_ONLY)))
    (alignment,) = SAID["alignments"]
    described = {**alignment, "target_description": "Finds the way with a map."}
    say(school, course.placed, **{**SAID, "alignments": [described], "number": 2})
    (second,) = school.rows(tables.AchievementVersion)
    with school.database.write() as session:
        first = {**values_of(second), "number": 1}
        picture = tables.Picture(
            organisation_id=second.organisation_id,
            digest="0" * 64,
            svg=second.image_svg,
            png=second.image_png,
            uploaded_by="staff:1",
            created_at=NOW,
        )
        session.add_all([tables.AchievementVersion(**first), picture])
        for endorsed in (
            {"achievement_version_id": second.id},
            {"endorsed_issuer_id": course.course.issuer_id},
        ):
            session.add(
                tables.Endorsement(
                    organisation_id=second.organisation_id,
                    **endorsed,
                    endorser_name="Guild",
                    endorser_url="did:web:guild.example",
                    comment="Good.",
                    document=json.dumps(endorsement(f"{BASE_URL}/achievements/{second.id}")),
                    status="accepted",
                    offered_by="staff:1",
                    offered_at=NOW,
                    decided_at=NOW,
                )
            )
    school.change(
        tables.Issuer,
        picture_id=picture.id,
        description="Teaches.",
        email="badges@school.example",
        terms_url="https://terms.example/",
        names_schema=True,
        offers_refresh=True,
    )
    factories.grade(school.database, course.course, course.placed, [course.learners[0]], 90)
    course.submissions.judge(course.teacher(), course.hand_in(url=WORK), ACCEPT)
    written = earned(school, course.course, course.learners[0])
    records = PublicRecords(school.database, school.issuing, school.urls, Keyring(school.keys_dir))
    achievement, issuer = records.achievement(second.id), records.issuer(course.course.issuer_id)
    assert achievement is not None
    assert issuer is not None
    embedded = {"@context": written["@context"][:2]}
    assert json.loads(achievement.document.body) == embedded | written["credentialSubject"]["achievement"]
    assert json.loads(issuer.document.body) == embedded | written["issuer"]
    page = (Path(__file__).parents[3] / "docs" / "reference" / "credentials.md").read_text("utf-8")
    assert set(re.findall(r"^\| `([A-Za-z.@]+)` \|", page, re.MULTILINE)) - set(BadgeState) == {
        *members(written),
        "@context",
    }


def members(value: Any, within: str = "") -> set[str]:
    """Every member with its place, but ``type`` below the top, what only holds others that are listed, and
    the inside of endorsements, which are credentials of their own."""
    if isinstance(value, list):
        return set().union(*(members(one, within) for one in value))
    if not isinstance(value, dict) or within.endswith("endorsement"):
        return set()
    found = set()
    for name, member in value.items():
        place = f"{within}.{name}" if within else name
        if place != "@context" and not (within and name == "type"):
            found.add(place)
        found |= members(member, place)
    return found


def values_of(row: Any) -> dict[str, Any]:
    """A row's columns, but its id."""
    names = [column.name for column in type(row).__table__.columns]
    return {name: getattr(row, name) for name in names if name != "id"}


def test_a_badge_that_says_everything_is_valid_until_it_is_over(small_school: School) -> None:
    school = small_school
    course = people(school, AllOf((QUIZ, LINKS_ONLY)))
    say(school, course.placed)
    school.change(tables.Issuer, terms_url="https://terms.example/", names_schema=True)
    factories.grade(school.database, course.course, course.placed, [course.learners[0]], 90)
    course.submissions.judge(course.teacher(), course.hand_in(url=WORK), ACCEPT)
    written = earned(school, course.course, course.learners[0])
    row = credential(school, written["id"].rpartition("/")[2])

    def judged() -> Report:
        school.status_lists.sign(row.status_list_id)
        return verifying(school).verify((row.document or "").encode())

    report = judged()
    assert report.verdict is Verdict.VALID, report.steps
    assert row.valid_until is not None
    school.clock.now = row.valid_until + timedelta(seconds=1)
    report = judged()
    assert report.verdict is Verdict.INVALID
    said = {step.name: step.detail for step in report.steps}
    assert said["validity"] == "expired"
    assert said["status"] == "not_revoked", "what is over was not taken back"


def test_nothing_can_be_moved_from_one_part_to_another_under_the_proof(small_school: School) -> None:
    """Two parts of one id are one thing in RDF: what stands in the one could as well stand in the other."""
    school = small_school
    course = people(school, AllOf((QUIZ, LINKS_ONLY)))
    say(school, course.placed)
    school.change(tables.Issuer, terms_url="https://terms.example/", offers_refresh=True)
    factories.grade(school.database, course.course, course.placed, [course.learners[0]], 90)
    course.submissions.judge(course.teacher(), course.hand_in(url=WORK), ACCEPT)
    ids = list(ids_in(earned(school, course.course, course.learners[0])))
    assert len(ids) == len(set(ids)) >= 9


def ids_in(value: Any) -> Iterator[str]:
    for one in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from ids_in(one)
    if isinstance(value, dict) and "id" in value:
        yield value["id"]


def test_a_badge_says_as_little_as_before_unless_somebody_chose_otherwise(school: School) -> None:
    course = people(school, AllOf((QUIZ, LINKS_ONLY)))
    say(school, course.placed, result_descriptions=[DESCRIBED])
    learner = course.learners[0]
    factories.grade(school.database, course.course, course.placed, [learner], 99)
    course.submissions.judge(course.teacher(), course.hand_in(url=WORK), ACCEPT)
    written = earned(school, course.course, learner)
    text = json.dumps(written)
    for member in ("result", "portfolio.example", "validUntil", "refreshService", "termsOfUse", "Schema"):
        assert member not in text
    assert len(written["@context"]) == 2
    assert credential(school, written["id"].rpartition("/")[2]).valid_until is None


def test_each_badge_shows_its_own_learner(school: School) -> None:
    course = people(school, AllOf((QUIZ, LINKS_ONLY)))
    say(school, course.placed)
    for number, learner in enumerate(course.learners):
        factories.grade(school.database, course.course, course.placed, [learner], 90 + number)
        handed_in = course.hand_in(number, url=f"{WORK}/{number}")
        course.submissions.judge(course.teacher(), handed_in, ACCEPT)
    for number, learner in enumerate(course.learners):
        written = earned(school, course.course, learner)
        assert written["credentialSubject"]["result"][0]["value"] == str(90 + number)
        assert [one["id"] for one in works(written)] == [f"{WORK}/{number}"]


def test_what_the_award_was_decided_by_is_shown_whatever_came_later(school: School) -> None:
    course, placed = badge(school)
    say(school, placed)
    (learner,) = factories.enrol(school.database, course)
    factories.grade(school.database, course, placed, [learner], 85)
    (award_id,) = school.awarding.decide_context(course.organisation_id, course.context_id).award_ids
    school.regrade(placed, learner, 10)
    school.clock.forward(hours=1)
    school.awarding.decide_context(course.organisation_id, course.context_id)
    credential_id = school.issuing.issue_credential(award_id)
    assert credential_id is not None
    assert document(school, credential_id)["credentialSubject"]["result"][0]["value"] == "85"


def test_texts_and_files_and_what_was_not_accepted_stay_here(school: School) -> None:
    course = people(school, PORTFOLIO)
    say(school, course.placed)
    first = course.hand_in(text="A private text", url=f"{WORK}/draft")
    course.submissions.judge(course.teacher(), first, replace(ACCEPT, is_accepted=False, comment="No."))
    course.submissions.judge(course.teacher(), course.hand_in(text="Another private text"), ACCEPT)
    written = earned(school, course.course, course.learners[0])
    assert works(written) == []
    assert "private" not in json.dumps(written)
    assert "draft" not in json.dumps(written)


def test_work_of_another_course_or_learner_is_never_shown(school: School) -> None:
    course, other = people(school, LINKS_ONLY), people(school, LINKS_ONLY)
    for one in (course, other):
        say(school, one.placed)
    handed_in = course.hand_in(url=WORK)
    # A row that claims to be of this placement, but belongs to another organisation.
    factories.submission(
        school.database,
        replace(other.course, context_id=course.course.context_id),
        course.placed,
        "portfolio",
        course.learners[0],
        number=7,
        state="accepted",
        url="https://evil.example/",
        is_latest=False,
    )
    course.submissions.judge(course.teacher(), handed_in, ACCEPT)
    written = earned(school, course.course, course.learners[0])
    assert [one["id"] for one in works(written)] == [WORK]


@pytest.mark.parametrize(
    "broken", ["\u202e", "https://[bad", "https://x.example/\u0001", "https://x.example/ü"]
)
def test_no_link_keeps_a_badge_from_being_signed(small_school: School, broken: str) -> None:
    school = small_school
    course = people(school, LINKS_ONLY)
    say(school, course.placed)
    handed_in = course.hand_in(url=WORK)
    school.change(tables.Submission, url=broken)
    course.submissions.judge(course.teacher(), handed_in, ACCEPT)
    assert len(works(earned(school, course.course, course.learners[0]))) == 1


@pytest.mark.parametrize(
    "typed,signed",
    [
        ("https://terms.example/unsere Bedingungen", "https://terms.example/unsere%20Bedingungen"),
        ("https://terms.example/<1>", "https://terms.example/%3C1%3E"),
        ("https://[bad/", None),
    ],
)
def test_no_address_of_terms_keeps_a_badge_from_being_signed(
    small_school: School, typed: str, signed: str | None
) -> None:
    school = small_school
    course, placed = badge(school)
    school.change(tables.Issuer, terms_url=typed)
    (learner,) = factories.enrol(school.database, course)
    written = document(school, school.issued(course, placed, learner))
    assert [one["id"] for one in written.get("termsOfUse", ())] == ([signed] if signed else [])


def test_an_award_whose_decision_is_gone_is_signed_without_results(school: School) -> None:
    course, placed = badge(school)
    say(school, placed)
    (learner,) = factories.enrol(school.database, course)
    written = document(school, school.issued(course, placed, learner))
    assert "result" not in written["credentialSubject"]


def test_showing_results_costs_no_query_per_award(school: School) -> None:
    asked = {}
    for count in (2, 40):
        course, placed = badge(school)
        say(school, placed)
        learners = factories.enrol(school.database, course, count)
        factories.grade(school.database, course, placed, learners, 85)
        ids = school.awarding.decide_context(course.organisation_id, course.context_id).award_ids
        assert len(ids) == count
        with school.database.statements() as statements:
            school.issuing.issue_for(ids)
        # Drawing places may take another statement where two draws are equal.
        of_learners = ("decisions", "micromodule_versions")
        asked[count] = sum(any(table in one for table in of_learners) for one in statements)
    assert asked == {2: 3, 40: 3}


def test_a_later_version_names_the_one_before_it(school: School) -> None:
    badge(school)
    (first,) = school.rows(tables.AchievementVersion)
    with school.database.write() as session:
        second = tables.AchievementVersion(**{**values_of(first), "number": 2})
        session.add(second)
    record = school.issuing.achievement_document
    with school.database.read() as session:
        found = micromodules.achievement_versions(session, [first.id, second.id])
    assert "related" not in json.loads(record(found[first.id]).body)
    assert json.loads(record(found[second.id]).body)["related"] == [
        {"id": f"{BASE_URL}/achievements/{first.id}", "type": ["Related"], "version": "1"}
    ]
