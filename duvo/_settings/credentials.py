"""Checks of the API key, the base URL and ids, before anything is sent; text without the key."""

from __future__ import annotations

from urllib.parse import urlsplit

from .._errors import ConfigError
from .arguments import checked_text

DEFAULT_BASE_URL = "https://api.duvo.ai"

_SHORTEST_KEY = 8
"""Length of the shortest text that may be a real key."""


def checked_key(api_key: str) -> str:
    """Return the key without surrounding white space.

    Raises:
        ConfigError: the key has a character that a header must not have.
    """
    key = api_key.strip()
    if not key:
        raise ConfigError("the API key is empty: is the variable set?")
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ConfigError(
            "the API key has a character that cannot be sent (a space, a line break, or not "
            "ASCII): copy it again"
        )
    return key


def without_key(text: str, api_key: str) -> str:
    """Return the text with `[key]` in place of the key.

    A shorter text than any key, given by mistake, is left in: it may be a part of any word.
    """
    return text.replace(api_key, "[key]") if len(api_key) >= _SHORTEST_KEY else text


def checked_base_url(base_url: str) -> str:
    """Return the base URL as an origin, without a trailing slash.

    Raises:
        ConfigError: the base URL is not an http(s) origin.
    """
    url = base_url.strip().rstrip("/")
    if not url:
        raise ConfigError("the base URL is empty: is the variable set?")
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  raises if the port is not a number
    except ValueError as error:
        raise ConfigError(f"the base URL {base_url!r} is not a URL ({error})") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"the base URL {base_url!r} must look like {DEFAULT_BASE_URL}")
    if parts.username or parts.password:
        raise ConfigError("the base URL must not carry a user name or password")
    if parts.path or parts.query or parts.fragment:
        origin = f"{parts.scheme}://{parts.netloc}"
        raise ConfigError(
            f"the base URL must be an origin, without a path such as {parts.path or '?…'!r}: "
            f"use {origin} (requests go to {origin}/v2/…)"
        )
    return url


def checked_id(text: str, of: str) -> str:
    """Return the id; `of` says of what.

    Raises:
        ConfigError: the id cannot be one segment of a path, so that the request would
            go to another call of the API.
    """
    checked_text(text, f"the id of the {of}")
    if text in ("", ".", "..") or "\0" in text:
        if not text:
            raise ConfigError(f"the id of the {of} is empty: is the variable set?")
        raise ConfigError(f"{text!r} cannot be the id of the {of}")
    return text
