"""Several people prepare one next version: nobody writes over what they have not seen, nothing is lost."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.errors import Conflict, RequestInvalid
from lti_tool.services import describing
from lti_tool.services.editing import Editing
from lti_tool.services.form_problems import FormProblem
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.next_version import Answer, Author, VersionForm
from lti_tool.services.version_drafts import UNSEEN
from lti_tool.store import tables
from lti_tool.store import versions as store
from tests import factories
from tests.integration.services.milestone_campus import Campus, plain
from tests.integration.services.school import School, session_of
from tests.integration.services.test_versions import ARTWORK, TEACHER, Desk, desk, problems_of


class Colleagues:
    """Two of the staff who prepare the next version of one micromodule."""

    def __init__(self, school: School) -> None:
        self.school = school
        self.one = desk(school)
        self.anna = self.one.staff
        self.bert = replace(self.anna, actor=f"staff:{self.hired('Bert')}")

    def hired(self, name: str) -> str:
        with self.school.database.write() as session:
            row = tables.StaffMember(
                organisation_id=self.one.course.organisation_id,
                name=name,
                role="editor",
                created_at=self.school.clock(),
            )
            session.add(row)
            session.flush()
            return row.id

    def open(self, who: Author) -> VersionForm:
        return self.one.versions.begin(who, self.one.micromodule_id)

    def save(self, who: Author, view: VersionForm, **changes: str) -> str:
        typed = {**view.form.to_fields(), **ARTWORK, **changes}
        return self.one.versions.save(
            who, self.one.micromodule_id, typed, revision=view.revision, draft=view.draft
        )

    def answer(self, who: Author, answer: Answer, draft: str) -> str:
        return self.one.versions.answer(who, self.one.micromodule_id, answer, draft=draft)

    def discard(self, who: Author, draft: str) -> None:
        self.one.versions.discard(who, self.one.micromodule_id, draft=draft)

    @property
    def name(self) -> str:
        return self.open(self.anna).form.name


@pytest.fixture
def both(school: School) -> Colleagues:
    return Colleagues(school)


@pytest.fixture
def few(small_school: School) -> Colleagues:
    """Where the kind of database does not matter."""
    return Colleagues(small_school)


def is_refused(attempt: Callable[[], object]) -> bool:
    with pytest.raises(Conflict) as refused:
        attempt()
    return refused.value.params.get("reason") == UNSEEN


def test_who_has_not_seen_what_a_colleague_saved_does_not_write_over_it(both: Colleagues) -> None:
    annas, berts = both.open(both.anna), both.open(both.bert)
    both.save(both.bert, berts, name="Bert's")
    assert is_refused(lambda: both.save(both.anna, annas, name="Anna's"))
    seen = both.open(both.anna)
    assert seen.form.name == "Bert's"
    assert seen.saved is not None
    assert (seen.saved.name, seen.saved.at, seen.saved.is_own) == ("Bert", both.school.clock(), False)
    # Whoever has seen it may save theirs all the same; and then it is the other one's turn to look.
    both.save(both.anna, seen, name="Anna's")
    assert both.name == "Anna's"
    assert is_refused(lambda: both.save(both.bert, berts, name="Bert's again"))
    assert both.name == "Anna's"


def test_a_form_from_before_a_colleague_went_on_is_refused_too(few: Colleagues) -> None:
    """Not only the first save: Anna's draft, as Bert opened it, is another by then."""
    few.save(few.anna, few.open(few.anna), name="First")
    berts = few.open(few.bert)
    few.save(few.anna, few.open(few.anna), name="Second")
    assert is_refused(lambda: few.save(few.bert, berts, name="Bert's"))
    assert few.name == "Second"


def test_nobody_stands_in_their_own_way(both: Colleagues) -> None:
    """Pressed twice, saved while typing, gone back to an older page: it is all one person's turn."""
    first = both.open(both.anna)
    token = both.save(both.anna, first, name="One")
    assert both.save(both.anna, first, name="One") == token
    both.save(both.anna, first, name="Two")
    both.save(both.anna, replace(first, draft=token), name="Three")
    assert both.name == "Three"
    # What a colleague saved since is not theirs to write over, from whichever page.
    both.save(both.bert, both.open(both.bert), name="Bert's")
    for older in (first, replace(first, draft=token)):
        assert is_refused(lambda older=older: both.save(both.anna, older, name="Four"))


def test_two_who_type_the_same_disagree_about_nothing(few: Colleagues) -> None:
    annas, berts = few.open(few.anna), few.open(few.bert)
    token = few.save(few.bert, berts, name="Ours")
    assert few.save(few.anna, annas, name="Ours") == token
    saved = few.open(few.bert).saved
    assert saved is not None
    assert saved.is_own


def test_what_is_gone_is_written_over_by_nobody(few: Colleagues) -> None:
    few.save(few.bert, few.open(few.bert), name="Bert's")
    annas = few.open(few.anna)
    few.discard(few.bert, few.open(few.bert).draft)
    few.save(few.anna, annas, name="Anna's")
    assert few.name == "Anna's"


def test_whose_draft_was_thrown_away_goes_on_typing(both: Colleagues) -> None:
    """Saved while typing, from one and the same page: the first time begins a turn, and the next go on."""
    both.save(both.anna, both.open(both.anna), name="First")
    berts = both.open(both.bert)
    both.discard(both.anna, both.open(both.anna).draft)
    for name in ("One", "Two"):
        both.save(both.bert, berts, name=name)
    assert both.name == "Two"
    # A colleague who saw the same draft has not seen what came after it.
    assert is_refused(lambda: both.save(both.anna, berts, name="Anna's"))


def test_who_threw_their_draft_away_in_another_tab_goes_on_typing(few: Colleagues) -> None:
    few.save(few.anna, few.open(few.anna), name="First")
    tab = few.open(few.anna)
    few.discard(few.anna, few.open(few.anna).draft)
    for name in ("One", "Two"):
        few.save(few.anna, tab, name=name)
    assert few.name == "Two"


def is_waited_for(school: School, thread: threading.Thread) -> bool:
    """Whether somebody comes to wait for a lock before the thread ends; on SQLite everybody waits unseen."""
    waiting = "datname = current_database() AND wait_event_type = 'Lock'"
    while school.database.dialect == "postgresql" and thread.is_alive():
        with school.database.read() as session:
            if session.scalar(sa.text(f"SELECT count(*) FROM pg_stat_activity WHERE {waiting}")):
                return True
    return school.database.dialect == "sqlite"


def test_of_two_who_save_at_once_the_second_is_told(
    both: Colleagues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read that nothing is prepared; the second comes while the first one's is being written."""
    annas, berts = both.open(both.anna), both.open(both.bert)
    save, refused = store.save_draft, list[bool]()

    def second() -> None:
        refused.append(is_refused(lambda: both.save(both.bert, berts, name="Bert's")))

    saving = threading.Thread(target=second)

    def meanwhile(*about: Any, **more: Any) -> None:
        monkeypatch.undo()
        saving.start()
        assert is_waited_for(both.school, saving)
        save(*about, **more)

    monkeypatch.setattr(store, "save_draft", meanwhile)
    both.save(both.anna, annas, name="Anna's")
    saving.join()
    assert refused == [True]
    assert both.name == "Anna's"


def test_nobody_throws_away_what_they_have_not_seen(both: Colleagues) -> None:
    both.save(both.anna, both.open(both.anna), name="Anna's")
    annas = both.open(both.anna)
    both.save(both.bert, both.open(both.bert), name="Bert's")
    assert is_refused(lambda: both.discard(both.anna, annas.draft))
    assert both.name == "Bert's"
    both.discard(both.anna, both.open(both.anna).draft)
    assert both.open(both.anna).saved is None


def test_what_a_colleague_said_for_holders_is_not_written_over(both: Colleagues) -> None:
    both.save(both.anna, both.open(both.anna), **{"criteria-0-threshold": "90"})
    annas, berts = both.one.compare(both.anna), both.one.compare(both.bert)
    both.answer(both.bert, Answer("Bert says."), berts.draft)
    assert is_refused(lambda: both.answer(both.anna, Answer("Anna says."), annas.draft))
    now = both.one.compare(both.anna)
    assert now.answer.whats_new == "Bert says."
    assert now.saved.name == "Bert"
    assert now.mark == annas.mark, "what would be published is the same"
    both.answer(both.anna, Answer("Anna says."), now.draft)
    assert both.one.compare(both.bert).answer.whats_new == "Anna says."


# -- what rules name


def asking_for(school: School) -> tuple[Campus, Desk, str]:
    """A prepared version that asks for the badge of a milestone; the milestone's id."""
    campus = Campus(school, 2)
    milestone_id = campus.active(MilestoneForm("learner", "Explorer", category_id=campus.category(1)))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    one = Desk(school, campus.courses[0], campus.placed[0], campus.micromodule(0))
    rule = {"criteria-0-kind": "holds", "criteria-0-choice": badge, "criteria-0-label": "Explorer"}
    one.prepare(one.staff, rule)
    return campus, one, milestone_id


def test_what_is_only_prepared_keeps_no_milestone_and_is_not_published_then(small_school: School) -> None:
    campus, one, milestone_id = asking_for(small_school)
    seen = one.compare(one.staff).mark
    campus.milestones.retire(campus.staff, milestone_id)
    for refused in (lambda: one.compare(one.staff), lambda: one.publish(one.staff, seen=seen)):
        with pytest.raises(RequestInvalid) as error:
            refused()
        assert problems_of(error.value) == [("criteria-0-choice", FormProblem.NO_LONGER_EARNED)]
        assert error.value.params["problems"][0].params == {"name": "Explorer"}
    assert not small_school.rows(tables.MicromoduleVersion, tables.MicromoduleVersion.number == 2)


def retire_while_drawn(monkeypatch: pytest.MonkeyPatch, campus: Campus, milestone_id: str) -> None:
    """Somebody retires the milestone between the look at what rules name and the transaction."""
    draw = describing.drawn

    def meanwhile(*about: Any) -> Any:
        monkeypatch.undo()
        campus.milestones.retire(campus.staff, milestone_id)
        return draw(*about)

    monkeypatch.setattr(describing, "drawn", meanwhile)


def test_a_milestone_that_is_retired_during_a_publication_is_not_asked_for(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus, one, milestone_id = asking_for(school)
    seen = one.compare(one.staff).mark
    retire_while_drawn(monkeypatch, campus, milestone_id)
    with pytest.raises(RequestInvalid) as error:
        one.publish(one.staff, seen=seen)
    assert problems_of(error.value) == [("criteria-0-choice", FormProblem.NO_LONGER_EARNED)]
    assert not school.rows(tables.MicromoduleVersion, tables.MicromoduleVersion.number == 2)


def test_a_milestone_that_is_retired_while_a_draft_is_saved_is_not_asked_for(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    campus = Campus(school, 2)
    milestone_id = campus.active(MilestoneForm("learner", "Explorer", category_id=campus.category(1)))
    badge = campus.milestones.one(campus.staff, milestone_id).view.achievement_id
    course = campus.courses[0]
    made = factories.placed(school.database, course, status="draft")
    teacher = session_of(course, factories.enrol(school.database, course)[0], **TEACHER)
    editing = Editing(school.database, school.clock)
    view = editing.open(teacher, made.placement_id)
    rule = {"criteria-0-kind": "holds", "criteria-0-choice": badge, "criteria-0-label": "Explorer"}
    form = type(view.form).from_fields({**view.form.to_fields(), **ARTWORK, **rule})
    retire_while_drawn(monkeypatch, campus, milestone_id)
    with pytest.raises(RequestInvalid) as error:
        editing.save(teacher, made.placement_id, form, plain, language="en", revision=view.revision)
    assert problems_of(error.value) == [("criteria-0-choice", FormProblem.NO_LONGER_EARNED)]
