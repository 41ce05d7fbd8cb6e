"""What a registration has to be, typed or in an import file: every problem is told at once."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from lti_tool.errors import ErrorCode, RequestInvalid
from lti_tool.lti.claims import ID_LENGTH, http_url, identifier, origin_of
from lti_tool.platforms import PLATFORMS

_URLS: Final = ("auth_url", "token_url", "jwks_url")
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def invalid(problems: Sequence[str]) -> RequestInvalid:
    """The error that tells all of them."""
    return RequestInvalid(ErrorCode.REGISTRATION_INVALID, "; ".join(problems), problems=tuple(problems))


def problems_of(given: Mapping[str, Any], deployment_ids: Iterable[str]) -> list[str]:
    """What is wrong with a registration, all of it."""
    problems = [
        f"{name}: an https URL is needed (http only on this machine)"
        for name in ("issuer", *_URLS)
        if name in given and not _is_endpoint(given[name])
    ]
    if "client_id" in given and not _is_identifier(given["client_id"]):
        problems.append("client_id: 1 to 255 ASCII characters")
    if "product" in given and given["product"] not in PLATFORMS:
        problems.append(f"product: one of {', '.join(sorted(PLATFORMS))}")
    name = given.get("name", "LMS")
    if not isinstance(name, str) or not 0 < len(name.strip()) <= 200:
        problems.append("name: 1 to 200 characters")
    audience = given.get("token_audience", "x")
    if not isinstance(audience, str) or not 0 < len(audience) <= 2000:
        problems.append("token_audience: 1 to 2000 characters")
    if any(
        not isinstance(origin, str) or origin_of(origin) != origin
        for origin in given.get("frame_origins", ())
    ):
        problems.append("frame_origins: origins such as https://lms.example, without a path")
    if any(not _is_identifier(each) for each in deployment_ids):
        problems.append("deployments: 1 to 255 ASCII characters each")
    return problems


def _is_identifier(value: object) -> bool:
    if not isinstance(value, str) or not 0 < len(value) <= ID_LENGTH:
        return False
    return value.isascii() and value.isprintable() and identifier(value, "id") == value


def _is_endpoint(value: object) -> bool:
    if http_url(value) is None:
        return False
    parts = urlsplit(str(value))
    host = parts.hostname or ""
    return parts.scheme == "https" or host in _LOOPBACK or host.endswith(".localhost")


_ENTRY: Final[dict[str, type | tuple[type, ...]]] = {
    "issuer": str,
    "client_id": str,
    "auth_url": str,
    "token_url": str,
    "jwks_url": str,
    "name": str,
    "product": str,
    "token_audience": str,
    "deployments": list,
    "organisation": str,
    "approve": bool,
    "approves_deployments": bool,
    "allows_anonymous": bool,
    "frame_origins": list,
}
_REQUIRED: Final = ("issuer", "client_id", *_URLS)


def read_entries(path: Path) -> list[Any]:
    """The entries of an import file, unchecked.

    :param path: TOML or JSON: a list ``registrations`` of tables.
    :raises RequestInvalid: REGISTRATION_INVALID where it is neither, or has no such list.
    """
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        problem = f"{path.name} cannot be read: {error.strerror or type(error).__name__}"
        raise RequestInvalid(ErrorCode.REGISTRATION_INVALID, problem) from error
    except (ValueError, RecursionError) as error:
        raise RequestInvalid(
            ErrorCode.REGISTRATION_INVALID,
            f"{path.name} cannot be read: {error}",
            problems=("the file is neither TOML nor JSON",),
        ) from error
    entries = document.get("registrations") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise RequestInvalid(
            ErrorCode.REGISTRATION_INVALID,
            f"{path.name} has no list of registrations",
            problems=('"registrations": a list of tables is needed',),
        )
    return entries


def entry_problems(entry: Any) -> list[str]:
    """What is wrong with one of them, all of it."""
    if not isinstance(entry, dict):
        return ["a table is needed"]
    problems = [f"{name}: is no setting of a registration" for name in sorted(entry.keys() - _ENTRY.keys())]
    problems += [f"{name}: is missing" for name in _REQUIRED if name not in entry]
    problems += [
        f"{name}: has the wrong type"
        for name, expected in _ENTRY.items()
        if name in entry and not isinstance(entry[name], expected)
    ]
    return problems or problems_of(entry, entry.get("deployments", ()))
