"""Faults of GitHub's tokens that pass: one push stays a handful of requests, whatever they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from forgeguard_app.github.tokens import TokenCache, TokenUnavailable
from forgeguard_app.simulator.faults import Faults
from tests.support.repositories import WorkTree
from tests.support.running import Product, running
from tests.support.stored import let_heads_be_fresh

MOST_REQUESTS = 30
CREATION, WRITE, GIT = "access_tokens", "POST /api/v3/repos/{owner}/{repo}/check-runs", "git-upload-pack"


class Script(Faults):
    """Meets the given faults in their order, each by the requests whose identity holds its words."""

    def __init__(self, faults: Sequence[tuple[str, str]]) -> None:
        super().__init__(0, {})
        self.left, self.asked = list(faults), 0

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        self.asked += where != "delivery"
        for number, (words, kind) in enumerate(self.left):
            if words in identity and kind in kinds:
                del self.left[number]
                return kind
        return None


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("faults", "lag_s"),
    [
        ([(CREATION, "500"), (CREATION, "502-html")], 0.0),
        ([(CREATION, "reset"), (WRITE, "401")], 4.0),
        ([(WRITE, "expire"), (CREATION, "500")], 1.0),
        ([(GIT, "404"), (WRITE, "expire")], 1.0),
    ],
)
async def test_a_push_under_two_token_faults_that_pass_makes_at_most_thirty_requests(
    product: Product, tree: WorkTree, faults: list[tuple[str, str]], lag_s: float
) -> None:
    world = product.github.world
    repository, installation = await product.repository()
    async with product.pool.acquire() as connection:  # the hourly look at heads is no part of a push
        await let_heads_be_fresh(connection)
    assert installation is not None
    product.context.tokens.drop(await product.context.tokens.get(installation.id, repository.id))
    world.token_lag_s = lag_s
    script = world.faults = Script(faults)
    tree.commit({"a.py": "x = 1\n"})
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    assert script.left == []
    assert script.asked <= MOST_REQUESTS, f"{script.asked} requests"


async def test_after_a_token_was_not_given_no_job_of_any_process_asks_for_one_until_a_pause_is_over(
    dsn: str, tmp_path: Path
) -> None:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        repository, installation = await product.repository(private=True)
        assert installation is not None
        ours = product.context.tokens
        others = TokenCache(product.context.app)
        others.shared = ours.shared
        product.github.world.faults = Script([(CREATION, "500")])
        for tokens in (ours, ours, others):
            with pytest.raises(TokenUnavailable):
                await tokens.get(installation.id, repository.id)
        asked = [path for _, path in product.github.world.requests if path.endswith("/access_tokens")]
        assert len(asked) == 1
