"""A worker's hold on a build's phase: what a worker writes counts only while the phase is its own."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.store.pool import Connection


class PhaseLost(Exception):
    """Another worker has the phase now, it is done, or the build is at its end."""


async def hold_phase(connection: Connection, build_id: UUID, number: int) -> None:
    """Keep the phase for this process until the transaction ends. Wants a transaction.

    A worker that was held up, or lost its connection for a while, works on beside the one that took over.

    Raises:
        PhaseLost: the phase is not this process's any more.
    """
    running = await connection.fetchval(
        "SELECT status = 'running' AND phase_number = $2 FROM builds WHERE id = $1 FOR UPDATE", build_id, number
    )
    # A statement of its own: it sees what was claimed while the first one waited.
    taken = await connection.fetchval(
        "SELECT EXISTS (SELECT 1 FROM claims WHERE work_id = $1 AND process <> current_setting('application_name'))",
        build_id,
    )
    if not running or taken:
        raise PhaseLost
