"""A server's metrics, in the text format of Prometheus."""

from __future__ import annotations

import functools
import platform
from collections import Counter as Counts
from collections.abc import Callable, Mapping

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    generate_latest,
)

from ..._version import __version__
from .._store import counters, statuses

_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Seconds; the last bound is above the longest long poll."""


class Metrics:
    """The metrics of one server; safe to use from any thread."""

    def __init__(self, *, turns: Callable[[], int], held_polls: Callable[[], int]):
        # A registry of its own: the next server in this process starts at zero.
        self._registry = registry = CollectorRegistry()
        counter = functools.partial(Counter, registry=registry)
        gauge = functools.partial(Gauge, registry=registry)
        ProcessCollector(registry=registry)
        build = Info("duvo_build", "The version that runs here.", registry=registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._runs = gauge("duvo_runs", "Runs in the database, by status.", ["status"])
        self._started = counter("duvo_runs_started", "Runs started here.")
        self._ended = counter("duvo_runs_ended", "Runs ended here, by status.", ["status"])
        for status in statuses.ENDED:
            self._ended.labels(status)
        self._appended = counter("duvo_messages_appended", "Messages appended here.")
        self._requests = counter(
            "duvo_http_requests", "Requests answered.", ["method", "route", "status"]
        )
        self._durations = Histogram(
            "duvo_http_request_duration_seconds",
            "Seconds until a request was answered, held ones included.",
            ["method", "route"],
            buckets=_BUCKETS,
            registry=registry,
        )
        gauge("duvo_long_polls_held", "Requests that are held now.").set_function(held_polls)
        running = gauge("duvo_turns_running", "Turns at work or waiting on this server.")
        running.set_function(turns)
        self._database_up = gauge("duvo_database_up", "1 when the database answers, else 0.")

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def count_committed(self, counts: Counts[str]) -> None:
        self._started.inc(counts[counters.STARTED])
        self._appended.inc(counts[counters.APPENDED])
        for status in statuses.ENDED:
            self._ended.labels(status).inc(counts[status])

    def text(self, *, database_up: bool, runs: Mapping[str, int] | None) -> bytes:
        """Return all metrics; `runs` is the number of runs of each status, if it is known."""
        self._database_up.set(database_up)
        # Old counts would hide that the database does not answer.
        self._runs.clear()
        if runs is not None:
            for status in dict.fromkeys((*statuses.KNOWN, *runs)):
                self._runs.labels(status).set(runs.get(status, 0))
        return generate_latest(self._registry)
