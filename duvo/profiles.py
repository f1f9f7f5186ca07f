"""The profile file: named sets of key, base URL and team, in the user's config folder.

It is TOML, readable by its owner alone, and replaced in one step when it changes:

    default = "work"

    [profiles.work]
    api_key = "…"
    team_id = "…"
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, field, frozen

from ._credentials import checked_base_url, checked_key
from ._errors import ConfigError, UnknownProfile

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib


@frozen
class Profile:
    """One named set of settings. Its repr never shows the key.

    Attributes:
        name: how `--profile` and `DUVO_PROFILE` call it.
        api_key: the key.
        base_url: the API's origin, or None for the default.
        team_id: the team, or None to derive it from the key.
    """

    name: str
    api_key: str = field(repr=False)
    base_url: str | None = None
    team_id: str | None = None


@frozen
class Profiles:
    """All profiles of the file.

    Attributes:
        default: name of the profile that is used when none is named, or None.
        profiles: the profiles by name.
    """

    default: str | None = None
    profiles: dict[str, Profile] = field(factory=dict)

    def named(self, name: str) -> Profile:
        """The profile of that name.

        Raises:
            UnknownProfile: there is none.
        """
        try:
            return self.profiles[name]
        except KeyError:
            known = ", ".join(sorted(self.profiles)) or "none yet"
            raise UnknownProfile(
                f"there is no profile {name!r} in {path()} (there: {known}); "
                f"`duvo profiles add {name}` makes it"
            ) from None


def path() -> Path:
    """Where the file is: `profiles.toml` in `DUVO_CONFIG_DIR`, or the user's config folder."""
    folder = os.environ.get("DUVO_CONFIG_DIR")
    if folder:
        return Path(folder) / "profiles.toml"
    import platformdirs

    return platformdirs.user_config_path("duvo") / "profiles.toml"


def load() -> Profiles:
    """All profiles; none when the file is not there.

    Raises:
        ConfigError: the file cannot be read, or is not what it should be.
    """
    file = path()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Profiles()
    except OSError as error:
        raise ConfigError(f"cannot read the profile file {file}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"the profile file {file} is not valid TOML: {error}") from None
    return _from_toml(data, file)


def add(
    name: str,
    api_key: str,
    base_url: str | None = None,
    team_id: str | None = None,
    *,
    default: bool | None = None,
) -> Profile:
    """Add a profile, or replace the one of that name.

    Args:
        name: what to call it.
        api_key: its key.
        base_url: the API's origin; None for the hosted API.
        team_id: its team; None to derive it from the key.
        default: make it the default one; None does so when it is the first.

    Raises:
        ConfigError: a setting that cannot work, or a file that cannot be written.
    """
    if not name or not name.isprintable() or name != name.strip():
        raise ConfigError("a profile's name must be printable and not empty")
    profile = Profile(
        name, checked_key(api_key), checked_base_url(base_url) if base_url else None, team_id
    )
    with _alone():
        known = load()
        first = default is None and not known.profiles
        _save(
            evolve(
                known,
                default=name if default or first else known.default,
                profiles={**known.profiles, name: profile},
            )
        )
    return profile


def use(name: str) -> None:
    """Make that profile the default one.

    Raises:
        UnknownProfile: there is none of that name.
        ConfigError: the file cannot be written.
    """
    with _alone():
        known = load()
        known.named(name)
        _save(evolve(known, default=name))


def remove(name: str) -> None:
    """Remove that profile; when it was the default one, there is none afterwards.

    Raises:
        UnknownProfile: there is none of that name.
        ConfigError: the file cannot be written.
    """
    with _alone():
        known = load()
        known.named(name)
        rest = {key: profile for key, profile in known.profiles.items() if key != name}
        _save(Profiles(None if known.default == name else known.default, rest))


def _from_toml(data: dict[str, object], file: Path) -> Profiles:
    entries = data.get("profiles", {})
    default = data.get("default")
    if not isinstance(entries, dict) or not (default is None or isinstance(default, str)):
        raise ConfigError(f"the profile file {file} has no valid `default` and [profiles.NAME]")
    profiles = {}
    for name, entry in entries.items():
        settings = entry if isinstance(entry, dict) else {}
        wrong = [
            key
            for key in ("api_key", "base_url", "team_id")
            if not isinstance(settings.get(key, "" if key != "api_key" else None), str)
        ]
        if wrong:
            raise ConfigError(
                f"the profile {name!r} in {file} needs text for {', '.join(wrong)}; "
                f"`duvo profiles add {name}` writes it anew"
            )
        profiles[name] = Profile(
            name,
            settings["api_key"],
            settings.get("base_url") or None,
            settings.get("team_id") or None,
        )
    return Profiles(default, profiles)


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Let nobody else change the file meanwhile."""
    folder = path().parent
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise ConfigError(f"cannot write the profile file {path()}: {error.strerror}") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _save(profiles: Profiles) -> None:
    import tomli_w

    data: dict[str, object] = {}
    if profiles.default:
        data["default"] = profiles.default
    data["profiles"] = {
        profile.name: {
            key: value
            for key, value in (
                ("api_key", profile.api_key),
                ("base_url", profile.base_url),
                ("team_id", profile.team_id),
            )
            if value
        }
        for profile in profiles.profiles.values()
    }
    _replace(path(), tomli_w.dumps(data))


def _replace(file: Path, text: str) -> None:
    # mkstemp makes the file 0600; only the rename makes it seen.
    try:
        handle, name = tempfile.mkstemp(dir=file.parent, prefix=".profiles-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
            Path(name).replace(file)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                Path(name).unlink()
            raise
    except OSError as error:
        raise ConfigError(f"cannot write the profile file {file}: {error.strerror}") from None
