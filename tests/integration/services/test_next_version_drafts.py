"""What a next version begins from: what is published now, with everything that was corrected in it."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.criteria import AllOf, Channel, ScoreAtLeast
from lti_tool.domain.differences import TextChange
from lti_tool.errors import Conflict, RequestInvalid
from lti_tool.services.correcting import Correcting
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.next_version import Answer
from lti_tool.services.staffing import Operator
from lti_tool.store import bindings, organisations, tables, versions
from tests.factories import NOW
from tests.integration.services.office import Office
from tests.integration.services.school import School
from tests.integration.services.test_versions import ARTWORK, Desk, also_in, desk, narrate, problems_of

NINETY = {"criteria-0-threshold": "90"}


def correct(one: Desk, **changes: str) -> None:
    """Correct the badge of the published version."""
    school, operator = one.school, Operator(one.course.organisation_id)
    correcting = Correcting(school.database, school.clock, school.hints)
    version_id = one.placed.achievement_version_id
    assert version_id is not None
    view = correcting.open(operator, version_id)
    fields = {**view.fields, **ARTWORK, **changes}
    correcting.correct(operator, version_id, fields, reason="A misspelling.", mark=view.mark)


def badge(one: Desk, number: int) -> Any:
    (row,) = one.school.rows(tables.AchievementVersion, tables.AchievementVersion.number == number)
    return row


def test_corrected_criteria_in_words_stay_as_long_as_nothing_else_is_asked(small_school: School) -> None:
    one = desk(small_school)
    correct(one, criteria_narrative="Reach four fifths of the quiz.")
    one.prepare(one.staff, validity_months="12")
    found = one.compare(one.staff).differences
    assert "criteria_narrative" not in found.fields
    one.publish(one.staff)
    assert badge(one, 2).criteria_narrative == "Reach four fifths of the quiz."


def test_corrected_criteria_in_words_that_no_longer_fit_are_shown_with_the_new_ones(
    small_school: School,
) -> None:
    one = desk(small_school)
    correct(one, criteria_narrative="Reach four fifths of the quiz.")
    one.prepare(one.staff, NINETY)
    compared = one.compare(one.staff)
    (text,) = [change for change in compared.differences.texts if change.field == "criteria_narrative"]
    assert text.before == "Reach four fifths of the quiz."
    assert text.after == narrate(compared.after_criterion, "en")


def test_words_that_only_follow_the_rules_are_told_by_the_rules(small_school: School) -> None:
    one = desk(small_school)
    one.prepare(one.staff, NINETY)
    assert "criteria_narrative" not in one.compare(one.staff).differences.fields


def test_the_next_version_goes_on_in_the_badges_language(small_school: School) -> None:
    one = desk(small_school)
    small_school.change(tables.AchievementVersion, language="pt-BR")
    one.prepare(one.staff, NINETY)
    one.publish(one.staff)
    assert badge(one, 2).language == "pt-BR"
    assert badge(one, 2).criteria_narrative == narrate(AllOf((_quiz(90),)), "pt-BR")


def _quiz(threshold: int) -> ScoreAtLeast:
    return ScoreAtLeast("quiz-1", "Quiz 1", Decimal(threshold), channel=Channel.MIRROR)


def test_a_draft_from_before_a_correction_does_not_undo_it(school: School) -> None:
    one = desk(school)
    former = badge(one, 1).name
    one.prepare(one.staff, NINETY)
    seen = one.compare(one.staff).mark
    correct(one, name="Put right")
    for refused in (lambda: one.compare(one.staff), lambda: one.publish(one.staff, seen=seen)):
        with pytest.raises(Conflict):
            refused()
    view = one.versions.begin(one.staff, one.micromodule_id)
    assert view.is_outdated
    assert view.beside is not None
    assert TextChange("name", "Put right", former) in view.beside.texts
    assert view.beside.rules, "what was meant to change is told as well"
    # Somebody who has seen both goes on.
    typed = {**view.form.to_fields(), "name": "Put right"}
    one.versions.save(one.staff, one.micromodule_id, typed, revision=view.revision)
    one.publish(one.staff)
    assert badge(one, 2).name == "Put right"


def test_a_correction_between_the_look_and_the_button_is_seen_first(small_school: School) -> None:
    """The draft is begun anew after the correction, and the page with the button is older."""
    one = desk(small_school)
    one.prepare(one.staff, NINETY)
    seen = one.compare(one.staff).mark
    correct(one, criteria_narrative="Reach four fifths of the quiz.")
    one.prepare(one.staff, NINETY)
    with pytest.raises(Conflict):
        one.publish(one.staff, seen=seen)
    assert one.publish(one.staff).number == 2


def test_a_stale_tab_does_not_pass_for_what_was_begun_since(small_school: School) -> None:
    one = desk(small_school)
    stale = one.versions.begin(one.staff, one.micromodule_id)
    one.prepare(one.staff, NINETY)
    one.publish(one.staff)
    one.prepare(one.staff, {"criteria-0-threshold": "95"})
    assert one.compare(one.staff).number == 3
    typed = {**stale.form.to_fields(), **ARTWORK, "name": "From the stale tab"}
    one.versions.save(one.staff, one.micromodule_id, typed, revision=stale.revision)
    view = one.versions.begin(one.staff, one.micromodule_id)
    assert (view.form.name, view.is_outdated) == ("From the stale tab", True)
    with pytest.raises(Conflict):
        one.compare(one.staff)


def test_the_first_save_of_a_stale_tab_is_outdated_too(small_school: School) -> None:
    one = desk(small_school)
    stale = one.versions.begin(one.staff, one.micromodule_id)
    one.prepare(one.staff, NINETY)
    one.publish(one.staff)
    typed = {**stale.form.to_fields(), **ARTWORK, "name": "From the stale tab"}
    one.versions.save(one.staff, one.micromodule_id, typed, revision=stale.revision)
    assert one.versions.begin(one.staff, one.micromodule_id).is_outdated
    with pytest.raises(Conflict):
        one.compare(one.staff)


@pytest.mark.parametrize("has_badge", [True, False])
def test_nothing_differs_where_nothing_was_changed(small_school: School, has_badge: bool) -> None:
    """Also not the picture's words, which stand for themselves where nobody typed any."""
    one = desk(small_school, has_badge=has_badge)
    if has_badge:
        small_school.change(tables.AchievementVersion, artwork=ARTWORK)
    one.prepare(one.staff)
    with pytest.raises(RequestInvalid) as error:
        one.compare(one.staff)
    assert problems_of(error.value) == [("criteria", FormProblem.NOTHING_NEW)]


def test_only_what_is_kept_of_a_micromodule_without_a_badge_can_differ(small_school: School) -> None:
    one = desk(small_school, has_badge=False)
    one.prepare(one.staff, validity_months="12", image_alt="A circle")
    with pytest.raises(RequestInvalid) as error:
        one.compare(one.staff)
    assert problems_of(error.value) == [("criteria", FormProblem.NOTHING_NEW)]
    one.prepare(one.staff, description="Otherwise.")
    assert one.compare(one.staff).differences.fields == {"description"}
    assert one.publish(one.staff, Answer()).number == 2


@pytest.mark.parametrize("alt", ["Badge: Open Data", "Abzeichen: Open Data", "Open Data"])
def test_the_pictures_words_follow_a_new_name_in_their_own_language(small_school: School, alt: str) -> None:
    one = desk(small_school)
    small_school.change(tables.MicromoduleVersion, name="Open Data")
    small_school.change(tables.AchievementVersion, name="Open Data", image_alt=alt, artwork=ARTWORK)
    one.prepare(one.staff, name="Open Science", image_alt="")
    compared = one.compare(one.staff)
    assert compared.after.image_alt == alt.replace("Open Data", "Open Science")
    assert compared.differences.fields == {"name"}


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"renewal_opens_days": "0", "validity_months": "12"}, "renewal_opens_days"),
        ({"alignment-0-code": "2"}, "alignments"),
        ({"alignment-0-framework": "Other"}, "alignments"),
        ({"alignment-0-type": "CFItem"}, "alignments"),
        ({"credits": "2"}, "credits"),
        ({"shows_results": "on"}, "shows_results"),
        ({"may_suspend": "on"}, "status_purpose"),
        ({"human_code": "X"}, "human_code"),
    ],
)
def test_no_field_of_the_form_changes_unseen(
    small_school: School, changes: dict[str, str], field: str
) -> None:
    one = desk(small_school)
    alignment = {"target_name": "Skill", "target_url": "https://skills.example/1", "target_code": "1"}
    small_school.change(
        tables.AchievementVersion, artwork=ARTWORK, alignments=[alignment], validity_months=12
    )
    one.prepare(one.staff, changes)
    assert one.compare(one.staff).differences.fields == {field}


def test_a_badge_with_a_name_of_its_own_keeps_it(small_school: School) -> None:
    """As one that was switched on later may have: what people hold is what the next version begins from."""
    one = desk(small_school)
    small_school.change(
        tables.AchievementVersion, name="The badge", skills=["Cutting"], description="What holders read."
    )
    form = one.versions.begin(one.staff, one.micromodule_id).form
    assert (form.name, form.skills, form.description) == ("The badge", "Cutting", "What holders read.")


def _waits_for_a_lock(one: Desk, thread: threading.Thread) -> bool:
    """Whether somebody comes to wait for a lock, before the thread ends."""
    waiting = "datname = current_database() AND wait_event_type = 'Lock'"
    while thread.is_alive():
        with one.school.database.read() as session:
            if session.scalar(sa.text(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")):
                return True
    return False


def test_putting_a_micromodule_aside_during_a_publication_waits_and_holds_nothing_up(school: School) -> None:
    """Publishing locks the micromodule, and the organisation before it looks for circles."""
    one = desk(school)
    if school.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer")
    office = Office(school.database, school.keys_dir)
    organisation_id = one.course.organisation_id
    failed: list[Exception] = []

    def put_aside() -> None:
        try:
            office.administering.archive_micromodule(Operator(organisation_id), one.micromodule_id, True)
        except Exception as error:
            failed.append(error)

    archiving = threading.Thread(target=put_aside)
    with school.database.write() as session:
        versions.lock(session, organisation_id, one.micromodule_id)
        archiving.start()
        assert _waits_for_a_lock(one, archiving)
        organisations.lock(session, organisation_id)
    archiving.join()
    assert failed == []


def test_a_correction_during_a_publication_waits_and_holds_nothing_up(school: School) -> None:
    """Both lock the micromodule's versions before its badge's: neither has what the other waits for."""
    one = desk(school)
    if school.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer")
    # As in life: the micromodule is called as its badge is, and put right with it.
    school.change(tables.MicromoduleVersion, name=badge(one, 1).name)
    failed: list[Exception] = []

    def put_right() -> None:
        try:
            correct(one, name="Put right")
        except Exception as error:
            failed.append(error)

    correcting = threading.Thread(target=put_right)
    (row,) = school.rows(tables.Achievement)
    # What publishing does, with time in between.
    with school.database.write() as session:
        versions.lock(session, one.course.organisation_id, one.micromodule_id)
        correcting.start()
        assert _waits_for_a_lock(one, correcting)
        ended = versions.expire_before(session, one.course.organisation_id, row.id, "the-next", NOW)
    correcting.join()
    assert (ended, failed) == (1, [])
    assert (badge(one, 1).name, badge(one, 1).expires_at) == ("Put right", NOW)


def test_whoever_presses_twice_is_known_by_what_they_saw(school: School) -> None:
    one = desk(school)
    one.prepare(one.staff, NINETY)
    seen = one.compare(one.staff).mark
    one.publish(one.staff, seen=seen)
    with pytest.raises(Conflict):
        one.publish(one.staff, seen=seen)
    news = Answer("Ninety instead of eighty.")
    known, mm = one.versions.was_published, one.micromodule_id
    assert known(one.staff, mm, news, seen=seen)
    assert not known(one.staff, mm, news, seen="what somebody else saw")
    assert not known(one.staff, mm, replace(news, policy="now"), seen=seen), "nothing has ended"
    assert not known(replace(one.staff, actor="staff:bert"), mm, news, seen=seen)
    assert not known(replace(one.staff, organisation_id="elsewhere"), mm, news, seen=seen)
    one.prepare(one.staff, {"criteria-0-threshold": "95"})
    one.publish(one.staff)
    assert not known(one.staff, mm, news, seen=seen), "another version has followed since"


def test_columns_are_as_large_as_the_smallest_of_all_courses(small_school: School) -> None:
    """In one question, however many courses have it."""
    one = desk(small_school)
    for number in range(3):
        beside, placement_id = also_in(small_school, one, key=f"elsewhere-{number}")
        with small_school.database.write() as session:
            session.add(
                tables.LineItem(
                    organisation_id=beside.organisation_id,
                    context_id=beside.context_id,
                    placement_id=placement_id,
                    tag="mirror",
                    evidence_key="quiz-1",
                    label="Quiz 1",
                    score_maximum=100 - 10 * number,
                    created_at=NOW,
                    id_on_platform=f"https://lms.example/columns/{number}",
                )
            )
    with small_school.database.read() as session:
        placed = versions.placed(session, one.course.organisation_id, one.micromodule_id)
        ids = [row.placement_id for row in placed]
        found = bindings.column_maxima(session, one.course.organisation_id, *ids)
    assert (len(ids), found["mirror", "quiz-1"]) == (4, 80)
