"""GitHub's own log of the App's webhook deliveries."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog

from forgeguard_app.github.app_access import AppAccess
from forgeguard_app.github.client import GitHubUnavailable

# GitHub delivers payloads of up to 25 MB; its log may escape characters in them, and adds headers and our answer.
# https://docs.github.com/en/webhooks/webhook-events-and-payloads#payload-cap
MAX_DETAIL_BYTES = 64 << 20
NEWEST = "/app/hook/deliveries?per_page=100"
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver; attempts of one delivery share its `guid`."""

    id: int
    guid: str
    event: str
    delivered_at: datetime
    redelivery: bool
    installation_id: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptPage:
    """One page of the log, the newest attempt first; `next_path` asks for the next one, None for the last."""

    attempts: list[Attempt]
    next_path: str | None


async def read_page(app: AppAccess, path: str = NEWEST) -> AttemptPage:
    """Return a page of at most 100 attempts; the log has no payloads. An entry that is not whole is left out.

    Raises:
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub is away, or its limit is reached.
    """
    page = await app.ask_page(path)
    return AttemptPage([attempt for item in page.items if (attempt := _read(item)) is not None], page.next_path)


def _read(item: Any) -> Attempt | None:
    """Return the entry; None for one that is not whole: one entry must not hide all the others."""
    try:
        at = datetime.fromisoformat(item["delivered_at"].replace("Z", "+00:00"))
        installation = item.get("installation_id")
        return Attempt(
            id=int(item["id"]),
            guid=str(item["guid"]),
            event=str(item["event"]),
            delivered_at=at,
            redelivery=bool(item["redelivery"]),
            installation_id=None if installation is None else int(installation),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        log.warning("deliveries.entry_unread", entry=str(item))
        return None


async def ask_again(app: AppAccess, attempt_id: int) -> None:
    """Have GitHub deliver once more, under the same guid."""
    await app.ask("POST", f"/app/hook/deliveries/{attempt_id}/attempts")


async def get_payload(app: AppAccess, attempt_id: int) -> bytes:
    """Return the body of a delivery, from the log.

    Raises:
        GitHubUnavailable: GitHub is away, or its log does not hold the body at present.
        RequestRejected: GitHub refuses the request.
        RetryLater: GitHub's limit is reached.
    """
    detail = await app.ask("GET", f"/app/hook/deliveries/{attempt_id}", max_bytes=MAX_DETAIL_BYTES)
    request = detail.get("request") if isinstance(detail, dict) else None
    payload = request.get("payload") if isinstance(request, dict) else None
    if not isinstance(payload, dict):
        raise GitHubUnavailable("GitHub's delivery log does not hold the payload", answered=True)
    return json.dumps(payload).encode()
