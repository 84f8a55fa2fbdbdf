"""Looks for secrets in what the commits of a range add and in what stands in files, streamed and in bounded memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Generic, TypeVar

from forgeguard_app.audit.facts import LineRanges
from forgeguard_app.audit.scope import EVERYWHERE, Scope
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.encodings import Decoded, NarrowDecoder, TextReader
from forgeguard_app.audit.secrets.scanner import MAX_SECRETS, AddedBlock, Secret, SecretScan, SharedScan, kind_of
from forgeguard_app.evaluation.deadline import Deadline
from forgeguard_app.evaluation.left_out import named
from forgeguard_app.evaluation.path_rules import PathRules
from forgeguard_app.evaluation.source import Source
from forgeguard_app.git.blobs import BlobPiece, measure_blobs, stream_blobs
from forgeguard_app.git.command import HOW_TO_COMPLETE, GitLacksObjects, GitRepository
from forgeguard_app.git.patches import LONG_BYTES, Content, PatchReader, Unshown, UnshownFiles
from forgeguard_app.git.range import read_added
from forgeguard_app.threads import in_thread

MAX_TEXT_BYTES = 100 << 20
MAX_TOUCHED = 200_000  # runs of added lines that are noted
K = TypeVar("K", bound=Hashable)


@dataclass
class Search:
    """The result of a search: secrets, the lines that the commits added by path, and what a bound kept from being
    read.
    """

    secrets: list[Secret] = field(default_factory=list)
    touched: dict[str, LineRanges] = field(default_factory=dict)
    incomplete: list[str] = field(default_factory=list)
    touched_room: int = MAX_TOUCHED

    def touch(self, path: str, first_line: int, count: int) -> None:
        """Note lines that a commit added, as long as there is room: they only say which of equal findings is new."""
        if self.touched_room:
            self.touched_room -= 1
            self.touched.setdefault(path, LineRanges()).add(first_line, count)


@dataclass(frozen=True)
class SecretSearch:
    """Searches one repository. Without `wanted` nothing is looked for, and only the added lines are noted.

    Secrets outside of `scope` are passed over. With `staged`, head is a commit that nobody made and none is named.
    """

    source: Source
    deadline: Deadline
    exceptions: Exceptions
    ignore: tuple[str, ...] = ()
    wanted: bool = True
    scope: Scope = EVERYWHERE
    staged: bool = False
    max_text_bytes: int = MAX_TEXT_BYTES

    async def in_range(self, base: str, head: str, merged: Sequence[str] = ()) -> Search:
        """Search the lines that any commit of base..head adds, without those that `merged` has."""
        with contextlib.suppress(GitLacksObjects):
            return await self._in_range(base, head, merged, must_be_whole=True)
        with self.deadline.paused():  # a merged branch may start from contents that neither end has
            await self.source.bring_touched()
        return await self._in_range(base, head, merged)

    async def in_files(self, files: Mapping[str, str]) -> Search:
        """Search what stands in the files, given as path → blob."""
        search, scan = Search(), self._scan()
        paths = await in_thread(self._by_blob, files)
        readable = await self._readable(paths, search)
        wanted = await in_thread(
            lambda: {blob: [(path, AddedBlock(path, None, 1, b"")) for path in paths[blob]] for blob in readable}
        )
        found = await self._in_blobs(wanted, self.exceptions)
        await in_thread(scan.keep, chain.from_iterable(found.found.values()))
        scan.left_out += found.left_out
        return _result(scan, search)

    def _by_blob(self, files: Mapping[str, str]) -> dict[str, list[str]]:
        """Return the paths of the files that are searched, by their blobs."""
        rules = self._rules()
        paths: dict[str, list[str]] = {}
        for path, blob in files.items():
            self.deadline.check()
            if not rules.passes_over(path):
                paths.setdefault(blob, []).append(path)
        return paths

    async def _in_range(self, base: str, head: str, merged: Sequence[str], *, must_be_whole: bool = False) -> Search:
        search, scan, patch, decoder = Search(), self._scan(), PatchReader(), NarrowDecoder()
        rules, unshown = self._rules(), UnshownFiles()

        def take(chunk: bytes | None) -> None:
            for item in patch.feed(chunk) if chunk is not None else patch.finish():
                if isinstance(item, Unshown):
                    if self.wanted and (wanted := rules.wanted(item)):
                        unshown.add(wanted)
                    continue
                search.touch(item.path, item.first_line, item.text.count(b"\n"))
                if self.wanted and not rules.passes_over(item.path):
                    commit = self._named_commit(item.commit)
                    text = decoder.decode(item.text, last=item.text.endswith(b"\n"))  # else its line goes on
                    scan.add(AddedBlock(item.path, commit, item.first_line, text, item.continues))
            self.deadline.check()

        async with self.deadline.of_git():
            await read_added(self._repository, base, head, take, self.deadline.left_s + 1, merged)
        await in_thread(take, None)
        await in_thread(scan.finish)
        search.incomplete += _passed_over(patch, unshown)
        if must_be_whole:
            await self._require(unshown.items)
        await self._in_unshown(unshown.items, scan, search)
        return _result(scan, search)

    async def _require(self, items: Iterable[Unshown]) -> None:
        """Raise GitLacksObjects where the repository lacks what the files hold or held before."""
        names = await in_thread(self._names_of, items)
        sizes = await measure_blobs(self._repository, names)
        if missing := len(names) - len(sizes):
            raise GitLacksObjects(("cat-file",), 0, f"{missing:,} blobs are not here")

    def _names_of(self, items: Iterable[Unshown]) -> set[str]:
        names: set[str] = set()
        for item in items:
            self.deadline.check()
            names.add(item.blob)
            names.update(parent.blob for parent in item.parents)
        return names

    async def _in_unshown(self, items: list[Unshown], scan: SecretScan, search: Search) -> None:
        """Search changed files of which not all lines are shown; what a parent has already is not added."""
        by_blob, paths = await in_thread(self._grouped, items)
        readable = await self._readable(paths, search)
        found = await self._in_blobs(await in_thread(self._places, by_blob, readable), self.exceptions)
        scan.left_out += found.left_out
        had = await self._in_parents(found.found)
        await in_thread(self._keep_added, found.found, had, scan)

    def _grouped(self, items: Iterable[Unshown]) -> tuple[dict[str, list[Unshown]], dict[str, list[str]]]:
        """Return the files, each once, and their paths, by the blobs that they hold."""
        by_blob: dict[str, list[Unshown]] = {}
        paths: dict[str, list[str]] = {}
        for item in dict.fromkeys(items):
            self.deadline.check()
            by_blob.setdefault(item.blob, []).append(item)
            paths.setdefault(item.blob, []).append(item.path)
        return by_blob, paths

    def _places(
        self, by_blob: Mapping[str, list[Unshown]], readable: Iterable[str]
    ) -> dict[str, list[tuple[Unshown, AddedBlock]]]:
        """Return the files that are read, each with the place that its secrets are found at, by their blobs."""
        places: dict[str, list[tuple[Unshown, AddedBlock]]] = {}
        for item in (item for blob in readable for item in by_blob[blob]):
            self.deadline.check()
            block = AddedBlock(item.path, self._named_commit(item.commit), 1, b"")
            places.setdefault(item.blob, []).append((item, block))
        return places

    def _keep_added(
        self,
        found: Mapping[Unshown, list[Secret]],
        had: Mapping[Content, set[tuple[str, int]]],
        scan: SecretScan,
    ) -> None:
        """Keep the secrets that none of a file's parents has."""
        for item, secrets in found.items():
            self.deadline.check()
            before = {key for parent in item.parents for key in had.get(parent, ())}
            scan.keep(secret for secret in secrets if (secret.rule.id, secret.digest_key) not in before)

    async def _in_parents(self, items: Iterable[Unshown]) -> dict[Content, set[tuple[str, int]]]:
        """Return rule and value of everything that the files held before, but for what their paths excepted."""
        paths = await in_thread(self._by_parent, items)
        sizes = await measure_blobs(self._repository, paths)
        found = await self._in_blobs(await in_thread(self._parents, paths, sizes), self.exceptions.of_paths)
        return await in_thread(
            lambda: {key: {(s.rule.id, s.digest_key) for s in secrets} for key, secrets in found.found.items()}
        )

    def _by_parent(self, items: Iterable[Unshown]) -> dict[str, set[str]]:
        """Return the paths of the files by the blobs that they held before."""
        paths: dict[str, set[str]] = {}
        for item in items:
            self.deadline.check()
            for parent in item.parents:
                paths.setdefault(parent.blob, set()).add(parent.path)
        return paths

    def _parents(
        self, paths: Mapping[str, set[str]], sizes: Mapping[str, int]
    ) -> dict[str, list[tuple[Content, AddedBlock]]]:
        """Return the blobs that are not too large to be read, each with its places."""
        places: dict[str, list[tuple[Content, AddedBlock]]] = {}
        for blob, size in sizes.items():
            self.deadline.check()
            if size <= self.max_text_bytes:
                places[blob] = [(Content(blob, path), AddedBlock(path, None, 1, b"")) for path in sorted(paths[blob])]
        return places

    async def _in_blobs(
        self, wanted: Mapping[str, list[tuple[K, AddedBlock]]], exceptions: Exceptions
    ) -> BlobSearch[K]:
        """Return the secrets of each wanted key, where there are any."""
        texts = BlobSearch(wanted, exceptions, self.deadline.check)
        async with self.deadline.of_git():
            await stream_blobs(self._repository, wanted, texts.take, self.deadline.left_s + 1)
        return texts

    @property
    def _repository(self) -> GitRepository:
        return self.source.repository

    def _rules(self) -> PathRules:
        return PathRules.of(self.ignore, self.scope, self.exceptions)

    def _named_commit(self, commit: str) -> str | None:
        return None if self.staged else commit or None

    def _scan(self) -> SecretScan:
        return SecretScan(self.exceptions, self.deadline.check)

    async def _readable(self, paths: Mapping[str, list[str]], search: Search) -> list[str]:
        """Return the blobs that are there and not too large; missing ones and larger ones are said."""
        sizes = await measure_blobs(self._repository, paths)
        missing, readable, large = await in_thread(self._sorted_by_size, paths, sizes)
        if missing:
            search.incomplete.append(f"not in this clone: {await in_thread(named, missing)}; {HOW_TO_COMPLETE}.")
        if large:
            size = f"{self.max_text_bytes / (1 << 20):.3g} MB"
            search.incomplete.append(f"larger than {size}: {await in_thread(named, large)}.")
        return readable

    def _sorted_by_size(
        self, paths: Mapping[str, list[str]], sizes: Mapping[str, int]
    ) -> tuple[list[str], list[str], list[str]]:
        """Return the paths whose blobs are missing, the blobs that are read, and the paths of those too large."""
        missing: list[str] = []
        readable: list[str] = []
        large: list[str] = []
        for blob in paths.keys() - sizes.keys():
            self.deadline.check()
            missing.extend(paths[blob])
        for blob, size in sizes.items():
            self.deadline.check()
            if size <= self.max_text_bytes:
                readable.append(blob)
            else:
                large.extend(paths[blob])
        return missing, readable, large


class BlobSearch(Generic[K]):
    """Searches blobs that arrive in pieces, each under the paths and commits that it is wanted for.

    A blob is read once for each kind of path, however many paths it stands under.
    """

    def __init__(
        self,
        wanted: Mapping[str, list[tuple[K, AddedBlock]]],
        exceptions: Exceptions,
        tick: Callable[[], object],
        most: int = MAX_SECRETS,
    ) -> None:
        self.found: dict[K, list[Secret]] = {}
        self.left_out = 0
        self._wanted, self._exceptions, self._tick, self._left = wanted, exceptions, tick, most
        self._reader: TextReader | None = None
        self._scans: list[_BlobScan[K]] = []

    def take(self, pieces: Iterator[BlobPiece]) -> None:
        """Search the next pieces, in their order."""
        for piece in pieces:
            if self._reader is None:
                self._reader = TextReader()
                self._scans = list(self._begin(self._wanted[piece.blob]))
            reading = self._reader.feed(piece.data, last=piece.last)
            for scan in self._scans:
                scan.add(reading)
            if piece.last:
                self._finish()

    def _begin(self, places: list[tuple[K, AddedBlock]]) -> Iterator[_BlobScan[K]]:
        kinds: dict[tuple[bool, ...], list[tuple[K, AddedBlock]]] = {}
        for key, block in places:
            kinds.setdefault(kind_of(block.path), []).append((key, block))
        for kind in kinds.values():
            blocks = [block for _, block in kind]
            text, plain = (SharedScan(blocks, self._exceptions, self._tick, self._left) for _ in range(2))
            yield _BlobScan([key for key, _ in kind], text, plain)

    def _finish(self) -> None:
        for scan in self._scans:
            self.left_out += scan.finish()
            for key, secrets in scan.found():
                kept = secrets[: self._left]
                self._left -= len(kept)
                self.left_out += len(secrets) - len(kept)
                if kept:
                    self.found[key] = kept
        self._reader = None


def _passed_over(patch: PatchReader, unshown: UnshownFiles) -> Iterator[str]:
    if patch.long_headers:
        yield (
            f"changes of {patch.long_headers:,} file(s) whose path, or list of merged contents, is longer than "
            f"{LONG_BYTES >> 10} KiB."
        )
    if number := patch.unkept + unshown.left_out:
        yield f"{number:,} file(s) beyond the first ones that were merged, are binary, or changed in one commit."


@dataclass(frozen=True)
class _BlobScan(Generic[K]):
    """The scans of one blob for the places of one kind: of its text, and of its bytes as they are where both differ."""

    keys: list[K]
    text: SharedScan
    plain: SharedScan

    def add(self, reading: Decoded) -> None:
        for scan, part in ((self.text, reading.text), (self.plain, reading.plain)):
            if part:
                scan.add(part)

    def finish(self) -> int:
        """End both scans; return how many secrets they did not keep."""
        self.text.finish()
        self.plain.finish()
        return max(self.text.left_out, self.plain.left_out)

    def found(self) -> Iterator[tuple[K, list[Secret]]]:
        """Yield the secrets of each place that has any; of a value that both readings hold, that of the text."""
        for number, key in enumerate(self.keys):
            secrets = list(self.text.found.get(number, ()))
            known = {(secret.rule.id, secret.digest_key) for secret in secrets}
            beside = self.plain.found.get(number, ())
            secrets += [secret for secret in beside if (secret.rule.id, secret.digest_key) not in known]
            if secrets:
                yield key, secrets


def _result(scan: SecretScan, search: Search) -> Search:
    search.secrets = scan.found
    if scan.left_out:
        search.incomplete.append(
            f"{len(scan.found):,} possible secrets are kept; {scan.left_out:,} more were found and not kept."
        )
    return search
