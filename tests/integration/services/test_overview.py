"""What the staff pages show, on both databases: one's own, at the same price however much it is."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from lti_tool.domain.awarding import Verdict
from lti_tool.domain.criteria import State
from lti_tool.errors import ConfigurationInvalid, ErrorCode, NotFound
from lti_tool.keyring import KeyState, KeyView, issuer_purpose
from lti_tool.services.issuer_keys import dated
from lti_tool.store import audit, tables
from lti_tool.store.audit import EventFilter
from lti_tool.store.database import Database
from lti_tool.store.holders import STATES, HolderFilter
from tests import factories
from tests.factories import NOW
from tests.integration.services.office import Office


@pytest.fixture
def office(database: Database, tmp_path: Path) -> Office:
    return Office(database, tmp_path / "keys")


@pytest.fixture
def small_office(sqlite_database: Database, tmp_path: Path) -> Office:
    """Where the kind of database does not matter."""
    return Office(sqlite_database, tmp_path / "keys")


# -- at a glance


def test_an_organisation_in_order_needs_nobody(office: Office) -> None:
    with office.database.write() as session:
        session.add(tables.Lease(name="reconcile", holder="x", expires_at=NOW + timedelta(seconds=30)))
    office.school.change(tables.Context, roster_read_at=NOW)
    health = office.overview.health(office.ours.id)
    assert health.is_well
    assert (health.counts.courses, health.counts.learners, health.counts.badges) == (1, 1, 1)
    assert health.counts.oldest_read_at == NOW


def test_what_is_in_trouble_is_counted_for_its_own_organisation_only(office: Office) -> None:
    ours = office.ours
    office.school.change(
        tables.Context, tables.Context.id == ours.course.context_id, roster_trouble="platform_busy"
    )
    office.school.change(
        tables.LineItem, tables.LineItem.id == ours.placed.line_item_id, trouble="column_missing"
    )
    office.school.change(
        tables.Registration, tables.Registration.id == ours.course.registration_id, status="pending"
    )
    office.deployment(ours.course)
    (unsigned,) = factories.enrol(office.database, ours.course)
    factories.award(office.database, ours.course, ours.placed, unsigned)
    with office.database.write() as session:
        session.add(
            tables.Score(
                organisation_id=ours.id,
                line_item_id=ours.placed.line_item_id,
                learner_id=ours.learner_id,
                state="refused",
                error_code="platform_refused",
            )
        )
    counts = office.overview.health(ours.id).counts
    assert counts.rosters_in_trouble == 1
    assert counts.columns_in_trouble == 1
    assert counts.registrations_pending == 1
    assert counts.deployments_held == 1
    assert counts.awards_unsigned == 1
    assert counts.scores_refused == 1
    theirs = office.overview.health(office.theirs.id).counts
    assert (
        theirs.rosters_in_trouble,
        theirs.columns_in_trouble,
        theirs.registrations_pending,
        theirs.deployments_held,
        theirs.awards_unsigned,
        theirs.scores_refused,
    ) == (0, 0, 0, 0, 0, 0)


def test_a_column_of_a_removed_badge_troubles_nobody(small_office: Office) -> None:
    ours = small_office.ours
    small_office.school.change(
        tables.LineItem, tables.LineItem.id == ours.placed.line_item_id, trouble="column_missing"
    )
    small_office.school.change(
        tables.Placement, tables.Placement.id == ours.placed.placement_id, status="removed"
    )
    assert small_office.overview.health(ours.id).counts.columns_in_trouble == 0


def test_a_worker_that_stopped_is_missed_after_a_minute(small_office: Office) -> None:
    assert not small_office.overview.health(small_office.ours.id).is_worker_alive
    with small_office.database.write() as session:
        session.add(tables.Lease(name="reconcile", holder="x", expires_at=NOW))
    assert small_office.overview.health(small_office.ours.id).is_worker_alive
    small_office.school.clock.forward(seconds=61)
    assert not small_office.overview.health(small_office.ours.id).is_worker_alive


def test_a_queue_that_cannot_be_reached_is_no_error_page(
    small_office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable() -> int:
        raise ConfigurationInvalid(ErrorCode.SETTINGS_INVALID, "the queue cannot be reached")

    monkeypatch.setattr(small_office.queue, "length", unreachable)
    health = small_office.overview.health(small_office.ours.id)
    assert health.queue_length is None
    assert not health.is_well


def test_data_that_no_night_renewed_is_called_old(small_office: Office) -> None:
    small_office.school.change(tables.Context, roster_read_at=NOW)
    assert not small_office.overview.health(small_office.ours.id).is_stale
    small_office.school.clock.forward(days=3)
    assert small_office.overview.health(small_office.ours.id).is_stale


# -- registrations


def test_a_shared_registration_shows_each_its_own_deployments(office: Office) -> None:
    ours, theirs = office.ours, office.theirs
    foreign = office.deployment(ours.course, "approved", organisation_id=theirs.id)
    office.deployment(ours.course)  # nobody's: whose it is, the operator says
    seen = office.overview.registration(ours.id, ours.course.registration_id)
    assert seen.registration.is_shared
    assert [one.id for one in seen.deployments] == [ours.course.deployment_id]
    assert seen.registration.held == 0
    guest = office.overview.registration(theirs.id, ours.course.registration_id)
    assert guest.registration.is_shared
    assert [one.id for one in guest.deployments] == [foreign]
    assert [one.id for one in office.overview.registrations(theirs.id)] == sorted(
        [ours.course.registration_id, theirs.course.registration_id],
        key=lambda id_: office.row(tables.Registration, id_).name,
    )


def test_a_deployment_that_waits_is_shown_to_the_registrations_only_organisation(office: Office) -> None:
    ours = office.ours
    held = office.deployment(ours.course)
    seen = office.overview.registration(ours.id, ours.course.registration_id)
    assert not seen.registration.is_shared
    assert [one.id for one in seen.deployments] == [held, ours.course.deployment_id]
    assert seen.registration.held == 1


def test_a_registration_that_new_deployments_of_others_go_to_is_shared(small_office: Office) -> None:
    ours = small_office.ours
    small_office.school.change(
        tables.Registration,
        tables.Registration.id == ours.course.registration_id,
        default_organisation_id=small_office.theirs.id,
    )
    assert small_office.overview.registration(ours.id, ours.course.registration_id).registration.is_shared


@pytest.mark.parametrize("is_anybodys", [True, False])
def test_the_token_url_of_another_institution_is_told_to_nobody(office: Office, is_anybodys: bool) -> None:
    """Also where it is not known whose registration it was in the beginning."""
    ours = office.ours
    office.school.change(
        tables.Registration,
        tables.Registration.id == ours.course.registration_id,
        product="canvas",
        default_organisation_id=office.theirs.id if is_anybodys else None,
    )
    assert office.overview.registration(ours.id, ours.course.registration_id).registration.token_url is None


# -- courses


def test_courses_are_found_by_name_and_by_trouble(office: Office) -> None:
    ours = office.ours
    beside = factories.courses_beside(office.database, ours.course, 2)
    for number, course in enumerate(beside):
        factories.placed(office.database, course)
        office.school.change(
            tables.Context, tables.Context.id == course.context_id, title=f"Émile {number} 100%_"
        )
    office.school.change(
        tables.Context, tables.Context.id == beside[0].context_id, roster_trouble="platform_busy"
    )
    assert office.overview.courses(ours.id).total == 3
    assert office.overview.courses(ours.id, query="émile").total == 2
    assert office.overview.courses(ours.id, query="100%_").total == 2
    assert office.overview.courses(ours.id, query="%").total == 2
    troubled = office.overview.courses(ours.id, is_troubled=True)
    assert [row.id for row in troubled.rows] == [beside[0].context_id]


def test_the_oldest_data_comes_first(small_office: Office) -> None:
    ours = small_office.ours
    (beside,) = factories.courses_beside(small_office.database, ours.course, 1)
    factories.placed(small_office.database, beside)
    small_office.school.change(
        tables.Context, tables.Context.id == ours.course.context_id, roster_read_at=NOW
    )
    small_office.school.change(tables.Context, tables.Context.id == beside.context_id, roster_read_at=None)
    rows = small_office.overview.courses(ours.id, order="oldest").rows
    assert [row.id for row in rows] == [beside.context_id, ours.course.context_id]


def test_a_course_names_its_columns_and_the_scores_that_were_refused(small_office: Office) -> None:
    ours = small_office.ours
    with small_office.database.write() as session:
        session.add(
            tables.Score(
                organisation_id=ours.id,
                line_item_id=ours.placed.line_item_id,
                learner_id=ours.learner_id,
                state="refused",
                error_code="platform_refused",
            )
        )
    view = small_office.overview.course(ours.id, ours.course.context_id)
    (placed,) = view.placed
    assert [column.tag for column in placed.columns] == ["mirror"]
    assert [(score.learner_id, score.error_code) for score in view.scores] == [
        (ours.learner_id, "platform_refused")
    ]
    assert view.course.scores_refused == 1


# -- issuers and micromodules


def test_a_retired_key_says_since_when(small_office: Office) -> None:
    issuer_id = small_office.ours.course.issuer_id
    small_office.keyring.rotate(issuer_purpose(issuer_id), small_office.school.clock())
    view = small_office.overview.issuer(small_office.ours.id, issuer_id)
    active, retired = view.keys
    assert (active.state, active.retired_at) == ("active", None)
    assert (retired.state, retired.retired_at) == ("retired", small_office.school.clock())
    assert view.did == small_office.school.urls.did(issuer_id)


def test_a_key_that_an_earlier_release_retired_was_retired_when_the_next_one_was_made() -> None:
    def key(kid: str, state: KeyState, day: int) -> KeyView:
        return KeyView("issuers/1", kid, state, "EdDSA", NOW + timedelta(days=day), is_encrypted=False)

    shown = dated([key("new", "active", 2), key("middle", "retired", 1), key("old", "retired", 0)])
    assert [one.retired_at for one in shown] == [None, NOW + timedelta(days=2), NOW + timedelta(days=1)]


def test_a_key_file_that_others_can_read_is_said_and_breaks_no_page(small_office: Office) -> None:
    issuer_id = small_office.ours.course.issuer_id
    folder = small_office.school.keys_dir / issuer_purpose(issuer_id) / "active"
    for path in folder.glob("*.pem"):
        path.chmod(0o644)
    view = small_office.overview.issuer(small_office.ours.id, issuer_id)
    assert not view.are_keys_readable
    assert view.keys == ()


def test_a_micromodule_counts_its_holders_courses_and_completions(office: Office) -> None:
    ours = office.ours
    office.administering.set_categories(ours.staff(), ours.micromodule_id, [ours.category_id])
    (row,) = office.overview.micromodules(ours.id).micromodules
    assert (row.courses, row.holders, row.completions, row.categories) == (1, 1, 1, ("Ours",))
    view = office.overview.micromodule(ours.id, ours.micromodule_id)
    assert [version.row.number for version in view.versions] == [1]
    assert view.versions[0].row.holders == 1
    assert [course.context_id for course in view.courses] == [ours.course.context_id]
    assert view.chosen == {ours.category_id}
    assert office.overview.micromodules(ours.id, category_id=ours.category_id).micromodules == (row,)
    assert office.overview.micromodules(ours.id, is_archived=True).micromodules == ()


# -- holders


def test_holders_are_found_by_a_part_of_their_name_in_any_case(office: Office) -> None:
    ours = office.ours
    names = {"Émile Zola": "émile", "ÅSA LINDQVIST": "åsa", "100% Sure_": "0% s", "Ada": "ADA"}
    learner_ids = factories.enrol(office.database, ours.course, len(names))
    for learner_id, name in zip(learner_ids, names, strict=True):
        office.school.change(tables.Learner, tables.Learner.id == learner_id, name=name)
        factories.award(office.database, ours.course, ours.placed, learner_id)
    for name, query in names.items():
        found = office.overview.holders(ours.id, HolderFilter(query))
        assert [row.name for row in found.page.rows] == [name]
        assert found.page.total == 1
    assert office.overview.holders(ours.id, HolderFilter("_")).page.total == 1


def test_holders_are_narrowed_by_what_their_badges_are_worth(office: Office) -> None:
    ours, row = office.ours, tables.Credential
    learners = factories.enrol(office.database, ours.course, 4)
    issued = [office.school.issued(ours.course, ours.placed, learner_id) for learner_id in learners]
    over, paused, both, later = issued
    a_day = timedelta(days=1)
    office.school.change(row, row.id == over, valid_until=NOW)
    office.school.change(row, row.id == paused, valid_until=NOW - a_day, suspended_at=NOW)
    office.school.change(row, row.id == both, valid_until=NOW - a_day, suspended_at=NOW, revoked_at=NOW)
    office.school.change(row, row.id == later, valid_until=NOW + a_day)
    counted = {
        state: office.overview.holders(ours.id, HolderFilter(state=state)).page for state in (*STATES, None)
    }
    assert {state: page.total for state, page in counted.items()} == {
        "unsigned": 0,
        "expired": 1,
        "suspended": 1,
        "revoked": 1,
        None: 5,
    }
    rows = counted[None].rows
    assert [sum(getattr(one, state) for one in rows) for state in STATES] == [0, 1, 1, 1]


def test_holders_are_leafed_through_on_the_server(office: Office) -> None:
    ours = office.ours
    for learner_id in factories.enrol(office.database, ours.course, 6):
        factories.award(office.database, ours.course, ours.placed, learner_id)
    pages = [office.overview.holders(ours.id, HolderFilter(), page=n, per_page=3).page for n in (1, 2, 3)]
    assert [(page.number, page.pages, page.total, len(page.rows)) for page in pages] == [
        (1, 3, 7, 3),
        (2, 3, 7, 3),
        (3, 3, 7, 1),
    ]
    assert len({row.learner_id for page in pages for row in page.rows}) == 7
    assert office.overview.holders(ours.id, HolderFilter(), page=99, per_page=3).page.number == 3


def test_holders_are_narrowed_by_micromodule_and_state(office: Office) -> None:
    ours = office.ours
    other = factories.placed(office.database, ours.course)
    (learner_id,) = factories.enrol(office.database, ours.course)
    factories.award(office.database, ours.course, other, learner_id)
    one = office.overview.holders(ours.id, HolderFilter(micromodule_id=ours.micromodule_id)).page
    assert [row.learner_id for row in one.rows] == [ours.learner_id]
    unsigned = office.overview.holders(ours.id, HolderFilter(state="unsigned")).page
    assert [(row.learner_id, row.unsigned) for row in unsigned.rows] == [(learner_id, 1)]
    assert office.overview.holders(ours.id, HolderFilter(state="revoked")).page.rows == ()
    office.administering.revoke_credential(ours.staff(), ours.credential_id, "By mistake.")
    revoked = office.overview.holders(ours.id, HolderFilter(state="revoked")).page
    assert [(row.learner_id, row.revoked) for row in revoked.rows] == [(ours.learner_id, 1)]
    # A filter that names another organisation's micromodule finds nobody.
    assert (
        office.overview.holders(office.theirs.id, HolderFilter(micromodule_id=ours.micromodule_id)).page.total
        == 0
    )


def test_a_decision_is_explained_from_the_evidence_it_rests_on(small_office: Office) -> None:
    ours = small_office.ours
    # What the gradebook says later does not change what the decision rested on.
    small_office.school.regrade(ours.placed, ours.learner_id, 10)
    (decision,) = small_office.overview.holder(ours.id, ours.learner_id).decisions
    assert decision.row.verdict in (Verdict.AWARD, Verdict.HELD)
    assert decision.finding.state is State.MET
    assert str(decision.finding.score.value if decision.finding.score else None) == "90"


# -- the audit log


def events(office: Office, count: int, *, actor: str = "cli", action: str = "thing_done") -> None:
    with office.database.write() as session:
        for number in range(count):
            audit.record(
                session,
                office.ours.id,
                at=NOW + timedelta(minutes=number // 2),
                actor=actor,
                action=action,
                subject_kind="thing",
                subject_id=f"thing-{number}",
            )


def test_the_log_is_filtered_by_action_actor_and_date(office: Office) -> None:
    ours = office.ours
    events(office, 3)
    events(office, 2, actor=f"learner:{ours.learner_id}", action="badge_shared")
    trail = office.overview.trail(ours.id, EventFilter(action="badge_shared"))
    assert trail.page.total == 2
    assert trail.names[f"learner:{ours.learner_id}"] == office.row(tables.Learner, ours.learner_id).name
    assert office.overview.trail(ours.id, EventFilter(actor="cli")).page.total == 3
    assert office.overview.trail(ours.id, EventFilter(since=NOW + timedelta(minutes=1))).page.total == 1
    assert office.overview.trail(ours.id, EventFilter(until=NOW)).page.total == 0
    assert office.overview.trail(office.theirs.id, EventFilter(action="thing_done")).page.total == 0


def test_the_choice_of_actors_stays_short_however_many_people_act(office: Office) -> None:
    ours = office.ours
    with office.database.write() as session:
        member = tables.StaffMember(organisation_id=ours.id, name="Ada", role="owner", created_at=NOW)
        session.add(member)
    staff = (f"staff:{member.id}", "cli", "job", "rule")
    for learner_id in factories.enrol(office.database, ours.course, 30):
        events(office, 1, actor=f"learner:{learner_id}")
    learner = f"learner:{learner_id}"
    assert office.overview.trail(ours.id, EventFilter()).actors == staff
    assert office.overview.trail(office.theirs.id, EventFilter()).actors == staff[1:]
    chosen = office.overview.trail(ours.id, EventFilter(actor=learner))
    assert chosen.actors == (*staff, learner)
    assert chosen.page.total == 1
    assert chosen.names[learner] == office.row(tables.Learner, learner_id).name


def test_a_download_has_every_event_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lti_tool.services.overview.AT_ONCE", 4)
    events(office, 13)
    subjects = [
        row.subject_id
        for row, _ in office.overview.trail_rows(office.ours.id, EventFilter(action="thing_done"))
    ]
    assert len(subjects) == 13
    assert set(subjects) == {f"thing-{number}" for number in range(13)}


# -- nobody else's


def test_ids_of_another_organisation_are_not_found(office: Office) -> None:
    ours, theirs = office.ours, office.theirs
    overview = office.overview
    attempts: dict[str, Callable[[], object]] = {
        "registration": lambda: overview.registration(ours.id, theirs.course.registration_id),
        "deployment": lambda: overview.deployment(ours.id, theirs.course.deployment_id),
        "course": lambda: overview.course(ours.id, theirs.course.context_id),
        "issuer": lambda: overview.issuer(ours.id, theirs.course.issuer_id),
        "micromodule": lambda: overview.micromodule(ours.id, theirs.micromodule_id),
        "category": lambda: overview.category(ours.id, theirs.category_id),
        "micromodules": lambda: overview.micromodules(ours.id, category_id=theirs.category_id),
        "holder": lambda: overview.holder(ours.id, theirs.learner_id),
        "credential": lambda: overview.credential(ours.id, theirs.credential_id),
    }
    for name, attempt in attempts.items():
        with pytest.raises(NotFound) as caught:
            attempt()
        assert caught.value.code is ErrorCode.NOT_FOUND, name


def test_lists_hold_nothing_of_another_organisation(office: Office) -> None:
    ours, theirs = office.ours, office.theirs
    shown = repr(
        (
            office.overview.registrations(ours.id),
            office.overview.courses(ours.id),
            office.overview.issuers(ours.id),
            office.overview.micromodules(ours.id),
            office.overview.categories(ours.id),
            office.overview.holders(ours.id, HolderFilter()),
            office.overview.trail(ours.id, EventFilter()),
            list(office.overview.trail_rows(ours.id, EventFilter())),
        )
    )
    for foreign in (
        theirs.course.registration_id,
        theirs.course.context_id,
        theirs.course.issuer_id,
        theirs.micromodule_id,
        theirs.category_id,
        theirs.learner_id,
        theirs.credential_id,
    ):
        assert foreign not in shown


def test_a_learners_name_reaches_no_other_organisations_log(small_office: Office) -> None:
    theirs = small_office.theirs
    events(small_office, 1, actor=f"learner:{theirs.learner_id}")
    trail = small_office.overview.trail(small_office.ours.id, EventFilter())
    assert trail.names.get(f"learner:{theirs.learner_id}") is None


# -- what a page costs


def test_pages_cost_the_same_however_much_they_show(office: Office) -> None:
    ours, overview = office.ours, office.overview
    pages: dict[str, tuple[int, Callable[[], object]]] = {
        "home": (2, lambda: overview.health(ours.id)),
        "registrations": (1, lambda: overview.registrations(ours.id)),
        "registration": (2, lambda: overview.registration(ours.id, ours.course.registration_id)),
        "courses": (2, lambda: overview.courses(ours.id)),
        "course": (5, lambda: overview.course(ours.id, ours.course.context_id)),
        "issuers": (1, lambda: overview.issuers(ours.id)),
        "issuer": (1, lambda: overview.issuer(ours.id, ours.course.issuer_id)),
        "micromodules": (3, lambda: overview.micromodules(ours.id)),
        "micromodule": (6, lambda: overview.micromodule(ours.id, ours.micromodule_id)),
        "categories": (1, lambda: overview.categories(ours.id)),
        "holders": (3, lambda: overview.holders(ours.id, HolderFilter("learner", ours.micromodule_id))),
        "holder": (4, lambda: overview.holder(ours.id, ours.learner_id)),
        "credential": (2, lambda: overview.credential(ours.id, ours.credential_id)),
        "audit": (5, lambda: overview.trail(ours.id, EventFilter())),
    }

    def statements() -> dict[str, int]:
        found = {}
        for name, (_, read) in pages.items():
            with office.database.statements() as asked:
                read()
            found[name] = len([one for one in asked if not one.startswith("BEGIN")])
        return found

    few = statements()
    _fill(office)
    assert statements() == few == {name: number for name, (number, _) in pages.items()}


def _fill(office: Office) -> None:
    """Much of everything."""
    ours = office.ours
    for course in factories.courses_beside(office.database, ours.course, 12):
        factories.placed(office.database, course)
    for _ in range(8):
        placed = factories.placed(office.database, ours.course)
        factories.grade(office.database, ours.course, placed, [ours.learner_id], 90)
        office.deployment(ours.course, "approved", organisation_id=ours.id)
    office.school.awarding.decide_context(ours.id, ours.course.context_id)
    for learner_id in factories.enrol(office.database, ours.course, 70):
        factories.award(office.database, ours.course, ours.placed, learner_id)
    for number in range(8):
        office.administering.add_category(ours.staff(), f"Category {number}")
    with office.database.write() as session:
        session.add(tables.Issuer(organisation_id=ours.id, name="Second issuer", created_at=NOW))
        for learner in session.scalars(sa.select(tables.Learner.id)).all():
            audit.record(
                session,
                ours.id,
                at=NOW,
                actor=f"learner:{learner}",
                action=f"did {learner[:4]}",
                subject_kind="thing",
                subject_id="1",
            )
