"""A badge that is switched on for fifty thousand who finished already: how fast, and with how much memory."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import sqlalchemy as sa

from lti_tool.bootstrap import IssuerKeyring
from lti_tool.keyring import Keyring
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.issuing import Issuing
from lti_tool.services.micromodule_form import MicromoduleForm
from lti_tool.services.next_version import Author
from lti_tool.services.retroactive import Retroactive
from lti_tool.store import tables
from lti_tool.store.dialects import insert_all_if_absent
from tests import factories
from tests.bench.measuring import (
    Figure,
    at_least,
    current_memory,
    figure,
    forget_peak,
    no_more_than,
    peak_memory,
)
from tests.bench.schools import Grounds, Place, learners, memberships
from tests.factories import NOW, Course

COMPLETIONS = 50_000
SAMPLE = 5_000
"""Awards that are signed by themselves, to stand beside it."""
GROWTH = 48.0
"""MB that a run may grow by: batches, and what the database's driver keeps."""
FORM = {"name": "Maps", "shape": "circle", "icon": "award", "background": "#113355", "foreground": "#ffffff"}


def bench(grounds: Grounds) -> Iterator[Figure]:
    """``award_retroactive_…`` on each database."""
    for kind in grounds.kinds:
        with grounds.place(kind) as place:
            yield from _retroactive(grounds, place)


def _retroactive(grounds: Grounds, place: Place) -> Iterator[Figure]:
    keys = IssuerKeyring(Keyring(grounds.folder / f"retroactive-keys-{place.kind}"))
    issuing = Issuing(place.database, keys, lambda: NOW, PublicUrls("https://badges.example"), _NoHints())
    service = Retroactive(place.database, lambda: NOW, _NoHints(), issuing)
    alone = _signed_alone(place, issuing)
    course = factories.course(place.database)
    author = Author(course.organisation_id, "staff:bench", None)
    micromodule_id = _completed(place, course, COMPLETIONS)
    service.save(author, micromodule_id, MicromoduleForm.from_fields(FORM))
    began = place.stopwatch()
    dry = service.dry_run(author, micromodule_id, lambda _: "Pass.", page=1_000)
    looked = place.stopwatch() - began
    assert dry.totals.awarded == COMPLETIONS
    run = service.switch_on(author, micromodule_id, lambda _: "Pass.", language="en", seen=dry.mark)
    gc.collect()
    forget_peak()
    before = current_memory()
    began = place.stopwatch()
    service.work(run.id)
    taken = place.stopwatch() - began
    grown = peak_memory() - before
    assert service.run(course.organisation_id, run.id).counts["awarded"] == COMPLETIONS
    ending = "" if place.kind == "sqlite" else f"_{place.kind}"
    yield figure(
        f"award_retroactive_{COMPLETIONS}{ending}", COMPLETIONS / taken, "awards/CPU s",
        f"signing alone, of {SAMPLE} awards that are there", alone, at_least(0.5),
    )  # fmt: skip
    yield figure(
        f"award_retroactive_memory_{COMPLETIONS}{ending}", grown, "MB",
        "the process before", before, no_more_than(GROWTH),
    )  # fmt: skip
    yield figure(
        f"award_retroactive_last_page_{COMPLETIONS}{ending}", looked, "CPU s",
        "awarding them", taken, no_more_than(4.0),
    )  # fmt: skip


def _completed(place: Place, course: Course, count: int) -> str:
    """A micromodule without a badge that ``count`` learners completed."""
    placed = factories.placed(place.database, course, has_badge=False)
    learner_ids = tuple(tables.new_id() for _ in range(count))
    version_id = placed.micromodule_version_id
    with place.database.write() as session:
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
        insert_all_if_absent(session, tables.Membership, memberships(course, learner_ids), on=("id",))
        completions = (
            {
                "id": tables.new_id(),
                "organisation_id": course.organisation_id,
                "micromodule_version_id": version_id,
                "learner_id": learner_id,
                "context_id": course.context_id,
                "met_at": NOW,
                "recorded_at": NOW,
            }
            for learner_id in learner_ids
        )
        insert_all_if_absent(session, tables.Completion, completions, on=("id",))
        session.execute(
            sa.update(tables.Membership)
            .where(tables.Membership.context_id == course.context_id)
            .values(learner_proof="launch")
        )
        return session.get_one(tables.MicromoduleVersion, version_id).micromodule_id


def _signed_alone(place: Place, issuing: Issuing) -> float:
    """Awards a CPU second, where they only have to be signed and kept."""
    course = factories.course(place.database)
    placed = factories.placed(place.database, course)
    learner_ids = tuple(tables.new_id() for _ in range(SAMPLE))
    award_ids = [tables.new_id() for _ in learner_ids]
    with place.database.write() as session:
        insert_all_if_absent(session, tables.Learner, learners(course, learner_ids), on=("id",))
        awards = (
            {
                "id": award_id,
                "organisation_id": course.organisation_id,
                "achievement_version_id": placed.achievement_version_id,
                "learner_id": learner_id,
                "context_id": course.context_id,
                "met_at": NOW,
                "awarded_at": NOW,
            }
            for award_id, learner_id in zip(award_ids, learner_ids, strict=True)
        )
        insert_all_if_absent(session, tables.Award, awards, on=("id",))
    began = place.stopwatch()
    issuing.issue_for(award_ids)
    return SAMPLE / (place.stopwatch() - began)


class _NoHints:
    """Nobody waits for a hint."""

    def offer(self, task: str, **ids: str) -> None:
        """Forget it."""
