"""What git prints may be of any size: it is read within bounds, and never on the event loop as a whole."""

from __future__ import annotations

import ast
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import forgeguard_app
from forgeguard_app.flows.intake.wanted_runs import shown_author, shown_message
from forgeguard_app.git.command import GitRepository
from forgeguard_app.git.range import MAX_LINE_BYTES, MAX_WORDS_BYTES, CommitWords, lines_of, read_commit_words
from tests.support.repositories import WorkTree

PACKAGE = Path(forgeguard_app.__file__).parent


def commit(tree: WorkTree, author: str, message: str) -> str:
    """Store a commit as no program of git writes it."""
    folder = tree.git("mktree")
    text = f"tree {folder}\nauthor {author} <a@b> 1 +0000\ncommitter a <a@b> 1 +0000\n\n{message}"
    return tree.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=text)


@pytest.mark.parametrize(
    ("author", "message", "words"),
    [
        ("Ada", "One\n\nTwo\n", CommitWords("Ada", "One\n\nTwo")),
        ("Ada", "", CommitWords("Ada", "")),
        ("Ada", "x" * (MAX_WORDS_BYTES - 2), CommitWords("Ada", "x" * (MAX_WORDS_BYTES - 2))),  # git ends its lines
        ("Ada", "x" * 3_000_000, CommitWords("Ada", "x" * MAX_WORDS_BYTES + "…")),
        ("Ada", "y" + "é" * 100_000, CommitWords("Ada", "y" + "é" * (MAX_WORDS_BYTES // 2 - 1) + "…")),
        ("A" * 3_000_000, "One", CommitWords("A" * MAX_WORDS_BYTES + "…", "One")),
    ],
    ids=["short", "empty", "the bound", "long", "cut within a letter", "a long author"],
)
async def test_of_a_commit_s_words_the_beginning_is_read(
    tree: WorkTree, author: str, message: str, words: CommitWords
) -> None:
    sha = commit(tree, author, message)
    found = await read_commit_words(GitRepository(tree.folder / ".git"), sha, max_bytes=MAX_WORDS_BYTES)
    assert found == words


def test_a_message_that_is_longer_than_is_kept_says_so() -> None:
    message, author = shown_message("m " * 100_000), shown_author("n " * 100_000)
    assert message is not None
    assert author is not None
    assert (message[-1], author[-1]) == ("…", "…")
    assert len(shown_message("m " * 1_000_000) or "") == len(message)
    assert shown_message("short") == "short"
    assert shown_message(None) is None


async def pieces(*data: bytes) -> AsyncIterator[bytes]:
    for piece in data:
        yield piece


async def test_of_a_line_of_any_length_the_beginning_is_kept() -> None:
    long = [b"a" * MAX_LINE_BYTES] * 3
    found = [line async for line in lines_of(pieces(b"on", b"e\ntwo\n", *long, b"\n\nla", b"st"))]
    assert found == [b"one", b"two", b"a" * MAX_LINE_BYTES, b"", b"last"]


def on_the_loop(function: ast.AsyncFunctionDef) -> list[int]:
    """Return the lines on which a coroutine splits what it decodes, outside of functions that it gives away."""
    found: list[int] = []
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Lambda | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            before = node.func.value
            is_decoded = isinstance(before, ast.Call) and ast.unparse(before.func).endswith(".decode")
            if is_decoded and node.func.attr in ("split", "splitlines"):
                found.append(node.lineno)
        waiting.extend(ast.iter_child_nodes(node))
    return found


@pytest.mark.parametrize("room", ["git", "evaluation", "flows"])
def test_no_output_of_git_is_split_on_the_event_loop(room: str) -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}"
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.AsyncFunctionDef)
        for line in on_the_loop(node)
    ]
    assert found == []
