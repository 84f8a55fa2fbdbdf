"""Which repositories are compared with GitHub next."""

from __future__ import annotations

from forgeguard_app.store.pool import Pool
from forgeguard_app.store.repos import claim_unchecked


async def test_an_account_with_many_repositories_delays_no_other_account_s_heads(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await connection.execute(
            """
            INSERT INTO installations (github_installation_id, account_login, account_type)
            VALUES (1, 'many', 'Organization'), (2, 'few', 'Organization');
            INSERT INTO repos (github_repo_id, full_name, installation_id, heads_checked_at)
            SELECT n, 'many/' || n, i.id, CASE WHEN n > 1 THEN now() - interval '9 hours' END
            FROM installations i, generate_series(1, 20) n WHERE i.account_login = 'many';
            INSERT INTO repos (github_repo_id, full_name, installation_id, heads_checked_at)
            SELECT 100 + n, 'few/' || n, i.id, now() - interval '2 hours'
            FROM installations i, generate_series(1, 2) n WHERE i.account_login = 'few';
            """
        )
        claimed = [await claim_unchecked(connection, 3_600, 4) for _ in range(6)]
        names = [
            {
                row["full_name"]
                for row in await connection.fetch("SELECT full_name FROM repos WHERE id = ANY($1::uuid[])", ids)
            }
            for ids in claimed
        ]
    assert {"many/1", "few/1", "few/2"} < names[0], "the longest waiting of each account"
    assert [len(taken) for taken in names] == [4, 4, 4, 4, 4, 2], "everything is looked at once"
    assert len(set().union(*names)) == 22
