"""Pull requests as GitHub tells of them, and a repository with branches of different rules."""

from __future__ import annotations

from typing import Any

from forgeguard_app.simulator.state import Repository
from tests.support.events import send
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started

FORK: dict[str, Any] = {"id": 999, "full_name": "stranger/shop", "private": False, "default_branch": "main"}
LAX = {"boundaries.json": '{"layers": []}'}


def tell_pull(
    product: Product,
    repository: Repository,
    number: int,
    head: tuple[str, str],
    base: tuple[str, str],
    *,
    action: str = "opened",
    repo: dict[str, Any] | None = None,
    merged: bool = False,
    **more: Any,
) -> None:
    own = product.github.shapes.repository(repository)
    pull = {
        "number": number,
        "state": "closed" if action == "closed" else "open",
        "merged": merged,
        "head": {"ref": head[0], "sha": head[1], "repo": repo or own},
        "base": {"ref": base[0], "sha": base[1], "repo": own},
    }
    send(product, repository, "pull_request", action=action, pull_request=pull, **more)


async def boundary(product: Product, repository: Repository, sha: str) -> str | None:
    await product.idle()
    return (await product.verdicts(repository, sha))["A4"].conclusion


async def with_lax(product: Product, tree: WorkTree) -> tuple[Repository, str, str, str]:
    """A repository with a branch whose rules allow everything, and a topic that crosses the rules of main."""
    repository = await started(product, tree)
    start = tree.git("rev-parse", "HEAD")
    bad = tree.commit({"b.py": "bad"})
    await product.push(tree, repository, "lax")
    head = tree.commit({"c.py": "x = 1\n"})
    return repository, start, bad, head
