"""Languages whose imports are not read, by the endings of their files' names: where import rules cover them, that is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from forgeguard_app.audit.languages import SUFFIXES

NOTEBOOK = "Jupyter notebook"
_ENDINGS: dict[str, str] = {
    "JavaScript": "js jsx mjs cjs", "TypeScript": "ts tsx mts cts", "Go": "go", "Rust": "rs", "Java": "java", "Kotlin": "kt kts",
    "Ruby": "rb", "PHP": "php", "C#": "cs", "F#": "fs", "C": "c h", "C++": "cpp cc cxx hpp hh hxx", "Swift": "swift", "Scala": "scala",
    "Dart": "dart", "Elixir": "ex exs", "Erlang": "erl", "Haskell": "hs", "Clojure": "clj cljs", "Lua": "lua", "Perl": "pl pm", "R": "r",
    "Julia": "jl", "Groovy": "groovy", "Objective-C": "m mm", "Vue": "vue", "Svelte": "svelte", "Cython": "pyx pxd", "OCaml": "ml mli",
    NOTEBOOK: "ipynb", "Zig": "zig", "Nim": "nim", "Solidity": "sol",
}  # fmt: skip
_LANGUAGE_OF = {
    ending: name for name, endings in _ENDINGS.items() for ending in endings.split() if f".{ending}" not in SUFFIXES
}


def languages_of(paths: Iterable[str]) -> Counter[str]:
    """Return the number of files by language, of languages whose imports are not read."""
    found: Counter[str] = Counter()
    for path in paths:
        name = _LANGUAGE_OF.get(path.rpartition("/")[2].rpartition(".")[2].lower())
        if name is not None:
            found[name] += 1
    return found


def listed(found: Mapping[str, int]) -> str:
    """Return the languages with their numbers in words, the most frequent first: "12 TypeScript files and 1 Go file"."""
    ordered = sorted(found.items(), key=lambda item: (-item[1], item[0]))
    words = [f"{number:,} {_files(name)}{'' if number == 1 else 's'}" for name, number in ordered]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def _files(language: str) -> str:
    return language if language == NOTEBOOK else f"{language} file"
