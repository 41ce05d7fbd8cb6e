"""The first tables.

Revision: 0001
Follows: nothing

Constraints get their names from the naming convention of ``lti_tool.store.tables``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)
GRADE = sa.Numeric(20, 8).with_variant(sa.String(40), "sqlite")

TABLES = (
    "leases",
    "nonces",
    "organisations",
    "audit_events",
    "categories",
    "issuers",
    "micromodules",
    "registrations",
    "achievements",
    "deployments",
    "learners",
    "micromodule_categories",
    "status_lists",
    "achievement_versions",
    "contexts",
    "drafts",
    "memberships",
    "micromodule_versions",
    "resource_links",
    "runs",
    "launch_sessions",
    "placements",
    "decisions",
    "line_items",
    "awards",
    "completions",
    "results",
    "credentials",
)


def _of(
    name: str, table: str, *, ondelete: str = "CASCADE", nullable: bool = False, primary_key: bool = False
) -> sa.Column[str]:
    target = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(name, KEY, target, nullable=nullable, primary_key=primary_key)


def upgrade() -> None:
    op.create_table(
        "leases",
        sa.Column("name", sa.String(60), primary_key=True),
        sa.Column("holder", sa.String(64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_table(
        "nonces",
        sa.Column("value_hash", sa.String(64), primary_key=True),
        sa.Column("expires_at", MOMENT, nullable=False),
    )
    op.create_index("ix_nonces_expires_at", "nonces", ["expires_at"])
    op.create_table(
        "organisations",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_table(
        "audit_events",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations", nullable=True),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(80), nullable=False),
        sa.Column("action", sa.String(60), nullable=False),
        sa.Column("subject_kind", sa.String(30), nullable=False),
        sa.Column("subject_id", sa.String(64), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
    )
    op.create_index("ix_audit_events_organisation_id", "audit_events", ["organisation_id"])
    op.create_index("ix_audit_events_subject", "audit_events", ["subject_kind", "subject_id"])
    op.create_table(
        "categories",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.UniqueConstraint("organisation_id", "name"),
    )
    op.create_table(
        "issuers",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("url", sa.String(2000)),
        sa.Column("email", sa.String(320)),
        sa.Column("description", sa.Text()),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index("ix_issuers_organisation_id", "issuers", ["organisation_id"])
    op.create_table(
        "micromodules",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("archived_at", MOMENT),
    )
    op.create_index("ix_micromodules_organisation_id", "micromodules", ["organisation_id"])
    op.create_table(
        "registrations",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("issuer", sa.String(2000), nullable=False),
        sa.Column("client_id", sa.String(255), nullable=False),
        sa.Column("product", sa.String(20), nullable=False),
        sa.Column("auth_url", sa.String(2000), nullable=False),
        sa.Column("token_url", sa.String(2000), nullable=False),
        sa.Column("jwks_url", sa.String(2000), nullable=False),
        sa.Column("token_audience", sa.String(2000)),
        sa.Column("status", sa.String(10), nullable=False),
        _of("default_organisation_id", "organisations", ondelete="SET NULL", nullable=True),
        sa.Column("approves_deployments", sa.Boolean(), nullable=False),
        sa.Column("frame_origins", sa.JSON(), nullable=False),
        sa.Column("service_hosts", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("issuer", "client_id"),
        sa.CheckConstraint("status IN ('pending', 'approved', 'disabled')", name="status"),
    )
    op.create_table(
        "achievements",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("issuer_id", "issuers", ondelete="RESTRICT"),
        _of("micromodule_id", "micromodules", nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
    )
    op.create_index("ix_achievements_issuer_id", "achievements", ["issuer_id"])
    op.create_index("ix_achievements_organisation_id", "achievements", ["organisation_id"])
    op.create_table(
        "deployments",
        sa.Column("id", KEY, primary_key=True),
        _of("registration_id", "registrations"),
        sa.Column("id_on_platform", sa.String(255), nullable=False),
        _of("organisation_id", "organisations", ondelete="RESTRICT", nullable=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("first_seen_at", MOMENT, nullable=False),
        sa.Column("approved_at", MOMENT),
        sa.UniqueConstraint("registration_id", "id_on_platform"),
        sa.CheckConstraint("status <> 'approved' OR organisation_id IS NOT NULL", name="approved_is_owned"),
        sa.CheckConstraint("status IN ('held', 'approved', 'disabled')", name="status"),
    )
    op.create_index("ix_deployments_organisation_id", "deployments", ["organisation_id"])
    op.create_table(
        "learners",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("registration_id", "registrations"),
        sa.Column("sub", sa.String(255), nullable=False),
        sa.Column("name", sa.String(500)),
        sa.Column("email", sa.String(320)),
        sa.Column("is_test_user", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_launched_at", MOMENT),
        sa.UniqueConstraint("organisation_id", "registration_id", "sub"),
    )
    op.create_index("ix_learners_registration_id", "learners", ["registration_id"])
    op.create_table(
        "micromodule_categories",
        _of("micromodule_id", "micromodules", primary_key=True),
        _of("category_id", "categories", primary_key=True),
        _of("organisation_id", "organisations"),
    )
    op.create_index(
        "ix_micromodule_categories_organisation_id", "micromodule_categories", ["organisation_id"]
    )
    op.create_table(
        "status_lists",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("issuer_id", "issuers"),
        sa.Column("purpose", sa.String(20), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("document", sa.Text()),
        sa.Column("fresh_until", MOMENT),
        sa.Column("changed_at", MOMENT, nullable=False),
    )
    op.create_index("ix_status_lists_issuer_id", "status_lists", ["issuer_id"])
    op.create_index("ix_status_lists_organisation_id", "status_lists", ["organisation_id"])
    op.create_table(
        "achievement_versions",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("achievement_id", "achievements"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("criteria_narrative", sa.Text(), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("language", sa.String(35), nullable=False),
        sa.Column("image_alt", sa.String(500), nullable=False),
        sa.Column("artwork", sa.JSON(), nullable=False),
        sa.Column("image_svg", sa.Text(), nullable=False),
        sa.Column("image_png", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("achievement_id", "number"),
    )
    op.create_index("ix_achievement_versions_organisation_id", "achievement_versions", ["organisation_id"])
    op.create_table(
        "contexts",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("registration_id", "registrations"),
        _of("deployment_id", "deployments"),
        sa.Column("id_on_platform", sa.String(255), nullable=False),
        sa.Column("label", sa.String(255)),
        sa.Column("title", sa.String(500)),
        sa.Column("memberships_url", sa.String(2000)),
        sa.Column("line_items_url", sa.String(2000)),
        sa.Column("ags_scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_launched_at", MOMENT, nullable=False),
        sa.Column("sync_due_at", MOMENT),
        sa.Column("roster_read_at", MOMENT),
        sa.Column("roster_is_complete", sa.Boolean(), nullable=False),
        sa.Column("roster_trouble", sa.String(60)),
        sa.UniqueConstraint("deployment_id", "id_on_platform"),
    )
    op.create_index("ix_contexts_organisation_id", "contexts", ["organisation_id"])
    op.create_index("ix_contexts_sync_due_at", "contexts", ["sync_due_at"])
    op.create_table(
        "drafts",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        _of("learner_id", "learners"),
        sa.Column("form", sa.JSON(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("context_id", "learner_id"),
    )
    op.create_index("ix_drafts_learner_id", "drafts", ["learner_id"])
    op.create_index("ix_drafts_organisation_id", "drafts", ["organisation_id"])
    op.create_table(
        "memberships",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        _of("learner_id", "learners"),
        sa.Column("is_learner", sa.Boolean(), nullable=False),
        sa.Column("is_staff", sa.Boolean(), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.UniqueConstraint("context_id", "learner_id"),
    )
    op.create_index("ix_memberships_learner_id", "memberships", ["learner_id"])
    op.create_index("ix_memberships_organisation_id", "memberships", ["organisation_id"])
    op.create_table(
        "micromodule_versions",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("micromodule_id", "micromodules"),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("skills", sa.JSON(), nullable=False),
        sa.Column("criteria", sa.JSON(), nullable=False),
        _of("achievement_version_id", "achievement_versions", ondelete="RESTRICT", nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("micromodule_id", "number"),
    )
    op.create_index("ix_micromodule_versions_organisation_id", "micromodule_versions", ["organisation_id"])
    op.create_table(
        "resource_links",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        sa.Column("id_on_platform", sa.String(255), nullable=False),
        sa.Column("badge_link_key", sa.String(64)),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("title", sa.String(500)),
        sa.Column("course_module_id", sa.String(64)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("context_id", "id_on_platform"),
    )
    op.create_index("ix_resource_links_badge_link_key", "resource_links", ["badge_link_key"])
    op.create_index("ix_resource_links_organisation_id", "resource_links", ["organisation_id"])
    op.create_table(
        "runs",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        sa.Column("kind", sa.String(20), nullable=False),
        _of("context_id", "contexts", nullable=True),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("step", sa.String(40), nullable=False),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer()),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("error_code", sa.String(60)),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint("status IN ('waiting', 'running', 'done', 'failed')", name="status"),
    )
    op.create_index("ix_runs_context", "runs", ["context_id", "created_at"])
    op.create_index("ix_runs_organisation_id", "runs", ["organisation_id"])
    op.create_index(
        "uq_runs_open",
        "runs",
        ["context_id", "kind"],
        unique=True,
        postgresql_where=sa.text("status IN ('waiting', 'running')"),
        sqlite_where=sa.text("status IN ('waiting', 'running')"),
    )
    op.create_table(
        "launch_sessions",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        _of("organisation_id", "organisations"),
        _of("registration_id", "registrations"),
        _of("deployment_id", "deployments"),
        _of("learner_id", "learners"),
        _of("context_id", "contexts", nullable=True),
        _of("resource_link_id", "resource_links", nullable=True),
        sa.Column("can_view_progress", sa.Boolean(), nullable=False),
        sa.Column("can_configure", sa.Boolean(), nullable=False),
        sa.Column("is_learner", sa.Boolean(), nullable=False),
        sa.Column("is_read_only", sa.Boolean(), nullable=False),
        sa.Column("is_cookie_bound", sa.Boolean(), nullable=False),
        sa.Column("locale", sa.String(35)),
        sa.Column("return_url", sa.String(2000)),
        sa.Column("frame_origins", sa.JSON(), nullable=False),
        sa.Column("deep_linking", sa.JSON()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_launch_sessions_expires_at", "launch_sessions", ["expires_at"])
    op.create_index("ix_launch_sessions_learner_id", "launch_sessions", ["learner_id"])
    op.create_index("ix_launch_sessions_organisation_id", "launch_sessions", ["organisation_id"])
    op.create_table(
        "placements",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        sa.Column("badge_link_key", sa.String(64), nullable=False),
        _of("micromodule_version_id", "micromodule_versions", ondelete="RESTRICT"),
        sa.Column("status", sa.String(10), nullable=False),
        _of("created_by_id", "learners", ondelete="SET NULL", nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("activated_at", MOMENT),
        sa.UniqueConstraint("context_id", "badge_link_key"),
        sa.CheckConstraint("status IN ('draft', 'active', 'removed')", name="status"),
    )
    op.create_index("ix_placements_badge_link_key", "placements", ["badge_link_key"])
    op.create_index("ix_placements_micromodule_version_id", "placements", ["micromodule_version_id"])
    op.create_index("ix_placements_organisation_id", "placements", ["organisation_id"])
    op.create_table(
        "decisions",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("placement_id", "placements"),
        _of("micromodule_version_id", "micromodule_versions", ondelete="RESTRICT"),
        _of("learner_id", "learners"),
        sa.Column("verdict", sa.String(10), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("finding", sa.JSON(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=False),
        sa.Column("is_latest", sa.Boolean(), nullable=False),
    )
    op.create_index("ix_decisions_latest", "decisions", ["placement_id", "learner_id", "decided_at"])
    op.create_index("ix_decisions_learner_id", "decisions", ["learner_id"])
    op.create_index("ix_decisions_organisation_id", "decisions", ["organisation_id"])
    op.create_table(
        "line_items",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("context_id", "contexts"),
        _of("placement_id", "placements"),
        sa.Column("tag", sa.String(10), nullable=False),
        sa.Column("evidence_key", sa.String(64), nullable=False),
        sa.Column("label", sa.String(255), nullable=False),
        sa.Column("id_on_platform", sa.String(2000)),
        sa.Column("score_maximum", GRADE, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("created_on_platform_at", MOMENT),
        sa.Column("first_value_at", MOMENT),
        sa.Column("read_at", MOMENT),
        sa.Column("is_complete", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.String(60)),
        sa.CheckConstraint("tag IN ('award', 'attest', 'mirror')", name="tag"),
        sa.CheckConstraint("(tag = 'award') = (evidence_key = '')", name="award_is_no_evidence"),
        sa.UniqueConstraint("placement_id", "evidence_key"),
    )
    op.create_index("ix_line_items_context_id", "line_items", ["context_id"])
    op.create_index("ix_line_items_organisation_id", "line_items", ["organisation_id"])
    op.create_table(
        "awards",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("achievement_version_id", "achievement_versions", ondelete="RESTRICT"),
        _of("learner_id", "learners"),
        _of("context_id", "contexts", ondelete="SET NULL", nullable=True),
        _of("decision_id", "decisions", ondelete="SET NULL", nullable=True),
        sa.Column("met_at", MOMENT, nullable=False),
        sa.Column("awarded_at", MOMENT, nullable=False),
        sa.UniqueConstraint("achievement_version_id", "learner_id"),
    )
    op.create_index("ix_awards_learner_id", "awards", ["learner_id"])
    op.create_index("ix_awards_organisation_id", "awards", ["organisation_id"])
    op.create_table(
        "completions",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("micromodule_version_id", "micromodule_versions", ondelete="RESTRICT"),
        _of("learner_id", "learners"),
        _of("context_id", "contexts", ondelete="SET NULL", nullable=True),
        _of("decision_id", "decisions", ondelete="SET NULL", nullable=True),
        sa.Column("met_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.UniqueConstraint("micromodule_version_id", "learner_id"),
    )
    op.create_index("ix_completions_learner_id", "completions", ["learner_id"])
    op.create_index("ix_completions_organisation_id", "completions", ["organisation_id"])
    op.create_table(
        "results",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("line_item_id", "line_items"),
        _of("learner_id", "learners"),
        sa.Column("score", GRADE),
        sa.Column("maximum", GRADE, nullable=False),
        sa.Column("graded_at", MOMENT),
        sa.Column("read_at", MOMENT, nullable=False),
        sa.UniqueConstraint("line_item_id", "learner_id"),
    )
    op.create_index("ix_results_learner_id", "results", ["learner_id"])
    op.create_index("ix_results_organisation_id", "results", ["organisation_id"])
    op.create_table(
        "credentials",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("award_id", "awards"),
        _of("issuer_id", "issuers", ondelete="RESTRICT"),
        _of("status_list_id", "status_lists", ondelete="RESTRICT"),
        sa.Column("status_index", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text()),
        sa.Column("issued_at", MOMENT),
        sa.Column("revoked_at", MOMENT),
        sa.Column("revocation_reason", sa.String(500)),
        sa.Column("is_public", sa.Boolean(), nullable=False),
        sa.Column("shared_at", MOMENT),
        sa.UniqueConstraint("award_id"),
        sa.UniqueConstraint("status_list_id", "status_index"),
    )
    op.create_index("ix_credentials_issuer_id", "credentials", ["issuer_id"])
    op.create_index("ix_credentials_organisation_id", "credentials", ["organisation_id"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
