"""The range that the command line judges when the person names none, or only a part of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from forgeguard_app.errors import UserError
from forgeguard_app.git.command import EMPTY_TREE, GitError, Repository
from forgeguard_app.git.range import first_parent, merge_base, resolve


@dataclass(frozen=True, slots=True)
class LocalRange:
    """What to judge: `head` None is the index; `note` says how the base was found."""

    base: str
    head: str | None
    note: str = ""


async def open_repository(path: Path) -> Repository:
    """The git repository that the path lies in.

    Raises:
        UserError: there is none.
    """
    folder = path if path.is_dir() else path.parent
    if not folder.exists():
        raise UserError(f"{path} does not exist")
    for candidate in (folder.resolve(), *folder.resolve().parents):
        dot = candidate / ".git"
        if dot.is_dir():
            return Repository(dot)
        if dot.is_file():
            text = dot.read_text("utf-8", "replace").removeprefix("gitdir:").strip()
            return Repository(_common(candidate / text))
        if (candidate / "HEAD").is_file() and (candidate / "objects").is_dir():
            return Repository(candidate)
    raise UserError(f"{path} is not in a git repository; run `git init` and commit first")


def _common(folder: Path) -> Path:
    """A work tree's own git folder: its HEAD and index are there, git finds the shared rest by itself."""
    return folder.resolve()


async def choose_range(repository: Repository, base: str | None, head: str | None, *, staged: bool) -> LocalRange:
    """The range, by the rules of the server as far as a clone knows them.

    Raises:
        UserError: a revision that does not exist, or a base that a shallow clone lacks, with the fetch that mends it.
    """
    if staged:
        tip = await resolve(repository, base or "HEAD")
        if base is not None and tip is None:
            raise UserError(await _no_revision(repository, base))
        return LocalRange(tip or EMPTY_TREE, None)
    tip = await resolve(repository, head or "HEAD")
    if tip is None:
        raise UserError(await _no_revision(repository, head) if head else "the repository has no commit yet")
    if base is not None:
        return await _explicit(repository, base, tip)
    default = await _default_branch(repository)
    if head is not None and (found := await _since_default(repository, default, tip)) is not None:
        return found
    branch = await _branch(repository) if head is None else None
    if branch is not None and default is not None and branch != default.rpartition("/")[2]:
        target = await resolve(repository, default)
        if target is not None:
            return await _explicit(repository, default, tip, note=f"since {default}")
    upstream = await resolve(repository, "@{upstream}") if head is None else None
    if upstream is not None:
        return await _explicit(repository, "@{upstream}", tip, note="since its upstream")
    parent = await first_parent(repository, tip)
    if parent is not None:
        return LocalRange(parent, tip, "since its first parent")
    if await _is_shallow(repository) and await _has_parent(repository, tip):
        raise UserError("this clone is shallow and lacks the parent of head: run `git fetch --deepen=1`")
    return LocalRange(EMPTY_TREE, tip, "the first commit, against nothing")


async def _since_default(repository: Repository, default: str | None, tip: str) -> LocalRange | None:
    """What a named head adds to the default branch; None where it lies on that branch, or there is none."""
    target = await resolve(repository, default) if default is not None else None
    common = await merge_base(repository, target, tip) if target is not None else None
    return None if common in (None, tip) else LocalRange(str(common), tip, f"since {default}")


async def _explicit(repository: Repository, base: str, tip: str, note: str = "") -> LocalRange:
    commit = await resolve(repository, base)
    if commit is None:
        raise UserError(await _no_revision(repository, base))
    common = await merge_base(repository, commit, tip)
    if common is None:
        if await _is_shallow(repository):
            raise UserError(f"this clone is shallow and lacks the base of {base}: run `git fetch --unshallow`")
        return LocalRange(EMPTY_TREE, tip, f"{base} shares no history with head: judged against nothing")
    return LocalRange(common, tip, note)


async def _no_revision(repository: Repository, revision: str) -> str:
    said = f"there is no commit {revision!r} here"
    if await _is_shallow(repository):
        return (
            f"{said}, and this clone is shallow: run `git fetch --unshallow origin` and `git fetch origin {revision}`"
        )
    return said


async def _is_shallow(repository: Repository) -> bool:
    out = await repository.run("rev-parse", "--is-shallow-repository")
    return out.strip() == b"true"


async def _has_parent(repository: Repository, commit: str) -> bool:
    out = await repository.run("cat-file", "commit", commit)
    return b"\nparent " in out.partition(b"\n\n")[0]


async def _branch(repository: Repository) -> str | None:
    try:
        out = await repository.run("symbolic-ref", "--quiet", "--short", "HEAD")
    except GitError:
        return None
    return out.decode("utf-8", "replace").strip()


async def _default_branch(repository: Repository) -> str | None:
    """The default branch as this clone knows it: origin's, else a local main or master."""
    try:
        out = await repository.run("symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
        return out.decode("utf-8", "replace").strip()
    except GitError:
        pass
    for name in ("origin/main", "origin/master", "main", "master"):
        kind = "remotes" if name.startswith("origin/") else "heads"
        if await resolve(repository, f"refs/{kind}/{name}") is not None:
            return name
    return None
