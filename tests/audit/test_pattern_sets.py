"""Many patterns and globs at once: the same answers as one at a time, with few searches."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from forgeguard_app.audit.boundaries.layer_map import LayerMap
from forgeguard_app.audit.boundaries.parse import read_boundaries
from forgeguard_app.audit.boundaries.pattern_search import find_all_matches, find_matches
from forgeguard_app.audit.globs import GlobError, check_glob, glob_regex
from forgeguard_app.audit.languages.python_modules import ModuleIndex
from forgeguard_app.audit.languages.python_paths import MAX_DEPTH
from forgeguard_app.audit.pattern_sets import GlobSet, PatternSet
from forgeguard_app.audit.patterns import compile_bytes
from forgeguard_app.audit.secrets.allowlists import Allowlist, Exceptions
from forgeguard_app.audit.secrets.gitleaks_files import MAX_STRICT, read_exceptions

GLOBS = st.lists(st.text("ab*?/.[]!-", min_size=1, max_size=8), max_size=8)
PATHS = st.lists(st.text("ab.-", min_size=1, max_size=3), min_size=1, max_size=4).map("/".join)


class Counting:
    """Compiles expressions whose searches are counted."""

    def __init__(self) -> None:
        self.searches = 0

    def __call__(self, expression: str) -> Any:
        compiled = compile_bytes(expression)
        counter = self

        class Counted:
            programsize = compiled.programsize

            def search(self, text: bytes) -> object:
                counter.searches += 1
                return compiled.search(text)

            def fullmatch(self, text: bytes) -> object:
                counter.searches += 1
                return compiled.fullmatch(text)

        return Counted()


@given(GLOBS, PATHS)
def test_globs_together_match_what_each_matches_alone(globs: list[str], path: str) -> None:
    alone = []
    for number, glob in enumerate(globs):
        single = PatternSet([glob_regex(glob)], prefix="(?s)", whole=True)
        alone += [number] if single.any(path.encode()) else []
    together = GlobSet(globs)
    assert together.matching(path) == alone
    assert together.any(path) == bool(alone)


@pytest.mark.parametrize(
    "patterns",
    [["a", "b|c", "(?i)D", "^e$"], [r"\Qa", "b"], [r"\Qa)|(?:x", "b"], ["(?P<n>a)", "(?P<n>b)"], ["(", "b"], []],
)
@pytest.mark.parametrize("text", [b"a", b"b", b"c", b"d", b"x\ne\nf", b"a)|(?:x", b"zz", b""])
def test_patterns_together_match_what_each_matches_alone(patterns: list[str], text: bytes) -> None:
    alone = [number for number, pattern in enumerate(patterns) if PatternSet([pattern]).any(text)]
    assert PatternSet(patterns).matching(text) == alone
    assert PatternSet(patterns).any(text) == bool(alone)


def test_a_path_that_no_glob_matches_costs_one_search_however_many_globs_there_are() -> None:
    counting = Counting()
    globs = GlobSet([f"**/layer{number}/*.py" for number in range(500)], counting)
    assert [globs.matching(f"src/{number}.py") for number in range(100)] == [[]] * 100
    assert counting.searches == 100
    counting.searches = 0
    assert globs.matching("src/layer7/a.py") == [7]
    assert counting.searches < 25


def test_globs_of_other_folders_are_not_searched() -> None:
    counting = Counting()
    globs = GlobSet([f"app/layer{number}/**" for number in range(500)] + ["docs/*.md", "a/b.py"], counting)
    assert globs.matching("app/layer499/x/y.py") == [499]
    assert globs.matching("a/b.py") == [501]
    assert counting.searches == 0


def test_layers_that_share_a_glob_all_hold_its_files_in_their_order() -> None:
    layers = [{"name": name, "glob": ["**/*.py", f"{name}/**"]} for name in ("b", "a", "c")]
    boundaries, problems = read_boundaries(json.dumps({"layers": layers}), "boundaries.json")
    assert problems == ()
    found = LayerMap(boundaries)
    assert [layer.name for layer in found.layers_of("a/x.py")] == ["b", "a", "c"]
    assert [layer.name for layer in found.layers_of("a/x.md")] == ["a"]


def test_a_range_of_characters_that_goes_backward_is_a_problem_of_the_glob() -> None:
    check_glob("[a-z]/[!0-9]*")
    with pytest.raises(GlobError, match="from the lower to the higher"):
        check_glob("src/[z-a].py")
    _boundaries, problems = read_boundaries('{"layers": [{"name": "a", "glob": "[z-a]"}]}', "boundaries.json")
    assert len(problems) == 1


def test_thousands_of_patterns_that_a_file_does_not_hold_are_searched_together() -> None:
    patterns = frozenset(f"pattern{number}[a-z]+" for number in range(2_000))
    steps: list[None] = []
    text = "é pattern7x pattern7y\nz pattern1999a\n".encode()
    searched, found = find_all_matches(text, patterns, lambda: steps.append(None))
    assert searched is patterns
    assert found == {pattern: find_matches(text, pattern) for pattern in ("pattern7[a-z]+", "pattern1999[a-z]+")}
    assert [(match.line, match.column) for match in found["pattern7[a-z]+"].found] == [(1, 3), (1, 13)]
    assert len(steps) < 300


def test_a_forbidden_pattern_is_interrupted_between_searches() -> None:
    def over() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        find_all_matches(b"a", frozenset("ab"), over)


def test_allowlists_of_one_kind_are_asked_together() -> None:
    lists = [Allowlist(regexes=(f"^value{n}$",)) for n in range(5_000)]
    lists += [Allowlist(stopwords=("DUMMY",)), Allowlist(regexes=("here$",), target="line"), Allowlist(paths=("^t/",))]
    strict = Allowlist(paths=("^x/",), regexes=("^only",), all_of=True)
    exceptions = Exceptions(allowlists=(*lists, strict, Allowlist(stopwords=("r",), rules=("github-pat",))))
    asked = exceptions.counting("aws-access-token")
    assert len(asked) == 4

    def cover(path: str, line: str, value: str) -> bool:
        return exceptions.cover(path, 1, line, value, None, "aws-access-token")

    assert cover("a", "value4999", "value4999")
    assert cover("a", "x", "aDummyb")
    assert cover("a", "x here", "x")
    assert cover("t/a", "x", "x")
    assert cover("x/a", "only", "only")
    assert not cover("y/a", "only", "only")
    assert not cover("a", "value5000 r", "value5000r")


def test_what_is_cut_from_gitleaks_toml_is_said() -> None:
    strict = "[[allowlists]]\ncondition = 'AND'\npaths = ['a']\nregexes = ['b']\n" * (MAX_STRICT + 1)
    exceptions, problems = read_exceptions(strict.encode(), None)
    assert problems == ()
    assert len(exceptions.allowlists) == MAX_STRICT
    assert [remark.message for remark in exceptions.remarks] == [
        f"allowlists with condition AND after the first {MAX_STRICT} are not read"
    ]
    regexes = "[allowlist]\nregexes = [" + ",\n".join(f"'a{n}'" for n in range(5_001)) + "]\n"
    exceptions, _ = read_exceptions(regexes.encode(), None)
    assert [(remark.line, remark.message) for remark in exceptions.remarks] == [
        (2, "1 entries of regexes after the first 5,000 are not read")
    ]


def test_a_remark_points_to_its_table_among_many() -> None:
    text = "".join(f"[[rules]]\nid = 'r{n}'\n[rules.allowlist]\n" for n in range(3))
    exceptions, _ = read_exceptions(text.encode(), None)
    assert [remark.line for remark in exceptions.remarks] == [3, 6, 9]


def test_modules_below_very_deep_folders_are_indexed_up_to_a_depth() -> None:
    deep = [f"t{number}/" + "a/" * 1_900 + "x.py" for number in range(50)]
    index = ModuleIndex([*deep, "own/x.py"])
    assert len(index.folders) <= 52 * (MAX_DEPTH + 1)
    assert index.find(deep[0], "own.x") == "own/x.py"


def test_a_module_is_looked_for_in_those_projects_alone_that_hold_its_name() -> None:
    paths = [f"p{number}/m{number}/x.py" for number in range(3_000)]
    index = ModuleIndex(paths, [f"p{number}" for number in range(3_000)])
    assert index.holding("m2999") == ("p2999",)
    assert index.find("p1/m1/x.py", "m2999.x") == "p2999/m2999/x.py"
    assert index.find("p1/m1/x.py", "nothing") is None
