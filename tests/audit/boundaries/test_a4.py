"""A4 on small trees: what is found, what must not be."""

from __future__ import annotations

import json

import pytest

from forgeguard_app.audit.model import CheckCode, CheckReport, Level, Result
from forgeguard_app.audit.report import summary_markdown
from tests.support.evaluated import check_of, evaluate, evaluate_all, places
from tests.support.repositories import Files, WorkTree


def boundaries(**keys: object) -> str:
    return json.dumps({"layers": [], **keys})


LAYERS = [
    {"name": "api", "glob": "app/api/**/*.py"},
    {"name": "services", "glob": "app/services/**/*.py"},
    {"name": "repos", "glob": "app/repos/**/*.py"},
]
PACKAGE = {f"app/{name}__init__.py": "" for name in ("", "api/", "services/", "repos/")}


async def a4(tree: WorkTree, files: Files) -> CheckReport:
    return check_of(await evaluate_all(tree, files), CheckCode.A4)


async def test_forbidden_patterns_are_found_at_their_lines(tree: WorkTree) -> None:
    rules = [
        {"name": "api", "glob": "app/**/*.py", "forbidden": [{"pattern": r"\bSELECT\b.*\bFROM\b", "reason": "SQL"}]}
    ]
    source = "x = 1\nq = 'SELECT a FROM b'\nselect = 'select a from b'\nr = 'SELECT'\ns = 'FROM'\n"
    check = await a4(tree, {"boundaries.json": boundaries(layers=rules), "app/a.py": source, "other.py": source})
    assert places(check.findings) == [("app/a.py", 2, r"api/forbidden/\bSELECT\b.*\bFROM\b")]
    assert check.findings[0].column == 6
    assert "SQL" in check.findings[0].message
    assert check.result is Result.FAIL


async def test_anchors_are_line_ends_and_a_dot_crosses_lines_only_when_told(tree: WorkTree) -> None:
    rules = [
        {
            "name": "a",
            "glob": "*.txt",
            "forbidden": [{"pattern": p, "reason": "r"} for p in ("^b$", "a.b", "(?s)c.d", "(?i)E")],
        }
    ]
    check = await a4(tree, {"boundaries.json": boundaries(layers=rules), "x.txt": "a\nb\nc\nd\ne\n"})
    assert [(f.line, f.end_line, f.rule.rpartition("/")[2]) for f in check.findings] == [
        (2, 2, "^b$"),
        (3, 4, "(?s)c.d"),
        (5, 5, "(?i)E"),
    ]


async def test_imports_are_parsed_not_matched(tree: WorkTree) -> None:
    rules = [
        {
            "name": "api",
            "glob": "app/api/**/*.py",
            "forbidden_imports": [{"module": "asyncpg", "reason": "no"}, {"module": "app.db", "reason": "no"}],
        }
    ]
    files = {
        **PACKAGE,
        "boundaries.json": boundaries(layers=rules),
        "app/db.py": "",
        "app/api/bad.py": "import os\n# import asyncpg\ns = 'import asyncpg'\ndef f():\n    import "
        "asyncpg.pool\nfrom app import db\nfrom .. import db\nfrom ..db import x\n",
        "app/api/good.py": "import asyncpg_stubs\nfrom app import dbx\nimport app\n",
    }
    check = await a4(tree, files)
    assert [(f.path, f.line) for f in check.findings] == [("app/api/bad.py", n) for n in (5, 6, 7, 8)]


async def test_may_import_names_the_layers_that_may_be_reached(tree: WorkTree) -> None:
    layers = [{**LAYERS[0], "may_import": ["services"]}, *LAYERS[1:]]
    files = {
        **PACKAGE,
        "boundaries.json": boundaries(layers=layers),
        "app/services/s.py": "from app.repos import r\n",
        "app/repos/r.py": "",
        "app/api/a.py": "import json\nfrom app.services import s\nfrom app.api import b\nfrom app.repos import "
        "r\nfrom ..repos.r import x, y\n",
        "app/api/b.py": "",
    }
    check = await a4(tree, files)
    assert places(check.findings) == [
        ("app/api/a.py", 4, "api/may_import/repos"),
        ("app/api/a.py", 5, "api/may_import/repos"),
    ]


async def test_order_lets_upper_import_lower_and_parts_neighbours(tree: WorkTree) -> None:
    layers = [*LAYERS, {"name": "clients", "glob": "app/clients/*.py"}]
    files = {
        **PACKAGE,
        "boundaries.json": boundaries(layers=layers, order=["api", "services", ["repos", "clients"]]),
        "app/clients/__init__.py": "",
        "app/clients/c.py": "from app.repos import r\nimport app.services.s\n",
        "app/repos/r.py": "import app.clients.c\n",
        "app/services/s.py": "import app.repos.r\nfrom app.api import a\n",
        "app/api/a.py": "from app.services import s\nfrom app.repos import r\n",
    }
    check = await a4(tree, files)
    assert places(check.findings) == [
        ("app/clients/c.py", 1, "clients/order/repos"),
        ("app/clients/c.py", 2, "clients/order/services"),
        ("app/repos/r.py", 1, "repos/order/clients"),
        ("app/services/s.py", 2, "services/order/api"),
    ]


async def test_exhaustive_wants_a_layer_for_every_module_of_a_divided_package(tree: WorkTree) -> None:
    layers = [{"name": "core", "glob": "pkg/core.py"}]
    files = {
        "boundaries.json": boundaries(layers=layers, exhaustive=True),
        "pkg/__init__.py": '"""Only a docstring."""\n',
        "pkg/core.py": "",
        "pkg/new.py": "x = 1\n",
        "pkg/sub/__init__.py": "from . import z\n",
        "pkg/sub/deep.py": "",
        "other/free.py": "x = 1\n",
        "setup.py": "",
    }
    check = await a4(tree, files)
    assert [f.path for f in check.findings] == ["pkg/new.py", "pkg/sub/__init__.py", "pkg/sub/deep.py"]


async def test_a_cycle_of_layers_is_named_at_its_thinnest_link(tree: WorkTree) -> None:
    files = {
        **PACKAGE,
        "boundaries.json": boundaries(layers=LAYERS, acyclic=True),
        "app/api/a.py": "import app.services.s\n",
        "app/api/b.py": "import app.services.s\n",
        "app/services/s.py": "import app.repos.r\nfrom app.services import t\n",
        "app/services/t.py": "import app.repos.r\nimport app.services.s\n",
        "app/repos/r.py": "def late():\n    from app.api import a\n",
    }
    check = await a4(tree, files)
    assert places(check.findings) == [("app/repos/r.py", 2, "repos/acyclic/api")]
    assert "'repos' → 'api' → 'services' → 'repos'" in check.findings[0].message


async def test_src_layout_and_names_counted_from_the_source_folder(tree: WorkTree) -> None:
    layers = [
        {"name": "a", "glob": "src/pkg/a.py", "forbidden_imports": [{"module": "pkg.b", "reason": "r"}]},
        {"name": "b", "glob": "src/pkg/b.py"},
    ]
    files = {
        "boundaries.json": boundaries(layers=layers, order=["b", "a"]),
        "pyproject.toml": "",
        "src/pkg/__init__.py": "",
        "src/pkg/a.py": "from .b import x\n",
        "src/pkg/b.py": "",
    }
    check = await a4(tree, files)
    assert places(check.findings) == [
        ("src/pkg/a.py", 1, "a/forbidden_imports/pkg.b"),
        ("src/pkg/a.py", 1, "a/order/b"),
    ]


async def test_known_violations_are_passed_over(tree: WorkTree) -> None:
    layers = [{"name": "api", "glob": "**/*.py", "forbidden": [{"pattern": "asyncpg", "reason": "r"}]}]
    known = [
        {"layer": "api", "file": "legacy.py", "pattern": "asyncpg"},
        {"layer": "gone", "file": "x.py", "pattern": "y"},
    ]
    files = {
        "boundaries.json": boundaries(layers=layers, known_violations=known),
        "app/legacy.py": "asyncpg",
        "app/notlegacy.py": "asyncpg",
        "new.py": "asyncpg",
    }
    check = await a4(tree, files)
    assert [f.path for f in check.findings if f.level is Level.FAILURE] == ["app/notlegacy.py", "new.py"]
    (notice,) = [f for f in check.findings if f.level is Level.NOTICE]
    assert (notice.path, notice.rule) == ("boundaries.json", "configuration-notice")
    assert "'gone'" in notice.message


async def test_globs_count_from_the_file_s_own_folder_but_from_the_root_in_forge_contracts(tree: WorkTree) -> None:
    rule = boundaries(layers=[{"name": "a", "glob": "a.py", "forbidden": [{"pattern": "x", "reason": "r"}]}])
    files = {
        ".github/forgeguard.yml": "checks: {A4: {boundaries: ['svc/*/boundaries.json', "
        "Forge/Contracts/boundaries.json]}}",
        "svc/one/boundaries.json": rule,
        "Forge/Contracts/boundaries.json": rule,
    }
    check = await a4(
        tree, {**files, "svc/one/a.py": "x", "svc/two/a.py": "x", "a.py": "x", "Forge/Contracts/a.py": "x"}
    )
    assert sorted(f.path for f in check.findings) == ["a.py", "svc/one/a.py"]


async def test_new_is_what_head_has_more_of_than_base(tree: WorkTree) -> None:
    layers = [{"name": "all", "glob": "**/*.py", "forbidden_imports": [{"module": "asyncpg", "reason": "r"}]}]
    base = tree.commit(
        {
            "boundaries.json": boundaries(layers=layers),
            "old.py": "import asyncpg\nx = 1\n",
            "moved.py": "import asyncpg\n" + "x = 1\n" * 20,
        }
    )
    tree.git("mv", "moved.py", "there.py")
    tree.commit(
        {
            "old.py": "import os\n\nimport asyncpg\nx = 1\nimport asyncpg.pool\nimport asyncpg\n",
            "there.py": "# moved\nimport asyncpg\n" + "x = 1\n" * 20,
        }
    )
    check = check_of(await evaluate(tree, base), CheckCode.A4)
    assert [(f.path, f.line) for f in check.findings if f.new] == [("old.py", 5), ("old.py", 6)]
    assert check.title == "2 new boundary violations (2 existing)"
    assert len({f.fingerprint for f in check.findings}) == 4


@pytest.mark.parametrize(
    ("gate", "counted"), [("new", ["b.py"]), ("changed", ["b.py", "b.py"]), ("all", ["a.py", "b.py", "b.py"])]
)
async def test_the_gate_decides_what_counts(tree: WorkTree, gate: str, counted: list[str]) -> None:
    layers = [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "r"}]}]
    base = tree.commit(
        {
            "boundaries.json": boundaries(layers=layers),
            ".forgeguard.yml": f"gate: {gate}",
            "a.py": "bad",
            "b.py": "bad\n",
        }
    )
    tree.commit({"b.py": "bad\nbad\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A4)
    assert [f.path for f in check.counted] == counted


async def test_level_warn_never_fails(tree: WorkTree) -> None:
    layers = [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "r"}]}]
    report = await evaluate_all(
        tree,
        {"boundaries.json": boundaries(layers=layers), ".forgeguard.yml": "checks: {A4: {level: warn}}", "a.py": "bad"},
    )
    assert check_of(report, CheckCode.A4).result is Result.WARN
    assert check_of(report, CheckCode.A4).findings[0].level is Level.WARNING
    assert report.overall_result is Result.PASS


async def test_ignored_paths_are_in_no_layer(tree: WorkTree) -> None:
    layers = [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "r"}]}]
    files = {
        "boundaries.json": boundaries(layers=layers, exhaustive=True),
        ".forgeguard.yml": "ignore: ['vendor/**']",
        "vendor/a.py": "bad",
        "a.py": "bad",
    }
    assert [f.path for f in (await a4(tree, files)).findings] == ["a.py"]


async def test_everything_wrong_in_a_boundaries_file_is_told_at_once(tree: WorkTree) -> None:
    text = """{
  "layer": [],
  "layers": [
    {"name": "a", "glob": "a/**", "may_import": ["b", "nobody"], "forbiden": []},
    {"name": "a", "glob": 3, "forbidden": [{"pattern": "(?=x)", "reason": "r"}, {"pattern": "(", "reason": "r"}]},
    {"glob": "/abs", "forbidden_imports": [{"module": "not a module"}]}
  ],
  "order": ["a", "ghost"],
  "exhaustive": "yes"
}"""
    check = await a4(tree, {"boundaries.json": text, "a/x.py": ""})
    assert check.result is Result.ERROR
    lines = sorted((p.line, p.message.split(";")[0][:40]) for p in check.problems)
    assert [line for line, _ in lines] == [2, 4, 4, 4, 5, 5, 5, 5, 6, 6, 6, 8, 9]
    assert any("did you mean 'forbidden'" in p.message for p in check.problems)
    assert any("look-around" in p.message for p in check.problems)


async def test_a_named_file_that_does_not_exist_is_an_error_on_its_line(tree: WorkTree) -> None:
    check = await a4(tree, {".github/forgeguard.yml": "checks:\n  A4:\n    boundaries: [nowhere.json]\n"})
    assert check.result is Result.ERROR
    assert [(p.path, p.line) for p in check.problems] == [(".github/forgeguard.yml", 3)]


async def test_without_boundaries_there_is_nothing_to_check(tree: WorkTree) -> None:
    check = await a4(tree, {"a.py": "import x"})
    assert (check.result, check.title) == (Result.PASS, "Nothing to check: no boundaries.json")


async def test_a_hostile_pattern_on_a_megabyte_is_linear(tree: WorkTree) -> None:
    layers = [
        {
            "name": "all",
            "glob": "*.py",
            "forbidden": [{"pattern": "(a+)+$", "reason": "r"}, {"pattern": "(?:x+x+)+y", "reason": "r"}],
        }
    ]
    check = await a4(
        tree, {"boundaries.json": boundaries(layers=layers), "a.py": "a" * 1_000_000 + "!\n" + "x" * 100_000}
    )
    assert check.result is Result.PASS


@pytest.mark.parametrize("suffix", ["sql", "cs", "ps1", "ts"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig"])
async def test_patterns_are_found_in_files_of_every_unicode_encoding(
    tree: WorkTree, encoding: str, suffix: str
) -> None:
    layers = [{"name": "all", "glob": f"*.{suffix}", "forbidden": [{"pattern": "^DROP|DROP TABLE", "reason": "r"}]}]
    text = "DROP\r\n-- tables\r\n/* é */ DROP TABLE x;\r\n"
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), f"a.{suffix}": text.encode(encoding)})
    found = [(finding.line, finding.column, finding.end_column) for finding in check.findings]
    assert found == [(1, 1, 5), (3, 9, 19)]


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("foo$", [(1, 3, 6), (3, 1, 4)]),
        ("^foo$", [(3, 1, 4)]),
        (r"foo\s+$", [(2, 1, 5)]),
        ("foo.$", [(2, 1, 5)]),
        (r"foo\r?$", [(1, 3, 7), (3, 1, 4)]),
        (r"\x0D\n", [(1, 6, 7), (2, 5, 6)]),
        ("foo\n\n", []),
        (r"[\\root]o$", [(1, 4, 6), (3, 2, 4)]),
        ("foo \nfoo", [(2, 1, 4)]),
    ],
)
async def test_a_line_ends_before_a_carriage_return_and_a_line_feed(
    tree: WorkTree, pattern: str, found: list[tuple[int, int, int]]
) -> None:
    layers = [{"name": "all", "glob": "*.sql", "forbidden": [{"pattern": pattern, "reason": "r"}]}]
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), "a.sql": b"a foo\r\nfoo \r\nfoo\nx\n"})
    assert [(finding.line, finding.column, finding.end_column) for finding in check.findings] == found


async def test_control_characters_behind_a_byte_order_mark_hide_nothing(tree: WorkTree) -> None:
    layers = [{"name": "all", "glob": "*.ts", "forbidden": [{"pattern": "DROP TABLE", "reason": "r"}]}]
    text = "/*" + "\1" * 5_000 + "*/\nDROP TABLE x\n"
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), "a.ts": text.encode("utf-16")})
    assert [(finding.line, finding.column) for finding in check.findings] == [(2, 1)]


async def test_the_text_in_a_binary_file_is_searched_as_it_is(tree: WorkTree) -> None:
    layers = [{"name": "all", "glob": "*.bin", "forbidden": [{"pattern": "DROP TABLE", "reason": "r"}]}]
    data = bytes(range(256)) * 40 + b"\nDROP TABLE x\n"
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), "a.bin": data})
    assert [finding.subject for finding in check.findings] == ["DROP TABLE"]


async def test_matches_are_capped_and_said(tree: WorkTree) -> None:
    layers = [
        {
            "name": "all",
            "glob": "*.py",
            "forbidden": [{"pattern": "a", "reason": "r"}, {"pattern": "b*", "reason": "r"}],
        }
    ]
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), "a.py": "a\n" * 1_500})
    assert len(check.findings) == 1_000
    assert check.incomplete == ("matches after the first 1,000 of a pattern: 'a' in `a.py`.",)


async def test_a_file_too_large_for_a_pattern_that_crosses_lines_is_searched_in_pieces_and_said(tree: WorkTree) -> None:
    patterns = ["|".join(f"{word}{blank}[ab]{{900}}" for word in ("key", *"cdefghi")) for blank in (r"\s", ".")]
    layers = [{"name": "all", "glob": "*.py", "forbidden": [{"pattern": p, "reason": "r"} for p in patterns]}]
    text = "# x\n" * 4_000 + "# key " + "a" * 900
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), "a.py": text, "b.py": "# key\n"})
    assert [(finding.path, finding.line) for finding in check.findings] == [("a.py", 4_001)] * 2
    (sentence,) = check.incomplete
    assert sentence.startswith("long matches of patterns that may cross lines")
    assert "in `a.py`" in sentence
    assert "b.py" not in sentence
    assert "key." not in sentence


async def test_a_line_break_in_a_path_hides_no_file(tree: WorkTree) -> None:
    layers = [{"name": "app", "glob": ["app/**", "!app/ok*"], "forbidden": [{"pattern": "a", "reason": "r"}]}]
    files = {"boundaries.json": boundaries(layers=layers), "app/x\ny.py": "a\n", "app/z.py\n": "a\n"}
    check = await a4(tree, files)
    assert [finding.path for finding in check.findings] == ["app/x\ny.py", "app/z.py\n"]


async def test_a_stranger_s_markup_takes_no_effect_in_the_summary(tree: WorkTree) -> None:
    layers = [{"name": "[click](https://evil.invalid) <img> @everyone", "glob": "nothing/**"}]
    check = await a4(tree, {"boundaries.json": boundaries(layers=layers), "a.py": ""})
    summary = summary_markdown(check)
    assert "click" in summary
    assert not any(markup in summary for markup in ("](", "<img", "@everyone"))
