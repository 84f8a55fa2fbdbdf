"""What the flows are given: the outsides, already opened."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from forgeguard_app.github.client import Client
from forgeguard_app.github.tokens import Tokens
from forgeguard_app.judging.judge import Judge
from forgeguard_app.store.pool import Pool
from forgeguard_app.vault import Signer


@dataclass(frozen=True)
class Context:
    """The database, GitHub, the judge, and where things are; `quick_s` is how long an audit goes unannounced."""

    pool: Pool
    client: Client
    tokens: Tokens
    judge: Judge
    home: Path
    github_url: str
    address: str
    links: Signer
    quick_s: float = 2.0

    def audit_link(self, run_id: UUID) -> str:
        """The address of a run's page, signed, so that whoever sees the check run can follow it."""
        return f"{self.address}/audits/{run_id}?signature={self.links.sign(f'audit/{run_id}')}"
