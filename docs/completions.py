"""Generate the completion scripts in duvo_cli/completions, by shtab from the parsers.

python docs/completions.py
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import shtab

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "duvo_cli" / "completions"
FILES = {"duvo.bash": "bash", "_duvo": "zsh", "duvo.fish": "fish"}

sys.path.insert(0, str(ROOT))

from duvo_cli.help.overview import TOPICS  # noqa: E402
from duvo_cli.parser import Parser, parser_of  # noqa: E402
from duvo_cli.registry import COMMANDS, GROUPS, commands_of, sentence  # noqa: E402

# Names in the help of values that are looked up, and of files.
_LOOKED_UP = {"RUN": "runs", "AGENT": "agents", "NAME": "profiles"}
_WORDS = {
    "--status": ["pending", "running", "waiting", "completed", "failed", "stopped"],
    "--issue-severity": ["critical", "medium", "low"],
}
_FILES = ("FILE", "FILE.py", "FILE|URL")

# Inside an open quote, words are offered verbatim, so words with special characters are not.
_BASH = r"""
# Each line of `duvo complete` is a word, a tab and a description.
_duvo_words() {
    local line word typed="$2" quote=""
    case "$typed" in
        [\"\']*) quote="${typed:0:1}" typed="${typed:1}" ;;
        *) typed="${typed//\\/}" ;;
    esac
    command duvo complete "$1" "$COMP_LINE" 2>/dev/null | while IFS= read -r line; do
        word="${line%%$'\t'*}"
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

# Whether a word may be one of these: options are looked through by the parser.
_duvo_is_in() { [[ "$1" == -* || " $2 " == *" $1 "* ]]; }

# Bash splits words at = and : too. This joins them again, but for --option=value.
_duvo() {
    local -a words=("${COMP_WORDS[@]:0:COMP_CWORD+1}") joined=()
    local word last glue="" cut=""
    for word in "${words[@]}"; do
        last=$((${#joined[@]} - 1))
        if [[ "$word" == = && "${joined[last]}" == --* ]]; then
            joined+=("")
            glue=1
        elif [[ -n "$glue" || ( "$word" =~ ^[=:]+$ && $last -gt 0 ) ]]; then
            joined[last]+="$word"
            glue=""
            if [[ "$word" =~ ^[=:]+$ ]]; then glue=1; fi
        else
            joined+=("$word")
        fi
    done
    last=$((${#joined[@]} - 1))
    word="${joined[last]}"
    # What is offered replaces only what follows the last = or :.
    if [[ "$word" != "${words[COMP_CWORD]}" ]]; then cut="${word%"${word##*[=:]}"}"; fi
    COMPREPLY=()
    local first="${joined[1]}" second="${joined[2]-}" group="" several=""
    if (( last > 1 )) && ! _duvo_is_in "$first" "${_shtab_duvo_subparsers[*]}"; then return; fi
    if (( last > 2 )) && [[ "$first" == help ]]; then
        group="_shtab_duvo_${second//[^a-z]/_}_subparsers[*]"
        if (( last == 3 )); then COMPREPLY=($(compgen -W "${!group-}" -- "$word")); fi
        return
    fi
    group="_shtab_duvo_${first//[^a-z]/_}_subparsers[*]"
    if (( last > 2 )) && [[ -n "${!group-}" ]] && ! _duvo_is_in "$second" "${!group}"; then
        return
    fi
    # Of several words with commas, the last is completed.
    if [[ "${joined[last - 1]}" == --status ]]; then several="${word%"${word##*,}"}"; fi
    joined[last]="${word#"$several"}"
    local -a COMP_WORDS=("${joined[@]}")
    local COMP_CWORD=$last
    _shtab_duvo
    if [ -n "$several" ]; then COMPREPLY=("${COMPREPLY[@]/#/$several}"); fi
    if [ -n "$cut" ]; then COMPREPLY=("${COMPREPLY[@]#"$cut"}"); fi
}
"""

_ZSH = r"""
_duvo_words() {
    local kind="$1" line word
    local -a found
    for line in "${(@f)$(command duvo complete "$kind" "$BUFFER" 2>/dev/null)}"; do
        [[ -n "$line" ]] || continue
        word="${line%%$'\t'*}"
        found+=("${word//:/\\:}:${line[$#word + 2,-1]}")
    done
    _describe "$kind" found
}
_duvo_runs() { _duvo_words runs }
_duvo_agents() { _duvo_words agents }
_duvo_profiles() { _duvo_words profiles }
"""

_FISH = r"""
function _duvo_words
    command duvo complete $argv[1] (commandline -p | string collect) 2>/dev/null
end
"""

_PREAMBLES = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def script(shell: str) -> str:
    """Return the script for a shell."""
    tree = tree_of_commands()
    for action in _all_actions(tree):
        if action.metavar in _FILES:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
        elif action.metavar in _LOOKED_UP:
            words = _from_api(_LOOKED_UP[str(action.metavar)])
            action.complete = words  # type: ignore[attr-defined]
        elif action.metavar == "TOPIC":
            action.choices = [*TOPICS, *GROUPS, *commands_of("")]
        for option in action.option_strings:
            action.choices = _WORDS.get(option, action.choices)
    text = str(shtab.complete(tree, shell, preamble=_PREAMBLES[shell])).rstrip("\n") + "\n"
    if shell == "bash":
        return text.replace("-F _shtab_duvo duvo", "-F _duvo duvo")
    if shell == "zsh":
        # For --option=value as well.
        return re.sub(r'^(  "\*?--[a-z-]+)(\[.*\]:)', r"\1=\2", text, flags=re.MULTILINE)
    return text


def tree_of_commands() -> Parser:
    """Return the parsers of all commands in one tree."""
    tree = Parser("")
    tree.add_argument("--version", action="store_true", help="print the version")
    tree.add_common()
    _add_branches(tree, {**GROUPS, **commands_of("")})
    return tree


def _branch(*, prog: str, **_: Any) -> Parser:
    name = prog.removeprefix("duvo ")
    if name in COMMANDS:
        return parser_of(name)
    group = Parser(name)
    group.description = sentence(GROUPS[name])
    group.add_common()
    _add_branches(group, commands_of(name))
    return group


def _add_branches(tree: Parser, abouts: dict[str, str]) -> None:
    # argparse accepts any callable that makes a parser, but its types ask for a class.
    make: Any = _branch
    branches = tree.add_subparsers(prog=tree.prog, parser_class=make, metavar="COMMAND")
    for word, about in abouts.items():
        branches.add_parser(word, help=about)


def _from_api(kind: str) -> dict[str, str]:
    return {"bash": f"_duvo_{kind}", "zsh": f"_duvo_{kind}", "fish": f"(_duvo_words {kind})"}


def _all_actions(tree: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    # argparse has no public way to list the actions of a parser.
    for action in tree._actions:
        yield action
        if isinstance(action.choices, dict):
            for branch in action.choices.values():
                yield from _all_actions(branch)


if __name__ == "__main__":
    for name, shell in FILES.items():
        (FOLDER / name).write_text(script(shell), encoding="utf-8")
