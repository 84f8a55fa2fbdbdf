"""Why what a builder left can be neither committed nor evaluated, in words for the builder and for people."""

from __future__ import annotations

import asyncio
from pathlib import Path

from forgeguard_app.audit.report import clean
from forgeguard_app.builders.sized_place import is_full
from forgeguard_app.errors import RetryLater
from forgeguard_app.evaluation.deadline import EvaluationTimeout
from forgeguard_app.git.command import GitError, GitTooLarge
from forgeguard_app.store.builds import Loop

MAX_CHARS = 300
FAULTS = (GitError, EvaluationTimeout)


async def describe_fault(error: Exception, deed: str, folder: Path) -> str:
    """Return the reason of a failed attempt: what was left in the checkout cannot be committed, or evaluated.

    Such a fault repeats itself however often the builder runs, so it counts as a failed attempt.

    Raises:
        RetryLater: the disk of the build's folder is full.
    """
    if isinstance(error, EvaluationTimeout):
        return str(error)
    if not isinstance(error, GitError):
        raise error
    # A builder chooses the names that git repeats, so that its words alone prove nothing.
    if error.out_of_space and await asyncio.to_thread(is_full, folder):
        raise RetryLater("this machine's disk is full") from error
    why = error.reason if isinstance(error, GitTooLarge) else _first_error(error)
    return f"What was left in the checkout cannot be {deed}: {why}"


def loop_of(reason: str, commit: str | None = None) -> Loop:
    """Return the failed attempt of a builder whose work was not audited."""
    return Loop([{"check": "builder", "message": reason}], None, commit)


def _first_error(error: GitError) -> str:
    """Return the line in which git names the path; its last one says only that something failed."""
    lines = error.stderr.strip().splitlines() or ["git could not take it in"]
    return clean(next((line for line in lines if line.startswith("error:")), lines[-1]))[:MAX_CHARS]
