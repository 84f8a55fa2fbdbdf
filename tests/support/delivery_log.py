"""GitHub's log of deliveries, as tests age it."""

from __future__ import annotations

import time
from datetime import timedelta

from forgeguard_app.simulator.state import stamp
from tests.support.running import Product

WINDOW = timedelta(days=3)


def age(product: Product, seconds: float) -> None:
    """Makes every delivery of the log that much older."""
    for delivery in product.github.world.deliveries:
        delivery.delivered_at = stamp(1_000_000_000 if seconds > 86_400 * 3 else time.time() - seconds)
