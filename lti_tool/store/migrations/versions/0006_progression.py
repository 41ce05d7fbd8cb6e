"""Beyond one course, and after the award: people, milestones, order and history of categories, reviews,
later versions, renewals, review dates, work that can be paused.

Revision: 0006
Follows: 0005
"""

import json

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)
TABLES = (
    "persons",
    "person_codes",
    "category_changes",
    "milestones",
    "milestone_versions",
    "milestone_decisions",
    "reviews",
    "version_drafts",
    "renewals",
    "step_needs",
    "achievement_care",
)

RECORDED = (("completions", "recorded_at"), ("awards", "awarded_at"))
"""What is looked through for what is new."""


def _key() -> sa.Column[str]:
    return sa.Column("id", KEY, primary_key=True)


def _of(name: str, table: str, *, ondelete: str = "CASCADE", nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, KEY, sa.ForeignKey(f"{table}.id", ondelete=ondelete), nullable=nullable)


def _index(table: str, *columns: str) -> None:
    for column in columns:
        op.create_index(f"ix_{table}_{column}", table, [column])


def upgrade() -> None:
    _create_persons()
    _order_categories()
    _create_milestones()
    _create_reviews()
    _create_versions()
    _create_step_needs()
    _create_care()
    for table, moment in RECORDED:
        op.drop_index(f"ix_{table}_organisation_id", table)
        op.create_index(f"ix_{table}_{moment}", table, ["organisation_id", moment])
    op.add_column("runs", sa.Column("paused_at", MOMENT))
    op.add_column("memberships", sa.Column("left_at", MOMENT))


def _create_persons() -> None:
    op.create_table(
        "persons",
        _key(),
        _of("organisation_id", "organisations"),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    _index("persons", "organisation_id")
    with op.batch_alter_table("learners") as altered:
        altered.add_column(sa.Column("person_id", KEY))
        altered.create_foreign_key(
            op.f("fk_learners_person_id"), "persons", ["person_id"], ["id"], ondelete="SET NULL"
        )
    _index("learners", "person_id")
    op.create_table(
        "person_codes",
        _key(),
        _of("organisation_id", "organisations"),
        _of("learner_id", "learners"),
        sa.Column("code_hash", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        _of("used_by_id", "learners", ondelete="SET NULL", nullable=True),
        sa.UniqueConstraint("code_hash"),
    )
    _index("person_codes", "organisation_id", "learner_id")


def _order_categories() -> None:
    for table in ("categories", "micromodule_categories"):
        op.add_column(table, sa.Column("position", sa.Integer(), server_default="0", nullable=False))
    op.create_table(
        "category_changes",
        _key(),
        _of("organisation_id", "organisations"),
        _of("category_id", "categories"),
        _of("micromodule_id", "micromodules"),
        sa.Column("action", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.CheckConstraint("action IN ('added', 'removed')", name="action"),
    )
    _index("category_changes", "organisation_id", "micromodule_id")
    op.create_index("ix_category_changes_category_id", "category_changes", ["category_id", "at"])


def _create_milestones() -> None:
    op.create_table(
        "milestones",
        _key(),
        _of("organisation_id", "organisations"),
        _of("achievement_id", "achievements"),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        _of("category_id", "categories", ondelete="RESTRICT", nullable=True),
        sa.Column("addition_policy", sa.String(20), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("activated_at", MOMENT),
        sa.Column("retired_at", MOMENT),
        sa.UniqueConstraint("achievement_id"),
        sa.CheckConstraint("kind IN ('explorer', 'learner', 'own')", name="kind"),
        sa.CheckConstraint("status IN ('draft', 'active', 'retired')", name="status"),
        sa.CheckConstraint("addition_policy IN ('keep', 'next_version')", name="addition_policy"),
    )
    _index("milestones", "organisation_id", "category_id")
    op.create_table(
        "milestone_versions",
        _key(),
        _of("organisation_id", "organisations"),
        _of("milestone_id", "milestones"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        _of("achievement_version_id", "achievement_versions", ondelete="RESTRICT"),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("settled_changes", sa.Integer()),
        sa.Column("settled_at", MOMENT),
        sa.UniqueConstraint("milestone_id", "number"),
    )
    _index("milestone_versions", "organisation_id", "achievement_version_id")
    op.create_table(
        "milestone_decisions",
        _key(),
        _of("organisation_id", "organisations"),
        _of("milestone_version_id", "milestone_versions", ondelete="RESTRICT"),
        _of("learner_id", "learners"),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("facts_seen", sa.Integer(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
    )
    _index("milestone_decisions", "organisation_id", "learner_id")
    op.create_index(
        "uq_milestone_decisions_latest",
        "milestone_decisions",
        ["milestone_version_id", "learner_id"],
        unique=True,
        sqlite_where=sa.text("is_latest IS 1"),
        postgresql_where=sa.text("is_latest IS TRUE"),
    )


def _create_reviews() -> None:
    op.create_table(
        "reviews",
        _key(),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        _of("placement_id", "placements"),
        _of("award_id", "awards"),
        _of("learner_id", "learners"),
        sa.Column("cause", sa.String(10), nullable=False),
        _of("decision_then_id", "decisions", ondelete="SET NULL", nullable=True),
        _of("decision_now_id", "decisions", ondelete="SET NULL", nullable=True),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("asked_at", MOMENT),
        sa.Column("question", sa.String(2000)),
        sa.Column("answered_at", MOMENT),
        sa.Column("answer", sa.String(2000)),
        sa.Column("decided_by", sa.String(80)),
        sa.Column("decided_at", MOMENT),
        sa.Column("reason", sa.String(500)),
        sa.Column("takes_effect_at", MOMENT),
        sa.Column("carried_out_at", MOMENT),
        sa.Column("spared_at", MOMENT),
        sa.CheckConstraint("cause IN ('facts', 'left', 'reset', 'gate')", name="cause"),
        sa.CheckConstraint("status IN ('open', 'asked', 'kept', 'revoked', 'settled')", name="status"),
    )
    _index("reviews", "organisation_id", "placement_id", "award_id", "learner_id")
    op.create_index("ix_reviews_context_id", "reviews", ["context_id", "status", "opened_at"])
    op.create_index(
        "ix_reviews_takes_effect_at",
        "reviews",
        ["takes_effect_at"],
        sqlite_where=sa.text("status = 'revoked' AND carried_out_at IS NULL"),
        postgresql_where=sa.text("status = 'revoked' AND carried_out_at IS NULL"),
    )
    op.create_index(
        "uq_reviews_open",
        "reviews",
        ["award_id"],
        unique=True,
        sqlite_where=sa.text("status IN ('open', 'asked')"),
        postgresql_where=sa.text("status IN ('open', 'asked')"),
    )


def _create_versions() -> None:
    with op.batch_alter_table("achievement_versions") as altered:
        altered.add_column(sa.Column("renewal_opens_days", sa.Integer()))
        altered.add_column(sa.Column("renewal_closes_days", sa.Integer()))
        altered.add_column(sa.Column("whats_new", sa.Text()))
        altered.add_column(sa.Column("expires_at", MOMENT))
        altered.add_column(sa.Column("published_by", sa.String(80)))
        altered.add_column(sa.Column("ends_signed_for", MOMENT))
        altered.create_check_constraint("renewal_opens_days", "renewal_opens_days >= 0")
        altered.create_check_constraint("renewal_closes_days", "renewal_closes_days >= 0")
    op.create_table(
        "version_drafts",
        _key(),
        _of("organisation_id", "organisations"),
        _of("micromodule_id", "micromodules"),
        _of("based_on_id", "micromodule_versions"),
        sa.Column("kind", sa.String(10), nullable=False),
        _of("context_id", "contexts", ondelete="SET NULL", nullable=True),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("updated_by", sa.String(80), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("micromodule_id", "kind"),
        sa.CheckConstraint("kind IN ('version', 'correction', 'badge')", name="kind"),
    )
    _index("version_drafts", "organisation_id")
    op.create_table(
        "renewals",
        _key(),
        _of("organisation_id", "organisations"),
        _of("award_id", "awards"),
        sa.Column("number", sa.Integer(), nullable=False),
        _of("decision_id", "decisions", ondelete="SET NULL", nullable=True),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("met_at", MOMENT, nullable=False),
        sa.Column("renewed_at", MOMENT, nullable=False),
        sa.Column("valid_until", MOMENT, nullable=False),
        sa.Column("signed_at", MOMENT),
        sa.UniqueConstraint("award_id", "number"),
    )
    op.create_index("ix_renewals_signed_at", "renewals", ["organisation_id", "signed_at"])
    op.create_index(
        "ix_credentials_valid_until",
        "credentials",
        ["organisation_id", "valid_until"],
        sqlite_where=sa.text("valid_until IS NOT NULL"),
        postgresql_where=sa.text("valid_until IS NOT NULL"),
    )
    op.create_index(
        "ix_renewals_owed",
        "renewals",
        ["renewed_at"],
        sqlite_where=sa.text("signed_at IS NULL"),
        postgresql_where=sa.text("signed_at IS NULL"),
    )


def _create_care() -> None:
    op.create_table(
        "achievement_care",
        _key(),
        _of("organisation_id", "organisations"),
        _of("micromodule_id", "micromodules", nullable=True),
        _of("milestone_id", "milestones", nullable=True),
        _of("answerable_id", "staff_members", ondelete="SET NULL", nullable=True),
        sa.Column("contact", sa.String(200), nullable=False),
        sa.Column("review_every_months", sa.Integer()),
        sa.Column("review_on", sa.Date()),
        sa.Column("reviewed_at", MOMENT),
        sa.Column("reviewed_by", sa.String(80)),
        sa.Column("note", sa.String(500), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.UniqueConstraint("micromodule_id"),
        sa.UniqueConstraint("milestone_id"),
        sa.CheckConstraint("(micromodule_id IS NULL) <> (milestone_id IS NULL)", name="of_one"),
        sa.CheckConstraint("review_every_months > 0", name="review_every_months"),
    )
    _index("achievement_care", "answerable_id")
    op.create_index("ix_achievement_care_review_on", "achievement_care", ["organisation_id", "review_on"])


def _create_step_needs() -> None:
    op.create_table(
        "step_needs",
        _of("organisation_id", "organisations"),
        sa.Column("step", KEY, primary_key=True),
        sa.Column("needs", KEY, primary_key=True),
    )
    _index("step_needs", "organisation_id", "needs")
    _fill_step_needs()


def _fill_step_needs() -> None:
    """From the newest criteria of every micromodule that is there; no milestone is there yet."""
    connection = op.get_bind()
    versions, achievements, modules = (
        sa.table(name, *(sa.column(column) for column in columns))
        for name, columns in (
            ("micromodule_versions", ("organisation_id", "micromodule_id", "number", "criteria")),
            ("achievements", ("id", "organisation_id", "micromodule_id")),
            ("micromodules", ("id", "organisation_id")),
        )
    )
    steps: dict[tuple[object, object], tuple[str, str]] = {
        ("holds", id_): (organisation_id, module or id_)
        for id_, organisation_id, module in connection.execute(sa.select(*achievements.c))
    }
    steps |= {
        ("completed", id_): (organisation_id, id_)
        for id_, organisation_id in connection.execute(sa.select(*modules.c))
    }
    text = sa.cast(versions.c.criteria, sa.Text)
    newer = versions.alias()
    found = connection.execute(
        sa.select(versions.c.organisation_id, versions.c.micromodule_id, text).where(
            sa.or_(text.like('%"completed"%'), text.like('%"holds"%')),
            ~sa.exists().where(
                newer.c.micromodule_id == versions.c.micromodule_id, newer.c.number > versions.c.number
            ),
        )
    ).all()
    rows = set()
    for organisation_id, step, criteria in found:
        waiting = [json.loads(criteria)]
        while waiting:
            one = waiting.pop()
            if isinstance(one, list):
                waiting.extend(one)
            elif isinstance(one, dict):
                waiting.extend(one.values())
                id_ = one.get("micromodule_id") or one.get("achievement_id")
                owner, needs = steps.get((one.get("type"), id_), (None, None))
                if owner == organisation_id:
                    rows.add((organisation_id, step, needs))
    if rows:
        table = sa.table("step_needs", *(sa.column(name) for name in ("organisation_id", "step", "needs")))
        op.bulk_insert(
            table,
            [dict(zip(("organisation_id", "step", "needs"), row, strict=True)) for row in sorted(rows)],
        )


def downgrade() -> None:
    op.execute("DELETE FROM runs WHERE kind = 'retroactive'")
    for table, moment in RECORDED:
        op.drop_index(f"ix_{table}_{moment}", table)
        op.create_index(f"ix_{table}_organisation_id", table, ["organisation_id"])
    op.drop_index("ix_credentials_valid_until", "credentials")
    with op.batch_alter_table("runs") as altered:
        altered.drop_column("paused_at")
    with op.batch_alter_table("memberships") as altered:
        altered.drop_column("left_at")
    with op.batch_alter_table("achievement_versions") as altered:
        for name in ("renewal_opens_days", "renewal_closes_days"):
            altered.drop_constraint(op.f(f"ck_achievement_versions_{name}"), type_="check")
        for name in (
            "ends_signed_for",
            "published_by",
            "expires_at",
            "whats_new",
            "renewal_closes_days",
            "renewal_opens_days",
        ):
            altered.drop_column(name)
    op.drop_index("ix_learners_person_id", "learners")
    with op.batch_alter_table("learners") as altered:
        altered.drop_constraint(op.f("fk_learners_person_id"), type_="foreignkey")
        altered.drop_column("person_id")
    for table in reversed(TABLES):
        op.drop_table(table)
    for table in ("micromodule_categories", "categories"):
        with op.batch_alter_table(table) as altered:
            altered.drop_column("position")
