"""What the command line loads before it does anything: a hook is started at every commit."""

from __future__ import annotations

import subprocess
import sys

import pytest

SERVER_LIBRARIES = {
    "aiohttp",
    "asyncpg",
    "cryptography",
    "gidgethub",
    "jinja2",
    "jwt",
    "markdown_it",
    "msgspec",
    "procrastinate",
    "prometheus_client",
    "psycopg",
    "pydantic",
    "rich",
    "structlog",
}


def loaded(code: str) -> set[str]:
    """The top names of the modules that a fresh interpreter has loaded after the code."""
    code += "\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_audit_and_init_load_no_library_of_the_server_and_help_loads_nothing() -> None:
    modules = loaded("import forgeguard_app.cli.audit, forgeguard_app.cli.init")
    assert not modules & SERVER_LIBRARIES
    assert not loaded("import forgeguard_app.cli.main") & {*SERVER_LIBRARIES, "asyncio", "re2", "yaml"}


@pytest.mark.parametrize(
    ("verb", "unneeded"),
    [
        ("migrate", {"aiohttp", "cryptography", "gidgethub", "jinja2", "procrastinate", "yaml"}),
        ("redeliver", {"jinja2", "markdown_it", "procrastinate"}),
        ("worker", {"jinja2", "markdown_it", "prometheus_client"}),
        ("serve", {"procrastinate", "psycopg"}),
    ],
)
def test_a_verb_of_the_server_loads_what_it_needs(verb: str, unneeded: set[str]) -> None:
    assert not loaded(f"import forgeguard_app.cli.{verb}") & unneeded
