"""Runs other programs so that every wait ends: bounds on time and output, pipes that we can close, one end for a whole
process group.

asyncio's own pipes are closed only when nobody holds their other end: a grandchild that inherited one keeps `wait()`
waiting for ever, and a program whose output is no longer read never exits. Here the pipes are ours, and closing them
depends on nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

READ_BYTES = 1 << 18
MAX_ERROR_BYTES = 64 << 10
GRACE_S = 1.0  # for the rest of the output after the program's own end, where a child of it holds the pipe
_PIPE_BYTES = 1 << 20  # more than a pipe holds that nobody enlarged: pipe(7)
END_S = 5.0  # for a killed process to be reaped
# https://man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
_PR_SET_PDEATHSIG = 1


class ProgramTimeout(Exception):
    """The program did not end within its time, and was killed."""


class OutputTooLarge(Exception):
    """The program wrote more than its bound, and was killed."""


@dataclass(frozen=True, slots=True)
class Finished:
    """A program's exit status (negative for a signal), what it wrote, and the beginning of its error output."""

    status: int
    out: bytes
    err: bytes


class Pipe:
    """A pipe whose reading end is ours: `writer` is the descriptor for a child, `reader` gives what arrives."""

    def __init__(
        self, reader: asyncio.StreamReader, transport: asyncio.ReadTransport, file: BinaryIO, writer: int
    ) -> None:
        self.reader, self._transport, self._file, self.writer = reader, transport, file, writer

    @classmethod
    async def open(cls) -> Pipe:
        """Return a new pipe."""
        read_end, write_end = os.pipe()
        file = cast(BinaryIO, os.fdopen(read_end, "rb", buffering=0))
        try:
            reader = asyncio.StreamReader(limit=READ_BYTES)
            transport, _ = await asyncio.get_running_loop().connect_read_pipe(
                lambda: asyncio.StreamReaderProtocol(reader), file
            )
        except BaseException:
            os.close(write_end)
            raise
        return cls(reader, transport, file, write_end)

    def close_writer(self) -> None:
        """Close our copy of the writing end, once the child has its own."""
        if self.writer >= 0:
            os.close(self.writer)
            self.writer = -1

    def take_rest(self) -> None:
        """Take what lies in the pipe now, at most what it holds at once: once it is closed, that would be lost.

        A slow reader has the loop read no more of it for as long as it likes.
        """
        left = _PIPE_BYTES
        with contextlib.suppress(BlockingIOError):
            while left > 0 and not self._transport.is_closing():
                data = os.read(self._file.fileno(), left)
                if not data:
                    break  # the loop finds that too
                self.reader.feed_data(data)
                left -= len(data)

    def close(self) -> None:
        """Close both ends. A reader gets the end of the stream, even if a process still holds the writing end."""
        self.close_writer()
        self._transport.close()


class _Input:
    """A pipe whose writing end is ours:

    `reader` is the descriptor for a child. What is given is written as fast as it is read.
    """

    def __init__(self, transport: asyncio.WriteTransport, reader: int) -> None:
        self._transport, self.reader = transport, reader

    @classmethod
    async def open(cls) -> _Input:
        read_end, write_end = os.pipe()
        try:
            transport, _ = await asyncio.get_running_loop().connect_write_pipe(
                asyncio.Protocol, os.fdopen(write_end, "wb", buffering=0)
            )
        except BaseException:
            os.close(read_end)
            raise
        return cls(transport, read_end)

    def feed(self, data: bytes) -> None:
        """Write all of it and then the end, without waiting for a reader."""
        self._transport.write(data)
        self._transport.write_eof()

    def close_reader(self) -> None:
        if self.reader >= 0:
            os.close(self.reader)
            self.reader = -1

    def close(self) -> None:
        """Close both ends. What nobody has read by now is dropped."""
        self.close_reader()
        if self._transport.get_write_buffer_size():
            self._transport.abort()
        else:
            self._transport.close()


def die_with_parent(signal_number: int) -> Callable[[], None] | None:
    """Ask Linux, in a child, for a signal when its parent dies; it runs before the child becomes the program."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def prepare() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal_number)
        if os.getppid() != parent:  # it died before we asked
            os._exit(1)

    return prepare


def _bound_memory(pid: int, size: int) -> None:
    """Bound what the process and its later children allocate: RLIMIT_DATA counts private writable memory alone.

    It is set from here, a moment after the program began: a function that runs before it would have the whole of this
    process copied. https://man7.org/linux/man-pages/man2/getrlimit.2.html
    """
    if sys.platform == "linux":
        with contextlib.suppress(ProcessLookupError):
            _, most = resource.prlimit(pid, resource.RLIMIT_DATA)
            bound = size if most == resource.RLIM_INFINITY else min(size, most)  # none but root may raise the machine's
            resource.prlimit(pid, resource.RLIMIT_DATA, (bound, bound))


class Program:
    """A running program. `chunks` gives its standard output as it comes; `finish` waits for its end.

    A program that is still running at its `end` gets SIGTERM, and SIGKILL after `grace_s`; without a grace at once.
    """

    def __init__(self, process: asyncio.subprocess.Process, out: Pipe, err: Pipe, grace_s: float) -> None:
        self._process, self._out, self._err, self._grace_s = process, out, err, grace_s
        self._beginning = bytearray()
        self._errors = asyncio.create_task(self._keep_errors())
        self._ending = asyncio.create_task(self._close_after_end())

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the standard output to its end."""
        while chunk := await self._out.reader.read(READ_BYTES):
            yield chunk

    async def finish(self) -> tuple[int, bytes]:
        """Return the exit status and the beginning of the error output."""
        status = await self._process.wait()
        await self._errors
        return status, bytes(self._beginning)

    async def end(self) -> None:
        """Leave nothing running: kill the group, close the pipes, reap the process."""
        if self._process.returncode is None or not self._errors.done():
            if self._grace_s:
                self._signal(signal.SIGTERM)
                await self._wait(self._grace_s)
            self._signal(signal.SIGKILL)
        self._out.close()
        self._err.close()
        for task in (self._errors, self._ending):
            task.cancel()
        await asyncio.gather(self._errors, self._ending, return_exceptions=True)
        await self._wait(END_S)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    async def _wait(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._process.wait()

    async def _keep_errors(self) -> None:
        """Read the error output to its end and keep its beginning, so that the program never waits for us."""
        while chunk := await self._err.reader.read(READ_BYTES):
            self._beginning += chunk[: MAX_ERROR_BYTES - len(self._beginning)]

    async def _close_after_end(self) -> None:
        """End the streams a moment after the program, where a process that it left behind holds them open.

        What the program itself wrote is read to its end, however late.
        """
        await self._process.wait()
        self._out.take_rest()
        self._err.take_rest()
        await asyncio.sleep(GRACE_S)
        self._out.close()
        self._err.close()


@contextlib.asynccontextmanager
async def started(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    stdin: bytes | None = None,
    cwd: Path | str | None = None,
    grace_s: float = 0.0,
    memory_bytes: int | None = None,
    **options: Any,
) -> AsyncIterator[Program]:
    """Start a program in a session of its own. At the end of the block nothing of its group is left.

    With a grace, the program gets that time to end at SIGTERM, which Linux sends it also when this process dies.
    On Linux, each process of the program may allocate `memory_bytes`; files that it maps do not count.
    """
    if grace_s:
        options["preexec_fn"] = die_with_parent(signal.SIGTERM)
    async with contextlib.AsyncExitStack() as pipes:
        out, err = await _opened(pipes, Pipe), await _opened(pipes, Pipe)
        given = await _opened(pipes, _Input) if stdin is not None else None
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=given.reader if given is not None else asyncio.subprocess.DEVNULL,
            stdout=out.writer,
            stderr=err.writer,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
            **options,
        )
        if memory_bytes is not None:
            _bound_memory(process.pid, memory_bytes)
        out.close_writer()
        err.close_writer()
        program = Program(process, out, err, grace_s)
        if given is not None and stdin is not None:
            given.close_reader()
            given.feed(stdin)
        try:
            yield program
        finally:
            await asyncio.shield(program.end())


P = TypeVar("P", Pipe, _Input)


async def _opened(pipes: contextlib.AsyncExitStack, kind: type[P]) -> P:
    pipe = await kind.open()
    pipes.callback(pipe.close)
    return pipe


async def run_program(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout_s: float,
    max_bytes: int,
    stdin: bytes | None = None,
    cwd: Path | str | None = None,
    **options: Any,
) -> Finished:
    """Run a program to its end and return what it wrote; the options are those of `started`.

    Raises:
        ProgramTimeout: it did not end within `timeout_s`.
        OutputTooLarge: its standard output is larger than `max_bytes`.
    """
    async with started(command, env=env, stdin=stdin, cwd=cwd, **options) as program:
        out: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(timeout_s):
                async for chunk in program.chunks():
                    size += len(chunk)
                    if size > max_bytes:
                        raise OutputTooLarge(f"more than {max_bytes} bytes")
                    out.append(chunk)
                status, err = await program.finish()
        except TimeoutError:
            raise ProgramTimeout(f"no end within {timeout_s:.0f} s") from None
    return Finished(status, b"".join(out), err)
