"""What a milestone's badge says of how it was earned: the completions and badges that it rests on.

Its criteria were met in no one course, so it names none. What the learner did under another account that they
joined is counted and not named: that account is another LMS's, and may be erased before this badge is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from lti_tool.credentials.documents import Evidence
from lti_tool.domain.criteria import Completed, HoldsAchievement
from lti_tool.services.criteria_format import parse_evidence
from lti_tool.store import milestone_grounds as store

NAMED: Final = 20
"""Completions and badges that are named; a category may have hundreds."""
NAME: Final = "Milestone record"
_COMPLETED, _HOLDS = Completed("", "").key, HoldsAchievement("", "").key


def records_of(session: Session, version_of: Mapping[str, str]) -> dict[str, Evidence]:
    """What the badges of milestones say, by award; awards of courses are left out. Five queries at most, and
    one where none is of a milestone.

    :param version_of: the achievement version of each award.
    """
    of_milestones = store.of_milestones(session, sorted(set(version_of.values())))
    asked = [award_id for award_id, version_id in version_of.items() if version_id in of_milestones]
    grounds = store.grounds(session, asked) if asked else {}
    if not grounds:
        return {}
    rests_on = {award_id: _facts(ground) for award_id, ground in grounds.items()}
    keys = {key for facts in rests_on.values() for key in facts}
    names = store.names(session, _ids(keys, _COMPLETED), _ids(keys, _HOLDS))
    own = store.own(session, sorted({ground.learner_id for ground in grounds.values()}))
    return {
        award_id: Evidence(name=NAME, narrative=_narrative(ground, rests_on[award_id], names, own))
        for award_id, ground in grounds.items()
    }


def _ids(keys: set[str], kind: str) -> list[str]:
    return sorted(key.removeprefix(kind) for key in keys if key.startswith(kind))


def _facts(ground: store.Ground) -> dict[str, datetime | None]:
    """What held when the milestone was reached, by evidence key, and since when."""
    if ground.evidence is None:
        return {}
    facts = parse_evidence(ground.evidence).facts
    return {
        key: fact.since
        for key, fact in facts.items()
        if fact.holds and (fact.since is None or fact.since <= ground.met_at)
    }


def _narrative(
    ground: store.Ground,
    facts: Mapping[str, datetime | None],
    names: Mapping[str, str],
    own: Mapping[str, frozenset[str]],
) -> str:
    parts, elsewhere = [], 0
    by_date = sorted(facts.items(), key=lambda one: (one[1] is None, one[1] or ground.met_at, one[0]))
    for key, since in by_date:
        kind, _colon, id_ = key.partition(":")
        if id_ not in own.get(ground.learner_id, frozenset()) or id_ not in names:
            elsewhere += 1
            continue
        done = "completed" if f"{kind}:" == _COMPLETED else "badge held since"
        parts.append(f"“{names[id_]}” ({done}{'' if since is None else f' {since.date().isoformat()}'})")
    said = f"The criteria were met across the courses of {ground.organisation_name}"
    if parts:
        said += f": {', '.join(parts[:NAMED])}"
    if len(parts) > NAMED:
        said += f", and {len(parts) - NAMED} more"
    if elsewhere:
        others = f"{elsewhere} that the learner has under another account they joined"
        said += f", and {others}" if parts else f": by {others}"
    if ground.evidence is None:
        return f"{said}."
    return f"{said}. The decision is stored with the evidence it rests on."
