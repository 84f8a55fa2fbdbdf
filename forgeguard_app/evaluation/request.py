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
    """A request of an evaluation. `base` is a commit or EMPTY_TREE.

    With `staged`, head is a commit that nobody made: what git would commit now, so that the report names no commit.
    `merged` are its other parents: what stands in one of them is not new. `scope` are the files that the report is
    about, `checks` the checks that run, `incomplete` says what was left out before. `target` is the commit whose
    configuration applies where head's does not (`base` where None). `owner_file` is set for the owner's `.github`.
    `whole_secrets` counts what stands in the whole tree as existing secrets. With `whole_tree` the whole tree of head
    is evaluated and every finding counts as new. `overlay` are configuration files laid over head's, to try them before
    they are committed. With `excerpts` new findings carry the lines around them, with `describe` the report says how
    the configuration was understood; without `secrets` the tree's files are not searched for secrets. `allowed` are the
    fingerprints, by check, that somebody allowed.
    """

    head: str
    base: str
    target: str | None = None
    whole_tree: bool = False
    fork: bool = False
    owner: PolicySettings = field(default_factory=PolicySettings)
    owner_file: bool = False
    whole_secrets: bool = False
    notes: tuple[str, ...] = ()
    overlay: Mapping[str, bytes] = field(default_factory=dict)
    excerpts: bool = False
    describe: bool = False
    secrets: bool = True
    contract: ProjectBoundaries | None = None
    allowed: Mapping[CheckCode, Collection[str]] = field(default_factory=dict)
    staged: bool = False
    merged: tuple[str, ...] = ()
    scope: Scope = EVERYWHERE
    checks: frozenset[CheckCode] = frozenset(CheckCode)
    incomplete: tuple[str, ...] = ()
