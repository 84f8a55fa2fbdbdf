"""Builders of every bad kind: what they reach, how they end, and what is left of them."""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import math
import os
import secrets
import shlex
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from forgeguard_app.builders import process
from forgeguard_app.builders.builder_processes import is_ours, sweep
from forgeguard_app.builders.confinement import (
    Confinement,
    Sandbox,
    choose,
    end_orphans,
    own_user,
    processes,
    users_have_namespaces,
    wrapped,
)
from forgeguard_app.builders.file_sizes import size_of
from forgeguard_app.builders.network import CLOSED, Network, Wall, can_reach_outside, own_addresses
from forgeguard_app.builders.probing import PROBE_UID, once_it_works
from forgeguard_app.builders.process import BuilderRun, Ended, RunBounds, RunOutcome, run_builder
from forgeguard_app.builders.sized_place import can_mount, mount_sized, refuse_full_disk, unmount
from forgeguard_app.builders.take_out import MAX_FILES, Unsound, _Copy, copy_stream, take_out
from forgeguard_app.builders.workspace import (
    PLACE,
    empty_shared,
    environment_of,
    hand_over,
    open_workspace,
    place_for,
    remove,
    remove_workspace,
)
from forgeguard_app.errors import RetryLater
from forgeguard_app.git.branches import check_out, commit_work_tree
from forgeguard_app.git.changes import list_links_out
from forgeguard_app.git.command import GitRepository
from tests.support.disks import small_disk
from tests.support.repositories import WorkTree

KIND = Confinement.OWN_USER if os.geteuid() == 0 else Confinement.UNCONFINED
CONFINED = [
    kind
    for kind, usable in (
        (Confinement.OWN_USER, os.geteuid() == 0),
        (Confinement.BUBBLEWRAP, shutil.which("bwrap") is not None),
    )
    if usable
]


@contextlib.asynccontextmanager
async def room(
    folder: Path,
    kind: Confinement = KIND,
    network: Network = Network.OUTSIDE,
    most_bytes: int = 64 << 20,
    folders: tuple[str, ...] = (),
) -> AsyncIterator[Sandbox]:
    place, name = place_for(folder), f"b{os.getpid()}-{time.monotonic_ns()}"
    try:
        async with open_workspace(place, name, kind, network, folders).room(most_bytes) as sandbox:
            sandbox.take_over()
            yield sandbox
    finally:
        await remove_workspace(place, name)


async def run(
    sandbox: Sandbox,
    script: str,
    *,
    bounds: RunBounds | None = None,
    end: asyncio.Event | None = None,
    prompt: str = "",
    program: tuple[str, ...] = ("bash", "-c"),
    **passed: str,
) -> tuple[RunOutcome, list[str]]:
    heard: list[str] = []

    async def hear(lines: list[bytes]) -> None:
        heard.extend(line.decode("utf-8", "replace") for line in lines)

    async def wants_end() -> bool:
        return end is not None and end.is_set()

    wanted = BuilderRun(
        [*program, script],
        environment_of(sandbox, passed),
        prompt,
        sandbox.given.parent.name,
        bounds or RunBounds(grace_s=0.3),
    )
    async with asyncio.timeout(60):
        return await run_builder(sandbox, wanted, hear, wants_end), heard


def left(sandbox: Sandbox, mark: str) -> list[int]:
    return [pid for pid in processes() if is_ours(pid, sandbox, mark)]


async def test_the_prompt_comes_in_and_the_lines_go_out(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        outcome, heard = await run(sandbox, "cat; echo second; printf last", prompt="first\n")
        assert (outcome, heard) == (RunOutcome(Ended.EXITED, 0), ["first", "second", "last"])
        assert (await run(sandbox, "exit 3"))[0] == RunOutcome(Ended.EXITED, 3)
        wanted = BuilderRun(["/no/such/program"], {}, "", "m")

        async def hear(lines: list[bytes]) -> None:
            heard.extend(line.decode() for line in lines)

        async def never() -> bool:
            return False

        assert (await run_builder(sandbox, wanted, hear, never)).status == 127
        assert "/no/such/program" in heard[-1]


@pytest.mark.parametrize("kind", CONFINED)
async def test_a_builder_that_prints_what_a_failed_sandbox_prints_is_not_run_again(
    tmp_path: Path, kind: Confinement
) -> None:
    async with room(tmp_path, kind) as sandbox:
        outcome, heard = await run(sandbox, 'echo run >> ran; echo "bwrap: Can\'t bind mount"; exit 1')
        assert (outcome.status, heard) == (1, ["bwrap: Can't bind mount"])
        assert (sandbox.work / "ran").read_text() == "run\n"


@pytest.mark.skipif(shutil.which("bwrap") is None, reason="there is no bubblewrap")
async def test_a_sandbox_that_failed_before_the_command_began_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = tmp_path / "bin/bwrap"
    fails.parent.mkdir()
    fails.write_text(f'#!/bin/sh\necho x >> {tmp_path}/tries\necho "bwrap: Can\'t bind mount /x"\nexit 1\n')
    fails.chmod(0o755)
    async with room(tmp_path, Confinement.BUBBLEWRAP, Network.HOST) as sandbox:
        monkeypatch.setenv("PATH", f"{fails.parent}{os.pathsep}{os.environ['PATH']}")
        outcome, _ = await run(sandbox, "echo began")
    assert outcome.status == 1
    assert (tmp_path / "tries").read_text() == "x\n" * process.STARTS


async def test_what_a_builder_printed_last_is_heard_however_slowly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.0)
    heard: list[bytes] = []

    async def hear(lines: list[bytes]) -> None:
        for _ in range(2_000):
            await asyncio.sleep(0)
        heard.extend(lines)

    async def never() -> bool:
        return False

    async with room(tmp_path, Confinement.UNCONFINED) as sandbox:
        wanted = BuilderRun(["seq", "60000"], environment_of(sandbox, {}), "", sandbox.given.parent.name)
        await run_builder(sandbox, wanted, hear, never)
    assert len(heard) == 60_000


async def test_nothing_of_ours_is_in_its_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORGEGUARD_SECRET_KEY", "of ours")
    monkeypatch.setenv("DATABASE_PASSWORD", "of ours")
    async with room(tmp_path) as sandbox:
        hand_over(sandbox, {"ui.md": "# UI"}, [{"message": "mend"}], {"number": 0})
        _, heard = await run(
            sandbox, "env; cat $FORGEGUARD_CONTRACTS/ui.md; cat $FORGEGUARD_FINDINGS; pwd", API_KEY="theirs"
        )
        text = "\n".join(heard)
        assert "of ours" not in text
        for words in ("API_KEY=theirs", "# UI", "mend", str(sandbox.work)):
            assert words in text


@pytest.mark.nightly
@pytest.mark.parametrize("kind", CONFINED)
async def test_neither_our_files_nor_our_processes_are_within_its_reach(tmp_path: Path, kind: Confinement) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of ours")
    secret.chmod(0o600)
    async with room(tmp_path, kind) as sandbox:
        hand_over(sandbox, {"ui.md": "# UI"}, [], {"number": 0})
        outcome, heard = await run(sandbox, "echo x > made && cat $FORGEGUARD_CONTRACTS/ui.md && echo && id -u")
        assert outcome.status == 0, heard
        assert heard[0] == "# UI"
        assert (sandbox.work / "made").exists()
        if kind is Confinement.OWN_USER:
            assert heard[1] == str(sandbox.uid)
        for script in (
            f"cat {secret}",
            f"cat /proc/{os.getpid()}/environ",
            "echo x > $FORGEGUARD_CONTRACTS/ui.md",
            f"kill -0 {os.getpid()}",
            f"ls {sandbox.work.parent}/ledger.git",
            "su -c id",
            "cat /etc/shadow",
            "ls /root/",
        ):
            outcome, heard = await run(sandbox, script)
            assert outcome.status != 0, script
            assert "of ours" not in "".join(heard)


async def test_a_builder_that_forks_away_and_ignores_sigterm_is_gone_at_its_end(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        script = (
            "trap '' TERM; for i in 1 2 3; do (setsid bash -c \"trap '' TERM HUP; sleep 500; sleep 500\" &) ; "
            "done; echo up; sleep 500"
        )
        end = asyncio.Event()
        asyncio.get_running_loop().call_later(0.5, end.set)
        outcome, heard = await run(sandbox, script, end=end)
        assert outcome.ended is Ended.CANCELLED
        assert heard == ["up"]
        assert left(sandbox, sandbox.given.parent.name) == []


@pytest.mark.parametrize("kind", CONFINED)
async def test_a_child_that_holds_the_output_open_holds_nobody_up(tmp_path: Path, kind: Confinement) -> None:
    async with room(tmp_path, kind) as sandbox:
        outcome, heard = await run(sandbox, "(setsid sleep 500 &); echo done")
        assert (outcome, heard) == (RunOutcome(Ended.EXITED, 0), ["done"])
        assert left(sandbox, sandbox.given.parent.name) == []


async def test_a_process_that_got_away_and_holds_every_pipe_holds_nobody_up(tmp_path: Path) -> None:
    # Without its mark it is not found again; it reads nothing of its input and keeps the output open.
    escape = "import os, time; os.fork() and os._exit(0); os.setsid(); os.fork() and os._exit(0); time.sleep(90)"
    async with room(tmp_path, Confinement.UNCONFINED) as sandbox:
        script = f'env -i PATH="$PATH" python3 -c "{escape}" & wait; exit 3'
        outcome, _ = await run(sandbox, script, prompt="x" * (4 << 20))
        assert outcome == RunOutcome(Ended.EXITED, 3)


async def test_a_fork_bomb_ends_with_its_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "MAX_PROCESSES", 60 if KIND is Confinement.OWN_USER else process.MAX_PROCESSES)
    script = "f() { f | f & }; f; sleep 500" if KIND is Confinement.OWN_USER else "sleep 500"
    async with room(tmp_path) as sandbox:
        outcome, _ = await run(sandbox, script, bounds=RunBounds(time_s=1.0, grace_s=0.2))
        assert outcome.ended is Ended.TOO_LONG
        assert left(sandbox, sandbox.given.parent.name) == []


@pytest.mark.nightly
async def test_time_output_and_room_are_bounded(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        assert (await run(sandbox, "sleep 500", bounds=RunBounds(time_s=0.5, grace_s=0.2)))[0].ended is Ended.TOO_LONG
        outcome, heard = await run(sandbox, "yes", bounds=RunBounds(output_bytes=100_000, grace_s=0.2))
        assert outcome.ended is Ended.TOO_MUCH_OUTPUT
        assert 100_000 < sum(map(len, heard)) * 2 < 2_000_000
        script = "while true; do head -c 2000000 /dev/zero >> big; sleep 0.01; done"
        outcome, _ = await run(sandbox, script, bounds=RunBounds(checkout_bytes=5_000_000, grace_s=0.2))
        assert outcome.ended is Ended.TOO_LARGE


async def test_a_line_without_an_end_and_bytes_of_any_kind_come_in_pieces(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        _, heard = await run(sandbox, "head -c 50000 /dev/zero | tr '\\0' x; printf '\\377\\376\\n'")
        assert sum(map(len, heard)) >= 50_000
        assert max(map(len, heard)) <= process.MAX_LINE_BYTES


async def test_what_a_killed_worker_left_is_swept(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        mark = sandbox.given.parent.name
        task = asyncio.create_task(run(sandbox, "(setsid sleep 500 &); sleep 500"))
        while not left(sandbox, mark):
            await asyncio.sleep(0.02)
        await sweep(sandbox, mark)
        assert left(sandbox, mark) == []
        await task


@pytest.mark.parametrize("kind", [kind for kind in CONFINED if kind is Confinement.OWN_USER])
async def test_two_installations_on_one_machine_never_share_a_user(tmp_path: Path, kind: Confinement) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    async with room(tmp_path / "one", kind) as sandbox:
        task = asyncio.create_task(run(sandbox, "sleep 1; echo still here"))
        while not left(sandbox, sandbox.given.parent.name):
            await asyncio.sleep(0.01)
        async with room(tmp_path / "two", kind) as two:
            assert sandbox.uid != two.uid
            await sweep(two, two.work.parent.name)
            outcome, heard = await task
            assert (outcome.status, heard) == (0, ["still here"])


async def test_its_own_commits_hooks_and_history_count_for_nothing(tmp_path: Path, tree: WorkTree) -> None:
    base = tree.commit({"a.py": "x = 1\n"})
    repository = GitRepository(tree.folder / ".git")
    async with room(tmp_path) as sandbox:
        await check_out(repository, base, sandbox.work)
        sandbox.take_over()
        script = (
            "git init -q . && git config user.email a@b.c && git config user.name n && git add -A && git "
            "commit -qm theirs && "
            "git commit -q --amend -m rewritten && printf '#!/bin/sh\\ntouch /tmp/pwned-$$\\n' > "
            ".git/hooks/pre-commit && chmod +x .git/hooks/pre-commit && "
            "git config core.fsmonitor 'touch pwned' && echo 'y = 2' > b.py && ln -s /etc/passwd link && mkfifo pipe"
        )
        outcome, heard = await run(sandbox, script)
        assert outcome.status == 0, heard
        target = tmp_path / "taken"
        assert take_out(sandbox, target, 1 << 20) == []
        commit = await commit_work_tree(repository, base, target, "Phase 0")
        assert commit is not None
        assert await list_links_out(repository, base, commit) == ["link"]
        names = (await repository.run("diff", "--name-status", base, commit)).decode().split()
        assert names == ["A", "b.py", "A", "link"]
        assert (await repository.run("cat-file", "-p", f"{commit}:link")).decode() == "/etc/passwd", (
            "the link, not what it leads to"
        )
        assert (await repository.run("log", "--format=%an %P", "-1", commit)).decode().split() == ["ForgeGuard", base]
        assert await commit_work_tree(repository, commit, target, "again") is None


def archive_of(members: list[tuple[str, bytes, str]]) -> io.BytesIO:
    """A tar archive of name, kind, and content or target of each member."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, kind, text in members:
            member = tarfile.TarInfo(name)
            member.type = kind
            if kind == tarfile.REGTYPE:
                member.size = len(text)
                archive.addfile(member, io.BytesIO(text.encode()))
            else:
                member.linkname = text
                archive.addfile(member)
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    "members",
    [
        [("./a", tarfile.SYMTYPE, "OUT"), ("./a", tarfile.DIRTYPE, ""), ("./a/new", tarfile.REGTYPE, "x")],
        [("./a", tarfile.SYMTYPE, "OUT"), ("./a/new", tarfile.REGTYPE, "x")],
        [("./a", tarfile.SYMTYPE, "OUT"), ("./a/b/c/new", tarfile.REGTYPE, "x")],
        [("./a", tarfile.SYMTYPE, "OUT"), ("./b", tarfile.LNKTYPE, "./a/key")],
        [("./a", tarfile.SYMTYPE, "OUT/key"), ("./b", tarfile.LNKTYPE, "./a")],
        [("./a", tarfile.SYMTYPE, "OUT/new"), ("./a", tarfile.REGTYPE, "x")],
        [("./f", tarfile.REGTYPE, "x"), ("./a", tarfile.SYMTYPE, "OUT/new"), ("./a", tarfile.LNKTYPE, "./f")],
        [("./a", tarfile.SYMTYPE, "OUT"), ("./a/link", tarfile.SYMTYPE, "x")],
        [("../outside/new", tarfile.REGTYPE, "x")],
        [("/tmp/forgeguard-test-new", tarfile.REGTYPE, "x")],
    ],
)
def test_no_archive_leads_out_of_the_folder_that_it_is_written_to(
    tmp_path: Path, members: list[tuple[str, bytes, str]]
) -> None:
    outside, target = tmp_path / "outside", tmp_path / "taken"
    outside.mkdir()
    target.mkdir()
    (outside / "key").write_text("of ours")
    named = [(name, kind, text.replace("OUT", str(outside))) for name, kind, text in members]
    with pytest.raises(Unsound):
        copy_stream(archive_of(named), target, 1 << 20)
    assert entries(outside) == {"key"}
    files = [path for path in target.rglob("*") if path.is_file() and not path.is_symlink()]
    assert "of ours" not in [path.read_text() for path in files]


def stream_of(folders: int, files: int) -> io.BytesIO:
    """An archive of files whose paths are equally long, in so many folders one in another."""
    folder = "/".join(["x" * (360 // folders - 1)] * folders)
    return archive_of([(f"./{folder}/{number}", tarfile.REGTYPE, "") for number in range(files)])


def test_a_file_costs_as_much_however_deep_it_lies(tmp_path: Path) -> None:
    calls = []
    for folders in (4, 90):
        target, count = tmp_path / str(folders), itertools.count()
        target.mkdir()
        archive = stream_of(folders, 500)
        sys.setprofile(lambda *_, count=count: next(count))
        try:
            copy_stream(archive, target, 1 << 20)
        finally:
            sys.setprofile(None)
        calls.append(next(count))
    assert calls[1] < calls[0] * 1.5, "the folders are made once"


def test_the_paths_of_a_checkout_have_a_bound_together(tmp_path: Path) -> None:
    copy = _Copy(tmp_path, 1 << 20, math.inf, path_bytes_left=100_000)
    with tarfile.open(fileobj=stream_of(4, 400)) as archive, pytest.raises(Unsound, match="less deep"):
        for member in archive:
            copy.take(archive, member)
    assert copy.files_left > MAX_FILES - 300


def test_a_checkout_is_read_no_longer_than_its_time(tmp_path: Path) -> None:
    with pytest.raises(Unsound, match="took longer"):
        copy_stream(stream_of(4, 9), tmp_path, 1 << 20, ends_at=0.0)


def entries(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


async def test_what_a_builder_left_is_copied_as_the_builder_itself_may_read_it(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        script = (
            "echo x > plain; ln plain again; mkdir -p deep/er empty .git/hooks vendored/.git; echo y > "
            "deep/er/run; chmod 755 deep/er/run; "
            "ln -s ../plain deep/link; mkfifo pipe; printf z > $'new\\nline \\xe9'; echo v > vendored/file"
        )
        outcome, heard = await run(sandbox, script)
        assert outcome.status == 0, heard
        target = tmp_path / "taken"
        assert take_out(sandbox, target, 1 << 20) == ["vendored"]
        assert entries(target) == {
            "plain",
            "again",
            "deep",
            "deep/er",
            "deep/er/run",
            "deep/link",
            "empty",
            "vendored",
            "vendored/file",
            os.fsdecode(b"new\nline \xe9"),
        }
        assert (target / "again").read_text() == "x\n"
        assert os.access(target / "deep/er/run", os.X_OK)
        assert os.readlink(target / "deep/link") == "../plain"


@pytest.mark.skipif(os.geteuid() != 0, reason="without root, a builder is of our own user")
async def test_a_file_that_the_builder_may_not_read_is_not_copied(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER) as sandbox:
        (sandbox.work / "ours").write_text("root's own")
        (sandbox.work / "ours").chmod(0o600)
        with pytest.raises(Unsound, match="ours: Cannot open"):
            take_out(sandbox, tmp_path / "taken", 1 << 20)
        assert entries(tmp_path / "taken") == set()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("mkdir closed; chmod 0 closed", "closed: Cannot open"),
        ("d=x; for n in $(seq 120); do d=$d/x; done; mkdir -p $d; echo 1 > $d/file", "too long or deep"),
        ("truncate -s 2M sparse", "more room"),
    ],
)
async def test_what_cannot_be_copied_whole_is_named(tmp_path: Path, script: str, words: str) -> None:
    async with room(tmp_path) as sandbox:
        outcome, heard = await run(sandbox, script)
        assert outcome.status == 0, heard
        if KIND is Confinement.OWN_USER or os.geteuid() != 0:
            with pytest.raises(Unsound, match=words):
                take_out(sandbox, tmp_path / "taken", 1 << 20)


async def test_a_builder_s_folders_go_whatever_their_rights_and_depth(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        script = (
            "mkdir -p a/b c; echo x > a/b/f; chmod 0 a/b; chmod 500 c; python3 -c 'import os\nfor _ in "
            'range(1500): os.mkdir("d"); os.chdir("d")\''
        )
        outcome, heard = await run(sandbox, script)
        assert outcome.status == 0, heard
    assert not sandbox.work.exists()


@pytest.mark.skipif(os.geteuid() != 0 or not users_have_namespaces(), reason="no namespaces for users here")
async def test_builds_of_one_machine_see_nothing_of_one_another(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER) as sandbox, room(tmp_path, Confinement.OWN_USER) as other:
        hand_over(other, {"ui.md": "their contract"}, [], {"number": 0})
        end = asyncio.Event()
        theirs = "for folder in /tmp /dev/shm; do echo their file > $folder/x; done; sleep 500"
        task = asyncio.create_task(run(other, theirs, end=end))
        while not left(other, other.given.parent.name):
            await asyncio.sleep(0.01)
        look = f"cat {other.given}/contracts/ui.md /tmp/* /var/tmp/* /dev/shm/*; ls -d /proc/[0-9]* | wc -l"
        _, heard = await run(sandbox, look)
        assert "their" not in "\n".join(heard)
        assert int(heard[-1]) < 10
        end.set()
        await task


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
async def test_what_a_builder_is_given_is_for_that_builder_alone_without_namespaces_too(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER) as sandbox, room(tmp_path, Confinement.OWN_USER) as other:
        for each in (sandbox, other):
            hand_over(each, {"ui.md": "a private contract"}, [{"message": "a private finding"}], {"number": 0})
        bare = replace(sandbox, in_namespaces=False, wall=Wall())
        names = "contracts/ui.md findings.json phase.json"
        look = f"cd {other.given} && ls -l; cat {' '.join(f'{other.given}/{name}' for name in names.split())}"
        _, heard = await run(bare, look)
        assert "private" not in "\n".join(heard), heard
        assert "Permission denied" in "\n".join(heard)
        _, heard = await run(bare, f"cd {sandbox.given} && cat {names} && echo x >> phase.json; rm -rf contracts; ls")
        assert "a private contract" in "\n".join(heard)
        assert {"contracts", "findings.json", "phase.json"} <= set(heard), "and it changes nothing of it"


@pytest.mark.skipif(os.geteuid() != 0 or not users_have_namespaces(), reason="no namespaces for users here")
@pytest.mark.parametrize("network", list(Network))
async def test_a_builder_reaches_this_machine_only_where_the_operator_says_so(tmp_path: Path, network: Network) -> None:
    with socket.socket() as server, socket.socket(socket.AF_UNIX) as abstract:
        server.bind(("0.0.0.0", 0))
        server.listen()
        name = f"forgeguard-{secrets.token_hex(8)}"
        abstract.bind(f"\0{name}")
        abstract.listen()
        script = f"""
import socket
import subprocess
import sys
port, addresses = {server.getsockname()[1]}, ("127.0.0.1", *{own_addresses()!r})
places = [(socket.AF_INET, (address, port)) for address in addresses if ":" not in address]
for family, place in (*places, (socket.AF_UNIX, "\\0{name}")):
    with socket.socket(family) as reached:
        reached.settimeout(3)
        print(reached.connect_ex(place) == 0)
print(open("/proc/net/route").read().count("\\n") > 1, flush=True)
"""
        async with room(tmp_path, Confinement.OWN_USER, network) as sandbox:
            outcome, heard = await run(sandbox, f"python3 -c {shlex.quote(script)}")
            note, uid = sandbox.wall.note, sandbox.uid
    assert outcome.status == 0, heard
    assert set(heard[:-1]) == {str(network is Network.HOST)}
    outside = network is Network.OUTSIDE and can_reach_outside(uid and PROBE_UID)
    if network is not Network.HOST:
        assert heard[-1] == str(outside)
    assert note == (CLOSED if network is Network.OUTSIDE and not outside else "")


@contextlib.contextmanager
def folder_of_the_machine(top: str) -> Iterator[Path]:
    """A folder of root's that every user may enter and read."""
    folder = Path(tempfile.mkdtemp(dir=top, prefix="forgeguard-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


LOOK = """
import os, socket
for folder in os.environ["PLACES"].split(","):
    with socket.socket(socket.AF_UNIX) as service:
        try:
            service.connect(folder + "/service")
            print("reached", folder)
        except OSError as error:
            print(type(error).__name__)
    try:
        print("read", open(folder + "/key").read())
    except OSError as error:
        print(type(error).__name__)
"""


@pytest.mark.skipif(os.geteuid() != 0 or not users_have_namespaces(), reason="no namespaces for users here")
@pytest.mark.parametrize("network", list(Network))
@pytest.mark.parametrize("top", ["/run", "/var/lib", "/srv"])
async def test_a_builder_reaches_no_service_s_socket_and_reads_no_file_that_every_user_may(
    tmp_path: Path, network: Network, top: str
) -> None:
    with folder_of_the_machine(top) as folder, socket.socket(socket.AF_UNIX) as service:
        service.bind(f"{folder}/service")
        service.listen()
        (folder / "service").chmod(0o777)
        (folder / "key").write_text("of the machine")
        (folder / "key").chmod(0o444)
        # The command does not name them: what it names is shown to it.
        places, look = f"{folder},/var{folder}" if top == "/run" else str(folder), f"python3 -c {shlex.quote(LOOK)}"
        async with room(tmp_path, Confinement.OWN_USER, network) as sandbox:
            outcome, heard = await run(sandbox, look, PLACES=places)
            bare = replace(sandbox, in_namespaces=False, wall=Wall())
            _, without = await run(bare, look, PLACES=places)
    assert f"reached {folder}" in without, "users of the machine reach it, so that the test shows something"
    assert "read of the machine" in without
    assert (outcome.status, set(heard)) == (0, {"FileNotFoundError"})


@pytest.mark.skipif(os.geteuid() != 0 or not users_have_namespaces(), reason="no namespaces for users here")
async def test_a_command_anywhere_runs_with_what_lies_beside_it(tmp_path: Path) -> None:
    with folder_of_the_machine("/var/lib") as folder, folder_of_the_machine("/var/tmp") as named:
        (folder / "bin").mkdir()
        (folder / "lib").mkdir()
        (folder / "lib" / "words").write_text("from its library")
        agent = folder / "bin" / "agent"
        agent.write_text('#!/bin/sh\ncat "$(dirname "$0")/../lib/words"; echo; cat "$1"\n')
        agent.chmod(0o755)
        (named / "more").write_text("from a folder of the operator's")
        async with room(tmp_path, Confinement.OWN_USER, folders=(str(named), f"{named}/nowhere")) as sandbox:
            outcome, heard = await run(sandbox, f"{named}/more", program=(str(agent),))
            assert (outcome.status, heard) == (0, ["from its library", "from a folder of the operator's"])
            outcome, heard = await run(sandbox, f"{folder}/bin/agent {named}/more; echo x > {folder}/lib/words")
            assert "Read-only file system" in heard[-1]


@pytest.mark.parametrize("kind", CONFINED)
async def test_a_builder_has_the_system_s_names_and_no_room_beside_its_own(tmp_path: Path, kind: Confinement) -> None:
    async with room(tmp_path, kind) as sandbox:
        if not sandbox.private_tmp:
            pytest.skip("no namespaces for users here")
        script = (
            "head -c 100 /etc/resolv.conf > /dev/null && head -c 1 /etc/passwd > /dev/null && git --version "
            "> /dev/null && echo x > /tmp/x && echo x > /var/tmp/x && echo system; echo x > /fill; ls -A /run /srv"
        )
        _, heard = await run(sandbox, script)
    assert heard[0] == "system"
    assert "/fill: Read-only file system" in heard[1]
    assert all("No such file" in line for line in heard[2:])


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users for builders")
async def test_a_number_is_given_out_only_once_nothing_of_its_user_is_left(tmp_path: Path) -> None:
    with own_user() as uid:
        # PR_SET_DUMPABLE
        hide = "import ctypes, time; ctypes.CDLL(None).prctl(4, 0); print(1, flush=True); time.sleep(500)"
        left_over = await asyncio.create_subprocess_exec(
            "python3", "-c", hide, user=uid, group=uid, extra_groups=[], stdout=asyncio.subprocess.PIPE
        )
        assert left_over.stdout is not None
        assert await left_over.stdout.readline() == b"1\n"
        assert uid not in end_orphans()  # somebody holds the number
    with own_user():
        assert await left_over.wait() < 0
    with own_user() as uid:
        orphan = await asyncio.create_subprocess_exec("sleep", "500", user=uid, group=uid, extra_groups=[])
    assert uid in end_orphans()
    assert await orphan.wait() < 0


def test_the_way_of_confinement_follows_from_what_there_is() -> None:
    assert choose(root=True, bubblewrap=False, unconfined=False) is Confinement.OWN_USER
    assert choose(root=False, bubblewrap=True, unconfined=True) is Confinement.BUBBLEWRAP
    assert choose(root=False, bubblewrap=False, unconfined=True) is Confinement.UNCONFINED
    assert choose(root=False, bubblewrap=False, unconfined=False) is None


def test_bubblewrap_shows_the_system_and_the_builders_folders_alone(tmp_path: Path) -> None:
    sandbox = Sandbox(Confinement.BUBBLEWRAP, tmp_path / "work", tmp_path / "home", tmp_path / "given")
    words = wrapped(sandbox)
    bound = {words[at + 1] for at, word in enumerate(words) if word in ("--bind", "--ro-bind")}
    assert {str(sandbox.work), str(sandbox.home), str(sandbox.given)} <= bound
    assert not any(path == "/" or path.startswith(("/root", "/home", "/var", "/proc")) for path in bound)
    assert {"--unshare-pid", "--die-with-parent", "--new-session"} <= set(words)
    assert sandbox.command(["x", "y"])[-3:] == ["--", "x", "y"]


@pytest.mark.skipif(not can_mount(), reason="this machine mounts nothing")
async def test_what_a_builder_writes_lies_in_a_place_of_a_size(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER, most_bytes=32 << 20) as sandbox:
        fill = (
            "for folder in . ~ /tmp /var/tmp; do head -c 20000000 /dev/zero > $folder/$RANDOM; done; df "
            "--output=target . | tail -1"
        )
        outcome, heard = await run(sandbox, fill, bounds=RunBounds(checkout_bytes=32 << 20, grace_s=0.3))
        assert outcome.ended is Ended.TOO_LARGE
        assert any("No space left on device" in line for line in heard), heard
        place = sandbox.work.parent
        assert os.path.ismount(place)
        assert sum(path.stat().st_blocks * 512 for path in place.parent.glob("*.img")) < 64 << 20
    assert not place.exists()


@pytest.mark.skipif(not can_mount(), reason="this machine mounts nothing")
async def test_a_place_that_a_killed_worker_left_is_taken_away(tmp_path: Path) -> None:
    folder = tmp_path / "build"
    folder.mkdir()
    assert mount_sized(folder / PLACE, 1)
    (folder / PLACE / "left").write_text("x")
    async with open_workspace(tmp_path, "build", Confinement.OWN_USER).room(1) as sandbox:
        assert not (sandbox.work.parent / "left").exists()
        with (sandbox.work / "held").open("w"):
            unmount(folder / PLACE)  # also where something is open there
            assert not os.path.ismount(folder / PLACE)
    assert mount_sized(folder / PLACE, 1)
    await remove_workspace(tmp_path, "build")
    assert not folder.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes a small disk")
async def test_a_full_disk_of_this_machine_is_not_the_builder_s_fault(tmp_path: Path) -> None:
    async with room(tmp_path) as sandbox:
        await run(sandbox, "head -c 3000000 /dev/urandom > file")
        with small_disk(tmp_path / "disk", 1) as disk:
            with pytest.raises(OSError, match="No space left"):
                await asyncio.to_thread(take_out, sandbox, disk / "taken", 1 << 30)
            with pytest.raises(RetryLater, match="disk has 0 MB left"):
                refuse_full_disk(disk)


def test_a_size_is_counted_without_following_links_and_deep_folders_count_as_too_large(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "large").write_bytes(b"x" * 1_000_000)
    tree = tmp_path / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").write_bytes(b"x" * 10_000)
    (tree / "link").symlink_to(outside)
    with (tree / "sparse").open("wb") as file:
        file.truncate(50_000)
    assert 60_000 <= size_of(tree, 1 << 30) < 100_000
    assert size_of(tree, 1_000) > 1_000
    script = f"import os\nos.chdir({str(tree)!r})\nfor _ in range(1500): os.mkdir('d'); os.chdir('d')"
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
    assert size_of(tree, 1 << 30) > 1 << 30
    remove(tree)


def test_a_probe_that_failed_is_tried_again_and_one_that_succeeded_is_not() -> None:
    answers, tried = [False, True, False], []

    @once_it_works
    def probe(what: str) -> bool:
        tried.append(what)
        return answers[len(tried) - 1]

    assert [probe("a"), probe("a"), probe("a"), probe("b")] == [False, True, True, False]
    assert tried == ["a", "a", "b"]


@pytest.mark.skipif(os.geteuid() != 0 or not users_have_namespaces(), reason="no namespaces for users here")
async def test_a_worker_that_ends_orphans_ends_no_probe_of_another_worker() -> None:
    done = asyncio.Event()

    async def tidy() -> None:
        while not done.is_set():
            await asyncio.to_thread(end_orphans)

    task = asyncio.create_task(tidy())
    probe = users_have_namespaces.__wrapped__  # type: ignore[attr-defined]  # what it does where nothing is remembered
    assert all([await asyncio.to_thread(probe) for _ in range(30)])
    done.set()
    await task


ZOMBIE = """
import ctypes, os, sys, threading, time
def go():
    while True:
        with open(sys.argv[1], "a") as file: file.write("x")
        time.sleep(0.02)
os.setsid()
if os.fork(): os._exit(0)
threading.Thread(target=go).start()
os.close(1); os.close(2)
ctypes.CDLL(None).syscall(60, 0)  # SYS_exit: the first thread alone
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
async def test_a_builder_whose_first_thread_ended_is_ended_too(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER) as sandbox:
        bare = replace(sandbox, in_namespaces=False, wall=Wall())
        (sandbox.work / "z.py").write_text(ZOMBIE)
        _, heard = await run(
            bare, f"python3 z.py {shlex.quote(str(sandbox.work))}/beat; while [ ! -s beat ]; do sleep 0.05; done"
        )
        assert left(bare, "x") == [], heard
        assert not any(runs_as(pid, sandbox.uid) for pid in processes())


def runs_as(pid: int, uid: int | None) -> bool:
    """Whether some thread of a process of that user runs, whatever became of its first one."""
    try:
        described, threads = Path(f"/proc/{pid}/status").read_text(), os.listdir(f"/proc/{pid}/task")
    except OSError:
        return False
    return f"\nUid:\t{uid}\t" in described and ("State:\tZ" not in described or len(threads) > 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has users to give")
async def test_nothing_of_a_builder_is_left_in_the_machine_s_temporary_folders(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER) as sandbox:
        bare, name = replace(sandbox, in_namespaces=False, wall=Wall()), f"left-{time.monotonic_ns()}"
        await run(
            bare,
            f"for folder in /tmp /var/tmp /dev/shm; do mkdir -m 700 $folder/{name}; echo x > $folder/{name}/file; done",
        )
        paths = [Path(folder) / name for folder in ("/tmp", "/var/tmp", "/dev/shm")]
        assert all(path.exists() for path in paths)
        assert sandbox.uid is not None
        await asyncio.to_thread(empty_shared, sandbox.uid)
        assert not any(path.exists() for path in paths)


def test_folders_and_empty_files_take_room_too(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"d{number}").mkdir()
        (tmp_path / f"f{number}").touch()
    assert size_of(tmp_path, 1 << 30) >= 100 * 4_096


@pytest.mark.skipif(os.geteuid() != 0 or not users_have_namespaces(), reason="no namespaces for users here")
async def test_a_builder_writes_to_no_memory_without_a_bound(tmp_path: Path) -> None:
    async with room(tmp_path, Confinement.OWN_USER) as sandbox:
        builds = shlex.quote(str(sandbox.given.parent.parent))
        _, heard = await run(
            sandbox,
            f"echo x > /dev/fill; head -c 3000000 /dev/zero > {builds}/fill; stat -c %s {builds}/fill; echo y "
            f"> /dev/null && echo null",
        )
        assert any("/dev/fill: Read-only file system" in line for line in heard), heard
        assert int(heard[-2]) <= 1 << 20
        assert heard[-1] == "null"
