"""Lays down the built-in builder's files: the contracts, our configuration, and the skeleton of the chosen stack."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from forgeguard_app.audit.boundaries.parse import CONTRACT_PATH, DEFAULT_PATHS, Boundaries, read_boundaries
from forgeguard_app.audit.policy import POLICY_PATHS
from forgeguard_app.audit.requirements import READERS
from forgeguard_app.projects.build_plan import Phase
from forgeguard_app.projects.contract_types import FOLDER, ContractType, path_of
from forgeguard_app.projects.contracts.words import distribution_of
from forgeguard_app.projects.deciding_files import is_ci

MANIFEST = "pyproject.toml"
SETTINGS = ".github/forgeguard.yml"
BOUNDARIES = "boundaries.json"
WORKFLOW = ".github/workflows/tests.yml"
README = "README.md"
MAX_PACKAGE_FILES = 2_000  # of a phase
MAX_FOLDERS = 50  # of a package, one in another
MAX_PATH_CHARS = 500
PHASES_FOLDER = "Forge/Phases"
_CI = """name: tests
on: [push, pull_request]
jobs:
  tests:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: python -m pip install -e ".[dev]"
      - run: python -m pytest
"""
# It sets nothing: what it said would replace what the owner set for all repositories.
_CONFIGURATION = "# ForgeGuard: what is checked here. Every key is optional.\n# gate: new\n"
_IGNORED = "__pycache__/\n*.egg-info/\n.venv/\n.pytest_cache/\n"


@dataclass(frozen=True, slots=True)
class Chosen:
    """The chosen stack, and the files that stand in the repository already."""

    stack: str
    dependencies: Sequence[str]
    existing: Collection[str]


@dataclass(frozen=True, slots=True)
class Laid:
    """The files of a phase, by path; `left_out` says for people which are left out for a bound, '' where none is."""

    files: Mapping[str, str]
    left_out: str = ""


def lay(name: str, contracts: Mapping[str, str], phase: Phase, chosen: Chosen) -> Laid:
    """Return the files of a phase. Existing files stay as they are, except the contracts.

    Nothing is laid where a file of the same role exists: it would take the place of what that file says.
    """
    standing = _Standing.of(chosen.existing)
    laid = _laid(name, contracts, phase, chosen, standing)
    return replace(laid, files={path: text for path, text in laid.files.items() if standing.has_room_for(path)})


@dataclass(frozen=True, slots=True)
class _Standing:
    """What stands in the repository, in lower case: files, and the folders above them."""

    files: frozenset[str]
    folders: frozenset[str]

    @staticmethod
    def of(paths: Collection[str]) -> _Standing:
        files = frozenset(path.lower() for path in paths)
        folders: set[str] = set()
        for path in files:
            while path := path.rpartition("/")[0]:
                if path in folders:
                    break
                folders.add(path)
        return _Standing(files, frozenset(folders))

    def has(self, role: str) -> bool:
        """Return whether a file of the same role as the one that is laid at `role` exists."""
        fills = _ROLES[role]
        return any(map(fills, self.files))

    def has_room_for(self, path: str) -> bool:
        """Return whether the path can be laid: a contract replaces itself, nothing else is replaced."""
        lower = path.lower()
        if any(above in self.files for above in _above(lower)) or lower in self.folders:
            return False
        if path.startswith(f"{FOLDER}/"):
            return True
        return not (path in _ROLES and self.has(path)) and lower not in self.files


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _is_manifest(path: str) -> bool:
    """Return whether the file declares what Python code at the top of the repository needs."""
    folder, _, name = path.rpartition("/")
    return folder in ("", "requirements") and any(
        name in map(str.lower, reader.names) or (reader.matches is not None and reader.matches(path))
        for reader in READERS
    )


def _is_readme(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return folder in ("", ".github", "docs") and name.partition(".")[0] == "readme"


# Which files have the same role as a laid one. Paths are in lower case.
_ROLES: Mapping[str, Callable[[str], bool]] = {
    SETTINGS: lambda path: path.replace(".yaml", ".yml") in POLICY_PATHS,
    BOUNDARIES: lambda path: path in tuple(map(str.lower, DEFAULT_PATHS)),
    MANIFEST: _is_manifest,
    WORKFLOW: is_ci,
    README: _is_readme,
}


def _laid(name: str, contracts: Mapping[str, str], phase: Phase, chosen: Chosen, standing: _Standing) -> Laid:
    if phase.number:
        return Laid({f"{PHASES_FOLDER}/{phase.number:02}.md": _checklist(phase)})
    files = {path_of(ContractType(kind)): text for kind, text in contracts.items()}
    files[BOUNDARIES] = contracts.get(ContractType.BOUNDARIES, '{"layers": []}\n')
    files[SETTINGS] = _CONFIGURATION
    if chosen.stack.startswith("python"):
        boundaries, _ = read_boundaries(files[BOUNDARIES], CONTRACT_PATH)
        packages = _packages(boundaries)
        skeleton = _python(name, packages, chosen.dependencies)
        if standing.has(MANIFEST):
            # A manifest of theirs declares what their tests and their CI need; ours would not fit it.
            skeleton = {path: text for path, text in skeleton.items() if path.endswith("/__init__.py")}
        return Laid(files | skeleton, packages.left_out)
    return Laid(files)


@dataclass(slots=True)
class _Packages:
    """The folders of layers that become packages, their files, and how many layers' packages pass a bound."""

    folders: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    beyond: int = 0

    @property
    def left_out(self) -> str:
        """Return what is left out, for people."""
        if not self.beyond:
            return ""
        return (
            f"Left out: the packages of {self.beyond} layer(s). A phase lays at most {MAX_PACKAGE_FILES:,} files of "
            f"packages, with paths of at most {MAX_FOLDERS} folders and {MAX_PATH_CHARS} characters."
        )

    def add(self, layer: str, folder: str) -> None:
        """Add a layer's package and those above it, or count it as left out."""
        if folder.count("/") >= MAX_FOLDERS or len(folder) > MAX_PATH_CHARS:
            self.beyond += 1
            return
        path = f"{folder}/__init__.py"
        new = [f"{above}/__init__.py" for above in _above(path)]
        new = [above for above in new if above not in self.files]
        if len(self.files) + len(new) > MAX_PACKAGE_FILES:
            self.beyond += 1
            return
        self.files |= dict.fromkeys(new, "") | {path: f'"""The layer `{layer}`."""\n'}
        self.folders.append(folder)


def _packages(boundaries: Boundaries) -> _Packages:
    """Return a package for each layer that is a folder of Python, in the layers' order, within the bounds."""
    packages = _Packages()
    for layer in boundaries.layers:
        if layer.globs and _is_package(layer.globs[0]):
            packages.add(layer.name, layer.globs[0].removesuffix("/**"))
    return packages


def _python(name: str, packages: _Packages, dependencies: Sequence[str]) -> dict[str, str]:
    """Return the packages, a manifest, and a test that imports all of them."""
    tops = sorted({folder.split("/")[0] for folder in packages.folders})
    modules = [folder.replace("/", ".") for folder in packages.folders]
    included = ", ".join(json.dumps(f"{top}*") for top in tops)
    return packages.files | {
        MANIFEST: (
            '[build-system]\nrequires = ["setuptools>=77"]\nbuild-backend = "setuptools.build_meta"\n\n'
            f'[project]\nname = "{distribution_of(name)}"\nversion = "0.1.0"\nrequires-python = ">=3.11"\n'
            f"dependencies = {json.dumps(list(dependencies))}\n\n[project.optional-dependencies]\ndev = "
            f'["pytest>=8"]\n\n'
            f"[tool.setuptools.packages.find]\ninclude = [{included}]\n"
        ),
        "tests/test_layers.py": _test(modules),
        WORKFLOW: _CI,
        ".gitignore": _IGNORED,
        README: f"# {name}\n\n```console\npython -m pip install -e '.[dev]'\npython -m pytest\n```\n\nWhat it "
        f"is and how it is built stands in `Forge/Contracts`.\n",
    }


def _is_package(glob: str) -> bool:
    folder = glob.removesuffix("/**")
    return glob.endswith("/**") and all(part.isidentifier() for part in folder.split("/"))


def _test(modules: list[str]) -> str:
    names = ", ".join(json.dumps(module) for module in modules)
    return (
        '"""Every layer can be imported by itself."""\n\nfrom importlib import import_module\n\nimport pytest\n\n\n'
        f'@pytest.mark.parametrize("name", [{names}])\ndef test_a_layer_can_be_imported(name: str) -> None:\n'
        "    assert import_module(name).__doc__\n"
    )


def _checklist(phase: Phase) -> str:
    """Return a list of what is to be done in the phase: the built-in builder writes no code for it."""
    lines = [f"# {phase.title}", "", phase.objective, "", "## Deliverables", ""]
    lines += [f"- [ ] {deliverable}" for deliverable in phase.deliverables]
    lines += ["", "## Exit criteria", "", *(f"- [ ] {criterion}" for criterion in phase.exit_criteria)]
    return "\n".join(lines) + "\n"
