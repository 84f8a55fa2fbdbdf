"""The delivery log, compared on request."""

from __future__ import annotations

from datetime import timedelta

from forgeguard_app.app.contexts import contexts
from forgeguard_app.flows.upkeep.compare_log import LogComparison
from forgeguard_app.flows.upkeep.reconcile_deliveries import DeliveriesLeft, Reconciled, reconcile_deliveries
from forgeguard_app.settings import Settings


async def redeliver(settings: Settings, since: timedelta) -> Reconciled:
    """Compare GitHub's delivery log with the inbox, and ask again for what is missing until nothing is left."""
    listed = asked = taken = 0
    comparison = LogComparison(since)
    async with contexts(settings) as (_, context):
        while True:
            try:
                done = await reconcile_deliveries(context, comparison)
                is_left = False
            except DeliveriesLeft as left:
                done, is_left = left.done, True
            listed, asked, taken = listed + done.listed, asked + done.asked, taken + done.taken
            if not is_left:
                return Reconciled(listed, asked, taken)
