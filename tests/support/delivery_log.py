"""GitHub's log of deliveries, as tests age it and lose what is in it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator
from datetime import timedelta

from forgeguard_app.simulator.state import stamp
from tests.support.running import Product

WINDOW = timedelta(days=3)


def age(product: Product, seconds: float) -> None:
    """Makes every delivery of the log that much older."""
    for delivery in product.github.world.deliveries:
        delivery.delivered_at = stamp(1_000_000_000 if seconds > 86_400 * 3 else time.time() - seconds)


def age_in_order(product: Product) -> None:
    """Make every delivery of the log a quarter of an hour old, one second apart, in the order of the attempts."""
    for place, delivery in enumerate(sorted(product.github.world.deliveries, key=lambda item: item.id)):
        delivery.delivered_at = stamp(time.time() - 900 + place)


@contextlib.asynccontextmanager
async def lost(product: Product) -> AsyncIterator[None]:
    """Let no delivery that GitHub sends meanwhile reach us."""
    app = product.github.world.app
    assert app is not None
    address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/nobody"
    try:
        yield
        await product.github.webhooks.settle()
    finally:
        app.webhook_url = address
