"""Which rule of changed criteria is which of before: what hangs on its evidence key follows it."""

from __future__ import annotations

from lti_tool.domain.criteria import Attested, Criterion, EvidenceAccepted, GatePassed, leaves

_KEPT = (GatePassed, Attested, EvidenceAccepted)
"""Kinds of rules beside which something is kept: a link, somebody's word, what was handed in."""


def renamed(before: Criterion, after: Criterion) -> dict[str, str]:
    """The evidence keys that have another name now: new by old.

    Of one kind, one rule that is gone and one that is new are the same; of several the ones at the same
    place, where there are as many as before. Anything else is not guessed.
    """
    found: dict[str, str] = {}
    for kind in _KEPT:
        old, new = _keys(before, kind), _keys(after, kind)
        gone = [key for key in old if key not in new]
        added = [key for key in new if key not in old]
        if len(gone) == len(added) == 1:
            found[gone[0]] = added[0]
        elif len(old) == len(new):
            found |= {was: now for was, now in zip(old, new, strict=True) if was in gone and now in added}
    return found


def _keys(criterion: Criterion, kind: type[GatePassed | Attested | EvidenceAccepted]) -> list[str]:
    return list(dict.fromkeys(leaf.key for leaf in leaves(criterion) if isinstance(leaf, kind)))
