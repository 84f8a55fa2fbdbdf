"""Runs a builder's command: prompt in, lines out, within bounds of time, output and room; at its end nothing of it is
left.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from forgeguard_app.builders.beginning import Beginning, Hear
from forgeguard_app.builders.builder_processes import MARK, kill_all
from forgeguard_app.builders.confinement import Sandbox
from forgeguard_app.builders.room_watch import RoomWatch
from forgeguard_app.errors import RetryLater
from forgeguard_app.processes import Pipe

GRACE_S = 2.0
REST_S = 60.0  # in which what a builder printed before its end is masked and kept
LOOK_S = 0.25
EXIT_S = 0.02
SIZE_EVERY_S = 2.0
READ_BYTES = 1 << 16
MAX_LINE_BYTES = 8_000
MAX_FILE_BYTES = 1 << 30
MAX_PROCESSES = 2_048
NO_PROGRAM = 127  # as a shell says it
STARTS = 3
_MOUNT_GONE = b"bwrap: Can't bind mount"
_NO_NEW_PRIVILEGES, _PARENT_DEATH_SIGNAL = 38, 1  # prctl(2)


class Ended(StrEnum):
    """The way in which a builder ended."""

    EXITED = "exited"
    TOO_LONG = "time"
    TOO_MUCH_OUTPUT = "output"
    TOO_LARGE = "size"
    NO_DISK = "disk"  # of the machine, which is nearly full
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class RunBounds:
    """Limits of one run of a builder."""

    time_s: float = 3_600.0
    output_bytes: int = 20 << 20
    checkout_bytes: int = 2 << 30
    grace_s: float = GRACE_S


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """The outcome of a run; `status` is the exit status, negative for a signal, and 127 where there is no such
    program.
    """

    ended: Ended
    status: int


@dataclass(frozen=True)
class BuilderRun:
    """A run of a builder: the command, its environment, and what it reads on its standard input."""

    command: list[str]
    environment: Mapping[str, str]
    prompt: str
    mark: str
    bounds: RunBounds = RunBounds()


async def run_builder(
    room: Sandbox, run: BuilderRun, hear: Hear, wants_end: Callable[[], Awaitable[bool]]
) -> RunOutcome:
    """Run it to its end; `hear` is given its lines as they come, `wants_end` is asked now and then whether somebody
    cancelled. It begins once: only a sandbox that failed before that is tried again, within the same time.

    Raises:
        RetryLater: the machine's disk is nearly full, for no fault of the builder's that can be shown.
        whatever `hear` raises, once every process of the builder is gone.
    """
    environment = {**run.environment, MARK: run.mark}
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + run.bounds.time_s
    begin = Beginning(hear)
    for _ in range(STARTS):
        run = replace(run, bounds=replace(run.bounds, time_s=ends_at - loop.time()))
        out = await Pipe.open()
        try:
            outcome = await _run(room, run, environment, out, begin, wants_end)
        finally:
            out.close()
        # bubblewrap sees every mount of the machine, and fails where another build's place goes in that moment.
        if begin.has_begun or outcome.status != 1 or not begin.last.startswith(_MOUNT_GONE):
            break
    if outcome.ended is Ended.NO_DISK:
        raise RetryLater("this machine's disk is nearly full")
    return outcome


async def _run(
    room: Sandbox,
    run: BuilderRun,
    environment: Mapping[str, str],
    out: Pipe,
    begin: Beginning,
    wants_end: Callable[[], Awaitable[bool]],
) -> RunOutcome:
    hear = begin.hear
    if room.private_tmp and shutil.which(run.command[0], path=environment.get("PATH")) is None:
        await hear([f"{run.command[0]}: there is no such program".encode()])
        return RunOutcome(Ended.EXITED, NO_PROGRAM)
    watch = await asyncio.to_thread(RoomWatch, room, run.bounds.checkout_bytes, run.mark)
    try:
        process = await asyncio.create_subprocess_exec(
            *begin.command(room, run.command),
            cwd=room.work,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=out.writer,
            stderr=out.writer,
            start_new_session=True,
            preexec_fn=partial(_limited, no_new_privileges=not room.wall.prefix),
            user=room.uid,
            group=room.uid,
            extra_groups=None if room.uid is None else [],
        )
    except (FileNotFoundError, PermissionError, NotADirectoryError) as error:
        await hear([f"{run.command[0]}: {type(error).__name__}".encode()])
        return RunOutcome(Ended.EXITED, NO_PROGRAM)
    out.close_writer()
    watch.leader = process.pid
    try:
        return await _watched(watch, run, process, out, hear, wants_end)
    finally:
        await asyncio.shield(asyncio.to_thread(kill_all, room, run.mark, process.pid))
        if process.stdin is not None and process.stdin.transport.get_write_buffer_size():
            process.stdin.transport.abort()  # a process that got away may hold it without reading it
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await process.wait()


async def _watched(
    watch: RoomWatch,
    run: BuilderRun,
    process: asyncio.subprocess.Process,
    out: Pipe,
    hear: Hear,
    wants_end: Callable[[], Awaitable[bool]],
) -> RunOutcome:
    feeding = asyncio.create_task(_feed(process, run.prompt))
    reading = asyncio.create_task(_read(out.reader, run.bounds.output_bytes, hear))
    watching = asyncio.create_task(_watch(watch, run.bounds, wants_end))
    ending = asyncio.create_task(_exited(process))
    try:
        # A child that outlives the builder may hold the pipe open; the builder's own end counts.
        await asyncio.wait({reading, watching, ending}, return_when=asyncio.FIRST_COMPLETED)
        if (
            reading.done()
            and not reading.exception()
            and not ending.done()
            and not watching.done()
            and not reading.result()
        ):
            await asyncio.wait({watching, ending}, return_when=asyncio.FIRST_COMPLETED)
        ended = await _reason(reading, watching)
        if ended is Ended.EXITED and await asyncio.to_thread(watch.is_too_large, due=True):
            ended = Ended.TOO_LARGE
        if ended is not Ended.EXITED:
            await _end_gently(process, 0 if ended is Ended.NO_DISK else run.bounds.grace_s)
        await asyncio.to_thread(kill_all, watch.room, run.mark, process.pid)
        if ended is Ended.NO_DISK and await asyncio.to_thread(watch.filled_disk):
            ended = Ended.TOO_LARGE
        out.take_rest()
        out.close()  # a process that got away may hold it open
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REST_S):
                await reading
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(GRACE_S):
                await _exited(process)
        return RunOutcome(
            ended, -signal.SIGKILL if process.returncode is None else _status(watch.room, process.returncode)
        )
    finally:
        for task in (feeding, reading, watching, ending):
            task.cancel()
        await asyncio.gather(feeding, reading, watching, ending, return_exceptions=True)


def _status(room: Sandbox, status: int) -> int:
    """Return the program's status; bubblewrap adds 128 to the number of the signal that ended it, as a shell does."""
    return 128 - status if room.private_tmp and 128 < status <= 128 + signal.NSIG else status


async def _exited(process: asyncio.subprocess.Process) -> None:
    """Wait for the program alone: asyncio's own wait is over only when nobody holds its input open any more."""
    while process.returncode is None:
        await asyncio.sleep(EXIT_S)


async def _reason(reading: asyncio.Task[bool], watching: asyncio.Task[Ended]) -> Ended:
    if watching.done():
        return watching.result()
    if reading.done() and await reading:
        return Ended.TOO_MUCH_OUTPUT
    return Ended.EXITED


async def _feed(process: asyncio.subprocess.Process, prompt: str) -> None:
    if process.stdin is None:
        return
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(prompt.encode("utf-8", "replace"))
        await process.stdin.drain()
    process.stdin.close()


async def _read(output: asyncio.StreamReader, most: int, hear: Hear) -> bool:
    """Hand the lines on; True where there were too many bytes of them."""
    rest, size = b"", 0
    while chunk := await output.read(READ_BYTES):
        size += len(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        while len(rest) > MAX_LINE_BYTES:
            lines.append(rest[:MAX_LINE_BYTES])
            rest = rest[MAX_LINE_BYTES:]
        if lines:
            await hear([part for line in lines for part in _cut(line)])
        if size > most:
            return True
    if rest:
        await hear([rest])
    return False


def _cut(line: bytes) -> list[bytes]:
    return [line[at : at + MAX_LINE_BYTES] for at in range(0, len(line), MAX_LINE_BYTES)] or [b""]


async def _watch(watch: RoomWatch, bounds: RunBounds, wants_end: Callable[[], Awaitable[bool]]) -> Ended:
    """Wait for a bound to be reached, or for somebody's wish."""
    loop = asyncio.get_running_loop()
    deadline, look_at_size = loop.time() + bounds.time_s, loop.time() + SIZE_EVERY_S
    while True:
        await asyncio.sleep(LOOK_S)
        if await wants_end():
            return Ended.CANCELLED
        if loop.time() > deadline:
            return Ended.TOO_LONG
        is_due = loop.time() > look_at_size
        if await asyncio.to_thread(watch.is_too_large, due=is_due):
            return Ended.TOO_LARGE
        if await asyncio.to_thread(watch.lacks_disk):
            await asyncio.to_thread(watch.note_end)
            return Ended.NO_DISK
        if is_due:
            look_at_size = loop.time() + SIZE_EVERY_S


async def _end_gently(process: asyncio.subprocess.Process, grace_s: float) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(grace_s):
            await _exited(process)


def _limited(*, no_new_privileges: bool) -> None:
    """In the child: bounds that its own children inherit, no way to more rights, and an end with its parent's.

    The steps before bubblewrap that lead outside need rights in their own namespace; bubblewrap ends them.
    """
    resource.setrlimit(resource.RLIMIT_FSIZE, (MAX_FILE_BYTES, MAX_FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NPROC, (MAX_PROCESSES, MAX_PROCESSES))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        # Neither a set-uid program nor capabilities of a file give rights any more, to children neither:
        # https://docs.kernel.org/userspace-api/no_new_privs.html
        if no_new_privileges:
            libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        libc.prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    os.umask(0o022)
