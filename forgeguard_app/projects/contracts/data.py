"""The contracts about data: the schema, with its SQL, and physics, the description of the API."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from forgeguard_app.projects.answers import Answers, Row
from forgeguard_app.projects.contracts.words import MAX_CHARS, document, section, sentence
from forgeguard_app.projects.contracts.yaml_text import write_yaml

_PARAMETER = re.compile(r"\{(\w+)\}")
_JSON_TYPES: dict[str, dict[str, str]] = {
    "uuid": {"type": "string", "format": "uuid"},
    "bigint": {"type": "integer"},
    "integer": {"type": "integer"},
    "numeric": {"type": "number"},
    "text": {"type": "string"},
    "boolean": {"type": "boolean"},
    "date": {"type": "string", "format": "date"},
    "timestamptz": {"type": "string", "format": "date-time"},
    "jsonb": {"type": "object"},
}
_SQL_BLOCK = re.compile(r"^```sql\n(.*?)^```", re.M | re.S)
# Words that PostgreSQL reserves: https://www.postgresql.org/docs/current/sql-keywords-appendix.html
_RESERVED = frozenset(
    "all analyse analyze and any array as asc asymmetric authorization between binary both case cast check "
    "collate column concurrently "
    "constraint create cross current_date current_role current_time current_timestamp current_user default "
    "deferrable desc distinct do "
    "else end except false fetch for foreign freeze from full grant group having ilike in initially inner "
    "intersect into is isnull join "
    "lateral leading left like limit localtime localtimestamp natural not notnull null offset on only or "
    "order outer overlaps placing "
    "primary references returning right select session_user similar some symmetric table tablesample then to "
    "trailing true union unique "
    "user using variadic verbose when where window with".split()
)
_NAME = re.compile(r"[^a-z0-9_]+")


def schema(name: str, answers: Answers) -> str:
    """Return every table, as SQL that can be run."""
    tables = _tables(answers)
    if not tables:
        return document(f"{name}: schema", "Nothing is kept: no part of it needs a table.\n")
    parts = [section(f"`{table}`", f"```sql\n{_create(table, rows, tables)}\n```") for table, rows in tables.items()]
    return document(
        f"{name}: schema",
        "This document comes first: a table or a column is written here, then into a migration, then used. "
        "What stands here can be run as it is.\n",
        *parts,
        section("How long it is kept", sentence(answers.text("data.retention"))),
    )


def sql_of(text: str) -> str:
    """Return the SQL of a schema contract, in its order."""
    return "\n".join(block.strip() for block in _SQL_BLOCK.findall(text)) + "\n"


def _tables(answers: Answers) -> dict[str, list[Row]]:
    """Return the tables by name, names as identifiers. A table that another refers to comes before it."""
    found: dict[str, dict[str, Row]] = {}
    for given in answers.rows("data.tables"):
        row = {**given, **{key: _identifier(given[key]) for key in ("table", "column", "references")}}
        if row["table"] and row["column"]:
            found.setdefault(row["table"], {}).setdefault(row["column"], row)
    wanted = {
        table: {row["references"] for row in rows.values()} & found.keys() - {table} for table, rows in found.items()
    }
    ordered: dict[str, list[Row]] = {}
    while wanted:
        ready = [table for table, others in wanted.items() if others <= ordered.keys()] or list(wanted)[:1]
        for table in ready:
            ordered[table] = list(found[table].values())
            del wanted[table]
    return ordered


def _create(table: str, rows: list[Row], tables: Collection[str]) -> str:
    key = next((row for row in rows if row["rule"] == "primary key"), None)
    key = key or next((row for row in rows if row["column"] == "id"), None)
    lines = [f"    {_column(row, tables, key=row is key)}" for row in rows]
    if key is None:
        lines.insert(0, "    id UUID PRIMARY KEY DEFAULT gen_random_uuid()")
    return f"CREATE TABLE {_quoted(table)} (\n" + ",\n".join(lines) + "\n);"


def _column(row: Row, tables: Collection[str], *, key: bool) -> str:
    parts = [_quoted(row["column"]), row["type"].upper()]
    if key:
        parts.append("PRIMARY KEY")
    else:
        rules = {"primary key": "NOT NULL UNIQUE", "required": "NOT NULL", "unique": "NOT NULL UNIQUE"}
        parts += [rules[row["rule"]]] if row["rule"] in rules else []
    if row["references"] in tables:
        parts.append(f"REFERENCES {_quoted(row['references'])}")
    return " ".join(parts)


def _identifier(text: str) -> str:
    name = _NAME.sub("_", text.lower()).strip("_")[:60].strip("_")
    return f"n{name}" if name[:1].isdigit() else name


def _quoted(name: str) -> str:
    """Return the name as SQL takes it, where it is a word of the language too."""
    return f'"{name}"' if name in _RESERVED else name


def physics(name: str, answers: Answers) -> str:
    """Return the API as an OpenAPI document.

    Raises:
        ContractTooLong: it has more than MAX_CHARS characters.
    """
    paths: dict[str, dict[str, Any]] = {}
    for row in answers.rows("api.endpoints"):
        path = row["path"] if row["path"].startswith("/") else f"/{row['path']}"
        paths.setdefault(path, {})[row["method"].lower()] = _operation(row, path)
    described: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": name, "version": "1.0.0", "description": sentence(answers.text("intent.summary"))},
        "paths": paths,
    }
    components: dict[str, Any] = {}
    if schemas := {table: _schema(rows) for table, rows in _tables(answers).items()}:
        components["schemas"] = schemas
    if scheme := _SECURITY.get(answers.text("api.authentication")):
        components["securitySchemes"] = {"caller": scheme}
        described["security"] = [{"caller": []}]
    if components:
        described["components"] = components
    return write_yaml(described, MAX_CHARS)


_SECURITY: dict[str, dict[str, Any]] = {
    "session cookie": {"type": "apiKey", "in": "cookie", "name": "session"},
    "bearer token": {"type": "http", "scheme": "bearer"},
    "OAuth 2": {"type": "http", "scheme": "bearer", "description": "An access token of the authorization server."},
}


def _operation(row: Row, path: str) -> dict[str, Any]:
    names = list(dict.fromkeys(_PARAMETER.findall(path)))
    done = {"GET": "200", "POST": "201", "DELETE": "204"}.get(row["method"], "200")
    operation: dict[str, Any] = {"summary": sentence(row["purpose"])}
    if names:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names
        ]
    operation["responses"] = {
        done: {"description": "Done."},
        "400": {"description": "What was sent is not what this operation takes."},
    }
    if names:
        operation["responses"]["404"] = {"description": "It does not exist, or the caller may not see it."}
    return operation


def _schema(rows: list[Row]) -> dict[str, Any]:
    required = [row["column"] for row in rows if row["rule"] in ("primary key", "required", "unique")]
    fields = {row["column"]: dict(_JSON_TYPES.get(row["type"], {"type": "string"})) for row in rows}
    return {"type": "object", **({"required": required} if required else {}), "properties": fields}
