"""Intake: every status code, and that nothing a stranger sends does harm."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import io
import json
import re
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from forgeguard_app.flows.intake.follow_account import AT_ONCE
from forgeguard_app.flows.intake.rank_heads import RANKS
from forgeguard_app.flows.upkeep.doctor import examine_database
from forgeguard_app.store.counters import add_counts
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.pulls import Pull, upsert_pull
from forgeguard_app.store.queue import enqueue
from forgeguard_app.store.states import PullState
from tests.support.running import Product, running
from tests.support.stored import (
    count_repos,
    count_waiting_backends,
    get_installation_status,
    get_repo_id,
    is_lock_awaited,
)
from tests.support.stored_jobs import count_jobs, drop_jobs
from tests.support.stored_runs import get_run_id

PUSH = {
    "ref": "refs/heads/main",
    "before": "0" * 40,
    "after": "a" * 40,
    "deleted": False,
    "repository": {
        "id": 5,
        "full_name": "o/r",
        "default_branch": "main",
        "private": True,
        "owner": {"id": 1, "login": "o"},
    },
    "installation": {"id": 9},
    "head_commit": {"message": "Hello \u0000 there", "author": {"name": "N"}},
}


@pytest.fixture
async def intake(dsn: str, tmp_path: Path) -> AsyncIterator[Product]:
    async with running(dsn, tmp_path / "p", worker=False) as product:
        yield product


async def deliver(
    product: Product, body: bytes, event: str = "push", **changes: str | None
) -> tuple[int, dict[str, object]]:
    headers: dict[str, str | None] = {
        "Content-Type": "application/json",
        "X-GitHub-Event": event,
        "X-GitHub-Delivery": str(uuid.uuid4()),
        "X-Hub-Signature-256": "sha256=" + hmac.new(product.secret.encode(), body, hashlib.sha256).hexdigest(),
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    sent = {name: value for name, value in headers.items() if value is not None}
    async with product.session.post(f"{product.address}/webhooks/github", data=body, headers=sent) as answer:
        return answer.status, await answer.json(content_type=None)


async def count(pool: Pool, table: str) -> int:
    async with pool.acquire() as connection:
        number: int = await connection.fetchval(f"SELECT count(*) FROM {table}")
        return number


async def test_a_push_is_durable_with_its_work_before_the_answer(intake: Product) -> None:
    status, answer = await deliver(intake, json.dumps(PUSH).encode())
    assert (status, answer["outcome"]) == (202, "accepted")
    async with intake.pool.acquire() as connection:
        row = await connection.fetchrow(
            "SELECT r.commit_message, r.branch, d.event FROM audit_runs r JOIN deliveries d ON d.id = r.delivery_id"
        )
        assert row is not None
        assert (row["commit_message"], row["branch"], row["event"]) == ("Hello \ufffd there", "main", "push")
        assert await connection.fetchval("SELECT args->>'run_id' FROM procrastinate_jobs") == str(
            await get_run_id(connection)
        )


async def test_a_re_run_ranks_as_a_push_of_its_branch_in_the_queue_of_its_installation(intake: Product) -> None:
    pushes = {"main": "a" * 40, "topic": "b" * 40, "spare": "c" * 40}
    for branch, sha in pushes.items():
        await deliver(intake, json.dumps(PUSH | {"ref": f"refs/heads/{branch}", "after": sha}).encode())
    async with intake.pool.acquire() as connection:
        pull = Pull(1, PullState.OPEN, pushes["topic"], "topic", 5, "main")
        await upsert_pull(connection, await get_repo_id(connection), pull)
        await drop_jobs(connection)
    asked = {key: PUSH[key] for key in ("repository", "installation")} | {"action": "rerequested"}
    for sha in pushes.values():
        await deliver(intake, json.dumps(asked | {"check_run": {"head_sha": sha}}).encode(), "check_run")
    async with intake.pool.acquire() as connection:
        rows = await connection.fetch("SELECT priority, queue_name FROM procrastinate_jobs ORDER BY id")
    assert [row["priority"] for row in rows] == list(RANKS)
    assert {row["queue_name"] for row in rows} == {"forgeguard/9"}


async def test_the_same_delivery_again_changes_nothing(intake: Product) -> None:
    body, guid = json.dumps(PUSH).encode(), str(uuid.uuid4())
    assert [(await deliver(intake, body, X_GitHub_Delivery=guid))[0] for _ in range(3)] == [202, 200, 200]
    assert await count(intake.pool, "audit_runs") == await count(intake.pool, "procrastinate_jobs") == 1


@pytest.mark.parametrize(
    "signature",
    [
        None,
        "",
        "sha256=",
        "sha256=" + "0" * 64,
        "sha1=" + "0" * 40,
        "sha256=\u00e4\u00f6",
        "SHA256=" + "0" * 64,
        "sha256=x",
    ],
)
async def test_without_the_right_signature_nothing_is_taken_in(intake: Product, signature: str | None) -> None:
    assert (await deliver(intake, json.dumps(PUSH).encode(), X_Hub_Signature_256=signature))[0] == 401
    assert await count(intake.pool, "deliveries") == 0


async def test_a_sha1_signature_alone_is_not_enough(intake: Product) -> None:
    body = json.dumps(PUSH).encode()
    sha1 = "sha1=" + hmac.new(intake.secret.encode(), body, hashlib.sha1).hexdigest()
    assert (await deliver(intake, body, X_Hub_Signature_256=None, X_Hub_Signature=sha1))[0] == 401


@pytest.mark.parametrize(
    ("body", "event", "changes"),
    [
        (b"garbage", "push", {}),
        (b"\xff\xfe\x00", "push", {}),
        (b"[]", "push", {}),
        (b"{}", "push", {}),
        (b"[" * 100_000, "push", {}),
        (b"[" * 100_000, "unknown_event", {}),
        (b"payload=%7B%7D", "push", {"Content_Type": "application/x-www-form-urlencoded"}),
        (json.dumps(PUSH).encode(), "push", {"X_GitHub_Event": None}),
        (json.dumps(PUSH).encode(), "push", {"X_GitHub_Delivery": "../../etc"}),
        (json.dumps(PUSH | {"after": "--upload-pack=x"}).encode(), "push", {}),
        (json.dumps(PUSH | {"ref": "refs/heads/a:refs/heads/b"}).encode(), "push", {}),
        (json.dumps(PUSH | {"ref": "refs/heads/" + "x" * 5_000}).encode(), "push", {}),
        (json.dumps(PUSH | {"repository": {"id": 5, "full_name": "o/../../etc"}}).encode(), "push", {}),
        (json.dumps(PUSH | {"repository": {"id": 5, "full_name": "o/.."}}).encode(), "push", {}),
        (json.dumps(PUSH | {"repository": {"id": "5", "full_name": 3}}).encode(), "push", {}),
        (json.dumps(PUSH | {"repository": {"id": 2**63, "full_name": "o/r"}}).encode(), "push", {}),
        (json.dumps(PUSH | {"installation": {"id": 2**64}}).encode(), "push", {}),
        (
            json.dumps(PUSH | {"repository": {"id": 5, "full_name": "o/r", "default_branch": "a..b"}}).encode(),
            "push",
            {},
        ),
    ],
)
async def test_what_its_headers_do_not_promise_is_a_bad_request(
    intake: Product, body: bytes, event: str, changes: dict[str, str | None]
) -> None:
    status, answer = await deliver(intake, body, event, **changes)
    assert status == 400
    assert answer["detail"]
    assert await count(intake.pool, "deliveries WHERE outcome <> 'refused'") == 0
    assert await count(intake.pool, "audit_runs") == 0


async def test_a_delivery_that_cannot_be_read_is_noted_and_taken_in_once_it_can_be(intake: Product) -> None:
    bodies = {
        "push": json.dumps(PUSH).encode(),
        "installation": json.dumps(
            {"action": "created", "installation": {"id": 9, "account": {"id": 1, "login": "o"}}, "repositories": []}
        ).encode(),
    }
    for event, body in bodies.items():
        guid = str(uuid.uuid4())
        noted = f"deliveries WHERE github_delivery_id = '{guid}' AND outcome = 'refused'"
        for _ in range(2):
            assert (await deliver(intake, b"{}", event, X_GitHub_Delivery=guid))[0] == 400
            assert await count(intake.pool, noted) == 1
        assert [(await deliver(intake, body, event, X_GitHub_Delivery=guid))[0] for _ in range(2)] == [202, 200]
        assert (await deliver(intake, b"{}", event, X_GitHub_Delivery=guid))[0] == 400
        assert await count(intake.pool, noted) == 0
    assert await count(intake.pool, "audit_runs") == 1


async def test_past_25_megabytes_is_too_large_with_and_without_a_length(intake: Product) -> None:
    body = io.BytesIO(b"x" * (26 << 20))
    async with intake.session.post(f"{intake.address}/webhooks/github", data=body) as answer:
        assert answer.status == 413

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(26):
            yield b"x" * (1 << 20)

    async with intake.session.post(f"{intake.address}/webhooks/github", data=chunks()) as answer:
        assert answer.status == 413


@pytest.mark.parametrize("event", ["ping", "star", "security_advisory"])
async def test_events_we_do_not_act_on_are_noted_and_done(intake: Product, event: str) -> None:
    assert await deliver(intake, b'{"zen": "x", "hook_id": 1}', event) == (200, {"outcome": "ignored"})


async def test_an_installation_s_life(intake: Product) -> None:
    def body(action: str, **more: object) -> bytes:
        return json.dumps(
            {"action": action, "installation": {"id": 9, "account": {"id": 1, "login": "o", "type": "User"}}, **more}
        ).encode()

    repositories = [{"id": n, "full_name": f"o/r{n}", "private": False} for n in (5, 6)]
    assert (await deliver(intake, body("created", repositories=repositories), "installation"))[0] == 202
    assert (
        await deliver(
            intake,
            body("removed", repositories_added=[], repositories_removed=repositories[:1]),
            "installation_repositories",
        )
    )[0] == 202
    async with intake.pool.acquire() as connection:
        assert await connection.fetchval("SELECT array_agg(github_repo_id) FROM repos WHERE removed_at IS NULL") == [6]
        for action, status in (("suspend", "suspended"), ("unsuspend", "active"), ("deleted", "deleted")):
            await deliver(intake, body(action), "installation")
            assert await get_installation_status(connection) == status
        assert await connection.fetchval("SELECT count(*) FROM repos WHERE webhook_active") == 0


async def test_the_database_away_is_said_with_when_to_come_back(intake: Product) -> None:
    intake.intake_pool.terminate()
    async with intake.session.post(
        f"{intake.address}/webhooks/github",
        data=b"{}",
        headers={
            "X-GitHub-Event": "ping",
            "X-GitHub-Delivery": str(uuid.uuid4()),
            "Content-Type": "application/json",
            "X-Hub-Signature-256": "sha256=" + hmac.new(intake.secret.encode(), b"{}", hashlib.sha256).hexdigest(),
        },
    ) as answer:
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0
    async with intake.session.get(f"{intake.address}/readyz") as answer:
        assert answer.status == 503
        assert (await answer.json())["checks"]["database"] == "away"


async def test_health(intake: Product) -> None:
    for path in ("/healthz", "/readyz"):
        async with intake.session.get(intake.address + path) as answer:
            assert answer.status == 200


async def test_text_that_the_database_refuses_is_made_valid_at_the_door(intake: Product) -> None:
    owner = {"id": 1, "login": "o\0", "type": "Org\0\ud800"}
    push = {**PUSH, "repository": {**PUSH["repository"], "owner": owner}}  # type: ignore[dict-item]
    assert (await deliver(intake, json.dumps(push).encode().replace(b"\\ud800", b"")))[0] == 202
    installation = {"id": 9, "account": owner, "permissions": {"checks\0": "wri\0te"}, "updated_at": "never\0"}
    body = (
        json.dumps({"action": "new_permissions_accepted", "installation": installation})
        .encode()
        .replace(b"\\ud800", b"")
    )
    assert (await deliver(intake, body, "installation"))[0] == 202
    async with intake.pool.acquire() as connection:
        assert (
            await connection.fetchval("SELECT permissions::text FROM installations")
            == '{"checks\ufffd": "wri\ufffdte"}'
        )


async def test_where_nothing_can_be_written_the_server_is_not_ready_and_github_is_told_when_to_come_back(
    own_dsn: str, tmp_path: Path
) -> None:
    async with running(own_dsn, tmp_path / "p", worker=False) as product:
        async with product.pool.acquire() as connection:
            await connection.execute(
                f"ALTER DATABASE {own_dsn.split('/')[3].split('?', maxsplit=1)[0]} SET "
                f"default_transaction_read_only = on"
            )
        await product.intake_pool.expire_connections()
        async with product.session.get(f"{product.address}/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["checks"]["intake"] == "cannot write"
        status, _ = await deliver(product, json.dumps(PUSH).encode())
        assert status == 503


async def test_metrics_say_what_operators_watch(intake: Product) -> None:
    await deliver(intake, json.dumps(PUSH).encode())
    intake.context.counts.add("errors", "Broken", 3)
    intake.context.counts.add("left_threads", "audit", 2)
    async with intake.pool.acquire() as connection:
        await add_counts(connection, intake.context.counts.pop_all())
        await enqueue(connection, "reconcile_heads", {"repo_id": str(uuid.uuid4())})
        await connection.execute("UPDATE procrastinate_jobs SET status = 'doing' WHERE task_name = 'reconcile_heads'")
        await connection.execute("UPDATE procrastinate_events SET at = at - interval '1 hour' WHERE type = 'started'")
    async with intake.session.get(f"{intake.address}/metrics") as answer:
        text = await answer.text()
    for line in (
        "forgeguard_unjudged_heads 1.0",
        'forgeguard_errors_total{kind="Broken"} 3.0',
        'forgeguard_left_threads_total{function="audit"} 2.0',
        "forgeguard_rate_writes_left 500.0",
        'forgeguard_jobs{status="todo"} 1.0',
        'forgeguard_deliveries_last_hour{outcome="accepted"} 1.0',
        "forgeguard_workers 0.0",
    ):
        assert line in text, text
    assert "forgeguard_oldest_unjudged_head_seconds" in text
    [limits] = [sign async for sign in examine_database(intake.pool) if sign.part == "time limits"]
    assert (limits.ok, limits.detail) == (False, "passed today by what did not end at them: audit")
    assert re.search(r'^forgeguard_oldest_running_job_seconds\{kind="reconcile_heads"\} 36\d\d', text, re.M), text


async def test_pushes_that_arrive_together_are_each_answered_and_one_bad_one_harms_no_other(intake: Product) -> None:
    bodies = [
        json.dumps({**PUSH, "after": f"{number:040x}", "ref": f"refs/heads/b{number}"}).encode()
        for number in range(1, 60)
    ]
    async with intake.pool.acquire() as connection:
        await connection.execute("ALTER TABLE audit_runs ADD CONSTRAINT no_seven CHECK (branch <> 'b7')")
    try:
        answers = await asyncio.gather(*(deliver(intake, body) for body in bodies))
    finally:
        async with intake.pool.acquire() as connection:
            await connection.execute("ALTER TABLE audit_runs DROP CONSTRAINT no_seven")
    assert sorted(status for status, _ in answers) == [202] * 58 + [500]
    assert await count(intake.pool, "audit_runs") == await count(intake.pool, "procrastinate_jobs") == 58


def push_to(account: int, number: int) -> bytes:
    """Return a push to an account's only repository."""
    owner = {"id": account, "login": f"o{account}"}
    repository = {"id": account, "full_name": f"o{account}/r", "default_branch": "main", "private": True}
    return json.dumps(
        {
            **PUSH,
            "after": f"{account:020x}{number:020x}",
            "ref": f"refs/heads/b{number}",
            "repository": {**repository, "owner": owner},
            "installation": {"id": account},
        }
    ).encode()


async def test_a_long_transaction_of_one_account_holds_up_no_push_of_another(intake: Product) -> None:
    locked, other, new = 21, 22, 23
    for account in (locked, other):
        assert (await deliver(intake, push_to(account, 1)))[0] == 202
    async with intake.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM repos WHERE github_repo_id = $1 FOR UPDATE", locked)
        held_up = [asyncio.create_task(deliver(intake, push_to(locked, number))) for number in range(2, 6)]
        await intake.until(is_lock_awaited, True)
        others = {asyncio.create_task(deliver(intake, push_to(account, 2))) for account in (other, new)}
        done, _ = await asyncio.wait(others, timeout=20.0)
        assert done == others, "GitHub ends a delivery after ten seconds"
        assert [task.result()[0] for task in done] == [202, 202]
        assert [status for status, _ in await asyncio.gather(*held_up)] == [503] * 4
    assert (await deliver(intake, push_to(locked, 2)))[0] == 202
    assert await count(intake.pool, "audit_runs") == await count(intake.pool, "procrastinate_jobs") == 5


async def test_of_a_large_installation_a_delivery_stores_the_newest_repositories_and_a_job_the_others(
    intake: Product,
) -> None:
    repositories = [{"id": number, "full_name": f"o/r{number}", "private": True} for number in range(1, AT_ONCE + 51)]
    installation = {"id": 9, "account": {"id": 1, "login": "o"}}
    body = {"action": "created", "installation": installation, "repositories": repositories}
    assert (await deliver(intake, json.dumps(body).encode(), "installation"))[0] == 202
    async with intake.pool.acquire() as connection:
        assert await connection.fetchval("SELECT min(github_repo_id) FROM repos") == 51
        assert await count_repos(connection) == AT_ONCE
        assert await count_jobs(connection, "sync_installation") == 1


async def test_a_push_whose_row_is_locked_for_a_moment_is_taken_in(intake: Product) -> None:
    assert (await deliver(intake, push_to(21, 1)))[0] == 202
    async with intake.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM repos WHERE github_repo_id = 21 FOR UPDATE")
        pushes = [asyncio.create_task(deliver(intake, push_to(21, number))) for number in range(2, 6)]
        await intake.until(is_lock_awaited, True)
    assert [status for status, _ in await asyncio.gather(*pushes)] == [202] * 4
    assert await count(intake.pool, "audit_runs") == 5


def pull_of(account: int, number: int) -> bytes:
    """A pull request's event in the repository of an account."""
    body = json.loads(push_to(account, number))
    repository, installation = body["repository"], body["installation"]
    base = {"ref": "main", "sha": "c" * 40}
    head = {"ref": "topic", "sha": "b" * 40, "repo": repository}
    pull = {"number": number, "state": "open", "head": head, "base": base}
    return json.dumps(
        {"action": "labeled", "installation": installation, "repository": repository, "pull_request": pull}
    ).encode()


async def test_events_of_an_account_whose_row_is_held_wait_with_few_connections_and_hold_up_no_other(
    intake: Product,
) -> None:
    locked, other = 21, 22
    for account in (locked, other):
        assert (await deliver(intake, push_to(account, 1)))[0] == 202
    async with intake.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM repos WHERE github_repo_id = $1 FOR UPDATE", locked)
        events = [asyncio.create_task(deliver(intake, pull_of(locked, number), "pull_request")) for number in range(12)]
        await intake.until(is_lock_awaited, True)
        for number in range(2, 6):
            assert (await deliver(intake, push_to(other, number)))[0] == 202
            assert (await deliver(intake, pull_of(other, number), "pull_request"))[0] == 202
            assert await count_waiting_backends(intake.pool) <= 1, "one of the account, however many there are"
    assert {status for status, _ in await asyncio.gather(*events)} <= {202, 503}, "503 where others took 8 s"


async def test_pages_that_take_all_their_connections_keep_no_delivery_waiting(intake: Product) -> None:
    async with contextlib.AsyncExitStack() as pages, asyncio.timeout(60):
        for _ in range(intake.pool.get_max_size()):
            await pages.enter_async_context(intake.pool.acquire())
        assert (await deliver(intake, json.dumps(PUSH).encode()))[0] == 202
        assert (await deliver(intake, pull_of(21, 1), "pull_request"))[0] == 202
        async with intake.session.get(f"{intake.address}/readyz") as answer:
            assert answer.status == 200


async def test_a_strange_path_is_a_problem_and_not_a_trace(intake: Product) -> None:
    for path in ("/nowhere", "/audits/not-an-id", f"/audits/{uuid.uuid4()}", "/static/../server.py"):
        async with intake.session.get(intake.address + path) as answer:
            assert answer.status in (403, 404)
            assert "Traceback" not in await answer.text()
            assert answer.headers["X-Request-Id"]
