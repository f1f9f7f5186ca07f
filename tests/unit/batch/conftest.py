"""An agent that works on the runs of the fake API, and a quick pace of polling."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from duvo._run import polling
from duvo._watch import watcher
from tests.servers.fake_api import FakeAPI, ReceivedRequest


class Agent:
    """Handles every run each time the list is read.

    Attributes:
        does: maps a start message to an action: end as `completed`, `failed` or
            `interrupted`, `ask` (and end once answered), `question`, `work`
            (keep running), or `vanish`.
        most: the largest number of runs that were running at a time.
        replies: accepted replies by start message.
    """

    def __init__(self, fake_api: FakeAPI):
        self._fake_api = fake_api
        self.does: Callable[[str], str] = lambda message: "completed"
        self.most = 0
        self.replies: dict[str, list[object]] = {}
        fake_api.before = self.before
        fake_api.after = self.after

    def before(self, seen: ReceivedRequest) -> None:
        if seen.method == "GET" and seen.path.endswith("/runs"):
            with self._fake_api.lock:
                for run_id in list(self._fake_api.runs):
                    self._work(run_id)
        elif seen.method == "POST" and seen.path.endswith("/respond"):
            _, _, _, run_id, _, request_id, _ = seen.path.split("/")
            with self._fake_api.lock:
                if self._fake_api.pending.get(run_id, {}).get("id") == request_id:
                    self.replies.setdefault(self.message(run_id), []).append(seen.json)

    def after(self, seen: ReceivedRequest) -> None:
        if seen.method == "POST" and seen.path.endswith("/runs"):
            self.most = max(self.most, len(self.at_work))

    @property
    def at_work(self) -> list[str]:
        ended = ("completed", "failed", "interrupted")
        with self._fake_api.lock:
            runs = self._fake_api.runs.values()
            return [one["id"] for one in runs if one["status"] not in ended]

    @property
    def at_work_on(self) -> list[str]:
        """The start messages of running runs."""
        return [self.message(run_id) for run_id in self.at_work]

    @property
    def messages(self) -> list[str]:
        """The start messages of all runs."""
        with self._fake_api.lock:
            return [self.message(run_id) for run_id in self._fake_api.runs]

    def message(self, run_id: str) -> str:
        return str(self._fake_api.conversations[run_id][0]["text_content"])

    def _work(self, run_id: str) -> None:
        run, message = self._fake_api.runs[run_id], self.message(run_id)
        if run_id not in self.at_work or run["status"] == "waiting":
            return
        what = self.does(message)
        asked = message in self.replies
        if what in ("ask", "question") and not asked:
            kind = {"type": "question", "questions": [{"question": "Which?", "header": "one"}]}
            self._fake_api.ask(run_id, **(kind if what == "question" else {}))
        elif what == "vanish":
            del self._fake_api.runs[run_id]
        elif what != "work":
            said = f"{message}: {self.replies[message][0]}" if asked else f"did {message}"
            self._fake_api.say(run_id, said)
            self._fake_api.end(run_id, what if what not in ("ask", "question") else "completed")


@pytest.fixture
def quick_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll with very short pauses."""
    monkeypatch.setattr(polling, "SHORTEST_PAUSE", 0.02)
    monkeypatch.setattr(polling, "LONGEST_PAUSE", 0.05)
    monkeypatch.setattr(watcher, "_SWEEP_EVERY", 0.05)


@pytest.fixture
def agent(fake_api: FakeAPI, quick_pace: None) -> Agent:
    """An agent that handles all runs of the fake API."""
    return Agent(fake_api)
