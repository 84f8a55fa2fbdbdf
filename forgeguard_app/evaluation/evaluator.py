"""Loads what the engine needs of a range, runs the engine, and returns the report."""

from __future__ import annotations

from dataclasses import replace

from forgeguard_app.audit.engine import audit
from forgeguard_app.audit.model import Report
from forgeguard_app.evaluation.deadline import DEFAULT_S, Deadline
from forgeguard_app.evaluation.excerpts import with_excerpts
from forgeguard_app.evaluation.facts_cache import FactsCache
from forgeguard_app.evaluation.range_loader import RangeLoader
from forgeguard_app.evaluation.request import Request
from forgeguard_app.evaluation.secret_search import MAX_TEXT_BYTES
from forgeguard_app.evaluation.shown import show
from forgeguard_app.evaluation.source import Source
from forgeguard_app.git.blobs import MAX_KEPT_BYTES
from forgeguard_app.threads import in_thread


class Evaluator:
    """Evaluates ranges, remembering facts between them."""

    def __init__(
        self,
        cache: FactsCache | None = None,
        timeout_s: float = DEFAULT_S,
        max_text_bytes: int = MAX_TEXT_BYTES,  # of one file that is searched for secrets
        max_kept_bytes: int = MAX_KEPT_BYTES,  # of the configuration and manifests of one range
    ) -> None:
        self.cache = cache or FactsCache()
        self.timeout_s, self.max_text_bytes, self.max_kept_bytes = timeout_s, max_text_bytes, max_kept_bytes

    async def evaluate(self, source: Source, request: Request) -> Report:
        """Return the report on the requested range.

        Raises:
            EvaluationTimeout: it took longer than `timeout_s`, fetches not counted.
        """
        deadline = Deadline(self.timeout_s)
        try:
            async with deadline.limit():
                loader = RangeLoader(self.cache, source, request, deadline, self.max_text_bytes, self.max_kept_bytes)
                return await self._evaluate(loader)
        finally:
            self.cache.memo.trim()

    async def _evaluate(self, gathering: RangeLoader) -> Report:
        source, request = gathering.source, gathering.request
        change, facts, config = await gathering.gather()
        report = await in_thread(audit, change, facts, config, gathering.memo)
        if request.describe:
            report = replace(report, configuration=await in_thread(show, gathering, change.head, config))
        return await with_excerpts(source, change, report, gathering.deadline.check) if request.excerpts else report
