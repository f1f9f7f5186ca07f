"""Settings: arguments, then the environment, then the profile file."""

from __future__ import annotations

import errno
import fcntl
import logging
import pwd
import stat
from pathlib import Path

import pytest

import duvo
from duvo import profiles
from tests.servers.fake_api import KEY, TEAM, FakeAPI


@pytest.fixture
def work() -> None:
    """Add the profile `work`, which is the default."""
    profiles.add("work", "dv_work", "https://work.example", "team-work")


def settings(client: duvo.Client) -> tuple[str, str, str | None]:
    return client.settings.api_key, client.settings.base_url, client.settings.team_id


def test_arguments_take_precedence_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    monkeypatch.setenv("DUVO_API_BASE_URL", "https://env.example")
    monkeypatch.setenv("DUVO_TEAM_ID", "team-env")
    assert settings(duvo.Client()) == ("dv_env", "https://env.example", "team-env")
    given = duvo.Client("dv_arg", "https://arg.example", "team-arg")
    assert settings(given) == ("dv_arg", "https://arg.example", "team-arg")


def test_the_environment_takes_precedence_over_the_profile_file(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(duvo.Client()) == ("dv_work", "https://work.example", "team-work")
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    assert settings(duvo.Client()) == ("dv_env", "https://work.example", "team-work")


def test_the_environment_can_name_a_profile(work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles.add("other", "dv_other")
    monkeypatch.setenv("DUVO_PROFILE", "other")
    assert settings(duvo.Client()) == ("dv_other", "https://api.duvo.ai", None)


def test_a_profile_named_in_the_call_is_used_whole_and_ignored_variables_are_logged(
    work: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    profiles.add("bare", "dv_bare")
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    monkeypatch.setenv("DUVO_API_BASE_URL", "https://env.example")
    assert settings(duvo.Client(profile="work")) == (
        "dv_work",
        "https://work.example",
        "team-work",
    )
    assert settings(duvo.Client(profile="bare")) == ("dv_bare", "https://api.duvo.ai", None)
    warnings = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert warnings[0] == (
        "profile 'work' was given: ignoring DUVO_API_KEY and DUVO_API_BASE_URL from the environment"
    )


def test_the_team_of_the_profile_is_used_where_the_environment_names_none(
    work: None, fake_api: FakeAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_API_KEY", KEY)
    monkeypatch.setenv("DUVO_API_BASE_URL", fake_api.base_url)
    assert duvo.Client().team_id == "team-work"
    assert duvo.Client(api_key=KEY).team_id == TEAM


def test_a_missing_key_is_an_error_that_says_what_to_do() -> None:
    with pytest.raises(
        duvo.MissingCredential, match=r"DUVO_API_KEY.*duvo.profiles.add.*duvo.local.Server"
    ):
        duvo.Client()


def test_an_unknown_profile_is_an_error_that_lists_all_profiles(work: None) -> None:
    with pytest.raises(duvo.UnknownProfile, match=r"'prod'.*profiles: work"):
        duvo.Client(profile="prod")


def test_the_profile_file_is_readable_only_by_its_owner(work: None) -> None:
    assert stat.S_IMODE(profiles.path().stat().st_mode) == 0o600
    assert stat.S_IMODE(profiles.path().parent.stat().st_mode) == 0o700
    assert [file.name for file in profiles.path().parent.iterdir()] == ["profiles.toml"]


def test_profiles_are_added_used_and_removed(work: None) -> None:
    profiles.add("other", "dv_other")
    assert profiles.load().default == "work"
    profiles.use("other")
    assert profiles.load().default == "other"
    profiles.remove("other")
    assert profiles.load() == profiles.Profiles(None, {"work": profiles.load().named("work")})


def test_what_else_the_profile_file_contains_is_kept() -> None:
    profiles.path().parent.mkdir()
    profiles.path().write_text(
        '# of the team\ndefault = "work" # for now\n\n'
        '[profiles.work]\napi_key = "dv_work" # rotate in May\nnote = "mine"\n\n'
        "[other.tool]\nx = 1\n\n"
        '[profiles."old one"]\napi_key = "dv_old"\n'
    )
    engine = profiles.LocalEngine(7600, 1)
    profiles.add("b.c", "dv_new", "http://127.0.0.1:7600")
    profiles.add_engine("dv_engine", "http://127.0.0.1:7600", "team", engine)
    profiles.remove("old one")
    profiles.add("work", "dv_newer")
    assert profiles.path().read_text() == (
        '# of the team\ndefault = "work" # for now\n\n'
        '[profiles.work]\napi_key = "dv_newer" # rotate in May\nnote = "mine"\n\n'
        '[profiles."b.c"]\napi_key = "dv_new"\nbase_url = "http://127.0.0.1:7600"\n\n'
        '[profiles.local]\napi_key = "dv_engine"\nbase_url = "http://127.0.0.1:7600"\n'
        'team_id = "team"\n\n[profiles.local.engine]\nport = 7600\npid = 1\n'
        "[other.tool]\nx = 1\n\n"
    )
    assert profiles.load().profiles["local"].engine == engine


@pytest.mark.parametrize(
    "text",
    [
        "profiles = {a = {api_key = 'k'}}\n",
        "profiles.a.api_key = 'k'\nprofiles.a.team_id = 't'\n",
        "profiles.a.api_key = 'k'\nprofiles.b.api_key = 'l'\nprofiles.b.note = 'm'\n",
        "[profiles]\na.api_key = 'k'\na.base_url = 'http://127.0.0.1:9'\na.team_id = 't'\n",
        "default = 'b'\n",
    ],
)
def test_a_profile_file_in_any_form_of_toml_is_changed(text: str) -> None:
    profiles.path().parent.mkdir()
    profiles.path().write_text(text)
    before = profiles.load().profiles
    profiles.add("new", "dv_new")
    profiles.use("new")
    assert set(profiles.load().profiles) == {*before, "new"}
    assert ("note" in text) == ("note" in profiles.path().read_text())
    assert profiles.load().default == "new"
    profiles.remove("new")
    assert profiles.load() == profiles.Profiles(None, before)
    profiles.add("a", "dv_a")
    known = profiles.load().profiles
    assert known == {**before, "a": profiles.Profile("a", "dv_a")}


def test_a_failed_write_leaves_the_profile_file_unchanged(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = profiles.path().read_bytes()

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(duvo.ConfigError, match="No space left"):
        profiles.add("other", "dv_other")
    assert profiles.path().read_bytes() == before
    assert len(list(profiles.path().parent.iterdir())) == 1


def test_the_repr_of_a_profile_does_not_show_its_key(work: None) -> None:
    assert "dv_work" not in repr(profiles.load()) + repr(profiles.load().named("work"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profiles = [", "not valid TOML"),
        ("profiles = 3", "no valid"),
        ("[profiles.x]\nbase_url = 'https://x.example'", "'x'.*needs text for api_key"),
        ("[profiles.x]\napi_key = 3", "needs text for api_key; edit the file"),
        ("[profiles.x]\napi_key = ' '", "needs text for api_key"),
        # Not the default host.
        ("[profiles.x]\napi_key = 'k'\nbase_url = ''", "needs text for base_url"),
        ("[profiles.x]\napi_key = 'k'\nteam_id = ' '", "needs text for team_id"),
    ],
)
def test_a_damaged_profile_file_is_an_error_that_names_it(text: str, says: str) -> None:
    profiles.path().parent.mkdir()
    profiles.path().write_text(text)
    with pytest.raises(duvo.ConfigError, match=says) as caught:
        duvo.Client()
    assert "profiles.toml" in str(caught.value)


@pytest.mark.parametrize("name", ["api_key", "base_url", "team_id", "profile"])
@pytest.mark.parametrize("value", ["", " \t\n"])
def test_an_argument_that_is_empty_is_refused(
    work: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    with pytest.raises(duvo.ConfigError, match=f"{name} is empty"):
        duvo.Client(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["DUVO_API_KEY", "DUVO_API_BASE_URL"])
@pytest.mark.parametrize("value", ["", "\n"])
def test_a_key_or_base_url_that_is_empty_in_the_environment_is_refused(
    work: None, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    monkeypatch.setenv(name, value)
    with pytest.raises(duvo.ConfigError, match=f"{name} is empty: unset it"):
        duvo.Client()
    assert duvo.Client(profile="work").settings.api_key == "dv_work"


@pytest.mark.parametrize("name", ["DUVO_TEAM_ID", "DUVO_PROFILE"])
def test_a_team_or_profile_that_is_empty_in_the_environment_counts_as_unset(
    work: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, " ")
    assert settings(duvo.Client()) == ("dv_work", "https://work.example", "team-work")


def test_white_space_around_settings_is_ignored(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_PROFILE", "work\n")
    assert settings(duvo.Client()) == ("dv_work", "https://work.example", "team-work")
    monkeypatch.setenv("DUVO_API_KEY", "dv_env\r\n")
    monkeypatch.setenv("DUVO_API_BASE_URL", " https://env.example/\n")
    monkeypatch.setenv("DUVO_TEAM_ID", "team-env\r")
    assert settings(duvo.Client()) == ("dv_env", "https://env.example", "team-env")
    given = duvo.Client(" dv_arg", "https://arg.example ", "team-arg\n")
    assert settings(given) == ("dv_arg", "https://arg.example", "team-arg")


def test_white_space_around_the_settings_of_profiles_is_ignored() -> None:
    profiles.path().parent.mkdir()
    profiles.path().write_text(
        "default = 'work '\n[profiles.work]\napi_key = ' dv_work'\n"
        "base_url = 'https://work.example/ '\nteam_id = 'team-work '\n"
    )
    work = ("dv_work", "https://work.example", "team-work")
    assert settings(duvo.Client()) == work
    profiles.add("other\n", "dv_other\n", " https://other.example\n", "team-other\r")
    profiles.use("other ")
    assert settings(duvo.Client()) == ("dv_other", "https://other.example", "team-other")
    profiles.remove(" other")
    assert settings(duvo.Client(profile="work")) == work


@pytest.mark.parametrize(
    ("empty", "says"),
    [
        ({"name": " "}, "name must be printable and not empty"),
        ({"api_key": " "}, "the API key is empty"),
        ({"base_url": ""}, "the base URL is empty"),
        ({"base_url": "\n"}, "the base URL is empty"),
        ({"team_id": " "}, "the id of the team is empty"),
    ],
)
def test_an_empty_setting_is_not_saved_in_a_profile(empty: dict[str, str], says: str) -> None:
    with pytest.raises(duvo.ConfigError, match=says):
        profiles.add(**{"name": "work", "api_key": "dv_work", **empty})
    assert profiles.load() == profiles.Profiles()


def test_white_space_around_the_user_agent_is_ignored_and_an_empty_one_refused(
    fake_api: FakeAPI,
) -> None:
    with duvo.Client(KEY, fake_api.base_url, user_agent=" nightly/1\n") as client:
        client.teams.list()
    assert fake_api.requests[0].headers["user-agent"].startswith("nightly/1 duvo-python/")
    with pytest.raises(duvo.ConfigError, match="user_agent is empty"):
        duvo.Client(KEY, user_agent=" ")


def test_the_config_directory_may_begin_with_a_tilde_and_end_with_a_line_break(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DUVO_CONFIG_DIR", "~/cfg\n")
    profiles.add("work", "dv_work")
    assert (tmp_path / "home" / "cfg" / "profiles.toml").is_file()
    assert not (tmp_path / "~").exists()


@pytest.mark.parametrize("exists", [True, False])
def test_a_profile_file_that_is_a_link_is_written_through_it(tmp_path: Path, exists: bool) -> None:
    dotfile = tmp_path / "dotfiles.toml"
    if exists:
        dotfile.touch()
    profiles.path().parent.mkdir()
    profiles.path().symlink_to(dotfile)
    profiles.add("work", "dv_work")
    assert profiles.path().is_symlink()
    assert "dv_work" in dotfile.read_text()


def test_profiles_are_kept_where_files_cannot_be_locked(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    profiles.add("work", "dv_work")
    assert profiles.load().default == "work"


@pytest.mark.parametrize("home", [None, "/dev/null"])
def test_without_a_home_directory_there_are_no_profiles(
    monkeypatch: pytest.MonkeyPatch, home: str | None
) -> None:
    monkeypatch.delenv("DUVO_CONFIG_DIR")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    _set_home(monkeypatch, home)
    assert profiles.load() == profiles.Profiles()
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    assert duvo.Client().settings.api_key == "dv_env"
    with pytest.raises(duvo.UnknownProfile if home else duvo.ConfigError):
        duvo.Client(profile="work")
    with pytest.raises(duvo.ConfigError, match="profile file"):
        profiles.add("work", "dv_work")


def _set_home(monkeypatch: pytest.MonkeyPatch, home: str | None) -> None:
    if home is not None:
        monkeypatch.setenv("HOME", home)
        return

    def no_entry(_: object) -> None:
        raise KeyError

    monkeypatch.delenv("HOME")
    monkeypatch.setattr(pwd, "getpwuid", no_entry)


def test_a_profile_file_that_its_owner_may_not_read_is_an_error(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deny_reading(monkeypatch)
    with pytest.raises(duvo.ConfigError, match="cannot read the profile file"):
        profiles.load()


def test_a_profile_file_in_the_directory_of_another_user_is_ignored(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _deny_reading(monkeypatch)
    monkeypatch.setattr(Path, "stat", _denied)
    assert profiles.load() == profiles.Profiles()


def _deny_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "read_text", _denied)


def _denied(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, "Permission denied")
