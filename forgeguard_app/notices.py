"""Messages to an address that a stranger named: one signed POST, and never to an address inside our own walls."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from forgeguard_app.errors import Temporary, UserError

TIMEOUT_S = 10.0
LONGEST_WAIT_S = 3_600.0
_SERVER_FAULT, _TOO_MANY = 500, 429
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(IntEnum):
    """How far inside an address may lie, each including those before it."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


def reach_beside(github_url: str) -> Reach:
    """Where GitHub itself is inside, so are those who name addresses: a GitHub Enterprise Server, or the simulator."""
    host = urlsplit(github_url).hostname or ""
    if host == "github.com":
        return Reach.PUBLIC
    try:
        return Reach.LOOPBACK if ipaddress.ip_address(host).is_loopback else Reach.PRIVATE
    except ValueError:
        return Reach.LOOPBACK if host == "localhost" else Reach.PRIVATE


def within_reach(text: str, reach: Reach) -> bool:
    """Whether the IP address may be asked; link-local ones, where clouds keep credentials, never."""
    try:
        address: _Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.sixtofour or address.teredo:
            return False
        address = address.ipv4_mapped or address
    if address.is_loopback:
        return reach >= Reach.LOOPBACK
    if address.is_link_local or address.is_multicast or address.is_unspecified or address.is_reserved:
        return False
    return address.is_global or (address.is_private and reach >= Reach.PRIVATE)


class NotTaken(UserError):
    """The address does not take the message, and asking again would not change that."""


@dataclass(frozen=True)
class Notices:
    """Sends messages. `tls` is whom to trust, None for the system's own list."""

    reach: Reach = Reach.PUBLIC
    tls: ssl.SSLContext | None = None

    async def send(self, address: str, body: bytes, headers: dict[str, str]) -> None:
        """Posts the JSON body; a redirect is not followed, since it could lead inside.

        Raises:
            NotTaken: the address is not one that we ask, or its answer is a refusal.
            Temporary: it was not reached, is overloaded or broken.
        """
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:
            host = ""
        if not address.startswith("https://") or not host:
            raise NotTaken("It is not an https:// address.")
        if _is_literal(host) and not within_reach(host, self.reach):
            raise NotTaken("It leads to an address inside a private network.")
        resolver = _Guarded(self.reach)
        connector = aiohttp.TCPConnector(resolver=resolver, ssl=self.tls or True, force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as session,
                session.post(address, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                _judge(answer.status, answer.headers.get("Retry-After", ""))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            if resolver.refused:
                raise NotTaken("It leads to an address inside a private network.") from error
            raise Temporary(f"{host} was not reached: {type(error).__name__}") from error
        except ValueError as error:
            raise NotTaken("It is not an address.") from error


def _judge(status: int, retry_after: str) -> None:
    if status < 300:
        return
    if status == _TOO_MANY or status >= _SERVER_FAULT:
        wait_s = min(float(retry_after), LONGEST_WAIT_S) if retry_after.isascii() and retry_after.isdigit() else None
        raise Temporary(f"the address answered {status}", delay_s=wait_s)
    raise NotTaken(f"It answered {status}.")


def _is_literal(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class _Guarded(AbstractResolver):
    """Looks a name up and gives only what may be asked: what is checked is what is connected to."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._inner, self.refused = reach, ThreadedResolver(), False

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        fine = [one for one in found if within_reach(one["host"], self._reach)]
        if not fine:
            self.refused = True
            raise OSError("no address that may be asked")
        return fine

    async def close(self) -> None:
        await self._inner.close()
