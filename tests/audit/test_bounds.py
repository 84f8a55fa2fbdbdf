"""Inputs made to take the square of their size: each gives its answer, with a message where a bound was met.

No test asserts a time; without the linear algorithms these run for minutes.
"""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.graph import thinnest_links
from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.match import BoundaryMatcher
from forgeguard_app.audit.boundaries.parse import Boundaries, Layer, read_boundaries
from forgeguard_app.audit.boundaries.pattern_search import find_all_matches
from forgeguard_app.audit.check import Change
from forgeguard_app.audit.checks import a4_boundaries, a9_dependencies
from forgeguard_app.audit.configuration import EffectiveConfig
from forgeguard_app.audit.cycles import cyclic_arrows
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.fingerprints import mark_new
from forgeguard_app.audit.languages import python_literals
from forgeguard_app.audit.languages.imports import Cut, Guard
from forgeguard_app.audit.languages.python import PYTHON, _Blocks, _Lines, python_facts
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.memo import Memo
from forgeguard_app.audit.model import CheckCode, Finding, Level
from forgeguard_app.audit.patterns import CompiledPatterns
from forgeguard_app.audit.policy import PolicySettings, read_settings, resolve
from forgeguard_app.audit.requirements.declared import DeclarationIndex, differences
from forgeguard_app.audit.requirements.model import Declared, DependencyScope, Manifest
from forgeguard_app.audit.requirements.readers import is_manifest, read_manifest
from forgeguard_app.audit.scope import EVERYWHERE
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.gitleaks_files import read_exceptions
from tests.support.in_memory import evaluate_in_memory

LAYER = {"name": "all", "glob": "**"}
DOTTED = "a." * 50_000 + "a = 1\n"


def test_a_toml_key_of_thousands_of_parts_is_refused_on_its_line() -> None:
    manifest = read_manifest("pyproject.toml", f"[project]\nname = 'x'\n{DOTTED}".encode())
    assert [(problem.line, problem.message) for problem in manifest.problems] == [
        (3, "a key of more than 32 parts is not read")
    ]
    manifest = read_manifest("Pipfile", ("x = { " + '"q". ' * 40 + "y = 1 }").encode())
    assert [problem.line for problem in manifest.problems] == [1]
    assert read_exceptions(DOTTED.encode(), None)[1][0].message == "a key of more than 32 parts is not read"


def test_dots_outside_of_keys_are_no_parts() -> None:
    text = f"""[project]
name = "x"
description = "{"a." * 100}"
dependencies = ["b"]  # {"a." * 100}
readme = '''
{". " * 100}
'''
[tool.x]
{".".join("abcdefghij")} = 1.5
"""
    manifest = read_manifest("pyproject.toml", text.encode())
    assert manifest.problems == ()
    assert [requirement.name for requirement in manifest.declared] == ["b"]


@pytest.mark.parametrize(
    "text",
    ["x = 'don't [[[\n" * 3, r'x = "\"[[[', 'x = """ \'[[[ # """ ]', "x = '''\\''' ]", "y = 'C:\\' ]"],
)
def test_what_is_not_toml_is_said_by_its_parser(text: str) -> None:
    assert read_manifest("Pipfile", text.encode()).problems[0].message.startswith("not TOML: ")


def test_brackets_and_dots_in_texts_of_many_lines_are_passed_over() -> None:
    inside = "[" * 200 + "don't say \" " + "." * 50 + "\n" + "a." * 50 + "\n"
    text = f'name = """{inside}\\\\""""\n[packages]\nb = {{x = \'\'\'{inside}\'\'\', y = "]", z = \'C:\\\'}}\n'
    assert read_manifest("Pipfile", text.encode()).declared[0].name == "b"
    text = f"import setuptools\n'''{inside}'''\nx = 'a\\\n{'[' * 200}'\nsetuptools.setup(install_requires=['b'])\n"
    assert read_manifest("setup.py", text.encode()).declared[0].name == "b"


def test_what_follows_a_text_of_many_lines_is_measured() -> None:
    text = "x = {a = '''\ndon't say \" or # ''', "
    key = read_manifest("Pipfile", f"{text}{'b.' * 50_000}b = 1}}\n".encode())
    deep = read_manifest("Pipfile", f"{text}b = {'[' * 101}".encode())
    assert [(manifest.problems[0].line, manifest.problems[0].message) for manifest in (key, deep)] == [
        (2, "a key of more than 32 parts is not read"),
        (2, "nested more than 100 deep"),
    ]


@pytest.mark.parametrize("begin", ['"', "'", '"""', "'''", "a"])
@pytest.mark.parametrize("piece", [r"\"", r"\'", r"\"\'", r".\"", '"', "'", "'\"", "\\", '"""\\', '"""""""'])
def test_texts_that_are_never_closed(begin: str, piece: str) -> None:
    text = f"x = {begin}{piece * (190_000 // len(piece))}".encode()
    for name in ("pyproject.toml", "Pipfile", "setup.py"):
        assert read_manifest(name, text).declared == ()
    assert read_exceptions(text, None)[0].allowlists == ()


@pytest.mark.parametrize("text", ["x = " + "[" * 100_000, "x = " + "{a=" * 100_000, "a = " + "9" * 5_000])
def test_toml_that_its_parser_cannot_take_is_a_problem(text: str) -> None:
    assert len(read_manifest("pyproject.toml", f"\n{text}".encode()).problems) == 1
    assert len(read_exceptions(text.encode(), None)[1]) == 1


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "(" * 150_000,
        "f(" * 90_000,
        "x = 1" + " + 1" * 40_000,
        "x = " + "-" * 150_000 + "1",
        "a" + ".b" * 90_000,
    ],
)
def test_setup_py_that_is_nested_too_deeply_makes_its_list_doubtful(text: str) -> None:
    manifest = read_manifest("setup.py", f"import setuptools\n{text}\nsetuptools.setup()".encode())
    assert manifest.problems == ()
    assert manifest.opaque or not manifest.is_project


def test_blocks_nested_thousands_deep_are_read_in_one_pass() -> None:
    depth = 500
    lines = [f"{' ' * level}try:" for level in range(depth)]
    lines += [f"{' ' * depth}import a{number}" for number in range(500)]
    lines += [
        f"{' ' * level}except {'ImportError' if level == 7 else 'OSError'}: pass" for level in reversed(range(depth))
    ]
    facts = python_facts("\n".join(lines).encode())
    assert len(facts.imports) == 500
    assert {imported.guard for imported in facts.imports} == {Guard.TRY}
    blocks = _Blocks(_Lines("\n".join(lines)))
    assert blocks.guard_above(depth) is Guard.TRY
    assert len(blocks._above) == depth + 1  # each block was looked at, and is known to the imports that follow


def test_guards_are_found_at_any_distance() -> None:
    body = "    x = 1\n" * 5_000
    facts = python_facts(
        f"try:\n{body}    import a\n{body}except ImportError:\n{body}    import b\nimport c\n".encode()
    )
    assert [(imported.module, imported.guard) for imported in facts.imports] == [
        ("a", Guard.TRY),
        ("b", Guard.TRY),
        ("c", Guard.NONE),
    ]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("import a;" * 15_000, 15_000),
        ("from x import " * 15_000, 15_000),
        ("import " + "a, " * 30_000 + "a", 30_001),
        ("from a import (" + "b, " * 50_000 + ")", 1),
        ("from" + " " * 200_000 + "x import y\nimport z", 2),
        ("from a import (\nb,\nc\nfrom d import e\n", 2),
        ("from . " * 40_000 + "import x", 1),
    ],
    ids=["statements", "halves", "modules", "names", "blanks", "unclosed", "dots"],
)
def test_many_imports_in_one_line(text: str, number: int) -> None:
    assert len(python_facts(text.encode()).imports) == number


def test_a_text_of_millions_of_lines_takes_little_memory() -> None:
    text = b'import a\nx = """' + b"\n" * 1_000_000 + b'"""\nif x: import b\n'
    python_facts(b"import a\n")
    tracemalloc.start()
    facts = python_facts(text)
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak_bytes < 30 * len(text)
    assert [imported.module for imported in facts.imports] == ["a"]
    assert facts.cut


def test_lines_beyond_the_bound_without_an_import_leave_nothing_out() -> None:
    facts = python_facts(b"import a\n" + b"x\n" * 300_000)
    assert (len(facts.imports), facts.has_code, facts.cut) == (1, True, Cut.NONE)
    facts = python_facts(b"import a\n" + b"\n" * 249_998 + b"import b")
    assert [imported.line for imported in facts.imports] == [1, 250_000]
    assert not facts.cut


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("import\n" * 600_000, 0),
        ("import a\n" + "import\n" * 39_999 + "import b\n", 1),
        ("import " + "a," * 500_000 + "a\n", 40_000),
        (("from" + " " * 3_000 + "import;" * 140 + "\n") * 1_000, 0),
    ],
    ids=["words", "one word more", "modules of one statement", "blanks"],
)
def test_imports_beyond_a_bound_are_said_to_be_left_out(text: str, number: int) -> None:
    facts = python_facts(text.encode())
    assert (len(facts.imports), facts.cut) == (number, Cut.BOUND)


def test_long_texts_are_blanked_as_short_ones_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "".join(f"x = '''{'é' * size}\n{' ' * size}\n\n\\''''''; import a{size}\n" for size in range(5))
    found = python_facts(text.encode())
    monkeypatch.setattr(python_literals, "_LONG_TEXT_CHARS", 0)
    assert python_facts(text.encode()) == found
    assert len(found.imports) == 5


def test_a_module_name_without_end_is_cut() -> None:
    (found,) = python_facts(b"import a" + b".a" * 100_000).imports
    assert found.module == ".".join("a" * 64)


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("requirements.txt", "x" * 900_000, "line 1 is longer than 4,000 characters"),
        ("requirements.txt", "a \\\n" * 200_000, "line 1 is longer than 4,000 characters"),
        ("setup.cfg", "[options]\n" + "?\n" * 300_000, "longer than 10,000 lines"),
        ("setup.cfg", "[options]\na" + " " * 30_000 + "b\n", "line 2 is longer than 2,000 characters"),
        ("setup.cfg", "[options]\n" + ("\1" * 95 + "\n") * 9_990, "longer than 200,000 characters"),
        ("tox.ini", "[testenv]\n" + "?\n" * 300_000, "longer than 10,000 lines"),
        ("tox.ini", "[testenv]\nx = 1\na" + " " * 30_000 + "b\n", "line 3 is longer than 2,000 characters"),
        ("tox.ini", "[testenv]\n" + ("\1" * 95 + "\n") * 9_990, "longer than 200,000 characters"),
        ("setup.py", "x = 1\n" * 100_000, "longer than 200,000 characters"),
        ("requirements.txt", "a\n" * 600_000, "larger than 1,000,000 bytes"),
    ],
)
def test_what_a_bound_keeps_from_being_read_of_a_manifest_is_said(name: str, text: str, reason: str) -> None:
    manifest = read_manifest(name, text.encode())
    assert (manifest.unread, manifest.opaque) == (reason, reason)


@pytest.mark.parametrize(
    "entry", ["https://h/a/" + "@#" * 1_900, "a-1-" * 900 + ".whl", "#egg=" * 700, "a;" + "(" * 3_000]
)
def test_entries_that_make_an_expression_try_every_way(entry: str) -> None:
    text = f"{entry} x\n" * 200
    assert read_manifest("requirements.txt", text.encode()).path == "requirements.txt"


def test_names_that_make_an_expression_try_every_way() -> None:
    assert not is_manifest("a/" + "requirements-" * 20_000)
    assert is_manifest("a/" + "requirements-" * 18 + "requirements.txt")


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("https://github.com/o/name.git@v1#sub", "name"),
        ("git+ssh://git@github.com/o/name.git", "name"),
        ("https://github.com/o/name/archive/refs/heads/main.zip", "name"),
        ("https://files.invalid/a/the_name-1.0-py3-none-any.whl#sha256=ab", "the-name"),
        ("git+https://h/o/x.git#egg=named", "named"),
    ],
)
def test_addresses_still_name_their_distribution(line: str, name: str) -> None:
    assert [requirement.name for requirement in read_manifest("requirements.txt", line.encode()).declared] == [name]


def test_problems_without_end_are_listed_up_to_a_bound() -> None:
    keys = {f"key{number}": 1 for number in range(2_000)}
    for problems in (
        read_boundaries(json.dumps({"layers": [], **keys}), "boundaries.json")[1],
        read_settings(json.dumps(keys)[:200_000].rpartition(",")[0] + "}", "f.yml")[1],
    ):
        assert len(problems) == 100
        assert problems[-1].message.endswith("there is more wrong below that is not listed")
    text = "[project]\ndependencies = [" + '"!",' * 5_000 + "]"
    assert len(read_manifest("pyproject.toml", text.encode()).problems) == 100


def test_patterns_that_are_large_together_are_refused_from_there_on() -> None:
    forbidden = [{"pattern": f"x{number}.{{0,900}}", "reason": "r"} for number in range(1_500)]
    boundaries, problems = read_boundaries(json.dumps({"layers": [{**LAYER, "forbidden": forbidden}]}), "b.json")
    read = len(boundaries.layers[0].forbidden)
    assert 100 < read < 1_000
    assert len(problems) == 100
    assert "take all the room" in problems[0].message
    bad = [{"pattern": f"x{number}(.{{1,30}}){{1,30}}{{1,30}}"} for number in range(1_500)]
    assert len(read_boundaries(json.dumps({"layers": [{**LAYER, "forbidden": bad}]}), "b.json")[1]) == 100
    lists = ", ".join(f"'{rule['pattern']}'" for rule in forbidden)
    _, wrong = read_exceptions(f"[allowlist]\npaths = [{lists}]\n".encode(), None)
    assert "take all the room" in wrong[0].message
    usual = [{"pattern": f"\\bSELECT\\b.*\\bFROM\\b.*t{number}"} for number in range(2_000)]
    assert read_boundaries(json.dumps({"layers": [{**LAYER, "forbidden": usual}]}), "b.json")[1] == ()


def test_large_compiled_patterns_leave_the_memory_of_compiled_patterns_first() -> None:
    kept = CompiledPatterns(most=50_000)
    for number in range(30):
        kept.get(f"small{number}")
    assert len(kept) == 25
    kept.get("x.{0,900}")
    kept.get("y.{0,900}")
    assert len(kept) <= 18


def test_long_names_and_reasons_are_refused_because_findings_repeat_them() -> None:
    rules = {"forbidden": [{"pattern": "a", "reason": "r" * 1_001}], "forbidden_imports": [{"module": "m" * 501}]}
    _, problems = read_boundaries(json.dumps({"layers": [{**LAYER, **rules, "name": "n" * 501}]}), "b.json")
    messages = [problem.message for problem in problems]
    assert "a name longer than 500 characters is not read" in messages
    assert "a reason longer than 1,000 characters is not read" in messages
    assert len(messages) == 3


def test_entries_of_gitleaks_files_that_stand_nowhere_or_are_long() -> None:
    paths = ", ".join(f'"\\u0061{number}"' for number in range(5_000))
    exceptions, problems = read_exceptions(
        f"[allowlist]\npaths = [{paths}]\n{'#x' * 40}\n".encode() + b"#\n" * 200_000, None
    )
    assert problems == ()
    assert {line for line, _ in exceptions.pattern_places} == {2}
    far = f"[allowlist]\npaths = ['near',\n# {'x' * 25_000}\n'far']\n"
    exceptions, _ = read_exceptions(far.encode(), None)
    assert exceptions.pattern_places == ((2, "near"), (2, "far"))  # it is looked for near the one before it
    exceptions, _ = read_exceptions(None, b"a" + b" " * 400_000 + b"b\nx:r:1   # why\n")
    assert [line for line, _ in exceptions.places] == [2]


def test_the_matches_of_one_file_are_bounded() -> None:
    patterns = frozenset(f"a{{{number}}}" for number in range(1, 61))
    searched, found = find_all_matches(b"a" * 60_000, patterns)
    assert sum(len(matches.found) for matches in found.values()) == 50_000
    assert searched == found.keys()
    assert len(patterns - searched) == 10
    assert all(matches.capped for matches in found.values())


def facts_of(files: Mapping[str, str]) -> tuple[Tree, Facts]:
    """A tree of the files, with what is known of its source files."""
    tree = Tree({path: path for path in files})
    read = lru_cache(python_facts)
    sources = {(PYTHON.name, path): read(text.encode()) for path, text in files.items() if path.endswith(".py")}
    return tree, Facts(sources, {}, {path: text.encode() for path, text in files.items()})


def test_layers_of_which_hundreds_hold_one_file() -> None:
    layers: list[dict[str, object]] = [
        {"name": f"l{n}", "glob": "a/**" if n % 2 else "b/**", "may_import": []} for n in range(400)
    ]
    rules, problems = read_boundaries(json.dumps({"layers": layers, "acyclic": True}), "b.json")
    assert problems == ()
    tree, facts = facts_of(
        {
            "a/m.py": "".join(f"import b.m{number}\n" for number in range(150)),
            **{f"b/m{number}.py": "import a.m\n" for number in range(150)},
        }
    )
    outcome = a4_boundaries.check(tree, facts, [rules], (), Level.FAILURE, Memo())
    assert len(outcome.findings) == 20_000 + 150 * 200 + 100_000
    assert a4_boundaries.beyond(outcome, EVERYWHERE) == (
        "violations after the first 20,000 of a file or 100,000 of all: `a/m.py`.",
    )


def test_imports_between_layers_and_modules_without_a_layer_are_bounded_and_that_is_said() -> None:
    layers = [{"name": name, "glob": globs} for name, globs in (("a", ["p/a/**", "p/y.py"]), ("b", "p/b/**"))]
    rules, _ = read_boundaries(json.dumps({"layers": layers, "acyclic": True, "exhaustive": True}), "b.json")
    names = [f"m{number}" for number in range(100)]
    text = f"from p.b import {', '.join(names)}\n" * 201
    files = {"p/a/x.py": text, "p/y.py": "", **{f"p/b/{name}.py": "" for name in names}}
    tree, facts = facts_of({**files, **{f"p/{number}.py": "" for number in range(100_001)}})
    outcome = a4_boundaries.check(tree, facts, [rules], (), Level.FAILURE, Memo())
    assert len(outcome.findings) == 100_000
    (sentence,) = a4_boundaries.beyond(outcome, EVERYWHERE)
    assert "of all: `p/a/x.py`, `p/" in sentence


@pytest.mark.nightly
def test_findings_over_the_bound_of_a_tree_are_said() -> None:
    layer = {**LAYER, "glob": "*.py", "forbidden_imports": [{"module": "yaml"}]}
    rules, _ = read_boundaries(json.dumps({"layers": [layer]}), "b.json")
    text = "import yaml\n" * 19_000
    tree, facts = facts_of({**{f"m{number}.py": text for number in range(7)}, "requirements.txt": ""})
    boundaries = a4_boundaries.check(tree, facts, [rules], (), Level.FAILURE, Memo())
    (sentence,) = a4_boundaries.beyond(boundaries, EVERYWHERE)
    assert sentence.endswith("100,000 of all: `m6.py`.")
    policy = resolve(PolicySettings())[CheckCode.A9]
    dependencies = a9_dependencies.check(tree, facts, policy, Memo())
    assert dependencies.incomplete == ("more than 100,000 findings: 1 file(s) from `m6.py` on were not evaluated.",)


def test_the_search_for_cycles_is_interrupted() -> None:
    with pytest.raises(TimeoutError):
        thinnest_links({("a", "b"): 1}, over)
    facts = python_facts(b"import b.x\n")
    evaluated = BoundaryMatcher(
        LayerMap(Boundaries("b.json", (Layer("a", ("a.py",)),), acyclic=True)), ModuleIndex(()), Level.FAILURE
    )
    with pytest.raises(TimeoutError):
        evaluated.file("a.py", facts, {}, over)


def test_a_long_cycle_is_named_by_its_first_layers() -> None:
    layers = [{"name": f"l{n}", "glob": f"p/m{n}.py"} for n in range(60)]
    files = {f"p/m{n}.py": f"import p.m{(n + 1) % 60}\n" for n in range(60)}
    report, _ = evaluate_in_memory({"boundaries.json": json.dumps({"layers": layers, "acyclic": True}), **files})
    assert "'l9' → … 50 more … → 'l0'" in report.checks[0].findings[0].message


def over() -> None:
    """Be out of time."""
    raise TimeoutError


def test_folders_of_one_project_share_what_is_declared() -> None:
    manifest = Manifest(
        "pyproject.toml", tuple(Declared(f"d{n}", DependencyScope.RUNTIME) for n in range(1_000)), is_project=True
    )
    index = DeclarationIndex([manifest])
    assert len({id(index.for_folder(f"a/{number}")) for number in range(100)}) == 1


def test_thousands_of_added_development_dependencies_are_counted() -> None:
    manifest = Manifest("dev.txt", tuple(Declared(f"d{n}", DependencyScope.DEVELOPMENT) for n in range(30_000)))
    (sentence,) = differences([], [manifest])
    assert "and 29995 more" in sentence


def test_nineteen_thousand_findings_of_a_kind_are_marked() -> None:
    findings = [Finding("a.py", line, "r", "m", Level.FAILURE, "s") for line in range(1, 19_001)]
    out = mark_new(CheckCode.A4, findings, findings[:9_000], {}, {"a.py": range(1, 10_001)})
    assert sum(finding.new for finding in out) == 10_000
    assert {finding.line for finding in out if finding.new} == set(range(1, 10_001))


def test_manifests_that_include_one_another_on_thousands_of_lines_are_each_noted() -> None:
    """Each line was once compared with every file that it reaches."""
    lines = {"requirements.txt": "-r b.txt\n" * 4_000, "b.txt": "-r requirements.txt\n" * 4_000}
    report, _ = evaluate_in_memory({**lines, "a.py": "import os\n"})
    (check,) = (check for check in report.checks if check.code is CheckCode.A9)
    assert {finding.path for finding in check.findings} == {"requirements.txt", "b.txt"}
    assert "includes this file again" in check.findings[0].message


def test_includes_that_hundreds_of_folders_follow_are_bounded_and_that_is_said() -> None:
    number = 150
    files = {f"d{at}/a.py": "import requests\n" for at in range(number)}
    for at in range(number):
        files[f"d{at}/requirements.txt"] = "".join(f"-r ../d{other}/requirements.txt\n" for other in range(number))
    report, _ = evaluate_in_memory(files)
    (check,) = (check for check in report.checks if check.code is CheckCode.A9)
    assert any("more than 100,000 files" in sentence for sentence in check.incomplete)
    undeclared = [finding for finding in check.findings if finding.subject == "requests"]
    assert len(undeclared) == number
    assert any(finding.level is Level.NOTICE for finding in undeclared), "their declarations may lie in what is left"


@given(st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=14))
def test_arrows_on_a_cycle_are_those_whose_end_reaches_their_start(pairs: set[tuple[int, int]]) -> None:
    arrows = {(str(a), str(b)) for a, b in pairs}
    reached = set(arrows)
    while more := {(a, d) for a, b in reached for c, d in arrows if b == c} - reached:
        reached |= more
    assert set(cyclic_arrows(arrows)) == {(a, b) for a, b in arrows if a == b or (b, a) in reached}


def test_thousands_of_files_that_a_project_names_are_each_found_on_their_line() -> None:
    number = 20_000
    named = "".join(f'"r{at}.txt",\n' for at in range(number))
    head = '[project]\nname = "x"\ndynamic = ["dependencies"]\n[tool.setuptools.dynamic]\ndependencies = { file = [\n'
    report, _ = evaluate_in_memory({"pyproject.toml": f"{head}{named}] }}\n", "a.py": "import os\n"})
    (check,) = (check for check in report.checks if check.code is CheckCode.A9)
    lines = {finding.line: finding.message for finding in check.findings}
    assert "'r0.txt'" in lines[6]
    assert "'r4000.txt'" in lines[4_006]


@pytest.mark.parametrize(
    "text", ["import {0}\n", "from {0} import x\n", "from os import {0}\n", "import os, {0} as y\n"]
)
def test_a_name_as_long_as_its_file_is_cut_and_that_is_said(text: str) -> None:
    facts = python_facts(text.format("a" * 1_000_000).encode())
    assert facts.cut
    assert max(len(name) for found in facts.imports for name in (found.module, *found.names)) <= 200
    assert not python_facts(text.format("a" * 200).encode()).cut


def test_names_in_deep_folders_take_little_memory_and_their_rules_are_found() -> None:
    parts = [f"{'f' * 90}{number}" for number in range(90)]
    rules = {"layers": [{"name": "a", "glob": "**/*.py", "forbidden_imports": [{"module": "m.a9", "reason": "no"}]}]}
    files = {"/".join(parts[: 90 - up]) + "/m.py": "x = 1\n" for up in range(10)}
    files["/".join(parts) + "/use.py"] = f"from m import {', '.join(f'a{number}' for number in range(9_000))}\n"
    tracemalloc.start()
    report, _ = evaluate_in_memory({**files, "boundaries.json": json.dumps(rules)})
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [finding.rule for finding in report.checks[0].findings] == ["a/forbidden_imports/m.a9"]
    assert most < 60_000_000


def test_code_whose_manifest_is_gone_looks_at_the_clock_for_each_import() -> None:
    head, facts = facts_of({"d/x.py": "import a.b\n" * 1_000, "a/b.py": ""})
    base = Tree({"d/x.py": "before", "a/b.py": "a/b.py", "requirements.txt": "list"})
    ticks: list[None] = []
    facts = replace(facts, texts={"list": b"requests\n"}, tick=lambda: ticks.append(None))
    config = EffectiveConfig(resolve(PolicySettings()), (), Exceptions(), {}, {})
    change = Change("head", "base", head, base, {"d/x.py", "requirements.txt"}, {}, {})
    assert a9_dependencies.evaluate(change, facts, config, Memo()).problems == ()
    assert len(ticks) > 1_000
