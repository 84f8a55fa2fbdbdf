"""Chooses the base that a head is evaluated against, by what was evaluated before it and where it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from forgeguard_app.git.command import EMPTY_TREE
from forgeguard_app.git.mirror import CommitGone, Mirror, TargetGone, branch_ref
from forgeguard_app.git.range import first_parent, has_commit, merge_base, resolve
from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.pulls import Pull
from forgeguard_app.store.run_order import BranchHead, FirstEvaluated

MAX_PASSED = 10
BASELINE = "The baseline: findings that were here when ForgeGuard was installed count as existing."


@dataclass(frozen=True, slots=True)
class History:
    """The stored history of the head's branch: whether it is the default one, and its earlier verdicts."""

    default_branch: str
    passed: Sequence[str]
    oldest: FirstEvaluated | None
    pulls: Sequence[Pull]
    is_baseline: bool = False  # the head stood there when the App came, and no push brought it

    def target_of(self, run: AuditRun) -> str | None:
        """Return the branch that the head aims at; None on the default branch itself without a pull request."""
        if run.target_ref is not None:
            return run.target_ref
        if run.branch == self.default_branch:
            return None
        return self.pulls[0].base_ref if self.pulls else self.default_branch


@dataclass(frozen=True, slots=True)
class Base:
    """The commit (or EMPTY_TREE), the target's newest commit where there is one, and sentences for the summary."""

    sha: str
    target: str | None = None
    notes: tuple[str, ...] = ()


def earlier_passed(run: AuditRun, heads: Sequence[BranchHead]) -> list[str]:
    """Return the heads that passed and came before this one, the newest first; `heads` were heard of before it.

    Deliveries arrive in any order: a head whose push says that it replaced this one came later, unless this one's
    push in turn says that it replaced that (a branch that was reset).
    """
    before = _replaced(heads)
    ours = _chain(run.before_sha, before)
    return [
        head.commit_sha
        for head in heads
        if head.passed
        and (head.commit_sha in ours or run.commit_sha not in _chain(head.before_sha, before))
        and not (head.at_installation and _came_by_push(head.commit_sha, heads))
    ][:MAX_PASSED]


def _came_by_push(sha: str, heads: Sequence[BranchHead]) -> bool:
    """Return whether a push brought the head that an audit at installation took for what stood there before.

    GitHub tells of no push from before the installation. A push that brings a head back, to which the branch was
    reset, replaced a head that had replaced it.
    """
    pushes = _replaced([head for head in heads if not (head.at_installation or head.is_rerun)])
    return sha in pushes and sha not in _chain(pushes[sha], pushes)


def _replaced(heads: Sequence[BranchHead]) -> dict[str, str | None]:
    """Return what each head replaced, by its newest push."""
    return {
        head.commit_sha: head.before_sha for head in sorted(reversed(heads), key=lambda head: not head.at_installation)
    }


def newest_head(heads: Sequence[BranchHead]) -> str | None:
    """Return the head that came last; `heads` are in the order in which they were heard of, the newest first.

    A head that was heard of before another came later where its push says that it replaced that one.
    """
    before = _replaced(heads)
    newest: BranchHead | None = None
    for head in heads:
        if newest is None or (
            newest.commit_sha in _chain(head.before_sha, before)
            and head.commit_sha not in _chain(newest.before_sha, before)
        ):
            newest = head
    return newest.commit_sha if newest else None


def _chain(sha: str | None, before: Mapping[str, str | None]) -> set[str]:
    visited: set[str] = set()
    while sha is not None and sha not in visited:
        visited.add(sha)
        sha = before.get(sha)
    return visited


async def choose_base(mirror: Mirror, run: AuditRun, history: History) -> Base:
    """Return the base of the run; every commit that it names is in the mirror.

    Raises:
        TargetGone: the target branch of a fork's head is not there.
    """
    if history.is_baseline:
        return Base(run.commit_sha, None, (BASELINE,))
    notes = _others(history.pulls) if run.target_ref is None else ()
    if run.target_sha is not None and await _brought(mirror, run.target_sha):
        return Base(run.target_sha, run.target_sha)
    target = history.target_of(run)
    if target is None:
        return await _on_default(mirror, run, history)
    tip = await resolve(mirror.repository, branch_ref(target))
    if tip is None and run.fork:
        raise TargetGone(target)  # a stranger's head has no rules of its own
    if tip is None:
        fallback = await first_parent(mirror.repository, run.commit_sha)
        note = f"The target branch `{target}` is not there; evaluated against the first parent."
        return Base(fallback or EMPTY_TREE, None, (*notes, note))
    common = await merge_base(mirror.repository, tip, run.commit_sha)
    if common is None:
        return Base(EMPTY_TREE, tip, (*notes, f"No history is shared with `{target}`; evaluated against nothing."))
    return Base(common, tip, notes)


def _others(pulls: Sequence[Pull]) -> tuple[str, ...]:
    if len(pulls) < 2:
        return ()
    names = ", ".join(f"#{pull.number} onto `{pull.base_ref}`" for pull in pulls[1:])
    return (f"Evaluated for pull request #{pulls[0].number}; also open with this head: {names}.",)


async def _on_default(mirror: Mirror, run: AuditRun, history: History) -> Base:
    """Return the base on the default branch: the newest earlier head that passed, so that the next push does not accept
    what failed before; else where the branch began, else what the push replaced.
    """
    passed = await _newest_passed(mirror, history)
    return passed or await _beginning(mirror, history) or await _before_push(mirror, run)


async def _newest_passed(mirror: Mirror, history: History) -> Base | None:
    for sha in history.passed:
        if await _brought(mirror, sha):
            return Base(sha, sha)
    return None


async def _beginning(mirror: Mirror, history: History) -> Base | None:
    """Return the base of the branch's first evaluation, where no head of it has passed."""
    if history.passed or history.oldest is None:
        return None
    sha = history.oldest.base_sha or EMPTY_TREE
    if sha == EMPTY_TREE:
        return Base(EMPTY_TREE)
    return Base(sha, sha) if await _brought(mirror, sha) else None


async def _before_push(mirror: Mirror, run: AuditRun) -> Base:
    if run.before_sha is None:
        return Base(EMPTY_TREE)
    if await _brought(mirror, run.before_sha):
        return Base(run.before_sha, run.before_sha)
    parent = await first_parent(mirror.repository, run.commit_sha)
    note = (
        f"The commit before the push ({run.before_sha[:10]}) is gone; evaluated against "
        f"{'the first parent' if parent else 'nothing'}."
    )
    return Base(parent or EMPTY_TREE, parent, (note,))


async def _brought(mirror: Mirror, sha: str) -> bool:
    if await has_commit(mirror.repository, sha):
        return True
    try:
        await mirror.fetch([sha], contents=False)
    except CommitGone:
        return False
    return await has_commit(mirror.repository, sha)
