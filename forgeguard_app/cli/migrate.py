"""`forgeguard migrate`: the database to the current schema."""

from __future__ import annotations

import argparse
import asyncio
import logging

from forgeguard_app.app.database import database
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.logs import set_up_logs
from forgeguard_app.settings import load_settings
from forgeguard_app.store import migrate as migrations
from forgeguard_app.store.pool import connecting


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the verb takes no arguments."""


def run(_: argparse.Namespace) -> int:
    """0 once the schema is current."""
    set_up_logs(logging.WARNING, shown_lines)
    done = asyncio.run(_migrate())
    print("\n".join(f"applied {name}" for name in done) or "The schema is current.")
    return 0


async def _migrate() -> list[str]:
    async with database(load_settings()) as dsn:
        with connecting():
            return await migrations.migrate(dsn)
