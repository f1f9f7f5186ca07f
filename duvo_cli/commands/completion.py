"""`duvo completion`: print a completion script for a shell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ..parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "shell", choices=("bash", "zsh", "fish"), metavar="SHELL", help="bash, zsh or fish"
    )
    parser.explain(
        examples="""
duvo completion bash > ~/.local/share/bash-completion/completions/duvo
duvo completion zsh > "${fpath[1]}/_duvo"
duvo completion fish > ~/.config/fish/completions/duvo.fish
"""
    )


def run(args: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    from .. import completion_scripts

    script = {
        "bash": completion_scripts.bash,
        "zsh": completion_scripts.zsh,
        "fish": completion_scripts.fish,
    }[args.shell]()
    print(script, end="")
    return 0
