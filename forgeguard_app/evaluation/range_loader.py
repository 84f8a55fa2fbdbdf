"""Loads one range for the engine: trees, then configuration, then facts, then lines."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from hashlib import sha256

from forgeguard_app.audit.check import Change
from forgeguard_app.audit.check_kinds import Reads, secrets_kind
from forgeguard_app.audit.check_settings import MANIFESTS
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.configuration import (
    Configuration,
    EffectiveConfig,
    boundary_paths,
    by_contract,
    by_contract_alone,
    choose,
    configuration_paths,
    read_configuration,
    read_policy,
)
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages import SUFFIXES
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import CheckCode, Gate
from forgeguard_app.audit.policy import settings_with
from forgeguard_app.audit.requirements.declared import included_paths
from forgeguard_app.audit.requirements.manifests import manifest_paths
from forgeguard_app.audit.requirements.readers import read_manifest
from forgeguard_app.evaluation.deadline import Deadline
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.evaluation.left_out import MAX_INCLUDE_ROUNDS, LeftOut, named, through_links, unfollowed
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.secret_search import MAX_TEXT_BYTES, Search, SecretSearch
from forgeguard_app.evaluation.source import Source
from forgeguard_app.evaluation.wanted_facts import OVERLAY, Wanted, list_wanted
from forgeguard_app.git.blobs import (
    MAX_KEPT_BYTES,
    BlobPiece,
    Files,
    measure_blobs,
    read_blobs,
    read_tree,
    stream_blobs,
)
from forgeguard_app.git.command import BIG_FILE_BYTES, EMPTY_TREE, GitLacksObjects
from forgeguard_app.git.range import Changes, PathChange, list_changes
from forgeguard_app.threads import in_thread


@dataclass
class RangeLoader:
    """One range being gathered: trees, then configuration, then facts, then lines."""

    cache: FactsCache
    source: Source
    request: Request
    deadline: Deadline = field(default_factory=Deadline)
    max_text_bytes: int = MAX_TEXT_BYTES
    max_kept_bytes: int = MAX_KEPT_BYTES  # of configuration and manifests, of all commits of the range
    texts: dict[str, bytes] = field(default_factory=dict)
    left_out: LeftOut = field(default_factory=LeftOut)

    def __post_init__(self) -> None:
        """Hold what the evaluation uses of the cache."""
        self._held = self.cache.hold()

    @property
    def memo(self) -> Memo:
        """Return where answers are kept: those from facts that other evaluations may have whole are kept nowhere."""
        return Memo() if self.left_out.depends_on_range else self.cache.memo

    async def gather(self) -> tuple[Change, Facts, EffectiveConfig]:
        """Fetch and read everything that the range needs."""
        request = self.request
        head_files = await self._files_of(request.head)  # first: git reads no changes of a tree that is refused
        changes = await self._changes(request.base)
        base = Tree(await in_thread(_before, head_files, changes, request.whole_tree, self.deadline.check))
        self.left_out.unfollowed = await in_thread(unfollowed, changes.links, changes.submodules, base)
        self.left_out.new_links = changes.links
        head = await in_thread(lambda: Tree({**head_files, **self._laid_over()}, frozenset(head_files.links)))
        config = await self._configure(head, base)
        others = [await self._other(head_files, commit) for commit in request.merged]
        ranged = await self._read_facts(head, (base, *(tree for tree, _ in others)), changes, config)
        standing = await self._standing(head, changes, config)
        added = standing if request.whole_tree else ranged
        changed, renames, notes = await in_thread(self._describe_changes, changes, head)
        change = Change(
            head_sha=None if request.staged else request.head,
            base_sha=None if request.whole_tree or request.base == EMPTY_TREE else request.base,
            head=head,
            base=base,
            changed=changed,
            renames=renames,
            touched=ranged.touched,
            added=tuple(added.secrets),
            standing=() if request.whole_tree else tuple(standing.secrets),
            whole_tree=request.whole_tree,
            notes=notes,
            incomplete=await in_thread(self._incomplete, head, config, (*ranged.incomplete, *standing.incomplete)),
            allowed=request.allowed,
            other_parents=tuple(others),
            scope=request.scope,
            checks=request.checks,
        )
        return change, self._facts, config

    def text_at(self, head: Tree, path: str) -> bytes | None:
        """Return a configuration file of head, as far as it was read."""
        return self._text(head, path) if path in head.blobs else None

    def _laid_over(self) -> dict[str, str]:
        """Return the overlay's files under names that no blob has; their texts are known from here on."""
        names = {path: f"{OVERLAY}{sha256(data).hexdigest()}" for path, data in self.request.overlay.items()}
        self.texts.update((names[path], data) for path, data in self.request.overlay.items())
        return names

    async def _other(self, head_files: Mapping[str, str], commit: str) -> tuple[Tree, Mapping[str, str]]:
        """Return the files of another parent of head, and what head renamed since."""
        changes = await self._changes(commit)
        before = await in_thread(_before, head_files, changes, whole_tree=False, tick=self.deadline.check)
        return Tree(before), await in_thread(_renames, changes)

    async def _files_of(self, commit: str) -> Files:
        async with self.deadline.of_git():
            return await read_tree(self.source.repository, commit, self.deadline.check, self.deadline.left_s + 1)

    async def _changes(self, base: str) -> Changes:
        if self.request.whole_tree:
            return Changes()
        try:
            return await self._list_changes(base)
        except GitLacksObjects:  # to tell a rename from a new file, git reads contents
            with self.deadline.paused():
                await self.source.bring_touched()
            return await self._list_changes(base)

    async def _list_changes(self, base: str) -> Changes:
        repository, head, tick = self.source.repository, self.request.head, self.deadline.check
        async with self.deadline.of_git():
            return await list_changes(repository, base, head, tick, self.deadline.left_s + 1)

    async def _configure(self, head: Tree, base: Tree) -> EffectiveConfig:
        request = self.request
        target = base
        if request.target is not None and request.target != request.base:
            target = Tree(await self._files_of(request.target))
        has_base = not request.whole_tree and request.base != EMPTY_TREE
        # A fork's own commits configure nothing, whatever they are evaluated against, and a head without history does
        # not escape the configuration of its target.
        has_target = request.target not in (None, EMPTY_TREE)
        trusted = has_target if request.fork else has_base or (has_target and not request.whole_tree)
        # Read first, so that large files at head leave none of the target's rules without room.
        base_config = await self.configuration_of(target) if trusted else None
        head_config = await self.configuration_of(head)
        contract = request.contract
        if contract is not None and contract.alone:
            return by_contract_alone(head_config, base_config, contract.boundaries, request.owner)
        enforced = request.owner.enforce.policy == "target"
        config = choose(head_config, base_config, target_applies=enforced, fork=request.fork, owner=request.owner)
        if contract is not None:
            config = by_contract(config, contract.boundaries, contract.note, contract.before, contract.loosens)
        notes = {code: (*request.notes, *config.notes.get(code, ())) for code in CheckCode}
        return replace(config, notes=notes)

    async def configuration_of(self, tree: Tree) -> Configuration:
        """Read the configuration that the tree holds."""
        without_room = await self._read_texts(tree, configuration_paths(tree))
        owner, is_owners = self.request.owner, self.request.owner_file
        text = partial(self._text, tree)
        policy, _ = await in_thread(read_policy, text, tree, owner, owner_file=is_owners)
        boundaries, _ = await in_thread(boundary_paths, policy, tree)
        without_room |= await self._read_texts(tree, boundaries)
        self.left_out.configuration |= without_room
        self._refuse_missing(tree, (*configuration_paths(tree), *boundaries))
        tick = self.deadline.check
        return await in_thread(read_configuration, text, tree, owner, owner_file=is_owners, tick=tick)

    def _refuse_missing(self, tree: Tree, paths: Iterable[str]) -> None:
        """Without its configuration nothing can be evaluated."""
        missing = {path for path in paths if tree.blobs[path] in self.left_out.missing}
        if missing:
            raise GitLacksObjects(("cat-file",), 0, f"{named(missing)}: not in this clone")

    def _text(self, tree: Tree, path: str) -> bytes | None:
        self.deadline.check()  # the patterns of each file take a while to compile
        return self.texts.get(tree.blobs[path])

    async def _read_texts(self, tree: Tree, paths: Iterable[str]) -> set[str]:
        """Read the files that are not read yet, and return those for which there is no room."""
        wanted, unread = await in_thread(self._unread, tree, paths)
        if not unread:
            return set()
        await self._bring(set(unread))
        room_bytes = await in_thread(self._room_bytes)
        blobs = await read_blobs(self.source.repository, unread, max_kept_bytes=room_bytes)
        self.texts.update(blobs.data)
        self.left_out.too_large |= blobs.too_large
        self.left_out.missing |= blobs.missing
        return await in_thread(lambda: {path for path, blob in wanted.items() if blob in blobs.no_room})

    def _unread(self, tree: Tree, paths: Iterable[str]) -> tuple[dict[str, str], list[str]]:
        """Return the blobs of the files that the tree has, by path, and those that are not read yet."""
        wanted = {path: tree.blobs[path] for path in sorted(paths) if path in tree.blobs}
        known = self.texts.keys() | self.left_out.too_large | self.left_out.missing
        return wanted, [blob for blob in wanted.values() if blob not in known]

    def _room_bytes(self) -> int:
        kept = (len(data) for blob, data in self.texts.items() if not blob.startswith(OVERLAY))
        return self.max_kept_bytes - sum(kept)

    async def _bring(self, blobs: set[str]) -> None:
        with self.deadline.paused():
            await self.source.ensure(blobs)

    @property
    def _facts(self) -> Facts:
        return Facts(self._held.sources, self._held.matches, self.texts, tick=self.deadline.check)

    async def _read_facts(
        self, head: Tree, parents: tuple[Tree, ...], changes: Changes, config: EffectiveConfig
    ) -> Search:
        """Bring and read all that is not known yet, and search the added lines beside it."""
        trees = (head, *parents)
        wanted = await in_thread(list_wanted, self._held, trees, config, self.cache.memo, self.deadline.check)
        manifests, blobs = await in_thread(self._needed, trees, changes, config)
        await self._bring(await in_thread(lambda: (wanted.keys() | blobs) - self.texts.keys()))
        with self.deadline.paused():
            await self.source.ensure_range()
        ranged, _ = await asyncio.gather(self._lines(config), self._read_manifests(trees, manifests))
        await self._learn(wanted)
        return ranged

    def _needed(self, trees: tuple[Tree, ...], changes: Changes, config: EffectiveConfig) -> tuple[set[str], set[str]]:
        """Return the paths of the manifests, and the blobs of manifests and changed files."""
        settings = settings_with(config.policy, MANIFESTS)
        manifests = {path for tree in trees for path in manifest_paths(tree, settings)}
        changed = {blob for change in changes for blob in (change.blob, change.old_blob) if blob}
        return manifests, changed | {tree.blobs[path] for tree in trees for path in manifests if path in tree.blobs}

    async def _learn(self, wanted: Mapping[str, Wanted]) -> None:
        """Read the blobs one after the other, and keep the facts of each."""
        repository = self.source.repository
        parts: list[bytes] = []

        def take(pieces: Iterable[BlobPiece]) -> None:
            for piece in pieces:
                parts.append(piece.data)
                if piece.last:
                    languages, patterns = wanted[piece.blob]
                    self._held.learn(piece.blob, b"".join(parts), patterns, languages, self.deadline.check)
                    parts.clear()
                    self.deadline.check()

        sizes = await measure_blobs(repository, wanted)
        fitting = await in_thread(self._fitting, wanted, sizes)
        async with self.deadline.of_git():
            await stream_blobs(repository, fitting, take, self.deadline.left_s + 1)
        self.left_out.lost = await in_thread(self._lost, wanted, fitting)

    def _lost(self, wanted: Mapping[str, Wanted], read: list[str]) -> set[str]:
        return {blob for blob in read if self._held.lacks(blob, wanted[blob][1], wanted[blob][0])}

    def _fitting(self, wanted: Mapping[str, Wanted], sizes: Mapping[str, int]) -> list[str]:
        """Return the blobs that are read, and note those that are too large or not there."""
        self.left_out.too_large |= {blob for blob, size in sizes.items() if size > BIG_FILE_BYTES}
        self.left_out.missing |= wanted.keys() - sizes.keys()
        return [blob for blob, size in sizes.items() if size <= BIG_FILE_BYTES]

    def _search(self, config: EffectiveConfig) -> SecretSearch:
        request, code = self.request, secrets_kind().code
        policy = config.policy[code]
        wanted = policy.enabled and not config.problems.get(code) and code in request.checks
        return SecretSearch(
            self.source,
            self.deadline,
            config.exceptions,
            policy.ignore,
            wanted,
            request.scope,
            request.staged,
            self.max_text_bytes,
        )

    async def _lines(self, config: EffectiveConfig) -> Search:
        request = self.request
        if request.whole_tree:
            return Search()
        return await self._search(config).in_range(request.base, request.head, request.merged)

    async def _read_manifests(self, trees: tuple[Tree, ...], paths: set[str]) -> None:
        """Read manifests and what they include, round by round; what is included deeper than the bound is said."""
        pending = set(paths)
        for _ in range(MAX_INCLUDE_ROUNDS):
            for tree in trees:
                self.left_out.manifests |= await self._read_texts(tree, pending)
            pending = await in_thread(self._included, trees, pending) - paths
            paths = paths | pending
            if not pending:
                return
        self.left_out.too_deep = sorted(pending & trees[0].blobs.keys())

    def _included(self, trees: tuple[Tree, ...], paths: set[str]) -> set[str]:
        found: set[str] = set()
        for path, blob in {(path, tree.blobs[path]) for tree in trees for path in paths & tree.blobs.keys()}:
            self.deadline.check()
            data = self.texts.get(blob)
            if data is not None:
                found |= {included for included, _ in included_paths(read_manifest(path, data))}
        return found

    async def _standing(self, head: Tree, changes: Changes, config: EffectiveConfig) -> Search:
        """Search what stands in the files that the gate for secrets asks for."""
        policy, search = config.policy[secrets_kind().code], self._search(config)
        whole = self.request.whole_tree or self.request.whole_secrets
        if not search.wanted or not self.request.secrets or (policy.gate is Gate.NEW and not whole):
            return Search()
        whole_tree = whole or policy.gate is Gate.ALL
        files = await in_thread(self._standing_files, head, None if whole_tree else changes)
        await self._bring(await in_thread(set, files.values()))
        return await search.in_files(files)

    def _standing_files(self, head: Tree, changes: Changes | None) -> dict[str, str]:
        """Return the files of head that are searched: the changed ones, or all of them."""
        paths = head.blobs if changes is None else [change.path for change in changes if change.blob]
        return {path: head.blobs[path] for path in paths if path in head.blobs and path not in self.request.overlay}

    def _describe_changes(
        self, changes: Changes, head: Tree
    ) -> tuple[set[str], dict[str, str], Mapping[CheckCode, tuple[str, ...]]]:
        """Return the changed paths, the renames, and the notes on the range."""
        changed = {c.path for c in changes} | {c.old_path for c in changes if c.old_path and not c.blob}
        return changed, _renames(changes), self._notes(changes, head)

    def _notes(self, changes: Changes, head: Tree) -> Mapping[CheckCode, tuple[str, ...]]:
        notes: list[str] = []
        if not (self.request.whole_tree or self.request.whole_secrets or changes):
            staged = "Nothing is staged that differs from the base."
            notes.append(staged if self.request.staged else "The range is empty: head and base hold the same files.")
        gone = {change.old_path for change in changes if change.old_path}
        unmatched = self.request.scope.unmatched((*head.blobs, *gone))
        if unmatched:
            notes.append(f"Not part of what was read, so nothing is reported on it: {named(unmatched)}.")
        return {code: (*notes, *more) for code, more in self._passing(changes, head).items()}

    def _passing(self, changes: Changes, head: Tree) -> Mapping[CheckCode, tuple[str, ...]]:
        """Return sentences on the links that imports of the changed files pass, by check."""
        if not head.links:
            return dict.fromkeys(CheckCode, ())
        sources = [path for change in changes if (path := change.path) in head.blobs and path.endswith(SUFFIXES)]
        found = through_links(head.links, sources, head, self._facts, self.cache.memo.modules(head))
        sentence = f"Imports pass links, which are not followed: {named(set(found.values()))}."
        reading = {code for code, check in CHECKS.items() if found and check.kind.reads is Reads.TREE}
        return {code: (sentence,) if code in reading else () for code in CheckCode}

    def _incomplete(
        self, head: Tree, config: EffectiveConfig, secrets: Iterable[str]
    ) -> Mapping[CheckCode, tuple[str, ...]]:
        """Return what a bound kept each check from reading, of the files that it would have read."""
        by_check: dict[CheckCode, list[str]] = {code: list(self.request.incomplete) for code in CheckCode}
        for code in CheckCode:
            by_check[code].extend(config.incomplete.get(code, ()))
        for code, sentence in self.left_out.sentences(head, config, self._facts, self.cache.memo, self.request.scope):
            by_check[code].append(sentence)
        by_check[secrets_kind().code].extend(secrets)
        return {code: tuple(dict.fromkeys(sentences)) for code, sentences in by_check.items()}


def _before(
    head: Mapping[str, str], changes: Iterable[PathChange], whole_tree: bool, tick: Callable[[], object]
) -> dict[str, str]:
    """Return the files of the base, from those of head and what changed."""
    if whole_tree:
        return {}
    files = dict(head)
    for change in changes:
        tick()
        if change.blob and change.path != change.old_path:
            files.pop(change.path, None)
    # A changed file keeps its place, so that trees of the same files list them alike.
    files.update((change.old_path, change.old_blob) for change in changes if change.old_path)
    return files


def _renames(changes: Iterable[PathChange]) -> dict[str, str]:
    """Paths at head with the paths that they had."""
    return {c.path: c.old_path for c in changes if c.old_path and c.blob and c.old_path != c.path}
