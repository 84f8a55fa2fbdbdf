"""Runs a builder's script in each kind of room that has no size of its own, also as a user that is not root."""

from __future__ import annotations

import asyncio
import concurrent.futures.thread  # noqa: F401  (before root is given up: Python may lie where nobody else reads)
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from forgeguard_app.builders import process, workspace
from forgeguard_app.builders.confinement import Confinement
from forgeguard_app.builders.network import Network
from forgeguard_app.builders.process import BuilderRun, RunBounds, RunOutcome, run_builder
from forgeguard_app.builders.room_watch import RoomWatch
from forgeguard_app.builders.workspace import environment_of, open_workspace, place_for, remove_workspace
from forgeguard_app.errors import RetryLater

OTHER_USER = 65_534
LOOKS = 3


@dataclass(frozen=True, slots=True)
class Mode:
    """A way in which a builder's room is made where no place of a size can be mounted."""

    kind: Confinement
    has_namespaces: bool
    uid: int = 0


MODES = {
    "root": Mode(Confinement.OWN_USER, True),
    "root-bare": Mode(Confinement.OWN_USER, False),
    "bubblewrap": Mode(Confinement.BUBBLEWRAP, True, OTHER_USER),
    "unconfined": Mode(Confinement.UNCONFINED, False, OTHER_USER),
}


async def run_in(mode: Mode, folder: Path, script: str, most_bytes: int) -> tuple[RunOutcome, list[str]]:
    """Run a script of Python's, with looks at its room in quick succession."""
    heard: list[str] = []

    async def hear(lines: list[bytes]) -> None:
        heard.extend(line.decode("utf-8", "replace") for line in lines)

    async def never() -> bool:
        return False

    looks: list[Path] = []  # the file that says that there were several, then one entry for each
    look = RoomWatch.is_too_large

    def counted(watch: RoomWatch, *, due: bool) -> bool:
        found = look(watch, due=due)
        looks.extend(looks[:1] if due else [])
        if len(looks) > LOOKS:
            looks[0].touch()
        return found

    place, name = place_for(folder), "build"
    with (
        patch.object(workspace, "mount_sized", return_value=False),
        patch.object(workspace, "users_have_namespaces", return_value=mode.has_namespaces),
        patch.object(RoomWatch, "is_too_large", counted),
        patch.object(process, "LOOK_S", 0.05),
        patch.object(process, "SIZE_EVERY_S", 0.2),
    ):
        async with open_workspace(place, name, mode.kind, Network.NONE).room(most_bytes) as room:
            room.take_over()
            room.given.chmod(0o755)
            looks.append(room.given / "looked")
            bounds = RunBounds(time_s=30.0, checkout_bytes=most_bytes, grace_s=0.1)
            command = ["/usr/bin/python3", "-c", script]
            run = BuilderRun(command, environment_of(room, {}), "", f"{name}-{os.getpid()}", bounds)
            outcome = await run_builder(room, run, hear, never)
        await remove_workspace(place, name)
    return outcome, heard


async def _warm_up() -> None:
    """Import what a first program and a first thread import."""
    await asyncio.to_thread(os.getpid)
    await (await asyncio.create_subprocess_exec("true")).wait()


def main(name: str, folder: str, most_bytes: str) -> None:
    """Run the script that comes in, as the mode's user, and print how it ended."""
    mode, script = MODES[name], sys.stdin.read()
    asyncio.run(_warm_up())
    if mode.uid:
        os.setgroups([])
        os.setresgid(mode.uid, mode.uid, mode.uid)
        os.setresuid(mode.uid, mode.uid, mode.uid)
    try:
        outcome, heard = asyncio.run(run_in(mode, Path(folder), script, int(most_bytes)))
    except RetryLater as error:
        print(error)
        return
    print("\n".join((outcome.ended.name, str(outcome.status), *heard)))


if __name__ == "__main__":
    main(*sys.argv[1:])
