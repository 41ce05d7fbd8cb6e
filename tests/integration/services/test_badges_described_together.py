"""Several people describe the badge that is switched on: nobody writes over what they have not seen."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import pytest

from lti_tool.errors import Conflict, ErrorCode
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Author
from lti_tool.services.retroactive import BadgeForm
from lti_tool.store import tables
from lti_tool.store import versions as store
from tests import factories
from tests.integration.services.school import School
from tests.integration.services.test_prepared_together import is_refused, is_waited_for
from tests.integration.services.test_retroactive import FORM, Office, narrate


class Colleagues:
    """Two of the staff who describe one badge."""

    def __init__(self, school: School) -> None:
        course = school.course()
        self.office = Office(school, course, factories.placed(school.database, course, has_badge=False))
        self.anna = self.office.staff
        with school.database.write() as session:
            bert = tables.StaffMember(
                organisation_id=course.organisation_id, name="Bert", role="editor", created_at=school.clock()
            )
            session.add(bert)
            session.flush()
            self.bert = replace(self.anna, actor=f"staff:{bert.id}")

    def open(self, who: Author) -> BadgeForm:
        return self.office.service.begin(who, self.office.micromodule_id)

    def save(self, who: Author, view: BadgeForm, name: str) -> str:
        form = MicromoduleForm.from_fields({**FORM, "name": name})
        return self.office.service.save(who, self.office.micromodule_id, form, draft=view.draft)

    def discard(self, who: Author, view: BadgeForm) -> None:
        self.office.service.discard(who, self.office.micromodule_id, draft=view.draft)

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


def test_who_has_not_seen_what_a_colleague_saved_does_not_write_over_it(both: Colleagues) -> None:
    annas, berts = both.open(both.anna), both.open(both.bert)
    both.save(both.bert, berts, "Bert's")
    assert is_refused(lambda: both.save(both.anna, annas, "Anna's"))
    seen = both.open(both.anna)
    assert seen.form.name == "Bert's"
    assert seen.saved is not None
    assert (seen.saved.name, seen.saved.is_own) == ("Bert", False)
    both.save(both.anna, seen, "Anna's")
    assert is_refused(lambda: both.save(both.bert, berts, "Bert's again"))
    assert both.name == "Anna's"


def test_nobody_stands_in_their_own_way(both: Colleagues) -> None:
    """Pressed twice, saved while typing, gone back to an older page: it is all one person's turn."""
    first = both.open(both.anna)
    token = both.save(both.anna, first, "One")
    assert both.save(both.anna, first, "One") == token
    both.save(both.anna, first, "Two")
    both.save(both.anna, replace(first, draft=token), "Three")
    assert both.name == "Three"
    both.save(both.bert, both.open(both.bert), "Bert's")
    for older in (first, replace(first, draft=token)):
        assert is_refused(lambda older=older: both.save(both.anna, older, "Four"))


def test_two_who_type_the_same_disagree_about_nothing(few: Colleagues) -> None:
    annas, berts = few.open(few.anna), few.open(few.bert)
    assert few.save(few.anna, annas, "Ours") == few.save(few.bert, berts, "Ours")


def test_nobody_throws_away_what_they_have_not_seen(both: Colleagues) -> None:
    both.save(both.anna, both.open(both.anna), "Anna's")
    annas = both.open(both.anna)
    both.save(both.bert, both.open(both.bert), "Bert's")
    assert is_refused(lambda: both.discard(both.anna, annas))
    assert both.name == "Bert's"
    both.discard(both.anna, both.open(both.anna))
    assert both.open(both.anna).saved is None


def test_of_two_who_save_at_once_the_second_is_told(
    both: Colleagues, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both have read that nothing is described; the second comes while the first one's is being written."""
    annas, berts = both.open(both.anna), both.open(both.bert)
    save, refused = store.save_draft, list[bool]()

    def second() -> None:
        refused.append(is_refused(lambda: both.save(both.bert, berts, "Bert's")))

    saving = threading.Thread(target=second)

    def meanwhile(*about: Any, **more: Any) -> None:
        monkeypatch.undo()
        saving.start()
        assert is_waited_for(both.office.school, saving)
        save(*about, **more)

    monkeypatch.setattr(store, "save_draft", meanwhile)
    both.save(both.anna, annas, "Anna's")
    saving.join()
    assert refused == [True]
    assert both.name == "Anna's"


def test_what_is_saved_while_it_is_switched_on_is_kept_as_no_draft(
    both: Colleagues, monkeypatch: pytest.MonkeyPatch
) -> None:
    office = both.office
    both.save(both.anna, both.open(both.anna), "Anna's")
    berts = both.open(both.bert)
    seen = office.service.dry_run(both.anna, office.micromodule_id, narrate).mark
    remove, refused = store.remove_draft, list[ErrorCode]()

    def second() -> None:
        with pytest.raises(Conflict) as error:
            both.save(both.bert, berts, "Bert's")
        refused.append(error.value.code)

    saving = threading.Thread(target=second)

    def meanwhile(*about: Any) -> None:
        monkeypatch.undo()
        saving.start()
        assert is_waited_for(office.school, saving)
        remove(*about)

    monkeypatch.setattr(store, "remove_draft", meanwhile)
    office.service.switch_on(both.anna, office.micromodule_id, narrate, language="en", seen=seen)
    saving.join()
    assert refused == [ErrorCode.BADGE_IS_ON]
    assert not office.school.rows(tables.VersionDraft)


def test_the_same_saved_after_another_version_is_of_that_version(few: Colleagues) -> None:
    """Nothing else would ever let it be switched on."""
    office = few.office
    token = few.save(few.anna, few.open(few.anna), "Ours")
    former = factories.placed(office.school.database, office.course).micromodule_version_id
    office.school.change(tables.VersionDraft, based_on_id=former)
    few.save(few.anna, replace(few.open(few.anna), draft=token), "Ours")
    (draft,) = office.school.rows(tables.VersionDraft)
    assert draft.based_on_id == office.placed.micromodule_version_id
