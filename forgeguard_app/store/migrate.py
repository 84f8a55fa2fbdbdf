"""Brings the database to the current schema: our files in order, then the queue's own.

Safe to run twice or twice at once: one runner at a time, each file once in a transaction of its own, and a file
that was edited after it was applied is refused.
"""

from __future__ import annotations

import hashlib
import importlib.resources
from dataclasses import dataclass
from pathlib import Path

from forgeguard_app.errors import UserError
from forgeguard_app.store.pool import CONNECT_TIMEOUT_S, Connection, connect

_LOCK = 0x464F524745  # "FORGE", one runner at a time across all processes
_LEDGER = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    name        TEXT PRIMARY KEY,
    checksum    TEXT NOT NULL,
    applied_at  TIMESTAMPTZ NOT NULL DEFAULT now()
)"""
_QUEUE = "procrastinate/"
# Ours over Procrastinate's jobs, as db/schema.md says; they are no part of that package's migrations.
_JOB_INDEXES = """
CREATE INDEX IF NOT EXISTS forgeguard_jobs_by_rank
ON procrastinate.procrastinate_jobs (queue_name, priority, scheduled_at, id) WHERE status = 'todo';
CREATE INDEX IF NOT EXISTS forgeguard_jobs_by_time
ON procrastinate.procrastinate_jobs (scheduled_at) WHERE status = 'todo';
CREATE INDEX IF NOT EXISTS forgeguard_jobs_by_subject
ON procrastinate.procrastinate_jobs
    ((coalesce(args->>'run_id', args->>'request_id', args->>'trial_id', args->>'build_id')))
WHERE status IN ('todo', 'doing');
DROP INDEX IF EXISTS procrastinate.forgeguard_jobs_by_queue;
"""
MIGRATE_TIMEOUT_S = 300.0


@dataclass(frozen=True, slots=True)
class Migration:
    """One file to apply."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """Return the checksum of the migration's text, as the table of migrations keeps it."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def own_migrations(folder: Path | None = None) -> list[Migration]:
    """Our files in the order of their numbers: from the checkout, or from the installed package."""
    package = Path(__file__).parent
    places = [folder] if folder else [package.parents[1] / "db" / "migrations", package / "migrations"]
    found = next((place for place in places if place.is_dir() and any(place.glob("*.sql"))), None)
    if found is None:
        raise UserError("the migrations are missing from this installation; install ForgeGuard again")
    return [Migration(path.name, path.read_text("utf-8")) for path in sorted(found.glob("*.sql"))]


def queue_migrations() -> list[Migration]:
    """Procrastinate's files, which create nothing that we would have to know."""
    folder = importlib.resources.files("procrastinate.sql").joinpath("migrations")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [Migration(_QUEUE + name, folder.joinpath(name).read_text("utf-8")) for name in names]


def _queue_schema() -> str:
    return importlib.resources.files("procrastinate.sql").joinpath("schema.sql").read_text("utf-8")


async def migrate(dsn: str, folder: Path | None = None) -> list[str]:
    """Apply what is missing and return its names.

    Raises:
        UserError: a file was edited after it was applied, or the database is newer than this program.
    """
    connection = await connect(dsn, timeout=CONNECT_TIMEOUT_S, command_timeout=MIGRATE_TIMEOUT_S)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        done = await _apply(connection, own_migrations(folder), queue_migrations())
        await connection.execute(_JOB_INDEXES)
        return done
    finally:
        await connection.close()


async def _apply(connection: Connection, own: list[Migration], queue: list[Migration]) -> list[str]:
    await connection.execute(_LEDGER)
    applied = {
        row["name"]: row["checksum"] for row in await connection.fetch("SELECT name, checksum FROM schema_migrations")
    }
    refuse_strange(applied, own, queue)
    done: list[str] = []
    for migration in own:
        if migration.name not in applied:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await _record(connection, migration)
            done.append(migration.name)
    fresh = [migration for migration in queue if migration.name not in applied]
    if len(fresh) == len(queue):
        async with connection.transaction():
            await connection.execute("CREATE SCHEMA IF NOT EXISTS procrastinate")
            await connection.execute("SET LOCAL search_path TO procrastinate")
            await connection.execute(_queue_schema())
            await connection.execute("SET LOCAL search_path TO public")
            for migration in queue:
                await _record(connection, migration)
        return [*done, "procrastinate"]
    for migration in fresh:
        async with connection.transaction():
            await connection.execute("SET LOCAL search_path TO procrastinate")
            await connection.execute(migration.sql)
            await connection.execute("SET LOCAL search_path TO public")
            await _record(connection, migration)
        done.append(migration.name)
    return done


async def _record(connection: Connection, migration: Migration) -> None:
    await connection.execute(
        "INSERT INTO schema_migrations (name, checksum) VALUES ($1, $2)", migration.name, migration.checksum
    )


def refuse_strange(applied: dict[str, str], own: list[Migration], queue: list[Migration]) -> None:
    """Refuse a database that this program does not understand.

    Raises:
        UserError: says which file and what to do.
    """
    known = {migration.name: migration for migration in (*own, *queue)}
    for name, checksum in applied.items():
        if name not in known:
            raise UserError(f"the database is newer than this program (it has {name}); run a newer ForgeGuard")
        # The queue's files may change their comments between releases; ours never change.
        if not name.startswith(_QUEUE) and known[name].checksum != checksum:
            raise UserError(f"{name} was edited after it was applied; restore it and put the change into a new file")


async def schema_state(connection: Connection) -> str:
    """'' where the schema is current, else what is wrong with it in words."""
    if await connection.fetchval("SELECT to_regclass('public.schema_migrations')") is None:
        return "the database has no schema yet: run `forgeguard migrate`"
    applied = {row["name"] for row in await connection.fetch("SELECT name FROM schema_migrations")}
    missing = [migration.name for migration in own_migrations() if migration.name not in applied]
    return f"migrations are missing ({', '.join(missing)}): run `forgeguard migrate`" if missing else ""
