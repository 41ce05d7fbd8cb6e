"""What connects an LMS: invitations, service checks, refused launches, notices, groups, copies, privacy.

Revision: 0004
Follows: 0003

Nothing that is there changes its meaning. A course whose links were copied before this release is known as a
copy at its next launch.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)

TABLES = (
    "invitations",
    "refused_launches",
    "service_checks",
    "notices",
    "course_groups",
    "group_members",
    "privacy_requests",
)
REFERENCES = (
    ("contexts", "origin_context_id", "contexts", "SET NULL"),
    ("placements", "copied_from_id", "placements", "SET NULL"),
    ("launch_sessions", "subject_id", "learners", "CASCADE"),
    ("launch_sessions", "placement_id", "placements", "CASCADE"),
)


def _key() -> sa.Column[str]:
    return sa.Column("id", KEY, primary_key=True)


def _of(name: str, table: str, *, ondelete: str = "CASCADE", nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, KEY, sa.ForeignKey(f"{table}.id", ondelete=ondelete), nullable=nullable)


def upgrade() -> None:
    # Defaults stay: on SQLite taking one away would copy the table.
    op.add_column(
        "registrations",
        sa.Column("allows_anonymous", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
    op.add_column("registrations", sa.Column("configuration_url", sa.String(2000)))
    op.add_column("registrations", sa.Column("configured_at", MOMENT))
    op.add_column("registrations", sa.Column("platform_version", sa.String(100)))
    op.add_column("deployments", sa.Column("notices_url", sa.String(2000)))
    op.add_column("deployments", sa.Column("notice_types", sa.JSON(), server_default="[]", nullable=False))
    op.add_column("deployments", sa.Column("notices_due_at", MOMENT))
    op.add_column("contexts", sa.Column("roster_whole_at", MOMENT))
    op.add_column("contexts", sa.Column("roster_differences_url", sa.String(2000)))
    op.add_column("contexts", sa.Column("groups_url", sa.String(2000)))
    op.add_column("contexts", sa.Column("copied_at", MOMENT))
    op.add_column("contexts", sa.Column("emptied_at", MOMENT))
    op.add_column("placements", sa.Column("confirmed_at", MOMENT))
    op.add_column("line_items", sa.Column("adopted_at", MOMENT))
    op.add_column(
        "launch_sessions", sa.Column("purpose", sa.String(10), server_default="link", nullable=False)
    )
    op.execute("UPDATE launch_sessions SET purpose = 'choosing' WHERE deep_linking IS NOT NULL")
    for table, column, target, ondelete in REFERENCES:
        with op.batch_alter_table(table) as altered:
            altered.add_column(sa.Column(column, KEY))
            altered.create_foreign_key(
                op.f(f"fk_{table}_{column}"), target, [column], ["id"], ondelete=ondelete
            )
        op.create_index(f"ix_{table}_{column}", table, [column])
    with op.batch_alter_table("credentials") as altered:
        altered.alter_column("award_id", existing_type=KEY, nullable=True)
    _create_invitations()
    _create_health()
    _create_notices()
    _create_groups()
    _create_privacy()


def _create_invitations() -> None:
    op.create_table(
        "invitations",
        _key(),
        _of("organisation_id", "organisations"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("approves", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("claimed_until", MOMENT),
        sa.Column("used_at", MOMENT),
        sa.Column("withdrawn_at", MOMENT),
        _of("registration_id", "registrations", ondelete="SET NULL", nullable=True),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_invitations_organisation_id", "invitations", ["organisation_id"])
    op.create_index("ix_invitations_registration_id", "invitations", ["registration_id"])


def _create_health() -> None:
    op.create_table(
        "refused_launches",
        _key(),
        _of("registration_id", "registrations", nullable=True),
        sa.Column("code", sa.String(60), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("detail", sa.String(500), nullable=False),
        sa.Column("deployment", sa.String(255)),
        sa.UniqueConstraint("registration_id", "code", "day"),
    )
    op.create_index("ix_refused_launches_day", "refused_launches", ["day"])
    op.create_table(
        "service_checks",
        _key(),
        _of("registration_id", "registrations"),
        _of("deployment_id", "deployments", nullable=True),
        sa.Column("service", sa.String(20), nullable=False),
        sa.Column("succeeded_at", MOMENT),
        sa.Column("failed_at", MOMENT),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(60)),
        sa.Column("detail", sa.String(500)),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.UniqueConstraint("registration_id", "deployment_id", "service"),
    )
    op.create_index("ix_service_checks_deployment_id", "service_checks", ["deployment_id"])


def _create_notices() -> None:
    op.create_table(
        "notices",
        _key(),
        _of("registration_id", "registrations"),
        _of("deployment_id", "deployments"),
        sa.Column("id_on_platform", sa.String(255), nullable=False),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("done_at", MOMENT),
        sa.Column("outcome", sa.String(60)),
        sa.UniqueConstraint("deployment_id", "id_on_platform"),
    )
    op.create_index("ix_notices_registration_id", "notices", ["registration_id"])


def _create_groups() -> None:
    op.create_table(
        "course_groups",
        _key(),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        sa.Column("id_on_platform", sa.String(255), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("set_name", sa.String(255)),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.UniqueConstraint("context_id", "id_on_platform"),
    )
    op.create_index("ix_course_groups_organisation_id", "course_groups", ["organisation_id"])
    op.create_table(
        "group_members",
        _key(),
        _of("organisation_id", "organisations"),
        _of("group_id", "course_groups"),
        _of("learner_id", "learners"),
        sa.UniqueConstraint("group_id", "learner_id"),
    )
    op.create_index("ix_group_members_organisation_id", "group_members", ["organisation_id"])
    op.create_index("ix_group_members_learner_id", "group_members", ["learner_id"])


def _create_privacy() -> None:
    op.create_table(
        "privacy_requests",
        _key(),
        _of("organisation_id", "organisations"),
        _of("registration_id", "registrations", ondelete="SET NULL", nullable=True),
        sa.Column("learner_id", KEY, nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.CheckConstraint("kind IN ('export', 'erase')", name="kind"),
    )
    op.create_index("ix_privacy_requests_organisation_id", "privacy_requests", ["organisation_id"])
    op.create_index("ix_privacy_requests_registration_id", "privacy_requests", ["registration_id"])


def downgrade() -> None:
    # Whoever goes back forgets which places of status lists the erased had, and that they are revoked.
    op.execute("DELETE FROM credentials WHERE award_id IS NULL")
    with op.batch_alter_table("credentials") as altered:
        altered.alter_column("award_id", existing_type=KEY, nullable=False)
    for table in reversed(TABLES):
        op.drop_table(table)
    for table, column, _target, _ondelete in reversed(REFERENCES):
        op.drop_index(f"ix_{table}_{column}", table)
        with op.batch_alter_table(table) as altered:
            altered.drop_constraint(op.f(f"fk_{table}_{column}"), type_="foreignkey")
            altered.drop_column(column)
    for table, columns in (
        ("launch_sessions", ("purpose",)),
        ("line_items", ("adopted_at",)),
        ("placements", ("confirmed_at",)),
        ("contexts", ("emptied_at", "copied_at", "groups_url", "roster_differences_url", "roster_whole_at")),
        ("deployments", ("notices_due_at", "notice_types", "notices_url")),
        (
            "registrations",
            ("platform_version", "configured_at", "configuration_url", "allows_anonymous"),
        ),
    ):
        with op.batch_alter_table(table) as altered:
            for column in columns:
                altered.drop_column(column)
