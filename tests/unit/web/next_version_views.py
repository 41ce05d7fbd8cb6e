"""Next versions of sample badges, in every state: form, comparison, and who holds the versions before."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from lti_tool.domain.criteria import AllOf, Attested, Criterion, GatePassed, ScoreAtLeast
from lti_tool.domain.differences import Said, differences
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.criteria_tree import from_criterion
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import (
    Answer,
    Comparison,
    Fate,
    Holder,
    HoldersPage,
    Policy,
    Prospect,
    VersionForm,
)
from lti_tool.services.version_drafts import Saved
from lti_tool.store.bindings import DescribedVersion
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.versions import HolderCounts, HolderRow, NewsView
from tests.unit.web.sample_views import NOW

LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsausbildungsgrundlagen"
ARTWORK = {"shape": "hexagon", "icon": "award", "background": "#0b6a5d", "foreground": "#ffffff"}
MARK = "c" * 32
OLD = AllOf(
    (
        ScoreAtLeast("quiz-1", "Quiz 1", Decimal(60)),
        GatePassed("gate:activities", "Activities"),
        Attested("attested:talk", "Talk"),
    )
)
NEW = AllOf(
    (
        ScoreAtLeast("quiz-1", "Quiz 1", Decimal(80)),
        GatePassed("gate:activities", "Activities"),
        ScoreAtLeast("essay", f"Essay on {LONG_WORD}", Decimal(50)),
    )
)


def described(criterion: Criterion = OLD, **changes: Any) -> DescribedVersion:
    """What is published."""
    plain = DescribedVersion(
        version_id="version-data",
        micromodule_id="micromodule-1",
        number=1,
        name="Research Data",
        description="Plans and shares research data.",
        skills=("Data management", "FAIR principles"),
        criteria=dump_criteria(criterion),
        achievement_id="achievement-1",
        achievement_version_id="version-data",
        criteria_narrative="All of these",
        artwork=ARTWORK,
        image_alt="A green hexagon",
        issuer_id="issuer-1",
    )
    return replace(plain, **changes)


def new(**changes: Any) -> NewMicromodule:
    """What is prepared."""
    plain = NewMicromodule(
        name="Research Data Management",
        description="Plans, documents and shares research data responsibly.",
        summary="All of these",
        skills=("Data management", "Licences"),
        criteria=dump_criteria(NEW),
        criteria_narrative="All of these",
        language="en",
        artwork={**ARTWORK, "background": "#7a1f5c"},
        image_alt="A purple hexagon",
        image_svg="<svg/>",
        image_png=b"",
        issuer_id="issuer-1",
    )
    return replace(plain, **changes)


FORM = MicromoduleForm.from_fields(
    {
        "name": "Research Data",
        "description": "Plans and shares research data.",
        "skills": "Data management",
        **ARTWORK,
    }
).with_rules(from_criterion(OLD))
PLAIN_FORM = VersionForm(
    micromodule_id="micromodule-1",
    name="Research Data",
    number=2,
    form=FORM,
    revision="version-data",
    micromodule_choices=(("micromodule-2", "Academic Writing"),),
    achievement_choices=(("achievement-2", "Academic Writing"),),
    supports_mirror=True,
    supports_gates=True,
    is_known=True,
    has_badge=True,
    achievement_version_id="version-data",
    language="en",
)
TEXTS = ("name", "description", "image_alt")
FOUND = differences(
    Said(
        {**{name: getattr(described(), name) for name in TEXTS}, "credits": "1 ects", "validity": ""},
        {"skills": described().skills},
        "green",
        OLD,
    ),
    Said(
        {**{name: getattr(new(), name) for name in TEXTS}, "credits": "2 ects", "validity": "24"},
        {"skills": new().skills},
        "purple",
        NEW,
    ),
)
SAVED = Saved("نور", NOW - timedelta(minutes=5), is_own=False)
THEIRS = replace(
    PLAIN_FORM,
    form=replace(FORM, name=f"Research Data {LONG_WORD}", skills="Licences"),
    is_unsaved=True,
    draft="turn.theirs",
    saved=SAVED,
)
"""What a colleague saved."""
VERSION_FORMS = {
    "plain": PLAIN_FORM,
    "begun-before": replace(PLAIN_FORM, is_unsaved=True, draft="turn.before", saved=SAVED),
    "outdated": replace(PLAIN_FORM, is_unsaved=True, is_outdated=True, beside=FOUND),
    "staff": replace(PLAIN_FORM, is_known=False),
}
COMPARISON = Comparison(
    micromodule_id="micromodule-1",
    before=described(),
    after=new(),
    number=2,
    differences=FOUND,
    answer=Answer(),
    has_badge=True,
    courses=3,
    holders=HolderCounts(1234, 1200),
    ends_at=None,
    mark=MARK,
    draft="turn.before",
)
WORDS_ONLY = differences(
    Said({"name": "Reserch Data"}, {}, "green", OLD), Said({"name": "Research Data"}, {}, "green", OLD)
)
COMPARISONS = {
    "plain": COMPARISON,
    "answered": replace(
        COMPARISON,
        answer=Answer("Sharing data asks for a licence now.", Policy.DATE, "2027-03-31"),
        holders=HolderCounts(1, 1),
    ),
    "words-only": replace(COMPARISON, differences=WORDS_ONLY, holders=HolderCounts(0, 0), courses=1),
    "no-badge": replace(
        COMPARISON,
        before=described(achievement_id=None, achievement_version_id=None),
        has_badge=False,
        holders=HolderCounts(0, 0),
    ),
}


def _holder(number: int, name: str | None, fate: Fate, prospect: Prospect, ends: int | None) -> Holder:
    ends_at = None if ends is None else NOW + timedelta(days=ends)
    row = HolderRow(
        f"award-{number}",
        f"learner-{number}",
        name,
        "context-1",
        "Cartography",
        NOW - timedelta(days=200),
        1,
        None,
    )
    return Holder(row, fate, ends_at, prospect)


PAGE = HoldersPage(
    holders=(
        _holder(1, "Ada Learner", Fate.ENDS, Prospect.MEETS, 100),
        _holder(2, LONG_WORD, Fate.ENDS, Prospect.NOT_YET, 100),
        _holder(3, None, Fate.ENDS_EARLIER, Prospect.UNKNOWN, 20),
        _holder(4, "نور", Fate.ENDS, Prospect.NOT_HERE, 100),
    ),
    page=2,
    pages=25,
    shown=1234,
    others=7,
    counts=HolderCounts(1234, 1200),
    answer=Answer("New.", Policy.DATE, "2027-03-31"),
    ends_at=NOW + timedelta(days=100),
)
HOLDER_PAGES = {
    "ends": PAGE,
    "now": replace(PAGE, answer=Answer("New.", Policy.NOW), ends_at=NOW),
    "keep": replace(
        PAGE,
        holders=(_holder(1, "Ada Learner", Fate.STAYS, Prospect.MEETS, None),),
        page=1,
        pages=1,
        shown=1,
        others=0,
        counts=HolderCounts(1, 1),
        answer=Answer(),
        ends_at=None,
    ),
    "empty": replace(PAGE, holders=(), page=1, pages=1, shown=0, others=0, counts=HolderCounts(0, 0)),
}
NEWS = (
    NewsView(
        "placement-1",
        "Research Data",
        2,
        f"Sharing data asks for a licence now.\n{LONG_WORD}",
        NOW - timedelta(days=3),
    ),
    NewsView("placement-2", "Academic Writing", 3, "", NOW - timedelta(days=9)),
)


class SampleVersions:
    """Publishes nothing; a test may put in other views."""

    def __init__(self, called: Any) -> None:
        self.form = PLAIN_FORM
        self.compared = COMPARISON
        self.page = PAGE
        self.told: tuple[NewsView, ...] = ()
        self.save = called("save_version", "turn.saved")
        self.answer = called("answer_version", "turn.answered")
        self.discard = called("discard_version")
        self.publish = called("publish_version")
        self.published: set[str] = set()

    def begin(self, author: Any, micromodule_id: str, *, discards: bool = False) -> VersionForm:
        return self.form

    def was_published(self, author: Any, micromodule_id: str, answer: Answer, *, seen: str) -> bool:
        return seen in self.published

    def compare(self, *_: Any, **__: Any) -> Comparison:
        return self.compared

    def holders(self, *_: Any, **__: Any) -> HoldersPage:
        return self.page

    def news(self, organisation_id: str, context_id: str) -> tuple[NewsView, ...]:
        return self.told

    def micromodule_of(self, author: Any, placement_id: str) -> str:
        return "micromodule-1"
