"""Requirements files, as pip reads them (pip documentation, "Requirements File Format")."""

from __future__ import annotations

import re

from packaging.requirements import InvalidRequirement

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.requirements.bounds import MAX_ENTRY_CHARS, MAX_PROBLEMS, requirement_of
from forgeguard_app.audit.requirements.model import (
    Declared,
    DependencyScope,
    Manifest,
    ManifestReader,
    development_words,
    normalised,
)

NOT_READ = (
    "this is not a requirement that pip reads; write a name and a version, such as requests>=2, or an option of pip"
)
_MAX_NAME_CHARS = 255  # of a file on the usual file systems; a tree of git may hold longer names
_NAMES = re.compile(r"(?:[\w.-]*[-_.])?requirements(?:[-_.][\w.-]*)?\.(?:txt|in|pip)\Z", re.IGNORECASE)
_INCLUDE = re.compile(r"(?:-r|--requirement)(?:\s+|=)?(\S+)")
_EDITABLE = re.compile(r"(?:-e|--editable)(?:\s+|=)(.+)")
_EGG = re.compile(r"[#&]egg=([A-Za-z0-9][\w.-]*)")
_HASHES = re.compile(r"\s--(?:hash|config-settings?|global-option|install-option)[=\s].*\Z", re.DOTALL)
_ADDRESS = re.compile(
    r"(?:[a-z][a-z0-9+.-]*://|git\+|file:|\.{0,2}/|\.\Z|\.\[)|.*\.(?:whl|zip|tar\.gz)\Z", re.IGNORECASE
)
_ITSELF = re.compile(r"\./?(?:\[[^\]]*+\])?\Z")  # the project beside the list, whose own manifest says what it needs
_HOSTED = re.compile(
    r"(?:git\+)?(?:https?|ssh|git)://[^\s/]++/[^\s/]++/([A-Za-z0-9][\w.-]*+)((?:/(?:archive|zipball)/[^\s@#]*+)?)(?:@[^\s#]*+)?(?:#\S*+)?\Z"
)


def is_requirements_file(path: str) -> bool:
    """Return whether pip's users would take it for a requirements file, by its name or its folder's."""
    folder, _, name = path.rpartition("/")
    if len(name) <= _MAX_NAME_CHARS and _NAMES.match(name):
        return True
    return "requirements" in folder.split("/") and name.endswith((".txt", ".in"))


def scope_of(path: str) -> DependencyScope:
    """Return the scope that the file's name and folders suggest."""
    folder, _, name = path.rpartition("/")
    if development_words(folder) or development_words(name.rpartition(".")[0]):
        return DependencyScope.DEVELOPMENT
    return DependencyScope.OPTIONAL if {"extras", "optional"} & set(folder.split("/")) else DependencyScope.RUNTIME


def read_requirements(path: str, text: str, scope: DependencyScope | None = None) -> Manifest:
    """Return the distributions that the file names, and the files it includes."""
    scope = scope or scope_of(path)
    declared: list[Declared] = []
    includes: list[tuple[str, DependencyScope]] = []
    problems: list[Problem] = []
    opaque = unread = ""
    for number, line in _logical_lines(text):
        if len(line) > MAX_ENTRY_CHARS:
            unread = unread or f"line {number} is longer than {MAX_ENTRY_CHARS:,} characters"
            continue
        if include := _INCLUDE.match(line):
            includes.append((include.group(1), scope))
            continue
        if editable := _EDITABLE.match(line):
            line = editable.group(1).strip()  # noqa: PLW2901
        elif line.startswith("-"):
            continue
        name = _named(line)
        if name is not None:
            declared.append(Declared(normalised(name), scope, line))
        elif editable or _ADDRESS.match(line):
            if not _ITSELF.match(line):
                opaque = f"line {number} names an address without a distribution"
        elif "$" not in line and "{" not in line and len(problems) < MAX_PROBLEMS:
            problems.append(Problem(path, number, 1, NOT_READ))
    return Manifest(
        path,
        tuple(declared),
        includes=tuple(includes),
        opaque=opaque or unread,
        unread=unread,
        problems=tuple(problems),
    )


def _logical_lines(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    pending: list[str] = []
    first = 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"(?:^|\s)#.*\Z", "", raw)
        first = first if pending else number
        if line.endswith("\\"):
            pending.append(line[:-1])
            continue
        joined = _HASHES.sub("", "".join((*pending, line))).strip()
        pending = []
        if joined:
            lines.append((first, joined))
    if rest := _HASHES.sub("", "".join(pending)).strip():
        lines.append((first, rest))
    return lines


def _named(line: str) -> str | None:
    """Return the distribution that the entry names, None for a bare address or something else."""
    if egg := _EGG.search(line):
        return egg.group(1)
    if (wheel := _wheel(line)) is not None:
        return wheel
    if address := _HOSTED.match(line):
        return address.group(1).removesuffix(".git")  # by custom a repository bears its distribution's name
    try:
        return requirement_of(line).name
    except InvalidRequirement:
        return None


def _wheel(line: str) -> str | None:
    """Return the distribution of a wheel's file name, such as `a/name-1.0-py3-none-any.whl`; None for anything else."""
    file = re.split(r"[#?]", line, maxsplit=1)[0].rpartition("/")[2]
    parts = file.split("-")
    if not file.endswith(".whl") or len(parts) < 3 or not parts[1][:1].isdigit():
        return None
    name = re.search(r"[A-Za-z0-9][\w.]*+\Z", parts[0][-100:])
    return name.group() if name else None


REQUIREMENTS = ManifestReader(read_requirements, matches=is_requirements_file)
