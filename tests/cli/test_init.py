"""`forgeguard init`: what it writes is true of the tree, whatever the tree is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.boundaries.propose import propose_boundaries
from forgeguard_app.audit.facts import Facts, Tree
from forgeguard_app.audit.languages.python import PYTHON
from forgeguard_app.cli.main import main
from tests.support.repositories import WorkTree

SHOP = {
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\n',
    "shop/__init__.py": "",
    "shop/api/users.py": "from shop.services import users\nimport requests\n",
    "shop/api/orders.py": "from shop.services import users\nfrom shop.repos import db\n",
    "shop/services/users.py": "from shop.repos import db\n",
    "shop/repos/db.py": "from shop.api import users  # against the order\n",
    "tests/test_x.py": "import shop.api.users\n",
}


def commit_all(tree: WorkTree) -> None:
    tree.git("add", "--all")
    tree.git("commit", "--quiet", "--message", "rules")


def test_the_order_is_found_and_what_goes_against_it_recorded(
    tree: WorkTree, capsys: pytest.CaptureFixture[str]
) -> None:
    tree.commit(SHOP)
    assert main(["init", str(tree.folder)]) == 0
    output = capsys.readouterr().out
    assert "1 place(s)" in output
    assert "requests" in output
    rules = json.loads((tree.folder / "boundaries.json").read_text())
    assert rules["order"] == ["api", "services", "repos"]
    assert [known["file"] for known in rules["known_violations"]] == ["shop/repos/db.py"]
    commit_all(tree)
    assert main(["audit", "--all", str(tree.folder)]) == 0
    tree.commit({"shop/services/users.py": "from shop.api import users\n"})
    assert main(["audit", "--base", "HEAD~1", str(tree.folder)]) == 1, "what is new fails"


def test_it_overwrites_nothing(tree: WorkTree, capsys: pytest.CaptureFixture[str]) -> None:
    tree.commit(SHOP | {"boundaries.json": '{"layers": []}', ".forgeguard.yml": "gate: all\n"})
    before = {path: path.read_bytes() for path in tree.folder.rglob("*") if path.is_file() and ".git/" not in str(path)}
    assert main(["init", str(tree.folder)]) == 0
    assert "stays as it is" in capsys.readouterr().out
    after = {path: path.read_bytes() for path in tree.folder.rglob("*") if path.is_file() and ".git/" not in str(path)}
    assert before == after
    (tree.folder / "sub").mkdir()
    tree.git("rm", "-q", "boundaries.json")
    tree.git("commit", "-qm", "x")
    (tree.folder / "boundaries.json").write_text("mine")
    assert main(["init", str(tree.folder / "sub")]) == 0
    assert (tree.folder / "boundaries.json").read_text() == "mine"


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "x"},
        {"a.py": "import os\n"},
        {"a.py": "import (\n", "b/c.py": "\0", "b/d.py": "x"},
        {"pkg/__init__.py": ""},
    ],
)
def test_a_tree_without_parts_gets_no_boundaries_and_still_passes(tree: WorkTree, files: dict[str, str]) -> None:
    tree.commit(files)
    assert main(["init", str(tree.folder)]) == 0
    commit_all(tree)
    assert main(["audit", "--all", str(tree.folder)]) == 0


def test_without_a_commit_or_repository_it_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["init", str(tmp_path)]) == 2
    assert "git init" in capsys.readouterr().err


def test_nothing_is_written_outside_the_repository(tree: WorkTree, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    tree.commit(SHOP)
    assert main(["init", str(tree.folder / "nowhere")]) == 2
    assert not (tree.folder / "boundaries.json").exists()
    (tree.folder / ".github").symlink_to(outside)
    assert main(["init", str(tree.folder)]) == 2
    assert list(outside.iterdir()) == []
    (tree.folder / ".github").unlink()
    (tree.folder / ".github").symlink_to(".github")
    assert main(["init", str(tree.folder)]) == 2, "a link that leads to itself"


NAMES = ("a", "b", "c", "d", "e")
IMPORTS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(NAMES), max_size=5), min_size=2)


@settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(IMPORTS)
def test_any_packages_get_rules_that_we_take(imports: dict[str, list[str]]) -> None:
    texts = {
        f"p/{name}/m.py": "".join(f"from p.{other} import m\n" for other in others) for name, others in imports.items()
    }
    tree = Tree({path: path for path in texts})
    text = propose_boundaries(
        tree, Facts({(PYTHON.name, path): PYTHON.read(text.encode()) for path, text in texts.items()}, {})
    )
    assert text is not None
    boundaries, problems = read_boundaries(text, "boundaries.json")
    assert not problems
    assert {layer.name for layer in boundaries.layers} == set(imports)
    assert sorted(name for group in boundaries.order for name in group) == sorted(imports)
