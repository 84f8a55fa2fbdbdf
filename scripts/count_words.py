"""Counts what makes the project hard to read, with the place of each hit; exits with 1 where anything is left.

Counted are stilted words in docstrings, comments, messages, documents and templates; identifiers that say nothing of
what they hold; public docstrings that begin with a question word; class names that stand in two modules for two ideas;
and modules that name a check by its code.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from forgeguard_app.audit.model import CheckCode

PROJECT = Path(__file__).parents[1]
PACKAGE = PROJECT / "forgeguard_app"
# Each with the word of the field that says the same.
WORDS = {
    r"mend(s|ed|ing|able)?": "fix",
    r"whoever": "a person who, everybody who",
    r"anew": "again",
    r"forsaken": "orphaned",
    r"whiten(s|ed)?": "accept",
    r"hand(s|ed)? back": "return, release",
    r"to be had": "available",
    r"of late": "recent",
    r"nobody in particular": "nobody who is signed in",
    r"as (its|their) names? says?": "the condition, in words",
    r"starting line": "baseline",
    r"take[ns]? up again": "resume",
    r"parked": "deferred",
    r"lacking": "missing",
}
_WORD = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
# Each is replaced by the name of the thing: finding, row, message, visited, known.
VAGUE_NAMES = frozenset({"one", "said", "seen", "told", "some", "there", "front", "pace", "judging", "ledger"})
QUESTIONS = re.compile(r"(What|Whether|Who|As|There)\b")
CODES = tuple(CheckCode)
MOST_MODULES_OF_A_CHECK = 5
# Views of the same idea: GitHub's side in the simulator, payloads, rows, and the API's models, whose names are public.
SAME_IDEA = {
    "Account",
    "Allowance",
    "Build",
    "Change",
    "CheckRun",
    "Column",
    "Contract",
    "Delivery",
    "Finding",
    "Health",
}
SAME_IDEA |= {"Installation", "LogLine", "NewAllowance", "NewToken", "Phase", "Problem", "Project", "Pull", "Question"}
SAME_IDEA |= {"Repository", "Review", "Section", "Token"}


def sources() -> Iterator[Path]:
    """Yield the package's modules, its static files left out."""
    yield from (path for path in sorted(PACKAGE.rglob("*.py")) if "static" not in path.parts)


def prose() -> Iterator[tuple[Path, int, str]]:
    """Yield lines that people read: strings and comments of modules, documents and templates, each with its place."""
    for path in sources():
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline):
            if token.type in (tokenize.STRING, tokenize.COMMENT):
                for number, line in enumerate(token.string.splitlines(), token.start[0]):
                    yield path, number, line
    named = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "db/schema.md")
    documents = [PROJECT / name for name in named]
    documents += [*sorted((PROJECT / "docs").rglob("*.md")), *sorted((PACKAGE / "web" / "templates").rglob("*.html"))]
    for path in documents:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            yield path, number, line


def stilted_words() -> list[str]:
    """Return the hits of the word list, each with its place."""
    return [
        f"{path.relative_to(PROJECT)}:{number}: {found[0]!r}"
        for path, number, line in prose()
        for found in [_WORD.search(line)]
        if found and line.strip() not in ALLOWED
    ]


# Stored names that users' databases hold already.
ALLOWED = {'"build changes handed back"'}


def vague_names() -> list[str]:
    """Return the identifiers that say nothing of what they hold, each with its place."""
    return [
        f"{path.relative_to(PROJECT)}:{token.start[0]}: {token.string}"
        for path in sources()
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
        if token.type == tokenize.NAME and token.string.lstrip("_") in VAGUE_NAMES
    ]


def question_docstrings() -> list[str]:
    """Return the public docstrings that begin with a question word."""
    found = []
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                continue
            text = ast.get_docstring(node)
            if text and QUESTIONS.match(text) and not getattr(node, "name", "").startswith("_"):
                found.append(f"{path.relative_to(PROJECT)}: {text.splitlines()[0]}")
    return found


def shared_class_names() -> list[str]:
    """Return the class names that stand in two modules, those of the same idea left out."""
    modules = defaultdict(set)
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                modules[node.name].add(str(path.relative_to(PACKAGE)))
    return [
        f"{name}: {', '.join(sorted(places))}"
        for name, places in sorted(modules.items())
        if len(places) > 1 and name not in SAME_IDEA
    ]


def modules_of_checks() -> dict[str, list[str]]:
    """Return the modules, templates and schemas that name a check, by its code."""
    paths = [*sources(), *sorted((PACKAGE / "web").rglob("*.html")), *sorted((PACKAGE / "web").rglob("*.json"))]
    return {
        code: [
            str(path.relative_to(PACKAGE))
            for path in paths
            if re.search(rf"\b{code}\b|\b{code.lower()}_\w+", path.read_text("utf-8"))
        ]
        for code in CODES
    }


def main() -> int:
    """Print the counts and their places."""
    counts = {
        "stilted words": stilted_words(),
        "vague names": vague_names(),
        "docstrings that begin with a question word": question_docstrings(),
        "class names of two ideas": shared_class_names(),
    }
    for name, hits in counts.items():
        print(f"{len(hits)} {name}", *hits, sep="\n  ")
    wide = False
    for code, modules in modules_of_checks().items():
        print(f"{len(modules)} modules that name {code}, of at most {MOST_MODULES_OF_A_CHECK}", *modules, sep="\n  ")
        wide = wide or len(modules) > MOST_MODULES_OF_A_CHECK
    return 1 if wide or any(counts.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
