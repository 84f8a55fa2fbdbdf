"""What a builder writes is bounded where no place of a size can be mounted, however it hides what it wrote."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forgeguard_app.builders import room_watch
from forgeguard_app.builders.confinement import users_have_namespaces
from forgeguard_app.builders.held_files import Held
from forgeguard_app.builders.process import Ended
from tests.support.builder_rooms import MODES, run_in
from tests.support.disks import small_disk

MOST_BYTES = 8 << 20
DISK_MB = 400
PIECES = 24  # of a megabyte each

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0 or not users_have_namespaces(), reason="only root makes a small disk and becomes others"
)

BEGIN = f"""
import ctypes, mmap, os, signal, socket, subprocess, threading, time
PIECE, PIECES = b"A" * (1 << 20), {PIECES}
libc = ctypes.CDLL(None, use_errno=True)
def new(name, flags=0):
    return os.open(name, os.O_RDWR | os.O_CREAT | flags, 0o600)
def fill(number):
    for _ in range(PIECES):
        os.write(number, PIECE)
def stay():
    while True:
        signal.pause()
"""
UNLINKED = "number = new('x'); os.unlink('x'); fill(number)\n"
FULL = "try:\n    while True: os.write(number, PIECE)\nexcept OSError:\n"
WAYS = {
    "a file with a name": "fill(new('x')); stay()",
    "an unlinked file": UNLINKED + "stay()",
    "an unlinked file of the home": "os.chdir(os.environ['HOME'])\n" + UNLINKED + "stay()",
    "a file that never had a name": "fill(os.open('.', os.O_RDWR | os.O_TMPFILE, 0o600)); stay()",
    "many unlinked files": """
for at in range(PIECES):
    number = new("x"); os.unlink("x"); os.write(number, PIECE)
stay()
""",
    "a file that is mapped and neither open nor named": """
number = new("x"); os.unlink("x"); os.ftruncate(number, PIECES << 20)
mapped = mmap.mmap(number, PIECES << 20)
os.close(number)
for at in range(PIECES):
    mapped[at << 20:(at + 1) << 20] = PIECE
stay()
""",
    "a folder that is closed": "os.mkdir('d'); number = new('d/x'); os.chmod('d', 0); fill(number); stay()",
    "a folder that is closed to look-ups": """
os.mkdir("d"); number = new("d/x"); os.chmod("d", 0o600); fill(number); stay()
""",
    "closed folders in closed ones": """
os.makedirs("d/e/f"); number = new("d/e/f/x")
for path in ("d/e/f", "d/e", "d"):
    os.chmod(path, 0)
fill(number); stay()
""",
    "a checkout that is closed": "number = new('x'); os.chmod('.', 0); fill(number); stay()",
    "a file with holes": "os.ftruncate(new('x'), PIECES << 20); stay()",
    "a file that another process holds, in a session of its own": """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        number = new("x"); os.unlink("x"); fill(number)
        stay()
    os._exit(0)
stay()
""",
    "a file on its way over a socket": """
ours, theirs = socket.socketpair()
number = new("x"); os.unlink("x")
socket.send_fds(ours, [b"x"], [number])
fill(number); os.close(number)
stay()
""",
    "a file on its way over a socket that is on its way": """
ours, theirs = socket.socketpair(); outer, other = socket.socketpair()
number = new("x"); os.unlink("x")
socket.send_fds(ours, [b"x"], [number])
fill(number); os.close(number)
socket.send_fds(outer, [b"x"], [theirs.fileno()])
ours.close(); theirs.close()
stay()
""",
    "a file in a thread's own table": """
def hold():
    if libc.unshare(0x400):
        raise OSError(ctypes.get_errno(), "unshare")
    number = new("x"); os.unlink("x"); fill(number)
    time.sleep(500)
threading.Thread(target=hold).start()
stay()
""",
    "a process that forbids looks at it": "libc.prctl(4, 0, 0, 0, 0)\n" + UNLINKED + "stay()",
    "a file that always lies elsewhere": """
for at in range(40):
    os.makedirs(f"d{at}/e")
fill(new("d0/e/x"))
at = 0
while True:
    os.rename(f"d{at % 40}/e/x", f"d{(at + 7) % 40}/e/x"); at += 7
""",
}
# What a namespace for users allows within bubblewrap; elsewhere there are none for a builder.
MOUNTED = """
steps = "mount --bind x y && rm x && exec sleep 500"
new("y"); number = new("x"); fill(number); os.close(number)
subprocess.run(["unshare", "-Urm", "sh", "-c", steps]); stay()
"""


def ran(mode: str, folder: Path, script: str, most_bytes: int = MOST_BYTES) -> list[str]:
    """Run a builder's script in a room of that mode; return how it ended, its status, and what it printed."""
    folder.chmod(0o755)
    if MODES[mode].uid:
        os.chown(folder, MODES[mode].uid, MODES[mode].uid)
    command = [sys.executable, "-m", "tests.support.builder_rooms", mode, str(folder), str(most_bytes)]
    done = subprocess.run(
        command,
        input=BEGIN + script,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("mode", MODES)
def test_a_builder_that_hides_what_it_wrote_is_ended(seen_folder: Path, mode: str, way: str) -> None:
    with small_disk(seen_folder / "disk", DISK_MB) as disk:
        assert ran(mode, disk, WAYS[way])[0] == "TOO_LARGE"


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare here")
@pytest.mark.parametrize("mode", [name for name, mode in MODES.items() if mode.has_namespaces])
def test_a_file_that_is_mounted_and_has_no_name_counts(seen_folder: Path, mode: str) -> None:
    with small_disk(seen_folder / "disk", DISK_MB) as disk:
        assert ran(mode, disk, MOUNTED)[0] == "TOO_LARGE"


# Several looks at its room have passed by then, each of which would have ended it.
AFTER_LOOKS = """
looked = os.path.join(os.path.dirname(os.environ["FORGEGUARD_CONTRACTS"]), "looked")
while not os.path.exists(looked):
    time.sleep(0.02)
"""
HONEST = {
    "many names of one file": """
number = new("x"); os.write(number, PIECE * 5)
for at in range(10):
    os.link("x", f"x{at}")
""",
    "files that are gone": """
for at in range(PIECES):
    number = new("x"); os.unlink("x"); os.write(number, PIECE); os.close(number)
""",
    "memory": "number = os.memfd_create('x'); fill(number)",
    "shared memory": "mapped = mmap.mmap(-1, PIECES << 20); mapped[:] = PIECE * PIECES",
    "a closed folder": "os.mkdir('d'); os.mkdir('d/e'); os.chmod('d', 0)",
    "links that lead anywhere": "os.symlink('/', 'root'); os.symlink('nowhere', 'x'); os.mkfifo('pipe')",
}


@pytest.mark.nightly
@pytest.mark.parametrize("way", HONEST)
@pytest.mark.parametrize("mode", MODES)
def test_a_builder_within_its_bound_goes_on(seen_folder: Path, mode: str, way: str) -> None:
    script = HONEST[way] + AFTER_LOOKS + "print(oct(os.stat('d').st_mode) if os.path.exists('d') else '')"
    with small_disk(seen_folder / "disk", DISK_MB) as disk:
        assert ran(mode, disk, script) in (["EXITED", "0", ""], ["EXITED", "0", "0o40000"])


def test_a_builder_that_fills_the_disk_where_nobody_can_look_is_ended(seen_folder: Path) -> None:
    # Its process leaves its parents, its session and its mark behind: without namespaces and root it is not found.
    script = """
if os.fork() == 0:
    os.setsid()
    parent = str(os.getpid())
    if os.fork() == 0:
        held = ["python3", "-c", os.environ["HELD"], parent]
        os.execvpe("python3", held, {"PATH": os.environ["PATH"]})
    os._exit(0)
stay()
"""
    left = "import sys\nwhile os.getppid() == int(sys.argv[1]): time.sleep(0.01)\n"
    held = f"{BEGIN}{left}number = new('x'); os.unlink('x')\n{FULL}    time.sleep(20)"
    with small_disk(seen_folder / "disk", DISK_MB) as disk:
        printed = ran("unconfined", disk, f"os.environ['HELD'] = {held!r}\n{script}")
    assert printed == ["this machine's disk is nearly full"]


async def test_what_the_end_of_a_builder_gives_back_was_the_builder_s(
    seen_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_watch, "list_held", lambda *_arguments, **_named: Held())
    script = f"{BEGIN}number = new('x'); os.unlink('x')\n{FULL}    stay()"
    with small_disk(seen_folder / "disk", DISK_MB) as disk:
        outcome, _ = await run_in(MODES["root"], disk, script, MOST_BYTES)
    assert outcome.ended is Ended.TOO_LARGE


NO_LINUX = """
import os, sys
sys.platform = "darwin"
del os.O_PATH, os.memfd_create
from pathlib import Path
from forgeguard_app.builders.file_sizes import size_of
from forgeguard_app.builders.held_files import list_held
import forgeguard_app.builders.process
print(list_held([os.getpid()], frozenset(), None, exact=True).total, size_of(Path(sys.argv[1]), 1 << 20))
"""


def test_where_there_is_no_linux_names_alone_are_counted(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 10_000)
    done = subprocess.run(
        [sys.executable, "-c", NO_LINUX, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    held, named = map(int, done.stdout.split())
    assert held == 0
    assert named >= 10_000
