"""Imports of Python sources, against `ast` on real packages and by example."""

from __future__ import annotations

import ast
import sysconfig
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.languages.imports import Guard
from forgeguard_app.audit.languages.python import python_facts

Row = tuple[str, tuple[str, ...], int, int, int, int]


def by_ast(data: bytes) -> list[Row]:
    rows: list[Row] = []
    for node in ast.walk(ast.parse(data)):
        if isinstance(node, ast.Import):
            rows += [(a.name, (), 0, node.lineno, node.end_lineno or 0, node.col_offset + 1) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(a.name for a in node.names)
            rows.append((node.module or "", names, node.level, node.lineno, node.end_lineno or 0, node.col_offset + 1))
    return sorted(rows)


def by_lexer(data: bytes) -> list[Row]:
    return sorted(tuple(item[:6]) for item in python_facts(data).imports)  # type: ignore[misc]


def sources(name: str) -> list[Path]:
    library = Path(sysconfig.get_path("stdlib"))
    packages = Path(sysconfig.get_path("purelib"))
    if name == "stdlib":
        return [*library.glob("*.py"), *library.glob("asyncio/*.py"), *library.glob("test/test_[a-d]*.py")]
    return list((packages / name).rglob("*.py"))


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("jinja2", 300),
        ("procrastinate", 400),
        ("aiohttp", 700),
        pytest.param("stdlib", 2_300, marks=pytest.mark.nightly),
        pytest.param("hypothesis", 1_100, marks=pytest.mark.nightly),
        pytest.param("_pytest", 1_500, marks=pytest.mark.nightly),
    ],
)
def test_imports_are_those_that_ast_finds_in_real_packages(name: str, least: int) -> None:
    compared = wrong = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for path in sources(name):
            data = path.read_bytes()
            try:
                expected = by_ast(data)
            except (SyntaxError, ValueError):
                continue
            compared += len(expected)
            if by_lexer(data) != expected and data.isascii():
                wrong += 1
                print(path)
    assert compared > least
    assert wrong == 0


@pytest.mark.parametrize(
    "source",
    [
        "import a",
        "import a.b as c, d",
        "from . import x",
        "from .import x",
        "from ...a.b import (c as d,  # why\n  e)",
        "from a import *",
        "if x: import a; import b",
        "try: import a\nexcept ImportError: a = None",
        "x = 1; from a import b; import c",
        "from a import b, \\\n    c",
        "import a, \\\n  b",
        "from a \\\n import b",
        'def f():\n    """import no"""\n    import a\n',
        "# import a\ns = 'import b'\nt = '''\nimport c\n'''\nu = r'\\ '\nimport d",
        "f'{x!r} import a'\nimport b",
        "raise X(\n) from importer\nyield_from = 1",
        "import_x = 1\nx.importer\nimporting()\nimport a",
        "class A:\n\timport a\n\tfrom b import (\n\tc,\n\t)",
        "\ufeffimport a",
        "import a\r\nimport b\rimport c",
        "async def f():\n  async with x: import a",
        "from ... import a",
        "from .. a import b",
        "match x:\n  case 1: import a",
        "x = lambda: 0\nimport é",
    ],
)
def test_forms_of_import(source: str) -> None:
    assert by_lexer(source.encode()) == by_ast(source.encode())


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("print 'python 2'\nimport a\nexec 'import b'", ["a"]),
        ("import a\ndef broken(:\n  import b", ["a", "b"]),
        ("<<<<<<< HEAD\nimport a\n=======\nimport b\n>>>>>>> x", ["a", "b"]),
        ("import a\nx = '''never closed\nimport b", ["a"]),
        ("import a\nx = 'never closed\nimport b", ["a", "b"]),
        ("import a\n\0\nimport b", ["a", "b"]),
        ("from a import (b, c", ["a"]),
        ("import", []),
        ("from import x", []),
    ],
)
def test_a_file_that_does_not_parse_still_gives_its_imports(source: str, modules: list[str]) -> None:
    assert [item.module for item in python_facts(source.encode()).imports] == modules


@pytest.mark.parametrize(
    ("source", "guard"),
    [
        ("try:\n    import a\nexcept ImportError:\n    pass", Guard.TRY),
        ("try:\n    pass\nexcept (ValueError, ModuleNotFoundError):\n    import a", Guard.TRY),
        ("try:\n    import a\nexcept ValueError:\n    pass", Guard.NONE),
        ("try:\n    import a\nfinally:\n    pass", Guard.NONE),
        ("try:\n    if x:\n        import a\nexcept:\n    pass", Guard.TRY),
        ("try: import a\nexcept ImportError: pass", Guard.TRY),
        ("if TYPE_CHECKING:\n    import a", Guard.TYPING),
        ("if typing.TYPE_CHECKING:\n    if x:\n        from a import b", Guard.TYPING),
        ("if (TYPE_CHECKING):\n    import a", Guard.TYPING),
        ("if TYPE_CHECKING and sys.version_info > (3, 11):\n    import a", Guard.TYPING),
        ("if not TYPE_CHECKING:\n    import a", Guard.NONE),
        ("if TYPE_CHECKING < 1:\n    import a", Guard.NONE),
        ("if TYPE_CHECKING if 0 else 1:\n    import a", Guard.NONE),
        ("if TYPE_CHECKING and 0 or 1:\n    import a", Guard.NONE),
        ("if (TYPE_CHECKING) or 1:\n    import a", Guard.NONE),
        ("if TYPE_CHECKING is False:\n    import a", Guard.NONE),
        ("if TYPE_CHECKING.real - 1:\n    import a", Guard.NONE),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import a", Guard.NONE),
        ("try:\n    pass\nexcept ImportError:\n    pass\nimport a", Guard.NONE),
        ("def f():\n    import a", Guard.NONE),
    ],
)
def test_guards(source: str, guard: Guard) -> None:
    assert [item.guard for item in python_facts(source.encode()).imports] == [guard]


@given(st.binary(max_size=300))
def test_any_bytes_give_an_answer(data: bytes) -> None:
    assert python_facts(b"import a\n" + data).imports[0].module == "a"


@given(st.text(alphabet="import from.as(),\\\n'\"#ab:;x{}f ", max_size=120))
def test_what_parses_is_read_as_ast_reads_it(source: str) -> None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            expected = by_ast(source.encode())
    except (SyntaxError, ValueError, MemoryError):
        return
    assert by_lexer(source.encode()) == expected


@pytest.mark.parametrize(
    ("source", "has_code"),
    [
        ("", False),
        ("# x\n", False),
        ('"""Doc."""\n', False),
        ('"""A\nB"""\n# c\n', False),
        ("x = 1", True),
        ("import a", True),
    ],
)
def test_a_docstring_is_no_code(source: str, has_code: bool) -> None:
    assert python_facts(source.encode()).has_code is has_code
