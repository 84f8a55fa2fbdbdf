"""`forgeguard demo`: the whole product on one machine with nothing configured, against a simulated GitHub."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import secrets
import socket
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from rich.console import Console

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.cli.demo_build import PERMISSIONS, play_build, write_agent
from forgeguard_app.cli.demo_sample import BRANCH, START, STEPS, DemoStep
from forgeguard_app.cli.demo_view import show_runs
from forgeguard_app.cli.running import start_child, stop_children, stop_on_signals
from forgeguard_app.errors import UserError
from forgeguard_app.processes import OutputTooLarge, ProgramTimeout, run_program
from forgeguard_app.simulator.server import SimulatedGitHub
from forgeguard_app.simulator.state import CheckRun, Repository, new_key
from forgeguard_app.store.states import RunStatus

READY_TIMEOUT_S = 60.0
VERDICT_TIMEOUT_S = 300.0
MAX_GIT_BYTES = 64 << 20
LAST_COMMITS = 5
CHECKS = len(CheckCode)
_IDENTITY = [
    "-c",
    "user.name=Demo",
    "-c",
    "user.email=demo@example.invalid",
    "-c",
    "commit.gpgSign=false",
    "-c",
    "core.hooksPath=/dev/null",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the verb's arguments."""
    parser.add_argument("--once", action="store_true", help="end after the first audit; 0 if its check runs arrived")
    parser.add_argument(
        "--build",
        action="store_true",
        help="show a project's contracts and a build that is audited phase by phase instead",
    )
    parser.add_argument(
        "--repo", type=Path, metavar="PATH", help="push the last commits of this git repository instead of the sample"
    )


def run(arguments: argparse.Namespace) -> int:
    """0 once everything was shown; 1 where the check runs did not arrive."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-demo-", ignore_cleanup_errors=True) as folder:
        os.chmod(folder, 0o711)  # noqa: S103  (as root PostgreSQL runs as another user; what is private below stays so)
        return asyncio.run(_demo(Path(folder), arguments))


@dataclass(frozen=True)
class Stage:
    """The servers and the repository of a demo."""

    github: SimulatedGitHub
    repository: Repository
    console: Console
    server: str


async def _demo(folder: Path, arguments: argparse.Namespace) -> int:
    console = Console(highlight=False)
    stopped = asyncio.ensure_future(stop_on_signals().wait())
    play = asyncio.ensure_future(_play(folder, arguments, console))
    try:
        await asyncio.wait({stopped, play}, return_when=asyncio.FIRST_COMPLETED)
        return await play if play.done() else 130
    finally:
        stopped.cancel()
        play.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await play


async def _play(folder: Path, arguments: argparse.Namespace, console: Console) -> int:
    commits = await _last_commits(arguments) if arguments.repo else []  # refused before anything is started
    async with SimulatedGitHub(folder / "github", secondary_limits=False) as github:
        with console.status("Starting PostgreSQL, the server and a worker …"):
            stack = contextlib.AsyncExitStack()
            builder = write_agent(folder) if arguments.build else None
            server = await stack.enter_async_context(serving(github, folder, builder=builder))
        async with stack:
            owner = github.world.add_account("octo-org")
            name = arguments.repo.resolve().name if arguments.repo else "shop"
            repository = await github.create_repository(owner, _plain(name))
            github.people.allow(github.world.pusher, repository, "admin")
            stage = Stage(github, repository, console, server)
            if arguments.build:
                arrived = await _build(stage, folder)
                return await _stay(stage, arrived=arrived, once=arguments.once)
            pushes = _local_pushes(stage, arguments.repo, commits) if arguments.repo else _sample_pushes(stage, folder)
            arrived = await _show_pushes(stage, pushes, once=arguments.once)
            return await _stay(stage, arrived=arrived, once=arguments.once)


async def _stay(stage: Stage, *, arrived: bool, once: bool) -> int:
    if once or not arrived:
        return 0 if arrived else 1
    who = stage.github.world.pusher.login
    stage.console.print(
        f"\nThe pages stay up at [bold]{stage.server}[/bold]; sign in as {who}. Ctrl-C ends everything."
    )
    await asyncio.Event().wait()
    return 0


async def _build(stage: Stage, folder: Path) -> bool:
    """Return an empty repository with the App on it becomes one that a builder filled."""
    app = stage.github.world.app
    if app is not None:
        app.permissions |= PERMISSIONS
    work = folder / "work"
    work.mkdir()
    await _git(work, "init", "--quiet", "--initial-branch=main")
    await _commit(work, DemoStep("Begin", {"README.md": "# Shop\n"}))
    await _git(work, "push", "--quiet", stage.github.clone_url(stage.repository), "main")
    await _install(stage)
    return await play_build(stage.github, stage.repository, stage.server, stage.console)


def _plain(name: str) -> str:
    return (
        "".join(char if char.isalnum() or char in "-_." else "-" for char in name).removesuffix(".git") or "repository"
    )


@contextlib.asynccontextmanager
async def serving(
    github: SimulatedGitHub, folder: Path, *, workers: int = 1, secret: str | None = None, builder: str | None = None
) -> AsyncIterator[str]:
    """Run the real server with workers, configured by the environment alone, and give its address."""
    private, public = new_key()
    secret = secret or secrets.token_hex(20)
    port = _free_port()
    address = f"http://127.0.0.1:{port}"
    app = github.register_app(1, public, secret, f"{address}/webhooks/github")
    key = folder / "app.pem"
    key.write_text(private)
    key.chmod(0o600)
    clean = {name: "" for name in os.environ if name.startswith("FORGEGUARD_")}
    env = clean | {
        "FORGEGUARD_HOME": str(folder / "home"),
        "FORGEGUARD_PORT": str(port),
        "FORGEGUARD_APP_ID": "1",
        "FORGEGUARD_PRIVATE_KEY": str(key),
        "FORGEGUARD_WEBHOOK_SECRET": secret,
        "FORGEGUARD_GITHUB_URL": github.address,
        "FORGEGUARD_GITHUB_API_URL": github.api_url,
        "FORGEGUARD_CLIENT_ID": app.client_id,
        "FORGEGUARD_CLIENT_SECRET": app.client_secret,
    }
    if builder is not None:
        # Where neither root nor bubblewrap is there, the demo's own builder may run as the user of the demo.
        env |= {"FORGEGUARD_BUILDER_COMMAND": builder, "FORGEGUARD_BUILDER_UNCONFINED": "1"}
        env |= {"FORGEGUARD_BUILDER_OWNERS": "*"}
    log = folder / "server.log"
    with log.open("wb") as out:
        child = start_child(["serve", "--workers", str(workers)], env, out.fileno())
    try:
        await _ready(address, child, log)
        yield address
    finally:
        await stop_children([child])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _ready(address: str, child: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    async with aiohttp.ClientSession() as session:
        while time.monotonic() < deadline and child.poll() is None:
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{address}/readyz", timeout=aiohttp.ClientTimeout(5)) as answer:
                    if answer.status == 200:
                        return
            await asyncio.sleep(0.05)
    raise UserError(f"the server did not start; its log ends with:\n{log.read_text('utf-8', 'replace')[-2_000:]}")


@dataclass(frozen=True)
class DemoPush:
    """A push that was made: what it shows, the head and the branch, and when."""

    heading: str
    sha: str
    at: float


async def _show_pushes(stage: Stage, pushes: AsyncIterator[DemoPush], *, once: bool) -> bool:
    async for push in pushes:
        with stage.console.status("Waiting for the check runs …") as status:
            runs = await _verdicts(stage, push.sha, status.update)
        if runs is None:
            stage.console.print("[red]The check runs did not arrive.[/red]")
            return False
        shapes = stage.github.shapes
        annotations = {run.id: [shapes.annotation(run, annotation) for annotation in run.annotations] for run in runs}
        show_runs(
            stage.console, push.heading, [shapes.check_run(run) for run in runs], annotations, time.time() - push.at
        )
        stage.console.print(f"[dim]Its page: {runs[0].details_url}[/dim]", soft_wrap=True)
        if once:
            return True
    return True


async def _verdicts(stage: Stage, sha: str, say: object) -> list[CheckRun] | None:
    """Return the three completed check runs of a head; None where they do not come."""
    deadline = time.monotonic() + VERDICT_TIMEOUT_S
    world = stage.github.world
    while time.monotonic() < deadline:
        runs = world.latest_runs(stage.repository.id, sha)
        done = [run for run in runs if run.status == RunStatus.COMPLETED]
        if callable(say):
            say(f"{len(done)} of {CHECKS} check runs completed, {len(runs) - len(done)} in progress …")
        if len(done) == CHECKS:
            return runs
        await asyncio.sleep(0.02)
    return None


async def _git(folder: Path, *arguments: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_LFS_SKIP_PUSH": "1", "LC_ALL": "C"}
    command = ["git", *_IDENTITY, *arguments]
    try:
        done = await run_program(command, env=env, cwd=folder, timeout_s=VERDICT_TIMEOUT_S, max_bytes=MAX_GIT_BYTES)
    except (ProgramTimeout, OutputTooLarge) as error:
        raise UserError(f"git {arguments[0]} was ended: {error}") from error
    if done.status:
        raise UserError(f"git {arguments[0]} failed: {done.err.decode('utf-8', 'replace').strip()[-500:]}")
    return done.out.decode("utf-8", "replace").strip()


async def _sample_pushes(stage: Stage, folder: Path) -> AsyncIterator[DemoPush]:
    work = folder / "work"
    work.mkdir()
    await _git(work, "init", "--quiet", "--initial-branch=main")
    await _commit(work, START)
    url = stage.github.clone_url(stage.repository)
    await _git(work, "push", "--quiet", url, "main")
    await _install(stage)
    await _git(work, "switch", "--quiet", "--create", BRANCH)
    for step in STEPS:
        await _commit(work, step)
        sha = await _git(work, "rev-parse", "HEAD")
        at = time.time()
        await _git(work, "push", "--quiet", "--force", url, BRANCH)
        yield DemoPush(f"{BRANCH}: {step.message}{' (history rewritten)' if step.amend else ''}", sha, at)


async def _commit(work: Path, step: DemoStep) -> None:
    for name, text in step.files.items():
        path = work / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    await _git(work, "add", "--all")
    await _git(work, "commit", "--quiet", "--message", step.message, *(["--amend"] if step.amend else []))


async def _install(stage: Stage) -> None:
    stage.github.install(stage.repository.owner, [stage.repository])
    await stage.github.webhooks.settle()


async def _last_commits(arguments: argparse.Namespace) -> list[str]:
    """Return the repository's last commits, the oldest first, and before them the one that they begin at."""
    if not arguments.repo.exists():
        raise UserError(f"{arguments.repo} does not exist")
    number = 1 if arguments.once else LAST_COMMITS
    listed = await _git(arguments.repo, "rev-list", "--first-parent", f"--max-count={number + 1}", "HEAD")
    return list(reversed(listed.split()))


async def _local_pushes(stage: Stage, repo: Path, commits: list[str]) -> AsyncIterator[DemoPush]:
    """Yield the repository's last commits, one push each; what lies before them is there when the App is installed."""
    source = repo.resolve()
    url = stage.github.clone_url(stage.repository)
    if len(commits) > 1:
        await _git(source, "push", "--quiet", "--no-verify", url, f"{commits.pop(0)}:refs/heads/main")
    await _install(stage)
    for sha in commits:
        subject = await _git(source, "log", "-1", "--format=%s", sha)
        at = time.time()
        await _git(source, "push", "--quiet", "--no-verify", "--force", url, f"{sha}:refs/heads/main")
        yield DemoPush(f"{sha[:10]} {subject}", sha, at)
