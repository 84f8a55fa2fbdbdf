"""Hostile repositories, each in a child with limits of memory and time: what they cost and what was said."""

from __future__ import annotations

import json
import random
import resource
import string
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

MEMORY_BYTES = 2 << 30
TIME_S = 120
_CHOSEN = random.Random(9)
_GIT = ["git", "-c", "user.name=b", "-c", "user.email=b@b.invalid"]


def _token() -> str:
    return "ghp_" + "".join(_CHOSEN.choices(string.ascii_letters + string.digits, k=36))


def _deep_python() -> str:
    lines = [f"{' ' * level}if x:" for level in range(1_500)]
    return "\n".join(lines + [f"{' ' * 1_500}import a{number}" for number in range(2_000)])


def _layers() -> str:
    layers = [{"name": f"l{n}", "glob": [f"a{n}/*.py", f"b/**/c{n}.py"]} for n in range(500)]
    return json.dumps({"layers": layers, "order": [layer["name"] for layer in layers], "acyclic": True})


KINDS: dict[str, Callable[[], dict[str, str | bytes]]] = {
    "135 MB of added text": lambda: {f"f{n}.txt": "some text that compresses\n" * 170_000 for n in range(30)},
    "one file of 60 MB": lambda: {"big.csv": "a,b,c\n" * 10_000_000 + _token()},
    "19,000 secrets in one file": lambda: {"s.py": "".join(f"t = '{_token()}'\n" for _ in range(19_000))},
    "240,000 keyword hits": lambda: {"k.txt": "key token secret password\n" * 60_000 + f"t = '{_token()}'"},
    "dotted TOML keys": lambda: {"pyproject.toml": "a." * 400_000 + "a = 1", "a.py": "import x"},
    "nested Python": lambda: {"deep.py": _deep_python(), "requirements.txt": ""},
    "imports in one line": lambda: {"line.py": "import a;" * 100_000, "requirements.txt": ""},
    "500 layers, 5,000 files": lambda: {
        "boundaries.json": _layers(),
        **{f"a{n % 500}/m{n}.py": "" for n in range(5_000)},
    },
    "5,000 ignored secrets": lambda: {
        ".gitleaksignore": "".join(f"a{n}.py:r:1\n" for n in range(5_000)),
        "s.py": _token(),
    },
    "a broken setup.cfg": lambda: {"setup.cfg": "[options]\n" + "?\n" * 300_000, "a.py": "import x"},
}


def main() -> None:
    """Print one line for each kind."""
    for name, files in KINDS.items():
        with tempfile.TemporaryDirectory(prefix="forgeguard-bench-") as folder:
            _commit(Path(folder), files())
            print(f"{name}: {_audited(folder)}", flush=True)


def _commit(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    for arguments in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "hostile"]):
        subprocess.run([*_GIT, *arguments], cwd=folder, check=True, timeout=TIME_S)


def _limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _audited(folder: str) -> str:
    command = [sys.executable, "-m", "forgeguard_app.cli.main", "audit", "--format", "json"]
    began = time.perf_counter()
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, timeout=TIME_S, preexec_fn=_limited, check=False
        )
    except subprocess.TimeoutExpired:
        return f"NO END within {TIME_S} s"
    took = f"{time.perf_counter() - began:.1f} s, exit status {done.returncode}"
    if not done.stdout:
        return f"{took}; {done.stderr.decode('utf-8', 'replace').strip()[-160:]}"
    checks = json.loads(done.stdout)["checks"]
    return f"{took}; " + ", ".join(f"{c['check_code']} {c['result']}: {len(c['findings'])} finding(s)" for c in checks)


if __name__ == "__main__":
    main()
