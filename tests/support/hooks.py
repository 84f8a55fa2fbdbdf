"""Commits through a real pre-commit hook that calls the installed command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.repositories import ENV, WorkTree

FORGEGUARD = Path(sys.executable).parent / "forgeguard"
TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
SECRET = f"T = '{TOKEN}'\n"
HOOK = f'#!/bin/sh\nexec "{FORGEGUARD}" audit --staged\n'


def install(folder: Path, name: str = "pre-commit", text: str = HOOK) -> None:
    """Writes a hook into a git folder."""
    hook = folder / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(text)
    hook.chmod(0o755)


def attempt(folder: Path, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs git, whatever comes of it; standard output and error together in `stdout`."""
    return subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env={**ENV, **environment},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )


def attach(folder: Path) -> WorkTree:
    """A work tree that exists already."""
    tree = WorkTree.__new__(WorkTree)
    tree.folder = folder
    return tree
