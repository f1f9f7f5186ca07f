"""What is done through the faulty proxy, and what must be true of it afterwards.

One seed alone, or many, against an engine that is thrown away:

    duvo dev tests/faults/agents.py -- python -m tests.faults.scenarios follow 17
    duvo dev tests/faults/agents.py -- python -m tests.faults.scenarios all 0-5000
"""

from __future__ import annotations

import faulthandler
import os
import random
import re
import sys
import tempfile
import threading
import traceback
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import duvo
from tests.clocks import HurriedClock
from tests.faults.agents import CLERK, ECHO, HOLDER
from tests.faults.exchange import Event
from tests.faults.faulty_proxy import FaultyProxy, faulty
from tests.faults.schedule import Link
from tests.local_api import LocalApi

HANGS_AFTER = 30.0
"""Seconds of real time after which a scenario is taken to hang; it takes a tenth of one."""

PATIENT, IMPATIENT = 10.0, 0.15

CITY = {"City": "Brno"}

_MAY_PASS = (duvo.RateLimited, duvo.ServerError, duvo.ConnectionError, duvo.TimeoutError)


class Play:
    """One seed: a client behind the proxy, and a way past it that sees the truth."""

    def __init__(self, seed: int, api: LocalApi, proxy: FaultyProxy, client: duvo.Client):
        self.seed = seed
        self.api = api
        self.proxy = proxy
        self.client = client
        self.chance = random.Random(f"{seed} scenario")
        self.mark = f"{seed}-{uuid.uuid4().hex}"

    def plan(self) -> str:
        """A first message for the clerk: lines in between of questions."""
        steps = []
        for _ in range(self.chance.randint(1, 3)):
            steps.append(str(self.chance.choice((1, 2, 3, 5, 8, 60))))
            steps += self.chance.choice(([], [], ["approve"], ["ask"], ["approve", "approve"]))
        return f"{self.mark}: {' '.join(steps)}"

    def runs(self) -> list[dict[str, Any]]:
        """The runs of this scenario that there are in truth."""
        path = f"/v2/teams/{self.api.team}/runs?limit=100&search={self.mark}"
        return list(self.api.get(path)["data"])

    def since(self, begin: int, kind: str) -> list[Event]:
        """What happened to calls of a kind since there were `begin` events."""
        return [event for event in self.proxy.events[begin:] if event.kind == kind]

    def attempt(self, kind: str, call: Callable[[], Any]) -> tuple[str, Any]:
        """Make a call that changes something; whether it was `done`, is `unknown`, or was not.

        Whatever it raises is held against what happened on the way.
        """
        begin = len(self.proxy.events)
        try:
            return "done", call()
        except duvo.OutcomeUnknown as error:
            assert str(error)
            assert any(event.fault.leaves_unknown for event in self.proxy.events[begin:]) or (
                begin and self.proxy.events[begin - 1].fault.leaves_unknown
            ), f"nothing left the outcome unknown: {error!r}"
            return "unknown", error
        except duvo.InvalidReply as error:
            return "refused", error
        except _MAY_PASS as error:
            self.proxy.open()
            done = [event for event in self.since(begin, kind) if event.status in (200, 201)]
            assert not done, f"it was done, and this was raised: {error!r}"
            return "not done", error
        except duvo.UnexpectedAnswer as error:
            assert error.method == "GET", f"a change raised {error!r}"
            return "not done", error


def start(play: Play) -> None:
    """One call of `start` makes one run, or says truly that it made none, or that it may have."""
    agent = CLERK if play.chance.random() < 0.3 else play.api.agent_id(CLERK)
    for _ in range(200):
        how, run = play.attempt(
            "start", partial(play.client.runs.start, agent, message=f"{play.mark}: 1")
        )
        found = play.runs()
        if how == "done":
            assert [one["id"] for one in found] == [run.id], "one start, and not one run"
            return
        assert how in ("unknown", "not done")
        assert len(found) <= (how == "unknown"), f"{how}, and there are {len(found)} runs"
        if how == "unknown":
            return
    raise AssertionError("it never started")


def follow(play: Play) -> None:
    """A followed conversation is given whole, once, and in order."""
    run_id = play.api.start(CLERK, play.plan())
    run = play.client.runs.run(run_id)
    met: list[str] = []
    given = list(run.messages(follow=True, on_request=_approving(met), answers=CITY))
    truth = _check_given(play, run_id, given)
    assert run.status == "completed"
    assert run.answer == truth[-2]["text_content"]
    assert len(met) == len(set(met)), "a human request was met twice"
    _check_replies(play, run_id)


def resume(play: Play) -> None:
    """So is one that is left now and then, and gone on with behind what was given last."""
    run_id = play.api.start(CLERK, play.plan())
    run = play.client.runs.run(run_id)
    given: list[duvo.Message] = []
    after: duvo.Message | str | None = None
    left = True
    while left:
        left = False
        for message in run.messages(True, after, on_request=_approving([]), answers=CITY):
            given.append(message)
            if play.chance.random() < 0.15:
                # The id of a human request says nothing any more once that is answered.
                whole = message.type == "human_request" or play.chance.random() < 0.5
                after = message if whole else message.id
                left = True
                break
    _check_given(play, run_id, given)
    _check_replies(play, run_id)


def wait(play: Play) -> None:
    """A wait ends when the run has, and knows its last words."""
    run_id = play.api.start(CLERK, play.plan())
    met: list[str] = []
    run = play.client.runs.run(run_id).wait(on_request=_approving(met), answers=CITY)
    assert play.api.status(run_id) == "completed" == run.status
    assert run.answer == play.api.texts(run_id)[-1]
    assert len(met) == len(set(met)), "a human request was met twice"
    _check_replies(play, run_id)


def respond(play: Play) -> None:
    """Each reply arrives once, and an error says truly whether it has."""
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
        assert still or how != "not done", f"it was done, and this was raised: {what!r}"
        assert not still or how != "done", "it was said to be done, and was not"
        if not still:
            truth = play.api.get(f"/v2/runs/{run_id}?wait=20")
    assert truth["run"]["status"] == "completed", "no reply ever arrived"
    _check_replies(play, run_id)


def stop(play: Play) -> None:
    """A stop that returns has stopped the run, once."""
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
        except (*_MAY_PASS, duvo.UnexpectedAnswer) as error:
            assert str(error)
            play.proxy.open()
    else:
        raise AssertionError("it never stopped")
    assert run.status == {"interrupted": "stopped"}.get(status, status)
    assert play.api.status(run_id) == status
    kinds = [one["type"] for one in play.api.conversation(run_id)]
    assert kinds.count("session_interrupted") == (status == "interrupted")


def post(play: Play) -> None:
    """A message that is sent to a run arrives once, and the wait after it is for what it began."""
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
            assert posted == 0 or how != "not done", f"it arrived, and this was raised: {what!r}"
            assert posted == 1 or how != "done", "it was said to have arrived, and has not"
            if posted:
                break
        if how == "done":
            run.wait()
            assert run.answer == f"heard {text}"
    assert _posted(play, run_id) == sent


SCENARIOS: dict[str, Callable[[Play], None]] = {
    "start": start,
    "follow": follow,
    "resume": resume,
    "wait": wait,
    "respond": respond,
    "stop": stop,
    "post": post,
}


LIED_TO = ("follow", "wait")
"""The scenarios in which pages may shift: what was read before shows that they did."""


def _approving(met: list[str]) -> Callable[[duvo.HumanRequest], bool | None]:
    def approve(request: duvo.HumanRequest) -> bool | None:
        met.append(request.id)
        return True if request.type == "approval" else None

    return approve


def _check_given(play: Play, run_id: str, given: list[duvo.Message]) -> list[dict[str, Any]]:
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


def _check_replies(play: Play, run_id: str) -> None:
    replies = [event for event in play.proxy.events if event.kind == "respond" and event.status]
    for path in {event.path for event in replies}:
        once = {event.key or object() for event in replies if event.path == path}
        assert len(once) == 1, f"a reply was sent {len(once)} times"
    lines = [text for text in play.api.texts(run_id) if text.startswith("reply ")]
    for number, line in enumerate(lines, 1):
        assert re.fullmatch(rf"reply {number}: (True|Brno)", line), lines


@contextmanager
def behind_faults(api: LocalApi, seed: int, lies: bool) -> Iterator[Play]:
    """A client of the engine that everything happens to that the seed holds."""
    with faulty(api.base_url, seed, lies) as proxy:
        link = Link(seed)
        client = duvo.Client(
            api_key=str(api.session.headers["Authorization"]).removeprefix("Bearer "),
            base_url=proxy.base_url,
            team_id=api.team if seed % 7 else None,
            timeout=IMPATIENT if link.slow else PATIENT,
            max_retries=random.Random(f"{seed} client").choice((0, 1, 3, 3, 6)),
        )
        client._transport.clock = HurriedClock(proxy.open)
        with client:
            yield Play(seed, api, proxy, client)


def play(api: LocalApi, name: str, seed: int) -> None:
    """Play one scenario under one seed.

    Raises:
        AssertionError: something is not as it must be; tells the seed, what
            happened on the way, and how to play it again.
    """
    failures: list[str] = []
    with behind_faults(api, seed, name in LIED_TO) as one:

        def work() -> None:
            try:
                SCENARIOS[name](one)
            except BaseException:
                failures.append(traceback.format_exc())

        thread = threading.Thread(target=work, name=f"{name} {seed}", daemon=True)
        thread.start()
        thread.join(HANGS_AFTER)
        if thread.is_alive():
            failures.append(f"it hangs:\n{_where_threads_are()}")
    if failures:
        happened = "\n".join(f"  {event}" for event in one.proxy.events[-60:])
        raise AssertionError(
            f"{name}, seed {seed} ({Link(seed)}); again with: duvo dev tests/faults/agents.py -- "
            f"python -m tests.faults.scenarios {name} {seed}\n{happened}\n{failures[0]}"
        )


def play_all(api: LocalApi, names: Iterable[str], seeds: Iterable[int]) -> list[AssertionError]:
    """Play scenarios under many seeds, a few at a time; what failed."""

    def failure(one: tuple[str, int]) -> AssertionError | None:
        try:
            play(api, *one)
        except AssertionError as error:
            return error
        return None

    with ThreadPoolExecutor(4) as pool:
        found = pool.map(failure, [(name, seed) for seed in seeds for name in names])
        return [error for error in found if error is not None]


def _where_threads_are() -> str:
    with tempfile.TemporaryFile("w+") as file:
        faulthandler.dump_traceback(file)
        file.seek(0)
        return file.read()


def main(name: str, seeds: str) -> int:
    """Play seeds `7` or `0-999` of a scenario, or of all."""
    first, _, last = seeds.partition("-")
    environment = ("DUVO_API_BASE_URL", "DUVO_API_KEY", "DUVO_TEAM_ID")
    api = LocalApi(*(os.environ[one] for one in environment))
    names = list(SCENARIOS) if name == "all" else [name]
    failed = play_all(api, names, range(int(first), int(last or first) + 1))
    for error in failed:
        print(error)
    print("failed:", ", ".join(str(one).partition(" (")[0] for one in failed) or "none")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
