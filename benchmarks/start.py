"""CPU time of the command line in a small repository: what a person waits for at every commit.

With git's own processes.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROUNDS = 15
BOUND_S = 0.5
_COMMANDS = (["--help"], ["audit", "--help"], ["audit", "--staged", "--check", "W1"], ["audit", "--staged"])
_FILES = {
    "pyproject.toml": '[project]\nname = "app"\nversion = "1"\ndependencies = ["requests"]\n',
    "boundaries.json": '{"layers": [{"name": "app", "glob": "app/**", "forbidden_imports": [{"module": "x", '
    '"reason": "r"}]}]}\n',
    **{f"app/m{number}.py": "import requests\n" for number in range(20)},
}


def main() -> None:
    """Print the CPU time of each command, and of an interpreter that does nothing."""
    with tempfile.TemporaryDirectory(prefix="forgeguard-bench-") as name:
        folder, cache = Path(name) / "repository", Path(name) / "bytecode"
        for path, text in _FILES.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
        subprocess.run(["git", "add", "--all"], cwd=folder, check=True)
        _print("an interpreter that does nothing", [sys.executable, "-c", "pass"], folder, cache)
        for arguments in _COMMANDS:
            command = [sys.executable, "-m", "forgeguard_app.cli.main", *arguments]
            _print(f"forgeguard {' '.join(arguments)}", command, folder, cache)


def _print(title: str, command: list[str], folder: Path, cache: Path) -> None:
    _cpu_s(command, folder, cache)  # compiles what is not compiled yet
    times = [_cpu_s(command, folder, cache) for _ in range(ROUNDS)]
    print(f"{title}: CPU median {statistics.median(times):.3f} s, worst {max(times):.3f} s (bound: {BOUND_S} s)")


def _cpu_s(command: list[str], folder: Path, cache: Path) -> float:
    """Run the command and return the CPU time of it and its children, with compiled modules as after an
    installation.
    """
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        command, cwd=folder, env={**environment, "PYTHONPYCACHEPREFIX": str(cache)}, capture_output=True, check=True
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
