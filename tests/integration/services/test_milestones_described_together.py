"""Several people describe one milestone: nobody writes over, begins or discards what they have not seen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from lti_tool.domain.staff import StaffRole
from lti_tool.errors import Conflict, NotFound, RequestInvalid
from lti_tool.services import milestone_form
from lti_tool.services.correcting import Correcting
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_rules import Rule, Rules
from lti_tool.services.milestone_versions import MilestoneVersions
from lti_tool.services.milestones import MilestonePage
from lti_tool.services.next_version import Answer
from lti_tool.services.staffing import StaffView
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.store import milestones as store
from lti_tool.store import tables
from lti_tool.store.database import Database
from tests.factories import NOW
from tests.integration.services.milestone_campus import EXPLORER, Campus, plain, problems_of
from tests.integration.services.school import School
from tests.integration.services.test_prepared_together import is_refused, is_waited_for


class Draft:
    """A milestone that nobody has activated yet."""

    def __init__(self, school: School, form: MilestoneForm = EXPLORER, campus: Campus | None = None) -> None:
        self.school, self.campus = school, campus or Campus(school)
        self.milestones, self.staff = self.campus.milestones, self.campus.staff
        self.id = self.milestones.create(self.staff, form, plain, "en")

    @property
    def page(self) -> MilestonePage:
        return self.milestones.one(self.staff, self.id)

    def colleague(self, name: str) -> StaffView:
        with self.school.database.write() as session:
            row = tables.StaffMember(
                organisation_id=self.campus.organisation_id,
                name=name,
                role="editor",
                created_at=self.school.clock(),
            )
            session.add(row)
            session.flush()
            actor, role = f"staff:{row.id}", StaffRole.EDITOR
        return StaffView("s", self.campus.organisation_id, "University", actor, name, role, None, NOW)

    def change(self, seen: MilestonePage, by: Any = None, **changes: str) -> None:
        form = replace(seen.form, **changes)
        self.milestones.change(by or self.staff, self.id, form, plain, "en", revision=seen.revision)

    def correct(self, **changes: str) -> None:
        correcting = Correcting(self.school.database, self.school.clock, self.school.hints)
        version_id = self.page.view.achievement_version_id
        found = correcting.open(self.staff, version_id)
        typed = {**found.fields, **changes}
        correcting.correct(self.staff, version_id, typed, reason="Put right.", mark=found.mark)


@pytest.fixture
def draft(school: School) -> Draft:
    return Draft(school)


@pytest.fixture
def small_draft(small_school: School) -> Draft:
    """Where the kind of database does not matter."""
    return Draft(small_school)


def test_who_has_not_seen_what_a_colleague_saved_does_not_write_over_it(draft: Draft) -> None:
    bert, seen = draft.colleague("Bert"), draft.page
    draft.school.clock.forward(minutes=5)
    draft.change(seen, by=bert, name="Bert's")
    assert is_refused(lambda: draft.change(seen, name="Mine"))
    assert draft.page.view.name == "Bert's"
    beside = draft.milestones.beside(draft.staff, draft.id, replace(seen.form, name="Mine"), plain, "en")
    assert [(one.field, one.before, one.after) for one in beside.differences.texts] == [
        ("name", "Bert's", "Mine")
    ]
    assert beside.saved is not None
    assert (beside.saved.name, beside.saved.at, beside.saved.is_own) == ("Bert", draft.school.clock(), False)
    draft.change(draft.page, name="Mine")
    assert draft.page.view.name == "Mine"


def test_a_button_pressed_twice_is_no_mistake(draft: Draft) -> None:
    seen = draft.page
    for _ in range(2):
        draft.change(seen, name="Once", description="Described.", skills="One")
    assert draft.page.view.name == "Once"
    changed = tables.AuditEvent.action == "milestone.changed"
    assert len(draft.school.rows(tables.AuditEvent, changed)) == 1


def test_whoever_was_there_in_another_window_is_blamed_on_nobody_else(small_draft: Draft) -> None:
    seen = small_draft.page
    small_draft.change(seen, name="One")
    assert is_refused(lambda: small_draft.change(seen, name="Two"))
    saved = small_draft.milestones.saved(small_draft.staff, small_draft.id)
    assert saved is not None
    assert saved.is_own


def test_of_two_who_save_at_once_the_second_is_told(draft: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, hold, refused = draft.page, store.hold, list[bool]()

    def second() -> None:
        refused.append(is_refused(lambda: draft.change(seen, name="Second")))

    saving = threading.Thread(target=second)

    def meanwhile(*about: Any) -> Any:
        monkeypatch.undo()
        saving.start()
        assert is_waited_for(draft.school, saving)
        return hold(*about)

    monkeypatch.setattr(store, "hold", meanwhile)
    draft.change(seen, name="First")
    saving.join()
    assert refused == [True]
    assert draft.page.view.name == "First"


@pytest.mark.parametrize("what", ["change", "activate"])
def test_nobody_discards_what_they_have_not_seen(draft: Draft, what: str) -> None:
    """Least of all is a milestone retired for good by somebody who saw a draft."""
    seen = draft.page
    if what == "change":
        draft.change(seen, name="Other")
    else:
        draft.campus.activate(draft.id)
    assert is_refused(lambda: draft.milestones.retire(draft.staff, draft.id, revision=seen.revision))
    assert draft.page.view.status == ("draft" if what == "change" else "active")
    draft.milestones.retire(draft.staff, draft.id, revision=draft.page.revision)


def test_a_draft_thrown_away_twice_is_no_mistake(draft: Draft) -> None:
    seen = draft.page
    for _ in range(2):
        draft.milestones.retire(draft.staff, draft.id, revision=seen.revision)
    assert draft.school.rows(tables.Milestone) == []
    discarded = tables.AuditEvent.action == "milestone.discarded"
    assert len(draft.school.rows(tables.AuditEvent, discarded)) == 1
    # Whoever saw nothing of it asks for something that never was.
    for id_, revision in ((draft.id, ""), ("unknown", seen.revision)):
        with pytest.raises(NotFound):
            draft.milestones.retire(draft.staff, id_, revision=revision)


def test_who_published_a_version_changed_it(draft: Draft) -> None:
    draft.campus.activate(draft.id)
    bert, seen = draft.colleague("Bert"), draft.page
    draft.school.clock.forward(minutes=5)
    versions = MilestoneVersions(draft.school.database, draft.school.clock, draft.school.hints)
    about = (bert, draft.id, replace(seen.form, count="3"), Answer("Three."), plain, "en")
    versions.publish(*about, seen=versions.compare(*about).mark)
    assert is_refused(lambda: draft.milestones.retire(draft.staff, draft.id, revision=seen.revision))
    saved = draft.milestones.saved(draft.staff, draft.id)
    assert saved is not None
    assert (saved.name, saved.at, saved.is_own) == ("Bert", draft.school.clock(), False)


def test_corrected_criteria_in_words_outlive_changes_and_the_beginning(draft: Draft) -> None:
    draft.correct(criteria_narrative="Two, whichever you like.")
    draft.change(draft.page, skills="One")
    assert draft.page.view.criteria_narrative == "Two, whichever you like."
    draft.campus.activate(draft.id)
    assert draft.page.view.criteria_narrative == "Two, whichever you like."


def test_words_that_no_longer_fit_are_written_anew(small_draft: Draft) -> None:
    small_draft.correct(criteria_narrative="Two, whichever you like.")
    small_draft.change(small_draft.page, count="3")
    assert small_draft.page.view.criteria_narrative == "MicromodulesCompleted"


def test_a_draft_goes_on_in_its_language(small_draft: Draft) -> None:
    """The words for its criteria are in it, whoever changes it and whoever lets it begin."""
    told: list[str] = []

    def tell(criterion: Any, language: str) -> str:
        told.append(language)
        return f"{criterion.count} ({language})"

    page = small_draft.page
    small_draft.milestones.change(
        small_draft.staff, small_draft.id, replace(page.form, count="3"), tell, "de", revision=page.revision
    )
    assert (small_draft.page.view.language, small_draft.page.view.criteria_narrative) == ("en", "3 (en)")


def test_a_correction_meanwhile_is_seen_first(draft: Draft) -> None:
    seen = draft.page
    draft.correct(name="Put right")
    assert is_refused(lambda: draft.change(seen, skills="One"))
    assert draft.page.view.name == "Put right"


def _drawn_meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Callable[[], object]) -> None:
    draw = milestone_form.drawn

    def meanwhile(*about: Any) -> Any:
        monkeypatch.undo()
        happens()
        return draw(*about)

    monkeypatch.setattr(milestone_form, "drawn", meanwhile)


@pytest.mark.parametrize("correction", [{"image_alt": "A compass"}, {"name": "Put right"}])
def test_what_is_corrected_while_the_picture_is_drawn_is_not_undone(
    draft: Draft, monkeypatch: pytest.MonkeyPatch, correction: dict[str, str]
) -> None:
    seen = draft.page
    _drawn_meanwhile(monkeypatch, lambda: draft.correct(**correction))
    assert is_refused(lambda: draft.milestones.activate(draft.staff, draft.id, plain, seen=seen.mark))
    view = draft.page.view
    assert view.status == "draft"
    assert {name: getattr(view, name) for name in correction} == correction


@pytest.mark.parametrize("what", ["create", "change", "activate"])
def test_what_is_retired_while_the_picture_is_drawn_is_not_asked_for(
    school: School, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    campus = Campus(school)
    asked = campus.active(MilestoneForm(name="Asked for"))
    badge = campus.milestones.one(campus.staff, asked).view.achievement_id
    form = MilestoneForm(kind="own", name="Own", rules=Rules((Rule(f"holds:{badge}"),)))
    if what == "create":
        _drawn_meanwhile(monkeypatch, lambda: campus.milestones.retire(campus.staff, asked))
        with pytest.raises(RequestInvalid) as refused:
            campus.milestones.create(campus.staff, form, plain, "en")
        assert problems_of(refused.value)[0].code is FormProblem.UNKNOWN_CHOICE
        return
    # What a draft names keeps the milestone; so it is retired behind the draft's back.
    plainly = MilestoneForm(kind="own", name="Own", rules=Rules((Rule("organisation", "1"),)))
    one = Draft(school, form if what == "activate" else plainly, campus)
    behind = tables.Milestone.id == asked

    def retire() -> None:
        school.change(tables.Milestone, behind, status="retired")

    seen = one.page
    attempts: dict[str, Callable[[], object]] = {
        "change": lambda: campus.milestones.change(campus.staff, one.id, form, plain, "en"),
        "activate": lambda: campus.milestones.activate(campus.staff, one.id, plain, seen=seen.mark),
    }
    _drawn_meanwhile(monkeypatch, retire)
    with pytest.raises(RequestInvalid) as refused:
        attempts[what]()
    assert problems_of(refused.value)[0].code is FormProblem.UNKNOWN_CHOICE
    assert one.page.view.status == "draft"


def test_pictures_are_drawn_while_nobody_waits(draft: Draft, monkeypatch: pytest.MonkeyPatch) -> None:
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
    draft.milestones.create(draft.staff, MilestoneForm(name="Another"), plain, "en")
    draft.change(draft.page, name="Anew")
    draft.campus.activate(draft.id)
    assert drawn == [False, False, False]


def test_two_who_look_at_once_and_one_who_begins(draft: Draft) -> None:
    """Whoever presses "Activate" begins what they saw; a second press finds that it has begun."""
    seen = draft.page
    draft.change(seen, name="Other")
    with pytest.raises(Conflict) as refused:
        draft.milestones.activate(draft.staff, draft.id, plain, seen=seen.mark)
    assert refused.value.params["reason"] == UNSEEN
    seen = draft.page
    for _ in range(2):
        draft.milestones.activate(draft.staff, draft.id, plain, seen=seen.mark)
    assert draft.page.view.status == "active"
