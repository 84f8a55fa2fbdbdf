"""Statements that the database gives up, as at a deadlock; for databases of a test's own, since triggers stay."""

from __future__ import annotations

from forgeguard_app.store.pool import Connection


async def refuse(connection: Connection, deed: str, table: str, condition: str = "true") -> None:
    """Let every INSERT, UPDATE or DELETE of rows for which the condition holds end as a deadlock does."""
    name = f"refuse_{deed}_{table}".lower()
    await connection.execute(
        f"""
        CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01';
        END $$;
        CREATE TRIGGER {name} BEFORE {deed} ON {table} FOR EACH ROW WHEN ({condition}) EXECUTE FUNCTION {name}();
        """
    )


async def admit(connection: Connection, deed: str, table: str) -> None:
    """Let what `refuse` refused take place again."""
    name = f"refuse_{deed}_{table}".lower()
    await connection.execute(f"DROP TRIGGER {name} ON {table}; DROP FUNCTION {name}()")
