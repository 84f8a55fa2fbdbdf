"""Strings, encodings and characters behind which imports of Python sources might hide."""

from __future__ import annotations

import ast
import sys
import warnings
from encodings.aliases import aliases
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.languages import python_encoding
from forgeguard_app.audit.languages.imports import Cut
from forgeguard_app.audit.languages.python import python_facts
from tests.support.python_texts import module


def modules_of(source: str | bytes) -> list[str]:
    facts = python_facts(source if isinstance(source, bytes) else source.encode())
    assert facts.cut is Cut.NONE
    return [item.module for item in facts.imports]


def modules_by_ast(data: bytes) -> list[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nodes = [node for node in ast.walk(ast.parse(data)) if isinstance(node, ast.Import | ast.ImportFrom)]
    nodes.sort(key=lambda node: node.lineno)
    return [(node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name for node in nodes]


@pytest.mark.parametrize(
    "text",
    [
        """f"{"'''"}\"""",
        """t"{"'''"}\"""",
        """Rf'{'""'}'""",
        '''f"{f"{f"{'"'}"}"}"''',
        'f"{x!r:{"\'" if y else 1}>{w}}"',
        'f"{{{"#"}}}"',
        "f'''{x # }''' \\\"\n}'''",
        'f"{x[1: # }"\n]}"',
        'f"{x:#x}{x:\'>3}"',
        'f"{(lambda: {1: "}"})()}"',
        'f"\\N{QUOTATION MARK}{"\\""}"',
        'rf"\\{"\'"}\\N{"\'"}"',
        'f"{\n"\'\'\'"\n!r:\n}"',
        'f"""{x:"}{"\'"}"""',
        "if'{':'\"'",
        "x = 1if'{'else'}'",
        "(assert_ , not'{\"')",
    ],
)
def test_a_text_hides_no_import(text: str) -> None:
    assert modules_of(f"import a\nx = {text}\nimport b\n# '''\nimport c".replace("x = if", "if")) == ["a", "b", "c"]


@given(st.integers(0, 2**40))
def test_imports_between_any_texts_are_read_as_python_reads_them(seed: int) -> None:
    source, modules = module(Random(seed))
    assert modules_of(source) == modules
    try:
        assert modules_by_ast(source.encode()) == modules
    except SyntaxError:
        assert sys.version_info < (3, 12)  # which knows no quotes of an f-string in its fields


@pytest.mark.parametrize(
    "text",
    [
        "x = '''",
        "x = 'a",
        'x = f"{',
        'x = f"{x:"}"',
        "x = f'{(]:' '}'",
        'x = f"{x:{{1}}}"',
        "x = f'{" + "(" * 700 + '"\'"' + ")" * 700 + "}'",
        "x = " + "f'{" * 700 + "}'" * 700,
        "\0",
    ],
    ids=range(9),
)
def test_a_text_that_does_not_end_is_said(text: str) -> None:
    facts = python_facts(f"import a\n{text}\nimport b".encode())
    assert facts.cut is Cut.SYNTAX
    assert facts.imports[0].module == "a"


def test_a_broken_text_leaves_the_next_lines_readable() -> None:
    found = python_facts(b"import a\nx = f'{x'\nimport b\ny = f'{'\nimport c").imports
    assert [item.module for item in found] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "declaration",
    [
        "# coding: {}",
        "\f#!/bin/x\n#-*- coding:\t{} -*-",
        "\r# vim: set fileencoding={} :",
        "# coding coding: {}\r\n# coding: utf-8",
    ],
)
@pytest.mark.parametrize(
    "name",
    [
        *("raw_unicode_escape", "unicode-escape", "UTF-7", "rot13", "punycode", "idna", "utf-16", "utf_32_le", "cp037"),
        *("hz", "iso2022_jp", "unknown", "hex", "mbcs", "shift_jis_2004", "johab", "a" * 10_000, "..", "utf-8x"),
    ],
)
def test_an_encoding_that_may_hide_imports_is_said(declaration: str, name: str) -> None:
    facts = python_facts(f"{declaration.format(name)}\nx = 1\n".encode())
    assert facts.cut is Cut.ENCODING


@pytest.mark.parametrize(
    ("data", "modules"),
    [
        (b"# coding: latin-1\nimport \xe9", ["é"]),
        (b"# coding: iso-8859-1-unix\nimport \xe9", ["é"]),
        (b"#\n# coding=Windows_1252\nimport a # \xe9", ["a"]),
        (b"# coding: UTF-8-unix\nimport \xc3\xa9", ["é"]),
        (b"# coding: ascii\nimport a", ["a"]),
        (b"x = 1\n# coding: utf-7\nimport a", ["a"]),
        (b"\n\n# coding: utf-7\nimport a", ["a"]),
        (b"x = '# coding: utf-7'\nimport a", ["a"]),
        (b"# coding: shift_jis\nx = '\x83\x5c'\nimport a # '", ["a"]),
        (b"# coding: gbk\nx = '\x81\x5c'\nimport a # '", ["a"]),
        (b"# coding: big5\nx = '\xa5\x5c'; import a # '", ["a"]),
        (b"\xef\xbb\xbf# coding: utf-8\nimport a", ["a"]),
    ],
)
def test_a_declared_encoding_is_read_as_python_reads_it(data: bytes, modules: list[str]) -> None:
    assert modules_of(data) == modules_by_ast(data) == modules


def test_bytes_that_are_not_in_the_declared_encoding_are_said() -> None:
    facts = python_facts(b"# coding: gbk\nimport a\nx = '\x81\x20'\nimport b")
    assert (facts.cut, [item.module for item in facts.imports]) == (Cut.ENCODING, ["a", "b"])


def test_each_codec_that_is_run_reads_ascii_and_keeps_no_state() -> None:
    for codec in python_encoding._CODECS:
        plain = "".join(map(chr, range(128)))
        assert plain.encode().decode(codec) == plain, codec
        for byte in range(128, 256):
            for text in (bytes((byte,)), bytes((byte, 0xA1)), bytes((byte, 0x5C))):
                assert (text + b"\n'").decode(codec, "replace").endswith("\n'"), codec
    assert python_encoding._CODECS & set(aliases.values()) > {"latin_1", "gbk"}


@pytest.mark.parametrize(
    ("source", "modules"),
    [
        ("import \uff4f\uff53", ["os"]),  # full width
        ("from \U0001d4f8\U0001d4fc.\ufb01 import x", ["os.fi"]),
        ("import x\u0301.\u0939\u093f\u0928", ["x\u0301.\u0939\u093f\u0928"]),
        ("import\u0301 = 1\nimport a", ["a"]),
        ("x = 1\x0cimport\nimport a".replace("\x0cimport", "\x0c"), ["a"]),
    ],
)
def test_names_are_those_that_python_makes_of_them(source: str, modules: list[str]) -> None:
    assert modules_of(source) == modules_by_ast(source.encode()) == modules
