"""`forgeguard rotate-key`: everything stored is sealed again under the first key."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys

from forgeguard_app.app.rotate_key import rotate_key
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.logs import set_up_logs
from forgeguard_app.settings import load_settings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add nothing: the verb takes no arguments."""


def run(_: argparse.Namespace) -> int:
    """Return 0 once everything is sealed under the first key, 1 where no key opens some of it."""
    settings = load_settings()
    set_up_logs(logging.WARNING, shown_lines)
    done = asyncio.run(rotate_key(settings))
    print(f"{done.sealed} stored value(s) sealed under the first key.")
    if done.unopened:
        print(
            f"{done.unopened} value(s) are opened by none of the keys in SECRET_KEY and stay as they are: "
            "add the key that sealed them, and run this again before you drop a key.",
            file=sys.stderr,
        )
        return 1
    print("The other keys can be dropped once every server and worker has been restarted with the new first key.")
    return 0
