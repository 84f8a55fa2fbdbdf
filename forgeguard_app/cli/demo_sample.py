"""The sample repository of the demo: a small service, and a branch whose pushes show each check failing and passing."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class DemoStep:
    """One push: files to write, the message, and whether the last commit is rewritten instead of a new one made."""

    message: str
    files: dict[str, str] = field(default_factory=dict)
    amend: bool = False


_BOUNDARIES = """\
{
  "description": "A page asks a service, a service asks a repository.",
  "layers": [
    {"name": "pages", "glob": "shop/pages/**/*.py", "may_import": ["services"],
     "forbidden": [{"pattern": "\\\\bSELECT\\\\b.*\\\\bFROM\\\\b", "reason": "SQL belongs in shop/store"}]},
    {"name": "services", "glob": "shop/services/**/*.py"},
    {"name": "store", "glob": "shop/store/**/*.py"}
  ],
  "order": ["pages", "services", "store"]
}
"""
_PROJECT = """\
[project]
name = "shop"
version = "1.0"
dependencies = ["aiohttp"]

[dependency-groups]
dev = ["pytest"]
"""
_PAGE = """\
from aiohttp import web

from shop.services.orders import open_orders


async def orders(request: web.Request) -> web.Response:
    return web.json_response(await open_orders())
"""
_SERVICE = """\
from shop.store.orders import list_orders


async def open_orders() -> list[str]:
    return [order for order in await list_orders() if order]
"""
_STORE = """\
async def list_orders() -> list[str]:
    return ["first", ""]
"""
START = DemoStep(
    "A small shop",
    {
        "README.md": "# Shop\n",
        "boundaries.json": _BOUNDARIES,
        "pyproject.toml": _PROJECT,
        "shop/__init__.py": "",
        "shop/pages/__init__.py": "",
        "shop/pages/orders.py": _PAGE,
        "shop/services/__init__.py": "",
        "shop/services/orders.py": _SERVICE,
        "shop/store/__init__.py": "",
        "shop/store/orders.py": _STORE,
    },
)
_HASTY = _PAGE.replace(
    "from shop.services.orders import open_orders",
    "from shop.services.orders import open_orders\nfrom shop.store.orders import list_orders",
).replace("open_orders())", "open_orders())\n\n\nQUERY = 'SELECT name FROM orders'\nraw = list_orders")
_TYPED = _SERVICE.replace("from shop", "import yaml\n\nfrom shop", 1).replace(
    "return [", "yaml.safe_dump([])\n    return ["
)
# Joined here, so that our own secrets scan finds nothing in this file.
_TOKEN = "ghp" + "_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ" + "0mLq17"
BRANCH = "faster-orders"
STEPS = (
    DemoStep("Ask the database from the page, for speed", {"shop/pages/orders.py": _HASTY}),
    DemoStep(
        "Go through the service again, and dump YAML",
        {"shop/pages/orders.py": _PAGE, "shop/services/orders.py": _TYPED},
    ),
    DemoStep(
        "Declare PyYAML; deploy with my token",
        {
            "pyproject.toml": _PROJECT.replace('["aiohttp"]', '["aiohttp", "pyyaml"]'),
            "deploy.py": f'TOKEN = "{_TOKEN}"\n',
        },
    ),
    DemoStep(
        "Declare PyYAML; the token comes from the environment",
        {"deploy.py": 'import os\n\nTOKEN = os.environ["TOKEN"]\n'},
        amend=True,
    ),
)
