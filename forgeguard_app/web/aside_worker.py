"""A process that works out one thing about strangers' texts: no credentials, no network, bounded time and memory.

It reads one JSON list from standard input, the kind of work and its texts, and writes the result as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import astuple
from types import MappingProxyType
from typing import Any

MAX_MEMORY_BYTES = 1 << 30
MAX_CPU_S = 10


def markdown(text: str) -> str:
    """Return the text as HTML."""
    from forgeguard_app.web.markdown import as_html  # noqa: PLC0415  (each kind of work loads what it needs)

    return str(as_html(text))


def difference(old: str, new: str) -> list[str]:
    """Return the lines of a unified difference, without its header."""
    import difflib  # noqa: PLC0415

    return list(difflib.unified_diff(old.splitlines(), new.splitlines(), n=3, lineterm=""))[2:]


def problems(kind: str, text: str) -> list[list[Any]]:
    """Return what is wrong with a contract."""
    from forgeguard_app.projects.contract_types import ContractType  # noqa: PLC0415
    from forgeguard_app.projects.validation import problems_of  # noqa: PLC0415

    return [list(astuple(problem)) for problem in problems_of(ContractType(kind), text)]


def drafts(name: str, state: str) -> dict[str, list[Any]]:
    """Return a project's contracts as its stored answers make them: each with its text and its problems."""
    from forgeguard_app.projects.contracts.render import write_drafts  # noqa: PLC0415

    return {
        kind.value: [draft.text, [list(astuple(problem)) for problem in draft.problems]]
        for kind, draft in write_drafts(name, json.loads(state)).items()
    }


WORK: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {"markdown": markdown, "difference": difference, "problems": problems, "drafts": drafts}
)


def main() -> None:
    """Do the work."""
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S))
    if sys.platform == "linux":
        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    name, *texts = json.load(sys.stdin.buffer)
    # As it is: an escaped text takes up to six times the bytes, and results have a bound.
    sys.stdout.buffer.write(json.dumps(WORK[name](*texts), ensure_ascii=False).encode("utf-8", "surrogatepass"))


if __name__ == "__main__":
    main()
