"""Measures the storage of people, projects, repositories and installations, and deletes what goes beyond a quota."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.trials import TRIAL_BYTES

MOST_HOLDERS = 20  # of each kind that are stored
MOST_RUNS, MOST_BUILDS = 200, 50  # of which too much is deleted at once


@dataclass(frozen=True, slots=True)
class StorageUse:
    """A holder's use of one kind of storage; `quota_bytes` is None where there is no bound."""

    kind: str
    holder_kind: str
    holder_name: str
    bytes: int
    quota_bytes: int | None
    machine: str = ""


@dataclass(frozen=True, slots=True)
class MeasuredUse(StorageUse):
    """The same with the time at which it was measured."""

    measured_at: datetime | None = None


async def hold_contracts(connection: Connection, project_id: UUID) -> None:
    """Hold the contracts of all projects of the project's creator until the transaction ends.

    Without it two savings do not see each other's texts, and delete the same former versions in each other's way.
    """
    await connection.execute(
        """
        SELECT pg_advisory_xact_lock(hashtextextended('contracts of ' || user_id, 0)) FROM projects WHERE id = $1
        """,
        project_id,
    )


@dataclass(frozen=True, slots=True)
class ContractBytes:
    """How many bytes the present contracts of a person's projects take, and those that others edited last."""

    all: int
    of_others: int


async def get_contract_bytes(connection: Connection, project_id: UUID) -> ContractBytes:
    """Return how many bytes the present contracts take of all projects of the project's creator."""
    row = await connection.fetchrow(
        """
        SELECT coalesce(sum(octet_length(c.content)), 0)::bigint AS all,
            coalesce(sum(octet_length(c.content)) FILTER (WHERE c.edited_by <> u.github_login), 0)::bigint AS of_others
        FROM project_contracts c JOIN projects p ON p.id = c.project_id JOIN users u ON u.id = p.user_id
        WHERE p.user_id = (SELECT user_id FROM projects WHERE id = $1)
        """,
        project_id,
    )
    assert row is not None  # an aggregate has a row
    return ContractBytes(**row)


async def delete_versions_over(connection: Connection, project_id: UUID, quota_bytes: int) -> int:
    """Delete former versions of the projects of the project's creator beyond the quota. Return their number.

    The oldest go of the projects that take the most: who may write to one project pushes out none of another that is
    small. Wants a transaction that holds the contracts.
    """
    gone = await connection.execute(
        """
        DELETE FROM contract_versions WHERE id IN (
            SELECT id FROM (
                SELECT id, former, sum(size) OVER (ORDER BY former, of_project, created_at DESC, id) AS total FROM (
                    SELECT v.id, v.created_at, v.version < c.version AS former, octet_length(v.content) AS size,
                        sum(octet_length(v.content)) OVER (
                            PARTITION BY p.id, v.version < c.version ORDER BY v.created_at DESC, v.id) AS of_project
                    FROM contract_versions v JOIN project_contracts c ON c.id = v.contract_id
                    JOIN projects p ON p.id = c.project_id
                    WHERE p.user_id = (SELECT user_id FROM projects WHERE id = $1)) AS counted
            ) AS sized WHERE former AND total > $2)
        """,
        project_id,
        quota_bytes,
    )
    return int(gone.rpartition(" ")[2])


async def delete_logs_over(connection: Connection, *, of_project: int, of_person: int) -> list[UUID]:
    """Delete the logs of the builds that ended first, beyond the quotas.

    Return some of these builds, at most a batch.
    """
    rows = await connection.fetch(
        """
        SELECT id FROM (
            SELECT id, sum(log_bytes) OVER (PARTITION BY project_id ORDER BY completed_at DESC, id) AS of_project,
                CASE WHEN user_id IS NOT NULL THEN sum(log_bytes) OVER (PARTITION BY user_id
                    ORDER BY completed_at DESC, id) END
                    AS of_person
            FROM builds WHERE completed_at IS NOT NULL AND log_bytes > 0
        ) AS sized WHERE of_project > $1 OR of_person > $2 LIMIT $3
        """,
        of_project,
        of_person,
        MOST_BUILDS,
    )
    gone = [row["id"] for row in rows]
    await connection.execute("DELETE FROM build_logs WHERE build_id = ANY($1::uuid[])", gone)
    await connection.execute("UPDATE builds SET log_bytes = 0, log_deleted_at = now() WHERE id = ANY($1::uuid[])", gone)
    return gone


async def delete_excerpts_over(
    connection: Connection, of_repository: int, of_installation: int, repo_id: UUID | None = None
) -> list[UUID]:
    """Delete the lines around findings of the oldest audits beyond the quotas, of one repository or of all.

    Return these runs, at most a batch.
    """
    rows = await connection.fetch(
        """
        SELECT id FROM (
            SELECT a.id, sum(a.excerpt_bytes) OVER (PARTITION BY a.repo_id
                ORDER BY a.created_at DESC, a.id) AS of_repository,
                CASE WHEN r.installation_id IS NOT NULL AND $4::uuid IS NULL THEN
                    sum(a.excerpt_bytes) OVER (PARTITION BY r.installation_id
                        ORDER BY a.created_at DESC, a.id) END AS of_installation
            FROM audit_runs a JOIN repos r ON r.id = a.repo_id
            WHERE a.excerpt_bytes > 0 AND ($4::uuid IS NULL OR a.repo_id = $4)
        ) AS sized WHERE of_repository > $1 OR of_installation > $2 LIMIT $3
        """,
        of_repository,
        of_installation,
        MOST_RUNS,
        repo_id,
    )
    gone = [row["id"] for row in rows]
    await connection.execute(
        """
        UPDATE findings SET excerpt = NULL, excerpt_line = NULL WHERE excerpt IS NOT NULL AND audit_check_id IN (
            SELECT id FROM audit_checks WHERE audit_run_id = ANY($1::uuid[]))
        """,
        gone,
    )
    await connection.execute(
        "UPDATE audit_runs SET excerpt_bytes = 0, excerpts_deleted_at = now() WHERE id = ANY($1::uuid[])", gone
    )
    return gone


@dataclass(frozen=True, slots=True)
class DeletedParts:
    """When parts of an audit were deleted because of a quota; None where they were not."""

    excerpts_at: datetime | None
    findings_at: datetime | None


async def find_deleted(connection: Connection, run_id: UUID) -> DeletedParts:
    """Return what of the audit is not kept any more."""
    row = await connection.fetchrow(
        "SELECT excerpts_deleted_at AS excerpts_at, findings_deleted_at AS findings_at FROM audit_runs WHERE id = $1",
        run_id,
    )
    return DeletedParts(None, None) if row is None else DeletedParts(**row)


_HOLDERS = {
    ("contract_versions", "project"): """
        SELECT p.name || ' of ' || coalesce(u.github_login, '?') AS name, sum(octet_length(v.content)) AS bytes
        FROM contract_versions v JOIN project_contracts c ON c.id = v.contract_id JOIN projects p ON p.id = c.project_id
        LEFT JOIN users u ON u.id = p.user_id GROUP BY p.id, 1""",
    ("contract_versions", "person"): """
        SELECT coalesce(u.github_login, '?') AS name, sum(octet_length(v.content)) AS bytes
        FROM contract_versions v JOIN project_contracts c ON c.id = v.contract_id JOIN projects p ON p.id = c.project_id
        LEFT JOIN users u ON u.id = p.user_id GROUP BY u.id, 1""",
    ("build_logs", "project"): """
        SELECT p.name || ' of ' || coalesce(u.github_login, '?') AS name, sum(b.log_bytes) AS bytes
        FROM builds b JOIN projects p ON p.id = b.project_id LEFT JOIN users u ON u.id = p.user_id
        WHERE b.log_bytes > 0 GROUP BY p.id, 1""",
    ("build_logs", "person"): """
        SELECT coalesce(u.github_login, '?') AS name, sum(b.log_bytes) AS bytes
        FROM builds b LEFT JOIN users u ON u.id = b.user_id WHERE b.log_bytes > 0 GROUP BY u.id, 1""",
    ("excerpts", "repository"): """
        SELECT r.full_name AS name, sum(a.excerpt_bytes) AS bytes
        FROM audit_runs a JOIN repos r ON r.id = a.repo_id WHERE a.excerpt_bytes > 0 GROUP BY r.id, 1""",
    ("excerpts", "installation"): """
        SELECT i.account_login AS name, sum(a.excerpt_bytes) AS bytes FROM audit_runs a JOIN repos r ON r.id = a.repo_id
        JOIN installations i ON i.id = r.installation_id WHERE a.excerpt_bytes > 0 GROUP BY i.id, 1""",
    ("trials", "person"): f"""
        SELECT coalesce(u.github_login, '?') AS name, sum({TRIAL_BYTES}) AS bytes
        FROM trials t LEFT JOIN users u ON u.id = t.user_id GROUP BY u.id, 1""",  # noqa: S608
    ("findings", "repository"): """
        SELECT r.full_name AS name, r.finding_bytes AS bytes FROM repos r WHERE r.finding_bytes > 0""",
    ("findings", "installation"): """
        SELECT i.account_login AS name, sum(r.finding_bytes) AS bytes FROM repos r
        JOIN installations i ON i.id = r.installation_id WHERE r.finding_bytes > 0 GROUP BY i.id, 1""",
}


async def measure(connection: Connection, kind: str, holder_kind: str, quota_bytes: int | None) -> list[StorageUse]:
    """Return what those take who take the most of a kind, and what all of them take together."""
    rows = await connection.fetch(
        f"""
        WITH held AS ({_HOLDERS[kind, holder_kind]})
        (SELECT NULL AS name, coalesce(sum(bytes), 0)::bigint AS bytes FROM held)
        UNION ALL (SELECT name, bytes::bigint FROM held ORDER BY bytes DESC LIMIT $1)
        """,  # noqa: S608  (texts of ours)
        MOST_HOLDERS,
    )
    return [
        StorageUse(
            kind,
            "all" if row["name"] is None else holder_kind,
            row["name"] or "",
            row["bytes"],
            None if row["name"] is None else quota_bytes,
        )
        for row in rows
    ]


async def set_uses(connection: Connection, kind: str, machine: str, uses: Sequence[StorageUse]) -> None:
    """Store what was measured of a kind instead of what was measured before. Wants a transaction."""
    await connection.execute("DELETE FROM storage_uses WHERE kind = $1 AND machine = $2", kind, machine)
    await connection.executemany(
        """
        INSERT INTO storage_uses (kind, holder_kind, holder_name, machine, bytes, quota_bytes)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(use.kind, use.holder_kind, use.holder_name, machine, use.bytes, use.quota_bytes) for use in uses],
    )


async def delete_old_uses_of_machines(connection: Connection) -> None:
    """Delete what machines measured that no longer do."""
    await connection.execute("DELETE FROM storage_uses WHERE measured_at < now() - interval '1 day'")


async def list_uses(connection: Connection, most: int) -> list[MeasuredUse]:
    """Return what all take of each kind, and then the holders that are nearest to their quotas."""
    rows = await connection.fetch(
        """
        SELECT kind, holder_kind, holder_name, bytes, quota_bytes, machine, measured_at FROM storage_uses
        ORDER BY holder_kind = 'all' DESC, CASE WHEN holder_kind = 'all' THEN kind END,
            bytes::float8 / nullif(quota_bytes, 0) DESC NULLS LAST,
            bytes DESC, holder_name LIMIT $1
        """,
        most,
    )
    return [MeasuredUse(**row) for row in rows]
