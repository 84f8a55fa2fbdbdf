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
from forgeguard_app.projects.contracts.words import MAX_CHARS

MAX_NAMED_CHARS = 100
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
    called = _named(name)
    if not name.startswith("/"):
        reading.problem(place, f"the path {called} must begin with '/'")
    parameters = dict.fromkeys(_PARAMETER.findall(name))
    for_all = _declared(node.value.get("parameters")) if isinstance(node.value, dict) else frozenset()
    for method, operation in reading.mapping(node, f"the path {called}").items():
        if method.lower() not in _METHODS:
            if method not in _BESIDE:
                message = f"{_named(method)} is no method; known are {', '.join(_METHODS)}"
                reading.problem(node.keys[method], message)
            continue
        fields = reading.mapping(operation, f"{method} {called}")
        if isinstance(operation.value, dict) and "responses" not in fields:
            reading.problem(node.keys[method], f"{method} {called} says nothing of its responses")
        declared = for_all | _declared(fields.get("parameters"))
        for parameter in parameters:
            if reading.is_full:
                return
            if parameter not in declared:
                missing = _named(f"{{{parameter}}}")
                reading.problem(node.keys[method], f"the parameter {missing} of {called} is not described")


def _named(text: str) -> str:
    """Return a name in quotes, without its end where it is long: a message repeats it."""
    return repr(text if len(text) <= MAX_NAMED_CHARS else f"{text[: MAX_NAMED_CHARS - 1]}…")


def _declared(parameters: Node | None) -> frozenset[str]:
    found: set[str] = set()
    for parameter in parameters.value if parameters is not None and isinstance(parameters.value, list) else []:
        if isinstance(parameter.value, dict) and "name" in parameter.value:
            found.add(str(parameter.value["name"].value))
        elif isinstance(parameter.value, dict) and "$ref" in parameter.value:
            found.add(str(parameter.value["$ref"].value).rpartition("/")[2])
    return frozenset(found)
