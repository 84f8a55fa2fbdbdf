"""The demo and the server as processes: what they show, and that nothing outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.repositories import WorkTree

COMMAND = [sys.executable, "-m", "forgeguard_app.cli.main"]


def descendants(pid: int) -> set[int]:
    found: set[int] = set()
    pending = [pid]
    while pending:
        for task in Path(f"/proc/{pending.pop()}/task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:  # a thread that ended meanwhile
                continue
            found.update(children)
            pending.extend(children)
    return found


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def all_gone(pids: set[int], within_s: float = 20) -> bool:
    deadline = time.monotonic() + within_s
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.05)  # another process's end has no event to wait for
    return not any(map(alive, pids))


def test_once_shows_three_check_runs_of_the_sample() -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--once"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "150"},
    )
    assert done.returncode == 0, done.stderr
    for words in (
        "ForgeGuard / A4 Boundary compliance",
        "ForgeGuard / A9 Dependency gate",
        "ForgeGuard / W1 Secrets scan",
        "shop/pages/orders.py:4",
        "/audits/",
    ):
        assert words in done.stdout


@pytest.mark.nightly
def test_once_with_a_repository_of_one_s_own(tree: WorkTree) -> None:
    tree.commit({"pyproject.toml": "[project]\nname='x'\nversion='1'\n"})
    tree.commit({"b.py": "import yaml\n"})
    done = subprocess.run(
        [*COMMAND, "demo", "--once", "--repo", str(tree.folder)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "COLUMNS": "150"},
    )
    assert done.returncode == 0, done.stderr
    assert "'yaml' is imported, but no manifest declares it" in done.stdout


@pytest.mark.nightly
def test_a_build_is_shown_from_its_contracts_to_its_pull_request() -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--build", "--once"],
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for words in (
        "Ten contracts",
        "A4 FAIL",
        "Returned to the builder",
        "Fixing it",
        "/octo-org/shop/pull/1",
        "Build completed",
    ):
        assert words in done.stdout


def test_a_path_that_is_no_repository_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "demo", "--once", "--repo", str(tmp_path / "nowhere")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "does not exist" in done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_process_outlives_the_demo(number: int) -> None:
    demo = subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert demo.stdout is not None
    while b"check runs" not in demo.stdout.readline():
        assert demo.poll() is None
    started = descendants(demo.pid)
    assert len(started) >= 3, "PostgreSQL, the server and a worker"
    demo.send_signal(number)
    demo.stdout.close()
    demo.wait(20)
    assert all_gone(started)


@pytest.mark.nightly
def test_serve_says_all_that_is_wrong_with_its_configuration_at_once() -> None:
    env = {
        **os.environ,
        "FORGEGUARD_PORT": "ninety",
        "FORGEGUARD_APP_ID": "x",
        "FORGEGUARD_DATABASE_URL": "mysql://u:" + "hunter2@h/d",
        "FORGEGUARD_PUBLIC_URL": "ftp://x",
    }
    done = subprocess.run([*COMMAND, "serve"], capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 2
    for name in ("PORT", "APP_ID", "DATABASE_URL", "PUBLIC_URL"):
        assert f"FORGEGUARD_{name}: " in done.stderr
    assert "hunter2" not in done.stderr


@pytest.mark.nightly
@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"APP_ID": "1"}, ["PRIVATE_KEY: missing", "WEBHOOK_SECRET: missing"]),
        (
            {"APP_ID": "1", "PRIVATE_KEY": "/nowhere.pem", "WEBHOOK_SECRET": ","},
            ["PRIVATE_KEY: neither", "WEBHOOK_SECRET: empty"],
        ),
        ({"DATABASE_URL": "postgresql://u:" + "hunter2@h/d"}, ["SECRET_KEY: missing"]),
        ({"SECRET_KEY": "short"}, ["SECRET_KEY: every key needs 32"]),
    ],
)
def test_a_half_configured_server_does_not_start(variables: dict[str, str], words: list[str]) -> None:
    env = os.environ | {f"FORGEGUARD_{name}": value for name, value in variables.items()}
    done = subprocess.run([*COMMAND, "serve"], capture_output=True, text=True, timeout=60, check=False, env=env)
    assert done.returncode == 2
    for word in words:
        assert f"FORGEGUARD_{word}" in done.stderr
    assert "hunter2" not in done.stderr
