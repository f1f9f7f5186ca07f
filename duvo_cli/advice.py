"""Advice in errors of the SDK, in the words of the command."""

from __future__ import annotations

from argparse import Namespace
from shlex import join, quote

from duvo._advice import Words

from .output.command_line import command_line

_FLAGS = {"team_id": "--team", "answers": "--answer"}
"""Flags whose names differ from those of the SDK's arguments."""


class CommandWords(Words):
    """Advice for users of the command; commands in it repeat settings such as `--profile`."""

    def __init__(self, args: Namespace):
        self._args = args

    def _duvo(self, *words: str) -> str:
        return f"`{command_line(self._args, *words)}`"

    def argument(self, name: str) -> str:
        return _FLAGS.get(name, f"--{name.replace('_', '-')}")

    def no_key(self) -> str:
        return (
            "set DUVO_API_KEY, or add a profile with `duvo profiles add NAME`; "
            "without an account, `duvo dev` serves the API on this machine"
        )

    def choose_profile(self, names: list[str]) -> str:
        commands = " or ".join(f"`{join(['duvo', 'profiles', 'use', name])}`" for name in names)
        return f"no profile is the default; choose one: {commands}"

    def check_key(self) -> str:
        return "check the API key (DUVO_API_KEY, or `duvo profiles list`)"

    def add_profile(self, name: str) -> str:
        return f"add it with `duvo profiles add {quote(name)}`"

    def start_engine(self) -> str:
        return "start `duvo dev`"

    def serve(self) -> str:
        return "`duvo dev` starts a local engine"

    def name_team(self) -> str:
        return "name one with --team or DUVO_TEAM_ID"

    def list_agents(self) -> str:
        return f"{self._duvo('agents', 'list')} lists the agents of the team"

    def list_runs(self) -> str:
        return f"list runs with {self._duvo('runs', 'list')}"

    def find_start(self, agent_id: str) -> str:
        command = self._duvo("runs", "list", "--agent", agent_id, "--since", "5m")
        return f"{command} shows whether it was started"

    def find_message(self, run_id: str) -> str:
        return f"{self._duvo('runs', 'messages', run_id)} shows whether it arrived"

    def find_reply(self, run_id: str) -> str:
        return f"{self._duvo('runs', 'get', run_id)} shows whether the request is still pending"

    def see_request(self, run_id: str) -> str:
        return f"{self._duvo('runs', 'get', run_id)} shows how"

    def stop_run(self, run_id: str) -> str:
        return f"stop it with {self._duvo('runs', 'stop', run_id)}"

    def approve(self, run_id: str | None) -> str:
        command = command_line(self._args, "runs", "respond", run_id or "RUN", "--approve")
        return f"{command} (or --deny)"

    def answer(self, run_id: str | None, keys: list[str]) -> str:
        answers = " ".join(f'--answer "{key}=…"' for key in keys)
        return f"{command_line(self._args, 'runs', 'respond', run_id or 'RUN')} {answers}"

    def name_message(self) -> str:
        return "give the message before it"

    def continue_batch(self) -> str:
        return "the same command continues them"
