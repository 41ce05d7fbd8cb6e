"""The health of a connection, as those see it who look after it: what shows, and how it is mended."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lti_tool.errors import ErrorCode
from lti_tool.store.tables import RefusedLaunch, ServiceCheck
from tests.integration.gradebook import rows
from tests.journeys.campus import NEIGHBOUR_URL, TOOL_URL, Campus
from tests.journeys.test_staff import owner_of
from tests.simulator.browser import Page
from tests.simulator.client import Person
from tests.simulator.forgery import forged, read_token, sign_launch


def health_of(campus: Campus, organisation: str = "Open Learning") -> tuple[Person, Page]:
    """An owner who looks at how the connection to the platform does."""
    owner, home = owner_of(campus, organisation)
    platform = owner.follow(owner.follow(home, "Platforms"), "/staff/registrations/")
    return owner, owner.follow(platform, "Everything about this connection")


def line_of(page: Page, name: str, heading: str = "") -> str:
    """What a row of a list says."""
    return next(
        " ".join(row.get_text(" ").split())
        for row in page.soup.find_all("tr")
        if name in row.get_text() and heading in row.get_text()
    )


def test_what_works_is_shown_to_work(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    campus.pass_time(minutes=2)
    _, page = health_of(campus)
    for service in ("The platform's keys", "Opening the tool", "Access tokens", "Participants", "Grades"):
        assert "Works" in line_of(page, service), service
    assert "Missing" not in page.words
    for permission in (
        "Make gradebook columns",
        "Write badges into the gradebook",
        "Read who is in the course",
    ):
        assert "Granted" in line_of(page, permission)
    assert "Taken" in line_of(page, "Choosing content")
    words = {"moodle": "Nothing was refused in the last 30 days.", "canvas": "Other organisations share"}
    assert words[campus.product] in page.words


def test_a_check_on_demand_writes_nothing_and_says_what_it_found(campus: Campus) -> None:
    campus.placed_badge()
    before = [(item.id, item.label) for item in campus.lms.gradebook.of_course(campus.course.id)]
    owner, page = health_of(campus)
    done = owner.submit(page, form="/health")
    assert "Everything works." in done.words
    assert line_of(done, "Fetch the platform's keys").endswith("entry")
    for step in ("Access token: Participants", "Read the first page: Participants"):
        assert "Works" in line_of(done, step)
    assert [(item.id, item.label) for item in campus.lms.gradebook.of_course(campus.course.id)] == before


@pytest.mark.parametrize("forgery", ["no_kid", "alg_none", "signed_by_a_stranger"])
def test_a_forged_launch_in_the_platform_s_name_is_counted_and_called_unproved(
    moodle_campus: Campus, forgery: str
) -> None:
    """Anybody may send it: it must not look as if the platform had."""
    campus = moodle_campus
    badge = campus.placed_badge()
    for _ in range(3):
        browser = campus.browser(campus.learner("ada"))
        assert browser.launch(badge.id, tamper=forged(campus.lms, forgery)).status >= 400
    _, page = health_of(campus)
    codes = {
        "no_kid": ErrorCode.LAUNCH_KEY_ID_MISSING,
        "alg_none": ErrorCode.LAUNCH_ALGORITHM_REFUSED,
        "signed_by_a_stranger": ErrorCode.LAUNCH_SIGNATURE_INVALID,
    }
    line = line_of(page, codes[forgery].value, "Sent by anybody")
    assert re.search(r"\b3\b", line)
    if forgery == "no_kid":
        assert "Refused 3 times" in line_of(page, "A token that names no key")
    assert "The connection to" not in owner_of(campus, "Open Learning")[1].words  # nobody can cry wolf so


def test_a_signed_launch_that_is_refused_is_called_the_platform_s(moodle_campus: Campus) -> None:
    campus = moodle_campus
    badge = campus.placed_badge()
    browser = campus.browser(campus.learner("ada"))
    assert browser.launch(badge.id, tamper=forged(campus.lms, "no_roles")).status >= 400
    _, page = health_of(campus)
    assert "Signed by the platform" in line_of(page, ErrorCode.LAUNCH_ROLES_MISSING.value, "Signed")


def test_a_login_that_names_nobody_known_is_the_operator_s_to_see(campus: Campus) -> None:
    stranger = campus.browser(campus.learner("ada"))
    query = "iss=https%3A%2F%2Funknown.example&login_hint=secret-hint&client_id=c"
    target = f"target_link_uri={TOOL_URL}/lti/launch"
    for _ in range(20):
        assert stranger.get(f"{TOOL_URL}/lti/login?{query}&{target}").status == 400
    (refusal,) = campus.tool.health.of_nobody()
    assert (refusal.code, refusal.count) == ("registration_unknown", 20)
    _, page = health_of(campus)
    assert "registration_unknown" not in page.words
    kept = " ".join(str(vars(row)) for row in rows(campus.tool.database, RefusedLaunch))
    assert "secret-hint" not in kept


def test_the_neighbours_do_not_see_it(campus: Campus) -> None:
    badge = campus.placed_badge()
    browser = campus.browser(campus.learner("ada"))
    browser.launch(badge.id, tamper=forged(campus.lms, "no_roles"))
    owner, mine = health_of(campus)
    neighbour, theirs = health_of(campus, "Neighbour College")
    assert "Signed by the platform" in mine.words or campus.product == "canvas"
    assert "Signed by the platform" not in theirs.words
    if campus.product == "canvas":
        assert "Other organisations share this platform" in theirs.words  # one client_id for all of them
    else:
        assert neighbour.get(mine.url).status == 404
        assert neighbour.submit(theirs, form="/health").status == 200
        assert owner.get(theirs.url).status == 404


def test_a_reader_looks_and_a_learner_does_not(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    _, page = health_of(campus)
    learner = campus.browser(campus.learner("ada"), in_frame=False)
    assert learner.get(page.url).url == f"{TOOL_URL}/staff/sign-in"


@pytest.mark.parametrize("seconds, words", [(-45, "behind"), (45, "ahead of")])
def test_a_clock_that_is_off_is_told(sqlite_campus: Campus, seconds: int, words: str) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    campus.lms.chaos.clock_skew_seconds = seconds
    for _ in range(12):
        assert campus.open_wallet("ada", badge).status == 200
    _, page = health_of(campus)
    assert re.search(rf"The platform's clock is 4[4-6] seconds {words} this server's.", page.words)
    _, home = owner_of(campus, "Open Learning")
    assert "The connection to" in home.words


def test_a_clock_that_keeps_everybody_out_is_told_too(moodle_campus: Campus) -> None:
    """Moodle's tokens live a minute; Canvas's an hour."""
    campus = moodle_campus
    badge = campus.placed_badge()
    campus.lms.chaos.clock_skew_seconds = -300
    for _ in range(12):
        assert campus.open_wallet("ada", badge).status >= 400
    _, page = health_of(campus)
    assert re.search(r"The platform's clock is (29\d|300|301) seconds behind this server's.", page.words)
    assert "Refused 12 times" in line_of(page, "Wrong times")


def test_somebody_who_takes_minutes_to_log_in_does_not_put_a_clock_out(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()

    def slowly(fields: dict[str, str]) -> dict[str, str]:
        campus.clock.move(minutes=4)
        now = int(campus.clock().timestamp())
        return resigned(campus, fields, {"iat": now, "exp": now + 60})

    for _ in range(12):
        assert campus.browser(campus.learner("ada")).launch(badge.id, tamper=slowly).status == 200
    _, page = health_of(campus)
    assert "No launch has shown the clocks to differ." in page.words


def resigned(campus: Campus, fields: dict[str, str], changes: dict[str, Any]) -> dict[str, str]:
    """The platform's own token with other claims."""
    claims = read_token(fields["id_token"])[1]
    return {**fields, "id_token": sign_launch(campus.lms, claims, claims_overrides=changes)}


def test_a_permission_that_is_taken_away_shows_with_its_mend(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.open_wallet("ada", badge)

    def without_score(fields: dict[str, str]) -> dict[str, str]:
        name = "https://purl.imsglobal.org/spec/lti-ags/claim/endpoint"
        service = read_token(fields["id_token"])[1][name]
        granted = [scope for scope in service["scope"] if not scope.endswith("/score")]
        return resigned(campus, fields, {name: {**service, "scope": granted}})

    campus.browser(campus.learner("ada")).launch(badge.id, tamper=without_score)
    teacher = campus.browser(campus.teacher).launch(badge.id, tamper=without_score)
    assert "The platform does not grant all that the tool needs." in teacher.words
    assert "Write badges into the gradebook" in teacher.words
    owner, page = health_of(campus)
    assert "The platform does not grant all that the tool needs." in page.words
    assert "A badge does not show in the gradebook" in page.words
    words = {
        "moodle": "Use this service for grade sync and column management",
        "canvas": "Can create and update submission results for assignments associated with the tool.",
    }
    assert words[campus.product] in page.words
    home = owner.get(f"{TOOL_URL}/staff/")
    assert "A permission is missing: Write badges into the gradebook." in home.words
    campus.open_wallet("ada", badge)  # the administrator switched it on again
    assert "does not grant" not in owner.get(page.url).words


def test_a_service_that_stops_shows_and_comes_back(campus: Campus) -> None:
    badge = campus.placed_badge()
    campus.open_wallet("ada", badge)
    campus.read_now()
    path = {"moodle": "/memberships", "canvas": "/names_and_roles"}[campus.product]
    campus.lms.chaos.switch_on("status", path=path, value=403)
    for _ in range(3):
        campus.clock.move(minutes=2)
        campus.read_now()
    owner, page = health_of(campus)
    assert "Does not work" in line_of(page, "Participants", "Worked last")
    assert "Failed 3 times in a row" in page.words
    home = owner.get(f"{TOOL_URL}/staff/")
    assert "It does not work: Participants." in home.words
    campus.lms.chaos.calm()
    campus.clock.move(minutes=2)
    campus.read_now()
    page = owner.get(page.url)
    assert "Works" in line_of(page, "Participants", "Worked last")
    assert "works again" in page.words
    assert "It does not work" not in owner.get(f"{TOOL_URL}/staff/").words


def test_nobody_s_name_or_token_is_in_what_is_kept(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    campus.take_quiz("ada", 85)
    campus.open_wallet("ada", badge)
    campus.read_now()
    browser = campus.browser(campus.learner("ada"))
    browser.launch(badge.id, tamper=forged(campus.lms, "flipped_byte"))
    campus.tool.health.flush()
    kept = " ".join(
        str(vars(row)) for table in (RefusedLaunch, ServiceCheck) for row in rows(campus.tool.database, table)
    )
    assert "cases" in kept
    for private in ("Ada", "Learner,", "@", "eyJ", "Bearer", NEIGHBOUR_URL):
        assert private not in kept, private


def test_a_launch_asks_the_database_nothing_more_for_it(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    badge = campus.placed_badge()
    campus.open_wallet("ada", badge)
    campus.tool.health.flush()
    with campus.tool.database.statements() as statements:
        assert campus.open_wallet("ada", badge).status == 200
    assert statements
    assert not any("service_checks" in one or "refused_launches" in one for one in statements)


def test_a_flood_of_logins_writes_one_row_when_it_is_written_at_all(sqlite_campus: Campus) -> None:
    campus = sqlite_campus
    stranger = campus.browser(campus.learner("ada"))
    with campus.tool.database.statements() as statements:
        for number in range(150):
            page = stranger.get(f"{TOOL_URL}/lti/login?iss=https%3A%2F%2Fx{number}.example")
            assert page.status == 400
    assert not any(one.startswith(("INSERT", "UPDATE")) for one in statements)
    assert campus.tool.health.flush() == 1
    (row,) = rows(campus.tool.database, RefusedLaunch)
    assert (row.count, row.code, row.registration_id) == (150, "login_parameter_missing", None)
