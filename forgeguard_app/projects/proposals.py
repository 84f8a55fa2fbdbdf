"""Proposes answers: from earlier answers, and from a linked repository's code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from forgeguard_app.audit.check_kinds import name_codes
from forgeguard_app.projects.answers import MAX_ROWS, Answers, Row, Value


@dataclass(frozen=True, slots=True)
class SeenCode:
    """The code of a repository's newest audited head: files by language, manifests, and parts with their files."""

    languages: tuple[tuple[str, int], ...] = ()
    manifests: tuple[str, ...] = ()
    layers: tuple[tuple[str, str], ...] = ()


def propose(key: str, answers: Answers, code: SeenCode, package: str) -> Value:
    """Return a proposal for the question; empty where there is none, and of rows as many as an answer may have.

    `package` is the project's name in Python.
    """
    proposer = _PROPOSERS.get(key)
    return proposer(answers, code, package)[:MAX_ROWS] if proposer else ""


def _language(answers: Answers, code: SeenCode, _: str) -> Value:
    if code.languages and code.languages[0][0] != "Python":
        return code.languages[0][0]
    return "" if answers.text("stack.kind") == "other" else "Python 3.11 or later"


def _kind(_: Answers, code: SeenCode, __: str) -> Value:
    if code.languages and code.languages[0][0] != "Python":
        return "other"
    return "python-aiohttp" if not code.languages else ""


def _dependencies(answers: Answers, _: SeenCode, __: str) -> Value:
    web = {"python-aiohttp": ["aiohttp"], "python-fastapi": ["fastapi", "uvicorn"]}.get(answers.text("stack.kind"), [])
    return [*web, *(["asyncpg"] if answers.text("stack.database") == "postgresql" and web else [])]


def _endpoints(answers: Answers, _: SeenCode, __: str) -> Value:
    """Reading and writing each table; to be cut down rather than thought up."""
    rows: list[Row] = []
    for table in dict.fromkeys(row["table"] for row in answers.rows("data.tables")):
        rows += [
            {"method": "GET", "path": f"/{table}", "purpose": f"Lists the {table}, page by page."},
            {"method": "POST", "path": f"/{table}", "purpose": f"Adds to the {table}."},
            {"method": "GET", "path": f"/{table}/{{id}}", "purpose": f"Gives one of the {table}."},
            {"method": "DELETE", "path": f"/{table}/{{id}}", "purpose": f"Deletes one of the {table}."},
        ]
    return rows


def _screens(answers: Answers, _: SeenCode, __: str) -> Value:
    if answers.text("ui.kind") in ("", "none"):
        return []
    tables = dict.fromkeys(row["table"] for row in answers.rows("data.tables"))
    return [
        {"screen": table.replace("_", " ").capitalize(), "purpose": f"Finds and changes {table.replace('_', ' ')}."}
        for table in tables
    ]


def _rules(answers: Answers, _: SeenCode, __: str) -> Value:
    if answers.text("ui.kind") in ("", "none"):
        return []
    return [
        "Everything can be reached and used with the keyboard.",
        "Empty, loading and error states are designed, not left over.",
        "It can be read at 320 pixels width and in the dark.",
    ]


def _layers(answers: Answers, code: SeenCode, package: str) -> Value:
    """Return the usual layout of the chosen stack; for a linked repository, its real parts."""
    if code.layers:
        return [_layer(name, glob) for name, glob in code.layers]
    database = {"postgresql": "asyncpg", "sqlite": "sqlite3"}.get(answers.text("stack.database"), "")
    no_sql = "the database is reached through the repositories alone"
    if answers.text("stack.kind") in ("python-aiohttp", "python-fastapi"):
        web = "aiohttp" if answers.text("stack.kind") == "python-aiohttp" else "fastapi"
        return [
            _layer("api", f"{package}/api/**", "services", database, no_sql),
            _layer(
                "services",
                f"{package}/services/**",
                "repositories, domain",
                ", ".join(layer for layer in (web, database) if layer),
                "a service knows no transport and no driver",
            ),
            _layer(
                "repositories",
                f"{package}/repositories/**",
                "domain",
                web,
                "what is stored does not depend on who asks",
            ),
            _layer(
                "domain",
                f"{package}/domain/**",
                "-",
                ", ".join(layer for layer in (web, database) if layer),
                "the domain is pure",
            ),
        ]
    if answers.text("stack.kind") == "python-library":
        return [
            _layer("cli", f"{package}/cli/**", "core"),
            _layer("core", f"{package}/core/**", "-", "argparse", "the core is used without a command line"),
        ]
    return []


def _layer(name: str, glob: str, may_import: str = "", forbidden: str = "", reason: str = "") -> Row:
    return {
        "name": name,
        "glob": glob,
        "may_import": may_import,
        "forbidden_imports": forbidden,
        "reason": reason if forbidden else "",
    }


def _phases(answers: Answers, _: SeenCode, __: str) -> Value:
    """Return a skeleton first, then what lies lowest, up to what people see, and the way out at the end."""
    names = [row["name"] for row in answers.rows("boundaries.layers")]
    rows = [
        _phase(
            "Genesis",
            "A skeleton that installs, imports and passes its first test.",
            ["The contracts, the manifest and the layers' packages", "A first test, and CI that runs it"],
            ["The tests pass on a fresh machine", f"{name_codes()} pass"],
        ),
    ]
    for name in reversed(names):
        rows.append(
            _phase(
                name.capitalize(),
                f"The layer `{name}` does what its part of the contracts says.",
                [f"The modules of `{name}`", f"Tests of `{name}` in its own words"],
                ["The tests pass", f"`{name}` imports nothing that its boundary forbids"],
            )
        )
    if answers.text("ui.kind") not in ("", "none"):
        rows.append(
            _phase(
                "Interface",
                "People reach everything that the outcomes name.",
                ["The screens of the ui contract"],
                ["Each outcome is shown by a test that a user would recognise"],
            )
        )
    if answers.text("deployment.target") not in ("", "not decided"):
        rows.append(
            _phase(
                "Release",
                f"It runs as: {answers.text('deployment.target')}.",
                ["What the deployment section asks for", "A page for operators"],
                ["It starts from nothing with the documented settings alone"],
            )
        )
    return rows


def _phase(name: str, objective: str, deliverables: list[str], criteria: list[str]) -> Row:
    return {
        "name": name,
        "objective": objective,
        "deliverables": "\n".join(deliverables),
        "exit_criteria": "\n".join(criteria),
    }


def _yes(_: Answers, __: SeenCode, ___: str) -> Value:
    return "yes"


_PROPOSERS: dict[str, Callable[[Answers, SeenCode, str], Value]] = {
    "stack.kind": _kind,
    "stack.language": _language,
    "stack.dependencies": _dependencies,
    "api.endpoints": _endpoints,
    "ui.screens": _screens,
    "ui.rules": _rules,
    "boundaries.layers": _layers,
    "boundaries.exhaustive": _yes,
    "phases.phases": _phases,
}
