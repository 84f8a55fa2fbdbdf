"""A build's place on this machine: our own repository of it, the builder's checkout, its home, and what it is given to
read.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

from forgeguard_app.builders.confinement import TEMPORARY, Confinement, Sandbox, own_user, users_have_namespaces
from forgeguard_app.builders.network import Network, Wall, wall_for
from forgeguard_app.builders.probing import PROBE_UID
from forgeguard_app.builders.sized_place import mount_sized, refuse_full_disk, unmount
from forgeguard_app.builders.visible_files import SHARED
from forgeguard_app.errors import UserError

REMOVE_TIMEOUT_S = 120.0
PLACE = "place"
CONTRACTS, FINDINGS, PHASE = "contracts", "findings.json", "phase.json"


def place_for(home: Path) -> Path:
    """Return a folder for builds that their users can pass through: under HOME where they can, else beside other
    temporary files.
    """
    place = home / "builds"
    place.mkdir(parents=True, exist_ok=True, mode=0o711)
    place = place.resolve()  # a sandbox holds none of the links on the way
    if os.geteuid() != 0 or all(_passable(folder) for folder in (place, *place.parents)):
        return place
    elsewhere = Path(tempfile.gettempdir()) / "forgeguard-builds"
    with contextlib.suppress(FileExistsError):
        elsewhere.mkdir(mode=0o711)
    owner = elsewhere.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != os.geteuid() or owner.st_mode & 0o022:
        raise PermissionError(f"{elsewhere} belongs to somebody else")
    return elsewhere


def _passable(folder: Path) -> bool:
    return bool(folder.stat().st_mode & stat.S_IXOTH)


@dataclass(frozen=True)
class Workspace:
    """One build's folders. `repository` is ours alone; the others are made again for every phase."""

    folder: Path
    kind: Confinement
    network: Network = Network.OUTSIDE
    folders: tuple[str, ...] = ()

    @property
    def repository(self) -> Path:
        """The repository in which we commit."""
        return self.folder / "ledger.git"

    @property
    def taken(self) -> Path:
        """Return the folder that the builder's files are copied to, out of its reach."""
        return self.folder / "taken"

    @contextlib.asynccontextmanager
    async def room(self, most_bytes: int) -> AsyncIterator[Sandbox]:
        """Give the builder's folders, empty, which are gone afterwards; together they take about `most_bytes` where
        root can see to it.

        Raises:
            RetryLater: every user for builders is taken, or the machine's disk is full.
        """
        async with contextlib.AsyncExitStack() as stack:
            uid = stack.enter_context(own_user()) if self.kind is Confinement.OWN_USER else None
            await asyncio.to_thread(self._empty)
            await asyncio.to_thread(refuse_full_disk, self.folder)
            inside = uid is not None and await asyncio.to_thread(users_have_namespaces)
            apart = inside or self.kind is Confinement.BUBBLEWRAP
            wall = await asyncio.to_thread(wall_for, self.network, uid and PROBE_UID, in_namespaces=apart)
            if uid is not None and not inside:
                stack.push_async_callback(asyncio.to_thread, empty_shared, uid)
                await asyncio.to_thread(empty_shared, uid)
            try:
                yield await asyncio.to_thread(self._furnish, uid, wall, most_bytes, inside=inside)
            except asyncio.CancelledError:  # what cannot be removed now is removed before the next phase, or hourly
                with contextlib.suppress(UserError):
                    await asyncio.shield(asyncio.to_thread(self._empty))
                raise
            except BaseException:
                await asyncio.to_thread(self._empty)
                raise
            else:
                await asyncio.to_thread(self._empty)

    def _furnish(self, uid: int | None, wall: Wall, most_bytes: int, *, inside: bool) -> Sandbox:
        sized = uid is not None and mount_sized(self.folder / PLACE, most_bytes)
        top = self.folder / PLACE if sized else self.folder
        room = Sandbox(
            self.kind,
            top / "work",
            top / "home",
            self.folder / "given",
            uid,
            inside,
            wall,
            top if sized else None,
            self.folders,
        )
        for path in (*room.written, room.given):
            path.mkdir(mode=0o700)
        return room

    def _empty(self) -> None:
        unmount(self.folder / PLACE)
        for name in (PLACE, "work", "home", "given", "taken"):
            remove(self.folder / name)


def empty_shared(uid: int) -> None:
    """Remove what the builder of that number left in the machine's temporary folders, with its own rights."""
    command = ["find", *SHARED, "-xdev", "-mindepth", "1", "-user", str(uid), "-delete"]
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            command,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=REMOVE_TIMEOUT_S,
            check=False,
        )


def network_note(network: Network, kind: Confinement) -> str:
    """Return what keeps builders of that kind from what `network` says, '' where nothing does. It takes a moment."""
    user = PROBE_UID if kind is Confinement.OWN_USER else None
    apart = kind is Confinement.BUBBLEWRAP or (kind is Confinement.OWN_USER and users_have_namespaces())
    return wall_for(network, user, in_namespaces=apart).note


def open_workspace(
    place: Path, name: str, kind: Confinement, network: Network = Network.OUTSIDE, folders: tuple[str, ...] = ()
) -> Workspace:
    """Return the build's place, made where there is none; it stays until the build's end.

    `folders` are shown to its builders beside the system.
    """
    folder = place / name
    folder.mkdir(parents=True, exist_ok=True, mode=0o711)
    return Workspace(folder, kind, network, folders)


async def remove_workspace(place: Path, name: str) -> None:
    """Remove what the build left."""
    await asyncio.to_thread(_remove_all, place / name)


def _remove_all(folder: Path) -> None:
    unmount(folder / PLACE)
    remove(folder)


def remove(folder: Path) -> None:
    """Remove a folder that a builder wrote: of any depth, and also where it took its own rights away.

    Raises:
        UserError: it cannot be removed.
    """
    if not os.path.lexists(folder):
        return
    commands = [["rm", "-rf", "--", str(folder)]]
    if os.geteuid() != 0:  # root needs no rights of the folders, and must change none through a name
        commands.insert(0, ["chmod", "-R", "u+rwX", "--", str(folder)])
    for command in commands:
        with contextlib.suppress(subprocess.TimeoutExpired):
            subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, timeout=REMOVE_TIMEOUT_S, check=False
            )
    if os.path.lexists(folder):
        raise UserError(f"{folder} cannot be removed on the worker's machine. Remove it, then start the build again.")


def list_workspaces(place: Path) -> list[UUID]:
    """Return the builds that have a place on this machine; anything else there is left alone."""
    found: list[UUID] = []
    for path in sorted(place.iterdir()) if place.is_dir() else []:
        with contextlib.suppress(ValueError):
            found.append(UUID(path.name))
    return found


def hand_over(
    room: Sandbox, contracts: Mapping[str, str], findings: Sequence[Mapping[str, Any]], phase: Mapping[str, Any]
) -> None:
    """Write what this builder and no other reads: contracts by file name, what the last audit found, and the phase."""
    folder = room.given / CONTRACTS
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    texts = {folder / name: text for name, text in contracts.items()}
    texts[room.given / FINDINGS] = json.dumps(list(findings), ensure_ascii=False, indent=2)
    texts[room.given / PHASE] = json.dumps(phase, ensure_ascii=False, indent=2)
    for path, text in texts.items():
        path.write_text(text, "utf-8")
    for path in (*texts, folder, room.given):  # ours, so that the builder changes none of it, and readable to its group
        if room.uid is not None:
            os.chown(path, -1, room.uid)
        path.chmod(0o750 if path.is_dir() else 0o640)


def environment_of(room: Sandbox, passed: Mapping[str, str]) -> dict[str, str]:
    """Return a builder's environment: where things are, and of ours only what the operator named."""
    return {
        "PATH": os.environ.get("PATH", "/usr/local/bin:/usr/bin:/bin"),
        "LANG": "C.UTF-8",
        "HOME": str(room.home),
        "TMPDIR": TEMPORARY if room.private_tmp else str(room.home),
        "FORGEGUARD_CONTRACTS": str(room.given / CONTRACTS),
        "FORGEGUARD_FINDINGS": str(room.given / FINDINGS),
        "FORGEGUARD_PHASE": str(room.given / PHASE),
        **passed,
    }
