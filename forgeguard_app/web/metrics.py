"""/metrics for Prometheus, read from the database at each scrape, so that it is the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from forgeguard_app.store.counters import list_counts
from forgeguard_app.store.health import Health, read_health
from forgeguard_app.store.pool import Pool
from forgeguard_app.store.states import DeliveryOutcome
from forgeguard_app.web.clients import is_neighbour
from forgeguard_app.web.keys import CONTEXT
from forgeguard_app.web.live import STREAMS
from forgeguard_app.web.recent import Recent

FIGURES: web.AppKey[Recent[tuple[Health, Mapping[tuple[str, str], int]]]] = web.AppKey("FIGURES")
WRITES_PER_HOUR = 500


class _Figures(Collector):
    """One reading as metrics."""

    def __init__(self, health: Health, counts: Mapping[tuple[str, str], int], streams: int) -> None:
        self.health, self.counts, self.streams = health, counts, streams

    def collect(self) -> Iterable[Metric]:
        for name, description, value in self._single():
            yield GaugeMetricFamily(f"forgeguard_{name}", description, value)
        health = self.health
        latency = {"0.5": health.latency_p50_s, "0.95": health.latency_p95_s}
        yield _gauges("push_to_verdict_seconds", "From delivery to published verdict, last hour.", "quantile", latency)
        jobs = {status: health.jobs.get(status, 0) for status in ("todo", "doing", "failed")}
        yield _gauges("jobs", "Jobs in the queue.", "status", jobs)
        description = "How long the oldest running job has run, by kind."
        yield _gauges("oldest_running_job_seconds", description, "kind", health.running_s)
        received = {str(outcome): health.deliveries.get(outcome, 0) for outcome in DeliveryOutcome}
        yield _gauges("deliveries_last_hour", "Deliveries received, last hour.", "outcome", received)
        yield self._counters("errors", "errors", "Work that failed and is tried again or given up.", "kind")
        description = "Threads that a worker left behind at a time limit, and that went on."
        yield self._counters("left_threads", "left_threads", description, "function")
        yield self._counters("deliveries_missed", "missed", "Deliveries that GitHub logged and we never got.", "found")

    def _single(self) -> Iterable[tuple[str, str, float]]:
        health = self.health
        yield (
            "oldest_unjudged_head_seconds",
            "Age of the oldest head without a verdict on GitHub.",
            health.oldest_unevaluated_s,
        )
        yield "unjudged_heads", "Heads without a verdict on GitHub.", health.unevaluated
        yield "waiting_verdicts", "Verdicts that wait for room in GitHub's limits.", health.waiting
        yield "refused_verdicts", "Verdicts that GitHub does not take; the audit says why.", health.refused
        yield "blocked_installations", "Installations whose limits GitHub says are used up.", health.blocked
        left = WRITES_PER_HOUR - health.writes_used
        yield "rate_writes_left", "Of GitHub's 500 writes an hour, what the busiest installation has left.", left
        if health.lowest_remaining is not None:
            yield "rate_remaining", "The lowest primary limit that GitHub told of.", health.lowest_remaining
        yield "event_streams", "Event streams of live pages that are open in this process.", self.streams
        yield "workers", "Workers that gave a sign of life.", health.workers

    def _counters(self, name: str, kept: str, description: str, label: str) -> Metric:
        family = CounterMetricFamily(f"forgeguard_{name}", description, labels=[label])
        for (counter, value), number in self.counts.items():
            if counter == kept:
                family.add_metric([value], number)
        return family


def _gauges(name: str, description: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"forgeguard_{name}", description, labels=[label])
    for value, number in values.items():
        family.add_metric([value], number)
    return family


async def _read(pool: Pool) -> tuple[Health, Mapping[tuple[str, str], int]]:
    async with pool.acquire() as connection:
        return await read_health(connection), await list_counts(connection)


async def metrics(request: web.Request) -> web.Response:
    """Serve the figures in Prometheus' text format to addresses in METRICS_FROM; others get 404."""
    if not is_neighbour(request):
        raise web.HTTPNotFound
    pool = request.app[CONTEXT].pool
    health, counts = await request.app[FIGURES].get(lambda: _read(pool))
    registry = CollectorRegistry()
    registry.register(_Figures(health, counts, request.app[STREAMS].total))
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )
