"""Copies of courses: made once, within one organisation, and only as drafts."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lti_tool.domain.copies import Doubt
from lti_tool.domain.identity import CourseContext, DeepLinkingSettings, Launch, LinkOnPlatform, PlatformUser
from lti_tool.domain.roles import rights_of
from lti_tool.errors import ErrorCode, NotAllowed, NotFound
from lti_tool.services.choosing import read_picker
from lti_tool.services.copying import MOST_BADGES, Copying, CopyOutcome
from lti_tool.services.launching import SessionView
from lti_tool.services.publishing import Publishing
from lti_tool.store import bindings, copies, micromodules, placements, resets, tables
from tests import factories
from tests.factories import Course, Placed
from tests.integration.services.school import School, session_of

INSTRUCTOR = "http://purl.imsglobal.org/vocab/lis/v2/membership#Instructor"


@dataclass
class Looked:
    """Whoever looks for columns on the platform."""

    asked: list[str] = field(default_factory=list)

    def adopt(self, organisation_id: str, context_id: str, /) -> int:
        self.asked.append(context_id)
        return 0


@dataclass
class Copies:
    """A school whose course was copied."""

    school: School
    looked: Looked = field(default_factory=Looked)

    def __post_init__(self) -> None:
        self.course = self.school.course()
        self.placed = factories.placed(self.school.database, self.course)
        (self.copy,) = factories.courses_beside(self.school.database, self.course, 1)
        (self.teacher_id,) = factories.enrol(self.school.database, self.copy)

    @property
    def service(self) -> Copying:
        return Copying(self.school.database, self.school.clock, self.looked)

    def session(self, course: Course | None = None, **changes: Any) -> SessionView:
        values = {
            "can_configure": True,
            "can_view_progress": True,
            "is_learner": False,
            "is_copied_link": True,
        }
        return session_of(course or self.copy, self.teacher_id, **(values | changes))

    def name_of(self, course: Course) -> str:
        (row,) = self.school.rows(tables.Context, tables.Context.id == course.context_id)
        return str(row.id_on_platform)

    def launch(self, key: str | None = None, course: Course | None = None, **custom: str) -> Launch:
        where = course or self.copy
        return Launch(
            registration_id=where.registration_id,
            issuer=where.platform_issuer,
            client_id="client",
            product="moodle",
            deployment_id="1",
            message_type="LtiResourceLinkRequest",
            user=PlatformUser("9"),
            rights=rights_of([INSTRUCTOR]),
            roles=(INSTRUCTOR,),
            nonce="n",
            issued_at=factories.NOW,
            expires_at=factories.NOW + timedelta(seconds=60),
            target_link_uri="https://badges.example/lti/launch",
            context=CourseContext(self.name_of(where)),
            link=LinkOnPlatform("link", "Badge"),
            custom={"badge_link_key": key or self.placed.badge_link_key, **custom},
        )

    def note(self, *, session: SessionView | None = None, launch: Launch | None = None) -> bool:
        return self.service.note_launch(
            session or self.session(), launch or self.launch(), has_placements=False
        )

    def placed_in(self, course: Course | None = None) -> list[Any]:
        where = (course or self.copy).context_id
        return list(self.school.rows(tables.Placement, tables.Placement.context_id == where))


@pytest.fixture
def made(school: School) -> Copies:
    return Copies(school)


@pytest.fixture
def small(small_school: School) -> Copies:
    return Copies(small_school)


def test_a_copy_is_a_draft_with_its_columns_and_gates_still_to_be_found(made: Copies) -> None:
    factories.gate(made.school.database, made.course, made.placed, "forum", link_key="gate-key")
    assert made.note()
    (copy,) = made.placed_in()
    assert (copy.status, copy.copied_from_id, copy.confirmed_at) == ("draft", made.placed.placement_id, None)
    assert copy.micromodule_version_id == made.placed.micromodule_version_id
    (column,) = made.school.rows(tables.LineItem, tables.LineItem.placement_id == copy.id)
    assert (column.tag, column.evidence_key, column.id_on_platform) == ("mirror", "quiz", None)
    (gate,) = made.school.rows(tables.Gate, tables.Gate.placement_id == copy.id)
    assert (gate.link_key, gate.state, gate.resource_link_id) == ("gate-key", "waiting", None)
    assert made.looked.asked == [made.copy.context_id]
    (context,) = made.school.rows(tables.Context, tables.Context.id == made.copy.context_id)
    assert context.copied_at is not None
    assert context.origin_context_id is None, "the platform said nothing of the course"


def test_a_history_that_names_the_course_brings_all_its_badges(made: Copies) -> None:
    factories.placed(made.school.database, made.course)
    factories.placed(made.school.database, made.course, status="removed")
    draft = factories.placed(made.school.database, made.course, status="draft")
    assert made.note(launch=made.launch(context_history=made.name_of(made.course)))
    copied = {one.copied_from_id for one in made.placed_in()}
    assert len(copied) == 3
    assert draft.placement_id in copied
    (context,) = made.school.rows(tables.Context, tables.Context.id == made.copy.context_id)
    assert context.origin_context_id == made.course.context_id


def test_a_launch_of_the_gate_brings_its_badge(made: Copies) -> None:
    factories.gate(made.school.database, made.course, made.placed, "forum", link_key="gate-key")
    assert made.note(launch=made.launch("gate-key"))
    assert [one.badge_link_key for one in made.placed_in()] == [made.placed.badge_link_key]


def test_many_launches_at_once_make_one_copy(made: Copies) -> None:
    launch = made.launch(context_history=made.name_of(made.course))
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: made.note(launch=launch), range(6)))
    assert results.count(True) == 1
    (copy,) = made.placed_in()
    assert len(made.school.rows(tables.LineItem, tables.LineItem.placement_id == copy.id)) == 1


def test_a_course_of_a_thousand_links_brings_so_many_and_no_more(small: Copies) -> None:
    with small.school.database.write() as session:
        (version_id,) = session.scalars(
            sa.select(tables.Placement.micromodule_version_id).where(
                tables.Placement.id == small.placed.placement_id
            )
        )
        session.add_all(
            tables.Placement(
                organisation_id=small.course.organisation_id,
                context_id=small.course.context_id,
                badge_link_key=f"bomb-{number}",
                micromodule_version_id=version_id,
                status="active",
                created_at=factories.NOW,
            )
            for number in range(1_000)
        )
    assert small.note(launch=small.launch("bomb-999", context_history=small.name_of(small.course)))
    keys = {one.badge_link_key for one in small.placed_in()}
    assert "bomb-999" in keys, "what was opened is there"
    assert len(keys) <= MOST_BADGES + 1


@pytest.mark.parametrize("changes", [{"can_configure": False}, {"is_read_only": True}, {"context_id": None}])
def test_who_may_not_configure_copies_nothing(small: Copies, changes: dict[str, Any]) -> None:
    assert not small.note(session=small.session(**changes))
    assert small.placed_in() == []
    for call in (
        lambda session: small.service.view(session),
        lambda session: small.service.confirm(session, [], []),
        lambda session: small.service.take_over_link(session),
        lambda session: small.service.acknowledge_reset(session),
    ):
        with pytest.raises(NotAllowed):
            call(small.session(**changes))


def test_nothing_of_another_organisation_is_found_copied_or_named(made: Copies) -> None:
    theirs = made.school.course()
    stolen = factories.placed(made.school.database, theirs)
    launch = made.launch(stolen.badge_link_key, context_history=made.name_of(theirs), link_history="x,y")
    assert not made.note(launch=launch)
    assert made.placed_in() == []
    key = stolen.badge_link_key
    link_id = link_of(made, made.copy, key)
    view = made.service.view(made.session(resource_link_id=link_id))
    assert (view.badges, view.question) == ((), None)
    with pytest.raises(NotFound) as raised:
        made.service.take_over_link(made.session(resource_link_id=link_id))
    assert raised.value.code is ErrorCode.PLACEMENT_NOT_FOUND
    outcome = made.service.note_copy(made.copy.deployment_id, made.name_of(made.copy), [made.name_of(theirs)])
    assert outcome is CopyOutcome.NOTHING_NEW


def link_of(made: Copies, course: Course, key: str) -> str:
    with made.school.database.write() as session:
        row = tables.ResourceLink(
            organisation_id=course.organisation_id,
            context_id=course.context_id,
            id_on_platform=f"link of {key}",
            badge_link_key=key,
            role="badge",
            created_at=factories.NOW,
        )
        session.add(row)
    return row.id


def in_the_same_organisation(made: Copies) -> tuple[Course, Placed]:
    """A course on another LMS of the organisation."""
    other = made.school.course()
    placed = factories.placed(made.school.database, other)
    for table in (
        tables.Context,
        tables.Deployment,
        tables.Placement,
        tables.LineItem,
        tables.Micromodule,
        tables.MicromoduleVersion,
    ):
        made.school.change(
            table, table.organisation_id == other.organisation_id, organisation_id=made.course.organisation_id
        )
    return replace(other, organisation_id=made.course.organisation_id), placed


def test_another_lms_of_the_organisation_is_asked_about_first(made: Copies) -> None:
    _other, theirs = in_the_same_organisation(made)
    assert not made.note(launch=made.launch(theirs.badge_link_key))
    link_id = link_of(made, made.copy, theirs.badge_link_key)
    session = made.session(resource_link_id=link_id)
    question = made.service.view(session).question
    assert question is not None
    assert question.doubt is Doubt.OTHER_PLATFORM
    made.service.take_over_link(session)
    made.service.take_over_link(session)
    assert [one.copied_from_id for one in made.placed_in()] == [theirs.placement_id]


def test_a_history_of_other_courses_and_a_removed_badge_are_asked_about_first(made: Copies) -> None:
    assert not made.note(launch=made.launch(context_history="4711,4712"))
    made.school.change(tables.Placement, tables.Placement.id == made.placed.placement_id, status="removed")
    assert not made.note()
    link_id = link_of(made, made.copy, made.placed.badge_link_key)
    question = made.service.view(made.session(resource_link_id=link_id)).question
    assert question is not None
    assert question.doubt is Doubt.REMOVED


@pytest.mark.parametrize("history", ["truncated", "4711,truncated"])
def test_a_history_that_was_cut_off_contradicts_nothing(small: Copies, history: str) -> None:
    assert small.note(launch=small.launch(context_history=history))


def test_a_link_history_speaks_for_a_course_of_which_the_context_history_does_not(small: Copies) -> None:
    link_of(small, small.course, small.placed.badge_link_key)
    launch = small.launch(context_history="4711", link_history=f"link of {small.placed.badge_link_key}")
    assert small.note(launch=launch)


def test_what_was_archived_is_copied_nowhere(small: Copies) -> None:
    small.school.change(tables.Micromodule, archived_at=factories.NOW)
    assert not small.note()
    link_id = link_of(small, small.copy, small.placed.badge_link_key)
    view = small.service.view(small.session(resource_link_id=link_id))
    assert (view.question, view.is_gone) == (None, True)


def test_a_copy_stays_when_the_course_it_came_from_is_gone(small: Copies) -> None:
    assert small.note()
    with small.school.database.write() as session:
        session.execute(sa.delete(tables.Context).where(tables.Context.id == small.course.context_id))
    (copy,) = small.placed_in()
    assert (copy.status, copy.copied_from_id) == ("draft", None)


def test_a_notice_copies_into_a_course_that_nobody_has_launched_from(made: Copies) -> None:
    told = (made.course.deployment_id, "brand new", [made.name_of(made.course)])
    assert made.service.note_copy(*told) is CopyOutcome.COPIED
    assert made.service.note_copy(*told) is CopyOutcome.NOTHING_NEW
    (context,) = made.school.rows(tables.Context, tables.Context.id_on_platform == "brand new")
    assert context.origin_context_id == made.course.context_id
    copied = made.school.rows(tables.Placement, tables.Placement.context_id == context.id)
    assert [one.status for one in copied] == ["draft"]


def test_a_notice_of_courses_without_badges_leaves_nothing(small: Copies) -> None:
    """A platform tells of every course that is copied, whether or not it has to do with badges."""
    empty = small.name_of(small.copy)
    told = (small.course.deployment_id, "brand new", [empty, "never seen"])
    assert small.service.note_copy(*told) is CopyOutcome.NOTHING_NEW
    assert small.school.rows(tables.Context, tables.Context.id_on_platform == "brand new") == []


def test_a_notice_of_a_deployment_that_is_not_approved_is_nothing(small: Copies) -> None:
    small.school.change(tables.Deployment, status="disabled")
    told = (small.course.deployment_id, "brand new", [small.name_of(small.course)])
    assert small.service.note_copy(*told) is CopyOutcome.UNKNOWN
    assert small.school.rows(tables.Context, tables.Context.id_on_platform == "brand new") == []


def test_what_is_not_ticked_is_left_behind_and_what_was_published_stays(made: Copies) -> None:
    second = factories.placed(made.school.database, made.course)
    made.note(launch=made.launch(context_history=made.name_of(made.course)))
    first_copy = next(one for one in made.placed_in() if one.copied_from_id == made.placed.placement_id)
    shown = [one.id for one in made.placed_in()]
    assert made.service.confirm(made.session(), [first_copy.id, made.placed.placement_id], shown) == 1
    by_origin = {one.copied_from_id: one for one in made.placed_in()}
    assert by_origin[made.placed.placement_id].confirmed_at is not None
    assert by_origin[second.placement_id].status == "removed"
    (original,) = made.school.rows(tables.Placement, tables.Placement.id == made.placed.placement_id)
    assert (original.status, original.confirmed_at) == ("active", None), "of another course"


def test_what_came_while_the_page_stood_open_is_not_left_behind(made: Copies) -> None:
    """A second link is opened, or a notice arrives, between the page and its answer."""
    later = factories.placed(made.school.database, made.course)
    made.note()
    (shown,) = (badge.placement_id for badge in made.service.view(made.session()).badges)
    made.note(launch=made.launch(later.badge_link_key))
    made.service.confirm(made.session(), [shown], [shown])
    by_origin = {one.copied_from_id: one for one in made.placed_in()}
    assert by_origin[made.placed.placement_id].confirmed_at is not None
    assert (by_origin[later.placement_id].status, by_origin[later.placement_id].confirmed_at) == (
        "draft",
        None,
    )


def test_a_draft_can_be_changed_until_its_copy_was_taken_over(made: Copies) -> None:
    draft = factories.placed(made.school.database, made.course, status="draft")
    made.note(launch=made.launch(draft.badge_link_key))
    (copy,) = made.placed_in()

    def is_bound() -> bool:
        with made.school.database.read() as session:
            organisation_id = made.course.organisation_id
            view = bindings.placed(session, organisation_id, made.course.context_id, draft.placement_id)
            assert view is not None
            return bindings.bindings(session, organisation_id, view).is_placed_elsewhere

    assert not is_bound()
    with made.school.database.write() as session:
        copies.drop_unconfirmed(
            session,
            made.course.organisation_id,
            draft.micromodule_version_id,
            apart_from=draft.placement_id,
        )
    assert made.placed_in() == []
    made.note(launch=made.launch(draft.badge_link_key))
    (copy,) = made.placed_in()
    made.service.confirm(made.session(), [copy.id], [copy.id])
    assert is_bound()


class Undecided:
    """Whoever decides after a badge was published."""

    def decide(self, *_arguments: object) -> None:
        raise AssertionError("published")


@pytest.mark.parametrize("does", ["confirm", "publish"])
def test_nobody_takes_over_or_publishes_what_is_being_changed(made: Copies, does: str) -> None:
    """The draft that it was copied from: it would be taken over with criteria that nobody saw."""
    if made.school.database.dialect != "postgresql":
        pytest.skip("SQLite has one writer")
    draft = factories.placed(made.school.database, made.course, status="draft")
    made.note(launch=made.launch(draft.badge_link_key))
    (copy,) = made.placed_in()
    publishing = Publishing(made.school.database, made.school.clock, made.school.hints, Undecided())

    def act() -> object:
        if does == "confirm":
            return made.service.confirm(made.session(), [copy.id], [copy.id])
        return publishing.publish(made.session(), copy.id)

    organisation_id, version_id = made.copy.organisation_id, draft.micromodule_version_id
    with ThreadPoolExecutor(1) as pool:
        with made.school.database.write() as changing:
            bindings.lock_version(changing, organisation_id, version_id)
            acting = pool.submit(act)
            wait([acting], timeout=1.0)  # whoever waits for nobody is through by then
            copies.drop_unconfirmed(changing, organisation_id, version_id, apart_from=draft.placement_id)
        if does == "confirm":
            assert acting.result() == 0
        else:
            with pytest.raises(NotFound):
                acting.result()
    assert made.placed_in() == []


def test_learners_see_a_copied_badge_once_its_link_is_known_to_be_there(made: Copies) -> None:
    made.note(launch=made.launch(context_history=made.name_of(made.course)))

    def shown() -> int:
        with made.school.database.read() as session:
            where = (made.copy.organisation_id, made.copy.context_id)
            return len(placements.placements(session, *where, active_only=False))

    assert shown() == 0
    link_of(made, made.copy, made.placed.badge_link_key)
    assert shown() == 1


def test_the_picker_knows_what_came_with_the_copy(small: Copies) -> None:
    """A whole category would place each of them a second time, with a second column."""
    with small.school.database.write() as session:
        version_id = small.placed.micromodule_version_id
        micromodule_id = session.scalars(
            sa.select(tables.MicromoduleVersion.micromodule_id).where(
                tables.MicromoduleVersion.id == version_id
            )
        ).one()
        micromodules.put_in_category(
            session, small.course.organisation_id, micromodule_id, "Open Data", "cli", factories.NOW
        )
    settings = DeepLinkingSettings(
        return_url="https://lms.example/return",
        accept_types=("ltiResourceLink",),
        accept_multiple=True,
        accept_line_item=True,
        data=None,
    )

    def offered() -> tuple[bool, tuple[str, ...]]:
        with small.school.database.read() as session:
            view = read_picker(session, small.session(), settings)
        (category,) = view.categories
        (one,) = view.micromodules
        return one.is_draft_here, category.missing

    assert offered() == (False, (version_id,))
    small.note()
    assert offered() == (True, ())


def test_a_reset_is_told_until_somebody_has_seen_it(small: Copies) -> None:
    with small.school.database.write() as session:
        where = (small.copy.organisation_id, small.copy.context_id)
        assert resets.note_reset(session, *where, factories.NOW)
        assert not resets.note_reset(session, *where, factories.NOW + timedelta(days=1))
    assert small.service.state(small.session()).emptied_at == factories.NOW
    small.service.acknowledge_reset(small.session())
    small.service.acknowledge_reset(small.session())
    assert small.service.state(small.session()).emptied_at is None
