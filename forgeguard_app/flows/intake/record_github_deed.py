"""Writes what a person did at GitHub into the audit log, in the transaction of its delivery."""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.github import events
from forgeguard_app.github.events import clean_text
from forgeguard_app.store.audit_log import AuditLogEntry, insert_entry
from forgeguard_app.store.pool import Connection

MAX_LOGIN_CHARS = 200
_INSTALLATION = {
    "created": "App installed",
    "deleted": "App uninstalled",
    "suspend": "App suspended",
    "unsuspend": "App unsuspended",
    "new_permissions_accepted": "permissions accepted",
}
_REPOSITORIES = {"added": "repositories added", "removed": "repositories removed"}


async def record_rerun(connection: Connection, sender: events.Account | None, repo_id: UUID, sha: str) -> None:
    """Note a re-run that somebody asked for on GitHub's pages."""
    await _note(connection, "re-run", sender, f"GitHub, commit {sha}", {"repo_id": repo_id})


async def record_account_event(connection: Connection, event: object) -> None:
    """Note what became of an installation, its repositories, or a person's authorization; other events are none of
    it.
    """
    match event:
        case events.InstallationEvent() if event.action in _INSTALLATION:
            await _note(connection, _INSTALLATION[event.action], event.sender, _subject(event.installation), {})
        case events.InstallationRepositoriesEvent() if event.action in _REPOSITORIES:
            number = len(event.repositories_added) + len(event.repositories_removed)
            subject = f"{_subject(event.installation)}, {number} of them"
            await _note(connection, _REPOSITORIES[event.action], event.sender, subject, {})
        case events.AuthorizationEvent() if event.action == "revoked":
            await _note(connection, "authorization revoked", event.sender, "GitHub", {})
        case _:
            return


def _subject(installation: events.Installation) -> str:
    account = clean_text(installation.account.login, MAX_LOGIN_CHARS) if installation.account else ""
    return f"GitHub, installation {installation.id} of {account or 'an account'}"


async def _note(
    connection: Connection, deed: str, sender: events.Account | None, subject: str, names: dict[str, UUID]
) -> None:
    login = clean_text(sender.login, MAX_LOGIN_CHARS) if sender else None
    entry = AuditLogEntry(deed, "done", sender.id if sender else None, login, "github", subject, names)
    await insert_entry(connection, entry)
