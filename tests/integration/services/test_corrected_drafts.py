"""What somebody corrected in the badge of a draft stays when its form is saved, as long as it is true."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lti_tool.domain.criteria import Criterion
from lti_tool.errors import Conflict, ErrorCode
from lti_tool.services.correcting import Correcting
from lti_tool.services.editing import EditView
from lti_tool.services.launching import SessionView
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.staffing import Operator
from lti_tool.store import tables
from tests.integration.services.school import School
from tests.integration.services.test_editing import drafted, editing

OWN_WORDS = "Sixty per cent or more, whichever quiz."


def narrate_in(criterion: Criterion, language: str) -> str:
    return f"Pass the quiz ({language})."


class Draft:
    """A draft in a course, which a teacher changes and the staff correct."""

    def __init__(self, school: School) -> None:
        self.school = school
        session, self.placement_id = drafted(school)
        self.session: SessionView = session

    def correct(self, **changes: str) -> None:
        staff = Operator(self.session.organisation_id)
        correcting = Correcting(self.school.database, self.school.clock, self.school.hints)
        found = correcting.open(staff, self.badge.id)
        correcting.correct(
            staff, self.badge.id, {**found.fields, **changes}, reason="Misspelt.", mark=found.mark
        )

    def open(self) -> EditView:
        return editing(self.school).open(self.session, self.placement_id)

    def save(self, view: EditView, language: str = "en", **changes: str) -> None:
        form = MicromoduleForm.from_fields({**view.form.to_fields(), **changes})
        editing(self.school).save(
            self.session,
            self.placement_id,
            form,
            narrate_in,
            language=language,
            revision=view.revision,
        )

    @property
    def badge(self) -> tables.AchievementVersion:
        (badge,) = self.school.rows(tables.AchievementVersion)
        return badge


def test_words_that_were_corrected_stay_as_long_as_the_rules_do(school: School) -> None:
    draft = Draft(school)
    draft.correct(criteria_narrative=OWN_WORDS)
    draft.save(draft.open(), name="Reading charts")
    assert (draft.badge.name, draft.badge.criteria_narrative) == ("Reading charts", OWN_WORDS)
    draft.save(draft.open(), **{"criteria-0-threshold": "75"})
    assert draft.badge.criteria_narrative == "Pass the quiz (en).", "they were about another rule"


def test_a_badge_goes_on_in_its_language_whoever_saves_it(small_school: School) -> None:
    """Words that stay would be signed as words of another language."""
    draft = Draft(small_school)
    draft.correct(criteria_narrative=OWN_WORDS)
    draft.save(draft.open(), "de", name="Karten lesen")
    assert (draft.badge.language, draft.badge.criteria_narrative) == ("en", OWN_WORDS)
    draft.save(draft.open(), "de", **{"criteria-0-threshold": "75"})
    assert (draft.badge.language, draft.badge.criteria_narrative) == ("en", "Pass the quiz (en).")


@pytest.mark.parametrize(
    "correction", [{"criteria_narrative": OWN_WORDS}, {"image_alt": "A map"}, {"background": "#123456"}]
)
def test_who_opened_the_form_before_a_correction_does_not_undo_it_unseen(
    small_school: School, correction: dict[str, str]
) -> None:
    draft = Draft(small_school)
    opened = draft.open()
    draft.correct(**correction)
    with pytest.raises(Conflict) as refused:
        draft.save(opened, name="Reading charts")
    assert refused.value.code is ErrorCode.CONFLICT
    draft.save(replace(opened, revision=draft.open().revision), name="Reading charts")
    assert draft.badge.name == "Reading charts"
