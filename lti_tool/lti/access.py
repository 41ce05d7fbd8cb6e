"""In whose name an LMS's services are called, with which permissions, and which hosts that one named."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from lti_tool.domain.registrations import DeploymentView, RegistrationView, Site, site_of, token_url_of
from lti_tool.errors import ErrorCode, PlatformFailed
from lti_tool.platforms import Platform, platform_for


@dataclass(frozen=True, slots=True)
class ServiceAccess:
    """In whose name a service is called: one deployment of one registration."""

    registration: RegistrationView
    deployment: DeploymentView
    granted: frozenset[str] | None = None
    """AGS scopes that the last launch of the context granted; ``None`` where no claim says."""
    is_visit: bool = False
    """Whether somebody waits for the answer: such calls have a budget that the schedule cannot use up."""

    @property
    def platform(self) -> Platform:
        """The LMS's own ways."""
        return platform_for(self.registration.product)

    @property
    def token_url(self) -> str | None:
        """Where its tokens come from; ``None`` where nobody has said so yet."""
        per_institution = self.platform.has_token_url_per_institution
        return token_url_of(self.registration, self.deployment, per_institution=per_institution)

    @property
    def site(self) -> Site:
        """Who answers: an institution that is silent, or wants to be left alone, speaks for itself only."""
        return site_of(self.registration, self.deployment)

    def require(self, *alternatives: str) -> frozenset[str]:
        """The scopes to ask for: those of ``alternatives`` that were granted.

        Moodle wants ``lineitem.readonly`` for reading although ``lineitem`` includes it, so all that are
        granted are asked for.

        :raises PlatformFailed: PLATFORM_SCOPE_MISSING where none of them was.
        """
        if self.granted is None:
            return frozenset(alternatives[:1])
        usable = self.granted & frozenset(alternatives)
        if not usable:
            raise PlatformFailed(
                ErrorCode.PLATFORM_SCOPE_MISSING,
                f"registration {self.registration.id} was not granted {alternatives[0]}",
                scope=alternatives[0].rsplit("/", 1)[-1],
            )
        return usable


_UNSEEN: Final = re.compile(r"[\x00-\x20\\\x7f]")


@lru_cache(maxsize=1024)
def host_of(url: str) -> str | None:
    """``host[:port]`` of an http(s) URL as registrations keep it, without a default port; else ``None``.

    A URL with a user name, or one that parsers disagree about, has no host here.
    """
    if _UNSEEN.search(url):
        return None
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http") or not host or "@" in parts.netloc:
        return None
    host = f"[{host}]" if ":" in host else host.rstrip(".")
    return host if port in (None, 443 if parts.scheme == "https" else 80) else f"{host}:{port}"


def named_hosts(access: ServiceAccess) -> frozenset[str]:
    """Every ``host[:port]`` that this deployment named, in what was approved or in its signed launches."""
    urls = (access.registration.issuer, access.registration.auth_url, access.token_url)
    configured = {host for url in urls if url is not None and (host := host_of(url)) is not None}
    return frozenset(configured | {host.lower() for host in access.deployment.service_hosts})
