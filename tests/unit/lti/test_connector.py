"""Tokens and calls: nothing is sent to a stranger, and nothing that one tenant got serves another."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

import pytest
import requests
import responses
from joserfc import jwt
from joserfc.jwk import RSAKey

from lti_tool.domain.call_budget import LONGEST_REST
from lti_tool.errors import ErrorCode, OutboundRefused, PlatformFailed
from lti_tool.lti.access import ServiceAccess, host_of, named_hosts
from lti_tool.lti.connector import REST, SILENCE, NoBudget
from lti_tool.lti.paging import with_query
from lti_tool.outbound import Answer, transaction_closed, transaction_opened
from tests.unit.lti.lms import (
    AGS,
    DEPLOYMENT,
    ISSUER,
    MEMBERSHIPS_URL,
    NOW,
    NRPS,
    REGISTRATION,
    TOKEN_URL,
    Lms,
    access,
    lms,
    private_key,
)

SCOPES = frozenset({NRPS})


@pytest.fixture
def moodle() -> Iterator[Lms]:
    with lms() as given:
        yield given


def get(given: Lms, url: str = MEMBERSHIPS_URL, who: ServiceAccess | None = None, **options):
    return given.connector.get(
        who or access(), url, options.pop("scopes", SCOPES), "application/json", **options
    )


def refused(given: Lms, *arguments, **options) -> PlatformFailed:
    with pytest.raises(PlatformFailed) as raised:
        get(given, *arguments, **options)
    return raised.value


# -- the assertion


def test_the_tool_proves_itself_with_a_short_signed_assertion(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle)
    form = moodle.tokens_given[0]
    assert form["grant_type"] == "client_credentials"
    assert form["client_assertion_type"] == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert form["scope"] == NRPS
    token = jwt.decode(form["client_assertion"], RSAKey.import_key(private_key().public_key()), ["RS256"])
    assert token.header["kid"] == "key-1"
    claims = token.claims
    assert claims["iss"] == claims["sub"] == REGISTRATION.client_id
    assert claims["aud"] == TOKEN_URL
    assert claims["iat"] == int(NOW.timestamp())
    assert 0 < claims["exp"] - claims["iat"] <= 300
    assert len(claims["jti"]) >= 16
    assert claims["https://purl.imsglobal.org/spec/lti/claim/deployment_id"] == "1"


def test_the_audience_is_the_platforms_own_where_it_has_one(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle, who=access(token_audience="https://audience.example"))
    token = jwt.decode(
        moodle.tokens_given[0]["client_assertion"],
        RSAKey.import_key(private_key().public_key()),
        ["RS256"],
    )
    assert token.claims["aud"] == "https://audience.example"


def test_every_token_request_has_an_assertion_of_its_own(moodle):
    moodle.gives_tokens(expires_in=1)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle)
    moodle.time.seconds += 2
    get(moodle)
    first, second = (form["client_assertion"] for form in moodle.tokens_given)
    assert first != second


# -- the cache


def test_a_token_serves_until_shortly_before_its_end(moodle):
    moodle.gives_tokens(expires_in=3600)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle)
    moodle.time.seconds += 3500
    get(moodle)
    assert len(moodle.tokens_given) == 1
    moodle.time.seconds += 50
    get(moodle)
    assert len(moodle.tokens_given) == 2


@pytest.mark.parametrize("lifetime", [None, "3600", 0, 10, 10**12])
def test_any_lifetime_that_platforms_send_is_borne(moodle, lifetime):
    moodle.gives_tokens(expires_in=lifetime)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle)
    get(moodle)
    assert len(moodle.tokens_given) == 1
    moodle.time.seconds += 86_401
    get(moodle)
    assert len(moodle.tokens_given) == 2


@pytest.mark.parametrize(
    "other",
    [
        access(id="r2", client_id="another"),
        access(deployment=replace(DEPLOYMENT, id="d2", id_on_platform="2")),
    ],
    ids=["another registration of the same issuer", "another deployment"],
)
def test_a_token_of_one_tenant_is_never_used_for_another(moodle, other):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle)
    get(moodle, who=other)
    get(moodle)
    sent = [request.headers["Authorization"] for request in moodle.calls("memberships")]
    assert sent == ["Bearer token-1", "Bearer token-2", "Bearer token-1"]


def test_other_scopes_are_another_token(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    get(moodle)
    get(moodle, scopes=frozenset({f"{AGS}score"}))
    assert [form["scope"] for form in moodle.tokens_given] == [NRPS, f"{AGS}score"]


def test_threads_that_need_the_same_token_fetch_it_once(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    together = threading.Barrier(8)

    def visit(_number: int) -> int:
        together.wait()
        return get(moodle).status

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(visit, range(8))) == [200] * 8
    assert len(moodle.tokens_given) == 1


# -- 401


def test_a_token_that_was_revoked_is_renewed_once(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "", status=401)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    assert get(moodle).status == 200
    assert [r.headers["Authorization"] for r in moodle.calls("memberships")] == [
        "Bearer token-1",
        "Bearer token-2",
    ]


def test_a_platform_that_always_says_401_is_asked_twice_only(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "", status=401)
    failure = refused(moodle)
    assert (failure.code, failure.http_status) == (ErrorCode.PLATFORM_REFUSED, 401)
    assert len(moodle.calls("memberships")) == 2


# -- the token endpoint's own ways


@pytest.mark.parametrize(
    "status,body,code",
    [
        (400, '{"error": "invalid_scope"}', ErrorCode.PLATFORM_SCOPE_MISSING),
        (400, '{"error": "invalid_client"}', ErrorCode.PLATFORM_TOKEN_REFUSED),
        (400, "Signature verification failed", ErrorCode.PLATFORM_TOKEN_REFUSED),
        (200, "Expired token", ErrorCode.PLATFORM_TOKEN_REFUSED),
        (200, '{"token_type": "bearer"}', ErrorCode.PLATFORM_TOKEN_REFUSED),
        (200, '{"access_token": ""}', ErrorCode.PLATFORM_TOKEN_REFUSED),
        (200, '{"access_token": "a\\r\\nX-Evil: 1"}', ErrorCode.PLATFORM_TOKEN_REFUSED),
        (200, '{"access_token": "a", "expires_in": "soon"}', ErrorCode.PLATFORM_TOKEN_REFUSED),
        (200, '{"access_token": "a", "scope": "something.else"}', ErrorCode.PLATFORM_SCOPE_MISSING),
        (200, "<html>" * 1000, ErrorCode.PLATFORM_TOKEN_REFUSED),
        (302, "", ErrorCode.PLATFORM_TOKEN_REFUSED),
        (429, "", ErrorCode.PLATFORM_BUSY),
        (500, "", ErrorCode.PLATFORM_UNREACHABLE),
    ],
)
def test_a_token_endpoint_that_gives_no_token_is_told_apart(moodle, status, body, code):
    moodle.mock.post(TOKEN_URL, body=body, status=status, headers={"Location": "https://evil.example/"})
    failure = refused(moodle)
    assert failure.code is code
    assert not moodle.calls("memberships")
    assert not moodle.calls("evil")
    assert "html" not in str(failure)


def test_a_hostile_error_text_stays_out_of_the_log(moodle):
    moodle.mock.post(TOKEN_URL, body='{"error": "Stu Dent\\n[CRITICAL] forged"}', status=400)
    assert "forged" not in str(refused(moodle))


def test_no_token_is_shown_by_accident(moodle):
    moodle.gives_tokens(access_token="s3cret")
    moodle.gives(MEMBERSHIPS_URL, "", status=500)
    failure = refused(moodle)
    assert "s3cret" not in repr(vars(moodle.connector)) + str(failure) + repr(failure)


# -- hosts


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/memberships",
        f"{ISSUER}.evil.example/memberships",
        f"https://moodle.example.edu@evil.example/{'x'}",
        "https://evil.example\\@moodle.example.edu/",
        "https://moodle.example.edu:8443/memberships",
        "http://moodle.example.edu/memberships",
        "//moodle.example.edu/memberships",
        "ftp://moodle.example.edu/",
        "https://moodle.example.edu:99999/",
        "https://[::1/",
        "https://moodle.example.edu/a b",
        "",
    ],
)
def test_a_token_never_goes_to_a_host_that_the_registration_did_not_name(moodle, url):
    moodle.gives_tokens()
    assert refused(moodle, url).code is ErrorCode.PLATFORM_HOST_FOREIGN
    assert not moodle.mock.calls


def test_hosts_of_signed_launches_are_named_too(moodle):
    moodle.gives_tokens()
    moodle.gives("https://services.example.edu:8443/roster", "{}")
    named = frozenset({"services.example.edu:8443"})
    who = access(deployment=replace(DEPLOYMENT, service_hosts=named))
    assert get(moodle, "https://services.example.edu:8443/roster", who).status == 200
    assert refused(moodle, "https://services.example.edu/roster", who).code is ErrorCode.PLATFORM_HOST_FOREIGN


# -- institutions that share a registration


SHARED = {
    "product": "canvas",
    "issuer": "https://canvas.instructure.com",
    "auth_url": "https://sso.canvaslms.com/api/lti/authorize_redirect",
    "token_url": "https://north.instructure.com/login/oauth2/token",
    "default_organisation_id": "north",
}
NORTH = replace(
    DEPLOYMENT,
    organisation_id="north",
    service_hosts=frozenset({"north.instructure.com", "lms.north.example"}),
)
SOUTH = replace(
    DEPLOYMENT,
    id="d2",
    id_on_platform="2",
    organisation_id="south",
    token_url="https://south.instructure.com/login/oauth2/token",
    service_hosts=frozenset({"south.instructure.com"}),
)
NORTH_ROSTER = "https://north.instructure.com/api/lti/courses/1/names_and_roles"
SOUTH_ROSTER = "https://south.instructure.com/api/lti/courses/1/names_and_roles"


def institutions(given: Lms) -> tuple[ServiceAccess, ServiceAccess]:
    given.gives_tokens(SHARED["token_url"], prefix="north")
    given.gives_tokens(SOUTH.token_url or "", prefix="south")
    given.gives(NORTH_ROSTER, "{}")
    given.gives(SOUTH_ROSTER, "{}")
    return access(deployment=NORTH, **SHARED), access(deployment=SOUTH, **SHARED)


def test_each_institution_hands_out_its_own_tokens(moodle):
    north, south = institutions(moodle)
    for _ in range(2):
        get(moodle, NORTH_ROSTER, north)
        get(moodle, SOUTH_ROSTER, south)
    assert len(moodle.tokens_given) == 2
    sent = [request.headers["Authorization"].split("-")[0] for request in moodle.calls("names_and_roles")]
    assert sent == ["Bearer north", "Bearer south"] * 2
    audiences = {
        jwt.decode(form["client_assertion"], RSAKey.import_key(private_key().public_key()), ["RS256"]).claims[
            "aud"
        ]
        for form in moodle.tokens_given
    }
    assert audiences == {SHARED["token_url"], SOUTH.token_url}, "what one gets is of no use at the other"


def test_the_attack_of_one_institution_on_the_others_token_finds_no_way(moodle):
    """South's launches may name any host: no token of North's is ever sent to one of them, nor asked for."""
    north, south = institutions(moodle)
    get(moodle, NORTH_ROSTER, north)
    assert refused(moodle, SOUTH_ROSTER, north).code is ErrorCode.PLATFORM_HOST_FOREIGN
    assert refused(moodle, NORTH_ROSTER, south).code is ErrorCode.PLATFORM_HOST_FOREIGN
    unsaid = access(deployment=replace(SOUTH, token_url=None), **SHARED)
    assert refused(moodle, SOUTH_ROSTER, unsaid).code is ErrorCode.PLATFORM_TOKEN_URL_MISSING
    greedy = replace(SOUTH, service_hosts=SOUTH.service_hosts | {"north.instructure.com"})
    get(moodle, NORTH_ROSTER, access(deployment=greedy, **SHARED))
    held_by_south = [
        request for request in moodle.calls("south.instructure.com") if "token" not in request.url
    ]
    assert not held_by_south
    to_north = [request.headers["Authorization"] for request in moodle.calls("north.instructure.com/api")]
    assert to_north == ["Bearer north-1", "Bearer south-2"], "South gives away its own token, nobody else's"


def test_a_next_link_of_one_institution_does_not_lead_to_the_other(moodle):
    north, _ = institutions(moodle)
    hosts = named_hosts(north)
    assert "south.instructure.com" not in hosts
    assert {"north.instructure.com", "lms.north.example", "sso.canvaslms.com"} <= hosts


def test_a_deployment_of_the_registrations_own_organisation_uses_its_token_url(moodle):
    moodle.gives_tokens(SHARED["token_url"])
    moodle.gives(NORTH_ROSTER, "{}")
    course_level = replace(NORTH, id="d3", id_on_platform="3:course")
    get(moodle, NORTH_ROSTER, access(deployment=course_level, **SHARED))
    assert len(moodle.tokens_given) == 1


def test_an_institution_that_is_silent_speaks_for_itself_only(moodle):
    north, south = institutions(moodle)
    moodle.mock.replace(responses.GET, SOUTH_ROSTER, body=requests.ConnectionError("refused"))
    assert refused(moodle, SOUTH_ROSTER, south).code is ErrorCode.PLATFORM_UNREACHABLE
    moodle.mock.replace(responses.GET, NORTH_ROSTER, body="{}")
    get(moodle, NORTH_ROSTER, north)


def test_plain_http_is_for_platforms_that_are_registered_so():
    local = access(
        issuer="http://127.0.0.1:8080",
        auth_url="http://127.0.0.1:8080/auth",
        token_url="http://127.0.0.1:8080/token",
    )
    assert named_hosts(local) == {"127.0.0.1:8080"}
    with lms() as given:
        given.connector.require_named_host(local, "http://127.0.0.1:8080/roster")


@pytest.mark.parametrize(
    "url,host",
    [
        ("https://LMS.example/x", "lms.example"),
        ("https://lms.example:443/x", "lms.example"),
        ("http://lms.example:80/x", "lms.example"),
        ("http://lms.example:443/x", "lms.example:443"),
        ("https://lms.example./x", "lms.example"),
        ("https://[2001:DB8::1]:8443/x", "[2001:db8::1]:8443"),
        ("https://user@lms.example/x", None),
        ("javascript:alert(1)", None),
    ],
)
def test_hosts_are_compared_in_one_spelling(url, host):
    assert host_of(url) == host


def test_redirects_are_not_followed(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "", status=302, headers={"Location": "https://evil.example/"})
    failure = refused(moodle)
    assert (failure.code, failure.http_status) == (ErrorCode.PLATFORM_REFUSED, 302)
    assert not moodle.calls("evil")


# -- trouble, repeats, rests


def test_passing_trouble_is_repeated_for_reading(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "", status=502)
    moodle.gives(MEMBERSHIPS_URL, "", status=503)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    assert get(moodle).status == 200
    assert len(moodle.time.slept) == 2


def test_sending_is_never_repeated(moodle):
    moodle.gives_tokens()
    moodle.mock.post(f"{ISSUER}/lineitems", status=503)
    moodle.mock.post(f"{ISSUER}/lineitems", status=201)
    with pytest.raises(PlatformFailed):
        moodle.connector.post(access(), f"{ISSUER}/lineitems", SCOPES, "a/b", b"{}", "a/b")
    assert len(moodle.calls("lineitems")) == 1


@dataclass
class Budget(NoBudget):
    """Remembers the rests that were asked for, and lets nothing through where told so."""

    rests: list[tuple[ServiceAccess, float]] = field(default_factory=list)
    is_shut: bool = False

    def spend(self, access: ServiceAccess) -> None:
        if self.is_shut:
            raise PlatformFailed(ErrorCode.PLATFORM_BUSY, retryable=True)

    def slow_down(self, access: ServiceAccess, rest: float) -> None:
        self.rests.append((access, rest))


@pytest.mark.parametrize(
    "headers,rest", [({"Retry-After": "120"}, 120.0), ({}, REST), ({"Retry-After": "1000000"}, LONGEST_REST)]
)
def test_a_storm_of_429_is_told_to_the_budget(headers, rest):
    budget = Budget()
    with lms(budget=budget) as given:
        given.gives_tokens()
        given.gives(MEMBERSHIPS_URL, "", status=429, headers=headers)
        failure = refused(given)
        assert (failure.code, failure.retryable) == (ErrorCode.PLATFORM_BUSY, True)
        assert budget.rests == [(access(), rest)]


def test_a_token_endpoint_that_is_too_busy_is_told_to_the_budget():
    budget = Budget()
    with lms(budget=budget) as given:
        given.mock.post(TOKEN_URL, status=429, headers={"Retry-After": "120"})
        assert refused(given).code is ErrorCode.PLATFORM_BUSY
        assert budget.rests == [(access(), 120.0)]


@pytest.mark.parametrize("has_token", [True, False])
def test_what_the_budget_refuses_is_not_sent(has_token):
    budget = Budget()
    with lms(budget=budget) as given:
        given.gives_tokens()
        given.gives(MEMBERSHIPS_URL, "{}")
        if has_token:
            get(given)
        asked = len(given.mock.calls)
        budget.is_shut = True
        assert refused(given).code is ErrorCode.PLATFORM_BUSY
        assert len(given.mock.calls) == asked
        budget.is_shut = False
        assert get(given).status == 200


def test_canvas_says_busy_as_403_too(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "", status=403, headers={"X-Rate-Limit-Remaining": "0.0"})
    assert refused(moodle, who=access(product="canvas")).code is ErrorCode.PLATFORM_BUSY


@pytest.mark.parametrize(
    "status,code",
    [
        (400, ErrorCode.PLATFORM_REFUSED),
        (403, ErrorCode.PLATFORM_REFUSED),
        (404, ErrorCode.PLATFORM_REFUSED),
        (500, ErrorCode.PLATFORM_UNREACHABLE),
        (504, ErrorCode.PLATFORM_UNREACHABLE),
    ],
)
def test_refusals_carry_the_platforms_status(moodle, status, code):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "<html>secret course</html>", status=status)
    failure = refused(moodle)
    assert (failure.code, failure.http_status) == (code, status)
    assert "secret" not in str(failure)


def test_no_call_is_made_when_the_time_is_over(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    deadline = moodle.connector.deadline_in(2)
    get(moodle, deadline=deadline)
    asked = len(moodle.mock.calls)
    moodle.time.seconds += 2
    assert refused(moodle, deadline=deadline).code is ErrorCode.PLATFORM_TIMED_OUT
    assert len(moodle.mock.calls) == asked


def test_a_call_inside_a_transaction_is_our_mistake_and_not_the_platforms(moodle):
    moodle.gives_tokens()
    transaction_opened()
    try:
        with pytest.raises(OutboundRefused):
            get(moodle)
    finally:
        transaction_closed()


# -- scopes and queries


def test_scopes_that_were_granted_are_asked_for_together():
    wanted = (f"{AGS}lineitem", f"{AGS}lineitem.readonly")
    assert access().require(*wanted) == set(wanted)
    readonly = access(granted=frozenset({f"{AGS}lineitem.readonly"}))
    assert readonly.require(*wanted) == {f"{AGS}lineitem.readonly"}
    with pytest.raises(PlatformFailed) as raised:
        readonly.require(f"{AGS}lineitem")
    assert raised.value.code is ErrorCode.PLATFORM_SCOPE_MISSING
    assert access(granted=None).require(*wanted) == {wanted[0]}


def test_a_query_is_added_to_the_one_that_is_there():
    assert with_query("https://x/a?type_id=1", {"user_id": "a b"}) == "https://x/a?type_id=1&user_id=a+b"
    assert with_query("https://x/a", {"role": "Learner"}) == "https://x/a?role=Learner"
    assert with_query("https://x/A%2fb?Q", {}) == "https://x/A%2fb?Q"


# -- a platform that does not answer


class Silent:
    """A platform that takes every call and answers none, until told to."""

    def __init__(self, given: Lms) -> None:
        self.network, self.time = given.connector._outbound, given.time
        self.waits: list[float] = []
        self.is_silent = True
        given.connector._outbound = self

    def request(self, method: str, url: str, *, timeout: float, **options: object) -> Answer:
        if not self.is_silent:
            return self.network.request(method, url, timeout=timeout, **options)
        self.waits.append(timeout)
        self.time.seconds += timeout
        raise PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT, "silence", retryable=True)


@pytest.fixture
def silent(moodle: Lms) -> Silent:
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "{}")
    return Silent(moodle)


def test_a_platform_that_did_not_answer_is_left_alone_for_a_while(moodle, silent):
    assert refused(moodle).code is ErrorCode.PLATFORM_TIMED_OUT
    for _ in range(5):
        failure = refused(moodle)
        assert (failure.code, failure.retryable) == (ErrorCode.PLATFORM_TIMED_OUT, True)
        assert 0 < failure.retry_after <= SILENCE
    assert len(silent.waits) == 1, "nobody waits again for what somebody has just waited for"
    silent.is_silent = False
    moodle.time.seconds += SILENCE
    assert get(moodle).status == 200
    assert get(moodle).status == 200


def test_visits_do_not_each_wait_for_a_platform_that_is_silent(moodle, silent):
    for _ in range(20):
        refused(moodle, deadline=moodle.connector.deadline_in(2.0))
    assert silent.waits == [2.0]


def test_a_visit_that_was_not_answered_in_time_does_not_stop_who_can_wait_longer(moodle, silent):
    """A slow platform is not a silent one: the schedule has thirty seconds where a visit has two."""
    refused(moodle, deadline=moodle.connector.deadline_in(2.0))
    silent.is_silent = False
    assert get(moodle).status == 200


def test_one_call_that_takes_too_long_does_not_silence_a_platform_that_answers_others(moodle, silent):
    silent.is_silent = False
    get(moodle)
    inner = silent.network

    class Busy:
        def request(self, *arguments: object, **options: object) -> Answer:
            silent.network = inner
            moodle.time.seconds += 10
            get(moodle)  # somebody else's call, meanwhile
            raise PlatformFailed(ErrorCode.PLATFORM_TIMED_OUT, "a roster of 100,000", retryable=True)

    silent.network = Busy()
    assert refused(moodle).code is ErrorCode.PLATFORM_TIMED_OUT
    assert get(moodle).status == 200


def test_a_platform_that_cannot_be_connected_to_is_left_alone_as_well(moodle):
    moodle.mock.post(TOKEN_URL, body=requests.exceptions.ConnectionError("refused"))
    assert refused(moodle).code is ErrorCode.PLATFORM_UNREACHABLE
    asked = len(moodle.mock.calls)
    assert refused(moodle).code is ErrorCode.PLATFORM_UNREACHABLE
    assert len(moodle.mock.calls) == asked


def test_a_platform_that_answers_an_error_is_not_silent(moodle):
    moodle.gives_tokens()
    moodle.gives(MEMBERSHIPS_URL, "", status=500)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    assert refused(moodle).http_status == 500
    assert get(moodle).status == 200


def test_the_silence_of_one_registration_is_not_that_of_another(moodle, silent):
    other = access(id="r2", client_id="another")
    refused(moodle)
    silent.is_silent = False
    assert get(moodle, who=other).status == 200


def test_a_visit_does_not_wait_longer_than_it_has_for_somebody_elses_token(moodle):
    asked, go_on = threading.Event(), threading.Event()

    def slowly(_request: object) -> tuple[int, dict[str, str], str]:
        asked.set()
        go_on.wait(10)
        return 200, {}, '{"access_token": "t"}'

    moodle.mock.add_callback(responses.POST, TOKEN_URL, slowly)
    moodle.gives(MEMBERSHIPS_URL, "{}")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(get, moodle)
        assert asked.wait(10)
        failure = refused(moodle, deadline=moodle.connector.deadline_in(0.1))
        go_on.set()
        assert first.result().status == 200
    assert failure.code is ErrorCode.PLATFORM_TIMED_OUT
