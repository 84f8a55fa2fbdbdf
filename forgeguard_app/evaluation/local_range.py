"""The range that the command line audits when the person names none, or only a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from forgeguard_app.errors import UserError
from forgeguard_app.git.checkout import Checkout
from forgeguard_app.git.command import EMPTY_TREE, GitError, GitRepository
from forgeguard_app.git.range import first_parent, has_commit_of, is_sha, merge_base, resolve


@dataclass(frozen=True, slots=True)
class LocalRange:
    """A range to audit: `heading` says in words how the base was found, `notes` are shown in every format.

    `merged` are the other parents of a staged merge.
    """

    base: str
    head: str
    heading: str = ""
    notes: tuple[str, ...] = ()
    merged: tuple[str, ...] = ()


async def staged_range(checkout: Checkout, base: str | None, variables: Mapping[str, str]) -> LocalRange:
    """Return what git would commit now, against the last commit or the named base.

    During a merge the other parents count too: what stands in one of them is not new.

    Raises:
        UserError: the base does not exist, or the index has conflicts.
    """
    parent = await resolve(checkout.repository, base or "HEAD")
    if base is not None and parent is None:
        raise UserError(await _no_revision(checkout.repository, base))
    merged = [commit for commit in await _merge_heads(checkout, variables) if commit != parent]
    head = await checkout.commit_index([*([parent] if parent else []), *merged])
    heading = "what is staged" + (f", against {base}" if base else "") + (", as a merge" if merged else "")
    return LocalRange(parent or EMPTY_TREE, head, heading, merged=tuple(merged))


async def _merge_heads(checkout: Checkout, variables: Mapping[str, str]) -> list[str]:
    """Return the commits that are being merged: MERGE_HEAD, or git's variables while a pre-merge-commit hook runs."""
    try:
        named = (checkout.location.git_folder / "MERGE_HEAD").read_text("ascii").split()
    except FileNotFoundError:
        named = [name.removeprefix("GITHEAD_") for name in sorted(variables) if name.startswith("GITHEAD_")]
    found = [await resolve(checkout.repository, name) for name in named if is_sha(name)]
    return [commit for commit in dict.fromkeys(found) if commit is not None]


async def choose_range(checkout: Checkout, base: str | None, head: str | None) -> LocalRange:
    """Return the range, by the rules of the server as far as a clone knows them.

    Raises:
        UserError: a revision does not exist, or a shallow clone lacks what the range needs; says what to run.
    """
    repository = checkout.repository
    tip = await resolve(repository, head or "HEAD")
    if tip is None:
        raise UserError(await _no_head(repository, head))
    chosen = await (_explicit(repository, base, tip) if base is not None else _default(repository, head, tip))
    await _refuse_cut_history(checkout, chosen)
    return chosen


async def whole_tree(checkout: Checkout, head: str | None) -> LocalRange:
    """Return the whole tree of head, against nothing.

    Raises:
        UserError: head does not exist.
    """
    tip = await resolve(checkout.repository, head or "HEAD")
    if tip is None:
        raise UserError(await _no_head(checkout.repository, head))
    return LocalRange(EMPTY_TREE, tip, f"the whole tree of {head or 'HEAD'}")


async def _default(repository: GitRepository, head: str | None, tip: str) -> LocalRange:
    remote = await _remote(repository)
    default = await _default_branch(repository, remote)
    if head is not None:
        found = await _since_default(repository, default, tip)
        return found or await _since_parent(repository, tip, remote)
    branch = await _branch(repository)
    upstream = await resolve(repository, "@{upstream}")
    on_default = default is None or branch is None or branch == default.removeprefix(f"{remote}/")
    if default is not None and not on_default and await resolve(repository, default) is not None:
        chosen = await _explicit(repository, default, tip, heading=f"what changed since {default}")
    elif upstream is not None:
        chosen = await _explicit(repository, "@{upstream}", tip, heading="what changed since the upstream branch")
    else:
        return await _since_parent(repository, tip, remote)
    if chosen.base == tip and upstream == tip and await _is_shallow(repository):
        raise UserError(_nothing_to_compare(remote, branch or "HEAD"))
    return chosen


def _nothing_to_compare(remote: str, branch: str) -> str:
    fetch = f"git fetch --unshallow {remote} '+refs/heads/*:refs/remotes/{remote}/*'"
    return (
        f"this clone is shallow and {branch} is what {remote} holds already, so there is nothing to compare with:"
        f" run `{fetch}`, then pass `--base {remote}/main` (the branch that this one is to be merged into) or "
        f"`--base HEAD~1`"
        " (what the last commit changed); `--all` audits the whole tree without a base"
    )


async def _since_parent(repository: GitRepository, tip: str, remote: str) -> LocalRange:
    parent = await first_parent(repository, tip)
    if parent is not None:
        return LocalRange(parent, tip, "what changed since the first parent")
    if await _is_shallow(repository) and await _has_parent(repository, tip):
        raise UserError(
            f"this clone is shallow and lacks the parent of head: run `git fetch --deepen=1 {remote}`, or pass `--base`"
        )
    return LocalRange(EMPTY_TREE, tip, "the first commit, against nothing")


async def _since_default(repository: GitRepository, default: str | None, tip: str) -> LocalRange | None:
    """Return the range that a named head adds to the default branch; None where it lies on that branch, or there is
    none.
    """
    target = await resolve(repository, default) if default is not None else None
    common = await merge_base(repository, target, tip) if target is not None else None
    return None if common in (None, tip) else LocalRange(str(common), tip, f"what changed since {default}")


async def _explicit(repository: GitRepository, base: str, tip: str, heading: str = "") -> LocalRange:
    commit = await resolve(repository, base)
    if commit is None:
        raise UserError(await _no_revision(repository, base))
    common = await merge_base(repository, commit, tip)
    if common is None:
        if await _is_shallow(repository):
            remote = await _remote(repository)
            raise UserError(
                f"this clone is shallow and lacks the merge base with {base}: run `git fetch --unshallow {remote}`"
            )
        note = f"{base} shares no history with head: everything at head is audited as new."
        return LocalRange(EMPTY_TREE, tip, heading, (note,))
    if heading or common == commit:
        return LocalRange(common, tip, heading or f"what changed since {base}")
    note = f"The base was moved from {base} ({commit[:10]}) to its merge base with head, {common[:10]}."
    return LocalRange(common, tip, f"what changed since the merge base with {base}", (note,))


async def _refuse_cut_history(checkout: Checkout, chosen: LocalRange) -> None:
    """Refuse a range in which a shallow clone ends: the commit there would look as if it added every file."""
    shallow = checkout.view.folder / "shallow"
    if chosen.base == EMPTY_TREE or not shallow.exists():
        return
    ends = set(shallow.read_text("ascii").split())
    if await has_commit_of(checkout.view, ends, chosen.base, chosen.head):
        remote = await _remote(checkout.repository)
        raise UserError(
            f"this clone is shallow and its history ends between base and head: run `git fetch --unshallow {remote}`"
        )


async def _no_head(repository: GitRepository, head: str | None) -> str:
    if head is not None:
        return await _no_revision(repository, head)
    await repository.run("for-each-ref", "--count=1")  # where refs cannot be read, that is what is said
    return "the repository has no commit yet: `git add` files, then `forgeguard audit --staged` audits what is staged"


async def _no_revision(repository: GitRepository, revision: str) -> str:
    message = f"there is no commit {revision!r} here"
    remote = await _remote(repository)
    branch = revision.removeprefix(f"{remote}/")
    if branch != revision:
        unshallow = "--unshallow " if await _is_shallow(repository) else ""
        return f"{message}: run `git fetch {unshallow}{remote} +refs/heads/{branch}:refs/remotes/{remote}/{branch}`"
    if await _is_shallow(repository):
        return f"{message}, and this clone is shallow: run `git fetch --unshallow {remote}`"
    return message


async def _is_shallow(repository: GitRepository) -> bool:
    out = await repository.run("rev-parse", "--is-shallow-repository")
    return out.strip() == b"true"


async def _has_parent(repository: GitRepository, commit: str) -> bool:
    out = await repository.run("cat-file", "commit", commit)
    return b"\nparent " in out.partition(b"\n\n")[0]


async def _ask_git(repository: GitRepository, *arguments: str) -> str | None:
    try:
        out = await repository.run(*arguments)
    except GitError:
        return None
    return out.decode("utf-8", "surrogateescape").strip() or None


async def _branch(repository: GitRepository) -> str | None:
    return await _ask_git(repository, "symbolic-ref", "--quiet", "--short", "HEAD")


async def _remote(repository: GitRepository) -> str:
    """Return the remote that the clone was made from: origin where there is one."""
    names = (await _ask_git(repository, "remote") or "origin").splitlines()
    return "origin" if "origin" in names else names[0]


async def _default_branch(repository: GitRepository, remote: str) -> str | None:
    """Return the default branch as this clone knows it: the remote's, else a local main or master."""
    known = await _ask_git(repository, "symbolic-ref", "--quiet", "--short", f"refs/remotes/{remote}/HEAD")
    if known is not None:
        return known
    for name in (f"{remote}/main", f"{remote}/master", "main", "master"):
        kind = "remotes" if name.startswith(f"{remote}/") else "heads"
        if await resolve(repository, f"refs/{kind}/{name}") is not None:
            return name
    return None
