"""`forgeguard redeliver`: asks GitHub again for the webhook deliveries that never arrived."""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
from datetime import timedelta

from forgeguard_app.app.redeliver import redeliver
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.logs import set_up_logs
from forgeguard_app.settings import load_settings

_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument(
        "--since",
        default="3d",
        metavar="DURATION",
        help="how far back, as 90m, 12h or 3d (default: 3d, what GitHub keeps)",
    )


def run(arguments: argparse.Namespace) -> int:
    """0 once GitHub was asked."""
    since = duration(arguments.since)
    set_up_logs(logging.WARNING, shown_lines)
    try:
        done = asyncio.run(redeliver(load_settings(), since))
    except (RetryLater, RequestRejected) as error:
        raise UserError(str(error)) from error
    log = f"{done.listed} {'delivery' if done.listed == 1 else 'deliveries'} in GitHub's log"
    print(f"{log}; {done.asked} asked for again, {done.taken} taken from the log.")
    return 0


def duration(text: str) -> timedelta:
    """Parse a duration such as 90m, 12h or 3d."""
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if match is None:
        raise UserError(f"{text!r} is not a duration such as 90m, 12h or 3d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})
