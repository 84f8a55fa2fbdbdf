"""Live pages: one stream of events for a whole browser, which tells what changed of all that its tabs show.

`GET /events?of=<subject>~<version>&of=…` names each part that some tab shows and the version shown. An event is sent
only where the version is another one, so that a page which is up to date asks for nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from aiohttp import web

from forgeguard_app.errors import RetryLater
from forgeguard_app.fair_turns import FairTurns, TooManyWaiting
from forgeguard_app.flows.people.repo_access import Person, SignedOut
from forgeguard_app.store.changes import ACCESS, ChangeFeed, TooManyWatches, Watch, access_of
from forgeguard_app.store.pool import DATABASE_ERRORS
from forgeguard_app.web.clients import client_of, network_of
from forgeguard_app.web.keys import CHANGES, context_of, mark_stream
from forgeguard_app.web.log_stream import GATHER_S, TAILS, Beats, find_ended, line_number
from forgeguard_app.web.session import find_person
from forgeguard_app.web.subjects import Followed, Subject, SubjectKind, ask_again, open_subject, read_subject

BEAT_S = 20.0  # access is asked again, and no proxy thinks that the stream is dead
LONGEST_S = 1_800.0  # then the browser connects again
TICK_S = 1.0  # the shortest time between two events of a part; a closed connection is noticed within it
MOST_PARTS = 60
MOST_PARTS_OF_NOBODY = 20  # of a stream of somebody who is not signed in
MOST_OF_PERSON = 16  # streams: as many browsers
MOST_OF_ADDRESS = 64  # streams of people who are not signed in, from one address
MOST_OF_NETWORK = 250  # the same, from one network, of which one customer may have 65,536 addresses as they are counted
MOST_OF_NOBODY = 1_000  # the same, all together
REFRESHES_OF_NOBODY = 4  # of their streams, how many read the database at once
HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-store, no-transform",
    # nginx holds a stream back otherwise: https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_buffering
    "X-Accel-Buffering": "no",
}


class Streams:
    """The event streams that are open in this process, counted by person."""

    def __init__(self, beat_s: float) -> None:
        self.beat_s = beat_s
        self._open: Counter[UUID | str] = Counter()
        self._refreshes = FairTurns(REFRESHES_OF_NOBODY, MOST_OF_NETWORK)

    @property
    def total(self) -> int:
        """Return the number of open streams."""
        return self._open.total()

    @contextlib.contextmanager
    def one_of(self, person: Person | None, address: str) -> Iterator[None]:
        """Count one stream until the context ends: that of a person, or of an address where nobody is signed in.

        Raises:
            HTTPTooManyRequests: the person has `MOST_OF_PERSON` streams, or the address, its network or all who are not
                signed in have as many as they may.
        """
        who = address if person is None else person.user_id
        if self._is_full(who):
            raise web.HTTPTooManyRequests(reason="Too many live pages are open. Close some, or reload this one later.")
        self._open[who] += 1
        try:
            yield
        finally:
            self._open[who] -= 1
            if not self._open[who]:
                del self._open[who]

    @contextlib.asynccontextmanager
    async def refreshing(self, person: Person | None, address: str) -> AsyncIterator[None]:
        """Hold the right to read what a stream shows until the context ends.

        Streams of people who are not signed in take turns by network, since anybody opens them. Nothing is sent to a
        browser meanwhile, which may read slowly.

        Raises:
            HTTPServiceUnavailable: more streams of the network wait than it may have.
        """
        if person is not None:
            yield
            return
        network = network_of(address)
        try:
            await self._refreshes.take(network)
        except TooManyWaiting:
            raise web.HTTPServiceUnavailable(reason="Too many pages are live; reload this one later.") from None
        try:
            yield
        finally:
            self._refreshes.give_back(network)

    def _is_full(self, who: UUID | str) -> bool:
        if isinstance(who, UUID):
            return self._open[who] >= MOST_OF_PERSON
        of_nobody = {viewer: number for viewer, number in self._open.items() if isinstance(viewer, str)}
        network = network_of(who)
        of_network = sum(number for viewer, number in of_nobody.items() if network_of(viewer) == network)
        return (
            self._open[who] >= MOST_OF_ADDRESS
            or of_network >= MOST_OF_NETWORK
            or sum(of_nobody.values()) >= MOST_OF_NOBODY
        )


STREAMS: web.AppKey[Streams] = web.AppKey("STREAMS")
LOG_STREAMS: web.AppKey[Streams] = web.AppKey("LOG_STREAMS")  # of build logs in the API


@dataclass(slots=True, eq=False)
class LivePart:
    """One subject of a stream: the version that the browser has, and when it may hear of the next one."""

    subject: Subject
    followed: Followed
    version: str
    free_at: float = 0.0


Opener = Callable[[web.Request, Subject], Awaitable[Followed]]


async def _open_shared(request: web.Request, subject: Subject) -> Followed:
    """Return the same as `open_subject` for somebody who is not signed in; all of them share a reading for `FRESH_S`,
    or until somebody loses access.
    """
    return await request.app[CHANGES].value(ACCESS, f"public {subject}", lambda: open_subject(request, subject))


async def show_events(request: web.Request) -> web.StreamResponse:
    """Stream what changes of the named parts; with `once`, answer what changed already, for proxies that hold streams
    back.
    """
    wanted = _read_wanted(request)
    mark_stream(request)
    person = await find_person(request)
    wanted, left_out = _within_share(wanted, person)
    own = {ACCESS} if person is None else {ACCESS, access_of(person.user_id)}
    with request.app[STREAMS].one_of(person, client_of(request)):
        async with request.app[STREAMS].refreshing(person, client_of(request)):
            parts, gone = await _open_parts(request, wanted, open_subject)
        try:
            async with request.app[CHANGES].watch(own | {key for part in parts for key in part.followed.keys}) as watch:
                response = web.StreamResponse(headers=HEADERS)
                await response.prepare(request)
                stream = Stream(request, response, watch, parts, own)
                with contextlib.suppress(TimeoutError, ConnectionError):
                    async with asyncio.timeout(LONGEST_S):
                        await stream.begin(gone, left_out)
                        await (stream.tell_once() if "once" in request.query else stream.run())
                return response
        except TooManyWatches:
            raise web.HTTPServiceUnavailable(reason="Too many pages are live; reload this one later.") from None


def _read_wanted(request: web.Request) -> dict[Subject, str]:
    """Return the named subjects with the versions shown.

    Raises:
        HTTPBadRequest: a subject is invalid, or there are more than `MOST_PARTS`.
    """
    asked = request.query.getall("of", [])
    if len(asked) > MOST_PARTS:
        raise web.HTTPBadRequest(reason=f"A stream follows at most {MOST_PARTS} parts.")
    wanted: dict[Subject, str] = {}
    for text in asked:
        name, _, version = text.partition("~")
        subject = read_subject(name)
        if subject is None or (subject.kind is SubjectKind.LOG and line_number(version) is None):
            raise web.HTTPBadRequest(
                reason="A part is named <kind>/<id>~<version>; a log's version is a line's number."
            )
        wanted[subject] = version
    return wanted


def _within_share(wanted: Mapping[Subject, str], person: Person | None) -> tuple[dict[Subject, str], list[Subject]]:
    """Return what the stream follows, and the subjects beyond what somebody who is not signed in may follow."""
    most = MOST_PARTS if person is not None else MOST_PARTS_OF_NOBODY
    named = list(wanted.items())
    return dict(named[:most]), [subject for subject, _ in named[most:]]


async def _open_parts(
    request: web.Request, wanted: Mapping[Subject, str], opener: Opener
) -> tuple[list[LivePart], list[Subject]]:
    """Return the parts that the person may see, and the subjects that they may not."""
    parts, gone = [], []
    for subject, version in wanted.items():
        try:
            parts.append(LivePart(subject, await opener(request, subject), version))
        except (web.HTTPNotFound, web.HTTPForbidden, SignedOut):
            gone.append(subject)
    return parts, gone


@dataclass(slots=True, eq=False)
class Stream:
    """One open stream."""

    request: web.Request
    response: web.StreamResponse
    watch: Watch
    parts: list[LivePart]
    own: set[UUID]  # the keys under which it is told that this stream's access may be gone
    _due: set[LivePart] = field(default_factory=set)
    _beats: Beats = field(init=False)

    async def begin(self, gone: Sequence[Subject], left_out: Sequence[Subject]) -> None:
        """Say that the stream is open, and what it does not follow; everything is compared once, since it may have
        changed before.
        """
        await self._send("hello", {})
        for event, subjects in (("gone", gone), ("full", left_out)):
            for subject in subjects:
                await self._send(event, {"subject": str(subject)})
        self._due.update(self.parts)
        self._beats = Beats(self.own, self.request.app[STREAMS].beat_s)

    async def tell_once(self) -> None:
        """Tell what is other than shown, and end."""
        await self._tell_all(list(self._due))

    async def run(self) -> None:
        """Tell changes until the browser or the server ends the stream, or something is away that access depends on."""
        with contextlib.suppress(RetryLater, ConnectionError, web.HTTPException, *DATABASE_ERRORS):
            while not self.watch.closing and self.request.transport is not None:
                changed = self.watch.pop_all()
                self._due.update(part for part in self.parts if not changed.isdisjoint(part.followed.keys))
                now = time.monotonic()
                if self._beats.take(changed):
                    await self._beat()
                await self._tell_all([part for part in self._due if part.free_at <= now])
                await self._wait()

    async def _wait(self) -> None:
        soonest = min((part.free_at for part in self._due), default=float("inf")) - time.monotonic()
        await self.watch.wait(min(max(soonest, 0.0), TICK_S))

    async def _beat(self) -> None:
        """Ask access again, and compare everything: not every change is told."""
        fresh = await ask_again(self.request)
        person = await find_person(fresh)
        async with self._refreshing(person):
            opener = open_subject if person is not None else _open_shared
            kept, gone = await _open_parts(fresh, {part.subject: part.version for part in self.parts}, opener)
        left = {part.subject for part in kept}
        self.parts = [part for part in self.parts if part.subject in left]
        self._due = set(self.parts)
        for subject in gone:
            await self._send("gone", {"subject": str(subject)})
        await self._send("beat", {})

    def _refreshing(self, person: Person | None) -> contextlib.AbstractAsyncContextManager[None]:
        return self.request.app[STREAMS].refreshing(person, client_of(self.request))

    async def _tell_all(self, due: Sequence[LivePart]) -> None:
        """Read the versions of the parts that are due, then tell those that are other ones."""
        self._due.difference_update(due)
        logs = [part for part in due if part.subject.kind is SubjectKind.LOG]
        versions: list[tuple[LivePart, str | None]] = []
        if len(logs) < len(due):
            async with self._refreshing(await find_person(self.request)):
                versions = [(part, await self._version(part)) for part in due if part not in logs]
        for part, version in versions:
            await self._tell(part, version)
        for part in logs:
            await self._tell_lines(part)

    async def _tell(self, part: LivePart, version: str | None) -> None:
        if version is None:
            await self._drop(part, "gone")
        elif version != part.version:
            part.version = version
            await self._send("version", {"subject": str(part.subject), "version": version})

    async def _tell_lines(self, part: LivePart) -> None:
        """Send the lines beyond the last one that the browser has, as many as are read at once."""
        part.free_at = time.monotonic() + GATHER_S
        ended = await find_ended(self.request, part.subject.id)  # before the lines: nothing comes after the end's last
        chunk = await self.request.app[TAILS].after(part.subject.id, int(part.version or 0))
        if chunk.lines:
            part.version = str(chunk.last)
            self._due.add(part)
            lines = ",".join(line for _, line in chunk.lines)
            await self._write("lines", f'{{"subject": "{part.subject}", "lines": [{lines}]}}')
        elif ended:
            await self._drop(part, "end")

    async def _drop(self, part: LivePart, event: str) -> None:
        self.parts.remove(part)
        await self._send(event, {"subject": str(part.subject)})

    async def _version(self, part: LivePart) -> str | None:
        part.free_at = time.monotonic() + TICK_S
        changes: ChangeFeed = self.request.app[CHANGES]

        async def read() -> str | None:
            async with context_of(self.request).pool.acquire() as connection:
                return await part.followed.read(connection)

        if not part.followed.is_shared:
            return await read()
        return await changes.value(part.followed.keys[0], f"{part.subject.kind}/{part.subject.id}", read)

    async def _send(self, event: str, data: Mapping[str, object]) -> None:
        await self._write(event, json.dumps(data))

    async def _write(self, event: str, data: str) -> None:
        await self.response.write(f"event: {event}\ndata: {data}\n\n".encode())
