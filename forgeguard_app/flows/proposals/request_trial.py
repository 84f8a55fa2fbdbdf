"""Somebody asks for a trial: of a changed configuration, or of first rules; a worker does it."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.audit.boundaries.parse import DEFAULT_PATHS
from forgeguard_app.audit.policy import POLICY_PATHS
from forgeguard_app.errors import UserError
from forgeguard_app.flows.context.jobs import Job, Priority, Task, enqueue_job
from forgeguard_app.flows.context.quotas import QUOTAS
from forgeguard_app.flows.people.repo_access import Person
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.repos import Repo, find_configuration
from forgeguard_app.store.states import TrialKind
from forgeguard_app.store.trials import (
    NewTrial,
    count_lately,
    delete_contents_over,
    get_pending_bytes,
    hold_trials,
    insert_trial,
)

MAX_CONTENT_CHARS = 150_000
MAX_AN_HOUR = 60


async def request_trial(pool: Pool, person: Person, repo: Repo, path: str, content: str) -> UUID:
    """Request the trial of a changed configuration.

    Raises:
        UserError: the file does not configure ForgeGuard, is too large, or the person tries too often.
    """
    async with pool.acquire() as connection, connection.transaction():
        if path not in await _paths(connection, repo):
            raise UserError(
                "Only forgeguard.yml and the boundaries files of this repository can be tried here.", field="path"
            )
        if len(content) > MAX_CONTENT_CHARS:
            raise UserError(f"The file has more than {MAX_CONTENT_CHARS:,} characters.", field="content")
        return await enqueue_trial(
            connection, NewTrial(repo.id, person.user_id, TrialKind.CONFIGURATION, path, content.replace("\r\n", "\n"))
        )


async def request_first_rules(pool: Pool, person: Person, repo: Repo) -> UUID:
    """Request that a first configuration is drawn from the code.

    Raises:
        UserError: the person asks too often.
    """
    async with pool.acquire() as connection, connection.transaction():
        return await enqueue_trial(connection, NewTrial(repo.id, person.user_id, TrialKind.FIRST_RULES))


async def list_paths(pool: Pool, repo: Repo) -> list[str]:
    """Return the files that can be tried: the usual ones, and the boundaries files that are named elsewhere."""
    async with pool.acquire() as connection:
        return await _paths(connection, repo)


async def _paths(connection: Connection, repo: Repo) -> list[str]:
    known = await find_configuration(connection, repo.id)
    named = [file["path"] for file in known[1]["boundaries"]] if known else []
    return list(dict.fromkeys(("boundaries.json", *POLICY_PATHS, *DEFAULT_PATHS, *named)))


async def enqueue_trial(connection: Connection, new: NewTrial) -> UUID:
    """Return the trial and its job.

    Raises:
        UserError: the person asks too often, or for too much at once.
    """
    await hold_trials(connection, new.user_id)
    size_bytes = len((new.content or "").encode("utf-8", "replace"))
    if await get_pending_bytes(connection, new.user_id) + size_bytes > QUOTAS.pending_trials_of_person:
        raise UserError("Your trials that have not ended take too much; try again once they have.")
    if await count_lately(connection, new.user_id) >= MAX_AN_HOUR:
        raise UserError(f"You tried {MAX_AN_HOUR} times within an hour; wait a little.")
    trial_id = await insert_trial(connection, new)
    await delete_contents_over(connection, new.user_id, QUOTAS.trials_of_person)
    await enqueue_job(connection, Job(Task.RUN_TRIAL, trial_id, Priority.TRIAL))
    return trial_id
