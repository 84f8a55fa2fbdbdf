"""W1 where only some lines of a private key are added: those around them are in the file already."""

from __future__ import annotations

import random
import string
from collections.abc import Callable

import pytest

from forgeguard_app.audit.model import CheckCode
from tests.support.evaluated import check_of, evaluate
from tests.support.repositories import WorkTree

FIRST = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW"  # of every key of its kind


def pem(kind: str, seed: int) -> list[str]:
    source = random.Random(seed)
    lines = ["".join(source.choices(string.ascii_letters + string.digits + "+/", k=70)) for _ in range(5)]
    return [f"-----BEGIN {kind}" + "-----", FIRST, *lines, f"-----END {kind}" + "-----"]


KEY = "OPENSSH PRIVATE" + " KEY"
SHAPES: dict[str, Callable[[list[str]], list[str]]] = {
    "id_ed25519": lambda lines: lines,
    "values.yaml": lambda lines: ["tls:", "  key: |", *(f"    {line}" for line in lines), "next: 1"],
    "key.py": lambda lines: ["KEY = (", *(f'    "{line}\\n"' for line in lines), ")"],
    "Key.java": lambda lines: ["String key =", *(f'  "{line}\\n" +' for line in lines), '  "";'],
}


def text(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


async def found(tree: WorkTree, base: str) -> list[tuple[str, int, str | None]]:
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    return sorted((finding.path, finding.line, finding.commit) for finding in check.findings)


@pytest.mark.parametrize("path", SHAPES)
async def test_a_key_that_takes_another_s_place_is_new(tree: WorkTree, path: str) -> None:
    shape = SHAPES[path]
    base = tree.commit({path: text(["# one", *shape(pem(KEY, 1))])})
    head = tree.commit({path: text(["# one", *shape(pem(KEY, 2))])})
    first = next(number for number, line in enumerate(shape(["mark"]), 2) if "mark" in line)
    assert await found(tree, base) == [(path, first, head)]


@pytest.mark.parametrize("known", [slice(0, 1), slice(0, 2), slice(1, 9), slice(7, 8)])
async def test_a_key_of_which_a_part_was_there_is_new(tree: WorkTree, known: slice) -> None:
    base = tree.commit({"a.pem": text(pem(KEY, 1)[known])})
    head = tree.commit({"a.pem": text(pem(KEY, 1))})
    assert await found(tree, base) == [("a.pem", 1, head)]


@pytest.mark.parametrize("number", [0, 1, 9, 10])
async def test_lines_beside_a_key_are_no_new_key(tree: WorkTree, number: int) -> None:
    lines = ["# one", "# two", *pem(KEY, 1), "# three"]
    base = tree.commit({"a.pem": text(lines)})
    lines[number : number + 1] = ["# other", "# lines"] if number != 9 else [lines[9], "# more"]
    tree.commit({"a.pem": text(lines)})
    assert await found(tree, base) == []


@pytest.mark.parametrize("removed", [slice(0, 9), slice(4, 6)])
async def test_what_is_taken_out_of_a_key_is_no_new_key(tree: WorkTree, removed: slice) -> None:
    lines = ["# one", *pem(KEY, 1), "# two"]
    base = tree.commit({"a.pem": text(lines)})
    del lines[removed]
    tree.commit({"a.pem": text(lines)})
    assert await found(tree, base) == []


async def test_a_certificate_that_takes_another_s_place_is_no_key(tree: WorkTree) -> None:
    base = tree.commit({"a.pem": text([*pem(KEY, 1), *pem("CERTIFICATE", 2)])})
    tree.commit({"a.pem": text([*pem(KEY, 1), *pem("CERTIFICATE", 3)])})
    assert await found(tree, base) == []


async def test_keys_that_begin_alike_are_each_found(tree: WorkTree) -> None:
    base = tree.commit({"a": ""})
    head = tree.commit({"a.pem": text([*pem(KEY, 1), *pem(KEY, 2), *pem(KEY, 1)])})
    assert await found(tree, base) == [("a.pem", 1, head), ("a.pem", 9, head)]
