"""Settings: arguments, then the environment, then the profile file."""

from __future__ import annotations

import logging
import stat
from pathlib import Path

import pytest

import duvo
from duvo import profiles
from tests.servers.fake_api import KEY, TEAM, Hosted


@pytest.fixture
def work() -> None:
    """A profile of that name, which is the default one."""
    profiles.add("work", "dv_work", "https://work.example", "team-work")


def settings(client: duvo.Client) -> tuple[str, str, str | None]:
    return client.settings.api_key, client.settings.base_url, client.settings.team_id


def test_arguments_beat_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    monkeypatch.setenv("DUVO_API_BASE_URL", "https://env.example")
    monkeypatch.setenv("DUVO_TEAM_ID", "team-env")
    assert settings(duvo.Client()) == ("dv_env", "https://env.example", "team-env")
    given = duvo.Client("dv_arg", "https://arg.example", "team-arg")
    assert settings(given) == ("dv_arg", "https://arg.example", "team-arg")


def test_the_environment_beats_the_profile_file(
    work: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settings(duvo.Client()) == ("dv_work", "https://work.example", "team-work")
    monkeypatch.setenv("DUVO_API_KEY", "dv_env")
    assert settings(duvo.Client()) == ("dv_env", "https://work.example", "team-work")


def test_the_environment_names_a_profile(work: None, monkeypatch: pytest.MonkeyPatch) -> None:
    profiles.add("other", "dv_other")
    monkeypatch.setenv("DUVO_PROFILE", "other")
    assert settings(duvo.Client()) == ("dv_other", "https://api.duvo.ai", None)


def test_a_profile_named_in_the_call_travels_together_and_says_what_is_passed_over(
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
    told = [one.getMessage() for one in caplog.records if one.levelno == logging.WARNING]
    assert told[0] == (
        "profile 'work' was given: ignoring DUVO_API_KEY and DUVO_API_BASE_URL from the environment"
    )


def test_the_team_of_the_profile_is_used_where_the_environment_names_none(
    work: None, hosted: Hosted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DUVO_API_KEY", KEY)
    monkeypatch.setenv("DUVO_API_BASE_URL", hosted.base_url)
    assert duvo.Client().team_id == "team-work"
    assert duvo.Client(api_key=KEY).team_id == TEAM


def test_no_key_anywhere_says_what_to_do() -> None:
    with pytest.raises(duvo.MissingCredential, match=r"DUVO_API_KEY.*profiles add.*duvo dev"):
        duvo.Client()


def test_an_unknown_profile_lists_those_that_there_are(work: None) -> None:
    with pytest.raises(duvo.UnknownProfile, match=r"'prod'.*profiles: work"):
        duvo.Client(profile="prod")


def test_the_profile_file_is_readable_by_its_owner_alone(work: None) -> None:
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


def test_a_write_that_fails_leaves_the_file_as_it_was(
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


def test_a_key_never_shows_in_a_repr(work: None) -> None:
    assert "dv_work" not in repr(profiles.load()) + repr(profiles.load().named("work"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("profiles = [", "not valid TOML"),
        ("profiles = 3", "no valid"),
        ("[profiles.x]\nbase_url = 'https://x.example'", "'x'.*needs text for api_key"),
        ("[profiles.x]\napi_key = 3", "needs text for api_key"),
    ],
)
def test_a_damaged_profile_file_is_told_by_name(text: str, says: str) -> None:
    profiles.path().parent.mkdir()
    profiles.path().write_text(text)
    with pytest.raises(duvo.ConfigError, match=says) as caught:
        duvo.Client()
    assert "profiles.toml" in str(caught.value)
