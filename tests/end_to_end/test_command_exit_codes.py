"""Errors: one line on stderr, and an exit code."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.fake_api import KEY, TEAM, DropConnection, FakeAPI, ReceivedRequest
from tests.support.command import Command

NOWHERE = "99999999-9999-4999-8999-999999999999"


@pytest.mark.parametrize(
    ("arguments", "settings", "code"),
    [
        ("runs get nope", {}, 3),
        (f"runs get {NOWHERE}", {}, 3),
        (f"runs messages {NOWHERE}", {}, 3),
        (f"runs wait {NOWHERE}", {}, 3),
        ("runs start --agent Nobody", {}, 3),
        ("agents get Nobody", {}, 3),
        ("api GET /v2/nothing", {}, 3),
        ("runs list", {"DUVO_API_KEY": "wrong"}, 2),
        ("runs list", {"DUVO_API_KEY": ""}, 2),
        ("runs list --profile none", {}, 2),
        ("runs list", {"DUVO_API_BASE_URL": "http://127.0.0.1:9"}, 1),
        ("runs list", {"DUVO_API_BASE_URL": "https://api.duvo.ai/v2"}, 1),
        ("runs list --base-url nonsense", {}, 1),
        ("--json", {}, 1),
        ("runs --json", {}, 1),
        ("nothing", {}, 1),
        ("runs nothing", {}, 1),
        ("--nothing", {}, 1),
        ("runs get", {}, 1),
        ("runs get a b", {}, 1),
        ("runs list --jq .data[", {}, 1),
        ("runs list -q --json", {}, 1),
        ("runs start --agent x -q --wait", {}, 1),
        ("runs list --status ,", {}, 1),
        ("runs list --limit -1", {}, 1),
        ("runs list --limit", {}, 1),
        ("runs list --lim 3", {}, 1),
        ("runs list --since tomorrow", {}, 1),
        ("runs list --since 99999999w", {}, 1),
        ("runs list --since 2026-99-99", {}, 1),
        ("runs respond x", {}, 1),
        ("runs respond x --approve --deny", {}, 1),
        ("runs respond x --approve --answer a=b", {}, 1),
        ("runs respond x --answer nothing", {}, 1),
        ("profiles add work --team-id a --team b", {}, 1),
        ("runs respond --approve", {}, 1),
        ("runs respond x --agent y --approve", {}, 1),
        ("runs respond --all-pending --approve", {}, 1),
        ("runs respond --all-pending --agent x", {}, 1),
        ("runs respond --all-pending --agent x --answer a=b", {}, 1),
        ("runs respond --all-pending --agent x --approve --deny", {}, 1),
        ("runs respond x --all-pending --agent y --approve", {}, 1),
        ("runs respond x y --all-pending --agent y --approve", {}, 1),
        ("runs respond --all-pending --agent Nobody --approve", {}, 3),
        ("runs inbox --agent Nobody", {}, 3),
        ("runs inbox --answer", {}, 1),
        ("runs watch nope", {}, 3),
        (f"runs watch {NOWHERE}", {}, 3),
        ("runs watch --agent Nobody", {}, 3),
        ("runs watch x --agent y", {}, 1),
        ("runs watch x --status running", {}, 1),
        ("runs messages x --follow --limit 3", {}, 1),
        ("runs messages x --offset 1 --tail 1", {}, 1),
        ("runs messages x --on-request approve", {}, 1),
        ("runs start --agent x --answer a=b", {}, 1),
        ("api GET", {}, 1),
        ("api G/ET /v2/teams", {}, 1),
        ("api GET /v2/teams --input -", {}, 1),
        ("api POST /v2/teams --paginate", {}, 1),
        ("api GET https://elsewhere.example/v2/teams", {}, 1),
        ("dev --port 70000", {}, 1),
        ("dev --rate-limit 0", {}, 1),
        ("completion ksh", {}, 1),
        ("help nothing", {}, 1),
        ("profiles use nobody", {}, 2),
        ("profiles remove nobody", {}, 2),
    ],
)
def test_an_error_is_one_line_and_an_exit_code(
    arguments: str, settings: dict[str, str], code: int, run_duvo_with_fake_api: Command
) -> None:
    done = run_duvo_with_fake_api(*arguments.split(), **settings)
    assert done.returncode == code, done.stderr
    assert done.stderr.startswith("duvo: ")
    assert len(done.stderr.splitlines()) == 1
    assert KEY not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (
            ("runs", "get", ""),
            "duvo: argument RUN: empty: is the variable set?; see `duvo runs get --help`",
        ),
        (("runs", "stop", "..", "-y"), "duvo: '..' cannot be the id of the run"),
        (
            ("api", "POST", "/v2/runs//stop"),
            "duvo: the path '/v2/runs//stop' cannot be sent, since it has an empty segment: "
            "is the variable set?",
        ),
    ],
)
def test_an_id_that_cannot_be_a_segment_of_a_path_is_refused_and_nothing_is_sent(
    arguments: tuple[str, ...], line: str, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    done = run_duvo_with_fake_api(*arguments)
    assert (done.returncode, done.stderr, fake_api.requests) == (1, f"{line}\n", [])


@pytest.mark.parametrize("command", ["runs start --agent A -q", "runs messages 12345678"])
@pytest.mark.parametrize("option", ["--exit-status", "--on-request=deny", "--answer=1=a"])
def test_an_option_of_waiting_is_refused_where_nothing_waits(
    command: str, option: str, fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    done = run_duvo_with_fake_api(*command.split(), option)
    name = option.partition("=")[0]
    assert done.stderr.startswith(f"duvo: {name} goes with waiting or following; see `duvo runs ")
    assert (done.returncode, fake_api.requests) == (1, [])


@pytest.mark.parametrize(
    ("arguments", "settings", "advice"),
    [
        ("whoami", {"DUVO_API_KEY": "wrong"}, "or `duvo profiles list`"),
        ("whoami --profile none", {}, "add it with `duvo profiles add none`"),
        ("whoami --base-url=", {}, "--base-url is empty"),
        ("runs start --agent Nobody", {}, "`duvo agents list` lists the agents"),
        ("runs get abcdef", {}, "list runs with `duvo runs list`"),
        ("runs respond {waiting} --answer x=y", {}, "duvo runs respond {waiting} --approve"),
        ("runs send-message {run} --message hello", {}, "`duvo runs messages {run}` shows whether"),
    ],
)
def test_an_error_advises_commands(
    arguments: str,
    settings: dict[str, str],
    advice: str,
    fake_api: FakeAPI,
    run_duvo_with_fake_api: Command,
) -> None:
    ids = {"run": fake_api.start(), "waiting": fake_api.start("waiting")}
    fake_api.ask(ids["waiting"])

    def drop_changes(seen: ReceivedRequest) -> None:
        if seen.method == "POST":
            raise DropConnection

    fake_api.before = drop_changes
    done = run_duvo_with_fake_api(*arguments.format(**ids).split(), **settings)
    assert advice.format(**ids) in done.stderr
    assert "client." not in done.stderr
    assert "=," not in done.stderr


def test_a_failing_server_is_one_line(fake_api: FakeAPI, run_duvo_with_fake_api: Command) -> None:
    fake_api.before = lambda seen: (500, {"error": "internal", "message": "\x1b[31mred\nlines"})
    done = run_duvo_with_fake_api("api", "POST", "/v2/x")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "\x1b" not in done.stderr


def test_debug_logs_each_request_without_the_key(run_duvo_with_fake_api: Command) -> None:
    for arguments, settings in ((("--debug",), {}), ((), {"DUVO_DEBUG": "1"})):
        done = run_duvo_with_fake_api("runs", "list", *arguments, **settings)
        assert re.search(rf"duvo: GET /v2/teams/{TEAM}/runs.* 200 ", done.stderr)
        assert "req-" in done.stderr
        assert KEY not in done.stderr
    for off in ("0\r", "False"):
        quiet = run_duvo_with_fake_api("runs", "list", DUVO_DEBUG=off)
        assert quiet.stderr == "duvo: no runs\n"


@pytest.mark.long
@pytest.mark.parametrize("config", ["none", "invalid", "unreadable", "folder"])
def test_help_and_version_work_without_settings_or_network(
    config: str, run_duvo_unconfigured: Command, tmp_path: Path
) -> None:
    folder = Path(os.environ["DUVO_CONFIG_DIR"])
    folder.mkdir()
    file = folder / "profiles.toml"
    if config == "invalid":
        file.write_text("= nonsense [")
    elif config == "unreadable":
        file.symlink_to(file)
    elif config == "folder":
        file.mkdir()
    for arguments in (
        "",
        "runs",
        "--version",
        "--help",
        "runs --help",
        "runs start --help",
        "help",
        "help exit-codes",
        "help environment",
        "help runs list",
        "dev --help",
    ):
        done = run_duvo_unconfigured(*arguments.split(), HOME="", COLUMNS="80")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout
        again = run_duvo_unconfigured(*arguments.split(), COLUMNS="80")
        assert again.stdout == done.stdout


def test_the_help_option_and_the_help_command_print_the_same(
    run_duvo_unconfigured: Command,
) -> None:
    assert (
        run_duvo_unconfigured("help", "runs", "start").stdout
        == run_duvo_unconfigured("runs", "start", "--help").stdout
    )
    overview = run_duvo_unconfigured("--help").stdout
    assert run_duvo_unconfigured("help").stdout == run_duvo_unconfigured().stdout == overview
    assert run_duvo_unconfigured("runs").stdout == run_duvo_unconfigured("runs", "--help").stdout


def test_the_package_can_be_run_as_the_command(run_duvo_unconfigured: Command) -> None:
    module = [sys.executable, "-m", "duvo"]
    environment = run_duvo_unconfigured.environment
    for arguments, code in ((["--version"], 0), (["runs", "list"], 2)):
        done = subprocess.run(
            [*module, *arguments], env=environment, capture_output=True, text=True
        )
        same = run_duvo_unconfigured(*arguments)
        assert (done.returncode, done.stdout, done.stderr) == (code, same.stdout, same.stderr)
