"""The launch, its checks of the token: algorithm, key, signature, whom it is from and for, times, nonce."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lti_tool.errors import ErrorCode, LaunchRefused
from lti_tool.lti.launch import LEEWAY_SECONDS, MAX_TOKEN_AGE_SECONDS
from lti_tool.lti.oidc import STATE_LIFETIME_SECONDS
from tests.unit.lti.tokens import (
    HEADER,
    MISSING,
    MOODLE,
    NOW,
    Platform,
    auth_parameters,
    b64,
    code_of,
    jwk,
    public_pem,
    rsa_key,
    sign,
    sign_es256,
    sign_hs256,
)

# -- 3. algorithm, key id, signature


@pytest.mark.parametrize(
    "token", ["", "a", "a.b", "a.b.c.d", "....", "ä.b.c", "bm90IGpzb24.e30.x", "W10.e30.x", "e30.e30.e3 0"]
)
def test_what_is_no_token_is_refused(platform: Platform, token: str) -> None:
    login = platform.login()
    expected = ErrorCode.LAUNCH_TOKEN_MALFORMED if token else ErrorCode.LAUNCH_FORM_INVALID
    assert code_of(lambda: platform.post(login, token)) is expected


@pytest.mark.parametrize("payload", [b"[]", b"not json", b"\xff", b'{"a": "\\ud800"}', b"[" * 20_000])
def test_a_signed_payload_that_is_no_object_is_refused(platform: Platform, payload: bytes) -> None:
    login = platform.login()
    # The payload is signed as it stands: what is wrong with it is only its content.
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    message = sign(platform.key, HEADER, {}).split(".")[0] + "." + b64(payload)
    signature = b64(platform.key.sign(message.encode(), padding.PKCS1v15(), hashes.SHA256()))
    assert code_of(lambda: platform.post(login, f"{message}.{signature}")) is ErrorCode.LAUNCH_TOKEN_MALFORMED


def test_a_deeply_nested_header_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = f"{b64(b'[' * 20_000)}.e30.x"
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_TOKEN_MALFORMED


def test_alg_none_is_refused(platform: Platform) -> None:
    login = platform.login()
    claims = platform.claims(login)
    for name in ("none", "None", "nOnE"):
        token = sign(platform.key, {**HEADER, "alg": name}, claims).rpartition(".")[0] + "."
        assert code_of(lambda token=token: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED


def test_hs256_with_the_public_key_as_secret_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = sign_hs256(public_pem(platform.key), {**HEADER, "alg": "HS256"}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED


def test_es256_under_the_kid_of_an_rsa_key_is_refused(platform: Platform) -> None:
    login = platform.login()
    key = ec.generate_private_key(ec.SECP256R1())
    token = sign_es256(key, {**HEADER, "alg": "ES256"}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED


@pytest.mark.parametrize("alg", [MISSING, None, "", "RS384", "RS512", "PS256", "rs256", ["RS256"], 1])
def test_any_other_algorithm_is_refused_before_a_key_is_sought(platform: Platform, alg: object) -> None:
    login = platform.login()
    header = {"typ": "JWT", "kid": "unknown", **({} if alg is MISSING else {"alg": alg})}
    token = sign(platform.key, header, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_ALGORITHM_REFUSED
    assert platform.fetched == []


@pytest.mark.parametrize("kid", [MISSING, None, "", 7, ["key-1"]], ids=repr)
def test_a_header_without_kid_is_refused(platform: Platform, kid: object) -> None:
    login = platform.login()
    header = {"typ": "JWT", "alg": "RS256", **({} if kid is MISSING else {"kid": kid})}
    token = sign(platform.key, header, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_KEY_ID_MISSING


def test_an_unknown_kid_is_refused_after_one_refetch(platform: Platform) -> None:
    platform.launch()
    login = platform.login()
    token = sign(platform.key, {**HEADER, "kid": "made up"}, platform.claims(login))
    for _ in range(5):
        assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert len(platform.fetched) == 2


def test_a_key_named_in_the_header_is_never_used(platform: Platform) -> None:
    login = platform.login()
    own = rsa_key("attacker")
    header = {
        **HEADER,
        "kid": "attacker",
        "jwk": jwk(own, "attacker"),
        "jku": "https://attacker.example/jwks",
        "x5u": "https://attacker.example/cert",
    }
    token = sign(own, header, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_KEY_UNKNOWN
    assert set(platform.fetched) == {MOODLE.jwks_url}
    token = sign(own, {**header, "kid": "key-1"}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_SIGNATURE_INVALID


def test_a_key_named_in_the_header_does_not_spoil_a_good_token(platform: Platform) -> None:
    login = platform.login()
    header = {**HEADER, "jwk": jwk(rsa_key("attacker"), "key-1"), "jku": "https://attacker.example/jwks"}
    assert platform.post(login, sign(platform.key, header, platform.claims(login))).user.sub == "5"


def test_a_critical_extension_that_we_do_not_know_is_refused(platform: Platform) -> None:
    login = platform.login()
    token = sign(platform.key, {**HEADER, "crit": ["b64"], "b64": False}, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_TOKEN_MALFORMED


def test_a_flipped_byte_is_refused(platform: Platform) -> None:
    login = platform.login()
    header, payload, signature = platform.token(login).split(".")
    for at in (0, 100, len(signature) - 3):
        flipped = "A" if signature[at] != "A" else "B"
        token = f"{header}.{payload}.{signature[:at]}{flipped}{signature[at + 1 :]}"
        assert code_of(lambda token=token: platform.post(login, token)) is ErrorCode.LAUNCH_SIGNATURE_INVALID
    other = platform.token(login, sub="6").split(".")[1]
    assert (
        code_of(lambda: platform.post(login, f"{header}.{other}.{signature}"))
        is ErrorCode.LAUNCH_SIGNATURE_INVALID
    )
    assert code_of(lambda: platform.post(login, f"{header}.{payload}.")) is ErrorCode.LAUNCH_SIGNATURE_INVALID


def test_another_tenant_s_key_under_the_same_kid_is_refused() -> None:
    other = replace(
        MOODLE, id="registration-of-other", client_id="client-2", jwks_url="https://other.example/jwks"
    )
    platform = Platform(MOODLE, other)
    platform.key_sets[other.jwks_url] = {"keys": [jwk(rsa_key("other tenant"), "key-1")]}
    login = platform.login()
    token = sign(rsa_key("other tenant"), HEADER, platform.claims(login))
    assert code_of(lambda: platform.post(login, token)) is ErrorCode.LAUNCH_SIGNATURE_INVALID


# -- 4. issuer, audience, authorised party, times


@pytest.mark.parametrize("iss", [MISSING, None, "https://evil.example", "https://moodle.example/", ["x"]])
def test_another_issuer_is_refused(platform: Platform, iss: object) -> None:
    assert code_of(lambda: platform.launch(iss=iss)) is ErrorCode.LAUNCH_ISSUER_WRONG


@pytest.mark.parametrize(
    "aud",
    [
        MISSING,
        None,
        "other",
        "",
        [],
        ["other"],
        ["client-1", "stranger"],
        ["stranger", "client-1"],
        [["client-1"]],
    ],
    ids=repr,
)
@pytest.mark.parametrize("azp", [MISSING, "client-1"], ids=["no azp", "our azp"])
def test_any_audience_but_ours_alone_is_refused(platform: Platform, aud: object, azp: object) -> None:
    assert code_of(lambda: platform.launch(aud=aud, azp=azp)) is ErrorCode.LAUNCH_AUDIENCE_WRONG


@pytest.mark.parametrize("aud", ["client-1", ["client-1"]])
@pytest.mark.parametrize("azp", [MISSING, None, "client-1"])
def test_our_audience_is_accepted_as_text_or_list(platform: Platform, aud: object, azp: object) -> None:
    assert platform.launch(aud=aud, azp=azp).client_id == "client-1"


@pytest.mark.parametrize("azp", ["other", "", 1, ["client-1"]], ids=repr)
def test_another_authorised_party_is_refused(platform: Platform, azp: object) -> None:
    assert code_of(lambda: platform.launch(azp=azp)) is ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG


def test_several_audiences_without_authorised_party_are_refused(platform: Platform) -> None:
    refused = code_of(lambda: platform.launch(aud=["client-1", "client-1"]))
    assert refused is ErrorCode.LAUNCH_AUTHORISED_PARTY_WRONG


def seconds(**claims: float) -> dict[str, Any]:
    return {name: int(NOW.timestamp()) + value for name, value in claims.items()}


@pytest.mark.parametrize(
    "changes, code",
    [
        (seconds(iat=-200, exp=-LEEWAY_SECONDS), ErrorCode.LAUNCH_EXPIRED),
        (seconds(iat=-200, exp=-LEEWAY_SECONDS - 1), ErrorCode.LAUNCH_EXPIRED),
        (seconds(iat=LEEWAY_SECONDS + 1, exp=300), ErrorCode.LAUNCH_TIME_INVALID),
        (seconds(nbf=LEEWAY_SECONDS + 1), ErrorCode.LAUNCH_TIME_INVALID),
        (seconds(iat=10, exp=5), ErrorCode.LAUNCH_TIME_INVALID),
        (seconds(iat=-MAX_TOKEN_AGE_SECONDS - LEEWAY_SECONDS - 1, exp=60), ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": MISSING}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"iat": MISSING}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": None}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": "4102444800"}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": True}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"exp": 10**30}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"iat": -1}, ErrorCode.LAUNCH_TIME_INVALID),
        ({"nbf": "soon"}, ErrorCode.LAUNCH_TIME_INVALID),
    ],
    ids=str,
)
def test_wrong_times_are_refused(platform: Platform, changes: dict[str, Any], code: ErrorCode) -> None:
    assert code_of(lambda: platform.launch(**changes)) is code


@pytest.mark.parametrize(
    "changes",
    [
        seconds(iat=-100, exp=-LEEWAY_SECONDS + 1),
        seconds(iat=LEEWAY_SECONDS, exp=300),
        seconds(iat=-0.5, exp=59.5),
        seconds(nbf=0),
        seconds(iat=-STATE_LIFETIME_SECONDS, exp=3600),
    ],
    ids=str,
)
def test_clocks_may_differ_a_little(platform: Platform, changes: dict[str, Any]) -> None:
    assert platform.launch(**changes).user.sub == "5"


# -- 5. the nonce


@pytest.mark.parametrize("nonce", [MISSING, None, "", "another", 5, "é", ["x"]], ids=repr)
def test_a_wrong_nonce_is_refused(platform: Platform, nonce: object) -> None:
    assert code_of(lambda: platform.launch(nonce=nonce)) is ErrorCode.LAUNCH_NONCE_WRONG


def test_the_nonce_of_another_login_is_refused(platform: Platform) -> None:
    one, other = platform.login(), platform.login()
    token = platform.token(one, nonce=auth_parameters(other)["nonce"])
    assert code_of(lambda: platform.post(one, token)) is ErrorCode.LAUNCH_NONCE_WRONG


@pytest.mark.parametrize(
    "iat", [10**400, -(10**400), 1e308, 1_763_715_600_000], ids=("huge", "low", "float", "ms")
)
def test_a_time_that_is_none_says_nothing_of_the_platform_s_clock(platform: Platform, iat: float) -> None:
    with pytest.raises(LaunchRefused) as refused:
        platform.launch(iat=iat)
    assert refused.value.code is ErrorCode.LAUNCH_TIME_INVALID
    assert refused.value.clock_skew is None
