"""setup.py read as a text, in several threads as a worker's audits do; setup.cfg and tox.ini."""

from __future__ import annotations

import configparser
import gc
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.requirements.bounds import MAX_SETTING_LINE_CHARS
from forgeguard_app.audit.requirements.setuptools import (
    _SettingsParser,
    _ToxParser,
    read_setup_cfg,
    read_setup_py,
    read_tox,
)

CALL = "setup(name='shop', install_requires=['requests'])\n"


@pytest.fixture
def yielding_collector() -> Iterator[None]:
    """Let other threads run whenever the garbage collector does, in the middle of parsing as well."""

    def give_way(phase: str, info: dict[str, int]) -> None:
        time.sleep(0)

    thresholds = gc.get_threshold()
    gc.callbacks.append(give_way)
    gc.set_threshold(20, *thresholds[1:])
    yield
    gc.set_threshold(*thresholds)
    gc.callbacks.remove(give_way)


@pytest.mark.usefixtures("yielding_collector")
def test_files_that_are_read_at_the_same_time_do_not_disturb_each_other() -> None:
    body = "\n".join(f"x{number} = [lambda a: (a + {number}, [b for b in range({number})])]" for number in range(100))
    text = f"from setuptools import setup\n{body}\n{CALL}"
    with ThreadPoolExecutor(6) as threads:
        manifests = list(threads.map(lambda number: read_setup_py("setup.py", text), range(60)))
    assert {(manifest.opaque, len(manifest.declared)) for manifest in manifests} == {("", 1)}


@pytest.mark.parametrize(("parser", "delimiters"), [(_SettingsParser, ("=", ":")), (_ToxParser, ("=",))])
@given(text=st.text("ab =:#;[]\t\n\r\x85\u2028", max_size=60))
def test_keys_are_those_that_the_library_finds(
    parser: type[_SettingsParser], delimiters: tuple[str, ...], text: str
) -> None:
    library = configparser.RawConfigParser(strict=False, delimiters=delimiters, interpolation=None)
    assert _sections(parser(), f"[o]\n{text}") == _sections(library, f"[o]\n{text}")


def _sections(parser: configparser.RawConfigParser, text: str) -> object:
    try:
        parser.read_string(text)
    except configparser.ParsingError as error:
        return error.errors
    return {name: dict(parser[name]) for name in parser}


def test_runs_of_blanks_in_every_line_are_read() -> None:
    line = "a" + " " * (MAX_SETTING_LINE_CHARS - 2) + "b\n"
    text = f"[options]\n{line * 99}"
    assert [problem.line for problem in read_setup_cfg("setup.cfg", text).problems] == [2]
    assert read_tox("tox.ini", text).unread == "not a configuration file of sections and keys"
    lines = line.replace("b", "=") * 99
    assert read_setup_cfg("setup.cfg", f"[options]\n{lines}install_requires = b").declared[0].name == "b"
    assert read_tox("tox.ini", f"[testenv]\n{lines}deps = b").declared[0].name == "b"


@pytest.mark.parametrize(
    ("text", "declared", "whole"),
    [
        ("r = ['a']\nr.append('b')\nr += ['c']\nr.extend(['d'])\nr.insert(0, 'e')\n", "abcde", True),
        ("r = ['a']\nif x:\n    r.append('b')\nelse:\n    r = ['c']\n", "abc", True),
        ("r: list[str] = [*['a'], *('b',)] + (['c'] if x else ['d'])\n", "abcd", True),
        ("r = ['a', 'b'] + open('x').read().split()\n", "ab", False),
        ("r = ['a', f'b=={x}']\n", "a", False),
        ("r = ['a']\nr.extend(read())\n", "a", False),
        ("r = s\ns = r\n", "", True),
        ("def read():\n    r = []\n    r.append(x)\n    return r\nr = ['a']\n", "a", True),
        ("r = 'a\\nb'\n", "ab", True),
    ],
)
def test_a_list_that_setup_py_changes_before_it_uses_it_is_read_as_far_as_it_is_literal(
    text: str, declared: str, whole: bool
) -> None:
    manifest = read_setup_py("setup.py", f"from setuptools import setup\n{text}setup(name='x', install_requires=r)\n")
    assert ({item.name for item in manifest.declared}, not manifest.opaque) == (set(declared), whole)


def test_extras_that_are_added_by_name_are_declared() -> None:
    text = "e = {'a': ['x'], **{'b': ['y']}}\ne['c'] = ['z']\ne.update({'dev': ['t']})\n"
    manifest = read_setup_py("setup.py", f"from setuptools import setup\n{text}setup(extras_require=e)\n")
    assert [item.name for item in manifest.declared] == ["x", "y", "z", "t"]


@pytest.mark.parametrize("entry", ["'a', ", "(), "])
def test_a_list_that_many_extras_repeat_is_bounded_and_that_is_said(entry: str) -> None:
    long, extras = entry * 20_000, ", ".join(f"'{number}': r" for number in range(5_000))
    text = f"r = [{long}]\ne = {{{extras}}}\n"
    manifest = read_setup_py("setup.py", f"from setuptools import setup\n{text}setup(extras_require=e)\n")
    assert len(manifest.declared) <= 50_000
    assert manifest.unread == "its lists have more than 50,000 parts"
