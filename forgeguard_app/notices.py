"""Messages to an address that a stranger named: one signed POST, and never to an address inside our own walls."""

from __future__ import annotations

import ipaddress
import re
import socket
import ssl
from dataclasses import dataclass
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import Connection
from aiohttp.resolver import ThreadedResolver

from forgeguard_app.errors import RetryLater, UserError

TIMEOUT_S = 10.0
# The same for all that may be wrong: who names an address learns nothing of what listens inside.
UNREACHED = "The address was not reached, or ForgeGuard does not send notices to it."
_LABELS = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE
)
_LETTER = re.compile(r"[a-z]", re.IGNORECASE)
LONGEST_WAIT_S = 3_600.0
_SERVER_FAULT, _TOO_MANY = 500, 429
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Reach(IntEnum):
    """The class of an address, from public to internal, each including those before it."""

    PUBLIC = 0
    PRIVATE = 1
    LOOPBACK = 2


def reach_beside(github_url: str) -> Reach:
    """Return how far inside addresses may lie beside a GitHub: an internal one has internal owners."""
    host = urlsplit(github_url).hostname or ""
    if host == "github.com":
        return Reach.PUBLIC
    try:
        return Reach.LOOPBACK if ipaddress.ip_address(host).is_loopback else Reach.PRIVATE
    except ValueError:
        return Reach.LOOPBACK if host == "localhost" else Reach.PRIVATE


def within_reach(text: str, reach: Reach) -> bool:
    """Return whether the IP address may be asked; link-local ones, where clouds keep credentials, never."""
    try:
        address: _Address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        if address.sixtofour or address.teredo or address.is_site_local:  # fec0::/10, which Python calls global
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
        """Post the JSON body; a redirect is not followed, since it could lead inside.

        Raises:
            NotTaken: the address is not one that we ask, or its answer is a refusal.
            RetryLater: it was not reached, is overloaded or broken.
        """
        try:
            host = urlsplit(address).hostname or ""
        except ValueError:
            host = ""
        if not address.startswith("https://") or not host:
            raise NotTaken("It is not an https:// address.")
        if not (is_name(host) or (is_canonical(host) and within_reach(host, self.reach))):
            raise NotTaken(UNREACHED)
        connector = _Guarding(self.reach, resolver=_Guarded(self.reach), ssl=self.tls or True, force_close=True)
        try:
            async with (
                aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(TIMEOUT_S)) as session,
                session.post(address, data=body, headers=headers, allow_redirects=False) as answer,
            ):
                _check_answer(answer.status, answer.headers.get("Retry-After", ""))
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise RetryLater(UNREACHED) from error
        except ValueError as error:
            raise NotTaken("It is not an address.") from error


def _check_answer(status: int, retry_after: str) -> None:
    if status < 300:
        return
    if status == _TOO_MANY or status >= _SERVER_FAULT:
        wait_s = min(float(retry_after), LONGEST_WAIT_S) if retry_after.isascii() and retry_after.isdigit() else None
        raise RetryLater(f"the address answered {status}", delay_s=wait_s)
    raise NotTaken(f"It answered {status}.")


def is_name(host: str) -> bool:
    """Return whether the host is a name, which the resolver is asked about: its last label has a letter, and is no
    number in hex.

    Libraries disagree on whether `2130706433`, `127.1` or `0x7f000001` are addresses; nobody needs them.
    """
    last = host.rpartition(".")[2]
    return _LABELS.fullmatch(host) is not None and _LETTER.search(last) is not None and not last.startswith("0x")


def is_canonical(host: str) -> bool:
    """Return whether the host is an IP address in the one form in which everybody reads it alike."""
    try:
        return str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


class _Guarding(aiohttp.TCPConnector):
    """Gives no connection to an address that may not be asked, however it came about; nothing was sent there yet."""

    def __init__(self, reach: Reach, **options: Any) -> None:
        super().__init__(**options)
        self._reach = reach

    async def connect(self, *args: Any, **options: Any) -> Connection:
        connection = await super().connect(*args, **options)
        peer = None if connection.transport is None else connection.transport.get_extra_info("peername")
        if not peer or not within_reach(str(peer[0]), self._reach):
            connection.close()
            raise OSError("connected to an address that may not be asked")
        return connection


class _Guarded(AbstractResolver):
    """Looks a name up and gives only what may be asked: what is checked is what is connected to."""

    def __init__(self, reach: Reach) -> None:
        self._reach, self._inner = reach, ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        fine = [address for address in found if within_reach(address["host"], self._reach)]
        if not fine:
            raise OSError("no address that may be asked")
        return fine

    async def close(self) -> None:
        await self._inner.close()
