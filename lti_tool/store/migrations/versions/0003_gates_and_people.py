"""Gates, attestations, evidence that learners hand in; placements that a person publishes.

Revision: 0003
Follows: 0002

Until now the first launch of a link made its placement active. What was active stays so, and counts as
published at that moment, by nobody in particular; what was a draft waits for its instructor.

A letter for each leaf stands beside every newest decision from now on. It is read from the stored finding,
so that the matrix of a course that nobody reads any more is complete as well.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)

TABLES = ("gates", "gate_passes", "attestations", "submissions", "submission_files")
LETTERS = {"met": "M", "not_met": "N", "unknown": "U"}
AT_ONCE = 1000
"""Decisions whose letters are written together."""


def _key() -> sa.Column[str]:
    return sa.Column("id", KEY, primary_key=True)


def _of(name: str, table: str) -> sa.Column[str]:
    return sa.Column(name, KEY, sa.ForeignKey(f"{table}.id", ondelete="CASCADE"), nullable=False)


def _maybe_of(name: str, table: str) -> sa.Column[str]:
    return sa.Column(name, KEY, sa.ForeignKey(f"{table}.id", ondelete="SET NULL"))


def upgrade() -> None:
    with op.batch_alter_table("placements") as placements:
        placements.add_column(sa.Column("published_at", MOMENT))
        placements.add_column(sa.Column("published_by_id", KEY))
        placements.create_foreign_key(
            op.f("fk_placements_published_by_id"),
            "learners",
            ["published_by_id"],
            ["id"],
            ondelete="SET NULL",
        )
    op.execute("UPDATE placements SET published_at = activated_at WHERE status = 'active'")
    # The default stays: on SQLite taking it away would copy the largest table there is.
    op.add_column("decisions", sa.Column("leaf_states", sa.String(60), server_default="", nullable=False))
    _write_leaf_states()
    _create_gates()
    _create_attestations()
    _create_submissions()


DECISIONS = sa.table(
    "decisions",
    sa.column("id"),
    sa.column("is_latest", sa.Boolean()),
    sa.column("finding", sa.JSON()),
    sa.column("leaf_states"),
)


def _write_leaf_states() -> None:
    connection = op.get_bind()
    write = (
        sa.update(DECISIONS)
        .where(DECISIONS.c.id == sa.bindparam("decision_id"))
        .values(leaf_states=sa.bindparam("letters"))
    )
    after = ""
    while True:
        rows = connection.execute(
            sa.select(DECISIONS.c.id, DECISIONS.c.is_latest, DECISIONS.c.finding)
            .where(DECISIONS.c.id > after)
            .order_by(DECISIONS.c.id)
            .limit(AT_ONCE)
        ).all()
        if not rows:
            return
        after = rows[-1].id
        letters = [
            {"decision_id": row.id, "letters": "".join(islice(_letters(row.finding), 60))}
            for row in rows
            if row.is_latest
        ]
        if letters:
            connection.execute(write, letters)


def _letters(finding: Any) -> Iterator[str]:
    """Release 0002 knew one kind of leaf, a score, and wrote its key."""
    if "key" in finding:
        yield LETTERS.get(finding.get("state"), "U")
    for part in finding.get("parts", ()):
        yield from _letters(part)


def _create_gates() -> None:
    op.create_table(
        "gates",
        _key(),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        _of("placement_id", "placements"),
        sa.Column("evidence_key", sa.String(64), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("link_key", sa.String(64), nullable=False),
        _maybe_of("resource_link_id", "resource_links"),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("allows_everybody", sa.Boolean(), nullable=False),
        sa.Column("confirmed_at", MOMENT),
        _maybe_of("confirmed_by_id", "learners"),
        sa.Column("read_at", MOMENT),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.String(60)),
        sa.Column("listed", sa.Integer(), nullable=False),
        sa.Column("learners", sa.Integer(), nullable=False),
        sa.Column("newly", sa.Integer(), nullable=False),
        sa.UniqueConstraint("placement_id", "evidence_key"),
        sa.UniqueConstraint("context_id", "link_key"),
        sa.CheckConstraint("state IN ('waiting', 'open', 'confirmed', 'doubted')", name="state"),
    )
    op.create_index("ix_gates_organisation_id", "gates", ["organisation_id"])
    op.create_index("ix_gates_link_key", "gates", ["link_key"])
    op.create_index("ix_gates_resource_link_id", "gates", ["resource_link_id"])
    op.create_table(
        "gate_passes",
        _key(),
        _of("organisation_id", "organisations"),
        _of("gate_id", "gates"),
        _of("learner_id", "learners"),
        sa.Column("is_passed", sa.Boolean(), nullable=False),
        sa.Column("since", MOMENT),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.Column("source", sa.String(10), nullable=False),
        sa.UniqueConstraint("gate_id", "learner_id"),
        sa.CheckConstraint("source IN ('roster', 'launch')", name="source"),
    )
    op.create_index("ix_gate_passes_organisation_id", "gate_passes", ["organisation_id"])
    op.create_index("ix_gate_passes_learner_id", "gate_passes", ["learner_id"])


def _create_attestations() -> None:
    op.create_table(
        "attestations",
        _key(),
        _of("organisation_id", "organisations"),
        _of("placement_id", "placements"),
        sa.Column("evidence_key", sa.String(64), nullable=False),
        _of("learner_id", "learners"),
        sa.Column("is_attested", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(500), nullable=False),
        _maybe_of("by_learner_id", "learners"),
        sa.Column("at", MOMENT, nullable=False),
        sa.UniqueConstraint("placement_id", "evidence_key", "learner_id"),
    )
    for column in ("organisation_id", "learner_id", "by_learner_id"):
        op.create_index(f"ix_attestations_{column}", "attestations", [column])


def _create_submissions() -> None:
    op.create_table(
        "submissions",
        _key(),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        _of("placement_id", "placements"),
        sa.Column("evidence_key", sa.String(64), nullable=False),
        _of("learner_id", "learners"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("submitted_at", MOMENT, nullable=False),
        sa.Column("judged_at", MOMENT),
        _maybe_of("judged_by_id", "learners"),
        sa.Column("comment", sa.String(2000), nullable=False),
        sa.Column("checklist", sa.JSON(), nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("placement_id", "evidence_key", "learner_id", "number"),
        sa.CheckConstraint("state IN ('submitted', 'accepted', 'returned', 'withdrawn')", name="state"),
    )
    for column in ("organisation_id", "context_id", "learner_id", "judged_by_id"):
        op.create_index(f"ix_submissions_{column}", "submissions", [column])
    op.create_index(
        "uq_submissions_latest",
        "submissions",
        ["placement_id", "evidence_key", "learner_id"],
        unique=True,
        sqlite_where=sa.text("is_latest IS 1"),
        postgresql_where=sa.text("is_latest IS TRUE"),
    )
    op.create_index("ix_submissions_waiting", "submissions", ["placement_id", "state", "submitted_at"])
    op.create_table(
        "submission_files",
        _key(),
        _of("organisation_id", "organisations"),
        _of("submission_id", "submissions"),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("media_type", sa.String(100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
    )
    op.create_index("ix_submission_files_organisation_id", "submission_files", ["organisation_id"])
    op.create_index("ix_submission_files_submission_id", "submission_files", ["submission_id"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
    op.drop_column("decisions", "leaf_states")
    with op.batch_alter_table("placements") as placements:
        placements.drop_constraint(op.f("fk_placements_published_by_id"), type_="foreignkey")
        placements.drop_column("published_by_id")
        placements.drop_column("published_at")
