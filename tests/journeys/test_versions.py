"""The next version of a badge: published by a teacher or by staff, and what becomes of those who have it."""

from __future__ import annotations

from sqlalchemy import select

from lti_tool.store.tables import AchievementVersion, Award, Placement, VersionDraft
from tests.journeys.campus import TOOL_URL, Campus, credential_of
from tests.journeys.test_choosing import picker_of, post, version_ids
from tests.journeys.test_staff import owner_of
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.lms import Activity, Course, GradeItem


def prepare(person: Person, form: Page, **fields: str) -> Page:
    """Type the next version, and go on to the old beside the new."""
    return person.submit(form, fields, form="/version", button="compare")


def columns_of(campus: Campus, course: Course) -> list[GradeItem]:
    """The evidence columns that the tool made in a course."""
    items = campus.lms.gradebook.of_course(course.id)
    return [one for one in items if one.service is not None and one.service.tag in ("mirror", "attest")]


def next_version(campus: Campus, badge: Activity) -> tuple[Person, Page]:
    """The teacher, on the form of the next version."""
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(badge.id)
    return teacher, teacher.follow(page, "Next version")


def awards(campus: Campus) -> list[int]:
    """The numbers of the versions of all badges."""
    with campus.tool.database.read() as session:
        numbers = select(AchievementVersion.number).join(
            Award, Award.achievement_version_id == AchievementVersion.id
        )
        return sorted(session.scalars(numbers))


def test_a_teacher_publishes_the_next_version_and_a_holder_regains_the_badge(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 70)
    campus.take_quiz("carl", 95)
    campus.read_now()
    assert awards(campus) == [1, 1]
    old = credential_of(campus.open_wallet("ada", badge))

    # The form opens with what is published; the old stands beside the new, in words.
    teacher, form = next_version(campus, badge)
    assert "Version 2: Open Data Basics" in form.words
    review = prepare(teacher, form, **{"criteria-0-threshold": "90"})
    assert "60" in review.words
    assert "90" in review.words
    assert "2 badges of former versions" in review.words
    assert "until now" in str(review.form("/version/review").fields["whats_new"])

    # Without a word for holders nothing is published; the dry run names them and changes nothing.
    answer = {"policy": "now", "whats_new": ""}
    refused = teacher.submit(review, answer, form="/version/review", button="publish")
    assert (refused.status, "Please fill this in." in refused.words) == (422, True)
    answer["whats_new"] = "Ninety per cent are asked for now."
    dry = teacher.submit(refused, answer, form="/version/review", button="holders")
    assert "2 badges end as soon as you publish." in dry.words
    lines = {name: line for name in ("Ada", "Carl") if (line := _row(dry, name))}
    assert "does not meet it yet" in lines["Ada"]
    assert "meets it now" in lines["Carl"]
    assert awards(campus) == [1, 1]

    # Published: Carl has the new badge at once, beside the old one.
    review = teacher.follow(dry, "Back to what changes")
    done = teacher.submit(review, answer, form="/version/review", button="publish")
    assert done.status == 200
    campus.run_jobs()
    assert awards(campus) == [1, 1, 2]
    assert "has a new version" in campus.browser(campus.teacher).launch(badge.id).words

    # Ada's badge is over, and says so wherever it is shown; nothing was revoked.
    campus.pass_time(minutes=2)
    wallet = campus.open_wallet("ada", badge)
    assert "Ninety per cent are asked for now." in wallet.words
    assert "expired" in wallet.words.lower()
    assert "revoked" not in wallet.words.lower()

    # She meets the new version, and has a badge of it, which names the former.
    campus.take_quiz("ada", 92)
    campus.pass_time(minutes=10)
    campus.read_now()
    campus.pass_time(minutes=2)
    assert awards(campus) == [1, 1, 2, 2]
    wallet = campus.open_wallet("ada", badge)
    assert credential_of(wallet) != old
    assert wallet.words.count("Open Data Basics") >= 1


def _row(page: Page, name: str) -> str:
    rows = (" ".join(row.get_text(" ").split()) for row in page.soup.find_all("tr"))
    return next((row for row in rows if row.startswith(name)), "")


def test_where_another_course_has_it_the_teacher_is_sent_to_staff_who_publish_for_both(
    campus: Campus,
) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 70)
    campus.read_now()
    other = campus.another_course("other", "Another course")
    second = _place_again(campus, other)
    campus.publish(second)

    teacher, page = next_version(campus, badge)
    assert page.status == 403
    assert "Tell your organisation's staff" in page.words

    owner, home = owner_of(campus, "Open Learning")
    micromodule = owner.follow(owner.follow(home, "Micromodules"), "Open Data Basics")
    form = owner.follow(micromodule, "Prepare the next version")
    review = prepare(owner, form, **{"criteria-0-threshold": "90", "name": "Open Data for All"})
    assert "2 courses ask for the new rules at once." in review.words
    answer = {"policy": "keep", "whats_new": "Ninety per cent."}
    done = owner.submit(review, answer, form="/version/review", button="publish")
    assert "Version 2" in done.words
    campus.run_jobs()
    with campus.tool.database.read() as session:
        versions = set(session.scalars(select(Placement.micromodule_version_id)))
        assert len(versions) == 1
        assert session.scalars(select(VersionDraft)).all() == []
    assert "Ninety per cent." in teacher.launch(second.id).words
    # The columns of both courses are called as the badge is now, as soon as they are read.
    here, there = ({one.label for one in columns_of(campus, course)} for course in (campus.course, other))
    assert here == {"Quiz 1 · Open Data for All"}
    assert there <= here
    log = owner.follow(done, "Audit log")
    assert "Next version of a micromodule published" in log.words


def test_what_was_begun_before_a_correction_stands_beside_it_before_anybody_goes_on(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 70)
    campus.read_now()
    teacher, form = next_version(campus, badge)
    prepare(teacher, form, **{"criteria-0-threshold": "90"})

    # Meanwhile staff put the name right.
    owner, home = owner_of(campus, "Open Learning")
    micromodule = owner.follow(owner.follow(home, "Micromodules"), "Open Data Basics")
    correction = owner.follow(micromodule, "Correct a mistake")
    right = {"name": "Open Data, Basics"}
    asked = owner.submit(correction, right, form="/correct", button="Show what changes")
    owner.submit(asked, {"reason": "A comma."}, form="/correct", button="correct")
    campus.run_jobs()

    # The teacher's page from before is told so, with both names; nothing that was typed is lost.
    late = prepare(teacher, form, **{"criteria-0-threshold": "90"})
    assert late.status == 409
    cells = [cell.get_text(strip=True) for cell in late.soup.select("section:has(#beside) td")]
    assert {"Open Data, Basics", "Open Data Basics"} <= set(cells)
    again = teacher.launch(badge.id)
    form = teacher.follow(again, "Next version")
    assert "What is published was changed since this was begun" in form.words
    assert form.form("/version").fields["criteria-0-threshold"] == "90"

    # Whoever has seen both goes on, and the correction stays.
    review = prepare(teacher, form, name="Open Data, Basics")
    answer = {"policy": "keep", "whats_new": "Ninety per cent."}
    assert teacher.submit(review, answer, form="/version/review", button="publish").status == 200
    campus.run_jobs()
    with campus.tool.database.read() as session:
        assert set(session.scalars(select(AchievementVersion.name))) == {"Open Data, Basics"}


def test_publishing_twice_is_no_conflict(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    teacher, form = next_version(campus, badge)
    review = prepare(teacher, form, **{"criteria-0-threshold": "90"})
    for _press in range(2):
        done = teacher.submit(review, {"whats_new": "Ninety."}, form="/version/review", button="publish")
        assert done.status == 200
    with campus.tool.database.read() as session:
        assert sorted(session.scalars(select(AchievementVersion.number))) == [1, 2]


def test_a_list_from_before_the_next_version_places_none_of_the_former(campus: Campus) -> None:
    badge = campus.placed_badge()
    other = campus.another_course("MM2", "Another course", "ada")
    chooser, stale = picker_of(campus, other)
    (former,) = version_ids(campus, badge.name)
    editing = campus.browser(campus.teacher)
    in_a_page = campus.product == "canvas" and editing.deep_link(other, placement="editor_button")
    teacher, form = next_version(campus, badge)
    review = prepare(teacher, form, **{"criteria-0-threshold": "90"})
    teacher.submit(review, {"whats_new": "Ninety."}, form="/version/review", button="publish")

    for _press in range(2):
        refused = post(chooser, stale, micromodule_version_id=former)
        assert (refused.status, "Nothing was added." in refused.words) == (409, True)
    if in_a_page:
        shown = editing.submit(in_a_page, form="/picker", button="Picture and text")
        assert (shown.status, "Nothing was added." in shown.words) == (409, True)
    with campus.tool.database.read() as session:
        assert len(session.scalars(select(Placement.id)).all()) == 1

    # Back in the list it is the present one.
    listed = chooser.follow(refused, "/picker")
    present = [str(box["value"]) for box in listed.soup.find_all("input", attrs={"type": "checkbox"})]
    assert len(present) == 1
    assert present != [former]
    (link,) = chooser.save_selected(post(chooser, listed, micromodule_version_id=present))
    assert "Quiz 1: at least 90" in campus.open_wallet("ada", link).words


def _place_again(campus: Campus, course: Course) -> Activity:
    """The same badge in another course, chosen from the list."""
    teacher, page = picker_of(campus, course)
    answer = post(teacher, page, micromodule_version_id=version_ids(campus, "Open Data Basics"))
    (activity,) = teacher.save_selected(answer)
    return activity


def test_learners_neighbours_and_readers_publish_no_version(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    with campus.tool.database.read() as session:
        placement_id = session.scalars(select(Placement.id)).one()
    neighbour = campus.neighbour
    assert neighbour is not None
    theirs = neighbour.place_badge(name="Other")
    for one, link, user in (
        (campus, badge, campus.learner("ada")),
        (neighbour, theirs, neighbour.teacher),
    ):
        person = one.browser(user)
        page = person.launch(link.id)
        root = "/".join(page.url.split("/")[:5])
        address = f"{root}/course/placements/{placement_id}/version"
        for path in (address, f"{address}/review", f"{address}/holders"):
            assert person.get(path, page=page).status in (403, 404)
    owner, _home = owner_of(campus, "Open Learning")
    assert owner.get(f"{TOOL_URL}/staff/micromodules/{'0' * 32}/version").status == 404
    with campus.tool.database.read() as session:
        assert session.scalars(select(VersionDraft)).all() == []
