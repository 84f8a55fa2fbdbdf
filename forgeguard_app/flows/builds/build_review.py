"""The changes of a phase that a person approves before they are pushed: files that decide verdicts or run in CI."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from forgeguard_app.audit.check_settings import BOUNDARIES
from forgeguard_app.audit.masked_text import shown_lines
from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.plain_text import as_utf8
from forgeguard_app.audit.policy import PolicySettings, settings_with
from forgeguard_app.audit.report import clean
from forgeguard_app.audit.secrets.masking import masked
from forgeguard_app.evaluation.own_configuration import read_own_configuration
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.flows.context.worker_context import WorkerContext
from forgeguard_app.git.changes import LINK_MODE, RawChange, hash_blob, list_raw_changes, read_difference
from forgeguard_app.git.command import GitRepository, GitTooLarge
from forgeguard_app.projects.contract_types import FILES, FOLDER, ContractType
from forgeguard_app.projects.deciding_files import is_deciding
from forgeguard_app.store.build_changes import BuildChange, list_approved_keys
from forgeguard_app.store.builds import Build

MAX_FILES = 50
MAX_FILE_BYTES = 32 << 10
MAX_BYTES = 256 << 10
MAX_FILE_LINES = 2_000
MAX_LINES = 4_000  # of all differences together
MAX_PATH_CHARS = 500
LONGEST_ESCAPE = 10  # characters for one, as \U0001f600
_PLAIN = "100644"


class Unreviewable(Exception):
    """Nobody could review the changes as they are; the text says why and what to do."""


async def deciding_between(
    repository: GitRepository, start: str, commit: str, owner: PolicySettings
) -> Callable[[str], bool]:
    """Return which files decide before or after a change: it may name a file as boundaries that it also writes."""
    before = await _deciding_at(repository, start, owner)
    after = await _deciding_at(repository, commit, owner)
    return lambda path: before(path) or after(path)


async def _deciding_at(repository: GitRepository, commit: str, owner: PolicySettings) -> Callable[[str], bool]:
    """Return which files decide: by their names, or because the settings at the commit name them as boundaries."""
    configured = await read_own_configuration(LocalSource(repository), commit, owner)
    named, matches = (
        {boundary.path for boundary in configured.boundaries},
        any_glob(settings_with(configured.policy, BOUNDARIES).boundaries or ()),
    )
    return lambda path: is_deciding(path) or path in named or matches(as_utf8(path))


async def list_unapproved(
    context: WorkerContext, build: Build, repository: GitRepository, start: str, commit: str, owner: PolicySettings
) -> list[BuildChange]:
    """Return the changes between the commits that a person has yet to approve.

    A copy of the project's own contracts in their folder needs no approval: people wrote them.

    Raises:
        Unreviewable: they are too many, too large, or no text.
    """
    decides = await deciding_between(repository, start, commit, owner)
    found = [change for change in await list_raw_changes(repository, start, commit) if decides(change.path)]
    ours = await _contracts(build, repository) if found else {}
    found = [change for change in found if (change.mode, ours.get(change.path)) != (_PLAIN, change.blob)]
    async with context.pool.acquire() as connection:
        approved = await list_approved_keys(connection, build.id, [change.key for change in found])
    found = [change for change in found if change.key not in approved]
    if len(found) > MAX_FILES:
        raise Unreviewable(
            f"{len(found)} files that decide verdicts or run in CI were changed; a person can approve at most "
            f"{MAX_FILES} at "
            "once. Change fewer of them."
        )
    changes = [await _change(repository, start, commit, change) for change in found]
    if sum(len(change.difference.encode()) for change in changes) > MAX_BYTES:
        raise Unreviewable(
            "The changes of files that decide verdicts or run in CI are too long for a person to approve at "
            "once: at most "
            f"{MAX_BYTES >> 10} KB. Change less of them."
        )
    if sum(map(_count_lines, changes)) > MAX_LINES:
        raise Unreviewable(
            "The changes of files that decide verdicts or run in CI have too many lines for a person to approve at "
            f"once: at most {MAX_LINES:,}. Change fewer of them."
        )
    return changes


def _count_lines(change: BuildChange) -> int:
    return change.difference.count("\n") + 1


async def _contracts(build: Build, repository: GitRepository) -> Mapping[str, str]:
    """Return the ids that the project's contracts have as files, by path."""
    texts = {f"{FOLDER}/{FILES[ContractType(kind)]}": text for kind, text in build.contracts.items()}
    return {path: await hash_blob(repository, text.encode()) for path, text in texts.items() if is_deciding(path)}


async def _change(repository: GitRepository, start: str, commit: str, change: RawChange) -> BuildChange:
    path = clean(change.path)[:MAX_PATH_CHARS]
    try:
        difference = await read_difference(repository, start, commit, change.path, MAX_FILE_BYTES)
    except GitTooLarge:
        raise Unreviewable(
            f"{path} decides verdicts or runs in CI, and its change is longer than the {MAX_FILE_BYTES >> 10} "
            f"KB that a person "
            "can approve. Make it smaller."
        ) from None
    if change.mode == LINK_MODE:
        raise Unreviewable(
            f"{path} decides verdicts or runs in CI and is a link, whose target may change. Make it a file."
        )
    if difference is None:
        raise Unreviewable(f"{path} decides verdicts or runs in CI and is no text, so nobody can review it. Remove it.")
    if difference.count("\n") >= MAX_FILE_LINES:
        raise Unreviewable(
            f"{path} decides verdicts or runs in CI, and its change has more than the {MAX_FILE_LINES:,} lines that a "
            "person can approve. Make it smaller."
        )
    if _hides_added_lines(difference):
        raise Unreviewable(
            f"{path} decides verdicts or runs in CI, and holds what looks like a secret: it would be masked, "
            f"and approved unseen. "
            "Write it in another way."
        )
    # Escapes make it longer; a line that was cut off would be approved unseen.
    return BuildChange(
        change.key, path, change.kind, shown_lines(difference, limit_chars=MAX_FILE_BYTES * LONGEST_ESCAPE)
    )


def _hides_added_lines(difference: str) -> bool:
    """Return whether masking would change a line that the builder added, so that it would be approved unseen."""
    before, after = difference.split("\n"), masked(difference, keep_hashes=True).split("\n")
    return len(before) != len(after) or any(
        old != new for old, new in zip(before, after, strict=True) if old.startswith("+")
    )
