"""`duvo completion`: print or install a shell completion script."""

from __future__ import annotations

import os
from argparse import Namespace
from importlib.resources import files
from pathlib import Path

from ..errors import CommandFailed
from ..output import terminal
from ..parser import Parser

_SCRIPTS = {
    "bash": ("duvo.bash", "XDG_DATA_HOME", ".local/share", "bash-completion/completions/duvo"),
    "zsh": ("_duvo", "XDG_DATA_HOME", ".local/share", "zsh/site-functions/_duvo"),
    "fish": ("duvo.fish", "XDG_CONFIG_HOME", ".config", "fish/completions/duvo.fish"),
}
"""For each shell the script, and where its users keep such: by a variable or in HOME."""

_HINTS = {
    "bash": "with the package bash-completion, it works in every new shell; without it, add "
    "`. {file}` to ~/.bashrc",
    "zsh": "add `fpath=({folder} $fpath)` to ~/.zshrc, before compinit, and start a new shell",
    "fish": "it works in every new shell",
}


def register(parser: Parser) -> None:
    parser.add_argument("shell", choices=tuple(_SCRIPTS), metavar="SHELL", help="bash, zsh or fish")
    parser.add_argument(
        "--install", action="store_true", help="write it to your directory for this shell"
    )
    parser.explain(
        "Run ids, agent names and profile names are looked up when Tab is pressed,\n"
        "silently and for at most one second.",
        examples="""
duvo completion bash --install
source <(duvo completion bash)
""",
    )


def run(args: Namespace) -> int:
    name, variable, default, place = _SCRIPTS[args.shell]
    script = files("duvo_cli").joinpath("completions", name).read_text(encoding="utf-8")
    if not args.install:
        terminal.write(script.rstrip("\n"))
        return 0
    try:
        base = os.environ.get(variable, "").strip() or Path("~", default)
        file = Path(base).expanduser() / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script, encoding="utf-8")
    except RuntimeError:
        raise CommandFailed(f"there is no home directory: set {variable} to a directory") from None
    except OSError as error:
        raise CommandFailed(f"cannot write {file}: {error.strerror}") from None
    hint = _HINTS[args.shell].format(folder=file.parent, file=file)
    terminal.write(f"the completion script for {args.shell} is in {file}; {hint}")
    return 0
