"""The metrics endpoint: /metrics for Prometheus, /healthz (alive), /readyz (taking calls)."""

from __future__ import annotations

import json
import threading
from bisect import bisect_left
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    GCCollector,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from lockstock_server.errors import ExitCode, StartError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lockstock_server.core import Core

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class MethodMeter:
    """The calls of one method. Counted by one thread; another may read."""

    def __init__(self) -> None:
        self.outcomes = {"ok": 0, "refused": 0, "gone": 0}
        # The last one: longer than every bound.
        self.buckets = [0] * (len(SECONDS) + 1)
        self.seconds = 0.0

    def ended(self, outcome: str, seconds: float) -> None:
        """Count a call that has ended, answered or gone."""
        self.outcomes[outcome] += 1
        self.buckets[bisect_left(SECONDS, seconds)] += 1
        self.seconds += seconds


class DoorMetrics(Collector):
    """What the Python door counts of its calls. Plain numbers: made into metrics when they are asked for."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._meters: dict[str, MethodMeter] = {}
        self._inside: Callable[[], int] = int
        registry.register(self)

    def meter(self, method: str) -> MethodMeter:
        """Give the meter of a method, by its name without its service."""
        return self._meters.setdefault(method.rpartition("/")[2], MethodMeter())

    def follow(self, inside: Callable[[], int]) -> None:
        """Take from here how many calls wait for their answer."""
        self._inside = inside

    def collect(self) -> Iterator[Metric]:
        """Make the metrics of every method that was called."""
        calls = CounterMetricFamily(
            "lockstock_door_calls", "Calls answered by the Python door.", labels=["method", "outcome"]
        )
        times = HistogramMetricFamily(
            "lockstock_door_call_seconds",
            "Time from a call's arrival at the Python door to its answer.",
            labels=["method"],
        )
        for name, meter in list(self._meters.items()):
            for outcome, count in meter.outcomes.items():
                if count:
                    calls.add_metric([name, outcome], count)
            below = list(zip((*map(str, SECONDS), "+Inf"), accumulate(meter.buckets), strict=True))
            if below[-1][1]:
                times.add_metric([name], below, meter.seconds)
        yield calls
        yield times
        yield GaugeMetricFamily(
            "lockstock_door_calls_in_flight",
            "Calls of the Python door that wait for their answer.",
            self._inside(),
        )


class EngineMetrics(Collector):
    """The engine's own metrics, read when they are asked for."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def collect(self) -> Iterator[Metric]:
        """Read `[name, kind, help, [[labels, value], ...]]` of each."""
        for name, kind, words, samples in json.loads(self._core.metrics()):
            yield engine_metric(name, kind, words, samples)


def engine_metric(name: str, kind: str, words: str, samples: list[list[Any]]) -> Metric:
    """One metric of the engine in Prometheus' terms.

    The samples of a histogram say in the label `__series` which of its series they are in: `bucket`, `sum`, `count`.
    """
    family = name.removesuffix("_total") if kind == "counter" else name
    metric = Metric(family, words, kind)
    for labels, value in samples:
        named = dict(labels)
        series = named.pop("__series", "")
        metric.add_sample(f"{name}_{series}" if series else name, named, value)
    return metric


class NumbersCollector(Collector):
    """Gauges that are computed when they are asked for: how far the projection is, and the like."""

    def __init__(self, numbers: Callable[[], dict[str, tuple[str, float]]]) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """Read every number with its words."""
        for name, (words, value) in self._numbers().items():
            metric = Metric(name, words, "gauge")
            metric.add_sample(name, {}, value)
            yield metric


def new_registry() -> CollectorRegistry:
    """Make a registry of one server, with the process's own metrics."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    GCCollector(registry=registry)
    return registry


class Endpoint:
    """The HTTP server of the metrics, in a thread of its own: it answers while the loop is busy."""

    def __init__(
        self, address: str, registry: CollectorRegistry, ready: Callable[[], tuple[bool, str]]
    ) -> None:
        host, _, port = address.rpartition(":")
        try:
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), _handler(registry, ready))
        except OSError as error:
            raise StartError(ExitCode.ADDRESS, f"{address} (metrics) cannot be bound: {error}") from error
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.1}, name="metrics", daemon=True
        )
        self._thread.start()

    @property
    def address(self) -> str:
        """The bound address."""
        host, port = self._server.server_address[:2]
        return f"{host!s}:{port}"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _handler(
    registry: CollectorRegistry, ready: Callable[[], tuple[bool, str]]
) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        server_version = "lockstock"

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path == "/metrics":
                self._answer(HTTPStatus.OK, generate_latest(registry), CONTENT_TYPE_LATEST)
            elif path == "/healthz":
                self._answer(HTTPStatus.OK, b"alive\n")
            elif path == "/readyz":
                is_ready, words = ready()
                status = HTTPStatus.OK if is_ready else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, f"{words}\n".encode())
            else:
                self._answer(HTTPStatus.NOT_FOUND, b"/metrics, /healthz, /readyz\n")

        def _answer(self, status: HTTPStatus, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
            """Say nothing: probes come every few seconds."""

    return Handler
