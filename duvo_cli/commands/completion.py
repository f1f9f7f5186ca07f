"""`duvo completion`: print a completion script for a shell."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse

    from ..parser import Parser


def register(parser: Parser) -> None:
    """Add what this command takes."""
    parser.add_argument(
        "shell",
        choices=("bash", "zsh", "fish", "tcsh"),
        metavar="SHELL",
        help="bash, zsh, fish or tcsh",
    )
    parser.explain(
        "Needs the extra `completion`. Ids of runs, and names of agents and profiles, are\n"
        "looked up when Tab is pressed: for one second at most, and silently.",
        examples="""
duvo completion bash > ~/.local/share/bash-completion/completions/duvo
duvo completion zsh > "${fpath[1]}/_duvo"
duvo completion fish > ~/.config/fish/completions/duvo.fish
""",
    )


def run(args: argparse.Namespace) -> int:
    """Print it; returns the exit code."""
    from ..help import completion

    print(completion.script(args.shell))
    return 0
