"""Who really asks, where proxies stand between: the headers that they write, believed from those that we trust.

X-Forwarded-For, -Proto and -Host, or Forwarded (RFC 7239): a chain, to which each proxy adds the address that it sees
at its right end. We walk it from there, as long as whoever speaks is trusted; what lies beyond may be invented.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from ..config import Config
from ..types import Environ

__all__ = ["HOST", "believe_proxies"]

#: The environ's key for the host that the client's request was sent to, and for the request that was seen already.
HOST = "webpy_socketio.forwarded_host"
_SEEN = "webpy_socketio.forwarded"

_SCHEMES = {"http": "http", "https": "https", "ws": "http", "wss": "https"}
#: name=value, where a value with special characters is in quotes (RFC 7239 section 4).
_PAIR = re.compile(r'([\w!#$%&\'*+.^`|~-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*))[ \t]*(?:;[ \t]*|$)')
#: What may end an element of a list: a comma, or quotes with the backslashes before them.
_SPECIAL = re.compile(r'\\+"?|"|,')
#: Of a chain, no more is looked at: nobody has as many proxies.
_MOST_HOPS = 50


def believe_proxies(environ: Environ, config: Config) -> None:
    """Replace in an environ what a trusted proxy has said better: REMOTE_ADDR and ``wsgi.url_scheme``.

    ``REMOTE_PORT`` goes: it is the proxy's. The host that was asked for is kept aside, under `HOST`, for the check of
    origins alone: applications that build links of it would follow whatever a client sends through a proxy that does
    not overwrite this header.
    """
    if _SEEN in environ:  # our server has done it, before the application
        return
    environ[_SEEN] = True
    peer = str(environ.get("REMOTE_ADDR") or "")
    trusted = _Trusted.of(config.trusted_proxies)
    if not trusted.includes(peer):
        return
    read = _read_forwarded if config.forwarded_header == "forwarded" else _read_x_forwarded
    addresses, schemes, hosts = read(environ)
    hops = 1
    for address in _addresses(addresses):
        peer = str(address)
        if not trusted.includes(peer) or hops >= len(addresses):
            break
        hops += 1
    if peer != str(environ.get("REMOTE_ADDR") or ""):
        environ["REMOTE_ADDR"] = peer
        environ.pop("REMOTE_PORT", None)
    scheme = _SCHEMES.get(_said_at(schemes, hops).lower())
    if scheme is not None:
        environ["wsgi.url_scheme"] = scheme
    host = _said_at(hosts, hops)
    if host:
        environ[HOST] = host


class _Trusted:
    """Addresses and networks."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self._unix = "unix" in names
        self._networks: list[IPv4Network | IPv6Network] = [
            ip_network(name, strict=False) for name in names if name != "unix"
        ]

    @staticmethod
    @lru_cache(maxsize=8)
    def of(names: tuple[str, ...]) -> _Trusted:
        """Give those of a configuration, which is parsed once."""
        return _Trusted(names)

    def includes(self, text: str) -> bool:
        """Tell whether an address is trusted; that of a Unix socket's peer is empty."""
        if not text:
            return self._unix
        address = _parse(text)
        return address is not None and any(address in network for network in self._networks)


def _parse(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an address, which may come with a port; None for anything else, such as "unknown"."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _addresses(chain: list[str]) -> Iterator[IPv4Address | IPv6Address]:
    """Give a chain's addresses from the right, up to the first that is none."""
    for text in reversed(chain):
        address = _parse(text)
        if address is None:
            return
        yield address


def _said_at(values: list[str], hops: int) -> str:
    """Give what the outermost trusted proxy said. One that overwrites a header leaves fewer values than there are
    hops: the leftmost is then its own.
    """
    return values[-min(hops, len(values))] if values else ""


def _read_x_forwarded(environ: Environ) -> tuple[list[str], list[str], list[str]]:
    """Give the chains of addresses, schemes and hosts, the client's end first."""
    addresses, schemes, hosts = (
        [part.strip() for part in str(environ.get(f"HTTP_X_FORWARDED_{name}") or "").split(",")[-_MOST_HOPS:]]
        for name in ("FOR", "PROTO", "HOST")
    )
    return [name for name in addresses if name], [name for name in schemes if name], [name for name in hosts if name]


def _read_forwarded(environ: Environ) -> tuple[list[str], list[str], list[str]]:
    """Likewise from Forwarded; an element that is not well-formed ends what can be believed."""
    addresses: list[str] = []
    schemes: list[str] = []
    hosts: list[str] = []
    for element in reversed(_elements(str(environ.get("HTTP_FORWARDED") or ""))[-_MOST_HOPS:]):
        pairs = _pairs(element)
        if pairs is None:
            break
        addresses.insert(0, pairs.get("for", "unknown"))
        schemes.insert(0, pairs.get("proto", ""))
        hosts.insert(0, pairs.get("host", ""))
    return addresses, schemes, hosts


def _elements(text: str) -> list[str]:
    """Split a list at the commas that are not in quotes.

    From the right, where the proxies write: a client that opens quotes and leaves it at that would take in what a proxy
    adds, and so pass for the proxy.
    """
    found: list[str] = []
    end, quoted = len(text), False
    for match in reversed(list(_SPECIAL.finditer(text))):
        if match[0] == ",":
            if not quoted:
                found.append(text[match.end() : end])
                end = match.start()
        elif match[0][-1] == '"' and len(match[0]) % 2 == 1:  # not escaped: the backslashes before it are pairs
            quoted = not quoted
    found.append(text[:end])
    return [part for part in map(str.strip, reversed(found)) if part]


def _pairs(element: str) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    at = 0
    while at < len(element):
        match = _PAIR.match(element, at)
        if match is None:
            return None
        name, quoted, plain = match.groups()
        pairs[name.lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
        at = match.end()
    return pairs
