"""The embedded PostgreSQL: it starts by itself, is shared, and outlives nobody."""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from forgeguard_app.store.embedded import embedded_postgres

PARENT = """
import asyncio, sys
from pathlib import Path
from forgeguard_app.store.embedded import embedded_postgres
async def main():
    async with embedded_postgres(Path(sys.argv[1])) as dsn:
        print(dsn, flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="forgeguard-home-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)
        yield Path(folder)


def postmaster(home: Path) -> int:
    return int((home / "postgres" / "data" / "postmaster.pid").read_text().splitlines()[0])


def gone(pid: int) -> bool:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return True
        if state == "Z":
            return True
        time.sleep(0.05)  # another process's end has no event to wait for
    return False


async def test_two_share_one_server_and_data_survives_a_restart(home: Path) -> None:
    async with embedded_postgres(home) as dsn:
        async with embedded_postgres(home) as other:
            assert other == dsn
            connection = await asyncpg.connect(dsn)
            await connection.execute("CREATE TABLE kept (id INTEGER); INSERT INTO kept VALUES (7)")
            assert await connection.fetchval("SHOW listen_addresses") == ""
            assert await connection.fetchval("SHOW server_encoding") == "UTF8"
            await connection.close()
        pid = postmaster(home)
    assert gone(pid)
    async with embedded_postgres(home) as dsn:
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT id FROM kept") == 7
        await connection.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_the_server_ends_with_a_killed_parent_and_starts_again(home: Path, number: int) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, str(home)], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    assert await asyncio.to_thread(parent.stdout.readline)
    pid = postmaster(home)
    parent.send_signal(number)
    parent.wait(20)
    parent.stdout.close()
    assert gone(pid)
    async with embedded_postgres(home) as dsn:
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()


async def test_as_root_the_server_has_an_account_of_its_own_and_root_writes_through_no_name_of_it(home: Path) -> None:
    victim = home / "victim"
    victim.write_text("kept")
    async with embedded_postgres(home):
        uid = os.stat(f"/proc/{postmaster(home)}").st_uid
    folder = home / "postgres"
    if os.geteuid() != 0:
        assert uid == os.geteuid()
        return
    with pytest.raises(KeyError):
        pwd.getpwuid(uid)
    assert folder.stat().st_uid == 0
    assert {path.name for path in folder.iterdir() if path.lstat().st_uid == uid} == {"data"}
    # An older version gave all to `nobody`, who left links for root to write through.
    nobody = pwd.getpwnam("nobody").pw_uid
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody, nobody, follow_symlinks=False)
    for name in ("postgres.log", "pg_hba.conf", "data/linked"):
        (folder / name).unlink(missing_ok=True)
        (folder / name).symlink_to(victim)
    os.link(victim, folder / "data" / "hard")
    async with embedded_postgres(home) as dsn:
        connection = await asyncpg.connect(dsn)
        assert await connection.fetchval("SHOW hba_file") == str(folder / "pg_hba.conf")
        await connection.close()
        assert os.stat(f"/proc/{postmaster(home)}").st_uid == uid
    assert (victim.read_text(), victim.stat().st_uid) == ("kept", 0)
    (folder / "lock").unlink()
    (folder / "lock").symlink_to(victim)
    with pytest.raises(OSError, match="symbolic links"):
        async with embedded_postgres(home):
            pass
