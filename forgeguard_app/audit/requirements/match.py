"""Decides of each import of a file whether the manifests that count for it declare it."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial

from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import PROVIDES
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages.imports import Guard, Import
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.languages.standard_library import is_standard
from forgeguard_app.audit.memo import AnswerCache
from forgeguard_app.audit.model import Finding, Level
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.requirements.declared import DeclarationIndex, Declarations
from forgeguard_app.audit.requirements.joined import Layered, walked
from forgeguard_app.audit.requirements.model import DependencyScope, Manifest, normalised
from forgeguard_app.audit.requirements.modules import (
    is_well_known,
    known_providers,
    modules_known,
    possible_providers,
    shares_namespace,
    stubs_of,
)
from forgeguard_app.audit.requirements.own_modules import Holding, OwnModules

_DEVELOPMENT_FOLDERS = frozenset(
    "test tests testing docs doc examples example samples benchmarks benchmark bench scripts script tools tool ci e2e"
    " fixtures dev notebooks demo demos t integration_tests unit_tests functional_tests .github .ci testsuite".split()
)
_DEVELOPMENT_FILES = frozenset("conftest.py noxfile.py tasks.py fabfile.py dodo.py setup.py manage_dev.py".split())
_PROVIDES = f"checks.{kind_with(PROVIDES).code}.provides"
MAX_USED = 8  # sets of used distributions whose answers are kept
_ENTRY_BYTES = 500  # of a short answer with its key
MAX_NAMES = 100  # imported in one statement that could be distributions of a namespace


@dataclass
class UsedAnswers:
    """The answers that hold while these of the doubtful distributions are used, by path and blob."""

    used: frozenset[str]
    findings: AnswerCache[tuple[Finding, ...]] = field(default_factory=AnswerCache)
    unknown: dict[int, str] = field(default_factory=dict)  # by what is declared, which the index keeps


@dataclass
class DependencyContext:
    """Manifests and modules of one set of files, with the answers given for it."""

    modules: ModuleIndex
    index: DeclarationIndex
    policy: CheckPolicy
    paths: tuple[str, ...] = ()  # all files of the tree
    outcomes: AnswerCache[tuple[tuple[Finding, ...], tuple[str, ...]]] = field(default_factory=AnswerCache)
    namespaces: AnswerCache[bool] = field(default_factory=AnswerCache)
    own: OwnModules = field(init=False)
    _imported: AnswerCache[frozenset[str]] = field(default_factory=AnswerCache)  # doubtful ones, by path and blob
    _answers: AnswerCache[UsedAnswers] = field(default_factory=AnswerCache)

    def __post_init__(self) -> None:
        self.own = OwnModules(self.modules, self.index, self.paths)

    @property
    def bytes(self) -> int:
        """About what the answers take in memory."""
        kept = sum(used.findings.bytes for used in self._answers.values())
        return kept + self.own.bytes + self.outcomes.bytes + _ENTRY_BYTES * (len(self.namespaces) + len(self._imported))

    @cached_property
    def doubtful(self) -> frozenset[str]:
        """Declared distributions whose modules we do not know."""
        declared = {item.name for manifest in self.index.manifests for item in manifest.declared}
        return frozenset(name for name in declared if not modules_known(name))

    def answers(self, tree: Tree, facts: Facts) -> UsedAnswers:
        """Return the answers that hold for the tree.

        A doubtful distribution whose own name is imported somewhere is known by that: it keeps no module in doubt.
        """
        used = frozenset().union(*self._used(tree, facts)) if self.doubtful else frozenset()
        if len(self._answers) >= MAX_USED:
            self._answers.clear()
        return self._answers.get_or(used, lambda: UsedAnswers(used))

    def _used(self, tree: Tree, facts: Facts) -> Iterator[frozenset[str]]:
        for path in tree.source_paths:
            blob = tree.blobs[path]
            source = facts.source(path, blob)
            if source is not None:
                yield self._imported.get_or((path, blob), lambda s=source: self._doubtful_in(s.imports))  # type: ignore[misc]

    def _doubtful_in(self, imports: Iterable[Import]) -> frozenset[str]:
        tops = {item.module.partition(".")[0] for item in imports if not item.level}
        return self.doubtful.intersection(map(normalised, tops))

    def unknown_distribution(self, declarations: Declarations, answers: UsedAnswers, tick: Callable[[], object]) -> str:
        """Return an unused declared distribution whose modules we do not know; '' where there is none."""
        if id(declarations) not in answers.unknown:
            parts = self.provides(declarations).parts
            given = (name for part in parts for names in part.values() for name in names)
            provided = {normalised(name) for name in walked(given, tick)}
            declared = self.doubtful.intersection(walked(declarations.scopes, tick))
            doubtful = sorted(declared - provided - answers.used)
            answers.unknown[id(declarations)] = doubtful[0] if doubtful else ""
        return answers.unknown[id(declarations)]

    def in_namespace(self, module: str, declarations: Declarations, tick: Callable[[], object]) -> bool:
        """Return whether a declared distribution lies in the import's namespace; asked once for all imports of a
        namespace.
        """
        key = (".".join(module.split(".", 2)[:2]), id(declarations))
        return self.namespaces.get_or(key, lambda: shares_namespace(module, walked(declarations.scopes, tick)))

    def provides(self, declarations: Declarations) -> Layered[tuple[str, ...]]:
        return Layered((self.policy.provides, declarations.provides))


def list_undeclared(
    context: DependencyContext,
    answers: UsedAnswers,
    path: str,
    imports: Iterable[Import],
    tick: Callable[[], object] = lambda: None,
) -> Iterable[Finding]:
    """Yield a finding for each import that no manifest declares for the file's code. `tick` is called for each
    import, and may raise.
    """
    declarations = context.index.for_folder(posixpath.dirname(path))
    if declarations is None:
        return
    reported: set[tuple[str, str, int]] = set()
    for item in map(_guarded, imports) if path.endswith(".pyi") else imports:
        tick()
        if (
            item.level
            or not item.module
            or (not item.module.isascii() and not item.module.replace(".", "").isidentifier())
        ):
            continue
        finding = _evaluated(context, answers, declarations, path, item, tick)
        if finding is None:
            continue
        # What we are sure of stands at every line; what we are not, once a file.
        key = (
            (finding.rule, item.module, finding.line)
            if finding.rule != "unknown"
            else (finding.rule, item.module.partition(".")[0], 0)
        )
        if key not in reported:
            reported.add(key)
            yield finding


def _guarded(item: Import) -> Import:
    """Return the import as one for type checkers, as all of a stub are."""
    return item._replace(guard=item.guard or Guard.TYPING)


def _evaluated(
    context: DependencyContext,
    answers: UsedAnswers,
    declarations: Declarations,
    path: str,
    item: Import,
    tick: Callable[[], object],
) -> Finding | None:
    module, top = item.module, item.module.partition(".")[0]
    if is_standard(module) or _ignored_module(context.policy, module):
        return None
    own = context.own.look_up(path, item, declarations, tick)
    if own.holding is Holding.MODULE or (own.holding is Holding.FOLDER and not is_well_known(module)):
        return _sibling(context, path, item)
    scopes = _scopes(context, declarations, item, tick)
    if own.owner is not None and not (scopes and is_well_known(module)):
        importer = context.index.project_of(path)
        name = own.owner.project_name
        if importer is not None or name in declarations.scopes or name in declarations.own_names:
            return _of_project(context, path, item, own.owner)
    if scopes is not None:
        return _declared(path, item, scopes, declarations, context.policy.level)
    built = context.own.built_from(top, tick)
    if possible_providers(module) & declarations.own_names:
        if not is_well_known(module) or built.endswith(".py"):
            return None  # what a project has by its own name
        file = built
    else:
        file = "" if is_well_known(module) else own.file or built
    unknown = partial(context.unknown_distribution, declarations, answers, tick)
    return _missing(context, declarations, path, item, file, unknown)


def _missing(
    context: DependencyContext,
    declarations: Declarations,
    path: str,
    item: Import,
    file: str,
    find_unknown: Callable[[], str],
) -> Finding | None:
    """Return the finding for an import that nothing declares and no module here satisfies; None for what runs where
    it is needed alone. `file` has the module's name, '' where none does; `find_unknown` finds a declared distribution
    whose modules are not known.
    """
    module = item.module
    top = module.partition(".")[0]
    if path.endswith("setup.py") and top in ("setuptools", "pkg_resources"):
        return None
    known = known_providers(module)
    suggestion = known[0] if known else normalised(top)
    if item.guard is not Guard.NONE:
        message = f"{module!r} is imported behind a guard and no manifest declares it ({suggestion!r} would)"
        return _finding(path, item, "guarded", message, Level.NOTICE)
    if file:
        return _finding(path, item, "unknown", _not_from_here(item, file), Level.NOTICE)
    doubt = declarations.opaque
    if not doubt and not known and (unknown := find_unknown()):
        doubt = f"the modules of {unknown!r} are not known to us"
    if doubt:
        message = (
            f"{module!r} may or may not be declared ({doubt}); tell us with {_PROVIDES}: {{{top}: its-distribution}}"
        )
        return _finding(path, item, "unknown", message, Level.NOTICE)
    message = f"{module!r} is imported, but no manifest declares it: add {suggestion!r} to {declarations.manifest}"
    return _finding(path, item, "undeclared", message, context.policy.level)


def _sibling(context: DependencyContext, path: str, item: Import) -> Finding | None:
    """Return a finding for a module of another project here that the importing project does not declare."""
    found = context.modules.find(path, item.module)
    owner = None if found is None else context.index.project_of(found)
    return None if owner is None else _of_project(context, path, item, owner)


def _of_project(context: DependencyContext, path: str, item: Import, owner: Manifest) -> Finding | None:
    """Return a finding where the importing project does not declare the one that the module belongs to."""
    importer = context.index.project_of(path)
    if importer is None or owner.project_name == importer.project_name or item.guard is not Guard.NONE:
        return None
    name = owner.project_name or ""
    if context.policy.manifests is not None or context.index.member_declares(importer, name):
        return None
    message = f"{item.module!r} belongs to {owner.path}, but {importer.path} does not declare it: add {name!r}"
    return _finding(path, item, "undeclared", message, context.policy.level)


def _not_from_here(item: Import, file: str) -> str:
    top = item.module.partition(".")[0]
    return (
        f"{item.module!r} may not be importable from here ({file} has its name, but does not lie where this file looks"
        f" for modules, is no Python that runs, or holds none itself); tell us with {_PROVIDES}:"
        f" {{{top}: its-distribution}}"
    )


def _scopes(
    context: DependencyContext, declarations: Declarations, item: Import, tick: Callable[[], object]
) -> frozenset[DependencyScope] | None:
    """Return the scopes of the declared distributions that could provide the import; None where none is declared."""
    provides = context.provides(declarations)
    parts = item.module.split(".")
    for size in range(len(parts), 0, -1):
        providers = provides.get(".".join(parts[:size]))
        if providers is not None:
            found = [
                declarations.scopes[normalised(name)] for name in providers if normalised(name) in declarations.scopes
            ]
            return frozenset().union(*found) if found else None
    possible = possible_providers(item.module, item.names[:MAX_NAMES])
    if item.guard is not Guard.TYPING:
        possible -= stubs_of(item.module)
    found = [declarations.scopes[name] for name in possible if name in declarations.scopes]
    if found:
        return frozenset().union(*found)
    if context.in_namespace(item.module, declarations, tick):
        return frozenset({DependencyScope.RUNTIME})
    return None


def _declared(
    path: str, item: Import, scopes: frozenset[DependencyScope], declarations: Declarations, level: Level
) -> Finding | None:
    if (
        scopes & {DependencyScope.RUNTIME, DependencyScope.OPTIONAL}
        or item.guard is not Guard.NONE
        or is_development_code(path)
    ):
        return None
    if declarations.opaque:
        return None
    kind = "for building" if scopes == {DependencyScope.BUILD} else "for development"
    message = f"{item.module!r} is imported by shipped code, but {declarations.manifest} declares it {kind} alone"
    return _finding(path, item, "development", message, level)


def is_development_code(path: str) -> bool:
    """Return whether the file is for those who work on the code, by its folders and name."""
    folder, _, name = path.rpartition("/")
    if (
        name in _DEVELOPMENT_FILES
        or name.startswith("test_")
        or name.endswith(("_test.py", "_tests.py"))
        or name == "tests.py"
    ):
        return True
    return bool(_DEVELOPMENT_FOLDERS & set(folder.lower().split("/")))


def _ignored_module(policy: CheckPolicy, module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in policy.ignore_modules)


def _finding(path: str, item: Import, rule: str, message: str, level: Level) -> Finding:
    return Finding(
        path=path,
        line=item.line,
        end_line=item.end_line,
        column=item.column,
        end_column=item.end_column,
        rule=rule,
        message=message,
        level=level,
        subject=item.module,
    )
