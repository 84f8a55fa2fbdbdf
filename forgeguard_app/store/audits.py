"""Audit runs, their checks and findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from forgeguard_app.audit.counts import OverallOutcome, outcome_of
from forgeguard_app.audit.masked_text import shown
from forgeguard_app.store.audit_findings import StoredCheck, StoredFinding, _insert_check, _insert_findings
from forgeguard_app.store.changes import notify_change
from forgeguard_app.store.claims import FormerClaim, claim, release
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import RunStatus, Trigger


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run to be made: which commit of which repository, and why."""

    repo_id: UUID
    commit_sha: str
    branch: str | None
    before_sha: str | None = None
    commit_message: str | None = None
    commit_author: str | None = None
    delivery_id: UUID | None = None
    trigger: Trigger = Trigger.PUSH
    fetch_ref: str | None = None
    target_ref: str | None = None
    target_sha: str | None = None
    fork: bool = False


@dataclass(frozen=True, slots=True)
class AuditRun:
    """One audit run."""

    id: UUID
    repo_id: UUID
    commit_sha: str
    commit_message: str | None
    commit_author: str | None
    branch: str | None
    status: RunStatus
    overall_result: str | None
    started_at: datetime
    completed_at: datetime | None
    files_checked: int | None
    created_at: datetime
    before_sha: str | None
    base_sha: str | None
    deaths: int
    interruptions: int
    error_detail: str | None
    published_at: datetime | None
    publish_error: str | None
    trigger: Trigger
    fetch_ref: str | None
    target_ref: str | None
    target_sha: str | None
    fork: bool
    github_delivery_id: str | None


_RUN = (
    "id, repo_id, commit_sha, commit_message, commit_author, branch, status, overall_result, started_at, completed_at,"
    " files_checked, created_at, before_sha, base_sha, deaths, interruptions, error_detail, published_at, "
    "publish_error,"
    " trigger, fetch_ref, target_ref, target_sha, fork,"
    " (SELECT d.github_delivery_id FROM deliveries d WHERE d.id = audit_runs.delivery_id) AS github_delivery_id"
)


def _run(row: Any) -> AuditRun:
    return AuditRun(**{**row, "status": RunStatus(row["status"]), "trigger": Trigger(row["trigger"])})


async def insert_run(connection: Connection, run: NewRun) -> UUID:
    """Insert a pending run and return its key."""
    found: UUID = await connection.fetchval(
        """
        INSERT INTO audit_runs (repo_id, commit_sha, branch, before_sha, commit_message, commit_author, delivery_id,
            trigger, fetch_ref, target_ref, target_sha, fork)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        RETURNING id
        """,
        run.repo_id,
        run.commit_sha,
        run.branch,
        run.before_sha,
        run.commit_message,
        run.commit_author,
        run.delivery_id,
        run.trigger,
        run.fetch_ref,
        run.target_ref,
        run.target_sha,
        run.fork,
    )
    return found


async def find_newest_run(connection: Connection, repo_id: UUID, commit_sha: str) -> AuditRun | None:
    """Return the newest run of a head."""
    row = await connection.fetchrow(
        f"SELECT {_RUN} FROM audit_runs WHERE repo_id = $1 AND commit_sha = $2 ORDER BY created_at DESC LIMIT 1",  # noqa: S608
        repo_id,
        commit_sha,
    )
    return None if row is None else _run(row)


async def find_newer_run(connection: Connection, run: AuditRun) -> UUID | None:
    """Return the newest run of the same head, branch and target as this one, where there is a newer one.

    An audit of the head for another pull request's base replaces nothing.
    """
    found: UUID | None = await connection.fetchval(
        """
        SELECT id FROM audit_runs WHERE repo_id = $1 AND commit_sha = $2 AND created_at > $3 AND fork = $4
            AND branch IS NOT DISTINCT FROM $5 AND coalesce(target_ref, evaluated_target, '') = (
                SELECT coalesce(target_ref, evaluated_target, '') FROM audit_runs WHERE id = $6)
        ORDER BY created_at DESC LIMIT 1
        """,
        run.repo_id,
        run.commit_sha,
        run.created_at,
        run.fork,
        run.branch,
        run.id,
    )
    return found


async def asked_again_lately(connection: Connection, repo_id: UUID, commit_sha: str, within_s: int) -> bool:
    """Return whether a re-run of the head was asked for within the last seconds."""
    found: bool = await connection.fetchval(
        """
        SELECT EXISTS (SELECT 1 FROM audit_runs WHERE repo_id = $1 AND commit_sha = $2 AND trigger = 'rerun'
            AND created_at > now() - make_interval(secs => $3))
        """,
        repo_id,
        commit_sha,
        within_s,
    )
    return found


async def find_run(connection: Connection, run_id: UUID) -> AuditRun | None:
    """Return the run by our key."""
    row = await connection.fetchrow(f"SELECT {_RUN} FROM audit_runs WHERE id = $1", run_id)  # noqa: S608
    return None if row is None else _run(row)


async def begin_run(connection: Connection, run_id: UUID) -> AuditRun | None:
    """Claim the run and return it; None where it was finished before, or its repository is gone. Wants a transaction.

    A worker that died in it is counted, or an interruption where the run was not released for another reason.
    """
    former = await claim(connection, run_id)
    row = await connection.fetchrow(
        f"""
        UPDATE audit_runs SET status = 'running', deaths = deaths + (status = 'running' AND $2)::int,
            interruptions = interruptions + (status = 'running' AND NOT $2)::int,
            started_at = CASE WHEN started_at = created_at THEN now() ELSE started_at END
        WHERE id = $1 AND status IN ('pending', 'running')
        RETURNING {_RUN}
        """,  # noqa: S608
        run_id,
        former is FormerClaim.DIED,
    )
    if row is None:
        await release(connection, run_id)
        return None
    await notify_change(connection, row["repo_id"])
    return _run(row)


async def release_run(connection: Connection, run: AuditRun) -> None:
    """Let the run wait again: its work stopped for a transient fault. Wants a transaction."""
    if await release(connection, run.id):
        await connection.execute(
            "UPDATE audit_runs SET status = 'pending' WHERE id = $1 AND status = 'running'", run.id
        )


async def set_commit_words(connection: Connection, run_id: UUID, message: str | None, author: str | None) -> None:
    """Write what the run's commit says of itself, where no payload said it."""
    await connection.execute(
        """
        UPDATE audit_runs SET commit_message = coalesce(commit_message, $2), commit_author = coalesce(commit_author, $3)
        WHERE id = $1
        """,
        run_id,
        message,
        author,
    )


@dataclass(frozen=True, slots=True)
class OwnerPolicy:
    """The forgeguard.yml of the owner's `.github` repository at a head, found valid; None where there is none."""

    text: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of a run. `status` is completed, or error where it could not be evaluated.

    `configuration` and `owner_policy` come into force where the run's head is the newest of the default branch.
    """

    status: RunStatus
    overall_result: str
    base_sha: str | None
    files_checked: int
    checks: Sequence[tuple[StoredCheck, Sequence[StoredFinding]]]
    error_detail: str | None = None
    configuration: Mapping[str, Any] | None = None
    owner_policy: OwnerPolicy | None = None

    @property
    def excerpt_bytes(self) -> int:
        """Return the size of the lines around the findings."""
        return sum(len((finding.excerpt or "").encode()) for _, findings in self.checks for finding in findings)

    @property
    def finding_bytes(self) -> int:
        """Return what the findings take without these lines, and long texts of the checks."""
        of_findings = sum(finding.row_bytes for _, findings in self.checks for finding in findings)
        return of_findings + sum(check.long_text_bytes for check, _ in self.checks)

    @property
    def outcome(self) -> OverallOutcome:
        """Return the common result of the checks."""
        return outcome_of((check.result, check.evaluation) for check, _ in self.checks)


async def store_verdict(connection: Connection, run_id: UUID, verdict: Verdict) -> bool:
    """Write the verdict in place of any earlier one; False where another worker was first.

    Wants a transaction that holds the repository.
    """
    claimed = await connection.fetchrow(
        """
        WITH former AS (SELECT id, finding_bytes FROM audit_runs WHERE id = $1)
        UPDATE audit_runs a SET status = $2, overall_result = $3, base_sha = $4, files_checked = $5, error_detail = $6,
            outcome = $7, verified_count = $8, excerpt_bytes = $9, finding_bytes = $10, completed_at = now()
        FROM former WHERE a.id = former.id AND a.status = 'running'
        RETURNING a.repo_id, a.finding_bytes - coalesce(former.finding_bytes, 0) AS more_bytes
        """,
        run_id,
        verdict.status,
        verdict.overall_result,
        verdict.base_sha,
        verdict.files_checked,
        verdict.error_detail,
        verdict.outcome,
        sum(check.counts.verified for check, _ in verdict.checks),
        verdict.excerpt_bytes,
        verdict.finding_bytes,
    )
    if claimed is None:
        return False
    await release(connection, run_id)
    await notify_change(connection, claimed["repo_id"])
    await connection.execute(
        "UPDATE repos SET finding_bytes = finding_bytes + $2 WHERE id = $1 AND $2::bigint <> 0", *claimed.values()
    )
    await connection.execute("DELETE FROM audit_checks WHERE audit_run_id = $1", run_id)
    for check, findings in verdict.checks:
        await _insert_findings(connection, await _insert_check(connection, run_id, check, len(findings)), findings)
    return True


async def set_published(connection: Connection, run_id: UUID) -> None:
    """GitHub holds everything that was to be published."""
    await connection.execute("UPDATE audit_runs SET published_at = now(), publish_error = NULL WHERE id = $1", run_id)


# Reasons that pass by themselves: once the installation is active again, such a verdict is requeued like a stranded
# one.
SUSPENDED = "The installation is suspended."
NO_INSTALLATION = "The repository belongs to no installation that we know."
REFUSED_FOR = timedelta(days=30)  # a verdict of that age that GitHub refuses is not tried again by itself


async def set_publish_error(
    connection: Connection, run_id: UUID, reason: str | None, again_after: timedelta | None = None
) -> None:
    """GitHub does not take the verdict, and why; None where it is tried again.

    `again_after` is when the next try is due, from now; None where nothing is known of it.
    """
    kept = None if reason is None else shown(reason)
    await connection.execute(
        "UPDATE audit_runs SET publish_error = $2, publish_retry_at = clock_timestamp() + $3::interval WHERE id = $1",
        run_id,
        kept,
        again_after,
    )
