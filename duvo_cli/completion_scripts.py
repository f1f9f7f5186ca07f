"""Completion scripts, made from the parsers. Static: completing a word starts no Python."""

from __future__ import annotations

from .names import COMMANDS, GROUPS
from .overview import TOPICS
from .parser import parser_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BASH = """\
_duvo() {
    local words="" command="" word
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case "$command $word" in
%(steps)s
        esac
    done
    case "$command" in
%(words)s
    esac
    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))
    if [ ${#COMPREPLY[@]} -eq 0 ]; then
        COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}"))
    fi
}
complete -o filenames -F _duvo duvo
"""

_ZSH = "#compdef duvo\nautoload -U +X bashcompinit && bashcompinit\n"


def bash() -> str:
    """For bash."""
    steps = [
        f'            " {word}") command="{word}" ;;'
        for word in [*GROUPS, *(name for name in COMMANDS if " " not in name)]
    ]
    steps += [f'            "{name}") command="{name}" ;;' for name in COMMANDS if " " in name]
    words = [f'        "{place}") words="{" ".join(given)}" ;;' for place, given in _words()]
    return _BASH % {"steps": "\n".join(steps), "words": "\n".join(words)}


def zsh() -> str:
    """For zsh, which takes bash's."""
    return _ZSH + bash()


def fish() -> str:
    """For fish."""
    lines = ["complete -c duvo -f"]
    top = {**GROUPS, **{name: about for name, about in COMMANDS.items() if " " not in name}}
    lines += [
        f'complete -c duvo -n __fish_use_subcommand -a {word} -d "{about}"'
        for word, about in top.items()
    ]
    for name, about in COMMANDS.items():
        group, _, word = name.rpartition(" ")
        if group:
            others = " ".join(key.split()[1] for key in COMMANDS if key.startswith(f"{group} "))
            lines.append(
                f'complete -c duvo -n "__fish_seen_subcommand_from {group}; and not '
                f'__fish_seen_subcommand_from {others}" -a {word} -d "{about}"'
            )
        seen = "; and ".join(f"__fish_seen_subcommand_from {part}" for part in name.split())
        for option in _options(name):
            kind = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
            lines.append(f'complete -c duvo -n "{seen}" {kind}')
    return "\n".join(lines) + "\n"


def _words() -> Iterator[tuple[str, list[str]]]:
    yield "", [*GROUPS, *(name for name in COMMANDS if " " not in name), "--help", "--version"]
    for group in GROUPS:
        yield group, [name.split()[1] for name in COMMANDS if name.startswith(f"{group} ")]
    for name in COMMANDS:
        more = {"help": [*TOPICS, *GROUPS], "completion": ["bash", "zsh", "fish"]}.get(name, [])
        yield name, [*more, *_options(name)]


def _options(command: str) -> list[str]:
    return parser_of(command).option_strings
