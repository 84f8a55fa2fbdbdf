"""Confines a builder: as a user of its own, in bubblewrap, or, where the operator says so, not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from forgeguard_app.builders.network import Wall
from forgeguard_app.builders.probing import FIRST_UID, PROBE_UID, UIDS, once_it_works
from forgeguard_app.builders.visible_files import MEMORY, SHARED, list_named, list_system, list_visible
from forgeguard_app.errors import RetryLater

END_ROUNDS = 50
PROBE_S = 10.0
TEMPORARY_BYTES = 512 << 20  # of each temporary folder of a builder, where it lives in memory
MEMORY_BYTES = 64 << 20  # of shared memory, where the other temporary folders lie beside the checkout
EMPTY_BYTES = 1 << 20  # of a folder that hides what lies there
_RUN = ("/run", "/var/run", tempfile.gettempdir())
TEMPORARY = "/tmp"  # noqa: S108  (inside the sandbox, of the builder alone)


class Confinement(StrEnum):
    """The ways."""

    OWN_USER = "a user of its own"
    BUBBLEWRAP = "bubblewrap"
    UNCONFINED = "nothing"


NO_WAY = (
    "BUILDER_COMMAND runs as a user of its own where ForgeGuard runs as root, else inside bubblewrap, and "
    "neither can be had here: install "
    "bubblewrap, or say FORGEGUARD_BUILDER_UNCONFINED=1 where the machine holds nothing that a builder may not read"
)


def choose(*, root: bool, bubblewrap: bool, unconfined: bool) -> Confinement | None:
    """Choose how builders are confined; None where nothing can confine them and the operator did not allow that."""
    if root:
        return Confinement.OWN_USER
    if bubblewrap:
        return Confinement.BUBBLEWRAP
    return Confinement.UNCONFINED if unconfined else None


def available(*, unconfined: bool) -> Confinement | None:
    """Return the way on this machine."""
    return choose(root=os.geteuid() == 0, bubblewrap=shutil.which("bwrap") is not None, unconfined=unconfined)


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The folders and limits in which one builder runs: its checkout, its home, and what it is given to read.

    `uid` is set where it is a user of its own, `in_namespaces` where that user runs inside bubblewrap as well. `place`
    is the file system of its own in which all that it writes lies, where there is one.
    """

    kind: Confinement
    work: Path
    home: Path
    given: Path
    uid: int | None = None
    in_namespaces: bool = False
    wall: Wall = field(default_factory=Wall)
    place: Path | None = None
    folders: tuple[str, ...] = ()  # and files of the machine that the operator shows it

    @property
    def tmp(self) -> Path | None:
        """The builder's /tmp and /var/tmp, where they lie beside its checkout."""
        return self.place / "tmp" if self.place and self.in_namespaces else None

    @property
    def written(self) -> tuple[Path, ...]:
        """The folders that the builder writes to, whose sizes count together."""
        return (self.work, self.home, self.tmp) if self.tmp else (self.work, self.home)

    @property
    def private_tmp(self) -> bool:
        """Return whether the builder has a /tmp of its own."""
        return self.kind is Confinement.BUBBLEWRAP or self.in_namespaces

    def command(self, command: list[str]) -> list[str]:
        """Return the command as it is started."""
        if not self.private_tmp:
            return command
        apart = wrapped(self) if self.kind is Confinement.BUBBLEWRAP else namespaces(self, command)
        own = ["--unshare-net"] if self.wall.unshares else []
        if self.wall.prefix:  # in whose namespace the user is root, which an agent may refuse to be
            number = str(os.geteuid() if self.uid is None else self.uid)
            own += ["--unshare-user", "--uid", number, "--gid", number]
        return [*self.wall.prefix, *apart, *own, "--", *command]

    def take_over(self) -> None:
        """Give the builder the checkout and the home, and nothing else that lies there."""
        if self.uid is None:
            return
        for top in self.written:
            for folder, folders, files in os.walk(top):
                for name in (*folders, *files):
                    os.chown(os.path.join(folder, name), self.uid, self.uid, follow_symlinks=False)
            os.chown(top, self.uid, self.uid)  # last: until then nobody but us reaches what lies below


_UNSHARED = (
    "bwrap",
    "--die-with-parent",
    "--new-session",
    "--unshare-pid",
    "--unshare-ipc",
    "--unshare-uts",
    "--unshare-cgroup-try",
)


def wrapped(room: Sandbox) -> list[str]:
    """Return bubblewrap's arguments for our own user.

    The system is read-only, and the checkout and the home alone can be written to. No other process is in sight.
    """
    return [*_UNSHARED, "--unshare-user-try", *_mounts(room, list_named(room.folders))]


def namespaces(room: Sandbox, command: list[str]) -> list[str]:
    """Return bubblewrap's arguments for a user of its own, whom the files' rights keep from what is ours.

    What users of a machine share is not there: /run with its services, other builds' folders, /tmp, /var/tmp and
    /dev/shm, processes, and System V IPC. The temporary folders live in memory and are bounded. Programs and files
    that the command names are there.
    """
    search = os.environ.get("PATH", os.defpath)
    visible = list_visible(command, search, room.folders, room.given.parent.parent)
    return [*_UNSHARED, "--unshare-user", *_mounts(room, visible)]


def _mounts(room: Sandbox, visible: Iterable[str]) -> list[str]:
    """Return bubblewrap's arguments for all that is there, what lies in a folder after that folder."""
    mounts: dict[str, tuple[str, ...]] = {path: ("--ro-bind", path, path) for path in list_system()}
    # The way that a name takes over links may be closed to the builder's user, and what links lead to may have gone.
    mounts |= {path: ("--ro-bind-try", os.path.realpath(path), path) for path in visible}
    mounts |= {"/proc": ("--proc", "/proc"), "/dev": ("--dev", "/dev", "--remount-ro", "/dev")}
    mounts |= {folder: _temporary(room, folder) for folder in SHARED}
    builds = str(room.given.parent.parent)
    mounts |= {builds: ("--size", str(EMPTY_BYTES), "--tmpfs", builds)}
    mounts |= {str(folder): ("--bind", str(folder), str(folder)) for folder in (room.work, room.home)}
    mounts |= {str(room.given): ("--ro-bind", str(room.given), str(room.given))}
    ordered = [word for path in sorted(mounts, key=lambda path: path.count("/")) for word in mounts[path]]
    # bubblewrap's own root lies in memory too, without a bound.
    return [*ordered, "--remount-ro", "/", "--chdir", str(room.work)]


def _temporary(room: Sandbox, folder: str) -> tuple[str, ...]:
    """Return bubblewrap's arguments for one folder that users of a machine share; shared memory stays in memory."""
    if room.tmp is not None and folder != MEMORY:
        return ("--bind", str(room.tmp), folder)
    small = folder == MEMORY and (room.tmp is not None or room.uid is None)
    return ("--size", str(MEMORY_BYTES if small else TEMPORARY_BYTES), "--tmpfs", folder)


@once_it_works
def users_have_namespaces() -> bool:
    """Return whether bubblewrap works here for the users of builders, which some machines and containers forbid."""
    command = [*_UNSHARED, "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "true"]
    try:
        done = subprocess.run(
            command,
            user=PROBE_UID,
            group=PROBE_UID,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _locks() -> Path:
    """Return one folder for the whole machine: several ForgeGuards on it share the numbers, and must not end one
    another's builders.
    """
    top = next(folder for folder in _RUN if os.access(folder, os.W_OK))
    locks = Path(top) / "forgeguard-builders"
    locks.mkdir(exist_ok=True, mode=0o700)
    if locks.lstat().st_uid != os.geteuid():
        raise PermissionError(f"{locks} belongs to somebody else")
    return locks


def end_processes_of(uid: int) -> bool:
    """End every process of that user; whether none is left.

    A worker that was killed may have left a builder's child.
    """
    for _ in range(END_ROUNDS):
        found = [pid for pid in processes() if user_of(pid) == uid]
        if not found:
            return True
        # Held first, so that none forks while the others are ended.
        for sign in (signal.SIGSTOP, signal.SIGKILL):
            for pid in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, sign)
    return False


def end_orphans() -> list[int]:
    """End what builders left whose worker was killed: the processes of every number that nobody holds.

    Return the numbers.
    """
    locks, found = _locks(), []
    for uid in sorted({uid for pid in processes() if FIRST_UID <= (uid := user_of(pid)) < FIRST_UID + UIDS}):
        handle = os.open(locks / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            end_processes_of(uid)
            found.append(uid)
        except BlockingIOError:
            continue
        finally:
            os.close(handle)
    return found


def processes() -> list[int]:
    """Return the numbers of all processes."""
    try:
        return [int(name) for name in os.listdir("/proc") if name.isdigit()]
    except FileNotFoundError:  # no Linux
        return []


def user_of(pid: int) -> int:
    """Return the user of a process that lives, -1 if there is no such process.

    The owner of /proc/<pid> is no answer: a process may make it root by `PR_SET_DUMPABLE` (proc(5)). A process whose
    first thread ended is shown as a zombie while its other threads run: it lives until the last one ends.
    """
    try:
        with open(f"/proc/{pid}/status", "rb") as file:
            lines = dict(line.split(b":", 1) for line in file.read(1 << 16).splitlines() if b":" in line)
    except OSError:
        return -1
    if lines.get(b"State", b"X").split()[0] in (b"Z", b"X") and int(lines.get(b"Threads", b"0")) <= 1:
        return -1
    return int(lines[b"Uid"].split()[0]) if b"Uid" in lines else -1


@contextlib.contextmanager
def own_user() -> Iterator[int]:
    """A user number that no other build of this machine has meanwhile, and of which no process is left.

    Raises:
        RetryLater: all are taken.
    """
    locks = _locks()
    for uid in range(FIRST_UID, FIRST_UID + UIDS):
        handle = os.open(locks / str(uid), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            continue
        try:
            if end_processes_of(uid):
                yield uid
                return
        finally:
            os.close(handle)
    raise RetryLater("every user for builders is taken", delay_s=10)
