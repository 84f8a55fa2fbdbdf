"""W1 over ranges and files of every size and encoding: what is read, what is said, and that pieces change nothing."""

from __future__ import annotations

import random
import re
import string
import subprocess
from collections.abc import Iterator, Mapping
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from forgeguard_app.audit.model import CheckCode, CheckReport, Result
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.encodings import TextReader, without_wide_nul
from forgeguard_app.audit.secrets.scanner import AddedBlock
from forgeguard_app.evaluation.secret_search import BlobSearch
from forgeguard_app.git import command, patches
from forgeguard_app.git.blobs import BlobPiece
from forgeguard_app.git.patches import Added, PatchReader, Unshown, read_patch
from tests.support.evaluated import check_of, evaluate, evaluate_all
from tests.support.repositories import ENV, WorkTree

PNG = b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(6_000_000)


def token(seed: int = 1) -> str:
    return "ghp_" + "".join(random.Random(seed).choices(string.ascii_letters + string.digits, k=36))


def line(seed: int = 1) -> str:
    return f"token = '{token(seed)}'\n"


def places(check: CheckReport) -> list[tuple[str, int]]:
    return [(finding.path, finding.line) for finding in check.findings]


ENCODINGS = ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-8-sig"]


@pytest.mark.parametrize("name", ENCODINGS)
async def test_text_in_every_unicode_encoding_is_read(tree: WorkTree, name: str) -> None:
    base = tree.commit({"a.ps1": "$a = 1\r\n".encode(name)})
    tree.commit({"a.ps1": f"$a = 1\r\n{line()}".encode(name)})
    assert places(check_of(await evaluate(tree, base), CheckCode.W1)) == [("a.ps1", 2)]
    assert places(check_of(await evaluate(tree, whole_tree=True), CheckCode.W1)) == [("a.ps1", 2)]


@pytest.mark.parametrize("name", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_ascii_in_the_middle_of_a_wide_encoding_is_read(tree: WorkTree, name: str) -> None:
    base = tree.commit({"a.ps1": "$a = 1\r\n".encode(name)})
    mark = "".encode(name)
    wide = name if not mark else f"{name}-le"
    files = {
        "a.ps1": "$a = 1\r\n".encode(name) + line(1).encode() + line(2).encode(wide) + line(3).encode(),
        "mark.txt": mark + line(4).encode(),
        "long.txt": ("# nothing\n" * 9_000).encode(name) + line(5).encode() + line(6).encode(wide),
    }
    tree.commit(files)
    for check in (
        check_of(await evaluate(tree, base), CheckCode.W1),
        check_of(await evaluate(tree, whole_tree=True), CheckCode.W1),
    ):
        assert set(places(check)) == {
            ("a.ps1", 2),
            ("a.ps1", 3),
            ("a.ps1", 4),
            ("long.txt", 9_001),
            ("long.txt", 9_002),
            ("mark.txt", 1),
        }


async def test_wide_lines_far_down_in_a_file_and_text_of_any_script_are_read(tree: WorkTree) -> None:
    plain = "Write-Host hello world\r\n" * 600
    base = tree.commit({"deploy.ps1": plain})
    chinese = "\u4e2d\u6587\u8bf4\u660e\u5185\u5bb9" * 40 + "\n"
    files = {
        "deploy.ps1": plain.encode() + line(1).encode("utf-16-le") + line(2).encode("utf-16-le"),
        "le.txt": (chinese + line(3)).encode("utf-16-le"),
        "be.txt": (chinese + line(4)).encode("utf-16-be"),
    }
    tree.commit(files)
    for check in (
        check_of(await evaluate(tree, base), CheckCode.W1),
        check_of(await evaluate(tree, whole_tree=True), CheckCode.W1),
    ):
        assert set(places(check)) == {("deploy.ps1", 601), ("deploy.ps1", 602), ("le.txt", 2), ("be.txt", 2)}


def test_a_path_that_is_longer_than_what_is_kept_is_counted() -> None:
    reader = PatchReader()
    name = b"d" * 300_000
    patch = b"\0" + b"1" * 40 + b"\ndiff --git a/x b/x\n--- /dev/null\n+++ b/" + name + b"\n@@ -0,0 +1 @@\n+text\n"
    found = [item for at in range(0, len(patch), 1 << 15) for item in reader.feed(patch[at : at + (1 << 15)])]
    assert (found, reader.long_headers) == ([], 1)


def test_a_binary_file_whose_path_is_longer_than_what_is_kept_is_counted_too() -> None:
    reader = PatchReader()
    raw = b":000000 100644 " + b"0" * 40 + b" " + b"2" * 40 + b" A\t" + b"d" * 300_000 + b"\n"
    patch = b"\0" + b"1" * 40 + b"\n" + raw + b"\ndiff --git a/x b/x\nBinary files /dev/null and b/x differ\n"
    found = [item for at in range(0, len(patch), 1 << 15) for item in reader.feed(patch[at : at + (1 << 15)])]
    assert (found, reader.long_headers) == ([], 1)


async def test_text_with_nul_bytes_is_read(tree: WorkTree) -> None:
    base = tree.commit({"x": ""})
    files = {"a.log": b"\0" * 70_000 + b"start\n" + line(1).encode(), "b.log": b"one\0two\n" + line(2).encode()}
    tree.commit(files)
    for check in (
        check_of(await evaluate(tree, base), CheckCode.W1),
        check_of(await evaluate(tree, whole_tree=True), CheckCode.W1),
    ):
        assert places(check) == [("a.log", 2), ("b.log", 2)]
        assert check.incomplete == ()


async def test_a_file_that_git_shows_no_lines_of_is_compared_with_what_it_was(tree: WorkTree) -> None:
    base = tree.commit({"a.txt": line(1).encode("utf-16")})
    adding = tree.commit({"a.txt": (line(1) + line(2)).encode("utf-16")})
    tree.commit({"a.txt": ("moved\n" + line(2)).encode("utf-16"), "copy.txt": b""})
    tree.git("mv", "a.txt", "b.txt")
    tree.commit({})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert [(f.path, f.line, f.commit) for f in check.findings] == [("a.txt", 2, adding)]


async def test_an_attribute_in_the_repository_hides_no_lines(tree: WorkTree) -> None:
    base = tree.commit({"x": ""})
    (tree.folder / ".git" / "info" / "attributes").write_text("* -diff\n")
    tree.commit({".gitattributes": "* binary\n", "a.py": line()})
    assert places(check_of(await evaluate(tree, base), CheckCode.W1)) == [("a.py", 1)]


async def test_a_file_of_more_than_five_megabytes_is_read_to_its_end(tree: WorkTree) -> None:
    filler = "a,b,c\n" * 1_000_000
    base = tree.commit({"old.csv": filler + line(1)})
    tree.commit({"old.csv": filler + line(1) + line(2), "new.csv": filler + line(3)})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert places(check) == [("new.csv", 1_000_001), ("old.csv", 1_000_002)]
    assert check.incomplete == ()


async def test_one_text_under_many_paths_is_read_once_for_each_kind_of_path(tree: WorkTree) -> None:
    text = f"{line(1)}x = 1\n{line(2)}{line(1)}password: {token(9)[4:28]}\n"
    paths = ["a.py", "b.yml", "tests/c.py", "d.py", "package-lock.json"]
    tree.commit({**dict.fromkeys(paths, text), ".gitleaksignore": "d.py:github-pat:1\n"})
    check = check_of(await evaluate(tree, whole_tree=True), CheckCode.W1)
    tokens = [(f.path, f.line) for f in check.findings if f.rule == "github-personal-token"]
    assert sorted(tokens) == [(path, at) for path in sorted(paths) for at in ((3, 4) if path == "d.py" else (1, 3))]
    assert [(f.path, f.line) for f in check.findings if f.rule == "generic-setting"] == [("b.yml", 5)]
    blob = tree.git("rev-parse", "HEAD:a.py")
    ticks: list[None] = []
    search = BlobSearch(
        {blob: [(path, AddedBlock(path, None, 1, b"")) for path in paths]},
        Exceptions(),
        lambda: ticks.append(None),
        most=3,
    )
    search.take(iter([BlobPiece(blob, text.encode(), last=True)]))
    assert sum(len(secrets) for secrets in search.found.values()) == 3
    assert search.left_out > 0
    many = [(str(n), AddedBlock(f"{n}.py", None, 1, b"")) for n in range(1_000)]
    ticks.clear()
    search = BlobSearch({blob: many}, Exceptions(), lambda: ticks.append(None))
    search.take(iter([BlobPiece(blob, b"nothing\n" * 400_000, last=True)]))
    assert len(ticks) < 10


async def test_a_large_image_is_incomplete_for_no_check(tree: WorkTree) -> None:
    report = await evaluate_all(tree, {"a.png": PNG, "a.py": "import os\n", "requirements.txt": ""})
    assert [(check.result, check.incomplete) for check in report.checks] == [(Result.PASS, ())] * 3


async def test_a_python_file_that_is_too_large_is_said_by_the_checks_that_read_it(tree: WorkTree) -> None:
    big = b"import os\n" + b"x" * 6_000_000
    report = await evaluate_all(tree, {"big.py": big, "requirements.txt": ""})
    assert [check.incomplete for check in report.checks] == [(), ("larger than 5 MB: `big.py`.",), ()]


def import_commits(tree: WorkTree, number: int) -> None:
    """Commit `number` times on top of each other: the first commit adds a secret, the second removes it."""

    def commands() -> Iterator[str]:
        for mark in range(1, number + 1):
            text = line() if mark == 1 else f"x = {mark}\n"
            yield f"commit refs/heads/main\nmark :{mark}\ncommitter A <a@example.invalid> {mark} +0000\ndata 1\nc\n"
            if mark > 1:
                yield f"from :{mark - 1}\n"
            yield f"M 100644 inline a.py\ndata {len(text)}\n{text}\n"

    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=tree.folder,
        env=ENV,
        input="".join(commands()).encode(),
        check=True,
        timeout=60,
    )


@pytest.mark.nightly
async def test_the_oldest_of_more_than_five_thousand_commits_is_read(tree: WorkTree) -> None:
    import_commits(tree, 5_300)
    check = check_of(await evaluate(tree), CheckCode.W1)
    assert [(f.path, f.line, f.commit) for f in check.findings] == [
        ("a.py", 1, tree.git("rev-list", "--max-parents=0", "HEAD"))
    ]
    assert check.incomplete == ()


async def test_a_secret_in_the_other_half_of_a_merge_of_utf_16_files_is_not_new(tree: WorkTree) -> None:
    base = tree.commit({"a.txt": "1\n".encode("utf-16")})
    tree.git("switch", "--quiet", "--create", "side", base)
    side = tree.commit({"a.txt": ("1\n" + line(1)).encode("utf-16")})
    tree.git("switch", "--quiet", "main")
    tree.commit({"a.txt": "2\n".encode("utf-16")})
    with pytest.raises(RuntimeError):
        tree.git("merge", "--quiet", "side")
    merge = tree.commit({"a.txt": ("2\n" + line(1) + line(2)).encode("utf-16")}, "merge")
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert sorted((f.line, f.commit) for f in check.findings) == sorted([(2, side), (3, merge)])


def merge_of(tree: WorkTree, parents: list[str], files: Mapping[str, str]) -> str:
    """Commits the files as a merge of the parents, and gives its id."""
    tree.write(files)
    tree.git("add", "--all")
    named = [part for parent in parents for part in ("-p", parent)]
    merge = tree.git("commit-tree", *named, "-m", "merge", tree.git("write-tree"))
    tree.git("reset", "--quiet", "--hard", merge)
    return merge


@pytest.mark.parametrize("number", [2, 64, 130])
async def test_what_a_merge_of_any_number_of_parents_adds_is_read(tree: WorkTree, number: int) -> None:
    base = tree.commit({"a.txt": "1\n" + line(1)})
    parents = [tree.git("commit-tree", "-p", base, "-m", f"{side}", f"{base}^{{tree}}") for side in range(number)]
    merge = merge_of(tree, parents, {"a.txt": "1\n" + line(1) + line(2), "b.txt": line(3)})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert [(f.path, f.line, f.commit) for f in check.findings] == [("a.txt", 3, merge), ("b.txt", 1, merge)]
    assert check.incomplete == ()


async def test_the_target_of_a_link_that_a_merge_adds_is_read(tree: WorkTree) -> None:
    base = tree.commit({"a.txt": "1\n"})
    parents = [tree.git("commit-tree", "-p", base, "-m", f"{side}", f"{base}^{{tree}}") for side in range(2)]
    (tree.folder / "link").symlink_to(token())
    merge = merge_of(tree, parents, {})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert [(f.path, f.commit) for f in check.findings] == [("link", merge)]


@pytest.mark.nightly
async def test_a_merge_of_more_parents_than_are_read_is_said(tree: WorkTree) -> None:
    base = tree.commit({"a.txt": "1\n"})
    sides = (f"commit refs/sides/{n}\ncommitter a <a@b> {n} +0000\ndata 0\nfrom {base}\n" for n in range(9_000))
    tree.git("fast-import", "--quiet", stdin="".join(sides))
    parents = tree.git("for-each-ref", "--format=%(objectname)", "refs/sides").split()
    merge_of(tree, parents, {"b.txt": line(3)})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert check.result == Result.WARN
    assert check.findings or "list of merged contents" in check.incomplete[0]


async def test_a_path_too_long_to_be_kept_ends_the_file_before_it(tree: WorkTree) -> None:
    policy = 'checks:\n  W1: {ignore: ["vendor/**"]}\n'
    base = tree.commit({".github/forgeguard.yml": policy, "vendor/a.txt": "x\n"})
    long = "w/" + "/".join(["\u00e9" * 120] * 66)  # its quoted form passes 32 KiB, twice in one header
    blobs = [tree.git("hash-object", "-w", "--stdin", stdin=text) for text in ("y\n", line())]
    entries = (f"100644 {blob}\t{path}" for blob, path in zip(blobs, ("vendor/a.txt", long), strict=True))
    tree.git("update-index", "--index-info", stdin="\n".join(entries))
    head = tree.git("commit-tree", "-p", base, "-m", "long", tree.git("write-tree"))
    tree.git("update-ref", "HEAD", head)
    assert places(check_of(await evaluate(tree, base), CheckCode.W1)) == [(long, 1)]


@pytest.mark.parametrize("kind", ["binary", "merged"])
async def test_files_of_a_range_beyond_what_is_kept_are_said(
    tree: WorkTree, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    base = tree.commit({"a.txt": "1\n"})
    files = {f"f{n}.bin": line(n).encode() + b"\0" * 8_000 for n in range(9)}
    if kind == "binary":
        tree.commit(files)
    else:
        merge_of(tree, [base, tree.commit({})], {name: data.decode() for name, data in files.items()})
    monkeypatch.setattr(patches, "MAX_UNSHOWN_BYTES", 2_000)
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert 0 < len(check.findings) < 9
    assert f"{9 - len(check.findings)} file(s) beyond the first ones" in check.incomplete[0]


async def test_a_merge_of_files_of_many_lines_takes_little_memory(
    tree: WorkTree, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = tree.commit({"a.py": "x = 1\n"})
    parents: list[str] = []
    for side in ("left", "right"):
        tree.git("switch", "--quiet", "--create", side, base)
        parents.append(tree.commit({"many.txt": "".join(f"{side} {number}\n" for number in range(20_000))}))
    merge = merge_of(tree, parents, {"many.txt": line()})
    monkeypatch.setattr(command, "READING_MEMORY_BYTES", 256 << 20)
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert [(f.path, f.line, f.commit) for f in check.findings] == [("many.txt", 1, merge)]


BINARY = {
    "image": PNG[:70_000],
    "program": b"\x7fELF" + bytes(range(32)) * 3_000,
    "archive": b"PK\3\4" + random.Random(2).randbytes(9_000),
    "control characters": b"some text of a log\x01\n\0" * 500,
    "cut text": b"\0\0\xff\xfe" * 20_000,
}


@pytest.mark.parametrize("encoding", ["ascii", *ENCODINGS])
@pytest.mark.parametrize("name", BINARY)
async def test_what_stands_in_a_binary_file_is_read(tree: WorkTree, name: str, encoding: str) -> None:
    data = BINARY[name]
    base = tree.commit({"a.bin": data})
    tree.commit({"a.bin": data + f"\n{line()}".encode(encoding) + data})
    for check in (
        check_of(await evaluate(tree, base), CheckCode.W1),
        check_of(await evaluate(tree, whole_tree=True), CheckCode.W1),
    ):
        assert [(f.path, f.rule) for f in check.findings] == [("a.bin", "github-personal-token")]
        assert check.incomplete == ()


@pytest.mark.parametrize("encoding", ENCODINGS[:6])
async def test_wide_lines_behind_a_short_beginning_in_ascii_are_read(tree: WorkTree, encoding: str) -> None:
    base = tree.commit({"x": ""})
    text = "\u4e2d\u6587\u8bf4\u660e\n" * 40 + line()
    tree.commit({f"{size}.ps1": (b"# head\n" * 9)[:size] + text.encode(encoding) for size in range(1, 60)})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert {f.path for f in check.findings} == {f"{size}.ps1" for size in range(1, 60)}


async def test_wide_text_in_a_long_line_of_a_text_file_is_read_across_its_pieces(tree: WorkTree) -> None:
    base = tree.commit({"x": ""})
    wide = "".join(f"{'x' * 100} {token(seed)} " for seed in range(1_200)).encode("utf-32-le")
    tree.commit({f"{shift}.txt": b"text\n" * 2_000 + b"x" * shift + wide for shift in range(4)})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert len(check.findings) == 4_800


FILLERS = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([0, 1, 2, 3, 9, 70_000]).map(lambda size: b"\0" * size),
    st.tuples(st.sampled_from(["ascii", *ENCODINGS]), st.integers(0, 40)).map(
        lambda drawn: ("some text, of a log\n" * drawn[1])[: drawn[1]].encode(drawn[0])
    ),
    st.tuples(st.sampled_from(ENCODINGS), st.integers(1, 3_000)).map(
        lambda drawn: ("\u4e2d\u6587 text\n" * drawn[1]).encode(drawn[0])
    ),
)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(FILLERS, max_size=6),
    st.lists(FILLERS, max_size=6),
    st.sampled_from(["ascii", *ENCODINGS]),
    st.lists(st.integers(0, 1 << 20), max_size=8),
)
def test_a_secret_among_pieces_of_any_encodings_is_found(
    before: list[bytes], after: list[bytes], encoding: str, cuts: list[int]
) -> None:
    secret = f"\n{line()}".encode(encoding.removesuffix("-sig"))
    data = b"".join((*before, secret, *after))
    ends = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    search = BlobSearch({"b": [("x", AddedBlock("a.bin", None, 1, b""))]}, Exceptions(), lambda: None)
    search.take(BlobPiece("b", data[low:high], last=high == len(data)) for low, high in pairwise(ends))
    assert [secret.rule.id for secret in search.found["x"]] == ["github-personal-token"]


WIDE = re.compile(  # all runs, looked for at every byte
    rb"(?:[\t\n\r -~]\0(?!\0\0)){8,}|(?:\0[\t\n\r -~]){8,}"
    rb"|(?:[\t\n\r -~]\0\0\0){8,}|(?:\0\0\0[\t\n\r -~]){8,}"
)


@settings(max_examples=300)
@given(
    st.lists(st.sampled_from([b"a", b"\0", b"\xff", *(("b" * n).encode(e) for n in (1, 7, 8, 9) for e in ENCODINGS)]))
)
def test_every_run_of_wide_characters_is_found_by_its_sign(parts: list[bytes]) -> None:
    data = b"".join(parts)
    assert without_wide_nul(data) == WIDE.sub(lambda run: run[0].replace(b"\0", b""), data)


@given(
    st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=300),
    st.integers(1, 40),
    st.sampled_from(ENCODINGS[:6]),
)
def test_text_of_any_encoding_in_pieces_is_the_text_in_utf_8(text: str, size: int, name: str) -> None:
    text = "plain ASCII text to begin with, of some length\n" * 8 + text
    data, reader = text.encode(name), TextReader()
    cuts = [*range(0, len(data), size), len(data)]
    out = b"".join(reader.feed(data[low:high], last=high == len(data)).text for low, high in pairwise(cuts))
    assert out.decode() == text


@given(st.integers(1, 70), st.integers(0, 40), st.sampled_from(["utf-16-le", "utf-16-be", "utf-32-le"]))
def test_a_wide_text_with_ascii_in_it_reads_alike_in_any_pieces(size: int, shift: int, name: str) -> None:
    begin, plain = "text of a log\n" * 9_000 + "x" * shift, "password = 1234567890abcdefghijklmnopqrstuvwxyz\n"
    data = begin.encode(name) + plain.encode() + "and more\n".encode(name) + plain.encode()
    whole_text, reader = TextReader().feed(data, last=True).text, TextReader()
    cuts = [0, *range(len(begin.encode(name)) - 40, len(data), size), len(data)]
    pieces = [reader.feed(data[low:high], last=high == len(data)).text for low, high in pairwise(cuts)]
    assert b"".join(pieces) == whole_text
    assert whole_text.count(plain.strip().encode()) == 2 and b"and more\n" in whole_text


@given(st.integers(1, 70), st.integers(0, 40), st.sampled_from(["utf-16-le", "utf-16-be"]))
def test_a_text_with_wide_ascii_in_it_reads_alike_in_any_pieces(size: int, shift: int, name: str) -> None:
    begin, wide = "text of a log\n" * 9_000 + "x" * shift, "password = 1234567890abcdefghijklmnopqrstuvwxyz\n"
    data = begin.encode() + wide.encode(name) + b"a stray \0 byte\n" + wide.encode(name)
    reader = TextReader()
    cuts = [0, *range(len(begin) - 40, len(data), size), len(data)]
    pieces = [reader.feed(data[low:high], last=high == len(data)).text for low, high in pairwise(cuts)]
    assert b"".join(pieces) == (begin + wide + "a stray \0 byte\n" + wide).encode()


def whole(items: Iterator[Added | Unshown] | list[Added | Unshown]) -> list[Added | Unshown]:
    """Join what continues."""
    found: list[Added | Unshown] = []
    for item in items:
        if isinstance(item, Added) and item.continues:
            last = found[-1]
            assert isinstance(last, Added)
            assert item.first_line == last.first_line + last.text.count(b"\n")
            found[-1] = last._replace(text=last.text + item.text)
        else:
            found.append(item)
    return found


PATCH_LINES = [
    b"\0" + b"a" * 40,
    b":100644 100644 " + b"1" * 40 + b" " + b"2" * 40 + b" M\tx.bin",
    b"diff --git a/x b/x",
    b"index " + b"1" * 40 + b".." + b"2" * 40,
    b"--- a/x",
    b"+++ b/x",
    b"@@ -1,2 +3,4 @@",
    b"@@@ -1 -1 +1,2 @@@",
    b"+one",
    b"++two",
    b"-gone",
    b" +half",
    b"\\ No newline at end of file",
    b"Binary files a/x and b/x differ",
    b"+" + b"long " * 30_000,
    b"-" + b"long " * 30_000,
    b"",
    b"+",
]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(PATCH_LINES), max_size=30), st.lists(st.integers(0, 1 << 20), max_size=8))
def test_a_patch_in_pieces_gives_what_the_whole_patch_gives(lines: list[bytes], cuts: list[int]) -> None:
    data = b"\n".join([*PATCH_LINES[:7], *lines])
    places_ = sorted({0, *(cut % (len(data) + 1) for cut in cuts), len(data)})
    reader = PatchReader()
    found: list[Added | Unshown] = []
    for low, high in pairwise(places_):
        found.extend(reader.feed(data[low:high]))
    found.extend(reader.finish())
    assert whole(found) == whole(read_patch(data))


def test_a_patch_is_read_in_memory_that_does_not_grow_with_it() -> None:
    reader = PatchReader()
    list(reader.feed(b"\n".join(PATCH_LINES[:7]) + b"\n"))
    size = 0
    for number in range(200):
        chunk = (b"\n+" if number % 7 == 0 else b"") + b"y" * 50_000
        size += sum(len(item.text) for item in reader.feed(chunk) if isinstance(item, Added))
        assert len(reader._rest) <= 1 << 16
    assert size > 9_000_000
