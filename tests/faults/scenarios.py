"""Scenarios with one run behind the faulty proxy, and what must hold afterwards."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from typing import Any

import duvo
from tests.faults.agents import CLERK, ECHO, HOLDER
from tests.faults.play import MAY_PASS, Play
from tests.faults.schedule import Link

CITY = {"City": "Brno"}


def start(play: Play) -> None:
    """A start makes one run, or reports correctly that it made none or may have."""
    agent = CLERK if play.chance.random() < 0.3 else play.api.agent_id(CLERK)
    expected: list[str] = []
    for number in range(play.chance.randint(1, 4)):
        message = f"{play.mark}: 1; number {number}"
        for _ in range(200):
            how, run = play.attempt("start", partial(play.client.runs.start, agent, message))
            new = [one["id"] for one in play.runs() if one["id"] not in expected]
            expected += new
            if how == "done":
                assert new == [run.id], f"one start made {len(new)} runs"
                break
            assert how in ("unknown", "not done")
            assert len(new) <= (how == "unknown"), f"{how}, but there are {len(new)} runs"
            if how == "unknown":
                break
        else:
            raise AssertionError("the run never started")


def follow(play: Play) -> None:
    """A followed conversation is complete, in order and without duplicates."""
    run_id = play.api.start(CLERK, play.plan())
    run = play.client.runs.run(run_id)
    handled: list[str] = []
    given = list(run.messages(follow=True, on_request=approving(handled), answers=CITY))
    truth = check_given(play, run_id, given)
    assert run.status == "completed"
    assert run.answer == truth[-2]["text_content"]
    assert len(handled) == len(set(handled)), "a human request was handled twice"
    check_replies(play, run_id)


def resume(play: Play) -> None:
    """A follow that is interrupted and continued after its last message is complete too."""
    run_id = play.api.start(CLERK, play.plan())
    run = play.client.runs.run(run_id)
    given: list[duvo.Message] = []
    after: duvo.Message | str | None = None
    left = True
    while left:
        left = False
        for message in run.messages(True, after, on_request=approving([]), answers=CITY):
            given.append(message)
            if play.chance.random() < 0.15:
                # The id of a human request cannot be used after the request was answered.
                whole = message.type == "human_request" or play.chance.random() < 0.5
                after = message if whole else message.id
                left = True
                break
    check_given(play, run_id, given)
    check_replies(play, run_id)


def wait(play: Play) -> None:
    """A wait ends with the run, and knows its answer."""
    run_id = play.api.start(CLERK, play.plan())
    handled: list[str] = []
    run = play.client.runs.run(run_id).wait(on_request=approving(handled), answers=CITY)
    assert play.api.status(run_id) == "completed" == run.status
    assert run.answer == play.api.texts(run_id)[-1]
    assert len(handled) == len(set(handled)), "a human request was handled twice"
    check_replies(play, run_id)


def respond(play: Play) -> None:
    """Each reply arrives once, and an error reports correctly whether it did."""
    run_id = play.api.start(CLERK, play.plan())
    run = play.client.runs.run(run_id)
    truth = play.api.get(f"/v2/runs/{run_id}?wait=20")
    for _ in range(200):
        if truth["run"]["status"] == "completed":
            break
        asked = truth["pending_human_request"]
        reply: Any = {"answers": CITY}
        if asked["type"] == "approval":
            reply = {"approve": True}
        if play.chance.random() < 0.5:
            reply["request_id"] = asked["id"]
        how, what = play.attempt("respond", partial(run.respond, **reply))
        assert how != "refused", what
        truth = play.api.get(f"/v2/runs/{run_id}")
        still = (truth.get("pending_human_request") or {}).get("id") == asked["id"]
        assert still or how != "not done", f"the reply arrived, but the client raised {what!r}"
        assert not still or how != "done", "the client reported a reply that did not arrive"
        if not still:
            truth = play.api.get(f"/v2/runs/{run_id}?wait=20")
    assert truth["run"]["status"] == "completed", "no reply ever arrived"
    check_replies(play, run_id)


def stop(play: Play) -> None:
    """A stop that returns has stopped the run once."""
    if play.chance.random() < 0.2:
        run_id, status = play.api.start(CLERK, f"{play.mark}: 1"), "completed"
        play.api.wait_for_end(run_id)
    else:
        run_id, status = play.api.start(HOLDER), "interrupted"
    run = play.client.runs.run(run_id)
    for _ in range(200):
        try:
            run.stop()
            break
        except (*MAY_PASS, duvo.UnexpectedAnswer) as error:
            assert str(error)
            play.proxy.open()
    else:
        raise AssertionError("the run never stopped")
    assert run.status == {"interrupted": "stopped"}.get(status, status)
    assert play.api.status(run_id) == status
    kinds = [one["type"] for one in play.api.conversation(run_id)]
    assert kinds.count("session_interrupted") == (status == "interrupted")


def post(play: Play) -> None:
    """A message arrives once, and the wait after it is for the turn that it started."""
    run_id = play.api.start(ECHO, f"{play.mark} 0")
    run = play.client.runs.run(run_id)
    sent = [f"{play.mark} 0"]
    for number in range(1, 3):
        play.api.wait_for_end(run_id)
        text = f"{play.mark} {number}"
        sent.append(text)
        for _ in range(200):
            how, what = play.attempt("post", partial(run.send_message, text))
            posted = _posted(play, run_id).count(text)
            assert posted <= 1, f"the message arrived {posted} times"
            assert posted == 0 or how != "not done", (
                f"the message arrived, but the client raised {what!r}"
            )
            assert posted == 1 or how != "done", "the client reported a message that did not arrive"
            if posted:
                break
        if how == "done":
            run.wait()
            assert run.answer == f"heard {text}"
    assert _posted(play, run_id) == sent


def approving(handled: list[str]) -> Callable[[duvo.HumanRequest], bool | None]:
    def approve(request: duvo.HumanRequest) -> bool | None:
        handled.append(request.id)
        return True if request.type == "approval" else None

    return approve


def check_given(play: Play, run_id: str, given: list[duvo.Message]) -> list[dict[str, Any]]:
    truth = play.api.conversation(run_id)
    said = [one.id for one in given if one.type != "human_request"]
    texts = [f"{one.type} {one.content}" for one in given]
    assert said == [one["id"] for one in truth], f"given {texts}"
    asked = [one.id for one in given if one.type == "human_request"]
    assert len(asked) == len(set(asked)), "a human request was given twice"
    return truth


def _posted(play: Play, run_id: str) -> list[str]:
    return [
        one["text_content"]
        for one in play.api.conversation(run_id)
        if one["type"] == "text" and one["role"] == "user"
    ]


def check_replies(play: Play, run_id: str, *, was_left: bool = False) -> None:
    """Check that each human request of the run got one reply, and the agent that reply.

    A client that gave up on a reply which was still on its way may reply again, which
    the engine refuses.

    Args:
        play: the scenario.
        run_id: the run.
        was_left: the iterator may have been closed while it sent a reply; the next
            one may reply again.
    """
    replies = [event for event in play.proxy.events if event.kind == "respond" and event.status]
    if was_left or Link(play.seed).slow:
        replies = [event for event in replies if event.status != 409]
    for path in {event.path for event in replies}:
        once = {event.key or object() for event in replies if event.path == path}
        assert len(once) == 1, f"a reply was sent {len(once)} times"
    lines = [text for text in play.api.texts(run_id) if text.startswith("reply ")]
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(rf"reply {number}: (True|Brno)", line), lines
