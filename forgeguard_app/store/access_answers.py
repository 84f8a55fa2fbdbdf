"""GitHub's answers about a person's access, kept with their ETags."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from forgeguard_app.store.pool import Connection

MAX_ANSWERS = 300  # of one person; what is beyond is asked without a condition


@dataclass(frozen=True, slots=True)
class AccessAnswer:
    """One page of a list."""

    etag: str
    content: dict[str, Any]
    next_url: str | None


async def list_answers(connection: Connection, user_id: UUID) -> dict[str, AccessAnswer]:
    """Return the person's kept answers by URL."""
    rows = await connection.fetch("SELECT url, etag, content, next_url FROM access_answers WHERE user_id = $1", user_id)
    return {row["url"]: AccessAnswer(row["etag"], json.loads(row["content"]), row["next_url"]) for row in rows}


async def set_answers(
    connection: Connection, user_id: UUID, changed: Mapping[str, AccessAnswer], used: Collection[str]
) -> None:
    """Keep the changed answers and delete those that are not used any more. Wants a transaction."""
    await connection.execute(
        "DELETE FROM access_answers WHERE user_id = $1 AND NOT url = ANY($2::text[])", user_id, list(used)
    )
    kept = list(changed.items())[:MAX_ANSWERS]
    await connection.execute(
        """
        INSERT INTO access_answers (user_id, url, etag, content, next_url)
        SELECT $1, * FROM unnest($2::text[], $3::text[], $4::jsonb[], $5::text[])
        ON CONFLICT (user_id, url) DO UPDATE SET etag = excluded.etag, content = excluded.content,
            next_url = excluded.next_url
        """,
        user_id,
        [url for url, _ in kept],
        [answer.etag for _, answer in kept],
        [json.dumps(answer.content) for _, answer in kept],
        [answer.next_url for _, answer in kept],
    )
    await connection.execute(
        "DELETE FROM access_answers WHERE id IN (SELECT id FROM access_answers WHERE user_id = $1 ORDER BY "
        "url OFFSET $2)",
        user_id,
        MAX_ANSWERS,
    )
