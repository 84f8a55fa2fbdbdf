"""Connections of the web server: how many an address has, how long a silent one stays, and how much it may send
unasked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from forgeguard_app.flows.context.web_context import Network
from forgeguard_app.web.clients import group_of, is_within, network_of

SERVER = "ForgeGuard"  # without versions: who attacks is not told what to try
MOST_OF_ADDRESS = 256
MOST = 4_000
HEADER_S = 20.0  # for the first request's header
IDLE_S = 75.0  # longer than common proxies keep a connection that they may use again
BODY_S = 30.0
LINGER_S = 2.0  # for the rest of a body that nobody reads
UNSIGNED_OF_ADDRESS, UNSIGNED = 50 << 20, 150 << 20


class BodyTooSlow(TimeoutError):  # aiohttp ends the connection quietly where its reader meets one
    """The body did not arrive within `BODY_S`."""


class Connection(RequestHandler):
    """One connection; what aiohttp answers by itself names no versions either."""

    __slots__ = ()

    def handle_error(
        self, request: Any, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """Answer an invalid request."""
        response = super().handle_error(request, status, exc, message)
        response.headers["Server"] = SERVER
        return response


class Server(web.Server):
    """Counts connections by address, and closes those that say nothing."""

    def __init__(self, *args: Any, proxies: Iterable[Network], header_s: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._proxies, self._header_s = tuple(proxies), header_s
        self._of: Counter[str] = Counter()
        self._named: dict[RequestHandler, tuple[str, asyncio.TimerHandle]] = {}
        self._wide: dict[str, dict[RequestHandler, asyncio.Transport]] = {}  # by network, the oldest first

    def __call__(self) -> RequestHandler:
        """Return the protocol of a new connection."""
        return Connection(self, loop=self._loop, **self._kwargs)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Take the connection, unless its address or all together have too many."""
        super().connection_made(handler, transport)
        peer = transport.get_extra_info("peername")
        address = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        name = "" if is_within(address, self._proxies) else group_of(address)
        timer = self._loop.call_later(self._header_s, self._end_silent, handler, transport)
        self._named[handler] = (name, timer)
        self._of[name] += 1
        if name:
            self._wide.setdefault(network_of(name), {})[handler] = transport
        is_full = len(self._named) > MOST
        if (name and self._of[name] > MOST_OF_ADDRESS) or (is_full and not name):
            transport.abort()
        elif is_full:
            self._end_of_largest()

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Count it no more."""
        super().connection_lost(handler, exc)
        name, timer = self._named.pop(handler, ("", None))
        if timer is not None:
            timer.cancel()
            self._of[name] -= 1
            if not self._of[name]:
                del self._of[name]
        if name:
            self._leave(network_of(name), handler)

    def _leave(self, network: str, handler: RequestHandler) -> None:
        those = self._wide.get(network, {})
        those.pop(handler, None)
        if not those:
            self._wide.pop(network, None)

    def _end_of_largest(self) -> None:
        """End a connection of the network that has the most, so that who comes new is not kept out: an idle one if
        there is one.
        """
        network = max(self._wide, key=lambda item: len(self._wide[item]))
        those = self._wide[network]
        handler = next((item for item in those if item._current_request is None), next(iter(those)))
        transport = those[handler]
        self._leave(network, handler)
        transport.abort()

    def _end_silent(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        if handler._request_count == 0:
            transport.abort()


class Runner(web.AppRunner):
    """Runs the application with bounds on what arrives before a handler sees it."""

    def __init__(
        self, app: web.Application, *, proxies: Iterable[Network] = (), header_s: float = HEADER_S, shutdown_s: float
    ) -> None:
        # A compressed body is small for the sender and large for us; GitHub and browsers send none.
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=shutdown_s,
            auto_decompress=False,
            keepalive_timeout=IDLE_S,
            lingering_time=LINGER_S,
        )
        self._proxies, self._header_s = tuple(proxies), header_s

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made.request_handler,
            request_factory=made.request_factory,
            loop=asyncio.get_running_loop(),
            proxies=self._proxies,
            header_s=self._header_s,
            **made._kwargs,
        )


@contextlib.contextmanager
def body_deadline(request: web.Request, body_s: float) -> Iterator[None]:
    """End a body that arrives too slowly: its reader gets `BodyTooSlow`."""
    if not request.can_read_body:
        yield
        return

    def end() -> None:
        if not request.content.is_eof():
            request.content.set_exception(BodyTooSlow())

    timer = asyncio.get_running_loop().call_later(body_s, end)
    try:
        yield
    finally:
        timer.cancel()


@dataclass(eq=False, slots=True)
class _Reading:
    """One body that is read: how much there is of it, and what ends it."""

    address: str
    end: Callable[[], None]
    size: int = 0


class Unsigned:
    """The bytes of deliveries whose signature is not checked yet, by address: they are whatever anybody sends.

    Where there are too many, the largest body ends of the network that sends the most, and not one that comes new: else
    strangers who send much kept GitHub's deliveries out, some of them from many addresses of one network.
    """

    def __init__(self) -> None:
        self._of: Counter[str] = Counter()
        self._readings: set[_Reading] = set()

    @contextlib.contextmanager
    def reading(self, address: str, end: Callable[[], None]) -> Iterator[Callable[[int], bool]]:
        """Give what counts the bytes of one body until the context ends; it says False where there are too many.

        `end` is called where the body is to end for others' sake.
        """
        reading = _Reading(address, end)
        self._readings.add(reading)

        def grow(size: int) -> bool:
            if reading not in self._readings:
                return False
            reading.size += size
            self._of[address] += size
            while self._of.total() > UNSIGNED and reading in self._readings:
                self._end_largest()
            return reading in self._readings and self._of[address] <= UNSIGNED_OF_ADDRESS

        try:
            yield grow
        finally:
            self._forget(reading)

    def _end_largest(self) -> None:
        of_network: Counter[str] = Counter()
        for address, size in self._of.items():
            of_network[network_of(address)] += size
        most = of_network.most_common(1)[0][0]
        those = (reading for reading in self._readings if network_of(reading.address) == most)
        largest = max(those, key=lambda reading: reading.size)
        self._forget(largest)
        largest.end()

    def _forget(self, reading: _Reading) -> None:
        if reading not in self._readings:
            return
        self._readings.remove(reading)
        self._of[reading.address] -= reading.size
        if not self._of[reading.address]:
            del self._of[reading.address]
