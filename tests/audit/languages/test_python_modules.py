"""What an import means for A4 where files that somebody adds could take it away from the file that it meant."""

from __future__ import annotations

import json

import pytest

from forgeguard_app.audit.languages.imports import Import
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from tests.support.in_memory import evaluate_in_memory

API: dict[str, object] = {"name": "api", "glob": "**/app/api/**", "may_import": []}
DB: dict[str, object] = {"name": "db", "glob": ["**/app/db/**", "!app/api/**"]}
PLAIN = {"app/api/users.py": "import app.db.engine\n", "app/db/engine.py": ""}
PACKAGES = {**PLAIN, "app/__init__.py": "", "app/api/__init__.py": "", "app/db/__init__.py": ""}
SRC = {f"src/{path}": text for path, text in PACKAGES.items()}
FROM_API = {"app/api/users.py": "from app import db\n", "app/db/engine.py": ""}
RELATIVE = {"app/api/users.py": "from ..db import engine\n", "app/db/engine.py": ""}


def rules_of(files: dict[str, str], layers: list[dict[str, object]]) -> list[str]:
    """Return the rules that A4 finds violated, in order."""
    report, _ = evaluate_in_memory({"boundaries.json": json.dumps({"layers": layers}), **files})
    return sorted(finding.rule for finding in report.checks[0].findings)


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(PLAIN | {"app/api/app.py": ""}, id="a module named like the package beside the importer"),
        pytest.param(PLAIN | {"app/api/app/db/engine.py": ""}, id="a folder named like the package beside it"),
        pytest.param(PLAIN | {"app/api/app/__init__.py": "", "app/api/app/db.py": ""}, id="a package named like it"),
        pytest.param(PLAIN | {"app/api/app/db/engine.pyi": ""}, id="a stub beside it"),
        pytest.param(
            PLAIN | {"app/api/app/db/engine.py": "", "app/api/pyproject.toml": ""}, id="a manifest beside the importer"
        ),
        pytest.param(
            {"app/api/users.py": "from engine import x\n", "libs/app/db/engine.py": "", "libs/app/db/setup.py": ""}
            | {"app/api/engine.py": ""},
            id="a module named like another project's beside the importer",
        ),
        pytest.param(PLAIN | {"app.py": ""}, id="a module beside the package"),
        pytest.param(PLAIN | {"lib/app/db/engine.py": "", "app/api/app.py": ""}, id="a package of that name in lib"),
        pytest.param(PACKAGES | {"__init__.py": ""}, id="a package at the root of the repository"),
        pytest.param(SRC | {"src/__init__.py": ""}, id="src as a package"),
        pytest.param(SRC | {"src/__init__.pyi": ""}, id="src with a stub of a package"),
        pytest.param(
            {f"svc/{path}": text for path, text in PACKAGES.items()} | {"svc/__init__.py": ""},
            id="a folder with a package as a package",
        ),
        pytest.param(
            {f"svc/a/{path}": text for path, text in PACKAGES.items()}
            | {"svc/a/setup.py": "", "svc/a/__init__.py": ""},
            id="a project as a package",
        ),
        pytest.param(PACKAGES | FROM_API | {"app/db/__init__.py": "", "app/db.py": ""}, id="a module beside a package"),
        pytest.param(FROM_API | {"app/api/app.py": ""}, id="from: a module beside the importer"),
        pytest.param(FROM_API, id="from: a folder without __init__.py"),
        pytest.param(FROM_API | {"app/db.pyi": ""}, id="from: a stub beside a folder without __init__.py"),
        pytest.param({**PLAIN, "app/api/users.py": "import app.db\n"}, id="a folder without __init__.py"),
        pytest.param({**PLAIN, "app/api/users.py": "import app.\uff44b.engine\n"}, id="a letter of full width"),
        pytest.param({**FROM_API, "app/api/users.py": "from app import \uff44b\n"}, id="from: a letter of full width"),
        pytest.param(RELATIVE, id="relative"),
        pytest.param({**RELATIVE, "app/api/users.py": "from .. import db\n"}, id="relative: no __init__.py"),
        pytest.param(RELATIVE | {"app/api/pyproject.toml": ""}, id="relative: out of a folder with a manifest"),
        pytest.param(
            {"src/app/api/users.py": "from ..db import engine\n", "app/db/engine.py": ""}, id="relative: another root"
        ),
    ],
)
def test_no_added_file_takes_an_import_away_from_the_layer_that_it_reaches(files: dict[str, str]) -> None:
    assert set(rules_of(files, [API, DB])) == {"api/may_import/db"}


@pytest.mark.parametrize(
    "text",
    ["import app.db.engine\n", "from app.db import engine\n", "from app import db\n", "import src.app.db.engine\n"],
)
@pytest.mark.parametrize("added", ["src/__init__.py", "src/app/api/pyproject.toml", "src/app/api/app.py", "x.py"])
def test_a_forbidden_module_is_found_by_each_of_its_names(text: str, added: str) -> None:
    forbidden = [{"module": "app.db", "reason": "r"}]
    layers: list[dict[str, object]] = [{"name": "api", "glob": "src/app/api/**", "forbidden_imports": forbidden}]
    for written in (text, "from ..db import engine\n", "from ...app.db.engine import x\n", "from .. import db\n"):
        files = {"src/app/api/users.py": written, "src/app/db/engine.py": "", added: ""}
        assert rules_of(files, layers) == ["api/forbidden_imports/app.db"], written


@pytest.mark.parametrize("inits", [(), ("srv/api/__init__.py", "srv/redis/__init__.py")])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("from srv.redis import client\nimport srv.redis.client\nfrom srv import redis\n", []),
        ("from ..redis import client\nfrom ..redis.client import x\nfrom .. import redis\n", []),
        ("import redis\n", ["api/forbidden_imports/redis"]),
        ("from redis import client\n", ["api/forbidden_imports/redis"]),
    ],
)
def test_a_module_of_ours_is_no_distribution_that_its_folder_is_named_like(
    text: str, found: list[str], inits: tuple[str, ...]
) -> None:
    layers: list[dict[str, object]] = [
        {"name": "api", "glob": "srv/api/**", "forbidden_imports": [{"module": "redis"}]}
    ]
    files = dict.fromkeys((*inits, "srv/redis/client.py"), "")
    assert rules_of({**files, "srv/api/v.py": text}, layers) == found


@pytest.mark.parametrize(
    "files",
    [
        pytest.param(
            {"svc/a/app/api/v.py": "import app.cfg\n", "svc/a/app/cfg.py": "", "app/db/x.py": "", "app/cfg.py": ""}
            | {"svc/a/pyproject.toml": "", "svc/b/pyproject.toml": "", "svc/b/app/db/cfg.py": ""},
            id="the project's own package",
        ),
        pytest.param(
            {"svc/a/app/api/v.py": "import cfg.x\n", "svc/a/cfg/x.py": "", "app/db/cfg/x.py": ""}
            | {"svc/a/pyproject.toml": "", "app/db/pyproject.toml": ""},
            id="another project has it too",
        ),
        pytest.param(
            {
                "svc/a/app/api/v.py": "import app.cfg\nfrom app import cfg\n",
                "svc/a/app/cfg.py": "",
                "svc/a/reqs.txt": "",
            }
            | {"app/db/pyproject.toml": "", "app/db/app/cfg.py": ""},
            id="its own package, without a manifest, and another project has it too",
        ),
        pytest.param({"app/api/v.py": "import alembic\n", "app/db/alembic/env.py": ""}, id="a distribution"),
        pytest.param(
            {"app/api/v.py": "from alembic import op\n", "alembic/app/db/env.py": "", "app/db/__init__.py": ""},
            id="a folder at the root named like a distribution",
        ),
        pytest.param(
            {"app/api/v.py": "import redis.asyncio\n", "app/db/pyproject.toml": "", "app/db/redis.py": ""},
            id="a module is no package",
        ),
        pytest.param({"app/api/a.py": "import app.api.b\n", "app/api/b.py": "", "app/db/b.py": ""}, id="its own layer"),
    ],
)
def test_what_an_import_cannot_mean_is_no_violation(files: dict[str, str]) -> None:
    assert rules_of(files, [API, DB]) == []


@pytest.mark.parametrize("inits", [(), ("app/__init__.py", "app/api/__init__.py")])
def test_a_module_of_the_standard_library_is_no_file_of_that_name_further_up(inits: tuple[str, ...]) -> None:
    layers: list[dict[str, object]] = [
        {"name": "api", "glob": "app/api/**", "may_import": []},
        {"name": "infra", "glob": "app/*.py"},
    ]
    files = {path: "" for path in ("app/email.py", "app/logging.py", *inits)}
    plain = {"app/api/u.py": "import email\nfrom logging import INFO\n"}
    assert rules_of(files | plain, layers) == []
    through = {"app/api/u.py": "from app.logging import INFO\n"}
    assert rules_of(files | through, layers) == ["api/may_import/infra"]


ROUTERS: dict[str, object] = {"name": "routers", "glob": "routers/**", "may_import": []}
ENGINES: dict[str, object] = {"name": "repos", "glob": ["repos/**", "engine.py"]}
ENGINE = {"repos/engine.py": "", "engine.py": ""}


@pytest.mark.parametrize("manifest", ["setup.py", "pyproject.toml"])
@pytest.mark.parametrize("inits", [(), ("routers/__init__.py",), ("routers/repos/__init__.py",)])
@pytest.mark.parametrize("text", ["from repos.engine import x\n", "import repos.engine\n", "import engine\n"])
def test_a_manifest_and_a_module_added_beside_the_importer_hide_no_module_of_the_root(
    text: str, inits: tuple[str, ...], manifest: str
) -> None:
    added = {f"routers/{name}": "" for name in (manifest, "repos/engine.py", "engine.py")} | dict.fromkeys(inits, "")
    assert rules_of({"routers/u.py": text, **ENGINE, **added}, [ROUTERS, ENGINES]) == ["routers/may_import/repos"]


def test_a_module_added_at_the_root_hides_no_module_of_the_importer_s_own_package() -> None:
    files = dict.fromkeys(("svc/__init__.py", "svc/app/__init__.py", "svc/app/db.py"), "")
    layers: list[dict[str, object]] = [
        {"name": "api", "glob": "svc/app/api/**", "may_import": []},
        {"name": "db", "glob": "svc/app/db.py"},
    ]
    added = {"svc/app/api/u.py": "import app.db\n", "app/db.py": ""}
    assert rules_of(files | added, layers) == ["api/may_import/db"]


def test_projects_that_have_a_package_of_the_same_name_mean_their_own() -> None:
    layers: list[dict[str, object]] = [{"name": name, "glob": f"svc/{name}/**", "may_import": []} for name in "ab"]
    files = {f"svc/{name}/{file}": "" for name in "ab" for file in ("app/x.py", "app/__init__.py", "conf.py")}
    for name in "ab":
        project = {"pyproject.toml": f"[project]\nname = '{name}'\n", "app/y.py": "from app import x\n"}
        project |= {"tests/test_x.py": "from app.x import y\nimport conf\n", "run.py": "import app.x, conf\n"}
        files |= {f"svc/{name}/{file}": text for file, text in project.items()}
    assert rules_of(files, layers) == []


def test_names_of_one_statement_are_looked_up_once_each_below_any_number_of_folders() -> None:
    folders = ["/".join("abcdefgh"[:depth]) for depth in range(1, 9)]
    index = ModuleIndex([f"{folder}/m.py" for folder in folders] + ["n/x.py", "use.py"])
    looks: list[int] = []
    repeated = Import("m", ("m", "x") * 5_000, 0, 1, 1, 1)
    found = index.targets("a/b/c/d/e/f/g/h/use.py", repeated, lambda: looks.append(1))
    assert found == [("m", f"{folder}/m.py") for folder in reversed(folders)]
    assert len(looks) == 2


def targets(paths: list[str], path: str, item: Import, manifests: tuple[str, ...] = ()) -> list[tuple[str, str | None]]:
    return ModuleIndex([*paths, path], manifests).targets(path, item)


def statement(module: str, *names: str, level: int = 0) -> Import:
    return Import(module, names, level, 1, 1, 1)


def test_a_script_may_mean_the_file_beside_it_or_the_project_s() -> None:
    paths = ["tools/utils.py", "utils.py", "other/utils.py"]
    assert targets(paths, "tools/run.py", statement("utils")) == [("utils", "tools/utils.py"), ("utils", "utils.py")]


def test_a_name_that_is_no_module_counts_as_its_module_once() -> None:
    paths = ["a/__init__.py", "a/b.py"]
    assert targets(paths, "t.py", statement("a", "x", "y", "b")) == [("a", "a/__init__.py"), ("a.b", "a/b.py")]
    assert targets(paths, "t.py", statement("a", "*")) == [("a", "a/__init__.py")]
    assert targets(paths, "t.py", statement("a.missing.c")) == [("a.missing.c", "a/__init__.py")]
    assert targets(paths, "t.py", statement("elsewhere", "x")) == [("elsewhere", None)]


def test_several_projects_that_export_a_module_are_all_meant() -> None:
    paths = ["p/a/lib_x/m.py", "p/b/lib_x/m.py"]
    found = targets(paths, "tools/t.py", statement("lib_x.m"), ("p/a", "p/b"))
    assert [file for _, file in found] == paths


def test_dots_that_leave_the_tree_reach_nothing() -> None:
    assert targets(["a.py"], "b.py", statement("x", level=2)) == []


def test_a_name_of_thousands_of_parts_is_looked_up_by_its_first_ones() -> None:
    paths = ["a/__init__.py"]
    long = "a." * 20_000 + "b"
    index = ModuleIndex(paths)
    assert index.targets("t.py", statement(long)) == [(long, "a/__init__.py")]
    assert index.find("t.py", long) == "a/__init__.py"
