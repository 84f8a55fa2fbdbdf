"""ForgeGuard gives root up where the operator names a user."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from forgeguard_app.app.run_as import leave_root
from forgeguard_app.errors import UserError

ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody")


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_root_is_given_up_for_good(seen_folder: Path) -> None:
    script = """
import os, sys
from pathlib import Path
from forgeguard_app.app.run_as import leave_root
from forgeguard_app.errors import UserError
home = Path(sys.argv[1])
try:
    leave_root("nobody", home)
except UserError as error:  # where this Python lies below root's home
    print(error)
(home / "kept").write_text("x")
print(os.getresuid(), os.getresgid(), 0 in os.getgroups(), os.environ["HOME"])
os.setuid(0)
"""
    done = run(script, str(seen_folder / "home"))
    assert str((NOBODY.pw_uid,) * 3) in done.stdout
    assert str((NOBODY.pw_gid,) * 3) in done.stdout
    assert f"False {NOBODY.pw_dir}" in done.stdout
    assert "PermissionError" in done.stderr, "the way back is closed"
    assert (seen_folder / "home" / "kept").stat().st_uid == NOBODY.pw_uid


@pytest.mark.skipif(not ROOT, reason="only root can become somebody else")
def test_a_home_that_is_not_the_user_s_is_refused_with_what_to_do(seen_folder: Path) -> None:
    folder = seen_folder / "ours"
    folder.mkdir(mode=0o700)
    script = (
        "import sys; from pathlib import Path; from forgeguard_app.app.run_as import leave_root; "
        "leave_root('nobody', Path(sys.argv[1]))"
    )
    assert f"chown -R nobody {folder}" in run(script, str(folder)).stderr
    shutil.rmtree(folder)


def test_a_user_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    names = {"no-such-user": "no user", "x" * 5_000: "no user", "root": "other than root", "a\0b": "no user"}
    for name, words in names.items():
        with pytest.raises(UserError, match=words):
            leave_root(name, tmp_path)


@pytest.mark.parametrize("verb", ["serve", "worker"])
def test_both_servers_ask_for_the_user_first(verb: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "forgeguard_app.cli.main", verb],
        env=os.environ | {"FORGEGUARD_RUN_AS": "no-such-user", "FORGEGUARD_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "no user 'no-such-user'" in done.stderr
    assert not (tmp_path / "home").exists()
