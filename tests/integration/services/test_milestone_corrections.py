"""What was put right in a milestone's badge stays right in its next version; nobody waits for its picture."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lti_tool.credentials.uploads import sanitise
from lti_tool.errors import Conflict, RequestInvalid
from lti_tool.services import milestone_form
from lti_tool.services.correcting import Correcting
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.milestone_form import AS_IT_IS, MilestoneForm
from lti_tool.services.milestone_versions import MilestoneComparison, MilestoneVersions
from lti_tool.services.next_version import Answer
from lti_tool.store import tables
from lti_tool.store.database import Database
from lti_tool.store.milestones import MilestoneView
from tests.integration.services.milestone_campus import Campus, plain, problems_of
from tests.integration.services.school import School

NEWS = Answer("What is new.")
MISSPELT = MilestoneForm(name="Explorrer", count="2")


class Shelf:
    """One active milestone, whoever corrects it, and whoever prepares its next version."""

    def __init__(self, school: School, form: MilestoneForm = MISSPELT, campus: Campus | None = None) -> None:
        self.campus = campus or Campus(school)
        self.school = school
        self.milestone_id = self.campus.active(form)
        self.versions = MilestoneVersions(school.database, school.clock, school.hints)

    @property
    def view(self) -> MilestoneView:
        return self.campus.milestones.one(self.campus.staff, self.milestone_id).view

    @property
    def form(self) -> MilestoneForm:
        return self.versions.begin(self.campus.staff, self.milestone_id)[1]

    def correct(self, **changes: str) -> None:
        correcting = Correcting(self.school.database, self.school.clock, self.school.hints)
        version_id = self.view.achievement_version_id
        found = correcting.open(self.campus.staff, version_id)
        correcting.correct(
            self.campus.staff, version_id, {**found.fields, **changes}, reason="Misspelt.", mark=found.mark
        )

    def compare(self, form: MilestoneForm) -> MilestoneComparison:
        return self.versions.compare(self.campus.staff, self.milestone_id, form, NEWS, plain, "en")

    def publish(self, form: MilestoneForm, seen: str | None = None) -> MilestoneView:
        mark = self.compare(form).mark if seen is None else seen
        self.versions.publish(self.campus.staff, self.milestone_id, form, NEWS, plain, "en", seen=mark)
        return self.view


@pytest.fixture
def shelf(school: School) -> Shelf:
    return Shelf(school)


@pytest.fixture
def small_shelf(small_school: School) -> Shelf:
    """Where the kind of database does not matter."""
    return Shelf(small_school)


def texts(found: MilestoneComparison) -> dict[str, tuple[str, str]]:
    return {one.field: (one.before, one.after) for one in found.differences.texts}


@pytest.mark.parametrize(
    "correction",
    [
        {"name": "Explorer"},
        {"criteria_narrative": "Two, whichever."},
        {"image_alt": "A hexagon"},
        {"background": "#123456"},
    ],
)
def test_a_correction_after_the_comparison_is_not_undone(shelf: Shelf, correction: dict[str, str]) -> None:
    form = replace(shelf.form, count="3")
    seen = shelf.compare(form)
    assert not seen.differences.texts
    shelf.correct(**correction)
    with pytest.raises(Conflict):
        shelf.publish(form, seen.mark)
    assert shelf.view.number == 1


def test_who_goes_on_all_the_same_is_shown_that_it_undoes_the_correction(small_shelf: Shelf) -> None:
    form = replace(small_shelf.form, count="3")
    small_shelf.correct(name="Explorer")
    assert texts(small_shelf.compare(form))["name"] == ("Explorer", "Explorrer")


def test_what_was_corrected_is_carried_on(shelf: Shelf) -> None:
    put_right = {
        "criteria_narrative": "Complete two of them, whichever you like.",
        "image_alt": "A compass for whoever is an Explorrer",
        "background": "#123456",
        "text": "X",
    }
    shelf.correct(**put_right)
    found = shelf.compare(replace(shelf.form, name="Explorer", description="Newly described."))
    assert found.differences.fields == {"name", "description"}
    assert not found.differences.has_new_picture
    after = shelf.publish(found.form)
    assert after.number == 2
    assert after.criteria_narrative == put_right["criteria_narrative"]
    assert after.image_alt == "A compass for whoever is an Explorer"
    assert after.artwork is not None
    assert (after.artwork["background"], after.artwork["text"]) == ("#123456", "X")
    (row,) = shelf.school.rows(
        tables.AchievementVersion, tables.AchievementVersion.id == after.achievement_version_id
    )
    assert "#123456" in row.image_svg
    assert "whoever is an Explorer" in row.image_svg


def test_a_look_that_no_design_has_is_as_it_is_until_another_is_chosen(small_shelf: Shelf) -> None:
    assert small_shelf.form.design == "general"
    small_shelf.correct(image_alt="A hexagon", foreground="#fefefe")
    assert small_shelf.form.design == AS_IT_IS
    found = small_shelf.compare(replace(small_shelf.form, design="data"))
    assert found.differences.has_new_picture
    # The words of the former picture do not tell of another one.
    assert texts(found) == {"image_alt": ("A hexagon", "Explorrer")}
    with pytest.raises(RequestInvalid) as refused:
        small_shelf.campus.milestones.create(
            small_shelf.campus.staff, MilestoneForm(name="New", design=AS_IT_IS), plain, "en"
        )
    assert [(one.field, one.code) for one in problems_of(refused.value)] == [
        ("design", FormProblem.UNKNOWN_CHOICE)
    ]


def test_a_draft_keeps_a_look_that_no_design_has(small_school: School) -> None:
    campus = Campus(small_school)
    milestone_id = campus.milestones.create(campus.staff, MISSPELT, plain, "en")
    version_id = campus.milestones.one(campus.staff, milestone_id).view.achievement_version_id
    correcting = Correcting(small_school.database, small_school.clock, small_school.hints)
    found = correcting.open(campus.staff, version_id)
    typed = {**found.fields, "background": "#123456"}
    correcting.correct(campus.staff, version_id, typed, reason="Colour.", mark=found.mark)
    form = campus.milestones.one(campus.staff, milestone_id).form
    campus.milestones.change(campus.staff, milestone_id, replace(form, skills="One"), plain, "en")
    campus.activate(milestone_id)
    artwork = campus.milestones.one(campus.staff, milestone_id).view.artwork
    assert artwork is not None
    assert artwork["background"] == "#123456"


def test_an_uploaded_picture_goes_on(small_shelf: Shelf) -> None:
    school, organisation_id = small_shelf.school, small_shelf.campus.organisation_id
    drawing = b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect width="9" height="9"/></svg>'
    uploaded = sanitise(drawing)
    with school.database.write() as session:
        row = tables.Picture(
            organisation_id=organisation_id,
            digest="d" * 64,
            svg=uploaded.svg,
            png=uploaded.png,
            uploaded_by="cli",
            created_at=school.clock(),
        )
        session.add(row)
        session.flush()
        picture_id = row.id
    small_shelf.correct(picture_id=picture_id, image_alt="A photograph")
    after = small_shelf.publish(replace(small_shelf.form, description="Newly described."))
    assert after.artwork is not None
    assert (after.artwork["picture_id"], after.image_alt) == (picture_id, "A photograph")


def test_other_criteria_are_told_anew_and_that_is_said(small_shelf: Shelf) -> None:
    small_shelf.correct(criteria_narrative="Two, whichever.")
    asked: list[str] = []

    def told(criterion: Any, language: str) -> str:
        asked.append(language)
        return f"{criterion.count}, {language}"

    form = replace(small_shelf.form, count="3")
    found = small_shelf.versions.compare(
        small_shelf.campus.staff, small_shelf.milestone_id, form, NEWS, told, "de"
    )
    assert texts(found)["criteria_narrative"] == ("Two, whichever.", "3, en")
    # The badge goes on in its language, whoever writes its next version.
    assert set(asked) == {"en"}


def test_pictures_are_drawn_while_nobody_waits(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    writing: list[bool] = []
    drawn: list[bool] = []
    write, draw = Database.write, milestone_form.drawn

    @contextmanager
    def noted(self: Database) -> Iterator[Any]:
        with write(self) as session:
            writing.append(True)
            try:
                yield session
            finally:
                writing.pop()

    def drawing(*about: Any) -> tuple[str, bytes]:
        drawn.append(bool(writing))
        return draw(*about)

    monkeypatch.setattr(Database, "write", noted)
    monkeypatch.setattr(milestone_form, "drawn", drawing)
    assert shelf.publish(replace(shelf.form, count="3")).number == 2
    assert drawn
    assert not any(drawn)


@pytest.mark.parametrize("what", ["correction", "category"])
def test_what_changes_while_the_picture_is_drawn_is_seen_before_anything_is_written(
    school: School, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    campus = Campus(school)
    category_id = campus.category(0)
    listed = MilestoneForm("learner", "Data", category_id=category_id, addition_policy="next_version")
    one = Shelf(school, listed, campus)
    form = replace(one.form, description="Newly described.")
    seen = one.compare(form).mark
    draw = milestone_form.drawn

    def meanwhile(*about: Any) -> tuple[str, bytes]:
        monkeypatch.undo()
        if what == "correction":
            one.correct(name="Explorer")
        else:
            with school.database.write() as session:
                one.campus.put(session, category_id, 1)
        return draw(*about)

    monkeypatch.setattr(milestone_form, "drawn", meanwhile)
    with pytest.raises(Conflict):
        one.publish(form, seen)
    assert one.view.number == 1


def test_whoever_presses_twice_is_known_by_what_they_saw(shelf: Shelf) -> None:
    form = replace(shelf.form, count="3")
    seen = shelf.compare(form).mark
    shelf.publish(form, seen)
    with pytest.raises(Conflict):
        shelf.publish(form, seen)
    known, staff = shelf.versions.was_published, shelf.campus.staff
    assert known(staff, shelf.milestone_id, NEWS, seen=seen)
    assert not known(staff, shelf.milestone_id, NEWS, seen="what somebody else saw")
    assert not known(staff, shelf.milestone_id, NEWS, seen="")
    assert not known(staff, shelf.milestone_id, replace(NEWS, policy="now"), seen=seen), "nothing has ended"
    assert not known(replace(staff, organisation_id="elsewhere"), shelf.milestone_id, NEWS, seen=seen)
    assert not known(replace(staff, actor="staff:bert"), shelf.milestone_id, NEWS, seen=seen)
    shelf.publish(replace(form, count="4"))
    assert not known(staff, shelf.milestone_id, NEWS, seen=seen), "another version has followed since"
