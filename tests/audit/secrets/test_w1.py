"""W1: the rules by their own examples, what is not found, and that no value leaves the engine."""

from __future__ import annotations

import json
import random
import string
import zlib

import pytest

from forgeguard_app.audit.model import CheckCode, CheckReport, Level, Result
from forgeguard_app.audit.report import report_json, summary_markdown
from forgeguard_app.audit.secrets.allowlists import Exceptions
from forgeguard_app.audit.secrets.checksums import base62
from forgeguard_app.audit.secrets.rule import SecretRule
from forgeguard_app.audit.secrets.scanner import RULES, AddedBlock, scan
from tests.support.evaluated import check_of, evaluate, evaluate_all
from tests.support.repositories import WorkTree


def token(prefix: str = "ghp_", *, valid: bool = True) -> str:
    body = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=30))
    check = base62(zlib.crc32(body.encode()), 6)
    return prefix + body + (check if valid else check[::-1])


def found(text: str, path: str = "app/settings.py") -> list[str]:
    return [secret.rule.id for secret in scan([AddedBlock(path, None, 1, text.encode())], Exceptions())]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_every_rule_finds_its_example_and_not_its_counterexample(rule: SecretRule) -> None:
    path = "deploy/.env" if rule.id == "generic-setting" else "app/settings.py"
    assert found("".join(rule.example), path) == [rule.id]
    assert found("".join(rule.counterexample), path) == []
    assert rule.source
    assert all(keyword == keyword.lower() for keyword in rule.keywords)


def test_there_are_forty_provider_rules_and_no_name_twice() -> None:
    assert len({rule.id for rule in RULES}) == len(RULES)
    assert sum(bool(rule.prefix) for rule in RULES) >= 40


@pytest.mark.parametrize(
    "text",
    [
        'password = "changeme-please-now"',
        'API_KEY = os.environ["API_KEY_PRODUCTION_1"]',
        'token_url = "https://host.invalid/oauth2/token12345"',
        'SECRET_NAME = "projects/demo12/secrets/key34"',
        'api_key: "${API_KEY_123456789}"',
        'access_token = "xxxxxxxxxxxxxxxx1234"',
        'password_hash = "5f4dcc3b5aa765d61d8327deb882cf99"',
        'secret = "my_super_secret_value_2"',
        "postgresql://postgres:postgres@db:5432/app",
        "redis://user:password@cache.internal",
        "https://user:hunter2secret@localhost/x",
        '"integrity": "sha512-k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s=="',
        "ghp_" + "a" * 36,
        "-----BEGIN PRIVATE " + "KEY-----\n",
        "tokenizer = 'bert-base-uncased-2024'",
    ],
)
def test_what_is_no_secret_is_not_found(text: str) -> None:
    assert found(text) == []


def test_lock_files_full_of_hashes_are_left_out() -> None:
    assert found('"token": "k3J9xQ2mZ8vN5tR7pL4w"', "package-lock.json") == []  # forgeguard:allow


def test_a_value_in_a_line_of_four_megabytes_is_found() -> None:
    assert found("x" * 2_000_000 + f' "{token()}" ' + "y" * 2_000_000) == ["github-personal-token"]


def test_only_the_introducing_lines_of_every_commit_count(tree: WorkTree, capsys: pytest.CaptureFixture[str]) -> None:
    assert found(f"a = '{token()}'\nb = '{token()}'") == ["github-personal-token"]


async def test_a_secret_added_and_removed_within_the_push_is_found_with_its_commit(tree: WorkTree) -> None:
    base = tree.commit({"a.py": "x = 1\n"})
    adding = tree.commit({"a.py": f"x = 1\n\nT = '{token()}'\n"})
    tree.commit({"a.py": "x = 1\n"})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert [(f.path, f.line, f.column, f.commit, f.new) for f in check.findings] == [("a.py", 3, 6, adding, True)]
    assert adding[:10] in check.findings[0].message
    assert check.result is Result.WARN


async def test_what_stood_in_the_file_before_is_not_new(tree: WorkTree) -> None:
    base = tree.commit({"a.py": f"T = '{token()}'\n"})
    tree.commit({"a.py": f"T = '{token()}'\nx = 1\n", "b/c.py": "y = 2"})
    tree.git("mv", "a.py", "moved.py")
    tree.commit({})
    assert check_of(await evaluate(tree, base), CheckCode.W1).findings == ()


async def test_of_a_merge_only_lines_of_no_parent_count(tree: WorkTree) -> None:
    base = tree.commit({"a.py": "1\n2\n3\n"})
    tree.git("switch", "--quiet", "--create", "side")
    side = tree.commit({"side.py": f"S = '{token('gho_')}'\n", "a.py": "1\n2\nside\n"})
    tree.git("switch", "--quiet", "main")
    tree.commit({"a.py": "1\n2\nmain\n"})
    with pytest.raises(RuntimeError):
        tree.git("merge", "--quiet", "side")
    merge = tree.commit({"a.py": f"1\n2\nT = '{token('ghu_')}'\n"}, "merge")
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert sorted((f.rule, f.commit) for f in check.findings) == [
        ("github-oauth-token", side),
        ("github-user-token", merge),
    ]


async def test_nothing_of_a_value_leaves_the_engine(tree: WorkTree) -> None:
    generic = "q8Zr2LmX94vBn7Kd31Ws"
    base = tree.commit({"a.txt": ""})
    tree.commit({"a.py": f"T = '{token()}'\napi_key = '{generic}'\n"})
    report = await evaluate(tree, base)
    check = check_of(report, CheckCode.W1)
    assert len(check.findings) == 2
    text = json.dumps(report_json(report)) + summary_markdown(check) + repr(check)
    body = token()[4:]
    assert all(body[n : n + 5] not in text for n in range(len(body) - 5))
    assert all(generic[n : n + 4] not in text for n in range(len(generic) - 4))
    assert "ghp_" in text


async def test_verified_checksums_can_fail(tree: WorkTree) -> None:
    policy = {".github/forgeguard.yml": "checks: {W1: {level: warn, fail_on: verified}}"}
    assert (await _w1(tree, {**policy, "a.py": f"T = '{token()}'"})).result is Result.FAIL
    assert (await _w1(tree, {"a.py": f"T = '{token(valid=False)}'"})).result is Result.WARN
    npm = await _w1(tree, {"a.py": f"T = '{token('npm_')}'"})
    assert npm.findings[0].level is Level.FAILURE


async def _w1(tree: WorkTree, files: dict[str, str]) -> CheckReport:
    return check_of(await evaluate_all(tree, files), CheckCode.W1)


async def test_exceptions_are_honoured(tree: WorkTree) -> None:
    files = {
        "inline.py": f"T = '{token()}'  # forgeguard:allow\nS = '{token('gho_')}' # gitleaks:allow\n",
        "fixtures/x.py": f"T = '{token()}'\n",
        "ignored.py": f"\nT = '{token()}'\n",
        "kept.py": f"T = '{token()}'\n",
        ".gitleaks.toml": "[allowlist]\npaths = ['^fixtures/']\n",
        ".gitleaksignore": "# why\nignored.py:github-pat:2\n",
    }
    assert [f.path for f in (await _w1(tree, files)).findings] == ["kept.py"]


async def test_a_broken_allowlist_is_an_error(tree: WorkTree) -> None:
    check = await _w1(tree, {".gitleaks.toml": "[allowlist]\npaths = ['(?!x)']\n"})
    assert check.result is Result.ERROR
    assert "look-around" in check.problems[0].message


async def test_binary_and_huge_files_are_read(tree: WorkTree) -> None:
    base = tree.commit({"a.txt": ""})
    tree.commit(
        {
            "bin.dat": b"\0\1" + token().encode(),
            "big.py": b"import os\n" + b"x" * 6_000_000 + f"\nT = '{token()}'".encode(),
            "small.py": f"T = '{token()}'",
        }
    )
    report = await evaluate(tree, base)
    secrets = check_of(report, CheckCode.W1)
    assert [(f.path, f.line) for f in secrets.findings] == [("big.py", 3), ("bin.dat", 1), ("small.py", 1)]
    assert secrets.incomplete == ()


async def test_ignored_paths_of_its_own(tree: WorkTree) -> None:
    files = {
        ".forgeguard.yml": "ignore: ['a.py']\nchecks: {W1: {ignore: ['fixtures/**']}}",
        "a.py": f"T = '{token()}'",
        "fixtures/b.py": f"T = '{token()}'",
    }
    assert [f.path for f in (await _w1(tree, files)).findings] == ["a.py"]


@pytest.mark.parametrize(("gate", "shown"), [("changed", ["a.py"]), ("all", ["a.py", "b.py"])])
async def test_existing_secrets_count_where_the_gate_asks_for_them_and_are_not_new(
    tree: WorkTree, gate: str, shown: list[str]
) -> None:
    base = tree.commit(
        {
            ".forgeguard.yml": f"checks: {{W1: {{gate: {gate}}}}}",
            "a.py": f"T = '{token()}'\n",
            "b.py": f"T = '{token()}'\n",
        }
    )
    tree.commit({"a.py": f"T = '{token()}'\nx = 1\n"})
    check = check_of(await evaluate(tree, base), CheckCode.W1)
    assert [(f.path, f.new, f.counted) for f in check.findings] == [(path, False, True) for path in shown]
    assert check.result is Result.WARN


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ('DB_PASSWORD="S3cr3t!Pa55w0rd#2024x"', "settings.py"),
        ("AWS_SECRET_ACCESS_KEY=wJalr7tnFEMIzK7MDbNGx" + "RfiCYzR8pLmQvT3sXuB", ".env"),
        ('{"client_secret": "GOCSPX' + '-k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0"}', "client.json"),
        ("//registry.invalid/:_authToken=npm" + "_zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", ".npmrc"),
        ("DATABASE_URL=postgres://app:Zx8" + "-k3J9xQ2m@db.internal:5432/app", ".env"),
        ('key = "-----BEGIN RSA PRIVATE ' + 'KEY-----\\nMIIEpAIBAAKCAQEA7k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2s\\n"', "a.py"),
        (
            "-----BEGIN OPENSSH PRIVATE " + "KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAAB\n",
            "id_ed25519",
        ),
        ("  api_token: k3J9xQ2mZ8v" + "N5tR7pL4wY6cB", "config.yml"),
        ("sk-proj" + "-k3J9xQ2mZ8vN5tR7pL4wY6cB1dF0gH2sk3J9xQ2mZ8vN5tR7pL4w", "a.ts"),
    ],
)
def test_credentials_as_people_leave_them(text: str, path: str) -> None:
    assert len(found(text, path)) == 1


async def test_words_in_a_fork_s_line_except_nothing(tree: WorkTree) -> None:
    base = tree.commit({"a.py": "x = 1\n"})
    head = tree.commit({"b.py": f"T = '{token()}'  # forgeguard:allow\n"})
    for fork, result in ((True, "WARN"), (False, "PASS")):
        report = await evaluate(tree, base, head, fork=fork)
        assert str(check_of(report, CheckCode.W1).result) == result
