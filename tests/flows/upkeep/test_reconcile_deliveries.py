"""What GitHub sent and we never got."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

import pytest

from forgeguard_app.cli.redeliver import duration
from forgeguard_app.errors import RetryLater, UserError
from forgeguard_app.flows.upkeep import doctor
from forgeguard_app.flows.upkeep.compare_log import LogComparison, PartBounds
from forgeguard_app.flows.upkeep.doctor import list_missed
from forgeguard_app.flows.upkeep.missing_deliveries import MissingDeliveries
from forgeguard_app.flows.upkeep.reconcile_deliveries import (
    AWAY_AFTER,
    DeliveriesLeft,
    Reconciled,
    UnreadablePayload,
    reconcile_deliveries,
)
from forgeguard_app.github.client import RequestRejected
from forgeguard_app.github.deliveries import Attempt
from forgeguard_app.simulator.faults import Faults
from forgeguard_app.simulator.state import stamp
from tests.support.delivery_log import WINDOW, age, age_in_order, lost
from tests.support.repositories import WorkTree
from tests.support.running import Product
from tests.support.starting import START
from tests.support.stored import count_refused_deliveries


@pytest.mark.nightly
async def test_lost_deliveries_are_asked_for_again_and_evaluated_in_their_order(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    app = product.github.world.app
    assert app is not None
    address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/nobody"
    tree.commit(START)
    first = await product.push(tree, repository)
    tree.commit({"b.py": "bad"})
    second = await product.push(tree, repository)
    await product.github.webhooks.settle()
    app.webhook_url = address
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW))).asked == 0, (
        "an attempt so young may be on its way"
    )
    age(product, 60)
    assert await reconcile_deliveries(product.context, LogComparison(WINDOW)) == Reconciled(5, 4, 0)
    assert (await product.verdicts(repository, first))["A4"].conclusion == "success"
    assert (await product.verdicts(repository, second))["A4"].conclusion == "failure"
    age(product, 60)
    assert await reconcile_deliveries(product.context, LogComparison(WINDOW)) == Reconciled(5, 0, 0)


async def test_where_our_address_cannot_be_reached_the_payload_is_taken_from_the_log(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    app = product.github.world.app
    assert app is not None
    app.webhook_url = "http://127.0.0.1:9/nobody"
    tree.commit(START)
    sha = await product.push(tree, repository)
    await product.github.webhooks.settle()
    age(product, 60)
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW))).asked == 2
    await product.github.webhooks.settle()
    age(product, 60)
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW))).taken == 2
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "success"


async def test_what_github_says_arrived_and_the_inbox_lacks_is_asked_for(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    tree.commit(START)
    await product.verdicts(repository, await product.push(tree, repository))
    async with product.pool.acquire() as connection:
        await connection.execute("DELETE FROM audit_runs; DELETE FROM deliveries WHERE event = 'push'")
    age(product, 60)
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW))).asked == 1


async def test_past_the_window_nothing_is_asked(product: Product) -> None:
    await product.repository()
    await product.idle()
    age(product, 86_400 * 9)
    assert await reconcile_deliveries(product.context, LogComparison(WINDOW)) == Reconciled()


def test_durations() -> None:
    assert (duration("90m"), duration("12h"), duration("3d")) == (
        timedelta(minutes=90),
        timedelta(hours=12),
        timedelta(days=3),
    )
    for wrong in ("", "3", "d3", "3w", "-1d", "3 d"):
        with pytest.raises(UserError):
            duration(wrong)


async def test_an_entry_of_the_log_that_is_not_whole_hides_no_other(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    app = product.github.world.app
    assert app is not None
    address, app.webhook_url = app.webhook_url, "http://127.0.0.1:9/nobody"
    tree.commit(START)
    sha = await product.push(tree, repository)
    await product.github.webhooks.settle()
    app.webhook_url = address
    age(product, 60)
    product.github.world.deliveries[-1].delivered_at = "not a time"
    await reconcile_deliveries(product.context, LogComparison(WINDOW))
    await product.verdicts(repository, sha)


async def test_a_lost_delivery_of_25_mb_is_taken_from_the_log(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        tree.commit(START)
        sha = await product.push(tree, repository)
    for delivery in product.github.world.deliveries:
        if delivery.event == "push":
            payload = json.loads(delivery.body) | {"more": "x" * (25_000_000 - len(delivery.body))}
            delivery.body = json.dumps(payload).encode()
            delivery.redelivery = True
    age(product, 60)
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW))).taken == 1
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "success"


async def test_a_payload_that_github_does_not_give_holds_up_no_other_delivery(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        tree.commit(START)
        await product.push(tree, repository, "first")
    for delivery in product.github.world.deliveries:
        if delivery.event == "push":
            delivery.redelivery = True
            product.github.world.silent.append(f"/deliveries/{delivery.id}")
    async with lost(product):
        sha = tree.commit({"b.py": "bad"})
        await product.push(tree, repository, "second")
    age_in_order(product)
    with pytest.raises(RetryLater):
        await reconcile_deliveries(product.context, LogComparison(WINDOW))
    await product.verdicts(repository, sha)


class Away(Faults):
    """A GitHub that lists the log, and then answers nothing more."""

    def __init__(self) -> None:
        super().__init__(0, {})
        self._is_listed = False

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        if "500" not in kinds or not (self._is_listed or "/app/hook/deliveries" in identity):
            return None
        is_away, self._is_listed = self._is_listed, True
        return "500" if is_away else None


async def test_a_github_that_fails_for_every_delivery_is_not_asked_for_all_of_them(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        for number in range(AWAY_AFTER):
            tree.commit({"a.py": f"x = {number}\n"})
            await product.push(tree, repository)
    world = product.github.world
    world.faults = Away()
    world.requests.clear()
    age_in_order(product)
    with pytest.raises(RetryLater):
        await reconcile_deliveries(product.context, LogComparison(WINDOW))
    assert len([path for _, path in world.requests if "/app/hook/deliveries/" in path]) == AWAY_AFTER


async def test_a_delivery_that_cannot_be_read_is_noted_as_refused_once_the_log_says_so_for_a_day(
    product: Product,
) -> None:
    await product.repository()
    await product.idle()
    product.github.webhooks.send("check_suite", {"action": "requested"})
    await product.github.webhooks.settle()
    async with lost(product):
        product.github.webhooks.send("check_suite", {"action": "requested"})
    product.github.world.deliveries[-1].redelivery = True
    age_in_order(product)
    comparison = LogComparison(WINDOW)
    with pytest.raises(UnreadablePayload):
        await reconcile_deliveries(product.context, comparison)
    compared = await list_missed(product.context)
    assert (len(compared.missed), compared.refused) == (1, 1)
    assert len(comparison.failing) == 1
    age(product, 90_000)
    assert await reconcile_deliveries(product.context, LogComparison(WINDOW)) == Reconciled(3, 0, 0)
    assert await count_refused_deliveries(product.pool) == 2


@pytest.mark.parametrize(
    ("payload", "age_s"),
    [("null", 3_600), ("null", 2 * 86_400), ("[]", 2 * 86_400), ("{}", 3_600)],
)
async def test_a_payload_that_the_log_lacks_for_a_while_is_taken_from_it_later(
    product: Product, tree: WorkTree, payload: str, age_s: int
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        tree.commit(START)
        sha = await product.push(tree, repository)
    push = next(delivery for delivery in product.github.world.deliveries if delivery.event == "push")
    whole, push.body, push.redelivery = push.body, payload.encode(), True
    age(product, age_s)
    comparison = LogComparison(WINDOW)
    with pytest.raises(RetryLater):
        await reconcile_deliveries(product.context, comparison)
    await reconcile_deliveries(product.context, comparison)  # no new fault
    assert await count_refused_deliveries(product.pool) == 0
    push.body = whole
    assert (await reconcile_deliveries(product.context, comparison)).taken == 1
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "success"


class Swallowed(Faults):
    """A proxy in front of us that answers every delivery by itself, so that GitHub's log says that it arrived."""

    def __init__(self) -> None:
        super().__init__(0, {})

    def choose(self, where: str, identity: str, kinds: Sequence[str]) -> str | None:
        return "lost" if "lost" in kinds else None


async def test_a_delivery_that_a_proxy_answers_again_and_again_is_taken_from_the_log(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    product.github.world.faults = Swallowed()
    tree.commit(START)
    sha = await product.push(tree, repository)
    await product.github.webhooks.settle()
    age(product, 60)
    assert await reconcile_deliveries(product.context, LogComparison(WINDOW)) == Reconciled(3, 2, 0)
    await product.github.webhooks.settle()
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW))).taken == 0, "it may be on its way"
    age(product, 60)
    assert await reconcile_deliveries(product.context, LogComparison(WINDOW)) == Reconciled(3, 0, 2)
    assert (await product.verdicts(repository, sha))["A4"].conclusion == "success"


async def test_lost_deliveries_of_one_account_hide_no_lost_one_of_another(product: Product, tree: WorkTree) -> None:
    busy, _ = await product.repository("busy")
    other, _ = await product.repository("other")
    await product.idle()
    async with lost(product):
        base = tree.commit(START)
        for number in range(5):
            tree.git("switch", "--quiet", "--detach", base)
            tree.commit({f"n{number}.py": "x = 1\n"})
            await product.push(tree, busy, f"topic{number}")
        tree.git("switch", "--quiet", "--detach", base)
        sha = tree.commit({"b.py": "bad"})
        await product.push(tree, other)
    age_in_order(product)
    with pytest.raises(DeliveriesLeft):
        await reconcile_deliveries(product.context, LogComparison(WINDOW), most=4)
    await product.verdicts(other, sha)


async def test_a_pass_says_how_much_it_leaves_to_the_next_one(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        tree.commit(START)
        sha = await product.push(tree, repository)
    age_in_order(product)
    with pytest.raises(DeliveriesLeft) as left:
        await reconcile_deliveries(product.context, LogComparison(WINDOW), most=1)
    assert left.value.done.asked == 1
    await product.github.webhooks.settle()
    assert (await reconcile_deliveries(product.context, LogComparison(WINDOW), most=1)).asked == 1
    await product.verdicts(repository, sha)


def missing_of(numbers: Iterable[tuple[int, int | None]], most_each: int = 100, most: int = 100) -> MissingDeliveries:
    """Attempts by number and installation, the newest first."""
    missing = MissingDeliveries(most_each, most)
    for number, installation in numbers:
        at = datetime(2026, 1, 1, tzinfo=UTC)
        missing.add(Attempt(number, f"guid{number}", "push", at, False, installation))
    return missing


def ids(attempts: Iterable[Attempt]) -> list[int]:
    return [attempt.id for attempt in attempts]


def test_installations_take_turns_and_each_has_its_oldest_delivery_first() -> None:
    missing = missing_of(((7, 1), (6, None), (5, 2), (4, 1), (3, 1), (2, 1), (1, 1)))
    assert ids(missing.share_turns(6)) == [1, 5, 6, 2, 3, 4]
    assert ids(missing.share_turns(3)) == [1, 5, 6]
    assert len(missing.share_turns(100)) == 7


def test_of_each_installation_the_oldest_are_kept_and_all_are_counted() -> None:
    missing = missing_of(((number, number % 2) for number in range(20, 0, -1)), most_each=4)
    assert (ids(missing.share_turns(100)), missing.number) == ([1, 2, 3, 4, 5, 6, 7, 8], 20)
    crowded = missing_of(((number, number % 5) for number in range(50, 0, -1)), most_each=10, most=20)
    assert crowded.number == 50
    assert ids(crowded.share_turns(100)) == list(range(1, 11)), "two of each"


@pytest.mark.nightly
async def test_deliveries_of_many_accounts_that_github_cannot_give_hold_up_no_other(
    product: Product, tree: WorkTree
) -> None:
    strangers = [(await product.repository(f"s{number}"))[0] for number in range(AWAY_AFTER)]
    other, _ = await product.repository("other")
    await product.idle()
    world = product.github.world
    async with lost(product):
        tree.commit(START)
        for stranger in strangers:
            await product.push(tree, stranger, "first")
    for delivery in world.deliveries:
        if delivery.event == "push":
            delivery.redelivery = True
            world.silent.append(f"/deliveries/{delivery.id}")
    async with lost(product):
        sha = tree.commit({"b.py": "bad"})
        await product.push(tree, other, "second")
    age_in_order(product)
    comparison = LogComparison(WINDOW)
    with pytest.raises(RetryLater):
        await reconcile_deliveries(product.context, comparison)
    await product.verdicts(other, sha)
    assert len(comparison.failing) == AWAY_AFTER
    world.requests.clear()
    await reconcile_deliveries(product.context, comparison)
    assert len(comparison.failing) == AWAY_AFTER, "they are tried again, and no new fault"
    world.silent.clear()
    assert (await reconcile_deliveries(product.context, comparison)).taken == AWAY_AFTER
    assert not comparison.failing


def pages_read(product: Product) -> int:
    """The number of pages of the log that were asked for since this was asked last."""
    requests = product.github.world.requests
    number = sum(path.endswith("/app/hook/deliveries") for _, path in requests)
    requests.clear()
    return number


def add_arrived(product: Product, number: int) -> None:
    """Add attempts to the log whose delivery the inbox has."""
    world = product.github.world
    world.deliveries.extend(dataclasses.replace(world.deliveries[0], id=world.next_id()) for _ in range(number))


async def test_a_long_log_is_compared_in_parts_from_pass_to_pass(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        tree.commit(START)
        first = await product.push(tree, repository, "first")
    add_arrived(product, 250)
    age(product, 86_400)
    async with lost(product):
        tree.commit({"b.py": "bad"})
        second = await product.push(tree, repository, "second")
    for delivery in list(product.github.world.deliveries)[-2:]:
        delivery.delivered_at = stamp(time.time() - 60)
    comparison = LogComparison(WINDOW, PartBounds(attempts=1))
    pages_read(product)
    with pytest.raises(DeliveriesLeft, match="older attempts"):
        await reconcile_deliveries(product.context, comparison)
    assert pages_read(product) == 1
    await product.verdicts(repository, second)
    with pytest.raises(DeliveriesLeft):
        await reconcile_deliveries(product.context, comparison)
    assert pages_read(product) == 2, "what is recent, and the next part"
    assert (await reconcile_deliveries(product.context, comparison)).asked > 0
    assert pages_read(product) == 2
    await product.verdicts(repository, first)
    await reconcile_deliveries(product.context, comparison)
    assert pages_read(product) == 1, "all older ones are compared"


async def test_the_doctor_says_that_it_compared_the_newest_deliveries_alone(
    product: Product, tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, _ = await product.repository()
    tree.commit(START)
    await product.push(tree, repository)
    await product.idle()
    age(product, 3_600)
    assert not (await list_missed(product.context)).is_cut
    monkeypatch.setattr(doctor, "MAX_COMPARED", 1)
    compared = await list_missed(product.context)
    assert (compared.sent, compared.is_cut) == (1, True)


async def test_a_delivery_that_github_cannot_give_is_tried_again_without_the_log_that_held_it(
    product: Product, tree: WorkTree
) -> None:
    repository, _ = await product.repository()
    await product.idle()
    world = product.github.world
    async with lost(product):
        tree.commit(START)
        sha = await product.push(tree, repository)
    for delivery in world.deliveries:
        if delivery.event == "push":
            delivery.redelivery = True
            world.silent.append(f"/deliveries/{delivery.id}")
    add_arrived(product, 250)
    age(product, 86_400)
    comparison = LogComparison(WINDOW)
    with pytest.raises(RetryLater):
        await reconcile_deliveries(product.context, comparison)
    pages_read(product)
    await reconcile_deliveries(product.context, comparison)
    assert pages_read(product) == 1
    world.silent.clear()
    assert (await reconcile_deliveries(product.context, comparison)).taken == 1
    await product.verdicts(repository, sha)
    assert not comparison.failing


async def test_where_github_forgot_the_place_the_log_is_read_from_its_begin(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    async with lost(product):
        tree.commit(START)
        sha = await product.push(tree, repository)
    add_arrived(product, 150)
    age(product, 86_400)
    comparison = LogComparison(WINDOW, PartBounds(attempts=1))
    with pytest.raises(DeliveriesLeft):
        await reconcile_deliveries(product.context, comparison)
    comparison._next_path = "/app/hook/deliveries?cursor=forgotten"
    with pytest.raises(RequestRejected):
        await reconcile_deliveries(product.context, comparison)
    for _ in range(2):
        with contextlib.suppress(DeliveriesLeft):
            await reconcile_deliveries(product.context, comparison)
    await product.verdicts(repository, sha)


async def test_after_a_gap_without_passes_what_came_in_it_is_compared(product: Product, tree: WorkTree) -> None:
    repository, _ = await product.repository()
    await product.idle()
    comparison = LogComparison(WINDOW)
    await reconcile_deliveries(product.context, comparison)
    async with lost(product):
        tree.commit(START)
        sha = await product.push(tree, repository)
    product.github.world.skew_s = 7_200.0
    await product.context.app.ask("GET", "/app")  # GitHub's time is heard
    assert (await reconcile_deliveries(product.context, comparison)).asked > 0
    await product.verdicts(repository, sha)
