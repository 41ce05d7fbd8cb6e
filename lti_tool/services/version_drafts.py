"""Several people prepare one next version: nobody writes over what they have not seen.

A form carries the token of the draft that it was made from. The token names a *turn*, which is one person's
work on the draft until somebody else goes on with it, and what the draft said. Within their own turn a person
goes on from whatever they have open: what is typed is saved while they type, and browsers go back to pages
that are older. Where it is somebody else's turn, they must have seen exactly what stands there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy.orm import Session

from lti_tool.errors import Conflict, ErrorCode
from lti_tool.store import audit
from lti_tool.store.tables import new_id
from lti_tool.store.versions import VersionDraftView

UNSEEN: Final = "unseen"
"""The ``reason`` of a conflict: something was saved that the person has not seen."""
TURN, BEFORE = "turn", "before"
"""In a draft's content: its turn, and the token of what that turn began from."""


@dataclass(frozen=True, slots=True)
class Saved:
    """Who saved a draft last."""

    name: str | None
    """``None`` where it is not known."""
    at: datetime
    is_own: bool
    """It is whoever asks."""


def token_of(kept: VersionDraftView | None) -> str:
    """What a form carries that is made from this draft: up to 64 characters; empty where there is none."""
    if kept is None:
        return ""
    text = json.dumps(dict(kept.content), sort_keys=True)
    return f"{kept.content.get(TURN, '')}.{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def mark_of(kept: VersionDraftView) -> str:
    """A mark of what is prepared: another as soon as anything of the form changes, or what it begins from."""
    said = [kept.content.get("revision"), kept.content.get("fields")]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:32]


def refuse_unseen(kept: VersionDraftView | None, actor: str, seen: str) -> None:
    """Let nobody write over a draft, or throw it away, that says what they have not seen.

    :param seen: the token that their form carries.
    :raises Conflict: CONFLICT, ``reason`` :data:`UNSEEN`.
    """
    if kept is None or seen == token_of(kept):
        return
    is_own_turn = seen == kept.content.get(BEFORE, "") or seen.split(".")[0] == kept.content.get(TURN, "")
    if kept.updated_by != actor or not is_own_turn:
        detail = f"the draft was saved at {kept.updated_at.isoformat()}"
        raise Conflict(ErrorCode.CONFLICT, detail, reason=UNSEEN)


def turn_of(kept: VersionDraftView | None, actor: str, seen: str) -> dict[str, str]:
    """What the content of a draft says of whose turn it is, once ``actor`` saves it.

    :param seen: the token that their form carries: of a draft that may be gone by now. Their page goes on
        saving from it.
    """
    if kept is not None and kept.updated_by == actor:
        return {name: kept.content.get(name, "") for name in (TURN, BEFORE)}
    return {TURN: new_id()[:16], BEFORE: seen}


def is_same(kept: VersionDraftView | None, content: Mapping[str, Any]) -> bool:
    """Whether the draft says this already: a button was pressed twice."""
    return kept is not None and dict(kept.content) == dict(content)


def saved(reading: Session, organisation_id: str, kept: VersionDraftView | None, actor: str) -> Saved | None:
    """Who saved it last, for ``actor``; ``None`` where there is no draft."""
    if kept is None:
        return None
    names = audit.actor_names(reading, organisation_id, [kept.updated_by])
    return Saved(names.get(kept.updated_by), kept.updated_at, is_own=kept.updated_by == actor)
