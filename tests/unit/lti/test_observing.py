"""What the edges tell of the services they call: each call once, and nothing that is no news of a service."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from lti_tool.errors import ErrorCode, PlatformFailed, ToolError
from lti_tool.lti import grades, memberships
from lti_tool.lti.key_sets import KeySets
from lti_tool.lti.observing import Service, service_of
from lti_tool.lti.registration import SCOPES
from tests.unit.lti.lms import (
    COLUMN_URL,
    MEMBERSHIPS_URL,
    NOW,
    REGISTRATION,
    RESULTS_URL,
    TOKEN_URL,
    access,
    container,
    lms,
    member,
)


@dataclass
class Notes:
    """Remembers what it was told."""

    told: list[tuple[str | None, Service, str | None]] = field(default_factory=list)
    facts: list[Any] = field(default_factory=list)

    def note_service(
        self,
        registration_id: str,
        deployment_id: str | None,
        service: Service,
        failure: ToolError | None,
        facts: Any = None,
    ) -> None:
        assert registration_id == REGISTRATION.id
        self.told.append((deployment_id, service, None if failure is None else failure.code.value))
        self.facts.append(facts)


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_every_scope_that_is_asked_for_belongs_to_a_service() -> None:
    assert all(service_of(frozenset({scope})) is not None for scope in SCOPES)
    assert service_of(frozenset({"https://example.org/scope"})) is None


def test_a_roster_that_is_read_tells_of_the_token_and_of_each_page(notes: Notes) -> None:
    with lms(observer=notes) as network:
        network.gives_tokens()
        network.gives(MEMBERSHIPS_URL, container(member(1)), next_url=f"{MEMBERSHIPS_URL}?from=1")
        network.gives(f"{MEMBERSHIPS_URL}?from=1", container(member(2)))
        list(memberships.roster_pages(network.connector, access(), MEMBERSHIPS_URL))
    assert notes.told == [("d1", Service.TOKEN, None), *[("d1", Service.ROSTER, None)] * 2]
    assert notes.facts[0] == {"granted": [memberships.SCOPE], "refused": []}


def test_an_answer_that_cannot_be_used_is_told_as_a_failure(notes: Notes) -> None:
    with lms(observer=notes) as network:
        network.gives_tokens()
        network.gives(MEMBERSHIPS_URL, "<html>")
        list(memberships.roster_pages(network.connector, access(), MEMBERSHIPS_URL))
    assert notes.told[-1] == ("d1", Service.ROSTER, "platform_answer_invalid")


@pytest.mark.parametrize(
    "status, told", [(404, []), (400, []), (403, ["platform_refused"]), (500, ["platform_unreachable"])]
)
def test_a_column_that_is_gone_says_nothing_of_the_service(
    notes: Notes, status: int, told: list[str]
) -> None:
    with lms(observer=notes) as network:
        network.gives_tokens()
        network.gives(RESULTS_URL, {}, status=status)
        grades.read_results(network.connector, access(), COLUMN_URL)
    assert [code for _, service, code in notes.told if service is Service.RESULTS] == told


def test_a_link_that_is_gone_says_nothing_of_the_roster(notes: Notes) -> None:
    with lms(observer=notes) as network:
        network.gives_tokens()
        network.gives(f"{MEMBERSHIPS_URL}?rlid=9", {}, status=404)
        list(memberships.roster_pages(network.connector, access(), MEMBERSHIPS_URL, resource_link_id="9"))
    assert [service for _, service, _ in notes.told] == [Service.TOKEN]


def test_a_refused_scope_is_a_permission_and_no_failure_of_the_endpoint(notes: Notes) -> None:
    with lms(observer=notes) as network:
        network.mock.post(TOKEN_URL, json={"error": "invalid_scope"}, status=400)
        list(memberships.roster_pages(network.connector, access(), MEMBERSHIPS_URL))
    assert notes.told == [("d1", Service.TOKEN, None)]
    assert notes.facts == [{"refused": [memberships.SCOPE]}]


def test_a_refused_client_is_a_failure(notes: Notes) -> None:
    with lms(observer=notes) as network:
        network.mock.post(TOKEN_URL, json={"error": "invalid_client"}, status=401)
        list(memberships.roster_pages(network.connector, access(), MEMBERSHIPS_URL))
    assert notes.told == [("d1", Service.TOKEN, "platform_token_refused")]


def test_a_call_that_is_spared_is_not_told_again(notes: Notes) -> None:
    """A platform that was silent a moment ago is not asked; nothing was learnt of it."""
    with lms(observer=notes) as network:
        network.mock.post(TOKEN_URL, body=ConnectionError("refused"))
        for _ in range(3):
            list(memberships.roster_pages(network.connector, access(), MEMBERSHIPS_URL))
    assert notes.told == [("d1", Service.TOKEN, "platform_unreachable")]


def test_a_foreign_host_is_told_and_not_called(notes: Notes) -> None:
    with lms(observer=notes) as network:
        list(memberships.roster_pages(network.connector, access(), "https://attacker.example/memberships"))
        assert not network.mock.calls
    assert notes.told == [("d1", Service.ROSTER, "platform_host_foreign")]


@pytest.mark.parametrize("body", [b"no json", b'{"keys": []}', b"[]"])
def test_a_key_set_without_a_usable_key_is_told_as_a_failure(notes: Notes, body: bytes) -> None:
    key_sets = KeySets(lambda url: body, lambda: NOW, notes)
    with pytest.raises(PlatformFailed) as caught:
        key_sets.read(REGISTRATION)
    assert caught.value.code is ErrorCode.PLATFORM_ANSWER_INVALID
    assert notes.told == [(None, Service.KEY_SET, "platform_answer_invalid")]
