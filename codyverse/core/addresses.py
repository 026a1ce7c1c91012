"""Which addresses this server may call when somebody else chose the URL: public ones, and networks that a setting names.

A name is looked up once; every address that it has must be allowed, and the caller connects to one of these addresses,
never to the name. So a name that leads elsewhere a moment later changes nothing.
"""

import re
import socket
import threading
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any
from urllib.parse import urlsplit

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

LONGEST_URL = 2000
LOOKUP_SECONDS = 3.0
LOWEST_PORT = 1024
_AT_ONCE = threading.BoundedSemaphore(16)
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_VISIBLE = re.compile(r"[!-~]+")
_PUBLIC_V6 = IPv6Network("2000::/3")
_TRANSLATED = IPv6Network("64:ff9b::/96")
_NOT_PUBLIC: tuple[Network, ...] = (
    ip_network("192.0.0.0/24"),
    ip_network("192.88.99.0/24"),
    ip_network("2001::/23"),
    ip_network("2002::/16"),
    ip_network("3fff::/20"),
)
"""What `is_global` of some Pythons lets through: protocol assignments, Teredo and 6to4 (which carry any IPv4 address),
documentation."""


class Refused(Exception):
    """A URL that is not called; the text says why, in words for its owner."""


@dataclass(frozen=True, slots=True)
class Target:
    """A URL in its parts. `host` is a name in ASCII or an address without brackets; `path` includes the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """As the Host header names it: the port only where it is not the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _usual_port(self.scheme) else f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Reach:
    """How far this server may go: `networks` beside the public ones; over https only, or over http too."""

    networks: tuple[Network, ...] = ()
    https_only: bool = True

    def target(self, url: str) -> Target:
        """A URL taken apart. Raises Refused for whatever is not plainly a URL that may be called."""
        found = _taken_apart(url)
        if found.scheme != "https" and (self.https_only or found.scheme != "http"):
            raise Refused("has to begin with https://")
        if found.port not in (80, 443) and not LOWEST_PORT <= found.port <= 65535:
            raise Refused("has a port that is not called: use 443, 80, or one from 1024")
        return found

    def addresses(self, target: Target) -> tuple[Address, ...]:
        """The addresses to connect to, looked up now and all allowed. Raises Refused, also if there are none."""
        found = _looked_up(target.host, target.port)
        if not all(self.allows(address) for address in found):
            raise Refused("leads to an address that is not public")
        return found

    def allows(self, address: Address) -> bool:
        """Whether this address may be called."""
        return is_public(address) or any(address in network for network in self.networks)


def is_public(address: Address) -> bool:
    """Whether an address belongs to the public internet, whatever it carries inside.

    After the IANA registries of special-purpose addresses (RFC 6890). An IPv6 address that stands for an IPv4 one is
    as public as that (NAT64, RFC 6052), or refused (mapped, 6to4, Teredo).
    """
    if isinstance(address, IPv6Address):
        if address in _TRANSLATED:
            return is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address not in _PUBLIC_V6:
            return False
    listed = any(address in network for network in _NOT_PUBLIC)
    return address.is_global and not (address.is_multicast or address.is_reserved or listed)


def _usual_port(scheme: str) -> int:
    return 443 if scheme == "https" else 80


def _taken_apart(url: str) -> Target:
    if len(url) > LONGEST_URL:
        raise Refused(f"is longer than {LONGEST_URL} characters")
    if not _VISIBLE.fullmatch(url) or "\\" in url:
        raise Refused("has a character that no URL has: write it in ASCII, names as xn--…, the rest as %..")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as fault:
        raise Refused("cannot be read as a URL") from fault
    if parts.username is not None or parts.password is not None:
        raise Refused("has a name or password in it; put a secret into the path, or check the signature")
    if parts.fragment or "#" in url:
        raise Refused("has a part behind #, which no server ever gets")
    host = _host(parts.hostname or "")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, _usual_port(parts.scheme) if port is None else port, path)


def _host(host: str) -> str:
    """A name or an address in the one spelling that means the same to everybody. Raises Refused."""
    if ":" in host:
        if "%" in host:
            raise Refused("has an address that means something on one machine only")
        return host
    bare = host.removesuffix(".")
    labels = bare.split(".")
    if not bare or len(bare) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise Refused("has no host that could be called")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        try:
            return str(IPv4Address(host))  # four decimal numbers; 0x7f000001, 127.1 and 0177.0.0.1 are none
        except ValueError as fault:
            raise Refused("has an address in a spelling that is not used") from fault
    return bare


def _looked_up(host: str, port: int) -> tuple[Address, ...]:
    """The addresses of a host, in the order of preference. Gives up after LOOKUP_SECONDS, which the system would not."""
    found: list[Any] = []

    def look() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, proto=socket.IPPROTO_TCP))
        except (OSError, UnicodeError) as fault:
            found.append(fault)
        finally:
            _AT_ONCE.release()

    if _AT_ONCE.acquire(timeout=LOOKUP_SECONDS):
        looking = threading.Thread(target=look, name="lookup", daemon=True)
        looking.start()
        looking.join(LOOKUP_SECONDS)
    if not found or not isinstance(found[0], list):
        raise Refused("has a host that cannot be found")
    return tuple(dict.fromkeys(ip_address(entry[4][0]) for entry in found[0]))
