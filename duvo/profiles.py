"""Profiles: named sets of API key, base URL and team, in a file of the user's config directory.

It is TOML, readable by its owner only, and replaced atomically:

    default = "work"

    [profiles.work]
    api_key = "…"
    team_id = "…"
"""

from __future__ import annotations

from attrs import evolve

from ._errors import ConfigError, UnknownProfile
from ._settings.credentials import DEFAULT_BASE_URL, checked_base_url, checked_id, checked_key
from ._settings.profile_file import LocalEngine, Profile, Profiles, load, locked, path, save

__all__ = [
    "HOSTED",
    "LocalEngine",
    "Profile",
    "Profiles",
    "add",
    "add_engine",
    "load",
    "path",
    "remove",
    "use",
]

HOSTED = DEFAULT_BASE_URL
"""The base URL of a profile without one."""

_OF_ENGINES = "local"


def add(
    name: str,
    api_key: str,
    base_url: str | None = None,
    team_id: str | None = None,
    *,
    default: bool | None = None,
) -> Profile:
    """Add a profile, or replace the profile with this name.

    Args:
        name: the profile's name.
        api_key: the key.
        base_url: the API's origin; None for the hosted API.
        team_id: the team; None to find it by the key.
        default: whether to make it the default; None does so for the first profile, not
            counting those of local engines, if there is no default yet.

    Raises:
        ConfigError: a setting is invalid, or the file cannot be written.
    """
    name = name.strip()
    if not name or not name.isprintable():
        raise ConfigError("a profile's name must be printable and not empty")
    profile = Profile(
        name,
        checked_key(api_key),
        None if base_url is None else checked_base_url(base_url),
        None if team_id is None else checked_id(team_id.strip(), "team"),
    )
    with locked() as known:
        own = [profile for profile in known.profiles.values() if profile.engine is None]
        first = default is None and known.default is None and not own
        save(
            evolve(
                known,
                default=name if default or first else known.default,
                profiles={**known.profiles, name: profile},
            )
        )
    return profile


def add_engine(api_key: str, base_url: str, team_id: str, engine: LocalEngine) -> Profile:
    """Add a profile for a local engine: `local`, or the first free one of `local-2`, `local-3` …

    It replaces the profile of an engine that is not running any more, and never one
    that the user made. It stays in the file when the engine ends.

    Args:
        api_key: the engine's key.
        base_url: the engine's origin.
        team_id: the engine's team.
        engine: the engine.

    Raises:
        ConfigError: the file cannot be written.
    """
    with locked() as known:
        name, number = _OF_ENGINES, 1
        while not _is_free(known.profiles.get(name), engine):
            number += 1
            name = f"{_OF_ENGINES}-{number}"
        profile = Profile(name, api_key, base_url, team_id, engine)
        save(evolve(known, profiles={**known.profiles, name: profile}))
    return profile


def _is_free(profile: Profile | None, engine: LocalEngine) -> bool:
    if profile is None:
        return True
    # An engine that had the port of this one has ended.
    other = profile.engine
    return other is not None and (other.port == engine.port or not other.may_be_running)


def use(name: str) -> None:
    """Make this profile the default.

    Raises:
        UnknownProfile: the file does not have it.
        ConfigError: the file cannot be written.
    """
    with locked() as known:
        save(evolve(known, default=known.named(name).name))


def remove(name: str) -> None:
    """Remove this profile. If it was the default, no other takes its place.

    Raises:
        UnknownProfile: the file does not have it.
        ConfigError: the file cannot be written.
    """
    with locked() as known:
        name = name.strip()
        if name not in known.profiles:
            names = ", ".join(map(repr, sorted(known.profiles))) or "none"
            raise UnknownProfile(f"there is no profile {name!r} to remove (profiles: {names})")
        rest = {key: profile for key, profile in known.profiles.items() if key != name}
        save(Profiles(None if known.default == name else known.default, rest))
