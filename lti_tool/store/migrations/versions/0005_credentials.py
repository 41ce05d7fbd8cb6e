"""What badges say and are made of: pictures, frameworks, endorsements, several issuers, validity, suspension.

Revision: 0005
Follows: 0004

Nothing that is there changes its meaning: an organisation's oldest issuer signed its new badges before,
and is its default issuer from now on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)


def _key() -> sa.Column[str]:
    return sa.Column("id", KEY, primary_key=True)


def _of(name: str, table: str, *, ondelete: str = "CASCADE", nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, KEY, sa.ForeignKey(f"{table}.id", ondelete=ondelete), nullable=nullable)


def _flag(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), server_default=sa.false(), nullable=False)


def _list(name: str) -> sa.Column[object]:
    return sa.Column(name, sa.JSON(), server_default="[]", nullable=False)


EXACT = sa.Numeric(20, 8).with_variant(sa.String(40), "sqlite")


def upgrade() -> None:
    # Defaults stay: on SQLite taking one away would copy the table.
    op.add_column("organisations", _list("palette"))
    _create_pictures()
    _create_frameworks()
    _change_issuers()
    _change_achievement_versions()
    op.add_column("credentials", sa.Column("suspended_at", MOMENT))
    op.add_column("credentials", sa.Column("suspension_reason", sa.String(500)))
    op.add_column("credentials", sa.Column("valid_until", MOMENT))
    op.add_column("credentials", sa.Column("reissued_at", MOMENT))
    op.add_column("status_lists", _flag("is_pending"))
    op.add_column("status_lists", sa.Column("entries", sa.Integer(), server_default="0", nullable=False))
    op.execute(
        "UPDATE status_lists SET entries ="
        " (SELECT COUNT(*) FROM credentials WHERE credentials.status_list_id = status_lists.id)"
    )
    op.add_column("runs", sa.Column("task", sa.JSON(), server_default="{}", nullable=False))
    _create_endorsements()


def _create_pictures() -> None:
    op.create_table(
        "pictures",
        _key(),
        _of("organisation_id", "organisations"),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("svg", sa.Text(), nullable=False),
        sa.Column("png", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_by", sa.String(80), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.UniqueConstraint("organisation_id", "digest"),
    )


def _create_frameworks() -> None:
    op.create_table(
        "frameworks",
        _key(),
        _of("organisation_id", "organisations"),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("url", sa.String(500), nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("version", sa.String(60)),
        sa.Column("language", sa.String(35)),
        sa.Column("items", sa.Integer(), nullable=False),
        sa.Column("imported_by", sa.String(80), nullable=False),
        sa.Column("imported_at", MOMENT, nullable=False),
        sa.UniqueConstraint("organisation_id", "url"),
        sa.CheckConstraint("kind IN ('esco', 'case')", name="kind"),
    )
    op.create_table(
        "framework_items",
        _key(),
        _of("organisation_id", "organisations"),
        _of("framework_id", "frameworks"),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("code", sa.String(100)),
        sa.Column("name", sa.String(500), nullable=False),
        sa.Column("description", sa.Text()),
        sa.Column("target_type", sa.String(60), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
    )
    op.create_index("ix_framework_items_organisation_id", "framework_items", ["organisation_id"])
    op.create_index("ix_framework_items_framework_id", "framework_items", ["framework_id", "name"])


def _change_issuers() -> None:
    with op.batch_alter_table("issuers") as altered:
        altered.add_column(sa.Column("picture_id", KEY))
        altered.add_column(_flag("is_default"))
        altered.add_column(sa.Column("retired_at", MOMENT))
        altered.add_column(sa.Column("terms_url", sa.String(2000)))
        altered.add_column(_flag("names_schema"))
        altered.add_column(_flag("offers_refresh"))
        altered.add_column(sa.Column("token_algorithm", sa.String(5), server_default="RS256", nullable=False))
        altered.create_foreign_key(
            op.f("fk_issuers_picture_id"), "pictures", ["picture_id"], ["id"], ondelete="SET NULL"
        )
        altered.create_check_constraint("token_algorithm", "token_algorithm IN ('RS256', 'ES256')")
        altered.create_check_constraint("default_is_in_use", "NOT is_default OR retired_at IS NULL")
    op.execute(
        "UPDATE issuers SET is_default = TRUE WHERE NOT EXISTS (SELECT 1 FROM issuers AS older"
        " WHERE older.organisation_id = issuers.organisation_id"
        " AND (older.created_at < issuers.created_at"
        " OR (older.created_at = issuers.created_at AND older.id < issuers.id)))"
    )
    op.create_index(
        "uq_issuers_default",
        "issuers",
        ["organisation_id"],
        unique=True,
        sqlite_where=sa.text("is_default IS 1"),
        postgresql_where=sa.text("is_default IS TRUE"),
    )


def _change_achievement_versions() -> None:
    with op.batch_alter_table("achievement_versions") as altered:
        altered.add_column(
            sa.Column("achievement_type", sa.String(60), server_default="MicroCredential", nullable=False)
        )
        altered.add_column(_list("alignments"))
        altered.add_column(sa.Column("credits", EXACT))
        altered.add_column(sa.Column("credit_unit", sa.String(10)))
        altered.add_column(sa.Column("human_code", sa.String(100)))
        altered.add_column(sa.Column("field_of_study", sa.String(200)))
        altered.add_column(sa.Column("validity_months", sa.Integer()))
        altered.add_column(_flag("shows_results"))
        altered.add_column(_flag("shows_evidence"))
        altered.add_column(_list("result_descriptions"))
        altered.add_column(
            sa.Column("status_purpose", sa.String(10), server_default="revocation", nullable=False)
        )
        altered.create_check_constraint("status_purpose", "status_purpose IN ('revocation', 'suspension')")
        altered.create_check_constraint("credit_unit", "credit_unit IN ('ects', 'hours', 'other')")
        altered.create_check_constraint("validity_months", "validity_months > 0")


def _create_endorsements() -> None:
    op.create_table(
        "endorsements",
        _key(),
        _of("organisation_id", "organisations"),
        _of("achievement_version_id", "achievement_versions", nullable=True),
        _of("endorsed_issuer_id", "issuers", nullable=True),
        _of("endorser_id", "issuers", ondelete="RESTRICT", nullable=True),
        sa.Column("endorser_name", sa.String(200), nullable=False),
        sa.Column("endorser_url", sa.String(2000), nullable=False),
        sa.Column("comment", sa.Text(), nullable=False),
        sa.Column("document", sa.Text()),
        sa.Column("status", sa.String(10), nullable=False),
        _of("status_list_id", "status_lists", ondelete="RESTRICT", nullable=True),
        sa.Column("status_index", sa.Integer()),
        sa.Column("offered_by", sa.String(80), nullable=False),
        sa.Column("offered_at", MOMENT, nullable=False),
        sa.Column("decided_by", sa.String(80)),
        sa.Column("decided_at", MOMENT),
        sa.Column("withdrawn_at", MOMENT),
        sa.UniqueConstraint("status_list_id", "status_index"),
        sa.CheckConstraint(
            "(achievement_version_id IS NULL) <> (endorsed_issuer_id IS NULL)", name="endorses_one_thing"
        ),
        sa.CheckConstraint("status IN ('offered', 'accepted', 'refused', 'withdrawn')", name="status"),
    )
    for column in ("organisation_id", "achievement_version_id", "endorsed_issuer_id", "endorser_id"):
        op.create_index(f"ix_endorsements_{column}", "endorsements", [column])


def downgrade() -> None:
    # A list that nobody signed since its last change has no signed text, as before.
    op.execute("UPDATE status_lists SET document = NULL WHERE is_pending")
    # Places of endorsements are forgotten, and must not become those of badges: these lists take nobody in.
    op.execute(
        "UPDATE status_lists SET is_open = FALSE"
        " WHERE id IN (SELECT status_list_id FROM endorsements WHERE status_list_id IS NOT NULL)"
    )
    # Whoever goes back forgets who is suspended: those are revoked.
    op.execute(
        "UPDATE credentials SET revoked_at = suspended_at, revocation_reason = suspension_reason"
        " WHERE revoked_at IS NULL AND suspended_at IS NOT NULL"
    )
    # Badges that wait to be signed anew: nothing of the release before knows how.
    op.execute("DELETE FROM runs WHERE kind = 'reissue'")
    op.drop_column("runs", "task")
    op.drop_table("endorsements")
    op.drop_index("uq_issuers_default", "issuers")
    with op.batch_alter_table("issuers") as altered:
        altered.drop_constraint(op.f("fk_issuers_picture_id"), type_="foreignkey")
        altered.drop_constraint(op.f("ck_issuers_token_algorithm"), type_="check")
        altered.drop_constraint(op.f("ck_issuers_default_is_in_use"), type_="check")
        for column in (
            "token_algorithm",
            "offers_refresh",
            "names_schema",
            "terms_url",
            "retired_at",
            "is_default",
            "picture_id",
        ):
            altered.drop_column(column)
    for table in ("framework_items", "frameworks", "pictures"):
        op.drop_table(table)
    with op.batch_alter_table("achievement_versions") as altered:
        for name in ("status_purpose", "credit_unit", "validity_months"):
            altered.drop_constraint(op.f(f"ck_achievement_versions_{name}"), type_="check")
        for column in (
            "status_purpose",
            "result_descriptions",
            "shows_evidence",
            "shows_results",
            "validity_months",
            "field_of_study",
            "human_code",
            "credit_unit",
            "credits",
            "alignments",
            "achievement_type",
        ):
            altered.drop_column(column)
    for table, columns in (
        ("status_lists", ("entries", "is_pending")),
        ("credentials", ("reissued_at", "valid_until", "suspension_reason", "suspended_at")),
        ("organisations", ("palette",)),
    ):
        with op.batch_alter_table(table) as altered:
            for column in columns:
                altered.drop_column(column)
