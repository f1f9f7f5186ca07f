"""What `duvo_engine` adds to a test: `python -m tests.benchmarks.testing_kit`."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

import pytest

from tests.benchmarks.figures import percentile, show, time_limit

TARGET = 0.05

TESTS = """
import pytest
from duvo.local import agent

@agent("Echo")
async def echo(run):
    await run.say(run.message)

@agent("Asker")
async def asker(run):
    await run.approval("Go on?")

@pytest.mark.parametrize("number", range({count}))
def test_with_engine(duvo_engine, duvo_client, number):
    duvo_engine(echo, asker)
    duvo_client.runs.start("Asker")
    assert duvo_client.runs.start("Echo", message="hi").wait(timeout=20).answer == "hi"
"""


class Recorder:
    """Records the seconds of a test's set-up and teardown together."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        assert report.passed, report.longreprtext
        if report.when != "call":
            before = self.seconds.get(report.nodeid, 0.0)
            self.seconds[report.nodeid] = before + report.duration


def main(count: int = 100) -> None:
    """Print the overhead of a test, and of the first one, which starts the engine."""
    recorder = Recorder()
    with tempfile.TemporaryDirectory() as folder, time_limit(120):
        file = Path(folder, "test_overhead.py")
        file.write_text(TESTS.format(count=count))
        pytest.main(["-q", "-p", "no:cacheprovider", "--rootdir", folder, str(file)], [recorder])
    first, *others = recorder.seconds.values()
    # The last one closes the engine.
    others.pop()
    show("duvo_engine, the first test", f"{first * 1000:.0f} ms")
    show(
        "duvo_engine, each test (median)",
        f"{statistics.median(others) * 1000:.1f} ms",
        f"{TARGET * 1000:.0f} ms",
    )
    show("duvo_engine, each test (95 %)", f"{percentile(others, 95) * 1000:.1f} ms")


if __name__ == "__main__":
    main()
