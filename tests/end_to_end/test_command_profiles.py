"""Profiles: where keys come from, and where they must not appear."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.fake_api import KEY, FakeAPI
from tests.support.command import Command


def test_the_key_is_read_from_stdin_and_saved_in_a_private_file(
    run_duvo_unconfigured: Command,
) -> None:
    done = run_duvo_unconfigured(
        "profiles", "add", "work", "--no-check", "--team-id", "t1", input=f"  {KEY}\n"
    )
    file = Path(os.environ["DUVO_CONFIG_DIR"]) / "profiles.toml"
    assert done.returncode == 0, done.stderr
    assert KEY not in done.stdout + done.stderr
    assert KEY in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.long
def test_the_first_profile_is_the_default_until_another_is_chosen(
    fake_api: FakeAPI, run_duvo_unconfigured: Command
) -> None:
    add = ("profiles", "add", "--no-check")
    run_duvo_unconfigured(*add, "work", "--base-url", fake_api.base_url, input=KEY)
    run_duvo_unconfigured(*add, "other", "--base-url", "http://127.0.0.1:9", input="other-key")
    assert run_duvo_unconfigured("whoami").returncode == 0
    listed = run_duvo_unconfigured("profiles", "list")
    assert [line.split("\t")[:2] for line in listed.stdout.splitlines()] == [
        ["*", "work"],
        ["", "other"],
    ]
    run_duvo_unconfigured("profiles", "use", "other")
    assert run_duvo_unconfigured("whoami").returncode == 1
    assert run_duvo_unconfigured("whoami", DUVO_PROFILE="work").returncode == 0
    removed = run_duvo_unconfigured("profiles", "remove", "other")
    choose = "no profile is the default; choose one: `duvo profiles use work`"
    assert removed.stderr == f"duvo: {choose}\n"
    document = json.loads(run_duvo_unconfigured("profiles", "list", "--json").stdout)
    assert document["default"] is None
    assert [profile["name"] for profile in document["profiles"]] == ["work"]
    done = run_duvo_unconfigured("whoami")
    assert (done.returncode, done.stderr) == (2, f"duvo: no API key: {choose}\n")


def test_names_of_profiles_are_quoted_in_advice(run_duvo_unconfigured: Command) -> None:
    run_duvo_unconfigured("profiles", "add", "a", "--no-check", input=KEY)
    added = run_duvo_unconfigured("profiles", "add", "b c", "--no-check", input=KEY)
    assert added.stderr == "duvo: use it with --profile 'b c'\n"
    unknown = run_duvo_unconfigured("whoami", "--profile", "x y")
    assert unknown.stderr.endswith("add it with `duvo profiles add 'x y'`\n")


def test_removing_an_unknown_profile_lists_the_known_ones(run_duvo_unconfigured: Command) -> None:
    run_duvo_unconfigured("profiles", "add", "a", "--no-check", input=KEY)
    done = run_duvo_unconfigured("profiles", "remove", "x")
    assert (done.returncode, done.stderr) == (
        2,
        "duvo: there is no profile 'x' to remove (profiles: 'a')\n",
    )


def test_lists_do_not_show_keys(run_duvo_unconfigured: Command) -> None:
    key = "dv_abcdefghijklmnopqrstuvwxyz"
    run_duvo_unconfigured("profiles", "add", "long", "--no-check", input=key)
    run_duvo_unconfigured("profiles", "add", "short", "--no-check", input="abc123")
    for arguments in (("profiles", "list"), ("profiles", "list", "--json")):
        out = run_duvo_unconfigured(*arguments).stdout
        assert key[:8] not in out
        assert "abc123" not in out
    assert "…wxyz" in run_duvo_unconfigured("profiles", "list").stdout


def test_a_missing_or_malformed_key_is_one_line(run_duvo_unconfigured: Command) -> None:
    for key in ("", "\n", "a b", "klíč"):
        done = run_duvo_unconfigured("profiles", "add", "work", input=key)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
    assert not Path(os.environ["DUVO_CONFIG_DIR"]).exists()


def test_a_named_profile_overrides_the_environment_with_a_warning(
    fake_api: FakeAPI, run_duvo_with_fake_api: Command
) -> None:
    run_duvo_with_fake_api("profiles", "add", "work", "--base-url", fake_api.base_url, input=KEY)
    done = run_duvo_with_fake_api("whoami", "--profile", "work", DUVO_API_KEY="wrong")
    assert done.returncode == 0
    assert "DUVO_API_KEY" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_broken_profile_file_is_one_line(run_duvo_unconfigured: Command) -> None:
    folder = Path(os.environ["DUVO_CONFIG_DIR"])
    folder.mkdir()
    (folder / "profiles.toml").write_text("[profiles.x]\napi_key = 3\n")
    for arguments in (("profiles", "list"), ("runs", "list"), ("profiles", "use", "x")):
        done = run_duvo_unconfigured(*arguments)
        assert (done.stdout, done.returncode) == ("", 1)
        assert "profiles.toml" in done.stderr
        assert len(done.stderr.splitlines()) == 1


_WITHOUT_HOME = """
import os, pwd, sys

def no_entry(number):
    raise KeyError(number)

pwd.getpwuid = no_entry
for name in ("HOME", "DUVO_CONFIG_DIR", "DUVO_STATE_DIR", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
    os.environ.pop(name, None)

from duvo_cli.__main__ import main

sys.exit(main(sys.argv[1:]))
"""
"""The command for a user without an entry in passwd, as in a container."""


@pytest.mark.long
def test_a_user_without_a_home_directory_needs_none(run_duvo_unconfigured: Command) -> None:
    environment = {**run_duvo_unconfigured.environment, "DUVO_API_KEY": KEY}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _WITHOUT_HOME, *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    listed = run("agents", "list", "--base-url", "http://127.0.0.1:9")
    assert (listed.returncode, len(listed.stderr.splitlines())) == (1, 1)
    assert "127.0.0.1:9" in listed.stderr
    served = run("dev", "--", "echo", "hello")
    assert (served.returncode, served.stdout) == (0, "hello\n"), served.stderr
    for arguments in (["dev"], ["profiles", "use", "work"]):
        refused = run(*arguments)
        assert refused.returncode == 1
        assert "there is no home directory; set DUVO_" in refused.stderr
        assert len(refused.stderr.splitlines()) == 1


@pytest.mark.long
def test_a_key_is_checked_before_it_is_saved(
    fake_api: FakeAPI, run_duvo_unconfigured: Command
) -> None:
    add = ("profiles", "add", "work", "--base-url", fake_api.base_url)
    refused = run_duvo_unconfigured(*add, input="dv_another_key")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (2, 1), refused.stderr
    assert refused.stderr.startswith("duvo: profile work was not saved: ")
    assert refused.stderr.endswith("; check the key that was given [request id req-1]\n")
    assert json.loads(run_duvo_unconfigured("profiles", "list", "--json").stdout)["profiles"] == []
    saved = run_duvo_unconfigured(*add, input=KEY)
    assert saved.returncode == 0
    assert [seen.path for seen in fake_api.requests] == ["/v2/teams", "/v2/teams"]
    unchecked = run_duvo_unconfigured(*add, "--no-check", input="dv_another_key")
    assert (unchecked.returncode, len(fake_api.requests)) == (0, 2)


def test_a_key_is_saved_with_a_warning_where_the_server_cannot_be_reached(
    run_duvo_unconfigured: Command,
) -> None:
    add = ("profiles", "add", "work", "--base-url", "http://127.0.0.1:9")
    saved = run_duvo_unconfigured(*add, input=KEY)
    assert saved.returncode == 0
    warning, _ = saved.stderr.splitlines()
    assert "the key could not be checked" in warning
    assert KEY not in warning
