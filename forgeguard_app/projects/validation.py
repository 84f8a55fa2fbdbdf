"""Validates contracts by their types: all problems at once, each with its place."""

from __future__ import annotations

import re

from forgeguard_app.audit.boundaries.parse import CONTRACT_PATH, read_boundaries
from forgeguard_app.audit.documents import DocumentError, Node
from forgeguard_app.audit.model import Problem
from forgeguard_app.audit.reading import Reading
from forgeguard_app.audit.yaml_document import read_yaml
from forgeguard_app.projects.build_plan import read_plan
from forgeguard_app.projects.contract_types import FILES, ContractType
from forgeguard_app.projects.contracts.data import sql_of

MAX_CHARS = 200_000
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_BESIDE = ("parameters", "summary", "description", "servers")
_PARAMETER = re.compile(r"\{([^{}]*)\}")


def problems_of(kind: ContractType, text: str) -> tuple[Problem, ...]:
    """Return the problems of the text; empty where it may be saved."""
    path = FILES[kind]
    if not text.strip():
        return (Problem(path, 1, 1, "it is empty"),)
    if len(text) > MAX_CHARS:
        return (Problem(path, 1, 1, f"it has {len(text):,} characters; at most {MAX_CHARS:,} are kept"),)
    match kind:
        case ContractType.BOUNDARIES:
            return _boundaries(text)
        case ContractType.PHYSICS:
            return _physics(text, path)
        case ContractType.PHASES:
            return read_plan(text, path)[1]
        case ContractType.SCHEMA:
            return _schema(text, path)
        case _:
            return ()


def _boundaries(text: str) -> tuple[Problem, ...]:
    boundaries, problems = read_boundaries(text, CONTRACT_PATH)
    if not problems and not boundaries.layers:
        return (Problem(CONTRACT_PATH, 1, 1, "it has no layers, so nothing would be evaluated"),)
    return problems


def _schema(text: str, path: str) -> tuple[Problem, ...]:
    """Fences that are opened are closed: all of the SQL is run."""
    fences = [number for number, line in enumerate(text.splitlines(), 1) if line.startswith("```")]
    if len(fences) % 2:
        return (Problem(path, fences[-1], 1, "this block of SQL is never closed with ```"),)
    unended = sql_of(text).strip()
    if unended and not unended.endswith(";"):
        return (Problem(path, fences[-1], 1, "a statement is not ended with a semicolon"),)
    return ()


def _physics(text: str, path: str) -> tuple[Problem, ...]:
    reading = Reading(path)
    try:
        root = read_yaml(text)
    except DocumentError as error:
        return (Problem(path, error.line, error.column, error.message),)
    if root is None:
        return (Problem(path, 1, 1, "it is empty"),)
    keys = reading.mapping(root, "the description")
    if isinstance(root.value, dict):
        for name in ("openapi", "info", "paths"):
            if name not in keys:
                reading.problem(root, f"the key {name!r} is missing")
        if "info" in keys:
            info = reading.mapping(keys["info"], "info")
            if isinstance(keys["info"].value, dict) and "title" not in info:
                reading.problem(keys["info"], "info has no title")
        if "paths" in keys and keys["paths"].value is not None:
            for name, node in reading.mapping(keys["paths"], "paths").items():
                _path(reading, name, keys["paths"].keys[name], node)
    return tuple(sorted(reading.problems, key=lambda problem: (problem.line, problem.column)))


def _path(reading: Reading, name: str, place: tuple[int, int], node: Node) -> None:
    if not name.startswith("/"):
        reading.problem(place, f"the path {name!r} must begin with '/'")
    for method, operation in reading.mapping(node, f"the path {name!r}").items():
        if method.lower() not in _METHODS:
            if method not in _BESIDE:
                reading.problem(node.keys[method], f"{method!r} is no method; known are {', '.join(_METHODS)}")
            continue
        fields = reading.mapping(operation, f"{method} {name}")
        if isinstance(operation.value, dict) and "responses" not in fields:
            reading.problem(node.keys[method], f"{method} {name} says nothing of its responses")
        declared = _declared(fields, node)
        for parameter in _PARAMETER.findall(name):
            if parameter not in declared:
                reading.problem(node.keys[method], f"the parameter {{{parameter}}} of {name} is not described")


def _declared(fields: dict[str, Node], path: Node) -> set[str]:
    found: set[str] = set()
    for node in (fields.get("parameters"), path.value.get("parameters")):
        for parameter in node.value if node is not None and isinstance(node.value, list) else []:
            if isinstance(parameter.value, dict) and "name" in parameter.value:
                found.add(str(parameter.value["name"].value))
            elif isinstance(parameter.value, dict) and "$ref" in parameter.value:
                found.add(str(parameter.value["$ref"].value).rpartition("/")[2])
    return found
