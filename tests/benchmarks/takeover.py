"""One of two servers is killed: `python -m tests.benchmarks.takeover [--rounds N]`.

200 of its runs work, with three tools still to be called by each, and 200 wait
for a human, who answers each at the other server. What is told is the time from
the killed server's last sign of life until its runs went on, and until all 400
had ended.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

from tests.servers.cluster import Fleet, ServerProcess
from tests.servers.engine_api import wait_until
from tests.servers.postgresql import running

RUNS = 200

LAST_SIGN = """
    SELECT extract(epoch FROM seen), extract(epoch FROM clock_timestamp()) FROM duvo_servers
    WHERE id IN (SELECT executor_id FROM dbos.workflow_status WHERE status = 'PENDING')
"""
WENT_ON = 'SELECT min("timestamp") / 1000.0 FROM duvo_messages WHERE "timestamp" > %s AND op > 0'
ENDED = "SELECT max(finished_at) / 1000.0 FROM duvo_runs"


def main() -> None:
    """Kill a server so many times, and print the medians and the worst."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with running() as postgresql:
        figures = [measure(postgresql.database()) for _ in range(rounds)]
    show("went on after", [went_on for went_on, _ in figures])
    show("all ended after", [ended for _, ended in figures])


def show(what: str, seconds: list[float]) -> None:
    """Print a figure of all rounds."""
    print(f"{what:<16} {statistics.median(seconds):4.1f} s, at worst {max(seconds):4.1f} s")


def measure(database: str) -> tuple[float, float]:
    """The seconds after which the runs of a killed server went on, and had all ended."""
    with tempfile.TemporaryDirectory() as folder, psycopg.connect(database) as connection:
        connection.autocommit = True
        fleet = Fleet(Path(folder), database)
        try:
            one, two = fleet.start(2)
            waiting = start_runs(one)
            last_sign, now = connection.execute(LAST_SIGN).fetchone() or (0, 0)
            one.kill()
            fleet.open_the_gate()
            for run_id in waiting:
                request = two.api.run(run_id)["pending_human_request"]
                two.api.respond(run_id, request["id"], approved=True)
            wait_until(
                lambda: two.api.count("completed") == 2 * RUNS, 60, "not all ended", every=0.25
            )
            [went_on] = connection.execute(WENT_ON, (now * 1000,)).fetchone() or (0,)
            [ended] = connection.execute(ENDED).fetchone() or (0,)
            return float(went_on - last_sign), float(ended - last_sign)
        finally:
            fleet.close()


def start_runs(server: ServerProcess) -> list[str]:
    """Start the runs, and return those that wait when the others are at work."""
    with ThreadPoolExecutor(4) as pool:
        waiting = list(pool.map(lambda _: server.api.start("Asker"), range(RUNS)))
        working = list(pool.map(lambda _: server.api.start("Gated"), range(RUNS)))
        list(pool.map(lambda run_id: server.api.wait_for_text(run_id, "step 0"), working))
    wait_until(lambda: server.api.count("waiting") == RUNS, 60, "not all of them wait")
    return waiting


if __name__ == "__main__":
    main()
