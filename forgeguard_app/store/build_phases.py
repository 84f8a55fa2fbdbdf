"""Phases of builds."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection
from forgeguard_app.store.states import BuildStatus


@dataclass(frozen=True, slots=True)
class BuildPhase:
    """One phase of a build; `audit` is its last audit's results by check."""

    number: int
    name: str
    status: BuildStatus
    loops: int
    commit_sha: str | None
    audit: Mapping[str, Any] | None
    started_at: datetime | None
    completed_at: datetime | None


async def list_phases(connection: Connection, build_id: UUID) -> list[BuildPhase]:
    """Return a build's phases in their order."""
    rows = await connection.fetch(
        """
        SELECT number, name, status, loops, commit_sha, audit, started_at, completed_at FROM build_phases
        WHERE build_id = $1 ORDER BY number
        """,
        build_id,
    )
    return [
        BuildPhase(
            **{**row, "status": BuildStatus(row["status"]), "audit": json.loads(row["audit"]) if row["audit"] else None}
        )
        for row in rows
    ]
