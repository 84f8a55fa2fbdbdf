"""One audit with its checks and findings: for those who see the repository, and behind its signed link."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from aiohttp import web

from forgeguard_app.audit.model import CheckCode
from forgeguard_app.flows.know_access import Level
from forgeguard_app.flows.rerun_audit import rerun_audit
from forgeguard_app.store.audits import StoredCheck, StoredFinding, find_newest_run, list_checks, list_findings
from forgeguard_app.web.access import id_of, open_audit
from forgeguard_app.web.keys import FRONT
from forgeguard_app.web.render import page, see_other
from forgeguard_app.web.session import read_form
from forgeguard_app.web.subjects import Kind, Subject, find_version, is_signature

MAX_SHOWN = 300  # findings of a check: more make the page slow, and nobody reads them


@dataclass(frozen=True, slots=True)
class Part:
    """What of a large audit is looked at: the first findings of every check, or a later page of one."""

    check_code: str | None
    number: int

    @property
    def offset(self) -> int:
        """How many findings come before."""
        return (self.number - 1) * MAX_SHOWN


def _part(request: web.Request) -> Part:
    code, number = request.query.get("check", ""), request.query.get("page", "")
    if code not in tuple(CheckCode):
        return Part(None, 1)
    return Part(code, max(int(number), 1) if number.isascii() and number.isdigit() and len(number) < 5 else 1)


@dataclass(frozen=True, slots=True)
class Group:
    """Findings of one rule."""

    rule: str
    findings: list[StoredFinding]


@dataclass(frozen=True, slots=True)
class ShownCheck:
    """A check as the page shows it."""

    code: str
    name: str
    result: str
    said: str
    new: list[Group]
    allowed: list[Group]
    existing: list[Group]
    numbers: dict[str, int]
    first: int
    last: int
    earlier: int | None
    later: int | None
    hidden: bool


async def show_audit(request: web.Request) -> web.Response:
    """The page; whoever may not see the audit learns nothing of it."""
    run_id, signature = id_of(request, "run_id"), request.query.get("signature", "")
    subject = Subject(Kind.AUDIT, run_id, signature if is_signature(signature) else "")
    async with request.app[FRONT].pool.acquire() as connection:
        version = await find_version(connection, subject)  # before the rows: what changes in between is not missed
    run, seen = await open_audit(request, run_id)
    async with request.app[FRONT].pool.acquire() as connection:
        newest = await find_newest_run(connection, run.repo_id, run.commit_sha)
        part = _part(request)
        checks = [
            _shown(check, part, await list_findings(
                connection, run.id, check.check_code, counted=False, limit=MAX_SHOWN + 1, offset=part.offset
            ), seen.may_write)
            for check in await list_checks(connection, run.id) if part.check_code in (None, check.check_code)
        ]  # fmt: skip
    return await page(
        request,
        "audit.html",
        run=run,
        repo=seen.repo,
        checks=checks,
        may_write=seen.may_write,
        # A signed link may be passed on: it opens the verdict, not the source of a private repository.
        shows_source=not seen.repo.private or seen.level >= Level.READ,
        newer=newest.id if newest is not None and newest.created_at > run.created_at else None,
        part=part,
        signature=f"?signature={subject.signature}" if subject.signature else "",
        subject=subject,
        version=version,
    )


async def rerun(request: web.Request) -> web.StreamResponse:
    """The head is audited once more."""
    await read_form(request)
    run, _ = await open_audit(request, id_of(request, "run_id"), Level.WRITE)
    return see_other(f"/audits/{await rerun_audit(request.app[FRONT].pool, run)}")


def may_show(check_code: str, finding: StoredFinding, may_write: bool) -> bool:
    """Where an existing secret stands is for those who may write to the repository."""
    return finding.is_new or check_code != "W1" or may_write


def _shown(check: StoredCheck, part: Part, found: list[StoredFinding], may_write: bool) -> ShownCheck:
    cut, found = len(found) > MAX_SHOWN, found[:MAX_SHOWN]
    visible = [finding for finding in found if may_show(check.check_code, finding, may_write)]
    allowed = [f for f in visible if f.is_allowed]
    new = [f for f in visible if f.is_new and not f.is_allowed]
    existing = [f for f in visible if not f.is_new and not f.is_allowed]
    return ShownCheck(
        check.check_code, check.check_name, check.result, check.detail or check.title, _groups(new), _groups(allowed), _groups(existing),
        {"New": len(new), "Allowed": len(allowed), "Existing": len(existing)}, part.offset + 1, part.offset + len(found),
        part.number - 1 or None, part.number + 1 if cut else None, len(visible) < len(found),
    )  # fmt: skip


def _groups(findings: Iterable[StoredFinding]) -> list[Group]:
    """Return the findings by rule; the rule of the worst finding comes first."""
    groups: dict[str, list[StoredFinding]] = {}
    for finding in findings:
        groups.setdefault(finding.rule, []).append(finding)
    return [Group(rule, found) for rule, found in groups.items()]
