"""`forgeguard serve`: the web server, and workers beside it."""

from __future__ import annotations

import argparse
import asyncio
import subprocess

import structlog

from forgeguard_app.app.run_as import leave_root
from forgeguard_app.app.serve import serve
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.cli.running import start_child, stop_children, stop_on_signals
from forgeguard_app.logs import set_up_logs
from forgeguard_app.settings import Settings, load_settings

RESTART_S = 1.0
log = structlog.get_logger()


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--workers", type=int, metavar="N", help="workers beside the server, 0 for none (default: 1)")


def run(arguments: argparse.Namespace) -> int:
    """0 once it was told to stop."""
    set_up_logs(mask=shown_lines)
    settings = load_settings()
    leave_root(settings.run_as, settings.home)
    workers = settings.workers if arguments.workers is None else max(arguments.workers, 0)
    asyncio.run(_serve(settings, workers))
    return 0


async def _serve(settings: Settings, workers: int) -> None:
    signalled, stop, ready, app_exists = stop_on_signals(), asyncio.Event(), asyncio.Event(), asyncio.Event()
    server = asyncio.create_task(serve(settings, stop, ready, app_exists))
    ended = asyncio.create_task(signalled.wait())
    can_work = asyncio.create_task(_all_of(ready, app_exists))
    children: list[subprocess.Popen[bytes]] = []
    keeper: asyncio.Task[None] | None = None
    try:
        await asyncio.wait({server, can_work, ended}, return_when=asyncio.FIRST_COMPLETED)
        if can_work.done() and not ended.done():
            children.extend(start_child(["worker"]) for _ in range(workers))
            keeper = asyncio.create_task(_keep(children))
        await asyncio.wait({server, ended}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (keeper, can_work, ended):
            if task is not None:
                task.cancel()
        # The workers go first: they need the database that may be ours.
        await stop_children(children)
        stop.set()
        await server


async def _all_of(*events: asyncio.Event) -> None:
    for event in events:
        await event.wait()


async def _keep(children: list[subprocess.Popen[bytes]]) -> None:
    """Replace a worker that died."""
    while True:
        await asyncio.sleep(RESTART_S)
        for number, child in enumerate(children):
            if child.poll() is not None:
                log.warning("worker.died", status=child.returncode)
                children[number] = start_child(["worker"])
