"""Events that GitHub sends, and a secret that a push may hold."""

from __future__ import annotations

from typing import Any

from forgeguard_app.simulator.state import Repository
from tests.support.running import Product

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


def send(product: Product, repository: Repository, event: str, **payload: Any) -> None:
    installation = product.github.world.installation_of(repository.id)
    assert installation is not None
    shapes = product.github.shapes
    product.github.webhooks.send(
        event, {"repository": shapes.repository(repository), "installation": {"id": installation.id}, **payload}
    )
