"""What must hold once everything has calmed down, as GitHub itself sees it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from forgeguard_app.simulator.state import CheckRun, Repository, World
from tests.chaos.schedule import ANNOTATIONS, VARIANTS


@dataclass
class Head:
    """A head that GitHub holds: what it holds, and how many times it was to be evaluated; `gone` ones may lack a
    verdict.
    """

    sha: str
    variant: str
    runs: set[int]
    gone: bool = False


def violations(world: World, repository: Repository, heads: list[Head]) -> list[str]:
    """Sentences about what does not hold; none where all is well."""
    found = [problem for head in heads for problem in _of_head(world, repository, head)]
    found += [
        f"not completed: {run.name} on {run.head_sha} is {run.status}"
        for run in world.check_runs.values()
        if run.status != "completed"
    ]
    gone = {head.sha for head in heads if head.gone}
    found += [f"suite queued on {sha}" for _, sha in world.queued_suites() if sha not in gone]
    found += [
        f"written to a repository that took the name: {run.name} on {run.head_sha}"
        for run in world.check_runs.values()
        if run.repository_id != repository.id
    ]
    found += [f"limit crossed: {limit}" for limit in world.crossed]
    return found


def _of_head(world: World, repository: Repository, head: Head) -> list[str]:
    runs = world.runs_of(repository.id, head.sha)
    expected = VARIANTS[head.variant]
    audits = {run.external_id for run in runs}
    if not runs and head.gone:
        return []
    found: list[str] = []
    allowed = head.runs | ({0, 1} if head.gone else set())
    if len(audits) not in allowed:
        found.append(f"{len(audits)} verdicts instead of {sorted(allowed)} on {head.sha} ({head.variant})")
    for (external, name), number in Counter((run.external_id, run.name) for run in runs).items():
        if number != 1:
            found.append(f"{number} check runs of {name} for audit {external} on {head.sha}")
    for run in runs:
        found += _of_run(run, head, expected)
    return found


def _of_run(run: CheckRun, head: Head, expected: object) -> list[str]:
    code = run.name.split(" ")[2]
    wanted = VARIANTS[head.variant][code]
    found = []
    cancelled = head.gone and run.conclusion == "cancelled"
    if run.conclusion != wanted and not cancelled:
        found.append(
            f"wrong: {run.name} on {head.sha} ({head.variant}) says {run.conclusion} instead of {wanted}: "
            f"{run.output.get('title')}"
        )
    places = Counter(
        (annotation["path"], annotation["start_line"], annotation["message"]) for annotation in run.annotations
    )
    if run.conclusion == wanted and len(run.annotations) != ANNOTATIONS[head.variant].get(code, 0):
        found.append(f"{len(run.annotations)} annotations of {run.name} on {head.sha} ({head.variant})")
    found += [f"annotation twice: {place}" for place, number in places.items() if number > 1]
    return found
