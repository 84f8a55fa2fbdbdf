"""Signed links to audits, for servers on which nobody can sign in: they end by time, and when the repository becomes
private.
"""

from __future__ import annotations

from uuid import UUID

from forgeguard_app.store.audits import AuditRun
from forgeguard_app.store.repos import Repo
from forgeguard_app.vault import LINK_LIFE_S, Signer, holds_now, sign_until


def sign_audit(links: Signer, run: AuditRun, repo: Repo) -> str:
    """Return the signature that opens the run's page for 30 days after the run was created."""
    return sign_until(links, _signed(run.id, repo), int(run.created_at.timestamp()) + LINK_LIFE_S)


def opens_audit(links: Signer, run_id: UUID, repo: Repo, signature: str) -> bool:
    """Return whether the signature opens the run's page now."""
    return holds_now(links, _signed(run_id, repo), signature)


def _signed(run_id: UUID, repo: Repo) -> str:
    return f"audit/{run_id}/{repo.link_generation}"
