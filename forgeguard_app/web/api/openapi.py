"""The OpenAPI 3.1 document, made from the table that also validates, and the page that shows it to people."""

from __future__ import annotations

import functools
import re
from typing import Any

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from forgeguard_app import __version__
from forgeguard_app.projects.contract_types import ContractType
from forgeguard_app.web.api.models import Problem
from forgeguard_app.web.api.operations import Operation
from forgeguard_app.web.api.table import OPERATIONS, PREFIX
from forgeguard_app.web.render import page

_PATH_SCHEMAS: dict[str, dict[str, Any]] = {
    "contract_type": {"type": "string", "enum": [kind.value for kind in ContractType]}
}
_REF = "#/components/schemas/{model}"
_WRONG = {
    400: "It is not what this operation takes.",
    401: "No token, or one that does not hold.",
    429: "Too many requests.",
    503: "GitHub or the database is away; try again.",
}


async def show_document(_: web.Request) -> web.Response:
    """GET /api/v1/openapi.json."""
    return web.json_response(document(), headers={"Cache-Control": "public, max-age=300"})


async def show_api(request: web.Request) -> web.Response:
    """Return the same document for people."""
    return await page(request, "api.html", document=document(), operations=OPERATIONS, prefix=PREFIX, kind=kind_of)


@functools.cache
def document() -> dict[str, Any]:
    """Return the whole document."""
    models = sorted(
        {model for operation in OPERATIONS for model in _models(operation)} | {Problem},
        key=lambda model: model.__name__,
    )
    _, schemas = models_json_schema([(model, "validation") for model in models], ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        paths.setdefault(PREFIX + operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "ForgeGuard",
            "version": __version__,
            "description": "Lists are paged: `next` of one page is the `cursor` of the following one. Errors are "
            "problem details (RFC 9457).",
        },
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "A personal API token, `fgp_…`."}
            },
        },
        "security": [{"token": []}],
    }


def kind_of(schema: dict[str, Any]) -> str:
    """Return the kind of a value, in words."""
    if "enum" in schema:
        return " or ".join(str(value) for value in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(kind_of(choice) for choice in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kind = str(schema.get("type", "anything"))
    return f"{kind} ({schema['format']})" if "format" in schema else kind


def _models(operation: Operation) -> list[type[BaseModel]]:
    return [model for model in (operation.answer, operation.body) if model is not None]


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": f"{operation.method.lower()}_{re.sub(r'[^a-z]+', '_', operation.path).strip('_')}",
        "summary": operation.summary,
        "description": (operation.handler.__doc__ or "").strip(),
        "parameters": [*_path_parameters(operation), *_query_parameters(operation)],
        "responses": _responses(operation),
    }
    if operation.for_all:
        described["security"] = [{"token": []}, {}]
    if operation.body is not None:
        schema = {"$ref": _REF.format(model=operation.body.__name__)}
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return described


def _path_parameters(operation: Operation) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PATH_SCHEMAS.get(name, {"type": "string", "format": "uuid"}),
        }
        for name in re.findall(r"\{(\w+)\}", operation.path)
    ]


def _query_parameters(operation: Operation) -> list[dict[str, Any]]:
    schema = operation.query.model_json_schema()
    return [
        {
            "name": name,
            "in": "query",
            "required": False,
            "description": field.get("description", ""),
            "schema": _bare(field),
        }
        for name, field in schema.get("properties", {}).items()
    ]


def _bare(field: dict[str, Any]) -> dict[str, Any]:
    """Return the schema without null: what may be left out of a query is left out."""
    choices = [choice for choice in field.get("anyOf", [field]) if choice.get("type") != "null"]
    return {name: value for name, value in choices[0].items() if name not in ("title", "description", "default")}


def _responses(operation: Operation) -> dict[str, Any]:
    statuses = dict(_WRONG)
    if "{" in operation.path or operation.finds:
        statuses[404] = "It does not exist, or you may not see it."
    if operation.writes or operation.finds:
        statuses[403] = "You or the token may not do this."
    if operation.conflicts:
        statuses[409] = "Somebody else was faster."
    if operation.body is not None:
        statuses |= {413: "The body is too large.", 415: "The body is not JSON."}
    wrong = {"application/problem+json": {"schema": {"$ref": _REF.format(model=Problem.__name__)}}}
    found: dict[str, Any] = {
        str(status): {"description": description, "content": wrong} for status, description in sorted(statuses.items())
    }
    right: dict[str, Any] = {"description": "Done." if operation.writes else "Found."}
    if operation.answer is not None:
        right["content"] = {"application/json": {"schema": {"$ref": _REF.format(model=operation.answer.__name__)}}}
    if operation.stream is not None:
        right["content"]["text/event-stream"] = {"schema": {"type": "string"}}
    found[str(operation.status)] = right
    if not operation.writes:
        found["304"] = {"description": "It is as it was: `If-None-Match` was sent."}
    return found
