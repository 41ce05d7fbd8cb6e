"""Decentralised identifiers of issuers: did:web for ours, did:key for reading others'.

W3C Decentralized Identifiers 1.0; the did:web method specification; the did:key method specification.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from lti_tool.credentials.contexts import DID_V1, JWK_V1, MULTIKEY_V1
from lti_tool.credentials.multikey import decode_ed25519

_DID_WEB: Final = re.compile(r"did:web:([A-Za-z0-9.\-]+(?:%3[Aa][0-9]{1,5})?)((?::[A-Za-z0-9._\-%]+)*)")
_LOOPBACK: Final = re.compile(r"(localhost|127\.0\.0\.1)(:[0-9]+)?")


def did_web_for(url: str) -> str:
    """The did:web identifier whose document is served at ``url`` + ``/did.json``; of a bare host, at
    ``/.well-known/did.json``.

    ``https://badges.example.edu/issuers/42`` becomes ``did:web:badges.example.edu:issuers:42``; a port is
    written ``%3A``. The scheme is not part of a did:web; outside development it is always https.

    :raises ValueError: for a URL without a host, or with a user, query or fragment.
    """
    parts = urlsplit(url)
    if not parts.hostname or parts.username or parts.query or parts.fragment:
        raise ValueError(f"no did:web can stand for {url!r}")
    host = parts.hostname + (f"%3A{parts.port}" if parts.port else "")
    segments = [quote(unquote(segment), safe="") for segment in parts.path.split("/") if segment]
    return ":".join(["did", "web", host, *segments])


def did_web_url(did: str) -> str:
    """Where the document of a did:web is served.

    Loopback hosts are read over plain http: a development server has no certificate, and no loopback address
    says anything about anybody else. Whether such an address may be fetched at all is the fetcher's decision.

    :raises ValueError: for anything but a well-formed did:web without path, query or fragment parts.
    """
    match = _DID_WEB.fullmatch(did)
    if match is None:
        raise ValueError(f"not a did:web: {did[:100]!r}")
    host = unquote(match[1])
    segments = [unquote(segment) for segment in match[2].split(":")[1:]]
    if any(segment in (".", "..") or "/" in segment or "\\" in segment for segment in segments):
        raise ValueError("a did:web segment must not leave its place")
    scheme = "http" if _LOOPBACK.fullmatch(host) else "https"
    path = "/".join(quote(segment, safe="") for segment in segments) or ".well-known"
    return f"{scheme}://{host}/{path}/did.json"


def did_document(
    did: str, keys: Sequence[tuple[str, str]], token_keys: Sequence[tuple[str, Mapping[str, str]]] = ()
) -> dict[str, Any]:
    """The DID document of an issuer.

    :param did: the issuer's identifier.
    :param keys: ``(fragment, Multikey text)`` of every key whose badges must verify, active and retired; a
        compromised key is left out, which is what makes its badges fail.
    :param token_keys: ``(fragment, public JWK)`` of the keys of its tokens, likewise. They come last: there
        are verifiers that take the first one unasked.
    :returns: ``assertionMethod`` is an array of strings and ``did/v1`` the first context, because 1EdTech's
        validator reads nothing else.
    """
    methods: list[dict[str, Any]] = [
        {
            "id": f"{did}#{fragment}",
            "type": "Multikey",
            "controller": did,
            "publicKeyMultibase": public_key,
        }
        for fragment, public_key in keys
    ]
    methods += [
        {"id": f"{did}#{fragment}", "type": "JsonWebKey", "controller": did, "publicKeyJwk": dict(jwk)}
        for fragment, jwk in token_keys
    ]
    return {
        "@context": [DID_V1, MULTIKEY_V1, *([JWK_V1] if token_keys else [])],
        "id": did,
        "verificationMethod": methods,
        "assertionMethod": [method["id"] for method in methods],
    }


def resolve_did_key(did: str) -> dict[str, Any]:
    """The DID document that a did:key stands for; only Ed25519 keys.

    :raises ValueError: for a did:key of another kind.
    """
    method, _, key = did.rpartition(":")
    if method != "did:key":
        raise ValueError("not a did:key")
    decode_ed25519(key)
    return did_document(did, [(key, key)])
