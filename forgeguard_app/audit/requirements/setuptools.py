"""setup.cfg and tox.ini, and setup.py read as a text: what its `setup(…)` call says in literals."""

from __future__ import annotations

import ast
import configparser
import re
import threading
from collections.abc import Collection, Iterable

from packaging.requirements import InvalidRequirement

from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.requirements.bounds import (
    MAX_PROBLEMS,
    requirement_of,
    unread_settings,
)
from forgeguard_app.audit.requirements.model import (
    Declared,
    DependencyScope,
    Manifest,
    ManifestReader,
    by_itself,
    development_words,
    normalised,
    not_read,
)
from forgeguard_app.audit.requirements.setup_lists import MAX_PARTS, SetupLists
from forgeguard_app.audit.toml_document import TooMuch, check_depth

MAX_SETUP_CHARS = 200_000
_SETUP_PACKAGES = ("setuptools", "distutils")
# Before 3.11.8 ast counts its depth for all threads at once, and meets a depth that is another's:
# https://github.com/python/cpython/issues/106905
_PARSING = threading.Lock()
# Brackets; and the texts and comments that are passed over, each at once, whether or not it is ever closed.
_MARKS = re.compile(
    r"""
    [\[\]{}()]
  | \"\"\"(?:[^"\\]++|\\(?:\r\n|.)?+|"(?!""))*+(?:\"\"\")?+
  | '''(?:[^'\\]++|\\(?:\r\n|.)?+|'(?!''))*+(?:''')?+
  | "(?:[^"\\\n]++|\\(?:\r\n|.)?+)*+"?+
  | '(?:[^'\\\n]++|\\(?:\r\n|.)?+)*+'?+
  | \#[^\n]*+
    """,
    re.VERBOSE | re.DOTALL,
)


class _SettingsParser(configparser.RawConfigParser):
    """A parser of sections and keys whose time is linear; the library's own pattern tries each blank of a run."""

    OPTCRE = re.compile(r"(?P<option>[^=:]*+)(?P<vi>[=:])(?P<value>.*)\Z")

    def __init__(self) -> None:
        super().__init__(strict=False, interpolation=None)  # other delimiters would replace OPTCRE


class _ToxParser(_SettingsParser):
    OPTCRE = re.compile(r"(?P<option>[^=]*+)(?P<vi>=)(?P<value>.*)\Z")


def read_setup_cfg(path: str, text: str) -> Manifest:
    """setuptools' declarative configuration."""
    if reason := unread_settings(text):
        return not_read(path, reason, is_project=True)
    parser = _SettingsParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        errors = getattr(error, "errors", None)
        line = getattr(error, "lineno", None) or (errors[0][0] if errors else 1)
        return Manifest(path, problems=(Problem(path, int(line), 1, "not a configuration file of sections and keys"),))
    declared: list[Declared] = []
    includes: list[tuple[str, DependencyScope]] = []
    problems: list[Problem] = []

    def take(value: str, scope: DependencyScope) -> None:
        if value.strip().startswith("file:"):
            files = value.strip().removeprefix("file:").replace("\n", ",").split(",")
            includes.extend((file.strip(), scope) for file in files if file.strip())
            return
        for entry in _entries(value):
            named = _named(entry)
            if named is None and len(problems) >= MAX_PROBLEMS:
                continue
            if named is None:
                line = text.count("\n", 0, max(text.find(entry), 0)) + 1
                problems.append(Problem(path, line, 1, "this entry is not a requirement (PEP 508)"))
            else:
                declared.append(Declared(normalised(named), scope, entry))

    take(parser.get("options", "install_requires", fallback=""), DependencyScope.RUNTIME)
    take(parser.get("options", "setup_requires", fallback=""), DependencyScope.BUILD)
    take(parser.get("options", "tests_require", fallback=""), DependencyScope.DEVELOPMENT)
    if parser.has_section("options.extras_require"):
        for extra, value in parser.items("options.extras_require"):
            take(value, DependencyScope.DEVELOPMENT if development_words(extra) else DependencyScope.OPTIONAL)
    name = parser.get("metadata", "name", fallback=None)
    is_project = parser.has_section("options") or name is not None
    return Manifest(
        path,
        tuple(declared),
        project_name=normalised(name) if name else None,
        is_project=is_project,
        includes=tuple(includes),
        problems=tuple(problems),
    )


def read_tox(path: str, text: str) -> Manifest:
    """Return what tox's environments install, for developers."""
    if reason := unread_settings(text):
        return not_read(path, reason)
    parser = _ToxParser()
    try:
        parser.read_string(text)
    except configparser.Error:
        return Manifest(path, unread="not a configuration file of sections and keys")
    declared: list[Declared] = []
    includes: list[tuple[str, DependencyScope]] = []
    for section in parser.sections():
        for entry in _entries(parser.get(section, "deps", fallback="")):
            plain = entry.rpartition(": ")[2].strip()
            if plain.startswith("-r"):
                includes.append((plain[2:].strip(), DependencyScope.DEVELOPMENT))
            elif (named := _named(plain)) is not None:
                declared.append(Declared(normalised(named), DependencyScope.DEVELOPMENT, plain))
    return Manifest(path, tuple(declared), includes=tuple(includes))


def _entries(value: str) -> list[str]:
    lines = (re.sub(r"(?:^|\s)#.*\Z", "", line).strip() for line in value.split("\n"))
    return [line for line in lines if line and not line.startswith("%")]


def _named(entry: str) -> str | None:
    try:
        return requirement_of(entry).name
    except InvalidRequirement:
        return None


def read_setup_py(path: str, text: str) -> Manifest:
    """Read the literals of the `setup(…)` call; what is computed makes the manifest opaque."""
    if len(text) > MAX_SETUP_CHARS:
        return not_read(path, f"longer than {MAX_SETUP_CHARS:,} characters", is_project=True)
    try:
        check_depth(text, _MARKS)
        with _PARSING:
            tree = ast.parse(text)
    except TooMuch as error:
        return not_read(path, f"line {error.line}: {error.message}", is_project=True)
    except (MemoryError, RecursionError, SystemError):  # the last is how ast meets its depth
        return not_read(path, "nested too deeply to be read", is_project=True)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", None) or text.count("\n", 0, max(text.find("\0"), 0)) + 1
        return Manifest(path, is_project=True, problems=(Problem(path, line, 1, "this does not parse as Python"),))
    imported = _imported_of_setuptools(tree)
    names = {"setup", *(alias for alias, name in imported if name == "setup")}
    call = next((node for node in ast.walk(tree) if isinstance(node, ast.Call) and _is_setup(node.func, names)), None)
    if call is None:
        opaque = "no call of setup(…) was found in setup.py" if imported else ""
        return Manifest(path, is_project=bool(imported), opaque=opaque)
    reader = _SetupPy(tree)
    arguments = {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg}
    if any(keyword.arg is None for keyword in call.keywords):
        reader.opaque = "setup.py passes computed arguments"
    reader.take(arguments.get("install_requires"), DependencyScope.RUNTIME)
    reader.take(arguments.get("setup_requires"), DependencyScope.BUILD)
    reader.take(arguments.get("tests_require"), DependencyScope.DEVELOPMENT)
    reader.take_extras(arguments.get("extras_require"))
    unread = f"its lists have more than {MAX_PARTS:,} parts" if reader.lists.cut else ""
    name = reader.lists.value(arguments.get("name"))
    return Manifest(
        path,
        tuple(reader.declared),
        project_name=normalised(name) if isinstance(name, str) else None,
        is_project=True,
        opaque=reader.opaque or unread,
        unread=unread,
    )


def _imported_of_setuptools(tree: ast.Module) -> list[tuple[str, str]]:
    """Return what the file imports of setuptools or distutils, as (name here, name there)."""
    return [
        (alias.asname or alias.name, alias.name)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if (alias.name if isinstance(node, ast.Import) else node.module or "").partition(".")[0] in _SETUP_PACKAGES
    ]


def _is_setup(function: ast.expr, names: Collection[str]) -> bool:
    """Return whether this is `setup`, whatever it was imported as."""
    if isinstance(function, ast.Attribute):
        return function.attr == "setup"
    return isinstance(function, ast.Name) and function.id in names


class _SetupPy:
    """Reads the lists of the `setup(…)` call."""

    def __init__(self, tree: ast.Module) -> None:
        self.declared: list[Declared] = []
        self.opaque = ""
        self.lists = SetupLists(tree)

    def take(self, node: ast.expr | None, scope: DependencyScope) -> None:
        if node is None:
            return
        texts, whole = self.lists.texts(node)
        self._entries(texts, scope)
        if scope is DependencyScope.RUNTIME and not whole:
            self.opaque = "setup.py computes install_requires"

    def take_extras(self, node: ast.expr | None) -> None:
        for extra, texts in self.lists.extras(node):
            scope = DependencyScope.DEVELOPMENT if development_words(extra) else DependencyScope.OPTIONAL
            self._entries(texts, scope)

    def _entries(self, entries: Iterable[str], scope: DependencyScope) -> None:
        for entry in entries:
            named = _named(entry.strip())
            if named is not None:
                self.declared.append(Declared(normalised(named), scope, entry.strip()))


SETUP_CFG = ManifestReader(by_itself(read_setup_cfg), names=("setup.cfg",), marks_project=True)
SETUP_PY = ManifestReader(by_itself(read_setup_py), names=("setup.py",), marks_project=True)
TOX = ManifestReader(by_itself(read_tox), names=("tox.ini",))
