"""Quotas in bytes of a person, project, repository and installation; the oldest data beyond a quota is deleted
first.
"""

from __future__ import annotations

from dataclasses import dataclass

MEGABYTE, GIGABYTE = 1 << 20, 1 << 30


@dataclass(frozen=True, slots=True)
class Quotas:
    """The bounds, in bytes.

    `contracts_of_person` bounds the present texts, which nothing deletes: more are refused. Of these, others than the
    projects' creator may have written `contracts_of_others`, so that they leave room to the creator.
    `pending_trials_of_person` bounds the contents of trials that have not ended, in the same way.
    """

    contracts_of_person: int = 64 * MEGABYTE
    contracts_of_others: int = 32 * MEGABYTE
    versions_of_person: int = 256 * MEGABYTE
    logs_of_project: int = 200 * MEGABYTE
    logs_of_person: int = GIGABYTE
    excerpts_of_repository: int = 128 * MEGABYTE
    excerpts_of_installation: int = 2 * GIGABYTE
    findings_of_repository: int = 128 * MEGABYTE
    findings_of_installation: int = 2 * GIGABYTE
    trials_of_person: int = 16 * MEGABYTE
    pending_trials_of_person: int = 8 * MEGABYTE
    mirrors_of_installation: int = 25 * GIGABYTE


QUOTAS = Quotas()
