"""What a server counts, in the text format of Prometheus."""

from __future__ import annotations

import platform
from collections import Counter as Tally
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

import duvo

from .._store import counters, statuses

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
"""Bounds of the histogram; the last one is beyond the longest that a request is held."""


class Metrics:
    """Counters of one server; safe in any thread.

    Args:
        turns: tells how many turns are carried out here now.
        long_polls: tells how many requests are held now.
    """

    def __init__(self, *, turns: Callable[[], int], long_polls: Callable[[], int]):
        # One of its own: a second server of this process begins at zero.
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        build = Info("duvo_build", "The version that runs here.", registry=registry)
        build.info({"version": duvo.__version__, "python": platform.python_version()})
        self._runs = Gauge(
            "duvo_runs", "Runs in the database, by status.", ["status"], registry=registry
        )
        self._started = Counter("duvo_runs_started", "Runs started here.", registry=registry)
        self._ended = Counter(
            "duvo_runs_ended", "Runs ended here, by status.", ["status"], registry=registry
        )
        for status in statuses.ENDED:
            self._ended.labels(status)
        self._appended = Counter(
            "duvo_messages_appended", "Messages appended here.", registry=registry
        )
        self._requests = Counter(
            "duvo_http_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=registry,
        )
        self._durations = Histogram(
            "duvo_http_request_duration_seconds",
            "Seconds until a request was answered, held ones included.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=registry,
        )
        polls = Gauge("duvo_long_polls_held", "Requests that are held now.", registry=registry)
        polls.set_function(long_polls)
        running = Gauge(
            "duvo_turns_running", "Turns at work or waiting on this server.", registry=registry
        )
        running.set_function(turns)
        self._database_up = Gauge(
            "duvo_database_up", "1 when the database answers, else 0.", registry=registry
        )

    def count_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request that was answered."""
        self._requests.labels(method, route, str(status)).inc()
        self._durations.labels(method, route).observe(seconds)

    def count_committed(self, notes: Tally[str]) -> None:
        """Count what a transaction did."""
        self._started.inc(notes[counters.STARTED])
        self._appended.inc(notes[counters.APPENDED])
        for status in statuses.ENDED:
            self._ended.labels(status).inc(notes[status])

    def text(self, *, database_up: bool, runs: Mapping[str, int] | None) -> bytes:
        """All of them.

        Args:
            database_up: whether the database answers.
            runs: how many have each status; None where that is not known.
        """
        self._database_up.set(database_up)
        # Counts of a moment ago would hide that the database is away.
        self._runs.clear()
        if runs is not None:
            for status in dict.fromkeys((*statuses.KNOWN, *runs)):
                self._runs.labels(status).set(runs.get(status, 0))
        return generate_latest(self._registry)
