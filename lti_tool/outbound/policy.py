"""Which addresses may be connected to, and under which names. Pure: no socket is opened here."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import urllib3
from urllib3.util import parse_url

from lti_tool.errors import ErrorCode, OutboundRefused

Audience = Literal["platform", "visitor"]
"""Who named the URL: a platform (signed launch, approved configuration, or an administrator whom the operator
or an organisation's owner invited to register it), or a visitor of a public page."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

URL_MAX_LENGTH: Final = 4096
_UNSEEN: Final = re.compile(r"[\x00-\x20\x7f]")

_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(block)
    for block in (
        "192.0.0.0/24",  # IETF assignments; Python before 3.11.10 calls parts of it global
        "192.88.99.0/24",  # 6to4 relays, deprecated
        "64:ff9b:1::/48",  # NAT64 for local use
        "2001::/23",  # IETF assignments, Teredo among them
        "2002::/16",  # 6to4: carries an IPv4 address of anybody's choice
        "5f00::/16",  # segment routing
    )
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def is_public(address: Address) -> bool:
    """Whether an address is reachable by anybody, and is no disguise of one that is not."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    if any(address.version == block.version and address in block for block in _NOT_PUBLIC):
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved or address.is_unspecified)


@dataclass(frozen=True)
class OutboundPolicy:
    """Which addresses may be connected to, and under which names. Pure.

    :ivar hosts: names that the operator excepted, lower case.
    :ivar networks: networks that the operator excepted.
    :ivar is_loopback_allowed: development: platforms may be on this machine.
    :ivar own_origin: (scheme, host, port) of this installation.
    """

    hosts: frozenset[str] = frozenset()
    networks: tuple[Network, ...] = ()
    is_loopback_allowed: bool = False
    own_origin: tuple[str, str, int] | None = None

    @classmethod
    def of(cls, allow: Sequence[str], *, is_development: bool, base_url: str) -> OutboundPolicy:
        """From ``outbound_allow`` of the settings: host names, addresses, networks."""
        hosts: set[str] = set()
        networks: list[Network] = []
        for entry in allow:
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                hosts.add(_plain_host(entry))
        own = parse_url(base_url)
        origin = (
            (own.scheme, _plain_host(own.host), own.port or port_of(own.scheme))
            if own.scheme and own.host
            else None
        )
        return cls(frozenset(hosts), tuple(networks), is_development, origin)

    def check_url(self, url: str, audience: Audience) -> None:
        """Refuse what no address could make acceptable.

        :raises OutboundRefused: ``outbound_url_refused``.
        """
        if len(url) > URL_MAX_LENGTH or _UNSEEN.search(url):
            raise OutboundRefused(
                ErrorCode.OUTBOUND_URL_REFUSED, "over-long, or with blanks or control characters"
            )
        try:
            parts = parse_url(url)
        except urllib3.exceptions.LocationParseError:
            raise OutboundRefused(ErrorCode.OUTBOUND_URL_REFUSED, "not a URL") from None
        if parts.scheme not in ("http", "https") or not parts.host:
            raise OutboundRefused(
                ErrorCode.OUTBOUND_URL_REFUSED, f"scheme {parts.scheme!r}, host {parts.host!r}"
            )
        if parts.auth is not None:
            raise OutboundRefused(ErrorCode.OUTBOUND_URL_REFUSED, "carries a user name")
        if parts.scheme == "http" and not self._may_be_excepted(parts.host, parts.port, audience):
            raise OutboundRefused(ErrorCode.OUTBOUND_URL_REFUSED, f"plain http to {parts.host}")

    def permits(self, scheme: str, host: str, port: int, address: Address, audience: Audience) -> bool:
        """Whether `address`, to which `host` was resolved, may be connected to."""
        if scheme == "https" and is_public(address):
            return True
        host = _plain_host(host)
        if audience == "visitor":
            return (
                self.is_loopback_allowed and address.is_loopback and (scheme, host, port) == self.own_origin
            )
        plain = (
            address.ipv4_mapped
            if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped
            else address
        )
        if any(plain.version == network.version and plain in network for network in self.networks):
            return True
        if self.is_loopback_allowed and plain.is_loopback:
            return True
        # A name is trusted for addresses of a campus, not for those where clouds keep their secrets.
        return host in self.hosts and not (plain.is_link_local or plain.is_multicast or plain.is_unspecified)

    def _may_be_excepted(self, host: str, port: int | None, audience: Audience) -> bool:
        host = _plain_host(host)
        if audience == "visitor":
            return self.is_loopback_allowed and ("http", host, port or 80) == self.own_origin
        # Whether a name lies in an excepted network is known only once it is resolved.
        return self.is_loopback_allowed or bool(self.networks) or host in self.hosts


def _plain_host(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def port_of(scheme: str) -> int:
    return 443 if scheme == "https" else 80
