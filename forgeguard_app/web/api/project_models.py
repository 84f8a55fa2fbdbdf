"""Requests and answers of the API about projects, contracts and builds."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import ConfigDict, Field, StringConstraints

from forgeguard_app.web.api.models import PlaceError, Shown, ShownLines, Text
from forgeguard_app.web.api.operations import ApiResponse, Strict

MAX_CONTENT_CHARS = 200_000
NoNul = StringConstraints(pattern=r"^[^\x00]*$", max_length=MAX_CONTENT_CHARS)
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")]
Said = Annotated[str, StringConstraints(max_length=2_000, pattern=r"^[^\x00]*$")]
ProjectStatus = Literal["draft", "questionnaire", "contracts_ready", "building", "completed"]
BuildStatus = Literal["pending", "running", "awaiting_approval", "completed", "failed", "cancelled"]
Commit = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]
Kind = Literal[
    "blueprint",
    "manifesto",
    "stack",
    "schema",
    "physics",
    "boundaries",
    "phases",
    "ui",
    "builder_contract",
    "builder_directive",
]


class NewProject(Strict):
    """A project to be made; `repo_id` a guarded repository that you may write to."""

    name: Name
    description: Said | None = None
    repo_id: UUID | None = None


class ProjectChange(Strict):
    """Changed fields of a project; fields that are left out stay, `repo_id` null for no repository."""

    name: Name | None = None
    description: Said | None = None
    repo_id: UUID | None = None


class Project(ApiResponse):
    """A project."""

    id: UUID
    name: str
    description: str | None
    status: ProjectStatus
    repo_id: UUID | None
    repository: str | None
    github_login: str
    created_at: datetime
    updated_at: datetime


class Projects(ApiResponse):
    """A page of them; `next` is the cursor of the next page."""

    items: list[Project]
    next: str | None


class Column(ApiResponse):
    """A column of a table."""

    key: str
    title: str
    required: bool
    choices: list[str]


class Question(ApiResponse):
    """A question with its answer, or what is proposed where there is none."""

    key: str
    title: str
    kind: Literal["text", "choice", "list", "table", "layers"]
    help: str
    required: bool
    choices: list[str]
    columns: list[Column]
    answer: Any
    proposal: Any


class Section(ApiResponse):
    """Questions of one subject."""

    key: str
    title: str
    answered: int
    questions: list[Question]


class Questionnaire(ApiResponse):
    """The sections; `missing` are the required questions without an answer, `changes` the contracts that would read
    differently now.
    """

    sections: list[Section]
    missing: list[str]
    problems: list[PlaceError]
    changes: list[Kind]


class NewAnswers(Strict):
    """Answers by `section.question`; an empty one takes the answer back. The right ones are kept, the others told."""

    answers: Annotated[dict[Text, str | list[str] | list[dict[str, str]]], Field(max_length=100)]


class ContractBrief(ApiResponse):
    """A contract without its text; `edited_by` null where it was written from the answers."""

    contract_type: Kind
    version: int
    edited_by: str | None
    updated_at: datetime


class Contract(ContractBrief):
    """A contract."""

    content: str


class Contracts(ApiResponse):
    """A list of written contracts."""

    items: list[ContractBrief]


class WriteContracts(Strict):
    """Which to write from the answers; without `types` all that nobody edited by hand."""

    types: Annotated[list[Kind], Field(max_length=10)] | None = None


class Written(ApiResponse):
    """Those that say something else now."""

    written: list[Kind]


class ContractEdit(Strict):
    """A contract's new text, and the version that it was made from."""

    model_config = ConfigDict(extra="forbid", str_max_length=MAX_CONTENT_CHARS)

    content: Annotated[str, NoNul]
    version: Annotated[int, Field(ge=1, le=1_000_000_000)]


class CheckAudit(ApiResponse):
    """The result of one check for a phase."""

    result: Literal["PASS", "FAIL", "WARN", "ERROR"]
    findings: int


class Phase(ApiResponse):
    """A phase of a build."""

    number: int
    name: str
    status: BuildStatus
    loops: int
    commit_sha: str | None
    audit: dict[str, CheckAudit] | None
    started_at: datetime | None
    completed_at: datetime | None


class BuildBrief(ApiResponse):
    """A build in a list."""

    id: UUID
    project_id: UUID
    status: BuildStatus
    phase: str
    loop_count: int
    builder: str
    github_login: str | None
    created_at: datetime
    started_at: datetime | None
    completed_at: datetime | None
    error_detail: ShownLines | None
    pull_url: str | None


class Change(ApiResponse):
    """A file that decides verdicts or runs in CI, and how the builder changed it; secrets are masked."""

    path: str
    kind: Literal["added", "changed", "deleted"]
    difference: str


class Review(ApiResponse):
    """Changes that a person is asked to approve before they are pushed."""

    commit_sha: str
    waiting_since: datetime
    changes: list[Change]


class Approval(Strict):
    """The commit of the build's `review` whose changes are approved."""

    commit_sha: Commit


class HandBack(Strict):
    """The commit of the build's `review`, and what the builder is told about its changes."""

    commit_sha: Commit
    reason: Said = ""


class Build(BuildBrief):
    """A build with its phases; `review` is null unless it waits for an approval."""

    branch: Shown | None
    base_sha: str | None
    head_sha: str | None
    phases: list[Phase]
    review: Review | None


class Builds(ApiResponse):
    """A page of them, the newest first."""

    items: list[BuildBrief]
    next: str | None


class LogsQuery(Strict):
    """A page of a log."""

    cursor: Annotated[str | None, Field(description="`next` of the page before.", max_length=400)] = None
    limit: Annotated[int, Field(description="How many at the most.", ge=1, le=1_000)] = 200


class LogLine(ApiResponse):
    """A line of a build's log; its secrets are masked."""

    number: int
    timestamp: datetime
    source: Literal["builder", "audit", "system"]
    level: Literal["debug", "info", "warn", "error"]
    message: str


class Logs(ApiResponse):
    """A page of a log in its order; `next` is given as long as there is or may be more."""

    items: list[LogLine]
    next: str | None
