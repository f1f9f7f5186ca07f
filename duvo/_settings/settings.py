"""Settings of a client: from arguments, then the environment, then the profile file."""

from __future__ import annotations

import logging
import os

from .._advice import words
from .._errors import ConfigError, MissingCredential
from .arguments import checked_count, checked_text, checked_timeout
from .credentials import DEFAULT_BASE_URL, checked_base_url, checked_id, checked_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from .profile_file import Profile

logger = logging.getLogger("duvo")

DEFAULT_TIMEOUT = 30.0
DEFAULT_MAX_RETRIES = 3

_LONGEST_TIMEOUT = 86_400.0


class Settings:
    """The settings of a client. The repr never shows the key.

    Attributes:
        api_key: the key.
        base_url: the API's origin.
        team_id: the team, or None if it is yet to be found.
        profile: the name of the profile that was used, or None.
        team_may_be_in_profile: whether the profile file was not read, and may name the team.
        is_of_engine: whether the profile is that of a local engine.
        base_url_source: where the base URL comes from, for error messages.
    """

    __slots__ = (
        "api_key",
        "base_url",
        "base_url_source",
        "is_of_engine",
        "profile",
        "team_id",
        "team_may_be_in_profile",
    )

    def __init__(
        self,
        api_key: str,
        base_url: str,
        team_id: str | None = None,
        profile: str | None = None,
        team_may_be_in_profile: bool = False,
        is_of_engine: bool = False,
        base_url_source: str = "an argument",
    ):
        self.api_key = api_key
        self.base_url = base_url
        self.team_id = team_id
        self.profile = profile
        self.team_may_be_in_profile = team_may_be_in_profile
        self.is_of_engine = is_of_engine
        self.base_url_source = base_url_source

    def __repr__(self) -> str:
        return (
            f"Settings(api_key='…', base_url={self.base_url!r}, team_id={self.team_id!r}, "
            f"profile={self.profile!r})"
        )


def checked_options(
    timeout: float, max_retries: int, user_agent: str | None
) -> tuple[float, int, str | None]:
    """Check the arguments of a client that are not settings, and return them."""
    if user_agent is not None:
        if not checked_text(user_agent, "user_agent").strip():
            raise ConfigError("user_agent is empty: leave it out")
        if not (user_agent.isascii() and user_agent.strip().isprintable()):
            raise ConfigError("user_agent must be printable ASCII")
    return (
        checked_timeout(timeout, most=_LONGEST_TIMEOUT),
        checked_count(max_retries, "max_retries"),
        user_agent,
    )


def resolve(
    api_key: str | None = None,
    base_url: str | None = None,
    team_id: str | None = None,
    profile: str | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Return settings from arguments, environment and profile, in that order.

    A profile given here is an argument: its key, base URL and team are used
    together and override the environment, so that a key is never sent to the
    host of another profile. So are those of a local engine's profile, which counts
    as the default when nothing else is set. White space around a setting is ignored.
    """
    api_key, base_url, team_id, profile = (
        _argument(name, value)
        for name, value in (
            ("api_key", api_key),
            ("base_url", base_url),
            ("team_id", team_id),
            ("profile", profile),
        )
    )
    if team_id is not None:
        checked_id(team_id, "team")
    named: Profile | None = None
    team_may_be_in_profile = False
    source = f"the argument {words().argument('base_url')}" if base_url else None
    if profile is not None:
        named = _profile(profile)
        _warn_of_unused(profile, environ)
        if named.engine:
            _refuse_beside_engine(named, {"api_key": api_key, "base_url": base_url})
        api_key = named.api_key if api_key is None else api_key
        base_url = base_url or named.base_url or DEFAULT_BASE_URL
        team_id = team_id or named.team_id
    else:
        given = {"team_id": team_id}
        base_url = base_url or _variable("DUVO_API_BASE_URL", environ)
        source = source or ("DUVO_API_BASE_URL" if base_url else None)
        team_id = team_id or _variable("DUVO_TEAM_ID", environ)
        own_key = api_key is not None
        api_key = api_key or _variable("DUVO_API_KEY", environ)
        # A key that is given as an argument is never sent to the host of a profile.
        if not own_key and not (api_key and base_url):
            given |= {"DUVO_API_KEY": api_key, "the base URL": base_url}
            named = _profile_in_force(environ, given)
        team_may_be_in_profile = named is None and not own_key
        if named is not None:
            api_key = api_key or named.api_key
            base_url = base_url or named.base_url
            team_id = (named.team_id if named.engine else None) or team_id or named.team_id
    if source is None:
        source = f"the profile {named.name!r}" if named and named.base_url else "the default"
    if api_key is None:
        raise MissingCredential(f"no API key: {_key_remedy()}")
    return Settings(
        checked_key(api_key),
        checked_base_url(base_url or DEFAULT_BASE_URL),
        checked_id(team_id, "team") if team_id else None,
        named.name if named else None,
        team_may_be_in_profile,
        named is not None and named.engine is not None,
        source,
    )


def needs_file(
    api_key: str | None, base_url: str | None, profile: str | None, environ: Mapping[str, str]
) -> bool:
    """Whether `resolve` would read the profile file."""
    if profile is not None:
        return True
    if api_key is not None:
        return False
    return not (environ.get("DUVO_API_KEY") and (base_url or environ.get("DUVO_API_BASE_URL")))


def team_of_profile(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the team of the profile in force, for settings that came from the environment."""
    profile = _profile_in_force(environ, {"DUVO_API_KEY": "given"})
    return profile.team_id if profile else None


def _profile(name: str) -> Profile:
    from .profile_file import load

    return load().named(name)


def _profile_in_force(
    environ: Mapping[str, str], given: Mapping[str, str | None]
) -> Profile | None:
    """Return the profile that completes the settings that were given, or None."""
    from .profile_file import load

    known = load()
    chosen = _variable("DUVO_PROFILE", environ)
    if chosen:
        profile = known.named(chosen)
        if profile.engine:
            _refuse_beside_engine(profile, given)
        return profile
    default = known.named(known.default) if known.default else known.local()
    # The key of another server must not reach a local engine, nor that of an engine another server.
    return None if default and default.engine and any(given.values()) else default


def _key_remedy() -> str:
    """Return how to give a key where no profile is in force."""
    from .profile_file import load

    names = load().choices
    return words().choose_profile(names) if names else words().no_key()


def _refuse_beside_engine(profile: Profile, given: Mapping[str, str | None]) -> None:
    if names := [_shown(name) for name, value in given.items() if value]:
        raise ConfigError(
            f"profile {profile.name!r} is of a local engine, whose key, base URL and team are "
            f"only used together: leave out {' and '.join(names)}, or the profile"
        )


def _shown(setting: str) -> str:
    """Return the name of a setting that was given: of an argument, or of a variable."""
    is_argument = setting in ("api_key", "base_url", "team_id")
    return words().argument(setting) if is_argument else setting


def _argument(name: str, value: str | None) -> str | None:
    if value is None or checked_text(value, name).strip():
        return value and value.strip()
    raise _empty(
        name, words().argument(name), "leave it out to use the environment and the profile file"
    )


def _variable(name: str, environ: Mapping[str, str]) -> str | None:
    value = environ.get(name)
    # An unset secret of a CI system must not turn into another key or another host.
    if value is not None and not value.strip() and name in ("DUVO_API_KEY", "DUVO_API_BASE_URL"):
        raise _empty(name, name, "unset it, or give it a value")
    return (value or "").strip() or None


def _empty(name: str, shown: str, remedy: str) -> ConfigError:
    error = MissingCredential if name.lower().endswith("api_key") else ConfigError
    return error(f"{shown} is empty: {remedy}")


def _warn_of_unused(profile: str, environ: Mapping[str, str]) -> None:
    unused = [
        name for name in ("DUVO_API_KEY", "DUVO_API_BASE_URL", "DUVO_TEAM_ID") if environ.get(name)
    ]
    if unused:
        logger.warning(
            "profile %r was given: ignoring %s from the environment",
            profile,
            " and ".join(unused),
        )
