"""A decision as it is stored, and the digest by which a later one that says the same is known."""

from __future__ import annotations

from hashlib import sha256

from lti_tool.domain.awarding import Decision, Verdict
from lti_tool.domain.criteria import State
from lti_tool.domain.evidence import Evidence
from lti_tool.services.criteria_format import dump_evidence, dump_finding
from lti_tool.store.decisions import NewDecision
from lti_tool.store.tables import new_id

_LETTERS = {State.MET: "M", State.NOT_MET: "N", State.UNKNOWN: "U"}


def to_store(decision: Decision, evidence: Evidence, digest: str) -> NewDecision:
    """The row that a decision becomes."""
    return NewDecision(
        new_id(),
        decision.learner_id,
        decision.verdict.value,
        decision.state.value,
        "".join(_LETTERS[leaf.state] for leaf in decision.finding.leaves()),
        dump_finding(decision.finding),
        dump_evidence(evidence),
        digest,
        decision.met_at,
    )


RULES = "1"
"""Counted up when a criterion comes to mean something else: what was decided before is then decided anew."""


def digest_of(version_id: str, decision: Decision, evidence: Evidence, *, is_dated: bool) -> str:
    """Equal for two decisions about one version that say the same from the same values, whenever read.

    The reasons follow from the version's criteria and the values. ``award`` turns into ``held`` by the award
    itself, which is nothing new about the learner.
    """
    _, verdict, finding, _, _, exclusion = decision
    said = [RULES, version_id, _HELD if verdict is _AWARD else verdict, exclusion or "", finding[1]]
    for key, score in evidence.scores.items():
        said += (key, str(score[0]), str(score[1]))
    for key, fact in evidence.facts.items():
        said += (key, "holds" if fact[0] else "fails", fact[3])
    if is_dated:
        # The same values may come to something else by their dates.
        said += ["".join(_LETTERS[leaf.state] for leaf in finding.leaves())]
    # None of the parts holds a control character.
    return sha256("\n".join(said).encode()).hexdigest()


# Looking a member up in its Enum runs Python code (3.11).
_AWARD, _HELD = Verdict.AWARD, Verdict.HELD
