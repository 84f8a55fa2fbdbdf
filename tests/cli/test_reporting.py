"""What `forgeguard audit` reports, about what, in which form, and how it ends."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from forgeguard_app.cli.main import main
from tests.support.hooks import FORGEGUARD, SECRET, TOKEN, attach
from tests.support.repositories import WorkTree

RULES = {
    "layers": [
        {
            "name": "routers",
            "glob": "app/api/**",
            "forbidden": [{"pattern": r"\bSELECT\b", "reason": "raw SQL belongs in repos"}],
            "forbidden_imports": [{"module": "asyncpg", "reason": "database access belongs in repos"}],
        },
        {"name": "repos", "glob": "app/repos/**"},
    ],
    "order": ["routers", "repos"],
}
FILES = {
    "boundaries.json": json.dumps(RULES),
    "requirements.txt": "requests\n",
    "app/api/a.py": "import asyncpg\nimport asyncpg\n",
    "app/repos/b.py": f"import yaml\n{SECRET}",
}


@pytest.fixture
def faulty(tree: WorkTree) -> WorkTree:
    """A repository in which every check finds something, and which is the current folder."""
    tree.commit(FILES)
    os.chdir(tree.folder)
    return tree


def audited(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    """The exit status and the lines of the report."""
    status = main(["audit", *arguments])
    return status, capsys.readouterr().out.splitlines()


def places(capsys: pytest.CaptureFixture[str], *arguments: str) -> set[str]:
    main(["audit", "--format", "json", *arguments])
    report = json.loads(capsys.readouterr().out)
    return {f"{finding['path']}:{finding['line']}" for check in report["checks"] for finding in check["findings"]}


def test_a_path_inside_the_repository_reports_that_part_alone(
    faulty: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    everything = places(capsys, "--all")
    assert everything == {"app/api/a.py:1", "app/api/a.py:2", "app/repos/b.py:1", "app/repos/b.py:2"}
    assert places(capsys, "app/api", "--all") == {"app/api/a.py:1", "app/api/a.py:2"}
    assert places(capsys, "app/repos/b.py") == {"app/repos/b.py:1", "app/repos/b.py:2"}
    assert places(capsys, str(faulty.folder)) == everything
    assert places(capsys, "app/ap") == set() if (faulty.folder / "app/ap").exists() else main(["audit", "app/ap"]) == 2
    capsys.readouterr()
    status, lines = audited(capsys, "app/repos", "--all")
    assert (status, lines[-1].split(",")[0]) == (1, "FAIL: 1 file(s)")
    os.chdir("app/api")
    assert places(capsys, "--all") == everything, "without a path it is the whole repository"
    assert places(capsys, ".", "--all") == {"app/api/a.py:1", "app/api/a.py:2"}
    link = faulty.folder.parent / "link"
    link.symlink_to(faulty.folder)
    assert places(capsys, str(link / "app/api"), "--all") == {"app/api/a.py:1", "app/api/a.py:2"}
    os.chdir("/")
    assert places(capsys, str(link)) == everything, "a link from outside stands for the repository"
    link.with_name("loop").symlink_to("loop")
    assert main(["audit", str(link.with_name("loop"))]) == 2


def test_unreadable_references_and_an_exhausted_machine_are_named(
    faulty: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 2, hard))
    try:
        assert main(["audit"]) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert "Too many open files" in capsys.readouterr().err
    faulty.write({".git/packed-refs": "nothing that git reads\n"})
    assert main(["audit"]) == 2
    assert "packed-refs" in capsys.readouterr().err


def test_only_the_named_checks_run(faulty: WorkTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "--check", "w1", "--format", "json"]) == 0
    assert [check["check_code"] for check in json.loads(capsys.readouterr().out)["checks"]] == ["W1"]
    assert main(["audit", "--check", "A4", "--check", "W1", "--format", "json"]) == 1
    assert [check["check_code"] for check in json.loads(capsys.readouterr().out)["checks"]] == ["A4", "W1"]
    with pytest.raises(SystemExit, match="2"):
        main(["audit", "--check", "B1"])
    assert "there are A4, A9, W1" in capsys.readouterr().err


@pytest.mark.nightly
def test_the_last_line_states_the_exit_status(faulty: WorkTree, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, status, begins in (
        (["--check", "A4"], 1, "FAIL: "),
        (["--check", "W1"], 0, "PASS with warnings (W1): "),
        (["--check", "W1", "--strict"], 1, "FAIL because of warnings (W1; --no-strict lets them pass): "),
        (["--check", "W1", "app/api", "--strict"], 0, "PASS: "),
    ):
        for form in ("text", "github"):
            found, lines = audited(capsys, "--format", form, *arguments)
            assert (found, lines[-1].startswith(begins)) == (status, True), lines[-1]
    faulty.commit({".forgeguard.yml": "gates: new\n"})
    status, lines = audited(capsys)
    assert (status, lines[-1].startswith("ERROR: ")) == (2, True)


def test_quiet_prints_the_findings_that_count_and_the_last_line(
    faulty: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines = audited(capsys, "--quiet")
    assert [line.split(":")[0].strip() for line in lines] == [*["app/api/a.py"] * 4, *["app/repos/b.py"] * 2, "FAIL"]
    faulty.commit({"z.txt": "z\n"})
    assert audited(capsys, "--quiet")[1] == [f"PASS: 1 file(s), {faulty.git('rev-parse', 'HEAD~1')[:10]}.."
                                             f"{faulty.git('rev-parse', 'HEAD')[:10]}"]  # fmt: skip


def test_a_finding_says_how_to_accept_it_once_for_each_rule(
    faulty: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    _, lines = audited(capsys)
    entry = '{"layer": "routers", "file": "app/api/a.py", "pattern": "asyncpg"}'
    assert sum(entry in line for line in lines) == 1
    assert sum("provides" in line for line in lines) == 1
    assert sum("forgeguard:allow" in line for line in lines) == 1
    faulty.commit({"boundaries.json": json.dumps({**RULES, "known_violations": [json.loads(entry)]})})
    assert audited(capsys, "--all", "--check", "A4")[0] == 0, "the line that is shown is taken"


def test_a_report_is_written_whole_or_not_at_all(
    faulty: WorkTree, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    target.chmod(0o640)
    (tmp_path / "link").symlink_to(target)
    assert main(["audit", "--format", "json", "--output", str(tmp_path / "link")]) == 1
    captured = capsys.readouterr()
    assert (captured.out, "FAIL: 4 file(s)" in captured.err) == ("", True)
    assert json.loads(target.read_text())["exit_status"] == 1
    assert (target.stat().st_mode & 0o777, (tmp_path / "link").is_symlink()) == (0o640, True)
    assert not list(tmp_path.glob(".*"))
    for bad, words in (
        (tmp_path, "is a folder"),
        (tmp_path / "no" / "x", "does not exist"),
        (Path("/dev/full"), "No space left"),
    ):
        assert main(["audit", "--output", str(bad)]) == 2
        assert words in capsys.readouterr().err


@pytest.mark.nightly
def test_a_reader_that_goes_away_and_a_full_disk(faulty: WorkTree) -> None:
    command = f"'{FORGEGUARD}' audit --all --strict"
    for shell, expected, words in (
        (f"{command} | true; exit ${{PIPESTATUS[0]}}", 1, ""),
        (f"{command} >&-", 1, ""),
        (f"{command} >/dev/full", 2, "the report cannot be written: No space left on device"),
    ):
        done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True, check=False, timeout=60)
        assert (done.returncode, done.stderr.strip().removeprefix("forgeguard audit: ")) == (expected, words)


@pytest.mark.nightly
def test_what_was_not_read_and_moved_bases_are_said_in_every_format(
    tree: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chdir(tree.folder)
    tree.commit({"a.txt": "a\n", ".gitignore": "ignored\n"})
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"b.txt": "b\n"})
    tree.git("switch", "--quiet", "main")
    tree.commit({"c.txt": "c\n"})
    tree.write({"a.txt": "changed\n", "new.txt": "x\n", "ignored": "x\n", "staged.txt": "x\n"})
    tree.git("add", "staged.txt")
    uncommitted = "Uncommitted changes were not read (3: `a.txt`, `staged.txt`, `new.txt`)"
    moved = "The base was moved from topic"
    for form in ("text", "json", "sarif", "github"):
        _, lines = audited(capsys, "--base", "topic", "--format", form)
        assert uncommitted in "\n".join(lines), form
        assert moved in "\n".join(lines), form
        assert uncommitted in "\n".join(audited(capsys, "--all", "--format", form)[1]), form
        assert "The range is empty" in "\n".join(audited(capsys, "--base", "HEAD", "--format", form)[1]), form
    assert "Uncommitted" not in "\n".join(audited(capsys, "--head", "topic")[1]), "another commit was asked for"
    assert "Uncommitted" not in "\n".join(audited(capsys, "--staged")[1])


def test_a_shallow_clone_never_passes_in_silence(
    tree: WorkTree, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tree.commit({"a.txt": "a\n"})
    tree.commit({"b.txt": SECRET})
    tree.git("switch", "--quiet", "--create", "topic")
    tree.commit({"c.txt": SECRET})
    for branch in ("main", "topic"):
        shallow = tmp_path / f"shallow-{branch}"
        tree.git("clone", "--quiet", "--depth=1", f"--branch={branch}", f"file://{tree.folder}", str(shallow))
        os.chdir(shallow)
        assert main(["audit"]) == 2
        errors = capsys.readouterr().err
        assert "is shallow" in errors
        assert "--base" in errors
        command = errors.split("run `")[1].split("`")[0]
        assert command.startswith("git fetch --unshallow origin")
        # The command is what a person may paste; afterwards the base that is named can be passed.
        attach(shallow).git("-c", "protocol.file.allow=always", *_words(command))
        base = "origin/main" if branch == "topic" else "HEAD~1"
        assert places(capsys, "--base", base) == {"c.txt:1" if branch == "topic" else "b.txt:1"}
    tree.git("clone", "--quiet", "--depth=1", f"file://{tree.folder}", str(tmp_path / "detached"))
    os.chdir(tmp_path / "detached")
    attach(tmp_path / "detached").git("checkout", "--quiet", "--detach")
    assert main(["audit"]) == 2
    assert "git fetch --deepen=1 origin" in capsys.readouterr().err
    assert main(["audit", "--base", "origin/other"]) == 2
    assert "git fetch --unshallow origin +refs/heads/other:refs/remotes/origin/other" in capsys.readouterr().err


def _words(command: str) -> list[str]:
    return [word.strip("'") for word in command.split(" ")[1:]]


def test_a_shallow_history_that_ends_inside_the_range_is_refused(
    tree: WorkTree, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    tree.commit({"a.txt": "a\n"})
    tree.git("switch", "--quiet", "--create", "side")
    for number in range(4):
        tree.commit({"s.txt": f"{number}\n"})
    tree.git("switch", "--quiet", "main")
    tree.commit({"m.txt": "m\n"})
    tree.git("merge", "--quiet", "--no-edit", "side")
    tree.git("clone", "--quiet", "--depth=3", f"file://{tree.folder}", str(tmp_path / "shallow"))
    os.chdir(tmp_path / "shallow")
    assert main(["audit", "--base", "HEAD~1"]) == 2
    assert "history ends between base and head: run `git fetch --unshallow origin`" in capsys.readouterr().err


def test_a_folder_without_git_is_read_whole_and_what_is_left_out_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "plain"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "k.txt").write_text(SECRET)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "k.txt").write_text(SECRET)
    (folder / "link").symlink_to(outside)
    (folder / "link.txt").symlink_to(outside / "k.txt")
    os.mkfifo(folder / "pipe")
    (folder / ".gitignore").write_text("*\n")
    strange = os.fsdecode(b'sub \xff\n"\\/k.txt')
    (folder / strange).parent.mkdir()
    (folder / strange).write_text(SECRET)
    (folder / "x.env").write_text("X=1\n")
    with (folder / "huge.bin").open("wb") as file:
        file.truncate((100 << 20) + 1)
    os.chdir(folder)
    for _ in range(20):  # deeper than a path can say
        os.mkdir("d" * 250)
        os.chdir("d" * 250)
    os.chdir(folder)
    assert main(["audit", str(folder)]) == 2
    assert "`forgeguard audit --all` audits a folder without git" in capsys.readouterr().err
    status, lines = audited(capsys, "--all", str(folder), "--check", "W1")
    assert (status, lines[-1]) == (0, "PASS with warnings (W1): 3 file(s), nothing..the folder; incomplete: W1")
    assert [
        line for line in lines if TOKEN[:4] in line and ":1:6: warning" in line and line.startswith("  sub \\xff\\n")
    ]
    assert any("Larger than 100 MB: `huge.bin`" in line for line in lines)
    assert any("Cannot be read: `dddd" in line for line in lines)
    assert main(["audit", "--all", str(folder / "x.env"), "--format", "json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["head"], report["base"], report["files_checked"]) == (None, None, 1)


def test_init_before_the_first_commit_describes_the_work_tree(
    tree: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chdir(tree.folder)
    tree.write({
        ".gitignore": "ignored/\n", "ignored/x.py": "import nothing_that_exists\n", "shop/__init__.py": "",
        "shop/api/a.py": "from shop.repos import b\n", "shop/repos/b.py": "import requests\n",
        "pyproject.toml": "[project]\nname='shop'\nversion='1'\n",
    })  # fmt: skip
    tree.git("add", "shop/api")
    assert main(["init"]) == 0
    output = capsys.readouterr().out
    assert "Wrote boundaries.json." in output
    assert "git add" in output.splitlines()[-1]
    assert {layer["name"] for layer in json.loads(Path("boundaries.json").read_text())["layers"]} >= {"api", "repos"}
    before = Path("boundaries.json").read_bytes()
    assert main(["init"]) == 0
    assert (Path("boundaries.json").read_bytes(), "stays as it is" in capsys.readouterr().out) == (before, True)
    tree.git("add", "--all")
    tree.git("commit", "--quiet", "--message", "rules")
    assert main(["audit", "--all"]) == 0


def test_a_repository_s_own_rule_is_explained_with_its_reason(
    faulty: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    for rule, words in (
        ("routers/forbidden_imports/asyncpg", "must not import 'asyncpg': database access belongs in repos."),
        (r"A4/routers/forbidden/\bSELECT\b", "raw SQL belongs in repos"),
        ("repos/order/routers", "Layer 'repos' lies below 'routers'"),
    ):
        assert main(["audit", "--explain", rule]) == 0
        output = capsys.readouterr().out
        assert words in output
        assert "boundaries.json" in output
    assert main(["audit", "--explain", "asyncpg"]) == 2
    assert "did you mean routers/forbidden_imports/asyncpg?" in capsys.readouterr().err


def test_a_rule_of_gitleaks_toml_is_explained_with_what_it_counts_for_here(
    tree: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chdir(tree.folder)
    token = "gh" + "p_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    tree.write({
        ".gitleaks.toml": f"[[rules]]\nid = 'our-badge'\ndescription = 'Badges{' of' * 161} {token}'\nregex = "
                          f"'badge-[0-9]+'\n"
        "[[rules]]\nid = 'github-pat'\n[[rules.allowlists]]\npaths = ['docs/']\n",
    })  # fmt: skip
    for rule in ("our-badge", "W1/our-badge"):
        assert main(["audit", "--explain", rule]) == 0
        output = capsys.readouterr().out
        assert f"Badges{' of' * 161} [masked]" in output, "masked before it is cut"
        assert "ghp_" not in output
        assert ".gitleaks.toml, line 1" in output
        assert "does not honour rules of a repository's own" in output
    assert main(["audit", "--explain", "github-pat"]) == 0
    output = capsys.readouterr().out
    assert "ForgeGuard's rules for the same: github-personal-token." in output
    assert "Its allowlists count for these rules." in output
    assert main(["audit", "--explain", "A4/our-badge"]) == 2


def test_characters_that_act_are_escaped_in_every_format(
    tree: WorkTree, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    names = ["a\x1b[31m.py", "b\nPASS.py", "c\u202e.py", "d\x7f\x9b.py", os.fsdecode(b"e\xff.py")]
    tree.commit({"requirements.txt": "requests\n", **{name: f"import yaml\n{SECRET}" for name in names}})
    os.chdir(tree.folder)
    for form in ("text", "json", "sarif", "github"):
        main(["audit", "--format", form])
        printed = capsysbinary.readouterr().out.decode()
        assert not [char for char in printed if (char < " " and char != "\n") or char in "\x7f\x9b\u202e"], form
        assert "\nPASS.py" not in printed, form


# What GitHub asks of an upload, as a schema of the parts that we write (SARIF 2.1.0, sections 3.14 to 3.52).
_TEXT = {"type": "object", "required": ["text"], "properties": {"text": {"type": "string", "minLength": 1}}}
_LEVEL = {"enum": ["none", "note", "warning", "error"]}
SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["$schema", "version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "minItems": 1,
            "maxItems": 1,
            "items": {
                "additionalProperties": False,
                "required": ["tool", "automationDetails", "columnKind", "invocations", "results"],
                "properties": {
                    "tool": {"properties": {"driver": {
                        "additionalProperties": False,
                        "required": ["name", "version", "rules"],
                        "properties": {"name": {}, "version": {}, "rules": {"uniqueItems": True, "items": {
                            "additionalProperties": False,
                            "required": ["id", "shortDescription", "fullDescription", "help", "helpUri", "properties"],
                            "properties": {
                                "id": {"maxLength": 255}, "name": {"maxLength": 255}, "shortDescription": _TEXT,
                                "fullDescription": _TEXT,
                                "help": {**_TEXT, "required": ["text", "markdown"]},
                                "helpUri": {"pattern": "^https://"},
                                "defaultConfiguration": {"properties": {"level": _LEVEL}},
                                "properties": {
                                    "required": ["precision", "problem.severity", "tags"],
                                    "properties": {
                                        "problem.severity": {"enum": ["error", "warning", "recommendation"]},
                                        "security-severity": {"type": "string", "pattern": "^[0-9]+[.][0-9]$"},
                                        "tags": {"maxItems": 20, "items": {"type": "string"}},
                                    },
                                },
                            },
                        }}},
                    }}},
                    "automationDetails": {"required": ["id"]},
                    "columnKind": {"const": "unicodeCodePoints"},
                    "versionControlProvenance": {"items": {"required": ["repositoryUri"]}},
                    "invocations": {"minItems": 1, "items": {
                        "required": ["executionSuccessful", "exitCode", "toolExecutionNotifications"],
                        "properties": {"toolExecutionNotifications": {"items": {
                            "required": ["level", "message"], "properties": {"level": _LEVEL, "message": _TEXT},
                        }}},
                    }},
                    "results": {"maxItems": 25_000, "items": {
                        "additionalProperties": False,
                        "required": ["ruleId", "ruleIndex", "level", "message", "locations", "partialFingerprints"],
                        "properties": {
                            "ruleId": {}, "ruleIndex": {"minimum": 0}, "level": _LEVEL, "message": _TEXT,
                            "baselineState": {"enum": ["new", "unchanged"]},
                            "partialFingerprints": {"minProperties": 1},
                            "locations": {"minItems": 1, "items": {"properties": {"physicalLocation": {
                                "properties": {
                                    "artifactLocation": {"required": ["uri"], "properties": {
                                        "uri": {"pattern": "^[A-Za-z0-9._~/-]([A-Za-z0-9._~/-]|%[0-9A-F]{2})*$"},
                                        "uriBaseId": {},
                                    }},
                                    "region": {"properties": {
                                        "startLine": {"minimum": 1}, "startColumn": {"minimum": 1},
                                        "endLine": {"minimum": 1}, "endColumn": {"minimum": 2},
                                    }},
                                },
                            }}}},
                        },
                    }},
                },
            },
        },
    },
}  # fmt: skip


def test_sarif_carries_what_code_scanning_shows(faulty: WorkTree, capsys: pytest.CaptureFixture[str]) -> None:
    faulty.git("remote", "add", "origin", "https://someone:word@git.example:8443/o/a b.git")
    faulty.write({"uncommitted.txt": "x\n"})

    def run(*arguments: str) -> dict[str, Any]:
        status = main(["audit", "--format", "sarif", *arguments])
        log = json.loads(capsys.readouterr().out)
        jsonschema.validate(log, SARIF)
        run: dict[str, Any] = log["runs"][0]
        for result in run["results"]:
            assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]
        assert run["invocations"][0]["exitCode"] == status
        return run

    whole = run("--all")
    secret = next(rule for rule in whole["tool"]["driver"]["rules"] if rule["id"] == "W1/github-personal-token")
    assert (secret["properties"]["security-severity"], "security" in secret["properties"]["tags"]) == ("9.5", True)
    assert "forgeguard:allow" in secret["help"]["text"]
    assert whole["versionControlProvenance"][0]["repositoryUri"] == "https://git.example:8443/o/a%20b.git"
    notes = whole["invocations"][0]["toolExecutionNotifications"]
    assert any("Uncommitted changes were not read" in note["message"]["text"] for note in notes)
    assert whole["invocations"][0]["executionSuccessful"]
    run("--staged")
    faulty.commit({".forgeguard.yml": "gates: new\n"})
    broken = run()
    assert not broken["invocations"][0]["executionSuccessful"]
    assert {result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in broken["results"]} == {
        ".forgeguard.yml"
    }


def test_sarif_regions_end_behind_what_was_found(faulty: WorkTree, capsys: pytest.CaptureFixture[str]) -> None:
    faulty.commit({
        "app/api/a.py": "é = 1; import asyncpg  # why\nfrom asyncpg import (\n    a,  # é\n    b,\n)\nS = 'ü' + "
                        "'SELECT'\n",
        "app/repos/b.py": f"import os, yaml\nÜ = 'ü'; {SECRET}",
        "app/repos/key": "-----BEGIN RSA PRIVATE" + " KEY-----\nMIIEpAIBAAKCAQEA7k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s\n",
    })  # fmt: skip
    main(["audit", "--all", "--format", "sarif"])
    found: set[str] = set()
    for result in json.loads(capsys.readouterr().out)["runs"][0]["results"]:
        place = result["locations"][0]["physicalLocation"]
        region, uri = place["region"], place["artifactLocation"]["uri"]
        lines = Path(uri).read_text("utf-8").splitlines()[region["startLine"] - 1 : region["endLine"]]
        lines[-1] = lines[-1][: region.get("endColumn", len(lines[-1]) + 1) - 1]
        lines[0] = lines[0][region["startColumn"] - 1 :]
        found.add("\n".join(lines))
    token = SECRET.partition("'")[2].rpartition("'")[0]
    names = "from asyncpg import (\n    a,  # é\n    b,\n)"
    assert found == {"import asyncpg", names, "SELECT", "import os, yaml", token, "-----BEGIN RSA PRIVATE KEY-----"}


@pytest.mark.parametrize(
    ("arguments", "variables", "words"),
    [
        (["--staged", "--head", "HEAD"], {}, "does not go with --head"),
        (["--base", ""], {}, "--base is empty"),
        ([""], {}, "a path is empty"),
        (["x" * 300], {}, "File name too long"),
        (["--output", "x" * 300], {}, "cannot be written: File name too long"),
        (["--explain", ""], {}, "there is no rule '' here"),
        (["--explain", "A4/" * 3_000], {}, "A4/A…' here"),
        (["no\n::error::such"], {}, "no\\n::error::such does not exist"),
        (["linked"], {}, "linked/.git does not name a git folder"),
        ([], {"GIT_DIR": "loop"}, "unset it or correct it"),
        ([], {"GIT_DIR": "x" * 300}, "File name too long"),
        (["--", "/etc/passwd"], {}, "lies outside"),
        ([], {"GIT_DIR": "/nonexistent"}, "unset it or correct it"),
        ([], {"PATH": "/nonexistent"}, "the git program was not found on PATH"),
        ([], {"FORGEGUARD_EVALUATION_TIMEOUT_S": "0.000001"}, "FORGEGUARD_EVALUATION_TIMEOUT_S sets the limit"),
        ([], {"FORGEGUARD_EVALUATION_TIMEOUT_S": "soon"}, "must be a number of seconds above 0"),
    ],
)
def test_what_cannot_be_done_is_said_with_what_to_do(
    faulty: WorkTree,
    arguments: list[str],
    variables: dict[str, str],
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    faulty.write({"linked/.git": "gitdir: \0\n"})
    os.symlink("loop", "loop")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert main(["audit", *arguments]) == 2
    assert words in capsys.readouterr().err


def test_help_lists_the_exit_statuses_and_options_are_not_abbreviated(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["audit", "--help"])
    output = capsys.readouterr().out
    assert all(line in output for line in ("  0  PASS", "  1  FAIL", "  2  ERROR", "FILE… after --"))
    for verb in ("demo", "serve", "worker", "migrate", "doctor", "redeliver", "rotate-key", "init"):
        with pytest.raises(SystemExit, match="0"):
            main([verb, "--help"])
        assert "exit status: 0" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["audit", "--stage"])
    assert "unknown argument: --stage" in capsys.readouterr().err


def test_the_command_works_without_home_and_in_the_c_locale(faulty: WorkTree) -> None:
    faulty.commit({"ü\x1b.txt": SECRET})
    environment = {"PATH": os.environ["PATH"], "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-m", "forgeguard_app.cli.main", "audit", "--strict"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=60)
    assert (done.returncode, "  ü\\x1b.txt:1:6" in done.stdout.decode()) == (1, True), done.stderr


def test_sarif_gives_a_remark_on_the_configuration_of_the_secrets_scan_no_severity(
    tree: WorkTree, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tree.commit({"a.py": "x = 1\n", ".gitleaksignore": "gone.py:some-rule:3\n"})
    monkeypatch.chdir(tree.folder)
    main(["audit", "--all", "--format", "sarif"])
    rules = {rule["id"]: rule for rule in json.loads(capsys.readouterr().out)["runs"][0]["tool"]["driver"]["rules"]}
    assert rules["W1/configuration-notice"]["properties"]["tags"] == ["W1"]
    assert "security-severity" not in rules["W1/configuration-notice"]["properties"]


def test_no_name_makes_a_line_that_github_actions_takes_for_a_command(
    capsys: pytest.CaptureFixture[str], tree: WorkTree
) -> None:
    os.chdir(tree.folder)
    tree.commit({"requirements.txt": "", "::add-mask::e.py": "import yaml\n", "x##[add-mask]e.py": "import yaml\n"})
    for form in ("text", "github"):
        status, lines = audited(capsys, "--all", "--format", form)
        assert status == 1
        commands = [line for line in lines if line.lstrip().startswith("::")]
        assert len(commands) == (2 if form == "github" else 0)
        assert all(line.startswith("::error file=") for line in commands)
        assert not [line for line in lines if line not in commands and "##[" in line]
