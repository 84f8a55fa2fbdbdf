"""Plays one schedule against real processes, real git and real PostgreSQL, and checks what must hold afterwards."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from forgeguard_app.github.limits import Limits
from forgeguard_app.simulator.faults import Faults
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import Installation, Repository, new_key
from forgeguard_app.simulator.state import SecondaryLimits as GitHubLimits
from forgeguard_app.simulator.story import Story
from tests.chaos.database import Database
from tests.chaos.deeds import Deeds, git
from tests.chaos.invariants import violations
from tests.chaos.processes import Config, Keeper
from tests.chaos.schedule import Schedule, draw
from tests.chaos.stranger import Stranger
from tests.support.repositories import ENV, WorkTree

CONVERGE_S = 120.0  # a bound for "never", on a machine that does other work as well
LISTEN_S = 90.0  # likewise
CALM_S = 0.5
LISTEN_S = 90.0  # to import everything, on a machine that is busy
STORM_S = 2.5
_TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
_RULES = '{"layers": [{"name": "app", "glob": "app/**", "forbidden": [{"pattern": "bad", "reason": "r"}]}]}'
_START = {"boundaries.json": _RULES, "pyproject.toml": '[project]\nname = "x"\nversion = "1"\n', "app/a.py": "x = 1\n"}
_TEXTS = {"clean": "y = 1\n", "a4": "bad\n", "a9": "import yaml\n", "w1": f'T = "{_TOKEN}"\n', "many": "bad\n" * 60}
APP_ID = 7


class Failed(Exception):
    """A schedule after which something does not hold."""


@dataclass(frozen=True)
class Stage:
    """What rehearsals share: PostgreSQL, a repository to copy, and the trees of its variants."""

    folder: Path
    database: Database
    template: Path
    start: str
    trees: dict[str, str]
    private_key: str
    public_key: str


@contextlib.asynccontextmanager
async def stage(folder: Path) -> AsyncIterator[Stage]:
    """Builds what rehearsals share."""
    template, start, trees = await asyncio.to_thread(_template, folder)
    async with Database(folder / "pg") as database:
        yield Stage(folder, database, template, start, trees, *new_key())


def _template(folder: Path) -> tuple[Path, str, dict[str, str]]:
    tree = WorkTree(folder / "tree")
    start = tree.commit(_START, "Start")
    trees = {}
    for name, text in _TEXTS.items():
        tree.git("reset", "--quiet", "--hard", start)
        tree.commit({"app/b.py": text})
        trees[name] = tree.git("rev-parse", "HEAD^{tree}")
    template = folder / "template.git"
    subprocess.run(
        ["git", "clone", "--quiet", "--template=", "--bare", str(tree.folder), str(template)], env=ENV, check=True
    )
    return template, start, trees


async def rehearse(shared: Stage, seed: int) -> list[tuple[str, str, str]]:
    """Plays the seed's schedule; gives the faults that it met.

    Raises:
        Failed: something does not hold, with all that is needed to replay it.
    """
    schedule = draw(seed)
    folder = shared.folder / f"seed{seed}-{secrets.token_hex(2)}"
    try:
        async with shared.database.fresh() as dsn:
            return await _Rehearsal(shared, schedule, folder, dsn).play()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Rehearsal:
    shared: Stage
    schedule: Schedule
    folder: Path
    dsn: str

    async def play(self) -> list[tuple[str, str, str]]:
        schedule, tight = self.schedule, self.schedule.tight
        limits = {"writes_per_minute": 9 if tight else 60, "writes_per_hour": 5_000, "minute_s": 1.0}
        self.folder.mkdir(parents=True)
        async with SimulatedGitHub(self.folder / "github", limits=GitHubLimits(retry_after_s=1, **limits)) as github:  # type: ignore[arg-type]
            self.github, self.world, self.story = github, github.world, Story(github)
            self.world.skew_s = schedule.skew_s
            self.world.token_lag_s, self.world.commit_lag_s = schedule.token_lag_s, schedule.commit_lag_s
            faults = self.world.faults = Faults(schedule.seed, schedule.shares, schedule.most_faults)
            faults.active = False
            self.world.silent = list(schedule.silent)
            port, secret = _free_port(), secrets.token_hex(16)
            app = github.register_app(
                APP_ID, self.shared.public_key, secret, f"http://127.0.0.1:{port}/webhooks/github"
            )
            repository, installation = self._repository()
            self.deeds = Deeds(self.story, repository, installation, schedule, self.shared.start, self.shared.trees)
            config = Config(
                self.dsn,
                self.folder / "home",
                port,
                github.address,
                github.api_url,
                APP_ID,
                self.shared.private_key,
                secret,
                Limits(lasts_s=2.5, **limits),  # type: ignore[arg-type]
                self.folder / "log",
                app.client_id,
                app.client_secret,
                full_disk=schedule.disk_full_s > 0,
            )
            server = Keeper("server", config, schedule.dooms["server"])
            worker = Keeper("worker", config, schedule.dooms["worker"])
            self.stranger = Stranger(self.world, repository, f"http://127.0.0.1:{port}")
            async with server, worker, self.stranger.looking(github.people.add("passer-by")):
                await _listening(port)
                self._doom(faults, worker)
                if not schedule.install_in_storm:
                    await self._installed(installation)
                faults.active = True
                if schedule.install_in_storm:
                    self._install(installation)
                await self._storm(repository, worker)
                faults.active = False
                server.spare()
                worker.spare()
                await self._converge(repository)
                self._nothing_failed()
                return faults.met

    def _repository(self) -> tuple[Repository, Installation]:
        owner = self.world.add_account("octo")
        repository = self.world.add_repository(owner, "shop")
        repository.folder.parent.mkdir(parents=True)
        shutil.copytree(self.shared.template, repository.folder, symlinks=True)
        with (repository.folder / "config").open("a") as file:
            file.write("[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n[gc]\n\tauto = 0\n")
        git(repository, "update-ref", "refs/heads/main", self.shared.start)
        return repository, Installation(self.world.next_id(), owner, {repository.id})

    def _install(self, installation: Installation) -> None:
        installation.created_at = installation.updated_at = installation.window_start = self.world.now()
        self.world.installations[installation.id] = installation
        self.github.webhooks.send("installation", self.github.installation_payload("created", installation))

    async def _installed(self, installation: Installation) -> None:
        """Wait for the baseline before anything else happens."""
        self._install(installation)
        self.deeds.expect(self.shared.start, "clean")
        repository_id = next(iter(installation.repository_ids))
        deadline = time.monotonic() + CONVERGE_S
        while len(self.world.latest_runs(repository_id, self.shared.start)) < 3:
            if time.monotonic() > deadline:
                raise Failed(self._story_so_far(["the baseline was never audited"]))
            await asyncio.sleep(0.02)

    def _doom(self, faults: Faults, worker: Keeper) -> None:
        """The worker dies when it asks for the n-th time."""
        at, asked = self.schedule.death_at_request, 0
        self.asked: list[tuple[float, str]] = []

        def observe(moment: str, what: str) -> None:
            nonlocal asked
            self.asked.append((time.time() % 60, f"{moment} {what}"))
            asked += faults.active
            if at is not None and faults.active and asked == at:
                worker.kill()

        faults.observer = observe

    async def _storm(self, repository: Repository, worker: Keeper) -> None:
        began = time.monotonic()
        for number, step in enumerate(self.schedule.steps):
            await self.deeds.do(step)
            if number == self.schedule.restart_database_at:
                await self.shared.database.restart()
            await asyncio.sleep(step.wait_s)
        if self.schedule.disk_full_s:
            await asyncio.sleep(self.schedule.disk_full_s)
            worker.heal()
        # The storm lasts until the work could have been done once, so that its faults are met at all.
        while time.monotonic() - began < STORM_S and self._problems(repository):
            await asyncio.sleep(0.05)

    def _problems(self, repository: Repository) -> list[str]:
        return violations(self.world, repository, list(self.deeds.heads.values()))

    async def _converge(self, repository: Repository) -> None:
        """Wait until everything holds, and still does a moment later, when nothing is left to be done."""
        deadline = time.monotonic() + CONVERGE_S
        while time.monotonic() < deadline:
            if self.stranger.leaks:
                raise Failed(self._story_so_far(self.stranger.leaks[:3]))
            problems = self._problems(repository)
            problems += ["a delivery is still to come" for task in self.deeds.late if not task.done()]
            if not problems or time.monotonic() > deadline - 1:
                problems += [*await self._left_over(), *await self.stranger.problems()]
            if not problems:
                await asyncio.sleep(CALM_S if self.schedule.seed % 10 == 0 else 0.05)
                problems = self._problems(repository)
                if not problems:
                    return
            await asyncio.sleep(0.05)
        raise Failed(self._story_so_far(problems))

    def _nothing_failed(self) -> None:
        """What heals by itself is still a fault of ours."""
        log = self.folder / "log"
        failed = (
            [line for line in log.read_text("utf-8", "replace").splitlines() if "chore.failed" in line]
            if log.exists()
            else []
        )
        if failed:
            raise Failed(self._story_so_far(failed[:3]))

    async def _left_over(self) -> list[str]:
        try:
            connection = await asyncpg.connect(
                self.dsn, timeout=5, server_settings={"search_path": "public, procrastinate"}
            )
        except (OSError, asyncpg.PostgresError):
            return ["the database is away"]
        try:
            rows = await connection.fetch(
                """
                SELECT 'unpublished run ' || commit_sha || ' ' || status || coalesce(' ' || publish_error, '')
                    FROM audit_runs
                WHERE published_at IS NULL
                UNION ALL SELECT 'run stored twice ' || commit_sha FROM audit_runs WHERE trigger = 'push'
                GROUP BY commit_sha, branch, repo_id HAVING count(*) > 1
                UNION ALL SELECT 'check run stored twice ' || github_id FROM check_runs
                WHERE github_id IS NOT NULL GROUP BY github_id HAVING count(*) > 1
                UNION ALL SELECT 'job ' || status || ' ' || task_name || ' ' || args FROM procrastinate_jobs
                WHERE (status = 'failed' OR task_name IN ('audit_commit', 'publish_verdict', 'publish_waiting'))
                    AND (scheduled_at IS NULL OR scheduled_at < now() + interval '30 s')
                UNION ALL SELECT 'told to wait until ' || blocked_until || ', it is ' || clock_timestamp()
                    FROM rate_limits
                WHERE blocked_until > clock_timestamp() + interval '5 s'
                UNION ALL SELECT 'no room until ' || resets_at || ', it is ' || clock_timestamp() FROM rate_limits
                WHERE remaining < 9 AND resets_at > clock_timestamp() + interval '5 s'
                """
            )
        finally:
            await connection.close()
        return [row[0] for row in rows]

    def _story_so_far(self, problems: list[str]) -> str:
        met = self.world.faults.met if self.world.faults else []
        kept = self.shared.folder.parent / f"chaos-{self.schedule.seed}.log"
        shutil.copy(self.folder / "log", kept)
        asked = [f"{at:.3f} {what}" for at, what in self.asked]
        held = [
            f"{run.id} {run.name} {run.external_id} {run.status} writes {run.writes}"
            for run in self.world.check_runs.values()
        ]
        with kept.open("a") as file:
            file.write("\n".join(["what GitHub was asked:", *asked, "what it holds:", *held]) + "\n")
        return "\n".join(
            [
                f"seed {self.schedule.seed}; replay: make chaos SEED={self.schedule.seed} N=1",
                *problems,
                repr(self.schedule),
                f"faults: {met}",
                f"log: {self.shared.folder.parent}/chaos-{self.schedule.seed}.log",
            ]
        )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _listening(port: int) -> None:
    deadline = time.monotonic() + LISTEN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
    raise Failed("the server never listened")
