"""A9 on small trees: what is declared, for whom, and what is told apart."""

from __future__ import annotations

import tracemalloc

import pytest

from forgeguard_app.audit.model import CheckCode, CheckReport, Level, Result
from forgeguard_app.audit.requirements.declared import DeclarationIndex
from forgeguard_app.audit.requirements.model import Declared, DependencyScope, Manifest
from tests.support.evaluated import check_of, evaluate, evaluate_all
from tests.support.repositories import Files, WorkTree


def project(*dependencies: str, more: str = "") -> str:
    listed = ", ".join(f'"{name}"' for name in dependencies)
    return f'[project]\nname = "demo-app"\nversion = "1"\ndependencies = [{listed}]\n{more}'


async def a9(tree: WorkTree, files: Files) -> CheckReport:
    return check_of(await evaluate_all(tree, files), CheckCode.A9)


def rows(check: CheckReport) -> list[tuple[str, int, str]]:
    return [(f.path, f.line, f.rule) for f in check.findings]


async def test_what_is_declared_standard_or_own_passes(tree: WorkTree) -> None:
    source = (
        "import os, requests\nimport yaml\nfrom PIL import Image\nimport app.other\nfrom . import other\nfrom "
        "google.cloud import storage\nimport tomllib, distutils, __future__\nimport demo_app\n"
    )
    files = {
        "pyproject.toml": project("Requests>=2", "PyYAML", "pillow", "google-cloud-storage"),
        "app/__init__.py": "",
        "app/a.py": source,
        "app/other.py": "",
    }
    check = await a9(tree, files)
    assert (check.result, rows(check)) == (Result.PASS, [])


async def test_what_nothing_declares_is_found_at_its_line_with_the_distribution_to_add(tree: WorkTree) -> None:
    check = await a9(
        tree,
        {
            "pyproject.toml": project("requests"),
            "a.py": "import requests\n\nimport yaml\ndef f():\n    from bs4 import x\nimport nonsense_xyz\n",
        },
    )
    assert rows(check) == [("a.py", 3, "undeclared"), ("a.py", 5, "undeclared"), ("a.py", 6, "undeclared")]
    assert "'pyyaml'" in check.findings[0].message
    assert "'beautifulsoup4'" in check.findings[1].message
    assert check.result is Result.FAIL


async def test_an_unknown_module_beside_an_unknown_distribution_is_a_notice(tree: WorkTree) -> None:
    check = await a9(tree, {"pyproject.toml": project("acme-internal-thing"), "a.py": "import mystery\nimport yaml\n"})
    assert [(f.rule, f.level) for f in check.findings] == [("undeclared", Level.FAILURE), ("unknown", Level.NOTICE)]
    declared = await a9(
        tree, {".forgeguard.yml": "checks: {A9: {provides: {mystery: acme-internal-thing, yaml: acme-internal-thing}}}"}
    )
    assert rows(declared) == []


async def test_a_distribution_imported_by_its_own_name_leaves_nothing_in_doubt(tree: WorkTree) -> None:
    check = await a9(tree, {"pyproject.toml": project("acme-thing"), "a.py": "import acme_thing\nimport mystery\n"})
    assert rows(check) == [("a.py", 2, "undeclared")]


@pytest.mark.parametrize(
    "more",
    [
        '[project.optional-dependencies]\ntest = ["pytest"]\n',
        '[dependency-groups]\ndev = ["pytest", {include-group = "x"}]\nx = []\n',
        '[tool.uv]\ndev-dependencies = ["pytest"]\n',
        '[tool.poetry.group.dev.dependencies]\npytest = "^8"\n',
    ],
)
async def test_development_dependencies_serve_tests_and_not_shipped_code(tree: WorkTree, more: str) -> None:
    files = {
        "pyproject.toml": project(more=more),
        "app/__init__.py": "",
        "app/a.py": "import pytest\n",
        "tests/test_a.py": "import pytest\n",
        "conftest.py": "import pytest\n",
    }
    check = await a9(tree, files)
    assert rows(check) == [("app/a.py", 1, "development")]


async def test_optional_dependencies_serve_everybody(tree: WorkTree) -> None:
    files = {
        "pyproject.toml": project(more='[project.optional-dependencies]\nfast = ["orjson"]\n'),
        "app/a.py": "import orjson\n",
    }
    assert rows(await a9(tree, files)) == []


async def test_guarded_imports_are_counted_and_never_fail(tree: WorkTree) -> None:
    source = "try:\n    import orjson\nexcept ImportError:\n    orjson = None\nif TYPE_CHECKING:\n    import pandas\n"
    check = await a9(tree, {"pyproject.toml": project("requests"), "a.py": source})
    assert check.result is Result.PASS
    assert any("`orjson`, `pandas`" in note for note in check.notes)


async def test_requirements_files_with_includes_hashes_and_addresses(tree: WorkTree) -> None:
    files = {
        "requirements.txt": "-r deps/base.txt\nPyYAML==6 \\\n  --hash=sha256:abc\n# "
        "comment\ngit+https://host.invalid/o/celery.git@main\n-e .\n--index-url x\nhttpx[http2]>=1 ; "
        "python_version < '4'  # why\n",
        "deps/base.txt": "requests\n-r ../requirements.txt\n",
        "requirements-dev.txt": "pytest\n",
        "a.py": "import requests, yaml, celery, httpx\nimport pytest\n",
    }
    check = await a9(tree, files)
    assert [row for row in rows(check) if row[2] != "configuration-notice"] == [("a.py", 2, "development")]
    circle = [(f.path, f.line) for f in check.findings if f.rule == "configuration-notice"]
    assert circle == [("deps/base.txt", 2), ("requirements.txt", 1)]


async def test_setup_files_are_read_and_never_run(tree: WorkTree) -> None:
    files = {
        "setup.py": "import setuptools\nopen('/tmp/forgeguard-was-here', 'w')\nREQ = "
        "['requests']\nsetuptools.setup(name='x', install_requires=REQ, extras_require={'dev': ['pytest']})\n",
        "x/__init__.py": "import requests\nimport yaml\n",
    }
    assert rows(await a9(tree, files)) == [("x/__init__.py", 2, "undeclared")]
    cfg = {
        "setup.py": "from setuptools import setup\nsetup()\n",
        "setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires =\n    requests\n    PyYAML ; "
        "python_version > '3'\n",
    }
    assert rows(await a9(tree, cfg)) == []


async def test_computed_dependencies_leave_doubt_instead_of_failure(tree: WorkTree) -> None:
    check = await a9(
        tree,
        {
            "setup.py": "from setuptools import setup\nsetup(install_requires=read())\n",
            "x/__init__.py": "import yaml\n",
        },
    )
    assert [(f.rule, f.level) for f in check.findings] == [("unknown", Level.NOTICE)]


async def test_in_a_monorepo_the_nearest_manifest_counts(tree: WorkTree) -> None:
    files = {
        "pyproject.toml": project("httpx", more='[tool.uv.workspace]\nmembers = ["libs/*"]\n'),
        "libs/a/pyproject.toml": project("requests").replace("demo-app", "a"),
        "libs/a/src/a/__init__.py": "import requests\nimport httpx\nimport yaml\n",
        "libs/b/pyproject.toml": project("pyyaml").replace("demo-app", "b"),
        "libs/b/src/b/__init__.py": "import requests\nimport yaml\n",
    }
    assert rows(await a9(tree, files)) == [
        ("libs/a/src/a/__init__.py", 3, "undeclared"),
        ("libs/b/src/b/__init__.py", 1, "undeclared"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "line"),
    [
        ("pyproject.toml", "[project]\nname = 'x'\ndependencies = [\n", 4),
        ("pyproject.toml", "[project]\nname = 'x'\ndependencies = [\n  'fine',\n  'not a requirement !!',\n]\n", 5),
        ("requirements.txt", "requests\n\n==broken\n", 3),
        ("pyproject.toml", "a = " + "[" * 100_000, 1),
        ("requirements.txt", b"caf\xe9\n", 1),
        ("setup.py", "from setuptools import setup\nsetup(name='x',\n  install_requires=[],\n  x=((((\n", 4),
        ("setup.py", "from setuptools import setup\n\nsetup(a b)\n", 3),
        ("setup.py", "import setuptools\n\0\n", 2),
    ],
)
async def test_a_manifest_that_does_not_parse_is_an_error_on_its_line(
    tree: WorkTree, name: str, text: str, line: int
) -> None:
    check = await a9(tree, {name: text, "a.py": "import requests\n"})
    assert check.result is Result.ERROR
    assert (check.problems[0].path, check.problems[0].line) == (name, line)
    assert check.title == f"1 error in {name}"
    assert check.notes == ("A manifest does not parse.",)


SETUP = "from setuptools import setup\nsetup(name='x', install_requires=[])\n"
LOST = {
    "nested": ("setup.py", SETUP + "x = " + "(" * 300 + ")" * 300 + "\n"),
    "deep": ("setup.py", SETUP + "x = a" + ".a" * 5_000 + "\n"),
    "long": ("setup.py", SETUP + "#" + "x" * 200_001),
    "very long": ("setup.py", SETUP + "#" + "x" * 1_000_001),
    "too large to be fetched": ("setup.py", SETUP + "#" + "x" * 5_300_000),
    "without a word": ("setup.py", "nowhere\n"),
    "tools alone": ("pyproject.toml", "[tool.ruff]\n"),
    "a long project": ("pyproject.toml", project() + "#" + "x" * 1_000_001),
}


@pytest.mark.parametrize("other", ["docs/x.md", "docs/requirements.txt"])
@pytest.mark.parametrize("name", LOST)
async def test_a_change_that_makes_a_manifest_unreadable_hides_no_import_that_it_adds(
    tree: WorkTree, name: str, other: str
) -> None:
    path, text = LOST[name]
    base = tree.commit({path: SETUP if path == "setup.py" else project(), "a.py": "", other: "sphinx\n"})
    tree.commit({"a.py": "import yaml\n"})
    assert check_of(await evaluate(tree, base), CheckCode.A9).result is Result.FAIL
    tree.commit({path: text})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.result is Result.ERROR, check.title
    assert [problem.path for problem in check.problems] == [path]
    long_before = tree.git("rev-parse", "HEAD")
    tree.commit({"b.py": "import yaml\n"})
    assert check_of(await evaluate(tree, long_before), CheckCode.A9).result is not Result.ERROR, "nothing is lost there"


DYNAMIC = '[project]\nname = "demo-app"\nversion = "1"\ndynamic = ["dependencies"]\n'
COMPUTED = "from setuptools import setup\nsetup(name='x', install_requires=read())\n"
DECLARING = {
    "pyproject.toml": project("requests"),
    "setup.py": SETUP.replace("[]", "['requests']"),
    "setup.cfg": "[metadata]\nname = x\n[options]\ninstall_requires =\n  requests\n",
    "requirements.txt": "requests\n",
    "requirements/base.txt": "requests\n",
    "Pipfile": '[packages]\nrequests = "*"\n',
}
UNKNOWN = {
    "pyproject.toml": DYNAMIC,
    "setup.py": COMPUTED,
    "requirements.txt": "requests\nhttps://host.invalid/some.zip\n",
}


def put_link(tree: WorkTree, path: str) -> None:
    place = tree.folder / path
    place.rename(place.with_name("real"))
    place.symlink_to("real")


def put_repository(tree: WorkTree, path: str) -> None:
    (tree.folder / path).unlink()
    sha = tree.git("rev-parse", "HEAD")
    tree.git("rm", "--quiet", "--cached", path)
    tree.git("update-index", "--add", "--cacheinfo", f"160000,{sha},{path}")


def put_folder(tree: WorkTree, path: str) -> None:
    text = (tree.folder / path).read_text()
    (tree.folder / path).unlink()
    tree.write({f"{path}/x": text})


def rename(tree: WorkTree, path: str) -> None:
    (tree.folder / path).rename(tree.folder / f"{path}.old")


def delete(tree: WorkTree, path: str) -> None:
    (tree.folder / path).unlink()


TAKEN = {"link": put_link, "repository": put_repository, "folder": put_folder, "renamed": rename, "deleted": delete}


@pytest.mark.parametrize("folder", ["", "sub/"])
@pytest.mark.parametrize("name", DECLARING)
@pytest.mark.parametrize("taken", TAKEN)
async def test_a_manifest_taken_away_hides_no_import_that_the_change_adds(
    tree: WorkTree, taken: str, name: str, folder: str
) -> None:
    path = folder + name
    files = {path: DECLARING[name], f"{folder}app/a.py": "import requests\n", "docs/requirements.txt": "sphinx\n"}
    base = tree.commit(files)
    tree.write({f"{folder}app/a.py": "import requests\nimport yaml\n"})
    TAKEN[taken](tree, path)
    if taken != "repository":  # which is in the index alone
        tree.git("add", "--all", "--force")
    tree.git("add", f"{folder}app/a.py")
    tree.git("commit", "--quiet", "--message", "x")
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.result is Result.ERROR, check.title
    assert [problem.path for problem in check.problems] == [path]
    long_before = tree.git("rev-parse", "HEAD")
    tree.git("commit", "--quiet", "--allow-empty", "--message", "Nothing")
    assert check_of(await evaluate(tree, long_before), CheckCode.A9).result is not Result.ERROR, "nothing is lost there"


async def test_a_project_that_needs_nothing_any_more_may_drop_its_manifest(tree: WorkTree) -> None:
    base = tree.commit({"requirements.txt": "attrs\n", "p/a.py": "import attr\n", "p/__init__.py": ""})
    tree.commit({"requirements.txt": None, "p/a.py": "import os\nimport p.a\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.result is Result.PASS, check.problems


@pytest.mark.parametrize("more", ["", "".join(f"x{number} = {number}\n" for number in range(90))])
async def test_a_manifest_that_is_lost_where_its_code_moves_hides_no_import(tree: WorkTree, more: str) -> None:
    base = tree.commit({"svc/api/pyproject.toml": project("requests"), "svc/api/a.py": "import requests\n"})
    gone: Files = {"svc/api/pyproject.toml": None, "svc/api/a.py": None}
    tree.commit({**gone, "svc/b/a.py": f"import requests, yaml\n{more}"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert (check.result, [problem.path for problem in check.problems]) == (Result.ERROR, ["svc/api/pyproject.toml"])
    tree.commit({"svc/pyproject.toml": project("requests")})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert (check.result, [finding.subject for finding in check.findings]) == (Result.FAIL, ["yaml"])


@pytest.mark.parametrize("sources_before", [True, False])
@pytest.mark.parametrize("name", UNKNOWN)
async def test_a_list_that_becomes_unknown_hides_no_import_that_the_change_adds(
    tree: WorkTree, name: str, sources_before: bool
) -> None:
    before: Files = {"app/a.py": "import requests\n"} if sources_before else {"x.md": ""}
    base = tree.commit({name: DECLARING[name], **before})
    tree.commit({name: UNKNOWN[name], "app/a.py": "import requests\nimport yaml\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.result is Result.ERROR, check.title
    assert [problem.path for problem in check.problems] == [name]
    assert "what is declared cannot be known any more" in check.problems[0].message


async def test_a_new_manifest_that_says_nothing_takes_no_list_from_the_code_beside_it(tree: WorkTree) -> None:
    base = tree.commit({"pyproject.toml": project("requests"), "app/a.py": "import requests\n"})
    tree.commit({"app/setup.py": COMPUTED, "app/a.py": "import yaml\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert (check.result, [problem.path for problem in check.problems]) == (Result.ERROR, ["app/setup.py"])


@pytest.mark.parametrize("name", UNKNOWN)
@pytest.mark.parametrize("more", ["", "".join(f"x{number} = {number}\n" for number in range(90))])
async def test_code_that_moves_to_a_manifest_that_says_nothing_keeps_its_list(
    tree: WorkTree, more: str, name: str
) -> None:
    files: Files = {"pyproject.toml": project("requests"), "src/app/a.py": "import requests\n", "README.md": "x\n"}
    base = tree.commit(files)
    added = UNKNOWN[name].replace("requests\n", "")
    tree.commit({"src/app/a.py": None, "src/b/a.py": f"import requests, yaml\n{more}", f"src/b/{name}": added})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    found = [*(problem.path for problem in check.problems), *(finding.path for finding in check.findings)]
    assert (check.result in (Result.ERROR, Result.FAIL), set(found) <= {f"src/b/{name}", "src/b/a.py"}) == (True, True)
    long_before = tree.git("rev-parse", "HEAD")
    tree.commit({"README.md": "y\n"})
    assert check_of(await evaluate(tree, long_before), CheckCode.A9).result is Result.PASS, "nothing is lost there"


async def test_a_list_that_spoke_for_a_computing_project_is_missed(tree: WorkTree) -> None:
    base = tree.commit({"setup.py": COMPUTED, "requirements.txt": "requests\n", "app/a.py": "import requests\n"})
    tree.commit({"requirements.txt": None, "app/a.py": "import requests\nimport yaml\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert (check.result, [problem.path for problem in check.problems]) == (Result.ERROR, ["requirements.txt"])


HONEST: dict[str, tuple[Files, Files]] = {
    "a package goes away with its manifest": ({}, {"sub/pyproject.toml": None, "sub/b.py": None}),
    "the list moves to another manifest": ({}, {"pyproject.toml": None, "Pipfile": DECLARING["Pipfile"]}),
    "code moves, and a script stays behind": (
        {},
        {
            "pyproject.toml": None,
            "app/a.py": None,
            "backend/pyproject.toml": project("requests", "pyyaml"),
            "backend/app/a.py": "import requests, yaml\n",
        },
    ),
    "a part is declared by the whole": ({}, {"sub/pyproject.toml": None, "sub/b.py": "import requests\n"}),
    "dependencies move to a file": (
        {},
        {
            "pyproject.toml": DYNAMIC + '[tool.setuptools.dynamic]\ndependencies = {file = "deps/all.list"}\n',
            "deps/all.list": "requests\n",
        },
    ),
    "dependencies move to setup.py": ({}, {"pyproject.toml": DYNAMIC, "setup.py": DECLARING["setup.py"]}),
    "Poetry says what is dynamic": (
        {},
        {"pyproject.toml": DYNAMIC + '[tool.poetry.dependencies]\nrequests = "*"\n', "app/a.py": "import requests\n"},
    ),
    "a list names an address that no import is in doubt by": (
        {"pyproject.toml": None, "requirements.txt": "requests\n"},
        {
            "requirements.txt": "requests\n-e ./libs/x\n",
            "libs/x/x/__init__.py": "",
            "app/a.py": "import requests, os\n",
        },
    ),
    "a list names its own project": (
        {"requirements.txt": "requests\n"},
        {"requirements.txt": "requests\n-e .[fast]\n"},
    ),
    "a repository becomes one of several projects": (
        {"app/a.py": "import requests\n", "noxfile.py": "import nox\n"},
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]\n',
            "app/a.py": None,
            "packages/app/pyproject.toml": project("requests"),
            "packages/app/app/a.py": "import requests\n",
        },
    ),
    "a list includes no other one any more": (
        {"pyproject.toml": None, "requirements.txt": "-r deps/base.list\n", "deps/base.list": "requests\n"},
        {"requirements.txt": "requests\n", "deps/base.list": "requests\nsphinx\n"},
    ),
    "a new package computes its list": (
        {},
        {"libs/y/setup.py": COMPUTED, "libs/y/y.py": "import mystery\n"},
    ),
}


@pytest.mark.parametrize("name", HONEST)
async def test_what_is_still_declared_is_not_missed(tree: WorkTree, name: str) -> None:
    before, after = HONEST[name]
    files: dict[str, str | bytes | None] = {
        "pyproject.toml": project("requests"),
        "app/a.py": "import requests\n",
        "scripts/run.py": "import requests\n",
        "sub/pyproject.toml": project("httpx").replace("demo-app", "sub"),
        "sub/b.py": "import httpx\n",
    }
    base = tree.commit({path: text for path, text in {**files, **before}.items() if text is not None})
    tree.commit(after)
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.result is Result.PASS, [*check.problems, *check.findings]


async def test_files_that_setuptools_reads_as_dependencies_are_read_as_requirements(tree: WorkTree) -> None:
    dynamic = (
        'dependencies = {file = ["deps/a.list", "deps/b.list"]}\noptional-dependencies.dev = {file = "deps/c.list"}\n'
    )
    files = {
        "pyproject.toml": f"{DYNAMIC}[tool.setuptools.dynamic]\n{dynamic}",
        "deps/a.list": "requests\n",
        "deps/b.list": "PyYAML\n",
        "deps/c.list": "pytest\n",
        "a.py": "import requests, yaml\nimport pytest\nimport httpx\n",
    }
    assert rows(await a9(tree, files)) == [("a.py", 2, "development"), ("a.py", 3, "undeclared")]


async def test_dependencies_that_only_a_build_backend_knows_leave_doubt(tree: WorkTree) -> None:
    check = await a9(tree, {"pyproject.toml": DYNAMIC, "a.py": "import yaml\n"})
    assert [(f.rule, f.level) for f in check.findings] == [("unknown", Level.NOTICE)]
    assert "project.dependencies is dynamic" in check.findings[0].message


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("Pipfile", "[packages]\nrequests = 0x" + "F" * 5_000 + "\n"),
        ("setup.py", "from setuptools import setup\nsetup(extras_require={0x" + "F" * 5_000 + ": ['requests']})\n"),
    ],
)
async def test_a_number_of_more_digits_than_python_writes_is_an_error_of_its_manifest(
    tree: WorkTree, path: str, text: str
) -> None:
    check = await a9(tree, {path: text, "a.py": "import requests\n"})
    assert check.result is Result.ERROR
    assert [problem.path for problem in check.problems] == [path]


async def test_setup_is_found_under_whatever_name_it_is_imported(tree: WorkTree) -> None:
    base = tree.commit({"setup.py": SETUP, "a.py": ""})
    tree.commit({"a.py": "import yaml\n", "setup.py": SETUP.replace("setup\nsetup", "setup as s\ns")})
    assert check_of(await evaluate(tree, base), CheckCode.A9).result is Result.FAIL
    tree.commit({"setup.py": "from setuptools import find_packages\nrun(find_packages())\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert "no call of setup(…)" in " ".join([problem.message for problem in check.problems]), check


BROKEN = "from setuptools import setup\nprint 'x'\nsetup()\n"


async def test_a_broken_manifest_that_the_change_did_not_touch_is_a_notice(tree: WorkTree) -> None:
    base = tree.commit({"setup.py": BROKEN, "x/a.py": "", "sub/pyproject.toml": project(), "sub/a.py": ""})
    tree.commit({"x/a.py": "import yaml, mystery\n", "sub/a.py": "import yaml\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    found = [(f.path, f.line, f.level) for f in check.findings if f.rule != "configuration-notice"]
    assert found == [("sub/a.py", 1, Level.FAILURE), ("x/a.py", 1, Level.NOTICE), ("x/a.py", 1, Level.NOTICE)]
    notices = [(f.path, f.line, f.message) for f in check.findings if f.rule == "configuration-notice"]
    assert notices == [("setup.py", 2, "this does not parse as Python")]
    tree.commit({"setup.py": BROKEN + "# touched\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert [(problem.path, problem.line) for problem in check.problems] == [("setup.py", 2)]


async def test_a_broken_manifest_that_governs_no_evaluated_code_is_a_notice(tree: WorkTree) -> None:
    files = {"pyproject.toml": project("requests"), "a.py": "import requests, yaml\n", "old/setup.py": BROKEN}
    check = await a9(tree, files)
    assert (check.result, rows(check)[0]) == (Result.FAIL, ("a.py", 1, "undeclared"))
    assert ("old/setup.py", 2, "configuration-notice") in rows(check)


async def test_without_manifest_or_python_there_is_nothing_to_check(tree: WorkTree) -> None:
    assert (await a9(tree, {"a.py": "import yaml"})).title == "Nothing to check: no dependency manifest"
    assert (
        await a9(tree, {"a.py": None, "pyproject.toml": project("x")})
    ).title == "Nothing to check: no file of a supported language (Python)"


async def test_the_summary_says_which_dependencies_the_change_alters(tree: WorkTree) -> None:
    base = tree.commit({"pyproject.toml": project("requests", "httpx>=1"), "a.py": "import requests"})
    tree.commit({"pyproject.toml": project("httpx>=2", "pyyaml")})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.notes[:3] == (
        "`pyproject.toml` adds `pyyaml`.",
        "`pyproject.toml` removes `requests`.",
        "`pyproject.toml` alters `httpx`.",
    )
    assert [(f.rule, f.new) for f in check.findings] == [("undeclared", True)]


async def test_ignored_modules_and_named_manifests(tree: WorkTree) -> None:
    files = {
        "deps.txt": "requests\n",
        "pyproject.toml": project("yarl"),
        ".forgeguard.yml": "checks: {A9: {manifests: [deps.txt], ignore_modules: [yaml]}}",
        "a.py": "import requests, yaml, yaml.x\nimport yarl\n",
    }
    assert rows(await a9(tree, files)) == [("a.py", 2, "undeclared")]


async def test_a_workspace_sibling_counts_only_where_its_member_declares_it(tree: WorkTree) -> None:
    files = {
        "pyproject.toml": project("a", more='[tool.uv.workspace]\nmembers = ["libs/*"]\n'),
        "libs/a/pyproject.toml": project("b").replace("demo-app", "a"),
        "libs/a/src/a/__init__.py": "import b\nimport c.x\n",
        "libs/b/pyproject.toml": project().replace("demo-app", "b"),
        "libs/b/src/b/__init__.py": "from b import y\nimport a\n",
        "libs/c/pyproject.toml": project().replace("demo-app", "c"),
        "libs/c/src/c/__init__.py": "",
        "libs/c/src/c/x.py": "",
        "demo_app/__init__.py": "import a\n",
    }
    assert rows(await a9(tree, files)) == [
        ("libs/a/src/a/__init__.py", 2, "undeclared"),
        ("libs/b/src/b/__init__.py", 2, "undeclared"),
    ]


NAMED = project().replace("demo-app", "other")
SHADOWS: dict[str, Files] = {
    "a stub at the root": {"requests.pyi": ""},
    "a package of stubs": {"requests/__init__.pyi": ""},
    "a stub of a package's module": {"requests/api.pyi": ""},
    "a stub beside the file": {"src/app/requests.pyi": ""},
    "a stub beside an empty manifest": {"tools/setup.py": "", "tools/requests.pyi": ""},
    "a module beside an empty manifest": {"tools/setup.py": "", "tools/requests.py": ""},
    "a package in another project": {"tools/pyproject.toml": NAMED, "tools/requests/__init__.py": ""},
    "a folder in another project": {"tools/pyproject.toml": NAMED, "tools/requests/x.py": ""},
    "a folder beside the file": {"src/app/requests/x.py": ""},
    "folders beside the file": {"src/app/requests/x/y.py": ""},
    "a folder at the root": {"requests/x.py": ""},
    "a module that Windows imports": {"requests.pyw": ""},
}


@pytest.mark.parametrize("name", SHADOWS)
@pytest.mark.parametrize("text", ["import requests\n", "from requests import get\n", "import requests.sessions\n"])
async def test_a_file_that_the_importing_one_cannot_import_declares_nothing(
    tree: WorkTree, text: str, name: str
) -> None:
    base = tree.commit({"pyproject.toml": project("attrs"), "src/app/a.py": "import attr\n"})
    tree.commit({"src/app/a.py": f"import attr\n{text}", **SHADOWS[name]})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert (check.result, rows(check)) == (Result.FAIL, [("src/app/a.py", 2, "undeclared")])


@pytest.mark.parametrize("name", SHADOWS)
async def test_of_an_unknown_module_a_file_of_its_name_elsewhere_is_said(tree: WorkTree, name: str) -> None:
    added = {path.replace("requests", "mystery"): text for path, text in SHADOWS[name].items()}
    files: Files = {"pyproject.toml": project(), "src/app/a.py": "import mystery\n", **added}
    check = await a9(tree, files)
    if name == "a folder at the root":
        assert rows(check) == []
    elif "tools/pyproject.toml" in added:
        assert rows(check) == [("src/app/a.py", 1, "undeclared")]
    else:
        assert rows(check) == [("src/app/a.py", 1, "unknown")]
        assert "mystery" in check.findings[0].message


@pytest.mark.parametrize("added", [{}, {"docs/requests.md": ""}, {"src/app/requests.pyi": ""}])
async def test_a_project_renamed_to_a_distribution_does_not_have_its_modules(tree: WorkTree, added: Files) -> None:
    base = tree.commit({"pyproject.toml": project("attrs"), "src/app/a.py": "import attr\n"})
    renamed = project("attrs").replace("demo-app", "requests")
    tree.commit({"pyproject.toml": renamed, "src/app/a.py": "import attr\nimport requests\n", **added})
    found = rows(check_of(await evaluate(tree, base), CheckCode.A9))
    assert found == [("src/app/a.py", 2, "unknown" if "src/app/requests.pyi" in added else "undeclared")]


IMPORTABLE: dict[str, Files] = {
    "a module beside a script": {"scripts/yaml.py": "", "scripts/a.py": "import yaml\n"},
    "a package at the root": {"yaml/__init__.py": "", "tests/test_a.py": "import yaml.x\n"},
    "a package in src": {"src/yaml/__init__.py": "", "tests/test_a.py": "from yaml import x\n"},
    "a module in a folder without __init__.py": {"google/cloud/mine.py": "", "a.py": "from google.cloud import mine\n"},
    "a module of such a folder by its name": {"google/cloud/mine.py": "", "a.py": "import google.cloud.mine\n"},
    "a folder that is nobody else's": {"ours/x/y.py": "", "a.py": "from ours import x\nimport ours.x\n"},
    "a project's own module": {"pyproject.toml": project().replace("demo-app", "pyyaml"), "lib/yaml/__init__.py": ""}
    | {"tests/test_a.py": "import yaml\n"},
    "its own module, deep below": {"pyproject.toml": project().replace("demo-app", "pyyaml")}
    | {"python/deep/yaml/__init__.py": "", "tests/test_a.py": "import yaml\n"},
    "a stub for what a type checker reads": {"ours.pyi": "", "a.py": "if TYPE_CHECKING:\n    import ours\n"},
    "a stub for a stub": {"ours.pyi": "", "a.pyi": "import ours\n"},
    "a project that is declared": {"pyproject.toml": project("other-lib"), "a.py": "import ours_x\nimport yaml.y\n"}
    | {"libs/o/pyproject.toml": project("requests").replace("demo-app", "other-lib")}
    | {"libs/o/src/ours_x/__init__.py": "", "libs/o/src/yaml/y.py": ""},
    "a distribution that another project has a module of": {
        "pyproject.toml": project("pyyaml"),
        "a.py": "import yaml\n",
    }
    | {"libs/o/pyproject.toml": NAMED, "libs/o/yaml.py": ""},
}


@pytest.mark.parametrize("name", IMPORTABLE)
async def test_modules_that_the_importing_file_finds_are_the_repository_s_own(tree: WorkTree, name: str) -> None:
    check = await a9(tree, {"pyproject.toml": project(), **IMPORTABLE[name]})
    assert rows(check) == []


@pytest.mark.parametrize("where", ["above", "included"])
def test_a_long_list_that_counts_for_many_folders_is_held_once(where: str) -> None:
    long = tuple(Declared(f"name{number}", DependencyScope.RUNTIME) for number in range(5_000))
    short = (Declared("name1", DependencyScope.DEVELOPMENT), Declared("other", DependencyScope.OPTIONAL))
    homes = [f"d{number}" for number in range(300)]
    manifests = [Manifest(f"{home}/requirements.txt", short, home) for home in homes]
    manifests += [Manifest("requirements.txt", long, home) for home in (homes if where == "included" else [""])]
    index = DeclarationIndex(manifests)
    tracemalloc.start()
    found = [index.for_folder(home) for home in homes]
    held_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held_bytes < 3_000_000
    assert all(each is not None and len(each.scopes) == 5_001 for each in found[:2])
    assert found[0] is not None
    assert found[0].scopes["name1"] == {DependencyScope.RUNTIME, DependencyScope.DEVELOPMENT}
    assert ("name4999" in found[0].scopes, "other" in found[0].scopes, found[0].scopes.get("x")) == (True, True, None)


NAMED_ELSEWHERE: dict[str, Files] = {
    "generated code": {
        "app/gen/__init__.py": "",
        "app/gen/order_pb2.py": "import item_pb2\n",
        "app/gen/item_pb2.py": "",
    },
    "a script in a package": {"app/main.py": "from settings_x import A\n", "app/settings_x.py": ""},
    "a folder that the tests' settings name": {"tests/__init__.py": "", "tests/test_a.py": "import helpers_x\n"}
    | {"tests/helpers_x.py": ""},
    "a folder that is added where the code runs": {"functions/a/main.py": "import common_x\n"}
    | {"layers/python/common_x/__init__.py": "", "app/a.py": ""},
}


@pytest.mark.parametrize("name", NAMED_ELSEWHERE)
async def test_of_an_unknown_module_any_file_of_its_name_is_said(tree: WorkTree, name: str) -> None:
    files: Files = {"pyproject.toml": project("requests"), "app/__init__.py": "", **NAMED_ELSEWHERE[name]}
    check = await a9(tree, files)
    assert [(finding.rule, finding.level) for finding in check.findings] == [("unknown", Level.NOTICE)]
    added = {path.replace("_x", "_y").replace("item", "x"): text for path, text in files.items()}
    await a9(tree, {**dict.fromkeys(files), **{path: text for path, text in added.items() if text}})
    check = check_of(await evaluate(tree, whole_tree=True), CheckCode.A9)
    assert [finding.rule for finding in check.findings] == ["undeclared"]


@pytest.mark.parametrize("guard", ["if T.TYPE_CHECKING:", "if TYPE_CHECKING := True:"])
async def test_a_stub_declares_nothing_that_a_guard_for_type_checkers_may_run(tree: WorkTree, guard: str) -> None:
    base = tree.commit({"pyproject.toml": project(), "app/a.py": "class T: TYPE_CHECKING = True\n"})
    tree.commit({"requests.pyi": "", "app/a.py": f"class T: TYPE_CHECKING = True\n{guard}\n    import requests\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.notes == ("Imported behind a guard alone, and declared nowhere: `requests`.",)


async def test_a_decoy_in_another_project_hides_no_manifest_that_is_gone(tree: WorkTree) -> None:
    base = tree.commit({"pyproject.toml": project("requests"), "src/app/a.py": "import requests\n"})
    tree.commit(
        {"pyproject.toml": None, "src/app/a.py": "import mystery\n", "tools/setup.py": "", "tools/mystery.py": ""}
    )
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert (check.result, [problem.path for problem in check.problems]) == (Result.ERROR, ["pyproject.toml"])


async def test_changed_code_for_which_no_manifest_counts_is_said(tree: WorkTree) -> None:
    base = tree.commit({"backend/pyproject.toml": project("requests"), "backend/a.py": "import requests\n", "x.py": ""})
    tree.commit({"backend/a.py": None, "other/a.py": "import requests, yaml\n", "x.py": "import os\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.notes == ("No manifest counts for what these changed files import: `other/a.py`.",)


async def test_a_project_that_takes_another_name_is_said(tree: WorkTree) -> None:
    base = tree.commit({"pyproject.toml": project(), "app/a.py": ""})
    tree.commit({"pyproject.toml": project().replace("demo-app", "mystery"), "app/a.py": "import mystery\n"})
    check = check_of(await evaluate(tree, base), CheckCode.A9)
    assert check.notes == ("`pyproject.toml` renames the project `demo-app` to `mystery`.",)


async def test_what_a_stub_imports_is_for_type_checkers_alone(tree: WorkTree) -> None:
    stubs: Files = {"stubs/foo/__init__.pyi": "import numpy\nimport mystery\nimport pytest\n", "app/a.py": ""}
    check = await a9(tree, {"pyproject.toml": project(more='[dependency-groups]\ndev = ["pytest"]\n'), **stubs})
    assert (rows(check), check.notes[-1]) == (
        [],
        "Imported behind a guard alone, and declared nowhere: `mystery`, `numpy`.",
    )


async def test_stubs_of_a_module_declare_it_for_type_checkers_alone(tree: WorkTree) -> None:
    text = "import requests\nimport yaml\nif TYPE_CHECKING:\n    import docutils.nodes\n"
    declared = project("types-requests", more='[dependency-groups]\ndev = ["yaml-stubs", "types-docutils"]\n')
    check = await a9(tree, {"pyproject.toml": declared, "app/a.py": text, "tests/test_a.py": text})
    assert [row[:2] for row in rows(check)] == [(path, n) for path in ("app/a.py", "tests/test_a.py") for n in (1, 2)]
    assert not [note for note in check.notes if "guard" in note]
