"""Seals everything that is stored under a secret key again under the first one, so that the others can be dropped."""

from __future__ import annotations

from dataclasses import dataclass, replace

from forgeguard_app.flows.context.web_context import Keys
from forgeguard_app.store.credentials import find_app, set_app_secrets
from forgeguard_app.store.kept_forms import list_sealed_forms, set_sealed_form
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.users import SealedPerson, list_sealed, set_sealed
from forgeguard_app.vault import Sealer

BATCH = 500


@dataclass(frozen=True, slots=True)
class Rotated:
    """The number of values that were sealed again, and of those that no configured key opens."""

    sealed: int = 0
    unopened: int = 0

    def __add__(self, other: Rotated) -> Rotated:
        return Rotated(self.sealed + other.sealed, self.unopened + other.unopened)


async def rotate_key(pool: Pool, keys: Keys) -> Rotated:
    """Seal the App's credentials, people's tokens and kept forms under the first key.

    What no key opens stays as it is. Running twice, or beside servers and workers, is safe.
    """
    return await _credentials(pool, keys.credentials) + await _people(pool, keys.tokens) + await _forms(pool, keys)


def _again(sealer: Sealer, sealed: str) -> tuple[str, Rotated]:
    text = sealer.open(sealed)
    return (sealed, Rotated(unopened=1)) if text is None else (sealer.seal(text), Rotated(sealed=1))


async def _credentials(pool: Pool, sealer: Sealer) -> Rotated:
    async with pool.acquire() as connection, connection.transaction():
        app = await find_app(connection, lock=True)
        if app is None:
            return Rotated()
        secret, secret_count = _again(sealer, app.client_secret)
        key, key_count = _again(sealer, app.private_key)
        webhook, webhook_count = _again(sealer, app.webhook_secret)
        await set_app_secrets(connection, replace(app, client_secret=secret, private_key=key, webhook_secret=webhook))
    return secret_count + key_count + webhook_count


async def _people(pool: Pool, sealer: Sealer) -> Rotated:
    """Batch by batch, each row held, so that a token that is renewed meanwhile is not overwritten."""
    done, after = Rotated(), None
    while True:
        async with pool.acquire() as connection, connection.transaction():
            people = await list_sealed(connection, after, BATCH)
            for person in people:
                access, access_count = _again(sealer, person.access_token) if person.access_token else (None, Rotated())
                refresh, refresh_count = (
                    _again(sealer, person.refresh_token) if person.refresh_token else (None, Rotated())
                )
                await set_sealed(connection, SealedPerson(person.id, access, refresh))
                done += access_count + refresh_count
        if not people:
            return done
        after = people[-1].id


async def _forms(pool: Pool, keys: Keys) -> Rotated:
    done = Rotated()
    async with pool.acquire() as connection, connection.transaction():
        for form_id, content in await list_sealed_forms(connection):
            sealed, count = _again(keys.forms_kept, content)
            await set_sealed_form(connection, form_id, sealed)
            done += count
    return done
