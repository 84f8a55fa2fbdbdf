"""Errors that are kept for a page quote others: GitHub, git, addresses. They pass the gate before they are stored."""

from __future__ import annotations

import random
import uuid

import pytest

from forgeguard_app.store.audits import set_publish_error
from forgeguard_app.store.builds import set_build_ended
from forgeguard_app.store.news import set_notified
from forgeguard_app.store.pool import Connection, Pool
from forgeguard_app.store.trials import set_trial_failed
from tests.support.planted import plant, remains

KEY = uuid.uuid4()
_ROWS = f"""
INSERT INTO users (github_id, github_login) VALUES (1, 'mona');
INSERT INTO installations (id, github_installation_id, account_login, account_type) VALUES ('{KEY}', 3, 'o', 'User');
INSERT INTO repos (github_repo_id, full_name) VALUES (2, 'o/r');
INSERT INTO projects (user_id, name) SELECT id, 'p' FROM users;
INSERT INTO builds (id, project_id) SELECT '{KEY}', id FROM projects;
INSERT INTO trials (id, repo_id, user_id, kind) SELECT '{KEY}', r.id, u.id, 'first_rules' FROM repos r, users u;
INSERT INTO audit_runs (id, repo_id, commit_sha) SELECT '{KEY}', id, 'c' FROM repos;
"""
KEPT = ("audit_runs.publish_error", "trials.error_detail", "installations.notify_error", "builds.error_detail")


async def keep(connection: Connection, column: str, text: str) -> None:
    """Store the error as the flows do."""
    match column:
        case "audit_runs.publish_error":
            await set_publish_error(connection, KEY, text)
        case "trials.error_detail":
            await set_trial_failed(connection, KEY, text)
        case "installations.notify_error":
            await set_notified(connection, KEY, text)
        case _:
            await set_build_ended(connection, KEY, "failed", detail=text)


@pytest.mark.parametrize("column", KEPT)
async def test_an_error_that_is_kept_holds_no_value_and_no_control_character(pool: Pool, column: str) -> None:
    source = random.Random(column)
    value = "gh" + "p_" + "zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17"
    text = f"refused https://x:{plant(source)}@h.corp/ \x1b[31m\u202e {'.' * 400} {value}"
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(_ROWS)
        await keep(connection, column, text)
        table, name = column.split(".")
        kept = await connection.fetchval(f"SELECT {name} FROM {table} WHERE id = $1", KEY)
    assert not remains(value, kept)
    assert kept.startswith("refused https://x" + ":[masked]@h.corp/ \\x1b[31m\\u202e ....")
