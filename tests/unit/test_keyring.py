"""Keys: made, found, rotated and refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from joserfc.jwk import OKPKey, RSAKey

from lti_tool.errors import ConfigurationInvalid, ErrorCode
from lti_tool.keyring import LTI, Keyring, issuer_purpose

ISSUER = issuer_purpose("iss_1")


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
        keyring.rotate(ISSUER)
        keyring.rotate(ISSUER)
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
    second = keyring.rotate(LTI).kid
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
    for use in (keyring.generate, keyring.signer, keyring.rotate, keyring.verification_keys):
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


def test_half_written_and_foreign_files_are_passed_over(keyring: Keyring, tmp_path: Path) -> None:
    kid = keyring.generate(LTI).kid
    folder = tmp_path / "keys/lti/active"
    (folder / ".half.pem.1234").write_bytes(b"")
    (folder / ".half.pem").write_bytes(b"")
    (folder / "README.md").write_text("by hand")
    assert [view.kid for view in keyring.list()] == [kid]
