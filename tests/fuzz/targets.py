"""What reads strangers' bytes, each with some that it is meant for."""

from __future__ import annotations

import ast
import contextlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.languages.python import python_facts
from forgeguard_app.audit.policy import read_settings
from forgeguard_app.audit.requirements.readers import read_manifest
from forgeguard_app.audit.secrets.gitleaks_files import read_exceptions
from forgeguard_app.git.patches import read_patch
from forgeguard_app.github.payloads import BadPayload, read_event
from tests.support.python_texts import module

_PYPROJECT = b"""[project]
name = "x"
dependencies = ["requests>=2", 'aiohttp[speedups]; python_version < "3.12"']
[project.optional-dependencies]
dev = ["pytest"]
[tool.poetry.dependencies]
python = "^3.11"
flask = {version = "3", extras = ["async"]}
[dependency-groups]
test = [{include-group = "dev"}, "tox"]
"""
_SETUP = b"""from setuptools import setup
deps = ["requests"]
deps += ["flask>=2"]
setup(name="x", install_requires=deps, extras_require={"dev": ["pytest"]}, tests_require=open("r.txt").read())
"""
_REQUIREMENTS = b"""# comment
requests==2.31.0 \\
    --hash=sha256:abc
-r more.txt
-e git+https://example.com/a.git#egg=b
flask[async]>=2,<3 ; python_version > "3.8" and sys_platform == 'linux'
"""
_CFG = (
    b"[metadata]\nname = x\n[options]\ninstall_requires =\n    requests\n    "
    b"flask>=2\n[options.extras_require]\ndev = pytest\n"
)
_PATCH = b"""commit 1111111111111111111111111111111111111111 2222222222222222222222222222222222222222
:100644 100644 1111111111111111111111111111111111111111 2222222222222222222222222222222222222222 M\ta.py
diff --git a/a.py b/a.py
index 1111111..2222222 100644
--- a/a.py
+++ b/a.py
@@ -1,2 +1,3 @@
 x = 1
-y = 2
+y = 3
+z = "\\303\\244"
\\ No newline at end of file
"""
_BOUNDARIES = b"""{"version": 1, "layers": [
  {"name": "web", "glob": "src/web/**/*.py", "may_import": ["core"], "forbidden": [{"pattern": "SELECT .* FROM",
      "reason": "no SQL"}]},
  {"name": "core", "glob": ["src/core/**", "!src/core/old/**"], "forbidden_imports": [{"module": "django",
      "reason": "pure"}]}],
 "order": ["web", "core"], "acyclic": true, "exceptions": [{"from": "a", "to": "b", "reason": "old"}]}
"""
_SETTINGS = b"""version: 1
checks:
  A4: {level: fail, boundaries: boundaries.json}
  W1:
    level: warn
    ignore: ["tests/**", 'docs/*.md']
exclude: &x
  - build/**
again: *x
"""
_GITLEAKS = b"""[extend]
useDefault = true
disabledRules = ["generic-api-key"]
[[rules]]
id = "mine"
regex = '''mine-[0-9a-f]{32}'''
keywords = ["mine"]
[allowlist]
paths = ['''tests/.*''']
regexes = ['''example''']
stopwords = ["fake"]
"""
_PUSH = (
    b'{"ref": "refs/heads/main", "before": "' + b"1" * 40 + b'", "after": "' + b"2" * 40 + b'", "deleted": false,'
    b' "repository": {"id": 7, "full_name": "octo/shop", "private": false, "default_branch": "main", "owner": '
    b'{"id": 1, "login": "octo"},'
    b' "updated_at": "2026-01-01T00:00:00Z"}, "installation": {"id": 3}, "head_commit": {"message": "m", '
    b'"author": {"name": "n"}}}'
)
_INSTALLATION = (
    b'{"action": "created", "installation": {"id": 3, "account": {"id": 1, "login": "octo", "type": "User"}, '
    b'"permissions": {"checks": "write"},'
    b' "updated_at": "2026-01-01T00:00:00Z"}, "repositories": [{"id": 7, "full_name": "octo/shop", "private": '
    b'true}], "sender": {"id": 1, "login": "o"}}'
)


@dataclass(frozen=True, slots=True)
class Target:
    """A reader, and what it is meant for; whatever it is given, it only answers."""

    samples: tuple[bytes, ...]
    read: Callable[[bytes], object]


def _manifests(data: bytes) -> None:
    for name in ("pyproject.toml", "setup.py", "setup.cfg", "requirements.txt", "tox.ini", "Pipfile"):
        read_manifest(name, data)


def _patch(data: bytes) -> None:
    for _ in read_patch(data):
        pass


def _configuration(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    read_settings(text, "forgeguard.yml")
    read_settings(text, "forgeguard.yml", owner=True)
    read_boundaries(text, "boundaries.json")
    read_exceptions(data, data)


def _payload(data: bytes) -> None:
    for name in ("push", "installation", "pull_request", "check_suite", "repository", "ping"):
        with contextlib.suppress(BadPayload):
            read_event(name, data)


def _source(data: bytes) -> None:
    """Compare the imports with those of `ast`, where the running Python parses the source."""
    facts = python_facts(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            nodes = list(ast.walk(ast.parse(data)))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
    modules = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    modules += [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    assert facts.cut or sorted(modules) == sorted(item.module for item in facts.imports)


TARGETS = {
    "sources": Target(tuple(module(Random(seed))[0].encode() for seed in range(20)), _source),
    "manifests": Target((_PYPROJECT, _SETUP, _REQUIREMENTS, _CFG), _manifests),
    "patches": Target((_PATCH,), _patch),
    "payloads": Target((_PUSH, _INSTALLATION), _payload),
    "configuration": Target((_BOUNDARIES, _SETTINGS, _GITLEAKS), _configuration),
}
