"""Rosters: whole or said not to be, whatever the platform sends."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from lti_tool.errors import ErrorCode
from lti_tool.lti import memberships
from lti_tool.lti.memberships import Member, roster_pages
from tests import needs
from tests.unit.lti.lms import ISSUER, MEMBERSHIPS_URL, Lms, access, container, lms, member

LEARNER = "http://purl.imsglobal.org/vocab/lis/v2/membership#Learner"


@pytest.fixture
def moodle() -> Iterator[Lms]:
    with lms() as given:
        given.gives_tokens()
        yield given


@dataclass(frozen=True)
class Roster:
    """What a reading brought, and what it says about itself."""

    members: tuple[Member, ...]
    complete: bool
    trouble: ErrorCode | None


def read(given: Lms, **options) -> Roster:
    pages = roster_pages(given.connector, access(), MEMBERSHIPS_URL, **options)
    members = tuple(entry for page in pages for entry in page)
    return Roster(members, pages.is_complete, pages.trouble)


def subs(roster: Roster) -> list[str]:
    return [entry.user.sub for entry in roster.members]


def test_a_roster_of_one_page(moodle):
    moodle.gives(
        MEMBERSHIPS_URL,
        container(
            member(3, "Instructor", name="Tea Cher", given_name="Tea", email="t@example.test"),
            member(5, LEARNER),
            member(6, "Learner", status="Inactive"),
            {"user_id": "7", "roles": ["Learner"]},
            {"user_id": 8, "roles": None, "status": None, "name": None},
            {"user_id": "9", "roles": ["Learner"], "status": "Deleted"},
        ),
    )
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (True, None)
    teacher, learner, left, nameless, roleless, deleted = roster.members
    assert teacher.rights.is_staff
    assert teacher.user.email == "t@example.test"
    assert learner.rights.is_learner
    assert not learner.rights.is_staff
    assert (learner.is_active, left.is_active, nameless.is_active, deleted.is_active) == (
        True,
        False,
        True,
        False,
    )
    assert nameless.user.name is None
    assert roleless.user.sub == "8"
    assert not roleless.rights.is_learner
    request = moodle.calls("memberships")[0]
    assert request.headers["Accept"] == "application/vnd.ims.lti-nrps.v2.membershipcontainer+json"
    assert request.url == MEMBERSHIPS_URL


def test_pages_are_followed_with_their_case_kept(moodle):
    second = f"{MEMBERSHIPS_URL}?page=bookmark:WyJBQkMiLDFd"
    third = f"{MEMBERSHIPS_URL}?page=zZ%3D%3D"
    moodle.gives(MEMBERSHIPS_URL, container(member(1)), next_url=second)
    moodle.gives(second, container(member(2)), next_url=third)
    moodle.gives(third, container(member(3)))
    roster = read(moodle)
    assert roster.complete
    assert subs(roster) == ["1", "2", "3"]


def test_a_relative_next_link_is_one_too(moodle):
    moodle.gives(MEMBERSHIPS_URL, container(member(1)), next_url="memberships?from=2")
    moodle.gives(f"{MEMBERSHIPS_URL}?from=2", container(member(2)))
    assert subs(read(moodle)) == ["1", "2"]


def test_the_role_filter_comes_back_on_later_pages(moodle):
    first = f"{MEMBERSHIPS_URL}?role=Learner"
    moodle.gives(first, container(member(1)), next_url=f"{MEMBERSHIPS_URL}?from=50")
    moodle.gives(f"{MEMBERSHIPS_URL}?from=50&role=Learner", container(member(2)))
    roster = read(moodle, role="Learner")
    assert roster.complete
    assert subs(roster) == ["1", "2"]


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/memberships?page=2",
        "//evil.example/memberships",
        f"https://{'moodle.example.edu'}@evil.example/",
        "http://moodle.example.edu/memberships?page=2",
        f"{ISSUER}:8443/memberships",
    ],
)
def test_a_next_link_to_a_host_that_was_never_named_ends_the_reading(moodle, link):
    moodle.gives(MEMBERSHIPS_URL, container(member(1)), next_url=link)
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_HOST_FOREIGN)
    assert subs(roster) == ["1"], "what was read is true"
    assert not moodle.calls("evil")


def test_a_next_link_that_leads_back_ends_the_reading(moodle):
    second = f"{MEMBERSHIPS_URL}?page=2"
    moodle.gives(MEMBERSHIPS_URL, container(member(1)), next_url=second)
    moodle.gives(second, container(member(2)), next_url=MEMBERSHIPS_URL)
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_PAGING_BROKEN)
    assert subs(roster) == ["1", "2"]
    assert len(moodle.calls("memberships")) == 2


def test_the_same_page_under_ever_new_links_ends_the_reading(moodle):
    for page in range(5):
        moodle.gives(
            f"{MEMBERSHIPS_URL}?page={page}" if page else MEMBERSHIPS_URL,
            container(member(1), member(2)),
            next_url=f"{MEMBERSHIPS_URL}?page={page + 1}",
        )
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_PAGING_BROKEN)
    assert len(moodle.calls("memberships")) == 2


def test_pages_without_end_end(moodle, monkeypatch):
    monkeypatch.setattr("lti_tool.lti.paging.PAGES", 3)
    for page in range(5):
        moodle.gives(
            f"{MEMBERSHIPS_URL}?page={page}" if page else MEMBERSHIPS_URL,
            container(member(page)),
            next_url=f"{MEMBERSHIPS_URL}?page={page + 1}",
        )
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_PAGING_BROKEN)
    assert subs(roster) == ["0", "1", "2"]


def test_a_million_rows_are_too_many(moodle):
    rows = b",".join([b'{"user_id":"%d","roles":["Learner"]}' % number for number in range(300_000)])
    moodle.gives(MEMBERSHIPS_URL, b'{"members":[' + rows + b"]}")
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_ANSWER_TOO_LARGE)
    assert roster.members == ()


def test_a_body_beyond_the_limit_is_cut(moodle, monkeypatch):
    monkeypatch.setattr("lti_tool.lti.connector.PAGE_BYTES", 100_000)
    moodle.gives(MEMBERSHIPS_URL, b'{"members":[' + b" " * 200_000 + b"]}")
    assert read(moodle).trouble is ErrorCode.PLATFORM_ANSWER_TOO_LARGE


@pytest.mark.parametrize(
    "body",
    [
        '{"members": [{"user_id": "1", "roles": ["Lear',
        "<!DOCTYPE html><html>Not found</html>",
        "",
        "null",
        "[]",
        '{"members": null}',
        '{"members": {"user_id": "1"}}',
        '{"id": "x"}',
        b"\xff\xfe{}",
        '{"members":' + "[" * 100_000,
        '{"members": [{"user_id": "\\ud800", "roles": []}]}',
    ],
)
def test_what_is_no_roster_is_trouble_and_not_an_empty_course(moodle, body):
    moodle.gives(MEMBERSHIPS_URL, body)
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_ANSWER_INVALID)


@pytest.mark.parametrize(
    "entry",
    [
        {"roles": ["Learner"]},
        {"user_id": "", "roles": ["Learner"]},
        {"user_id": "x" * 256, "roles": ["Learner"]},
        {"user_id": "a\u0000b", "roles": ["Learner"]},
        {"user_id": "ü", "roles": ["Learner"]},
        {"user_id": "1", "roles": "Learner"},
        {"user_id": "1", "roles": [7]},
        {"user_id": "1", "roles": [], "name": {"first": "Stu"}},
        {"user_id": ["1"], "roles": []},
        None,
        "1",
    ],
)
def test_one_unusable_entry_hides_no_other_and_calls_nobody_gone(moodle, entry):
    moodle.gives(MEMBERSHIPS_URL, container(member(1), entry, member(2)))
    roster = read(moodle)
    assert subs(roster) == ["1", "2"]
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_ANSWER_INVALID)


def test_names_are_one_printable_line(moodle):
    moodle.gives(
        MEMBERSHIPS_URL,
        container(member(1, name=" Stu\u0000\n\u202eDent ", email="\t"), member(2, name="n" * 900)),
    )
    first, second = read(moodle).members
    assert first.user.name == "Stu   Dent"
    assert first.user.email is None
    assert len(second.user.name) == 500


@pytest.mark.parametrize(
    "status,code", [(404, ErrorCode.PLATFORM_REFUSED), (500, ErrorCode.PLATFORM_UNREACHABLE)]
)
def test_an_html_error_page_is_not_read(moodle, status, code):
    moodle.gives(MEMBERSHIPS_URL, "<html></html>", status=status)
    roster = read(moodle)
    assert (roster.members, roster.complete, roster.trouble) == ((), False, code)


def test_trouble_on_a_later_page_keeps_the_earlier_ones(moodle):
    moodle.gives(MEMBERSHIPS_URL, container(member(1)), next_url=f"{MEMBERSHIPS_URL}?page=2")
    moodle.gives(f"{MEMBERSHIPS_URL}?page=2", "", status=500)
    roster = read(moodle)
    assert (subs(roster), roster.complete) == (["1"], False)


def test_moodles_malformed_next_link_is_not_a_last_page(moodle):
    moodle.gives(
        MEMBERSHIPS_URL,
        container(member(1)),
        headers={
            "Link": f"<{MEMBERSHIPS_URL}?a=1&amp;from=2>; rel=\u201cnext\u201d".encode().decode("latin-1")
        },
    )
    roster = read(moodle)
    assert (roster.complete, roster.trouble) == (False, ErrorCode.PLATFORM_PAGING_BROKEN)


def test_a_link_of_another_relation_is_the_end(moodle):
    moodle.gives(
        MEMBERSHIPS_URL,
        container(member(1)),
        headers={"Link": f'<{MEMBERSHIPS_URL}?since=1>; rel="differences"'},
    )
    assert read(moodle).complete


def test_a_reading_that_was_broken_off_is_not_complete(moodle):
    moodle.gives(MEMBERSHIPS_URL, container(member(1)))
    pages = roster_pages(moodle.connector, access(), MEMBERSHIPS_URL)
    assert not pages.is_complete
    next(iter(pages))
    assert not pages.is_complete


def test_a_large_roster_needs_the_memory_of_one_page(moodle):
    for page in range(20):
        rows = [member(page * 1000 + number) for number in range(1000)]
        moodle.gives(
            f"{MEMBERSHIPS_URL}?page={page}" if page else MEMBERSHIPS_URL,
            container(*rows),
            next_url=f"{MEMBERSHIPS_URL}?page={page + 1}" if page < 19 else None,
        )
    pages = roster_pages(moodle.connector, access(), MEMBERSHIPS_URL)
    tracemalloc.start()
    try:
        count = sum(len(page) for page in pages)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (count, pages.is_complete) == (20_000, True)
    assert peak < 12_000_000, "20 pages are held at once"


def test_the_platform_is_told_whose_link_is_meant(moodle):
    moodle.gives(f"{MEMBERSHIPS_URL}?rlid=5", container(member(1)))
    assert read(moodle, resource_link_id="5").complete


def test_a_roster_as_moodle_really_sends_it(moodle):
    recordings = json.loads(needs.reference("moodle/nrps.json").read_text())
    body = next(entry["body"] for entry in recordings if entry["label"] == "all")
    moodle.gives(MEMBERSHIPS_URL, body)
    roster = read(moodle)
    assert roster.complete
    assert [entry.user.sub for entry in roster.members if entry.rights.is_staff] == ["3"]
    # The non-editing teacher (sub 4) is a learner in the roster: only a launch tells.
    assert "4" in [entry.user.sub for entry in roster.members if entry.rights.is_learner]
    assert not memberships.is_usable_sub("")


@pytest.mark.parametrize(
    "product,status,trouble",
    [
        ("moodle", 404, ErrorCode.GATE_LINK_MISSING),
        ("moodle", 400, ErrorCode.PLATFORM_REFUSED),
        ("moodle", 500, ErrorCode.PLATFORM_UNREACHABLE),
        ("canvas", 400, ErrorCode.GATE_LINK_MISSING),
        ("other", 410, ErrorCode.GATE_LINK_MISSING),
        ("other", 403, ErrorCode.PLATFORM_REFUSED),
    ],
)
def test_a_roster_of_a_link_that_is_gone_says_so(moodle, product, status, trouble):
    asked = access(product=product)
    query = "&".join(f"{name}={value}" for name, value in asked.platform.roster_query(None, "5").items())
    moodle.gives(f"{MEMBERSHIPS_URL}?{query}", {}, status=status)
    pages = roster_pages(moodle.connector, asked, MEMBERSHIPS_URL, resource_link_id="5")
    assert list(pages) == []
    assert memberships.link_trouble(asked, pages) is trouble


def test_a_later_page_that_is_refused_says_nothing_of_the_link(moodle):
    """Canvas answers 400 to a bookmark that it does not know any more."""
    asked = access(product="canvas")
    later = f"{MEMBERSHIPS_URL}?rlid=5&page=2"
    moodle.gives(f"{MEMBERSHIPS_URL}?rlid=5&limit=50", container(member(1)), next_url=later)
    moodle.gives(later, {}, status=400)
    pages = roster_pages(moodle.connector, asked, MEMBERSHIPS_URL, resource_link_id="5")
    assert len(list(pages)) == 1
    assert memberships.link_trouble(asked, pages) is ErrorCode.PLATFORM_REFUSED


def test_a_roster_of_a_link_that_was_read_whole_has_no_trouble(moodle):
    moodle.gives(f"{MEMBERSHIPS_URL}?rlid=5", container(member(1)))
    pages = roster_pages(moodle.connector, access(), MEMBERSHIPS_URL, resource_link_id="5")
    assert len(list(pages)) == 1
    assert memberships.link_trouble(access(), pages) is None
