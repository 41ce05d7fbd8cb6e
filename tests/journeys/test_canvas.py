"""What only a Canvas asks of the tool: its storage frame, its roles and variables, results that wait for a
score, small pages, storms, placements, and the developer key's own JSON."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from sqlalchemy import func, select

from lti_tool.store.tables import CallBudget, Credential, Learner, Membership, ResourceLink
from tests.journeys.campus import SECOND_URL, TOOL_URL, Campus, credential_of, row_of
from tests.simulator.browser import Page
from tests.simulator.canvas.lms import Canvas
from tests.simulator.lms import Role


def canvas(campus: Campus) -> Canvas:
    """The institution, by its own type."""
    assert isinstance(campus.lms, Canvas)
    return campus.lms


def roster(campus: Campus) -> int:
    """How many people the tool knows in the course."""
    with campus.tool.database.read() as session:
        return session.scalar(select(func.count()).select_from(Membership)) or 0


def paces(campus: Campus) -> set[float]:
    """At which part of its pace each platform is asked."""
    with campus.tool.database.read() as session:
        return set(session.scalars(select(CallBudget.pace)))


# -- launches


def test_a_launch_reaches_the_wallet_with_and_without_cookies(canvas_campus: Campus) -> None:
    """Without any cookie the secret of the login lies in Canvas's storage frame."""
    badge = canvas_campus.place_badge()
    for cookies in ("all", "partitioned_only", "none"):
        wallet = canvas_campus.open_wallet("ada", badge, cookies=cookies)
        assert wallet.status == 200
        assert wallet.url.startswith(TOOL_URL)
        assert "Quiz 1: at least 60" in wallet.words


def test_the_entry_in_the_courses_menu_is_the_wallet(canvas_campus: Campus) -> None:
    """A launch without a resource link: its id is the course's own."""
    badge = canvas_campus.placed_badge()
    canvas_campus.take_quiz("ada", 85)
    canvas_campus.open_wallet("ada", badge)
    path = f"/courses/{canvas_campus.course.id}/external_tools/{canvas_campus.lms_side.id}"

    wallet = canvas_campus.browser(canvas_campus.learner("ada")).open(path)

    assert wallet.status == 200
    assert credential_of(wallet)
    assert canvas_campus.browser(canvas_campus.teacher).open(path).status == 200


def acting_as(campus: Campus, badge_path: str) -> Page:
    """The administrator's browser after "Act as user"."""
    admin = campus.browser(campus.lms.admin)
    token = {"authenticity_token": admin.session.sesskey}
    course = admin.get(f"/courses/{campus.course.id}")
    form = course.form("student_view")
    target = f"{campus.lms.base_url}/users/{campus.learner('ada').id}/masquerade"
    admin.submit(course, form=type(form)(target, "POST", "", "", form.encoding, {**token}, ()))
    return admin.open(badge_path)


def viewing_as_student(campus: Campus, badge_path: str) -> Page:
    """The teacher's browser after "View as student"."""
    teacher = campus.browser(campus.teacher)
    teacher.submit(teacher.get(f"/courses/{campus.course.id}"), form="student_view")
    return teacher.open(badge_path)


@pytest.mark.parametrize("look", [acting_as, viewing_as_student])
def test_who_looks_as_somebody_else_sees_and_earns_nothing(
    canvas_campus: Campus, look: Callable[[Campus, str], Page]
) -> None:
    campus = canvas_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    path = campus.lms.opening_of_link(badge).host_page

    page = look(campus, path)
    assert page.status == 200
    assert "You are looking as somebody else" in page.words
    assert campus.holders() == []

    assert "You are looking as somebody else" not in campus.open_wallet("ada", badge).words
    assert campus.holders() == ["Ada Learner"]
    with pytest.raises(LookupError):
        look(campus, path).form("sharing")


def test_only_students_are_awarded(canvas_campus: Campus) -> None:
    """Assistants, designers, observers and the Test Student stand in the roster too."""
    campus, lms = canvas_campus, canvas(canvas_campus)
    badge = campus.placed_badge()
    lms.test_student(campus.course)
    for name, role in (("dana", Role.DESIGNER), ("olga", Role.OBSERVER)):
        lms.enrol(lms.add_user(name, name.title(), role.title()), campus.course, role)
    campus.take_quiz("ada", 85)
    (column,) = campus.evidence()
    for user in lms.members(campus.course):
        lms.set_grade(user, column, 100)

    campus.pass_time(seconds=200)

    assert roster(campus) == 6
    assert campus.holders() == ["Ada Learner"]
    opened = {lms.users[user_id].name for _, user_id in lms.results}
    assert opened == {"Ada Learner"}, "nobody else's results were touched"
    page = campus.browser(campus.tutor).launch(badge.id)
    assert "Earned" in row_of(page, "Ada Learner")


# -- columns


def test_the_tool_opens_results_once_without_an_attempt_and_without_a_grade(canvas_campus: Campus) -> None:
    campus, lms = canvas_campus, canvas(canvas_campus)
    badge = campus.placed_badge()
    for name in ("ada", "bob"):
        campus.learner(name)
    campus.read_now()
    (column,) = campus.evidence()
    assert {user_id for _, user_id in lms.results} == {campus.people["ada"].id, campus.people["bob"].id}
    assert lms.attempts == {}
    assert lms.gradebook.rows(column) == []

    lms.set_grade(campus.people["ada"], column, 85)
    for _ in range(2):
        campus.clock.move(minutes=5)
        campus.read_now()
    assert credential_of(campus.open_wallet("ada", badge))
    assert lms.gradebook.final(column, campus.people["ada"].id) == 85
    opened = [path for method, path, _ in lms.requests if method == "POST" and path.endswith("/scores")]
    assert len([path for path in opened if f"/{column.id}/" in path]) == 2
    assert lms.attempts == {}


def test_a_grade_typed_before_the_tool_came_stays_and_arrives_when_it_changes(canvas_campus: Campus) -> None:
    """Canvas lists no grade that is older than the tool's first word (platforms/canvas.py)."""
    campus, lms = canvas_campus, canvas(canvas_campus)
    badge = campus.placed_badge()
    (column,) = campus.evidence()
    lms.set_grade(campus.learner("ada"), column, 85)

    assert "no grade yet" in campus.open_wallet("ada", badge).words
    campus.read_now()
    assert lms.gradebook.final(column, campus.people["ada"].id) == 85
    assert campus.holders() == []

    lms.set_grade(campus.people["ada"], column, 86)
    assert credential_of(campus.open_wallet("ada", badge))


def test_a_key_that_may_write_no_scores_is_told_to_the_teacher(canvas_campus: Campus) -> None:
    """No result could ever be opened, so no grade would ever arrive."""
    campus = canvas_campus
    scopes = [scope for scope in campus.lms_side.scopes if not scope.endswith("/score")]
    campus.lms_side.key_scopes = tuple(scopes)
    badge = campus.place_badge()
    campus.learner("ada")
    teacher = campus.browser(campus.teacher)
    teacher.submit(teacher.launch(badge.id), form="/columns")
    campus.run_jobs()
    campus.pass_time(seconds=120)

    assert canvas(campus).results == {}
    assert "platform_scope_missing" in teacher.launch(badge.id).words


# -- pages and storms


def test_a_roster_of_many_small_pages_is_read_to_its_end(canvas_campus: Campus) -> None:
    """Fifty a page, and cursors in which capitals matter."""
    campus = canvas_campus
    campus.placed_badge()
    campus.run_jobs()
    for number in range(120):
        user = campus.lms.add_user(f"many{number}", "Given", f"Family {number}")
        campus.lms.enrol(user, campus.course)
    campus.lms.requests.clear()

    campus.read_now()

    assert roster(campus) == 122
    pages = [path for _, path, status in campus.lms.requests if "names_and_roles" in path and status == 200]
    assert len(pages) == 3
    (column,) = campus.evidence()
    assert len([row for row in canvas(campus).results.values() if row.item_id == column.id]) == 120


@pytest.mark.parametrize("status", [429, 403])
def test_a_storm_passes_and_nobody_is_lost(canvas_campus: Campus, status: int) -> None:
    campus = canvas_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.lms.chaos.switch_on("rate_limit", value=status)
    page = campus.open_wallet("ada", badge)
    assert page.status == 200
    assert campus.holders() == []

    campus.lms.chaos.calm()
    campus.pass_time(minutes=5)

    assert campus.holders() == ["Ada Learner"]


def test_a_concluded_course_takes_nothing_away(canvas_campus: Campus) -> None:
    campus = canvas_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    canvas(campus).concluded.add(campus.course.id)

    campus.pass_time(minutes=5)

    wallet = campus.open_wallet("ada", badge)
    assert credential_of(wallet)
    assert campus.holders() == ["Ada Learner"]
    words = campus.browser(campus.teacher).launch(badge.id).words
    assert "column_missing" in words
    assert "or the course has ended there" in words, "nobody deleted anything"


def test_a_warning_is_heeded_before_anything_is_refused(canvas_campus: Campus) -> None:
    """Every answer says what is left of the bucket; half the pace, and nobody is lost."""
    campus = canvas_campus
    campus.placed_badge()
    for name in ("ada", "bob", "cyd"):
        campus.take_quiz(name, 85)
    assert paces(campus) == {1}

    campus.clock.move(minutes=5)
    canvas(campus).call_cost = 160
    campus.read_now()
    assert min(paces(campus)) == 0.5
    campus.pass_time(minutes=5)

    assert campus.holders() == ["Ada Learner", "Bob Learner", "Cyd Learner"]
    assert {status for _, path, status in campus.lms.requests if "/api/lti/courses" in path} <= {200, 201}


# -- addresses


def test_links_in_one_page_are_told_apart(canvas_campus: Campus) -> None:
    """Both are launched with the course's id for a resource link."""
    campus = canvas_campus
    teacher = campus.browser(campus.teacher)
    badges = []
    for label in ("Quiz 1", "Quiz 2"):
        picker = teacher.deep_link(campus.course, placement="editor_button")
        form = teacher.to_form(picker)
        typed = campus.form_fields() | {"name": f"Badge of {label}", "criteria-0-label": label}
        answer = teacher.submit(form, typed, form="micromodules/new", button="place")
        badges += teacher.save_selected(answer)

    for badge in badges:
        campus.open_wallet("ada", badge)
    with campus.tool.database.read() as session:
        links = session.execute(select(ResourceLink.id_on_platform, ResourceLink.badge_link_key)).all()
    assert len({name for name, _ in links}) == len({key for _, key in links}) == 2

    for badge in badges:
        campus.set_up(badge)
        campus.publish(badge)
        campus.open_wallet("ada", badge)
    campus.take_quiz("ada", 85)
    for badge in badges:
        assert credential_of(campus.open_wallet("ada", badge))
    assert campus.holders() == ["Ada Learner"], "the badge of one quiz, not of both"


def test_the_institutions_other_domain_changes_nothing(canvas_campus: Campus) -> None:
    """The host of a column's address follows the account's domain: no second column, and no badge lost."""
    campus, lms = canvas_campus, canvas(canvas_campus)
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    assert credential_of(campus.open_wallet("ada", badge))
    columns = len(lms.gradebook.of_course(campus.course.id))

    lms.service_base_url = SECOND_URL
    campus.take_quiz("bob", 90)
    assert credential_of(campus.open_wallet("bob", badge))
    another = campus.place_badge(label="Quiz 2", name="Another badge")
    campus.set_up(another)
    campus.publish(another)
    campus.pass_time(minutes=5)

    labels = [item.label for item in lms.gradebook.of_course(campus.course.id)]
    assert len(labels) == columns + 2, labels
    assert campus.holders() == ["Ada Learner", "Bob Learner"]
    award = lms.item_of(badge)
    assert award is not None
    assert [lms.gradebook.final(award, campus.people[name].id) for name in ("ada", "bob")] == [1, 1]
    assert {status for _, path, status in lms.requests if "/api/lti/courses" in path} <= {200, 201}


# -- placements and the developer key


@pytest.mark.parametrize("placement", ["assignment_selection", "link_selection", "editor_button"])
def test_a_badge_is_placed_wherever_the_configuration_offers_it(
    canvas_campus: Campus, placement: str
) -> None:
    campus = canvas_campus
    teacher = campus.browser(campus.teacher)
    picker = teacher.deep_link(campus.course, placement=placement)
    form = teacher.to_form(picker)
    answer = teacher.submit(form, campus.form_fields(), form="micromodules/new", button="place")
    (badge,) = teacher.save_selected(answer)

    assert (campus.lms.item_of(badge) is not None) == (placement == "assignment_selection")
    assert "Quiz 1: at least 60" in campus.open_wallet("ada", badge).words


def test_the_json_of_the_page_makes_a_key_that_works(canvas_campus: Campus) -> None:
    """Held until a person approves the deployment; then everything the key allows is enough for a badge."""
    campus, lms = canvas_campus, canvas(canvas_campus)
    answer = campus.app.test_client().get("/lti/canvas.json", base_url=TOOL_URL)
    side = lms.install(json.loads(answer.get_data()))
    registration = campus.tool.registrations.add(
        **lms.endpoints,
        client_id=side.client_id,
        product="canvas",
        organisation="Third College",
        approve=True,
    )
    teacher = campus.browser(campus.teacher)
    held = teacher.deep_link(campus.course, tool=side)
    assert held.status == 403
    campus.tool.registrations.approve_deployment(registration.id, lms.deployment_id(side), "Third College")

    picker = teacher.deep_link(campus.course, tool=side)
    form = teacher.to_form(picker)
    answer_page = teacher.submit(form, campus.form_fields(), form="micromodules/new", button="place")
    (badge,) = teacher.save_selected(answer_page)
    campus.set_up(badge)
    campus.publish(badge)
    campus.take_quiz("ada", 85)

    assert credential_of(campus.open_wallet("ada", badge))


# -- two institutions


def test_two_institutions_of_one_cloud_stay_apart(canvas_campus: Campus) -> None:
    """One issuer, one client_id, the same ids for people and courses: nothing crosses over."""
    here, there = canvas_campus, canvas_campus.neighbour
    assert there is not None
    badges = {}
    for campus in (here, there):
        badges[campus.lms.base_url] = campus.placed_badge()
    here.take_quiz("ada", 85)
    there.take_quiz("ada", 40)
    ours, theirs = canvas(here), canvas(there)
    assert ours.sub(here.people["ada"]) == theirs.sub(there.people["ada"])
    assert ours.context_id(here.course) == theirs.context_id(there.course)
    assert here.lms_side.client_id == there.lms_side.client_id
    assert ours.endpoints["issuer"] == theirs.endpoints["issuer"]

    for campus in (here, there):
        campus.read_now()
    wallet = here.open_wallet("ada", badges[ours.base_url])
    other = there.open_wallet("ada", badges[theirs.base_url])

    assert credential_of(wallet)
    assert "40 of 100 points, 20 points more are needed" in other.words
    with pytest.raises(LookupError):
        other.form("sharing")
    with here.tool.database.read() as session:
        holders = session.execute(select(Credential.organisation_id)).scalars().all()
        learners = session.execute(
            select(func.count(Learner.id)).where(Learner.sub == ours.sub(here.people["ada"]))
        ).scalar_one()
    assert len(holders) == 1
    assert learners == 2, "one person to each institution"
    for campus in (here, there):
        page = campus.browser(campus.teacher).launch(badges[campus.lms.base_url].id)
        assert ("Earned" in row_of(page, "Ada Learner")) == (campus is here)
        assert {status for _, path, status in campus.lms.requests if "/api/lti/" in path} <= {200, 201, 302}
        asked = [path for _, path, _ in campus.lms.requests if path == campus.lms.token_path]
        assert asked, "each institution's own endpoint gave the token"
