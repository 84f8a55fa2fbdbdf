"""Requests and answers of the API."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from forgeguard_app.audit.masked_text import shown, shown_lines
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.web.api.operations import ApiResponse, Strict

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$", max_length=300)]
# What a stranger named or wrote: secrets are masked, and characters that act are escaped.
Shown = Annotated[str, AfterValidator(shown)]
ShownLines = Annotated[str, AfterValidator(shown_lines)]
if TYPE_CHECKING:
    Code = str
else:  # written out by the table of codes, so that the document lists them where they stand
    Code = Literal[tuple(str(code) for code in CheckCode)]
Result = Literal["PASS", "FAIL", "ERROR"]
State = Literal[
    "passed",
    "partly",
    "warned",
    "leaked",
    "failed",
    "error",
    "nothing",
    "disabled",
    "running",
    "starting",
    "queued",
    "retrying",
    "limited",
    "suspended",
    "no_worker",
    "uninstalled",
    "cancelled",
    "empty",
    "never",
]
Level = Literal["public", "read", "write", "admin"]


class PageQuery(Strict):
    """A page of a list."""

    cursor: Annotated[str | None, Field(description="`next` of the page before.", max_length=400)] = None
    limit: Annotated[int, Field(description="How many at the most.", ge=1, le=100)] = 30


class AuditsQuery(PageQuery):
    """A page of a repository's audits, filtered."""

    branch: Annotated[Text | None, Field(description="Audits of this branch.")] = None
    result: Annotated[
        Literal["PASS", "FAIL", "ERROR", "WAITING"] | None, Field(description="Audits that came to this.")
    ] = None
    state: Annotated[
        Literal[
            "passed", "partly", "warned", "leaked", "failed", "error", "nothing", "disabled", "waiting", "cancelled"
        ]
        | None,
        Field(description="Audits that are shown in this state."),
    ] = None
    author: Annotated[Text | None, Field(description="Audits of commits by this author.")] = None


class FindingsQuery(PageQuery):
    """A page of an audit's findings."""

    check_code: Annotated[Code | None, Field(description="Findings of this check.")] = None


class Me(ApiResponse):
    """The person of the token."""

    id: UUID
    github_id: int
    github_login: str
    scope: Literal["read", "write"]


class Installation(ApiResponse):
    """An account on which the App is installed."""

    id: UUID
    github_installation_id: int
    account_login: str
    account_type: str
    status: str
    repositories: int
    failing: int
    warning: int
    waiting: int


class Installations(ApiResponse):
    """A page of them; `next` is the cursor of the next page."""

    items: list[Installation]
    next: str | None


class Health(ApiResponse):
    """The number of recent audits that passed."""

    passed: int
    judged: int


class RunBrief(ApiResponse):
    """An audit in short."""

    id: UUID
    commit_sha: str
    status: str
    overall_result: Result | None
    state: State
    state_reason: str
    created_at: datetime


class Repository(ApiResponse):
    """A guarded repository, as the one who asks sees it; `state` is that of its default branch."""

    id: UUID
    github_repo_id: int
    full_name: str
    default_branch: Shown
    private: bool
    level: Level
    state: State
    state_reason: str
    health: Health | None
    newest: RunBrief | None


class Repositories(ApiResponse):
    """A page of them."""

    items: list[Repository]
    next: str | None


class AuditEntry(ApiResponse):
    """An audit in a list; `state` says more exactly than `overall_result` what it came to, or why it waits."""

    id: UUID
    commit_sha: str
    commit_message: ShownLines | None
    commit_author: Shown | None
    branch: Shown | None
    trigger: str
    status: str
    overall_result: Result | None
    state: State
    state_reason: str
    files_checked: int | None
    created_at: datetime
    completed_at: datetime | None


class Audits(ApiResponse):
    """A page of audits, the newest first."""

    items: list[AuditEntry]
    next: str | None


class Check(ApiResponse):
    """One check's verdict.

    `findings` counts all findings; each is counted in exactly one of `new`, `existing`, `allowed`, `notices` and
    `problems` (errors in configuration files). `kept` of them are listed. `verified` counts the verified secrets
    among the new and existing ones.
    """

    check_code: Code
    check_name: str
    result: Literal["PASS", "FAIL", "WARN", "ERROR"]
    conclusion: str
    title: str
    detail: str | None
    state: State
    findings: int
    new: int
    existing: int
    allowed: int
    notices: int
    problems: int
    verified: int
    kept: int


class Audit(AuditEntry):
    """One audit with its verdict."""

    repository: str
    repo_id: UUID
    base_sha: str | None
    error_detail: ShownLines | None
    published_at: datetime | None
    publish_error: Shown | None
    checks: list[Check]
    findings_deleted_at: Annotated[
        datetime | None, Field(description="When the findings were deleted because of a quota; their counts stay.")
    ]


class Finding(ApiResponse):
    """One finding; nothing secret stands in it."""

    check_code: Code
    path: Shown
    line: int
    end_line: int
    column: int
    rule: str
    message: str
    level: Literal["failure", "warning", "notice"]
    part: Literal["new", "existing", "allowed", "notice", "problem"]
    verified: bool
    new: bool
    counted: bool
    commit: str | None
    fingerprint: str


class Findings(ApiResponse):
    """A page of findings, in their stable order."""

    items: list[Finding]
    next: str | None
    findings_deleted_at: Annotated[
        datetime | None, Field(description="When they were deleted because of a quota, so that there are none.")
    ]


class Rerun(ApiResponse):
    """The audit that answers the request."""

    id: UUID


class Token(ApiResponse):
    """A personal API token; `value` is given once, when it is made."""

    id: UUID
    name: str
    scope: Literal["read", "write"]
    created_at: datetime
    used_at: datetime | None
    expires_at: datetime
    value: str | None = None


class Tokens(ApiResponse):
    """A list of tokens."""

    items: list[Token]


class NewToken(Strict):
    """A token to be made."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*\S[^\x00]*$")]
    scope: Literal["read", "write"] = "read"
    days: Annotated[int, Field(ge=1, le=365)] = 90


class AllowancesQuery(PageQuery):
    """A page of a repository's allowances."""

    repo_id: Annotated[UUID, Field(description="Of this repository.")]


class Allowance(ApiResponse):
    """A finding that somebody allowed; in force while `ended_at` is null."""

    id: UUID
    repo_id: UUID
    check_code: Code
    fingerprint: str
    rule: str
    path: Shown
    reason: str
    github_login: str
    created_at: datetime
    expires_at: datetime | None
    ended_at: datetime | None


class Allowances(ApiResponse):
    """A page of them, the newest first."""

    items: list[Allowance]
    next: str | None


class NewAllowance(Strict):
    """A finding to be allowed; without `days` there is no end."""

    audit_id: UUID
    check_code: Code
    fingerprint: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^\x00]*$")]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$")]
    days: Annotated[int, Field(ge=1, le=3650)] | None = None


class PlaceError(ApiResponse):
    """An error and its place."""

    place: str
    message: str


class Problem(ApiResponse):
    """RFC 9457."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[PlaceError] | None = None
