"""A pathway of three badges: built, refused where it goes round, walked by a learner, seen by all."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.journeys.campus import TOOL_URL, Campus, micromodule_fields
from tests.simulator.browser import CookiePolicy, Page
from tests.simulator.lms import Activity

FIRST, MIDDLE, LAST = "Data basics", "Caring for data", "Data steward"


def place(campus: Campus, name: str, label: str, *, kind: str = "", asks: str = "") -> Activity:
    """A draft that asks for a quiz, and for another badge or micromodule."""
    if not asks:
        return campus.place_badge(name=name, label=label)
    teacher = campus.browser(campus.teacher)
    form = teacher.to_form(teacher.deep_link(campus.course))
    typed = micromodule_fields(name, label, "60", campus.channel) | {"criteria-1-kind": kind}
    page = teacher.submit(form, typed, form="micromodules/new", button="place")
    choice = {"criteria-1-choice": option(page, asks)}
    answer = teacher.submit(page, choice, form="micromodules/new", button="place")
    (activity,) = teacher.save_selected(answer)
    return activity


def option(page: Page, name: str) -> str:
    """What the second rule's list of badges, or of micromodules, has under a name."""
    (found,) = [
        one
        for one in page.soup.select("select[name='criteria-1-choice'] option")
        if one.get_text(strip=True) == name
    ]
    return str(found["value"])


def built(campus: Campus) -> tuple[Activity, Activity, Activity]:
    """Three drafts: the second asks for the badge of the first, the third for the second to be finished."""
    first = place(campus, FIRST, "Quiz 1")
    middle = place(campus, MIDDLE, "Quiz 2", kind="holds", asks=FIRST)
    return first, middle, place(campus, LAST, "Quiz 2", kind="completed", asks=MIDDLE)


def published(campus: Campus) -> tuple[Campus, tuple[Activity, Activity, Activity]]:
    """The same in use; and the campus of the second quiz."""
    second = replace(
        campus, quiz=campus.lms.add_quiz(campus.course, "Quiz 2", id_number="quiz2", pass_grade=60)
    )
    activities = built(campus)
    for activity in activities:
        campus.set_up(activity)
    for column in campus.mirrors():
        campus.lms.set_formula(column, "=[[quiz2]]" if "Quiz 2" in str(column.label) else "=[[quiz1]]")
    for activity in activities:
        campus.publish(activity)
    return second, activities


def steps(page: Page) -> dict[str, str]:
    """Each step of a way, and what is said of it."""
    return {
        str(one.h3.get_text(strip=True)): " ".join(one.get_text(" ").split())
        for one in page.soup.select("ol.pathway > li")
        if one.h3 is not None
    }


def drawn(page: Page) -> list[str]:
    return [" ".join(one.get_text(" ").split()) for one in page.soup.select(".pathway-map .map-step")]


def way(campus: Campus, username: str, activity: Activity, *, cookies: CookiePolicy) -> Page:
    """A learner opens an activity, and follows the way to the last badge."""
    learner = campus.browser(campus.learner(username), cookies=cookies)
    wallet = learner.launch(activity.id)
    return learner.follow(wallet, f"The way to this badge : {LAST}")


def test_what_asks_for_itself_by_others_is_refused_with_all_of_them(campus: Campus) -> None:
    first, _middle, _last = built(campus)
    teacher = campus.browser(campus.teacher)
    page = teacher.launch(first.id)
    form = teacher.follow(page, f"Edit : {FIRST}")
    chosen = teacher.submit(form, {"criteria-1-kind": "completed"}, form="/edit", button="change")
    refused = teacher.submit(
        chosen, {"criteria-1-choice": option(chosen, LAST)}, form="/edit", button="change"
    )
    assert refused.status == 422
    said = refused.words.replace("\u2068", "").replace("\u2069", "")
    for one, next_one in ((FIRST, LAST), (LAST, MIDDLE), (MIDDLE, FIRST)):
        assert f"“{one}” asks for “{next_one}”" in said
    # Nothing was changed: what was typed is kept for whoever typed it, and the draft asks for what it did.
    shown = teacher.follow(teacher.launch(first.id), f"The way to this badge : {FIRST}")
    assert "Nothing has to be finished before it." in shown.words


@pytest.mark.parametrize("cookies", ["partitioned_only", "all"])
def test_a_learner_walks_the_way_and_sees_how_far(campus: Campus, cookies: CookiePolicy) -> None:
    second, (first, _middle, last) = published(campus)
    for username in ("ada", "bob"):
        campus.open_wallet(username, first)
    page = way(campus, "ada", last, cookies=cookies)
    assert "0 of 3 steps are done." in page.words
    said = steps(page)
    assert "You can start it" in said[FIRST]
    assert "Later" in said[MIDDLE]
    assert f"Missing: {FIRST} (the badge)" in said[MIDDLE]
    assert sorted(drawn(page)) == sorted(said), "the map and the list have the same steps"

    campus.take_quiz("ada", 85)
    campus.read_now()
    learner = campus.browser(campus.learner("ada"), cookies=cookies)
    wallet = learner.launch(first.id)
    (opens,) = wallet.soup.select("p.opens")
    assert " ".join(opens.get_text(" ").split()) == f"Opens: {MIDDLE}"
    page = learner.follow(wallet, f"The way to this badge : {LAST}")
    assert "1 of 3 steps are done." in page.words
    said = steps(page)
    assert "Done" in said[FIRST]
    assert "You can start it" in said[MIDDLE]
    assert f"Done: {FIRST} (the badge)" in said[MIDDLE]
    assert "Later" in said[LAST]
    # Nobody else's: Bob has done nothing, the teacher sees nobody's, the neighbours have no such badge.
    assert "0 of 3 steps are done." in way(campus, "bob", last, cookies=cookies).words
    teacher = campus.browser(campus.teacher, cookies=cookies)
    shown = teacher.follow(teacher.launch(last.id), f"The way to this badge : {LAST}")
    assert "It takes 3 steps." in shown.words
    assert list(steps(shown)) == [FIRST, MIDDLE, LAST]
    assert not shown.soup.select(".pill, .map-done, .map-open, .map-later")

    # The rest follows by itself once the second quiz is passed: the badge, and then what asks for it.
    second.take_quiz("ada", 90)
    campus.read_now()
    campus.pass_time(seconds=200)
    wallet = learner.launch(last.id)
    assert "You have earned 3 badges." in wallet.words
    assert not wallet.soup.select("p.opens"), "what is open already is in the wallet"


def test_where_no_cookie_survives_the_way_is_walked_all_the_same(canvas_campus: Campus) -> None:
    _second, (first, _middle, last) = published(canvas_campus)
    canvas_campus.open_wallet("ada", first)
    assert len(steps(way(canvas_campus, "ada", last, cookies="none"))) == 3


def test_everybody_reads_what_a_badge_asks_for_and_opens_and_nothing_of_anybody(
    sqlite_campus: Campus,
) -> None:
    campus = sqlite_campus
    _second, (first, _middle, last) = published(campus)
    campus.open_wallet("ada", first)
    page = way(campus, "ada", last, cookies="partitioned_only")
    (address,) = [
        str(link["href"])
        for link in page.soup.select("ol.pathway h3 a")
        if link.get_text(strip=True) == MIDDLE
    ]
    achievement_id = address.rpartition("/")[2]
    anybody = campus.browser(campus.teacher)
    public = anybody.get(f"{TOOL_URL}/achievements/{achievement_id}")
    (panel,) = public.soup.select("#pathway")
    words = " ".join(panel.get_text(" ").split())
    assert words == f"Pathway Its criteria name: {FIRST} It opens: {LAST}"
    assert "Ada" not in public.text

    assert campus.neighbour is not None
    theirs = campus.neighbour.placed_badge()
    stranger = campus.neighbour.browser(campus.neighbour.learner("ada"))
    wallet = stranger.launch(theirs.id)
    elsewhere = wallet.url.partition("/wallet")[0]
    assert stranger.get(f"{elsewhere}/wallet/path/{achievement_id}", page=wallet).status == 404
