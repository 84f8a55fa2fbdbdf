"""`forgeguard worker`: one worker, as many as wanted, on as many machines as wanted."""

from __future__ import annotations

import argparse
import asyncio

from forgeguard_app.app.run_as import leave_root
from forgeguard_app.app.work import work
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.cli.running import stop_on_signals
from forgeguard_app.logs import set_up_logs
from forgeguard_app.settings import Settings, load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the verb takes no arguments."""


def run(_: argparse.Namespace) -> int:
    """0 once it was told to stop; 1 where it stopped by itself, to be started again."""
    set_up_logs(mask=shown_lines)
    settings = load_settings()
    leave_root(settings.run_as, settings.home)
    return 0 if asyncio.run(_work(settings)) else 1


async def _work(settings: Settings) -> bool:
    return await work(settings, stop_on_signals())
