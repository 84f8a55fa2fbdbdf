"""Check runs within GitHub's limits: what is sent, in which pieces, and how a lost answer is looked up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

from forgeguard_app.github.repo_access import RepoAccess

# The limits of annotations, texts and actions: https://docs.github.com/en/rest/checks/runs#create-a-check-run
ANNOTATIONS_PER_REQUEST = 50
MAX_ANNOTATIONS = 250
MAX_TEXT_BYTES = 65_535
MAX_TITLE_BYTES = 255
MAX_MESSAGE_BYTES = 64 << 10
CUT = "…"


@dataclass(frozen=True, slots=True)
class Annotation:
    """One annotation on lines of a file at head."""

    path: str
    start_line: int
    end_line: int
    level: str
    message: str
    title: str


@dataclass(frozen=True, slots=True)
class CheckRunAction:
    """A button on a check run: at most 20, 40 and 20 characters."""

    label: str
    description: str
    identifier: str


@dataclass(frozen=True, slots=True)
class CheckRun:
    """The final state that GitHub is to hold of one check."""

    name: str
    head_sha: str
    external_id: str
    details_url: str
    conclusion: str
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()
    actions: tuple[CheckRunAction, ...] = ()


def cut(text: str, limit: int) -> str:
    """Return the text in at most `limit` bytes of UTF-8, as GitHub counts them, no character torn."""
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode("utf-8")
    return raw[: limit - len(CUT.encode())].decode("utf-8", "ignore") + CUT


def creation(run: CheckRun) -> dict[str, Any]:
    """Return the body that creates the run as completed, with its first annotations."""
    return {
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "details_url": run.details_url,
        "status": "completed",
        "conclusion": run.conclusion,
        "output": _output(run, 0),
        **_actions(run),
    }


def progress(run: CheckRun) -> dict[str, Any]:
    """Return the body that creates the run as still in progress."""
    return {
        "name": run.name,
        "head_sha": run.head_sha,
        "external_id": run.external_id,
        "details_url": run.details_url,
        "status": "in_progress",
    }


def continuation(run: CheckRun, sent: int) -> dict[str, Any]:
    """Return the body that completes the run, or adds to it the annotations after the first `sent`."""
    return {"status": "completed", "conclusion": run.conclusion, "output": _output(run, sent), **_actions(run)}


def _actions(run: CheckRun) -> dict[str, Any]:
    return {"actions": [asdict(action) for action in run.actions]} if run.actions else {}


def _output(run: CheckRun, sent: int) -> dict[str, Any]:
    batch = run.annotations[sent : sent + ANNOTATIONS_PER_REQUEST]
    output: dict[str, Any] = {"title": cut(run.title, MAX_TITLE_BYTES), "summary": cut(run.summary, MAX_TEXT_BYTES)}
    if batch:
        output["annotations"] = [_annotation(annotation) for annotation in batch]
    return output


def _annotation(annotation: Annotation) -> dict[str, Any]:
    return {
        "path": annotation.path,
        "start_line": max(annotation.start_line, 1),
        "end_line": max(annotation.end_line, annotation.start_line, 1),
        "annotation_level": annotation.level,
        "message": cut(annotation.message, MAX_MESSAGE_BYTES),
        "title": cut(annotation.title, MAX_TITLE_BYTES),
    }


@dataclass(frozen=True, slots=True)
class RemoteCheckRun:
    """A check run as GitHub holds it."""

    github_id: int
    annotations: int
    completed: bool


async def create(access: RepoAccess, body: dict[str, Any]) -> RemoteCheckRun:
    """Create the run."""
    return _held(await access.ask("POST", "/check-runs", body))


async def update(access: RepoAccess, github_id: int, body: dict[str, Any]) -> RemoteCheckRun:
    """Update the run."""
    return _held(await access.ask("PATCH", f"/check-runs/{github_id}", body))


async def get(access: RepoAccess, github_id: int) -> RemoteCheckRun:
    """Return the check run of a known id as GitHub holds it."""
    return _held(await access.ask("GET", f"/check-runs/{github_id}"))


async def find(access: RepoAccess, run: CheckRun) -> RemoteCheckRun | None:
    """Return our run, by `external_id` and name, that a write whose answer was lost may have made."""
    # https://docs.github.com/en/rest/checks/runs#list-check-runs-for-a-git-reference
    for page in range(1, 11):
        query = f"check_name={quote(run.name)}&filter=all&per_page=100&page={page}"
        answer = await access.ask("GET", f"/commits/{run.head_sha}/check-runs?{query}")
        runs: Sequence[dict[str, Any]] = answer["check_runs"]
        for found in runs:
            if found["external_id"] == run.external_id and found["name"] == run.name:
                return _held(found)
        if len(runs) < 100:
            break
    return None


def _held(answer: dict[str, Any]) -> RemoteCheckRun:
    return RemoteCheckRun(
        int(answer["id"]), int(answer["output"]["annotations_count"]), answer["status"] == "completed"
    )
