"""Staff, the award column's scores, who is proved to be a learner, call budgets.

Revision: 0002
Follows: 0001

Who is proved to be a learner already: ``learners.last_launched_at`` names no course, and somebody who learns
in one course may teach in the next, so it is no proof by itself. A membership as a learner, and never as
staff, counts as proved by a launch where

- a launch session as a learner of that very course is still there, or
- the person launched, and is known in this one course only: every launch from a course leaves a membership.

Hosts to which a bearer token may go move from the registration to the deployment whose launches named them:
institutions that share a registration (Canvas) must not get each other's tokens. What a deployment named is
read from the service URLs of its courses.

Whoever is left unproved loses nothing: badges stay, and the next launch, or the score that is written into
the award column, proves it.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KEY = sa.String(32)
MOMENT = sa.DateTime(timezone=True)
ROLES = "('owner', 'editor', 'reviewer', 'reader')"
BY_OPERATOR = "is_disabled_by_operator"
KEPT_DISABLED = f"status = 'disabled' OR NOT {BY_OPERATOR}"

TABLES = ("scores", "staff_members", "staff_links", "staff_sessions", "call_budgets")


def _of(name: str, table: str, *, nullable: bool = False, primary_key: bool = False) -> sa.Column[str]:
    target = sa.ForeignKey(f"{table}.id", ondelete="CASCADE")
    return sa.Column(name, KEY, target, nullable=nullable, primary_key=primary_key)


def upgrade() -> None:
    with op.batch_alter_table("registrations") as registrations:
        registrations.add_column(sa.Column("administrator_role", sa.String(10)))
        registrations.create_check_constraint(
            op.f("ck_registrations_administrator_role"), f"administrator_role IN {ROLES}"
        )
        registrations.add_column(sa.Column(BY_OPERATOR, sa.Boolean(), server_default=sa.false()))
    with op.batch_alter_table("deployments") as deployments:
        deployments.add_column(sa.Column("token_url", sa.String(2000)))
        deployments.add_column(sa.Column("frame_origins", sa.JSON(), server_default="[]"))
        deployments.add_column(sa.Column("service_hosts", sa.JSON(), server_default="[]"))
        deployments.add_column(sa.Column(BY_OPERATOR, sa.Boolean(), server_default=sa.false()))
    _keep_disabled("registrations")
    _keep_disabled("deployments")
    with op.batch_alter_table("deployments") as deployments:
        deployments.alter_column("frame_origins", server_default=None, nullable=False)
        deployments.alter_column("service_hosts", server_default=None, nullable=False)
        deployments.alter_column(BY_OPERATOR, server_default=None, nullable=False)
        deployments.create_check_constraint(op.f("ck_deployments_disabled_by_operator"), KEPT_DISABLED)
    _give_hosts_to_deployments()
    with op.batch_alter_table("registrations") as registrations:
        registrations.drop_column("service_hosts")
        registrations.alter_column(BY_OPERATOR, server_default=None, nullable=False)
        registrations.create_check_constraint(op.f("ck_registrations_disabled_by_operator"), KEPT_DISABLED)
    with op.batch_alter_table("memberships") as memberships:
        memberships.add_column(sa.Column("learner_proof", sa.String(10), server_default="none"))
        memberships.add_column(sa.Column("proved_at", MOMENT))
    with op.batch_alter_table("memberships") as memberships:
        memberships.alter_column("learner_proof", server_default=None, nullable=False)
        memberships.create_check_constraint(
            op.f("ck_memberships_learner_proof"),
            "learner_proof IN ('none', 'launch', 'score', 'staff', 'refused')",
        )
    _prove_launches()
    with op.batch_alter_table("launch_sessions") as sessions:
        sessions.add_column(sa.Column("is_administrator", sa.Boolean(), server_default=sa.false()))
    with op.batch_alter_table("launch_sessions") as sessions:
        sessions.alter_column("is_administrator", server_default=None, nullable=False)
    _create_scores()
    _create_staff()
    op.create_table(
        "call_budgets",
        _of("registration_id", "registrations", primary_key=True),
        sa.Column("token_url", sa.String(2000), primary_key=True),
        sa.Column("calls_left", sa.Double(), nullable=False),
        sa.Column("visit_calls_left", sa.Double(), nullable=False),
        sa.Column("pace", sa.Double(), nullable=False),
        sa.Column("counted_at", MOMENT, nullable=False),
    )
    op.create_index("ix_audit_events_newest", "audit_events", ["organisation_id", "at", "id"])
    op.drop_index("ix_audit_events_organisation_id", "audit_events")
    op.create_index(
        "ix_decisions_standing",
        "decisions",
        ["placement_id", "verdict", "state", "learner_id", "organisation_id", "is_latest"],
        sqlite_where=sa.text("is_latest IS 1"),
        postgresql_where=sa.text("is_latest IS TRUE"),
    )


def _keep_disabled(table: str) -> None:
    """Before there were staff pages, nobody but the operator disabled anything."""
    rows = sa.table(table, sa.column("status"), sa.column(BY_OPERATOR, sa.Boolean()))
    op.execute(sa.update(rows).where(rows.c.status == "disabled").values({BY_OPERATOR: sa.true()}))


DEPLOYMENTS = sa.table(
    "deployments", sa.column("id"), sa.column("registration_id"), sa.column("service_hosts", sa.JSON())
)
REGISTRATIONS = sa.table("registrations", sa.column("id"), sa.column("service_hosts", sa.JSON()))
CONTEXTS = sa.table(
    "contexts", sa.column("deployment_id"), sa.column("memberships_url"), sa.column("line_items_url")
)


def _give_hosts_to_deployments() -> None:
    named: dict[str, set[str]] = {}
    for deployment_id, *urls in op.get_bind().execute(sa.select(CONTEXTS)):
        named.setdefault(deployment_id, set()).update(_hosts(urls))
    _store_hosts(DEPLOYMENTS, named)


def _give_hosts_to_registrations() -> None:
    named: dict[str, set[str]] = {}
    rows = op.get_bind().execute(sa.select(DEPLOYMENTS.c.registration_id, DEPLOYMENTS.c.service_hosts))
    for registration_id, hosts in rows:
        named.setdefault(registration_id, set()).update(hosts)
    _store_hosts(REGISTRATIONS, named)


def _hosts(urls: Iterable[Any]) -> set[str]:
    """``host[:port]`` of each, a default port left out."""
    found = set()
    for url in filter(None, urls):
        parts = urlsplit(url)
        default = {"https": 443, "http": 80}.get(parts.scheme)
        found.add(parts.netloc.lower().removesuffix(f":{default}"))
    return found - {""}


def _store_hosts(table: sa.TableClause, named: dict[str, set[str]]) -> None:
    for key, hosts in named.items():
        op.execute(sa.update(table).where(table.c.id == key).values(service_hosts=sorted(hosts)))


def _prove_launches() -> None:
    op.execute(
        """
        UPDATE memberships SET learner_proof = 'launch', proved_at = (
            SELECT max(launch_sessions.created_at) FROM launch_sessions
            WHERE launch_sessions.learner_id = memberships.learner_id
              AND launch_sessions.context_id = memberships.context_id
              AND launch_sessions.is_learner
        )
        WHERE is_learner AND NOT is_staff AND EXISTS (
            SELECT 1 FROM launch_sessions
            WHERE launch_sessions.learner_id = memberships.learner_id
              AND launch_sessions.context_id = memberships.context_id
              AND launch_sessions.is_learner
        )
        """
    )
    op.execute(
        """
        UPDATE memberships SET learner_proof = 'launch', proved_at = (
            SELECT learners.last_launched_at FROM learners WHERE learners.id = memberships.learner_id
        )
        WHERE learner_proof = 'none' AND is_learner AND NOT is_staff AND EXISTS (
            SELECT 1 FROM learners
            WHERE learners.id = memberships.learner_id
              AND learners.last_launched_at IS NOT NULL
              AND NOT learners.is_test_user
        ) AND NOT EXISTS (
            SELECT 1 FROM memberships AS elsewhere
            WHERE elsewhere.learner_id = memberships.learner_id AND elsewhere.id <> memberships.id
        )
        """
    )


def _create_scores() -> None:
    op.create_table(
        "scores",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("line_item_id", "line_items"),
        _of("learner_id", "learners"),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("sent_at", MOMENT),
        sa.Column("tried_at", MOMENT),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try_at", MOMENT),
        sa.Column("error_code", sa.String(60)),
        sa.UniqueConstraint("line_item_id", "learner_id"),
        sa.CheckConstraint("state IN ('waiting', 'written', 'kept', 'refused')", name="state"),
    )
    op.create_index("ix_scores_learner_id", "scores", ["learner_id"])
    op.create_index("ix_scores_organisation_id", "scores", ["organisation_id"])


def _create_staff() -> None:
    op.create_table(
        "staff_members",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("email", sa.String(320)),
        sa.Column("role", sa.String(10), nullable=False),
        sa.Column("is_active", sa.Boolean(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_signed_in_at", MOMENT),
        sa.CheckConstraint(f"role IN {ROLES}", name="role"),
    )
    op.create_index("ix_staff_members_organisation_id", "staff_members", ["organisation_id"])
    op.create_table(
        "staff_links",
        sa.Column("id", KEY, primary_key=True),
        _of("organisation_id", "organisations"),
        _of("staff_member_id", "staff_members"),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("used_at", MOMENT),
        sa.UniqueConstraint("token_hash"),
    )
    op.create_index("ix_staff_links_expires_at", "staff_links", ["expires_at"])
    op.create_index("ix_staff_links_organisation_id", "staff_links", ["organisation_id"])
    op.create_index("ix_staff_links_staff_member_id", "staff_links", ["staff_member_id"])
    op.create_table(
        "staff_sessions",
        sa.Column("id", KEY, primary_key=True),
        sa.Column("token_hash", sa.String(64), nullable=False),
        _of("organisation_id", "organisations"),
        _of("staff_member_id", "staff_members", nullable=True),
        _of("learner_id", "learners", nullable=True),
        _of("registration_id", "registrations", nullable=True),
        _of("deployment_id", "deployments", nullable=True),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.UniqueConstraint("token_hash"),
        sa.CheckConstraint("(staff_member_id IS NULL) <> (learner_id IS NULL)", name="one_person"),
        sa.CheckConstraint(
            "learner_id IS NULL OR (registration_id IS NOT NULL AND deployment_id IS NOT NULL)",
            name="administrator_of",
        ),
    )
    op.create_index("ix_staff_sessions_expires_at", "staff_sessions", ["expires_at"])
    op.create_index("ix_staff_sessions_learner_id", "staff_sessions", ["learner_id"])
    op.create_index("ix_staff_sessions_organisation_id", "staff_sessions", ["organisation_id"])
    op.create_index("ix_staff_sessions_staff_member_id", "staff_sessions", ["staff_member_id"])


def downgrade() -> None:
    op.drop_index("ix_decisions_standing", "decisions")
    op.create_index("ix_audit_events_organisation_id", "audit_events", ["organisation_id"])
    op.drop_index("ix_audit_events_newest", "audit_events")
    for table in reversed(TABLES):
        op.drop_table(table)
    # The release before knows no "unproved": it shows "not yet", and decides anew since the digest differs.
    op.execute("UPDATE decisions SET verdict = 'not_yet' WHERE verdict = 'unproved'")
    with op.batch_alter_table("launch_sessions") as sessions:
        sessions.drop_column("is_administrator")
    with op.batch_alter_table("memberships") as memberships:
        memberships.drop_constraint(op.f("ck_memberships_learner_proof"), type_="check")
        memberships.drop_column("proved_at")
        memberships.drop_column("learner_proof")
    with op.batch_alter_table("registrations") as registrations:
        registrations.drop_constraint(op.f("ck_registrations_disabled_by_operator"), type_="check")
        registrations.drop_column(BY_OPERATOR)
        registrations.add_column(sa.Column("service_hosts", sa.JSON(), server_default="[]"))
    with op.batch_alter_table("registrations") as registrations:
        registrations.alter_column("service_hosts", server_default=None, nullable=False)
    _give_hosts_to_registrations()
    with op.batch_alter_table("deployments") as deployments:
        deployments.drop_constraint(op.f("ck_deployments_disabled_by_operator"), type_="check")
        deployments.drop_column(BY_OPERATOR)
        deployments.drop_column("service_hosts")
        deployments.drop_column("frame_origins")
        deployments.drop_column("token_url")
    with op.batch_alter_table("registrations") as registrations:
        registrations.drop_constraint(op.f("ck_registrations_administrator_role"), type_="check")
        registrations.drop_column("administrator_role")
