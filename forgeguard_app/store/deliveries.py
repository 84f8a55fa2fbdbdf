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
