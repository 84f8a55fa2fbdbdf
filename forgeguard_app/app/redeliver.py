"""The delivery log, compared on request."""

from __future__ import annotations

from datetime import timedelta

from forgeguard_app.app.contexts import contexts
from forgeguard_app.flows.upkeep.reconcile_deliveries import DeliveriesLeft, Reconciled, reconcile_deliveries
from forgeguard_app.settings import Settings


async def redeliver(settings: Settings, since: timedelta) -> Reconciled:
    """Compare GitHub's delivery log with the inbox, and ask again for what is missing until nothing is left."""
    asked = taken = 0
    async with contexts(settings) as (_, context):
        while True:
            try:
                last = await reconcile_deliveries(context, since)
            except DeliveriesLeft as left:
                asked, taken = asked + left.done.asked, taken + left.done.taken
            else:
                return Reconciled(last.listed, asked + last.asked, taken + last.taken)
