"""A repository with its first push, audited."""

from __future__ import annotations

import json

from forgeguard_app.simulator.state import Repository
from tests.support.repositories import Files, WorkTree
from tests.support.running import Product

BOUNDARIES = json.dumps(
    {"layers": [{"name": "all", "glob": "**/*.py", "forbidden": [{"pattern": "bad", "reason": "never"}]}]}
)


PROJECT = '[project]\nname = "x"\nversion = "1"\ndependencies = ["requests"]\n'


START: Files = {"boundaries.json": BOUNDARIES, "pyproject.toml": PROJECT, "a.py": "import requests\n"}


async def started(product: Product, tree: WorkTree, files: Files = START) -> Repository:
    """A repository whose main branch passed."""
    repository, _ = await product.repository()
    tree.commit(files)
    sha = await product.push(tree, repository)
    await product.verdicts(repository, sha)
    return repository
