"""The simulated GitHub refuses what GitHub refuses."""

from __future__ import annotations

import time
from typing import Any

import jwt
import pytest

from forgeguard_app.errors import RetryLater
from forgeguard_app.github.app_access import make_app_jwt
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.simulator.state import SecondaryLimits
from tests.support.repositories import WorkTree
from tests.support.running import APP_ID, PRIVATE_KEY, Product


@pytest.fixture
async def asked(product: Product, tree: WorkTree) -> tuple[Product, str, str, dict[str, Any]]:
    """A repository's path, a token for it, and a check run that GitHub takes."""
    repository, installation = await product.repository()
    assert installation is not None
    tree.commit({"a.py": ""})
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    token = await product.context.tokens.get(installation.id, repository.id)
    return product, f"/repos/{repository.full_name}/check-runs", token.value, {"name": "n", "head_sha": sha}


ANNOTATION = {"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "notice", "message": "m"}


@pytest.mark.nightly
@pytest.mark.parametrize(
    "body",
    [
        {"output": {"title": "t", "summary": "s", "annotations": [ANNOTATION] * 51}},
        {"output": {"title": "t", "summary": "\u00e4" * 32_768}},
        {"output": {"summary": "s"}},
        {"output": {"title": "t", "summary": "s", "annotations": [ANNOTATION | {"end_line": 0}]}},
        {"output": {"title": "t", "summary": "s", "annotations": [ANNOTATION | {"end_line": 2, "start_column": 1}]}},
        {"actions": [{"label": "l", "description": "d", "identifier": "i"}] * 4},
        {"actions": [{"label": "l" * 21, "description": "d", "identifier": "i"}]},
        {"conclusion": "perfect"},
        {"status": "completed"},
        {"head_sha": "f" * 40},
        {"name": ""},
    ],
)
async def test_check_runs_past_the_limits_are_refused(
    asked: tuple[Product, str, str, dict[str, Any]], body: dict[str, Any]
) -> None:
    product, path, token, good = asked
    with pytest.raises(RequestRejected) as caught:
        await product.context.client.ask("POST", path, token=token, data=good | body)
    assert caught.value.status == 422


async def test_tokens_are_verified_and_expire(asked: tuple[Product, str, str, dict[str, Any]]) -> None:
    product, path, token, good = asked
    for wrong in ("", "ghs_wrong"):
        with pytest.raises(RequestRejected) as caught:
            await product.context.client.ask("POST", path, token=wrong or "x", data=good)
        assert caught.value.status == 401
    product.github.world.tokens[token].expires_at = time.time() - 1
    with pytest.raises(RequestRejected):
        await product.context.client.ask("POST", path, token=token, data=good)


async def test_app_jwts_are_verified(product: Product) -> None:
    good = make_app_jwt(APP_ID, PRIVATE_KEY, time.time())
    assert (await product.context.client.ask("GET", "/app", app_jwt=good))["id"] == APP_ID
    stale = make_app_jwt(APP_ID, PRIVATE_KEY, time.time() - 3_600)
    long = jwt.encode(
        {"iat": int(time.time()), "exp": int(time.time()) + 1_200, "iss": str(APP_ID)}, PRIVATE_KEY, algorithm="RS256"
    )
    for wrong in (stale, long, "x.y.z", make_app_jwt(8, PRIVATE_KEY, time.time())):
        with pytest.raises(RequestRejected):
            await product.context.client.ask("GET", "/app", app_jwt=wrong)


async def test_secondary_limits_ask_to_wait(asked: tuple[Product, str, str, dict[str, Any]]) -> None:
    product, path, token, good = asked
    product.github.world.limits = SecondaryLimits()
    with pytest.raises(RetryLater) as caught:
        for _ in range(100):
            await product.context.client.ask("POST", path, token=token, data=good)
    assert caught.value.delay_s == 60
    assert len(product.github.world.check_runs) <= 80 + 3


async def test_a_token_of_one_repository_opens_no_other(asked: tuple[Product, str, str, dict[str, Any]]) -> None:
    product, _, token, good = asked
    other, _ = await product.repository("other")
    with pytest.raises(RequestRejected) as caught:
        await product.context.client.ask("POST", f"/repos/{other.full_name}/check-runs", token=token, data=good)
    assert caught.value.status == 404


async def test_the_delivery_log_redelivers_under_the_same_guid(asked: tuple[Product, str, str, dict[str, Any]]) -> None:
    product, *_ = asked
    app_jwt = make_app_jwt(APP_ID, PRIVATE_KEY, time.time())
    listed = await product.context.client.ask("GET", "/app/hook/deliveries?per_page=100", app_jwt=app_jwt)
    push = next(delivery for delivery in listed if delivery["event"] == "push")
    detail = await product.context.client.ask("GET", f"/app/hook/deliveries/{push['id']}", app_jwt=app_jwt)
    assert detail["request"]["payload"]["ref"] == "refs/heads/main"
    await product.context.client.ask("POST", f"/app/hook/deliveries/{push['id']}/attempts", app_jwt=app_jwt)
    await product.idle()
    newest = product.github.world.deliveries[-1]
    assert (newest.guid, newest.redelivery, newest.status_code) == (push["guid"], True, 200)
