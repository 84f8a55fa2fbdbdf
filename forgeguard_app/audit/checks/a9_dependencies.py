"""Dependency gate: does the code import something that no dependency manifest declares?

What it finds: imports whose distribution no manifest above the file declares (`undeclared`), or declares for
development alone while the importing code is shipped (`development`). Told apart, and never a failure: imports
of modules that we do not know while a declared distribution's modules are unknown to us (`unknown`), and guarded
imports that nothing declares (`guarded`).

Why it hurts: the import works on the author's machine, where something else happened to install it, and fails on
the next one.

Example: `import yaml` where pyproject.toml does not name PyYAML.

How to fix it: declare the distribution, or tell us under `provides` which declared one has the module.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages.python import Guard, Import
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.languages.unread import languages_of, listed
from forgeguard_app.audit.memo import AnswerCache, Memo
from forgeguard_app.audit.model import Finding, Level, Problem
from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.policy import CheckPolicy
from forgeguard_app.audit.requirements.declared import (
    DeclarationIndex,
    Declarations,
    differences,
    home_of,
    included_paths,
)
from forgeguard_app.audit.requirements.model import DependencyScope, Manifest, normalised
from forgeguard_app.audit.requirements.modules import (
    is_standard,
    known_providers,
    modules_known,
    possible_providers,
    shares_namespace,
)
from forgeguard_app.audit.requirements.python import is_manifest, read_manifest
from forgeguard_app.audit.requirements.references import References, references

_DEVELOPMENT_FOLDERS = frozenset(
    "test tests testing docs doc examples example samples benchmarks benchmark bench scripts script tools tool ci e2e"
    " fixtures dev notebooks demo demos t integration_tests unit_tests functional_tests .github .ci testsuite".split()
)
_DEVELOPMENT_FILES = frozenset("conftest.py noxfile.py tasks.py fabfile.py dodo.py setup.py manage_dev.py".split())


UNREAD = (".ipynb", ".pyx", ".pxd")
MAX_NAMES = 100  # imported in one statement that could be distributions of a namespace
MAX_TREE_FINDINGS = 100_000  # compared with those of the base
MAX_OUTCOMES = 8  # a base was a head before: its outcome is kept


@dataclass(frozen=True, slots=True)
class DependencySide:
    """One side of the comparison; `nothing` says in words why there was nothing to check.

    `governing` are the manifests with problems that count for evaluated files.
    """

    findings: tuple[Finding, ...] = ()
    problems: tuple[Problem, ...] = ()
    manifests: tuple[Manifest, ...] = ()
    nothing: str = ""
    references: References = field(default_factory=References)
    left: tuple[str, ...] = ()  # files that were not evaluated
    governing: frozenset[str] = frozenset()

    @property
    def incomplete(self) -> tuple[str, ...]:
        """Say what a bound kept from being read of the manifests, and from being evaluated."""
        unread = [f"`{manifest.path}`: {manifest.unread}." for manifest in self.manifests if manifest.unread]
        if self.left:
            found = f"more than {MAX_TREE_FINDINGS:,} findings"
            unread.append(f"{found}: {len(self.left):,} file(s) from `{self.left[0]}` on were not evaluated.")
        return tuple(dict.fromkeys(unread))

    @property
    def guarded(self) -> tuple[str, ...]:
        """The modules imported behind a guard that nothing declares."""
        return tuple(
            sorted({finding.subject.partition(".")[0] for finding in self.findings if finding.rule == "guarded"})
        )

    @property
    def told(self) -> tuple[Finding, ...]:
        """The findings shown at their lines; a guarded import is foreseen to fail, and only counted."""
        return tuple(finding for finding in self.findings if finding.rule != "guarded")


@dataclass
class _DependencyContext:
    """Manifests and modules of one set of files, with the answers given for it."""

    modules: ModuleIndex
    index: DeclarationIndex
    policy: CheckPolicy
    answers: AnswerCache[tuple[Finding, ...]] = field(default_factory=AnswerCache)
    outcomes: AnswerCache[tuple[tuple[Finding, ...], tuple[str, ...]]] = field(default_factory=AnswerCache)
    used: frozenset[str] = frozenset()
    unknown: dict[int, str] = field(default_factory=dict)  # by what is declared, which the index keeps
    namespaces: dict[tuple[str, int], bool] = field(default_factory=dict)

    def unknown_distribution(self, declarations: Declarations) -> str:
        """A declared distribution whose modules we do not know, '' where there is none."""
        if id(declarations) not in self.unknown:
            told = {normalised(name) for names in self.provides(declarations).values() for name in names}
            doubtful = (name for name in sorted(declarations.scopes) if not modules_known(name) and name not in told)
            self.unknown[id(declarations)] = next((name for name in doubtful if name not in self.used), "")
        return self.unknown[id(declarations)]

    def in_namespace(self, module: str, declarations: Declarations) -> bool:
        """Return whether a declared distribution lies in the import's namespace; asked once for all imports of a
        namespace.
        """
        key = (".".join(module.split(".", 2)[:2]), id(declarations))
        if key not in self.namespaces:
            self.namespaces[key] = shares_namespace(module, declarations.scopes)
        return self.namespaces[key]

    def provides(self, declarations: Declarations) -> Mapping[str, tuple[str, ...]]:
        return {**declarations.provides, **self.policy.provides}


def manifest_paths(tree: Tree, policy: CheckPolicy) -> tuple[str, ...]:
    """The manifests that count: those the configuration names, else all that we know by name."""
    if policy.manifests is not None:
        named = any_glob(policy.manifests)
        return tuple(path for path in tree.blobs if named(path))
    ignored = any_glob(policy.ignore)
    return tuple(path for path in tree.blobs if is_manifest(path) and not ignored(path))


def check(tree: Tree, facts: Facts, policy: CheckPolicy, memo: Memo) -> DependencySide:
    """List the tree's imports that its manifests do not declare."""
    if not tree.python_paths:
        return DependencySide(nothing="no file of a supported language (Python)")
    manifests = _manifests(tree, facts, policy, memo)
    problems = tuple(problem for manifest in manifests for problem in manifest.problems)
    found = references(manifests, tree, facts.texts)
    if not any(m.declared or m.is_project or m.unread or m.problems or m.path.endswith(".txt") for m in manifests):
        return DependencySide(problems=problems, nothing="no dependency manifest", references=found)
    named = tuple((path, tree.blobs[path]) for path in (m.path for m in manifests) if path in tree.blobs)
    key = ("A9", tree.paths, named, _frozen(policy))
    context = memo.context(key, lambda: _DependencyContext(memo.modules(tree), _index(manifests, policy), policy))
    if len(context.outcomes) >= MAX_OUTCOMES:
        context.outcomes.clear()
    findings, left = context.outcomes.get_or(tree.contents, lambda: _findings(tree, facts, policy, context))
    governing = _governing(tree, policy, context.index, problems)
    return DependencySide(findings, problems, manifests, references=found, left=left, governing=governing)


def _governing(
    tree: Tree, policy: CheckPolicy, index: DeclarationIndex, problems: tuple[Problem, ...]
) -> frozenset[str]:
    """Return the manifests with problems that count for a file that is evaluated; a manifest is none for itself."""
    broken = {problem.path for problem in problems}
    if not broken:
        return frozenset()
    ignored = any_glob(policy.ignore)
    evaluated = (path for path in tree.python_paths if path not in broken and not ignored(path))
    return index.governing(posixpath.dirname(path) for path in evaluated) & broken


def _findings(
    tree: Tree, facts: Facts, policy: CheckPolicy, context: _DependencyContext
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings of all files, and the files that were left out because there are too many."""
    _note_used(context, tree, facts)
    ignored = any_glob(policy.ignore)
    findings: list[Finding] = []
    answers, blobs = context.answers, tree.blobs
    for at, path in enumerate(tree.python_paths):
        if len(findings) >= MAX_TREE_FINDINGS:
            return tuple(findings), tree.python_paths[at:]
        blob = blobs[path]
        known = answers.get((path, blob))
        if known is None:
            facts.tick()
            python = facts.python.get(blob)
            known = () if python is None or ignored(path) else tuple(_file(context, path, python.imports))
            answers[path, blob] = known
        if known:
            findings.extend(known)
    return tuple(findings), ()


def _frozen(policy: CheckPolicy) -> tuple[object, ...]:
    provides = tuple(sorted(policy.provides.items()))
    return (policy.ignore, policy.level, policy.manifests, provides, policy.ignore_modules)


def _index(manifests: Iterable[Manifest], policy: CheckPolicy) -> DeclarationIndex:
    return DeclarationIndex(manifests, everywhere=policy.manifests is not None)


def _note_used(context: _DependencyContext, tree: Tree, facts: Facts) -> None:
    """A declared distribution whose own name is imported somewhere is known by that: it keeps no module in doubt."""
    if context.used:
        return
    tops: set[str] = {""}
    for path in tree.python_paths:
        python = facts.python.get(tree.blobs[path])
        if python is not None:
            tops.update(item.module.partition(".")[0] for item in python.imports if not item.level)
    context.used = frozenset(normalised(top) for top in tops)


def _manifests(tree: Tree, facts: Facts, policy: CheckPolicy, memo: Memo) -> tuple[Manifest, ...]:
    """Every manifest that counts, with what they include; a file included twice is read once for each scope."""
    readings = memo.context("manifests", AnswerCache[Manifest])
    pending: list[tuple[str, DependencyScope | None, str]] = [
        (path, None, home_of(path)) for path in manifest_paths(tree, policy)
    ]
    seen: set[tuple[str, DependencyScope | None, str]] = set()
    found: list[Manifest] = []
    while pending:
        path, scope, home = step = pending.pop()
        data = facts.texts.get(tree.blobs.get(path, ""))
        if step in seen or data is None:
            continue
        seen.add(step)
        facts.tick()
        key = (path, tree.blobs[path], scope)
        manifest = readings.get_or(key, lambda p=path, t=data, s=scope: read_manifest(p, t, s))  # type: ignore[misc]
        found.append(replace(manifest, home=home))
        # What a manifest refers to counts where the manifest does.
        pending.extend((included, its_scope, home) for included, its_scope in included_paths(manifest))
    return tuple(sorted(found, key=lambda manifest: manifest.path))


def _file(context: _DependencyContext, path: str, imports: Iterable[Import]) -> Iterable[Finding]:
    declarations = context.index.for_folder(posixpath.dirname(path))
    if declarations is None:
        return
    told: set[tuple[str, str, int]] = set()
    for item in imports:
        if (
            item.level
            or not item.module
            or (not item.module.isascii() and not item.module.replace(".", "").isidentifier())
        ):
            continue
        finding = _evaluated(context, declarations, path, item)
        if finding is None:
            continue
        # What we are sure of stands at every line; what we are not, once a file.
        key = (
            (finding.rule, item.module, finding.line)
            if finding.rule != "unknown"
            else (finding.rule, item.module.partition(".")[0], 0)
        )
        if key not in told:
            told.add(key)
            yield finding


def _evaluated(context: _DependencyContext, declarations: Declarations, path: str, item: Import) -> Finding | None:
    module = item.module
    if is_standard(module) or _ignored_module(context.policy, module):
        return None
    if context.modules.is_own(path, module):
        return _sibling(context, path, item)
    scopes = _scopes(context, declarations, item)
    if scopes is not None:
        return _declared(path, item, scopes, declarations, context.policy.level)
    top = module.partition(".")[0]
    if possible_providers(module) & declarations.own_names or (
        path.endswith("setup.py") and top in ("setuptools", "pkg_resources")
    ):
        return None
    known = known_providers(module)
    suggestion = known[0] if known else normalised(top)
    if item.guard is not Guard.NONE:
        message = f"{module!r} is imported behind a guard and no manifest declares it ({suggestion!r} would)"
        return _finding(path, item, "guarded", message, Level.NOTICE)
    doubt = declarations.opaque
    if not doubt and not known and (unknown := context.unknown_distribution(declarations)):
        doubt = f"the modules of {unknown!r} are not known to us"
    if doubt:
        message = (
            f"{module!r} may or may not be declared ({doubt}); tell us with checks.A9.provides: {{{top}: "
            f"its-distribution}}"
        )
        return _finding(path, item, "unknown", message, Level.NOTICE)
    message = f"{module!r} is imported, but no manifest declares it: add {suggestion!r} to {declarations.manifest}"
    return _finding(path, item, "undeclared", message, context.policy.level)


def _sibling(context: _DependencyContext, path: str, item: Import) -> Finding | None:
    """A module of another project in the same repository counts as declared only where the importing one declares
    it.
    """
    found = context.modules.find(path, item.module)
    there = None if found is None else context.index.project_of(found)
    here = context.index.project_of(path)
    if there is None or here is None or there.project_name == here.project_name or item.guard is not Guard.NONE:
        return None
    name = there.project_name or ""
    if context.policy.manifests is not None or context.index.member_declares(here, name):
        return None
    message = f"{item.module!r} belongs to {there.path}, but {here.path} does not declare it: add {name!r}"
    return _finding(path, item, "undeclared", message, context.policy.level)


def _scopes(context: _DependencyContext, declarations: Declarations, item: Import) -> frozenset[DependencyScope] | None:
    """For whom a distribution that could provide the import is declared; None where none is."""
    provides = context.provides(declarations)
    parts = item.module.split(".")
    for size in range(len(parts), 0, -1):
        told = provides.get(".".join(parts[:size]))
        if told is not None:
            found = [declarations.scopes[normalised(name)] for name in told if normalised(name) in declarations.scopes]
            return frozenset().union(*found) if found else None
    possible = possible_providers(item.module, item.names[:MAX_NAMES])
    found = [declarations.scopes[name] for name in possible if name in declarations.scopes]
    if found:
        return frozenset().union(*found)
    if context.in_namespace(item.module, declarations):
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


def changes(base: DependencySide, head: DependencySide) -> list[str]:
    """Sentences on the dependencies that the change adds, removes or alters."""
    return differences(base.manifests, head.manifests)


def newly_guarded(base: DependencySide, head: DependencySide) -> list[str]:
    """A sentence on modules that head imports behind a guard alone and base does not."""
    guarded = sorted(set(head.guarded) - set(base.guarded))
    shown = ", ".join(f"`{name}`" for name in guarded[:20]) + (" and others" if len(guarded) > 20 else "")
    return [f"Imported behind a guard alone, and declared nowhere: {shown}."] if guarded else []


def unread(paths: Iterable[str], policy: CheckPolicy) -> list[str]:
    """Return a sentence on the files that import as Python does and whose imports are not read."""
    ignored = any_glob(policy.ignore)
    found = languages_of(path for path in paths if path.endswith(UNREAD) and not ignored(path))
    return [f"The imports of {listed(found)} were not read."] if found else []
