"""Addresses of clients: whom a request comes from, and what is open to neighbours alone."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

from aiohttp import web

from forgeguard_app.flows.context.web_context import Network
from forgeguard_app.web.keys import CONTEXT

MAX_HOPS = 20
_IPV6_PREFIX = 64  # what one subscriber has at least
_IPV6_SITE = 48  # what one customer has at most, as a rule
_FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP", "Via")


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        found = ipaddress.ip_address(text.strip().partition("%")[0])
    except ValueError:
        return None
    return (found.ipv4_mapped or found) if isinstance(found, ipaddress.IPv6Address) else found


def is_within(text: str, networks: Iterable[Network]) -> bool:
    """Return whether the address lies in one of the networks."""
    address = _address(text)
    return address is not None and any(address in network for network in networks)


def origin_of(peer: str, forwarded: str, proxies: Iterable[Network]) -> str:
    """Return the address of the client: the last one in X-Forwarded-For that no trusted proxy has, else the peer's own.

    Clients can write anything into that header, so that only the part that trusted proxies wrote is read.
    """
    known, at = tuple(proxies), peer
    for hop in reversed(forwarded.split(",")[-MAX_HOPS:]):
        if not is_within(at, known) or _address(hop) is None:
            break
        at = hop.strip()
    return at


def group_of(text: str) -> str:
    """Return under which name an address is counted: its /64 for IPv6, of which one subscriber has all addresses."""
    address = _address(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, _IPV6_PREFIX), strict=False))
    return text if address is None else str(address)


@lru_cache(maxsize=10_000)
def network_of(group: str) -> str:
    """Return the network of an address as it is counted: its /48 for IPv6, which is one customer's."""
    if ":" not in group:
        return group
    try:
        network = ipaddress.ip_network(group, strict=False)
    except ValueError:  # no address: a name that a proxy gave
        return group
    return str(network.supernet(new_prefix=_IPV6_SITE) if network.prefixlen > _IPV6_SITE else network)


def client_of(request: web.Request) -> str:
    """Return the address that asks, as it is counted."""
    proxies = request.app[CONTEXT].trusted_proxies
    return group_of(origin_of(request.remote or "", ",".join(request.headers.getall("X-Forwarded-For", [])), proxies))


def is_neighbour(request: web.Request) -> bool:
    """Return whether the request may read the figures: its client is in METRICS_FROM.

    What a proxy that is not trusted passes on comes from anywhere, whatever address the proxy has.
    """
    context, peer = request.app[CONTEXT], request.remote or ""
    if not is_within(peer, context.trusted_proxies) and any(name in request.headers for name in _FORWARDED):
        return False
    forwarded = ",".join(request.headers.getall("X-Forwarded-For", []))
    return is_within(origin_of(peer, forwarded, context.trusted_proxies), context.metrics_from)
