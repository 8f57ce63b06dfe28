"""Counters in Prometheus' format: replies, tokens, who is being answered and who waits, how long it takes."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ..types import Reply
from .catalogue import Catalogue

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Metrics:
    """Prometheus counters, updated for every reply of a catalogue."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Now(catalogue))
        self._replies = Counter(
            "custome_replies",
            "Replies, by what came of them",
            ["model", "outcome"],
            registry=self._registry,
        )
        self._tokens = Counter(
            "custome_tokens", "Tokens read and written", ["model", "kind"], registry=self._registry
        )
        self._first = Histogram(
            "custome_first_piece_seconds",
            "Until the first piece",
            ["model"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._whole = Histogram(
            "custome_reply_seconds",
            "Until the end",
            ["model"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._answers = Counter(
            "custome_http_answers", "HTTP answers", ["path", "status"], registry=self._registry
        )
        catalogue.observe = self.observe

    def observe(
        self, model: str, outcome: str, reply: Reply | None, first_s: float, whole_s: float
    ) -> None:
        self._replies.labels(model, outcome).inc()
        self._whole.labels(model).observe(whole_s)
        if first_s:
            self._first.labels(model).observe(first_s)
        if reply is not None:
            self._tokens.labels(model, "prompt").inc(reply.prompt_tokens)
            self._tokens.labels(model, "completion").inc(reply.completion_tokens)

    def answered(self, path: str, status: int) -> None:
        self._answers.labels(path, str(status)).inc()

    def text(self) -> bytes:
        return generate_latest(self._registry)


class _Now(Collector):
    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def collect(self) -> Iterator[Metric]:
        running = GaugeMetricFamily("custome_running", "Replies being written", labels=["model"])
        waiting = GaugeMetricFamily(
            "custome_waiting", "Requests waiting for a slot", labels=["model"]
        )
        slots = GaugeMetricFamily(
            "custome_slots", "Replies it writes at the same time", labels=["model"]
        )
        for name, gate in self._catalogue.gates():
            running.add_metric([name], gate.running)
            waiting.add_metric([name], gate.waiting)
            slots.add_metric([name], gate.slots)
        yield from (running, waiting, slots)
