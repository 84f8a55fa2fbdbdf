"""The delivery log, compared once."""

from __future__ import annotations

from datetime import timedelta

from forgeguard_app.app.contexts import contexts
from forgeguard_app.flows.upkeep.reconcile_deliveries import Reconciled, reconcile_deliveries
from forgeguard_app.settings import Settings


async def redeliver(settings: Settings, since: timedelta) -> Reconciled:
    """Compares GitHub's delivery log with the inbox once, and asks again for what is missing."""
    async with contexts(settings) as (_, context):
        return await reconcile_deliveries(context, since)
