"""Decides which files of this machine a builder sees: the system's, those of its command, and what the operator names.

Nothing else is there for it. Neither a read-only mount nor a namespace of the network keeps a process from connecting
to a socket that has a path, and services keep files that every user may read, so a list of what is hidden is never
complete.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

SYSTEM = (
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/opt",
    "/nix/store",
    *(
        f"/etc/{name}"
        for name in (
            "alternatives",
            "ca-certificates",
            "ca-certificates.conf",
            "crypto-policies",
            "debian_version",
            "fonts",
            "gai.conf",
            "group",
            "host.conf",
            "hostname",
            "hosts",
            "ld.so.cache",
            "ld.so.conf",
            "ld.so.conf.d",
            "locale.alias",
            "localtime",
            "magic",
            "mime.types",
            "nsswitch.conf",
            "os-release",
            "passwd",
            "perl",
            "pki",
            "protocols",
            "resolv.conf",
            "services",
            "ssl",
            "terminfo",
            "timezone",
        )
    ),
)
_SYSTEM_BEGINS = ("java-", "python3", "maven", "gradle", "dotnet")  # of names in /etc, with versions in them
MEMORY = "/dev/shm"  # noqa: S108
SHARED = ("/tmp", "/var/tmp", MEMORY)  # noqa: S108  (hidden from builders)
_HIDDEN = ("/run", "/var/run", "/dev", "/proc", "/sys", *SHARED)
_OF_MANY = ("/", "/home", "/root", "/srv", "/mnt", "/media", "/var", "/var/lib", "/etc", *_HIDDEN)
_KERNEL = ("/dev", "/proc", "/sys")  # the sandbox has its own
_PROGRAMS = ("bin", "sbin")
_LIBRARIES = ("lib", "lib64", "pyvenv.cfg")
_MAX_LINKS = 20
_MAX_SCRIPTS = 5
_WORD = re.compile(r"[\s'\"=;|&<>()]+")


def list_system() -> list[str]:
    """Return the system's files and folders that are there."""
    versions = [f"/etc/{name}" for name in _names_in("/etc") if name.startswith(_SYSTEM_BEGINS)]
    return [path for path in (*SYSTEM, *versions) if os.path.exists(path)]


def list_visible(command: Sequence[str], search: str, named: Iterable[str], builds: Path) -> list[str]:
    """Return what a builder of any user sees beside the system: parents stand before what lies in them.

    `search` is its PATH, and `named` are the files and folders that the operator names. Of a program the folder is
    seen in which it lies, and the one around it where that holds its libraries; of a folder that holds more than
    programs, the file alone. What users cannot pass to is left out: bubblewrap fails with it.
    """
    wanted = [*named]
    wanted += filter(None, (_program_folder(folder, builds) for folder in search.split(os.pathsep)))
    wanted += [_program_folder(os.path.dirname(file), builds) or file for file in _files_of(command, search)]
    wanted += [word for word in _paths_in(command) if os.path.isdir(word) and not _is_of_many(word, builds)]
    return [path for path in _beside_system(wanted) if _any_user_reaches(path)]


def list_named(named: Iterable[str]) -> list[str]:
    """Return what a builder of our own user sees beside the system: what the operator names alone.

    No right of a file keeps it from what lies beside its program in our home.
    """
    return [path for path in _beside_system(named) if os.path.exists(path)]


def _beside_system(wanted: Iterable[str]) -> list[str]:
    """Return paths as they are named and as they are without links, each that lies in none of the others."""
    found: list[str] = []
    system = list_system()
    spelled = {name for path in wanted for name in (os.path.normpath(path), os.path.realpath(path))}
    for path in sorted(spelled, key=lambda path: (path.count("/"), path)):
        if _lies_in(path, _HIDDEN) or not _lies_in(path, [*system, *found]):
            found.append(path)
    return found


def _files_of(command: Sequence[str], search: str) -> Iterator[str]:
    """Give the regular files that the command names: its program, paths in its words, interpreters, and where links
    lead.
    """
    program = command[0] if command else ""
    left = [os.path.join(folder, program) for folder in search.split(os.pathsep)] if "/" not in program else []
    left += _paths_in(command)
    scripts = 0
    while left:
        path = left.pop()
        for _ in range(_MAX_LINKS):
            if not os.path.isfile(path):
                break
            yield path
            if not os.path.islink(path):
                break
            path = os.path.normpath(os.path.join(os.path.dirname(path), os.readlink(path)))
        if scripts < _MAX_SCRIPTS and (interpreter := _interpreter_of(path)):
            scripts += 1
            left.append(interpreter)


def _paths_in(command: Sequence[str]) -> list[str]:
    """Return the absolute paths in a command's words, also in those that a shell takes apart."""
    parts = [part for word in command for part in (word, *_WORD.split(word)) if part.startswith("/")]
    return [part for part in parts if part.startswith(MEMORY) or not _lies_in(part, _KERNEL)]


def _interpreter_of(path: str) -> str:
    """Return the program that the first line of a script names, '' where there is none."""
    try:
        with open(path, "rb") as file:
            first = file.read(256).split(b"\n")[0]
    except OSError:
        return ""
    words = os.fsdecode(first[2:]).split() if first.startswith(b"#!") else []
    return words[0] if words and words[0].startswith("/") else ""


def _program_folder(folder: str, builds: Path) -> str | None:
    """Return the folder of programs to show, with the libraries around it; None where it holds other things too."""
    if not os.path.isabs(folder) or not os.path.isdir(folder) or _is_of_many(folder, builds):
        return None
    around, name = os.path.split(os.path.normpath(folder))
    has_libraries = any(os.path.exists(os.path.join(around, library)) for library in _LIBRARIES)
    return around if name in _PROGRAMS and has_libraries and not _is_of_many(around, builds) else folder


def _is_of_many(folder: str, builds: Path) -> bool:
    """Return whether a folder holds what many programs or people put there, or our builds."""
    real, ours = os.path.realpath(folder), os.path.realpath(builds)
    if real in _OF_MANY or os.path.dirname(real) == "/home" or _lies_in(real, _HIDDEN):
        return True
    return _lies_in(ours, [real]) or _lies_in(real, [ours])


def _lies_in(path: str, folders: Iterable[str]) -> bool:
    return any(path == folder or path.startswith(f"{folder.rstrip('/')}/") for folder in folders)


def _any_user_reaches(path: str) -> bool:
    """Return whether the way to a path, without its links, is open to every user."""
    real = Path(os.path.realpath(path))
    try:
        return real.exists() and all(above.stat().st_mode & stat.S_IXOTH for above in real.parents)
    except OSError:
        return False


def _names_in(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
