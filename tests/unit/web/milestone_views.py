"""Milestones to be shown: of each kind and status, and who would get them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from lti_tool.domain.criteria import AllOf, Criterion, HoldsAchievement, MicromodulesCompleted
from lti_tool.domain.differences import Differences, ListChange, TextChange, rule_changes
from lti_tool.domain.evaluation import evaluate
from lti_tool.domain.evidence import Counted, Evidence, Fact
from lti_tool.domain.staff import Permission
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.services.milestone_drafts import Beside
from lti_tool.services.milestone_form import MilestoneForm
from lti_tool.services.milestone_rules import Choices, Short
from lti_tool.services.milestone_versions import MilestoneComparison, Tally
from lti_tool.services.milestones import DryRun, MilestoneCard, MilestonePage, MilestoneRow, WouldGet
from lti_tool.services.next_version import Answer
from lti_tool.services.version_drafts import Saved
from lti_tool.store.micromodules import NewMicromodule
from lti_tool.store.milestones import MilestoneView, Progress

NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
LONG_WORD = "Donaudampfschifffahrtsgesellschaftskapitänsprüfung"
"""As in ``sample_views``, which shows milestones itself."""
EXPLORER = MicromodulesCompleted("Example University", 5)
DATA = MicromodulesCompleted("Data science", category_id="category-1")
OWN = AllOf((EXPLORER, HoldsAchievement("achievement-2", "Academic writing")))
NAMES = ("Open Data Basics", "Statistics", LONG_WORD)


def finding(criterion: Criterion, completed: int = 2) -> Any:
    """How it stands for somebody who completed so many of three."""
    counted = tuple(Counted(f"m{number}", name) for number, name in enumerate(NAMES))
    facts = {
        f"completed:m{number}": Fact(number < completed, NOW - timedelta(days=9 - number))
        for number in range(len(NAMES))
    }
    keys = {leaf.key: counted for leaf in (EXPLORER, DATA)}
    return evaluate(criterion, Evidence({}, facts, {**keys, EXPLORER.key: counted[:completed]}))


def view(kind: str = "explorer", criterion: Criterion = EXPLORER, **changes: Any) -> MilestoneView:
    """A milestone as its page shows it."""
    plain = MilestoneView(
        id="milestone-1",
        organisation_id="organisation-1",
        kind=kind,
        status="active",
        category_id="category-1" if kind == "learner" else None,
        addition_policy="keep",
        activated_at=NOW - timedelta(days=30),
        retired_at=None,
        created_at=NOW - timedelta(days=60),
        achievement_id="achievement-1",
        version_id="milestone-version-1",
        number=1,
        criteria=dump_criteria(criterion),
        achievement_version_id="version-writing",
        name="Micromodule Explorer",
        description="Five micromodules of the university, whichever you like.",
        criteria_narrative="",
        image_alt="A compass on a shield",
    )
    return replace(plain, **changes)


def shown(one: MilestoneView, criterion: Criterion, progress: Progress) -> MilestonePage:
    """A milestone's page."""
    return MilestonePage(one, criterion, progress, MilestoneForm(one.kind, one.name))


DRAFT: dict[str, Any] = {"status": "draft", "activated_at": None}
MILESTONES = {
    "active": shown(view(), EXPLORER, Progress(1200, 1204, 37)),
    "draft": shown(
        view("learner", DATA, name=LONG_WORD, description=LONG_WORD, **DRAFT), DATA, Progress(0, 1204, 0)
    ),
    "next-version": shown(view("learner", DATA, addition_policy="next_version"), DATA, Progress(1, 1, 1)),
    "short": replace(
        shown(view("own", OWN, **DRAFT), OWN, Progress(0, 1204, 0)), short=(Short("Data skills", 7, 3),)
    ),
    "retired": shown(view("own", OWN, status="retired", retired_at=NOW), OWN, Progress(12, 12, 1)),
}
ROWS = tuple(MilestoneRow(page.view, page.criterion, page.progress.holders) for page in MILESTONES.values())


def _would_get(number: int, **changes: Any) -> WouldGet:
    plain = WouldGet(f"learner-{number}", f"Learner {number}", finding(DATA, 3), NOW, has_it=False)
    return replace(plain, **changes)


DRY_RUNS = {
    "usual": DryRun(
        MILESTONES["draft"].view,
        DATA,
        (_would_get(1), _would_get(2, name=None), _would_get(3, name=LONG_WORD, has_it=True)),
        25,
        1204,
        "learner-3",
    ),
    "short": DryRun(
        MILESTONES["short"].view,
        OWN,
        (),
        3,
        3,
        None,
        short=(Short("Data skills", 7, 3), Short(LONG_WORD, 2, 0)),
    ),
    "nobody": DryRun(MILESTONES["active"].view, EXPLORER, (), 3, 3, None),
}
CARDS = (
    MilestoneCard(
        "milestone-1",
        "Micromodule Explorer",
        "Five micromodules.",
        "version-writing",
        "A compass",
        finding(EXPLORER),
        has_it=False,
    ),
    MilestoneCard(
        "milestone-2", LONG_WORD, LONG_WORD, "version-writing", "A hat", finding(DATA), has_it=False
    ),
)


CHOICES = Choices(
    "Example University",
    (("category-1", "Data science"), ("category-2", LONG_WORD)),
    (("m0", "Open Data Basics"), ("m1", "Statistics")),
    (("achievement-2", "Academic writing"),),
    {"category:category-1": "Data science", "holds:achievement-2": "Academic writing"},
)


def compared(**changes: Any) -> MilestoneComparison:
    """What a next version changes."""
    one = MILESTONES["active"].view
    new = NewMicromodule(
        name=LONG_WORD,
        description="Six of them.",
        summary="",
        skills=("Open data",),
        criteria=dump_criteria(OWN),
        criteria_narrative="",
        language="en",
        artwork={"shape": "hexagon", "icon": "globe", "background": "#123456", "foreground": "#ffffff"},
        image_alt="A globe",
        image_svg="",
        image_png=b"",
        issuer_id="issuer-1",
        achievement_type="Achievement",
    )
    plain = MilestoneComparison(
        one,
        new,
        MilestoneForm(one.kind, LONG_WORD),
        Answer(),
        EXPLORER,
        OWN,
        Differences(
            (TextChange("name", one.name, LONG_WORD),),
            (ListChange("skills", ("Open data",), ()),),
            rule_changes(EXPLORER, OWN),
            has_new_picture=True,
        ),
        37,
        Tally(2000, True, 12, 37, 9),
        "mark",
    )
    return replace(plain, **changes)


COMPARED = {
    "usual": compared(),
    "nobody": compared(
        holders=0,
        tally=Tally(0, False, 0, 0, 0),
        differences=Differences(),
        answer=Answer("", "date", "soon"),
    ),
}


class SampleMilestoneVersions:
    """Next versions of milestones, as :class:`SampleMilestones`."""

    def __init__(self, called: Any) -> None:
        self.compared = COMPARED["usual"]
        self.publish = called("publish_milestone_version", 2)
        self.published = frozenset[str]()
        """Marks of what whoever asks has published."""

    def begin(self, staff: Any, milestone_id: str) -> tuple[MilestoneView, MilestoneForm]:
        staff.require(Permission.EDIT_MICROMODULES)
        return self.compared.view, MilestoneForm(self.compared.view.kind, self.compared.view.name)

    def was_published(self, staff: Any, milestone_id: str, answer: Answer, *, seen: str) -> bool:
        staff.require(Permission.EDIT_MICROMODULES)
        return seen in self.published

    def compare(self, staff: Any, milestone_id: str, *_: Any) -> MilestoneComparison:
        staff.require(Permission.EDIT_MICROMODULES)
        return self.compared


SAVED = Saved("نور", NOW - timedelta(minutes=5), is_own=False)
BESIDE = Beside(MILESTONES["draft"].view, compared().after, compared().differences, SAVED)
"""What a colleague saved, beside what was typed."""


class SampleMilestones:
    """Gives what a test put in, and notes what is asked of it."""

    def __init__(self, called: Any) -> None:
        self.rows = ROWS
        self.page = MILESTONES["active"]
        self.run = DRY_RUNS["usual"]
        self.create = called("create_milestone", "milestone-1")
        self.change = called("change_milestone")
        self.activate = called("activate_milestone")
        self.retire = called("retire_milestone")
        self.found = CHOICES
        self.last: Saved | None = None
        self.saved_beside = BESIDE

    def every(self, staff: Any) -> tuple[MilestoneRow, ...]:
        staff.require(Permission.VIEW)
        return self.rows

    def one(self, staff: Any, milestone_id: str) -> MilestonePage:
        staff.require(Permission.VIEW)
        return self.page

    def saved(self, staff: Any, milestone_id: str) -> Saved | None:
        staff.require(Permission.VIEW)
        return self.last

    def beside(self, staff: Any, milestone_id: str, *_: Any) -> Beside:
        staff.require(Permission.EDIT_MICROMODULES)
        return self.saved_beside

    def choices(self, staff: Any, milestone_id: str | None = None) -> Choices:
        staff.require(Permission.EDIT_MICROMODULES)
        return self.found

    def dry_run(self, staff: Any, milestone_id: str, after: str = "") -> DryRun:
        staff.require(Permission.VIEW)
        return self.run
