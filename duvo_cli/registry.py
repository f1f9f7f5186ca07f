"""The commands by name, and the command that a command line means. Loads nothing."""

from __future__ import annotations

from .errors import UsageError

GROUPS = {
    "runs": "start, follow, answer and stop runs",
    "agents": "the team's agents",
    "profiles": "API keys, saved under a name",
}

COMMANDS = {
    "runs start": "start a run, and optionally follow it or wait for it",
    "runs start-many": "start a run for each row of a file and collect the results",
    "runs get": "show one run and its pending human request",
    "runs list": "list runs, newest first",
    "runs messages": "show or follow a run's conversation",
    "runs wait": "wait until a run has ended and print its answer",
    "runs watch": "watch many runs until all have ended",
    "runs send-message": "send a message to a run, resuming it if it has ended",
    "runs inbox": "show or answer pending human requests, across runs",
    "runs respond": "answer a run's human request",
    "runs stop": "stop a run",
    "agents list": "list the agents",
    "agents get": "show one agent",
    "api": "send any request to the API",
    "profiles add": "add or replace a profile",
    "profiles list": "list the profiles",
    "profiles use": "make a profile the default",
    "profiles remove": "remove a profile",
    "whoami": "show the user, team and server of the API key",
    "dev": "serve agents on this machine, without an account",
    "serve": "serve agents to other machines, as a long-running server",
    "completion": "print a shell completion script",
    "help": "explain a command, the exit codes or the environment",
}

HIDDEN = "complete"
"""The command that completion scripts call; it has no parser."""

_WORDS_OF_OTHERS = {
    **dict.fromkeys(("logs", "log"), "messages"),
    **dict.fromkeys(("cancel", "kill"), "stop"),
    **dict.fromkeys(("show", "describe"), "get"),
    **dict.fromkeys(("new", "create", "run"), "start"),
    **dict.fromkeys(("ls", "ps"), "list"),
    **dict.fromkeys(("delete", "rm"), "remove"),
}
"""Words of other tools for the last word of a command."""

_WITHOUT_GROUP = {**dict.fromkeys(("login", "auth"), "profiles add"), "version": "--version"}
"""What first words of other tools mean here."""

_OPTIONS_WITHOUT_VALUE = ("--json", "--debug", "-h", "--help", "--version")

OPTIONS_WITH_VALUE = frozenset({"--jq", "--profile", "--team", "--base-url", "--timeout"})


def sentence(about: str) -> str:
    """The description of a command or group as a sentence."""
    return f"{about[:1].upper()}{about[1:]}."


def commands_of(group: str) -> dict[str, str]:
    """The commands of a group by their last word, with descriptions; "" is outside all groups."""
    split = {name.rpartition(" "): about for name, about in COMMANDS.items()}
    return {word: about for (of, _, word), about in split.items() if of == group}


def module_of(command: str) -> str:
    """The command's module, below `duvo_cli.commands`."""
    return command.replace(" ", ".").replace("-", "_")


def find(argv: list[str]) -> tuple[str | None, str, list[str]]:
    """Find the command, which options of every command may precede.

    Returns the command or None, its group or "", and everything else in order.
    """
    rest = list(argv)
    options: list[str] = []
    group = ""
    while rest:
        word = rest.pop(0)
        if word.startswith("-"):
            options.append(word)
            if word in OPTIONS_WITH_VALUE and rest:
                options.append(rest.pop(0))
            continue
        name = f"{group} {word}".strip()
        if name in COMMANDS:
            return name, group, [*options, *rest]
        if name not in GROUPS:
            last = options[-1] if options else ""
            if last.startswith("-") and "=" not in last and last not in _OPTIONS_WITHOUT_VALUE:
                # The word is probably its value.
                raise UsageError(f"give {last} after the command's name", group)
            raise _unknown(name, group, next((word for word in rest if word in GROUPS), ""))
        group = name
    return None, group, options


def _unknown(name: str, group: str, later: str) -> UsageError:
    """The error for an unknown command; `later` is a group that is named behind it."""
    from difflib import get_close_matches

    word = name.rpartition(" ")[2]
    meant = f"{group or later or 'runs'} {_WORDS_OF_OTHERS.get(word, word)}"
    if not group and word in _WITHOUT_GROUP:
        close = [_WITHOUT_GROUP[word]]
    elif not group and (near := get_close_matches(word, GROUPS, 1, 0.8)):
        close = near
    elif meant in COMMANDS:
        close = [meant]
    elif group:
        close = [f"{group} {like}" for like in get_close_matches(word, commands_of(group), 1)]
    else:
        close = get_close_matches(word, [*GROUPS, *COMMANDS], 1)
    hint = f" (did you mean `duvo {close[0]}`?)" if close else ""
    return UsageError(f"unknown command {name!r}{hint}", group)
