"""Gathers what the engine needs of a range, lets it judge, and gives the report."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from forgeguard_app.audit.engine import audit
from forgeguard_app.audit.model import Report
from forgeguard_app.judging.excerpts import with_excerpts
from forgeguard_app.judging.facts_cache import FactsCache
from forgeguard_app.judging.gathering import Gathering
from forgeguard_app.judging.request import Request
from forgeguard_app.judging.shown import show
from forgeguard_app.judging.source import Source


class Judge:
    """Judges ranges, remembering facts between them."""

    def __init__(self, cache: FactsCache | None = None) -> None:
        self.cache = cache or FactsCache()

    async def judge(self, source: Source, request: Request) -> Report:
        """The report on the requested range."""
        gathering = Gathering(self.cache, source, request)
        change, facts, judging = await gathering.gather()
        report = await asyncio.to_thread(audit, change, facts, judging, self.cache.memo)
        if request.describe:
            report = replace(report, configuration=await asyncio.to_thread(show, gathering, change.head, judging))
        return await with_excerpts(source, change, report) if request.excerpts else report
