"""A journal whose process is killed at any moment, and then opened again."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from duvo._batch import fingerprints
from duvo._batch.entry import Row
from duvo._batch.journal import Journal

pytestmark = pytest.mark.long

INPUTS = 200

# Each printed line is a promise that the file already has what it says.
WORK = """
import itertools, sys
from duvo._batch import fingerprints
from duvo._batch.journal import Journal

journal = Journal(sys.argv[1], server="s", team_id="t", agent_id="a")

def say(word, rows):
    for row in rows:
        print(word, row.id, row.idempotency_key, flush=False)
    sys.stdout.flush()

inputs = [fingerprints.fingerprint(index % 7) for index in range(int(sys.argv[2]))]
for begin in range(0, len(inputs), 4):
    rows = journal.take(inputs[begin:begin + 4])
    say("taken", rows)
    rows = [row for row in rows if row.state == "new"]
    journal.sending(rows)
    say("sending", rows)
    journal.started([(row, f"run-of-{row.idempotency_key}") for row in rows])
    say("started", rows)
    journal.finished([(row, "x" * 3000) for row in rows])
    say("finished", rows)
    journal.delivered(rows)
    say("delivered", rows)
print("end", flush=True)
sys.stdin.read()
"""

STATES = ["taken", "sending", "started", "finished", "delivered"]


def passed(row: Row) -> int:
    """Return the number of states that the row has passed, by the file."""
    if row.delivered:
        return 4
    return ["new", "sending", "started", "finished"].index(row.state)


@pytest.mark.seeds(quick=2, full=4)
def test_a_kill_loses_no_recorded_state(tmp_path: Path, seed: int) -> None:
    moments = random.Random(seed)
    file = tmp_path / "journal"
    inputs = [fingerprints.fingerprint(index % 7) for index in range(INPUTS)]
    keys: dict[int, str] = {}
    for _ in range(4):
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, str(file), str(INPUTS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        promised: dict[int, int] = {}
        last = moments.randrange(600)
        with process:
            # Every whole line printed before the kill is a promise.
            for number, line in enumerate(process.stdout):
                if number == last or line == "end\n":
                    process.kill()
                if line.endswith("\n") and line != "end\n":
                    word, row_id, key = line.split()
                    promised[int(row_id)] = STATES.index(word)
                    assert keys.setdefault(int(row_id), key) == key
        assert process.returncode == -signal.SIGKILL
        with closing(Journal(file, server="s", team_id="t", agent_id="a")) as journal:
            assert journal._execute("PRAGMA integrity_check").fetchone() == ("ok",)
            rows = journal.take(inputs)
            assert len({row.id for row in rows}) == INPUTS
            for row in rows:
                assert keys.setdefault(row.id, row.idempotency_key) == row.idempotency_key
                assert passed(row) >= promised.get(row.id, 0)
                if row.run_id is not None:
                    assert row.run_id == f"run-of-{row.idempotency_key}"
                if row.state == "finished":
                    assert row.result == "x" * 3000
