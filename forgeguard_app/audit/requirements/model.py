"""Declarations of one manifest."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from forgeguard_app.audit.model import Problem


class DependencyScope(StrEnum):
    """For whom a dependency is declared."""

    RUNTIME = "runtime"
    OPTIONAL = "optional"
    DEVELOPMENT = "development"
    BUILD = "build"


@dataclass(frozen=True, slots=True)
class Declared:
    """One declared distribution, its name normalised by PEP 503; `specifier` is what else its entry says."""

    name: str
    scope: DependencyScope
    specifier: str = ""


@dataclass(frozen=True, slots=True)
class Manifest:
    """One manifest.

    `home` is the folder whose files it counts for. `includes` are files it refers to, relative to its folder, with the
    scope they get.

    `opaque` says in words why its list is not complete to a reader (computed, or an address without a name); ''
    where it is. `unread` says what a bound kept from being read, '' where nothing. `is_project` tells a project's own
    manifest from a mere list of requirements.
    """

    path: str
    declared: tuple[Declared, ...] = ()
    home: str = ""
    project_name: str | None = None
    is_project: bool = False
    is_workspace_root: bool = False
    includes: tuple[tuple[str, DependencyScope], ...] = ()
    provides: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    opaque: str = ""
    unread: str = ""
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestReader:
    """The reader of one kind of manifest: its files, by their names or by a rule, and how one is read.

    `read` takes path, text and the scope that another manifest gives the file, None where none refers to it; it never
    runs what it reads, and errors stand in the manifest's problems. `marks_project` tells a file beside which a
    project's modules lie.
    """

    read: Callable[[str, str, DependencyScope | None], Manifest]
    names: tuple[str, ...] = ()
    matches: Callable[[str], bool] | None = None
    marks_project: bool = False


def by_itself(read: Callable[[str, str], Manifest]) -> Callable[[str, str, DependencyScope | None], Manifest]:
    """Return the reader of a manifest whose scopes depend on nothing but its text."""
    return lambda path, text, scope: read(path, text)


def not_read(path: str, why: str, *, is_project: bool = False) -> Manifest:
    """Return the manifest of a file that a bound kept from being read: nothing is known to be missing from it."""
    return Manifest(path, is_project=is_project, opaque=why, unread=why)


def normalised(name: str) -> str:
    """Return a distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


_DEVELOPMENT_WORDS = frozenset(
    "bench benchmark benchmarks build ci cov coverage debug dev develop developer development doc docs documentation"
    " e2e example examples format formatting lint linting linters local mypy pre precommit qa release style test"
    " testing tests tooling tools types typing typecheck".split()
)


def development_words(name: str) -> bool:
    """Return whether a group, an extra or a file is for those who work on the code, by the words of its name."""
    return bool(_DEVELOPMENT_WORDS & set(re.split(r"[^a-z0-9]+", name.lower())))
