"""The file of profiles, in TOML: read, locked, and replaced in one step."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path

from attrs import asdict, field, frozen

from .._advice import words
from .._errors import ConfigError, UnknownProfile
from . import locks, processes

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SETTINGS = ("api_key", "base_url", "team_id")


@frozen
class LocalEngine:
    """The engine on this machine that a profile belongs to.

    Attributes:
        port: the port that it listens on.
        pid: its process.
    """

    port: int
    pid: int

    @property
    def may_be_running(self) -> bool:
        """Whether there is a process with its number."""
        return processes.is_running(self.pid)


@frozen
class Profile:
    """A named set of settings. The repr never shows the key.

    Attributes:
        name: the name, for `--profile` and `DUVO_PROFILE`.
        api_key: the key.
        base_url: the API's origin, or None for the hosted API.
        team_id: the team, or None to find it by the key.
        engine: the local engine that `duvo dev` made the profile for, or None.
            The settings of such a profile are only used together.
    """

    name: str
    api_key: str = field(repr=False)
    base_url: str | None = None
    team_id: str | None = None
    engine: LocalEngine | None = None


@frozen
class Profiles:
    """The profiles in the file.

    Attributes:
        default: the name of the default profile, or None.
        profiles: the profiles by name.
    """

    default: str | None = None
    profiles: dict[str, Profile] = field(factory=dict)

    def named(self, name: str) -> Profile:
        """Return the profile with this name.

        Raises:
            UnknownProfile: the file does not have it.
        """
        try:
            return self.profiles[name.strip()]
        except KeyError:
            known = ", ".join(sorted(self.profiles)) or "none yet"
            raise UnknownProfile(
                f"{path()} has no profile {name!r} (profiles: {known}); "
                + words().add_profile(name)
            ) from None

    @property
    def choices(self) -> list[str]:
        """The names of the user's own profiles, if none is the default."""
        if self.default is not None:
            return []
        return sorted(name for name, profile in self.profiles.items() if not profile.engine)

    def local(self) -> Profile | None:
        """Return the profile of a local engine, if possible one that is running."""
        of_engines = [profile for profile in self.profiles.values() if profile.engine]
        for profile in of_engines:
            if profile.engine and profile.engine.may_be_running:
                return profile
        return of_engines[0] if of_engines else None


def path() -> Path:
    """Return the path: `profiles.toml` in `DUVO_CONFIG_DIR`, or in the user's config directory."""
    named = os.environ.get("DUVO_CONFIG_DIR", "").strip()
    try:
        if named:
            return Path(named).expanduser() / "profiles.toml"
        import platformdirs

        return platformdirs.user_config_path("duvo") / "profiles.toml"
    except RuntimeError:
        raise ConfigError(
            "the profile file has no place, since there is no home directory; "
            "set DUVO_CONFIG_DIR to a directory"
        ) from None


def load() -> Profiles:
    """Return all profiles; none if the file does not exist.

    Raises:
        ConfigError: the file cannot be read, or is malformed.
    """
    try:
        file = path()
    except ConfigError:
        return Profiles()
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return Profiles()
    except OSError as error:
        if _is_out_of_reach(file):
            return Profiles()
        raise ConfigError(f"cannot read the profile file {file}: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(f"the profile file {file} is not valid TOML: {error}") from None
    return _from_toml(data, file)


def _from_toml(data: dict[str, object], file: Path) -> Profiles:
    entries = data.get("profiles", {})
    default = data.get("default")
    if not isinstance(entries, dict) or not (default is None or isinstance(default, str)):
        raise ConfigError(f"the profile file {file} has no valid `default` or [profiles.NAME]")
    profiles = {}
    for name, entry in entries.items():
        given = {"api_key": None, **(entry if isinstance(entry, dict) else {})}
        settings = {key: _text(given[key]) for key in _SETTINGS if key in given}
        # An empty base URL must not turn into the default host.
        if wrong := [key for key, text in settings.items() if not text]:
            raise ConfigError(
                f"the profile {name!r} in {file} needs text for {', '.join(wrong)}; edit the file"
            )
        profiles[name] = Profile(name, **settings, engine=_engine(given.get("engine")))
    return Profiles(_text(default) or None, profiles)


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""


def _engine(entry: object) -> LocalEngine | None:
    numbers = [entry.get(key) for key in ("port", "pid")] if isinstance(entry, dict) else []
    port, pid = numbers or (None, None)
    if isinstance(port, int) and isinstance(pid, int):
        return LocalEngine(port, pid)
    return None


def _is_out_of_reach(file: Path) -> bool:
    """Whether the file is in a directory of another user, as with another user's HOME."""
    try:
        file.stat()
    except PermissionError:
        return True
    except OSError:
        return False
    return False


@contextlib.contextmanager
def locked() -> Iterator[Profiles]:
    """Load the profiles, and keep other processes from changing the file."""
    directory = _target().parent
    with contextlib.ExitStack() as lock:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            # Even without a lock, the file is replaced in one step.
            lock.enter_context(locks.locked(directory))
        except OSError as error:
            raise ConfigError(f"cannot write the profile file {path()}: {error.strerror}") from None
        yield load()


def _target() -> Path:
    """The file itself, if the path is a link: as one of a folder of dotfiles."""
    try:
        return path().resolve()
    except (OSError, RuntimeError) as error:
        raise ConfigError(f"cannot write the profile file {path()}: {error}") from None


def save(profiles: Profiles) -> None:
    """Replace the file; the profiles must have been loaded by `locked`.

    What the file has besides, comments and other keys, stays in it.
    """
    import tomlkit

    file = _target()
    before = file.read_text(encoding="utf-8") if file.exists() else ""
    try:
        text = tomlkit.dumps(_changed(tomlkit.parse(before), profiles))
        is_right = _from_toml(tomllib.loads(text), file) == profiles
    except (ValueError, LookupError, TypeError, AttributeError):
        is_right = False
    if not is_right:
        # tomlkit may fail to change dotted keys, or change another table. Then comments
        # and layout are lost.
        text = tomlkit.dumps(_changed(tomllib.loads(before), profiles))
    _replace(file, text)


def _changed(document: MutableMapping[str, Any], profiles: Profiles) -> MutableMapping[str, Any]:
    import tomlkit

    _set(document, {"default": profiles.default or None})
    entries = document.setdefault("profiles", tomlkit.table(is_super_table=True))
    for name in set(entries) - set(profiles.profiles):
        del entries[name]
    for name, profile in profiles.profiles.items():
        settings = asdict(profile)
        values = {key: settings[key] or None for key in (*_SETTINGS, "engine")}
        if name in entries:
            _set(entries[name], values)
        else:
            entries[name] = {key: value for key, value in values.items() if value is not None}
    return document


def _set(table: MutableMapping[str, object], values: Mapping[str, object]) -> None:
    """Set the values that differ in a table, and remove those that are None."""
    for key, value in values.items():
        if value is None:
            table.pop(key, None)
        elif table.get(key) != value:
            table[key] = value


def _replace(file: Path, text: str) -> None:
    # mkstemp creates the file with mode 0600.
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
