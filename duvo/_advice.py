"""Advice in the texts of errors and warnings, in the words of the program that a user runs.

By default they are for readers of Python. The `duvo` command has its own words, and uses
them while it runs a command.
"""

from __future__ import annotations

from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Words:
    """Advice for readers of Python."""

    def argument(self, name: str) -> str:
        """Return the name of an argument of the SDK."""
        return name

    def no_key(self) -> str:
        """Return how to give a key, or do without one."""
        return (
            "pass api_key=, set DUVO_API_KEY, or add a profile with duvo.profiles.add(NAME, KEY); "
            "without an account, duvo.local.Server serves the API on this machine"
        )

    def choose_profile(self, names: list[str]) -> str:
        """Return how to use one of the profiles, of which none is the default."""
        known = ", ".join(map(repr, names))
        return (
            "no profile is the default; choose one with profile=, DUVO_PROFILE or "
            f"duvo.profiles.use(NAME): {known}"
        )

    def check_key(self) -> str:
        """Return where the key comes from."""
        return "check the API key (api_key=, DUVO_API_KEY or the profile)"

    def add_profile(self, name: str) -> str:
        """Return how to add a profile."""
        return f"add it with duvo.profiles.add({name!r}, KEY)"

    def start_engine(self) -> str:
        """Return how to start the engine of a profile."""
        return "start `duvo dev` in a terminal"

    def serve(self) -> str:
        """Return how to serve the API on this machine."""
        return "duvo.local.Server, or `duvo dev` in a terminal, serves a local engine"

    def name_team(self) -> str:
        """Return how to name the team."""
        return "name one with team_id= or DUVO_TEAM_ID"

    def list_agents(self) -> str:
        """Return how to list the agents."""
        return "client.agents.list() lists the agents of the team"

    def list_runs(self) -> str:
        """Return how to list the runs."""
        return "list runs with client.runs.list()"

    def find_start(self, agent_id: str) -> str:
        """Return how to find out whether a run was started."""
        return f"client.runs.list(agent={agent_id!r}) shows whether it was started"

    def find_message(self, run_id: str) -> str:
        """Return how to find out whether a message arrived."""
        return f"client.runs.run({run_id!r}).messages() shows whether it arrived"

    def find_reply(self, run_id: str) -> str:
        """Return how to find out whether a reply arrived."""
        return f"client.runs.get({run_id!r}).pending_request shows whether it is still pending"

    def see_request(self, run_id: str) -> str:
        """Return where a run's human request is."""
        return f"client.runs.get({run_id!r}).pending_request shows what it asks"

    def stop_run(self, run_id: str) -> str:
        """Return how to stop a run."""
        return f"stop it with client.runs.run({run_id!r}).stop()"

    def approve(self, run_id: str | None) -> str:
        """Return how to reply to an approval."""
        return f"{_run(run_id)}.respond(approve=True), or False"

    def answer(self, run_id: str | None, keys: list[str]) -> str:
        """Return how to answer questions."""
        return f"{_run(run_id)}.respond(answers={{{', '.join(f'{key!r}: …' for key in keys)}}})"

    def name_message(self) -> str:
        """Return how to name a message that was a human request."""
        return "give the object, or the message before it"

    def continue_batch(self) -> str:
        """Return how to continue a batch."""
        return "with a journal the same call continues them"


def _run(run_id: str | None) -> str:
    return f"client.runs.run({run_id!r})" if run_id else "run"


_make: Callable[[], Words] = Words


def words() -> Words:
    """Return the words to use now."""
    return _make()


@contextmanager
def using(make: Callable[[], Words]) -> Iterator[None]:
    """Use the words that `make` returns during a block, in all threads.

    `make` is called only when there is advice to give: most programs never need any.
    """
    global _make
    before, _make = _make, make
    try:
        yield
    finally:
        _make = before
