"""A badge's words are put right, and everybody who holds it has them right, without a new version."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from lti_tool.credentials.verification import Verdict, verify
from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, NotAllowed, NotFound, RequestInvalid
from lti_tool.services import reissuing as reissuing_module
from lti_tool.services.correcting import FIELDS, WHOLE, Correcting
from lti_tool.services.issuing import Issuing
from lti_tool.services.pictures import Pictures
from lti_tool.services.signing_anew import LAST_LOOK_AFTER
from lti_tool.services.staffing import Operator, StaffView
from lti_tool.store import corrections, tables
from tests import factories
from tests.integration.services.school import BASE_URL, School

PICTURE = {
    "shape": "circle",
    "icon": "award",
    "background": "#0b6a5d",
    "foreground": "#ffffff",
    "text": "",
}


class Shelf:
    """One version with badges that people hold, and whoever corrects it."""

    def __init__(self, school: School, count: int = 3) -> None:
        self.school = school
        self.course = school.course()
        self.placed = factories.placed(school.database, self.course)
        assert self.placed.achievement_version_id is not None
        self.version_id: str = self.placed.achievement_version_id
        learners = sorted(factories.enrol(school.database, self.course, count))
        self.ids = [school.issued(self.course, self.placed, learner) for learner in learners]
        self.correcting = Correcting(school.database, school.clock, school.hints)
        self.operator = Operator(self.course.organisation_id)
        school.clock.now += timedelta(days=40)

    def fields(self, **changes: str) -> dict[str, str]:
        return {**self.correcting.open(self.operator, self.version_id).fields, **changes}

    def correct(self, **changes: str) -> str:
        mark = self.correcting.open(self.operator, self.version_id).mark
        return self.correcting.correct(
            self.operator, self.version_id, self.fields(**changes), reason="A misspelling.", mark=mark
        )

    def finish(self, run_id: str) -> Any:
        self.school.reissuing.work(run_id)
        self.school.clock.now += LAST_LOOK_AFTER
        self.school.reissuing.work(run_id)
        return self.school.reissuing.run(self.course.organisation_id, run_id)

    def row(self, id_: str) -> Any:
        (row,) = self.school.rows(tables.Credential, tables.Credential.id == id_)
        return row

    def document(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.row(id_).document)
        return found

    def achievement(self, id_: str) -> dict[str, Any]:
        found: dict[str, Any] = self.document(id_)["credentialSubject"]["achievement"]
        return found

    def version(self) -> Any:
        (row,) = self.school.rows(tables.AchievementVersion, tables.AchievementVersion.id == self.version_id)
        return row

    def verdict(self, id_: str) -> Verdict:
        documents = self.school.own_documents

        class Published:
            def fetch(self, url: str, accept: str) -> bytes:
                found = documents.published(url.removeprefix(BASE_URL))
                assert found is not None, url
                return found.body

        return verify(self.row(id_).document.encode(), fetch=Published(), now=self.school.clock()).verdict


@pytest.fixture
def shelf(school: School) -> Shelf:
    return Shelf(school)


@pytest.fixture
def small_shelf(small_school: School) -> Shelf:
    """Where the kind of database does not matter."""
    return Shelf(small_school)


def codes(error: RequestInvalid) -> dict[str, str]:
    problems: Any = error.params["problems"]
    return {one.field: one.code.value for one in problems}


def test_every_badge_says_the_new_words_under_its_id_and_place_and_all_else_that_it_said(
    shelf: Shelf,
) -> None:
    before = {id_: shelf.document(id_) for id_ in shelf.ids}
    run = shelf.finish(shelf.correct(name="Open Data", skills="Writing  good tests", description="Better."))
    assert (run.status, run.done, run.total) == ("done", 3, 3)
    for id_ in shelf.ids:
        former, written, row = before[id_], shelf.document(id_), shelf.row(id_)
        assert shelf.verdict(id_) is Verdict.VALID
        assert written["validFrom"] > former["validFrom"]
        assert datetime.fromisoformat(written["validFrom"]) == row.reissued_at
        achievement = written["credentialSubject"].pop("achievement")
        assert written.pop("name") == achievement["name"] == "Open Data"
        assert (achievement["tag"], achievement["description"]) == (["Writing  good tests"], "Better.")
        was = former["credentialSubject"].pop("achievement")
        for kept in ("id", "version", "achievementType", "criteria"):
            assert achievement[kept] == was[kept]
        for changed in ("validFrom", "proof"):
            del former[changed], written[changed]
        del former["name"]
        assert written == former  # id, awardedDate, recipient, status place among it


def test_the_audit_log_keeps_what_stood_there_and_why(shelf: Shelf) -> None:
    former = shelf.version().name
    shelf.finish(shelf.correct(name="Open Data"))
    events = shelf.school.rows(tables.AuditEvent, tables.AuditEvent.subject_id == shelf.version_id)
    told = {event.action: event for event in events}
    detail = told["achievement.corrected"].detail
    assert {name: detail[name] for name in ("reason", "from", "to")} == {
        "reason": "A misspelling.",
        "from": {"name": former},
        "to": {"name": "Open Data"},
    }
    assert told["credentials.reissued"].detail["reissued"] == 3
    assert told["credentials.reissued"].actor == "cli"


def test_the_micromodule_follows_where_it_was_called_the_same(shelf: Shelf) -> None:
    module = tables.MicromoduleVersion.id == shelf.placed.micromodule_version_id
    shelf.school.change(tables.MicromoduleVersion, module, name=shelf.version().name, description="Its own.")
    shelf.correct(name="Open Data", description="Better.", skills="Testing")
    (row,) = shelf.school.rows(tables.MicromoduleVersion, module)
    assert (row.name, row.description, row.skills) == ("Open Data", "Its own.", ["Testing"])


def test_a_description_that_only_repeats_the_criteria_follows_them(small_shelf: Shelf) -> None:
    small_shelf.school.change(
        tables.AchievementVersion,
        tables.AchievementVersion.id == small_shelf.version_id,
        description="At least 80 % in Quiz 1.",
    )
    assert small_shelf.fields()["description"] == ""
    small_shelf.correct(criteria_narrative="80 % or more in Quiz 1.")
    assert small_shelf.version().description == "80 % or more in Quiz 1."


def test_a_new_picture_is_drawn_and_badges_are_newer_though_no_text_of_them_changes(shelf: Shelf) -> None:
    former = shelf.version().image_png
    run = shelf.finish(shelf.correct(**PICTURE, image_alt="A round badge"))
    assert run.counts["reissued"] == 3
    version = shelf.version()
    assert version.image_png != former
    assert version.artwork["shape"] == "circle"
    assert "A round badge" in version.image_svg
    assert all(shelf.verdict(id_) is Verdict.VALID for id_ in shelf.ids)


def test_an_uploaded_picture_of_this_organisation_only(small_shelf: Shelf) -> None:
    square = b'<path fill="#123456" d="M1 1h7v7H1z"/>'
    svg = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">' + square + b"</svg>"
    pictures = Pictures(small_shelf.school.database, small_shelf.school.clock)
    other = small_shelf.school.course()
    theirs = pictures.accept(other.organisation_id, svg, "cli")
    with pytest.raises(RequestInvalid) as refused:
        small_shelf.correct(picture_id=theirs.id, image_alt="A square")
    assert codes(refused.value) == {"picture": "picture_missing"}
    ours = pictures.accept(small_shelf.course.organisation_id, svg, "cli")
    small_shelf.correct(picture_id=ours.id, image_alt="A square")
    assert small_shelf.version().artwork == {"picture_id": ours.id, "alt": "A square"}


def test_a_run_that_was_killed_goes_on_from_where_it_was(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", 1)
    run_id = shelf.correct(name="Open Data")

    class Killed(Exception):
        pass

    def die(done: int, _: int | None) -> None:
        if done == 2:
            raise Killed

    with pytest.raises(Killed):
        shelf.school.reissuing.work(run_id, die)
    run = shelf.school.reissuing.run(shelf.course.organisation_id, run_id)
    assert (run.status, run.done, run.total) == ("running", 2, 3)
    texts = [shelf.row(id_).document for id_ in shelf.ids[:2]]
    assert shelf.school.reissuing.due(10) == (run_id,)
    run = shelf.finish(run_id)
    assert (run.status, run.counts["reissued"]) == ("done", 3)
    assert [shelf.row(id_).document for id_ in shelf.ids[:2]] == texts  # not a second time
    assert {shelf.document(id_)["name"] for id_ in shelf.ids} == {"Open Data"}
    assert shelf.school.reissuing.due(10) == ()


def test_of_two_corrections_from_the_same_page_one_is_made_and_the_other_is_told(shelf: Shelf) -> None:
    opened = shelf.correcting.open(shelf.operator, shelf.version_id)
    shelf.correct(name="Open Data")
    with pytest.raises(Conflict):
        shelf.correcting.correct(
            shelf.operator,
            shelf.version_id,
            {**opened.fields, "name": "Opened Data"},
            reason="Also.",
            mark=opened.mark,
        )
    assert shelf.version().name == "Open Data"


def test_the_same_correction_pressed_twice_is_made_once(shelf: Shelf) -> None:
    opened = shelf.correcting.open(shelf.operator, shelf.version_id)
    fields = {**opened.fields, "name": "Open Data"}

    def press(staff: Any = shelf.operator, reason: str = "A misspelling.", **changes: str) -> str:
        return shelf.correcting.correct(
            staff, shelf.version_id, {**fields, **changes}, reason=reason, mark=opened.mark
        )

    run_id = press()
    assert press() == run_id
    shelf.finish(run_id)
    assert press(reason=" A misspelling. ") == run_id, "also when it is done"
    assert len(shelf.school.rows(tables.Run)) == 1
    corrected = tables.AuditEvent.action == "achievement.corrected"
    assert len(shelf.school.rows(tables.AuditEvent, corrected)) == 1
    other = dataclasses.replace(shelf.operator, actor="staff:bert")
    for action in (
        lambda: press(name="Opened Data"),
        lambda: press(reason="Another reason."),
        lambda: press(other),
    ):
        with pytest.raises(Conflict):
            action()
    shelf.correct(name="Opened Data")
    with pytest.raises(Conflict):
        press()
    assert shelf.version().name == "Opened Data"


def test_a_second_correction_amid_the_first_is_what_every_badge_says_in_the_end(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", 1)
    first = shelf.correct(name="Open Date")
    second: list[str] = []

    def correct(done: int, _: int | None) -> None:
        if done == 1 and not second:
            shelf.school.clock.now += timedelta(seconds=5)
            second.append(shelf.correct(name="Open Data"))
            shelf.school.reissuing.work(second[0])

    shelf.school.reissuing.work(first, correct)
    for run_id in (first, *second):
        assert shelf.finish(run_id).status == "done"
    assert {shelf.document(id_)["name"] for id_ in shelf.ids} == {"Open Data"}
    assert all(shelf.verdict(id_) is Verdict.VALID for id_ in shelf.ids)


def test_whoever_was_issuing_when_it_was_corrected_is_found_by_the_last_look(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    (learner,) = factories.enrol(shelf.school.database, shelf.course, 1)
    runs: list[str] = []
    real = Issuing._texts

    def slow(issuing: Issuing, *given: Any) -> Any:
        texts = real(issuing, *given)
        runs.append(shelf.correct(name="Open Data"))  # after the words were read, before they are kept
        shelf.school.reissuing.work(runs[0])
        return texts

    with monkeypatch.context() as patched:
        patched.setattr(Issuing, "_texts", slow)
        late = shelf.school.issued(shelf.course, shelf.placed, learner)
    assert shelf.document(late)["name"] != "Open Data"
    texts = {id_: shelf.row(id_).document for id_ in shelf.ids}
    assert shelf.finish(runs[0]).status == "done"
    assert shelf.document(late)["name"] == "Open Data"
    assert shelf.verdict(late) is Verdict.VALID
    assert {id_: shelf.row(id_).document for id_ in shelf.ids} == texts  # once is enough


def test_who_is_awarded_later_has_the_new_words_and_is_not_signed_again(shelf: Shelf) -> None:
    run_id = shelf.correct(name="Open Data")
    (learner,) = factories.enrol(shelf.school.database, shelf.course, 1)
    later = shelf.school.issued(shelf.course, shelf.placed, learner)
    assert shelf.finish(run_id).counts["reissued"] == 3
    assert shelf.document(later)["name"] == "Open Data"
    assert shelf.row(later).reissued_at is None


def test_revoked_and_expired_badges_stay_what_they_are(shelf: Shelf) -> None:
    shelf.school.revoking.revoke(shelf.ids[0], "By mistake.", "cli")
    shelf.finish(shelf.correct(name="Open Data"))
    assert [shelf.verdict(id_) for id_ in shelf.ids] == [Verdict.INVALID, Verdict.VALID, Verdict.VALID]


def test_another_version_is_left_alone(shelf: Shelf) -> None:
    other = Shelf(shelf.school, 1)
    before = other.row(other.ids[0]).document
    shelf.finish(shelf.correct(name="Open Data"))
    assert other.row(other.ids[0]).document == before


def test_an_endorsement_in_a_badge_stays_in_it(small_shelf: Shelf) -> None:
    id_ = small_shelf.ids[0]
    document = small_shelf.document(id_)
    endorsement = {"type": ["VerifiableCredential", "EndorsementCredential"], "id": "urn:uuid:1"}
    document["credentialSubject"]["achievement"]["endorsement"] = [endorsement]
    small_shelf.school.change(tables.Credential, tables.Credential.id == id_, document=json.dumps(document))
    small_shelf.correct(name="Open Data")
    change = reissuing_module._Work(
        small_shelf.school.reissuing,
        small_shelf.course.organisation_id,
        "run",
        "holder",
        {"version_id": small_shelf.version_id, "moved_at": small_shelf.school.clock().isoformat()},
        lambda *_: None,
    )._corrected()
    found = change(document)
    assert found is not None
    assert found["credentialSubject"]["achievement"]["endorsement"] == [endorsement]
    assert found["credentialSubject"]["achievement"]["name"] == "Open Data"


@pytest.mark.parametrize("name", ["credits", "validity_months", "criteria", "achievement_type", "row-0-kind"])
def test_what_changes_the_meaning_is_refused(small_shelf: Shelf, name: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        small_shelf.correct(**{name: "5"})
    assert codes(refused.value) == {name: "changes_meaning"}
    assert small_shelf.school.rows(tables.Run) == []


@pytest.mark.parametrize("skills", ["", "Writing tests\nReading them"])
def test_a_skill_more_or_less_changes_the_meaning(small_shelf: Shelf, skills: str) -> None:
    with pytest.raises(RequestInvalid) as refused:
        small_shelf.correct(skills=skills)
    assert codes(refused.value) == {"skills": "changes_meaning"}


@pytest.mark.parametrize(
    "field, value, code",
    [
        ("name", "", "required"),
        ("name", "x" * 201, "too_long"),
        ("name", "turned \u202e around", "control_character"),
        ("criteria_narrative", " \n ", "required"),
        ("criteria_narrative", "x" * 10_001, "too_long"),
        ("skills", "x" * 101, "too_long"),
    ],
)
def test_what_could_not_be_signed_is_not_stored(
    small_shelf: Shelf, field: str, value: str, code: str
) -> None:
    before = small_shelf.version().name
    with pytest.raises(RequestInvalid) as refused:
        small_shelf.correct(**{field: value})
    assert codes(refused.value) == {field: code}
    assert small_shelf.version().name == before


def test_nothing_to_correct_is_said(small_shelf: Shelf) -> None:
    with pytest.raises(RequestInvalid) as refused:
        small_shelf.correct()
    assert codes(refused.value) == {WHOLE: "nothing_changed"}


def test_it_needs_a_reason(small_shelf: Shelf) -> None:
    view = small_shelf.correcting.open(small_shelf.operator, small_shelf.version_id)
    for reason in (" ", "x" * 501):
        with pytest.raises(RequestInvalid) as refused:
            small_shelf.correcting.correct(
                small_shelf.operator,
                small_shelf.version_id,
                small_shelf.fields(name="Open Data"),
                reason=reason,
                mark=view.mark,
            )
        assert list(codes(refused.value)) == ["reason"]


def test_the_preview_shows_old_and_new_and_changes_nothing(small_shelf: Shelf) -> None:
    former = small_shelf.version().name
    view = small_shelf.correcting.preview(
        small_shelf.operator, small_shelf.version_id, small_shelf.fields(name="Open Data")
    )
    assert [dataclasses.astuple(one) for one in view.differences] == [("name", former, "Open Data")]
    assert (view.carried.badges, view.carried.shared, view.is_picture_new) == (3, 0, False)
    assert set(view.fields) == set(FIELDS)
    assert small_shelf.version().name == former
    assert small_shelf.school.rows(tables.Run) == []


def staff(organisation_id: str, role: StaffRole) -> StaffView:
    return StaffView(
        session_id="session",
        organisation_id=organisation_id,
        organisation_name="Organisation",
        actor="staff:somebody",
        name="Somebody",
        role=role,
        registration_id=None,
        expires_at=factories.NOW + timedelta(days=365),
    )


@pytest.mark.parametrize("role", [StaffRole.REVIEWER, StaffRole.READER])
def test_whoever_may_not_edit_micromodules_corrects_nothing(small_shelf: Shelf, role: StaffRole) -> None:
    somebody = staff(small_shelf.course.organisation_id, role)
    fields = small_shelf.fields(name="Open Data")
    mark = small_shelf.correcting.open(small_shelf.operator, small_shelf.version_id).mark
    for attempt in (
        lambda: small_shelf.correcting.open(somebody, small_shelf.version_id),
        lambda: small_shelf.correcting.preview(somebody, small_shelf.version_id, fields),
        lambda: small_shelf.correcting.draw(somebody, PICTURE),
        lambda: small_shelf.correcting.correct(
            somebody, small_shelf.version_id, fields, reason="Why.", mark=mark
        ),
    ):
        with pytest.raises(NotAllowed):
            attempt()


def test_another_organisations_version_is_not_found(small_shelf: Shelf) -> None:
    stranger = staff(small_shelf.school.course().organisation_id, StaffRole.OWNER)
    fields = small_shelf.fields(name="Open Data")
    mark = small_shelf.correcting.open(small_shelf.operator, small_shelf.version_id).mark
    for attempt in (
        lambda: small_shelf.correcting.open(stranger, small_shelf.version_id),
        lambda: small_shelf.correcting.preview(stranger, small_shelf.version_id, fields),
        lambda: small_shelf.correcting.correct(
            stranger, small_shelf.version_id, fields, reason="Why.", mark=mark
        ),
    ):
        with pytest.raises(NotFound):
            attempt()
    assert small_shelf.version().name != "Open Data"


def test_a_batch_is_all_that_is_in_memory(small_shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reissuing_module, "BATCH", 2)
    read: list[int] = []
    real = corrections.badges_of

    def counting(*given: Any, **named: Any) -> Any:
        found = real(*given, **named)
        read.append(len(found))
        return found

    monkeypatch.setattr(corrections, "badges_of", counting)
    small_shelf.finish(small_shelf.correct(name="Open Data"))
    assert read == [2, 1, 0]
