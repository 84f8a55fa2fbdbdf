"""The schemas for editors say of a file what we say of it."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
import yaml

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.policy import read_settings
from forgeguard_app.web.schemas import FOLDER
from tests.support.running import Product

LAYER = {"name": "a", "glob": "a/**"}


def takes(name: str, value: Any) -> bool:
    schema = json.loads((FOLDER / f"{name}.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return bool(jsonschema.Draft202012Validator(schema).is_valid(value))


@pytest.mark.parametrize(
    "file",
    [
        {"layers": []},
        {"layers": [LAYER]},
        {
            "layers": [LAYER | {"glob": ["a", "b"], "may_import": ["a"], "description": ""}],
            "order": ["a"],
            "acyclic": True,
        },
        {"layers": [LAYER | {"forbidden": [{"pattern": "x", "reason": "r"}], "forbidden_imports": [{"module": "m"}]}]},
        {"layers": [LAYER], "order": [["a"]], "known_violations": [{"layer": "a", "file": "f", "pattern": "p"}]},
        {},
        {"layers": {}},
        {"layers": [{"name": "a"}]},
        {"layers": [LAYER | {"glob": []}]},
        {"layers": [LAYER | {"unknown": 1}]},
        {"layers": [LAYER], "unknown": 1},
        {"layers": [LAYER], "exhaustive": "yes"},
        {"layers": [LAYER | {"forbidden": [{"reason": "r"}]}]},
        {"layers": [LAYER], "known_violations": [{"layer": "a"}]},
        {"layers": [LAYER | {"name": 3}]},
    ],
)
def test_boundaries(file: dict[str, Any]) -> None:
    _, problems = read_boundaries(json.dumps(file), "boundaries.json")
    assert takes("boundaries", file) == (not problems)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "enabled: true\ngate: new\nignore: ['a/**']\n",
        "checks:\n  A4: {boundaries: b.json, level: warn}\n  A9: {provides: {PIL: pillow}, manifests: [a, "
        "b]}\n  W1: {fail_on: verified}\n",
        "checks:\n  A4:\n",
        "gate: some\n",
        "unknown: 1\n",
        "checks: {B1: {}}\n",
        "checks: {W1: {boundaries: x}}\n",
        "checks: {A4: {level: loud}}\n",
        "ignore: 3\n",
        "enabled: maybe\n",
    ],
)
def test_forgeguard_yml(text: str) -> None:
    _, problems = read_settings(text, "forgeguard.yml")
    assert takes("forgeguard", yaml.safe_load(text)) == (not problems)


async def test_editors_fetch_them(product: Product) -> None:
    for name in ("boundaries", "forgeguard"):
        async with product.session.get(f"{product.address}/schemas/{name}.json") as answer:
            assert answer.status == 200
            assert json.loads(await answer.text())["title"].startswith(name)
    async with product.session.get(f"{product.address}/schemas/other.json") as answer:
        assert answer.status == 404
