"""What somebody may do to a credential, or to the world around it, so that it must not be believed."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256

from lti_tool.credentials.multikey import encode_ed25519
from lti_tool.credentials.signing import sign_credential
from lti_tool.credentials.status_list import StatusList, build_status_list_credential
from tests.conformance.judges import Question
from tests.conformance.product import BASE_URL, Issued, did_address
from tests.unit.credentials.badges import ISSUER, NOW, STRANGER, Key

Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class Tampering:
    """One of them.

    :param what: a line of the table, which follows "refused when".
    :param of: the kind of credential.
    """

    what: str
    of: str
    make: Callable[[Question], Question]


def _text(change: Change) -> Callable[[Question], Question]:
    """Somebody changes the file."""
    return lambda question: replace(question, issued=question.issued.changed(change))


def _set(*path: str | int, to: Any) -> Callable[[Question], Question]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        assert path[-1] in place if isinstance(place, dict) else True, path
        place[path[-1]] = to

    return _text(change)


def _drop(name: str) -> Callable[[Question], Question]:
    return _text(lambda document: document.pop(name))


def _flip(document: dict[str, Any]) -> None:
    value = document["proof"][0]["proofValue"]
    document["proof"][0]["proofValue"] = value[:-1] + ("1" if value[-1] != "1" else "2")


def _second_proof(document: dict[str, Any]) -> None:
    """The true proof stays, and a false one comes beside it."""
    (true,) = document["proof"]
    document["proof"] = [dict(true)]
    _flip(document)
    document["proof"].insert(0, true)


def _signed_by(method: Callable[[dict[str, Any]], str]) -> Callable[[Question], Question]:
    """Somebody else signs the changed text with a key of their own, and says it was ``method``."""

    def change(document: dict[str, Any]) -> None:
        document["credentialSubject"]["achievement"]["name"] = "Doctor of Everything"
        del document["proof"]
        key = Key(method(document), STRANGER.private)
        document.update(json.loads(sign_credential(document, key, NOW).text))

    return _text(change)


def _own_method(document: dict[str, Any]) -> str:
    """The key id that the issuer really has, as every badge of it shows."""
    issuer = document["issuer"]["id"]
    return f"{issuer}#{_KEY_IDS[issuer]}"


_KEY_IDS: dict[str, str] = {}


def remember_keys(documents: Mapping[str, str]) -> None:
    """Note the key ids of issuers, as anybody can read them."""
    for text in documents.values():
        document = json.loads(text)
        for method in document.get("verificationMethod", ()):
            if method["type"] == "Multikey":
                _KEY_IDS[document["id"]] = method["id"].partition("#")[2]


def _world(change: Callable[[dict[str, str], dict[str, Any]], object]) -> Callable[[Question], Question]:
    """Somebody answers otherwise at an address."""

    def make(question: Question) -> Question:
        documents = dict(question.documents)
        change(documents, json.loads(question.issued.data))
        return replace(question, documents=documents)

    return make


def _list_of(document: Mapping[str, Any]) -> str:
    url: str = document["credentialStatus"]["statusListCredential"]
    return url


def _change_bits(documents: dict[str, str], document: dict[str, Any]) -> None:
    """A list in which another place is set, under the proof of the true one."""
    told = json.loads(documents[_list_of(document)])
    told["credentialSubject"]["encodedList"] = _other_bits()
    documents[_list_of(document)] = json.dumps(told)


def _other_bits() -> str:
    other = build_status_list_credential(
        list_url=f"{BASE_URL}/status/1", issuer=ISSUER, bits=StatusList.of((7,)), valid_from=NOW
    )
    encoded: str = other["credentialSubject"]["encodedList"]
    return encoded


def _strangers_list(documents: dict[str, str], document: dict[str, Any]) -> None:
    """A list of somebody else, whose proof is right."""
    stranger = f"did:key:{STRANGER.public}"
    made = build_status_list_credential(
        list_url=_list_of(document),
        issuer=replace(ISSUER, id=stranger),
        bits=StatusList.of(()),
        valid_from=NOW,
    )
    made["credentialSubject"]["statusPurpose"] = document["credentialStatus"]["statusPurpose"]
    key = Key(f"{stranger}#{STRANGER.public}", STRANGER.private)
    documents[_list_of(document)] = sign_credential(made, key, NOW).text


def _without_list(documents: dict[str, str], document: dict[str, Any]) -> None:
    del documents[_list_of(document)]


def _without_key(documents: dict[str, str], document: dict[str, Any]) -> None:
    """The issuer gave its key up."""
    url = did_address(document["issuer"]["id"])
    told = json.loads(documents[url])
    told["verificationMethod"], told["assertionMethod"] = [], []
    documents[url] = json.dumps(told)


def _strangers_key(documents: dict[str, str], document: dict[str, Any]) -> None:
    """The issuer's document lists somebody else's key under the same name."""
    url = did_address(document["issuer"]["id"])
    told = json.loads(documents[url])
    told["verificationMethod"] = [
        {**method, "publicKeyMultibase": encode_ed25519(STRANGER.private.public_key().public_bytes_raw())}
        if "publicKeyMultibase" in method
        else method
        for method in told["verificationMethod"]
    ]
    documents[url] = json.dumps(told)


def _earlier(question: Question) -> Question:
    return replace(question, now=question.now - timedelta(days=366))


# -- tokens


def _encode(members: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(members).encode()).rstrip(b"=").decode()


def _decode(segment: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    return found


def decoded(token: bytes) -> list[dict[str, Any]]:
    """Header and claims of a token."""
    return [_decode(segment) for segment in token.decode().strip().split(".")[:2]]


def _token(
    header: Callable[[dict[str, Any]], object],
    payload: Callable[[dict[str, Any]], object],
    sign: Callable[[bytes, str], bytes],
) -> Callable[[Question], Question]:
    def make(question: Question) -> Question:
        head, body, signature = question.issued.data.decode().strip().split(".")
        members, claims = _decode(head), _decode(body)
        header(members)
        payload(claims)
        signed = f"{_encode(members)}.{_encode(claims)}"
        written = base64.urlsafe_b64encode(sign(signed.encode(), signature)).rstrip(b"=").decode()
        return replace(question, issued=Issued(f"{signed}.{written}".encode()))

    return make


def _as_it_was(_signed: bytes, signature: str) -> bytes:
    return base64.urlsafe_b64decode(signature + "=" * (-len(signature) % 4))


def _nothing(_members: dict[str, Any]) -> None:
    return None


_RSA = rsa.generate_private_key(65537, 2048)


def _by_stranger(signed: bytes, _signature: str) -> bytes:
    return _RSA.sign(signed, padding.PKCS1v15(), SHA256())


def _doctor(claims: dict[str, Any]) -> None:
    claims["credentialSubject"]["achievement"]["name"] = "Doctor of Everything"


def _jwk(header: dict[str, Any]) -> None:
    numbers = _RSA.public_key().public_numbers()
    modulus = base64.urlsafe_b64encode(numbers.n.to_bytes(256, "big")).rstrip(b"=").decode()
    header.pop("kid")
    header.update(alg="RS256", jwk={"kty": "RSA", "n": modulus, "e": "AQAB"})


def _by_public_key(question: Question) -> Question:
    """The published key taken for a shared secret: an old mistake of JWT libraries."""
    head, _body, _signature = question.issued.data.decode().strip().split(".")
    kid = _decode(head)["kid"]
    document = json.loads(question.documents[did_address(kid.partition("#")[0])])
    (jwk,) = [entry["publicKeyJwk"] for entry in document["verificationMethod"] if entry["id"] == kid]
    secret = json.dumps(jwk).encode()
    return _token(
        lambda header: header.update(alg="HS256"),
        _doctor,
        lambda signed, _: hmac.digest(secret, signed, "sha256"),
    )(question)


def _give_up(question: Question) -> Question:
    head, _, _ = question.issued.data.decode().split(".")
    url = did_address(_decode(head)["kid"])
    told = json.loads(question.documents[url])
    told["verificationMethod"], told["assertionMethod"] = [], []
    return replace(question, documents={**question.documents, url: json.dumps(told)})


# -- learner records


def _inner(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["credentialSubject"]["verifiableCredential"][0]
    return found


def _unsigned_beside(document: dict[str, Any]) -> None:
    invented = json.loads(json.dumps(_inner(document)))
    invented["id"] = f"{BASE_URL}/credentials/invented"
    document["credentialSubject"]["verifiableCredential"].append(invented)


# -- hosted


def _at(change: Callable[[dict[str, Any]], object]) -> Callable[[Question], Question]:
    """The hosted assertion says something else."""

    def make(question: Question) -> Question:
        told = json.loads(question.documents[question.issued.address])
        change(told)
        return replace(question, documents={**question.documents, question.issued.address: json.dumps(told)})

    return make


def _another_persons(told: dict[str, Any]) -> None:
    told["recipient"]["identity"] = "sha256$" + hashlib.sha256(b"somebody else").hexdigest()


def _long_ago(told: dict[str, Any]) -> None:
    told.update(issuedOn="2001-01-01T00:00:00Z", expires="2002-01-01T00:00:00Z")


def _elsewhere(question: Question) -> Question:
    """Somebody copies the assertion to a host of their own."""
    address = "https://elsewhere.example/assertion"
    text = question.documents[question.issued.address]
    return replace(
        question,
        issued=Issued(question.issued.data, address),
        documents={**question.documents, address: text.replace(question.issued.address, address)},
    )


_BADGE = (
    ("the achievement has another name", _set("credentialSubject", "achievement", "name", to="Doctor")),
    ("the credential has another name", _set("name", to="Doctor of Everything")),
    ("the criteria are others", _set("credentialSubject", "achievement", "criteria", "narrative", to="None")),
    (
        "it is somebody else's",
        _set("credentialSubject", "identifier", 0, "identityHash", to="sha256$" + "0" * 64),
    ),
    ("a result is better", _set("credentialSubject", "result", 0, "value", to="100")),
    ("a skill is another", _set("credentialSubject", "achievement", "alignment", 0, "targetName", to="fly")),
    ("there are more credits", _set("credentialSubject", "achievement", "creditsAvailable", to=300)),
    ("the evidence is other work", _set("evidence", 1, "id", to="https://portfolio.example/bob")),
    ("it was awarded earlier", _set("awardedDate", to="2001-01-01T00:00:00Z")),
    ("it begins earlier", _set("validFrom", to="2001-01-01T00:00:00Z")),
    ("it ends later", _set("validUntil", to="2099-01-01T00:00:00Z")),
    ("it never ends", _drop("validUntil")),
    ("its status is another place", _set("credentialStatus", "statusListIndex", to="7")),
    ("it has no status", _drop("credentialStatus")),
    ("the issuer has another name", _set("issuer", "name", to="A better school")),
    ("the issuer is another", _set("issuer", "id", to="did:web:badges.example:issuers:another")),
    (
        "an endorsement in it says more",
        _set(
            "credentialSubject",
            "achievement",
            "endorsement",
            0,
            "credentialSubject",
            "endorsementComment",
            to="!",
        ),
    ),
    (
        "an endorsement in it was left out",
        _text(lambda document: document["credentialSubject"]["achievement"].pop("endorsement")),
    ),
    ("it has a member that no context defines", _text(lambda document: document.update(grade="A"))),
    (
        "a context of somebody's own gives words another meaning",
        _text(lambda document: document["@context"].append({"name": "https://elsewhere.example/name"})),
    ),
    ("one character of the signature is another", _text(_flip)),
    ("a false proof is beside the true one", _text(_second_proof)),
    ("it has no proof", _drop("proof")),
    ("the proof was made for another purpose", _set("proof", 0, "proofPurpose", to="authentication")),
    ("the proof was made at another time", _set("proof", 0, "created", to="2001-01-01T00:00:00Z")),
    ("a stranger signed in the name of the issuer's key", _signed_by(_own_method)),
    (
        "a stranger signed, with the key in the address",
        _signed_by(lambda document: f"{document['issuer']['id']}#{STRANGER.public}"),
    ),
    (
        "a stranger signed with a did:key",
        _signed_by(lambda _: f"did:key:{STRANGER.public}#{STRANGER.public}"),
    ),
    ("the issuer gave up its key", _world(_without_key)),
    ("the issuer's key is another", _world(_strangers_key)),
    ("it is not valid yet", _earlier),
    ("its status list cannot be had", _world(_without_list)),
    ("its status list was changed", _world(_change_bits)),
    ("its status list is somebody else's", _world(_strangers_list)),
)
_ENDORSEMENT = (
    ("the comment is another", _set("credentialSubject", "endorsementComment", to="Excellent")),
    ("it endorses something else", _set("credentialSubject", "id", to=f"{BASE_URL}/achievements/1")),
    ("the endorser is another", _set("issuer", "name", to="Harvard")),
    ("it has no proof", _drop("proof")),
)
_STATUS_LIST = (
    (
        "a bit is another",
        _set("credentialSubject", "encodedList", to=_other_bits()),
    ),
    ("its purpose is another", _set("credentialSubject", "statusPurpose", to="message")),
    ("it has no proof", _drop("proof")),
)
_RECORD = (
    ("a badge in it says something else", _text(lambda document: _inner(document).update(name="Doctor"))),
    ("a badge was added", _text(_unsigned_beside)),
    (
        "a badge was taken out",
        _text(lambda document: document["credentialSubject"]["verifiableCredential"].pop()),
    ),
    (
        "it is somebody else's",
        _set("credentialSubject", "identifier", 0, "identityHash", to="sha256$" + "0" * 64),
    ),
    ("it has no proof", _drop("proof")),
)
_TOKEN = (
    ("the achievement has another name", _token(_nothing, _doctor, _as_it_was)),
    (
        "it is said not to be signed",
        _token(lambda header: header.update(alg="none"), _doctor, lambda *_: b""),
    ),
    ("a stranger signed in the name of the issuer's key", _token(_nothing, _doctor, _by_stranger)),
    ("a stranger signed, with the key in the header", _token(_jwk, _doctor, _by_stranger)),
    ("the public key was taken for a secret", _by_public_key),
    (
        "a claim is another than the member",
        _token(_nothing, lambda claims: claims.update(jti="urn:x"), _as_it_was),
    ),
    ("the issuer gave up its key", _give_up),
)
_HOSTED = (
    ("it is somebody else's", _at(_another_persons)),
    ("it is hosted elsewhere", _elsewhere),
    ("it has expired", _at(_long_ago)),
    ("the badge is another issuer's", _at(lambda told: told.update(badge="https://elsewhere.example/badge"))),
)


TAMPERINGS: tuple[Tampering, ...] = tuple(
    Tampering(what, of, make)
    for of, lines in (
        ("badge-full", _BADGE),
        ("endorsement", _ENDORSEMENT),
        ("status-list", _STATUS_LIST),
        ("record", _RECORD),
        ("token", _TOKEN),
        ("hosted", _HOSTED),
    )
    for what, make in lines
)
