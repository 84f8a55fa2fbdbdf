"""One audit with its checks and findings: for those who see the repository, and behind its signed link."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from aiohttp import web

from forgeguard_app.audit.check_kinds import CheckKind, kind_of
from forgeguard_app.audit.checks import CHECKS
from forgeguard_app.audit.counts import FindingGroup
from forgeguard_app.audit.model import CheckCode
from forgeguard_app.audit.secrets.revocation import Revocation, revocation_of
from forgeguard_app.errors import UserError
from forgeguard_app.flows.intake.rerun_audit import TooManyReruns, rerun_audit
from forgeguard_app.flows.intake.rerun_budget import MAX_WAIT
from forgeguard_app.flows.people.repo_access import AccessLevel
from forgeguard_app.store.audit_findings import StoredCheck, list_checks
from forgeguard_app.store.audits import AuditRun, find_newer_run
from forgeguard_app.store.findings import ShownFinding, list_parts
from forgeguard_app.store.leaked_secrets import LeakedSecret, list_leaked_in
from forgeguard_app.store.pool import Connection
from forgeguard_app.store.reruns import find_due, find_request_refused
from forgeguard_app.store.storage import find_deleted
from forgeguard_app.web.access import id_of, open_audit
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import get_person, read_form
from forgeguard_app.web.states import ShownState, states_of
from forgeguard_app.web.subjects import Subject, SubjectKind, find_version, is_signature
from forgeguard_app.web.texts import first_line

MAX_SHOWN = 300  # findings of a check: more make the page slow, and nobody reads them
MAX_LEAKED = 20  # verified secrets named in the banner
TITLES = {
    FindingGroup.PROBLEM: "Configuration problems",
    FindingGroup.NEW: "New",
    FindingGroup.EXISTING: "Existing",
    FindingGroup.ALLOWED: "Allowed",
    FindingGroup.NOTICE: "Notices",
}


@dataclass(frozen=True, slots=True)
class Window:
    """The shown part of a large audit: the first findings of every check, or a later page of one."""

    check_code: str | None
    number: int

    @property
    def query(self) -> str:
        """The end of the address that asks for it."""
        return "" if self.check_code is None else f"?check={self.check_code}&page={self.number}"

    @property
    def offset(self) -> int:
        """Return how many findings come before the window."""
        return (self.number - 1) * MAX_SHOWN


def _window(request: web.Request) -> Window:
    code, number = request.query.get("check", ""), request.query.get("page", "")
    if code not in tuple(CheckCode):
        return Window(None, 1)
    return Window(code, max(int(number), 1) if number.isascii() and number.isdigit() and len(number) < 5 else 1)


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one rule; `total` counts all that the check has, None where that was not kept."""

    rule: str
    total: int | None
    findings: list[ShownFinding]


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A part of a check's findings: all that there are, and those of this window by rule."""

    part: FindingGroup
    title: str
    total: int
    groups: list[Group]

    @property
    def shown(self) -> int:
        """The number of findings in this window."""
        return sum(len(group.findings) for group in self.groups)


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check as the page shows it; `hidden` says that existing secrets are counted and not listed."""

    kind: CheckKind
    code: str
    name: str
    state: ShownState
    summary: str
    parts: list[ShownPart]
    total: int
    kept: int
    first: int
    last: int
    earlier: int | None
    later: int | None
    hidden: bool


@dataclass(frozen=True, slots=True)
class Leak:
    """A verified secret, and how it is revoked."""

    secret: LeakedSecret
    revocation: Revocation


@dataclass(frozen=True, slots=True)
class RefusedForm:
    """A form of the page that was refused: why, and what it held."""

    why: UserError
    typed: Mapping[str, str]

    def is_about(self, code: str, fingerprint: str) -> bool:
        """Return whether the form is that of a finding."""
        return (code, fingerprint) == (self.typed.get("check_code"), self.typed.get("fingerprint"))

    def stands_beside(self, checks: Iterable[ShownCheck]) -> bool:
        """Return whether the form's finding is among those that can be allowed on the page."""
        return any(
            self.is_about(check.code, finding.fingerprint)
            for check in checks
            for part in check.parts
            if part.part in (FindingGroup.NEW, FindingGroup.EXISTING)
            for group in part.groups
            for finding in group.findings
            if finding.is_counted
        )


async def show_audit(request: web.Request) -> web.Response:
    """Show the audit; people who may not see it learn nothing of it."""
    return await audit_page(request)


async def audit_page(request: web.Request, refused: RefusedForm | None = None) -> web.Response:
    """Return the audit's page; `refused` is a form of it that was not accepted, shown again as it was typed."""
    run_id, signature = id_of(request, "run_id"), request.query.get("signature", "")
    subject = Subject(SubjectKind.AUDIT, run_id, signature if is_signature(signature) else "")
    async with request.app[CONTEXT].pool.acquire() as connection:
        version = await find_version(connection, subject)  # before the rows: what changes in between is not missed
    run, view = await open_audit(request, run_id)
    window = _window(request)
    async with request.app[CONTEXT].pool.acquire() as connection:
        newer = await find_newer_run(connection, run)
        deleted = await find_deleted(connection, run.id)
        deferred_until = await find_due(connection, run.repo_id, run.commit_sha)
        request_refused_at = await find_request_refused(connection, run.id)
        state = (await states_of(connection, [run.id]))[run.id]
        checks = await _shown_checks(connection, run, state, window, secrets=view.may_write)
        leaked = await list_leaked_in(connection, run.id, secrets=view.may_write, most=MAX_LEAKED)
    return await page(
        request,
        "audit.html",
        status=400 if refused else 200,
        refused=refused,
        is_beside=refused is not None and view.may_write and refused.stands_beside(checks),
        updates_from=f"/audits/{run.id}{window.query}" if refused else "",
        run=run,
        repo=view.repo,
        state_of_run=state,
        checks=checks,
        leaks_found=leaks_of(leaked),
        may_write=view.may_write,
        # A signed link may be passed on: it opens the verdict, not the source of a private repository.
        shows_source=not view.repo.private or view.level >= AccessLevel.READ,
        newer=newer,
        window=window,
        records=CHECKS,
        deferred_until=deferred_until,
        deleted=deleted,
        request_refused_at=request_refused_at,
        refused_beyond_h=MAX_WAIT // timedelta(hours=1),
        signature=f"?signature={subject.signature}" if subject.signature else "",
        subject=subject,
        version=version,
        subject_line=first_line(run.commit_message) or f"Commit {run.commit_sha[:10]}",
    )


async def _shown_checks(
    connection: Connection, run: AuditRun, state: ShownState, window: Window, *, secrets: bool
) -> list[ShownCheck]:
    """Return the checks within the window; `secrets` says whether existing ones are part of it."""
    shown = []
    for check in await list_checks(connection, run.id):
        code = check.check_code
        if window.check_code in (None, code):
            parts = await list_parts(
                connection, run.id, code, secrets=secrets, most=MAX_SHOWN + 1, offset=window.offset
            )
            shown.append(_shown(check, state.checks[code], window, parts, secrets))
    return shown


def leaks_of(secrets: Iterable[LeakedSecret]) -> list[Leak]:
    """Return the secrets with how each is revoked."""
    return [Leak(secret, revocation_of(secret.rule)) for secret in secrets]


async def rerun(request: web.Request) -> web.StreamResponse:
    """Audit the head once more."""
    await read_form(request)
    run, _ = await open_audit(request, id_of(request, "run_id"), AccessLevel.WRITE)
    person = await get_person(request)
    try:
        again = await rerun_audit(request.app[CONTEXT].pool, run, person.github_id)
    except TooManyReruns as error:
        raise web.HTTPTooManyRequests(reason=str(error), headers={"Retry-After": str(error.again_s)}) from None
    return see_other(f"/audits/{again}")


def _shown(
    check: StoredCheck, state: ShownState, window: Window, found: list[ShownFinding], may_write: bool
) -> ShownCheck:
    cut, found = len(found) > MAX_SHOWN, found[:MAX_SHOWN]
    counts = check.counts
    totals = {part: getattr(counts, part.value) for part in FindingGroup}
    parts = [
        ShownPart(
            part, title, totals[part], _groups([finding for finding in found if finding.part == part], check, part)
        )
        for part, title in TITLES.items()
        if totals[part]
    ]
    kind = kind_of(check.check_code)
    return ShownCheck(
        kind,
        check.check_code,
        check.check_name,
        state,
        check.detail or check.title,
        parts,
        counts.total,
        check.kept_count,
        window.offset + 1,
        window.offset + len(found),
        window.number - 1 or None,
        window.number + 1 if cut else None,
        kind.existing_for_writers and counts.existing > 0 and not may_write,
    )


def _groups(findings: list[ShownFinding], check: StoredCheck, part: FindingGroup) -> list[Group]:
    places = {rule: number for number, rule in enumerate(dict.fromkeys(finding.rule for finding in findings))}
    ordered = sorted(findings, key=lambda finding: places[finding.rule])  # the rule of the worst finding comes first
    totals = check.counts.rules.get(part, {})
    return [
        Group(rule, totals.get(rule), list(group)) for rule, group in groupby(ordered, key=lambda finding: finding.rule)
    ]
