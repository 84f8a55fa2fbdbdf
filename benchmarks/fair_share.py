"""One installation floods a worker with pushes: how long the pushes of others take, and what a choice among queues
costs.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from benchmarks.deliveries import closed_loop, sign
from benchmarks.fleet import Fleet, Template, fleet, make_template, settle
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Installation, Repository
from forgeguard_app.store.pool import open_pool
from forgeguard_app.store.queue import enqueue, take_next_job

FLOOD = 300
OTHERS = 10
EACH = 4  # pushes of each of the others
EVERY_S = 0.7
MOST_S = 120.0
JOBS, QUEUES, CHOICES = 5_000, 50, 500
LATER = 200_000
Made = tuple[Repository, Installation]
_SLOTS = """
SELECT count(*) FILTER (WHERE status = 'doing' AND queue_name = $1) AS flood,
    count(*) FILTER (WHERE status = 'doing') AS doing,
    bool_or(status = 'todo' AND queue_name = $1) AND bool_or(status = 'todo' AND queue_name <> $1) AS both_wait
FROM procrastinate_jobs WHERE task_name = 'audit_commit' AND status IN ('todo', 'doing')
"""
_ADD_LATER = """
INSERT INTO procrastinate_jobs (queue_name, task_name, priority, scheduled_at)
SELECT 'forgeguard/' || n % $2, 'nothing', n % 3, now() + interval '1 day' FROM generate_series(1, $1) n
"""


def main() -> None:
    """Print the figures."""
    for flood, flood_of_another in ((0, 0), (FLOOD, 0), (FLOOD, FLOOD // 3)):
        with tempfile.TemporaryDirectory(prefix="forgeguard-bench-", ignore_cleanup_errors=True) as folder:
            os.chmod(folder, 0o711)
            asyncio.run(_measure(Path(folder), flood, flood_of_another))


@dataclass
class _Record:
    """The slots that the flood and that all held, at each look at which the flood and somebody else waited for one."""

    looks: list[tuple[int, int]]
    stop: bool = False


async def _measure(folder: Path, flood: int, flood_of_another: int) -> None:
    template = make_template(folder, max(FLOOD, EACH))
    async with SimulatedGitHub(folder / "github") as github, fleet(github, folder) as running:
        made = settle(github, template, OTHERS + 2)
        await running.serve(1, folder / "log")
        running.work(1, folder / "log")
        await _push(running, github, [(settled, template.start, "main") for settled in made])
        await asyncio.gather(*(_took(github, settled, template.start, time.monotonic()) for settled in made))
        record = _Record([])
        looks = asyncio.create_task(_look(running, f"forgeguard/{made[0][1].id}", record))
        for settled, number in ((made[0], flood), (made[1], flood_of_another)):
            if pushed := [(settled, sha, f"topic{count}") for count, sha in enumerate(template.commits[:number])]:
                await _push(running, github, pushed)
        took = await _others(running, github, template, made[2:])
        record.stop = True
        await looks
        if not flood:
            await _choices(running)
    took.sort()
    print(
        f"{len(took)} pushes of {OTHERS} installations beside {flood} and {flood_of_another} pushes of two "
        f"others: to the last "
        f"check run p50 {statistics.median(took):.2f} s, p95 {took[int(len(took) * 0.95)]:.2f} s, worst "
        f"{took[-1]:.2f} s",
        flush=True,
    )
    if flood_of_another:
        slots = [held for held, _ in record.looks]
        share = sum(slots) / max(sum(doing for _, doing in record.looks), 1)
        print(
            f"while both floods waited, the larger one held {share:.0%} of the slots that were taken, at most "
            f"{max(slots)} of 4, "
            f"at {len(slots)} looks",
            flush=True,
        )


async def _others(running: Fleet, github: SimulatedGitHub, template: Template, made: list[Made]) -> list[float]:
    waits = []
    for sha in template.commits[:EACH]:
        for settled in made:
            began = time.monotonic()
            await _push(running, github, [(settled, sha, f"topic-{sha[:8]}")])
            waits.append(asyncio.create_task(_took(github, settled, sha, began)))
            await asyncio.sleep(EVERY_S)
    return list(await asyncio.gather(*waits))


async def _push(running: Fleet, github: SimulatedGitHub, pushed: list[tuple[Made, str, str]]) -> None:
    todo = [
        sign(
            running.secret,
            "push",
            {
                "ref": f"refs/heads/{branch}",
                "before": "0" * 40,
                "after": sha,
                "deleted": False,
                "head_commit": None,
                "repository": github.shapes.repository(repository),
                "installation": {"id": installation.id},
            },
        )
        for (repository, installation), sha, branch in pushed
    ]
    await closed_loop(f"{running.addresses[0]}/webhooks/github", todo, 4)


async def _took(github: SimulatedGitHub, made: Made, sha: str, began: float) -> float:
    while sum(run.status == "completed" for run in github.world.runs_of(made[0].id, sha)) < len(CheckCode):
        if time.monotonic() - began > MOST_S:
            raise RuntimeError(f"a push was not evaluated within {MOST_S:.0f} s")
        await asyncio.sleep(0.02)
    return time.monotonic() - began


async def _look(running: Fleet, queue: str, record: _Record) -> None:
    connection = await asyncpg.connect(
        running.env["FORGEGUARD_DATABASE_URL"], server_settings={"search_path": "public, procrastinate"}
    )
    try:
        while not record.stop:
            row = await connection.fetchrow(_SLOTS, queue)
            if row is not None and row["both_wait"]:
                record.looks.append((row["flood"], row["doing"]))
            await asyncio.sleep(0.02)
    finally:
        await connection.close()


async def _choices(running: Fleet) -> None:
    """Measure the choice of a queue where many wait, without running a job."""
    await running.stop()
    pool = await open_pool(running.env["FORGEGUARD_DATABASE_URL"], size=2)
    async with pool.acquire() as connection:
        worker = await connection.fetchval("INSERT INTO procrastinate_workers DEFAULT VALUES RETURNING id")
        for number in range(JOBS):
            await enqueue(connection, "nothing", {"github_installation_id": str(number % QUEUES)}, priority=number % 3)
        for later in (0, LATER):
            await connection.execute(_ADD_LATER, later, QUEUES, timeout=300)
            took = []
            for _ in range(CHOICES):
                began = time.perf_counter()
                await take_next_job(connection, worker, 2)
                took.append((time.perf_counter() - began) * 1_000)
            took.sort()
            print(
                f"a choice among {JOBS} jobs in {QUEUES} queues beside {later} jobs for later: "
                f"p50 {statistics.median(took):.2f} ms, p99 {took[int(CHOICES * 0.99)]:.2f} ms of {CHOICES}",
                flush=True,
            )
    await pool.close()


if __name__ == "__main__":
    main()
