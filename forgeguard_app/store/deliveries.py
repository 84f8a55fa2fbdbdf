"""The inbox of webhook deliveries."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from forgeguard_app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Delivery:
    """What is kept of a delivery: enough to know it again, nothing of its payload."""

    github_delivery_id: str
    event: str
    action: str | None
    github_installation_id: int | None
    github_repo_id: int | None
    outcome: str


async def insert_delivery(connection: Connection, delivery: Delivery) -> UUID | None:
    """Our key for the delivery; None where it was here before."""
    found: UUID | None = await connection.fetchval(
        """
        INSERT INTO deliveries (github_delivery_id, event, action, github_installation_id, github_repo_id, outcome)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (github_delivery_id) DO NOTHING
        RETURNING id
        """,
        delivery.github_delivery_id,
        delivery.event,
        delivery.action,
        delivery.github_installation_id,
        delivery.github_repo_id,
        delivery.outcome,
    )
    return found


async def set_outcome(connection: Connection, delivery_id: UUID, outcome: str) -> None:
    """What came of the delivery after all."""
    await connection.execute("UPDATE deliveries SET outcome = $2 WHERE id = $1", delivery_id, outcome)


async def list_known(connection: Connection, github_delivery_ids: list[str]) -> set[str]:
    """Which of these deliveries are in the inbox."""
    rows = await connection.fetch(
        "SELECT github_delivery_id FROM deliveries WHERE github_delivery_id = ANY($1::text[])", github_delivery_ids
    )
    return {row["github_delivery_id"] for row in rows}
