"""Finding the command on a command line, and parsing its arguments."""

from __future__ import annotations

import argparse
import re
import shlex
from itertools import product, takewhile
from pathlib import Path

import pytest

import duvo_cli.commands
from duvo_cli import parser, registry
from duvo_cli.__main__ import main
from duvo_cli.errors import CommandFailed, UsageError


@pytest.mark.parametrize(
    ("line", "name", "arguments"),
    [
        ("runs get x", "runs get", ["x"]),
        ("--json runs get x", "runs get", ["--json", "x"]),
        ("runs --profile runs get x", "runs get", ["--profile", "runs", "x"]),
        ("--timeout=3 --team whoami whoami", "whoami", ["--timeout=3", "--team", "whoami"]),
        ("api GET /v2/x", "api", ["GET", "/v2/x"]),
        ("dev -- runs get", "dev", ["--", "runs", "get"]),
        ("--help", None, ["--help"]),
    ],
)
def test_the_command_is_found_after_options(line, name, arguments):
    found, _, rest = registry.find(line.split())
    assert (found, rest) == (name, arguments)


@pytest.mark.parametrize(
    ("line", "meant"),
    [
        ("runs logs x", "runs messages"),
        ("runs kill", "runs stop"),
        ("agents describe x", "agents get"),
        ("profiles ls", "profiles list"),
        ("runs create", "runs start"),
        ("get runs", "runs get"),
        ("ls --json agents", "agents list"),
        ("logs x", "runs messages"),
        ("ps", "runs list"),
        ("stop x", "runs stop"),
        ("profiles delete x", "profiles remove"),
        ("auth login", "profiles add"),
        ("login", "profiles add"),
        ("version", "--version"),
        ("run list", "runs"),
        ("agent list", "agents"),
    ],
)
def test_a_word_of_another_tool_suggests_the_command(line, meant):
    with pytest.raises(UsageError, match=f"did you mean `duvo {meant}`"):
        registry.find(line.split())


@pytest.mark.parametrize("command", ["runs list", "runs watch"])
@pytest.mark.parametrize("status", ["bogus", "failed,Bogus"])
def test_a_word_that_is_not_a_status_is_refused_with_the_list_of_words(command, status):
    with pytest.raises(UsageError, match=r"ogus' is not a status; give any of .*needs_attention"):
        parser.parser_of(command).parse(["--status", status])


@pytest.mark.parametrize(
    ("command", "line", "error"),
    [
        ("runs list", "--limt 3", "unknown option --limt (did you mean `--limit`?);"),
        ("runs stop", "--yess", "unknown option --yess (did you mean `--yes`?);"),
        ("runs get", "--zzz=3", "unknown option --zzz;"),
        ("runs stop", "", "give RUN;"),
        ("runs wait", "--json", "give RUN;"),
    ],
)
def test_unknown_options_are_reported_before_missing_arguments(command, line, error):
    with pytest.raises(UsageError) as caught:
        parser.parser_of(command).parse(line.split())
    assert str(caught.value).startswith(error)


def test_an_unknown_command_suggests_a_similar_one():
    with pytest.raises(UsageError, match="did you mean `duvo runs messages`"):
        registry.find(["runs", "mesages"])


@pytest.mark.parametrize("line", ["runs delete x", "runs rm", "agents remove x", "nonsense"])
def test_an_unknown_command_without_a_counterpart_suggests_nothing(line):
    with pytest.raises(UsageError) as caught:
        registry.find(line.split())
    assert "did you mean" not in str(caught.value)


def test_the_registry_knows_which_common_options_take_a_value():
    common = parser.Parser("whoami")
    common.add_common()
    with_value = {
        option
        for option in common._option_string_actions
        if option.startswith("--") and option not in ("--json", "--debug", "--help")
    }
    assert with_value == registry.OPTIONS_WITH_VALUE


def test_commands_and_modules_correspond():
    folder = Path(duvo_cli.commands.__file__).parent
    modules = {
        ".".join(file.relative_to(folder).with_suffix("").parts)
        for file in folder.rglob("*.py")
        if file.stem != "__init__"
    }
    commands = [*registry.COMMANDS, registry.HIDDEN]
    assert modules == {registry.module_of(command) for command in commands}


@pytest.mark.parametrize("command", registry.COMMANDS)
def test_every_command_has_the_common_options(command):
    command_parser = parser.parser_of(command)
    common = {"--json", "--profile", "--team", "--base-url", "--timeout", "--debug", "--help"}
    assert common <= set(command_parser._option_string_actions)
    assert "%(" not in command_parser.format_help()


def examples_of(command: str) -> list[list[str]]:
    """The arguments of each `duvo` in the examples, without the shell's parts."""
    found = []
    epilog = (parser.parser_of(command).epilog or "").replace("\\\n", "")
    for line in epilog.splitlines():
        if "duvo " in line and line.startswith("  "):
            words = shlex.shlex(line[line.rindex("duvo ") :], posix=True, punctuation_chars=True)
            words.whitespace_split = True
            found.append(list(takewhile(lambda word: word[0] not in "|&<>()", words))[1:])
    return found


@pytest.mark.parametrize("command", registry.COMMANDS)
def test_every_example_in_the_help_can_be_parsed(command):
    examples = examples_of(command)
    assert examples or command == "profiles list"
    for words in examples:
        found, _, arguments = registry.find(words)
        assert found
        own = takewhile(lambda word: word != "--", arguments)
        parser.parser_of(found).parse(list(own))


@pytest.mark.parametrize(
    ("words", "answers"),
    [
        (["--answer", "-1=x"], ["-1=x"]),
        (["--answer", "--x=y"], ["--x=y"]),
        (["--answer=-1=x"], ["-1=x"]),
        (["--answer", "a b=c d", "--answer", "Is a=b?=yes"], ["a b=c d", "Is a=b?=yes"]),
    ],
)
def test_a_value_may_begin_with_a_dash(words, answers):
    args = parser.parser_of("runs respond").parse(["RUN", *words])
    assert (args.run_id, args.answer) == ("RUN", answers)


def test_words_behind_two_dashes_are_not_options():
    args = parser.parser_of("runs get").parse(["--json", "--", "-h", "--x"])
    assert (args.run_ids, args.json) == (["-h", "--x"], True)
    assert parser.parser_of("profiles add").parse(["--", "-x"]).name == "-x"


def test_a_value_may_begin_with_an_equals_sign():
    for words in (["-f", "=b"], ["--field", "=b"], ["-f", "[]=b"]):
        with pytest.raises(UsageError, match=re.escape(f"'{words[1]}' is not KEY=VALUE")):
            parser.parser_of("api").parse(["POST", "/x", *words])


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("--foo", "unknown option --foo; see `duvo --help`"),
        ("runs --jsn", "unknown option --jsn (did you mean `--json`?); see `duvo runs --help`"),
        ("--json", "give a command; see `duvo --help`"),
        ("--team", "--team needs a value; see `duvo --help`"),
        ("runs --limit 1 list", "give --limit after the command's name; see `duvo runs --help`"),
    ],
)
def test_options_without_a_command_are_checked(line, error, capsys):
    assert main(line.split()) == 1
    assert capsys.readouterr().err == f"duvo: {error}\n"


def test_an_option_is_not_taken_for_the_value_of_another():
    with pytest.raises(UsageError, match="--agent needs a value"):
        parser.parser_of("runs start").parse(["--agent", "--follow"])


def test_a_value_that_is_also_an_option_is_attached():
    with pytest.raises(UsageError, match=r"if -h is meant, write --message=-h"):
        parser.parser_of("runs start").parse(["--agent", "A", "--message", "-h"])
    args = parser.parser_of("runs start").parse(["--agent", "A", "--message=-h"])
    assert args.message == "-h"


@pytest.mark.parametrize(
    "line",
    [
        "runs start --agent A --agent B",
        "runs start --agent=A --message x --agent B",
        "runs list --since 2h --since=3h",
        "--profile a runs list --profile b",
        "runs watch --agent a --agent b",
        "api GET /v2/x --input a --input=b",
        "dev --port 1 --port 2",
        "runs messages RUN --tail 3 --tail 4",
    ],
)
def test_an_option_with_two_values_is_refused(line):
    name, _, arguments = registry.find(line.split())
    with pytest.raises(UsageError, match=r"--[a-z]+ is given twice, with '[^']+' and '[^']+'"):
        parser.parser_of(name).parse(arguments)


def options_with_a_value() -> list[tuple[str, str, str]]:
    """Command, and two names of one option, for each option that may not be repeated."""
    return [
        (command, *names)
        for command in registry.COMMANDS
        for action in parser.parser_of(command)._actions
        if action.nargs is None and not isinstance(action, argparse._AppendAction)
        for names in product(action.option_strings, repeat=2)
    ]


def test_no_option_of_any_command_has_two_values():
    cases = options_with_a_value()
    assert len(cases) > 100
    for command, first, second in cases:
        with pytest.raises(UsageError, match="is given twice, with '1' and '2'"):
            parser.parser_of(command).parse([first, "1", second, "2"])


@pytest.mark.parametrize(
    "line",
    [
        "runs list --all --limit 30",
        "runs messages R --offset 0 --tail 0",
        "runs start --agent A --wait --follow",
    ],
)
def test_options_that_exclude_each_other_are_refused(line):
    name, _, arguments = registry.find(line.split())
    with pytest.raises(UsageError, match="not allowed with"):
        parser.parser_of(name).parse(arguments)


def test_a_value_or_a_flag_may_be_repeated():
    line = "--agent A --since=2h --agent=A --since 2h --json --json"
    assert parser.parser_of("runs list").parse(line.split()).agent == "A"


def test_a_value_that_is_not_utf_8_is_refused_unless_it_names_a_file():
    latin_1 = "caf\udce9"
    with pytest.raises(UsageError, match=r"the value of --agent is not UTF-8 text \(byte 0xe9\)"):
        parser.parser_of("runs start").parse(["--agent", latin_1])
    words = ["--agent", "A", "--input", latin_1, "--message-template", f"@{latin_1}"]
    words += ["--answer", f"k=@{latin_1}"]
    with pytest.raises(CommandFailed, match="cannot read"):
        parser.parser_of("runs start-many").parse(words)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "x", ""])
def test_a_timeout_is_a_number_of_seconds_above_zero(text):
    with pytest.raises(UsageError, match="not a number of seconds"):
        parser.parser_of("runs wait").parse(["RUN", "--timeout", text])


@pytest.mark.parametrize("text", ["-1", "1.5", "x", "", "1_0", "٣", "9" * 30])
def test_a_limit_is_a_whole_number(text):
    with pytest.raises(UsageError, match="whole number"):
        parser.parser_of("runs list").parse(["--limit", text])


@pytest.mark.parametrize(
    "line",
    [
        *(f"{name} ''" for name in ("runs get", "runs stop", "runs wait", "runs messages")),
        "runs watch x ''",
        "runs send-message '' --message go",
        "runs respond '' --approve",
        "runs respond x '' --approve",
        "runs respond --all-pending --approve --agent ''",
        "runs start --agent ''",
        "runs start --agent x --sandbox-id ''",
        "runs start-many --input x.csv --message-template m --agent ''",
        "runs list --agent ''",
        "runs list --user ''",
        "runs list --case-queue ''",
        "runs inbox --agent ''",
        "runs watch --agent ''",
        "agents get ''",
        "agents list --team ''",
        "profiles add work --team-id ''",
        "runs stop ' '",
        "runs start --agent ' '",
    ],
)
def test_an_empty_id_is_a_usage_error(line):
    name, _, arguments = registry.find(shlex.split(line))
    with pytest.raises(UsageError, match="is the variable set"):
        parser.parser_of(name).parse(arguments)


@pytest.mark.parametrize(
    "line",
    [
        "runs list --profile ''",
        "runs list --base-url=",
        "runs start-many --agent A --input i.csv --journal ''",
        "runs start-many --agent A --input ''",
        "profiles add ''",
        "dev --database=''",
        "serve a.py --keys-file ''",
        "serve a.py --keys-file ' '",
        "runs list --base-url ' '",
    ],
)
def test_a_setting_that_is_empty_is_a_usage_error(line):
    command, _, arguments = registry.find(shlex.split(line))
    with pytest.raises(UsageError, match="is empty: is the variable set"):
        parser.parser_of(command).parse(arguments)


@pytest.mark.parametrize("command", ["runs respond R", "runs start --agent A --wait"])
@pytest.mark.parametrize(
    ("answer", "why"),
    [("1=", "is the variable"), ("1= ", "is the"), ("1=@FILE", "no text")],
)
def test_an_answer_that_is_empty_is_a_usage_error(command, answer, why, tmp_path):
    file = tmp_path / "empty.txt"
    file.write_text("\n")
    name, _, arguments = registry.find([*command.split(), "--answer"])
    answer = answer.replace("FILE", str(file))
    with pytest.raises(UsageError, match=f"--answer: the answer to '1' is empty: .*{why}"):
        parser.parser_of(name).parse([*arguments, answer])


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("serve ~/x.csv --keys-file k", "files"),
        ("serve a.py --keys-file=~/x.csv", "keys_file"),
        ("serve a.py --keys-file k --tls-cert ~/x.csv", "tls_cert"),
        ("serve a.py --keys-file k --tls-key ~/x.csv", "tls_key"),
        ("dev --database ~/x.csv", "database"),
        ("runs start-many --agent A --input ~/x.csv", "input"),
        ("runs start-many --agent A --input i --journal=~/x.csv", "journal"),
        ("runs start-many --agent A --input i --output ~/x.csv", "output"),
        ("api POST /v2/x --input ~/x.csv", "input"),
    ],
)
def test_a_path_may_begin_with_a_tilde(monkeypatch, line, name):
    monkeypatch.setenv("HOME", "/home/ada")
    command, _, arguments = registry.find(line.split())
    value = getattr(parser.parser_of(command).parse(arguments), name)
    assert value in ("/home/ada/x.csv", ["/home/ada/x.csv"])


@pytest.mark.parametrize(
    ("line", "name", "value"),
    [
        ("serve a.py --keys-file=' /k '", "keys_file", "/k"),
        ("dev --database ' postgresql://me@db.example/runs'", "database", None),
        ("runs start-many --agent A --input - --output=' o.csv '", "output", "o.csv"),
        ("runs list --base-url ' https://x.example '", "base_url", None),
        ("runs list --profile 'work\n'", "profile", None),
        ("runs list --team ' t '", "team", None),
    ],
)
def test_white_space_around_a_setting_is_ignored(line, name, value):
    command, _, arguments = registry.find(shlex.split(line))
    given = getattr(parser.parser_of(command).parse(arguments), name)
    assert given == (value or given.strip())


@pytest.mark.parametrize("line", ["runs list -q", "agents list -q", "runs start --agent A -q"])
@pytest.mark.parametrize("option", ["--json", "--jq ."])
def test_ids_alone_and_json_are_refused_before_anything_is_sent(line, option):
    command, _, arguments = registry.find(shlex.split(f"{line} {option}"))
    with pytest.raises(UsageError, match="-q does not go with --json or --jq"):
        parser.parser_of(command).parse(arguments)
