"""One person in a Moodle and a Canvas: joined by a code of their own, counted once, and separated again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.databases import fresh_database_url
from tests.journeys.campus import CLOUD_URL, LMS_URL, NEIGHBOUR_URL, Campus, Clock, Product, connect
from tests.journeys.conftest import BOTH_PRODUCTS
from tests.journeys.test_staff import owner_of
from tests.simulator.browser import Page
from tests.simulator.canvas.lms import Canvas, Cloud
from tests.simulator.client import Person
from tests.simulator.lms import Activity
from tests.simulator.moodle.lms import Moodle

ACCOUNTS = "Your accounts in other learning platforms"
Both = tuple[Campus, Campus]


@pytest.fixture(params=BOTH_PRODUCTS)
def both(request: pytest.FixtureRequest, database_kind: str, tmp_path: Path) -> Iterator[Both]:
    """Two LMSs of one organisation; the code is taken in the first, once a Moodle, once a Canvas."""
    with (
        fresh_database_url(database_kind, request, tmp_path) as url,
        two_platforms(url, tmp_path, request.param) as campuses,
    ):
        yield campuses[0], campuses[1]


def two_platforms(url: str, folder: Path, first: Product) -> AbstractContextManager[list[Campus]]:
    clock = Clock()
    moodle = Moodle(LMS_URL, clock=clock)
    canvas = Canvas(NEIGHBOUR_URL, Cloud(CLOUD_URL, clock=clock), clock=clock)
    sites: list[tuple[Moodle | Canvas, str]] = [(moodle, "Open Learning"), (canvas, "Open Learning")]
    return connect(url, folder / "data", clock, sites if first == "moodle" else sites[::-1])


def accounts(campus: Campus, username: str, activity: Activity) -> tuple[Person, Page]:
    """Somebody's page of their accounts."""
    person = campus.browser(campus.learner(username))
    return person, person.follow(person.launch(activity.id), ACCOUNTS)


def code_on(page: Page) -> str:
    shown = page.soup.select_one("#code")
    assert shown is not None
    return str(shown["value"])


def earned_on(campus: Campus, username: str, score: float, activity: Activity) -> None:
    campus.open_wallet(username, activity)
    campus.take_quiz(username, score)
    campus.open_wallet(username, activity)
    campus.read_now()
    campus.run_jobs()


def test_a_person_joins_two_accounts_and_what_they_completed_counts_together(both: Both) -> None:
    here, there = both
    first, second = here.placed_badge(), there.place_badge(name="Statistics")
    there.set_up(second)
    there.publish(second)
    owner, home = owner_of(here, "Open Learning")
    form = owner.follow(owner.follow(home, "Milestones"), "Micromodule Explorer")
    page = owner.submit(form, {"name": "Two of everything", "count": "2"}, form="/staff/milestones")
    owner.submit(page, form="/activate")
    earned_on(here, "ada", 85, first)
    earned_on(there, "ada", 85, second)
    # The same name in both is no reason to take them for one.
    for campus, activity in ((here, first), (there, second)):
        wallet = campus.open_wallet("ada", activity)
        assert "You have earned 1 badge." in wallet.words
        assert "Earned in your other learning platforms" not in wallet.words

    # A code is taken here; a slip, and then the code itself, is entered there.
    ada, page = accounts(here, "ada", first)
    page = ada.submit(page, form="/accounts/code")
    code = code_on(page)
    twin, entering = accounts(there, "ada", second)
    slip = twin.submit(entering, {"code": "WRNGC-22222"}, form="/accounts/look")
    assert slip.status == 422
    assert "There is no such code" in slip.words
    own = ada.submit(ada.follow(page, "go on"), {"code": code}, form="/accounts/look")
    assert "the code of this very account" in own.words
    offered = twin.submit(entering, {"code": code.lower()}, form="/accounts/look")
    assert "Are both of these you?" in offered.words
    assert f"{here.product} of Open Learning" in offered.words
    assert f"{there.product} of Open Learning" in offered.words
    waiting = twin.submit(offered, form="/accounts/enter")
    assert "One step is left." in waiting.words

    # Nothing is joined before the first side said yes, too.
    assert "You have earned 1 badge." in there.open_wallet("ada", second).words
    ada, page = accounts(here, "ada", first)
    assert "Is this you?" in page.words
    joined = ada.submit(page, form="/accounts/answer", button="Yes, this is me: join them")
    assert "The accounts are joined." in joined.words
    here.pass_time(minutes=2)

    # Each wallet shows the other's badge with where it is from; the milestone is reached, once.
    for campus, other, activity, name in (
        (here, there, first, "Statistics"),
        (there, here, second, "Open Data Basics"),
    ):
        wallet = campus.open_wallet("ada", activity)
        section = wallet.soup.select_one('section[aria-labelledby="joined"]')
        assert section is not None
        assert name in section.text
        assert f"From {other.product} of Open Learning" in section.text
        names = [heading.get_text(" ", strip=True) for heading in wallet.soup.select("article h3")]
        assert names.count("Two of everything") == 1
    assert len(here.holders()) == 3

    # Either side separates them; the milestone stays where it is, and joining again makes no second one.
    twin, page = accounts(there, "ada", second)
    left = twin.submit(page, form="/accounts/leave")
    assert "by itself again" in left.words
    here.pass_time(minutes=2)
    for campus, activity in ((here, first), (there, second)):
        wallet = campus.open_wallet("ada", activity)
        assert "Earned in your other learning platforms" not in wallet.words
    assert len(here.holders()) == 3
    log = owner.follow(home, "Audit log").words
    for said in ("Code taken to join accounts", "Accounts of several learning platforms joined"):
        assert said in log


def test_a_stranger_who_enters_somebodys_code_is_sent_away(both: Both) -> None:
    here, there = both
    first, second = here.placed_badge(), there.placed_badge()
    ada, page = accounts(here, "ada", first)
    code = code_on(ada.submit(page, form="/accounts/code"))
    # A class mate in the same platform cannot use it at all.
    mate, page = accounts(here, "bob", first)
    refused = mate.submit(page, {"code": code}, form="/accounts/look")
    assert "another account in the same learning platform" in refused.words
    # Whoever read it over a shoulder can enter it elsewhere, and then Ada is asked.
    mallory, page = accounts(there, "mallory", second)
    offered = mallory.submit(page, {"code": code}, form="/accounts/look")
    mallory.submit(offered, form="/accounts/enter")
    ada, page = accounts(here, "ada", first)
    assert "Mallory" in page.words
    refused = ada.submit(page, form="/accounts/answer", button="No, join nothing")
    assert "Nothing was joined." in refused.words
    mallory, page = accounts(there, "mallory", second)
    assert "This account is joined with no other one." in page.words
    # And guesses are counted.
    for _ in range(5):
        mallory.submit(page, {"code": code}, form="/accounts/look")
    assert mallory.submit(page, {"code": code}, form="/accounts/look").status == 429
