"""Every way in which a program can end, or not end, comes back within bounds."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from forgeguard_app.git.command import GitRepository, GitTimeout, GitTooLarge
from forgeguard_app.processes import Finished, OutputTooLarge, ProgramTimeout, run_program, started
from tests.support.repositories import WorkTree

OUTER_S = 60.0  # far above every bound; a test that needs it has found an endless wait
LONG_S = 600.0
CHILD = "import os,signal,sys,time\n"


async def run(
    code: str,
    *,
    stdin: bytes | None = None,
    timeout_s: float = LONG_S,
    max_bytes: int = 1 << 20,
    memory_bytes: int | None = None,
) -> Finished:
    async with asyncio.timeout(OUTER_S):
        return await run_program(
            [sys.executable, "-c", CHILD + code],
            env=dict(os.environ),
            stdin=stdin,
            timeout_s=timeout_s,
            max_bytes=max_bytes,
            memory_bytes=memory_bytes,
        )


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] not in (b"Z", b"X")
    except OSError:
        return False


async def test_a_program_that_ends_at_once_gives_its_status_and_output() -> None:
    done = await run("print('out'); print('err', file=sys.stderr); sys.exit(3)")
    assert (done.status, done.out, done.err) == (3, b"out\n", b"err\n")


async def test_too_much_on_standard_output_ends_the_program() -> None:
    with pytest.raises(OutputTooLarge):
        await run("while True: os.write(1, b'x' * 65536)")


async def test_too_much_on_standard_error_is_read_and_cut() -> None:
    done = await run("os.write(2, b'first '); [os.write(2, b'x' * 65536) for _ in range(200)]")
    assert done.status == 0
    assert done.err.startswith(b"first x")
    assert len(done.err) == 64 << 10


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a running process")
async def test_a_program_and_its_children_get_no_more_memory_than_their_bound() -> None:
    code = (
        "sys.stdin.read(); print(end='in it ', flush=True)\ntry: bytearray(1 << 28)\nexcept MemoryError: print('none')"
    )
    of_child = (
        f"import subprocess; sys.stdin.read(); subprocess.run([sys.executable, '-c', {CHILD + code!r}], input=b'')"
    )
    for tried in (code, of_child):
        assert (await run(tried, stdin=b"", memory_bytes=1 << 27)).out == b"in it none\n"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the memory of a running process")
async def test_a_program_runs_where_the_machine_bounds_memory_more_narrowly() -> None:
    code = (
        "import asyncio, encodings.idna, resource\nfrom forgeguard_app.processes import run_program\n"
        "if os.geteuid() == 0: os.setuid(65534)\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "run = run_program(['true'], env=dict(os.environ), timeout_s=60, max_bytes=9, memory_bytes=2 << 30)\n"
        "print(asyncio.run(run).status)"
    )
    assert (await run(code)).out == b"0\n"


async def test_a_program_that_closes_its_pipes_and_lives_on_is_killed() -> None:
    with pytest.raises(ProgramTimeout):
        await run("os.close(1); os.close(2); time.sleep(600)", timeout_s=1.0)


async def test_a_program_that_ignores_the_signal_to_end_is_killed() -> None:
    with pytest.raises(ProgramTimeout):
        await run("signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)", timeout_s=1.0)


async def test_a_program_that_never_ends_is_killed() -> None:
    with pytest.raises(ProgramTimeout):
        await run("while True: pass", timeout_s=1.0)


@pytest.mark.parametrize("session", ["", "os.setsid();"], ids=["in its group", "in a session of its own"])
async def test_a_grandchild_that_holds_the_pipe_keeps_nobody_waiting(session: str) -> None:
    code = f"print('done', flush=True)\nif os.fork() == 0:\n  {session} time.sleep(30); os._exit(0)\nos._exit(0)"
    done = await run(code)
    assert (done.status, done.out) == (0, b"done\n")


@pytest.mark.parametrize("size", [1_000, 600_000, 650_000])
async def test_what_a_program_wrote_is_read_to_its_end_however_slowly(size: int) -> None:
    """Some of it lies in the pipe when the program ends, and nobody reads it until the pipe is closed."""
    code = f"os.write(2, b'y' * 70_000); sys.stdout.buffer.write(b'x' * {size})"
    async with asyncio.timeout(OUTER_S), started([sys.executable, "-c", CHILD + code], env=dict(os.environ)) as program:
        assert (await program.finish())[0] == 0
        await program._ending
        assert sum([len(chunk) async for chunk in program.chunks()]) == size


async def test_a_program_that_dies_while_its_input_is_written_gives_its_status() -> None:
    done = await run("os.read(0, 10); sys.exit(5)", stdin=b"x" * (32 << 20))
    assert done.status == 5


async def test_a_program_that_reads_nothing_of_its_input_is_killed() -> None:
    with pytest.raises(ProgramTimeout):
        await run("time.sleep(600)", stdin=b"x" * (32 << 20), timeout_s=1.0)


async def test_a_grandchild_that_holds_the_input_keeps_nobody_waiting() -> None:
    done = await run(
        "if os.fork() == 0:\n  os.setsid(); time.sleep(30); os._exit(0)\nos._exit(7)", stdin=b"x" * (32 << 20)
    )
    assert done.status == 7


async def test_no_process_of_the_group_outlives_a_call_that_was_given_up() -> None:
    async with asyncio.timeout(OUTER_S):
        command = [sys.executable, "-c", CHILD + "pid = os.fork()\nif pid: print(pid, flush=True)\ntime.sleep(600)"]
        async with started(command, env=dict(os.environ)) as program:
            child = int(await anext(program.chunks()))
            assert is_running(child)
        while is_running(child):
            await asyncio.sleep(0)


async def test_git_that_writes_more_than_its_bound_is_ended(tree: WorkTree) -> None:
    tree.commit({"f": os.urandom(8 << 20)})
    blob = tree.git("rev-parse", "HEAD:f")
    repository = GitRepository(tree.folder / ".git")
    async with asyncio.timeout(OUTER_S):
        with pytest.raises(GitTooLarge):
            await repository.run("cat-file", "blob", blob, max_bytes=1 << 20, timeout_s=LONG_S)


async def test_a_stream_of_git_that_is_left_early_or_not_read_comes_to_an_end(tree: WorkTree) -> None:
    tree.commit({"f": os.urandom(8 << 20)})
    blob = tree.git("rev-parse", "HEAD:f")
    repository = GitRepository(tree.folder / ".git")
    async with asyncio.timeout(OUTER_S):
        async with repository.stream("cat-file", "blob", blob) as chunks:
            first = await anext(chunks)
        with pytest.raises(GitTimeout):
            async with repository.stream("cat-file", "blob", blob, timeout_s=0.5):
                await asyncio.Event().wait()
        async with repository.stream("cat-file", "blob", blob) as chunks:
            size = sum([len(chunk) async for chunk in chunks])
    assert first
    assert size == 8 << 20


LOCKED = "lock = sys.argv[1]; open(lock, 'w').close(); print(os.getpid(), flush=True)\n"
UNLOCKS = "signal.signal(signal.SIGTERM, lambda *_: (os.unlink(lock), os._exit(0)))\n"


async def test_a_program_with_a_grace_may_remove_its_locks_before_it_is_killed(tmp_path: Path) -> None:
    lock = tmp_path / "ref.lock"
    command = [sys.executable, "-c", f"{CHILD}lock = sys.argv[1]\n{UNLOCKS}{LOCKED}time.sleep(600)", str(lock)]
    async with asyncio.timeout(OUTER_S), started(command, env=dict(os.environ), grace_s=LONG_S) as program:
        await anext(program.chunks())
        assert lock.exists()
    assert not lock.exists()


async def test_a_program_that_ignores_the_end_of_its_grace_is_killed(tmp_path: Path) -> None:
    code = f"signal.signal(signal.SIGTERM, signal.SIG_IGN)\n{LOCKED}time.sleep(600)"
    command = [sys.executable, "-c", CHILD + code, str(tmp_path / "ref.lock")]
    async with asyncio.timeout(OUTER_S), started(command, env=dict(os.environ), grace_s=0.1) as program:
        pid = int(await anext(program.chunks()))
    assert not is_running(pid)


@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a child that its parent died")
async def test_git_that_writes_in_a_repository_ends_with_a_worker_that_is_killed(tmp_path: Path) -> None:
    """The server never answers, so that git would work on beside the next worker that takes the repository."""
    asked = asyncio.Event()

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        asked.set()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/r.git"
    code = (
        "import asyncio, sys, pathlib\n"
        "from forgeguard_app.git.command import GitRepository\n"
        "repository = GitRepository(pathlib.Path(sys.argv[1]))\n"
        "asyncio.run(repository.run('init', '--quiet', '--bare', '--template=', sys.argv[1]))\n"
        "asyncio.run(repository.run('fetch', sys.argv[2], timeout_s=600))\n"
    )
    async with server, asyncio.timeout(OUTER_S):
        worker = await asyncio.create_subprocess_exec(sys.executable, "-c", code, str(tmp_path / "r.git"), url)
        await asked.wait()
        (git,) = map(int, Path(f"/proc/{worker.pid}/task/{worker.pid}/children").read_text().split())
        helpers = list(map(int, Path(f"/proc/{git}/task/{git}/children").read_text().split()))
        worker.kill()
        await worker.wait()
        try:
            while is_running(git):
                await asyncio.sleep(0)
        finally:
            for pid in (git, *helpers):
                if is_running(pid):
                    os.killpg(git, signal.SIGKILL)
