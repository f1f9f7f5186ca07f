"""Completion scripts, which shtab makes from all parsers; ids come from the API."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from ..errors import CommandFailed
from ..parser import whole_tree
from ..registry import GROUPS, commands_of
from .overview import TOPICS

# Values that are looked up, and files, by their names in the help.
_LOOKED_UP = {"RUN": "runs", "AGENT": "agents", "NAME": "profiles"}
_FILES = ("FILE", "FILE.py", "FILE|URL")

# Inside an open quote words are offered verbatim, so only harmless ones are.
_BASH = r"""
_duvo_words() {
    local word typed="$2" quote=""
    case "$typed" in
        [\"\']*) quote="${typed:0:1}" typed="${typed:1}" ;;
        *) typed="${typed//\\/}" ;;
    esac
    command duvo complete "$1" "$COMP_LINE" 2>/dev/null | while IFS= read -r word; do
        [[ "$word" == "$typed"* ]] || continue
        if [ -z "$quote" ]; then
            printf '%q\n' "$word"
        elif [[ "$word" != *[\"\'\$\`\\!]* ]]; then
            printf '%s\n' "$word"
        fi
    done
}
_duvo_runs() { _duvo_words runs "$1"; }
_duvo_agents() { _duvo_words agents "$1"; }
_duvo_profiles() { _duvo_words profiles "$1"; }
"""

_ZSH = r"""
_duvo_words() {
    local kind="$1"
    local -a words_found
    shift
    words_found=("${(@f)$(command duvo complete "$kind" "$BUFFER" 2>/dev/null)}")
    words_found=("${(@)words_found:#}")
    compadd "$@" -a words_found
}
_duvo_runs() { _duvo_words runs "$@" }
_duvo_agents() { _duvo_words agents "$@" }
_duvo_profiles() { _duvo_words profiles "$@" }
"""

_FISH = r"""
function _duvo_words
    command duvo complete $argv[1] (commandline -p | string collect) 2>/dev/null
end
"""

_PREAMBLES = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str) -> str:
    """Make the script for a shell."""
    try:
        import shtab
    except ImportError:
        raise CommandFailed(
            "completion scripts need a package that is missing (shtab); "
            'install it: pip install "duvo[completion]"'
        ) from None
    if shell not in shtab.SUPPORTED_SHELLS:
        raise CommandFailed(
            f"the installed shtab does not support {shell}; "
            'upgrade it: pip install --upgrade "shtab>=1.13"'
        )
    tree = whole_tree()
    for action in _all_actions(tree):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _LOOKED_UP:
            words = _from_api(_LOOKED_UP[str(action.metavar)])
            action.complete = words  # type: ignore[attr-defined]
        elif action.metavar == "TOPIC":
            action.choices = [*TOPICS, *GROUPS, *commands_of("")]
    return str(shtab.complete(tree, shell, preamble=_PREAMBLES.get(shell, ""))).rstrip("\n")


def _from_api(kind: str) -> dict[str, str]:
    words = {"bash": f"_duvo_{kind}", "zsh": f"_duvo_{kind}", "fish": f"(_duvo_words {kind})"}
    # tcsh would split a word with spaces.
    return words if kind == "agents" else {**words, "tcsh": f"`duvo complete {kind}`"}


def _all_actions(tree: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    # argparse has no public way to list the actions of a parser.
    for action in tree._actions:
        yield action
        if isinstance(action.choices, dict):
            for branch in action.choices.values():
                yield from _all_actions(branch)
