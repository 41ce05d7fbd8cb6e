"""What a badge says beside its rules: from the form into the store, through changes, onto the pages."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from lti_tool.domain.criteria import EvidenceAccepted, EvidenceKind
from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.keyring import Keyring
from lti_tool.services.achievement_details import DetailsForm
from lti_tool.services.editing import Editing
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.public import PublicRecords, shown_results, shown_work
from lti_tool.services.sharing import Sharing
from lti_tool.services.wallet import Wallet
from lti_tool.store import micromodules, tables
from lti_tool.store.micromodules import AchievementDetails, AlignmentView, ResultDescriptionView
from tests import factories
from tests.factories import NOW, Course
from tests.integration.services.people import PORTFOLIO, people
from tests.integration.services.school import School, session_of
from tests.integration.services.test_configuring import FIELDS, configuring, described, narrate, teacher
from tests.unit.services.test_achievement_details import ESCO, EVERYTHING

FILES_ONLY = replace(PORTFOLIO, accepts=(EvidenceKind.FILE,))
SAID = {name: value for name, value in EVERYTHING.items() if name != "issuer_id"}
DETAILS = AchievementDetails(
    achievement_type="Course",
    alignments=(
        AlignmentView("Map reading", ESCO, "ESCO", "S1.2", "ceasn:Competency"),
        AlignmentView("Orientation", "https://skills.example/orientation"),
    ),
    credits=Decimal("2.5"),
    credit_unit="ects",
    human_code="MM-101",
    field_of_study="Cartography",
    validity_months=24,
    shows_results=True,
    shows_evidence=True,
    result_descriptions=(
        ResultDescriptionView("quiz-1", "Quiz 1", "Percent", "60", "0", "100"),
        ResultDescriptionView("talk", "Talk", "RawScore", "250", "0"),
    ),
    status_purpose="suspension",
)


def stored(school: School) -> tuple[AchievementDetails, str]:
    """The details of the one badge, and who signs it."""
    (achievement,) = school.rows(tables.Achievement)
    with school.database.read() as session:
        view = micromodules.public_achievement(session, achievement.id)
    assert view is not None
    assert view.issuer_id == achievement.issuer_id
    return view.details(), view.issuer_id


def issuer(school: School, course: Course, name: str, *, is_retired: bool = False) -> str:
    with school.database.write() as session:
        row = tables.Issuer(
            organisation_id=course.organisation_id,
            name=name,
            retired_at=NOW if is_retired else None,
            created_at=NOW,
        )
        session.add(row)
    return row.id


def edit(school: School, session: SessionView, **changes: str) -> None:
    """Open the draft's form, type, save."""
    (placement,) = school.rows(tables.Placement, tables.Placement.context_id == session.context_id)
    service = Editing(school.database, school.clock)
    opened = service.open(session, placement.id)
    form = MicromoduleForm.from_fields({**opened.form.to_fields(), **changes})
    service.save(session, placement.id, form, narrate, language="en", revision=opened.revision)


def test_everything_that_is_described_is_kept_also_when_something_else_is_changed(school: School) -> None:
    course = school.course()
    session = teacher(school, course)
    described(school, session, **SAID)
    assert stored(school) == (DETAILS, course.issuer_id)

    editor = replace(session, deep_linking=None)
    edit(school, editor, name="Reading charts")
    assert stored(school) == (DETAILS, course.issuer_id)

    edit(school, editor, validity_months="", shows_results="", **{"criteria-0-threshold": "80"})
    changed, _issuer = stored(school)
    assert (changed.validity_months, changed.shows_results, changed.shows_evidence) == (None, False, True)
    assert changed.result_descriptions[0].required_value == "80"


def test_a_draft_opens_without_anything_unsaved(small_school: School) -> None:
    placing = teacher(small_school, small_school.course())
    described(small_school, placing, **SAID)
    session = replace(placing, deep_linking=None)
    (placement,) = small_school.rows(tables.Placement)
    opened = Editing(small_school.database, small_school.clock).open(session, placement.id)
    assert not opened.is_unsaved
    assert opened.form.details == DetailsForm.from_fields({**SAID, "credits": "2.5"})
    Editing(small_school.database, small_school.clock).save_draft(
        session, placement.id, opened.form.to_fields(), opened.revision
    )
    again = Editing(small_school.database, small_school.clock).open(session, placement.id)
    assert not again.is_unsaved


def test_what_was_typed_of_the_details_waits_as_a_draft(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    configuring(small_school).save_draft(session, {**FIELDS, **SAID, "credits": "many"})
    draft = configuring(small_school).picker(session).draft
    assert draft is not None
    assert MicromoduleForm.from_fields(draft).details.credits == "many"
    assert len(MicromoduleForm.from_fields(draft).details.alignments) == 2


def test_details_that_cannot_be_signed_are_refused_and_nothing_is_stored(small_school: School) -> None:
    session = teacher(small_school, small_school.course())
    with pytest.raises(RequestInvalid) as refused:
        described(small_school, session, **{"alignment-0-name": "Maps", "alignment-0-url": "javascript:1"})
    assert refused.value.code is ErrorCode.FORM_INVALID
    assert [(one.field, one.code) for one in refused.value.params["problems"]] == [  # type: ignore[attr-defined]
        ("alignment-0-url", FormProblem.NOT_A_URL)
    ]
    assert small_school.rows(tables.AchievementVersion) == []


# -- who signs


def test_whoever_describes_a_badge_chooses_who_signs_it(school: School) -> None:
    course = school.course()
    other = issuer(school, course, "Library")
    session = teacher(school, course)
    assert configuring(school).picker(session).issuer_choices[0][0] == course.issuer_id, "the default first"
    described(school, session, issuer_id=other)
    assert stored(school)[1] == other

    editor = replace(session, deep_linking=None)
    edit(school, editor, name="Charts")
    assert stored(school)[1] == other, "who signs stays"
    edit(school, editor, issuer_id=course.issuer_id)
    assert stored(school)[1] == course.issuer_id


@pytest.mark.parametrize("whose", ["another_organisation", "retired", "nobody"])
def test_nobody_signs_in_the_name_of_others(school: School, whose: str) -> None:
    course, foreign = school.course(), school.course()
    issuers = {
        "another_organisation": foreign.issuer_id,
        "retired": issuer(school, course, "Old library", is_retired=True),
        "nobody": "0" * 32,
    }
    session = teacher(school, course)
    with pytest.raises(RequestInvalid) as refused:
        described(school, session, issuer_id=issuers[whose])
    assert [(one.field, one.code) for one in refused.value.params["problems"]] == [  # type: ignore[attr-defined]
        ("issuer_id", FormProblem.UNKNOWN_CHOICE)
    ]
    assert school.rows(tables.Micromodule) == []


def test_a_draft_of_an_issuer_that_was_retired_goes_to_the_default_one(small_school: School) -> None:
    course = small_school.course()
    other = issuer(small_school, course, "Library")
    session = teacher(small_school, course)
    described(small_school, session, issuer_id=other)
    with small_school.database.write() as writing:
        row = writing.get(tables.Issuer, other)
        assert row is not None
        row.retired_at = NOW
    edit(small_school, replace(session, deep_linking=None), name="Charts")
    assert stored(small_school)[1] == course.issuer_id


# -- pages


def test_learners_see_what_a_badge_is_worth_and_what_it_shows_of_them(school: School) -> None:
    course = school.course()
    placed = factories.placed(school.database, course)
    school.change(
        tables.AchievementVersion,
        **{name: value for name, value in DETAILS.to_columns().items() if name != "status_purpose"},
    )
    (learner, other) = factories.enrol(school.database, course, 2)
    school.issued(course, placed, learner)
    wallet = Wallet(school.database, school.awarding, school.urls, school.ages)
    expected = replace(DETAILS, status_purpose="revocation")

    (earned,) = wallet.view(session_of(course, learner)).earned
    assert earned.details == expected
    (card,) = wallet.view(session_of(course, other)).in_progress
    assert card.details == expected


def test_a_shared_badge_shows_its_details(small_school: School) -> None:
    course = small_school.course()
    placed = factories.placed(small_school.database, course)
    (learner,) = factories.enrol(small_school.database, course)
    credential_id = small_school.issued(course, placed, learner)
    small_school.change(tables.AchievementVersion, credits=Decimal(5), credit_unit="hours")
    Sharing(small_school.database, small_school.clock, small_school.urls).set_public(
        session_of(course, learner), credential_id, True
    )
    found = PublicRecords(
        small_school.database, small_school.issuing, small_school.urls, Keyring(small_school.keys_dir)
    ).credential(credential_id)
    assert found is not None
    assert (found.details.credits, found.details.credit_unit) == (Decimal(5), "hours")
    assert (found.results, found.work) == ((), ())


def test_what_a_badge_shows_of_its_learner_is_read_from_what_was_signed() -> None:
    document = {
        "credentialSubject": {
            "achievement": {
                "resultDescription": [
                    {"id": "https://b.example/a#result-1", "name": "Quiz 1", "resultType": "Percent"},
                    {"id": "https://b.example/a#result-2", "name": "Talk", "resultType": "RawScore"},
                ]
            },
            "result": [
                {"resultDescription": "https://b.example/a#result-2", "value": "251"},
                {"resultDescription": "https://b.example/a#result-1", "value": "92.5"},
                {"resultDescription": "https://elsewhere.example/#1", "value": "1"},
            ],
        },
        "evidence": [
            {"name": "Course record", "narrative": "Decided from the grades."},
            {"id": "https://work.example/essay", "name": "Essay"},
            {"id": "javascript:alert(1)", "name": "Trap"},
        ],
    }
    assert [(one.name, one.value, one.is_percent) for one in shown_results(document)] == [
        ("Talk", "251", False),
        ("Quiz 1", "92.5", True),
    ]
    assert [(one.name, one.url) for one in shown_work(document)] == [("Essay", "https://work.example/essay")]
    assert shown_results({"credentialSubject": {"achievement": {}}}) == ()


@pytest.mark.parametrize(
    "rule, shows_evidence, is_told",
    [(PORTFOLIO, True, True), (PORTFOLIO, False, False), (FILES_ONLY, True, False)],
)
def test_whoever_hands_in_a_link_is_told_where_it_will_stand(
    small_school: School, rule: EvidenceAccepted, shows_evidence: bool, is_told: bool
) -> None:
    course = people(small_school, rule)
    small_school.change(tables.AchievementVersion, shows_evidence=shows_evidence)
    view = course.submissions.view(course.learner(0), course.placement_id, "portfolio")
    assert view.shows_links is is_told


@pytest.mark.parametrize("shows_evidence", [True, False])
def test_whoever_accepts_a_link_is_told_where_it_will_stand(
    small_school: School, shows_evidence: bool
) -> None:
    course = people(small_school, PORTFOLIO)
    small_school.change(tables.AchievementVersion, shows_evidence=shows_evidence)
    with_link, without = (
        course.hand_in(0, url="https://work.example.org/essay"),
        course.hand_in(1, text="Words"),
    )
    assert course.submissions.submission(course.teacher(), with_link).shows_link is shows_evidence
    assert not course.submissions.submission(course.teacher(), without).shows_link
