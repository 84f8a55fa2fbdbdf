"""Path patterns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.globs import GlobError, check_glob, joined
from forgeguard_app.audit.pattern_sets import any_glob


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("app/api/**/*.py", ["app/api/a.py", "app/api/b/c.py"], ["app/api.py", "app/apix/a.py", "x/app/api/a.py"]),
        ("vendor/**", ["vendor/a", "vendor/b/c.py"], ["vendor", "src/vendor/a"]),
        ("**/*_pb2.py", ["a_pb2.py", "x/y/a_pb2.py"], ["a_pb2.pyi"]),
        ("*.py", ["a.py"], ["b/a.py"]),
        ("a?.py", ["ab.py"], ["a/.py", "a.py"]),
        ("[ab].py", ["a.py", "b.py"], ["c.py"]),
        ("[!ab].py", ["c.py"], ["a.py", "/.py"]),
        ("docs/", ["docs/a", "docs/b/c"], ["docs"]),
        ("a.b/*", ["a.b/c"], ["axb/c"]),
        ("**", ["a", "b/c"], []),
        ("src/**/db/**/*.py", ["src/db/a.py", "src/x/db/y/a.py"], ["src/xdb/a.py"]),
        ("./app/*.py", ["app/a.py"], []),
    ],
)
def test_a_pattern_matches_these_paths_and_no_others(pattern: str, matching: list[str], others: list[str]) -> None:
    test = any_glob([pattern])
    assert [path for path in matching if not test(path)] == []
    assert [path for path in others if test(path)] == []


@given(st.text(alphabet="ab*?[]!/.^-\\$(){}+|", max_size=40), st.text(alphabet="ab/.", max_size=20))
def test_every_pattern_that_is_accepted_can_be_used(pattern: str, path: str) -> None:
    try:
        check_glob(pattern)
    except GlobError:
        return
    assert any_glob([pattern])(path) in (True, False)


@given(st.text(min_size=1, max_size=20).filter(lambda t: "/" not in t and "\n" not in t and t not in (".", "..")))
def test_a_folder_with_strange_characters_is_meant_literally(folder: str) -> None:
    assert any_glob([joined(folder.replace("\\", "x"), "*.py")])(f"{folder.replace(chr(92), 'x')}/a.py")


@pytest.mark.parametrize("pattern", ["/abs/*.py", "a\\b", "../x", "a/../b", "x" * 2_000])
def test_what_matches_no_path_is_refused(pattern: str) -> None:
    with pytest.raises(GlobError):
        check_glob(pattern)


def test_many_stars_take_no_exponential_time() -> None:
    assert not any_glob(["**/" * 60 + "x"])("a/" * 500 + "b")
    assert not any_glob(["*a" * 100 + "b"])("a" * 5_000)
