"""A pull request of ours: opened once, found where it exists, and refused in GitHub's words where GitHub refuses it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from forgeguard_app.flows.context.repository import mirror_at
from forgeguard_app.flows.proposals.open_pull_request import (
    NewFile,
    WantedPullRequest,
    ensure_pull_request,
    open_pull_request,
)
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.tokens import PROPOSE
from forgeguard_app.store.installations import find_installation
from forgeguard_app.store.repos import find_repo_named
from tests.support.repositories import WorkTree
from tests.support.running import Product


async def test_a_pull_request_that_exists_is_told_apart_from_one_that_github_refuses(
    product: Product, tree: WorkTree
) -> None:
    repository, installation = await product.repository()
    assert installation is not None
    granted = product.github.world.granted(installation)
    installation.permissions = {**granted, "contents": "write", "pull_requests": "write"}
    tree.commit({"a.py": "x = 1\n"})
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    async with product.pool.acquire() as connection:
        repo = await find_repo_named(connection, repository.full_name)
        assert repo is not None
        assert repo.installation_id is not None
        ours = await find_installation(connection, repo.installation_id)
    assert ours is not None
    wanted = WantedPullRequest("forgeguard/x", sha, "main", "Title", "Body", [NewFile("b.txt", "b\n")])
    listing = f"{product.context.github_url}/{repository.full_name}/pulls"
    async with mirror_at(product.context, ours, repo, sha, repo.id) as mirror:
        assert await open_pull_request(product.context, ours, repo, mirror, wanted) != listing
        assert await open_pull_request(product.context, ours, repo, mirror, wanted) == listing, "it exists already"
    access = product.context.access(ours, repo, PROPOSE)
    assert await ensure_pull_request(product.context, access, replace(wanted, name="main")) == listing, (
        "nothing to pull"
    )
    for refused in (replace(wanted, base="gone"), replace(wanted, name="gone")):
        with pytest.raises(RequestRejected, match="422"):
            await ensure_pull_request(product.context, access, refused)
    assert len(product.github.world.pulls) == 1
