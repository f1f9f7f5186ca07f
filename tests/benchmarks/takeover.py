"""A server is killed, and another takes over: `python -m tests.benchmarks.takeover`.

200 runs of the killed server are at work, with three tool calls still to make,
and 200 wait for a human, who answers each at the other server. Times count from
the killed server's last sign of life: until a run continued, and until all 400
had ended.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from tests.benchmarks.figures import show, time_limit
from tests.servers.cluster import Fleet, ServerProcess
from tests.servers.engine_api import wait_until
from tests.servers.postgresql import running

RUNS = 200

LAST_SIGN = """
    SELECT extract(epoch FROM seen), extract(epoch FROM clock_timestamp()) FROM duvo_servers
    WHERE id IN (SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING')
"""
CONTINUED = 'SELECT min("timestamp") / 1000.0 FROM duvo_messages WHERE "timestamp" > %s AND op > 0'
ENDED = "SELECT max(finished_at) / 1000.0 FROM duvo_runs"


def main() -> None:
    """Kill a server a few times, and print the medians and the worst times."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with time_limit(900), running() as postgresql:
        figures = [measure(postgresql.database()) for _ in range(rounds)]
    report("runs of the killed server continued after", [continued for continued, _ in figures])
    report("all runs ended after", [ended for _, ended in figures])


def report(name: str, seconds: list[float]) -> None:
    """Print a figure of all rounds."""
    show(name, f"{statistics.median(seconds):.1f} s, at worst {max(seconds):.1f} s")


def measure(database: str) -> tuple[float, float]:
    """Return the seconds until a run of the killed server continued, and until all had ended."""
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(database) as connection:
        connection.autocommit = True
        fleet = Fleet(Path(folder), database)
        try:
            first, second = fleet.start(2)
            waiting = start_runs(first)
            last_sign, now = connection.execute(LAST_SIGN).fetchone() or (0, 0)
            first.kill()
            fleet.open_the_gate()
            for run_id in waiting:
                request = second.api.run(run_id)["pending_human_request"]
                second.api.respond(run_id, request["id"], approved=True)
            wait_until(
                lambda: second.api.count("completed") == 2 * RUNS, 60, "not all ended", every=0.25
            )
            [continued] = connection.execute(CONTINUED, (now * 1000,)).fetchone() or (0,)
            [ended] = connection.execute(ENDED).fetchone() or (0,)
            return float(continued - last_sign), float(ended - last_sign)
        finally:
            fleet.close()


def start_runs(server: ServerProcess) -> list[str]:
    """Start the runs; return the ids of those that wait, once the others are at work."""
    with ThreadPoolExecutor(4) as pool:
        waiting = list(pool.map(lambda _: server.api.start("Asker"), range(RUNS)))
        working = list(pool.map(lambda _: server.api.start("Gated"), range(RUNS)))
        list(pool.map(lambda run_id: server.api.wait_for_text(run_id, "step 0"), working))
    wait_until(lambda: server.api.count("waiting") == RUNS, 60, "not all of them wait")
    return waiting


if __name__ == "__main__":
    main()
