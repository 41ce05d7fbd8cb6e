"""Migrations: linear, up and down with data, and the code's tables are what they lead to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory
from sqlalchemy.exc import IntegrityError

from lti_tool.domain.criteria import AllOf, AnyOf, Completed, HoldsAchievement, ScoreAtLeast
from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.queue import Queue
from lti_tool.services.criteria_format import dump_criteria
from lti_tool.store import runs, step_needs
from lti_tool.store.database import Database, alembic_config, head_revision
from lti_tool.store.tables import (
    AchievementVersion,
    Attestation,
    AuditEvent,
    Base,
    Decision,
    Deployment,
    Endorsement,
    Gate,
    GatePass,
    Issuer,
    LaunchSession,
    Learner,
    Membership,
    MicromoduleVersion,
    Organisation,
    Placement,
    Registration,
    StaffMember,
    StaffSession,
    StatusList,
    Submission,
    SubmissionFile,
)
from tests import factories
from tests.databases import BOTH_DATABASES, postgres_database, postgres_server_url

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LAUNCHED = NOW - timedelta(days=3)


@pytest.fixture(params=BOTH_DATABASES)
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """Without a single table."""
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path}/empty.sqlite3")
        yield database
        database.dispose()
    else:
        with postgres_database(postgres_server_url()) as url:
            database = Database(url)
            yield database
            database.dispose()


def table_names(database: Database) -> set[str]:
    with database.read() as session:
        return set(sa.inspect(session.connection()).get_table_names()) - {"alembic_version"}


def revisions() -> list[str]:
    scripts = ScriptDirectory.from_config(alembic_config())
    return [script.revision for script in reversed(list(scripts.walk_revisions()))]


def test_the_history_is_one_line() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert revisions() == [f"{number:04}" for number in range(1, len(revisions()) + 1)]


def test_the_models_equal_the_newest_revision(empty_database: Database) -> None:
    empty_database.upgrade()
    assert empty_database.check() == ()
    assert table_names(empty_database) == set(Base.metadata.tables)


def test_constraints_have_the_names_of_the_models(empty_database: Database) -> None:
    """A later migration drops a constraint by its name; it has to be the same on both databases."""
    empty_database.upgrade()
    with empty_database.read() as session:
        inspector = sa.inspect(session.connection())
        for table in Base.metadata.sorted_tables:
            checks = {check["name"] for check in inspector.get_check_constraints(table.name)}
            assert checks == {
                str(check.name) for check in table.constraints if isinstance(check, sa.CheckConstraint)
            }
            keys = {key["name"] for key in inspector.get_foreign_keys(table.name)}
            assert keys == {str(key.name) for key in table.foreign_key_constraints}


def test_a_difference_is_found(empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.write() as session:
        session.execute(sa.text("ALTER TABLE organisations ADD COLUMN forgotten INTEGER"))
    (problem,) = empty_database.check()
    assert "forgotten" in problem


def test_a_table_left_behind_is_found(empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.write() as session:
        session.execute(sa.text("CREATE TABLE left_behind (id INTEGER)"))
    (problem,) = empty_database.check()
    assert "left_behind" in problem


def test_the_queue_in_the_same_database_is_no_difference() -> None:
    """The default on PostgreSQL: an operator was told to restore tables that are as they should be."""
    with postgres_database(postgres_server_url()) as url:
        database = Database(url)
        database.upgrade()
        queue = Queue(url)
        try:
            assert table_names(database) > set(Base.metadata.tables)
            assert database.check() == ()
        finally:
            queue.close()
            database.dispose()


def test_every_revision_goes_up_and_down(empty_database: Database) -> None:
    for revision in revisions():
        empty_database.upgrade(revision)
        assert empty_database.revision() == revision
        empty_database.downgrade("-1")
        empty_database.upgrade(revision)
    empty_database.downgrade("base")
    assert empty_database.revision() is None
    assert table_names(empty_database) == set()
    empty_database.upgrade()
    assert empty_database.check() == ()


def test_rows_survive_each_step_up_and_down(empty_database: Database) -> None:
    """On SQLite a changed table is copied; what points at it must not be deleted along with the old copy."""
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    placed = factories.placed(empty_database, course)
    (learner_id,) = factories.enrol(empty_database, course)
    factories.credential(empty_database, course, factories.award(empty_database, course, placed, learner_id))

    def counts() -> dict[str, int | None]:
        with empty_database.read() as session:
            return {
                name: session.scalar(sa.text(f"SELECT count(*) FROM {name}"))
                for name in ("organisations", "contexts", "awards", "status_lists", "credentials")
            }

    before = counts()
    assert set(before.values()) == {1}
    for revision in reversed(revisions()[:-1]):
        empty_database.downgrade(revision)
        assert counts() == before
    for revision in revisions():
        empty_database.upgrade(revision)
        assert counts() == before
    assert empty_database.check() == ()


def test_the_release_before_gives_nobody_the_place_of_an_endorsement(empty_database: Database) -> None:
    """It does not know that endorsements have places; revoking a badge would end one."""
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    lists = {
        purpose: StatusList(
            organisation_id=course.organisation_id,
            issuer_id=course.issuer_id,
            purpose=purpose,
            size=131_072,
            changed_at=NOW,
        )
        for purpose in ("revocation", "suspension")
    }
    with empty_database.write() as session:
        session.add_all(lists.values())
        session.flush()
        session.add(
            Endorsement(
                organisation_id=course.organisation_id,
                endorsed_issuer_id=course.issuer_id,
                endorser_id=course.issuer_id,
                endorser_name="Guild",
                endorser_url="did:web:guild.example",
                comment="They teach well.",
                status="offered",
                status_list_id=lists["revocation"].id,
                status_index=7,
                offered_by="staff:1",
                offered_at=NOW,
            )
        )
    empty_database.downgrade("0004")
    with empty_database.read() as session:
        rows = session.execute(sa.text("SELECT purpose, is_open FROM status_lists ORDER BY purpose")).all()
    assert [(row.purpose, bool(row.is_open)) for row in rows] == [("revocation", False), ("suspension", True)]


def test_lists_know_their_places_and_organisations_their_issuer_after_an_upgrade(
    empty_database: Database,
) -> None:
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    placed = factories.placed(empty_database, course)
    (learner_id,) = factories.enrol(empty_database, course)
    factories.credential(empty_database, course, factories.award(empty_database, course, placed, learner_id))
    with empty_database.write() as session:
        session.add(
            Issuer(
                id="younger",
                organisation_id=course.organisation_id,
                name="Younger",
                created_at=NOW + timedelta(days=1),
            )
        )
    empty_database.downgrade("0004")
    empty_database.upgrade()
    with empty_database.read() as session:
        assert session.scalars(sa.select(StatusList.entries)).all() == [1]
        defaults = session.scalars(sa.select(Issuer.id).where(Issuer.is_default.is_(True))).all()
    assert defaults == [course.issuer_id]


def test_hosts_go_to_the_deployment_that_named_them(empty_database: Database) -> None:
    """Two institutions on one registration: what one of them named must not become the other's."""
    empty_database.upgrade()
    course = factories.course(
        empty_database, NOW, memberships_url="https://A.example:443/m?x=1", line_items_url=None
    )
    with empty_database.write() as session:
        session.add(
            Deployment(
                id="other",
                registration_id=course.registration_id,
                id_on_platform="2",
                status="held",
                service_hosts=["b.example:8443"],
                first_seen_at=NOW,
            )
        )
    empty_database.downgrade("0001")
    with empty_database.read() as session:
        (hosts,) = session.scalars(sa.text("SELECT service_hosts FROM registrations"))
        named = json.loads(hosts) if isinstance(hosts, str) else hosts
        assert "b.example:8443" in named
        assert len(named) == 2
    empty_database.upgrade()
    with empty_database.read() as session:
        assert session.get_one(Deployment, course.deployment_id).service_hosts == ["a.example"]
        assert session.get_one(Deployment, "other").service_hosts == []


def _known_before_proofs(database: Database, course: factories.Course) -> dict[str, str]:
    """Ways to be a participant in the first release: learner ids by what they did."""
    names = (
        *(
            "launched here",
            "launched",
            "launched one of two",
            "never launched",
            "teaches",
            "taught elsewhere",
        ),
        *("acted as student", "tests"),
    )
    ids = dict(zip(names, factories.enrol(database, course, len(names), NOW, proof="none"), strict=True))
    (beside,) = factories.courses_beside(database, course, 1)
    factories.launch_session(database, course, ids["launched here"], created_at=LAUNCHED)
    factories.launch_session(database, course, ids["teaches"], created_at=LAUNCHED)
    factories.launch_session(
        database, beside, ids["taught elsewhere"], is_learner=False, can_configure=True, created_at=LAUNCHED
    )
    factories.launch_session(
        database, course, ids["acted as student"], is_learner=False, is_read_only=True, created_at=LAUNCHED
    )
    with database.write() as session:
        for name in ("launched", "launched one of two", "teaches", "taught elsewhere", "tests"):
            session.get_one(Learner, ids[name]).last_launched_at = LAUNCHED
        session.get_one(Learner, ids["tests"]).is_test_user = True
        for name in ("launched here", "launched one of two", "taught elsewhere"):
            session.add(
                Membership(
                    organisation_id=course.organisation_id,
                    context_id=beside.context_id,
                    learner_id=ids[name],
                    is_learner=name != "taught elsewhere",
                    is_staff=name == "taught elsewhere",
                    seen_at=NOW,
                )
            )
        session.execute(
            sa.update(Membership).where(Membership.learner_id == ids["teaches"]).values(is_staff=True)
        )
    return ids


def test_who_launched_as_a_learner_before_proofs_were_kept_is_proved(empty_database: Database) -> None:
    """Only where that launch was certainly from this course: the first release kept no other trace."""
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    ids = _known_before_proofs(empty_database, course)
    empty_database.downgrade("0001")
    empty_database.upgrade()
    with empty_database.read() as session:
        proofs = {
            (membership.context_id == course.context_id, membership.learner_id): (
                membership.learner_proof,
                membership.proved_at,
            )
            for membership in session.scalars(sa.select(Membership))
        }
    here = {name: proofs.pop((True, learner_id)) for name, learner_id in ids.items()}
    assert {name for name, proof in here.items() if proof == ("launch", LAUNCHED)} == {
        "launched here",
        "launched",
    }
    assert {proof for name, proof in here.items() if name not in ("launched here", "launched")} == {
        ("none", None)
    }
    assert set(proofs.values()) == {("none", None)}, "the course beside proves nobody"


def test_an_award_that_waits_for_proof_is_not_yet_one_to_the_release_before(empty_database: Database) -> None:
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    placed = factories.placed(empty_database, course)
    learner_ids = factories.enrol(empty_database, course, 2)
    with empty_database.write() as session:
        for learner_id, verdict in zip(learner_ids, ("unproved", "award"), strict=True):
            session.add(
                Decision(
                    organisation_id=course.organisation_id,
                    placement_id=placed.placement_id,
                    micromodule_version_id=placed.micromodule_version_id,
                    learner_id=learner_id,
                    verdict=verdict,
                    state="met",
                    finding={},
                    evidence={},
                    digest=verdict,
                    decided_at=NOW,
                )
            )
    empty_database.downgrade("0001")
    with empty_database.read() as session:
        rows = session.execute(sa.text("SELECT learner_id, verdict FROM decisions")).all()
    verdicts = {row.learner_id: row.verdict for row in rows}
    assert verdicts == dict(zip(learner_ids, ("not_yet", "award"), strict=True))


def test_nobody_gets_a_right_by_a_migration(empty_database: Database) -> None:
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    (learner_id,) = factories.enrol(empty_database, course)
    factories.launch_session(empty_database, course, learner_id, is_administrator=True)
    with empty_database.write() as session:
        session.get_one(Registration, course.registration_id).administrator_role = "owner"
        session.get_one(Deployment, course.deployment_id).frame_origins = ["https://campus.example"]
    empty_database.downgrade("0001")
    empty_database.upgrade()
    with empty_database.read() as session:
        assert session.get_one(Registration, course.registration_id).administrator_role is None
        deployment = session.get_one(Deployment, course.deployment_id)
        assert (deployment.token_url, deployment.frame_origins) == (None, [])
        assert session.scalars(sa.select(LaunchSession.is_administrator)).all() == [False]


def test_what_was_disabled_before_there_were_staff_pages_the_operator_disabled(
    empty_database: Database,
) -> None:
    empty_database.upgrade()
    disabled, approved = (factories.course(empty_database, NOW) for _ in range(2))
    with empty_database.write() as session:
        session.get_one(Registration, disabled.registration_id).status = "disabled"
        session.get_one(Deployment, disabled.deployment_id).status = "disabled"
    empty_database.downgrade("0001")
    empty_database.upgrade()
    with empty_database.read() as session:
        for course in (disabled, approved):
            registration = session.get_one(Registration, course.registration_id)
            deployment = session.get_one(Deployment, course.deployment_id)
            assert registration.is_disabled_by_operator is (course == disabled)
            assert deployment.is_disabled_by_operator is (course == disabled)


def test_what_was_launched_counts_as_published_at_that_moment(empty_database: Database) -> None:
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    active = factories.placed(empty_database, course, LAUNCHED)
    draft = factories.placed(empty_database, course, LAUNCHED, status="draft")
    empty_database.downgrade("0002")
    empty_database.upgrade()
    with empty_database.read() as session:
        placements = {row.id: row for row in session.scalars(sa.select(Placement))}
    was_active, was_draft = placements[active.placement_id], placements[draft.placement_id]
    assert (was_active.status, was_active.published_at) == ("active", LAUNCHED)
    assert (was_draft.status, was_draft.published_at) == ("draft", None)
    assert was_active.published_by_id is None


def test_decisions_of_the_release_before_get_a_letter_for_each_leaf(empty_database: Database) -> None:
    """More of them than are written together, and only the newest of each learner."""
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    placed = factories.placed(empty_database, course)
    finding = {
        "state": "unknown",
        "reason": "parts_unknown",
        "parts": [
            {"state": "met", "reason": "score_reached", "key": "quiz"},
            {
                "state": "not_met",
                "reason": "parts_missing",
                "parts": [
                    {"state": "unknown", "reason": "no_grade_yet", "key": "essay"},
                    {"state": "not_met", "reason": "score_below", "key": "quiz"},
                ],
            },
        ],
    }
    (learner_id,) = factories.enrol(empty_database, course)
    with empty_database.write() as session:
        session.execute(
            sa.insert(Decision),
            [
                {
                    "organisation_id": course.organisation_id,
                    "placement_id": placed.placement_id,
                    "micromodule_version_id": placed.micromodule_version_id,
                    "learner_id": learner_id,
                    "verdict": "not_yet",
                    "state": "unknown",
                    "finding": finding,
                    "evidence": {},
                    "digest": "",
                    "decided_at": NOW,
                    "is_latest": number % 2 == 0,
                }
                for number in range(2050)
            ],
        )
    empty_database.downgrade("0002")
    empty_database.upgrade()
    with empty_database.read() as session:
        found = session.execute(
            sa.select(Decision.is_latest, Decision.leaf_states, sa.func.count()).group_by(
                Decision.is_latest, Decision.leaf_states
            )
        )
        assert {tuple(row) for row in found} == {(True, "MUN", 1025), (False, "", 1025)}


@pytest.mark.parametrize("revision, kind", [("0005", "retroactive"), ("0004", "reissue")])
def test_runs_that_an_earlier_release_does_not_know_go(
    empty_database: Database, revision: str, kind: str
) -> None:
    empty_database.upgrade()
    course = factories.course(empty_database, NOW)
    with empty_database.write() as session:
        for one in (kind, "sync"):
            runs.open_task(session, course.organisation_id, one, {}, NOW)
    empty_database.downgrade(revision)
    with empty_database.read() as session:
        assert session.execute(sa.text("SELECT kind FROM runs")).scalars().all() == ["sync"]
    empty_database.upgrade()


def test_what_badges_ask_for_is_written_down_from_what_is_there(empty_database: Database) -> None:
    """Of the newest version of each, of this organisation, and of rules: not of a label that says so."""
    empty_database.upgrade()
    course, other = factories.course(empty_database, NOW), factories.course(empty_database, NOW)
    quiz = ScoreAtLeast("completed", '"completed" "holds"', Decimal(1))
    placed = [factories.placed(empty_database, course, criterion=quiz) for _ in range(2)]
    theirs = factories.placed(empty_database, other, criterion=quiz)

    def version_of(one: factories.Placed) -> MicromoduleVersion:
        with empty_database.read() as session:
            return session.get_one(MicromoduleVersion, one.micromodule_version_id)

    def achievement_of(one: factories.Placed) -> str:
        with empty_database.read() as session:
            return session.get_one(AchievementVersion, one.achievement_version_id).achievement_id

    first, second, foreign = (version_of(one).micromodule_id for one in (*placed, theirs))
    asked = AllOf(
        (
            quiz,
            AnyOf((Completed(first, "First"), Completed(foreign, "Theirs"))),
            HoldsAchievement(achievement_of(placed[1]), "Second"),
            HoldsAchievement("0" * 32, "Nobody's"),
        )
    )
    asking = factories.placed(empty_database, course, criterion=asked)
    former = version_of(factories.placed(empty_database, course, criterion=Completed(first, "First")))
    with empty_database.write() as session:
        newer = {"number": 2, "name": "Now", "criteria": dump_criteria(Completed(second, "Second"))}
        said = {name: getattr(former, name) for name in ("organisation_id", "micromodule_id", "description")}
        session.add(MicromoduleVersion(**said, **newer, skills=[], created_at=NOW))
    empty_database.downgrade("0005")
    empty_database.upgrade()
    with empty_database.read() as session:
        found = {tuple(edge) for edge in step_needs.every(session, course.organisation_id)}
        assert step_needs.every(session, other.organisation_id) == ()
    asks = version_of(asking).micromodule_id
    assert found == {(asks, first), (asks, second), (former.micromodule_id, second)}


def test_what_belongs_to_a_learner_goes_with_the_learner(database: Database) -> None:
    """And what the learner judged for others stays, by nobody."""
    course = factories.course(database, NOW)
    placed = factories.placed(database, course)
    gone, stays = factories.enrol(database, course, 2)
    gate_id = factories.gate(database, course, placed, "page", confirmed_by_id=gone)
    for learner_id, other_id in ((gone, stays), (stays, gone)):
        factories.gate_pass(database, course, gate_id, learner_id)
        factories.attestation(database, course, placed, "took-part", learner_id, by_learner_id=other_id)
        factories.submission(database, course, placed, "essay", learner_id, judged_by_id=other_id)
    with database.write() as session:
        session.execute(sa.update(Placement).values(published_by_id=gone))
        session.execute(sa.delete(Learner).where(Learner.id == gone))
    with database.read() as session:
        for table in (GatePass, Attestation, Submission):
            assert session.scalars(sa.select(table.learner_id)).all() == [stays]
        assert session.scalars(sa.select(Attestation.by_learner_id)).all() == [None]
        assert session.scalars(sa.select(Submission.judged_by_id)).all() == [None]
        assert session.scalars(sa.select(sa.func.count(SubmissionFile.id))).all() == [1]
        assert session.scalars(sa.select(Gate.confirmed_by_id)).all() == [None]
        assert session.scalars(sa.select(Placement.published_by_id)).all() == [None]


def test_of_what_was_handed_in_one_is_the_latest(database: Database) -> None:
    course = factories.course(database, NOW)
    placed = factories.placed(database, course)
    (learner_id,) = factories.enrol(database, course)
    factories.submission(database, course, placed, "essay", learner_id, is_latest=False)
    factories.submission(database, course, placed, "essay", learner_id, number=2)
    with pytest.raises(IntegrityError):
        factories.submission(database, course, placed, "essay", learner_id, number=3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE gates SET state = 'sure'",
        "UPDATE gate_passes SET source = 'guess'",
        "UPDATE submissions SET state = 'lost'",
    ],
)
def test_gates_and_submissions_have_no_other_states(database: Database, statement: str) -> None:
    course = factories.course(database, NOW)
    placed = factories.placed(database, course)
    (learner_id,) = factories.enrol(database, course)
    factories.gate_pass(database, course, factories.gate(database, course, placed, "page"), learner_id)
    factories.submission(database, course, placed, "essay", learner_id)
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(sa.text(statement))


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE registrations SET status = 'open'",
        "UPDATE registrations SET administrator_role = 'admin'",
        "UPDATE registrations SET is_disabled_by_operator = TRUE",
        "UPDATE deployments SET is_disabled_by_operator = TRUE",
        "UPDATE deployments SET status = 'approved', organisation_id = NULL",
        "UPDATE memberships SET learner_proof = 'certain'",
        "UPDATE staff_members SET role = 'root'",
        "UPDATE staff_sessions SET staff_member_id = NULL",
        "UPDATE staff_sessions SET learner_id = (SELECT id FROM learners)",
        "UPDATE staff_sessions SET staff_member_id = NULL, learner_id = (SELECT id FROM learners)",
    ],
)
def test_checks_hold_after_the_tables_were_copied(database: Database, statement: str) -> None:
    course = factories.course(database, NOW)
    factories.enrol(database, course)
    with database.write() as session:
        member = StaffMember(organisation_id=course.organisation_id, name="Ada", role="owner", created_at=NOW)
        session.add(member)
        session.flush()
        session.add(
            StaffSession(
                token_hash="0" * 64,
                organisation_id=course.organisation_id,
                staff_member_id=member.id,
                created_at=NOW,
                expires_at=NOW,
            )
        )
    with pytest.raises(IntegrityError), database.write() as session:
        session.execute(sa.text(statement))


def test_data_survives_an_upgrade_that_has_nothing_to_do(empty_database: Database) -> None:
    empty_database.upgrade()
    with empty_database.write() as session:
        organisation = Organisation(name="Open Learning", created_at=NOW)
        session.add(organisation)
        session.flush()
        session.add(
            AuditEvent(
                organisation_id=organisation.id,
                at=NOW,
                actor="cli",
                action="created",
                subject_kind="organisation",
                subject_id=organisation.id,
            )
        )
    empty_database.upgrade()
    with empty_database.read() as session:
        assert session.scalars(sa.select(AuditEvent.organisation_id)).one() == organisation.id
    empty_database.downgrade("base")
    assert table_names(empty_database) == set()


def test_a_database_from_the_future_is_refused(database: Database) -> None:
    """An older tool must not write into tables it does not know."""
    with database.write() as session:
        session.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert "9999" in database.check()[0]
    with pytest.raises(ConfigurationInvalid) as refusal:
        database.require_migrated()
    assert refusal.value.code is ErrorCode.DATABASE_NOT_MIGRATED


def test_a_migrated_database_is_accepted(database: Database) -> None:
    database.require_migrated()
    assert database.revision() == head_revision()
