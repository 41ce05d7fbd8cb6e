"""Keys: made, found, rotated and refused."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from joserfc.jwk import ECKey, OKPKey, RSAKey

from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.keyring import (
    LTI,
    OVERLAP,
    PUBLISHED_AHEAD,
    Algorithm,
    Keyring,
    Signer,
    Tended,
    issuer_purpose,
    token_purpose,
)

ISSUER = issuer_purpose("iss_1")
TOKENS = token_purpose("iss_1")
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.fixture
def keyring(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys")


def pem(key: object) -> bytes:
    return key.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_key_is_of_the_kind_its_purpose_asks_for_and_its_signatures_verify(keyring: Keyring) -> None:
    keyring.generate(LTI)
    keyring.generate(ISSUER)
    lti, issuer = keyring.signer(LTI), keyring.signer(ISSUER)
    assert isinstance(lti.public_key, rsa.RSAPublicKey)
    assert lti.public_key.key_size == 2048
    lti.public_key.verify(lti.sign(b"message"), b"message", padding.PKCS1v15(), hashes.SHA256())
    assert isinstance(issuer.public_key, ed25519.Ed25519PublicKey)
    issuer.public_key.verify(issuer.sign(b"message"), b"message")
    assert len(issuer.raw_public_key) == 32
    with pytest.raises(TypeError):
        _ = lti.raw_public_key


# RFC 8032 §7.1: seed, message, signature
RFC_8032 = {
    "TEST 1": (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "",
        (
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
            "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b"
        ),
    ),
    "TEST 2": (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "72",
        (
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
            "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        ),
    ),
    "TEST 3": (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "af82",
        (
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac"
            "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a"
        ),
    ),
    "TEST SHA(abc)": (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        (
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f"
        ),
        (
            "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b589"
            "09351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704"
        ),
    ),
}


@pytest.mark.parametrize("seed,message,signature", RFC_8032.values(), ids=RFC_8032)
def test_ed25519_signatures_are_those_of_rfc_8032(seed: str, message: str, signature: str) -> None:
    key = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(seed))
    signer = Signer(ISSUER, "k", "active", key)
    assert signer.sign(bytes.fromhex(message)).hex() == signature


def test_a_signer_that_has_signed_shows_its_secret_to_nobody_who_prints_it(keyring: Keyring) -> None:
    keyring.generate(ISSUER)
    signer = keyring.signer(ISSUER)
    signer.sign(b"message")
    assert isinstance(signer.private_key, ed25519.Ed25519PrivateKey)
    secret = signer.private_key.private_bytes_raw()
    shown = f"{signer!r} {vars(signer)!r} {asdict(replace(signer, private_key=None))!r}"  # type: ignore[arg-type]
    assert not any(form in shown for form in (repr(secret)[2:-1], secret.hex(), str(list(secret))[1:-1]))


def test_a_key_that_is_used_no_more_is_not_kept_in_memory(keyring: Keyring, tmp_path: Path) -> None:
    """Neither by the process that gives it up, nor by one that goes on signing beside it."""
    other = Keyring(tmp_path / "keys")
    seen = keyring.generate(ISSUER)
    assert other.signer(ISSUER).kid == seen.kid
    keyring.compromise(ISSUER, seen.kid, NOW)
    (tmp_path / "keys" / ISSUER / "compromised" / f"{seen.kid}.pem").unlink()
    for one in (keyring, other):
        assert one.signer(ISSUER).kid != seen.kid
        assert seen.kid not in repr(one.__dict__)


def test_the_kid_is_the_thumbprint_that_another_implementation_computes(keyring: Keyring) -> None:
    assert keyring.generate(LTI).kid == RSAKey.import_key(keyring.signer(LTI).private_pem).thumbprint()
    assert keyring.generate(ISSUER).kid == OKPKey.import_key(keyring.signer(ISSUER).private_pem).thumbprint()


def test_the_published_set_holds_public_members_only(keyring: Keyring) -> None:
    keyring.generate(LTI)
    (key,) = keyring.jwks()["keys"]
    assert set(key) == {"kty", "n", "e", "kid", "alg", "use"}


def test_files_and_folders_are_for_this_user_alone(keyring: Keyring, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        keyring.generate(LTI)
        keyring.rotate(ISSUER, NOW)
        keyring.rotate(ISSUER, NOW)
    finally:
        os.umask(before)
    for path in (tmp_path / "keys", *(tmp_path / "keys").rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_key_file_that_others_can_touch_is_refused_even_when_it_was_good_before(
    keyring: Keyring, tmp_path: Path, mode: int
) -> None:
    kid = keyring.generate(LTI).kid
    assert keyring.signer(LTI).kid == kid
    (tmp_path / f"keys/lti/active/{kid}.pem").chmod(mode)
    for use in (lambda: keyring.signer(LTI), keyring.jwks, keyring.list):
        with pytest.raises(ConfigurationInvalid) as refusal:
            use()
        assert refusal.value.code is ErrorCode.KEY_FILE_EXPOSED


def test_a_rotation_is_noticed_by_a_running_server(keyring: Keyring, tmp_path: Path) -> None:
    running = Keyring(tmp_path / "keys")
    first = keyring.generate(LTI).kid
    assert running.signer(LTI).kid == first
    second = keyring.rotate(LTI, NOW).kid
    assert running.signer(LTI).kid == second
    assert [key["kid"] for key in running.jwks()["keys"]] == [second, first]
    assert [(view.kid, view.state) for view in running.list()] == [(second, "active"), (first, "retired")]


def test_of_two_active_keys_the_newest_signs(keyring: Keyring, tmp_path: Path) -> None:
    old, new = keyring.generate(ISSUER).kid, keyring.generate(ISSUER).kid
    os.utime(tmp_path / f"keys/{ISSUER}/active/{old}.pem", ns=(1, 1))
    assert keyring.signer(ISSUER).kid == new
    os.utime(tmp_path / f"keys/{ISSUER}/active/{new}.pem", ns=(0, 0))
    assert keyring.signer(ISSUER).kid == old


def test_ensuring_twice_makes_one_key(keyring: Keyring) -> None:
    assert keyring.ensure(ISSUER) == keyring.ensure(ISSUER)
    assert len(keyring.list()) == 1


def test_without_an_active_key_nothing_is_signed(keyring: Keyring) -> None:
    with pytest.raises(ConfigurationInvalid) as refusal:
        keyring.signer(LTI)
    assert refusal.value.code is ErrorCode.KEY_MISSING
    assert keyring.jwks() == {"keys": []}
    assert keyring.list() == ()


def test_one_issuers_key_is_not_anothers(keyring: Keyring) -> None:
    keyring.generate(ISSUER)
    with pytest.raises(ConfigurationInvalid):
        keyring.signer(issuer_purpose("iss_2"))


@pytest.mark.parametrize("issuer_id", ["", "..", "../lti", "a/b", "a\0", ".hidden", "a" * 200, "é"])
def test_an_issuer_id_cannot_name_another_folder(keyring: Keyring, issuer_id: str) -> None:
    with pytest.raises(ConfigurationInvalid):
        issuer_purpose(issuer_id)
    for use in (keyring.generate, keyring.signer, keyring.of, keyring.verification_keys):
        with pytest.raises(ConfigurationInvalid):
            use(f"issuers/{issuer_id}")


def test_a_file_that_is_not_the_key_it_says_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    kid = keyring.generate(LTI).kid
    path = tmp_path / f"keys/lti/active/{kid}.pem"
    for content in (
        b"",
        b"not a key",
        pem(ed25519.Ed25519PrivateKey.generate()),
        pem(ec.generate_private_key(ec.SECP256R1())),
        pem(rsa.generate_private_key(65537, 1024)),
        pem(rsa.generate_private_key(65537, 2048)),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigurationInvalid) as refusal:
            keyring.signer(LTI)
        assert refusal.value.code is ErrorCode.KEY_MISSING


# -- who else could reach them


def code_of(use: Callable[[], object]) -> ErrorCode:
    with pytest.raises(ConfigurationInvalid) as refusal:
        use()
    return refusal.value.code


@pytest.mark.parametrize("folder", [".", "issuers", ISSUER, f"{ISSUER}/active"])
@pytest.mark.parametrize("mode", [0o770, 0o702, 0o777])
def test_a_folder_that_others_can_write_to_is_refused(
    keyring: Keyring, tmp_path: Path, folder: str, mode: int
) -> None:
    keyring.generate(ISSUER)
    (tmp_path / "keys" / folder).chmod(mode)
    assert code_of(lambda: keyring.signer(ISSUER)) is ErrorCode.KEY_FILE_EXPOSED
    (tmp_path / "keys" / folder).chmod(0o755)
    assert keyring.signer(ISSUER).kid, "that others see the names of public keys is no harm"


def test_a_link_to_a_key_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    kid = keyring.generate(LTI).kid
    path, elsewhere = tmp_path / f"keys/lti/active/{kid}.pem", tmp_path / f"{kid}.pem"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    assert code_of(lambda: keyring.signer(LTI)) is ErrorCode.KEY_FILE_EXPOSED


def test_a_link_to_a_folder_of_keys_is_refused(keyring: Keyring, tmp_path: Path) -> None:
    keyring.generate(LTI)
    folder, elsewhere = tmp_path / "keys/lti/active", tmp_path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)
    assert code_of(lambda: keyring.signer(LTI)) is ErrorCode.KEY_FILE_EXPOSED


def test_the_folder_of_all_keys_may_be_a_link(keyring: Keyring, tmp_path: Path) -> None:
    kid = keyring.generate(LTI).kid
    (tmp_path / "link").symlink_to(tmp_path / "keys")
    assert Keyring(tmp_path / "link").signer(LTI).kid == kid


def test_another_users_file_is_refused(keyring: Keyring, monkeypatch: pytest.MonkeyPatch) -> None:
    keyring.generate(LTI)
    if os.geteuid() == 0:
        os.chown(next(keyring._keys_dir.glob("lti/active/*.pem")), 4711, 4711)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 4711)
    assert code_of(lambda: keyring.signer(LTI)) is ErrorCode.KEY_FILE_EXPOSED


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_root_makes_belongs_to_whom_the_folder_belongs(keyring: Keyring, tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir(mode=0o700)
    os.chown(tmp_path / "keys", 4711, 4712)
    keyring.generate(LTI)
    keyring.rotate(LTI, NOW)
    for path in (tmp_path / "keys").rglob("*"):
        assert (path.stat().st_uid, path.stat().st_gid) == (4711, 4712), path
    assert len(keyring.list()) == 2


# -- encrypted at rest

PASSPHRASE = b"correct horse battery staple 0123456789"


@pytest.fixture
def locked(tmp_path: Path) -> Keyring:
    return Keyring(tmp_path / "keys", PASSPHRASE)


def test_with_a_passphrase_every_file_is_encrypted_and_signs_as_before(
    locked: Keyring, tmp_path: Path
) -> None:
    locked.generate(LTI)
    locked.generate(ISSUER)
    locked.rotate(LTI, NOW)
    locked.announce(LTI, NOW)
    files = list((tmp_path / "keys").rglob("*.pem"))
    assert len(files) == 4
    for path in files:
        assert b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()
        serialization.load_pem_private_key(path.read_bytes(), PASSPHRASE)
    fresh = Keyring(tmp_path / "keys", PASSPHRASE)
    signer = fresh.signer(ISSUER)
    signer.public_key.verify(signer.sign(b"message"), b"message")  # type: ignore[call-arg]
    assert all(view.is_encrypted for view in fresh.list())


def test_without_the_passphrase_or_with_another_nothing_is_signed_and_nothing_made(
    locked: Keyring, tmp_path: Path
) -> None:
    locked.generate(LTI)
    before = sorted((tmp_path / "keys").rglob("*"))
    for keyring, code in (
        (Keyring(tmp_path / "keys"), ErrorCode.KEY_PASSPHRASE_MISSING),
        (Keyring(tmp_path / "keys", PASSPHRASE + b"!"), ErrorCode.KEY_PASSPHRASE_WRONG),
    ):
        for use in (
            lambda k=keyring: k.signer(LTI),
            lambda k=keyring: k.jwks(),
            lambda k=keyring: k.ensure(LTI),
            lambda k=keyring: k.rotate(LTI, NOW),
            lambda k=keyring: k.rewrite(encrypted=False),
            lambda k=keyring: k.tend(LTI, NOW, timedelta(days=1)),
        ):
            assert code_of(use) is code
    assert sorted((tmp_path / "keys").rglob("*")) == before


def test_encrypting_and_decrypting_keeps_keys_states_and_times(keyring: Keyring, tmp_path: Path) -> None:
    keyring.generate(LTI)
    keyring.rotate(LTI, NOW)
    keyring.generate(ISSUER)
    before = {(view.purpose, view.kid, view.state, view.made_at) for view in keyring.list()}
    locked = Keyring(tmp_path / "keys", PASSPHRASE)
    assert locked.signer(LTI).kid, "files that are not encrypted yet go on serving"
    assert len(locked.rewrite(encrypted=True)) == 3
    assert locked.rewrite(encrypted=True) == ()
    assert code_of(lambda: keyring.signer(LTI)) is ErrorCode.KEY_PASSPHRASE_MISSING
    assert {(view.purpose, view.kid, view.state, view.made_at) for view in locked.list()} == before
    assert len(locked.tend(LTI, NOW + OVERLAP).removed) == 1, "since when a key is retired was kept"
    assert len(locked.rewrite(encrypted=False)) == 2
    assert not any(view.is_encrypted for view in Keyring(tmp_path / "keys").list())
    for path in (tmp_path / "keys").rglob("*.pem"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_nothing_is_encrypted_without_a_passphrase(keyring: Keyring) -> None:
    keyring.generate(LTI)
    assert code_of(lambda: keyring.rewrite(encrypted=True)) is ErrorCode.KEY_PASSPHRASE_MISSING
    assert keyring.signer(LTI).kid


# -- by schedule

EVERY = timedelta(days=90)


def age(keyring: Keyring, kid: str, state: str, made_at: datetime) -> None:
    """Pretend that the file was written then."""
    at = int(made_at.timestamp() * 10**9)
    os.utime(keyring._keys_dir / f"lti/{state}/{kid}.pem", ns=(at, at))


def published(keyring: Keyring) -> list[str]:
    return [key["kid"] for key in keyring.jwks()["keys"]]


def test_a_key_of_the_schedule_is_published_a_day_before_it_signs(keyring: Keyring) -> None:
    first = keyring.generate(LTI).kid
    age(keyring, first, "active", NOW - EVERY + timedelta(seconds=1))
    assert keyring.tend(LTI, NOW, EVERY) == Tended()
    age(keyring, first, "active", NOW - EVERY)
    (second,) = keyring.tend(LTI, NOW, EVERY).announced
    assert keyring.signer(LTI).kid == first
    assert published(keyring) == [first, second]
    age(keyring, second, "next", NOW)
    assert keyring.tend(LTI, NOW + PUBLISHED_AHEAD - timedelta(seconds=1), EVERY) == Tended()
    assert keyring.signer(LTI).kid == first

    later = NOW + PUBLISHED_AHEAD
    assert keyring.tend(LTI, later, EVERY) == Tended(activated=(second,))
    assert keyring.signer(LTI).kid == second
    assert published(keyring) == [second, first]
    assert keyring.tend(LTI, later, EVERY) == Tended()

    assert keyring.tend(LTI, later + OVERLAP - timedelta(seconds=1), EVERY) == Tended()
    assert keyring.tend(LTI, later + OVERLAP, EVERY) == Tended(removed=(first,))
    assert published(keyring) == [second]


def test_an_announced_key_signs_after_a_day_though_there_is_no_schedule(keyring: Keyring) -> None:
    first = keyring.generate(LTI).kid
    second = keyring.announce(LTI, NOW).kid
    assert keyring.announce(LTI, NOW).kid == second, "announcing twice makes one key"
    age(keyring, second, "next", NOW - PUBLISHED_AHEAD)
    assert keyring.tend(LTI, NOW) == Tended(activated=(second,))
    assert published(keyring) == [second, first]


def test_an_emergency_rotation_uses_no_key_that_lay_beside_the_seen_one(keyring: Keyring) -> None:
    first, second = keyring.generate(LTI).kid, keyring.announce(LTI, NOW).kid
    third = keyring.rotate(LTI, NOW).kid
    assert third not in (first, second)
    assert published(keyring) == [third, first]


def test_a_key_that_an_earlier_release_retired_is_published_for_the_whole_overlap(keyring: Keyring) -> None:
    first = keyring.generate(LTI).kid
    keyring.rotate(LTI, NOW)
    path = keyring._keys_dir / f"lti/retired/{first}.pem"
    path.write_bytes(path.read_bytes().partition(b"\n")[2])
    assert keyring.tend(LTI, NOW) == Tended()
    assert keyring.tend(LTI, NOW + OVERLAP).removed == (first,)


def test_issuers_retired_keys_are_never_removed(keyring: Keyring) -> None:
    keyring.generate(ISSUER)
    keyring.rotate(ISSUER, NOW)
    assert keyring.tend(ISSUER, NOW + timedelta(days=36_500)).removed == ()
    assert len(keyring.verification_keys(ISSUER)) == 2


def test_a_compromised_key_is_published_nowhere_and_another_one_signs(keyring: Keyring) -> None:
    stolen = keyring.generate("issuers/1")
    signing = keyring.compromise("issuers/1", stolen.kid, NOW)
    assert signing.kid != stolen.kid
    assert keyring.signer("issuers/1").kid == signing.kid
    assert [signer.kid for signer in keyring.verification_keys("issuers/1")] == [signing.kid]
    states = {view.kid: (view.state, view.retired_at) for view in keyring.list()}
    assert states == {signing.kid: ("active", None), stolen.kid: ("compromised", NOW)}


@pytest.mark.parametrize("state", ["active", "retired"])
def test_a_copy_of_a_compromised_key_neither_signs_nor_is_published(
    state: str, keyring: Keyring, tmp_path: Path
) -> None:
    """Whoever rotates at the moment of the compromise may retire the key after it was moved; a back-up that
    is put back has it as the active one."""
    stolen = keyring.generate(ISSUER)
    (before,) = tmp_path.rglob(f"{stolen.kid}.pem")
    content = before.read_bytes()
    signing = keyring.compromise(ISSUER, stolen.kid, NOW)
    left = before.parent.parent / state / before.name
    left.parent.mkdir(mode=0o700, exist_ok=True)
    left.touch(mode=0o600)
    left.write_bytes(content)
    assert keyring.signer(ISSUER).kid == signing.kid
    assert stolen.kid not in {signer.kid for signer in keyring.verification_keys(ISSUER)}
    keyring.compromise(ISSUER, stolen.kid, NOW)
    assert not left.exists()


def test_a_compromise_is_told_once_and_of_a_retired_key_makes_no_new_one(keyring: Keyring) -> None:
    stolen = keyring.generate("issuers/1")
    signing = keyring.rotate("issuers/1", NOW)
    for _ in range(2):
        assert keyring.compromise("issuers/1", stolen.kid, NOW + timedelta(days=1)) == signing
    assert [view.kid for view in keyring.of("issuers/1")] == [signing.kid]
    (compromised,) = keyring.of("issuers/1", ("compromised",))
    assert compromised.retired_at == NOW


def test_another_issuers_key_cannot_be_told_compromised(keyring: Keyring) -> None:
    theirs = keyring.generate("issuers/2")
    keyring.generate("issuers/1")
    for kid in (theirs.kid, "../../lti/active/key", ""):
        with pytest.raises(ConfigurationInvalid) as caught:
            keyring.compromise("issuers/1", kid, NOW)
        assert caught.value.code is ErrorCode.KEY_MISSING
    assert len(keyring.of("issuers/1")) == len(keyring.of("issuers/2")) == 1


def test_half_written_and_foreign_files_are_passed_over(keyring: Keyring, tmp_path: Path) -> None:
    kid = keyring.generate(LTI).kid
    folder = tmp_path / "keys/lti/active"
    (folder / ".half.pem.1234").write_bytes(b"")
    (folder / ".half.pem").write_bytes(b"")
    (folder / "README.md").write_text("by hand")
    assert [view.kid for view in keyring.list()] == [kid]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_keys_of_tokens_are_beside_the_issuers_own(
    keyring: Keyring, tmp_path: Path, algorithm: Algorithm
) -> None:
    keyring.generate(ISSUER)
    made = keyring.ensure(TOKENS, algorithm)
    assert keyring.ensure(TOKENS, algorithm).kid == made.kid
    assert (tmp_path / f"keys/issuers/iss_1/tokens/active/{made.kid}.pem").exists()
    signer = keyring.signer(TOKENS, algorithm)
    assert (signer.algorithm, signer.kid) == (algorithm, made.kid)
    kind = RSAKey if algorithm == "RS256" else ECKey
    assert kind.import_key(signer.private_pem).thumbprint() == made.kid
    assert signer.sign(b"message") == signer.sign(b"message")
    assert {view.purpose for view in keyring.list()} == {ISSUER, TOKENS}
    assert [key.algorithm for key in keyring.verification_keys(ISSUER)] == ["EdDSA"]


def test_rotating_keys_of_tokens_keeps_their_kind_and_publishes_the_old_one(keyring: Keyring) -> None:
    before = keyring.ensure(TOKENS, "ES256")
    after = keyring.rotate(TOKENS, NOW)
    assert after.algorithm == "ES256"
    assert [key.kid for key in keyring.verification_keys(TOKENS)] == [after.kid, before.kid]


@pytest.mark.parametrize(
    "purpose,algorithm", [(ISSUER, "RS256"), (TOKENS, "EdDSA"), (LTI, "ES256"), (ISSUER, "ES256")]
)
def test_no_purpose_gets_a_key_of_anothers_kind(keyring: Keyring, purpose: str, algorithm: Algorithm) -> None:
    with pytest.raises(ConfigurationInvalid):
        keyring.generate(purpose, algorithm)


def test_an_issuer_may_be_called_tokens(keyring: Keyring) -> None:
    assert keyring.ensure(issuer_purpose("tokens")).algorithm == "EdDSA"
    assert keyring.ensure(token_purpose("tokens")).algorithm == "RS256"
    assert len(keyring.list()) == 2


def test_a_key_on_another_curve_is_none_of_ours(keyring: Keyring, tmp_path: Path) -> None:
    kid = keyring.ensure(TOKENS, "ES256").kid
    path = tmp_path / f"keys/issuers/iss_1/tokens/active/{kid}.pem"
    path.write_bytes(pem(ec.generate_private_key(ec.SECP384R1())))
    with pytest.raises(ConfigurationInvalid):
        keyring.signer(TOKENS)
