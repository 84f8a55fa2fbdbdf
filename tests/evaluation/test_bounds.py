"""What the bounds of an evaluation leave out is said."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages.python import PYTHON
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.model import CheckCode, Report, Result
from forgeguard_app.audit.policy import Enforcement, PolicySettings
from forgeguard_app.evaluation.evaluator import Evaluator
from forgeguard_app.evaluation.excerpts import MAX_BYTES, MOST
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.evaluation.left_out import through_links
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.source import LocalSource
from forgeguard_app.git.command import EMPTY_TREE, GitLacksObjects, GitRepository
from tests.support.evaluated import check_of, evaluate, evaluate_all
from tests.support.repositories import WorkTree

TOKEN = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"


async def test_a_text_over_the_bound_is_said_to_be_unread(tree: WorkTree) -> None:
    tree.commit({"big.txt": "x\n" * 50_000 + TOKEN, "small.txt": TOKEN})
    request = Request(tree.git("rev-parse", "HEAD"), EMPTY_TREE, whole_tree=True)
    source = LocalSource(GitRepository(tree.folder / ".git"))
    check = check_of(await Evaluator(max_text_bytes=50_000).evaluate(source, request), CheckCode.W1)
    assert [finding.path for finding in check.findings] == ["small.txt"]
    assert check.incomplete == ("larger than 0.0477 MB: `big.txt`.",)


def test_long_names_count_for_what_they_take_of_the_memory() -> None:
    cache = FactsCache(max_sources_bytes=100_000)

    def kept() -> list[str]:
        return [blob for blob in blobs if not cache.hold().lacks(blob, frozenset(), (PYTHON,))]

    blobs = {f"short{number}": b"import a\n" for number in range(8)}
    for blob, data in blobs.items():
        cache.hold().learn(blob, data, frozenset(), (PYTHON,))
    assert kept() == list(blobs)
    names = ", ".join(f"{'x' * 190}{number}" for number in range(190))
    blobs |= {f"long{number}": f"from a import {names}\n".encode() for number in range(8)}
    for blob, data in blobs.items():
        cache.hold().learn(blob, data, frozenset(), (PYTHON,))
    assert kept() == ["long6", "long7"]


@pytest.mark.parametrize(
    "cache", [FactsCache(max_blobs=2), FactsCache(max_sources_bytes=1_600)], ids=["blobs", "bytes"]
)
async def test_files_whose_facts_find_no_room_are_said_to_be_unread(tree: WorkTree, cache: FactsCache) -> None:
    tree.commit({f"m{number}.py": f"import a{number}\n" for number in range(3)} | {"requirements.txt": ""})
    request = Request(tree.git("rev-parse", "HEAD"), EMPTY_TREE, whole_tree=True)
    source = LocalSource(GitRepository(tree.folder / ".git"))
    check = check_of(await Evaluator(cache).evaluate(source, request), CheckCode.A9)
    assert len(check.findings) == 2
    (sentence,) = check.incomplete
    assert sentence.startswith("more files and forbidden patterns than are kept at once: `m")


async def test_imports_that_a_bound_keeps_from_being_read_are_said(tree: WorkTree) -> None:
    deep = "d/" * 101 + "m.py"
    rules = {"layers": [{"name": "all", "glob": "**", "may_import": []}]}
    files = {
        "requirements.txt": "",
        "boundaries.json": json.dumps(rules),
        "many.py": "import os\n" * 20_002,
        "long.py": f"from {' ' * 5_000}x import y\n",
        deep: "import os\n",
        "usual.py": f"t = '{'x' * 5_000}'; import os\nfrom os \\\n import path\n",
    }
    report = await evaluate_all(tree, files)
    sentences = (
        "imports beyond the number or length that is read in one file: `long.py`, `many.py`.",
        f"modules in more than 100 folders one in another: `{deep}`.",
    )
    assert [check.incomplete for check in report.checks] == [sentences, sentences, ()]


async def test_files_that_python_may_read_otherwise_do_not_pass(tree: WorkTree) -> None:
    rules = {"layers": [{"name": "all", "glob": "**", "forbidden_imports": [{"module": "yaml"}]}]}
    files = {
        "requirements.txt": "",
        "boundaries.json": json.dumps(rules),
        "coded.py": "# coding: utf-7\n+AGkAbQBwAG8AcgB0- yaml\n",
        "open.py": "import os\nx = '''\nimport yaml\n",
        "usual.py": "# coding: latin-1\nimport os\n",
    }
    checks = (await evaluate_all(tree, files)).checks
    sentences = (
        "imports of files that declare an encoding that is not read, or is not theirs; save them as UTF-8: `coded.py`.",
        "imports after a string or an f-string that does not end, or in a file with null characters: `open.py`.",
    )
    assert [check.incomplete for check in checks] == [sentences, sentences, ()]
    assert [check.result for check in checks] == [Result.WARN, Result.WARN, Result.PASS]


async def test_an_import_after_nested_quotes_is_found(tree: WorkTree) -> None:
    rules = {"layers": [{"name": "all", "glob": "**", "forbidden_imports": [{"module": "yaml"}]}]}
    text = """x = f"{"'''"}"\nimport yaml\n"""
    report = await evaluate_all(tree, {"requirements.txt": "", "boundaries.json": json.dumps(rules), "m.py": text})
    assert [(check.result, len(check.findings)) for check in report.checks][:2] == [(Result.FAIL, 1), (Result.FAIL, 1)]


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "1" * 64 + "\nsize 40\n"


def point_at_large_file_storage(tree: WorkTree) -> str:
    tree.write({"app/api/users.py": POINTER})
    return "imports of files whose contents Git LFS keeps elsewhere: `app/api/users.py`."


def link_the_file(tree: WorkTree) -> str:
    tree.write({"app/api/users.py": None, "data.txt": "import asyncpg\n"})
    (tree.folder / "app/api/users.py").symlink_to("../../data.txt")
    return UNFOLLOWED + "`app/api/users.py`."


def link_the_folder(tree: WorkTree) -> str:
    tree.write({"app/api/users.py": None, "app/api/__init__.py": None, "other/users.txt": "import asyncpg\n"})
    (tree.folder / "app/api").rmdir()
    (tree.folder / "app/api").symlink_to("../other")
    return UNFOLLOWED + "`app/api`."


def put_a_submodule_there(tree: WorkTree) -> str:
    tree.git("rm", "--quiet", "-r", "app/api")
    inner = WorkTree(tree.folder / "app/api")
    inner.commit({"users.py": "import asyncpg\n"})
    return UNFOLLOWED + "`app/api`."


def put_a_submodule_in_a_module_s_place(tree: WorkTree) -> str:
    tree.git("rm", "--quiet", "app/api/users.py")
    inner = WorkTree(tree.folder / "app/api/users")
    inner.commit({"__init__.py": "import asyncpg\n"})
    return UNFOLLOWED + "`app/api/users`."


UNFOLLOWED = "what the change put behind links and submodules, which are not followed: "


@pytest.mark.parametrize(
    "change",
    [
        point_at_large_file_storage,
        link_the_file,
        link_the_folder,
        put_a_submodule_there,
        put_a_submodule_in_a_module_s_place,
    ],
)
async def test_code_that_a_change_puts_where_it_is_not_read_does_not_pass(
    tree: WorkTree, change: Callable[[WorkTree], str]
) -> None:
    rules = {"layers": [{"name": "api", "glob": "app/api/**", "forbidden_imports": [{"module": "asyncpg"}]}]}
    files = {"boundaries.json": json.dumps(rules), "requirements.txt": "", "app/__init__.py": "", "m.py": "import os\n"}
    base = tree.commit({**files, "app/api/__init__.py": "", "app/api/users.py": "x = 1\n"})
    sentence = change(tree)
    tree.commit({})
    report = await evaluate(tree, base)
    for code in (CheckCode.A4, CheckCode.A9):
        check = check_of(report, code)
        assert (check.result, check.incomplete) == (Result.WARN, (sentence,))
    base = tree.git("rev-parse", "HEAD")
    tree.commit({"m.py": "import sys\n"})
    later = check_of(await evaluate(tree, base), CheckCode.A4)
    assert (later.result == Result.PASS) == (change is not point_at_large_file_storage)


@pytest.mark.parametrize(
    ("link", "target", "text"),
    [
        ("web/x", "../store", "from web.x import conn\n"),
        ("web/x", "../store", "import os, web.x.conn as c\n"),
        ("web/x", "../store", "from web import x\n"),
        ("web/x", "../store", "from .x.conn import y\n"),
        ("x", "store", "import x.conn\n"),
    ],
)
async def test_a_link_to_a_folder_through_which_a_layer_imports_is_said(
    tree: WorkTree, link: str, target: str, text: str
) -> None:
    layers = [{"name": "web", "glob": "web/**", "may_import": []}, {"name": "store", "glob": "store/**"}]
    files = {"boundaries.json": json.dumps({"layers": layers}), "web/v.py": "", "web/__init__.py": ""}
    base = tree.commit({**files, "store/conn.py": "", "docs/a.py": "import os\n"})
    (tree.folder / "docs/x").symlink_to("../store")
    (tree.folder / link).symlink_to(target)
    linked = tree.commit({})
    assert check_of(await evaluate(tree, base), CheckCode.A4).result is Result.PASS
    tree.commit({"web/v.py": text})
    check = check_of(await evaluate(tree, base), CheckCode.A4)
    assert (check.result, check.incomplete) == (Result.WARN, (f"{UNFOLLOWED}`{link}`.",))
    note = f"Imports pass links, which are not followed: `{link}`."
    assert check_of(await evaluate(tree, linked), CheckCode.A4).notes == (note,)


async def test_links_of_the_same_name_elsewhere_hide_none(tree: WorkTree) -> None:
    files = {"requirements.txt": "", "src/app.py": "import os\n", "db/engine.py": "", "pyproject.toml": ""}
    base = tree.commit(files)
    for number in range(40):
        (tree.folder / f"docs/v{number}/src").mkdir(parents=True)
        (tree.folder / f"docs/v{number}/src/attr").symlink_to("../../../db")
    (tree.folder / "src/attr").symlink_to("../db")
    tree.commit({"src/app.py": "from attr.engine import E\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert f"{UNFOLLOWED}`src/attr`." in check.incomplete


class CountedLinks(set[str]):
    """Links that count the questions for one of them."""

    asked = 0

    def __contains__(self, link: object) -> bool:
        self.asked += 1
        return super().__contains__(link)


def test_a_name_that_is_imported_again_and_again_is_looked_for_once() -> None:
    links = CountedLinks(f"d{number}/e/foo" for number in range(100))
    names = ",".join(["foo"] * 5_000)
    head, held = Tree({"a.py": "1"}, frozenset(links)), FactsCache().hold()
    held.learn("1", f"from . import {names}\n".encode(), frozenset(), [PYTHON])
    assert through_links(links, ["a.py"], head, Facts(held.sources, {}), ModuleIndex(["a.py"])) == {}
    assert links.asked < 10


async def test_links_and_submodules_beside_the_code_are_no_matter(tree: WorkTree) -> None:
    base = tree.commit({"requirements.txt": "", "a.py": "import os\n"})
    (tree.folder / "LICENSE").symlink_to("a.py")
    (tree.folder / "docs").symlink_to("nowhere")
    tree.git("add", "--all")
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{base},vendor")
    tree.git("commit", "--quiet", "-m", "links")
    assert all(check.incomplete == () for check in (await evaluate(tree, base)).checks)


async def test_boundaries_files_over_the_bound_are_said(tree: WorkTree) -> None:
    files = {f"p{number}/boundaries.json": '{"layers": [{"name": "a", "glob": "**"}]}' for number in range(102)}
    check = check_of(
        await evaluate_all(tree, {**files, ".forgeguard.yml": "checks: {A4: {boundaries: '*/boundaries.json'}}\n"}),
        CheckCode.A4,
    )
    assert (check.result, check.incomplete) == (Result.WARN, ("2 boundaries files after the first 100.",))


async def test_what_a_partial_clone_lacks_is_said_and_its_rules_are_needed(tree: WorkTree, tmp_path: Path) -> None:
    tree.git("config", "uploadpack.allowFilter", "true")
    head = tree.commit({"requirements.txt": "", "a.py": "import yaml\n", "s.txt": TOKEN})

    async def evaluated(base: str = EMPTY_TREE) -> Report:
        clone = tmp_path / head
        tree.git("clone", "--quiet", "--no-checkout", "--filter=blob:none", tree.folder.as_uri(), str(clone))
        view = WorkTree(tmp_path / f"view-{head}")  # borrows the objects, as the command line does
        (view.folder / ".git/objects/info/alternates").write_text(f"{clone}/.git/objects\n")
        source = LocalSource(GitRepository(view.folder / ".git"))
        return await Evaluator().evaluate(source, Request(head, base, whole_tree=base == EMPTY_TREE))

    report = await evaluated()
    how = "; `git fetch --refetch --no-filter` brings what a partial clone lacks."
    assert check_of(report, CheckCode.A9).incomplete == (f"not in this clone: `a.py`, `requirements.txt`{how}",)
    assert check_of(report, CheckCode.W1).incomplete == (
        f"not in this clone: `a.py`, `requirements.txt`, `s.txt`{how}",
    )
    base, head = head, tree.commit({"a.py": "import yaml, os\n"})
    with pytest.raises(GitLacksObjects, match="unable to read"):
        await evaluated(base)
    head = tree.commit({"boundaries.json": '{"layers": []}'})
    with pytest.raises(GitLacksObjects, match=r"boundaries\.json`: not in this clone"):
        await evaluated()


async def test_files_of_the_same_layers_share_one_set_of_patterns(tree: WorkTree) -> None:
    layers = [{"name": f"l{n}", "glob": "*.py", "forbidden": [{"pattern": f"p{n}"}]} for n in range(3)]
    tree.commit({"boundaries.json": json.dumps({"layers": layers}), "a.py": "p1\n", "b.py": "p1 p2\n"})
    cache = FactsCache()
    request = Request(tree.git("rev-parse", "HEAD"), EMPTY_TREE, whole_tree=True)
    check = check_of(
        await Evaluator(cache).evaluate(LocalSource(GitRepository(tree.folder / ".git")), request), CheckCode.A4
    )
    assert len(check.findings) == 3
    held = cache.hold()
    tree_blobs = tree.git("rev-parse", "HEAD:a.py", "HEAD:b.py").split()
    assert not any(held.lacks(blob, frozenset({"p0", "p1", "p2"}), ()) for blob in tree_blobs)
    first, second = held.matches.values()
    assert first.searched is second.searched
    assert [*first.found, *second.found] == ["p1", "p1", "p2"]


def nested(tree: WorkTree, blob: str, *numbers: int) -> str:
    """Commit a few git trees that name each other: the blob in as many folders as the product of the numbers."""
    inner = tree.git("mktree", stdin=f"100644 blob {blob}\tm.py\n")
    for number in numbers:
        inner = tree.git("mktree", stdin="".join(f"040000 tree {inner}\t{name:04}\n" for name in range(number)))
    return tree.git("commit-tree", "-m", "nested", inner)


@pytest.mark.nightly
async def test_four_hundred_thousand_folders_of_a_few_trees_are_said(tree: WorkTree) -> None:
    blob = tree.git("hash-object", "-w", "--stdin", stdin="import os\n")
    head = nested(tree, blob, 1_000, 401)
    source = LocalSource(GitRepository(tree.folder / ".git"))
    report = await Evaluator(timeout_s=500).evaluate(source, Request(head, EMPTY_TREE, whole_tree=True))
    assert check_of(report, CheckCode.A9).incomplete == (
        "modules in more than 400,000 folders, whose imports are not resolved.",
    )


NO_ROOM = "more configuration and manifests than are read at once: "


async def evaluate_within(tree: WorkTree, max_kept_bytes: int, request: Request) -> Report:
    source = LocalSource(GitRepository(tree.folder / ".git"))
    return await Evaluator(max_kept_bytes=max_kept_bytes).evaluate(source, request)


async def test_manifests_beyond_the_room_for_them_are_said_and_do_not_pass(tree: WorkTree) -> None:
    manifests = {f"p{number}/requirements.txt": f"# {number}{'x' * 1_000}\n" for number in range(3)}
    head = tree.commit({**manifests, "a.py": "import os\n"})
    report = await evaluate_within(tree, 2_500, Request(head, EMPTY_TREE, whole_tree=True))
    assert [(check.result, check.incomplete) for check in report.checks] == [
        (Result.PASS, ()),
        (Result.WARN, (f"{NO_ROOM}`p2/requirements.txt`.",)),
        (Result.PASS, ()),
    ]


async def test_a_manifest_of_the_base_without_room_is_said(tree: WorkTree) -> None:
    old = "p/requirements.txt"
    base = tree.commit({old: f"requests # {'x' * 1_000}\n", "requirements.txt": "", "a.py": "import os\n"})
    tree.git("rm", "--quiet", old)
    head = tree.commit({"a.py": "import sys\n"})
    check = check_of(await evaluate_within(tree, 500, Request(head, base)), CheckCode.A9)
    assert (check.result, check.incomplete) == (Result.WARN, (f"{NO_ROOM}`{old}`.",))


@pytest.mark.parametrize(
    ("path", "result", "incomplete"),
    [(".forgeguard.yml", Result.ERROR, ()), (".gitleaks.toml", Result.WARN, (f"{NO_ROOM}`.gitleaks.toml`.",))],
)
async def test_configuration_without_room_passes_no_check(
    tree: WorkTree, path: str, result: Result, incomplete: tuple[str, ...]
) -> None:
    head = tree.commit({path: f"# {'x' * 1_000}\n", "a.py": "import os\n", "requirements.txt": ""})
    report = await evaluate_within(tree, 500, Request(head, EMPTY_TREE, whole_tree=True))
    assert {(check.result, check.incomplete) for check in report.checks} == {(result, incomplete)}


async def test_a_head_without_history_does_not_escape_the_configuration_of_its_target(tree: WorkTree) -> None:
    target = tree.commit({"requirements.txt": "", "a.py": "import os\n"})
    tree.commit({"a.py": "import yaml\n", ".github/forgeguard.yml": "enabled: false\n"})
    orphan = tree.git("commit-tree", "HEAD^{tree}", "-m", "no parent")
    owner = PolicySettings(enforce=Enforcement(policy="target"))
    request = Request(orphan, EMPTY_TREE, target=target, owner=owner)
    check = check_of(
        await Evaluator().evaluate(LocalSource(GitRepository(tree.folder / ".git")), request), CheckCode.A9
    )
    assert (check.result, [finding.subject for finding in check.findings]) == (Result.FAIL, ["yaml"])


async def test_modules_of_the_settings_are_looked_for_without_keeping_all_that_are_imported(tree: WorkTree) -> None:
    policy = "checks: {A9: {ignore_modules: [zzz, m1.n7, m2]}}\n"
    names = ", ".join(f"n{number}" for number in range(9_000))
    files = {f"f{n}.py": f"from m{n}.{'x' * 190} import {names}\n" for n in range(9)}
    report = await evaluate_all(tree, {".forgeguard.yml": policy, "m.py": f"from m1 import {names}\n", **files})
    notes = [note for check in report.checks for note in check.notes if "no file imports" in note]
    assert len(notes) == 1
    assert "zzz" in notes[0]


async def test_large_configuration_at_head_leaves_the_target_s_rules_their_room(tree: WorkTree) -> None:
    rules = {"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad"}]}]}
    base = tree.commit({"boundaries.json": json.dumps(rules), "a.py": ""})
    head = tree.commit({"boundaries.json": '{"layers": []}' + " " * 950, "a.py": "bad\n"})
    owner = PolicySettings(enforce=Enforcement(policy="target"))
    check = check_of(await evaluate_within(tree, 1_000, Request(head, base, target=base, owner=owner)), CheckCode.A4)
    assert check.result is Result.ERROR, "the head's file has no room; the target's rules would be skipped as broken"


async def test_the_lines_around_findings_are_bounded_in_bytes(tree: WorkTree) -> None:
    rule = {"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}
    base = tree.commit({"boundaries.json": json.dumps(rule)})
    tree.commit({"a.py": f"# bad {chr(0x20000) * 240}\n" * MOST})
    check = check_of(await evaluate(tree, base, excerpts=True), CheckCode.A4)
    shown = [finding.excerpt.text for finding in check.findings if finding.excerpt]
    assert len(check.findings) == MOST
    size = sum(len(text.encode()) for text in shown)
    assert MAX_BYTES <= size < MAX_BYTES + len(shown[0].encode()) * 2, "one more than there is room for"
    assert all(finding.excerpt for finding in check.findings[: len(shown)]), "the first ones have theirs"
