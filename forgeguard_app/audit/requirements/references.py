"""Files that manifests refer to and that are not read: missing, outside the repository, behind an address, in a
circle.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from forgeguard_app.audit.cycles import cyclic_arrows
from forgeguard_app.audit.facts import Tree
from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.requirements.model import Manifest
from forgeguard_app.audit.requirements.readers import is_manifest
from forgeguard_app.audit.requirements.requirements_txt import is_requirements_file
from forgeguard_app.audit.secrets.masking import quoted

_OPTION = re.compile(r"\s*(-r|--requirement|-c|--constraint)(?:\s+|=)?([^\s#]+)")
_WORD = re.compile(r"""\"[^\"]*\"|'[^']*'|[^\s,;=:()\[\]{}"']+""")


@dataclass(frozen=True, slots=True)
class References:
    """Remarks at the lines that refer to what is not read, and sentences on what a bound left unread."""

    remarks: tuple[Problem, ...] = ()
    incomplete: tuple[str, ...] = ()


def references(
    manifests: Iterable[Manifest], tree: Tree, texts: Mapping[str, bytes], tick: Callable[[], object] = lambda: None
) -> References:
    """Return what the manifests refer to in vain. `tick` is called at every step, and may raise."""
    remarks: list[Problem] = []
    incomplete: list[str] = []
    edges: dict[str, list[tuple[int, str]]] = {}
    for path, manifest in {manifest.path: manifest for manifest in manifests}.items():
        data = texts.get(tree.blobs.get(path, ""), b"")
        if manifest.unread:
            continue
        for line, option, name in _named(manifest, data.decode("utf-8", "replace")):
            tick()
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), name))
            if (reason := _unread(name, target, tree)) is not None:
                remarks.append(Problem(path, line, 1, f"{option} {quoted(name)}: {reason}"))
            elif option in ("-r", "--requirement", "file") and tree.blobs[target] not in texts:
                incomplete.append(f"`{target}`: files that are included this deep, or are this large, are not read.")
            else:
                edges.setdefault(path, []).append((line, target))
    remarks += _circles(edges, tick)
    remarks += [
        Problem(path, 1, 1, "this manifest is a symbolic link, which is not followed")
        for path in sorted(tree.links)
        if is_manifest(path)
    ]
    return References(tuple(remarks), tuple(dict.fromkeys(incomplete)))


def _unread(name: str, target: str, tree: Tree) -> str | None:
    if "://" in name:
        return "a file behind an address is not read"
    if target.startswith(("../", "/")) or target == "..":
        return "the file lies outside the repository and is not read"
    if target in tree.links:
        return "the file is a symbolic link, which is not followed"
    return None if target in tree.blobs else "this file is not in the repository"


def _named(manifest: Manifest, text: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, option and name of each file that the manifest refers to."""
    lines = text.splitlines()
    if is_requirements_file(manifest.path):
        for number, line in enumerate(lines, 1):
            if option := _OPTION.match(line):
                yield number, option[1], option[2].strip("\"'")
        return
    first_line: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        for word in _WORD.findall(line):
            first_line.setdefault(word.strip("\"'"), number)
    for name, _ in manifest.includes:
        yield first_line.get(name, 1), "file", name


def _circles(edges: Mapping[str, list[tuple[int, str]]], tick: Callable[[], object]) -> Iterator[Problem]:
    """Yield a remark at each line that includes a file which includes its own file again."""
    circular = frozenset(cyclic_arrows({(path, target) for path, lines in edges.items() for _, target in lines}))
    for path, lines in edges.items():
        for line, target in lines:
            tick()
            if (path, target) in circular:
                yield Problem(path, line, 1, f"{quoted(target)} includes this file again; each is read once")
