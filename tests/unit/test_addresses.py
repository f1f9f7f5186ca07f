"""URLs in the project's files name known hosts or reserved domains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

REAL = {
    "api.duvo.ai",
    "duvo.ai",
    "docs.dbos.dev",
    "fishshell.com",
    "github.com",
    "temporal.io",
    "www.w3.org",
}
RESERVED = ("example", "example.com", "example.org", "internal", "invalid", "localhost", "test")
"""Domains reserved for examples and private networks (RFC 2606, 6761)."""

BINARY = (".gz", ".ico", ".png", ".pyc", ".whl")


def files() -> Iterator[Path]:
    yield from (file for file in ROOT.iterdir() if file.is_file())
    for folder in (".ci", "docs", "duvo", "duvo_cli", "tests"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file() and file.suffix not in BINARY:
                yield file


@cache
def texts() -> dict[Path, str]:
    """Return the text of each file of the project."""
    return {file: file.read_text(encoding="utf-8", errors="replace") for file in files()}


def hosts(text: str) -> Iterator[str]:
    """Yield the hosts of URLs that are names with a dot."""
    for found in re.finditer(r"\b[a-z][a-z0-9+]*://(?:[^\s/@\"'`<>]*@)?([A-Za-z0-9.-]+)", text):
        host = found[1].rstrip(".").lower()
        if "." in host and ".." not in host and not re.fullmatch(r"[0-9.]+", host):
            yield host


def test_urls_name_known_hosts_or_reserved_domains() -> None:
    unknown = {
        f"{file.relative_to(ROOT)}: {host}"
        for file, text in texts().items()
        for host in hosts(text)
        if host not in REAL and not f".{host}".endswith(tuple(f".{name}" for name in RESERVED))
    }
    assert unknown == set()


def test_every_real_host_is_named_somewhere() -> None:
    named = {
        host for file, text in texts().items() if file != Path(__file__) for host in hosts(text)
    }
    assert named >= REAL


def test_numeric_addresses_are_of_this_machine_or_of_private_networks() -> None:
    own = re.compile(r"0\.0\.0\.0|127\.|10\.|192\.168\.|192\.0\.2\.|198\.51\.100\.|203\.0\.113\.")
    found = {
        f"{file.relative_to(ROOT)}: {address}"
        for file, text in texts().items()
        for address in re.findall(r"://(?:[^\s/@]*@)?(\d+\.\d+\.\d+\.\d+)", text)
        if not own.match(address)
    }
    assert found == set()
