"""Signed links to audits, for servers on which nobody can sign in: they end by time, and when the repository becomes private."""

from __future__ import annotations

import time
from datetime import timedelta
from uuid import UUID

from forgeguard_app.store.audits import Run
from forgeguard_app.store.repos import Repo
from forgeguard_app.vault import Signer

LIFE = timedelta(days=30)
MAX_EXPIRY_CHARS = 12


def sign_audit(links: Signer, run: Run, repo: Repo) -> str:
    """Return the signature that opens the run's page for 30 days after the run was created."""
    expires = int((run.created_at + LIFE).timestamp())
    return f"{expires}.{links.sign(_signed(run.id, repo, expires))}"


def opens_audit(links: Signer, run_id: UUID, repo: Repo, signature: str) -> bool:
    """Return whether the signature opens the run's page now."""
    expiry, _, mark = signature.partition(".")
    if not (expiry.isascii() and expiry.isdigit() and len(expiry) <= MAX_EXPIRY_CHARS):
        return False
    return links.holds(_signed(run_id, repo, int(expiry)), mark) and time.time() < int(expiry)


def _signed(run_id: UUID, repo: Repo, expires: int) -> str:
    return f"audit/{run_id}/{repo.link_generation}/{expires}"
