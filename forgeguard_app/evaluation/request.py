"""Requests of an evaluation."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.policy import PolicySettings
from forgeguard_app.audit.scope import EVERYWHERE, Scope


@dataclass(frozen=True)
class ProjectBoundaries:
    """The boundaries of the project that the repository is linked to, which apply where it has none of its own.

    With `alone` they apply whatever the head says, and the target's settings with them: so a builder, which could
    loosen its own rules otherwise, is evaluated. The summary contains `note`, and what the boundaries loosen against
    `before`.
    """

    boundaries: str
    note: str = ""
    alone: bool = False
    before: str | None = None
    loosens: str = ""  # the words before the list of what is loosened


@dataclass(frozen=True)
class Request:
    """One evaluation that is asked for."""

    head: str  # a commit; with `staged` one that nobody made
    base: str  # a commit, or EMPTY_TREE
    target: str | None = None  # the commit whose configuration applies where head's does not; None for base
    whole_tree: bool = False  # evaluate all of head, and count every finding as new
    fork: bool = False  # the head comes from a fork, so that its own configuration does not apply
    owner: PolicySettings = field(default_factory=PolicySettings)  # the defaults of the repository's owner
    owner_file: bool = False  # the repository is the owner's `.github`, whose file holds the owner's defaults
    whole_secrets: bool = False  # count the secrets of the whole tree as existing ones
    notes: tuple[str, ...] = ()  # sentences for the summary of each check
    overlay: Mapping[str, bytes] = field(default_factory=dict)  # files that are tried in place of head's
    excerpts: bool = False  # give new findings the lines around them
    describe: bool = False  # say in the report how the configuration was understood
    secrets: bool = True  # search the files of the tree for secrets
    contract: ProjectBoundaries | None = None  # for a repository without boundaries of its own
    allowed: Mapping[CheckCode, Collection[str]] = field(default_factory=dict)  # fingerprints that somebody allowed
    staged: bool = False  # head holds what git would commit now, and the report names no commit
    merged: tuple[str, ...] = ()  # the other parents of a merge: what one of them holds is not new
    scope: Scope = EVERYWHERE  # the files that the report is about
    checks: frozenset[CheckCode] = frozenset(CheckCode)  # the checks that run
    incomplete: tuple[str, ...] = ()  # what was left out before
