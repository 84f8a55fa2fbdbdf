"""A delivery of GitHub's that cannot be read is noted in the inbox, so that it does not count as lost."""

from __future__ import annotations

from forgeguard_app.store.deliveries import Delivery, insert_delivery
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.states import DeliveryOutcome


async def refuse_delivery(pool: Pool, github_delivery_id: str, name: str) -> None:
    """Note the delivery as refused. Delivered again, it is taken in if it can be read by then."""
    async with pool.acquire() as connection:
        await insert_delivery(connection, Delivery(github_delivery_id, name, None, None, None, DeliveryOutcome.REFUSED))
