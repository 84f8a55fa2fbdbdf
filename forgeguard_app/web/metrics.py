"""/metrics for Prometheus, read from the database at each scrape, so that it is the same on every machine."""

from __future__ import annotations

from collections.abc import Iterable

from aiohttp import web
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from forgeguard_app.store.health import Health, read_health
from forgeguard_app.web.keys import POOL


class _Figures(Collector):
    """One reading as metrics."""

    def __init__(self, health: Health) -> None:
        self.health = health

    def collect(self) -> Iterable[Metric]:
        health = self.health
        yield GaugeMetricFamily(
            "forgeguard_oldest_unjudged_head_seconds",
            "Age of the oldest head without a verdict on GitHub.",
            health.oldest_unjudged_s,
        )
        yield GaugeMetricFamily("forgeguard_unjudged_heads", "Heads without a verdict on GitHub.", health.unjudged)
        latency = GaugeMetricFamily(
            "forgeguard_push_to_verdict_seconds", "From delivery to published verdict, last hour.", labels=["quantile"]
        )
        latency.add_metric(["0.5"], health.latency_p50_s)
        latency.add_metric(["0.95"], health.latency_p95_s)
        yield latency
        jobs = GaugeMetricFamily("forgeguard_jobs", "Jobs in the queue.", labels=["status"])
        for status in ("todo", "doing", "failed"):
            jobs.add_metric([status], health.jobs.get(status, 0))
        yield jobs
        deliveries = GaugeMetricFamily(
            "forgeguard_deliveries_last_hour", "Deliveries received, last hour.", labels=["outcome"]
        )
        for outcome in ("accepted", "applied", "ignored"):
            deliveries.add_metric([outcome], health.deliveries.get(outcome, 0))
        yield deliveries


async def metrics(request: web.Request) -> web.Response:
    """The figures in Prometheus' text format."""
    async with request.app[POOL].acquire() as connection:
        health = await read_health(connection)
    registry = CollectorRegistry()
    registry.register(_Figures(health))
    return web.Response(
        body=generate_latest(registry), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
    )
