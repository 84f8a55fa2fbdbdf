"""What a confined builder sees of the machine."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from forgeguard_app.builders.visible_files import SYSTEM, list_named, list_system, list_visible

BUILDS = Path("/var/lib/forgeguard/builds")


@pytest.fixture
def machine() -> Iterator[Path]:
    """A folder that every user may enter, outside of those for temporary files."""
    folder = Path(tempfile.mkdtemp(dir="/var/lib" if os.geteuid() == 0 else os.path.expanduser("~")))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def seen(*command: str, search: str = "/usr/bin", named: tuple[str, ...] = (), builds: Path = BUILDS) -> list[str]:
    return list_visible(command, search, named, builds)


def test_the_system_holds_no_folder_of_services_or_people() -> None:
    assert not any(f"{path}/".startswith(("/run/", "/var/", "/home/", "/root/", "/srv/", "/mnt/")) for path in SYSTEM)
    assert "/etc" not in SYSTEM
    assert {"/usr", "/etc/resolv.conf"} >= {path for path in list_system() if path in ("/usr", "/etc/resolv.conf")}
    assert all(os.path.exists(path) for path in list_system())


@pytest.mark.skipif(os.geteuid() != 0, reason="a home is closed to other users")
def test_a_program_is_seen_with_its_libraries_its_interpreter_and_what_links_lead_to(machine: Path) -> None:
    write(machine / "python/bin/python3")
    (machine / "python/lib").mkdir()
    agent = write(machine / "agent/versions/3/agent", f"#!{machine}/python/bin/python3 -I\n")
    (machine / "programs").mkdir()
    (machine / "programs/agent").symlink_to(agent)
    wanted = [f"{machine}/agent/versions/3", f"{machine}/programs", f"{machine}/python"]
    assert sorted(seen("agent", search=f"/usr/bin:{machine}/programs")) == wanted
    assert sorted(seen("sh", "-c", f"cd x && '{machine}/programs/agent' -v")) == wanted
    assert seen("sh", "-c", f"agent --rules={machine}/agent") == [f"{machine}/agent"]
    assert seen("sh", "-c", "agent") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a home is closed to other users")
def test_of_a_folder_that_holds_other_things_the_file_alone_is_seen(machine: Path) -> None:
    agent = write(machine / "agent.sh")
    assert seen("bash", str(agent), builds=machine / "builds") == [str(agent)]
    assert seen("bash", str(agent), builds=machine / "home/builds") == [str(agent)]
    assert seen("bash", str(agent)) == [str(machine)]
    for folder in ("/", "/run", "/var/run", "/var/lib", "/srv", "/home", "/proc", "/dev/stdin", "/run/user"):
        assert seen("ls", folder, search=folder) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a home is closed to other users")
def test_what_users_cannot_pass_to_is_left_out_and_links_are_followed_first(machine: Path) -> None:
    write(machine / "closed/bin/agent")
    (machine / "open").mkdir()
    (machine / "closed/link").symlink_to(machine / "open")
    (machine / "closed").chmod(0o700)
    assert seen(f"{machine}/closed/bin/agent", named=(f"{machine}/closed/bin", f"{machine}/nowhere")) == []
    assert sorted(seen(named=(f"{machine}/closed/link",))) == [f"{machine}/closed/link", f"{machine}/open"]


def test_our_own_user_s_builder_sees_what_the_operator_names_alone(machine: Path) -> None:
    write(machine / "agent/bin/agent")
    assert list_named(()) == []
    assert list_named((f"{machine}/agent", f"{machine}/agent/bin", "/usr/bin", f"{machine}/nowhere")) == [
        f"{machine}/agent"
    ]
