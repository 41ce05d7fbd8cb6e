"""The JSON-LD contexts that we ship, and a document loader that knows nothing else.

A context decides what a signed statement *means*, so it is part of what is trusted: every file is kept byte
for byte as its registry package published it (``contexts/SOURCES.toml``), its SHA-256 is checked when this
module is imported, and nothing is ever fetched. OB 3.0.3's context changed in place twice; a pinned copy
cannot.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from types import MappingProxyType
from typing import Any, Final

from lti_tool.credentials.errors import ContextNotVendored

CREDENTIALS_V2: Final = "https://www.w3.org/ns/credentials/v2"
CREDENTIALS_V1: Final = "https://www.w3.org/2018/credentials/v1"
OPEN_BADGES_3_0_3: Final = "https://purl.imsglobal.org/spec/ob/v3p0/context-3.0.3.json"
CLR_2_0_1: Final = "https://purl.imsglobal.org/spec/clr/v2p0/context-2.0.1.json"
OPEN_BADGES_EXTENSIONS: Final = "https://purl.imsglobal.org/spec/ob/v3p0/extensions.json"
DID_V1: Final = "https://www.w3.org/ns/did/v1"
MULTIKEY_V1: Final = "https://w3id.org/security/multikey/v1"
JWK_V1: Final = "https://w3id.org/security/jwk/v1"
"""Named in DID documents, which are read as JSON; not shipped, since no credential needs it."""


@dataclass(frozen=True)
class VendoredContext:
    """One row of ``SOURCES.toml`` with its content."""

    url: str
    file: str
    package: str
    version: str
    path: str
    licence: str
    sha256: str
    document: Mapping[str, Any]


def _read_registry() -> dict[str, VendoredContext]:
    folder = resources.files("lti_tool.credentials").joinpath("contexts")
    rows = tomllib.loads(folder.joinpath("SOURCES.toml").read_text("utf-8"))["context"]
    registry = {}
    for row in rows:
        content = folder.joinpath(row["file"]).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest != row["sha256"]:
            raise RuntimeError(f"vendored context {row['file']} was altered: sha256 is {digest}")
        registry[row["url"]] = VendoredContext(
            url=row["url"],
            file=row["file"],
            package=row["package"],
            version=row["version"],
            path=row["path"],
            licence=row["licence"],
            sha256=digest,
            document=MappingProxyType(json.loads(content)),
        )
    return registry


REGISTRY: Final[Mapping[str, VendoredContext]] = MappingProxyType(_read_registry())


def load_context(url: str) -> dict[str, Any]:
    """The context document behind ``url``.

    :raises ContextNotVendored: for any URL that is not shipped.
    """
    try:
        return dict(REGISTRY[url].document)
    except KeyError:
        raise ContextNotVendored(url) from None


def document_loader(url: str, _options: object = None) -> dict[str, Any]:
    """A PyLD document loader over :data:`REGISTRY`; refuses every other URL."""
    return {
        "contentType": "application/ld+json",
        "contextUrl": None,
        "documentUrl": url,
        "document": load_context(url),
    }
