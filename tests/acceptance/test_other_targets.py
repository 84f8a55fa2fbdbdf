"""A head that passes for one target passes for no other."""

from __future__ import annotations

from typing import Any

from forgeguard_app.simulator.state import Repository
from forgeguard_app.store.shown_state import newest_run_of
from tests.support.events import send
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import started


def open_pull(
    product: Product, repository: Repository, number: int, head: tuple[str, str], base: tuple[str, str], **repo: Any
) -> None:
    own = product.github.shapes.repository(repository)
    pull = {
        "number": number,
        "state": "open",
        "head": {"ref": head[0], "sha": head[1], "repo": repo or own},
        "base": {"ref": base[0], "sha": base[1], "repo": own},
    }
    send(product, repository, "pull_request", action="opened", pull_request=pull)


async def test_a_pull_request_of_the_default_branch_is_no_baseline_of_it(product: Product, tree: WorkTree) -> None:
    repository = await started(product, tree)
    bad = tree.commit({"b.py": "bad"})
    await product.push(tree, repository, "lax")
    head = tree.commit({"c.py": "x = 1\n"})
    await product.push(tree, repository)
    assert (await product.verdicts(repository, head))["A4"].conclusion == "failure"
    open_pull(product, repository, 7, ("main", head), ("lax", bad))
    await product.idle()
    assert (await product.verdicts(repository, head))["A4"].conclusion == "success", "it adds nothing to that branch"
    newest = newest_run_of("r.id", "r.default_branch")
    assert (
        await product.pool.fetchval(f"SELECT overall_result FROM audit_runs WHERE id = (SELECT {newest} FROM repos r)")
        == "FAIL"
    )
    later = tree.commit({"d.py": "y = 1\n"})
    await product.push(tree, repository)
    assert (await product.verdicts(repository, later))["A4"].conclusion == "failure", "b.py is not repaired"
