"""What is not looked at, or named in vain, is said at its place: silence means checked and clean."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from forgeguard_app.audit.model import CheckCode, CheckReport, Finding, Level, Result
from forgeguard_app.audit.report import summary_markdown
from forgeguard_app.cli.formats import FORMATS
from forgeguard_app.cli.outcome import CommandOutcome
from tests.support.in_memory import evaluate_in_memory

LAYERS = [{"name": "api", "glob": "app/**"}, {"name": "web", "glob": "web/**"}]
KEY = "AK" + "IA2QX7MZ4TPL6WD3SB"
VALUE = "k3J9xQ2m" + "Z8vN5tR7pL4w"
SOURCE = f'k = "{KEY}"\ntoken = "{VALUE}"\n'


def check_in(files: dict[str, str], code: CheckCode) -> CheckReport:
    report, _ = evaluate_in_memory(files)
    return next(check for check in report.checks if check.code is code)


def notices(check: CheckReport) -> list[tuple[str, int, str]]:
    return [(f.path, f.line, f.message) for f in check.findings if f.level is Level.NOTICE]


def found(check: CheckReport) -> list[tuple[str, int, str]]:
    return [(f.path, f.line, f.rule) for f in check.findings if f.level is not Level.NOTICE]


@pytest.mark.parametrize(
    "rules",
    [
        {"layers": LAYERS, "order": ["api", "web"]},
        {"layers": LAYERS, "acyclic": True},
        {"layers": LAYERS, "exhaustive": True},
        {"layers": [LAYERS[0], {**LAYERS[1], "may_import": []}]},
        {"layers": [LAYERS[0], {**LAYERS[1], "forbidden_imports": [{"module": "x"}]}]},
    ],
)
def test_the_title_says_which_languages_imports_were_not_read_under_import_rules(rules: dict[str, object]) -> None:
    files = {
        "boundaries.json": json.dumps(rules),
        "app/a.py": "",
        "web/a.ts": "",
        "web/b.tsx": "",
        "web/c.go": "",
        "x.rs": "",
    }
    report, _ = evaluate_in_memory(files)
    title = "No boundary violations; imports of 2 TypeScript files and 1 Go file were not read"
    assert report.checks[0].title == title
    assert all("2 TypeScript files and 1 Go file" in write(CommandOutcome(report)) for write in FORMATS.values())
    assert "2 TypeScript files and 1 Go file" in summary_markdown(report.checks[0])


def test_notebooks_and_cython_whose_imports_a9_does_not_read_are_said() -> None:
    settings = "checks: {A9: {ignore: ['old/**']}}"
    files = {"requirements.txt": "", "a.py": "", "n.ipynb": "{}", "fast.pyx": "", "old/m.ipynb": "{}", "x.ts": ""}
    check = check_in({**files, ".forgeguard.yml": settings}, CheckCode.A9)
    assert check.notes == ("The imports of 1 Cython file and 1 Jupyter notebook were not read.",)
    assert check_in({"n.ipynb": "{}"}, CheckCode.A9).notes == ("The imports of 1 Jupyter notebook were not read.",)


def test_a_language_that_no_import_rule_covers_is_not_spoken_of() -> None:
    rules = {"layers": [{**LAYERS[0], "may_import": []}, LAYERS[1]]}
    check = check_in({"boundaries.json": json.dumps(rules), "app/a.py": "", "web/a.ts": ""}, CheckCode.A4)
    assert check.title == "No boundary violations"


def test_layers_globs_and_known_violations_that_match_nothing_are_notices_on_their_line() -> None:
    text = """{"layers": [
  {"name": "api", "glob": ["app/**", "old/**"], "forbidden": [{"pattern": "asyncpg"}]},
  {"name": "gone", "glob": "nowhere/**"}],
 "known_violations": [
  {"layer": "api", "file": "a.py", "pattern": "asyncpg"},
  {"layer": "api", "file": "b.py", "pattern": "asyncpg"},
  {"layer": "none", "file": "b.py", "pattern": "y"}]}"""
    check = check_in({"boundaries.json": text, "app/a.py": "asyncpg"}, CheckCode.A4)
    assert found(check) == []
    assert [(line, message.partition(":")[0]) for _, line, message in notices(check)] == [
        (2, "the glob 'old/**' in the layer 'api' matches no file"),
        (3, "the layer 'gone' matches no file"),
        (6, "this known violation matches nothing"),
        (7, "a known violation names the layer 'none', which no layer has"),
    ]
    assert check.result is Result.PASS


def test_settings_that_are_for_nothing_in_the_tree_are_notices_on_their_line() -> None:
    text = """ignore: ["vendor/**", "app/b.py"]
checks:
  A9:
    manifests: ["requirements*.txt", "deps/*.txt"]
    ignore_modules: [distutils, yaml]
    provides:
      PIL: pillow
      numpy: numpy
  W1:
    ignore:
      - "app/**"
      - "fixtures/**"
"""
    files = {
        ".github/forgeguard.yml": text,
        "requirements.txt": "numpy\n",
        "app/a.py": "import yaml, numpy.linalg\n",
        "app/b.py": "",
    }
    report, _ = evaluate_in_memory(files)
    lines = {check.code: [line for _, line, _ in notices(check)] for check in report.checks}
    assert lines == {CheckCode.A4: [1], CheckCode.A9: [4, 5, 7], CheckCode.W1: [12]}


def test_a_push_that_does_not_touch_the_file_counts_them_in_the_summary_alone() -> None:
    files = {"boundaries.json": '{"layers": [{"name": "gone", "glob": "x/**"}]}', "a.py": ""}
    for changed, own in (({"a.py"}, False), ({"boundaries.json"}, True)):
        report, _ = evaluate_in_memory(files, changed=changed)
        (notice,) = report.checks[0].findings
        assert (notice.new, notice.counted) == (own, own)
        assert "boundaries.json:1" in summary_markdown(report.checks[0])
        assert report.checks[0].result is Result.PASS


def test_files_that_a_manifest_names_and_that_are_not_read_are_notices_on_their_line() -> None:
    files = {
        "requirements.txt": "-r missing.txt\n-c limits.txt\n-r ../out.txt\n-r "
        "https://h/x.txt\n--requirement=b.txt\n-r real.txt\n",
        "b.txt": "-r requirements.txt\n",
        "real.txt": "requests\n",
        "setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires = file: nowhere.txt\n",
        "a.py": "import requests\n",
    }
    report, _ = evaluate_in_memory(files, links={"requirements-dev.txt"})
    remarks = notices(report.checks[1])
    assert [(path, line) for path, line, _ in remarks] == [
        ("b.txt", 1),
        ("requirements-dev.txt", 1),
        ("requirements.txt", 1),
        ("requirements.txt", 2),
        ("requirements.txt", 3),
        ("requirements.txt", 4),
        ("requirements.txt", 5),
        ("setup.cfg", 4),
    ]
    assert "not in the repository" in remarks[2][2]
    assert "symbolic link" in remarks[1][2]


def test_a_manifest_that_is_too_large_makes_the_check_incomplete() -> None:
    files = {"requirements.txt": "requests\n", "requirements-big.txt": "# x\n" * 300_000, "a.py": "import requests\n"}
    check = check_in(files, CheckCode.A9)
    assert check.result is Result.WARN
    assert "requirements-big.txt" in check.incomplete[0]
    check = check_in({"tox.ini": "nonsense\n", "requirements.txt": "", "a.py": ""}, CheckCode.A9)
    assert check.incomplete == ("`tox.ini`: not a configuration file of sections and keys.",)


def test_a_summary_says_how_much_of_it_is_left_out() -> None:
    rules = {"layers": [{"name": f"l{n}", "glob": "*.py", "forbidden": [{"pattern": "a"}]} for n in range(30)]}
    check = check_in({"boundaries.json": json.dumps(rules), "x.py": "a"}, CheckCode.A4)
    summary = summary_markdown(replace(check, notes=tuple(f"note {n}" for n in range(65))))
    assert [line for line in summary.splitlines() if "more" in line] == [
        "- … and 5 more.",
        "| … and 10 more rules | | |",
        "… and 10 more",
    ]
    problems = check_in({"boundaries.json": json.dumps({str(n): 1 for n in range(25)})}, CheckCode.A4)
    assert "- … and 6 more." in summary_markdown(problems).splitlines()


def test_every_note_is_said_in_every_format() -> None:
    report, _ = evaluate_in_memory({"a.py": ""})
    notes = tuple(f"note {n} of many" for n in range(6))
    report = replace(report, checks=tuple(replace(check, notes=notes) for check in report.checks))
    for write in FORMATS.values():
        assert all(note in write(CommandOutcome(report)) for note in notes)


def test_path_patterns_in_vain_are_found_in_any_number() -> None:
    paths = ", ".join(f"'only/{n}[.]txt'" for n in range(1_500))
    config = f"[allowlist]\npaths = [{paths}, 'no/where']\n"
    check = check_in({".gitleaks.toml": config, **{f"only/{n}.txt": "" for n in range(1_500)}}, CheckCode.W1)
    assert [message for _, _, message in notices(check)] == ["this path pattern matches no file of the repository"]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("title = 'x'\nallow = 1\n", 2, "'allow'"),
        ("[extend]\nuseDefault = true\npath = 'ci/base.toml'\n", 3, "extend.path is not honoured"),
        ("[extend]\nurl = 'https://h'\n", 2, "extend.url is not honoured"),
        ("\n[[rules]]\nid = 'corp'\nregex = 'corp_.*'\n", 2, "own rule 'corp' is not honoured"),
        ("[allowlist]\npaths = ['app']\nfiles = ['x']\n", 3, "'files'"),
        ("[allowlist]\npaths = ['''app''', '''nowhere''']\n", 2, "matches no file"),
        ("[allowlist]\ndescription = 'x'\n", 1, "excepts nothing"),
    ],
)
def test_what_a_gitleaks_configuration_says_in_vain_is_named_at_its_line(text: str, line: int, words: str) -> None:
    check = check_in({".gitleaks.toml": text, "app/a.py": ""}, CheckCode.W1)
    assert [(path, at) for path, at, message in notices(check) if words in message] == [(".gitleaks.toml", line)]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("# x\n[allowlist]\npaths = 'test/'\n", 3, "paths must be a list"),
        ("[allowlist]\n\nregexes = ['a',\n 'b(?!x)']\n", 4, "cannot be used"),
        ("[allowlist]\nregexes = ['(a']\n", 2, "cannot be used: missing ): (a"),
        ("[allowlist]\nregexTarget = 'secrt'\n", 2, "regexTarget must be one of"),
        ("[allowlist]\ncondition = 3\n", 2, "condition must be one of"),
        ("rules = 3\n", 1, "rules must be tables"),
        ("a = 1\n[allowlist\n", 2, "not TOML"),
        ("[[rules]]\nregex = 'x'\n", 1, "no id"),
    ],
)
def test_what_is_wrong_in_a_gitleaks_configuration_is_an_error_on_its_line(text: str, line: int, words: str) -> None:
    check = check_in({".gitleaks.toml": text, "app/a.py": ""}, CheckCode.W1)
    assert check.result is Result.ERROR
    assert [problem.line for problem in check.problems if words in problem.message] == [line]


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("[[allowlists]]\ntargetRules = ['generic-api-key']\npaths = ['app']\n", ["aws-access-key"]),
        ("[[allowlists]]\ntargetRules = ['aws-access-token']\npaths = ['app']\n", ["generic-assignment"]),
        ("[[rules]]\nid = 'generic-api-key'\n[[rules.allowlists]]\npaths = ['app']\n", ["aws-access-key"]),
        ("[[rules]]\nid = 'aws-access-token'\n[rules.allowlist]\nstopwords = ['AK']\n", ["generic-assignment"]),
        ("[allowlist]\nregexTarget = 'match'\nregexes = ['token =']\n", ["aws-access-key"]),
        ("[allowlist]\nregexTarget = 'line'\nregexes = ['^k']\n", ["generic-assignment"]),
        ("[extend]\ndisabledRules = ['aws-access-token']\n", ["generic-assignment"]),
    ],
)
def test_an_allowlist_is_for_the_rules_that_it_names(text: str, left: list[str]) -> None:
    check = check_in({".gitleaks.toml": text, "app/a.py": SOURCE}, CheckCode.W1)
    assert [rule for _, _, rule in found(check)] == left


def test_entries_of_gitleaksignore_name_path_rule_and_line() -> None:
    files = {"C#/a:b.py": SOURCE, "x y.py": SOURCE, "z.py": SOURCE}
    ignore = (
        "# note\nC#/a:b.py:aws-access-token:1\nC#/a:b.py:generic-api-key:2   # not one\nx "
        "y.py:private-key:1\r\nx y.py:2\n"
        "z.py:generic-api-key:2\nz.py:a-rule-of-theirs:2\ngone.py:jwt:3\nnonsense\n"
    )
    check = check_in({**files, ".gitleaksignore": ignore}, CheckCode.W1)
    assert found(check) == [
        ("x y.py", 1, "aws-access-key"),
        ("x y.py", 2, "generic-assignment"),
        ("z.py", 1, "aws-access-key"),
    ]
    assert [(line, message.partition(":")[0]) for _, line, message in notices(check)] == [
        (5, "invalid entry, which ignores nothing"),
        (8, "this entry ignores nothing"),
        (9, "invalid entry, which ignores nothing"),
    ]


def test_the_markers_of_other_scanners_count_on_the_line() -> None:
    markers = ("pragma: allowlist secret", "trufflehog:ignore", "kingfisher:ignore", "ggignore", "gitleaks:allow")
    check = check_in({f"{n}.py": f'k = "{KEY}"  # {marker}\n' for n, marker in enumerate(markers)}, CheckCode.W1)
    assert check.findings == ()


def test_markers_on_the_line_before() -> None:
    next_line, usual = "# pragma: allowlist nextline secret\n", "# forgeguard:allow\n"
    pem = (
        "-----BEGIN "
        + "PRIVATE KEY-----\n"
        + "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSj\n" * 4
        + "-----END "
        + "PRIVATE KEY-----\n"
    )
    key = f'k = "{KEY}"\n'
    files = {
        "a.py": next_line + key,
        "b.pem": usual + pem,
        "c.pem": next_line + pem,
        "d.py": usual + key,
        "e.py": next_line + "\n" + key,
        "f.pem": usual + "\n" + pem,
    }
    check = check_in(files, CheckCode.W1)
    assert [(path, line) for path, line, _ in found(check)] == [("d.py", 2), ("e.py", 3), ("f.pem", 3)]


def test_a_notice_never_changes_a_result_or_a_title_and_is_not_to_be_accepted() -> None:
    report, _ = evaluate_in_memory({".gitleaksignore": "x\n"})
    check = report.checks[2]
    assert "To accept" not in FORMATS["text"](CommandOutcome(report))
    assert (check.result, check.title) == (Result.PASS, "No possible secrets")
    finding: Finding = check.findings[0]
    assert finding.rule == "configuration-notice"
