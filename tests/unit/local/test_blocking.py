"""Agents that block the event loop: which lines are logged, and when."""

from __future__ import annotations

import asyncio
import logging
import threading

from duvo.local import RunContext, agent
from duvo.local._execution import event_loop
from duvo.local._execution.blocking import Blockage, Blocker, watch
from duvo.local._execution.turn import call_agent
from duvo.testing import FakeRun

BLOCKS = Blocker("Blocks", "greeter.py:6", call=1)


def test_a_call_that_lasts_is_named_once_and_its_end_too() -> None:
    blockage = Blockage(looks=5)
    lines = [blockage.look(BLOCKS, 100.0, 100.0 + second) for second in range(1, 8)]
    assert lines == [
        *[None] * 4,
        "agent Blocks has blocked the engine for 5 s (greeter.py:6)",
        *[None] * 2,
    ]
    end = "the engine answers again; agent Blocks had blocked it for 45 s"
    assert blockage.look(None, 100.0, 145.0) == end
    assert blockage.look(None, 146.0, 146.0) is None


def test_many_short_calls_are_not_taken_for_a_long_one() -> None:
    blockage = Blockage(looks=3)
    for call in range(9):
        assert blockage.look(BLOCKS._replace(call=call // 2), 0.0, float(call)) is None


def test_a_call_is_not_named_when_only_the_process_was_suspended() -> None:
    blockage = Blockage(looks=3)
    assert blockage.look(BLOCKS, 0.0, 3600.0) is None
    assert blockage.look(None, 0.0, 3601.0) is None


def test_a_call_without_a_known_agent_is_placed() -> None:
    line = Blockage(looks=1).look(Blocker(None, "greeter.py:6", 1), 0.0, 5.0)
    assert line == "an agent has blocked the engine for 5 s (greeter.py:6)"


def test_an_agent_that_is_known_only_after_the_first_look_is_named() -> None:
    blockage = Blockage(looks=2)
    blockage.look(BLOCKS._replace(agent=None), 0.0, 1.0)
    assert blockage.look(BLOCKS, 0.0, 2.0) == (
        "agent Blocks has blocked the engine for 2 s (greeter.py:6)"
    )
    end = "the engine answers again; agent Blocks had blocked it for 3 s"
    assert blockage.look(None, 0.0, 3.0) == end


def test_an_agent_that_blocks_the_loop_is_logged_with_its_line() -> None:
    lines: list[str] = []
    named = threading.Event()
    answers = threading.Event()

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())
            (answers if named.is_set() else named).set()

    @agent("Blocks")
    async def blocks(run: RunContext) -> None:
        assert named.wait(30)

    async def work() -> None:
        watch(asyncio.get_running_loop(), interval=0.01)
        await call_agent(blocks, FakeRun())
        assert await asyncio.to_thread(answers.wait, 30)

    handler = Lines()
    logger = logging.getLogger("duvo.local")
    logger.addHandler(handler)
    try:
        event_loop.run(work())
    finally:
        logger.removeHandler(handler)
    place = f"test_blocking.py:{blocks.function.__code__.co_firstlineno + 2}"  # type: ignore[attr-defined]
    assert lines[0].startswith("agent Blocks has blocked the engine for ")
    assert lines[0].endswith(f" s ({place})")
    assert lines[1].startswith("the engine answers again; agent Blocks had blocked it for ")
