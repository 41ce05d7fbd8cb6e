"""What awards rest on, as far as their badges may say so: the decision's evidence, and links handed in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from sqlalchemy import and_, select
from sqlalchemy.orm import Session

from lti_tool.store.submissions import ACCEPTED
from lti_tool.store.tables import Award, Decision, MicromoduleVersion, Submission


@dataclass(frozen=True, slots=True)
class Ground:
    """The decision that an award was made by."""

    micromodule_version_id: str
    evidence: Mapping[str, Any]
    """As stored."""


class AcceptedLink(NamedTuple):
    """The address of a learner's own work that somebody accepted."""

    evidence_key: str
    url: str


def grounds(session: Session, award_ids: Sequence[str]) -> dict[str, Ground]:
    """The decisions of awards, by award id; one whose decision is no longer there is left out."""
    rows = session.execute(
        select(Award.id, Decision.micromodule_version_id, Decision.evidence)
        .join(
            Decision,
            and_(
                Decision.id == Award.decision_id,
                Decision.organisation_id == Award.organisation_id,
                Decision.learner_id == Award.learner_id,
            ),
        )
        .where(Award.id.in_(award_ids))
    )
    return {award_id: Ground(version_id, evidence) for award_id, version_id, evidence in rows}


def criteria_of(session: Session, micromodule_version_ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """The criteria of micromodule versions as stored, by the version's id."""
    rows = session.execute(
        select(MicromoduleVersion.id, MicromoduleVersion.criteria).where(
            MicromoduleVersion.id.in_(micromodule_version_ids)
        )
    )
    return {row.id: row.criteria for row in rows}


def accepted_links(session: Session, award_ids: Sequence[str]) -> dict[str, tuple[AcceptedLink, ...]]:
    """The links that were accepted for the placements in which awards were made, by award id: the newest of
    each evidence key. Texts and files stay here."""
    rows = session.execute(
        select(Award.id, Submission.evidence_key, Submission.url)
        .join(Decision, Decision.id == Award.decision_id)
        .join(
            Submission,
            and_(
                Submission.placement_id == Decision.placement_id,
                Submission.learner_id == Award.learner_id,
                Submission.organisation_id == Award.organisation_id,
            ),
        )
        .where(
            Award.id.in_(award_ids),
            Decision.organisation_id == Award.organisation_id,
            Decision.learner_id == Award.learner_id,
            Submission.state == ACCEPTED,
        )
        .order_by(Award.id, Submission.evidence_key, Submission.number)
    )
    newest: dict[str, dict[str, str]] = {}
    for award_id, key, url in rows:
        newest.setdefault(award_id, {})[key] = url
    return {
        award_id: tuple(AcceptedLink(key, url) for key, url in links.items() if url)
        for award_id, links in newest.items()
    }
