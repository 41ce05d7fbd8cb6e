"""Awards and completions for systems that keep students' records: one flat row each, in whatever number."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from lti_tool.domain.badge_states import badge_state
from lti_tool.services.addresses import PublicUrls
from lti_tool.services.badge_contents import number_of
from lti_tool.store import audit
from lti_tool.store import records as store
from lti_tool.store.database import Database

AT_ONCE: Final = 1000
"""Rows read with one statement: memory stays flat however many there are."""


class RecordKind(StrEnum):
    """What is handed over."""

    AWARDS = "awards"
    COMPLETIONS = "completions"


COLUMNS: Final[Mapping[RecordKind, tuple[str, ...]]] = {
    RecordKind.AWARDS: (
        "award_id",
        "state",
        "learner_id",
        "platform",
        "user_id",
        "name",
        "email",
        "course_id",
        "course_label",
        "course",
        "micromodule_id",
        "achievement_id",
        "achievement_version_id",
        "badge",
        "version",
        "criteria_met_at",
        "awarded_at",
        "credential_id",
        "credential_url",
        "issued_at",
        "revoked_at",
        "revocation_reason",
        "valid_until",
        "suspended_at",
        "suspension_reason",
        "reissued_at",
        "credits",
        "credit_unit",
        "human_code",
        "issuer_id",
        "issuer",
    ),
    RecordKind.COMPLETIONS: (
        "completion_id",
        "learner_id",
        "platform",
        "user_id",
        "name",
        "email",
        "course_id",
        "course_label",
        "course",
        "micromodule_id",
        "micromodule_version_id",
        "micromodule",
        "version",
        "criteria_met_at",
        "recorded_at",
    ),
}
"""Names of the columns, in their order (docs/reference/records.md); further ones may follow these."""

Record = dict[str, Any]
"""One row: texts, numbers, aware times, or None."""


@dataclass(frozen=True)
class Records:
    """Reads an organisation's records, and keeps a trace of who took them."""

    database: Database
    clock: Callable[[], datetime]
    urls: PublicUrls

    def take(
        self, organisation_id: str, kind: RecordKind, actor: str, since: datetime | None = None
    ) -> Iterator[Record]:
        """All rows of a kind, in no particular order; each has the keys of :data:`COLUMNS`.

        That they were taken is recorded before the first is read.

        :param actor: ``cli`` or ``staff:<id>``.
        :param since: only what came, changed, was revoked or expired then or later.
        """
        with self.database.write() as session:
            audit.record(
                session,
                organisation_id,
                at=self.clock(),
                actor=actor,
                action="records.exported",
                subject_kind="organisation",
                subject_id=organisation_id,
                detail={"kind": kind.value, **({"since": since.isoformat()} if since else {})},
            )
        return self._rows(organisation_id, kind, since)

    def _rows(self, organisation_id: str, kind: RecordKind, since: datetime | None) -> Iterator[Record]:
        read = store.awards if kind is RecordKind.AWARDS else store.completions
        key = COLUMNS[kind][0]
        after = ""
        while True:
            now = self.clock()
            with self.database.read() as session:
                rows = read(session, organisation_id, since=since, now=now, after=after, limit=AT_ONCE)
            for row in rows:
                if kind is RecordKind.AWARDS:
                    row |= self._state(row, now)
                yield {name: row[name] for name in COLUMNS[kind]}
            if len(rows) < AT_ONCE:
                return
            after = rows[-1][key]

    def _state(self, row: Record, now: datetime) -> Record:
        is_signed = row["issued_at"] is not None
        state = badge_state(
            now,
            is_signed=is_signed,
            valid_until=row["valid_until"],
            suspended_at=row["suspended_at"],
            revoked_at=row["revoked_at"],
        )
        return {
            "state": state.value,
            "credits": number_of(row["credits"]),
            "credential_url": self.urls.credential(row["credential_id"]) if is_signed else None,
        }

    def counts(self, organisation_id: str) -> Mapping[RecordKind, int]:
        """How many rows there are of each kind."""
        with self.database.read() as session:
            awards, completions = store.counts(session, organisation_id)
        return {RecordKind.AWARDS: awards, RecordKind.COMPLETIONS: completions}
