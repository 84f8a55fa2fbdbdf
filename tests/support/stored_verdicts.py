"""Stores repositories, and verdicts of their heads, as an audit does after it evaluated one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.audit.counts import Counts
from forgeguard_app.store.audit_findings import StoredCheck, StoredFinding
from forgeguard_app.store.audits import AuditRun, NewRun, Verdict, begin_run, insert_run, store_verdict
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import RunStatus


async def add_repo(connection: Connection, name: str = "acme/a", number: int = 1) -> UUID:
    """Store a repository of the installation on its owner, and return its key."""
    installation_id = await connection.fetchval(
        """
        INSERT INTO installations (github_installation_id, account_login) VALUES (hashtext($1), $1)
        ON CONFLICT (github_installation_id) DO UPDATE SET account_login = excluded.account_login RETURNING id
        """,
        name.partition("/")[0],
    )
    repo_id: UUID = await connection.fetchval(
        "INSERT INTO repos (github_repo_id, full_name, installation_id) VALUES ($1, $2, $3) RETURNING id",
        number,
        name,
        installation_id,
    )
    return repo_id


@dataclass(frozen=True, slots=True)
class Head:
    """A head to be stored with a verdict; `secrets` are the fingerprints that W1 reports."""

    commit: str
    branch: str = "main"
    secrets: Sequence[str] = ()
    message: str = "m"
    verified: bool = False
    summary: str = "summary"  # of the check
    fork: bool = False


def found(fingerprint: str, head: Head) -> StoredFinding:
    """Return a secret that the head's audit found."""
    return StoredFinding(
        "a.py", 1, 1, 1, "r", head.message, "failure", True, True, None, fingerprint, is_verified=head.verified
    )


async def add_verdict(connection: Connection, repo_id: UUID, head: Head) -> AuditRun:
    """Store a verdict on the head, and return its run. Wants a transaction."""
    run_id = await insert_run(connection, NewRun(repo_id, head.commit, head.branch, fork=head.fork))
    await connection.execute("UPDATE audit_runs SET created_at = clock_timestamp() WHERE id = $1", run_id)
    run = await begin_run(connection, run_id)
    assert run is not None
    findings = [found(fingerprint, head) for fingerprint in head.secrets]
    counts = Counts(new=len(findings), verified=len(findings) if head.verified else 0)
    check = StoredCheck("W1", "W1", "FAIL", "failure", "title", head.summary, None, counts=counts)
    verdict = Verdict(RunStatus.COMPLETED, "FAIL", None, 1, [(check, findings)])
    assert await store_verdict(connection, run.id, verdict)
    return run
