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
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc

from forgeguard_app.audit.check import Change, CheckOutcome, CheckRecord
from forgeguard_app.audit.check_kinds import kind_with
from forgeguard_app.audit.check_settings import MANIFESTS
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.fingerprints import mark_in_scope
from forgeguard_app.audit.languages import SUFFIXES, UNREAD_SUFFIXES, name_languages
from forgeguard_app.audit.languages.imports import Import
from forgeguard_app.audit.languages.standard_library import is_standard
from forgeguard_app.audit.languages.unread import languages_of, listed
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import Finding, Problem
from forgeguard_app.audit.pattern_sets import any_glob
from forgeguard_app.audit.policy import POLICY_PATHS, CheckPolicy
from forgeguard_app.audit.requirements.declared import NOTHING_DECLARED, DeclarationIndex, differences
from forgeguard_app.audit.requirements.lost import list_lost
from forgeguard_app.audit.requirements.manifests import manifest_paths, read_manifests
from forgeguard_app.audit.requirements.match import DependencyContext, list_undeclared
from forgeguard_app.audit.requirements.model import Manifest
from forgeguard_app.audit.requirements.modules import is_well_known
from forgeguard_app.audit.requirements.own_modules import Holding, OwnModules
from forgeguard_app.audit.requirements.references import References, references
from forgeguard_app.audit.secrets.masking import masked

KIND = kind_with(MANIFESTS)
NO_MANIFEST = "no dependency manifest"
MAX_TREE_FINDINGS = 100_000  # compared with those of the base
MAX_NAMED = 5
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
    def shown(self) -> tuple[Finding, ...]:
        """Return the findings that are shown at their lines. Guarded imports may fail, so they are only counted."""
        return tuple(finding for finding in self.findings if finding.rule != "guarded")


def evaluate(change: Change, facts: Facts, config: EffectiveConfig, memo: Memo) -> CheckOutcome:
    """Return the imports at head that nothing declares, marked against those of the base."""
    policy = config.policy[KIND.code]
    head = check(change.head, facts, policy, memo)
    base = DependencySide() if change.whole_tree else check(change.base, facts, policy, memo)
    notes = [] if change.whole_tree else changes(base, head)
    notes += newly_guarded(base, head)
    notes += unread((path for path in change.head.paths if path in change.scope), policy)
    others = [check(tree, facts, policy, memo).shown for tree, _ in change.other_parents]
    findings = mark_in_scope(KIND.code, change, head.shown, base.shown, others)
    errors, elsewhere = _told_apart(head, change)
    lost: tuple[Problem, ...] = ()
    if not change.whole_tree:
        # Without a source file the base was not checked, but its manifests stand.
        before = base.manifests or read_manifests(change.base, facts, policy, memo)
        sides = _index(before, policy), _index(head.manifests, policy)
        needs = _needs(change.head, facts, memo, sides[1])
        lost = list_lost(sides, change, policy, findings, needs, facts.tick)
        notes += _ungoverned(change, policy, sides[1], needs)
    if errors or lost:
        note = "A manifest does not parse." if errors else "A change took away what a manifest declares."
        return CheckOutcome(problems=(*errors, *lost), notes=(note,))
    incomplete = (*head.incomplete, *head.references.incomplete)
    remarks = (*head.references.remarks, *elsewhere)
    return CheckOutcome(findings, (), tuple(notes), head.nothing, incomplete, remarks)


def _needs(tree: Tree, facts: Facts, memo: Memo, index: DeclarationIndex) -> Callable[[str], bool]:
    """Return whether a file imports what is neither Python's own nor the repository's, as far as it was read."""
    own = OwnModules(memo.modules(tree), index)

    def is_missing(path: str, item: Import) -> bool:
        facts.tick()
        if item.level or is_standard(item.module):
            return False
        holding = own.look_up(path, item, NOTHING_DECLARED, facts.tick).holding
        return holding < Holding.FOLDER or is_well_known(item.module)

    def needs(path: str) -> bool:
        source = facts.source(path, tree.blobs[path])
        return source is None or bool(source.cut) or any(is_missing(path, item) for item in source.imports)

    return needs


def _ungoverned(
    change: Change, policy: CheckPolicy, index: DeclarationIndex, needs: Callable[[str], bool]
) -> list[str]:
    """Return a sentence on the changed files for which no manifest counts, where the repository has some."""
    if not index.says_anything:
        return []
    ignored = any_glob(policy.ignore)
    sources = (path for path in change.changed if path.endswith(SUFFIXES) and path in change.head.blobs)
    found = [
        path
        for path in sorted(path for path in sources if path in change.scope and not ignored(path))
        if index.for_folder(posixpath.dirname(path)) is None and needs(path)
    ]
    more = f" and {len(found) - MAX_NAMED:,} more" if len(found) > MAX_NAMED else ""
    shown = ", ".join(f"`{path}`" for path in found[:MAX_NAMED])
    return [f"No manifest counts for what these changed files import: {shown}{more}."] if found else []


def _told_apart(head: DependencySide, change: Change) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    """Return the problems of manifests that are errors, and those that are notices.

    An error is what the change added or touched, in a manifest that counts for evaluated code.
    """
    errors: list[Problem] = []
    elsewhere: list[Problem] = []
    for problem in head.problems:
        touched = change.whole_tree or problem.path in change.changed
        (errors if touched and problem.path in head.governing else elsewhere).append(problem)
    return tuple(errors), tuple(elsewhere)


def check(tree: Tree, facts: Facts, policy: CheckPolicy, memo: Memo) -> DependencySide:
    """List the tree's imports that its manifests do not declare."""
    if not tree.source_paths:
        return DependencySide(nothing=f"no file of a supported language ({name_languages()})")
    manifests = read_manifests(tree, facts, policy, memo)
    problems = tuple(problem for manifest in manifests for problem in manifest.problems)
    found = references(manifests, tree, facts.texts, facts.tick)
    if not any(m.declared or m.is_project or m.unread or m.problems or m.path.endswith(".txt") for m in manifests):
        return DependencySide(problems=problems, manifests=manifests, nothing=NO_MANIFEST, references=found)
    named = tuple((path, tree.blobs[path]) for path in (m.path for m in manifests) if path in tree.blobs)
    key = ("dependencies", tree.paths, named, _frozen(policy))
    modules = memo.modules(tree)
    context = memo.context(key, lambda: DependencyContext(modules, _index(manifests, policy), policy, tree.paths))
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
    evaluated = (path for path in tree.source_paths if path not in broken and not ignored(path))
    return index.governing(posixpath.dirname(path) for path in evaluated) & broken


def _findings(
    tree: Tree, facts: Facts, policy: CheckPolicy, context: DependencyContext
) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
    """Return the findings of all files, and the files that were left out because there are too many."""
    used = context.answers(tree, facts)
    ignored = any_glob(policy.ignore)
    findings: list[Finding] = []
    answers, blobs = used.findings, tree.blobs
    for at, path in enumerate(tree.source_paths):
        if len(findings) >= MAX_TREE_FINDINGS:
            return tuple(findings), tree.source_paths[at:]
        blob = blobs[path]
        known = answers.get((path, blob))
        if known is None:
            facts.tick()
            source = facts.source(path, blob)
            imports = () if source is None or ignored(path) else source.imports
            known = tuple(list_undeclared(context, used, path, imports, facts.tick))
            answers.put((path, blob), known)
        if known:
            findings.extend(known)
    return tuple(findings), ()


def _frozen(policy: CheckPolicy) -> tuple[object, ...]:
    provides = tuple(sorted(policy.provides.items()))
    return (policy.ignore, policy.level, policy.manifests, provides, policy.ignore_modules)


def _index(manifests: Iterable[Manifest], policy: CheckPolicy) -> DeclarationIndex:
    return DeclarationIndex(manifests, everywhere=policy.manifests is not None)


def changes(base: DependencySide, head: DependencySide) -> list[str]:
    """Return sentences on the dependencies that the change adds, removes or alters."""
    return differences(base.manifests, head.manifests)


def newly_guarded(base: DependencySide, head: DependencySide) -> list[str]:
    """Return a sentence on modules that head imports behind a guard alone and base does not."""
    guarded = sorted(set(head.guarded) - set(base.guarded))
    shown = ", ".join(f"`{name}`" for name in guarded[:20]) + (" and others" if len(guarded) > 20 else "")
    return [f"Imported behind a guard alone, and declared nowhere: {shown}."] if guarded else []


def unread(paths: Iterable[str], policy: CheckPolicy) -> list[str]:
    """Return a sentence on the files that import as a supported language does and whose imports are not read."""
    ignored = any_glob(policy.ignore)
    found = languages_of(path for path in paths if path.endswith(UNREAD_SUFFIXES) and not ignored(path))
    return [f"The imports of {listed(found)} were not read."] if found else []


def _how_to_accept(finding: Finding) -> str:
    module = masked(finding.subject.partition(".")[0])  # what was matched passes no gate but this one
    if finding.rule == "development":
        return "To fix it, declare the distribution among the runtime dependencies too."
    provides = f"`checks: {{{KIND.code}: {{provides: {{{module}: DISTRIBUTION}}}}}}` in {POLICY_PATHS[0]}"
    return f"To fix it, declare the distribution, or name the declared one that brings {module!r}: {provides}."


def _explain_rule(parts: Sequence[str]) -> str | None:
    return CHECK.about if parts[0] in KIND.rule_kinds else None


def _contents(paths: Sequence[str], head: Tree, config: EffectiveConfig, memo: Memo) -> list[str]:
    policy = config.policy[KIND.code]
    manifests, sources = set(manifest_paths(head, policy)), set(head.source_paths)
    ignored = any_glob(policy.ignore)
    return [path for path in paths if (path in sources and not ignored(path)) or path in manifests]


def _imports(paths: Sequence[str], head: Tree, config: EffectiveConfig, memo: Memo) -> list[str]:
    ignored = any_glob(config.policy[KIND.code].ignore)
    return [path for path in paths if not ignored(path)]


CHECK = CheckRecord(
    KIND,
    cleandoc(__doc__ or ""),
    evaluate,
    _how_to_accept,
    _explain_rule,
    KIND.rule_kinds,
    help_address=lambda rule: KIND.help_url,
    contents=_contents,
    imports=_imports,
)
