"""Sample views of pathways."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from lti_tool.domain.pathways import Standing
from lti_tool.services.pathways import (
    Beside,
    PathStep,
    PathView,
    Pathway,
    PathwayPage,
    PublicSteps,
    StepNeed,
)
from lti_tool.store.finished import FinishedRow
from lti_tool.store.pathways import Kept, StepRow
from tests.factories import NOW
from tests.unit.web.sample_views import LONG_WORD, earned, progress_card, wallet


def row(name: str, *, is_published: bool = True, has_badge: bool = True) -> StepRow:
    """A step by its name."""
    key = name.lower().replace(" ", "-")[:40]
    picture = "version-data" if has_badge else None
    return StepRow(key, name, f"of-{key}" if has_badge else None, picture, "A badge", is_published)


BASICS, ETHICS = row("Data Basics"), row("Data Ethics", has_badge=False)
CARE, STEWARD = row("Caring for Research Data"), row("Research Data Steward of the University")


def need(step: StepRow, *, is_met: bool = False, is_required: bool = True) -> StepNeed:
    """One step that another needs."""
    return StepNeed(step.name, is_met, is_required, step.step, int(is_met))


def step(one: StepRow, standing: Standing, level: int, *needs: StepNeed, is_goal: bool = False) -> PathStep:
    """A step on the way."""
    return PathStep(one, standing, level, needs, is_goal)


USUAL = PathView(
    STEWARD,
    (
        step(BASICS, Standing.DONE, 0),
        step(ETHICS, Standing.OPEN, 0),
        step(CARE, Standing.OPEN, 1, need(BASICS, is_met=True), need(ETHICS, is_required=False)),
        step(
            STEWARD,
            Standing.LATER,
            2,
            need(CARE),
            StepNeed("Statistics", is_met=False, is_required=True, reached=1, least=3, is_set=True),
            is_goal=True,
        ),
    ),
    (row("Head of Data"), row("Archives", has_badge=False)),
    is_personal=True,
    total=4,
    done=1,
)
_LONG = row(f"{LONG_WORD} {LONG_WORD} at last")
_MANY = [row(f"Part {number} of a long way") for number in range(1, 7)]
_CROWD = [row(f"Part {number} of a crowd") for number in range(1, 9)]
_LAST = row("The end of the crowd")
_GONE = StepNeed("What was deleted", is_met=False, is_required=False)
PATHS = {
    "usual": USUAL,
    "teacher": replace(
        USUAL,
        steps=tuple(replace(one, standing=Standing.LATER) for one in USUAL.steps),
        is_personal=False,
    ),
    "alone": PathView(
        BASICS, (step(BASICS, Standing.OPEN, 0, is_goal=True),), (CARE,), is_personal=True, total=1
    ),
    "long": PathView(
        _LONG,
        (
            *(step(one, Standing.DONE, 0) for one in _MANY),
            step(
                _LONG,
                Standing.OPEN,
                1,
                *(need(one, is_met=True) for one in _MANY),
                is_goal=True,
            ),
        ),
        (),
        is_personal=True,
        total=7,
        done=6,
    ),
    "not-offered": replace(
        USUAL, steps=(step(row("An old one", is_published=False), Standing.LATER, 0), *USUAL.steps), total=5
    ),
    "lost": replace(
        USUAL,
        steps=(
            replace(USUAL.steps[0], standing=Standing.OPEN, is_lost=True),
            USUAL.steps[1],
            step(CARE, Standing.LATER, 1, replace(need(BASICS), is_badge=True), _GONE),
            USUAL.steps[3],
        ),
        done=0,
    ),
    "many": PathView(
        _LAST,
        (*(step(one, Standing.OPEN, 0) for one in _CROWD), step(_LAST, Standing.LATER, 1, is_goal=True)),
        (),
        is_personal=True,
        total=500,
        done=3,
    ),
}
AROUND = PublicSteps((BASICS, CARE), (row("Head of Data"), row("Archives", has_badge=False)))
_BADGE = earned(3)
WALLETS = {
    "opens": wallet(
        earned=(_BADGE,),
        pathways={
            _BADGE.achievement_version_id: Beside("achievement-1", tuple(_MANY)),
            str(progress_card().achievement_version_id): Beside("achievement-2"),
        },
    ),
    "finished": wallet(
        finished=(
            FinishedRow("one", "Data Ethics", NOW - timedelta(days=3), "Data for All"),
            FinishedRow("two", f"{LONG_WORD} at last", NOW - timedelta(days=300), None),
        )
    ),
}


def _kept(status: str = "active", holders: int = 0, milestone_id: str | None = None) -> Kept:
    return Kept(milestone_id, status, holders)


def _ends(*rows: StepRow) -> PathwayPage:
    """A page of one pathway for each of these, which nothing comes before."""
    pathways = tuple(Pathway((one,), (step(one, Standing.LATER, 0, is_goal=True),), 1) for one in rows)
    return PathwayPage(pathways, {one.step: _kept() for one in rows}, {}, len(rows), len(rows))


_OLD = row("An old one", is_published=False)
_PLANNED = STEWARD._replace(is_published=False)
_MAPS = row("Archives", is_published=False, has_badge=False)
_STAFF = (
    step(BASICS, Standing.LATER, 0),
    step(ETHICS, Standing.LATER, 0),
    step(_OLD, Standing.LATER, 0),
    step(CARE, Standing.LATER, 1, replace(need(BASICS), is_badge=True), need(ETHICS, is_required=False)),
    step(
        _PLANNED,
        Standing.LATER,
        2,
        need(CARE),
        # It passes the row between them.
        need(BASICS),
        need(_OLD, is_required=False),
        _GONE,
        StepNeed(
            "Statistics",
            is_met=False,
            is_required=True,
            least=3,
            is_set=True,
            among=14,
            of=(BASICS, ETHICS, *_MANY),
        ),
        is_goal=True,
    ),
)
_USUAL_PAGE = PathwayPage(
    (
        Pathway((_PLANNED,), _STAFF, len(_STAFF)),
        Pathway(
            (_LONG,),
            (
                *(step(one, Standing.LATER, 0) for one in _MANY),
                step(_LONG, Standing.LATER, 1, *map(need, _MANY), is_goal=True),
            ),
            7,
        ),
        Pathway(
            (_MAPS,),
            (
                step(
                    _MAPS,
                    Standing.LATER,
                    0,
                    StepNeed("Statistics", False, True, least=2, is_set=True, among=1, of=(BASICS,)),
                    is_goal=True,
                ),
            ),
            1,
        ),
    ),
    {
        BASICS.step: _kept(holders=1204),
        ETHICS.step: _kept("archived"),
        _OLD.step: _kept("retired", 31, "milestone-2"),
        CARE.step: _kept(holders=1),
        STEWARD.step: _kept("draft", 0, "milestone-1"),
        _MAPS.step: _kept("away"),
        _LONG.step: _kept(holders=3),
    },
    {
        BASICS.step: (CARE, _PLANNED),
        ETHICS.step: (CARE,),
        CARE.step: (_PLANNED, *_CROWD, *_MANY),
        _OLD.step: (_PLANNED,),
        **{one.step: (_LONG,) for one in _MANY},
    },
    3,
    len(_STAFF) + 8,
)
ALL_PATHWAYS = {
    "usual": _USUAL_PAGE,
    "none": PathwayPage((), {}, {}, 0, 0),
    "around": replace(
        _USUAL_PAGE, pathways=_USUAL_PAGE.pathways[:1], total=1, steps=len(_STAFF), around=BASICS
    ),
    "around-nothing": PathwayPage((), {}, {}, 0, 0, around=ETHICS),
    "many": replace(
        _ends(*_CROWD),
        pathways=(
            Pathway(
                (_LAST, *_MANY),
                tuple(step(one, Standing.LATER, 1, need(_LAST)) for one in _CROWD),
                1950,
                first=101,
            ),
        ),
        number=2,
        pages=20,
        total=14,
        steps=1990,
    ),
}
